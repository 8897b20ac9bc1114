"""From what an app asks (one authorization detail, RFC 9396) to ``Terms``, and from what the citizen ticks to fewer.

``parse`` accepts only what the app's registration and the registries allow; ``choose`` can only narrow.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlsplit

from consent import categories, period, purposes, schema, special
from consent.errors import BadChoice, BadPeriod, BadTerms, OAuthError, UnknownCategory, UnknownPurpose
from consent.schema import RAR_TYPE
from consent.terms import Datum, Terms
from keys.text import b64

__all__ = ["RAR_TYPE", "Datum", "Offer", "Terms", "choose", "offers", "parse", "solid"]

LONGEST: Final = "P1Y"
_CENTURY: Final = period.Period(1200, timedelta(days=36_525))
_OFFERED: Final = ("P7D", "P1M", "P3M", "P6M", "P1Y")


class Registered(Protocol):
    """What ``parse`` needs of an app: ``consent.oauth.clients.Client`` in production."""

    @property
    def client_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def controller(self) -> str: ...
    @property
    def trust(self) -> str: ...
    def digest(self) -> bytes:
        """SHA-256 over what a citizen decides about."""

    def registration(self, code: str, version: str) -> "Purpose | None":
        """The registered purpose of this code and version, or ``None``."""


class Purpose(Protocol):
    """One registered purpose of an app: its text per language, and the categories it was registered for."""

    @property
    def text(self) -> Mapping[str, str]: ...
    @property
    def categories(self) -> tuple[str, ...]: ...
    def because(self, category: str, rung: int) -> str:
        """The registered reason for going up to this rung, "" if there is none."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A duration the citizen may choose: its code (``asked`` = as long as the app asks) and its end in ms UTC."""

    code: str
    until: int


def parse(detail: object, client: Registered, base: str, now: datetime) -> Terms:
    """``Terms`` of one authorization detail; raises ``OAuthError`` ``invalid_authorization_details``.

    ``base`` is the configured base URL without a trailing slash.
    """
    asked: dict[str, Any] = schema.check(detail)
    registered = _matches_registration(asked, client)
    pod = _pod(asked["locations"][0], base)
    rows = tuple(_row(row, asked["purpose"]["code"], registered, pod, base) for row in asked["datatypes"])
    consistent(rows)
    try:
        period.read(asked["retention"])
        return special.check(_terms(asked, client, pod, rows, _expiry(asked["expires"], now)), client.trust)
    except (BadPeriod, BadTerms) as broken:
        raise _no(f"Not acceptable: {broken}.") from broken


def solid(
    client: Registered,
    pod: str,
    containers: tuple[str, ...],
    modes: tuple[str, ...],
    expires: int,
    elsewhere: bool = False,
) -> Terms:
    """Terms of a plain Solid app: the built-in purpose, the managed containers and modes the citizen ticked.

    ``containers`` are pod paths with both slashes (``/public/``; ``/`` = everything managed); ``elsewhere``:
    the app may also act for her on what others share with her.
    """
    return Terms(
        client=client.client_id,
        client_name=client.name,
        controller=client.controller,
        purpose_code=purposes.OWN_WORK,
        purpose_version=purposes.OWN_WORK_VERSION,
        purpose_text=dict(purposes.OWN_WORK_TEXT),
        legal_basis="eu-gdpr:A6-1-a-explicit-consent",
        pod=pod,
        expires=expires,
        kind="solid",
        containers=containers,
        modes=modes,
        elsewhere=elsewhere,
        client_hash=b64(client.digest()),
    )


def offers(terms: Terms, now: datetime) -> tuple[Offer, ...]:
    """The durations to choose from, shortest first; none is longer than asked, none longer than 12 months."""
    ends = ((code, _ms(period.read(code).after(now))) for code in _OFFERED)
    return (*(Offer(code, end) for code, end in ends if end < terms.expires), Offer("asked", terms.expires))


