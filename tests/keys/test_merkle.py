"""The tree against the recursions of RFC 6962, for all sizes up to 64."""

import hashlib
import random

import pytest

from keys.errors import Damaged, Misuse
from keys.merkle import EMPTY, Tree, leaf_hash, node_hash, verify_consistency, verify_inclusion, verify_together
from tests.keys import independent

# The eight entries and roots that implementations of Certificate Transparency test with.
ENTRIES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
MOST = 64
LEAVES = [independent.leaf(bytes([number])) for number in range(MOST)]
SIZES = range(MOST + 1)
NAIVE = [independent.tree_hash(LEAVES[:size]) for size in SIZES]


def grown(leaves):
    tree = Tree()
    for leaf in leaves:
        tree.append(leaf)
    return tree


TREE = grown(LEAVES)


def test_the_known_roots_of_certificate_transparency_come_out():
    tree = grown(leaf_hash(bytes.fromhex(entry)) for entry in ENTRIES)
    assert [tree.root(size).hex() for size in range(9)] == ROOTS
    assert EMPTY.hex() == ROOTS[0]


def test_leaves_and_nodes_are_hashed_apart():
    assert leaf_hash(b"x") == hashlib.sha256(b"\0x").digest()
    assert node_hash(b"l" * 32, b"r" * 32) == hashlib.sha256(b"\1" + b"l" * 32 + b"r" * 32).digest()


def test_a_root_is_the_naive_recursion_and_growing_changes_no_older_root():
    growing = Tree()
    for size in SIZES:
        assert growing.size == size
        assert [growing.root(old) for old in range(size + 1)] == NAIVE[: size + 1]
        if size < MOST:
            growing.append(LEAVES[size])
    assert growing.root() == NAIVE[MOST]


def test_the_root_that_more_leaves_will_give_is_the_one_they_give():
    for size in SIZES:
        for more in (0, 1, 2, 5):
            if size + more <= len(LEAVES):
                small = grown(LEAVES[:size])
                assert small.root_after(LEAVES[size : size + more]) == independent.tree_hash(
                    list(LEAVES[: size + more])
                )
                assert small.size == size


