"""Step 10, audit: a nation's history, or a few proven entries, as one file that needs no network.

A `history` says that it is all of its channels, a `receipt` proves single entries. The charter's
identity is all that a verifier must know beforehand: the charter names the log's keys and the
nations' places, and everything else follows. Once the log was continued after a loss, it is the
identity of the statement by which it was: that names the charter, the tree from which it went on,
and the log's keys since. The lines are those of `wire/evidence_lines.py`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from wire import evidence_lines, links, merkle, prove
from wire.base64_strict import decode
from wire.bodies import (
    MissionCharter,
    MissionContinue,
    NationAdmit,
    RetentionSet,
    WitnessSet,
)
from wire.entries import MISSION
from wire.erasures import Erasures, Orders
from wire.errors import Malformed, TearlineError
from wire.evidence import Evidence, HeadEvidenceModel
from wire.evidence_confirmed import confirm
from wire.evidence_lines import ConfirmedLine, Header, Line, PageLine, Said, TreeLine
from wire.notes import OpenedCheckpoint, VKey, open_checkpoint
from wire.pages import Exhibit, Page
from wire.prove import Trust, VerifiedEntry
from wire.retention import Order
from wire.witness import ConfirmedCheckpoint
from wire.witness_keys import Witnesses

CLOCK_SLACK_MS: Final = 300_000
"""How far a broker's clock may be ahead of the verifier's."""
NEEDED: Final = frozenset(
    {
        "nation.admit",
        "nation.expel",
        "mission.continue",
        "retention.set",
        "witness.set",
        "policy.publish",
        "report.release",
        "report.withdraw",
        "report.recall",
        "report.complaint",
        "recall.confirm",
        "approval",
    }
)
"""Statements that a history shows: who is where, what was permitted, taken back, and to be erased.
Keys stay in the chains.
"""


@dataclass
class Proven:
    """What a file proves. `complete_at` holds, by channel, the size of the tree it is all of;
    `trees` the root of every tree in the file, by size. `confirmed` is what a quorum of witnesses
    stands behind, of the same history, if the file shows that.
    """

    header: Header
    charter: MissionCharter
    newest: OpenedCheckpoint
    entries: list[VerifiedEntry]
    said: dict[str, Said]
    complete_at: dict[str, int]
    trees: dict[int, bytes]
    confirmed: ConfirmedCheckpoint | None

    def of(self, channel: str) -> list[VerifiedEntry]:
        """The entries of one channel, in order."""
        return [entry for entry in self.entries if entry.channel == channel]


def verify(lines: Iterable[bytes], pinned: str, *, now_ms: int) -> Proven:
    """Verify a whole file against the identity of the mission's charter, or of the statement by
    which its log was continued last, in hex.

    Raises `Malformed` naming the line and the first bad entry, `Conflict` for two trees of one
    size.
    """
    reading = _Reading(pinned, now_ms)
    number = 0
    for number, line in enumerate(lines, 1):
        try:
            reading.take(evidence_lines.read(line))
        except TearlineError as error:
            raise type(error)(error.slug, f"line {number}: {error.detail}") from error
    try:
        return reading.end()
    except TearlineError as error:
        raise type(error)(error.slug, f"after line {number}: {error.detail}") from error


@dataclass
class _Open:
    """A page whose lines are still coming."""

    line: PageLine
    entries: list[Evidence | Exhibit] = field(default_factory=list)
    said: dict[int, Said] = field(default_factory=dict)


class _Reading:
    """What is known after each line."""

    def __init__(self, pinned: str, now_ms: int) -> None:
        self._pinned, self._now_ms = pinned, now_ms
        self._continued: MissionContinue | None = None
        self._start = Trust()
        self._is_anchored = True
        self._header: Header | None = None
        self._charter: MissionCharter
        self._places = [MISSION]
        self._keys: tuple[VKey, ...] = ()
        self._witnesses = Witnesses()
        self._confirmed: ConfirmedCheckpoint | None = None
        self._tree: OpenedCheckpoint | None = None
        self._page: _Open | None = None
        self._trust: dict[str, Trust] = {}
        self._complete_at: dict[str, int] = {}
        self._times: dict[str, int] = {}
        self._entries: list[VerifiedEntry] = []
        self._said: dict[str, Said] = {}
        self._trees: dict[int, bytes] = {}
        self._ordered: dict[str, list[Order]] = {}
        self._erasures: dict[str, Erasures] = {}

    def take(self, line: Line | Exhibit) -> None:
        """The next line, in the only order that lines may have."""
        begins = isinstance(line, Line) and line.evidence is not None
        if begins != (self._header is None):
            raise Malformed("bad-fields", "the first line, and no other, says what the file is")
        if self._confirmed is not None:
            raise Malformed("bad-fields", "what is confirmed stands in the last line")
        if isinstance(line, Exhibit):
            self._open_page().entries.append(line)
            return
        if line.entry is None and line.statement is None:
            self._close_page()
        if line.evidence is not None:
            self._take_header(line.evidence)
        elif line.tree is not None:
            self._take_tree(line.tree)
        elif line.page is not None:
            self._take_page(line.page)
        elif line.confirmed is not None:
            self._take_confirmed(line.confirmed)
        else:
            page = self._open_page()
            if line.entry is not None:
                page.entries.append(line.entry)
            else:
                assert line.statement is not None  # a line is of one kind
                page.said[len(page.entries) - 1] = line.statement

    def end(self) -> Proven:
        """What all lines together prove."""
        self._close_page()
        header, tree = self._header, self._tree
        if header is None or tree is None:
            raise Malformed("bad-fields", "the file ends before it says anything")
        if tree.checkpoint.size != header.size:
            raise Malformed("broken-chain", f"the file ends before its tree of {header.size}")
        if header.kind == "history":
            for channel in (MISSION, header.nation):
                if channel not in self._complete_at:
                    raise Malformed("broken-chain", self._missing(channel))
            if self._complete_at[header.nation] != header.size:
                detail = f"entries of {header.nation} are missing up to {header.size}"
                raise Malformed("broken-chain", detail)
            if not self._is_anchored:
                raise Malformed("broken-chain", "the entry that continues the log is missing")
        elif not self._entries:
            raise Malformed("bad-fields", "a receipt of nothing")
        for erasures in self._erasures.values():
            erasures.settle()
        return Proven(
            header,
            self._charter,
            tree,
            self._entries,
            self._said,
            dict(self._complete_at),
            self._trees,
            self._confirmed,
        )

    # -- line by line

    def _take_header(self, header: Header) -> None:
        if header.continued is not None:
            self._take_continued(header, header.continued)
        elif header.charter.identity != self._pinned:
            raise Malformed("bad-statement", "the charter is not the one that you know")
        self._charter = header.charter.read("mission.charter", MissionCharter)
        head, _ = header.charter.opened()
        self._places += [nation.code for nation in self._charter.nations]
        if header.mission != head.mission:
            raise Malformed("bad-fields", "the charter is that of another mission")
        log = self._continued or self._charter
        self._keys = tuple(map(VKey.parse, log.log_keys))
        self._witnesses = Witnesses.of(self._charter)
        self._header = header

    def _take_continued(self, header: Header, said: Said) -> None:
        """The log goes on from a tree that nations named: the first one of the file extends it."""
        if said.identity != self._pinned:
            detail = "its log was continued after a loss: say by which statement you know that"
            raise Malformed("bad-statement", detail)
        body = said.read("mission.continue", MissionContinue)
        if header.charter.identity != body.charter:
            raise Malformed("bad-statement", "the charter is not the one that was continued")
        self._continued, self._is_anchored = body, False
        self._start = Trust(body.size, bytes.fromhex(body.root))

    def _take_tree(self, line: TreeLine) -> None:
        opened = open_checkpoint(line.checkpoint, self._keys)
        before, now = self._tree, opened.checkpoint
        if line.consistency is None and self._is_history:
            raise Malformed("bad-proof", "a tree without the proof that it extends the one before")
        if line.consistency is not None:
            proof = [decode(text) for text in line.consistency]
            if not self._is_history:
                raise Malformed("bad-proof", "a receipt says nothing about how trees follow")
            if before is not None:
                self._start = Trust(before.checkpoint.size, before.checkpoint.root)
            prove.check_extends(self._start, opened, proof)
            if 0 < self._start.size == now.size:
                raise Malformed("bad-fields", "the same tree twice")
        self._tree = opened
        self._trees[now.size] = now.root

    def _take_page(self, line: PageLine) -> None:
        assert self._header is not None
        if self._tree is None:
            raise Malformed("bad-fields", "a page before any tree")
        if line.channel not in (MISSION, self._header.nation):
            raise Malformed("broken-chain", f"a page of {line.channel} in another nation's file")
        if (line.head is None) == self._is_history:
            raise Malformed("bad-fields", "pages of a history have a head, those of a receipt none")
        self._page = _Open(line)

    def _take_confirmed(self, line: ConfirmedLine) -> None:
        """A quorum's tree, and that it and the newest of the file are one history. Whose keys count
        is known as far as a history is complete for the mission; a receipt shows what it likes.
        """
        if self._tree is None:
            raise Malformed("bad-fields", "confirmed before any tree")
        known = self._complete_at.get(MISSION, 0) if self._is_history else merkle.MAX_SIZE
        tree = self._tree.checkpoint
        self._confirmed = confirm(line, self._keys, self._witnesses, tree, known)

    def _open_page(self) -> _Open:
        if self._page is None:
            raise Malformed("bad-fields", "an entry or a statement outside a page")
        return self._page

    def _close_page(self) -> None:
        page, tree = self._page, self._tree
        if page is None or tree is None:
            return
        self._page = None
        channel = page.line.channel
        if any(entry.checkpoint is not None for entry in page.entries):
            raise Malformed("bad-fields", "an entry with a checkpoint of its own")
        if page.line.head is None:
            found = tuple(self._alone(page, tree))
        else:
            found = self._followed(page, page.line.head, tree)
        if len(found) != page.line.entries:  # last: a hole in the chain names the entry better
            detail = f"{len(found)} entries where the page says {page.line.entries}"
            raise Malformed("broken-chain", f"{self._next(channel)}: {detail}")
        self._take_statements(page, found)
        whole = 0 if self._is_history else None
        erasures = self._erasures.setdefault(channel, Erasures(channel, whole))
        for entry in found:
            erasures.take(entry, Orders(self._charter.retention_floor, self._ordered))
            self._check_continued(entry)
        self._entries += found

    def _followed(
        self, page: _Open, head: HeadEvidenceModel, tree: OpenedCheckpoint
    ) -> tuple[VerifiedEntry, ...]:
        """The page's entries: each the next of its channel."""
        channel = page.line.channel
        if channel not in self._places:
            raise Malformed("broken-chain", f"{channel} is no nation of the mission yet")
        before, where = self._trust.get(channel, Trust()), (channel, self._places.index(channel))
        shown = Page("", channel, page.entries, head)
        trust, found, complete = prove.follow(before, shown, tree, *where, None, prove.whole)
        latest, _, _ = links.open_heads(decode(head.leaf))
        self._check_times(channel, found, latest)
        self._trust[channel] = trust
        self._complete_at.pop(channel, None)
        if complete:
            self._complete_at[channel] = trust.size
        return found

    def _alone(self, page: _Open, tree: OpenedCheckpoint) -> Iterator[VerifiedEntry]:
        """The page's entries, each proven by itself."""
        for evidence in page.entries:
            where = f"the entry at index {evidence.index} of {page.line.channel}"
            try:
                entry = prove.verify_entry(evidence, (), page.line.channel, checkpoint=tree)
            except Malformed as error:
                raise Malformed(error.slug, f"{where}: {error.detail}") from error
            if entry.time > self._now_ms + CLOCK_SLACK_MS:
                raise Malformed("broken-chain", f"{where}: it is from the future")
            yield entry

    def _check_times(self, channel: str, found: Iterable[VerifiedEntry], latest: int) -> None:
        """A broker's time never goes back, and is never ahead of the heads leaf or of today."""
        time = self._times.get(channel, 0)
        for entry in found:
            where = f"entry {entry.count} of {channel}, at index {entry.index}"
            if entry.time > self._now_ms + CLOCK_SLACK_MS:
                raise Malformed("broken-chain", f"{where}: it is from the future")
            if not time <= entry.time <= latest:
                raise Malformed("broken-chain", f"{where}: its time is out of order")
            time = entry.time
        if latest > self._now_ms + CLOCK_SLACK_MS:
            raise Malformed("broken-chain", f"the heads leaf of {channel} is from the future")
        self._times[channel] = time

    def _take_statements(self, page: _Open, found: tuple[VerifiedEntry, ...]) -> None:
        """Statements are those that their entries name, and none that is needed is left out."""
        for number, said in page.said.items():
            view = found[number].view if number >= 0 else None
            head, _ = said.opened()
            told = {"statement": said.identity, "nation": head.nation, "seq": head.seq}
            told |= {"type": head.type}
            if view is None or any(view.get(name) != value for name, value in told.items()):
                raise Malformed("broken-chain", "a statement that the entry above does not name")
            if said.body is None and (head.scope == "mission" or head.nation == self._nation):
                raise Malformed("bad-statement", "a body is left out that its reader may see")
            self._said[said.identity] = said
        for number, entry in enumerate(found):
            kind = str((entry.view or {}).get("type"))
            if entry.channel != MISSION or kind not in NEEDED:
                continue
            if number in page.said:
                self._learn(entry, page.said[number])
            elif self._is_history:
                where = f"entry {entry.count} of {MISSION}, at index {entry.index}"
                raise Malformed("broken-chain", f"{where}: the {kind} is not shown")

    def _check_continued(self, entry: VerifiedEntry) -> None:
        """The first entry after the tree that the nations named is their statement."""
        body, header = self._continued, self._header
        if body is None or (entry.channel, entry.index) != (MISSION, body.size):
            return
        assert header is not None
        assert header.continued is not None
        if (entry.view or {}).get("statement") != header.continued.identity:
            raise Malformed("broken-chain", f"entry {entry.index} does not continue the log")
        self._is_anchored = True

    def _learn(self, entry: VerifiedEntry, said: Said) -> None:
        """An admission gives a nation its place; an order says how long views are kept, and an
        appointment whose cosignatures count.
        """
        head, _ = said.opened()
        if head.type == "nation.admit" and self._is_history:
            self._places.append(said.read(head.type, NationAdmit).nation.code)
        if head.type == "retention.set":
            kept = said.read(head.type, RetentionSet)
            place = (said.identity, entry.index, entry.time // 1000)
            order = Order(*place, kept.views, kept.payloads)
            self._ordered.setdefault(head.nation, []).append(order)
        if head.type == "witness.set":
            body = said.read(head.type, WitnessSet)
            self._witnesses = self._witnesses.replaced(head, body, entry.index)

    @property
    def _nation(self) -> str:
        return "" if self._header is None else self._header.nation

    @property
    def _is_history(self) -> bool:
        return self._header is not None and self._header.kind == "history"

    def _missing(self, channel: str) -> str:
        """The first entry that a page announced and none showed."""
        trust = self._trust.get(channel, Trust())
        exist = "more" if trust.head is None else trust.head.count
        return f"{self._next(channel)}: {trust.tip.count} shown, {exist} exist"

    def _next(self, channel: str) -> str:
        return f"entry {self._trust.get(channel, Trust()).tip.count} of {channel}"
