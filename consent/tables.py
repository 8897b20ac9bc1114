"""The tables of floor 2. What a citizen decided is control data: sealed per column under her pod's control key.

Times are integer milliseconds UTC; ids are 16 raw bytes. Bearer secrets are never here, only SHA-256 of what they
derive to, and keys wrapped under them.
"""

from sqlmodel import Field, SQLModel


class ClientRow(SQLModel, table=True):
    """A registered client; `sealed` (state key) holds consent.oauth.clients.Client as JSON."""

    __tablename__ = "client"

    id: str = Field(primary_key=True)
    kind: str
    sealed: bytes


class Registered(SQLModel, table=True):
    """A client that registered itself: SHA-256 of its registration access token, and until when it is kept (ms)."""

    id: str = Field(primary_key=True)
    auth: bytes
    until: int = Field(index=True)


class Account(SQLModel, table=True):
    """Somebody who can log in. `sealed` (state key) holds user, display name and WebID as JSON."""

    id: bytes = Field(primary_key=True)
    user_mac: bytes = Field(unique=True)
    role: str
    pod: bytes = Field(index=True)
    sealed: bytes


class Session(SQLModel, table=True):
    """A login. `root` is RK under the cookie's secret and its session share, `log` the pod's log key under the
    secret alone. Its gate (vault.gates) has the handle as id and the hard end as limit. `sealed` (state key) holds how
    it began: with which way in, on which device, and when she last showed who she is.
    """

    handle: bytes = Field(primary_key=True)
    auth: bytes
    account: bytes = Field(index=True)
    pod: bytes
    root: bytes
    log: bytes
    created: int
    seen: int
    sealed: bytes


class Pushed(SQLModel, table=True):
    """A pushed authorisation request (RFC 9126); `sealed` (state key) holds what was asked and by whom: a grant has the
    id of its request, so a client in clear would name the app of every grant. `session` binds it to the first session
    that opens it, `pod` to that session's citizen, also after she put it off; `done` is set once it is decided.
    """

    handle: bytes = Field(primary_key=True)
    expires: int
    session: bytes | None = None
    pod: bytes | None = Field(default=None, index=True)
    done: bool = False
    sealed: bytes


class Grant(SQLModel, table=True):
    """A citizen's decision; its gate (vault.gates) has the same id. `sealed` (control key) holds Terms as JSON and the
    nonce that blinds `commitment`, which the pod's identity signed (consent.signed).
    """

    id: bytes = Field(primary_key=True)
    pod: bytes = Field(index=True)
    version: int
    created: int
    sealed: bytes
    commitment: bytes
    signature: bytes


class GrantEvent(SQLModel, table=True):
    """One step in the life of a grant or request, in DPV states; append-only."""

    id: int | None = Field(default=None, primary_key=True)
    grant: bytes = Field(index=True)
    pod: bytes
    at: int
    state: str
    sealed: bytes


class Token(SQLModel, table=True):
    """A code, access or refresh token: handle, hash of its secret, the grant's key wrapped under the secret.

    `sealed` (control key) holds client, jkt and scope. After a withdrawal the row stays without its `wrap`, so that
    a late use is still recognised, refused and logged.
    """

    handle: bytes = Field(primary_key=True)
    auth: bytes
    kind: str
    grant: bytes = Field(index=True)
    pod: bytes
    epoch: int
    expires: int
    used: bool = False
    wrap: bytes | None = None
    sealed: bytes


class GrantKeyRow(SQLModel, table=True):
    """A compartment key wrapped for one grant under its grant key and share (keys.md, `ck-grant`).

    `form` is `letter` while a new generation lies as it was delivered, until its first use makes it `own`; `keyed` says
    which of the keys that the grant ever had this one hangs under (vault.keysets.part).
    """

    __tablename__ = "grantkey"

    grant: bytes = Field(primary_key=True)
    compartment: bytes = Field(primary_key=True)
    generation: int = Field(primary_key=True)
    pod: bytes = Field(index=True)
    form: str = "own"
    keyed: bytes = b""
    wrap: bytes


class Receipt(SQLModel, table=True):
    """A signed consent receipt; `sealed` (control key) holds the compact JWS."""

    id: bytes = Field(primary_key=True)
    grant: bytes = Field(index=True)
    pod: bytes = Field(index=True)
    at: int
    sealed: bytes


class Waiting(SQLModel, table=True):
    """Something that an app still has to be told (consent.outbox); `id` is its token's jti.

    `after`: how long the log was then. `sealed` (control key) says what and to whom. `pod` is b"" for what an erased
    pod left, sealed under the state key.
    """

    __tablename__ = "outbox"

    id: bytes = Field(primary_key=True)
    pod: bytes = Field(index=True)
    after: int = Field(index=True)
    sealed: bytes


class Link(SQLModel, table=True):
    """A one-time login link of the demo city."""

    handle: bytes = Field(primary_key=True)
    auth: bytes
    account: bytes
    expires: int
    used: bool = False


class Throttle(SQLModel, table=True):
    """Failed logins per looked-up name, so that guessing is slow for known and unknown names alike."""

    user_mac: bytes = Field(primary_key=True)
    failures: int
    until: int
