"""A preview from what an officer's own directory holds: own policy, guarantees, floor, mission."""

from collections.abc import Mapping
from dataclasses import dataclass

from policies.analyse import adoption
from policies.analyse.mission import Mission
from policies.analyse.preview import Preview, preview
from policies.decide import PolicyBook
from policies.schema import FLOOR_OWNER
from wire.bodies import PolicyPublish
from wire.directory import Directory


@dataclass(frozen=True)
class Foreseen:
    """What adopting would do. `repinned`: the reference data changed since the last signature, so
    the text that stands was held to the lower of old and new, and signing it again may release more
    than is shown here.
    """

    mission: Mission
    preview: Preview
    repinned: bool

    @property
    def needs_two(self) -> bool:
        """Whether the broker may ask for a second officer."""
        return self.preview.grows or self.repinned


def foresee(directory: Directory, nation: str, texts: Mapping[str, str], now: int) -> Foreseen:
    """What it would do to adopt these layers. Raises `Malformed` ("policy-refused")."""
    charter, state = directory.founded, directory.nation(nation)
    standing = state.policy
    book = PolicyBook.empty(directory.terms)
    book = book.with_layer("handle", FLOOR_OWNER, "\n".join(charter.floor))
    book = book.with_layer("carry", directory.mission, "\n".join(charter.carry))
    valid = standing is not None and standing.expires > now
    before = adoption.standing(layers(standing) if valid else {}, nation, book, None)
    for kind in adoption.LAYERS:
        book = book.with_layer(kind, nation, texts[kind])
    text = "" if state.guarantees is None else "\n".join(state.guarantees.guarantees)
    mission = Mission.of(book)
    kept = adoption.guarantees(book, nation, text)
    found = preview(mission, book, nation, before, kept)
    repinned = valid and standing is not None and standing.registry != directory.terms.digest
    return Foreseen(mission, found, repinned)


def layers(policy: PolicyPublish | None) -> Mapping[str, str]:
    """The texts of a signed policy."""
    if policy is None:
        return {}
    return {"release": "\n".join(policy.release), "accept": "\n".join(policy.accept)}
