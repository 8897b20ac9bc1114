"""Every way of coming in as an agent of another server that is none: tokens, proofs, and servers that lie."""

import hmac
import json
from hashlib import sha256
from typing import Any

import pytest

from federation.fetch import Fetcher
from federation.issuers import Issuers
from keys.sign import new_es256, thumbprint
from keys.text import b64, canonical
from tests.conftest import BASE, Clock
from tests.federation.sink import reply, sink
from tests.web.pods.client import OWNER, ROOT
from tests.web.pods.elsewhere import KEY, PROFILE, QUICK, Elsewhere, public, unsigned
from vault.vault import Vault

pytestmark = pytest.mark.enable_socket
CLAIMS: dict[str, dict[str, Any]] = {
    "no audience": {"aud": None},
    "another audience": {"aud": "https://other.example"},
    "an audience that only begins as ours": {"aud": [BASE + ".evil.example"]},
    "expired": {"exp": -1, "iat": -300},
    "expired this second": {"exp": 0, "iat": -300},
    "from the future": {"iat": 61, "exp": 300},
    "not yet valid": {"nbf": 120},
    "lives for ever": {"exp": 3601},
    "ends before it begins": {"iat": 30, "exp": 20},
    "no time of issue": {"iat": None},
    "no end": {"exp": None},
    "a time that is text": {"exp": "300"},
    "a time that is true": {"iat": True},
    "no proof key": {"cnf": None},
    "another proof key": {"cnf": {"jkt": thumbprint(dict(new_es256()))}},
    "a proof key that is no text": {"cnf": {"jkt": ["x"]}},
    "a WebID that is no address": {"webid": "did:example:1"},
    "a WebID that is a list": {"webid": ["{me}"]},
    "an issuer with a query": {"iss": "{}?x"},
    "an issuer with a fragment": {"iss": "{}#x"},
    "an issuer with a user": {"iss": "http://me@localhost:{port}"},
    "an issuer that is a file": {"iss": "file:///etc/passwd"},
    "an issuer that is no text": {"iss": ["{}"]},
    "our own issuer": {"iss": BASE},
    "our own issuer, spelt otherwise": {"iss": BASE.upper().replace("HTTP", "http") + "/"},
    "a citizen of this house": {"webid": OWNER},
    "a citizen of this house, spelt otherwise": {"webid": OWNER.replace("localhost", "LOCALHOST")},
    "an app that is a list": {"client_id": ["https://app.example/id"]},
    "an app with a line break": {"client_id": "a\nb"},
}


@pytest.mark.parametrize("name", CLAIMS)
async def test_a_token_that_says_the_wrong_thing_is_refused_and_fetches_nothing(there: Elsewhere, name: str) -> None:
    base = int(there.house.clock().timestamp())

    def filled(claim: str, value: Any) -> Any:
        if claim in ("iat", "exp", "nbf") and type(value) is int:
            return base + value
        if isinstance(value, str) and claim == "iss":
            return value.format(there.sink.origin, port=there.sink.port)
        return value

    token = there.token(**{claim: filled(claim, value) for claim, value in CLAIMS[name].items()})
    answer = await there.get("public/a", token)
    assert (answer.status, answer.body.find(b"shared")) == (401, -1)
    assert there.asked == []


def _hs256(there: Elsewhere, secret: bytes) -> str:
    parts = f"{b64(canonical({'alg': 'HS256', 'kid': KEY['kid']}))}.{b64(canonical(there.claims()))}"
    return f"{parts}.{b64(hmac.new(secret, parts.encode(), sha256).digest())}"


