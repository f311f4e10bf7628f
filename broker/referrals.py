"""The queue of a nation's disclosure officers: the cases that a layer refers to them.

What a nation finds here depends on its own layers, and on those of the mission, alone; whether
another nation withholds as well is not its business. Only what is to come in (`accept`) waits until
everybody else has agreed: before that the recipient's officers do not learn that there is anything.

A case leaves the queue when enough officers have agreed, or when one of them has said no to what is
asked now. It comes back if the approvals end, or if another rule or another text refers it.
"""

import asyncio
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from broker import audit
from broker.answers import Referral, ReferralPage, RuleSays
from broker.approvals import MISSION_LAYERS, Word, agreed, referred
from broker.consequences import speaks_in
from broker.cursors import CursorSeal
from broker.deciding import Deciding
from broker.held import Held, HeldPortion
from broker.journal import Entry, Journal, Record
from broker.lineage import may_go, stored_label
from broker.policybook import Ruling
from broker.sequencer import Act, Moment, Sequencer
from broker.state import State
from policies.decide import Outcome
from policies.facts import Recipient
from policies.verdicts import LayerVerdict
from wire.banner import banner
from wire.errors import NotAllowed
from wire.members import Member

SCAN: Final = 64
"""Reports looked at before other tasks get their turn: each is decided for several readers."""


@dataclass(frozen=True, slots=True)
class Found:
    """One case, as it is decided now: for whichever reader of the nation more rules refer it."""

    held: Held
    portion: HeldPortion
    to: str
    layer: LayerVerdict
    rules: frozenset[str]
    signed: int


class ReadAct(Act[None]):
    """Journals that an officer reads the queue, before it is read."""

    def __init__(self, viewer: Member, limit: int) -> None:
        self._viewer, self._limit = viewer, limit

    def plan(self, moment: Moment) -> Sequence[Record]:
        """One entry."""
        del moment
        return (Record(audit.queue_read(self._viewer.nation, self._viewer.kid, self._limit)),)

    def settle(self, entries: Sequence[Entry]) -> None:
        """Nothing follows."""
        del entries


