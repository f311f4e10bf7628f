"""Attacks on keys, roles and chains. Numbers are those of the attack list; the rest are our own.

Each test ends in the slug that is expected. The fold refuses, so broker and clients refuse alike.
"""

import dataclasses
from typing import Any

import pytest

from tests import sealing
from tests.coalition import Coalition
from tests.people import member_keys, root_keys
from tests.refusal import refused
from wire import composite, fold, report, statements
from wire.base64_strict import encode
from wire.bodies import MemberRevoke
from wire.directory import Directory
from wire.entries import MISSION
from wire.statements import PREAMBLE, Statement

SEEN = {"size": 1, "root": "aa" * 32}


@pytest.fixture
def world() -> Coalition:
    return Coalition.of("KEN", "GBR", "FRA", clearance={"GBR": "TOP SECRET"})


def reencoded(
    statement: Statement,
    *,
    body: bytes | None = None,
    signatures: dict[str, bytes] | None = None,
    **head: Any,
) -> Statement:
    """The statement with pieces changed by somebody who has no key."""
    fields = {**sealing.fields(statement.head_bytes[PREAMBLE.size :]), **head}
    text = sealing.text(fields)
    head_bytes = PREAMBLE.pack(b"TLST", 2, 0, len(text)) + text
    body = statement.body_bytes if body is None else body
    signed = statement.signatures if signatures is None else signatures
    return statements.parse(statements._encode(head_bytes, body or b"", signed))


# -- 86: chains


@pytest.mark.slow
def test_86_a_rolled_back_chain_is_refused_statement_conflict(world: Coalition) -> None:
    """Both hashes are in the refusal: what stands here, and what was sent."""
    old = next(f.statement for f in world.history if f.statement.head.type == "policy.publish")
    stands = world["KEN"].state.prev
    with refused("statement-conflict", f"{stands[:16]}.*{old.identity[:16]}"):
        world.applies(old)


def test_86_a_gap_is_refused_statement_conflict(world: Coalition) -> None:
    kenya = world["KEN"]
    skipped = kenya.drafts("head.seen", SEEN)
    with refused("statement-conflict"):
        kenya.says("head.seen", SEEN, seq=kenya.state.seq + 2, prev=skipped.identity)
    with refused("statement-conflict"):
        kenya.says("head.seen", SEEN, prev=skipped.identity)


def test_86_a_fork_is_refused_statement_conflict(world: Coalition) -> None:
    """Two signed statements with one number: a proof against the nation, that anybody can carry."""
    kenya = world["KEN"]
    for_some, for_others = kenya.drafts("head.seen", SEEN), kenya.drafts("head.seen", SEEN)
    assert for_some.head.seq == for_others.head.seq
    world.applies(for_some)
    with refused("statement-conflict", f"{for_some.identity[:16]}.*{for_others.identity[:16]}"):
        world.applies(for_others)


def test_86_a_renumbered_statement_is_refused_bad_signature(world: Coalition) -> None:
    kenya = world["KEN"]
    lost = kenya.drafts("head.seen", SEEN)
    kenya.says("head.seen", SEEN)
    with refused("bad-signature"):
        world.applies(reencoded(lost, seq=kenya.state.seq + 1, prev=kenya.state.prev))


# -- 87 to 89: roots


def test_87_a_root_signed_only_by_the_old_is_refused_not_allowed(world: Coalition) -> None:
    """Who stole the old keys must not be able to put keys in place that nobody holds."""
    with refused("not-allowed", "new root's own threshold"):
        world["KEN"].publishes_root(2, by=root_keys("KEN", 1, 3))


def test_87_a_root_signed_only_by_the_new_is_refused_not_allowed(world: Coalition) -> None:
    with refused("not-allowed", "old root's threshold"):
        world["KEN"].publishes_root(2, by=root_keys("KEN", 2, 3))
    with refused("not-allowed", "old root's threshold"):
        world["KEN"].publishes_root(2, by=[*root_keys("KEN", 2, 3), root_keys("KEN", 1, 3)[0]])


