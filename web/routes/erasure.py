"""Erasing one's own pod, once a way in was shown again."""

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse

from consent import erasure
from consent.accounts import passphrase
from keys.errors import WrongSecret
from web import guard

router = APIRouter()


@router.post("/api/erase")
async def erase(request: Request) -> JSONResponse:
    """Erase the citizen's pod for good. The field `secret` is her passphrase or a recovery code, entered again.

    A program that names the `pod` it means is refused for another one.
    `entry` is the line of the office's log that says so.
    """
    session, fields = await guard.written(request, "citizen")
    if fields.get("pod", session.pod.name) != session.pod.name:
        raise HTTPException(403, "not your pod")
    house = guard.house_of(request)
    root = await passphrase.again(house.vault, session, str(fields.get("secret", "")), house.clock())
    if root is None:
        raise WrongSecret("this passphrase or code does not open the vault")
    root.wipe()
    done = JSONResponse({"entry": await erasure.by_citizen(house.vault, session, house.clock())})
    guard.drop_cookie(done, house.base, guard.SESSION)
    return done
