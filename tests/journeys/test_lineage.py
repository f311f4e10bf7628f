"""No derived report ever reaches a nation that something behind it does not let it reach.

Random graphs, six reports deep, while their originators recall, consent and take consents back in
between. What every nation may pull is compared with a plain model after every step; so is whether
the broker takes the next report. Any of the sources may be protected: the model does not know of
that, and no reader is told. The policies permit all that labels permit.
"""

import asyncio
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from tests.broker.house import House
from tests.journeys.lineage_model import DEPTH, NATIONS, Consent, Made, added, audience
from wire import report
from wire.errors import TearlineError
from wire.statements import Statement

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]
RANDOM: dict[str, Any] = {
    "phases": (Phase.explicit, Phase.generate),  # a broker an example: shrinking takes hours
    "suppress_health_check": QUIET,
    "deadline": None,
}
LIFE = 600  # seconds of a consent
NUMBERS = st.integers(0, 1_000)
SOME = st.frozensets(st.sampled_from(NATIONS))

Step = tuple[Any, ...]
DERIVE = st.tuples(
    st.just("derive"),
    *(NUMBERS, NUMBERS, SOME, SOME),
    st.sampled_from([True, True, True, False]),
    st.integers(0, 15),
)
"""By whom, from which, for whom; whether it is cut down to what its sources let through; which of
them are protected, and whether consents are, as bits.
"""
STEPS = st.lists(
    st.one_of(
        *[DERIVE] * 6,
        *[st.tuples(st.just("consent"), NUMBERS, NUMBERS)] * 2,
        st.tuples(st.sampled_from(["recall", "withdraw", "wait"]), NUMBERS),
    ),
    min_size=12,
    max_size=28,
)
ALL, NOBODY = frozenset(NATIONS), frozenset[str]()
CHAIN: list[Step] = [
    *(("derive", number, 1, ALL, NOBODY, True, 9) for number in (1, 2, 4, 5, 6)),
    *(("consent", number, 0) for number in (0, 2, 3, 4, 5, 6)),
    ("derive", 1, 1, ALL, NOBODY, False, 9),
    ("withdraw", 1),
    ("derive", 2, 1, ALL, NOBODY, True, 0),
    ("wait", 0),
    ("wait", 0),
    ("recall", 3),
    ("derive", 0, 1, ALL, NOBODY, True, 9),
]
"""Six deep and in secret, widened link by link, and then cut in the middle."""


