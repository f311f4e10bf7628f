"""Asking the evidence: a question by number or name, or a filter alone."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from clients.evidence.question import Question
from clients.evidence.questions import ENTRIES, QUESTIONS
from clients.evidence.store import EvidenceStore
from wire.errors import Malformed, quoted

ALL: Final = Question(0, "entries", "", ENTRIES)
"""A filter alone."""

KNOWN: Final = {
    # A nation of the mission: its root is the first that it publishes.
    "to": ("nation", "SELECT 1 FROM statement WHERE nation = ?1"),
    "report": (
        "report",
        """
        SELECT 1 FROM fact WHERE report GLOB ?1 || '*' UNION ALL
        SELECT 1 FROM denial WHERE report GLOB ?1 || '*' UNION ALL
        SELECT 1 FROM drawn WHERE source GLOB ?1 || '*' LIMIT 1
        """,
    ),
    "index": ("entry", "SELECT 1 FROM fact WHERE idx = ?1 LIMIT 1"),
}
"""What a word names, and whether the evidence has it: "nothing" is an answer only about what it
has. What concerns other nations alone is not in it, so nobody is told whether that exists.
"""

FLAGS: Final = {"index": "--entry", "with": "--with"}
"""Options whose name is not that of the word they set."""


@dataclass(frozen=True)
class Asked:
    """The words that narrow a question. Times are Unix milliseconds; reports, members and
    statements may be named by their beginning. `limit` is how many rows there may be at most.
    """

    report: str | None = None
    who: str | None = None
    to: str | None = None
    policy: str | None = None
    type: str | None = None
    index: int | None = None
    since: int | None = None
    until: int | None = None
    days: int = 25
    hours: int = 1
    file: Path | None = None
    limit: int | None = None


@dataclass(frozen=True)
class Answer:
    """The rows of an answer, and where it ends. `more` says that there are further rows."""

    number: int
    name: str
    asks: str
    rows: tuple[Mapping[str, Any], ...]
    limits: str
    more: bool = False


def find(name: str) -> Question:
    """A question by its number or name. Raises `Malformed` ("bad-input")."""
    for question in QUESTIONS:
        if name in (str(question.number), question.name):
            return question
    raise Malformed("bad-input", f"no question {quoted(name)}; tearline audit ask lists them")


def ask(store: EvidenceStore, nation: str, question: Question | None, asked: Asked) -> Answer:
    """The answer from verified rows; without a question, the entries that a filter leaves.

    Raises `Malformed` ("bad-input") if a word is missing that the question needs, or names what is
    not in the evidence.
    """
    if question is None:
        question = ALL
    words = {**asdict(asked), "nation": nation}
    for word in question.needs:
        if words.get("file" if word == "with" else word) is None:
            flag = FLAGS.get(word, f"--{word}")
            raise Malformed("bad-input", f"{question.name} needs {flag}")
    for word, (what, sql) in KNOWN.items():
        named = words[word]
        if named is not None and store.one(sql, named) is None:
            detail = f"no {what} {quoted(str(named))} in your evidence, as far as it was pulled"
            raise Malformed("bad-input", detail)
    words.pop("file")
    # One row more than may be shown tells whether there is one; -1 is SQLite's word for all.
    words["limit"] = -1 if asked.limit is None else asked.limit + 1
    rows = tuple(store.rows(f"{question.sql} LIMIT :limit", **words))
    more = asked.limit is not None and len(rows) > asked.limit
    shown = rows[: asked.limit] if more else rows
    return Answer(question.number, question.name, question.asks, shown, question.limits, more)
