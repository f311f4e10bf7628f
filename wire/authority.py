"""Whether those who may sign a statement did sign it.

Thresholds count unique keys. A present but wrong signature is an error, not noise; so is one by a
key that has no say.
"""

from collections.abc import Iterable, Mapping

from wire.bodies import RULES
from wire.composite import VerifyKey
from wire.directory import Directory
from wire.errors import Conflict, NotAllowed
from wire.statements import Statement


def authorise(directory: Directory, statement: Statement, position: int, time: int) -> None:
    """Check a statement's signatures against the table of who must sign its type.

    Everything a nation says rests on its root: when that has expired, only a new root can be
    published. Raises `Malformed` ("bad-signature"), `NotAllowed` or `Conflict` ("root-expired").
    """
    head = statement.head
    signed_by = RULES[head.type].signed_by
    if signed_by == "quorum":
        quorum = directory.founded.admission_quorum
        need_nations(directory, statement, directory.order, quorum, time)
        return
    state = directory.nation(head.nation)
    if state.root_expires <= time:
        hours = (time - state.root_expires) // 3_600
        raise Conflict("root-expired", f"{state.code}, {hours} hours ago")
    if signed_by == "self":
        _need_self(directory, statement, position, time)
    elif (delegation := state.roles.get(signed_by)) is not None:
        members = (directory.members.get(kid) for kid in delegation.kids)
        standing = {m.kid: m.verify_key for m in members if m and m.valid_at(position, time)}
        need(statement, standing, delegation.threshold)
    else:  # a role that is not delegated stays with the root
        need(statement, state.root_keys, state.root_threshold)


def valid_signatures(statement: Statement, keys: Mapping[str, VerifyKey]) -> frozenset[str]:
    """The kids among `keys` that signed. Raises `Malformed` if one of their signatures is wrong."""
    good = frozenset(k for k in statement.signatures if k in keys)
    for kid in good:
        statement.verify(kid, keys[kid])
    return good


def need(statement: Statement, keys: Mapping[str, VerifyKey], threshold: int) -> frozenset[str]:
    """The kids that signed: at least `threshold` of `keys`, and nobody else.

    Raises `NotAllowed`, or `Malformed` if a signature is wrong.
    """
    good = valid_signatures(statement, keys)
    if len(good) < len(statement.signatures):
        kind = statement.head.type
        role = f"the role `{RULES[kind].signed_by}`"
        raise NotAllowed("unknown-signer", f"signed by a key without {role}, which {kind} takes")
    if len(good) < threshold:
        raise NotAllowed("not-allowed", f"{len(good)} of {threshold} signatures")
    return good


def need_nations(
    directory: Directory, statement: Statement, nations: Iterable[str], quorum: int, time: int
) -> None:
    """Check that the root thresholds of at least `quorum` of these nations signed.

    Raises `NotAllowed`.
    """
    known: frozenset[str] = frozenset()
    agreed = 0
    for code in nations:
        state = directory.nations[code]
        if state.expelled is None and state.root_expires > time:
            good = valid_signatures(statement, state.root_keys)
            known |= good
            agreed += len(good) >= state.root_threshold
    if set(statement.signatures) - known:
        raise NotAllowed("unknown-signer", "signed by a key that is no nation's root")
    if agreed < quorum:
        raise NotAllowed("not-allowed", f"{agreed} of {quorum} nations signed")


def _need_self(directory: Directory, statement: Statement, position: int, time: int) -> None:
    if len(statement.signatures) != 1:
        raise NotAllowed("unknown-signer", "one member speaks for itself")
    (kid,) = statement.signatures
    member = directory.member(kid, position, time)
    if member.nation != statement.head.nation or not member.signs:
        raise NotAllowed("unknown-signer", "not a member that all can see, of this nation")
    need(statement, {kid: member.verify_key}, 1)