def choose(terms: Terms, ticked: set[str], duration: str | None, now: datetime) -> Terms:
    """What the citizen allows: all required rows, the optional rows she ticked, for the duration she chose.

    ``ticked`` holds ``Datum.key`` values; ``duration`` an ``Offer.code``, ``None`` = the shortest.
    Raises ``BadChoice`` for a row or a duration that was not on the page, or if nothing is left.
    """
    optional = {datum.key for datum in terms.data if datum.necessity == "optional"}
    if not ticked <= optional:
        raise BadChoice("a row that is not optional here")
    offered = offers(terms, now)
    until = {offer.code: offer.until for offer in offered}
    if duration is not None and duration not in until:
        raise BadChoice("a duration that is not offered")
    kept = tuple(datum for datum in terms.data if datum.necessity == "required" or datum.key in ticked)
    if terms.kind == "rar" and not kept:
        raise BadChoice("nothing is ticked")
    return replace(terms, data=kept, expires=until[duration or offered[0].code])


def _terms(asked: dict[str, Any], client: Registered, pod: str, rows: tuple[Datum, ...], expires: int) -> Terms:
    recurrence, purpose = asked["recurrence"], asked["purpose"]
    return Terms(
        client=client.client_id,
        client_name=client.name,
        controller=client.controller,
        purpose_code=purpose["code"],
        purpose_version=purpose["version"],
        purpose_text=dict(purpose["text"]),
        legal_basis=asked["legal_basis"],
        pod=pod,
        expires=expires,
        data=rows,
        actions=tuple(asked["actions"]),
        mode=recurrence["mode"],
        max_uses=_whole(recurrence.get("max_uses")),
        max_per_day=_whole(recurrence.get("max_per_day")),
        retention=asked["retention"],
        recipients=tuple(asked.get("recipients", ())),
        processing=tuple(asked.get("processing", ())),
        automated=asked.get("automated_decision", "none"),
        storage=asked.get("storage"),
        client_hash=b64(client.digest()),
    )


def _whole(count: float | None) -> int | None:
    """A count as an integer: JSON Schema takes ``1.0`` for one."""
    return None if count is None else int(count)


def _matches_registration(asked: dict[str, Any], client: Registered) -> "Purpose":
    """Controller and purpose are what was registered, word for word: nothing else may be shown as theirs."""
    purpose = asked["purpose"]
    registered = client.registration(purpose["code"], purpose["version"])
    if registered is None or dict(registered.text) != purpose["text"]:
        raise _no("The purpose is not the registered one.")
    if asked["controller"] != client.controller:
        raise _no("The controller is not the registered one.")
    if any(row["category"] not in registered.categories for row in asked["datatypes"]):
        raise _no("A category is not registered for this purpose.")
    return registered


def _pod(location: str, base: str) -> str:
    """The pod's name, or ``""`` for ``{base}/pods/``."""
    root = f"{base}/pods/"
    name = location.removeprefix(root)
    if location == root:
        return ""
    if not location.startswith(root) or not name.endswith("/") or not _plain(name[:-1]):
        raise _no("The location is not a pod of this server.")
    return name[:-1]


def _plain(name: str) -> bool:
    return bool(name) and all(c.isascii() and (c.isalnum() or c in "-_") for c in name)


def _row(row: dict[str, Any], purpose: str, registered: "Purpose", pod: str, base: str) -> Datum:
    if "derived" in row and ("fields" in row or "resources" in row):
        raise _no("A derived answer has no fields and no resources.")
    datum = Datum(
        category=row["category"],
        fields=_fields(row),
        derived=row.get("derived"),
        resources=_paths(row["resources"], pod, base) if "resources" in row else None,
        window=row.get("window"),
        since=row.get("since"),
        necessity=row["necessity"],
        special=row.get("special", False),
    )
    return replace(datum, because=_registered(datum, purpose, registered))


