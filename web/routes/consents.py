"""The citizen's start page, her receipts, and her API about who may use what: grants, less of them, withdrawal."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from consent import clients, endings, events, grants, holdings, narrowing, receipts, waiting
from consent.accounts.sessions import SessionFacts
from consent.grants import DamagedGrant, GrantFacts
from consent.terms import Terms
from keys.text import b64
from vault.log import views
from vault.vault import Vault
from web import asking, copied, guard, own, proven
from web.pages.dutch import midnight
from web.pages.own import Drawer, Reading, StartPage

if TYPE_CHECKING:
    from web.app import House

router = APIRouter()


@router.get("/me", include_in_schema=False)
async def start(request: Request) -> HTMLResponse:
    """What happened today, who may read, what is kept."""
    session = await guard.required(request, "citizen")
    house = guard.house_of(request)
    live, held = own.live(house.vault, session, house.clock()), holdings.of_pod(house.vault, session.pod)
    reads = await own.reads(request, session, midnight(house.clock()))
    page = StartPage(
        name=session.name.split()[0],
        today=tuple(_readings(reads, grants.listing(house.vault, session.pod))),
        grants=len(live),
        drawers=tuple(_drawers(held, live)),
        lines=views.of_pod(house.vault, session.pod),
        waiting=len(waiting.of_citizen(house.vault, session, house.clock())),
        reminders=len(own.reminders(house.vault, live, house.clock())),
    )
    return own.page("start", page, session)


@router.get("/me/receipts/{receipt}", include_in_schema=False)
async def show_receipt(request: Request, receipt: str) -> HTMLResponse:
    """The proof of one decision, fit to print."""
    session = await guard.required(request, "citizen")
    house = guard.house_of(request)
    kept = _receipt(house.vault, session, receipt)
    grant = grants.load(house.vault, kept.grant)
    if grant is None:
        raise HTTPException(404, "not_found")
    steps = events.history(house.vault, session.pod, grant.id)
    asked = [row for step in steps if step.at <= kept.at for row in _labels(step)]
    proof = receipts.open_receipt(kept.jws, house.vault.issuer_public)
    purpose = asking.purpose(grant.terms, clients.find(house.vault, grant.terms.client))
    page = proven.page(receipt, proof, own.moment(kept.at), own.host(grant), purpose, asked)
    return own.page("receipt", page, session)


@router.get("/api/grants")
async def list_grants(request: Request) -> JSONResponse:
    """All grants of the citizen, newest first; of one that is damaged only its id, and that it is."""
    session = await guard.required(request)
    house = guard.house_of(request)
    found = [
        {"id": b64(one.id), "state": one.state, "created": one.created}
        if isinstance(one, DamagedGrant)
        else _told(house, one, house.clock())
        for one in grants.every(house.vault, session.pod)
    ]
    return JSONResponse({"grants": found}, headers=own.NO_STORE)


@router.get("/api/grants/{grant}")
async def show_grant(request: Request, grant: str) -> JSONResponse:
    """One grant with its history; `keys` counts the wrapped keys and shares that exist now."""
    session = await guard.required(request)
    house = guard.house_of(request)
    found = _own(house.vault, session, grant)
    steps = [{"at": step.at, "state": step.state} for step in events.history(house.vault, session.pod, found.id)]
    return JSONResponse({**_told(house, found, house.clock()), "events": steps}, headers=own.NO_STORE)


@router.post("/api/grants/{grant}/withdraw")
async def withdraw(request: Request, grant: str) -> JSONResponse:
    """Withdraw a grant, or object to one that rests on no consent; needs the session's form token in the header
    `kluis-form`. `erase=1`: the app must delete its copy.
    """
    session, fields = await guard.written(request)
    house, erase = guard.house_of(request), fields.get("erase") == "1"
    if not await endings.withdraw(house.vault, session, own.ident(grant), house.clock(), erase=erase):
        raise HTTPException(404, "not_found")
    return JSONResponse(_told(house, _own(house.vault, session, grant), house.clock()), headers=own.NO_STORE)


@router.post("/api/grants/{grant}/narrow")
async def narrow(request: Request, grant: str) -> JSONResponse:
    """Keep only the rows named by the fields `keep`; the keys to all others are gone when this answers."""
    session, fields = await guard.written(request)
    house, keep = guard.house_of(request), [str(row) for row in fields.getlist("keep")]
    if not await narrowing.narrow(house.vault, session, own.ident(grant), keep, house.clock()):
        raise HTTPException(404, "not_found")
    return JSONResponse(_told(house, _own(house.vault, session, grant), house.clock()), headers=own.NO_STORE)


@router.post("/api/grants/{grant}/{step}")
async def restrict(request: Request, grant: str, step: Literal["restrict", "resume"]) -> JSONResponse:
    """Restrict a grant, or let it go on."""
    session, _ = await guard.written(request)
    house = guard.house_of(request)
    if not await narrowing.restrict(house.vault, session, own.ident(grant), house.clock(), on=step == "restrict"):
        raise HTTPException(404, "not_found")
    return JSONResponse(_told(house, _own(house.vault, session, grant), house.clock()), headers=own.NO_STORE)


@router.post("/api/dpo/grants/{grant}/invalidate")
async def invalidate(request: Request, grant: str) -> Response:
    """The DPO ends a grant that was never valid, with a reason (field `reason`) that its citizen reads."""
    session, fields = await guard.written(request, "dpo")
    house, reason = guard.house_of(request), str(fields.get("reason", ""))
    if not await endings.invalidate(house.vault, session, own.ident(grant), reason, house.clock()):
        raise HTTPException(404, "not_found")
    return Response(status_code=204, headers=own.NO_STORE)


@router.get("/api/receipts")
async def list_receipts(request: Request) -> JSONResponse:
    """All consent receipts of the citizen, oldest first, each a JWS (ISO/IEC TS 27560)."""
    session = await guard.required(request)
    kept = grants.kept_receipts(guard.house_of(request).vault, session.pod)
    found = [{"id": b64(one.id), "grant": b64(one.grant), "at": one.at, "receipt": one.jws} for one in kept]
    return JSONResponse({"receipts": found}, headers=own.NO_STORE)


@router.get("/api/receipts/{receipt}")
async def save_receipt(request: Request, receipt: str) -> Response:
    """One receipt as a file; the public key is at /oauth/jwks."""
    session = await guard.required(request)
    kept = _receipt(guard.house_of(request).vault, session, receipt)
    named = {"content-disposition": f'attachment; filename="kluis-receipt-{receipt}.jwt"'}
    return Response(kept.jws, media_type="application/jose", headers=own.NO_STORE | named)


def _told(house: "House", grant: GrantFacts, now: datetime) -> dict[str, Any]:
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
        "last_day": None if grant.last is None else own.moment(grant.last * 86_400_000).date().isoformat(),
        "keys": grants.keys_left(house.vault, grant.id),
        "copy": copied.kept(house, grant),
        "told": copied.told(house, grant),
    }


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
    for family, label in own.FAMILIES.items():
        inside = [one for one in held if one.kind.family == family]
        apps = {app for one in inside for app in own.apps(live, one)}
        yield Drawer(label, len(apps), sum(one.count for one in inside))


def _labels(step: events.Step) -> Iterable[str]:
    """The rows that were asked, in registry words."""
    terms = step.detail.get("terms")
    return [asking.words(datum) for datum in Terms.from_json(terms).data] if terms else []


def _receipt(vault: Vault, session: SessionFacts, receipt: str) -> grants.Kept:
    wanted = own.ident(receipt)
    found = next((one for one in grants.kept_receipts(vault, session.pod) if one.id == wanted), None)
    if found is None:
        raise HTTPException(404, "not_found")
    return found


def _own(vault: Vault, session: SessionFacts, grant: str) -> GrantFacts:
    found = grants.load(vault, own.ident(grant))
    if found is None or found.pod.id != session.pod.id:
        raise HTTPException(404, "not_found")
    return found
