"""What a broker, or whoever passes a file on, could try to have a history called confirmed."""

from collections.abc import Callable
from typing import Any

from tests.wire.evidence_files import (
    NEW_KEY,
    WITNESSES,
    Pen,
    charter,
    confirmed,
    ed,
    pq,
    receipt,
    shown,
    stated,
    witnessed,
)
from tests.wire.memory_log import MemoryLog, released
from wire.base64_strict import decode, encode
from wire.evidence_lines import ConfirmedLine, Line
from wire.note_keys import ED25519, Ed25519Signer, NoteSigner

Lie = tuple[Callable[[], Pen], str]
KEN, GBR, FRA = (WITNESSES[nation] for nation in ("KEN", "GBR", "FRA"))


def cosigned(*signers: NoteSigner, size: int | None = None) -> Callable[[], Pen]:
    """These cosign the newest tree."""
    return lambda: witnessed()[0].confirms(*signers, size=size)


def last(change: Callable[[ConfirmedLine], dict[str, Any]]) -> Callable[[], Pen]:
    """The last line is another."""

    def lie() -> Pen:
        pen = confirmed()
        line = pen.lines[-1].confirmed
        assert line is not None
        pen.lines[-1] = Line(confirmed=ConfirmedLine(**{**line.model_dump(), **change(line)}))
        return pen

    return lie


def flipped(which: int, at: int) -> Callable[[ConfirmedLine], dict[str, Any]]:
    """A bit of one signature line, counted from the last, is another."""

    def change(line: ConfirmedLine) -> dict[str, Any]:
        lines = line.checkpoint.split("\n")
        start, name, material = lines[which - 1].split(" ")
        data = bytearray(decode(material))
        data[at] ^= 1
        lines[which - 1] = f"{start} {name} {encode(bytes(data))}"
        return {"checkpoint": "\n".join(lines)}

    return change


def twice(line: ConfirmedLine) -> dict[str, Any]:
    return {"checkpoint": line.checkpoint + line.checkpoint.split("\n")[-2] + "\n"}


def appointed(*keys: NoteSigner, nation: str = "KEN", **how: Any) -> Callable[[], Pen]:
    """The log puts another statement about a witness into its journal, and lets it cosign."""

    def lie() -> Pen:
        pen, _ = witnessed()
        pen.appoints(nation, *keys, seq=9, **how)
        pen.pull()
        return pen.confirms(*keys, *GBR)

    return lie


def said_by_nobody() -> Pen:
    """The statement that changed the keys is left out, so that the old ones would count."""
    pen, _ = witnessed()
    pen.lines = [line for line in pen.lines if line.statement is None]
    return pen.confirms(*KEN, *GBR)


def behind() -> Pen:
    pen, _ = witnessed()
    pen.log.append()
    return pen.confirms(NEW_KEY, *GBR, size=pen.log.tree.size)


def misproven() -> Pen:
    """A tree that was cosigned, and a path to the file's last one that ends in another hash."""
    pen = witnessed()[0].confirms(*KEN, *FRA, size=3)
    line = pen.lines[-1].confirmed
    assert line is not None
    proof = (*line.consistency[:-1], encode(b"p" * 32))
    pen.lines[-1] = Line(confirmed=ConfirmedLine(checkpoint=line.checkpoint, consistency=proof))
    return pen


def other_history() -> Pen:
    """All witnesses collude and cosign a second history as well."""
    pen, other = witnessed()[0], witnessed()[0]
    for one, other_report in ((pen, 8), (other, 9)):
        one.log.append(released("KEN", report=other_report))
        one.pull()
    pen.lines.append(other.confirms(NEW_KEY, *GBR).lines[-1])
    return pen


def without_witnesses() -> Pen:
    """A mission that asks for none cannot be confirmed."""
    pen = Pen(MemoryLog())
    pen.charter = charter(pen.log)
    pen.log.append(stated(pen.charter))
    pen.pull()
    return pen.confirms(*GBR, *FRA)


def in_a_receipt(*signers: NoteSigner) -> Callable[[], Pen]:
    def lie() -> Pen:
        pen, at = witnessed()
        place = next(i for i, e in enumerate(pen.log.entries["MISSION"]) if e.index == at)
        return shown(receipt(pen, [0], mission=[place]), pen).confirms(*signers)

    return lie


FEW = "cosigned by 1 of 2"
WRONG = "signature.*(wrong|does not verify)"
LIES: dict[str, Lie] = {
    "one of the two that are needed": (cosigned(*GBR), FEW),
    "one witness by both keys that it had": (cosigned(*KEN, *FRA), FEW),
    "a witness by half of its keys, before they changed": (
        lambda: witnessed()[0].confirms(KEN[0], *GBR, size=3),
        FEW,
    ),
    "a new key for a tree from before it": (
        lambda: witnessed()[0].confirms(NEW_KEY, *GBR, size=3),
        FEW,
    ),
    "strangers": (cosigned(ed("SEN"), pq("TCD"), *GBR), FEW),
    "a cosignature with ML-DSA-44 that is another": (last(flipped(-1, 1_000)), WRONG),
    "its time": (last(flipped(-1, 9)), WRONG),
    "its hints": (last(flipped(-1, 4 + 8 + 2_419)), WRONG),
    "the other's": (last(flipped(-2, 50)), WRONG),
    "a cosignature twice": (last(twice), "twice"),
    "a proof for the same tree": (last(lambda _: {"consistency": (encode(b"p" * 32),)}), "proof"),
    "a smaller tree, with another proof": (misproven, "(proof|Merkle|log forked)"),
    "a tree beyond what is told of the mission": (behind, "(known|told|shown)"),
    "a second history": (other_history, "(Merkle|log forked|proof)"),
    "keys that the log appoints": (appointed(pq("KEN", 9), by="FRA"), "(appoint|not the key)"),
    "keys appointed for another place": (
        appointed(pq("KEN", 9), mission="MINUSY"),
        "(signature|appointment)",
    ),
    "keys of another nation's witness": (appointed(pq("GBR", 9)), "keys"),
    "keys that were replaced before": (
        appointed(*KEN),
        "(never comes back|keys|not its)",
    ),
    "a key that does not cosign": (
        appointed(Ed25519Signer(KEN[0].vkey.name, b"l" * 32, ED25519)),
        "key",
    ),
    "the statement about them left out": (said_by_nobody, "(is not shown)"),
    "a mission without witnesses": (without_witnesses, "of 0"),
    "too few in a receipt": (in_a_receipt(*GBR), FEW),
    "replaced keys in a receipt": (in_a_receipt(*KEN, *GBR), FEW),
}
