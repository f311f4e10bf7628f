"""Pull: what a reader may have of what it asks for, page by page, in the order of acceptance.

Only what the reader may have counts for a page. What it may not have is passed over without a
trace: no empty page, no shorter one, no cursor that moves in steps that would show it.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from broker.answers import Page, Unsupported
from broker.cursors import CursorSeal
from broker.deciding import Visible
from broker.denials import Denials
from broker.held import Lanes, Offer
from broker.matching import Filter, Interest
from broker.release import Asker, Releases
from broker.settings import Limits
from broker.state import State

SCAN: Final = 2_048
"""Offers looked at before other tasks get their turn."""


class Pull:
    """Answers pulls."""

    def __init__(self, state: State, releases: Releases, denials: Denials, limits: Limits) -> None:
        self._state, self._releases, self._limits = state, releases, limits
        self._denials = denials

    async def page(
        self, asker: Asker, wanted: Filter, seal: CursorSeal, cursor: str | None, limit: int
    ) -> Page:
        """The next page after `cursor`, at most `limit` reports.

        Raises `Malformed` ("bad-cursor"), or `BrokerFault`.
        """
        position = -1 if cursor is None else seal.open(cursor)
        limit = max(1, min(limit, self._limits.page))
        found, last, more = await self._find(asker, wanted, position, limit)
        beyond = [b for v in found if (b := self._releases.beyond(asker, v.held)) is not None]
        given = [v.held for v in found if not asker.lacks(v)]
        releases = await self._releases.serve(asker, given)
        # What was withdrawn while the page was made is left out, as if it had never been on it.
        return Page(
            tuple(r for r in releases if r is not None),
            tuple(Unsupported(report=b.held.identity, lacks=asker.lacks(b)) for b in beyond),
            seal.seal(last),
            more,
        )

    async def _find(
        self, asker: Asker, wanted: Filter, position: int, limit: int
    ) -> tuple[Sequence[Visible], int, bool]:
        """What is on the page, the position up to which it reaches, and whether there is more.

        What is there for the reader and not for its client is on the page too, to be named.
        """
        interest = Interest(wanted, self._state.standing.directory.terms)
        offers = self._state.holdings.lanes(asker.recipient.nation).all
        found: dict[int, Visible] = {}
        size, last = 0, position
        for looked, at in enumerate(range(Lanes.start(offers, position), len(offers)), 1):
            offer = offers[at]
            visible = self._look(asker, offer, interest)
            if visible is not None and offer.held.position not in found:
                size += visible.size
                if found and (len(found) >= limit or size > self._limits.answer_bytes * 3 // 4):
                    return list(found.values()), last, True
                found[offer.held.position] = visible
            last = offer.position
            if looked % SCAN == 0:
                await asyncio.sleep(0)
        return list(found.values()), last, False

    def _look(self, asker: Asker, offer: Offer, interest: Interest) -> Visible | None:
        """What the reader may have of an offer, if some of that is what it asks for."""
        matching = offer.held.answering(asker.recipient.nation, interest)
        if not matching:
            return None
        entitled = self._releases.entitled(asker, offer.held)
        allowed = 0 if entitled is None else entitled.mask
        if matching & ~allowed:
            self._denials.passed_over(asker, "pull", offer.held, matching & ~allowed)
        for visible in (self._releases.look(asker, offer.held), entitled):
            if visible and visible.mask & offer.portions and visible.mask & matching:
                return visible
        return None
