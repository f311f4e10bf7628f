"""The command `tearline` as people and programs meet it: in a process, or right here.

A process shows everything, and takes a second to start; what is refused before or after the
network is quicker to ask in this very process, through the same `run`.
"""

import contextlib
import fcntl
import io
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from clients.cli import main
from tests.broker.server import PATIENCE
from tests.pilot import PASSPHRASE, ROOT, environment, wait_until

TEARLINE = (sys.executable, "-m", "clients.cli.main")


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Its standard output: one JSON object a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def row(self) -> dict[str, Any]:
        """The one JSON object that it printed."""
        (row,) = self.rows
        return row

    def done(self) -> "Said":
        """The same, if it did what it was asked to."""
        assert self.code == 0, (self.code, self.out[-2_000:], self.err[-2_000:])
        return self


def tearline(*words: str | Path, passphrase: str | None = PASSPHRASE, **variables: str) -> Said:
    """Run the command in a process of its own, without any terminal."""
    told = environment(passphrase or "") | variables
    if passphrase is None:
        del told["TEARLINE_PASSPHRASE"]
    done = subprocess.run(
        [*TEARLINE, *map(str, words)],
        env=told,
        start_new_session=True,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode())


def on_terminal(*words: str | Path, keys: str = "", rows: int = 24) -> Said:
    """Run it on a terminal of its own and press these keys; `out` is all that reached it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 100, 0, 0))
    with tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            [*TEARLINE, *map(str, words)],
            env=environment() | {"TERM": "xterm"},
            start_new_session=True,
            cwd=ROOT,
            stdin=theirs,
            stdout=theirs,
            stderr=err,
        )
        os.close(theirs)
        os.write(ours, keys.encode())
        out = b""
        with contextlib.suppress(OSError):  # that is how a terminal says that nobody is left
            while piece := os.read(ours, 65_536):
                out += piece
        os.close(ours)
        code = process.wait(PATIENCE)
        err.seek(0)
        return Said(code, out.decode(), err.read().decode())


def here(
    *words: str | Path, passphrase: str = PASSPHRASE, typed: str = "", **variables: str
) -> Said:
    """Run it in this process; `typed` is what stands on standard input."""
    out, err = io.StringIO(), io.StringIO()
    told = environment(passphrase) | variables
    with (
        mock.patch.object(sys, "argv", ["tearline", *map(str, words)]),
        mock.patch.object(sys, "stdin", io.StringIO(typed)),
        mock.patch.object(sys, "excepthook", sys.excepthook),
        mock.patch.dict(os.environ, told, clear=True),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = _code_of()
    return Said(code, out.getvalue(), err.getvalue())


def _code_of() -> int:
    try:
        main.run()
    except SystemExit as left:
        return int(left.code or 0)
    return 0


@dataclass
class Running:
    """A command that goes on until it is told to stop."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path

    @property
    def lines(self) -> list[str]:
        """What it printed so far, in whole lines."""
        return self.out.read_text().split("\n")[:-1]

    @property
    def said(self) -> str:
        """Its standard error."""
        return self.err.read_text()

    def until_lines(self, count: int) -> list[str]:
        """Wait until it printed so many lines."""
        wait_until(lambda: len(self.lines) >= count or self.process.poll() is not None)
        assert len(self.lines) >= count, (self.process.poll(), self.lines, self.said)
        return self.lines

    def until(self, word: str) -> None:
        """Wait until it printed this."""
        wait_until(lambda: word in self.out.read_text() or self.process.poll() is not None)
        assert word in self.out.read_text(), (self.process.poll(), self.said)

    def interrupted(self) -> int:
        """Ctrl-C; gives the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.ended()

    def ended(self) -> int:
        """The exit code of a command that ends by itself."""
        return self.process.wait(PATIENCE)


@contextlib.contextmanager
def going(*words: str | Path) -> Iterator[Running]:
    """Start a command in a process of its own; it is gone when the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        with out.open("wb") as to_out, err.open("wb") as to_err:
            process = subprocess.Popen(
                [*TEARLINE, *map(str, words)],
                env=environment(),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=to_out,
                stderr=to_err,
            )
        try:
            yield Running(process, out, err)
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(PATIENCE)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


@contextlib.contextmanager
def brokered(folder: Path, *words: str) -> Iterator[Running]:
    """`tearline serve` on a port that the system chooses, ready."""
    address = folder / "address"
    assert not address.exists()
    with going("serve", folder, *(words or ("--port", "0"))) as serving:
        wait_until(lambda: address.exists() or serving.process.poll() is not None)
        assert serving.process.poll() is None, serving.said
        yield serving


def label(**changes: str) -> list[str]:
    """The options of an acceptable label, with changes; an empty one is left out."""
    options: Mapping[str, str] = {
        "classification": "CONFIDENTIAL",
        "release-to": "GBR,FRA",
        "region": "KE",
        "threat": "explosive.ied_emplaced",
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    return [word for name, value in options.items() if value for word in (f"--{name}", value)]
