"""The auditor's twenty-four questions, as SQL over verified rows.

Times are Unix milliseconds. Every question may be narrowed by the words of `Asked`; those that a
question needs are named in `needs`. What the journal does not hold is said in `limits`, openly:
labels are there as digests only, so nobody can ask the journal for a region or a caveat.
"""

from typing import Final

from clients.evidence.question import AGAIN, ANYTIME, DENIED, RULES, WITHIN, Question, consented
from clients.evidence.questions_of_trail import OF_TRAIL

_OF_SHARING: Final = (
    Question(
        1,
        "received",
        "Who received a report, when, and under which rule?",
        f"""
        SELECT e.time, e.report, e.recipient, e.actor AS reader, e.detail AS use, {RULES} AS rules,
          e.idx AS "index" FROM fact e WHERE e.type = 'release' AND {WITHIN} ORDER BY e.count
        """,
        limits="The reader's name is told to the reader's own nation only.",
    ),
    Question(
        2,
        "did",
        "What did this member do?",
        f"""
        SELECT e.time, e.type AS did, e.report, e.recipient, e.idx AS "index" FROM fact e
        WHERE {WITHIN} UNION
        SELECT e.time, s.type, e.report, e.author, e.idx FROM fact e
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
        SELECT e.time AS first_time, (SELECT max(o.time) {AGAIN}) AS last_time, e.recipient,
          e.report, (SELECT count(*) {AGAIN}) AS releases,
          (SELECT group_concat(DISTINCT o.detail) {AGAIN}) AS use, {RULES} AS rules,
          e.idx AS "index"
        FROM fact e WHERE e.type = 'release' AND e.originator = :nation AND {WITHIN}
          AND NOT EXISTS (SELECT 1 {AGAIN} AND o.count < e.count)
        ORDER BY e.count
        """,
    ),
    Question(
        4,
        "refusals",
        "What was refused or denied, by which rule, to whom?",
        f"""
        SELECT 'refused' AS what, e.slug AS why, NULL AS rules, e.detail AS nations,
          e.actor AS requester, count(*) AS times, max(e.time) AS last_time FROM fact e
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
        FROM fact e JOIN part_policy p ON p.part = e.policies
        LEFT JOIN statement s ON s.identity = p.statement
        WHERE e.type = 'release' AND {WITHIN}
          AND ((length(:policy) >= 8 AND p.statement GLOB :policy || '*')
          OR (p.layer GLOB '*/' || :nation
            AND CAST(json_extract(CAST(s.body AS TEXT), '$.version') AS TEXT) = :policy))
        ORDER BY e.count
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
          SELECT e.* FROM fact e WHERE e.type = 'release' AND {WITHIN} UNION
          SELECT e.* FROM drawn d
          JOIN fact n ON n.channel = d.channel AND n.count = d.count
          JOIN fact e ON e.channel = n.channel AND e.report = n.report AND e.type = 'release'
          WHERE d.channel = :nation AND d.source GLOB :report || '*')
        SELECT h.report, h.originator, h.recipient, max(h.time) AS last_time,
          (SELECT max(r.time) FROM fact r WHERE r.spoke = 'report.recall' AND r.report = h.report)
            AS recalled_time,
          (SELECT max(r.time) FROM fact r WHERE r.spoke = 'recall.confirm'
            AND r.report = h.report AND r.author = h.recipient) AS confirmed_time,
          max(h.idx) AS "index"
        FROM held h GROUP BY h.report, h.recipient ORDER BY h.report, h.recipient
        """,
        needs=("report",),
        limits="A nation that deleted what it held can only say so. What draws on your reports "
        "shows however far away, on others' what you derived from them; protected sources as well.",
    ),
    Question(
        10,
        "bulk",
        "Who got far more on one day than is usual (mean and four sigma)?",
        f"""
        WITH daily AS (
          SELECT coalesce(e.actor, e.recipient) AS who, e.time / 86400000 AS day, count(*) AS n
          FROM fact e WHERE e.type = 'release' AND {WITHIN} GROUP BY 1, 2),
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
          AND json_extract(e.view, '$.filter.purpose') IS NULL ORDER BY e.count
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
        FROM fact e JOIN denial d ON d.channel = e.channel AND d.report = e.report
          AND d."to" = e.recipient
        WHERE e.type = 'release' AND {WITHIN} AND (d.last + 1) * 1000 > e.time ORDER BY e.count
        """,
        limits="A denial is told with the next reading of the audit trail, at most once a day, and "
        "by the second: one in the second of the release is shown as later.",
    ),
    Question(
        14,
        "dormant",
        "Which member came back after a long silence?",
        f"""
        SELECT actor AS who, before AS silent_since_time, time AS back_time,
          (time - before) / 86400000 AS days FROM (
            SELECT e.actor, e.time, lag(e.time) OVER (PARTITION BY e.actor ORDER BY e.idx) AS before
            FROM fact e WHERE e.actor IS NOT NULL AND {WITHIN})
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
          sum(e.originator = :nation) AS given, sum(e.recipient = :nation) AS taken FROM fact e
        WHERE e.type = 'release' AND e.originator <> e.recipient AND {WITHIN}
        GROUP BY 1, 2 ORDER BY 2, 1
        """,
    ),
    Question(
        17,
        "outside",
        "What went out in our name to a nation that neither its report nor a consent names?",
        f"""
        SELECT e.time, e.report, e.recipient, e.accepted, a.idx AS accepted_index,
          (SELECT group_concat(b.banner, '; ') FROM part_banner b WHERE b.part = e.banners)
            AS banner, e.idx AS "index"
        FROM fact e LEFT JOIN fact a ON a.channel = e.channel AND a.idx = e.accepted
          AND a.type = 'report.accepted' AND a.report = e.report
        WHERE e.type = 'release' AND e.originator = :nation AND NOT e.erased AND {WITHIN}
          AND (a.idx IS NULL OR (NOT a.erased AND NOT EXISTS (
            SELECT 1 FROM portion n WHERE n.channel = a.channel AND n.count = a.count
              AND n.nation = e.recipient) AND NOT {consented("e")}))
        ORDER BY e.count
        """,
        limits="The banner shows the caveats; whether a reader held them, his nation's policy "
        "answered.",
    ),
)

QUESTIONS: Final[tuple[Question, ...]] = tuple(
    sorted((*_OF_SHARING, *OF_TRAIL), key=lambda question: question.number)
)

ENTRIES: Final = f"""
SELECT e.time, e.type, coalesce(e.spoke, e.detail) AS detail, e.report, e.originator, e.recipient,
  e.actor, e.idx AS "index" FROM fact e WHERE {WITHIN} ORDER BY e.count
"""
"""What a filter alone asks for."""
