"""Erasing one's own pod, once a way in was shown again."""

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse

from consent import erasure
from consent.accounts import proof
from consent.accounts.passkeys import Answer
from consent.accounts.proof import Proof
from keys.errors import WrongSecret
from web import guard

router = APIRouter()

_FIELDS = ("secret", "credential", "prf")


@router.post("/api/erase")
async def erase(request: Request) -> JSONResponse:
    """Erase the citizen's pod for good, once she has shown a way in again.

    A program that names the `pod` it means is refused for another one. The field `secret` is her passphrase or a
    recovery code; `credential` and `prf` are a passkey's answer. In the answer `entry` is the line of the office's
    log that says so.
    """
    session, fields = await guard.written(request, "citizen")
    if fields.get("pod", session.pod.name) != session.pod.name:
        raise HTTPException(403, "not your pod")
    house, (secret, credential, prf) = guard.house_of(request), (str(fields.get(name, "")) for name in _FIELDS)
    shown = Proof(answer=Answer(credential, prf)) if credential else Proof(secret)
    if not await proof.confirm(house.vault, session, shown, house.clock()):
        raise WrongSecret("this passphrase, code or passkey does not open the vault")
    done = JSONResponse({"entry": await erasure.by_citizen(house.vault, session, house.clock())})
    guard.drop_cookie(done, house.base, guard.SESSION)
    return done
