"""What a broker does at its start beside reading its journal (`broker.rebuilding`)."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

from broker import audit, logs
from broker.eras import is_said_again
from broker.journal import Entry, Record
from broker.publishing import Publishing
from broker.sequencer import Act, Moment
from broker.settings import Settings
from broker.state import State
from wire import statements
from wire.errors import BrokerFault, TearlineError
from wire.notes import VKey

ATTACHMENTS_FOLDER: Final = "attachments"
ANCHOR_FILE: Final = "checkpoint"


class OperatorAct(Act[None]):
    """The operator starts or stops the service: `operator.start`, `operator.stop`."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def plan(self, moment: Moment) -> Sequence[Record]:
        """One entry in the mission's channel."""
        del moment
        return (Record(audit.operator(self._kind, version("tearline"))),)

    def settle(self, entries: Sequence[Entry]) -> None:
        """Nothing follows."""
        del entries


def make_folders(settings: Settings) -> None:
    """The folders that a new broker does not have yet. Raises `BrokerFault` ("bad-settings")."""
    data = settings.data_folder
    try:
        for folder in (data, data / ATTACHMENTS_FOLDER, settings.anchor_folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        raise BrokerFault("bad-settings", "`data` or `anchor` cannot be made") from None


async def genesis(folder: Path, state: State, publishing_: Publishing) -> None:
    """Publish the statements with which the mission begins, those that the journal has not got.

    Of those that were lost and are said again, one may rest on something that nobody could say
    again: it is passed over. Raises `BrokerFault` ("bad-settings") naming the file that is refused.
    """
    for name, raw in _files(folder):
        try:
            if statements.identity(raw) not in state.statements:
                await publishing_.publish(raw, from_operator=True)
        except BrokerFault:
            raise
        except TearlineError as error:
            if not is_said_again(name):
                raise BrokerFault("bad-settings", f"genesis/{name}: {error.slug}") from error
            logs.event("statement.not-said-again", file=name, slug=error.slug)


def _files(folder: Path) -> list[tuple[str, bytes]]:
    """Names and bytes of the genesis statements, in the order of their names."""
    try:
        paths = sorted(folder.glob("*.tlst"))
        return [(path.name, path.read_bytes()) for path in paths]
    except OSError:
        raise BrokerFault("bad-settings", "the genesis statements cannot be read") from None


def check_founded(state: State, origin: str, keys: Sequence[VKey]) -> None:
    """Refuse to serve a mission that was not founded, or that names another log.

    Raises `BrokerFault` ("bad-settings").
    """
    charter = state.standing.directory.charter
    if charter is None or state.standing.directory.vocabulary is None:
        raise BrokerFault("bad-settings", "no charter and registry, in the journal or `genesis`")
    if charter.origin != origin or charter.log_keys != tuple(map(str, keys)):
        raise BrokerFault("bad-settings", "the charter names another log, or another `log-key`")
