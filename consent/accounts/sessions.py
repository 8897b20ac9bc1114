"""Sessions: a cookie under whose secret the pod's root lies wrapped, with a gate of its own.

The database holds the handle, a hash of the secret, RK wrapped under secret and session share, and the pod's log key
wrapped under the secret alone (reading one's own log opens no pod content, so it needs no share). A session ends at
logout, after 15 minutes without a request, and after 8 hours whatever happens.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from consent import columns, signed
from consent.accounts.people import AccountFacts, by_id
from consent.accounts.roles import Role
from consent.accounts.seats import Beginning, How
from consent.tables import Session
from keys.context import ctx
from keys.errors import WrongSecret
from keys.grants import Token, auth_hash, matches, new_token, read_token
from keys.secret import Private, Root, Share, derive
from keys.text import b64
from keys.tree import unwrap, wrap
from vault import gates, unlocked
from vault.database import Tx
from vault.errors import Conflict, Denied, LogUnavailable, MissingKey, Stale
from vault.keysets import SessionKeys
from vault.log.entry import Facts, Guard, Intent, Refused
from vault.log.times import latest
from vault.newroot import Tops
from vault.pod import log_key, same_root
from vault.shares import Drop, Want
from vault.vault import PodFacts, Vault

IDLE_MS: Final = 15 * 60_000
HARD_MS: Final = 8 * 3_600_000
TOUCH_MS: Final = 60_000
_FORM: Final = ctx("lookup", "form token")


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """A live session, for the length of one request. `seen` and `ends` in ms; `csrf` is its form token; `began` says
    with which way in and when she last showed who she is.
    """

    handle: bytes
    account: bytes
    role: Role
    user: str
    name: str
    webid: str
    pod: PodFacts
    keys: SessionKeys
    log_wrap: bytes
    epoch: int
    seen: int
    ends: int
    csrf: str
    began: Beginning

    @property
    def agent(self) -> str:
        """Who acts, as the log names people: her WebID, or the user name of somebody without one."""
        return self.webid or self.user

    @property
    def guard(self) -> Guard:
        """The gate that every entry of this session passes."""
        return Guard(self.handle, self.epoch)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """One line of a person's list of sessions; times in ms. `device`: our words for it, "" if it did not say."""

    handle: bytes
    created: int
    seen: int
    ends: int
    how: How
    device: str


async def open(  # noqa: A001 -- sessions.open
    vault: Vault, account: AccountFacts, root: Root, now: datetime, how: How = "recovery", device: str = ""
) -> tuple[str, SessionFacts]:
    """Open a session: share, gate, row and entry `login` in one intent. Returns the cookie's text and the facts.

    `how`: the kind of way in that opened `root`; `device`: our words for the browser.

    The caller wipes `root`. Raises Denied, "changed" if a way in was taken away since `account` was read: it may be the
    one that opened `root`. If we crash before the commit the share alone exists, and the next start deletes it.
    """
    pod = vault.pod_by_id(account.pod)
    if pod is None:
        raise MissingKey("an account names a pod that does not exist")
    token, share, at = new_token("kss"), Share.fresh(), gates.ms(now)
    row = _row(vault, account, pod, root, token, share, Beginning(how, device, at))

    def write(tx: Tx) -> None:
        now_hers = by_id(vault, account.id, tx)
        if now_hers is None or not {way.id for way in account.ways} <= {way.id for way in now_hers.ways}:
            raise Conflict("changed")
        if not same_root(tx, pod):  # `root` is the one before: it opens nothing any more
            raise Conflict("changed")
        # A log that is ahead of a clock set right again judges by its own time: who logs in now is let in by that.
        gates.create(tx, token.handle, pod.id, max(at, latest(tx) or 0) + HARD_MS)
        tx.add(row)

    with share:
        facts = Facts("key event", "login", rule="session", agent=account.agent)
        shares = ((Want("session", token.handle), share),)
        answer = await vault.log.append(Intent(pod.id, facts, now, write=write, new_shares=shares))
    if isinstance(answer, Refused):
        raise Denied(answer.reason)
    return token.text, _facts(vault, account, pod, row, token, 1)


