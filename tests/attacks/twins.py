"""Two worlds that Britain must not be able to tell apart, and everything it can ask of them.

Both begin as copies of one founded broker. What Britain may know happens in both; what it must not
know happens in one of them only, or otherwise in each. A statement's head is for everybody to see,
so where one side says something, the other says something else of the same type.
"""

import itertools
import random
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from broker.app import create_app
from broker.problems import Asgi
from tests import sealing
from tests.attacks.asking import Answer, Caller
from tests.attacks.seen import Seen, seen
from tests.broker.house import Following, House
from tests.coalition import Portion
from tests.people import Person, Random, random_of
from wire import report
from wire.errors import NotAllowed
from wire.labels import PRECEDENCES
from wire.report import Frame

BRITAIN = "GBR"
LOW, HIGH = "RESTRICTED", "SECRET"

REFERS = """
@id("{0}/low")
@says("Up to RESTRICTED to all on the list.")
permit (principal, action == Action::"release", resource in UpTo::"RESTRICTED");
@id("{0}/officers")
@says("{1} officers agree first.")
permit (principal, action == Action::"release", resource) when {{ context.approvals >= {1} }};
"""

Wrap = Callable[[House, Asgi], Asgi]
"""Puts something between the application and those who ask: for planted leaks."""


class LeakError(AssertionError):
    """Britain can tell the two worlds apart."""


@dataclass
class Side:
    """One of the worlds, and the reports of others in it that Britain must not know of."""

    house: House
    app: Asgi
    number: int
    hidden: list[bytes] = field(default_factory=list)
    referred: list[bytes] = field(default_factory=list)
    cursor: str | None = None
    open: list[Following] = field(default_factory=list)
    nonces: Random = field(default_factory=partial(random_of, "nonces"))

    def caller(self, person: Person | None) -> Caller:
        """A member that asks this world's broker."""
        authority = self.house.broker.settings.authorities[0]
        return Caller(self.app, authority, person, self.house.world.clock, self.nonces)

    def member(self, nation: str, name: str) -> Person:
        return self.house.world.people[nation, name]

    @property
    def analyst(self) -> Person:
        """The member of Britain that asks most."""
        return self.member(BRITAIN, "analyst")