def test_a_tree_whose_full_tiles_lie_elsewhere_is_the_same_tree():
    """Over three levels of tiles: what is left in memory, what is fetched, and what is begun anew from both."""
    leaves = [leaf_hash(number.to_bytes(4, "big")) for number in range(256 * 257 + 300)]
    whole, shelf = grown(leaves), {}
    lean = Tree(lambda level, index: shelf[(level, index)])
    for number, leaf in enumerate(leaves):
        lean.append(leaf)
        if number % 1000 == 0:
            for level, index, hashes in lean.closed():
                shelf[(level, index)] = hashes
                lean.kept(level, index)
    full = max(index for level, index in shelf if level == 0) + 1
    again = Tree(lambda level, index: shelf[(level, index)], full)
    for leaf in leaves[256 * full :]:
        again.append(leaf)
    sizes = [1, 255, 256, 257, 65535, 65536, 65537, 65793, len(leaves)]
    for tree in (lean, again):
        assert tree.size == whole.size and shelf
        assert [tree.root(size) for size in sizes] == [whole.root(size) for size in sizes]
        for size in sizes[3:]:
            for index in (0, 255, 256, size // 2, size - 1):
                assert tree.inclusion(index, size) == whole.inclusion(index, size)
                assert tree.consistency(index, size) == whole.consistency(index, size)
        assert [tree.tile(*at) for at in ((0, 3), (0, 256), (1, 0))] == [
            whole.tile(*at) for at in ((0, 3), (0, 256), (1, 0))
        ]
        assert tree.tile(1, 1, 2) == whole.tile(1, 1, 2) and tree.tile(2, 0, 1) == whole.tile(2, 0, 1)


def test_a_tree_that_can_fetch_no_tile_keeps_every_one():
    tree = grown([leaf_hash(bytes([number])) for number in range(256)])
    with pytest.raises(Misuse, match="keeps them all"):
        tree.kept(0, 0)
    assert len(tree.inclusion(7, 256)) == 8


def test_every_inclusion_proof_is_the_naive_one_and_verifies():
    for size in SIZES:
        for index in range(size):
            proof = TREE.inclusion(index, size)
            assert proof == independent.path(index, LEAVES[:size])
            verify_inclusion(LEAVES[index], index, size, proof, NAIVE[size])


def test_every_consistency_proof_is_the_naive_one_and_verifies():
    for new in SIZES:
        for old in range(new + 1):
            proof = TREE.consistency(old, new)
            if old:
                assert proof == independent.subproof(old, LEAVES[:new])
            verify_consistency(old, new, proof, NAIVE[old], NAIVE[new])


def changed(dice, proof):
    """One proof with a node changed, dropped, doubled, added, cut short or moved."""
    at = dice.randrange(len(proof) + 1)
    extra = [*proof[:at], dice.randbytes(32), *proof[at:]]
    if not proof:
        return extra
    at %= len(proof)
    flipped = bytes([proof[at][0] ^ 1 << dice.randrange(8)]) + proof[at][1:]
    return dice.choice(
        [
            extra,
            [*proof[:at], flipped, *proof[at + 1 :]],
            [*proof[:at], *proof[at + 1 :]],
            [*proof[: at + 1], *proof[at:]],
            [*proof[:at], proof[at][:31], *proof[at + 1 :]],
            [*proof[:at], proof[at] + b"\0", *proof[at + 1 :]],
        ]
    )


def test_none_of_300_changed_inclusion_proofs_verifies():
    dice = random.Random(6962)
    for _ in range(300):
        size = dice.randrange(1, MOST + 1)
        index = dice.randrange(size)
        proof = TREE.inclusion(index, size)
        other = (index + 1 + dice.randrange(MOST - 1)) % MOST
        attempts = [
            (LEAVES[index], index, size, changed(dice, proof), NAIVE[size]),
            (LEAVES[other], index, size, proof, NAIVE[size]),
            (LEAVES[index], other, size, proof, NAIVE[size]),
            (LEAVES[index], index, size, proof, NAIVE[size - 1]),
            (LEAVES[index], size, size, proof, NAIVE[size]),
            (LEAVES[index], -1, size, proof, NAIVE[size]),
        ]
        for attempt in attempts:
            with pytest.raises(Damaged):
                verify_inclusion(*attempt)


def test_none_of_300_changed_consistency_proofs_verifies():
    dice = random.Random(9162)
    for _ in range(300):
        new = dice.randrange(2, MOST + 1)
        old = dice.randrange(1, new)
        proof = TREE.consistency(old, new)
        attempts = [
            (old, new, changed(dice, proof), NAIVE[old], NAIVE[new]),
            (old, new, proof, NAIVE[old - 1], NAIVE[new]),
            (old, new, proof, NAIVE[old], NAIVE[new - 1]),
            (old, new, proof, NAIVE[new], NAIVE[new]),
            (new, old, proof, NAIVE[new], NAIVE[old]),
            (old, new, [], NAIVE[old], NAIVE[new]),
        ]
        for attempt in attempts:
            with pytest.raises(Damaged):
                verify_consistency(*attempt)


@pytest.mark.parametrize(
    "attempt",
    [
        (0, 0, [], EMPTY, NAIVE[1]),
        (0, 5, [], NAIVE[1], NAIVE[5]),
        (0, 5, [NAIVE[1]], EMPTY, NAIVE[5]),
        (5, 5, [], NAIVE[4], NAIVE[5]),
        (5, 5, [NAIVE[1]], NAIVE[5], NAIVE[5]),
        (-1, 5, [], EMPTY, NAIVE[5]),
    ],
    ids=["empty with a root", "wrong empty root", "proof from nothing", "same size", "proof for nothing", "negative"],
)
def test_the_equal_and_the_empty_tree_have_one_proof_only(attempt):
    with pytest.raises(Damaged):
        verify_consistency(*attempt)


@pytest.mark.parametrize(
    ("index", "size", "proof"),
    [
        (0, 1, [LEAVES[1]]),
        (0, 4, [LEAVES[1]]),
        (0, 2, [LEAVES[1], LEAVES[2]]),
        (0, 2, [LEAVES[1][:31]]),
        (0, 2, [LEAVES[1] + b"x"]),
    ],
    ids=["too long for one leaf", "too short", "too long", "short hash", "long hash"],
)
def test_an_inclusion_proof_of_the_wrong_shape_is_refused_although_its_hashes_fit_a_root(index, size, proof):
    fitting, mirrored = LEAVES[index], LEAVES[index]
    for step in proof:
        fitting, mirrored = node_hash(fitting, step), node_hash(step, mirrored)
    for root in (fitting, mirrored, node_hash(LEAVES[2], node_hash(LEAVES[0], LEAVES[1]))):
        with pytest.raises(Damaged):
            verify_inclusion(LEAVES[index], index, size, proof, root)


def test_a_consistency_proof_of_the_wrong_shape_is_refused_although_its_hashes_fit_both_roots():
    one, two, three = LEAVES[:3]
    longer = node_hash(node_hash(one, two), three)
    for proof, root in (([two, three], longer), ([two[:31]], node_hash(one, two[:31]))):
        with pytest.raises(Damaged):
            verify_consistency(1, 2, proof, one, root)
    with pytest.raises(Damaged):
        verify_consistency(1, 4, [two], one, node_hash(one, two))


def test_a_history_that_was_rewritten_has_no_consistency_proof():
    for changed_leaf in range(20):
        leaves = list(LEAVES[:40])
        leaves[changed_leaf] = independent.leaf(b"other")
        rewritten = grown(leaves)
        with pytest.raises(Damaged):
            verify_consistency(20, 40, rewritten.consistency(20, 40), NAIVE[20], rewritten.root())


def test_a_tile_holds_the_hashes_that_c2sp_says():
    leaves = [independent.leaf(number.to_bytes(4, "big")) for number in range(256 * 3 + 7)]
    tree = grown(leaves)
    assert tree.tile(0, 0) == b"".join(leaves[:256])
    assert tree.tile(0, 3, 7) == b"".join(leaves[768:])
    assert tree.tile(1, 0, 3) == b"".join(independent.tree_hash(leaves[at : at + 256]) for at in (0, 256, 512))
    for level, index, width in (
        (0, 3, 8),
        (0, 4, 1),
        (1, 0, 4),
        (2, 0, 1),
        (0, 0, 0),
        (0, 0, 257),
        (-1, 0, 1),
        (0, -1, 1),
    ):
        with pytest.raises(Misuse):
            tree.tile(level, index, width)


def test_nothing_is_proven_beyond_the_tree():
    for question in (
        lambda: TREE.root(MOST + 1),
        lambda: TREE.root(-1),
        lambda: TREE.inclusion(0, MOST + 1),
        lambda: TREE.inclusion(5, 5),
        lambda: TREE.consistency(1, MOST + 1),
        lambda: TREE.consistency(6, 5),
        lambda: Tree().append(b"short"),
    ):
        with pytest.raises(Misuse):
            question()


def test_some_leaves_are_proven_together_in_trees_of_every_size_and_in_no_other_way():
    chance = random.Random(6962)
    for size in SIZES[1:]:
        some = sorted(chance.sample(range(size), chance.randint(1, size)))
        leaves, proof = [(index, LEAVES[index]) for index in some], TREE.together(some, size)
        verify_together(leaves, size, proof, NAIVE[size])
        if len(some) == 1:
            assert sorted(proof) == sorted(TREE.inclusion(some[0], size))
        at, other = chance.randrange(len(some)), leaf_hash(b"other")
        spoilt = [
            ([*leaves[:at], (some[at], other), *leaves[at + 1 :]], size, proof),
            (leaves, size, [*proof, other]),
            ([*leaves, leaves[-1]], size, proof),
            (leaves[::-1] if len(leaves) > 1 else [], size, proof),
            ([*leaves[:-1], (size, leaves[-1][1])], size, proof),
            ([(-1, leaves[0][1]), *leaves[1:]], size, proof),
        ]
        if proof:
            drop = chance.randrange(len(proof))
            spoilt += [(leaves, size, proof[:-1]), (leaves, size, [*proof[:drop], other, *proof[drop + 1 :]])]
            spoilt += [(leaves, size, [*proof[:-1], b"short"])]
        for case in spoilt:
            with pytest.raises(Damaged):
                verify_together(*case, NAIVE[size])


@pytest.mark.parametrize("indexes", [[], [-1], [MOST], [3, MOST]])
def test_no_proof_together_for_leaves_that_are_not_there(indexes):
    with pytest.raises(Misuse):
        TREE.together(indexes, MOST)
