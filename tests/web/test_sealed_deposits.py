"""Deposits that a source seals itself: no server reads them, the citizen does, and a bad one breaks no other.

The source is written from the published forms alone; it shares no code with the vault.
"""

import hashlib
import hmac
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from consent import deposits, locks
from consent.jws import read
from tests.conftest import BASE
from tests.house import Household
from tests.keys.independent import envelope, framed, write_letter
from tests.web.test_sources import KEY, PUBLIC
from vault.database import Tx
from web.client import assertion

MEDIA = "application/vnd.kluis.sealed+json"
FORMAT = "kluis/sealed-deposit/v1"
LOANS = {"category": "kluis:LibraryLoan", "necessity": "required"}
RECORDS = "/api/records?category=kluis:LibraryLoan"


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def raw(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(value: int) -> bytes:
    return value.to_bytes(8, "big")


def padme(data: bytes) -> bytes:
    size = 8 + len(data)
    exponent = size.bit_length() - 1
    mask = (1 << exponent - exponent.bit_length()) - 1
    return (number(len(data)) + data).ljust(size + mask & ~mask, b"\0")


def block(data: bytes) -> bytes:
    framed_data = number(len(data)) + data
    return framed_data.ljust(-(-len(framed_data) // 128) * 128, b"\0")


@dataclass
class Source:
    """A library that seals what it delivers."""

    house: Household
    secret: bytes = b"the library's own key for names "
    bearer: str = ""

    async def post(self, path: str, told: Any, pod: str = "an") -> httpx.Response:
        await deposits.register(self.house.vault, "mijnbib", (PUBLIC,), self.house.clock())
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        self.bearer = assertion(KEY, "source-mijnbib", BASE, body, self.house.clock(), pod=pod)
        headers = {"authorization": f"Bearer {self.bearer}", "content-type": MEDIA}
        return await self.house.http.post(f"/api/sources/mijnbib/{path}?pod={pod}", content=body, headers=headers)

    def mark(self, name: str) -> str:
        return b64(hmac.digest(self.secret, name.encode(), "sha256"))

    async def box(self, *names: str, **changes: Any) -> dict[str, Any]:
        told = {"format": FORMAT, "category": "kluis:LibraryLoan", "marks": [self.mark(name) for name in names]}
        answer = await self.post("box", told | changes)
        assert answer.status_code == 200, answer.text
        box: dict[str, Any] = answer.json()
        ring = box["keyring"]
        Ed25519PublicKey.from_public_bytes(raw(box["identity"])).verify(raw(ring["signature"]), ring["body"].encode())
        keys = json.loads(ring["body"])["compartments"][box["compartment"]]["keys"]
        assert keys[str(box["generation"])] == box["public"]  # what it seals to is what the citizen signed
        return box

    def seal(self, box: dict[str, Any], item: dict[str, Any], record: bytes, **label: Any) -> dict[str, str]:
        pod, rid, cid = (raw(text) for text in (box["pod"], item["resource"], box["compartment"]))
        dek, version = os.urandom(32), number(1)
        at = int(self.house.clock().timestamp() * 1000)
        told = {"path": item["path"], "media": "application/ld+json", "size": len(record), "created": at,
                "modified": at, "source": "mijnbib"} | label  # fmt: skip
        head = envelope(
            dek, os.urandom(24), framed(b"kluis/label/v1", pod, rid, version), block(json.dumps(told).encode())
        )
        place = framed(b"kluis/body/v1", pod, rid, version, hashlib.sha256(head).digest())
        where = framed(b"kluis/dek/v1", pod, cid, number(box["generation"]), rid, version, b"deposit")
        return {
            "mark": item["mark"],
            "dek": b64(write_letter(raw(box["public"]), where, dek)),
            "label": b64(head),
            "body": b64(envelope(dek, os.urandom(24), place, padme(record))),
        }

    def delivery(self, box: dict[str, Any], items: list[dict[str, str]]) -> dict[str, Any]:
        return {name: box[name] for name in ("format", "category", "compartment", "generation")} | {"items": items}

    async def deliver(self, *names: str, **label: Any) -> httpx.Response:
        box = await self.box(*names)
        items = [self.seal(box, item, loan(name), **label) for item, name in zip(box["items"], names, strict=True)]
        return await self.post("deposits", self.delivery(box, items))


def loan(name: str) -> bytes:
    return json.dumps({"@type": "kluis:LibraryLoan", "schema:name": name, "schema:startTime": "2026-10-02"}).encode()


@pytest.fixture
def source(house: Household) -> Source:
    return Source(house)


async def titles(house: Household, access: str) -> list[str]:
    answer = await house.call("GET", RECORDS, access)
    assert answer.status_code == 200, answer.text
    return sorted(one["schema:name"] for one in answer.json()["@graph"])


async def test_what_a_source_sealed_itself_is_read_by_the_grant_and_kept_with_its_signature(
    house: Household, source: Source
) -> None:
    answer = await source.deliver("Dune", "Solaris")
    assert answer.status_code == 200, answer.text
    assert answer.json()["stored"] == 2
    line = house.told()[-1]
    assert (line["type"], line["client"], line["count"]) == ("deposit", "source-mijnbib", 2)
    assert line["signature"] == source.bearer
    read(line["signature"]).verify(PUBLIC, frozenset({"ES256"}))
    granted = await house.grant(LOANS)
    assert await titles(house, granted.access) == ["Dune", "Solaris", "Tin Pan"]
    await house.quiet()
    assert not house.vault.db.read.run("SELECT 1 FROM resource r JOIN body b ON b.id = r.id WHERE form = 'deposit'"
                                       " AND r.source <> x''")  # fmt: skip
    assert await titles(house, granted.access) == ["Dune", "Solaris", "Tin Pan"]


async def test_the_same_thing_twice_is_one_and_the_source_is_told_nothing_of_it(
    house: Household, source: Source
) -> None:
    first = await source.deliver("Dune")
    before = await source.box("Dune", "Ubik")
    again = await source.deliver("Dune")
    assert again.json()["stored"] == first.json()["stored"] == 1
    assert await source.box("Dune", "Ubik") == before
    granted = await house.grant(LOANS)
    assert (await titles(house, granted.access)).count("Dune") == 1
    item = before["items"][0]
    house.vault.db.now(lambda tx: removed(tx, raw(item["resource"])))
    assert (await source.deliver("Dune")).json()["stored"] == 1
    assert "Dune" not in await titles(house, granted.access)  # what its citizen deleted does not come back


def removed(tx: Tx, rid: bytes) -> None:
    tx.run("DELETE FROM body WHERE id = :id", id=rid)
    tx.run("UPDATE resource SET form = 'gone' WHERE id = :id", id=rid)


Spoil = Callable[[Source, dict[str, Any], dict[str, Any]], dict[str, str]]
BAD: dict[str, Spoil] = {
    "no JSON": lambda s, box, item: s.seal(box, item, b"{"),
    "no record": lambda s, box, item: s.seal(box, item, b"[1]"),
    "nested": lambda s, box, item: s.seal(box, item, b'{"a":' + b"[" * 200 + b"]" * 200 + b"}"),
    "other media": lambda s, box, item: s.seal(box, item, loan("x"), media="text/html\r\nx: y"),
    "other size": lambda s, box, item: s.seal(box, item, loan("x"), size=7),
    "other source": lambda s, box, item: s.seal(box, item, loan("x"), source="folio"),
    "other path": lambda s, box, item: s.seal(box, item, loan("x"), path="/loans/a.jsonld"),
    "time that is none": lambda s, box, item: s.seal(box, item, loan("x"), modified="later"),
    "time out of range": lambda s, box, item: s.seal(box, item, loan("x"), modified=1 << 60),
    "one field more": lambda s, box, item: s.seal(box, item, loan("x"), more=1),
    "other resource": lambda s, box, item: s.seal(box, item | {"resource": b64(bytes(16))}, loan("x")),
    "other generation": lambda s, box, item: s.seal(box | {"generation": 9}, item, loan("x")),
    "other key": lambda s, box, item: s.seal(box | {"public": b64(b"\x09".ljust(32, b"\0"))}, item, loan("x")),
    "point that is none": lambda s, box, item: s.seal(box, item, loan("x")) | {"dek": b64(b"\x01" + bytes(80))},
}


@pytest.mark.parametrize("how", BAD)
async def test_a_bad_one_that_nobody_could_see_is_damaged_and_breaks_no_other(
    how: str, house: Household, source: Source
) -> None:
    box = await source.box("good", "bad", "worse")
    good, *bad = box["items"]
    items = [source.seal(box, good, loan("good")), *(BAD[how](source, box, item) for item in bad)]
    answer = await source.post("deposits", source.delivery(box, items))
    assert answer.status_code == 200, answer.text
    granted = await house.grant(LOANS)
    for _ in range(2):
        assert await titles(house, granted.access) == ["Tin Pan", "good"]
        told = [(line["rule"], line.get("count", 0)) for line in house.told()[-2:]]
        assert told == [("damaged", 0), ("damaged", 1)]  # one line for the first, one for all others
    await house.quiet()
    assert (await house.call("GET", f"/pods/an{bad[0]['path']}", granted.access)).status_code == 500
    assert (await house.call("GET", f"/pods/an{good['path']}", granted.access)).status_code == 200


def changed(**fields: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda told: told | fields


def item(**fields: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda told: told | {"items": [told["items"][0] | fields]}


@pytest.mark.parametrize(
    ("spoil", "status", "why"),
    [
        (lambda told: b"{", 422, "no JSON"),
        (lambda told: [told], 422, "format"),
        (changed(format="kluis/sealed-deposit/v2"), 422, "format"),
        (changed(category="pd:Interest"), 422, "mijnbib delivers"),
        (changed(category=["kluis:LibraryLoan"]), 422, "mijnbib delivers"),
        (changed(compartment=b64(bytes(16))), 422, "another compartment"),
        (changed(generation=2), 409, "generation"),
        (changed(generation="1"), 422, "generation"),
        (changed(items=[]), 422, "items"),
        (lambda told: told | {"items": told["items"] * 2}, 422, "twice"),
        (item(mark=b64(bytes(31))), 422, "mark"),
        (item(mark=None), 422, "mark"),
        (item(dek=b64(b"\x01" + bytes(79))), 422, "letter"),
        (item(dek=b64(b"\x02" + bytes(80))), 422, "version"),
        (item(label=b64(b"\x01" + bytes(56 + 16 + 100))), 422, "multiple of 128"),
        (item(label=b64(b"\x01" + bytes(56 + 16))), 422, "multiple of 128"),
        (item(body=b64(b"\x01" + bytes(56 + 16 + 1001))), 422, "Padme"),
        (item(body=b64(b"\x01" + bytes(20))), 422, "not an envelope"),
        (item(body=b64(b"\x01" + bytes(56 + 16 + 16384))), 422, "not an envelope"),
        (item(body="%%%"), 422, "base64url"),
    ],
)
async def test_what_can_be_seen_to_be_wrong_is_refused_by_name_and_nothing_is_stored(
    spoil: Callable[[dict[str, Any]], Any], status: int, why: str, house: Household, source: Source
) -> None:
    box = await source.box("Dune")
    told = source.delivery(box, [source.seal(box, box["items"][0], loan("Dune"))])
    before = len(house.told())
    answer = await source.post("deposits", spoil(told))
    assert answer.status_code == status and why in answer.json()["detail"], answer.text
    assert len(house.told()) == before
    assert not house.vault.db.read.run("SELECT 1 FROM resource WHERE source <> x''")


async def test_a_body_larger_than_a_record_may_be_is_refused(house: Household, source: Source) -> None:
    box = await source.box("Dune")
    big = source.seal(box, box["items"][0], b"x" * (1 << 20))
    answer = await source.post("deposits", source.delivery(box, [big]))
    assert answer.status_code == 422 and "Padme" in answer.json()["detail"]


async def test_only_the_source_itself_is_shown_a_box_and_no_pod_but_the_one_it_signed_for(
    house: Household, source: Source
) -> None:
    box = await source.box("Dune")
    told = json.dumps(source.delivery(box, [source.seal(box, box["items"][0], loan("Dune"))])).encode()
    for path in ("box", "deposits"):
        bare = await house.http.post(
            f"/api/sources/mijnbib/{path}?pod=an", content=told, headers={"content-type": MEDIA}
        )
        assert bare.status_code == 401
        again = {"authorization": f"Bearer {source.bearer}", "content-type": MEDIA}
        replayed = await house.http.post(f"/api/sources/mijnbib/{path}?pod=an", content=told, headers=again)
        assert replayed.status_code == 401
    assert (await source.post("box", told, pod="mia")).status_code == 404
    assert (await source.house.http.post("/api/sources/uitdatabank/box?pod=an", content=told)).status_code == 404


async def test_a_compartment_that_nobody_opened_has_no_box(house: Household, source: Source) -> None:
    cid = house.session.pod.compartment("loans")
    house.vault.db.now(lambda tx: tx.run("DELETE FROM compartment WHERE id = :id", id=cid))
    told = {"format": FORMAT, "category": "kluis:LibraryLoan", "marks": [source.mark("Dune")]}
    answer = await source.post("box", told)
    assert answer.status_code == 409 and answer.json()["type"] == "urn:kluis:problem:no-compartment"


@pytest.mark.parametrize("how", ["other key", "point that is none", "no JSON"])
async def test_a_bad_one_does_not_keep_its_citizen_from_changing_all_locks(
    how: str, house: Household, source: Source
) -> None:
    box = await source.box("good", "bad")
    good, bad = box["items"]
    items = [source.seal(box, good, loan("good")), BAD[how](source, box, bad)]
    assert (await source.post("deposits", source.delivery(box, items))).status_code == 200
    granted = await house.grant(LOANS)
    await locks.change(house.vault, house.session, ["loans"], house.clock(), rewrap=True)
    assert await titles(house, granted.access) == ["Tin Pan", "good"]
    assert house.told()[-1]["rule"] == "damaged"


async def test_what_was_sealed_before_the_locks_were_changed_is_refused_and_sealed_anew(
    house: Household, source: Source
) -> None:
    box = await source.box("Dune")
    told = source.delivery(box, [source.seal(box, box["items"][0], loan("Dune"))])
    await locks.change(house.vault, house.session, ["loans"], house.clock())
    assert (await source.post("deposits", told)).status_code == 409
    assert (await source.deliver("Dune")).status_code == 200
    granted = await house.grant(LOANS)
    assert "Dune" in await titles(house, granted.access)