def find(vault: Vault, cookie: str, now: datetime) -> SessionFacts | None:
    """The live session behind a cookie, or None: unknown, forged, idle, past its end or ended are all the same."""
    try:
        token = read_token(cookie)
    except WrongSecret:
        return None
    row, at = vault.db.read.get(Session, token.handle), gates.ms(now)
    if token.kind != "kss" or row is None or not matches(token.secret, row.auth):
        return None
    gate = gates.read(vault.db.read, row.handle)
    account, pod = by_id(vault, row.account), vault.pod_by_id(row.pod)
    if gate is None or account is None or pod is None:
        return None
    if at >= until(vault, row.handle):
        return None
    return _facts(vault, account, pod, row, token, gate.epoch)


def until(vault: Vault, handle: bytes) -> int:
    """When a session ends (ms) unless somebody uses it before; 0 for one that has ended."""
    row, gate = vault.db.read.get(Session, handle), gates.read(vault.db.read, handle)
    if row is None or gate is None or gate.state != "live":
        return 0
    return min(gate.not_after, row.created + HARD_MS, row.seen + IDLE_MS)


async def touch(vault: Vault, session: SessionFacts, now: datetime) -> None:
    """Note that the session is in use; written at most once a minute."""
    at = gates.ms(now)
    if at - session.seen >= TOUCH_MS:
        with suppress(LogUnavailable):  # with a full disk she still reads her log and withdraws
            await vault.db.write(lambda tx: tx.change(Session, {"handle": session.handle}, seen=at))


async def proved(vault: Vault, session: SessionFacts, how: How, now: datetime) -> None:
    """Note that she has just shown again who she is, and with what."""
    began = replace(session.began, how=how, proved=gates.ms(now))
    sealed = columns.put(vault.state, "session", session.handle, began.told)
    with suppress(LogUnavailable):  # with a full disk she is asked again; what she proved it for goes on
        await vault.db.write(lambda tx: tx.change(Session, {"handle": session.handle}, sealed=sealed))


async def end(vault: Vault, session: SessionFacts, now: datetime) -> None:
    """Log out: gate ended, row and share gone, entry `logout`, all before this returns."""
    await _end(vault, session.pod.id, session.handle, now, "logout", session.agent)


async def renew(vault: Vault, session: SessionFacts, now: datetime) -> str:
    """A new session in the place of this one, whose cookie's text is returned: a copy of the old one opens nothing.

    For somebody who has just proved who she is and shut others out. Raises Denied if the session ended.
    """
    account = by_id(vault, session.account)
    if account is None:
        raise Denied("gone")
    facts = Facts("key event", "open root", rule="new cookie", agent=session.agent)
    async with unlocked.root(vault, session, facts, now) as root:
        text, _ = await open(vault, account, root, now, session.began.how, session.began.device)
    await end(vault, session, now)
    return text


async def end_other(vault: Vault, session: SessionFacts, handle: bytes, now: datetime) -> bool:
    """End another session of the same account; False if there is none with this handle."""
    row = vault.db.read.get(Session, handle)
    if row is None or row.account != session.account:
        return False
    await _end(vault, row.pod, handle, now, "logout elsewhere", session.agent)
    return True


async def end_of(vault: Vault, pod: bytes, handle: bytes, now: datetime, agent: str) -> None:
    """End somebody else's session: an officer's who left, by another (`agent`)."""
    await _end(vault, pod, handle, now, "logout elsewhere", agent)


async def end_others(vault: Vault, session: SessionFacts, now: datetime) -> int:
    """End every other session of the same account, each behind an entry of its own, and return how many there were.

    Live at once: when this returns none of their cookies opens anything.
    """
    rows = vault.db.read.find(Session, order_by="created", account=session.account)
    others = [row.handle for row in rows if row.handle != session.handle]
    for handle in others:
        await _end(vault, session.pod.id, handle, now, "logout elsewhere", session.agent)
    return len(others)


async def sweep(vault: Vault, now: datetime) -> int:
    """End every session that was idle too long or is past its end, and return how many there were.

    Such a session opens nothing any more; this deletes its share, so that not even a stolen cookie plus the database
    ever could.
    """
    at = gates.ms(now)
    rows = vault.db.read.find(Session)
    stale = [row for row in rows if at - row.seen >= IDLE_MS or at - row.created >= HARD_MS]
    for row in stale:
        await _end(vault, row.pod, row.handle, now, "session expired", "")
    return len(stale)


def listing(vault: Vault, account: bytes, now: datetime) -> list[OpenSession]:
    """The live sessions of an account, newest first."""
    at = gates.ms(now)
    rows = vault.db.read.find(Session, order_by="created DESC", account=account)
    live = [row for row in rows if at < row.created + HARD_MS and at - row.seen < IDLE_MS]
    return [
        OpenSession(row.handle, row.created, row.seen, row.created + HARD_MS, began.how, began.device)
        for row, began in ((row, _began(vault, row)) for row in live)
    ]


