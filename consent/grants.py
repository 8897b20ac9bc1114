"""Giving a grant, and what stands in the books about it (consent.md, Life of a grant).

Two entries, in this order. First *give*, which claims the request, so that of two answers one wins: once it is durable
the session's share is released, and RK exists for the length of one function; the covered compartment keys are wrapped
under the grant's own key and fresh shares. Then one transaction: shares, gate, grant, wraps, code, event, receipt,
entry. A crash between the two leaves a consent that gave nothing, never keys without a line in the log.

A new version of a grant goes the same way: it gets a new key and new shares, and what the old one had dies in the same
transaction.
"""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from consent import answers, asks, changes, columns, compartments, events, outbox, receipts, signed
from consent.accounts.sessions import SessionFacts
from consent.asks import Asked
from consent.categories import category
from consent.errors import BadTerms, OAuthError
from consent.lines import told
from consent.locks import LIVE, fresh_start, from_now, grant_context
from consent.tables import Grant, GrantKeyRow, Receipt, Token as TokenRow
from consent.terms import Terms
from keys.context import ctx
from keys.errors import KeysError
from keys.grants import Token, auth_hash, grant_pair, new_token, wrap_ck, wrap_gk
from keys.keyring import Keyring
from keys.secret import GrantKey, Private, Root, Share, fresh_bytes
from keys.text import b64
from vault import gates
from vault.database import Tx
from vault.errors import Conflict, Denied
from vault.keyring import Change
from vault.keysets import part
from vault.log.entry import Guard, Intent, Refused
from vault.pod import compartment_keys
from vault.shares import Drop, Want, narrowed
from vault.unlocked import commit, identity, reach
from vault.vault import PodFacts, Vault

CODE_MS: Final = 60_000
DECIDED: Final = ("version", "sealed", "commitment", "signature")
"""The columns of a grant that a new version changes."""
THERE: Final = "SELECT 1 FROM compartment WHERE id = :id AND generation = :generation"
READS: Final = frozenset({"read", "recommend", "derive"})
"""Actions that open something; a grant that only writes gets no key, for writing goes through the drop box."""


@dataclass(frozen=True, slots=True)
class GrantFacts:
    """A stored grant: its id, the decision, and whether it is live. Times in ms.

    `left`: uses that are left, None without a limit; `uses`: how many there were; `last`: day of the last, since 1970.
    """

    id: bytes
    pod: PodFacts
    terms: Terms
    version: int
    created: int
    state: str
    epoch: int
    left: int | None
    uses: int
    last: int | None

    @property
    def guard(self) -> Guard:
        """The gate at the epoch at which it was read."""
        return Guard(self.id, self.epoch)


@dataclass(frozen=True, slots=True)
class DamagedGrant:
    """A grant whose stored decision does not open or makes no sense: it gives nothing. Only its id and age are known.

    `created` in ms.
    """

    id: bytes
    created: int
    state: str = "damaged"


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored receipt: its id, the grant it is about, when it was made (ms), the compact JWS."""

    id: bytes
    grant: bytes
    at: int
    jws: str


@dataclass(frozen=True)
class _Seat:
    """Which grant a decision makes or changes. `held`: the wraps of its version before, none for a new one; `keyed`:
    what its new key is called (vault.keysets.part).
    """

    id: bytes
    version: int
    created: int
    terms: Terms
    before: GrantFacts | None
    held: tuple[GrantKeyRow, ...]
    keyed: bytes

    @property
    def step(self) -> str:
        """What the decision is in the grant's history."""
        return "given" if self.before is None else changes.step(self.before.terms, self.terms)

    @property
    def drops(self) -> tuple[Drop, ...]:
        """The shares of the version before; and that an old copy of the database does not bring it back."""
        if self.before is None:
            return ()
        parts = {part(row.compartment, row.keyed) for row in self.held}
        return (*(Drop("grant", self.id, one) for one in sorted(parts)), narrowed(self.id, self.version))

    def begins(self, place: bytes, curie: str) -> int | None:
        """The first generation that is covered, None for the newest alone: what was "from now on" stays so."""
        if not from_now(self.terms, curie):
            return 0
        old = () if self.before is None else self.before.terms.data
        stays = all(datum in old for datum in self.terms.data if datum.compartment == curie)
        return min((row.generation for row in self.held if row.compartment == place), default=None) if stays else None


