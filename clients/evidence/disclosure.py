"""The account of disclosures: what of ours went to one nation, for people to read and to file.

One page of HTML that needs nothing else: date, recipient, what and why (45 CFR 164.528(b) gives the
shape), and the name and digest of the evidence file that proves each line.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
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
{gone}
<div class="scroll">
<table>
<thead><tr><th scope="col">Date (UTC)</th><th scope="col">Recipient</th><th scope="col">What</th>
<th scope="col">Why</th><th scope="col">Entry</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>
<footer>
<p>Each line is an entry of the journal, proven by the evidence file <code>{file}</code>
(SHA-256 <code>{digest}</code>). Anybody can verify it without Tearline, against the charter
<code>{charter}</code>: <code>verify_evidence.py {file} CHARTER</code>.</p>
<p>The account names reports by identity; what they say is sealed, and not in the journal.</p>
</footer>
</html>
"""


GONE: Final = """
<p><strong>{erased} releases that concern {nation} were erased by order of its root</strong> and are
not in this account; who received what by them is not known any more.</p>
"""


def page(
    rows: Sequence[Mapping[str, Any]], *, now_ms: int, erased: int = 0, **words: object
) -> str:
    """The page; rows are those of the question `disclosures`, `erased` counts what they lack."""
    told = {name: escape(str(value)) for name, value in words.items()}
    return PAGE.format(
        title=f"Account of disclosures: {told['nation']} to {told['to']}",
        style=STYLE,
        count=len(rows),
        date=_date(now_ms),
        gone=GONE.format(erased=erased, **told) if erased else "",
        rows="\n".join(map(_row, rows)),
        **told,
    )


def _row(row: Mapping[str, Any]) -> str:
    when = _date(row["first_time"])
    if row["releases"] > 1:
        when += f"<br>{row['releases']} times, last {_date(row['last_time'])}"
    cells = (
        when,
        escape(row["recipient"]),
        f"<code>{escape(row['report'])}</code>, for {escape(row['use'] or '')}",
        "<br>".join(map(escape, (row["rules"] or "").split("; "))),
        str(row["index"]),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _date(time_ms: int) -> str:
    return f"{dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC):%Y-%m-%d %H:%M:%S}"
