"""What officers and roots sign after the mission is founded."""

from typing import Any

import pytest

from clients.ceremony import DAY, Ceremony
from clients.keys import EpochKeyring
from clients.speaker import cosign, signers
from tests.clients.mission import NOW, founded, keyring
from tests.people import member_keys, random_of
from wire import fold, statements
from wire.bodies import EpochGrant, PolicyPublish
from wire.directory import Directory
from wire.errors import Conflict, Malformed, NotAllowed, TearlineError
from wire.statements import Statement

LATER = NOW + 3_600
KENYA = founded().members["KEN", "officer"]
BY = signers(KENYA.sign)


def ceremony(directory: Directory | None = None, *, now: int = LATER, **how: Any) -> Ceremony:
    told = {"random": random_of("ceremony", now), **how}
    return Ceremony(directory or founded().directory, now=now, **told)


def said(made: Ceremony) -> list[Statement]:
    return [statements.parse(raw) for raw in made.statements]


def grants(made: Ceremony) -> list[EpochGrant]:
    return [s.body(EpochGrant) for s in said(made) if s.head.type == "epoch.grant"]


def test_what_a_ceremony_says_stands_for_everybody() -> None:
    made = ceremony()
    made.rotate_epoch("KEN", BY)
    directory = founded().directory
    for raw in made.statements:
        directory = fold.apply(directory, statements.parse(raw), directory.position + 1, LATER)
    assert directory.epoch_key("KEN", 3, LATER).epoch == 2


def test_an_epoch_is_granted_to_all_who_read_and_to_nobody_else() -> None:
    """Auditors verify without reading; other nations' members are none of Kenya's business."""
    made = ceremony()
    made.rotate_epoch("KEN", BY)
    members = made.directory.members
    granted = {(members[g.member].nation, members[g.member].kind) for g in grants(made)}
    assert granted == {("KEN", "officer"), ("KEN", "system"), ("KEN", "analyst")}


def test_a_new_epoch_opens_for_its_members_and_is_not_the_old_one() -> None:
    made = ceremony()
    made.rotate_epoch("KEN", BY)
    analyst, terms = founded().members["KEN", "analyst"], made.directory.terms
    ring = EpochKeyring.from_grants(analyst, "KEN", grants(made), terms)
    for level in range(4):
        key = made.directory.epoch_key("KEN", level, LATER)
        assert ring.key(2, level, key.kid).public == key.public
    assert ring.seed(2).seed != keyring("KEN").seed(1).seed


def test_who_is_revoked_gets_no_key_of_the_epoch_that_opens_at_once() -> None:
    analyst = founded().members["KEN", "analyst"]
    made = ceremony()
    made.revoke_member("KEN", analyst.kid, "device lost", BY)
    assert [s.head.type for s in said(made)][:2] == ["member.revoke", "epoch.open"]
    assert analyst.kid not in {g.member for g in grants(made)}
    assert len(grants(made)) == 3
    assert made.directory.epoch_key("KEN", 0, LATER).epoch == 2
    ring = EpochKeyring.from_grants(analyst, "KEN", grants(made), made.directory.terms)
    with pytest.raises(NotAllowed, match="no-key"):
        ring.seed(2)
    with pytest.raises(NotAllowed, match="unknown-signer"):
        made.directory.member(analyst.kid, made.directory.position + 1, LATER)


def test_a_new_member_reads_the_current_epoch_up_to_its_clearance_and_nothing_older() -> None:
    made = ceremony()
    made.rotate_epoch("KEN", BY)
    seed = EpochKeyring.from_grants(KENYA, "KEN", grants(made), made.directory.terms).seed(2)
    keys = member_keys("KEN", "newcomer")
    made.add_member("KEN", keys.card, "analyst", BY, clearance="RESTRICTED", seed=seed)
    ring = EpochKeyring.from_grants(keys, "KEN", grants(made), made.directory.terms)
    assert ring.epochs == (2,)
    assert ring.seed(2).level == 1
    with pytest.raises(NotAllowed, match="no-key"):
        ring.seed(1)


def test_an_old_epoch_is_granted_only_on_purpose() -> None:
    old = keyring("KEN", "officer").seed(1)
    made = ceremony()
    made.rotate_epoch("KEN", BY)
    keys = member_keys("KEN", "newcomer")
    member = made.add_member("KEN", keys.card, "analyst", BY, clearance="RESTRICTED")
    made.grant(member, old, BY)
    ring = EpochKeyring.from_grants(keys, "KEN", grants(made), made.directory.terms)
    assert (ring.seed(1).level, ring.epochs) == (1, (1,))


def test_a_new_auditor_is_added_without_any_key_to_reports() -> None:
    made, keys = ceremony(), member_keys("KEN", "inspector")
    seed = keyring("KEN", "officer").seed(1)
    made.add_member("KEN", keys.card, "auditor", BY, clearance="SECRET", seed=seed)
    assert grants(made) == []