@dataclass(frozen=True)
class _Ring:
    """The wraps of a grant, the shares they need, and where new generations are delivered.

    The grant's key itself lives in the caller's hands.
    """

    rows: tuple[GrantKeyRow, ...]
    shares: tuple[tuple[Want, Share], ...]
    publics: dict[tuple[bytes, bytes], bytes]


def load(vault: Vault, grant: bytes) -> GrantFacts | None:
    """The grant with this id, live or not."""
    row = vault.db.read.get(Grant, grant)
    return _facts(vault, row) if row else None


def readable(vault: Vault, grant: bytes) -> GrantFacts | None:
    """The grant with this id if it is there and can be read."""
    row = vault.db.read.get(Grant, grant)
    found = _readable(vault, row) if row else None
    return found if isinstance(found, GrantFacts) else None


def listing(vault: Vault, pod: PodFacts) -> list[GrantFacts]:
    """All grants of a pod that can be read, newest first."""
    return [one for one in every(vault, pod) if isinstance(one, GrantFacts)]


def every(vault: Vault, pod: PodFacts) -> list[GrantFacts | DamagedGrant]:
    """All grants of a pod, newest first; a damaged one does not hide the others."""
    rows = vault.db.read.find(Grant, order_by="created DESC", pod=pod.id)
    return [found for row in rows if (found := _readable(vault, row))]


def _readable(vault: Vault, row: Grant) -> GrantFacts | DamagedGrant | None:
    try:
        return _facts(vault, row)
    except (BadTerms, KeysError, ValueError):
        return DamagedGrant(row.id, row.created)


def state_at(grant: GrantFacts, now: datetime) -> str:
    """The state a person reads: a grant past its end or last use is over before `endings.sweep` writes it down."""
    if grant.state not in LIVE:
        return grant.state
    if gates.ms(now) >= grant.terms.expires:
        return "expired"
    return "used_up" if grant.left == 0 else grant.state


def keys_left(vault: Vault, grant: bytes) -> int:
    """How many wrapped keys and shares of a grant really exist now; 0 means that no copy of a token opens anything."""
    found = vault.db.read.run("SELECT count(*) FROM token WHERE grant = :g AND wrap IS NOT NULL", g=grant)
    wraps = len(vault.db.read.find(GrantKeyRow, grant=grant))
    return int(found[0][0]) + wraps + vault.shares.count("grant", grant)


async def give(
    vault: Vault, session: SessionFacts, asked: Asked, terms: Terms, now: datetime, before: GrantFacts | None = None
) -> str:
    """Turn a request into a grant of `terms` (already narrowed) and return the code's text; 60 s, once.

    A grant for a session ends with the citizen's own. With `before` the terms become the next version of that grant.

    Raises OAuthError access_denied if the session ended, the request was decided or the grant changed meanwhile.
    """
    if terms.mode == "session":
        terms = replace(terms, expires=min(terms.expires, session.ends))
    await compartments.ensure(vault, session, terms, now)
    await answers.prepare(vault, session, terms, now)
    if READS & set(terms.actions):
        fresh = changes.added(before.terms if before else None, terms)
        await fresh_start(vault, session, fresh, now)
    seat = _seat(vault, asked, terms, before, now)
    facts = told(terms, seat.id, "consent", "amend" if before else "give", "session", note=_rows(terms))
    want = Want("session", session.handle)
    claim = asks.claim(session, asked)
    facts = replace(facts, grant_version=seat.version)
    done = await vault.log.append(
        Intent(session.pod.id, facts, now, guards=(session.guard,), wants=(want,), write=claim)
    )
    if isinstance(done, Refused) or want in done.missing:
        raise OAuthError("access_denied", "The session has ended, or the request was decided already.")
    with GrantKey.fresh() as gk, ExitStack() as held:
        with done.shares[want] as share, reach(session.keys, share) as rk:
            ring = _wrap_all(vault, session.pod, seat, rk, gk)
            signer = held.enter_context(identity(vault, session.pod, rk))
        for _, fresh_share in ring.shares:
            held.enter_context(fresh_share)
        return await _store(vault, session, asked, seat, ring, (gk, signer), now)


