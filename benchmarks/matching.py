"""Matching one report's topic against 1,000, 10,000 and 100,000 subscriptions.

However many there are, the same 50 match: the others ask for places and threats elsewhere. The
index is inverted, so the time should follow the matches. Topics change, as reports do.

Bounded by: one look into a dictionary for each area and threat that a report touches, then one step
for each match. Target: at 100,000 at most half as much again as at 1,000.
"""

import random
from functools import partial
from typing import Final

from benchmarks.bench import Bench
from benchmarks.measure import Row, Target, busy, interleave
from broker.matching import Filter, Index, Topic
from clients import standard
from wire.labels import PRECEDENCES
from wire.vocabulary import Vocabulary, vocabulary

SIZES: Final = (1_000, 10_000, 100_000)
HITS: Final = 50
TOPICS: Final = 64
FLAT: Final = Target(1.5, at="most")


def run(bench: Bench) -> list[Row]:
    """Measure."""
    words = vocabulary("MINUSX", ("KEN",), standard.levels(), standard.registry(), "0" * 64)
    topics = _topics(words)
    indices = {size: _index(size, words, topics) for size in SIZES}
    repeat = bench.of(20, 4)
    found = interleave(
        bench.rounds,
        {str(size): partial(_match, index, topics, repeat) for size, index in indices.items()},
    )
    first = found[str(SIZES[0])]
    return [
        Row(
            f"match.{size // 1000}k",
            f"one report, {HITS} hits, {size:,} subscriptions",
            "µs",
            found[str(size)],
            first if size != SIZES[0] else (),
            f"at {SIZES[0]:,}" if size != SIZES[0] else "",
            FLAT if size != SIZES[0] else None,
        )
        for size in SIZES
    ]


def _match(index: Index[int], topics: list[Topic], repeat: int) -> float:
    """Microseconds for one topic."""

    def match() -> None:
        for _ in range(repeat):
            for topic in topics:
                assert len(index.match(topic)) == HITS

    return 1e6 * busy(match) / (repeat * len(topics))


def _topics(words: Vocabulary) -> list[Topic]:
    """Reports from Kenya and Somalia on mines, devices and the like."""
    threats = sorted(t for t in words.threats.parents if t.startswith("explosive."))
    return [
        Topic(
            frozenset({("KE", "SO")[i % 2]}),
            frozenset({threats[i % len(threats)]}),
            PRECEDENCES[i % len(PRECEDENCES)],
        )
        for i in range(TOPICS)
    ]


def _index(size: int, words: Vocabulary, topics: list[Topic]) -> Index[int]:
    chance = random.Random(size)
    near = frozenset().union(*(words.regions.touching(topic.regions) for topic in topics))
    elsewhere = sorted(frozenset(words.regions.parents) - near)
    threats = sorted(words.threats.parents)
    index = Index[int](words)
    for key in range(size):
        if key < HITS:  # all of Eastern Africa, or the continent; any threat, or explosives
            regions = (("014", "002")[key % 2],)
            index.add(key, Filter(regions=regions, threats=((), ("explosive",))[key // 2 % 2]))
            continue
        index.add(
            key,
            Filter(
                regions=tuple(chance.sample(elsewhere, chance.randint(1, 3))),
                threats=tuple(chance.sample(threats, chance.randint(0, 2))),
                precedence=("FLASH", "IMMEDIATE") if chance.random() < 0.2 else (),
            ),
        )
    return index
