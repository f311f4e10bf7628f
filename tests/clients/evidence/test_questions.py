"""The twenty-four questions, each asked of a real little history."""

from typing import Any

import pytest

from clients.evidence import answers
from clients.evidence.answers import Asked
from clients.evidence.questions import QUESTIONS
from tests.clients.evidence.little_history import Told
from tests.refusal import refused

Rows = list[dict[str, Any]]


def ask(told: Told, name: str | None, nation: str = "KEN", **words: Any) -> Rows:
    with told.desks[nation].store() as store:
        question = None if name is None else answers.find(name)
        return [dict(row) for row in answers.ask(store, nation, question, Asked(**words)).rows]


def test_there_are_twenty_four_and_each_has_its_number_and_name() -> None:
    assert [question.number for question in QUESTIONS] == list(range(1, 25))
    assert len({question.name for question in QUESTIONS}) == 24
    assert answers.find("7") is answers.find("changes")
    with refused("bad-input", "no question"):
        answers.find("25")


def test_1_who_received_a_report_when_and_under_which_rule(told: Told) -> None:
    rows = ask(told, "received", report=told.shared[0][:12])
    rows = [row for row in rows if row["recipient"] != "KEN"]
    assert [row["recipient"] for row in rows] == ["GBR", "FRA"]
    assert all("KEN/release-all" in row["rules"] for row in rows)
    assert rows[0]["reader"] is None, "another nation's reader is not told"
    assert ask(told, "1", "GBR", report=told.shared[0])[0]["reader"]


def test_2_what_a_member_did(told: Told) -> None:
    done = [row["did"] for row in ask(told, "did", who=told.lost)]
    assert {"release", "subscription.set"} <= set(done)
    officer = told.pilot.device("KEN", "officer").kid
    signed = [row["did"] for row in ask(told, "2", who=officer)]
    assert {"policy.publish", "report.recall", "member.revoke"} <= set(signed)
    with refused("bad-input", "needs --who"):
        ask(told, "did")


def test_3_the_account_of_disclosures(told: Told) -> None:
    rows = ask(told, "disclosures", to="GBR")
    assert {row["report"] for row in rows} == {*told.shared, told.recalled}
    assert ask(told, "3", "GBR", to="FRA") == []


def test_4_what_was_refused_or_denied_by_which_rule(told: Told) -> None:
    rows = ask(told, "refusals")
    published = [row for row in rows if row["what"] == "refused"]
    assert [(row["why"], row["nations"], row["times"]) for row in published] == [
        ("withheld", "FRA", 1)
    ]
    denied = [row for row in rows if row["what"] == "denied" and row["nations"] == "FRA"]
    assert any("KEN/closed" in str(row["rules"]) for row in denied)


def test_5_what_was_released_under_a_version_of_the_policy(told: Told) -> None:
    first = ask(told, "under-policy", policy="1", to="GBR")
    assert {row["report"] for row in first} >= set(told.shared)
    assert ask(told, "5", policy="2", to="FRA") == []
    named = first[0]["statement"]
    assert len(ask(told, "5", policy=named[:16], to="GBR")) == len(
        [row for row in first if row["statement"] == named]
    )


def test_6_who_holds_a_report_that_was_recalled(told: Told) -> None:
    rows = ask(told, "holders", report=told.recalled)
    (britain,) = (row for row in rows if row["recipient"] == "GBR")
    assert britain["confirmed_time"] >= britain["recalled_time"] > britain["last_time"]
    assert all(row["recalled_time"] is None for row in ask(told, "6", report=told.shared[0]))


def test_6_what_draws_on_it_shows_as_well(told: Told) -> None:
    with told.desks["KEN"].store() as store:
        store._database.execute("BEGIN")
        where = store.one("SELECT channel, count FROM entry WHERE report = ?", told.given_back)
        assert where is not None
        row = (where["channel"], where["count"], told.shared[0])
        store._database.execute("INSERT INTO drawn VALUES(?, ?, ?)", row)
        asked = Asked(report=told.shared[0])
        found = answers.ask(store, "KEN", answers.find("holders"), asked).rows
        store._database.execute("ROLLBACK")
    assert (told.given_back, "GBR") in {(row["report"], row["originator"]) for row in found}


