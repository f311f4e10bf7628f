"""What an author writes before it is sealed: drafts, portions, labels and files, in friendly form.

Classification, release list, regions and threat types have no default: what has to be thought about
has to be written. Everything else has the strictest usual value.
"""

import io
import mimetypes
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Literal

from clients import content
from clients.content import Content, tidy
from clients.terms import check_terms
from wire import labels, strict_json
from wire.errors import Malformed, quoted
from wire.labels import Source
from wire.vocabulary import Vocabulary

Moment = int | datetime
"""Unix seconds, or a datetime that knows its zone."""

_USUAL = re.compile(r"[a-z]+/[a-z0-9.+-]+")


@dataclass(frozen=True, kw_only=True)
class Label:
    """A label as an author thinks of it: sets of words, nations or coalitions.

    The originator is always added to the release list; coalitions are expanded when it is fixed.
    """

    classification: str
    release_to: Collection[str]
    regions: Collection[str]
    threats: Collection[str]
    display_to: Collection[str] = frozenset()
    caveats: Collection[str] = frozenset()
    communities: Collection[str] = frozenset()
    precedence: labels.Precedence = "ROUTINE"
    occurred: Moment | None = None
    """When it happened; now, if it is not said."""
    expires: Moment | timedelta | None = None
    """When serving stops: a moment, or a time from now."""
    obligations: Collection[str] = frozenset()
    onward: Literal["none", "national", "release_list"] = "none"
    derive: Literal["consent", "within_release"] = "consent"
    derived_from: Collection[Source] = ()
    """Sources that only the broker is told of, and their originators."""
    cites: Collection[Source] = ()
    """Sources that every reader is told of. A mistake here can cost a source; there, nothing."""
    consents: Collection[str] = frozenset()
    supersedes: str | None = None

    def fixed(
        self,
        originator: str,
        now: int,
        vocabulary: Vocabulary,
        exercise: bool,  # noqa: FBT001 - the mission's own setting, passed on
    ) -> labels.Label:
        """The label with all that it draws on, checked against the mission's vocabulary.

        Raises `Malformed` as `wire.labels.check` does, and "bad-fields" for a wrong form.
        """
        if twice := set(self.derived_from) & set(self.cites):
            detail = f"the source {min(twice).report[:12]} is to be protected, and to be cited"
            raise Malformed("bad-input", detail)
        sources = sorted({*self.derived_from, *self.cites}, key=_place)
        check_terms("level", [self.classification], {v.token: "" for v in vocabulary.levels})
        check_terms("place", _words(self.regions, "regions"), vocabulary.regions.names)
        check_terms("threat type", _words(self.threats, "threats"), vocabulary.threats.names)
        check_terms("caveat", _words(self.caveats, "caveats"), vocabulary.caveats)
        check_terms("community", _words(self.communities, "communities"), vocabulary.communities)
        nations = dict.fromkeys((*vocabulary.nations, *vocabulary.groups), "")
        check_terms("nation", _words(self.release_to, "release_to"), nations)
        check_terms("nation", _words(self.display_to, "display_to"), nations)
        release = {originator, *vocabulary.expand(_words(self.release_to, "release_to"))}
        fields = {
            "classification": self.classification,
            "release_to": sorted(release),
            "display_to": sorted(vocabulary.expand(_words(self.display_to, "display_to"))),
            "caveats": _words(self.caveats, "caveats"),
            "communities": _words(self.communities, "communities"),
            "regions": _words(self.regions, "regions"),
            "threats": _words(self.threats, "threats"),
            "precedence": self.precedence,
            "occurred": now if self.occurred is None else _seconds(self.occurred),
            "expires": _expiry(self.expires, now),
            "obligations": _words(self.obligations, "obligations"),
            "onward": self.onward,
            "derive": self.derive,
            "derived_from": [s.model_dump() for s in sources],
            "consents": _words(self.consents, "consents"),
            "supersedes": self.supersedes,
            "exercise": exercise,
        }
        label = strict_json.load(strict_json.dump(fields), labels.Label)
        labels.check(label, originator, vocabulary)
        return label


