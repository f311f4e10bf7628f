"""Entries: the bytes are those of the design, and each opens to what it commits to, only."""

import contextlib
import hmac
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from tests.wire.memory_log import CHANNELS, NOON, SECRET, MemoryLog, released
from wire import entries, links, merkle
from wire.entries import MISSION, Event, Tip
from wire.errors import BrokerFault, Malformed, TearlineError
from wire.links import Link
from wire.merkle import Frontier

ZEROS = bytes(32)


def mac(key: str, opening: bytes, text: bytes) -> bytes:
    return hmac.digest(key.encode(), opening + text, "sha256")


def draw(size: int) -> bytes:
    return bytes(range(size))


# -- the bytes


def test_an_entry_is_what_the_design_says_byte_for_byte() -> None:
    """Computed here without the module's helpers, so that a second implementation can be, too."""
    tips = {"GBR": Tip(41, 900, 1, b"t" * 32)}
    event = Event("report.released", {"KEN": {"to": "GBR"}, "GBR": {"from": "KEN", "é": None}})
    entry = entries.seal_event(event, 1234, NOON, tips, SECRET, draw)

    bodies = [b'{"to":"GBR"}', '{"from":"KEN","é":null}'.encode()]
    view_openings = [bytes(range(32)), bytes(range(32, 64))]
    before: list[tuple[str, int, int, bytes]] = [("KEN", 0, -1, ZEROS), ("GBR", 41, 900, b"t" * 32)]
    leaf = b"\x01\x02"
    for slot, (channel, count, prev_index, prev) in enumerate(before):
        link = {
            "channel": channel,
            "count": count,
            "index": 1234,
            "slot": slot,
            "prev_index": prev_index,
            "prev": prev.hex(),
            "time": NOON,
            "type": "report.released",
            "view": mac("tearline/view/v1", view_openings[slot], bodies[slot]).hex(),
        }
        text = json.dumps(link, separators=(",", ":")).encode()
        opening = entries.link_opening(SECRET, 1234, slot)
        commitment = mac("tearline/link/v1", opening, text)
        leaf += commitment
        assert entry.links[channel] == entries.LinkRow(count, slot, text, commitment)
        assert entry.views[channel] == (view_openings[slot], bodies[slot])
        assert entry.tips[channel] == Tip(count + 1, 1234, slot, commitment)
    assert entry.leaf == leaf
    assert entry.index == 1234


def test_a_leaf_with_more_places_than_channels_shows_neither_number_nor_order() -> None:
    """Each place is a link's or a decoy's, and only who has the secret can tell which."""
    where = set()
    for index in range(40):
        event = Event("release", {"KEN": {"to": "GBR"}, "GBR": {"from": "KEN"}}, 4)
        entry = entries.seal_event(event, index, NOON, {}, SECRET, draw)
        assert (entry.leaf[:2], len(entry.leaf)) == (b"\x01\x04", 2 + 4 * 32)
        taken = {row.slot: row.commitment for row in entry.links.values()}
        for slot in range(4):
            decoy = entries.decoy(SECRET, index, slot)
            assert entry.leaf[2 + 32 * slot :][:32] == taken.get(slot, decoy)
            assert entries.decoy(b"another" * 5, index, slot) != decoy
        for channel, row in entry.links.items():
            opening = entries.link_opening(SECRET, index, row.slot)
            assert links.open_link(entry.leaf, row.slot, opening, row.link)[0].channel == channel
            assert entry.tips[channel].slot == row.slot
        where.add(tuple(row.slot for row in entry.links.values()))
    assert len(where) == 4 * 3, "any pair of places, in any order"


@pytest.mark.parametrize("places", [-1, 1, 256])
def test_a_leaf_has_places_for_all_channels(places: int) -> None:
    with pytest.raises(Malformed, match="1 to 255 channels"):
        Event("release", {"KEN": {}, "GBR": {}}, places)