def log_private(session: SessionFacts) -> Private:
    """The private key of the pod's log, from the cookie's secret alone. The caller wipes it."""
    with derive(session.keys.secret, session.keys.context) as key:
        return unwrap(key, session.keys.context, session.log_wrap, Private)


async def _end(vault: Vault, pod: bytes, handle: bytes, now: datetime, action: str, agent: str) -> None:
    def write(tx: Tx) -> None:
        gates.end(tx, handle, "ended")
        tx.remove(Session, handle=handle)

    facts = Facts("key event", action, rule="session", agent=agent)
    await vault.log.append(Intent(pod, facts, now, write=write, drops=(Drop("session", handle),)))


def _row(
    vault: Vault, account: AccountFacts, pod: PodFacts, rk: Root, token: Token, share: Share, began: Beginning
) -> Session:
    """The session's row: RK under secret and share, the log's key under the secret."""
    context = ctx("session", pod.id, token.handle, account.id)
    with log_key(vault, pod, rk) as log:
        with derive(token.secret, context, share) as key:
            root_wrap = wrap(key, context, rk)
        with derive(token.secret, context) as key:
            log_wrap = wrap(key, context, log)
    return Session(
        handle=token.handle,
        auth=auth_hash(token.secret),
        account=account.id,
        pod=pod.id,
        root=root_wrap,
        log=log_wrap,
        created=began.proved,
        seen=began.proved,
        sealed=columns.put(vault.state, "session", token.handle, began.told),
    )


def _began(vault: Vault, row: Session) -> Beginning:
    return Beginning(**columns.take(vault.state, "session", row.handle, row.sealed))


def _facts(vault: Vault, account: AccountFacts, pod: PodFacts, row: Session, token: Token, epoch: int) -> SessionFacts:
    context = ctx("session", pod.id, row.handle, account.id)
    with derive(token.secret, _FORM) as form:
        csrf = b64(form.view())
    return SessionFacts(
        handle=row.handle,
        account=account.id,
        role=account.role,
        user=account.user,
        name=account.name,
        webid=account.webid,
        pod=pod,
        keys=SessionKeys(row.handle, token.secret, context, row.root),
        log_wrap=row.log,
        epoch=epoch,
        seen=row.seen,
        ends=row.created + HARD_MS,
        csrf=csrf,
        began=_began(vault, row),
    )


@dataclass(frozen=True)
class Carry:
    """What a new root means for sessions (vault.newroot.Carried): this one goes on under it, all others end."""

    vault: Vault
    session: SessionFacts

    def drops(self) -> tuple[Drop, ...]:
        """The shares of the other sessions of this pod."""
        return tuple(Drop("session", handle) for handle in self._others(self.vault.db.read))

    def write(self, tx: Tx, new: Tops, share: Share, dropped: tuple[Drop, ...]) -> None:
        """Wrap the new root under this session's secret and share, its log key under the secret; the others end.

        Raises Stale if another session was opened or ended since `drops`: then it is done again.
        """
        others = self._others(tx)
        if others != [drop.owner for drop in dropped]:
            raise Stale("another session was opened or ended meanwhile")
        keys = self.session.keys
        with derive(keys.secret, keys.context, share) as key:
            root = wrap(key, keys.context, new.root)
        with derive(keys.secret, keys.context) as key:
            tx.change(Session, {"handle": keys.handle}, root=root, log=wrap(key, keys.context, new.log))
        for handle in others:
            gates.end(tx, handle, "ended")
            tx.remove(Session, handle=handle)

    def sign_again(self, tx: Tx, old: Tops, new: Tops) -> None:
        """Every grant that the old identity or managed signing key signed gets the new one's signature."""
        signed.again(tx, self.session.pod.id, (old.identity, new.identity), (old.msign, new.msign))

    def renewed(self) -> SessionFacts:
        """This session as it stands after the change."""
        row, pod = self.vault.db.read.get(Session, self.session.handle), self.vault.pod_by_id(self.session.pod.id)
        if row is None or pod is None:
            raise Denied("ended")
        return replace(self.session, pod=pod, keys=replace(self.session.keys, wrap=row.root), log_wrap=row.log)

    def _others(self, tx: Tx) -> list[bytes]:
        rows = tx.find(Session, order_by="handle", pod=self.session.pod.id)
        return [row.handle for row in rows if row.handle != self.session.handle]