def _fields(row: dict[str, Any]) -> tuple[str, ...] | None:
    """The fields, by name. A shape stands for the fields it has now, and is pinned by their hash: what a later version
    of it adds is not gained.
    """
    named = tuple(dict.fromkeys(row["fields"])) if "fields" in row else None
    kind = categories.CATEGORIES.get(row["category"])
    if "shape" not in row or kind is None:
        return named
    if row["shape"] != kind.shape:
        raise _no("This category has no such shape.")
    whole = named is None and "derived" not in row and "resources" not in row
    return tuple(kind.fields) if whole else named


def _registered(datum: Datum, purpose: str, registered: "Purpose") -> str:
    """The registries know this row, and the purpose may climb this high for it: "", or the reason registered for more.

    A refusal proposes the lowest rung.
    """
    try:
        kind = categories.category(datum.category)
        top = purposes.highest_rung(purpose, datum.category)
    except (UnknownCategory, UnknownPurpose) as unknown:
        raise _no(f"Unknown here: {unknown}.") from unknown
    if datum.derived and datum.derived not in kind.answers:
        raise _no("This category has no such answer.")
    if not set(datum.fields or ()) <= set(kind.fields):
        raise _no("This category has no such field.")
    if any(categories.category_at(path) != kind for path in datum.resources or ()):
        raise _no("A resource lies outside its category.")
    because = registered.because(datum.category, datum.rung) if top is not None and datum.rung > top else ""
    if top is None or (datum.rung > top and not because):
        raise _too_much(purpose, datum.category)
    if kind.special and not datum.special:
        raise _no("A special category must be marked as such, with special: true.")
    _limits(datum, kind)
    return because


def _too_much(purpose: str, category: str) -> OAuthError:
    least = purposes.lowest(purpose, category)
    why = "This purpose may not ask so much of this category."
    detail = {"proposed": least} if least is not None else {}
    return OAuthError("invalid_authorization_details", why, detail)


def _limits(datum: Datum, kind: categories.Category) -> None:
    """A limit in time must be one that can be kept: only dated records have a time to compare."""
    if (datum.window or datum.since) and not kind.dated:
        raise _no("Records of this category carry no dates.")
    if datum.window:
        try:
            length = period.read(datum.window)
        except BadPeriod as broken:
            raise _no("A window is not a duration.") from broken
        if length.months > _CENTURY.months or length.rest > _CENTURY.rest:
            raise _no("A window is longer than a hundred years.")


def _paths(resources: list[str], pod: str, base: str) -> tuple[str, ...]:
    """Pod paths of absolute resource URLs; only a named pod has resources."""
    root = f"{base}/pods/{pod}/"
    if not pod or any(not url.startswith(root) or _crooked(url[len(root) :]) for url in resources):
        raise _no("A resource lies outside the named pod.")
    return tuple(dict.fromkeys("/" + url[len(root) :] for url in resources))


def _crooked(path: str) -> bool:
    """Anything but one plain spelling of one resource: dot segments, encoded separators, queries, containers."""
    plain = unquote(path)
    if "\\" in plain or any(step in ("", ".", "..") for step in plain.split("/")):
        return True  # before urlsplit, which takes what follows an empty step for a host and may raise
    return urlsplit(path).path != path or plain.count("/") != path.count("/")


def consistent(rows: Iterable[Datum]) -> None:
    """Rows of one category that open records share one limit, so that together they mean one thing.

    Raises ``OAuthError`` ``invalid_authorization_details``.
    """
    limits: dict[str, tuple[object, ...]] = {}
    for row in rows:
        limit = (row.window, row.since, row.resources)
        if not row.derived and limits.setdefault(row.category, limit) != limit:
            raise _no("Two rows of one category have different limits.")


def _expiry(text: str, now: datetime) -> int:
    until = schema.instant(text)
    if not now < until <= period.read(LONGEST).after(now):
        raise _no("The end lies in the past or more than 12 months ahead.")
    return _ms(until)


def _ms(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)


def _no(why: str) -> OAuthError:
    return OAuthError("invalid_authorization_details", why)