def test_7_policies_keys_and_roles_changed_and_who_signed(told: Told) -> None:
    rows = ask(told, "changes", to="KEN")
    kinds = [row["type"] for row in rows]
    assert kinds.count("policy.publish") == 2
    assert {"member.revoke", "epoch.open", "role.set"} <= set(kinds)
    assert all(row["signers"] for row in rows)


def test_8_who_looked_at_the_audit_trail(told: Told) -> None:
    rows = ask(told, "audits")
    assert [row["reader"] for row in rows] == [told.pilot.device("KEN", "auditor").kid]
    assert rows[0]["readings"] >= 2


def test_9_what_the_operator_did(told: Told) -> None:
    assert [row["did"] for row in ask(told, "operator")] == ["operator.start"]


def test_10_who_got_far_more_than_is_usual(told: Told) -> None:
    """A day like every other is not bulk; one far beyond four sigma is."""
    assert ask(told, "bulk") == []
    with told.desks["KEN"].store() as store:
        database = store._database
        database.execute("BEGIN")
        columns = "channel, count, idx, page, time, type, erased, line, recipient"
        day = 86_400_000
        made = [
            ("KEN", 10_000 + i, 1, 1, d * day + i, "release", 0, 1, f"N{i}")
            for i, d in enumerate([d for d in range(40) for _ in range(2)] + [41] * 90)
        ]
        marks = ", ".join("?" * 9)
        database.executemany(f"INSERT INTO fact({columns}) VALUES({marks})", made)
        database.execute("UPDATE fact SET recipient = 'XXX' WHERE count >= 10000")
        found = [dict(r) for r in answers.ask(store, "KEN", answers.find("10"), Asked()).rows]
        database.execute("ROLLBACK")
    assert [(row["who"], row["releases"]) for row in found] == [("XXX", 90)]


def test_11_who_asked_for_a_region_first(told: Told) -> None:
    rows = ask(told, "first-region")
    assert [(row["reader"], row["region"], row["subscription"]) for row in rows] == [
        (told.lost, "KE", "ours")
    ]


def test_12_what_was_asked_for_without_a_purpose(told: Told) -> None:
    assert [row["asked"] for row in ask(told, "no-purpose")] == ["subscription ours"]


def test_13_what_was_released_and_denied_later(told: Told) -> None:
    rows = ask(told, "then-denied")
    assert {(row["report"], row["recipient"]) for row in rows} >= {(told.shared[0], "FRA")}


def test_14_who_came_back_after_a_silence(told: Told) -> None:
    assert ask(told, "dormant", days=25) == []
    assert told.lost in {row["who"] for row in ask(told, "14", days=0)}


def test_15_what_was_given_and_taken(told: Told) -> None:
    rows = {row["partner"]: (row["given"], row["taken"]) for row in ask(told, "reciprocity")}
    assert rows == {"GBR": (3, 1), "FRA": (2, 0)}


def test_16_no_number_is_missing_and_a_hole_is_found(told: Told) -> None:
    assert ask(told, "gaps") == []
    with told.desks["KEN"].store() as store:
        store._database.execute("BEGIN")
        store._database.execute("DELETE FROM fact WHERE channel = 'KEN' AND count = 3")
        found = answers.ask(store, "KEN", answers.find("16"), Asked()).rows
        store._database.execute("ROLLBACK")
    assert [row["missing"] for row in found] == [3]


def test_17_nothing_went_where_it_was_not_sent(told: Told) -> None:
    assert ask(told, "outside") == []
    with told.desks["KEN"].store() as store:
        banners = {row["banner"] for row in store.rows("SELECT banner FROM banner")}
    assert any("RESTRICTED//KEN" in banner for banner in banners)
    with told.desks["KEN"].store() as store:
        store._database.execute("BEGIN")
        store._database.execute("DELETE FROM portion WHERE nation = 'FRA'")
        found = answers.ask(store, "KEN", answers.find("17"), Asked()).rows
        store._database.execute("ROLLBACK")
    assert {row["recipient"] for row in found} == {"FRA"}


def test_18_the_timeline_around_a_report(told: Told) -> None:
    rows = ask(told, "timeline", report=told.recalled)
    kinds = {row["type"] for row in rows}
    assert {"release", "report.accepted", "statement"} <= kinds
    indices = [row["index"] for row in rows]
    assert indices == sorted(set(indices)), "an event in both channels is told once"


