"""Pushing: all of it, in order, at least once, whatever the receiver does."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from clients.push import pusher
from clients.push.pusher import horizon
from tests.clients.evidence.little_history import Told
from tests.clients.export.test_ocsf import check as check_ocsf
from tests.clients.push.inbox import Got, Inbox, inbox
from tests.clients.push.pushing import START, Push, own
from tests.refusal import refused
from wire.strict_json import dump

pytestmark = pytest.mark.anyio


@pytest.fixture
def there() -> Iterator[Inbox]:
    with inbox() as found:
        yield found


@pytest.fixture
def push(told: Told, tmp_path: Path, there: Inbox, monkeypatch: pytest.MonkeyPatch) -> Push:
    """Kenya's evidence, in batches of ten."""
    monkeypatch.setattr(pusher, "BATCH", 10)
    return Push(own(told, tmp_path), there)


# -- what arrives


async def test_everything_arrives_in_order_once_and_signed(push: Push, there: Inbox) -> None:
    done = await push.run()
    assert there.indices == push.all
    assert (done.delivered, done.buried) == (len(push.all), 0)
    assert all(len(got.events) <= 10 for got in there.got)
    for got in there.got:
        assert got.headers["content-type"] == "application/cloudevents-batch+json"
        assert got.headers["webhook-timestamp"] == str(int(START))
        for event in got.events:
            JSONFormat().read(CloudEvent, dump(event, limit=1 << 20, prose=True))
    assert len({got.headers["webhook-id"] for got in there.got}) == len(there.got)
    again = await push.run()
    assert (again.delivered, len(there.indices)) == (0, len(push.all)), "nothing is sent twice"


async def test_the_signature_is_what_the_schemes_library_accepts(push: Push, there: Inbox) -> None:
    push.world.now = time.time()
    await push.run()
    for got in there.got:
        got.verified()
        with pytest.raises(Exception, match="No matching signature"):
            Got(got.path, got.headers, got.body + b" ").verified()


@pytest.mark.slow
async def test_ocsf_arrives_as_a_json_array_of_valid_events(push: Push, there: Inbox) -> None:
    push.form = "ocsf"
    await push.run()
    events = [event for got in there.got for event in got.events]
    assert [event["unmapped"]["index"] for event in events] == push.all
    assert {got.headers["content-type"] for got in there.got} == {"application/json"}
    for event in events:
        check_ocsf(event)


@pytest.mark.slow
async def test_two_targets_and_two_forms_come_forward_by_themselves(push: Push) -> None:
    await push.run()
    with inbox() as second:
        other = Push(push.desk, second)
        await other.run()
        assert second.indices == push.all
        other.form = "ocsf"
        assert (await other.run()).delivered == len(push.all)


