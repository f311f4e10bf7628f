"""Nations that run a witness, and how they appoint its keys; each has one key for that."""

from collections.abc import Sequence
from functools import cache
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from wire.base64_strict import encode
from wire.note_keys import NoteSigner
from wire.witness_keys import appointment


@cache
def appointer(nation: str) -> MLDSA44PrivateKey:
    return MLDSA44PrivateKey.from_seed_bytes(sha256(nation.encode()).digest())


def public(nation: str) -> bytes:
    return appointer(nation).public_key().public_bytes_raw()


def runs(nation: str, name: str) -> dict[str, str]:
    """What a charter says of a nation's witness."""
    return {"name": name, "appointer": sha256(public(nation)).hexdigest()}


def appointed(
    nation: str, seq: int, *keys: NoteSigner | str, mission: str = "MINUSX", by: str = ""
) -> dict[str, object]:
    """The fields of a `witness.set`; `by` is whose key appoints them, if not the nation's."""
    texts = written(keys)
    told = appointment(mission, nation, seq, texts)
    return {
        "keys": texts,
        "appointer": encode(public(by or nation)),
        "appointment": encode(appointer(by or nation).sign(told)),
    }


def written(keys: Sequence[NoteSigner | str]) -> list[str]:
    return [key if isinstance(key, str) else str(key.vkey) for key in keys]