@dataclass
class Twins:
    """Both worlds, and what happens in them."""

    sides: tuple[Side, Side]
    chance: random.Random
    shown: list[bytes] = field(default_factory=list)
    """Reports that Britain has."""
    alike: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Reports that Britain has, one in each world, and that differ in what it is not told."""
    count: "itertools.count[int]" = field(default_factory=itertools.count)
    asked: set[str] = field(default_factory=set)
    """Every operation that Britain has used."""

    @classmethod
    @asynccontextmanager
    async def of(
        cls, seed: object, folder: Path, wrap: Wrap = lambda _, app: app
    ) -> AsyncIterator["Twins"]:
        """Two copies of one founded world."""
        async with AsyncExitStack() as stack:
            sides = []
            for number in (0, 1):
                place = folder / str(number)
                house = House.of("KEN", BRITAIN, "FRA", folder=place, drain_seconds=0.1)
                made = await stack.enter_async_context(house)
                made.world.random = random_of("side", number)
                sides.append(Side(made, wrap(made, create_app(made.broker)), number))
            twins = cls((sides[0], sides[1]), random.Random(f"{seed}"))
            await twins.say("KEN", "policy.publish", lambda s: s.policy("KEN", 2))
            await twins.say("FRA", "policy.publish", lambda s: s.policy("FRA", 1))
            await twins.britain("PUT /v1/subscriptions/all", b"{}")
            yield twins
            for side in twins.sides:
                for following in side.open:
                    await following.closes()

    # -- what happens

    async def say(self, nation: str, type_: str, body: Callable[["Words"], dict[str, Any]]) -> None:
        """Each side's nation says its own words of one type, with the same salt."""
        salt = random_of("salt", next(self.count))(16).hex()
        for side in self.sides:
            speaker = side.house[nation]
            statement = speaker.says(type_, {"salt": salt, **body(Words(side))})
            await side.house.files(statement)

    async def show(self, raw: bytes) -> None:
        """A report that Britain may have comes to both."""
        for side in self.sides:
            await side.house.submits(raw)
        self.shown.append(raw)

    async def show_alike(self, nation: str, *protected: dict[str, Any], **how: Any) -> None:
        """A report for Britain that draws on something else in each world, in secret."""
        unique = {"report_id": self.chance.randbytes(16).hex(), "precedence": "ROUTINE", **how}
        text, author = "x" * self.chance.randrange(9_000), self.sides[0].house[nation]
        while True:  # a signature has a byte more or less by chance
            raws = [
                author.seals(text, release_to=BRITAIN, protected=p, **unique) for p in protected
            ]
            left, right = raws
            if len(report.parse(left).signature) == len(report.parse(right).signature):
                break
        for side, raw in zip(self.sides, raws, strict=True):
            await side.house.submits(raw)
        self.alike.append((left, right))
        shapes = [_shape(report.parse(_delivered(raw))) for raw in raws]
        if shapes[0] != shapes[1]:
            raise LeakError(f"a delivery: {_difference(str(shapes[0]), str(shapes[1]))}")

    def _seen(self, side: Side, answer: Answer) -> Seen:
        """What Britain may compare of an answer; reports that are alike have one name."""
        plain = replace(answer, pieces=[self._as_one(side, piece) for piece in answer.pieces])
        status, headers, pieces = seen(plain, BRITAIN)
        named = (self._as_one(side, piece.encode()).decode() for piece in pieces)  # in views, too
        return status, headers, tuple(named)

    def _as_one(self, side: Side, text: bytes) -> bytes:
        """An answer in which the hashes of reports that are alike are the same in both worlds."""
        for number, pair in enumerate(self.alike):
            sealed = b64encode(_delivered(pair[side.number]))
            text = text.replace(sealed, b"A" * len(sealed))
            text = text.replace(
                report.parse(pair[side.number]).identity.encode(), b"%064d" % number
            )
        return text

    def write(self, nation: str, side: int = 0, **how: Any) -> bytes:
        """A report with a text of any length."""
        unique = self.chance.randbytes(16).hex()
        how = {"precedence": self.chance.choice(PRECEDENCES), "report_id": unique, **how}
        return self.sides[side].house[nation].seals("x" * self.chance.randrange(9_000), **how)

    async def hide(self, side: Side, nation: str = "KEN", to: str = "FRA") -> bytes:
        """A report comes to one world that Britain must not know of."""
        raw = self.write(nation, side.number, release_to=to, classification=LOW)
        await side.house.submits(raw)
        side.hidden.append(raw)
        return raw

    async def refer(self, side: Side) -> bytes:
        """A report for Britain comes to one world, and waits there for Kenya's officers."""
        raw = self.write("KEN", side.number, release_to=BRITAIN, classification=HIGH)
        await side.house.submits(raw)
        side.referred.append(raw)
        return raw

    async def hidden_of(self, side: Side) -> bytes:
        """Some report that Britain must not know of, made if there is none."""
        return self.chance.choice(side.hidden) if side.hidden else await self.hide(side)

    # -- what Britain asks

    async def britain(
        self,
        start: str,
        body: bytes = b"",
        media: str = "application/json",
        *,
        who: str | None = "analyst",
        **fields: str,
    ) -> tuple[Answer, Answer]:
        """Britain asks both the same. Raises `LeakError` if it can tell them apart."""
        return await self.compare(
            start, lambda side: self._one(side, start, body, media, who, fields)
        )

    async def compare(
        self, what: str, ask: Callable[[Side], Awaitable[Answer]]
    ) -> tuple[Answer, Answer]:
        """Ask each side in its own way, and compare the answers."""
        left, right = [await ask(side) for side in self.sides]
        one, other = self._seen(self.sides[0], left), self._seen(self.sides[1], right)
        if one != other:
            at = next(
                i for i, pair in enumerate(zip(one, other, strict=True)) if len(set(pair)) > 1
            )
            raise LeakError(f"{what}: {_difference(str(one[at]), str(other[at]))}")
        return left, right

    async def _one(
        self, side: Side, start: str, body: bytes, media: str, who: str | None, fields: Any
    ) -> Answer:
        person = None if who is None else side.member(BRITAIN, who)
        self.asked.add(start.partition("?")[0])
        return await side.caller(person).ask(start, body, media, **fields)

    async def stream(self, name: str = "all") -> None:
        """Britain opens its stream, takes what there is until a heartbeat, and hangs up."""
        self.asked.add(f"GET /v1/subscriptions/{name}/stream")

        async def followed(side: Side) -> Answer:
            async with side.caller(side.analyst).follows(name) as pieces:
                async for answer in pieces:
                    if len(answer.pieces) == 1:  # it is open
                        side.house.broker.beat()
                    if answer.pieces[-1:] and b"event: heartbeat" in answer.pieces[-1]:
                        break
                return answer

        await self.compare(f"stream {name}", followed)


@dataclass
class Words:
    """What a side's nations say, each about its own secrets."""

    side: Side

    def policy(self, nation: str, officers: int) -> dict[str, Any]:
        """The nation's next policy: high reports wait for so many of its officers."""
        release = REFERS.format(nation, officers)
        return self.side.house[nation].policy_body(release=release)


async def in_vain(side: Side, nation: str, identity: str) -> None:
    """Somebody else asks for what it may not have."""
    with pytest.raises(NotAllowed, match="not-found"):
        await side.house.fetches(side.member(nation, "analyst"), identity)


def preview(**label: Any) -> bytes:
    """The body of a preview of Britain's."""
    usual = {
        **sealing.LABEL,
        "classification": LOW,
        "release_to": ["GBR", "KEN"],
        "occurred": 1_780_000_000,
        "exercise": False,
    }
    return sealing.text({"labels": [{**usual, **label}]})


def hidden_part(to: str = "FRA") -> Portion:
    """A portion that is not for Britain."""
    return Portion("z" * 3_000, classification=LOW, release_to=to)


def _delivered(raw: bytes) -> bytes:
    """What Britain gets of a report that has one portion."""
    return report.parse(raw).redacted([0], BRITAIN)


def _shape(frame: Frame) -> object:
    """All that can be seen of a delivery, but for what is a hash, a signature or random."""
    (portion,) = frame.portions
    label, header = sealing.fields(portion.label_bytes), sealing.fields(frame.header_bytes)
    label |= {"salt": "", "protected": len(label["protected"])}
    label["payload"]["sha256"] = ""
    header["portions"] = len(header["portions"])
    records = [record._replace(wrap_sha256=b"") for record in portion.records]
    sizes = len(portion.payload), {i: len(wrap) for i, wrap in portion.wraps.items()}
    return header, label, records, sizes, portion.protected


def _difference(one: str, other: str) -> str:
    """Where two texts part, with a little around it."""
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), -1)
    return f"{one[max(0, at - 60) : at + 60]!r} != {other[max(0, at - 60) : at + 60]!r}"
