"""The settings file, `broker.toml`, and the secrets beside it.

Every setting says what somebody gains who can change it. Who can change the file can stop the
broker or point it at other folders; nobody gains a report's content by it, because the broker has
no key to any.
"""

import ipaddress
import json
import os
import stat
import tomllib
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from broker.limits import Limits as Limits
from wire.bodies import Origin
from wire.errors import BrokerFault, quoted
from wire.model import Hex32B, Strict, Token

FILE: Final = "broker.toml"
FILE_MAX: Final = 65_536
"""Bytes of a settings file; more is not one of ours."""
SECRET_BYTES: Final = 32
ADDRESS_FILE: Final = "address"
"""Written when the broker listens: the URL, which port 0 leaves to the system to choose."""

Secret = Literal["log-key", "journal-secret", "cursor-key"]
Authority = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.\[\]:-]{1,255}\z", max_length=255)]


class Settings(Strict):
    """One broker's settings. Made by `load`; relative paths are relative to the file's folder."""

    folder: Path
    """Where `broker.toml` lies, with the secrets and `genesis/`. Not written in the file."""
    mission: Token
    """The mission served. Who changes it stops the broker: the journal is another mission's."""
    charter: Hex32B
    """Identity of the one charter accepted. Who changes it on an empty journal founds another
    mission; clients notice, because each has pinned its own."""
    origin: Origin
    """Name of the log in its checkpoints. Who changes it stops the broker: the journal's
    checkpoints carry the old one."""
    host: str = "127.0.0.1"
    """Address to listen on, as a number. Who changes it can expose the broker to a network;
    without TLS that needs `plaintext_beyond_loopback` as well."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8_440
    """Port to listen on; 0 lets the system choose. Who changes it moves the broker away from its
    clients."""
    authorities: Annotated[tuple[Authority, ...], Field(min_length=1, max_length=64)]
    """The names, with port, by which clients call this broker. Who adds one can make requests that
    were signed for another broker acceptable here."""
    data: str = "data"
    """Folder of the journal and attachments. Who changes it can show an older copy; the anchor,
    witnesses and clients notice."""
    anchor: str = "anchor"
    """Folder of the last checkpoint, best on another disk. Who changes it *and* `data` can hide a
    rollback from the broker, not from witnesses and clients."""
    tls_certificate: str | None = None
    """File with the certificate chain (PEM). Who changes it can impersonate this broker to those
    who trust the new one: headers, no content."""
    tls_key: str | None = None
    """File with its private key (PEM). Who reads it can do the same unseen."""
    plaintext_beyond_loopback: bool = False
    """I accept that headers (labels, sizes, times, who asks for what) travel in clear. Who sets it
    can expose them to the network; content stays sealed."""
    log_requests: bool = False
    """Also log requests that were answered as asked. Who sets it learns from the log which member
    asked for which report; refusals are always logged."""
    limits: Limits = Limits()
    """Bounds on what others may use. Who changes them gains load or denial of service."""

    @classmethod
    def load(cls, folder: Path, *, port: int | None = None) -> Self:
        """The settings in `folder`; `port` replaces the one in the file.

        Raises `BrokerFault` ("bad-settings") naming the setting, never its value.
        """
        fields = _read_toml(folder / FILE)
        if "folder" in fields:
            raise BrokerFault("bad-settings", "`folder` is not a setting")
        if port is not None:
            fields["port"] = port
        try:
            text = json.dumps({**fields, "folder": str(folder.resolve())}, allow_nan=False)
            settings = cls.model_validate_json(text)
        except ValidationError as error:
            raise BrokerFault("bad-settings", _first_finding(error)) from None
        except (TypeError, ValueError):  # a date, or a number that JSON does not have
            raise BrokerFault("bad-settings", "a value of a kind no setting has") from None
        return settings if port is None else settings.listening_on(port)

    def listening_on(self, port: int) -> Self:
        """The same settings for another port; loopback's names get that port as well."""
        names = [f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")]
        authorities = tuple(dict.fromkeys((*self.authorities, *names)))
        return self.model_copy(update={"port": port, "authorities": authorities})

    @model_validator(mode="after")
    def _check_exposure(self) -> Self:
        try:
            address = ipaddress.ip_address(self.host)
        except ValueError:
            raise ValueError("`host` must be a numeric address") from None
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("`tls_certificate` and `tls_key` come together")
        if address.is_loopback or self.tls or self.plaintext_beyond_loopback:
            return self
        raise ValueError(
            "listening beyond loopback needs `tls_certificate` and `tls_key`, or "
            "`plaintext_beyond_loopback = true` if headers may travel in clear"
        )

    # -- what lies where

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted by this process."""
        return self.tls_certificate is not None

    @property
    def url(self) -> str:
        """Where clients on this machine reach it."""
        address = ipaddress.ip_address(self.host)
        loopback = "127.0.0.1" if address.version == 4 else "::1"
        host = loopback if address.is_unspecified else self.host
        host = f"[{host}]" if ":" in host else host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    @property
    def data_folder(self) -> Path:
        """The journal and attachments."""
        return self.folder / self.data

    @property
    def anchor_folder(self) -> Path:
        """The last checkpoint, outside the database."""
        return self.folder / self.anchor

    @property
    def genesis_folder(self) -> Path:
        """Statements with which an empty journal starts."""
        return self.folder / "genesis"

    def path(self, name: str) -> Path:
        """A file that a setting names."""
        return self.folder / name

    def secret(self, name: Secret) -> bytes:
        """The 32 bytes of a secret file, 64 hex digits that only its owner may read.

        Who reads `log-key` can sign a forged history (witnesses and clients notice a fork), who
        reads `journal-secret` can test guesses about entries, who reads `cursor-key` can read and
        make cursors, which grant nothing. Raises `BrokerFault` ("bad-settings").
        """
        text = self._private(name)
        try:
            raw = bytes.fromhex(text)
        except ValueError:
            raw = b""
        if len(raw) != SECRET_BYTES or text != raw.hex():
            raise BrokerFault("bad-settings", f"`{name}` must hold 64 hex digits")
        return raw

    def metrics_token(self) -> str | None:
        """The bearer token that opens `/metrics`; without the file nobody may read them.

        Who reads it learns load and pace, nothing about nations. Raises `BrokerFault`.
        """
        if not (self.folder / "metrics-token").exists():
            return None
        token = self._private("metrics-token")
        if not 16 <= len(token) <= 256 or not token.isascii() or not token.isprintable():
            raise BrokerFault("bad-settings", "`metrics-token` must hold 16 to 256 characters")
        return token

    def _private(self, name: str) -> str:
        path = self.folder / name
        try:
            mode = path.stat().st_mode
            text = path.read_bytes()[:1024].decode("ascii").strip()
        except (OSError, UnicodeDecodeError):
            raise BrokerFault("bad-settings", f"`{name}` cannot be read") from None
        if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise BrokerFault("bad-settings", f"`{name}` must be readable by its owner alone")
        return text


def _read_toml(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_MAX + 1)
    except OSError:
        raise BrokerFault("bad-settings", f"{quoted(path.name)} cannot be read") from None
    if len(raw) > FILE_MAX:
        raise BrokerFault("bad-settings", f"more than {FILE_MAX} bytes")
    try:
        return tomllib.loads(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise BrokerFault("bad-settings", "not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise BrokerFault("bad-settings", f"not TOML: {quoted(str(error), 80)}") from None


def _first_finding(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    return f"{quoted(where)} {message}" if where else message
