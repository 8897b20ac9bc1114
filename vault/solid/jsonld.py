"""JSON-LD without the network: contexts are inline maps of term to IRI, or a name that stands for a map of ours.

JSON-LD 1.1 lets a context load others, change with a term and spread; none of that is needed here and each is a way to
make a server fetch or a reader see something else, so it is refused with the reason.
"""

import json
from typing import Any

from vault.solid.scan import MAX_PREFIXES, BadRdf

MAX_CONTEXTS = 100
XSD = "http://www.w3.org/2001/XMLSchema#"
_NAMES = {"id": "@id", "type": "@type"}


def _terms(prefix: str, names: str, kind: str = "") -> dict[str, Any]:
    """Terms of one vocabulary, `names` divided by blanks, their values of type `kind` (plain text if empty)."""
    if not kind:
        return {name: f"{prefix}:{name}" for name in names.split()}
    return {name: {"@id": f"{prefix}:{name}", "@type": kind} for name in names.split()}


_SCHEMA: dict[str, Any] = {"@vocab": "http://schema.org/", "schema": "http://schema.org/", **_NAMES}
_ACTIVITIES: dict[str, Any] = {
    "@vocab": "https://www.w3.org/ns/activitystreams#",
    "as": "https://www.w3.org/ns/activitystreams#",
    "ldp": "http://www.w3.org/ns/ldp#",
    **_NAMES,
    **_terms("as", "actor object target origin instrument outbox attributedTo to url", "@id"),
    **_terms("ldp", "inbox", "@id"),
    **_terms("as", "published updated startTime endTime", XSD + "dateTime"),
}
_NOTIFICATIONS: dict[str, Any] = {
    "notify": "http://www.w3.org/ns/solid/notifications#",
    **_NAMES,
    **_terms("notify", "channel channelType feature receiveFrom sendTo sender subscription topic", "@id"),
    **_terms("notify", "startAt endAt", XSD + "dateTime"),
    **_terms("notify", "accept rate state"),
}
_CLIENTS: dict[str, Any] = {
    "oidc": "http://www.w3.org/ns/solid/oidc#",
    "client_id": "@id",
    **_terms("oidc", "client_uri logo_uri policy_uri tos_uri redirect_uris", "@id"),
    **_terms("oidc", "client_name contacts grant_types response_types scope application_type"),
    **_terms("oidc", "token_endpoint_auth_method"),
    **_terms("oidc", "require_auth_time", XSD + "boolean"),
    **_terms("oidc", "default_max_age", XSD + "integer"),
}
_SCHEMA_NAMES = [f"{s}://schema.org{end}" for s in ("http", "https") for end in ("", "/", "/docs/jsonldcontext.jsonld")]

KNOWN: dict[str, dict[str, Any]] = {
    **dict.fromkeys(_SCHEMA_NAMES, _SCHEMA),
    "https://www.w3.org/ns/activitystreams": _ACTIVITIES,
    "https://www.w3.org/ns/solid/notification/v1": _NOTIFICATIONS,
    "https://www.w3.org/ns/solid/notifications-context/v1": _NOTIFICATIONS,
    "https://www.w3.org/ns/solid/oidc-context.jsonld": _CLIENTS,
}

_TEXT_KEYWORDS = {"@vocab", "@base", "@language", "@direction"}
_TERM_KEYWORDS = {"@id", "@type", "@container", "@language", "@direction", "@reverse", "@protected", "@prefix"}


def localise(body: bytes) -> bytes:
    """The document with every known context name replaced by our map; the same bytes if it names none.

    `body` has passed `scan`. Raises BadRdf: syntax, duplicate_name, unknown_context, context_form, too_many_prefixes.
    """
    document = _load(body)
    terms, named = 0, False
    for node in _with_contexts(document):
        node["@context"], replaced = _settle(node["@context"])
        terms += _count(node["@context"])
        named = named or replaced
        if terms > MAX_PREFIXES:
            raise BadRdf("too_many_prefixes", f"at most {MAX_PREFIXES} terms in all contexts")
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass") if named else body


def _load(body: bytes) -> Any:
    try:
        return json.loads(
            body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite
        )
    except json.JSONDecodeError as error:
        raise BadRdf("syntax", error.msg, error.lineno) from None
    except ValueError as error:  # a number longer than the interpreter reads
        raise BadRdf("syntax", str(error)) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A name given twice is read differently by different parsers, hence by different checks."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadRdf("duplicate_name", "a name stands twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise BadRdf("syntax", f"{name} is no JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise BadRdf("syntax", "a number too large to read")
    return number


def _with_contexts(document: Any) -> list[dict[str, Any]]:
    """Every object that has a `@context`, found without recursion; the contexts themselves are not searched."""
    found, waiting = [], [document]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if "@context" in node:
                found.append(node)
            waiting.extend(value for name, value in node.items() if name != "@context")
        elif isinstance(node, list):
            waiting.extend(node)
    if len(found) > MAX_CONTEXTS:
        raise BadRdf("context_form", f"at most {MAX_CONTEXTS} contexts")
    return found


def _settle(context: Any) -> tuple[Any, bool]:
    """A context that loads nothing, and whether a name was replaced in it."""
    if isinstance(context, list):
        if any(isinstance(part, list) for part in context):
            raise BadRdf("context_form", "a list of contexts inside another")
        settled = [_settle(part) for part in context]
        return [part for part, _ in settled], any(replaced for _, replaced in settled)
    if isinstance(context, str):
        if context not in KNOWN:
            raise BadRdf("unknown_context", f"{context[:200]} is never fetched; write its terms inline")
        return KNOWN[context], True
    if isinstance(context, dict):
        for term, meaning in context.items():
            _refuse_loading(term, meaning)
    elif context is not None:
        raise BadRdf("context_form", "a context is a map, a known name or null")
    return context, False


def _refuse_loading(term: str, meaning: Any) -> None:
    if term.startswith("@"):
        fine = (term in _TEXT_KEYWORDS and (meaning is None or isinstance(meaning, str))) or (
            (term == "@version" and meaning == 1.1) or (term == "@protected" and isinstance(meaning, bool))
        )
    elif isinstance(meaning, dict):
        fine = meaning.keys() <= _TERM_KEYWORDS
    else:
        fine = meaning is None or isinstance(meaning, str)
    if not fine:
        raise BadRdf("context_form", f"{term[:100]}: a context may only map terms to IRIs")


def _count(context: Any) -> int:
    parts = context if isinstance(context, list) else [context]
    return sum(len(part) for part in parts if part)
