"""Grants that nobody used for months and that are in use again: how many of each app, and never whose."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from consent.errors import BadTerms
from consent.tables import Grant
from consent.terms import Terms
from consent.touched import said
from keys.errors import KeysError
from vault.errors import VaultError
from vault.gates import DAY_MS
from vault.log import uses
from vault.vault import Vault

RECENT_DAYS: Final = 7
ASLEEP_DAYS: Final = 90


def woken(vault: Vault, now: datetime) -> Mapping[str, int]:
    """Per app, the grants used in the last week whose last use, or if never used whose beginning, was 90 days before.

    From counters and what grants say, on a connection of its own: fit for a thread. A person's own programs are left
    out, and so is a grant that does not open.
    """
    since = uses.day_of(now) - RECENT_DAYS
    asleep = since - ASLEEP_DAYS
    found: Counter[str] = Counter()
    with vault.db.reading() as tx:
        for gate in uses.woken(tx, since, asleep):
            grant = tx.get(Grant, gate)
            if grant is None or grant.created // DAY_MS >= asleep:
                continue
            try:
                pod = vault.pod_in(tx, grant.pod)
                terms = Terms.from_json(said(pod, gate, grant.sealed)) if pod else None
            except (BadTerms, KeysError, LookupError, ValueError, VaultError):
                continue
            if terms is not None and terms.kind == "rar":
                found[terms.client] += 1
    return found
