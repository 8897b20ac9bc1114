"""L7: a witness in a process of its own cosigns one log and no split view; a forked or rolled-back log is noticed.

Everything here runs as it does in a city: `kluis serve` and `kluis witness serve` as processes, HTTP between them.
"""

import random
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from keys.cosign import cosignatures
from keys.note import read_checkpoint, split
from tests.federation.cosigning import HOST, Running, SmallLog, start, stop, witness
from tests.log.prove.cities import Vault, until
from tests.proof import figure, rounds
from web.verify import read_directory

FORKS = rounds(few=20, name="L7b")
ALARMS = rounds(few=1, name="L7a")
pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(300 + 60 * ALARMS)]


@dataclass
class Town:
    """A vault and its witness, both running; the witness can be stopped and started on the same port."""

    vault: Vault
    witness: Running
    folder: Path
    key: str

    def witness_again(self) -> None:
        port = urlsplit(self.witness.url).port or 0
        self.witness = start(self.folder, self.key, port=port)

    def cosigned(self) -> int:
        """How many of the published entries the witness has signed under the newest head; -1 for none."""
        note = self.vault.note()
        return read_checkpoint(split(note)[0]).size if cosignatures(note, [self.witness.vkey]) else -1

    def seen(self) -> int:
        """The size that the witness cosigned last."""
        origin = read_checkpoint(split(self.vault.note())[0]).origin
        note = httpx.get(f"{self.witness.url}/{sha256(origin.encode()).hexdigest()}/checkpoint", trust_env=False).text
        return read_checkpoint(split(note)[0]).size

    def grow(self, *names: str) -> None:
        """Let the log grow and wait until the witness has signed what it has now."""
        before = self.seen()
        for name in names:
            self.vault.act(name)
        until(lambda: self.cosigned() >= before + len(names), "the witness cosigns")


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Vault, str]:
    """A vault that was started once, and its log's key: every test begins from a copy of it."""
    vault = Vault(tmp_path_factory.mktemp("town"), "vault").start()
    key = vault.every_vkey()
    vault.stop()
    vault.copy("seed")
    return vault, key


@pytest.fixture
def town(seeded: tuple[Vault, str], tmp_path: Path) -> Iterator[Town]:
    vault, key = seeded
    vault.put_back(vault.folder / "seed")
    vault.env.pop("KLUIS_LOG_FAIL_CLOSED", None)
    running = start(tmp_path / "witness", key)
    vault.witnessed_by(running.policy())
    made = Town(vault.start(), running, tmp_path / "witness", key)
    until(lambda: made.cosigned() > 0, "the first cosignature")
    yield made
    vault.stop()
    if made.witness.process.poll() is None:
        made.witness.process.send_signal(signal.SIGCONT)
        stop(made.witness)


def test_no_split_view_is_ever_cosigned(tmp_path: Path) -> None:
    """Random sizes, random places of the fork, random proofs; and two writers that race for one place."""
    dice, cosigned = random.Random(7), 0
    log = SmallLog().grow(700)
    with witness(tmp_path, log.every_vkey) as running:
        for number in range(FORKS):
            own = SmallLog(f"{HOST}/log/{2100 + number}h1", log.private, log.tree)
            old = dice.randrange(2, 600)
            assert running.add(own.body(0, old)).status_code == 200
            fork = own.fork(dice.randrange(old), f"fork {number}", dice.randrange(old, 700))
            for body in attempts(own, fork, old, dice):
                answer = running.add(body)
                cosigned += answer.status_code == 200
                assert answer.status_code in (409, 422, 400), answer.text
            assert running.add(own.body(old, old + 1)).status_code == 200
    figure("L7b", cosigned, FORKS)
    assert cosigned == 0


