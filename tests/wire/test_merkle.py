"""The tree: proofs equal the recursion of the RFC, and nothing else verifies."""

import contextlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import merkle
from wire.errors import Malformed
from wire.merkle import Climbing, Edge, Frontier, Node

LEAVES = [merkle.leaf_hash(b"%d" % i) for i in range(300)]


# -- RFC 9162, section 2.1, word for word


def mth(leaves: Sequence[bytes]) -> bytes:
    if not leaves:
        return merkle.EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    return merkle.node_hash(mth(leaves[:k]), mth(leaves[k:]))


def path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: Sequence[bytes], whole: bool) -> list[bytes]:
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    if m <= k:
        return [*subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


def nodes(wanted: Sequence[Node]) -> list[bytes]:
    return [mth(LEAVES[index << level : (index + 1) << level]) for level, index in wanted]


def grown(size: int) -> Frontier:
    tree = Frontier()
    for leaf in LEAVES[:size]:
        tree.append(leaf)
    return tree


# -- building


def test_the_constants_are_those_of_the_rfc() -> None:
    assert merkle.EMPTY_ROOT.hex() == (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
    assert merkle.leaf_hash(b"").hex() == (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    )


@pytest.mark.slow
def test_every_proof_in_small_trees_equals_the_recursion() -> None:
    for size in range(1, 42):
        leaves, root = LEAVES[:size], mth(LEAVES[:size])
        for index in range(size):
            proof = merkle.inclusion_proof(index, size, nodes)
            assert proof == path(index, leaves)
            merkle.verify_inclusion(index, size, leaves[index], proof, root)
        for old in range(1, size + 1):
            proof = merkle.consistency_proof(old, size, nodes)
            assert proof == subproof(old, leaves, True)
            merkle.verify_consistency(old, size, proof, mth(leaves[:old]), root)


@pytest.mark.slow
@given(st.integers(1, 300), st.data())
def test_proofs_in_larger_trees_equal_the_recursion(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    assert merkle.inclusion_proof(index, size, nodes) == path(index, LEAVES[:size])
    assert merkle.consistency_proof(old, size, nodes) == subproof(old, LEAVES[:size], True)
    assert merkle.root_at(size, nodes) == grown(size).root() == mth(LEAVES[:size])


def test_the_root_of_no_leaves_is_the_empty_root() -> None:
    assert merkle.root_at(0, nodes) == Frontier().root() == merkle.EMPTY_ROOT


def test_a_consistency_proof_from_nothing_or_to_itself_is_empty() -> None:
    assert merkle.consistency_proof(0, 5, nodes) == []
    assert merkle.consistency_proof(5, 5, nodes) == []


@given(st.integers(0, 1 << 40), st.integers(0, 1 << 40))
def test_a_cover_is_aligned_gapless_and_short(start: int, width: int) -> None:
    end = start + width
    cover, at = merkle.range_nodes(start, end), start
    for level, index in cover:
        assert index << level == at
        at += 1 << level
    assert at == end
    assert len(cover) <= 2 * max(1, width.bit_length())


def test_stored_hashes_hold_every_perfect_subtree_at_its_documented_place() -> None:
    tree = Frontier()
    stored = [tree.append(leaf) for leaf in LEAVES[:70]]
    for level in range(7):
        for index in range(70 >> level):
            row = stored[((index + 1) << level) - 1]
            assert row[32 * level : 32 * level + 32] == nodes([(level, index)])[0]


def test_a_copied_frontier_grows_on_its_own() -> None:
    tree = grown(5)
    copy = tree.copy()
    copy.append(LEAVES[5])
    assert (tree.size, tree.root()) == (5, mth(LEAVES[:5]))
    assert (copy.size, copy.root()) == (6, mth(LEAVES[:6]))


@pytest.mark.slow
@given(st.integers(0, 150), st.integers(0, 80))
def test_the_newest_leaves_are_proved_from_memory_alone(before: int, added: int) -> None:
    old = grown(before)
    tree = old.copy()
    edge = Edge(old, [tree.append(leaf) for leaf in LEAVES[before : before + added]])
    for index in range(before, before + added):
        assert edge.proof(index) == path(index, LEAVES[: before + added])


@pytest.mark.parametrize("index", [-1, 0, 4, 8, 9])
def test_the_edge_refuses_leaves_that_it_does_not_hold(index: int) -> None:
    old = grown(5)
    tree = old.copy()
    edge = Edge(old, [tree.append(leaf) for leaf in LEAVES[5:8]])
    with pytest.raises(Malformed, match="edge of the tree"):
        edge.proof(index)


@pytest.mark.parametrize(
    ("size", "stack"),
    [
        (1, []),
        (3, [LEAVES[0]]),
        (0, [LEAVES[0]]),
        (1, [b"short"]),
        (-1, [LEAVES[0]]),
        (1 << 63, [LEAVES[0]]),
    ],
)
def test_a_frontier_that_does_not_fit_its_size_is_refused(size: int, stack: list[bytes]) -> None:
    with pytest.raises(Malformed, match="bad-proof"):
        Frontier(size, stack)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (4, 4), (-1, 4)])
def test_no_inclusion_proof_is_built_for_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(Malformed, match="the index is not in the tree"):
        merkle.inclusion_proof(index, size, nodes)


@pytest.mark.parametrize(("old", "new"), [(-1, 4), (5, 4)])
def test_no_consistency_proof_is_built_backwards(old: int, new: int) -> None:
    with pytest.raises(Malformed, match="out of order"):
        merkle.consistency_proof(old, new, nodes)


# -- refusing


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8 % len(changed)] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.slow
@given(st.integers(2, 64), st.data())
def test_a_mutated_inclusion_proof_is_refused(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaf, proof, root = LEAVES[index], path(index, LEAVES[:size]), mth(LEAVES[:size])
    at, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
    other = data.draw(st.integers(-2, size + 2).filter(lambda i: i != index))
    before, after = proof[:at], proof[at + 1 :]
    attempts = {
        "a flipped bit": (index, size, leaf, [*before, flipped(proof[at], bit), *after], root),
        "a hash less": (index, size, leaf, [*before, *after], root),
        "a hash more": (index, size, leaf, [*proof[:at], bytes(32), *proof[at:]], root),
        "another index": (other, size, leaf, proof, root),
        "another leaf": (index, size, flipped(leaf, bit), proof, root),
        "another root": (index, size, leaf, proof, flipped(root, bit)),
        "a short root": (index, size, leaf, proof, root[:-1]),
        "a long leaf": (index, size, leaf + b"\0", proof, root),
        "a long hash": (index, size, leaf, [*before, proof[at] + b"\0", *after], root),
    }  # fmt: skip
    for name, attempt in attempts.items():
        with pytest.raises(Malformed) as caught:
            merkle.verify_inclusion(*attempt)
        assert caught.value.slug == "bad-proof", name


@pytest.mark.slow
@given(st.integers(2, 64), st.data())
def test_many_leaves_of_one_tree_are_judged_like_each_alone(size: int, data: st.DataObject) -> None:
    """Whatever was climbed before: a proof passes if it passes by itself, and no other does."""
    root = mth(LEAVES[:size])
    climbing, indices = Climbing(size, root), st.integers(0, size - 1)
    for _ in range(data.draw(st.integers(1, 12))):
        index, shown = data.draw(indices), data.draw(indices)
        leaf, proof = LEAVES[index], path(shown, LEAVES[:size])
        if data.draw(st.booleans()) and proof:
            at = data.draw(st.integers(0, len(proof) - 1))
            proof[at] = data.draw(st.sampled_from([flipped(proof[at], 3), proof[at][:-1], root]))
        try:
            Climbing(size, root).verify(index, leaf, proof)
        except Malformed:
            with pytest.raises(Malformed):
                climbing.verify(index, leaf, proof)
        else:
            assert index == shown
            climbing.verify(index, leaf, proof)


def test_a_way_that_was_climbed_does_not_excuse_a_false_rest() -> None:
    """Expect refusal: the leaf is right, and what is left of its proof is nobody's."""
    climbing = Climbing(64, mth(LEAVES[:64]))
    climbing.verify(4, LEAVES[4], path(4, LEAVES[:64]))
    for at in range(6):
        proof = path(5, LEAVES[:64])
        proof[at] = flipped(proof[at], 0)
        with pytest.raises(Malformed, match="not in the tree"):
            climbing.verify(5, LEAVES[5], proof)


@given(st.integers(2, 64), st.data())
def test_a_mutated_consistency_proof_is_refused(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new - 1))
    proof = subproof(old, LEAVES[:new], True)
    a, b = mth(LEAVES[:old]), mth(LEAVES[:new])
    at, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
    attempts = {
        "a flipped bit": (old, new, [*proof[:at], flipped(proof[at], bit), *proof[at + 1 :]], a, b),
        "a hash less": (old, new, [*proof[:at], *proof[at + 1 :]], a, b),
        "a hash more": (old, new, [*proof[:at], bytes(32), *proof[at:]], a, b),
        "no hashes": (old, new, [], a, b),
        "another old root": (old, new, proof, flipped(a, bit), b),
        "another new root": (old, new, proof, a, flipped(b, bit)),
        "the roots swapped": (old, new, proof, b, a),
        "a short root": (old, new, proof, a[:-1], b),
        "a long hash": (old, new, [*proof[:at], proof[at] + b"\0", *proof[at + 1 :]], a, b),
        "backwards": (new, old, proof, b, a),
    }  # fmt: skip
    for name, attempt in attempts.items():
        with pytest.raises(Malformed) as caught:
            merkle.verify_consistency(*attempt)
        assert caught.value.slug == "bad-proof", name


