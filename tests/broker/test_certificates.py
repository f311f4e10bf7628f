"""Recall certificates over random histories: the holders are those that something was sent to.

The broker is real; what was sent is counted by who asked for it. Then everything that could be kept
from an originator is kept from it, and no certificate reads complete without a holder.
"""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clients.certificate import Certificate, certify
from clients.follower import Filed
from clients.history import History
from tests.broker.house import House
from tests.coalition import DAY, Portion
from tests.nation import Nation
from tests.refusal import refused
from wire import statements
from wire.errors import Malformed, NotAllowed
from wire.prove import Trust, VerifiedEntry, walk
from wire.report import parse

pytestmark = pytest.mark.anyio

NATIONS = ("KEN", "GBR", "FRA", "SEN")


class Day:
    """Random acts of four nations, and what the test saw happen."""

    def __init__(self, house: House, seed: int) -> None:
        self.house, self.chance = house, random.Random(seed)
        self.authors: dict[str, str] = {}
        self.sent: dict[str, set[str]] = {}
        self.recalls: dict[str, str] = {}
        self.answered: dict[str, dict[str, str]] = {}

    async def passes(self, acts: int) -> None:
        for _ in range(acts):
            act = self.chance.choices(
                (self.submits, self.fetches, self.recalls_one, self.answers, self.sleeps),
                (4, 12, 2, 4, 1),
            )[0]
            await act()

    async def submits(self) -> None:
        author, *others = self.chance.sample(NATIONS, self.chance.randint(1, 4))
        hidden = [Portion("More.", release_to=n) for n in others if self.chance.random() < 0.3]
        how: dict[str, Any] = {}
        if self.chance.random() < 0.3:
            how["expires"] = self.house.world.clock.now + self.chance.randint(60, DAY)
        raw = self.house[author].seals(release_to=others[:1], portions=hidden, **how)
        report = (await self.house.submits(raw)).report
        self.authors[report], self.sent[report] = author, set()

    async def fetches(self) -> None:
        if not self.authors:
            return
        report = self.chance.choice(list(self.authors))
        nation = self.chance.choice(NATIONS)
        who = self.chance.choice((self.house[nation].analyst, self.house[nation].system))
        try:
            await self.house.fetches(who, report)
        except NotAllowed:
            return
        assert report not in self.recalls
        self.sent[report].add(nation)

    async def recalls_one(self) -> None:
        waiting = sorted(self.authors.keys() - self.recalls.keys())
        if waiting:
            report = self.chance.choice(waiting)
            body = {"report": report, "reason": "wrong"}
            said = self.house[self.authors[report]].says("report.recall", body)
            await self.house.files(said)
            self.recalls[report], self.answered[report] = said.identity, {}

    async def answers(self) -> None:
        could = [(report, n) for report in self.recalls for n in sorted(self.sent[report])]
        if could:
            report, nation = self.chance.choice(could)
            outcome = self.chance.choice(("destroyed", "never-opened", "retained"))
            await self.house.files(confirms(self.house[nation], self, report, outcome))
            self.answered[report][nation] = outcome

    async def sleeps(self) -> None:
        self.house.world.clock.forward(hours=self.chance.randint(1, 12))
        await self.house.broker.expire()


def confirms(nation: Nation, day: Day, report: str, outcome: str) -> statements.Statement:
    basis = {"basis": "Archives Act"} if outcome == "retained" else {}
    body = {"report": report, "recall": day.recalls[report], "outcome": outcome, **basis}
    return nation.says("recall.confirm", body, by=[nation.system.keys.sign])


async def history_of(house: House, nation: str) -> History:
    """A nation's history, walked and proven as its auditor does."""
    auditor = house.member(house[nation].auditor)
    place = house.broker.directory.channels.index(nation)
    trust, found, complete = Trust(), list[VerifiedEntry](), False
    while not complete:
        page = await house.broker.views(auditor, trust.tip.count, trust.size, 50)
        trust, entries, complete = walk(
            trust, page.segment, [house.log_key], nation, place, None, page.consistency
        )
        found += entries
    return History(nation, trust, tuple(found))


