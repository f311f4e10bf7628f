"""Every named lie is refused by all three verifiers, which name the first thing wrong.

Two of the three were written from the protocol alone, so a lie that passes one of them is a hole in
the code or in the text.
"""

import random
import re
from collections.abc import Iterator
from functools import cache
from itertools import islice

import pytest

from tests.verifiers.lies import LIES, TRUE, docs, lines, spoken
from tests.verifiers.mutations import mutants
from tests.verifiers.verifying import HAS_NODE, VERIFIERS, needs_node, node
from tests.wire.evidence_files import (
    SOON,
    WITNESSES,
    Pen,
    admitted,
    confirmed,
    erased,
    pulled,
    receipt,
    witnessed,
)
from wire.bodies import RULES
from wire.evidence_file import NEEDED

TRUTHS: dict[str, Pen] = {
    "two pulls": TRUE,
    "a nation that joined later": admitted(),
    "a receipt": receipt(pulled(), [5, 2]),
    "views that were erased": erased(),
    "a history that is confirmed": confirmed(),
    "one confirmed by the keys of then": witnessed()[0].confirms(
        *WITNESSES["KEN"], *WITNESSES["FRA"], size=3
    ),
    "statements that need not be shown": spoken(*sorted(RULES.keys() - NEEDED)),
}


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("name", TRUTHS)
def test_the_truth_holds(name: str, verifier: str) -> None:
    pen = TRUTHS[name]
    assert VERIFIERS[verifier](pen.written(), pen.charter.identity, SOON) is None
    assert VERIFIERS[verifier](lines(docs(pen)), pen.charter.identity, SOON) is None


@needs_node
def test_the_truth_holds_in_javascript() -> None:
    asked = [(pen.written(), pen.charter.identity, SOON) for pen in TRUTHS.values()]
    assert node(asked) == [None] * len(asked)


def test_there_are_as_many_lies_as_were_promised() -> None:
    assert len(LIES) >= 40


@pytest.mark.slow
@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_refused_by_its_name(name: str, verifier: str) -> None:
    """Expect refusal."""
    told, charter, words = LIES[name]
    why = VERIFIERS[verifier](told, charter, SOON)
    assert why is not None, "believed"
    check_words(words, why)


@cache
def in_javascript() -> dict[str, str | None]:
    asked = [(told, charter, SOON) for told, charter, _ in LIES.values()]
    return dict(zip(LIES, node(asked), strict=True))


@pytest.mark.slow
@needs_node
@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_refused_in_javascript(name: str) -> None:
    """Expect refusal."""
    why = in_javascript()[name]
    assert why is not None, "believed"
    assert why.startswith("Refused: ")
    check_words(LIES[name][2], why)


def check_words(words: str, why: str) -> None:
    """A refusal names the line, and the first bad entry in the same words everywhere."""
    assert re.search(r"line \d+", why), why
    named = re.match(r"entry \d+ of [A-Z]+", words)
    assert re.search(named[0] if named else words, why), why


def test_our_own_refusals_say_what_is_wrong() -> None:
    for told, charter, words in LIES.values():
        why = VERIFIERS["ours"](told, charter, SOON)
        assert re.search(words, str(why)), why


def changes(pen: Pen, chance: random.Random, count: int) -> Iterator[tuple[str, list[bytes]]]:
    """Random changes; a file that loses its last line is as good as before, if that says only what
    is confirmed.
    """
    spared = lines(docs(pen)[:-1]) if "confirmed" in docs(pen)[-1] else None
    found = (mutant for mutant in mutants(docs(pen), chance, 2 * count) if mutant[1] != spared)
    return islice(found, count)


@pytest.mark.long
@pytest.mark.parametrize("verifier", VERIFIERS)
def test_random_changes_of_every_field_are_refused(verifier: str) -> None:
    """Expect 10,500 refusals: nothing in a file is beside the point."""
    believed, count = [], 0
    for pen in TRUTHS.values():
        for what, told in changes(pen, random.Random(1), 1_500):
            count += 1
            if VERIFIERS[verifier](told, pen.charter.identity, SOON) is None:
                believed.append(what)
    assert believed == []
    assert count == len(TRUTHS) * 1_500


@pytest.mark.slow
@pytest.mark.skipif(not HAS_NODE, reason="there is no node on this machine")
def test_random_changes_are_refused_in_javascript() -> None:
    """Expect 2,100 refusals."""
    asked, whats = [], []
    for pen in TRUTHS.values():
        for what, told in changes(pen, random.Random(2), 300):
            whats.append(what)
            asked.append((told, pen.charter.identity, SOON))
    found = node(asked)
    assert [what for what, why in zip(whats, found, strict=True) if why is None] == []
    assert all(str(why).startswith("Refused: ") for why in found)
