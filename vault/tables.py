"""The tables of floor 1. Nothing here is readable: names, types and sizes are sealed, look-ups go by keyed hashes.

Times are integer milliseconds UTC; ids are 16 raw bytes.
"""

from sqlmodel import Field, SQLModel


class Meta(SQLModel, table=True):
    """One fact about the whole directory, such as its version."""

    key: str = Field(primary_key=True)
    value: bytes


class Pod(SQLModel, table=True):
    """One pod. `name_mac` finds it by name; `sealed` holds its name, kind and identity key under its control key.

    The identity in clear is what a check without any key goes by; the server trusts the sealed one.
    """

    id: bytes = Field(primary_key=True)
    name_mac: bytes = Field(unique=True)
    identity: bytes
    box: bytes
    sealed: bytes


class Erased(SQLModel, table=True):
    """The name of a pod that was erased: nobody else may ever be found under it."""

    name_mac: bytes = Field(primary_key=True)


class RootWrap(SQLModel, table=True):
    """One key hanging under a root: parent is `rk`, `mk` or `custody` (keys.md, `root`)."""

    pod: bytes = Field(primary_key=True)
    parent: str = Field(primary_key=True)
    child: str = Field(primary_key=True)
    wrapped: bytes


class Unlocker(SQLModel, table=True):
    """A way for the citizen to open her root: RK sealed to `public`."""

    id: bytes = Field(primary_key=True)
    pod: bytes = Field(index=True)
    kind: str
    params: str
    public: bytes
    sealed: bytes


class KeyringRow(SQLModel, table=True):
    """The public keys of a pod in one signed list, and the annex its managed signing key signed (keys.keyring)."""

    __tablename__ = "keyring"

    pod: bytes = Field(primary_key=True)
    version: int
    body: bytes
    signature: bytes
    annex: bytes = b""
    annex_signature: bytes = b""


class Compartment(SQLModel, table=True):
    """One generation of a compartment: its key under the root of its custody, and its key pair."""

    id: bytes = Field(primary_key=True)
    generation: int = Field(primary_key=True)
    pod: bytes = Field(index=True)
    custody: str
    wrapped: bytes
    public: bytes
    private: bytes
    sealed: bytes


class Resource(SQLModel, table=True):
    """The current version of a resource or container. `form` is `deposit` until the first read rewraps it as `own`.

    A removed resource keeps its row (form `gone`) so that a version number is never used twice.
    """

    id: bytes = Field(primary_key=True)
    pod: bytes
    parent: bytes = Field(index=True)
    compartment: bytes = Field(index=True)
    generation: int
    version: int
    form: str
    dek: bytes
    label: bytes
    digest: bytes
    source: bytes


class Body(SQLModel, table=True):
    """The sealed body of a resource; kept apart so that listings stay small. `size` is that of its whole envelope.

    A large one lies in segments: then `store` names those, and `data` holds the first 96 and last 16 bytes of it.
    `data` stays the last column, else whatever follows it is found only by reading through it.
    """

    id: bytes = Field(primary_key=True)
    version: int
    size: int
    store: bytes = b""
    data: bytes


class Segment(SQLModel, table=True):
    """One segment of a large body's envelope (keys.seal.SegmentSealer); the envelope's head is in its Body."""

    store: bytes = Field(primary_key=True)
    number: int = Field(primary_key=True)
    data: bytes


class Upload(SQLModel, table=True):
    """A store that belongs to no body (yet, or any more) and the bytes in it; what a start finds here is litter."""

    store: bytes = Field(primary_key=True)
    pod: bytes = Field(index=True)
    size: int


class Usage(SQLModel, table=True):
    """How many bytes of sealed bodies a pod holds."""

    pod: bytes = Field(primary_key=True)
    bytes: int


class Acl(SQLModel, table=True):
    """An access control list, control data sealed under the pod's control key."""

    id: bytes = Field(primary_key=True)
    pod: bytes = Field(index=True)
    sealed: bytes


class Gate(SQLModel, table=True):
    """Clear but meaningless: whether one grant or session is live, and its limits."""

    id: bytes = Field(primary_key=True)
    pod: bytes = Field(index=True)
    epoch: int
    state: str
    not_after: int
    uses_left: int | None = None
    per_day: int | None = None
    day: int = 0
    day_left: int | None = None


class GrantUse(SQLModel, table=True):
    """How often a gate was used on a day (days since 1970); kept for 13 months (vault.log.uses)."""

    gate: bytes = Field(primary_key=True)
    day: int = Field(primary_key=True)
    count: int


class AgentUse(SQLModel, table=True):
    """How often somebody came to a pod under no grant of it, on a day (days since 1970): an agent under access control,
    or a source. `mark` is a keyed hash of pod and visitor (vault.log.uses), another one in every pod.
    """

    pod: bytes = Field(primary_key=True)
    mark: bytes = Field(primary_key=True)
    day: int = Field(primary_key=True)
    count: int


