"""What a Solid token's grant covers: the citizen's terms behind it, and whether a call is within them."""

from datetime import datetime
from typing import Final

from consent import signed
from consent.call import Call
from consent.decide import Allowed, Ask, decide_all
from consent.oauth.tokens import SolidToken
from consent.recent import Recent
from consent.tables import Grant
from consent.terms import Terms
from keys.text import unb64
from vault.vault import PodFacts, Vault

# What a grant says never changes under one epoch, and the epoch is compared in the writer: this is no decision kept.
SAID: Final[Recent[tuple[bytes, Terms]]] = Recent(4096, 60)


def covers(
    vault: Vault, pod: PodFacts, token: SolidToken, call: Call, now: datetime, *, managed: bool
) -> tuple[bytes, Terms] | None:
    """The citizen's pod and terms if she lets this app do that: at home by containers and modes, elsewhere by tick."""
    said = said_of(vault, token, now)
    if said is None:
        return None
    home, terms = said
    if home != pod.id:
        return said if terms.elsewhere else None
    ask = Ask(call.action, call.category.curie, call.path, None, call.purpose, managed=managed)
    answer = decide_all(terms, ask, call.actions, now)
    return said if isinstance(answer, Allowed) else None


def said_of(vault: Vault, token: SolidToken, now: datetime) -> tuple[bytes, Terms] | None:
    """The pod and the terms of the grant behind a token."""
    grant, mark = unb64(token.grant_id), f"{token.grant_id}|{token.epoch}".encode()
    if (known := SAID.get(mark, now)) is not None:
        return known
    row = vault.db.read.get(Grant, grant)
    home = vault.pod_by_id(row.pod) if row else None
    if row is None or home is None:
        return None
    said = home.id, signed.read(vault, home, row)
    SAID.put(mark, said, now)
    return said
