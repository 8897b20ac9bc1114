"""Every error of the floors below, as an HTTP answer: one table, RFC 9457 bodies, never a trace.

An error of the OAuth endpoints becomes an OAuth error (RFC 6749 5.2); on a page a person reads a page.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from consent import errors as consent
from consent.accounts.sessions import SessionFacts
from federation import errors as federation
from keys import errors as keys
from recommender import errors as recommender
from vault import errors as vault
from vault.solid import notifications
from vault.solid.patch import BadPatch, Unmet
from web.middleware import TooLarge
from web.pages.desk import HOME
from web.pages.views import ErrorPage, render
from web.patience import TooSlow

URN = "urn:kluis:problem:"

# Exception -> (status, type after the URN, title). The most specific class of an exception counts.
TABLE: dict[type[Exception], tuple[int, str, str]] = {
    keys.KeysError: (500, "keys", "A key operation failed"),
    keys.Damaged: (500, "damaged-item", "A stored item is damaged and is not served"),
    keys.WrongSecret: (401, "wrong-secret", "This secret does not open it"),
    keys.UnknownVersion: (500, "damaged-item", "A stored item has an unknown version and is not served"),
    keys.SwappedKey: (500, "swapped-key", "A key is not the one its owner signed, so nothing is done with it"),
    keys.NoCustodian: (503, "missing-key", "A key this server needs is missing"),
    keys.ExposedCustodian: (503, "missing-key", "A key this server needs is not safe"),
    keys.Misuse: (500, "internal", "Something went wrong here"),
    BadPatch: (422, "bad-patch", "This patch cannot be applied"),
    Unmet: (409, "patch-unmet", "What is stored is not what this patch counts on"),
    vault.VaultError: (500, "vault", "Something went wrong here"),
    vault.Locked: (503, "directory-locked", "The data directory is in use"),
    vault.WrongVersion: (503, "directory-version", "The data directory is of another version"),
    vault.WrongAddress: (503, "directory-address", "The data directory belongs to another address"),
    vault.MissingKey: (503, "missing-key", "A key this server needs is missing"),
    vault.DamagedItem: (500, "damaged-item", "A stored item is damaged and is not served"),
    vault.ClockAhead: (503, "clock-ahead", "The server's clock jumped ahead, so no data is served"),
    vault.Forked: (503, "log-forked", "Somebody else wrote in the log's directory, so nothing is served"),
    vault.LogUnavailable: (503, "log-unavailable", "The log cannot be written, so nothing is served"),
    vault.NotMinted: (500, "internal", "Something went wrong here"),
    vault.Conflict: (409, "conflict", "This cannot be done now"),
    vault.Denied: (403, "denied", "No access"),
    vault.Stale: (409, "changed", "Somebody else changed this at the same moment"),
    vault.NoCompartment: (409, "no-compartment", "The citizen has not opened this compartment yet"),
    vault.NotFound: (404, "not-found", "Nothing here"),
    vault.TooFewUnlockers: (409, "too-few-unlockers", "A pod needs at least two ways in"),
    vault.BadPacket: (422, "bad-packet", "This sealed deposit has not the form that its citizen could open"),
    notifications.BadInstruction: (422, "bad-instruction", "This subscription cannot be made as it was asked for"),
    notifications.BadFormat: (415, "media", "A subscription is asked for in application/ld+json"),
    vault.BadTakeAway: (422, "bad-take-away", "This is no whole take-away file"),
    vault.BadLoad: (422, "bad-load", "This part of a pod that arrives cannot be taken"),
    vault.BadBackup: (500, "backup", "This backup cannot be used"),
    vault.TooOld: (409, "too-old", "This is older than what it would replace"),
    consent.ConsentError: (400, "consent", "This request cannot be accepted"),
    consent.Busy: (503, "busy", "Too many are logging in at this moment"),
    consent.UnknownCategory: (400, "unknown-category", "Not a registered data category"),
    consent.UnknownPurpose: (400, "unknown-purpose", "Not a registered purpose"),
    consent.BadAccess: (422, "bad-access", "This access request cannot be put to anybody"),
    consent.BadPeriod: (400, "bad-period", "Not a duration"),
    consent.BadDays: (400, "bad-days", "Not a period of days that is known here"),
    consent.BadReason: (400, "bad-reason", "A question about people needs a reason in words"),
    consent.UnknownApp: (404, "unknown-app", "Not an app, source or agent of this vault"),
    consent.BadTerms: (500, "damaged-item", "A stored grant is damaged and is not used"),
    consent.BadName: (400, "bad-name", "This name or passphrase cannot be used"),
    consent.BadCeremony: (400, "bad-ceremony", "This passkey's answer cannot be used"),
    consent.BadChoice: (400, "bad-choice", "Not a choice of this page"),
    consent.CodeReused: (400, "oauth", "The request was refused"),
    consent.OAuthError: (400, "oauth", "The request was refused"),
    federation.FederationError: (502, "peer", "Another server could not be used"),
    federation.NotAllowed: (400, "fetch-refused", "This address is never fetched"),
    federation.Unreachable: (502, "peer-unreachable", "Another server did not answer"),
    federation.BadAnswer: (502, "peer-answer", "Another server gave an answer we do not take"),
    federation.BadPolicy: (500, "policy", "The policy of witnesses cannot be read"),
    federation.Diverged: (503, "log-diverged", "Witnesses have seen another log, so this one is not written on"),
    recommender.RecommenderError: (503, "recommender", "The recommender cannot answer"),
    recommender.BadData: (503, "recommender-data", "The recommender's data cannot be used"),
    recommender.NoGrant: (403, "no-grant", "The recommender has no grant"),
    recommender.Closed: (403, "category-closed", "The grant does not cover this category"),
    recommender.NoPermit: (403, "no-permit", "The gate gave no permit for this question"),
    recommender.Unreachable: (503, "vault-unreachable", "The recommender cannot reach the vault"),
    recommender.Spent: (503, "budget-spent", "No privacy budget is left for a new model"),
    TooLarge: (413, "too-large", "Too large"),
    TooSlow: (408, "too-slow", "The body came too slowly"),
}
OAUTH: Mapping[str, int] = {
    "invalid_client": 401,
    "invalid_token": 401,
    "invalid_dpop_proof": 401,
    "use_dpop_nonce": 401,
    "insufficient_authorization_details": 403,
    "insufficient_user_authentication": 403,
    "access_denied": 403,
    "temporarily_unavailable": 503,
    "too_many_channels": 429,
}
REASONS: Mapping[str, tuple[int, str]] = {
    "withdrawn": (401, "invalid_token"),
    "expired": (401, "invalid_token"),
    "ended": (401, "invalid_token"),
    "gone": (401, "invalid_token"),
    "needs_renewal": (401, "invalid_token"),
    "replay": (401, "invalid_dpop_proof"),
    "restricted": (403, "processing_restricted"),
    "used_up": (401, "invalid_token"),
    "day_cap": (429, "usage_cap"),
    "precondition": (412, "precondition"),
    "exists": (412, "precondition"),
    "not_empty": (409, "not-empty"),
    "changed": (409, "changed"),
    "vanished": (409, "changed"),
    "slash": (409, "slash"),
    "quota": (507, "quota"),
}


def find(error: Exception) -> tuple[int, str, str]:
    """The row of an error: its own class first, then its bases."""
    for kind in type(error).__mro__:
        if kind in TABLE:
            return TABLE[kind]
    return 500, "internal", "Something went wrong here"


def status_of(error: Exception) -> int:
    """The status of an error, by its reason or code where it has one."""
    if isinstance(error, consent.OAuthError):
        return OAUTH.get(error.code, 400)
    reason = getattr(error, "reason", "")
    return REASONS[reason][0] if reason in REASONS else find(error)[0]


def problem(status: int, kind: str, title: str, **more: Any) -> JSONResponse:
    """An RFC 9457 body."""
    body = {"type": URN + kind, "title": title, "status": status} | more
    headers = {"cache-control": "no-store"}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = f'DPoP error="{kind}", algs="ES256 EdDSA"' if "_" in kind else "DPoP"
    return JSONResponse(body, status, headers, "application/problem+json")


def answer(request: Request, error: Exception) -> Response:
    """Turn any error into the answer its reader understands."""
    path = request.url.path
    if isinstance(error, consent.OAuthError):
        if path.startswith(("/oauth/", "/.well-known/")) and not _wants_page(request):
            body = {"error": error.code, "error_description": error.description} | error.detail
            extra = (
                {"www-authenticate": f'DPoP error="{error.code}"'}
                if status_of(error) == HTTPStatus.UNAUTHORIZED
                else {}
            )
            return JSONResponse(body, status_of(error), {"cache-control": "no-store", "pragma": "no-cache"} | extra)
        return _shaped(request, status_of(error), error.code, error.description)
    status, kind, title = find(error)
    reason = getattr(error, "reason", "")
    if reason in REASONS:
        status, kind = REASONS[reason]
    if isinstance(error, consent.Busy):
        shaped = _shaped(request, status, kind, title)
        shaped.headers["retry-after"] = str(RETRY_S)
        return shaped
    detail = {"detail": str(error)} if status < HTTPStatus.INTERNAL_SERVER_ERROR or kind == "damaged-item" else {}
    return _shaped(request, status, kind, title, **detail)


def _shaped(request: Request, status: int, kind: str, title: str, **more: Any) -> Response:
    if not _wants_page(request):
        return problem(status, kind, title, **more)
    happened, todo = SPECIAL.get(kind) or WORDS.get(status, WORDS[500])
    session: SessionFacts | None = getattr(request.state, "session", None)  # only if the route looked it up already
    home = "/" if session is None else HOME[session.role]
    page = ErrorPage(status, TITLES.get(status, "Niet gelukt"), happened, todo, code=kind, home=home)
    own = {} if session is None else {"person": session.name, "role": session.role, "csrf": session.csrf}
    return HTMLResponse(render("error", page, **own), status)


TITLES: Mapping[int, str] = {
    401: "Eerst aanmelden",
    403: "Geen toegang",
    404: "Niet gevonden",
    429: "Even wachten",
    500: "Storing",
    503: "Storing",
}
RETRY_S = 5
SPECIAL: Mapping[str, tuple[str, str]] = {
    "busy": ("Er melden zich nu te veel mensen tegelijk aan.", "Wacht enkele seconden en probeer het opnieuw."),
    "bad-reason": (
        "Er staat geen reden bij, of een te lange.",
        "Ga terug en zeg in een paar zinnen waarom je dit opzoekt.",
    ),
    "bad-days": (
        "Deze dagen kloppen niet.",
        "Ga terug en kies een eerste en een laatste dag. Tellingen bestaan 13 maanden.",
    ),
    "unknown-app": ("Deze app kennen we hier niet.", "Ga terug en kies een app uit de lijst, of kijk de WebID na."),
    "invalid_request_uri": ("Deze aanvraag is al beantwoord of verlopen.", "Kijk bij Wie heeft toegang."),
}


WORDS: Mapping[int, tuple[str, str]] = {
    400: ("Deze vraag klopt niet.", "Ga terug en probeer het opnieuw vanaf het begin."),
    401: ("Je bent niet aangemeld.", "Meld je aan en probeer het opnieuw."),
    403: ("Dit mag je niet openen.", "Ga terug naar de startpagina."),
    404: ("Deze pagina bestaat niet.", "Kijk het adres na of ga naar de startpagina."),
    409: ("Dat kan nu niet.", "Ga terug, laad de pagina opnieuw en probeer nog eens."),
    413: ("Dit is te groot.", "Stuur een kleiner bestand."),
    422: ("Deze vraag klopt niet.", "Ga terug en probeer het opnieuw vanaf het begin."),
    429: ("Je probeerde te vaak.", "Wacht een paar minuten en probeer dan opnieuw."),
    500: ("Er ging iets mis bij ons.", "Er is niets verloren. Probeer het straks opnieuw."),
    503: ("Kluis kan nu niets openen.", "Er is niets verloren. Probeer het over een paar minuten opnieuw."),
}


def _wants_page(request: Request) -> bool:
    return not request.url.path.startswith(
        ("/api/", "/log/", "/oauth/token", "/oauth/par")
    ) and "text/html" in request.headers.get("accept", "")


def install(app: FastAPI) -> None:
    """Hand every error to `answer`."""

    async def known(request: Request, error: Exception) -> Response:
        return answer(request, error)

    async def malformed(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 -- registered for it below
        parts = sorted({" ".join(str(step) for step in one["loc"][:2])[:80] for one in error.errors()})
        title = "A part of the request is missing or has the wrong form"
        return _shaped(request, 400, "malformed", title, detail=", ".join(parts))

    async def other(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 -- registered for it below
        if error.status_code == HTTPStatus.SEE_OTHER:
            return Response(status_code=303, headers=error.headers)
        said, phrase = str(error.detail), HTTPStatus(error.status_code).phrase
        kind = phrase.lower().replace(" ", "-") if " " in said else said  # a sentence names no type
        shaped = _shaped(request, error.status_code, kind, phrase, detail=said)
        shaped.headers.update(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:  # of all routes there; the first one only knows its own
            shaped.headers["allow"] = request.app.state.methods(request.scope)
        return shaped

    async def gone(_request: Request, _error: Exception) -> Response:
        return Response(status_code=400)  # nobody reads it: the client left in the middle of its body

    for kind in TABLE:
        app.add_exception_handler(kind, known)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, other)
    app.add_exception_handler(ClientDisconnect, gone)
    app.add_exception_handler(Exception, known)  # answered here, named in the log by web.middleware
