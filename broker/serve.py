"""The broker as a process: `python -m broker.serve DIR`, where `broker.toml` lies.

Refusing to start is one line on standard error and exit code 1. A stop by SIGINT or SIGTERM lets
streams end with a cursor and answers finish, then exits with 0. When the journal cannot be written
any more nothing is served any more: exit code 2, and the next start finds out what is true.
"""

import argparse
import asyncio
import gc
import os
import resource
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import uvloop

from broker import logs
from broker.app import create_app
from broker.core import Broker
from broker.metrics import Metrics
from broker.server import Server, bound, tls_context
from broker.settings import Settings
from broker.signatures import Processes
from wire.errors import BrokerFault, TearlineError

STOPPED: Final = 0
REFUSED: Final = 1
FAILED: Final = 2

YOUNG_OBJECTS: Final = 100_000
"""New objects after which the collector looks at them, many thousands of reports later: what is
kept of one is not among them (`broker.held`)."""


def serve(folder: Path, port: int | None = None) -> int:
    """Serve the broker in `folder` until a signal; gives the exit code.

    `port` replaces the one in the settings; 0 lets the system choose, and the file `address` says
    what it chose.
    """
    # What is in memory (the log's key, the journal's secret) must not land in a core file.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logs.configure()
    try:
        settings = Settings.load(folder, port=port)
        with bound(settings) as listener, asyncio.Runner(loop_factory=uvloop.new_event_loop) as run:
            port = listener.getsockname()[1]
            fault = run.run(_serve(settings.listening_on(port), listener))
    except TearlineError as error:
        sys.stderr.write(f"the broker does not start: {error}\n")
        return REFUSED
    if fault is not None:
        sys.stderr.write(f"the broker stopped: {fault}\n")
        return FAILED
    return STOPPED


async def _serve(settings: Settings, listener: socket.socket) -> BrokerFault | None:
    """Serve until told to stop; gives what made it stop unasked."""
    tls, metrics = tls_context(settings), Metrics()
    gc.disable()  # a start makes millions of objects, and all of them stay
    broker = await Broker.open(settings, clock=time.time, random=os.urandom, signatures=Processes())
    spare_the_collector()
    try:
        app = create_app(broker, metrics)
        server = Server(
            app,
            settings,
            metrics,
            clock=time.time,
            drain=broker.close,
            check=broker.check_ready,
            tls=tls,
        )
        await server.serve(sockets=[listener])
        return server.fault
    finally:
        await broker.close()


def spare_the_collector() -> None:
    """What a start has built stays: the garbage collector need not walk it again. It would stop
    everything for as long as that takes, and otherwise be a twentieth of the work on a report.
    Nothing is collected before: next to nothing of it is in a cycle, and looking takes as long as
    reading it did.
    """
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
    gc.enable()


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and serve; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m broker.serve", description="Serve a broker.")
    parser.add_argument("folder", type=Path, help="where broker.toml lies")
    parser.add_argument("--port", type=int, help="listen here instead; 0 lets the system choose")
    given = parser.parse_args(arguments)
    return serve(given.folder, given.port)


if __name__ == "__main__":
    sys.exit(main())
