"""Policies of logs and witnesses: quorums of groups, and every line that a policy must not have."""

from itertools import combinations

import pytest

from federation.errors import BadPolicy
from federation.policy import every_shard, read_policy
from keys.cosign import witness_vkey
from keys.note import vkey
from keys.sign import new_signer, signer_public

KEYS = [witness_vkey(f"w{number}.test", new_signer()) for number in range(6)]
LOG = vkey("kluis.test/log/2026h2", signer_public(new_signer()))
W = [f"witness W{number} {key}" for number, key in enumerate(KEYS)]


def met(policy: str) -> set[tuple[int, ...]]:
    """Every set of the six witnesses that is a quorum, in the smallest form."""
    read = read_policy(policy)
    good = [
        chosen
        for size in range(7)
        for chosen in combinations(range(6), size)
        if read.met([KEYS[number] for number in chosen])
    ]
    return {chosen for chosen in good if not any(set(other) < set(chosen) for other in good)}


def test_two_of_three_is_any_two_of_the_three() -> None:
    text = "\n".join([*W[:3], "group city 2 W0 W1 W2", "quorum city"])
    assert met(text) == {(0, 1), (0, 2), (1, 2)}
    assert read_policy(text).needed == 2


def test_groups_of_groups_count_members_and_not_witnesses() -> None:
    text = "\n".join([*W[:5], "group x 2 W0 W1 W2", "group y any W3 W4", "group both all x y", "quorum both"])
    assert met(text) == {(a, b, c) for a, b in ((0, 1), (0, 2), (1, 2)) for c in (3, 4)}
    assert read_policy(text).needed == 3


def test_one_witness_or_none_can_be_the_quorum() -> None:
    assert met(f"{W[0]}\nquorum W0") == {(0,)}
    assert met("quorum none") == {()}
    assert read_policy("quorum none").needed == 0


def test_cosignatures_of_others_never_make_a_quorum() -> None:
    assert not read_policy(f"{W[0]}\nquorum W0").met(KEYS[1:])


def test_comments_blank_lines_tabs_and_addresses_are_read() -> None:
    read = read_policy(f"# ours\n\n  log\t{LOG}   https://kluis.test  \n{W[0]} https://w0.test/\n\tquorum W0\n")
    assert read.logs == (LOG,)
    assert read.witnesses[0].url == "https://w0.test"


def test_the_key_for_every_half_year_is_the_logs_own_under_another_name() -> None:
    pattern = every_shard(LOG)
    assert pattern.startswith("kluis.test/log/*+")
    assert pattern.rpartition("+")[2] == LOG.rpartition("+")[2]


BAD = {
    "no quorum": W[0],
    "two quorums": "quorum none\nquorum none",
    "an unknown quorum": "quorum W0",
    "a quorum before its group": f"{W[0]}\nquorum g\ngroup g all W0",
    "an unknown line": "trust me\nquorum none",
    "a witness twice": f"{W[0]}\nwitness W1 {KEYS[0]}\nquorum none",
    "the same key by another name": f"{W[0]}\nwitness W1 {KEYS[0].replace('w0', 'w9')}\nquorum none",
    "a name twice": f"{W[0]}\nwitness W0 {KEYS[1]}\nquorum none",
    "a group with a witness's name": f"{W[0]}\ngroup W0 all W0\nquorum none",
    "a group in itself": f"{W[0]}\ngroup g all g\nquorum none",
    "a witness in two groups": f"{W[0]}\ngroup g all W0\ngroup h all W0\nquorum h",
    "a member twice": f"{W[0]}\ngroup g 1 W0 W0\nquorum g",
    "none as a member": f"{W[0]}\ngroup g any none W0\nquorum g",
    "none as a name": f"witness none {KEYS[0]}\nquorum none",
    "more than there are": f"{W[0]}\ngroup g 2 W0\nquorum g",
    "zero of them": f"{W[0]}\ngroup g 0 W0\nquorum g",
    "a number with a zero before it": f"{W[0]}\ngroup g 01 W0\nquorum g",
    "no members": f"{W[0]}\ngroup g all\nquorum g",
    "a log's key for a witness": f"witness W0 {LOG}\nquorum W0",
    "a witness's key for a log": f"log {KEYS[0]}\nquorum none",
    "a log twice": f"log {LOG}\nlog {LOG}\nquorum none",
    "a broken key": f"log {LOG[:-4]}AAAA\nquorum none",
    "an address that is none": f"{W[0]} ftp://w0.test\nquorum W0",
    "a control character": "quorum none\r\n",
    "something behind the quorum": "quorum none none",
}


@pytest.mark.parametrize("name", BAD)
def test_a_policy_that_is_wrong_is_refused(name: str) -> None:
    with pytest.raises(BadPolicy):
        read_policy(BAD[name])


def test_a_refusal_names_the_line() -> None:
    with pytest.raises(BadPolicy, match="line 3: W9"):
        read_policy(f"{W[0]}\n\nquorum W9")
