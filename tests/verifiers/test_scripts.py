"""The two scripts as an examiner meets them: alone in a folder, one command, one answer."""

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.verifiers.lies import LIES
from tests.verifiers.verifying import HAS_NODE, NODE, PYTHON, SCRIPT
from tests.wire.evidence_files import pulled

COMMANDS = {"python": [sys.executable, "-I"], "node": ["node"]}


def run(language: str, script: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    if language == "node" and not HAS_NODE:
        pytest.skip("there is no node on this machine")
    command = [*COMMANDS[language], str(script), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize(("language", "script"), [("python", PYTHON), ("node", NODE)])
def test_it_works_alone(language: str, script: Path, tmp_path: Path) -> None:
    """Copied away from everything, it verifies a file, and refuses a lie in one line."""
    copy = Path(shutil.copy(script, tmp_path))
    pen, file = pulled(), tmp_path / "kenya.tlev"
    file.write_bytes(b"".join(pen.written()))
    done = run(language, copy, file, pen.charter.identity)
    told = json.loads(done.stdout)
    assert (done.returncode, told["entries"]["KEN"], told["size"]) == (0, 7, 15)
    lie, charter, _ = LIES["hide an entry in the middle"]
    file.write_bytes(b"".join(lie))
    done = run(language, copy, file, charter)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"refused: line \d+: entry 2 of KEN, at index \d+: .*\n", done.stderr)


@pytest.mark.slow
@pytest.mark.parametrize(("language", "script"), [("python", PYTHON), ("node", NODE)])
def test_it_says_how_it_is_used(language: str, script: Path, tmp_path: Path) -> None:
    for words in ((), ("file",), ("file", "00", "more")):
        done = run(language, script, *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert "FILE CHARTER" in done.stderr
    done = run(language, script, tmp_path / "nothing", "00" * 32)
    assert done.returncode == 1
    assert done.stderr.startswith("refused: ")


def test_the_python_script_is_short_and_needs_cryptography_alone() -> None:
    text = PYTHON.read_text()
    assert len(text.splitlines()) < 400
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module).partition(".")[0])
    assert names - set(sys.stdlib_module_names) == {"cryptography"}


def test_the_javascript_needs_nothing() -> None:
    assert set(re.findall(r'from "([^"]+)"', NODE.read_text())) <= {
        "node:crypto",
        "node:fs",
        "node:url",
    }
    assert "require(" not in NODE.read_text()


@pytest.mark.parametrize(
    "text",
    [
        *('{"a":1,"a":1}', '{"a":1.0}', '{"a":1e3}', '{"a":-0}', '{"a":NaN}', '{"a":01}'),
        *('{"a":12345678901234567}', '{"a":"\\ud800"}', '{"a":"\u200b"}', '{"a":"e\u0301"}'),
        *('{"a":"x\ny"}', '{"a":"\\u0000"}', '{"a":[[[[[[[[1]]]]]]]]}', '\ufeff{"a":1}'),
        *('{"a":1}x', "{'a':1}", '{"a":1,}', ""),
    ],
)
def test_the_gate_is_strict_in_python(text: str) -> None:
    """Expect refusal of what the protocol's first section forbids."""
    with pytest.raises(SCRIPT.RefusedError):
        SCRIPT.gate(text.encode(), prose=True)
    assert SCRIPT.gate(b'{"a":[1,-7,null,true,"\\u00e9"]}') == {"a": [1, -7, None, True, "é"]}


def test_the_characters_that_nobody_can_see_are_those_of_the_protocol() -> None:
    protocol = (PYTHON.parents[1] / "docs/protocol.md").read_text("utf-8")
    (block,) = re.findall(r"```ranges\n(.*?)```", protocol, re.DOTALL)
    assert SCRIPT.UNSEEN.split() == block.split()
    named = "".join(re.findall(r"const UNSEEN =\n  (.*);", NODE.read_text()))
    words = re.findall(r"\\u\{?([0-9A-F]+)\}?(-?)", named)
    told = {int(code, 16) for code, _ in words}
    ends = {int(end, 16) for word in block.split() for end in word.split("-")}
    assert told == ends
