"""What a nation of the test world seals, signs, opens and releases further."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clients.keys import EpochKeyring, seal_to
from clients.open import OpenedReport, open_report
from tests import sealing
from tests.people import Person, epoch_seed
from tests.speaker import Speaker, Words, words
from wire import binding, report
from wire.base64_strict import encode
from wire.bodies import EpochGrant
from wire.members import EpochKey
from wire.report import Frame, PortionFrame
from wire.statements import Statement


@dataclass(frozen=True)
class Portion:
    """One portion that an author wants to seal; fields not given are those of the report."""

    text: str
    classification: str | None = None
    release_to: Words | None = None
    display_to: Words | None = None
    label: Mapping[str, Any] | None = None
    protected: Mapping[str, Any] | None = None


class Author(Speaker):
    """A nation, as far as reports go."""

    def label(
        self, classification: str, release_to: Words = (), display_to: Words = (), **fields: Any
    ) -> dict[str, Any]:
        """A label of this nation, honest unless fields are changed."""
        return {
            **sealing.LABEL,
            "classification": classification,
            "release_to": words({self.code, *words(release_to)}),
            "display_to": words(display_to),
            "occurred": self.world.clock.now - 3_600,
            "exercise": self.world.directory.founded.exercise,
            **fields,
        }

    def keys_for(self, label: Mapping[str, Any]) -> list[EpochKey]:
        """The current keys of everybody whom a label names."""
        directory, now = self.world.directory, self.world.clock.now
        level = directory.terms.level(label["classification"])
        nations = {self.code, *label["release_to"], *label["display_to"]}
        return [directory.epoch_key(n, level, now) for n in sorted(nations)]

    def place(self, index: int = 0, report_id: str | None = None) -> sealing.Place:
        """The place of a portion in a new report, or in a given one."""
        return sealing.Place(self.code, report_id or self.world.random(16).hex(), index)

    def seals(
        self,
        text: str = "An ambush on the road.",
        classification: str = "SECRET",
        *,
        release_to: Words = (),
        display_to: Words = (),
        portions: Sequence[Portion] = (),
        signer: Person | None = None,
        report_id: str | None = None,
        protected: Mapping[str, Any] | None = None,
        **label: Any,
    ) -> bytes:
        """A report of this nation: `text` as portion 0, then further portions. All draw on what
        `protected` says, but those that say it themselves.
        """
        place = self.place(0, report_id)
        wanted = (Portion(text), *portions)
        frames = []
        for i, p in enumerate(wanted):
            fields = self.label(
                p.classification or classification,
                release_to if p.release_to is None else p.release_to,
                display_to if p.display_to is None else p.display_to,
                **{**label, **(p.label or {})},
            )
            at = sealing.Place(place.originator, place.report_id, i)
            keys, written = self.keys_for(fields), sealing.written(p.text[:80], p.text)
            drawn = protected if p.protected is None else p.protected
            random = self.world.random
            frames.append(sealing.portion(at, fields, written, keys, random, protected=drawn))
        return self.assembles(place, frames, signer)

    def assembles(
        self, place: sealing.Place, frames: Sequence[PortionFrame], signer: Person | None = None
    ) -> bytes:
        """Put portions together and sign, as this nation's system."""
        return sealing.encode(self.signs(place, frames, signer))

    def signs(
        self,
        place: sealing.Place,
        frames: Sequence[PortionFrame],
        by: Person | None = None,
        **changes: Any,
    ) -> Frame:
        """The same before it is bytes; `changes` are to fields of the header."""
        who = by or self.world.people[self.code, "system"]
        commitments = [f.commitment for f in frames]
        now, random = self.world.clock.now, self.world.random
        fields = sealing.header(self.world.directory, place, who.kid, now, commitments, random)
        return sealing.signed({**fields, **changes}, frames, who.sign)

    def opens(self, delivery: bytes) -> dict[int, str]:
        """Verify a delivery, and read every portion that this nation holds a key to."""
        read = self.world.reads(delivery, self.code)
        opened = {}
        for p in read.portions:
            for record in p.frame.records:
                if record.nation == self.code:
                    place = sealing.Place(read.originator, read.header.id, p.index)
                    seed = epoch_seed(self.code, record.epoch, record.level)
                    plain = sealing.open_portion(p.frame, place, self.code, seed)
                    opened[p.index] = sealing.read(plain)["body"]
        return opened

    def keyring(self, person: Person) -> EpochKeyring:
        """What one member can open: the epochs granted to it so far."""
        filed = (f.statement for f in self.world.history)
        grants = (s.body(EpochGrant) for s in filed if s.head.type == "epoch.grant")
        terms = self.world.directory.terms
        return EpochKeyring.from_grants(person.keys, self.code, grants, terms)

    def opens_as(self, person: Person, delivery: bytes) -> OpenedReport:
        """Verify a delivery and open it with the clients' own code, as one member."""
        verified = self.world.reads(delivery, self.code)
        ring = self.keyring(person)
        return open_report(verified, self.code, ring, self.world.directory.terms)

    def consents(self, raw: bytes, to: str, index: int = 0, **how: Any) -> Statement:
        """Release one portion of an own report to one more nation, with a wrap of its key."""
        return self.says("report.release", self.consent_body(raw, to, index, **how))

    def takes_back(self, consent: Statement) -> Statement:
        """Take an own consent back."""
        body = sealing.fields(consent.body_bytes or b"")
        about = {name: body[name] for name in ("report", "portion", "to")}
        gone = {"release": consent.identity, "reason": "no longer"}
        return self.says("report.withdraw", {**about, **gone})

    def approval_body(
        self,
        raw: bytes,
        to: str,
        *rules: str,
        layer: str = "release",
        index: int = 0,
        **changes: Any,
    ) -> dict[str, Any]:
        """An officer's yes for these rules of an own layer, as its text stands, for an hour."""
        frame, text = report.parse(raw), self.layer_text(layer)
        portion = next(p for p in frame.portions if p.index == index)
        return {
            "verdict": "approve",
            "layer": layer,
            "report": frame.identity,
            "portion": portion.commitment,
            "to": to,
            "text": hashlib.sha256(text.encode()).hexdigest(),
            "rules": sorted(rules),
            "emergency": False,
            "reason": "",
            "expires": self.world.clock.now + 3_600,
            **changes,
        }

    def layer_text(self, layer: str) -> str:
        """The text of one of this nation's layers, or of the mission's."""
        policy, charter = self.state.policy, self.world.directory.founded
        texts = {"handle": charter.floor, "carry": charter.carry}
        if policy is not None:
            texts |= {"release": policy.release, "accept": policy.accept}
        return "\n".join(texts[layer])

    def approves(self, raw: bytes, to: str, *rules: str, **how: Any) -> Statement:
        """Sign a referred case: `by` are the officers, the other words change the body."""
        by = {"by": how.pop("by")} if "by" in how else {}
        return self.says("approval", self.approval_body(raw, to, *rules, **how), **by)

    def consent_body(self, raw: bytes, to: str, index: int = 0, **changes: Any) -> dict[str, Any]:
        """What releases one portion of an own report to one more nation."""
        frame = report.parse(raw)
        portion = next(p for p in frame.portions if p.index == index)
        fields = sealing.fields(frame.header_bytes)
        place = sealing.Place(self.code, fields["id"], index)
        record = next(r for r in portion.records if r.nation == self.code)
        seed = epoch_seed(self.code, record.epoch, record.level)
        content_key = sealing.content_key(portion, place, self.code, seed)
        key = self.world.directory.epoch_key(to, record.level, self.world.clock.now)
        bound = binding.portion_context(self.code, place.report_id, index, portion.label_bytes)
        info = binding.wrap_info(key.level, to, key.kid, bound)
        return {
            "report": frame.identity,
            "portion": portion.commitment,
            "to": to,
            "level": self.world.directory.founded.levels[key.level].token,
            "epoch": key.epoch,
            "kid": key.kid,
            "wrap": encode(seal_to(key.public, content_key, info)),
            "expires": self.world.clock.now + 30 * 86_400,
            **changes,
        }
