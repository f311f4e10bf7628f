import os
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.keys import LEVEL_SEED, EpochKeyring, EpochSeed, SealKey, grant, grant_info, seal_to
from clients.member_keys import MemberCard, MemberKeys, RootKeys
from tests.clients.mission import founded
from tests.people import member_keys, random_of
from wire import base64_strict, strict_json
from wire.bodies import EpochGrant
from wire.errors import Malformed, NotAllowed
from wire.keys import SEAL_KEY, WRAP

SEED = EpochSeed("GBR", 7, 4, bytes(range(LEVEL_SEED)))
LEVELS = range(5)
ANALYST = member_keys("GBR", "analyst")


def granted(
    level: int, *, epoch: int = 7, seed: EpochSeed = SEED, keys: MemberKeys = ANALYST
) -> EpochGrant:
    wrap = grant(seed.at(level), keys.kid, keys.seal.public)
    token = founded().directory.terms.levels[level].token
    text = base64_strict.encode(wrap)
    return EpochGrant(salt="0" * 32, epoch=epoch, member=keys.kid, level=token, wrap=text)


def ring(*grants: EpochGrant, keys: MemberKeys = ANALYST, nation: str = "GBR") -> EpochKeyring:
    return EpochKeyring.from_grants(keys, nation, grants, founded().directory.terms)


# -- the chain of levels


def test_levels_are_the_same_however_far_one_starts_above() -> None:
    for start in LEVELS:
        for end in range(start + 1):
            assert SEED.at(start).at(end) == SEED.at(end)


def test_nobody_derives_upward() -> None:
    """Expect refusal: what is granted for SECRET opens nothing above it."""
    for low, high in pairwise(LEVELS):
        with pytest.raises(NotAllowed, match="no-key"):
            SEED.at(low).at(high)
    with pytest.raises(NotAllowed, match="no-key"):
        SEED.at(-1)


def test_every_level_nation_and_epoch_has_its_own_keys() -> None:
    """No two seeds are equal, and stepping down from an equal seed forks by nation and epoch."""
    seeds = {SEED.at(level).seed for level in LEVELS}
    for other in (EpochSeed("FRA", 7, 4, SEED.seed), EpochSeed("GBR", 8, 4, SEED.seed)):
        seeds |= {other.at(level).seed for level in range(4)}
    assert len(seeds) == 5 + 4 + 4


def test_a_key_pair_follows_from_its_seed() -> None:
    one, two = SEED.at(3).key(), SEED.at(3).key()
    assert one.public == two.public
    assert one.kid == two.kid
    assert len(one.public) == SEAL_KEY
    assert one.kid != SEED.at(2).key().kid


# -- wraps


def test_only_the_key_and_info_it_was_sealed_for_open_a_wrap() -> None:
    key, other = SEED.at(3).key(), SEED.at(2).key()
    wrap = seal_to(key.public, bytes(32), b"info")
    assert len(wrap) == WRAP
    assert key.open(wrap, b"info") == bytes(32)
    for opener, info in ((key, b"inf"), (other, b"info")):
        with pytest.raises(Malformed, match="undecryptable"):
            opener.open(wrap, info)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.integers(0, WRAP - 1), st.integers(1, 255))
def test_a_tampered_wrap_does_not_open(at: int, flip: int) -> None:
    key = SEED.at(3).key()
    wrap = bytearray(seal_to(key.public, bytes(32), b"info"))
    wrap[at] ^= flip
    with pytest.raises(Malformed, match="undecryptable"):
        key.open(bytes(wrap), b"info")


@given(st.binary(max_size=200))
def test_any_bytes_are_no_wrap(raw: bytes) -> None:
    with pytest.raises(Malformed, match="undecryptable"):
        ANALYST.seal.open(raw, b"")


@pytest.mark.parametrize("public", [b"", b"\xff" * SEAL_KEY, bytes(SEAL_KEY), bytes(SEAL_KEY + 1)])
def test_nothing_is_sealed_to_what_is_no_key(public: bytes) -> None:
    with pytest.raises(Malformed, match="bad-statement"):
        seal_to(public, bytes(32), b"")


# -- grants


def test_a_member_opens_its_level_and_all_below_and_none_above() -> None:
    keyring = ring(granted(3))
    for level in range(4):
        assert keyring.key(7, level, SEED.at(level).key().kid).public == SEED.at(level).key().public
    with pytest.raises(NotAllowed, match="was granted up to level 3"):
        keyring.key(7, 4, SEED.key().kid)


def test_the_highest_grant_of_an_epoch_counts_in_any_order() -> None:
    for grants in ((granted(1), granted(3)), (granted(3), granted(1))):
        assert ring(*grants).seed(7).level == 3


