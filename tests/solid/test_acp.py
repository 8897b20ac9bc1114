"""Access Control Policy: the control resource of a resource, what is inherited, who is matched, what wins."""

import httpx
import pytest

from tests.conftest import BASE
from tests.house import Household
from tests.solid.client import ACL, ACP, ME, POD, TEXT, TURTLE, Agent, links
from tests.solid.requirements import shows

BRAM = f"{BASE}/pods/bram/profile/card#me"
EVERYBODY = "acp:agent acp:PublicAgent"


@pytest.fixture
async def an(house: Household) -> Agent:
    """The citizen, in a house where access is written in ACP."""
    house.vault.access = "acp"
    return Agent(house, await house.jwt())


def policy(matchers: str, allow: str = "Read", deny: str = "") -> str:
    """A policy; `matchers` are the properties that hold its matchers."""
    modes = "".join(
        f"acp:{what} acl:{mode} ; " for what, one in (("allow", allow), ("deny", deny)) for mode in one.split()
    )
    return f"[ a acp:Policy ; {modes} {matchers} ]"


def match(attributes: str, how: str = "anyOf") -> str:
    return f"acp:{how} [ a acp:Matcher ; {attributes} ]"


def acr(target: str, *policies: str, member: tuple[str, ...] = ()) -> str:
    """A control resource of `target` (in An's pod): hers in any case, then these policies."""
    own = policy(match(f"acp:agent <{ME}>"), "Read Write Append Control")
    said = [f"acp:accessControl [ a acp:AccessControl ; acp:apply {one} ]" for one in (own, *policies)]
    said += [f"acp:memberAccessControl [ a acp:AccessControl ; acp:apply {one} ]" for one in (own, *member)]
    return (
        f"@prefix acp: <{ACP}> . @prefix acl: <{ACL}> .\n"
        f"<> a acp:AccessControlResource ; acp:resource <{POD + target}> ; {' ; '.join(said)} ."
    )


async def control(an: Agent, target: str, body: str) -> httpx.Response:
    """Write the control resource of a resource, found by its link."""
    (there,) = links(await an("HEAD", target), "acl")
    done = await an("PUT", there, body, TURTLE)
    assert done.status_code in (201, 204), done.text
    return await an("GET", there)


async def kept(an: Agent, *policies: str) -> None:
    """A text in settings/a, under these policies."""
    await an("PUT", "settings/a", "x", TEXT)
    await control(an, "settings/a", acr("settings/a", *policies))


@shows("acp-acr-link")
async def test_the_control_resource_is_found_by_link(an: Agent, anybody: Agent) -> None:
    await kept(an, policy(match(EVERYBODY)))
    for method in ("GET", "HEAD"):
        assert len(links(await anybody(method, "settings/a"), "acl")) == 1


@shows("acp-acr-type-link")
async def test_a_control_resource_says_that_it_is_one(an: Agent) -> None:
    await an("PUT", "settings/a", "x", TEXT)
    answer = await control(an, "settings/a", acr("settings/a"))
    assert ACP + "AccessControlResource" in links(answer, "type")


@shows("acp-acr-options")
async def test_options_of_a_control_resource_tell_modes_and_attributes(an: Agent) -> None:
    await kept(an)
    (there,) = links(await an("HEAD", "settings/a"), "acl")
    told = await an("OPTIONS", there)
    assert {ACL + mode for mode in ("Read", "Write", "Append", "Control")} <= links(told, ACP + "grant")
    assert {ACP + what for what in ("agent", "client", "issuer")} <= links(told, ACP + "attribute")


@shows("acp-member-access-control")
async def test_what_is_for_members_is_inherited_and_what_is_not_is_not(an: Agent, anybody: Agent) -> None:
    await an("PUT", "settings/d/a", "x", TEXT)
    await control(an, "settings/d/", acr("settings/d/", policy(match(EVERYBODY))))
    assert [(await anybody("GET", path)).status_code for path in ("settings/d/", "settings/d/a")] == [200, 401]
    await control(an, "settings/d/", acr("settings/d/", member=(policy(match(EVERYBODY)),)))
    assert [(await anybody("GET", path)).status_code for path in ("settings/d/", "settings/d/a")] == [401, 200]


@shows("acp-deny-wins")
async def test_what_is_denied_stays_denied_whatever_allows_it(an: Agent, bram: Agent) -> None:
    await kept(an, policy(match(EVERYBODY)), policy(match(f"acp:agent <{BRAM}>"), "", "Read"))
    assert (await Agent(an.house)("GET", "settings/a")).status_code == 200
    assert (await bram("GET", "settings/a")).status_code == 403
    assert (await an("GET", "settings/a")).status_code == 200


@shows("acp-matchers")
async def test_all_any_and_none_match_on_agent_client_and_issuer(an: Agent, bram: Agent) -> None:
    here, other = f"acp:issuer <{BASE}>", "acp:issuer <https://other.example>"
    who = f"acp:agent <{BRAM}>"
    cases = {
        match(who): 200,
        match(f"{who} ; {here}"): 200,
        match(f"{who} ; {other}"): 403,
        f"{match(who, 'allOf')} ; {match(here, 'allOf')}": 200,
        f"{match(who, 'allOf')} ; {match(other, 'allOf')}": 403,
        f"{match(other)} ; {match(who)}": 200,
        f"{match(who)} ; {match(here, 'noneOf')}": 403,
        match(other, "noneOf"): 403,
        match(f"{who} ; acp:client <https://app.example/id>"): 403,
    }
    seen = {}
    for matchers in cases:
        await kept(an, policy(matchers))
        seen[matchers] = (await bram("GET", "settings/a")).status_code
    assert seen == cases


@shows("acp-named-agents")
async def test_everybody_whoever_is_logged_in_and_the_owner_have_names(an: Agent, bram: Agent) -> None:
    seen = {}
    for name in ("PublicAgent", "AuthenticatedAgent", "OwnerAgent"):
        await kept(an, policy(match(f"acp:agent acp:{name}")))
        seen[name] = [(await who("GET", "settings/a")).status_code for who in (an, bram, Agent(an.house))]
    expected = {"PublicAgent": [200, 200, 200], "AuthenticatedAgent": [200, 200, 401], "OwnerAgent": [200, 403, 401]}
    assert seen == expected


@shows("acp-exact-modes")
async def test_exactly_the_modes_that_policies_give_are_given(an: Agent, anybody: Agent) -> None:
    await kept(an, policy(match(EVERYBODY), "Append"))
    assert (await anybody("GET", "settings/a")).status_code == 401
    assert (await anybody("PUT", "settings/a", "y", TEXT)).status_code == 401
    await kept(an, policy(match(EVERYBODY), "Read"))
    assert (await anybody("GET", "settings/a")).status_code == 200
    for method in ("PUT", "DELETE"):
        assert (await anybody(method, "settings/a", "y", TEXT)).status_code == 401
