"""The two JSON texts of a sealed report: its signed header, and the label of each portion."""

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from wire.labels import Label
from wire.model import Hex16B, Hex32B, NationCode, Seconds, Strict, Token, Version1

PORTIONS: Final = (1, 2, 4, 8, 16)  # how many commitments a header may hold
ATTACHMENT_MAX: Final = 1060 * 1024 * 1024  # ciphertext bytes: 1 GiB, padded and sealed
ATTACHMENTS: Final = 16  # in one portion

MediaType = Annotated[
    str, StringConstraints(pattern=r"^[a-z]+/[a-z0-9.+-]+(;[a-z]+=[a-z0-9.]+)?\z", max_length=96)
]


class Header(Strict):
    """The signed JSON: who says it, and commitments to what is said."""

    v: Version1
    mission: Token
    id: Hex16B
    originator: NationCode
    signer: Hex16B
    created: Seconds
    portions: Annotated[tuple[Hex32B, ...], Field(min_length=1, max_length=PORTIONS[-1])]


class Sealed(Strict):
    """A ciphertext: what it is once opened, and the bytes by which it is known."""

    sha256: Hex32B
    len: Annotated[int, Field(ge=1, le=ATTACHMENT_MAX)]
    media_type: MediaType


class Attachment(Sealed):
    """A ciphertext that travels apart from the report."""

    id: Hex16B


class PortionLabel(Label):
    """The label JSON of one portion: salt, label, payload and attachments."""

    salt: Hex16B
    payload: Sealed
    attachments: Annotated[tuple[Attachment, ...], Field(max_length=ATTACHMENTS)]
