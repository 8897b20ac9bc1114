"""How much a pod may hold: its sealed bodies are counted in the transaction that writes them, so no race exceeds it.

What is under way counts too (table `upload`). Deleting always works; the log and consent are not counted.
"""

from typing import Final

from vault.database import Tx
from vault.errors import Conflict
from vault.tables import Upload

DEFAULT: Final = 2 * 1024**3
USED = "SELECT coalesce((SELECT bytes FROM usage WHERE pod = :pod), 0)"
PENDING = "SELECT coalesce(sum(size), 0) FROM upload WHERE pod = :pod"
COUNT = """
INSERT INTO usage (pod, bytes) VALUES (:pod, max(:more, 0))
ON CONFLICT (pod) DO UPDATE SET bytes = max(bytes + :more, 0)
"""


def used(tx: Tx, pod: bytes) -> int:
    """How many bytes of sealed bodies a pod holds."""
    return int(tx.run(USED, pod=pod)[0][0])


def room(tx: Tx, pod: bytes, more: int, limit: int) -> None:
    """Raise Conflict("quota") if `more` bytes do not fit beside what is there and what is under way."""
    if more > 0 and used(tx, pod) + int(tx.run(PENDING, pod=pod)[0][0]) + more > limit:
        raise Conflict("quota")


def count(tx: Tx, pod: bytes, more: int, limit: int | None = None) -> None:
    """Count bytes that were added (or, below 0, removed). Raises Conflict("quota"); without a limit never."""
    if limit is not None:
        room(tx, pod, more, limit)
    if more:
        tx.run(COUNT, pod=pod, more=more)


def reserve(tx: Tx, pod: bytes, store: bytes, more: int, limit: int) -> None:
    """Count bytes of an upload that is under way, which begins with its first. Raises Conflict("quota")."""
    room(tx, pod, more, limit)
    tx.run(
        "INSERT INTO upload (store, pod, size) VALUES (:store, :pod, :more)"
        " ON CONFLICT (store) DO UPDATE SET size = size + :more",
        store=store,
        pod=pod,
        more=more,
    )


def discard(tx: Tx, pod: bytes, store: bytes) -> None:
    """Make a store litter: it counts no more, and `vault.staging.sweep` removes it bit by bit."""
    tx.add(Upload(store=store, pod=pod, size=0))


def clear(tx: Tx) -> None:
    """Remove every store that no body names. At start: nobody is uploading or reading."""
    tx.run("DELETE FROM segment WHERE store IN (SELECT store FROM upload) AND store NOT IN (SELECT store FROM body)")
    tx.run("DELETE FROM upload")
