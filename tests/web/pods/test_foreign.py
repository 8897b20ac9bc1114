"""Agents of other servers: who comes in and how far, and every way of coming in that is none."""

import asyncio
import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from consent.foreign import MOST_NAMED
from federation.fetch import Fetcher
from federation.issuers import GUESTS, NEW_ISSUERS, NEW_OF_ONE, Issuers
from keys.sign import new_es256
from keys.text import b64, canonical
from tests.conftest import Clock
from tests.web.pods.client import OWNER
from tests.web.pods.elsewhere import KEY, Elsewhere, public, share
from vault.log.entry import Appended, Facts, Intent, Refused
from vault.vault import PodFacts, Vault
from web.telling import _who

pytestmark = pytest.mark.enable_socket


async def test_an_agent_of_another_server_reads_what_its_list_says_and_no_more(there: Elsewhere) -> None:
    answer = await there.get("public/a")
    assert (answer.status, answer.body) == (200, b"shared")
    assert 'user="read' in answer.headers["wac-allow"]
    assert there.asked == ["/.well-known/openid-configuration", "/jwks", "/card"]
    assert (await there.get("settings/secret")).body == b"secret"
    assert (await there.get("inbox/")).status == 403
    assert (await there.get("settings/secret", method="PUT")).status == 403
    assert (await there.get("settings/secret", method="DELETE")).status == 403
    assert (await there.get("settings/secret.acl")).status == 403


async def test_another_app_of_the_same_agent_gets_what_its_own_condition_says(there: Elsewhere) -> None:
    other = there.token(client_id="https://other.example/id")
    assert (await there.get("settings/secret", other)).status == 403
    assert (await there.get("public/a", other)).status == 200
    assert (await there.get("settings/secret", there.token(client_id=None))).status == 403
    assert (await there.get("settings/secret", there.token(client_id=None, azp="https://app.example/id"))).status == 200


async def test_nothing_sealed_opens_and_the_answer_names_the_grant_that_would(
    there: Elsewhere, vault: Vault, an: PodFacts, clock: Clock
) -> None:
    await share(vault, an, "/loans/", there.me, clock)
    for path in ("loans/one", "loans/", "loans/none"):
        answer = await there.get(path)
        (needed,) = json.loads(answer.body)["authorization_details"]
        assert answer.status == 403
        assert needed["type"] == "urn:kluis:rar:pod-access:1"
        assert "kluis:LibraryLoan" in json.dumps(needed)


async def test_without_permission_every_name_answers_alike_to_a_visitor(there: Elsewhere) -> None:
    stranger = there.token(client_id="https://other.example/id")
    for method in ("GET", "PUT", "DELETE"):
        told = set()
        for path in ("settings/secret", "settings/none", "inbox/x", "none/x"):
            answer = await there.get(path, stranger, method=method)
            told.add((answer.status, answer.body, answer.headers.get("www-authenticate")))
        assert len(told) == 1
        assert {one[0] for one in told} == {403}


async def test_when_the_citizen_takes_the_agent_off_her_list_it_is_out_at_the_next_request(
    there: Elsewhere, vault: Vault, an: PodFacts, clock: Clock
) -> None:
    assert (await there.get("settings/secret")).status == 200
    await share(vault, an, "/settings/", "https://somebody.example/#me", clock)
    assert (await there.get("settings/secret")).status == 403


async def test_an_issuer_that_the_webid_no_longer_names_is_out_within_a_minute(there: Elsewhere, clock: Clock) -> None:
    assert (await there.get("public/a")).status == 200
    there.listed = ["https://another.example"]
    clock.forward(seconds=60)
    assert (await there.get("public/a")).status == 401


async def test_a_new_key_of_the_issuer_is_taken_at_once_and_asked_for_once_in_thirty_seconds(
    there: Elsewhere, clock: Clock
) -> None:
    assert (await there.get("public/a")).status == 200
    fresh = new_es256()
    there.jwks = [public(KEY), public(fresh)]
    clock.forward(seconds=31)
    there.asked.clear()
    for _ in range(20):
        assert (await there.get("public/a", there.token(key=fresh))).status == 200
    assert there.asked == ["/jwks"]
    for _ in range(20):
        assert (await there.get("public/a", there.token(key=new_es256()))).status == 401
    assert there.asked.count("/jwks") == 1


