"""What the broker remembers of every report: enough to match, decide and page without its bytes.

The bytes stay in the journal and are read only for what is sent. All of this follows from the
journal and is built again at every start.
"""

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from heapq import heappop, heappush
from typing import Final

from broker.held import (
    SALT,
    Held,
    HeldAttachment,
    HeldPortion,
    Lanes,
    Offer,
    Origin,
    Outline,
    Outlined,
    Said,
    lanes_of,
    lean,
)
from broker.kinds import Kinds
from policies.facts import ReportFacts
from wire.banner import banner
from wire.errors import BrokerFault
from wire.labels import Label, Source
from wire.report import Frame, Header, PortionFrame, PortionLabel, Protected
from wire.vocabulary import Vocabulary


class Holdings:
    """All accepted reports, by name and by what is offered to whom."""

    def __init__(self) -> None:
        self._by_identity: dict[str, Held] = {}
        self._by_id: defaultdict[str, dict[str, Held]] = defaultdict(dict)
        self._positions: list[int] = []
        self._in_order: list[Held] = []
        self._lanes: dict[str, Lanes] = {}
        self._expiring: list[tuple[int, int, int]] = []
        self._aging: defaultdict[str, deque[Held]] = defaultdict(deque)
        self._drawn: dict[str, dict[int, Held]] = {}
        self._derived: dict[str, list[tuple[Held, HeldPortion]]] = {}
        self._salts: defaultdict[str, set[bytes]] = defaultdict(set)
        self._queues: dict[str, Sequence[list[Offer]]] = {}
        """Where the offers of a report go, by what its outline says."""
        self.kinds: Final = Kinds()

    def __len__(self) -> int:
        return len(self._in_order)

    def __iter__(self) -> Iterator[Held]:
        return iter(self._in_order)

    def by_identity(self, identity: str) -> Held | None:
        """The report with this identity, recalled or not."""
        return self._by_identity.get(identity)

    def by_id(self, originator: str, report_id: str) -> Held | None:
        """The report with the id that its author chose."""
        return self._by_id.get(originator, {}).get(report_id)

    def check_distinct(self) -> None:
        """Check that no report, and no id of an author, stands in the journal twice.

        Raises `BrokerFault` ("journal-damaged").
        """
        ids = sum(map(len, self._by_id.values()))
        if not len(self._in_order) == len(self._by_identity) == ids:
            raise BrokerFault("journal-damaged", "a report was accepted twice")

    def newest(self) -> Held | None:
        """The report accepted last."""
        return self._in_order[-1] if self._in_order else None

    def at(self, position: int) -> Held:
        """The report accepted at this position. Raises `KeyError`."""
        place = bisect_left(self._positions, position)
        if self._positions[place : place + 1] != [position]:
            raise KeyError(position)
        return self._in_order[place]

    def lanes(self, nation: str) -> Lanes:
        """What is offered to this nation."""
        found = self._lanes.get(nation)
        if found is None:
            found = self._lanes[nation] = Lanes()
        return found

    def add(self, held: Held) -> None:
        """Hold an accepted report and offer it to its nations."""
        for portion in held.portions:
            self.kinds.share(portion.kind)
        self.add_all([(held, Outline.of(held))])

    def add_all(self, reports: Iterable[tuple[Held, Outlined]]) -> None:
        """The same for many, in order; with their outlines, they need not be read for it."""
        identities, ids = self._by_identity, self._by_id
        positions, in_order = self._positions, self._in_order
        used, aging, queues = self._salts, self._aging, self._queues
        for held, (every, offered, ends, salts, derived) in reports:
            position, originator, left = held.position, held.originator, every & ~held.erased
            identities[held.identity] = held
            ids[originator][held.id] = held
            positions.append(position)
            in_order.append(held)
            for at in range(0, len(salts), SALT):
                used[originator].add(bytes.fromhex(salts[at : at + SALT]))
            if left:
                aging[originator].append(held)
            for until, index in ends:
                if left >> index & 1:
                    heappush(self._expiring, (until, position, index))
            if derived:
                self._add_derived(held)
            offer = Offer(position, held)
            for queue in queues.get(offered) or self._find_queues(offered):
                queue.append(offer)

    def _add_derived(self, held: Held) -> None:
        offered = held.nations
        for portion in held.portions:
            for source in portion.ancestors:
                self._derived.setdefault(source.portion, []).append((held, portion))
            for nation in portion.facts.contributors - offered:
                self._drawn.setdefault(nation, {})[held.position] = held

    def _find_queues(self, offered: str) -> Sequence[list[Offer]]:
        queues: list[list[Offer]] = []
        for nation, urgencies in lanes_of(offered).items():
            lanes = self.lanes(nation)
            queues += [lanes.all, *(lanes.lanes[urgency] for urgency in urgencies)]
        self._queues[offered] = queues
        return queues

    def expired(self, now: int, most: int) -> list[tuple[Held, frozenset[int]]]:
        """Reports with the portions that are over by now and not deleted yet, at most so many."""
        found: dict[int, set[int]] = {}
        while self._expiring and self._expiring[0][0] <= now and len(found) < most:
            _, position, index = heappop(self._expiring)
            if not self.at(position).erased >> index & 1:
                found.setdefault(position, set()).add(index)
        return [(self.at(position), frozenset(gone)) for position, gone in found.items()]

    def aged(self, nation: str, before: int, most: int) -> list[tuple[Held, frozenset[int]]]:
        """A nation's reports accepted before then (seconds) with the portions that are not deleted
        yet, at most so many.
        """
        found: list[tuple[Held, frozenset[int]]] = []
        aging = self._aging.get(nation, deque())
        while aging and aging[0].accepted < before and len(found) < most:
            held = aging.popleft()
            left = frozenset(p.index for p in held.portions if not held.erased >> p.index & 1)
            if left:
                found.append((held, left))
        return found

    def add_nation(self, held: Held, nation: str, commitment: str) -> None:
        """Its originator consented to a further nation; that grants nothing by itself."""
        more = held.added.get(nation, frozenset()) | {commitment}
        held.added = {**held.added, nation: more}

    def offer_again(self, held: Held, nation: str, position: int, commitment: str) -> None:
        """At this later position a portion may have been opened to a nation: offer it once more."""
        portions = sum(1 << p.index for p in held.portions if p.commitment == commitment)
        self.lanes(nation).add(Offer(position, held, portions), held.lanes(nation))

    def source(self, source: Source) -> tuple[Held, HeldPortion] | None:
        """The portion that was derived from, with its report; None if it was never accepted."""
        held = self._by_identity.get(source.report)
        found = (p for p in held.portions if p.commitment == source.portion) if held else ()
        portion = next(iter(found), None)
        return None if held is None or portion is None else (held, portion)

    def has_salt(self, originator: str, salt: str) -> bool:
        """Whether this nation has used a salt of protected sources before."""
        return bytes.fromhex(salt) in self._salts.get(originator, ())

    def drawn_from(self, nation: str) -> Iterable[Held]:
        """Reports that draw on this nation's and are for others."""
        return self._drawn.get(nation, {}).values()

    def derived(self, commitment: str) -> Iterator[tuple[Held, HeldPortion]]:
        """Every portion that draws on this one, however far away."""
        yield from self._derived.get(commitment, ())

    def ancestors(self, label: Label) -> frozenset[Source]:
        """Everything that a derived portion draws on, sources of sources too."""
        found = set(label.derived_from)
        for source in label.derived_from:
            if (there := self.source(source)) is not None:
                found |= there[1].ancestors
        return lean(frozenset(found))

    def has_got(self, nation: str, source: Source) -> bool:
        """Whether this portion is the nation's own, or was released to it, and not recalled."""
        there = self.source(source)
        if there is None or self.is_recalled(source):
            return False
        held, portion = there
        got = (mask for who, mask in held.released if who == nation)
        return nation == held.originator or any(mask & 1 << portion.index for mask in got)

    def is_recalled(self, source: Source) -> bool:
        """Whether the portion, or anything that it draws on, was taken back."""
        there = self.source(source)
        return there is not None and (
            there[0].recalled or any(self._taken_back(other) for other in there[1].ancestors)
        )

    def _taken_back(self, source: Source) -> bool:
        held = self._by_identity.get(source.report)
        return held is None or held.recalled

    def _origins(self, ancestors: Iterable[Source]) -> frozenset[Origin]:
        """Whose reports these portions are of, and which."""
        reports = (self._by_identity.get(source.report) for source in ancestors)
        return lean(
            frozenset((held.originator, held.identity) for held in reports if held is not None)
        )

    def contributors(self, label: Label) -> frozenset[str]:
        """The originators of everything that a derived portion draws on, sources of sources too."""
        return frozenset(nation for nation, _ in self._origins(self.ancestors(label)))

    def portion(
        self,
        frame: PortionFrame,
        label: PortionLabel,
        protected: Protected,
        originator: str,
        vocabulary: Vocabulary,
    ) -> HeldPortion:
        """What is remembered of one verified portion."""
        whole = label.whole(protected)
        ancestors = self.ancestors(whole)
        origins = self._origins(ancestors)
        contributors = frozenset(nation for nation, _ in origins)
        facts = ReportFacts.from_label(whole, originator, vocabulary, contributors)
        line = partial(banner, label, originator, vocabulary.mission, vocabulary)
        kind = self.kinds.find(facts, label.precedence, line)
        return HeldPortion(
            index=frame.index,
            kind=kind,
            commitment=frame.commitment,
            expires=label.expires,
            attachments=tuple(HeldAttachment(a.id, a.sha256, a.len) for a in label.attachments),
            size=len(frame.descriptor) + len(frame.payload),
            lasting=len(frame.descriptor),
            ancestors=ancestors,
            obligations=lean(frozenset(label.obligations)),
            sources=origins,
            named=self._origins(whole.derived_from),
            salt=bytes.fromhex(protected.salt),
        )

    def hold(
        self,
        frame: Frame,
        header: Header,
        said: Mapping[int, Said],
        position: int,
        accepted: int,
        vocabulary: Vocabulary,
    ) -> Held:
        """A report as it would be held at this position; nothing is changed yet."""
        portions = [
            self.portion(portion, *said[portion.index], header.originator, vocabulary)
            for portion in frame.portions
        ]
        return Held(
            position,
            accepted,
            frame.identity,
            header.id,
            header.originator,
            header.created,
            tuple(portions),
            erased=sum(1 << p.index for p in frame.portions if not p.payload),
        )