@pytest.mark.parametrize("kind", ["analyst", "system"])
def test_a_roster_is_the_nations_own_but_for_who_signs(kind: Any) -> None:
    made = ceremony()
    made.add_member("KEN", member_keys("KEN", "x").card, kind, BY, clearance="SECRET")
    assert said(made)[0].head.scope == ("mission" if kind == "system" else "nation")


@pytest.mark.parametrize(
    ("nation", "kid", "slug"),
    [
        ("KEN", "0" * 32, "statement-conflict"),
        ("KEN", founded().members["GBR", "analyst"].kid, "statement-conflict"),
    ],
)
def test_only_its_own_members_are_revoked_by_a_nation(nation: str, kid: str, slug: str) -> None:
    with pytest.raises(Conflict) as refusal:
        ceremony().revoke_member(nation, kid, "reason", BY)
    assert refusal.value.slug == slug


@pytest.mark.parametrize("signer", [("KEN", "system"), ("KEN", "analyst"), ("GBR", "officer")])
def test_nobody_without_the_role_says_anything_that_stands(signer: tuple[str, str]) -> None:
    by = signers(founded().members[signer].sign)
    made = ceremony()
    with pytest.raises(NotAllowed, match="unknown-signer"):
        made.rotate_epoch("KEN", by)
    assert made.statements == ()


def test_a_policy_is_the_next_version_pinned_to_the_reference_data_of_now() -> None:
    made = ceremony()
    made.publish_policy("KEN", "// a\n// b\n", "// c\n", BY)
    (statement,) = said(made)
    policy = statement.body(PolicyPublish)
    assert (policy.version, policy.release, policy.accept) == (2, ("// a", "// b"), ("// c",))
    assert policy.registry == made.directory.terms.digest


def test_epochs_last_seven_days_unless_they_are_told_otherwise() -> None:
    made = ceremony()
    made.rotate_epoch("KEN", BY)
    assert made.directory.epoch_key("KEN", 0, LATER + 7 * DAY - 1).epoch == 2
    with pytest.raises(Conflict, match="stale-epoch"):
        made.directory.epoch_key("KEN", 0, LATER + 7 * DAY)


# -- roots, and more than one hand


def test_a_root_is_renewed_by_the_old_one_and_the_new() -> None:
    mission = founded()
    old, new = mission.roots["KEN"], mission.roots["GBR"]  # any three keys will do
    made = ceremony()
    made.publish_root("KEN", new, threshold=2, old=signers(*old.keys[:2]))
    state = made.directory.nations["KEN"]
    assert (state.root_version, set(state.root_keys)) == (2, {k.public.kid for k in new.keys})
    with pytest.raises(NotAllowed, match="the old root's threshold did not sign"):
        ceremony().publish_root("KEN", new, threshold=2, old=signers(*old.keys[:1]))


def test_two_officers_sign_one_after_the_other() -> None:
    """A role with a threshold of two: the first proposes, the second completes."""
    mission = founded()
    second = member_keys("KEN", "second officer")
    root = signers(*mission.roots["KEN"].keys[:2])
    setup = ceremony()
    setup.add_member("KEN", second.card, "officer", BY, clearance="SECRET")
    setup.delegate("KEN", "epoch", [KENYA.kid, second.kid], root, threshold=2)
    with pytest.raises(NotAllowed, match="1 of 2 signatures"):
        ceremony(setup.directory).rotate_epoch("KEN", BY)
    proposal = ceremony(setup.directory, whole=False)
    proposal.rotate_epoch("KEN", BY)
    directory = setup.directory
    for raw in proposal.statements:
        both = statements.parse(cosign(raw, *signers(second.sign)))
        directory = fold.apply(directory, both, directory.position + 1, LATER)
    assert directory.epoch_key("KEN", 3, LATER).epoch == 2
    assert len(proposal.statements) == 6


def test_nobody_cosigns_what_is_withheld() -> None:
    made = ceremony()
    made.rotate_epoch("KEN", BY)
    withheld = statements.without_body(said(made)[1])
    with pytest.raises(Malformed, match="nobody signs what is withheld"):
        cosign(withheld, *BY)


def test_a_nation_is_admitted_by_a_quorum_and_expelled_by_one() -> None:
    mission = founded()
    first = Ceremony(Directory("MINUSX", ""), now=LATER, random=random_of("newcomer"))
    roots = mission.roots["FRA"]  # keys that no nation of the test mission needs elsewhere
    root = first.publish_root("BGD", roots, threshold=2)
    quorum = [s for code in ("KEN", "GBR", "SEN") for s in signers(*mission.roots[code].keys[:2])]
    made = ceremony()
    nation = {"code": "BGD", "name": "BGD", "root": root.identity, "clearance": "SECRET"}
    with pytest.raises(TearlineError, match="2 of 3 nations"):
        ceremony().admit(nation, quorum[:4])
    made.admit(nation, quorum)
    assert "BGD" in made.directory.order
    made.expel("BGD", "by decision", quorum)
    assert made.directory.nations["BGD"].expelled is not None


def test_a_body_of_the_wrong_form_is_not_signed() -> None:
    with pytest.raises(Malformed, match="bad-fields"):
        ceremony().say("KEN", "report.recall", {"report": "all of them", "reason": ""}, BY)
