"""A pilot on disk: a founded kit, a real broker on loopback, and the devices of its people.

    with Pilot.of("KEN", "GBR", folder=path) as pilot:
        async with pilot.publisher("KEN") as publisher, pilot.subscriber("GBR") as subscriber:
            receipt = await publisher.publish(pilot.draft(release_to={"GBR"}))

Everything is real, keys, folders, policies, HTTP and SQLite; only passphrases are stretched
cheaply. A kit is founded once for each set of words, and every pilot gets its own copy of it.
"""

import atexit
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from clients import kit
from clients.auditor import Auditor
from clients.draft import Draft, Label
from clients.founding import Plan, Policies
from clients.identity import Identity
from clients.keystore import CHEAP
from clients.officer import Officer, Spoken
from clients.publisher import Publisher
from clients.session import Session
from clients.subscriber import Subscriber
from tests.broker.server import PATIENCE, Running, serving

PASSPHRASE = "a passphrase of the pilot"
ROOT = Path(__file__).parent.parent
Client = TypeVar("Client", bound=Session)


@cache
def founded(**words: Any) -> Path:
    """A kit as `kit create` writes it. Who uses it takes a copy."""
    home = tempfile.mkdtemp(prefix="tearline-pilot-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    folder = Path(home) / "kit"
    given: dict[str, Any] = {
        name: dict(value) if name in _PAIRS else value for name, value in words.items()
    }
    age = int(given.pop("age", 0))
    plan = Plan(mission="MINUSX", **given)
    kit.create(folder, plan, PASSPHRASE, now=int(time.time()) - age, cost=CHEAP, port=0)
    return folder


_PAIRS = ("clearances", "policies", "communities")


def words(**plan: Any) -> dict[str, Any]:
    """The words of a plan in a form that can be remembered."""
    return {
        name: tuple(sorted(value.items())) if isinstance(value, Mapping) else value
        for name, value in plan.items()
    }


@dataclass
class Pilot:
    """A kit's folder with its broker's address."""

    folder: Path
    port: int
    server: Running | None = None
    doors: list[socket.socket] = field(default_factory=list)
    """Sockets by whose names the broker may also be called: for whoever stands in between."""
    clock: Callable[[], float] = time.time
    """What its people's devices go by."""

    @classmethod
    @contextmanager
    def of(
        cls,
        *nations: str,
        folder: Path,
        doors: int = 0,
        clock: Callable[[], float] = time.time,
        limits: Mapping[str, Any] | None = None,
        **plan: Any,
    ) -> Iterator["Pilot"]:
        """A pilot of these nations whose broker runs, in a thread."""
        pilot = cls.laid_out(*nations, folder=folder, doors=doors, **plan)
        with serving(pilot.folder / "broker", clock, **(limits or {})) as server:
            pilot.port, pilot.server = server.port, server
            try:
                yield pilot
            finally:
                for door in pilot.doors:
                    door.close()

    @classmethod
    def laid_out(cls, *nations: str, folder: Path, doors: int = 0, **plan: Any) -> "Pilot":
        """The same before any broker runs."""
        home = folder / "kit"
        shutil.copytree(founded(nations=nations, **words(**plan)), home)
        pilot = cls(home, 0, doors=[_bound() for _ in range(doors)])
        settings = home / "broker/broker.toml"
        names = "".join(f', "127.0.0.1:{door.getsockname()[1]}"' for door in pilot.doors)
        text = settings.read_text()
        settings.write_text(re.sub(r"(?m)^(authorities = .*)\]$", rf"\1{names}]", text))
        return pilot

    # -- people

    def device(self, nation: str, kind: str, *, port: int | None = None) -> Identity:
        """A fresh device of a member: its keys, where the broker is, and no memory of anything."""
        home = Path(tempfile.mkdtemp(prefix=f"{nation}-{kind}-", dir=self.folder.parent)) / "id"
        shutil.copytree(self.folder / nation / kind, home)
        public = json.loads((home / "identity.json").read_text())
        del public["address_file"]
        public["broker"] = f"http://127.0.0.1:{port or self.port}"
        (home / "identity.json").write_text(json.dumps(public))
        return Identity.load(home, PASSPHRASE)

    def publisher(self, nation: str, **how: Any) -> Publisher:
        return Publisher(self.device(nation, "system"), **{"clock": self.clock, **how})

    def subscriber(self, nation: str, **how: Any) -> Subscriber:
        return Subscriber(self.device(nation, "analyst"), **{"clock": self.clock, **how})

    def officer(self, nation: str, **how: Any) -> Officer:
        return Officer(self.device(nation, "officer"), **{"clock": self.clock, **how})

    async def adopts(self, nation: str, release: str, accept: str) -> Spoken:
        """A nation's next policy, whatever it releases: both of its policy officers sign."""
        async with self.officer(nation) as officer:
            proposed = await officer.propose(release, accept)
        async with Officer(self.device(nation, "officer2")) as second:
            return await second.countersign(proposed)

    def auditor(self, nation: str, **how: Any) -> Auditor:
        return Auditor(self.device(nation, "auditor"), **{"clock": self.clock, **how})

    def joins(self, nation: str, name: str, kind: str) -> Identity:
        """A new member's device, with keys of its own; an officer has yet to add it."""
        home = self.folder.parent / f"{nation}-{name}"
        like = self.folder / nation / kind
        known: Any = kind
        kit.create_member(home, like, known, PASSPHRASE, cost=CHEAP)
        return Identity.load(home, PASSPHRASE)


def draft(title: str = "Ambush", release_to: Iterable[str] = ("GBR",), **how: Any) -> Draft:
    """A report; words that a label has go into the label, the rest into the draft."""
    label = {
        "classification": "RESTRICTED",
        "regions": {"KE"},
        "threats": {"conflict.clash"},
        **{name: how.pop(name) for name in list(how) if name in Label.__dataclass_fields__},
    }
    body = how.pop("body", "Two vehicles. No losses.")
    return Draft(title=title, body=body, label=Label(release_to=set(release_to), **label), **how)


def open_policy(nation: str) -> Policies:
    """A policy that releases and takes in whatever labels and the floor permit."""
    return Policies(permit_all(nation, "release"), permit_all(nation, "accept"))


def permit_all(nation: str, action: str) -> str:
    whom = f'principal in Nation::"{nation}"' if action == "accept" else "principal"
    says = '@says("Whatever the label permits.")'
    rule = f'permit ({whom}, action == Action::"{action}", resource);'
    return f'@id("{nation}/{action}-all")\n{says}\n{rule}'


# -- the broker as a process


def free_port() -> int:
    """A port that nobody listens on."""
    with _bound() as found:
        return int(found.getsockname()[1])


class BrokerProcess:
    """`python -m broker.serve`, to be killed and started again on the same port."""

    MODULE: ClassVar[tuple[str, ...]] = ("broker.serve",)

    def __init__(self, pilot: Pilot) -> None:
        self.pilot = pilot
        pilot.port = pilot.port or free_port()
        self.log = pilot.folder / "broker.log"
        self.process: subprocess.Popen[bytes]
        self.running = False

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        command = [sys.executable, "-m", *self.MODULE, str(self.pilot.folder / "broker")]
        command += ["--port", str(self.pilot.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)
        wait_until(self.ready)
        self.running = True

    def ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()[-2_000:]
        try:
            with socket.create_connection(("127.0.0.1", self.pilot.port), 1) as probe:
                host = f"Host: 127.0.0.1:{self.pilot.port}"
                probe.sendall(f"GET /readyz HTTP/1.1\r\n{host}\r\n\r\n".encode())
                return probe.recv(64).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    def kill(self) -> None:
        """kill -9."""
        self.running = False
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to stop; gives its exit code."""
        self.running = False
        self.process.terminate()
        return self.process.wait(PATIENCE)


@contextmanager
def broker_process(pilot: Pilot) -> Iterator[BrokerProcess]:
    """The broker of a pilot as a process of its own, ready; gone at the end."""
    broker = BrokerProcess(pilot)
    broker.start()
    try:
        yield broker
        assert not broker.running or broker.process.poll() is None, broker.log.read_text()[-2_000:]
    finally:
        if broker.process.poll() is None:
            broker.kill()


def wait_until(true: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Look again and again, for what another process does tells nobody when it is done."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def _bound() -> socket.socket:
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.bind(("127.0.0.1", 0))
    return found


def environment(passphrase: str = PASSPHRASE) -> dict[str, str]:
    """What a command line sees: the passphrase, and no width or colour of this terminal."""
    return {**os.environ, "TEARLINE_PASSPHRASE": passphrase, "COLUMNS": "200", "NO_COLOR": "1"}