def test_87_a_root_signed_by_both_thresholds_is_taken(world: Coalition) -> None:
    """The control. Keys of both roots count for both."""
    kenya = world["KEN"]
    kenya.publishes_root(2, by=[*root_keys("KEN", 1, 3)[:2], *root_keys("KEN", 2, 3)[1:]])
    body = {"role": "epoch", "kids": [kenya.officer.kid], "threshold": 1}
    with refused("unknown-signer"):
        kenya.says("role.set", body, by=root_keys("KEN", 1, 3))
    kenya.says("role.set", body, by=root_keys("KEN", 2, 3)[:2])


def test_87_a_strangers_signature_on_a_root_is_refused_unknown_signer(world: Coalition) -> None:
    signers = [*root_keys("KEN", 1, 3), *root_keys("KEN", 2, 3), world["KEN"].officer.sign]
    with refused("unknown-signer"):
        world["KEN"].publishes_root(2, by=signers)


def test_88_one_key_that_signs_twice_counts_once_not_allowed(world: Coalition) -> None:
    kenya = world["KEN"]
    second = kenya.enlists("officer2", "officer")
    kenya.delegates("policy", kenya.officer, second, threshold=2)
    draft = kenya.drafts("policy.publish", kenya.policy_body(), by=[second.sign])
    with refused("not-allowed", "1 of 2"):
        world.applies(draft)
    signature = second.sign.sign(draft.head_bytes, composite.STATEMENT)
    block = bytes.fromhex(second.kid) + len(signature).to_bytes(2, "big") + signature
    twice = draft.raw[: -len(signature_block(draft)) - 1] + b"\x02" + signature_block(draft) + block
    with refused("bad-statement", "order of keys"):
        statements.parse(twice)


def signature_block(statement: Statement) -> bytes:
    ((kid, signature),) = statement.signatures.items()
    return bytes.fromhex(kid) + len(signature).to_bytes(2, "big") + signature


def test_88_one_root_key_does_not_reach_a_threshold_of_two_not_allowed(world: Coalition) -> None:
    body = {"role": "epoch", "kids": [world["KEN"].officer.kid], "threshold": 1}
    with refused("not-allowed", "1 of 2"):
        world["KEN"].says("role.set", body, by=root_keys("KEN", 1, 3)[:1])


def test_89_an_expired_root_is_refused_root_expired(world: Coalition) -> None:
    """And everything that rests on it: only a new root, signed by the old, helps."""
    kenya = world["KEN"]
    world.clock.now = kenya.state.root_expires
    for type_, body in (
        ("role.set", {"role": "epoch", "kids": [kenya.officer.kid], "threshold": 1}),
        ("epoch.open", kenya.epoch_body()),
        ("member.revoke", {"kid": kenya.system.kid, "reason": "lost"}),
        ("head.seen", SEEN),
    ):
        with refused("root-expired", "KEN"):
            kenya.says(type_, body)
    kenya.publishes_root(2)


# -- 97: grants


def test_97_a_grant_above_the_clearance_is_refused_not_allowed(world: Coalition) -> None:
    """403, not 422: the bytes are right, the level is not his."""
    britain = world["GBR"]
    clerk = britain.enlists("clerk", "analyst", clearance="RESTRICTED")
    for level in ("CONFIDENTIAL", "SECRET", "TOP SECRET"):
        with refused("not-allowed", "above the member's clearance"):
            britain.says("epoch.grant", britain.grant_body(clerk, level=level))
    britain.says("epoch.grant", britain.grant_body(clerk, level="RESTRICTED"))
    britain.says("epoch.grant", britain.grant_body(clerk, level="UNCLASSIFIED"))


# -- bodies that are hidden or swapped


