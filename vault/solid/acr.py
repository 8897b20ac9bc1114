"""Writing an Access Control Resource: the policies of a resource in ACP's words, for programs that read only those.

What reads and writes the resource itself is told in `acp:access`, where @inrupt/solid-client looks for it. A policy
with something unknown in it gives nobody anything and is left out.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import product

from vault.solid.acp import ACP
from vault.solid.policy import AUTHENTICATED, CREATOR, MODES, OWNER, PUBLIC, Matcher, Policy, Trait
from vault.solid.wac import ACL, KLUIS, in_turtle

_HEAD = f"@prefix acl: <{ACL}> .\n@prefix acp: <{ACP}> .\n@prefix kluis: <{KLUIS}> .\n"
_PARTS = (("allOf", "all_of"), ("anyOf", "any_of"), ("noneOf", "none_of"))


def write_acr(own: Iterable[Policy], below: Iterable[Policy], target: str, *, alone: bool) -> bytes:
    """The resource in Turtle that gives what these policies give on `target` (absolute) and on what lies below it.

    `alone`: instead of what stands above it, not besides. Raises ValueError for a name that cannot stand in Turtle.
    """
    lines = [f"<> a acp:AccessControlResource ; acp:resource <{in_turtle(target)}>{' ; kluis:alone true' * alone} ."]
    for name, link, policies in (("own", "accessControl", own), ("below", "memberAccessControl", below)):
        told = [one for policy in policies for one in _plain(policy)]
        if told:
            lines.append(f"<> acp:{link} <#{name}> .\n<#{name}> a acp:AccessControl .")
        for number, policy in enumerate(told, 1):
            lines += _policy(name, f"{name}{number}", policy)
    return (_HEAD + "\n".join(lines) + "\n").encode()


def _policy(control: str, name: str, policy: Policy) -> Iterator[str]:
    """One policy for the resource's content, and one for the resource about it, as far as each says something."""
    itself = {"control", "control read", "control write"}
    if (policy.allow | policy.deny) - itself:
        yield from _node(control, "apply", name, policy, lambda mode: mode if mode in MODES[:3] else None)
    if (policy.allow | policy.deny) & itself:
        told = replace(policy, allow=_spread(policy.allow), deny=_spread(policy.deny))
        yield from _node(control, "access", name + "acr", told, lambda mode: mode.partition("control ")[2] or None)


def _spread(modes: frozenset[str]) -> frozenset[str]:
    return modes | {"control read", "control write"} if "control" in modes else modes


def _node(control: str, link: str, name: str, policy: Policy, word: Callable[[str], str | None]) -> Iterator[str]:
    said = [f"<#{control}> acp:{link} <#{name}> .\n<#{name}> a acp:Policy"]
    for verb, modes in (("allow", policy.allow), ("deny", policy.deny)):
        if named := sorted({told.capitalize() for mode in modes if (told := word(mode))}):
            said.append(f"acp:{verb} {', '.join(f'acl:{mode}' for mode in named)}")
    matchers: list[str] = []
    for term, part in _PARTS:
        for number, matcher in enumerate(getattr(policy, part), 1):
            node = f"<#{name}{term}{number}>"
            said.append(f"acp:{term} {node}")
            matchers.append(f"{node} a acp:Matcher ; {' ; '.join(map(_trait, matcher))} .")
    yield " ; ".join(said) + " ."
    yield from matchers


def _trait(trait: Trait) -> str:
    """One attribute of a matcher; it has values or groups, never both (`_plain`)."""
    if trait.groups:
        return f"kluis:{trait.what}Group {_list(trait.groups)}"
    if trait.what == "purpose":
        return f"kluis:purpose {', '.join(sorted(_literal(one) for one in trait.values))}"
    if trait.what == "origin":
        return f"kluis:origin {_list(trait.values)}"
    who = trait.what.capitalize()
    words = {PUBLIC: f"Public{who}", AUTHENTICATED: f"Authenticated{who}", OWNER: "OwnerAgent", CREATOR: "CreatorAgent"}
    return f"acp:{trait.what} " + _list(frozenset(ACP + words[one] if one in words else one for one in trait.values))


def _list(names: frozenset[str]) -> str:
    return ", ".join(f"<{in_turtle(name)}>" for name in sorted(names))


def _literal(text: str) -> str:
    if not text.isprintable() or set('"\\') & set(text):
        raise ValueError("a code that cannot stand in Turtle")
    return f'"{text}"'


def _plain(policy: Policy) -> Iterator[Policy]:
    """The same in policies whose attributes each have values or groups; none for what nobody can fulfil."""
    if policy.any_of or policy.none_of:
        if all(_sayable(one) for one in (*policy.all_of, *policy.any_of, *policy.none_of)):
            yield policy
        return
    for choice in product(*(product(*map(_ways, matcher)) for matcher in policy.all_of)):
        if choice and all(_sayable(matcher) for matcher in choice):
            yield replace(policy, all_of=choice)


def _ways(trait: Trait) -> list[Trait]:
    by_value = [replace(trait, groups=frozenset())] if trait.values or trait.what == "unknown" else []
    return by_value + ([replace(trait, values=frozenset())] if trait.groups else [])


def _sayable(matcher: Matcher) -> bool:
    names = (name for trait in matcher for name in (*trait.values, *trait.groups))
    return all(trait.what != "unknown" and bool(trait.values) != bool(trait.groups) for trait in matcher) and not any(
        name.startswith("_:") for name in names
    )
