"""The fold: one statement after another into the directory of who is who.

Order of beginning: the founding nations' first `root.publish` statements, then the
`mission.charter` that names exactly those and that is pinned, then everything else. A later
nation is admitted first, by a quorum of the others, and then publishes the root they named.
Validity goes by journal position; `time` is the time of the journal entry, in seconds.
"""

from typing import Final

from wire import authority
from wire.bodies import RULES
from wire.directory import Directory
from wire.effects import BEGINNINGS, EFFECTS
from wire.entries import MISSION
from wire.errors import Conflict, Malformed, NotAllowed
from wire.founding import Step
from wire.members import NationState
from wire.statements import GENESIS, Statement

ISSUED_AHEAD: Final = 300  # seconds a statement's own clock may run ahead of the journal's


def apply(
    directory: Directory,
    statement: Statement,
    position: int,
    time: int,
    *,
    viewer: str | None = None,
) -> Directory:
    """The directory after this statement at this journal position and time (seconds).

    `viewer` is whose eyes these are: a nation must be shown every body of its own chain, the
    broker (`MISSION`) every body at all; `None` asks only for what everybody must be shown.
    Raises `Malformed`, `NotAllowed` or `Conflict`; then nothing of it counts.
    """
    head = statement.head
    if head.mission != directory.mission:
        raise Malformed("bad-statement", "it belongs to another mission")
    if position <= directory.position:
        raise Conflict("statement-conflict", "positions only grow")
    if head.issued > time + ISSUED_AHEAD:
        raise Malformed("bad-statement", "it comes from the future")
    rule = RULES.get(head.type)
    if rule is None or head.scope not in rule.scopes:
        raise Malformed("bad-statement", "unknown type, or a scope that its type cannot have")
    if statement.body_bytes is None and (
        head.scope == "mission" or viewer in {MISSION, head.nation}
    ):
        raise Malformed("bad-statement", "a body that must be seen here is withheld")
    directory = _continued(directory, statement)
    step = Step(directory, statement, position, time)
    if head.type in BEGINNINGS:
        directory = BEGINNINGS[head.type](step)
    else:
        authority.authorise(directory, statement, position, time)
        if statement.body_bytes is not None:
            directory = EFFECTS[head.type](step)
    return directory.with_step(head.nation, head.seq, statement.identity, position)


def _continued(directory: Directory, statement: Statement) -> Directory:
    """Check that the statement continues its chain: no rollback, no gap, no fork."""
    head = statement.head
    if directory.charter is None and head.type not in BEGINNINGS:
        raise Conflict("statement-conflict", "the charter comes first")
    if (RULES[head.type].signed_by == "quorum") != (head.nation == MISSION):
        raise Malformed("bad-statement", "the type does not belong in this chain")
    state = directory.chain if head.nation == MISSION else directory.nations.get(head.nation)
    if state is None and directory.charter is None:  # a founder's first root
        state = NationState(head.nation)
        directory = directory.with_nation(state)
    if state is None or state.expelled is not None:
        raise NotAllowed("unknown-signer", "not a nation of this mission")
    if (head.seq, head.prev) != (state.seq + 1, state.prev if state.seq >= 0 else GENESIS):
        raise Conflict(
            "statement-conflict",
            f"{head.nation} stands at {state.seq} {state.prev[:16]}, "
            f"this is {head.seq} {statement.identity[:16]} on {head.prev[:16]}",
        )
    return directory
