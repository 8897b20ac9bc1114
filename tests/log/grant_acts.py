"""What happens to a grant after it was given, and to a request before it is answered: one function an act."""

import json
import re
from typing import Any

from keys.text import b64
from tests.consent import sample
from tests.house import ALL_INTERESTS
from tests.log.acts import POSTAL, Act, granted, ok, sends
from tests.log.stage import SAME, Stage


async def _asked(stage: Stage, **more: str) -> dict[str, str]:
    """The hidden fields of the consent page of a request that An opened."""
    details = json.dumps([sample.detail(datatypes=[ALL_INTERESTS, POSTAL])])
    pushed = await ok(
        sends(stage, "/oauth/par", response_type="code", redirect_uri=sample.RETURN, code_challenge=sample.CHALLENGE,
              code_challenge_method="S256", state="s", authorization_details=details, **more), 201)  # fmt: skip
    query = {"client_id": "cultuurgids", "request_uri": pushed.json()["request_uri"]}
    cookie = {"cookie": f"kluis={stage.house.cookie}", "accept": "text/html"}
    page = await ok(stage.house.http.get("/oauth/authorize", params=query, headers=cookie), 200, 303)
    return dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]+)"', page.text))


async def changes(stage: Stage) -> None:
    """An allows what changes a grant."""
    held = await stage.house.grant(ALL_INTERESTS)
    hidden = await _asked(stage, grant_management_action="merge", grant_id=b64(held.id))
    await stage.begin()
    await ok(stage.mine("POST", "/oauth/authorize", **(hidden | {"decision": "allow"})), 303)


async def asks_again_too_soon(stage: Stage) -> None:
    hidden = await _asked(stage)
    await ok(stage.mine("POST", "/oauth/authorize", **(hidden | {"decision": "deny"})), 303)
    await stage.begin()
    await _asked(stage)


async def lets_ask_again(stage: Stage) -> None:
    hidden = await _asked(stage)
    await ok(stage.mine("POST", "/oauth/authorize", **(hidden | {"decision": "deny"})), 303)
    handle = hidden["request_uri"].rpartition(":")[2]
    await stage.begin()
    await ok(stage.mine("POST", f"/me/requests/{handle}/reopen"), 303)


async def is_invalidated(stage: Stage) -> None:
    """The DPO's officer ends a grant."""
    held = await granted(stage)
    cookie, session = stage.officer
    fields = {"csrf": session.csrf, "reason": "Nooit geldig gegeven."}
    headers = SAME | {"cookie": f"kluis={cookie}"}
    path = f"/api/dpo/grants/{b64(held.id)}/invalidate"
    await ok(stage.house.http.post(path, data=fields, headers=headers), 204)


def asks_to_change(found: dict[str, Any]) -> Act:
    """The app pushes a request about a grant that it cannot change."""

    async def act(stage: Stage) -> None:
        held = await stage.house.grant(ALL_INTERESTS)
        if found["ended"]:
            await stage.house.withdraw(held)
        await stage.begin()
        details = json.dumps([sample.detail(datatypes=[ALL_INTERESTS])])
        named = b64(held.id) if found["ended"] else b64(bytes(16))
        await ok(
            sends(stage, "/oauth/par", response_type="code", redirect_uri=sample.RETURN, state="s",
                  code_challenge=sample.CHALLENGE, code_challenge_method="S256", authorization_details=details,
                  grant_management_action="merge", grant_id=named), 400)  # fmt: skip

    return act


def queries(*, known: bool) -> Act:
    """The app asks about a grant, showing who it is."""

    async def act(stage: Stage) -> None:
        held = await granted(stage)
        await ok(sends(stage, f"/oauth/grants/{b64(held.id if known else bytes(16))}"), 200 if known else 404)

    return act
