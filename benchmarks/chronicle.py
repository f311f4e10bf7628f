"""The long history of a large mission, written through the real journal.

Thirty nations. One of them, Kenya, sends four reports of five, each to seven partners in turn; each
partner answers now and then. A report is accepted once and released to every nation that it names,
so most entries are releases, and almost all concern Kenya: its auditor has the longest chain that
there can be. Between them it reads its own history, subscribes, and is refused.

A real broker accepts and releases one report of each kind first. What it wrote of them are the
views that are repeated here, each with the names and numbers of its own, and written by the journal
itself: real encodings, commitments, chains, heads, tree, ties and signatures. The reports are
copies of a few sealed ones under other ids. The history begins 120 days ago, and ends today.
"""

import hashlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from benchmarks.mission import PASSPHRASE, SETTINGS, draft
from broker.core import Broker
from broker.journal import THIS_INDEX, Journal, Record
from broker.journal import Row as TableRow
from broker.settings import Settings
from broker.startup import ANCHOR_FILE
from clients import kit
from clients.founding import Founded, Plan
from clients.identity import Identity
from clients.keystore import CHEAP
from clients.seal import SealedReport, seal
from wire import report, strict_json
from wire.entries import MISSION, Event
from wire.notes import Ed25519Signer
from wire.report import Header

AUDITED: Final = "KEN"
PARTNERS: Final = (
    *("GBR", "FRA", "SEN", "BGD", "TCD", "NER", "GHA", "RWA", "ETH", "UGA", "TZA", "ZAF", "EGY"),
    *("MAR", "IND", "PAK", "NPL", "IDN", "BRA", "URY", "ITA", "DEU", "ESP", "NLD", "SWE", "NOR"),
    *("POL", "CAN", "AUS"),
)
QUIET: Final = PARTNERS[-1]
"""The partner that only answers now and then."""
READERS: Final = 7
"""Partners that a report of Kenya's goes to."""
DAYS: Final = 120
DAY: Final = 86_400
KINDS: Final = 16
"""Different sealed reports of Kenya."""
BATCH_REPORTS: Final = 64
"""Reports of one transaction, with their releases some five hundred entries."""
READ_EVERY, REFUSED_EVERY, SUBSCRIBED_EVERY = 40, 97, 331
"""Reports after which Kenya's auditor reads, its system is refused, its analyst subscribes."""

View = dict[str, Any]
Views = Mapping[str, View]
"""What each channel is told of one event."""


