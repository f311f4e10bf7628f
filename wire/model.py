"""The strict base of every JSON object on the wire, and the forms of its identifiers.

Identifiers are ASCII by pattern, so look-alike letters cannot arise. Lists that mean sets are
sorted and without duplicates; anything else is refused, never repaired.
"""

from operator import lt
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

T = TypeVar("T")


class Strict(BaseModel):
    """A frozen object with no unknown keys and no coercion."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


def _sorted_set(values: tuple[T, ...]) -> tuple[T, ...]:
    if len(values) > 1 and not all(map(lt, values, values[1:])):  # type: ignore[arg-type]
        raise ValueError("must be sorted and without duplicates")
    return values


SortedSet = AfterValidator(_sorted_set)
"""Marks a tuple that means a set: strictly ascending."""


def _form(pattern: str, limit: int) -> StringConstraints:
    return StringConstraints(pattern=rf"^(?:{pattern})\z", max_length=limit)


NationCode = Annotated[str, _form("[A-Z]{3}", 3)]
"""A nation or organisation that owns, releases and receives (alpha-3). Never a place."""

Channel = Annotated[str, _form("[A-Z]{3}|MISSION", 7)]
"""A nation's chain in the journal, or the mission's own."""

Place = Annotated[
    str, _form("[0-9]{3}|[A-Z]{2}|[A-Z]{2}-[A-Z0-9]{1,3}|mission:[a-z0-9_-]+(?:/[a-z0-9_-]+)?", 64)
]
"""A region: M49, ISO 3166-1 alpha-2, ISO 3166-2, or an area the mission named. Never a nation."""

ThreatType = Annotated[str, _form(r"[a-z_]+(?:\.[a-z_]+){0,2}", 64)]
"""A dot path in the threat tree."""

Token = Annotated[str, _form("[A-Z][A-Z0-9 _-]{0,63}", 64)]
"""A word of a charter vocabulary: level, caveat, community, purpose, obligation."""

Hex16B = Annotated[str, _form("[0-9a-f]{32}", 32)]
"""Sixteen bytes in lower-case hex: report ids, key ids, salts."""

Hex32B = Annotated[str, _form("[0-9a-f]{64}", 64)]
"""Thirty-two bytes in lower-case hex: SHA-256 digests and identities."""

Version1 = Annotated[int, Field(ge=1, le=1)]
"""The number of a format's first version. (`Literal[1]` would take `true` as well.)"""

Seconds = Annotated[int, Field(ge=0, lt=1 << 40)]
"""Unix time in whole seconds, UTC."""
