"""Pages are read one way, whichever way they are read: quickly, or through the gate as a whole."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.memory_log import CHANNELS, MemoryLog, released
from wire import pages, strict_json
from wire.base64_strict import encode
from wire.errors import Malformed
from wire.evidence import MAX_BASE64, MAX_SEGMENT_BYTES, MAX_SEGMENT_ENTRIES
from wire.links import MAX_VIEWS
from wire.merkle import MAX_PROOF
from wire.notes import open_checkpoint
from wire.pages import Exhibit, MadePage, Page, PageAnswer, exhibit
from wire.prove import Trust, follow, whole

Doc = dict[str, Any]
Change = Callable[[Doc], object]
Found = tuple[Any, ...]

LOG = MemoryLog()
LOG.append(released("KEN", "GBR"), *[released("KEN", report=n) for n in range(3)])
LOG.append(released("KEN", "FRA", report=9), released("GBR"))
LOG.erased.add(("KEN", 2))
OPENED = open_checkpoint(LOG.checkpoint, [LOG.signer.vkey])
PLACE = CHANNELS.index("KEN")


class Statements(PageAnswer):
    """As what the mission's channel comes with."""

    statements: dict[str, str]


def doc() -> Doc:
    segment = json.loads(LOG.segment("KEN").model_dump_json())
    return {"segment": segment, "consistency": [encode(bytes(32))]}


