"""The Solid Notifications Protocol 2024-05 as values: what is offered, what a client asks for, what a message says."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final
from urllib.parse import quote, urlsplit

from vault.errors import VaultError
from vault.news import News
from vault.solid import conditional
from vault.solid.fields import split

NOTIFY: Final = "http://www.w3.org/ns/solid/notifications#"
SOLID: Final = "http://www.w3.org/ns/solid/terms#"
CONTEXT: Final = "https://www.w3.org/ns/solid/notifications-context/v1"
KNOWN: Final = frozenset({CONTEXT, "https://www.w3.org/ns/solid/notification/v1"})
ACTIVITIES: Final = "https://www.w3.org/ns/activitystreams"
SOCKET, HOOK, STREAM = "WebSocketChannel2023", "WebhookChannel2023", "StreamingHTTPChannel2023"
TYPES: Final = (SOCKET, HOOK, STREAM)
FEATURES: Final = ("accept", "endAt", "rate", "startAt", "state")
MEDIA: Final = "application/ld+json"
PROFILES: Final = KNOWN | {"http://www.w3.org/ns/json-ld#compacted"}
LONGEST_RATE: Final = timedelta(days=1)
_DURATION = re.compile(r"P(?:(\d{1,3})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,6})M)?(?:(\d{1,6})(?:\.\d+)?S)?)?")


class BadInstruction(VaultError):
    """A subscription that cannot be made as it was asked for; `reason` names the part (Notifications Protocol 5.2)."""

    code: ClassVar[str] = "bad_instruction"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BadFormat(VaultError):
    """A body in a format or profile that no subscription service reads (415)."""

    code: ClassVar[str] = "bad_format"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client asks for: times in ms, `rate` the least time between two messages, `state` what it saw last."""

    type: str
    topic: str
    send_to: str = ""
    start: int = 0
    end: int | None = None
    rate: int = 0
    state: str = ""

    @property
    def told(self) -> dict[str, Any]:
        """The features that were granted, in the words of the protocol."""
        found: dict[str, Any] = {}
        if self.start:
            found["startAt"] = moment(self.start)
        if self.end is not None:
            found["endAt"] = moment(self.end)
        if self.rate:
            found["rate"] = f"PT{self.rate // 1000}S"
        return found | ({"state": self.state} if self.state else {})


def services(base: str) -> list[dict[str, Any]]:
    """The subscription services of a server, as JSON-LD without context."""
    return [service(base, kind) for kind in TYPES]


def service(base: str, kind: str) -> dict[str, Any]:
    """One subscription service: its address, its channel type, and what may be asked of it."""
    return {"id": f"{base}/notifications/{kind}/", "channelType": kind, "feature": list(FEATURES)}


def statements(base: str, subject: str) -> bytes:
    """The same as Turtle: what the description of a storage says of it (`notify:subscription`)."""
    said = [f"<{subject}> <{NOTIFY}subscription> <{one['id']}> .\n{_turtle(one)}" for one in services(base)]
    return "".join(said).encode()


def turtle(base: str, kind: str) -> bytes:
    """One subscription service as Turtle."""
    return _turtle(service(base, kind)).encode()


def _turtle(one: Mapping[str, Any]) -> str:
    features = ", ".join(f"<{NOTIFY}{name}>" for name in one["feature"])
    return f"<{one['id']}> <{NOTIFY}channelType> <{NOTIFY}{one['channelType']}> ; <{NOTIFY}feature> {features} .\n"


def link(base: str, topic: str) -> str:
    """The `Link` of a resource to the stream of what happens to it (StreamingHTTPChannel2023)."""
    return f'<{base}/notifications/stream?topic={quote(topic, safe="")}>; rel="{SOLID}updatesViaStreamingHttp2023"'


def refuse_format(content_type: str | None) -> None:
    """Raise BadFormat unless this is JSON-LD (or plain JSON) in a profile that is read here."""
    name, *parameters = split(content_type or "", ";")
    if name.strip().lower() not in (MEDIA, "application/json"):
        raise BadFormat("a subscription is asked for in application/ld+json")
    for parameter in parameters:
        key, _, value = parameter.strip().partition("=")
        if key.lower() == "profile" and not set(value.strip('"').split()) <= PROFILES:
            raise BadFormat("unknown profile")


