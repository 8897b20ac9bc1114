"""After a take-over: what the thief took along opens, signs and reads nothing any more; nothing of hers is lost."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from consent import grants, locks, signed, solid
from consent.accounts import passphrase
from consent.accounts.sessions import log_private
from consent.tables import Grant
from keys.errors import SwappedKey
from keys.sign import sign
from tests.consent.city import City
from tests.consent.test_locks import ALL, A, code_of, granted, mine, new_locks
from tests.house import Household
from vault import fsck, keyring, kit
from vault.errors import Conflict, DamagedItem, Denied
from vault.log import views
from vault.log.entry import Facts
from vault.log.grantform import message
from vault.newroot import Tops
from vault.tables import OldLog, RecordKey, RootWrap
from vault.unlocked import commit, root

OPENS = Facts("key event", "open root", rule="session")


async def tops(city: City, held: ExitStack) -> Tops:
    """What a thief with a live session takes along: copies of the five secrets."""
    async with root(city.vault, city.session, OPENS, city.now) as rk:
        with Tops.read(city.vault, city.session.pod, rk) as found:
            kinds = (found.root, found.managed, found.identity, found.log, found.msign)
            return Tops(*(held.enter_context(type(one)(bytes(one.view()))) for one in kinds))  # type: ignore[arg-type]


async def test_everything_at_the_top_is_another_one_afterwards(city: City) -> None:
    before, ring = city.session.pod, city.vault.keyring(city.session.pod)
    wraps = {(row.parent, row.child): row.wrapped for row in city.vault.db.read.find(RootWrap, pod=before.id)}
    with ExitStack() as held:
        old = await tops(city, held)
        city.session = await new_locks(city.vault, city.session, city.now)
        new = await tops(city, held)
        for name in ("root", "managed", "identity", "log", "msign"):
            assert getattr(old, name) != getattr(new, name), name
    after, now = city.session.pod, city.vault.keyring(city.session.pod)
    assert before.identity != after.identity and before.box != after.box and ring.msign != now.msign
    assert {step.identity for step in now.history} == {before.identity} and now.follows(before.identity)
    for row in city.vault.db.read.find(RootWrap, pod=before.id):
        assert row.wrapped != wraps[(row.parent, row.child)]
    told = city.told()
    assert ("key event", "new root", "session") in told and ("key event", "new generation", "session") in told


async def test_facts_read_before_the_change_still_lead_to_the_keyring_and_the_grants(city: City) -> None:
    grant, _ = await granted(city, ALL)
    stale = city.session.pod
    city.session = await new_locks(city.vault, city.session, city.now)
    row = city.vault.db.read.get(Grant, grant)
    assert row is not None
    assert signed.read(city.vault, stale, row).client == "cultuurgids"
    assert city.vault.keyring(stale).identity == city.session.pod.identity


async def test_grants_go_on_and_the_old_identity_signs_no_more(city: City) -> None:
    grant, access = await granted(city, ALL)
    own = await solid.credentials(city.vault, city.session.pod, "w", "Laptop", city.now)
    with ExitStack() as held:
        old = await tops(city, held)
        city.session = await new_locks(city.vault, city.session, city.now)
        assert (await city.read(access, A))["schema:about"] == ["strips"]
        for one in (grant, own.grant):
            assert grants.load(city.vault, one) is not None
        row = city.vault.db.read.get(Grant, grant)
        assert row is not None
        said = message(row.pod, row.id, row.version, row.created, row.commitment)
        forged = sign(old.identity, said)
    await city.vault.db.write(lambda tx: tx.change(Grant, {"id": grant}, signature=forged))
    row = city.vault.db.read.get(Grant, grant)
    assert row is not None
    with pytest.raises(DamagedItem):
        signed.read(city.vault, city.session.pod, row)


async def test_the_whole_log_stays_readable_and_the_thief_reads_no_new_line(city: City) -> None:
    for _ in range(2):
        with ExitStack() as held:
            old = await tops(city, held)
            before = len(city.told())
            city.session = await new_locks(city.vault, city.session, city.now)
            with log_private(city.session) as private:
                lines = views.lines(city.vault, city.session.pod, private)
            assert len(lines) > before and all(line.record for line in lines)
            thief = views.lines(city.vault, city.session.pod, old.log)
            since = next(line.seq for line in lines if line.told["action"] == "new root" and line.seq > before)
            assert not any(line.record for line in thief if line.seq >= since)
    boxes = {row.box for row in city.vault.db.read.find(RecordKey, pod=city.session.pod.id)}
    assert boxes == city.vault.keyring(city.session.pod).logs and len(boxes) == 3


async def test_a_lost_old_log_key_breaks_its_own_lines_only(city: City) -> None:
    city.session = await new_locks(city.vault, city.session, city.now)
    await city.vault.db.write(lambda tx: tx.remove(OldLog, pod=city.session.pod.id))
    with log_private(city.session) as private:
        lines = views.lines(city.vault, city.session.pod, private)
    assert {line.outcome == "broken" for line in lines} == {True, False}


async def test_what_the_thief_took_signs_no_change_of_the_keyring(city: City) -> None:
    with ExitStack() as held:
        old, stale = await tops(city, held), city.session.pod
        city.session = await new_locks(city.vault, city.session, city.now)
        with pytest.raises(SwappedKey):
            keyring.change(city.vault.db.read, stale.id, old.identity, lambda ring: ring)
        with pytest.raises(Denied, match="ended"):
            await commit(city.vault, stale, old.identity, lambda ring: ring, lambda _: pytest.fail("nothing to write"))
        with pytest.raises(Conflict, match="changed"):
            keyring.extend(city.vault.db.read, stale.id, old.msign, city.session.pod.identity, bytes(16), bytes(32))


async def test_an_old_recovery_kit_is_known_as_one_and_opens_nothing(city: City) -> None:
    with ExitStack() as held:
        old, pod = await tops(city, held), city.session.pod
        kept = kit.read(kit.write(pod, city.vault.base, old.root))
        assert await kit.opens(city.vault, kept, city.now)
        city.session = await new_locks(city.vault, city.session, city.now)
        assert not await kit.opens(city.vault, kept, city.now)
        assert ("denial", "prove recovery kit", "old kit") in city.told()


async def test_a_change_that_breaks_off_half_way_is_finished_by_doing_it_again(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, access = await granted(city, ALL)
    code = await code_of(city)

    async def crash(*_: object, **__: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as here:
        here.setattr(locks, "change", crash)
        with pytest.raises(ConnectionResetError):
            await locks.change_all(city.vault, city.session, city.now)
    opened = await passphrase.login(city.vault, "an", code, city.now)
    assert opened is not None
    city.session = await new_locks(city.vault, opened[1], city.now)
    assert await mine(city, A) == "resource"
    assert (await city.read(access, A))["schema:about"] == ["strips"]
    assert len(city.vault.keyring(city.session.pod).history) == 2


async def test_the_check_of_the_directory_follows_the_change_and_names_what_is_missing(
    house: Household, tmp_path: Path
) -> None:
    await house.call("PUT", "/pods/an/notes/a.txt", await house.jwt(), {"content-type": "text/plain"}, b"dag")
    house.session = await new_locks(house.vault, house.session, house.clock())
    answer = await house.call("GET", "/pods/an/notes/a.txt", await house.jwt())
    assert (answer.status_code, answer.content) == (200, b"dag")
    await house.call("PUT", "/pods/an/more/a.txt", await house.jwt(), {"content-type": "text/plain"}, b"dag")
    await house.vault.log.settle()
    assert list(fsck.check(tmp_path / "vault", tmp_path / "shares")) == []
    pod = house.session.pod.id
    await house.vault.db.write(lambda tx: tx.change(OldLog, {"pod": pod}, public=bytes(32)))
    assert any("log keys" in line for line in fsck.check(tmp_path / "vault", tmp_path / "shares"))
    await house.vault.db.write(lambda tx: tx.run("UPDATE recordkey SET box = zeroblob(32) WHERE pod = :p", p=pod))
    assert any("never named" in line for line in fsck.check(tmp_path / "vault", tmp_path / "shares"))
