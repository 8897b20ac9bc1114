"""A proof counts once: a copy of it is refused for as long as it would count, and does nothing at all."""

from tests.house import Household
from vault.gates import ms
from vault.tables import Compartment, GrantUse, Jti, Resource
from vault.vault import _sweep
from web import jobs

NOTE = "/pods/an/public/a.txt"


async def test_a_copy_is_refused_for_the_whole_window_whatever_the_clockwork_forgets(house: Household) -> None:
    token = await house.jwt()
    ahead = int(house.clock().timestamp()) + 59  # a client whose clock runs ahead: its proof counts longest
    headers = house.shown("GET", NOTE, token, iat=ahead)
    assert (await house.http.get(NOTE, headers=headers)).status_code == 404
    for seconds in (0, 30, 30, 58):
        house.clock.forward(seconds=seconds)
        await jobs.tick(house.house)
        _sweep(house.vault, ms(house.clock()))  # what a start does
        again = await house.http.get(NOTE, headers=headers)
        assert again.status_code == 401, seconds
    assert "replay" in {line["rule"] for line in house.told()}
    house.clock.forward(seconds=3)
    await jobs.tick(house.house)
    assert (await house.http.get(NOTE, headers=headers)).status_code == 401  # too old now
    house.clock.forward(minutes=5)
    await jobs.tick(house.house)
    assert house.vault.db.read.find(Jti) == []


async def test_a_copied_request_for_a_new_container_makes_one(house: Household) -> None:
    token = await house.jwt()
    link = {"link": '<http://www.w3.org/ns/ldp#BasicContainer>; rel="type"', "slug": "nieuw"}
    headers = house.shown("POST", "/pods/an/", token) | link
    first = await house.http.post("/pods/an/", headers=headers)
    assert (first.status_code, first.headers["location"][-7:]) == (201, "/nieuw/")
    before = len(house.vault.db.read.find(Resource, pod=house.session.pod.id))
    for slug in ("nieuw", "ander"):
        copy = await house.http.post("/pods/an/", headers=headers | {"slug": slug})
        assert copy.status_code == 401, copy.text
    assert len(house.vault.db.read.find(Resource, pod=house.session.pod.id)) == before
    assert house.vault.keyring(house.session.pod).compartments.keys() == {
        row.id for row in house.vault.db.read.find(Compartment, pod=house.session.pod.id)
    }


async def test_a_new_container_at_the_top_is_one_use_of_the_grant(house: Household) -> None:
    token = await house.jwt()
    link = {"link": '<http://www.w3.org/ns/ldp#BasicContainer>; rel="type"', "slug": "nieuw"}

    def used() -> int:
        return sum(row.count for row in house.vault.db.read.find(GrantUse))

    before = used()
    made = await house.http.post("/pods/an/", headers=house.shown("POST", "/pods/an/", token) | link)
    assert (made.status_code, used() - before) == (201, 1)
