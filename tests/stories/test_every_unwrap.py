"""Every unwrap names the entry that allowed it: the whole house is used, with a witness at everything that opens.

The entry is durable when the unwrap begins, of the same pod, and of the same request.
"""

import html
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from consent import erasure, gate, locks, takeaway
from consent.accounts import assertions, passkeys, passphrase, people, renewal, sessions, ways
from consent.accounts.passkeys import Answer, Purpose
from keys import age
from keys.context import ctx
from keys.dropbox import LETTERS
from keys.grants import new_token
from keys.secret import CompartmentKey, DataKey, Released, Root, Secret, Share, derive
from keys.tree import EDGES, unwrap, wrap
from keys.unlock import new_code
from tests.conftest import BASE
from tests.consent.authenticator import Device
from tests.house import ALL_INTERESTS, Granted, Household
from tests.stories.provenance import Watch, watch
from tests.test_openers import NAMED
from tests.web.test_sources import deliver, loans
from vault import custody, door, kit
from vault.log.entry import Appended, Facts, Intent
from vault.shares import Want
from vault.unlocked import reach

PHRASE = "zeven groene fietsen"
POSTAL = {"category": "pd:PostalCode", "derived": "postal_district", "necessity": "required"}
ONGOING = {"recurrence": {"mode": "ongoing"}}
A = "/pods/an/interests/a.jsonld"
SAME = {"sec-fetch-site": "same-origin"}
Step = Callable[[], Awaitable[object]]


@pytest.fixture
async def witness(house: Household, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watch]:
    monkeypatch.setattr(age, "WORK", 10)
    await house.quiet()
    watching = watch(monkeypatch, str(house.vault.db.path))
    yield watching
    watching.database.close()


async def log_in(house: Household, user: str, secret: str) -> str:
    """Log in through the form; the cookie."""
    page = await house.http.get("/login")
    token = html.unescape(re.findall(r'name="csrf" value="([^"]+)"', page.text)[0])
    answer = await house.http.post("/login", data={"user": user, "passphrase": secret, "csrf": token}, headers=SAME)
    cookie = str(house.http.cookies["kluis"])
    house.http.cookies.clear()
    assert answer.status_code == 303 and cookie
    return cookie


async def ok(house: Household, method: str, path: str, token: str = "", **more: str) -> bytes:
    """One call that is allowed."""
    answer = await house.call(method, path, token, more)
    assert answer.is_success, (path, answer.text)
    return answer.content


async def mine(house: Household, path: str) -> bytes:
    """A page of An's own."""
    return await ok(house, "GET", path, cookie=f"kluis={house.cookie}")


async def wrong(house: Household) -> None:
    """A recovery code that is not hers."""
    assert await passphrase.login(house.vault, "an", new_code(), house.clock()) is None


async def reading(house: Household, witness: Watch, granted: Granted, derived: Granted) -> None:
    """An app reads: a deposit, the same again, a batch, an answer."""
    for path, token in ((A, granted.access), (A, granted.access), ("/api/records?category=pd:Interest", granted.access),
                        ("/api/answers/postal_district", derived.access)):  # fmt: skip
        witness.begin(path)
        await ok(house, "GET", path, token)


async def own(house: Household) -> None:
    """An reads one of her records in her session."""
    permit, keys = gate.own(house.session, "loans", "read", "/loans/a.jsonld")
    assert (await door.read(house.vault, permit, keys, "/loans/a.jsonld", house.clock())).kind == "resource"


async def solid(house: Household) -> None:
    """A plain Solid program makes a container, writes, reads and removes a file: the custodian opens the managed."""
    jwt = await house.jwt()
    made = await house.call("PUT", "/pods/an/notes/a.txt", jwt, {"content-type": "text/plain"}, b"dag")
    assert made.status_code == 201, made.text
    assert await ok(house, "GET", "/pods/an/notes/a.txt", jwt) == b"dag"
    assert b"a.txt" in await ok(house, "GET", "/pods/an/notes/", jwt)
    await ok(house, "DELETE", "/pods/an/notes/a.txt", jwt)


async def take_away(house: Household) -> None:
    """Everything as a file, and the recovery kit."""
    pieces = await takeaway.everything(house.vault, house.session, house.clock())
    assert sum([len(piece) async for piece in pieces]) > 1000
    form = {"csrf": house.session.csrf, "passphrase": PHRASE, "again": PHRASE, "what": "kit", "proof": house.codes[0]}
    answer = await house.http.post("/me/take-away", data=form, headers=SAME | {"cookie": f"kluis={house.cookie}"})
    assert answer.status_code == 200
    assert kit.read(age.unlock(answer.content, passphrase=PHRASE)).pod == house.session.pod.id


