"""What a nation sees of an answer, once the public log is taken out of it.

`MASK` is the whole list of what may differ between two worlds that a nation must not be able to
tell apart: the size, the root, the hashes and the signatures of the log that everybody sees, and
what follows from them. Each field is named; all else must be the same, byte for byte.
"""

import json
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from tests.attacks.asking import Answer
from wire import statements
from wire.links import HEADS

LENGTH, ANY = "its length", "nothing"
"""How much of a masked field is still compared."""

MASK: Mapping[str, Mapping[str, str]] = {
    # An entry opened for the nation. Its leaf's length says how many channels it concerns.
    "evidence": {
        "index": ANY,
        "leaf": LENGTH,
        "opening": LENGTH,
        "view_opening": LENGTH,
        "proof": ANY,
    },
    # The link in it: number, slot, time and type are the nation's own, and are compared.
    "link": {"index": ANY, "prev_index": ANY, "prev": LENGTH, "view": LENGTH},
    # A release: the place of its link among decoys is drawn for each index of the log.
    "release": {"slot": ANY},
    # The end of the nation's chain; how many entries it has is compared.
    "heads": {"leaf": LENGTH, "opening": LENGTH, "path": LENGTH, "proof": ANY},
    "head": {"index": ANY, "slot": ANY, "last": LENGTH},
    # What a view says of places in the log, and of statements of others, by their digests.
    "view": {"accepted": ANY, "statement": LENGTH, "policies": LENGTH, "order": LENGTH},
    # Another nation's statement: its chain, and the salted digest of a body that is withheld.
    "statement": {"prev": LENGTH, "body": LENGTH},
    # Answers.
    "answer": {"index": ANY, "identity": LENGTH, "consistency": ANY, "cursor": LENGTH},
    # Lines of a checkpoint; the first, its origin, is compared.
    "checkpoint": {"size": ANY, "root": LENGTH, "signature": LENGTH},
}
"""By what it stands in, the field, and what is still compared of it."""

Seen = tuple[int, tuple[tuple[str, str], ...], tuple[str, ...]]
"""Status, header fields in order, and the body in its pieces: all that is compared."""


def seen(answer: Answer, nation: str) -> Seen:
    """What this nation may compare of an answer."""
    headers = dict(answer.headers)
    body, media = answer.body, headers.get("content-type", "")
    assert len(headers) == len(answer.headers), "a field stands twice"
    if "content-length" in headers:
        assert int(headers["content-length"]) == len(body)
    if media == "text/event-stream":
        pieces = tuple(_event(piece, nation) for piece in answer.pieces)
    elif media.endswith("json") and body:
        pieces = (_json(body, nation),)
    elif media.startswith("text/plain") and "\n\n— ".encode() in body:
        pieces = (_checkpoint(body.decode()),)
    else:
        pieces = (body.hex(),)
    if "content-length" in headers:  # the places in the log have more or fewer digits
        headers["content-length"] = str(sum(map(len, pieces)))
    return answer.status, tuple(headers.items()), pieces


def _json(body: bytes, nation: str) -> str:
    """A JSON body without the log. It must be the one way to write what it says."""
    value = json.loads(body)
    text = body.decode()
    plain = {"ensure_ascii": False, "separators": (",", ":")}
    assert text in (json.dumps(value, **plain), json.dumps(value, separators=(",", ":")))  # type: ignore[arg-type]
    return text if "openapi" in value else json.dumps(_taken(value, nation))


def _event(piece: bytes, nation: str) -> str:
    """One piece of a stream: an event with its cursor and data, or what is none."""
    lines = piece.decode().split("\n")
    for at, line in enumerate(lines):
        name, _, value = line.partition(": ")
        if name == "id":
            lines[at] = f"id: {len(value)}"
        elif name == "data":
            lines[at] = f"data: {_json(value.encode(), nation)}"
    return "\n".join(lines)


def _taken(value: Any, nation: str) -> Any:
    """The value without what `MASK` names."""
    if isinstance(value, list):
        return [_taken(each, nation) for each in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("leaf"), str) and "link" in value:
        return _evidence(value, nation)
    if isinstance(value.get("leaf"), str) and "head" in value:
        assert b64decode(value["leaf"])[0] == HEADS
        head = _masked("head", json.loads(b64decode(value["head"])))
        return {**_masked("heads", value), "head": head}
    found = {name: _taken(each, nation) for name, each in _masked("answer", value).items()}
    if isinstance(found.get("checkpoint"), str):
        found["checkpoint"] = _checkpoint(found["checkpoint"])
    if isinstance(value.get("statements"), dict):  # in the order of the log, by their digests
        found["statements"] = [_statement(raw, nation) for raw in value["statements"].values()]
    return found


def _evidence(value: Mapping[str, Any], nation: str) -> dict[str, Any]:
    link = json.loads(b64decode(value["link"]))
    view = None if value["view"] is None else json.loads(b64decode(value["view"]))
    if view is not None:
        ours = link["type"] != "statement" or view.get("nation") == nation
        kept = {"statement": view["statement"]} if ours and "statement" in view else {}
        view = {**_masked("view", view), **kept}
    note = value["checkpoint"]
    if link["type"] == "release":
        value, link = _masked("release", value), _masked("release", link)
    return {
        **_masked("evidence", value),
        "link": _masked("link", link),
        "view": view,
        "checkpoint": None if note is None else _checkpoint(note),
    }


def _statement(encoded: str, nation: str) -> Any:
    """A statement: its head, its body if it is there, and who signed; signatures vary in length."""
    statement = statements.parse(b64decode(encoded))
    head = statement.head.model_dump()
    own = statement.head.nation == nation
    body = None if statement.body_bytes is None else statement.body_bytes.decode()
    return [head if own else _masked("statement", head), body, list(statement.signatures)]


def _checkpoint(note: str) -> str:
    text, _, signatures = note.partition("\n\n")
    origin, size, root, *more = text.split("\n")
    signed = [(line.split(" ")[:2], len(line)) for line in signatures.splitlines()]
    assert size.isdigit()
    return json.dumps([origin, len(root), more, signed])


def _masked(context: str, value: Mapping[str, Any]) -> dict[str, Any]:
    rules = MASK[context]
    return {name: _hidden(each, rules.get(name)) for name, each in value.items()}


def _hidden(value: Any, rule: str | None) -> Any:
    if rule is None or value is None:
        return value
    if rule == ANY:
        return ANY
    if isinstance(value, dict):
        return {name: len(each) for name, each in value.items()}
    return len(value)