def test_a_grant_to_another_member_is_passed_over() -> None:
    other = member_keys("GBR", "officer")
    with pytest.raises(NotAllowed, match="no-key"):
        ring(granted(3, keys=other)).seed(7)


def test_an_epoch_that_was_not_granted_stays_closed() -> None:
    """Late joiners read nothing older without an explicit grant."""
    keyring = ring(granted(3))
    assert keyring.epochs == (7,)
    with pytest.raises(NotAllowed, match="nothing was granted of epoch 6"):
        keyring.key(6, 0, SEED.at(0).key().kid)


@pytest.mark.parametrize(
    "change",
    [{"epoch": 8}, {"level": "CONFIDENTIAL"}, {"wrap": base64_strict.encode(bytes(1_729))}],
)
def test_a_grant_opens_only_for_the_epoch_and_level_it_names(change: dict[str, object]) -> None:
    """An officer's mistake, or a moved wrap: it never passes for another seed."""
    moved = granted(3).model_copy(update=change)
    with pytest.raises(Malformed, match="undecryptable"):
        ring(moved).seed(moved.epoch)


def test_a_grant_opens_only_in_its_nation_and_for_its_member() -> None:
    info = grant_info("GBR", 7, 3, ANALYST.kid, ANALYST.seal.kid)
    other = member_keys("GBR", "officer")
    assert info != grant_info("FRA", 7, 3, ANALYST.kid, ANALYST.seal.kid)
    assert info != grant_info("GBR", 7, 3, other.kid, ANALYST.seal.kid)
    with pytest.raises(Malformed, match="undecryptable"):
        ring(granted(3), nation="FRA").seed(7)


def test_a_seed_that_leads_to_other_keys_than_were_published_opens_nothing() -> None:
    wrong = EpochSeed("GBR", 7, 4, bytes(LEVEL_SEED))
    with pytest.raises(NotAllowed, match="leads to other keys"):
        ring(granted(3, seed=wrong)).key(7, 3, SEED.at(3).key().kid)


def test_a_grant_that_holds_no_seed_is_refused() -> None:
    info = grant_info("GBR", 7, 3, ANALYST.kid, ANALYST.seal.kid)
    wrap = seal_to(ANALYST.seal.public, bytes(32), info)
    short = granted(3).model_copy(update={"wrap": base64_strict.encode(wrap)})
    with pytest.raises(Malformed, match="undecryptable"):
        ring(short).seed(7)


# -- what members and roots keep


def test_private_keys_survive_the_store() -> None:
    assert MemberKeys.from_private(ANALYST.private()).card == ANALYST.card
    roots = RootKeys.generate(12, random_of("roots"))
    kept = RootKeys.from_private(roots.private())
    assert [k.public.kid for k in kept.keys] == [k.public.kid for k in roots.keys]


def test_private_keys_never_show() -> None:
    """Logs and tracebacks print reprs."""
    roots = RootKeys.generate(1, random_of("roots"))
    shown = repr((ANALYST, ANALYST.seal, roots, SEED, ring(granted(3)), vars(SEED)["nation"]))
    private = [*ANALYST.private().values(), *roots.private().values()]
    for secret in [*private, SEED.seed.hex(), repr(SEED.seed)]:
        assert secret not in shown


@pytest.mark.parametrize("lost", ["sign", "seal", "request", "store"])
def test_a_missing_or_short_key_is_refused(lost: str) -> None:
    fields = ANALYST.private()
    with pytest.raises(Malformed):
        MemberKeys.from_private({**fields, lost: base64_strict.encode(b"short")})
    del fields[lost]
    with pytest.raises(Malformed, match="bad-identity"):
        MemberKeys.from_private(fields)


def test_new_keys_differ() -> None:
    one, two = MemberKeys.generate(os.urandom), MemberKeys.generate(os.urandom)
    assert not set(one.private().values()) & set(two.private().values())
    assert SealKey(bytes(120)).kid == SealKey(bytes(120)).kid


def test_a_card_carries_the_public_halves_only() -> None:
    raw = strict_json.dump({"kind": "analyst", **ANALYST.card.fields()})
    assert MemberCard.parse(raw) == ("analyst", ANALYST.card)
    for secret in ANALYST.private().values():
        assert secret.encode() not in raw


def test_a_card_under_a_name_that_is_not_its_keys_is_refused() -> None:
    fields = {"kind": "analyst", **ANALYST.card.fields()}
    for change in ({"kid": "0" * 32}, {"sign_key": "AAAA"}, {"more": 1}, {"kind": "king"}):
        with pytest.raises(Malformed, match="bad-input"):
            MemberCard.parse(strict_json.dump({**fields, **change}))