def instruction(body: bytes, kind: str, *, plain: bool = False) -> Wish:
    """What a subscription asks for of the service of `kind`. `plain`: as JSON without context and type.

    Raises BadInstruction: syntax, context, type, topic, sendTo, startAt, endAt, rate, state, accept.
    """
    said = _read(body)
    if not plain:
        _known(said)
    return Wish(
        kind,
        _url(said, "topic"),
        _url(said, "sendTo") if kind == HOOK else "",
        _when(said, "startAt") or 0,
        _when(said, "endAt"),
        _rate(said),
        _state(said),
    )


def _read(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise BadInstruction("syntax") from None
    if not isinstance(said, dict):
        raise BadInstruction("syntax")
    if said.get("accept", MEDIA) != MEDIA:
        raise BadInstruction("accept")
    return said


def _known(said: Mapping[str, Any]) -> None:
    named = said.get("@context")
    contexts = named if isinstance(named, list) else [named]
    if not all(isinstance(one, str) and one in KNOWN | {ACTIVITIES} for one in contexts) or not KNOWN & set(contexts):
        raise BadInstruction("context")


def refuse_type(body: bytes, kind: str) -> None:
    """Raise BadInstruction("type") unless the body names the channel type of the service it was sent to."""
    said = _read(body)
    if said.get("type", said.get("@type")) not in (kind, f"notify:{kind}", NOTIFY + kind):
        raise BadInstruction("type")


def _url(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    value = value.get("id", value.get("@id")) if isinstance(value, dict) else value
    if not isinstance(value, str) or not 0 < len(value) <= 2048 or not value.isascii() or not value.isprintable():
        raise BadInstruction(name)
    try:
        parts = urlsplit(value)
    except ValueError:
        raise BadInstruction(name) from None
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.username is not None or parts.fragment:
        raise BadInstruction(name)
    return value


def _when(said: Mapping[str, Any], name: str) -> int | None:
    value = said.get(name)
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value)
        return int(found.timestamp() * 1000) if found.tzinfo else _naive(name)
    except (TypeError, ValueError, OverflowError):
        raise BadInstruction(name) from None


def _naive(name: str) -> int:
    raise BadInstruction(name)


def _rate(said: Mapping[str, Any]) -> int:
    value = said.get("rate")
    if value is None:
        return 0
    found = _DURATION.fullmatch(value) if isinstance(value, str) and len(value) <= 40 else None
    if found is None or not any(found.groups()):
        raise BadInstruction("rate")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    whole = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if whole > LONGEST_RATE:
        raise BadInstruction("rate")
    return whole // timedelta(milliseconds=1)


def _state(said: Mapping[str, Any]) -> str:
    value = said.get("state", "")
    if not isinstance(value, str) or len(value) > 200:
        raise BadInstruction("state")
    return value


def concerns(topic: bytes, news: News) -> bool:
    """Whether who follows `topic` is told: of all that happens to it, and of members that come and go."""
    return topic == news.id or (topic == news.parent and news.kind != "Update")


def message(root: str, topic: bytes, news: News, ident: str) -> dict[str, Any]:
    """One message, as an activity (Notifications Protocol 6): never anything of the content.

    `root` is the pod's URL without its last slash, `topic` the id of what is followed, `ident` unique. `state` is the
    ETag under which the stored representation is served.
    """
    here = topic == news.id
    kind = news.kind if here else {"Create": "Add", "Delete": "Remove"}[news.kind]
    above = news.path.rstrip("/").rpartition("/")[0] + "/"
    said = activity(kind, root + news.path, ident, news.at)
    if not here:
        said["target"] = root + above
    if news.media and news.kind != "Delete":
        said["state"] = conditional.etag(news.id, news.version, news.media)
    return said


def activity(kind: str, thing: str, ident: str, at: int) -> dict[str, Any]:
    """The bare activity."""
    return {
        "@context": [ACTIVITIES, CONTEXT],
        "id": f"urn:kluis:notification:{ident}",
        "type": kind,
        "object": thing,
        "published": moment(at),
    }


def moment(at: int) -> str:
    """A moment in ms as `xsd:dateTime`."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
