"""Taking a pod out of every table of every floor, inside a unit of the writer.

What stays is what the public log stands on: entries, the places of the pod's records in its chain, its slot, and the
DPO's records, which name nobody. The pod's own records lose their text and their keys.
"""

from typing import Final

from vault.database import Tx, tables_with
from vault.tables import Erased, Pod

STAYS: Final = frozenset({"record", "podhead", "slot"})
THROUGH: Final = (
    "DELETE FROM grantuse WHERE gate IN (SELECT id FROM gate WHERE pod = :pod)",
    "DELETE FROM segment WHERE store IN (SELECT store FROM upload WHERE pod = :pod)",
    "DELETE FROM segment WHERE store IN (SELECT b.store FROM resource r JOIN body b ON b.id = r.id WHERE r.pod = :pod)",
    "DELETE FROM body WHERE id IN (SELECT id FROM resource WHERE pod = :pod)",
    "UPDATE record SET sealed = x'' WHERE pod = :pod",
    "UPDATE slot SET ended = (SELECT max(idx) + 1 FROM entry) WHERE pod = :pod",
)


def purge(pod: bytes, tx: Tx) -> bool:
    """Delete all rows of a pod and keep its name from being used again; False if there is no such pod."""
    row = tx.get(Pod, pod)
    if row is None:
        return False
    tx.shut.add(pod)
    for statement in THROUGH:
        tx.run(statement, pod=pod)
    for table in tables_with("pod"):
        if table not in STAYS:
            tx.run(f'DELETE FROM "{table}" WHERE pod = :pod', pod=pod)  # noqa: S608 -- names of our own tables
    tx.remove(Pod, id=pod)
    if not tx.find(Erased, name_mac=row.name_mac):
        tx.add(Erased(name_mac=row.name_mac))
    return True
