"""A pod's whole log as lines to keep: every record with its nonces and its proof, last the head they must end at."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keys.secret import Private
from vault.log import device, views
from vault.log.tiles import Ledger
from vault.log.views import Line
from vault.vault import PodFacts, Vault


@dataclass(frozen=True)
class Frame:
    """All but the lines, from one moment: what is told, the sizes of the heads in it, and where the lines lie."""

    told: dict[str, Any]
    sizes: Mapping[Ledger, int]
    pages: Sequence[tuple[int, int]]

    def line(self, vault: Vault, one: Line) -> str:
        """One record as a line of JSON."""
        return json.dumps(self._named(views.proven(vault.log.shards, one, self.sizes))) + "\n"

    @property
    def last(self) -> str:
        """The head, with the pod's slot in the newest summaries."""
        return json.dumps({**self.told["head"], "slots": [self._named(one) for one in self.told["slots"]]}) + "\n"

    def _named(self, one: dict[str, Any]) -> dict[str, Any]:
        """The same with the name of its half-year."""
        return {**one, "shard": self.told["shards"][one["shard"]]["origin"]}


def frame(vault: Vault, pod: PodFacts, page: int, since: int = 0) -> Frame:
    """The frame of a pod's log in pages of so many lines. Reads a connection of its own: fit for a thread."""
    with vault.db.reading() as tx:
        head, pages = views.head(tx, pod), views.pages(tx, pod, page, since)
    told, sizes = views.around(vault, head)
    return Frame({**told, "slots": device.slots(vault, pod, sizes=sizes)}, sizes, pages)


def texts(vault: Vault, pod: PodFacts, log: Private, page: int) -> Iterator[bytes]:
    """The whole of it, a page at a time; the last piece is the head."""
    whole = frame(vault, pod, page)
    for place in whole.pages:
        with vault.db.reading() as tx:
            lines = views.among(vault, pod, log, place, tx)
        yield "".join(whole.line(vault, one) for one in lines).encode()
    yield whole.last.encode()
