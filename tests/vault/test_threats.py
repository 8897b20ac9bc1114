"""The cells of SECURITY.md's table of threats that no other test shows: what each thief gets, and what not.

A cell that says what somebody *does* get is shown too: a threat that is described too small protects nobody.
"""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consent import gate, locks
from consent.accounts import passphrase
from consent.accounts.people import enroll
from consent.accounts.sessions import SessionFacts
from keys import secret
from keys.custodian import FileCustodian
from keys.secret import CompartmentKey, DataKey, GrantKey, Root
from keys.text import b64
from keys.unlock import Stretch, read_code, stretch
from tests.house import ALL_INTERESTS, Household
from tests.keys.prove.consents import City, Row
from tests.keys.prove.copies import Bearer, Copies
from tests.vault.test_at_rest import SEALED, compartments, keys, nothing_sealed, rows, thief, used
from tests.vault.thief import Thief, secret_of
from tests.web.test_sources import PATH, deliver, loans
from vault import door

PHRASE = "zeven groene fietsen"
INTERESTS = Row("pd:Interest", "interests", since=False, asked=ALL_INTERESTS)


def without(house: Household, folder: Path, *extra: bytes, shares: bool = False) -> Thief:
    """A thief of the main database who has another server's custodian, and of the shares only if so said."""
    other, empty = folder / "other", folder / "empty.db"
    if not other.exists():
        FileCustodian.create(other)
        with closing(sqlite3.connect(empty)) as raw, raw:
            raw.execute("CREATE TABLE share (value BLOB)")
    store = house.vault.db.folder.parent / "shares" / "shares.db" if shares else empty
    return Thief(rows(house), store, other, *extra)


async def with_phrase(house: Household) -> tuple[bytes, bytes]:
    """Bo, with a passphrase: her pod, and what her very passphrase is stretched to under the stored salt and costs."""
    await enroll(house.vault, "bo", "Bo", "citizen", "bo", PHRASE, house.clock())
    bo = house.vault.pod("bo")
    assert bo is not None
    (params,) = [row["params"] for row in rows(house)["unlocker"] if row["kind"] == "passphrase"]
    return bo.id, bytes(stretch(PHRASE, Stretch.read(params)).view())


async def app_of(house: Household) -> Bearer:
    """An app with a live grant, and all that it knows."""
    city = City(house)
    await city.open()
    bearer = await city.give(house.session, "gids", [INTERESTS], house.clock() + timedelta(hours=2))
    await house.quiet()
    return bearer


async def test_a_stolen_database_gives_nothing_to_try_a_passphrase_against(house: Household, tmp_path: Path) -> None:
    _, seed = await with_phrase(house)
    found = without(house, tmp_path, seed)  # even the right one
    assert nothing_sealed(found) and not keys(found, "managed") and not found.reached("column")


async def test_a_stolen_database_and_a_live_token_open_nothing_without_the_shares(
    house: Household, tmp_path: Path
) -> None:
    bearer = await app_of(house)
    database = house.vault.db.path
    assert Copies(database, None).by_tokens(bearer) == {}
    assert Copies(database, house.vault.db.folder.parent / "shares" / "shares.db").by_tokens(
        bearer
    )  # it was the shares
    found = without(house, tmp_path, *(secret_of(token) for token in bearer.tokens))
    assert nothing_sealed(found) and not found.reached("column")


async def test_the_data_directory_without_the_custodian_opens_what_a_live_token_covers_and_nothing_else(
    house: Household, tmp_path: Path
) -> None:
    await used(house)
    bearer = await app_of(house)
    units = Copies(house.vault.db.path, house.vault.db.folder.parent / "shares" / "shares.db").by_tokens(bearer)
    assert set(units) == {(house.session.pod.compartment("interests"), 1)}
    found = without(house, tmp_path, shares=True)
    assert nothing_sealed(found) and not keys(found, "managed") and not found.reached("column")


async def test_with_the_shares_a_right_guess_of_a_passphrase_opens_that_pod_and_no_other(
    house: Household, tmp_path: Path
) -> None:
    pod, seed = await with_phrase(house)
    found = without(house, tmp_path, seed, shares=True)
    assert {name[0] for name in found.reached("rk")} == {pod}  # so a guess can be tried, at the cost of a stretch


async def test_an_old_copy_opens_for_who_holds_a_way_in_whose_share_still_lives(house: Household) -> None:
    old = rows(house)
    await house.keep("/loans/a.jsonld", {"n": "new"})
    await house.quiet()
    with read_code(house.codes[0]) as seed:
        found = thief(house, bytes(seed.view()), then=old)
    assert keys(found, "sealed") == compartments(house, SEALED)
    assert any(b"Tin Pan" in body for name, body in found.open.items() if name[0] == "body")  # what was in it then


# ------------------------------------------------------------ a live server taken over


