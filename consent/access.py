"""Access control at the gate: who asks, with what, as the lists of a pod see it; and whether that is enough."""

from consent.call import Call
from vault.acls import Effective
from vault.solid.policy import Asker
from vault.vault import PodFacts, Vault


def asker(
    call: Call,
    agent: str | None = None,
    client: str | None = None,
    issuer: str | None = None,
    purpose: str | None = None,
) -> Asker:
    """Who makes a call: WebID, client id and issuer as the token says, and the purpose of the grant behind it."""
    return Asker(agent, client, issuer, call.origin, purpose)


def enough(vault: Vault, pod: PodFacts, call: Call, who: Asker, here: Effective) -> bool:
    """Whether the modes that the path's list gives are enough for the call, on the path and on the container above."""
    root = f"{vault.base}/pods/{pod.name}"
    return call.needs <= here.modes(who, root) and call.container_needs <= here.modes_above(who, root)


def shown(
    vault: Vault, pod: PodFacts, call: Call, who: Asker, here: Effective
) -> tuple[frozenset[str], frozenset[str]]:
    """What `WAC-Allow` tells: the modes of who asks, and those of anybody without a name from the same page."""
    root = f"{vault.base}/pods/{pod.name}"
    return here.modes(who, root), here.modes(asker(call), root)
