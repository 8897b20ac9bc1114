"""Hostile requests: desynchronising ones on the wire, stored content that would run, strangers, crafted headers."""

import time
from collections.abc import Iterator

import pytest

from tests.browser.town import Town
from tests.house import Household
from tests.proof import figure
from tests.solid.client import POD, TEXT, Agent, listed
from tests.solid.raw import asgi, statuses, wire
from tests.web.test_pods_live import INTEREST


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    running = Town(tmp_path_factory.mktemp("town"))
    yield running
    running.stop()


NEXT = "GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n"
POST, GET = (f"{method} {{path}} HTTP/1.1\r\nHost: {{host}}\r\n" for method in ("POST", "GET"))
DESYNC = {
    "length and chunks": POST + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": POST + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhallo!",
    "a list of lengths": POST + "Content-Length: 5, 6\r\n\r\nhallo!",
    "a negative length": POST + "Content-Length: -5\r\n\r\nhallo",
    "a hexadecimal length": POST + "Content-Length: 0x5\r\n\r\nhallo",
    "a signed length": POST + "Content-Length: +5\r\n\r\nhallo",
    "a chunk of no number": POST + "Transfer-Encoding: chunked\r\n\r\nxyz\r\nhallo\r\n0\r\n\r\n",
    "a chunk too short": POST + "Transfer-Encoding: chunked\r\n\r\n3\r\nhallo\r\n0\r\n\r\n",
    "a giant chunk": POST + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx",
    "an unknown coding": POST + "Transfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n",
    "a space before the colon": POST + "Content-Length : 5\r\n\r\nhallo",
    "a folded header": GET + "X: a\r\n b\r\nContent-Length\r\n : 5\r\n\r\nhallo",
    "a zero byte in a header": GET + "X: a\0b\r\n\r\n",
    "two hosts": GET + "Host: evil.example\r\n\r\n",
    "the same host twice": GET + "Host: {host}\r\n\r\n",
    "no host": "GET {path} HTTP/1.1\r\nX: y\r\n\r\n",
    "a foreign host": "GET {path} HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "a host with more": "GET {path} HTTP/1.1\r\nHost: {host}/x\r\n\r\n",
    "a list of hosts": "GET {path} HTTP/1.1\r\nHost: {host}, evil.example\r\n\r\n",
    "CONNECT": "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n",
    "CONNECT under our name": "CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "TRACE": "TRACE {path} HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "a method of no token": "G(T {path} HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "an unknown version": "GET {path} HTTP/7.9\r\nHost: {host}\r\n\r\n",
    "no version": "GET {path}\r\n\r\n",
    "the preface of HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "line feeds alone": "GET {path} HTTP/1.1\nHost: {host}\n\n",
    "a carriage return alone": GET + "X: a\rY: b\r\n\r\n",
}


@pytest.mark.enable_socket
@pytest.mark.parametrize("kind", DESYNC)
@pytest.mark.parametrize("path", ["/pods/{who}/public/", "/login"])
def test_a_request_that_could_be_read_two_ways_is_refused_and_the_connection_closed(
    town: Town, kind: str, path: str
) -> None:
    told = {"host": town.base.partition("//")[2], "who": "burger-1"}
    data = (DESYNC[kind].replace("{path}", path) + NEXT).format(**told).encode("latin-1")
    answer, closed = wire(town.base, data)
    found = statuses(answer)
    assert closed, answer
    assert len(found) <= 1
    assert all(400 <= one < 500 or one in {501, 505} for one in found), answer[:200]


HOSTILE = {
    "text/html": b"<script>alert(1)</script>",
    "image/svg+xml": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "application/xhtml+xml": b"<html xmlns='http://www.w3.org/1999/xhtml'><script>1</script></html>",
    "text/xml": b"<?xml-stylesheet href='x.xsl'?><a/>",
    "application/pdf": b"%PDF-1.7 /OpenAction",
    "text/javascript": b"alert(1)",
    "text/html; charset=utf-7": b"+ADw-script+AD4-",
    "multipart/x-mixed-replace; boundary=x": b"--x\r\n",
    "application/x-shockwave-flash": b"FWS",
    "text/plain": b"<!doctype html><script>alert(1)</script>",
}


@pytest.mark.parametrize("media", HOSTILE)
async def test_stored_content_runs_in_no_origin_of_ours_and_is_kept_by_no_cache(an: Agent, media: str) -> None:
    stored = await an("PUT", "public/x.html", HOSTILE[media], media)
    assert stored.status_code == 201, stored.text
    for method in ("GET", "HEAD"):
        answer = await an(method, "public/x.html")
        assert answer.headers["content-type"] == media
        assert "sandbox" in answer.headers["content-security-policy"]
        assert "allow-scripts" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert {"private", "no-store"} <= listed(answer.headers, "cache-control")
        assert {"Accept", "Authorization", "Origin"} <= listed(answer.headers, "vary")


