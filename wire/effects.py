"""What each type of statement changes in the directory, one function a type, and the table of them.

An effect is called only after `wire.authority` agreed; the two beginnings authorise themselves.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from wire import bodies, continuing, founding
from wire.composite import VerifyKey
from wire.directory import Directory
from wire.errors import Conflict, Malformed, NotAllowed
from wire.founding import Step, key_bytes
from wire.keys import GRANT, WRAP, check_seal_key, seal_kid
from wire.members import Delegation, Epoch, Member
from wire.retention import Order

ED25519_KEY: Final = 32  # bytes
APPROVAL_LIFE: Final = 30 * 86_400  # seconds; who still agrees after a month says so again
EMERGENCY_LIFE: Final = 86_400  # seconds: an emergency is over, or is reviewed, within a day
EPOCH_LIFE: Final = 14 * 86_400  # seconds: the answer to a frozen directory comes within two weeks


def _role(step: Step) -> Directory:
    body = step.statement.body(bodies.RoleSet)
    members = [step.directory.members.get(kid) for kid in body.kids]
    ours = step.statement.head.nation
    officers = [m for m in members if m and m.nation == ours and m.kind == "officer"]
    if len(officers) < len(members):
        raise Malformed("bad-statement", "a role is held by officers of the nation")
    if not all(m.valid_at(step.position, step.time) for m in officers):
        raise Malformed("bad-statement", "a role is held by officers that stand")
    if body.threshold > len(body.kids):
        raise Malformed("bad-statement", "the threshold is larger than the role")
    for other in bodies.APART - {body.role} if body.role in bodies.APART else ():
        held = step.state.roles.get(other)
        if held is not None and not held.kids.isdisjoint(body.kids):
            raise NotAllowed("not-allowed", f"nobody holds both {body.role} and {other}")
    delegation = Delegation(frozenset(body.kids), body.threshold)
    return step.directory.with_nation(step.state.with_role(body.role, delegation))


def _member_add(step: Step) -> Directory:
    body, directory = step.statement.body(bodies.MemberAdd), step.directory
    head = step.statement.head
    key = VerifyKey(key_bytes(body.sign_key))
    if key.kid != body.kid or body.kid in directory.members:
        raise Malformed("bad-statement", "the key has another name, or is already a member's")
    if (body.kind in bodies.SIGNING_KINDS) != (head.scope == "mission"):
        raise Malformed("bad-statement", "who signs for others is shown to all, the rest to none")
    seal_key, request_key = key_bytes(body.seal_key), key_bytes(body.request_key)
    check_seal_key(seal_key)
    if len(request_key) != ED25519_KEY:
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
    return step.directory.with_member(member.ended(step.position))


def _epoch_open(step: Step) -> Directory:
    body, state = step.statement.body(bodies.EpochOpen), step.state
    keys = tuple(key_bytes(key) for key in body.keys)
    if body.epoch != state.newest_epoch + 1:
        raise Conflict("statement-conflict", "epochs go up by one")
    if len(keys) != state.clearance + 1:
        raise Malformed("bad-statement", "one key for each level the nation is accredited to")
    for key in keys:
        check_seal_key(key)
    if not body.opens < body.expires <= body.opens + EPOCH_LIFE or body.expires <= step.time:
        raise Malformed("bad-statement", f"an epoch lasts at most {EPOCH_LIFE} seconds")
    if body.opens > step.time + EPOCH_LIFE:  # or a frozen directory would hold fresh keys for years
        raise Malformed("bad-statement", "an epoch is announced too long before it opens")
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
    if len(key_bytes(body.wrap)) != GRANT:
        raise Malformed("bad-statement", "a wrapped seed has the wrong length")
    return step.directory


def _policy(step: Step) -> Directory:
    body, state = step.statement.body(bodies.PolicyPublish), step.state
    if body.version != (state.policy.version if state.policy else 0) + 1:
        raise Conflict("policy-rollback", "policy versions go up by one")
    if body.expires <= step.time:
        raise Malformed("bad-statement", "the policy expired before it began")
    identity = step.statement.identity
    return step.directory.with_nation(replace(state, policy=body, policy_identity=identity))


def _guarantee(step: Step) -> Directory:
    body, state = step.statement.body(bodies.GuaranteePublish), step.state
    if body.version != (state.guarantees.version if state.guarantees else 0) + 1:
        raise Conflict("policy-rollback", "guarantee versions go up by one")
    return step.directory.with_nation(replace(state, guarantees=body))


def _retention(step: Step) -> Directory:
    body, floor = step.statement.body(bodies.RetentionSet), step.directory.founded.retention_floor
    if floor is None:
        raise NotAllowed("not-allowed", "the charter names no retention floor: nothing is erased")
    if body.views is not None and body.views < floor:
        raise Malformed("bad-statement", f"views are kept for {floor} days at least")
    order = Order(step.statement.identity, step.position, step.time, body.views, body.payloads)
    orders = (*step.state.retention, order)
    return step.directory.with_nation(replace(step.state, retention=orders))


def _witness(step: Step) -> Directory:
    body, directory = step.statement.body(bodies.WitnessSet), step.directory
    witnesses = directory.witnesses.replaced(step.statement.head, body, step.position)
    return replace(directory, witnesses=witnesses)


def _report_release(step: Step) -> Directory:
    body, directory = step.statement.body(bodies.ReportRelease), step.directory
    level = directory.terms.level(body.level)
    epoch = directory.nation(body.to).epochs.get(body.epoch)
    if len(key_bytes(body.wrap)) != WRAP:
        raise Malformed("bad-statement", "a wrap has the wrong length")
    if epoch is None or body.kid not in epoch.kids[level : level + 1]:
        raise Conflict("stale-epoch", f"{body.to} has no such key")
    if body.expires <= step.time:
        raise Malformed("bad-statement", "the consent expired before it began")
    return directory


def _recall_confirm(step: Step) -> Directory:
    body = step.statement.body(bodies.RecallConfirm)
    if (body.outcome == "retained") != bool(body.basis):
        raise Malformed("bad-statement", "what is retained has a legal basis, and nothing else has")
    return step.directory


def _approval(step: Step) -> Directory:
    body = step.statement.body(bodies.Approval)
    life = EMERGENCY_LIFE if body.emergency else APPROVAL_LIFE
    if not step.time < body.expires <= step.time + life:
        raise Malformed("bad-statement", f"an approval lasts at most {life} seconds")
    if not body.reason and (body.emergency or body.verdict == "reject"):
        raise Malformed("bad-statement", "a rejection, or an emergency, gives its reason")
    if body.emergency and body.verdict == "reject":
        raise Malformed("bad-statement", "nothing is rejected as an emergency")
    return step.directory


def _nothing(step: Step) -> Directory:
    """The body is well formed; it changes nobody's keys."""
    step.statement.body(bodies.RULES[step.statement.head.type].body)
    return step.directory


BEGINNINGS: Final[Mapping[str, Callable[[Step], Directory]]] = {
    "root.publish": founding.root_publish,
    "mission.charter": founding.charter,
}

EFFECTS: Final[Mapping[str, Callable[[Step], Directory]]] = {
    "registry.publish": founding.registry,
    "nation.admit": founding.admit,
    "nation.expel": founding.expel,
    "mission.continue": continuing.go_on,
    "role.set": _role,
    "member.add": _member_add,
    "member.revoke": _member_revoke,
    "epoch.open": _epoch_open,
    "epoch.grant": _epoch_grant,
    "policy.publish": _policy,
    "guarantee.publish": _guarantee,
    "retention.set": _retention,
    "witness.set": _witness,
    "report.release": _report_release,
    "report.withdraw": _nothing,
    "report.recall": _nothing,
    "recall.confirm": _recall_confirm,
    "report.complaint": _nothing,
    "approval": _approval,
    "head.seen": _nothing,
}