async def said_in(house: House, *, to: str) -> dict[str, Filed]:
    """The statements about recalls, as a nation is shown them."""
    reader = house.member(house[to].auditor)
    trust, found, complete = Trust(), dict[str, Filed](), False
    while not complete:
        page = await house.broker.statements(reader, trust.tip.count, trust.size, 50)
        trust, entries, complete = walk(
            trust, page.segment, [house.log_key], "MISSION", 0, None, page.consistency
        )
        for entry in entries:
            raw = page.statements.get(str((entry.view or {}).get("statement")))
            if raw is not None:
                statement = statements.parse(raw)
                found[statement.identity] = Filed(statement, entry.index, entry.time // 1000)
    return found


async def certificates(day: Day) -> dict[str, Certificate]:
    found = {}
    for report in day.recalls:
        nation = day.authors[report]
        history = await history_of(day.house, nation)
        found[report] = certify(history, report, await said_in(day.house, to=nation))
    return found


def check(day: Day, certificate: Certificate) -> None:
    report = certificate.report
    told = {h.nation: h.answer.outcome for h in certificate.holders if h.answer is not None}
    assert {holder.nation for holder in certificate.holders} == day.sent[report]
    assert told == day.answered[report]
    assert set(certificate.missing) == day.sent[report] - told.keys()
    assert certificate.complete == (not certificate.missing)
    assert certificate.destroyed == (certificate.complete and "retained" not in told.values())
    assert certificate.late == ()


async def random_day(folder: Path, seed: int, acts: int) -> None:
    async with House.of(*NATIONS, folder=folder) as house:
        day = Day(house, seed)
        await day.passes(acts)
        while not day.recalls:
            await day.passes(10)
        for certificate in (await certificates(day)).values():
            check(day, certificate)
        await house.restarts()
        for certificate in (await certificates(day)).values():
            check(day, certificate)


@pytest.mark.slow
async def test_the_holders_are_those_that_something_was_sent_to(tmp_path: Path) -> None:
    await random_day(tmp_path, seed=1, acts=60)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 8))
async def test_the_holders_are_those_that_something_was_sent_to_whatever_happens(
    tmp_path: Path, seed: int
) -> None:
    await random_day(tmp_path, seed, acts=150)


# -- what could be kept from the originator


async def recalled(house: House) -> tuple[Day, str, History, dict[str, Filed]]:
    """A report that two nations hold; one has answered."""
    day = Day(house, 0)
    report = (await house.submits(house["KEN"].seals(release_to=("GBR", "FRA")))).report
    day.authors[report], day.sent[report] = "KEN", {"GBR", "FRA"}
    for nation in ("GBR", "FRA"):
        await house.fetches(house[nation].analyst, report)
    await day.recalls_one()
    await house.files(confirms(house["GBR"], day, report, "destroyed"))
    day.answered[report]["GBR"] = "destroyed"
    return day, report, await history_of(house, "KEN"), await said_in(house, to="KEN")


async def test_no_fault_makes_a_certificate_complete(tmp_path: Path) -> None:
    """Any entry or statement left out, swapped, cut off or made unreadable. Expect refusal, or a
    certificate that is not complete and has lost no holder unseen.
    """
    async with House.of("KEN", "GBR", "FRA", folder=tmp_path) as house:
        day, report, history, said = await recalled(house)
        check(day, certify(history, report, said))
        whole, tip = history.entries, history.trust.tip
        for at in range(len(whole)):
            for entries in (
                (*whole[:at], *whole[at + 1 :]),
                whole[:at],
                (*whole[:at], whole[at - 1], *whole[at + 1 :]),
            ):
                with refused("broken-chain"):
                    certify(replace(history, entries=entries), report, said)
            blind = made_unreadable(whole[at])
            entries = (*whole[:at], blind, *whole[at + 1 :])
            try:
                found = certify(replace(history, entries=entries), report, said)
            except (Malformed, NotAllowed):
                continue
            assert not found.complete
        assert tip.count == len(whole)
        for identity, filed in said.items():
            if filed.statement.head.type in {"report.recall", "recall.confirm"}:
                less = {other: one for other, one in said.items() if other != identity}
                bare = statements.parse(statements.without_body(filed.statement))
                for kept in (less, {**said, identity: replace(filed, statement=bare)}):
                    with pytest.raises(Malformed):
                        certify(history, report, kept)


