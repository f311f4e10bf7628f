"""An exercise and the live mission of the same name. Expect refusal, both ways round.

The exercise twin is the hardest case there is: the same mission code, nations, members and name of
the log, on the same machine. Only its roots are its own, and that it is an exercise. Everything
that anybody signs in one is brought to the other.
"""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from clients.identity import IDENTITY_FILE, KEYS_FILE, STATE_FOLDER, Identity
from clients.offline import open_file
from clients.subscriber import Subscriber
from clients.transport import REPORT, STATEMENT, Transport
from tests.coalition import Coalition
from tests.pilot import PASSPHRASE, Pilot, draft, open_policy
from tests.refusal import refused
from wire import fold, request_signature, statements, verify
from wire.directory import Directory
from wire.entries import MISSION
from wire.errors import TearlineError
from wire.notes import VKey, open_checkpoint
from wire.request_signature import Target
from wire.statements import Statement

pytestmark = pytest.mark.anyio

NATIONS = ("KEN", "GBR")
POLICIES = {nation: open_policy(nation) for nation in NATIONS}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Pilot]]:
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(
                Pilot.of(
                    *NATIONS,
                    folder=tmp_path_factory.mktemp(name),
                    policies=POLICIES,
                    exercise=name == "exercise",
                )
            )
            for name in ("live", "exercise")
        }


@pytest.fixture(params=["live", "exercise"])
def ours(both: dict[str, Pilot], request: pytest.FixtureRequest) -> Pilot:
    """To which everything is brought."""
    return both[request.param]


@pytest.fixture
def theirs(both: dict[str, Pilot], ours: Pilot) -> Pilot:
    """From which it is brought."""
    (other,) = (pilot for pilot in both.values() if pilot is not ours)
    return other


def genesis(pilot: Pilot) -> list[Statement]:
    files = sorted((pilot.folder / "broker/genesis").iterdir())
    return [statements.parse(path.read_bytes()) for path in files]


def blank(pilot: Pilot) -> Directory:
    """What a client knows at first: its mission, and the charter that it pins."""
    identity = pilot.device("KEN", "analyst")
    return Directory(identity.mission, identity.charter)


def directory(pilot: Pilot) -> Directory:
    """Who is who, as anybody folds it."""
    found = blank(pilot)
    for position, statement in enumerate(genesis(pilot)):
        found = fold.apply(found, statement, position, int(time.time()), viewer=MISSION)
    return found


async def report(pilot: Pilot) -> bytes:
    async with pilot.publisher("KEN") as publisher:
        return (await publisher.publish(draft("An incident"))).raw


@pytest.mark.slow
async def test_the_twins_are_alike_in_everything_but_their_trust(
    ours: Pilot, theirs: Pilot
) -> None:
    """Otherwise the refusals below would prove too little."""
    one, other = (p.device("KEN", "analyst").public for p in (ours, theirs))
    same = {"mission", "nation", "kind", "origin"}
    assert one.model_dump(include=same) == other.model_dump(include=same)
    assert one.charter != other.charter
    assert {directory(p).founded.exercise for p in (ours, theirs)} == {True, False}


@pytest.mark.slow
async def test_a_report_of_the_other_is_refused_unknown_signer(ours: Pilot, theirs: Pilot) -> None:
    raw = await report(theirs)
    async with ours.publisher("KEN") as publisher:
        with refused("unknown-signer"):
            await publisher.transport.send("POST", "/v1/reports", raw, REPORT)
    known, now = directory(ours), int(time.time())
    with refused("unknown-signer"):
        verify.verify_submission(raw, known, known.position + 1, now)


def test_a_report_of_the_other_is_refused_even_by_the_same_keys_label_exercise() -> None:
    """A nation that uses one device for both: what it sealed still says which it is for."""
    for exercise in (False, True):
        mine = Coalition.of("KEN", "GBR", exercise=exercise)
        other = Coalition.of("KEN", "GBR", exercise=not exercise)
        raw = other["KEN"].seals(release_to="GBR")
        other.accepts(raw)
        with refused("label-exercise"):
            mine.accepts(raw)


def of_the_other(attempt: pytest.ExceptionInfo[TearlineError]) -> bool:
    """Whether it was refused for where it comes from."""
    signature = {"unknown-signer", "bad-signature", "bad-statement"}
    return attempt.value.slug in {*signature, "statement-conflict"}


async def test_a_statement_of_the_other_is_refused(ours: Pilot, theirs: Pilot) -> None:
    """By the broker, and by everybody's fold, wherever in the chain it comes."""
    foreign, known = genesis(theirs), blank(ours)
    async with ours.officer("KEN") as officer:
        for statement in foreign:
            with pytest.raises(TearlineError) as attempt:
                await officer.transport.send("POST", "/v1/statements", statement.raw, STATEMENT)
            assert of_the_other(attempt), attempt.value
    for position, own in enumerate(genesis(ours)):
        known = fold.apply(known, own, position, int(time.time()), viewer=MISSION)
        if known.charter is None:
            continue  # before the charter any root may be announced; it founds nothing
        for statement in foreign[position : position + 2]:
            with pytest.raises(TearlineError) as attempt:
                fold.apply(known, statement, position + 1, int(time.time()), viewer=MISSION)
            assert of_the_other(attempt), attempt.value


