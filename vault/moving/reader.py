"""The other side of `vault.moving.reading`: one process that reads the folder of another server and stores nothing.

It is started with an empty environment and holds no key and no invitation. It takes one order after the other from its
standard input, each a line of JSON, and answers each with lines of JSON, some followed by a load.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vault.errors import VaultError
from vault.moving import homes
from vault.moving.addresses import Addresses
from vault.moving.bring import Bringer
from vault.moving.draft import Draft, sort_out
from vault.moving.homes import Home, NoPods
from vault.moving.pack import loads
from vault.moving.tree import BadTree, Tree

Answer = tuple[dict[str, Any], bytes]


class Shelf:
    """The folder, its pods by their number, and what was sorted out of them."""

    def __init__(self, asked: dict[str, Any]) -> None:
        """Open the folder. Raises BadTree, NoPods."""
        self._asked = asked
        self._tree = Tree(Path(asked["folder"]))
        self.homes = homes.homes(self._tree, asked["server"], asked["base"])
        self._drafts: dict[int, Draft] = {}
        self._addresses = Addresses({}, {}, {})

    def answer(self, order: dict[str, Any]) -> Iterator[Answer]:
        """What comes of one order: `sort` and `pack` name a pod by its number, `settle` says which pods come along."""
        if "sort" in order:
            yield self._sort(order["sort"]), b""
        elif "settle" in order:
            yield self._settle(order["settle"], order["come"], order["stand"]), b""
        else:
            yield from self._pack(order["pack"], order["root"], order["ours"])

    def _sort(self, at: int) -> dict[str, Any]:
        draft = self._drafts[at] = sort_out(self._tree, self.homes[at], self._asked["server"], self._asked["sealed"])
        rejects, notes = [asdict(one) for one in draft.rejects], [asdict(one) for one in draft.notes]
        return {"rejects": rejects, "notes": notes, "count": draft.size}

    def _settle(self, base: str, come: list[int], stand: list[int]) -> dict[str, Any]:
        """From here on addresses of the pods that come, and of those that came before, are ours."""
        pods: list[tuple[Home, dict[str, str]]] = [(self.homes[at], {}) for at in stand]
        pods += [(self.homes[at], self._drafts[at].tops) for at in come]
        self._addresses = Addresses.of(base, pods)
        return {}

    def _pack(self, at: int, root: str, ours: dict[str, str]) -> Iterator[Answer]:
        draft = self._drafts.pop(at)
        latest = max((piece.modified for piece in draft.resources.values()), default=0)
        own, known = {path: turtle.encode() for path, turtle in ours.items()}, len(draft.notes)
        bringer = Bringer(self._tree, draft, self._addresses, root, own, latest)
        try:
            for one in loads(bringer, self._asked["many"], self._asked["large"]):
                told = {"count": one.count, "bytes": one.size, "whole": one.whole}
                notes = [asdict(note) for note in draft.notes[known:]] if one.whole else []
                yield told | {"notes": notes, "why": ""}, one.load
        except VaultError as error:
            yield {"count": 0, "bytes": 0, "whole": True, "notes": [], "why": str(error)}, b""


def main() -> None:
    """Work until the input ends."""
    orders = sys.stdin.buffer
    try:
        shelf = Shelf(json.loads(orders.readline()))
    except BadTree as bad:
        _send({"bad": bad.reason, "parts": bad.parts, "none": isinstance(bad, NoPods)}, b"")
        return
    _send({"homes": [asdict(home) for home in shelf.homes]}, b"")
    while line := orders.readline():
        for told, load in shelf.answer(json.loads(line)):
            _send(told, load)


def _send(told: dict[str, Any], load: bytes) -> None:
    out = sys.stdout.buffer
    out.write(json.dumps(told | {"size": len(load)}).encode() + b"\n" + load)
    out.flush()
