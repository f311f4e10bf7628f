"""The mission that is measured: five nations, their keys, and reports sealed beforehand.

Made once for a run. Its policies are those that a new nation starts with, so a report that names
all five is released to all of them.
"""

import os
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from clients import kit
from clients.draft import Draft, Label
from clients.founding import Founded, Plan
from clients.identity import Identity
from clients.keystore import CHEAP
from clients.member_keys import MemberKeys
from clients.seal import SealedReport, seal
from wire.labels import Precedence

NATIONS: Final = ("KEN", "GBR", "FRA", "SEN", "BGD")
ORIGINATOR: Final = "KEN"
PAYLOAD: Final = 2048
"""Bytes of text in a report: a page that somebody wrote."""
PLACES: Final = (
    *(("KE", "SECRET"), ("SO", "SECRET"), ("ET", "CONFIDENTIAL")),
    *(("UG", "RESTRICTED"), ("TZ", "RESTRICTED")),
)
THREATS: Final[Sequence[tuple[str, Precedence]]] = (
    *(("explosive.ied_emplaced", "IMMEDIATE"), ("explosive.mine", "PRIORITY")),
    *(("maritime.piracy", "PRIORITY"), ("conflict.clash", "PRIORITY")),
    *(("health.outbreak", "ROUTINE"), ("trafficking.arms", "ROUTINE")),
    ("civilians.displacement", "ROUTINE"),
)
"""Reports are of 35 kinds: a place and a threat each."""
PASSPHRASE: Final = "guards nothing"
SETTINGS: Final = """
[limits]  # one member stands for many here, and one address for all
streams_per_member = 10000
subscriptions_per_nation = 10000
connections_per_address = 20000
requests_per_second = 1000000.0
requests_burst = 1000000
heartbeat_seconds = 86400.0
"""


@dataclass
class Mission:
    """A founded mission, the folders of its members, and what is sent in it."""

    folder: Path
    founded: Founded
    _sealed: list[SealedReport] = field(default_factory=list)
    _brokers: int = 0

    @classmethod
    def found(cls, folder: Path) -> Self:
        """Make all keys and statements, and the folders that a kit has."""
        plan = Plan(mission="MINUSX", nations=NATIONS, exercise=True)
        made = kit.create(folder, plan, PASSPHRASE, now=int(time.time()), cost=CHEAP, port=0)
        with (folder / "broker" / "broker.toml").open("a") as settings:
            settings.write(SETTINGS)
        return cls(folder, made)

    @property
    def now(self) -> int:
        """Unix seconds."""
        return int(time.time())

    @property
    def author(self) -> MemberKeys:
        """The keys of Kenya's partner system."""
        return self.founded.members[ORIGINATOR, "system"]

    def identity(self, nation: str, kind: str) -> Identity:
        """One member's identity."""
        return Identity.load(self.folder / nation / kind, PASSPHRASE)

    def broker_folder(self) -> Path:
        """A broker that never ran; a new one each time, on the same disk."""
        self._brokers += 1
        fresh = self.folder.with_name(f"broker-{self._brokers}")
        return Path(shutil.copytree(self.folder / "broker", fresh))

    def seal(self, number: int = 0, recipients: Sequence[str] = NATIONS) -> SealedReport:
        """A new report from Kenya's partner system."""
        directory = self.founded.directory
        written = draft(number, recipients)
        return seal(written, self.author, directory, now=self.now, random=os.urandom)

    def reports(self, count: int) -> list[SealedReport]:
        """So many reports, sealed once for the whole run."""
        missing = range(len(self._sealed), count)
        with ThreadPoolExecutor(2) as threads:
            self._sealed += threads.map(self.seal, missing)
        return self._sealed[:count]


def draft(number: int = 0, recipients: Sequence[str] = NATIONS) -> Draft:
    """A report of one of the kinds, in turn, for all these nations."""
    place, classification = PLACES[number % len(PLACES)]
    threat, precedence = THREATS[number % len(THREATS)]
    label = Label(
        classification=classification,
        release_to=recipients,
        regions={place},
        threats={threat},
        precedence=precedence,
    )
    return Draft(title="Mine on the Mandera road", body="x" * PAYLOAD, label=label)
