"""Makes permits. Importers are held by contract: consent.gate and vault.door."""

from dataclasses import replace

from keys.mark import check, mark
from vault.errors import NotMinted
from vault.permit import Permit


def mint(permit: Permit) -> Permit:
    """Mark a decision as made by a gate of this process."""
    return replace(permit, mark=mark(permit.body()))


def demand(permit: Permit) -> None:
    """Raise NotMinted unless this permit is exactly as it was minted here."""
    if not check(permit.mark, permit.body()):
        raise NotMinted("this permit was not minted by the gate")


def steps(permit: Permit) -> tuple[Permit, Permit]:
    """One decision as two steps: the read that a change needs first, and the change. Raises NotMinted.

    The first uses up the proof and counts as the one use of the grant; the second carries the receipt.
    """
    demand(permit)
    first = replace(permit, facts=replace(permit.facts, action="read", note="patch"), writes=False, receipt=b"")
    guard = None if permit.guard is None else replace(permit.guard, use=False)
    return mint(first), mint(replace(permit, guard=guard, jti=None, jti_until=0))


def spent(permit: Permit) -> Permit:
    """The same decision without its proof, which an entry has used up. Raises NotMinted."""
    demand(permit)
    return mint(replace(permit, jti=None, jti_until=0))
