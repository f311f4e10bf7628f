"""Non-interference: what Britain gets does not depend on what it must not know. Expect the same.

Pairs of worlds differ in reports, members, policies, denials, approvals, recalls, consents and
subscriptions of others, and Britain asks both of them everything that can be asked. `seen.MASK` is
what the public log may show it; whatever else differs is a leak. The last tests plant leaks.
"""

import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests import sealing
from tests.attacks.asking import Answer
from tests.attacks.leaks import LEAKS
from tests.attacks.twins import (
    BRITAIN,
    HIGH,
    LOW,
    LeakError,
    Side,
    Twins,
    hidden_part,
    in_vain,
    preview,
)
from wire import report

pytestmark = pytest.mark.anyio

REPORT = "application/vnd.tearline.report"
STATEMENT = "application/vnd.tearline.statement"
UNKNOWN = "cd" * 32


# -- what happens in one world only


async def a_report_of_others(twins: Twins, side: Side) -> None:
    nation, to = twins.chance.choice([("KEN", "FRA"), ("FRA", "KEN"), ("KEN", ""), ("FRA", "")])
    await twins.hide(side, nation, to)


async def a_report_that_waits_for_officers(twins: Twins, side: Side) -> None:
    await twins.refer(side)


async def a_denial(twins: Twins, side: Side) -> None:
    raw = await twins.hide(side, "KEN", "")
    await in_vain(side, "FRA", report.parse(raw).identity)


async def a_reader_of_another_nation(twins: Twins, side: Side) -> None:
    nation = twins.chance.choice(["KEN", "FRA"])
    await side.house.pulls(side.member(nation, "system"))


async def a_stream_of_another_nation(twins: Twins, side: Side) -> None:
    nation, name = twins.chance.choice(["KEN", "FRA"]), f"s{next(twins.count)}"
    following = await side.house.follows(side.member(nation, "analyst"), name)
    await following.rest()
    side.open.append(following)


async def a_look_into_another_channel(twins: Twins, side: Side) -> None:
    nation = twins.chance.choice(["KEN", "FRA"])
    await side.house.broker.views(side.house.member(side.member(nation, "auditor")), 0, 0, 9)


SECRET: tuple[Callable[[Twins, Side], Awaitable[None]], ...] = (
    a_report_of_others,
    a_report_that_waits_for_officers,
    a_denial,
    a_reader_of_another_nation,
    a_stream_of_another_nation,
    a_look_into_another_channel,
)


# -- what is said in both, about other things


async def different_approvals(twins: Twins) -> None:
    """One agrees to something for France, the other to half of something for Britain."""
    left, right = twins.sides
    cases = {0: (await twins.hide(left), "FRA"), 1: (await twins.refer(right), BRITAIN)}
    await twins.say(
        "KEN",
        "approval",
        lambda w: w.side.house["KEN"].approval_body(*cases[w.side.number], "KEN/officers"),
    )


async def different_recalls(twins: Twins) -> None:
    """One report had many readers, the other none."""
    left, right = twins.sides
    raws = {0: await twins.hide(left), 1: await twins.hide(right, "KEN", "")}
    await left.house.pulls(left.member("FRA", "analyst"))
    for side in twins.sides:
        side.hidden.remove(raws[side.number])
    identity = {number: report.parse(raw).identity for number, raw in raws.items()}
    await twins.say(
        "KEN", "report.recall", lambda w: {"report": identity[w.side.number], "reason": "an error"}
    )


async def different_consents(twins: Twins) -> None:
    raws = {side.number: await twins.hide(side, "KEN", "") for side in twins.sides}
    await twins.say(
        "KEN",
        "report.release",
        lambda w: w.side.house["KEN"].consent_body(raws[w.side.number], "FRA"),
    )


async def different_policies(twins: Twins) -> None:
    """They treat what is for France in another way."""
    await twins.say("FRA", "policy.publish", lambda w: w.policy("FRA", 1 + w.side.number))


