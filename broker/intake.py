"""Steps 2 to 6 of a report's way, as the broker takes them.

    (1) bounds, layout, and whether these bytes were accepted before
    (2) the signer, known and standing: now, and again at the final place in the journal
    (3) the signature over the head
    (4) commitments, labels, recipients, wraps, payloads; keys of the current epochs; lineage
    (5) the policies: RELEASE or REFER for every portion and every nation on its list
    (6) the journal; only then the receipt

A report that a policy withholds from a nation on its own list is refused with the explanation, and
the refusal is journalled for the originator. What fails before its signature is known to be the
originator's leaves no trace in the originator's channel.
"""

import hashlib
from itertools import zip_longest
from typing import Final

from broker import lineage
from broker.answers import Receipt
from broker.deciding import Deciding
from broker.held import Held
from broker.journal import Journal
from broker.release import Ring
from broker.sequencer import Sequencer
from broker.state import State
from broker.submission import Audience, SubmitAct
from broker.verifiers import Verifiers
from wire import report, strict_json
from wire.errors import BrokerFault, Conflict, NotAllowed
from wire.report import PortionFrame, PortionLabel

ATTEMPTS: Final = 8
"""Times a report is verified anew because the directory changed under it."""


class Intake:
    """Takes reports, from bytes to receipt."""

    def __init__(
        self,
        state: State,
        deciding: Deciding,
        audience: Audience,
        ring: Ring,
        journal: Journal,
        sequencer: Sequencer,
        verifiers: Verifiers,
    ) -> None:
        self.state, self.deciding, self.audience, self.ring = state, deciding, audience, ring
        self._journal, self._sequencer, self._verifiers = journal, sequencer, verifiers

    async def submit(self, raw: bytes) -> Receipt:
        """The receipt of a report.

        Raises `Malformed`, `NotAllowed` (`answers.Withheld` with its explanation), `Conflict`, or
        `BrokerFault` ("busy", "stopping", "journal-stopped").
        """
        self._sequencer.check()
        head, _, _, _ = report.parse_head(raw)  # (1)
        identity = hashlib.sha256(head).hexdigest()
        for _ in range(ATTEMPTS):
            known = self.state.holdings.by_identity(identity)
            if known is not None:
                return await self._again(known, raw)
            checked = await self._verifiers.verify(raw)  # (2) (3) (4)
            labels = [portion.whole for portion in checked.report.portions]
            sources = await lineage.read_sources(labels, self.state.holdings, self._journal)
            outcome = await self._sequencer.do(SubmitAct(self, checked, sources))  # (2) … (6)
            if isinstance(outcome, NotAllowed):
                raise outcome
            if outcome is not None:
                return outcome
        raise BrokerFault("busy")

    async def _again(self, held: Held, raw: bytes) -> Receipt:
        """The first receipt, for who can show all the bytes that were accepted.

        Signature bytes may differ: others can be derived from a valid one (`wire.composite`). Who
        has only a reader's part of a report learns nothing here.
        """
        rows = await self._journal.rows("report_by_index", (held.position,))
        first, second = report.parse(rows[0][-1]), report.parse(raw)
        pairs = zip_longest(first.portions, second.portions)
        if not all(kept and shown and _same(kept, shown) for kept, shown in pairs):
            raise Conflict("id-reuse", "this report was accepted with other portions")
        (proof,) = await self._journal.prove(held.originator, [held.position])
        return Receipt(held.identity, held.position, duplicate=True, evidence=proof)


def _same(kept: PortionFrame, shown: PortionFrame) -> bool:
    """Whether this portion is the one that was accepted, with every wrap.

    What was deleted since (`broker.erasing`) is known by the digests in the descriptor.
    """
    if kept.payload:
        return kept.encode() == shown.encode()
    label = strict_json.load(kept.label_bytes, PortionLabel)
    wraps = {i: _digest(wrap) for i, wrap in shown.wraps.items()}
    return (
        (kept.index, kept.descriptor) == (shown.index, shown.descriptor)
        and kept.protected == shown.protected
        and _digest(shown.payload).hex() == label.payload.sha256
        and wraps == {i: record.wrap_sha256 for i, record in enumerate(kept.records)}
    )


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
