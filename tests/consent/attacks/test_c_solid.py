"""Attack list C (consent.md 6): apps that are not what they say, purposes, other people's grants; one test per row.

Races, edges and the log stand in test_c_races.py.
"""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from consent import clients, grants
from consent.accounts import passphrase, sessions
from consent.accounts.people import enroll
from consent.categories import CATEGORIES
from consent.oauth.tokens import SolidToken, make_token
from federation.fetch import Fetcher
from federation.issuers import Issuers
from keys.sign import new_es256
from keys.text import b64
from tests.conftest import BASE
from tests.consent import sample
from tests.consent.attacks.party import RECORDS, Party, asking, nothing_gained, on_our_page, refused
from tests.federation.sink import sink
from tests.house import ALL_INTERESTS, INTERESTS, Household
from tests.web.test_roles import enter

SOLID = "tests/web/solidlogin/test_attacks.py::test_"
SSRF = "tests/federation/test_ssrf.py::test_"
FETCH = "tests/federation/test_fetch.py::test_"
RACES = "tests/consent/attacks/test_c_races.py::test_"
CHANGE = "tests/web/test_managing.py::test_"
TABLE = {
    "impersonation by a client-id document: 400 invalid_client": SOLID + "app_impersonation_by_its_document_is_refused",
    "the page shows the app's own site and its standing": SOLID
    + "the_page_shows_the_apps_own_site_and_that_nobody_checked_it",
    "document swapped after consent: refresh invalid_grant, asked again": SOLID
    + "doc_swapped_after_consent_the_refresh_is_invalid_grant_and_she_is_asked_again",
    "document swapped between page and code": SOLID
    + "doc_swapped_between_the_page_and_the_code_the_code_gives_nothing",
    "SSRF by client_id: no packet": SOLID + "ssrf_by_client_id_makes_no_connection_to_an_inner_address",
    "SSRF by logo, jwks_uri and other addresses: not fetched": SOLID
    + "ssrf_by_a_documents_other_addresses_nothing_of_it_is_fetched",
    "SSRF by WebID: no packet": "test_ssrf_by_the_webid_of_a_token_makes_no_connection",
    "SSRF by spelling: decimal, IPv4-mapped, userinfo@": SSRF
    + "a_hundred_spellings_of_an_inner_address_make_no_connection",
    "SSRF by DNS rebinding": SSRF + "a_name_that_turns_inward_after_the_check_reaches_nothing",
    "SSRF by redirect": SSRF + "a_redirect_is_checked_like_the_first_address",
    "SSRF as port scan: one answer": SOLID + "ssrf_by_client_id_tells_nobody_which_inner_names_there_are",
    "a body without end: 64 KiB": SOLID + "a_document_without_end_costs_64_kib",
    "slowloris: the total time": FETCH + "a_slow_body_ends_at_the_total_time",
    "gzip bomb: refused": FETCH + "an_answer_that_we_do_not_take_is_refused",
    "WebID whose issuer is not in solid:oidcIssuer: 401": "test_a_webid_that_does_not_name_the_issuer_is_401 "
    "tests/federation/test_webid.py::test_a_webid_names_its_own_issuers_only",
    "http WebID: 401": "test_a_webid_on_plain_http_is_401",
    "homograph, direction, zero width in a name": SOLID
    + "idn_homograph_and_direction_tricks_in_a_name_are_refused_or_shown_plainly",
    "homograph in a host: in ASCII": SOLID + "idn_homograph_in_a_host_is_refused_or_shown_in_ascii",
    "homograph in a purpose text: refused": "test_a_purpose_text_that_mixes_scripts_is_refused_at_registration",
    "direction and zero width in a purpose text: stripped": "test_a_purpose_text_loses_its_direction_characters",
    "consent phishing: warning, the app's words quoted": "test_consent_phishing_is_named_and_its_words_are_quoted",
    "consent phishing: no special categories": "test_an_unreviewed_app_cannot_ask_for_a_special_category "
    "tests/web/test_stepup.py::test_who_recommends_profiles_or_is_not_reviewed_cannot_ask_for_a_special_category",
    "purpose laundering by header: 403": "test_purpose_laundering_by_header_is_403_and_logged",
    "purpose laundering by token exchange: no such grant type": "test_purpose_laundering_by_exchange_gives_nothing",
    "purpose laundering by merge: refused": CHANGE + "a_merge_into_another_purpose_is_refused",
    "upgrade by refresh or token request: invalid_authorization_details": "test_wider_details_at_the_token_endpoint",
    "upgrade of scope by refresh: invalid_scope": "test_a_wider_scope_at_a_refresh_is_invalid_scope",
    "silent merge: needs her own answer": CHANGE + "an_optional_row_that_is_not_ticked_is_not_merged_silently",
    "fields of a newer shape: pinned by hash": "test_a_shape_of_another_hash_is_invalid_authorization_details "
    "tests/consent/test_ladder.py::test_a_shape_means_the_fields_it_has_now_and_nothing_that_comes_later",
    "grant fixation: a request that the attacker opened": "test_a_request_opened_by_an_attacker_is_not_finished_by_her",
    "grant fixation: a merge into the victim's grant": "tests/consent/test_amend.py::"
    "test_a_request_about_anothers_grant_that_a_victim_opens_is_denied",
    "the victim's grant_id used by another client: 404": "test_a_grant_id_of_another_client_is_404",
    "token for pod A at pod B: 403": "test_a_token_for_one_pod_at_another_is_403_as_if_nothing_were_there",
    "path tricks: never another resource": "test_no_spelling_of_a_path_leads_out_of_the_grant",
    "container inheritance: 403": "test_one_granted_resource_opens_neither_its_container_nor_its_neighbour",
    "derived answers: fixed menu": "test_a_predicate_that_is_not_on_the_menu_is_invalid_authorization_details",
    "derived answers: no probing of others": "tests/consent/test_answers.py::"
    "test_no_other_answer_of_the_same_source_can_be_probed",
    "derived answers: each use counted": "tests/consent/test_answers.py::"
    "test_every_look_at_an_answer_is_counted_and_the_last_one_is_the_last",
    "one-time grant, 100 parallel uses: one success": RACES + "a_one_time_grant_raced_by_a_hundred_has_one_winner",
    "withdrawal between check and stream": RACES + "no_read_that_begins_after_a_withdrawal_succeeds_and_each_is_logged",
    "receipt forgery": "tests/log/test_receipts.py::test_a_receipt_with_one_bit_turned_proves_nothing",
    "rollback of the ledger": "tests/consent/attacks/test_d_insider.py::"
    "test_a_restored_copy_of_the_database_does_not_revive_a_withdrawn_grant "
    "tests/log/prove/test_shown.py::test_whatever_the_server_does_to_lines_under_a_summary_is_found_out",
    "another citizen's log: 404": RACES + "another_citizens_log_grants_and_receipts_are_404_or_empty",
    "another app's entries": "tests/log/test_receipts.py::test_an_entry_about_one_app_is_not_there_for_another",
    "expires == now: denied": RACES + "at_its_very_end_a_grant_is_denied "
    "tests/consent/test_grant_limits.py::test_a_grant_is_over_at_its_end_exactly",
}
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


