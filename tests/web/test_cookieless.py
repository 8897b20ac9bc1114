"""Pods and token routes read no cookie and alone let other origins in; every page is shut to frames and tells nobody
where its reader came from.
"""

from datetime import datetime

import pytest

from consent.accounts import sessions
from consent.accounts.sessions import SessionFacts, find
from tests.house import ALL_INTERESTS, Household
from tests.log.everything import PODS
from tests.web.fronts import addresses
from vault.vault import Vault
from web.cors import is_open

PODS_TOO = [(method, path) for path in PODS.values() for method in ("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH")]
LOG = ("/log/", "/transparency.json")
"""The public log is the same for everybody, and others' pages may check it."""
REGISTER = "/oauth/register"
"""Open to others' pages as well, for plain Solid apps; a developer's session counts there for clients that push."""
SUGGEST = ("/api/suggest", "/api/feedback")
"""Open to others' pages for apps with a token; without one they are for our own pages, as every page of ours."""
OWN = {"date", "dpop-nonce", "kluis-entry"}
"""What differs from one answer to the next, whoever asks."""


def cookieless(house: Household) -> list[tuple[str, str]]:
    app = house.app.pages  # type: ignore[attr-defined]
    both = (REGISTER, *SUGGEST)
    tokens = [(m, a) for m, a in addresses(app, {"GET", "POST", "DELETE"}) if is_open(a) and not a.startswith(both)]
    assert {"/oauth/token", "/oauth/par", "/oauth/introspect", "/oauth/revoke", "/api/records"} <= {
        a for _, a in tokens
    }
    programs = [("POST", "/api/log/receipts"), ("POST", "/api/sources/mijnbib/box")]
    return tokens + programs + PODS_TOO


async def test_a_valid_session_cookie_gets_the_anonymous_answer_at_every_pod_and_token_route(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def seen(vault: Vault, cookie: str, now: datetime) -> SessionFacts | None:
        read.append(cookie)
        return find(vault, cookie, now)

    monkeypatch.setattr(sessions, "find", seen)
    for method, address in cookieless(house):
        query = "?category=pd:Interest" if address == "/api/records" else ""
        own = {"cookie": f"kluis={house.cookie}", "sec-fetch-site": "same-origin", "kluis-form": house.session.csrf}
        told = []
        for headers in ({}, own):
            answer = await house.http.request(method, address + query, headers=headers)
            shown = {name: value for name, value in answer.headers.items() if name not in OWN}
            told.append((answer.status_code, answer.content, shown))
        assert told[0] == told[1], (method, address)
        assert "set-cookie" not in told[0][2], (method, address)
        assert read == [], (method, address)
    assert (await house.http.get("/me", headers={"cookie": f"kluis={house.cookie}"})).status_code == 200
    assert read, "the witness sees where a cookie counts"


async def test_pods_token_routes_and_the_public_log_alone_send_cross_origin_headers(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS)
    own = {"cookie": f"kluis={house.cookie}", "origin": "https://app.example"}
    for method, address in addresses(house.app.pages, {"GET", "POST", "DELETE"}, granted):  # type: ignore[attr-defined]
        for headers in (own, {"origin": "https://app.example"}):
            answer = await house.http.request(method, address, headers=headers)
            shared = {name for name in answer.headers if name.startswith("access-control-")}
            if is_open(address):
                assert answer.headers["access-control-allow-origin"] == "*", (method, address)
                assert "access-control-allow-credentials" not in shared
            elif not address.startswith(LOG):
                assert shared == set(), (method, address)
    for method, address in PODS_TOO:
        answer = await house.http.request(method, address, headers={"origin": "https://app.example"})
        assert answer.headers["access-control-allow-origin"] == "https://app.example", (method, address)
        assert "access-control-allow-credentials" not in answer.headers


async def test_a_script_of_another_origin_may_ask_first_where_it_may_come_and_nowhere_else(house: Household) -> None:
    asked = {"origin": "https://app.example", "access-control-request-method": "POST",
             "access-control-request-headers": "dpop"}  # fmt: skip
    for path in ("/oauth/token", "/oauth/par", "/api/records", "/.well-known/openid-configuration"):
        answer = await house.http.options(path, headers=asked)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, "*"), path
        assert "dpop" in answer.headers["access-control-allow-headers"].lower()
    for path in ("/login", "/oauth/authorize", "/me", "/api/grants", "/oauth/tokens"):
        answer = await house.http.options(path, headers=asked)
        assert answer.status_code >= 400 and "access-control-allow-origin" not in answer.headers, path


async def test_no_page_can_be_framed_nor_tells_another_site_where_its_reader_was(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS)
    own = {"cookie": f"kluis={house.cookie}", "accept": "text/html"}
    seen = 0
    for method, address in addresses(house.app.pages, {"GET", "POST"}, granted):  # type: ignore[attr-defined]
        for headers in (own, {"accept": "text/html"}):
            answer = await house.http.request(method, address, headers=headers)
            policy = answer.headers["content-security-policy"]
            assert "frame-ancestors 'none'" in policy and "default-src 'none'" in policy, (method, address)
            assert answer.headers["referrer-policy"] == "no-referrer", (method, address)
            assert answer.headers["x-content-type-options"] == "nosniff", (method, address)
            seen += answer.headers.get("content-type", "").startswith("text/html")
    assert seen > 20
