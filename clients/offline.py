"""Open a sealed report from a file, with nothing but what this identity has proven before."""

import os
import time
from collections.abc import Collection

from clients.identity import Identity
from clients.open import OpenedReport, open_report
from clients.session import Session
from wire.errors import NotAllowed
from wire.verify import read_claim, verify_delivery


def open_file(identity: Identity, raw: bytes, *, keeps: Collection[str] = ()) -> OpenedReport:
    """Verify and open the bytes of a `.tlr` file, by a client that keeps these duties of a label.

    There is no journal to ask, so the signer must be valid by the newest directory that this
    identity has followed; the caller knows where the file comes from.
    Raises `Malformed` or `NotAllowed` ("no-key", "obligation-unsupported", …) in words.
    Nothing is written.
    """
    session = Session(identity, clock=time.time, random=os.urandom)
    directory = session.directory
    if directory.vocabulary is None:
        raise NotAllowed("no-key", "it has not followed its mission yet; fetch something first")
    nation = identity.nation
    now, position = int(time.time()), directory.position + 1
    claim = read_claim(raw, directory, position, now)
    claim.check()
    claim.check_commitments()  # before anybody asks whom a portion is for
    frame = claim.frame
    later = [r for r in session.follower.releases if r.to == nation and r.report == frame.identity]
    added = {consent.portion for consent in later}
    ours = [
        p.index
        for p in frame.portions
        if p.commitment in added or any(r.nation == nation for r in p.records)
    ]
    if not ours:
        raise NotAllowed("no-key", f"no portion of this file is for {nation}")
    raw = frame.redacted(ours, nation)
    verified = verify_delivery(raw, directory, position, now, nation)
    keyring, duties = session.follower.keyring(), frozenset(keeps)
    return open_report(verified, nation, keyring, directory.terms, later, keeps=duties)