@dataclass(frozen=True)
class AttachmentFile:
    """A file that travels beside the report, sealed. `open` gives it from its beginning."""

    name: str
    size: int
    open: Callable[[], BinaryIO] = field(repr=False)
    media_type: str = "application/octet-stream"

    @classmethod
    def of(cls, path: str | Path, media_type: str | None = None) -> "AttachmentFile":
        """A file on disk; its media type is guessed from its name if it is not said."""
        path = Path(path)
        if not path.is_file():
            raise Malformed("bad-input", f"no file {quoted(str(path), 80)} to attach")
        guess = mimetypes.guess_type(path.name)[0] or ""
        usual = guess if _USUAL.fullmatch(guess) else "application/octet-stream"
        return cls(path.name, path.stat().st_size, lambda: path.open("rb"), media_type or usual)

    @classmethod
    def of_bytes(
        cls, name: str, data: bytes, media_type: str = "application/octet-stream"
    ) -> "AttachmentFile":
        """A file that is already in memory."""
        return cls(name, len(data), lambda: io.BytesIO(data), media_type)


@dataclass(frozen=True, kw_only=True)
class Portion:
    """One portion of a report: what it says, and its own label."""

    label: Label
    title: str = ""
    body: str = ""
    report_type: str | None = None
    dtg: str | None = None
    place: str | None = None
    mgrs: str | None = None
    source_grade: str | None = None
    information_grade: str | int | None = None
    confidence: int | None = None
    attachments: Sequence[AttachmentFile] = ()
    data: bytes | None = field(default=None, repr=False)
    """Content of another media type, instead of title and body."""
    media_type: str = content.MEDIA_TYPE

    def payload(self, names: dict[str, str]) -> bytes:
        """The plaintext, with the attachments' file names by their ids.

        Raises `Malformed` ("bad-fields", "bad-json", "too-large", "bad-input").
        """
        if (self.data is None) != (self.media_type == content.MEDIA_TYPE):
            raise Malformed("bad-input", "data has a media type of its own; a title and body none")
        if self.data is not None:
            return self.data
        grade, grid = self.information_grade, self.mgrs
        fields = {
            "v": 1,
            "title": tidy(self.title),
            "body": tidy(self.body),
            "report_type": self.report_type,
            "dtg": re.sub(r"\s", "", self.dtg) if self.dtg else None,
            "place": None if self.place is None else tidy(self.place),
            "mgrs": re.sub(r"\s", "", grid) if grid else None,
            "source_grade": self.source_grade,
            "information_grade": None if grade is None else str(grade),
            "confidence": self.confidence,
            "attachments": {i: tidy(name) for i, name in names.items()},
        }
        said = {name: value for name, value in fields.items() if value is not None}
        raw = strict_json.dump(said, limit=content.CONTENT_MAX, prose=True)
        strict_json.load(raw, Content, limit=content.CONTENT_MAX, prose=True)
        return raw


@dataclass(frozen=True, kw_only=True)
class Draft(Portion):
    """A report before it is sealed: its first portion, and any further ones for other audiences."""

    portions: Sequence[Portion] = ()

    @property
    def all_portions(self) -> tuple[Portion, ...]:
        """Every portion, in the author's order."""
        return (self, *self.portions)


def _words(words: Iterable[str], what: str) -> list[str]:
    if isinstance(words, str):  # "KEN" is no set of K, E and N
        raise Malformed("bad-input", f"{what} is a set of words, not one word")
    return sorted(set(words))


def _place(source: Source) -> tuple[str, str]:
    return (source.report, source.portion)


def _seconds(moment: Moment) -> int:
    if isinstance(moment, int):
        return moment
    if moment.tzinfo is None:
        raise Malformed("bad-input", "a time without a zone")
    return int(moment.timestamp())


def _expiry(expires: Moment | timedelta | None, now: int) -> int | None:
    if expires is None:
        return None
    if isinstance(expires, timedelta):
        return now + int(expires.total_seconds())
    return _seconds(expires)
