"""The citizen's page about who has access: stopping, restricting and giving less, each as a plain form.

What the page says was done is read from the grant itself, never from the address: it cannot be made to lie by a link,
and a form that was sent twice says the same twice.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import FormData

from consent import again, clients, copies, endings, events, grants, locks, narrowing
from consent.accounts.sessions import SessionFacts
from consent.grants import DamagedGrant, GrantFacts
from consent.locks import LIVE
from consent.oauth.clients import CREDENTIALS
from consent.purposes import withdrawable
from consent.request import offers
from consent.terms import Datum, Terms
from keys.text import b64
from vault.vault import Vault
from web import asking, copied, guard, own, working
from web.pages.consenting import Choice
from web.pages.granted import AccessPage, EndedGrant, GrantCard, LessPage, Seen

if TYPE_CHECKING:
    from web.app import House

router = APIRouter(include_in_schema=False)

SOON_MS: Final = 2 * 86_400_000
DAMAGED: Final = "Deze toestemming is beschadigd. De app krijgt er niets meer mee."
# What an address says was done -> the states in which that is true.
_TRUE_IN: Final = {
    "stopped": ("withdrawn",),
    "restricted": ("restricted",),
    "resumed": ("live",),
    "less": LIVE,
    "objected": ("objected",),
    "asked": copies.ENDINGS,
}


@dataclass(frozen=True)
class _Books:
    """What all cards are made from."""

    house: "House"
    reads: list[dict[str, Any]]
    proofs: Mapping[bytes, str]
    now: datetime
    reminders: Mapping[bytes, str]

    @property
    def vault(self) -> Vault:
        """Where the grants stand."""
        return self.house.vault

    def times(self, grant: GrantFacts | DamagedGrant) -> list[int]:
        """When a grant was read under, in ms."""
        return [one["time"] for one in self.reads if one["grant"] == b64(grant.id)]


@router.get("/me/access")
async def access(request: Request) -> HTMLResponse:
    """Who has access; stopping and restricting are one button each."""
    session = await guard.required(request, "citizen")
    house = guard.house_of(request)
    kept = grants.kept_receipts(house.vault, session.pod)
    proofs = {one.grant: b64(one.id) for one in reversed(kept)}
    found, now = grants.every(house.vault, session.pod), house.clock()
    given = [one for one in found if isinstance(one, GrantFacts)]
    reminders = own.reminders(house.vault, given, now)
    books = _Books(house, await own.reads(request, session), proofs, now, reminders)
    states = {one.id: grants.state_at(one, books.now) for one in given}
    cards = tuple(_card(books, one) for one in given if states[one.id] in LIVE)
    ended = [_damaged(books, one) for one in found if isinstance(one, DamagedGrant)]
    ended += [_ended(books, one) for one in given if states[one.id] not in LIVE]
    done, to = _news(request, given, states)
    if done == "asked" and to and not copied.was_asked(house.vault, to):
        done = ""
    newest = {one.grant: b64(one.id) for one in kept} if done in ("stopped", "objected", "less") else {}
    told = AccessPage(
        cards, tuple(ended), done, to.terms.client_name if to else "", newest.get(to.id, "") if to else ""
    )
    return own.page("access", told, session)


@router.post("/me/access/{grant}/withdraw")
async def stop(request: Request, grant: str) -> RedirectResponse:
    """Withdraw a grant; when this answers, no key of it exists any more."""
    return await _stopped(request, grant, objects=False)


@router.post("/me/access/{grant}/object")
async def objection(request: Request, grant: str) -> RedirectResponse:
    """Object to a grant (GDPR 21): it stops like a withdrawal; for direct marketing the app may not ask again."""
    return await _stopped(request, grant, objects=True)


async def _stopped(request: Request, grant: str, *, objects: bool) -> RedirectResponse:
    session, fields = await guard.written(request)
    house, erase = guard.house_of(request), fields.get("erase") == "1"
    ended = own.ident(grant)
    if not await endings.withdraw(house.vault, session, ended, house.clock(), erase=erase, objects=objects):
        raise HTTPException(404, "not_found")
    found = grants.readable(house.vault, ended)
    return _back(**{"objected" if found and found.state == "objected" else "stopped": grant})


@router.get("/me/access/{grant}/less")
async def show_less(request: Request, grant: str, failed: str = "") -> Response:
    """What could be taken out of a grant, and the ends that come sooner; of one that ended there is nothing to take."""
    session = await guard.required(request, "citizen")
    house = guard.house_of(request)
    found, now = _hers(house.vault, session, grant), house.clock()
    if grants.state_at(found, now) not in LIVE:
        return _to("/me/access")
    client = clients.find(house.vault, found.terms.client)
    told = LessPage(
        id=grant,
        app=found.terms.client_name,
        purpose=asking.purpose(found.terms, client),
        rows=tuple(_seen(found)),
        until=own.moment(found.terms.expires),
        ends=_ends(found.terms, now),
        version=found.version,
        failed=failed,
    )
    return own.page("less", told, session)


@router.post("/me/access/{grant}/less")
async def give_less(request: Request, grant: str) -> RedirectResponse:
    """Take rows out of a grant, or let it end sooner; the keys to what is taken out are gone when this answers."""
    session, fields = await guard.written(request)
    house, now = guard.house_of(request), guard.house_of(request).clock()
    found = _hers(house.vault, session, grant)
    if str(fields.get("version", "")) != str(found.version):  # the same form again
        return _back(less=grant)
    keep, until = _chosen(found.terms, fields, now)
    if not keep:
        return _to(f"/me/access/{grant}/less?failed=all")
    if until is None and len(keep) == len(found.terms.data):
        return _to(f"/me/access/{grant}/less?failed=nothing")
    await narrowing.narrow(house.vault, session, found.id, keep, now, until=until)
    return _back(less=grant)


@router.post("/me/access/{grant}/{step}")
async def restrict(request: Request, grant: str, step: Literal["restrict", "resume"]) -> RedirectResponse:
    """Restrict a grant, or let it go on."""
    session, _ = await guard.written(request)
    house = guard.house_of(request)
    found = _hers(house.vault, session, grant)
    await narrowing.restrict(house.vault, session, found.id, house.clock(), on=step == "restrict")
    return _back(**{"restricted" if step == "restrict" else "resumed": grant})


def _hers(vault: Vault, session: SessionFacts, grant: str) -> GrantFacts:
    found = grants.readable(vault, own.ident(grant))
    if found is None or found.pod.id != session.pod.id:
        raise HTTPException(404, "not_found")
    return found


def _news(request: Request, given: list[GrantFacts], states: Mapping[bytes, str]) -> tuple[str, GrantFacts | None]:
    """What the address says was done, if it is so."""
    for done, right in _TRUE_IN.items():
        named = request.query_params.get(done)
        for one in given:
            if named == b64(one.id) and states[one.id] in right and (done != "less" or one.version > 1):
                return done, one
    return "", None


def _chosen(terms: Terms, fields: FormData, now: datetime) -> tuple[list[str], int | None]:
    """The rows that stay, and the sooner end, None for none."""
    drop = {str(key) for key in fields.getlist("drop")}
    ends = {offer.code: offer.until for offer in offers(terms, now) if offer.code != "asked"}
    return [datum.key for datum in terms.data if datum.key not in drop], ends.get(str(fields.get("until", "")))


def _ends(terms: Terms, now: datetime) -> tuple[Choice, ...]:
    sooner = [offer for offer in offers(terms, now) if offer.code != "asked"]
    return tuple(Choice(offer.code, asking.LENGTHS[offer.code]) for offer in sooner)


def _card(books: _Books, grant: GrantFacts) -> GrantCard:
    times, terms = books.times(grant), grant.terms
    client = clients.find(books.vault, terms.client)
    return GrantCard(
        id=b64(grant.id),
        app=terms.client_name,
        controller="" if terms.client.startswith(CREDENTIALS) else own.host(grant),
        purpose=asking.purpose(terms, client),
        legal_basis=asking.BASES[terms.legal_basis],
        sees=tuple(_seen(grant)),
        until=own.moment(terms.expires),
        reads=len(times),
        last_read=own.moment(times[-1]) if times else None,
        trusted=client is not None and client.trust == "city",
        receipt=books.proofs.get(grant.id, ""),
        ending=terms.expires - books.now.timestamp() * 1000 < SOON_MS,
        restricted=grant.state == "restricted",
        reminder=books.reminders.get(grant.id, ""),
        objects=not withdrawable(terms.legal_basis),
        marketing=again.is_marketing(terms.purpose_code),
        session=terms.mode == "session",
        less=len(terms.data) > 1 or (terms.kind == "rar" and bool(_ends(terms, books.now))),
    )


def _ended(books: _Books, grant: GrantFacts) -> EndedGrant:
    steps, state = events.history(books.vault, grant.pod, grant.id), grants.state_at(grant, books.now)
    at = grant.terms.expires if state == "expired" else copies.ended_at(grant, steps)
    purpose = asking.purpose(grant.terms, clients.find(books.vault, grant.terms.client))
    count, proof = len(books.times(grant)), books.proofs.get(grant.id, "")
    reason = next((str(step.detail["reason"]) for step in reversed(steps) if "reason" in step.detail), "")
    copy = copied.part(books.house, grant)
    return EndedGrant(grant.terms.client_name, purpose, state, own.moment(at), count, proof, reason, copy)


def _damaged(books: _Books, grant: DamagedGrant) -> EndedGrant:
    """A grant that nobody can read any more, told by the log: its app as the lines name it, since it was given."""
    app = next((one["client_name"] for one in books.reads if one["grant"] == b64(grant.id)), "Een app")
    count, proof = len(books.times(grant)), books.proofs.get(grant.id, "")
    return EndedGrant(app, DAMAGED, grant.state, own.moment(grant.created), count, proof)


def _seen(grant: GrantFacts) -> Iterable[Seen]:
    terms = grant.terms
    if terms.kind == "solid":
        far = [Seen("Wat anderen met je delen")] if terms.elsewhere else []
        return [*(Seen(one) for one in working.told(terms.containers, terms.modes)), *far]
    given = own.moment(grant.created)
    return [Seen(asking.words(d), _limit(terms, d, given), d.key, d.necessity == "required") for d in terms.data]


def _limit(terms: Terms, datum: Datum, given: datetime) -> str:
    """What of a row the app gets; of what lies behind a lock of its own it is said that no key leads there."""
    locked = datum.since == "grant" and locks.from_now(terms, datum.compartment)
    told = asking.limit(datum, given.astimezone(UTC).date())
    return f"{told} Voor wat er al lag, kreeg de app geen sleutel." if locked else told


def _back(**done: str) -> RedirectResponse:
    ((name, grant),) = done.items()
    return _to(f"/me/access?{name}={grant}")


def _to(there: str) -> RedirectResponse:
    return RedirectResponse(there, 303, headers=own.NO_STORE)
