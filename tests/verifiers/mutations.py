"""Random changes of evidence files: every field of every line gets its turn."""

import copy
import random
import string
from collections.abc import Iterator
from typing import Any

from tests.verifiers.lies import Doc, lines
from wire.base64_strict import decode, encode
from wire.errors import Malformed

Path = tuple[str | int, ...]


def mutants(doc: Doc, chance: random.Random, count: int) -> Iterator[tuple[str, list[bytes]]]:
    """So many changed files, with what was changed; each field about equally often."""
    paths = [path for path in places(doc) if path]
    order: list[Path] = []
    made = 0
    while made < count:
        order = order or chance.sample(paths, len(paths))
        path = order.pop()
        changed = copy.deepcopy(doc)
        what = change(changed, path, chance)
        if changed != doc:
            made += 1
            yield f"{'/'.join(map(str, path))}: {what}", lines(changed)


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place in a document: objects, lists and values."""
    yield path
    for key in (
        value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    ):
        yield from places(value[key], (*path, key))


def change(doc: Any, path: Path, chance: random.Random) -> str:
    """Change what stands there; gives how."""
    *way, last = path
    holder = doc
    for key in way:
        holder = holder[key]
    value = holder[last]
    if isinstance(holder, dict) and chance.random() < 0.1:
        holder[f"{last}x"] = holder.pop(last)
        return "renamed"
    if chance.random() < 0.1:
        del holder[last]
        return "removed"
    holder[last] = other(value, chance)
    return f"{str(value)[:20]} -> {str(holder[last])[:20]}"


def other(value: Any, chance: random.Random) -> Any:
    """Something else of the same kind, or of another one."""
    if chance.random() < 0.1:
        return chance.choice([None, 0, 1, -1, "", [], {}, True])
    match value:
        case bool() | None:
            return chance.choice([0, "", "AAAA", []])
        case int():
            near = [value + 1, value - 1, -value, value * 2 + 1, str(value), value + (1 << 54)]
            return chance.choice(near)
        case str():
            return text(value, chance)
        case list():
            return items(value, chance)
        case _:
            key = chance.choice([*value, "more"])
            return {**value, key: chance.choice([None, 0, "x"])}


def items(value: list[Any], chance: random.Random) -> list[Any]:
    found = list(value)
    match chance.randrange(4):
        case 0 if found:
            found.pop(chance.randrange(len(found)))
        case 1 if found:
            found.append(found[0])
        case 2:
            chance.shuffle(found)
        case _:
            found.append(encode(chance.randbytes(32)))
    return found


def text(value: str, chance: random.Random) -> str:
    try:
        data = bytearray(decode(value))
    except Malformed:
        data = bytearray()
    if data and chance.random() < 0.5:  # a bit of what is behind the base64
        bit = chance.randrange(8 * len(data))
        data[bit // 8] ^= 1 << bit % 8
        return encode(bytes(data))
    at = chance.randrange(len(value) + 1)
    match chance.randrange(3):
        case 0:
            return value[:at] + value[at + 1 :]
        case 1:
            return value[:at] + chance.choice(string.printable) + value[at:]
        case _:
            return value[:at] + chance.choice(string.ascii_letters) + value[at + 1 :]
