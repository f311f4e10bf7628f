"""What an operator does with a journal: checks it, copies it while it is served, brings it back."""

import asyncio
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from broker import custody
from broker.settings import Settings
from tests.broker.house import House
from tests.broker.test_attachments import CONTENT, announced, uploads
from tests.refusal import refused
from wire.entries import MISSION

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
NATIONS = ("KEN", "GBR", "FRA")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.of(*NATIONS, folder=tmp_path) as found:
        yield found


def told(done: int, size: int) -> None:
    assert 0 <= done <= size


def settings(house: House) -> Settings:
    return Settings.load(house.folder)


async def busy(house: House) -> None:
    """A report with an attachment, one without, and somebody who reads them."""
    report = (await announced(house)).report
    await uploads(house, report)
    await house.submits(house["KEN"].seals(release_to="GBR"))
    await house.pulls(house["GBR"].analyst)


async def fsck(house: House) -> custody.Found:
    return await custody.fsck(settings(house), told)


async def saved(house: House, name: str = "vault") -> Path:
    target = house.folder.parent / name
    await custody.backup(settings(house), target, told)
    return target


async def restored(house: House, vault: Path) -> custody.Standing:
    """The machine's disk is lost, all but the anchor; the copy takes its place."""
    shutil.rmtree(house.folder / "data")
    _, standing = await custody.restore(vault, settings(house), told)
    return standing


def edit(house: House, statement: str) -> None:
    database = house.folder / "data" / "journal.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as shell:
        assert shell.execute(statement).rowcount == 1


def head_files(house: House, note: str, *nations: str) -> list[Path]:
    files = [house.folder.parent / f"{nation}.head" for nation in nations]
    for path in files:
        path.write_text(note)
    return files


# -- fsck


@pytest.mark.slow
async def test_a_whole_journal_is_verified_to_its_last_entry_and_not_touched(house: House) -> None:
    await busy(house)
    await house.broker.close()
    files = {p: p.read_bytes() for p in house.folder.rglob("*") if p.is_file()}
    found = await fsck(house)
    assert found.checkpoint == house.broker.journal.checkpoint
    assert (found.entries, found.attachments, found.missing) == (house.broker.journal.size, 1, 0)
    assert {p: p.read_bytes() for p in house.folder.rglob("*") if p.is_file()} == files


async def test_a_journal_that_is_served_is_not_checked(house: House) -> None:
    with refused("locked"):
        await fsck(house)


async def test_a_journal_that_a_crash_left_unfolded_is_read_to_its_last_entry(house: House) -> None:
    await busy(house)
    data, crashed = house.folder / "data", house.folder.parent / "crashed"
    shutil.copytree(data, crashed)
    size = house.broker.journal.size
    await house.broker.close()
    shutil.rmtree(data)
    crashed.rename(data)
    anchor = house.folder / "anchor" / "checkpoint"
    with refused("rollback-detected", f"{size} entries, but the anchor has {size + 2}"):
        await fsck(house)
    assert (data / "journal.db-wal").stat().st_size
    assert int(anchor.read_text().splitlines()[1]) == size + 2


