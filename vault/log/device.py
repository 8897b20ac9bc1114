"""What a citizen's own device needs to check her log: all her lines, what leads them to the seals, and her slot.

Each line comes bare, without a proof; one list of hashes per half-year leads all of them to its root together
(`keys.merkle.Tree.together`). Everything here reads a connection of its own: fit for a thread.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from keys.secret import Private
from keys.text import b64
from vault.log import slots as slot_rules, views
from vault.log.epochs import Proven
from vault.log.handover import hands
from vault.log.retention import ended
from vault.log.shards import Shards
from vault.log.tiles import Ledger
from vault.log.views import Line
from vault.vault import PodFacts, Vault

PLACES = "SELECT idx FROM record WHERE pod = :pod ORDER BY idx"
NEWEST = 2**62
"""An epoch later than all: asking for it gives the newest."""
MOST = 5_000
"""Lines in one answer."""


def frame(vault: Vault, pod: PodFacts, epochs: Iterable[int]) -> dict[str, Any]:
    """All but the lines: seals with the hashes between the lines, the head the chain must end at, the pod's slot in
    the newest two epochs and at each of these minutes. Lines with `seq` up to the head's belong to it.
    """  # fmt: skip
    shards = vault.log.shards
    seals = [(ledger, ledger.told) for ledger in shards.all]  # published sizes: what is below them never changes
    sizes = {ledger: int(told["size"]) for ledger, told in seals}  # a newer head may come while we read
    with vault.db.reading() as tx:
        head, over, handed = views.head(tx, pod), ended(tx), hands(tx)
        places = [int(row[0]) for row in tx.run(PLACES, pod=pod.id)]
    return {
        "head": head.told,
        "hands": views.told_hands(shards, handed, sizes),
        "ended": views.told_ended(shards, over, sizes),
        "shards": [{**told, "steps": _steps(ledger, told["size"], places)} for ledger, told in seals],
        "slots": slots(vault, pod, epochs, sizes),
    }


def _steps(ledger: Ledger, size: int, places: list[int]) -> str:
    """The hashes that lead the lines in one tree to its root together, from the left; base64url."""
    inside = [place - ledger.first for place in places if 0 <= place - ledger.first < size]
    return b64(b"".join(ledger.tree.together(inside, size))) if inside else ""


def slots(
    vault: Vault, pod: PodFacts, epochs: Iterable[int] = (), sizes: Mapping[Ledger, int] | None = None
) -> list[dict[str, Any]]:
    """The pod's slot in the newest two epochs and at each of these minutes, stated under heads of these `sizes`."""
    shards = vault.log.shards
    sizes = {ledger: ledger.size for ledger in shards.all} if sizes is None else sizes
    below = sum(sizes.values())
    newest = vault.epochs.asked(pod.id, [NEWEST], below)
    before = [summary.before for one in newest if (summary := slot_rules.read(one.body)) is not None]
    found = [*newest, *vault.epochs.asked(pod.id, [*before, *epochs], below)]
    return [slot(shards, one, sizes[shards.at(one.index)]) for one in found]


def slot(shards: Shards, one: Proven, size: int | None = None) -> dict[str, Any]:
    """A pod's slot in one epoch, with what leads its statement to the seal of its half-year, of a `size` or the newest.

    `shard` is a place in the list of half-years, `index` the statement's position in that tree.
    """
    ledger = shards.at(one.index)
    position = one.index - ledger.first
    proof = [b64(step) for step in ledger.inclusion(position, size)]
    return {"shard": shards.all.index(ledger), "index": position, "proof": proof, **one.told}


def lines(vault: Vault, pod: PodFacts, log: Private, since: int, below: int) -> list[dict[str, Any]]:
    """A part of the lines by sequence number, `below` not included, at most MOST of them, oldest first."""
    with vault.db.reading() as tx:
        found = views.lines(vault, pod, log, since, min(below, since + MOST), tx)
    shards = vault.log.shards
    places = {ledger: place for place, ledger in enumerate(shards.all)}
    return [bare(line, ledger.first, places[ledger]) for line in found for ledger in (shards.at(line.index),)]


def bare(line: Line, first: int, shard: int) -> dict[str, Any]:
    """One line without a proof; `record` and `nonce` are None if what is stored does not open."""
    leaf = {} if line.record else {"leaf": b64(line.leaf)}  # of a record whose month ended, all that is left
    return leaf | {
        "shard": shard,
        "index": line.index - first,
        "seq": line.seq,
        "record": line.record,
        "nonce": b64(line.nonce) if line.record else None,
        "dpo_commitment": b64(line.leaf[34:]),
    }
