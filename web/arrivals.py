"""Loads of pods on their way in (vault.moving.pack), as the server takes them.

The operator's program had them read and rewritten; what a writer over HTTP is held to is checked here again.
"""

from typing import TYPE_CHECKING, Any

import orjson

from consent.accounts import arriving
from consent.accounts.arriving import Arrival
from keys.errors import WrongSecret
from vault.arrival import Arriving, Load
from vault.errors import BadLoad
from vault.moving.pack import LENGTH
from vault.solid.ldp import BadMedia
from vault.solid.paths import BadPath
from vault.solid.scan import BadRdf

if TYPE_CHECKING:
    from web.app import House


async def take(house: "House", body: bytes) -> int:
    """Take one load in; how many resources are new. Raises BadLoad and what consent.accounts.arriving raises."""
    who, codes, load = _read(body)
    try:
        if not codes:
            return await arriving.go_on(house.vault, who, load, house.clock())
        await arriving.arrive(house.vault, who, codes, load, house.clock())
    except (BadPath, BadMedia, BadRdf, WrongSecret) as error:
        raise BadLoad(str(error)) from error
    return len(load.resources)


def _read(body: bytes) -> tuple[Arrival, list[str], Load]:
    at = LENGTH + int.from_bytes(body[:LENGTH], "big")
    try:
        head: dict[str, Any] = orjson.loads(body[LENGTH:at])
        listed = []
        for path, media, size, modified in head["resources"]:
            listed.append(Arriving(str(path), str(media), body[at : at + size], max(0, int(modified))))
            at += size
        load = Load(str(head["source"]), listed, [str(one) for one in head["containers"]],
                    {str(path): str(turtle).encode() for path, turtle in head["lists"].items()})  # fmt: skip
        who = Arrival(str(head["name"]), str(head["from"]), bool(head["whole"]))
        codes = [str(code) for code in head["codes"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadLoad("this is no load of a pod") from error
    if at != len(body):
        raise BadLoad("the bodies of this load are not as long as it says")
    return who, codes, load
