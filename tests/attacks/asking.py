"""A member that asks the broker's real HTTP application, without a network between them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

from broker.problems import Asgi, Message
from tests.coalition import Clock
from tests.people import Person, Random
from wire.request_signature import Target, sign

Fields = Sequence[tuple[str, str]]


@dataclass
class Answer:
    """One answer as it came, piece by piece."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)


@dataclass
class Caller:
    """A member of one nation at one broker; `person` None asks without a signature."""

    app: Asgi
    authority: str
    person: Person | None
    clock: Clock
    random: Random

    async def ask(
        self, start: str, body: bytes = b"", media: str = "application/json", **fields: str
    ) -> Answer:
        """One request, and the whole answer."""
        async with aclosing(self._exchange(start, body, media, fields)) as exchange:
            async for found in exchange:
                answer = found
        return answer

    @asynccontextmanager
    async def follows(self, name: str) -> AsyncIterator[AsyncIterator[Answer]]:
        """An open stream: the answer so far, again after each piece."""
        start = f"GET /v1/subscriptions/{name}/stream"
        async with aclosing(self._exchange(start, b"", "", {})) as exchange:
            yield exchange

    async def _exchange(
        self, start: str, body: bytes, media: str, fields: dict[str, str]
    ) -> AsyncGenerator[Answer, None]:
        scope = self._scope(start, body, media, fields)
        said: asyncio.Queue[Message] = asyncio.Queue()
        waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        gone = asyncio.Event()

        async def receive() -> Message:
            if waiting:
                return waiting.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        served = asyncio.ensure_future(self.app(scope, receive, said.put))
        answer = Answer()
        try:
            more = True
            while more:
                message = await said.get()
                if message["type"] == "http.response.start":
                    answer.status = message["status"]
                    headers = message["headers"]
                    answer.headers = [(n.decode(), v.decode()) for n, v in headers]
                    continue
                more = message.get("more_body", False)
                if message.get("body"):
                    answer.pieces.append(message["body"])
                yield answer
        finally:
            gone.set()
            await served

    def _scope(
        self, start: str, body: bytes, media: str, fields: dict[str, str]
    ) -> dict[str, object]:
        method, _, target = start.partition(" ")
        path, _, query = target.partition("?")
        headers = {"host": self.authority, **fields}
        if body or method in {"POST", "PUT"}:
            headers |= {"content-length": str(len(body)), "content-type": media}
        if self.person is not None:
            said = Target(method, self.authority, path, query)
            key, kid, now = self.person.keys.request, self.person.kid, int(self.clock())
            headers |= sign(said, body, key, kid, created=now, nonce=self.random(16))
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [
                (n.lower().replace("_", "-").encode(), v.encode()) for n, v in headers.items()
            ],
            "client": ("192.0.2.1", 1),
            "server": ("192.0.2.2", 80),
        }
