"""What the analysis says is what Cedar does: nothing more, nothing less."""

import re
from random import Random

import pytest

from clients import standard
from policies.analyse.difference import Change, differences, grows
from policies.analyse.ground import BEFORE, NOW, Variable, allowed
from policies.analyse.mission import Mission, Readings, alone
from policies.analyse.space import Space
from policies.decide import PolicyBook
from policies.formula import (
    AtLeast,
    Cross,
    Empty,
    Equals,
    Flag,
    Formula,
    Holds,
    In,
    Not,
    Scene,
    every,
    holds,
)
from policies.layers import scene
from policies.observe import observe_circumstances, observe_recipient, observe_report
from tests.policies.analyse import small
from tests.policies.generated import layer_text, request
from tests.policies.world import MISSION as CODE
from tests.policies.world import NATIONS, permit_all
from tests.policies.world import words as standard_words
from wire.vocabulary import Vocabulary, vocabulary

PAIRS = 60


def readings(text: str, *vocabularies: Vocabulary) -> Readings:
    found: list[tuple[Formula, Variable]] = []
    variables: tuple[Variable, ...] = (NOW, BEFORE)
    for variable, words in zip(variables, vocabularies, strict=False):
        book = PolicyBook.empty(words).with_layer(*small.LAYER, text)
        found.append((allowed(book.layers[small.LAYER].rules), variable))
    return tuple(found)


def pair(seed: int) -> tuple[str, str]:
    """Two texts; the second is often the first with one more rule."""
    random = Random(seed)
    before, after = small.text(random), small.text(random)
    if random.random() < 0.5:
        more = random.choice(small.text(random).splitlines())
        after = before + re.sub(r"/r[0-9]", "/r9", more)
    return before, after


def within(change: Change, asked: Scene) -> bool:
    return any(all(holds(atom, asked) is sign for atom, sign in c) for c in change.classes)


def compare(
    mission: Mission,
    was: list[int | None],
    will: list[int | None],
    before: Readings,
    after: Readings,
    scenes: list[Scene],
) -> int:
    """Check every listed change against the true one, class by class; gives how many there were."""
    claimed: dict[tuple[str, int | None, int | None], set[int]] = {}
    for change in differences(mission, small.LAYER, before, after):
        if small.RECIPIENT in change.nations and change.part != "latent":
            assert change.whole
            part = "own" if change.part == "own" else "effect"
            for number, asked in enumerate(scenes):
                made = "derived" if asked.values["resource.derived"] else "ordinary"
                if change.part in ("any", "own", made) and within(change, asked):
                    claimed.setdefault((part, change.before, change.after), set()).add(number)
    true: dict[tuple[str, int | None, int | None], set[int]] = {}
    for number, (a, b) in enumerate(zip(was, will, strict=True)):
        if a != b:
            for part in ("effect", "own"):
                true.setdefault((part, a, b), set()).add(number)
    assert claimed == true
    rank = {0: 0, 1: 1, 2: 2, None: 3}
    wider = any(rank[b] < rank[a] for a, b in zip(was, will, strict=True))
    assert wider <= grows(mission, small.OWNER, before, after)
    return len(true)


@pytest.mark.long
def test_the_listed_classes_are_exactly_what_cedar_answers_otherwise() -> None:
    """Every request of a small world through Cedar, for many pairs of policies."""
    asked = small.Asked(small.words())
    scenes, mission = asked.scenes(), small.mission()
    changed = 0
    for seed in range(PAIRS):
        before, after = pair(seed)
        was, will = asked.stages(before), asked.stages(after)
        words = small.words()
        changed += bool(
            compare(mission, was, will, readings(before, words), readings(after, words), scenes)
        )
    assert changed >= 40


@pytest.mark.long
def test_a_policy_signed_anew_grows_exactly_by_what_the_new_reference_data_lets_through() -> None:
    """Until a nation signs again, the lower of pinned and current counts; then current alone."""
    now, then = small.words(), small.words(moved=True)
    asked, asked_then = small.Asked(now), small.Asked(then)
    scenes, mission = asked.scenes(asked_then), small.mission(before=then)
    changed = 0
    for seed in range(24):
        text, _ = pair(seed)
        will, pinned = asked.stages(text), asked_then.stages(text)
        was = [None if None in (a, b) else max(a, b) for a, b in zip(will, pinned, strict=True)]  # type: ignore[type-var]
        changed += bool(
            compare(mission, was, will, readings(text, now, then), readings(text, now), scenes)
        )
    assert changed >= 5


