"""Sheets: what is written of reports is what is read, now or when somebody asks."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import sheets
from broker.held import Held, HeldAttachment, HeldPortion, Outline
from broker.holdings import Holdings
from broker.kinds import Kinds
from policies.facts import ReportFacts
from tests.broker.remembering import told
from wire.labels import PRECEDENCES, Source

NATIONS = ("FRA", "GBR", "KEN", "SEN")
HEX = st.binary(min_size=32, max_size=32).map(bytes.hex)
SOME = st.frozensets(st.sampled_from(NATIONS))
WORDS = st.frozensets(st.sampled_from(["a", "b c", "é", "\n", '"']))
TIMES = st.integers(0, 1 << 53)
ORIGINS = st.frozensets(st.tuples(st.sampled_from(NATIONS), HEX), max_size=2)


@st.composite
def portions(draw: st.DrawFn, index: int, originator: str) -> HeldPortion:
    facts = ReportFacts(
        originator=originator,
        level=draw(st.integers(0, 3)),
        regions=draw(WORDS),
        threats=draw(WORDS),
        release_to=draw(SOME),
        display_to=draw(SOME),
        caveats=draw(WORDS),
        communities=draw(WORDS),
        contributors=draw(SOME),
        derived=draw(st.booleans()),
        exercise=draw(st.booleans()),
        precedence=draw(st.sampled_from(PRECEDENCES)),
        originator_control=draw(st.booleans()),
    )
    lasting = draw(st.integers(0, 1_000))
    pairs = draw(st.frozensets(st.tuples(HEX, HEX), max_size=3))
    attachments = draw(st.lists(st.builds(HeldAttachment, HEX, HEX, TIMES), max_size=2))
    return HeldPortion(
        index=index,
        kind=Kinds().find(facts, facts.precedence, lambda: f"BANNER {facts.level}"),  # type: ignore[arg-type]
        commitment=draw(HEX),
        expires=draw(st.none() | TIMES),
        attachments=tuple(attachments),
        size=lasting + draw(st.integers(0, 1_000)),
        lasting=lasting,
        ancestors=frozenset(Source(report=r, portion=p) for r, p in pairs),
        obligations=draw(WORDS),
        sources=draw(ORIGINS),
        named=draw(ORIGINS),
        salt=bytes.fromhex(draw(HEX)),
    )


@st.composite
def reports(draw: st.DrawFn) -> list[Held]:
    found = []
    for number in range(draw(st.integers(1, 4))):
        originator = draw(st.sampled_from(NATIONS))
        indexes = sorted(draw(st.sets(st.integers(0, 31), min_size=1, max_size=3)))
        held = Held(
            number * 10,
            draw(TIMES),
            draw(HEX),
            draw(st.text(max_size=8)),
            originator,
            draw(TIMES),
            tuple(draw(portions(index, originator)) for index in indexes),
        )
        held.erased = draw(st.sampled_from([0, 1 << indexes[0], -1]))
        masks = st.tuples(st.sampled_from(NATIONS), st.integers(1, 7))
        held.released.update(draw(st.dictionaries(masks, TIMES, max_size=3)))
        found.append(held)
    return found


def plain(portion: HeldPortion, held: Held) -> dict[str, Any]:
    """Every field, but what a deletion takes."""
    found = told(portion)
    if held.erased >> portion.index & 1:
        found["size"] = portion.lasting
    return found


def waits(held: Held) -> bool:
    """Whether nobody asked for it yet."""
    return held.unread is not None


@pytest.mark.slow
@given(reports())
def test_what_is_written_is_read(given_: list[Held]) -> None:
    sheet = sheets.write(given_)
    read = list(sheets.read(sheet, Kinds()))
    assert len(read) == len(given_)
    for (held, outlined), wrote in zip(read, given_, strict=True):
        assert waits(held)
        outline = Outline(*outlined)
        assert outline._replace(ends=[tuple(end) for end in outline.ends]) == Outline.of(wrote)
        assert held.erased == wrote.erased & outline.every
        for name in ("position", "accepted", "identity", "id", "originator", "created"):
            assert getattr(held, name) == getattr(wrote, name)
        assert [plain(p, held) for p in held.portions] == [plain(p, wrote) for p in wrote.portions]
        assert list(held.released.items()) == list(wrote.released.items())
        assert held.binding == wrote.binding
        assert not waits(held)
        assert (held.recall, dict(held.added)) == (None, {})


@pytest.mark.slow
@given(reports())
def test_what_is_read_is_written_as_the_same_bytes(given_: list[Held]) -> None:
    sheet = sheets.write(given_)
    assert sheets.write(held for held, _ in sheets.read(sheet, Kinds())) == sheet


@pytest.mark.slow
@given(reports())
def test_reports_stand_in_the_same_lanes_whether_they_are_read_or_not(given_: list[Held]) -> None:
    one, other = Holdings(), Holdings()
    one.add_all(sheets.read(sheets.write(given_), one.kinds))
    for held in given_:
        held.erased &= Outline.of(held).every
        other.add(held)
    for nation in NATIONS:
        for ours, theirs in zip(one.lanes(nation).lanes, other.lanes(nation).lanes, strict=True):
            assert [o.position for o in ours] == [o.position for o in theirs]
        assert [o.position for o in one.lanes(nation).all] == [
            held.position
            for held in given_
            if any(nation in portion.recipients for portion in held.portions)
        ]
    assert one._expiring == other._expiring


def test_equal_kinds_are_one_object_across_sheets() -> None:
    """What was computed for one portion serves all like it, read from wherever."""
    kinds = Kinds()
    held = _held()
    read = [next(iter(sheets.read(sheets.write([held]), kinds)))[0] for _ in range(2)]
    first, second = (one.portions[0] for one in read)
    assert first.kind is second.kind


def _held() -> Held:
    none = frozenset[str]()
    sets = (none, none, none, none, none, none, none)
    facts = ReportFacts("KEN", 1, *sets, False, False, "FLASH", False)
    kind = Kinds().find(facts, "FLASH", str)
    portion = HeldPortion(0, kind, "c", None, (), 9, 4)
    return Held(1, 2, "i", "n", "KEN", 3, (portion,))
