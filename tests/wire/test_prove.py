"""Proofs of the journal: honest histories pass, and each lie that a broker could try is caught.

The lies are those of the audit design: what is hidden, swapped, repeated, foreign or edited is
refused, and the refusal names the first entry that is wrong.
"""

import contextlib
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.wire.memory_log import CHANNELS, NOON, SECRET, MemoryLog, released
from wire import entries, links, prove
from wire.base64_strict import decode, encode
from wire.entries import MISSION, Event, Tip
from wire.errors import Conflict, Malformed, TearlineError
from wire.evidence import (
    Evidence,
    HeadEvidenceModel,
    Segment,
    read_evidence,
    read_segment,
)
from wire.notes import Checkpoint, Ed25519Signer, open_checkpoint, sign_checkpoint
from wire.prove import Trust, VerifiedEntry, verify_entry, walk


def history() -> MemoryLog:
    """Seven entries of KEN's among others, in four batches."""
    log = MemoryLog()
    log.append(released("KEN", "GBR", report=0), released("GBR", "FRA", report=1))
    log.append(*[released("KEN", "FRA", report=i) for i in range(2, 5)])
    log.append(released("FRA", report=5), released("GBR", "KEN", report=6))
    log.append(released("KEN", report=7), released("KEN", "GBR", "FRA", MISSION, report=8))
    return log


LOG = history()
KEY = LOG.signer.vkey
PLACE = CHANNELS.index("KEN")


def follow(
    segment: Segment,
    trust: Trust = Trust(),  # noqa: B008 - frozen
    consistency: list[bytes] | None = None,
    channel: str = "KEN",
) -> tuple[Trust, tuple[VerifiedEntry, ...], bool]:
    place = CHANNELS.index(channel)
    return walk(trust, segment, [KEY], channel, place, len(CHANNELS), consistency or [])


def reports(found: tuple[VerifiedEntry, ...]) -> list[Any]:
    return [entry.view and entry.view["report"] for entry in found]


# -- honest histories


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_channels_whole_history_is_proved(channel: str) -> None:
    trust, found, complete = follow(LOG.segment(channel), channel=channel)
    assert complete
    assert [entry.count for entry in found] == list(range(len(LOG.entries[channel])))
    assert trust == Trust(LOG.tree.size, LOG.tree.root(), LOG.tips[channel], LOG.tips[channel])
    assert all(entry.channel == entry.view["seen_by"] == channel for entry in found if entry.view)


def test_a_verified_entry_says_what_was_journalled() -> None:
    entry = follow(LOG.segment("KEN"))[1][0]
    assert (entry.index, entry.channel, entry.count) == (0, "KEN", 0)
    assert (entry.time, entry.type) == (NOON + 1_000, "report.released")
    assert entry.view == {"report": 0, "seen_by": "KEN"}
    assert entry.checkpoint.checkpoint.size == LOG.tree.size
    with pytest.raises(TypeError):
        entry.view["report"] = 1  # type: ignore[index]


def test_a_verified_entry_cannot_be_made_without_verifying() -> None:
    with pytest.raises(TypeError, match="proof of a check"):
        VerifiedEntry(index=0)  # type: ignore[call-arg]


def test_a_channel_without_entries_is_proved_to_have_none() -> None:
    log = MemoryLog()
    log.append(released("GBR"))
    trust, found, complete = walk(
        Trust(), log.segment("KEN"), [KEY], "KEN", PLACE, len(CHANNELS), []
    )
    assert (found, complete, trust.tip) == ((), True, Tip())


def test_the_next_walk_continues_where_the_last_one_ended() -> None:
    log = history()
    trust, _, _ = follow(log.segment("KEN"))
    log.append(released("FRA", "KEN", report=9), released("KEN", report=10))
    segment = log.segment("KEN", after=trust.tip.count)
    trust, found, complete = follow(segment, trust, log.consistency(trust.size))
    assert (reports(found), complete) == ([9, 10], True)
    assert trust.size == log.tree.size


def test_nothing_new_is_proved_too() -> None:
    log = history()
    trust, _, _ = follow(log.segment("KEN"))
    log.append(released("FRA"))
    again, found, complete = follow(log.segment("KEN", after=7), trust, log.consistency(trust.size))
    assert (found, complete, again.tip) == ((), True, trust.tip)
    same, found, complete = follow(log.segment("KEN", after=7), again)
    assert (found, complete, same) == ((), True, again)