def test_a_heads_leaf_is_what_the_design_says_byte_for_byte() -> None:
    tips = {"KEN": Tip(3, 77, 1, b"k" * 32)}
    evidence = [
        entries.head_evidence(channel, 80, NOON, CHANNELS, tips, SECRET) for channel in CHANNELS
    ]
    assert json.loads(evidence[1].head) == {
        "channel": "KEN",
        "count": 3,
        "index": 77,
        "slot": 1,
        "last": (b"k" * 32).hex(),
    }
    assert json.loads(evidence[0].head) == {
        "channel": MISSION,
        "count": 0,
        "index": -1,
        "slot": -1,
        "last": ZEROS.hex(),
    }
    tree = Frontier()
    for one in evidence:
        tree.append(merkle.leaf_hash(mac("tearline/head/v1", one.opening, one.head)))
    leaf = b"\x02" + NOON.to_bytes(8, "big") + b"\x00\x04" + tree.root()
    assert entries.heads_leaf(80, NOON, CHANNELS, tips, SECRET) == leaf
    assert {one.leaf for one in evidence} == {leaf}


def test_openings_never_repeat() -> None:
    """One opening for two texts would let a reader of one guess at the other."""
    links_ = {entries.link_opening(SECRET, index, slot) for index in range(20) for slot in range(9)}
    heads = {
        entries.head_evidence(channel, index, NOON, CHANNELS, {}, SECRET).opening
        for channel in CHANNELS
        for index in range(20)
    }
    assert len(links_ | heads) == 20 * 9 + 20 * len(CHANNELS)
    assert entries.link_opening(b"another secret" * 3, 0, 0) not in links_


def test_every_view_of_a_batch_has_its_own_opening() -> None:
    log = MemoryLog()
    batch = log.append(released("KEN", "GBR"), released("KEN", "FRA"))
    openings = [opening for entry in batch.entries for opening, _ in entry.views.values()]
    assert len(set(openings)) == 4
    assert all(len(opening) == 32 for opening in openings)


# -- opening


def sealed() -> tuple[entries.SealedEntry, list[bytes]]:
    event = Event("report.released", {"KEN": {"to": "GBR"}, "GBR": {"from": "KEN"}})
    entry = entries.seal_event(event, 9, NOON, {}, SECRET, random.Random(1).randbytes)
    return entry, [entries.link_opening(SECRET, 9, slot) for slot in range(2)]


def test_a_commitment_opens_to_its_link_and_its_view() -> None:
    entry, openings = sealed()
    link, commitment = links.open_link(entry.leaf, 1, openings[1], entry.links["GBR"].link)
    assert (link.channel, link.index, link.slot, link.time) == ("GBR", 9, 1, NOON)
    assert commitment == entry.links["GBR"].commitment
    assert links.open_view(link, *entry.views["GBR"]) == {"from": "KEN"}


@pytest.mark.parametrize("slot", [-1, 2, 3])
def test_a_leaf_has_only_the_commitments_that_it_has(slot: int) -> None:
    entry, openings = sealed()
    with pytest.raises(Malformed, match="no such commitment"):
        links.open_link(entry.leaf, slot, openings[0], entry.links["KEN"].link)


@pytest.mark.parametrize("change", ["", "01", "0101", "0103", "0202"])
def test_only_an_entrys_leaf_opens_to_a_link(change: str) -> None:
    """A leaf of another kind, or of another length than its count says, is not an entry."""
    entry, openings = sealed()
    leaf = bytes.fromhex(change) + (entry.leaf[2:] if len(change) == 4 else b"")
    with pytest.raises(Malformed, match="the leaf is not an entry"):
        links.open_link(leaf, 0, openings[0], entry.links["KEN"].link)


def test_a_leaf_does_not_open_to_another_link_or_with_another_opening() -> None:
    entry, openings = sealed()
    text = entry.links["KEN"].link
    for opening, link, slot in (
        (openings[1], text, 0),
        (openings[0], entry.links["GBR"].link, 0),
        (openings[0], text + b" ", 0),
        (openings[0], text, 1),
    ):
        with pytest.raises(Malformed, match="the link is not what was committed to"):
            links.open_link(entry.leaf, slot, opening, link)


def test_an_opening_has_one_length() -> None:
    """Else a byte could move from the text to the opening, and one hash have two meanings."""
    entry, openings = sealed()
    text = entry.links["KEN"].link
    with pytest.raises(Malformed, match="not 32 bytes"):
        links.open_link(entry.leaf, 0, openings[0] + text[:1], text[1:])
    link, _ = links.open_link(entry.leaf, 0, openings[0], text)
    opening, body = entry.views["KEN"]
    with pytest.raises(Malformed, match="not 32 bytes"):
        links.open_view(link, opening[:-1], opening[-1:] + body)
    head = entries.head_evidence("KEN", 9, NOON, CHANNELS, {}, SECRET)
    with pytest.raises(Malformed, match="not 32 bytes"):
        links.open_head(head.opening + head.head[:1], head.head[1:])


