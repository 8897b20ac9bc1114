"""Using an invitation: somebody whose pod came from another server sets her own ways in, and the invitation ends.

As for any secret: rate limit, entry, share, derive, compare. What the invitation opened is hers from then on: both its
codes go, rows and shares, so that who still has them (the operator's file) opens nothing, not even in a copy.
"""

from dataclasses import dataclass, field
from datetime import datetime

from consent.accounts import renewal, sessions, tries, ways
from consent.accounts.arriving import INVITATION
from consent.accounts.passphrase import NOWHERE, is_code, try_ways
from consent.accounts.people import FEWEST_LETTERS, LONGEST, AccountFacts, find, user_mac
from consent.accounts.seats import Seat
from consent.accounts.sessions import SessionFacts
from consent.accounts.welcome import SEALED
from consent.compartments import add
from consent.errors import BadName
from keys.secret import Root, Seed
from keys.text import b64
from keys.unlock import read_code
from vault.pod import compartments
from vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Accepted:
    """She is in: the cookie's text, her session, and a recovery code that is shown once and stored nowhere."""

    cookie: str = field(repr=False)
    session: SessionFacts
    code: str = field(repr=False)


async def accept(
    vault: Vault, user: str, code: str, phrase: str, now: datetime, seat: Seat = NOWHERE
) -> Accepted | None:
    """Open the pod with an invitation, set `phrase`, make a recovery code and end the invitation. None for a wrong one.

    Raises BadName for a passphrase too short or too long; nothing was tried then. If we crash half-way the invitation
    still works and the next use ends it.
    """
    if not FEWEST_LETTERS <= len(phrase) <= LONGEST:
        raise BadName(f"a passphrase has {FEWEST_LETTERS} to {LONGEST} characters")
    account = find(vault, user)
    root = await _opened(vault, account, user, code, now, seat)
    if root is None or account is None:
        return None
    with root:
        cookie, session = await sessions.open(vault, account, root, now, "recovery", seat.device)
    await renewal.set_passphrase(vault, session, phrase, now)
    made = await renewal.add_code(vault, session, now)
    for way in account.ways_of(INVITATION):
        await ways.remove(vault, session, way, now)
    await _rooms(vault, session, now)
    return Accepted(cookie, session, made)


async def _opened(
    vault: Vault, account: AccountFacts | None, user: str, code: str, now: datetime, seat: Seat
) -> Root | None:
    """Her root, or None: for a wrong name, a wrong or used code, and where too much was tried."""
    mine = account.ways_of(INVITATION) if account else []
    who = tries.counted(vault, INVITATION, f"{b64(user_mac(vault, user))} {seat.bucket}")
    pod = account.pod if account else vault.office
    if not await tries.spend(vault, who, now):
        await tries.turned_away(vault, pod, "login", now)
        return None
    if account is None or not mine or not is_code(code):
        await tries.refused(vault, pod, "login", "wrong_invitation", now)
        return None
    with read_code(code) as seed:
        seeds = {way: Seed(seed.view()) for way in mine}
    root = await try_ways(vault, account, INVITATION, seeds, now)
    if root is not None:
        await tries.forgive(vault, who)
    return root


async def _rooms(vault: Vault, session: SessionFacts, now: datetime) -> None:
    """The sealed compartments that every new pod has."""
    here = {home.container for home in compartments(vault, session.pod)}
    for container, category in SEALED.items():
        if container not in here:
            await add(vault, session, container, category, now)
