"""What a log is called now: by its settings, or by what its nations signed after a loss.

The statements by which a log was continued lie in `genesis/`, as what it was founded by does. Who
changes them stops the broker: the journal's checkpoints bear the name that they give.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from broker.journal.state import Era, Seals
from broker.settings import Settings
from wire import statements
from wire.bodies import MissionCharter, MissionContinue
from wire.errors import BrokerFault, TearlineError
from wire.notes import Ed25519Signer, VKey
from wire.statements import Statement

CONTINUED: Final = "continued-{size:012}-{number:05}.tlst"
"""The statement is number 0; those that were lost and are said again follow it."""
_STATEMENTS: Final = "continued-*-00000.tlst"
_SAID_AGAIN: Final = re.compile(r"continued-[0-9]{12}-(?!00000)[0-9]{5}\.tlst")


def continued(settings: Settings) -> tuple[MissionContinue, ...]:
    """By what the log was continued, oldest first. Raises `BrokerFault` ("bad-settings")."""
    found = _read(settings.genesis_folder, _STATEMENTS)
    try:
        return tuple(statement.body(MissionContinue) for statement in found)
    except TearlineError as error:
        raise BrokerFault("bad-settings", f"genesis/continued: {error.slug}") from error


def eras_of(bodies: Sequence[MissionContinue]) -> tuple[Era, ...]:
    """From where on the log has which name."""
    return tuple(Era(body.size, body.origin) for body in bodies)


def seals_of(settings: Settings, eras: tuple[Era, ...] | None = None) -> Seals:
    """How the log signs and seals; `eras` are given where they are not what `genesis/` says.

    Raises `BrokerFault` ("bad-settings").
    """
    eras = eras_of(continued(settings)) if eras is None else eras
    origin = eras[-1].origin if eras else settings.origin
    signer = Ed25519Signer(origin, settings.secret("log-key"))
    return Seals(origin, (signer,), settings.secret("journal-secret"), eras)


def log_keys(settings: Settings, since: Sequence[MissionContinue]) -> tuple[VKey, ...]:
    """The keys by which the log signed, as nations signed them: our own key may be a newer one.

    Raises `BrokerFault` ("bad-settings").
    """
    if since:
        return tuple(map(VKey.parse, since[-1].log_keys))
    for statement in _read(settings.genesis_folder, "*.tlst"):
        if statement.identity == settings.charter:
            return tuple(map(VKey.parse, statement.body(MissionCharter).log_keys))
    raise BrokerFault("bad-settings", "the charter is not in `genesis`")


def is_said_again(name: str) -> bool:
    """Whether a file of this name in `genesis/` is a statement that was lost."""
    return _SAID_AGAIN.fullmatch(name) is not None


def _read(folder: Path, names: str) -> list[Statement]:
    try:
        return [statements.parse(path.read_bytes()) for path in sorted(folder.glob(names))]
    except OSError:
        raise BrokerFault("bad-settings", "the genesis statements cannot be read") from None
    except TearlineError as error:
        raise BrokerFault("bad-settings", f"genesis: {error.slug}") from error