class Hook(SQLModel, table=True):
    """A webhook (vault.hooks): what happens to `topic` is told as long as `gate` stands as it was. `sealed` (control
    key) says where, and what the lines in the log say.
    """

    id: bytes = Field(primary_key=True)
    pod: bytes = Field(index=True)
    gate: bytes = Field(index=True)
    topic: bytes = Field(index=True)
    sealed: bytes


class Knock(SQLModel, table=True):
    """A message that a webhook's receiver still has to get, in the order of `number`; sealed under the control key."""

    number: int | None = Field(default=None, primary_key=True)
    id: bytes
    hook: bytes = Field(index=True)
    pod: bytes = Field(index=True)
    sealed: bytes


class Jti(SQLModel, table=True):
    """A proof or assertion seen once; kept for its whole acceptance window."""

    id: bytes = Field(primary_key=True)
    until: int = Field(index=True)


class Tally(SQLModel, table=True):
    """Denials without a token, summed per pod, reason (`action rule`) and minute until they become one entry."""

    pod: bytes = Field(primary_key=True)
    reason: str = Field(primary_key=True)
    minute: int = Field(primary_key=True)
    count: int


class Entry(SQLModel, table=True):
    """One public log entry, 66 bytes or a statement; `idx` counts over all shards (access-log.md, Formats)."""

    idx: int = Field(primary_key=True)
    leaf: bytes


class Record(SQLModel, table=True):
    """The sealed pod record behind an entry.

    `touched` lists the versions it stored, 56 bytes each (resource, version, digest); `proof` is a keyed hash over it,
    so that none can be changed or left out without the server's key (vault.versions).
    """

    idx: int = Field(primary_key=True)
    pod: bytes = Field(index=True)
    seq: int
    entry: bytes
    key: bytes
    sealed: bytes
    outcome: str
    touched: bytes = b""
    proof: bytes = b""


class DpoRecord(SQLModel, table=True):
    """The sealed DPO records of one batch: of entry `idx` and of some after it (vault.log.sheet); `entry` names it."""

    idx: int = Field(primary_key=True)
    entry: bytes
    key: bytes
    sealed: bytes


class AppReceipt(SQLModel, table=True):
    """What an app needs to prove entry `idx`, which is about it; `sealed` under a key that only the app has, or under
    the pod's control key if it is about a consent (vault.log.receipts).
    """  # fmt: skip

    idx: int = Field(primary_key=True)
    entry: bytes
    pod: bytes = Field(index=True)
    sealed: bytes


class RecordKey(SQLModel, table=True):
    """A record key, sealed once to the reader it is for: to `box`, the public half of a log key or of the DPO's key."""

    id: bytes = Field(primary_key=True)
    pod: bytes = Field(index=True)
    period: int = Field(index=True)
    box: bytes
    sealed: bytes


class OldLog(SQLModel, table=True):
    """A pod's log key that was in use before, sealed to the one in use now: what it was sealed to stays readable."""

    __tablename__ = "oldlog"

    pod: bytes = Field(primary_key=True)
    public: bytes = Field(primary_key=True)
    sealed: bytes


class Month(SQLModel, table=True):
    """A month (since 1970) in which the log has pod records, and the first entry of it."""

    period: int = Field(primary_key=True)
    first: int


class PodHead(SQLModel, table=True):
    """The end of a pod's own chain: how many entries, and the hash of the last commitment."""

    pod: bytes = Field(primary_key=True)
    seq: int
    head: bytes


class Slot(SQLModel, table=True):
    """The place of a pod in the tree of all pods, for ever; `ended` is the entry that says the pod was erased."""

    number: int = Field(primary_key=True)
    pod: bytes = Field(unique=True)
    ended: int | None = Field(default=None, index=True)


class Epoch(SQLModel, table=True):
    """One published summary of all slots: entry `idx` states it, over the first `entries` entries and `slots` slots.

    `roots` has the 32-byte root of each block of 256 slots: with the leaves of one block, worked out again from the
    entries, they give every path in it.
    """

    number: int = Field(primary_key=True)
    idx: int
    entries: int
    slots: int
    roots: bytes


class Shard(SQLModel, table=True):
    """One half-year of the log: its origin, and the place of its first entry in the whole log."""

    first: int = Field(primary_key=True)
    origin: str


class Checkpoint(SQLModel, table=True):
    """A published, signed head of the tree of the shard that begins at entry `first`."""

    first: int = Field(primary_key=True)
    size: int = Field(primary_key=True)
    note: str


class Tile(SQLModel, table=True):
    """A full tile of 256 hashes, kept so that a start need not compute it anew; `fsck` does."""

    first: int = Field(primary_key=True)
    level: int = Field(primary_key=True)
    idx: int = Field(primary_key=True)
    hashes: bytes


class ControlKeyRow(SQLModel, table=True):
    """A signing key of the server, sealed under the state key."""

    __tablename__ = "controlkey"

    name: str = Field(primary_key=True)
    sealed: bytes
