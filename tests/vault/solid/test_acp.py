"""Access Control Resources: what is read of them, what they never give, and what is written in their words."""

import pytest

from vault.solid import access, acp, wac
from vault.solid.access import Document, accepted, policies_at, read_document, told
from vault.solid.policy import Asker, granted
from vault.solid.rdf import BadRdf
from vault.solid.wac import owner_acl

ROOT = "http://localhost:8400/pods/an"
TARGET = f"{ROOT}/public/"
OWNER, BO = f"{ROOT}/profile/card#me", "https://bo.example/#me"
ALL = frozenset({"read", "write", "append", "control"})
PREFIXES = (
    "@prefix acl: <http://www.w3.org/ns/auth/acl#>. @prefix acp: <http://www.w3.org/ns/solid/acp#>. "
    "@prefix kluis: <urn:kluis:ns:>. "
)
ANYBODY = "acp:anyOf [ acp:agent acp:PublicAgent ]"
READ = f"[ acp:allow acl:Read ; {ANYBODY} ]"


def document(said: str) -> Document:
    return read_document((PREFIXES + said).encode(), TARGET)


def public(said: str) -> frozenset[str]:
    """What anybody gets on the resource itself."""
    return granted(document(said).own, Asker(), OWNER, {})


def test_a_resource_is_about_what_it_says_or_about_its_own_subject() -> None:
    control = f"acp:accessControl [ acp:apply {READ} ]"
    assert public(f"<> {control} .") == public(f"<#x> acp:resource <{TARGET}> ; {control} .") == {"read"}
    assert public(f"<#x> {control} .") == public(f"<> acp:resource <{ROOT}/settings/> ; {control} .") == set()


def test_what_is_described_elsewhere_closes_and_is_not_stored() -> None:
    open_too = f"<> acp:accessControl [ acp:apply {READ}"
    for more in (
        ", <https://elsewhere.example/#policy> ] .",
        f" ] ; acp:accessControl <{ROOT}/other.acl#control> .",
    ):
        assert public(open_too + more) == set()
        with pytest.raises(BadRdf, match="elsewhere"):
            accepted((PREFIXES + open_too + more).encode(), TARGET, "acp")
    matcher = "[ acp:allow acl:Write ; acp:anyOf <https://elsewhere.example/#everybody> ]"
    assert public(f"{open_too}, {matcher} ] .") == {"read"}
    denied = "[ acp:deny acl:Read ; acp:anyOf <https://elsewhere.example/#some> ]"
    assert public(f"{open_too}, {denied} ] .") == set()


def test_a_credential_is_never_matched_and_its_absence_never_proven() -> None:
    for matchers in (
        "acp:anyOf [ acp:vc <urn:e:Nurse> ]",
        "acp:anyOf [ acp:agent acp:PublicAgent ; acp:vc <urn:e:Nurse> ]",
        f"{ANYBODY} ; acp:noneOf [ acp:vc <urn:e:Banned> ]",
    ):
        assert public(f"<> acp:accessControl [ acp:apply [ acp:allow acl:Read ; {matchers} ] ] .") == set()


def test_who_may_change_access_is_said_as_inrupts_client_says_it() -> None:
    both = f"[ acp:allow acl:Read ; {ANYBODY} ], [ acp:allow acl:Write ; {ANYBODY} ]"
    assert public(f"<> acp:accessControl [ acp:access {both} ] .") == {"control"}
    assert public(f"<> acp:accessControl [ acp:access [ acp:allow acl:Read ; {ANYBODY} ] ] .") == set()
    assert public(f"<> acp:accessControl [ acp:apply [ acp:allow acl:Control ; {ANYBODY} ] ] .") == {"control"}


def test_a_document_of_the_other_language_is_refused_by_name() -> None:
    control = (PREFIXES + f"<> acp:accessControl [ acp:apply {READ} ] .").encode()
    for body, language in ((control, "wac"), (owner_acl(OWNER, TARGET), "acp"), (b"", "acp")):
        with pytest.raises(BadRdf, match="other_language"):
            accepted(body, TARGET, "acp" if language == "acp" else "wac")
    assert accepted(control, TARGET, "acp").language == "acp"
    assert accepted(b"", TARGET, "wac").own == ()


def test_lists_take_the_place_of_those_above_and_control_resources_add_to_them() -> None:
    below = document(f"<> acp:memberAccessControl [ acp:apply {READ} ] .")
    write = f"[ acp:allow acl:Write ; {ANYBODY} ]"
    adds = document(f"<> acp:accessControl [ acp:apply {write} ] .")
    alone = document(f"<> kluis:alone true ; acp:accessControl [ acp:apply {write} ] .")
    wac_list = read_document(owner_acl(OWNER, TARGET), TARGET)
    chain = {"adds": adds, "alone": alone, "list": wac_list}
    found = {
        name: granted(policies_at([("/a/b", one), ("/a/", below)], "/a/b"), Asker(), OWNER, {})
        for name, one in chain.items()
    }
    assert found == {"adds": {"read", "write", "append"}, "alone": {"write", "append"}, "list": set()}
    assert policies_at([("/a/b", adds), ("/a/", below)], "/a/") == below.own


def test_a_list_that_is_rewritten_as_a_control_resource_still_keeps_out_what_it_kept_out() -> None:
    private = told(owner_acl(OWNER, TARGET), TARGET, "acp")
    assert private is not None
    open_above = document(f"<> acp:memberAccessControl [ acp:apply {READ} ] .")
    rewritten = read_document(private + b"<#more> acp:apply <#x> .", TARGET)
    policies = policies_at([("/public/", rewritten), ("/", open_above)], "/public/")
    assert granted(policies, Asker(), OWNER, {}) == set()
    assert granted(policies, Asker(OWNER), OWNER, {}) == ALL


def test_in_acp_every_resource_has_a_document_and_an_empty_one_adds_nothing() -> None:
    empty = told(None, TARGET, "acp")
    assert empty is not None
    assert accepted(empty, TARGET, "acp") == Document("acp", (), (), alone=False)
    assert told(None, TARGET, "wac") is None
    assert told(owner_acl(OWNER, TARGET), TARGET, "wac") == owner_acl(OWNER, TARGET)


def test_what_may_stand_in_a_document_is_told_by_links() -> None:
    conditions = access.links("wac", "GET")
    assert conditions == access.links("wac", "OPTIONS")
    assert f'<{wac.ACL}ClientCondition>; rel="http://www.w3.org/ns/auth/acl#condition"' in conditions
    assert access.links("acp", "GET") == [f'<{acp.RESOURCE}>; rel="type"']
    told_more = access.links("acp", "OPTIONS")
    assert f'<{wac.ACL}Control>; rel="{acp.GRANT}"' in told_more
    assert f'<{acp.ACP}issuer>; rel="{acp.ATTRIBUTE}"' in told_more
    assert not any("#vc>" in link for link in told_more)
