"""Attack list A (consent.md 6; RFC 9449): proofs shown to the resource server, one test per row, at both its doors.

The rows are named in the table of test_a_fapi.py.
"""

import hmac
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from keys.custodian import FileCustodian
from keys.secret import fresh_bytes
from keys.sign import new_es256
from keys.text import b64
from tests import house as furnishing
from tests.conftest import BASE, Clock
from tests.consent import sample
from tests.consent.attacks.party import RECORDS, hash_of, nothing_gained
from tests.house import INTERESTS, Household
from vault.vault import open_vault

DOORS = (RECORDS, "/pods/an/interests/a.jsonld")
Headers = Sequence[tuple[str, str]]


@pytest.fixture
async def token(house: Household) -> str:
    """An access token of the app, for a grant that lives."""
    return (await house.grant(INTERESTS)).access


async def shut(house: Household, door: str, headers: Headers) -> bool:
    """Whether these headers get 401 with a DPoP challenge, and nothing."""
    with nothing_gained(house):
        answer = await house.http.get(door, headers=[(name, value.encode()) for name, value in headers])
    assert answer.status_code == 401, (door, answer.text)
    assert answer.headers["www-authenticate"].startswith("DPoP "), answer.headers
    assert 'error="invalid_' in answer.headers["www-authenticate"]
    assert "jazz" not in answer.text
    return True


def shown(token: str, *proofs: str, scheme: str = "DPoP") -> Headers:
    return [("authorization", f"{scheme} {token}"), *(("dpop", proof) for proof in proofs)]


async def bad(house: Household, token: str, head: dict[str, Any] | None = None, **claims: Any) -> bool:
    """Whether a proof that is right but for this is refused at each door; None leaves a member out."""
    return all([await shut(house, door, shown(token, made(house, door, token, head, **claims))) for door in DOORS])


def made(
    house: Household,
    door: str,
    token: str,
    head: dict[str, Any] | None = None,
    key: Any = sample.PROOF_KEY,
    **claims: Any,
) -> str:
    """A proof for a door with members of header and claims replaced, in a signature that is right."""
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": sample.public(key)} | (head or {})
    said = {"jti": b64(fresh_bytes(12)), "htm": "GET", "htu": BASE + door.partition("?")[0],
            "iat": int(house.clock().timestamp()), "ath": hash_of(token)} | claims  # fmt: skip
    kept = [{name: value for name, value in part.items() if value is not None} for part in (header, said)]
    return sample.compact(kept[0], kept[1], key)


async def opens(house: Household, door: str, headers: Headers) -> httpx.Response:
    answer = await house.http.get(door, headers=list(headers))
    assert answer.status_code == 200, (door, answer.text)
    assert "jazz" in answer.text
    return answer


# ---------------------------------------------------------------- refused


async def test_two_proofs_are_refused(house: Household, token: str) -> None:
    for door in DOORS:
        one, two = made(house, door, token), made(house, door, token)
        assert await shut(house, door, shown(token, one, two))
        assert await shut(house, door, shown(token, one, one))
        assert await shut(house, door, shown(token, f"{one}, {two}"))


async def test_two_tokens_are_refused(house: Household, token: str) -> None:
    for door in DOORS:
        assert await shut(house, door, [("authorization", f"DPoP {token}"), *shown(token, made(house, door, token))])


@pytest.mark.parametrize("proof", ["", "a.b", "a.b.c", "....", "e30.e30.", "a" * 9000, "é", "{}"])
async def test_a_malformed_proof_is_refused(house: Household, token: str, proof: str) -> None:
    for door in DOORS:
        assert await shut(house, door, shown(token, proof))


async def test_a_proof_without_typ_is_refused(house: Household, token: str) -> None:
    assert await bad(house, token, {"typ": None})


async def test_a_proof_without_alg_is_refused(house: Household, token: str) -> None:
    assert await bad(house, token, {"alg": None})


