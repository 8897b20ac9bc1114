"""Whatever comes in malformed is refused with a 4xx where it comes in; what nobody foresaw is a 500 without a trace."""

import json
import logging
from typing import Any

import httpx
import pytest

from consent.oauth.clients import ASSERTION_TYPE
from keys.secret import fresh_bytes
from keys.text import b64
from tests.consent import sample
from tests.house import Household
from web.app import create
from web.middleware import Front

GIANT = 10**23
EDGES = ("-1", str(GIANT), "9" * 5000, "1e400", "NaN", "x", "", "%00")


def metadata(**changes: Any) -> dict[str, Any]:
    purpose = {"code": "dpv:ProvideEventRecommendations", "text": {"nl": "Tips."}, "categories": ["pd:Interest"]}
    good = {"client_name": "Tip", "controller": "https://tip.example/", "redirect_uris": [sample.RETURN],
            "jwks": {"keys": [sample.public(sample.APP_KEY)]}, "purposes": [purpose]}  # fmt: skip
    return good | changes


async def push(house: Household, details: str, **changes: str) -> httpx.Response:
    at = int(house.clock().timestamp())
    own = {"client_assertion_type": ASSERTION_TYPE,
           "client_assertion": sample.assertion(jti=b64(fresh_bytes(12)), iat=at, exp=at + 60)}  # fmt: skip
    form = {"response_type": "code", "redirect_uri": sample.RETURN, "code_challenge": sample.CHALLENGE,
            "code_challenge_method": "S256", "authorization_details": details}  # fmt: skip
    headers = {"dpop": house.proof("POST", "/oauth/par")}
    return await house.http.post("/oauth/par", data={**own, **form, **changes}, headers=headers)


async def test_what_is_missing_or_wrong_is_named_and_not_repeated(house: Household) -> None:
    for path, part in (("/api/records", "query category"), ("/api/records?category=pd:Age&since=zeer", "query since")):
        answer = await house.http.get(path)
        assert (answer.status_code, answer.json()["detail"]) == (400, part) and "zeer" not in answer.text


async def mine(house: Household, path: str) -> httpx.Response:
    headers = {"cookie": f"kluis={house.cookie}", "accept": "text/html"}
    return await house.http.get(path, headers=headers)


@pytest.mark.parametrize(
    "changes",
    [
        {"purpose": {"code": "dpv:X", "text": {"nl": "\ud800"}, "version": "1"}},
        {"controller": "\ud800"},
        {"\ud800": 1},
        {"retention": "P1D\0"},
        {"expires": "0001-01-01T00:00:00+14:00"},
        {"expires": "9999-12-31T23:59:59-14:00"},
        {"recurrence": {"mode": "ongoing", "max_uses": 2**53}},
        {"recurrence": {"mode": "ongoing", "max_per_day": 10**19}},
        {"recipients": [{"id": "http://[", "role": "processor"}]},
        {"recipients": [{"id": "https://a.example", "role": "processor", "more": 10**30}]},
        {"actions": [[[[[[[["read"]]]]]]], [[[[[[["read"]]]]]]]]},
        {"locations": ["http://["]},
        {"storage": {"country": "BE", "copy": ["none"]}},
    ],
)
async def test_what_the_page_or_the_grant_could_not_use_is_refused_when_it_is_pushed(
    house: Household, changes: dict[str, Any]
) -> None:
    answer = await push(house, json.dumps([sample.detail(**changes)]))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_authorization_details")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"purpose": {"code": "dpv:X", "text": {"nl": "x"}}}, "purpose: version is missing"),
        ({"datatypes": [{"category": "pd:Interest", "necessity": "must"}]}, "datatypes/0/necessity (enum)"),
        ({"retention": "soon"}, "retention (pattern)"),
        ({"purpose": {"code": "dpv:X", "text": {"nl": "x", 'q"\n': 1}, "version": "1"}}, "purpose/text/? (type)"),
    ],
)
async def test_a_refused_push_names_the_field_and_repeats_nothing_of_it(
    house: Household, changes: dict[str, Any], told: str
) -> None:
    answer = await push(house, json.dumps([sample.detail(**changes)]))
    assert answer.json()["error_description"] == f"The request breaks its schema at {told}."


@pytest.mark.parametrize("changes", [{"resource": "http://localhost:8400/["}, {"dpop_jkt": "é\0"}, {"scope": "\0"}])
async def test_no_parameter_of_a_push_is_a_server_error(house: Household, changes: dict[str, str]) -> None:
    assert (await push(house, json.dumps([sample.detail()]), **changes)).status_code in (201, 400)


@pytest.mark.parametrize(
    "changes",
    [
        {"controller": "http://["},
        {"controller": "\ud800"},
        {"client_name": "a\0b"},
        {"redirect_uris": ["http://["]},
        {"redirect_uris": "http://["},
        {"jwks": {"keys": [{**sample.public(sample.APP_KEY), "x": "AAAA"}]}},
        {"jwks": {"keys": [GIANT]}},
        {"purposes": [GIANT]},
        {"purposes": []},
    ],
)
async def test_an_app_with_unusable_metadata_is_refused_and_not_a_server_error(
    house: Household, changes: dict[str, Any]
) -> None:
    operator = httpx.ASGITransport(create(house.house, operator=True, clockwork=False))
    async with httpx.AsyncClient(transport=operator, base_url="http://localhost:8400") as http:
        body = json.dumps(metadata(**changes))
        refused = await http.post("/api/operator/apps", content=body)
        assert refused.status_code == 400, refused.text
        for broken in (b"{", b"\xff", b"[" * 100_000):
            assert (await http.post("/api/operator/apps", content=broken)).status_code == 400


