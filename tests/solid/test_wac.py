"""Web Access Control: lists, what applies, what each operation needs, conditions, and what is told of it."""

import httpx

from tests.conftest import BASE
from tests.solid.client import ACL, JSON_LD, ME, POD, PUBLIC, TEXT, TURTLE, Agent, acl, has, links, listed
from tests.solid.requirements import shows

BRAM = f"{BASE}/pods/bram/profile/card#me"


async def rule(an: Agent, target: str, *blocks: str) -> httpx.Response:
    """Write the list of a resource; it must be taken."""
    done = await an("PUT", target + ".acl", acl(target, *blocks), TURTLE)
    assert done.status_code in (201, 204), done.text
    return done


async def tries(who: Agent, path: str) -> dict[str, int]:
    """What comes of each operation on a text that is there, deleting last."""
    asked = {"GET": None, "PUT": "y", "DELETE": None}
    return {method: (await who(method, path, body, TEXT if body else "")).status_code for method, body in asked.items()}


@shows("server-link-acl")
async def test_the_list_of_a_resource_is_found_by_link_alone(an: Agent) -> None:
    await an("PUT", "public/a", "x", TEXT)
    for method in ("GET", "HEAD"):
        (there,) = links(await an(method, "public/a"), "acl")
        assert (await an("PUT", there, acl("public/a"), TURTLE)).status_code in (201, 204)
        assert has(await an("GET", there), f"{there}#r0", ACL + "accessTo", POD + "public/a")


@shows("server-resource-acl-max")
async def test_a_resource_has_one_list_and_a_list_none(an: Agent) -> None:
    await rule(an, "public/")
    assert len(links(await an("GET", "public/"), "acl")) == 1
    assert links(await an("GET", "public/.acl"), "acl") == set()
    assert (await an("PUT", "public/.acl.acl", acl("public/.acl"), TURTLE)).status_code in (400, 405, 409)


@shows("server-get-acl-turtle")
async def test_a_list_is_read_in_turtle_and_written_in_it(an: Agent) -> None:
    await rule(an, "public/")
    for accept in (TURTLE, "*/*"):
        assert (await an("GET", "public/.acl", accept=accept)).headers["content-type"] == TURTLE
    assert (await an("PUT", "public/.acl", "<#a> <b", TURTLE)).status_code == 400


@shows("server-get-acl-without-representation")
async def test_a_list_that_is_not_there_is_404(an: Agent) -> None:
    await an("PUT", "public/a", "x", TEXT)
    (there,) = links(await an("HEAD", "public/a"), "acl")
    for method in ("GET", "HEAD"):
        assert (await an(method, there)).status_code == 404


@shows("server-acl-without-representation")
async def test_what_inherits_has_no_list_of_its_own(an: Agent, anybody: Agent) -> None:
    await an("PUT", "public/d/a", "x", TEXT)
    assert (await anybody("GET", "public/d/a")).status_code == 200
    for path in ("public/d/.acl", "public/d/a.acl"):
        assert (await an("GET", path)).status_code == 404
    await rule(an, "public/d/")
    assert (await anybody("GET", "public/d/a")).status_code == 401
    assert (await an("DELETE", "public/d/.acl")).status_code in (200, 204)
    assert (await anybody("GET", "public/d/a")).status_code == 200


@shows("server-root-container-acl")
async def test_the_root_always_has_a_list(an: Agent) -> None:
    (there,) = links(await an("HEAD", ""), "acl")
    assert (await an("GET", there)).status_code == 200
    assert (await an("DELETE", there)).status_code == 405
    assert (await an("GET", there)).status_code == 200


@shows("server-root-container-acl-authorization-control")
async def test_the_list_of_the_root_leaves_somebody_in_control(an: Agent) -> None:
    before = (await an("GET", ".acl")).content
    for body in ("", acl("", PUBLIC + "Read").replace(", acl:Control", ""), acl("public/")):
        assert (await an("PUT", ".acl", body, TURTLE)).status_code in (409, 422)
    assert (await an("GET", ".acl")).content == before


