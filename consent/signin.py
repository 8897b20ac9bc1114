"""A plain Solid app asks to work in somebody's pod on her behalf: the request kept, her choice, and the grant of it.

The grant is of kind `solid`: managed containers, modes, an end, and whether the app may act for her elsewhere; perhaps
none of these, and then the app knows who she is and no more. It is signed by the managed signing key, as no sealed
compartment is touched. What her code, and later the refresh token, hold is a key that opens nothing: it lives and dies
with the grant as those of other grants do.
"""

from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from consent import asks, columns, dynamic, endings, events, period, receipts, signed
from consent.accounts.sessions import HARD_MS, SessionFacts
from consent.asks import Asked
from consent.errors import BadChoice, OAuthError
from consent.grants import CODE_MS, GrantFacts, listing, put_grant, put_receipt, state_at, token_row
from consent.lines import told
from consent.locks import LIVE
from consent.oauth.front import Front
from consent.oauth.par import Pushed
from consent.request import LONGEST, choose as until, solid
from consent.tables import Pushed as PushedRow
from consent.terms import SOLID_MODES, Terms
from keys.grants import Token, new_token
from keys.secret import GrantKey
from keys.text import b64, canonical
from vault import gates
from vault.database import Tx
from vault.errors import Denied
from vault.log.entry import Intent, Refused
from vault.managed import managed_root, signer, unchanged
from vault.vault import Vault

EVERYTHING: Final = "/"
"""The container that stands for all managed ones, those that are made later included."""


def since(session: SessionFacts) -> int:
    """When somebody logged in, in s since 1970 (`auth_time`)."""
    return (session.ends - HARD_MS) // 1000


async def ask(vault: Vault, session: SessionFacts, front: Front, now: datetime) -> Asked:
    """Keep a request for as long as she looks at it. The same request in the same session is the same one again.

    Raises OAuthError invalid_request_uri if it was answered or is over.
    """
    at, said = gates.ms(now), _said(front, now)
    plain = {**said.to_json(), "terms": said.terms.client_hash}
    handle = sha256(b"front|" + session.handle + canonical(plain)).digest()[:16]
    sealed = columns.put(vault.state, "pushed", handle, {"said": said.to_json(), "at": at})

    def write(tx: Tx) -> None:
        if tx.get(PushedRow, handle) is None:
            tx.add(PushedRow(handle=handle, expires=at + asks.OPEN_MS, session=session.handle, sealed=sealed))

    await vault.db.write(write)
    return asks.find(vault, b64(handle), said.client_id, now)


def _said(front: Front, now: datetime) -> Pushed:
    """The request with the most that she could give; what she ticks makes it less."""
    most = gates.ms(period.read(LONGEST).after(now))
    terms = solid(front.client, "", (EVERYTHING,), SOLID_MODES, most, elsewhere=True)
    return Pushed(
        client_id=front.client.client_id,
        redirect_uri=front.redirect_uri,
        code_challenge=front.code_challenge,
        jkt=front.jkt,
        terms=terms,
        scope=front.scope,
        state=front.state,
        nonce=front.nonce,
    )


def choose(
    terms: Terms, offered: set[str], ticked: set[str], modes: set[str], length: str | None, now: datetime, *, far: bool
) -> Terms:
    """What she allows: the containers and modes she ticked, elsewhere if `far`, for the length she chose.

    Raises BadChoice for what was not on the page, and for containers without modes or modes without containers.
    """
    if not ticked <= offered | {EVERYTHING} or not modes <= set(SOLID_MODES):
        raise BadChoice("a container or mode that is not offered")
    if bool(ticked) != bool(modes):
        raise BadChoice("half")
    kept = (EVERYTHING,) if EVERYTHING in ticked else tuple(sorted(ticked))
    narrowed = replace(terms, containers=kept, modes=tuple(m for m in SOLID_MODES if m in modes), elsewhere=far)
    return until(narrowed, set(), length, now)


def standing(vault: Vault, session: SessionFacts, front: Front, now: datetime) -> GrantFacts | None:
    """Her live grant for this very app, unchanged since she gave it: the newest one.

    For an app that wants to go on while she is away only one of which the page said that it does.
    """
    mine = [one for one in _held(vault, session, front.client.client_id, now) if state_at(one, now) == "live"]
    wanted, alone = b64(front.client.digest()), _alone(front.scope)
    found = (one for one in mine if one.terms.client_hash == wanted)
    return next((one for one in found if not alone or _alone(_scope(vault, one))), None)


