"""The account of disclosures: what of ours went to one nation, for people to read and to file.

Date, recipient, what and why (45 CFR 164.528(b) gives the shape), and the name and digest of the
evidence file that proves each line. Here as one page of HTML that needs nothing else; for paper it
is `clients.evidence.disclosure_pdf`.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

STYLE: Final = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0;
  border-bottom: 1px solid #8885; }
code { font-size: .9em; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
footer { margin-top: 2rem; font-size: .9em; }
@media print { body { margin: 0; } }
"""

PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
<h1>{title}</h1>
<p>Mission {mission}. {count} reports of {nation} were released to {to}, as of {date}.
The history of {nation} is complete and unaltered in a journal of {size} entries
(root <code>{root}</code>).</p>
<div class="scroll">
<table>
<thead><tr>{head}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>
<footer>
<p>Each line is an entry of the journal, proven by the evidence file <code>{file}</code>
(SHA-256 <code>{digest}</code>). Anybody can verify it without Tearline, against the charter
<code>{charter}</code>: <code>verify_evidence.py {file} CHARTER</code>.</p>
<p>{limits}</p>
</footer>
</html>
"""

COLUMNS: Final = ("Date (UTC)", "Recipient", "What", "Why", "Entry")
LIMITS: Final = (
    "The account names reports by identity; what they say is sealed, and not in the journal."
)


@dataclass(frozen=True)
class Disclosure:
    """One line of the account."""

    when: tuple[str, ...]
    recipient: str
    report: str
    use: str
    rules: tuple[str, ...]
    index: int


@dataclass(frozen=True)
class Account:
    """What an account says, whatever it is written on. `now_ms` is when it was made."""

    mission: str
    nation: str
    to: str
    now_ms: int
    size: int
    root: str
    charter: str
    file: str
    digest: str
    lines: tuple[Disclosure, ...]

    @property
    def title(self) -> str:
        """What it is called."""
        return f"Account of disclosures: {self.nation} to {self.to}"

    @property
    def date(self) -> str:
        """When it was made."""
        return _date(self.now_ms)


def disclosures(rows: Sequence[Mapping[str, Any]]) -> tuple[Disclosure, ...]:
    """The lines, from the rows of the question of that name."""
    return tuple(map(_line, rows))


def _line(row: Mapping[str, Any]) -> Disclosure:
    when = [_date(row["first_time"])]
    if row["releases"] > 1:
        when.append(f"{row['releases']} times, last {_date(row['last_time'])}")
    return Disclosure(
        when=tuple(when),
        recipient=row["recipient"],
        report=row["report"],
        use=row["use"] or "",
        rules=tuple((row["rules"] or "").split("; ")),
        index=row["index"],
    )


def _date(time_ms: int) -> str:
    return f"{dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC):%Y-%m-%d %H:%M:%S}"


# -- HTML


def page(account: Account) -> str:
    """The account as one page of HTML."""
    words = {name: escape(str(value)) for name, value in vars(account).items()}
    return PAGE.format(
        **words,
        title=escape(account.title),
        date=account.date,
        style=STYLE,
        limits=LIMITS,
        count=len(account.lines),
        head="".join(f'<th scope="col">{column}</th>' for column in COLUMNS),
        rows="\n".join(map(_row, account.lines)),
    )


def _row(line: Disclosure) -> str:
    cells = (
        "<br>".join(map(escape, line.when)),
        escape(line.recipient),
        f"<code>{escape(line.report)}</code>, for {escape(line.use)}",
        "<br>".join(map(escape, line.rules)),
        str(line.index),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
