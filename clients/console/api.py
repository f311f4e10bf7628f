"""What the pages ask for: one function a path, each from rows of the evidence to plain JSON.

The answers are rows, not sentences and not pictures: what is shown of them, and whether the proof
of one holds, is for the page to find out in the browser.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final, TypeAlias

from clients.console import pictures
from clients.console.desk import Desk
from clients.evidence import answers, confirmed
from clients.evidence.answers import Asked
from clients.evidence.erased import COVERING
from clients.evidence.questions import QUESTIONS
from clients.evidence.status import status_of
from clients.evidence.store import EvidenceStore
from wire import strict_json
from wire.errors import Malformed, NotAllowed

Query: TypeAlias = Mapping[str, str]
Answer: TypeAlias = dict[str, Any]
Ask: TypeAlias = Callable[[Desk, EvidenceStore, Query], Answer]

PAGE: Final = 200  # entries on one page
MOST: Final = 2_000  # rows of anything else: the newest; `tearline audit ask` gives all
STEPS_MS: Final = (1_000, 10_000, 60_000, 600_000, 3_600_000, 21_600_000, 86_400_000, 604_800_000)
BARS: Final = 90  # columns of the timeline: as many as can be told apart at 1280 pixels
NUMBER_DIGITS: Final = 16

_NUMBER: Final = re.compile(r"0|[1-9][0-9]*")
_WORDS: Final = ("report", "who", "to", "policy", "type")
_NUMBERS: Final = ("index", "since", "until", "days", "hours")


def answer(desk: Desk, path: str, query: Query) -> Answer:
    """The answer to one path below `/console/api/`.

    Raises `NotAllowed` ("not-found"), `Malformed` ("bad-input", or what is wrong with the store).
    """
    name, _, rest = path.partition("/")
    if name in PLAIN and not rest:
        ask: Ask = PLAIN[name]
    elif name in NAMED and rest:
        ask, query = NAMED[name], {**query, "": rest}
    else:
        raise NotAllowed("not-found")
    with desk.opened() as store:
        return ask(desk, store, query)


# -- the whole


def whose(desk: Desk, *_: object) -> Answer:
    """Whose evidence it is, of which mission."""
    charter = desk.charter
    return {
        "mission": desk.mission,
        "name": charter.name,
        "exercise": charter.exercise,
        "nation": desk.nation,
    }


def status(desk: Desk, store: EvidenceStore, _: Query) -> Answer:
    """Whole or not, how old, confirmed by whom, what contradicts itself."""
    quorate = desk.auditor.last_confirmed()
    found = status_of(store, desk.nation, desk.now_ms(), quorate).fields()
    charter = desk.charter
    counts = store.rows(pictures.TYPES, nation=desk.nation)
    return {
        **found,
        **whose(desk),
        "good": found["good"] and not desk.recheck,
        "recheck": desk.recheck,
        "findings": found["findings"][:MOST],
        "nations": [nation.code for nation in charter.nations],
        "charter": desk.auditor.identity.charter,
        "witnesses": len({key.partition("+")[0] for key in charter.witnesses}),
        "quorum": charter.witness_quorum,
        "cosigned_by": dict(quorate.cosigned_by) if quorate else {},
        "labels_held": len(desk.labels),
        "types": list(counts),
    }


def sharing(desk: Desk, store: EvidenceStore, _: Query) -> Answer:
    """Who shared what with whom: pairs of nations, and single reports with what is known of
    their labels; `held` says whether the auditor has the label.
    """
    flows = []
    for row in store.rows(pictures.RELEASED, nation=desk.nation, most=MOST):
        held = desk.labels.get(row["report"])
        flows.append({**row, "label": None if held is None else asdict(held)})
    words = desk.auditor.directory.vocabulary
    regions = {place for flow in flows if flow["label"] for place in flow["label"]["regions"]}
    names = {} if words is None else {r: words.regions.names.get(r, "") for r in sorted(regions)}
    pairs = list(store.rows(pictures.SHARED, nation=desk.nation))
    return {"pairs": pairs, "flows": flows, "names": names, "most": MOST}


def timeline(desk: Desk, store: EvidenceStore, _: Query) -> Answer:
    """How much happened when, in even steps, and what changed between."""
    span = next(store.rows(pictures.SPAN, nation=desk.nation))
    first, last = span["first"] or 0, span["last"] or 0
    step = next((s for s in STEPS_MS if (last - first) // s < BARS), STEPS_MS[-1])
    nation = {"nation": desk.nation}
    return {
        "step": step,
        "first": first,
        "last": last,
        "pace": list(store.rows(pictures.PACE, step=step, **nation)),
        "denied": list(store.rows(pictures.DENIED_PACE, step=step, **nation)),
        "marks": list(store.rows(pictures.MARKS, most=MOST, **nation)),
    }


def denials(desk: Desk, store: EvidenceStore, _: Query) -> Answer:
    """What was refused when it was posted, and what was asked for in vain."""
    words = {"nation": desk.nation, "most": MOST}
    return {
        "refused": list(store.rows(pictures.REFUSED, **words)),
        "denied": list(store.rows(pictures.DENIED, **words)),
        "most": MOST,
    }


def watchers(desk: Desk, store: EvidenceStore, _: Query) -> Answer:
    """Who looked at the trail, and at cases that wait for officers."""
    readings = store.rows(pictures.READINGS, nation=desk.nation, most=MOST)
    return {"own": desk.auditor.identity.kid, "readings": list(readings), "most": MOST}


# -- reports and entries


def reports(desk: Desk, store: EvidenceStore, query: Query) -> Answer:
    """The reports that the nation sent, got, or that draw on what it sent, newest first: all, those
    whose identity begins with `report`, or those from or to the nation `with`.
    """
    words = {"report": query.get("report"), "with": query.get("with"), "most": MOST}
    found = store.rows(pictures.REPORTS, nation=desk.nation, **words)
    return {"reports": list(found), "most": MOST}


def report(desk: Desk, store: EvidenceStore, query: Query) -> Answer:
    """One report's life, entry by entry, and what it draws on or is drawn from."""
    identity = query[""]
    words = {"nation": desk.nation, "report": identity}
    life = list(store.rows(pictures.LIFE, **words))
    denied = list(store.rows(pictures.LIFE_DENIED, **words))
    if not life and not denied:
        raise NotAllowed("not-found")
    held = desk.labels.get(identity)
    return {
        "report": identity,
        "label": None if held is None else asdict(held),
        "life": life,
        "denied": denied,
        "portions": list(store.rows(pictures.PORTIONS, **words)),
        "drawn": list(store.rows(pictures.DRAWN, **words)),
    }


