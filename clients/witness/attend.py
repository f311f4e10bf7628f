"""A nation's auditor or gateway witnesses by default: with the witness in its identity folder."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from clients.continuing import Log
from clients.identity import Identity
from clients.session import FRESH, Session
from clients.witness import bring
from clients.witness.bring import Brought
from clients.witness.cosigner import Witness
from clients.witness.folder import WitnessFolder, watch
from wire.errors import TearlineError

FOLDER: Final = "witness"
LATER: Final = frozenset({"stale-size", "not-found"})
"""Refusals that only mean that the candidate has changed meanwhile."""


def home_of(identity: Identity) -> Path | None:
    """The folder of the witness that belongs to an identity, if there is one."""
    folder = identity.folder / FOLDER
    return folder if folder.is_dir() else None


async def once(session: Session, clock: Callable[[], float] = time.time) -> Brought | None:
    """Let the identity's own witness cosign the candidate; None where there is none, or nothing to
    cosign now. It goes with the log where the nations moved it. Raises what fails to verify.
    """
    home = home_of(session.identity)
    if home is None:
        return None
    await session.follower.sync(within=FRESH)
    with Witness(_watching(home, session.follower.log), clock) as witness:
        try:
            return await bring.by(witness, session)
        except TearlineError as error:
            if error.slug not in LATER:
                raise
            return None


def _watching(home: Path, log: Log) -> WitnessFolder:
    """The witness's folder; of a log that was left nothing is cosigned any more."""
    opened = WitnessFolder.load(home)
    if not log.moves or log.origin in opened.logs:
        return opened
    return watch(home, *map(str, log.keys), left=log.left.keys())
