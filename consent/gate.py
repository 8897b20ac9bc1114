"""The gate: who is asking, with which token, for what — and a permit or a denial.

In the order of the request: credentials -> token -> proof -> terms or access control -> permit. What only the writer
can know (is the grant live, was this proof seen) travels in the permit as guard and jti and is decided in the unit that
writes the entry. Every denial is in the log before it is answered: by itself if a token is behind it, else summed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from consent import access, assurance, columns, foreign, locks, signed
from consent.accounts import sessions
from consent.accounts.sessions import SessionFacts
from consent.call import Admission, Call, Denial
from consent.categories import category, category_at
from consent.covering import covers, said_of
from consent.decide import Allowed, Ask, decide_all, hint
from consent.errors import OAuthError
from consent.foreign import Foreign, Visitor
from consent.lines import elsewhere, of_call, why_of
from consent.locks import grant_context
from consent.oauth.dpop import SOLID_ALGS, Proof, check_proof, shown_token
from consent.oauth.tokens import SolidToken, verify_token
from consent.tables import Grant
from consent.terms import Datum, Terms
from keys.context import ctx
from keys.errors import KeysError
from keys.grants import Token, matches, read_token
from keys.secret import fresh_bytes
from keys.text import b64, unb64
from vault import acls, gates
from vault.acls import Effective
from vault.keysets import CustodyKeys, GrantKeys, GrantWrap, SessionKeys
from vault.log import tally
from vault.log.entry import Facts, Guard, Intent
from vault.mint import mint as _mint
from vault.permit import Permit
from vault.pod import top
from vault.vault import PodFacts, Vault

# One read gives the token, its grant's terms, and every generation of the compartment's key for that grant.
TOKEN = """
SELECT t.auth, t.kind, t.epoch, t.expires, t.wrap, t.sealed,
       g.id, g.pod, g.version, g.created, g.sealed, g.commitment, g.signature, k.generation, k.form, k.wrap, k.keyed
FROM token t JOIN grant g ON g.id = t.grant
LEFT JOIN grantkey k ON k.grant = t.grant AND k.compartment = :compartment
WHERE t.handle = :handle
"""
GRANT = ("id", "pod", "version", "created", "sealed", "commitment", "signature")


@dataclass(frozen=True, slots=True)
class _Held:
    """A token of ours, found and matching: what it is bound to, and what it opens."""

    token: Token
    grant: bytes
    pod: PodFacts
    epoch: int
    expires: int
    wrap: bytes | None
    bound: dict[str, Any]
    terms: Terms
    created: int
    version: int
    ring: tuple[tuple[int, str, bytes, bytes], ...]


async def admit(vault: Vault, call: Call, now: datetime) -> Admission | Denial:
    """Decide one request. Raises LogUnavailable if a denial cannot be written."""
    pod = _citizens(vault, call.pod)
    try:
        shown = shown_token(list(call.authorization))
    except OAuthError as e:
        return await _anonymous(vault, pod, e.code, now)
    if not call.pod and shown is not None:
        pod = _home(vault, shown)
    if shown is None:
        return await _public(vault, pod, call, now)
    if call.foreign is not None:
        return await _by_visit(vault, pod, call, shown, call.foreign, now)
    if shown.startswith(b"ey"):
        return await _by_jwt(vault, pod, call, shown, now)
    return await _by_grant(vault, pod, call, shown, now)


def _citizens(vault: Vault, name: str) -> PodFacts | None:
    """The citizen's pod of this name. Others read the logs of the office and of desks: no call is about those pods."""
    pod = vault.pod(name) if name else None
    return pod if pod is not None and pod.kind == "citizen" else None


def own(
    session: SessionFacts, container: str, action: str, path: str | None = None, note: str = ""
) -> tuple[Permit, SessionKeys]:
    """The citizen herself, in her unlocked session: one of her compartments, or one resource of it."""
    place = path or f"/{container}/"
    facts = Facts("access", action, rule="session", category=category_at(place).curie, resources=(place,), note=note)
    targets = frozenset({path}) if path else None
    pod = session.pod
    permit = Permit(
        pod.id,
        facts,
        (pod.compartment(container),),
        targets,
        session.guard,
        writes=action in ("write", "append", "delete"),
        controls=True,
    )
    return _mint(permit), session.keys


