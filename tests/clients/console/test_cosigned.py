"""Witnesses as the page sees them: ML-DSA-44 is checked, keys may change, and no lie passes."""

import copy
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from clients.auditor import Auditor
from clients.console import api
from clients.identity import Identity
from clients.witness import attend, folder
from tests.appointing import appointed
from tests.clients.console.proving import failed, proved
from tests.clients.console.serving import desk_of
from tests.clients.evidence.little_history import Desk, desk, piloted, share
from tests.pilot import PASSPHRASE, Pilot
from tests.verifiers import confirming_lies
from tests.verifiers.verifying import needs_node
from tests.wire.evidence_files import WITNESSES, Pen, confirmed, witnessed
from wire import statements, strict_json
from wire.base64_strict import decode, encode
from wire.note_keys import Ed25519Signer

pytestmark = [needs_node, pytest.mark.slow]

Entry = dict[str, Any]
NATIONS = ("KEN", "GBR", "FRA")


async def lived(pilot: Pilot) -> Desk:
    """Reports before and after Kenya's witness got other keys; all cosign, Kenya pulls."""
    desks = {nation: desk(pilot, nation) for nation in NATIONS}
    for renewed in (False, True):
        await share(pilot, "KEN", "GBR")
        if renewed:
            await renews(pilot, desks["KEN"].identity)
        for nation in ("KEN", "GBR", *(("FRA", "KEN", "GBR") if renewed else ())):
            await looks(desks[nation])
        await desks["KEN"].pull()
    return desks["KEN"]


async def looks(one: Desk) -> None:
    async with Auditor(one.identity, clock=one.clock) as auditor:
        await one.pull()
        assert await attend.once(auditor, one.clock) is not None


async def renews(pilot: Pilot, identity: Identity) -> None:
    home = attend.home_of(identity)
    assert home is not None
    keys = folder.renew(home, os.urandom(folder.SEED)).keys
    root = Identity.load(pilot.folder / "KEN/root", PASSPHRASE).root
    async with pilot.officer("KEN") as officer:
        await officer.set_witness(keys.vkeys, [root])


