"""Ways in: a new one opens, a removed one is gone for good, and two always remain."""

import pytest

from consent.accounts import passphrase, people, ways
from keys.secret import Seed
from keys.unlock import new_code, read_code
from tests.conftest import Clock
from tests.consent.entering import PHRASE, an, entered
from vault.errors import Denied, TooFewUnlockers
from vault.pod import NewUnlocker
from vault.unlockers import unlockers
from vault.vault import Vault


def code() -> tuple[str, NewUnlocker]:
    text = new_code()
    return text, NewUnlocker("recovery", "", read_code(text))


async def test_a_new_way_in_opens_and_stands_in_the_account_and_the_log(vault: Vault, clock: Clock) -> None:
    made = await an(vault, clock, phrase=PHRASE)
    _, session = await entered(vault, "an", PHRASE, clock)
    text, new = code()
    await ways.add(vault, session, new, clock())
    account = people.by_id(vault, made.account)
    assert account is not None and new.id in account.ways_of("recovery")
    await entered(vault, "an", text, clock)


async def test_a_changed_passphrase_deletes_the_old_lock_and_its_share(vault: Vault, clock: Clock) -> None:
    made = await an(vault, clock, phrase=PHRASE)
    _, session = await entered(vault, "an", PHRASE, clock)
    account = people.by_id(vault, made.account)
    assert account is not None
    old = account.ways_of("passphrase")[0]
    text, new = code()
    await ways.add(vault, session, new, clock())
    await ways.remove(vault, session, old, clock())
    assert vault.shares.count("unlock", old) == 0
    assert old not in {row.id for row in unlockers(vault, session.pod.id)}
    assert await passphrase.login(vault, "an", PHRASE, clock()) is None
    await entered(vault, "an", text, clock)


async def test_fewer_than_two_ways_in_are_refused_with_the_way_out_and_nothing_is_lost(
    vault: Vault, clock: Clock
) -> None:
    made = await an(vault, clock, phrase=PHRASE)
    _, session = await entered(vault, "an", PHRASE, clock)
    account = people.by_id(vault, made.account)
    assert account is not None
    with pytest.raises(TooFewUnlockers, match="add a recovery code"):
        await ways.remove(vault, session, account.ways_of("recovery")[0], clock())
    await entered(vault, "an", made.codes[0], clock)


async def test_a_way_in_that_is_not_ones_own_is_not_taken_away(vault: Vault, clock: Clock) -> None:
    await an(vault, clock, phrase=PHRASE)
    _, session = await entered(vault, "an", PHRASE, clock)
    other = await people.enroll(vault, "bo", "Bo", "citizen", "bo", None, clock())
    account = people.by_id(vault, other.account)
    assert account is not None
    with pytest.raises(Denied, match="gone"):
        await ways.remove(vault, session, account.ways[0].id, clock())
    assert len(unlockers(vault, account.pod)) == 2


async def test_a_session_that_ended_adds_no_way_in(vault: Vault, clock: Clock) -> None:
    from consent.accounts import sessions

    await an(vault, clock, phrase=PHRASE)
    _, session = await entered(vault, "an", PHRASE, clock)
    await sessions.end(vault, session, clock())
    with pytest.raises(Denied), Seed.fresh() as seed:
        await ways.add(vault, session, NewUnlocker("recovery", "", seed), clock())
    assert len(unlockers(vault, session.pod.id)) == 2
