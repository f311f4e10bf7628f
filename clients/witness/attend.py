"""A nation's auditor or gateway witnesses by default: with the witness in its identity folder."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from clients.identity import Identity
from clients.session import Session
from clients.witness import bring
from clients.witness.bring import Brought
from clients.witness.cosigner import Witness
from clients.witness.folder import WitnessFolder
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
    cosign now. Raises what fails to verify.
    """
    home = home_of(session.identity)
    if home is None:
        return None
    with Witness(WitnessFolder.load(home), clock) as witness:
        try:
            return await bring.by(witness, session)
        except TearlineError as error:
            if error.slug not in LATER:
                raise
            return None