def test_an_index_beyond_the_tree_is_refused_whatever_the_hashes_say() -> None:
    """Some verifiers accept index 5 in a tree of 4: the bits that they look at are those of 1."""
    proof, root = path(1, LEAVES[:4]), mth(LEAVES[:4])
    merkle.verify_inclusion(1, 4, LEAVES[1], proof, root)
    with pytest.raises(Malformed, match="not in the tree"):
        merkle.verify_inclusion(5, 4, LEAVES[1], proof, root)


@pytest.mark.parametrize(
    ("index", "size", "really", "root_of"),
    [(-1, 1, 3, 4), (0, 4, 4, 8), (0, 8, 0, 4)],
    ids=["a negative index", "a hash too many", "a hash too few"],
)
def test_a_proof_from_a_tree_of_another_shape_is_refused(
    index: int, size: int, really: int, root_of: int
) -> None:
    """Each of these hashes to the root: only index and length show the lie."""
    proof, root = path(really, LEAVES[:root_of]), mth(LEAVES[:root_of])
    merkle.verify_inclusion(really, root_of, LEAVES[really], proof, root)
    with pytest.raises(Malformed, match="bad-proof"):
        merkle.verify_inclusion(index, size, LEAVES[really], proof, root)


def test_a_consistency_proof_to_a_tree_of_another_shape_is_refused() -> None:
    proof, a, b = subproof(2, LEAVES[:4], True), mth(LEAVES[:2]), mth(LEAVES[:4])
    merkle.verify_consistency(2, 4, proof, a, b)
    with pytest.raises(Malformed, match="wrong length"):
        merkle.verify_consistency(2, 8, proof, a, b)


