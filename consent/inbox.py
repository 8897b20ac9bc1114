"""The inbox of a pod (Linked Data Notifications): what may come in, and how much of it.

Who may send is said by the inbox's own list, and until its citizen says so that is nobody (docs/decisions/0027).
Whoever may send can neither fill the disk nor the log: a sender has a pace, and an inbox a size.
"""

from collections import OrderedDict
from datetime import datetime
from typing import Final

from keys.text import b64
from vault import store
from vault.log import tally
from vault.permit import Permit
from vault.solid.ldp import INBOX
from vault.vault import Vault

PATH: Final = INBOX
LARGEST: Final = 64 * 1024
"""Bytes of one notification."""
PER_HOUR: Final = 60
"""Notifications of one sender; those who come without a name are one sender."""
MOST: Final = 1000
"""Notifications that lie in an inbox at once; deleting makes room."""
_HOUR: Final = 3600
_SENDERS: Final = 4096


class Pace:
    """How many came from each sender in the hour that runs; the sender not heard of for longest is forgotten first."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def goes(self, sender: str, now: datetime) -> bool:
        """Count one more; False if that is too many. A restart forgets, and then the size of the inbox still holds."""
        hour = int(now.timestamp()) // _HOUR
        since, count = self._seen.pop(sender, (hour, 0))
        count = count + 1 if since == hour else 1
        self._seen[sender] = hour, min(count, PER_HOUR + 1)
        if len(self._seen) > _SENDERS:
            self._seen.popitem(last=False)
        return count <= PER_HOUR


PACE: Final = Pace()


async def refusal(vault: Vault, permit: Permit, owner: str, now: datetime) -> str:
    """Why one more notification is not taken: inbox_pace, inbox_full, or "" if it is; a refusal is counted in the log.

    Its own citizen (`owner`, a WebID) may always put things there.
    """
    facts, pod = permit.facts, vault.pod_by_id(permit.pod)
    if pod is None or facts.agent == owner:
        return ""
    why = "" if PACE.goes(f"{b64(permit.pod)} {facts.agent or facts.client}", now) else "inbox_pace"
    if not why and store.crowd(vault, pod, PATH) >= MOST:
        why = "inbox_full"
    if why:
        await tally.add(vault.log, permit.pod, why, now, "append")
    return why
