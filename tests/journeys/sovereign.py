"""Nations with rules of their own, reports of all kinds, and one nation that wants more of them.

What is drawn here is played in a real broker; who sees what is asked as its readers ask it.
"""

import asyncio
import hashlib
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import strategies as st

from broker import adoption
from broker.held import Held, HeldPortion
from broker.matching import Filter
from broker.policybook import Ruling
from policies.decide import Outcome
from policies.facts import Circumstances, Recipient
from tests.broker.house import House
from tests.coalition import Portion
from tests.people import Person
from wire.errors import TearlineError
from wire.labels import DISPLAY
from wire.report import parse

NATIONS = ("KEN", "GBR", "FRA")
PURPOSES = ("FORCE PROTECTION", "LAW ENFORCEMENT")

RULES: Mapping[str, tuple[str, ...]] = {
    "release": (
        'permit (principal, action == Action::"release", resource);',
        'permit (principal, action == Action::"release", resource in UpTo::"RESTRICTED");',
        (
            'permit (principal, action == Action::"release", resource in UpTo::"SECRET")'
            ' when { principal in [Nation::"GBR", Nation::"KEN"] };'
        ),
        'permit (principal, action == Action::"release", resource in Within::"014");',
        (
            'permit (principal, action == Action::"release", resource in UpTo::"SECRET")'
            " when { context.approvals >= 1 };"
        ),
        (
            'forbid (principal, action == Action::"release", resource in Touching::"ML")'
            ' unless { principal in Nation::"FRA" || context.approvals >= 1 };'
        ),
        (
            'forbid (principal, action == Action::"release",'
            ' resource in Caveat::"SOURCE SENSITIVE") unless { context.approvals >= 1 };'
        ),
        'forbid (principal is Analyst, action == Action::"release", resource in Caveat::"HUMINT");',
        (
            'forbid (principal, action == Action::"release", resource in Touching::"KE")'
            ' unless { context.age >= duration("6h") || resource in Precedence::"FLASH" };'
        ),
    ),
    "accept": (
        'permit (principal in Nation::"{n}", action == Action::"accept", resource);',
        (
            'permit (principal in Nation::"{n}", action == Action::"accept",'
            ' resource in UpTo::"RESTRICTED");'
        ),
        (
            'permit (principal in Nation::"{n}", action == Action::"accept",'
            ' resource in Within::"014");'
        ),
        (
            'forbid (principal is Analyst, action == Action::"accept",'
            ' resource in Caveat::"PERSONAL DATA");'
        ),
        (
            'forbid (principal, action == Action::"accept", resource)'
            ' when { context.purpose == Purpose::"LAW ENFORCEMENT" };'
        ),
        (
            'forbid (principal, action == Action::"accept", resource in Caveat::"HUMINT")'
            " unless { context.approvals >= 1 };"
        ),
    ),
}
"""What nations write, after the rules that stand ready in `policies/library`."""

GREEDY: Mapping[str, tuple[str, ...]] = {
    "release": (
        'permit (principal, action == Action::"release", resource);',
        "permit (principal, action, resource);",
        'permit (principal, action == Action::"accept", resource);',
    ),
    "accept": (
        'permit (principal in Nation::"{n}", action == Action::"accept", resource);',
        'permit (principal, action == Action::"accept", resource);',
        'permit (principal, action in [Action::"release", Action::"accept"], resource);',
    ),
}
"""What somebody may try who wants everything; the first one is always possible."""


@dataclass(frozen=True)
class Label:
    """A portion's label, as it is drawn."""

    classification: str
    release_to: frozenset[str]
    display_to: frozenset[str]
    regions: frozenset[str]
    caveats: frozenset[str]
    precedence: str

    def fields(self, originator: str) -> dict[str, Any]:
        return {
            "classification": self.classification,
            "release_to": sorted(self.release_to),
            "display_to": sorted(self.display_to - self.release_to - {originator}),
            "regions": sorted(self.regions),
            "caveats": sorted(self.caveats),
            "precedence": self.precedence,
        }


@dataclass(frozen=True)
class Plan:
    """Everything that is drawn for one mission."""

    reports: tuple[tuple[str, tuple[Label, ...]], ...]
    rules: Mapping[tuple[str, str], tuple[str, ...]]
    approved: tuple[int, ...]
    """Which of all (report, portion, nation) an officer of the originator has approved."""
    greedy: str
    wants: Mapping[str, str]
    cases: tuple[int, ...]
    """Which of all that is held the greedy nation's officers approve; empty means all."""


def nations(least: int = 0) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(NATIONS), min_size=least)


