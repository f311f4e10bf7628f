"""What is sent in the demonstration: the written scenario, or rows of a file.

A row says what happened, when and where; it says nothing of who may know. So the originator and
the release list of a row are the scenario's own, and the demonstration says that they are.
"""

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, Final

from clients import standard
from clients.demo.picture import picture
from clients.draft import AttachmentFile, Draft, Label, Portion
from wire.errors import Malformed
from wire.labels import PRECEDENCES

ROWS_MAX: Final = 100_000  # more would not be a demonstration
TEXT_MAX: Final = 4_000  # characters of a row's text that are sent
WORLD: Final = "001"

ROW_RELEASES: Final = (
    ("RESTRICTED", ("KEN", "GBR", "FRA", "SEN", "BGD")),
    ("UNCLASSIFIED", ("KEN", "GBR", "FRA", "SEN", "BGD")),
    ("CONFIDENTIAL", ("KEN", "GBR", "FRA")),
    ("RESTRICTED", ("GBR", "FRA", "SEN")),
    ("SECRET", ("GBR", "FRA")),
)
"""Labels that rows take in turn, for they have none of their own."""

ROW_THREATS: Final = {
    "state-based": "conflict.clash",
    "non-state": "civilians.intercommunal",
    "one-sided": "civilians.attack",
    "pirates": "maritime.piracy",
    "robbers": "maritime.piracy",
    "explosive-weapon": "conflict.indirect_fire",
    "aid-worker": "civilians.aid_denied",
    "education": "civilians.protected_site",
    "navigational-warning": "maritime.attack",
}
"""Event types of the public data sets, in the words of the threat tree."""


@dataclass(frozen=True)
class Sent:
    """One report and the nation whose partner system sends it."""

    nation: str
    draft: Draft


def written() -> list[Sent]:
    """The written exercise scenario, the nations' reports interleaved."""
    text = files("clients.demo").joinpath("scenario.toml").read_text(encoding="utf-8")
    reports = [_written(fields) for fields in tomllib.loads(text)["report"]]
    by_nation: dict[str, list[Sent]] = {}
    for sent in reports:
        by_nation.setdefault(sent.nation, []).append(sent)
    return [sent for sent in chain(*zip_longest(*by_nation.values())) if sent is not None]


def rows(path: Path, nations: tuple[str, ...]) -> Iterator[Sent]:
    """Reports made of the rows of an NDJSON file, as the public data sets are shaped.

    Raises `Malformed` ("bad-input") naming the line that is no such row.
    """
    alpha2 = json.loads(files("clients.demo").joinpath("alpha3.json").read_bytes())
    names = {term.name: code for code, term in standard.registry().regions.items()}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()[:ROWS_MAX]
    except (OSError, UnicodeDecodeError) as error:
        raise Malformed("bad-input", f"{path.name} is no readable file of UTF-8 text") from error
    for number, line in enumerate(lines):
        try:
            row = json.loads(line)
            place = alpha2.get(row.get("country")) or names.get(row.get("country_name"), WORLD)
            yield _row(row, place, number, nations)
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise Malformed("bad-input", f"{path.name}, line {number + 1}: not a row") from error


def _written(fields: Mapping[str, Any]) -> Sent:
    label = Label(
        classification=fields["classification"],
        release_to=fields["release_to"],
        regions=fields["regions"],
        threats=fields["threats"],
        caveats=fields.get("caveats", ()),
        precedence=fields["precedence"],
    )
    attached = fields.get("attachment")
    draft = Draft(
        label=label,
        title=fields["title"],
        body=fields["text"],
        attachments=[AttachmentFile.of_bytes("photo.png", picture(fields["title"]), "image/png")]
        if attached
        else [],
        portions=[_second(label, more) for more in fields.get("portion", ())],
    )
    return Sent(fields["from"], draft)


def _second(first: Label, fields: Mapping[str, Any]) -> Portion:
    label = Label(
        classification=fields["classification"],
        release_to=fields["release_to"],
        regions=first.regions,
        threats=first.threats,
        caveats=fields.get("caveats", ()),
        precedence=first.precedence,
    )
    return Portion(label=label, title=fields["title"], body=fields["text"])


def _row(row: Mapping[str, Any], place: str, number: int, nations: tuple[str, ...]) -> Sent:
    originator = nations[number % len(nations)]
    classification, release_to = ROW_RELEASES[number % len(ROW_RELEASES)]
    kind = str(row["event_type"])
    threat = ROW_THREATS.get(kind, "maritime.piracy" if "pira" in kind else "conflict.clash")
    when = datetime.fromisoformat(row["time"]).astimezone(UTC)
    text = _plain(str(row["text"]))[:TEXT_MAX]
    label = Label(
        classification=classification,
        release_to=release_to,
        regions={place},
        threats={threat},
        precedence=PRECEDENCES[3 - (number % 20 == 0) - 2 * (number % 100 == 0)],
        occurred=max(0, int(when.timestamp())),
    )
    title = " ".join(text.split())[:100] or str(row["id"])
    return Sent(originator, Draft(label=label, title=title, body=text))


def _plain(text: str) -> str:
    """Foreign text without the characters that no report may hold."""
    return "".join(c if c.isprintable() or c in "\n\t" else " " for c in text)


def nations_of(sent: Iterable[Sent]) -> tuple[str, ...]:
    """The nations that send, in order of their first report."""
    return tuple(dict.fromkeys(s.nation for s in sent))
