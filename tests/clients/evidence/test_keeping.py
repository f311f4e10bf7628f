"""How evidence is kept: small, each thing once, and all of it there again when it is asked for."""

import json
from collections import defaultdict
from typing import Any

import pytest

from clients.evidence import answers
from clients.evidence.answers import Asked
from clients.evidence.questions import QUESTIONS
from clients.evidence.store import EvidenceStore
from tests.clients.evidence.little_history import NATIONS, Told
from wire import strict_json
from wire.base64_strict import decode
from wire.evidence import Evidence


def whole(store: EvidenceStore) -> list[dict[str, Any]]:
    """Every entry, with its view as JSON."""
    rows = [dict(row) for row in store.rows("SELECT * FROM entry ORDER BY channel, count")]
    for row in rows:
        row["view"] = json.loads(row["view"] or "{}")
    return rows


@pytest.mark.parametrize("nation", NATIONS)
def test_every_line_is_evidence_of_its_entry(told: Told, nation: str) -> None:
    with told.desks[nation].store() as store:
        for row in whole(store):
            evidence = strict_json.load(row["line"].encode(), Evidence, limit=1 << 20, prose=True)
            assert evidence == store.evidence(row["channel"], row["count"])
            assert evidence.model_dump_json() == row["line"]
            assert (evidence.index, evidence.checkpoint) == (row["idx"], None)
            assert json.loads(decode(evidence.view or "")) == row["view"]


@pytest.mark.parametrize("nation", NATIONS)
def test_rules_policies_and_banners_are_those_of_the_views(told: Told, nation: str) -> None:
    """They are kept once for many entries, and told for each."""
    with told.desks[nation].store() as store:
        for row in whole(store):
            view, where = row["view"], (row["channel"], row["count"])
            rules = [(k, r) for k, each in view.get("rules", {}).items() for r in each]
            policies = list(view.get("policies", {}).items())
            banners = [(each["banner"],) for each in view.get("marked", [])]
            for table, columns, expected in (
                ("rule", "layer, rule", rules),
                ("policy", "layer, statement", policies),
                ("banner", "banner", banners),
            ):
                sql = f"SELECT {columns} FROM {table} WHERE channel = ? AND count = ?"
                assert [tuple(found.values()) for found in store.rows(sql, *where)] == expected
        parts = store.one("SELECT count(*) AS n, count(DISTINCT text) AS different FROM part")
        shared = store.one("SELECT count(policies) AS n FROM fact")
    assert parts is not None
    assert shared is not None
    assert parts["n"] == parts["different"] <= 3 * shared["n"]


def test_a_part_that_an_earlier_pull_kept_is_not_kept_again(told: Told) -> None:
    with told.desks["KEN"].store() as store:
        database = store._database
        database.execute("BEGIN")
        row = store.one("SELECT text FROM part WHERE text LIKE '%part_rule%' LIMIT 1")
        assert row is not None
        table, texts = json.loads(row["text"])
        number = store._part(table, tuple(map(tuple, texts)))
        database.execute("ROLLBACK")
        known = store.one("SELECT number FROM part WHERE text = ?", row["text"])
    assert known is not None
    assert number == known["number"]


def test_the_account_of_disclosures_is_what_counting_gives(told: Told) -> None:
    with told.desks["KEN"].store() as store:
        counted: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for row in whole(store):
            if row["type"] == "release" and row["originator"] == row["channel"] == "KEN":
                counted[row["recipient"], row["report"]].append(row)
        account = answers.ask(store, "KEN", answers.find("disclosures"), Asked()).rows
    found = {(row["recipient"], row["report"]): row for row in account}
    assert found.keys() == counted.keys()
    for pair, rows in counted.items():
        told_of = found[pair]
        assert (told_of["index"], told_of["releases"]) == (rows[0]["idx"], len(rows))
        assert (told_of["first_time"], told_of["last_time"]) == (rows[0]["time"], rows[-1]["time"])
        assert set(told_of["use"].split(",")) == {row["detail"] for row in rows}


def test_a_long_answer_is_cut_and_says_so(told: Told) -> None:
    with told.desks["KEN"].store() as store:
        for question in [None, *QUESTIONS]:
            if question is not None and (question.needs or not question.sql):
                continue
            rows = answers.ask(store, "KEN", question, Asked()).rows
            for limit in (1, len(rows), len(rows) + 1):
                cut = answers.ask(store, "KEN", question, Asked(limit=limit))
                assert cut.rows == rows[:limit]
                assert cut.more == (len(rows) > limit)
