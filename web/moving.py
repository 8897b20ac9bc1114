"""`kluis import css DIR` and `kluis import nss DIR`: the pods of another Solid server come in, with what is theirs.

The folder is read here; what comes is sent to the server that serves the data directory, over the operator's socket, or
where nobody serves it stored with its lock. Every pod comes whole or not at all, and one that is here already is left
alone, so a run that broke off is simply repeated. Before a pod is sent, its invitation is on the disk.
"""

import asyncio
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.progress import Progress

from consent.accounts import arriving, welcome
from consent.errors import ConsentError
from keys.errors import KeysError
from vault.errors import VaultError
from vault.moving import homes
from vault.moving.addresses import Addresses
from vault.moving.bring import Bringer
from vault.moving.draft import Draft, Note, Reject, sort_out
from vault.moving.homes import Home, NoPods, Server
from vault.moving.tree import Tree
from web import arrivals
from web.client import Unanswered
from web.leaving import idle, open_here
from web.settings import Settings, SettingsError
from web.terminal import err, operator

AT_ONCE: Final = 8
Standings = dict[str, str]


@dataclass(frozen=True)
class Asked:
    """What the operator asked for. `pod`: one pod alone; `base`: the old address, if the folder tells none."""

    server: Server
    folder: Path
    pod: str | None = None
    base: str | None = None
    dry_run: bool = False
    keep_good: bool = False
    invitations: Path = Path("kluis-invitations.jsonl")