def test_a_link_does_not_open_to_another_view() -> None:
    entry, openings = sealed()
    link, _ = links.open_link(entry.leaf, 0, openings[0], entry.links["KEN"].link)
    with pytest.raises(Malformed, match="the view is not what was committed to"):
        links.open_view(link, *entry.views["GBR"])


def test_a_view_is_an_object() -> None:
    body = b"[1]"
    link = Link(
        channel="KEN",
        count=0,
        index=1,
        slot=0,
        prev_index=-1,
        prev=ZEROS.hex(),
        time=NOON,
        type="report.released",
        view=mac("tearline/view/v1", ZEROS, body).hex(),
    )
    with pytest.raises(Malformed, match="not an object"):
        links.open_view(link, ZEROS, body)


@pytest.mark.parametrize(
    "change",
    [
        {"channel": "ken"},
        {"count": -1},
        {"index": -1},
        {"slot": 255},
        {"prev_index": -2},
        {"prev": "00"},
        {"time": "1"},
        {"type": "Report"},
        {"type": "report.released\n"},
        {"view": "F" * 64},
        {"more": 1},
    ],
)
def test_a_link_of_another_form_is_refused_though_the_leaf_commits_to_it(
    change: dict[str, Any],
) -> None:
    entry, _ = sealed()
    text = json.dumps(json.loads(entry.links["KEN"].link) | change).encode()
    leaf = b"\x01\x01" + mac("tearline/link/v1", ZEROS, text)
    with pytest.raises(Malformed) as caught:
        links.open_link(leaf, 0, ZEROS, text)
    assert caught.value.slug in {"bad-fields", "bad-json"}


def test_a_heads_leaf_opens_to_time_channels_and_root() -> None:
    leaf = entries.heads_leaf(80, NOON, CHANNELS, {}, SECRET)
    assert links.open_heads(leaf) == (NOON, 4, leaf[-32:])
    for other in (b"", leaf[:-1], leaf + b"\0", b"\x01" + leaf[1:], sealed()[0].leaf):
        with pytest.raises(Malformed, match="does not end in a heads leaf"):
            links.open_heads(other)


def test_each_head_stands_at_its_channels_place() -> None:
    tips = {"KEN": Tip(3, 77, 1, b"k" * 32)}
    for position, channel in enumerate(CHANNELS):
        evidence = entries.head_evidence(channel, 80, NOON, CHANNELS, tips, SECRET)
        head, hashed = links.open_head(evidence.opening, evidence.head)
        assert head.channel == channel
        _, channels, root = links.open_heads(evidence.leaf)
        merkle.verify_inclusion(position, channels, hashed, evidence.path, root)


@given(
    st.binary(max_size=300), st.integers(-1, 300), st.binary(max_size=40), st.binary(max_size=99)
)
def test_any_bytes_open_or_are_refused_and_nothing_else(
    leaf: bytes, slot: int, opening: bytes, text: bytes
) -> None:
    committed = b"\x01\x01" + mac("tearline/link/v1", ZEROS, text)
    link, _ = links.open_link(sealed()[0].leaf, 0, sealed()[1][0], sealed()[0].links["KEN"].link)
    viewed = structs.replace(link, view=mac("tearline/view/v1", ZEROS, text).hex())
    for attempt in (
        lambda: links.open_link(leaf, slot, opening, text),
        lambda: links.open_link(committed, 0, ZEROS, text),
        lambda: links.open_view(link, opening, text),
        lambda: links.open_view(viewed, ZEROS, text),
        lambda: links.open_heads(leaf),
        lambda: links.open_head(opening, text),
        lambda: links.open_head(ZEROS, text),
    ):
        with contextlib.suppress(TearlineError):
            attempt()


# -- events


@pytest.mark.parametrize(
    "name", ["", "Report", "report released", "report.", ".x", "a.b.c.d.e", "a\n", "é", "a" * 65]
)
def test_an_event_type_is_dotted_lower_case_words(name: str) -> None:
    with pytest.raises(Malformed, match="dotted lower-case words"):
        Event(name, {"KEN": {}})


@pytest.mark.parametrize("name", ["report.released", "member-add", "a.b.c.d1_x", "a" * 64])
def test_every_event_type_that_is_sealed_can_be_opened(name: str) -> None:
    entry = entries.seal_event(Event(name, {"KEN": {}}), 0, NOON, {}, SECRET, draw)
    opening = entries.link_opening(SECRET, 0, 0)
    assert links.open_link(entry.leaf, 0, opening, entry.links["KEN"].link)[0].type == name