def attempts(own: SmallLog, fork: SmallLog, old: int, dice: random.Random) -> list[bytes]:
    """Ways to have a fork cosigned: honest proofs of the fork, proofs of the true log, cut, swapped and made up."""
    size = fork.tree.size
    true = own.tree.consistency(old, size) if size > old else []
    false = fork.tree.consistency(old, size) if size > old else []
    mixed = [dice.choice(pair) for pair in zip(true, false, strict=True)]
    return [
        fork.body(old, size),
        fork.body(old, size, proof=true),
        fork.body(old, size, proof=mixed),
        fork.body(old, size, proof=false[:-1]),
        fork.body(old, size, proof=[*false, dice.randbytes(32)]),
        fork.body(old, size, proof=[dice.randbytes(32) for _ in false]),
        fork.body(0, size),
        fork.body(size, size),
        fork.body(dice.randrange(1, old), size),
    ]


def test_the_witness_cosigns_and_a_log_with_its_signature_verifies(town: Town) -> None:
    town.grow("one", "two")
    keys = {"w": town.witness.vkey}
    assert town.vault.log() == {"witnesses": 1, "needed": 1, "cosigning": 1, "keys": keys, "alarm": None}
    assert "kluis_log_alarm 0" in town.vault.get("/metrics").text
    done = town.vault.verify(f"log {town.key}\n{town.witness.policy()}")
    assert (done.returncode, '"cosigned": 1' in done.stdout) == (0, True), done.stderr
    other = SmallLog()
    wrong = town.vault.verify(f"log {other.every_vkey}\n{town.witness.policy()}")
    assert (wrong.returncode, "policy" in wrong.stderr) == (1, True)
    missing = town.vault.verify(f"witness w {town.witness.vkey}\nwitness x {stranger()}\ngroup g all w x\nquorum g\n")
    assert missing.returncode == 1
    assert "has 1 of 2 witnesses' cosignatures" in missing.stderr
    assert cosignatures(read_directory(town.vault.data, town.key).shards[-1].note, [town.witness.vkey])


def stranger() -> str:
    from keys.cosign import witness_vkey
    from keys.sign import new_signer

    return witness_vkey("other.test/witness", new_signer())


@pytest.mark.parametrize("number", range(ALARMS))
def test_a_forked_log_is_refused_and_the_alarm_is_up_within_ten_seconds(town: Town, number: int) -> None:
    town.grow("one")
    town.vault.stop()
    old = town.vault.copy("old")
    town.vault.start()
    town.grow("two", "three")
    true = town.seen()
    town.vault.stop()
    town.witness.process.send_signal(signal.SIGSTOP)
    town.vault.put_back(old)
    town.vault.start()  # the witness hangs: nobody here can know better
    assert town.vault.log()["alarm"]["kind"] == "quorum"
    for name in ("four", "five", "six", "seven"):
        town.vault.act(name)
    until(lambda: published(town.vault) > true, "the fork has grown past what was cosigned")
    town.witness.process.send_signal(signal.SIGCONT)
    took = until(lambda: (town.vault.log()["alarm"] or {}).get("kind") == "fork", "the alarm")
    FIGURES.append(took)
    if number == ALARMS - 1:
        figure("L7a", max(FIGURES), ALARMS)
    assert took <= 10
    assert town.seen() == true, "the witness still stands by the log it saw"
    assert_told(town)
    town.vault.stop()
    code, said = town.vault.refused()
    assert (code, "has seen another" in said, "objection.json" in said) == (2, True, True)


FIGURES: list[float] = []


def published(vault: Vault) -> int:
    return read_checkpoint(split(vault.note())[0]).size


def assert_told(town: Town) -> None:
    """Everywhere people look: metrics, the public page and its JSON, the server's log, the office's log."""
    vault = town.vault
    assert "kluis_log_alarm 1" in vault.get("/metrics").text
    assert 'id="log-alarm"' in vault.get("/transparency").text
    assert vault.get("/transparency.json").json()["witnesses"]["alarm"]["kind"] == "fork"
    until(lambda: "alarm: w has seen another" in vault.errors.read_text(), "a line in the server's log")
    assert (vault.data / "shares" / "witnessed" / "objection.json").exists()