@pytest.fixture(scope="module")
def kenya(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    with piloted(tmp_path_factory.mktemp("cosigned")) as pilot:
        return anyio.run(lived, pilot)


@pytest.fixture(scope="module")
def entries(kenya: Desk) -> list[Entry]:
    """Every entry that concerns Kenya, as the console tells of it."""
    console = desk_of(kenya.identity)
    with console.opened() as store:
        indexes = [row["idx"] for row in store.rows("SELECT DISTINCT idx FROM entry ORDER BY idx")]
    return [api.answer(console, f"entry/{index}", {}) for index in indexes]


def cosigned(verdict: dict[str, Any]) -> tuple[str, str]:
    step = verdict["steps"][-1]
    assert step["name"] == "cosigned"
    return step["state"], step["words"]


@pytest.fixture
def entry(entries: list[Entry]) -> Entry:
    """A release that is confirmed by the keys of after the change."""
    found = next(
        e
        for e in reversed(entries)
        if e["shown"][0]["facts"]["type"] == "release" and e["shown"][0]["appointed"]
    )
    return copy.deepcopy(found)


def test_what_a_quorum_cosigned_is_good_with_ml_dsa_44_checked(
    entries: list[Entry], entry: Entry
) -> None:
    state, words = cosigned(proved([entry])[0])
    assert (state, words.partition(" cosigned")[0]) in {("good", "2 of 3"), ("good", "3 of 3")}
    assert words.endswith("are needed; Ed25519 and ML-DSA-44")
    verdicts = proved(entries)
    assert all(verdict["good"] for verdict in verdicts)
    found = {cosigned(verdict)[0] for verdict in verdicts}
    assert found == {"good", "skip"}, "the newest entries are not confirmed yet"


def lines_of(entry: Entry) -> tuple[str, list[str]]:
    text, _, block = entry["shown"][0]["confirmed"]["checkpoint"].rpartition("\n\n")
    return text, block.splitlines()


def with_lines(entry: Entry, change: Callable[[list[str]], list[str]]) -> Entry:
    changed = copy.deepcopy(entry)
    text, lines = lines_of(changed)
    note = "\n".join([text, "", *change(lines), ""])
    changed["shown"][0]["confirmed"]["checkpoint"] = note
    return changed


def is_pq(line: str) -> bool:
    return len(line) > 3_000


@pytest.mark.parametrize("at", [4, 11, 12, 60, 500, 2_400, 2_431])
def test_a_tampered_ml_dsa_44_cosignature_is_refused(entry: Entry, at: int) -> None:
    """Expect refusal: its time, its challenge, its middle, its hints."""

    def change(lines: list[str]) -> list[str]:
        which = next(i for i, line in enumerate(lines) if is_pq(line))
        start, name, material = lines[which].split(" ")
        data = bytearray(decode(material))
        data[at] ^= 1
        return [*lines[:which], f"{start} {name} {encode(bytes(data))}", *lines[which + 1 :]]

    step, words = failed(proved([with_lines(entry, change)])[0])
    assert step == "cosigned"
    assert words.startswith("the cosignature of ")
    assert words.endswith(" is wrong")


def test_ed25519_alone_is_half_of_every_witness(entry: Entry) -> None:
    """Expect refusal: the charter names both keys, and both must have signed."""
    (verdict,) = proved([with_lines(entry, lambda x: [i for i in x if not is_pq(i)])])
    assert failed(verdict) == (
        "cosigned",
        "cosigned by 0 witnesses by keys that count for it, 2 are needed",
    )


def test_one_cosignature_twice_is_refused(entry: Entry) -> None:
    """Expect refusal."""
    (verdict,) = proved([with_lines(entry, lambda lines: [*lines, lines[-1]])])
    assert "twice with one key" in failed(verdict)[1]


def test_the_keys_from_before_do_not_count(entry: Entry) -> None:
    """Expect refusal: the statement that changed them is in the tree."""
    kenyan = next(n for n in charter(entry)["nations"] if n["code"] == "KEN")["witness"]["name"]
    old = {key.split("+")[1] for key in charter(entry)["witnesses"] if key.startswith(kenyan)}

    def only_old(lines: list[str]) -> list[str]:
        names = [(line.split(" ")[1], decode(line.split(" ")[2])[:4].hex()) for line in lines]
        kept = zip(lines, names, strict=True)
        return [x for x, (name, key) in kept if name != kenyan or key in old]

    _, every = lines_of(entry)
    assert any(f" {kenyan} " in line for line in every)
    (verdict,) = proved([with_lines(entry, only_old)])
    state, words = cosigned(verdict)
    assert words.startswith(("2 of 3", "cosigned by 1 ")), (state, words)
    without = copy.deepcopy(entry)
    without["shown"][0]["appointed"] = []
    state, words = cosigned(proved([without])[0])
    assert words.startswith(("2 of 3", "cosigned by 1 ")), "what is not told of is not counted"


def charter(entry: Entry) -> dict[str, Any]:
    body = strict_json.parse(decode(entry["charter"]["body"]))
    assert isinstance(body, dict)
    return body


def forge(entry: Entry, field: str, value: Any) -> Entry:
    changed = copy.deepcopy(entry)
    changed["shown"][0]["appointed"][0][field] = value
    return changed


def test_the_log_cannot_appoint_a_witness(entry: Entry) -> None:
    """Expect refusal: another statement than the entry names, and one that Kenya did not make."""
    said = entry["shown"][0]["appointed"][0]["said"]
    head = statements.parse_head(decode(said["head"]))
    thief = Ed25519Signer("thief", b"t" * 32)
    body = {"salt": "00" * 16, **appointed(head.nation, head.seq, thief, mission=head.mission)}
    told = [
        forge(entry, "said", {**said, "body": encode(strict_json.dump(body))}),
        forge(entry, "said", {**said, "head": encode(decode(said["head"])[:-1] + b" ")}),
        forge(entry, "evidence", entry["shown"][0]["evidence"]),
    ]
    for verdict in proved(told):
        step, words = failed(verdict)
        assert step == "cosigned"
        assert "witness" not in words or "not" in words


def test_another_history_is_not_confirmed_by_it(entry: Entry) -> None:
    """Expect refusal: another proof between the two trees, shorter or longer."""
    right = entry["shown"][0]["confirmed"]["consistency"]
    for proof in (right[1:] or [encode(b"x" * 32)], [*right, encode(b"x" * 32)]):
        changed = copy.deepcopy(entry)
        changed["shown"][0]["confirmed"]["consistency"] = proof
        assert failed(proved([changed])[0])[0] == "cosigned"


def test_files_say_up_to_where_they_are_confirmed(kenya: Desk, tmp_path: Path) -> None:
    proven = kenya.written(tmp_path / "all.tlev", kenya.history())
    assert proven.confirmed is not None
    assert len(proven.confirmed.cosigned_by) >= 2
    index = next(e.index for e in reversed(proven.of("KEN")) if e.type == "release")
    receipt = kenya.written(tmp_path / "one.tlev", kenya.receipt(index))
    assert receipt.confirmed is not None
    assert receipt.confirmed.covers(index)


# -- what the log itself could write


def told_by(pen: Pen) -> Entry:
    """What a console would tell of Kenya's first entry, from a journal in memory."""
    line = pen.lines[-1].confirmed
    assert line is not None
    evidence = pen.log.evidence("KEN", 0)
    link = strict_json.parse(decode(evidence.link))
    assert isinstance(link, dict)
    facts = {name: link[name] for name in ("count", "time", "type")}
    appointed = [
        {
            "evidence": pen.log.evidence("MISSION", count).model_dump(),
            "checkpoint": pen.log.checkpoint,
            "said": known.model_dump(),
        }
        for count, entry in enumerate(pen.log.entries["MISSION"])
        for identity, known in pen.said.items()
        if identity.encode() in entry.views["MISSION"][1]
    ]
    shown = {
        "channel": "KEN",
        "facts": {**facts, "erased": 0, "report": 1},
        "evidence": evidence.model_dump(),
        "tree": pen.size,
        "checkpoint": pen.log.checkpoint,
        "said": None,
        "confirmed": line.model_dump(),
        "appointed": appointed,
    }
    charter = pen.charter.model_dump()
    pinned = pen.charter.identity
    return {"index": evidence.index, "shown": [shown], "pinned": pinned, "charter": charter}


def test_the_truth_of_a_journal_in_memory_holds() -> None:
    before, _ = witnessed()
    pens = [confirmed(), before.confirms(*WITNESSES["KEN"], *WITNESSES["FRA"], size=3)]
    for verdict in proved([told_by(pen) for pen in pens]):
        assert cosigned(verdict)[0] == "good", verdict


@pytest.mark.parametrize("name", confirming_lies.LIES)
def test_the_page_believes_no_lie_about_what_is_confirmed(name: str) -> None:
    """Expect that none is called confirmed: the same lies as for the three verifiers."""
    make, _ = confirming_lies.LIES[name]
    pen = make()
    if pen.kind == "receipt" or name in BEYOND:
        pytest.skip("the page tells no history, and shows no receipt")
    state, words = cosigned(proved([told_by(pen)])[0])

    assert state == "bad", words


BEYOND = {
    "a tree beyond what is told of the mission",
    "the statement about them left out",
    "a mission without witnesses",
}
"""What a page cannot know: it is given statements by the auditor's own evidence."""
