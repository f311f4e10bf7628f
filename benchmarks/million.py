"""A journal of a million entries: does what must be quick stay quick when the history is long?

A history is written through the real journal (`benchmarks/chronicle.py`): with `--full` until a
million entries concern one nation, otherwise fifty thousand. At a quarter, at half and at all of
it, the journal is opened and proves entries, so that growth shows. Then the broker starts on it,
the nation's auditor pulls its whole history over loopback, and asks its twenty-four questions.

`open` is recovery: the newest thousand entries are replayed, the anchor compared; its limit is the
same at a quarter of the size. `start` is all that a broker does before it serves, folding every
statement and holding every report as it is remembered; its limit is reading the same sheets.
`start.anew` is the same without any memory, from the reports themselves. `proof` is an inclusion
proof of an entry anywhere, `proof.http` the same over HTTP, whose limit is a request that reads
nothing. `verify` is what a pull does to verify pages, by one core: the gate, the commitments, the
proofs, the chain; its limit is only reading the same JSON and base64, and hashing the same bytes.
`pull` is everything: broker, HTTP, verification and the evidence written down, all on this machine.
A long one verifies beside the process that fetches and keeps: `pull.cpu` is the time of both,
`pull.beside` that of the one that verifies, its start and the messages between them included.
An answer is cut at a thousand rows, as the command cuts it.

Bounded by: fsyncs and the replay (`open`), signatures of statements and one report after the other
(`start`), Python's work on an entry (`verify`, `pull`), and one look at every row (`ask`).
"""

import asyncio
import hashlib
import operator
import random
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvloop
from msgspec import Struct
from msgspec.json import decode

from benchmarks.bench import Bench
from benchmarks.chronicle import AUDITED, QUIET, Chronicle
from benchmarks.measure import Row, Target, busy, timed
from benchmarks.posting import request, send_all
from benchmarks.pulling import Pulling
from benchmarks.serving import serving
from broker.journal.store import DATABASE_FILE
from broker.settings import Settings
from clients.auditor import Auditor
from clients.evidence import answers, files, pull
from clients.evidence.answers import Asked
from clients.evidence.question import Question
from clients.evidence.questions import QUESTIONS
from clients.evidence.reconcile import reconcile
from clients.evidence.store import EvidenceStore
from wire import evidence_file, mac, prove
from wire.evidence_file import Proven
from wire.links import LINK_KEY, VIEW_KEY
from wire.notes import Ed25519Signer, OpenedCheckpoint, open_checkpoint
from wire.pages import Exhibit, PageAnswer, encode
from wire.pages import read as read_page
from wire.prove import Trust

ENTRIES: Final = 50_000
FULL: Final = 1_000_000
QUICK: Final = 3_000
PARTS: Final = (4, 2, 1)
"""The history is measured at one part in so many of its length."""
PROOFS: Final = 100
PAGES: Final = 6
PAGE: Final = 500
ROWS: Final = 1_000
EVERY_ROW: Final = "SELECT sum(length(report)) FROM fact"
A_RELEASE: Final = """SELECT idx, report FROM fact WHERE type = 'release' AND channel <> 'MISSION'
    ORDER BY count DESC LIMIT 1 OFFSET 100"""
RESTART: Final = Target(2_000, of="value", at="most")
PROOF: Final = Target(2, of="value", at="most")
RATE: Final = Target(20_000, of="value")
ANSWER: Final = Target(3_000, of="value", at="most")


@dataclass
class Grown:
    """What was measured at one length of the history: milliseconds."""

    size: int
    opened: list[float]
    proved: list[float]


