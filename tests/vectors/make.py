"""Makes the test vectors for a second implementation: `python -m tests.vectors.make`.

Keys, ids and salts come from fixed seeds. Signatures, key wraps and ciphertexts are randomised by
their algorithms, so a new run gives other bytes that are just as good; the files are made once and
then kept, and `test_vectors.py` verifies what is in them. Bytes are hex where they are short and
base64 where they are long.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests import sealing
from tests.coalition import ORIGIN, Coalition, Portion
from tests.people import epoch_seed, member_keys, random_of
from wire import binding, composite, statements
from wire.base64_strict import encode
from wire.entries import Event, head_evidence, link_opening, seal_batch
from wire.merkle import Frontier, leaf_hash
from wire.notes import Checkpoint, Ed25519Signer, sign_checkpoint
from wire.report import PREAMBLE, Frame, PortionFrame
from wire.retention import DAY_S, limit
from wire.statements import Statement

HERE = Path(__file__).parent
RANDOM = random_of("vectors")
SOURCE = {"report": "ab" * 32, "portion": "cd" * 32}


def keys() -> dict[str, Any]:
    """Private bytes, the public keys and names that follow from them, and one signature each."""
    private = composite.private_key(RANDOM(32), RANDOM(56))
    key = composite.SigningKey(private)
    message = b"a message"
    seed = epoch_seed("KEN", 1, 3)
    levels = [seed.at(level) for level in (3, 2, 1, 0)]
    sealing_key = member_keys("KEN", "analyst").seal
    return {
        "composite": {
            "private": private.hex(),
            "public": encode(key.public.raw),
            "kid": key.public.kid,
            "message": message.hex(),
            "signatures": {
                context.decode(): encode(key.sign(message, context))
                for context in (b"", composite.REPORT, composite.STATEMENT)
            },
        },
        "epoch": {
            "nation": seed.nation,
            "epoch": seed.epoch,
            "levels": [
                {
                    "level": s.level,
                    "seed": s.seed.hex(),
                    "public": encode(s.key().public),
                    "kid": s.key().kid,
                }
                for s in levels
            ],
        },
        "seal": {"public": encode(sealing_key.public), "kid": sealing_key.kid},
    }


def bindings() -> list[dict[str, Any]]:
    """Contexts for given places: what binds keys and ciphertexts."""
    cases = []
    for originator, index, level, nation in (("KEN", 0, 3, "GBR"), ("GBR", 15, 0, "FRA")):
        report_id, kid, attachment = (RANDOM(16).hex() for _ in range(3))
        label = sealing.text({"salt": RANDOM(16).hex(), "note": "any bytes"})
        bound = binding.portion_context(originator, report_id, index, label)
        cases.append(
            {
                "originator": originator,
                "id": report_id,
                "index": index,
                "label": label.hex(),
                "level": level,
                "nation": nation,
                "kid": kid,
                "attachment": attachment,
                "portion_context": bound.hex(),
                "wrap_info": binding.wrap_info(level, nation, kid, bound).hex(),
                "payload_context": binding.payload_context(originator, report_id, index).hex(),
                "attachment_context": binding.attachment_context(
                    originator, report_id, index, attachment
                ).hex(),
            }
        )
    return cases


def founding() -> Coalition:
    """Two nations, with just what it takes to send a report from one to the other."""
    world = Coalition.of("KEN", "GBR", people=False)
    for code in ("KEN", "GBR"):
        world[code].enlists("officer")
        world[code].delegates("epoch", world[code].officer)
        world[code].opens_epoch()
    world["KEN"].enlists("system")
    world["GBR"].enlists("analyst")
    return world


def history(world: Coalition) -> dict[str, Any]:
    """A mission's statements, each at its place."""
    return {
        "mission": world.mission,
        "charter": world.directory.pinned_charter,
        "statements": [
            {
                "position": filed.position,
                "time": filed.time,
                "type": filed.statement.head.type,
                "identity": filed.statement.identity,
                "raw": encode(filed.statement.raw),
            }
            for filed in world.history
        ],
    }


def mission(world: Coalition) -> dict[str, Any]:
    """A history of statements, and what every fold of it must say."""
    directory = world.directory
    return {
        **history(world),
        "channels": list(directory.channels),
        "registry": directory.terms.digest,
        "chains": {
            code: {"seq": state.seq, "prev": state.prev}
            for code, state in {**directory.nations, "MISSION": directory.chain}.items()
        },
        "members": {
            kid: {"nation": m.nation, "kind": m.kind, "added": m.added}
            for kid, m in directory.members.items()
        },
        "epoch_kids": {
            code: list(state.epochs[1].kids) for code, state in directory.nations.items()
        },
    }


