"""What the door reads and gives: a resource as it is stored, in one read, and as it is opened."""

from dataclasses import dataclass
from datetime import datetime

from vault.blobs import Label, Place
from vault.large import Large

# One read gives everything that opening needs: the resource, its body, its compartment and the managed root's wrap.
_SELECT = """
SELECT r.id, r.pod, r.parent, r.compartment, r.generation, r.version, r.form, r.dek, r.label, {body},
       c.custody, c.wrapped, c.private, c.public, w.wrapped, r.source, b.size, b.store, r.rowid
FROM resource r
JOIN compartment c ON c.id = r.compartment AND c.generation = r.generation
LEFT JOIN body b ON b.id = r.id AND b.version = r.version
LEFT JOIN rootwrap w ON w.pod = r.pod AND w.parent = :root AND w.child = 'mk'
WHERE r.form <> 'gone' AND
"""
SELECT = _SELECT.format(body="b.data")
NAMED = _SELECT.format(body="CASE WHEN b.id IS NULL THEN NULL ELSE x'' END")
ONE = SELECT + "r.id = :id"
LABEL = NAMED + "r.id = :id"
PAGE = "r.parent = :id AND r.id <> :id AND r.rowid > :after ORDER BY r.rowid LIMIT :take"
MEMBERS, LABELS = SELECT + PAGE, NAMED + PAGE
COUNT = """
SELECT count(*) FROM resource r JOIN body b ON b.id = r.id WHERE r.parent = :id AND r.id <> :id AND r.form <> 'gone'
"""
# A description is its own parent: it lies in no container and is nobody's record.
NEWEST = (
    SELECT
    + "r.compartment = :id AND b.data IS NOT NULL AND r.parent <> r.id ORDER BY r.rowid DESC LIMIT :take OFFSET :skip"
)
RECORDS = SELECT + "r.compartment = :id AND b.data IS NOT NULL AND r.parent <> r.id ORDER BY r.id"
EVERYTHING = SELECT + "r.compartment = :id ORDER BY r.id"


@dataclass(frozen=True, slots=True)
class Sealed:
    """One resource as stored, with what its key hangs under.

    `body` is None for a container, empty where only the label was asked for; `size` is that of its envelope.
    """

    id: bytes
    pod: bytes
    parent: bytes
    compartment: bytes
    generation: int
    version: int
    form: str
    dek: bytes
    label: bytes
    body: bytes | None
    custody: str
    wrapped: bytes
    private: bytes
    public: bytes
    managed: bytes | None
    source: bytes
    size: int | None
    store: bytes | None
    row: int

    @property
    def place(self) -> Place:
        """Where it lives."""
        return Place(self.pod, self.compartment, self.generation, self.public, self.parent, self.id)


@dataclass(frozen=True, slots=True)
class Opened:
    """One resource in clear. `body` is None for a container, and empty where only the label was asked for.

    A large body is not opened yet: who is given `large` reads it, and closes it.
    """

    label: Label
    body: bytes | None
    version: int
    large: Large | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a read gave: kind `resource`, `container` or `absent`, and the log entry that stands for it.

    `size` is the whole body's; `body` is empty where only the label was asked for, or the body is `large`.
    """

    kind: str
    index: int
    media: str = ""
    body: bytes = b""
    version: int = 0
    modified: datetime | None = None
    members: tuple[Opened, ...] = ()
    size: int = 0
    large: Large | None = None
