"""What the console answers from: one auditor's evidence, and what its owner pinned."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from clients.auditor import Auditor
from clients.console.labels import Held
from clients.evidence import pull
from clients.evidence.recheck import recheck
from clients.evidence.store import EvidenceStore
from wire.bodies import MissionCharter
from wire.errors import Malformed


@dataclass(frozen=True)
class Desk:
    """An auditor, its clock (Unix milliseconds), labels of the reports it holds, and what came of
    proving the stored evidence anew: `recheck` is empty if all of it still holds, and None if that
    was not done.
    """

    auditor: Auditor
    now_ms: Callable[[], int]
    labels: Mapping[str, Held] = field(default_factory=dict)
    recheck: str | None = None

    @property
    def nation(self) -> str:
        """Whose evidence it is."""
        return self.auditor.identity.nation

    @property
    def mission(self) -> str:
        """The mission's code."""
        return self.auditor.identity.mission

    @property
    def charter(self) -> MissionCharter:
        """The charter that the auditor pinned. Raises `Malformed` before the first pull."""
        charter = self.auditor.directory.charter
        if charter is None:
            raise Malformed("bad-input", "nothing was pulled yet; run tearline audit pull")
        return charter

    @contextmanager
    def opened(self) -> Iterator[EvidenceStore]:
        """The evidence, which must be as it was left: each answer opens it anew, so that a pull
        elsewhere shows at once, and an edit of its end is refused at once.
        """
        auditor = self.auditor
        whose = pull.whose(auditor)
        with EvidenceStore.open(auditor.identity.state, whose, new=False) as store:
            pull.check(auditor, store)
            yield store


def rechecked(desk: Desk) -> str | None:
    """What came of proving all that is stored anew; see `clients.evidence.recheck`."""
    me = desk.auditor.identity
    with desk.opened() as store:
        return recheck(store, me.mission, me.nation, me.charter, desk.now_ms())
