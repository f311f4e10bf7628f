"""An identity folder: who a member is, its keys, the mission it pinned and where its broker is.

    identity.json   public: mission, nation, kind, kid, pinned charter, log keys, broker
    keys.json       the private keys, sealed with a passphrase (`clients.keystore`)
    state/          what the member remembers between runs

Who can change identity.json can point the member at another mission or broker, so it is to be
guarded like keys.json; a false *address* gains nothing, for all that a broker says is verified
against the pinned charter and log keys.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from clients import files, keystore
from clients.member_keys import MemberKeys, RootKeys
from wire import strict_json
from wire.bodies import SIGNING_KINDS, Kind, Words
from wire.errors import Malformed, NotAllowed, TearlineError, quoted
from wire.model import Hex16B, Hex32B, NationCode, Strict, Token

IDENTITY_FILE: Final = "identity.json"
KEYS_FILE: Final = "keys.json"
STATE_FOLDER: Final = "state"
PASSPHRASE: Final = "TEARLINE_PASSPHRASE"  # the name of the variable, not its value  # noqa: S105
ADDRESS_MAX: Final = 300

Url = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.:\[\]-]{1,255}\z")]


class IdentityFile(Strict):
    """What stands in identity.json. `address_file` is relative to the folder: a broker on the same
    machine writes the address there that it really listens on, and that one counts while it exists.
    `ca_file`, likewise relative, is the authority that the broker's certificate is checked against.
    """

    v: Literal[1]
    mission: Token
    nation: NationCode
    kind: Kind | Literal["root"]
    kid: Hex16B
    charter: Hex32B
    origin: Words
    log_keys: Annotated[tuple[Words, ...], Field(min_length=1, max_length=4)]
    broker: Url
    address_file: Words | None = None
    ca_file: Words | None = None


class _Address(Strict):
    url: Url


@dataclass(frozen=True)
class Identity:
    """One member, or a nation's root, with its keys open. Made by `Identity.load`."""

    folder: Path
    public: IdentityFile
    _keys: MemberKeys | RootKeys = field(repr=False)

    @classmethod
    def load(
        cls, folder: str | Path, passphrase: str | Callable[[], str] | None = None
    ) -> "Identity":
        """Open an identity folder.

        The passphrase is given, asked for by a function, or taken from `TEARLINE_PASSPHRASE`.
        Raises `Malformed` ("bad-identity") for a folder that is none, `NotAllowed`
        ("bad-passphrase").
        """
        folder = Path(folder)
        public = read_public(folder)
        locked = files.read(folder / KEYS_FILE, keystore.FILE_MAX, "bad-identity")
        private = keystore.unlock(locked, _passphrase(passphrase))
        kind = RootKeys if public.kind == "root" else MemberKeys
        keys = kind.from_private(private)
        if keys.kid != public.kid:
            raise Malformed("bad-identity", "keys.json holds the keys of another member")
        return cls(folder, public, keys)

    @property
    def keys(self) -> MemberKeys:
        """The member's keys. Raises `Malformed` ("bad-identity") for a root folder."""
        if not isinstance(self._keys, MemberKeys):
            raise Malformed("bad-identity", "a root signs for its nation, it is not a member")
        return self._keys

    def check_signs(self) -> None:
        """Refuse a member of a kind that reads or audits only: it signs no report and no statement.

        Raises `NotAllowed` ("not-allowed").
        """
        if self.kind not in SIGNING_KINDS:
            who = " or ".join(sorted(SIGNING_KINDS))
            detail = (
                f"only a member of kind {who} signs for {self.nation}, and this one is {self.kind}"
            )
            raise NotAllowed("not-allowed", detail)

    @property
    def root(self) -> RootKeys:
        """The nation's root keys. Raises `Malformed` ("bad-identity") for a member's folder."""
        if not isinstance(self._keys, RootKeys):
            raise Malformed("bad-identity", "a member's folder, not a root's")
        return self._keys

    @property
    def mission(self) -> str:
        """The mission's code."""
        return self.public.mission

    @property
    def nation(self) -> str:
        """The nation it belongs to."""
        return self.public.nation

    @property
    def kind(self) -> str:
        """system, analyst, officer, auditor, gateway, or root."""
        return self.public.kind

    @property
    def kid(self) -> str:
        """The name of its signing key."""
        return self.public.kid

    @property
    def charter(self) -> str:
        """The identity of the one charter it believes."""
        return self.public.charter

    @property
    def log_keys(self) -> tuple[str, ...]:
        """The log's verification keys, as vkey strings."""
        return self.public.log_keys

    @property
    def state(self) -> Path:
        """The folder of what it remembers."""
        return self.folder / STATE_FOLDER

    @property
    def ca_file(self) -> Path | None:
        """The certificate authority of the broker's TLS, if it is not a public one."""
        return None if self.public.ca_file is None else self.folder / self.public.ca_file

    @property
    def broker(self) -> str:
        """Where the broker is, as a URL without a path. Raises `Malformed` ("bad-identity")."""
        if self.public.address_file is not None:
            path = self.folder / self.public.address_file
            if path.is_file():
                return _address(files.read(path, ADDRESS_MAX, "bad-identity"))
        return self.public.broker


def read_public(folder: Path) -> IdentityFile:
    """identity.json of a folder. Raises `Malformed` ("bad-identity")."""
    if not (folder / IDENTITY_FILE).is_file():
        raise Malformed("bad-identity", f"no identity.json in {quoted(str(folder), 80)}")
    raw = files.read(folder / IDENTITY_FILE, keystore.FILE_MAX, "bad-identity")
    try:
        return strict_json.load(raw, IdentityFile)
    except TearlineError as error:
        raise Malformed("bad-identity", f"identity.json: {error.detail}") from error


def _address(raw: bytes) -> str:
    url = json.dumps({"url": raw.decode("ascii", "replace").strip()}).encode()
    try:
        return strict_json.load(url, _Address).url
    except Malformed as error:
        raise Malformed("bad-identity", "the broker's address file holds no address") from error


def _passphrase(given: str | Callable[[], str] | None) -> str:
    if isinstance(given, str):
        return given
    found = os.environ.get(PASSPHRASE)
    if found is not None:
        return found
    if given is None:
        raise NotAllowed("bad-passphrase", f"none was given; set {PASSPHRASE}")
    return given()