def _forged(there: Elsewhere, name: str) -> str:
    mine = new_es256()
    pointed: dict[str, dict[str, Any]] = {
        "jwk": {"jwk": public(mine)},
        "jku": {"jku": there.sink.origin + "/jku"},
        "x5u": {"x5u": there.sink.origin + "/x5u"},
        "x5c": {"x5c": ["MIIB"]},
        "capitals": {"JKU": there.sink.origin + "/jku"},
        "crit": {"crit": ["exp"]},
        "b64": {"b64": False},
        "proof as token": {"typ": "dpop+jwt"},
        "logout": {"typ": "logout+jwt"},
        "kid path": {"kid": "../../../../dev/null"},
        "kid address": {"kid": there.sink.origin + "/kid"},
        "kid sql": {"kid": "x' UNION SELECT 'y"},
        "kid list": {"kid": ["a"]},
        "kid long": {"kid": "k" * 300},
    }
    if name in pointed:
        return there.token(pointed[name], key=mine)
    return {
        "none": lambda: unsigned({"alg": "none"}, there.claims()),
        "none, signed": lambda: unsigned({"alg": "nOnE", "kid": KEY["kid"]}, there.claims(), b"x" * 64),
        "hs256 of the key set": lambda: _hs256(there, json.dumps(public(KEY)).encode()),
        "hs256 of the coordinate": lambda: _hs256(there, KEY["x"].encode()),
        "another key, the same kid": lambda: there.token(key={**mine, "kid": KEY["kid"]}),
        "zeros for a signature": lambda: unsigned({"alg": "ES256", "kid": KEY["kid"]}, there.claims(), bytes(64)),
        "no signature": lambda: unsigned({"alg": "ES256", "kid": KEY["kid"]}, there.claims()),
        "four parts": lambda: there.token() + ".x",
        "changed after signing": lambda: _changed(there.token()),
        "an alg of the key of another": lambda: unsigned(
            {"alg": "RS256", "kid": KEY["kid"]}, there.claims(), b"x" * 256
        ),
    }[name]()


def _changed(token: str) -> str:
    head, body, tail = token.split(".")
    return ".".join([head, body[:-6] + ("A" if body[-6] != "A" else "B") + body[-5:], tail])


FORGED = ["jwk", "jku", "x5u", "x5c", "capitals", "crit", "b64", "proof as token", "logout", "kid path", "kid address"]
FORGED += ["kid sql", "kid list", "kid long", "none", "none, signed", "hs256 of the key set", "hs256 of the coordinate"]
FORGED += ["another key, the same kid", "zeros for a signature", "no signature", "four parts", "changed after signing"]
FORGED += ["an alg of the key of another"]


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_token_is_refused_and_its_header_makes_us_fetch_nothing(there: Elsewhere, name: str) -> None:
    answer = await there.get("public/a", _forged(there, name))
    assert (answer.status, answer.body.find(b"shared")) == (401, -1)
    assert set(there.asked) <= {"/.well-known/openid-configuration", "/jwks"}


PROOFS: dict[str, dict[str, Any]] = {
    "another method": {"htm": "PUT"},
    "another address": {"htu": f"{ROOT}/public/b"},
    "another host": {"htu": "https://evil.example/pods/an/public/a"},
    "too old": {"iat": 0},
    "no name": {"jti": ""},
    "the hash of another token": {"ath": b64(sha256(b"another").digest())},
}


@pytest.mark.parametrize("name", PROOFS)
async def test_a_wrong_proof_is_refused_before_anybody_is_asked(there: Elsewhere, name: str) -> None:
    answer = await there.get("public/a", dpop=there.proof("GET", "public/a", **PROOFS[name]))
    assert (answer.status, answer.kind) == (401, "invalid_dpop_proof")
    assert there.asked == []


async def test_a_proof_of_another_key_or_none_is_refused(there: Elsewhere) -> None:
    assert (await there.get("public/a", dpop=there.proof("GET", "public/a", new_es256()))).status == 401
    alone = await there.ask("GET", "public/a", authorization=f"DPoP {there.token()}")
    bearer = await there.ask("GET", "public/a", authorization=f"Bearer {there.token()}")
    assert (alone.status, bearer.status, there.asked) == (401, 401, [])


async def test_a_proof_may_bind_the_token_by_its_hash(there: Elsewhere) -> None:
    token = there.token()
    bound = there.proof("GET", "public/a", ath=b64(sha256(token.encode()).digest()))
    assert (await there.get("public/a", token, bound)).status == 200


SERVERS = ["not named", "nobody named", "named by another subject", "named as text", "another page", "no page",
           "moved to a stranger", "moved for ever", "moved without tls", "huge page", "broken page", "page of bombs",
           "remote context", "configuration of another", "no configuration", "configuration is a list", "keys moved",
           "keys elsewhere", "keys nowhere", "huge keys", "deep keys", "keys are no list", "private keys", "oct keys",
           "key for encryption", "short rsa", "packed answer", "slow", "failing"]  # fmt: skip


