"""`kluis import css DIR` and `kluis import nss DIR`: the pods of another Solid server come in, with what is theirs.

The folder is read by a process without keys (vault.moving.reading); what comes is sent to the server that serves the
data directory, over the operator's socket, or where nobody serves it stored with its lock. While the next pods are
read, these are sealed. Every pod comes whole or not at all, and one that is here already is left
alone, so a run that broke off is simply repeated. Before a pod is sent, its invitation is on the disk.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from rich.progress import Progress

from consent.accounts import arriving, welcome
from consent.errors import ConsentError
from keys.errors import KeysError
from vault.errors import VaultError
from vault.moving import pack
from vault.moving.draft import Note, Reject
from vault.moving.homes import Home, NoPods, Server
from vault.moving.reading import Read, Reading
from web import arrivals
from web.client import Unanswered
from web.leaving import idle, open_here
from web.settings import Settings, SettingsError
from web.terminal import err, operator

AT_ONCE: Final = 32  # loads under way: while the disk makes some durable, others are sealed
BY_SOCKET: Final = 8
HELD: Final = 128 * 1024 * 1024  # bytes of loads under way
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


Take = Callable[[bytes], Awaitable[object]]


@dataclass(frozen=True)
class Door:
    """The way in: asks which names are free, and takes one load. `many` at once at most; `base`: their new address."""

    base: str
    names: Callable[[Mapping[str, str]], Standings]
    take: Take
    many: int


@dataclass
class Sent:
    """What went in of one pod, and why it stopped ("" if it did not)."""

    resources: int = 0
    bytes: int = 0
    why: str = ""


def move_in(settings: Settings, asked: Asked) -> Outcome:
    """Bring the pods in. Raises BadTree, NoPods, Unanswered, SettingsError for a place unfit for invitations."""
    _fit(settings, asked)
    with (
        Progress(console=err, transient=True, disable=not err.is_terminal) as bar,
        Reading(asked.folder, asked.server, asked.base, arriving.RESERVED, pack.MANY) as reading,
        _door(settings) as door,
    ):
        return _Mover(asked, reading, door, bar).run()


@dataclass
class _Mover:
    asked: Asked
    reading: Reading
    door: Door
    bar: Progress
    standing: Standings = field(default_factory=dict)
    done: Outcome = field(default_factory=Outcome)

    def run(self) -> Outcome:
        """Look at everything first: who comes along decides which names in access lists become ours."""
        every = self.reading.homes
        chosen = [at for at, one in enumerate(every) if self.asked.pod in (None, one.name)]
        if not chosen:
            raise NoPods(f"no pod {self.asked.pod} in {self.asked.folder}")
        self.done.pods = len(chosen)
        self.standing = self.door.names({one.name: one.base for one in every if one.name})
        come, count = self._looked_at([at for at in chosen if self._comes(every[at])])
        stand = [at for at, one in enumerate(every) if self.standing.get(one.name) in ("part", "whole")]
        if self.asked.dry_run:
            self.done.imported, self.done.resources = len(come), count
            return self.done
        self.reading.settle(self.door.base, come, stand)
        codes = {at: arriving.codes() for at in come if self.standing[every[at].name] == "free"}
        _keep(self.asked.invitations, self.door.base, [(every[at], both) for at, both in codes.items()])
        asyncio.run(self._send(come, codes))
        return self.done

    def _comes(self, home: Home) -> bool:
        """Whether this pod may come: it is not here, and has a name that is nobody else's."""
        place = "/".join(home.parts)
        if not home.name:
            self.done.rejects.append(Reject(home.base, place, "name", "no name, or the name of another pod, in it"))
        elif self.standing[home.name] == "whole":
            self.done.already += 1
        elif self.standing[home.name] == "taken":
            self.done.rejects.append(Reject(home.name, place, "taken", "somebody else here has or had this name"))
        else:
            return True
        return False

    def _looked_at(self, fit: list[int]) -> tuple[list[int], int]:
        """Which of these pods come, and how many files are in them."""
        bar, come, count = self.bar.add_task("reading", total=len(fit)), list[int](), 0
        for one in self.reading.sorted(fit):
            self.bar.advance(bar)
            self.done.rejects += one.rejects
            if not one.rejects or self.asked.keep_good:
                come.append(one.at)
                count += one.count
                self.done.notes += one.notes
        return come, count

    async def _send(self, come: list[int], codes: Mapping[int, tuple[str, str]]) -> None:
        """Take in what is read while more is being read; loads of one pod go one after the other."""
        bar, base = self.bar.add_task("storing", total=len(come)), self.door.base
        packed = self.reading.packed([(at, *_begins(base, self.reading.homes[at].name)) for at in come])
        sent, going = {at: Sent() for at in come}, dict[int, asyncio.Task[int]]()

        async def one(load: Read, before: asyncio.Task[int] | None) -> int:
            if before is not None:
                await before
            elif load.at in codes and not load.why:
                load = replace(load, packed=replace(load.packed, load=pack.invited(load.packed.load, codes[load.at])))
            await self._take(load, sent[load.at])
            if load.packed.whole:
                self.bar.advance(bar)
                self._told(load, sent[load.at])
            return len(load.packed.load)

        turns = Turns(self.door.many)
        for load in packed:
            going[load.at] = await turns.give(one(load, going.pop(load.at, None)), len(load.packed.load))
        await turns.end()

    async def _take(self, load: Read, sent: Sent) -> None:
        sent.why = sent.why or load.why
        if sent.why:
            return
        try:
            await self.door.take(load.packed.load)
            sent.resources, sent.bytes = sent.resources + load.packed.count, sent.bytes + load.packed.size
        except (VaultError, KeysError, ConsentError, Unanswered) as error:
            sent.why = str(error)

    def _told(self, load: Read, sent: Sent) -> None:
        self.done.resources += sent.resources
        self.done.bytes += sent.bytes
        self.done.notes += load.notes
        home = self.reading.homes[load.at]
        if sent.why:
            self.done.rejects.append(Reject(home.name, "/".join(home.parts), "refused", sent.why))
        else:
            self.done.imported += 1