@dataclass
class Chronicle:
    """A broker's folder with a history that grows. `entries` counts those that concern Kenya."""

    kit: Path
    founded: Founded
    begun: int
    total: int
    reports: int = 0
    entries: int = 0
    _now: float = 0.0
    _kinds: list[SealedReport] = field(default_factory=list)
    _accepted: Views = field(default_factory=dict)
    _released: dict[tuple[str, str], Views] = field(default_factory=dict)

    @classmethod
    async def begin(cls, folder: Path, total: int) -> Self:
        """Found the mission, and let a real broker show how it writes. `total` is how many entries
        are to concern Kenya in the end.
        """
        begun = int(time.time()) - DAYS * DAY
        plan = Plan(mission="MINUSX", nations=(AUDITED, *PARTNERS), exercise=True, witnesses=())
        made = kit.create(folder, plan, PASSPHRASE, now=begun, cost=CHEAP, port=0)
        with (folder / "broker" / "broker.toml").open("a") as settings:
            settings.write(SETTINGS)
        chronicle = cls(folder, made, begun, total, _now=begun + 60.0)
        await chronicle._learn()
        return chronicle

    @property
    def home(self) -> Path:
        """The broker's folder."""
        return self.kit / "broker"

    def identity(self, nation: str, kind: str) -> Identity:
        """One member's identity."""
        return Identity.load(self.kit / nation / kind, PASSPHRASE)

    def opening(self) -> "JournalOpening":
        """How the broker opens its journal."""
        return JournalOpening(Settings.load(self.home))

    async def grow(self, entries: int) -> None:
        """Go on until so many entries concern Kenya."""
        journal = await self.opening().open(lambda: self._now)
        try:
            while self.entries < entries:
                records = list(self._batch(journal.size))
                await journal.append(records)
                self.entries += sum(AUDITED in record.event.views for record in records)
                self._now = self.begun + 3600 + (DAYS - 1) * DAY * self.entries / self.total
        finally:
            await journal.close()

    # -- how a broker writes

    async def _learn(self) -> None:
        everybody = (AUDITED, *PARTNERS)
        self._kinds = [self._seal(AUDITED, n, _readers(n)) for n in range(KINDS)]
        settings = Settings.load(self.home)
        broker = await Broker.open(settings, clock=lambda: self._now, random=os.urandom)
        await self._release(broker, AUDITED, everybody)
        for partner in PARTNERS:
            await self._release(broker, partner, (AUDITED, partner))
        for channel in everybody:
            segment = await broker.journal.segment(channel)
            for entry in segment.entries:
                view: Any = strict_json.parse(entry.view or b"")
                if entry.link.find(b'"type":"release"') > 0:
                    pair = (view["originator"], view["to"])
                    self._released[pair] = {**self._released.get(pair, {}), channel: view}
                elif view.get("portions") and channel == AUDITED:
                    self._accepted = {channel: view}
        await broker.close()

    async def _release(self, broker: Broker, originator: str, nations: Sequence[str]) -> None:
        receipt = await broker.submit(self._seal(originator, 0, nations).raw)
        for nation in nations:
            reader = broker.member(self.founded.members[nation, "analyst"].kid)
            await broker.fetch(reader, receipt.report)

    def _seal(self, originator: str, number: int, nations: Sequence[str]) -> SealedReport:
        author, directory = self.founded.members[originator, "system"], self.founded.directory
        now = self.begun + 60
        return seal(draft(number, nations), author, directory, now=now, random=os.urandom)

    # -- what happens

    def _batch(self, position: int) -> Iterator[Record]:
        """The next reports and all that comes with them, from this position of the journal on."""
        for _ in range(BATCH_REPORTS):
            self.reports += 1
            number = self.reports
            records = list(self._answer(position) if number % 5 == 0 else self._sharing(position))
            if number % READ_EVERY == 0:
                records.append(self._read())
            if number % REFUSED_EVERY == 0:
                records.append(self._refused())
            if number % SUBSCRIBED_EVERY == 0:
                records.append(self._subscribed())
            position += len(records)
            yield from records

    def _sharing(self, position: int) -> Iterator[Record]:
        """Kenya sends a report, and all whom it names get it."""
        kind = self.reports % KINDS
        identity, accepted = self._accept(AUDITED, self._kinds[kind].raw)
        yield accepted
        for nation in _readers(kind):
            yield self._to(identity, position, AUDITED, nation)

    def _answer(self, position: int) -> Iterator[Record]:
        """A partner sends one to Kenya: of that Kenya is told its own release only."""
        partner = PARTNERS[self.reports // 5 % len(PARTNERS)]
        identity, accepted = self._accept(partner, self._kinds[0].raw)
        yield accepted
        yield self._to(identity, position, partner, AUDITED)

    def _accept(self, originator: str, raw: bytes) -> tuple[str, Record]:
        old = strict_json.load(report.parse(raw).header_bytes, Header)
        told = b"%032x" % self.reports
        raw = raw.replace(old.id.encode(), told, 1)
        raw = raw.replace(b'"originator":"KEN"', b'"originator":"%b"' % originator.encode(), 1)
        frame = report.parse(raw)
        row = (THIS_INDEX, told.decode(), frame.identity, originator, old.signer, old.created, raw)
        view: View = {**self._accepted[AUDITED], "report": frame.identity, "id": told.decode()}
        nations = sorted(_readers(self.reports % KINDS))
        view["portions"] = [
            {**portion, "label": _digest("label", self.reports), "nations": _all(nations)}
            for portion in view["portions"]
        ]
        event = Event("report.accepted", {originator: view})
        return frame.identity, Record(event, (TableRow("report", row),))

    def _to(self, identity: str, position: int, originator: str, nation: str) -> Record:
        when = {"report": identity, "accepted": position, "accepted_time": int(self._now)}
        views = {
            channel: {**view, **when}
            for channel, view in self._released[originator, nation].items()
        }
        row = TableRow("release", (position, nation, 1, THIS_INDEX))
        return Record(Event("release", views), (row,))

    def _read(self) -> Record:
        denial = {
            "report": _digest("denied", self.reports // 400),
            "originator": AUDITED,
            "to": PARTNERS[self.reports % len(PARTNERS)],
            "kind": "analyst",
            "how": "fetch",
            "because": "denied",
            "outcome": "WITHHOLD",
            "rules": {f"release/{AUDITED}": [f"{AUDITED}/closed"]},
            "first": int(self._now) - 60,
            "last": int(self._now),
            "times": 2,
        }
        reader = self.founded.members[AUDITED, "auditor"].kid
        view = {"reader": reader, "after": self.entries, "limit": 500}
        return Record(Event("audit.read", {AUDITED: {**view, "denials": [denial], "left_out": 0}}))

    def _refused(self) -> Record:
        view = {
            "report": _digest("refused", self.reports),
            "id": f"{self.reports:032x}",
            "signer": self.founded.members[AUDITED, "system"].kid,
            "slug": "withheld",
            "nations": [PARTNERS[self.reports % len(PARTNERS)]],
        }
        return Record(Event("report.refused", {AUDITED: view}))

    def _subscribed(self) -> Record:
        reader = self.founded.members[AUDITED, "analyst"].kid
        wanted = {"regions": ["KE"], "threats": [], "precedence": [], "purpose": None}
        view = {"reader": reader, "name": f"s{self.reports}", "filter": wanted}
        return Record(Event("subscription.set", {AUDITED: view}))


@dataclass(frozen=True)
class JournalOpening:
    """A journal's folder, keys and secret, as the broker's settings name them."""

    settings: Settings

    async def open(self, clock: Any = time.time) -> Journal:
        """Open it."""
        settings = self.settings
        return await Journal.open(
            settings.data_folder,
            anchor=settings.anchor_folder / ANCHOR_FILE,
            signers=(Ed25519Signer(settings.origin, settings.secret("log-key")),),
            origin=settings.origin,
            secret=settings.secret("journal-secret"),
            channels=(MISSION,),
            clock=clock,
            random=os.urandom,
        )


def _readers(number: int) -> tuple[str, ...]:
    """Kenya, and the partners in turn; the last of them is not among them."""
    often = PARTNERS[:-1]
    return (AUDITED, *(often[(number * READERS + n) % len(often)] for n in range(READERS)))


def _all(nations: Sequence[str]) -> View:
    return dict.fromkeys(nations, "RELEASE")


def _digest(word: str, number: int) -> str:
    return hashlib.sha256(f"{word} {number}".encode()).hexdigest()
