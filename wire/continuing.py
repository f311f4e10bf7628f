"""After a loss: a log that goes on under another name from an older tree, as the nations agreed.

Whoever moves the log decides what is left of it, so this takes more than half of all nations that
stand, even where a charter lets fewer sign: no two of them can agree to two ways on. The statement
is the first entry after the tree that it names, and what it says of that tree is what everybody
compares with what they saw.
"""

from dataclasses import replace

from wire import authority, bodies
from wire.directory import Continued, Directory
from wire.errors import Conflict, Malformed, NotAllowed
from wire.founding import Step
from wire.model import Hex32B, Strict, Token, Version1
from wire.note_keys import VKey
from wire.statements import Statement


class Loss(Strict):
    """What an operator tells the nations: what is left of the log, and how it is to go on.

    `seq` and `prev` are where the mission's chain of statements stands in it. Nothing of it need be
    believed: what nations sign is compared with what everybody saw.
    """

    v: Version1
    mission: Token
    charter: Hex32B
    continues: bodies.Origin
    size: bodies.TreeSize
    root: Hex32B
    seen: bodies.TreeSize
    seq: bodies.TreeSize
    prev: Hex32B
    origin: bodies.Origin
    log_keys: bodies.LogKeys


def quorum(directory: Directory) -> int:
    """How many nations' roots must sign that the log is continued."""
    majority = len(directory.standing) // 2 + 1
    return max(majority, directory.founded.admission_quorum)


def go_on(step: Step) -> Directory:
    """The log has another name and keys from here on. Raises `Malformed`, `NotAllowed`, `Conflict`.

    That the tree has the root named is for those to check who hold a tree.
    """
    body, directory = step.statement.body(bodies.MissionContinue), step.directory
    charter, before = directory.founded, directory.continued
    if body.charter != directory.pinned_charter or body.continues != charter.origin:
        raise Conflict("statement-conflict", f"the log is {charter.origin}, not {body.continues}")
    if step.position != body.size:
        raise Conflict("statement-conflict", f"it is not the entry after the first {body.size}")
    if body.seen < body.size:
        raise Malformed("bad-statement", "less was seen than is left")
    used = {charter.origin, *(one.body.continues for one in before)}
    if body.origin in used or any(VKey.parse(k).name != body.origin for k in body.log_keys):
        raise Malformed("bad-statement", "the log needs a new name, and keys that bear it")
    check_agreed(directory, step.statement, step.time)
    amended = charter.model_copy(update={"origin": body.origin, "log_keys": body.log_keys})
    continued = Continued(step.statement.identity, step.position, body)
    return replace(directory, charter=amended, continued=(*before, continued))


def check_agreed(directory: Directory, statement: Statement, time: int) -> None:
    """Check that enough nations signed with roots that stand in this directory.

    Whoever saw entries that are lost asks his own directory too: a nation whose root was replaced
    there, or that was expelled there, has no say any more. Other signatures do not count and do no
    harm. Raises `NotAllowed`, or `Malformed` for a wrong signature.
    """
    agreed, needed = 0, quorum(directory)
    for code in directory.standing:
        state = directory.nations[code]
        if state.root_expires > time:
            good = authority.valid_signatures(statement, state.root_keys)
            agreed += len(good) >= state.root_threshold
    if agreed < needed:
        raise NotAllowed("not-allowed", f"{agreed} of {needed} nations signed that the log goes on")
