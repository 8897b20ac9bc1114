"""Receipts of apps: what proves an entry about an app, for that app alone, whether its grant still lives or not.

The app shows who it is as at the token endpoint, so that it can fetch what it did under a grant that has ended.
"""

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse, Response

from consent import grants
from consent.errors import OAuthError
from keys.text import b64, unb64
from vault.log import receipts
from web.routes.oauth import NO_STORE, answered, proven

if TYPE_CHECKING:
    from consent.oauth.server import TokenRequest
    from web.app import House

router = APIRouter()
SECONDS = 10  # until the next checkpoint at the latest


@router.post("/api/log/receipts")
async def listing(request: Request) -> Response:
    """The consents under one of the caller's grants (form field `grant`) that it can prove, and its consent receipts.

    Entries that it asked to be able to prove are not here: the server knows not what they say.
    """

    async def told(house: "House", asked: "TokenRequest") -> Response:
        client = await proven(house, asked)
        try:
            grant = unb64(asked.form.get("grant", ""))
        except ValueError:
            raise OAuthError("invalid_request", "grant is not the id of a grant.") from None
        found = grants.given_to(house.vault, client.client_id, grant)
        if found is None:
            return JSONResponse({"entries": [], "consents": []}, headers=NO_STORE)
        kept = receipts.of_grant(house.vault, found.pod.id, client.client_id, b64(grant))
        consents = [one.jws for one in grants.kept_receipts(house.vault, found.pod) if one.grant == grant]
        entries = [{"entry": one.index, "app": one.told} for one in kept]
        return JSONResponse({"entries": entries, "consents": consents}, headers=NO_STORE)

    return await answered(request, told)


@router.post("/api/log/receipts/{entry}")
async def receipt(request: Request, entry: Annotated[int, Path(ge=0, lt=2**53)]) -> Response:
    """The receipt of an entry (C2SP tlog-proof); 202 until its checkpoint is published, 404 for anybody else's.

    Form field `key`: what stood in `Kluis-Receipt` of the answer that the entry is about; none for a consent.
    """

    async def told(house: "House", asked: "TokenRequest") -> Response:
        client = await proven(house, asked)
        try:
            key = unb64(asked.form.get("key", ""))
        except ValueError:
            raise OAuthError("invalid_request", "key is not the key of a receipt.") from None
        text = receipts.issue(house.vault, receipts.find(house.vault, client.client_id, entry, key))
        if text is None:
            return Response(status_code=202, headers=NO_STORE | {"retry-after": str(SECONDS)})
        named = {"content-disposition": f'attachment; filename="kluis-{entry}.tlog-proof"'}
        return Response(text, media_type="text/plain; charset=utf-8", headers=NO_STORE | named)

    return await answered(request, told)