async def test_a_key_that_the_issuer_took_out_makes_no_tokens_within_five_minutes(
    there: Elsewhere, clock: Clock
) -> None:
    assert (await there.get("public/a")).status == 200
    there.jwks = [public(new_es256())]
    clock.forward(seconds=301)
    assert (await there.get("public/a")).status == 401


SPELLINGS = [("{}/", None), (None, "{}/"), ("{}/", "{}/"), ("http://LOCALHOST:{port}", None)]


@pytest.mark.parametrize(("issuer", "named"), SPELLINGS)
async def test_an_issuer_is_the_same_in_every_spelling(there: Elsewhere, issuer: str | None, named: str | None) -> None:
    where, port = there.sink.origin, there.sink.port
    told = (issuer or "{}").format(where, port=port)
    there.issuer, there.listed = where, [(named or "{}").format(where)]
    assert (await there.get("public/a", there.token(iss=told))).status == 200


async def test_a_profile_in_json_ld_names_its_issuer_as_well(there: Elsewhere) -> None:
    there.media = "application/ld+json"
    said = {"@id": "#me", "http://www.w3.org/ns/solid/terms#oidcIssuer": {"@id": there.sink.origin}}
    there.profile = json.dumps(said).encode()
    assert (await there.get("public/a")).status == 200


async def test_an_older_issuer_may_name_the_webid_as_the_subject(there: Elsewhere) -> None:
    assert (await there.get("public/a", there.token(webid=None, sub=there.me))).status == 200
    assert (await there.get("public/a", there.token(webid=None))).status == 401


