"""Commands against a real HTTP server: what they send, what they print, and the exit code."""

import json
import os
import shutil
import socket
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner, Result

from consent.jws import read
from consent.oauth.clients import Client, check_assertion
from keys.note import proof
from keys.sign import new_es256
from keys.text import b64, canonical
from tests.web.shown_log import SIZE, ShownLog
from vault.vault import Vault
from web.cli import app
from web.settings import Settings


class Served:
    """What the server answers, and what it was asked."""

    def __init__(self) -> None:
        self.log = ShownLog()
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer: tuple[int, dict[str, Any]] = (200, {})
        self.base = ""
        self.location = ""

    def get(self, path: str) -> tuple[int, bytes]:
        if path == "/transparency.json":
            return 200, json.dumps({"origin": "", "vkey": self.log.key}).encode()
        if path.startswith("/log/"):
            return 200, self.log.fetch(path)
        if path in ("/login", "/me/security"):
            return 200, b'<form><input type="hidden" name="csrf" value="t0ken"></form>'
        if path == "/api/log/export":
            return 200, "".join(f"{line}\n" for line in self.log.export()).encode()
        return 404, b"<html>"


def handler(served: Served) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply(*served.get(self.path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            served.asked.append((self.headers["Host"], self.path, dict(self.headers), body))
            status, told = served.answer
            self.reply(status, json.dumps(told).encode(), served.location)

        def reply(self, status: int, body: bytes, location: str = "") -> None:
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self) -> str:  # a Unix peer has no address
            return ""

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A server on loopback and, as the operator's socket, on `d/control.sock`."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"KLUIS_{name.upper()}", raising=False)
    known = Served()
    (tmp_path / "d").mkdir()
    servers = [
        ThreadingHTTPServer(("127.0.0.1", 0), handler(known)),
        ThreadingUnixStreamServer("d/control.sock", handler(known)),
    ]
    known.base = f"http://localhost:{servers[0].server_address[1]}"
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
    yield known
    for server in servers:
        server.shutdown()
        server.server_close()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_log_verify_prints_what_it_found(served: Served) -> None:
    done = run("log", "verify", "--base", served.base)
    assert done.exit_code == 0, done.output
    for line in ("entries: 300", "size: 300", f"root: {served.log.tree.root().hex()}", "verdict: ok"):
        assert line in done.stdout


def test_log_verify_answers_in_json_with_the_export_checked(served: Served, tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text("\n".join(served.log.export()), encoding="utf-8")
    done = run("log", "verify", "--base", served.base, "--export", "mine.jsonl", "--json")
    assert json.loads(done.stdout)["records"] == SIZE


def test_log_verify_names_the_first_wrong_entry_and_exits_1(served: Served) -> None:
    served.log.leaves[7] = served.log.leaves[8]
    done = run("log", "verify", "--base", served.base)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "entry 7" in done.stderr


def test_log_verify_trusts_the_key_it_is_given_over_the_one_it_is_told(served: Served) -> None:
    done = run("log", "verify", "--base", served.base, "--key", ShownLog().key)
    assert done.exit_code == 1
    assert "not signed" in done.stderr


def test_log_verify_reads_a_directory_with_the_published_key(served: Served, tmp_path: Path) -> None:
    served.log.store(tmp_path / "d")
    assert run("log", "verify", "--data", "d", "--key", served.log.key).exit_code == 0
    assert run("log", "verify", "--data", "d").exit_code == 2


def test_log_prove_prints_a_proof_or_says_why_not(served: Served) -> None:
    proof = run("log", "prove", "5", "--base", served.base)
    assert proof.stdout.startswith("c2sp.org/tlog-proof@v1\nindex 5\n")
    assert run("log", "prove", "5000", "--base", served.base).exit_code == 1


def test_log_prove_checks_a_receipt_without_any_server_and_refuses_a_changed_one(
    served: Served, tmp_path: Path
) -> None:
    nonces, record = bytes([5]) * 64, cast("dict[str, Any]", served.log.lines[5]["record"])
    rest = sha256(b"kluis/pod-record-own/v1" + nonces[32:] + canonical(record["own"])).digest()
    extra = nonces[:32] + rest + bytes([7]) * 32 + canonical(record["app"])
    path, note = served.log.tree.inclusion(5, SIZE), served.log.notes[-1]
    (tmp_path / "mine.tlog-proof").write_text(proof(5, path, note, extra), encoding="utf-8")
    (tmp_path / "other.tlog-proof").write_text(proof(6, path, note, extra), encoding="utf-8")
    asked = len(served.asked)
    done = run("log", "prove", "mine.tlog-proof", "--key", served.log.key, "--json")
    assert json.loads(done.stdout)["proves"] == {"action": "read"}
    assert run("log", "prove", "other.tlog-proof", "--key", served.log.key).exit_code == 1
    assert run("log", "prove", "mine.tlog-proof").exit_code == 2
    (tmp_path / "bare.tlog-proof").write_text(proof(5, path, note, b""), encoding="utf-8")
    bare = run("log", "prove", "bare.tlog-proof", "--key", served.log.key)
    assert (bare.exit_code, "only what an app was given is a receipt" in bare.output) == (1, True)
    none = run("log", "prove", "none.tlog-proof", "--key", served.log.key)
    assert (none.exit_code, "neither the place of an entry" in none.output) == (2, True)
    assert len(served.asked) == asked


def test_log_prove_writes_a_proof_to_a_file(served: Served, tmp_path: Path) -> None:
    done = run("log", "prove", "5", "--base", served.base, "--out", "five.tlog-proof")
    assert done.exit_code == 0 and "five.tlog-proof" in done.stdout
    assert (tmp_path / "five.tlog-proof").read_text(encoding="utf-8").endswith(served.log.notes[-1])


def test_log_export_logs_in_like_a_person_and_takes_the_records_away(served: Served, tmp_path: Path) -> None:
    served.answer, served.location = (303, {}), "/me"
    words = ["log", "export", "--user", "an", "--out", "mine.jsonl", "--base", served.base]
    done = CliRunner().invoke(app, words, input="open sesame\n")
    assert (done.exit_code, "records: 300" in done.stdout) == (0, True), done.output
    assert "open sesame" not in done.output
    assert (tmp_path / "mine.jsonl").stat().st_mode & 0o777 == 0o600  # who reads what of hers is nobody else's business
    (_, path, headers, body), (_, last, _, _) = served.asked
    assert (path, headers["Origin"], last) == ("/login", served.base, "/logout")
    assert parse_qs(body.decode()) == {"user": ["an"], "passphrase": ["open sesame"], "csrf": ["t0ken"]}
    assert run("log", "verify", "--base", served.base, "--export", "mine.jsonl").exit_code == 0


def test_log_export_with_a_wrong_passphrase_writes_nothing(served: Served, tmp_path: Path) -> None:
    served.answer, served.location = (303, {}), "/login?failed=1"
    words = ["log", "export", "--user", "an", "--out", "mine.jsonl", "--base", served.base]
    assert CliRunner().invoke(app, words, input="wrong\n").exit_code == 2
    assert not (tmp_path / "mine.jsonl").exists()


def test_log_export_asks_for_no_passphrase_where_a_setting_is_wrong(tmp_path: Path) -> None:
    words = ["log", "export", "--user", "an", "--out", str(tmp_path / "mine.jsonl"), "--base", "ftp://x"]
    done = CliRunner().invoke(app, words, input="open sesame\n")
    assert done.exit_code == 2 and "Passphrase" not in done.output and "ftp://x" in done.output


@pytest.mark.parametrize("command", ["recommender", "train"])
def test_the_recommender_runs_as_a_process_of_its_own(
    served: Served, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    become: list[list[str]] = []
    monkeypatch.setattr(os, "execve", lambda _, words, __: become.append(words))
    run(command, "--data", "d", "--seed", "7")
    verb = {"recommender": "serve", "train": "train"}[command]
    assert become == [[sys.executable, "-m", "recommender", verb, "--data", "d", "--seed", "7"]]


def test_a_server_that_is_away_is_one_line_and_exit_2(served: Served) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        done = run("log", "verify", "--base", f"http://localhost:{free.getsockname()[1]}")
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1


def test_a_wrong_setting_is_one_line_and_exit_2(served: Served) -> None:
    done = run("log", "verify", "--base", "http://127.0.0.1:1")
    assert done.exit_code == 2
    assert "KLUIS_BASE_URL" in done.stderr


def test_import_with_a_key_sends_an_assertion_for_exactly_this_file(served: Served, tmp_path: Path) -> None:
    key = new_es256()
    (tmp_path / "key.json").write_text(json.dumps(key), encoding="utf-8")
    (tmp_path / "loans.json").write_bytes(b"[1]")
    served.answer = (201, {"stored": 1, "rejects": []})
    credential = ("--key", "key.json", "--client-id", "library")
    done = run("import", "mijnbib", "loans.json", "--pod", "an", "--base", served.base, "--dry-run", *credential)
    assert (done.exit_code, "stored: 1" in done.stdout) == (0, True)
    _, path, headers, body = served.asked[0]
    assert (urlsplit(path).path, body) == ("/api/sources/mijnbib/deposits", b"[1]")
    assert parse_qs(urlsplit(path).query) == {"pod": ["an"], "dry-run": ["1"]}
    shown = headers["Authorization"].removeprefix("Bearer ")
    library = Client(
        "library", "Library", "https://library.example", jwks=({k: v for k, v in key.items() if k != "d"},)
    )
    assert check_assertion(shown, library, served.base, datetime.now(UTC)).client_id == "library"
    claims = read(shown).claims
    assert claims["body_sha256"] == b64(sha256(b"[1]").digest())
    assert (claims["pod"], claims["keep_good"], "patron" in claims) == ("an", False, False)


def test_import_without_a_key_goes_through_the_operators_socket(served: Served, tmp_path: Path) -> None:
    (tmp_path / "events.json").write_bytes(b"{}")
    served.answer = (201, {"stored": 12})
    done = run("import", "uitdatabank", "events.json", "--data", "d", "--json")
    assert json.loads(done.stdout) == {"stored": 12, "rejects": []}
    host, path, headers, _ = served.asked[0]
    assert (host, path) == ("localhost:8400", "/api/sources/uitdatabank/deposits")
    assert "Authorization" not in headers


@pytest.mark.parametrize(("keep", "code"), [([], 1), (["--keep-good"], 0)])
def test_every_reject_is_a_line_and_exit_1_unless_the_good_are_kept(
    served: Served, tmp_path: Path, keep: list[str], code: int
) -> None:
    (tmp_path / "loans.json").write_bytes(b"[]")
    served.answer = (422, {"stored": 0, "rejects": ["record 1: no title", "record 3: \x1b[31mno date"]})
    done = run("import", "folio", "loans.json", "--pod", "an", "--data", "d", *keep)
    assert done.exit_code == code
    assert done.stderr.splitlines() == ["record 1: no title", "record 3: ?[31mno date"]


def test_a_refused_deposit_says_what_the_vault_said(served: Served, tmp_path: Path) -> None:
    (tmp_path / "loans.json").write_bytes(b"[]")
    served.answer = (409, {"type": "about:blank", "title": "No such compartment"})
    done = run("import", "folio", "loans.json", "--pod", "an", "--data", "d")
    assert done.exit_code == 2
    assert "409 No such compartment" in done.stderr


def test_import_says_so_when_nothing_serves_the_directory(served: Served, tmp_path: Path) -> None:
    (tmp_path / "loans.json").write_bytes(b"[]")
    done = run("import", "folio", "loans.json", "--pod", "an", "--data", "elsewhere")
    assert done.exit_code == 2
    assert "nothing serves elsewhere" in done.stderr and "--client-id" in done.stderr


def test_a_command_is_told_of_no_option_that_it_does_not_have() -> None:
    done = run("custodian", "rotate", "--data", "elsewhere")
    assert "nothing serves elsewhere" in done.stderr
    assert "--key" not in done.stderr and "--base" not in done.stderr


def test_an_import_says_how_many_of_how_many_were_good(served: Served, tmp_path: Path) -> None:
    (tmp_path / "loans.json").write_bytes(b"[]")
    served.answer = (422, {"source": "folio", "read": 2, "stored": 0, "rejects": ["a", "b", "c"]})
    assert "good: 2 of 5" in run("import", "folio", "loans.json", "--pod", "an", "--data", "d").stdout.splitlines()


@pytest.mark.parametrize("port", ["0", "65535"])
def test_a_demo_needs_a_port_and_the_next_one(port: str) -> None:
    assert run("demo", "--port", port).exit_code == 2


def test_check_says_that_a_directory_is_a_demo_city(tmp_path: Path) -> None:
    (tmp_path / "city" / "demo").mkdir(parents=True)
    done = run("check", "--data", str(tmp_path / "city"))
    assert done.exit_code == 0
    assert "is a demo city" in done.stderr and "kluis demo" in done.stderr


def test_app_register_sends_the_app_and_its_purpose_to_the_operators_socket(served: Served, tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_text('{"keys": []}', encoding="utf-8")
    served.answer = (201, {"client_id": "gids", "purposes": [{"code": "dpv:X", "version": "1"}]})
    words = ["--name", "Gids", "--controller", "https://gids.example", "--redirect-uri", "https://gids.example/cb"]
    purpose = ["--purpose", "dpv:X", "--text-nl", "Tips", "--category", "pd:Interest"]
    done = run("app", "register", *words, "--jwks", "jwks.json", *purpose, "--data", "d", "--json")
    assert json.loads(done.stdout)["client_id"] == "gids"
    sent = json.loads(served.asked[0][3])
    assert sent["purposes"] == [{"code": "dpv:X", "text": {"nl": "Tips"}, "categories": ["pd:Interest"]}]


def test_app_register_sends_why_an_app_asks_more_than_usual(served: Served, tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_text('{"keys": []}', encoding="utf-8")
    served.answer = (201, {"client_id": "gids"})
    words = ["--name", "Gids", "--controller", "https://gids.example", "--redirect-uri", "https://gids.example/cb",
             "--jwks", "jwks.json", "--purpose", "dpv:X", "--text-nl", "Tips", "--data", "d", "--json"]  # fmt: skip
    assert run("app", "register", *words, "--justify", "pd:PostalCode=3=Om te leveren = thuis.").exit_code == 0
    why = {"category": "pd:PostalCode", "rung": 3, "text": "Om te leveren = thuis."}
    assert json.loads(served.asked[0][3])["purposes"][0]["justifications"] == [why]
    assert run("app", "register", *words, "--justify", "pd:PostalCode").exit_code == 2


def test_check_lists_every_setting_and_fails_without_a_custodian(served: Served) -> None:
    done = run("check", "--json")
    names = {row["name"] for row in json.loads(done.stdout)["settings"]}
    assert names == {f"KLUIS_{name.upper()}" for name in Settings.model_fields}
    assert done.exit_code == 2
    assert "KLUIS_CUSTODIAN is not set" in done.stderr


def test_the_custody_key_is_replaced_over_the_operators_socket(served: Served) -> None:
    served.answer = 200, {"key": "new", "moved": 3, "left": 0, "destroyed": ["old"]}
    done = run("custodian", "rotate", "--data", "d", "--json")
    assert done.exit_code == 0 and json.loads(done.stdout) == served.answer[1]
    assert served.asked[0][1] == "/api/operator/custodian/rotate"
    served.answer = 200, {"key": "new", "moved": 2, "left": 1, "destroyed": []}
    assert run("custodian", "rotate", "--data", "d").exit_code == 1
    assert run("custodian", "rotate", "--data", "elsewhere").exit_code == 2


def test_the_logs_key_is_replaced_over_the_operators_socket(served: Served) -> None:
    served.answer = 200, {"key": "localhost+1+AQ"}
    done = run("log", "rotate", "--data", "d", "--json")
    assert done.exit_code == 0 and json.loads(done.stdout) == served.answer[1]
    assert served.asked[0][1] == "/api/operator/log/rotate"


def test_fsck_says_what_is_wrong_with_a_directory(served: Served, vault: Vault, tmp_path: Path) -> None:
    assert run("fsck", "--data", ".").stdout == "faults: 0\npods by custody key: {}\n"
    with closing(sqlite3.connect("vault/kluis.db")) as db, db:
        db.execute("INSERT INTO checkpoint VALUES (0, 1, 'x')")
    done = run("fsck", "--data", ".", "--json")
    assert (done.exit_code, len(json.loads(done.stdout)["faults"])) == (1, 1)
    assert run("fsck", "--data", "elsewhere").exit_code == 2


def test_fsck_uses_the_state_key_where_the_custodian_is_at_hand(
    served: Served, vault: Vault, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path_factory.mktemp("elsewhere") / "custodian"
    shutil.copy("custodian", kept)
    with closing(sqlite3.connect("vault/kluis.db")) as db, db:
        db.execute("INSERT INTO pod (id, name_mac, identity, box, sealed) VALUES (x'01', x'02', x'03', x'04', x'05')")
        db.execute(
            "INSERT INTO record (idx, pod, seq, entry, key, sealed, outcome, touched, proof)"
            " VALUES (7, x'01', 1, x'06', x'', x'', 'unknown', x'', x'07')"
        )
    assert "beside the record" not in run("fsck", "--data", ".", "--json").stdout
    monkeypatch.setenv("KLUIS_CUSTODIAN", f"file:{kept}")
    assert "beside the record of entry 7" in run("fsck", "--data", ".", "--json").stdout


def test_erase_asks_for_a_yes_and_names_the_pod(served: Served) -> None:
    served.answer = (200, {"entry": 12})
    assert run("erase", "an", "--data", "d").exit_code == 2 and not served.asked
    done = run("erase", "an", "--yes", "--data", "d", "--json")
    assert json.loads(done.stdout) == {"pod": "an", "entry": 12}
    assert json.loads(served.asked[0][3]) == {"pod": "an"}


def test_every_command_has_a_help_text() -> None:
    listed = run("--help").stdout
    for command in ("demo", "serve", "recommender", "check", "fsck", "log", "app", "import", "train", "evaluate",
                    "backup", "restore", "export", "erase"):  # fmt: skip
        assert command in listed
