"""Who leaves takes along what it was sent; and is sent nothing more, provably."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from clients import ledger
from clients.identity import Identity
from clients.subscriber import Subscriber
from tests.cli.terminal import here
from tests.pilot import PASSPHRASE, Pilot, draft, open_policy
from tests.refusal import refused
from wire.prove import VerifiedEntry

pytestmark = pytest.mark.anyio

NATIONS = ("KEN", "GBR", "FRA", "SEN")
POLICIES = {nation: open_policy(nation) for nation in NATIONS}


@pytest.fixture
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    folder = tmp_path_factory.mktemp("ledger")
    with Pilot.of(*NATIONS, folder=folder, policies=POLICIES) as found:
        yield found


async def sent(pilot: Pilot, to: str, *titles: str, **how: Any) -> list[str]:
    """Reports of Kenya, each fetched by an analyst of a nation."""
    found = []
    async with pilot.publisher("KEN") as publisher, pilot.subscriber(to) as reader:
        for title in titles:
            receipt = await publisher.publish(draft(title, {"GBR", "FRA", "SEN"}, **how))
            await reader.fetch_one(receipt.report)
            found.append(receipt.report)
    return found


def roots(pilot: Pilot, *nations: str) -> list[Any]:
    return [Identity.load(pilot.folder / nation / "root", PASSPHRASE).root for nation in nations]


@pytest.mark.slow
async def test_an_expelled_nation_is_sent_nothing_and_its_ledger_is_closed(pilot: Pilot) -> None:
    kept, back = await sent(pilot, "FRA", "one", "two")
    async with pilot.officer("KEN") as officer, pilot.auditor("KEN") as auditor:
        await officer.recall(back, "wrong")
        before = await auditor.nation_ledger("FRA")
        assert (before.left, before.closed) == (None, False)
        (spoken,) = await officer.expel("FRA", "left", roots(pilot, "KEN", "GBR", "SEN"))
        (other,) = await sent_to_others(pilot)
        found = await auditor.nation_ledger("FRA")
    assert (found.left, found.closed, found.after) == (spoken.index, True, ())
    assert [(one.report, one.recalled) for one in found.taken] == [(kept, False), (back, True)]
    assert other not in {one.report for one in found.taken}
    (marked,) = found.taken[0].marked
    assert marked.banner == "MINUSX RESTRICTED//KEN//REL TO KEN, FRA, GBR, SEN//ORCON"
    assert marked.precedence == "ROUTINE"
    async with pilot.subscriber("FRA") as france:
        with refused("unsigned-request"):
            await france.fetch_one(kept)
    async with pilot.publisher("KEN") as publisher:
        with refused("stale-epoch", "not a nation"):
            await publisher.publish(draft("late", {"FRA"}))
    async with pilot.auditor("GBR") as stranger:
        assert (await stranger.nation_ledger("FRA")).taken == ()


async def sent_to_others(pilot: Pilot) -> list[str]:
    async with pilot.publisher("KEN") as publisher, pilot.subscriber("GBR") as reader:
        receipt = await publisher.publish(draft("three", {"GBR"}))
        await reader.fetch_one(receipt.report)
        return [receipt.report]


@pytest.mark.slow
async def test_too_few_nations_expel_nobody_not_allowed(pilot: Pilot) -> None:
    """Expect refusal."""
    async with pilot.officer("KEN") as officer:
        with refused("not-allowed"):
            await officer.expel("FRA", "left", roots(pilot, "KEN"))
        assert (await officer.follower.sync()).nation("FRA").expelled is None


@pytest.mark.slow
async def test_a_revoked_member_may_hold_what_its_nation_was_sent_while_it_stood(
    pilot: Pilot,
) -> None:
    (before,) = await sent(pilot, "GBR", "before")
    laptop = pilot.joins("GBR", "laptop", "analyst")
    async with pilot.officer("GBR") as officer, pilot.publisher("KEN") as publisher:
        await officer.add(laptop.keys.card, "analyst", clearance="SECRET")
        first = (await publisher.publish(draft("first"))).report
        async with Subscriber(laptop) as reader:
            await reader.fetch_one(first)
        (second,) = await sent(pilot, "GBR", "second")
        spoken = await officer.revoke(laptop.kid, "left")
        (after,) = await sent(pilot, "GBR", "after")
    async with pilot.auditor("GBR") as auditor:
        found = await auditor.member_ledger(laptop.kid)
        history = await auditor.history()
        member = auditor.directory.members[laptop.kid]
        with refused("not-found"):
            await auditor.member_ledger("0" * 32)
    assert {one.report: one.asked for one in found.taken} == {first: True, second: False}
    assert not {before, after} & {one.report for one in found.taken}
    assert (found.left, found.closed) == (spoken[0].index, True)
    blinded = tuple(map(blind, history.entries))
    assert not ledger.of_member(replace(history, entries=blinded), member).closed
    earlier = member.ended(found.taken[0].index - 1)
    assert ledger.of_member(history, earlier).after == (found.taken[0].index,)


def blind(entry: VerifiedEntry) -> VerifiedEntry:
    """The entry once its view was erased, if it is a release."""
    names = ("index", "channel", "count", "time", "type", "checkpoint")
    view = None if entry.type == "release" else entry.view
    return VerifiedEntry._make(**{name: getattr(entry, name) for name in names}, view=view)


@pytest.mark.slow
def test_the_command_line_expels_and_prints_the_ledger(
    pilot: Pilot, monkeypatch: pytest.MonkeyPatch
) -> None:
    (report,) = anyio.run(sent, pilot, "FRA", "one")
    officer = ("--as", pilot.device("KEN", "officer").folder)
    signing = [
        word for n in ("KEN", "GBR", "SEN") for word in ("--root", pilot.folder / n / "root")
    ]
    monkeypatch.setenv("TEARLINE_PASSPHRASE", PASSPHRASE)
    words = ("nation", "expel", "FRA", *officer, *signing, "--reason", "left", "--json")
    first, last = here(*words).done().rows
    assert first["type"] == "nation.expel"
    assert last["ledger"]["closed"] is True
    assert [one["report"] for one in last["ledger"]["taken"]] == [report]
    shown = here("nation", "ledger", "FRA", *officer).done().out
    assert "nothing was released to it after" in shown


@pytest.mark.slow
def test_roots_that_are_never_in_one_place_expel_a_nation_one_after_the_other(
    pilot: Pilot, tmp_path: Path
) -> None:
    """Expect refusal while too few have signed, and of a file that expels nobody."""
    file, who = tmp_path / "expel.tlst", ("--as", pilot.device("KEN", "officer").folder)

    def root(nation: str) -> tuple[str, Path]:
        return "--root", pilot.folder / nation / "root"

    words = ("nation", "expel", "FRA", *who, *root("KEN"), "--reason", "left", "--out", file)
    assert here(*words, "--json").done().row["code"] == "FRA"
    assert "written" in here(*words, "--yes").err
    early = here("nation", "publish", file, *who, "--yes")
    assert (early.code, "1 of 3 nations signed" in early.err) == (1, True), early.err
    other = here("nation", "sign", file, *who, *root("GBR"), "--yes")
    assert "the root of GBR signs with --as an identity of GBR, and this one is of KEN" in other.err
    for nation in ("GBR", "SEN"):
        by = ("--as", pilot.device(nation, "officer").folder, *root(nation))
        assert "expels FRA: left" in here("nation", "sign", file, *by, "--yes").done().out
    first, last = here("nation", "publish", file, *who, "--json").done().rows
    assert (first["type"], last["ledger"]["closed"]) == ("nation.expel", True)
    stranger = tmp_path / "other.tlst"
    stranger.write_bytes((pilot.folder / "broker" / "genesis" / "000.tlst").read_bytes())
    assert (
        "it expels no nation" in here("nation", "sign", stranger, *who, *root("KEN"), "--yes").err
    )
