"""A write counts only from our own page of this very session: every route that writes, asked of the app itself."""

from typing import Any

import pytest

from consent.accounts import passphrase
from tests.conftest import BASE
from tests.house import INTERESTS, Household
from tests.web.fronts import addresses
from web.cors import is_open

SAME = {"sec-fetch-site": "same-origin"}
WRITES = {"POST", "PUT", "PATCH", "DELETE"}
OPERATOR = "/api/operator/"
"""Over the network these addresses do not exist, whoever asks (tests/web/test_operator.py)."""
PROGRAMS = ("/api/log/receipts", "/api/sources/mijnbib/box", "/oauth/signals")
"""A program shows its own key in the request; no cookie is looked at (tests/web/test_cookieless.py)."""
TABLES = ("resource", "grant", "session", "unlocker", "token", "client", "pushed", "compartment", "receipt", "account")
FORGERIES: dict[str, dict[str, str]] = {
    "no token": SAME,
    "a made-up token": SAME | {"kluis-form": "x"},
    "another session's token": SAME,
    "cross-site": {"sec-fetch-site": "cross-site"},
    "same-site": {"sec-fetch-site": "same-site"},
    "typed by nobody": {"sec-fetch-site": "none"},
    "another origin": {"origin": "https://evil.example"},
    "a neighbour on this machine": {"origin": "http://127.0.0.1:8401"},
    "no origin": {"origin": "null"},
}


def _elsewhere(address: str) -> bool:
    """Whether no page of ours sends there."""
    return is_open(address) or address.startswith((OPERATOR, *PROGRAMS))


def held(house: Household) -> list[Any]:
    """All that a write could have changed: the rows of every table and the lines of the log."""
    rows = [house.vault.db.read.run(f'SELECT count(*) FROM "{table}"')[0][0] for table in TABLES]
    states = house.vault.db.read.run("SELECT id, state, epoch FROM gate ORDER BY id")
    return [*rows, states, len(house.told())]


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_forged_write_is_refused_on_every_route_and_nothing_happens(house: Household, forgery: str) -> None:
    granted = await house.grant(INTERESTS)
    other = await passphrase.login(house.vault, "an", house.codes[1] if len(house.codes) > 1 else "", house.clock())
    assert other is not None
    token = {"another session's token": other[1].csrf, "no token": ""}.get(forgery, house.session.csrf)
    if forgery == "a made-up token":
        token = "x"
    app = house.app.pages  # type: ignore[attr-defined]
    writes = [(m, a) for m, a in addresses(app, WRITES, granted) if not _elsewhere(a)]
    assert len(writes) >= 25
    before = held(house)
    headers = FORGERIES[forgery] | {"cookie": f"kluis={house.cookie}"}
    for method, address in writes:
        for sent in ({"data": {"csrf": token}}, {"files": {"csrf": (None, token), "file": ("a", b"x")}}):
            answer = await house.http.request(method, address, headers=headers, **sent)  # type: ignore[arg-type]
            assert answer.status_code == 403, (forgery, method, address, answer.text)
            assert "set-cookie" not in answer.headers
        bare = headers | ({"kluis-form": token} if forgery not in ("no token", "a made-up token") else {})
        answer = await house.http.request(method, address, headers=bare, content=b"{}")
        assert answer.status_code == 403, (forgery, method, address, answer.text)
    assert held(house) == before


async def test_every_write_of_a_page_that_is_not_logged_in_asks_for_the_login_and_changes_nothing(
    house: Household,
) -> None:
    granted = await house.grant(INTERESTS)
    before = held(house)
    for method, address in addresses(house.app.pages, WRITES, granted):  # type: ignore[attr-defined]
        if _elsewhere(address) or address.startswith(("/login", "/oauth/register")):
            continue
        answer = await house.http.request(method, address, headers=SAME, data={"csrf": house.session.csrf})
        wanted = 401 if address.startswith("/api/") else 303
        assert answer.status_code == wanted, (method, address)
        assert wanted == 401 or answer.headers["location"].startswith("/login")
    assert held(house) == before


async def test_every_answer_to_a_form_that_worked_is_a_303_so_that_no_secret_is_sent_on(house: Household) -> None:
    """307 would send the form, and the passphrase in it, to wherever the answer points (RFC 9700 4.12)."""
    granted = await house.grant(INTERESTS)
    fields = {"csrf": house.session.csrf, "version": "1", "keep": "", "text": "x"}
    own = SAME | {"cookie": f"kluis={house.cookie}", "accept": "text/html"}
    told = set()
    for method, address in addresses(house.app.pages, WRITES, granted):  # type: ignore[attr-defined]
        if _elsewhere(address) or address.startswith(("/api/", "/logout", "/oauth/register")):
            continue
        answer = await house.http.request(method, address, headers=own, data=fields)
        told.add(answer.status_code)
        assert not 300 <= answer.status_code < 400 or answer.status_code == 303, (address, answer.status_code)
    assert 303 in told


@pytest.mark.parametrize(
    "there",
    ["https://evil.example/", "//evil.example", "///evil.example", "/\\evil.example", "\\/evil.example",
     "/%5cevil.example/..//",
     "javascript:alert(1)", "data:text/html,x", "/\tevil", "/a\r\nLocation: https://evil.example", "http:evil.example",
     "evil.example", " /me", "/me\x00", "https:\\\\evil.example", BASE + ".evil.example/", "@evil.example"],
)  # fmt: skip
async def test_after_the_login_nobody_lands_on_another_site_however_next_is_spelled(
    house: Household, there: str
) -> None:
    from tests.web.test_accounts import log_in

    done = await log_in(house.http, "an", house.codes[0], next=there)
    place = done.headers["location"]
    assert done.status_code == 303 and place.startswith("/") and not place.startswith(("//", "/\\"))
    assert not any(sign in place for sign in "\\\t\r\n\0")