async def test_a_body_has_a_bound(
    push: Push, there: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expect that a batch ends before the limit, unless one event alone is beyond it."""
    monkeypatch.setattr(pusher, "BODY_MAX", 3_000)
    await push.run()
    assert there.indices == push.all
    for got in there.got:
        assert len(got.events) == 1 or sum(map(len, map(dump, got.events))) <= 3_000
    assert any(len(got.events) > 1 for got in there.got)


async def test_what_may_still_miss_an_entry_is_not_sent_yet(push: Push, there: Inbox) -> None:
    """A pull that broke knows the mission's channel less far than the nation's own: what is sent
    beyond that would pass over an entry for ever.
    """
    with push.store() as store:
        store.change(("UPDATE channel SET complete = 0, idx = 60 WHERE channel = 'MISSION'", ()))
        assert horizon(store, "KEN") == 61
        await push.run()
        assert there.indices == [index for index in push.all if index <= 60]
        store.change(("UPDATE channel SET complete = 1 WHERE channel = 'MISSION'", ()))
    await push.run()
    assert there.indices == push.all


# -- a receiver in trouble


@pytest.mark.slow
@pytest.mark.parametrize(
    "status", [0, 301, 302, 307, 401, 403, 404, 407, 408, 425, 429, 502, 503, 504]
)
async def test_a_receiver_in_trouble_loses_nothing_and_buries_nothing(
    push: Push, there: Inbox, status: int
) -> None:
    """What says nothing of the events is tried again, and kept however long it lasts."""
    there.says = lambda _: status or 503
    for _ in range(3):
        with refused("undelivered", "what was not taken is kept"):
            await push.run(most=4)
    assert (push.dead, push.state.cursor, there.got) == ([], 0, [])
    assert len({(got.headers["webhook-id"], got.body) for got in there.tried}) == 1
    there.says = lambda _: 200
    await push.run()
    assert there.indices == push.all


async def test_pauses_grow_and_differ_by_chance(push: Push, there: Inbox) -> None:
    there.says = lambda _: 502
    for chance, share in ((0.0, 0.5), (0.999_999, 1.0)):
        push.world.chance, push.world.slept = chance, []
        with refused("undelivered"):
            await push.run(most=6)
        expected = [2.0 * share, 4.0 * share, 8.0 * share, 16.0 * share, 32.0 * share]
        assert push.world.slept == pytest.approx(expected, rel=1e-4)


async def test_it_is_left_alone_for_as_long_as_it_asks(push: Push, there: Inbox) -> None:
    there.answers = [(429, {"retry-after": "40"}, b"")]
    await push.run()
    assert sum(push.world.slept) >= 40
    assert there.indices == push.all


async def test_a_run_does_not_wait_for_long_and_the_next_one_knows(
    push: Push, there: Inbox
) -> None:
    """What the receiver asked for outlives the process."""
    there.answers = [(503, {"retry-after": "3600"}, b"")]
    with refused("undelivered", "left alone for 3598 seconds"):
        await push.run()
    assert len(there.tried) == 1
    with refused("undelivered", "left alone"):
        await push.run()
    assert len(there.tried) == 1
    push.world.now = START + 3_600
    await push.run()
    assert there.indices == push.all


async def test_a_receiver_that_is_gone_is_sent_nothing_more(push: Push, there: Inbox) -> None:
    there.answers = [200, 410]
    with refused("undelivered", "gone"):
        await push.run()
    assert len(there.tried) == 2
    with refused("undelivered", "gone"):
        await push.run()
    assert len(there.tried) == 2
    assert push.dead == []
    await push.revive()
    await push.run()
    assert there.indices == push.all


# -- events that are refused


def refusing(*bad: int, status: int = 400) -> Callable[[Got], int]:
    """A receiver that refuses whatever has one of these entries in it."""
    return lambda got: status if any(int(e["id"]) in bad for e in got.events) else 204


@pytest.mark.slow
@pytest.mark.parametrize("status", [400, 405, 409, 413, 415, 422, 500, 501])
async def test_an_event_that_is_refused_becomes_a_dead_letter_and_the_rest_arrives(
    push: Push, there: Inbox, status: int
) -> None:
    bad = push.all[13]
    there.says = refusing(bad, status=status)
    done = await push.run(most=3)
    rest = [index for index in push.all if index != bad]
    assert there.indices == rest
    assert (done.delivered, done.buried) == (len(rest), 1)
    assert push.dead == [(bad, 4, f"status {status}")]


async def test_a_batch_is_tried_as_often_as_was_said_and_then_each_event_once(
    push: Push, there: Inbox
) -> None:
    bad = push.all[3]
    there.says = refusing(bad)
    await push.run(most=3)
    sizes = Counter(len(got.events) for got in there.tried if bad in ids(got))
    assert sizes == {10: 3, 1: 1}


def ids(got: Got) -> list[int]:
    return [int(event["id"]) for event in got.events]


@pytest.mark.slow
async def test_a_receiver_that_refuses_all_leaves_all_as_dead_letters(
    push: Push, there: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pusher, "horizon", lambda *_: 30)
    everything = [index for index in push.all if index < 30]
    there.says = lambda _: 500
    done = await push.run(most=2)
    assert [index for index, _, _ in push.dead] == everything
    assert (done.delivered, done.buried) == (0, len(everything))


@pytest.mark.slow
async def test_dead_letters_are_sent_again_under_the_same_names(push: Push, there: Inbox) -> None:
    bad = push.all[3:5]
    there.says = refusing(*bad)
    await push.run(most=1)
    last = {ids(got)[0]: got.headers["webhook-id"] for got in there.tried if len(ids(got)) == 1}
    there.says = refusing(bad[1], status=422)
    done = await push.revive()
    assert (done.delivered, done.buried) == (1, 1)
    assert push.dead == [(bad[1], 3, "status 422")]
    assert there.got[-1].headers["webhook-id"] == last[bad[0]]
    there.says = lambda _: 204
    await push.revive()
    assert (push.dead, sorted(there.indices)) == ([], push.all)
    assert (await push.revive()).delivered == 0


async def test_a_receiver_in_trouble_keeps_the_dead_letters_as_they_are(
    push: Push, there: Inbox
) -> None:
    bad = push.all[3]
    there.says = refusing(bad)
    await push.run(most=1)
    before = push.dead
    there.says = lambda _: 503
    with refused("undelivered"):
        await push.revive()
    assert push.dead == before


@pytest.mark.slow
async def test_refusals_are_counted_across_runs(push: Push, there: Inbox) -> None:
    """A process that is started anew after every try must not try for ever."""
    there.says = lambda _: 400

    async def stop() -> None:
        raise KeyboardInterrupt

    push.world.asleep = stop
    for tries in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            await push.run(most=3)
        assert push.state.tries == tries
    push.world.asleep = None
    there.says = refusing(push.all[0])
    await push.run(most=3)
    assert [index for index, _, _ in push.dead] == [push.all[0]]
    assert sum(len(ids(got)) == 10 and push.all[0] in ids(got) for got in there.tried) == 3
