"""Foreign text reaches the terminal as text: no escape codes, no markup, no pictures for words."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from clients.cli import output
from tests.cli.terminal import here, label, tearline
from tests.pilot import Pilot

TRICKS = [
    "[red]",
    "[/]",
    "[/bold]",
    "[bold",
    "a [link=https://x.invalid]b[/link]",
    "[@click=x]y[/]",
    ":bomb: :key:",
    "\\",
    "\\\\",
    "\\\\\\",
    "\\[red]",
    "a[\\",
    "]][[",
    "日本 العربية é",
]


@pytest.mark.parametrize("text", TRICKS)
def test_text_is_shown_as_it_is(text: str) -> None:
    """Alone, inside our markup, and before more of it."""
    for form in ("{}", "[bold]{}[/bold]", "[dim]x {}[/dim] [red]y[/]"):
        shown = Text.from_markup(form.format(output.clean(text)), emoji=False).plain
        plain = form.replace("[bold]", "").replace("[/bold]", "").replace("[dim]", "")
        plain = plain.replace("[/dim]", "").replace("[red]", "").replace("[/]", "")
        assert shown == plain.format(text)


@pytest.mark.parametrize("code", [*range(9), *range(11, 32), *range(127, 160), 0x202E, 0x2066])
def test_no_control_character_reaches_a_terminal(
    code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chr(code) not in output.clean(f"a{chr(code)}b")
    assert "\n" not in output.clean_line("a\nb")
    output.line({"text": chr(code)})
    line = capsys.readouterr().out
    assert chr(code) not in line
    assert json.loads(line) == {"text": chr(code)}


def test_a_table_shows_cells_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    console = Console(file=shown, width=120, highlight=False, emoji=False)
    monkeypatch.setattr(output, "console", console)
    output.table("Title", ("a", "b"), [(output.clean("[red]:bomb:"), output.clean("x\\"))])
    assert "[red]:bomb:" in shown.getvalue()
    assert "x\\" in shown.getvalue()


WORDS = ("2026-11-29 02:23:30Z", "dda38c7afa84af81", "COALITION/named-in-the-label; KEN/all", "")


@pytest.mark.parametrize("width", range(20, 120))
def test_no_word_of_a_table_is_cut_or_broken(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An identity that ends in dots cannot be asked for; a narrow screen has lines for it."""
    shown = io.StringIO()
    console = Console(file=shown, width=width, highlight=False, emoji=False)
    monkeypatch.setattr(output, "console", console)
    output.table("A", ("last", "report", "rules", "why"), [WORDS, WORDS])
    wide = len("2026-11-29 ┃ dda38c7afa84af81 ┃ COALITION/named-in-the-label; ┃ why") + 4
    assert ("┃" in shown.getvalue()) == (width >= wide)
    assert "…" not in shown.getvalue()
    if width > len("  report  COALITION/named-in-the-label;"):
        for words in WORDS:
            assert all(shown.getvalue().count(word) >= 2 for word in words.split())
    assert max(map(len, shown.getvalue().splitlines())) <= width


@pytest.mark.slow
def test_a_terminal_of_fewer_letters_shows_the_others_as_codes(tmp_path: Path) -> None:
    with Pilot.of("KEN", "GBR", "FRA", folder=tmp_path) as pilot:
        draft = ("--title", "\u09b8\u09c0", "--text", "\u062a \U0001f600", *label())
        here("publish", "--as", pilot.folder / "KEN/system", *draft).done()
        fetch = ("fetch", "--as", pilot.folder / "GBR/analyst", "--again")
        people = tearline(*fetch, PYTHONIOENCODING="ascii").done()
        programs = tearline(*fetch, "--json", PYTHONIOENCODING="ascii").done()
    assert "\\u09b8\\u09c0" in people.out
    assert (programs.row["title"], programs.row["body"]) == ("\u09b8\u09c0", "\u062a \U0001f600")


@pytest.mark.slow
def test_a_report_full_of_tricks_is_shown(tmp_path: Path) -> None:
    """From the author's command line to the reader's terminal, and nothing of it is lost."""
    with Pilot.of("KEN", "GBR", "FRA", folder=tmp_path) as pilot:
        for title in TRICKS[::2]:
            body = f"x{title}\n\ty {title}"
            draft = ("--title", title, "--text", body, *label())
            here("publish", "--as", pilot.folder / "KEN/system", *draft).done()
        colours = {"FORCE_COLOR": "1", "TERM": "xterm"}
        people = here("fetch", "--as", pilot.folder / "GBR/analyst").done()
        lit = here("fetch", "--as", pilot.folder / "FRA/analyst", **colours).done()
        programs = here("fetch", "--as", pilot.folder / "GBR/analyst", "--again", "--json").done()
    assert {row["title"] for row in programs.rows} == set(TRICKS[::2])
    for title in TRICKS[::2]:
        assert f") {title} " in people.out
        assert f" x{title} " in people.out
    assert people.err == lit.err == ""
    assert "\x1b" not in people.out
    assert "\x1b]8" not in lit.out, "no links"