@pytest.mark.parametrize("jwks", [sample.public(sample.APP_KEY), [], None, {"keys": {}}])
async def test_a_single_key_in_place_of_a_set_is_told_what_is_expected(house: Household, jwks: Any) -> None:
    operator = httpx.ASGITransport(create(house.house, operator=True, clockwork=False))
    async with httpx.AsyncClient(transport=operator, base_url="http://localhost:8400") as http:
        refused = await http.post("/api/operator/apps", content=json.dumps(metadata(jwks=jwks)))
    assert (refused.status_code, refused.json()["title"]) == (400, "jwks expects {keys: [...]}.")


async def test_extra_members_of_a_key_that_are_no_texts_are_not_kept(house: Household) -> None:
    operator = httpx.ASGITransport(create(house.house, operator=True, clockwork=False))
    async with httpx.AsyncClient(transport=operator, base_url="http://localhost:8400") as http:
        key = {**sample.public(sample.APP_KEY), "key_ops": ["verify"], "more": GIANT}
        made = await http.post("/api/operator/apps", content=json.dumps(metadata(jwks={"keys": [key]})))
        assert made.status_code == 201, made.text


@pytest.mark.parametrize("value", EDGES)
async def test_a_number_or_date_in_a_query_is_bounded(house: Household, value: str) -> None:
    granted = await house.grant({"category": "pd:Interest", "necessity": "required"})
    paths = (f"/api/log?since={value}", f"/me/log?before={value}", f"/log/consistency?old={value}&new={value}",
             f"/api/log?proofs={value}")  # fmt: skip
    for path in paths:
        assert (await mine(house, path)).status_code == 400, path
    path = f"/api/records?category=pd:Interest&since={value}"
    assert (await house.call("GET", path, granted.access)).status_code in (200, 400)


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00", "0001-01-01"])
async def test_a_date_at_the_edge_of_the_calendar_is_a_date(house: Household, since: str) -> None:
    granted = await house.grant({"category": "pd:Interest", "necessity": "required"})
    answer = await house.call("GET", f"/api/records?category=pd:Interest&since={since}", granted.access)
    assert answer.status_code == 200
    assert len(answer.json()["@graph"]) == (0 if since[0] == "9" else 1)


async def test_a_tile_far_outside_the_tree_is_nothing_and_no_error(house: Household) -> None:
    shard = house.vault.log.ledger.origin.rpartition("/")[2]
    for place in ("x001/" * 4 + "000", "x001/" * 2000 + "000", "٠٠٠", "000.p/0", "000.p/256", "000.p/999"):
        for level in ("entries", "0", "7"):
            assert (await house.call("GET", f"/log/{shard}/tile/{level}/{place}")).status_code == 404


class Wire:
    """One request on the wire of an app, with a client that says what `parts` say; what came back."""

    def __init__(self, *parts: dict[str, Any]) -> None:
        self.parts, self.sent = list(parts), []

    async def call(self, app: Any, method: str, path: str, **headers: str) -> list[dict[str, Any]]:
        named = {"host": "localhost:8400", **{name.replace("_", "-"): value for name, value in headers.items()}}
        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": method,
                 "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "server": None,
                 "client": None, "headers": [(n.encode(), v.encode()) for n, v in named.items()]}  # fmt: skip

        async def receive() -> dict[str, Any]:
            return self.parts.pop(0) if self.parts else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            self.sent.append(message)

        await app(scope, receive, send)
        return self.sent


@pytest.mark.parametrize("path", ["/login", "/oauth/par", "/oauth/token", "/oauth/authorize", "/api/operator/apps"])
async def test_a_client_that_leaves_in_the_middle_of_its_body_leaves_no_trace(
    house: Household, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = create(house.house, operator=True, clockwork=False)
    half = {"type": "http.request", "body": b"a=", "more_body": True}
    await Wire(half).call(app, "POST", path, cookie=f"kluis={house.cookie}", sec_fetch_site="same-origin")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_an_error_nobody_foresaw_is_a_problem_and_one_word_in_the_log(
    house: Household, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: object) -> object:
        raise ZeroDivisionError("An Peeters, 2018")

    monkeypatch.setattr(type(house.house), "base", property(broken))
    answer = await house.call("GET", "/transparency")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json()["type"] == "urn:kluis:problem:internal"
    assert "Peeters" not in answer.text + caplog.text
    assert [record.getMessage() for record in caplog.records] == ["a request failed: ZeroDivisionError"]


async def test_the_front_answers_a_problem_even_where_the_pages_cannot(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(*_: Any) -> None:
        raise ZeroDivisionError("An Peeters")

    start, body = await Wire().call(Front(broken, broken, "http://localhost:8400"), "GET", "/me")
    assert start["status"] == 500
    assert dict(start["headers"])[b"content-type"] == b"application/problem+json"
    assert json.loads(body["body"])["type"] == "urn:kluis:problem:internal"
    assert "Peeters" not in caplog.text


async def test_an_answer_that_was_begun_is_broken_off_and_not_finished_as_something_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def halfway(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    sent = await Wire().call(Front(halfway, halfway, "http://localhost:8400"), "GET", "/me")
    assert [message["type"] for message in sent] == ["http.response.start"]
