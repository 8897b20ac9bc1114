"""Nothing that a person does or has appears in clear in any file of the server, not even after kill -9."""

import json
import re
import shutil
import sqlite3
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from keys.secret import fresh_bytes
from keys.text import b64
from tests.consent.sample import compact
from tests.proof import figure
from tests.stories.city import City, city, copy
from tests.stories.program import Program

pytestmark = [pytest.mark.timeout(240)]
CANARIES = {
    what: f"Knr{letters}Vogelzang"
    for what, letters in (
        ("title of a loan", "Wjqtz"), ("author of a loan", "Bvkxp"), ("branch of a loan", "Hgzqy"),
        ("name of a file", "Fmwxj"), ("name of a container", "Cpqvz"), ("content of a file", "Txkbq"),
        ("literal in Turtle", "Lzvwk"), ("slug", "Sjxqf"), ("media type", "Mkvzh"),
        ("mistyped login name", "Nqwpx"), ("mistyped passphrase", "Pzkjv"), ("query", "Qvxbw"),
        ("malformed path", "Rjkqz"),
    )
}  # fmt: skip


def forms(canary: str) -> set[bytes]:
    """How the word could lie in a file: in any case; UTF-8, UTF-16, hex; Base64 at each of its three offsets."""
    found: set[bytes] = set()
    for text in (canary, canary.lower(), canary.upper()):
        plain = text.encode()
        found |= {
            plain,
            text.encode("utf-16-le"),
            text.encode("utf-16-be"),
            plain.hex().encode(),
            plain.hex().upper().encode(),
        }
        for encode in (b64encode, urlsafe_b64encode):
            for offset in range(3):
                first, last = (offset * 8 + 5) // 6, (offset + len(plain)) * 8 // 6
                found.add(encode(bytes(offset) + plain)[first:last])
    return found


FORMS = {what: forms(canary) for what, canary in CANARIES.items()}


def leaks(*folders: Path) -> Iterator[str]:
    """Every canary in any file below these folders (or in these files), in any form."""
    for folder in folders:
        for path in [folder] if folder.is_file() else sorted(folder.rglob("*")):
            content = path.read_bytes() if path.is_file() else b""
            for what, wanted in FORMS.items():
                if any(form in content for form in wanted) or any(form in str(path).encode() for form in wanted):
                    yield f"{what} in {path.name}"


def deposit(http: httpx.Client, source: dict[str, str], body: bytes) -> httpx.Response:
    """What the library sends for An, under the source's key (RFC 7523)."""
    key, now, me = json.loads(Path(source["key_file"]).read_text()), int(time.time()), source["client_id"]
    claims = {"iss": me, "sub": me, "aud": str(http.base_url).rstrip("/"), "iat": now, "exp": now + 60,
              "jti": b64(fresh_bytes(12)), "body_sha256": b64(sha256(body).digest()), "pod": "an"}  # fmt: skip
    signed = {"Authorization": "Bearer " + compact({"alg": "ES256", "kid": key["kid"]}, claims, key)}
    return http.post("/api/sources/mijnbib/deposits", params={"pod": "an"}, content=body, headers=signed)


def log_in(http: httpx.Client, user: str, secret: str) -> httpx.Response:
    """Type a name and a passphrase."""
    token = re.findall(r'name="csrf" value="([^"]+)"', http.get("/login").text)[0]
    form = {"user": user, "passphrase": secret, "csrf": token}
    return http.post("/login", data=form, headers={"Origin": str(http.base_url).rstrip("/")})