@pytest.fixture
def app(house: Household) -> Party:
    return Party(house)


async def bo(house: Household) -> str:
    """The cookie of another citizen, who has a pod of his own."""
    made = await enroll(house.vault, "bo", "Bo", "citizen", "bo", None, house.clock())
    opened = await passphrase.login(house.vault, "bo", made.codes[0], house.clock())
    assert opened is not None
    return opened[0]


# ---------------------------------------------------------------- WebIDs and their issuers


async def foreign(house: Household, iss: str, webid: str) -> bool:
    """Whether a token of another issuer is refused everywhere: 401, and nothing opened."""
    key, at = new_es256(), int(house.clock().timestamp())
    said = SolidToken(iss, webid, "https://app.example/id", at, at + 300, sample.JKT, "j", b64(bytes(16)), 1)
    token = make_token(said, key | {"kid": house.vault.issuer_public["kid"]})
    with nothing_gained(house):
        for path in ("/pods/an/public/", "/pods/an/settings/", "/pods/an/interests/a.jsonld", RECORDS):
            assert (await house.call("GET", path, token)).status_code == 401, path
    return True


@pytest.mark.enable_socket
async def test_ssrf_by_the_webid_of_a_token_makes_no_connection(house: Household) -> None:
    async with sink() as inner:
        # As in production: no loopback, whatever the port.
        vars(house.house)["issuers"] = Issuers(Fetcher(ports=frozenset({443, inner.port})))
        for issuer in (inner.origin, f"https://127.0.0.1:{inner.port}", f"https://[::ffff:127.0.0.1]:{inner.port}"):
            assert await foreign(house, issuer, issuer + "/card#me")
        assert inner.connections == 0


