"""Attacks on a log that goes on after a loss: by its operator, and by nations who are too few.

A loss must not become the way to forget what was acknowledged: whoever saw more goes on only as the
nations agreed, knows what is gone, and keeps the proof of it.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest

from broker.core import Broker
from clients.auditor import Auditor
from clients.ceremony import Ceremony
from clients.evidence import pull
from clients.evidence.store import EvidenceStore
from clients.member_keys import RootKeys
from clients.session import Session
from clients.speaker import signers
from clients.subscriber import Subscriber
from tests.clients.liar import Asked, Liar, Told
from tests.falling_back import Falling
from tests.people import random_of
from tests.pilot import ROOT, BrokerProcess, draft
from tests.refusal import refused
from wire.directory import Directory
from wire.errors import TearlineError

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

NATIONS = ("KEN", "GBR", "FRA")
FOUNDED = "tearline/minusx"


@pytest.fixture
async def pilot(tmp_path: Path) -> AsyncIterator[Falling]:
    found = Falling.back(*NATIONS, folder=tmp_path, doors=1)
    with found.serves():
        await found.begins()
    yield found
    for door in found.doors:
        door.close()


async def follows(session: Session) -> Session:
    async with session:
        await session.follower.sync()
    return session


async def reports(pilot: Falling, number: int = 1) -> None:
    async with pilot.publisher("KEN") as publisher:
        for _ in range(number):
            await publisher.publish(draft())


async def sees_more(pilot: Falling) -> tuple[Path, Session]:
    """A copy, and a device that has seen more than is in it."""
    vault = await pilot.saves()
    with pilot.serves():
        await reports(pilot, 2)
        device = await follows(pilot.subscriber("GBR"))
    return vault, device


async def is_moved(pilot: Falling, device: Session) -> Session:
    """The device is told that the log goes on elsewhere; in its next run it follows there."""
    with refused("log-continued"):
        await follows(pilot.again(device))
    return await follows(pilot.again(device))


async def refuses(pilot: Falling, device: Session, slug: str, words: str = "") -> None:
    """The device is told something else; it says so, and believes nothing of it."""
    later = pilot.again(device)
    before = later.directory
    with refused(slug, words):
        await follows(later)
    after = pilot.again(device)
    assert after.directory == before
    assert after.follower.log == device.follower.log
    assert after.follower.seen == device.follower.seen


class Rogue(BrokerProcess):
    """The broker of an operator who needs nobody's signature."""

    MODULE = ("tests.attacks.rogue_broker", "serve")


def rogue(pilot: Falling, statement: bytes) -> AbstractContextManager[None]:
    """He takes what he has for an agreement, and serves by it."""
    path = pilot.folder / "claimed.tlst"
    path.write_bytes(statement)
    words = ["operate", "continue", str(pilot.broker), "--statement", str(path)]
    command = [sys.executable, "-m", "tests.attacks.rogue_broker", *words]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return served_by_rogue(pilot)


@contextmanager
def served_by_rogue(pilot: Falling) -> Iterator[None]:
    """He serves whatever lies in his folder."""
    broker = Rogue(pilot)
    broker.start()
    try:
        yield
    finally:
        broker.kill()


# -- too few


async def test_the_operator_and_too_few_nations_move_nobody(pilot: Falling) -> None:
    """Expect refusal, by who saw more, by who saw less, and by who saw nothing yet."""
    with pilot.serves():
        early = await follows(pilot.auditor("FRA"))
    vault, late = await sees_more(pilot)
    await pilot.loses(vault)
    claimed = pilot.agrees(await pilot.loss(), ["KEN"])
    with rogue(pilot, claimed):
        for device in (early, late, pilot.subscriber("FRA")):
            await refuses(pilot, device, "not-allowed", "1 of 2 nations signed")


async def test_an_operator_who_has_no_statement_at_all_shows_a_log_nobody_knows(
    pilot: Falling,
) -> None:
    """Expect refusal: another name alone says nothing."""
    vault, _ = await sees_more(pilot)
    await pilot.loses(vault)
    settings = pilot.broker / "broker.toml"
    named = f'origin = "{FOUNDED}"'
    assert named in settings.read_text()
    found = await pilot.loss()
    await pilot.moves(pilot.agrees(found))
    for path in (pilot.broker / "genesis").glob("continued-*"):
        path.unlink()
    settings.write_text(settings.read_text().replace(named, f'origin = "{found.origin}"'))
    with refused("bad-settings", "names another log"):
        await Broker.open(pilot.settings, clock=time.time, random=os.urandom)