@dataclass
class Played:
    """A graph as it is played in a broker and in the model at once."""

    house: House
    made: list[Made] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)
    statements: dict[int, Statement] = field(default_factory=dict)

    @property
    def now(self) -> int:
        return self.house.world.clock.now

    async def begins(self) -> None:
        for author in NATIONS[:2]:
            await self.derives(author, (), frozenset(NATIONS[:3]), frozenset(NATIONS[3:]))

    async def takes(self, step: Step) -> None:
        match step:
            case ("derive", number, which, released, shown, modest, hidden):
                author = NATIONS[number % len(NATIONS)]
                got = [m for m in reversed(self.made) if author in audience(m, self.now)]
                fits = [m for m in got if m.depth < DEPTH]
                picked = [m for i, m in enumerate(fits) if which >> i % 10 & 1]
                wanted = frozenset(NATIONS)
                for source in picked[:3] if modest else ():
                    wanted &= source.released | added(source, self.now)
                lists = (released & wanted, shown & wanted)
                await self.derives(author, tuple(picked[:3]), *lists, hidden)
            case ("consent", number, which):
                await self.consents(self.made[number % len(self.made)], which)
            case ("recall", number):
                await self.recalls(self.made[number % len(self.made)])
            case ("withdraw", number):
                await self.withdraws(number)
            case _:
                self.house.world.clock.forward(seconds=LIFE // 2)

    async def derives(
        self,
        author: str,
        sources: tuple[Made, ...],
        released: frozenset[str],
        shown: frozenset[str],
        hidden: int = 0,
    ) -> None:
        """Let a nation write; the broker takes it just if the model does."""
        for nation in NATIONS:  # whoever may have the sources, has got them
            await self.pulled(nation)
        released |= {author}
        shown -= released
        made = Made(len(self.made), author, released, shown, sources)
        leaned = [s for source in sources for s in self._leaned_on(source, made)]
        lineages: list[dict[str, Any]] = [
            {
                "derived_from": self._named(
                    s for i, s in enumerate(sources) if hidden >> i & 1 == p
                ),
                "consents": sorted({s.identity for s in leaned if hidden >> 3 == p}),
            }
            for p in (0, 1)
        ]
        raw = self.house[author].seals(
            str(made.number),
            release_to=sorted(released),
            display_to=sorted(shown),
            **lineages[0],
            protected=lineages[1],
        )
        wanted = released | shown
        allowed = (
            audience(made, self.now) == wanted
            and not any(s.recalled for source in sources for s in (source, *source.behind()))
            and all(author in source.released | added(source, self.now) for source in sources)
        )
        if allowed:
            await self.house.submits(raw)
            self.made.append(made)
            self.raws.append(raw)
        else:
            with pytest.raises(TearlineError) as caught:
                await self.house.submits(raw)
            assert caught.value.slug in {"third-party-rule", "bad-lineage"}

    def _named(self, sources: Iterable[Made]) -> list[dict[str, str]]:
        frames = (report.parse(self.raws[source.number]) for source in sources)
        named = [{"report": f.identity, "portion": f.portions[0].commitment} for f in frames]
        return sorted(named, key=lambda source: source["report"])

    def _leaned_on(self, source: Made, made: Made) -> list[Statement]:
        """The consents of a direct source that are needed, and in force."""
        return [
            self.statements[id(consent)]
            for consent in source.consents
            if consent.holds(self.now) and consent.to in made.released | made.shown | {made.author}
        ]

    async def consents(self, made: Made, which: int) -> None:
        others = sorted(frozenset(NATIONS) - made.released - made.shown)
        if not others:
            return
        to = others[which % len(others)]
        expires = self.now + LIFE
        raw = self.raws[made.number]
        statement = self.house[made.author].consents(raw, to, expires=expires)
        await self.house.files(statement)
        consent = Consent(to, expires)
        self.statements[id(consent)] = statement
        made.consents.append(consent)

    async def recalls(self, made: Made) -> None:
        identity = report.parse(self.raws[made.number]).identity
        body = {"report": identity, "reason": "source at risk"}
        await self.house.files(self.house[made.author].says("report.recall", body))
        made.recalled = True

    async def withdraws(self, number: int) -> None:
        given = [(m, c) for m in self.made for c in m.consents if not c.withdrawn]
        if given:
            made, consent = given[number % len(given)]
            nation = self.house[made.author]
            await self.house.files(nation.takes_back(self.statements[id(consent)]))
            consent.withdrawn = True

    async def pulled(self, nation: str) -> frozenset[int]:
        """The reports that a nation's analyst gets, on a display or to keep."""
        numbers = {report.parse(raw).identity: i for i, raw in enumerate(self.raws)}
        found = await self.house.pulls(self.house[nation].analyst, keeps=frozenset({"DISPLAY"}))
        return frozenset(numbers[identity] for identity in found)

    async def agrees(self) -> None:
        for nation in NATIONS:
            may = {m.number for m in self.made if nation in audience(m, self.now)}
            assert await self.pulled(nation) == may, nation


def played(steps: list[Step]) -> int:
    """Play the steps, comparing after each; gives how deep the graph became."""

    async def play() -> int:
        with tempfile.TemporaryDirectory() as folder:
            async with House.of(*NATIONS, folder=Path(folder)) as house:
                graph = Played(house)
                await graph.begins()
                for step in steps:
                    await graph.takes(step)
                    await graph.agrees()
                await house.restarts()
                await graph.agrees()
                return max(made.depth for made in graph.made)

    return asyncio.run(play())


@pytest.mark.long
@pytest.mark.timeout(1_800)
@settings(**RANDOM, max_examples=60)
@given(STEPS)
def test_no_derivation_reaches_beyond_what_is_behind_it(steps: list[Step]) -> None:
    event(f"depth: {played(steps)}")


@pytest.mark.slow
def test_a_chain_of_six_is_cut_in_the_middle() -> None:
    """The worst of them, for sure, and as deep as they get."""
    assert played(CHAIN) == DEPTH
