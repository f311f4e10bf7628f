"""What a malicious broker, or whoever passes a file on, could try: each lie by its name.

A lie is a file that must be refused, and the words with which the refusal names the first thing
wrong. Some change a true file; others are signed by the log's own key.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.verifiers import confirming_lies, erasing_lies
from tests.wire.evidence_files import SOON, Pen, admitted, charter, pulled, stated
from tests.wire.memory_log import CHANNELS, MemoryLog, released
from wire.base64_strict import decode, encode
from wire.entries import MISSION, Event, Tip
from wire.evidence_file import NEEDED
from wire.notes import Checkpoint, Ed25519Signer, sign_checkpoint

Doc = list[dict[str, Any]]
Edit = Callable[[Doc], object]


def docs(pen: Pen) -> Doc:
    return [json.loads(line) for line in pen.written()]


def lines(doc: Doc) -> list[bytes]:
    return [
        json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode() + b"\n" for line in doc
    ]


def at(doc: Doc, kind: str, number: int, channel: str = "KEN") -> int:
    """The place of a line: the entry, page or tree with this number, of one channel."""
    current, seen = "", 0
    for place, line in enumerate(doc):
        current = line["page"]["channel"] if "page" in line else current
        if kind in line and (kind == "tree" or current == channel):
            if seen == number:
                return place
            seen += 1
    raise AssertionError((kind, number))


def entry(doc: Doc, number: int) -> dict[str, Any]:
    found: dict[str, Any] = doc[at(doc, "entry", number)]["entry"]
    return found


def page(doc: Doc, number: int) -> dict[str, Any]:
    found: dict[str, Any] = doc[at(doc, "page", number)]["page"]
    return found


def changed(field: str, change: Callable[[bytes], bytes], number: int = 2) -> Edit:
    def edit(doc: Doc) -> None:
        one = entry(doc, number)
        before, one[field] = one[field], encode(change(decode(one[field])))
        assert one[field] != before

    return edit


def put(field: str, change: Callable[[Any], object], number: int = 2) -> Edit:
    def edit(doc: Doc) -> None:
        one = entry(doc, number)
        one[field] = change(one[field])

    return edit


def flip(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def hide(*numbers: int) -> Edit:
    """Entries are left out, and their pages say one less."""

    def edit(doc: Doc) -> None:
        for number in sorted(numbers, reverse=True):
            place = at(doc, "entry", number)
            del doc[place]
            while "page" not in doc[place - 1]:
                place -= 1
            doc[place - 1]["page"]["entries"] -= 1

    return edit


def add(place: int, other: dict[str, Any]) -> Edit:
    """One more entry before KEN's number `place`."""

    def edit(doc: Doc) -> None:
        where = at(doc, "entry", place)
        doc.insert(where, {"entry": other})
        while "page" not in doc[where]:
            where -= 1
        doc[where]["page"]["entries"] += 1

    return edit


def swap(doc: Doc) -> None:
    first, second = at(doc, "entry", 1), at(doc, "entry", 2)
    doc[first], doc[second] = doc[second], doc[first]


def resized(doc: Doc) -> None:
    tree = doc[at(doc, "tree", 1)]["tree"]
    tree["checkpoint"] = tree["checkpoint"].replace("\n15\n", "\n14\n")


def signed_by_another(doc: Doc) -> None:
    log = TRUE.log
    head = Checkpoint(log.signer.vkey.name, log.tree.size, log.tree.root())
    note = sign_checkpoint(head, [Ed25519Signer(head.origin, b"x" * 32)])
    doc[at(doc, "tree", 1)]["tree"]["checkpoint"] = note


def head_counts_less(doc: Doc) -> None:
    hide(6)(doc)
    head = page(doc, 1)["head"]
    head["head"] = encode(decode(head["head"]).replace(b'"count":7', b'"count":6'))


TRUE = pulled()
OTHER = charter(MemoryLog(seed=9))
FOREIGN = json.loads(TRUE.log.evidence("GBR", 2).model_dump_json())
GBR_HEAD = json.loads(TRUE.log.segment("GBR").head.model_dump_json())
ENTRY2 = docs(TRUE)[at(docs(TRUE), "entry", 2)]["entry"]

