"""The log's key is replaced: who trusts the old one follows its statement to the new one, and nobody else's."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from federation.heirs import followed
from keys.merkle import verify_consistency
from keys.note import sign_note, split, vkey
from keys.secret import Private
from keys.sign import new_signer, signer_public
from keys.text import b64, unb64
from tests.house import Household
from tests.log.reopened import reopened
from tests.web.test_log_check import verdict
from tests.web.test_shards import answered, bodies, exported
from tests.web.test_verify_js import NODE, in_node
from vault import fsck
from vault.log.handover import certified, hand_over, hands
from web.verify import LogBroken, check_records, read_directory, read_log

ORIGIN = "localhost:8400/log/2026h2"


async def test_who_trusts_the_old_key_follows_to_the_new_one(house: Household, tmp_path: Path) -> None:
    await house.vault.publish()
    old, before = house.vault.log.ledger.vkey, house.vault.log.ledger.told
    new = await hand_over(house.vault, house.clock())
    assert new != old and house.vault.log.ledger.vkey == new
    await house.keep("/interests/later.jsonld", {})
    await house.vault.publish()
    public, lines = await bodies(house), await exported(house)
    for key in (old, new):
        log = read_log(public.__getitem__, key)
        assert check_records(log, lines, settled=True).waiting == 0
        assert read_directory(tmp_path, key).head == log.head
    ledger, size = house.vault.log.ledger, before["size"]
    steps = ledger.consistency(size, log.head.size)
    verify_consistency(size, log.head.size, steps, ledger.tree.root(size), log.head.root)
    assert (await verdict(house))[0] is True
    assert fsck.check(tmp_path / "vault", tmp_path / "shares") == []


async def test_a_key_that_nobody_trusted_certified_leads_nowhere(house: Household) -> None:
    stranger, victim, heir = new_signer(), house.vault.log.shards.keys.private, signer_public(new_signer())
    host, now = house.vault.log.shards.host, house.clock()
    leaves = [
        b"\x01\x02" + certified(host, stranger, heir, now),
        b"\x01\x02" + certified("elsewhere", victim, heir, now),
        b"\x01\x02" + certified(host, victim, heir, now).replace(b"kluis", b"Kluis"),
    ]
    assert list(followed(house.vault.log.ledger.vkey, leaves)) == [house.vault.log.ledger.vkey]
    await house.vault.publish()
    public = await bodies(house)
    with pytest.raises(LogBroken, match="not signed by"):
        read_log(public.__getitem__, vkey(ORIGIN, signer_public(stranger)))


async def test_after_a_restart_the_new_key_signs_and_the_old_head_is_still_known(
    house: Household, tmp_path: Path
) -> None:
    await house.vault.publish()
    first = house.vault.log.ledger.vkey
    for _ in range(2):
        await hand_over(house.vault, house.clock())
    second = house.vault.log.ledger.vkey
    house.vault.close()
    async with reopened(house, tmp_path) as later:
        assert later.vault.log.ledger.vkey == second
        await later.keep("/interests/later.jsonld", {})
        await later.vault.publish()
        assert read_directory(tmp_path, first).head.size == later.vault.log.shards.kept
        assert later.vault.log.ledger.vkey == second


async def test_a_crash_between_the_statement_and_the_first_head_under_the_new_key_is_survived(
    house: Household, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.vault.publish()
    old = house.vault.log.ledger.vkey

    async def never() -> int:
        return 0

    with monkeypatch.context() as patch:
        patch.setattr(house.vault, "publish", never)
        await hand_over(house.vault, house.clock())
    house.vault.close()
    async with reopened(house, tmp_path) as later:
        assert later.vault.log.ledger.vkey == old, "the published head is the old key's"
        await later.vault.publish()
        assert later.vault.log.ledger.vkey != old
        assert read_directory(tmp_path, old).head.size == later.vault.log.shards.kept


@pytest.mark.parametrize("steps", range(12))
async def test_a_call_that_goes_away_at_any_moment_leaves_no_old_key_signing(
    house: Household, tmp_path: Path, steps: int
) -> None:
    await house.vault.publish()
    old = house.vault.log.ledger.vkey
    call = asyncio.create_task(hand_over(house.vault, house.clock()))
    for _ in range(steps):
        await asyncio.sleep(0)
    gone = call.cancel()
    with suppress(asyncio.CancelledError):
        await call
    await house.vault.db.write(lambda _: None)  # whatever was on its way to the disk is there
    async with house.vault.publishing:
        pass
    said = hands(house.vault.db.read)
    signs = signer_public(house.vault.log.shards.keys.private)
    assert said == [] if steps == 0 else [unb64(hand.told["to"]) for hand in said] == [signs]
    assert gone is (not call.done() or call.cancelled())
    await house.keep("/interests/later.jsonld", {})
    await house.vault.publish()
    assert read_directory(tmp_path, old).head.size == house.vault.log.shards.kept
    assert fsck.check(tmp_path / "vault", tmp_path / "shares") == []


@pytest.mark.skipif(NODE is None, reason="node is not installed: verify.js cannot be run here")
async def test_her_own_device_follows_only_a_certified_key(house: Household, tmp_path: Path) -> None:
    await house.vault.publish()
    first, stolen = await answered(house), Private(bytes(house.vault.log.shards.keys.private.view()))
    await hand_over(house.vault, house.clock())
    second = await answered(house)
    sizes = [log["shards"][0]["size"] for log in (first, second)]
    steps = (await house.http.get(f"/log/2026h2/consistency?old={sizes[0]}&new={sizes[1]}")).json()["proof"]
    (seen,) = in_node(tmp_path, [("check", [first, None, []])])
    unsaid, forged = (json.loads(json.dumps(second)) for _ in range(2))
    unsaid["hands"] = []
    forged["hands"][0]["leaf"] = b64(unb64(second["hands"][0]["leaf"]).replace(b'"at":1', b'"at":2'))
    (fresh,) = in_node(tmp_path, [("check", [second, None, []])])
    outside, rolled = (json.loads(json.dumps(second)) for _ in range(2))
    outside["hands"][0]["index"] -= 1
    note = sign_note(split(second["shards"][0]["checkpoint"])[0], ORIGIN, stolen)
    rolled["shards"][0] |= {"checkpoint": note, "vkey": vkey(ORIGIN, signer_public(stolen))}
    lies = (unsaid, forged, outside, rolled)
    jobs: list[tuple[str, list[Any]]] = [("check", [log, seen["memory"], steps]) for log in (second, *lies)]
    good, *bad = in_node(tmp_path, [*jobs, ("check", [first, fresh["memory"], []]), ("check", [rolled, None, []])])
    assert good["ok"] and fresh["ok"] and good["memory"]["key"] != seen["memory"]["key"]
    assert [one.get("reason") for one in bad] == ["key"] * 6