async def test_stolen_roots_that_were_replaced_in_what_is_lost_move_nobody_who_saw_that(
    pilot: Falling,
) -> None:
    """Expect refusal: an older copy must not bring stolen keys back to life."""
    vault = await pilot.saves()
    with pilot.serves():
        async with pilot.officer("KEN") as officer:
            await officer.follower.sync()
            raw = replaced_root(pilot, officer.follower.directory)
            await officer.post(raw)
        device = await follows(pilot.subscriber("GBR"))
    await pilot.loses(vault)
    await pilot.moves(pilot.agrees(await pilot.loss(), ("KEN", "GBR")))
    with pilot.serves():
        await refuses(pilot, device, "not-allowed", "1 of 2 nations signed")


async def test_a_log_that_keeps_its_name_though_its_nations_gave_it_another_is_not_followed(
    pilot: Falling,
) -> None:
    """Expect refusal: an agreement would otherwise lie in the log, and its keys be the old ones."""
    device = pilot.subscriber("GBR")
    with pilot.serves():
        await follows(device)
    (pilot.broker / "anchor/checkpoint").rename(pilot.folder / "anchor")
    (pilot.broker / "genesis/zz.tlst").write_bytes(pilot.agrees(await pilot.loss()))
    (pilot.folder / "anchor").rename(pilot.broker / "anchor/checkpoint")
    with refused("bad-settings", "names another log"):
        await Broker.open(pilot.settings, clock=time.time, random=os.urandom)
    with served_by_rogue(pilot):
        for _ in range(2):
            with refused("bad-checkpoint", f"it was continued, as {FOUNDED}/2"):
                await follows(pilot.again(device))


# -- another history


async def test_nations_who_sign_two_ways_on_are_found_out(pilot: Falling) -> None:
    """Expect refusal, and both statements in a file for everybody to see."""
    vault, device = await sees_more(pilot)
    await pilot.loses(vault)
    await pilot.goes_on()
    with pilot.serves():
        device = await is_moved(pilot, device)
    sets_back(pilot, vault)
    (pilot.broker / "anchor/checkpoint").unlink()
    await pilot.goes_on(f"{FOUNDED}/other")
    with pilot.serves():
        await refuses(pilot, device, "fork-detected", f"two ways on from {FOUNDED}")
    (proof,) = device.identity.state.glob("fork-continued-*.json")
    assert json.loads(proof.read_text()).keys() == {"what", "seen", "shown"}


async def test_who_was_moved_is_not_led_back_to_the_log_that_was_left(pilot: Falling) -> None:
    """Expect refusal: an operator who keeps the lost disk could go on with both."""
    vault, device = await sees_more(pilot)
    shutil.copytree(pilot.broker, pilot.folder / "kept")
    await pilot.loses(vault)
    await pilot.goes_on()
    with pilot.serves():
        device = await is_moved(pilot, device)
    shutil.rmtree(pilot.broker)
    (pilot.folder / "kept").rename(pilot.broker)
    with pilot.serves():
        await refuses(pilot, device, "bad-checkpoint", f"another log than {FOUNDED}/2")


async def test_a_statement_that_leads_back_makes_nobody_forget(pilot: Falling) -> None:
    """Expect refusal: a log is tried out beside what is known of it, and never in its place."""
    (door,) = pilot.doors
    device: Session = Subscriber(pilot.device("GBR", "analyst", port=door.getsockname()[1]))
    vault = await pilot.saves()
    with pilot.serves():
        await reports(pilot, 2)
        async with Liar.at(door, pilot.port):
            await follows(device)
    shutil.copytree(pilot.broker, pilot.folder / "kept")
    await pilot.loses(vault)
    found = await pilot.loss()
    statement = pilot.agrees(found)
    await pilot.moves(statement)
    with pilot.serves():
        async with Liar.at(door, pilot.port):
            device = await is_moved(pilot, device)
    shutil.rmtree(pilot.broker)
    (pilot.folder / "kept").rename(pilot.broker)
    back = found.model_copy(update={"continues": found.origin, "origin": FOUNDED})
    claims = [statement, pilot.claims(found), pilot.claims(back)]
    with pilot.serves():
        for claimed in claims:
            async with Liar.at(door, pilot.port) as liar:
                liar.says("/v1/log/continuation", partial(_saying, claimed))
                await refuses(pilot, device, "bad-checkpoint", "it leads back")