async def test_a_webid_that_does_not_name_the_issuer_is_401(house: Household) -> None:
    assert await foreign(house, "https://idp.example", house.session.webid)


async def test_a_webid_on_plain_http_is_401(house: Household) -> None:
    assert await foreign(house, "http://idp.example", "http://idp.example/card#me")


# ---------------------------------------------------------------- names, texts, phishing


def metadata(text: str, **changes: Any) -> dict[str, Any]:
    purpose = {"code": "dpv:ProvideEventRecommendations", "version": "1", "text": {"nl": text},
               "categories": ["pd:Interest"]}  # fmt: skip
    return {"client_name": "Stad Antwerpen", "controller": "https://stad-antwerpen.example/", "purposes": [purpose],
            "redirect_uris": [sample.RETURN], "jwks": {"keys": [sample.public(sample.APP_KEY)]}, **changes}  # fmt: skip


async def registering(house: Household, text: str) -> Any:
    """What a developer gets who registers an app with this purpose text."""
    cookie = await enter(house, "developer")
    session = sessions.find(house.vault, cookie, house.clock())
    assert session is not None
    own = {"cookie": f"kluis={cookie}", "sec-fetch-site": "same-origin", "kluis-form": session.csrf}
    return await house.http.post("/oauth/register", json=metadata(text), headers=own)


async def test_a_purpose_text_that_mixes_scripts_is_refused_at_registration(house: Household) -> None:
    made = await registering(house, "Voorstellen van de st\u0430d")  # a Cyrillic letter among Latin ones
    assert (made.status_code, made.json()["error"]) == (400, "invalid_client_metadata")
    assert "client_id" not in made.json()


async def test_a_purpose_text_loses_its_direction_characters(house: Household) -> None:
    made = await registering(house, "Voor\u200bstellen\u202e doen\u2069")
    assert made.status_code == 201, made.text
    assert made.json()["purposes"][0]["text"] == {"nl": "Voorstellen doen"}
    assert made.json()["trust"] == "unverified"


async def phisher(house: Household, text: str) -> Party:
    """An app that nobody reviewed, with a name and words to frighten people."""
    purpose = replace(sample.APP.purposes[0], text={"nl": text}, approved_by="")
    client = replace(sample.APP, client_id="phish", name="Stad Antwerpen", purposes=(purpose,), trust="unverified",
                     controller="https://evil.example/")  # fmt: skip
    await clients.register(house.vault, client, house.clock())
    return Party(house, client)


async def test_consent_phishing_is_named_and_its_words_are_quoted(house: Household) -> None:
    urgent = "DRINGEND: bevestig vandaag of je verliest je kluis"
    evil = await phisher(house, urgent)
    purpose = {"code": "dpv:ProvideEventRecommendations", "version": "2026-11-01", "text": {"nl": urgent}}
    pushed = await evil.push(**asking(purpose=purpose, controller="https://evil.example/"))
    assert pushed.status_code == 201, pushed.text
    page = (await evil.open(pushed)).text
    assert page.count(urgent) == 1
    assert f"<blockquote>“{urgent}”</blockquote>" in page
    assert "Nog niet nagekeken door de stad" in page
    assert "evil.example" in page


async def test_an_unreviewed_app_cannot_ask_for_a_special_category(house: Household) -> None:
    text = "Je laten zwemmen"
    evil = await phisher(house, text)
    special = {"category": "kluis:SocialTariff", "fields": ["kluis:entitled"], "necessity": "required", "special": True}
    purpose = {"code": "dpv:ProvideEventRecommendations", "version": "2026-11-01", "text": {"nl": text}}
    detail = sample.detail(datatypes=[special], purpose=purpose, controller="https://evil.example/",
                           legal_basis="eu-gdpr:A9-2-a")  # fmt: skip
    with nothing_gained(house):
        answer = await evil.push(authorization_details=orjson.dumps([detail]).decode())
        assert refused(answer, "invalid_authorization_details")


