"""What a citizen takes along out of her unlocked session: everything in her pod, and her recovery kit."""

from collections.abc import AsyncIterator
from datetime import datetime

from consent import gate
from consent.accounts.sessions import SessionFacts
from consent.papers import papers
from vault import export, kit
from vault.errors import Denied
from vault.log.entry import Appended, Facts, Intent
from vault.pod import compartments
from vault.unlocked import reach
from vault.vault import Vault


async def everything(
    vault: Vault, session: SessionFacts, now: datetime, form: export.Form = "kluis"
) -> AsyncIterator[bytes]:
    """A tar of all she has, in this form, one entry `export` per compartment; they are durable when this returns.

    In our own form her grants, receipts and log are in it as well; no other server could read them.

    Raises Denied when the session ended, LogUnavailable when an entry cannot be written.
    """
    permits = [gate.own(session, home.container, "export") for home in compartments(vault, session.pod)]
    batches = await export.gather(vault, permits, now)
    beside = papers(vault, session) if form == "kluis" else None
    return export.packed(vault, session.pod, batches, now, form, beside)


async def recovery_kit(vault: Vault, session: SessionFacts, now: datetime) -> bytes:
    """Her root as a kit, in clear: the caller locks it at once. The entry `recovery kit` is durable before it opens."""
    want = session.keys.want(b"")
    facts = Facts("key event", "recovery kit", rule="session", agent=session.agent)
    done = await vault.log.append(Intent(session.pod.id, facts, now, guards=(session.guard,), wants=(want,)))
    if not isinstance(done, Appended) or want in done.missing:
        raise Denied("gone" if isinstance(done, Appended) else done.reason)
    with done.shares[want] as share, reach(session.keys, share) as root:
        made = kit.write(session.pod, vault.base, root)
    vault.log.served(done.index)
    return made
