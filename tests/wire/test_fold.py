"""The fold: statements in their order make the directory, in any other order they are refused."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import charter_words
from tests.coalition import DAY, Coalition
from tests.refusal import refused
from wire import fold, statements
from wire.bodies import RULES, Salted
from wire.directory import Directory
from wire.entries import MISSION
from wire.errors import TearlineError
from wire.statements import Statement

HISTORY = Coalition.of("KEN", "GBR").history
TIME = Coalition.of("KEN", "GBR").clock.now


@pytest.fixture
def world() -> Coalition:
    return Coalition.of("KEN", "GBR", "FRA", clearance={"GBR": "TOP SECRET"})


def blank() -> Directory:
    return Coalition.of("KEN", "GBR").blank()


class Odd(Salted):
    """A body that is no type's."""

    surprise: int = 1


def folded(history: Iterable[Statement], directory: Directory | None = None) -> Directory:
    directory = directory or blank()
    for position, statement in enumerate(history, directory.position + 1):
        directory = fold.apply(directory, statement, position, TIME)
    return directory


# -- order


def directories() -> list[Directory]:
    """The directory before each statement of the history, and after the last."""
    found = [blank()]
    for filed in HISTORY:
        found.append(fold.apply(found[-1], filed.statement, filed.position, filed.time))
    return found


BEFORE = directories()


def follows(directory: Directory, statement: Statement) -> bool:
    """Whether a statement is the next of its chain."""
    head = statement.head
    state = directory.chain if head.nation == MISSION else directory.nations.get(head.nation)
    return head.seq == (state.seq + 1 if state else 0)


@pytest.mark.slow
@given(st.integers(0, len(HISTORY)), st.integers(0, len(HISTORY) - 1))
@settings(max_examples=400)
def test_nothing_but_the_next_statement_of_a_chain_is_taken(at: int, which: int) -> None:
    """Replays, rollbacks and gaps, at every point of a history."""
    statement = HISTORY[which].statement
    if not follows(BEFORE[at], statement):
        with pytest.raises(TearlineError) as caught:
            fold.apply(BEFORE[at], statement, len(HISTORY), TIME)
        assert caught.value.slug in {"statement-conflict", "unknown-signer"}


def summary(directory: Directory) -> Any:
    """What a directory says, but for positions."""
    nations = {
        code: (s.seq, s.prev, s.root_version, s.roles, {e: v.kids for e, v in s.epochs.items()})
        for code, s in directory.nations.items()
    }
    return nations, set(directory.members), directory.order, directory.terms.digest


