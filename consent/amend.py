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
from consent.grants import GrantFacts, readable, state_at
from consent.lines import told
from consent.oauth.management import unknown
from consent.oauth.par import Pushed
from consent.request import choose
from consent.terms import Terms
from keys.text import unb64
from vault.log import tally
from vault.log.entry import Intent
from vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Change:
    """What a live grant covers, what it would cover if all that is asked were allowed, and which version it is."""

    before: Terms
    after: Terms
    version: int

    @property
    def rows(self) -> tuple[changes.Row, ...]:
        """Row by row what happens; the page marks exactly these."""
        return changes.rows(self.before, self.after)

    @property
    def facts(self) -> tuple[str, ...]:
        """Which other parts of the agreement change."""
        return changes.facts(self.before, self.after)


async def check(vault: Vault, said: Pushed, now: datetime) -> None:
    """When it is pushed: the app's own live grant, and no other purpose. A refusal that concerns a pod is in its log.

    Raises OAuthError invalid_grant_id or invalid_authorization_details.
    """
    if said.action == "create":
        return
    app = (said.client_id, said.terms.client_name)
    found = await owned(vault, app, said.grant, now)
    if found is None:
        raise unknown()
    if (state := state_at(found, now)) != "live":
        await _refused(vault, found, app, state, now)
        raise unknown()
    try:
        changes.proposed(found.terms, said.terms, said.action)
    except OAuthError:
        await _refused(vault, found, app, "other purpose", now)
        raise


async def owned(vault: Vault, app: tuple[str, str], grant: str, now: datetime) -> GrantFacts | None:
    """The grant with this shown id, live or not, if it was given to this app (client id, name).

    None for any other, logged: in the pod whose grant somebody else's app tried, else as a count in the office's log.
    """
    found = _named(vault, grant)
    if found is not None and found.terms.client == app[0]:
        return found
    if found is None:
        await tally.add(vault.log, vault.office, "invalid_grant_id", now)
    else:
        await _refused(vault, found, app, "other client", now)
    return None


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
    return Change(found.terms, changes.proposed(found.terms, asked.terms, asked.said.action), found.version)


def chosen(
    vault: Vault, session: SessionFacts, asked: Asked, ticked: set[str], duration: str | None, now: datetime
) -> tuple[Terms, GrantFacts | None]:
    """What the citizen allows, with the optional rows she ticked, and the grant that it changes, None for a new one.

    Both are for `grants.give`. Raises BadChoice for what was not on the page, OAuthError access_denied if the request
    names somebody else's pod or a grant that is not live any more.
    """
    change, found = standing(vault, session, asked, now), _named(vault, asked.said.grant)
    if change is None or found is None:
        return choose(asked.terms.for_pod(session.pod.name), ticked, duration, now), None
    return changes.decided(change.before, change.after, asked.said.action, ticked, duration, now), found


def _named(vault: Vault, grant: str) -> GrantFacts | None:
    try:
        return readable(vault, unb64(grant))
    except ValueError:
        return None


async def _refused(vault: Vault, found: GrantFacts, app: tuple[str, str], rule: str, now: datetime) -> None:
    """In the log of the grant's pod, with the app that tried."""
    facts = replace(told(found.terms, found.id, "denial", "ask", rule), decision="denied", grant_version=found.version)
    facts = replace(facts, client=app[0], client_name=app[1], app=app[0])
    await vault.log.append(Intent(found.pod.id, facts, now))
