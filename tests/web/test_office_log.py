"""The office's log is read by officers: what somebody tried stands in her own pod's log, never there."""

from consent.accounts import passphrase, sessions
from consent.accounts.people import Newcomer, enroll, found_office
from tests.conftest import BASE, Clock
from tests.house import ALL_INTERESTS, Household
from vault.log import tally, views
from vault.tables import Record
from vault.vault import Vault

ELSEWHERE = ("/pods/nobody/diary/love.txt", "/pods/office/diary/love.txt", "/pods/office/dpo/")


async def in_office(house: Household) -> int:
    await house.quiet()
    return len(house.vault.db.read.find(Record, pod=house.vault.office))


async def test_a_call_about_no_pod_is_booked_in_the_agents_own_pod_and_not_in_the_office(house: Household) -> None:
    token = await house.jwt()
    for path in ELSEWHERE:
        before, mine = await in_office(house), len(house.told())
        assert (await house.call("GET", path, token)).status_code == 403
        assert await in_office(house) == before
        (line,) = house.told()[mine:]
        assert (line["type"], line["rule"], line["agent"]) == ("denial", "forbidden", f"{BASE}/pods/an/profile/card#me")
        assert (line["resources"], line["note"]) == ([], BASE + path)  # no path of her own pod


async def test_a_bad_proof_for_no_pod_is_booked_in_the_agents_own_pod(house: Household) -> None:
    token = await house.jwt()
    before, mine = await in_office(house), len(house.told())
    headers = house.shown("GET", ELSEWHERE[0], token, iat=0)
    assert (await house.http.get(ELSEWHERE[0], headers=headers)).status_code == 401
    assert (await in_office(house), len(house.told())) == (before, mine + 1)


async def test_a_grants_token_shown_at_another_pod_is_booked_in_the_pod_of_its_grant(house: Household) -> None:
    await enroll(house.vault, "mia", "Mia", "citizen", "mia", None, house.clock())
    mia = house.vault.pod("mia")
    assert mia is not None
    granted = await house.grant(ALL_INTERESTS)
    for path in (*ELSEWHERE, "/pods/mia/interests/a.jsonld"):
        before, theirs, mine = await in_office(house), views.of_pod(house.vault, mia), len(house.told())
        assert (await house.call("GET", path, granted.access)).status_code == 403
        assert (await in_office(house), views.of_pod(house.vault, mia)) == (before, theirs)
        (line,) = house.told()[mine:]
        assert (line["rule"], line["client"], line["note"]) == ("other pod", "cultuurgids", BASE + path)


async def test_the_office_reads_no_name_that_somebody_typed_and_no_address(vault: Vault, clock: Clock) -> None:
    (made,) = await found_office(vault, [Newcomer("dpo", "Dirk")], clock())
    for secret in ("geen geldige zin", made.codes[0][:-1]):
        assert await passphrase.login(vault, "mijn geheime naam", secret, clock()) is None
    await tally.add(vault.log, vault.office, "invalid_token", clock())
    await tally.flush(vault.log, clock(), all_of_them=True)
    opened = await passphrase.login(vault, "dpo", made.codes[0], clock())
    assert opened is not None
    with sessions.log_private(opened[1]) as private:
        told = [line.told for line in views.lines(vault, opened[1].pod, private)]
    tries = [line for line in told if line.get("rule") in ("unknown_name", "invalid_token")]
    assert len(tries) == 5
    fields = {"type", "action", "decision", "rule", "count", "resources", "id", "time", "seq", "prev"}
    assert set().union(*tries) <= fields and all(line["resources"] == [] for line in tries)