def test_19_the_history_is_complete(told: Told) -> None:
    rows = {row["channel"]: row for row in ask(told, "complete")}
    assert rows.keys() == {"MISSION", "KEN"}
    assert all(row["complete"] and row["entries"] > 0 for row in rows.values())


def test_20_takes_a_partners_history(told: Told) -> None:
    with refused("bad-input", "needs --with"):
        ask(told, "differences")


def test_21_what_was_erased_or_recalled_by_whose_order(told: Told) -> None:
    rows = ask(told, "erased")
    assert (told.recalled, "KEN") in {(row["report"], row["by_order_of"]) for row in rows}


def test_22_what_proves_one_line(told: Told) -> None:
    (index,) = (row["index"] for row in ask(told, "received", report=told.recalled, to="GBR"))
    (row,) = ask(told, "proof", index=index)
    assert row["index"] == index < row["size"]
    assert 0 < row["hashes"] < 64


def test_23_why_it_was_decided(told: Told) -> None:
    (index,) = (row["index"] for row in ask(told, "received", report=told.shared[0], to="FRA"))
    (ours,) = (row for row in ask(told, "why", index=index) if row["layer"] == "release/KEN")
    assert (ours["rule"], ours["version"]) == ("KEN/release-all", 1)
    assert "KEN/release-all" in ours["policy"]
    assert "KEN/closed" not in ours["policy"], "the policy of that day, not of today"


def test_24_what_was_released_under_a_policy_that_is_no_longer_in_force(told: Told) -> None:
    rows = ask(told, "superseded", to="FRA")
    assert {row["report"] for row in rows} == set(told.shared)
    assert {row["version"] for row in rows} == {1}


def test_a_filter_alone_lists_entries(told: Told) -> None:
    rows = ask(told, None, type="release", to="FRA")
    assert {row["report"] for row in rows} == set(told.shared)
    assert ask(told, None, until=1) == []
    assert ask(told, None, since=1)
    assert {row["type"] for row in ask(told, None, who=told.lost[:10])} >= {"release"}


@pytest.mark.slow
@pytest.mark.parametrize("nation", ["GBR", "FRA"])
def test_every_question_can_be_asked_by_every_nation(told: Told, nation: str) -> None:
    (any_,) = ask(told, None, nation, report=told.shared[0], type="release", limit=1)
    words = {"report": told.shared[0], "who": "ab", "policy": "1", "index": any_["index"]}
    for question in QUESTIONS:
        if question.sql:
            ask(told, question.name, nation, **words)


def test_nobodys_answers_name_what_does_not_concern_him(told: Told) -> None:
    """France's evidence knows nothing of what Britain gave back to Kenya."""
    with told.desks["FRA"].store() as store:
        everything = "".join(row["view"] or "" for row in store.rows("SELECT view FROM entry"))
    assert told.given_back not in everything
    assert told.shared[0] in everything


def test_nothing_is_said_of_a_nation_that_never_was_there(told: Told) -> None:
    """Expect refusal: "nothing went to it" would read like an answer, and it is a slip."""
    for name in ("disclosures", "received", None):
        with refused("bad-input", "no nation `GBT`"):
            ask(told, name, to="GBT")


@pytest.mark.parametrize("nation", ["KEN", "FRA"])
def test_nothing_is_said_of_reports_and_entries_that_are_not_there(told: Told, nation: str) -> None:
    """Expect refusal, the same for what nobody has and for what does not concern who asks."""
    with told.desks["GBR"].store() as store:
        found = store.one("SELECT idx FROM fact WHERE report = ?", told.given_back)
    assert found is not None
    others = [] if nation == "KEN" else [{"report": told.given_back}, {"index": found["idx"]}]
    (any_,) = ask(told, None, nation, report=told.shared[0], type="release", limit=1)
    unknown: list[dict[str, Any]] = [
        *others,
        {"report": "zz"},
        {"report": "f" * 64},
        {"index": 99_999},
    ]
    for words in unknown:
        for name in ("holders", "received", "why", None):
            needed = {"report": told.shared[0], "index": any_["index"]} | words
            what = "report" if "report" in words else "entry"
            with refused("bad-input", f"no {what} `.*` in your evidence, as far as it was pulled"):
                ask(told, name, nation, **needed)
