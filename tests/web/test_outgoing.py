"""What happened to a grant reaches its app: signed, at once, whatever other receivers do, and never with content."""

import asyncio
import json
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from consent import clients, endings, erasure, events, narrowing, outbox, signals
from consent.errors import BadChoice, OAuthError
from consent.oauth.registration import check_client
from consent.tables import Grant, Waiting
from federation.push import Breaker, Courier, Held, Taken, pause
from keys.text import b64, unb64
from tests.conftest import START
from tests.consent import sample
from tests.house import ALL_INTERESTS, Household
from tests.proof import figure, rounds
from tests.web.pushing import event, given, listens, opened, receiver, running, until
from web.outgoing import Outgoing

pytestmark = pytest.mark.timeout(300)


def rows(house: Household) -> list[Waiting]:
    return house.vault.db.read.find(Waiting)


def lines(house: Household) -> list[tuple[str, str, str]]:
    return [(one["action"], one["rule"], one.get("note", "")) for one in house.told() if one["type"] == "consent"]


async def stop(house: Household, grant: bytes) -> None:
    assert await endings.withdraw(house.vault, house.session, grant, house.clock())


async def test_a_withdrawal_reaches_the_app_within_two_seconds_signed_and_without_content(house: Household) -> None:
    with receiver() as inbox:
        app = await listens(house, inbox.uri, token="t0ken")
        grant = await given(house, app)
        async with running(house):
            await stop(house, grant)
            assert await until(inbox.look) < 2
            await until(lambda: not rows(house))
    (got,) = inbox.lines
    assert (got["type"], got["bearer"], got["path"]) == ("application/secevent+jwt", "Bearer t0ken", "/signals")
    told = opened(house, got["token"])
    assert (told["iss"], told["aud"], told["sub_id"]) == (house.vault.base, "cultuurgids",
                                                         {"format": "opaque", "id": b64(grant)})  # fmt: skip
    assert not {"sub", "exp"} & told.keys() and told["iat"] == int(house.clock().timestamp())
    kind, said = event(house, got["token"])
    assert kind == "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
    assert (said["grant_event"], said["initiating_entity"]) == ("withdrawn", "user")
    plain = json.dumps(told)
    assert not any(word in plain for word in ("An Peeters", "/pods/", '"an"', "jazz", "pd:Interest"))
    assert lines(house)[-2:] == [("withdraw", "session", ""), ("tell app", "withdrawn", "push")]
    (step,) = [one for one in events.history(house.vault, house.session.pod, grant) if one.state == "told"]
    assert step.detail == {"event": "withdrawn", "jti": told["jti"], "how": "push"}


async def test_each_thing_that_happens_to_a_grant_is_told_as_what_it_is(house: Household) -> None:
    postal = {"category": "pd:PostalCode", "derived": "postal_district", "necessity": "required"}
    with receiver() as inbox:
        app = await listens(house, inbox.uri)
        grant = await given(house, app, ALL_INTERESTS, postal, expires="2026-12-01T00:00:00Z")
        async with running(house):
            for on in (True, False):
                await narrowing.restrict(house.vault, house.session, grant, house.clock(), on=on)
                house.clock.forward(seconds=0.2)
            await narrowing.narrow(house.vault, house.session, grant, ["pd:Interest"], house.clock())
            await until(lambda: len(inbox.look()) == 3)  # what waits for a week is given up
            house.clock.forward(days=30)
            await endings.sweep(house.vault, house.clock())
            await until(lambda: len(inbox.look()) == 4)
    told = [event(house, token) for token in inbox.tokens()]
    found = {said["grant_event"]: (kind.rpartition(":")[2].rpartition("/")[2], said) for kind, said in told}
    assert {name: kind for name, (kind, _) in found.items()} == {
        "restricted": "restricted", "resumed": "resumed", "narrowed": "narrowed", "expired": "session-revoked"
    }  # fmt: skip
    assert found["restricted"][1]["at"] < found["resumed"][1]["at"]  # whatever the order in which they came
    assert found["narrowed"][1]["version"] == 2 and found["expired"][1]["initiating_entity"] == "policy"


async def test_a_correction_is_told_to_who_may_read_it_once_and_names_the_category_alone(house: Household) -> None:
    with receiver() as inbox:
        app = await listens(house, inbox.uri)
        grant = await given(house, app)
        now, pod = house.clock(), house.session.pod

        def correct(path: str, category: str, by: str = "") -> Any:
            return lambda tx: outbox.corrected(tx, pod, path, category, by, now)

        write = house.vault.db.write
        await write(correct("/loans/a.jsonld", "kluis:LibraryLoan"))
        await write(correct("/interests/a.jsonld", "pd:Interest", by=b64(grant)))
        assert rows(house) == []
        for _ in range(3):
            await write(correct("/interests/a.jsonld", "pd:Interest"))
        assert len(rows(house)) == 1
        async with running(house):
            await until(inbox.look)
    kind, said = event(house, inbox.tokens()[0])
    assert kind == "urn:kluis:event:corrected" and said["category"] == "pd:Interest"
    assert said.keys() == {"event_timestamp", "at", "initiating_entity", "grant_event", "category"}


