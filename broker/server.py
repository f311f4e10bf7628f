"""uvicorn with our bounds, our stopping and our TLS."""

import asyncio
import email.utils
import os
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import uvicorn

from broker import logs
from broker.metrics import Metrics
from broker.problems import Asgi
from broker.protocol import BoundedProtocol, Doorkeeper
from broker.settings import ADDRESS_FILE, Settings
from wire.errors import BrokerFault

BACKLOG: Final = 2_048
"""Connections the system may hold for us while we are busy."""


@contextmanager
def bound(settings: Settings) -> Iterator[socket.socket]:
    """A socket bound to the address of the settings, not listening yet.

    Raises `BrokerFault` ("bad-settings") if the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            reason = os.strerror(error.errno or 0).lower()
            raise BrokerFault("bad-settings", f"port {settings.port}: {reason}") from None
        yield listener


class Server(uvicorn.Server):
    """uvicorn with our protocol, that drains streams before it waits for connections.

    uvicorn waits for every answer before it tells the application to stop, and a stream is an
    answer without end: `drain` ends them. `check` raises `BrokerFault` when there is no sense in
    going on; the server then stops and `fault` says why. `clock` gives Unix seconds, for the Date
    field; `tls` is made by `tls_context`.
    """

    def __init__(
        self,
        app: Asgi,
        settings: Settings,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        drain: Callable[[], Awaitable[None]],
        check: Callable[[], None] = lambda: None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._settings, self._clock = settings, clock
        self._drain, self._check = drain, check
        self.fault: BrokerFault | None = None
        limits = settings.limits
        door = Doorkeeper(limits, metrics, self._date)
        config = uvicorn.Config(
            app,
            http=partial(BoundedProtocol, door=door),  # type: ignore[arg-type]
            ws="none",
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=limits.idle_seconds,  # type: ignore[arg-type]
            timeout_graceful_shutdown=limits.drain_seconds,  # type: ignore[arg-type]
        )
        config.load()
        config.ssl = tls
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say where."""
        await super().startup(sockets)
        fresh = self._settings.folder / f"{ADDRESS_FILE}.new"
        fresh.write_text(self._settings.url + "\n", encoding="ascii")
        fresh.replace(self._settings.folder / ADDRESS_FILE)  # nobody reads half an address
        logs.event("listening", url=self._settings.url)

    async def on_tick(self, counter: int) -> bool:
        """Look, ten times a second, whether to stop."""
        try:
            self._check()
        except BrokerFault as fault:
            logs.event("fault", slug=fault.slug)
            self.fault = fault
            return True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no new connections, let streams end, then wait for the rest."""
        logs.event("stopping")
        (self._settings.folder / ADDRESS_FILE).unlink(missing_ok=True)
        for server in self.servers:
            server.close()
        await self._drain()
        await super().shutdown(sockets)
        logs.event("stopped")

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGINT and SIGTERM, and then end as one that was asked to: with exit code 0."""
        loop = asyncio.get_running_loop()
        caught = (signal.SIGINT, signal.SIGTERM)
        try:
            for number in caught:
                loop.add_signal_handler(number, self.handle_exit, number, None)
        except (RuntimeError, ValueError):  # not the main thread: somebody else stops us
            yield
            return
        try:
            yield
        finally:
            for number in caught:
                loop.remove_signal_handler(number)

    def _date(self) -> bytes:
        return email.utils.formatdate(int(self._clock()), usegmt=True).encode()


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """TLS 1.3 with the certificate of the settings. Raises `BrokerFault` ("bad-settings")."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(
            settings.path(settings.tls_certificate), settings.path(settings.tls_key)
        )
    except OSError:  # ssl.SSLError is one
        raise BrokerFault(
            "bad-settings", "the TLS certificate and key do not load together"
        ) from None
    return context