LABELS = st.builds(
    Label,
    st.sampled_from(["UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET"]),
    nations(1),
    nations(),
    st.frozensets(st.sampled_from(["KE", "SO", "ML", "FR", "014"]), min_size=1, max_size=2),
    st.frozensets(st.sampled_from(["SOURCE SENSITIVE", "PERSONAL DATA", "HUMINT"]), max_size=2),
    st.sampled_from(["FLASH", "ROUTINE"]),
)


def layer(kind: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(RULES[kind]), max_size=4, unique=True).map(tuple)


def plans(reports: int, cases: st.SearchStrategy[tuple[int, ...]]) -> st.SearchStrategy[Plan]:
    """Missions with so many reports at most."""
    portions = st.lists(LABELS, min_size=1, max_size=3).map(tuple)
    return st.builds(
        Plan,
        st.lists(st.tuples(st.sampled_from(NATIONS), portions), min_size=2, max_size=reports).map(
            tuple
        ),
        st.fixed_dictionaries({(n, k): layer(k) for n in NATIONS for k in RULES}),
        st.lists(NUMBERS, max_size=4).map(tuple),
        st.sampled_from(NATIONS),
        st.fixed_dictionaries({k: st.sampled_from(texts) for k, texts in GREEDY.items()}),
        cases,
    )


NUMBERS = st.integers(0, 40)
SOME_PLANS = plans(3, st.tuples(NUMBERS, NUMBERS))
ALL_PLANS = plans(5, st.just(()))

Item = tuple[str, int]
"""A portion: identity of its report, and its index."""
Reader = tuple[str, str, str]
"""Nation, name and purpose."""


def text(nation: str, kind: str, rules: Iterable[str]) -> str:
    """A layer's text; without any rule it grants nothing, but says so."""
    never = f'forbid (principal, action == Action::"{kind}", resource);'
    return "\n".join(
        f'@id("{nation}/{kind}-{number}") @says("A rule.")\n{rule.replace("{n}", nation)}'
        for number, rule in enumerate(list(rules) or [never])
    )


