"""Every reader of the log follows a replaced key the same way: by certificates that stand in the log, and no others."""

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from federation.heirs import heirs, signed
from federation.policy import every_shard, read_policy
from keys.errors import Damaged
from keys.merkle import Tree, leaf_hash
from keys.note import checkpoint, proof, read_checkpoint, read_proof, sign_note, split, vkey
from keys.secret import Private
from keys.sign import new_signer, signer_public
from tests.house import ALL_INTERESTS, Household
from tests.log.test_receipts import ask, read
from tests.web.test_shards import bodies
from vault.log.handover import certified, hand_over
from web.quorum import check_quorum
from web.receipt import _entry, check_receipt
from web.verify import LogBroken, read_log

ORIGIN = "localhost:8400/log/2026h2"
Public = dict[str, bytes]


def copied(private: Private) -> Private:
    """What a thief took before the key was replaced and wiped."""
    return Private(bytes(private.view()))


def with_hands(public: Public, hands: list[str]) -> Public:
    """The same server, which shows other hand-overs."""
    return public | {"/log/handovers": json.dumps({"hands": hands}).encode()}


async def receipt(house: Household) -> str:
    """A receipt of a fresh access, under the newest head."""
    entry = await read(house, await house.grant(ALL_INTERESTS))
    await house.vault.publish()
    return (await ask(house, f"/api/log/receipts/{entry}")).text


async def replaced(house: Household, times: int = 1) -> list[str]:
    """The keys of a log that was replaced so often, all published."""
    await house.vault.publish()
    first = house.vault.log.ledger.vkey
    return [first, *[await hand_over(house.vault, house.clock()) for _ in range(times)]]


async def hands_of(house: Household) -> list[str]:
    return list((await house.http.get("/log/handovers")).json()["hands"])


async def test_a_receipt_is_followed_from_the_old_key_to_the_new_and_from_the_new_back_to_the_old(
    house: Household,
) -> None:
    old_receipt = await receipt(house)
    old, new, newest = await replaced(house, 2)
    new_receipt = await receipt(house)
    fetch = (await bodies(house)).__getitem__
    for key in (old, new, newest):
        for text in (old_receipt, new_receipt):
            assert check_receipt(text, key, fetch).told["action"] == "read"
    assert check_receipt(old_receipt, old).told and check_receipt(new_receipt, newest).told
    for text, key in ((old_receipt, newest), (new_receipt, old)):
        with pytest.raises(LogBroken, match="with --base"):
            check_receipt(text, key)


async def test_a_stranger_s_key_is_followed_nowhere_whatever_the_server_shows(house: Household) -> None:
    text = await receipt(house)
    await replaced(house)
    fetch = (await bodies(house)).__getitem__
    stranger = vkey(ORIGIN, signer_public(new_signer()))
    with pytest.raises(LogBroken, match="no known key"):
        check_receipt(text, stranger, fetch)
    with pytest.raises(LogBroken, match="not signed by"):
        read_log(fetch, stranger)


async def test_a_certificate_outside_the_tree_is_refused_by_every_reader(house: Household) -> None:
    """Somebody who stole the old key certifies his own, and signs as it; the log never said so."""
    await house.vault.publish()
    stolen, key, thief = copied(house.vault.log.shards.keys.private), house.vault.log.ledger.vkey, new_signer()
    public, ledger = await bodies(house), house.vault.log.ledger
    body = certified(house.vault.log.shards.host, stolen, signer_public(thief), house.clock())
    note = sign_note(split(ledger.note)[0], ORIGIN, thief)
    outside = proof(ledger.size - 1, ledger.inclusion(ledger.size - 1), note, body)
    fetch = (with_hands(public, [outside]) | {"/log/checkpoint": note.encode()}).__getitem__
    with pytest.raises(Damaged, match="not in the tree"):
        heirs(key, [outside])
    with pytest.raises(LogBroken, match="not signed by"):
        read_log(fetch, key)
    with pytest.raises(LogBroken, match="does not hold"):
        check_receipt(proof(0, ledger.inclusion(0), note, b"x" * 200), key, fetch)


async def test_a_chain_with_a_gap_leads_nowhere(house: Household) -> None:
    text_before = await receipt(house)
    old, _, newest = await replaced(house, 2)
    text, public = await receipt(house), await bodies(house)
    first, second = await hands_of(house)
    for hands in ([second], [first], []):
        fetch = with_hands(public, hands).__getitem__
        with pytest.raises(LogBroken, match="no known key"):
            check_receipt(text, old, fetch)
        with pytest.raises(LogBroken, match="not signed by"):
            read_log(fetch, old)
        assert check_receipt(text, newest, fetch).told
    with pytest.raises(LogBroken, match="no known key"):
        check_receipt(text_before, newest, with_hands(public, [second]).__getitem__)


async def test_who_handed_over_signs_no_more_although_its_signature_is_good(house: Household) -> None:
    """A hand-over that is rolled back: the old key again, over a tree that holds its own farewell."""
    await house.vault.publish()
    stolen = copied(house.vault.log.shards.keys.private)
    old, new = await replaced(house)
    text, public = await receipt(house), await bodies(house)
    good = read_proof(text)
    back = sign_note(split(house.vault.log.ledger.note)[0], ORIGIN, stolen)
    fetch = (public | {"/log/checkpoint": back.encode()}).__getitem__
    with pytest.raises(LogBroken, match="had handed over to another before"):
        read_log(fetch, old)
    for key in (old, new):
        with pytest.raises(LogBroken):
            check_receipt(proof(good.place, good.path, back, good.extra), key, public.__getitem__)


