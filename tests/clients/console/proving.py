"""The page's own verifier, run by Node: many entries in one process."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import clients.console

STATIC = Path(clients.console.__file__).parent / "static"
MODULES = ("mldsa44.js", "notes.js", "proof.js")

_RUNNER = """
import { createInterface } from "node:readline";
const { prove } = await import("./proof.js");
for await (const text of createInterface({ input: process.stdin })) {
  const told = JSON.parse(text);
  const { steps, good, found } = await prove(told, told.shown[0]);
  console.log(JSON.stringify({ steps, good, view: found.view ?? null }));
}
"""


def proved(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the page finds out about each entry that the console told of."""
    return in_node(_RUNNER, entries)


def in_node(
    runner: str, told: Sequence[object], more: Mapping[str, str] | None = None
) -> list[Any]:
    """What a script that imports the page's modules, and `more` by name, says to each line that it
    is told. Node takes a file for a module only if a package.json beside it says so.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name in MODULES:
            shutil.copy(STATIC / name, folder)
        Path(folder, "package.json").write_text('{"type": "module"}')
        for name, text in {"run.js": runner, **(more or {})}.items():
            Path(folder, name).write_text(text)
        done = subprocess.run(
            ["node", "--no-warnings", "run.js"],
            cwd=folder,
            input="\n".join(map(json.dumps, told)),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-2_000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def failed(verdict: Mapping[str, Any]) -> tuple[str, str]:
    """The step that did not hold, and its words."""
    assert not verdict["good"], verdict
    ((name, words),) = [(s["name"], s["words"]) for s in verdict["steps"] if s["state"] == "bad"]
    return str(name), str(words)
