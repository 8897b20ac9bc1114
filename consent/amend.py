"""The grant that a pushed request would replace or merge into: whose it is, and what the citizen would decide about.

Only the app that holds a grant may ask to change it, and only the citizen whose grant it is may decide. Whatever is
wrong with the id, the app gets one answer; what really happened stands in the log of the pod that it is about.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from consent import changes
from consent.accounts.sessions import SessionFacts
from consent.asks import Asked
from consent.errors import OAuthError
from consent.grants import GrantFacts, give, readable, state_at
from consent.lines import told
from consent.oauth.management import unknown
from consent.oauth.par import Pushed
from consent.terms import Terms
from keys.text import b64, unb64
from vault.log import tally
from vault.log.entry import Intent
from vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Change:
    """A live grant, and what it would become if all that is asked were allowed."""

    before: GrantFacts
    after: Terms

    @property
    def rows(self) -> tuple[changes.Row, ...]:
        """Row by row what happens; the page marks exactly these."""
        return changes.rows(self.before.terms, self.after)

    @property
    def facts(self) -> tuple[str, ...]:
        """Which other parts of the agreement change."""
        return changes.facts(self.before.terms, self.after)


async def check(vault: Vault, said: Pushed, now: datetime) -> None:
    """When it is pushed: the app's own live grant, and no other purpose. A refusal that concerns a pod is in its log.

    Raises OAuthError invalid_grant_id or invalid_authorization_details.
    """
    if said.action == "create":
        return
    found = _named(vault, said.grant)
    if found is None:
        await tally.add(vault.log, vault.office, "invalid_grant_id", now)
        raise unknown()
    if found.terms.client != said.client_id or state_at(found, now) != "live":
        mine = found.terms.client == said.client_id
        await _refused(vault, found, said, state_at(found, now) if mine else "other client", now)
        raise unknown()
    try:
        changes.proposed(found.terms, said.terms, said.action)
    except OAuthError:
        await _refused(vault, found, said, "other purpose", now)
        raise


def standing(vault: Vault, session: SessionFacts, asked: Asked, now: datetime) -> Change | None:
    """What a request would change of this citizen's grant, None if it asks for a new one.

    Raises OAuthError access_denied if the grant is somebody else's, or is not live any more.
    """
    if asked.said.action == "create":
        return None
    found = _named(vault, asked.said.grant)
    hers = found is not None and found.pod.id == session.pod.id and found.terms.client == asked.said.client_id
    if found is None or not hers or state_at(found, now) != "live":
        raise OAuthError("access_denied", "There is no such grant to change.")
    return Change(found, changes.proposed(found.terms, asked.terms, asked.said.action))


async def decide(
    vault: Vault,
    session: SessionFacts,
    asked: Asked,
    change: Change,
    ticked: set[str],
    duration: str | None,
    now: datetime,
) -> str:
    """The citizen allows the change, with the optional rows she ticked: the code's text, as `grants.give` does."""
    terms = changes.decided(change.before.terms, change.after, asked.said.action, ticked, duration, now)
    return await give(vault, session, asked, terms, now, change.before)


def _named(vault: Vault, grant: str) -> GrantFacts | None:
    try:
        return readable(vault, unb64(grant))
    except ValueError:
        return None


async def _refused(vault: Vault, found: GrantFacts, said: Pushed, rule: str, now: datetime) -> None:
    """In the log of the grant's pod, with the app that tried."""
    facts = told(said.terms, found.id, "denial", "ask", rule)
    facts = replace(facts, decision="denied", grant=b64(found.id), grant_version=found.version)
    await vault.log.append(Intent(found.pod.id, facts, now))