def _server(there: Elsewhere, name: str) -> None:
    """Make the server elsewhere a hostile or a broken one."""
    where, well_known = there.sink.origin, "/.well-known/openid-configuration"
    n = b64(b"\xff" * 64)
    plain: dict[str, tuple[str, bytes]] = {
        "another page": ("/card", reply(b"<html>", Content_Type="text/html")),
        "no page": ("/card", reply(status="404 Not Found")),
        "moved to a stranger": ("/card", reply(status="302 Found", Location="https://[::1]/card")),
        "moved for ever": ("/card", reply(status="301 Moved Permanently", Location=where + "/card")),
        "moved without tls": ("/card", reply(status="303 See Other", Location="http://198.51.100.7/card")),
        "huge page": ("/card", reply(b"#" * 70_000, Content_Type="text/turtle")),
        "broken page": ("/card", reply(b"<#me> solid:", Content_Type="text/turtle")),
        "page of bombs": ("/card", reply(b"[" * 60_000, Content_Type="application/ld+json")),
        "remote context": ("/card", reply(b'{"@context":"http://localhost:1/c"}', Content_Type="application/ld+json")),
        "no configuration": (well_known, reply(status="404 Not Found")),
        "configuration is a list": (well_known, reply(b"[]")),
        "keys moved": ("/jwks", reply(status="301 Moved Permanently", Location="http://127.0.0.2:1/jwks")),
        "huge keys": ("/jwks", reply(b'{"keys":[' + b'{"kty":"EC"},' * 10_000 + b"{}]}")),
        "deep keys": ("/jwks", reply(b'{"keys":' + b"[" * 30_000)),
        "keys are no list": ("/jwks", reply(b'{"keys":{}}')),
        "packed answer": ("/jwks", reply(b"\x1f\x8b", Content_Encoding="gzip")),
        "failing": ("/jwks", reply(status="503 Service Unavailable")),
    }
    if name in plain:
        there.special = dict([plain[name]])
    elif name == "slow":
        there.sink.hold = 2
        there.house.issuers = Issuers(Fetcher(loopback=True, limits=QUICK))
    elif name in ("not named", "nobody named"):
        there.listed = ["https://another.example"]
    elif name == "named by another subject":
        there.profile = PROFILE.replace("#me", "#other").format(f"<{where}>").encode()
    elif name == "named as text":
        there.profile = PROFILE.format(f'"{where}"').encode()
    elif name == "configuration of another":
        there.issuer = "https://another.example"
    elif name in ("keys elsewhere", "keys nowhere"):
        to = "http://169.254.169.254/keys" if name == "keys elsewhere" else "file:///etc/passwd"
        there.special = {well_known: reply(json.dumps({"issuer": where, "jwks_uri": to}).encode())}
    else:
        there.jwks = {
            "private keys": [dict(KEY)],
            "oct keys": [{"kty": "oct", "k": KEY["x"], "kid": KEY["kid"]}],
            "key for encryption": [public(KEY) | {"use": "enc"}],
            "short rsa": [{"kty": "RSA", "n": n, "e": "AQAB", "kid": KEY["kid"]}],
        }[name]


@pytest.mark.parametrize("name", SERVERS)
async def test_a_hostile_or_broken_server_vouches_for_nobody(there: Elsewhere, name: str) -> None:
    _server(there, name)
    answer = await there.get("public/a")
    assert (answer.status, answer.body.find(b"shared")) == (401, -1)


async def test_a_server_speaks_for_no_webid_of_another_one(there: Elsewhere, vault: Vault, clock: Clock) -> None:
    """The key of one issuer, the name of another; and an issuer that names a WebID which does not name it."""
    async with sink() as found:
        evil = Elsewhere(found, there.house)
        evil.jwks, evil.listed = [public(KEY)], [found.origin]
        for claims in ({"webid": there.me}, {"iss": there.sink.origin, "webid": there.me}):
            mine = new_es256() | {"kid": KEY["kid"]}
            evil.jwks = [public(mine)]
            assert (await there.get("public/a", evil.token(key=mine, **claims))).status == 401
        # Both have a key of that name: each signs for itself alone.
        mine = new_es256() | {"kid": KEY["kid"]}
        evil.jwks = [public(mine)]
        clock.forward(seconds=301)
        assert (await there.get("public/a")).status == 200
        assert (await there.get("public/a", evil.token(key=KEY))).status == 401
        assert (await there.get("settings/secret", evil.token(key=mine))).status in (401, 403)


async def test_a_token_of_a_dead_issuer_is_refused_fast_and_not_asked_about_again_at_once(there: Elsewhere) -> None:
    there.special = {"/.well-known/openid-configuration": reply(status="502 Bad Gateway")}
    for n in range(50):
        assert (await there.get("public/a", there.token(jti=str(n)))).status == 401
    assert len(there.asked) == 1