@dataclass
class Mission:
    """A plan as it is played."""

    house: House
    plan: Plan
    originators: dict[str, str] = field(default_factory=dict)

    async def begins(self) -> None:
        """Everybody reports while all permit all; then the nations adopt their rules."""
        for nation, labels in self.plan.reports:
            await self.reports(nation, labels)
        for nation in NATIONS:
            await self.adopts(nation, *(self.plan.rules[nation, kind] for kind in RULES))
        cases = list(self.cases())
        for number in self.plan.approved:
            held, commitment, to = cases[number % len(cases)]
            await self.approves(held.originator, "release", held.identity, commitment, to)

    async def reports(self, nation: str, labels: tuple[Label, ...]) -> None:
        first, *others = (label.fields(nation) for label in labels)
        rest = [
            Portion(
                "More.",
                fields.pop("classification"),
                fields.pop("release_to"),
                fields.pop("display_to"),
                fields,
            )
            for fields in others
        ]
        raw = self.house[nation].seals("News.", portions=rest, **first)
        receipt = await self.house.submits(raw)
        self.originators[receipt.report] = nation

    async def adopts(self, nation: str, release: Iterable[str], accept: Iterable[str]) -> None:
        texts = text(nation, "release", release), text(nation, "accept", accept)
        await self.house.files(self.house[nation].adopts(*texts))

    async def approves(self, nation: str, layer: str, *case: str) -> bool:
        """An officer of a nation signs a case; says whether the broker took it."""
        statement = self.house[nation].drafts("approval", self.yes(nation, layer, *case))
        try:
            await self.house.broker.publish(statement.raw)
        except TearlineError:
            return False
        self.house.world.applies(statement)
        return True

    def yes(self, nation: str, layer: str, report: str, portion: str, to: str) -> dict[str, Any]:
        """An approval of a case for every rule that the nation's layer has."""
        text = self.house[nation].layer_text(layer)
        return {
            "verdict": "approve",
            "layer": layer,
            "report": report,
            "portion": portion,
            "to": to,
            "text": hashlib.sha256(text.encode()).hexdigest(),
            "rules": sorted(re.findall(r'@id\("([^"]+)"\)', text)),
            "emergency": False,
            "reason": "",
            "expires": self.house.world.clock.now + 3_600,
        }

    async def wants_all(self) -> None:
        """The greedy nation permits everything, and its officers approve everything."""
        nation, wants = self.plan.greedy, dict(self.plan.wants)
        try:
            await self.rewrites(nation, wants)
        except TearlineError:  # no such text can be adopted; then what can be
            await self.rewrites(nation, {kind: texts[0] for kind, texts in GREEDY.items()})
        cases = [case for case in self.cases() if case[0].originator != nation]
        some = [cases[number % len(cases)] for number in self.plan.cases if cases]
        for held, commitment, to in some if self.plan.cases else cases:
            for layer in ("handle", "release", "carry", "accept"):
                await self.approves(nation, layer, held.identity, commitment, to)
            await self.forges_approval(nation, held, commitment, to)

    async def rewrites(self, nation: str, wants: Mapping[str, str]) -> None:
        texts = [text(nation, kind, [wants[kind]]) for kind in RULES]
        ours = self.house[nation]
        statement = ours.drafts("policy.publish", ours.policy_body(*texts))
        await self.house.broker.publish(statement.raw)
        self.house.world.applies(statement)

    async def forges_approval(self, nation: str, held: Held, commitment: str, to: str) -> None:
        """The greedy nation's officer signs in the chain of the originator."""
        body = self.yes(held.originator, "release", held.identity, commitment, to)
        by = [self.house[nation].officer.sign]
        forged = self.house[held.originator].drafts("approval", body, by=by)
        try:
            await self.house.broker.publish(forged.raw)
        except TearlineError:
            return
        raise AssertionError("an approval was forged")

    def cases(self) -> Iterable[tuple[Held, str, str]]:
        """(report, commitment of the portion, nation) of everything that is held."""
        for identity in self.originators:
            held = self.house.broker._state.holdings.by_identity(identity)
            assert held is not None
            for portion in held.portions:
                for nation in sorted(portion.recipients):
                    yield held, portion.commitment, nation

    # -- who sees what

    def readers(self) -> Iterable[tuple[Reader, Person]]:
        for nation in NATIONS:
            for name in ("analyst", "system"):
                for purpose in PURPOSES:
                    yield (nation, name, purpose), getattr(self.house[nation], name)

    async def visible(self) -> dict[Reader, frozenset[Item]]:
        """What every reader of every nation gets when it asks for all."""
        return {reader: await self._pulled(reader, who) for reader, who in self.readers()}

    async def _pulled(self, reader: Reader, who: Person) -> frozenset[Item]:
        wanted, member = Filter(purpose=reader[2]), self.house.member(who)
        page = await self.house.broker.pull(member, wanted, None, 100, frozenset({DISPLAY}))
        assert not page.more
        frames = [parse(release.report) for release in page.releases]
        return frozenset((f.identity, p.index) for f in frames for p in f.portions)

    def agreed(self, but: str) -> dict[Reader, frozenset[Item]]:
        """What every layer agrees to for each reader, leaving out one kind of layer."""
        return {reader: frozenset(self._agreed(reader, who, but)) for reader, who in self.readers()}

    def accepted(self) -> dict[Reader, frozenset[Item]]:
        """What each reader's own nation would take in."""
        only = {"release", "handle", "carry"}
        return {
            reader: frozenset(self._agreed(reader, who, *only)) for reader, who in self.readers()
        }

    def _agreed(self, reader: Reader, who: Person, *but: str) -> Iterable[Item]:
        broker = self.house.broker
        recipient = broker._deciding.recipient(self.house.member(who))
        for identity in self.originators:
            held = broker._state.holdings.by_identity(identity)
            assert held is not None
            for portion in held.portions:
                ruling = self._ruled(recipient, held, portion, reader[2])
                asked = [v.outcome for v in ruling.verdicts if v.kind not in but]
                if all(outcome is Outcome.RELEASE for outcome in asked):
                    yield identity, portion.index

    def _ruled(
        self, recipient: Recipient, held: Held, portion: HeldPortion, purpose: str
    ) -> Ruling:
        """What each layer says, its officers' approvals counted, whatever the others say."""
        deciding, now = self.house.broker._deciding, self.house.broker.now()
        first = deciding.unaided(recipient, held.created, portion, purpose, now)
        case = (held.identity, portion.commitment, recipient.nation)
        approvals = self.house.broker._state.standing.counted(case, first, now)
        moment = Circumstances(now, now - held.created, purpose, approvals)
        return deciding.rule(recipient, portion.facts, moment)

    def of_others(self, items: Iterable[Item], nation: str) -> frozenset[Item]:
        """Those that belong to others than this nation."""
        return frozenset(i for i in items if self.originators[i[0]] != nation)


def played(plan: Plan, check: Any) -> None:
    """Play a plan in a broker of its own; `check` is called once it has begun."""

    async def proven(_adoption: object, _signatures: int) -> None:
        """A child process for every policy takes too long here."""

    async def play() -> None:
        with tempfile.TemporaryDirectory() as folder, patch.object(adoption, "check", proven):
            async with House.of(*NATIONS, folder=Path(folder)) as house:
                mission = Mission(house, plan)
                await mission.begins()
                await check(mission)

    asyncio.run(play())