def test_a_history_is_read_in_pages_while_the_log_grows() -> None:
    log, trust, seen = history(), Trust(), []
    for step in range(5):
        segment = log.segment("KEN", after=trust.tip.count, limit=2)
        trust, found, complete = follow(segment, trust, log.consistency(trust.size))
        seen += reports(found)
        assert complete == (step == 4)
        if step < 2:
            log.append(released("KEN", "GBR", report=9 + step))
    assert seen == [0, 2, 3, 4, 6, 7, 8, 9, 10]
    assert trust.tip == log.tips["KEN"]


def test_erased_views_are_counted_and_break_nothing() -> None:
    log = history()
    log.erased.add(("KEN", 3))
    _, found, complete = follow(log.segment("KEN"))
    assert complete
    assert reports(found) == [0, 2, 3, None, 6, 7, 8]
    assert found[3].view is None
    assert found[3].type == "report.released"


def test_the_missions_channel_is_followed_without_knowing_how_many_channels_there_are() -> None:
    """Its entries are what tells the number."""
    trust, found, complete = walk(Trust(), LOG.segment(MISSION), [KEY], MISSION, 0, None, [])
    assert (len(found), complete, trust.size) == (1, True, LOG.tree.size)


def test_a_nation_admitted_later_gets_the_next_place() -> None:
    log = MemoryLog(channels=CHANNELS[:3])
    log.append(released("KEN"))
    trust, _, _ = walk(Trust(), log.segment("KEN"), [KEY], "KEN", 1, 3, [])
    log.channels = CHANNELS
    log.entries["FRA"] = []
    log.append(released("FRA", "KEN"))
    consistency = log.consistency(trust.size)
    assert walk(trust, log.segment("KEN", after=1), [KEY], "KEN", 1, 4, consistency)[2]
    assert walk(Trust(), log.segment("FRA"), [KEY], "FRA", 3, 4, [])[2]


def test_one_entry_is_proved_by_itself() -> None:
    evidence = LOG.evidence("KEN", 4, LOG.checkpoint)
    entry = verify_entry(evidence, [KEY], "KEN")
    assert entry.count == 4
    assert verify_entry(read_evidence(evidence.model_dump_json().encode()), [KEY], "KEN") == entry


def test_a_checkpoint_opened_before_is_not_opened_again() -> None:
    """So that a caller can check witnesses once, and then a thousand entries."""
    opened = open_checkpoint(LOG.checkpoint, [KEY])
    evidence = LOG.evidence("KEN", 4)
    assert verify_entry(evidence, [], "KEN", checkpoint=opened).checkpoint is opened
    segment = LOG.segment("KEN").model_copy(update={"checkpoint": ""})
    _, found, _ = walk(Trust(), segment, [], "KEN", PLACE, None, [], checkpoint=opened)
    assert found[0].checkpoint is opened


def test_a_page_survives_its_trip_as_json() -> None:
    segment = LOG.segment("KEN")
    assert read_segment(segment.model_dump_json().encode()) == segment


# -- lies: the page is changed on its way, or the broker serves it so


Lie = Callable[[dict[str, Any]], object]


def edited(lie: Lie, segment: Segment) -> Segment:
    fields = json.loads(segment.model_dump_json())
    lie(fields)
    return read_segment(json.dumps(fields).encode())


def edit(field: str, change: Callable[[bytes], bytes], at: int = 2) -> Lie:
    """Entry `at` with the bytes of a field changed."""

    def lie(page: dict[str, Any]) -> None:
        entry = page["entries"][at]
        entry[field] = encode(change(decode(entry[field])))

    return lie


def put(field: str, value: Callable[[Any], object], at: int = 2) -> Lie:
    def lie(page: dict[str, Any]) -> None:
        page["entries"][at][field] = value(page["entries"][at][field])

    return lie


