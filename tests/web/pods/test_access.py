"""Access over HTTP: conditions, origins, both languages, what is told of it, and the inbox."""

import re

import pytest

from consent import inbox
from tests.conftest import Clock
from tests.house import Household
from tests.web.pods.client import OWNER, ROOT, Client, entries
from vault import acls, store
from vault.log import tally
from vault.tables import Tally
from vault.vault import PodFacts, Vault

HEAD = (
    "@prefix acl: <http://www.w3.org/ns/auth/acl#>. @prefix acp: <http://www.w3.org/ns/solid/acp#>. "
    "@prefix foaf: <http://xmlns.com/foaf/0.1/>. @prefix kluis: <urn:kluis:ns:>. "
)
HERE = "/pods/an/settings/a"
TURTLE, JSON_LD = {"content-type": "text/turtle"}, {"content-type": "application/ld+json"}
ISSUER = "http://localhost:8400"


def acl(said: str, subject: str = "acl:agentClass acl:AuthenticatedAgent") -> bytes:
    """A list of settings/a: An's control, and reading for the subject under what is said."""
    place = f"acl:accessTo <{ROOT}/settings/a>"
    own = f"<#o> a acl:Authorization ; acl:agent <{OWNER}> ; {place} ; acl:mode acl:Control, acl:Write . "
    return (HEAD + own + f"<#r> a acl:Authorization ; {subject} ; {place} ; acl:mode acl:Read {said} .").encode()


async def reads(house: Household, token: str, said: str, **headers: str) -> int:
    """What An's program gets under a condition."""
    put = await house.call("PUT", HERE + ".acl", token, TURTLE, acl(said))
    assert put.status_code == 204, put.text
    return (await house.call("GET", HERE, token, headers)).status_code


async def test_a_condition_is_held_against_the_program_the_issuer_and_the_purpose_of_the_grant(
    house: Household,
) -> None:
    token = await house.jwt()
    await house.call("PUT", HERE, token, {"content-type": "text/plain"}, b"x")
    purpose = house.told()[-1]["purpose"]
    app = house.told()[-1]["client"]
    conditions = {
        "": 200,
        f"; acl:condition [ a acl:IssuerCondition ; acl:issuer <{ISSUER}/> ]": 200,
        "; acl:condition [ a acl:IssuerCondition ; acl:issuer <https://idp.example> ]": 403,
        "; acl:condition [ a acl:ClientCondition ; acl:clientClass foaf:Agent ]": 200,
        "; acl:condition [ a acl:ClientCondition ; acl:client <https://app.example/id> ]": 403,
        f"; acl:condition [ a kluis:PurposeCondition ; kluis:purpose '{purpose}' ]": 200,
        "; acl:condition [ a kluis:PurposeCondition ; kluis:purpose <https://w3id.org/dpv#"
        f"{purpose.removeprefix('dpv:')}> ]": 200,
        "; acl:condition [ a kluis:PurposeCondition ; kluis:purpose 'dpv:Marketing' ]": 403,
        "; acl:condition [ a <urn:e:MoonCondition> ]": 403,
    }
    assert app
    assert {said: await reads(house, token, said) for said in conditions} == conditions


async def test_an_origin_narrows_to_the_pages_it_names(house: Household) -> None:
    token = await house.jwt()
    await house.call("PUT", HERE, token, {"content-type": "text/plain"}, b"x")
    said = "; acl:origin <https://app.example>"
    assert await reads(house, token, said, origin="https://app.example") == 200
    for origin in ("https://app.example.evil", "null", "http://app.example"):
        assert await reads(house, token, said, origin=origin) == 403
    assert await reads(house, token, said) == 403


async def test_wac_allow_tells_what_this_very_caller_may(house: Household) -> None:
    token = await house.jwt()
    await house.call("PUT", HERE, token, {"content-type": "text/plain"}, b"x")
    await house.call(
        "PUT", HERE + ".acl", token, TURTLE, acl("; acl:origin <https://app.example>", "acl:agentClass foaf:Agent")
    )
    there = await house.call("GET", HERE, headers={"origin": "https://app.example"})
    assert (there.status_code, there.headers["wac-allow"]) == (200, 'user="read",public="read"')
    own = await house.call("GET", HERE, token, {"origin": "https://app.example"})
    assert own.headers["wac-allow"] == 'user="read write append control",public="read"'
    assert (await house.call("GET", HERE)).status_code == 401


async def test_a_list_may_be_sent_as_json_ld_and_read_as_either(ask: Client) -> None:
    await ask("PUT", "public/a", b"x", content_type="text/plain")
    listed = (
        b'{"@context": {"acl": "http://www.w3.org/ns/auth/acl#"}, "@id": "#r", "@type": "acl:Authorization",'
        b'"acl:agentClass": {"@id": "http://xmlns.com/foaf/0.1/Agent"}, "acl:accessTo": {"@id": "a"},'
        b'"acl:mode": [{"@id": "acl:Read"}, {"@id": "acl:Control"}]}'
    )
    assert (await ask("PUT", "public/a.acl", listed, content_type="application/ld+json")).status == 204
    assert (await ask("PUT", "public/a", b"y", content_type="text/plain")).status == 401
    for media in ("text/turtle", "application/ld+json"):
        shown = await ask("GET", "public/a.acl", accept=media)
        assert shown.headers["content-type"] == media
        assert f"{ROOT}/public/a".encode() in shown.body
    assert shown.headers["accept-put"] == "text/turtle, application/ld+json"


