"""The citizen's own pages and API about who may use what: start, access, data, grants, receipts, withdrawal."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, Literal

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from consent import clients, endings, events, grants, holdings, narrowing, receipts
from consent.accounts.sessions import SessionFacts
from consent.grants import DamagedGrant, GrantFacts
from consent.terms import Terms
from keys.text import b64, unb64
from vault.log import views
from vault.vault import Vault
from web import asking, guard
from web.pages.consenting import ReceiptPage
from web.pages.dutch import local
from web.pages.granted import AccessPage, EndedGrant, GrantCard
from web.pages.own import Compartment, DataPage, Drawer, Reading, StartPage
from web.pages.views import render
from web.routes.log import opened

router = APIRouter()

NO_STORE: Final = {"cache-control": "no-store"}
SOON_MS: Final = 2 * 86_400_000
DAMAGED: Final = "Deze toestemming is beschadigd. De app krijgt er niets meer mee."
FAMILIES: Final = {
    "personal": "Over jou",
    "interests": "Interesses",
    "preferences": "Voorkeuren",
    "transactions": "Leningen en tickets",
    "behaviour": "Antwoorden",
}


@router.get("/me", include_in_schema=False)
async def start(request: Request) -> HTMLResponse:
    """What happened today, who may read, what is kept."""
    session = await guard.required(request, "citizen")
    house = guard.house_of(request)
    live, held = _live(house.vault, session, house.clock()), holdings.of_pod(house.vault, session.pod)
    reads = [r for r in _reads(request, session) if _same_day(_at(r["time"]), house.clock())]
    page = StartPage(
        name=session.name.split()[0],
        today=tuple(_readings(reads, grants.listing(house.vault, session.pod))),
        grants=len(live),
        drawers=tuple(_drawers(held, live)),
        lines=views.of_pod(house.vault, session.pod),
    )
    return _page("start", page, session)


@router.get("/me/access", include_in_schema=False)
async def access(request: Request, stopped: str = "") -> HTMLResponse:
    """Who has access; stopping is one button."""
    session = await guard.required(request, "citizen")
    house, now = guard.house_of(request), guard.house_of(request).clock()
    reads = _reads(request, session)
    found = grants.every(house.vault, session.pod)
    given = [one for one in found if isinstance(one, GrantFacts)]
    proofs = {kept.grant: b64(kept.id) for kept in reversed(grants.kept_receipts(house.vault, session.pod))}
    cards = [_card(house.vault, g, reads, proofs, now) for g in given if grants.state_at(g, now) == "live"]
    ended = [_damaged(one, reads, proofs) for one in found if isinstance(one, DamagedGrant)]
    ended += [_ended(house.vault, g, reads, proofs, now) for g in given if grants.state_at(g, now) != "live"]
    named = next((g.terms.client_name for g in given if b64(g.id) == stopped and g.state == "withdrawn"), "")
    return _page("access", AccessPage(tuple(cards), tuple(ended), named), session)


@router.post("/me/access/{grant}/withdraw", include_in_schema=False)
async def stop(request: Request, grant: str) -> RedirectResponse:
    """Withdraw a grant; when this answers, no key of it exists any more."""
    session, _ = await guard.written(request)
    await _withdraw(request, session, grant)
    return RedirectResponse(f"/me/access?stopped={grant}", 303, headers=NO_STORE)


@router.get("/me/data", include_in_schema=False)
async def data(request: Request) -> HTMLResponse:
    """What lies in the pod, per compartment, and who may read it."""
    session = await guard.required(request, "citizen")
    house = guard.house_of(request)
    live = _live(house.vault, session, house.clock())
    rows = tuple(
        Compartment(
            label=held.kind.label["nl"],
            family=FAMILIES[held.kind.family],
            path=f"/{held.container}/",
            sealed=held.custody == "sealed",
            count=held.count,
            apps=tuple(dict.fromkeys(_apps(live, held))),
        )
        for held in holdings.of_pod(house.vault, session.pod)
    )
    return _page("data", DataPage(rows, f"{house.base}/pods/{session.pod.name}/"), session)


@router.get("/me/receipts/{receipt}", include_in_schema=False)
async def show_receipt(request: Request, receipt: str) -> HTMLResponse:
    """The proof of one decision, fit to print."""
    session = await guard.required(request, "citizen")
    house = guard.house_of(request)
    kept = _receipt(house.vault, session, receipt)
    grant = grants.load(house.vault, kept.grant)
    if grant is None:
        raise HTTPException(404, "not_found")
    asked = {row for step in events.history(house.vault, session.pod, grant.id) for row in _labels(step)}
    given = tuple(asking.words(datum) for datum in grant.terms.data)
    page = ReceiptPage(
        id=receipt,
        app=grant.terms.client_name,
        controller=_host(grant),
        purpose=asking.purpose(grant.terms, clients.find(house.vault, grant.terms.client)),
        legal_basis=asking.BASES[grant.terms.legal_basis],
        at=_at(kept.at),
        until=_at(grant.terms.expires),
        given=given,
        digest=receipts.digest(receipts.open_receipt(kept.jws, house.vault.issuer_public)),
        withheld=tuple(sorted(asked - set(given))),
    )
    return _page("receipt", page, session)


@router.get("/api/grants")
async def list_grants(request: Request) -> JSONResponse:
    """All grants of the citizen, newest first; of one that is damaged only its id, and that it is."""
    session = await guard.required(request)
    house = guard.house_of(request)
    found = [
        {"id": b64(one.id), "state": one.state, "created": one.created}
        if isinstance(one, DamagedGrant)
        else _told(house.vault, one, house.clock())
        for one in grants.every(house.vault, session.pod)
    ]
    return JSONResponse({"grants": found}, headers=NO_STORE)


@router.get("/api/grants/{grant}")
async def show_grant(request: Request, grant: str) -> JSONResponse:
    """One grant with its history; `keys` counts the wrapped keys and shares that exist now."""
    session = await guard.required(request)
    house = guard.house_of(request)
    found = _own(house.vault, session, grant)
    steps = [{"at": step.at, "state": step.state} for step in events.history(house.vault, session.pod, found.id)]
    return JSONResponse({**_told(house.vault, found, house.clock()), "events": steps}, headers=NO_STORE)


@router.post("/api/grants/{grant}/withdraw")
async def withdraw(request: Request, grant: str) -> JSONResponse:
    """Withdraw a grant; needs the session's form token in the header `kluis-form`."""
    session, _ = await guard.written(request)
    await _withdraw(request, session, grant)
    house = guard.house_of(request)
    return JSONResponse(_told(house.vault, _own(house.vault, session, grant), house.clock()), headers=NO_STORE)


