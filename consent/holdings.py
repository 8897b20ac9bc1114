"""How much lies in each compartment: counts only, so that no content is opened and no entry is needed."""

from dataclasses import dataclass
from typing import Final

from consent.categories import Category, category
from vault.pod import compartments
from vault.vault import PodFacts, Vault

COUNT: Final = """
SELECT r.compartment, count(*) FROM resource r JOIN body b ON b.id = r.id
WHERE r.pod = :pod AND r.form <> 'gone' AND r.parent <> r.id GROUP BY r.compartment
"""


@dataclass(frozen=True, slots=True)
class Holding:
    """One compartment of a pod: its top-level container, its category, and how many resources it holds."""

    container: str
    kind: Category
    custody: str
    count: int


def of_pod(vault: Vault, pod: PodFacts) -> list[Holding]:
    """All compartments of a pod, by name."""
    counted = dict(vault.db.read.run(COUNT, pod=pod.id))
    cells = sorted(compartments(vault, pod), key=lambda cell: cell.container)
    return [Holding(c.container, category(c.category), c.custody, counted.get(c.id, 0)) for c in cells]
