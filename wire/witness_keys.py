"""Which keys cosign for which witness, and from which tree on.

The charter names the first keys of every witness, and which nation runs which of them. Such a
nation's root may replace its witness's keys by a `witness.set`. New keys count for every tree that
has this statement in it, and for no other; the old ones for those before it. So a tree says itself
whose signatures it needs, and a stolen key is worth nothing from the statement on that replaces it.
A witness keeps its name, and is one witness whatever keys it has: the quorum is the same.

The log must not appoint witnesses of its own to those who see a file of evidence and no roots: so
the nation signs new keys with one more key, that the charter names and that all can check.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from types import MappingProxyType
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from wire import base64_strict
from wire.bodies import MissionCharter, RunWitness, WitnessSet
from wire.errors import Conflict, Malformed, NotAllowed, quoted
from wire.note_keys import ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, VKey
from wire.statements import Head

COSIGNING: Final = frozenset({ED25519_COSIGNATURE, MLDSA44_COSIGNATURE})
APPOINTMENT: Final = b"tearline/witness.set\0"


@dataclass(frozen=True, slots=True)
class KeySet:
    """All keys of one witness, from the statement at this journal position on (-1: the charter)."""

    position: int
    keys: tuple[VKey, ...]


@dataclass(frozen=True)
class Witnesses:
    """Every witness's keys by its name, oldest first; `run_by` has the witness of a nation."""

    quorum: int = 0
    sets: Mapping[str, tuple[KeySet, ...]] = field(default_factory=dict)
    run_by: Mapping[str, RunWitness] = field(default_factory=dict)

    @classmethod
    def of(cls, charter: MissionCharter) -> "Witnesses":
        """Those that the charter names. Raises `Malformed`."""
        keys = [VKey.parse(text) for text in charter.witnesses]
        named: dict[str, tuple[VKey, ...]] = {}
        for key in keys:
            named[key.name] = (*named.get(key.name, ()), key)
        run_by = {n.code: n.witness for n in charter.nations if n.witness is not None}
        if any(key.kind not in COSIGNING for key in keys):
            raise Malformed("bad-statement", "a witness's key signs with a time")
        if len(set(keys)) < len(keys) or charter.witness_quorum > len(named):
            raise Malformed("bad-statement", "a key stands twice, or more witnesses are asked for")
        ours = {one.name for one in run_by.values()}
        if len(ours) < len(run_by) or not named.keys() >= ours:
            raise Malformed("bad-statement", "a nation runs one of the witnesses, and alone")
        sets = {name: (KeySet(-1, each),) for name, each in named.items()}
        return cls(charter.witness_quorum, MappingProxyType(sets), MappingProxyType(run_by))

    def at(self, size: int) -> tuple[VKey, ...]:
        """The keys that count for a tree of this size."""
        return tuple(key for name in self.sets for key in self._set(name, size).keys)

    def replaced(self, head: Head, body: WitnessSet, position: int) -> "Witnesses":
        """With a nation's `witness.set` at its journal position. Who signed it is not asked here,
        but who appointed the keys is.

        Raises `NotAllowed` for a nation without a witness ("not-allowed") or another appointer
        ("unknown-signer"), `Malformed` ("bad-signature"; "bad-statement" for keys that cannot be
        its), `Conflict` ("statement-conflict") for one that was replaced before.
        """
        run = self.run_by.get(head.nation)
        if run is None:
            raise NotAllowed("not-allowed", f"the charter names no witness that {head.nation} runs")
        _check_appointed(run, head, body)
        name = run.name
        try:
            new = tuple(VKey.parse(text) for text in body.keys)
        except Malformed as error:
            raise Malformed("bad-statement", error.detail) from error
        if any(key.name != name or key.kind not in COSIGNING for key in new):
            raise Malformed("bad-statement", f"keys that cosign, with the name {quoted(name)}")
        if len(set(new)) < len(new):
            raise Malformed("bad-statement", "a key stands twice")
        *before, now = self.sets[name]
        if position <= now.position:
            raise Conflict("statement-conflict", "positions only grow")
        gone = {key for past in before for key in past.keys} - set(now.keys)
        if gone & set(new):
            raise Conflict("statement-conflict", "a key that was replaced never comes back")
        sets = {**self.sets, name: (*before, now, KeySet(position, new))}
        return replace(self, sets=MappingProxyType(sets))

    def _set(self, name: str, size: int) -> KeySet:
        """The newest that is in the tree."""
        return next(one for one in reversed(self.sets[name]) if one.position < size)

    def stranger(self, name: str, key_id: bytes, size: int) -> str:
        """Why a signature line of this name and key counts nothing for the tree; empty if it is
        nobody's that is known.
        """
        known = {key.id: one.position for one in self.sets.get(name, ()) for key in one.keys}
        if name not in self.sets or key_id in {key.id for key in self._set(name, size).keys}:
            return ""
        if key_id not in known:
            return f"{quoted(name)} signed with a key that is not known here"
        return f"{quoted(name)} signed with a key that does not count for this tree"


def appointment(mission: str, nation: str, seq: int, keys: Sequence[str]) -> bytes:
    """What the appointing key signs: these keys, in this place of the nation's chain."""
    lines = (mission, nation, str(seq), *keys)
    return APPOINTMENT + "".join(f"{line}\n" for line in lines).encode()


def _check_appointed(run: RunWitness, head: Head, body: WitnessSet) -> None:
    public = base64_strict.decode(body.appointer, "bad-statement")
    if sha256(public).hexdigest() != run.appointer:
        raise NotAllowed("unknown-signer", "not the key by which the nation appoints its witness")
    message = appointment(head.mission, head.nation, head.seq, body.keys)
    signature = base64_strict.decode(body.appointment, "bad-statement")
    try:
        MLDSA44PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise Malformed("bad-signature", "the appointment of the keys") from error
