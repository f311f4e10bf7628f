"""Leaks that an honest hand could write, put between the broker and Britain: each must be seen."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

from broker.problems import Asgi, Message, Receive, Scope, Send
from tests.attacks.twins import BRITAIN, Wrap
from tests.broker.house import House


def adding(change: Callable[[House, Scope, Any], None]) -> Wrap:
    """A broker that adds something to its JSON answers."""

    def wrap(house: House, app: Asgi) -> Asgi:
        async def leaking(scope: Scope, receive: Receive, send: Send) -> None:
            start: dict[str, Any] = {}

            async def altered(message: Message) -> None:
                if message["type"] == "http.response.start":
                    start.update(message)
                    return
                fields = dict(start["headers"])
                if fields.get(b"content-type") == b"application/json":
                    value = json.loads(message["body"])
                    change(house, scope, value)
                    body = json.dumps(value, separators=(",", ":")).encode()
                    fields[b"content-length"] = str(len(body)).encode()
                    message = {**message, "body": body}
                if start:
                    await send({**start, "headers": list(fields.items())})
                    start.clear()
                await send(message)

            await app(scope, receive, altered)

        return leaking

    return wrap


def a_global_sequence(house: House, _: Scope, value: Any) -> None:
    """The number of the newest report, as many an API would put it beside its answer."""
    if "releases" in value:
        value["sequence"] = len(house.broker._state.holdings)


def a_total(house: House, _: Scope, value: Any) -> None:
    """How many reports there are for the nation, whether it may have them or not."""
    if "releases" in value:
        value["total"] = len(house.broker._state.holdings.lanes(BRITAIN).all)


def a_cursor_of_its_own_length(house: House, _: Scope, value: Any) -> None:
    """A cursor that is as long as the number in it."""
    if "cursor" in value:
        value["cursor"] += "=" * len(house.broker._state.holdings)


def a_slot_for_each_that_was_refused(house: House, _: Scope, value: Any) -> None:
    """An entry with a slot for whoever else was concerned: only its leaf's length tells."""
    for release in value.get("releases", ()):
        waiting = bytes(32 * len(house.broker._denials))
        leaf = b64decode(release["evidence"]["leaf"]) + waiting
        release["evidence"]["leaf"] = b64encode(leaf).decode()


def forbidden_for_not_found(house: House, app: Asgi) -> Asgi:
    """The usual mistake: 403 for what is there and not for you."""

    async def leaking(scope: Scope, receive: Receive, send: Send) -> None:
        identity = scope["path"].rpartition("/")[2]
        there = house.broker._state.holdings.by_identity(identity) is not None

        async def altered(message: Message) -> None:
            if message.get("status") == 404 and there:
                message = {**message, "status": 403}
            await send(message)

        await app(scope, receive, altered)

    return leaking


def a_frame_for_each_that_was_looked_at(house: House, app: Asgi) -> Asgi:
    """A stream whose framing tells: an empty comment for each report that it looked at."""

    async def leaking(scope: Scope, receive: Receive, send: Send) -> None:
        async def altered(message: Message) -> None:
            if b"event: heartbeat" in message.get("body", b""):
                for _ in house.broker._state.holdings.lanes(BRITAIN).all:
                    await send({**message, "body": b":\n\n"})
            await send(message)

        await app(scope, receive, altered)

    return leaking


LEAKS: dict[str, Wrap] = {
    "a global sequence": adding(a_global_sequence),
    "a total count": adding(a_total),
    "an unpadded length": adding(a_cursor_of_its_own_length),
    "a slot more": adding(a_slot_for_each_that_was_refused),
    "403 for 404": forbidden_for_not_found,
    "a frame more": a_frame_for_each_that_was_looked_at,
}
