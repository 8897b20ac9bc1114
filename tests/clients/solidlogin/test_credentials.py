"""`@inrupt/solid-client-authn-node`, unmodified, with a person's own credentials: at home, and at another Kluis."""

from collections.abc import Iterator

import pytest

from tests.browser.town import Person, Town
from tests.clients.solidlogin.node import Client, workshop

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(400)]
SHARED = """@prefix acl: <http://www.w3.org/ns/auth/acl#>.
<#own> a acl:Authorization; acl:agent <{own}>; acl:accessTo <./>; acl:default <./>;
  acl:mode acl:Read, acl:Write, acl:Control.
<#them> a acl:Authorization; acl:agent <{them}>; acl:accessTo <./>; acl:default <./>; acl:mode acl:Read, acl:Append."""


@pytest.fixture(scope="module")
def towns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Town, Town]]:
    workshop()
    running = Town(tmp_path_factory.mktemp("one")), Town(tmp_path_factory.mktemp("other"))
    yield running
    for town in running:
        town.stop()


def pod_of(town: Town, who: Person) -> str:
    return f"{town.base}/pods/{who.user}/"


def enter(app: Client, town: Town, who: Person) -> str:
    """Log in with her own credentials; her WebID."""
    made = town.credentials(who)
    went = app.do("enter", oidcIssuer=town.base, clientId=made.client_id, clientSecret=made.client_secret)
    assert went == {"webid": pod_of(town, who) + "profile/card#me", "in": True}
    return str(went["webid"])


def test_inrupts_client_works_in_a_persons_own_pod_with_her_credentials(towns: tuple[Town, Town]) -> None:
    town, who = towns[0], towns[0].newcomer()
    with Client("node-client.mjs") as app:
        webid = enter(app, town, who)
        pod = pod_of(town, who)
        assert app.do("pods", webid=webid) == {"pods": [pod]}
        assert app.do("folder", url=pod + "public/notes/") == {}
        assert app.do("save", url=pod + "public/notes/a", name="één") == {}
        assert app.do("load", url=pod + "public/notes/a") == {"name": "één"}
        assert app.do("file", url=pod + "settings/t.txt", text="hallo") == {"text": "hallo"}
        assert app.do("status", method="GET", url=pod + "loans/") == {"status": 403}


def test_somebody_of_another_kluis_reads_and_adds_what_was_shared_with_her_and_nothing_else(
    towns: tuple[Town, Town],
) -> None:
    home, other = towns
    guest, host = home.newcomer(), other.newcomer()
    pod = pod_of(other, host)
    with Client("node-client.mjs") as theirs, Client("node-client.mjs") as app:
        own, them = enter(theirs, other, host), enter(app, home, guest)
        assert theirs.do("file", url=pod + "club/t.txt", text="van mij") == {"text": "van mij"}
        assert app.do("status", method="GET", url=pod + "club/t.txt") == {"status": 403}
        told = theirs.do("put", url=pod + "club/.acl", text=SHARED.format(own=own, them=them), type="text/turtle")
        assert told["status"] in (201, 204)
        assert app.do("text", url=pod + "club/t.txt") == {"status": 200, "text": "van mij"}
        for method, path, status in (("DELETE", "club/t.txt", 403), ("GET", "settings/", 403), ("GET", "loans/", 403)):
            assert app.do("status", method=method, url=pod + path) == {"status": status}, path
        assert app.do("add", url=pod + "club/", text="van haar")["status"] == 201
        left = SHARED.format(own=own, them="https://nobody.example/#me")
        assert theirs.do("put", url=pod + "club/.acl", text=left, type="text/turtle")["status"] in (201, 204)
        assert app.do("status", method="GET", url=pod + "club/t.txt") == {"status": 403}
