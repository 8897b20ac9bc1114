"""`@inrupt/solid-client-notifications`, unmodified, and a bare WebSocketChannel2023, at a house that really serves."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.town import Town
from tests.clients.solidlogin.citizen import Visitor
from tests.clients.solidlogin.node import Client, workshop

HERE = Path(__file__).parent
pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    workshop(HERE)
    running = Town(tmp_path_factory.mktemp("town"))
    yield running
    running.stop()


@pytest.mark.parametrize("how", ["inrupt", "bare"])
def test_a_client_from_npm_hears_of_a_change_until_its_grant_is_withdrawn(town: Town, how: str) -> None:
    with Visitor(town.base, town.newcomer()) as an, Client("client.mjs", HERE) as app:
        pod, back = f"{town.base}/pods/{an.who.user}/", "http://127.0.0.1:9/back"
        went = app.do("login", oidcIssuer=town.base, redirectUrl=back, clientName="Notities")
        url = an.press(an.follow(went["there"]), "allow", ["/settings/"], ["read", "append", "write"])
        assert app.do("back", url=url) == {"in": True}
        service = f"{town.base}/notifications/WebSocketChannel2023/"
        step = {"inrupt": ("listen", {}), "bare": ("subscribe", {"service": service})}[how]
        assert app.do(step[0], topic=pod + "settings/", **step[1]) == {"status": "connected"}
        assert app.do("put", url=pod + "settings/a.txt", text="dag")["status"] == 201
        (told,) = app.do("heard", many=1)["heard"]
        assert (told["type"], told["object"], told["target"]) == ("Add", pod + "settings/a.txt", pod + "settings/")
        an.stop("Notities")
        assert app.do("closed") == {"status": "closed", "heard": []}
