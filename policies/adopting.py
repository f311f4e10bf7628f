"""What is proved before a nation's policy or guarantees come into force, as a question to a child.

The answer is an exit status, for a child that read foreign text is believed no more than that.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any

from wire.vocabulary import Level, Tree, Vocabulary


class Found(IntEnum):
    """What the child ends with; `UNFIT` is a text that parses and breaks the release profile."""

    HOLDS = 0
    GROWS = 3
    BREAKS = 4
    UNFIT = 5


@dataclass(frozen=True)
class Adoption:
    """One nation's change: the layers that stand, pinned to reference data, and what comes.

    `before` is None where nothing stands: then whatever is released is more than before.
    """

    owner: str
    vocabulary: Vocabulary
    pinned: Vocabulary | None
    floor: str
    before: Mapping[str, str] | None
    after: Mapping[str, str]
    guarantees: str


def question(adoption: Adoption) -> bytes:
    """What the child reads."""
    return json.dumps(asdict(adoption), sort_keys=True, default=_level).encode()


def read(data: bytes) -> Adoption:
    """The question again; its parent wrote it."""
    fields: dict[str, Any] = json.loads(data)
    for name in ("vocabulary", "pinned"):
        if fields[name] is not None:
            fields[name] = _vocabulary(fields[name])
    return Adoption(**fields)


def _level(level: Level) -> dict[str, Any]:
    return level.model_dump()


def _vocabulary(fields: Mapping[str, Any]) -> Vocabulary:
    return Vocabulary(
        **{
            **fields,
            "nations": tuple(fields["nations"]),
            "levels": tuple(Level(**level) for level in fields["levels"]),
            "purposes": tuple(fields["purposes"]),
            "regions": Tree(**fields["regions"]),
            "threats": Tree(**fields["threats"]),
            "groups": {name: tuple(who) for name, who in fields["groups"].items()},
        }
    )