@pytest.mark.slow
async def test_the_first_bad_entry_is_named_however_old_it_is(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expect a refusal where a start, which looks at the newest entries only, finds nothing."""
    await busy(house)
    monkeypatch.setattr("broker.journal.recovery.RECHECKED", 2)
    await house.broker.close()
    for index in (9, 3):
        edit(house, f"UPDATE entry SET rows = zeroblob(32) WHERE idx = {index}")
    await house.restarts()
    await house.broker.close()
    with refused("journal-damaged", "entry 3: its rows are not those that it wrote"):
        await fsck(house)


async def test_a_changed_attachment_is_named_and_a_lost_one_is_counted(house: House) -> None:
    await busy(house)
    await house.broker.close()
    (path,) = (house.folder / "data" / "attachments").iterdir()
    path.write_bytes(CONTENT[:-1] + b"!")
    with refused("journal-damaged", "an attachment of report"):
        await fsck(house)
    path.unlink()
    assert (await fsck(house)).missing == 1


async def test_an_attachment_that_was_deleted_on_purpose_is_not_lost(house: House) -> None:
    """One of two reports is recalled; the other one's file is gone all the same."""
    reports = [(await announced(house)).report for _ in range(2)]
    for report in reports:
        await uploads(house, report)
    body = {"report": reports[0], "reason": "x"}
    await house.files(house["KEN"].says("report.recall", body))
    await house.broker.close()
    found = await fsck(house)
    assert (found.attachments, found.missing) == (1, 0)
    (path,) = (house.folder / "data" / "attachments").iterdir()
    path.unlink()
    found = await fsck(house)
    assert (found.attachments, found.missing) == (0, 1)


async def test_a_lost_attachment_is_uploaded_again(house: House) -> None:
    report = (await announced(house)).report
    await uploads(house, report)
    (path,) = (house.folder / "data" / "attachments").iterdir()
    path.unlink()
    await uploads(house, report)
    assert path.read_bytes() == CONTENT


async def test_no_journal_and_no_folder_are_refused(house: House) -> None:
    await house.broker.close()
    (house.folder / "data" / "journal.db").unlink()
    with refused("rollback-detected", "there is no journal"):
        await fsck(house)
    with refused("bad-settings", "no journal"):
        await custody.backup(settings(house), house.folder.parent / "vault", told)
    shutil.rmtree(house.folder / "data")
    with refused("bad-settings", "no folder"):
        await fsck(house)


# -- backup


@pytest.mark.slow
async def test_a_copy_made_while_reports_come_in_is_whole(house: House) -> None:
    """What it has is a prefix of the journal, up to an entry acknowledged before it was made."""
    await busy(house)
    before = house.broker.journal.size
    vault = house.folder.parent / "vault"
    copying = asyncio.create_task(custody.backup(settings(house), vault, told))
    for _ in range(5):
        await house.submits(house["KEN"].seals(release_to="GBR"))
    found = await copying
    assert before <= found.entries <= house.broker.journal.size
    assert (found.attachments, found.missing) == (1, 0)
    assert (vault / "checkpoint").read_text() == found.checkpoint
    assert sorted(p.name for p in vault.iterdir()) == ["attachments", "checkpoint", "journal.db"]
    await house.broker.journal.consistency(found.entries, house.broker.journal.size)


@pytest.mark.slow
async def test_a_copy_is_its_owners_alone_and_holds_no_key(house: House) -> None:
    await busy(house)
    vault = await saved(house)
    for path in (vault, vault / "journal.db", *(vault / "attachments").iterdir()):
        assert not path.stat().st_mode & 0o077, path
    secrets = [settings(house).secret(name) for name in ("log-key", "journal-secret", "cursor-key")]
    for path in vault.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert not any(key in content or key.hex().encode() in content for key in secrets)


async def test_a_journal_that_does_not_verify_leaves_no_copy(house: House) -> None:
    await house.broker.close()
    edit(house, "UPDATE entry SET rows = zeroblob(32) WHERE idx = 3")
    with refused("journal-damaged", "entry 3"):
        await saved(house)
    assert not list(house.folder.parent.glob("vault*"))


async def test_a_copy_never_takes_the_place_of_another(house: House) -> None:
    await saved(house)
    with refused("bad-input", "exists already"):
        await saved(house)


@pytest.mark.slow
async def test_a_reader_of_another_process_delays_an_erasure_and_does_not_stop_the_broker(
    house: House,
) -> None:
    """A backup holds the log back, and an erasure has to fold it: one waits for the other."""
    report = (await house.submits(house["KEN"].seals(release_to="GBR"))).report
    recall = house["KEN"].says("report.recall", {"report": report, "reason": "x"})
    database = house.folder / "data" / "journal.db"
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM entry").fetchone()
        recalling = asyncio.create_task(house.files(recall))
        done, _ = await asyncio.wait([recalling], timeout=0.3)
        assert not done
        other.execute("COMMIT")
        await recalling
    house.broker.check_ready()


# -- restore


@pytest.mark.slow
async def test_a_copy_of_the_newest_state_is_served_again(house: House) -> None:
    await busy(house)
    await house.broker.close()
    vault = await saved(house)
    assert await restored(house, vault) == "served"
    await house.opens()
    assert len(await house.pulls(house["GBR"].analyst)) == 2


@pytest.mark.slow
async def test_a_copy_older_than_its_anchor_is_never_served(house: House) -> None:
    """Expect refusal: what is missing was acknowledged, and a client has seen it."""
    await busy(house)
    vault = await saved(house)
    await house.submits(house["KEN"].seals(release_to="GBR"))
    await house.broker.close()
    assert await restored(house, vault) == "older"
    with refused("rollback-detected", "but the anchor has"):
        await house.opens()
    with refused("rollback-detected", "but the anchor has"):
        await fsck(house)


async def test_what_is_no_copy_is_not_restored(house: House) -> None:
    """Expect refusal, with the folder named, and nothing made."""
    await house.broker.close()
    with refused("bad-input", "no copy of a journal in"):
        await restored(house, house.folder / "nothing")


@pytest.mark.slow
async def test_a_copy_that_was_changed_is_not_restored(house: House) -> None:
    await busy(house)
    vault = await saved(house)
    await house.broker.close()
    other = await saved(house, "later")
    shutil.copy(other / "checkpoint", vault / "checkpoint")
    with refused("journal-damaged", "another checkpoint"):
        await restored(house, vault)
    with closing(sqlite3.connect(other / "journal.db", isolation_level=None)) as shell:
        shell.execute("UPDATE entry SET rows = zeroblob(32) WHERE idx = 2")
    with refused("journal-damaged", "entry 2"):
        await restored(house, other)
    assert not (house.folder / "data" / "journal.db").exists()
    assert not (house.folder / "data" / "restoring").exists()


@pytest.mark.slow
async def test_a_copy_never_takes_the_place_of_a_journal(house: House) -> None:
    vault = await saved(house)
    with refused("locked"):
        await custody.restore(vault, settings(house), told)
    await house.broker.close()
    with refused("bad-input", "there is a journal"):
        await custody.restore(vault, settings(house), told)


# -- resume


async def lost(house: House) -> tuple[Path, str]:
    """The machine is lost, and the anchor with it; gives a copy, and the newest checkpoint then."""
    await busy(house)
    vault, note = await saved(house), house.broker.journal.checkpoint
    await house.broker.close()
    assert await restored(house, vault) == "older"
    shutil.rmtree(house.folder / "anchor")
    return vault, note


async def resume(house: House, heads: list[Path]) -> int:
    return await custody.resume(settings(house), heads, told, house.world.clock)


@pytest.mark.slow
async def test_a_copy_without_its_anchor_goes_on_once_it_was_compared(house: House) -> None:
    _, note = await lost(house)
    with refused("rollback-detected", "the anchor is missing"):
        await house.opens()
    index = await resume(house, head_files(house, note, *NATIONS))
    await house.opens()
    kinds = await house.channel(MISSION)
    (view,) = [view for kind, view in kinds if kind == "operator.resume"]
    assert (view["size"], view["heads"], index) == (int(note.splitlines()[1]), 3, view["size"])
    assert not (house.folder / "data" / "resuming").exists()
    assert len(await house.pulls(house["GBR"].analyst)) == 2


@pytest.mark.slow
async def test_a_copy_that_a_nation_saw_more_of_is_never_resumed(house: House) -> None:
    """Expect refusal: going on would show that nation a second history."""
    vault, note = await lost(house)
    await resume(house, head_files(house, note, *NATIONS))
    await house.opens()
    await house.submits(house["KEN"].seals(release_to="GBR"))
    seen = house.broker.journal.checkpoint
    await house.broker.close()
    shutil.rmtree(house.folder / "anchor")
    await restored(house, vault)
    heads = [*head_files(house, note, "KEN", "FRA"), *head_files(house, seen, "GBR")]
    with refused("rollback-detected", "GBR.head has"):
        await resume(house, heads)
    with refused("rollback-detected", "the anchor is missing"):
        await house.opens()


@pytest.mark.slow
async def test_every_nation_is_asked_and_no_checkpoint_is_taken_on_trust(house: House) -> None:
    _, note = await lost(house)
    with refused("bad-input", "3 nations, 2 checkpoints"):
        await resume(house, head_files(house, note, "KEN", "GBR"))
    with refused("rollback-detected", "is not ours"):
        await resume(house, head_files(house, note[:-9], *NATIONS))
    await resume(house, head_files(house, note, *NATIONS))
    with refused("bad-input", "there is an anchor"):
        await resume(house, head_files(house, note, *NATIONS))


# -- as a command


def operate(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "clients.cli.main", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
async def test_the_commands_speak_to_people_and_to_programs(house: House) -> None:
    await busy(house)
    vault = house.folder.parent / "vault"
    served = operate("journal", "fsck", house.folder)
    assert (served.returncode, served.stdout) == (1, "")
    assert "[locked]; stop the other broker first" in served.stderr
    copied: dict[str, Any] = json.loads(operate("backup", house.folder, vault, "--json").stdout)
    assert copied["entries"] == house.broker.journal.size
    await house.broker.close()
    checked = operate("journal", "fsck", house.folder)
    assert checked.stdout.startswith("every entry verified: ")
    shutil.rmtree(house.folder / "data")
    said = operate("restore", vault, house.folder)
    assert "the broker will refuse it; see docs/runbook.md" in said.stdout
    shutil.rmtree(house.folder / "anchor")
    head = house.folder.parent / "head"
    head.write_text(copied["checkpoint"])
    heads = [part for _ in NATIONS for part in ("--head", head)]
    refusal = json.loads(operate("journal", "resume", house.folder, *heads[2:], "--json").stdout)
    assert (refusal["error"], refusal["detail"]) == ("bad-input", "3 nations, 2 checkpoints")
    resumed = operate("journal", "resume", house.folder, *heads)
    assert resumed.stdout.startswith("resumed: entry ")


# -- what was erased


@pytest.mark.slow
async def test_a_journal_with_erased_views_is_checked_copied_and_brought_back(
    house: House,
) -> None:
    await busy(house)
    before = await saved(house, "before")
    body = {"views": 30, "payloads": 30}
    await house.files(house["KEN"].says("retention.set", body))
    house.world.clock.forward(days=31)
    await house.broker.expire()
    gone = [e.view for e in (await house.broker.journal.segment("KEN")).entries].count(None)
    assert gone > 5
    await house.broker.close()
    await fsck(house)
    vault = await saved(house)
    assert await restored(house, before) == "older"
    assert await restored(house, vault) == "served"
    broker = await house.opens()
    await broker.journal.scrub()
    again = [e.view for e in (await broker.journal.segment("KEN")).entries].count(None)
    assert again == gone


@pytest.mark.slow
async def test_a_view_that_no_entry_erased_is_found_by_fsck(house: House) -> None:
    """Expect refusal, of the journal and of a copy."""
    await busy(house)
    await house.broker.close()
    edit(
        house,
        """UPDATE view SET opening = NULL, body = NULL, erased = (SELECT max(idx) FROM entry)
        WHERE at = (SELECT at FROM link WHERE channel = 'KEN' AND count = 0)""",
    )
    with refused("journal-damaged", "a view is missing"):
        await fsck(house)
    with refused("journal-damaged", "a view is missing"):
        await saved(house)
