"""What is previewed is what happens: the same nations, and those alone, can read the report.

Random labels, random policies of all nations, and missions that differ in who is accredited, who
is in a coalition and who has adopted anything. First the decisions, then, on a sample, the bytes.
"""

import json
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from broker.answers import Withheld
from broker.deciding import Deciding
from broker.held import Held
from broker.matching import Filter
from broker.policybook import FOREVER, Policies
from broker.preview import LABELS_LIMIT, preview, rulings
from broker.sequencer import BatchClock
from broker.standing import Standing
from broker.state import State
from clients import standard
from policies.decide import Outcome, PolicyBook
from tests.broker.house import House
from tests.coalition import Coalition
from tests.policies.generated import (
    CAVEATS,
    COMMUNITIES,
    LEVELS,
    PLACES,
    THREATS,
    layer_text,
)
from tests.policies.test_differential import model
from tests.policies.world import MISSION, NATIONS, library
from wire import report
from wire.directory import Directory
from wire.errors import NotAllowed
from wire.labels import Label, Source
from wire.report import PortionFrame, PortionLabel, Protected

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

TRIPLES = 100_000
BATCHES = 391  # of one set of policies
OPENINGS = 500
REPORTS = 200
MEMBERSHIPS: tuple[tuple[dict[str, str], tuple[str, ...], tuple[str, ...]], ...] = (
    ({}, ("KEN", "SEN"), NATIONS),
    ({"SEN": "RESTRICTED", "BGD": "TOP SECRET"}, ("BGD",), NATIONS),
    ({"GBR": "CONFIDENTIAL"}, ("KEN", "SEN"), ("KEN", "GBR", "FRA")),
    ({"FRA": "TOP SECRET"}, ("FRA",), ("KEN", "FRA", "SEN", "BGD")),
)
"""Clearances, who is in the coalition, and who has adopted a policy."""


def registry(coalition: tuple[str, ...], version: int) -> dict[str, Any]:
    """The words in which random policies are written, with this coalition."""
    areas = [("mission:liptako", "Liptako-Gourma", "011")]
    made = standard.registry(areas=areas, groups=[("AFRICAN", coalition)], version=version)
    return made.model_dump(mode="json")


@cache
def member_state(membership: int) -> Standing:
    """The standing of a mission with this membership, before any random policy."""
    clearances, coalition, _ = MEMBERSHIPS[membership]
    world = Coalition.of(*NATIONS, mission=MISSION, clearance=clearances)
    world.together.says("registry.publish", {"registry": registry(coalition, 2)})
    found = Standing(Directory(world.mission, world.directory.pinned_charter))
    for filed in world.history:
        found = found.after(filed.statement, filed.position, filed.time)
    return found


def state_of(random: Random, membership: int) -> tuple[State, PolicyBook]:
    """A broker's state in which every nation that takes part has adopted something random."""
    standing, adopted = member_state(membership), MEMBERSHIPS[membership][2]
    terms = standing.directory.terms
    book = PolicyBook.empty(terms)
    book = book.with_layer("handle", "COALITION", library("coalition-baseline"))
    book = book.with_layer("carry", MISSION, library("mission-carry"))
    for nation in adopted:
        for kind in ("release", "accept"):
            text = layer_text(random, kind, nation, random.choice([2, 4, 8]))
            permit = f'@id("{nation}/all") permit (principal, action == Action::"{kind}", resource)'
            more = random.choice(["", f"{permit};", f"{permit} when {{ context.approvals >= 1 }};"])
            book = book.with_layer(kind, nation, text + more)
    policies = Policies(book, {}, {}, FOREVER, {})
    state = State(replace(standing, policies=policies), BatchClock(lambda: 1_780_000_100.0))
    for nation in NATIONS:
        state.holdings.add(source_of(state, nation))
    return state, book


def source_of(state: State, nation: str) -> Held:
    """A report of this nation that all have got: something to derive from."""
    identity = Random(nation).randbytes(32).hex()
    held = held_of(state, identity, nation, source_label(nation), 10 + NATIONS.index(nation))
    held.released.update({(other, 1): 100 for other in NATIONS})
    return held


