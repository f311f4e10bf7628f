"""What the test mission's charter and registry say."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clients import standard

AREAS = (
    ("mission:sable", "Area of operations", "014"),
    ("mission:sable/east", "Sector East", "mission:sable"),
)
LIBRARY = Path(__file__).parent.parent / "policies" / "library"


def registry(version: int = 1) -> dict[str, Any]:
    """A version of the reference data."""
    return standard.registry(areas=AREAS, version=version).model_dump(mode="json")


def body(
    mission: str, origin: str, vkey: str, roots: Mapping[str, str], clearances: Mapping[str, str]
) -> dict[str, Any]:
    """A charter of the nations whose first root statements have these identities."""
    return {
        "name": "United Nations Mission in Sable",
        "exercise": False,
        "levels": [level.model_dump() for level in standard.levels()],
        "nations": [
            {
                "code": code,
                "name": f"Nation {code}",
                "root": root,
                "clearance": clearances.get(code, "SECRET"),
            }
            for code, root in roots.items()
        ],
        "origin": origin,
        "log_keys": [vkey],
        "retention_floor": 30,
        "witnesses": [],
        "witness_quorum": 0,
        "admission_quorum": (len(roots) + 1) // 2,
        "floor": _library("coalition-baseline.cedar"),
        "carry": _library("mission-carry.cedar", MISSION=mission),
    }


def _library(name: str, **places: str) -> list[str]:
    lines = (LIBRARY / name).read_text().splitlines()
    for place, value in places.items():
        lines = [line.replace("{" + place + "}", value) for line in lines]
    return lines
