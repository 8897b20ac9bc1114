"""Input assistance: a host names its form's fields, she picks values on our page, the host gets those and once.

The values come out of her pod in her own session and wait in this process's memory alone, for minutes. A restart loses
them: she picks again. What a host may name is a short list of ordinary fields; a special category is never among them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from consent import answers
from consent.accounts.sessions import SessionFacts
from consent.categories import CATEGORIES
from consent.oauth.clients import Client
from keys.secret import fresh_bytes
from keys.text import b64
from vault.errors import NoCompartment
from vault.vault import Vault

LIFE: Final = timedelta(minutes=10)
MOST: Final = 10_000
VALUES: Final = 20
LONGEST: Final = 200
NOTE: Final = "fill"
WANTS: Final[Mapping[str, tuple[str, str]]] = {
    "postal-code": ("pd:PostalCode", "schema:postalCode"),
    "bday": ("pd:Age", "schema:birthDate"),
    "kluis:interests": ("pd:Interest", "schema:about"),
    "kluis:card": ("kluis:Card", "schema:identifier"),
}
"""What a field may want: words of HTML's `autocomplete` where there is one, and where her value of it lies."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a host's form: the host's own name for it, and a word of `WANTS`."""

    name: str
    wants: str

    @property
    def category(self) -> str:
        """What kind of data fills it."""
        return WANTS[self.wants][0]


@dataclass(frozen=True, slots=True)
class Pick:
    """A host's form that waits for her. `values` by field name once she picked; None before."""

    pod: bytes
    client: str
    client_name: str
    fields: tuple[Field, ...]
    until: datetime
    values: Mapping[str, str] | None = field(default=None, repr=False)


class Filling:
    """The forms that wait, by a handle that nobody can guess."""

    def __init__(self) -> None:
        self._picks: dict[str, Pick] = {}

    def begin(self, pod: bytes, client: Client, fields: Sequence[Field], now: datetime) -> str:
        """Keep a form; returns its handle, good for one filling within `LIFE`."""
        self._picks = {handle: one for handle, one in self._picks.items() if now < one.until}
        while len(self._picks) >= MOST:
            del self._picks[next(iter(self._picks))]
        handle = b64(fresh_bytes(32))
        self._picks[handle] = Pick(pod, client.client_id, client.name, tuple(fields), now + LIFE)
        return handle

    def find(self, handle: str, pod: bytes, now: datetime) -> Pick | None:
        """The form under this handle, if it is about this pod and still waits."""
        found = self._picks.get(handle)
        return found if found is not None and found.pod == pod and now < found.until else None

    def peek(self, handle: str) -> Pick | None:
        """The form under this handle, whoever asks: for naming in the log what would go out."""
        return self._picks.get(handle)

    def picked(self, handle: str, values: Mapping[str, str], now: datetime) -> None:
        """She picked, once: from now on nothing of it changes. Picking again has no effect."""
        found = self._picks.get(handle)
        if found is not None and found.values is None and now < found.until:
            self._picks[handle] = replace(found, values=dict(values))

    def take(self, handle: str) -> None:
        """The host has got it, or may not: it is gone."""
        self._picks.pop(handle, None)


def offered(client: Client, fields: Sequence[Field]) -> list[Field]:
    """The fields that this app may ask her for: those whose category it is registered for under some purpose."""
    known = {category for purpose in client.purposes for category in purpose.categories}
    return [one for one in fields if one.wants in WANTS and one.category in known]


async def proposals(
    vault: Vault, session: SessionFacts, fields: Sequence[Field], now: datetime
) -> dict[str, tuple[str, ...]]:
    """Her values for each field, by its name, opened in her own session: one entry for each category."""
    found: dict[str, tuple[str, ...]] = {}
    for category in dict.fromkeys(one.category for one in fields):
        try:
            records = await answers.records(vault, session, category, now, NOTE)
        except NoCompartment:
            records = []
        for one in fields:
            if one.category == category:
                found[one.name] = _values(records, WANTS[one.wants][1])
    return found


def filled(wants: Sequence[str]) -> str:
    """What went out to a form, in the registry's words; "" for nothing that is known."""
    known = [WANTS[one] for one in wants if one in WANTS]
    return ", ".join(CATEGORIES[category].fields[member]["nl"].lower() for category, member in known)


def _values(records: Sequence[Mapping[str, Any]], member: str) -> tuple[str, ...]:
    told = [text for record in records for text in _texts(record.get(member))]
    return tuple(dict.fromkeys(told))[:VALUES]


def _texts(value: object) -> list[str]:
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    if isinstance(value, dict):
        value = value.get("@value")
    return [value] if isinstance(value, str) and 0 < len(value) <= LONGEST else []