@pytest.mark.parametrize("channels", [[], ["ken"], ["KEN\n"], ["KENY"], ["KEN", ""]])
def test_an_event_concerns_channels_that_can_exist(channels: list[str]) -> None:
    with pytest.raises(Malformed, match="1 to 255 channels"):
        Event("report.released", {channel: {} for channel in channels})


def test_an_event_concerns_at_most_as_many_channels_as_a_leaf_counts() -> None:
    many = [f"A{chr(65 + i // 26)}{chr(65 + i % 26)}" for i in range(256)]
    entry = entries.seal_event(
        Event("x", {c: {} for c in many[:255]}), 0, NOON, {}, SECRET, random.Random(1).randbytes
    )
    opening = entries.link_opening(SECRET, 0, 254)
    assert links.open_link(entry.leaf, 254, opening, entry.links[many[254]].link)[0].slot == 254
    with pytest.raises(Malformed, match="1 to 255 channels"):
        Event("x", {c: {} for c in many})


@pytest.mark.parametrize(
    "view", [{"x": 1.5}, {"x": "e\u0301"}, {"x": "\u202e"}, {"x": "y" * 70_000}]
)
def test_a_view_that_readers_would_refuse_fails_its_author(view: dict[str, Any]) -> None:
    """Not the batch: one bad text must not stop everybody else's entries."""
    with pytest.raises(Malformed):
        Event("report.refused", {"KEN": view})


def test_a_view_is_written_out_once_and_does_not_change_afterwards() -> None:
    view = {"report": 1}
    event = Event("report.released", {"KEN": view})
    view["report"] = 2
    entry = entries.seal_event(event, 0, NOON, {}, SECRET, draw)
    assert entry.views["KEN"][1] == b'{"report":1}'


# -- batches


def test_a_batch_continues_the_log_and_changes_nothing_it_was_given() -> None:
    log = MemoryLog()
    log.append(released("KEN", "GBR"))
    tree, tips, size = log.tree, dict(log.tips), log.tree.size
    root = tree.root()
    batch = entries.seal_batch(
        [released("KEN"), released("KEN", MISSION)], size, tree, tips, CHANNELS, NOON, SECRET, draw
    )
    assert (tree.size, tree.root(), tips) == (size, root, log.tips)
    assert [index for index, _, _ in batch.rows] == [size, size + 1, size + 2]
    assert [leaf[0] for _, leaf, _ in batch.rows] == [1, 1, 2]
    assert batch.rows[-1][1] == entries.heads_leaf(size + 2, NOON, CHANNELS, batch.tips, SECRET)
    assert (batch.tips["KEN"].count, batch.tips["KEN"].index) == (3, size + 1)
    assert batch.tips["GBR"] == tips["GBR"]
    assert batch.frontier.size == size + 3


@pytest.mark.slow
@given(st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_every_row_of_a_batch_is_proved_from_memory(sizes: list[int]) -> None:
    log = MemoryLog()
    for size in sizes:
        batch = log.append(*[released("KEN", "FRA", report=i) for i in range(size)])
        for index, leaf, hashes in batch.rows:
            proof = batch.proof(index)
            assert hashes[:32] == merkle.leaf_hash(leaf)
            assert proof == merkle.inclusion_proof(index, log.tree.size, log.nodes)
            merkle.verify_inclusion(index, log.tree.size, hashes[:32], proof, log.tree.root())


def test_a_batch_without_events_is_a_heads_leaf() -> None:
    """So a channel that was just admitted has a head before its first entry."""
    batch = MemoryLog().append()
    assert [leaf[0] for _, leaf, _ in batch.rows] == [2]


def test_a_batch_that_does_not_fit_the_journal_is_refused() -> None:
    tree = Frontier()
    for size, channels in ((1, CHANNELS), (0, (MISSION, "GBR"))):
        with pytest.raises(BrokerFault, match="does not fit"):
            entries.seal_batch([released("KEN")], size, tree, {}, channels, NOON, SECRET, draw)


def test_a_secret_that_could_be_guessed_is_refused() -> None:
    with pytest.raises(BrokerFault, match="bad-settings"):
        entries.seal_batch([], 0, Frontier(), {}, CHANNELS, NOON, b"x" * 31, draw)
