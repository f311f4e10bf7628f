"""How a new member comes into a nation: keys on its own device, a card to the officer."""

from pathlib import Path
from typing import get_args

from clients.identity import IDENTITY_FILE, IdentityFile, read_public
from clients.keys import Random
from clients.kit import Lock, write_identity
from clients.member_keys import MemberCard, MemberKeys
from wire import strict_json
from wire.bodies import Kind
from wire.errors import Malformed, quoted

CARD_FILE = "card.json"


def create_member(folder: Path, like: Path, kind: str, lock: Lock, random: Random) -> Path:
    """Make a member's identity folder beside its nation's others; gives the path of its card.

    Raises `Malformed` ("bad-input") if there is one already or the kind is unknown.
    """
    known_kind(kind)
    known = read_public(like)
    keys = MemberKeys.generate(random)
    fields = {**known.model_dump(mode="json", exclude_none=True), "kind": kind, "kid": keys.kid}
    for name in ("address_file", "ca_file"):
        if name in fields:  # relative to the other folder: say it from here
            target = (like / fields[name]).resolve()
            fields[name] = str(_relative(target, folder.resolve()))
    write_identity(folder, strict_json.load(strict_json.dump(fields), IdentityFile), keys, lock)
    path = folder / CARD_FILE
    path.write_bytes(strict_json.dump(keys.card.fields()) + b"\n")
    return path


def known_kind(word: str) -> Kind:
    """A kind of member. Raises `Malformed` ("bad-input")."""
    for kind in get_args(Kind):
        if word == kind:
            return kind  # type: ignore[no-any-return]
    raise Malformed("bad-input", f"a member is one of {', '.join(get_args(Kind))}")


def read_card(path: Path) -> MemberCard:
    """A member's card. Raises `Malformed` ("bad-input")."""
    try:
        return MemberCard.parse(path.read_bytes())
    except OSError as error:
        raise Malformed("bad-input", f"no readable card {quoted(path.name)}") from error


def kid_of(who: str) -> str:
    """A member's kid, given as such or by its identity folder. Raises `Malformed`."""
    folder = Path(who)
    if (folder / IDENTITY_FILE).is_file():
        return read_public(folder).kid
    if len(who) == 32 and set(who) <= set("0123456789abcdef"):
        return who
    raise Malformed("bad-input", "name a member by its kid (32 hex digits) or its folder")


def _relative(target: Path, start: Path) -> Path:
    """`target` as seen from `start`, both absolute."""
    shared = 0
    for a, b in zip(target.parts, start.parts, strict=False):
        if a != b:
            break
        shared += 1
    return Path(*[".."] * (len(start.parts) - shared), *target.parts[shared:])