@shows("effective-acl")
async def test_the_nearest_list_counts_alone_and_inherits_by_default_only(an: Agent, anybody: Agent) -> None:
    await an("PUT", "public/d/a", "x", TEXT)
    only_itself = acl("public/d/", PUBLIC + "Read").replace(
        f"acl:default <{POD}public/d/> ; acl:agentClass", "acl:agentClass"
    )
    assert (await an("PUT", "public/d/.acl", only_itself, TURTLE)).status_code in (201, 204)
    assert (await anybody("GET", "public/d/")).status_code == 200
    assert (await anybody("GET", "public/d/a")).status_code == 401
    await rule(an, "public/d/a", PUBLIC + "Read")
    assert (await anybody("GET", "public/d/a")).status_code == 200
    await rule(an, "public/d/", PUBLIC + "Append")
    assert (await anybody("GET", "public/d/a")).status_code == 200
    assert (await anybody("GET", "public/d/")).status_code == 401


@shows("applicable-authorization")
async def test_authorizations_are_added_up_and_name_agents_classes_and_groups(an: Agent, bram: Agent) -> None:
    anybody = Agent(an.house)
    seen = []
    await an("PUT", "public/people", "@prefix v: <http://www.w3.org/2006/vcard/ns#> . "
             f"<#us> a v:Group ; v:hasMember <{BRAM}> .", TURTLE)  # fmt: skip
    subjects = (f"acl:agent <{BRAM}>", "acl:agentClass acl:AuthenticatedAgent", "acl:agentClass foaf:Agent",
                f"acl:agentGroup <{POD}public/people#us>")  # fmt: skip
    await an("PUT", "settings/a", "x", TEXT)
    for subject in subjects:
        await rule(an, "settings/a", f"{subject} ; acl:mode acl:Read", f"acl:agent <{BRAM}> ; acl:mode acl:Append")
        answer = await bram("GET", "settings/a")
        seen.append((answer.status_code, (await anybody("GET", "settings/a")).status_code))
        assert 'user="read append"' in answer.headers["wac-allow"]
    assert seen == [(200, 401), (200, 401), (200, 200), (200, 401)]
    untyped = acl("settings/a", PUBLIC + "Read").replace("<#r1> a acl:Authorization ;", "<#r1>")
    await an("PUT", "settings/a.acl", untyped, TURTLE)
    assert (await anybody("GET", "settings/a")).status_code == 401


@shows("server-read-operation")
async def test_reading_needs_read(an: Agent, anybody: Agent) -> None:
    await an("PUT", "public/a", "x", TEXT)
    for mode, status in (("Write", 401), ("Append", 401), ("Control", 401), ("Read", 200)):
        await rule(an, "public/a", PUBLIC + mode)
        assert {(await anybody(method, "public/a")).status_code for method in ("GET", "HEAD")} == {status}, mode


@shows("server-create-operation")
async def test_creating_needs_append_above_and_as_much_as_it_does_on_what_is_made(an: Agent, anybody: Agent) -> None:
    for mode, posted, put in (("Read", 401, 401), ("Append", 201, 401), ("Write", 201, 201)):
        await rule(an, "public/", PUBLIC + mode)
        assert (await anybody("POST", "public/", "x", TEXT)).status_code == posted, mode
        assert (await anybody("PUT", f"public/{mode}/new", "x", TEXT)).status_code == put, mode


@shows("server-update-operation")
async def test_replacing_needs_write_on_the_resource(an: Agent, anybody: Agent) -> None:
    await rule(an, "public/", PUBLIC + "Append")
    await an("PUT", "public/a", "x", TEXT)
    assert (await anybody("PUT", "public/a", "y", TEXT)).status_code == 401
    await rule(an, "public/a", PUBLIC + "Write")
    assert (await anybody("PUT", "public/a", "y", TEXT)).status_code == 204
    assert (await an("GET", "public/a")).text == "y"


@shows("server-delete-operation")
async def test_deleting_needs_write_on_the_resource_and_on_its_container(an: Agent, anybody: Agent) -> None:
    await an("PUT", "public/a", "x", TEXT)
    await rule(an, "public/a", PUBLIC + "Write")
    await rule(an, "public/", PUBLIC + "Append")
    assert (await anybody("DELETE", "public/a")).status_code == 401
    await rule(an, "public/", PUBLIC + "Write")
    await rule(an, "public/a", PUBLIC + "Append")
    assert (await anybody("DELETE", "public/a")).status_code == 401
    await rule(an, "public/a", PUBLIC + "Write")
    assert (await anybody("DELETE", "public/a")).status_code in (200, 204)


