"""A compartment whose custody the citizen changed: programs get what it is now, and no stranger learns of it."""

from consent import locks, solid
from consent.accounts import people
from tests.house import Household
from tests.web import tariff

TEXT = {"content-type": "text/plain"}
NOTE, LOAN = "/pods/an/notes/a.txt", "/pods/an/loans/a.jsonld"


async def custody(house: Household, container: str, to: str) -> None:
    await locks.set_custody(house.vault, house.session, container, to, house.clock())


def needed(answer: object) -> list[str]:
    told = answer.json()["authorization_details"]  # type: ignore[attr-defined]
    return [row["category"] for detail in told for row in detail["datatypes"]]


async def test_what_she_sealed_is_refused_to_her_own_program_with_the_grant_it_would_need(house: Household) -> None:
    token = await house.jwt()
    assert (await house.call("PUT", NOTE, token, TEXT, b"dag")).status_code == 201
    await custody(house, "notes", "sealed")
    for method, path, body in (("GET", NOTE, None), ("GET", "/pods/an/notes/", None), ("PUT", NOTE, b"nee"),
                               ("PUT", "/pods/an/notes/b.txt", b"nee"), ("DELETE", NOTE, None)):  # fmt: skip
        answer = await house.call(method, path, token, TEXT if body else {}, body)
        assert (answer.status_code, needed(answer)) == (403, ["kluis:File"]), (method, path, answer.text)
    assert (await house.call("GET", NOTE)).status_code == 401
    await custody(house, "notes", "managed")
    read = await house.call("GET", NOTE, token)
    assert (read.status_code, read.content) == (200, b"dag")


async def test_what_she_put_under_the_custodian_opens_to_her_own_program(house: Household) -> None:
    token = await house.jwt()
    before = await house.call("GET", LOAN, token)
    assert (before.status_code, needed(before)) == (403, ["kluis:LibraryLoan"])
    await custody(house, "loans", "managed")
    assert (await house.call("GET", LOAN, token)).status_code == 200
    assert (await house.call("GET", LOAN)).status_code == 401
    await custody(house, "loans", "sealed")
    assert (await house.call("GET", LOAN, token)).status_code == 403


async def test_a_program_without_access_gets_the_same_answer_before_and_after(house: Household) -> None:
    await house.call("PUT", NOTE, await house.jwt(), TEXT, b"dag")
    stranger = await strangers_token(house)
    paths = (NOTE, "/pods/an/nowhere/a.txt", LOAN, "/pods/an/tickets/a.jsonld")

    async def answers() -> list[tuple[int, str]]:
        found = [await house.call("GET", path, stranger) for path in paths]
        return [(one.status_code, one.json().get("type", "")) for one in found]

    before = await answers()
    assert {status for status, _ in before} == {403}
    await custody(house, "notes", "sealed")
    await custody(house, "loans", "managed")
    assert await answers() == before


async def strangers_token(house: Household) -> str:
    """An access token of somebody else with a pod here."""
    await people.enroll(house.vault, "bo", "Bo", "citizen", "bo", None, house.clock())
    pod, account = house.vault.pod("bo"), people.find(house.vault, "bo")
    assert pod is not None and account is not None
    made = await solid.credentials(house.vault, pod, account.webid, "Laptop", house.clock())
    mine, house.secrets = house.secrets, {"id": made.client_id, "secret": made.client_secret}
    token = await house.jwt()
    house.secrets = mine
    return token


async def test_what_is_special_opens_to_no_program_wherever_it_lies(house: Household) -> None:
    await tariff.pool(house)
    token = await house.jwt()
    await custody(house, "tariff", "managed")
    for method in ("GET", "DELETE"):
        assert (await house.call(method, "/pods/an/tariff/a.jsonld", token)).status_code == 403
