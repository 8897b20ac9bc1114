"""An invitation: the one way into a pod that came from another server, good once, and hers alone from then on."""

import asyncio
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from consent.accounts import invited, passphrase
from consent.accounts.people import find
from tests import moving_trees as trees
from tests.conftest import START
from tests.web import test_leaving
from tests.web.test_leaving import Place
from tests.web.test_moving_in import PHRASE, bring, brought, invitations, vault_of
from web.app import open_house, run, wall_clock

pytestmark = pytest.mark.timeout(300)
place = test_leaving.place


@contextmanager
def served(place: Place) -> Iterator[None]:
    house, loop = (
        open_house(place.settings, f"file:{place.data.parent / 'custodian'}", wall_clock),
        asyncio.new_event_loop(),
    )
    ready, stop = threading.Event(), asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(run(house, ready.set, stop)))
    thread.start()
    assert ready.wait(20)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
        house.vault.close()


async def test_the_invitation_opens_once_and_then_nothing_of_it_is_left(place: Place, tmp_path: Path) -> None:
    await asyncio.to_thread(brought, place, "css", trees.css(tmp_path / "oud"))
    file = place.data.parent / "kluis-invitations.jsonl"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    line = invitations(place)["anna"]
    with vault_of(place) as vault:
        account = find(vault, "anna")
        assert account is not None and {way.kind for way in account.ways} == {"invitation"}
        assert await passphrase.login(vault, "anna", line["code"], START) is None
        assert await invited.accept(vault, "anna", invitations(place)["ben"]["code"], PHRASE, START) is None
        assert await invited.accept(vault, "niemand", line["code"], PHRASE, START) is None
        done = await invited.accept(vault, "anna", line["spare"], PHRASE, START)
        assert done is not None
        for code in (line["code"], line["spare"]):
            assert await invited.accept(vault, "anna", code, PHRASE, START) is None
        account = find(vault, "anna")
        assert account is not None and sorted(way.kind for way in account.ways) == ["passphrase", "recovery"]
        kinds = vault.db.read.run("SELECT kind FROM unlocker WHERE pod = :pod", pod=account.pod)
        assert sorted(kind for (kind,) in kinds) == ["passphrase", "recovery"]
        assert await passphrase.login(vault, "anna", PHRASE, START) is not None
        assert await passphrase.login(vault, "anna", done.code, START) is not None


def test_over_http_she_gets_in_with_her_invitation(place: Place, tmp_path: Path) -> None:
    with served(place):
        told = brought(place, "css", trees.css(tmp_path / "oud"))
        assert (told["imported"], told["resources"]) == (2, 21)
        line, base = invitations(place)["anna"], place.settings.base_url
        with httpx.Client(base_url=base) as http:
            page = http.get(line["login"].removeprefix(base))
            assert 'value="anna"' in page.text and page.headers["cache-control"] == "no-store"
            csrf = page.text.split('name="csrf" value="')[1].split('"')[0]
            form = {"csrf": csrf, "user": "anna", "code": line["code"], "passphrase": PHRASE, "again": PHRASE}
            own = {"origin": base}
            assert http.post("/login/invitation", data=form | {"csrf": "x"}, headers=own).status_code == 403
            assert http.post("/login/invitation", data=form, headers={"origin": "http://x.example"}).status_code == 403
            for wrong in ({"again": "x"}, {"passphrase": "kort", "again": "kort"}, {"code": "x"}):
                again = http.post("/login/invitation", data=form | wrong, headers=own)
                assert again.status_code == 400
                form["csrf"] = again.text.split('name="csrf" value="')[1].split('"')[0]
            done = http.post("/login/invitation", data=form, headers=own)
            assert done.status_code == 200 and 'id="code"' in done.text
            assert http.get("/me/data").status_code == 200


def test_invitations_do_not_lie_in_the_data_directory(place: Place, tmp_path: Path) -> None:
    root = trees.css(tmp_path / "oud")
    assert bring(place, "css", root, "--invitations", place.data / "x.jsonl").exit_code == 2
