"""Whether the server lives, is ready, and how it does; and the public front page."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse

from consent import outbox
from vault.log import views
from web import guard, watching
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
    """The writer commits (else 503), and how the log stands with its witnesses; 503 while data is held back."""
    house = guard.house_of(request)
    await house.vault.db.write(lambda tx: tx.run("SELECT 1"))
    doubt = house.vault.log.doubt()
    held = bool(house.vault.log.held or doubt)
    told = {"status": "held" if held else "ready", "clock": doubt or None, "log": watching.state(house)}
    return JSONResponse(told, 503 if held else 200)


@router.get("/metrics")
async def metrics(request: Request) -> PlainTextResponse:
    """Counts without persons, in the Prometheus text form."""
    house = guard.house_of(request)
    vault, log = house.vault, watching.state(house)
    lines = [
        "# TYPE kluis_log_entries counter",
        f"kluis_log_entries {views.kept(vault)}",
        "# TYPE kluis_log_published gauge",
        f"kluis_log_published {vault.log.ledger.size}",
        "# TYPE kluis_log_witnesses gauge",
        f"kluis_log_witnesses {log['witnesses']}",
        "# TYPE kluis_log_witnesses_cosigning gauge",
        f"kluis_log_witnesses_cosigning {log['cosigning']}",
        "# TYPE kluis_log_alarm gauge",
        f"kluis_log_alarm {int(log['alarm'] is not None)}",
        "# TYPE kluis_outbox_waiting gauge",
        f"kluis_outbox_waiting {outbox.count(vault)}",
    ]
    return PlainTextResponse("\n".join(lines) + "\n")
