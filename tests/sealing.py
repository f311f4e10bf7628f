"""A small second sealer and opener, apart from the clients' own, with every piece in reach.

Attack tests take honest pieces, change one and put them together again; and what two
implementations agree on is what the format says. Time and random bytes are arguments.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor

from clients.keys import EpochSeed, seal_to
from wire import binding, composite, report
from wire.directory import Directory
from wire.members import EpochKey
from wire.report import Frame, PortionFrame, Record

Random = Callable[[int], bytes]

LABEL: Mapping[str, Any] = {
    "display_to": [],
    "caveats": [],
    "communities": [],
    "regions": ["KE"],
    "threats": ["explosive.ied_emplaced"],
    "precedence": "ROUTINE",
    "obligations": [],
    "onward": "none",
    "derive": "consent",
    "derived_from": [],
    "consents": [],
}
"""The fields of a label that most tests do not care about."""


NO_SOURCES: Mapping[str, Any] = {"derived_from": [], "consents": []}
"""What most portions say of protected sources."""


def text(value: object) -> bytes:
    """JSON as a stranger would write it: no gate, no model, so that it may be wrong."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


MEDIA_TYPE = "application/vnd.tearline.content+json"


def written(title: str, body: str) -> bytes:
    """Our own content, padded (Padmé, at least 256 bytes) behind its length."""
    data = text({"v": 1, "title": title, "body": body, "attachments": {}})
    size = max(256, 8 + len(data))
    free = size.bit_length() - 1 - (size.bit_length() - 1).bit_length()
    size = -(-size >> free) << free
    return len(data).to_bytes(8, "big") + data + bytes(size - 8 - len(data))


def read(padded: bytes) -> dict[str, Any]:
    """The content's fields."""
    return fields(padded[8 : 8 + int.from_bytes(padded[:8], "big")])


@dataclass(frozen=True)
class Place:
    """Where a portion will stand: what its keys and ciphertexts are bound to."""

    originator: str
    report_id: str
    index: int


def encrypt(plaintext: bytes, key: bytes, context: bytes) -> bytes:
    """Cobblestone-256."""
    box = Cobblestone256Encryptor(key, context)
    return bytes(box.update(plaintext)) + bytes(box.finalize())


def decrypt(ciphertext: bytes, key: bytes, context: bytes) -> bytes:
    """Cobblestone-256. Raises what the library raises."""
    box = Cobblestone256Decryptor(key, context)
    return bytes(box.update(ciphertext)) + bytes(box.finalize())


def portion(
    place: Place,
    label: Mapping[str, Any],
    plaintext: bytes,
    keys: Sequence[EpochKey],
    random: Random,
    *,
    media_type: str = MEDIA_TYPE,
    attachments: Sequence[Mapping[str, Any]] = (),
    content_keys: Mapping[str, bytes] | None = None,
    protected: Mapping[str, Any] | None = None,
) -> PortionFrame:
    """Encrypt, then wrap, for exactly these keys; nothing is checked.

    `content_keys` gives single nations another content key: what a dishonest originator does.
    `protected` changes what is said of sources that readers are not told of.
    """
    key = random(32)
    where = (place.originator, place.report_id, place.index)
    payload = encrypt(plaintext, key, binding.payload_context(*where))
    hidden = text({"salt": random(32).hex(), **NO_SOURCES, **(protected or {})})
    label_bytes = text(
        {
            "salt": random(16).hex(),
            "protected": report.protected_commitment(hidden),
            **label,
            "payload": {
                "sha256": hashlib.sha256(payload).hexdigest(),
                "len": len(payload),
                "media_type": media_type,
            },
            "attachments": list(attachments),
        }
    )
    bound = binding.portion_context(*where, label_bytes)
    records, wraps = [], {}
    for i, k in enumerate(sorted(keys, key=lambda k: k.nation)):
        info = binding.wrap_info(k.level, k.nation, k.kid, bound)
        wraps[i] = seal_to(k.public, (content_keys or {}).get(k.nation, key), info)
        digest = hashlib.sha256(wraps[i]).digest()
        records.append(Record(k.nation, k.level, k.epoch, k.kid, digest))
    descriptor = report.encode_descriptor(label_bytes, records)
    return PortionFrame(
        place.index, descriptor, label_bytes, tuple(records), hidden, wraps, payload
    )


def rebuilt(frame: PortionFrame, **changes: Any) -> PortionFrame:
    """The portion with other pieces; its descriptor follows from them unless it is given."""
    changed = replace(frame, **changes)
    if "descriptor" in changes:
        return changed
    descriptor = report.encode_descriptor(changed.label_bytes, changed.records)
    return replace(changed, descriptor=descriptor)


def header(
    directory: Directory,
    place: Place,
    kid: str,
    created: int,
    commitments: Sequence[str],
    random: Random,
) -> dict[str, Any]:
    """The header's fields, its commitments padded with decoys to 1, 2, 4, 8 or 16."""
    size = next(n for n in report.PORTIONS if n >= len(commitments))
    decoys = [random(32).hex() for _ in range(size - len(commitments))]
    return {
        "v": 1,
        "mission": directory.mission,
        "id": place.report_id,
        "originator": place.originator,
        "signer": kid,
        "created": created,
        "portions": [*commitments, *decoys],
    }


def signed(
    fields: Mapping[str, Any], portions: Sequence[PortionFrame], key: composite.SigningKey
) -> Frame:
    """The report as its author signs it: only the header, hence the commitments in it."""
    header_bytes = text(fields)
    head = report.encode_head(header_bytes)
    return Frame(head, header_bytes, key.sign(head, composite.REPORT), tuple(portions))


def encode(frame: Frame) -> bytes:
    """The report's bytes, with every portion and wrap that the frame has."""
    block = report.signature_block(frame.signature)
    return b"".join((frame.head, block, *(p.encode() for p in frame.portions)))


def fields(json_bytes: bytes) -> dict[str, Any]:
    """The fields of a header or label, to be changed and written again."""
    loaded: dict[str, Any] = json.loads(json_bytes)
    return loaded


def content_key(frame: PortionFrame, place: Place, nation: str, seed: EpochSeed) -> bytes:
    """The content key in one nation's wrap. Raises `Malformed` ("undecryptable")."""
    (i,) = (i for i, r in enumerate(frame.records) if r.nation == nation)
    record = frame.records[i]
    where = (place.originator, place.report_id, place.index)
    bound = binding.portion_context(*where, frame.label_bytes)
    info = binding.wrap_info(record.level, nation, record.kid, bound)
    return seed.at(record.level).key().open(frame.wraps[i], info)


def open_portion(frame: PortionFrame, place: Place, nation: str, seed: EpochSeed) -> bytes:
    """What one nation reads in a portion. Raises `Malformed` ("undecryptable") at the wrap, or
    what the library raises at the payload.
    """
    key = content_key(frame, place, nation, seed)
    where = (place.originator, place.report_id, place.index)
    return decrypt(frame.payload, key, binding.payload_context(*where))
