"""Web Access Control: what a list allows an agent. Union of authorizations, no deny, an empty list allows nothing.

First cut of the 2026 text: `acl:agent`, `acl:agentClass` (`foaf:Agent`, `acl:AuthenticatedAgent`), `acl:accessTo`,
`acl:default`. An authorization narrowed by something not evaluated here (`acl:condition`, `acl:origin`) never applies:
leaving the condition out would widen it. Groups are not fetched, so `acl:agentGroup` allows nobody.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from vault.solid.rdf import TURTLE, statements

ACL = "http://www.w3.org/ns/auth/acl#"
MODES = ("read", "write", "append", "control")
_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
_EVERYBODY = "http://xmlns.com/foaf/0.1/Agent"
_LOGGED_IN = ACL + "AuthenticatedAgent"
_NARROWING = {ACL + "condition", ACL + "origin"}
_MODE_IRIS = {ACL + mode.capitalize(): mode for mode in MODES}
_UNSAFE_IN_IRI = frozenset('<>"{}|^`\\')


@dataclass(frozen=True)
class Authorization:
    """One applicable authorization of a list; all names are absolute IRIs."""

    modes: frozenset[str]
    agents: frozenset[str]
    classes: frozenset[str]
    access_to: frozenset[str]
    default: frozenset[str]

    def speaks_of(self, agent: str | None) -> bool:
        """Whether the agent (a WebID, None when nobody is logged in) is among its subjects."""
        if _EVERYBODY in self.classes:
            return True
        return agent is not None and (agent in self.agents or _LOGGED_IN in self.classes)


Rules = tuple[Authorization, ...]


def parse_acl(body: bytes, base: str, media: str = TURTLE) -> Rules:
    """The authorizations of a list at `base` that can apply to somebody. Raises BadRdf."""
    facts: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for statement in statements(body, media, base):
        # A literal is no agent, resource or mode: "http://an.example/#me" in quotes names nobody.
        facts[statement.subject][statement.predicate].add(statement.object if statement.iri else "")
    return tuple(_authorization(said) for said in facts.values() if _applies(said))


def _applies(said: dict[str, set[str]]) -> bool:
    return ACL + "Authorization" in said.get(_TYPE, ()) and not _NARROWING & said.keys()


def _authorization(said: dict[str, set[str]]) -> Authorization:
    def named(term: str) -> frozenset[str]:
        return frozenset(said.get(ACL + term, set()) - {""})

    modes = frozenset(_MODE_IRIS[iri] for iri in named("mode") if iri in _MODE_IRIS)
    return Authorization(modes, named("agent"), named("agentClass"), named("accessTo"), named("default"))


def modes(rules: Rules, agent: str | None, inherited: bool, target: str) -> frozenset[str]:
    """The modes of `agent` (WebID or None) on what `target` says: the IRI whose list this is.

    `inherited` False: the list is the resource's own and only `acl:accessTo` target counts. True: it belongs to the
    nearest container above that has one and only `acl:default` target counts. Write includes append.
    """
    found: set[str] = set()
    for rule in rules:
        if target in (rule.default if inherited else rule.access_to) and rule.speaks_of(agent):
            found |= rule.modes
    return frozenset(found | {"append"} if "write" in found else found)


def owner_acl(webid: str, target: str, public: Iterable[str] = ()) -> bytes:
    """The list that gives `webid` every mode on `target` and what lies in it, and everybody the modes in `public`.

    `target` is absolute; ValueError if a name could not stand in Turtle.
    """
    blocks = [_block("owner", f"acl:agent <{_iri(webid)}>", target, MODES)]
    if allowed := tuple(public):
        blocks.append(_block("public", f"acl:agentClass <{_EVERYBODY}>", target, allowed))
    return (f"@prefix acl: <{ACL}> .\n" + "".join(blocks)).encode()


def _block(name: str, subject: str, target: str, allowed: Iterable[str]) -> str:
    place = f"acl:accessTo <{_iri(target)}>" + (f" ; acl:default <{target}>" if target.endswith("/") else "")
    named = ", ".join(f"acl:{mode.capitalize()}" for mode in allowed)
    return f"<#{name}> a acl:Authorization ; {subject} ; {place} ; acl:mode {named} .\n"


def _iri(name: str) -> str:
    if not name.isprintable() or " " in name or _UNSAFE_IN_IRI & set(name):
        raise ValueError("a name that cannot stand in Turtle")
    return name


def wac_allow(user: Iterable[str], public: Iterable[str]) -> str:
    """The `WAC-Allow` value for the agent's own modes and everybody's, in a fixed order."""
    groups = {"user": set(user), "public": set(public)}
    return ",".join(f'{who}="{" ".join(m for m in MODES if m in found)}"' for who, found in groups.items())