async def different_members(twins: Twins) -> None:
    name, levels = f"m{next(twins.count)}", (LOW, HIGH)
    people = {}
    for side in twins.sides:
        level = levels[side.number]
        people[side.number] = side.house["FRA"].candidate(name, "analyst", level)
    await twins.say("FRA", "member.add", lambda w: people[w.side.number][1])


async def different_sources(twins: Twins) -> None:
    """A report that Britain has draws on Kenya's, on France's own or on none: it is not told.

    They are never recalled here: what is then withheld follows from the rule itself (decision 30).
    """
    sources = []
    for nation, to in (("KEN", "FRA GBR"), ("FRA", BRITAIN)):
        raw = twins.write(nation, release_to=to, classification=LOW)
        await twins.show(raw)
        twins.shown.remove(raw)
        frame = report.parse(raw)
        sources.append({"report": frame.identity, "portion": frame.portions[0].commitment})
    for side in twins.sides:
        await side.house.pulls(side.member("FRA", "analyst"))
    protected = [[sources[0]], twins.chance.choice([[], [sources[1]]])]
    twins.chance.shuffle(protected)
    said = [{"derived_from": found} for found in protected]
    await twins.show_alike("FRA", *said, classification=LOW)


PAIRED: tuple[Callable[[Twins], Awaitable[None]], ...] = (
    different_sources,
    different_approvals,
    different_recalls,
    different_consents,
    different_policies,
    different_members,
)


# -- what Britain may know


async def a_report_for_britain(twins: Twins) -> None:
    parts = [hidden_part()] if twins.chance.random() < 0.5 else []
    nation = twins.chance.choice(["KEN", "FRA"])
    await twins.show(twins.write(nation, release_to=BRITAIN, classification=LOW, portions=parts))


async def a_recall_for_britain(twins: Twins) -> None:
    if not twins.shown:
        return
    raw = twins.chance.choice(twins.shown)
    author = sealing.fields(report.parse(raw).header_bytes)["originator"]
    twins.shown.remove(raw)
    body = {"report": report.parse(raw).identity, "reason": "an error"}
    await twins.say(author, "report.recall", lambda _: body)


async def some_time(twins: Twins) -> None:
    for side in twins.sides:
        side.house.world.clock.forward(seconds=90)


async def britain_looks(twins: Twins) -> None:
    await twins.britain("GET /v1/reports?limit=2")
    await twins.stream()


async def britain_posts(twins: Twins) -> None:
    """For itself alone: that others read it, Britain may know."""
    raw = twins.write(BRITAIN, classification=LOW)
    await twins.britain("POST /v1/reports", raw, REPORT, who=None)


COMMON: tuple[Callable[[Twins], Awaitable[None]], ...] = (
    a_report_for_britain,
    a_report_for_britain,
    a_recall_for_britain,
    some_time,
    britain_looks,
    britain_posts,
)


# -- all that Britain can ask


async def asks_everything(twins: Twins) -> None:
    """Every endpoint, by names that are there, that are not, and that are in one world only."""
    hidden = [raw for side in twins.sides for raw in (*side.hidden, *side.referred)]
    some = twins.chance.sample(hidden, min(4, len(hidden)))
    await _reads(twins, some)
    await _statements(twins, some)
    await _previews(twins, some)
    await _posts(twins, some)
    await _subscriptions(twins)
    await _log(twins)


async def _reads(twins: Twins, hidden: list[bytes]) -> None:
    cursors: dict[int, str] = {}
    for _ in range(30):
        answers = await twins.compare(
            "the pages of a pull", lambda side: _page(twins, side, cursors)
        )
        if not json.loads(answers[0].body)["more"]:
            break
    for query in ("region=KE", "region=FR&threat=maritime", "precedence=FLASH", "limit=0"):
        await twins.britain(f"GET /v1/reports?{query}")
    for raw in (*hidden, *twins.shown):
        identity = report.parse(raw).identity
        await twins.britain(f"GET /v1/reports/{identity}")
        await twins.britain(f"GET /v1/attachments/{identity}/{'ab' * 16}")
        await twins.britain(
            f"PUT /v1/attachments/{identity}/{'ab' * 16}",
            who="system",
            content_range="bytes */100",
        )
    for pair in twins.alike:
        await twins.compare("a report with protected sources", partial(_named, pair))
    await twins.britain(f"GET /v1/reports/{UNKNOWN}")
    await twins.britain("GET /v1/reports/x")
    await twins.britain(f"GET /v1/reports/{UNKNOWN}", who=None)
    await twins.stream()


