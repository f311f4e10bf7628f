"""What each type of statement changes in the directory, one function a type.

A beginning authorises itself; an effect is called only after `wire.authority` agreed.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from wire import authority, bodies
from wire.composite import VerifyKey
from wire.directory import Directory
from wire.errors import Conflict, Malformed, NotAllowed
from wire.keys import SEAL_KEY, seal_kid
from wire.members import Delegation, Epoch, Member, NationState
from wire.statements import Statement
from wire.vocabulary import vocabulary

ROOT_LIFE: Final = 400 * 86_400  # seconds: a root is renewed yearly, with a month's grace
EPOCH_LIFE: Final = 14 * 86_400  # seconds: the answer to a frozen directory comes within two weeks


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


# -- the two beginnings authorise themselves


def _root_publish(step: Step) -> Directory:
    body, state = step.statement.body(bodies.RootPublish), step.state
    keys = _root_keys(body)
    if body.version != state.root_version + 1:
        raise Conflict("statement-conflict", "root versions go up by one")
    if state.admitted_root not in {None, step.statement.identity} and not state.root_version:
        raise Conflict("statement-conflict", "not the root that the admission names")
    if not step.time < body.expires <= step.time + ROOT_LIFE or body.threshold > len(keys):
        raise Malformed("bad-statement", "the root's expiry or threshold cannot be")
    everybody = {**state.root_keys, **keys}
    authority.need(step.statement, everybody, 1)
    signed = authority.valid_signatures(step.statement, everybody)
    if len(signed & keys.keys()) < body.threshold:
        raise NotAllowed("not-allowed", "the new root's own threshold did not sign")
    if state.root_version and len(signed & state.root_keys.keys()) < state.root_threshold:
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
    keys = {kid: VerifyKey(_bytes(raw)) for kid, raw in body.keys.items()}
    if any(key.kid != kid for kid, key in keys.items()):
        raise Malformed("bad-statement", "a key does not have the name it is given")
    return keys


def _charter(step: Step) -> Directory:
    directory, body = step.directory, step.statement.body(bodies.MissionCharter)
    if directory.charter is not None or step.statement.identity != directory.pinned_charter:
        raise Conflict("statement-conflict", "not the charter that is pinned")
    codes = tuple(n.code for n in body.nations)
    tokens = [level.token for level in body.levels]
    if len(set(codes)) != len(codes) or set(codes) != set(directory.nations):
        raise Malformed(
            "bad-statement", "the charter must name exactly the nations that stand here"
        )
    for nation in body.nations:
        state = directory.nations[nation.code]
        if state.seq != 0 or state.prev != nation.root or nation.clearance not in tokens:
            raise Malformed("bad-statement", f"{nation.code} does not stand as the charter says")
        accredited = replace(state, clearance=tokens.index(nation.clearance))
        directory = directory.with_nation(accredited)
    authority.need_nations(directory, step.statement, codes, len(codes), step.time)
    return replace(directory, charter=body, order=codes)


BEGINNINGS: Final[Mapping[str, Callable[[Step], Directory]]] = {
    "root.publish": _root_publish,
    "mission.charter": _charter,
}


# -- effects of authorised statements


def _registry(step: Step) -> Directory:
    registry = step.statement.body(bodies.RegistryPublish).registry
    directory = step.directory
    current = directory.vocabulary
    if registry.version != (1 if current is None else current.version + 1):
        raise Conflict("statement-conflict", "registry versions go up by one")
    levels = directory.founded.levels
    digest = step.statement.head.body
    terms = vocabulary(directory.mission, directory.order, levels, registry, digest)
    return replace(directory, vocabulary=terms)


def _admit(step: Step) -> Directory:
    nation, directory = step.statement.body(bodies.NationAdmit).nation, step.directory
    tokens = [level.token for level in directory.founded.levels]
    if nation.code in directory.nations:
        raise Conflict("statement-conflict", "already a nation of this mission")
    if nation.clearance not in tokens:
        raise Malformed("unknown-term", "the clearance is not a level of this mission")
    clearance = tokens.index(nation.clearance)
    state = NationState(nation.code, clearance=clearance, admitted_root=nation.root)
    directory = directory.with_nation(state)
    order = (*directory.order, nation.code)
    terms = replace(directory.terms, nations=order)
    return replace(directory, order=order, vocabulary=terms)


def _expel(step: Step) -> Directory:
    code = step.statement.body(bodies.NationExpel).code
    state = step.directory.nation(code)
    return step.directory.with_nation(replace(state, expelled=step.position))


def _role(step: Step) -> Directory:
    body = step.statement.body(bodies.RoleSet)
    members = [step.directory.members.get(kid) for kid in body.kids]
    ours = step.statement.head.nation
    if any(m is None or m.nation != ours or m.kind != "officer" for m in members):
        raise Malformed("bad-statement", "a role is held by officers of the nation")
    if body.threshold > len(body.kids):
        raise Malformed("bad-statement", "the threshold is larger than the role")
    delegation = Delegation(frozenset(body.kids), body.threshold)
    return step.directory.with_nation(step.state.with_role(body.role, delegation))


def _member_add(step: Step) -> Directory:
    body, head, directory = (
        step.statement.body(bodies.MemberAdd),
        step.statement.head,
        step.directory,
    )
    key = VerifyKey(_bytes(body.sign_key))
    if key.kid != body.kid or body.kid in directory.members:
        raise Malformed("bad-statement", "the key has another name, or is already a member's")
    if (body.kind in bodies.SIGNING_KINDS) != (head.scope == "mission"):
        raise Malformed("bad-statement", "who signs for others is shown to all, the rest to none")
    seal_key, request_key = _bytes(body.seal_key), _bytes(body.request_key)
    if len(seal_key) != SEAL_KEY or len(request_key) != 32:
        raise Malformed("bad-statement", "a key has the wrong length")
    clearance = directory.terms.level(body.clearance)
    if clearance > step.state.clearance or body.expires <= step.time:
        raise NotAllowed("not-allowed", "cleared above its nation, or expired before it begins")
    if not set(body.communities) <= directory.terms.communities.keys():
        raise Malformed("unknown-term", "a community is not in the registry")
    member = Member._make(
        kid=body.kid,
        nation=head.nation,
        kind=body.kind,
        clearance=clearance,
        communities=frozenset(body.communities),
        verify_key=key,
        seal_key=seal_key,
        request_key=request_key,
        expires=body.expires,
        added=step.position,
    )
    return directory.with_member(member)


def _member_revoke(step: Step) -> Directory:
    kid = step.statement.body(bodies.MemberRevoke).kid
    member = step.directory.members.get(kid)
    if member is None or member.nation != step.statement.head.nation or member.revoked is not None:
        raise Conflict("statement-conflict", "no such member, or revoked already")
    if member.signs != (step.statement.head.scope == "mission"):
        raise Malformed("bad-statement", "all must see the end of a key that all could see")
    fields = {f: getattr(member, f) for f in Member.__dataclass_fields__}
    return step.directory.with_member(Member._make(**{**fields, "revoked": step.position}))


def _epoch_open(step: Step) -> Directory:
    body, state = step.statement.body(bodies.EpochOpen), step.state
    keys = tuple(_bytes(key) for key in body.keys)
    current = state.current_epoch
    if body.epoch != (current.epoch if current else 0) + 1:
        raise Conflict("statement-conflict", "epochs go up by one")
    if any(len(key) != SEAL_KEY for key in keys) or len(keys) != state.clearance + 1:
        raise Malformed("bad-statement", "one key for each level the nation is accredited to")
    if not body.opens < body.expires <= body.opens + EPOCH_LIFE or body.expires <= step.time:
        raise Malformed("bad-statement", f"an epoch lasts at most {EPOCH_LIFE} seconds")
    kids = tuple(seal_kid(key) for key in keys)
    epoch = Epoch(body.epoch, keys, kids, body.opens, body.expires, step.position)
    return step.directory.with_nation(state.with_epoch(epoch))


def _epoch_grant(step: Step) -> Directory:
    body = step.statement.body(bodies.EpochGrant)
    member = step.directory.members.get(body.member)
    if member is None or member.nation != step.statement.head.nation or member.revoked is not None:
        raise Conflict("statement-conflict", "a grant is for a member that stands")
    if step.directory.terms.level(body.level) > member.clearance:
        raise NotAllowed("not-allowed", "a grant above the member's clearance")
    if body.epoch not in step.state.epochs:
        raise Conflict("statement-conflict", "no such epoch")
    return step.directory


def _policy(step: Step) -> Directory:
    body, state = step.statement.body(bodies.PolicyPublish), step.state
    if body.version != (state.policy.version if state.policy else 0) + 1:
        raise Conflict("policy-rollback", "policy versions go up by one")
    identity = step.statement.identity
    return step.directory.with_nation(replace(state, policy=body, policy_identity=identity))


EFFECTS: Final[Mapping[str, Callable[[Step], Directory]]] = {
    "registry.publish": _registry,
    "nation.admit": _admit,
    "nation.expel": _expel,
    "role.set": _role,
    "member.add": _member_add,
    "member.revoke": _member_revoke,
    "epoch.open": _epoch_open,
    "epoch.grant": _epoch_grant,
    "policy.publish": _policy,
}


def _bytes(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed("bad-statement", "not base64") from error
    if base64.b64encode(raw).decode() != text:
        raise Malformed("bad-statement", "not canonical base64")
    return raw
