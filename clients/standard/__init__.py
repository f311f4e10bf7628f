"""The vocabulary that a new mission starts from: places, threat types, levels, caveats.

It is only a start: what counts is the registry that the mission signs. Where the data comes from,
and under which licences, is in `NOTICE.md` beside this file.
"""

from collections.abc import Iterable, Sequence
from importlib.resources import files

from wire import strict_json
from wire.errors import Malformed, quoted
from wire.model import Strict
from wire.vocabulary import Level, RegistryBody


class _Scale(Strict):
    levels: tuple[Level, ...]


def levels() -> tuple[Level, ...]:
    """The five usual levels, lowest first."""
    return strict_json.load(_bytes("levels"), _Scale).levels


def registry(
    *,
    areas: Iterable[tuple[str, str, str]] = (),
    groups: Iterable[tuple[str, Sequence[str]]] = (),
    version: int = 1,
) -> RegistryBody:
    """The standard registry with the mission's own `areas` (code, name, and the smallest place that
    holds it wholly) and `groups` (name and nations).

    No group is standard: who belongs to a coalition is for the mission to say and to sign.
    Raises `Malformed("bad-fields")` for an area or group that is misformed or named twice.
    """
    regions = _object("regions")
    for code, name, parent in areas:
        _add(regions, code, {"name": name, "parent": parent})
    coalitions: dict[str, strict_json.Json] = {}
    for group, nations in groups:
        _add(coalitions, group, list(nations))
    body = {
        "version": version,
        **_object("caveats"),
        "regions": regions,
        "threats": _object("threats"),
        "groups": coalitions,
    }
    return strict_json.load(strict_json.dump(body), RegistryBody)


def _add(table: dict[str, strict_json.Json], key: str, value: strict_json.Json) -> None:
    if key in table:
        raise Malformed("bad-fields", f"{quoted(key)} is there already")
    table[key] = value


def _object(name: str) -> dict[str, strict_json.Json]:
    value = strict_json.parse(_bytes(name))
    assert isinstance(value, dict)
    return value


def _bytes(name: str) -> bytes:
    return files(__package__).joinpath(f"{name}.json").read_bytes()