EDITS: dict[str, tuple[Edit, str]] = {
    "hide the newest entry": (hide(6), "entry 6 of KEN: 6 shown, 7 exist"),
    "hide an entry in the middle": (hide(2), "entry 2 of KEN"),
    "lose a line": (lambda doc: doc.pop(at(doc, "entry", 2)), "entry 2 of KEN"),
    "hide the oldest entry": (hide(0), "entry 0 of KEN"),
    "hide all entries": (hide(*range(7)), "entry 0 of KEN: 0 shown"),
    "swap two entries": (swap, "entry 1 of KEN"),
    "repeat an entry": (add(3, ENTRY2), "entry 3 of KEN"),
    "show another nation's entry": (add(2, FOREIGN), "entry 2 of KEN"),
    "edit a view": (changed("view", lambda _: b'{"report":99}'), "entry 2 of KEN.*view"),
    "edit a view's opening": (changed("view_opening", flip), "entry 2 of KEN.*view"),
    "take a view away": (put("view", lambda _: None), "entry 2 of KEN.*view"),
    "take a view's opening away": (put("view_opening", lambda _: None), "entry 2 of KEN.*view"),
    "edit a link": (
        changed("link", lambda b: b.replace(b"released", b"refused.")),
        "entry 2 of KEN",
    ),
    "edit a link's time": (
        changed("link", lambda b: b.replace(b'"time":1', b'"time":2')),
        "entry 2 of KEN.*link",
    ),
    "edit a link's opening": (changed("opening", flip), "entry 2 of KEN.*link"),
    "edit a leaf": (changed("leaf", lambda b: b[:-1] + b"\0"), "entry 2 of KEN.*tree"),
    "wrong index": (put("index", lambda index: index + 1), "entry 2 of KEN"),
    "an index beyond the tree": (put("index", lambda _: 1_000), "entry 2 of KEN.*not in the tree"),
    "wrong slot": (put("slot", lambda slot: 1 - slot), "entry 2 of KEN"),
    "wrong proof": (put("proof", lambda proof: proof[::-1]), "entry 2 of KEN"),
    "a shorter proof": (put("proof", lambda proof: proof[:-1]), "entry 2 of KEN.*proof"),
    "stray bits in base64": (
        put("opening", lambda text: text[:-2] + chr(ord(text[-2]) + 1) + "="),
        "entry 2 of KEN.*base64",
    ),
    "another nation's head": (
        lambda doc: page(doc, 1).update(head=GBR_HEAD),
        "tree with this root|not in the tree",
    ),
    "a smaller count in the head": (head_counts_less, "tree with this root|not in the tree"),
    "an older heads leaf": (
        lambda doc: page(doc, 1).update(head=page(doc, 0)["head"]),
        "proof|tree with this root",
    ),
    "a page of another nation": (
        lambda doc: page(doc, 1).update(channel="GBR"),
        "page of (GBR in )?another nation",
    ),
    "another size in the checkpoint": (resized, "signature"),
    "a checkpoint of somebody else": (signed_by_another, "log's key"),
    "trees without a proof": (
        lambda doc: doc[at(doc, "tree", 1)]["tree"].update(consistency=None),
        "proof",
    ),
    "trees with an empty proof": (
        lambda doc: doc[at(doc, "tree", 1)]["tree"].update(consistency=[]),
        "proof",
    ),
    "more entries than the page says": (
        lambda doc: page(doc, 0).update(entries=3),
        "entry 4 of KEN",
    ),
    "another size in the header": (
        lambda doc: doc[0]["evidence"].update(size=14),
        "ends before its tree of 14",
    ),
    "another nation in the header": (
        lambda doc: doc[0]["evidence"].update(nation="GBR"),
        "page of (KEN in )?another nation",
    ),
    "a history that says it is a receipt": (
        lambda doc: doc[0]["evidence"].update(kind="receipt"),
        "proof|receipt",
    ),
    "another charter": (
        lambda doc: doc[0]["evidence"].update(charter=json.loads(OTHER.model_dump_json())),
        "not the (one|charter) that you know",
    ),
}


# -- lies that the log's own key signs


def fork() -> Pen:
    """Two histories that begin alike: the second pull comes from the other one."""
    pen, other = pulled(), MemoryLog()
    other.append(stated(pen.charter))
    other.append(released("KEN", "GBR", report=0), released("FRA", report=1))
    other.append(*[released("KEN", report=i) for i in range(9)])
    other.append(released("KEN"), released("GBR"))
    pen.log = other
    pen.pull()
    return pen


def rollback() -> Pen:
    """After a tree, an older one of the same log."""
    pen = pulled()
    pen.lines.append(pen.lines[0])
    return pen


def fork_of_one_size() -> Pen:
    """The same size and another root."""
    pen, other = pulled(), MemoryLog(seed=7)
    other.append(stated(pen.charter), released("KEN"))
    while other.tree.size < pen.size - 1:
        other.append()
    other.append()
    pen.lines.append(
        pen.lines[0].model_copy(
            update={"tree": pen.lines[0].tree.model_copy(update={"checkpoint": other.checkpoint})}  # type: ignore[union-attr]
        )
    )
    return pen


