"""The three that verify evidence files: ours, the script in Python, and the one in JavaScript."""

import importlib.util
import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from wire import evidence_file
from wire.errors import TearlineError

FOLDER = Path(__file__).parents[2] / "verifiers"
PYTHON, NODE = FOLDER / "verify_evidence.py", FOLDER / "verify-evidence.mjs"
HAS_NODE = shutil.which("node") is not None
needs_node = pytest.mark.skipif(not HAS_NODE, reason="there is no node on this machine")

Lines = Sequence[bytes]
Verifier = Callable[[Lines, str, int], str | None]
"""Takes lines, charter and time; gives why the file is refused, or None if it holds."""

# One process for many files: each line of input is one file, each line of output its verdict.
_RUNNER = """
import { verify } from %r;
import { createInterface } from "node:readline";
for await (const text of createInterface({ input: process.stdin })) {
  const { lines, charter, now } = JSON.parse(text);
  try {
    await verify(lines.map((line) => Buffer.from(line, "base64")), charter, now);
    console.log("null");
  } catch (error) {
    console.log(JSON.stringify(`${error.constructor.name}: ${error.message}`));
  }
}
"""


def _script() -> Any:
    spec = importlib.util.spec_from_file_location("verify_evidence", PYTHON)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = _script()


def ours(lines: Lines, charter: str, now: int) -> str | None:
    try:
        evidence_file.verify(lines, charter, now_ms=now)
    except TearlineError as error:
        return str(error)
    return None


def script(lines: Lines, charter: str, now: int) -> str | None:
    try:
        SCRIPT.verify(lines, charter, now)
    except SCRIPT.RefusedError as error:
        return str(error)
    return None


def node(files: Sequence[tuple[Lines, str, int]]) -> list[str | None]:
    """The verdicts of the JavaScript verifier, many at once."""
    asked = [
        json.dumps({"lines": [SCRIPT.base64.b64encode(x).decode() for x in lines]} | rest)
        for lines, charter, now in files
        for rest in [{"charter": charter, "now": now}]
    ]
    done = subprocess.run(
        ["node", "--input-type=module", "-e", _RUNNER % NODE.as_uri()],
        input="\n".join(asked),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def alone(lines: Lines, charter: str, now: int) -> str | None:
    """The JavaScript verifier, one file."""
    (verdict,) = node([(lines, charter, now)])
    return verdict


VERIFIERS: dict[str, Verifier] = {"ours": ours, "script": script}
"""Those that are quick to ask."""
