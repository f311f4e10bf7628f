"""Private keys at rest: one JSON file, opened by a passphrase.

Argon2id (RFC 9106) makes a key of the passphrase, AES-256-GCM seals the private keys with it; the
parameters stand in the file and are authenticated with it. Who can change the file gains nothing
but that the keys no longer open; who can copy it must guess the passphrase at the stored cost.
"""

import unicodedata
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from pydantic import Field

from clients.keys import Random
from wire import base64_strict, strict_json
from wire.bodies import Base64
from wire.errors import Malformed, NotAllowed
from wire.model import Strict

SALT: Final = 16
NONCE: Final = 12
KEY: Final = 32
FILE_MAX: Final = 65_536  # sixteen root keys take 3 KiB
PASSPHRASE_MIN: Final = 15  # characters: NIST SP 800-63B-4, where nothing else guards what it opens

MEMORY_KIB_MIN: Final = 19_456  # OWASP's floor for Argon2id: 19 MiB and two passes
PASSES_MIN: Final = 2
MEMORY_KIB_MAX: Final = 2 * 1024 * 1024  # a planted file must not take the machine's memory
PASSES_MAX: Final = 64


@dataclass(frozen=True)
class Cost:
    """How dear a guess of the passphrase is.

    Raises `Malformed` ("bad-input") below the floor, unless that is spelled out: for tests and
    exercises whose keys guard nothing. There any passphrase will do as well.
    """

    memory_kib: int
    passes: int
    lanes: int
    weak_on_purpose: bool = False

    def __post_init__(self) -> None:
        if self.weak_on_purpose:
            return
        if self.memory_kib < MEMORY_KIB_MIN or self.passes < PASSES_MIN:
            floor = f"{MEMORY_KIB_MIN} KiB and {PASSES_MIN} passes"
            raise Malformed("bad-input", f"a passphrase is stretched with at least {floor}")


STANDARD: Final = Cost(memory_kib=65_536, passes=3, lanes=4)
"""RFC 9106's second recommendation: 64 MiB, 0.15 s on a small machine."""

CHEAP: Final = Cost(memory_kib=64, passes=1, lanes=1, weak_on_purpose=True)
"""For tests only: it hardly slows a guess."""


class _Stretch(Strict):
    name: Literal["argon2id"]
    memory_kib: Annotated[int, Field(ge=8, le=MEMORY_KIB_MAX)]
    passes: Annotated[int, Field(ge=1, le=PASSES_MAX)]
    lanes: Annotated[int, Field(ge=1, le=16)]
    salt: Base64


class _Container(Strict):
    v: Literal[1]
    kdf: _Stretch
    aead: Literal["aes-256-gcm"]
    nonce: Base64
    ciphertext: Base64


class _Keys(Strict):
    keys: dict[str, str]


def is_short(passphrase: str) -> bool:
    """Whether it is too short to guard keys that matter."""
    return len(_composed(passphrase)) < PASSPHRASE_MIN


def lock(
    private: dict[str, str],
    passphrase: str,
    *,
    random: Random,
    cost: Cost = STANDARD,
    any_passphrase: bool = False,
) -> bytes:
    """The bytes of `keys.json`.

    Raises `Malformed` ("bad-input") for a passphrase that is too short, unless any will do;
    `NotAllowed` ("bad-passphrase") for an empty one.
    """
    if is_short(passphrase) and not (any_passphrase or cost.weak_on_purpose):
        words = f"a passphrase for new keys has at least {PASSPHRASE_MIN} characters"
        raise Malformed("bad-input", f"{words}; four words of your own do")
    salt, nonce = random(SALT), random(NONCE)
    stretch = _Stretch(
        name="argon2id",
        memory_kib=cost.memory_kib,
        passes=cost.passes,
        lanes=cost.lanes,
        salt=base64_strict.encode(salt),
    )
    key = _stretched(passphrase, stretch)
    ciphertext = AESGCM(key).encrypt(nonce, strict_json.dump({"keys": private}), _bound(stretch))
    container = _Container(
        v=1,
        kdf=stretch,
        aead="aes-256-gcm",
        nonce=base64_strict.encode(nonce),
        ciphertext=base64_strict.encode(ciphertext),
    )
    return strict_json.dump(container.model_dump(mode="json"))


def unlock(data: bytes, passphrase: str) -> dict[str, str]:
    """The private keys in the bytes of `keys.json`.

    Raises `NotAllowed` ("bad-passphrase") if it does not open, `Malformed` ("bad-identity") if it
    is no such file.
    """
    try:
        container = strict_json.load(data, _Container, limit=FILE_MAX)
    except Malformed as error:
        raise Malformed("bad-identity", "keys.json is not a key file") from error
    nonce = base64_strict.decode(container.nonce, "bad-identity")
    ciphertext = base64_strict.decode(container.ciphertext, "bad-identity")
    if len(nonce) != NONCE or len(base64_strict.decode(container.kdf.salt, "bad-identity")) != SALT:
        raise Malformed("bad-identity", "keys.json is not a key file")
    key = _stretched(passphrase, container.kdf)
    try:
        opened = AESGCM(key).decrypt(nonce, ciphertext, _bound(container.kdf))
    except InvalidTag as error:
        raise NotAllowed("bad-passphrase") from error
    return strict_json.load(opened, _Keys).keys


def _stretched(passphrase: str, stretch: _Stretch) -> bytes:
    if not passphrase:
        raise NotAllowed("bad-passphrase", "it is empty")
    kdf = Argon2id(
        salt=base64_strict.decode(stretch.salt, "bad-identity"),
        length=KEY,
        iterations=stretch.passes,
        lanes=stretch.lanes,
        memory_cost=max(stretch.memory_kib, 8 * stretch.lanes),
    )
    return kdf.derive(_composed(passphrase).encode())


def _composed(passphrase: str) -> str:
    """The same passphrase typed on another keyboard is the same (NFC)."""
    return unicodedata.normalize("NFC", passphrase)


def _bound(stretch: _Stretch) -> bytes:
    return b"tearline/keys\0" + strict_json.dump(stretch.model_dump(mode="json"))
