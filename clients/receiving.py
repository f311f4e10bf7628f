"""Steps 8 and 9 from the reader's side, for one release: verify everything, open, keep.

The journal proves the release to this nation; the checkpoint extends every one seen before; the
originator's key stood when the report was accepted; its signature holds; the label is the one that
was signed, and what came is what the journal says was released; only then it is opened.
"""

from collections.abc import Mapping

from clients.delivery import Release
from clients.open import open_report
from clients.received import Notice, Received, ReleaseProof, Unopened
from clients.session import Session
from wire import base64_strict
from wire.errors import Malformed, TearlineError
from wire.verify import VerifiedReport, verify_delivery


class Receiving(Session):
    """A client that reads."""

    async def _received(self, release: Release, notice: Notice) -> Received | None:
        """Verify, open, store. None, and a notice, for a genuine report that does not open."""
        verified, proof = await self._verified_release(release)
        raw = base64_strict.decode(release.report)
        terms, nation = self.directory.terms, self.identity.nation
        try:
            keyring, later = self.follower.keyring(), self.follower.releases
            opened = open_report(verified, nation, keyring, terms, later)
        except TearlineError as reason:
            notice(Unopened(verified.identity, verified.originator, reason))
            return None
        if release.use == "release":  # what may only be displayed leaves no copy behind
            self.store.put(f"report:{verified.identity}", raw, lasting=False)
        return Received(opened, proof, raw)

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
        added = {
            consent.portion
            for consent in self.follower.releases
            if (consent.report, consent.to) == (verified.identity, nation)
        }
        may_keep = all(
            nation in {*p.label.release_to, verified.originator}
            or (nation not in p.label.recipients and p.frame.commitment in added)
            for p in verified.portions
        )
        if not use == view.get("use") == ("release" if may_keep else "display"):
            raise Malformed("bad-proof", "released for another use than it was signed for")
