"""The DPO's office over HTTP: totals and what stands out, without a person; and who was reached by an app, with names.

The second is the one question here about people: it wants a reason, and every citizen in the answer reads it.
"""

from dataclasses import asdict
from datetime import date
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.datastructures import FormData

from consent import clients, report, touched
from consent.accounts.sessions import SessionFacts
from consent.errors import BadDays
from consent.report import Filter
from consent.touched import Question, Touched
from web import guard, overseen, own, watching

router = APIRouter()

Word = Annotated[str, Query(max_length=200)]
Decision = Literal["", "allowed", "denied"]
NO_STORE: Final = {"cache-control": "no-store"}


@router.get("/api/dpo/totals")
async def totals(
    request: Request, client: Word = "", purpose: Word = "", category: Word = "", decision: Decision = "",
    since: date | None = None, until: date | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Totals over the whole log or the part that is asked for; `-` asks for what has no app, purpose or category.

    `opened` equals `entries` when every DPO record opens and fits the public tree, whatever was asked; `matched` is how
    many entries the rows stand for.
    """
    session = await guard.required(request, "dpo", opens=True)
    house = guard.house_of(request)
    asked = _ordered(Filter(client, purpose, category, decision, since, until))
    told = await report.totals(house.vault, session, house.clock(), asked)
    return asdict(told) | {"since": told.since.isoformat(), "until": told.until.isoformat()}


@router.get("/api/dpo/anomalies")
async def anomalies(request: Request) -> dict[str, Any]:
    """What stood out in the last seven days, from complete records without a person. Counts below five are null."""
    session = await guard.required(request, "dpo", opens=True)
    house = guard.house_of(request)
    told = await report.overview(house.vault, session, house.clock())
    names = clients.names(house.vault)
    listed = [overseen.anomaly(one, names) for one in told.anomalies]
    return {"anomalies": listed, "opened": told.whole.opened, "entries": told.whole.entries}


@router.post("/api/dpo/touched")
async def who_was_touched(request: Request) -> Response:
    """Who was reached by an app between two days: form fields app, since, until, reason and perhaps reference.

    Each pod in the answer has a line in its own log that says so, with the reason, before this is answered.
    """
    session, fields = await guard.written(request, "dpo")
    return JSONResponse(overseen.as_json(await _asked(request, session, fields)), headers=NO_STORE)


@router.get("/dpo", include_in_schema=False)
async def show(
    request: Request, client: Word = "", purpose: Word = "", category: Word = "", decision: Word = "",
    since: str = "", until: str = "",
) -> HTMLResponse:  # fmt: skip
    """The DPO's page: what stands out, and totals of what is asked for. What is no day asks nothing."""
    session = await guard.required(request, "dpo", opens=True)
    house = guard.house_of(request)
    kind = decision if decision in ("allowed", "denied") else ""
    asked = _ordered(Filter(client, purpose, category, kind, overseen.day(since), overseen.day(until)))
    told = await report.overview(house.vault, session, house.clock(), asked)
    shown = overseen.page(told, asked, clients.names(house.vault), house.clock(), watching.part(house))
    return own.page("dpo", shown, session)


@router.post("/dpo/touched", include_in_schema=False)
async def show_touched(request: Request) -> Response:
    """The same question from the page's form, answered as a page or, with `as` set to csv, as a file."""
    session, fields = await guard.written(request, "dpo")
    told = await _asked(request, session, fields)
    if fields.get("as") == "csv":
        named = {"content-disposition": 'attachment; filename="kluis-bereikt.csv"'}
        return Response(overseen.as_csv(told), media_type="text/csv", headers=NO_STORE | named)
    return own.page("touched", overseen.answer(told), session)


async def _asked(request: Request, session: SessionFacts, fields: FormData) -> Touched:
    """The answer to a form. An agent's WebID counts before an app that is chosen beside it. Raises as `look_up`."""
    house = guard.house_of(request)
    said = {
        name: " ".join(str(fields.get(name, "")).split())
        for name in ("app", "agent", "since", "until", "reason", "reference")
    }
    since, until = overseen.day(said["since"]), overseen.day(said["until"])
    if since is None or until is None:
        raise BadDays("since and until are days such as 2026-11-21")
    question = Question(said["agent"] or said["app"], since, until, said["reason"], said["reference"])
    return await touched.look_up(house.vault, session, question, house.clock())


def _ordered(asked: Filter) -> Filter:
    if asked.since and asked.until and asked.since > asked.until:
        raise BadDays("the first day comes after the last")
    return asked
