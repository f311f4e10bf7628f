"""The local store: sealed, whole or not at all, and what was shown is not forgotten."""

import os
import stat
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.shown import EVERY, Place, Shown
from clients.store import NONCE, TAG, Store
from tests.refusal import refused

KEY = bytes(range(32))
ONE, OTHER = "11" * 32, "22" * 32


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state", KEY, os.urandom)


def files(tmp_path: Path) -> list[Path]:
    return sorted(p for p in (tmp_path / "state").iterdir() if p.is_file())


# -- single pieces


@pytest.mark.parametrize("lasting", [True, False])
def test_what_was_put_is_there_under_its_name_and_no_other(store: Store, lasting: bool) -> None:
    store.put("a", b"first", lasting=lasting)
    store.put("a", b"second", lasting=lasting)
    store.put("b", b"", lasting=lasting)
    assert (store.get("a"), store.get("b"), store.get("c")) == (b"second", b"", None)
    assert "a" in store
    assert "c" not in store
    store.drop("a")
    store.drop("a")
    assert store.get("a") is None


def test_neither_names_nor_contents_show_in_the_folder(store: Store, tmp_path: Path) -> None:
    store.put("report:secret-name", b"secret content")
    store.append("shown:secret-name", b"secret record")
    for path in files(tmp_path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert b"secret" not in path.read_bytes() + path.name.encode()
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_an_altered_piece_and_one_from_another_place_are_refused(
    store: Store, tmp_path: Path
) -> None:
    store.put("a", b"what was seen")
    store.put("b", b"what was seen")
    one, other = files(tmp_path)
    raw = one.read_bytes()
    for changed in (raw[:-1], b"", raw[:5], raw[:-1] + bytes([raw[-1] ^ 1]), other.read_bytes()):
        one.write_bytes(changed)
        with refused("bad-identity", "was altered at (a|b)"):
            for name in ("a", "b"):
                store.get(name)
    one.write_bytes(raw)
    assert Store(tmp_path / "state", KEY, os.urandom).get("a") == b"what was seen"
    with refused("bad-identity"):
        Store(tmp_path / "state", bytes(32), os.urandom).get("a")


def test_a_piece_that_could_not_be_written_leaves_the_old_one(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("a", b"old")

    def full(_file: int) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        store.put("a", b"new")
    assert store.get("a") == b"old"
    assert len(files(tmp_path)) == 1
    store.put("a", b"new", lasting=False)
    assert store.get("a") == b"new"


def test_what_others_are_meant_to_read_is_a_plain_file(store: Store, tmp_path: Path) -> None:
    path = store.publish("fork-7.json", b"{}")
    assert path == tmp_path / "state/fork-7.json"
    assert path.read_bytes() == b"{}"


# -- lists


@given(st.lists(st.binary(min_size=9, max_size=9)), st.integers(0, 3))
@settings(max_examples=30)
def test_a_list_is_read_as_it_was_written(records: list[bytes], processes: int) -> None:
    with TemporaryDirectory() as folder:
        stores = [Store(Path(folder), KEY, os.urandom) for _ in range(processes + 1)]
        for number, record in enumerate(records):
            stores[number % len(stores)].append("a", record)
        for store in stores:
            assert store.records("a", 9) == records
            assert store.records("b", 9) == []


def test_what_a_crash_cut_off_was_never_kept(store: Store, tmp_path: Path) -> None:
    size = NONCE + 4 + TAG
    for record in (b"one ", b"two "):
        store.append("a", record)
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    assert len(whole) == 2 * size
    for torn in (whole + bytes(7), whole + bytes(size), whole + whole[:9]):
        path.write_bytes(torn)
        assert store.records("a", 4) == [b"one ", b"two "]
        assert path.read_bytes() == whole
    path.write_bytes(whole[:-3])
    store.append("a", b"2nd ")
    assert store.records("a", 4) == [b"one ", b"2nd "]


def test_a_record_counts_in_its_own_list_only(store: Store, tmp_path: Path) -> None:
    """Or who can write the folder could make a report look shown."""
    store.append("a", b"record")
    (path,) = files(tmp_path)
    store.append("b", b"other ")
    (other,) = (p for p in files(tmp_path) if p != path)
    other.write_bytes(path.read_bytes())
    assert store.records("b", 6) == []
    assert store.records("a", 6) == [b"record"]


# -- what was shown


def test_what_was_shown_is_known_in_the_next_run(store: Store) -> None:
    shown = Shown(store, "fetch")
    assert not shown.has(ONE, [0])
    shown.add(ONE, [0, 2])
    shown.add(OTHER, [15])
    for known in (shown, Shown(store, "fetch")):
        assert known.has(ONE, [0])
        assert known.has(ONE, [2, 0])
        assert not known.has(ONE, [0, 1]), "a portion that is new is new"
        assert not known.has(OTHER, [0])
    assert not Shown(store, "watch").has(ONE, [0])


def test_what_is_known_is_not_written_again(store: Store, tmp_path: Path) -> None:
    shown = Shown(store, "fetch")
    for portions in ([0], [0], [0, 1], [1]):
        shown.add(ONE, portions)
    (path,) = files(tmp_path)
    assert path.stat().st_size == 2 * (NONCE + 34 + TAG)


# -- the place


def test_a_place_that_is_written_down_is_never_newer_than_the_truth(store: Store) -> None:
    place = Place(store, "w")
    assert place.last is None
    place.reach("")
    for number in range(EVERY - 1):
        place.reach(f"event-{number}")
    assert Place(store, "w").last is None
    place.reach("the-next")
    assert Place(store, "w").last == "the-next"
    place.reach("another")
    place.write()
    assert Place(store, "w").last == "another"
    place.forget()
    assert (place.last, Place(store, "w").last) == (None, None)
    place.write()
    assert Place(store, "w").last is None
