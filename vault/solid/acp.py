"""Access Control Policy (text of May 2022): an Access Control Resource, compiled to the one policy.

Read strictly: a policy or matcher described in another document, an attribute beyond ATTRIBUTES (`acp:vc` among them)
and `acp:CreatorAgent` are unknown, so they never give and always deny. Who may read and write the resource itself:
`acl:Control` in what `acp:apply` names, or `acl:Read` and `acl:Write` in what `acp:access` names.
"""

from vault.solid.graph import TYPE, Graph
from vault.solid.policy import AUTHENTICATED, CREATOR, MODES, OWNER, PUBLIC, UNKNOWN, Matcher, Policy, Trait, What
from vault.solid.wac import ACL, KLUIS, code

ACP = "http://www.w3.org/ns/solid/acp#"
RESOURCE = ACP + "AccessControlResource"
GRANT, ATTRIBUTE = ACP + "grant", ACP + "attribute"
MODE_IRIS = {ACL + mode.capitalize(): mode for mode in MODES}
ATTRIBUTES: dict[str, What] = {
    ACP + "agent": "agent",
    ACP + "client": "client",
    ACP + "issuer": "issuer",
    KLUIS + "origin": "origin",
    KLUIS + "purpose": "purpose",
    KLUIS + "agentGroup": "agent",
    KLUIS + "clientGroup": "client",
    KLUIS + "issuerGroup": "issuer",
}
"""The attributes of matchers that are evaluated, advertised by `Link` with rel ATTRIBUTE (7.2). Ours narrow alike."""
_NAMED = {
    **{ACP + f"Public{who}": PUBLIC for who in ("Agent", "Client", "Issuer")},
    **{ACP + f"Authenticated{who}": AUTHENTICATED for who in ("Agent", "Client", "Issuer")},
    ACP + "OwnerAgent": OWNER,
    ACP + "CreatorAgent": CREATOR,
}
_ITSELF = {"read": "control read", "write": "control write", "control": "control"}
_LINKS = [
    ACP + name for name in ("accessControl", "memberAccessControl", "apply", "access", "allOf", "anyOf", "noneOf")
]
_ROOTS = {ACP + name for name in ("accessControl", "memberAccessControl", "resource")}


def speaks(graph: Graph) -> bool:
    """Whether a document is an Access Control Resource, and not a WAC list."""
    return any(graph.predicates(node) & _ROOTS or RESOURCE in graph.named(node, TYPE) for node in graph.subjects())


def read_acr(graph: Graph, target: str) -> tuple[tuple[Policy, ...], tuple[Policy, ...]]:
    """The policies of the resource `target`, and those of everything below it."""
    about = [node for node in graph.subjects() if _about(graph, node, target)]
    own, below = (
        {control for node in about for control in graph.named(node, ACP + name)}
        for name in ("accessControl", "memberAccessControl")
    )
    return _applied(graph, own, target), _applied(graph, below, target)


def alone(graph: Graph, target: str) -> bool:
    """Whether nothing above counts here (`kluis:alone true`, our own word): what a list of WAC that it was made from
    kept out must not come in.
    """
    about = (node for node in graph.subjects() if _about(graph, node, target))
    return any("true" in graph.literals(node, KLUIS + "alone") for node in about)


def elsewhere(graph: Graph, target: str) -> bool:
    """Whether the document applies something that is described in another one, which nobody here reads."""
    links = [
        ACP + name for name in ("accessControl", "memberAccessControl", "apply", "access", "allOf", "anyOf", "noneOf")
    ]
    named = (one for node in graph.subjects() for link in links for one in graph.named(node, link))
    return not all(_here(one, target) for one in named)


def _about(graph: Graph, node: str, target: str) -> bool:
    """A resource says what it is about, or it is the document itself."""
    return target in (graph.named(node, ACP + "resource") or ({target} if node == target + ".acl" else set()))


def _here(name: str, target: str) -> bool:
    return name.startswith(("_:", target + ".acl#")) or name == target + ".acl"


def _applied(graph: Graph, controls: set[str], target: str) -> tuple[Policy, ...]:
    found = []
    for control in sorted(controls):
        found += [_policy(graph, one, target, MODE_IRIS) for one in sorted(graph.named(control, ACP + "apply"))]
        itself = {iri: _ITSELF[mode] for iri, mode in MODE_IRIS.items() if mode in _ITSELF}
        found += [_policy(graph, one, target, itself) for one in sorted(graph.named(control, ACP + "access"))]
        if not _here(control, target):
            found.append(_CLOSED)
    return tuple(found)


_CLOSED = Policy(deny=frozenset(MODES), any_of=(UNKNOWN,))


def _policy(graph: Graph, node: str, target: str, words: dict[str, str]) -> Policy:
    if not _here(node, target):
        return _CLOSED
    allow, deny = (
        frozenset(words[iri] for iri in graph.named(node, ACP + verb) if iri in words) for verb in ("allow", "deny")
    )
    matchers = (
        tuple(_matcher(graph, one, target) for one in sorted(graph.named(node, ACP + name)))
        for name in ("allOf", "anyOf", "noneOf")
    )
    return Policy(allow, deny, *matchers)


def _matcher(graph: Graph, node: str, target: str) -> Matcher:
    if not _here(node, target):
        return UNKNOWN
    said = graph.predicates(node)
    known = [_trait(graph, node, term) for term in sorted(said & ATTRIBUTES.keys())]
    return tuple(known) if said <= ATTRIBUTES.keys() else (*known, *UNKNOWN)


def _trait(graph: Graph, node: str, term: str) -> Trait:
    named, what = graph.named(node, term), ATTRIBUTES[term]
    if term.endswith("Group"):
        return Trait(what, groups=named)
    if what == "purpose":
        return Trait(what, frozenset(map(code, named | graph.literals(node, term))))
    if what == "origin":
        return Trait(what, frozenset(one.rstrip("/") for one in named))
    return Trait(what, frozenset(_NAMED.get(one, one) for one in named))
