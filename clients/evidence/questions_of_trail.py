"""Questions about the trail itself: who changed what, who looked, is it whole, what was erased."""

from typing import Final

from clients.evidence.question import ANYTIME, WITHIN, Question

OF_TRAIL: Final = (
    Question(
        7,
        "changes",
        "Which policies, keys and roles changed, and who signed?",
        f"""
        SELECT e.time, s.type, s.nation, s.seq, s.signers, s.identity, e.idx AS "index"
        FROM fact e JOIN statement s ON s.identity = e.statement
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
          max(e.time) AS last_time FROM fact e
        WHERE e.type = 'audit.read' AND {WITHIN} GROUP BY e.actor ORDER BY readings DESC
        """,
    ),
    Question(
        9,
        "operator",
        "What did the operator do?",
        f"""
        SELECT e.time, e.type AS did, e.detail AS version, e.idx AS "index" FROM fact e
        WHERE e.channel = 'MISSION' AND e.type <> 'statement' AND {ANYTIME} ORDER BY e.idx
        """,
    ),
    Question(
        16,
        "gaps",
        "Which numbers of our sequence are missing?",
        """
        SELECT e.count + 1 AS missing FROM fact e WHERE e.channel = :nation
          AND e.count + 1 < (SELECT count FROM channel WHERE channel = :nation)
          AND NOT EXISTS (SELECT 1 FROM fact n WHERE n.channel = :nation AND n.count = e.count + 1)
        """,
        limits="A pull refuses a history with gaps, so this finds a store that was changed.",
    ),
    Question(
        18,
        "timeline",
        "What happened around an entry, or a report?",
        """
        WITH middle AS (SELECT min(e.time) AS at FROM fact e WHERE
          (:index IS NULL OR e.idx = :index) AND (:report IS NULL OR e.report GLOB :report || '*'))
        SELECT e.time, e.channel, e.type, coalesce(e.spoke, e.detail) AS detail, e.report,
          coalesce(e.recipient, e.author) AS nation, e.actor, e.idx AS "index" FROM fact e, middle
        WHERE e.time BETWEEN at - :hours * 3600000 AND at + :hours * 3600000
          AND (e.channel = :nation OR NOT EXISTS (
            SELECT 1 FROM fact o WHERE o.channel = :nation AND o.idx = e.idx))
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
        WITH told AS (SELECT e.time, e.channel, e.type, e.spoke, e.report, e.author,
            e.statement, e.idx, e.view, json_extract(e.view, '$.order') AS named,
            json_extract(e.view, '$.first') AS first, json_extract(e.view, '$.until') AS until
          FROM entry e WHERE (e.type IN ('view.erased', 'report.expired', 'report.erased')
            OR e.spoke IN ('report.recall', 'recall.confirm')) AND {ANYTIME}
            AND (:report IS NULL OR e.report GLOB :report || '*')
            AND (e.channel = :nation OR NOT EXISTS (SELECT 1 FROM fact o
              WHERE o.channel = :nation AND o.idx = e.idx)))
        SELECT t.time, coalesce(t.spoke, t.type) AS what, t.report,
          coalesce(s.nation, t.author, t.channel) AS by_order_of,
          coalesce(t.named, t.statement) AS "order",
          json_extract(t.view, '$.before') * 1000 AS before_time, t.first, t.until,
          (SELECT count(*) FROM fact g WHERE g.channel = t.channel AND g.erased
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
        FROM fact e JOIN part_policy p ON p.part = e.policies
        LEFT JOIN part_rule r ON r.part = e.rules AND r.layer = p.layer
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
        FROM fact e JOIN part_policy p ON p.part = e.policies
          AND p.layer = 'release/' || :nation
        LEFT JOIN statement s ON s.identity = p.statement
        WHERE e.type = 'release' AND {WITHIN} AND p.statement NOT IN (SELECT identity FROM newest)
        ORDER BY e.count
        """,
        limits="Which of them today's policy would withhold cannot be replayed from the journal: "
        "labels are there as digests. These are the candidates.",
    ),
)