def written(value: object) -> bytes:
    """As brokers write it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def changed(change: Change) -> bytes:
    page = doc()
    change(page)
    return written(page)


def entry(**fields: object) -> Change:
    return lambda page: page["segment"]["entries"][1].update(fields)


def long_way(data: bytes, form: type[PageAnswer] = PageAnswer) -> tuple[PageAnswer, Page]:
    """The whole page through the gate."""
    answer = strict_json.load(data, form, limit=MAX_SEGMENT_BYTES, prose=True)
    segment = answer.segment
    return answer, Page(segment.checkpoint, segment.channel, segment.entries, segment.head)


def outcome(
    read: Callable[..., tuple[PageAnswer, Page]], data: bytes, form: type[PageAnswer] = PageAnswer
) -> Found:
    """All that comes of reading and following a page; a refusal by its slug and words."""
    try:
        answer, page = read(data, form)
        shown = [exhibit(one) for one in page.entries]
        rest = answer.model_dump(exclude={"segment": {"entries"}})
        return shown, rest, follow(Trust(), page, OPENED, "KEN", PLACE, None, whole)
    except Malformed as error:
        return error.slug, error.detail


def is_quick(data: bytes, form: type[PageAnswer] = PageAnswer) -> bool:
    page = pages.read(data, form)[1]
    return all(isinstance(one, Exhibit) for one in page.entries)


def test_a_page_as_brokers_write_it_is_read_quickly() -> None:
    data = written(doc())
    assert is_quick(data)
    assert outcome(pages.read, data) == outcome(long_way, data)
    _, page = pages.read(data, PageAnswer)
    trust, found, complete = follow(Trust(), page, OPENED, "KEN", PLACE, None, whole)
    assert (trust.tip, complete) == (LOG.tips["KEN"], True)
    assert [one.view is None for one in found] == [False, False, True, False, False]


def test_a_page_with_statements_before_or_behind_it_is_read_quickly() -> None:
    for page in ({**doc(), "statements": {}}, {"statements": {"a": "b"}, **doc()}):
        data = written(page)
        assert is_quick(data, Statements)
        assert outcome(pages.read, data, Statements) == outcome(long_way, data, Statements)


def test_an_exhibit_is_written_as_its_evidence_is() -> None:
    for count in range(5):
        evidence = LOG.evidence("KEN", count)
        assert pages.encode(exhibit(evidence)).decode() == evidence.model_dump_json()


def test_a_page_is_written_as_its_segment_is() -> None:
    segment = LOG.segment("KEN")
    shown = tuple(map(exhibit, segment.entries))
    page = MadePage(segment.checkpoint, segment.channel, shown, segment.head)
    assert pages.encode(page.plain()).decode() == segment.model_dump_json()


NUMBERS = (-1, 0, 1, MAX_VIEWS - 1, MAX_VIEWS, (1 << 53) - 1, 1 << 53, 10**16, 1 << 70, 1.0, "1")
BASE64 = (
    *("", "A", "AA==", "AB==", "AAA=", "AAB=", "AAAA", "AAA", "AA=A", "A===", "AA==\n", "A-_A"),
    *("é", "\u2014", "AAAA AAAA", '"', "\\"),
    *(encode(bytes(n)) for n in (31, 32, 33, MAX_BASE64 // 4 * 3, MAX_BASE64 // 4 * 3 + 1)),
    *(None, 1, True, ["AAAA"], {"a": "AAAA"}),
)
CHANGES: dict[str, Change] = {
    **{f"{name} {n}": entry(**{name: n}) for name in ("index", "slot") for n in NUMBERS},
    **{
        f"{name} {number}": entry(**{name: text})
        for name in ("leaf", "link", "opening", "view", "view_opening")
        for number, text in enumerate(BASE64)
    },
    **{f"proof {number}": entry(proof=[text]) for number, text in enumerate(BASE64)},
    **{f"{n} hashes": entry(proof=[encode(bytes(32))] * n) for n in (0, MAX_PROOF, MAX_PROOF + 1)},
    "a checkpoint of its own": entry(checkpoint=LOG.checkpoint),
    "an unknown field": entry(more=1),
    "a field that is missing": lambda page: page["segment"]["entries"][1].pop("view"),
    "an entry that is none": lambda page: page["segment"]["entries"].append(7),
    "no entries": lambda page: page["segment"].update(entries=[]),
    "entries that are no list": lambda page: page["segment"].update(entries={}),
    "as many entries as fit": lambda page: page["segment"].update(
        entries=page["segment"]["entries"][:1] * MAX_SEGMENT_ENTRIES
    ),
    "one entry too many": lambda page: page["segment"].update(
        entries=page["segment"]["entries"][:1] * (MAX_SEGMENT_ENTRIES + 1)
    ),
    "entries that are too large": lambda page: page["segment"].update(
        entries=[page["segment"]["entries"][0] | {"view": encode(bytes(66_000))}] * 200
    ),
    "another channel": lambda page: page["segment"].update(channel="GBR"),
    "no channel": lambda page: page["segment"].update(channel="ken"),
    "no head": lambda page: page["segment"].update(head={}),
    "an unknown field beside": lambda page: page.update(entries=[]),
    "entries before": lambda page: page.update(segment={"entries": [], **page["segment"]}),
    "the words in a checkpoint": lambda page: page["segment"].update(
        checkpoint='"entries":[],"head":"'
    ),
    "the words in a proof": lambda page: page.update(consistency=['"entries":[', '],"head":']),
    "what cannot be seen": lambda page: page["segment"].update(checkpoint="a\u202eb"),
    "text that is not NFC": lambda page: page["segment"].update(checkpoint="e\u0301"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_page_is_judged_alike(name: str) -> None:
    """Expect the same refusal, in the same words, as where every page goes the long way."""
    data = changed(CHANGES[name])
    assert outcome(pages.read, data) == outcome(long_way, data)


USUAL = written(doc())
SPELLINGS: dict[str, bytes] = {
    "spaces": json.dumps(doc()).encode(),
    "escapes in ASCII": json.dumps(doc(), separators=(",", ":")).encode(),
    "a key twice": USUAL.replace(b'"slot":0', b'"slot":0,"slot":0', 1),
    "two keys, one escaped": USUAL.replace(b'"slot":0', b'"slot":0,"\\u0073lot":0', 1),
    "entries twice": USUAL.replace(b'"head":', b'"entries":[],"head":', 1),
    "entries twice, the first empty": USUAL.replace(b'"entries":', b'"entries":[],"entries":', 1),
    "a float": USUAL.replace(b'"slot":0', b'"slot":0.0', 1),
    "an exponent": USUAL.replace(b'"slot":0', b'"slot":0e0', 1),
    "minus zero": USUAL.replace(b'"index":0', b'"index":-0', 1),
    "a leading zero": USUAL.replace(b'"slot":0', b'"slot":00', 1),
    "escaped base64": USUAL.replace(b'"leaf":"A', b'"leaf":"\\u0041', 1),
    "an escaped slash": USUAL.replace(b"/", b"\\/", 1),
    "fields in another order": USUAL.replace(b'{"index":0,"slot":0,', b'{"slot":0,"index":0,', 1),
    "head before entries": written(
        {"segment": dict(reversed(list(doc()["segment"].items()))), "consistency": []}
    ),
    "a comma too many": USUAL.replace(b'],"head":', b',],"head":', 1),
    "cut off": USUAL[:-1],
    "cut off in the entries": USUAL[: USUAL.index(b'],"head"')],
    "twice": USUAL + USUAL,
    "a byte order mark": b"\xef\xbb\xbf" + USUAL,
    "not UTF-8": USUAL.replace(b'"channel":"', b'"channel":"\xff', 1),
    "nothing": b"",
    "too large": USUAL + b" " * MAX_SEGMENT_BYTES,
    "only the words": b'"entries":[],"head":',
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_page_in_another_spelling_is_judged_alike(name: str) -> None:
    """Expect the same: nothing gets past the gate for its spelling."""
    data = SPELLINGS[name]
    assert outcome(pages.read, data) == outcome(long_way, data)


MARKS = b'{}[]",:\\/= \n\x00\x7f\xff-.0123456789eEABab+'
PIECES = [bytes([mark]) for mark in MARKS] + [
    *(
        b'"entries":[',
        b'],"head":',
        b'"slot":0,',
        b"null",
        b"true",
        b'""',
        b"{}",
        b"[]",
        b"\xc3\xa9",
    ),
]


@pytest.mark.slow
@given(st.data())
def test_any_change_of_the_bytes_is_judged_alike(data: st.DataObject) -> None:
    """Expect the same result or the same refusal for whatever comes from the network."""
    text = USUAL
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        gone = data.draw(st.sampled_from([0, 1, 1, 2, 30]))
        text = text[:at] + data.draw(st.sampled_from(PIECES)) + text[at + gone :]
    assert outcome(pages.read, text) == outcome(long_way, text)
