"""A push that is stopped at any step, and started again, loses no event."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from clients.evidence.store import EvidenceStore
from clients.push import outbox, pusher
from clients.push.receiver import Receiver, Reply
from tests.clients.evidence.little_history import Told
from tests.clients.push.inbox import Got, Inbox, inbox
from tests.clients.push.pushing import Push, own
from tests.refusal import refused

pytestmark = pytest.mark.anyio


class StoppedError(BaseException):
    """The process is gone."""


class Steps:
    """Counts what touches disk or network, and stops before the step that it was told to."""

    def __init__(self, stop: int) -> None:
        self.left = stop

    def step(self) -> None:
        if self.left == 0:
            raise StoppedError
        self.left -= 1


class Watched:
    """A database of which every statement that writes is a step."""

    def __init__(self, real: sqlite3.Connection, steps: Steps) -> None:
        self._real, self._steps = real, steps

    def execute(self, sql: str, params: Sequence[Any] = ()) -> sqlite3.Cursor:
        if not sql.lstrip().startswith("SELECT") and sql != "ROLLBACK":
            self._steps.step()
        return self._real.execute(sql, params)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@pytest.fixture
def there() -> Iterator[Inbox]:
    with inbox() as found:
        yield found


@pytest.fixture
def push(told: Told, tmp_path: Path, there: Inbox, monkeypatch: pytest.MonkeyPatch) -> Push:
    monkeypatch.setattr(pusher, "BATCH", 30)
    return Push(own(told, tmp_path), there)


def watch(patch: pytest.MonkeyPatch, steps: Steps) -> None:
    """Before every write and every send, and after every send, is a step."""
    post, opened = Receiver.post, EvidenceStore.__init__

    async def posted(self: Receiver, body: bytes, headers: dict[str, str], now: float) -> Reply:
        steps.step()
        reply = await post(self, body, headers, now)
        steps.step()
        return reply

    def init(self: EvidenceStore, database: sqlite3.Connection, whose: Mapping[str, str]) -> None:
        opened(self, database, whose)
        self._database = Watched(database, steps)  # type: ignore[assignment]

    patch.setattr(Receiver, "post", posted)
    patch.setattr(EvidenceStore, "__init__", init)


async def stopped_once_at(push: Push, at: int, patch: pytest.MonkeyPatch) -> bool:
    """A run that is stopped at this step; says whether it came so far."""
    steps = Steps(at)
    with patch.context() as inner:
        watch(inner, steps)
        try:
            await push.run(most=2)
        except StoppedError:
            return True
    return False


@pytest.mark.slow
async def test_a_push_that_is_stopped_at_any_step_loses_nothing(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each step in turn, with an event among them that is refused: all others arrive, in order,
    and the one is a dead letter; what comes twice has the same name and the same bytes.
    """
    monkeypatch.setattr(pusher, "BATCH", 5)
    monkeypatch.setattr(pusher, "horizon", lambda *_: 40)
    desk, at, repeated, came_so_far = own(told, tmp_path), 0, 0, True
    while came_so_far:
        with inbox(name=f"stopped-at-{at}") as there:  # an address of its own: a new target
            push = Push(desk, there)
            everything = [index for index in push.all if index < 40]
            bad = everything[7]
            there.says = lambda got, bad=bad: 400 if bad in named(got) else 204  # type: ignore[misc]
            came_so_far = await stopped_once_at(push, at, monkeypatch)
            await push.run(most=2)
            first = list(dict.fromkeys(there.indices))
            assert first == [index for index in everything if index != bad], at
            assert [index for index, _, _ in push.dead] == [bad], at
            events = [event for got in there.got for event in got.events]
            last = {event["id"]: event for event in events}
            assert all(event == last[event["id"]] for event in events)
            repeated += len(events) > len(first)
            at += 1
    print(f"{at} steps, at {repeated} of them a stop made the receiver see events twice")
    assert at > 60
    assert repeated > 3, "a stop between a yes and its record must repeat"


def named(got: Got) -> list[int]:
    return [int(event["id"]) for event in got.events]


async def test_what_is_repeated_after_a_stop_is_the_same_message(
    push: Push, there: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though more could be sent by then: the batch was named on disk before it was sent."""
    with monkeypatch.context() as inner:
        post = Receiver.post

        async def posted(self: Receiver, body: bytes, headers: dict[str, str], now: float) -> Reply:
            await post(self, body, headers, now)
            raise StoppedError

        inner.setattr(Receiver, "post", posted)
        with pytest.raises(StoppedError):
            await push.run()
    monkeypatch.setattr(pusher, "BATCH", 50)
    await push.run()
    first, second = there.got[:2]
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


async def test_a_batch_is_on_disk_before_it_is_sent(
    push: Push, there: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the cursor moves only after the yes."""
    seen = []
    post = Receiver.post

    async def posted(self: Receiver, body: bytes, headers: dict[str, str], now: float) -> Reply:
        seen.append(push.state)
        return await post(self, body, headers, now)

    monkeypatch.setattr(Receiver, "post", posted)
    await push.run()
    assert all(state.upto > state.cursor for state in seen)
    assert [state.cursor for state in seen] == [0, *(state.upto for state in seen[:-1])]


async def test_a_dead_letter_and_the_cursor_move_together(
    push: Push, there: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expect neither, if the second write of the transaction fails."""
    there.says = lambda _: 400
    monkeypatch.setattr(pusher, "BATCH", 1)
    with push.store() as store:
        box = outbox.Outbox(store, push.target.name)
        before = box.state()
        letter = outbox.DeadLetter(push.target.name, 0, 1, "status 400", 0)
        with monkeypatch.context() as inner:
            inner.setattr(outbox, "_KEEP", "INSERT INTO no_such_table VALUES(?, ?, ?, ?, ?, ?, ?)")
            with pytest.raises(sqlite3.OperationalError):
                box.bury(before, letter)
        assert (box.state(), box.dead()) == (before, [])


async def test_two_pushes_of_one_member_do_not_run_at_the_same_time(push: Push) -> None:
    """Expect refusal of the second, and none once the first is over."""
    folder = push.desk.identity.state
    with outbox.alone(folder), refused("undelivered", "another push"), outbox.alone(folder):
        pass
    with outbox.alone(folder):
        pass