async def test_a_thief_of_an_old_key_cannot_backdate_a_receipt(house: Household) -> None:
    """He signs another log that is shorter than where the key was replaced: it is not the beginning of this one."""
    text = await receipt(house)
    stolen, good = copied(house.vault.log.shards.keys.private), read_proof(text)
    _, new = await replaced(house)
    nonce, app = good.extra[:32], json.dumps({"action": "delete"}, separators=(",", ":")).encode()
    extra, tree = nonce + good.extra[32:96] + app, Tree()
    tree.append(leaf_hash(_entry(extra)))
    note = sign_note(checkpoint(ORIGIN, 1, tree.root()), ORIGIN, stolen)
    with pytest.raises(LogBroken, match="over another log"):
        check_receipt(proof(0, [], note, extra), new, (await bodies(house)).__getitem__)


async def test_who_trusts_the_old_key_takes_nothing_that_its_thief_backdates(house: Household) -> None:
    """Neither in the tree as it was before the key was replaced, nor in a half-year before that."""
    text = await receipt(house)
    stolen, good = copied(house.vault.log.shards.keys.private), read_proof(text)
    old, _ = await replaced(house)
    extra, tree = good.extra[:96] + b'{"action":"delete"}', Tree()
    tree.append(leaf_hash(_entry(extra)))
    fetch = (await bodies(house)).__getitem__
    for origin in (ORIGIN, ORIGIN.replace("2026h2", "2026h1")):
        note = sign_note(checkpoint(origin, 1, tree.root()), origin, stolen)
        with pytest.raises(LogBroken, match="over another log"):
            check_receipt(proof(0, [], note, extra), old, fetch)


async def test_a_policy_that_names_the_old_key_still_speaks_for_the_log(house: Household) -> None:
    old, _, newest = await replaced(house, 2)
    log = read_log((await bodies(house)).__getitem__, newest)
    for key in (old, newest):
        assert check_quorum(log, read_policy(f"log {every_shard(key)}\nquorum none")) == 0
    stranger = every_shard(vkey(ORIGIN, signer_public(new_signer())))
    with pytest.raises(LogBroken, match="not as the policy demands"):
        check_quorum(log, read_policy(f"log {stranger}\nquorum none"))
    unsaid = replace(log, shards=(replace(log.shards[0], hands=log.shards[0].hands[1:]),))
    with pytest.raises(LogBroken, match="not as the policy demands"):
        check_quorum(unsaid, read_policy(f"log {every_shard(old)}\nquorum none"))


async def test_transparency_lists_every_key_with_its_entries_and_where_its_certificate_stands(
    house: Household,
) -> None:
    keys = await replaced(house, 2)
    told: list[dict[str, Any]] = (await house.http.get("/transparency.json")).json()["keys"]
    assert [one["vkey"] for one in told] == keys
    assert [one["until"] for one in told] == [one["from"] for one in told[1:]] + [None]
    assert told[0]["certificate"] is None and told[0]["from"] == 0
    log = read_log((await bodies(house)).__getitem__, keys[0])
    for one in told[1:]:
        assert one["certificate"]["origin"] == ORIGIN and one["certificate"]["at"]
        assert (one["certificate"]["index"], log.leaf(one["from"])) in log.shards[0].hands
    page = (await house.http.get("/transparency")).text
    assert all(key in page for key in keys) and 'id="log-keys"' in page


async def test_a_key_that_is_certified_and_not_published_is_listed_nowhere(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.vault.publish()
    old = house.vault.log.ledger.vkey

    async def never() -> int:
        return 0

    with monkeypatch.context() as patch:
        patch.setattr(house.vault, "publish", never)
        await hand_over(house.vault, house.clock())
    told = (await house.http.get("/transparency.json")).json()
    assert [one["vkey"] for one in told["keys"]] == [old] == [told["vkey"]] and await hands_of(house) == []
    await house.vault.publish()
    assert len((await house.http.get("/transparency.json")).json()["keys"]) == 2 == len(await hands_of(house)) + 1


async def test_each_proof_of_a_hand_over_stands_alone_and_not_one_bit_of_it_can_be_turned(house: Household) -> None:
    old, new = await replaced(house)
    (text,) = await hands_of(house)
    found = heirs(old, [text])
    assert [vkey(ORIGIN, one.public) for one in found] == [old, new]
    assert signed(house.vault.log.ledger.note, found)[0] == read_checkpoint(split(house.vault.log.ledger.note)[0])
    good = read_proof(text)
    for at in range(len(good.extra)):
        bent = good.extra[:at] + bytes([good.extra[at] ^ 4]) + good.extra[at + 1 :]
        with suppress(Damaged):  # another text of the same statement: it is not the entry
            assert len(heirs(old, [proof(good.place, good.path, good.note, bent)])) == 1
    with pytest.raises(Damaged):
        heirs(old, [proof(good.place - 1, good.path, good.note, good.extra)])
