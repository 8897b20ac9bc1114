"""The weekly surprise: fetched by her own device, at most as often as she said and never in her quiet hours.

The notice holds no word about her. What it is about is answered to her session alone, and lies sealed in her pod.
"""

from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from consent import suggesting
from keys.secret import fresh_bytes
from recommender.sources.items import CONTEXT
from recommender.weekly import NOTICE, due, surprise
from web import guard, suggested, wishing
from web.pages.dutch import local
from web.routes.feedback import made
from web.suggested import Plainly

router = APIRouter(tags=["suggestions"])
TYPE: Final = "kluis:Surprise"
NONE: Final[dict[str, Any]] = {"notice": None}
ASKED: Final = 20


@router.post("/api/suggestions/surprise")
async def weekly(request: Request) -> Response:
    """Whether a surprise is due now, and which: `notice` (the same words for everybody) and `suggestion`, or null.

    Nothing is opened but what she wishes, unless she allowed surprises and this is no quiet hour.
    """
    session = await suggested.citizen(request)
    house, now = guard.house_of(request), guard.house_of(request).clock()
    hers = await wishing.of(house.vault, session, now)
    if not hers.on("list") or not due(hers.weekly, [], local(now)):
        return suggested.answered(NONE, personal=False)
    sent = [_moment(body) async for _, body in made(house, session) if body.get("@type") == TYPE]
    if not due(hers.weekly, [one for one in sent if one], local(now)):
        return suggested.answered(NONE, personal=False)
    try:
        told = await suggested.suggestions(house, suggesting.herself(session), ASKED)
    except Plainly:
        return suggested.answered(NONE, personal=False)
    found = surprise(told["suggestions"])
    if found is None:
        return suggested.answered(NONE, personal=False)
    body = {
        "@context": CONTEXT,
        "@id": "",
        "@type": TYPE,
        "schema:name": "Verrassing van de week",
        "schema:dateCreated": suggested.since(now),
        "schema:item": found["id"],
    }
    path = f"/derived/surprise-{fresh_bytes(8).hex()}.jsonld"
    await wishing.keep(house.vault, session, path, body, now, note="surprise")
    return suggested.answered({"notice": dict(NOTICE), "suggestion": found}, personal=True)


def _moment(body: dict[str, Any]) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(body.get("schema:dateCreated")))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
