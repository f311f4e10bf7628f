"""Explanations as they travel: each reason is a sentence.

The core explains in nested objects, deeper than the JSON gate lets anything through; and those who
ask are people. What a viewer may know was decided before (`policies.explain`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def told(preview: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON form of a preview: `{portions: [{nations: {GBR: {outcome, lines: [sentence]}}}]}`.

    What is released needs no reasons.
    """
    return {
        "portions": [
            {"nations": {code: _nation(said) for code, said in portion["nations"].items()}}
            for portion in preview["portions"]
        ]
    }


def _nation(said: Mapping[str, Any]) -> dict[str, Any]:
    reasons = [line for line in said["lines"] if line["outcome"] != "RELEASE"]
    lines = [sentence for line in reasons for sentence in _sentences(line)]
    if any(line["owner"] is None for line in reasons):
        # Once: how many other parties withhold, and for how many reasons, is their business.
        lines.append("withheld by another party")
    return {"outcome": said["outcome"], "lines": lines}


def _sentences(line: Mapping[str, Any]) -> Iterator[str]:
    owner: str | None = line["owner"]
    if owner is None:
        return
    yield f"{line['layer']} of {owner}: {line['outcome']}"
    if line["outcome"] == "REFER":
        count = line["approvals_needed"]
        yield f"{count} {'officer' if count == 1 else 'officers'} of {owner} can release it"
    rules: Sequence[Mapping[str, str]] = line["rules"]
    for rule in rules:
        yield f"because of {rule['id']}: {rule['says'] or '(no reason given)'}"
    yield from line["needs"]
