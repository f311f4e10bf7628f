"""A witness's decision, case by case, and the arithmetic of quorums for every n and f."""

import contextlib
import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.charter_words import body
from tests.refusal import refused
from tests.wire.trees import ORIGIN, Log, grown
from wire.bodies import MissionCharter
from wire.errors import Malformed, TearlineError
from wire.notes import (
    ED25519_COSIGNATURE,
    Ed25519Signer,
    MLDSA44Signer,
    NoteSigner,
    signature_line,
)
from wire.witness import (
    MAX_SUBMISSION_BYTES,
    ConfirmedCheckpoint,
    Head,
    Submission,
    judge,
    open_confirmed,
    quorum,
    tolerated,
)
from wire.witness_keys import Witnesses

NOW = 1_790_000_000
LOG = grown(12)


def head(log: Log, size: int) -> Head:
    return Head(size, log.roots[size], log.note(size)) if size else Head()


# -- what is asked


@given(st.integers(0, 12), st.integers(0, 12))
def test_a_submission_survives_the_wire(old: int, new: int) -> None:
    asked = LOG.asks(old, new)
    assert Submission.parse(asked.body()) == asked
    assert asked.origin == ORIGIN


@given(st.one_of(st.binary(max_size=400), st.text(max_size=200).map(str.encode)))
def test_any_bytes_are_a_submission_or_a_bad_request(data: bytes) -> None:
    for text in (data, b"old 3\n" + data, b"old 0\n\n" + data):
        with contextlib.suppress(Malformed):
            Submission.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "old 3",
        "old 03\n\n",
        "old +3\n\n",
        "old -1\n\n",
        "Old 3\n\n",
        "old  3\n\n",
        "old 3 \n\n",
        "old 3\r\n\n",
        "old 3\nnot base64!\n\n",
        "old 99999999999999999999\n\n",
        "old 3\n" + "AAAA\n" * 64 + "\n",
        "old 3\n\n" + "x" * MAX_SUBMISSION_BYTES,
    ],
)
def test_another_spelling_is_a_bad_request(text: str) -> None:
    """Expect refusal: two readers of one request must not read two things."""
    with refused("bad-request"):
        Submission.parse(text.encode())


# -- what is decided


@given(st.integers(0, 12), st.integers(0, 12))
def test_the_same_history_is_followed_forwards_only(old: int, new: int) -> None:
    asked = LOG.asks(old, new)
    if old <= new:
        assert judge(asked, [LOG.vkey], head(LOG, old)).checkpoint == LOG.head(new)
    else:
        with refused("bad-request", "beyond"):
            judge(asked, [LOG.vkey], head(LOG, old))


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
def test_an_old_size_that_is_not_the_last_is_told_the_last(old: int, new: int, last: int) -> None:
    if old <= new and old != last:
        with refused("stale-size", f"^{last}$"):
            judge(LOG.asks(old, new), [LOG.vkey], head(LOG, last))


@given(st.integers(1, 11), st.integers(1, 12), st.integers(1, 12))
def test_another_history_is_never_cosigned(fork: int, old: int, new: int) -> None:
    """Expect refusal: whatever it is asked with, the tree must start with the last one."""
    other = grown(12, fork=fork)
    if not fork < old <= new:
        return
    for asked in (other.asks(old, new), LOG.asks(old, new)):
        shown = dataclasses.replace(asked, note=other.note(new))
        with refused("fork-detected" if old == new else "bad-proof"):
            judge(shown, [LOG.vkey], head(LOG, old))


def test_who_is_not_the_log_is_not_allowed() -> None:
    """Expect refusal: no signature, a stranger's, or only one of the two keys that must sign."""
    stranger = Log([b"0"], seed=b"s" * 32)
    second = Ed25519Signer(ORIGIN, b"t" * 32)
    with refused("not-allowed"):
        judge(stranger.asks(0), [LOG.vkey], Head())
    with refused("not-allowed"):
        judge(LOG.asks(0), [LOG.vkey, second.vkey], Head())
    with refused("not-allowed"):
        judge(Submission(0, (), "nothing\n"), [LOG.vkey], Head())


def test_nothing_is_proven_from_the_empty_tree() -> None:
    """Expect refusal: the specification asks for an empty proof there."""
    asked = dataclasses.replace(LOG.asks(0), proof=(b"x" * 32,))
    with refused("bad-proof"):
        judge(asked, [LOG.vkey], Head())
    same = dataclasses.replace(LOG.asks(5, 5), proof=(b"x" * 32,))
    with refused("bad-proof"):
        judge(same, [LOG.vkey], head(LOG, 5))


# -- what a quorum is worth