def flip(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


FOREIGN = json.loads(LOG.segment("GBR").model_dump_json())
ENTRY_LIES: dict[str, tuple[int, Lie]] = {
    "hide an entry in the middle": (4, lambda page: page["entries"].pop(4)),
    "hide the oldest entry": (0, lambda page: page["entries"].pop(0)),
    "swap two entries": (2, lambda page: page["entries"].insert(2, page["entries"].pop(3))),
    "move an entry": (1, lambda page: page["entries"].insert(1, page["entries"].pop(5))),
    "repeat an entry": (3, lambda page: page["entries"].insert(3, page["entries"][2])),
    "repeat the newest entry": (7, lambda page: page["entries"].append(page["entries"][6])),
    "show another channel's entry": (
        2,
        lambda page: page["entries"].__setitem__(2, FOREIGN["entries"][2]),
    ),
    "change a view": (2, edit("view", lambda _: b'{"report":99,"seen_by":"KEN"}')),
    "change a view's opening": (2, edit("view_opening", flip)),
    "take a view away but not its opening": (2, put("view", lambda _: None)),
    "take a view's opening away": (2, put("view_opening", lambda _: None)),
    "change a link": (2, edit("link", lambda link: link.replace(b"released", b"refused."))),
    "change a link's time": (2, edit("link", lambda link: link.replace(b'"time":1', b'"time":2'))),
    "change a link's opening": (2, edit("opening", flip)),
    "change a leaf": (2, edit("leaf", lambda leaf: leaf[:-1] + b"\0")),
    "add a commitment to a leaf": (2, edit("leaf", lambda leaf: leaf + bytes(32))),
    "wrong index": (2, put("index", lambda index: index + 1)),
    "index beyond the tree": (2, put("index", lambda _: LOG.tree.size)),
    "wrong slot": (2, put("slot", lambda slot: slot + 1)),
    "change a proof": (2, put("proof", lambda proof: [encode(bytes(32)), *proof[1:]])),
    "shorten a proof": (2, put("proof", lambda proof: proof[:-1])),
    "stray bits in base64": (2, put("proof", lambda proof: [proof[0][:-2] + "B=", *proof[1:]])),
    "the heads leaf as an entry": (
        2,
        lambda page: page["entries"][2].update(
            leaf=page["head"]["leaf"], proof=page["head"]["proof"], index=LOG.tree.size - 1
        ),
    ),
}


@pytest.mark.parametrize("name", ENTRY_LIES)
def test_a_lie_about_an_entry_is_refused_by_its_number(name: str) -> None:
    first_bad, lie = ENTRY_LIES[name]
    with pytest.raises(Malformed) as caught:
        follow(edited(lie, LOG.segment("KEN")))
    assert caught.value.slug == "broken-chain"
    assert re.match(rf"entry {first_bad} of KEN\b", caught.value.detail), caught.value.detail


def test_hiding_the_newest_entry_never_ends_in_complete() -> None:
    """A page may stop early; the one that pretends to be the rest is then refused."""
    lie: Lie = lambda page: page["entries"].pop()  # noqa: E731
    trust, found, complete = follow(edited(lie, LOG.segment("KEN")))
    assert (len(found), complete) == (6, False)
    rest = edited(lie, LOG.segment("KEN", after=6))
    with pytest.raises(Malformed, match="entry 6 of KEN: 6 shown, 7 exist"):
        follow(rest, trust, LOG.consistency(trust.size))


def test_hiding_all_entries_is_refused() -> None:
    lie: Lie = lambda page: page["entries"].clear()  # noqa: E731
    with pytest.raises(Malformed, match="entry 0 of KEN: 0 shown, 7 exist"):
        follow(edited(lie, LOG.segment("KEN")))


HEAD_LIES: dict[str, Lie] = {
    "another channel's head": lambda page: page.__setitem__("head", FOREIGN["head"]),
    "another channel's head on my path": lambda page: page["head"].update(
        head=FOREIGN["head"]["head"], opening=FOREIGN["head"]["opening"]
    ),
    "a smaller count in the head": lambda page: (
        page["entries"].pop(),
        page["head"].update(
            head=encode(decode(page["head"]["head"]).replace(b'"count":7', b'"count":6'))
        ),
    ),
    "an older heads leaf": lambda page: page["head"].update(
        leaf=encode(LOG.leaves[2]), proof=[encode(h) for h in LOG.proof(2)]
    ),
    "an entry's leaf for the heads leaf": lambda page: page["head"].update(
        leaf=page["entries"][6]["leaf"]
    ),
    "another opening of the head": lambda page: page["head"].update(opening=encode(bytes(32))),
    "another path": lambda page: page["head"].update(path=FOREIGN["head"]["path"]),
    "no path": lambda page: page["head"].update(path=[]),
    "the size in the checkpoint": lambda page: page.update(
        checkpoint=page["checkpoint"].replace(f"\n{LOG.tree.size}\n", f"\n{LOG.tree.size - 1}\n")
    ),
    "a checkpoint by somebody else's key": lambda page: page.update(
        checkpoint=sign_checkpoint(
            Checkpoint(KEY.name, LOG.tree.size, LOG.tree.root()),
            [Ed25519Signer(KEY.name, b"x" * 32)],
        )
    ),
    "a page of another channel": lambda page: page.update(channel="GBR"),
}


@pytest.mark.parametrize("name", HEAD_LIES)
def test_a_lie_about_the_head_or_the_checkpoint_is_refused(name: str) -> None:
    with pytest.raises(Malformed) as caught:
        follow(edited(HEAD_LIES[name], LOG.segment("KEN")))
    assert caught.value.slug in {"broken-chain", "bad-proof", "bad-checkpoint"}


def test_the_head_stands_at_the_channels_own_place() -> None:
    """Two heads for one channel in one tree must not both be acceptable."""
    for place in range(len(CHANNELS)):
        if place != PLACE:
            with pytest.raises(Malformed, match="bad-proof"):
                walk(Trust(), LOG.segment("KEN"), [KEY], "KEN", place, 4, [])


def test_a_head_at_the_right_place_for_another_channel_is_refused() -> None:
    log = MemoryLog(channels=(MISSION, "GBR", "KEN", "FRA"))
    log.append(released("GBR"))
    page = log.segment("GBR").model_copy(update={"channel": "KEN", "entries": ()})
    with pytest.raises(Malformed, match="the head is not that of KEN"):
        walk(Trust(), page, [KEY], "KEN", PLACE, 4, [])


def test_a_head_for_another_number_of_channels_is_refused() -> None:
    with pytest.raises(Malformed, match="for 4 channels, not 5"):
        walk(Trust(), LOG.segment("KEN"), [KEY], "KEN", PLACE, 5, [])


def test_an_entry_of_another_channel_is_not_ones_own() -> None:
    with pytest.raises(Malformed, match="another channel or place"):
        verify_entry(LOG.evidence("GBR", 0, LOG.checkpoint), [KEY], "KEN")


def test_an_entry_without_a_checkpoint_is_not_proved() -> None:
    with pytest.raises(Malformed, match="bad-checkpoint"):
        verify_entry(LOG.evidence("KEN", 0), [KEY], "KEN")


# -- lies: the broker signs a log that is built wrong


def test_an_entry_left_out_of_the_chain_is_missing_for_its_own_channel_only() -> None:
    """The orphan: its channel's chain is consistent without it, but the partner holds it."""
    log = history()
    keep = log.tips["KEN"]
    orphan = log.append(released("KEN", "GBR", report=66)).entries[0]
    log.entries["KEN"].pop()
    log.tips["KEN"] = keep
    log.append(released("KEN", report=67))
    _, mine, complete = follow(log.segment("KEN"))
    _, theirs, _ = follow(log.segment("GBR"), channel="GBR")
    assert complete
    assert orphan.index in {e.index for e in theirs} - {e.index for e in mine}
    slots = sum(leaf[1] for leaf in log.leaves if leaf[0] == links.ENTRY)
    assert slots == sum(tip.count for tip in log.tips.values()) + 1


def test_an_entry_cannot_be_dated_back_behind_a_head_that_was_accepted() -> None:
    """The orphan comes back: it stands before the tree that was complete without it."""
    log = history()
    keep = log.tips["KEN"]
    orphan = log.append(released("KEN", report=66)).entries[0]
    log.entries["KEN"].pop()
    log.tips["KEN"] = keep
    log.append()
    trust, _, complete = follow(log.segment("KEN"))
    assert complete
    log.show(orphan)
    log.tips["KEN"] = orphan.tips["KEN"]
    log.append()
    page = log.segment("KEN", after=7)
    with pytest.raises(Malformed, match=r"entry 7 of KEN.* stands before"):
        follow(page, trust, log.consistency(trust.size))


@pytest.mark.parametrize("limit", [1, 1_000])
def test_a_chain_cannot_leave_out_an_entry_that_a_head_has_named(limit: int) -> None:
    """Two endings of a chain are shown to one reader in the middle of paging."""
    log = history()
    trust, _, complete = follow(log.segment("KEN", limit=6))
    assert not complete
    last = log.entries["KEN"].pop()
    before = Tip(6, *_place(log, 5))
    assert before == trust.tip
    log.tips["KEN"] = before
    log.append(released("KEN", report=70))
    log.append(released("KEN", report=71))
    page = log.segment("KEN", after=6, limit=limit)
    with pytest.raises(Malformed, match=r"entry 6 of KEN: not the one|entry 7 of KEN.* the head"):
        follow(page, trust, log.consistency(trust.size))
    assert last.index < trust.size


def _place(log: MemoryLog, count: int) -> tuple[int, int, bytes]:
    entry = log.entries["KEN"][count]
    row = entry.links["KEN"]
    return entry.index, row.slot, row.commitment


def test_a_head_that_has_shrunk_is_refused() -> None:
    log = history()
    trust, _, _ = follow(log.segment("KEN"))
    log.tips["KEN"] = Tip(6, *_place(log, 5))
    log.append()
    with pytest.raises(Malformed, match="entry 6 of KEN: 7 shown, 6 exist"):
        follow(log.segment("KEN", after=7), trust, log.consistency(trust.size))


def test_more_entries_than_the_head_counts_are_refused() -> None:
    log = history()
    log.tips["KEN"] = Tip(6, *_place(log, 5))
    log.append()
    with pytest.raises(Malformed, match="entry 6 of KEN: 7 shown, 6 exist"):
        follow(log.segment("KEN"))


def test_a_number_that_is_left_out_is_refused() -> None:
    """The chain holds, but the numbers would tell a reader of more entries than there are."""
    log = history()
    log.tips["KEN"] = Tip(8, *_place(log, 6))
    log.append(released("KEN", report=9))
    with pytest.raises(Malformed, match=r"entry 7 of KEN.* number 8 is there"):
        follow(log.segment("KEN"))


def test_a_link_that_stands_in_another_slot_than_it_says_is_refused() -> None:
    log = MemoryLog()
    entry = entries.seal_event(released("GBR", "KEN"), 0, NOON, {}, SECRET, log.random)
    leaf = entry.leaf[:2] + entry.leaf[34:] + entry.leaf[2:34]
    log.write(leaf)
    log.write_heads()
    log.show(entry)
    swapped = log.evidence("KEN", 0, log.checkpoint).model_copy(
        update={"leaf": encode(leaf), "slot": 0}
    )
    with pytest.raises(Malformed, match="another channel or place"):
        verify_entry(swapped, [KEY], "KEN")


def test_a_head_that_names_another_newest_entry_is_refused() -> None:
    log = history()
    log.tips["KEN"] = Tip(7, *_place(log, 5))
    log.append()
    with pytest.raises(Malformed, match="entry 6 of KEN: not the newest"):
        follow(log.segment("KEN"))


def test_a_chain_runs_in_the_order_of_the_log() -> None:
    """A broker can plan two leaves and write the later link first."""
    log = MemoryLog()
    first = entries.seal_event(released("KEN"), 1, NOON, {}, SECRET, log.random)
    second = entries.seal_event(released("KEN"), 0, NOON, first.tips, SECRET, log.random)
    log.write(second.leaf)
    log.write(first.leaf)
    log.show(first)
    log.show(second)
    log.tips = dict(second.tips)
    log.write_heads()
    with pytest.raises(Malformed, match="entry 1 of KEN, at index 0: stands before"):
        follow(log.segment("KEN"))


@pytest.mark.parametrize("tip", [Tip(1, 0, 0, b"x" * 32), Tip(1, 5, 0)])
def test_a_link_to_another_entry_before_it_is_refused(tip: Tip) -> None:
    log = MemoryLog()
    log.append(released("KEN"))
    right = log.tips["KEN"]
    log.tips["KEN"] = Tip(
        1, tip.index, 0, tip.commitment if any(tip.commitment) else right.commitment
    )
    log.append(released("KEN"))
    with pytest.raises(Malformed, match=r"entry 1 of KEN.* does not follow the entry before it"):
        follow(log.segment("KEN"))


def test_a_link_for_another_place_than_its_leafs_is_refused() -> None:
    """The same leaf written twice would else be two entries."""
    log = MemoryLog()
    entry = log.append(released("KEN", "GBR")).entries[0]
    log.write(entry.leaf)
    log.write_heads()
    moved = log.evidence("KEN", 0, log.checkpoint).model_copy(
        update={"index": 2, "proof": tuple(encode(h) for h in log.proof(2))}
    )
    with pytest.raises(Malformed, match="another channel or place"):
        verify_entry(moved, [KEY], "KEN")


# -- lies: another log than the one trusted


def test_a_log_that_has_shrunk_is_refused() -> None:
    log = history()
    older = log.segment("KEN")
    log.append(released("FRA"))
    trust, _, _ = follow(log.segment("KEN"))
    with pytest.raises(Malformed, match="were seen before"):
        follow(older, trust)


def test_two_trees_of_one_size_are_a_fork() -> None:
    one, other = history(), history()
    one.append(released("FRA", report=1))
    other.append(released("FRA", report=2))
    trust, _, _ = follow(one.segment("KEN"))
    with pytest.raises(Conflict) as caught:
        follow(other.segment("KEN", after=7), trust)
    assert caught.value.slug == "fork-detected"


def test_a_longer_log_with_another_past_is_refused() -> None:
    one, other = history(), history()
    one.append(released("FRA", report=1))
    other.append(released("FRA", report=2))
    other.append(released("FRA", report=3))
    trust, _, _ = follow(one.segment("KEN"))
    for proof in ([], other.consistency(trust.size), one.consistency(LOG.tree.size)):
        with pytest.raises(Malformed, match="bad-proof"):
            follow(other.segment("KEN", after=7), trust, proof)


def test_a_consistency_proof_with_nothing_is_refused() -> None:
    with pytest.raises(Malformed, match="consistency with nothing"):
        follow(LOG.segment("KEN"), Trust(), [bytes(32)])


def test_an_empty_log_proves_nothing() -> None:
    log = MemoryLog()
    head = entries.head_evidence("KEN", 0, NOON, CHANNELS, {}, SECRET)
    segment = prove.Segment(
        checkpoint=log.checkpoint,
        channel="KEN",
        entries=(),
        head=HeadEvidenceModel(
            leaf=encode(head.leaf),
            head=encode(head.head),
            opening=encode(head.opening),
            path=tuple(map(encode, head.path)),
            proof=(),
        ),
    )
    with pytest.raises(Malformed, match="bad-proof"):
        follow(segment)


# -- any change, any bytes


PAGE = json.loads(LOG.segment("KEN").model_dump_json())


def places(value: object, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every string and number in a JSON value; what is absent is not looked at in a page."""
    if isinstance(value, dict):
        return [found for key in value for found in places(value[key], (*at, key))]
    if isinstance(value, list):
        return [found for i, item in enumerate(value) for found in places(item, (*at, i))]
    return [] if value is None else [at]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_single_change_to_a_page_is_refused(data: st.DataObject) -> None:
    at = data.draw(st.sampled_from(places(PAGE)))
    page = json.loads(json.dumps(PAGE))
    holder = page
    for key in at[:-1]:
        holder = holder[key]
    value = holder[at[-1]]
    if isinstance(value, int):
        holder[at[-1]] = data.draw(st.integers(-2, 40).filter(lambda i: i != value))
    else:
        where = data.draw(st.integers(0, len(value) - 1))
        other = data.draw(st.sampled_from("ABYZaz09+/=\n ").filter(lambda c: c != value[where]))
        holder[at[-1]] = value[:where] + other + value[where + 1 :]
    with pytest.raises(Malformed):
        follow(read_segment(json.dumps(page).encode()))


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_a_page_or_a_refusal_and_nothing_else(data: bytes) -> None:
    for read in (read_evidence, read_segment):
        with contextlib.suppress(TearlineError):
            read(data)


texts = st.text("AQ/+=é", max_size=44) | st.binary(max_size=80).map(encode)
hashes = st.binary(min_size=31, max_size=33).map(encode)


@pytest.mark.slow
@given(
    st.builds(
        Evidence.model_construct,
        index=st.integers(-1, 1 << 70),
        slot=st.integers(-1, 300),
        leaf=texts | st.just(encode(LOG.leaves[0])),
        link=texts,
        opening=hashes,
        view=st.none() | texts,
        view_opening=st.none() | hashes,
        proof=st.lists(hashes | texts, max_size=5).map(tuple),
        checkpoint=st.just(LOG.checkpoint) | st.none() | st.text(max_size=9),
    )
)
def test_any_evidence_is_refused_with_a_slug_and_nothing_else(evidence: Evidence) -> None:
    with pytest.raises(TearlineError):
        verify_entry(evidence, [KEY], "KEN")


def test_evidence_of_any_event_that_can_be_journalled_can_be_read() -> None:
    """The bounds of the JSON forms are not narrower than those of the journal."""
    log = MemoryLog()
    log.append(Event("report.accepted", {"KEN": {"x": "y" * 65_000}}))
    evidence = log.evidence("KEN", 0, log.checkpoint)
    assert verify_entry(read_evidence(evidence.model_dump_json().encode()), [KEY], "KEN").view
