"""The questions behind the pictures, as SQL over verified rows.

Each gives the index of an entry with whatever it counts, for every mark on a page leads to its
entry and proof. `:nation` is the auditor's own; nothing else is in its evidence but the mission's.
"""

from typing import Final

SHARED: Final = """
SELECT e.originator, e.recipient, count(DISTINCT e.report) AS reports, count(*) AS releases,
  total(e.detail = 'display') AS shown, min(e.time) AS first_time, max(e.time) AS last_time,
  max(e.idx) AS "index"
FROM fact e WHERE e.channel = :nation AND e.type = 'release' AND e.originator IS NOT NULL
GROUP BY 1, 2 ORDER BY 1, 2
"""

RELEASED: Final = """
SELECT g.*, (SELECT group_concat(DISTINCT json_extract(m.value, '$.precedence'))
    FROM entry e, json_each(e.view, '$.marked') m
    WHERE e.channel = :nation AND e.idx = g."index") AS precedence
FROM (SELECT e.report, e.originator, e.recipient, max(e.idx) AS "index"
  FROM fact e WHERE e.channel = :nation AND e.type = 'release' AND e.originator IS NOT NULL
  GROUP BY 1, 2, 3 ORDER BY 4 DESC LIMIT :most) g ORDER BY 4 DESC
"""

SPAN: Final = """
SELECT min(time) AS first, max(time) AS last FROM fact
WHERE channel = :nation OR (channel = 'MISSION' AND type <> 'statement')
"""

PACE: Final = """
SELECT e.time / :step * :step AS start, CASE
    WHEN e.type = 'report.accepted' THEN 'accepted'
    WHEN e.type = 'release' THEN 'released'
    WHEN e.type = 'report.refused' THEN 'refused'
    WHEN e.type = 'statement' THEN 'said'
    WHEN e.type = 'audit.read' THEN 'read'
    ELSE 'other' END AS kind,
  count(*) AS entries, min(e.idx) AS "index"
FROM fact e WHERE e.channel = :nation GROUP BY 1, 2 ORDER BY 1, 2
"""

DENIED_PACE: Final = """
SELECT d.first * 1000 / :step * :step AS start, sum(d.times) AS entries, min(e.idx) AS "index"
FROM denial d JOIN fact e ON e.channel = d.channel AND e.count = d.count
WHERE e.channel = :nation GROUP BY 1 ORDER BY 1
"""

MARKS: Final = """
SELECT e.time, e.author AS nation, e.spoke AS what, e.statement,
  json_extract(CAST(s.body AS TEXT), '$.version') AS version, e.idx AS "index"
FROM fact e LEFT JOIN statement s ON s.identity = e.statement
WHERE e.channel = 'MISSION' AND e.spoke IN (
  'policy.publish', 'report.recall', 'member.revoke', 'nation.admit', 'nation.expel',
  'retention.set', 'witness.set', 'mission.continue')
  AND (e.spoke <> 'report.recall' OR EXISTS (SELECT 1 FROM fact o
    WHERE o.channel = :nation AND o.idx = e.idx AND o.report IS NOT NULL))
ORDER BY e.idx DESC LIMIT :most
"""

REFUSED: Final = """
SELECT e.slug AS why, e.detail AS nations, e.actor AS requester, e.report, e.time,
  e.idx AS "index"
FROM fact e WHERE e.channel = :nation AND e.type = 'report.refused' ORDER BY e.idx DESC LIMIT :most
"""

DENIED: Final = """
SELECT coalesce(d.because, 'not for this reader') AS why, d.rules, d."to", d.reader, d.kind, d.how,
  d.purpose, d.report, d.originator, d.outcome, d.times, d.first * 1000 AS first_time,
  d.last * 1000 AS last_time, e.idx AS "index"
FROM denial d JOIN fact e ON e.channel = d.channel AND e.count = d.count
WHERE e.channel = :nation ORDER BY d.last DESC LIMIT :most
"""

