"""The JSON texts of a sealed report: its signed header, and of each portion the label and what the
label only commits to, its protected sources.
"""

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from wire.errors import Malformed
from wire.labels import SOURCES_LIMIT, Consents, Label, Sources
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


class Protected(Strict):
    """Sources that readers are not told of, and consents for any source; the label commits to it.

    Every portion has one, so that nothing shows whether there is anything in it. It travels with
    the submission and ends at the broker.
    """

    salt: Hex32B
    """Random, and used once: without it the commitment says nothing, whatever is guessed."""
    derived_from: Sources
    consents: Consents


class PortionLabel(Label):
    """The label JSON of one portion, as its readers get it: `derived_from` and `consents` are what
    they may know of them.
    """

    salt: Hex16B
    protected: Hex32B
    """The commitment to its `Protected` (`wire.report.protected_commitment`)."""
    payload: Sealed
    attachments: Annotated[tuple[Attachment, ...], Field(max_length=ATTACHMENTS)]

    def whole(self, protected: Protected) -> Label:
        """The label with everything that it draws on.

        Raises `Malformed` ("label-lineage") if something stands in both, or there is too much.
        """
        if not (protected.derived_from or protected.consents):
            return self
        fields = {name: getattr(self, name) for name in Label.model_fields}
        for name in ("derived_from", "consents"):
            shown, hidden = getattr(self, name), getattr(protected, name)
            if not set(shown).isdisjoint(hidden) or len(shown) + len(hidden) > SOURCES_LIMIT:
                raise Malformed("label-lineage", f"{name}: shown and protected, or too many")
            fields[name] = tuple(sorted((*shown, *hidden)))
        return Label.model_construct(**fields)
