"""`--display`: shown on a terminal under a watermark, page by page, and nowhere else."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.terminal import here, label, on_terminal, tearline
from tests.pilot import Pilot

LINES = [f"Line {number} of what was seen." for number in range(40)]
SECOND_SCREEN = ("\x1b[?1049h", "\x1b[?1049l")


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    with Pilot.of("KEN", "GBR", "FRA", folder=tmp_path_factory.mktemp("display")) as found:
        yield found


def sealed(pilot: Pilot, folder: Path, *words: str) -> Path:
    """A report that France may only look at, as a file as well."""
    path = folder / "shown.tlr"
    text = ("--title", "What was seen", "--text", "\n".join(LINES), "--save", path)
    only = label(release_to="GBR", display_to="FRA")
    here("publish", "--as", pilot.folder / "KEN/system", *text, *only, *words).done()
    return path


def is_shown(out: str, who: str) -> None:
    """On the second screen, every line once, under banner and watermark, and gone at the end."""
    start, end = SECOND_SCREEN
    assert out.count(start) == out.count(end) == 1
    before, _, rest = out.partition(start)
    shown, _, after = rest.partition(end)
    assert "Line" not in before + after
    for line in LINES:
        assert len(re.findall(rf"{re.escape(line)}", shown)) == 1, line
    pages = shown.count("Enter goes on")
    assert pages > 1
    assert shown.count("DISPLAY ONLY FRA") >= 2 * pages, "the banner above and below"
    marks = re.findall(r"SHOWN TO FRA ([0-9a-f]{32}) \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", shown)
    assert set(marks) == {who}
    assert len(marks) >= len(LINES) // 6, "no photograph of a part without one"


@pytest.mark.slow
def test_a_display_copy_is_fetched_to_the_screen_and_opened_from_a_file(
    pilot: Pilot, tmp_path: Path
) -> None:
    path, france = sealed(pilot, tmp_path), pilot.folder / "FRA/analyst"
    who = json.loads((france / "identity.json").read_text())["kid"]
    fetched = on_terminal("fetch", "--as", france, "--display", keys="\n" * 9)
    assert fetched.code == 0, fetched
    is_shown(fetched.out, who)
    opened = on_terminal("open", path, "--as", france, "--display", keys="\n" * 9)
    assert opened.code == 0, opened
    is_shown(opened.out, who)
    assert not any(b"was seen" in p.read_bytes() for p in france.rglob("*") if p.is_file())


@pytest.mark.slow
def test_a_watch_shows_page_after_page_until_it_is_interrupted(
    pilot: Pilot, tmp_path: Path
) -> None:
    sealed(pilot, tmp_path)
    watch = ("watch", "--as", pilot.folder / "FRA/analyst", "--display", "--name", "screen")
    shown = on_terminal(*watch, keys="\n\n\x04")  # Ctrl-D: nobody is at this terminal any more
    assert "Line 0 of" in shown.out
    assert SECOND_SCREEN[1] in shown.out.rpartition("Line")[2], "it is cleared however it ends"


@pytest.mark.slow
def test_without_display_it_is_refused_and_says_what_would_do(pilot: Pilot, tmp_path: Path) -> None:
    path, france = sealed(pilot, tmp_path), pilot.folder / "FRA/analyst"
    fetched = here("fetch", "--as", france, "--again", "--json").done()
    assert fetched.out == ""
    assert "keeps DISPLAY; see --display" in fetched.err
    opened = here("open", path, "--as", france)
    assert opened.code == 1
    assert "[obligation-unsupported]" in opened.err
    assert "seen" not in opened.out + opened.err


@pytest.mark.slow
def test_a_word_that_the_screen_does_not_know_keeps_even_the_screen_dark(
    pilot: Pilot, tmp_path: Path
) -> None:
    path, france = sealed(pilot, tmp_path, "--obligation", "NO LIGHT"), pilot.folder / "FRA/analyst"
    here("fetch", "--as", france).done()
    opened = on_terminal("open", path, "--as", france, "--display", keys="\n" * 9)
    assert opened.code == 1
    assert "NO LIGHT" in opened.err
    assert "Line" not in opened.out


@pytest.mark.parametrize("words", [("--json",), ("--save", "here"), ()])
def test_where_a_copy_would_stay_nothing_is_shown(
    pilot: Pilot, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """The last of them runs without a terminal: its output is a pipe."""
    analyst = pilot.folder / "FRA/analyst"
    said = here("fetch", "--as", analyst, "--display", *words)
    assert said.code == 1
    assert "bad-input" in said.out + said.err
    assert "leave out" in said.out + said.err or "terminal only" in said.err
    assert not Path("here").exists()


@pytest.mark.slow
def test_a_redirected_watch_is_refused(pilot: Pilot) -> None:
    said = tearline("watch", "--as", pilot.folder / "FRA/analyst", "--display")
    assert said.code == 1
    assert "terminal only" in said.err
