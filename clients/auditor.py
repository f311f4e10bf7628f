"""Step 10, audit: the whole history that concerns one nation, walked and proven complete."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import anyio

from clients import ledger
from clients.certificate import Certificate, certify
from clients.consented import Said, consented
from clients.denials import Denial, told_in
from clients.history import History
from clients.ledger import Ledger
from clients.session import Session
from wire import base64_strict, pages
from wire.erasures import PAYLOADS, VIEWS, Erasures, Orders
from wire.errors import Malformed, NotAllowed
from wire.pages import PageAnswer
from wire.prove import Trust, VerifiedEntry, walk

PAGE: Final = 500  # entries a request: about a megabyte
NOTHING: Final = Trust()

Progress = Callable[[int], None]
"""Called with how many entries are verified so far."""


@dataclass(frozen=True)
class Verdict:
    """What an auditor knows after a complete walk of its nation's channel.

    `shared` counts reports by (originator, recipient nation), as far as they concern this nation;
    `shown` those of them of which the recipient was to look at some portion and not to keep it.
    `findings` say in words where the history, whole and unaltered as it is, contradicts itself.
    """

    nation: str
    size: int
    root: str
    entries: int
    erased: int
    by_type: Mapping[str, int]
    shared: Mapping[tuple[str, str], int]
    newest_ms: int | None
    shown: Mapping[tuple[str, str], int] = field(default_factory=dict)
    complete: bool = True
    findings: tuple[str, ...] = field(default=())


class Auditor(Session):
    """An auditor's way to the nation's history: complete, unaltered, and the one all others see."""

    async def verify(self, progress: Progress | None = None) -> Verdict:
        """Walk the nation's whole channel to its newest entry and count what it says.

        Raises `Malformed` naming the first bad entry, or `Conflict` ("fork-detected").
        """
        tally, trust = _Tally(self.identity.nation, self.follower.said), Trust()
        async for trust, page in self._pages():
            for entry in page:
                tally.take(entry)
            if progress:
                progress(trust.tip.count)
        return Verdict(
            nation=tally.nation,
            size=trust.size,
            root=trust.root.hex(),
            entries=tally.types.total(),
            erased=tally.erased,
            by_type=dict(tally.types),
            shared={pair: len(reports) for pair, reports in tally.shared.items()},
            newest_ms=tally.newest_ms,
            shown={pair: len(reports) for pair, reports in tally.shown.items()},
            findings=tuple(tally.findings),
        )

    async def entries(self) -> list[VerifiedEntry]:
        """Every entry that concerns the nation, proven and in order."""
        return list((await self.history()).entries)

    async def history(self) -> History:
        """Every entry that concerns the nation, and the tree in which these are all there are."""
        pages = [page async for page in self._pages()]
        entries = tuple(entry for _, page in pages for entry in page)
        return History(self.identity.nation, pages[-1][0], entries)

    async def certificate(self, report: str) -> Certificate:
        """Who was sent a recalled report of this nation, and what each says became of it.

        Raises `NotAllowed` ("not-found") for a report that this nation has not recalled.
        """
        history = await self.history()
        await self.follower.sync()
        return certify(history, report, self.follower.filed("report.recall", "recall.confirm"))

    async def nation_ledger(self, code: str) -> Ledger:
        """What a nation that leaves, or may, was sent of this nation's.

        Raises `NotAllowed` ("not-found") for a nation that never was of the mission.
        """
        history = await self.history()
        nation = (await self.follower.sync()).nations.get(code)
        if nation is None or code == self.identity.nation:
            raise NotAllowed("not-found", "not another nation of this mission")
        return ledger.of_nation(history, nation)

    async def member_ledger(self, kid: str) -> Ledger:
        """What a member of this nation that leaves, or may, was sent.

        Raises `NotAllowed` ("not-found") for a member that never was of this nation.
        """
        history = await self.history()
        member = (await self.follower.sync()).members.get(kid)
        if member is None or member.nation != self.identity.nation:
            raise NotAllowed("not-found", "not a member of your nation")
        return ledger.of_member(history, member)

    async def denials(self) -> list[Denial]:
        """All that was asked for in vain and that the nation was told of, oldest first."""
        return [denial for entry in await self.entries() for denial in told_in(entry)]

    async def follow_denials(
        self, every: float, sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    ) -> AsyncIterator[Denial]:
        """The same, and then what comes, looking every so many seconds, without an end.

        The pace is fixed on purpose: a look is an entry that everybody sees in the log, and one
        that came because of a denial would tell who asked that there is a report.
        """
        trust, erasures = Trust(), Erasures(self.identity.nation)
        while True:
            async for reached, page in self._pages(trust, erasures):
                trust = reached
                for entry in page:
                    for denial in told_in(entry):
                        yield denial
            await sleep(every)

    async def check_erased(
        self, erasures: Erasures, entries: Sequence[VerifiedEntry], *, complete: bool
    ) -> None:
        """Follow what is missing from a channel, and by whose order it was erased.

        Raises `Malformed` ("broken-chain") for what nobody ordered, and once the channel is
        complete for what no entry erased.
        """
        if any(entry.type in (VIEWS, PAYLOADS) for entry in entries):
            await self.follower.sync(at_least=entries[-1].index)  # for the orders up to there
        orders = Orders.of(self.directory)
        for entry in entries:
            erasures.take(entry, orders)
        if complete:
            erasures.settle()

    async def _pages(
        self, trust: Trust = NOTHING, erasures: Erasures | None = None
    ) -> AsyncIterator[tuple[Trust, tuple[VerifiedEntry, ...]]]:
        """Page after page from there on, each with what is trusted once it was verified."""
        nation, complete = self.identity.nation, False
        erasures = erasures or Erasures(nation)
        while not complete:
            seen = self.follower.seen.size
            answer = await self.transport.page(
                "/v1/log/views", PAGE, after=trust.tip.count, size=trust.size
            )
            told, page = pages.read(answer.body, PageAnswer)
            opened = await self.follower.observe(page.checkpoint)
            if opened.checkpoint.size < seen:  # its end would not be that of the history
                raise Malformed(
                    "broken-chain", "a history up to an older tree than was seen before"
                )
            directory = await self.follower.sync()
            trust, found, complete = walk(
                trust,
                page,
                self.follower.log_keys,
                nation,
                directory.channels.index(nation),
                None,  # a nation may be admitted between two pages; its place is what counts
                [base64_strict.decode(h) for h in told.consistency],
                checkpoint=opened,
            )
            await self.check_erased(erasures, found, complete=complete)
            yield trust, found


class _Tally:
    """What the entries say, counted and compared."""

    def __init__(self, nation: str, said: Said) -> None:
        self.nation = nation
        self.said = said
        self.types: Counter[str] = Counter()
        self.shared: dict[tuple[str, str], set[str]] = {}
        self.shown: dict[tuple[str, str], set[str]] = {}
        self.erased = 0
        self.newest_ms: int | None = None
        self.findings: list[str] = []
        self._accepted: dict[int, VerifiedEntry] = {}

    def take(self, entry: VerifiedEntry) -> None:
        """The next entry."""
        self.types[entry.type] += 1
        self.newest_ms = entry.time
        if entry.type == "report.accepted":
            self._accepted[entry.index] = entry
        if entry.view is None:
            self.erased += 1
        elif entry.type == "release":
            self._released(entry, entry.view)

    def _released(self, entry: VerifiedEntry, view: Mapping[str, object]) -> None:
        originator, to, report = view.get("originator"), view.get("to"), view.get("report")
        if not (isinstance(originator, str) and isinstance(to, str) and isinstance(report, str)):
            raise Malformed("broken-chain", f"entry {entry.index} does not say who shared what")
        self.shared.setdefault((originator, to), set()).add(report)
        if view.get("display"):
            self.shown.setdefault((originator, to), set()).add(report)
        if originator == self.nation:
            self._check_ours(entry, view)

    def _check_ours(self, entry: VerifiedEntry, view: Mapping[str, object]) -> None:
        """What was released in our name was accepted from us, where the release says, and we named
        the nation it went to, or consented later: readers take the broker's word, we can tell.
        """
        accepted, at = self._accepted.get(_number(view.get("accepted"))), view.get("accepted_time")
        if accepted is None or at != accepted.time // 1000:
            self.findings.append(
                f"entry {entry.index} releases a report that we are not known to send"
            )
        elif accepted.view is not None and not self._is_as_accepted(entry, view, accepted.view):
            self.findings.append(
                f"entry {entry.index} releases other than what entry {accepted.index} accepted"
            )

    def _is_as_accepted(
        self, entry: VerifiedEntry, view: Mapping[str, object], accepted: Mapping[str, object]
    ) -> bool:
        report, to, released = view["report"], view["to"], view.get("portions")
        if accepted.get("report") != report or not isinstance(released, list):
            return False
        portions = accepted.get("portions")
        named = {
            portion.get("index")
            for portion in (portions if isinstance(portions, list) else [])
            if isinstance(portion, dict) and to in _mapping(portion.get("nations"))
        }
        return set(released) <= named or consented(
            self.said, self.nation, report, to, index=entry.index, now=entry.time // 1000
        )


def _number(value: object) -> int:
    return value if isinstance(value, int) else -1


def _mapping(value: object) -> Mapping[object, object]:
    return value if isinstance(value, dict) else {}
