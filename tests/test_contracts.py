"""Every floor contract and every ban bites: a planted violation is found and named.

A contract that never fails proves nothing (a `forbidden` contract whose source contains the guarded module passes
silently), so each one is broken here once, in a copy of the tree.
"""

import ast
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
PACKAGES = CONFIG["importlinter"]["root_packages"]
BIN = Path(sys.executable).parent

FLOORS = "floors: a floor imports only floors below it"
OPENING = "opening: keys.unseal only in vault.door and keys"
TREE = "opening: keys.tree only where keys hang under keys"
DROPBOX = "opening: keys.dropbox only where letters are written or opened"
UNLOCK = "opening: keys.unlock only where ways in are made or tried"
TOKENS = "opening: keys.grants only in vault.door and where tokens are made or shown"
CUSTODY = "opening: keys.custody only where the server's own key is held or used"
RECORDS = "opening: keys.records only in the log, its readers and what is signed"
STATE = "opening: keys.state only where control data is read"
AGE = "opening: keys.age only where files are taken along"
PERMITS = "permits: vault.mint only in consent.gate and vault.door"
VAULT_TABLES = "tables: vault.tables only in vault"
CONSENT_TABLES = "tables: consent.tables only in consent"
SERVER = "server: web never reaches lightgbm"
WITNESS = "witness: it cosigns for others and never reaches a vault"
CRYPTOGRAPHY = "libraries: cryptography only in keys"
PKCS11 = "libraries: pkcs11 only in keys.hsm"
FASTAPI = "libraries: fastapi and starlette only in web"
PYOXIGRAPH = "libraries: pyoxigraph only in vault"
AUTHLIB = "libraries: authlib only in consent.oauth.server"
JOSERFC = "libraries: joserfc only in consent, federation and recommender.agent"
WEBAUTHN = "libraries: webauthn only in consent.accounts.passkeys"
HTTPX = "libraries: httpx only in fetch, agent, web.client and web.demoapp"
SQLMODEL = "libraries: sqlmodel only in tables and vault.database"
SQLALCHEMY = "libraries: sqlalchemy nowhere, sqlmodel speaks for it"
LIGHTGBM = "libraries: lightgbm only in recommender"

PLANTED: list[tuple[str, dict[str, str]]] = [
    (FLOORS, {"keys/planted.py": "import vault.door"}),
    (FLOORS, {"vault/planted.py": "import consent.decide"}),
    (FLOORS, {"vault/log/planted.py": "def late():\n    import web.settings"}),
    (FLOORS, {"consent/planted.py": "import federation.fetch"}),
    (FLOORS, {"recommender/planted.py": "import federation.fetch"}),
    (FLOORS, {"federation/planted.py": "import recommender.errors"}),
    (FLOORS, {"recommender/planted.py": "import web.settings"}),
    (OPENING, {"vault/planted.py": "from keys.unseal import unseal"}),
    (OPENING, {"web/planted.py": "from keys import unseal"}),
    (OPENING, {"consent/planted.py": "def late():\n    import keys.unseal as innocent"}),
    (OPENING, {"keys/planted.py": "from keys.unseal import unseal_secret"}),
    (TREE, {"consent/planted.py": "from keys.tree import unwrap"}),
    (TREE, {"vault/planted.py": "def late():\n    import keys.tree"}),
    (DROPBOX, {"consent/planted.py": "from keys.dropbox import collect"}),
    (UNLOCK, {"web/planted.py": "from keys.unlock import unlock"}),
    (TOKENS, {"vault/planted.py": "from keys.grants import unwrap_ck"}),
    (TOKENS, {"recommender/planted.py": "from keys import grants"}),
    (CUSTODY, {"consent/planted.py": "from keys.custody import reach"}),
    (RECORDS, {"web/planted.py": "from keys.records import open_record"}),
    (STATE, {"web/planted.py": "from keys.state import open_column"}),
    (AGE, {"vault/planted.py": "from keys import age"}),
    (PERMITS, {"web/planted.py": "import vault.mint"}),
    (PERMITS, {"vault/log/planted.py": "from vault import mint"}),
    (VAULT_TABLES, {"consent/planted.py": "from vault.tables import Gate"}),
    (CONSENT_TABLES, {"web/planted.py": "import consent.tables"}),
    (SERVER, {"web/planted.py": "import recommender.planted", "recommender/planted.py": "import lightgbm"}),
    (SERVER, {"recommender/sources/planted.py": "import recommender.two", "recommender/two.py": "import lightgbm"}),
    (WITNESS, {"federation/planted.py": "import vault.errors", "federation/heads.py": "import federation.planted"}),
    (CRYPTOGRAPHY, {"vault/planted.py": "from cryptography.hazmat.primitives.ciphers.aead import AESGCM"}),
    (PKCS11, {"keys/planted.py": "import pkcs11"}),
    (PKCS11, {"vault/planted.py": "from pkcs11 import Mechanism"}),
    (FASTAPI, {"consent/planted.py": "import starlette.requests"}),
    (FASTAPI, {"federation/planted.py": "from fastapi import Request"}),
    (PYOXIGRAPH, {"web/planted.py": "import pyoxigraph"}),
    (AUTHLIB, {"consent/oauth/planted.py": "import authlib"}),
    (JOSERFC, {"web/planted.py": "from joserfc import jwt"}),
    (WEBAUTHN, {"consent/accounts/planted.py": "from webauthn.helpers import parse_cbor"}),
    (WEBAUTHN, {"web/planted.py": "import webauthn"}),
    (HTTPX, {"consent/planted.py": "import httpx"}),
    (HTTPX, {"web/planted.py": "import httpx"}),
    (SQLMODEL, {"vault/planted.py": "from sqlmodel import select"}),
    (SQLALCHEMY, {"vault/planted.py": "from sqlalchemy import text"}),
    (LIGHTGBM, {"consent/planted.py": "import lightgbm"}),
]


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages' sources and the contracts, apart from the working tree."""
    tree = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        for source in (ROOT / package).rglob("*.py"):
            target = tree / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    shutil.copyfile(ROOT / "pyproject.toml", tree / "pyproject.toml")
    return tree


def lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "lint-imports", "--no-logo", "--no-cache"], cwd=tree, capture_output=True, text=True, check=False
    )


def ruff(source: str, path: str) -> str:
    """Findings of our own rules for a source text that claims to stand at `path`."""
    command = [BIN / "ruff", "check", "--no-cache", "--output-format", "concise", "--stdin-filename", path, "-"]
    return subprocess.run(command, cwd=ROOT, input=source, capture_output=True, text=True, check=False).stdout


HELD = {"unseal", "unseal_secret", "mint", "_unseal", "_mint"}
HOMES = {  # who may bring in what opens, and what makes permits (under a private name outside the keys)
    "keys": "keys.unseal",
    "vault/door.py": "keys.unseal",
    "consent/gate.py": "vault.mint",
}
INSIDE = {"__dict__", "__globals__", "__builtins__", "__loader__", "__spec__", "__subclasses__", "__getattribute__"}
BY_NAME = {"getattr", "vars", "dir", "setattr", "delattr", "hasattr"}


def reaching(source: str, path: str = "web/planted.py") -> list[int]:
    """Lines that get at a name without an import that a contract sees, or at one of another module's own names.

    A module in hand is a table of everything it imported itself: `vault.door` holds `unseal`, `consent.gate` `mint`.
    """
    tree = ast.parse(source)
    imports = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    known = {(alias.asname or alias.name).partition(".")[0] for n in imports for alias in n.names}
    home = HOMES.get(path, HOMES.get(path.partition("/")[0], ""))
    handed = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    whole = {
        alias.asname or alias.name
        for n in imports
        if isinstance(n, ast.ImportFrom) and n.module in {"vault", "consent"}
        for alias in n.names
        if alias.name in {"door", "gate"}
    }
    passed_on = {n.lineno for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id in whole and id(n) not in handed}
    return sorted(passed_on | {n.lineno for n in ast.walk(tree) if _reaches(n, known, home)})


def _reaches(node: ast.AST, known: set[str], home: str) -> bool:
    if isinstance(node, ast.ImportFrom):
        names = {alias.name for alias in node.names}
        from_home = not node.level and node.module == home
        foreign = any(name.startswith("_") for name in names) and node.module != "__future__"
        return node.level > 0 or foreign or "*" in names or bool(names & HELD and not from_home)
    if isinstance(node, ast.Attribute):
        modules = node.attr == "modules" and isinstance(node.value, ast.Name) and node.value.id == "sys"
        return modules or node.attr in HELD | INSIDE
    if isinstance(node, ast.Name):
        return node.id in {"__import__", "__builtins__", "globals", "__loader__", "__spec__"}
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in BY_NAME:
        return not node.args or _root(node.args[0]) in known
    return False


