"""WebSocketChannel2023 over a real socket: what is told, to whom, and how it ends."""

import asyncio

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from consent import dynamic, follow
from tests.conftest import BASE
from tests.consent import sample
from tests.house import ALL_INTERESTS, INTERESTS, Household
from tests.log.acts import ONGOING
from tests.web.notifications.listening import HOOK, OPEN, SOCKET, heard, put, served, silent
from tests.web.test_custody import custody
from web import channels

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]
NOTE = "/pods/an/notes/a.txt"


async def test_a_change_is_told_with_the_state_that_a_read_gives_and_never_with_content(house: Household) -> None:
    token = await house.jwt()
    await put(house, NOTE, token)
    async with served(house) as there, there.socket(NOTE, token) as socket:
        answer = await put(house, NOTE, token, b"geheim")
        (told,) = await heard(socket)
        assert (told["type"], told["object"], told["state"]) == ("Update", BASE + NOTE, answer.headers["etag"])
        assert told["published"].endswith("Z") and told["id"].startswith("urn:kluis:notification:")
        assert "geheim" not in str(told)
        await house.call("DELETE", NOTE, token)
        (gone,) = await heard(socket)
        assert gone["type"] == "Delete" and "state" not in gone and gone["id"] != told["id"]
        await put(house, NOTE, token)
        assert [one["type"] for one in await heard(socket)] == ["Create"]


async def test_a_container_tells_of_members_that_come_and_go_and_not_of_their_changes(house: Household) -> None:
    token = await house.jwt()
    await put(house, NOTE, token)
    async with served(house) as there, there.socket("/pods/an/notes/", token) as socket:
        await put(house, NOTE, token, b"anders")
        await put(house, "/pods/an/notes/deep/b.txt", token)
        await house.call("DELETE", NOTE, token)
        added, removed = await heard(socket, 2)
        assert (added["type"], added["object"]) == ("Add", f"{BASE}/pods/an/notes/deep/")
        assert (removed["type"], removed["object"]) == ("Remove", BASE + NOTE)
        assert added["target"] == removed["target"] == f"{BASE}/pods/an/notes/"
        assert await silent(socket)


async def test_an_app_follows_what_its_grant_covers_and_each_telling_is_in_her_log(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS, **ONGOING)
    async with served(house) as there, there.socket("/pods/an/interests/", granted.access) as socket:
        await house.keep("/interests/b.jsonld", {})
        (told,) = await heard(socket)
        assert (told["type"], told["object"]) == ("Add", f"{BASE}/pods/an/interests/b.jsonld")
        await house.quiet()
    mine = [line for line in house.told() if line.get("client") == "cultuurgids"]
    follow, notify = (next(line for line in mine if line["action"] == one) for one in ("follow", "notify"))
    assert follow["resources"] == ["/interests/"] and follow["note"] == "WebSocketChannel2023"
    assert notify["resources"] == ["/interests/", "/interests/b.jsonld"] and notify["count"] == 1
    assert {line["purpose"] for line in (follow, notify)} == {"dpv:ProvideEventRecommendations"}


async def test_a_deposit_is_told(house: Household) -> None:
    from tests.web.test_sources import deliver, loans

    loan = {"category": "kluis:LibraryLoan", "necessity": "required"}
    granted = await house.grant(loan, **ONGOING)
    async with served(house) as there, there.socket("/pods/an/loans/", granted.access) as socket:
        await deliver(house, loans("1", "2"), {"pod": "an"})
        assert [one["type"] for one in await heard(socket, 2)] == ["Add", "Add"]


@pytest.mark.parametrize(
    ("what", "status"),
    [(INTERESTS, 403), ({"category": "pd:PostalCode", "derived": "postal_district", "necessity": "required"}, 403)],
)
async def test_a_grant_over_a_part_follows_nothing_for_the_times_would_tell_of_the_rest(
    house: Household, what: dict[str, object], status: int
) -> None:
    granted = await house.grant(what, **ONGOING)
    async with served(house) as there:
        answer = await there.ask(SOCKET, granted.access, topic=f"{BASE}/pods/an/interests/")
    assert answer.status_code == status, answer.text


async def test_strangers_and_others_follow_nothing_and_what_is_public_everybody(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS, **ONGOING)
    async with served(house) as there:
        assert (await there.ask(SOCKET, topic=BASE + "/pods/an/notes/")).status_code == 401
        assert (await there.ask(SOCKET, topic=BASE + "/pods/niemand/x")).status_code == 401
        assert (await there.ask(SOCKET, granted.access, topic=BASE + "/pods/an/loans/")).status_code == 403
        async with there.socket("/pods/an/public/") as socket:
            await put(house, "/pods/an/public/b.txt", await house.jwt())
            assert (await heard(socket))[0]["type"] == "Add"


async def test_the_address_works_once_for_a_minute_and_cannot_be_guessed(house: Household) -> None:
    token = await house.jwt()
    async with served(house) as there:
        answer = await there.ask(SOCKET, token, topic=BASE + NOTE)
        address = answer.json()["receiveFrom"]
        assert len(address.rpartition("/")[2]) == 43
        async with there.connect(address):
            with pytest.raises(InvalidStatus):
                await there.connect(address).__aenter__()
        with pytest.raises(InvalidStatus):
            await there.connect(address[:-1] + "x").__aenter__()
        late = (await there.ask(SOCKET, token, topic=BASE + NOTE)).json()["receiveFrom"]
        house.clock.forward(seconds=61)
        with pytest.raises(InvalidStatus):
            await there.connect(late).__aenter__()


