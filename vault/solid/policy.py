"""Who may what, as values: the one policy that both access languages (WAC, ACP) compile to, and its one evaluation.

A test is true, false, or unknown: something that this server does not understand or cannot see. What is unknown never
widens: it does not fulfil what allows, and it does fulfil what denies.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

MODES = ("read", "write", "append", "control")
PUBLIC, AUTHENTICATED, OWNER, CREATOR = "everybody", "somebody", "owner", "creator"
"""What a value can be that is no name; no absolute IRI and no purpose code is one of these words."""
_CONTROL = frozenset({"control read", "control write"})
_PORTS = {"http": ":80", "https": ":443"}
Truth = bool | None
What = Literal["agent", "client", "issuer", "origin", "purpose", "unknown"]
Members = Mapping[str, frozenset[str]]
"""Groups by IRI, and the IRIs of their members. A group that is not in it cannot be seen from here."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks and with what: WebID, client id, issuer and `Origin` as sent, purpose code of the grant; None if absent.

    With `open`, what is None except the agent may be anything: what such an asker is granted, she has with every app.
    """

    agent: str | None = None
    client: str | None = None
    issuer: str | None = None
    origin: str | None = None
    purpose: str | None = None
    open: bool = False


NOBODY = Asker()


@dataclass(frozen=True, slots=True)
class Trait:
    """One attribute of the asker, which must be among these values or a member of one of these groups (IRIs)."""

    what: What
    values: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


Matcher = tuple[Trait, ...]
"""Tests that all hold; one without tests never matches."""
UNKNOWN: Matcher = (Trait("unknown"),)


@dataclass(frozen=True, slots=True)
class Policy:
    """Modes allowed and denied to whom every one of `all_of`, one of `any_of` (if any) and none of `none_of` matches.

    Without `all_of` and `any_of` it applies to nobody (ACP 6.4). Besides MODES there are "control read" and
    "control write": together they are control.
    """

    allow: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()
    all_of: tuple[Matcher, ...] = ()
    any_of: tuple[Matcher, ...] = ()
    none_of: tuple[Matcher, ...] = ()

    @property
    def groups(self) -> frozenset[str]:
        """The groups that it names."""
        matchers = (*self.all_of, *self.any_of, *self.none_of)
        return frozenset(group for matcher in matchers for test in matcher for group in test.groups)


def granted(policies: Iterable[Policy], asker: Asker, owner: str, members: Members) -> frozenset[str]:
    """The modes that policies give: what one allows and none denies. Write brings append, unless that is denied.

    `owner` is the WebID of the pod's citizen.
    """
    allowed: set[str] = set()
    denied: set[str] = set()
    for policy in policies:
        said = _satisfied(policy, asker, owner, members)
        allowed |= policy.allow if said is True else set()
        denied |= policy.deny if said is not False else set()
    if allowed >= _CONTROL:
        allowed.add("control")
    if denied & _CONTROL:
        denied.add("control")
    found = allowed - denied
    if "write" in found and "append" not in denied:
        found.add("append")
    return frozenset(found).intersection(MODES)


def spelled(issuer: str) -> str:
    """One spelling of an issuer: scheme and host in lower case, no default port, no last slash."""
    try:
        parts = urlsplit(issuer)
    except ValueError:
        return issuer
    host = parts.netloc.lower().removesuffix(_PORTS.get(parts.scheme, "\0"))
    rest = parts.path.rstrip("/") + (f"?{parts.query}" if parts.query else "")
    return f"{parts.scheme}://{host}{rest}" if host else issuer


def _satisfied(policy: Policy, asker: Asker, owner: str, members: Members) -> Truth:
    if not policy.all_of and not policy.any_of:
        return False

    def each(matchers: Iterable[Matcher]) -> list[Truth]:
        return [_matches(matcher, asker, owner, members) for matcher in matchers]

    some = [_one(each(policy.any_of))] if policy.any_of else []
    return _every([*each(policy.all_of), *some, _not(_one(each(policy.none_of)))])


def _matches(matcher: Matcher, asker: Asker, owner: str, members: Members) -> Truth:
    return bool(matcher) and _every([_holds(test, asker, owner, members) for test in matcher])


def _holds(test: Trait, asker: Asker, owner: str, members: Members) -> Truth:
    if test.what == "unknown":
        return None
    if PUBLIC in test.values:
        return True
    known: str | None = getattr(asker, test.what)
    if known is None:
        return None if asker.open and test.what != "agent" else False
    if AUTHENTICATED in test.values or (OWNER in test.values and known == owner):
        return True
    listed = test.values.union(*(members.get(group, frozenset()) for group in test.groups))
    if known in listed or (test.what == "issuer" and spelled(known) in map(spelled, listed)):
        return True
    # Who made a resource is not kept, and a group that nobody here can read may hold anybody.
    return None if CREATOR in test.values or not test.groups <= members.keys() else False


def _every(said: Iterable[Truth]) -> Truth:
    found = list(said)
    return False if False in found else None if None in found else True


def _one(said: Iterable[Truth]) -> Truth:
    found = list(said)
    return True if True in found else None if None in found else False


def _not(said: Truth) -> Truth:
    return None if said is None else not said
