"""What the console answers, and that one nation's says nothing of another's."""

import json
import re
from pathlib import Path

import pytest

from clients.console import api, labels
from clients.console.labels import Held
from clients.evidence import answers
from clients.evidence.answers import Asked
from clients.evidence.questions import QUESTIONS
from tests.clients.console.serving import desk_of, serving
from tests.clients.evidence.little_history import Told
from tests.pilot import draft
from tests.refusal import refused
from wire import report as frames


def answer(told: Told, path: str, nation: str = "KEN", **query: str) -> api.Answer:
    return api.answer(desk_of(told.desks[nation].identity), path, query)


@pytest.mark.slow
def test_the_overview_says_what_the_command_says_and_more(told: Told) -> None:
    found = answer(told, "status")
    assert (found["good"], found["complete"], found["recheck"]) == (True, True, "")
    assert found["nations"] == ["KEN", "GBR", "FRA"]
    assert found["quorum"] == 2
    assert sum(row["entries"] for row in found["types"]) == found["entries"]


@pytest.mark.slow
def test_the_matrix_counts_reports_not_releases(told: Told) -> None:
    pairs = {(p["originator"], p["recipient"]): p for p in answer(told, "sharing")["pairs"]}
    assert pairs["KEN", "GBR"]["reports"] == 3
    assert pairs["KEN", "FRA"]["reports"] == 2
    assert pairs["GBR", "KEN"]["reports"] == 1
    assert ("FRA", "GBR") not in pairs


def test_flows_say_what_the_journal_says_and_no_more(told: Told) -> None:
    """The precedence stands in a release; region and threat are there as digests only."""
    flows = answer(told, "sharing")["flows"]
    assert {flow["precedence"] for flow in flows} == {"ROUTINE"}
    assert all(flow["label"] is None for flow in flows)


@pytest.mark.anyio
async def test_a_report_that_is_held_says_its_label(told: Told, tmp_path: Path) -> None:
    async with told.pilot.publisher("KEN") as publisher:
        sealed = await publisher.seal(draft(regions={"KE", "SO"}, threats={"conflict.clash"}))
    (tmp_path / "one.tlr").write_bytes(sealed.raw)
    held = {sealed.identity: Held(("RESTRICTED",), ("KE", "SO"), ("conflict.clash",))}
    assert labels.read(tmp_path) == held


@pytest.mark.anyio
async def test_a_label_of_another_report_is_refused(told: Told, tmp_path: Path) -> None:
    """Expect refusal: the head commits to its own portions."""
    async with told.pilot.publisher("KEN") as publisher:
        one = frames.parse((await publisher.seal(draft(regions={"KE"}))).raw)
        two = frames.parse((await publisher.seal(draft(regions={"SO"}))).raw)
    portions = [portion.encode() for portion in two.portions]
    mixed = b"".join((one.head, frames.signature_block(one.signature), *portions))
    (tmp_path / "mixed.tlr").write_bytes(mixed)
    with refused("bad-input", "mixed.tlr.*does not commit to"):
        labels.read(tmp_path)
    (tmp_path / "mixed.tlr").write_bytes(b"TLR1 no")
    with refused("bad-input", "mixed.tlr"):
        labels.read(tmp_path)


def test_the_timeline_marks_what_changed(told: Told) -> None:
    found = answer(told, "timeline")
    marks = [(m["what"], m["nation"]) for m in found["marks"]]
    assert marks.count(("policy.publish", "KEN")) == 2
    assert ("report.recall", "KEN") in marks
    assert ("member.revoke", "KEN") in marks
    whole = sum(step["entries"] for step in found["pace"])
    assert whole == answer(told, "status")["entries"]


def test_recalls_of_others_are_no_marks(told: Told) -> None:
    """That some report was recalled is for all to see; which is not, and it says nothing."""
    marks = [m["what"] for m in answer(told, "timeline", "FRA")["marks"]]
    assert "report.recall" not in marks


def test_denials_have_their_rule_and_the_entry_that_tells_of_them(told: Told) -> None:
    found = answer(told, "denials")
    assert [row["why"] for row in found["refused"]] == ["withheld"]
    (denied,) = [row for row in found["denied"] if row["to"] == "FRA"]
    assert "KEN/closed" in denied["rules"]
    assert answer(told, f"entry/{denied['index']}")["shown"][0]["facts"]["type"] == "audit.read"


def test_a_life_goes_from_acceptance_to_recall(told: Told) -> None:
    found = answer(told, f"report/{told.recalled}")
    kinds = [step["spoke"] or step["type"] for step in found["life"]]
    assert kinds[0] == "report.accepted"
    assert kinds.index("release") < kinds.index("report.recall") < kinds.index("recall.confirm")
    assert {p["outcome"] for p in found["portions"]} == {"RELEASE"}