def future() -> Pen:
    """An entry of tomorrow."""
    pen = pulled()
    pen.log.time = SOON + 3_600_000
    pen.log.append(released("KEN", report=9))
    pen.pull()
    return pen


def backdated() -> Pen:
    """An entry that says it is older than the one before."""
    pen = pulled()
    pen.log.time -= 60_000
    pen.log.append(released("KEN", report=9))
    pen.pull()
    return pen


def returning_orphan() -> Pen:
    """An entry that was kept from its nation comes back as if it had always been there."""
    pen, keep = pulled(), TRUE.log.tips["KEN"]
    orphan = pen.log.append(released("KEN", report=66)).entries[0]
    pen.log.entries["KEN"].pop()
    pen.log.tips["KEN"] = keep
    pen.log.append()
    pen.pull()
    pen.log.show(orphan)
    pen.log.tips["KEN"] = orphan.tips["KEN"]
    pen.log.append()
    pen.pull()
    return pen


def shrunk() -> Pen:
    """A head that counts less than the one before."""
    pen = pulled()
    last = pen.log.entries["KEN"][5]
    row = last.links["KEN"]
    pen.log.tips["KEN"] = Tip(6, last.index, row.slot, row.commitment)
    pen.log.append()
    pen.pull()
    return pen


def replaced() -> Pen:
    """The newest entry that was shown is replaced by another one."""
    pen = pulled()
    before = pen.log.entries["KEN"][5]
    row = before.links["KEN"]
    pen.log.tips["KEN"] = Tip(6, before.index, row.slot, row.commitment)
    pen.log.entries["KEN"].pop()
    pen.log.append(released("KEN", report=70))
    pen.log.append(released("KEN", report=71))
    pen.pull()
    return pen


def two_places() -> Pen:
    """The nation's head at the place of another."""
    log = MemoryLog(channels=(CHANNELS[0], "GBR", "KEN", "FRA"))
    pen = Pen(log)
    pen.charter = charter(log)
    log.append(stated(pen.charter), released("KEN"))
    pen.pull()
    return pen


def unshown_admission() -> Pen:
    """A nation's place without the admission that gave it."""
    pen = admitted()
    pen.lines = [line for line in pen.lines if line.statement is None]
    return pen


def spoken(*kinds: str) -> Pen:
    """A history in which the nation says something of each of these types, and shows none of it."""
    log = MemoryLog()
    pen = Pen(log)
    log.append(stated(pen.charter))
    for seq, kind in enumerate(kinds):
        view = {"statement": f"{seq:064x}", "nation": "KEN", "seq": seq, "type": kind}
        log.append(Event("statement", {MISSION: view}))
    pen.pull()
    return pen


def other_admission() -> Pen:
    """An admission of somebody else than the entry names."""
    pen = admitted()
    other = Pen(pen.log, "FRA").charter
    pen.lines = [
        line.model_copy(update={"statement": other}) if line.statement else line
        for line in pen.lines
    ]
    return pen


SIGNED: dict[str, tuple[Callable[[], Pen], str]] = {
    "a fork": (fork, "older root|does not start with|tree with this root|proof"),
    "a fork of one size": (fork_of_one_size, "two different trees|rolled back, or told twice"),
    "a rollback": (rollback, "were seen before|rolled back"),
    "a date in the future": (future, "from the future"),
    "a date before the last": (backdated, "entry 7 of KEN.*out of order"),
    "an orphan that comes back": (returning_orphan, "entry 7 of KEN"),
    "a head that has shrunk": (shrunk, "entry 6 of KEN: 7 shown, 6 exist"),
    "an entry that was replaced": (replaced, "entry 7 of KEN"),
    "the head at another's place": (two_places, "tree with this root"),
    "an admission that is not shown": (unshown_admission, "entry 1 of MISSION.*not shown"),
    **{
        f"a statement left out: {kind}": (partial(spoken, kind), "entry 1 of MISSION.*not shown")
        for kind in sorted(NEEDED)
    },
    "another admission than the entry names": (other_admission, "entry above does not name|names"),
}


def all_lies() -> dict[str, tuple[list[bytes], str, str]]:
    """Lines, charter and the words of the refusal, by name."""
    found = {}
    for name, (edit, words) in EDITS.items():
        doc = docs(TRUE)
        edit(doc)
        found[name] = (lines(doc), TRUE.charter.identity, words)
    for name, (make, words) in (SIGNED | erasing_lies.LIES | confirming_lies.LIES).items():
        pen = make()
        found[name] = (pen.written(), pen.charter.identity, words)
    return found


LIES = all_lies()
