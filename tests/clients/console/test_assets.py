"""The files of the page: what is shipped, what is vendored, and what they must never do."""

import hashlib
import re
import tomllib
from pathlib import Path

import pytest

from clients.console import assets

ROOT = Path(__file__).parents[3]
STATIC = ROOT / "clients/console/static"
VENDORED = {
    "echarts.esm.min.mjs": "28515f26aa57f87eb1e4ed4eb446927eaf329b5f5e02b4bfd4b0264fea40d1da",
    "echarts.LICENSE.txt": "634293835b43a6dd2094fa39182a3d9a6b9ca43b7fdb9ac354e8037af2a3093a",
    "echarts.LICENSE-d3.txt": "e1211892da0b0e0585b7aebe8f98c1274fba15bafe47fa1f4ee8a7a502c06304",
    "echarts.NOTICE.txt": "d491d358344f842685c1b1585970999db65fe30ecf7ef3867af8814f4016c016",
}
"""The files of the npm package echarts 6.1.0, by SHA-256."""
OURS = sorted(p for p in STATIC.rglob("*") if p.is_file() and p.parent.name != "vendor")
LINES_MAX = 400


def test_what_is_vendored_is_what_was_published() -> None:
    found = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in STATIC.glob("vendor/*")}
    assert found == VENDORED


def test_every_file_is_served_and_packaged() -> None:
    names = {str(path.relative_to(STATIC)) for path in STATIC.rglob("*") if path.is_file()}
    assert set(assets.load()) == names
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert "clients" in build["targets"]["wheel"]["packages"]
    assert "exclude" not in build["targets"]["wheel"]


@pytest.mark.parametrize("path", OURS, ids=lambda p: p.name)
def test_no_file_of_ours_makes_markup_or_leaves_the_machine(path: Path) -> None:
    """The policy of the page would refuse it; here it is refused before anybody runs it."""
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= LINES_MAX
    for forbidden in (
        *("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "new Function"),
        *("srcdoc", 'setAttribute("style', "postMessage", "importScripts", "XMLHttpRequest"),
    ):
        assert forbidden not in text, forbidden
    foreign = {u for u in re.findall(r"https?://[^\s\"'`)]+", text) if "www.w3.org" not in u}
    assert not foreign
    if path.suffix == ".html":
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", text)


def test_the_page_asks_this_server_and_nobody_else() -> None:
    page = (STATIC / "index.html").read_text()
    named = re.findall(r'(?:src|href)="([^"#]+)', page)
    assert named
    assert all(name.startswith("/console/static/") for name in named)
    for name in named:
        assert name.removeprefix("/console/static/") in assets.load()


def test_every_module_that_is_imported_is_there() -> None:
    for path in STATIC.rglob("*.js"):
        for name in re.findall(r'(?:from|import\()\s*"(\.[^"]+)"', path.read_text("utf-8")):
            assert (path.parent / name).resolve().is_file(), (path.name, name)
