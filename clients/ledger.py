"""A leaver's ledger: what somebody who leaves the mission, or a nation, takes along.

It is computed from a nation's own history, walked and proven complete. Of a nation that was
expelled it lists what was released to it of the asking nation's reports, and of what draws on them.
Of a member that was revoked it lists what its nation was sent while it stood: the journal has one
entry for all readers of a nation, and names the one that asked first.

`after` is the other half: the releases to the leaver behind the entry with which it left. An honest
broker has none, and since the history is complete, an empty list is the proof.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clients.history import History
from wire.members import Member, NationState


@dataclass(frozen=True)
class Marked:
    """How a portion is marked, as its originator signed it."""

    banner: str
    precedence: str
    obligations: tuple[str, ...]


@dataclass(frozen=True)
class Taken:
    """A report in the leaver's hands, by entry `index`, at `time` (milliseconds).

    `asked` says that the leaver itself is named as the one that asked; `marked` is empty where the
    asking nation does not have the label.
    """

    report: str
    originator: str
    index: int
    time: int
    use: str
    portions: tuple[int, ...]
    marked: tuple[Marked, ...]
    recalled: bool
    asked: bool


@dataclass(frozen=True)
class Ledger:
    """What `leaver` (a nation's code, or a member's kid) holds, as far as `nation` may know it.

    `left` is the entry with which it left, None while it stands; `unreadable` counts releases whose
    view was erased.
    """

    nation: str
    leaver: str
    left: int | None
    size: int
    root: str
    taken: tuple[Taken, ...]
    after: tuple[int, ...]
    unreadable: int

    @property
    def closed(self) -> bool:
        """Whether it left, and is proven to have been sent nothing since."""
        return self.left is not None and not (self.after or self.unreadable)


def of_nation(history: History, leaver: NationState) -> Ledger:
    """The ledger of a nation that was expelled, or may be."""
    sent = [taken for taken, to, _ in _releases(history) if to == leaver.code]
    late = () if leaver.expelled is None else _behind(sent, leaver.expelled)
    return _ledger(history, leaver.code, leaver.expelled, sent, late)


def of_member(history: History, leaver: Member) -> Ledger:
    """The ledger of a member of the history's nation that was revoked, or may be."""
    ours = [
        (taken, reader == leaver.kid)
        for taken, to, reader in _releases(history, leaver.kid)
        if to == history.nation and taken.index > leaver.added
    ]
    end = leaver.revoked
    while_it_stood = [taken for taken, _ in ours if end is None or taken.index < end]
    named = [taken for taken, asked in ours if asked]
    late = () if end is None else _behind(named, end)
    return _ledger(history, leaver.kid, end, while_it_stood, late)


def _ledger(
    history: History, leaver: str, left: int | None, taken: Iterable[Taken], after: tuple[int, ...]
) -> Ledger:
    return Ledger(
        nation=history.nation,
        leaver=leaver,
        left=left,
        size=history.trust.size,
        root=history.trust.root.hex(),
        taken=tuple(taken),
        after=after,
        unreadable=history.erased("release"),
    )


def _behind(taken: Iterable[Taken], left: int) -> tuple[int, ...]:
    return tuple(one.index for one in taken if one.index > left)


def _releases(history: History, kid: str | None = None) -> list[tuple[Taken, str, object]]:
    """Every release that the history names, to whom it went, and who asked for it."""
    recalled = {
        view.get("report")
        for _, view in history.of("statement")
        if view.get("type") == "report.recall"
    }
    found = []
    for entry, view in history.of("release"):
        reader = view.get("reader")
        taken = Taken(
            report=str(view.get("report")),
            originator=str(view.get("originator")),
            index=entry.index,
            time=entry.time,
            use=str(view.get("use")),
            portions=tuple(i for i in _list(view.get("portions")) if isinstance(i, int)),
            marked=tuple(_marked(one) for one in _list(view.get("marked"))),
            recalled=view.get("report") in recalled,
            asked=kid is not None and reader == kid,
        )
        found.append((taken, str(view.get("to")), reader))
    return found


def _marked(view: object) -> Marked:
    fields: Mapping[str, object] = view if isinstance(view, dict) else {}
    obligations = tuple(str(word) for word in _list(fields.get("obligations")))
    return Marked(str(fields.get("banner")), str(fields.get("precedence")), obligations)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