def entries(desk: Desk, store: EvidenceStore, query: Query) -> Answer:
    """Entries that a filter leaves, newest first, a page at a time; `next` goes on before it."""
    words: dict[str, Any] = {name: query.get(name) for name in ("type", "report", "to", "who")}
    words |= {"originator": query.get("originator"), "mission": query.get("mission") == "1"}
    words |= {name: _number(query, name) for name in ("since", "until", "before")}
    words["most"] = PAGE + 1
    rows = list(store.rows(pictures.ENTRIES, nation=desk.nation, **words))
    following = rows[PAGE - 1]["index"] if len(rows) > PAGE else None
    return {"entries": rows[:PAGE], "next": following}


def entry(desk: Desk, store: EvidenceStore, query: Query) -> Answer:
    """One entry as it is stored, with all that proves it: nothing of it is verified here."""
    index = _number(query, "")
    rows = list(store.rows(pictures.ENTRY, nation=desk.nation, index=index))
    if not rows:
        raise NotAllowed("not-found")
    identity = desk.auditor.identity
    said, pinned = store.said(identity.charter), store.said(store.pinned)
    return {
        "index": index,
        "shown": [_shown(store, row) for row in rows],
        "pinned": store.pinned,
        "charter": None if said is None else said.model_dump(),
        "continued": None if pinned in (None, said) else pinned.model_dump(),
    }


