"""What is remembered of reports as bytes: sheets of `REPORTS` reports each, in journal order.

    sheet   := outlines | LF | kinds | (LF | report)+      each of them JSON without a line feed
    outlines   columns: what a start reads of every report, at once
    kinds      what portions of this sheet have in common (`broker.kinds`)
    report     its portions and its releases, read when somebody first asks for it

Only what the journal's tables say of a report is in it, and nothing that a statement did to it: a
start folds those again. Of what was deleted stands here what still stands there.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from types import MappingProxyType
from typing import Any, Final

from pydantic_core import from_json, to_json

from broker.held import Contents, Held, HeldAttachment, HeldPortion, Outline, Outlined, lean
from broker.kinds import Kind, Kinds
from policies.facts import ReportFacts
from wire.labels import Source

FORM: Final = f"3 {version('tearline')}"
"""Of what a sheet says and what it is made from; one by another release of this program is made
anew.
"""

REPORTS: Final = 64
"""Reports of a sheet: it is written anew when one of them changes."""

_SETS: Final = (
    *("regions", "threats", "release_to", "display_to", "caveats", "communities"),
    "contributors",
)
_PLAIN: Final = (
    *("originator", "level", "derived", "exercise", "precedence", "originator_control"),
)

_NOBODY: Final[Mapping[str, frozenset[str]]] = MappingProxyType({})
_NOTHING: Final[dict[tuple[str, int], int]] = {}
"""In the place of what is unread."""

Common = tuple[ReportFacts, str, frozenset[str]]
"""Facts, banner and obligations: what portions have in common, to be written."""

Alike = tuple[Kind, frozenset[str]]
"""The same, read: a kind and obligations."""


class _Sheet:
    """What the reports of one sheet share, read when the first of them is."""

    __slots__ = ("_alike", "_kinds", "_shared")

    def __init__(self, kinds: bytes, shared: Kinds) -> None:
        self._kinds, self._shared = kinds, shared
        self._alike: list[Alike] = []

    def contents(self, line: bytes) -> Contents:
        """The portions and releases of one report."""
        if not self._alike:
            self._alike = [self._read(*said) for said in from_json(self._kinds)]
            self._kinds = b""
        portions, releases = from_json(line)
        released = {(nation, mask): index for nation, mask, index in releases}
        return tuple(_portion(*self._alike[number], *said) for number, *said in portions), released

    def _read(
        self,
        plain: Sequence[Any],
        sets: Sequence[Sequence[str]],
        banner: str,
        obligations: Sequence[str],
    ) -> Alike:
        named = dict(zip(_PLAIN, plain, strict=True))
        named |= {name: frozenset(words) for name, words in zip(_SETS, sets, strict=True)}
        facts = ReportFacts(**named)
        kind = self._shared.find(facts, named["precedence"], lambda: banner)
        self._shared.share(kind)
        return kind, lean(frozenset(obligations))


def read(sheet: bytes, shared: Kinds) -> Iterator[tuple[Held, Outlined]]:
    """The reports of a sheet that this program wrote, each with its outline."""
    columns, kinds, *lines = sheet.split(b"\n")
    common = _Sheet(kinds, shared)
    heads, outlines = from_json(columns)
    rows = zip(*heads, lines, zip(*outlines, strict=True), strict=True)
    for position, accepted, identity, name, originator, created, erased, line, outline in rows:
        unread = (common, line)
        held = Held(
            position,
            accepted,
            identity,
            name,
            originator,
            created,
            (),
            erased,
            unread,
            None,
            _NOBODY,
            _NOTHING,
        )
        yield held, outline


def write(reports: Iterable[Held]) -> bytes:
    """A sheet of these reports."""
    kinds: dict[Common, int] = {}
    heads, outlines, lines = list[Sequence[Any]](), list[Outline](), list[bytes]()
    for held in reports:
        outline = Outline.of(held)
        erased = held.erased & outline.every
        head = (held.position, held.accepted, held.identity, held.id, held.originator, held.created)
        heads.append((*head, erased))
        outlines.append(outline)
        portions = [_said(p, kinds, gone=bool(erased >> p.index & 1)) for p in held.portions]
        releases = [(*name, index) for name, index in held.released.items()]
        lines.append(to_json([portions, releases]))
    columns = [list(zip(*rows, strict=True)) for rows in (heads, outlines)]
    return b"\n".join([to_json(columns), to_json([_alike(*kind) for kind in kinds]), *lines])


def _alike(facts: ReportFacts, banner: str, obligations: frozenset[str]) -> Sequence[Any]:
    return (
        [getattr(facts, name) for name in _PLAIN],
        [sorted(getattr(facts, name)) for name in _SETS],
        banner,
        sorted(obligations),
    )


def _said(portion: HeldPortion, kinds: dict[Common, int], *, gone: bool) -> Sequence[Any]:
    common = (portion.facts, portion.kind.banner, portion.obligations)
    return (
        kinds.setdefault(common, len(kinds)),
        portion.index,
        portion.commitment,
        portion.expires,
        [(a.id, a.sha256, a.length) for a in portion.attachments],
        portion.lasting if gone else portion.size,
        portion.lasting,
        sorted((source.report, source.portion) for source in portion.ancestors),
        sorted(portion.sources),
        sorted(portion.named),
        portion.salt.hex(),
    )


def _portion(
    kind: Kind,
    obligations: frozenset[str],
    index: int,
    commitment: str,
    expires: int | None,
    attachments: Sequence[tuple[str, str, int]],
    size: int,
    lasting: int,
    ancestors: Sequence[tuple[str, str]],
    sources: Sequence[tuple[str, str]],
    named: Sequence[tuple[str, str]],
    salt: str,
) -> HeldPortion:
    return HeldPortion(
        index=index,
        kind=kind,
        commitment=commitment,
        expires=expires,
        attachments=tuple(HeldAttachment(*one) for one in attachments),
        size=size,
        lasting=lasting,
        ancestors=lean(frozenset(Source(report=r, portion=p) for r, p in ancestors)),
        obligations=obligations,
        sources=lean(frozenset((nation, report) for nation, report in sources)),
        named=lean(frozenset((nation, report) for nation, report in named)),
        salt=bytes.fromhex(salt),
    )