SLUGS = ("../../settings/x", "..%2f..%2fsettings", "a\\b", "<script>", "x.html", ".acl", "con", "a" * 5000, "\x7f",
         "%00", "%0d%0aSet-Cookie:%20x=1", "a?b#c", " ", ".", "..", "/", "//evil.example/", "x;y")  # fmt: skip
TYPES = (
    "text/html, text/plain",
    "text",
    "/",
    "text/html\tx",
    "a" * 300 + "/b",
    'text/html; x="',
    "text/html;;;;;;;;;;a=b;c",
)


async def test_no_slug_or_type_leads_out_of_the_container_or_into_a_header(an: Agent) -> None:
    for slug in SLUGS:
        made = await an("POST", "public/", "x", TEXT, slug=slug)
        assert made.status_code in (201, 400), slug
        if made.status_code == 201:
            there = made.headers["location"]
            name = there.removeprefix(POD + "public/")
            assert there.startswith(POD + "public/") and name.isprintable() and not set(name) & set("/\\?#<>\"' ;")
            assert (await an("GET", there)).text == "x"
    for media in TYPES:
        assert (await an("PUT", "public/t", "x", media)).status_code in (201, 204, 400), media


IDENTITY = {"x_forwarded_user": "an", "x_forwarded_for": "127.0.0.1", "forwarded": "for=127.0.0.1;host=localhost:8400",
            "x_original_url": "/pods/an/public/", "x_rewrite_url": "/pods/an/public/", "x_http_method_override": "GET",
            "x_webid": f"{POD}profile/card#me", "user": f"{POD}profile/card#me", "from": "an", "cookie": "kluis=x",
            "x_forwarded_host": "localhost:8400", "via": "1.1 localhost"}  # fmt: skip


async def test_strangers_get_the_same_answer_for_what_is_there_and_for_what_is_not(an: Agent, bram: Agent) -> None:
    await an("PUT", "settings/there", "x", TEXT)
    await an("PUT", "settings/there.acl", (await an("GET", ".acl")).text, "text/turtle")
    differ, tried = [], 0
    for who in (Agent(an.house), bram):
        for method in ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"):
            for ending in ("", ".acl", ".meta", "/", "/.acl", "/x"):
                for more in ({}, IDENTITY):
                    seen = []
                    for name in ("there", "where"):
                        sent = {"body": "<> <urn:e:b> 1 ."} if method in {"PUT", "POST", "PATCH"} else {}
                        answer = await who(method, f"settings/{name}{ending}", sent.get("body"), "text/turtle", **more)
                        told = {k: v.replace("where", "there") for k, v in answer.headers.items()}
                        seen.append((answer.status_code, answer.content, told))
                    tried += 1
                    if seen[0] != seen[1] or (method != "OPTIONS" and seen[0][0] not in (401, 403, 405)):
                        differ.append((method, ending, [one[:2] for one in seen]))
    figure("SP3", len(differ), tried)
    assert differ == []


LONG = 60_000
CRAFTED = {
    "accept": "a/b;q=0." * (LONG // 8), "accept-language": "a" * LONG, "link": '<x>; rel="' + "type " * (LONG // 5),
    "if-match": '"a", ' * (LONG // 5), "if-none-match": 'W/"' * (LONG // 3),
    "content-type": "text/" + "a;" * (LONG // 2), "slug": "%" * LONG,
    "authorization": "DPoP " + "." * LONG, "dpop": "a." * (LONG // 2), "origin": "x" * LONG,
    "range": "bytes=" + "0-0," * (LONG // 4), "prefer": "a;" * (LONG // 2), "kluis-purpose": "a" * LONG,
    "access-control-request-headers": "a," * (LONG // 2), "cookie": "a=b;" * (LONG // 4),
    "forwarded": '"\\' * (LONG // 2),
}  # fmt: skip


@pytest.mark.parametrize("header", CRAFTED)
async def test_a_long_crafted_header_costs_less_than_a_second(house: Household, header: str) -> None:
    value = [(header.encode(), CRAFTED[header].encode())]
    for method, path in (("GET", b"/pods/an/public/"), ("POST", b"/pods/an/public/"), ("GET", INTEREST.encode())):
        begun = time.perf_counter()
        said = await asgi(house, method, path, value, b"x")
        assert time.perf_counter() - begun < 1, method
        assert said.status < 500
