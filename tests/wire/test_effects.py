"""What each type of statement may change, and every way in which it may not."""

import dataclasses
from typing import Any, get_args

import pytest

from tests.coalition import DAY, Coalition
from tests.nation import Nation
from tests.people import member_keys, random_of, root_keys
from tests.refusal import refused
from wire.base64_strict import encode
from wire.bodies import RULES, SIGNING_KINDS, Kind
from wire.erasures import Orders
from wire.keys import ML_KEM_KEY, SEAL_KEY
from wire.made import OnlyByMaker
from wire.members import Member

YEAR = 400 * DAY


@pytest.fixture
def kenya() -> Nation:
    return Coalition.of("KEN", "GBR", clearance={"GBR": "TOP SECRET"})["KEN"]


# -- roots


def root_body(kenya: Nation, **changes: Any) -> dict[str, Any]:
    draft = kenya.drafts_root(2)
    return {**draft.body(type_of(draft)).model_dump(mode="json"), **changes}


def type_of(draft: Any) -> Any:

    return RULES[draft.head.type].body


def test_root_versions_go_up_by_one(kenya: Nation) -> None:
    for version in (1, 3):
        with refused("statement-conflict", "root versions"):
            kenya.publishes_root(version)


@pytest.mark.parametrize(("seconds", "threshold"), [(0, 2), (YEAR + 1, 2), (DAY, 4)])
def test_a_root_lasts_a_year_and_its_threshold_can_be_met(
    kenya: Nation, seconds: int, threshold: int
) -> None:
    body = root_body(kenya, expires=kenya.world.clock.now + seconds, threshold=threshold)
    with refused("bad-statement", "expiry or threshold"):
        kenya.says("root.publish", body)
    kenya.says(
        "root.publish",
        root_body(kenya, expires=kenya.world.clock.now + YEAR, threshold=3),
        by=[*root_keys("KEN", 1, 3), *root_keys("KEN", 2, 3)],
    )


def test_a_new_root_is_signed_by_the_old_threshold_and_by_its_own(kenya: Nation) -> None:
    """Expect refusal: a thief of the old root alone, or of new keys alone, renews nothing."""
    old, new = root_keys("KEN", 1, 3), root_keys("KEN", 2, 3)
    with refused("not-allowed", "new root's own threshold"):
        kenya.says("root.publish", root_body(kenya), by=[*old[:2], new[0]])
    with refused("not-allowed", "old root's threshold"):
        kenya.says("root.publish", root_body(kenya), by=[old[0], *new[:2]])
    kenya.says("root.publish", root_body(kenya), by=[*old[:2], *new[:2]])


def test_a_root_key_has_its_own_name(kenya: Nation) -> None:
    body = root_body(kenya)
    keys = dict(zip(body["keys"], reversed(body["keys"].values()), strict=True))
    with refused("bad-statement", "name it is given"):
        kenya.says("root.publish", {**body, "keys": keys})
    with refused("bad-signature", "public key"):
        kenya.says("root.publish", {**body, "keys": {"00" * 16: encode(b"no key")}})


# -- roles and members


def test_roles_are_held_by_officers_of_the_nation_that_stand(kenya: Nation) -> None:
    for person in (kenya.system, kenya.analyst, kenya.world["GBR"].officer):
        with refused("bad-statement", "officers of the nation"):
            kenya.delegates("epoch", person)
    gone, short = kenya.enlists("officer2", "officer"), kenya.enlists("officer3", "officer", days=1)
    kenya.revokes(gone)
    kenya.world.clock.forward(days=1)
    for person in (gone, short):
        with refused("bad-statement", "that stand"):
            kenya.delegates("epoch", kenya.officer, person)


def test_a_role_has_no_more_signatures_than_holders(kenya: Nation) -> None:
    with refused("bad-statement", "threshold"):
        kenya.delegates("epoch", kenya.officer, threshold=2)


def member(kenya: Nation, kind: Any = "system", **changes: Any) -> dict[str, Any]:
    return {**kenya.candidate("newcomer", kind)[1], **changes}


def test_a_member_key_has_its_own_name_and_one_owner(kenya: Nation) -> None:
    with refused("bad-statement", "another name"):
        kenya.says("member.add", member(kenya, kid="00" * 16))
    kenya.says("member.add", member(kenya))
    with refused("bad-statement", "already a member's"):
        kenya.says("member.add", member(kenya))


def test_who_signs_for_others_is_shown_to_all_and_the_rest_to_none(kenya: Nation) -> None:
    """A nation's roster is its own; a signer that others cannot see would be no signer."""
    for kind in ("system", "officer"):
        with refused("bad-statement", "shown to all"):
            kenya.says("member.add", member(kenya, kind), scope="nation")
    for kind in sorted(set(get_args(Kind)) - SIGNING_KINDS):
        with refused("bad-statement", "shown to all"):
            kenya.says("member.add", member(kenya, kind), scope="mission")
        kenya.says("member.add", kenya.candidate(f"new {kind}", kind)[1])


