"""Permits for one question to the recommender: minted once the caller's own right was checked, good there for one use.

The recommender holds tokens of many citizens, so nobody may borrow them. A permit is a JWS under the server's own key,
whose public half the recommender fetches like any app: it can check one and make none. It names the pod, the question
by its hash, who asks and why, and what an answer rests on, so that one can be kept until that changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from consent import gate, grants
from consent.accounts.sessions import SessionFacts
from consent.call import Call, Denial
from consent.categories import category
from consent.grants import GrantFacts
from consent.jws import make
from consent.questions import CITIZEN, LIFE, TYP, digest
from consent.special import RECOMMENDER
from keys.mark import mark
from keys.secret import fresh_bytes
from keys.text import b64
from vault import door, gates, store
from vault.errors import Denied
from vault.log.entry import Appended
from vault.vault import PodFacts, Vault

ACTION: Final = "recommend"
DERIVED: Final = "kluis:Derived"
PLACE: Final = "/derived/"
"""What an app must hold to be suggested to: the action `recommend` on her suggestions."""
WISHES: Final = "/derived/wishes.jsonld"
"""Where she keeps what she wishes of her suggestions, sealed like everything that tells her taste."""
STORED: Final = "SELECT count(*), sum(version) FROM resource WHERE compartment = :id"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who may ask: the pod, the app's client id (`citizen` for herself), its purpose, and the entry that says so."""

    pod: PodFacts
    client: str = CITIZEN
    purpose: str = ""
    entry: int | None = None


def herself(session: SessionFacts) -> Caller:
    """The citizen in her own session, which the request has just shown to be live."""
    return Caller(session.pod)


async def app(vault: Vault, call: Call, note: str, now: datetime) -> Caller | Denial:
    """An app with a token of its grant: checked, and written in the citizen's log before this returns.

    `call` must be about `PLACE` with `doing` = `recommend`; `note` says in the log which kind of suggestion it was.
    A grant whose category or action does not cover that is a Denial, which is in the log already.
    """
    admitted = await gate.admit(vault, call, now)
    if isinstance(admitted, Denial):
        return admitted
    permit = admitted.permit
    pod = door.admit(vault, permit, None)
    done = await vault.log.append(door.intent(permit, now, facts=replace(permit.facts, note=note)))
    if not isinstance(done, Appended):
        raise Denied(done.reason)
    door.finish(vault, done)
    return Caller(pod, permit.facts.client, permit.facts.purpose, done.index)


def permit(vault: Vault, caller: Caller, question: Mapping[str, Any], now: datetime) -> str:
    """The permit (compact JWS) that lets `caller` put exactly this question, once, within `LIFE` seconds."""
    at = gates.ms(now)
    claims = {
        "iss": vault.base,
        "aud": RECOMMENDER,
        "sub": caller.pod.name,
        "client": caller.client,
        "purpose": caller.purpose,
        "question": digest(question),
        "state": state(vault, caller.pod, now),
        "jti": b64(fresh_bytes(16)),
        "at": at,
        "exp": at // 1000 + LIFE,
    }
    return make({"typ": TYP}, claims, vault.issuer)


def state(vault: Vault, pod: PodFacts, now: datetime) -> str:
    """What an answer of the recommender rests on, as one text that says nothing else: its live grants at their epochs,
    the versions of what they open, and of her wishes. "" without a live grant; any change makes another text.
    """
    live = [one for one in grants.listing(vault, pod) if _counts(one, now)]
    if not live:
        return ""
    opened = sorted({datum.category for one in live for datum in one.terms.data} - {DERIVED})
    stored = [vault.db.read.run(STORED, id=pod.compartment(category(one).container.rstrip("/"))) for one in opened]
    wishes = store.version_of(vault, pod, WISHES)
    told = [*sorted(f"{b64(one.id)}.{one.epoch}" for one in live), *map(str, zip(opened, stored, strict=True))]
    return b64(mark(pod.id, "\n".join([*told, str(wishes)]).encode()))


def _counts(grant: GrantFacts, now: datetime) -> bool:
    return grant.terms.client == RECOMMENDER and grants.state_at(grant, now) == "live"
