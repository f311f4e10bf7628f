"""The check of an adoption, run in a process of its own: `python -m policies.analyse.child`.

It reads a question (`policies/adopting.py`) and ends with the answer. The parent gives it little
time and memory; a question that takes more is refused.
"""

import sys

from policies.adopting import Adoption, Found, read
from policies.analyse import adoption
from policies.analyse.difference import grows
from policies.analyse.guarantees import broken
from policies.analyse.mission import Mission, alone
from policies.decide import PolicyBook
from policies.schema import FLOOR_OWNER
from wire.errors import Malformed


def judge(asked: Adoption) -> Found:
    """Whether the guarantees hold, and whether more is released.

    Raises `Malformed` ("policy-refused") for a text outside the release profile.
    """
    book = PolicyBook.empty(asked.vocabulary).with_layer("handle", FLOOR_OWNER, asked.floor)
    before = adoption.standing(asked.before or {}, asked.owner, book, asked.pinned)
    for kind, text in asked.after.items():
        book = book.with_layer(kind, asked.owner, text)
    mission = Mission.of(book, asked.pinned)
    kept = adoption.guarantees(book, asked.owner, asked.guarantees)
    if kept is not None and broken(mission, book, asked.owner, kept):
        return Found.BREAKS
    after = alone(book.layers.get(("release", asked.owner)))
    return Found.GROWS if grows(mission, asked.owner, before["release"], after) else Found.HOLDS


if __name__ == "__main__":
    try:
        sys.exit(judge(read(sys.stdin.buffer.read())))
    except Malformed:
        sys.exit(Found.UNFIT)