def live_through(running: City) -> None:
    """Put every canary in, through HTTP, and read it back where it can be read."""
    told, base = running.told, running.told["base"]
    an = next(person for person in told["people"] if person["user"] == "an")
    loan = {"title": CANARIES["title of a loan"], "author": CANARIES["author of a loan"], "loan_from": "2026-10-01",
            "loan_till": "2026-10-29", "type": "Boek", "branchname": CANARIES["branch of a loan"], "id": "777001",
            "account_id": "9", "extendable": True, "extend_url": "", "extend_id": "", "url": "",
            "cover_url": ""}  # fmt: skip
    source = next(one for one in told["sources"] if one["name"] == "mijnbib")
    with httpx.Client(base_url=base, timeout=30) as http:
        taken = deposit(http, source, json.dumps([loan]).encode())
        assert (taken.status_code, taken.json()["stored"]) == (200, 1), taken.text
        refused = deposit(http, source, b'{"' + CANARIES["title of a loan"].encode() + b'": [}')
        assert refused.status_code in (400, 422), refused.text
        for typed in ((CANARIES["mistyped login name"], "wie weet dit nog"), ("an", CANARIES["mistyped passphrase"])):
            assert "kluis=" not in str(log_in(http, *typed).headers.get("set-cookie"))
        assert http.get(f"/login?next=/{CANARIES['query']}").status_code == 200
        assert http.get(f"/pods/an/public/%zz{CANARIES['malformed path']}").status_code == 400
        assert http.get(f"/{CANARIES['malformed path']}?{CANARIES['query']}").status_code == 404
    with Program(base, an) as program:
        files(program)


def files(program: Program) -> None:
    """What An keeps in her public container, and two mistakes on the way."""
    folder = f"/pods/an/public/{CANARIES['name of a container']}/"
    content, turtle = (
        CANARIES["content of a file"].encode(),
        f'<> <http://schema.org/name> "{CANARIES["literal in Turtle"]}" .',
    )
    one, two = f"{folder}{CANARIES['name of a file']}.txt", f"{folder}a.ttl"
    odd = {"content_type": f"application/x-{CANARIES['media type'].lower()}"}
    assert program.call("PUT", one, content, **odd).status_code == 201
    assert program.call("PUT", two, turtle.encode(), content_type="text/turtle").status_code == 201
    assert program.call("PUT", two, turtle.encode() + b" <", content_type="text/turtle").status_code == 400
    slugged = program.call("POST", folder, content, content_type="text/plain", slug=CANARIES["slug"])
    assert slugged.status_code == 201 and CANARIES["slug"] in slugged.headers["location"]
    assert program.call("GET", one).content == content
    assert CANARIES["literal in Turtle"] in program.call("GET", two, accept="application/ld+json").text
    assert CANARIES["name of a file"] in program.call("GET", f"{folder}?{CANARIES['query']}").text


@pytest.mark.parametrize("what", list(CANARIES))
def test_the_search_finds_a_canary_that_lies_in_clear(tmp_path: Path, what: str) -> None:
    """In each form, in a plain file, and in a table of a real database with its write-ahead log."""
    for number, form in enumerate(sorted(FORMS[what])):
        (tmp_path / "file").write_bytes(bytes(number) + form + b"rest")
        assert list(leaks(tmp_path)) == [f"{what} in file"]
    for word in (b"a" + CANARIES[what].encode(), b"ab" + CANARIES[what].encode(), b"abc" + CANARIES[what].encode()):
        (tmp_path / "file").write_bytes(b64encode(word + b"xyz"))
        assert list(leaks(tmp_path)) == [f"{what} in file"]


def test_no_canary_is_left_in_any_file_after_the_whole_story_and_kill_9(seeded: Path, tmp_path: Path) -> None:
    data, temporary = copy(seeded, tmp_path), tmp_path / "tmp"
    temporary.mkdir()
    with city(data, TMPDIR=str(temporary)) as running:
        live_through(running)
        done = running.story(tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr + running.errors.read_text()[-2000:]
        running.kill()
    log = data / "vault" / "kluis.db-wal"
    assert log.stat().st_size > 0  # killed before it was folded back: the write-ahead log is searched too
    assert {"vault", "shares", "recommender", "demo"} <= {path.name for path in data.iterdir()}
    found = list(leaks(data, temporary, running.errors))
    figure("H3", len(found), len(CANARIES))
    assert found == []
    planted = Path(shutil.copytree(data, tmp_path / "planted", ignore=shutil.ignore_patterns("*.sock")))
    word = f"op {datetime.now(UTC)}: {CANARIES['title of a loan']}".encode()
    with closing(sqlite3.connect(planted / "vault" / "kluis.db")) as raw:
        raw.execute("UPDATE resource SET source = ? WHERE rowid = (SELECT max(rowid) FROM resource)", (word,))
        raw.commit()
        assert list(leaks(planted)) == ["title of a loan in kluis.db-wal"]  # the search would have seen one such row
