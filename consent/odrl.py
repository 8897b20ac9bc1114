"""Access requests and grants of Linked Web Storage (policies after ODRL) as our authorization details, and back.

Strictly: what a request says and we have no word for is refused with the place where it says so; nothing is guessed.
What our detail needs and the draft has no word for, a request says under RAR_TYPE; what a pushed request carries
(RFC 9126) it says under PAR. The draft: `lws10-core`, Access Requests and Grants (vault.solid.lws.VERSION).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from consent import incoming, purposes
from consent.categories import CATEGORIES, Category
from consent.errors import BadAccess
from consent.oauth import rar
from consent.oauth.clients import Client
from consent.schema import RAR_TYPE
from consent.terms import Terms

ODRL: Final = "http://www.w3.org/ns/odrl/2/"
CONTEXT: Final = "https://www.w3.org/ns/lws/v1"
PAR: Final = "urn:kluis:lws:par"
ACTIONS: Final = {"read": "read", "create": "append", "modify": "write", "delete": "delete"}
"""The draft's word for an action, and ours."""
MODES: Final = {"read": ["read"], "append": ["create"], "write": ["modify", "delete"]}
"""What a mode of a plain Solid app is in the draft's words; `control` has none."""
OPERATORS: Final = {"purpose": "eq", "dateTime": "lteq", "client": "eq"}
"""The constraints that can be kept, each with the one operator that it may have."""
CONTAINERS: Final = {kind.container: kind for kind in CATEGORIES.values() if kind.container}
_REQUEST: Final = frozenset({"@context", "type", "storage", "access", PAR})
_POLICY: Final = frozenset({"type", "action", "assignee", "target", "constraint", RAR_TYPE})
_MORE: Final = frozenset(
    {"legal_basis", "retention", "recurrence", "recipients", "processing", "automated_decision", "storage"}
)
_PUSHED: Final = frozenset(
    {"client_id", "client_assertion", "client_assertion_type", "redirect_uri", "response_type", "response_mode",
     "code_challenge", "code_challenge_method", "dpop_jkt", "state", "nonce", "scope"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """An access request as it was sent: the storage's address, its one policy, the parameters of a pushed request."""

    storage: str
    policy: Mapping[str, Any]
    par: Mapping[str, str]


def read(body: bytes) -> Wanted:
    """An access request. Raises BadAccess; who sent it and whether it may be asked is checked by others."""
    try:
        said = incoming.read(body)
    except ValueError:
        raise BadAccess("the body is not JSON") from None
    said = _object(said, "the top", _REQUEST)
    _typed(said, "type", "AccessRequest", {"AccessRequest", ODRL + "Request", ODRL + "Offer"})
    if CONTEXT not in _texts(said.get("@context"), "@context"):
        raise BadAccess(f"@context: {CONTEXT} is missing")
    access = said.get("access")
    if not isinstance(access, list) or len(access) != 1:
        raise BadAccess("access: exactly one policy, since one purpose is one decision")
    policy = _object(access[0], "access/0", _POLICY)
    _typed(policy, "access/0/type", "AccessPolicy", {"AccessPolicy"})
    par = _object(said.get(PAR), PAR, _PUSHED)
    if not all(isinstance(value, str) for value in par.values()):
        raise BadAccess(f"{PAR}: every parameter is a text")
    return Wanted(_text(said.get("storage"), "storage"), policy, {name: value for name, value in par.items() if value})


def details(wanted: Wanted, client: Client, base: str) -> str:
    """The `authorization_details` parameter (RFC 9396) that asks for exactly this. Raises BadAccess.

    The registries and the app's registration have the last word on it (consent.request.parse).
    """
    root = wanted.storage
    if not root.startswith(f"{base}/pods/") or root == f"{base}/pods/" or not root.endswith("/"):
        raise BadAccess("storage: not a storage of this server")
    policy = wanted.policy
    if policy.get("assignee") != client.controller:
        raise BadAccess("access/0/assignee: not the controller that this client is registered with")
    limits = _constraints(policy.get("constraint"), client)
    detail = {
        **_object(policy.get(RAR_TYPE), f"access/0/{RAR_TYPE}", _MORE),
        "type": RAR_TYPE,
        "locations": [root],
        "actions": _actions(policy.get("action")),
        "datatypes": _rows(policy.get("target"), root),
        "purpose": _purpose(limits["purpose"], client),
        "controller": client.controller,
        "expires": limits["dateTime"],
    }
    return orjson.dumps([detail]).decode()


def policy(terms: Terms, base: str) -> dict[str, Any]:
    """Terms as one policy. What the draft's words cannot tell of them, such as fields, stands under RAR_TYPE."""
    location = f"{base}/pods/{terms.pod}"
    until = datetime.fromtimestamp(terms.expires / 1000, UTC).isoformat().replace("+00:00", "Z")
    told = rar.granted(terms, base)
    return {
        "type": ["AccessPolicy"],
        "action": _said(terms),
        "assignee": terms.controller,
        "target": {"type": "StorageResource", "value": [location + path for path in _reach(terms)]},
        "constraint": [
            _limit("purpose", terms.purpose_code.replace("dpv:", purposes.DPV, 1)),
            _limit("dateTime", until),
            _limit("client", terms.client),
        ],
        **({RAR_TYPE: told[0]} if told else {}),
    }


def _limit(what: str, value: str) -> dict[str, str]:
    return {"leftOperand": what, "operator": OPERATORS[what], "rightOperand": value}


def _said(terms: Terms) -> list[str]:
    """The actions in the draft's words; one that it has no word for keeps ours."""
    if terms.kind == "solid":
        return [word for mode in terms.modes for word in MODES.get(mode, [f"urn:kluis:action:{mode}"])]
    words = {ours: word for word, ours in ACTIONS.items()}
    return [words.get(action, f"urn:kluis:action:{action}") for action in terms.actions]


def _reach(terms: Terms) -> list[str]:
    """The pod paths that terms are about."""
    if terms.kind == "solid":
        return list(terms.containers)
    found: dict[str, None] = {}
    for row in terms.data:
        whole = (f"/{CATEGORIES[row.category].container}",)
        found |= dict.fromkeys((row.answer_path,) if row.derived else row.resources or whole)
    return list(found)


def _actions(said: object) -> list[str]:
    words = _texts(said, "access/0/action")
    if not words or not set(words) <= set(ACTIONS) or isinstance(said, str):
        raise BadAccess(f"access/0/action: a list of {', '.join(ACTIONS)}")
    return [ACTIONS[word] for word in words]


def _rows(said: object, root: str) -> list[dict[str, Any]]:
    """A row for each registered container, or for those single resources of it that are named."""
    target = _object(said, "access/0/target", frozenset({"type", "value"}))
    kind, places = target.get("type"), _texts(target.get("value"), "access/0/target/value")
    if kind not in ("StorageResource", "DataResource") or not places:
        raise BadAccess("access/0/target: a StorageResource or DataResource with at least one address")
    rows: dict[str, dict[str, Any]] = {}
    for place in places:
        path = place.removeprefix(root) if place.startswith(root) else ""
        found = CONTAINERS.get(path.partition("/")[0] + "/")
        whole = found is not None and path == found.container
        if found is None or (whole and kind == "DataResource") or (not whole and path.endswith("/")):
            raise BadAccess("access/0/target/value: the container of a category of this storage, or a resource in it")
        _add(rows, found, place, whole=whole)
    return list(rows.values())


def _add(rows: dict[str, dict[str, Any]], kind: Category, place: str, *, whole: bool) -> None:
    curie = kind.curie
    if curie in rows and (whole or "resources" not in rows[curie]):
        raise BadAccess("access/0/target/value: an address twice, or one that lies within another")
    special = {"special": True} if kind.special else {}
    row = rows.setdefault(curie, {"category": curie, "necessity": "required", **special})
    if not whole:
        row.setdefault("resources", []).append(place)


def _constraints(said: object, client: Client) -> dict[str, str]:
    if not isinstance(said, list):
        raise BadAccess("access/0/constraint: a purpose and an end are needed")
    found: dict[str, str] = {}
    for one in said:
        limit = _object(one, "access/0/constraint", frozenset({"leftOperand", "operator", "rightOperand"}))
        what = limit.get("leftOperand")
        if not isinstance(what, str) or what not in OPERATORS or limit.get("operator") != OPERATORS[what]:
            able = ", ".join(f"{name} {operator}" for name, operator in OPERATORS.items())
            raise BadAccess(f"access/0/constraint: what can be kept here is {able}")
        if what in found:
            raise BadAccess("access/0/constraint: one of its kind, since one purpose is one decision")
        found[what] = _text(limit.get("rightOperand"), "access/0/constraint/rightOperand")
    if not {"purpose", "dateTime"} <= found.keys():
        raise BadAccess("access/0/constraint: a purpose and an end are needed")
    if found.get("client", client.client_id) != client.client_id:
        raise BadAccess("access/0/constraint: client is not the client that asks")
    return found


def _purpose(said: str, client: Client) -> dict[str, Any]:
    """The registered purpose of this code, in its newest version, word for word."""
    code = said.replace(purposes.DPV, "dpv:", 1) if said.startswith(purposes.DPV) else ""
    registered = [one for one in client.purposes if one.code == code]
    if not registered:
        raise BadAccess(f"access/0/constraint: no purpose of this client; a registered one as {purposes.DPV}...")
    newest = max(registered, key=lambda one: one.version)
    return {"code": code, "text": dict(newest.text), "version": newest.version}


def _object(said: object, where: str, known: frozenset[str]) -> dict[str, Any]:
    """An object without a member that we do not know: it could narrow what is asked."""
    if not isinstance(said, dict):
        raise BadAccess(f"{where}: an object is needed")
    if not said.keys() <= known:
        raise BadAccess(f"{where}: it may hold {', '.join(sorted(known))} and nothing else")
    return said


def _typed(said: Mapping[str, Any], where: str, needed: str, known: set[str]) -> None:
    found = _texts(said.get("type"), where)
    if needed not in found or not set(found) <= known:
        raise BadAccess(f"{where}: {needed} is needed, and no type that is not known here")


def _texts(said: object, where: str) -> list[str]:
    """A text, or a list of different texts."""
    found = [said] if isinstance(said, str) else said
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found) or len(set(found)) != len(found):
        raise BadAccess(f"{where}: a list of different texts")
    return found


def _text(said: object, where: str) -> str:
    if not isinstance(said, str) or not said:
        raise BadAccess(f"{where}: a text is needed")
    return said
