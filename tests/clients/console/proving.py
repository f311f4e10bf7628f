"""The page's own verifier, run by Node: many entries in one process."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import clients.console

PROOF = Path(clients.console.__file__).parent / "static/proof.js"

_RUNNER = """
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";
const source = readFileSync(%s, "utf-8");
const module = Buffer.from(source).toString("base64");
const { prove } = await import("data:text/javascript;base64," + module);
for await (const text of createInterface({ input: process.stdin })) {
  const told = JSON.parse(text);
  const { steps, good, found } = await prove(told, told.shown[0]);
  console.log(JSON.stringify({ steps, good, view: found.view ?? null }));
}
"""


def proved(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the page finds out about each entry that the console told of."""
    done = subprocess.run(
        ["node", "--input-type=module", "--no-warnings", "-e", _RUNNER % json.dumps(str(PROOF))],
        input="\n".join(map(json.dumps, entries)),
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
