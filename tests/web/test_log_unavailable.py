"""When the log cannot be written nothing is served (access-log.md, Order). The disk is really full, for SQLite.

Withdrawing answers 503 here as well: this limit leaves no use for the space that is kept back for it. That space, on a
disk that is really full, is tried in tests/log/test_disk_full.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from keys import unseal
from keys.context import place
from keys.text import b64
from tests.house import INTERESTS, Granted, Household
from vault.database import Tx
from vault.shares import Shares
from vault.tables import Entry

INTEREST = "/pods/an/interests/a.jsonld"
NOTES = "/pods/an/public/notes.txt"
BATCH = "/api/records?category=pd:Interest"
TEXT = {"content-type": "text/plain"}


def limit(house: Household, pages: int) -> None:
    """Let the main database grow to so many pages and no further."""

    def set_limit(tx: Tx) -> None:
        assert tx.run(f"PRAGMA max_page_count = {pages}")

    house.vault.db.now(set_limit)


async def fill(house: Household, granted: Granted) -> None:
    """No page more than there is now; then use up what is left in them with the very reads that are to fail."""
    limit(house, 1)  # SQLite never goes below what is in use
    for path, token in ((INTEREST, granted.access), (NOTES, "")):  # the second has a smaller entry: it may still fit
        for _ in range(400):
            if (await house.call("GET", path, token)).status_code != 200:
                break
        else:
            raise AssertionError("the database never became full")


@contextmanager
def unsealing(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The kind of everything but control data that is opened in this block: keys and content, by whatever door."""
    seen: list[str] = []
    honest = unseal._open

    def counted(key, context, envelope):
        seen.extend(kind for kind in place(context)[:1] if kind != "state")
        return honest(key, context, envelope)

    with monkeypatch.context() as patch:
        patch.setattr(unseal, "_open", counted)
        yield seen


def shares_taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kind of every share that is looked up from now on."""
    taken: list[str] = []
    honest = Shares.take

    def counted(shares, pod, wants):
        listed = list(wants)
        taken.extend(want.kind for want in listed)
        return honest(shares, pod, listed)

    monkeypatch.setattr(Shares, "take", counted)
    return taken


@pytest.fixture
async def granted(house: Household) -> Granted:
    """A grant without a daily cap, and one public file."""
    made = await house.grant(INTERESTS, recurrence={"mode": "ongoing"})
    put = await house.call("PUT", NOTES, await house.jwt(), TEXT, b"dag")
    assert put.status_code == 201, put.text
    return made


async def test_with_a_full_disk_nothing_is_read_and_nothing_is_unsealed(
    house: Household, granted: Granted, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await house.jwt()
    with unsealing(monkeypatch) as seen:
        assert (await house.call("GET", INTEREST, granted.access)).status_code == 200
        assert {"gk", "ck-grant", "label", "body"} <= set(seen)  # the counter counts
    await fill(house, granted)
    entries, taken = len(house.vault.db.read.find(Entry)), shares_taken(monkeypatch)
    with unsealing(monkeypatch) as seen:
        answers = [
            await house.call("GET", INTEREST, granted.access),
            await house.call("HEAD", INTEREST, granted.access),
            await house.call("GET", BATCH, granted.access),
            await house.call("GET", NOTES, token),
            await house.call("GET", NOTES),
            await house.call("GET", "/pods/an/profile/card"),
        ]
    assert [answer.status_code for answer in answers] == [503] * 6
    assert all(b"jazz" not in answer.content and b"dag" not in answer.content for answer in answers)
    assert answers[0].json()["type"] == "urn:kluis:problem:log-unavailable"
    assert seen == []
    assert set(taken) <= {"custody"}  # of the office's control key: for a log key that is then not written either
    assert len(house.vault.db.read.find(Entry)) == entries


async def test_with_a_full_disk_no_write_is_acknowledged_and_no_denial_is_given_unlogged(
    house: Household, granted: Granted
) -> None:
    token = await house.jwt()
    await fill(house, granted)
    assert (await house.call("PUT", NOTES, token, TEXT, b"anders")).status_code == 503
    assert (await house.call("DELETE", NOTES, token)).status_code == 503
    assert (await house.call("GET", "/pods/an/tickets/", granted.access)).status_code == 503
    withdrawn = await house.press(f"/me/access/{b64(granted.id)}/withdraw")
    assert withdrawn.status_code == 503
    limit(house, 1_000_000)
    assert (await house.call("GET", NOTES, token)).content == b"dag"
    assert (await house.call("GET", INTEREST, granted.access)).status_code == 200


async def test_once_there_is_space_again_everything_works_without_a_restart(house: Household, granted: Granted) -> None:
    await fill(house, granted)
    assert (await house.call("GET", INTEREST, granted.access)).status_code == 503
    limit(house, 1_000_000)
    answer = await house.call("GET", INTEREST, granted.access)
    assert (answer.status_code, answer.json()["schema:about"]) == (200, ["jazz"])
    tree = house.vault.log.ledger.tree
    assert tree.size == len(house.vault.db.read.find(Entry)) == int(answer.headers["kluis-entry"]) + 1
    withdrawn = await house.press(f"/me/access/{b64(granted.id)}/withdraw")
    assert withdrawn.status_code == 303
    assert (await house.call("GET", INTEREST, granted.access)).status_code == 401
