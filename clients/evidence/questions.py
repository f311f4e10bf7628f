"""The auditor's twenty-four questions, as SQL over verified rows.

Times are Unix milliseconds. Every question may be narrowed by the words of `Asked`; those that a
question needs are named in `needs`. What the journal does not hold is said in `limits`, openly:
labels are there as digests only, so nobody can ask the journal for a region or a caveat.
"""

from dataclasses import dataclass
from typing import Final

WITHIN: Final = """
e.channel = :nation AND (:since IS NULL OR e.time >= :since) AND (:until IS NULL OR e.time < :until)
AND (:report IS NULL OR e.report GLOB :report || '*') AND (:to IS NULL OR e.recipient = :to)
AND (:who IS NULL OR e.actor GLOB :who || '*') AND (:type IS NULL OR e.type = :type)
"""
ANYTIME: Final = """
(:since IS NULL OR e.time >= :since) AND (:until IS NULL OR e.time < :until)
"""
RULES: Final = """
(SELECT group_concat(r.layer || ': ' || r.rule, '; ') FROM rule r
 WHERE r.channel = e.channel AND r.count = e.count)
"""
DENIED: Final = """
FROM denial d JOIN entry e ON e.channel = d.channel AND e.count = d.count WHERE e.channel = :nation
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


QUESTIONS: Final = (
    Question(
        1,
        "received",
        "Who received a report, when, and under which rule?",
        f"""
        SELECT e.time, e.report, e.recipient, e.actor AS reader, e.detail AS use, {RULES} AS rules,
          e.idx AS "index" FROM entry e WHERE e.type = 'release' AND {WITHIN} ORDER BY e.idx
        """,
        limits="The reader's name is told to the reader's own nation only.",
    ),
    Question(
        2,
        "did",
        "What did this member do?",
        f"""
        SELECT e.time, e.type AS did, e.report, e.recipient, e.idx AS "index" FROM entry e
        WHERE {WITHIN} UNION
        SELECT e.time, s.type, e.report, e.author, e.idx FROM entry e
        JOIN statement s ON s.identity = e.statement
        WHERE e.channel = 'MISSION' AND s.signers GLOB '*' || :who || '*' AND {ANYTIME}
        ORDER BY 1, 5
        """,
        needs=("who",),
        limits="Of other nations' members the journal tells what they signed, not what they read.",
    ),
    Question(
        3,
        "disclosures",
        "What of ours went to a nation: date, recipient, what, why?",
        f"""
        SELECT e.time AS first_time, g.last_time, e.recipient, e.report, g.releases, g.use,
          {RULES} AS rules, e.idx AS "index"
        FROM (SELECT min(e.count) AS first, max(e.time) AS last_time, count(*) AS releases,
            group_concat(DISTINCT e.detail) AS use FROM entry e
          WHERE e.type = 'release' AND e.originator = :nation AND {WITHIN}
          GROUP BY e.recipient, e.report) g
        JOIN entry e ON e.channel = :nation AND e.count = g.first
        ORDER BY e.idx
        """,
    ),
    Question(
        4,
        "refusals",
        "What was refused or denied, by which rule, to whom?",
        f"""
        SELECT 'refused' AS what, e.slug AS why, NULL AS rules, e.detail AS nations,
          e.actor AS requester, count(*) AS times, max(e.time) AS last_time FROM entry e
        WHERE e.type = 'report.refused' AND {WITHIN} GROUP BY 2, 4, 5 UNION ALL
        SELECT 'denied', coalesce(d.because, 'not for this reader'), d.rules, d."to",
          coalesce(d.reader, d.kind), sum(d.times), max(d.last) * 1000 {DENIED} GROUP BY 2, 3, 4, 5
        ORDER BY 7 DESC
        """,
        limits="A denial is told with the next reading of the audit trail, at most once a day.",
    ),
    Question(
        5,
        "under-policy",
        "What was released under a version of the policy that was later found wrong?",
        f"""
        SELECT e.time, e.report, e.recipient, p.layer,
          json_extract(CAST(s.body AS TEXT), '$.version') AS version, p.statement,
          e.idx AS "index"
        FROM entry e JOIN policy p ON p.channel = e.channel AND p.count = e.count
        LEFT JOIN statement s ON s.identity = p.statement
        WHERE e.type = 'release' AND {WITHIN}
          AND ((length(:policy) >= 8 AND p.statement GLOB :policy || '*')
          OR (p.layer GLOB '*/' || :nation
            AND CAST(json_extract(CAST(s.body AS TEXT), '$.version') AS TEXT) = :policy))
        ORDER BY e.idx
        """,
        needs=("policy",),
        limits="Versions are numbers for your own policy; others' are named by their statement.",
    ),
    Question(
        6,
        "holders",
        "Who holds a report and what draws on it, was it recalled, and who confirmed?",
        f"""
        WITH held AS (
          SELECT e.* FROM entry e WHERE e.type = 'release' AND {WITHIN} UNION
          SELECT e.* FROM entry e JOIN drawn d ON d.channel = e.channel AND d.count = e.count
          WHERE e.channel = :nation AND d.source GLOB :report || '*')
        SELECT h.report, h.originator, h.recipient, max(h.time) AS last_time,
          (SELECT max(r.time) FROM entry r WHERE r.spoke = 'report.recall' AND r.report = h.report)
            AS recalled_time,
          (SELECT max(r.time) FROM entry r WHERE r.spoke = 'recall.confirm'
            AND r.report = h.report AND r.author = h.recipient) AS confirmed_time,
          max(h.idx) AS "index"
        FROM held h GROUP BY h.report, h.recipient ORDER BY h.report, h.recipient
        """,
        needs=("report",),
        limits="A nation that deleted what it held can only say so. Reports derived elsewhere show "
        "where the journal names their sources to you, one step deep.",
    ),
    Question(
        7,
        "changes",
        "Which policies, keys and roles changed, and who signed?",
        f"""
        SELECT e.time, s.type, s.nation, s.seq, s.signers, s.identity, e.idx AS "index"
        FROM entry e JOIN statement s ON s.identity = e.statement
        WHERE e.channel = 'MISSION' AND {ANYTIME} AND (:to IS NULL OR s.nation = :to)
          AND s.type NOT IN ('head.seen', 'report.complaint', 'approval', 'report.release')
        ORDER BY e.idx
        """,
    ),
    Question(
        8,
        "audits",
        "Who looked at our audit trail?",
        f"""
        SELECT e.actor AS reader, count(*) AS readings, min(e.time) AS first_time,
          max(e.time) AS last_time FROM entry e
        WHERE e.type = 'audit.read' AND {WITHIN} GROUP BY e.actor ORDER BY readings DESC
        """,
    ),
    Question(
        9,
        "operator",
        "What did the operator do?",
        f"""
        SELECT e.time, e.type AS did, e.detail AS version, e.idx AS "index" FROM entry e
        WHERE e.channel = 'MISSION' AND e.type <> 'statement' AND {ANYTIME} ORDER BY e.idx
        """,
    ),
    Question(
        10,
        "bulk",
        "Who got far more on one day than is usual (mean and four sigma)?",
        f"""
        WITH daily AS (
          SELECT coalesce(e.actor, e.recipient) AS who, e.time / 86400000 AS day, count(*) AS n
          FROM entry e WHERE e.type = 'release' AND {WITHIN} GROUP BY 1, 2),
        usual AS (SELECT avg(n) AS mean, avg(n * n) - avg(n) * avg(n) AS variance FROM daily)
        SELECT who, day * 86400000 AS day_time, n AS releases, round(mean, 1) AS mean
        FROM daily, usual
        WHERE n > mean AND (n - mean) * (n - mean) > 16 * variance AND variance > 0
        ORDER BY n DESC
        """,
        limits="Releases to a nation count once a report; readers are named for your own nation.",
    ),
    Question(
        11,
        "first-region",
        "Who asked for a region for the first time?",
        f"""
        SELECT min(e.time) AS first_time, e.actor AS reader, g.value AS region,
          e.detail AS subscription FROM entry e, json_each(e.view, '$.filter.regions') g
        WHERE e.type = 'subscription.set' AND {WITHIN} GROUP BY e.actor, g.value ORDER BY 1
        """,
        limits="What readers subscribed to. Releases do not say their region: labels are in the "
        "journal as digests.",
    ),
    Question(
        12,
        "no-purpose",
        "What was asked for without a purpose?",
        f"""
        SELECT e.time, e.actor AS reader, 'subscription ' || e.detail AS asked, e.idx AS "index"
        FROM entry e WHERE e.type = 'subscription.set' AND {WITHIN}
          AND json_extract(e.view, '$.filter.purpose') IS NULL ORDER BY e.idx
        """,
        limits="Subscriptions; releases do not record the purpose. There is no weak way to sign "
        "in: every request is signed with the member's own key.",
    ),
    Question(
        13,
        "then-denied",
        "What was released, and denied later?",
        f"""
        SELECT DISTINCT e.report, e.recipient, e.time AS released_time, d.first * 1000
          AS denied_time, d.because, d.rules, e.idx AS "index"
        FROM entry e JOIN denial d ON d.channel = e.channel AND d.report = e.report
          AND d."to" = e.recipient
        WHERE e.type = 'release' AND {WITHIN} AND d.last * 1000 > e.time ORDER BY e.idx
        """,
        limits="A denial is told with the next reading of the audit trail, at most once a day.",
    ),
    Question(
        14,
        "dormant",
        "Which member came back after a long silence?",
        f"""
        SELECT actor AS who, before AS silent_since_time, time AS back_time,
          (time - before) / 86400000 AS days FROM (
            SELECT e.actor, e.time, lag(e.time) OVER (PARTITION BY e.actor ORDER BY e.idx) AS before
            FROM entry e WHERE e.actor IS NOT NULL AND {WITHIN})
        WHERE time - before >= :days * 86400000 ORDER BY back_time
        """,
        needs=("days",),
        limits="Members of your own nation, and signers of your reports.",
    ),
    Question(
        15,
        "reciprocity",
        "What was given and taken, by nation and month?",
        f"""
        SELECT CASE WHEN e.originator = :nation THEN e.recipient ELSE e.originator END AS partner,
          strftime('%Y-%m', e.time / 1000, 'unixepoch') AS month,
          sum(e.originator = :nation) AS given, sum(e.recipient = :nation) AS taken FROM entry e
        WHERE e.type = 'release' AND e.originator <> e.recipient AND {WITHIN}
        GROUP BY 1, 2 ORDER BY 2, 1
        """,
    ),
    Question(
        16,
        "gaps",
        "Which numbers of our sequence are missing?",
        """
        SELECT e.count + 1 AS missing FROM entry e WHERE e.channel = :nation
          AND e.count + 1 < (SELECT count FROM channel WHERE channel = :nation)
          AND NOT EXISTS (SELECT 1 FROM entry n WHERE n.channel = :nation AND n.count = e.count + 1)
        """,
        limits="A pull refuses a history with gaps, so this finds a store that was changed.",
    ),
    Question(
        17,
        "outside",
        "What went out in our name to a nation that the accepted report did not name?",
        f"""
        SELECT e.time, e.report, e.recipient, e.accepted, a.idx AS accepted_index,
          (SELECT group_concat(b.banner, '; ') FROM banner b WHERE b.channel = e.channel
            AND b.count = e.count) AS banner, e.idx AS "index"
        FROM entry e LEFT JOIN entry a ON a.channel = e.channel AND a.idx = e.accepted
          AND a.type = 'report.accepted' AND a.report = e.report
        WHERE e.type = 'release' AND e.originator = :nation AND e.view IS NOT NULL AND {WITHIN}
          AND (a.idx IS NULL OR (a.view IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM portion n WHERE n.channel = a.channel AND n.count = a.count
              AND n.nation = e.recipient)))
        ORDER BY e.idx
        """,
        limits="The banner shows the caveats; whether a reader held them, his nation's policy "
        "answered.",
    ),
    Question(
        18,
        "timeline",
        "What happened around an entry, or a report?",
        """
        WITH middle AS (SELECT min(e.time) AS at FROM entry e WHERE
          (:index IS NULL OR e.idx = :index) AND (:report IS NULL OR e.report GLOB :report || '*'))
        SELECT e.time, e.channel, e.type, coalesce(e.spoke, e.detail) AS detail, e.report,
          coalesce(e.recipient, e.author) AS nation, e.actor, e.idx AS "index" FROM entry e, middle
        WHERE e.time BETWEEN at - :hours * 3600000 AND at + :hours * 3600000
          AND (e.channel = :nation OR NOT EXISTS (
            SELECT 1 FROM entry o WHERE o.channel = :nation AND o.idx = e.idx))
        ORDER BY e.idx
        """,
        needs=("hours",),
    ),
    Question(
        19,
        "complete",
        "Is our history complete, and the one that everybody sees?",
        """
        SELECT c.channel, c.count AS entries, c.complete, c.size, t.note AS checkpoint
        FROM channel c JOIN tree t ON t.size = c.size ORDER BY c.channel
        """,
        limits="That others see the same tree is shown by witnesses, or by comparing the root.",
    ),
    Question(
        20,
        "differences",
        "What did two nations record differently?",
        "",
        needs=("with",),
    ),
    Question(
        21,
        "erased",
        "What was erased, and by whose order?",
        f"""
        WITH told AS (SELECT e.*, json_extract(e.view, '$.order') AS named,
            json_extract(e.view, '$.first') AS first, json_extract(e.view, '$.until') AS until
          FROM entry e WHERE (e.type IN ('view.erased', 'report.expired', 'report.erased')
            OR e.spoke IN ('report.recall', 'recall.confirm')) AND {ANYTIME}
            AND (:report IS NULL OR e.report GLOB :report || '*')
            AND (e.channel = :nation OR NOT EXISTS (SELECT 1 FROM entry o
              WHERE o.channel = :nation AND o.idx = e.idx)))
        SELECT t.time, coalesce(t.spoke, t.type) AS what, t.report,
          coalesce(s.nation, t.author, t.channel) AS by_order_of,
          coalesce(t.named, t.statement) AS "order",
          json_extract(t.view, '$.before') * 1000 AS before_time, t.first, t.until,
          (SELECT count(*) FROM entry g WHERE g.channel = t.channel AND g.erased
            AND g.count >= t.first AND g.count < t.until) AS missing, t.idx AS "index"
        FROM told t LEFT JOIN statement s ON s.identity = t.named ORDER BY t.idx
        """,
        limits="Numbers from first to before until, in your own channel; missing are those that "
        "your evidence does not have from before. Of other nations: up to when.",
    ),
    Question(
        22,
        "proof",
        "What proves this one line?",
        """
        SELECT e.idx AS "index", e.channel, e.count, e.type, e.time, p.tree AS size,
          json_array_length(e.line, '$.proof') AS hashes, length(e.line) AS bytes FROM entry e
        JOIN page p ON p.number = e.page WHERE e.idx = :index ORDER BY e.channel
        """,
        needs=("index",),
        limits="tearline audit prove writes it to a file that anybody can verify.",
    ),
    Question(
        23,
        "why",
        "Why was this decided?",
        """
        SELECT e.idx AS "index", p.layer, r.rule, p.statement,
          json_extract(CAST(s.body AS TEXT), '$.version') AS version,
          (SELECT group_concat(l.value, char(10))
            FROM json_each(CAST(s.body AS TEXT), '$.release') l) AS policy
        FROM entry e JOIN policy p ON p.channel = e.channel AND p.count = e.count
        LEFT JOIN rule r ON r.channel = e.channel AND r.count = e.count AND r.layer = p.layer
        LEFT JOIN statement s ON s.identity = p.statement
        WHERE e.idx = :index AND e.channel = :nation ORDER BY p.layer, r.rule
        """,
        needs=("index",),
        limits="The rules that determined, and your own policy of that day. A replay needs the "
        "label, which you have with the report.",
    ),
    Question(
        24,
        "superseded",
        "What was released under a policy of ours that is no longer in force?",
        f"""
        WITH newest AS (SELECT identity FROM statement
          WHERE type = 'policy.publish' AND nation = :nation ORDER BY seq DESC LIMIT 1)
        SELECT e.time, e.report, e.recipient,
          json_extract(CAST(s.body AS TEXT), '$.version') AS version, e.idx AS "index"
        FROM entry e JOIN policy p ON p.channel = e.channel AND p.count = e.count
          AND p.layer = 'release/' || :nation
        LEFT JOIN statement s ON s.identity = p.statement
        WHERE e.type = 'release' AND {WITHIN} AND p.statement NOT IN (SELECT identity FROM newest)
        ORDER BY e.idx
        """,
        limits="Which of them today's policy would withhold cannot be replayed from the journal: "
        "labels are there as digests. These are the candidates.",
    ),
)

ENTRIES: Final = f"""
SELECT e.time, e.type, coalesce(e.spoke, e.detail) AS detail, e.report, e.originator, e.recipient,
  e.actor, e.idx AS "index" FROM entry e WHERE {WITHIN} ORDER BY e.idx
"""
"""What a filter alone asks for."""