def made_unreadable(entry: VerifiedEntry) -> VerifiedEntry:
    """The same entry once its view was erased."""
    names = ("index", "channel", "count", "time", "type", "checkpoint")
    return VerifiedEntry._make(**{name: getattr(entry, name) for name in names}, view=None)


async def test_a_report_that_was_not_recalled_has_no_certificate(tmp_path: Path) -> None:
    async with House.of("KEN", "GBR", "FRA", folder=tmp_path) as house:
        report = (await house.submits(house["KEN"].seals(release_to="GBR"))).report
        with refused("not-found"):
            certify(await history_of(house, "KEN"), report, await said_in(house, to="KEN"))


@pytest.mark.slow
async def test_who_was_not_sent_it_cannot_answer_not_found(tmp_path: Path) -> None:
    """Nor for another recall, nor before there is one. Expect refusal."""
    async with House.of("KEN", "GBR", "FRA", folder=tmp_path) as house:
        day = Day(house, 0)
        first, second = [
            (await house.submits(house["KEN"].seals(release_to=("GBR", "FRA")))).report
            for _ in range(2)
        ]
        for report in (first, second):
            await house.fetches(house["GBR"].analyst, report)
        day.recalls = {first: "00" * 32}
        with refused("not-found"):
            await house.files(drafted(house["GBR"], day, first))
        body = {"report": second, "reason": "wrong"}
        day.recalls[first] = (recall := house["KEN"].says("report.recall", body)).identity
        await house.files(recall)
        with refused("not-found"):
            await house.files(drafted(house["GBR"], day, first))
        day.recalls[second] = recall.identity
        with refused("not-found"):
            await house.files(drafted(house["FRA"], day, second))
        await house.files(confirms(house["GBR"], day, second, "destroyed"))


def drafted(nation: Nation, day: Day, report: str) -> statements.Statement:
    """An answer that the world does not take as said."""
    body = {"report": report, "recall": day.recalls[report], "outcome": "destroyed"}
    return nation.drafts("recall.confirm", body, by=[nation.system.keys.sign])


@pytest.mark.slow
@pytest.mark.parametrize("protected", [False, True])
async def test_derived_reports_are_listed_for_whom_they_draw_on(
    tmp_path: Path, *, protected: bool
) -> None:
    """Also when another report stands in between; and to nobody else."""
    async with House.of(*NATIONS, folder=tmp_path) as house:
        kenya, britain, france = (house[code] for code in ("KEN", "GBR", "FRA"))
        everybody: dict[str, Any] = {
            "release_to": ("KEN", "GBR", "FRA"),
            "derive": "within_release",
        }
        source = await house.submits(raw := kenya.seals(**everybody))
        await house.fetches(britain.analyst, source.report)
        second = britain.seals(**drawn_from(raw, protected=protected), **everybody)
        between = await house.submits(second)
        await house.fetches(france.analyst, between.report)
        third = france.seals(**drawn_from(second, protected=protected), **everybody)
        last = await house.submits(third)
        await house.fetches(britain.analyst, last.report)
        recall = {"report": source.report, "reason": "wrong"}
        await house.files(kenya.says("report.recall", recall))
        certificate = certify(
            await history_of(house, "KEN"), source.report, await said_in(house, to="KEN")
        )
        assert [(d.report, d.originator, set(d.to)) for d in certificate.derived] == [
            (between.report, "GBR", {"FRA"}),
            (last.report, "FRA", {"GBR"}),
        ]
        for nation in ("GBR", "FRA"):
            views = [view for kind, view in await house.channel(nation) if kind == "release"]
            named = {report for view in views for report in view.get("sources", ())}
            assert source.report not in named


def drawn_from(raw: bytes, *, protected: bool) -> dict[str, Any]:
    lineage = {"derived_from": [source_of(raw)]}
    return {"protected": lineage} if protected else lineage


def source_of(raw: bytes) -> dict[str, str]:
    frame = parse(raw)
    return {"report": frame.identity, "portion": frame.portions[0].commitment}
