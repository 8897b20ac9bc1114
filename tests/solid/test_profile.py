"""The WebID document, and what it leads to."""

from tests.conftest import BASE
from tests.solid.client import JSON_LD, LDP, ME, PIM, POD, SOLID, TURTLE, Agent, graph, has, objects
from tests.solid.requirements import shows

TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"


@shows("webid-document")
async def test_a_webid_leads_to_turtle_about_itself_that_names_its_issuer(anybody: Agent) -> None:
    for media in (TURTLE, JSON_LD):
        answer = await anybody("GET", ME.partition("#")[0], accept=media)
        assert answer.headers["content-type"] == media
        assert objects(answer, ME, SOLID + "oidcIssuer") == {BASE}
    assert has(await anybody("GET", "profile/card"), ME.partition("#")[0], "http://xmlns.com/foaf/0.1/primaryTopic", ME)


@shows("webid-profile")
async def test_a_profile_leads_to_storage_inbox_and_preferences_and_keeps_those_private(
    an: Agent, anybody: Agent
) -> None:
    card = await anybody("GET", "profile/card")
    assert objects(card, ME, PIM + "storage") == {POD}
    for predicate, kind in (
        (LDP + "inbox", LDP + "BasicContainer"),
        (PIM + "preferencesFile", PIM + "ConfigurationFile"),
    ):
        (there,) = objects(card, ME, predicate)
        assert (await anybody("GET", there)).status_code == 401
        assert kind in objects(await an("GET", there), there, TYPE)


@shows("type-indexes")
async def test_the_public_index_hangs_under_the_profile_and_the_private_one_is_private(
    an: Agent, anybody: Agent
) -> None:
    card = await anybody("GET", "profile/card")
    (public,) = objects(card, ME, SOLID + "publicTypeIndex")
    assert has(await anybody("GET", public), public, TYPE, SOLID + "TypeIndex")
    preferences = await an("GET", next(iter(objects(card, ME, PIM + "preferencesFile"))))
    (private,) = objects(preferences, ME, SOLID + "privateTypeIndex")
    assert (await anybody("GET", private)).status_code == 401
    assert has(await an("GET", private), private, TYPE, SOLID + "UnlistedDocument")
    entry = f"@prefix s: <{SOLID}> . <#note> a s:TypeRegistration ; s:forClass <urn:e:Note> ; "
    entry += f"s:instanceContainer <{POD}notes/> ."
    own = await an("GET", public)
    assert (await an("PUT", public, own.text + entry, TURTLE)).status_code == 204
    assert len(graph(await anybody("GET", public))) == len(graph(own)) + 3
