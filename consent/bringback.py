"""What a citizen brings back into a pod of hers out of a take-away file, through the drop box and the log.

Nothing is overwritten and nothing is opened more widely than it was: what stands there stays, access lists are not
brought back (they name another pod's people), and what lay sealed does not become managed. Answers are derived anew:
apps rely on it that this vault worked them out.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from consent import gate
from consent.accounts.sessions import SessionFacts
from consent.categories import category_at
from consent.compartments import add
from vault import store
from vault.errors import Denied
from vault.planned import Parcel
from vault.pod import compartments, top
from vault.room import make_room
from vault.solid import paths
from vault.unpack import Piece, TakeAway
from vault.vault import UNDER_ROOT, PodFacts, Vault

SOURCE: Final = "take-away"
NOTE: Final = "brought back"
ANSWERS: Final = "answers"


@dataclass(frozen=True, slots=True)
class Brought:
    """How many resources were stored, and the paths left out, each with why: `exists`, `derived` or `less sealed`."""

    stored: int
    left: tuple[tuple[str, str], ...]


async def back(vault: Vault, session: SessionFacts, found: TakeAway, now: datetime) -> Brought:
    """Store what is not there yet: each container in one transaction, with one entry. Raises Denied, LogUnavailable.

    If we crash or the session ends between two containers, the same file brings the rest when it is brought again.
    """
    stored, left = 0, list[tuple[str, str]]()
    for container in sorted({top(path) for path in (*(piece.path for piece in found.pieces), *found.containers)}):
        pieces = [piece for piece in found.pieces if top(piece.path) == container]
        if container == ANSWERS:
            left += [(piece.path, "derived") for piece in pieces]
            continue
        if await _less_sealed(vault, session, container, found, now):
            left += [(piece.path, "less sealed") for piece in pieces]
            continue
        fresh = [piece for piece in pieces if not _taken(vault, session.pod, piece.path)]
        left += [(piece.path, "exists") for piece in pieces if piece not in fresh]
        stored += await _store(vault, session, container, fresh, now)
        await _folders(vault, session, [path for path in found.containers if top(path) == container], now)
    return Brought(stored, tuple(left))


async def _store(vault: Vault, session: SessionFacts, container: str, pieces: Iterable[Piece], now: datetime) -> int:
    parcels = [Parcel(piece.path, piece.media, piece.body) for piece in pieces]
    if not parcels:
        return 0
    permit, _ = gate.own(session, container, "append", None if container else "/", note=NOTE)
    return (await store.deposit(vault, permit, parcels, now, SOURCE))[1]


async def _folders(vault: Vault, session: SessionFacts, listed: Iterable[str], now: datetime) -> None:
    """Make the containers that nothing was stored in, the outermost first."""
    for path in sorted(listed):
        if not _taken(vault, session.pod, path):
            permit, _ = gate.own(session, top(path), "append", path, note=NOTE)
            with suppress(Denied):  # made meanwhile
                await store.write(vault, permit, path, "", None, now, "absent")


async def _less_sealed(vault: Vault, session: SessionFacts, container: str, found: TakeAway, now: datetime) -> bool:
    """See that the container is there, made as it was if need be; True if it stands managed and was sealed before."""
    was = category_at(f"/{container}/").custody
    if was == "managed" and found.custody.get(container) == "sealed":
        was = "sealed"
    if container in UNDER_ROOT:
        return was == "sealed"
    held = {home.container: home.custody for home in compartments(vault, session.pod)}
    if container not in held:
        if was == "sealed":
            await add(vault, session, container, category_at(f"/{container}/").curie, now)
        else:
            permit, _ = gate.own(session, container, "append", f"/{container}/", note=NOTE)
            await make_room(vault, permit, f"/{container}/", now)
    return was == "sealed" and held.get(container) == "managed"


def _taken(vault: Vault, pod: PodFacts, path: str) -> bool:
    """Whether something stands there, also with a slash the other way round, or above it no container does."""
    above = (ancestor[:-1] for ancestor in paths.ancestors(path)[:-1])
    return any(store.version_of(vault, pod, other) is not None for other in (path, paths.twin(path), *above))
