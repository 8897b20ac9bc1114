"""What the gate is asked and what it answers, as values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from consent.categories import Category, category_at
from consent.foreign import Foreign
from consent.minimise import limit
from consent.terms import Datum
from keys.text import b64
from vault.keysets import Keys
from vault.permit import Permit

NOTE = re.compile(r"model [0-9]{4}-(0[1-9]|1[0-2])")
ACTIONS = {"GET": "read", "HEAD": "read", "POST": "append", "PUT": "write", "DELETE": "delete", "PATCH": "write"}


def noted(header: str | None) -> str:
    """What `Kluis-Note` may put into the log: the version of the model that a read is for. Anything else is ""."""
    return header if header is not None and NOTE.fullmatch(header) else ""


@dataclass(frozen=True, slots=True)
class Call:
    """One request as the gate sees it. `url` is built from the configured base; `path` is a pod path.

    `needs` and `container_needs` hold the modes that access control must give on the resource and on its container.
    `batch` asks for every record of the container at `path`, `answer` for one derived answer by name; both leave `pod`
    empty, meaning the pod of the token's own grant. `prefer` are the values of that header, `origin` that of the
    browser's, if any. `foreign` is what was found out about the issuer of a token that is not ours. `follows` asks to
    be told of what happens at `path`, which takes what reading takes. `note` is what an app says that it
    reads for, in one of the few forms that stand in the log (`noted`). `doing` names the action where the method does
    not, as for `recommend`.
    """

    method: str
    url: str
    pod: str
    path: str
    authorization: tuple[bytes, ...] = ()
    dpop: tuple[bytes, ...] = ()
    purpose: str | None = None
    kind: str = "resource"
    needs: frozenset[str] = frozenset({"read"})
    container_needs: frozenset[str] = frozenset()
    batch: bool = False
    answer: str | None = None
    request: str = ""
    prefer: tuple[bytes, ...] = ()
    origin: str | None = None
    foreign: Foreign | None = None
    follows: bool = False
    note: str = ""
    doing: str = ""

    @property
    def receipt(self) -> bool:
        """Whether the app wants to be able to prove the entry (`Prefer: receipt`, RFC 7240)."""
        wishes = (wish for value in self.prefer for wish in value.split(b","))
        return any(wish.partition(b";")[0].strip().lower() == b"receipt" for wish in wishes)

    @property
    def action(self) -> str:
        """The word for the log and for `decide`. An access control list is nobody's data: `control` alone opens it."""
        if self.doing:
            return self.doing
        if self.kind == "acl":
            return "control"
        if self.follows:
            return "list" if self.path.endswith("/") else "read"
        if self.method in ("GET", "HEAD") and self.place.endswith("/") and not self.batch and self.answer is None:
            return "list"
        if self.method == "PATCH" and "write" not in self.needs:
            return "append"
        return ACTIONS.get(self.method, "write")

    @property
    def actions(self) -> tuple[str, ...]:
        """Every action that the terms must allow; the last is `action`. A patch with conditions reads as well."""
        reads = self.method == "PATCH" and "read" in self.needs and self.kind != "acl"
        return ("read", self.action) if reads else (self.action,)

    @property
    def place(self) -> str:
        """The path that is opened or stored, by the same right as `path`: the description, if that is asked for."""
        return f"{self.path}.meta" if self.kind == "meta" else self.path

    @property
    def category(self) -> Category:
        """The registered category of the path."""
        return category_at(self.path)


@dataclass(frozen=True, slots=True)
class Admission:
    """Yes: the permit, the keys it may use, the row of the terms that binds the answer, and the modes to show.

    `session`: that with which the grant ends, b"" for none.
    """

    permit: Permit
    keys: Keys
    datum: Datum | None = None
    granted: int = 0
    user: frozenset[str] = frozenset()
    public: frozenset[str] = frozenset()
    session: bytes = b""

    @property
    def whole(self) -> bool:
        """Whether it covers everything that lies there, and at all times."""
        return self.datum is None or self.datum.derived is not None or not _narrow(self.datum)

    @property
    def applied(self) -> dict[str, str]:
        """The headers that say which wish was granted (RFC 7240 3), and the key that the proof can be fetched with."""
        key = self.permit.receipt
        return {"Preference-Applied": "receipt", "Kluis-Receipt": b64(key)} if key else {}

    @property
    def narrow(self) -> bool:
        """Whether what the grant covers of a body shows in that body alone: by its fields or its times."""
        return self.datum is not None and not self.datum.derived and _narrow(self.datum)

    def limited(self, body: bytes, media: str, now: datetime) -> bytes | None:
        """The body as far as the grant covers it, or None if it covers nothing of it."""
        if self.datum is None or not self.narrow:
            return body
        if "json" not in media:
            return None
        kept = limit(orjson.loads(body), self.datum, self.granted, now)
        return None if kept is None else orjson.dumps(kept)


@dataclass(frozen=True, slots=True)
class Denial:
    """No: an OAuth or access code, and what would be needed. It is already in the log."""

    code: str
    hint: Mapping[str, object] = field(default_factory=dict)


def _narrow(datum: Datum) -> bool:
    return bool(datum.fields or datum.window or datum.since)