class Referrals:
    """Finds what waits for a nation's officers."""

    def __init__(
        self, state: State, deciding: Deciding, journal: Journal, sequencer: Sequencer
    ) -> None:
        self._state, self._deciding = state, deciding
        self._journal, self._sequencer = journal, sequencer

    async def page(
        self, viewer: Member, seal: CursorSeal, cursor: str | None, limit: int
    ) -> ReferralPage:
        """The cases that wait, oldest report first, all of a report together; the reading is
        journalled first.

        Raises `NotAllowed` ("not-allowed") for who is no officer, `Malformed` ("bad-cursor").
        """
        if viewer.kind != "officer":
            raise NotAllowed("not-allowed", "officers decide what is referred")
        position = -1 if cursor is None else seal.open(cursor)
        await self._sequencer.do(ReadAct(viewer, limit))
        self._state.member(viewer.kid, self._journal.size)  # it may have been revoked meanwhile
        found, last, more = list[Found](), position, False
        for looked, held in enumerate(self._reports(viewer.nation, position), 1):
            cases = list(self._cases(viewer.nation, held))
            if found and cases and len(found) + len(cases) > limit:
                more = True
                break
            found, last = found + cases, held.position
            if looked % SCAN == 0:
                await asyncio.sleep(0)
        return ReferralPage(await self._shown(found), seal.seal(last), more)

    # -- finding

    def _reports(self, nation: str, after: int) -> list[Held]:
        """The reports in whose layers the nation may have a say, in the order of acceptance."""
        if not self._asks_officers(nation):
            return []
        holdings = self._state.holdings
        named = (offer.held for offer in holdings.lanes(nation).all)
        found = {held.position: held for held in (*named, *holdings.drawn_from(nation))}
        return [found[position] for position in sorted(found) if position > after]

    def _asks_officers(self, nation: str) -> bool:
        layers = self._state.policies.book.layers.values()
        ours = (at for at in layers if at.owner == nation or at.kind in MISSION_LAYERS)
        return any(layer.reads_approvals for layer in ours)

    def _cases(self, nation: str, held: Held) -> Iterator[Found]:
        now, holdings = self._state.now(), self._state.holdings
        consents = self._state.standing.consents
        if held.recalled:
            return
        for portion in held.portions:
            if portion.expires is not None and portion.expires <= now:
                continue
            for to in sorted(portion.recipients.union(held.added)):
                if may_go(held, portion, to, holdings, consents, now):
                    yield from self._asked(nation, held, portion, to)

    def _asked(self, nation: str, held: Held, portion: HeldPortion, to: str) -> Iterator[Found]:
        """The nation's own cases about one portion and one recipient nation, one a layer."""
        now, standing = self._state.now(), self._state.standing
        waiting: dict[tuple[str, str], tuple[LayerVerdict, frozenset[str]]] = {}
        for reader, purpose in self._readers(to, portion):
            first = self._deciding.unaided(reader, held.created, portion, purpose, now)
            for layer, rules in referred(first).items():
                ours = layer.kind in MISSION_LAYERS or layer.owner == nation
                if not ours or not speaks_in(layer.kind, nation, to, held, portion):
                    continue
                if layer.kind == "accept" and not self._others_agree(
                    reader, held, portion, purpose
                ):
                    continue
                worst, more = waiting.get((layer.kind, layer.owner), (layer, rules))
                if worst.approvals_needed < layer.approvals_needed:
                    worst = layer
                waiting[layer.kind, layer.owner] = worst, more | rules
        words = standing.approvals.get((held.identity, portion.commitment, to), ())
        for layer, rules in waiting.values():
            signed = agreed(layer, rules, words, lambda who: standing.officers(who, now), now)
            if signed < layer.approvals_needed and not _said_no(words, nation, layer, rules, now):
                yield Found(held, portion, to, layer, rules, signed)

    def _readers(self, to: str, portion: HeldPortion) -> Iterator[tuple[Recipient, str]]:
        """Every kind of reader of a nation, with every purpose that it may give."""
        gateway = self._deciding.gateway(to, portion.facts.communities)
        for purpose in self._state.standing.directory.terms.purposes:
            yield gateway, purpose
            yield replace(gateway, kind="Analyst"), purpose

    def _others_agree(
        self, reader: Recipient, held: Held, portion: HeldPortion, purpose: str
    ) -> bool:
        """Whether every layer but what the reader's nation takes in releases it by now."""
        ruling: Ruling = self._deciding.ask(
            reader, held.identity, held.created, portion, purpose, self._state.now()
        )
        others = (verdict for verdict in ruling.verdicts if verdict.kind != "accept")
        return all(verdict.outcome is Outcome.RELEASE for verdict in others)

    # -- showing

    async def _shown(self, found: Sequence[Found]) -> tuple[Referral, ...]:
        """The cases in words: what they are about, by its banner, and what refers them."""
        positions = json.dumps(sorted({case.held.position for case in found}))
        raws = dict(await self._journal.rows("reports_at", (positions,))) if found else {}
        banners = {
            (held.identity, portion.commitment): self._banner(held, portion, raws[held.position])
            for held, portion in {(case.held, case.portion): None for case in found}
        }
        return tuple(
            Referral(
                layer=case.layer.kind,
                owner=case.layer.owner,
                report=case.held.identity,
                portion=case.portion.commitment,
                banner=banners[case.held.identity, case.portion.commitment],
                originator=case.held.originator,
                to=case.to,
                accepted=case.held.accepted,
                text=case.layer.digest,
                rules=tuple(self._says(case)),
                needed=case.layer.approvals_needed,
                signed=case.signed,
            )
            for case in found
        )

    def _banner(self, held: Held, portion: HeldPortion, raw: bytes) -> str:
        label = stored_label(raw, portion.commitment)
        directory = self._state.standing.directory
        return banner(label, held.originator, directory.mission, directory.terms)

    def _says(self, case: Found) -> Iterator[RuleSays]:
        layer = self._state.policies.book.layers.get((case.layer.kind, case.layer.owner))
        says = {rule.id: rule.says for rule in layer.rules} if layer else {}
        for rule in sorted(case.rules):
            yield RuleSays(id=rule, says=says.get(rule, ""))


def _said_no(
    words: Iterable[Word], nation: str, layer: LayerVerdict, rules: frozenset[str], now: int
) -> bool:
    """Whether the nation's last word on this layer is a no to what is asked now."""
    last = None
    for word in words:
        if word.nation == nation and word.layer == layer.kind:
            last = word
    return (
        last is not None
        and last.verdict == "reject"
        and now < last.expires
        and last.is_for(layer, rules)
    )
