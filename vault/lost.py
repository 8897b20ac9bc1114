"""What a share store that was lost or put back from a backup leaves behind, named at the start (access-log.md, Order).

Nothing is mended here: a share is random and cannot be made again. Grants without one answer `needs_renewal`; a way in
without one opens nothing any more, and its owner is told; a pod without its custody share is shut until the store's
newest backup is put back.
"""

from dataclasses import dataclass

from vault.database import Tx
from vault.errors import MissingKey
from vault.shares import Shares


@dataclass(frozen=True, slots=True)
class Lost:
    """How many pods and how many ways in have no share any more."""

    pods: int
    ways: int

    @property
    def told(self) -> str:
        """The sentence that a start says; empty if nothing is lost."""
        parts = [f"{count} {what}" for count, what in ((self.pods, "pods"), (self.ways, "ways into a pod")) if count]
        return (
            f"the share store has lost the shares of {' and '.join(parts)}: put back its newest backup" if parts else ""
        )


def lost(tx: Tx, shares: Shares) -> Lost:
    """Compare a directory with its share store. Raises MissingKey if the store knows none of the pods."""
    pods = {row[0] for row in tx.run("SELECT id FROM pod")} - shares.deleted_owners("custody")
    ways = {row[0] for row in tx.run("SELECT id FROM unlocker")}
    left, opening = pods & shares.owners("custody"), ways & shares.owners("unlock")
    if pods and not left:
        raise MissingKey(
            f"the share store has no share of any of the {len(pods)} pods here: it was lost, or it is another one's."
            " Nothing was changed. Put back its newest backup, then start again"
        )
    return Lost(len(pods - left), len(ways - opening))