def test_a_withheld_public_body_is_refused_bad_statement(world: Coalition) -> None:
    """Who could hide the body of a revocation could keep a thief's key alive for others."""
    kenya = world["KEN"]
    for type_, body in (
        ("member.revoke", {"kid": kenya.system.kid, "reason": "lost"}),
        ("member.add", kenya.candidate("system2", "system")[1]),
        ("epoch.open", kenya.epoch_body()),
        ("role.set", {"role": "epoch", "kids": [kenya.officer.kid], "threshold": 1}),
        ("head.seen", SEEN),
    ):
        hidden = statements.parse(statements.without_body(kenya.drafts(type_, body)))
        for viewer in (None, "GBR", "KEN", MISSION):
            with refused("bad-statement", "must be seen"):
                at = (world.position, world.clock.now)
                fold.apply(world.directory, hidden, *at, viewer=viewer)


def test_a_swapped_body_is_refused_bad_statement(world: Coalition) -> None:
    kenya = world["KEN"]
    draft = kenya.drafts("member.revoke", {"kid": kenya.system.kid, "reason": "lost"})
    body = draft.body(MemberRevoke)
    other = sealing.text(body.model_copy(update={"kid": kenya.officer.kid}).model_dump())
    with refused("bad-statement", "not the one that was signed"):
        reencoded(draft, body=other)
    with refused("bad-signature"):
        world.applies(forged(draft))


def forged(draft: Statement) -> Statement:
    """The head made to fit another body; then its signature no longer fits the head."""
    other = sealing.text({**sealing.fields(draft.body_bytes or b""), "reason": "bored"})
    fields = sealing.fields(draft.head_bytes[PREAMBLE.size :])
    text = sealing.text({**fields, "body": statements.body_digest(other)})
    head = PREAMBLE.pack(b"TLST", 2, 0, len(text)) + text
    return statements.parse(statements._encode(head, other, draft.signatures))


def test_a_hidden_revocation_of_a_signer_is_refused_bad_statement(world: Coalition) -> None:
    """A nation that revokes its system in secret could later deny what others still believe."""
    kenya = world["KEN"]
    for person in (kenya.system, kenya.officer):
        with refused("bad-statement", "all must see the end"):
            kenya.revokes(person, scope="nation")
    kenya.revokes(kenya.system)


def test_a_hidden_signer_is_refused_bad_statement(world: Coalition) -> None:
    """Its reports would verify at the broker and nowhere else."""
    kenya = world["KEN"]
    for kind in ("system", "officer"):
        _, body = kenya.candidate("shadow", kind)
        with refused("bad-statement", "shown to all"):
            kenya.says("member.add", body, scope="nation")


def test_a_body_cannot_be_hidden_by_another_scope_bad_signature(world: Coalition) -> None:
    """The scope is signed, or the broker would choose what it may withhold."""
    kenya = world["KEN"]
    draft = kenya.drafts("member.revoke", {"kid": kenya.system.kid, "reason": "lost"})
    rescoped = reencoded(draft, scope="nation")
    hidden = statements.parse(statements.without_body(rescoped))
    with refused("bad-signature"):
        fold.apply(world.directory, hidden, world.position, world.clock.now, viewer="GBR")


# -- nations and members that are not who they say


def test_a_squatted_nation_root_founds_nothing_bad_statement() -> None:
    """Who publishes Kenya's root before Kenya does: the pinned charter names the right one."""
    honest = Coalition.of("KEN", "GBR", people=False)
    kenyan, british, charter = (f.statement for f in honest.history[:3])
    squatter = Coalition("MINUSX", Directory("MINUSX", ""))["KEN"].drafts_root(9)
    body = {**sealing.fields(squatter.body_bytes or b""), "version": 1}
    fake = Coalition("MINUSX", Directory("MINUSX", ""))["KEN"].drafts(
        "root.publish", body, by=root_keys("KEN", 9, 3)
    )
    attacked = Coalition("MINUSX", honest.blank())
    attacked.applies(fake)
    attacked.applies(british)
    with refused("bad-statement", "KEN does not stand"):
        attacked.applies(charter)
    with refused("statement-conflict"):
        attacked.applies(kenyan)


