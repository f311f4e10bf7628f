"""A founded mission that sealing and opening are tested in: made once, the same every time."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from clients.draft import Draft, Label
from clients.founding import Founded, Plan, found
from clients.keys import EpochKeyring
from clients.open import OpenedReport, open_report
from clients.seal import SealedReport, seal
from tests.people import random_of
from wire import statements, verify
from wire.bodies import EpochGrant
from wire.verify import VerifiedReport

NOW = 1_780_000_000
NATIONS = ("KEN", "GBR", "FRA", "SEN")
KINDS = {"classification": "SECRET", "regions": {"KE"}, "threats": {"explosive.ied_emplaced"}}


@cache
def founded(*clearances: tuple[str, str]) -> Founded:
    plan = Plan(mission="MINUSX", nations=NATIONS, clearances=dict(clearances))
    return found(plan, now=NOW, random=random_of("founding"))


def label(release_to: Iterable[str] = ("GBR",), **how: Any) -> Label:
    return Label(**{**KINDS, "release_to": set(release_to), **how})


def draft(release_to: Iterable[str] = ("GBR",), **how: Any) -> Draft:
    words: dict[str, Any] = {
        "title": "IED on the Garissa road",
        "body": "Two devices.\nPressure plates.",
    }
    return Draft(**{**words, "label": label(release_to), **how})


def sealed(content: Draft, nation: str = "KEN", *, seed: object = 0, **how: Any) -> SealedReport:
    mission = founded()
    told = {"now": NOW + 60, "random": random_of("seal", seed), **how}
    return seal(content, mission.members[nation, "system"], mission.directory, **told)


def delivered(raw: bytes, nation: str, portions: Iterable[int] | None = None) -> VerifiedReport:
    """Accepted by a broker, cut down for one nation, and verified by its reader."""
    directory = founded().directory
    position, now = directory.position + 1, NOW + 60
    submitted = verify.verify_submission(raw, directory, position, now)
    verify.check_fresh(submitted, directory, now)
    keep = [p.index for p in submitted.portions if nation in p.recipients]
    cut = submitted.frame.redacted(keep if portions is None else portions, nation)
    return verify.verify_delivery(cut, directory, position, now, nation)


def keyring(nation: str, kind: str = "analyst", mission: Founded | None = None) -> EpochKeyring:
    mission = mission or founded()
    parsed = map(statements.parse, mission.genesis)
    grants = [s.body(EpochGrant) for s in parsed if s.head.type == "epoch.grant"]
    keys, terms = mission.members[nation, kind], mission.directory.terms
    return EpochKeyring.from_grants(keys, nation, grants, terms)


def opened(verified: VerifiedReport, nation: str) -> OpenedReport:
    return open_report(verified, nation, keyring(nation), founded().directory.terms)
