"""Whether the server lives, is ready, and how it does; and the public front page."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse

from vault.log import views
from web import guard
from web.pages.views import HomePage, render

router = APIRouter()


@router.get("/", include_in_schema=False)
async def home(request: Request) -> HTMLResponse:
    """What Kluis is."""
    session = await guard.current(request)
    ledger = guard.house_of(request).vault.log.ledger
    person = {"person": session.name, "role": session.role, "csrf": session.csrf} if session else {}
    return HTMLResponse(render("home", HomePage(ledger.origin, ledger.size), **person))


@router.get("/healthz")
async def alive() -> JSONResponse:
    """The process answers."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz")
async def ready(request: Request) -> JSONResponse:
    """The writer commits. LogUnavailable becomes a 503."""
    await guard.house_of(request).vault.db.write(lambda tx: tx.run("SELECT 1"))
    return JSONResponse({"status": "ready"})


@router.get("/metrics")
async def metrics(request: Request) -> PlainTextResponse:
    """Counts without persons, in the Prometheus text form."""
    vault = guard.house_of(request).vault
    lines = [
        "# TYPE kluis_log_entries counter",
        f"kluis_log_entries {views.kept(vault)}",
        "# TYPE kluis_log_published gauge",
        f"kluis_log_published {vault.log.ledger.size}",
    ]
    return PlainTextResponse("\n".join(lines) + "\n")
