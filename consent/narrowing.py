"""Less of a grant: fewer rows, a sooner end, or a restriction (consent.md, Life of a grant).

Narrowing makes a new version, signed anew, and deletes the shares of the categories it no longer covers before it is
answered: no copy of a token opens them any more. What no share guards (fields, single resources, a sooner end) the
list of deleted shares remembers by version, so that an old copy of the database does not bring it back. A restriction
(GDPR 18) deletes nothing.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from functools import partial

from consent import events, outbox, receipts, signed
from consent.accounts.sessions import SessionFacts
from consent.categories import category
from consent.errors import BadChoice, OAuthError
from consent.grants import DECIDED, READS, GrantFacts, load, put_receipt
from consent.lines import told
from consent.locks import LIVE
from consent.tables import Grant, GrantKeyRow, Token
from consent.terms import Terms
from keys.keyring import Keyring
from keys.text import b64
from vault import gates
from vault.database import Tx
from vault.errors import Conflict, Denied
from vault.keyring import Change
from vault.keysets import part
from vault.log.entry import Appended, Facts, Intent
from vault.shares import Drop, narrowed
from vault.unlocked import commit, identity, root
from vault.vault import Vault


async def narrow(
    vault: Vault, session: SessionFacts, grant: bytes, keep: Collection[str], now: datetime, *, until: int | None = None
) -> bool:
    """Keep only these rows (`Datum.key`) of a grant; False if the citizen has no live one with this id.

    `until` is a sooner end (ms), None for the one it has. Raises BadChoice if the rows are none or not of this grant,
    or if the end is past or no sooner, OAuthError access_denied if the session ended.
    """
    found = load(vault, grant)
    if found is None or found.pod.id != session.pod.id or found.state not in LIVE:
        return False
    terms = _sooner(_less(found.terms, keep), until, now)
    gone = {_place(found, c) for c in found.terms.compartments} - {_place(found, c) for c in terms.compartments}
    facts = told(terms, grant, "consent", "narrow", "session", note=" ".join(sorted(keep)))
    try:
        async with root(vault, session, facts, now) as rk:
            with identity(vault, found.pod, rk) as signer:
                row = signed.row(found.pod, grant, found.version + 1, found.created, terms, signer)
                unit = partial(_intent, vault, session, found, terms, row, gone, now)
                await commit(vault, found.pod, signer, partial(_without, grant, gone), unit)
    except Denied as refused:
        raise OAuthError("access_denied", "The session or the grant has ended.") from refused
    return True


async def restrict(vault: Vault, session: SessionFacts, grant: bytes, now: datetime, *, on: bool) -> bool:
    """Freeze a grant (GDPR 18) or let it go on; nothing is deleted. False if she has no such grant in that state."""
    found = load(vault, grant)
    if found is None or found.pod.id != session.pod.id:
        return False
    state = "restricted" if on else "resumed"

    def write(tx: Tx) -> None:
        gates.restrict(tx, grant, on=on)
        events.note(tx, found.pod, grant, gates.ms(now), state, {"rule": "session"})
        outbox.put(tx, found.pod, grant, "restricted" if on else "resumed", {}, now)

    facts = told(found.terms, grant, "consent", "restrict" if on else "resume", "session")
    done = await vault.log.append(Intent(found.pod.id, facts, now, (session.guard,), write=write))
    return isinstance(done, Appended)


def _less(terms: Terms, keep: Collection[str]) -> Terms:
    if not keep or not set(keep) <= {datum.key for datum in terms.data}:
        raise BadChoice("a grant is narrowed to some of its own rows; to end it, withdraw it")
    return replace(terms, data=tuple(datum for datum in terms.data if datum.key in keep))


def _sooner(terms: Terms, until: int | None, now: datetime) -> Terms:
    if until is None:
        return terms
    if not gates.ms(now) < until < terms.expires:
        raise BadChoice("a grant is narrowed to an end that comes sooner; to end it now, withdraw it")
    return replace(terms, expires=until)


def _by_keys(before: Terms, after: Terms) -> bool:
    """Whether deleted shares are enough to keep out of an old copy what was taken out: whole sealed compartments of a
    grant that only opens things. For all else the version that no longer counts is noted beside them.
    """
    lost = set(before.compartments) - set(after.compartments)
    taken = {datum.compartment for datum in before.data if datum not in after.data}
    locked = all(category(curie).custody == "sealed" for curie in lost)
    return locked and taken <= lost and before.expires == after.expires and set(before.actions) <= READS


def _place(grant: GrantFacts, curie: str) -> bytes:
    return grant.pod.compartment(category(curie).container.rstrip("/"))


def _without(grant: bytes, gone: set[bytes], ring: Keyring) -> Keyring:
    left = {place: public for place, public in ring.grants.items() if place[0] != grant or place[1] not in gone}
    return replace(ring, grants=left)


def _intent(
    vault: Vault,
    session: SessionFacts,
    found: GrantFacts,
    terms: Terms,
    row: Grant,
    gone: set[bytes],
    now: datetime,
    change: Change,
) -> Intent:
    pod, at = found.pod, gates.ms(now)
    receipt = receipts.issue(vault.issuer, terms, b64(found.id), "amended", now)

    def write(tx: Tx) -> None:
        epoch = gates.renew(tx, found.id, terms.expires)
        change(tx)
        columns = {name: getattr(row, name) for name in DECIDED}
        if tx.change(Grant, {"id": found.id, "version": found.version}, **columns) != 1:
            raise Conflict("ended")
        tx.change(Token, {"grant": found.id}, epoch=epoch)
        for cid in gone:
            tx.remove(GrantKeyRow, grant=found.id, compartment=cid)
        said = {"version": row.version, "by": "narrow", "receipt": receipt.digest}
        events.note(tx, pod, found.id, at, "amended", said)
        put_receipt(tx, pod, found.id, receipt.jws, at)
        outbox.put(tx, pod, found.id, "narrowed", {"version": row.version}, now)

    facts: Facts = told(terms, found.id, "key event", "narrow", "session", count=len(gone), digest=receipt.digest)
    keyed = max((row.keyed for row in vault.db.read.find(GrantKeyRow, grant=found.id)), default=b"")
    drops = [Drop("grant", found.id, part(cid, keyed)) for cid in gone]
    if not _by_keys(found.terms, terms):
        drops.append(narrowed(found.id, row.version))
    facts = replace(facts, keyring=change.digest, grant_version=row.version)
    return Intent(pod.id, facts, now, (session.guard,), write=write, drops=tuple(drops), receipt=True)
