"""An app can prove its own accesses and the consent it was given, to anybody, for ever; and nothing about others."""

from contextlib import suppress

import httpx
import orjson
import pytest

from consent import clients, erasure
from consent.receipts import digest
from keys.errors import Damaged
from keys.note import proof, read_proof
from keys.state import open_column
from keys.text import b64, unb64
from tests.consent import sample
from tests.house import ALL_INTERESTS, INTERESTS, Granted, Household
from vault import fsck
from vault.tables import AppReceipt
from web.receipt import Shown, check_receipt
from web.verify import LogBroken

WISH = {"prefer": "receipt"}


def key(house: Household) -> str:
    """The log's verification key, as it is published."""
    return house.vault.log.ledger.vkey


async def ask(house: Household, path: str, client: str = "cultuurgids", **form: str) -> httpx.Response:
    """The app asks, showing who it is as at the token endpoint."""
    at = int(house.clock().timestamp())
    house.secrets["asked"] = str(int(house.secrets.get("asked", "0")) + 1)
    form = {"key": house.secrets.get(path, "")} | form
    own = sample.assertion(iss=client, sub=client, jti=f"r{house.secrets['asked']}", iat=at, exp=at + 60)
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    return await house.http.post(path, data={"client_assertion": own, "client_assertion_type": kind, **form})


