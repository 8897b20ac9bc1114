"""kill -9 at any moment: nothing acknowledged is lost, nothing was served without its line in the log.

`make prove-house` runs twenty rounds; three are in every run of the tests.
"""

import contextlib
import json
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.proof import figure, rounds
from tests.stories.city import ENVIRONMENT, ROOT, City, city, copy
from tests.stories.program import Program
from vault import fsck
from web.verify import read_directory

ROUNDS = rounds(few=3)
WORKERS = 4
PUBLIC = "/pods/an/public/proof/"
PIECE = 64 * 1024
pytestmark = [pytest.mark.timeout(60 + 40 * ROUNDS)]


@dataclass
class Worker:
    """One client: what it was told is stored, what it has sent and not heard of, which entries it was told of."""

    program: Program
    name: str
    stored: dict[str, bytes] = field(default_factory=dict)
    sent: dict[str, bytes] = field(default_factory=dict)
    entries: list[int] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Write new files and one file again and again, and read what was written, until the server is gone."""
        number = 0
        try:
            while not self.odd:
                number += 1
                self.write(f"{self.name}-{number}", f"{self.name} {number}".encode() * 40)
                self.write(f"{self.name}-again", f"again {number}".encode() * 40)
                self.read(f"{self.name}-{number}")
                self.read(f"{self.name}-again")
        except httpx.TransportError:
            return
        finally:
            self.program.http.close()

    def write(self, name: str, body: bytes) -> None:
        self.sent[name] = body
        answer = self.program.call("PUT", PUBLIC + name, body, content_type="application/octet-stream")
        self.heard(answer, (201, 204))
        self.stored[name] = self.sent.pop(name)

    def read(self, name: str) -> None:
        answer = self.program.call("GET", PUBLIC + name)
        self.heard(answer, (200,))
        if answer.content != self.stored[name]:
            self.odd.append(f"{name} was read with other bytes")

    def heard(self, answer: httpx.Response, good: tuple[int, ...]) -> None:
        if answer.status_code not in good or "kluis-entry" not in answer.headers:
            self.odd.append(f"{answer.request.method} {answer.status_code} {answer.headers}")
        else:
            self.entries.append(int(answer.headers["kluis-entry"]))


def hammer(running: City, number: int, seconds: float) -> list[Worker]:
    """Load the city with clients for a while and kill it under them."""
    an = next(person for person in running.told["people"] if person["user"] == "an")
    workers = [Worker(Program(running.told["base"], an), f"r{number}w{n}") for n in range(WORKERS)]
    for worker in workers:
        worker.program.token()
    threads = [threading.Thread(target=worker.run) for worker in workers]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    running.kill()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    return workers


def unlogged(data: Path, entries: list[int]) -> set[int]:
    """Which of these entries do not stand in the database, as it was found after the kill, with a record."""
    with closing(sqlite3.connect(f"file:{data / 'vault' / 'kluis.db'}?mode=ro", uri=True)) as raw:
        found = {idx for (idx,) in raw.execute("SELECT e.idx FROM entry e JOIN record r ON r.idx = e.idx")}
    assert len(set(entries)) == len(entries)
    return set(entries) - found


def lost(running: City, workers: list[Worker]) -> list[str]:
    """Acknowledged writes that are not there with their bytes; one that was under way may be there, whole."""
    gone = []
    an = next(person for person in running.told["people"] if person["user"] == "an")
    with Program(running.told["base"], an) as program:
        for worker in workers:
            for name, body in worker.stored.items():
                found = program.call("GET", PUBLIC + name)
                if (found.status_code, found.content in (body, worker.sent.get(name))) != (200, True):
                    gone.append(name)
    return gone


def whole(data: Path, key: str) -> None:
    """The log verifies from outside and every invariant of the directory holds."""
    assert read_directory(data, key).entries
    assert fsck.check(data / "vault", data / "shares") == []


def test_kill_9_loses_no_acknowledged_write_and_nothing_was_served_unlogged(seeded: Path, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    chance, data = random.Random(seed), copy(seeded, tmp_path)
    workers: list[Worker] = []
    written = read = 0
    missing: list[str] = []
    silent: set[int] = set()
    for number in range(ROUNDS + 1):
        with city(data) as running:
            whole(data, running.told["log"]["key"])
            missing += lost(running, workers)
            if number == ROUNDS:
                break
            workers = hammer(running, number, chance.uniform(0.2, 2))
        assert [odd for worker in workers for odd in worker.odd] == [], f"seed {seed}"
        silent |= unlogged(data, [index for worker in workers for index in worker.entries])
        written += sum(len(worker.stored) for worker in workers)
        read += sum(len(worker.entries) for worker in workers)
    print(f"rounds {ROUNDS} seed {seed}: {written} files, {read} acknowledged requests")
    figure("H1", len(missing), ROUNDS)
    figure("H2", len(silent), ROUNDS)
    assert (missing, silent) == ([], set()), f"seed {seed}"
    assert written > 4 * ROUNDS


def test_a_city_killed_in_the_middle_of_the_story_starts_again_with_its_log_whole(seeded: Path, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    data, told = copy(seeded, tmp_path), tmp_path / "told.json"
    with city(data) as running:
        told.write_text(running.line)
        command = [sys.executable, str(ROOT / "examples" / "main_job.py"), "--demo", str(told)]
        story = subprocess.Popen(
            command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        time.sleep(random.Random(seed).uniform(0.5, 8))
        running.kill()
        out, _ = story.communicate(timeout=60)
    proven = [int(word.partition("=")[2]) for word in out.split() if word.startswith("entry=")]
    assert unlogged(data, proven) == set()
    with city(data) as running:
        assert running.told["log"] == json.loads(told.read_text())["log"]
        whole(data, running.told["log"]["key"])
        assert httpx.get(f"{running.told['base']}/pods/an/profile/card").status_code == 200
        assert running.stop() == 0, f"seed {seed}"


class Uploader(threading.Thread):
    """A client that replaces a large file, a little at a time, until its server is gone; it counts what it has sent."""

    def __init__(self, program: Program, path: str, length: int) -> None:
        super().__init__()
        self.program, self.path, self.length, self.sent, self.answer = program, path, length, 0, 0

    def body(self) -> Iterator[bytes]:
        while self.sent < self.length:
            yield b"n" * PIECE
            self.sent += PIECE
            time.sleep(0.01)

    def run(self) -> None:
        token = self.program.token()
        shown = self.program.proof("PUT", self.path, token) | {"Authorization": f"DPoP {token}"}
        more = {"Content-Type": "application/octet-stream"}
        with contextlib.suppress(httpx.TransportError):
            self.answer = self.program.http.put(self.path, headers=shown | more, content=self.body()).status_code


def stores(data: Path) -> tuple[int, int, int]:
    """How many segments, uploads under way, and segments that no body names, are in the database as it was found."""
    with closing(sqlite3.connect(f"file:{data / 'vault' / 'kluis.db'}?mode=ro", uri=True)) as raw:
        sql = "SELECT count(*) FROM segment UNION ALL SELECT count(*) FROM upload"
        litter = " UNION ALL SELECT count(*) FROM segment WHERE store NOT IN (SELECT store FROM body)"
        segments, uploads, left = (count for (count,) in raw.execute(sql + litter))
        return segments, uploads, left


def test_kill_9_in_mid_upload_leaves_the_old_content_and_no_litter_after_the_next_start(
    seeded: Path, tmp_path: Path
) -> None:
    data, path, old = copy(seeded, tmp_path), f"{PUBLIC}film", b"oud" * PIECE * 8
    with city(data) as running:
        an = next(person for person in running.told["people"] if person["user"] == "an")
        with Program(running.told["base"], an) as program:
            made = program.call("PUT", path, old, content_type="application/octet-stream")
            assert made.status_code == 201, made.text
            whole_before = stores(data)
            upload = Uploader(Program(running.told["base"], an), path, 1024 * PIECE)
            upload.start()
            until = time.monotonic() + 30
            while stores(data)[2] < 4 and time.monotonic() < until:
                time.sleep(0.05)
            assert program.call("GET", path).content == old
            running.kill()
        upload.join(30)
        upload.program.http.close()
        assert not upload.is_alive() and upload.answer == 0 and upload.sent < upload.length
    assert stores(data)[1] == 1 and stores(data)[2] >= 4, "nothing was under way when the server was killed"
    with city(data) as running:
        assert stores(data) == whole_before
        whole(data, running.told["log"]["key"])
        with Program(running.told["base"], an) as program:
            assert program.call("GET", path).content == old
            again = program.call("PUT", path, old[::-1], content_type="application/octet-stream")
            assert again.status_code == 204
            assert program.call("GET", path).content == old[::-1]
        whole(data, running.told["log"]["key"])
