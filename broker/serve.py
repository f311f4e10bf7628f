"""The broker as a process: `python -m broker.serve DIR`, where `broker.toml` lies.

Refusing to start is one line on standard error and exit code 1. A stop by SIGINT or SIGTERM lets
streams end with a cursor and answers finish, then exits with 0.
"""

import argparse
import asyncio
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
from broker.server import Server, bound
from broker.settings import Settings
from wire.errors import TearlineError

STOPPED: Final = 0
REFUSED: Final = 1


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
            run.run(_serve(settings.listening_on(listener.getsockname()[1]), listener))
    except TearlineError as error:
        sys.stderr.write(f"the broker does not start: {error}\n")
        return REFUSED
    return STOPPED


async def _serve(settings: Settings, listener: socket.socket) -> None:
    broker = await Broker.open(settings, clock=time.time, random=os.urandom)
    metrics = Metrics()
    try:
        app = create_app(broker, metrics)
        server = Server(app, settings, metrics, clock=time.time, drain=broker.close)
        await server.serve(sockets=[listener])
    finally:
        await broker.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and serve; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m broker.serve", description="Serve a broker.")
    parser.add_argument("folder", type=Path, help="where broker.toml lies")
    parser.add_argument("--port", type=int, help="listen here instead; 0 lets the system choose")
    given = parser.parse_args(arguments)
    return serve(given.folder, given.port)


if __name__ == "__main__":
    sys.exit(main())