def has(vault: Vault, session: SessionFacts, client: str, now: datetime) -> bool:
    """Whether an app of this id has access already, as it was then or as it is now."""
    return bool(_held(vault, session, client, now))


def _held(vault: Vault, session: SessionFacts, client: str, now: datetime) -> list[GrantFacts]:
    """What she gave the app and did not end; also what she froze, which a new choice takes the place of too."""
    found = (one for one in listing(vault, session.pod) if one.terms.kind == "solid" and one.terms.client == client)
    return [one for one in found if state_at(one, now) in LIVE]


async def give(vault: Vault, session: SessionFacts, asked: Asked, terms: Terms, now: datetime) -> str:
    """Turn her choice into a grant and return the code's text; what this app had before ends.

    Raises OAuthError access_denied if her session ended or the request was decided meanwhile.
    """
    pod, at, before = session.pod, gates.ms(now), _held(vault, session, terms.client, now)
    signing = told(terms, asked.handle, "managed unlock", "sign", "session")
    try:
        async with managed_root(vault, pod, signing, (session.guard,), now) as managed:
            with signer(vault, pod, managed) as msign:
                row = signed.row(pod, asked.handle, 1, at, terms, msign)
    except Denied as ended:
        raise _late() from ended
    code, claim = new_token("kac"), asks.claim(session, asked)
    receipt = receipts.issue(vault.issuer, terms, b64(asked.handle), "given", now, _notice(vault, session, asked))
    kept = _code(session, asked.handle, code, asked.said, 1, at)

    def write(tx: Tx) -> None:
        unchanged(tx, pod)
        claim(tx)
        put_grant(tx, row, terms)
        dynamic.hold(tx, terms.client, at)
        tx.add(kept)
        events.note(tx, pod, asked.handle, at, "given", {"receipt": receipt.digest, "scope": asked.said.scope})
        put_receipt(tx, pod, asked.handle, receipt.jws, at)

    facts = told(terms, asked.handle, "consent", "give", "session", digest=receipt.digest)
    done = await vault.log.append(Intent(pod.id, facts, now, guards=(session.guard,), write=write))
    if isinstance(done, Refused):
        raise _late()
    for old in before:
        await endings.withdraw(vault, session, old.id, now)
    return code.text


def _alone(scope: str) -> bool:
    """Whether an app of this scope goes on while she is away: it gets a refresh token."""
    return "offline_access" in scope.split()


def _scope(vault: Vault, grant: GrantFacts) -> str:
    """What was asked when she gave it."""
    given = (step for step in events.history(vault, grant.pod, grant.id) if step.state == "given")
    return next((str(step.detail.get("scope", "")) for step in given), "")


async def again(vault: Vault, session: SessionFacts, grant: GrantFacts, front: Front, now: datetime) -> str:
    """One more code under a grant that stands, without asking her again. OAuthError login_required if it ended."""
    code, at = new_token("kac"), gates.ms(now)
    row = _code(session, grant.id, code, _said(front, now), grant.epoch, at)
    facts = told(grant.terms, grant.id, "key event", "sign in", "session")

    def write(tx: Tx) -> None:
        tx.add(row)

    done = await vault.log.append(Intent(session.pod.id, facts, now, guards=(session.guard, grant.guard), write=write))
    if isinstance(done, Refused):
        raise OAuthError("login_required", "The session or the grant has ended.")
    return code.text


def _code(session: SessionFacts, grant: bytes, code: Token, said: Pushed, epoch: int, at: int) -> Any:
    """The code's row, bound to the app and to what it must show when it redeems it."""
    bound = {
        "client": said.client_id,
        "jkt": said.jkt,
        "scope": said.scope,
        "redirect_uri": said.redirect_uri,
        "challenge": said.code_challenge,
        "nonce": said.nonce,
        "webid": session.webid,
        "auth_time": since(session),
    }
    with GrantKey.fresh() as gk:
        return token_row(session.pod, grant, code, gk, bound, epoch, at + CODE_MS)


def _notice(vault: Vault, session: SessionFacts, asked: Asked) -> receipts.Notice | None:
    """What was last on the screen before this decision."""
    steps = events.history(vault, session.pod, asked.handle)
    shown = [step.detail for step in steps if step.state == "shown"]
    return receipts.Notice(shown[-1]["hash"], shown[-1]["language"], shown[-1]["version"]) if shown else None


def _late() -> OAuthError:
    return OAuthError("access_denied", "The session has ended, or the request was decided already.")
