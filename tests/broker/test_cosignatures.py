"""Gathering cosignatures: one candidate until its quorum, and no line that does not verify."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from broker.cosignatures import AHEAD_SECONDS, CANDIDATE_SECONDS, Cosignatures
from broker.journal import Journal
from tests import charter_words
from tests.appointing import appointed, runs
from tests.broker.journal_world import LOG_KEYS, ORIGIN, SIGNER, World, records
from tests.refusal import refused
from wire import statements
from wire.bodies import MissionCharter, RunWitness, WitnessSet
from wire.notes import (
    ED25519_COSIGNATURE,
    Checkpoint,
    Ed25519Signer,
    MLDSA44Signer,
    NoteSigner,
    open_checkpoint,
    sign_checkpoint,
    signature_line,
)
from wire.witness_keys import Witnesses

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000
KENA, GBRA, FRAA, SENA = (
    Ed25519Signer(f"{name}.example/witness", name.encode() * 8, ED25519_COSIGNATURE)
    for name in ("kena", "gbra", "fraa", "sena")
)
FRAA_TOO = MLDSA44Signer(FRAA.vkey.name, b"f" * 32)
NAMED = (KENA, GBRA, FRAA, FRAA_TOO)


def charter(quorum: int = 2, named: tuple[NoteSigner, ...] = NAMED) -> MissionCharter:
    words = charter_words.body("MINUSX", ORIGIN, str(SIGNER.vkey), {"KEN": "0" * 64}, {})
    keys = [str(signer.vkey) for signer in named]
    changed = {"salt": "0" * 32, "witnesses": keys, "witness_quorum": quorum}
    return MissionCharter.model_validate_json(json.dumps({**words, **changed}))


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    async with World(tmp_path).journal() as journal:
        await journal.append(records(0, 3))
        yield journal


@pytest.fixture
def gather(journal: Journal, tmp_path: Path) -> Callable[..., Cosignatures]:
    """What a broker holds after a start."""

    def held(whose: Witnesses | None = None, **how: Any) -> Cosignatures:
        known = whose or Witnesses.of(charter(**how))
        return Cosignatures(journal, LOG_KEYS, lambda: known, tmp_path, NOW)

    return held


def cosigned(note: str, *signers: NoteSigner, time: int = NOW) -> bytes:
    tree = Checkpoint.parse(note.rpartition("\n\n")[0] + "\n")
    return (note + "".join(signature_line(tree, s, time) for s in signers)).encode()


Gather = Callable[..., Cosignatures]


async def test_nothing_is_published_before_the_quorum(journal: Journal, gather: Gather) -> None:
    held = gather()
    with refused("not-found"):
        held.published()
    note = held.candidate(NOW)
    assert note == journal.checkpoint
    told = await held.add(cosigned(note, KENA, SENA), NOW)
    assert (told.size, told.witnesses, told.quorum) == (journal.size, 1, 2)
    told = await held.add(cosigned(note, FRAA), NOW)
    assert told.witnesses == 1, "half a witness is none"
    with refused("not-found"):
        held.published()
    assert (await held.add(cosigned(note, FRAA_TOO), NOW)).witnesses == 2
    opened = open_checkpoint(held.published(), LOG_KEYS, [s.vkey for s in NAMED])
    assert set(opened.cosigned_by) == {KENA.vkey.name, FRAA.vkey.name}
    assert SENA.vkey.name not in held.published(), "nobody's witness"


async def test_the_candidate_stays_until_its_quorum(journal: Journal, gather: Gather) -> None:
    """Else the cosignatures of two nations would hardly ever meet."""
    held = gather()
    first = held.candidate(NOW)
    await journal.append(records(3, 2))
    assert held.candidate(NOW + CANDIDATE_SECONDS) == first
    await held.add(cosigned(first, KENA, GBRA), NOW)
    assert held.candidate(NOW) == journal.checkpoint != first
    assert held.published().startswith(first)
    late = await held.add(cosigned(first, FRAA, FRAA_TOO), NOW)
    assert late.witnesses == 3, "a late one still counts for what is published"


async def test_a_candidate_that_nobody_completes_gives_way(
    journal: Journal, gather: Gather
) -> None:
    held = gather()
    first = held.candidate(NOW)
    await held.add(cosigned(first, KENA), NOW)
    await journal.append(records(3, 2))
    assert held.candidate(NOW + CANDIDATE_SECONDS + 1) == journal.checkpoint
    with refused("not-found"):
        await held.add(cosigned(first, GBRA), NOW)


async def test_a_newer_time_takes_the_place_of_an_older_one_and_never_the_reverse(
    gather: Gather,
) -> None:
    held = gather()
    note = held.candidate(NOW)
    keys = [s.vkey for s in NAMED]
    for time, newest in ((NOW, NOW), (NOW + 60, NOW + 60), (NOW + 9, NOW + 60)):
        await held.add(cosigned(note, KENA, GBRA, time=time), NOW + 60)
        times = open_checkpoint(held.published(), LOG_KEYS, keys).cosigned_by
        assert set(times.values()) == {newest}


async def test_a_false_line_refuses_all_of_them_bad_checkpoint(gather: Gather) -> None:
    """Expect refusal, and that the good line beside it is not kept."""
    held = gather()
    note = held.candidate(NOW)
    false = Ed25519Signer(GBRA.vkey.name, b"x" * 32, ED25519_COSIGNATURE)
    good, bad = cosigned(note, KENA), cosigned(note, GBRA)
    for body in (
        good + bad[len(note.encode()) : -10] + b"AAAAAAA==\n",
        good + good[len(note.encode()) :],
        b"nothing",
        b"\xff\xfe",
        cosigned(note, KENA, time=NOW + AHEAD_SECONDS + 1),
    ):
        with refused("bad-checkpoint"):
            await held.add(body, NOW)
    assert (await held.add(cosigned(note, false), NOW)).witnesses == 0


async def test_cosignatures_of_another_tree_are_not_found(journal: Journal, gather: Gather) -> None:
    """Expect refusal: also where the log itself has signed it, before or elsewhere."""
    held = gather()
    held.candidate(NOW)
    other = sign_checkpoint(Checkpoint(ORIGIN, journal.size, b"r" * 32), [SIGNER])
    with refused("not-found"):
        await held.add(cosigned(other, KENA, GBRA), NOW)
    with refused("not-found"):
        held.published()


async def test_a_restart_loses_no_cosignature(journal: Journal, gather: Gather) -> None:
    held = gather()
    first = held.candidate(NOW)
    await held.add(cosigned(first, KENA), NOW)
    await journal.append(records(3, 2))
    again = gather()
    assert again.candidate(NOW) == first
    await again.add(cosigned(first, GBRA), NOW)
    published = again.published()
    last = gather()
    assert last.published() == published
    assert last.candidate(NOW) == journal.checkpoint


async def test_kept_files_that_were_changed_are_forgotten(gather: Gather, tmp_path: Path) -> None:
    """Who changes them gains nothing: every line is verified again."""
    held = gather()
    note = held.candidate(NOW)
    whole = cosigned(note, KENA, GBRA).decode()
    for text in ("", "\n\n", note, whole.replace("\n4\n", "\n3\n"), whole[:-9] + "AAAAAA==\n"):
        (tmp_path / "published").write_text(text)
        with refused("not-found"):
            gather().published()


async def test_a_tree_that_witnesses_signed_and_the_journal_lacks_stops_the_start(
    journal: Journal, gather: Gather, tmp_path: Path
) -> None:
    """Expect refusal: the database, and the anchor with it, were put back."""
    newer = sign_checkpoint(Checkpoint(ORIGIN, journal.size + 1, b"r" * 32), [SIGNER])
    for name in ("published", "candidate"):
        (tmp_path / name).write_bytes(cosigned(newer, KENA))
        with refused("rollback-detected"):
            gather()
        (tmp_path / name).unlink()


async def test_a_mission_without_witnesses_publishes_at_once(
    journal: Journal, gather: Gather
) -> None:
    held = gather(quorum=0, named=())
    assert held.published() == held.candidate(NOW) == journal.checkpoint
    await journal.append(records(3, 2))
    assert held.published() == journal.checkpoint


# -- witnesses whose keys change


KENA_NEW = MLDSA44Signer(KENA.vkey.name, b"n" * 32)


def replaced(at: int) -> Witnesses:
    """Kena's keys are others from the entry `at` on."""
    named, run = Witnesses.of(charter()), RunWitness(**runs("KEN", KENA.vkey.name))
    whose = Witnesses(named.quorum, named.sets, {"KEN": run})
    words = {"salt": "0" * 32, **appointed("KEN", 7, KENA_NEW)}
    body = WitnessSet.model_validate_json(json.dumps(words))
    head = {"mission": "MINUSX", "nation": "KEN", "seq": 7, "prev": "0" * 64, "issued": NOW}
    told = statements.draft({**head, "type": "witness.set", "scope": "mission"}, body)
    return whose.replaced(statements.parse_head(told.head_bytes), body, at)


