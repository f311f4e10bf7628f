"""What a page proves, and what its entries say: worked out here or, while a long history
comes, in a process beside this one, which then has time for the network and the disk.

The process knows nothing and keeps nothing: it is given a page with what is trusted before it, and
answers with what is trusted after it and what it says, or with the refusal. If it ends, its page is
examined here. It is of the same program on the same machine, and is believed as this one is.

    to the process    u32 length, then a `Question`
    from it           u32 length, then an `Answer`

    python -m clients.evidence.examining     is such a process: it ends with its standard input
"""

import signal
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Final, Self

import anyio
import msgspec
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from clients.evidence.facts import Facts, facts
from wire import prove, strict_json
from wire.erasures import PAYLOADS, VIEWS
from wire.errors import Malformed
from wire.evidence import HeadEvidenceModel
from wire.made import OnlyByMaker
from wire.notes import OpenedCheckpoint, VKey, open_checkpoint
from wire.pages import Exhibit, Page, exhibit
from wire.prove import Trust, VerifiedEntry

MANY: Final = 20_000
"""Entries still to come that are worth a process: it takes most of a second to start."""
STARTING: Final = 10
"""Pages that are examined here meanwhile."""
EXPLAINS: Final = frozenset({VIEWS, PAYLOADS})
"""Entries that say what was erased."""

_LENGTH: Final = struct.Struct(">I")


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a verified entry says."""

    count: int
    index: int
    time: int
    type: str
    erased: bool
    facts: Facts


@dataclass(frozen=True)
class Job:
    """A page, the checkpoint that it stands under, the channel that it should be of and this
    channel's place, and what is trusted before it.
    """

    page: Page
    opened: OpenedCheckpoint
    channel: str
    place: int
    trust: Trust


@dataclass(frozen=True, slots=True)
class Examined(metaclass=OnlyByMaker):
    """A page that was verified: what is trusted now, whether the channel is complete, and what each
    entry says. `notable` are the entries whose views are missing, and those that explain it.
    """

    trust: Trust
    complete: bool
    rows: Sequence[Row]
    notable: tuple[VerifiedEntry, ...]


def examine(job: Job) -> Examined:
    """Verify a page. Raises `Malformed` naming the first bad entry."""
    notable = list[VerifiedEntry]()

    def told(entry: VerifiedEntry) -> Row:
        is_erased = entry.view is None
        if is_erased or entry.type in EXPLAINS:
            notable.append(entry)
        return Row(entry.count, entry.index, entry.time, entry.type, is_erased, facts(entry))

    where = (job.channel, job.place)
    trust, rows, complete = prove.follow(job.trust, job.page, job.opened, *where, None, told)
    return Examined._make(trust, complete, rows, tuple(notable))


# -- beside this process


class Question(msgspec.Struct, frozen=True):
    """A `Job` as it travels; the checkpoint is opened again."""

    keys: tuple[str, ...]
    note: str
    channel: str
    place: int
    trust: Trust
    shown: str
    head: bytes
    entries: tuple[Exhibit, ...]


class Answer(msgspec.Struct, frozen=True):
    """`Examined` as it travels, with the places of what is notable; or slug and detail of the
    refusal.
    """

    trust: Trust = Trust()
    complete: bool = False
    rows: tuple[Row, ...] = ()
    notable: tuple[int, ...] = ()
    refused: tuple[str, str] | None = None


class Examiner:
    """Examines one page after the other: `begin`, and then `end`. A context that ends its process.

    `keys` are the log's.
    """

    def __init__(self, keys: Sequence[VKey]) -> None:
        self._keys = tuple(map(str, keys))
        self._job: Job | None = None
        self._here = STARTING
        self._has_started = False
        self._is_asked = False
        self._process: Process | None = None
        self._answers: BufferedByteReceiveStream | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self._stop()

    async def start(self) -> None:
        """Have a process beside this one, once; without it, pages are examined here."""
        if not self._has_started:
            self._has_started = True
            command = (sys.executable, "-m", __name__)
            try:
                self._process = await anyio.open_process(command, stderr=None)
            except OSError:  # no room for another
                return
            assert self._process.stdout is not None, "a pipe"
            self._answers = BufferedByteReceiveStream(self._process.stdout)

    async def begin(self, job: Job) -> None:
        """The next page; the one before has ended."""
        self._job, self._is_asked = job, False
        if self._process is None:
            return
        if self._here:
            self._here -= 1
        else:
            assert self._process.stdin is not None, "a pipe"
            try:
                await self._process.stdin.send(_framed(self._question(job)))
                self._is_asked = True
            except (anyio.BrokenResourceError, Malformed):
                await self._stop()

    async def end(self) -> Examined:
        """What the page proves. Raises like `examine`."""
        job = self._job
        assert job is not None, "it has begun"
        if self._answers is None or not self._is_asked:
            return examine(job)
        try:
            (length,) = _LENGTH.unpack(await self._answers.receive_exactly(_LENGTH.size))
            answer = _ANSWER.decode(await self._answers.receive_exactly(length))
        except (anyio.IncompleteRead, anyio.BrokenResourceError, msgspec.MsgspecError):
            await self._stop()
            return examine(job)
        return _taken(job, answer)

    def _question(self, job: Job) -> Question:
        page = job.page
        head, entries = page.head.model_dump_json(), tuple(map(exhibit, page.entries))
        where = (job.channel, job.place, job.trust)
        shown = (page.channel, head.encode(), entries)
        return Question(self._keys, page.checkpoint, *where, *shown)

    async def _stop(self) -> None:
        process, self._process, self._answers = self._process, None, None
        if process is not None:
            with anyio.CancelScope(shield=True):
                if process.returncode is None:
                    process.kill()
                await process.aclose()


def _taken(job: Job, answer: Answer) -> Examined:
    """What was worked out beside. The entries that more is asked of are proven here once more."""
    if answer.refused is not None:
        raise Malformed(*answer.refused)
    entries = [job.page.entries[number] for number in answer.notable]
    notable = [prove.verify_entry(one, (), job.channel, checkpoint=job.opened) for one in entries]
    return Examined._make(answer.trust, answer.complete, answer.rows, tuple(notable))


def _answered(question: Question) -> Answer:
    opened = open_checkpoint(question.note, tuple(map(VKey.parse, question.keys)))
    head = strict_json.load(question.head, HeadEvidenceModel)
    page = Page(question.note, question.shown, question.entries, head)
    try:
        found = examine(Job(page, opened, question.channel, question.place, question.trust))
    except Malformed as error:
        return Answer(refused=(error.slug, error.detail))
    notable = {entry.index for entry in found.notable}
    places = [n for n, row in enumerate(found.rows) if row.index in notable]
    return Answer(found.trust, found.complete, tuple(found.rows), tuple(places))


def _framed(message: Question | Answer) -> bytes:
    body = _ENCODER.encode(message)
    return _LENGTH.pack(len(body)) + body


def answer(questions: BinaryIO, answers: BinaryIO) -> None:
    """Examine page after page until there are no more."""
    while len(length := questions.read(_LENGTH.size)) == _LENGTH.size:
        question = _QUESTION.decode(questions.read(*_LENGTH.unpack(length)))
        answers.write(_framed(_answered(question)))
        answers.flush()


_ENCODER: Final = msgspec.msgpack.Encoder()
_QUESTION: Final = msgspec.msgpack.Decoder(Question)
_ANSWER: Final = msgspec.msgpack.Decoder(Answer)

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the pull decides when to stop
    answer(sys.stdin.buffer, sys.stdout.buffer)