async def test_the_charter_of_the_other_founds_nothing_statement_conflict(
    ours: Pilot, theirs: Pilot
) -> None:
    known, chain = blank(ours), genesis(theirs)
    (at,) = (i for i, s in enumerate(chain) if s.head.type == "mission.charter")
    for position, statement in enumerate(chain[:at]):
        known = fold.apply(known, statement, position, int(time.time()), viewer=MISSION)
    with refused("statement-conflict", "not the charter that is pinned"):
        fold.apply(known, chain[at], at, int(time.time()), viewer=MISSION)


async def test_a_checkpoint_of_the_other_is_refused_bad_checkpoint(
    ours: Pilot, theirs: Pilot
) -> None:
    assert theirs.server is not None
    note = theirs.server.ask("GET /v1/log/candidate").body.decode()
    for kind, pilot in (("its own", theirs), ("the other's", ours)):
        keys = [VKey.parse(key) for key in pilot.device("KEN", "analyst").log_keys]
        if kind == "its own":
            open_checkpoint(note, keys)
        else:
            with refused("bad-checkpoint"):
                open_checkpoint(note, keys)


async def test_a_request_signed_for_the_other_is_refused_unsigned_request(
    ours: Pilot, theirs: Pilot
) -> None:
    stranger = theirs.device("GBR", "analyst", port=ours.port)
    transport = Transport(stranger, clock=time.time, random=lambda count: bytes(count - 1) + b"\1")
    async with transport:
        with refused("unsigned-request", "does not verify"):
            await transport.get("/v1/reports")
    target = Target("GET", f"127.0.0.1:{ours.port}", "/v1/reports")
    now, known = int(time.time()), directory(ours).members
    signed = request_signature.sign(
        target, b"", stranger.keys.request, stranger.kid, created=now, nonce=bytes(16)
    )
    headers = [(name.encode(), value.encode()) for name, value in signed.items()]

    def resolve(kid: str) -> bytes | None:
        return known[kid].request_key if kid in known else None

    with refused("unsigned-request", "does not verify"):
        request_signature.verify(headers, target, b"", resolve, now=now)


@pytest.mark.slow
async def test_a_client_of_the_other_gets_nothing_here(ours: Pilot, theirs: Pilot) -> None:
    """Its identity folder pins the other's charter and log; the address alone makes it no member,
    and what this log says it does not believe.
    """
    await report(ours)
    stranger = theirs.device("GBR", "analyst", port=ours.port)
    async with Subscriber(stranger) as client:
        with refused("unsigned-request"):
            await anext(client.fetch())
        assert ours.server is not None
        note = ours.server.ask("GET /v1/log/candidate").body.decode()
        with refused("bad-checkpoint"):
            await client.follower.observe(note)


@pytest.mark.slow
async def test_a_file_of_the_other_does_not_open_unknown_signer(ours: Pilot, theirs: Pilot) -> None:
    raw = await report(theirs)
    for pilot, opens in ((theirs, True), (ours, False)):
        device = pilot.device("GBR", "analyst")
        async with Subscriber(device) as client:
            await client.follower.sync()
        if opens:
            assert open_file(device, raw).title == "An incident"
        else:
            with refused("unknown-signer"):
                open_file(device, raw)


@pytest.mark.slow
async def test_a_local_store_of_the_other_is_not_believed_bad_identity(
    ours: Pilot, theirs: Pilot
) -> None:
    """What one mission's client remembers, put into the other's folder."""
    filled, device = theirs.device("GBR", "analyst"), ours.device("GBR", "analyst")
    await report(theirs)
    async with Subscriber(filled) as client:
        async for _ in client.fetch():
            pass
    shutil.rmtree(device.folder / STATE_FOLDER)
    shutil.copytree(filled.folder / STATE_FOLDER, device.folder / STATE_FOLDER)
    with refused("bad-identity", "altered"):
        Subscriber(device)


def test_the_keys_of_the_other_do_not_fit_the_folder_bad_identity(
    ours: Pilot, theirs: Pilot, tmp_path: Path
) -> None:
    one, other = ours.device("GBR", "analyst"), theirs.device("GBR", "analyst")
    shutil.copy(other.folder / KEYS_FILE, one.folder / KEYS_FILE)
    with refused("bad-identity", "another member"):
        Identity.load(one.folder, PASSPHRASE)


async def test_keys_of_the_other_under_a_changed_name_are_no_member(
    ours: Pilot, theirs: Pilot
) -> None:
    """Mission, charter, log and address of this mission, keys and name of the other's member."""
    one, other = ours.device("GBR", "analyst"), theirs.device("GBR", "analyst")
    shutil.copy(other.folder / KEYS_FILE, one.folder / KEYS_FILE)
    public = json.loads((one.folder / IDENTITY_FILE).read_text())
    (one.folder / IDENTITY_FILE).write_text(json.dumps({**public, "kid": other.kid}))
    async with Subscriber(Identity.load(one.folder, PASSPHRASE)) as client:
        with refused("unsigned-request"):
            await anext(client.fetch())


@pytest.mark.slow
async def test_the_banner_of_an_exercise_says_so_first(both: dict[str, Pilot]) -> None:
    for name, pilot in both.items():
        await report(pilot)
        async with pilot.subscriber("GBR") as client:
            banners = [received.banner async for received in client.fetch()]
        start = "EXERCISE MINUSX " if name == "exercise" else "MINUSX "
        assert banners
        assert all(banner.startswith(start) for banner in banners)
