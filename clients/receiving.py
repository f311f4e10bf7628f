"""Steps 8 and 9 from the reader's side, for one release: verify everything, open, keep.

The journal proves the release to this nation; the checkpoint extends every one seen before; the
originator's key stood when the report was accepted; its signature holds; the label is the one that
was signed, and what came is what the journal says was released; only then it is opened.
"""

import os
import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

from clients import amended
from clients.delivery import Release
from clients.follower import Recalled
from clients.identity import Identity
from clients.open import open_report
from clients.received import Notice, Received, ReleaseProof, Unopened
from clients.session import Session
from wire import base64_strict, strict_json
from wire.errors import Malformed, NotAllowed, TearlineError
from wire.labels import DISPLAY
from wire.report import Header, parse_head
from wire.verify import VerifiedReport, verify_delivery

DESTROYED: Final = b"destroyed"  # here, and the nation has not been spoken for from here
ANSWERED: Final = b"answered"


class Receiving(Session):
    """A client that reads. `keeps` are the duties of labels (`wire.labels.Label.duties`) that
    whoever uses it declares to keep; the broker is told, and nothing else is opened.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        keeps: Collection[str] = (),
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        super().__init__(identity, clock=clock, random=random)
        self.keeps = frozenset(keeps)

    async def _received(self, release: Release, notice: Notice) -> Received | None:
        """Verify, open, store. None, and a notice, for a genuine report that does not open."""
        verified, proof = await self._verified_release(release)
        terms, nation = self.directory.terms, self.identity.nation
        try:
            keyring, later = self.follower.keyring(), self.follower.releases
            opened = open_report(verified, nation, keyring, terms, later, keeps=self.keeps)
        except TearlineError as reason:
            notice(Unopened(verified.identity, verified.originator, reason))
            return None
        if self._is_recalled(verified.identity, verified.originator, notice):
            return None
        kept = _may_keep(verified, nation, self.keeps)
        raw = verified.frame.redacted(kept, nation) if kept else b""
        if kept:  # what may only be displayed leaves no copy behind
            self.store.put(f"report:{verified.identity}", raw, lasting=False)
        amended.note(self.store, [opened])
        newest = amended.newest(self.store, opened.identity, opened.originator)
        return Received(opened, proof, raw, kept, newest)

    # -- what was taken back

    def _destroy(self, notice: Notice) -> list[tuple[str, Recalled]]:
        """Destroy what is kept here of reports that their originators took back; gives those that
        were kept and are not answered for yet.
        """
        waiting = []
        for report, recalled in list(self.follower.recalls.items()):
            kept, mark = f"report:{report}", f"recalled:{report}"
            sealed = self.store.get(kept) if kept in self.store else None
            if sealed is not None and self._is_recalled(report, _originator(sealed), notice):
                self.store.put(mark, DESTROYED)
                self.store.drop(kept)
            if mark in self.store and self.store.get(mark) == DESTROYED:
                waiting.append((report, recalled))
        return waiting

    def _is_recalled(self, report: str, originator: str, notice: Notice) -> bool:
        """Whether its originator, and nobody else, took it back; then that is said."""
        recalled = self.follower.recalls.get(report)
        if recalled is None or recalled.nation != originator:
            return False
        notice(Unopened(report, originator, NotAllowed("recalled", recalled.reason)))
        return True

    # -- one release

    async def _own_or_got(self, report: str) -> VerifiedReport:
        """A report that this member may have, verified and not opened. Nothing of it is shown or
        kept, so all its duties are. Raises `NotAllowed` ("not-found") for whatever reason.
        """
        path = f"/v1/reports/{report}"
        try:
            answer = await self.transport.get(path)
        except NotAllowed as error:
            if error.slug != "obligation-unsupported":
                raise
            answer = await self.transport.get(path, keeps=error.detail.split(", "))
        verified, _ = await self._verified_release(Release.read(answer.body))
        if verified.identity != report:
            raise Malformed("bad-proof", "another report than was asked for")
        return verified

    async def _verified_release(self, release: Release) -> tuple[VerifiedReport, ReleaseProof]:
        # Its checkpoint is one proof away from the statements' own, whichever is the newer one.
        await self.follower.sync(at_least=release.evidence.index)
        entry = await self.proven(release.evidence, "release", self.identity.nation)
        view = entry.view or {}
        accepted, at = view.get("accepted"), view.get("accepted_time")
        if not isinstance(accepted, int) or not isinstance(at, int) or accepted >= entry.index:
            raise Malformed("bad-proof", "the release does not say when the report was accepted")
        directory = await self.follower.sync(at_least=accepted)
        raw = base64_strict.decode(release.report)
        verified = verify_delivery(raw, directory, accepted, at, self.identity.nation)
        self._check_released(verified, view, release.use)
        tree = entry.checkpoint.checkpoint
        proof = ReleaseProof(entry.index, tree.size, tree.root.hex(), accepted, at, release.use)
        return verified, proof

    def _check_released(
        self, verified: VerifiedReport, view: Mapping[str, object], use: str
    ) -> None:
        """What came is what the journal says was released to us, for the use it was signed for."""
        nation = self.identity.nation
        if view.get("report") != verified.identity:
            raise Malformed("bad-proof", "the release is of another report")
        if view.get("to") != nation or view.get("originator") != verified.originator:
            raise Malformed("bad-proof", "the release is to another nation")
        if view.get("portions") != [p.index for p in verified.portions]:
            raise Malformed("bad-proof", "other portions than the journal says were released")
        shown = [p.index for p in verified.portions if DISPLAY in p.label.duties(nation)]
        if not use == view.get("use") == ("display" if shown else "release"):
            raise Malformed("bad-proof", "released for another use than it was signed for")
        if view.get("display") != shown:
            raise Malformed("bad-proof", "other portions to be kept than were signed for")


def _originator(sealed: bytes) -> str:
    """Whose report it is; it was verified before it was kept."""
    return strict_json.load(parse_head(sealed)[1], Header).originator


def _may_keep(verified: VerifiedReport, nation: str, keeps: frozenset[str]) -> frozenset[int]:
    """The portions that are released to the nation, not only shown to it, and to such a client."""
    duties = {p.index: p.label.duties(nation) for p in verified.portions}
    return frozenset(i for i, asked in duties.items() if DISPLAY not in asked and asked <= keeps)
