"""Access control lists: who may what, and what never widens."""

import pytest

from vault.solid.policy import Asker
from vault.solid.rdf import BadRdf
from vault.solid.wac import modes, owner_acl, parse_acl, wac_allow

ROOT = "http://localhost:8400/pods/an/"
BASE = ROOT + ".acl"
AN, BO = ROOT + "profile/card#me", "https://bo.example/card#me"
ALL = frozenset({"read", "write", "append", "control"})
PREFIXES = "@prefix acl: <http://www.w3.org/ns/auth/acl#>. @prefix foaf: <http://xmlns.com/foaf/0.1/>. "


def allowed(turtle: str, agent: str | None, inherited: bool = False, target: str = ROOT) -> frozenset[str]:
    return modes(parse_acl((PREFIXES + turtle).encode(), BASE), Asker(agent), inherited, target)


def test_the_owner_gets_every_mode_and_nobody_else_any() -> None:
    rules = parse_acl(owner_acl(AN, ROOT), BASE)
    assert modes(rules, Asker(AN), False, ROOT) == modes(rules, Asker(AN), True, ROOT) == ALL
    assert modes(rules, Asker(BO), False, ROOT) == modes(rules, Asker(None), True, ROOT) == frozenset()


def test_public_reading_is_for_everybody_and_only_reading() -> None:
    rules = parse_acl(owner_acl(AN, ROOT, public=("read",)), BASE)
    assert modes(rules, Asker(None), True, ROOT) == modes(rules, Asker(BO), False, ROOT) == {"read"}
    assert modes(rules, Asker(AN), True, ROOT) == ALL


def test_the_list_of_a_plain_resource_has_no_default() -> None:
    rules = parse_acl(owner_acl(AN, ROOT + "card"), ROOT + "card.acl")
    assert modes(rules, Asker(AN), False, ROOT + "card") == ALL
    assert modes(rules, Asker(AN), True, ROOT + "card") == frozenset()


def test_authorizations_add_up() -> None:
    acl = (
        "<#a> a acl:Authorization; acl:agent <https://bo.example/card#me>; acl:accessTo <./>; acl:mode acl:Append."
        "<#b> a acl:Authorization; acl:agentClass foaf:Agent; acl:accessTo <./>; acl:mode acl:Read."
    )
    assert allowed(acl, BO) == {"read", "append"}
    assert allowed(acl, None) == {"read"}


def test_write_includes_append_but_not_the_reverse() -> None:
    base = "<#a> a acl:Authorization; acl:agentClass foaf:Agent; acl:accessTo <./>; acl:mode acl:{}."
    assert allowed(base.format("Write"), None) == {"write", "append"}
    assert allowed(base.format("Append"), None) == {"append"}
    assert allowed(base.format("Control"), None) == {"control"}


def test_authenticated_agents_are_not_the_public() -> None:
    acl = "<#a> a acl:Authorization; acl:agentClass acl:AuthenticatedAgent; acl:accessTo <./>; acl:mode acl:Read."
    assert allowed(acl, BO) == {"read"}
    assert allowed(acl, None) == frozenset()


def test_an_own_list_speaks_by_access_to_and_an_inherited_one_by_default() -> None:
    rule = "<#a> a acl:Authorization; acl:agentClass foaf:Agent; acl:{} <./>; acl:mode acl:Read."
    own, default = rule.format("accessTo"), rule.format("default")
    assert allowed(own, None) == allowed(default, None, inherited=True) == {"read"}
    assert allowed(own, None, inherited=True) == allowed(default, None) == frozenset()


NOBODY = {
    "no type": "<#a> acl:agentClass foaf:Agent; acl:accessTo <./>; acl:mode acl:Read.",
    "no mode": "<#a> a acl:Authorization; acl:agentClass foaf:Agent; acl:accessTo <./>.",
    "no subject": "<#a> a acl:Authorization; acl:accessTo <./>; acl:mode acl:Read.",
    "no target": "<#a> a acl:Authorization; acl:agentClass foaf:Agent; acl:mode acl:Read.",
    "other target": "<#a> a acl:Authorization; acl:agentClass foaf:Agent; acl:accessTo <b>; acl:mode acl:Read.",
    "unknown mode": "<#a> a acl:Authorization; acl:agentClass foaf:Agent; acl:accessTo <./>; acl:mode acl:Everything.",
    "unknown condition": "<#a> a acl:Authorization; acl:agentClass foaf:Agent; acl:accessTo <./>; acl:mode acl:Read; "
    "acl:condition [ a <urn:x:Moon> ].",
    "literal condition": "<#a> a acl:Authorization; acl:agentClass foaf:Agent; acl:accessTo <./>; acl:mode acl:Read; "
    "acl:condition 'x'.",
    "origin": "<#a> a acl:Authorization; acl:agentClass foaf:Agent; acl:accessTo <./>; acl:mode acl:Read; "
    "acl:origin <https://app.example>.",
    "group": "<#a> a acl:Authorization; acl:agentGroup <https://g.example/#g>; acl:accessTo <./>; acl:mode acl:Read.",
    "literal agent": "<#a> a acl:Authorization; acl:agent 'https://bo.example/card#me'; acl:accessTo <./>; "
    "acl:mode acl:Read.",
    "literal class": "<#a> a acl:Authorization; acl:agentClass 'http://xmlns.com/foaf/0.1/Agent'; acl:accessTo <./>; "
    "acl:mode acl:Read.",
    "empty": "",
}


@pytest.mark.parametrize("name", NOBODY)
def test_what_does_not_clearly_allow_allows_nothing(name: str) -> None:
    assert allowed(NOBODY[name], BO) == frozenset()


def test_a_condition_on_one_authorization_leaves_the_others() -> None:
    other = "<#b> a acl:Authorization; acl:agentClass foaf:Agent; acl:accessTo <./>; acl:mode acl:Append."
    assert allowed(NOBODY["origin"] + other, BO) == {"append"}


def test_a_broken_list_is_refused_whole() -> None:
    with pytest.raises(BadRdf):
        parse_acl(owner_acl(AN, ROOT) + b"<#x> a", BASE)


@pytest.mark.parametrize("name", ["x> . <#evil> a <y", "a b", "a\nb", 'a"', "a\\u003e"])
def test_no_name_can_break_out_of_a_list(name: str) -> None:
    with pytest.raises(ValueError, match="Turtle"):
        owner_acl(name, ROOT)
    with pytest.raises(ValueError, match="Turtle"):
        owner_acl(AN, ROOT + name)


def test_wac_allow_names_both_groups_in_a_fixed_order() -> None:
    assert wac_allow({"write", "read", "append"}, set()) == 'user="read write append",public=""'
