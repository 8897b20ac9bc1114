"""K7: what people called, typed and stored is in no file of the vault, in whatever spelling."""

import sqlite3
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from consent import gate
from consent.accounts import passphrase
from consent.accounts.people import enroll
from tests.house import ALL_INTERESTS, Household
from tests.proof import figure, rounds
from vault import store

FEW = 8
MEDIA = "application/vnd.kanarie{}+json"
SIZE = 70_001  # bytes of a body: an odd number that no padding and no counter gives by itself


def spellings(word: str) -> Iterator[bytes]:
    """A word as it might stand in a file: text, UTF-16, hex, and base64 at each of its three offsets."""
    plain = word.encode()
    yield from (plain, plain.upper(), word.encode("utf-16-le"), plain.hex().encode())
    for at in range(3):
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(bytes(at) + plain)[4:-4]


async def planted(house: Household, number: int) -> list[str]:
    """Put one set of canaries in: a citizen with a passphrase, a named resource of a type, with words in it."""
    mark = f"kanarie{number}q"
    words = [f"burger{mark}", f"Naam {mark}", f"pod{mark}", f"een lange zin {mark}", f"vakje{mark}", f"titel {mark}"]
    await enroll(house.vault, words[0], words[1], "citizen", words[2], words[3], house.clock())
    assert await passphrase.login(house.vault, words[0], words[3], house.clock())
    path, media = f"/loans/{words[4]}.jsonld", MEDIA.format(number)
    permit, _ = gate.own(house.session, "loans", "write", path)
    body = orjson.dumps({"schema:name": words[5], "vol": "x" * 100})
    await store.write(house.vault, permit, path, media, body, house.clock())
    jwt = await house.jwt()
    made = await house.call("PUT", f"/pods/an/map{mark}/a.txt", jwt, {"content-type": "text/plain"}, words[5].encode())
    assert made.status_code == 201
    return [*words, media, f"map{mark}", mark]


async def test_k7_no_store_holds_a_planted_name_media_type_or_text(house: Household, tmp_path: Path) -> None:
    count = rounds(FEW, "K7")
    words = [word for number in range(-(-count // 9)) for word in await planted(house, number)]
    granted = await house.grant(ALL_INTERESTS)
    await house.call("GET", "/pods/an/interests/a.jsonld", granted.access)
    await house.call("GET", f"/pods/an/loans/{words[4]}.jsonld", granted.access)
    sized = await exact_size(house)
    await house.vault.publish()
    await house.quiet()
    files = everything_in(tmp_path)
    assert sum(map(len, files.values())) > 100_000
    assert hits(["CREATE TABLE"], files)  # the search finds what is there
    found = hits(words, files) + sized
    figure("K7", len(found), len(words))
    assert found == []


def everything_in(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def hits(words: list[str], files: dict[Path, bytes]) -> list[str]:
    return [f"{word} in {path.name}" for word in words for path, data in files.items()
            if any(spelling in data for spelling in spellings(word))]  # fmt: skip


async def exact_size(house: Household) -> list[str]:
    """A resource of a known size: no column of any table holds it as a number, and no envelope is that long."""
    await house.keep("/loans/size.jsonld", "x" * (SIZE - 2))
    await house.quiet()
    with closing(sqlite3.connect(f"file:{house.vault.db.path}?mode=ro", uri=True)) as raw:
        tables = [name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [(table, row) for table in tables for row in raw.execute(f'SELECT * FROM "{table}"')]
        lengths = {len(data) for (data,) in raw.execute("SELECT data FROM body")}
    chunks = SIZE // 16_384 + 1
    told = [
        f"{table}: {value}" for table, row in rows for value in row if value in (SIZE, str(SIZE), str(SIZE).encode())
    ]
    return told + [f"an envelope of {n} bytes" for n in lengths if n - 57 - 16 * chunks - 8 == SIZE]


@pytest.mark.parametrize("word", ["kanarie", "een lange zin"])
def test_a_planted_word_is_found_in_every_spelling(word: str) -> None:
    there = Path("file")
    for spelling in (word.encode(), word.encode("utf-16-le"), b64encode(b"ab" + word.encode() + b"cdef"),
                     urlsafe_b64encode(b"a" + word.encode() + b"cdef"), word.encode().hex().encode()):  # fmt: skip
        assert hits([word], {there: b"before" + spelling + b"after"})