def test_nobody_slips_in_beside_the_founders_bad_statement() -> None:
    honest = Coalition.of("KEN", "GBR", people=False)
    attacked = Coalition("MINUSX", honest.blank())
    attacked["FRA"].publishes_root()
    for filed in honest.history[:2]:
        attacked.applies(filed.statement)
    with refused("bad-statement", "exactly the nations"):
        attacked.applies(honest.history[2].statement)


def test_a_key_of_another_nations_member_is_refused_bad_statement(world: Coalition) -> None:
    """Taking another's key as one's own would make two nations answer for one signature."""
    card = world["GBR"].system.keys.card
    _, body = world["KEN"].candidate("twin", "system")
    stolen = {"kid": card.kid, "sign_key": encode(card.sign_key)}
    with refused("bad-statement", "already a member's"):
        world["KEN"].says("member.add", {**body, **stolen})


def test_a_kid_that_is_not_the_keys_own_is_refused_bad_statement(world: Coalition) -> None:
    _, body = world["KEN"].candidate("twin", "system")
    with refused("bad-statement", "another name"):
        world["KEN"].says("member.add", {**body, "kid": world["GBR"].system.kid})


def test_a_signer_of_another_nation_is_refused_unknown_signer(world: Coalition) -> None:
    """For reports as for statements: Britain's system cannot speak for Kenya."""
    kenya, britain = world["KEN"], world["GBR"]
    with refused("unknown-signer"):
        world.accepts(kenya.seals(signer=britain.system))
    with refused("unknown-signer"):
        kenya.says("head.seen", SEEN, by=[britain.system.sign])
    with refused("bad-statement", "officers of the nation"):
        kenya.delegates("epoch", britain.officer)


def test_a_statement_by_a_revoked_officer_is_refused_unknown_signer(world: Coalition) -> None:
    """Though it was signed before the revocation: what counts is the place in the journal."""
    kenya = world["KEN"]
    kenya.delegates("epoch", kenya.officer, kenya.enlists("officer2", "officer"))
    draft = kenya.drafts("epoch.open", kenya.epoch_body(), by=[kenya.officer2.sign])
    seq, prev = draft.head.seq, draft.head.prev
    kenya.revokes(kenya.officer2)
    with refused("statement-conflict"):
        world.applies(draft)
    with refused("unknown-signer"):
        kenya.says("epoch.open", kenya.epoch_body(), by=[kenya.officer2.sign])
    assert (seq, prev) != (kenya.state.seq, kenya.state.prev)


def test_a_revoked_member_does_not_come_back_bad_statement(world: Coalition) -> None:
    kenya = world["KEN"]
    kenya.revokes(kenya.system)
    with refused("bad-statement", "already a member's"):
        kenya.enlists("system")


def test_an_admission_by_too_few_nations_is_refused_not_allowed(world: Coalition) -> None:
    root = world["SEN"].drafts_root()
    nation = {"code": "SEN", "name": "SEN", "root": root.identity, "clearance": "SECRET"}
    for few in (["KEN"], []):
        with refused("not-allowed" if few else "unknown-signer"):
            signers = [*world.root_signers(few)] or list(root_keys("SEN", 1, 3))
            world.together.says("nation.admit", {"nation": nation}, by=signers)
    world.together.says("nation.admit", {"nation": nation}, by=world.root_signers(["KEN", "GBR"]))


def test_a_newcomer_does_not_vote_for_itself_not_allowed(world: Coalition) -> None:
    """Its root counts only once it has published it, after the others admitted it."""
    root = world["SEN"].drafts_root()
    nation = {"code": "SEN", "name": "SEN", "root": root.identity, "clearance": "SECRET"}
    signers = [*world.root_signers(["KEN"]), *root_keys("SEN", 1, 3)]
    with refused("unknown-signer", "no nation's root"):
        world.together.says("nation.admit", {"nation": nation}, by=signers)


