"""The server and the witnesses of its log: asked after each checkpoint, their cosignatures kept, the alarm raised.

Nothing here is waited for: requests are served while witnesses are asked, unless the operator chose that no data goes
out while the alarm is up. At a start it is the other way round: before anything is written the witnesses are heard,
so that a log that went back with its own checkpoints is not written on.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from federation.errors import Diverged
from federation.fetch import Fetcher
from federation.policy import Policy
from federation.remembered import Remembered
from federation.submit import Published
from federation.watch import Alarm, Asked, Watch, compare
from keys.cosign import Cosigned, cosignatures
from keys.note import read_checkpoint, split
from vault.errors import MissingKey
from vault.log import handing
from vault.log.entry import Facts, Intent
from vault.log.tiles import Ledger
from web.pages.overseeing import WatchPart

if TYPE_CHECKING:
    from web.app import House
    from web.settings import Settings

_log = logging.getLogger("kluis.log")
PAUSE = 5.0  # seconds between two tries while a quorum is missing
ANEW = timedelta(seconds=10)  # a checkpoint that is cosigned is shown again, so that a lost witness is noticed


class Watching:
    """What the server knows of its witnesses; made before the data directory is opened, used in the server's loop."""

    def __init__(self, watch: Watch, remembered: Remembered, *, fail_closed: bool) -> None:
        self.watch, self.remembered, self.fail_closed = watch, remembered, fail_closed
        self.wake = asyncio.Event()
        self._asked: datetime | None = None
        self._raised: Alarm | None = None

    def begin(self, ledgers: Sequence[Ledger], clock: Callable[[], datetime]) -> None:
        """Hear what was cosigned before, and every witness that answers. Raises Diverged; then nothing was written.

        For the start of a process, outside its event loop. Without a quorum the alarm is up from the first moment.
        """
        asked = [_asked(ledger) for ledger in ledgers]
        for note in self.remembered.notes():
            compare(note, asked)
        self._settled()
        asyncio.run(self._hear(asked, clock))

    def _settled(self) -> None:
        if (found := self.remembered.objection()) is not None:
            raise Diverged(
                f"{found.detail}, since {found.since:%Y-%m-%d %H:%M}: find out which log is the true one, then delete "
                f"{self.remembered.folder / 'objection.json'}"
            )

    async def _hear(self, asked: Sequence[Asked], clock: Callable[[], datetime]) -> None:
        *older, newest = asked
        await asyncio.gather(*(self.watch.ask(one, clock()) for one in older))
        met = self.watch.count(await self.watch.ask(newest, clock()), clock())
        alarm = self.watch.alarm(clock())
        if alarm is not None and alarm.lasts:
            self.remembered.keep_objection(alarm)
            self._settled()
        if not met:
            self.watch.impatient(clock())

    async def run(self, house: "House") -> None:
        """Ask for ever: when a checkpoint was published, and again after a pause."""
        work = self.tell  # what a start left is told before anybody is asked again
        while True:
            try:
                await work(house)
            except Exception as error:  # noqa: BLE001 -- one bad turn must not end the watch; names only, never data
                _log.error("asking the witnesses failed: %s", type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.wake.wait(), PAUSE)
            self.wake.clear()
            work = self.turn

    async def turn(self, house: "House") -> None:
        """Ask about every shard whose head wants cosigning, keep what comes, and see if there is cause for alarm."""
        try:
            await self._ask(house)
        finally:
            await self.tell(house)

    async def _ask(self, house: "House") -> None:
        shards, now = house.vault.log.shards, house.clock()
        for ledger in shards.all:
            cosigned = bool(ledger.note) and self.watch.policy.met(_signers(ledger.note, self.watch.policy))
            newest = ledger is shards.published
            fresh = self._asked is not None and now - self._asked < ANEW
            if not ledger.note or (cosigned and (fresh or not newest)):
                continue
            asked = _asked(ledger, handing.under(house.vault.db.read, ledger))
            signed = await self.watch.ask(asked, now)
            if newest:
                self._asked = now
                self.watch.count(signed, now)
            await self._keep(house, ledger, asked.ours.note, signed)

    async def _keep(self, house: "House", ledger: Ledger, note: str, signed: Sequence[Cosigned]) -> None:
        """Store cosignatures with their checkpoint; outside the database too, so that a copy brings nothing back."""
        known = set(_signers(note, self.watch.policy))
        more = [one for one in signed if one.vkey not in known]
        if more:
            note += "".join(one.line for one in more)
            await house.vault.cosigned(ledger, note)
            await asyncio.to_thread(self.remembered.keep, note)

    def held(self, now: datetime) -> str:
        """Why no data is served at this moment; "" if it is."""
        alarm = self.watch.alarm(now)
        return alarm.detail if alarm and self.fail_closed else ""

    async def tell(self, house: "House") -> None:
        """Raise or end the alarm where people look: the server's own log, the office's log, and what is served."""
        now = house.clock()
        alarm, before = self.watch.alarm(now), self._raised
        house.vault.log.held = self.held(now)
        if (alarm and alarm.kind) == (before and before.kind):
            return
        self._raised = alarm
        if alarm is None:
            _log.warning("the witnesses cosign again")
            await _enter(house, "end log alarm", before.kind if before else "", "", now)
            return
        _log.error("alarm: %s", alarm.detail)
        if alarm.lasts:
            await asyncio.to_thread(self.remembered.keep_objection, alarm)
        await _enter(house, "raise log alarm", alarm.kind, alarm.detail, now)


