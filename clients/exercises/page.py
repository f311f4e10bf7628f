"""The result of an exercise as one page that needs nothing else: for the debriefing, and to keep.

Text of the exercise is foreign text: all of it is escaped, and the page holds no script and no
link, so a browser that shows it asks nobody for anything.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from clients.exercises.plan import Exercise
from clients.exercises.score import Score, Told

_ALONE: Final = (
    '<meta http-equiv="Content-Security-Policy" '
    """content="default-src 'none'; style-src 'unsafe-inline'">"""
)
_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
.banner { background: #7a1f1f; color: #fff; font-weight: bold; padding: .3rem 1rem }
table { border-collapse: collapse; margin: .5rem 0 1.5rem }
td, th { border: 1px solid #bbb; padding: .25rem .7rem; text-align: left }
.bad { color: #a11; font-weight: bold } .good { color: #175f2b; font-weight: bold }
"""


def page(exercise: Exercise, told: Iterable[Told], found: Score) -> str:
    """The page, in HTML."""
    setting = exercise.exercise
    banner = f'<p class="banner">EXERCISE {escape(setting.mission)}</p>'
    verdict = "as expected" if found.passed else "not as expected"
    colour = "good" if found.passed else "bad"
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        _ALONE,
        f"<title>{escape(setting.name)}</title><style>{_STYLE}</style>",
        banner,
        f"<h1>{escape(setting.name)}</h1><p>{escape(setting.about)}</p>",
        f'<p class="{colour}">{verdict}</p>',
        _table(
            "Time from an inject to its readers",
            ("nation", "reports read", "half within", "all within"),
            [
                (nation, str(delay.count), f"{delay.median:.2f} s", f"{delay.longest:.2f} s")
                for nation, delay in sorted(found.delays.items())
            ],
        ),
        _table(
            "Time until a recall held",
            ("report", "nations refused", "last after"),
            [
                (r.report, str(r.nations), "never" if r.seconds is None else f"{r.seconds:.2f} s")
                for r in found.recalls
            ],
        ),
        _table("Over-sharing: read by who should not", ("report", "nation"), found.over),
        _table("Under-sharing: not read by who should", ("report", "nation"), found.under),
        _table("Not stopped", ("report", "nation"), found.unstopped),
        _table(
            "What happened",
            ("minute", "nation", "inject", "outcome", "expected"),
            [(str(t.at), t.nation, t.what, t.outcome, "yes" if t.expected else "no") for t in told],
        ),
        banner,
        "</html>\n",
    ]
    return "\n".join(parts)


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, or one word if there is nothing in it."""
    lines = [f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows]
    if not lines:
        return f"<h2>{escape(title)}</h2><p>none</p>"
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    return f"<h2>{escape(title)}</h2><table><tr>{head}</tr>{''.join(lines)}</table>"
