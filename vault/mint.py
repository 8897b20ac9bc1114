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


def spent(permit: Permit) -> Permit:
    """The same decision without its proof, which an entry has used up. Raises NotMinted."""
    demand(permit)
    return mint(replace(permit, jti=None, jti_until=0))
