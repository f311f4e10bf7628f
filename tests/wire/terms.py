"""A mission's vocabulary and labels for the tests of the label algebra."""

from typing import Any

from clients import standard
from wire.labels import Label
from wire.vocabulary import RegistryBody, Vocabulary, vocabulary

NATIONS = ("FRA", "GBR", "GHA", "KEN", "SEN", "TCD", "USA")
AREAS = (
    ("mission:sable", "Area of operations", "011"),
    ("mission:sable/east", "Sector East", "mission:sable"),
    ("mission:sable/west", "Sector West", "mission:sable"),
    ("KE-30", "Nairobi County", "KE"),
)
GROUPS = (("LAKE GROUP", ("FRA", "GHA", "TCD")), ("FVEY", ("AUS", "GBR", "USA")))


def registry(**changes: Any) -> RegistryBody:
    return standard.registry(areas=AREAS, groups=GROUPS).model_copy(update=changes)


def mission(nations: tuple[str, ...] = NATIONS, **changes: Any) -> Vocabulary:
    return vocabulary("MINUSX", nations, standard.levels(), registry(**changes), "0" * 64)


VOCABULARY = mission()


def label(**changes: Any) -> Label:
    """A plain acceptable label of FRA, with changes."""
    fields: dict[str, Any] = {
        "classification": "SECRET",
        "release_to": ("FRA", "SEN", "TCD"),
        "display_to": (),
        "caveats": (),
        "communities": (),
        "regions": ("ML",),
        "threats": ("explosive.ied_emplaced",),
        "precedence": "ROUTINE",
        "occurred": 1_700_000_000,
        "obligations": (),
        "onward": "none",
        "derive": "consent",
        "derived_from": (),
        "consents": (),
        "exercise": False,
    }
    return Label(**(fields | changes))