@pytest.mark.parametrize("mode", ["broken", "redirect", "huge", "refuse"])
async def test_a_receiver_that_does_not_take_it_is_tried_again_later_with_the_same_token_id(
    house: Household, mode: str
) -> None:
    with receiver(mode) as bad, receiver() as good:
        grant = await given(house, await listens(house, bad.uri))
        async with running(house):
            await stop(house, grant)
            await until(bad.look)
            await asyncio.sleep(1.2)
            assert len(bad.look()) == 1 and len(rows(house)) == 1  # the clock stands still: no second try
            assert all(one["path"] == "/signals" for one in bad.lines)  # no redirect was followed
            await listens(house, good.uri)
            house.clock.forward(seconds=5)
            await until(lambda: not rows(house))
    assert opened(house, bad.tokens()[0])["jti"] == opened(house, good.tokens()[0])["jti"]


async def test_a_dead_receiver_costs_nothing_but_tries_and_is_given_up_after_seven_days(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.outgoing.SWEEP", 0.05)
    grant = await given(house, await listens(house, "http://127.0.0.1:1/nobody"))
    async with running(house):
        await stop(house, grant)
        waiting = outbox.of_pod(house.vault, house.session.pod)
        await until(lambda: house.house.outgoing.tries(waiting[0]) == 1)
        house.clock.forward(days=8)
        await until(lambda: not rows(house))
    assert lines(house)[-1] == ("give up telling app", "withdrawn", "")
    assert events.history(house.vault, house.session.pod, grant)[-1].state == "untold"


@pytest.mark.parametrize(
    ("uri", "why"),
    [("https://10.0.0.1/x", "address"), ("https://127.0.0.1/x", "address"),
     ("https://[::ffff:169.254.169.254]/", "address"), ("http://example.org/x", "address"),
     ("https://example.org:8443/x", "port"),
     ("https://a@example.org/x", "userinfo")],
)  # fmt: skip
async def test_an_inner_address_is_never_called(uri: str, why: str) -> None:
    async def private(host: str, port: int) -> list[str]:
        return ["10.0.0.1"] if host == "example.org" else [host.strip("[]")]

    assert await Courier(near=True, lookup=private).deliver(uri, "x") == Held(why)


async def test_a_server_that_is_not_for_development_pushes_nothing_to_its_own_machine() -> None:
    with receiver() as inbox:
        assert await Courier(near=False).deliver(inbox.uri, "x") == Held("scheme")
        assert inbox.look() == []
        assert await Courier(near=True).deliver(inbox.uri, "x") == Taken()


def test_pauses_double_up_to_an_hour_and_differ_by_chance() -> None:
    assert [pause(n, 0).total_seconds() for n in (0, 1, 2, 3)] == [1, 2, 4, 8]
    assert pause(3, 0.5) == timedelta(seconds=12) and pause(50, 0.999999) < timedelta(hours=1) == 2 * pause(50, 0)
    once = Breaker().failed(START, 0)
    assert once == Breaker(1, START + timedelta(seconds=1))
    assert once.open(START) and not once.open(START + timedelta(seconds=1)) and not Breaker().open(START)
    assert once.failed(START, 0).until == START + timedelta(seconds=2)
    assert not Breaker(1, START + timedelta(days=9)).open(START)  # the clock was far ahead when that was set


async def test_a_start_sends_what_was_left_under_the_same_ids_and_a_crash_before_the_strike_off_sends_it_again(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver() as inbox:
        app = await listens(house, inbox.uri)
        for _ in range(3):
            await stop(house, await given(house, app))
        left = {b64(row.id) for row in rows(house)}
        assert len(left) == 3

        async def crashes(*_: object) -> bool:
            raise RuntimeError

        with monkeypatch.context() as broken:
            broken.setattr(outbox, "told", crashes)
            async with running(house):
                await until(lambda: len(inbox.look()) == 3)
        assert {b64(row.id) for row in rows(house)} == left
        object.__setattr__(house.house, "outgoing", Outgoing(Courier(near=True)))  # another process
        async with running(house):
            await until(lambda: not rows(house))
    jtis = [opened(house, token)["jti"] for token in inbox.tokens()]
    assert len(jtis) == 6 and set(jtis) == left
    assert [one for one in lines(house) if one[0] == "tell app"] == [("tell app", "withdrawn", "push")] * 3


@pytest.mark.timeout(1200)  # in a proof a thousand grants are given first
async def test_a_receiver_that_hangs_delays_no_other(house: Household) -> None:
    count, told = rounds(30, "P1"), dict[str, float]()
    derived = {"category": "kluis:Derived", "necessity": "required"}
    with receiver("hang") as hung, receiver() as inbox:
        slow, app = await listens(house, hung.uri, "slow"), await listens(house, inbox.uri)
        held = [await given(house, slow) for _ in range(10)]
        good = [await given(house, app, derived, actions=["append"]) for _ in range(count)]
        async with running(house):
            for grant in held:
                await stop(house, grant)
            await until(hung.look)
            for grant in good:
                await stop(house, grant)
                told[b64(grant)] = time.time()
            await until(lambda: len(inbox.look()) == count, 60)
            assert len(hung.look()) <= 6  # four at once, then one at a time
            await until(lambda: len(rows(house)) == len(held))
    took = [one["at"] - told.pop(opened(house, one["token"])["sub_id"]["id"]) for one in inbox.lines]
    figure("P1", max(took), count)
    figure("P2", len(told), count)
    assert told == {} and max(took) < 2  # each was told, once, of what happened


async def test_what_an_erasure_ends_is_told_by_rows_that_name_no_pod(house: Household) -> None:
    with receiver() as inbox:
        app = await listens(house, inbox.uri)
        live, ended = await given(house, app), await given(house, app)
        await stop(house, ended)
        await house.jwt()  # a program of her own: nobody is told
        pod = house.session.pod
        await erasure.by_citizen(house.vault, house.session, house.clock())
        assert {row.pod for row in rows(house)} == {b""}
        async with running(house):
            await until(lambda: not rows(house))
    told = {(opened(house, t)["sub_id"]["id"], event(house, t)[1]["grant_event"]) for t in inbox.tokens()}
    assert told == {(b64(live), "withdrawn"), (b64(live), "delete"), (b64(ended), "delete")}
    deadline = int((house.clock() + timedelta(days=30)).timestamp())
    assert all(event(house, token)[1]["deadline"] == deadline for token in inbox.tokens())
    assert house.vault.pod_by_id(pod.id) is None


async def test_an_app_without_an_address_fetches_what_it_must_know_and_acknowledges_it(house: Household) -> None:
    grants = [await given(house) for _ in range(3)]
    for grant in grants:
        await stop(house, grant)

    async def poll(jti: str, said: dict[str, Any]) -> Any:
        at = int(house.clock().timestamp())
        shown = {"authorization": f"Bearer {sample.assertion(jti=jti, iat=at, exp=at + 60)}"}
        return await house.http.post("/oauth/signals", json=said, headers=shown)

    first = (await poll("1", {"maxEvents": 2})).json()
    assert len(first["sets"]) == 2 and first["moreAvailable"] is True
    assert {opened(house, token)["jti"] for token in first["sets"].values()} == first["sets"].keys()
    second = (await poll("2", {"ack": [*first["sets"], "none"]})).json()
    assert (
        len(second["sets"]) == 1
        and second["moreAvailable"] is False
        and not second["sets"].keys() & first["sets"].keys()
    )
    assert (await poll("3", {"ack": list(second["sets"])})).json() == {"sets": {}, "moreAvailable": False}
    assert rows(house) == [] and lines(house)[-1] == ("tell app", "withdrawn", "poll")
    assert (await poll("3", {})).status_code == 401  # a copy of an assertion
    assert (await house.http.post("/oauth/signals", json={})).status_code == 401
    assert (await poll("4", {"ack": "x"})).status_code == 400


async def test_after_an_erasure_nothing_that_waited_for_the_pod_is_fetched(house: Household) -> None:
    await stop(house, await given(house))

    async def poll(jti: str) -> set[str]:
        at = int(house.clock().timestamp())
        shown = {"authorization": f"Bearer {sample.assertion(jti=jti, iat=at, exp=at + 60)}"}
        return set((await house.http.post("/oauth/signals", json={}, headers=shown)).json()["sets"])

    before = await poll("1")
    await erasure.by_citizen(house.vault, house.session, house.clock())
    after = await poll("2")
    assert before and not before & after and after == {b64(row.id) for row in rows(house)}


async def test_what_is_said_about_the_stream_is_so(house: Household) -> None:
    told = (await house.http.get("/.well-known/ssf-configuration")).json()
    assert told["issuer"] == house.vault.base and told["jwks_uri"] == f"{house.vault.base}/oauth/jwks"
    assert told["delivery_methods_supported"] == ["urn:ietf:rfc:8935", "urn:ietf:rfc:8936"]
    assert set(told["events_supported"]) == {signals.uri(one) for one in [*signals.ENDS, *signals.CHANGES]}


@pytest.mark.parametrize(
    "changes",
    [{"push_uri": "http://stad.example/x"}, {"push_uri": "https://stad.example:8443/x"}, {"push_uri": "https://a@b.example/"},
     {"push_uri": "https://stad.example/x#y"}, {"push_uri": "ftp://stad.example/"}, {"push_token": "x"},
     {"push_uri": "https://stad.example/x", "push_token": "a b"},
     {"push_uri": "https://stad.example/x", "push_token": "a\r\nb"}],
)  # fmt: skip
def test_an_address_that_is_not_safe_to_call_is_refused_at_registration(changes: dict[str, str]) -> None:
    with pytest.raises(OAuthError):
        check_client(replace(sample.APP, **changes))  # type: ignore[arg-type]


async def test_an_app_registers_where_it_is_told_and_its_token_is_never_shown_again(house: Household) -> None:
    asked = clients.metadata(sample.APP) | {"push_uri": "https://stad.example/x", "push_token": "abc"}
    made = await clients.register(house.vault, clients.described(asked, "city", house.clock()), house.clock())
    found = clients.find(house.vault, made.client_id)
    assert found is not None and (found.push_uri, found.push_token) == ("https://stad.example/x", "abc")
    told = clients.metadata(found)
    assert told["push_uri"] == "https://stad.example/x" and "abc" not in json.dumps(told) and "abc" not in repr(found)


async def test_only_a_vault_for_development_takes_an_app_on_its_own_machine(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house.vault, "base", "https://kluis.stad.example")
    with pytest.raises(OAuthError, match="development"):
        await listens(house, "http://127.0.0.1:8401/x", "new")
    with pytest.raises(OAuthError, match="development"):  # nor when it says anew what it is (RFC 7592)
        clients.fit(house.vault, replace(sample.APP, push_uri="http://127.0.0.1:8401/x"))


async def test_nothing_can_be_put_that_says_more_than_a_deadline_a_version_or_a_category(house: Household) -> None:
    grant = await given(house)
    for said in (("withdrawn", {"path": "/loans/a"}), ("unheard", {})):
        with pytest.raises(BadChoice):
            await house.vault.db.write(lambda tx, s=said: outbox.put(tx, house.session.pod, grant, *s, house.clock()))
    assert rows(house) == []


async def test_a_thief_of_the_rows_reads_no_app_and_no_grant(house: Household) -> None:
    grant = await given(house)
    await stop(house, grant)
    (row,) = rows(house)
    assert row.pod == house.session.pod.id and unb64(b64(row.id)) == row.id
    assert grant not in row.sealed and b"cultuurgids" not in row.sealed and len(row.id) == 16


async def test_what_an_app_changes_in_a_pod_is_told_to_the_others_that_may_read_it(house: Household) -> None:
    derived, headers = {"category": "kluis:Derived", "necessity": "required"}, {"content-type": "application/ld+json"}
    reader = await given(house, sample.APP, derived)
    writer = await house.grant(derived, actions=["read", "write", "append", "delete"])
    path = "/pods/an/derived/a.jsonld"
    put = [await house.call("PUT", path, writer.access, headers, body) for body in (b'{"a": 1}', b'{"a": 2}')]
    assert [one.status_code for one in put] == [201, 204]
    (message,) = outbox.of_pod(house.vault, house.session.pod)  # what is new is no correction
    assert (message.signal.grant, message.signal.event) == (b64(reader), "corrected")
    await outbox.told(house.vault, message, "poll", house.clock())
    assert (await house.call("DELETE", path, writer.access)).status_code == 204
    assert [one.signal.event for one in outbox.of_pod(house.vault, house.session.pod)] == ["corrected"]


async def test_damaged_rows_keep_nobody_from_writing_leaving_or_being_told(house: Household) -> None:
    bad, good = await given(house), await given(house)
    await stop(house, await given(house))
    (lost,) = rows(house)

    def damage(tx: Any) -> None:
        tx.change(Grant, {"id": bad}, sealed=b"\x01" + bytes(80))
        tx.change(Waiting, {"id": lost.id}, sealed=b"\x01" + bytes(80))

    await house.vault.db.write(damage)
    pod, now = house.session.pod, house.clock()
    await house.vault.db.write(lambda tx: outbox.corrected(tx, pod, "/interests/a", "pd:Interest", "", now))
    assert [one.signal.grant for one in outbox.of_pod(house.vault, pod)] == [b64(good)]
    await erasure.by_citizen(house.vault, house.session, house.clock())
    assert {(one.signal.grant, one.signal.event) for one in outbox.since(house.vault, 0)} >= {
        (b64(good), "withdrawn"), (b64(good), "delete")
    }  # fmt: skip
