"""Evidence files (`.tlev`): what an auditor hands on, written from the store, read by anybody.

A file is written beside its place and moved there whole, and is verified before it is: what leaves
this machine was just proven from the bytes that leave.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

from clients.evidence import confirmed, erased
from clients.evidence.store import EvidenceStore
from clients.files import meant
from wire import evidence_file, evidence_lines, strict_json
from wire.entries import MISSION
from wire.errors import Malformed, quoted
from wire.evidence import HeadEvidenceModel
from wire.evidence_file import Proven
from wire.evidence_lines import (
    MAX_LINE_BYTES,
    ConfirmedLine,
    Header,
    Kind,
    Line,
    PageLine,
    Said,
    TreeLine,
)

ENTRIES: Final = """
SELECT * FROM entry WHERE channel = ? AND count >= ? AND count < ? ORDER BY count
"""


def read(path: Path, pinned: str, *, now_ms: int) -> Proven:
    """Verify a file against the identity of the mission's charter, or of the statement by which
    its log was continued last.

    Raises `Malformed` or `Conflict` naming the line and the first bad entry, `OSError`.
    """
    with path.open("rb") as file:
        first = file.readline(MAX_LINE_BYTES + 1)
        _check_meant(path, first, pinned)
        rest = iter(lambda: file.readline(MAX_LINE_BYTES + 1), b"")
        return evidence_file.verify(chain([first], rest), pinned, now_ms=now_ms)


def _check_meant(path: Path, first: bytes, pinned: str) -> None:
    """Tell another file, or one of another mission, from one that was tampered with."""
    with meant(path, "an evidence file"):
        line = evidence_lines.read(first)
        header = line.evidence if isinstance(line, Line) else None
        if header is None:
            raise Malformed("bad-fields", "it does not begin as one does")
        found = (header.continued or header.charter).identity
    if found != pinned:
        known = "its log was continued by" if header.continued else "its mission's charter is"
        detail = f"{quoted(path.name)}: {known} {found}, not {quoted(pinned, 64)}"
        raise Malformed("bad-input", detail)


def write(path: Path, lines: Iterable[bytes], pinned: str, *, now_ms: int) -> Proven:
    """Write a file and verify it; it is there whole or not at all. Raises like `read`."""
    fresh = path.with_name(f"{path.name}.new")
    try:
        with fresh.open("wb") as file:
            file.writelines(lines)
        proven = read(fresh, pinned, now_ms=now_ms)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    return proven


def history(store: EvidenceStore, mission: str, nation: str, charter: str) -> Iterator[bytes]:
    """The lines of everything that was pulled, in the order it was pulled in."""
    newest = store.newest()
    if not newest.size or not store.is_complete(nation):
        raise Malformed("bad-input", "the last pull did not reach the end; run it again")
    yield _header(store, "history", mission, nation, charter, newest.size)
    for tree in store.trees():
        line = TreeLine(checkpoint=tree.note, consistency=tree.consistency)
        yield Line(tree=line).encode()
        for page in store.rows("SELECT * FROM page WHERE tree = ? ORDER BY number", tree.size):
            head = strict_json.load(page["head"].encode(), HeadEvidenceModel)
            told = PageLine(channel=page["channel"], entries=page["entries"], head=head)
            yield Line(page=told).encode()
            where = (page["channel"], page["first"], page["first"] + page["entries"])
            for entry in store.rows(ENTRIES, *where):
                yield from _entry(store, entry)
    known = store.trust(MISSION).size  # whose cosignatures count is told up to there
    yield from _confirmed(confirmed.of(store, newest.size, known=known))


def receipt(
    store: EvidenceStore, mission: str, nation: str, charter: str, index: int
) -> list[bytes]:
    """The lines that prove one entry, with what it rests on: the acceptance that a release names,
    the policies that were in force, and by whose order what is missing was erased. An acceptance
    that names sources is there only if it is what was asked for: who gets a receipt of a release
    need not know them.
    """
    entries, line = _witnessed(store, erased.explained(store, _grounds(store, nation, index)))
    sizes = {entry["page"]: _size(store, entry["page"]) for entry in entries}
    lines = [_header(store, "receipt", mission, nation, charter, max(sizes.values()))]
    last = 0
    for entry in sorted(entries, key=lambda e: (sizes[e["page"]], e["idx"], e["channel"])):
        if sizes[entry["page"]] != last:
            last = sizes[entry["page"]]
            lines.append(
                Line(tree=TreeLine(checkpoint=_note(store, last), consistency=None)).encode()
            )
        lines.append(Line(page=PageLine(channel=entry["channel"], entries=1, head=None)).encode())
        lines += _entry(store, entry)
    return [*lines, *_confirmed(line)]


def _witnessed(store: EvidenceStore, entries: list[Any]) -> tuple[list[Any], ConfirmedLine | None]:
    """The entries, with those that say whose cosignatures count, and what was confirmed of the
    newest of their trees.
    """
    newest = max(_size(store, entry["page"]) for entry in entries)
    line = confirmed.of(store, newest)
    if line is None:
        return entries, None
    sets = confirmed.appointments(store, line.size)
    every = list({(e["channel"], e["count"]): e for e in [*entries, *sets]}.values())
    later = any(_size(store, entry["page"]) > newest for entry in every)
    return _witnessed(store, every) if later else (every, line)


def _confirmed(line: ConfirmedLine | None) -> Iterator[bytes]:
    if line is not None:
        yield Line(confirmed=line).encode()


def _grounds(store: EvidenceStore, nation: str, index: int) -> Sequence[Any]:
    """The entry at this index, and those that say why it could be; the nation's own first."""
    sql = "SELECT * FROM entry WHERE idx = ? ORDER BY channel = ? DESC"
    entry = store.one(sql, index, nation)
    if entry is None:
        raise Malformed("bad-input", f"no entry that concerns {nation} stands at {index}")
    where = (entry["channel"], entry["count"])
    sql = (
        "SELECT * FROM entry e WHERE channel = ? AND idx = ? AND type = 'report.accepted' AND NOT "
        "EXISTS (SELECT 1 FROM drawn d WHERE d.channel = e.channel AND d.count = e.count)"
    )
    accepted = store.rows(sql, nation, entry["accepted"])
    sql = (
        "SELECT * FROM entry WHERE channel = ? AND statement IN "
        "(SELECT statement FROM policy WHERE channel = ? AND count = ?)"
    )
    return [entry, *accepted, *store.rows(sql, MISSION, *where)]


