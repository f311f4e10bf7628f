"""Evidence files over a journal in memory: what an honest auditor writes, and room to lie."""

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from tests.appointing import appointed, runs
from tests.wire.memory_log import CHANNELS, NOON, ORIGIN, MemoryLog, released
from wire import statements
from wire.base64_strict import encode
from wire.bodies import (
    CharterNation,
    MissionCharter,
    MissionContinue,
    NationAdmit,
    RetentionSet,
    RunWitness,
    WitnessSet,
)
from wire.entries import MISSION, Event
from wire.evidence_lines import ConfirmedLine, Header, Line, PageLine, Said, TreeLine
from wire.note_keys import ED25519_COSIGNATURE, Ed25519Signer, MLDSA44Signer, NoteSigner
from wire.notes import Checkpoint, signature_line
from wire.vocabulary import Level

SOON = NOON + 3_600_000
"""Milliseconds: when these files are verified."""
FLOOR = 30
DAY_S = 86_400


def said(
    kind: str, body: Any, *, nation: str = MISSION, seq: int = 0, scope: str = "mission"
) -> Said:
    """A statement without signatures."""
    head = {
        "mission": "MINUSX",
        "nation": nation,
        "seq": seq,
        "prev": statements.GENESIS,
        "type": kind,
        "scope": scope,
        "issued": NOON // 1000,
    }
    unsigned = statements.draft(head, body)
    assert unsigned.body_bytes is not None
    whole = unsigned.signed_by(lambda _: ("00" * 16, b"not looked at"))
    return Said.of(statements.parse(whole))


def nation(code: str, *, witness: bool = False) -> CharterNation:
    run = RunWitness(**runs(code, WITNESSES[code][0].vkey.name)) if witness else None
    return CharterNation(
        code=code, name=code.title(), root="ab" * 32, clearance="SECRET", witness=run
    )


def ed(nation: str, seed: int = 0) -> Ed25519Signer:
    """A key that cosigns, with the name of the nation's witness."""
    seeds = sha256(f"{nation} {seed}".encode()).digest()
    return Ed25519Signer(f"{nation.lower()}.example/w", seeds, ED25519_COSIGNATURE)


def pq(nation: str, seed: int = 0) -> MLDSA44Signer:
    """The same with ML-DSA-44."""
    seeds = sha256(f"{nation} {seed}".encode()).digest()
    return MLDSA44Signer(f"{nation.lower()}.example/w", seeds)


WITNESSES: dict[str, tuple[NoteSigner, ...]] = {
    "KEN": (ed("KEN"), pq("KEN")),
    "GBR": (pq("GBR"),),
    "FRA": (ed("FRA"),),
}
QUORUM = 2


def charter(
    log: MemoryLog,
    nations: Sequence[str] = CHANNELS[1:],
    floor: int | None = FLOOR,
    *,
    witnesses: bool = False,
) -> Said:
    """The charter of a mission whose log this is."""
    named = [str(key.vkey) for code in nations for key in WITNESSES[code]] if witnesses else ()
    body = MissionCharter(
        salt="5a" * 16,
        name="Evidence",
        exercise=True,
        levels=(Level(token="SECRET", mark="S"),),
        nations=tuple(nation(code, witness=witnesses) for code in nations),
        origin=ORIGIN,
        log_keys=(str(log.signer.vkey),),
        witnesses=tuple(named),
        witness_quorum=QUORUM if witnesses else 0,
        admission_quorum=1,
        floor=(),
        carry=(),
        retention_floor=floor,
    )
    return said("mission.charter", body)