def watching(settings: "Settings", now: datetime) -> Watching | None:
    """The witnesses of the settings; None where none are set. Raises SettingsError."""
    policy = settings.witness_policy
    if policy is None:
        return None
    urls = [urlsplit(witness.url) for witness in policy.witnesses]
    near = frozenset(f"{url.scheme}://{url.netloc}" for url in urls) if settings.log_witnesses_near else frozenset()
    fetcher = Fetcher(near=near, ports=frozenset(url.port or 443 for url in urls))
    watch = Watch(policy, fetcher, now)
    return Watching(watch, Remembered(settings.shares_dir / "witnessed"), fail_closed=settings.log_fail_closed)


def state(house: "House") -> dict[str, object]:
    """How the log stands with its witnesses, as JSON: for health, metrics and the transparency page."""
    if house.watching is None:
        return {"witnesses": 0, "needed": 0, "cosigning": 0, "keys": {}, "alarm": None}
    watch = house.watching.watch
    alarm = watch.alarm(house.clock())
    told = {"kind": alarm.kind, "since": alarm.since.isoformat(), "detail": alarm.detail} if alarm else None
    return {
        "witnesses": len(watch.policy.witnesses),
        "needed": watch.policy.needed,
        "cosigning": watch.cosigning,
        "keys": {witness.name: witness.vkey for witness in watch.policy.witnesses},
        "alarm": told,
    }


def part(house: "House") -> WatchPart | None:
    """The same for a page; None without witnesses."""
    if house.watching is None:
        return None
    watch = house.watching.watch
    alarm = watch.alarm(house.clock())
    names = tuple(witness.name for witness in watch.policy.witnesses)
    told = WatchPart(names, watch.policy.needed, watch.cosigning, held=bool(house.vault.log.held))
    return replace(told, alarm=alarm.kind, since=alarm.since) if alarm else told


def _asked(ledger: Ledger, hands: Sequence[str] = ()) -> Asked:
    """A shard as witnesses are asked about it: its published head, or its first one before anything is published.

    `hands` prove under that head how its key was replaced, for a witness that knows the old one.
    """
    note = ledger.note or ledger.sign().note
    newest, *earlier = ledger.vkeys
    ours = Published(note, read_checkpoint(split(note)[0]), newest, tuple(earlier), tuple(hands))
    return Asked(ours, ledger.tree.consistency, ledger.tree.root)


def _signers(note: str, policy: Policy) -> list[str]:
    return [one.vkey for one in cosignatures(note, [witness.vkey for witness in policy.witnesses])]


async def _enter(house: "House", action: str, kind: str, detail: str, now: datetime) -> None:
    """A line in the office's log; none before the office exists."""
    try:
        office = house.vault.office
    except MissingKey:
        return
    await house.vault.log.append(Intent(office, Facts("admin", action, rule=kind, note=detail), now))
