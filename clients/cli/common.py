"""What the commands share: opening an identity, running async work, reading words."""

import os
import re
import sys
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, TypeVar

import anyio
import typer

from clients.identity import PASSPHRASE, Identity
from clients.keystore import PASSPHRASE_MIN
from wire.errors import Malformed, NotAllowed
from wire.labels import PRECEDENCES, Precedence

T = TypeVar("T")


def load(folder: Path) -> Identity:
    """Open an identity folder; the passphrase comes from the environment or a prompt."""
    return Identity.load(folder, ask)


def roots_of(nation: str, folders: Iterable[Path]) -> list[Identity]:
    """Open folders of this nation's root. Raises `Malformed` ("bad-input") for another's."""
    roots = [load(folder) for folder in folders]
    for root in roots:
        if root.nation != nation:
            words = f"the root of {root.nation} signs with --as an identity of {root.nation}"
            raise Malformed("bad-input", f"{words}, and this one is of {nation}")
    return roots


def passphrase() -> str:
    """The passphrase of keys that are there: from the environment or a prompt."""
    return os.environ.get(PASSPHRASE) or ask()


def ask() -> str:
    """The passphrase, typed unseen."""
    _check_terminal()
    return str(typer.prompt("Passphrase", hide_input=True, err=True))


def new_passphrase() -> str:
    """A passphrase for new keys: from the environment, or typed twice."""
    found = os.environ.get(PASSPHRASE)
    if found is not None:
        return found
    _check_terminal()
    words = f"New passphrase, {PASSPHRASE_MIN} characters or more"
    return str(typer.prompt(words, hide_input=True, confirmation_prompt=True, err=True))


def _check_terminal() -> None:
    """Never take a passphrase from where it would be shown: a pipe, a log, an editor's console."""
    if sys.stdin.isatty():
        return
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError as error:
        detail = f"there is no terminal to type it at; set {PASSPHRASE}"
        raise NotAllowed("bad-passphrase", detail) from error


def run_async(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run async work to its end; of several errors at once, raise the first."""
    try:
        return anyio.run(work)
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from group


def split(values: list[str]) -> list[str]:
    """`--release-to GBR,FRA --release-to SEN` is three nations."""
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


def whole_identity(text: str) -> str:
    """An argument that names a report: all 64 digits, for screens show the first of them only.

    Raises `Malformed` ("bad-input").
    """
    if re.fullmatch("[0-9a-f]{64}", text) is None:
        words = "a report is named by all its 64 hex digits, as --json prints them"
        raise Malformed("bad-input", words)
    return text


def precedence_of(word: str) -> Precedence:
    """The precedence, however it is written. Raises `Malformed` ("bad-input")."""
    for precedence in PRECEDENCES:
        if word.upper() == precedence:
            return precedence
    raise Malformed("bad-input", f"a precedence is one of {', '.join(PRECEDENCES)}")