class Pen:
    """Writes the lines of a file, page by page, as a pull does."""

    def __init__(self, log: MemoryLog, whose: str = "KEN", kind: Any = "history") -> None:
        self.log, self.whose, self.kind = log, whose, kind
        self.charter = charter(log)
        self.lines: list[Line] = []
        self.size = 0
        self.shown = {MISSION: 0, whose: 0}
        self.said: dict[str, Said] = {}
        self.continued: Said | None = None

    @property
    def pinned(self) -> str:
        """What a verifier has to know."""
        return (self.continued or self.charter).identity

    def goes_on(self, **otherwise: Any) -> Said:
        """The log was lost behind what there is, and has another name from here on."""
        log, before = self.log, self.log.origin
        size, log.origin = log.tree.size, f"{ORIGIN}/2"
        body = {
            "salt": "5a" * 16,
            "charter": self.charter.identity,
            "continues": before,
            "size": size,
            "root": log.tree.root().hex(),
            "seen": size + 9,
            "origin": log.origin,
            "log_keys": (str(log.signer.vkey),),
            "reason": "the disk was lost",
        }
        model = MissionContinue.model_validate(body | otherwise)
        self.continued = said("mission.continue", model, seq=1)
        self.said[self.continued.identity] = self.continued
        self.size = size
        return self.continued

    def tree(self) -> None:
        """The newest tree, if it is new."""
        if self.log.tree.size > self.size:
            proof = self.log.consistency(self.size) if self.size else []
            told = TreeLine(checkpoint=self.log.checkpoint, consistency=tuple(map(encode, proof)))
            self.lines.append(Line(tree=told))
            self.size = self.log.tree.size

    def page(self, channel: str, limit: int = 1_000) -> None:
        """What is new of a channel under the newest tree."""
        self.tree()
        segment = self.log.segment(channel, after=self.shown[channel], limit=limit)
        count = len(segment.entries)
        page = PageLine(channel=channel, entries=count, head=segment.head)
        self.lines.append(Line(page=page))
        for at, evidence in enumerate(segment.entries, self.shown[channel]):
            self.lines.append(Line(entry=evidence))
            self.lines += self.statements(channel, at)
        self.shown[channel] += count

    def confirms(self, *signers: NoteSigner, size: int | None = None) -> "Pen":
        """The last line: what these have cosigned, the newest tree if it is not said."""
        size = self.size if size is None else size
        note = self.log.notes[size]
        tree = Checkpoint.parse(note.rpartition("\n\n")[0] + "\n")
        note += "".join(signature_line(tree, one, NOON // 1000) for one in signers)
        old, new = sorted((size, self.size))
        proof = self.log.consistency(old, new) if old < new else []
        line = ConfirmedLine(checkpoint=note, consistency=tuple(map(encode, proof)))
        self.lines.append(Line(confirmed=line))
        return self

    def appoints(self, nation: str, *keys: NoteSigner, seq: int = 3, **how: Any) -> int:
        """A nation's witness gets other keys; gives the entry that says so."""
        fields = {"salt": "5a" * 16, **appointed(nation, seq, *keys, **how)}
        body = WitnessSet.model_validate_json(json.dumps(fields))
        told = said("witness.set", body, nation=nation, seq=seq)
        self.said[told.identity] = told
        self.log.append(stated(told))
        return self.log.entries[MISSION][-1].index

    def statements(self, channel: str, count: int) -> list[Line]:
        """What an entry of the mission's channel names, if the file is to show it."""
        view = self.log.entries[channel][count].views[channel][1]
        return [
            Line(statement=known)
            for identity, known in self.said.items()
            if channel == MISSION and f'"statement":"{identity}"'.encode() in view
        ]

    def pull(self) -> None:
        """Both channels."""
        self.page(MISSION)
        self.page(self.whose)

    def written(self) -> list[bytes]:
        """The whole file."""
        header = Header(
            v=1,
            kind=self.kind,
            mission="MINUSX",
            nation=self.whose,
            size=self.size,
            charter=self.charter,
            **({} if self.continued is None else {"continued": self.continued}),
        )
        return [line.encode() for line in (Line(evidence=header), *self.lines)]


def receipt(pen: Pen, counts: Sequence[int], mission: Sequence[int] = ()) -> Pen:
    """A receipt of these entries of the mission's channel, with their statements, and of KEN's."""
    found = Pen(pen.log, kind="receipt")
    note = pen.log.checkpoint
    found.lines = [Line(tree=TreeLine(checkpoint=note, consistency=None))]
    for channel, count in [*((MISSION, c) for c in mission), *(("KEN", c) for c in counts)]:
        found.lines.append(Line(page=PageLine(channel=channel, entries=1, head=None)))
        found.lines.append(Line(entry=pen.log.evidence(channel, count)))
        found.lines += pen.statements(channel, count)
    found.size = pen.log.tree.size
    return found


def stated(known: Said) -> Event:
    """The entry of a statement in the mission's channel."""
    head, _ = known.opened()
    view = {"statement": known.identity, "nation": head.nation, "seq": head.seq, "type": head.type}
    return Event("statement", {MISSION: view})


def pulled() -> Pen:
    """A history of two pulls, seven entries of KEN's among others."""
    log = MemoryLog()
    pen = Pen(log)
    log.append(stated(pen.charter))
    log.append(released("KEN", "GBR", report=0), released("GBR", "FRA", report=1))
    log.append(*[released("KEN", "FRA", report=i) for i in range(2, 5)])
    pen.pull()
    log.append(released("FRA", report=5), released("GBR", "KEN", report=6))
    log.append(released("KEN", report=7), released("KEN", "GBR", "FRA", MISSION, report=8))
    pen.pull()
    return pen


def continued(**otherwise: Any) -> Pen:
    """The history of a log that goes on after a loss, in two pulls."""
    pen = Pen(MemoryLog())
    pen.log.append(stated(pen.charter), released("KEN", "GBR"))
    pen.log.append(stated(pen.goes_on(**otherwise)))
    pen.log.append(released("KEN", "FRA", report=2))
    pen.pull()
    pen.log.append(released("KEN", report=3))
    pen.pull()
    return pen


def admitted() -> Pen:
    """The history of a nation that joined later."""
    log = MemoryLog(channels=CHANNELS[:3])
    pen = Pen(log, "FRA")
    pen.charter = charter(log, CHANNELS[1:3])
    log.append(stated(pen.charter), released("KEN", "GBR"))
    admission = said("nation.admit", NationAdmit(salt="5a" * 16, nation=nation("FRA")), seq=1)
    pen.said[admission.identity] = admission
    log.channels = CHANNELS
    log.entries["FRA"] = []
    log.append(stated(admission))
    log.append(released("KEN", "FRA"))
    pen.pull()
    return pen


class Eraser(Pen):
    """A pen whose nation ordered erasure, forty days ago, of all that is older than thirty."""

    def __init__(self, floor: int | None = FLOOR) -> None:
        super().__init__(MemoryLog())
        self.charter = charter(self.log, floor=floor)
        self.log.time -= 40 * DAY_S * 1000
        self.log.append(stated(self.charter))
        self.log.append(*[released("KEN", report=i) for i in range(3)])

    def orders(
        self,
        views: int | None = 30,
        *,
        payloads: int | None = None,
        nation: str = "KEN",
        seq: int = 9,
    ) -> Said:
        """The nation's root says how long views and payloads are kept."""
        body = RetentionSet(salt="5a" * 16, views=views, payloads=payloads)
        order = said("retention.set", body, nation=nation, seq=seq)
        self.said[order.identity] = order
        self.log.append(stated(order))
        return order

    def waits(self, days: int) -> None:
        self.log.time += days * DAY_S * 1000

    @property
    def midnight(self) -> int:
        """Of the day of the next entry, in seconds."""
        return (self.log.time + 1_000) // 1000 // DAY_S * DAY_S

    def erases(self, order: str, upto: int, start: int = 0, **otherwise: Any) -> None:
        """Views go, and an entry says so; `otherwise` is what it says instead."""
        own = {"nation": "KEN", "order": order, "before": self.midnight - 30 * DAY_S}
        own |= {"first": start, "until": upto} | otherwise
        told = {name: own[name] for name in ("nation", "order", "before")}
        self.log.append(Event("view.erased", {MISSION: told, "KEN": own}))
        self.log.erased |= {("KEN", count) for count in range(start, upto)}


def erased() -> Pen:
    """A history of which the first three views were erased, on two days. What was ordered after
    that makes neither erasure wrong.
    """
    pen = Eraser()
    order = pen.orders().identity
    pen.waits(31)
    pen.log.append(released("KEN", "GBR", report=4))
    pen.erases(order, 2)
    pen.waits(1)
    pen.erases(order, 3, start=2)
    pen.orders(None, seq=10)
    pen.log.append(released("KEN", report=5))
    pen.pull()
    return pen


NEW_KEY = pq("KEN", 1)


def shown(pen: Pen, like: Pen) -> Pen:
    """A pen that knows what another does."""
    pen.charter, pen.said = like.charter, like.said
    return pen


def witnessed() -> tuple[Pen, int]:
    """A history, not yet confirmed, in which Kenya's witness got another key; and where."""
    pen = Pen(MemoryLog())
    pen.charter = charter(pen.log, witnesses=True)
    pen.log.append(stated(pen.charter), released("KEN", "GBR"))
    pen.pull()
    at = pen.appoints("KEN", NEW_KEY)
    pen.log.append(released("KEN", "FRA", report=2))
    pen.pull()
    return pen, at


def confirmed() -> Pen:
    """The same, which Kenya's new key and Britain's have cosigned, both ML-DSA-44."""
    return witnessed()[0].confirms(NEW_KEY, *WITNESSES["GBR"])