async def office(house: Household, witness: Watch) -> None:
    """The DPO looks at the totals."""
    cookie = await log_in(house, "dpo", house.officer)
    witness.begin("totals")
    told = json.loads(await ok(house, "GET", "/api/dpo/totals", cookie=f"kluis={cookie}"))
    assert told["opened"] == told["entries"] > 0


async def ways_in(house: Household, witness: Watch) -> None:
    """A passkey is added and opens the vault; a new passphrase; the passkey is removed."""
    vault, session, now, device = house.vault, house.session, house.clock(), Device()
    account = people.by_id(vault, session.account)
    assert account is not None
    challenge = passkeys.challenge(Purpose("add", session.handle), now)
    made = Answer(*device.create(passkeys.creation_options(BASE, account, challenge)))
    await renewal.add_passkey(vault, session, made, now)
    witness.begin("passkey")
    asked = passkeys.request_options(BASE, None, passkeys.challenge(Purpose("login", b"browser"), now))
    assert await assertions.login(vault, Answer(*device.get(asked)), b"browser", now) is not None
    witness.begin("passphrase")
    await renewal.set_passphrase(vault, session, PHRASE, now)
    account = people.by_id(vault, session.account)
    assert account is not None
    await ways.remove(vault, session, account.ways_of("passkey")[0], now)


async def new_locks(house: Household, witness: Watch, granted: Granted) -> None:
    """New generations, which reach the grant by letter; custody there and back; a new root."""
    vault, session = house.vault, house.session
    await house.keep("/interests/unread.jsonld", {"@type": "pd:Interest", "schema:about": ["tango"]})
    await locks.change(vault, session, ["interests"], house.clock())
    await house.keep("/interests/new.jsonld", {"@type": "pd:Interest", "schema:about": ["tango"]})
    witness.begin("letter")
    await ok(house, "GET", "/pods/an/interests/new.jsonld", granted.access)
    witness.begin("custody")
    for custodian in ("managed", "sealed"):
        await locks.set_custody(vault, session, "person", custodian, house.clock())
    witness.begin("all locks")
    await locks.change_all(vault, session, house.clock())


async def log_in_again(house: Household) -> None:
    """A new root gave this session a new wrap: the cookie leads to it, and to the log from before."""
    found = sessions.find(house.vault, house.cookie, house.clock())
    assert found is not None
    house.session = found
    await own(house)
    await mine(house, "/me/log")
    await locks.change_all(house.vault, found, house.clock())  # the second time there are log keys from before
    again = sessions.find(house.vault, house.cookie, house.clock())
    assert again is not None
    house.session = again


def steps(house: Household, witness: Watch, granted: Granted, derived: Granted) -> list[tuple[str, Step]]:
    """The whole house in the order of a life; each begins with a request of its own."""
    return [
        ("login", lambda: log_in(house, "an", house.codes[0])),
        ("wrong secret", lambda: wrong(house)),
        ("reading", lambda: reading(house, witness, granted, derived)),
        ("own record", lambda: own(house)),
        ("own page", lambda: mine(house, "/me/data")),
        ("own log", lambda: mine(house, "/me/log")),
        ("log export", lambda: mine(house, "/api/log/export")),
        ("deposit", lambda: deliver(house, loans("1"), {"pod": "an"})),
        ("solid", lambda: solid(house)),
        ("take away", lambda: take_away(house)),
        ("office", lambda: office(house, witness)),
        ("ways in", lambda: ways_in(house, witness)),
        ("new custody key", lambda: custody.rotate(house.vault, house.clock())),
        ("locks", lambda: new_locks(house, witness, granted)),
        ("new root", lambda: log_in_again(house)),
        ("withdrawal", lambda: house.withdraw(granted)),
        ("erasure", lambda: erasure.by_citizen(house.vault, house.session, house.clock())),
    ]