def _saying(body: bytes, _: Asked, told: Told) -> Told:
    headers = {**told.headers, "content-length": str(len(body))}
    return Told(200, headers, body)


async def test_a_copy_in_which_the_past_was_rewritten_is_not_gone_on_from(pilot: Falling) -> None:
    """Expect refusal, whoever signed it: what was seen must be in it."""
    vault, device = await sees_more(pilot)
    await goes_another_way(pilot, vault, 6)
    with pilot.serves():
        await refuses(pilot, device, "bad-proof")


async def test_a_statement_that_was_seen_is_not_cut_out_of_what_is_left(pilot: Falling) -> None:
    """Expect refusal, also where the tree that was seen is larger than what is left."""
    vault = await pilot.saves()
    with pilot.serves():
        async with pilot.officer("KEN") as officer:
            await officer.revoke(pilot.device("KEN", "analyst").kid, "device lost")
        await reports(pilot, 9)
        device = await follows(pilot.subscriber("GBR"))
    await goes_another_way(pilot, vault, 4)
    with pilot.serves():
        await refuses(pilot, device, "broken-chain", "other statements than were seen")


async def test_an_auditor_finds_what_was_rewritten_in_what_is_left(pilot: Falling) -> None:
    """Expect refusal: he has the links of all that he pulled, whatever tree he saw since."""
    vault = await pilot.saves()
    auditor = pilot.auditor("KEN")
    with pilot.serves():
        await reports(pilot, 9)
        await pulls(auditor)
    await goes_another_way(pilot, vault, 2)
    with pilot.serves():
        with refused("log-continued"):
            await pulls(pilot.again(auditor))
        for _ in range(2):
            with refused("broken-chain", "other entries than before the loss"):
                await pulls(pilot.again(auditor))


async def pulls(auditor: Auditor) -> None:
    async with auditor:
        await auditor.follower.sync()
        with EvidenceStore.open(auditor.identity.state, pull.whose(auditor), new=True) as store:
            await pull.pull(auditor, store)


async def test_a_statement_that_names_another_root_is_worth_nothing(pilot: Falling) -> None:
    """Expect refusal: the nations agreed to another tree than they are shown."""
    vault, device = await sees_more(pilot)
    await pilot.loses(vault)
    found = (await pilot.loss()).model_copy(update={"root": "ab" * 32})
    with pytest.raises(TearlineError, match="another tree"):
        await pilot.moves(pilot.agrees(found))
    await pilot.moves(pilot.agrees(await pilot.loss()))
    (path,) = (pilot.broker / "genesis").glob("continued-*")
    path.write_bytes(pilot.agrees(found))
    with pilot.serves():
        await refuses(pilot, device, "bad-proof")


# -- helpers


def replaced_root(pilot: Falling, directory: Directory) -> bytes:
    """Kenya's next root: somebody has stolen the keys of the first."""
    keys = RootKeys.generate(3, random_of("another root"))
    old = signers(*pilot.root("KEN").root.keys[:2])
    ceremony = Ceremony(directory, now=int(time.time()), random=random_of("root"))
    return ceremony.publish_root("KEN", keys, threshold=2, old=old).raw


async def goes_another_way(pilot: Falling, vault: Path, number: int) -> None:
    """The operator has an older copy go on with so many other reports, and that copy is what the
    nations let the log be continued from.
    """
    sets_back(pilot, vault)
    with pilot.serves():
        await reports(pilot, number)
    forged = await pilot.saves("forged")
    with pilot.serves():
        await reports(pilot)
    await pilot.loses(forged)
    await pilot.goes_on()


def sets_back(pilot: Falling, vault: Path) -> None:
    """The operator puts an old copy back with the anchor that it had, as if nothing had been."""
    for name in ("data", "anchor"):
        shutil.rmtree(pilot.broker / name)
    for path in (pilot.broker / "genesis").glob("continued-*"):
        path.unlink()
    (pilot.broker / "data").mkdir()
    (pilot.broker / "anchor").mkdir()
    shutil.copy(vault / "journal.db", pilot.broker / "data")
    shutil.copytree(vault / "attachments", pilot.broker / "data/attachments")
    shutil.copy(vault / "checkpoint", pilot.broker / "anchor")
