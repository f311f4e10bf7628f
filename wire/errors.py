"""Every refusal Tearline can give: one class for who must act, one stable slug for what happened.

    TearlineError
    ├── Malformed     the sender's bytes are wrong; sending them again will not help
    ├── NotAllowed    identity, label or policy says no
    ├── Conflict      the state of the mission says no; look, then try again
    └── BrokerFault   the broker cannot answer; nothing was changed

The slug is the HTTP problem type, the reason in the journal and the word in the name of the test.
A detail never holds content, a key or the text of somebody else's error.
"""

from typing import Final, NamedTuple


class Slug(NamedTuple):
    """What a slug means to the person who sees it, and the HTTP status that carries it."""

    status: int
    title: str
    advice: str


SLUGS: Final[dict[str, Slug]] = {
    # -- bytes, text and JSON
    "bad-json": Slug(422, "not acceptable JSON", "send plain JSON: no duplicates, no floats, NFC text"),
    "bad-fields": Slug(422, "a field is missing, unknown or of the wrong form", "correct the named field"),
    "too-large": Slug(413, "too large", "send less; the limit is in the detail"),
    "bad-signature": Slug(422, "a signature does not verify", "sign the exact bytes with the registered key"),
    "bad-envelope": Slug(422, "not a sealed report", "seal again with a current client"),
    "bad-suite": Slug(422, "an unknown cryptographic suite", "update the client"),
    "bad-statement": Slug(422, "not a well-formed statement", "make the statement again with a current client"),
    # -- log
    "bad-proof": Slug(422, "a Merkle proof does not verify", "stop, keep the bytes, tell the auditor"),
    "bad-checkpoint": Slug(422, "a checkpoint does not verify", "stop, keep the bytes, tell the auditor"),
    "broken-chain": Slug(422, "a chain of journal entries is broken", "stop, keep the bytes, tell the auditor"),
    "fork-detected": Slug(409, "two different histories were shown", "stop; the proof file says what differs"),
    "behind": Slug(409, "this client has not followed the journal that far", "follow it first, then look again"),
    "log-continued": Slug(409, "the log was continued after a loss", "go on; `tearline lost` names what is to be sent again"),
    "stale-size": Slug(409, "another tree was cosigned last", "prove it from the size in the detail"),
    # -- labels
    "unknown-term": Slug(422, "a word that the mission's vocabulary does not have", "use one that `tearline terms` lists"),
    "label-release-to": Slug(422, "the release list is not acceptable", "name the originator and every recipient"),
    "label-display-to": Slug(422, "the display list is not acceptable", "a nation is released to or displayed to, not both"),
    "label-expired": Slug(422, "the label has expired or ends before it starts", "set a later expiry"),
    "label-exercise": Slug(422, "exercise and live traffic must not mix", "use the mission's own exercise setting"),
    "label-lineage": Slug(422, "sources or consents do not fit together", "name each source once, and its consents"),
    "label-recipients": Slug(422, "the keys do not match the label's recipients", "seal again: one key for each recipient nation"),
    "bad-lineage": Slug(422, "a source report is not known", "name reports that this broker has accepted"),
    # -- identity and requests
    "unsigned-request": Slug(401, "the request carries no acceptable signature", "sign the request; check the clock against the Date header"),
    "unknown-signer": Slug(422, "no key that may sign this", "use a registered, unrevoked key of somebody who may"),
    "not-found": Slug(404, "not found", "check the id"),
    "not-allowed": Slug(403, "not allowed", "ask your nation's disclosure officer"),
    "third-party-rule": Slug(403, "wider than its sources allow", "ask each source's originator for a consent"),
    "withheld": Slug(403, "a policy withholds it", "read the explanation; narrow the release or ask the officers named"),
    "policy-expired": Slug(403, "your nation's own policy has expired", "sign it again: `tearline policy adopt`"),
    "policy-refused": Slug(422, "the policy text is outside the release profile", "run `tearline policy lint` and correct the rules named"),
    "needs-second-officer": Slug(403, "more would be released than before", "a second policy officer signs: `tearline policy countersign`"),
    "guarantee-broken": Slug(403, "the rules would not keep a standing guarantee", "run `tearline policy preview`; it shows a report that breaks it"),
    "obligation-unsupported": Slug(403, "this client cannot keep an obligation of the label", "use a client that declares it"),
    # -- state
    "id-reuse": Slug(409, "this id was used for other bytes", "make a new id"),
    "stale-epoch": Slug(409, "a recipient's key epoch is not current", "fetch the newest keys and seal again"),
    "statement-conflict": Slug(409, "the statement does not follow the chain", "fetch the chain and sign on top of it"),
    "root-expired": Slug(409, "the nation's root keys have expired", "publish a new root"),
    "policy-rollback": Slug(409, "an older or different policy version", "publish the next version"),
    "recalled": Slug(410, "its originator took it back", "destroy every copy; your nation confirms it"),
    "quota": Slug(429, "the nation's quota is used up", "remove what is not needed, or wait"),
    "bad-cursor": Slug(400, "the cursor is not valid here", "start again without a cursor"),
    "bad-range": Slug(416, "the chunk does not continue what is stored", "ask for the offset and go on from there"),
    "incomplete": Slug(409, "the attachment is not complete yet", "try again later"),
    # -- the transport
    "bad-request": Slug(400, "not an acceptable request", "see the API description"),
    "method-not-allowed": Slug(405, "this method is not allowed here", "see the API description"),
    "misdirected": Slug(421, "this broker has another name", "use the name in your identity folder"),
    "unsupported-media": Slug(415, "this content type or coding is not accepted", "send it plain, as the API describes"),
    "header-too-large": Slug(431, "the request head is too large", "send fewer or shorter headers"),
    "too-slow": Slug(408, "the request came too slowly", "try again on a better link"),
    "rate-limited": Slug(429, "too many requests or connections from this address", "wait a moment; use one connection"),
    # -- the broker
    "busy": Slug(503, "the broker is busy", "try again after a moment"),
    "internal": Slug(500, "the broker failed", "try again; tell the operator if it stays"),
    "replaced": Slug(409, "the stream was taken over", "another client of this member follows it now; give each its own name"),
    "stopping": Slug(503, "the broker is stopping", "try again after a moment"),
    "journal-stopped": Slug(503, "the journal cannot be written", "tell the operator: nothing is accepted or released"),
    "locked": Slug(503, "another process holds this journal", "stop the other broker first"),
    "rollback-detected": Slug(503, "the journal is older than its anchor", "do not serve; follow docs/runbook.md"),
    "journal-damaged": Slug(503, "the journal disagrees with its own checkpoint", "do not serve; follow docs/runbook.md"),
    "disk-full": Slug(507, "no room to record it", "make room on the disk, or tell the operator who can"),
    "bad-settings": Slug(500, "the settings file is not usable", "correct the named setting"),
    "undelivered": Slug(503, "a receiver does not take what is pushed", "see the detail; nothing is lost, push again later"),
    "unreachable": Slug(503, "the broker cannot be reached", "check the link and the address"),
    # -- keys and folders of a client
    "bad-identity": Slug(400, "the identity folder is not usable", "name a folder such as kit/KEN/system; `tearline kit create` or `member create` makes one"),
    "bad-passphrase": Slug(400, "the passphrase does not open the keys", "check TEARLINE_PASSPHRASE"),
    "no-key": Slug(403, "no key that opens this report", "ask your officer whether it is for you, and for a grant of that epoch"),
    "undecryptable": Slug(422, "the content does not open with the key it names", "file a complaint with the originator"),
    "bad-content": Slug(422, "the opened content is not well formed", "file a complaint with the originator"),
    "bad-input": Slug(400, "the input is not usable", "see the detail"),
    "frozen": Slug(409, "no fresh keys or checkpoints for too long", "check the link; nothing was sealed"),
}  # fmt: skip