def statement(world: Coalition) -> dict[str, Any]:
    """One statement with its body shown and withheld."""
    draft: Statement = world["KEN"].drafts(
        "report.recall", {"report": "ab" * 32, "reason": "wrong place"}
    )
    return {
        "raw": encode(draft.raw),
        "withheld": encode(statements.without_body(draft)),
        "head": draft.head_bytes[PREAMBLE.size :].decode(),
        "body": (draft.body_bytes or b"").decode(),
        "body_digest": draft.head.body,
        "identity": draft.identity,
        "signers": {
            kid: encode(key.public.raw)
            for kid in draft.signatures
            for key in world.root_signers(["KEN"])
            if key.public.kid == kid
        },
    }


def retention() -> dict[str, Any]:
    """Orders of a nation's root in a mission with a floor: what may be erased when, and orders that
    are none.
    """
    world = Coalition.of("KEN", "GBR", people=False, retention_floor=30)
    kenya, ordered = world["KEN"], world.clock.now
    kenya.says("retention.set", {"views": 90, "payloads": 45})
    world.clock.forward(days=10)
    kenya.says("retention.set", {"views": 120, "payloads": None})
    told = history(world)
    orders = world.directory.nations["KEN"].retention
    days = (0, 29, 30, 39, 40, 400)
    cases = {
        ("honest", ""): kenya.drafts("retention.set", {"views": None, "payloads": 1}),
        ("below-the-floor", "bad-statement"): kenya.drafts(
            "retention.set", {"views": 29, "payloads": None}
        ),
        ("by-another-root", "unknown-signer"): kenya.drafts(
            "retention.set", {"views": 60, "payloads": None}, by=world.root_signers(["GBR"])
        ),
        ("by-too-few", "not-allowed"): kenya.drafts(
            "retention.set", {"views": 60, "payloads": None}, by=world.root_signers(["KEN"])[:1]
        ),
    }
    return {
        **told,
        "floor": 30,
        "limits": [
            {
                "time": (time := ordered + day * DAY_S),
                "views": limit([o for o in orders if o.time <= time], 30, "views", time),
                "payloads": limit([o for o in orders if o.time <= time], 30, "payloads", time),
            }
            for day in days
        ],
        "cases": [
            {"name": name, "slug": slug or None, "raw": encode(case.raw)}
            for (name, slug), case in cases.items()
        ],
    }


def sealed(world: Coalition) -> dict[str, Any]:
    """A report of three portions, what each nation is sent of it, and what it reads there."""
    raw = world["KEN"].seals(
        "For both nations.",
        release_to="GBR",
        protected={"derived_from": [SOURCE]},
        portions=[
            Portion("For Kenya alone.", release_to="KEN", protected=sealing.NO_SOURCES),
            Portion(
                "Less, for both.",
                classification="RESTRICTED",
                label={"derived_from": [SOURCE]},
                protected=sealing.NO_SOURCES,
            ),
        ],
    )
    position, now = world.position, world.clock.now
    verified = world.accepts(raw)
    return {
        "raw": encode(raw),
        "position": position,
        "time": now,
        "identity": verified.identity,
        "header": verified.frame.header_bytes.decode(),
        "portions": [
            {
                "index": p.index,
                "label": p.frame.label_bytes.decode(),
                "descriptor": p.frame.descriptor.hex(),
                "protected": p.frame.protected.decode(),
                "commitment": p.frame.commitment,
                "recipients": sorted(p.recipients),
            }
            for p in verified.portions
        ],
        "seeds": {code: epoch_seed(code, 1, 3).seed.hex() for code in ("KEN", "GBR")},
        "deliveries": {
            code: {
                "raw": encode(delivery := world.deliver(raw, to=code)),
                "opens": {str(i): text for i, text in world[code].opens(delivery).items()},
            }
            for code in ("KEN", "GBR")
        },
    }