# ---------------------------------------------------------------- purposes and upgrades


async def test_purpose_laundering_by_header_is_403_and_logged(app: Party) -> None:
    token = (await app.allowed())["access_token"]
    for path in (RECORDS, "/pods/an/interests/a.jsonld"):
        for purpose in ("dpv:TargetedAdvertising", "dpv:ServiceProvision", "", "dpv:ProvideEventRecommendations,x"):
            with nothing_gained(app.house):
                answer = await app.house.call("GET", path, token, headers={"kluis-purpose": purpose})
            assert answer.status_code == 403, (path, purpose)
            assert 'error="insufficient_authorization_details"' in answer.headers["www-authenticate"]
            line = app.house.told()[-1]
            assert (line["decision"], line["rule"], line["client"]) == ("denied", "purpose", "cultuurgids")
        own = {"kluis-purpose": "dpv:ProvideEventRecommendations"}
        assert (await app.house.call("GET", path, token, headers=own)).status_code == 200


async def test_purpose_laundering_by_exchange_gives_nothing(app: Party) -> None:
    got = await app.allowed()
    for kind in ("access_token", "refresh_token"):
        with nothing_gained(app.house):
            answer = await app.send("/oauth/token", grant_type=EXCHANGE, subject_token=got[kind],
                                    subject_token_type=f"urn:ietf:params:oauth:token-type:{kind}",
                                    audience="https://ads.example", scope="dpv:TargetedAdvertising")  # fmt: skip
            assert refused(answer, "unsupported_grant_type")


async def test_wider_details_at_the_token_endpoint(app: Party) -> None:
    wider = orjson.dumps([sample.detail(datatypes=[ALL_INTERESTS])]).decode()
    code = await app.code()
    with nothing_gained(app.house):
        assert refused(await app.redeem(code, authorization_details=wider), "invalid_authorization_details")
    got = (await app.redeem(code)).json()
    with nothing_gained(app.house):
        answer = await app.refresh(got["refresh_token"], authorization_details=wider)
        assert refused(answer, "invalid_authorization_details")
    told = (await app.refresh(got["refresh_token"])).json()["authorization_details"][0]["datatypes"]
    assert [row["fields"] for row in told] == [["schema:about"]]


async def test_a_wider_scope_at_a_refresh_is_invalid_scope(app: Party) -> None:
    got = await app.allowed()
    for scope in ("openid", "webid", "openid webid offline_access", "dpv:TargetedAdvertising"):
        with nothing_gained(app.house):
            assert refused(await app.refresh(got["refresh_token"], scope=scope), "invalid_scope")


async def test_a_shape_of_another_hash_is_invalid_authorization_details(app: Party) -> None:
    shape = CATEGORIES["pd:Interest"].shape
    for other in (shape[:-1] + ("0" if shape[-1] != "0" else "1"), shape.rpartition(":")[0], "urn:x"):
        row = {"category": "pd:Interest", "shape": other, "necessity": "required"}
        with nothing_gained(app.house):
            answer = await app.push(authorization_details=orjson.dumps([sample.detail(datatypes=[row])]).decode())
            assert refused(answer, "invalid_authorization_details")


# ---------------------------------------------------------------- other people's requests, grants, pods


async def test_a_request_opened_by_an_attacker_is_not_finished_by_her(app: Party) -> None:
    pushed = await app.push(**asking(locations=[f"{BASE}/pods/"]))
    his = await bo(app.house)
    page = await app.open(pushed, cookie=his)
    assert page.status_code == 200
    with nothing_gained(app.house):
        assert on_our_page(await app.open(pushed), "invalid_request_uri")
        sent = await app.press(page, csrf=app.house.session.csrf)
        assert on_our_page(sent, "invalid_request_uri")
        page_of_his = await app.press(page)  # and his form token is nothing in her session
        assert page_of_his.status_code == 403


