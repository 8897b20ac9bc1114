"""Sessions: found by their cookie, asleep when unused, gone when ended."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from consent.accounts import links, passphrase, people, renewal, sessions, ways
from consent.accounts.people import enroll
from consent.accounts.roles import ROLES, may, pod_kind
from consent.tables import Session
from keys.errors import Damaged
from keys.grants import read_token
from keys.secret import Secret, Share
from keys.text import b64
from keys.unlock import read_code
from tests.conftest import Clock
from tests.consent.entering import actions, an, entered, stored
from vault import gates, pod as pods
from vault.errors import Denied, MissingKey, TooFewUnlockers
from vault.log.entry import Appended, Facts, Intent
from vault.shares import Want
from vault.unlocked import reach
from vault.unlockers import open_root
from vault.vault import Vault


async def test_a_session_is_found_by_its_cookie_and_by_nothing_else(vault: Vault, clock: Clock) -> None:
    made = await an(vault, clock)
    cookie, session = await entered(vault, "an", made.codes[0], clock)
    found = sessions.find(vault, cookie, clock())
    assert found is not None
    assert (found.handle, found.csrf, found.keys.wrap) == (session.handle, session.csrf, session.keys.wrap)
    forged = replace(read_token(cookie), secret=Secret(b"x" * 32)).text
    bad = ["", "kss1_", cookie[:-1], cookie.replace("kss1", "kat1"), forged]
    assert [sessions.find(vault, text, clock()) for text in bad] == [None] * 5


async def test_a_session_sleeps_after_a_quarter_of_an_hour_and_ends_after_eight_hours(
    vault: Vault, clock: Clock
) -> None:
    made = await an(vault, clock)
    cookie, _ = await entered(vault, "an", made.codes[0], clock)
    clock.forward(minutes=14, seconds=59)
    assert sessions.find(vault, cookie, clock()) is not None
    clock.forward(seconds=1)
    assert sessions.find(vault, cookie, clock()) is None
    cookie, _ = await entered(vault, "an", made.codes[0], clock)
    for _ in range(8 * 60 // 10):
        found = sessions.find(vault, cookie, clock())
        assert found is not None
        await sessions.touch(vault, found, clock())
        clock.forward(minutes=10)
    assert sessions.find(vault, cookie, clock()) is None


async def test_use_is_noted_at_most_once_a_minute(vault: Vault, clock: Clock) -> None:
    made = await an(vault, clock)
    _, session = await entered(vault, "an", made.codes[0], clock)
    started = session.seen
    clock.forward(seconds=59)
    await sessions.touch(vault, session, clock())
    assert vault.db.read.find(Session)[0].seen == started
    clock.forward(seconds=1)
    await sessions.touch(vault, session, clock())
    assert vault.db.read.find(Session)[0].seen == started + 60_000


async def test_after_logout_the_cookie_opens_nothing_and_its_share_is_gone(vault: Vault, clock: Clock) -> None:
    made = await an(vault, clock)
    cookie, session = await entered(vault, "an", made.codes[0], clock)
    assert vault.shares.count("session", session.handle) == 1
    await sessions.end(vault, session, clock())
    assert sessions.find(vault, cookie, clock()) is None
    assert vault.shares.count("session", session.handle) == 0
    gate = gates.read(vault.db.read, session.handle)
    assert gate is not None
    assert gate.state == "ended"
    assert actions(vault, session)[-1] == ("key event", "logout", "allowed")


async def test_the_root_needs_the_sessions_own_share(vault: Vault, clock: Clock) -> None:
    made = await an(vault, clock)
    _, session = await entered(vault, "an", made.codes[0], clock)
    want = session.keys.want(b"")
    intent = Intent(session.pod.id, Facts("access", "read"), clock(), guards=(session.guard,), wants=(want,))
    done = await vault.log.append(intent)
    assert isinstance(done, Appended)
    root, same = reach(session.keys, done.shares[want]), sessions.log_private(session)
    assert pods.log_key(vault, session.pod, root) == same
    with pytest.raises(Damaged):
        reach(session.keys, Share.fresh())


async def test_a_person_lists_and_ends_her_sessions_and_nobody_elses(vault: Vault, clock: Clock) -> None:
    made = await an(vault, clock)
    mia = await enroll(vault, "mia", "Mia", "citizen", "mia", None, clock())
    phone, on_phone = await entered(vault, "an", made.codes[0], clock)
    clock.forward(seconds=1)
    _, here = await entered(vault, "an", made.codes[0], clock)
    _, hers = await entered(vault, "mia", mia.codes[0], clock)
    assert [one.handle for one in sessions.listing(vault, made.account, clock())] == [here.handle, on_phone.handle]
    assert not await sessions.end_other(vault, here, hers.handle, clock())
    assert await sessions.end_other(vault, here, on_phone.handle, clock())
    assert sessions.find(vault, phone, clock()) is None
    assert [one.handle for one in sessions.listing(vault, made.account, clock())] == [here.handle]


async def test_the_sweep_deletes_the_shares_of_sessions_that_fell_asleep(vault: Vault, clock: Clock) -> None:
    made = await an(vault, clock)
    _, asleep = await entered(vault, "an", made.codes[0], clock)
    clock.forward(minutes=10)
    awake, session = await entered(vault, "an", made.codes[0], clock)
    clock.forward(minutes=6)
    assert await sessions.sweep(vault, clock()) == 1
    assert vault.shares.count("session", asleep.handle) == 0
    assert sessions.find(vault, awake, clock()) is not None
    assert vault.shares.count("session", session.handle) == 1


async def test_no_store_holds_a_cookies_secret(vault: Vault, clock: Clock, tmp_path: Path) -> None:
    made = await an(vault, clock)
    cookie, _ = await entered(vault, "an", made.codes[0], clock)
    secret = read_token(cookie).secret
    held = stored(tmp_path)
    assert bytes(secret.view()) not in held
    assert b64(secret.view()).encode() not in held


async def test_a_demo_link_opens_once_and_only_with_the_demos_own_key(vault: Vault, clock: Clock) -> None:
    made = await an(vault, clock, demo=True)
    keys = {b64(made.account): made.demo}
    later = clock()
    clock.forward(seconds=-3600)
    text = await links.new_link(vault, made.account, later)
    opened = await links.follow(vault, text, keys, clock())
    assert opened is not None
    assert opened[1].account == made.account
    assert await links.follow(vault, text, keys, clock()) is None
    spare = [await links.new_link(vault, made.account, later) for _ in range(3)]
    assert await links.follow(vault, spare[0], {}, clock()) is None
    assert await links.follow(vault, spare[1], {b64(made.account): b64(b"k" * 32)}, clock()) is None
    clock.forward(seconds=3600)
    assert await links.follow(vault, spare[2], keys, clock()) is None
    assert await links.follow(vault, "kln1_", keys, clock()) is None


async def test_a_login_before_there_is_an_office_is_refused_loudly(vault: Vault, clock: Clock) -> None:
    with pytest.raises(MissingKey):
        await passphrase.login(vault, "nobody", "niet de goede zin", clock())


def test_only_the_dpo_reads_totals_and_only_citizens_keep_data() -> None:
    assert [role for role in ROLES if may(role, "read totals")] == ["dpo"]
    assert [role for role in ROLES if may(role, "keep data")] == ["citizen"]
    assert {pod_kind(role) for role in ROLES} == {"citizen", "office", "desk"}


def test_a_session_share_is_named_by_its_handle() -> None:
    assert Want("session", b"h" * 16) == sessions.SessionKeys(b"h" * 16, Secret(b"s" * 32), b"", b"").want(b"c")


async def test_a_login_that_was_under_way_when_its_way_in_was_taken_away_opens_no_session(
    vault: Vault, clock: Clock
) -> None:
    made = await an(vault, clock)
    _, session = await entered(vault, "an", made.codes[0], clock)
    await renewal.add_code(vault, session, clock())
    account = people.by_id(vault, made.account)
    assert account is not None
    root = await passphrase.known(vault, account, made.codes[0], clock())
    assert root is not None
    for way in account.ways_of("recovery"):
        with read_code(made.codes[0]) as seed, suppress(TooFewUnlockers):
            if await open_root(vault, session.pod, {way: seed}, clock(), Facts("unlock", "login")) is not None:
                await ways.remove(vault, session, way, clock())
    with root, pytest.raises(Denied, match="changed"):
        await sessions.open(vault, account, root, clock())
    assert [row.handle for row in vault.db.read.find(Session)] == [session.handle]
    assert vault.shares.owners("session") == {session.handle}
