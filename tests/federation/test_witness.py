"""A witness as a separate process, over HTTP: every answer that C2SP tlog-witness asks for, races and kill -9."""

import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from federation.heads import Heads
from federation.policy import log_key
from federation.witness import Refused, judge, read_submission
from keys.cosign import cosignatures, read_answer
from keys.note import open_note, read_checkpoint
from tests.federation.cosigning import HOST, ORIGIN, ROOT, Running, SmallLog, start, stop, witness

pytestmark = pytest.mark.enable_socket


@pytest.fixture(scope="module")
def log() -> SmallLog:
    return SmallLog().grow(300)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, log: SmallLog) -> Iterator[Running]:
    """One process for all tests; each test works in a half-year of its own."""
    with witness(tmp_path_factory.mktemp("witness"), log.every_vkey) as found:
        yield found


YEARS = iter(range(2100, 2200))


@pytest.fixture
def own(log: SmallLog) -> SmallLog:
    """The log in a half-year that the witness has not seen yet."""
    return SmallLog(f"{HOST}/log/{next(YEARS)}h1", log.private, log.tree)


def test_it_cosigns_what_continues_what_it_cosigned_before(running: Running, own: SmallLog) -> None:
    for old, size in ((0, 0), (0, 1), (1, 2), (2, 7), (7, 256), (256, 257), (257, 257)):
        answer = running.add(own.body(old, size))
        assert (answer.status_code, answer.text.count("\n")) == (200, 1), answer.text
        text = own.note(size).rpartition("\n\n")[0] + "\n"
        (signed,) = read_answer(text, answer.text, [running.vkey])
        assert signed.at > 1_700_000_000


def test_an_old_size_that_is_not_the_last_one_is_answered_with_the_size(running: Running, own: SmallLog) -> None:
    assert running.add(own.body(0, 40)).status_code == 200
    for old, size in ((0, 50), (30, 50), (41, 50), (50, 50), (0, 0)):
        answer = running.add(own.body(old, size))
        assert (answer.status_code, answer.text) == (409, "40\n")
        assert answer.headers["content-type"] == "text/x.tlog.size"
    assert running.add(own.body(40, 50)).status_code == 200


def test_a_tree_that_differs_is_never_cosigned(running: Running, own: SmallLog) -> None:
    assert running.add(own.body(0, 40)).status_code == 200
    fork = own.fork(20, "other", 90)
    cases = [
        fork.body(40, 40),  # same size, another root
        fork.body(40, 90),  # an honest proof in the other tree
        own.body(40, 90, proof=[]),
        own.body(40, 90, proof=[bytes(32)] * 7),
        own.body(40, 90, proof=[*own.tree.consistency(40, 90), bytes(32)]),
        own.body(40, 40, proof=[bytes(32)]),
    ]
    assert [running.add(body).status_code for body in cases] == [422] * len(cases)
    assert running.add(own.body(40, 90)).status_code == 200


def test_the_first_checkpoint_needs_no_proof_and_may_have_none(running: Running, own: SmallLog) -> None:
    assert running.add(own.body(0, 40, proof=[bytes(32)])).status_code == 422
    assert running.add(own.body(0, 0, note=own.note(0, root=bytes(32)))).status_code == 422
    assert running.add(own.body(0, 0)).status_code == 200
    assert running.add(own.body(0, 40)).status_code == 200


def test_a_log_that_it_does_not_know_is_not_found(running: Running, log: SmallLog) -> None:
    for origin in ("other.test/log/2026h2", f"{HOST}/log/2026h3", f"{HOST}/log/2026h2/x", f"{HOST}/log/"):
        assert running.add(log.body(0, 5, note=log.note(5, origin=origin))).status_code == 404


def test_a_checkpoint_that_the_log_did_not_sign_is_forbidden(running: Running, own: SmallLog) -> None:
    stranger = SmallLog(own.origin, tree=own.tree)
    assert running.add(own.body(0, 5, note=stranger.note(5))).status_code == 403
    both = own.note(5) + own.note(6).rpartition("\n\n")[2]  # a line of the right key over another text
    assert running.add(own.body(0, 5, note=both)).status_code == 403
    assert running.add(own.body(0, 5)).status_code == 200


def test_signatures_of_strangers_are_ignored_and_not_repeated(running: Running, own: SmallLog) -> None:
    more = own.note(5) + SmallLog("stranger.test", tree=own.tree).note(5, origin=own.origin).rpartition("\n\n")[2]
    assert running.add(own.body(0, 5, note=more)).status_code == 200
    shown = running.http.get(f"/{sha256(own.origin.encode()).hexdigest()}/checkpoint").text
    assert len(shown.rpartition("\n\n")[2].splitlines()) == 2


def malformed(own: SmallLog) -> list[bytes]:
    good = own.body(3, 9).decode()
    head, _, note = good.partition("\n\n")
    step = b64encode(bytes(32)).decode()
    return [
        b"",
        b"\xff" + good.encode(),
        good.replace("old 3", "old 03").encode(),
        good.replace("old 3", "old -3").encode(),
        good.replace("old 3", "old  3").encode(),
        good.replace("old 3", "size 3").encode(),
        good.replace("old 3\n", "").encode(),
        good.replace("old 3", "old 10").encode(),  # beyond the checkpoint
        good.replace("old 3", "old 3\r").encode(),
        f"{head}\n{step[:-1]}\n\n{note}".encode(),
        f"{head}\n{b64encode(bytes(31)).decode()}\n\n{note}".encode(),
        "\n".join(["old 3", *[step] * 64, "", note]).encode(),
        good.replace("\n\n", "\n").encode(),
        good.rstrip("\n").encode(),
        f"{head}\n\n{note.partition(chr(10) * 2)[0]}\n".encode(),  # no signatures
        good.replace("\n9\n", "\n09\n").encode(),
        good.replace("— ", "- ").encode(),
    ]