@shows("server-control-operation")
async def test_a_list_is_for_who_has_control_whatever_else_she_may(an: Agent, anybody: Agent) -> None:
    await an("PUT", "public/a", "x", TEXT)
    for mode, status in (("Read, acl:Write, acl:Append", 401), ("Control", 200)):
        await rule(an, "public/a", PUBLIC + mode)
        assert (await anybody("GET", "public/a.acl")).status_code == status
    own = acl("public/a", PUBLIC + "Control")
    assert (await anybody("PUT", "public/a.acl", own, TURTLE)).status_code in (201, 204)
    assert (await anybody("GET", "public/a")).status_code == 401


async def issued_here(an: Agent, *conditions: str) -> dict[str, int]:
    """Let everybody who is logged in read settings/a under conditions; what An and nobody in particular get."""
    await an("PUT", "settings/a", "x", TEXT)
    said = " ; ".join(f"acl:condition [ {one} ]" for one in conditions)
    block = f"acl:agentClass acl:AuthenticatedAgent ; acl:mode acl:Read ; {said}"
    only = acl("settings/a", block).replace("acl:Read, acl:Write, acl:Control", "acl:Write, acl:Control")
    done = await an("PUT", "settings/a.acl", only, TURTLE)
    return {"list": done.status_code, "an": (await an("GET", "settings/a")).status_code}


ISSUER = f"a acl:IssuerCondition ; acl:issuer <{BASE}>"
OTHER = "a acl:IssuerCondition ; acl:issuer <https://other.example>"
CLIENT = "a acl:ClientCondition ; acl:client <https://app.example/id>"


@shows("server-condition-evaluation")
async def test_a_condition_that_does_not_hold_or_is_not_known_gives_nothing(an: Agent) -> None:
    assert (await issued_here(an, ISSUER))["an"] == 200
    for narrower in (OTHER, CLIENT, "a <urn:e:MoonCondition> ; <urn:e:phase> 'full'"):
        assert (await issued_here(an, narrower))["an"] != 200, narrower


@shows("server-condition-conjunctive")
async def test_all_conditions_of_an_authorization_must_hold(an: Agent) -> None:
    assert (await issued_here(an, ISSUER, ISSUER))["an"] == 200
    assert (await issued_here(an, ISSUER, CLIENT))["an"] != 200
    assert (await issued_here(an, OTHER, ISSUER))["an"] != 200


@shows("server-link-condition")
async def test_the_conditions_that_are_understood_are_told_by_link(an: Agent) -> None:
    told = links(await an("GET", "public/.acl"), ACL + "condition") | links(
        await an("OPTIONS", "public/.acl"), ACL + "condition"
    )
    assert {ACL + "ClientCondition", ACL + "IssuerCondition"} <= told


@shows("server-wac-allow")
async def test_what_somebody_and_everybody_may_is_told(an: Agent, anybody: Agent, bram: Agent) -> None:
    await an("PUT", "public/a", "x", TEXT)
    for method in ("GET", "HEAD"):
        assert (await an(method, "public/a")).headers["wac-allow"] == 'user="read write append control",public="read"'
        assert (await bram(method, "public/a")).headers["wac-allow"] == 'user="read",public="read"'
        assert (await anybody(method, "public/a")).headers["wac-allow"] == 'user="read",public="read"'


@shows("server-cors-aceh-wac-allow")
async def test_a_web_app_may_read_what_it_may(anybody: Agent) -> None:
    answer = await anybody("GET", "public/", origin="https://app.example")
    assert {"wac-allow", "link"} <= {one.lower() for one in listed(answer.headers, "access-control-expose-headers")}


@shows("acl-origin")
async def test_an_authorization_for_one_origin_is_for_no_other(an: Agent, anybody: Agent) -> None:
    await an("PUT", "settings/a", "x", TEXT)
    await rule(an, "settings/a", PUBLIC + "Read ; acl:origin <https://app.example>")
    assert (await anybody("GET", "settings/a", origin="https://app.example")).status_code == 200
    for other in ("https://app.example.evil", "http://app.example", "null"):
        assert (await anybody("GET", "settings/a", origin=other)).status_code == 401


async def test_a_list_in_another_syntax_or_about_another_resource_gives_nothing(an: Agent, anybody: Agent) -> None:
    await an("PUT", "settings/a", "x", TEXT)
    await an("PUT", "settings/a.acl", acl("public/", PUBLIC + "Read"), TURTLE)
    assert (await anybody("GET", "settings/a")).status_code == 401
    assert (await an("PUT", "public/.acl", '{"@id": "#x"}', JSON_LD)).status_code in (201, 204, 415)
    assert ME in (await an("GET", ".acl")).text
