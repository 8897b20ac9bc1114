"""SC1: the Solid clients of others, unmodified, at a house that really serves; each result is read over another way."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
import rdflib
from rdflib import URIRef

from tests.browser.town import Town
from tests.clients.solidlogin.node import Client, workshop
from tests.proof import figure, proving
from tests.solid.client import LDP
from vault.solid.access import Language

HERE = Path(__file__).parent
NAME = URIRef("https://schema.org/name")
NOTHING = dict.fromkeys(("read", "append", "write", "controlRead", "controlWrite"), False)
pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(400)]


@dataclass
class Desk:
    """A citizen's program, the address of a folder of hers that everybody may read, and the steps that held."""

    program: Client
    base: str
    pod: str
    webid: str = ""
    held: list[str] = field(default_factory=list)

    @property
    def folder(self) -> str:
        return self.pod + "public/"

    def do(self, step: str, **told: Any) -> dict[str, Any]:
        """One step of the program; it must not fail."""
        said = self.program.do(step, **told)
        assert "error" not in said, (step, told, said)
        self.held.append(step)
        return said

    def refused(self, step: str, **told: Any) -> None:
        """One step that must fail."""
        said = self.program.do(step, **told)
        assert "error" in said, (step, told, said)
        self.held.append(step)

    @staticmethod
    def seen(url: str) -> httpx.Response:
        """What nobody in particular gets there, without any client of others."""
        return httpx.get(url, headers={"accept": "text/turtle, */*;q=0.1"})

    def names(self, url: str) -> set[str]:
        """What stands there as a name, as a library that the house does not use reads it."""
        found = self.seen(url)
        assert found.status_code == 200, (url, found.text)
        return {
            str(one) for one in rdflib.Graph().parse(data=found.text, format="turtle", publicID=url).objects(None, NAME)
        }

    def members(self) -> set[str]:
        """What lies in her public folder."""
        found = rdflib.Graph().parse(data=self.seen(self.folder).text, format="turtle", publicID=self.folder)
        return {str(one) for one in found.objects(None, URIRef(LDP + "contains"))}


@pytest.fixture(scope="module", params=get_args(Language) if proving() else ("wac",))
def town(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Town]:
    """A house whose access is written in WAC, and one in ACP."""
    workshop(HERE)
    running = Town(tmp_path_factory.mktemp("town"), request.param)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def steps() -> Iterator[list[str]]:
    """Every step of every group that held."""
    found: list[str] = []
    yield found
    whole = found.count(DONE)
    figure("SC1", len(GROUPS) * len(get_args(Language)) - whole, len(found) - whole)


@pytest.fixture
def desk(town: Town, steps: list[str]) -> Iterator[Desk]:
    who = town.newcomer()
    made = town.credentials(who)
    with Client("program.mjs", HERE) as program:
        found = Desk(program, town.base, f"{town.base}/pods/{who.user}/")
        told = found.do("login", oidcIssuer=town.base, clientId=made.client_id, clientSecret=made.client_secret)
        assert told == {"in": True, "webid": found.pod + "profile/card#me"}
        found.webid = told["webid"]
        yield found
    steps += found.held


def discovery(desk: Desk) -> None:
    """From a WebID to its pods and issuer."""
    assert desk.do("pods", webid=desk.webid) == {"pods": [desk.pod]}
    assert desk.do("profile", webid=desk.webid) == {"issuer": desk.base}


def well_known(desk: Desk) -> None:
    """From a resource to what the house says about itself."""
    assert desk.do("wellKnown", url=desk.folder)["gateway"].startswith(desk.base)


def containers(desk: Desk) -> None:
    """Making, listing and removing containers."""
    assert desk.do("folder", url=desk.folder + "a/b/") == {"url": desk.folder + "a/b/"}
    made = desk.do("folderIn", url=desk.folder, slug="c")["url"]
    assert desk.members() == {desk.folder + "a/", made} == set(desk.do("list", url=desk.folder)["urls"])
    desk.refused("removeFolder", url=desk.folder + "a/")
    desk.do("removeFolder", url=made)
    assert desk.members() == {desk.folder + "a/"}


def datasets(desk: Desk) -> None:
    """Saving a new dataset, in place and in a container, and reading it."""
    one = desk.folder + "one"
    desk.do("save", url=one, name="één")
    assert desk.names(one) == {"één"} == {desk.do("load", url=one)["name"]}
    other = desk.do("saveIn", url=desk.folder, slug="twee", name="twee")["url"]
    assert desk.names(other) == {"twee"}
    desk.do("removeData", url=one)
    assert desk.seen(one).status_code == 404
    desk.refused("load", url=one)


def changes(desk: Desk) -> None:
    """Saving a changed dataset, which is a PATCH; adding and removing things."""
    one = desk.folder + "one"
    desk.do("save", url=one, name="oud")
    desk.do("change", url=one, name="nieuw")
    assert desk.names(one) == {"nieuw"}
    desk.do("add", url=one, fragment="more", name="meer")
    assert desk.names(one) == {"nieuw", "meer"}
    desk.do("drop", url=one, fragment="more")
    assert desk.names(one) == {"nieuw"}
    before = desk.seen(one)
    desk.do("emptyUpdate", url=one)
    assert (desk.seen(one).content, desk.seen(one).headers["etag"]) == (before.content, before.headers["etag"])


