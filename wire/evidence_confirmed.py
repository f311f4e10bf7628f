"""The last line of an evidence file: what a quorum of witnesses stands behind, of its history."""

from collections.abc import Sequence
from operator import attrgetter

from wire import merkle
from wire.base64_strict import decode
from wire.evidence_lines import ConfirmedLine
from wire.notes import Checkpoint, VKey
from wire.witness import ConfirmedCheckpoint, open_confirmed
from wire.witness_keys import Witnesses


def confirm(
    line: ConfirmedLine,
    log_keys: Sequence[VKey],
    witnesses: Witnesses,
    tree: Checkpoint,
    known: int,
) -> ConfirmedCheckpoint:
    """Verify the quorum, and that its tree and the file's newest are one history.

    Raises what `open_confirmed` raises, and `Malformed` ("bad-proof").
    """
    confirmed = open_confirmed(line.checkpoint, log_keys, witnesses, known=known)
    old, new = sorted((confirmed.checkpoint, tree), key=attrgetter("size"))
    proof = [decode(text) for text in line.consistency]
    merkle.verify_consistency(old.size, new.size, proof, old.root, new.root)
    return confirmed
