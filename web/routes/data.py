"""What lies in the citizen's pod: how much in each compartment, and the titles, which are opened through the door."""

from typing import Annotated, Final

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse

from consent import gate, holdings
from vault import door
from web import guard, own, titles
from web.pages.own import Compartment, DataPage, RecordsPage

router = APIRouter(include_in_schema=False)

SHOWN: Final = 50
NOTE: Final = "titles"


@router.get("/me/data")
async def data(request: Request) -> HTMLResponse:
    """How much lies in each compartment, and who may read it; nothing is opened for it."""
    session = await guard.required(request, "citizen")
    house = guard.house_of(request)
    live = own.live(house.vault, session, house.clock())
    rows = tuple(
        Compartment(
            label=own.room(held),
            family=own.FAMILIES[held.kind.family],
            path=f"/{held.container}/",
            sealed=held.custody == "sealed",
            count=held.count,
            apps=tuple(dict.fromkeys(own.apps(live, held))),
            titles=f"/me/data/{held.container}" if held.count else "",
        )
        for held in holdings.of_pod(house.vault, session.pod)
    )
    return own.page("data", DataPage(rows, f"{house.base}/pods/{session.pod.name}/"), session)


@router.get("/me/data/{container}")
async def records(request: Request, container: str, page: Annotated[int, Query(ge=1, le=10**9)] = 1) -> HTMLResponse:
    """The titles of one compartment. Opening them is a reading like any other, and stands in her log as her own."""
    session = await guard.required(request, "citizen", opens=True)
    house = guard.house_of(request)
    held = next((one for one in holdings.of_pod(house.vault, session.pod) if one.container == container), None)
    if held is None or (page - 1) * SHOWN > held.count:
        raise HTTPException(404, "not_found")
    permit, keys = gate.own(session, container, "read", note=NOTE)
    batch = await door.newest(house.vault, permit, keys, house.clock(), (page - 1) * SHOWN, SHOWN)
    found = tuple([titles.record(one) async for one in batch.items])
    here = f"/me/data/{container}?page="
    told = RecordsPage(
        label=own.room(held),
        path=f"/{container}/",
        count=held.count,
        records=found,
        damaged=batch.count - len(found),
        newer=f"{here}{page - 1}" if page > 1 else "",
        older=f"{here}{page + 1}" if held.count > page * SHOWN else "",
    )
    return own.page("records", told, session)