def _seat(vault: Vault, asked: Asked, terms: Terms, before: GrantFacts | None, now: datetime) -> _Seat:
    if before is None:
        return _Seat(asked.handle, 1, gates.ms(now), terms, None, (), b"")
    held = tuple(vault.db.read.find(GrantKeyRow, order_by="generation", grant=before.id))
    return _Seat(before.id, before.version + 1, before.created, terms, before, held, asked.handle)


async def _store(
    vault: Vault,
    session: SessionFacts,
    asked: Asked,
    seat: _Seat,
    ring: _Ring,
    keys: tuple[GrantKey, Private],
    now: datetime,
) -> str:
    pod, at, code, (gk, signer), terms = session.pod, gates.ms(now), new_token("kac"), keys, seat.terms
    bound = {"client": terms.client, "jkt": asked.said.jkt, "scope": asked.said.scope, **_promise(session, asked)}
    seen = _notice(vault, pod, asked.handle)
    receipt = receipts.issue(vault.issuer, terms, b64(seat.id), seat.step, now, seen)
    grant = signed.row(pod, seat.id, seat.version, seat.created, terms, signer)

    def write(tx: Tx, change: Change) -> None:
        change(tx)
        epoch = put_grant(tx, grant, terms) if seat.before is None else _put_next(tx, grant, seat.before, terms)
        for row in ring.rows:
            if not tx.run(THERE, id=row.compartment, generation=row.generation):
                raise Conflict("changed")
            tx.add(row)
        tx.add(token_row(pod, seat.id, code, gk, bound, epoch, at + CODE_MS))
        _note(tx, pod, asked, seat, at, receipt.digest)
        put_receipt(tx, pod, seat.id, receipt.jws, at)
        if seat.before is not None:
            outbox.put(tx, pod, seat.id, "amended", {"version": seat.version}, now)

    facts = told(terms, seat.id, "key event", "wrap keys", "session", count=len(ring.rows), digest=receipt.digest)

    def intent(change: Change) -> Intent:
        said = replace(facts, keyring=change.digest, grant_version=seat.version)
        unit = partial(write, change=change)
        guards = (session.guard,)
        return Intent(pod.id, said, now, guards, write=unit, new_shares=ring.shares, drops=seat.drops, receipt=True)

    try:
        await commit(vault, pod, signer, partial(_known, seat.id, ring), intent)
    except Denied as refused:
        raise OAuthError("access_denied", "The session or the grant has ended.") from refused
    return code.text


def _note(tx: Tx, pod: PodFacts, asked: Asked, seat: _Seat, at: int, digest: str) -> None:
    """The decision in the grant's history; a request that changed a grant has a history of its own, closed here."""
    if seat.before is None:
        events.note(tx, pod, seat.id, at, "given", {"receipt": digest})
        return
    said = {"receipt": digest, "version": seat.version, "by": asked.said.action, "request": b64(asked.handle)}
    events.note(tx, pod, seat.id, at, seat.step, said)
    events.note(tx, pod, asked.handle, at, seat.step, {"grant": b64(seat.id)})


def _known(grant: bytes, ring: _Ring, known: Keyring) -> Keyring:
    """The keyring with where new generations are delivered to this grant, and nowhere else for it."""
    others = {place: public for place, public in known.grants.items() if place[0] != grant}
    return replace(known, grants={**others, **ring.publics})


def _promise(session: SessionFacts, asked: Asked) -> dict[str, str]:
    """What must be shown again when the code is exchanged; and the session without which a grant for it is nothing."""
    own = {"session": b64(session.handle)} if asked.terms.mode == "session" else {}
    return {"redirect_uri": asked.said.redirect_uri, "challenge": asked.said.code_challenge, **own}


def _notice(vault: Vault, pod: PodFacts, grant: bytes) -> receipts.Notice | None:
    """What was last on the screen before this decision."""
    shown = [step.detail for step in events.history(vault, pod, grant) if step.state == "shown"]
    return receipts.Notice(shown[-1]["hash"], shown[-1]["language"], shown[-1]["version"]) if shown else None


def put_grant(tx: Tx, grant: Grant, terms: Terms) -> int:
    """Open the gate and store the decision, inside a unit of the writer; returns the gate's epoch."""
    gates.create(tx, grant.id, grant.pod, terms.expires, terms.max_uses, terms.max_per_day)
    tx.add(grant)
    return 1


