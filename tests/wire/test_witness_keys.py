"""Whose keys cosign: what a nation may replace, from where on it counts, and what it cannot do."""

from typing import Any

import pytest

from tests.appointing import appointed, runs
from tests.coalition import Coalition
from tests.refusal import refused
from tests.wire.trees import Log, grown
from wire.note_keys import (
    ED25519,
    ED25519_COSIGNATURE,
    Ed25519Signer,
    MLDSA44Signer,
    NoteSigner,
)
from wire.notes import signature_line
from wire.witness import ConfirmedCheckpoint, open_confirmed
from wire.witness_keys import Witnesses

NATIONS = ("KEN", "GBR", "FRA")
NOW = 1_790_000_000


def ed(name: str, seed: int) -> Ed25519Signer:
    return Ed25519Signer(f"{name}.example/w", bytes([seed]) * 32, ED25519_COSIGNATURE)


def pq(name: str, seed: int) -> MLDSA44Signer:
    return MLDSA44Signer(f"{name}.example/w", bytes([seed]) * 32)


KENA, GBRA, FRAA, ALONE = (ed(name, n) for n, name in enumerate(("ken", "gbr", "fra", "un"), 1))
KENA_NEW, KENA_NEWER = pq("ken", 11), ed("ken", 12)
RUN_BY = (("KEN", KENA.vkey.name), ("GBR", GBRA.vkey.name), ("FRA", FRAA.vkey.name))
CHARTER: dict[str, Any] = {
    "witnesses": tuple(str(one.vkey) for one in (KENA, GBRA, FRAA, ALONE)),
    "witness_quorum": 3,
    "run_by": RUN_BY,
}


@pytest.fixture
def world() -> Coalition:
    return Coalition.of(*NATIONS, people=False, **CHARTER)


def replaces(world: Coalition, nation: str, *keys: NoteSigner | str, **how: Any) -> int:
    """A nation's root sets its witness's keys; gives the entry at which that stands."""
    position, speaker = world.position, world[nation]
    body = appointed(nation, speaker.state.seq + 1, *keys, by=how.pop("appointer", ""))
    speaker.says("witness.set", body, **how)
    return position


def confirmed(
    whose: Witnesses, size: int, *signers: NoteSigner, known: int = 99, log: Log | None = None
) -> ConfirmedCheckpoint:
    log = log or grown(40)
    tree = log.head(size)
    note = log.note(size) + "".join(signature_line(tree, one, NOW) for one in signers)
    return open_confirmed(note, [log.vkey], whose, known=known)


# -- from where on


def test_new_keys_count_for_every_tree_with_the_statement_in_it(world: Coalition) -> None:
    at = replaces(world, "KEN", KENA_NEW)
    whose = world.directory.witnesses
    assert KENA.vkey in whose.at(at)
    assert KENA_NEW.vkey not in whose.at(at)
    assert KENA_NEW.vkey in whose.at(at + 1)
    assert KENA.vkey not in whose.at(at + 1)
    assert len(confirmed(whose, at, KENA, GBRA, FRAA).cosigned_by) == 3
    assert len(confirmed(whose, at + 1, KENA_NEW, GBRA, FRAA).cosigned_by) == 3


def test_a_stolen_old_key_confirms_no_later_tree(world: Coalition) -> None:
    """Expect refusal: and the words say which key it was."""
    at = replaces(world, "KEN", KENA_NEW)
    with refused("bad-checkpoint", "2 of 3 witnesses; `ken.example/w` signed with a key that does"):
        confirmed(world.directory.witnesses, at + 1, KENA, GBRA, FRAA)


def test_a_new_key_confirms_no_earlier_tree(world: Coalition) -> None:
    """Expect refusal."""
    at = replaces(world, "KEN", KENA_NEW)
    with refused("bad-checkpoint", "does not count for this tree"):
        confirmed(world.directory.witnesses, at, KENA_NEW, GBRA, FRAA)


def test_a_nation_is_one_witness_whatever_keys_it_has(world: Coalition) -> None:
    """Expect refusal: old and new together are one, and half of the new ones is none."""
    at = replaces(world, "KEN", KENA, KENA_NEW)
    whose = world.directory.witnesses
    with refused("bad-checkpoint", "cosigned by 2 of 3"):
        confirmed(whose, at + 1, KENA, KENA_NEW, GBRA)
    with refused("bad-checkpoint", "cosigned by 2 of 3"):
        confirmed(whose, at + 1, KENA_NEW, GBRA, FRAA)
    assert whose.quorum == 3
    assert len(whose.sets) == 4
    assert len(confirmed(whose, at + 1, KENA, KENA_NEW, GBRA, ALONE).cosigned_by) == 3


def test_keys_may_be_replaced_again_and_again(world: Coalition) -> None:
    first = replaces(world, "KEN", KENA_NEW)
    second = replaces(world, "KEN", KENA_NEW, KENA_NEWER)
    third = replaces(world, "KEN", KENA_NEWER)
    whose = world.directory.witnesses
    found = [
        {key for key in whose.at(size) if key.name == KENA.vkey.name}
        for size in (first, first + 1, second + 1, third + 1)
    ]
    old, new, newer = KENA.vkey, KENA_NEW.vkey, KENA_NEWER.vkey
    assert found == [{old}, {new}, {new, newer}, {newer}]


