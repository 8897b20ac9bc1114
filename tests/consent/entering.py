"""People on a real vault, and what its stores and its log then hold."""

from pathlib import Path
from typing import Any

import orjson

from consent.accounts import passphrase, sessions
from consent.accounts.people import Enrolled, Newcomer, enroll, found_office
from keys.records import open_record
from keys.secret import Private, RecordKey
from tests.conftest import Clock
from vault.tables import Record, RecordKey as KeyRow
from vault.vault import PodFacts, Vault

PHRASE = "zeven groene fietsen"


async def house(vault: Vault, clock: Clock) -> None:
    await found_office(vault, [Newcomer("dpo", "Dirk")], clock())


async def an(vault: Vault, clock: Clock, *, phrase: str | None = None, demo: bool = False) -> Enrolled:
    await house(vault, clock)
    return await enroll(vault, "An", "An Peeters", "citizen", "an", phrase, clock(), demo=demo)


async def entered(vault: Vault, user: str, secret: str, clock: Clock) -> tuple[str, sessions.SessionFacts]:
    opened = await passphrase.login(vault, user, secret, clock())
    assert opened is not None
    return opened


def records(vault: Vault, private: Private, pod: PodFacts) -> list[dict[str, Any]]:
    """The citizen's own lines, opened with nothing but her log key."""
    origin, told = vault.log.ledger.origin, []
    for row in vault.db.read.find(Record, order_by="idx", pod=pod.id):
        key = _record_key(vault, private, pod, row.key)
        data = open_record(key, "record", origin, row.key, row.entry, row.sealed)
        parts = orjson.loads(data[64:])
        told.append({**parts["app"], **parts["own"]})
    return told


def _record_key(vault: Vault, private: Private, pod: PodFacts, key: bytes) -> RecordKey:
    from keys.context import ctx
    from keys.dropbox import collect

    row = vault.db.read.get(KeyRow, key)
    assert row is not None
    return collect(private, ctx("record-key", pod.id, vault.log.ledger.origin, key), row.sealed, RecordKey)


def stored(folder: Path) -> bytes:
    """Every byte a thief of the data directory would have."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "custodian")


def actions(vault: Vault, session: sessions.SessionFacts) -> list[tuple[str, str, str]]:
    with sessions.log_private(session) as private:
        return [(r["type"], r["action"], r["decision"]) for r in records(vault, private, session.pod)]