def test_what_is_malformed_is_a_bad_request_and_changes_nothing(running: Running, own: SmallLog) -> None:
    cases = malformed(own)
    assert [running.add(body).status_code for body in cases] == [400] * len(cases)
    assert running.add(b"x" * 300_000).status_code == 413
    assert running.http.get("/add-checkpoint").status_code == 405
    assert running.add(own.body(0, 9)).status_code == 200


def test_it_shows_the_last_checkpoint_with_the_logs_signature_and_its_own(running: Running, own: SmallLog) -> None:
    place = f"/{sha256(own.origin.encode()).hexdigest()}/checkpoint"
    assert running.http.get(place).status_code == 404
    running.add(own.body(0, 5))
    running.add(own.body(5, 9))
    running.add(own.fork(2, "other", 12).body(9, 12))
    note = running.http.get(place).text
    text, _ = open_note(note, [own.vkey])
    assert read_checkpoint(text) == (own.origin, 9, own.tree.root(9))
    assert len(cosignatures(note, [running.vkey])) == 1


def test_of_many_that_race_from_one_size_exactly_one_wins(running: Running, own: SmallLog) -> None:
    """Twenty forks at once: if two were cosigned, a split view would have two proofs."""
    running.add(own.body(0, 10))
    bodies = [own.fork(10, f"race {n}", 11 + n).body(10) for n in range(20)]
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda b=body: statuses.append(running.add(b).status_code)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [409] * 19


def test_killed_at_any_moment_it_has_forgotten_nothing_it_signed(tmp_path: Path, log: SmallLog) -> None:
    size = 0
    for _ in range(3):
        found = start(tmp_path, log.every_vkey)
        for _ in range(5):
            assert found.add(log.body(size, size + 3)).status_code == 200
            size += 3
        stop(found, kill=True)
    with witness(tmp_path, log.every_vkey) as again:
        assert again.add(log.body(0, size)).text == f"{size}\n"
        assert again.add(log.fork(size - 1, "other", size).body(size, size)).status_code == 422


def test_two_witnesses_on_one_folder_still_sign_no_split_view(tmp_path: Path, log: SmallLog) -> None:
    """An operator's mistake must not become a split view: the transaction holds across processes."""
    with witness(tmp_path, log.every_vkey) as one, witness(tmp_path, log.every_vkey) as two:
        assert one.add(log.body(0, 40)).status_code == 200
        assert two.add(log.fork(10, "other", 50).body(0, 50)).text == "40\n"
        assert two.add(log.fork(10, "other", 50).body(40, 50)).status_code == 422


def test_a_store_that_cannot_be_written_answers_no_cosignature(tmp_path: Path, log: SmallLog) -> None:
    heads = Heads(tmp_path)
    asked, late = (read_submission(log.body(old, 5), [log.vkey], heads.heirs) for old in (0, 3))
    with pytest.raises(Refused):
        heads.move(ORIGIN, lambda last: judge(late, last) or "")
    assert heads.move(ORIGIN, lambda last: judge(asked, last) or asked.note) == asked.note
    heads.close()
    with pytest.raises(Exception, match="closed"):
        heads.move(ORIGIN, lambda last: asked.note)


def test_a_key_for_all_half_years_covers_them_and_nothing_else(log: SmallLog) -> None:
    assert log_key([log.every_vkey], ORIGIN) == [log.vkey]
    assert log_key([log.vkey], ORIGIN) == [log.vkey]
    for other in (f"{HOST}/log/2026h3", f"{HOST}/log/x", f"{HOST}/other/2026h2", f"{HOST}/log/*", f"x{ORIGIN}"):
        assert log_key([log.vkey], other) == []
        assert other.endswith("*") or log_key([log.every_vkey], other) == []


def refused(*words: str) -> str:
    command = [sys.executable, "-c", "from web.cli import main; main()", "witness", "serve", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2, done.stdout
    return done.stderr


def test_a_witness_that_cannot_start_says_why_in_one_line(tmp_path: Path, log: SmallLog) -> None:
    where = ["--data", str(tmp_path / "data"), "--key", str(tmp_path / "key")]
    assert "give --log VKEY or --policy FILE" in refused(*where, "--name", "w.test")
    assert "give --name to make a key" in refused(*where, "--log", log.vkey)
    assert "not an Ed25519 verifier key" in refused(*where, "--name", "w.test", "--log", "nonsense")
    (tmp_path / "key").write_text("nonsense")
    (tmp_path / "key").chmod(0o600)
    assert f"{tmp_path / 'key'} holds no private key of a witness" in refused(*where, "--log", log.vkey)
    (tmp_path / "key").write_bytes(b"\xff\x00 another key")
    told = refused(*where, "--log", log.vkey)
    assert told.count("\n") == 1 and "holds no private key of a witness" in told and "another" not in told
    (tmp_path / "key").chmod(0o644)
    assert "chmod 600" in refused(*where, "--log", log.vkey)


def test_its_process_has_no_part_of_a_vault_in_it() -> None:
    code = "import sys, web.witness; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"vault", "consent", "recommender"} & set(done.stdout.split()) == set()