def test_who_has_not_seen_the_statement_is_behind_and_not_lied_to(world: Coalition) -> None:
    """Expect refusal in other words than an alarm's: whose keys count is not known yet."""
    before = world.directory.witnesses
    at = replaces(world, "KEN", KENA_NEW)
    for signers in ((KENA_NEW, GBRA, FRAA), (KENA, GBRA, FRAA)):
        with refused("behind", f"statements are known here up to {at}"):
            confirmed(before, at + 1, *signers, known=at)
    with refused("bad-checkpoint", "signed with a key that is not known here"):
        confirmed(before, at, KENA_NEW, GBRA, FRAA, known=at)


def test_lines_of_strangers_are_not_spoken_of(world: Coalition) -> None:
    with refused("bad-checkpoint", "^cosigned by 1 of 3 witnesses$"):
        confirmed(world.directory.witnesses, 5, KENA, ed("nobody", 40))


# -- who may


def test_nobody_replaces_the_keys_of_another_nations_witness(world: Coalition) -> None:
    """Expect refusal: by a key with its name, and by its root's signature under our statement."""
    with refused("bad-statement", "with the name `ken.example/w`"):
        replaces(world, "KEN", ed("gbr", 50))
    with refused("unknown-signer"):
        replaces(world, "GBR", ed("gbr", 50), by=world.root_signers(["KEN"]))
    assert world.directory.witnesses.at(99) == tuple(one.vkey for one in (KENA, GBRA, FRAA, ALONE))


def test_only_the_roots_threshold_replaces_them(world: Coalition) -> None:
    """Expect refusal."""
    with refused("not-allowed", "1 of 2 signatures"):
        replaces(world, "KEN", KENA_NEW, by=world.root_signers(["KEN"])[:1])


def test_nobody_but_the_nation_appoints_its_keys(world: Coalition) -> None:
    """Expect refusal: whoever signs the statement, the log's own copy of a key is not enough."""
    with refused("unknown-signer", "appoints its witness"):
        replaces(world, "KEN", KENA_NEW, appointer="GBR")
    speaker = world["KEN"]
    seq = speaker.state.seq + 1
    for other in (
        appointed("KEN", seq, KENA_NEWER) | {"keys": [str(KENA_NEW.vkey)]},
        appointed("KEN", seq + 1, KENA_NEW),
        appointed("KEN", seq, KENA_NEW, mission="MINUSY"),
    ):
        with refused("bad-signature", "appointment"):
            speaker.says("witness.set", other)


def test_a_nation_without_a_witness_gets_none(world: Coalition) -> None:
    """Expect refusal: the quorum was made for those that the charter counts."""
    world.admits("SEN")
    with refused("not-allowed", "no witness that SEN runs"):
        replaces(world, "SEN", ed("sen", 60))
    nation = {"code": "TCD", "name": "Chad", "root": "ab" * 32, "clearance": "SECRET"}
    with refused("bad-statement", "those of the charter"):
        body = {"nation": {**nation, "witness": runs("TCD", ALONE.vkey.name)}}
        world.together.says("nation.admit", body)


def test_a_key_that_was_replaced_never_comes_back(world: Coalition) -> None:
    """Expect refusal: somebody may have it who should not."""
    replaces(world, "KEN", KENA_NEW)
    replaces(world, "KEN", KENA_NEWER)
    with refused("statement-conflict", "never comes back"):
        replaces(world, "KEN", KENA)
    with refused("statement-conflict", "never comes back"):
        replaces(world, "KEN", KENA_NEWER, KENA_NEW)


@pytest.mark.parametrize(
    ("keys", "detail"),
    [
        (["ken.example/w"], "not a kind of key"),
        ([str(Ed25519Signer(KENA.vkey.name, b"k" * 32, ED25519).vkey)], "keys that cosign"),
        ([str(KENA_NEW.vkey)] * 2, "stands twice"),
    ],
    ids=["no key", "a log's kind", "twice"],
)
def test_what_are_no_keys_of_a_witness_is_refused(
    world: Coalition, keys: list[str], detail: str
) -> None:
    """Expect refusal."""
    with refused("bad-statement", detail):
        replaces(world, "KEN", *keys)


@pytest.mark.parametrize("count", [0, 3])
def test_a_witness_has_one_key_or_two(count: int) -> None:
    with pytest.raises(ValueError, match="keys"):
        replaces(Coalition.of(*NATIONS, people=False, **CHARTER), "KEN", *[KENA] * count)


# -- the charter


@pytest.mark.parametrize(
    ("charter", "detail"),
    [
        ({"witness_quorum": 5}, "more witnesses are asked for"),
        ({"witnesses": (*CHARTER["witnesses"], str(KENA.vkey))}, "a key stands twice"),
        ({"run_by": (("KEN", "ken.example/x"),)}, "one of the witnesses"),
        ({"run_by": (("KEN", KENA.vkey.name), ("GBR", KENA.vkey.name))}, "and alone"),
        (
            {"witnesses": (str(Ed25519Signer("ken.example/w", b"k" * 32).vkey),), "run_by": ()},
            "signs with a time",
        ),
    ],
    ids=["quorum", "twice", "nobody's", "two nations'", "a log's kind"],
)
def test_a_charter_names_witnesses_that_can_be_counted(
    charter: dict[str, Any], detail: str
) -> None:
    """Expect refusal."""
    with refused("bad-statement", detail):
        Coalition.of(*NATIONS, people=False, **{**CHARTER, **charter})


def test_two_keys_of_one_witness_do_not_make_two_for_the_quorum() -> None:
    """Expect refusal: a quorum that could never be met would be found out too late."""
    two = (str(KENA.vkey), str(KENA_NEW.vkey))
    with refused("bad-statement", "more witnesses are asked for"):
        Coalition.of("KEN", people=False, witnesses=two, witness_quorum=2)