@pytest.mark.slow
def test_every_index_that_is_told_leads_to_an_entry(told: Told) -> None:
    """Every mark and every row links to its entry and proof."""
    paths = ["status", "sharing", "timeline", "denials", "watchers", "reports", "entries"]
    paths += [f"report/{told.recalled}", f"report/{told.shared[0]}", "question/received"]
    text = json.dumps([answer(told, path) for path in paths])
    indexes = set(map(int, re.findall(r'"index": (\d+)', text)))
    assert len(indexes) > 20
    for index in indexes:
        assert answer(told, f"entry/{index}")["index"] == index


@pytest.mark.slow
def test_entries_come_newest_first_and_page_by_page(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = [row["index"] for row in answer(told, "entries")["entries"]]
    assert whole == sorted(whole, reverse=True)
    monkeypatch.setattr(api, "PAGE", 7)
    found: list[int] = []
    before: dict[str, str] = {}
    while True:
        page = answer(told, "entries", **before)
        found += [row["index"] for row in page["entries"]]
        if page["next"] is None:
            break
        before = {"before": str(page["next"])}
    assert found == whole


@pytest.mark.slow
def test_filters_narrow(told: Told) -> None:
    rows = answer(told, "entries", type="release", originator="KEN", to="FRA")["entries"]
    assert {row["report"] for row in rows} == set(told.shared)
    both = answer(told, "entries", mission="1")["entries"]
    assert {row["channel"] for row in both} == {"KEN", "MISSION"}
    assert answer(told, "entries", since="99999999999999")["entries"] == []


@pytest.mark.slow
def test_questions_are_those_of_the_command(told: Told) -> None:
    asked = Asked(report=told.shared[0], limit=1)
    with told.desks["KEN"].store() as store:
        (first,) = answers.ask(store, "KEN", None, asked).rows
    index = str(first["index"])
    words = {"report": told.shared[0], "who": "ab", "policy": "1", "index": index, "to": ""}
    assert len(answer(told, "questions")["questions"]) == 24
    for question in QUESTIONS:
        if question.sql:
            assert answer(told, f"question/{question.name}", **words)["number"] == question.number
    with refused("bad-input", "reconcile"):
        answer(told, "question/differences")
    with refused("bad-input", "needs --who"):
        answer(told, "question/did")
    with refused("bad-input", "plain number"):
        answer(told, "question/dormant", days="-1")


@pytest.mark.slow
@pytest.mark.parametrize("path", ["", "nothing", "status/x", "entry", "report/ab", "entries/1"])
def test_there_is_nothing_else(told: Told, path: str) -> None:
    with refused("not-found"):
        answer(told, path)


@pytest.mark.slow
def test_an_entry_of_others_is_like_none(told: Told) -> None:
    """Expect not-found, the same bytes, for an index of another nation and for no index at all."""
    with told.desks["GBR"].store() as store:
        sql = "SELECT idx FROM entry WHERE channel = 'GBR' AND report = ? AND type = 'release'"
        row = store.one(sql, told.given_back)
    assert row is not None
    with serving(desk_of(told.desks["FRA"].identity)) as console:
        console.signed_in()
        answers = [console.get(path) for path in (f"entry/{row['idx']}", "entry/99999999")]
        answers += [console.get(f"report/{r}") for r in (told.given_back, "ab" * 32)]
    assert {(reply.status, reply.body) for reply in answers} == {(404, answers[0].body)}


@pytest.mark.slow
def test_another_nations_console_knows_nothing_of_it(told: Told) -> None:
    """France sees no entry, count or name of what is between Kenya and Britain alone."""
    paths = ["status", "sharing", "timeline", "denials", "watchers", "reports"]
    paths += ["entries", "questions"]
    words = {"report": told.shared[0], "who": told.lost, "policy": "1", "index": "6"}
    text = [json.dumps(answer(told, path, "FRA")) for path in paths]
    text += [
        json.dumps(answer(told, f"question/{q.name}", "FRA", **words)["rows"])
        for q in QUESTIONS
        if q.sql
    ]
    for other in ({"report": told.given_back}, {"index": "99999"}):
        with refused("bad-input", "in your evidence"):
            answer(told, "question/why", "FRA", **{"index": "6", **other})
    said = "".join(text)
    for hidden in (told.given_back, told.recalled, told.given_back[:16]):
        assert hidden not in said
    assert told.shared[0] in said
    pairs = {(p["originator"], p["recipient"]) for p in answer(told, "sharing", "FRA")["pairs"]}
    assert pairs == {("KEN", "FRA")}
