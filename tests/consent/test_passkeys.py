"""Passkeys: what opens a vault, and every answer that does not, with the reason that the log gives for it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from consent.accounts import assertions, passkeys, passphrase, people, proof, renewal, tries, ways
from consent.accounts.passkeys import Answer, Purpose
from consent.accounts.people import AccountFacts, enroll
from consent.accounts.proof import Proof
from consent.accounts.sessions import SessionFacts, log_private
from consent.errors import BadCeremony
from keys.errors import Damaged, KeysError, UnknownVersion
from keys.text import b64, unb64
from keys.unlock import prf_salt
from tests.conftest import BASE, Clock
from tests.consent.authenticator import PRESENT, VERIFIED, Device
from tests.consent.entering import PHRASE, an, entered, records, stored
from vault.errors import Denied
from vault.log.entry import Facts, Intent
from vault.shares import Drop
from vault.tables import Unlocker
from vault.vault import Vault

BROWSER = b"the cookie of this browser"


@dataclass
class Citizen:
    """An with one passkey, logged in."""

    vault: Vault
    clock: Clock
    session: SessionFacts
    device: Device
    codes: tuple[str, ...]

    @property
    def account(self) -> AccountFacts:
        found = people.by_id(self.vault, self.session.account)
        assert found is not None
        return found

    def asked(self, purpose: str = "login", bound: bytes = BROWSER) -> str:
        account = None if purpose == "login" else self.account
        challenge = passkeys.challenge(Purpose(purpose, bound), self.clock())
        return passkeys.request_options(BASE, account, challenge)

    async def enter(self, answer: tuple[str, str]) -> bool:
        return await assertions.login(self.vault, Answer(*answer), BROWSER, self.clock()) is not None

    async def add(self, device: Device, **lies: Any) -> None:
        challenge = passkeys.challenge(Purpose("add", self.session.handle), self.clock())
        made = device.create(passkeys.creation_options(BASE, self.account, challenge), **lies)
        await renewal.add_passkey(self.vault, self.session, Answer(*made), self.clock())

    def rules(self, last: int = 2) -> list[tuple[str, str, str]]:
        with log_private(self.session) as private:
            told = records(self.vault, private, self.session.pod)
        return [(one["type"], one["decision"], one["rule"]) for one in told[-last:]]


@pytest.fixture
async def citizen(vault: Vault, clock: Clock) -> Citizen:
    made = await an(vault, clock, phrase=PHRASE)
    _, session = await entered(vault, "an", PHRASE, clock)
    found = Citizen(vault, clock, session, Device(), made.codes)
    await found.add(found.device)
    return found


def refused(rule: str) -> list[tuple[str, str, str]]:
    return [("unlock", "denied", rule), ("denial", "denied", rule)]


async def test_a_passkey_opens_a_session_in_the_order_of_every_unlocker(citizen: Citizen) -> None:
    assert await citizen.enter(citizen.device.get(citizen.asked()))
    assert citizen.rules() == [("unlock", "allowed", "passkey"), ("key event", "allowed", "session")]
    assert [way.kind for way in citizen.account.ways] == ["passphrase", "recovery", "passkey"]


async def test_what_is_asked_is_the_same_for_everybody_and_names_no_account(citizen: Citizen) -> None:
    told = [json.loads(citizen.asked()) for _ in range(2)]
    assert told[0]["allowCredentials"] == []
    assert told[0].pop("challenge") != told[1].pop("challenge")
    assert told[0] == told[1]
    assert told[0]["rpId"] == "localhost"
    assert told[0]["extensions"] == {"prf": {"eval": {"first": b64(prf_salt("localhost"))}}}


def test_what_prf_is_asked_for_never_changes() -> None:
    assert prf_salt("localhost").hex() == "3835b9e4a4078c11287ed0c9cbb688a32ce730103d20051f8fbcd4cfe817c004"
    assert prf_salt("kluis.example") != prf_salt("localhost")


async def test_an_answer_works_once(citizen: Citizen) -> None:
    answer = citizen.device.get(citizen.asked())
    assert await citizen.enter(answer)
    assert not await citizen.enter(answer)
    assert citizen.rules() == refused("replay")


@pytest.mark.parametrize("purpose", ["confirm", "add"])
async def test_a_challenge_made_for_something_else_is_refused(citizen: Citizen, purpose: str) -> None:
    assert not await citizen.enter(citizen.device.get(citizen.asked(purpose)))
    assert citizen.rules() == refused("stale_challenge")


async def test_a_challenge_of_another_browser_too_old_or_made_up_is_refused(citizen: Citizen) -> None:
    old = citizen.device.get(citizen.asked())
    citizen.clock.forward(minutes=15)
    invented = json.loads(citizen.asked()) | {"challenge": b64(b"x" * 56)}
    empty = json.loads(citizen.asked()) | {"challenge": ""}
    for answer in (
        old,
        citizen.device.get(citizen.asked(bound=b"another browser")),
        citizen.device.get(json.dumps(invented)),
        citizen.device.get(json.dumps(empty)),
    ):
        assert not await citizen.enter(answer)
        assert citizen.rules() == refused("stale_challenge")
        citizen.clock.forward(hours=2)


@pytest.mark.parametrize(
    ("lie", "rule"),
    [
        ({"origin": "https://evil.example"}, "wrong_origin"),
        ({"origin": "http://localhost:8401"}, "wrong_origin"),
        ({"origin": "http://localhost:8400/"}, "wrong_origin"),
        ({"origin": "http://LOCALHOST:8400"}, "wrong_origin"),
        ({"cross_origin": True}, "wrong_origin"),
        ({"rp_id": "evil.example"}, "other_site"),
        ({"flags": PRESENT}, "not_verified"),
        ({"flags": VERIFIED}, "not_verified"),
        ({"key": Device().key}, "not_verified"),
        ({"step": 0}, "sign_count"),
        ({"count": 0, "step": 1}, "sign_count"),
        ({"count": -1, "step": 1}, "sign_count"),
        ({"prf": False}, "no_prf"),
    ],
)
async def test_an_answer_that_is_not_what_it_should_be_opens_nothing_and_the_log_says_why(
    citizen: Citizen, lie: dict[str, Any], rule: str
) -> None:
    before = citizen.vault.log.ledger.tree.size
    assert not await citizen.enter(replace(citizen.device, **lie).get(citizen.asked()))
    assert citizen.rules() == refused(rule)
    assert citizen.vault.log.ledger.tree.size == before + 2
    citizen.device.count += 1  # the lying answer may have been a use of it
    assert await citizen.enter(citizen.device.get(citizen.asked())), "the real one still opens"


async def test_a_right_signature_with_a_wrong_key_opens_nothing(citizen: Citizen) -> None:
    other = replace(citizen.device, secret=b"s" * 32)
    assert not await citizen.enter(other.get(citizen.asked()))
    assert citizen.rules() == [("unlock", "allowed", "passkey"), ("denial", "denied", "wrong_secret")]


async def test_passkeys_that_never_count_are_taken(citizen: Citizen) -> None:
    synced = Device(step=0)
    await citizen.add(synced)
    for _ in range(2):
        assert await citizen.enter(synced.get(citizen.asked()))


async def test_somebody_elses_passkey_opens_nothing_of_mine(citizen: Citizen) -> None:
    vault, clock = citizen.vault, citizen.clock
    await enroll(vault, "bo", "Bo", "citizen", "bo", PHRASE, clock())
    _, hers = await entered(vault, "bo", PHRASE, clock)
    bo = Citizen(vault, clock, hers, Device(), ())
    await bo.add(bo.device)
    borrowed = replace(bo.device, user=citizen.device.user)
    assert not await citizen.enter(borrowed.get(citizen.asked()))
    assert citizen.rules() == refused("unknown_passkey")
    renamed = replace(bo.device, user=citizen.device.user, id=citizen.device.id)
    assert not await citizen.enter(renamed.get(citizen.asked()))
    assert citizen.rules() == refused("not_verified")
    shown = Answer(*bo.device.get(citizen.asked("confirm", citizen.session.handle)))
    assert not await proof.confirm(vault, citizen.session, Proof(answer=shown), clock())
    assert citizen.rules() == refused("unknown_passkey")


async def test_a_passkey_of_nobody_costs_what_a_wrong_one_costs(
    citizen: Citizen, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []
    real = passkeys.verify_authentication_response
    monkeypatch.setattr(passkeys, "verify_authentication_response", lambda **k: [verified.append("x"), real(**k)][1])
    wrong, nobody = replace(citizen.device, key=Device().key), Device(user=b"n" * 16)
    for device, times in ((wrong, 1), (nobody, 2)):
        before = citizen.vault.log.ledger.tree.size
        assert not await citizen.enter(device.get(citizen.asked()))
        assert citizen.vault.log.ledger.tree.size == before + 2
        assert len(verified) == times


@pytest.mark.parametrize(
    "credential",
    ["", "{}", "[]", "null", "1", '"x"', "{", '{"id": 1}', '{"id": "*", "response": []}',
     '{"response": {"userHandle": 5}}', '{"id": "QQ", "response": {"clientDataJSON": "QQ"}}',
     "[" * 30_000, '{"id": "' + "A" * 60_000 + '"}'],
)  # fmt: skip
async def test_garbage_is_refused_like_everything_else(citizen: Citizen, credential: str) -> None:
    assert not await citizen.enter((credential, "x"))
    with pytest.raises(BadCeremony):
        await renewal.add_passkey(citizen.vault, citizen.session, Answer(credential, "x"), citizen.clock())


async def test_any_byte_of_an_answer_changed_opens_nothing(citizen: Citizen) -> None:
    for name in ("authenticatorData", "signature", "clientDataJSON"):
        for at in range(0, 37, 4):
            credential, prf = citizen.device.get(citizen.asked())
            told = json.loads(credential)
            data = bytearray(unb64(told["response"][name]))
            data[at] ^= 1
            told["response"][name] = b64(data)
            assert not await citizen.enter((json.dumps(told), prf))
            await tries.forgive(citizen.vault, tries.counted(citizen.vault, "passkey", b64(citizen.device.user)))


async def test_after_five_tries_passkeys_rest_and_the_passphrase_does_not(citizen: Citizen) -> None:
    for _ in range(tries.FREE_TRIES):
        wrong = replace(citizen.device, key=Device().key, id=Device().id)
        assert not await citizen.enter(wrong.get(citizen.asked()))
    size = citizen.vault.log.ledger.tree.size
    assert not await citizen.enter(citizen.device.get(citizen.asked()))
    assert citizen.vault.log.ledger.tree.size == size, "a flood does not fill her log"
    await entered(citizen.vault, "an", PHRASE, citizen.clock)
    citizen.clock.forward(seconds=30)
    assert await citizen.enter(citizen.device.get(citizen.asked()))


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lambda sealed: sealed[:-1] + bytes([sealed[-1] ^ 1]), Damaged),
        (lambda sealed: sealed[:40], Damaged),
        (lambda sealed: b"\x02" + sealed[1:], UnknownVersion),
        (lambda sealed: b"", UnknownVersion),
    ],
    ids=["flipped", "cut", "version", "empty"],
)
async def test_a_damaged_wrap_is_named_opens_nothing_and_loses_nothing(
    citizen: Citizen, damage: Callable[[bytes], bytes], error: type[KeysError]
) -> None:
    vault, (mine,) = citizen.vault, citizen.account.ways_of("passkey")
    row = vault.db.read.get(Unlocker, mine)
    assert row is not None
    await vault.db.write(lambda tx: tx.change(Unlocker, {"id": mine}, sealed=damage(row.sealed)))
    with pytest.raises(error):
        await citizen.enter(citizen.device.get(citizen.asked()))
    assert citizen.rules() == [("unlock", "allowed", "passkey"), ("denial", "denied", "damaged_item")]
    await entered(vault, "an", PHRASE, citizen.clock)
    await vault.db.write(lambda tx: tx.change(Unlocker, {"id": mine}, sealed=row.sealed))
    assert await citizen.enter(citizen.device.get(citizen.asked())), "mended, it opens again"


async def test_an_unlocker_whose_share_is_gone_opens_nothing_and_the_others_do(citizen: Citizen) -> None:
    (mine,) = citizen.account.ways_of("passkey")
    gone = Intent(citizen.session.pod.id, Facts("key event", "test"), citizen.clock(), drops=(Drop("unlock", mine),))
    await citizen.vault.log.append(gone)
    assert not await citizen.enter(citizen.device.get(citizen.asked()))
    assert citizen.rules()[-1] == ("denial", "denied", "wrong_secret")
    await entered(citizen.vault, "an", citizen.codes[0], citizen.clock)


async def test_a_passkey_that_was_taken_away_is_unknown_from_then_on(citizen: Citizen) -> None:
    (mine,) = citizen.account.ways_of("passkey")
    await ways.remove(citizen.vault, citizen.session, mine, citizen.clock())
    assert citizen.vault.shares.count("unlock", mine) == 0
    assert not await citizen.enter(citizen.device.get(citizen.asked()))
    assert citizen.rules() == refused("unknown_passkey")


@pytest.mark.parametrize(
    ("lie", "rule"),
    [
        ({"prf": False}, "no_prf"),
        ({"origin": "https://evil.example"}, "wrong_origin"),
        ({"cross_origin": True}, "wrong_origin"),
        ({"rp_id": "evil.example"}, "other_site"),
        ({"flags": PRESENT}, "not_verified"),
        ({"fmt": "packed", "statement": {"alg": -7, "sig": b"s", "x5c": [b"a certificate"]}}, "not_verified"),
        ({"fmt": "fido-u2f", "statement": {"sig": b"s", "x5c": [b"a certificate"]}}, "not_verified"),
        ({"fmt": "fido-u2f", "vouched": True}, "not_verified"),  # valid, but nobody asked who made her device
        ({"fmt": "tpm", "statement": {"ver": "2.0"}}, "not_verified"),
        ({"statement": {"sig": b"s"}}, "not_verified"),
        ({"id": b""}, "not_verified"),
        ({"id": b"i" * 1024}, "not_verified"),
    ],
)
async def test_a_new_passkey_that_is_not_what_was_asked_for_is_not_added(
    citizen: Citizen, lie: dict[str, Any], rule: str
) -> None:
    with pytest.raises(BadCeremony) as refusal:
        await citizen.add(Device(**lie))
    assert refusal.value.rule == rule
    assert len(citizen.account.ways) == 3


async def test_the_same_passkey_is_not_added_twice_and_its_challenge_not_used_twice(citizen: Citizen) -> None:
    with pytest.raises(Denied, match="exists"):
        await citizen.add(citizen.device)
    challenge = passkeys.challenge(Purpose("add", citizen.session.handle), citizen.clock())
    options = passkeys.creation_options(BASE, citizen.account, challenge)
    assert [one["id"] for one in json.loads(options)["excludeCredentials"]] == [b64(citizen.device.id)]
    await renewal.add_passkey(citizen.vault, citizen.session, Answer(*Device().create(options)), citizen.clock())
    with pytest.raises(BadCeremony, match="replay"):
        await renewal.add_passkey(citizen.vault, citizen.session, Answer(*Device().create(options)), citizen.clock())


async def test_nobody_collects_ways_in_without_end(citizen: Citizen) -> None:
    for _ in range(ways.MOST_WAYS - len(citizen.account.ways)):
        await renewal.add_code(citizen.vault, citizen.session, citizen.clock())
    with pytest.raises(Denied, match="too_many"):
        await citizen.add(Device())


async def test_no_store_holds_what_prf_gave_or_which_device_it_was(citizen: Citizen, tmp_path: Path) -> None:
    answer = citizen.device.get(citizen.asked())
    assert await citizen.enter(answer)
    held = stored(tmp_path)
    point = citizen.device.key.public_key().public_numbers().x.to_bytes(32, "big")
    for secret in (unb64(answer[1]), citizen.device.id, point):
        assert secret not in held
        assert b64(secret).encode() not in held
    assert repr(Answer(*answer)) == "Answer()"


async def test_two_answers_at_once_cannot_both_count_the_same_use(citizen: Citizen) -> None:
    (mine,) = citizen.account.ways_of("passkey")
    await ways.count(citizen.vault, citizen.session.account, mine, 7)
    with pytest.raises(BadCeremony, match="sign_count"):
        await ways.count(citizen.vault, citizen.session.account, mine, 7)


# ---- a fresh proof


async def test_a_fresh_proof_is_any_of_ones_own_ways_and_nothing_else(citizen: Citizen) -> None:
    vault, clock, session = citizen.vault, citizen.clock, citizen.session
    shown = Answer(*citizen.device.get(citizen.asked("confirm", session.handle)))
    for good in (Proof(PHRASE), Proof(citizen.codes[0]), Proof(answer=shown)):
        assert await proof.confirm(vault, session, good, clock())
        assert citizen.rules(1)[0][:2] == ("unlock", "allowed")
    before = vault.log.ledger.tree.size
    for bad in (Proof(""), Proof(PHRASE + "!"), Proof(answer=shown), Proof(answer=Answer("", ""))):
        assert not await proof.confirm(vault, session, bad, clock())
        assert citizen.rules(1)[0][:2] == ("denial", "denied")
    assert vault.log.ledger.tree.size == before + 8


async def test_proofs_are_counted_apart_from_logins(citizen: Citizen) -> None:
    vault, clock = citizen.vault, citizen.clock
    for _ in range(tries.FREE_TRIES):
        assert await passphrase.login(vault, "an", "niet de goede zin", clock()) is None
    assert await proof.confirm(vault, citizen.session, Proof(PHRASE), clock()), "strangers cannot make her rest"
    for _ in range(tries.FREE_TRIES):
        assert not await proof.confirm(vault, citizen.session, Proof("niet de goede zin"), clock())
    assert not await proof.confirm(vault, citizen.session, Proof(PHRASE), clock()), "a stolen session cannot guess on"
    clock.forward(seconds=30)
    assert await proof.confirm(vault, citizen.session, Proof(PHRASE), clock())


async def test_a_new_passphrase_takes_the_place_of_the_old_one_row_and_share(citizen: Citizen) -> None:
    vault, clock = citizen.vault, citizen.clock
    (old,) = citizen.account.ways_of("passphrase")
    await renewal.set_passphrase(vault, citizen.session, "vier nieuwe gewone woorden", clock())
    assert (vault.shares.count("unlock", old), vault.db.read.get(Unlocker, old)) == (0, None)
    assert await passphrase.login(vault, "an", PHRASE, clock()) is None
    await entered(vault, "an", "vier nieuwe gewone woorden", clock)
    assert len(citizen.account.ways_of("passphrase")) == 1