def files(desk: Desk) -> None:
    """Files: written, posted, told about, read, removed."""
    one = desk.folder + "een.txt"
    desk.do("file", url=one, text="hallo")
    desk.do("file", url=one, text="dag")
    assert desk.seen(one).text == "dag"
    assert desk.do("readFile", url=one) == {"text": "dag", "type": "text/plain"}
    assert desk.do("info", url=one) == {"type": "text/plain", "raw": True, "folder": False}
    other = desk.do("fileIn", url=desk.folder, slug="twee.txt", text="twee")["url"]
    assert desk.seen(other).text == "twee"
    desk.do("removeFile", url=one)
    assert desk.seen(one).status_code == 404


def access(desk: Desk) -> None:
    """Sharing with everybody and with one agent, and taking it back: in WAC and, where the server speaks it, in ACP."""
    one, agent = desk.pod + "settings/one", desk.pod.replace("/burger-", "/other-") + "profile/card#me"
    desk.do("file", url=one, text="geheim")
    assert desk.seen(one).status_code == 401
    assert desk.do("publicAccess", url=one)["access"] == NOTHING
    for _ in range(2):  # the second time it is so already, and the client sends an update that is empty
        assert desk.do("setPublic", url=one, access={"read": True})["access"] == NOTHING | {"read": True}
        assert desk.seen(one).text == "geheim"
    assert desk.do("publicAccess", url=one)["access"] == NOTHING | {"read": True}
    for _ in range(2):
        assert desk.do("setPublic", url=one, access={"read": False})["access"] == NOTHING
        assert desk.seen(one).status_code == 401
    shared = NOTHING | {"read": True, "append": True}
    assert desk.do("setAgent", url=one, agent=agent, access={"read": True, "append": True})["access"] == shared
    assert desk.do("agentAccess", url=one, agent=agent)["access"] == shared
    assert desk.do("agents", url=one)["agents"][agent] == shared
    assert desk.do("setAgent", url=one, agent=agent, access={"read": False, "append": False})["access"] == NOTHING
    assert desk.do("readFile", url=one)["text"] == "geheim"


def containers_access(desk: Desk) -> None:
    """The same of a container; what lies in it is as closed as it was."""
    folder = desk.pod + "settings/shared/"
    desk.do("file", url=folder + "one", text="geheim")
    desk.do("setPublic", url=folder, access={"read": True})
    assert (desk.seen(folder).status_code, desk.seen(folder + "one").status_code) == (200, 401)
    desk.do("setPublic", url=folder, access={"read": False})
    assert desk.seen(folder).status_code == 401
    assert desk.do("readFile", url=folder + "one")["text"] == "geheim"


def rdflib_load(desk: Desk) -> None:
    """rdflib loads, puts and deletes."""
    one = desk.folder + "one"
    desk.do("rdfPut", url=one, name="een")
    assert desk.names(one) == {"een"} == {desk.do("rdfLoad", url=one)["name"]}
    desk.do("rdfRemove", url=one)
    assert desk.seen(one).status_code == 404


def rdflib_update(desk: Desk) -> None:
    """rdflib changes one document, and several at once."""
    one, two = desk.folder + "one", desk.folder + "two"
    for url in (one, two):
        desk.do("rdfPut", url=url, name="oud")
    desk.do("rdfUpdate", url=one, less="oud", more="nieuw")
    assert desk.names(one) == {"nieuw"}
    desk.do("rdfUpdate", url=one, less="", more="ook")
    assert desk.names(one) == {"nieuw", "ook"}
    desk.do("rdfMany", urls=[one, two], name="beide")
    assert [desk.names(url) for url in (one, two)] == [{"nieuw", "ook", "beide"}, {"oud", "beide"}]


def notifications(desk: Desk) -> None:
    """Inrupt's notifications: found through the gateway, connected, told."""
    one = desk.folder + "one"
    desk.do("save", url=one, name="oud")
    desk.do("notify", url=one)
    desk.do("file", url=desk.folder + "other", text="x")
    desk.do("file", url=one, text="nieuw")
    assert desk.do("next")["message"]["object"] == one
    desk.do("hangUp")


def websocket(desk: Desk) -> None:
    """A raw WebSocketChannel2023, subscribed by hand, ended by a list that no longer lets its reader read."""
    one = desk.folder + "one"
    desk.do("file", url=one, text="oud")
    described = desk.seen(desk.pod + ".well-known/solid").text
    notify = "http://www.w3.org/ns/solid/notifications#"
    found = rdflib.Graph().parse(data=described, format="turtle", publicID=desk.pod)
    (service,) = found.subjects(URIRef(notify + "channelType"), URIRef(notify + "WebSocketChannel2023"))
    assert desk.do("listen", service=str(service), topic=one) == {"topic": one}
    desk.do("file", url=one, text="nieuw")
    message = desk.do("next")["message"]
    assert (message["object"], message["type"]) == (one, "Update")
    desk.do("removeFile", url=one)
    assert desk.do("next")["message"]["type"] == "Delete"
    desk.do("hangUp")


DONE = "the whole group"
GROUPS: tuple[Callable[[Desk], None], ...] = (
    discovery, well_known, containers, datasets, changes, files, access, containers_access, rdflib_load, rdflib_update,
    notifications, websocket,
)  # fmt: skip


@pytest.mark.parametrize("group", GROUPS, ids=lambda one: one.__name__)
def test_the_clients_of_others_do_what_they_do_elsewhere(group: Callable[[Desk], None], desk: Desk) -> None:
    group(desk)
    desk.held.append(DONE)