GOOD = member_keys("KEN", "newcomer").card.seal_key
NO_SEAL_KEYS = {
    "empty": b"",
    "short": GOOD[:-1],
    "long": GOOD + b"\0",
    "coefficients beyond q": b"\xff" * ML_KEM_KEY + GOOD[ML_KEM_KEY:],
    "off the curve": GOOD[:-1] + bytes([GOOD[-1] ^ 1]),
    "no point": GOOD[:ML_KEM_KEY] + bytes(97),
    "compressed point": GOOD[:ML_KEM_KEY] + bytes([2 + GOOD[-1] % 2]) + GOOD[-96:-48],
}


@pytest.mark.parametrize("bad", NO_SEAL_KEYS.values(), ids=NO_SEAL_KEYS)
def test_nobody_publishes_a_key_to_which_nothing_can_be_sealed(kenya: Nation, bad: bytes) -> None:
    """One nation's broken key would stop every author who writes to it."""
    assert len(GOOD) == SEAL_KEY
    with refused("bad-statement", "encryption key"):
        kenya.says("member.add", member(kenya, seal_key=encode(bad)))
    body = kenya.epoch_body()
    with refused("bad-statement", "encryption key"):
        kenya.says("epoch.open", {**body, "keys": [*body["keys"][:-1], encode(bad)]})


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33)])
def test_a_request_key_has_32_bytes(kenya: Nation, key: bytes) -> None:
    with refused("bad-statement", "wrong length"):
        kenya.says("member.add", member(kenya, request_key=encode(key)))


@pytest.mark.parametrize("text", ["YQ", "YR==", "YQ=", "=", "YWI"])
def test_keys_are_written_in_the_one_spelling_of_base64(kenya: Nation, text: str) -> None:
    with refused("bad-statement", "base64"):
        kenya.says("member.add", member(kenya, request_key=text))


def test_a_member_is_cleared_no_higher_than_its_nation(kenya: Nation) -> None:
    with refused("not-allowed", "above its nation"):
        kenya.enlists("system2", "system", clearance="TOP SECRET")
    with refused("unknown-term"):
        kenya.enlists("system2", "system", clearance="COSMIC")
    kenya.world["GBR"].enlists("system2", "system", clearance="TOP SECRET")


def test_a_member_begins_before_it_ends(kenya: Nation) -> None:
    with refused("not-allowed", "expired before"):
        kenya.enlists("system2", "system", days=0)


def test_communities_of_a_member_are_in_the_registry(kenya: Nation) -> None:
    known = sorted(kenya.world.directory.terms.communities)
    kenya.enlists("system2", "system", communities=known)
    with refused("unknown-term", "community"):
        kenya.enlists("system3", "system", communities=["FLAT EARTH"])


def test_a_revocation_counts_from_its_position_on(kenya: Nation) -> None:
    directory, time = kenya.world.directory, kenya.world.clock.now
    position = kenya.world.position
    kenya.revokes(kenya.system)
    after = kenya.world.directory
    assert after.members[kenya.system.kid].revoked == position
    assert after.member(kenya.system.kid, position - 1, time).kid == kenya.system.kid
    for at in (position, position + 1):
        with refused("unknown-signer"):
            after.member(kenya.system.kid, at, time)
    directory.member(kenya.system.kid, position, time)


def test_a_member_counts_from_the_entry_after_its_own(kenya: Nation) -> None:
    kenya.enlists("system2", "system")
    member_ = kenya.world.directory.members[kenya.system2.kid]
    assert not member_.valid_at(member_.added, kenya.world.clock.now)
    assert member_.valid_at(member_.added + 1, member_.expires - 1)
    assert not member_.valid_at(member_.added + 1, member_.expires)


def test_only_a_standing_member_of_the_nation_is_revoked_and_once(kenya: Nation) -> None:
    with refused("statement-conflict", "no such member"):
        kenya.says("member.revoke", {"kid": "00" * 16, "reason": "?"})
    with refused("statement-conflict", "no such member"):
        kenya.revokes(kenya.world["GBR"].system)
    kenya.revokes(kenya.system)
    with refused("statement-conflict", "revoked already"):
        kenya.revokes(kenya.system)
    kenya.revokes(kenya.analyst)
    with refused("bad-statement", "already a member's"):
        kenya.enlists("system")


