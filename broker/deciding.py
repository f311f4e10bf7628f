"""Steps 5 and 8, decide: one reader, one report, the policies of now.

The rules are the policies' (`policies/decide.py`); here the facts are brought to them: who the
reader is, what the label says, how old the report is, which approvals were signed.

What was decided is remembered for one second, one standing and one class of reader, so that a
thousand streams of one nation ask once, and no change of anything is missed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from msgspec import structs

from broker.answers import Use
from broker.held import Held, HeldPortion
from broker.lineage import may_go
from broker.policybook import Policies, Reader, Ruling
from broker.state import State
from policies.decide import Outcome
from policies.facts import Circumstances, PrincipalKind, Recipient, ReportFacts
from wire.directory import Directory
from wire.errors import NotAllowed
from wire.labels import DISPLAY
from wire.members import Member

REMEMBERED: Final = 65_536
"""Answers remembered within one second."""

LISTS_REMEMBERED: Final = 4_096
"""Answers for whole lists of nations; a month shows some hundreds of kinds of report."""

NOTHING: Final = frozenset[str]()
"""What a client keeps that declares nothing."""

PRINCIPALS: Final[dict[str, PrincipalKind]] = {
    "system": "Gateway",
    "gateway": "Gateway",
    "analyst": "Analyst",
    "officer": "Analyst",
}
"""As whom a kind of member reads. Who is not here, an auditor, never reads content."""


@dataclass(frozen=True, slots=True)
class Visible:
    """The portions of a report that a reader may have now, and the rulings that say so.

    `mask` has a bit for each portion's index; `size` is about what the reader gets, in bytes;
    `lane` that of the most urgent of them.
    """

    held: Held
    portions: tuple[HeldPortion, ...]
    rulings: tuple[Ruling, ...]
    mask: int
    use: Use
    size: int
    lane: int

    def duties(self, nation: str) -> frozenset[str]:
        """What a client of this nation must keep to be given these portions."""
        return frozenset().union(*(portion.duties(nation) for portion in self.portions))


class Deciding:
    """Asks the policies in force about readers and reports."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._readers: dict[Recipient, Reader] = {}
        self._readers_of: Policies | None = None
        self._known: dict[tuple[int, Recipient, str, frozenset[str]], Visible | None] = {}
        self._known_at = (-1, -1)
        self._ruled: dict[tuple[Recipient, int, int, str], Ruling] = {}
        self._ruled_by: Policies | None = None
        self._lists: dict[tuple[int, int, str], tuple[ReportFacts, Mapping[str, Ruling]]] = {}
        self._lists_of: tuple[Policies, Directory] | None = None
        self._added: dict[tuple[ReportFacts, str], ReportFacts] = {}
        self._gateways: dict[tuple[str, frozenset[str]], Recipient] = {}
        self._gateways_of: Directory | None = None

    # -- who asks

    def recipient(self, member: Member) -> Recipient:
        """As whom a member reads. Raises `NotAllowed` ("not-allowed") for an auditor."""
        kind = PRINCIPALS.get(member.kind)
        if kind is None:
            raise NotAllowed("not-allowed", "an auditor reads the journal, never a report")
        exercise = self._state.standing.directory.founded.exercise
        return Recipient(member.nation, kind, member.clearance, member.communities, exercise)

    def gateway(self, nation: str, communities: frozenset[str]) -> Recipient:
        """A nation as a whole: accredited as its charter says, read into these communities."""
        directory = self._state.standing.directory
        if directory is not self._gateways_of or len(self._gateways) >= REMEMBERED:
            self._gateways, self._gateways_of = {}, directory
        known = self._gateways.get((nation, communities))
        if known is None:
            clearance = directory.nations[nation].clearance
            exercise = directory.founded.exercise
            known = Recipient(nation, "Gateway", clearance, communities, exercise)
            self._gateways[nation, communities] = known
        return known

    def purpose(self, wanted: str | None) -> str:
        """What the policies are told that the reader wants it for."""
        return wanted or self._state.standing.directory.terms.purposes[0]

    # -- what is asked

    def rule(
        self,
        recipient: Recipient,
        facts: ReportFacts,
        moment: Circumstances,
    ) -> Ruling:
        """What the policies in force say."""
        policies = self._state.policies
        if policies is not self._readers_of:
            self._readers, self._readers_of = {}, policies
        reader = self._readers.get(recipient)
        if reader is None:
            if len(self._readers) >= REMEMBERED:
                self._readers.clear()
            reader = self._readers[recipient] = policies.reader(recipient)
        return policies.decide(reader, facts, moment)

    def ask(
        self,
        recipient: Recipient,
        report: str,
        created: int,
        portion: HeldPortion,
        purpose: str,
        now: int,
    ) -> Ruling:
        """What they say of a portion of the report with this identity; times in seconds.

        Only where a layer refers are its officers' approvals of this case counted, and only those
        for the rules that refer it now.
        """
        first = self.unaided(recipient, created, portion, purpose, now)
        if first.outcome is not Outcome.REFER:
            return first
        case = (report, portion.commitment, recipient.nation)
        approvals = self._state.standing.counted(case, first, now)
        if not approvals:
            return first
        moment = Circumstances(now, now - created, purpose, approvals)
        return self.rule(recipient, self._facts(portion, recipient.nation), moment)

    def unaided(
        self, recipient: Recipient, created: int, portion: HeldPortion, purpose: str, now: int
    ) -> Ruling:
        """What they say before any officer has signed.

        Reports of one kind have one answer for as long as no rule in force can tell the moments
        apart.
        """
        age, policies = now - created, self._state.policies
        facts = self._facts(portion, recipient.nation)
        if policies is not self._ruled_by or len(self._ruled) >= REMEMBERED:
            self._ruled, self._ruled_by = {}, policies
        key = (recipient, id(facts), policies.moment(now, age, purpose), purpose)
        known = self._ruled.get(key)
        if known is None or known.decision.report is not facts:
            moment = Circumstances(now, age, purpose, {})
            known = self._ruled[key] = self.rule(recipient, facts, moment)
        return known

    def listed(
        self, report: str, created: int, portion: HeldPortion, purpose: str, now: int
    ) -> Mapping[str, Ruling]:
        """What they say of a portion for every nation on its list, each as a whole.

        Where no layer refers, reports of one kind share the answer as in `unaided`.
        """
        policies, directory = self._state.policies, self._state.standing.directory
        basis = self._lists_of
        if (
            basis is None
            or basis[0] is not policies
            or basis[1] is not directory
            or len(self._lists) >= LISTS_REMEMBERED
        ):
            self._lists, self._lists_of = {}, (policies, directory)
        facts = portion.facts
        key = (id(facts), policies.moment(now, now - created, purpose), purpose)
        known = self._lists.get(key)
        if known is not None and known[0] is facts:
            return known[1]
        rulings = {}
        for nation in sorted(portion.recipients):
            gateway = self.gateway(nation, facts.communities)
            rulings[nation] = self.ask(gateway, report, created, portion, purpose, now)
        if all(ruling.outcome is not Outcome.REFER for ruling in rulings.values()):
            self._lists[key] = facts, rulings
        return rulings

    def _facts(self, portion: HeldPortion, nation: str) -> ReportFacts:
        """What the label says, and the originator's consent to a nation that is not on its list."""
        if nation in portion.recipients:
            return portion.facts
        key = (portion.facts, nation)
        found = self._added.get(key)
        if found is None:
            if len(self._added) >= REMEMBERED:
                self._added.clear()
            more = portion.facts.release_to | {nation}
            found = self._added[key] = structs.replace(portion.facts, release_to=more)
        return found

    def known_to(self, nation: str, held: Held, portion: HeldPortion, now: int) -> bool:
        """Whether a nation may know that a portion is there for it: its information is inside, or
        it has got it, or for some kind of reader nobody but itself withholds it.
        """
        ours = nation == held.originator or nation in portion.facts.contributors
        got = any(who == nation and mask >> portion.index & 1 for who, mask in held.released)
        if ours or got:
            return True
        holdings, consents = self._state.holdings, self._state.standing.consents
        if held.recalled or not may_go(held, portion, nation, holdings, consents, now):
            return False
        gateway = self.gateway(nation, portion.facts.communities)
        return any(
            all(v.outcome is Outcome.RELEASE or v.owner == nation for v in ruling.verdicts)
            for purpose in self._state.standing.directory.terms.purposes
            for reader in (gateway, replace(gateway, kind="Analyst"))
            for ruling in (self.ask(reader, held.identity, held.created, portion, purpose, now),)
        )

    def visible(
        self, recipient: Recipient, held: Held, purpose: str, keeps: frozenset[str] = NOTHING
    ) -> Visible | None:
        """What this reader may have of a report at this very moment with a client that keeps these
        duties; None if nothing.
        """
        now = self._state.now()
        stamp = (self._state.version, now)
        if stamp != self._known_at or len(self._known) >= REMEMBERED:
            self._known, self._known_at = {}, stamp
        key = (held.position, recipient, purpose, keeps)
        try:
            return self._known[key]
        except KeyError:
            found = self._known[key] = self.look(recipient, held, purpose, now, keeps)
            return found

    def beyond(
        self, recipient: Recipient, held: Held, purpose: str, keeps: frozenset[str]
    ) -> Visible | None:
        """All that this reader may have, if its client keeps too few duties for some of it."""
        duties = held.duties(recipient.nation)
        if duties <= keeps:
            return None
        found = self.visible(recipient, held, purpose, keeps | duties)
        return None if found is None or found.duties(recipient.nation) <= keeps else found

    def look(
        self,
        recipient: Recipient,
        held: Held,
        purpose: str,
        now: int,
        keeps: frozenset[str] = NOTHING,
    ) -> Visible | None:
        """The same, asked anew; for a report that may not be accepted yet."""
        if held.recalled:
            return None
        holdings, consents = self._state.holdings, self._state.standing.consents
        portions, rulings = [], []
        for portion in held.portions:
            nation = recipient.nation
            if not held.names(nation, portion) or not portion.duties(nation) <= keeps:
                continue
            if held.erased >> portion.index & 1:
                continue
            if portion.expires is not None and portion.expires <= now:
                continue
            if not may_go(held, portion, recipient.nation, holdings, consents, now):
                continue
            ruling = self.ask(recipient, held.identity, held.created, portion, purpose, now)
            if ruling.outcome is Outcome.RELEASE:
                portions.append(portion)
                rulings.append(ruling)
        if not portions:
            return None
        return Visible(
            held=held,
            portions=tuple(portions),
            rulings=tuple(rulings),
            mask=sum(1 << portion.index for portion in portions),
            use=use_of(portions, recipient.nation),
            size=sum(portion.size for portion in portions),
            lane=min(portion.urgency for portion in portions),
        )


def use_of(portions: Iterable[HeldPortion], nation: str) -> Use:
    """To keep only if all of it may be kept."""
    shown = any(DISPLAY in portion.duties(nation) for portion in portions)
    return "display" if shown else "release"