def _rs256() -> tuple[dict[str, str], rsa.RSAPrivateKey]:
    key = rsa.generate_private_key(65537, 2048)
    numbers = key.public_key().public_numbers()
    n, e = (b64(one.to_bytes((one.bit_length() + 7) // 8, "big")) for one in (numbers.n, numbers.e))
    return {"kty": "RSA", "n": n, "e": e, "kid": "rsa", "alg": "RS256", "use": "sig"}, key


async def test_issuers_sign_with_rs256_and_eddsa_too(there: Elsewhere) -> None:
    jwk, key = _rs256()
    edwards = ed25519.Ed25519PrivateKey.generate()
    there.jwks = [
        public(KEY),
        jwk,
        {"kty": "OKP", "crv": "Ed25519", "x": b64(edwards.public_key().public_bytes_raw()), "kid": "ed"},
    ]

    def signed(alg: str, kid: str, sign: Any) -> str:
        parts = f"{b64(canonical({'alg': alg, 'kid': kid}))}.{b64(canonical(there.claims()))}"
        return f"{parts}.{b64(sign(parts.encode()))}"

    by_rsa = signed("RS256", "rsa", lambda data: key.sign(data, padding.PKCS1v15(), hashes.SHA256()))
    by_ed = signed("EdDSA", "ed", edwards.sign)
    for token in (by_rsa, by_ed):
        assert (await there.get("public/a", token)).status == 200


async def test_a_thousand_parallel_tokens_of_a_new_issuer_are_one_fetch(there: Elsewhere) -> None:
    there.sink.hold = 0.2
    there.house.issuers = Issuers(Fetcher(loopback=True))
    tokens = [there.token(jti=f"t{n}") for n in range(1000)]
    answers = await asyncio.gather(*(there.get("public/a", token) for token in tokens))
    assert [answer.status for answer in answers] == [200] * 1000
    assert there.asked == ["/.well-known/openid-configuration", "/jwks", "/card"]


async def test_tokens_of_issuers_that_nobody_knows_are_asked_about_so_many_times_a_minute(
    there: Elsewhere, clock: Clock
) -> None:
    assert (await there.get("public/a")).status == 200
    lost = new_es256()
    for n in range(NEW_ISSUERS + 20):
        token = there.token(key=lost, iss=f"{there.sink.origin}/{n}")
        assert (await there.get("public/a", token)).status == 401
    tried = {path for path in there.asked if path.count("/") > 2}
    assert len(tried) == NEW_ISSUERS - 1
    assert (await there.get("public/a")).status == 200  # who was good before goes on
    clock.forward(seconds=61)
    there.asked.clear()
    await there.get("public/a", there.token(key=lost, iss=f"{there.sink.origin}/more"))
    assert "/more/.well-known/openid-configuration" in there.asked


async def test_strangers_who_use_up_what_is_asked_do_not_keep_out_whom_the_citizen_let_in(there: Elsewhere) -> None:
    for number in range(NEW_ISSUERS + 5):
        assert (await there.get("public/a", there.token(iss=f"{there.sink.origin}/i{number}"))).status == 401
    there.asked.clear()
    assert (await there.get("public/a", there.token(iss=f"{there.sink.origin}/other"))).status == 401
    assert (await there.get("public/a")).status == 200
    assert there.asked == ["/.well-known/openid-configuration", "/jwks"]
    for number in range(GUESTS + 5):  # made-up issuers of a name on the list take nothing of that ration either
        assert (await there.get("public/a", there.token(iss=f"{there.sink.origin}/j{number}"))).status == 401
    assert (await there.get("settings/secret")).status == 200
    forged = there.token(key=new_es256())
    assert (await there.get("public/a", forged)).status == 401
    assert (await there.get("public/a", there.token(webid=f"{there.sink.origin}/bo#me"))).status == 401


async def test_an_issuer_cannot_have_us_ask_for_webid_after_webid(there: Elsewhere) -> None:
    for n in range(NEW_OF_ONE + 20):
        assert (await there.get("public/a", there.token(webid=f"{there.sink.origin}/victim{n}#me"))).status == 401
    assert sum(path.startswith("/victim") for path in there.asked) == NEW_OF_ONE


async def test_a_request_of_ours_never_waits_for_a_server_that_does_not_answer(there: Elsewhere) -> None:
    there.sink.hold = 5
    waiting = [asyncio.create_task(there.get("public/a", there.token(jti=str(n)))) for n in range(50)]
    await asyncio.sleep(0.1)
    took = []
    for _ in range(50):
        began = time.perf_counter()
        assert (await there.ask("GET", "public/a")).status == 200
        took.append(time.perf_counter() - began)
    assert not any(one.done() for one in waiting)
    assert {(await one).status for one in waiting} == {401}
    assert max(took) < 0.5


async def test_the_operator_can_say_whose_agents_come_in(there: Elsewhere) -> None:
    fetcher = Fetcher(loopback=True)
    for hosts, status in ((frozenset(), 401), (frozenset({"idp.example"}), 401), (frozenset({"localhost"}), 200)):
        there.house.issuers = Issuers(fetcher, hosts)
        there.asked.clear()
        assert (await there.get("public/a")).status == status
        assert bool(there.asked) is (status == 200)


async def test_in_production_an_issuer_on_this_machine_or_without_tls_is_never_asked(there: Elsewhere) -> None:
    there.house.issuers = Issuers(Fetcher())
    assert (await there.get("public/a")).status == 401
    assert there.sink.connections == 0


async def test_what_a_visitor_did_is_in_the_log_by_name_and_a_flood_of_refusals_is_summed(
    there: Elsewhere, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Facts] = []
    append = vault.log.append

    async def heard(intent: Intent) -> Appended | Refused:
        told.append(intent.facts)
        return await append(intent)

    monkeypatch.setattr(vault.log, "append", heard)
    assert (await there.get("public/a")).status == 200
    for _ in range(MOST_NAMED + 30):
        assert (await there.get("inbox/")).status == 403
    assert [(one.type, one.decision) for one in told] == [("access", "allowed")] + [("denial", "denied")] * MOST_NAMED
    who = (there.me, "https://app.example/id", f"issuer {there.sink.origin}")
    assert {(one.agent, one.client, one.note) for one in told} == {who}
    assert [row[0] for row in vault.db.read.run("SELECT count FROM tally WHERE reason LIKE '%forbidden'")] == [30]


def test_the_citizen_reads_who_came_from_elsewhere_and_with_which_app() -> None:
    fields = {
        "type": "access",
        "action": "read",
        "decision": "allowed",
        "rule": "foreign",
        "agent": "https://b.example/#me",
    }
    assert _who(fields, OWNER) == "https://b.example/#me"
    assert (
        _who(fields | {"client": "https://app.example/id"}, OWNER)
        == "https://b.example/#me, met https://app.example/id"
    )
    assert _who(fields | {"decision": "denied", "rule": "forbidden"}, OWNER) == "https://b.example/#me"


async def test_a_proof_counts_once(there: Elsewhere) -> None:
    proof = there.proof("GET", "public/a")
    assert [(await there.get("public/a", dpop=proof)).status for _ in range(3)] == [200, 401, 401]
    proof = there.proof("GET", "public/a")
    raced = await asyncio.gather(*(there.get("public/a", dpop=proof) for _ in range(32)))
    assert sorted(answer.status for answer in raced) == [200] + [401] * 31