def test_nobody_makes_a_member_but_the_directory(kenya: Nation) -> None:

    real = kenya.world.directory.members[kenya.system.kid]
    assert type(Member) is OnlyByMaker
    with pytest.raises(TypeError, match="proof of a check"):
        Member(kid=real.kid)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="proof of a check"):
        dataclasses.replace(real, nation="GBR")
    with pytest.raises(dataclasses.FrozenInstanceError):
        real.nation = "GBR"  # type: ignore[misc]


def test_a_members_request_key_verifies_its_requests(kenya: Nation) -> None:
    real = kenya.world.directory.members[kenya.system.kid]
    real.request_verifier.verify(kenya.system.keys.request.sign(b"GET"), b"GET")


# -- epochs, grants, policies, consents


def epoch(kenya: Nation, **changes: Any) -> dict[str, Any]:
    return {**kenya.epoch_body(), **changes}


def test_epochs_go_up_by_one_with_a_key_for_each_level(kenya: Nation) -> None:
    for number in (1, 3):
        with refused("statement-conflict", "epochs"):
            kenya.says("epoch.open", epoch(kenya, epoch=number))
    keys = kenya.epoch_body()["keys"]
    for wrong in (keys[:-1], [*keys, keys[0]]):
        with refused("bad-statement", "each level"):
            kenya.says("epoch.open", epoch(kenya, keys=wrong))
    kenya.opens_epoch(days=14)
    assert kenya.state.newest_epoch == 2


@pytest.mark.parametrize(
    ("opens", "expires"),
    [(0, 0), (0, -1), (0, 14 * DAY + 1), (-2 * DAY, 0), (14 * DAY + 1, 15 * DAY)],
    ids=["empty", "backwards", "too long", "over already", "too far ahead"],
)
def test_an_epoch_is_short_and_near(kenya: Nation, opens: int, expires: int) -> None:
    """A client that is shown an old directory notices within two weeks: it has no fresh key."""
    now = kenya.world.clock.now
    with refused("bad-statement", "epoch"):
        kenya.says("epoch.open", epoch(kenya, opens=now + opens, expires=now + expires))


def test_an_epoch_may_be_announced_up_to_two_weeks_ahead(kenya: Nation) -> None:
    opens = kenya.world.clock.now + 14 * DAY
    kenya.says("epoch.open", epoch(kenya, opens=opens, expires=opens + 14 * DAY))


def test_a_grant_is_for_a_standing_member_of_the_nation_and_a_known_epoch(kenya: Nation) -> None:
    for person in (kenya.world["GBR"].analyst, kenya.enlists("analyst2", "analyst")):
        kenya.world.directory.members[person.kid]
        if person.nation == "KEN":
            kenya.revokes(person)
        with refused("statement-conflict", "member that stands"):
            kenya.grants(person)
    body = kenya.grant_body(kenya.analyst)
    with refused("statement-conflict", "member that stands"):
        kenya.says("epoch.grant", {**body, "member": "00" * 16})
    with refused("statement-conflict", "no such epoch"):
        kenya.says("epoch.grant", {**body, "epoch": 2})
    with refused("bad-statement", "wrong length"):
        kenya.says("epoch.grant", {**body, "wrap": body["wrap"][4:]})


def test_a_grant_is_at_most_of_the_members_clearance(kenya: Nation) -> None:
    low = kenya.enlists("low", "analyst", clearance="RESTRICTED")
    with refused("not-allowed", "above the member's clearance"):
        kenya.says("epoch.grant", kenya.grant_body(low, level="SECRET"))
    kenya.grants(low)


def test_the_end_of_a_key_that_all_could_see_is_seen_by_all(kenya: Nation) -> None:
    """Expect refusal: others would go on believing a signer that was revoked in private."""
    for person, scope in ((kenya.system, "nation"), (kenya.analyst, "mission")):
        with refused("bad-statement", "all must see the end"):
            kenya.revokes(person, scope=scope)
        kenya.revokes(person)


def test_policy_versions_go_up_by_one_and_policies_last(kenya: Nation) -> None:
    for version in (1, 3):
        with refused("policy-rollback"):
            kenya.says("policy.publish", {**kenya.policy_body(), "version": version})
    with refused("bad-statement", "expired"):
        expires = kenya.world.clock.now
        kenya.says("policy.publish", {**kenya.policy_body(), "expires": expires})
    statement = kenya.adopts(release="permit (principal, action, resource);")
    assert kenya.state.policy_identity == statement.identity
    assert kenya.state.policy
    assert kenya.state.policy.version == 2


