"""Steps 2 to 6 once more, at the place in the journal where the report will stand.

Between the check of a signature and the journal a signer may be revoked, an epoch may end, a
policy may change. So everything that depends on the moment is asked again here, in one go with the
writing: what the journal says was true when it says so. The numbers are those of `broker.intake`.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from broker import audit, lineage, logs
from broker.answers import Preview, Receipt, Withheld
from broker.deciding import Deciding, Visible
from broker.held import Held
from broker.journal import THIS_INDEX, Entry, Record, Row
from broker.lineage import Sources
from broker.policybook import Ruling
from broker.preview import portion_preview
from broker.release import Asker, Ring, key_of, made_release, release_record
from broker.sequencer import Act, Moment
from broker.state import State
from broker.verifiers import Checked
from policies.decide import Outcome
from wire import labels
from wire.errors import Conflict, Malformed, NotAllowed
from wire.freshness import lasting
from wire.verify import VerifiedReport, check_fresh

Rulings = Mapping[int, Mapping[str, Ruling]]
"""By index of the portion, then by nation."""


class Audience(Protocol):
    """Those who listen right now."""

    def askers(self, held: Held) -> Iterable[tuple[Asker, int]]:
        """One for each class of reader whose filter the report answers, and by which portions."""

    def offer(self, held: Held) -> None:
        """Let them know that the report is there."""


class Desk(Protocol):
    """What a submission needs of its surroundings."""

    state: State
    deciding: Deciding
    audience: Audience
    ring: Ring


class SubmitAct(Act[Receipt | NotAllowed | None]):
    """A verified report on its way into the journal.

    Settles as a receipt, as a refusal that is journalled, or as None: then it was accepted before
    or the directory changed, and its sender looks again.
    """

    def __init__(self, desk: Desk, checked: Checked, sources: Sources) -> None:
        self._desk, self._state = desk, desk.state
        self._raw, self._report, self._directory = checked.raw, checked.report, checked.directory
        self._labels = {portion.index: portion.whole for portion in checked.report.portions}
        self._salts = {("salt", checked.report.originator, salt) for salt in _salts(checked.report)}
        self._sources = sources
        self._held: Held | None = None
        self._live: list[tuple[Asker, Visible]] = []
        self._refusal: NotAllowed | None = None

    def plan(self, moment: Moment) -> Sequence[Record]:
        """Steps (2) to (5), then what (6) writes."""
        verified, state = self._report, self._state
        directory, claim = state.standing.directory, ("report", verified.identity)
        known = state.holdings.by_identity(verified.identity) is not None
        if directory is not self._directory or known or claim in moment.claimed:
            return ()
        self._check(moment)
        try:
            for label in self._labels.values():
                lineage.check_allowed(
                    label,
                    verified.originator,
                    self._sources,
                    state.holdings,
                    state.standing,
                    moment.time,
                )
        except NotAllowed as refusal:
            return self._refused(refusal, ())
        held = self._hold(moment)
        rulings = self._decide(held, moment.time)  # (5)
        withheld = [n for nations in rulings.values() for n, r in nations.items() if _withheld(r)]
        if withheld:
            return self._refused(self._explained(rulings, withheld), withheld)
        self._held = held
        moment.claimed.update((claim, ("id", held.originator, held.id), *self._salts))
        return [self._accepted(held, rulings), *self._released(held, moment)]  # (6)

    def settle(self, entries: Sequence[Entry]) -> Receipt | NotAllowed | None:
        """It is accepted: hold it, and let those who listen know."""
        held, desk = self._held, self._desk
        if held is None:
            return self._refusal
        first, *releases = entries
        desk.state.holdings.add(held)
        for (asker, visible), entry in zip(self._live, releases, strict=True):
            nation = asker.recipient.nation
            held.released[nation, visible.mask] = entry.index
            proof = entry.evidence[nation]
            release = made_release(self._report.frame, visible, nation, proof)
            desk.ring.put(key_of(visible, nation), release)
        desk.audience.offer(held)
        logs.event("report.accepted", report=held.identity, index=first.index)
        return Receipt(
            held.identity, first.index, duplicate=False, evidence=first.evidence[held.originator]
        )

    # -- judging

    def _check(self, moment: Moment) -> None:
        """What verification found, still true at this place and time. Raises the refusal."""
        verified, state = self._report, self._state
        directory, header = state.standing.directory, verified.header
        try:
            directory.signer(header.signer, header.originator, moment.position, moment.time)  # (2)
        except NotAllowed as error:
            raise Malformed("unknown-signer") from error
        for portion in verified.portions:  # (4)
            labels.check_in_force(portion.label, moment.time)
        check_fresh(verified, directory, moment.time)
        # Another nation's report of this id is none of this one's business.
        name = (header.originator, header.id)
        if state.holdings.by_id(*name) is not None or ("id", *name) in moment.claimed:
            raise Conflict("id-reuse")
        lineage.check_extent(self._labels.values(), state.holdings)
        for label in self._labels.values():
            lineage.check_known(label, verified.originator, state.holdings)
        if any(
            salt in moment.claimed or state.holdings.has_salt(*salt[1:]) for salt in self._salts
        ):
            raise Malformed("label-lineage", "a salt of protected sources was used before")

    def _hold(self, moment: Moment) -> Held:
        verified, state = self._report, self._state
        found = {p.index: (p.label, p.protected) for p in verified.portions if p.protected}
        return state.holdings.hold(
            verified.frame,
            verified.header,
            found,
            moment.position,
            moment.time,
            state.standing.directory.terms,
        )

    def _decide(self, held: Held, now: int) -> Rulings:
        """What the policies say of every portion for every nation on its list, as a whole."""
        deciding = self._desk.deciding
        purpose = deciding.purpose(None)
        return {
            portion.index: deciding.listed(held.identity, held.created, portion, purpose, now)
            for portion in held.portions
        }

    # -- writing

    def _accepted(self, held: Held, rulings: Rulings) -> Record:
        frame, header = self._report.frame, self._report.header
        digests = {p.index: hashlib.sha256(p.label_bytes).hexdigest() for p in frame.portions}
        sources = self._state.policies.sources
        attachments = [
            Row("attachment", (held.identity, portion.index, a.id, a.sha256, a.length, 0))
            for portion in held.portions
            for a in portion.attachments
        ]
        raw = self._raw
        row = (THIS_INDEX, held.id, held.identity, held.originator, header.signer, held.created)
        return Record(
            audit.accepted(held, header.signer, digests, rulings, sources),
            (Row("report", (*row, raw)), *attachments),
        )

    def _released(self, held: Held, moment: Moment) -> list[Record]:
        """For those who listen right now: their releases are part of the same transaction."""
        records = []
        for asker, matching in self._desk.audience.askers(held):
            visible = self._desk.deciding.look(
                asker.recipient, held, asker.purpose, moment.time, asker.keeps
            )
            if visible is not None and visible.mask & matching:
                record = release_record(self._state, visible, asker, held.position, moment)
                if record is not None:
                    records.append(record)
                    self._live.append((asker, visible))
        return records

    def _refused(self, refusal: NotAllowed, nations: Iterable[str]) -> Sequence[Record]:
        """A policy or an originator says no: the sender's nation will find that in its channel."""
        self._refusal = refusal
        report, header = self._report, self._report.header
        logs.event("report.refused", report=report.identity, slug=refusal.slug)
        event = audit.refused(
            report.identity, header.id, report.originator, header.signer, refusal.slug, nations
        )
        return (Record(event),)

    def _explained(self, rulings: Rulings, withheld: Iterable[str]) -> Withheld:
        policies, viewer = self._state.policies, self._report.originator
        explanation = Preview(
            portions=tuple(portion_preview(policies, r, viewer) for r in rulings.values())
        )
        detail = f"from {', '.join(sorted(set(withheld)))}"
        ended = policies.expired.get(viewer)
        if ended is not None:
            lasted = lasting(self._state.now() - ended)
            return Withheld("policy-expired", f"{lasted} ago; {detail}", explanation)
        return Withheld("withheld", detail, explanation)


def _withheld(ruling: Ruling) -> bool:
    return ruling.outcome is Outcome.WITHHOLD


def _salts(report: VerifiedReport) -> Iterable[str]:
    """The salts of what a submission says of protected sources."""
    return (portion.protected.salt for portion in report.portions if portion.protected)
