"""What an analysis does where it cannot tell: what is undecided, missing, or about one nation by
name is never taken for "nothing changes".
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import z3

from policies.analyse.classes import cover
from policies.analyse.difference import differences, grows
from policies.analyse.ground import NOW, allowed
from policies.analyse.mission import Readings, alone
from policies.analyse.space import Space
from policies.decide import PolicyBook
from policies.formula import Flag, Holds
from tests.policies.analyse import small
from tests.policies.world import permit_all

OPEN = permit_all("release", "KEN")


def readings(text: str) -> Readings:
    book = PolicyBook.empty(small.words()).with_layer(*small.LAYER, text)
    return ((allowed(book.layers[small.LAYER].rules), NOW),)


@contextmanager
def out_of_resources() -> Iterator[None]:
    """Every question of the solver ends without an answer."""
    z3.set_param("rlimit", 1)
    try:
        yield
    finally:
        z3.set_param("rlimit", 0)


def test_a_change_that_the_solver_cannot_decide_counts_as_growth() -> None:
    """It then takes a second officer, whatever it was."""
    mission, narrow = small.mission(), OPEN.replace(");", ") when { resource.derived };")
    assert not grows(mission, "KEN", readings(OPEN), readings(narrow))
    with out_of_resources():
        assert grows(mission, "KEN", readings(OPEN), readings(narrow))


def test_classes_are_of_atoms_that_decide_what_was_asked() -> None:
    """Expect failure rather than classes that say too much."""
    derived = Flag("resource.derived")
    space = Space(small.mission().atlases, "SEN", [derived])
    assert cover(space, space.holds(derived), []).whole
    with pytest.raises(AssertionError, match="decide every formula"):
        cover(space, z3.Or(z3.Bool("undecided"), space.holds(derived)), [])


def test_a_layer_that_nobody_adopted_lets_nothing_through() -> None:
    mission, opened = small.mission(), readings(OPEN)
    assert alone(None) == ((False, NOW),)
    assert grows(mission, "KEN", alone(None), opened)
    assert not grows(mission, "KEN", opened, alone(None))
    gains = [c for c in differences(mission, small.LAYER, alone(None), opened) if c.part == "any"]
    assert [(c.before, c.after, c.nations) for c in gains] == [(None, 0, ("SEN", "FRA"))]


def test_a_nation_that_rules_name_is_a_case_of_its_own() -> None:
    """The same words mean something else for it than for the others."""
    named = Holds("resource.release_to", "SEN")
    mission = small.mission()
    assert mission.groups({"SEN": (named,), "FRA": (named,), "KEN": (named,)}) == [
        ("SEN",),
        ("FRA", "KEN"),
    ]
    other = Holds("resource.release_to", "GBR")
    assert mission.groups({"SEN": (other,), "FRA": (other,)}) == [("SEN", "FRA")]