def test_a_byte_cannot_move_from_one_hash_to_its_neighbour() -> None:
    """Both splits of the 64 bytes hash to the same node."""
    root = mth(LEAVES[:2])
    with pytest.raises(Malformed, match="not 32 bytes"):
        merkle.verify_inclusion(1, 2, LEAVES[0][-1:] + LEAVES[1], [LEAVES[0][:-1]], root)
    proof = subproof(3, LEAVES[:4], True)
    moved = [proof[0] + proof[1][:1], proof[1][1:], proof[2]]
    fork = merkle.node_hash(proof[0], proof[1])
    assert merkle.node_hash(moved[0], moved[1]) == fork
    with pytest.raises(Malformed, match="not 32 bytes"):
        merkle.verify_consistency(3, 4, moved, mth(LEAVES[:3]), mth(LEAVES[:4]))
    long = mth(LEAVES[:1]) + LEAVES[1][:1]
    with pytest.raises(Malformed, match="not 32 bytes"):
        merkle.verify_consistency(1, 2, [LEAVES[1][1:]], long, mth(LEAVES[:2]))


def test_sizes_that_do_not_fit_64_signed_bits_are_refused() -> None:
    with pytest.raises(Malformed, match="the index is not in the tree"):
        merkle.verify_inclusion(0, 1 << 63, LEAVES[0], [bytes(32)] * 63, bytes(32))
    with pytest.raises(Malformed, match="out of order"):
        merkle.verify_consistency(1, 1 << 63, [bytes(32)] * 63, LEAVES[0], bytes(32))


def test_a_proof_from_the_empty_tree_is_refused() -> None:
    """Everything starts with nothing, so such a proof proves nothing."""
    with pytest.raises(Malformed, match="out of order"):
        merkle.verify_consistency(0, 4, [], merkle.EMPTY_ROOT, mth(LEAVES[:4]))


def test_one_size_has_one_root_and_needs_no_proof() -> None:
    root = mth(LEAVES[:4])
    merkle.verify_consistency(4, 4, [], root, root)
    with pytest.raises(Malformed, match="two roots"):
        merkle.verify_consistency(4, 4, [], root, mth(LEAVES[:5]))
    with pytest.raises(Malformed, match="two roots"):
        merkle.verify_consistency(4, 4, [root], root, root)


def test_a_leaf_is_not_a_node() -> None:
    """The prefixes keep the two apart: the children of a node are not the bytes of a leaf."""
    root = mth(LEAVES[:2])
    with pytest.raises(Malformed, match="not in the tree with this root"):
        merkle.verify_inclusion(0, 1, merkle.leaf_hash(LEAVES[0] + LEAVES[1]), [], root)


@given(
    st.integers(-(1 << 70), 1 << 70),
    st.integers(-(1 << 70), 1 << 70),
    st.lists(st.binary(max_size=40), max_size=5),
    st.binary(max_size=33),
)
def test_any_input_to_a_verifier_is_refused_or_true_and_nothing_else(
    a: int, b: int, proof: list[bytes], some: bytes
) -> None:
    with contextlib.suppress(Malformed):
        merkle.verify_inclusion(a, b, some, proof, some)
    with contextlib.suppress(Malformed):
        merkle.verify_consistency(a, b, proof, some, some)
