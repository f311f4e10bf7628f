"""Witnesses: what one decides before it cosigns (C2SP tlog-witness), and what a quorum is worth.

    old 12                                   add-checkpoint: the size that it cosigned last
    5+pKlUdi2LeF/BcMHBn+Ku6yhPGN…=           the proof that the new tree starts with that one
                                             a blank line, then the signed checkpoint

A witness cosigns one history only. Where n witnesses stand and at most f of them collude, two
histories cannot both be cosigned by floor((n + f) / 2) + 1: they would share an honest one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from wire import base64_strict, merkle
from wire.errors import Conflict, Malformed, NotAllowed, TearlineError
from wire.made import OnlyByMaker
from wire.notes import (
    MAX_NOTE_CHARACTERS,
    Checkpoint,
    OpenedCheckpoint,
    VKey,
    open_checkpoint,
    signed_by,
)
from wire.witness_keys import Witnesses

MAX_PROOF_LINES: Final = 63
"""As many as the specification lets a client send."""
MAX_SUBMISSION_BYTES: Final = MAX_NOTE_CHARACTERS + 4_096
"""A note, and before it the proof: 63 lines of 45 bytes."""

_OLD: Final = re.compile(r"old (0|[1-9][0-9]{0,18})")


# -- one witness


@dataclass(frozen=True, slots=True)
class Head:
    """The tree that a witness cosigned last, and the note that it stood in."""

    size: int = 0
    root: bytes = merkle.EMPTY_ROOT
    note: str = ""


@dataclass(frozen=True, slots=True)
class Submission:
    """What a witness is asked to cosign: a signed checkpoint, and the proof that leads to it."""

    old: int
    proof: tuple[bytes, ...]
    note: str

    def body(self) -> bytes:
        """As it is sent."""
        hashes = "".join(f"{base64_strict.encode(h)}\n" for h in self.proof)
        return f"old {self.old}\n{hashes}\n{self.note}".encode()

    @classmethod
    def parse(cls, body: bytes) -> "Submission":
        """Read it. Raises `Malformed` ("bad-request")."""
        try:
            text = body.decode() if len(body) <= MAX_SUBMISSION_BYTES else ""
        except UnicodeDecodeError:
            text = ""
        head, blank, note = text.partition("\n\n")
        old, *lines = head.split("\n")
        match = _OLD.fullmatch(old)
        if match is None or not blank or len(lines) > MAX_PROOF_LINES:
            raise Malformed("bad-request", "`old N`, at most 63 hashes, a blank line, a note")
        return cls(
            int(match[1]), tuple(base64_strict.decode(h, "bad-request") for h in lines), note
        )

    @property
    def origin(self) -> str:
        """The log that the note says it is of; nothing is verified yet."""
        return self.note.partition("\n")[0]


def judge(asked: Submission, log_keys: Sequence[VKey], latest: Head) -> OpenedCheckpoint:
    """What may be cosigned after `latest`: the same tree again, or one that starts with it.

    The caller keeps the result as its latest in the same transaction in which it read that, and
    signs afterwards: a slower request must not roll back what a faster one has advanced.

    Raises `NotAllowed` ("not-allowed": not signed by the log), `Malformed` ("bad-request": an old
    size beyond the tree; "bad-proof"), `Conflict` ("stale-size", the detail is the size that was
    cosigned; "fork-detected": another root of the same size).
    """
    try:
        opened = open_checkpoint(asked.note, log_keys)
    except TearlineError as error:
        raise NotAllowed("not-allowed", "not a checkpoint that the log signed") from error
    tree = opened.checkpoint
    if asked.old > tree.size:
        raise Malformed("bad-request", "the old size is beyond the checkpoint's")
    if asked.old != latest.size:
        raise Conflict("stale-size", str(latest.size))
    if tree.size == latest.size and tree.root != latest.root:
        raise Conflict("fork-detected", f"two different trees of {tree.size} entries")
    if asked.old:
        merkle.verify_consistency(asked.old, tree.size, asked.proof, latest.root, tree.root)
    elif asked.proof:
        raise Malformed("bad-proof", "everything starts with the empty tree: nothing to prove")
    return opened


# -- many witnesses


def tolerated(witnesses: int) -> int:
    """How many of so many witnesses may collude with the broker: fewer than a third."""
    return max(0, witnesses - 1) // 3


def quorum(witnesses: int, colluding: int) -> int:
    """The fewest that no two histories can both have: floor((n + f) / 2) + 1."""
    return (witnesses + colluding) // 2 + 1


@dataclass(frozen=True, slots=True)
class ConfirmedCheckpoint(metaclass=OnlyByMaker):
    """Proof that the charter's quorum of witnesses cosigned; made only by `open_confirmed`.

    `time` (Unix seconds) is since when it is known to be the newest tree of a whole quorum: the
    oldest cosignature of the newest that make one up.
    """

    checkpoint: Checkpoint
    note: str
    cosigned_by: Mapping[str, int]
    time: int

    def covers(self, index: int) -> bool:
        """Whether the entry is in the tree; in one history, that is where it stays."""
        return index < self.checkpoint.size


def open_confirmed(
    note: str, log_keys: Sequence[VKey], witnesses: Witnesses, *, known: int
) -> ConfirmedCheckpoint:
    """Verify a checkpoint that was published with the cosignatures of a quorum.

    `known` is the size of the tree up to which every statement about `witnesses` was seen: for a
    larger one it is not known whose keys count. Raises `Conflict` ("behind") for that, and
    `Malformed` ``bad-checkpoint``, also where too few have cosigned, or the mission asks for none.
    """
    tree = open_checkpoint(note, log_keys).checkpoint
    if tree.size > known:
        seen = f"it has {tree.size} entries, and statements are known here up to {known}"
        raise Conflict("behind", f"{seen}: a witness may have other keys since")
    opened = open_checkpoint(note, log_keys, witnesses.at(tree.size))
    needed = witnesses.quorum
    newest = sorted(opened.cosigned_by.values(), reverse=True)
    if not needed or len(newest) < needed:
        others = (witnesses.stranger(*who, tree.size) for who in signed_by(note))
        told = "; ".join(
            filter(None, (f"cosigned by {len(newest)} of {needed} witnesses", *others))
        )
        raise Malformed("bad-checkpoint", told)
    return ConfirmedCheckpoint._make(
        checkpoint=opened.checkpoint,
        note=note,
        cosigned_by=MappingProxyType(dict(opened.cosigned_by)),
        time=newest[needed - 1],
    )
