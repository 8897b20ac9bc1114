"""What a citizen has beside her data, as files to take along: her grants, her receipts and her log."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson

from consent import grants
from consent.accounts.sessions import SessionFacts, log_private
from consent.grants import GrantFacts
from keys.text import b64
from vault import gates
from vault.errors import Denied
from vault.log import kept
from vault.vault import Vault

PAGE: Final = 2000  # lines of the log in one file: some megabytes
GRANTS: Final = "grants.json"


async def papers(vault: Vault, session: SessionFacts) -> AsyncIterator[tuple[str, bytes]]:
    """Names and bodies: `grants.json`, each receipt as `receipts/ID.jwt` (a JWS), the log as `log/NUMBER.jsonl`, which
    joined are what `/api/log/export` gives. Raises Denied when the session ended.
    """
    pod = session.pod
    listed = [_told(grant) for grant in grants.listing(vault, pod)]
    yield GRANTS, orjson.dumps({"grants": listed}, option=orjson.OPT_INDENT_2)
    for one in grants.kept_receipts(vault, pod):
        yield f"receipts/{b64(one.id)}.jwt", one.jws.encode()
    with log_private(session) as private:
        pieces, number = kept.texts(vault, pod, private, PAGE), 0
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            _still_open(vault, session)
            number += 1
            yield f"log/{number:06d}.jsonl", piece


def _still_open(vault: Vault, session: SessionFacts) -> None:
    gate = gates.read(vault.db.read, session.handle)
    if gate is None or (gate.state, gate.epoch) != ("live", session.epoch):
        raise Denied("withdrawn")


def _told(grant: GrantFacts) -> dict[str, Any]:
    return {"id": b64(grant.id), "state": grant.state, "version": grant.version, "created": grant.created,
            "uses": grant.uses, "terms": grant.terms.to_json()}  # fmt: skip
