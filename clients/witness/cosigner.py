"""The witness itself: what it is asked in bytes, what it answers in signature lines."""

import json
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from clients.witness.folder import HEADS_FILE, WitnessFolder
from clients.witness.heads import Heads
from wire.errors import Conflict, NotAllowed
from wire.notes import Checkpoint, signature_line, verified_lines
from wire.witness import Head, Submission, judge


class Witness:
    """One witness, open. Use it as a context; `clock` gives Unix seconds."""

    def __init__(self, home: WitnessFolder, clock: Callable[[], float]) -> None:
        self._home, self._clock = home, clock
        self._heads = Heads(home.folder / HEADS_FILE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._heads.__exit__(kind, error, trace)

    def add_checkpoint(self, body: bytes) -> str:
        """Cosign what follows from the tree cosigned last (C2SP tlog-witness, add-checkpoint).

        Gives the signature lines. Raises `NotAllowed` "not-found" for a log that it does not
        watch, and what `wire.witness.judge` raises; of a fork it keeps the proof.
        """
        asked = Submission.parse(body)
        keys = self._home.logs.get(asked.origin)
        if keys is None:
            raise NotAllowed("not-found", "a log that this witness does not watch")
        try:
            opened = self._heads.advance(asked.origin, lambda head: judge(asked, keys, head))
        except Conflict as error:
            if error.slug == "fork-detected":
                self._keep_proof(self.latest(asked.origin), asked.note, error.detail)
            raise
        return self._lines(opened.checkpoint)

    def latest(self, origin: str) -> Head:
        """The tree of a log that was cosigned last."""
        return self._heads.latest(origin)

    def head(self, name: str) -> str:
        """For monitors: the note cosigned last of the log whose origin has this SHA-256 (hex), with
        this witness's cosignatures of now. Raises `NotAllowed` ("not-found").
        """
        note = self._heads.note(name)
        keys = self._home.logs.get(note.partition("\n")[0], ())
        checkpoint, lines = verified_lines(note, keys)
        logs = "".join(line.text for line in lines.values())
        return f"{checkpoint.text()}\n{logs}{self._lines(checkpoint)}"

    def _lines(self, checkpoint: Checkpoint) -> str:
        now = int(self._clock())
        return "".join(signature_line(checkpoint, s, now) for s in self._home.keys.signers)

    def _keep_proof(self, seen: Head, shown: str, what: str) -> None:
        """Both notes bear the log's signature: that is proof for everybody."""
        fields = {"what": what, "seen": seen.note, "shown": shown, "proof": []}
        path = Path(self._home.folder, f"fork-{seen.size}.json")
        path.write_text(json.dumps(fields, indent=1, ensure_ascii=False), "utf-8")
