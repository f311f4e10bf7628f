"""Labels of the reports that an auditor holds, bound to the journal by the report's identity.

The journal names reports and holds their labels as digests, so it cannot say which region or threat
a report was about. A sealed report (`.tlr`) can: its identity is the SHA-256 of its head, the head
holds a commitment to every portion's descriptor, and the label stands in there for all to read. No
key is needed, and a label of another report cannot be passed off as this one's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clients import files
from wire import report as frames
from wire import strict_json
from wire.errors import Malformed, TearlineError, quoted
from wire.header import Header, PortionLabel

FILES_MAX: Final = 100_000


@dataclass(frozen=True)
class Held:
    """What the labels of one report say, all its portions together."""

    classifications: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    threats: tuple[str, ...] = ()


def read(folder: Path) -> Mapping[str, Held]:
    """What is said of each report in a folder of `.tlr` files, by the report's identity.

    Raises `Malformed` ("bad-input") for a folder without any, and naming a file that is none.
    """
    found: dict[str, Held] = {}
    paths = sorted(folder.glob("*.tlr"))[:FILES_MAX]
    if not paths:
        detail = f"no .tlr files in {quoted(folder.name)}; see tearline fetch --save"
        raise Malformed("bad-input", detail)
    for path in paths:
        try:
            identity, held = of(files.read(path, frames.REPORT_MAX))
        except TearlineError as error:
            raise Malformed("bad-input", f"{quoted(path.name)}: {error.detail}") from error
        found[identity] = _joined(found.get(identity, Held()), held)
    return found


def of(raw: bytes) -> tuple[str, Held]:
    """A report's identity, and what the labels of the portions in it say.

    Raises `Malformed`, also for a portion that the head does not commit to.
    """
    frame = frames.parse(raw)
    header = strict_json.load(frame.header_bytes, Header)
    held = Held()
    for portion in frame.portions:
        if header.portions[portion.index : portion.index + 1] != (portion.commitment,):
            raise Malformed("bad-envelope", "a portion that the head does not commit to")
        label = strict_json.load(portion.label_bytes, PortionLabel)
        held = _joined(held, Held((label.classification,), label.regions, label.threats))
    return frame.identity, held


def _joined(one: Held, other: Held) -> Held:
    """Two copies of a report may hold different portions of it."""
    return Held(
        tuple(sorted({*one.classifications, *other.classifications})),
        tuple(sorted({*one.regions, *other.regions})),
        tuple(sorted({*one.threats, *other.threats})),
    )
