"""What a question of the auditor's is, and the pieces of SQL that many of them share."""

from dataclasses import dataclass
from typing import Final

from clients.consented import GRACE
from wire.entries import MISSION


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


def consented(release: str) -> str:
    """Whether our consent stood for the release in the row of this name; `clients.consented` says
    the same of statements.
    """
    return f"""
EXISTS (
  SELECT 1 FROM statement s
  JOIN fact c ON c.statement = s.identity AND c.channel = '{MISSION}' AND c.idx < {release}.idx
  WHERE s.type = 'report.release' AND s.nation = :nation
    AND CAST(s.body AS TEXT) ->> 'report' = {release}.report
    AND CAST(s.body AS TEXT) ->> 'to' = {release}.recipient
    AND (CAST(s.body AS TEXT) ->> 'expires') + {GRACE} > {release}.time / 1000
    AND NOT EXISTS (
      SELECT 1 FROM statement w
      JOIN fact b ON b.statement = w.identity AND b.channel = '{MISSION}' AND b.idx < {release}.idx
      WHERE w.type = 'report.withdraw' AND w.nation = :nation
        AND CAST(w.body AS TEXT) ->> 'release' = s.identity))
"""


NOT_NAMED: Final = f"""
SELECT r.idx, a.idx AS accepted FROM fact r JOIN fact a ON a.channel = :nation
  AND a.idx = r.accepted AND a.type = 'report.accepted' AND NOT a.erased
WHERE r.channel = :nation AND r.type = 'release' AND r.originator = :nation AND EXISTS (
  SELECT 1 FROM json_each(r.portions) p WHERE NOT EXISTS (
    SELECT 1 FROM portion n WHERE n.channel = a.channel AND n.count = a.count
      AND n.part = p.value AND n.nation = r.recipient))
  AND NOT {consented("r")}
"""
"""Releases of portions to whom neither their acceptance nor a consent names."""


@dataclass(frozen=True)
class Question:
    """One question: its number and name, what it asks, how, and where its answer ends."""

    number: int
    name: str
    asks: str
    sql: str
    needs: tuple[str, ...] = ()
    limits: str = ""
