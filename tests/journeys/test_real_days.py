"""Two days of real rows: amendments, recalls, expiries, and who belongs to the mission.

Revised events are posted and then corrected; navigational warnings cancel earlier ones and end by
themselves; the nations are those that had troops in a real mission in one year, and in the next.
Two days of the mission's clock pass, at a pace of a real day an hour, through a real broker. Every
few hours each nation reads everything it may have, and that is what a list kept by hand says.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from heapq import merge
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from broker.matching import Filter
from tests.broker.house import House
from tests.data import shared
from wire.report import parse

pytestmark = [pytest.mark.anyio, pytest.mark.real_data, pytest.mark.slow]

HOUR = 3_600
DAYS = 2
LOOK = 4  # hours between two looks
MISSION = "UNIFIL"
YEARS = (1996, 1997)
SELF_CANCELS = "%d%H%MZ %b %y"  # 260400Z MAY 23


@dataclass(frozen=True, order=True)
class Row:
    """Something that a nation posts: at this second of the two days, under this name."""

    at: int
    name: str
    replaces: str | None = None
    cancels: tuple[str, ...] = ()
    ends: int | None = None
    author: int = field(default=0, compare=False)


@dataclass
class Posted:
    """What the list kept by hand says of one report."""

    author: str
    nations: frozenset[str]
    ends: int | None
    recalled: bool = False


def rows_of(name: str) -> list[dict[str, Any]]:
    with next(iter(shared(name).glob("[rm]*s.ndjson"))).open() as lines:
        return [json.loads(line) for line in lines]


def warnings() -> Iterator[Row]:
    """Navigational warnings, evenly spread; of how long each stands, a real day is an hour.

    The earlier ones are not among the rows, so they are posted as the bare numbers they are named
    by, in the first hours, and taken back by the row that cancels them.
    """
    rows = sorted(rows_of("nav-warnings"), key=lambda row: row["time"])
    for number, row in enumerate(rows):
        at = 4 * HOUR + number * (DAYS * 24 - 5) * HOUR // len(rows)
        author = die(row["region"], 0)
        cancelled = tuple(f"{row['region']} {other}" for other in row["extra"]["cancels"])
        for other in cancelled:
            yield Row(die(other, 1) * 60, other, author=author)
        ends = None
        if row["extra"]["self_cancels"]:
            said = row["extra"]["self_cancels"]
            until = datetime.strptime(said, SELF_CANCELS).replace(tzinfo=UTC)
            life = int(until.timestamp()) - moment(row["time"])
            ends = at + max(60, life // 24)
        yield Row(at, row["id"], cancels=cancelled, ends=ends, author=author)


def revisions() -> Iterator[Row]:
    """Events as they were first told, and as they were corrected a day later."""
    path = shared("ucdp-reports") / "revisions.ndjson"
    with path.open() as lines:
        for number, line in enumerate(lines):
            row, author = json.loads(line), die(json.loads(line)["id"], 2)
            at = number * 500
            yield Row(at, f"{row['id']} v1", author=author)
            yield Row(at + 24 * HOUR, f"{row['id']} v2", f"{row['id']} v1", author=author)


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def die(text: str, number: int) -> int:
    return hashlib.sha256(text.encode()).digest()[number]


def rosters() -> tuple[list[str], list[str]]:
    """Who had troops in the mission in one year, and in the next."""
    by_year = {
        row["year"]: sorted(row["contributors"])
        for row in rows_of("coalitions-geopko")
        if row["mission"] == MISSION
    }
    before, after = (by_year[year] for year in YEARS)
    return before, after


class Days:
    """The broker, and beside it the list kept by hand."""

    def __init__(self, house: House, nations: list[str]) -> None:
        self.house, self.nations = house, nations
        self.start = house.world.clock.now
        self.posted: dict[str, Posted] = {}
        self.names: dict[str, str] = {}
        self.counts = dict.fromkeys(("posted", "amended", "recalled", "ended", "lost"), 0)

    async def post(self, row: Row) -> None:
        """One row by its author, as long as that one is there; and what follows from it."""
        everybody = sorted(self.posted_by)
        author = everybody[row.author % len(everybody)]
        old = self.names.get(row.replaces or "")
        if row.name in self.names or author not in self.nations or (row.replaces and not old):
            self.counts["lost"] += author not in self.nations
            return
        nations = [n for i, n in enumerate(self.nations) if die(row.name, 3 + i) < 150]
        nations = sorted({author, *nations})
        label: dict[str, Any] = {"release_to": nations, "classification": "RESTRICTED"}
        if row.ends is not None:
            label["expires"] = self.start + row.ends
        if old:
            label["supersedes"] = old
            self.counts["amended"] += 1
        raw = self.house[author].seals(row.name, **label)
        report = (await self.house.submits(raw)).report
        ends = label.get("expires")
        self.posted[report] = Posted(author, frozenset(nations), ends)
        self.names[row.name] = report
        self.counts["posted"] += 1
        self.counts["ended"] += ends is not None and ends <= self.start + DAYS * 24 * HOUR
        for name in row.cancels:
            await self.recall(self.names.get(name), author)

    async def recall(self, report: str | None, author: str) -> None:
        one = None if report is None else self.posted[report]
        if one is not None and one.author == author and not one.recalled:
            body = {"report": report, "reason": "cancelled"}
            await self.house.files(self.house[author].says("report.recall", body))
            one.recalled = True
            self.counts["recalled"] += 1

    @property
    def posted_by(self) -> list[str]:
        """Who may be an author: the nations of the first year, whether they are there or not."""
        return rosters()[0]

    async def becomes(self, nations: list[str]) -> None:
        """Let those join who are new, and those leave who are not among them any more."""
        world = self.house.world
        filed = len(world.history)
        for code in nations:
            if code not in self.nations:
                world.admits(code)
        for code in self.nations:
            if code not in nations:
                world.expels(code)
        await self.house.files(*(one.statement for one in world.history[filed:]))
        self.nations = list(nations)

    # -- looking

    def visible(self, nation: str) -> set[str]:
        """What a nation may have now, by the list: nothing of the rules is asked."""
        now = self.house.world.clock.now
        return {
            report
            for report, one in self.posted.items()
            if nation in one.nations
            and one.author in self.nations
            and not one.recalled
            and (one.ends is None or now < one.ends)
        }

    async def look(self) -> None:
        """What each nation reads is what the list says, and what is gone is not kept."""
        for nation in self.nations:
            assert await self.reads(nation) == self.visible(nation), nation
        await self.house.broker.expire()
        now = self.house.world.clock.now
        rows = await self.house.broker.journal.rows("reports_after", (-1, 10_000))
        kept = {
            identity: any(p.payload for p in parse(raw).portions)
            for _, _, identity, *_, raw in rows
        }
        assert kept == {
            report: not (one.recalled or (one.ends is not None and one.ends <= now))
            for report, one in self.posted.items()
        }

    async def reads(self, nation: str) -> set[str]:
        reader = self.house.member(self.house[nation].analyst)
        found, cursor, more = set[str](), None, True
        while more:
            page = await self.house.broker.pull(reader, Filter(), cursor, 100)
            found |= {parse(release.report).identity for release in page.releases}
            cursor, more = page.cursor, page.more
        return found


@pytest.mark.long
async def test_after_two_real_days_everybody_sees_what_is_left_for_him(tmp_path: Path) -> None:
    before, after = rosters()
    plan = list(merge(sorted(warnings()), sorted(revisions())))
    async with House.of(*before, folder=tmp_path) as house:
        days, clock = Days(house, before), house.world.clock
        looks = range(0, (DAYS * 24 + LOOK) * HOUR, LOOK * HOUR)
        for begin, end in pairwise(looks):
            if begin == 24 * HOUR:
                await days.becomes(after)
            for row in (row for row in plan if begin <= row.at < end):
                clock.now = max(clock.now, days.start + row.at)
                await days.post(row)
            clock.now = days.start + end
            await days.look()
        await house.restarts()
        await days.look()
        await house.broker.journal.scrub()
        assert all(days.counts.values()), days.counts