def _put_next(tx: Tx, grant: Grant, before: GrantFacts, terms: Terms) -> int:
    """Store the next version of a grant: no token and no wrapped key of the one before is left. The gate's epoch.

    Raises Conflict if it is not live any more, or not the version that was on the screen.
    """
    epoch = gates.again(tx, grant.id, before.epoch, terms.expires, terms.max_uses, terms.max_per_day)
    now = {name: getattr(grant, name) for name in DECIDED}
    if tx.change(Grant, {"id": grant.id, "version": before.version}, **now) != 1:
        raise Conflict("ended")
    tx.change(TokenRow, {"grant": grant.id}, wrap=None)
    tx.remove(GrantKeyRow, grant=grant.id)
    return epoch


def put_receipt(tx: Tx, pod: PodFacts, grant: bytes, jws: str, at: int) -> None:
    """Keep a receipt, inside a unit of the writer."""
    rid = fresh_bytes(16)
    tx.add(Receipt(id=rid, grant=grant, pod=pod.id, at=at, sealed=columns.put(pod.control, "receipt", rid, jws)))


def given_to(vault: Vault, client: str, grant: bytes) -> GrantFacts | None:
    """The grant with this id, live or not, if it was given to this app."""
    found = readable(vault, grant)
    return found if found is not None and found.terms.client == client else None


def kept_receipts(vault: Vault, pod: PodFacts) -> list[Kept]:
    """Every receipt of a pod, oldest first."""
    rows = vault.db.read.find(Receipt, order_by="at", pod=pod.id)
    return [Kept(r.id, r.grant, r.at, columns.take(pod.control, "receipt", r.id, r.sealed)) for r in rows]


def token_row(
    pod: PodFacts, grant: bytes, token: Token, gk: GrantKey, bound: dict[str, Any], epoch: int, expires: int
) -> TokenRow:
    """A token with the grant's key wrapped under its secret. `bound` holds at least `client` and `jkt`."""
    context = ctx("gk", pod.id, grant, token.kind, token.handle, bound["client"], bound["jkt"])
    return TokenRow(
        handle=token.handle,
        auth=auth_hash(token.secret),
        kind=token.kind,
        grant=grant,
        pod=pod.id,
        epoch=epoch,
        expires=expires,
        wrap=wrap_gk(token.secret, context, gk),
        sealed=columns.put(pod.control, "token", token.handle, bound),
    )


def _wrap_all(vault: Vault, pod: PodFacts, seat: _Seat, rk: Root, gk: GrantKey) -> _Ring:
    """Wrap the keys of every sealed compartment that the terms read; the share goes into each wrap."""
    rows, shares, publics, terms = [], [], {}, seat.terms
    sealed = [c for c in terms.compartments if category(c).custody == "sealed"] if READS & set(terms.actions) else []
    for curie in sealed:
        cid, share = pod.compartment(category(curie).container.rstrip("/")), Share.fresh()
        private, publics[seat.id, cid] = grant_pair(gk, share, pod.id, seat.id, cid)
        private.wipe()
        held, first = compartment_keys(vault, pod, rk, cid), seat.begins(cid, curie)
        for ck, generation in held:
            with ck:
                if generation < (held[-1][1] if first is None else first):
                    continue
                wrap = wrap_ck(gk, share, grant_context(pod, seat.id, terms, cid, generation), ck)
            rows.append(GrantKeyRow(grant=seat.id, compartment=cid, generation=generation, pod=pod.id,
                                    keyed=seat.keyed, wrap=wrap))  # fmt: skip
        shares.append((Want("grant", seat.id, part(cid, seat.keyed)), share))
    return _Ring(tuple(rows), tuple(shares), publics)


def _facts(vault: Vault, row: Grant) -> GrantFacts | None:
    pod, gate = vault.pod_by_id(row.pod), gates.read(vault.db.read, row.id)
    if pod is None or gate is None:
        return None
    terms = signed.read(vault, pod, row)
    uses, last = gates.uses(vault.db.read, row.id)
    return GrantFacts(row.id, pod, terms, row.version, row.created, gate.state, gate.epoch, gate.uses_left, uses, last)


def _rows(terms: Terms) -> str:
    until = datetime.fromtimestamp(terms.expires / 1000, UTC).isoformat()
    return f"{' '.join(datum.key for datum in terms.data)} until {until}"
