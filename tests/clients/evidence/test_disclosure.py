"""The account of disclosures: the same on the page and on paper, whatever a name holds."""

import html
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from pypdf import PdfReader

from clients.cli import account as command
from clients.evidence import disclosure, disclosure_pdf
from clients.evidence.disclosure import Account, Disclosure
from tests.cli.terminal import here
from tests.clients.evidence.little_history import Told


def account(count: int = 3, **changes: object) -> Account:
    lines = tuple(
        Disclosure(
            when=("2026-11-28 18:02:06", *(("2 times, last 2026-11-28 19:00:00",) * (i % 3 == 1))),
            recipient="GBR",
            report=f"{i:064x}",
            use="release",
            rules=("carry/MINUSX: MINUSX/ceiling", "release/KEN: KEN/release-all"),
            index=90 + i,
        )
        for i in range(count)
    )
    made = Account(
        mission="MINUSX",
        nation="KEN",
        to="GBR",
        now_ms=1_795_888_926_451,
        size=147,
        root="ab" * 32,
        charter="cd" * 32,
        file="disclosures-KEN-GBR.tlev",
        digest="ef" * 32,
        lines=lines,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def texts(pdf: bytes) -> list[str]:
    """The text of each page."""
    return [page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages]


def bare(text: str) -> str:
    """Without white space, which paper breaks elsewhere."""
    return re.sub(r"\s+", "", text)


def of_html(page: str) -> list[list[str]]:
    """The cells of each row, without marks."""
    rows = re.findall("<tr>(.*?)</tr>", page, re.DOTALL)[1:]
    return [
        [html.unescape(re.sub("<[^>]*>", "", cell)) for cell in re.findall("<td>(.*?)</td>", row)]
        for row in rows
    ]


@pytest.mark.slow
@pytest.mark.parametrize("count", [0, 1, 3, 60])
def test_paper_says_what_the_page_says(count: int) -> None:
    """Every row, every cell, in the same order, and the numbers above them."""
    told = account(count)
    page = disclosure.page(told)
    paper = bare("".join(texts(disclosure_pdf.document(told))))
    at = 0
    assert len(of_html(page)) == count
    for row in of_html(page):
        for cell in row:
            at = paper.index(bare(cell.replace(", for", "for")), at)
    for word in (f"{count} reports of KEN", "147 entries", told.date, told.title):
        assert word in page
        assert bare(word) in paper
    for value in (told.digest, told.charter, told.root, told.file):
        assert value in page
        assert value in paper


@pytest.mark.slow
def test_each_sheet_says_what_it_belongs_to() -> None:
    """Title, number, head of the table and the digest of the evidence, on every page of a table."""
    told = account(120)
    sheets = texts(disclosure_pdf.document(told))
    assert len(sheets) > 3
    for number, text in enumerate(sheets, 1):
        assert f"Page {number} of {len(sheets)}" in text
        assert told.digest in bare(text)
        assert told.title in text
        if f"{'0' * 60}" in bare(text):
            assert bare("".join(disclosure.COLUMNS)) in bare(text)


def test_it_says_how_to_verify_it() -> None:
    told = account()
    paper = "".join(texts(disclosure_pdf.document(told)))
    assert "How to verify this account" in paper
    assert bare(f"tearline audit verify {told.file} --charter {told.charter}") in bare(paper)
    assert bare(f"python verify_evidence.py {told.file} {told.charter}") in bare(paper)


@pytest.mark.slow
def test_the_same_account_is_the_same_bytes_on_a4() -> None:
    one, two = (disclosure_pdf.document(account(40)) for _ in range(2))
    assert one == two
    assert one != disclosure_pdf.document(account(41))
    box = PdfReader(io.BytesIO(one)).pages[0].mediabox
    assert (round(box.width), round(box.height)) == (595, 842)


def test_letters_that_paper_lacks_stand_as_their_code_and_are_said_to() -> None:
    """Nothing is left out unseen."""
    told = account(to="中é𝔘\u0394", file="disclosures-中.tlev")
    paper = bare("".join(texts(disclosure_pdf.document(told))))
    assert "KENto[U+4E2D]é[U+1D518][U+0394]" in paper
    assert "disclosures-[U+4E2D].tlev" in paper
    assert "standastheircode" in paper
    plain = bare("".join(texts(disclosure_pdf.document(account(to="Åland é “x” €")))))
    assert "Ålandé“x”€" in plain
    assert "standastheircode" not in plain


@pytest.mark.slow
@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<font color=\"[[[getattr(pow,Word('__globals__'))]]]\">x</font>",
        "<img src='file:///etc/passwd'/>",
        "<para><b>x</i></para>",
        "a&amp;b &#38; &lt;",
        "</td></tr>",
        "line\nfeed\x00\u202eabc",
        "x" * 3_000,
        "-" * 40 + " " + "word " * 800,
    ],
    ids=range(9),
)
def test_what_a_name_holds_is_never_markup(hostile: str) -> None:
    """Expect the letters themselves, on the page and on paper."""
    (line,) = account(1).lines
    for told in (
        account(1, lines=(replace(line, rules=(hostile,), use=hostile, recipient=hostile),)),
        account(1, to=hostile, mission=hostile, file=hostile),
    ):
        page = disclosure.page(told)
        assert "<script" not in page
        assert "<img" not in page
        paper = bare("".join(texts(disclosure_pdf.document(told))))
        shown = bare(disclosure_pdf.shown(hostile))
        assert shown[:60] in paper
        assert shown[-60:] in paper


@pytest.mark.slow
def test_the_command_writes_it(told: Told, tmp_path: Path) -> None:
    pdf = tmp_path / "court.pdf"
    words = ("audit", "report", "--disclosure", "GBR", "--out", tmp_path, "--pdf", pdf)
    as_kenya = ("--as", told.desks["KEN"].identity.folder)
    row = here(*words, *as_kenya, "--json").done().row
    assert row["pdf"] == str(pdf)
    paper = bare("".join(texts(pdf.read_bytes())))
    for report in (*told.shared, told.recalled):
        assert report in paper
    assert row["sha256"] in paper
    assert told.given_back not in paper
    assert str(pdf) in here(*words, *as_kenya).done().out


def test_without_the_extra_it_says_what_to_install(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expect refusal in one line, and nothing written."""
    monkeypatch.setattr(command, "PAPER", False)
    words = ("audit", "report", "--disclosure", "GBR", "--out", tmp_path, "--pdf", tmp_path / "a")
    said = here(*words, "--as", told.desks["KEN"].identity.folder)
    assert (said.code, said.err.count("\n"), list(tmp_path.iterdir())) == (1, 1, [])
    assert "pip install 'tearline[report]'" in said.err
