"""Every way in which somebody may no longer listen, while changes race it: once it is answered no message leaves."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from consent import dynamic, erasure, follow, narrowing
from consent.call import Call
from consent.follow import Following
from keys.text import b64
from tests.conftest import BASE
from tests.consent import sample
from tests.house import ALL_INTERESTS, Granted, Household
from tests.log.acts import ONGOING, TEXT
from tests.web.notifications.listening import OPEN
from tests.web.notifications.test_race import PATH
from tests.web.pushing import until
from tests.web.test_custody import custody
from vault.solid.notifications import SOCKET, Wish

pytestmark = pytest.mark.timeout(120)
LOANS = {"category": "kluis:LibraryLoan", "necessity": "required"}
SOON = {"recurrence": {"mode": "ongoing"}, "expires": "2026-11-23T00:00:00Z"}
FOLDER = "/pods/an/settings/"
GROUP = (
    b"@prefix v: <http://www.w3.org/2006/vcard/ns#>. <#us> v:hasMember <%s/pods/an/profile/card#me> ." % BASE.encode()
)
LIST = OPEN + b" <#g> a acl:Authorization; acl:agentGroup </pods/an/public/us#us>; acl:default <./>; acl:mode acl:Read."
TURTLE = {"content-type": "text/turtle"}
End = Callable[[Household, Granted], Awaitable[object]]


async def by_time(house: Household, _: Granted) -> None:
    house.clock.forward(days=3)
    house.house.channels.tick()


async def by_list(house: Household, _: Granted) -> None:
    await house.call("PUT", FOLDER + ".acl", await house.jwt(), TURTLE, OPEN)


async def by_group(house: Household, _: Granted) -> None:
    body = GROUP + b" <#us> v:hasMember <https://b.example/#me> ."
    done = await house.call("PUT", "/pods/an/public/us", await house.jwt(), TURTLE, body)
    assert done.status_code == 204, done.text


async def unregister(house: Household, _: Granted) -> None:
    gone = {"authorization": f"Bearer {await dynamic.entrust(house.vault, sample.APP)}"}
    assert (await house.http.delete("/oauth/register/cultuurgids", headers=gone)).status_code == 204


ENDS: dict[str, End] = {
    "withdraw": lambda house, held: house.withdraw(held),
    "freeze": lambda house, held: house.press(f"/me/access/{b64(held.id)}/restrict"),
    "give less": lambda house, held: narrowing.narrow(
        house.vault, house.session, held.id, ["kluis:LibraryLoan"], house.clock()
    ),
    "keep it, in fewer rooms": lambda house, held: narrowing.narrow(
        house.vault, house.session, held.id, ["pd:Interest"], house.clock()
    ),
    "time": by_time,
    "logout": lambda house, _: house.press("/logout"),
    "erase": lambda house, _: erasure.by_operator(house.vault, house.session.pod, house.clock()),
    "unregister": unregister,
    "list": by_list,
    "group": by_group,
    "seal": lambda house, _: custody(house, "settings", "sealed"),
}
BY_LISTS = {"list", "group", "seal"}


async def follower(house: Household, how: str) -> tuple[Following, Granted]:
    """Somebody who follows, and what she was given."""
    terms = {"logout": {"recurrence": {"mode": "session"}}, "time": SOON}.get(how, ONGOING)
    held = await house.grant(ALL_INTERESTS, LOANS, **terms)
    token, topic = (await house.jwt(), FOLDER) if how in BY_LISTS else (held.access, "/pods/an/interests/")
    shown = house.shown("POST", PATH, token)
    call = Call("POST", BASE + PATH, "an", topic.removeprefix("/pods/an"), (shown["authorization"].encode(),),
                (shown["dpop"].encode(),), follows=True)  # fmt: skip
    found = await follow.begin(house.vault, call, house.session.pod, Wish(SOCKET, BASE + topic), lambda _: 0,
                               house.clock())  # fmt: skip
    assert isinstance(found, Following), found
    return found, held


async def change(house: Household, how: str, number: int, token: str) -> None:
    """Something is stored where she listens, if that still goes."""
    if how in BY_LISTS:
        await house.call("PUT", f"{FOLDER}n{number}", token, TEXT, b"x")
    else:
        await house.keep(f"/interests/n{number}.jsonld", {"n": number})


@pytest.mark.parametrize("how", ENDS)
async def test_whatever_ends_it_nothing_is_told_after_the_answer(house: Household, how: str) -> None:
    token = await house.jwt()
    if how in BY_LISTS:
        assert (await house.call("PUT", "/pods/an/public/us", token, TURTLE, GROUP)).status_code == 201
        assert (await house.call("PUT", FOLDER + ".acl", token, TURTLE, LIST)).status_code == 204
    following, held = await follower(house, how)
    channel, sent = house.house.channels.open(following, BASE + "/pods/an"), list[bytes]()

    async def put(text: bytes) -> None:
        await asyncio.sleep(0)
        sent.append(text)

    serving = asyncio.create_task(house.house.channels.serve(channel, put))
    await change(house, how, 0, token)
    await until(lambda: sent)
    racing = [asyncio.create_task(change(house, how, number, token)) for number in range(1, 40)]
    await asyncio.sleep(0)
    done = await ENDS[how](house, held)
    answered = len(sent)
    assert done is not False and getattr(done, "status_code", 303) == 303
    await asyncio.gather(*racing, return_exceptions=True)
    await asyncio.wait_for(serving, 20)
    assert len(sent) == answered and channel.over
    assert house.house.channels.count(following.pod) == 0


async def test_who_begins_to_listen_in_the_very_moment_of_the_withdrawal_listens_to_nothing(house: Household) -> None:
    following, held = await follower(house, "withdraw")
    await house.withdraw(held)
    channel = house.house.channels.open(following, BASE + "/pods/an")
    assert channel.over == "ended" and house.house.channels.count(following.pod) == 0