async def test_a_grant_id_of_another_client_is_404(app: Party) -> None:
    mine = (await app.allowed())["grant_id"]
    await clients.register(app.house.vault, sample.OTHER_APP, app.house.clock())
    thief = Party(app.house, sample.OTHER_APP)
    own = await thief.allowed(controller=sample.OTHER_APP.controller)
    for method in ("GET", "DELETE"):
        headers = app.house.shown(method, f"/oauth/grants/{mine}", own["access_token"])
        answer = await app.house.http.request(method, f"/oauth/grants/{mine}", headers=headers)
        assert answer.status_code == 404, answer.text
    for grant in (mine, b64(bytes(16)), "x"):
        assert (await thief.send(f"/oauth/grants/{grant}")).status_code == 404
    found = grants.listing(app.house.vault, app.house.session.pod)
    assert {b64(one.id): one.state for one in found}[mine] == "live"


async def test_a_token_for_one_pod_at_another_is_403_as_if_nothing_were_there(app: Party) -> None:
    await bo(app.house)
    token = (await app.allowed())["access_token"]
    with nothing_gained(app.house):
        for path in ("interests/a.jsonld", "interests/", "profile/card", "no/such/thing", "interests/.acl"):
            at_bo, nowhere = [await app.read(token, f"/pods/{name}/{path}") for name in ("bo", "nobody")]
            assert (at_bo.status_code, nowhere.status_code) == (403, 403), path


TRICKS = """
/pods/an/interests/../loans/a.jsonld
/pods/an/interests/%2e%2e/loans/a.jsonld
/pods/an/interests/..%2floans/a.jsonld
/pods/an/interests%2f..%2floans%2fa.jsonld
/pods/an/interests/%252e%252e/loans/a.jsonld
/pods/an/interests/a.jsonld/../../loans/a.jsonld
/pods/an/interests\\..\\loans\\a.jsonld
/pods/an//loans/a.jsonld
/pods/an/./loans/a.jsonld
/pods/an/loans/a.jsonld/
/pods/an/loans/a.jsonld%00
/pods/an/loans/a.jsonld;x
/pods/an/%6coans/a.jsonld
/pods/an/Loans/a.jsonld
/pods/an/loans/.acl
/pods/an/loans
/pods/an/
/pods/
""".strip().splitlines()


@pytest.mark.parametrize("path", TRICKS)
async def test_no_spelling_of_a_path_leads_out_of_the_grant(house: Household, path: str) -> None:
    token = (await house.grant(INTERESTS)).access
    for method in ("GET", "PUT", "DELETE"):
        shown = house.shown(method, path, token).items()
        status = await house.raw(method, path.encode(), [(name.encode(), value.encode()) for name, value in shown])
        assert status in (400, 401, 403, 404, 405, 414), (method, path, status)
    opened = [line for line in house.told() if line["decision"] == "allowed" and line.get("client") == "cultuurgids"]
    assert {line["category"] for line in opened if line["type"] == "access"} <= {"pd:Interest"}


async def test_one_granted_resource_opens_neither_its_container_nor_its_neighbour(house: Household) -> None:
    await house.keep("/interests/b.jsonld", {"@type": "pd:Interest", "schema:about": ["stilte"]})
    token = (await house.grant(ALL_INTERESTS | {"resources": [f"{BASE}/pods/an/interests/a.jsonld"]})).access
    assert (await house.call("GET", "/pods/an/interests/a.jsonld", token)).status_code == 200
    with nothing_gained(house):
        for path in ("/pods/an/interests/b.jsonld", "/pods/an/", "/pods/an/interests/a.jsonld.acl"):
            answer = await house.call("GET", path, token)
            assert answer.status_code in (403, 404), path
            assert "stilte" not in answer.text
    assert "stilte" not in (await house.call("GET", RECORDS, token)).text


async def test_a_predicate_that_is_not_on_the_menu_is_invalid_authorization_details(app: Party) -> None:
    for category, name in (("pd:Age", "age_over_19"), ("pd:Age", "age"), ("pd:PostalCode", "lives_in_2018")):
        row = {"category": category, "derived": name, "necessity": "required"}
        with nothing_gained(app.house):
            answer = await app.push(authorization_details=orjson.dumps([sample.detail(datatypes=[row])]).decode())
            assert refused(answer, "invalid_authorization_details")
