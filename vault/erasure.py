"""Erasing a pod: every share of it first and for good, with them every key; then there is nothing left to open.

The line stands in the office's log, for the pod's own can be read by nobody afterwards. Old proofs keep verifying.
"""

from datetime import datetime
from functools import partial

from keys.text import b64
from vault.database import Tx
from vault.errors import Conflict, Denied
from vault.log.entry import Appended, Facts, Guard, Intent
from vault.purge import purge
from vault.shares import Drop
from vault.unlockers import Also, nothing
from vault.vault import PodFacts, Vault


async def erase(
    vault: Vault, pod: PodFacts, rule: str, now: datetime, guards: tuple[Guard, ...] = (), also: Also = nothing
) -> int:
    """Erase a citizen's pod with all that any floor keeps of it; return the index of the line that says so.

    When this returns no share of the pod exists, here or after a restore. Raises Conflict("office"), Denied.
    """
    if pod.kind != "citizen":
        raise Conflict("office")
    facts = Facts("erasure", "erase pod", rule=rule, count=1, note=b64(pod.id))
    intent = Intent(
        vault.office, facts, now, guards, write=partial(_write, vault, pod, also), drops=(Drop("*", pod.id),)
    )
    done = await vault.log.append(intent)
    vault.forget(pod)
    if not isinstance(done, Appended):
        raise Denied(done.reason)
    return done.index


def _write(vault: Vault, pod: PodFacts, also: Also, tx: Tx) -> None:
    also(tx)
    if not purge(pod.id, tx):
        raise Conflict("gone")
    vault.log.new_keys(pod.id)  # else whatever comes in the same batch would still be entered for a pod that is gone