@router.post("/api/grants/{grant}/narrow")
async def narrow(request: Request, grant: str) -> JSONResponse:
    """Keep only the rows named by the fields `keep`; the keys to all others are gone when this answers."""
    session, fields = await guard.written(request)
    house, keep = guard.house_of(request), [str(row) for row in fields.getlist("keep")]
    if not await narrowing.narrow(house.vault, session, _id(grant), keep, house.clock()):
        raise HTTPException(404, "not_found")
    return JSONResponse(_told(house.vault, _own(house.vault, session, grant), house.clock()), headers=NO_STORE)


@router.post("/api/grants/{grant}/{step}")
async def pause(request: Request, grant: str, step: Literal["pause", "resume"]) -> JSONResponse:
    """Pause a grant, or let it go on."""
    session, _ = await guard.written(request)
    house = guard.house_of(request)
    if not await narrowing.pause(house.vault, session, _id(grant), house.clock(), on=step == "pause"):
        raise HTTPException(404, "not_found")
    return JSONResponse(_told(house.vault, _own(house.vault, session, grant), house.clock()), headers=NO_STORE)


@router.get("/api/receipts")
async def list_receipts(request: Request) -> JSONResponse:
    """All consent receipts of the citizen, oldest first, each a JWS (ISO/IEC TS 27560)."""
    session = await guard.required(request)
    kept = grants.kept_receipts(guard.house_of(request).vault, session.pod)
    found = [{"id": b64(one.id), "grant": b64(one.grant), "at": one.at, "receipt": one.jws} for one in kept]
    return JSONResponse({"receipts": found}, headers=NO_STORE)


