"""Deposits that a source seals itself: it asks for the box of a compartment, seals to it, and nobody here can read it.

The forms are those of keys.md; docs/decisions/0009 tells them in the order in which a source needs them.
"""

from typing import Any, Final

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse

from consent import deposits, gate, incoming
from consent.categories import Category, category
from consent.deposits import PREFIX, Delivery
from keys.text import b64, unb64
from vault import packets, store
from vault.errors import BadPacket
from vault.keyring import stored
from vault.packets import Packet
from vault.pod import compartment
from vault.vault import PodFacts
from web import guard

router = APIRouter()
FORMAT: Final = "kluis/sealed-deposit/v1"
MEDIA: Final = "application/vnd.kluis.sealed+json"
MOST: Final = 5_000
# What each source may deliver unread; a file that the server reads itself is held to its format instead.
CARRIES: Final = {"mijnbib": ("kluis:LibraryLoan",), "folio": ("kluis:LibraryLoan",)}


@router.post("/api/sources/{source}/box")
async def box(request: Request, source: str, pod: str) -> JSONResponse:
    """What a source needs to seal to a compartment: `{"category", "marks": [32 bytes, base64url]}`.

    A mark is a keyed hash of the source's own that names a thing; the same mark is the same thing. The answer tells the
    compartment's public key with the pod's signed keyring around it, and the path and id for each mark, whether or not
    anything is there.
    """
    facts, told, _ = await _asked(request, source, pod)
    kind = _category(told, source)
    home = compartment(guard.house_of(request).vault, facts, kind.container.rstrip("/"))
    paths = [(mark, packets.path_of(kind.container, source, _bytes(mark))) for mark in _list(told, "marks")]
    return JSONResponse(
        {
            "format": FORMAT,
            "pod": b64(facts.id),
            "category": kind.curie,
            "compartment": b64(home.id),
            "generation": home.generation,
            "public": b64(home.public),
            "identity": b64(facts.identity),
            "keyring": _signed(request, facts),
            "items": [{"mark": mark, "path": path, "resource": b64(facts.resource(path))} for mark, path in paths],
        }
    )


async def take(request: Request, source: str, pod: str | None) -> JSONResponse:
    """Store a delivery that its source sealed and signed, all of it or nothing, with one entry."""
    house = guard.house_of(request)
    facts, told, signature = await _asked(request, source, pod)
    kind = _category(told, source)
    home = compartment(house.vault, facts, kind.container.rstrip("/"))
    if told.get("compartment") != b64(home.id):
        raise BadPacket("this is sealed for another compartment")
    found = [_packet(item, kind, source, told.get("generation")) for item in _list(told, "items")]
    packets.check(found)
    permit = gate.deposit(facts, kind.curie, f"{PREFIX}{source}", None, signature)
    index, _ = await store.deposit(house.vault, permit, found, house.clock(), source)
    return JSONResponse({"source": source, "stored": len(found), "entries": [index]})


async def _asked(request: Request, source: str, pod: str | None) -> tuple[PodFacts, dict[str, Any], str]:
    """The pod, what was sent, and the assertion by which the source signed for it."""
    if source not in CARRIES:
        raise HTTPException(404, "this source delivers nothing sealed")
    house, body = guard.house_of(request), await request.body()
    scheme, _, assertion = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not assertion:
        await deposits.turned_away(house.vault, pod, "unauthenticated", house.clock())
        raise HTTPException(401, "only the source itself seals what it delivers")
    sender = await deposits.recognise(house.vault, assertion, source, body, Delivery(pod), house.clock())
    facts = house.vault.pod(pod or "")
    if facts is None:
        raise HTTPException(404, "no such pod")
    try:
        told = incoming.read(body)
    except ValueError:
        raise BadPacket("this is no JSON") from None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise BadPacket(f"format is not {FORMAT}")
    return facts, told, sender.signature


def _category(told: dict[str, Any], source: str) -> Category:
    curie = told.get("category")
    if not isinstance(curie, str) or curie not in CARRIES[source]:
        raise BadPacket(f"{source} delivers {', '.join(CARRIES[source])}")
    return category(curie)


def _packet(item: object, kind: Category, source: str, generation: object) -> Packet:
    if not isinstance(item, dict) or type(generation) is not int:
        raise BadPacket("an item or the generation has the wrong form")
    dek, label, body = (_bytes(item.get(name)) for name in ("dek", "label", "body"))
    return Packet(packets.path_of(kind.container, source, _bytes(item.get("mark"))), generation, dek, label, body)


def _list(told: dict[str, Any], name: str) -> list[Any]:
    found = told.get(name)
    if not isinstance(found, list) or not 0 < len(found) <= MOST:
        raise BadPacket(f"{name} is a list of 1 to {MOST}")
    return found


def _bytes(text: object) -> bytes:
    try:
        return unb64(text) if isinstance(text, str) else b""
    except ValueError:
        raise BadPacket("a field is not base64url") from None


def _signed(request: Request, facts: PodFacts) -> dict[str, str]:
    ring, annex = stored(guard.house_of(request).vault.db.read, facts.id)
    told = {"body": ring.body.decode(), "signature": b64(ring.signature)}
    return told | ({"annex": annex.body.decode(), "annex_signature": b64(annex.signature)} if annex else {})
