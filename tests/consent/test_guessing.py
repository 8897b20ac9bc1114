"""Whoever guesses at the login learns nothing: who has an account, which way in she has, whether a guess was right
while a name rests; and no stranger can shut somebody out of her own vault. Counted, never timed.
"""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from consent.accounts import passphrase
from consent.accounts.people import enroll, find
from consent.accounts.seats import Seat
from consent.errors import BadName
from keys.secret import fresh_bytes
from keys.unlock import Stretch, new_code
from tests.conftest import BASE, Clock
from tests.consent.entering import PHRASE
from tests.house import Household
from tests.web import tariff
from tests.web.test_accounts import SAME, token
from tests.web.test_security import asked
from vault.database import Tx
from vault.errors import Conflict
from web.seats import device

WRONG = "niet de goede zin"
FAR = ("203.0.113.9", 1)
NEAR = ("198.51.100.7", 1)


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretching counts here, not what it costs: the least that is allowed."""
    monkeypatch.setattr(Stretch, "fresh", classmethod(lambda cls: cls(fresh_bytes(16), 8 * 1024, 1, 1)))


@pytest.fixture
async def town(house: Household) -> Household:
    """People of every kind: bo has a passphrase, an codes alone, pia a passkey too, devi makes apps."""
    await enroll(house.vault, "bo", "Bo", "citizen", "bo", PHRASE, house.clock())
    await enroll(house.vault, "devi", "Devi", "developer", None, PHRASE, house.clock())
    await enroll(house.vault, "rust", "Rust", "citizen", "rust", PHRASE, house.clock())
    await tariff.passkey(house)
    for _ in range(5):
        assert await passphrase.login(house.vault, "rust", WRONG, house.clock()) is None
    return house


@pytest.fixture
def stretched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every stretching of a passphrase."""
    done: list[str] = []
    real: Callable[..., Any] = passphrase.stretch

    def counted(text: str, costs: Any) -> Any:
        done.append(text)
        return real(text, costs)

    monkeypatch.setattr(passphrase, "stretch", counted)
    return done


async def attempt(house: Household, user: str, secret: str, client: tuple[str, int] = FAR) -> httpx.Response:
    """One login as a browser sends it, from an address."""
    transport = httpx.ASGITransport(house.app, client=client)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as browser:
        fields = {"user": user, "passphrase": secret, "csrf": token(await browser.get("/login"))}
        return await browser.post("/login", data=fields, headers=SAME)


