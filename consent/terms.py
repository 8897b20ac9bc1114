"""Terms: everything a grant covers, as one immutable value that can be stored, shown and decided on."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self

from consent import categories
from consent.errors import BadTerms, OAuthError
from consent.schema import ACTIONS, MODES

Kind = Literal["rar", "solid"]
SOLID_MODES = ("read", "append", "write", "control")


@dataclass(frozen=True, slots=True)
class Datum:
    """One row of a grant: a category, narrowed to a derived answer, fields or single resources.

    ``resources`` are pod paths (``/loans/x.jsonld``). ``window`` is an ISO 8601 duration back from now;
    ``since`` is ``"grant"`` (from the grant on) or an ISO date. ``None`` means not narrowed that way.
    ``because``: the app's registered reason for more than its purpose usually needs, "" where it needs none.
    """

    category: str
    fields: tuple[str, ...] | None = None
    derived: str | None = None
    resources: tuple[str, ...] | None = None
    window: str | None = None
    since: str | None = None
    necessity: Literal["required", "optional"] = "required"
    special: bool = False
    because: str = ""

    @property
    def key(self) -> str:
        """The stable name of this row, such as the value of its check box; unique within terms."""
        narrowing = self.derived or "+".join(self.fields or ()) or ("resources" if self.resources else "")
        return f"{self.category}#{narrowing}" if narrowing else self.category

    @property
    def compartment(self) -> str:
        """The category whose key the grant receives: a derived answer never opens its source."""
        return "kluis:Answers" if self.derived else self.category

    @property
    def rung(self) -> categories.Rung:
        """Where this row stands on the minimisation ladder; 1 is least. Raises ``KeyError`` on an unknown answer."""
        if self.derived:
            return categories.category(self.category).answers[self.derived].rung
        return 4 if self.resources else 3 if self.fields else 5

    @property
    def answer_path(self) -> str:
        """The pod path at which this row's derived answer is stored: source, name and limits tell answers apart:
        what one app may know from all her records is not what another may from the last ones.
        """
        source = categories.category(self.category).container.rstrip("/")
        return (
            "/answers/" + "-".join(part for part in (source, self.derived, self.window, self.since) if part) + ".jsonld"
        )


@dataclass(frozen=True, slots=True)
class Terms:
    """What a grant covers: who, why, which data, which actions, until when (``expires``: ms UTC, exclusive).

    ``pod`` is the pod's name, ``""`` while it is "the pod of whoever decides". Kind ``rar`` uses ``data`` and
    ``actions``; kind ``solid`` uses ``containers``, ``modes`` and ``elsewhere``. Contradictions raise ``BadTerms``.
    ``acr`` and ``auth_time`` (ms UTC) say how sure the server was of who decided (consent.assurance), ``""`` and 0 of
    what nobody has decided yet.
    ``client_hash``: ``Client.digest`` of the app as it was shown (base64url); ``""`` binds to the client's id alone.
    """

    client: str
    client_name: str
    controller: str
    purpose_code: str
    purpose_version: str
    purpose_text: Mapping[str, str]
    legal_basis: str
    pod: str
    expires: int
    data: tuple[Datum, ...] = ()
    actions: tuple[str, ...] = ()
    mode: Literal["once", "session", "ongoing"] = "ongoing"
    max_uses: int | None = None
    max_per_day: int | None = None
    retention: str = "P0D"
    recipients: tuple[Mapping[str, str], ...] = ()
    processing: tuple[str, ...] = ()
    automated: str = "none"
    storage: Mapping[str, str] | None = None
    kind: Kind = "rar"
    modes: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    elsewhere: bool = False
    acr: str = ""
    auth_time: int = 0
    client_hash: str = ""

    def __post_init__(self) -> None:
        if self.kind not in ("rar", "solid") or self.mode not in MODES:
            raise BadTerms("unknown kind or mode")
        if self.mode == "once" and self.max_uses != 1:
            raise BadTerms("once is one use")
        if len({datum.key for datum in self.data}) != len(self.data):
            raise BadTerms("the same row twice")
        if not set(self.actions) <= set(ACTIONS) or not set(self.modes) <= set(SOLID_MODES):
            raise BadTerms("unknown action or mode of access")
        if self.kind == "solid" and (self.data or self.actions):
            raise BadTerms("a solid grant lists containers, not data")

    @property
    def compartments(self) -> tuple[str, ...]:
        """The categories whose compartment keys this grant needs, each once, in order."""
        return tuple(dict.fromkeys(datum.compartment for datum in self.data))

    def for_pod(self, name: str) -> Self:
        """These terms with the real pod; raises ``OAuthError`` ``access_denied`` if they name another one."""
        if self.pod not in ("", name):
            raise OAuthError("access_denied", "The request names the pod of someone else.")
        return replace(self, pod=name)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, fit for canonical JSON; ``from_json`` gives back an equal value."""
        plain = asdict(self)
        plain["data"] = [
            {name: list(value) if isinstance(value, tuple) else value for name, value in row.items()}
            for row in plain["data"]
        ]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Terms from ``to_json``; raises ``BadTerms`` when they do not fit."""
        try:
            rows = tuple(Datum(**_tuples(row)) for row in stored["data"])
            return cls(**{**_tuples(stored), "data": rows})
        except (KeyError, TypeError) as broken:
            raise BadTerms("stored terms are incomplete") from broken


def _tuples(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