class Spy:
    """Sits in the server's own memory while it lasts: what is used there is seen."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: dict[type, list[bytes]] = {}
        self.bodies: list[bytes] = []
        self.cookies: list[bytes] = []
        made, opened, spy = secret.Secret.__init__, door._Chain.open, self

        def init(this: secret.Secret, data: Any) -> None:
            made(this, data)
            spy.seen.setdefault(type(this), []).append(bytes(data))

        def opening(chain: Any, row: Any, **some: Any) -> Any:
            found = opened(chain, row, **some)
            spy.bodies.append(found.body or b"")
            return found

        monkeypatch.setattr(secret.Secret, "__init__", init)
        monkeypatch.setattr(door._Chain, "open", opening)

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """Every secret that passed through."""
        return tuple(dict.fromkeys(one for kind in self.seen.values() for one in kind))


async def own(house: Household, session: SessionFacts, path: str) -> None:
    permit, held = gate.own(session, path.split("/")[1], "read", path)
    await door.read(house.vault, permit, held, path, house.clock())


async def test_a_live_take_over_reads_what_is_used_while_it_lasts(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted = await house.grant(ALL_INTERESTS, recurrence={"mode": "ongoing"})
    await with_phrase(house)
    spy = Spy(monkeypatch)
    assert (await house.call("GET", "/pods/an/interests/a.jsonld", granted.access)).status_code == 200
    assert any(b"jazz" in body for body in spy.bodies) and secret_of(granted.access) in spy.secrets  # text and token
    opened = await passphrase.login(house.vault, "bo", PHRASE, house.clock())
    assert opened is not None and spy.seen[Root] and spy.seen[secret.Seed]  # a login shows the root itself
    assert secret_of(opened[0]) in spy.secrets


async def test_a_live_take_over_opens_no_compartment_that_nobody_opens_meanwhile(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted = await house.grant(ALL_INTERESTS, recurrence={"mode": "ongoing"})
    spy = Spy(monkeypatch)
    assert (await house.call("GET", "/pods/an/interests/a.jsonld", granted.access)).status_code == 200
    await house.call("PUT", "/pods/an/public/n.txt", await house.jwt(), {"content-type": "text/plain"}, b"dag")
    monkeypatch.undo()
    found = thief(house, *spy.secrets)  # with every file of the server, and all that it saw
    assert keys(found, "sealed") == compartments(house, ("interests",)) and not found.reached("rk")


async def test_after_all_locks_are_changed_nothing_that_a_take_over_kept_opens_what_is_there(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    spy = Spy(monkeypatch)
    await own(house, house.session, "/loans/a.jsonld")  # the take-over saw her root
    monkeypatch.undo()
    kept = tuple(one for kind in (Root, CompartmentKey, DataKey, GrantKey) for one in spy.seen.get(kind, []))
    assert keys(thief(house, *kept), "sealed") == compartments(house, SEALED)
    await locks.change_all(house.vault, house.session, house.clock())
    await house.keep("/loans/after.jsonld", {"n": "after"})
    await house.quiet()
    found = thief(house, *kept)
    late = house.session.pod.resource("/loans/after.jsonld")
    assert not found.reached("rk") and not {
        name for name in found.reached("body") if name[0] == "sealed" and name[2] == late
    }
    assert not {one for kind in ("ck", "pair") for one in found.reached(kind) if one[0] == "sealed"}


# ------------------------------------------------------------ apps, sources, the office's codes


async def test_an_app_is_given_no_key_of_the_tree_only_tokens_and_what_it_asked_for(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    spy = Spy(monkeypatch)
    granted = await house.grant(ALL_INTERESTS, recurrence={"mode": "ongoing"})
    answers = [await house.call("GET", path, granted.access) for path in
               ("/pods/an/interests/a.jsonld", "/pods/an/interests/", "/api/records?category=pd:Interest")]  # fmt: skip
    told = b"".join(answer.content + repr(answer.headers).encode() for answer in answers)
    told += granted.access.encode() + granted.refresh.encode()
    held = [one for kind in (GrantKey, CompartmentKey, DataKey, Root, secret.Share, secret.Private, secret.Released)
            for one in spy.seen.get(kind, [])]  # fmt: skip
    assert len(held) > 10 and all(answer.status_code == 200 for answer in answers)
    assert not [one for one in held if any(form in told for form in (one, one.hex().encode(), b64(one).encode()))]


async def test_a_source_reads_nothing_back_with_its_assertion_not_even_what_it_delivered(house: Household) -> None:
    answer, bearer = await deliver(house, loans("1"), {"pod": "an"})
    assert answer.status_code == 200
    for path in (
        "/pods/an/loans/",
        "/pods/an/loans/a.jsonld",
        PATH,
        "/api/records?category=kluis:LibraryLoan",
        "/api/log",
    ):
        refused = await house.http.get(path, headers={"authorization": f"Bearer {bearer}"})
        assert refused.status_code in (401, 405) and b"Dune" not in refused.content, path


async def test_the_offices_codes_open_the_office_and_no_pod(house: Household) -> None:
    await used(house)
    with read_code(house.officer) as seed:
        found = thief(house, bytes(seed.view()))
    assert {name[0] for name in found.reached("rk")} == {house.vault.office}
    assert found.reached("dporecord") and not keys(found, "sealed") & compartments(house, SEALED)
    mine = {row["idx"] for row in rows(house)["record"] if row["pod"] == house.session.pod.id}
    assert not {index for (index,) in found.reached("record")} & mine