async def _named(pair: tuple[bytes, bytes], side: Side) -> Answer:
    identity = report.parse(pair[side.number]).identity
    return await side.caller(side.analyst).ask(f"GET /v1/reports/{identity}")


async def _page(twins: Twins, side: Side, cursors: dict[int, str]) -> Answer:
    twins.asked.add("GET /v1/reports")
    after = f"&after={cursors[side.number]}" if side.number in cursors else ""
    answer = await side.caller(side.analyst).ask(f"GET /v1/reports?limit=2{after}")
    cursors[side.number] = json.loads(answer.body)["cursor"]
    return answer


async def _statements(twins: Twins, hidden: list[bytes]) -> None:
    """Britain speaks about reports that are none of its business, or not there."""
    britain = twins.sides[0].house[BRITAIN]
    for raw in hidden:
        frame = report.parse(raw)
        bodies: dict[str, dict[str, Any]] = {
            "report.complaint": {"report": frame.identity, "code": "undecryptable"},
            "report.recall": {"report": frame.identity, "reason": "not ours"},
            "approval": britain.approval_body(raw, BRITAIN, "GBR/accept-all", layer="accept"),
        }
        for type_, body in bodies.items():
            statement = britain.drafts(type_, body)
            await twins.britain("POST /v1/statements", statement.raw, STATEMENT, who=None)
    for query in ("", "?after=3&limit=5"):
        await twins.britain(f"GET /v1/statements{query}")


async def _previews(twins: Twins, hidden: list[bytes]) -> None:
    await twins.britain("POST /v1/preview", preview())
    await twins.britain("POST /v1/preview", preview(release_to=["FRA", "GBR", "KEN"]))
    for raw in (*hidden, *twins.shown[:2]):
        frame = report.parse(raw)
        source = {"report": frame.identity, "portion": frame.portions[0].commitment}
        await twins.britain("POST /v1/preview", preview(derived_from=[source]))
        await twins.britain("POST /v1/preview", preview(supersedes=frame.identity))


async def _posts(twins: Twins, hidden: list[bytes]) -> None:
    """Reports of Britain's that name others' reports, or take their ids."""
    britain = twins.sides[0].house[BRITAIN]
    for raw in hidden:
        frame = report.parse(raw)
        source = {"report": frame.identity, "portion": frame.portions[0].commitment}
        taken = sealing.fields(frame.header_bytes)["id"]
        mine: list[dict[str, Any]] = [
            {"derived_from": [source]},
            {"supersedes": frame.identity},
            {"report_id": taken},
        ]
        for how in mine:
            own = britain.seals(classification=LOW, **how)
            await twins.britain("POST /v1/reports", own, REPORT, who=None)
    own = britain.seals(classification=LOW)
    await twins.britain("POST /v1/reports", own, REPORT, who=None)
    await twins.britain("POST /v1/reports", own, REPORT, who=None)
    await twins.britain("POST /v1/reports", own[:-1], REPORT, who=None)


async def _subscriptions(twins: Twins) -> None:
    await twins.britain("PUT /v1/subscriptions/kenya", b'{"regions":["KE"]}')
    await twins.britain("GET /v1/subscriptions/kenya")
    await twins.britain("GET /v1/subscriptions")
    await twins.stream("kenya")
    await twins.britain("GET /v1/subscriptions/nothing/stream")
    await twins.britain("POST /v1/subscriptions/kenya/cursor", b'{"cursor":"x"}')
    await twins.britain("DELETE /v1/subscriptions/kenya")
    await twins.britain("DELETE /v1/subscriptions/kenya")


