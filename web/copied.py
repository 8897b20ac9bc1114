"""What an app still holds and has been told after a grant, as its citizen reads it: on the page and as JSON."""

from typing import TYPE_CHECKING, Any

from consent import copies, events, outbox
from consent.grants import GrantFacts
from keys.text import b64
from vault.vault import Vault
from web import own
from web.pages.granted import CopyPart

if TYPE_CHECKING:
    from web.app import House


def part(house: "House", grant: GrantFacts) -> CopyPart | None:
    """The app's copy and whether it knows of the end, for the page; None for a program of her own."""
    if grant.terms.kind != "rar":
        return None
    copy = copies.of_grant(house.vault, grant, house.clock())
    left = {one["state"] for one in told(house, grant)}
    news = next((state for state in ("waiting", "untold") if state in left), "")
    if copy is None:
        return CopyPart(b64(grant.id), told=news, may_ask=grant.uses > 0)
    return CopyPart(
        b64(grant.id),
        copy.state,
        own.moment(copy.deadline),
        None if copy.asked is None else own.moment(copy.asked),
        None if copy.deleted is None else own.moment(copy.deleted),
        told=news,
        may_ask=copy.asked is None and copy.deleted is None and grant.uses > 0,
    )


def told(house: "House", grant: GrantFacts) -> list[dict[str, Any]]:
    """Each thing the app was told of this grant, oldest first, with how that went. Times in ms.

    `waiting`: not taken yet, after so many `tries` since the server started; `told`; `untold`: given up.
    """
    done = [
        {"event": step.detail["event"], "state": step.state, "at": step.at}
        for step in events.history(house.vault, grant.pod, grant.id)
        if step.state in ("told", "untold")
    ]
    return done + [
        {"event": one.signal.event, "state": "waiting", "since": one.signal.at, "tries": house.outgoing.tries(one)}
        for one in outbox.of_pod(house.vault, grant.pod)
        if one.signal.grant == b64(grant.id)
    ]


def kept(house: "House", grant: GrantFacts) -> dict[str, Any] | None:
    """How it stands with the app's copy; None while the grant lives, or if nobody spoke of one. Times in ms.

    `evidence` is what the app signed (compact JWS), "" for nothing yet.
    """
    copy = copies.of_grant(house.vault, grant, house.clock())
    if copy is None:
        return None
    signed = copies.evidence(events.history(house.vault, grant.pod, grant.id))
    moments = {"deadline": copy.deadline, "asked": copy.asked, "deleted": copy.deleted}
    return {"state": copy.state, **moments, "evidence": signed}


def was_asked(vault: Vault, grant: GrantFacts) -> bool:
    """Whether its citizen asked the app to delete its copy."""
    return any(step.state == "delete_asked" for step in events.history(vault, grant.pod, grant.id))