async def test_a_proof_without_jwk_is_refused(house: Household, token: str) -> None:
    assert await bad(house, token, {"jwk": None})


async def test_a_proof_without_jti_is_refused(house: Household, token: str) -> None:
    assert await bad(house, token, jti=None)


async def test_a_proof_without_htm_is_refused(house: Household, token: str) -> None:
    assert await bad(house, token, htm=None)


async def test_a_proof_without_htu_is_refused(house: Household, token: str) -> None:
    assert await bad(house, token, htu=None)


async def test_a_proof_without_iat_is_refused(house: Household, token: str) -> None:
    assert await bad(house, token, iat=None)


async def test_a_proof_without_ath_is_refused(house: Household, token: str) -> None:
    assert await bad(house, token, ath=None)


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "dpop", "", 7])
async def test_a_proof_of_another_typ_is_refused(house: Household, token: str, typ: Any) -> None:
    assert await bad(house, token, {"typ": typ})


async def test_a_proof_under_alg_none_is_refused(house: Household, token: str) -> None:
    assert await bad(house, token, {"alg": "none"})
    for door in DOORS:
        bare = made(house, door, token, {"alg": "none"}).rpartition(".")[0]
        assert await shut(house, door, shown(token, bare + "."))


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
async def test_a_proof_under_an_hmac_is_refused(house: Household, token: str, alg: str) -> None:
    public = json.dumps(sample.public(sample.PROOF_KEY)).encode()
    for door in DOORS:
        signed = made(house, door, token, {"alg": alg}).rpartition(".")[0]
        mac = hmac.digest(public, signed.encode(), "sha" + alg[2:])
        assert await shut(house, door, shown(token, f"{signed}.{b64(mac)}"))
        oct_key = {"alg": alg, "jwk": {"kty": "oct", "k": b64(public)}}
        assert await shut(house, door, shown(token, made(house, door, token, oct_key)))


async def test_a_proof_with_a_bad_signature_is_refused(house: Household, token: str) -> None:
    for door in DOORS:
        head, body, mark = made(house, door, token).split(".")
        turned = ("A" if mark[0] != "A" else "B") + mark[1:]
        another = made(house, door, token).split(".")[2]
        for signature in (turned, another, "", b64(bytes(64)), mark[:-2]):
            assert await shut(house, door, shown(token, f"{head}.{body}.{signature}"))


async def test_a_proof_that_shows_its_private_key_is_refused(house: Household, token: str) -> None:
    assert await bad(house, token, {"jwk": sample.PROOF_KEY})


@pytest.mark.parametrize("htm", ["POST", "get", "", 7])
async def test_a_proof_for_another_method_is_refused(house: Household, token: str, htm: Any) -> None:
    assert await bad(house, token, htm=htm)


@pytest.mark.parametrize(
    "htu",
    ["{base}/other", "{here}/", "{here}/../x", "https://evil.example{path}", "http://localhost:8401{path}",
     "https://localhost:8400{path}", "http://an@localhost:8400{path}", "{path}", "{HERE}", ""],
)  # fmt: skip
async def test_a_proof_for_another_address_is_refused(house: Household, token: str, htu: str) -> None:
    for door in DOORS:
        path = door.partition("?")[0]
        said = htu.format(base=BASE, here=BASE + path, path=path, HERE=BASE + path.upper())
        assert await shut(house, door, shown(token, made(house, door, token, htu=said)))


async def test_a_proof_an_hour_old_is_refused(house: Household, token: str) -> None:
    assert await bad(house, token, iat=int(house.clock().timestamp()) - 3600)


async def test_a_proof_an_hour_ahead_is_refused(house: Household, token: str) -> None:
    assert await bad(house, token, iat=int(house.clock().timestamp()) + 3600)


