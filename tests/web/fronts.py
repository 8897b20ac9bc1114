"""Every address of the front door with its blanks filled in, as a browser or a stranger would ask for it."""

import re

from fastapi import FastAPI

from keys.text import b64
from tests.house import Granted
from tests.log.everything import routes

FILLED = {
    "step": "restrict", "container": "notes", "source": "mijnbib", "name": "interest_topics_k10", "room": "interests",
    "shard": "2026h2", "place:path": "0/000", "token": "kln1_x", "decision": "restrict",
}  # fmt: skip


def addresses(app: FastAPI, methods: set[str], granted: Granted | None = None) -> list[tuple[str, str]]:
    """(method, address) of every route with one of these methods; blanks that name a grant name a real one."""
    own = {"grant": b64(granted.id), "grant_id": b64(granted.id)} if granted else {}
    found = []
    for route in routes(app):
        method, path = route.split(" ")
        if method in methods:
            found.append(
                (method, re.sub(r"\{([^}]+)\}", lambda hole: (FILLED | own).get(hole[1], b64(bytes(16))), path))
            )
    return found
