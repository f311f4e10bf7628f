"""What the statements change that found a mission and its nations.

A root and a charter begin a chain, so they authorise themselves; the rest are effects that are
called only after `wire.authority` agreed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from wire import authority, base64_strict, bodies
from wire.composite import VerifyKey
from wire.directory import Directory
from wire.errors import Conflict, Malformed, NotAllowed
from wire.members import NationState
from wire.note_keys import VKey
from wire.statements import Statement
from wire.vocabulary import vocabulary
from wire.witness_keys import Witnesses

ROOT_LIFE: Final = 400 * 86_400  # seconds: a root is renewed yearly, with a month's grace


@dataclass(frozen=True)
class Step:
    """One statement at its place: what an effect works on."""

    directory: Directory
    statement: Statement
    position: int
    time: int

    @property
    def state(self) -> NationState:
        """The nation whose chain it is."""
        return self.directory.nations[self.statement.head.nation]


def key_bytes(text: str) -> bytes:
    """The bytes behind a statement's base64. Raises `Malformed` ("bad-statement")."""
    return base64_strict.decode(text, "bad-statement")


def root_publish(step: Step) -> Directory:
    """A nation's first root, or its next one. Raises `Malformed`, `Conflict` or `NotAllowed`."""
    body, state = step.statement.body(bodies.RootPublish), step.state
    keys = _root_keys(body)
    if body.version != state.root_version + 1:
        raise Conflict("statement-conflict", "root versions go up by one")
    if state.admitted_root not in {None, step.statement.identity} and not state.root_version:
        raise Conflict("statement-conflict", "not the root that the admission names")
    if not step.time < body.expires <= step.time + ROOT_LIFE or body.threshold > len(keys):
        raise Malformed("bad-statement", "the root's expiry or threshold cannot be")
    # The old root may have expired: a nation that forgot is renewed by those who could act for it.
    signed = authority.need(step.statement, {**state.root_keys, **keys}, 1)
    if len(signed & keys.keys()) < body.threshold:
        raise NotAllowed("not-allowed", "the new root's own threshold did not sign")
    if len(signed & state.root_keys.keys()) < state.root_threshold:  # 0 before the first root
        raise NotAllowed("not-allowed", "the old root's threshold did not sign")
    return step.directory.with_nation(
        replace(
            state,
            root_version=body.version,
            root_keys=keys,
            root_threshold=body.threshold,
            root_expires=body.expires,
        )
    )


def _root_keys(body: bodies.RootPublish) -> Mapping[str, VerifyKey]:
    keys = {kid: VerifyKey(key_bytes(raw)) for kid, raw in body.keys.items()}
    if any(key.kid != kid for kid, key in keys.items()):
        raise Malformed("bad-statement", "a key does not have the name it is given")
    return keys


def charter(step: Step) -> Directory:
    """The mission is founded, by every nation that stands here.

    Raises `Malformed`, `NotAllowed` or `Conflict`.
    """
    directory, body = step.directory, step.statement.body(bodies.MissionCharter)
    if step.statement.identity != directory.pinned_charter:
        raise Conflict("statement-conflict", "not the charter that is pinned")
    codes = tuple(n.code for n in body.nations)
    tokens = [level.token for level in body.levels]
    if len(set(codes)) != len(codes) or set(codes) != set(directory.nations):
        raise Malformed("bad-statement", "the charter must name exactly the nations standing here")
    if len(set(tokens)) != len(tokens) or body.admission_quorum > len(codes):
        raise Malformed("bad-statement", "a level stands twice, or the quorum cannot be met")
    for nation in body.nations:
        state = directory.nations[nation.code]
        if state.seq != 0 or state.prev != nation.root or nation.clearance not in tokens:
            raise Malformed("bad-statement", f"{nation.code} does not stand as the charter says")
        accredited = replace(state, clearance=tokens.index(nation.clearance))
        directory = directory.with_nation(accredited)
    for key in body.log_keys:
        VKey.parse(key)  # a log that nobody can check would be found out too late
    witnesses = Witnesses.of(body)
    authority.need_nations(directory, step.statement, codes, len(codes), step.time)
    return replace(directory, charter=body, order=codes, witnesses=witnesses)


def registry(step: Step) -> Directory:
    """The next version of the reference data. Raises `Malformed`, `NotAllowed` or `Conflict`."""
    reference = step.statement.body(bodies.RegistryPublish).registry
    directory = step.directory
    current = directory.vocabulary
    if reference.version != (1 if current is None else current.version + 1):
        raise Conflict("statement-conflict", "registry versions go up by one")
    levels = directory.founded.levels
    digest = step.statement.head.body
    terms = vocabulary(directory.mission, directory.order, levels, reference, digest)
    return replace(directory, vocabulary=terms)


def admit(step: Step) -> Directory:
    """A nation joins. Raises `Malformed`, `NotAllowed` or `Conflict`."""
    nation, directory = step.statement.body(bodies.NationAdmit).nation, step.directory
    tokens = [level.token for level in directory.founded.levels]
    if nation.code in directory.nations:
        raise Conflict("statement-conflict", "already a nation of this mission")
    if nation.clearance not in tokens:
        raise Malformed("unknown-term", "the clearance is not a level of this mission")
    if nation.witness is not None:
        raise Malformed(
            "bad-statement", "witnesses are those of the charter: its quorum counts them"
        )
    clearance = tokens.index(nation.clearance)
    state = NationState(nation.code, clearance=clearance, admitted_root=nation.root)
    directory = directory.with_nation(state)
    order = (*directory.order, nation.code)
    terms = replace(directory.terms, nations=order)
    return replace(directory, order=order, vocabulary=terms)


def expel(step: Step) -> Directory:
    """A nation leaves. Raises `Malformed`, `NotAllowed` or `Conflict`."""
    code = step.statement.body(bodies.NationExpel).code
    state = step.directory.nation(code)
    return step.directory.with_nation(replace(state, expelled=step.position))