class Turns:
    """Runs tasks at the same time: so `many`, and of so much memory, that the writer never waits and we never swell."""

    def __init__(self, many: int) -> None:
        self._many, self._under = many, dict[asyncio.Task[int], int]()

    async def give(self, work: Coroutine[Any, Any, int], size: int) -> asyncio.Task[int]:
        """Begin this work, which holds `size` bytes, as soon as there is room. Raises what earlier work raised."""
        while self._under and (len(self._under) >= self._many or sum(self._under.values()) + size > HELD):
            await self._some()
        task = asyncio.create_task(work)
        self._under[task] = size
        await asyncio.sleep(0)  # seal it before the next one is waited for
        return task

    async def end(self) -> None:
        """Wait for all of it. Raises what it raised."""
        while self._under:
            await self._some()

    async def _some(self) -> None:
        ended, _ = await asyncio.wait(self._under, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            del self._under[task]
            task.result()


def _begins(base: str, name: str) -> tuple[str, dict[str, str]]:
    """The root of a new pod without its last slash, and the resources that every new pod has."""
    plan = welcome.blueprint(base, name)
    return welcome.storage(base, name)[:-1], {path: body.decode() for path, _, body in plan.resources}


@contextmanager
def _door(settings: Settings) -> Iterator[Door]:
    """Over the socket of the server, or with the lock where nobody serves."""
    with ExitStack() as stack:
        if not idle(settings):
            client = stack.enter_context(operator(settings))
            pool = stack.enter_context(ThreadPoolExecutor(BY_SOCKET))

            async def over(load: bytes) -> object:
                return await asyncio.get_running_loop().run_in_executor(pool, client.arrive, load)

            yield Door(client.address(), client.arriving, over, BY_SOCKET)
            return
        house = stack.enter_context(open_here(settings))

        def standing(asked: Mapping[str, str]) -> Standings:
            return {name: arriving.standing(house.vault, name, origin) for name, origin in asked.items()}

        yield Door(settings.base_url, standing, partial(arrivals.take, house), AT_ONCE)


def _fit(settings: Settings, asked: Asked) -> None:
    """Invitations open pods, so they do not lie where the pods do."""
    there = asked.invitations.resolve()
    for data in (settings.data, settings.vault_dir, settings.shares_dir):
        if there.is_relative_to(data.resolve()):
            raise SettingsError(f"{asked.invitations} lies in the data directory: name another place")


def _keep(target: Path, base: str, coming: list[tuple[Home, tuple[str, str]]]) -> None:
    """Write the invitations of pods that are about to come, behind those that are there; on the disk when it returns.

    Of a pod that did not come the line means nothing; of one that is brought again the last line counts.
    """
    if not coming:
        return
    with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600), "a") as file:  # noqa: PTH123
        os.fchmod(file.fileno(), 0o600)
        for home, (code, spare) in coming:
            told = {"user": home.name, "from": home.base, "webid": welcome.webid(base, home.name)}
            told |= {"login": f"{base}/login/invitation?user={home.name}", "code": code, "spare": spare}
            file.write(json.dumps(told) + "\n")
        file.flush()
        os.fsync(file.fileno())