def test_one_nations_officers_do_not_speak_for_the_mission_unknown_signer(
    world: Coalition,
) -> None:
    expulsion = {"code": "GBR", "reason": "rivalry"}
    with refused("unknown-signer"):
        world.together.says("nation.expel", expulsion, by=[world["KEN"].officer.sign])
    with refused("not-allowed", "1 of 2"):
        world.together.says("nation.expel", expulsion, by=root_keys("KEN", 1, 3))


@pytest.mark.slow
def test_a_statement_replayed_in_another_mission_is_refused_bad_statement(
    world: Coalition,
) -> None:
    """The same nations, the same keys, another mission."""
    other = Coalition.of("KEN", "GBR", "FRA", mission="MINUSY")
    draft = world["KEN"].drafts("head.seen", SEEN)
    with refused("bad-statement", "another mission"):
        other.applies(draft)
    fitted = reencoded(
        draft, mission="MINUSY", seq=other["KEN"].state.seq + 1, prev=other["KEN"].state.prev
    )
    with refused("bad-signature"):
        other.applies(fitted)


def test_a_report_replayed_in_another_mission_is_refused_bad_envelope(world: Coalition) -> None:
    other = Coalition.of("KEN", "GBR", "FRA", mission="MINUSY")
    with refused("bad-envelope", "another mission"):
        other.accepts(world["KEN"].seals(release_to="GBR"))


def test_another_nations_chain_cannot_be_continued_unknown_signer(world: Coalition) -> None:
    kenya, britain = world["KEN"], world["GBR"]
    draft = britain.drafts("head.seen", SEEN)
    moved = reencoded(draft, nation="KEN", seq=kenya.state.seq + 1, prev=kenya.state.prev)
    with refused("unknown-signer"):
        world.applies(moved)


def test_a_signature_under_another_kid_is_refused_bad_signature(world: Coalition) -> None:
    kenya = world["KEN"]
    draft = kenya.drafts("head.seen", SEEN, by=[kenya.system.sign])
    ((_, signature),) = draft.signatures.items()
    renamed = reencoded(draft, signatures={kenya.officer.kid: signature})
    with refused("bad-signature"):
        world.applies(renamed)


def test_a_report_signature_on_a_statement_is_refused_bad_signature(world: Coalition) -> None:
    """One key has one use, and the context in the signature says which."""
    kenya = world["KEN"]
    draft = kenya.drafts("head.seen", SEEN)
    signature = kenya.officer.sign.sign(draft.head_bytes, composite.REPORT)
    with refused("bad-signature"):
        world.applies(reencoded(draft, signatures={kenya.officer.kid: signature}))


def test_a_root_key_is_no_member_unknown_signer(world: Coalition) -> None:
    kenya = world["KEN"]
    place = kenya.place()
    label = kenya.label("SECRET", "GBR")
    keys = kenya.keys_for(label)
    portion = sealing.portion(place, label, b"x", keys, world.random)
    root = root_keys("KEN", 1, 3)[0]
    fields = sealing.fields(kenya.signs(place, [portion]).header_bytes)
    frame = sealing.signed({**fields, "signer": root.public.kid}, [portion], root)
    with refused("unknown-signer"):
        world.accepts(sealing.encode(frame))


def test_nobody_else_seals_in_a_members_name_bad_signature(world: Coalition) -> None:
    stranger = member_keys("XXX", "stranger").sign
    kenya = world["KEN"]
    honest = kenya.seals(release_to="GBR")
    from_stranger = report.parse(honest)
    forged_ = dataclasses.replace(
        from_stranger, signature=stranger.sign(from_stranger.head, composite.REPORT)
    )
    with refused("bad-signature"):
        world.accepts(sealing.encode(forged_))