@dataclass
class Outcome:
    """What became of the pods of a folder."""

    pods: int = 0
    imported: int = 0
    already: int = 0
    resources: int = 0
    bytes: int = 0
    rejects: list[Reject] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether some pod did not come."""
        return self.imported + self.already < self.pods

    def told(self, asked: Asked) -> dict[str, Any]:
        """As the command tells it."""
        listed = {"rejects": [asdict(one) for one in self.rejects], "notes": [asdict(one) for one in self.notes]}
        counts = {name: getattr(self, name) for name in ("pods", "imported", "already", "resources", "bytes")}
        kept = {"invitations": str(asked.invitations)} if self.imported and not asked.dry_run else {}
        dry = {"dry_run": "nothing was stored"} if asked.dry_run else {}
        return {"source": asked.server, **dry, **counts, **kept, **listed}


@dataclass(frozen=True)
class Door:
    """The way in: asks which names are free, and takes all loads of many pods. `base`: the address that they get."""

    base: str
    names: Callable[[Mapping[str, str]], Standings]
    send: Callable[[Iterable["Parcel"], Callable[["Parcel", "Sent"], None]], None]


@dataclass(frozen=True)
class Parcel:
    """A pod ready to go, and its invitation; none for one that came in part."""

    bringer: Bringer
    codes: tuple[str, ...]

    def loads(self) -> Iterator[tuple[bytes, int, int]]:
        """Its loads."""
        return arrivals.loads(self.bringer, self.codes)


@dataclass
class Sent:
    """What went in of one pod, and why it stopped ("" if it did not)."""

    resources: int = 0
    bytes: int = 0
    why: str = ""


def move_in(settings: Settings, asked: Asked) -> Outcome:
    """Bring the pods in. Raises BadTree, NoPods, Unanswered, SettingsError for a place unfit for invitations."""
    _fit(settings, asked)
    tree = Tree(asked.folder)
    try:
        with Progress(console=err, transient=True, disable=not err.is_terminal) as bar, _door(settings) as door:
            return _Mover(asked, tree, door, bar).run()
    finally:
        tree.close()


@dataclass
class _Mover:
    asked: Asked
    tree: Tree
    door: Door
    bar: Progress
    done: Outcome = field(default_factory=Outcome)

    def run(self) -> Outcome:
        """Look at everything first: who comes along decides which names in access lists become ours."""
        every = homes.homes(self.tree, self.asked.server, self.asked.base)
        chosen = [one for one in every if self.asked.pod in (None, one.name)]
        if not chosen:
            raise NoPods(f"no pod {self.asked.pod} in {self.asked.folder}")
        self.done.pods = len(chosen)
        standing = self.door.names({one.name: one.base for one in every if one.name})
        drafts = [draft for home in self._steps("reading", chosen) if (draft := self._sorted(home, standing))]
        come: list[tuple[Home, Mapping[str, str]]] = [
            (one, {}) for one in every if standing.get(one.name) in ("part", "whole")
        ]
        addresses = Addresses.of(self.door.base, [*come, *((one.home, one.tops) for one in drafts)])
        if self.asked.dry_run:
            self.done.imported = len(drafts)
            self.done.resources = sum(draft.size for draft in drafts)
        else:
            self._send([self._parcel(draft, addresses, standing) for draft in drafts])
        for draft in drafts:
            self.done.notes += draft.notes
        return self.done

    def _sorted(self, home: Home, standing: Standings) -> Draft | None:
        """The draft of a pod that comes; None for one that is here, or cannot come."""
        place = "/".join(home.parts)
        if not home.name:
            self.done.rejects.append(Reject(home.base, place, "name", "no name, or the name of another pod, in it"))
            return None
        if standing[home.name] == "whole":
            self.done.already += 1
            return None
        if standing[home.name] == "taken":
            self.done.rejects.append(Reject(home.name, place, "taken", "somebody else here has or had this name"))
            return None
        draft = sort_out(self.tree, home, self.asked.server, arriving.RESERVED)
        self.done.rejects += draft.rejects
        return draft if not draft.rejects or self.asked.keep_good else None

    def _parcel(self, draft: Draft, addresses: Addresses, standing: Standings) -> Parcel:
        root = welcome.storage(self.door.base, draft.home.name)[:-1]
        plan = welcome.blueprint(self.door.base, draft.home.name)
        ours = {path: body for path, _, body in plan.resources}
        latest = max((piece.modified for piece in draft.resources.values()), default=0)
        codes = arriving.codes() if standing[draft.home.name] == "free" else ()
        return Parcel(Bringer(self.tree, draft, addresses, root, ours, latest), codes)

    def _send(self, parcels: list[Parcel]) -> None:
        _keep(self.asked.invitations, self.door.base, [one for one in parcels if one.codes])
        bar = self.bar.add_task("storing", total=len(parcels))

        def told(parcel: Parcel, sent: Sent) -> None:
            self.bar.advance(bar)
            self.done.resources += sent.resources
            self.done.bytes += sent.bytes
            home = parcel.bringer.draft.home
            if sent.why:
                self.done.rejects.append(Reject(home.name, "/".join(home.parts), "refused", sent.why))
            else:
                self.done.imported += 1

        self.door.send(parcels, told)

    def _steps(self, what: str, listed: list[Home]) -> Iterator[Home]:
        bar = self.bar.add_task(what, total=len(listed))
        for one in listed:
            yield one
            self.bar.advance(bar)


@contextmanager
def _door(settings: Settings) -> Iterator[Door]:
    """Over the socket of the server, or with the lock where nobody serves."""
    with ExitStack() as stack:
        if not idle(settings):
            client = stack.enter_context(operator(settings))

            def one(parcel: Parcel) -> tuple[Parcel, Sent]:
                return parcel, _sent(parcel, client.arrive)

            def many(parcels: Iterable[Parcel], told: Callable[[Parcel, Sent], None]) -> None:
                with ThreadPoolExecutor(AT_ONCE) as pool:
                    for parcel, sent in pool.map(one, parcels):
                        told(parcel, sent)

            yield Door(client.address(), client.arriving, many)
            return
        house = stack.enter_context(open_here(settings))

        def here(parcels: Iterable[Parcel], told: Callable[[Parcel, Sent], None]) -> None:
            asyncio.run(_all(house, list(parcels), told))

        def names(pods: Mapping[str, str]) -> Standings:
            return {name: arriving.standing(house.vault, name, origin) for name, origin in pods.items()}

        yield Door(settings.base_url, names, here)


async def _all(house: Any, parcels: list[Parcel], told: Callable[[Parcel, Sent], None]) -> None:
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(parcel: Parcel) -> None:
        async with turns:
            told(parcel, await _stored(house, parcel))

    await asyncio.gather(*(one(parcel) for parcel in parcels))


async def _stored(house: Any, parcel: Parcel) -> Sent:
    sent = Sent()
    try:
        for body, count, size in parcel.loads():
            await arrivals.take(house, body)
            sent.resources, sent.bytes = sent.resources + count, sent.bytes + size
    except (VaultError, KeysError, ConsentError) as error:
        sent.why = str(error)
    return sent


def _sent(parcel: Parcel, send: Callable[[bytes], object]) -> Sent:
    sent = Sent()
    try:
        for body, count, size in parcel.loads():
            send(body)
            sent.resources, sent.bytes = sent.resources + count, sent.bytes + size
    except (VaultError, Unanswered) as error:
        sent.why = str(error)
    return sent


def _fit(settings: Settings, asked: Asked) -> None:
    """Invitations open pods, so they do not lie where the pods do."""
    there = asked.invitations.resolve()
    for data in (settings.data, settings.vault_dir, settings.shares_dir):
        if there.is_relative_to(data.resolve()):
            raise SettingsError(f"{asked.invitations} lies in the data directory: name another place")


def _keep(target: Path, base: str, parcels: list[Parcel]) -> None:
    """Write the invitations of pods that are about to come, behind those that are there; on the disk when it returns.

    Of a pod that did not come the line means nothing; of one that is brought again the last line counts.
    """
    if not parcels:
        return
    with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600), "a") as file:  # noqa: PTH123
        os.fchmod(file.fileno(), 0o600)
        for one in parcels:
            home = one.bringer.draft.home
            told = {"user": home.name, "from": home.base, "webid": one.bringer.webid}
            told |= {"login": f"{base}/login/invitation?user={home.name}", "code": one.codes[0], "spare": one.codes[1]}
            file.write(json.dumps(told) + "\n")
        file.flush()
        os.fsync(file.fileno())
