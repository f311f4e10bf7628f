"""Decisions a second: cold, warm, and as the broker asks for them, against uncached Cedar.

Five nations with their example policies. Cold is the first decision of a class of requests: every
layer asks Cedar and checks the answer by its own evaluation, with what no rule reads trimmed off.
Warm is every further one, on keys prepared once a reader and once a report. The broker's own way
adds that it finds the prepared report by its facts (`broker.policybook`).

Bounded by: look-ups of tuples in dictionaries; cold, by Cedar, which keeps the interpreter's lock.
Target: warm, 100,000 a second.
"""

import itertools
from collections.abc import Iterator
from importlib.resources import as_file, files
from typing import Final

from benchmarks.bench import Bench
from benchmarks.measure import Row, Target, busy, interleave, rate
from benchmarks.mission import NATIONS
from broker.policybook import Policies
from clients.policy_folder import World
from policies.facts import Circumstances, Recipient, ReportFacts
from wire.labels import PRECEDENCES

REPORTS: Final = 200
MOMENT: Final = 1_780_000_000
WARM: Final = Target(100_000, of="value")

Case = tuple[ReportFacts, Circumstances, Recipient]


def run(bench: Bench) -> list[Row]:
    """Measure."""
    with as_file(files("policies").joinpath("examples")) as folder:
        world = World.read(folder, "MINUSX", None)
    book, purpose = world.book(), world.vocabulary.purposes[0]
    readers = [
        Recipient(nation, "Analyst", clearance, frozenset(), exercise=True)
        for nation in NATIONS
        for clearance in (2, 3)
    ]
    asked = [
        (facts, Circumstances(MOMENT + i, 60 + i, purpose, {}))
        for i, facts in enumerate(_reports())
    ]
    cases = [(facts, moment, reader) for facts, moment in asked for reader in readers]
    keyed = [book.recipient_key(reader) for reader in readers]
    about = [(book.report_key(facts), moment) for facts, moment in asked]
    policies = Policies(book, {}, {}, MOMENT * 2, {})
    prepared = [policies.reader(reader) for reader in readers]
    unseen = itertools.cycle(cases)

    def uncached() -> int:
        facts, moment, reader = next(unseen)
        book.decide_uncached(reader, facts, moment)
        return 1

    def warm() -> int:
        for report, moment in about:
            for reader in keyed:
                book.decide_keyed(reader, report, moment)
        return len(cases)

    def by_broker() -> int:
        for facts, moment in asked:
            for reader in prepared:
                policies.decide(reader, facts, moment)
        return len(cases)

    warm(), by_broker()  # every class is known from here on
    found = interleave(
        bench.rounds,
        {
            "uncached": lambda: rate(uncached, bench.seconds),
            "cold": lambda: _cold(world, cases, bench.of(20, 5)),
            "warm": lambda: rate(warm, bench.seconds),
            "broker": lambda: rate(by_broker, bench.seconds),
        },
    )
    limit, words = found["uncached"], "uncached Cedar"
    return [
        Row("decide.cold", "first decision of a class", "/s", found["cold"], limit, words),
        Row("decide.warm", "further decisions", "/s", found["warm"], limit, words, WARM),
        Row(
            "decide.broker", "the same, the broker's way", "/s", found["broker"], limit, words, WARM
        ),
    ]


def _cold(world: World, cases: list[Case], books: int) -> float:
    """One decision each by books that never decided before; making them does not count."""
    fresh = [world.book() for _ in range(books)]

    def first_decisions() -> None:
        for book, (facts, moment, reader) in zip(fresh, cases, strict=False):
            book.decide(reader, facts, moment)

    return books / busy(first_decisions)


def _reports() -> Iterator[ReportFacts]:
    """A mix of what five nations send each other."""
    places = ("KE", "SO", "ML", "TD", "NE", "GB")
    threats = ("explosive.mine", "maritime.piracy", "conflict.clash", "health.outbreak")
    for i in range(REPORTS):
        originator = NATIONS[i % len(NATIONS)]
        yield ReportFacts(
            originator=originator,
            level=i % 4,
            regions=frozenset({places[i % len(places)]}),
            threats=frozenset({threats[i % len(threats)]}),
            release_to=frozenset({originator, *NATIONS[: 2 + i % 4]}),
            display_to=frozenset(),
            caveats=frozenset({"SOURCE SENSITIVE"} if i % 7 == 0 else ()),
            communities=frozenset(),
            contributors=frozenset(),
            derived=False,
            exercise=True,
            precedence=PRECEDENCES[i % len(PRECEDENCES)],
            originator_control=True,
        )