def _entry(store: EvidenceStore, entry: Any) -> Iterator[bytes]:
    yield b'{"entry":%s}\n' % entry["line"].encode()
    if entry["channel"] == MISSION and entry["spoke"] in evidence_file.NEEDED:
        said = store.said(entry["statement"])
        if said is not None:
            yield Line(statement=said).encode()


def _header(
    store: EvidenceStore, kind: Kind, mission: str, nation: str, charter: str, size: int
) -> bytes:
    fields: dict[str, Any] = {
        "v": 1,
        "kind": kind,
        "mission": mission,
        "nation": nation,
        "size": size,
    }
    fields["charter"] = _said(store, charter)
    if store.pinned != charter:
        fields["continued"] = _said(store, store.pinned)
    return Line(evidence=Header.model_validate(fields)).encode()


def _said(store: EvidenceStore, identity: str) -> Said:
    said = store.said(identity)
    if said is None:
        raise Malformed("bad-input", f"the statement {quoted(identity)} was not pulled")
    return said


def _size(store: EvidenceStore, page: int) -> int:
    row = store.one("SELECT tree FROM page WHERE number = ?", page)
    assert row is not None, "every entry has its page"
    return int(row["tree"])


def _note(store: EvidenceStore, size: int) -> str:
    row = store.one("SELECT note FROM tree WHERE size = ?", size)
    assert row is not None, "every page has its tree"
    return str(row["note"])
