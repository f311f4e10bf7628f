"""Which keys cosign for which witness, and from which tree on.

The charter names the first keys of every witness, and which nation runs which of them. Such a
nation's root may replace its witness's keys by a `witness.set`. New keys count for every tree that
has this statement in it, and for no other; the old ones for those before it. So a tree says itself
whose signatures it needs, and a stolen key is worth nothing from the statement on that replaces it.
A witness keeps its name, and is one witness whatever keys it has: the quorum is the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from wire.bodies import MissionCharter
from wire.errors import Conflict, Malformed, NotAllowed, quoted
from wire.note_keys import ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, VKey

COSIGNING: Final = frozenset({ED25519_COSIGNATURE, MLDSA44_COSIGNATURE})


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
    run_by: Mapping[str, str] = field(default_factory=dict)

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
        if len(set(run_by.values())) < len(run_by) or not named.keys() >= set(run_by.values()):
            raise Malformed("bad-statement", "a nation runs one of the witnesses, and alone")
        sets = {name: (KeySet(-1, each),) for name, each in named.items()}
        return cls(charter.witness_quorum, MappingProxyType(sets), MappingProxyType(run_by))

    def at(self, size: int) -> tuple[VKey, ...]:
        """The keys that count for a tree of this size."""
        return tuple(key for name in self.sets for key in self._set(name, size).keys)

    def replaced(self, nation: str, keys: Sequence[str], position: int) -> "Witnesses":
        """With a nation's `witness.set` at its journal position.

        Raises `NotAllowed` for a nation without a witness, `Malformed` ("bad-statement") for keys
        that cannot be its, `Conflict` ("statement-conflict") for one that was replaced before.
        """
        name = self.run_by.get(nation)
        if name is None:
            raise NotAllowed("not-allowed", f"the charter names no witness that {nation} runs")
        try:
            new = tuple(VKey.parse(text) for text in keys)
        except Malformed as error:
            raise Malformed("bad-statement", error.detail) from error
        if any(key.name != name or key.kind not in COSIGNING for key in new):
            raise Malformed("bad-statement", f"keys that cosign, with the name {quoted(name)}")
        if len(set(new)) < len(new):
            raise Malformed("bad-statement", "a key stands twice")
        *before, now = self.sets[name]
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