REPORTS: Final = """
SELECT e.report, max(e.originator) AS originator, min(e.time) AS first_time,
  max(e.time) AS last_time, max(e.idx) AS "index",
  count(DISTINCT CASE WHEN e.type = 'release' THEN e.recipient END) AS nations,
  group_concat(DISTINCT CASE WHEN e.type = 'release' THEN e.recipient END) AS recipients,
  (SELECT max(r.time) FROM fact r WHERE r.channel = e.channel AND r.report = e.report
    AND r.spoke = 'report.recall') AS recalled_time
FROM fact e WHERE e.channel = :nation AND e.report IS NOT NULL AND e.type <> 'report.refused'
  AND (:report IS NULL OR e.report GLOB :report || '*')
  AND (:with IS NULL OR e.report IN (SELECT o.report FROM fact o WHERE o.channel = :nation
    AND (o.originator = :with OR o.recipient = :with)))
GROUP BY e.report ORDER BY 3 DESC LIMIT :most
"""

LIFE: Final = """
SELECT e.time, e.channel, e.count, e.type, e.spoke, e.originator, e.recipient, e.author, e.actor,
  e.detail, e.outcome, e.slug, e.idx AS "index",
  (SELECT group_concat(r.layer || ': ' || r.rule, '; ') FROM rule r
    WHERE r.channel = e.channel AND r.count = e.count) AS rules,
  (SELECT group_concat(b.banner, '; ') FROM banner b
    WHERE b.channel = e.channel AND b.count = e.count) AS banner
FROM fact e WHERE e.channel = :nation AND e.report = :report ORDER BY e.idx
"""

LIFE_DENIED: Final = """
SELECT d.first * 1000 AS time, d."to" AS recipient, d.reader, d.kind, d.how, d.because, d.rules,
  d.times, e.idx AS "index"
FROM denial d JOIN fact e ON e.channel = d.channel AND e.count = d.count
WHERE e.channel = :nation AND d.report = :report ORDER BY d.first
"""

PORTIONS: Final = """
SELECT p.part, p.label, p.nation, p.outcome FROM portion p
JOIN fact e ON e.channel = p.channel AND e.count = p.count
WHERE e.channel = :nation AND e.report = :report ORDER BY p.part, p.nation
"""

DRAWN: Final = """
SELECT d.source, e.report, e.originator, e.recipient, min(e.idx) AS "index" FROM drawn d
JOIN fact e ON e.channel = d.channel AND e.count = d.count
WHERE e.channel = :nation AND (e.report = :report OR d.source = :report)
GROUP BY 1, 2, 3, 4 ORDER BY 5
"""

READINGS: Final = """
SELECT e.time, e.actor AS reader, e.type, json_extract(e.view, '$.after') AS after,
  json_extract(e.view, '$.limit') AS most,
  json_array_length(e.view, '$.denials') AS denials, e.idx AS "index"
FROM entry e WHERE e.channel = :nation AND e.type IN ('audit.read', 'referral.read')
ORDER BY e.idx DESC LIMIT :most
"""

ENTRIES: Final = """
SELECT e.time, e.channel, e.type, coalesce(e.spoke, e.detail, e.slug) AS detail, e.report,
  e.originator, e.recipient, e.actor, e.author, e.erased, e.idx AS "index"
FROM fact e WHERE (e.channel = :nation OR (e.channel = 'MISSION' AND :mission AND NOT EXISTS (
    SELECT 1 FROM fact o WHERE o.channel = :nation AND o.idx = e.idx)))
  AND (:before IS NULL OR e.idx < :before)
  AND (:type IS NULL OR e.type = :type)
  AND (:report IS NULL OR e.report GLOB :report || '*')
  AND (:originator IS NULL OR e.originator = :originator)
  AND (:to IS NULL OR e.recipient = :to)
  AND (:who IS NULL OR e.actor GLOB :who || '*')
  AND (:since IS NULL OR e.time >= :since) AND (:until IS NULL OR e.time < :until)
ORDER BY e.idx DESC LIMIT :most
"""

TYPES: Final = """
SELECT e.type, count(*) AS entries, max(e.idx) AS "index" FROM fact e
WHERE e.channel = :nation GROUP BY e.type ORDER BY 2 DESC
"""

ENTRY: Final = """
SELECT e.*, p.tree, t.note, t.root FROM entry e JOIN page p ON p.number = e.page
JOIN tree t ON t.size = p.tree
WHERE e.idx = :index AND e.channel IN (:nation, 'MISSION') ORDER BY e.channel = 'MISSION'
"""