def deposit(
    pod: PodFacts, curie: str, source: str, guard: Guard | None = None, signature: str = "", rule: str = "source"
) -> Permit:
    """A file of a source comes into one compartment: append only, and no key to read back.

    `signature` is the assertion by which it signed for the file, kept in the citizen's record; `rule` says who brought
    the file: the source itself, `session` the citizen, `operator` somebody at the operator's socket.
    """
    container = category(curie).container.rstrip("/")
    facts = Facts(
        "deposit",
        "append",
        rule=rule,
        category=curie,
        client=source,
        client_name=source,
        app=source,
        signature=signature,
    )
    return _mint(Permit(pod.id, facts, (pod.compartment(container),), None, guard, writes=True))


async def _public(vault: Vault, pod: PodFacts | None, call: Call, now: datetime) -> Admission | Denial:
    if pod is None:
        return await _anonymous(vault, pod, "unauthenticated", now)
    here, who = acls.effective(vault, pod, call.path), access.asker(call)
    if not access.enough(vault, pod, call, who, here) or (here.custody or call.category.custody) != "managed":
        return await _anonymous(vault, pod, "unauthenticated", now)
    user, public = access.shown(vault, pod, call, who, here)
    facts = of_call(call, "access", rule="public")
    permit = _permit(pod, facts, call, seen=here, may=user)
    return Admission(permit, CustodyKeys(pod.id), user=user, public=public)


async def _anonymous(vault: Vault, pod: PodFacts | None, code: str, now: datetime) -> Denial:
    """Count a denial that names nobody: in the pod, in the office's log only where there is none."""
    await tally.add(vault.log, pod.id if pod else vault.office, code, now)
    return Denial(code)


async def _by_grant(vault: Vault, pod: PodFacts | None, call: Call, shown: bytes, now: datetime) -> Admission | Denial:
    held = _find(vault, pod, call, shown)
    if held is None:
        return await _anonymous(vault, pod, "invalid_token", now)
    try:
        proof = check_proof(list(call.dpop), call.method, call.url, now, shown, held.bound["jkt"])
    except OAuthError as e:
        return await _refuse(vault, pod, held, call, e.code, now)
    if held.wrap is None or gates.ms(now) >= held.expires:
        gate = gates.read(vault.db.read, held.grant)
        live = gate is not None and gate.state == "live"
        why = "expired" if live else gates.why(gate, held.epoch, gates.ms(now))
        return await _refuse(vault, pod, held, call, "invalid_token", now, rule=why)
    if "session" in held.bound and gates.ms(now) >= sessions.until(vault, unb64(held.bound["session"])):
        return await _refuse(vault, pod, held, call, "invalid_token", now, rule="expired")
    if pod is None or held.pod.id != pod.id:
        return await _refuse(vault, pod, held, call, "insufficient_authorization_details", now, rule="other pod")
    path = None if call.batch or call.answer else call.path
    ask = Ask(call.action, call.category.curie, path, call.answer, call.purpose)
    said = decide_all(held.terms, ask, call.actions, now)
    if not isinstance(said, Allowed):
        code = "invalid_token" if said.code == "expired" else "insufficient_authorization_details"
        return await _refuse(vault, pod, held, call, code, now, rule=said.code, why=said.hint)
    if assurance.lacking(held.terms, said.datum, held.created):
        return await _refuse(vault, pod, held, call, "insufficient_user_authentication", now, rule="step_up")
    facts = _told(held, call, "access", rule="grant")
    permit = _permit(pod, facts, call, Guard(held.grant, held.epoch, use=True), said.datum, proof)
    modes = frozenset({"read"}) if call.action in ("read", "list") else frozenset({call.action})
    ends = unb64(held.bound.get("session", ""))
    return Admission(permit, _keys(held, pod, call), said.datum, held.created, modes, session=ends)


def _home(vault: Vault, shown: bytes) -> PodFacts | None:
    """The pod that an opaque token's grant belongs to, for calls that name none."""
    try:
        rows = vault.db.read.run(
            "SELECT pod FROM token WHERE handle = :handle", handle=read_token(shown.decode()).handle
        )
    except (KeysError, UnicodeDecodeError):
        return None
    return vault.pod_by_id(rows[0][0]) if rows else None


