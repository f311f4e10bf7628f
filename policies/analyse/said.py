"""An analysis in sentences, for the terminal, for a page and for programs."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from policies.analyse.classes import told
from policies.analyse.difference import Change, Part, Stage
from policies.analyse.guarantees import Broken
from policies.analyse.matrix import Matrix
from policies.analyse.mission import Mission
from policies.analyse.witness import Request

PARTS: Final[Mapping[Part, str]] = {
    "any": "takes effect",
    "ordinary": "takes effect for original reports",
    "derived": "takes effect for reports derived from others",
    "latent": "is stopped by the mission today, and would take effect if that changed",
}
"""What is shown, in this order; the whole of the nation's own layer is for programs."""

LAYERS: Final = {"release": "What leaves", "accept": "What comes in"}


def stage(found: Stage) -> str:
    """How a report goes: by itself, after officers, or not."""
    match found:
        case None:
            return "withheld"
        case 0:
            return "released"
        case 1:
            return "released after 1 officer"
        case _:
            return f"released after {found} officers"


def direction(change: Change) -> str:
    """Who gains or loses what, in one line."""
    kind, owner = change.layer
    who = ", ".join(change.nations) if kind == "release" else owner
    many = kind == "release" and len(change.nations) > 1
    verb = ("gain" if change.grows else "lose") + ("" if many else "s")
    return f"{who} {verb}: {stage(change.before)} → {stage(change.after)}"


def classes(mission: Mission, change: Change) -> tuple[str, ...]:
    """The classes of reports that a change is about, in the officer's words."""
    vocabularies = {str(v): atlas.vocabulary for v, atlas in mission.atlases.items()}
    listed = sorted(told(found, vocabularies) for found in change.classes)
    return (*listed, *(() if change.whole else ("and more classes than can be listed",)))


def ordered(changes: Iterable[Change]) -> Iterator[tuple[str, tuple[Change, ...]]]:
    """The changes under headings: what takes effect first, gains before losses."""
    for kind, leading in LAYERS.items():
        for part, meaning in PARTS.items():
            found = [c for c in changes if (c.layer[0], c.part) == (kind, part)]
            if found:
                yield f"{leading}: {meaning}", tuple(sorted(found, key=lambda c: not c.grows))


def guarantee(mission: Mission, found: Broken) -> str:
    """A broken guarantee and the request that shows it."""
    says = "never" if found.rule.effect == "forbid" else "always"
    does = "would be released" if says == "never" else "would be withheld"
    return (
        f"{found.rule.id} ({says}: {found.rule.says or 'no reason given'})"
        f" for {', '.join(found.nations)}; {request(mission, found.example)} {does}"
        f"{_after(found.officers)}"
    )


def request(mission: Mission, asked: Request) -> str:
    """One report and one recipient, short."""
    recipient, facts, _ = asked
    words = mission.vocabulary
    marks = ", ".join(sorted(facts.caveats))
    parts = [
        f"a report of {facts.originator} at {words.levels[facts.level].token}",
        f"on {', '.join(sorted(facts.regions))}",
        f"about {', '.join(sorted(facts.threats))}",
        f"marked {marks}" if marks else "",
        f"to {'a person' if recipient.kind == 'Analyst' else 'a gateway'} of {recipient.nation}",
        f"cleared {words.levels[recipient.clearance].token}",
    ]
    return " ".join(part for part in parts if part)


def _after(officers: int) -> str:
    return "" if not officers else f" after {officers} officer{'s' if officers > 1 else ''}"


def cell(matrix: Matrix, originator: str, recipient: str) -> tuple[str, str]:
    """The highest level unaided, and with officers; `-` for nothing."""
    found = matrix.cells[originator, recipient]
    unaided, officers = (
        "-" if level is None else matrix.levels[level] for level in (found.unaided, found.officers)
    )
    return unaided, officers
