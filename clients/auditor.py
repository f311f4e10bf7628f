"""Step 10, audit: the whole history that concerns one nation, walked and proven complete."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from clients.session import Session
from wire import base64_strict, strict_json
from wire.errors import Malformed
from wire.evidence import MAX_SEGMENT_BYTES, Segment
from wire.model import Strict
from wire.prove import Trust, VerifiedEntry, walk

PAGE: Final = 500  # entries a request: about a megabyte

Progress = Callable[[int], None]
"""Called with how many entries are verified so far."""


class ViewPage(Strict):
    """What `GET /v1/log/views` answers."""

    segment: Segment
    consistency: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """What an auditor knows after a complete walk of its nation's channel.

    `shared` counts reports by (originator, recipient nation), as far as they concern this nation.
    """

    nation: str
    size: int
    root: str
    entries: int
    erased: int
    by_type: Mapping[str, int]
    shared: Mapping[tuple[str, str], int]
    newest_ms: int | None
    complete: bool = True
    findings: tuple[str, ...] = field(default=())


class Auditor(Session):
    """An auditor's way to the nation's history: complete, unaltered, and the one all others see."""

    async def verify(self, progress: Progress | None = None) -> Verdict:
        """Walk the nation's whole channel to its newest entry and count what it says.

        Raises `Malformed` naming the first bad entry, or `Conflict` ("fork-detected").
        """
        nation = self.identity.nation
        types: Counter[str] = Counter()
        shared: dict[tuple[str, str], set[str]] = {}
        erased, newest, trust = 0, None, Trust()
        async for trust, entry in self._walk(nation):
            types[entry.type] += 1
            newest = entry.time
            if entry.view is None:
                erased += 1
            elif entry.type == "release":
                pair, report = _shared(entry)
                shared.setdefault(pair, set()).add(report)
            if progress:
                progress(trust.tip.count)
        return Verdict(
            nation=nation,
            size=self.follower.seen.size,
            root=self.follower.seen.root.hex(),
            entries=sum(types.values()),
            erased=erased,
            by_type=dict(types),
            shared={pair: len(reports) for pair, reports in shared.items()},
            newest_ms=newest,
        )

    async def entries(self) -> list[VerifiedEntry]:
        """Every entry that concerns the nation, proven and in order."""
        return [entry async for _, entry in self._walk(self.identity.nation)]

    async def _walk(self, channel: str) -> AsyncIterator[tuple[Trust, VerifiedEntry]]:
        trust, complete = Trust(), False
        while not complete:
            answer = await self.transport.get(
                "/v1/log/views", after=trust.tip.count, size=trust.size, limit=PAGE
            )
            page = strict_json.load(answer.body, ViewPage, limit=MAX_SEGMENT_BYTES, prose=True)
            await self.follower.observe(page.segment.checkpoint)
            directory = await self.follower.sync()
            trust, found, complete = walk(
                trust,
                page.segment,
                self.follower.log_keys,
                channel,
                directory.channels.index(channel),
                None,  # a nation may be admitted between two pages; its place is what counts
                [base64_strict.decode(h) for h in page.consistency],
            )
            for entry in found:
                yield trust, entry


def _shared(entry: VerifiedEntry) -> tuple[tuple[str, str], str]:
    view = entry.view or {}
    originator, to, report = view.get("originator"), view.get("to"), view.get("report")
    if not (isinstance(originator, str) and isinstance(to, str) and isinstance(report, str)):
        raise Malformed("broken-chain", f"entry {entry.index} does not say who shared what")
    return (originator, to), report
