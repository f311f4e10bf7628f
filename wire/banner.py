"""Banners and portion marks: the label as people read it. They are rendered, never parsed.

    MINUSX SECRET//FRA//SOURCE SENSITIVE//REL TO FRA, SEN, TCD/DISPLAY ONLY GHA//ORCON
    (S//SOURCE SENSITIVE//REL FRA, SEN, TCD/DISPLAY ONLY GHA//ORCON)

Between `//` stand, in this order: mission and level, originator, caveats, communities (`COI`), who
may have it, originator control. The originator is named first among the recipients, the others
follow in order of their codes. In one mission two different access labels never have the same
banner, because no word of a vocabulary can look like another part (see `wire/vocabulary.py`).
"""

from collections.abc import Iterable

from wire.labels import Label
from wire.lattice import Point, point
from wire.vocabulary import Vocabulary


def banner(label: Label, originator: str, mission: str, vocabulary: Vocabulary) -> str:
    """The line at the top and the bottom of everything that shows what `label` covers."""
    line = point_banner(point(label, vocabulary), originator, mission, vocabulary)
    return f"EXERCISE {line}" if label.exercise else line


def point_banner(at: Point, originator: str, mission: str, vocabulary: Vocabulary) -> str:
    """The banner of several portions together: of their roll-up."""
    parts = [
        f"{mission} {vocabulary.levels[at.level].token}",
        originator,
        *_marks(at),
        _recipients("REL TO", at, originator),
    ]
    return "//".join(parts + _control(at))


def portion_mark(
    label: Label, originator: str, vocabulary: Vocabulary, banner_label: Label | None = None
) -> str:
    """The mark before one portion; recipients equal to those of `banner_label` are cut to `REL`."""
    at = point(label, vocabulary)
    recipients = _recipients("REL", at, originator)
    if banner_label is not None and len(label.recipients) > 1:
        above = point(banner_label, vocabulary)
        if (above.release, above.display) == (at.release, at.display):
            recipients = "REL"
    parts = [vocabulary.levels[at.level].mark, *_marks(at), recipients]
    return f"({'//'.join(parts + _control(at))})"


def _marks(at: Point) -> list[str]:
    marks = []
    if at.caveats:
        marks.append("/".join(sorted(at.caveats)))
    if at.communities:
        marks.append("COI " + "/".join(sorted(at.communities)))
    return marks


def _recipients(words: str, at: Point, originator: str) -> str:
    if at.release == {originator}:
        text = f"{originator} ONLY"
    else:
        text = f"{words} {_listed(at.release, originator)}"
    if shown := at.display - at.release:
        text += f"/DISPLAY ONLY {_listed(shown, originator)}"
    return text


def _listed(nations: Iterable[str], originator: str) -> str:
    ordered = sorted(nations, key=lambda nation: (nation != originator, nation))
    return ", ".join(ordered) or "NONE"


def _control(at: Point) -> list[str]:
    return ["ORCON"] if at.originator_control else []
