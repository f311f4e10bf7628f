"""The broker holds no plaintext: not in its files, not in its logs, not in its memory.

Marker strings stand in titles, bodies, attachment names and attachment contents. After everything a
report goes through, all that the broker ever wrote and all that its process holds is searched for
them, as text, as UTF-16, and as base64 at each of its three offsets.
"""

import base64
import io
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import anyio
import pytest

from clients.draft import AttachmentFile, Portion
from clients.founding import Policies
from tests.pilot import BrokerProcess, Pilot, broker_process, draft, open_policy, permit_all
from wire.errors import NotAllowed
from wire.report import parse

WORD = "Zaffre-"
SECRETS = {
    "title": "Zaffre-Title-7Q1",
    "body": "Zaffre-Body-8W2",
    "portion title": "Zaffre-Below-9E3",
    "portion body": "Zaffre-Under-1R4",
    "attachment name": "Zaffre-Name-2T5.txt",
    "attachment content": "Zaffre-Content-3Y6",
    "refused body": "Zaffre-Refused-4U7",
}
POLICIES = {
    "KEN": open_policy("KEN"),
    "GBR": open_policy("GBR"),
    "FRA": Policies(
        permit_all("FRA", "release"),
        """@id("FRA/little") @says("Up to RESTRICTED.")
        permit (principal, action == Action::"accept", resource in UpTo::"RESTRICTED");""",
    ),
}
COUNT = 400
"""Times the content marker stands in the attachment: several chunks of it."""


def forms(text: str) -> Iterator[bytes]:
    """A text as it could lie in memory or in a file."""
    raw = text.encode()
    yield raw
    yield text.encode("utf-16-le")
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + raw)
        yield encoded[4 if shift else 0 : -4]
    yield raw.hex().encode()


def found_in(data: bytes, texts: Iterable[str]) -> set[str]:
    """The texts that stand in the data in any form; a look for what all begin with comes first."""
    asked = {text for text in texts if not text.startswith(WORD)}
    if any(form in data for form in forms(WORD)):
        asked |= set(texts)
    return {text for text in asked if any(form in data for form in forms(text))}


def memory(pid: int) -> Iterator[bytes]:
    """Everything that a process can read of its own memory, a mapping at a time."""
    with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb", 0) as mem:
        for line in maps:
            span, rights, *_, name = f"{line.rstrip()} ".split(" ", 5)
            if "r" not in rights or name.strip() in {"[vvar]", "[vsyscall]"}:
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            mem.seek(start)
            try:
                yield mem.read(end - start)
            except OSError:  # a mapping that went away, or that cannot be read
                continue


def in_memory(broker: BrokerProcess, texts: Iterable[str]) -> set[str]:
    try:
        return set().union(*(found_in(part, texts) for part in memory(broker.process.pid)))
    except PermissionError:
        pytest.skip("this system does not let a parent read its child's memory")


def on_disk(folder: Path, texts: Iterable[str]) -> set[str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name.endswith("-wal") for path in files), "the journal is open, so is its WAL"
    return set().union(*(found_in(path.read_bytes(), texts) for path in files))


async def a_day(pilot: Pilot) -> str:
    """Everything that a report goes through; gives the id that its author chose."""
    content = (SECRETS["attachment content"] + "\n") * COUNT
    below = draft(SECRETS["portion title"], {"GBR", "FRA"}, body=SECRETS["portion body"])
    letter = draft(
        SECRETS["title"],
        {"GBR"},
        body=SECRETS["body"],
        classification="SECRET",
        attachments=[AttachmentFile.of_bytes(SECRETS["attachment name"], content.encode())],
        portions=[Portion(label=below.label, title=below.title, body=below.body)],
    )
    refused = draft("-", {"FRA"}, body=SECRETS["refused body"], classification="CONFIDENTIAL")
    async with pilot.publisher("KEN") as publisher:
        await publisher.preview(letter)
        receipt = await publisher.publish(letter)
        with pytest.raises(NotAllowed, match="withheld"):
            await publisher.publish(refused)
    for nation in ("GBR", "FRA"):
        async with pilot.subscriber(nation) as subscriber:
            async for received in subscriber.watch():
                seen = received
                break
            async for _ in subscriber.fetch():
                pass
            if nation == "GBR":
                assert seen.title == SECRETS["title"]
                (attachment,) = seen.report.portions[0].attachments
                assert attachment.name == SECRETS["attachment name"]
                into = io.BytesIO()
                await subscriber.attachment(seen, attachment, into)
                assert into.getvalue() == content.encode()
    for nation in ("KEN", "GBR", "FRA"):
        async with pilot.auditor(nation) as auditor:
            await auditor.verify()
    return str(json.loads(parse(receipt.raw).header_bytes)["id"])


@pytest.mark.slow
def test_files_logs_and_memory_of_the_broker_hold_no_plaintext(tmp_path: Path) -> None:
    """The report's id is in the clear, by design: it is found, so the search does find things."""
    nations = ("KEN", "GBR", "FRA")
    pilot = Pilot.laid_out(*nations, folder=tmp_path, policies=POLICIES)
    with broker_process(pilot) as broker:
        report_id = anyio.run(a_day, pilot)
        texts = {*SECRETS.values(), report_id}
        assert in_memory(broker, texts) == {report_id}
        assert on_disk(pilot.folder / "broker", texts) == {report_id}
        assert broker.stop() == 0
    log = broker.log.read_bytes()
    assert b"report.accepted" in log
    assert found_in(log, SECRETS.values()) == set()
    assert any((pilot.folder / "broker/data/attachments").iterdir())


@pytest.mark.parametrize("offset", range(5))
def test_the_search_finds_a_text_in_every_form(offset: int) -> None:
    text, noise = SECRETS["body"], os.urandom(64)
    for data in (
        text.encode(),
        text.encode("utf-16-le"),
        base64.b64encode(bytes(offset) + text.encode() + bytes(7)),
        text.encode().hex().encode(),
    ):
        assert found_in(noise + data + noise, SECRETS.values()) == {text}