async def test_the_conditions_understood_are_told_with_every_list_and_only_there(ask: Client) -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        for path in ("public/.acl", "settings/nothing.acl"):
            told = (await ask(method, path)).headers["link"]
            for kind in ("http://www.w3.org/ns/auth/acl#IssuerCondition", "urn:kluis:ns:PurposeCondition"):
                assert f'<{kind}>; rel="http://www.w3.org/ns/auth/acl#condition"' in told
    assert "acl#condition" not in (await ask("GET", "public/")).headers["link"]


# ---------------------------------------------------------------- ACP

READ = "acp:apply [ acp:allow acl:Read ; acp:anyOf [ acp:agent acp:PublicAgent ] ]"
KEEP = "acp:access [ acp:allow acl:Read, acl:Write ; acp:anyOf [ acp:agent acp:PublicAgent ] ]"


@pytest.fixture
def acp(vault: Vault) -> None:
    vault.access = "acp"


async def test_in_acp_every_resource_has_a_document_that_says_what_it_is(ask: Client, acp: None) -> None:
    await ask("PUT", "public/a", b"x", content_type="text/plain")
    for method in ("GET", "HEAD"):
        shown = await ask(method, "public/a.acl")
        assert shown.status == 200
        assert '<http://www.w3.org/ns/solid/acp#AccessControlResource>; rel="type"' in shown.headers["link"]
        assert "acp#grant" not in shown.headers["link"]
    assert (await ask("GET", "public/nothing.acl")).status == 404
    told = (await ask("OPTIONS", "public/a.acl")).headers["link"]
    assert '<http://www.w3.org/ns/auth/acl#Append>; rel="http://www.w3.org/ns/solid/acp#grant"' in told
    assert '<http://www.w3.org/ns/solid/acp#client>; rel="http://www.w3.org/ns/solid/acp#attribute"' in told


async def test_policies_add_up_along_the_containers_and_count_at_once(ask: Client, acp: None) -> None:
    await ask("PUT", "public/d/a", b"x", content_type="text/plain")
    below = f"{HEAD} <> a acp:AccessControlResource ; acp:memberAccessControl [ {READ} ; {KEEP} ] ; "
    own = f"acp:accessControl [ {KEEP} ] ; kluis:alone true ."
    assert (await ask("PUT", "public/d/.acl", (below + own).encode(), content_type="text/turtle")).status == 204
    assert (await ask("GET", "public/d/")).status == 401
    assert (await ask("GET", "public/d/a")).status == 200
    assert (await ask("PUT", "public/d/a", b"y", content_type="text/plain")).status == 401
    deny = "acp:apply [ acp:deny acl:Read ; acp:anyOf [ acp:agent acp:PublicAgent ] ]"
    shut = f"{HEAD} <> a acp:AccessControlResource ; acp:accessControl [ {deny} ] ."
    assert (await ask("PUT", "public/d/a.acl", shut.encode(), content_type="text/turtle")).status == 204
    assert (await ask("GET", "public/d/a")).status == 401
    assert (await ask("DELETE", "public/d/a.acl")).status == 204
    assert (await ask("GET", "public/d/a")).status == 200


async def test_a_list_stored_before_means_the_same_and_is_shown_in_the_language_of_today(
    ask: Client, acp: None, vault: Vault, an: PodFacts
) -> None:
    shown = await ask("GET", "public/.acl")
    assert b"acp:AccessControlResource" in shown.body and b"acl:Authorization" not in shown.body
    stored = acls.stored(vault, an, "/public/")
    assert stored is not None and b"acl:Authorization" in stored
    tag = shown.headers["etag"]
    stale = await ask("PUT", "public/.acl", shown.body, content_type="text/turtle", if_match='"x"')
    assert stale.status == 412
    same = await ask("PUT", "public/.acl", shown.body, content_type="text/turtle", if_match=tag)
    assert same.status == 204
    assert (await ask("PUT", "public/a", b"x", content_type="text/plain")).status == 201
    assert (await ask("GET", "settings/secret")).status == 401
    refused = await ask("PUT", "public/.acl", stored, content_type="text/turtle")
    assert (refused.status, refused.kind, refused.reason) == (400, "bad-rdf", "other_language")


# ---------------------------------------------------------------- inbox

NOTE = b'{"@context": "https://www.w3.org/ns/activitystreams", "type": "Announce", "object": "https://a.example/x"}'


async def send(ask: Client, body: bytes = NOTE, media: str = "application/ld+json") -> int:
    return (await ask("POST", "inbox/", body, content_type=media)).status


