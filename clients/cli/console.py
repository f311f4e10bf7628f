"""`tearline audit console`: the evidence as pages, where the server library is installed."""

import os
import socket
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final

import typer

from clients import files
from clients.auditor import Auditor
from clients.cli import evidence, output
from clients.cli.common import load
from clients.cli.options import As, Json
from clients.console import assets, labels
from clients.console.desk import Desk, rechecked
from clients.console.serve import Console, server
from clients.console.sessions import LINK_S, Sessions
from clients.identity import Identity
from wire.errors import Malformed, quoted

PORT: Final = 8_442
OPENER: Final = "console.html"

Certificate = Annotated[
    Path | None, typer.Option("--certificate", help="TLS certificate chain, PEM.")
]
Key = Annotated[Path | None, typer.Option("--key", help="Its private key, PEM.")]


def console(
    identity: As,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65_535)] = PORT,
    reports: Annotated[
        Path | None, typer.Option("--reports", help="Folder of .tlr files, for their labels.")
    ] = None,
    certificate: Certificate = None,
    key: Key = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Show what was pulled before.")
    ] = False,
    no_open: Annotated[bool, typer.Option("--no-open", help="Print the link only.")] = False,
    json: Json = False,
) -> None:
    """Show your evidence in a browser: pictures, questions, and proofs that it verifies itself.

    Pulls what is new, proves all of it again, and serves it on this machine until
    you stop it. The link is good once and for two minutes.
    Example: tearline audit console --as kit/KEN/auditor --reports sent
    """
    tls = _tls(host, certificate, key)
    held = {} if reports is None else labels.read(reports)
    loaded = load(identity)
    if not offline:
        evidence.bring(loaded, json=json)
    desk = Desk(Auditor(loaded), evidence.now_ms, held)
    with output.errors.status("proving the evidence", spinner="dots"):
        recheck = rechecked(desk)
    if recheck:
        output.note(f"[bold red]altered:[/bold red] {output.clean_line(recheck)}")
    desk = Desk(desk.auditor, desk.now_ms, held, recheck)
    with _listening(host, port) as listener:
        origins = _origins(host, listener.getsockname()[1], tls=bool(tls))
        sessions = Sessions(time.monotonic, os.urandom)
        link = f"{origins[0]}/console#sign-in={sessions.invite()}"
        _show(link, json=json)
        with _opened(loaded, link, wanted=not no_open):
            app = Console(desk, sessions, origins, assets.load())
            server(app, **tls).run(sockets=[listener])


def _tls(host: str, certificate: Path | None, key: Path | None) -> dict[str, str]:
    """Where TLS is needed, and with what. Raises `Malformed` ("bad-input")."""
    if _address(host) in {"0.0.0.0", "::"}:  # noqa: S104 - refused here
        raise Malformed("bad-input", "--host: name the one address at which it is to be called")
    if (certificate is None) != (key is None):
        raise Malformed("bad-input", "--certificate and --key come together")
    if certificate is None or key is None:
        if not _is_loopback(host):
            detail = "beyond this machine it needs --certificate and --key"
            raise Malformed("bad-input", f"--host {quoted(host)}: {detail}")
        return {}
    for path in (certificate, key):
        if not path.is_file():
            raise Malformed("bad-input", f"no readable file {quoted(path.name)}")
    return {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}


def _address(host: str) -> str:
    try:
        return str(ip_address(host))
    except ValueError:
        return host


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _origins(host: str, port: int, *, tls: bool) -> tuple[str, ...]:
    """The addresses under which it may be called, the one to print first."""
    names = [f"[{host}]" if ":" in host else host]
    if _is_loopback(host) and host != "localhost":
        names.append("localhost")
    scheme, usual = ("https", 443) if tls else ("http", 80)
    return tuple(f"{scheme}://{name}" + ("" if port == usual else f":{port}") for name in names)


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A bound socket: the port is known, and ours, before the link is printed."""
    try:
        info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(info[4][:2], family=info[0])
    except OSError as error:
        detail = f"cannot listen at {quoted(host)} port {port}: {(error.strerror or '').lower()}"
        raise Malformed("bad-input", f"{detail}; try another --port") from error
    with listener:
        yield listener


def _show(link: str, *, json: bool) -> None:
    if json:
        output.line({"url": link, "seconds": LINK_S})
        return
    output.say(f"[bold]{link}[/bold]")
    output.say(f"  good once, for {LINK_S // 60} minutes; Ctrl-C ends the console")


@contextmanager
def _opened(identity: Identity, link: str, *, wanted: bool) -> Iterator[None]:
    """The link in a browser. It goes there through a file that only its owner can read: the
    arguments of a program are for every user of the machine to see.
    """
    path = identity.state / OPENER
    if wanted:
        text = f'<meta http-equiv="refresh" content="0; url={escape(link)}">'
        path.unlink(missing_ok=True)
        files.write_new(path, text.encode(), 0o600)
        webbrowser.open(path.absolute().as_uri())
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