def _find(vault: Vault, pod: PodFacts | None, call: Call, shown: bytes) -> _Held | None:
    try:
        token = read_token(shown.decode())
    except (KeysError, UnicodeDecodeError):
        return None
    compartment = pod.compartment(top(call.path)) if pod else b""
    rows = vault.db.read.run(TOKEN, handle=token.handle, compartment=compartment)
    if not rows or token.kind != "kat":
        return None
    auth, kind, epoch, expires, wrap, sealed = rows[0][:6]
    grant = Grant(**dict(zip(GRANT, rows[0][6:13], strict=True)))
    if kind != token.kind or not matches(token.secret, auth):
        return None
    home = vault.pod_by_id(grant.pod)
    if home is None:
        return None
    bound = columns.take(home.control, "token", token.handle, sealed)
    ring = tuple(row[13:] for row in rows if row[15] is not None)
    told = signed.read(vault, home, grant)
    return _Held(token, grant.id, home, epoch, expires, wrap, bound, told, grant.created, grant.version, ring)


def _keys(held: _Held, pod: PodFacts, call: Call) -> GrantKeys:
    token, terms = held.token, held.terms
    context = ctx("gk", pod.id, held.grant, token.kind, token.handle, held.bound["client"], held.bound["jkt"])
    cid = pod.compartment(top(call.path))
    wraps = {
        (cid, generation): GrantWrap(grant_context(pod, held.grant, terms, cid, generation), wrap, form == "letter")
        for generation, form, wrap, _ in held.ring
    }
    keyed = max((row[3] for row in held.ring), default=b"")
    return GrantKeys(held.grant, token.secret, context, held.wrap or b"", wraps, partial(locks.keep, held.grant), keyed)


async def _by_jwt(vault: Vault, pod: PodFacts | None, call: Call, shown: bytes, now: datetime) -> Admission | Denial:
    try:
        token = verify_token(shown, [vault.issuer_public], vault.base, now)
    except OAuthError as e:
        return await _anonymous(vault, pod, e.code, now)
    try:
        said = list(call.dpop), call.method, call.url, now, shown, token.jkt, SOLID_ALGS
        proof = check_proof(*said, ath_may_lack=True)
    except OAuthError as e:
        return await _turn_away(vault, pod, token, call, e.code, now)
    if pod is None:
        return await _turn_away(vault, pod, token, call, *_needed(call, call.category.custody, now))
    here = acls.effective(vault, pod, call.path)
    custody = here.custody or call.category.custody
    covered = covers(vault, pod, token, call, now, managed=custody == "managed")
    purpose = covered[1].purpose_code if covered else None
    asking = access.asker(call, token.webid, token.client_id, token.iss, purpose)
    if covered is None or not access.enough(vault, pod, call, asking, here):
        # By the registry alone: who may not come in is not told what the citizen sealed or opened by herself.
        return await _turn_away(vault, pod, token, call, *_needed(call, call.category.custody, now))
    if custody != "managed":
        return await _turn_away(vault, pod, token, call, *_needed(call, custody, now))
    home, terms = covered
    guard = Guard(unb64(token.grant_id), token.epoch, use=True, pod=home)
    who = {"agent": token.webid, "client": token.client_id, "grant": token.grant_id}
    facts = of_call(call, "access", "wac", **who, **why_of(terms))
    limit = access.limit_of(terms, at_home=home == pod.id)
    user, public = access.shown(vault, pod, call, asking, here, limit)
    permit = _permit(pod, facts, call, guard, proof=proof, seen=here, may=user)
    return Admission(permit, CustodyKeys(pod.id), user=user, public=public)


async def _by_visit(
    vault: Vault, pod: PodFacts | None, call: Call, shown: bytes, found: Foreign, now: datetime
) -> Admission | Denial:
    """An agent of another house: no grant stands behind it, so the citizen's lists alone decide, at each request."""
    try:
        who = foreign.visitor(call, shown, found, vault.base, now)
    except OAuthError as e:
        return await _anonymous(vault, pod, e.code, now)
    if pod is None:
        return await _send_off(vault, pod, who, call, call.category.custody, now)
    here = acls.effective(vault, pod, call.path)
    custody = here.custody or call.category.custody
    asking = access.asker(call, who.webid, who.client or None, who.issuer)
    allowed = access.enough(vault, pod, call, asking, here)
    if not allowed or custody != "managed":
        return await _send_off(vault, pod, who, call, custody if allowed else call.category.custody, now)
    facts = of_call(call, "access", "foreign", **who.told)
    user, public = access.shown(vault, pod, call, asking, here)
    permit = _permit(pod, facts, call, proof=who.proof, seen=here, may=user)
    return Admission(permit, CustodyKeys(pod.id), user=user, public=public)