async def test_everybody_costs_the_same_stretchings_and_reads_and_gets_the_same_answer(
    town: Household, stretched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    for name in ("get", "find", "run"):
        monkeypatch.setattr(Tx, name, _counting(town.vault.db.read, getattr(Tx, name), reads))
    told = {}
    for who in ("an", "bo", "devi", "dpo", "rust"):  # what is known of a pod stays in memory
        assert town.vault.pod_by_id(getattr(find(town.vault, who), "pod", b"")) is not None
    for user in ("nobody", "bo", "an", "devi", "dpo", "rust"):
        stretched.clear()
        reads.clear()
        answer = await attempt(town, user, PHRASE if user == "rust" else WRONG)
        shown = (answer.status_code, answer.headers["location"], len(answer.content), tuple(sorted(answer.headers)))
        told[user] = (len(stretched), shown)
        if user != "rust":  # it rests: nothing is tried, so nothing more is read
            told[user] = (len(stretched), shown, len(reads))
    assert len({told[user] for user in told if user != "rust"}) == 1, told
    assert told["rust"] == told["nobody"][:2]
    assert told["nobody"][0] == 1


def _counting(reader: Tx, real: Callable[..., Any], reads: list[str]) -> Callable[..., Any]:
    def counted(self: Any, *args: Any, **more: Any) -> Any:
        if self is reader:
            reads.append(str(args[:1]))
        return real(self, *args, **more)

    return counted


async def test_a_recovery_code_of_nobody_costs_what_one_of_somebody_costs(
    town: Household, stretched: list[str]
) -> None:
    told = []
    for user in ("nobody", "bo", "an", "rust"):
        answer = await attempt(town, user, new_code())
        told.append((answer.status_code, answer.headers["location"], len(answer.content)))
    assert len(set(told)) == 1 and stretched == []


async def test_while_a_name_rests_the_right_passphrase_gets_the_answer_of_a_wrong_one(town: Household) -> None:
    answers = [await attempt(town, "rust", secret) for secret in (PHRASE, WRONG, PHRASE + "x")]
    assert len({(a.status_code, a.headers["location"], a.content) for a in answers}) == 1
    assert answers[0].headers["location"].startswith("/login?")


async def test_a_stranger_who_makes_a_name_rest_does_not_shut_its_owner_out(town: Household, clock: Clock) -> None:
    for number in range(12):
        secret = WRONG if number % 2 else new_code()
        assert (await attempt(town, "an", secret)).headers["location"].startswith("/login?")
    assert (await attempt(town, "an", PHRASE, NEAR)).headers["location"].startswith("/login?")
    inside = await attempt(town, "an", town.codes[1], NEAR)
    assert inside.headers["location"] == "/me/security?recovered=1"


async def test_a_passkey_opens_while_the_name_rests(house: Household) -> None:
    key = await tariff.passkey(house)
    for _ in range(8):
        await attempt(house, "an", WRONG)
    transport = httpx.ASGITransport(house.app, client=FAR)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as browser:
        page = await browser.get("/login")
        credential, prf = key.get(asked(page, "ask"))
        fields = {"csrf": token(page), "next": "/me/access", "credential": credential, "prf": prf}
        done = await browser.post("/login/passkey", data=fields, headers=SAME)
        assert done.headers["location"] == "/me/access"
        assert (await browser.get("/me/access")).status_code == 200


async def test_an_address_that_guesses_at_many_names_rests_too_and_others_do_not(
    town: Household, monkeypatch: pytest.MonkeyPatch, stretched: list[str]
) -> None:
    monkeypatch.setattr("consent.accounts.tries.FREE_HERE", 6)
    for number in range(6):
        await attempt(town, f"naam{number}", WRONG)
    stretched.clear()
    assert (await attempt(town, "bo", PHRASE)).headers["location"].startswith("/login?")
    assert stretched == [], "a rested address takes the time of nobody who waits for a turn"
    assert (await attempt(town, "bo", PHRASE, ("2001:db8:1:2:3::4", 1))).headers["location"] == "/me"
    assert (await attempt(town, "bo", PHRASE, NEAR)).headers["location"] == "/me"


async def test_logging_in_oneself_makes_no_room_for_guessing_at_others(
    town: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consent.accounts.tries.FREE_HERE", 6)
    for number in range(6):
        await attempt(town, f"naam{number}", WRONG)
        await attempt(town, "bo", PHRASE)
    assert (await attempt(town, "devi", PHRASE)).headers["location"].startswith("/login?")


@pytest.mark.parametrize(
    ("address", "bucket"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("127.0.0.1", ""),
        ("::1", ""),
        ("::ffff:127.0.0.1", ""),
        ("", ""),
        ("testclient", ""),
    ],
)
def test_an_address_counts_as_the_home_it_belongs_to_and_this_machine_as_none(address: str, bucket: str) -> None:
    assert Seat(address=address).bucket == bucket


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox op Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18 Safari/604.1", "Safari op een iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140 Safari/537.36 Edg/140.0", "Edge op Windows"),
        ("<script>alert(1)</script>" * 99, ""),
        ("", ""),
    ],
)
def test_a_browser_is_kept_in_our_own_words_only(agent: str, words: str) -> None:
    assert device(agent) == words


async def test_one_name_is_found_however_it_is_typed_and_given_once(town: Household) -> None:
    for user in ("BO", " bo ", "\uff22\uff4f", "b\u200bo", "bo\u00ad", "\ufeffbo", "b\u2060o", "bo\u3000"):
        assert (await attempt(town, user, PHRASE, NEAR)).headers["location"] == "/me", ascii(user)
        with pytest.raises(Conflict):
            await enroll(town.vault, user, "Twee", "citizen", "twee", PHRASE, town.clock())


async def test_a_name_in_letters_that_look_like_anothers_is_nobodys_and_cannot_be_taken(town: Household) -> None:
    for user in ("b\u043e", "\u0412o", "b\u03bf", "b\u0585"):
        assert (await attempt(town, user, PHRASE, NEAR)).headers["location"].startswith("/login?"), ascii(user)
        with pytest.raises(BadName):
            await enroll(town.vault, user, "Twee", "citizen", "twee", PHRASE, town.clock())


@pytest.mark.parametrize("secret", ["", "\0", "x" * 20_000, "\ud800\udc00", "e\u0301" * 500])
async def test_no_name_and_no_passphrase_is_a_server_error_or_opens_anything(house: Household, secret: str) -> None:
    for user in ("an", "", " ", "\u200b", "\0", "x" * 5000, "\ud800", "a\u202eb", "' OR 1=1 --"):
        assert await passphrase.login(house.vault, user, secret, house.clock(), Seat(address="203.0.113.9")) is None


async def test_a_body_of_a_megabyte_is_not_read_and_a_passphrase_is_one_however_it_is_composed(
    town: Household,
) -> None:
    assert (await attempt(town, "bo", "x" * 2**20)).status_code == 413
    composed, apart = "caf\u00e9 zonder suiker", "cafe\u0301 zonder suiker"
    await enroll(town.vault, "cafe", "Cafe", "citizen", "cafe", composed, town.clock())
    assert (await attempt(town, "cafe", apart, NEAR)).headers["location"] == "/me"
