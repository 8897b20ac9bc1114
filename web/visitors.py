"""Agents from elsewhere: what must be fetched about a foreign token, before the gate is asked, which never fetches.

Only a call that brings a foreign token waits for a foreign server. It is asked about only if the token is well-formed,
for us and in time, and if the call proves the key that the token is bound to; the WebID only if the issuer signed.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from consent import foreign
from consent.call import Call
from consent.errors import OAuthError
from consent.foreign import Claimed, Foreign
from federation.errors import FederationError, NotAllowed
from vault import acls

if TYPE_CHECKING:
    from web.app import House


async def announced(house: "House", call: Call) -> Call:
    """The call, with what was found out about the issuer if its token is a foreign one."""
    who = foreign.stranger(call.authorization, house.base, house.clock())
    return call if who is None else replace(call, foreign=await _found(house, call, who))


async def _found(house: "House", call: Call, who: Claimed) -> Foreign:
    """What its issuer and its WebID say; nothing if they do not answer as they should, so that the gate refuses."""
    try:
        foreign.proven(call.dpop, call.method, call.url, who, house.clock())
        return await _asked(house, who)
    except NotAllowed as error:
        return await _guest(house, call, who) if error.reason == "budget" else Foreign()
    except (OAuthError, FederationError):
        return Foreign()


async def _asked(house: "House", who: Claimed) -> Foreign:
    jwks = await house.issuers.keys(who.issuer, who.kid, house.clock())
    if not foreign.signed(who, jwks, house.clock()):
        return Foreign()
    return Foreign(jwks, await house.issuers.named(who.issuer, who.webid, house.clock()))


async def _guest(house: "House", call: Call, who: Claimed) -> Foreign:
    """The same when strangers asked so much that nobody new is asked about: for whom the citizen's own lists name."""
    pod = house.vault.pod(call.pod)
    if pod is None or not acls.effective(house.vault, pod, call.path).names(who.webid):
        return Foreign()
    try:
        if not await house.issuers.expected(who.issuer, who.webid, pod.id, house.clock()):
            return Foreign()
        return Foreign(await house.issuers.keys(who.issuer, who.kid, house.clock(), pod.id), True)
    except FederationError:
        return Foreign()