async def _send_off(
    vault: Vault, pod: PodFacts | None, who: Visitor, call: Call, custody: str, now: datetime
) -> Denial:  # fmt: skip
    """A denial that names the visitor: some a minute in each pod, for anybody can be an issuer; the rest are summed."""
    code, _, why = _needed(call, custody, now)
    if pod is None or not foreign.named(pod.id, now):
        return replace(await _anonymous(vault, pod, code, now), hint=why)
    await vault.log.append(Intent(pod.id, of_call(call, "denial", code, **who.told), now))
    return Denial(code, why)


def _needed(call: Call, custody: str, now: datetime) -> tuple[str, datetime, Mapping[str, object]]:
    """The answer to somebody who may not: for what is sealed, the grant that would open it."""
    if custody == "managed":
        return "forbidden", now, {}
    why = hint(call.category.curie, "read" if call.action == "list" else call.action)
    return "insufficient_authorization_details", now, why


def _permit(
    pod: PodFacts,
    facts: Facts,
    call: Call,
    guard: Guard | None = None,
    datum: Datum | None = None,
    proof: Proof | None = None,
    seen: Effective | None = None,
    may: frozenset[str] = frozenset(),
) -> Permit:
    targets: frozenset[str] | None = None if call.batch else frozenset({call.place})
    if call.answer and datum is not None:
        targets = frozenset({datum.answer_path})
        facts = replace(facts, resources=(datum.answer_path,))
    if call.batch and datum is not None and datum.resources is not None:
        targets = frozenset(datum.resources)
    writes = call.action in ("write", "append", "delete")
    permit = Permit(pod.id, facts, (pod.compartment(top(call.path)),), targets, guard, writes=writes)
    permit = replace(permit, controls="control" in may)
    permit = replace(permit, receipt=fresh_bytes(32) if call.receipt and facts.app else b"")
    if seen is not None:
        permit = replace(permit, covers=seen.covers, stamp=seen.stamp)
    return _mint(replace(permit, jti=proof.jti_hash, jti_until=proof.until) if proof else permit)


def _told(held: _Held, call: Call, kind: str, rule: str) -> Facts:
    terms = held.terms
    return of_call(
        call,
        kind,
        rule,
        client=terms.client,
        client_name=terms.client_name,
        app=terms.client if terms.kind == "rar" else "",
        purpose=terms.purpose_code,
        legal_basis=terms.legal_basis,
        grant=b64(held.grant),
        grant_version=held.version,
    )


async def _refuse(
    vault: Vault,
    pod: PodFacts | None,
    held: _Held,
    call: Call,
    code: str,
    now: datetime,
    rule: str = "",
    why: Mapping[str, object] | None = None,
) -> Denial:
    """A denial for a token of ours stands in the pod of its grant, whatever pod the call was about."""
    facts = _told(held, call, "denial", rule or code)
    here = pod is not None and pod.id == held.pod.id
    await vault.log.append(Intent(held.pod.id, facts if here else elsewhere(facts, call), now))
    return Denial(code, why or {})


async def _turn_away(
    vault: Vault,
    pod: PodFacts | None,
    token: SolidToken,
    call: Call,
    code: str,
    now: datetime,
    why: Mapping[str, object] | None = None,
) -> Denial:
    """A denial for an agent stands in the pod it asked for, else in that of her grant; that one alone tells why."""
    facts = of_call(call, "denial", code, agent=token.webid, client=token.client_id, grant=token.grant_id)
    said = said_of(vault, token, now)
    if said is not None and (pod is None or said[0] == pod.id):
        facts = replace(facts, **why_of(said[1]))
    if pod is not None:
        await vault.log.append(Intent(pod.id, facts, now))
    elif said is not None:
        await vault.log.append(Intent(said[0], elsewhere(facts, call), now))
    else:
        return await _anonymous(vault, None, code, now)
    return Denial(code, why or {})