async def read(house: Household, granted: Granted, headers: dict[str, str] = WISH) -> int:
    """The app reads a record and wants to be able to prove it; returns the entry."""
    answer = await house.call("GET", "/pods/an/interests/a.jsonld", granted.access, headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers.get("preference-applied") == headers.get("prefer")
    return noted(house, answer)


def noted(house: Household, answer: httpx.Response) -> int:
    """The app keeps the key it got with an answer; returns the entry."""
    entry = int(answer.headers["kluis-entry"])
    house.secrets[f"/api/log/receipts/{entry}"] = answer.headers.get("kluis-receipt", "")
    return entry


async def fetched(house: Household, entry: int) -> Shown:
    """The receipt of an entry, checked without the server."""
    answer = await ask(house, f"/api/log/receipts/{entry}")
    assert answer.status_code == 200, answer.text
    assert len(answer.content) <= 2048
    return check_receipt(answer.text, key(house))


async def test_a_receipt_waits_for_the_checkpoint_and_then_proves_the_access_to_anybody(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS)
    entry = await read(house, granted)
    early = await ask(house, f"/api/log/receipts/{entry}")
    assert (early.status_code, early.headers["retry-after"], early.content) == (202, "10", b"")
    await house.vault.publish()
    shown = await fetched(house, entry)
    assert (shown.index, shown.size, shown.origin) == (
        entry,
        house.vault.log.ledger.size,
        house.vault.log.ledger.origin,
    )
    line = next(line for line in house.told() if line["id"] == shown.told["id"])
    assert shown.told == {name: line[name] for name in shown.told}
    assert (shown.told["action"], shown.told["client"], shown.told["grant"]) == ("read", "cultuurgids", b64(granted.id))
    assert shown.told["resources"] == ["/interests/a.jsonld"]


async def test_a_receipt_tells_nothing_of_other_readers_nor_of_what_the_grant_hides(house: Household) -> None:
    granted = await house.grant(INTERESTS)
    entry = await read(house, granted)
    await house.vault.publish()
    shown = await fetched(house, entry)
    assert not {"seq", "prev", "count", "bytes", "agent", "rule", "note", "versions", "keyring"} & set(shown.told)
    line = next(line for line in house.told() if line["id"] == shown.told["id"])
    assert {"seq", "prev", "count", "bytes"} <= set(line)


async def test_without_the_wish_nothing_is_kept(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS)
    before = len(house.vault.db.read.find(AppReceipt))
    entry = await read(house, granted, {})
    assert len(house.vault.db.read.find(AppReceipt)) == before
    assert (await ask(house, f"/api/log/receipts/{entry}")).status_code == 404


@pytest.mark.parametrize("path", ["/api/records?category=pd:Interest", "/pods/an/interests/"])
async def test_every_way_of_reading_can_be_proven(house: Household, path: str) -> None:
    granted = await house.grant(ALL_INTERESTS)
    answer = await house.call("GET", path, granted.access, WISH)
    assert (answer.status_code, answer.headers["preference-applied"]) == (200, "receipt")
    await house.vault.publish()
    assert (await fetched(house, noted(house, answer))).told["resources"] == ["/interests/"]


async def test_the_app_keeps_proving_after_the_withdrawal_and_nobody_else_ever_can(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS)
    entry = await read(house, granted)
    await house.withdraw(granted)
    await house.vault.publish()
    assert (await fetched(house, entry)).told["decision"] == "allowed"
    anybody = await house.http.post(f"/api/log/receipts/{entry}")
    assert anybody.status_code == 401
    mine = house.told()[0]
    assert mine["action"] == "create pod"
    others = [index for index in range(entry) if index not in {row.idx for row in house.vault.db.read.find(AppReceipt)}]
    answers = [(await ask(house, f"/api/log/receipts/{index}")).status_code for index in others[:20]]
    assert set(answers) == {404}


async def test_an_entry_about_one_app_is_not_there_for_another(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS)
    entry = await read(house, granted)
    await house.vault.publish()
    await clients.register(house.vault, sample.OTHER_APP, house.clock())
    assert (await ask(house, f"/api/log/receipts/{entry}", "other")).status_code == 404
    listed = await ask(house, "/api/log/receipts", "other", grant=b64(granted.id))
    assert listed.json() == {"entries": [], "consents": []}


async def test_after_an_erasure_the_controller_still_proves_the_consent_and_the_server_nothing(
    house: Household,
) -> None:
    granted = await house.grant(ALL_INTERESTS)
    await house.withdraw(granted)
    await house.vault.publish()
    told = (await ask(house, "/api/log/receipts", grant=b64(granted.id))).json()
    claims = [orjson.loads(_claims(jws)) for jws in told["consents"]]
    given, ended = (digest(claim) for claim in claims)
    texts = [(await ask(house, f"/api/log/receipts/{one['entry']}")).text for one in told["entries"]]
    assert [claim["event"]["event_type"] for claim in claims] == ["given", "withdrawn"]
    await erasure.by_operator(house.vault, house.session.pod, house.clock())
    await house.vault.publish()
    assert [check_receipt(text, key(house)).told["digest"] for text in texts] == [given, ended]
    again = await ask(house, f"/api/log/receipts/{told['entries'][0]['entry']}")
    assert again.status_code == 404
    assert (await ask(house, "/api/log/receipts", grant=b64(granted.id))).json() == {"entries": [], "consents": []}


def _claims(jws: str) -> bytes:
    return unb64(jws.split(".")[1])


async def test_a_receipt_with_one_bit_turned_proves_nothing(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS)
    entry = await read(house, granted)
    await house.vault.publish()
    good = read_proof((await ask(house, f"/api/log/receipts/{entry}")).text)
    assert check_receipt(proof(*good[:3], good.extra), key(house)).told
    for at in range(len(good.extra)):
        bent = good.extra[:at] + bytes([good.extra[at] ^ 4]) + good.extra[at + 1 :]
        with pytest.raises(LogBroken):
            check_receipt(proof(*good[:3], bent), key(house))
    for place, path in ((good.place + 1, good.path), (good.place, good.path[1:]), (good.place, [])):
        with pytest.raises(LogBroken):
            check_receipt(proof(place, path, good.note, good.extra), key(house))
    with pytest.raises(LogBroken, match="another log"):
        check_receipt(proof(*good[:3], good.extra), key(house).replace("localhost:8400", "elders.example"))


async def test_equal_accesses_have_receipts_without_one_hash_in_common(house: Household) -> None:
    """None can be guessed and compared: every part has a nonce of its own."""
    granted = await house.grant(ALL_INTERESTS)
    entries = [await read(house, granted), await read(house, granted)]
    await house.vault.publish()
    extras = [read_proof((await ask(house, f"/api/log/receipts/{one}")).text).extra for one in entries]
    assert not set(_cut(extras[0])) & set(_cut(extras[1]))


def _cut(extra: bytes) -> list[bytes]:
    return [extra[at : at + 32] for at in (0, 32, 64)]


async def test_a_receipt_for_another_entry_than_its_own_is_a_fault_of_the_directory(house: Household) -> None:
    entry = await read(house, await house.grant(ALL_INTERESTS))
    data = house.house.settings.data
    assert fsck.check(data / "vault", data / "shares") == []
    await house.vault.db.write(lambda tx: tx.change(AppReceipt, {"idx": entry}, idx=entry + 1000))
    assert fsck.check(data / "vault", data / "shares") == [f"the receipt of entry {entry + 1000} has no record"]


async def test_what_an_app_asked_to_prove_is_read_by_nobody_but_that_app(house: Household) -> None:
    """The whole database with every key of the server tells that a receipt was asked for, and not one fact of it."""
    granted = await house.grant(ALL_INTERESTS)
    entry = await read(house, granted)
    await house.vault.publish()
    control, opened = house.session.pod.control, []
    for row in house.vault.db.read.find(AppReceipt):
        with suppress(Damaged):
            opened.append((row.idx, open_column(control, "appreceipt", row.entry, "sealed", row.sealed)))
    assert opened and entry not in {index for index, _ in opened}  # the consent is the server's own to know
    path = f"/api/log/receipts/{entry}"
    for key in ("", b64(bytes(32)), b64(b"short"), b64(unb64(house.secrets[path])[::-1])):
        assert (await ask(house, path, key=key)).status_code == 404
    assert (await ask(house, path, key="!")).status_code == 400
    assert (await ask(house, path)).status_code == 200


async def test_no_two_answers_bring_the_same_key_and_none_without_the_wish_brings_one(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS)
    entries = [await read(house, granted) for _ in range(3)] + [await read(house, granted, {})]
    keys = [house.secrets[f"/api/log/receipts/{entry}"] for entry in entries]
    assert len(set(keys[:3])) == 3 and {len(unb64(key)) for key in keys[:3]} == {32} and keys[3] == ""