async def test_the_keys_that_count_are_those_of_the_tree(journal: Journal, gather: Gather) -> None:
    """A stolen old key adds nothing, and the new one is counted."""
    held = gather(whose=replaced(journal.size - 1))
    note = held.candidate(NOW)
    assert (await held.add(cosigned(note, GBRA, KENA), NOW)).witnesses == 1
    with refused("not-found"):
        held.published()
    assert (await held.add(cosigned(note, KENA_NEW), NOW)).witnesses == 2
    assert open_checkpoint(held.published(), LOG_KEYS, [KENA_NEW.vkey]).cosigned_by
    assert not open_checkpoint(held.published(), LOG_KEYS, [KENA.vkey]).cosigned_by


async def test_a_tree_before_the_statement_is_completed_by_the_keys_of_then(
    journal: Journal, gather: Gather
) -> None:
    held = gather(whose=replaced(journal.size))
    note = held.candidate(NOW)
    assert (await held.add(cosigned(note, GBRA, KENA_NEW), NOW)).witnesses == 1
    assert (await held.add(cosigned(note, KENA), NOW)).witnesses == 2


async def test_what_is_published_stays_so_when_keys_are_replaced_later(
    journal: Journal, gather: Gather
) -> None:
    """Also over a start: it was confirmed by the keys of then."""
    held = gather()
    note = held.candidate(NOW)
    await held.add(cosigned(note, KENA, GBRA), NOW)
    published = held.published()
    assert gather(whose=replaced(journal.size)).published() == published
    with refused("not-found"):
        gather(whose=replaced(journal.size - 1)).published()