async def _log(twins: Twins) -> None:
    await twins.britain("GET /v1/log/views", who="auditor")
    await twins.britain("GET /v1/log/views?after=2&limit=3", who="officer")
    await twins.britain("GET /v1/log/views")
    for who in ("officer", "analyst"):
        await twins.britain("GET /v1/referrals", who=who)
    await twins.britain("GET /v1/log/checkpoint", who=None)
    await twins.britain("GET /v1/log/continuation", who=None)
    await twins.britain("GET /v1/log/candidate", who=None)
    await twins.britain("GET /v1/log/proof/inclusion?index=3&size=4", who=None)
    await twins.britain("GET /v1/log/proof/consistency?old=3&new=4", who=None)
    await twins.britain("GET /v1/log/tile/entries/000.p/4", who=None)
    for path in (
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/docs",
        "/console",
        "/nothing",
    ):
        await twins.britain(f"GET {path}", who=None)


# -- the histories


async def lives(twins: Twins, steps: int) -> None:
    """A history of so many steps of each sort, in any order."""
    chance = twins.chance
    kinds = ["secret", "paired", "common"] * steps
    chance.shuffle(kinds)
    for kind in kinds:
        if kind == "secret":
            await chance.choice(SECRET)(twins, chance.choice(twins.sides))
        elif kind == "paired":
            await chance.choice(PAIRED)(twins)
        else:
            await chance.choice(COMMON)(twins)


@pytest.mark.slow
async def test_britain_cannot_tell_two_worlds_apart(tmp_path: Path) -> None:
    """A short history that has one of everything; and every endpoint is asked."""
    async with Twins.of("short", tmp_path) as twins:
        await a_report_for_britain(twins)
        await a_report_of_others(twins, twins.sides[0])
        await a_denial(twins, twins.sides[1])
        await a_report_that_waits_for_officers(twins, twins.sides[1])
        await different_sources(twins)
        await asks_everything(twins)
        document = json.loads((await twins.britain("GET /openapi.json", who=None))[0].body)
    there = {
        f"{method.upper()} {path}" for path, how in document["paths"].items() for method in how
    }
    assert {
        operation for operation in there if not any(_is(a, operation) for a in twins.asked)
    } == {"POST /v1/log/cosignatures"} & there


def _is(asked: str, operation: str) -> bool:
    ours, theirs = asked.split("/"), operation.split("/")
    if theirs[-1] == "{tile}":
        ours = ours[: len(theirs)]
    return len(ours) == len(theirs) and all(
        a == b or b.startswith("{") for a, b in zip(ours, theirs, strict=True)
    )


@pytest.mark.long
@pytest.mark.parametrize("seed", range(12))
async def test_britain_cannot_tell_any_two_histories_apart(seed: int, tmp_path: Path) -> None:
    async with Twins.of(seed, tmp_path) as twins:
        await lives(twins, 6)
        await asks_everything(twins)


@pytest.mark.slow
@pytest.mark.parametrize("one", SECRET)
async def test_each_secret_by_itself(
    one: Callable[[Twins, Side], Awaitable[None]], tmp_path: Path
) -> None:
    async with Twins.of(one.__name__, tmp_path) as twins:
        await a_report_for_britain(twins)
        for _ in range(3):
            await one(twins, twins.sides[1])
        await asks_everything(twins)


@pytest.mark.slow
@pytest.mark.parametrize("one", PAIRED)
async def test_each_difference_by_itself(
    one: Callable[[Twins], Awaitable[None]], tmp_path: Path
) -> None:
    async with Twins.of(one.__name__, tmp_path) as twins:
        await a_report_for_britain(twins)
        for _ in range(2):
            await one(twins)
        await asks_everything(twins)


# -- the checker sees what leaks


@pytest.mark.slow
@pytest.mark.parametrize("leak", LEAKS)
async def test_a_planted_leak_is_seen(leak: str, tmp_path: Path) -> None:
    async with Twins.of("leak", tmp_path, LEAKS[leak]) as twins:
        await a_report_for_britain(twins)
        for _ in range(2):
            await a_report_that_waits_for_officers(twins, twins.sides[1])
        with pytest.raises(LeakError):
            await asks_everything(twins)
