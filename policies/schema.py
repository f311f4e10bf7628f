"""The Cedar schema of a mission, generated from its vocabulary.

Every vocabulary is an *enumerated* entity type, so Cedar's own validator refuses a misspelt nation,
region or caveat; with ordinary entity types such a word would silently never match, and a
prohibition with a typo would protect nothing. Nothing here is optional, because a prohibition that
reads an attribute which is not there is skipped by Cedar.

The schema is built as JSON, so no name is ever glued into a text.
"""

import json
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from wire.labels import PRECEDENCES
from wire.vocabulary import Vocabulary

LayerKind = Literal["handle", "release", "carry", "accept"]
"""A layer, and the one Cedar action that its rules must name."""

KINDS: Final[tuple[LayerKind, ...]] = ("handle", "release", "carry", "accept")

FLOOR_OWNER: Final = "COALITION"
"""Who owns the layer `handle`: all nations together, through the charter."""

Form = Literal["entity", "set", "number", "flag", "time", "span"]


class Attribute(NamedTuple):
    """The form of one attribute; `of` names the vocabulary that its words come from."""

    form: Form
    of: str = ""


ATTRIBUTES: Final[Mapping[str, Attribute]] = {
    "principal.nation": Attribute("entity", "Nation"),
    "principal.clearance": Attribute("number"),
    "principal.communities": Attribute("set", "Community"),
    "principal.exercise": Attribute("flag"),
    "resource.origin": Attribute("entity", "Nation"),
    "resource.level": Attribute("number"),
    "resource.releasableTo": Attribute("set", "Nation"),
    "resource.displayTo": Attribute("set", "Nation"),
    "resource.communities": Attribute("set", "Community"),
    "resource.derived": Attribute("flag"),
    "resource.exercise": Attribute("flag"),
    "resource.originatorControl": Attribute("flag"),
    "context.now": Attribute("time"),
    "context.age": Attribute("span"),
    "context.approvals": Attribute("number"),
    "context.purpose": Attribute("entity", "Purpose"),
}
"""Everything a policy can read, and nothing else."""

PARENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "principal": ("Nation", "Coalition"),
    "resource": (
        "Within",
        "Touching",
        "Threat",
        "ThreatTouching",
        "UpTo",
        "Caveat",
        "Precedence",
    ),
}
"""What a recipient or a report can be `in`. Hierarchies arrive flattened: there is no graph."""

PRINCIPALS: Final = ("Gateway", "Analyst")

_UNUSED: Final = "(none)"
"""Cedar refuses an empty enumeration. No vocabulary holds this word, so no policy can name it."""


def terms(vocabulary: Vocabulary) -> Mapping[str, frozenset[str]]:
    """Every word that a policy of this mission may name, by entity type."""
    regions, threats = frozenset(vocabulary.regions.parents), frozenset(vocabulary.threats.parents)
    return {
        "Nation": frozenset(vocabulary.nations),
        "Coalition": frozenset(vocabulary.groups),
        "Within": regions,
        "Touching": regions,
        "Threat": threats,
        "ThreatTouching": threats,
        "UpTo": frozenset(level.token for level in vocabulary.levels),
        "Caveat": frozenset(vocabulary.caveats),
        "Precedence": frozenset(PRECEDENCES),
        "Community": frozenset(vocabulary.communities),
        "Purpose": frozenset(vocabulary.purposes),
    }


def schema_json(vocabulary: Vocabulary) -> str:
    """The mission's schema in Cedar's JSON form."""
    entities: dict[str, object] = {
        name: {"enum": sorted(words) or [_UNUSED]} for name, words in terms(vocabulary).items()
    }
    for principal in PRINCIPALS:
        entities[principal] = _shaped("principal")
    entities["Report"] = _shaped("resource")
    applies = {
        "principalTypes": list(PRINCIPALS),
        "resourceTypes": ["Report"],
        "context": _record("context"),
    }
    actions = {kind: {"appliesTo": applies} for kind in KINDS}
    return json.dumps({"": {"entityTypes": entities, "actions": actions}})


def _shaped(variable: str) -> dict[str, object]:
    return {"memberOfTypes": list(PARENTS[variable]), "shape": _record(variable)}


def _record(variable: str) -> dict[str, object]:
    prefix = f"{variable}."
    return {
        "type": "Record",
        "attributes": {
            path.removeprefix(prefix): _type(attribute)
            for path, attribute in ATTRIBUTES.items()
            if path.startswith(prefix)
        },
    }


def _type(attribute: Attribute) -> dict[str, object]:
    entity: dict[str, object] = {"type": "Entity", "name": attribute.of}
    forms: dict[Form, dict[str, object]] = {
        "entity": entity,
        "set": {"type": "Set", "element": entity},
        "number": {"type": "Long"},
        "flag": {"type": "Boolean"},
        "time": {"type": "Extension", "name": "datetime"},
        "span": {"type": "Extension", "name": "duration"},
    }
    return forms[attribute.form]
