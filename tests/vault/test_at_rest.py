"""What a thief of the whole server can open at rest: database, shares, custodian, state key (keys.md, Layout)."""

from typing import Any

from consent.accounts import sessions
from keys.unlock import read_code
from tests.house import ALL_INTERESTS, Granted, Household
from tests.vault.thief import Thief, database, secret_of

SEALED = ("loans", "interests", "tickets", "card", "person", "age", "derived", "answers")
MANAGED = ("public", "settings", "inbox")


def rows(house: Household) -> dict[str, list[dict[str, Any]]]:
    return database(house.vault.db.path)


def thief(house: Household, *extra: bytes, then: dict[str, list[dict[str, Any]]] | None = None) -> Thief:
    folder = house.vault.db.folder.parent
    return Thief(then or rows(house), folder / "shares" / "shares.db", folder / "custodian", *extra)


def compartments(house: Household, names: tuple[str, ...]) -> set[bytes]:
    return {house.session.pod.compartment(name) for name in names}


def keys(found: Thief, custody: str) -> set[object]:
    """The compartments of this custody whose key, private half, or any resource was reached."""
    reached = {(c, i) for kind in ("ck", "pair") for c, i in found.reached(kind)}
    reached |= {(c, i) for kind in ("dek", "label", "body") for c, i, _ in found.reached(kind)}
    return {compartment for c, compartment in reached if c == custody}


def nothing_sealed(found: Thief) -> bool:
    roots = {name for name in found.reached("root") if name[1:] not in {("custody", "mk"), ("mk", "msign")}}
    records = found.reached("recordkey") | found.reached("record") | found.reached("dporecord") | found.reached("log")
    return not (keys(found, "sealed") | found.reached("rk") | found.reached("gk") | records | roots)


async def used(house: Household) -> Granted:
    """A grant that was used, so that deposits lie there in both forms, and managed content beside the sealed."""
    granted = await house.grant(ALL_INTERESTS)
    await house.keep("/interests/b.jsonld", {"@type": "pd:Interest", "schema:about": ["opera"]})
    assert (await house.call("GET", "/pods/an/interests/a.jsonld", granted.access)).status_code == 200
    await house.call("PUT", "/pods/an/public/notes.txt", await house.jwt(), {"content-type": "text/plain"}, b"openbaar")
    await house.quiet()
    return granted


async def test_with_nobody_there_the_whole_server_opens_managed_compartments_and_nothing_sealed(
    house: Household,
) -> None:
    granted = await used(house)
    await house.withdraw(granted)
    await sessions.end(house.vault, house.session, house.clock())
    assert house.vault.shares.owners("grant") == house.vault.shares.owners("session") == set()
    found = thief(house)
    assert nothing_sealed(found), sorted(map(str, found.open))
    assert keys(found, "managed") >= compartments(house, MANAGED)  # the same search does reach what it may
    assert any(b"openbaar" in body for name, body in found.open.items() if name[0] == "body")
    assert {name[0] for name in found.reached("column")} >= {
        "pod",
        "compartment",
        "grant",
        "token",
        "account",
        "client",
    }


async def test_a_live_grant_and_an_open_session_lend_the_thief_nothing_without_their_bearers(house: Household) -> None:
    await used(house)
    assert house.vault.shares.owners("grant") and house.vault.shares.owners("session")
    assert nothing_sealed(thief(house))


async def test_with_a_live_token_the_thief_reaches_exactly_the_granted_compartment(house: Household) -> None:
    granted = await used(house)
    for token in (granted.access, granted.refresh):
        found = thief(house, secret_of(token))
        assert keys(found, "sealed") == compartments(house, ("interests",))
        assert {r for c, _, r in found.reached("body") if c == "sealed"} == {
            house.session.pod.resource(path) for path in ("/interests/a.jsonld", "/interests/b.jsonld")
        }
        assert not found.reached("rk") and not found.reached("record")


async def test_after_the_withdrawal_neither_the_token_nor_an_old_copy_of_the_database_helps(house: Household) -> None:
    granted = await used(house)
    old = rows(house)
    await house.withdraw(granted)
    bearers = secret_of(granted.access), secret_of(granted.refresh)
    assert nothing_sealed(thief(house, *bearers))
    found = thief(house, *bearers, then=old)
    assert not keys(found, "sealed") and not found.reached("rk")
    assert found.reached("gk")  # the old copy still holds the wrap; without its share it leads nowhere


async def test_the_citizens_own_code_opens_everything_of_hers_and_nothing_of_others(house: Household) -> None:
    """So the search knows every lock of a pod in its right context: what it did not open above was really shut."""
    await used(house)
    with read_code(house.codes[0]) as seed:
        found = thief(house, bytes(seed.view()))
    mine, ids = house.session.pod.id, rows(house)
    assert keys(found, "sealed") == compartments(house, SEALED)
    assert {name[0] for name in found.reached("rk")} == {mine}
    wanted = {row["id"] for row in ids["resource"] if row["pod"] == mine}
    for kind in ("dek", "label"):
        assert {r for *_, r in found.reached(kind)} >= wanted
    assert {idx for (idx,) in found.reached("record")} == {row["idx"] for row in ids["record"] if row["pod"] == mine}
    assert not found.reached("dporecord")