async def test_a_proof_shown_again_is_refused(house: Household, token: str) -> None:
    for door in DOORS:
        one = shown(token, made(house, door, token, jti="the-same-" + door))
        await opens(house, door, one)
        assert await shut(house, door, one)
        again = made(house, door, token, jti="the-same-" + door, more="to look new")
        assert await shut(house, door, shown(token, again))


async def test_a_proof_for_another_token_is_refused(house: Household, token: str) -> None:
    other = (await house.grant(INTERESTS)).access
    for ath in (hash_of(other), hash_of(token + " "), token, "", 7):
        assert await bad(house, token, ath=ath)


async def test_a_proof_by_another_key_is_refused(house: Household, token: str) -> None:
    assert await bad(house, token, key=new_es256())
    assert await bad(house, token, {"jwk": sample.public(new_es256())})


async def test_a_token_without_a_proof_is_refused(house: Household, token: str) -> None:
    for door in DOORS:
        assert await shut(house, door, shown(token))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "Basic", "Token"])
async def test_a_token_under_the_bearer_scheme_is_refused(house: Household, token: str, scheme: str) -> None:
    for door in DOORS:
        assert await shut(house, door, shown(token, made(house, door, token), scheme=scheme))
        assert await shut(house, door, shown(token, scheme=scheme))


# ---------------------------------------------------------------- accepted, since clients write it so


async def test_accepted_htu_with_the_query(house: Household, token: str) -> None:
    for door in DOORS:
        htu = BASE + door + ("" if "?" in door else "?x=1") + "#part"
        await opens(house, door, shown(token, made(house, door, token, htu=htu)))


async def test_accepted_htu_without_the_query(house: Household, token: str) -> None:
    for door in DOORS:
        await opens(house, door, shown(token, made(house, door, token, htu=BASE + door.partition("?")[0])))


async def test_accepted_htu_whose_host_is_in_capitals(house: Household, token: str) -> None:
    for door in DOORS:
        htu = BASE.replace("http://localhost", "HTTP://LocalHost") + door.partition("?")[0]
        await opens(house, door, shown(token, made(house, door, token, htu=htu)))


@pytest.mark.parametrize(("base", "port"), [("http://localhost", 80), ("https://kluis.example", 443)])
async def test_accepted_htu_with_and_without_the_default_port(
    base: str, port: int, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A house of its own, at an address without a port."""
    monkeypatch.setattr(furnishing, "BASE", base)
    custodian = FileCustodian.create(tmp_path / "custodian")
    vault = open_vault(tmp_path / "vault", tmp_path / "shares", custodian, base, clock())
    try:
        async with furnishing.household(vault, clock, tmp_path) as house:
            own, path = await house.jwt(), "/pods/an/settings/"
            for written in (base, f"{base}:{port}"):
                answer = await house.http.get(path, headers=house.shown("GET", path, own, htu=written + path))
                assert answer.status_code == 200, (written, answer.text)
            other = await house.http.get(path, headers=house.shown("GET", path, own, htu=f"{base}:{port + 1}{path}"))
            assert other.status_code == 401
    finally:
        vault.close()


async def test_accepted_extra_claims(house: Household, token: str) -> None:
    for door in DOORS:
        more = {"exp": 1, "nonce": "n", "aud": ["x"], "https://example.org/more": {"a": None}}
        await opens(house, door, shown(token, made(house, door, token, {"kid": "k"}, **more)))


@pytest.mark.parametrize("seconds", [-10, 10])
async def test_accepted_iat_ten_seconds_off_either_way(house: Household, token: str, seconds: int) -> None:
    for door in DOORS:
        at = int(house.clock().timestamp()) + seconds
        await opens(house, door, shown(token, made(house, door, token, iat=at)))


@pytest.mark.parametrize("scheme", ["dpop", "DPOP", "DPoP", "dPoP"])
async def test_accepted_scheme_in_any_case(house: Household, token: str, scheme: str) -> None:
    for door in DOORS:
        await opens(house, door, shown(token, made(house, door, token), scheme=scheme))
