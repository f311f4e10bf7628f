"""Who must sign what: thresholds of unique keys, standing members, roots that have not expired."""

from typing import Any

import pytest

from tests import charter_words
from tests.appointing import appointed
from tests.coalition import Coalition
from tests.nation import Nation
from tests.people import root_keys
from tests.refusal import refused
from wire import statements
from wire.bodies import RULES
from wire.note_keys import ED25519_COSIGNATURE, Ed25519Signer
from wire.statements import Statement

SEEN = {"size": 1, "root": "aa" * 32}
OLD, NEW = (Ed25519Signer("ken.example/w", bytes([n]) * 32, ED25519_COSIGNATURE) for n in (1, 2))
BY_ROLE = ("member", "epoch", "policy", "release")


@pytest.fixture
def world() -> Coalition:
    named: Any = {"witnesses": (str(OLD.vkey),), "run_by": (("KEN", OLD.vkey.name),)}
    return Coalition.of("KEN", "GBR", "FRA", **named)


@pytest.fixture
def kenya(world: Coalition) -> Nation:
    return world["KEN"]


def body_of(nation: Nation, type_: str) -> dict[str, Any]:
    """An honest body of each type that a nation says."""
    raw = nation.seals(release_to="GBR")
    report, portion = "ab" * 32, "cd" * 32
    match type_:
        case "root.publish":
            return nation.drafts_root(2).body(RULES[type_].body).model_dump(mode="json")
        case "role.set":
            return {"role": "epoch", "kids": [nation.officer.kid], "threshold": 1}
        case "member.add":
            return nation.candidate("system2", "system")[1]
        case "member.revoke":
            return {"kid": nation.system.kid, "reason": "lost"}
        case "epoch.open":
            return nation.epoch_body()
        case "epoch.grant":
            return nation.grant_body(nation.analyst)
        case "policy.publish":
            return nation.policy_body()
        case "guarantee.publish":
            return {"version": 1, "guarantees": []}
        case "retention.set":
            return {"views": 30, "payloads": None}
        case "witness.set":
            return appointed(nation.code, nation.state.seq + 1, NEW)
        case "report.release":
            return nation.consent_body(raw, "FRA")
        case "report.withdraw":
            place = {"report": report, "portion": portion, "to": "FRA"}
            return {**place, "release": "ab" * 32, "reason": "no longer"}
        case "report.recall":
            return {"report": report, "reason": "wrong place"}
        case "recall.confirm":
            return {"report": report, "recall": "ab" * 32, "outcome": "destroyed"}
        case "report.complaint":
            return {"report": report, "code": "undecryptable"}
        case "approval":
            return nation.approval_body(raw, "FRA", f"{nation.code}/officer")
        case _:
            return SEEN


NATIONAL = [t for t, rule in RULES.items() if rule.signed_by != "quorum"]


@pytest.mark.slow
@pytest.mark.parametrize("type_", NATIONAL)
def test_every_type_is_taken_from_those_who_may_say_it(kenya: Nation, type_: str) -> None:
    if type_ == "root.publish":
        kenya.publishes_root(2)
    else:
        kenya.says(type_, body_of(kenya, type_))


@pytest.mark.slow
@pytest.mark.parametrize("type_", NATIONAL)
def test_no_type_is_taken_from_another_nation(world: Coalition, type_: str) -> None:
    kenya, britain = world["KEN"], world["GBR"]
    for keys in ([britain.officer.sign], world.root_signers(["GBR"])):
        with refused("unknown-signer"):
            kenya.says(type_, body_of(kenya, type_), by=keys)


@pytest.mark.slow
@pytest.mark.parametrize("type_", NATIONAL)
def test_no_type_is_taken_from_members_who_sign_nothing_for_others(
    kenya: Nation, type_: str
) -> None:
    for who in (kenya.analyst, kenya.auditor):
        with refused("unknown-signer"):
            kenya.says(type_, body_of(kenya, type_), by=[who.sign])


@pytest.mark.slow
@pytest.mark.parametrize("type_", [t for t in NATIONAL if RULES[t].signed_by in BY_ROLE])
def test_a_role_is_for_its_holders_and_not_for_other_members(kenya: Nation, type_: str) -> None:
    other, role = kenya.enlists("officer2", "officer"), RULES[type_].signed_by
    for who in (kenya.system, other):
        with refused("unknown-signer", f"without the role `{role}`, which {type_} takes"):
            kenya.says(type_, body_of(kenya, type_), by=[who.sign])


def test_a_role_that_was_delegated_is_no_longer_the_roots(world: Coalition) -> None:
    """Two ways to say one thing would be two doors to guard."""
    with refused("unknown-signer", "without the role `epoch`"):
        world["KEN"].says("epoch.open", world["KEN"].epoch_body(), by=world.root_signers(["KEN"]))


def test_a_role_that_was_not_delegated_stays_with_the_root() -> None:
    world = Coalition.of("KEN", people=False)
    officer = world["KEN"].enlists("officer")
    assert world.directory.nations["KEN"].roles == {}
    with refused("unknown-signer"):
        world["KEN"].says("epoch.open", world["KEN"].epoch_body(), by=[officer.sign])
    world["KEN"].opens_epoch()


def test_a_threshold_of_two_needs_two_different_officers(kenya: Nation) -> None:
    second = kenya.enlists("officer2", "officer")
    kenya.delegates("epoch", kenya.officer, second, threshold=2)
    for too_few in ([kenya.officer], [second], [second, second]):
        with refused("not-allowed", "1 of 2"):
            kenya.says("epoch.open", kenya.epoch_body(), by=[p.sign for p in too_few])
    kenya.says("epoch.open", kenya.epoch_body(), by=[second.sign, kenya.officer.sign])