def test_a_log_that_went_back_with_its_own_checkpoints_is_not_written_on(town: Town) -> None:
    """The whole data directory of yesterday, checkpoints, shares and what was cosigned included."""
    town.grow("one")
    town.vault.stop()
    old = town.vault.copy("old")
    town.vault.start()
    town.grow("two")
    town.vault.stop()
    new = town.vault.copy("new")
    town.vault.put_back(old)
    before = rows(town.vault)
    code, said = town.vault.refused()
    assert (code, "w has seen" in said, "it shows our own signature" in said) == (2, True, True), said
    assert rows(town.vault) == before, "a refused start writes nothing"
    town.vault.put_back(new)
    town.vault.start()
    assert town.vault.log()["alarm"] is None


def test_an_old_database_beside_newer_shares_is_refused_without_any_witness(town: Town) -> None:
    town.grow("one")
    town.vault.stop()
    old = town.vault.copy("old")
    town.vault.start()
    town.grow("two")
    town.vault.stop()
    stop(town.witness)
    witnessed = town.vault.data / "shares" / "witnessed"
    (note,) = [path.read_text() for path in witnessed.glob("*.note")]
    name = next(path.name for path in witnessed.glob("*.note"))
    town.vault.put_back(old)
    (witnessed / name).write_text(note)
    code, said = town.vault.refused()
    assert (code, "were cosigned" in said) == (2, True), said


def rows(vault: Vault) -> list[tuple[int, int]]:
    """Entries, checkpoints and gates of a data directory that nobody serves."""
    with (
        closing(sqlite3.connect(vault.data / "vault" / "kluis.db")) as db,
        closing(sqlite3.connect(next((vault.data / "shares").glob("*.db")))) as shares,
    ):
        names = [name for (name,) in shares.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        kept = [shares.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names]
        told = [db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("entry", "checkpoint", "gate")]
        return list(zip(range(99), [*told, *kept], strict=False))


def test_a_lost_quorum_clears_by_itself_and_holds_data_back_only_if_set(town: Town) -> None:
    stop(town.witness)
    town.vault.stop()
    town.vault.witnessed_by(town.witness.policy(), KLUIS_LOG_FAIL_CLOSED="true")
    town.vault.start()
    ready = town.vault.get("/readyz")
    assert (ready.status_code, ready.json()["status"], ready.json()["log"]["alarm"]["kind"]) == (503, "held", "quorum")
    town.vault.act("still")  # administration goes on
    town.witness_again()
    until(lambda: town.vault.get("/readyz").status_code == 200, "the alarm clears")
    assert town.vault.log()["alarm"] is None
    until(lambda: town.cosigned() == published(town.vault), "what was published meanwhile is cosigned")


def test_two_vaults_witness_each_other(tmp_path: Path) -> None:
    """Two cities, each with a vault and a witness; each log verifies with the other's cosignature."""
    vaults = [Vault(tmp_path, name).start() for name in ("gent", "brugge")]
    keys = [vault.every_vkey() for vault in vaults]
    for vault in vaults:
        vault.stop()
    names = ("gent.test/witness", "brugge.test/witness")
    with (
        witness(tmp_path / "w0", keys[1], name=names[0]) as gent,
        witness(tmp_path / "w1", keys[0], name=names[1]) as brugge,
    ):
        for vault, other in zip(vaults, (brugge, gent), strict=True):
            vault.witnessed_by(other.policy("neighbour"))
            vault.start()
        try:
            for vault, other, key in zip(vaults, (brugge, gent), keys, strict=True):
                vault.act("one")
                until(lambda v=vault, w=other: bool(cosignatures(v.note(), [w.vkey])), "the neighbour cosigns")
                done = vault.verify(f"log {key}\n{other.policy('neighbour')}")
                assert done.returncode == 0, done.stderr
            swapped = vaults[0].verify(f"log {keys[0]}\n{gent.policy('own')}")
            assert swapped.returncode == 1
        finally:
            for vault in vaults:
                vault.stop()
