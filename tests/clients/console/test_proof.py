"""The verifier that runs in the browser: true entries hold, and every lie is named."""

import base64
import copy
import random
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from clients.console import api
from tests.clients.console.proving import failed, proved
from tests.clients.console.serving import desk_of
from tests.clients.evidence.little_history import Told
from tests.verifiers.verifying import needs_node
from wire import strict_json

pytestmark = needs_node

Entry = dict[str, Any]


@pytest.fixture(scope="module")
def entries(told: Told) -> list[Entry]:
    """Every entry of Kenya's evidence, as the console tells of it."""
    desk = desk_of(told.desks["KEN"].identity)
    with desk.opened() as store:
        indexes = [row["idx"] for row in store.rows("SELECT DISTINCT idx FROM entry ORDER BY idx")]
    return [api.answer(desk, f"entry/{index}", {}) for index in indexes]


@pytest.fixture
def entry(entries: list[Entry]) -> Entry:
    """A release of Kenya's."""
    found = next(e for e in entries if e["shown"][0]["facts"]["type"] == "release")
    return copy.deepcopy(found)


@pytest.mark.slow
def test_every_entry_holds_and_says_what_python_says(entries: list[Entry]) -> None:
    verdicts = proved(entries)
    assert len(verdicts) == len(entries) > 60
    for told, verdict in zip(entries, verdicts, strict=True):
        assert verdict["good"], verdict
        view = base64.b64decode(told["shown"][0]["evidence"]["view"])
        assert verdict["view"] == strict_json.parse(view)
        assert all(step["state"] == "good" for step in verdict["steps"][:6])


@pytest.mark.slow
def test_the_statement_behind_an_entry_is_proven_as_well(entries: list[Entry]) -> None:
    found = [copy.deepcopy(e) for e in entries if e["shown"][0]["said"]]
    other = found[0]["shown"][0]["said"]
    found[1]["shown"][0]["said"] = other
    (verdict,) = proved(found[1:2])
    assert failed(verdict) == (
        "index",
        "the statement shown is not the one that the entry names",
    )


def flipped(text: str, at: int = 20) -> str:
    """Base64 of other bytes of the same length."""
    data = bytearray(base64.b64decode(text))
    data[at % len(data)] ^= 1
    return base64.b64encode(data).decode()


def at(*path: Any) -> Callable[[Entry], None]:
    """Change one bit of one field of the first channel shown."""

    def change(told: Entry) -> None:
        place: Any = told["shown"][0]
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = flipped(place[path[-1]])

    return change


def put(value: Any, *path: Any) -> Callable[[Entry], None]:
    """Another value in a place."""

    def change(told: Entry) -> None:
        place: Any = told
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value

    return change


def other_root(told: Entry) -> None:
    note = told["shown"][0]["checkpoint"].split("\n")
    note[2] = flipped(note[2])
    told["shown"][0]["checkpoint"] = "\n".join(note)


def unsigned(told: Entry) -> None:
    text, _, _ = told["shown"][0]["checkpoint"].partition("\n\n")
    told["shown"][0]["checkpoint"] = f"{text}\n\n\u2014 somebody.example AAAAAAAA\n"


def other_charter(told: Entry) -> None:
    told["charter"]["head"] = flipped(told["charter"]["head"], 200)


def other_words_of_the_charter(told: Entry) -> None:
    told["charter"]["body"] = flipped(told["charter"]["body"], 200)


def erased_by_hand(told: Entry) -> None:
    told["shown"][0]["evidence"] |= {"view": None, "view_opening": None}


