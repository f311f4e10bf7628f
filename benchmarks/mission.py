"""The mission that is measured: five nations, their keys and policies, reports sealed beforehand.

Made once for a run. The policies are those that a new nation starts with, so every report that
names all five is released to all of them.
"""

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Final

from clients import kit
from clients.draft import Draft, Label
from clients.founding import Founded, Plan, library, starter
from clients.identity import Identity
from clients.keystore import CHEAP
from clients.seal import SealedReport, seal
from policies import bundle
from policies.decide import PolicyBook

NATIONS: Final = ("KEN", "GBR", "FRA", "SEN", "BGD")
ORIGINATOR: Final = "KEN"
PAYLOAD: Final = 2048
"""Bytes of text in a report: a page of a human report."""
LIMITS: Final = """
[limits]  # one member stands for many here, and one address for all
streams_per_member = 10000
subscriptions_per_nation = 10000
connections_per_address = 20000
requests_per_second = 1e6
requests_burst = 1000000
"""
PASSPHRASE: Final = "only these benchmarks"  # guards nothing  # noqa: S105


class Mission:
    """A founded mission in `folder`, and what is sent in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "mission"
        self._sealed: list[SealedReport] = []
        self._brokers = 0

    @cached_property
    def founded(self) -> Founded:
        """Its keys and statements, and a folder for each member."""
        plan = Plan(mission="MINUSX", nations=NATIONS, exercise=True)
        now = int(time.time())
        made = kit.create(self.folder, plan, PASSPHRASE, now=now, cost=CHEAP, port=0)
        with (self.folder / "broker" / "broker.toml").open("a") as settings:
            settings.write(LIMITS)
        return made

    @cached_property
    def book(self) -> PolicyBook:
        """All layers in force, as a book of its own."""
        texts = {
            nation: {"release": both.release, "accept": both.accept}
            for nation in NATIONS
            for both in [starter(nation, NATIONS)]
        }
        terms = self.founded.directory.terms
        floor, carry = library("coalition-baseline"), library("mission-carry", mission="MINUSX")
        return bundle.book(terms, floor, carry, texts)

    def identity(self, nation: str, kind: str) -> Identity:
        """One member's identity."""
        return Identity.load(self.founded_folder / nation / kind, PASSPHRASE)

    @property
    def founded_folder(self) -> Path:
        """Where the members' folders are."""
        assert self.founded.plan.nations
        return self.folder

    def broker_folder(self) -> Path:
        """A broker that never ran; a new one each time, on the same disk."""
        self._brokers += 1
        fresh = self.founded_folder.with_name(f"broker-{self._brokers}")
        shutil.copytree(self.founded_folder / "broker", fresh)
        return fresh

    def seal(self, recipients: tuple[str, ...] = NATIONS) -> SealedReport:
        """A new report from Kenya's partner system."""
        made = self.founded
        keys = made.members[ORIGINATOR, "system"]
        return seal(draft(recipients), keys, made.directory, now=_now(), random=os.urandom)

    def reports(self, count: int) -> list[SealedReport]:
        """So many reports, sealed once for the whole run."""
        missing = count - len(self._sealed)
        if missing > 0:
            with ThreadPoolExecutor(2) as two:
                self._sealed += two.map(lambda _: self.seal(), range(missing))
        return self._sealed[:count]


def draft(recipients: tuple[str, ...] = NATIONS) -> Draft:
    """A SECRET report on a mine in Kenya."""
    return Draft(
        title="Mine on the Mandera road",
        body="x" * PAYLOAD,
        label=Label(
            classification="SECRET",
            release_to=recipients,
            regions={"KE"},
            threats={"explosive.mine"},
        ),
    )


def _now() -> int:
    return int(time.time())
