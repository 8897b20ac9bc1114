"""Derived answers: computed where the source is open, kept in `answers/`, whose key alone the grant gets.

So an app that may know the district never holds a key to the address (consent.md, Minimisation ladder).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from consent import gate, minimise
from consent.accounts.sessions import SessionFacts
from consent.categories import category
from consent.terms import Datum, Terms
from vault import door, store
from vault.vault import Vault

MEDIA = "application/ld+json"


async def records(vault: Vault, session: SessionFacts, curie: str, now: datetime, note: str) -> list[dict[str, Any]]:
    """All records of a category, opened in the citizen's own session under one entry. `note` says what for."""
    container = category(curie).container.rstrip("/")
    permit, keys = gate.own(session, container, "read", note=note)
    batch = await door.records(vault, permit, keys, now)
    read = [record(one.body) async for one in batch.items if one.body and "json" in one.label.media]
    return [one for one in read if one is not None]


def record(body: bytes) -> dict[str, Any] | None:
    """The JSON object that a body holds; None for anything else, which is nobody's record and stops nobody's batch."""
    try:
        found = orjson.loads(body)
        orjson.dumps(found)  # it nests less deeply than it reads: what cannot be written again is of no use
    except (TypeError, ValueError):
        return None
    return found if isinstance(found, dict) else None


async def sources(
    vault: Vault, session: SessionFacts, terms: Terms, now: datetime, note: str
) -> Mapping[str, list[dict[str, Any]]]:
    """The records behind every category of these terms, each category read once."""
    wanted = dict.fromkeys(datum.category for datum in terms.data if category(datum.category).container)
    return {curie: await records(vault, session, curie, now, note) for curie in wanted}


async def prepare(vault: Vault, session: SessionFacts, terms: Terms, now: datetime) -> None:
    """Compute and store every answer these terms promise, before a key to it exists."""
    for datum in terms.data:
        if datum.derived:
            await _store(vault, session, datum, now)


def worked_out(datum: Datum, found: list[dict[str, Any]], now: datetime) -> dict[str, Any]:
    """The answer of a derived row, from the records within its limits."""
    opens = minimise.opens_from(datum, now, now)
    return minimise.answer(datum.derived or "", [one for one in found if minimise.within(one, opens)], now)


async def _store(vault: Vault, session: SessionFacts, datum: Datum, now: datetime) -> None:
    found = await records(vault, session, datum.category, now, f"answer {datum.derived}")
    answer = worked_out(datum, found, now)
    permit, _ = gate.own(session, "answers", "write", datum.answer_path, note=f"answer {datum.derived}")
    await store.write(vault, permit, datum.answer_path, MEDIA, orjson.dumps(answer), now)
