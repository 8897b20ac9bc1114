"""A small log that can be forked at will, and a real witness in a process of its own."""

import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from federation.errors import BadAnswer, Unreachable
from federation.fetch import Document, Fetcher, Reply
from federation.heads import Heads
from federation.policy import Witness
from keys.merkle import Tree, leaf_hash
from keys.note import checkpoint, sign_note, vkey
from keys.secret import Private
from keys.sign import new_signer, signer_public
from web.witness import Witness as Serving

HOST = "kluis.test"
ORIGIN = f"{HOST}/log/2026h2"
ROOT = Path(__file__).parents[2]
WITNESS = "city.test/witness"


@dataclass
class SmallLog:
    """A log of numbered entries; `fork` gives one that has the same first entries, then others."""

    origin: str = ORIGIN
    private: Private = field(default_factory=new_signer)
    tree: Tree = field(default_factory=Tree)
    branch: str = ""

    @property
    def vkey(self) -> str:
        return vkey(self.origin, signer_public(self.private))

    @property
    def every_vkey(self) -> str:
        """The key for all its half-years."""
        return vkey(self.origin.rpartition("/")[0] + "/*", signer_public(self.private))

    def grow(self, count: int) -> "SmallLog":
        for number in range(self.tree.size, self.tree.size + count):
            self.tree.append(leaf_hash(f"{self.branch} {number}".encode()))
        return self

    def fork(self, shared: int, branch: str, size: int) -> "SmallLog":
        """Another log of `size` entries under the same name and key, of which the first `shared` are the same."""
        other = SmallLog(self.origin, self.private, branch=branch)
        for at in range(shared):
            other.tree.append(self.tree.tile(0, at // 256, at % 256 + 1)[-32:])
        return other.grow(size - shared)

    def note(self, size: int | None = None, origin: str = "", root: bytes | None = None) -> str:
        size = self.tree.size if size is None else size
        text = checkpoint(origin or self.origin, size, self.tree.root(size) if root is None else root)
        return sign_note(text, origin or self.origin, self.private)

    def body(self, old: int, size: int | None = None, proof: list[bytes] | None = None, note: str = "") -> bytes:
        """The body of add-checkpoint, with the honest proof unless another is given."""
        size = self.tree.size if size is None else size
        if proof is None:
            proof = self.tree.consistency(old, size) if 0 < old < size else []
        lines = [f"old {old}", *(b64encode(step).decode() for step in proof), "", note or self.note(size)]
        return "\n".join(lines).encode()


class Direct(Fetcher):
    """A fetcher that reaches witnesses in this very process, by the first part of their address."""

    def __init__(self) -> None:
        super().__init__()
        self.apps: dict[str, Any] = {}
        self.away: set[str] = set()
        self.posts = 0

    def witness(self, folder: Path, *logs: str, name: str = WITNESS) -> Witness:
        """Make a witness that knows these logs and can be asked from now on."""
        made = Serving(name, new_signer(), logs, Heads(folder))
        url = f"https://{name.partition('/')[0]}"
        self.apps[url] = made.app
        return Witness(name.partition(".")[0], made.vkey, url)

    async def post(self, url: str, content: bytes, media: str) -> Reply:
        self.posts += 1
        answer = await self._send("POST", url, content)
        return Reply(answer.status_code, answer.headers["content-type"].partition(";")[0], answer.content)

    async def get(self, url: str, accept: str, now: datetime, max_age: timedelta | None = None) -> Document:
        answer = await self._send("GET", url)
        if answer.status_code != 200:
            raise BadAnswer("status")
        return Document(url, "text/plain", answer.content, now)

    async def _send(self, method: str, url: str, content: bytes = b"") -> httpx.Response:
        base = next(base for base in self.apps if url.startswith(base + "/"))
        if base in self.away:
            raise Unreachable("connect")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.apps[base]), base_url=base) as http:
            return await http.request(method, url, content=content)


@dataclass
class Running:
    """A witness that really serves."""

    url: str
    vkey: str
    process: subprocess.Popen[str]
    http: httpx.Client

    def add(self, body: bytes) -> httpx.Response:
        return self.http.post("/add-checkpoint", content=body)

    def policy(self, name: str = "w") -> str:
        """A policy file that asks for this witness alone."""
        return f"witness {name} {self.vkey} {self.url}\nquorum {name}\n"


def start(folder: Path, *logs: str, name: str = WITNESS, port: int = 0, options: tuple[str, ...] = ()) -> Running:
    """Start `kluis witness serve` and wait until it listens."""
    folder.mkdir(parents=True, exist_ok=True)
    where = ["--data", str(folder / "data"), "--key", str(folder / "key"), "--name", name, "--port", str(port)]
    known = [word for log in logs for word in ("--log", log)]
    command = [sys.executable, "-c", "from web.cli import main; main()", "witness", "serve", *where, *known, *options]
    process = subprocess.Popen([*command, "--json"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told: dict[str, Any] = json.loads(process.stdout.readline())
    return Running(told["url"], told["vkey"], process, httpx.Client(base_url=told["url"], trust_env=False))


def stop(running: Running, *, kill: bool = False) -> None:
    """End a witness; `kill` gives it no chance to finish anything."""
    running.http.close()
    (running.process.kill if kill else running.process.terminate)()
    running.process.wait(10)
    if running.process.stdout is not None:
        running.process.stdout.close()


@contextmanager
def witness(folder: Path, *logs: str, name: str = WITNESS, port: int = 0) -> Iterator[Running]:
    """A witness for the length of a block."""
    running = start(folder, *logs, name=name, port=port)
    try:
        yield running
    finally:
        stop(running)