async def test_a_notification_is_taken_logged_and_listed(ask: Client, vault: Vault) -> None:
    assert (
        f'<{ROOT}/inbox/>; rel="http://www.w3.org/ns/ldp#inbox"' in (await ask("GET", "profile/card")).headers["link"]
    )
    before = entries(vault)
    sent = await ask(
        "POST", "inbox/", NOTE, content_type='application/ld+json; profile="https://www.w3.org/ns/activitystreams"'
    )
    assert (sent.status, entries(vault)) == (201, before + 1)
    assert sent.headers["location"].startswith(f"{ROOT}/inbox/")
    assert sent.headers["accept-post"] == "application/ld+json"


async def test_only_a_notification_comes_in(ask: Client, vault: Vault, an: PodFacts) -> None:
    long = NOTE[:-1] + b', "summary": "' + b"x" * inbox.LARGEST + b'"}'
    assert await send(ask, b"<> <p:a> <p:b> .", "text/turtle") == 415
    assert await send(ask, b"x", "text/plain") == 415
    assert await send(ask, b"{") == 400
    assert await send(ask, b'{"@context": "https://elsewhere.example/context", "a": 1}') == 400
    assert await send(ask, b"{}") == 422
    assert await send(ask, long) == 413
    link = '<http://www.w3.org/ns/ldp#BasicContainer>; rel="type"'
    assert (await ask("POST", "inbox/", link=link)).status == 415
    assert store.crowd(vault, an, "/inbox/") == 0


async def test_a_sender_has_a_pace_and_what_is_turned_away_is_in_the_log(
    ask: Client, vault: Vault, clock: Clock, an: PodFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "PACE", inbox.Pace())
    monkeypatch.setattr(inbox, "PER_HOUR", 2)
    assert [await send(ask) for _ in range(4)] == [201, 201, 429, 429]
    (told,) = vault.db.read.find(Tally, pod=an.id)
    assert (told.reason, told.count) == ("append inbox_pace", 2)
    await tally.flush(vault.log, clock(), all_of_them=True)
    clock.forward(seconds=3600)
    assert await send(ask) == 201


async def test_a_full_inbox_takes_no_more_until_something_is_deleted(
    ask: Client, vault: Vault, an: PodFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "PACE", inbox.Pace())
    monkeypatch.setattr(inbox, "MOST", 2)
    assert [await send(ask) for _ in range(3)] == [201, 201, 507]
    assert store.crowd(vault, an, "/inbox/") == 2


async def test_her_own_programs_are_not_held_back_and_nobody_else_may_send_until_she_says_so(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "PER_HOUR", 0)
    token = await house.jwt()
    sent = await house.call("POST", "/pods/an/inbox/", token, JSON_LD, NOTE)
    assert sent.status_code == 201, sent.text
    assert (await house.call("POST", "/pods/an/inbox/", headers=JSON_LD, content=NOTE)).status_code == 401
    listing = await house.call("GET", "/pods/an/inbox/", token, {"accept": "application/ld+json"})
    assert sent.headers["location"] in listing.text


def test_senders_who_are_not_heard_of_are_forgotten(clock: Clock) -> None:
    pace = inbox.Pace()
    for number in range(5000):
        pace.goes(str(number), clock())
    assert len(pace._seen) == 4096


PATCH = b"@prefix s: <http://www.w3.org/ns/solid/terms#>. <> a s:InsertDeletePatch; s:inserts { <> <urn:x> 1. }."


async def test_who_may_only_append_changes_nothing_in_an_inbox_with_patch(
    ask: Client, vault: Vault, an: PodFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "PACE", inbox.Pace())
    sent = await ask("POST", "inbox/", NOTE, content_type="application/ld+json")
    there = sent.headers["location"].removeprefix("http://localhost:8400")
    crowd, before = store.crowd(vault, an, "/inbox/"), entries(vault)
    for name in ("inbox/a", "inbox/b/c", "inbox/.meta", there, f"{there}.meta"):
        for body in (PATCH, b"none"):
            assert (await ask("PATCH", name, body, content_type="text/n3")).status == 401, name
    assert (store.crowd(vault, an, "/inbox/"), entries(vault)) == (crowd, before)


async def test_who_may_append_and_not_read_does_not_learn_which_names_are_taken(
    ask: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "PACE", inbox.Pace())
    for _ in range(2):
        sent = await ask("POST", "inbox/", NOTE, content_type="application/ld+json", slug="bo")
        assert re.fullmatch(f"{ROOT}/inbox/bo-[0-9a-f]{{8}}", sent.headers["location"])


async def test_a_list_that_lets_nobody_in_can_be_taken_away_again_by_whose_pod_it_is(house: Household) -> None:
    token = await house.jwt()
    await house.call("PUT", HERE, token, {"content-type": "text/plain"}, b"x")
    nobody = (HEAD + "<#a> a acl:Authorization .").encode()
    assert (await house.call("PUT", HERE + ".acl", token, TURTLE, nobody)).status_code == 204
    assert (await house.call("GET", HERE, token)).status_code == 403
    assert (await house.call("GET", HERE + ".acl", token)).status_code == 200
    assert (await house.call("DELETE", HERE + ".acl", token)).status_code == 204
    assert (await house.call("GET", HERE, token)).text == "x"
