"""The ways into a pod's root, as the server knows them: kind, parameters and public key, never a secret."""

from vault.tables import Unlocker
from vault.vault import Vault


def unlockers(vault: Vault, pod: bytes) -> list[Unlocker]:
    """Every unlocker of a pod."""
    return vault.db.read.find(Unlocker, pod=pod)