def source_label(nation: str) -> Label:
    """The lowest and widest there is: whatever is derived from it, it allows."""
    lists = {"release_to": sorted(NATIONS), "display_to": [], "caveats": [], "communities": []}
    lowest = {"classification": LEVELS[0], "derive": "within_release"}
    fields = {**_label(Random(nation), nation, NATIONS, ()), **lists, **lowest}
    return Label.model_validate_json(json.dumps(fields))


def held_of(state: State, identity: str, nation: str, label: Label, position: int) -> Held:
    """A report as the broker holds it, but for its ciphertext."""
    nothing = Protected(salt=identity, derived_from=(), consents=())
    frame = PortionFrame(0, identity.encode(), b"", (), b"", {}, b"")
    full = PortionLabel.model_construct(**dict(label), attachments=())
    terms, now = state.standing.directory.terms, state.now()
    portion = state.holdings.portion(frame, full, nothing, nation, terms)
    return Held(position, now, identity, identity[:32], nation, now, (portion,))


def _label(
    random: Random, originator: str, nations: tuple[str, ...], sources: tuple[Source, ...]
) -> dict[str, Any]:
    some = random.sample
    others = [nation for nation in nations if nation != originator]
    released = some(others, random.randint(0, len(others)))
    displayed = [n for n in others if n not in released and random.random() < 0.3]
    drawn = some(sources, min(len(sources), random.choice([0, 0, 0, 1, 2])))
    return {
        "classification": random.choice([*LEVELS, *LEVELS[:2], *LEVELS[:2]]),
        "release_to": sorted({originator, *released}),
        "display_to": sorted(displayed),
        "caveats": sorted(some(CAVEATS, random.choice([0, 0, 0, 1]))),
        "communities": sorted(some(COMMUNITIES, random.choice([0, 0, 0, 1]))),
        "regions": sorted(some(PLACES, random.choice([1, 1, 2]))),
        "threats": sorted(some(THREATS, random.choice([1, 1, 2]))),
        "precedence": random.choice(["FLASH", "ROUTINE"]),
        "occurred": 1_780_000_000,
        "obligations": [],
        "onward": "none",
        "derive": random.choice(["consent", "within_release"]),
        "derived_from": sorted(
            (s.model_dump(mode="json") for s in drawn), key=lambda s: (s["report"], s["portion"])
        ),
        "consents": [],
        "exercise": False,
    }


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_previewed_audience_is_the_actual_one() -> None:
    """On a part of them our own evaluation of all formulas is asked as well, without any cache."""
    seen = Counter[Outcome]()
    for number in range(-(-TRIPLES // (BATCHES * LABELS_LIMIT))):
        random = Random(number)
        state, book = state_of(random, number % len(MEMBERSHIPS))
        deciding = Deciding(state)
        for batch in range(BATCHES):
            nation, labels = labels_of(random, state)
            if batch % 25 == 0:  # with all its explanations
                explained(state, deciding, nation, labels)
            for label in labels:
                seen.update(compared(random, state, deciding, book, nation, label))
    assert min(seen[outcome] for outcome in Outcome) > TRIPLES // 100, seen


def labels_of(random: Random, state: State) -> tuple[str, list[Label]]:
    """Labels of one preview, and whose it is."""
    nation = random.choice(NATIONS)
    sources = tuple(
        Source(report=held.identity, portion=held.portions[0].commitment) for held in state.holdings
    )
    texts = (json.dumps(_label(random, nation, NATIONS, sources)) for _ in range(LABELS_LIMIT))
    return nation, [Label.model_validate_json(text) for text in texts]


def explained(state: State, deciding: Deciding, nation: str, labels: list[Label]) -> None:
    """The preview that is sent says the outcomes that are compared below."""
    members = state.standing.directory.members.values()
    viewer = next(m for m in members if m.nation == nation and m.kind == "system")
    sources = {
        Source(report=held.identity, portion=held.portions[0].commitment): source_label(
            held.originator
        )
        for held in state.holdings
    }
    told = preview(state, deciding, viewer, labels, sources)
    for label, portion in zip(labels, told.portions, strict=True):
        found = rulings(state, deciding, nation, label)
        said = {code: answer.outcome for code, answer in portion.nations.items()}
        assert said == {code: ruling.outcome.name for code, ruling in found.items()}


def compared(
    random: Random,
    state: State,
    deciding: Deciding,
    book: PolicyBook,
    nation: str,
    label: Label,
) -> list[Outcome]:
    """Ask for a report with this label as every nation would; gives what was previewed."""
    purpose, now = deciding.purpose(None), state.now()
    held = held_of(state, random.randbytes(32).hex(), nation, label, 1_000)
    previewed = rulings(state, deciding, nation, label)
    assert previewed.keys() == label.recipients | {nation}
    (part,) = held.portions
    for code, ruling in previewed.items():
        gateway = deciding.gateway(code, part.facts.communities)
        actual = deciding.look(gateway, held, purpose, now, held.duties(code))
        assert (ruling.outcome is Outcome.RELEASE) is (actual is not None), (label, code)
        if random.random() < 0.01:
            asked = (gateway, part.facts, ruling.decision.circumstances)
            assert model(book, asked) is ruling.outcome
    return [ruling.outcome for ruling in previewed.values()]


# -- the bytes


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_the_previewed_audience_can_decrypt_and_nobody_else_gets_a_byte(
    tmp_path: Path,
) -> None:
    nations, random, seen = ("KEN", "GBR", "FRA"), Random(9), Counter[str]()
    async with House.of(*nations, folder=tmp_path, drain_seconds=0.1) as house:
        for number in range(REPORTS):
            if number % 20 == 0:
                await adopt(house, random)
            await one_report(house, random, seen)
    assert seen.total() >= OPENINGS, seen
    assert set(seen) == {"RELEASE", "REFER", "WITHHOLD"}


async def adopt(house: House, random: Random) -> None:
    """Every nation adopts something random."""
    for code in ("KEN", "GBR", "FRA"):
        texts = {kind: simple(random, kind, code) for kind in ("release", "accept")}
        await house.files(house[code].adopts(texts["release"], texts["accept"]))


def simple(random: Random, kind: str, code: str) -> str:
    """A layer that grants, refers or refuses by level, place and officers."""
    level, place = random.choice(LEVELS[:4]), random.choice(["KE", "014", "SO"])
    grant = random.choice([f'resource in UpTo::"{level}"', "resource"])
    who = f'principal, action == Action::"{kind}"'
    forms = (
        f"permit ({who}, {grant});",
        f'permit ({who}, resource in Within::"{place}") when {{ context.approvals >= 1 }};',
        f'forbid ({who}, resource in Touching::"{place}") unless {{ context.approvals >= 1 }};',
    )
    chosen = random.sample(forms, random.choice([1, 2, 3]))
    return "\n".join(
        f'@id("{code}/{kind}{n}")\n@says("A rule.")\n{form}' for n, form in enumerate(chosen)
    )


async def one_report(house: House, random: Random, seen: Counter[str]) -> None:
    """Preview, post and read one report; count what every nation on its list got."""
    nation = random.choice(["KEN", "GBR", "FRA"])
    others = [code for code in ("KEN", "GBR", "FRA") if code != nation]
    author, level = house[nation], random.choice(LEVELS[:4])
    where: dict[str, Any] = {"regions": [random.choice(["KE", "SO", "ML"])]}
    to = random.sample(others, random.choice([1, 2, 2]))
    label = Label.model_validate_json(json.dumps(author.label(level, to, **where)))
    told = await house.broker.preview(house.member(author.system), [label])
    previewed = {code: answer.outcome for code, answer in told.portions[0].nations.items()}
    raw = author.seals("What happened.", level, release_to=to, **where)
    seen.update(previewed.values())
    if "WITHHOLD" in previewed.values():
        with pytest.raises(Withheld):
            await house.submits(raw)
        return
    identity = (await house.submits(raw)).report
    for code, outcome in previewed.items():
        reader = house[code].system
        pulled = await house.broker.pull(house.member(reader), Filter(), None, 1_000)
        got = {report.parse(release.report).identity for release in pulled.releases}
        if outcome == "RELEASE":
            release = await house.fetches(reader, identity)
            position = house.broker._state.holdings.by_identity(identity)
            assert position is not None
            house.world.accepted[identity] = (position.position, position.accepted)
            opened = house[code].opens_as(reader, release.report)
            assert [p.body for p in opened.portions] == ["What happened."]
            assert identity in got
        else:
            with pytest.raises(NotAllowed, match="not-found"):
                await house.fetches(reader, identity)
            assert identity not in got