@router.get("/api/receipts/{receipt}")
async def save_receipt(request: Request, receipt: str) -> Response:
    """One receipt as a file; the public key is at /oauth/jwks."""
    session = await guard.required(request)
    kept = _receipt(guard.house_of(request).vault, session, receipt)
    named = {"content-disposition": f'attachment; filename="kluis-receipt-{receipt}.jwt"'}
    return Response(kept.jws, media_type="application/jose", headers=NO_STORE | named)


async def _withdraw(request: Request, session: SessionFacts, grant: str) -> None:
    house = guard.house_of(request)
    if not await endings.withdraw(house.vault, session, _id(grant), house.clock()):
        raise HTTPException(404, "not_found")


def _told(vault: Vault, grant: GrantFacts, now: datetime) -> dict[str, Any]:
    return {
        "id": b64(grant.id),
        "state": grants.state_at(grant, now),
        "client": grant.terms.client,
        "client_name": grant.terms.client_name,
        "purpose": grant.terms.purpose_code,
        "legal_basis": grant.terms.legal_basis,
        "terms": grant.terms.to_json(),
        "created": grant.created,
        "expires": grant.terms.expires,
        "uses": grant.uses,
        "last_day": None if grant.last is None else _at(grant.last * 86_400_000).date().isoformat(),
        "keys": grants.keys_left(vault, grant.id),
    }


def _live(vault: Vault, session: SessionFacts, now: datetime) -> list[GrantFacts]:
    return [one for one in grants.listing(vault, session.pod) if grants.state_at(one, now) == "live"]


def _reads(request: Request, session: SessionFacts) -> list[dict[str, Any]]:
    """What apps opened, from the citizen's own log: the page and the log can never tell two stories."""
    told = (line.told for line in opened(request, session))
    return [one for one in told if one["type"] == "access" and one.get("grant") and one["decision"] == "allowed"]


def _card(
    vault: Vault, grant: GrantFacts, reads: list[dict[str, Any]], proofs: dict[bytes, str], now: datetime
) -> GrantCard:
    times, terms = _times(grant, reads), grant.terms
    client = clients.find(vault, terms.client)
    return GrantCard(
        id=b64(grant.id),
        app=terms.client_name,
        controller="" if terms.kind == "solid" else _host(grant),
        purpose=asking.purpose(terms, client),
        legal_basis=asking.BASES[terms.legal_basis],
        sees=tuple(_sees(grant)),
        until=_at(terms.expires),
        reads=len(times),
        last_read=_at(times[-1]) if times else None,
        trusted=client is not None and client.trust == "city",
        receipt=proofs.get(grant.id, ""),
        ending=terms.expires - now.timestamp() * 1000 < SOON_MS,
    )


def _ended(
    vault: Vault, grant: GrantFacts, reads: list[dict[str, Any]], proofs: dict[bytes, str], now: datetime
) -> EndedGrant:
    steps, state = events.history(vault, grant.pod, grant.id), grants.state_at(grant, now)
    at = grant.terms.expires if state == "expired" else steps[-1].at
    purpose = asking.purpose(grant.terms, clients.find(vault, grant.terms.client))
    count, proof = len(_times(grant, reads)), proofs.get(grant.id, "")
    return EndedGrant(grant.terms.client_name, purpose, state, _at(at), count, proof)