def _shown(store: EvidenceStore, row: Mapping[str, Any]) -> Answer:
    """An entry of one channel: what the questions know of it, and the bytes that prove it."""
    facts = {name: row[name] for name in _FACTS}
    said = None if row["statement"] is None else store.said(row["statement"])
    return {
        "channel": row["channel"],
        "facts": facts,
        "erased_by": [covering["idx"] for covering in _covering(store, row)],
        "evidence": strict_json.parse(row["line"].encode(), limit=1 << 20, prose=True),
        "tree": row["tree"],
        "checkpoint": row["note"],
        "said": None if said is None else said.model_dump(),
        **_witnessed(store, row["tree"]),
    }


def _witnessed(store: EvidenceStore, tree: int) -> Answer:
    """What a quorum stands behind that is one history with this tree, and the entries that say
    whose cosignatures count for it.
    """
    line = confirmed.of(store, tree)
    sets = [] if line is None else confirmed.appointments(store, line.size)
    return {
        "confirmed": None if line is None else line.model_dump(),
        "appointed": [_appointment(store, row) for row in sets],
    }


def _appointment(store: EvidenceStore, row: Mapping[str, Any]) -> Answer:
    said = store.said(row["statement"])
    sql = "SELECT t.note FROM page p JOIN tree t ON t.size = p.tree WHERE p.number = ?"
    page = store.one(sql, row["page"])
    assert page is not None, "every entry has its page"
    return {
        "evidence": strict_json.parse(row["line"].encode(), limit=1 << 20, prose=True),
        "checkpoint": page["note"],
        "said": None if said is None else said.model_dump(),
    }


def _covering(store: EvidenceStore, row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The entries that say by whose order the view of this one was erased."""
    if row["erased"]:
        yield from store.rows(COVERING, row["channel"], row["count"], row["count"])


_FACTS: Final = (
    *("count", "time", "type", "erased", "report", "originator", "recipient", "actor", "slug"),
    *("accepted", "statement", "author", "spoke"),
)


# -- questions


def questions(*_: object) -> Answer:
    """The questions there are, each with the words it takes."""
    return {
        "questions": [
            {"number": q.number, "name": q.name, "asks": q.asks, "needs": list(q.needs)}
            for q in QUESTIONS
        ]
    }


def question(desk: Desk, store: EvidenceStore, query: Query) -> Answer:
    """The answer to one of the twenty-four."""
    known = answers.find(query[""])
    if not known.sql:
        raise Malformed("bad-input", "it needs a partner's file: tearline audit reconcile --with")
    words: dict[str, Any] = {name: query[name] for name in _WORDS if query.get(name)}
    words |= {n: _number(query, n) for n in _NUMBERS if query.get(n)}
    found = answers.ask(store, desk.nation, known, Asked(**words, limit=MOST))
    return {**asdict(found), "rows": [dict(row) for row in found.rows], "needs": list(known.needs)}


def _number(query: Query, name: str) -> int | None:
    text = query.get(name)
    if text is None or text == "":
        return None
    if not _NUMBER.fullmatch(text) or len(text) > NUMBER_DIGITS:
        raise Malformed("bad-input", f"{name or 'the index'} is not a plain number")
    return int(text)


PLAIN: Final[Mapping[str, Ask]] = {
    "whose": whose,
    "status": status,
    "sharing": sharing,
    "timeline": timeline,
    "denials": denials,
    "watchers": watchers,
    "reports": reports,
    "entries": entries,
    "questions": questions,
}
NAMED: Final[Mapping[str, Ask]] = {"report": report, "entry": entry, "question": question}
