"""The account of disclosures on paper: A4, and the same bytes for the same account.

The letters are those that every reader of PDF has of its own (Helvetica and Courier), which covers
western European text. What they do not have is written as its code point, [U+4E2D], and the page
says so: nothing is left out unseen. Text from elsewhere is never read as markup.
"""

import io
from typing import Any, Final
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    CondPageBreak,
    Flowable,
    LongTable,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    TableStyle,
)

from clients.evidence.disclosure import COLUMNS, LIMITS, Account, Disclosure

MARGIN: Final = 18 * mm
PADDING: Final = 6  # points: what the library leaves free inside a frame
WIDTHS: Final = (33 * mm, 18 * mm, 55 * mm, 54 * mm, 14 * mm)
"""Those of the columns; an identity takes two even lines."""
INK, GREY, RULE = HexColor("#1a1a1a"), HexColor("#5c5c5c"), HexColor("#c4c4c4")

BODY: Final = ParagraphStyle(
    "body", fontName="Helvetica", fontSize=9.5, leading=13.5, textColor=INK, spaceAfter=6
)
TITLE: Final = ParagraphStyle(
    "title", BODY, fontName="Helvetica-Bold", fontSize=17, leading=21, spaceAfter=8
)
SECTION: Final = ParagraphStyle(
    "section", BODY, fontName="Helvetica-Bold", fontSize=11, leading=15, spaceAfter=4
)
CELL: Final = ParagraphStyle("cell", BODY, fontSize=8.2, leading=10.6, spaceAfter=0)
HEAD: Final = ParagraphStyle("head", CELL, fontName="Helvetica-Bold")
CODE: Final = ParagraphStyle("code", CELL, fontName="Courier", fontSize=7.6, leading=10.2)

GRID: Final = TableStyle(
    [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LINEBELOW", (0, 0), (-1, 0), 0.9, INK),
        ("LINEBELOW", (0, 1), (-1, -1), 0.4, RULE),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 6),
        ("TOPPADDING", (0, 0), (-1, -1), 4),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
    ]
)


def document(account: Account) -> bytes:
    """The account as a PDF file."""
    out = io.BytesIO()
    SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=MARGIN - PADDING,
        rightMargin=MARGIN - PADDING,
        topMargin=MARGIN + 9 * mm,
        bottomMargin=MARGIN + 6 * mm,
        title=shown(account.title),
        author="Tearline",
        subject=f"SHA-256 of the evidence: {account.digest}",
        invariant=1,
        lang="en",
    ).build(_story(account), canvasmaker=_pages(account))
    return out.getvalue()


def _story(account: Account) -> list[Flowable]:
    summary = (
        f"Mission {account.mission}. {len(account.lines)} reports of {account.nation} were released"
        f" to {account.to}, as of {account.date} UTC. The history of {account.nation} is complete"
        f" and unaltered in a journal of {account.size} entries."
    )
    table = LongTable(
        [[Paragraph(column, HEAD) for column in COLUMNS], *map(_row, account.lines)],
        colWidths=WIDTHS,
        repeatRows=1,
        splitInRow=1,  # a row may be longer than a page, if somebody wished it so
        style=GRID,
    )
    return [
        _text(account.title, TITLE),
        _text(summary),
        Spacer(0, 3 * mm),
        table,
        Spacer(0, 8 * mm),
        CondPageBreak(70 * mm),
        *_verifying(account),
    ]


def _row(line: Disclosure) -> list[Any]:
    return [
        [_text(each, CELL) for each in line.when],
        _text(line.recipient, CELL),
        [_text(line.report, CODE), _text(f"for {line.use}", CELL)],
        [_text(rule, CELL) for rule in line.rules],
        _text(str(line.index), CELL),
    ]


def _verifying(account: Account) -> list[Flowable]:
    """How a stranger finds out that all this is true."""
    found: list[Flowable] = [
        _text("How to verify this account", SECTION),
        _text(
            "Each line is an entry of the journal, and proven by the evidence file named here. "
            "Compare its SHA-256 with the one printed, then verify it against the charter, whose "
            "identity you have from a source that you trust. It needs no network and, with the "
            "script, none of the software that wrote this."
        ),
    ]
    for name, value in (
        ("Evidence file", account.file),
        ("Its SHA-256", account.digest),
        ("Charter", account.charter),
        ("Root of the journal", account.root),
        ("With a script", f"python verify_evidence.py {account.file} {account.charter}"),
        ("With Tearline", f"tearline audit verify {account.file} --charter {account.charter}"),
    ):
        found += [_text(name, HEAD), _text(value, CODE), Spacer(0, 1.5 * mm)]
    found += [Spacer(0, 2 * mm), _text(LIMITS)]
    if any(shown(text) != text for text in _texts(account)):
        found.append(_text("Letters that this page does not have stand as their code, [U+…]."))
    return found


def _texts(account: Account) -> list[str]:
    """All that comes from elsewhere."""
    own = [account.mission, account.nation, account.to, account.file]
    lines = [(line.recipient, line.report, line.use, *line.rules) for line in account.lines]
    return [*own, *(text for line in lines for text in line)]


def _text(text: str, style: ParagraphStyle = BODY) -> Paragraph:
    return Paragraph(escape(shown(text)), style)


def shown(text: str) -> str:
    """The text in letters that the page has, every other one as its code point."""
    return "".join(each if _has(each) else f"[U+{ord(each):04X}]" for each in text)


def _has(letter: str) -> bool:
    try:
        letter.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return letter.isprintable()


def _pages(account: Account) -> type[Canvas]:
    """A canvas that writes head and foot of every page once it is known how many there are."""

    class Pages(Canvas):  # type: ignore[misc] # the library has no types
        def __init__(self, *args: Any, **words: Any) -> None:
            super().__init__(*args, **words)
            self._kept: list[dict[str, Any]] = []

        def showPage(self) -> None:  # noqa: N802 - the library's name
            self._kept.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for number, page in enumerate(self._kept, 1):
                self.__dict__.update(page)
                _frame(self, account, number, len(self._kept))
                super().showPage()
            super().save()

    return Pages


def _frame(canvas: Canvas, account: Account, number: int, pages: int) -> None:
    """Head and foot of a page: each sheet says what it belongs to."""
    width, height = A4
    left, right, top, bottom = MARGIN, width - MARGIN, height - MARGIN, MARGIN
    canvas.setStrokeColor(RULE)
    canvas.setFillColor(GREY)
    canvas.setFont("Helvetica", 8)
    canvas.drawString(left, top, shown(account.title))
    canvas.drawRightString(right, top, shown(f"Mission {account.mission}"))
    canvas.line(left, top - 2 * mm, right, top - 2 * mm)
    canvas.line(left, bottom + 3.5 * mm, right, bottom + 3.5 * mm)
    canvas.drawRightString(right, bottom, f"Page {number} of {pages}")
    canvas.drawString(left, bottom, "Evidence SHA-256")
    canvas.setFont("Courier", 7)
    canvas.drawString(left + 25 * mm, bottom, account.digest)
