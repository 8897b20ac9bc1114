"""O51: `@inrupt/solid-client-authn-node`, unmodified, logs in by the browser and works in the rooms it was given."""

from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import orjson
import pytest

from consent.oauth.documents import CONTEXT
from tests.browser.town import Town
from tests.clients.solidlogin.citizen import Visitor, error_of
from tests.clients.solidlogin.node import Client, workshop
from tests.clients.solidlogin.site import Site
from tests.proof import figure

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(400)]
KINDS = ("document", "registered")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    workshop()
    running = Town(tmp_path_factory.mktemp("town"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def passed() -> Iterator[list[str]]:
    """Which ways of being a client went through the whole story."""
    found: list[str] = []
    yield found
    figure("O51", len(found), len(found))


@pytest.mark.parametrize("kind", KINDS)
def test_o51_inrupts_client_logs_in_reads_writes_is_kept_out_and_is_stopped(
    town: Town, kind: str, passed: list[str]
) -> None:
    with ExitStack() as open_now:
        an = open_now.enter_context(Visitor(town.base, town.newcomer()))
        pod = f"{town.base}/pods/{an.who.user}/"
        site, app = open_now.enter_context(Site()), open_now.enter_context(Client("node-client.mjs"))
        back = site.origin + "/back"
        site.pages["/id.jsonld"] = orjson.dumps({
            "@context": [CONTEXT], "client_id": site.origin + "/id.jsonld", "client_name": "Notities",
            "redirect_uris": [back], "post_logout_redirect_uris": [site.origin + "/bye"],
            "scope": "openid webid offline_access", "grant_types": ["refresh_token", "authorization_code"],
            "response_types": ["code"],
        })  # fmt: skip
        who = {"clientId": site.origin + "/id.jsonld"} if kind == "document" else {"clientName": "Notities"}
        went = app.do("login", oidcIssuer=town.base, redirectUrl=back, **who)
        assert "error" not in went, went
        page = an.follow(went["there"])
        assert page.status_code == 200, page.text
        arrived = app.do("back", url=an.press(page, "allow", ["/public/"], ["read", "append", "write"]))
        assert arrived.get("in") is True, arrived
        assert arrived["webid"] == pod + "profile/card#me"
        assert app.do("pods", webid=arrived["webid"]) == {"pods": [pod]}
        assert app.do("folder", url=pod + "public/notes/") == {}
        assert app.do("save", url=pod + "public/notes/a", name="één") == {}
        assert app.do("load", url=pod + "public/notes/a") == {"name": "één"}
        assert app.do("file", url=pod + "public/notes/t.txt", text="hallo") == {"text": "hallo"}
        assert app.do("remove", url=pod + "public/notes/t.txt") == {}
        for elsewhere in ("settings/", "inbox/", "interests/", "loans/"):
            assert app.do("status", method="GET", url=pod + elsewhere) == {"status": 403}, elsewhere
        left = app.do("leave", url=site.origin + "/bye") if kind == "document" else {"there": ""}
        assert "error" not in left, left
    passed.append(kind)


def test_a_stopped_client_of_inrupts_gets_401_at_once(town: Town) -> None:
    with Visitor(town.base, town.newcomer()) as an, Client("node-client.mjs") as app:
        pod = f"{town.base}/pods/{an.who.user}/"
        back = "http://127.0.0.1:9/back"
        went = app.do("login", oidcIssuer=town.base, redirectUrl=back, clientName="Notities")
        arrived = app.do("back", url=an.press(an.follow(went["there"]), "allow", ["/settings/"], ["read"]))
        assert arrived["in"] is True
        assert app.do("status", method="GET", url=pod + "settings/") == {"status": 200}
        an.stop("Notities")
        late = [app.do("status", method="GET", url=pod + "settings/") for _ in range(20)]
        figure("O53", sum(one != {"status": 401} for one in late), len(late))
        assert late == [{"status": 401}] * 20
        assert httpx.get(pod + "public/").status_code == 200


def test_a_refused_client_of_inrupts_is_told_so(town: Town) -> None:
    with Visitor(town.base, town.newcomer()) as an, Client("node-client.mjs") as app:
        back = "http://127.0.0.1:9/back"
        went = app.do("login", oidcIssuer=town.base, redirectUrl=back, clientName="Notities")
        there = an.press(an.follow(went["there"]), "deny", [], [])
        assert error_of(there) == "access_denied"
        assert app.do("back", url=there).get("in") is not True
