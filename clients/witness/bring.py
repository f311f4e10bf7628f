"""Bring the log's candidate to a witness, and what the witness signs back to the broker.

Whoever brings it checks it first against every tree seen before, so a fork stops here as well.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from clients.session import Session
from clients.transport import NOTE
from clients.trees import Proof
from clients.witness.cosigner import Witness
from clients.witness.remote import RemoteWitness
from wire import base64_strict, strict_json
from wire.errors import Conflict, NotAllowed
from wire.model import Strict
from wire.notes import Checkpoint
from wire.witness import Submission

Cosign = Callable[[bytes], Awaitable[str]]
"""Asks a witness: the body of an add-checkpoint for its signature lines."""


class Gathered(Strict):
    """What `POST /v1/log/cosignatures` answers: how many witnesses a tree has, and needs."""

    size: int
    witnesses: int
    quorum: int


@dataclass(frozen=True)
class Brought:
    """One tree that a witness cosigned, and whether it is confirmed by that."""

    size: int
    witnesses: int
    quorum: int

    @property
    def confirmed(self) -> bool:
        """Whether the mission's quorum has cosigned it."""
        return 0 < self.quorum <= self.witnesses


async def bring(session: Session, cosign: Cosign, old: int = 0) -> Brought:
    """Have the candidate cosigned. `old` is the size that the witness cosigned last, if known.

    Raises `Conflict` ("fork-detected"; "stale-size" for a witness that is ahead of the candidate),
    and what the witness or the broker refuses with.
    """
    answer = await session.transport.get("/v1/log/candidate")
    note = answer.body.decode("utf-8", "replace")
    tree = (await session.follower.observe(note)).checkpoint
    try:
        lines = await _asked(session, cosign, note, tree, old)
    except Conflict as error:
        cosigned = _size(error)
        if cosigned is None or cosigned > tree.size or cosigned == old:
            raise
        lines = await _asked(session, cosign, note, tree, cosigned)
    body = (note + lines).encode()
    told = await session.transport.send("POST", "/v1/log/cosignatures", body, NOTE)
    gathered = strict_json.load(told.body, Gathered)
    return Brought(gathered.size, gathered.witnesses, gathered.quorum)


async def by(witness: Witness, session: Session) -> Brought:
    """Have the candidate cosigned by a witness on this machine.

    What it cosigned last, for whoever asked, must be of the history that this client sees.
    """
    last = witness.latest(session.follower.log.origin)
    if last.note:
        await compare(session, last.note)

    async def cosign(body: bytes) -> str:
        return witness.add_checkpoint(body)

    return await bring(session, cosign, last.size)


async def _asked(session: Session, cosign: Cosign, note: str, tree: Checkpoint, old: int) -> str:
    proof: tuple[str, ...] = ()
    if 0 < old < tree.size:
        path = "/v1/log/proof/consistency"
        answer = await session.transport.get(path, old=old, new=tree.size)
        proof = strict_json.load(answer.body, Proof).proof
    hashes = tuple(base64_strict.decode(text) for text in proof)
    return await cosign(Submission(old, hashes, note).body())


async def compare(session: Session, head: str) -> Checkpoint:
    """Check that what a witness cosigned last is of the history that this client sees.

    Raises `Conflict` ("fork-detected") after writing both sides down, or `Malformed`.
    """
    return (await session.follower.observe(head)).checkpoint


async def compare_with(session: Session, there: RemoteWitness) -> Checkpoint | None:
    """The same for what a witness elsewhere cosigned last; None if that is nothing yet."""
    try:
        head = await there.head(session.follower.log.origin)
    except NotAllowed as error:
        if error.slug != "not-found":
            raise
        return None
    return await compare(session, head)


def _size(error: Conflict) -> int | None:
    if error.slug != "stale-size" or not error.detail.isdigit():
        return None
    return int(error.detail)