def _root(node: ast.expr) -> str:
    """The name that an expression begins with: `a` of `a.b.c`."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def test_the_tree_as_it_stands_keeps_every_contract(copied: Path) -> None:
    run = lint_imports(copied)
    assert run.returncode == 0, run.stdout


def test_every_contract_has_a_planted_violation() -> None:
    assert {name for name, _ in PLANTED} == {c["name"] for c in CONFIG["importlinter"]["contracts"]}


@pytest.mark.parametrize(("contract", "files"), PLANTED, ids=[f"{n.split(':')[0]}-{next(iter(f))}" for n, f in PLANTED])
def test_a_planted_import_breaks_its_contract_by_name(copied: Path, contract: str, files: dict[str, str]) -> None:
    for path, text in files.items():
        (copied / path).write_text(text + "\n", encoding="utf-8")
    try:
        run = lint_imports(copied)
    finally:
        for path in files:
            (copied / path).unlink()
            if (ROOT / path).exists():
                shutil.copyfile(ROOT / path, copied / path)
    assert run.returncode == 1
    assert f"{contract} BROKEN" in run.stdout
    assert ".planted" in run.stdout


BANNED = [
    "import importlib",
    "from importlib import import_module as harmless",
    "import importlib.util as harmless",
    "import builtins; builtins.__import__('keys.unseal')",
    "import runpy",
    "import pkgutil; pkgutil.resolve_name('keys.unseal')",
    "import datetime as dt; dt.datetime.now(dt.UTC)",
    "from datetime import datetime; datetime.utcnow()",
    "from datetime import date; date.today()",
    "import time; time.time()",
    "from time import time_ns",
    "import os; os.environ['KLUIS_DATA']",
    "from os import getenv",
    "import random",
    "import secrets",
    "import os; os.urandom(32)",
    "import sys; sys.modules['keys.unseal']",
    "from sys import modules",
    "import sys; sys._getframe().f_back",
    "import operator; operator.attrgetter('unseal')",
    "from operator import methodcaller",
    "import inspect",
    "import gc; gc.get_objects()",
]


@pytest.mark.parametrize("path", ["vault/planted.py", "web/routes/planted.py", "recommender/planted.py"])
def test_a_planted_clock_environment_or_dynamic_import_is_banned(path: str) -> None:
    findings = [line for line in ruff("\n".join(BANNED) + "\n", path).splitlines() if " TID251 " in line]
    found = {int(line.split(":")[1]) for line in findings}
    assert [line for number, line in enumerate(BANNED, 1) if number not in found] == []


@pytest.mark.parametrize(("line", "rule"), [("exec('import keys.unseal')", "S102"), ("eval('1')", "S307")])
def test_code_from_text_is_banned(line: str, rule: str) -> None:
    assert rule in ruff(line + "\n", "vault/planted.py")


def test_a_ban_is_lifted_only_where_time_and_settings_enter() -> None:
    for home in ("web/settings.py", "web/app.py", "web/cli.py", "recommender/__main__.py"):
        assert "TID251" not in ruff("import time\n\ntime.time()\n", home)


REACHING = [
    "x = __import__('keys.unseal')",
    "import sys; sys.modules['keys.unseal'].unseal",
    "import sys; sys.modules",
    "import vault.door; vars(vault.door)['_unseal']",
    "from vault import door; vars(door)",
    "from vault import door as d; getattr(d, '_un' + 'seal')",
    "import vault.door; getattr(vault.door, name)",
    "from consent import gate; getattr(gate, '_mint')",
    "from vault import door; door.__dict__['_unseal']",
    "from vault import door; door.read.__globals__",
    "from vault import door; door.__getattribute__('_unseal')",
    "from vault import door; dir(door)",
    "from vault import door; innocent = door; vars(innocent)",
    "from consent import gate as g; hand_over(g)",
    "from vault import door; setattr(door, 'admit', None)",
    "from vault import door; door._unseal",
    "from vault import door; door.unseal",
    "from consent import gate; gate._mint(permit)",
    "from consent import gate; gate.mint(permit)",
    "from vault.door import unseal",
    "from vault.door import _unseal",
    "from vault.door import _unseal as harmless",
    "from consent.gate import mint",
    "from consent.gate import _mint",
    "from keys.unseal import unseal",
    "from vault.mint import mint",
    "from vault.door import *",
    "from .door import admit",
    "globals()['x']",
    "vars()",
    "__builtins__['eval']",
]


@pytest.mark.parametrize("line", REACHING)
def test_a_planted_way_around_the_imports_is_found(line: str) -> None:
    for path in ("web/planted.py", "vault/planted.py", "recommender/planted.py"):
        assert reaching(line, path) == [1]


def test_what_opens_and_what_mints_has_one_home_each() -> None:
    assert reaching("from keys.unseal import unseal as _unseal", "vault/door.py") == []
    assert reaching("from vault.mint import mint as _mint", "consent/gate.py") == []
    assert reaching("from vault.mint import mint", "vault/door.py") == [1]
    assert reaching("from keys.unseal import unseal", "consent/gate.py") == [1]
    assert reaching("getattr(error, 'code', '')\nvars(template.module)\nseen.modules") == []


def test_no_source_goes_around_the_imports() -> None:
    for package in PACKAGES:
        for source in (ROOT / package).rglob("*.py"):
            name = source.relative_to(ROOT).as_posix()
            assert reaching(source.read_text(encoding="utf-8"), name) == [], name


@pytest.mark.parametrize(
    ("module", "names"), [("vault/door.py", {"_unseal"}), ("consent/gate.py", {"_mint"})], ids=["door", "gate"]
)
def test_what_a_module_must_not_pass_on_has_a_private_name_in_it(module: str, names: set[str]) -> None:
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    brought = {a.asname or a.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names}
    assert brought & HELD == names
