"""Evidence files whose lines stand elsewhere, or say something else: each is refused for itself."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.refusal import refused
from tests.wire.evidence_files import SOON, Pen, admitted, pulled, receipt, said, stated
from tests.wire.memory_log import MemoryLog, released
from wire import evidence_file, evidence_lines, pages
from wire.base64_strict import encode
from wire.bodies import HeadSeen
from wire.entries import MISSION
from wire.errors import Malformed, TearlineError
from wire.evidence_file import CLOCK_SLACK_MS, Proven
from wire.evidence_lines import Header, Line, PageLine, Said, TreeLine
from wire.pages import Exhibit

HOUR = 3_600_000  # milliseconds
PULLED = pulled()
RECEIPT = receipt(PULLED, [2, 5], [0])


def verified(pen: Pen, now_ms: int = SOON) -> Proven:
    return evidence_file.verify(pen.written(), pen.charter.identity, now_ms=now_ms)


def at(pen: Pen, kind: str, number: int = 0) -> int:
    """Where the line of this kind stands."""
    return [i for i, line in enumerate(pen.lines) if getattr(line, kind) is not None][number]


def changed(kind: str, number: int = 0, **fields: Any) -> Callable[[Pen], None]:
    def change(pen: Pen) -> None:
        where = at(pen, kind, number)
        old = getattr(pen.lines[where], kind)
        pen.lines[where] = Line(**{kind: old.model_copy(update=fields)})

    return change


def header_again(pen: Pen) -> None:
    told = Header(
        v=1, kind="history", mission="MINUSX", nation="KEN", size=pen.size, charter=pen.charter
    )
    pen.lines.append(Line(evidence=told))


def entry_outside(pen: Pen) -> None:
    pen.lines.insert(0, pen.lines[at(pen, "entry")])


def page_before_any_tree(pen: Pen) -> None:
    del pen.lines[at(pen, "tree")]


def same_tree_twice(pen: Pen) -> None:
    pen.lines.append(Line(tree=TreeLine(checkpoint=pen.log.checkpoint, consistency=())))


def last_page_missing(pen: Pen) -> None:
    del pen.lines[at(pen, "page", -1) :]


def newest_pages_missing(pen: Pen) -> None:
    del pen.lines[at(pen, "page", 2) :]


CHANGES: dict[str, tuple[Callable[[Pen], None], str, str]] = {
    "a header in the middle": (header_again, "bad-fields", "the first line, and no other"),
    "an entry outside a page": (entry_outside, "bad-fields", "outside a page"),
    "a page before any tree": (page_before_any_tree, "bad-fields", "before any tree"),
    "the same tree twice": (same_tree_twice, "bad-fields", "the same tree twice"),
    "a proof of consistency with nothing": (
        changed("tree", consistency=(encode(bytes(32)),)),
        "bad-proof",
        "with nothing",
    ),
    "a page of another nation": (
        changed("page", 1, channel="GBR"),
        "broken-chain",
        "in another nation's file",
    ),
    "a page without a head": (changed("page", head=None), "bad-fields", "have a head"),
    "more entries than the page says": (
        changed("page", 1, entries=3),
        "broken-chain",
        "entries where the page says 3",
    ),
    "a checkpoint of its own": (
        changed("entry", checkpoint="-"),
        "bad-fields",
        "a checkpoint of its own",
    ),
    "the newest pages missing": (
        newest_pages_missing,
        "broken-chain",
        "entries of KEN are missing",
    ),
    "the last page missing": (last_page_missing, "broken-chain", "entries of KEN are missing"),
}


@pytest.mark.parametrize("name", CHANGES, ids=lambda words: words.replace(" ", "-"))
def test_a_line_that_says_something_else_is_refused(name: str) -> None:
    change, slug, words = CHANGES[name]
    pen = pulled()
    change(pen)
    with refused(slug, words):
        verified(pen)


def test_nothing_after_the_header_is_nothing() -> None:
    pen = pulled()
    pen.lines = []
    with refused("bad-fields", "before it says anything"):
        verified(pen)


def test_the_mission_has_its_own_channel_in_every_history() -> None:
    pen = Pen(MemoryLog())
    pen.log.append(released("KEN"))
    pen.page("KEN")
    with refused("broken-chain", "entry 0 of MISSION: 0 shown"):
        verified(pen)


def test_a_charter_of_another_mission_is_refused() -> None:
    pen = pulled()
    lines = [line.replace(b'"MINUSX"', b'"MINUSY"', 1) for line in pen.written()]
    with refused("bad-fields", "that of another mission"):
        evidence_file.verify(lines, pen.charter.identity, now_ms=SOON)


def test_a_receipt_says_nothing_about_how_trees_follow() -> None:
    pen = pulled()
    pen.kind = "receipt"
    del pen.lines[1:]
    with refused("bad-proof", "how trees follow"):
        verified(pen)


def test_what_comes_from_the_future_is_refused() -> None:
    """Expect refusal: a broker that dates its entries ahead can hide what came in between."""
    pen = pulled()
    verified(pen)
    with refused("broken-chain", "from the future"):
        verified(pen, now_ms=SOON - HOUR - 2 * CLOCK_SLACK_MS)


def test_a_heads_leaf_from_the_future_is_refused() -> None:
    pen = Pen(MemoryLog())
    pen.log.append(released("KEN"))
    pen.log.time += 2 * HOUR
    pen.log.append(released("FRA"))
    pen.page("KEN")
    with refused("broken-chain", "the heads leaf of KEN is from the future"):
        verified(pen)


def test_time_never_goes_back() -> None:
    """Expect refusal: an entry that is older than the one before it was put there later."""
    pen = Pen(MemoryLog())
    pen.log.append(released("KEN"))
    pen.log.time -= HOUR
    pen.log.append(released("KEN"))
    pen.log.time += 2 * HOUR
    pen.log.append(released("FRA"))
    pen.page("KEN")
    with refused("broken-chain", "its time is out of order"):
        verified(pen, now_ms=SOON + 2 * HOUR)


# -- statements


def test_a_statement_is_the_one_that_its_entry_names() -> None:
    pen = admitted()
    other = said("head.seen", HeadSeen(salt="5a" * 16, size=1, root="ab" * 32), seq=7)
    where = at(pen, "statement")
    pen.lines[where] = Line(statement=other)
    with refused("broken-chain", "that the entry above does not name"):
        verified(pen)


def test_a_statement_stands_under_its_entry() -> None:
    pen = admitted()
    line = pen.lines.pop(at(pen, "statement"))
    pen.lines.insert(at(pen, "page") + 1, line)
    with refused("broken-chain", "that the entry above does not name"):
        verified(pen)


def test_a_body_that_its_reader_may_see_is_not_left_out() -> None:
    pen = admitted()
    where = at(pen, "statement")
    known = pen.lines[where].statement
    assert known is not None
    pen.lines[where] = Line(statement=Said(head=known.head, body=None))
    with refused("bad-statement", "left out"):
        verified(pen)


@pytest.mark.parametrize("nation", ["KEN", "GBR"])
def test_a_body_that_is_its_own_nations_is_left_out_for_others_only(nation: str) -> None:
    body = HeadSeen(salt="5a" * 16, size=1, root="ab" * 32)
    whole = said("head.seen", body, nation=nation, scope="nation")
    pen = Pen(MemoryLog())
    pen.said[whole.identity] = Said(head=whole.head, body=None)
    pen.log.append(stated(whole), released("KEN"))
    pen.pull()
    if nation == "KEN":
        with refused("bad-statement", "left out"):
            verified(pen)
    else:
        assert verified(pen).said[whole.identity].body is None


def test_a_body_that_was_not_signed_is_refused() -> None:
    pen = admitted()
    where = at(pen, "statement")
    known = pen.lines[where].statement
    assert known is not None
    pen.lines[where] = Line(statement=Said(head=known.head, body=pen.charter.body))
    with refused("bad-statement", "not the one that was signed"):
        verified(pen)


def test_a_charter_is_a_charter() -> None:
    pen = admitted()
    (admission,) = pen.said.values()
    pen.charter = admission
    with refused("bad-statement", "not a mission.charter"):
        verified(pen)


def test_each_channel_counts_for_itself() -> None:
    assert {entry.channel for entry in verified(pulled()).entries} == {MISSION, "KEN"}


def test_a_page_of_a_receipt_has_no_head() -> None:
    pen = pulled()
    pen.kind = "receipt"
    first = pen.lines[0].tree
    assert first is not None
    pen.lines[0] = Line(tree=first.model_copy(update={"consistency": None}))
    with refused("bad-fields", "those of a receipt none"):
        verified(pen)


def test_a_receipt_is_not_from_the_future() -> None:
    log = MemoryLog()
    log.append(released("KEN"))
    pen = Pen(log, kind="receipt")
    pen.lines = [
        Line(tree=TreeLine(checkpoint=log.checkpoint, consistency=None)),
        Line(page=PageLine(channel="KEN", entries=1, head=None)),
        Line(entry=log.evidence("KEN", 0)),
    ]
    pen.size = log.tree.size
    verified(pen)
    with refused("broken-chain", "it is from the future"):
        verified(pen, now_ms=0)
    pen.lines[2] = Line(entry=log.evidence("KEN", 0).model_copy(update={"proof": ()}))
    with refused("bad-proof", "the entry at index"):
        verified(pen)


@pytest.mark.parametrize("kind", ["evidence", "tree", "page", "entry", "statement"])
def test_a_line_of_a_kind_that_holds_nothing_is_refused(kind: str) -> None:
    """Expect refusal, with the line's number, wherever it stands."""
    lines = PULLED.written()
    for number in range(len(lines)):
        changed = [*lines[:number], b'{"%b":null}\n' % kind.encode(), *lines[number + 1 :]]
        with pytest.raises(Malformed, match=f"line {number + 1}: "):
            evidence_file.verify(changed, PULLED.charter.identity, now_ms=SOON)


