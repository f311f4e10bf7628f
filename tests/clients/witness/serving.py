"""A witness that really listens, in a thread of its own, and what is said to it in bytes."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clients.witness.cosigner import Witness
from clients.witness.folder import SEED, WitnessFolder, WitnessKeys, create
from clients.witness.serve import server
from tests.broker.server import PATIENCE, Raw, Reply

NOW = 1_790_000_000


def laid_out(folder: Path, *logs: str, name: str = "ken.example/witness") -> WitnessFolder:
    """A new witness's folder."""
    create(folder, WitnessKeys(name, name.encode().ljust(SEED, b"-")[:SEED]), logs)
    return WitnessFolder.load(folder)


@contextmanager
def listening(home: WitnessFolder, now: int = NOW) -> Iterator[int]:
    """The port of a witness that listens until the block ends."""
    with (
        Witness(home, lambda: now) as witness,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        running = server(witness, "127.0.0.1", 0)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            running.should_exit = True
            thread.join(PATIENCE)
            assert not thread.is_alive()


def says(port: int, body: bytes, path: str = "/add-checkpoint", method: str = "POST") -> Reply:
    """One request to a witness."""
    with Raw(port) as raw:
        length = f"Content-Length: {len(body)}"
        return raw.ask(f"{method} {path}", length, "Connection: close", body=body)
