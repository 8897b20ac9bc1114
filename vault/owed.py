"""Share deletions that a commit promised: written with it, struck off once they are done, and done again at the start.

Sessions need no such note: their gates tell at the start what must go. That a pod was erased or a way in taken away is
told by nothing that is left, so a crash between the commit and the deletion would keep their shares; and a grant that
ended or was narrowed has to stand on the list of what is gone, for the day an old copy of the database comes back.
"""

import json
from collections.abc import Iterable
from typing import Final

from keys.text import b64, unb64
from vault.database import Tx
from vault.shares import NARROWED, Drop
from vault.tables import Meta

PREFIX: Final = "owed "
NOTED: Final = frozenset({"*", "unlock", "custody", "grant", NARROWED})


def promise(tx: Tx, index: int, drops: Iterable[Drop]) -> None:
    """Note, in the unit of entry `index`, what is to be deleted after its commit."""
    told = [[drop.kind, b64(drop.owner), None if drop.part is None else b64(drop.part)]
            for drop in drops if drop.kind in NOTED]  # fmt: skip
    if told:
        tx.add(Meta(key=f"{PREFIX}{index}", value=json.dumps(told).encode()))


def standing(tx: Tx) -> dict[int, list[Drop]]:
    """What was promised and not struck off, by entry."""
    rows = tx.run("SELECT key, value FROM meta WHERE key LIKE 'owed %'")
    return {int(key.removeprefix(PREFIX)): [_drop(*one) for one in json.loads(value)] for key, value in rows}


def strike(tx: Tx, indexes: Iterable[int]) -> None:
    """Forget what was done."""
    for index in indexes:
        tx.remove(Meta, key=f"{PREFIX}{index}")


def _drop(kind: str, owner: str, part: str | None) -> Drop:
    return Drop(kind, unb64(owner), None if part is None else unb64(part))