async def test_every_unwrap_in_the_whole_house_names_a_durable_entry_of_its_pod_and_request(
    house: Household, witness: Watch
) -> None:
    witness.begin("consent")
    granted = await house.grant(ALL_INTERESTS, **ONGOING)
    derived = await house.grant(POSTAL, **ONGOING)
    for name, step in steps(house, witness, granted, derived):
        witness.begin(name)
        await step()
        await house.quiet()
    assert witness.faults == []
    keys = {(where, child.__name__) for where, _, child in EDGES} | {(where, kind.__name__) for where, kind in LETTERS}
    content = {((what,), "bytes") for what in ("state", "label", "body", "record", "dpo-record")}
    assert set(witness.seen) == keys | content  # nothing that can be opened was left out
    for name in ("keys.tree.unwrap", "keys.dropbox.collect", "keys.unseal.unseal", "keys.unseal.unseal_secret",
                 "keys.unseal.unseal_record"):  # fmt: skip
        assert {module for opens, module in witness.callers if opens == name} == NAMED[name]


async def test_a_kit_needs_no_share_and_its_proof_stands_behind_an_entry_all_the_same(
    house: Household, witness: Watch
) -> None:
    data = await takeaway.recovery_kit(house.vault, house.session, house.clock())
    witness.begin("kit")
    assert await kit.opens(house.vault, kit.read(data), house.clock())
    assert witness.faults == ["kit: root/rk/identity Private names no entry"]  # the citizen brought the root herself
    assert house.told()[-1]["action"] == "prove recovery kit"


async def entry(house: Household, *wants: Want) -> Appended:
    done = await house.vault.log.append(
        Intent(house.session.pod.id, Facts("admin", "test"), house.clock(), wants=wants)
    )
    assert isinstance(done, Appended)
    return done


def stolen(house: Household) -> Share:
    """The share of An's session past the log."""
    want = Want("session", house.session.handle)
    return house.vault.shares.take(house.session.pod.id, [want])[want]


async def test_a_planted_unwrap_with_a_share_past_the_log_is_noticed(house: Household, witness: Watch) -> None:
    witness.begin("planted")
    keys = house.session.keys
    root = reach(keys, stolen(house))  # type: ignore[arg-type]  # mypy refuses it too
    assert witness.faults == ["planted: session Root names no entry"]
    cid = house.session.pod.compartment("loans")
    ((wrapped,),) = house.vault.db.read.run("SELECT wrapped FROM compartment WHERE id = :id", id=cid)
    unwrap(root, ctx("ck", house.session.pod.id, "sealed", cid, 1), wrapped, CompartmentKey)
    assert witness.faults[1:] == ["planted: ck/sealed CompartmentKey names no entry"]  # and all that hangs under it


async def test_a_planted_unwrap_with_the_entry_of_an_earlier_request_is_noticed(
    house: Household, witness: Watch
) -> None:
    want = Want("session", house.session.handle)
    witness.begin("first")
    held = (await entry(house, want)).shares[want]
    reach(house.session.keys, held)
    assert witness.faults == []
    witness.begin("later")
    reach(house.session.keys, held)
    assert [fault.split(" entry ")[1].split(" ", 1)[1] for fault in witness.faults] == ["of an earlier request"]


@pytest.mark.parametrize(("ahead", "why"), [(1000, "not durable"), (0, "another pod")])
async def test_a_planted_unwrap_that_names_a_false_entry_is_noticed(
    house: Household, witness: Watch, ahead: int, why: str
) -> None:
    witness.begin("planted")
    done = await house.vault.log.append(Intent(house.vault.office, Facts("admin", "test"), house.clock()))
    reach(house.session.keys, Released(stolen(house).view(), done.index + ahead))
    assert len(witness.faults) == 1 and why in witness.faults[0]


async def test_a_planted_content_key_from_nowhere_is_noticed(house: Household, witness: Watch) -> None:
    witness.begin("planted")
    key, pod = CompartmentKey.fresh(), house.session.pod.id
    context = ctx("dek", pod, bytes(16), 1, bytes(16), 1, "own")
    assert unwrap(key, context, wrap(key, context, DataKey.fresh()), DataKey)
    assert witness.faults == ["planted: dek/own DataKey names no entry"]


def test_what_is_derived_inherits_and_what_is_not_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    watching = watch(monkeypatch, ":memory:")
    one, other = Released(bytes(32), 7), Share(bytes(32))
    token = new_token("kat").secret
    from keys import grants

    under = grants.derive(token, ctx("auth"), one)  # type: ignore[attr-defined]
    assert watching.behind(grants.derive(under, ctx("auth"))) == {7}  # type: ignore[attr-defined]
    assert watching.behind(grants.derive(token, ctx("auth"), other)) == frozenset()  # type: ignore[attr-defined]
    assert watching.behind(derive(Secret.fresh(), ctx("auth"))) == watching.behind(Root.fresh()) == frozenset()
