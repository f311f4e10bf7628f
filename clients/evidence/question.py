"""What a question of the auditor's is, and the pieces of SQL that many of them share."""

from dataclasses import dataclass
from typing import Final


def _within(entry: str) -> str:
    """What narrows every question, for the rows of this name."""
    return f"""
{entry}.channel = :nation AND (:since IS NULL OR {entry}.time >= :since)
AND (:until IS NULL OR {entry}.time < :until)
AND (:report IS NULL OR {entry}.report GLOB :report || '*')
AND (:to IS NULL OR {entry}.recipient = :to)
AND (:who IS NULL OR {entry}.actor GLOB :who || '*') AND (:type IS NULL OR {entry}.type = :type)
"""


WITHIN: Final = _within("e")
ANYTIME: Final = """
(:since IS NULL OR e.time >= :since) AND (:until IS NULL OR e.time < :until)
"""
RULES: Final = """
(SELECT group_concat(r.layer || ': ' || r.rule, '; ') FROM part_rule r WHERE r.part = e.rules)
"""
AGAIN: Final = f"""
FROM fact o WHERE o.report = e.report AND o.recipient = e.recipient AND o.type = 'release'
AND o.originator = :nation AND {_within("o")}
"""
"""All releases of one report to one nation."""
DENIED: Final = """
FROM denial d JOIN fact e ON e.channel = d.channel AND e.count = d.count WHERE e.channel = :nation
AND (:since IS NULL OR d.last * 1000 >= :since) AND (:until IS NULL OR d.first * 1000 < :until)
AND (:report IS NULL OR d.report GLOB :report || '*') AND (:to IS NULL OR d."to" = :to)
"""


@dataclass(frozen=True)
class Question:
    """One question: its number and name, what it asks, how, and where its answer ends."""

    number: int
    name: str
    asks: str
    sql: str
    needs: tuple[str, ...] = ()
    limits: str = ""