def _damaged(grant: DamagedGrant, reads: list[dict[str, Any]], proofs: dict[bytes, str]) -> EndedGrant:
    """A grant that nobody can read any more, told by the log: its app as the lines name it, since it was given."""
    app = next((one["client_name"] for one in reads if one["grant"] == b64(grant.id)), "Een app")
    count, proof = len(_times(grant, reads)), proofs.get(grant.id, "")
    return EndedGrant(app, DAMAGED, grant.state, _at(grant.created), count, proof)


def _times(grant: GrantFacts | DamagedGrant, reads: list[dict[str, Any]]) -> list[int]:
    shown = b64(grant.id)
    return [one["time"] for one in reads if one["grant"] == shown]


def _sees(grant: GrantFacts) -> Iterable[str]:
    if grant.terms.kind == "solid":
        return ["Alles in je beheerde mappen"] if "/" in grant.terms.containers else grant.terms.containers
    return dict.fromkeys(asking.words(datum) for datum in grant.terms.data)


def _readings(reads: list[dict[str, Any]], given: list[GrantFacts]) -> Iterable[Reading]:
    """Per app what it read, in registry words as they stand inside a sentence; an answer by what it tells."""
    answers = {(b64(g.id), d.answer_path): asking.words(d) for g in given for d in g.terms.data if d.derived}
    found: dict[str, dict[str, None]] = {}
    for one in reads:
        places = [answers.get((one["grant"], path)) for path in one["resources"]] or [None]
        for place in places:
            words = place or asking.label(one["category"])
            found.setdefault(one["client_name"], {})[words[0].lower() + words[1:]] = None
    return (Reading(app, tuple(what)) for app, what in found.items())


def _drawers(held: list[holdings.Holding], live: list[GrantFacts]) -> Iterable[Drawer]:
    for family, label in FAMILIES.items():
        inside = [one for one in held if one.kind.family == family]
        apps = {app for one in inside for app in _apps(live, one)}
        yield Drawer(label, len(apps), sum(one.count for one in inside))


def _apps(live: list[GrantFacts], held: holdings.Holding) -> Iterable[str]:
    """The apps whose grant reaches a compartment; an answer from it counts, for it tells something of what is there."""
    for grant in live:
        solid = grant.terms.kind == "solid" and held.custody == "managed"
        if solid or held.kind.curie in {datum.category for datum in grant.terms.data}:
            yield grant.terms.client_name


def _labels(step: events.Step) -> Iterable[str]:
    """The rows that were asked, in registry words."""
    terms = step.detail.get("terms")
    return [asking.words(datum) for datum in Terms.from_json(terms).data] if terms else []


def _receipt(vault: Vault, session: SessionFacts, receipt: str) -> grants.Kept:
    wanted = _id(receipt)
    found = next((one for one in grants.kept_receipts(vault, session.pod) if one.id == wanted), None)
    if found is None:
        raise HTTPException(404, "not_found")
    return found


def _own(vault: Vault, session: SessionFacts, grant: str) -> GrantFacts:
    found = grants.load(vault, _id(grant))
    if found is None or found.pod.id != session.pod.id:
        raise HTTPException(404, "not_found")
    return found


def _host(grant: GrantFacts) -> str:
    if grant.terms.kind == "solid":
        return "jezelf"
    return asking.host(grant.terms.controller)


def _same_day(one: datetime, other: datetime) -> bool:
    return local(one).date() == local(other).date()


def _at(moment: int) -> datetime:
    return datetime.fromtimestamp(moment / 1000, UTC)


def _id(text: str) -> bytes:
    try:
        return unb64(text)
    except ValueError:
        raise HTTPException(404, "not_found") from None


def _page(name: str, page: object, session: SessionFacts) -> HTMLResponse:
    return HTMLResponse(render(name, page, person=session.name, role=session.role, csrf=session.csrf), headers=NO_STORE)