@given(st.data())
def test_no_two_histories_both_reach_the_quorum(data: st.DataObject) -> None:
    """Every n and f, every way to split the honest ones: they cosign one history each, those who
    collude cosign both.
    """
    n = data.draw(st.integers(1, 64))
    f = data.draw(st.integers(0, tolerated(n)))
    one = data.draw(st.integers(0, n - f))
    assert not (one + f >= quorum(n, f) and (n - f - one) + f >= quorum(n, f))


@given(st.data())
def test_the_quorum_is_the_smallest_of_its_kind_and_honest_ones_alone_reach_it(
    data: st.DataObject,
) -> None:
    n = data.draw(st.integers(1, 64))
    f = data.draw(st.integers(0, tolerated(n)))
    needed = quorum(n, f)
    assert needed <= n - f, "those who collude cannot stop it by silence"
    honest = n - f
    one = honest // 2
    assert min(one, honest - one) + f >= needed - 1, "with one less, two could be had"


@pytest.mark.parametrize(
    ("n", "f", "q"), [(1, 0, 1), (3, 0, 2), (7, 2, 5), (12, 3, 8), (30, 9, 20)]
)
def test_the_quorums_of_known_sizes(n: int, f: int, q: int) -> None:
    assert (tolerated(n), quorum(n, f)) == (f, q)


@pytest.mark.slow
@given(st.integers(1, 7), st.data())
def test_real_witnesses_never_confirm_two_views(n: int, data: st.DataObject) -> None:
    """The same with witnesses that decide: honest ones keep one head, colluding ones keep none."""
    f = data.draw(st.integers(0, tolerated(n)))
    views = (grown(8), grown(8, fork=data.draw(st.integers(4, 7))))
    heads = [head(views[0], 4)] * (n - f)
    counts = [f, f]
    for at in data.draw(st.permutations(range(n - f))):
        for side in data.draw(st.permutations((0, 1))):
            try:
                judge(views[side].asks(heads[at].size), [LOG.vkey], heads[at])
            except TearlineError:
                continue
            heads[at] = head(views[side], 8)
            counts[side] += 1
    assert min(counts) < quorum(n, f)


# -- what is confirmed


KENA, GBRA, FRAA = (
    Ed25519Signer(f"{name}.example/witness", name.encode() * 8, ED25519_COSIGNATURE)
    for name in ("kena", "gbra", "fraa")
)
FRAA_TOO = MLDSA44Signer(FRAA.vkey.name, b"f" * 32)


def charter(quorum: int = 2, *named: NoteSigner, **more: Any) -> MissionCharter:
    words = body("MINUSX", ORIGIN, str(LOG.vkey), {"KEN": "0" * 64}, {})
    keys = [str(signer.vkey) for signer in named or (KENA, GBRA, FRAA, FRAA_TOO)]
    changed = {"salt": "0" * 32, "witnesses": keys, "witness_quorum": quorum}
    return MissionCharter.model_validate_json(json.dumps({**words, **changed, **more}))


def confirmed_by(note: str, charter: MissionCharter, known: int = 12) -> ConfirmedCheckpoint:
    return open_confirmed(note, [LOG.vkey], Witnesses.of(charter), known=known)


def cosigned(*times: tuple[NoteSigner, int]) -> str:
    return LOG.note() + "".join(signature_line(LOG.head(), s, at) for s, at in times)


def test_a_quorum_of_cosignatures_confirms_and_its_time_is_that_of_the_whole_quorum() -> None:
    confirmed = confirmed_by(cosigned((KENA, NOW), (GBRA, NOW - 50)), charter())
    assert confirmed.time == NOW - 50
    assert confirmed.covers(11)
    assert not confirmed.covers(12)
    every = cosigned((KENA, NOW), (GBRA, NOW - 50), (FRAA, NOW - 5), (FRAA_TOO, NOW - 9))
    assert confirmed_by(every, charter()).time == NOW - 9, "the newest two, by their oldest key"


@pytest.mark.parametrize(
    "signed",
    [
        (),
        ((KENA, NOW),),
        ((KENA, NOW), (FRAA, NOW)),
        ((FRAA, NOW), (FRAA_TOO, NOW)),
    ],
)
def test_fewer_than_the_quorum_confirm_nothing(signed: tuple[tuple[NoteSigner, int], ...]) -> None:
    """Expect refusal: one witness with two keys is one witness, and half of it is none."""
    with refused("bad-checkpoint", "of 2"):
        confirmed_by(cosigned(*signed), charter())


def test_a_mission_that_asks_for_no_witness_confirms_nothing() -> None:
    with refused("bad-checkpoint"):
        confirmed_by(cosigned((KENA, NOW)), charter(0))


def test_only_the_check_itself_makes_a_confirmed_checkpoint() -> None:
    with pytest.raises(TypeError):
        ConfirmedCheckpoint(LOG.head(), "", {}, 0)