@pytest.mark.slow
def test_the_listed_classes_hold_for_random_requests_of_the_standard_words() -> None:
    """All the profile has: communities, lists, times, purposes, comparisons."""
    book = PolicyBook.empty(standard_words())
    book = book.with_layer("handle", "COALITION", permit_all("handle", "COALITION"))
    book = book.with_layer("carry", CODE, permit_all("carry", CODE))
    mission, random, moved = Mission.of(book), Random(3), 0
    for _ in range(30):
        texts = [layer_text(random, "release", "KEN", random.choice([1, 2, 4])) for _ in "ab"]
        layers = [
            book.with_layer("release", "KEN", text).layers["release", "KEN"] for text in texts
        ]
        before, after = (alone(layer) for layer in layers)
        found = differences(mission, ("release", "KEN"), before, after)
        own = [c for c in found if c.part == "own"]
        for _ in range(150):
            who, what, moment = request(random)
            strange = what.originator != "KEN" and not what.derived
            if who.nation == "KEN" or strange or what.originator not in what.release_to:
                continue
            sides = (
                observe_recipient(who, standard_words()),
                observe_report(what, standard_words()),
            )
            stages = []
            for layer in layers:
                contexts = [
                    {**observe_circumstances(moment, "release", "KEN"), "context.approvals": n}
                    for n in (0, 1, 2)
                ]
                answers = [layer.evaluate(scene(*sides, c)).allowed for c in contexts]
                stages.append(answers.index(True) if True in answers else None)
            asked = scene(*sides, contexts[0])
            claims = {
                (c.before, c.after) for c in own if who.nation in c.nations and within(c, asked)
            }
            whole = all(c.whole for c in own if who.nation in c.nations)
            expected = {(stages[0], stages[1])} if stages[0] != stages[1] else set()
            assert claims == expected or (not whole and claims <= expected)
            moved += bool(expected)
    assert moved > 200


IN_KENYA = In("resource", ("Within", "KE"))
SAME_EXERCISE = Cross("equal", "principal.exercise", "resource.exercise")
CLEARED = Cross("at_least", "principal.clearance", "resource.level")
READ_INTO = Cross("contains_all", "principal.communities", "resource.communities")
IMPOSSIBLE: list[tuple[Formula, ...]] = [
    (IN_KENYA, Not(In("resource", ("Within", "014")))),
    (IN_KENYA, Not(In("resource", ("Touching", "KE")))),
    (In("resource", ("Touching", "KE")), Not(In("resource", ("Touching", "014")))),
    (IN_KENYA, In("resource", ("Within", "015"))),
    (IN_KENYA, Not(In("resource", ("Touching", "mission:x")))),
    (In("resource", ("Threat", "mine")), In("resource", ("ThreatTouching", "cyber"))),
    (Empty("resource.releasableTo"),),
    (Holds("resource.releasableTo", "FRA"), Holds("resource.displayTo", "FRA")),
    (Equals("resource.origin", "FRA"), Equals("resource.origin", "KEN")),
    (Equals("resource.origin", "FRA"), Not(Holds("resource.releasableTo", "FRA"))),
    (Equals("resource.origin", "FRA"), Not(Flag("resource.derived"))),
    (Not(Equals("context.purpose", "PLANNING")),),
    (SAME_EXERCISE, Flag("principal.exercise"), Not(Flag("resource.exercise"))),
    (Not(SAME_EXERCISE), Not(Flag("principal.exercise")), Not(Flag("resource.exercise"))),
    (CLEARED, AtLeast("resource.level", 1), Not(AtLeast("principal.clearance", 1))),
    (
        READ_INTO,
        Holds("resource.communities", "CYBER"),
        Not(Holds("principal.communities", "CYBER")),
    ),
]


@pytest.mark.parametrize("impossible", IMPOSSIBLE, ids=str)
def test_a_space_holds_nothing_that_no_report_can_show(impossible: tuple[Formula, ...]) -> None:
    """Within Kenya but not within Eastern Africa; on both lists; two originators."""
    mission = small.mission()
    formula = mission.ground(every(*impossible), small.RECIPIENT, 0)
    space = Space(mission.atlases, small.RECIPIENT, [formula], owner=small.OWNER)
    assert space.find(space.encode(formula)) is None


@pytest.mark.parametrize(
    ("nation", "named"),
    [
        ("BGD", True),
        ("KEN", In("resource", ("Caveat", "SIGINT"))),
        ("KEN", Holds("resource.communities", "CYBER")),
        ("KEN", Holds("resource.releasableTo", "BGD")),
        ("KEN", Equals("context.purpose", "TARGETING")),
        ("KEN", In("resource", ("Within", "mission:liptako"))),
    ],
    ids=str,
)
def test_what_older_reference_data_has_no_word_for_is_nothing_to_it(
    nation: str, named: Formula
) -> None:
    """A layer that is pinned to it lets nothing of that through."""
    now = standard_words()
    older = standard.registry(groups=[("AFRICAN", ("KEN", "SEN"))])
    fewer = {
        name: {word: title for word, title in getattr(older, name).items() if word != gone}
        for name, gone in (("caveats", "SIGINT"), ("communities", "CYBER"))
    }
    purposes = tuple(word for word in older.purposes if word != "TARGETING")
    older = older.model_copy(update={**fewer, "purposes": purposes})
    before = vocabulary(CODE, NATIONS[:-1], standard.levels(), older, "1" * 64)
    mission = Mission.of(PolicyBook.empty(now), before)
    space = Space(mission.atlases, nation, [mission.ground(named, nation, 0)], owner="GBR")
    wanted = space.encode(mission.ground(named, nation, 0))
    assert space.find(wanted) is not None
    assert space.find(wanted, space.encode(True, BEFORE)) is None
