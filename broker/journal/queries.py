"""Every question the broker may ask its journal, by name. Rows come as tuples in the order written.

"After" is exclusive, so the last index of a page is the `after` of the next one.
"""

from typing import Final

_REPORT: Final = "SELECT idx, id, identity, originator, signer, created, raw FROM report"
_STATEMENT: Final = "SELECT idx, identity, nation, seq, raw FROM statement"
_SUBSCRIPTION: Final = "SELECT member, name, body, idx FROM subscription"
_ATTACHMENT: Final = "SELECT identity, portion, id, sha256, length, received FROM attachment"

QUERIES: Final[dict[str, str]] = {
    "reports_after": f"{_REPORT} WHERE idx > ? ORDER BY idx LIMIT ?",
    # -> report index, raw, and the link of its entry, which has the time; after, how many
    "reports_dated": """SELECT report.idx, raw, link.body FROM report
        JOIN link ON link.at = report.idx * 256
        WHERE report.idx > ? ORDER BY report.idx LIMIT ?""",
    # JSON list of report indices -> report index, raw
    "reports_at": "SELECT idx, raw FROM report WHERE idx IN (SELECT value FROM json_each(?))",
    "report_by_index": f"{_REPORT} WHERE idx = ?",
    # -> report index, identity; after, how many
    "report_identities": "SELECT idx, identity FROM report WHERE idx > ? ORDER BY idx LIMIT ?",
    # report index, nation -> portion, index of the release entry
    "releases_of": """SELECT portion, idx FROM release
        WHERE report_idx = ? AND nation = ? ORDER BY portion""",
    # nation, first and last report index -> report index, portion, index of the release entry
    "releases_between": """SELECT report_idx, portion, idx FROM release
        WHERE nation = ? AND report_idx BETWEEN ? AND ? ORDER BY report_idx, portion""",
    # -> report index, nation, portions as a bit set, index of the release entry; after, how many
    "releases_after": """SELECT report_idx, nation, portion, idx FROM release
        WHERE idx > ? ORDER BY idx LIMIT ?""",
    # -> report index, when it was last deleted from
    "erased": "SELECT report_idx, max(idx) FROM erasure GROUP BY report_idx",
    # channel, number of its entry, how many -> place, number, time (ms) and type of its entries
    # from there on that have their views
    "views_from": """SELECT link.at, count, json_extract(CAST(link.body AS TEXT), '$.time'),
            json_extract(CAST(link.body AS TEXT), '$.type')
        FROM link JOIN view ON view.at = link.at
        WHERE channel = ? AND count >= ? AND erased IS NULL ORDER BY count LIMIT ?""",
    # -> the newest sweep of every channel: until, below, before
    "sweeps": """SELECT channel, until, below, before FROM sweep
        WHERE idx IN (SELECT max(idx) FROM sweep GROUP BY channel)""",
    "reports_since": "SELECT count(*) FROM report WHERE idx >= ?",
    # reports that were deleted from by this entry or a later one, some of them twice
    "erased_since": "SELECT report_idx FROM erasure WHERE idx >= ?",
    # reports accepted before the second entry that were released by the first or a later one
    "released_since": "SELECT report_idx FROM release WHERE idx >= ? AND report_idx < ?",
    "statements": f"{_STATEMENT} ORDER BY idx",
    # -> statement index, raw, and the link of its entry, which has the time; after, how many
    "statements_dated": """SELECT statement.idx, raw, link.body FROM statement
        JOIN link ON link.at = statement.idx * 256
        WHERE statement.idx > ? ORDER BY statement.idx LIMIT ?""",
    # -> statement index, raw, and the time of its entry (ms); after, how many
    "statements_timed": """SELECT statement.idx, raw,
            json_extract(CAST(link.body AS TEXT), '$.time')
        FROM statement JOIN link ON link.at = statement.idx * 256
        WHERE statement.idx > ? ORDER BY statement.idx LIMIT ?""",
    "statements_after": f"{_STATEMENT} WHERE idx > ? ORDER BY idx LIMIT ?",
    "statement_by_identity": f"{_STATEMENT} WHERE identity = ?",
    "subscriptions": f"{_SUBSCRIPTION} ORDER BY member, name",
    "subscriptions_of": f"{_SUBSCRIPTION} WHERE member = ? ORDER BY name",
    "cursor": "SELECT position FROM cursor WHERE member = ? AND name = ?",
    "cursors": "SELECT member, name, position FROM cursor ORDER BY member, name",
    "denials": "SELECT channel, asker, body, first, last, times FROM denial ORDER BY first",
    "attachments": f"{_ATTACHMENT} ORDER BY identity, portion, id",
    "attachments_of": f"{_ATTACHMENT} WHERE identity = ? ORDER BY portion, id",
    "attachment": f"{_ATTACHMENT} WHERE identity = ? AND portion = ? AND id = ?",
    "heads": "SELECT size, note FROM head ORDER BY size",
    # -> reports, statements, releases, subscriptions, attachments
    "counts": """SELECT (SELECT count(*) FROM report), (SELECT count(*) FROM statement),
        (SELECT count(*) FROM release), (SELECT count(*) FROM subscription),
        (SELECT count(*) FROM attachment)""",
}  # fmt: skip
