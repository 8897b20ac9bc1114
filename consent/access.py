"""Access control at the gate: who asks, with what, as the lists of a pod see it; and whether that is enough."""

from consent.call import Call
from consent.terms import Terms
from vault.acls import Effective
from vault.solid.policy import MODES, Asker
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
    vault: Vault, pod: PodFacts, call: Call, who: Asker, here: Effective, limit: frozenset[str] = frozenset(MODES)
) -> tuple[frozenset[str], frozenset[str]]:
    """What `WAC-Allow` tells: the modes of who asks, within `limit`, and those of nobody in particular."""
    root = f"{vault.base}/pods/{pod.name}"
    return here.modes(who, root) & limit, here.modes(asker(call), root)


def limit_of(terms: Terms, *, at_home: bool) -> frozenset[str]:
    """The modes that a grant leaves of what lists give: at home those it names, elsewhere all."""
    named = frozenset(terms.modes) if at_home else frozenset(MODES)
    return named | {"append"} if "write" in named else named
