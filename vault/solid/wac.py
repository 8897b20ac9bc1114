"""Web Access Control (text of April 2026): a list, compiled to the one policy. Union of authorizations, no deny.

`acl:agent`, `acl:agentClass`, `acl:agentGroup`, `acl:accessTo`, `acl:default`, and `acl:condition` with the types in
CONDITIONS, all of which must hold. An authorization with a condition of another type never applies: leaving it out, as
the text says (7.3), would give more than its author did (docs/decisions/0027). One that names an `acl:origin` applies
to requests that carry it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from vault.solid.graph import TYPE, Graph
from vault.solid.policy import (
    AUTHENTICATED,
    MODES,
    PUBLIC,
    UNKNOWN,
    Asker,
    Matcher,
    Members,
    Policy,
    Trait,
    What,
    granted,
)
from vault.solid.rdf import TURTLE, statements

ACL = "http://www.w3.org/ns/auth/acl#"
KLUIS = "urn:kluis:ns:"
CONDITION = ACL + "condition"
_TESTS: dict[str, tuple[What, str]] = {
    ACL + "ClientCondition": ("client", ACL),
    ACL + "IssuerCondition": ("issuer", ACL),
    KLUIS + "PurposeCondition": ("purpose", KLUIS),
}
_ENDS = ("", "Class", "Group")
CONDITIONS = tuple(_TESTS)
"""The types of condition that are evaluated, advertised by `Link` with rel CONDITION (3.2)."""
_EVERYBODY = "http://xmlns.com/foaf/0.1/Agent"
_CLASSES = {_EVERYBODY: PUBLIC, ACL + "AuthenticatedAgent": AUTHENTICATED}
_PREFIXES = {"https://w3id.org/dpv#": "dpv:", KLUIS: "kluis:"}
_MODE_IRIS = {ACL + mode.capitalize(): mode for mode in MODES}
_UNSAFE_IN_IRI = frozenset('<>"{}|^`\\')


@dataclass(frozen=True)
class Authorization:
    """One applicable authorization of a list: its policy, and the absolute IRIs it is about."""

    policy: Policy
    access_to: frozenset[str]
    default: frozenset[str]


Rules = tuple[Authorization, ...]


def parse_acl(body: bytes, base: str, media: str = TURTLE) -> Rules:
    """The authorizations of a list at `base` that can apply to somebody. Raises BadRdf."""
    return read_acl(Graph(statements(body, media, base)))


def read_acl(graph: Graph) -> Rules:
    """The authorizations among these statements."""
    groups = graph.members()
    return tuple(
        _authorization(graph, node, groups)
        for node in graph.subjects()
        if ACL + "Authorization" in graph.named(node, TYPE)
    )


def policies(rules: Rules, inherited: bool, target: str) -> tuple[Policy, ...]:
    """What counts of a list for `target`, the IRI whose list it is.

    `inherited` False: the list is the resource's own and only `acl:accessTo` target counts. True: it belongs to the
    nearest container above that has one and only `acl:default` target counts.
    """
    return tuple(rule.policy for rule in rules if target in (rule.default if inherited else rule.access_to))


def modes(rules: Rules, asker: Asker, inherited: bool, target: str, members: Members | None = None) -> frozenset[str]:
    """The modes of an asker by one list; `inherited` and `target` as in `policies`. Write includes append."""
    return granted(policies(rules, inherited, target), asker, "", members or {})


def code(name: str) -> str:
    """A purpose as the registry writes it (`dpv:...`), from that or from its full IRI."""
    for iri, prefix in _PREFIXES.items():
        if name.startswith(iri):
            return prefix + name.removeprefix(iri)
    return name


def _authorization(graph: Graph, node: str, groups: Members) -> Authorization:
    def named(term: str) -> frozenset[str]:
        return graph.named(node, ACL + term)

    allowed = frozenset(_MODE_IRIS[iri] for iri in named("mode") if iri in _MODE_IRIS)
    who = _among("agent", named("agent"), named("agentClass"), named("agentGroup"), groups)
    narrowed = [(who,), *(_condition(graph, one, groups) for one in graph.named(node, CONDITION))]
    if graph.literals(node, CONDITION):
        narrowed.append(UNKNOWN)
    if ACL + "origin" in graph.predicates(node):
        narrowed.append((Trait("origin", frozenset(origin.rstrip("/") for origin in named("origin"))),))
    return Authorization(Policy(allowed, all_of=tuple(narrowed)), named("accessTo"), named("default"))


def _condition(graph: Graph, node: str, groups: Members) -> Matcher:
    """What must hold beside the agent. What is said of a condition beyond what is understood may narrow it further."""
    kinds = graph.named(node, TYPE) - {ACL + "Condition"}
    known = {space + what + end for what, space in _TESTS.values() for end in _ENDS[: 3 if space == ACL else 1]}
    if not kinds or not kinds <= _TESTS.keys() or not graph.predicates(node) <= known:
        return UNKNOWN
    return tuple(_test(graph, node, *_TESTS[kind], groups) for kind in sorted(kinds))


def _test(graph: Graph, node: str, what: What, space: str, groups: Members) -> Trait:
    if what == "purpose":
        named = graph.named(node, space + what) | graph.literals(node, space + what)
        return Trait("purpose", frozenset(code(one) for one in named))
    values, classes, listed = (graph.named(node, space + what + end) for end in _ENDS)
    return _among(what, values, classes & {_EVERYBODY}, listed, groups)


def _among(what: What, values: frozenset[str], classes: frozenset[str], groups: frozenset[str], here: Members) -> Trait:
    """One of these, of these classes or of these groups. A group that the list itself describes is read there."""
    found = values | {_CLASSES[one] for one in classes if one in _CLASSES}
    found = found.union(*(here[group] for group in groups if group in here))
    return Trait(what, found, groups - here.keys())


def owner_acl(webid: str, target: str, public: Iterable[str] = ()) -> bytes:
    """The list that gives `webid` every mode on `target` and what lies in it, and everybody the modes in `public`.

    `target` is absolute; ValueError if a name could not stand in Turtle.
    """
    blocks = [_block("owner", f"acl:agent <{in_turtle(webid)}>", target, MODES)]
    if allowed := tuple(public):
        blocks.append(_block("public", f"acl:agentClass <{_EVERYBODY}>", target, allowed))
    return (f"@prefix acl: <{ACL}> .\n" + "".join(blocks)).encode()


def _block(name: str, subject: str, target: str, allowed: Iterable[str]) -> str:
    place = f"acl:accessTo <{in_turtle(target)}>" + (f" ; acl:default <{target}>" if target.endswith("/") else "")
    named = ", ".join(f"acl:{mode.capitalize()}" for mode in allowed)
    return f"<#{name}> a acl:Authorization ; {subject} ; {place} ; acl:mode {named} .\n"


def in_turtle(name: str) -> str:
    """A name as it may stand between angle brackets. Raises ValueError."""
    if not name.isprintable() or " " in name or _UNSAFE_IN_IRI & set(name):
        raise ValueError("a name that cannot stand in Turtle")
    return name


def wac_allow(user: Iterable[str], public: Iterable[str]) -> str:
    """The `WAC-Allow` value for the agent's own modes and everybody's, in a fixed order."""
    groups = {"user": set(user), "public": set(public)}
    return ",".join(f'{who}="{" ".join(m for m in MODES if m in found)}"' for who, found in groups.items())
