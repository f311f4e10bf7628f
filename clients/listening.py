"""A client that listens: the HTTP server of an auditor's console, and of a nation's witness."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import uvicorn

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

Server = uvicorn.Server
IDLE: Final = 30  # seconds that a connection may be silent


def server(app: Asgi, *, backlog: int, **where: Any) -> Server:
    """A server that is ready to run: it names itself to nobody, logs nothing and believes no proxy.
    It stops on SIGINT and SIGTERM.

    `backlog` is how many connections the system may hold while one request is served; `where` are
    host and port, unless a socket is bound already, and the files of TLS, in uvicorn's words.
    """
    config = uvicorn.Config(
        app,
        ws="none",
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=backlog,
        timeout_keep_alive=IDLE,
        **where,
    )
    return Server(config)
