"""The stage of the demonstration: a mission in a fresh folder and a real broker on loopback."""

import contextlib
import secrets
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

import anyio
from anyio.abc import Process

from clients import kit
from clients.founding import Plan, Policies
from clients.identity import Identity
from clients.keystore import CHEAP
from clients.policy_folder import nation_texts
from clients.session import Session
from wire.errors import BrokerFault

MISSION: Final = "MINUSX"
NATIONS: Final = ("KEN", "GBR", "FRA", "SEN", "BGD")
CLEARANCES: Final = {"SEN": "CONFIDENTIAL", "BGD": "CONFIDENTIAL"}
START_WITHIN: Final = 20.0  # seconds
STOP_WITHIN: Final = 10.0  # seconds


@dataclass(frozen=True)
class Stage:
    """A mission on disk and its broker; identities open with one passphrase made for it."""

    folder: Path
    passphrase: str
    nations: tuple[str, ...]

    def identity(self, nation: str, kind: str) -> Identity:
        """One member's identity."""
        return Identity.load(self.folder / nation / kind, self.passphrase)


def build(folder: Path) -> Stage:
    """A mission of five nations, each with its own keys, clearances and policies."""
    plan = Plan(
        mission=MISSION,
        nations=NATIONS,
        name="Exercise of the demonstration",
        exercise=True,
        clearances=CLEARANCES,
        policies=_policies(),
    )
    return founded(folder, plan)


def founded(folder: Path, plan: Plan) -> Stage:
    """Any mission in a fresh folder. Its keys are made here and guard nothing, so the passphrase is
    stretched cheaply.
    """
    passphrase = secrets.token_urlsafe(16)
    kit.create(folder, plan, passphrase, now=int(time.time()), cost=CHEAP, port=0)
    return Stage(folder, passphrase, plan.nations)


@contextlib.asynccontextmanager
async def broker(stage: Stage) -> AsyncIterator[Process]:
    """A broker process on a free port of loopback, ready; stopped at the end.

    Raises `BrokerFault` ("unreachable") if it does not become ready.
    """
    command = [sys.executable, "-m", "broker.serve", str(stage.folder / "broker"), "--port", "0"]
    log = stage.folder / "broker.log"
    with log.open("wb") as file:
        process = await anyio.open_process(command, stdout=file, stderr=file)
        try:
            await _ready(stage, process)
            yield process
        finally:
            with anyio.CancelScope(shield=True):
                await _stopped(process)


async def _ready(stage: Stage, process: Process) -> None:
    address = stage.folder / "broker" / "address"
    with anyio.move_on_after(START_WITHIN):
        while process.returncode is None:
            if address.exists():
                identity = stage.identity(stage.nations[0], "system")
                with contextlib.suppress(BrokerFault):
                    async with Session(identity) as session:
                        await session.transport.get("/readyz")
                        return
            await anyio.sleep(0.1)
    raise BrokerFault("unreachable", "the broker did not become ready; see broker.log")


async def _stopped(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
        with anyio.move_on_after(STOP_WITHIN):
            await process.wait()
            return
        process.kill()
        await process.wait()


def _policies() -> Mapping[str, Policies]:
    """The example policies of the five nations."""
    with as_file(files("policies").joinpath("examples")) as folder:
        texts = {nation: nation_texts(folder / nation) for nation in NATIONS}
    return {n: Policies(t["release"], t["accept"]) for n, t in texts.items()}