LIES: dict[str, tuple[Callable[[Entry], None], str, str]] = {
    "edit the view": (at("evidence", "view"), "view", "the view is not what the link commits to"),
    "edit the view's opening": (at("evidence", "view_opening"), "view", "commits to"),
    "take the opening away": (
        put(None, "shown", 0, "evidence", "view_opening"),
        "view",
        "a view without its opening",
    ),
    "edit the link": (at("evidence", "link"), "link", "the link is not what the leaf commits to"),
    "edit the link's opening": (at("evidence", "opening"), "link", "the leaf commits to"),
    "edit the leaf": (at("evidence", "leaf"), "path", "does not lead to the signed root"),
    "edit the path": (at("evidence", "proof", 0), "path", "does not lead to the signed root"),
    "shorten the path": (put([], "shown", 0, "evidence", "proof"), "path", "does not lead"),
    "move the entry": (put(3, "shown", 0, "evidence", "index"), "path", "that of entry 3"),
    "give another channel's": (put("GBR", "shown", 0, "channel"), "link", "belongs to KEN"),
    "give another slot": (put(99, "shown", 0, "evidence", "slot"), "link", "no such commitment"),
    "sign another root": (other_root, "checkpoint", "signature under the checkpoint is wrong"),
    "let somebody else sign": (unsigned, "checkpoint", "did not sign"),
    "claim a larger tree": (put(10**6, "shown", 0, "tree"), "checkpoint", "a tree of 1000000"),
    "give another charter": (other_charter, "charter", "not the one that was pinned"),
    "give the charter other keys": (
        other_words_of_the_charter,
        "charter",
        "not the one that was signed",
    ),
    "say another recipient": (
        put("FRA", "shown", 0, "facts", "recipient"),
        "index",
        'the index says recipient "FRA", the proven entry says',
    ),
    "say another time": (put(1, "shown", 0, "facts", "time"), "index", "time 1, the proven"),
    "say another report": (put("ab" * 32, "shown", 0, "facts", "report"), "index", "report"),
    "hide what it says": (erased_by_hand, "index", "the index says erased 0"),
    "say it was erased": (put(1, "shown", 0, "facts", "erased"), "index", "erased 1"),
}


@pytest.mark.slow
def test_every_lie_is_named_at_its_step(entry: Entry) -> None:
    """Expect refusal of each, and nothing after it counts as checked."""
    assert entry["shown"][0]["facts"]["recipient"] != "FRA"
    told = []
    for lie, _, _ in LIES.values():
        changed = copy.deepcopy(entry)
        lie(changed)
        told.append(changed)
    for name, verdict in zip(LIES, proved(told), strict=True):
        _, step, words = LIES[name]
        found, said = failed(verdict)
        assert (name, found) == (name, step), said
        assert words in said, name
        after = [s["state"] for s in verdict["steps"] if s["state"] != "good"]
        assert after == ["bad", *["skip"] * (len(after) - 1)]


def mutated(entry: Entry, chance: random.Random) -> Iterator[Entry]:
    """One random bit in each field that is hashed or signed."""
    for field in ("leaf", "link", "opening", "view", "view_opening"):
        changed = copy.deepcopy(entry)
        evidence = changed["shown"][0]["evidence"]
        if evidence[field] is not None:
            evidence[field] = flipped(evidence[field], chance.randrange(4_096))
            yield changed
    changed = copy.deepcopy(entry)
    proof = changed["shown"][0]["evidence"]["proof"]
    which = chance.randrange(len(proof))
    proof[which] = flipped(proof[which], chance.randrange(32))
    yield changed


@pytest.mark.slow
def test_no_random_bit_goes_unseen(entries: list[Entry]) -> None:
    chance = random.Random(11)
    told = [changed for entry in entries for changed in mutated(entry, chance)]
    verdicts = proved(told)
    assert len(verdicts) > 400
    assert not [v for v in verdicts if v["good"]]


@pytest.mark.slow
def test_what_is_edited_on_the_disk_is_found_by_the_page(told: Told) -> None:
    """The middle of a store can be edited without the commands noticing; not here."""
    identity = told.desks["KEN"].identity
    desk = desk_of(identity)
    with desk.opened() as store:
        sql = "SELECT idx, count FROM entry WHERE channel = 'KEN' AND type = 'release' LIMIT 1"
        row = store.one(sql)
        assert row is not None
    with sqlite3.connect(identity.state / "evidence.sqlite3") as database:
        number = "(SELECT line FROM fact WHERE channel = 'KEN' AND count = ?)"
        sql = f"SELECT view FROM line WHERE number = {number}"
        (view,) = database.execute(sql, (row["count"],)).fetchone()
        change = f"UPDATE line SET view = ? WHERE number = {number}"
        database.execute(change, ('{"report":"nothing of the kind"}', row["count"]))
        database.commit()
        try:
            (verdict,) = proved([api.answer(desk, f"entry/{row['idx']}", {})])
            assert failed(verdict)[0] == "view"
            again = desk_of(identity)
            assert f"at index {row['idx']}" in str(again.recheck)
            assert api.answer(again, "status", {})["good"] is False
        finally:
            database.execute(change, (view, row["count"]))
            database.commit()
    database.close()
