"""A disclosure officer's way to speak for the nation: members, epochs, policies, recalls.

What is said is made on top of the newest proven chain, checked by the same fold that everybody
runs, and posted statement by statement; each comes back with the journal's proof. If another
officer spoke in between, what does not stand yet is made anew.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import anyio

from clients.ceremony import EPOCH_LIFE, POLICY_LIFE, READING_KINDS, Ceremony
from clients.delivery import PAGE_MAX
from clients.keys import EpochSeed
from clients.member_keys import MemberCard, RootKeys
from clients.open import consents
from clients.receiving import Receiving
from clients.referral import QueuePage, Referral
from clients.speaker import Signer, cosign, signers
from clients.transport import STATEMENT
from wire import statements, strict_json
from wire.bodies import Kind, ReportRelease
from wire.entries import MISSION
from wire.errors import Conflict, Malformed, NotAllowed
from wire.evidence import MAX_EVIDENCE_BYTES, Evidence
from wire.model import Hex32B, Strict

TRIES: Final = 12  # times in a row that another officer may have been quicker
PAUSE: Final = 0.1  # seconds before the second try; each further pause is longer by as much


class Said(Strict):
    """What `POST /v1/statements` answers."""

    identity: Hex32B
    index: int
    duplicate: bool
    evidence: Evidence


@dataclass(frozen=True)
class Spoken:
    """A statement that stands, proven at entry `index` of the journal."""

    identity: str
    type: str
    index: int


class Officer(Receiving):
    """A disclosure officer's client.

    async with Officer(identity) as officer:
        await officer.revoke(kid, "device lost")
    """

    async def add(
        self, card: MemberCard, kind: Kind, *, clearance: str, communities: Collection[str] = ()
    ) -> tuple[Spoken, ...]:
        """Add a member from the public halves of its keys, with the current epoch's keys.

        Raises `Malformed` ("bad-input") before the nation's first epoch for a member that reads.
        """

        def make(ceremony: Ceremony) -> None:
            ceremony.add_member(
                self.identity.nation,
                card,
                kind,
                self._signers,
                clearance=clearance,
                communities=communities,
                seed=self._seed() if kind in READING_KINDS else None,
            )

        return await self._say(make)

    async def revoke(self, kid: str, reason: str) -> tuple[Spoken, ...]:
        """Revoke a member; a new epoch that it has no key to opens at once."""
        return await self._say(
            lambda c: c.revoke_member(self.identity.nation, kid, reason, self._signers)
        )

    async def expel(self, code: str, reason: str, roots: Iterable[RootKeys]) -> tuple[Spoken, ...]:
        """Expel a nation, by the roots of a quorum of nations: nothing is sent to it any more.

        It holds no key but its own, so no other nation needs a new epoch for it.
        """
        keys = [key for root in roots for key in root.keys]
        return await self._say(lambda c: c.expel(code, reason, signers(*keys)))

    async def retain(
        self, views: int | None, payloads: int | None, roots: Iterable[RootKeys]
    ) -> tuple[Spoken, ...]:
        """Order for how many days the broker keeps the nation's views and payloads, by its root;
        None is for ever.
        """
        keys = [key for root in roots for key in root.keys]
        body = {"views": views, "payloads": payloads}
        return await self._say(
            lambda c: c.say(self.identity.nation, "retention.set", body, signers(*keys))
        )

    async def set_witness(
        self, keys: Sequence[str], roots: Iterable[RootKeys]
    ) -> tuple[Spoken, ...]:
        """Replace the keys of the nation's witness, by its root: for every tree with this in it.

        Raises `Malformed` ("bad-identity") if no root holds the key that appoints them.
        """
        roots = list(roots)
        held = [key for root in roots for key in root.keys]
        appointer = next((root.appointer for root in roots if root.appointer is not None), None)
        if appointer is None:
            raise Malformed("bad-identity", "no key there that appoints your witness's keys")
        nation = self.identity.nation
        return await self._say(lambda c: c.set_witness(nation, keys, signers(*held), appointer))

    async def rotate(self, *, life: int = EPOCH_LIFE) -> tuple[Spoken, ...]:
        """Open the next epoch (`life` in seconds) and grant it to every member that reads."""
        return await self._say(
            lambda c: c.rotate_epoch(self.identity.nation, self._signers, life=life)
        )

    async def adopt(
        self, release: str, accept: str, *, life: int = POLICY_LIFE
    ) -> tuple[Spoken, ...]:
        """Publish the nation's next policy, pinned to the reference data of now."""
        return await self._say(
            lambda c: c.publish_policy(
                self.identity.nation, release, accept, self._signers, life=life
            )
        )

    async def propose(self, release: str, accept: str, *, life: int = POLICY_LIFE) -> bytes:
        """The nation's next policy, signed by this officer and not posted: for another to see."""
        await self.follower.sync()
        now, nation = self.transport.now(), self.identity.nation
        ceremony = Ceremony(self.directory, now=now, random=self.random, whole=False)
        return ceremony.publish_policy(nation, release, accept, self._signers, life=life).raw

    async def countersign(self, raw: bytes) -> Spoken:
        """Sign what another officer proposed, and post it.

        Raises `Conflict` ("statement-conflict", "policy-rollback") if the nation spoke in between.
        """
        (signer,) = self._signers
        return await self.post(cosign(raw, signer))

    async def guarantee(self, text: str, by: Collection[Signer] = ()) -> tuple[Spoken, ...]:
        """Publish what release rules must keep, signed by those who hold that role."""
        return await self._say(
            lambda c: c.publish_guarantees(self.identity.nation, text, by or self._signers)
        )

    async def recall(self, report: str, reason: str) -> tuple[Spoken, ...]:
        """Take a report back: the broker stops serving it at the next event."""
        body = {"report": report, "reason": reason}
        return await self._say(
            lambda c: c.say(self.identity.nation, "report.recall", body, self._signers)
        )

    async def confirm(
        self, report: str, outcome: str, *, basis: str | None = None
    ) -> tuple[Spoken, ...]:
        """Answer a recall for the nation: "destroyed", "retained" (by which law) or "never-opened".

        A system may say it as well. Raises `NotAllowed` ("not-found") if nobody recalled it here.
        """
        await self.follower.sync()
        recalled = self.follower.recalls.get(report)
        if recalled is None:
            raise NotAllowed("not-found", "no recall of such a report was told to your nation")
        recall = recalled.statement
        body = {"report": report, "recall": recall, "outcome": outcome, "basis": basis}
        return await self._say(
            lambda c: c.say(self.identity.nation, "recall.confirm", body, self._signers)
        )

    async def queue(self) -> tuple[Referral, ...]:
        """Every case that waits for this nation's officers, oldest report first."""
        directory = await self.follower.sync()
        found, cursor, more = list[Referral](), None, True
        while more:
            page = await self._queue_page(cursor)
            for case in page.referrals:
                case.check_text(self.identity.nation, directory)
            found += page.referrals
            cursor, more = page.cursor, page.more
        return tuple(found)

    async def _queue_page(self, cursor: str | None) -> QueuePage:
        path = "/v1/referrals" if cursor is None else f"/v1/referrals?after={cursor}"
        answer = await self.transport.get(path)
        return strict_json.load(answer.body, QueuePage, limit=PAGE_MAX)

    async def approve(
        self, case: Referral, *, life: int, reason: str = "", emergency: bool = False
    ) -> tuple[Spoken, ...]:
        """Agree that this case goes out, or comes in, for `life` seconds.

        An emergency needs a second officer, a reason, and is marked for review.
        """
        expires = self.transport.now() + life
        return await self._decide(case.body("approve", expires, reason=reason, emergency=emergency))

    async def reject(self, case: Referral, reason: str, *, life: int) -> tuple[Spoken, ...]:
        """Say no, and keep the case out of the queue for `life` seconds.

        What this nation's officers agreed to before about it is taken back.
        """
        return await self._decide(case.body("reject", self.transport.now() + life, reason=reason))

    async def _decide(self, body: Mapping[str, object]) -> tuple[Spoken, ...]:
        return await self._say(
            lambda c: c.say(self.identity.nation, "approval", body, self._signers)
        )

    async def consent(
        self, report: str, to: str, *, life: int, author: str | None = None
    ) -> tuple[Spoken, ...]:
        """Release an own report to one more nation for `life` seconds: every portion that this
        officer can open, its key wrapped for that nation. The signed bytes stay as they are.

        `author` is the nation that may lean on it in what it derives; any reader, if none is named.
        Raises `NotAllowed` ("not-allowed") for another nation's report, ("not-found") for none.
        """
        verified = await self._own_or_got(report)
        ours, now = self.identity.nation, self.transport.now()
        if verified.originator != ours:
            raise NotAllowed("not-allowed", "only its originator releases a report further")
        bodies = consents(
            verified, ours, self.follower.keyring(), to, self.directory, now=now, life=life
        )

        def make(ceremony: Ceremony) -> None:
            for body in bodies:
                more = {} if author is None else {"author": author}
                ceremony.say(ours, "report.release", {**body, **more}, self._signers)

        return await self._say(make)

    async def withdraw(self, release: str, reason: str) -> tuple[Spoken, ...]:
        """Take a consent back: from then on it opens nothing, and nothing derived leans on it.

        Raises `NotAllowed` ("not-found") if this nation gave no such consent.
        """
        await self.follower.sync()
        ours = self.identity.nation
        said = (statement for _, _, statement in self.follower.said("report.release"))
        own = (s for s in said if (s.identity, s.head.nation) == (release, ours))
        statement = next(own, None)
        if statement is None:
            raise NotAllowed("not-found")
        given = statement.body(ReportRelease)
        about = {"report": given.report, "portion": given.portion, "to": given.to}
        body = {**about, "release": release, "reason": reason}
        return await self._say(lambda c: c.say(ours, "report.withdraw", body, self._signers))

    @property
    def _signers(self) -> tuple[Signer, ...]:
        self.identity.check_signs()
        return signers(self.identity.keys.sign)

    def _seed(self) -> EpochSeed:
        epoch = self._epoch()
        if epoch == 0:
            words = f"{self.identity.nation} has no keys to grant yet; first: tearline epoch rotate"
            raise Malformed("bad-input", words)
        return self.follower.keyring().seed(epoch)

    def _epoch(self) -> int:
        return self.directory.nation(self.identity.nation).newest_epoch

    async def _say(self, make: Callable[[Ceremony], object]) -> tuple[Spoken, ...]:
        """Make statements, and post them one by one; what stands is never said twice."""
        spoken: list[Spoken] = []
        waiting: tuple[bytes, ...] = ()
        overtaken = 0
        while True:
            await self.follower.sync()
            ceremony = Ceremony(self.directory, now=self.transport.now(), random=self.random)
            if spoken:
                self._anew(ceremony, waiting)
            else:
                make(ceremony)
            waiting = ceremony.statements
            try:
                while waiting:
                    spoken.append(await self.post(waiting[0]))
                    waiting, overtaken = waiting[1:], 0
                await self.follower.sync()
                return tuple(spoken)
            except Conflict as error:
                overtaken += 1
                if overtaken == TRIES or error.slug != "statement-conflict":
                    raise
            await anyio.sleep(overtaken * PAUSE)

    def _anew(self, ceremony: Ceremony, waiting: Sequence[bytes]) -> None:
        """The rest of what was to be said, on top of what another officer said in between."""
        nation, rest = self.identity.nation, [statements.parse(raw) for raw in waiting]
        if any(statement.head.type == "epoch.open" for statement in rest):
            ceremony.rotate_epoch(nation, self._signers)  # its number may be taken by now
            return
        for statement in rest:
            head, body = statement.head, strict_json.parse(statement.body_bytes or b"")
            assert isinstance(body, dict)
            ceremony.say(nation, head.type, body, self._signers, scope=head.scope)

    async def post(self, raw: bytes) -> Spoken:
        """Post one signed statement and check the proof. The same bytes again are harmless."""
        statement = statements.parse(raw)
        answer = await self.transport.send("POST", "/v1/statements", raw, STATEMENT)
        said = strict_json.load(answer.body, Said, limit=MAX_EVIDENCE_BYTES, prose=True)
        entry = await self.proven(said.evidence, "statement", MISSION)
        if (entry.view or {}).get("statement") != statement.identity:
            raise Malformed("bad-proof", "the receipt is for another statement")
        return Spoken(statement.identity, statement.head.type, entry.index)
