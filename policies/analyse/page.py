"""An analysis as one page of HTML: no script, nothing fetched, light and dark."""

from collections.abc import Iterator
from html import escape
from typing import Final

from policies.analyse import said
from policies.analyse.matrix import Matrix
from policies.analyse.mission import Mission
from policies.analyse.preview import Preview


def matrix_page(mission: Mission, matrix: Matrix) -> str:
    """The release matrix, rows release, columns receive."""
    return _page(
        f"{mission.vocabulary.mission}: release matrix",
        "The highest level at which some report can go, from the nation of the row to the nation of"
        " the column. A second mark, after an arrow, is what officers can release by signing.",
        [*_legend(mission), *_table(mission, matrix)],
    )


def preview_page(mission: Mission, found: Preview) -> str:
    """One nation's change of policy."""
    return _page(
        f"{mission.vocabulary.mission}: preview for {found.owner}",
        "What would be different, for every report that there can be.",
        list(_preview(mission, found)),
    )


def _page(title: str, lead: str, body: list[str]) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><main><h1>{escape(title)}</h1>\n<p>{escape(lead)}</p>\n"
        + "\n".join(body)
        + "\n</main></body></html>\n"
    )


def _legend(mission: Mission) -> Iterator[str]:
    levels = mission.vocabulary.levels
    shades = (
        f'<li><span class="key l{_shade(index, len(levels))}">{escape(level.mark)}</span>'
        f" {escape(level.token)}</li>"
        for index, level in enumerate(levels)
    )
    nothing = '<li><span class="key none">·</span> nothing</li>'
    yield f'<ul class="legend">{nothing}{"".join(shades)}</ul>'


def _table(mission: Mission, matrix: Matrix) -> Iterator[str]:
    levels = mission.vocabulary.levels
    head = "".join(f'<th scope="col">{escape(n)}</th>' for n in matrix.nations)
    yield '<div class="wide" role="region" aria-label="Release matrix" tabindex="0"><table>'
    yield f'<thead><tr><th class="corner">from \\ to</th>{head}</tr></thead><tbody>'
    for originator in matrix.nations:
        cells = []
        for recipient in matrix.nations:
            if recipient == originator:
                cells.append('<td class="self"></td>')
                continue
            found = matrix.cells[originator, recipient]
            alone, aided = ("·" if x is None else levels[x].mark for x in found)
            more = f"<small>→{escape(aided)}</small>" if aided != alone else ""
            unaided, officers = said.cell(matrix, originator, recipient)
            title = f"{originator} to {recipient}: {unaided} unaided, {officers} with officers"
            shade = "none" if found.unaided is None else f"l{_shade(found.unaided, len(levels))}"
            cells.append(f'<td class="{shade}" title="{escape(title)}">{escape(alone)}{more}</td>')
        yield f'<tr><th scope="row">{escape(originator)}</th>{"".join(cells)}</tr>'
    yield "</tbody></table></div>"


def _shade(level: int, levels: int) -> int:
    """One of five shades, the highest level the darkest."""
    return 4 if levels == 1 else round(level * 4 / (levels - 1))


def _preview(mission: Mission, found: Preview) -> Iterator[str]:
    for broken in found.broken:
        yield f'<p class="bad">Guarantee broken: {escape(said.guarantee(mission, broken))}</p>'
    if found.grows:
        yield '<p class="note">Release grows: a second officer must sign.</p>'
    if not found.changes:
        yield '<p class="note">Nothing changes.</p>'
    for heading, changes in said.ordered(found.changes):
        yield f"<h2>{escape(heading)}</h2>"
        for change in changes:
            yield f'<section class="{"gain" if change.grows else "loss"}">'
            yield f"<h3>{escape(said.direction(change))}</h3><ul>"
            yield from (f"<li>{escape(line)}</li>" for line in said.classes(mission, change))
            yield "</ul></section>"
    if found.dead:
        yield f'<p class="note">Rules that never decide: {escape(", ".join(found.dead))}</p>'


_STYLE: Final = """
:root { color-scheme: light dark;
  --paper: #fbfbf9; --ink: #1d2330; --soft: #5a6372; --line: #d5d9e0;
  --gain: #a4480b; --loss: #23617d; --bad: #a11a1a; --card: #fff;
  --l0: #eaf1f8; --l1: #bfd8ee; --l2: #86b6de; --l3: #2f74b5; --l4: #12365f; --none: #eeeeea; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171d; --ink: #e6e9ef; --soft: #a0a9b8;
  --line: #343b48; --gain: #f0a25e; --loss: #7cc3e0; --bad: #ff8f8f; --card: #1b2029;
  --l0: #1f2c3b; --l1: #27496b; --l2: #34709f; --l3: #6aa9dc; --l4: #c7e1f7; --none: #20242c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; line-height: 1.35; margin: 1.75rem 0 .75rem; }
h3 { font-size: 1rem; line-height: 1.35; margin: 0 0 .35rem; }
p { max-width: 46rem; margin: .4rem 0 1rem; color: var(--soft); }
.legend { display: flex; flex-wrap: wrap; gap: .4rem 1rem; padding: 0; margin: 0 0 1rem;
  list-style: none; font-size: .875rem; }
.key { display: inline-block; min-width: 2rem; text-align: center; border-radius: .25rem;
  padding: 0 .35rem; font-weight: 600; }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem; width: fit-content;
  max-width: 100%; background: var(--card); }
table { border-collapse: separate; border-spacing: 0; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .5rem; text-align: center; font-size: .875rem; white-space: nowrap;
  border: 1px solid var(--paper); }
td { min-width: 3.25rem; font-weight: 600; }
th { color: var(--soft); font-weight: 600; background: var(--card); }
th[scope=row], .corner { position: sticky; left: 0; text-align: left; }
td small { font-weight: 400; margin-left: .15rem; }
.l0 { background: var(--l0); } .l1 { background: var(--l1); } .l2 { background: var(--l2); }
.l3 { background: var(--l3); color: #fff; } .l4 { background: var(--l4); color: #fff; }
.none { background: var(--none); color: var(--soft); font-weight: 400; }
.self { background: repeating-linear-gradient(45deg, var(--line) 0 1px, transparent 1px 6px); }
@media (prefers-color-scheme: dark) { .l2 { color: #fff; } .l3, .l4 { color: #10202f; } }
section { border-left: .25rem solid var(--line); background: var(--card); padding: .75rem 1rem;
  border-radius: 0 .5rem .5rem 0; margin: 0 0 1rem; }
section ul { margin: 0; padding-left: 1.2rem; }
li { overflow-wrap: anywhere; }
.legend li { overflow-wrap: normal; }
.gain { border-color: var(--gain); } .gain h3 { color: var(--gain); }
.loss { border-color: var(--loss); } .loss h3 { color: var(--loss); }
.bad { color: var(--bad); font-weight: 600; } .note { color: var(--ink); }
"""