@pytest.mark.slow
@given(st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_another_order_is_refused_or_says_the_same(random: Any) -> None:
    """Chains of different nations may be interleaved otherwise: that is the journal's to say."""
    chains: dict[str, list[Statement]] = {}
    for filed in HISTORY:
        chains.setdefault(filed.statement.head.nation, []).append(filed.statement)
    directory = blank()
    position = 0
    try:
        while chains:
            code = random.choice(sorted(chains))
            directory = fold.apply(directory, chains[code].pop(0), position, TIME)
            position += 1
            if not chains[code]:
                del chains[code]
    except TearlineError:  # something that it builds on is not there yet
        return
    assert summary(directory) == summary(BEFORE[-1])


@given(st.permutations(range(len(HISTORY))))
@settings(max_examples=100)
def test_an_order_that_breaks_a_chain_is_refused(order: list[int]) -> None:
    shuffled = [HISTORY[i].statement for i in order]
    numbers: dict[str, list[int]] = {}
    for statement in shuffled:
        numbers.setdefault(statement.head.nation, []).append(statement.head.seq)
    if any(seqs != sorted(seqs) for seqs in numbers.values()):
        with pytest.raises(TearlineError):
            folded(shuffled)


def test_a_history_with_any_statement_twice_or_left_out_is_refused() -> None:
    honest = [filed.statement for filed in HISTORY]
    for i, statement in enumerate(honest):
        with pytest.raises(TearlineError):
            fold.apply(BEFORE[-1], statement, len(HISTORY), TIME)
        if any(s.head.nation == statement.head.nation for s in honest[i + 1 :]):
            with pytest.raises(TearlineError):
                folded(honest[i + 1 :], BEFORE[i])


@pytest.mark.slow
def test_a_fork_is_refused_with_both_hashes(world: Coalition) -> None:
    """Two statements with one number prove that a nation says two things."""
    kenya = world["KEN"]
    one = kenya.drafts("head.seen", {"size": 1, "root": "aa" * 32})
    other = kenya.drafts("head.seen", {"size": 1, "root": "bb" * 32})
    world.applies(one)
    with refused("statement-conflict", f"{one.identity[:16]}.*{other.identity[:16]}"):
        world.applies(other)


def test_positions_only_grow(world: Coalition) -> None:
    statement = world["KEN"].drafts("head.seen", {"size": 1, "root": "aa" * 32})
    for position in (world.directory.position, 0, -1):
        with refused("statement-conflict", "positions"):
            fold.apply(world.directory, statement, position, world.clock.now)


def test_a_refused_statement_leaves_the_directory_as_it_was(world: Coalition) -> None:
    before = world.directory
    with refused("bad-statement"):
        world["KEN"].says("role.set", {"role": "epoch", "kids": ["00" * 16], "threshold": 1})
    assert world.directory is before


def test_a_statement_of_another_mission_is_refused(world: Coalition) -> None:
    body = {"size": 1, "root": "aa" * 32}
    with refused("bad-statement", "another mission"):
        world["KEN"].says("head.seen", body, mission="MINUSY")


def test_a_statement_from_the_future_is_refused(world: Coalition) -> None:
    body = {"size": 1, "root": "aa" * 32}
    with refused("bad-statement", "future"):
        world["KEN"].says("head.seen", body, issued=world.clock.now + 301)
    world["KEN"].says("head.seen", body, issued=world.clock.now + 300)


def test_an_unknown_type_or_a_scope_it_cannot_have_is_refused(world: Coalition) -> None:
    body = {"size": 1, "root": "aa" * 32}
    with refused("bad-statement", "unknown type"):
        world["KEN"].says("head.seen", body, type="head.lost")
    with refused("bad-statement", "scope"):
        world["KEN"].says("head.seen", body, scope="nation")


def test_a_type_in_the_wrong_chain_is_refused(world: Coalition) -> None:
    with refused("bad-statement", "does not belong"):
        world["KEN"].says("nation.expel", {"code": "GBR", "reason": "rivalry"})
    with refused("bad-statement", "does not belong"):
        world.together.says(
            "head.seen", {"size": 1, "root": "aa" * 32}, by=[world["KEN"].officer.sign]
        )


@pytest.mark.slow
@pytest.mark.parametrize("type_", [t for t, rule in RULES.items() if t != "mission.charter"])
def test_a_body_of_another_form_is_refused_for_every_type(world: Coalition, type_: str) -> None:
    speaker = world.together if RULES[type_].signed_by == "quorum" else world["KEN"]
    with refused("bad-fields"):
        speaker.says(type_, Odd(salt="00" * 16), scope=RULES[type_].scopes[0])


# -- who must be shown a body


def test_a_body_that_everybody_must_see_cannot_be_withheld(world: Coalition) -> None:
    draft = world["KEN"].drafts("epoch.open", world["KEN"].epoch_body())
    withheld = statements.parse(statements.without_body(draft))
    with refused("bad-statement", "must be seen"):
        fold.apply(world.directory, withheld, world.position, world.clock.now)


def test_a_nation_and_the_broker_must_be_shown_what_the_nation_says(world: Coalition) -> None:
    """A broker that hides a nation's own statements from it would hide a theft from the robbed."""
    _, body = world["KEN"].candidate("analyst2", "analyst")
    withheld = statements.parse(
        statements.without_body(world["KEN"].drafts("member.add", body, scope="nation"))
    )
    for viewer in ("KEN", MISSION):
        with refused("bad-statement", "must be seen"):
            fold.apply(world.directory, withheld, world.position, world.clock.now, viewer=viewer)
    after = fold.apply(world.directory, withheld, world.position, world.clock.now, viewer="GBR")
    assert after.members == world.directory.members
    assert after.nations["KEN"].seq == world.directory.nations["KEN"].seq + 1


@pytest.mark.parametrize("viewer", ["KEN", "GBR", "FRA"])
def test_every_client_folds_the_same_who_is_who(world: Coalition, viewer: str) -> None:
    """All but the members of other nations who sign nothing for others."""
    seen, full = world.as_seen_by(viewer), world.directory
    for code in full.order:
        assert seen.nations[code].epochs == full.nations[code].epochs
        assert seen.nations[code].roles == full.nations[code].roles
        assert seen.nations[code].prev == full.nations[code].prev
    visible = {k: m for k, m in full.members.items() if m.signs or m.nation == viewer}
    assert seen.members == visible
    assert len(visible) < len(full.members)
    assert seen.channels == full.channels == (MISSION, "KEN", "GBR", "FRA")


# -- the founding


def test_the_charter_comes_before_everything_but_roots() -> None:
    world = Coalition("MINUSX", Coalition.of("KEN", "GBR").blank())
    registry = HISTORY[3].statement
    assert registry.head.type == "registry.publish"
    with refused("statement-conflict", "charter comes first"):
        world.applies(registry)
    for question in ("founded", "terms"):
        with refused("statement-conflict"):
            getattr(world.directory, question)


def test_a_mission_without_a_registry_has_no_words_yet() -> None:
    world = Coalition.of("KEN", people=False)
    directory = fold.apply(
        fold.apply(world.blank(), world.history[0].statement, 0, world.clock.now),
        world.history[1].statement,
        1,
        world.clock.now,
    )
    assert directory.founded.name
    with refused("statement-conflict", "no registry"):
        _ = directory.terms


def test_only_the_pinned_charter_founds_a_mission_and_only_once(world: Coalition) -> None:
    charter = next(f.statement for f in world.history if f.statement.head.type == "mission.charter")
    again = world.together.drafts("mission.charter", charter.body(RULES["mission.charter"].body))
    with refused("statement-conflict", "pinned"):
        world.applies(again)
    other = Directory(world.mission, "ab" * 32)
    for filed in world.history[:3]:
        other = fold.apply(other, filed.statement, filed.position, filed.time)
    with refused("statement-conflict", "pinned"):
        fold.apply(other, charter, 3, world.clock.now)


@pytest.mark.parametrize(
    ("charter", "detail"),
    [
        ({"admission_quorum": 3}, "quorum cannot be met"),
        ({"witness_quorum": 1}, "witnesses"),
        ({"levels": ({"token": "SECRET", "mark": "S"}, {"token": "SECRET", "mark": "T"})}, "twice"),
    ],
    ids=str,
)
def test_a_charter_that_could_never_work_is_refused(charter: Any, detail: str) -> None:
    with refused("bad-statement", detail):
        Coalition("MINUSX", Directory("MINUSX", "")).founds(["KEN", "GBR"], {}, **charter)


def nation(code: str, root: str, clearance: str = "SECRET") -> dict[str, str]:
    return {"code": code, "name": code, "root": root, "clearance": clearance}


def test_a_charter_names_exactly_the_nations_that_published_their_roots() -> None:
    for named in (["KEN"], ["KEN", "GBR", "FRA"], ["KEN", "KEN"], ["KEN", "GBR", "KEN"]):
        world = Coalition("MINUSX", Directory("MINUSX", ""))
        nations = [nation(code, "ab" * 32) for code in named]
        with refused("bad-statement", "exactly the nations"):
            world.founds(["KEN", "GBR"], {}, nations=nations, admission_quorum=1)


def test_a_charter_names_each_nations_first_root_and_a_known_level() -> None:
    with refused("bad-statement", "KEN does not stand"):
        nations = [nation("KEN", "ab" * 32)]
        Coalition("MINUSX", Directory("MINUSX", "")).founds(["KEN"], {}, nations=nations)
    with refused("bad-statement", "KEN does not stand"):
        Coalition("MINUSX", Directory("MINUSX", "")).founds(["KEN"], {"KEN": "COSMIC"})


def test_a_root_that_was_replaced_before_the_charter_does_not_found_it() -> None:
    """The charter names first roots: those that founders exchanged in person."""
    world = Coalition("MINUSX", Directory("MINUSX", ""))
    first, second = world["KEN"].publishes_root(), world["KEN"].publishes_root(2)
    for root in (first, second):
        body = charter_words.body("MINUSX", "log", "key", {"KEN": root.identity}, {})
        charter = world.together.drafts("mission.charter", body, by=world.root_signers(["KEN"]))
        world.directory = replace(world.directory, pinned_charter=charter.identity)
        with refused("bad-statement", "KEN does not stand"):
            world.applies(charter)


# -- registry, admission, expulsion


def test_registry_versions_go_up_by_one(world: Coalition) -> None:
    for version in (1, 3):
        registry = charter_words.registry(version=version)
        with refused("statement-conflict", "registry versions"):
            world.together.says("registry.publish", {"registry": registry})
    world.together.says("registry.publish", {"registry": charter_words.registry(version=2)})
    assert world.directory.terms.version == 2


@pytest.mark.slow
def test_a_nation_is_admitted_once_at_a_known_level(world: Coalition) -> None:
    with refused("statement-conflict", "already"):
        world.together.says("nation.admit", {"nation": nation("GBR", "ab" * 32)})
    with refused("unknown-term", "clearance"):
        world.together.says("nation.admit", {"nation": nation("SEN", "ab" * 32, "COSMIC")})
    world.admits("SEN", "RESTRICTED")
    assert world.directory.channels == (MISSION, "KEN", "GBR", "FRA", "SEN")
    assert world.directory.terms.nations == ("KEN", "GBR", "FRA", "SEN")
    assert world["SEN"].state.clearance == 1


def test_a_nation_that_was_admitted_speaks_after_its_root_only(world: Coalition) -> None:
    root = world["SEN"].drafts_root()
    world.together.says("nation.admit", {"nation": nation("SEN", root.identity)})
    with refused("root-expired", "SEN"):
        world["SEN"].enlists("officer")
    another = world["SEN"].drafts_root(days=300)
    with refused("statement-conflict", "admission names"):
        world.applies(another)
    world.applies(root)
    world["SEN"].publishes_root(2)


def test_an_expelled_nation_says_nothing_and_gets_nothing_any_more(world: Coalition) -> None:
    france, before = world["FRA"], world.position - 1
    world.expels("FRA")
    with refused("unknown-signer"):
        france.says("head.seen", {"size": 1, "root": "aa" * 32})
    with refused("unknown-signer", "not a nation"):
        france.publishes_root(2)
    with refused("unknown-signer"):
        world.directory.epoch_key("FRA", 0, world.clock.now)
    with refused("unknown-signer"):
        world.directory.member(france.system.kid, world.position, world.clock.now)
    with refused("unknown-signer", "not a nation"):
        world.expels("FRA")
    with refused("statement-conflict", "already"):
        world.together.says("nation.admit", {"nation": nation("FRA", "ab" * 32)})
    assert world.directory.member(france.system.kid, before, world.clock.now).nation == "FRA"
    with refused("unknown-signer"):
        world.directory.member(france.system.kid, before + 1, world.clock.now)
    assert "FRA" in world.directory.channels, "its chain in the journal stays"


# -- questions to the directory


def test_strangers_are_not_nations(world: Coalition) -> None:
    for code in ("SEN", MISSION, ""):
        with refused("unknown-signer"):
            world.directory.nation(code)
    root = world["SEN"].drafts_root()
    with refused("unknown-signer", "not a nation"):
        world.applies(root)


def test_a_signer_is_of_the_originator_and_of_a_kind_that_signs(world: Coalition) -> None:
    kenya, at = world["KEN"], (world.position, world.clock.now)
    assert world.directory.signer(kenya.system.kid, "KEN", *at).kind == "system"
    for kid, originator in (
        (kenya.system.kid, "GBR"),
        (kenya.analyst.kid, "KEN"),
        (kenya.auditor.kid, "KEN"),
        ("00" * 16, "KEN"),
    ):
        with refused("unknown-signer"):
            world.directory.signer(kid, originator, *at)


def test_keys_are_given_for_levels_the_nation_is_accredited_to(world: Coalition) -> None:
    now = world.clock.now
    assert world.directory.epoch_key("GBR", 4, now).level == 4
    for level in (4, 5, -1):
        with refused("stale-epoch", "for this level"):
            world.directory.epoch_key("KEN", level, now)


def test_an_epoch_announced_for_later_does_not_interrupt_the_present_one(world: Coalition) -> None:
    """Or every rotation would be an outage for clocks that run behind."""
    kenya, now = world["KEN"], world.clock.now
    kenya.says("epoch.open", kenya.epoch_body(opens=now + DAY))
    for at, epoch in ((now, 1), (now + DAY - 1, 1), (now + DAY, 2), (now + 8 * DAY - 1, 2)):
        assert world.directory.epoch_key("KEN", 0, at).epoch == epoch
    for at in (now - 1, now + 8 * DAY):
        with refused("stale-epoch"):
            world.directory.epoch_key("KEN", 0, at)


def test_a_charter_names_only_keys_that_can_be_checked() -> None:
    """Nobody could ever verify a checkpoint of such a mission."""
    with refused("bad-checkpoint"):
        Coalition.of("KEN", log_keys=("no key",))
    with refused("bad-checkpoint"):
        Coalition.of("KEN", witnesses=("no key",))
