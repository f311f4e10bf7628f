"""Which releases that an acceptance did not name the originator's own officers consented to."""

from collections.abc import Callable, Iterable
from typing import Final

from wire.bodies import ReportRelease, ReportWithdraw
from wire.statements import Statement

GRACE: Final = 60  # seconds a release may be decided before its entry: a consent ends in between

Said = Callable[[str], Iterable[tuple[int, int, Statement]]]
"""The proven statements of a type, each with its place in the journal and its time (seconds)."""


def consented(said: Said, nation: str, report: object, to: object, *, index: int, now: int) -> bool:
    """Whether the nation's consent for this report and recipient stood at an entry of the journal.

    For the report as a whole: the journal numbers portions, and a consent names what is sealed.
    `now` is the entry's time in seconds.
    """
    back = {
        statement.body(ReportWithdraw).release
        for at, _, statement in said("report.withdraw")
        if at < index and statement.head.nation == nation
    }
    return any(
        (body.report, body.to) == (report, to) and now < body.expires + GRACE
        for at, _, statement in said("report.release")
        if at < index and statement.head.nation == nation and statement.identity not in back
        for body in (statement.body(ReportRelease),)
    )
