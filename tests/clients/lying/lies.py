"""Lies that answers of several kinds can carry."""

import base64
import json
from collections.abc import Callable
from typing import Any

from tests.clients.liar import Doc, encoded
from tests.clients.lying.stage import Scene, Stage

Lie = Callable[[Stage, Doc], Doc]
"""Changes the release of the report `Ambush`."""


def evidence_of(name: str) -> Lie:
    return lambda stage, doc: {**doc, "evidence": stage.evidence[name]}


def with_evidence(**changes: Any) -> Lie:
    return lambda _, doc: {**doc, "evidence": {**doc["evidence"], **changes}}


def edited(**changes: Any) -> Lie:
    """Another view, under the proof of the true one."""

    def lie(_: Stage, doc: Doc) -> Doc:
        view = json.loads(base64.b64decode(doc["evidence"]["view"])) | changes
        text = base64.b64encode(encoded(view)).decode()
        return {**doc, "evidence": {**doc["evidence"], "view": text}}

    return lie


PageLie = Callable[[Doc, Stage], Doc]


def entries(change: Callable[[list[Doc]], list[Doc]]) -> PageLie:
    def lie(page: Doc, _: Stage) -> Doc:
        segment = page["segment"]
        return {**page, "segment": {**segment, "entries": change(segment["entries"])}}

    return lie


def segment(**changes: Any) -> PageLie:
    return lambda page, _: {**page, "segment": {**page["segment"], **changes}}


def flipped(text: str, at: int = -1) -> str:
    """Base64 of the same bytes, but for a bit in one of them."""
    raw = bytearray(base64.b64decode(text))
    raw[at] ^= 1
    return base64.b64encode(raw).decode()


def larger(note: str) -> str:
    origin, size, rest = note.split("\n", 2)
    return f"{origin}\n{int(size) + 1}\n{rest}"


def named(words: str) -> str:
    return words.replace(" ", "-")


async def newest(scene: Scene) -> str:
    """The log's newest checkpoint."""
    return (await scene.reader.transport.get("/v1/log/checkpoint")).body.decode()