def refused(world: Coalition) -> list[dict[str, Any]]:
    """Reports with one failure each, signed by their author wherever that makes it worse."""
    kenya = world["KEN"]
    place = kenya.place(report_id="5e" * 16)
    label = kenya.label("SECRET")
    keys_ = kenya.keys_for(label)

    def honest(protected: Mapping[str, Any] | None = None, **fields: Any) -> PortionFrame:
        changed, random = {**label, **fields}, world.random
        return sealing.portion(place, changed, b"text", keys_, random, protected=protected)

    def signed(*portions: PortionFrame, **header: Any) -> Frame:
        return kenya.signs(place, portions, **header)

    good = honest()
    frame = signed(good)
    raw = sealing.encode(frame)
    other = dataclasses.replace(good, payload=good.payload[::-1])
    low = [world.directory.epoch_key("KEN", 2, world.clock.now)]
    below = sealing.portion(place, label, b"text", low, world.random)
    side = [*keys_, world.directory.epoch_key("GBR", 3, world.clock.now)]
    cases: dict[tuple[str, str], bytes] = {
        ("honest", ""): raw,
        ("cut", "bad-envelope"): raw[:-1],
        ("trailing-byte", "bad-envelope"): raw + b"\0",
        ("another-suite", "bad-suite"): raw[:4] + b"\x01" + raw[5:],
        ("a-flag", "bad-envelope"): raw[:5] + b"\x01" + raw[6:],
        ("another-signer", "unknown-signer"): sealing.encode(signed(good, signer="00" * 16)),
        ("wrong-signature", "bad-signature"): sealing.encode(
            dataclasses.replace(frame, signature=frame.signature[::-1])
        ),
        ("another-portion", "bad-envelope"): sealing.encode(
            dataclasses.replace(frame, portions=(honest(),))
        ),
        ("another-payload", "bad-envelope"): sealing.encode(
            dataclasses.replace(frame, portions=(other,))
        ),
        ("three-places", "bad-envelope"): sealing.encode(
            signed(good, portions=[good.commitment, "ab" * 32, "cd" * 32])
        ),
        ("another-mission", "bad-envelope"): sealing.encode(signed(good, mission="MINUSY")),
        ("no-release-list", "bad-fields"): sealing.encode(signed(honest(release_to=[]))),
        ("unknown-place", "unknown-term"): sealing.encode(signed(honest(regions=["ZZ"]))),
        ("exercise", "label-exercise"): sealing.encode(signed(honest(exercise=True))),
        ("a-silent-reader", "label-recipients"): sealing.encode(
            signed(sealing.portion(place, label, b"text", side, world.random))
        ),
        ("a-key-below", "label-recipients"): sealing.encode(signed(below)),
        ("no-protected-sources", "label-lineage"): sealing.encode(
            dataclasses.replace(frame, portions=(dataclasses.replace(good, protected=b""),))
        ),
        ("other-protected-sources", "bad-envelope"): sealing.encode(
            dataclasses.replace(
                frame, portions=(dataclasses.replace(good, protected=honest().protected),)
            )
        ),
        ("a-source-shown-and-protected", "label-lineage"): sealing.encode(
            signed(honest({"derived_from": [SOURCE]}, derived_from=[SOURCE]))
        ),
        ("a-short-salt", "bad-fields"): sealing.encode(signed(honest({"salt": "ab" * 16}))),
    }
    return [
        {"name": name, "slug": slug or None, "raw": encode(case)}
        for (name, slug), case in cases.items()
    ]


def log() -> dict[str, Any]:
    """A batch of two entries, its heads leaf, the checkpoint over it, and what opens them."""
    secret, channels, time_ms = RANDOM(32), ("MISSION", "KEN", "GBR"), 1_780_000_000_123
    events = [
        Event("report.accepted", {"KEN": {"report": "ab" * 32}}),
        Event("release", {"KEN": {"to": "GBR"}, "GBR": {"originator": "KEN"}}),
    ]
    batch = seal_batch(events, 0, Frontier(), {}, channels, time_ms, secret, RANDOM)
    size, root = batch.frontier.size, batch.frontier.root()
    signer = Ed25519Signer(ORIGIN, RANDOM(32))
    heads = head_evidence("GBR", size - 1, time_ms, channels, batch.tips, secret)
    return {
        "entries": [
            {
                "index": entry.index,
                "leaf": entry.leaf.hex(),
                "leaf_hash": leaf_hash(entry.leaf).hex(),
                "inclusion": [h.hex() for h in batch.proof(entry.index)],
                "links": {
                    channel: {
                        "slot": row.slot,
                        "link": row.link.decode(),
                        "opening": link_opening(secret, entry.index, row.slot).hex(),
                        "commitment": row.commitment.hex(),
                        "view_opening": entry.views[channel][0].hex(),
                        "view": entry.views[channel][1].decode(),
                    }
                    for channel, row in entry.links.items()
                },
            }
            for entry in batch.entries
        ],
        "heads": {
            "leaf": heads.leaf.hex(),
            "channel": "GBR",
            "position": channels.index("GBR"),
            "channels": len(channels),
            "head": heads.head.decode(),
            "opening": heads.opening.hex(),
            "path": [h.hex() for h in heads.path],
        },
        "size": size,
        "root": root.hex(),
        "vkey": str(signer.vkey),
        "checkpoint": sign_checkpoint(Checkpoint(ORIGIN, size, root), [signer]),
    }


def write(name: str, content: Mapping[str, Any] | list[Any]) -> None:
    """One file, readable."""
    text = json.dumps(content, indent=1, ensure_ascii=False)
    (HERE / f"{name}.json").write_text(text + "\n")


def main() -> None:
    """Write all files."""
    world = founding()
    write("keys", keys())
    write("binding", bindings())
    write("mission", mission(world))
    write("statement", statement(world))
    write("report", sealed(world))
    write("refused", refused(world))
    write("log", log())
    write("retention", retention())


if __name__ == "__main__":
    main()