def test_a_consent_wraps_to_a_key_that_the_nation_published() -> None:
    world = Coalition.of("KEN", "GBR", "FRA")
    kenya = world["KEN"]
    body = kenya.consent_body(kenya.seals(release_to="GBR"), "FRA")
    for changes in ({"epoch": 2}, {"kid": "00" * 16}, {"level": "RESTRICTED"}):
        with refused("stale-epoch", "FRA has no such key"):
            kenya.says("report.release", {**body, **changes})
    with refused("stale-epoch"):
        kenya.says("report.release", {**body, "level": "TOP SECRET"})
    with refused("bad-statement", "wrong length"):
        kenya.says("report.release", {**body, "wrap": encode(random_of("wrap")(1_712))})
    with refused("unknown-signer", "not a nation"):
        kenya.says("report.release", {**body, "to": "SEN"})
    with refused("unknown-term"):
        kenya.says("report.release", {**body, "level": "COSMIC"})
    kenya.says("report.release", body)


def test_a_recall_is_confirmed_with_a_legal_basis_where_one_is_needed_and_only_there() -> None:
    world = Coalition.of("KEN", "GBR", "FRA")
    britain = world["GBR"]
    body = {"report": "ab" * 32, "recall": "cd" * 32}
    wrong = ({"outcome": "retained"}, {"outcome": "destroyed", "basis": "Archives Act"})
    for words in (*wrong, {"outcome": "retained", "basis": ""}):
        with refused("bad-statement", "legal basis"):
            britain.says("recall.confirm", {**body, **words})
    britain.says("recall.confirm", {**body, "outcome": "retained", "basis": "Archives Act"})
    britain.says("recall.confirm", {**body, "outcome": "never-opened"})


def test_a_consent_ends_later_than_it_begins() -> None:
    world = Coalition.of("KEN", "GBR", "FRA")
    kenya = world["KEN"]
    body = kenya.consent_body(kenya.seals(release_to="GBR"), "FRA")
    with refused("bad-statement", "expired before it began"):
        kenya.says("report.release", {**body, "expires": world.clock.now})


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"expires": 0}, "lasts at most"),
        ({"expires": 31 * DAY}, "lasts at most"),
        ({"verdict": "reject"}, "gives its reason"),
        ({"emergency": True}, "gives its reason"),
        ({"verdict": "reject", "emergency": True, "reason": "no"}, "nothing is rejected"),
    ],
)
def test_an_approval_is_short_and_says_what_it_must(
    kenya: Nation, changes: dict[str, Any], detail: str
) -> None:
    now, raw = kenya.world.clock.now, kenya.seals(release_to="GBR")
    life = changes.get("expires", 3_600)
    body = kenya.approval_body(raw, "GBR", **{**changes, "expires": now + life})
    with refused("bad-statement", detail):
        kenya.says("approval", body)
    kenya.approves(raw, "GBR")


def test_guarantees_have_versions_and_officers_of_their_own(kenya: Nation) -> None:
    kenya.enlists("deputy", "officer")
    kenya.delegates("guarantee", kenya.deputy)
    with refused("not-allowed", "nobody holds both"):
        kenya.delegates("policy", kenya.deputy)
    kenya.delegates("policy", kenya.officer)
    by = [kenya.deputy.sign]
    with refused("policy-rollback", "guarantee versions"):
        kenya.says("guarantee.publish", {"version": 2, "guarantees": []}, by=by)
    kenya.says("guarantee.publish", {"version": 1, "guarantees": []}, by=by)
    kenya.says("guarantee.publish", {"version": 2, "guarantees": []}, by=by)


# -- retention


def test_a_root_orders_how_long_what_is_its_nations_own_is_kept() -> None:
    world = Coalition.of("KEN", "GBR")
    first = world["KEN"].says("retention.set", {"views": 30, "payloads": 1})
    second = world["KEN"].says("retention.set", {"views": None, "payloads": None})
    orders = Orders.of(world.directory)
    assert orders.floor == 30
    assert [order.statement for order in orders.by["KEN"]] == [first.identity, second.identity]
    assert [(order.views, order.payloads) for order in orders.by["KEN"]] == [(30, 1), (None, None)]
    assert orders.by["GBR"] == ()


def test_nobody_keeps_views_for_less_than_the_floor() -> None:
    """Expect refusal."""
    kenya = Coalition.of("KEN", "GBR")["KEN"]
    with refused("bad-statement", "30 days at least"):
        kenya.says("retention.set", {"views": 29, "payloads": None})


@pytest.mark.slow
def test_where_the_charter_names_no_floor_nothing_is_ordered() -> None:
    """Expect refusal."""
    kenya = Coalition.of("KEN", "GBR", retention_floor=None)["KEN"]
    with refused("not-allowed", "no retention floor"):
        kenya.says("retention.set", {"views": 4_000, "payloads": None})


def test_the_nations_that_stand_are_those_that_were_not_expelled() -> None:
    world = Coalition.of("KEN", "GBR", "FRA")
    world.expels("GBR")
    assert world.directory.order == ("KEN", "GBR", "FRA")
    assert world.directory.standing == ("KEN", "FRA")