def test_one_signature_too_many_is_one_that_should_not_be_there(kenya: Nation) -> None:
    """What strangers add is refused, not ignored: it would travel with the statement."""
    signers = [kenya.officer.sign, kenya.system.sign]
    with refused("unknown-signer"):
        kenya.says("epoch.open", kenya.epoch_body(), by=signers)


def with_signature(statement: Statement, kid: str, signature: bytes) -> Statement:
    signatures = {**statement.signatures, kid: signature}
    encoded = statements._encode(statement.head_bytes, statement.body_bytes or b"", signatures)
    return statements.parse(encoded)


def test_a_wrong_signature_is_an_error_even_beside_enough_right_ones(kenya: Nation) -> None:
    second = kenya.enlists("officer2", "officer")
    kenya.delegates("epoch", kenya.officer, second, threshold=1)
    honest = kenya.drafts("epoch.open", kenya.epoch_body())
    other = kenya.drafts("head.seen", SEEN, by=[second.sign])
    with refused("bad-signature"):
        kenya.world.applies(with_signature(honest, second.kid, other.signatures[second.kid]))


def test_the_roots_threshold_counts_its_own_keys(world: Coalition) -> None:
    role = {"role": "epoch", "kids": [world["KEN"].officer.kid], "threshold": 1}
    keys = root_keys("KEN", 1, 3)
    with refused("not-allowed", "1 of 2"):
        world["KEN"].says("role.set", role, by=keys[:1])
    world["KEN"].says("role.set", role, by=keys[1:])
    world["KEN"].says("role.set", role, by=keys)


def test_revoked_and_expired_officers_sign_nothing(world: Coalition) -> None:
    kenya = world["KEN"]
    kenya.delegates("epoch", kenya.officer, kenya.enlists("officer2", "officer"))
    kenya.delegates("release", kenya.officer, kenya.enlists("officer3", "officer", days=1))
    kenya.revokes(kenya.officer2)
    with refused("unknown-signer"):
        kenya.says("epoch.open", kenya.epoch_body(), by=[kenya.officer2.sign])
    recall = body_of(kenya, "report.recall")
    kenya.says("report.recall", recall, by=[kenya.officer3.sign])
    world.clock.forward(days=1)
    with refused("unknown-signer"):
        kenya.says("report.recall", recall, by=[kenya.officer3.sign])


def test_a_member_speaks_for_itself_alone(kenya: Nation) -> None:
    kenya.says("head.seen", SEEN, by=[kenya.system.sign])
    with refused("unknown-signer", "for itself"):
        kenya.says("head.seen", SEEN, by=[kenya.officer.sign, kenya.system.sign])
    kenya.revokes(kenya.system)
    with refused("unknown-signer"):
        kenya.says("head.seen", SEEN, by=[kenya.system.sign])
    forged = with_signature(kenya.drafts("head.seen", SEEN), kenya.officer.kid, b"forged")
    with refused("bad-signature"):
        kenya.world.applies(forged)


def test_after_its_root_expired_a_nation_can_only_renew_it(world: Coalition) -> None:
    kenya, fresh = world["KEN"], world.copy()["KEN"]
    root_until = kenya.state.root_expires
    world.clock.now = root_until - 1
    kenya.says("head.seen", SEEN, by=[kenya.system.sign])
    world.clock.now = root_until
    for type_ in NATIONAL:
        if type_ != "root.publish":
            with refused("root-expired", "KEN"):
                kenya.says(type_, body_of(fresh, type_))
    kenya.publishes_root(2)
    world.clock.now = root_until - 1
    kenya.says("head.seen", SEEN)


def test_the_mission_speaks_with_a_quorum_of_nations(world: Coalition) -> None:
    registry = {"registry": charter_words.registry(version=2)}
    assert world.directory.founded.admission_quorum == 2
    with refused("not-allowed", "1 of 2 nations"):
        world.together.says("registry.publish", registry, by=world.root_signers(["KEN"]))
    half = [*world.root_signers(["KEN"]), root_keys("GBR", 1, 3)[0]]
    with refused("not-allowed", "1 of 2 nations"):
        world.together.says("registry.publish", registry, by=half)
    with refused("unknown-signer", "no nation's root"):
        signers = [*world.root_signers(["KEN", "GBR"]), world["FRA"].officer.sign]
        world.together.says("registry.publish", registry, by=signers)
    world.together.says("registry.publish", registry, by=world.root_signers(["KEN", "FRA"]))


def test_a_nation_that_is_out_or_lapsed_does_not_count(world: Coalition) -> None:
    world.expels("FRA")
    registry = {"registry": charter_words.registry(version=2)}
    with refused("unknown-signer", "no nation's root"):
        world.together.says("registry.publish", registry, by=world.root_signers(["KEN", "FRA"]))
    world.clock.now = world["GBR"].state.root_expires - 1
    world["GBR"].publishes_root(2)
    world.clock.forward(seconds=1)
    with refused("unknown-signer", "no nation's root"):
        world.together.says("registry.publish", registry, by=world.root_signers(["KEN", "GBR"]))
    with refused("not-allowed", "1 of 2 nations"):
        world.together.says("registry.publish", registry, by=world.root_signers(["GBR"]))


def test_every_founding_nation_signs_the_charter() -> None:
    world = Coalition.of("KEN", "GBR", people=False)
    charter = world.history[2].statement
    (one,) = (k for k in root_keys("GBR", 1, 3)[:1])
    fewer = {k: s for k, s in charter.signatures.items() if k != one.public.kid}
    raw = statements._encode(charter.head_bytes, charter.body_bytes or b"", fewer)
    with refused("not-allowed", "1 of 2 nations"):
        again = Coalition("MINUSX", world.blank())
        for filed in world.history[:2]:
            again.applies(filed.statement)
        again.applies(statements.parse(raw))