def run(bench: Bench) -> list[Row]:
    """Measure."""
    total = FULL if bench.full else bench.of(ENTRIES, QUICK)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        chronicle = runner.run(Chronicle.begin(bench.folder / "million", total))
        grown = []
        for part in PARTS:
            runner.run(chronicle.grow(total // part))
            grown.append(runner.run(_measure(chronicle, bench.rounds)))
        pages, opened = runner.run(_pages(chronicle))
    few = range(1 if bench.full else bench.few)
    anew = [_start(chronicle, anew=True) for _ in few]
    started = [_start(chronicle) for _ in range(bench.rounds)]
    read = [timed(lambda: _read(chronicle, "sheet")) * 1000 for _ in range(bench.rounds)]
    read_all = [timed(lambda: _read(chronicle, "report", "release")) * 1000 for _ in few]
    verified = [_verify(pages, opened) for _ in range(bench.rounds)]
    bare = [_bare(pages) for _ in range(bench.rounds)]
    with serving(chronicle.home) as server:
        over_http = _over_http(server.port, grown[-1].size, bench.rounds)
        pulled = Pulling.of(chronicle.kit / AUDITED / "auditor")
        Pulling.of(chronicle.kit / QUIET / "auditor")
    first, _, last = grown
    words = f"at {first.size:,}"
    what = f"{last.size:,} entries"
    reports = f"the same, {chronicle.reports:,} reports in it"
    return [
        Row("million.open", f"journal of {what} opened", "ms", last.opened, first.opened, words,
            RESTART),
        Row("million.start", f"broker started on {reports}", "ms", started, read, "sheets read",
            RESTART),
        Row("million.start.anew", "the same, nothing remembered", "ms", anew, read_all,
            "rows read"),
        Row("million.proof", "inclusion proof", "ms", last.proved, first.proved, words, PROOF),
        Row("million.proof.http", "the same over HTTP", "ms", *over_http, "nothing read", PROOF),
        Row("million.verify", "entries verified, by one core", "/s", verified, bare,
            "JSON and hashes", RATE),
        Row("million.pull", f"entries of {pulled.entries:,} pulled", "/s",
            [pulled.entries / pulled.seconds]),
        Row("million.pull.cpu", "auditor's time for one", "µs",
            [pulled.processor / pulled.entries * 1e6]),
        Row("million.pull.beside", "of it, the process that verifies", "µs",
            [pulled.beside / pulled.entries * 1e6]),
        Row("million.pull.memory", "what the pull took at its most", "MiB",
            [(pulled.most_kib - pulled.before_kib) / 1024]),
        *_ask(chronicle, bench.rounds),
    ]  # fmt: skip


async def _measure(chronicle: Chronicle, rounds: int) -> Grown:
    """Open the journal some times, and prove entries anywhere in it."""
    opening, opened, proved = chronicle.opening(), list[float](), list[float]()
    anywhere = random.Random(0)
    for _ in range(rounds):
        start = time.perf_counter()
        journal = await opening.open()
        opened.append((time.perf_counter() - start) * 1000)
        size, start = journal.size, time.perf_counter()
        for _ in range(PROOFS):
            await journal.inclusion(anywhere.randrange(size), size)
        proved.append((time.perf_counter() - start) * 1000 / PROOFS)
        await journal.close()
    return Grown(size, opened, proved)


def _start(chronicle: Chronicle, *, anew: bool = False) -> float:
    """Milliseconds until a broker listens, from starting its process on."""
    if anew:
        with closing(sqlite3.connect(_database(chronicle), isolation_level=None)) as database:
            database.execute("DELETE FROM memory")
    start = time.perf_counter()
    with serving(chronicle.home):
        return (time.perf_counter() - start) * 1000


def _read(chronicle: Chronicle, *tables: str) -> None:
    """What a start reads: every row of these."""
    path = _database(chronicle)
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
        for table in tables:
            for _ in database.execute(f"SELECT * FROM {table}"):
                pass


def _database(chronicle: Chronicle) -> Path:
    return Settings.load(chronicle.home).data_folder / DATABASE_FILE


# -- an auditor's work on a page


async def _pages(chronicle: Chronicle) -> tuple[list[bytes], OpenedCheckpoint]:
    """The first pages of Kenya's chain as they travel, all under one checkpoint."""
    journal = await chronicle.opening().open()
    try:
        pages = [await journal.segment(AUDITED, number * PAGE, PAGE) for number in range(PAGES)]
        settings = Settings.load(chronicle.home)
        signer = Ed25519Signer(settings.origin, settings.secret("log-key"))
        opened = open_checkpoint(journal.checkpoint, [signer.vkey])
    finally:
        await journal.close()
    return [encode({"segment": page.plain(), "consistency": ()}) for page in pages], opened


def _verify(pages: Sequence[bytes], opened: OpenedCheckpoint) -> float:
    """Entries a second of this thread's processor time."""
    found = 0

    def work() -> None:
        nonlocal found
        trust = Trust()
        for body in pages:
            _, page = read_page(body, PageAnswer)
            trust, counts, _ = prove.follow(
                trust, page, opened, AUDITED, 1, None, operator.attrgetter("count")
            )
            found += len(counts)

    with pull.spared_collector():
        seconds = busy(work)
    return found / seconds


class _Segment(Struct):
    entries: tuple[Exhibit, ...]


class _Answer(Struct):
    segment: _Segment


def _bare(pages: Sequence[bytes]) -> float:
    """The same bytes only read and hashed."""
    found = 0

    def work() -> None:
        nonlocal found
        for body in pages:
            for entry in decode(body, type=_Answer).segment.entries:
                hashlib.sha256(entry.leaf).digest()
                mac.digest(LINK_KEY, entry.link)
                mac.digest(VIEW_KEY, entry.view or b"")
                decode(entry.link)
                decode(entry.view or b"null")
                found += 1

    seconds = busy(work)
    return found / seconds


def _over_http(port: int, size: int, rounds: int) -> tuple[list[float], list[float]]:
    """Milliseconds of a proof, and of a request that reads nothing."""
    anywhere, ours, nothing = random.Random(1), list[float](), list[float]()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for _ in range(rounds):
            nothing.append(_a_request(runner, port, ["/healthz"] * PROOFS))
            indices = [anywhere.randrange(size) for _ in range(PROOFS)]
            paths = [f"/v1/log/proof/inclusion?index={index}&size={size}" for index in indices]
            ours.append(_a_request(runner, port, paths))
    return ours, nothing


def _a_request(runner: asyncio.Runner, port: int, paths: Sequence[str]) -> float:
    requests = [request(port, f"GET {path}") for path in paths]
    return runner.run(send_all(port, requests, 1)) * 1000 / len(paths)


# -- questions


def _ask(chronicle: Chronicle, rounds: int) -> Iterator[Row]:
    """Every question, with the words that it needs."""
    auditor = Auditor(chronicle.identity(AUDITED, "auditor"))
    proven = _of_partner(chronicle)
    with EvidenceStore.open(auditor.identity.state, pull.whose(auditor), new=False) as store:
        words = _words(store, auditor)
        for question in QUESTIONS:
            needed = {word: words[word] for word in question.needs if word in words}
            asked = Asked(**needed, limit=ROWS)

            def answer(question: Question = question, asked: Asked = asked) -> object:
                if not question.sql:
                    return reconcile(store, AUDITED, proven)
                return answers.ask(store, AUDITED, question, asked)

            look, took = list[float](), list[float]()
            for _ in range(rounds):
                look.append(timed(lambda: list(store.rows(EVERY_ROW))) * 1000)
                took.append(timed(answer) * 1000)
            name = f"million.ask.{question.name}"
            what, limit = question.asks.partition("?")[0].lower(), "every row seen"
            yield Row(name, what, "ms", took, look, limit, ANSWER)


def _words(store: EvidenceStore, auditor: Auditor) -> dict[str, Any]:
    """Words for all questions: a release of some time ago, and who did most."""
    release = store.one(A_RELEASE)
    assert release is not None, "there are releases"
    return {
        "report": release["report"],
        "index": release["idx"],
        "who": auditor.identity.kid,
        "policy": "1",
    }


def _of_partner(chronicle: Chronicle) -> Proven:
    """The verified history of a partner who is seldom concerned."""
    auditor = Auditor(chronicle.identity(QUIET, "auditor"))
    me = auditor.identity
    with EvidenceStore.open(me.state, pull.whose(auditor), new=False) as store:
        lines = files.history(store, me.mission, me.nation, me.charter)
        return evidence_file.verify(lines, me.charter, now_ms=int(time.time() * 1000))