# -- an entry in the form that auditors write is read without the gate, to the same effect


def outcome(lines: list[bytes], charter: str) -> object:
    """All that a file proves, or slug and words of the refusal."""
    try:
        proven = evidence_file.verify(lines, charter, now_ms=SOON)
    except TearlineError as error:
        return error.slug, error.detail
    return proven.entries, proven.complete_at, proven.trees


EDITS = [bytes([mark]) for mark in b'{}[]",:\\/= \n\x00\x7f\xff-.019eEABab+'] + [
    b"",
    b"null",
    b"AAAA",
]


@pytest.mark.slow
@given(st.data())
def test_any_change_of_an_entrys_line_is_judged_alike(data: st.DataObject) -> None:
    """Expect the same refusal, in the same words, as where every line goes through the gate."""
    for pen in (PULLED, RECEIPT):
        lines = pen.written()
        number = data.draw(st.sampled_from([n for n, x in enumerate(lines) if b'"entry"' in x]))
        text = lines[number]
        for _ in range(data.draw(st.integers(0, 2))):
            at, piece = data.draw(st.integers(0, len(text))), data.draw(st.sampled_from(EDITS))
            text = text[:at] + piece + text[at + data.draw(st.integers(0, 2)) :]
        lines[number] = text
        found = outcome(lines, pen.charter.identity)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(pages, "usual", lambda _: None)
            assert outcome(lines, pen.charter.identity) == found


def test_entries_are_read_as_their_bytes_and_others_through_the_gate() -> None:
    """The same file with spaces in it proves the same."""
    lines = PULLED.written()
    spaced = [json.dumps(json.loads(line)).encode() + b"\n" for line in lines]
    kinds = [{type(evidence_lines.read(line)) for line in file} for file in (lines, spaced)]
    assert kinds == [{Line, Exhibit}, {Line}]
    charter = PULLED.charter.identity
    assert outcome(lines, charter) == outcome(spaced, charter)
    assert outcome(lines[:2] + lines[3:4], charter) == outcome(spaced[:2] + spaced[3:4], charter)