class TearlineError(Exception):
    """A refusal with a stable slug and, where it helps, a detail fit for strangers' eyes."""

    def __init__(self, slug: str, detail: str = "") -> None:
        assert slug in SLUGS, slug
        super().__init__(slug, detail)
        self.slug = slug
        self.detail = detail

    @property
    def status(self) -> int:
        """The HTTP status that carries this refusal."""
        return SLUGS[self.slug].status

    def __str__(self) -> str:
        meaning = SLUGS[self.slug]
        what = f"{meaning.title}: {self.detail}" if self.detail else meaning.title
        return f"{what} [{self.slug}]; {meaning.advice}"


class Malformed(TearlineError):  # noqa: N818 - the name says who must act
    """The sender's bytes are wrong."""


class NotAllowed(TearlineError):  # noqa: N818
    """Identity, label or policy says no."""


class Conflict(TearlineError):  # noqa: N818
    """The mission's state says no."""


class BrokerFault(TearlineError):  # noqa: N818
    """The broker cannot answer; nothing was changed."""


def quoted(text: str, limit: int = 40) -> str:
    """Foreign input for a detail: in backticks, printable ASCII only, cut short."""
    safe = "".join(c if c.isascii() and c.isprintable() and c != "`" else "?" for c in text[:limit])
    return f"`{safe}…`" if len(text) > limit else f"`{safe}`"