async def test_what_happens_between_subscribing_and_connecting_is_told(house: Household) -> None:
    token = await house.jwt()
    async with served(house) as there:
        address = (await there.ask(SOCKET, token, topic=BASE + NOTE)).json()["receiveFrom"]
        await put(house, NOTE, token)
        async with there.connect(address) as socket:
            assert (await heard(socket))[0]["type"] == "Create"


async def test_a_changed_list_ends_the_channel_before_the_change_is_answered(house: Household) -> None:
    token = await house.jwt()
    await put(house, NOTE, token)
    async with served(house) as there, there.socket(NOTE, token) as socket:
        done = await house.call("PUT", "/pods/an/notes/.acl", token, {"content-type": "text/turtle"}, OPEN)
        assert done.status_code == 204, done.text
        await put(house, NOTE, token, b"later")
        with pytest.raises(ConnectionClosed) as ended:
            await heard(socket)
        assert ended.value.rcvd is not None and ended.value.rcvd.code == 1008


@pytest.mark.parametrize("how", ["withdraw", "freeze", "expire", "erase"])
async def test_the_end_of_a_grant_closes_its_channels(house: Household, how: str) -> None:
    changes = {"recurrence": {"mode": "ongoing"}, "expires": "2026-11-23T00:00:00Z"}
    granted = await house.grant(ALL_INTERESTS, **changes)
    async with served(house) as there, there.socket("/pods/an/interests/", granted.access) as socket:
        await ENDS[how](house, granted)
        if how != "erase":
            await house.vault.db.write(lambda _: None)
        with pytest.raises(ConnectionClosed):
            await heard(socket)
        assert house.house.channels.count(house.session.pod.id) == 0


async def test_an_app_that_unregisters_itself_hears_no_more(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS, **ONGOING)
    token = await dynamic.entrust(house.vault, sample.APP)
    async with served(house) as there, there.socket("/pods/an/interests/", granted.access) as socket:
        gone = {"authorization": f"Bearer {token}"}
        assert (await house.http.delete("/oauth/register/cultuurgids", headers=gone)).status_code == 204
        await house.keep("/interests/b.jsonld", {})
        with pytest.raises(ConnectionClosed):
            await heard(socket)


async def test_a_folder_that_is_sealed_is_followed_no_more_by_who_came_by_its_lists(house: Household) -> None:
    async with served(house) as there, there.socket("/pods/an/settings/", await house.jwt()) as socket:
        await custody(house, "settings", "sealed")
        with pytest.raises(ConnectionClosed):
            await heard(socket)


async def test_strangers_leave_room_for_the_apps_of_the_citizen(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "STRANGERS", 2)
    async with served(house) as there:
        public = [(await there.ask(SOCKET, topic=BASE + "/pods/an/public/")).status_code for _ in range(3)]
        assert public == [200, 200, 429]
        assert (await there.ask(SOCKET, await house.jwt(), topic=BASE + NOTE)).status_code == 200


async def test_a_grant_for_the_length_of_her_session_is_followed_until_she_logs_out(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS, recurrence={"mode": "session"})
    async with served(house) as there, there.socket("/pods/an/interests/", granted.access) as socket:
        answer = await there.ask(HOOK, granted.access, topic=f"{BASE}/pods/an/interests/", sendTo="https://a.example/x")
        assert answer.status_code == 403, answer.text
        await house.press("/logout")
        await house.vault.db.write(lambda _: None)
        with pytest.raises(ConnectionClosed):
            await heard(socket)


async def test_who_does_not_read_is_cut_off_and_holds_nobody_up(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "QUEUE", 3)
    token = await house.jwt()
    async with served(house) as there:
        address = (await there.ask(SOCKET, token, topic="http://localhost:8400/pods/an/notes/")).json()["receiveFrom"]
        for number in range(5):
            await put(house, f"/pods/an/notes/{number}.txt", token)
        with pytest.raises(InvalidStatus):
            await there.connect(address).__aenter__()
        assert house.house.channels.count(house.session.pod.id) == 0


async def test_a_client_that_talks_is_not_listened_to(house: Household) -> None:
    token = await house.jwt()
    async with served(house) as there:
        async with there.socket(NOTE, token) as socket:
            await socket.send("x" * 2000)
            with pytest.raises(ConnectionClosed) as ended:
                await heard(socket)
            assert ended.value.rcvd is not None and ended.value.rcvd.code == 1009
        async with there.socket(NOTE, token) as socket:
            with pytest.raises(ConnectionClosed):
                await _talk(socket)


async def _talk(socket: ClientConnection) -> None:
    for _ in range(200):
        await socket.send("x")
        await asyncio.sleep(0)
    await heard(socket)


async def _expire(house: Household, _: object) -> None:
    house.clock.forward(days=3)
    house.house.channels.tick()


ENDS = {
    "withdraw": lambda house, granted: house.withdraw(granted),
    "freeze": lambda house, granted: _freeze(house, granted),
    "expire": _expire,
    "erase": lambda house, _: _erase(house),
}


async def _freeze(house: Household, granted: object) -> None:
    from keys.text import b64

    assert (await house.press(f"/me/access/{b64(granted.id)}/restrict")).status_code == 303  # type: ignore[attr-defined]


async def _erase(house: Household) -> None:
    from consent import erasure

    await erasure.by_operator(house.vault, house.session.pod, house.clock())
