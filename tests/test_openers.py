"""Every function that opens something sealed, and the only sources that name it.

The import contracts say which modules may know the modules that open; these lists say which of them may call the
opening function itself. Content (labels and bodies) is opened by `unseal`, and outside the keys the door alone names
that. A share that was released names its entry, and the writer of the log alone makes one.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_contracts import PACKAGES, ROOT

NAMED: dict[str, set[str]] = {
    "keys.unseal.unseal": {"keys/state.py", "vault/door.py"},
    "keys.unseal.SegmentOpener": {"vault/door.py"},
    "keys.unseal.unseal_record": {"keys/records.py"},
    "keys.unseal.unseal_secret": {"keys/tree.py"},
    "keys.tree.unwrap": {"keys/custody.py", "keys/grants.py", "vault/door.py", "vault/generations.py",
                         "vault/managed.py", "vault/newroot.py", "vault/pod.py", "vault/unlocked.py",
                         "consent/accounts/sessions.py"},
    "keys.dropbox.collect": {"keys/grants.py", "keys/unlock.py", "vault/door.py", "vault/generations.py",
                             "vault/log/views.py", "vault/newroot.py", "vault/office.py"},
    "keys.unlock.unlock": {"vault/unlockers.py"},
    "keys.custody.reach": {"vault/custody.py", "vault/door.py", "vault/managed.py"},
    "keys.grants.unwrap_gk": {"vault/door.py", "consent/issue.py"},
    "keys.grants.unwrap_ck": {"vault/door.py"},
    "keys.grants.collect_ck": {"vault/door.py"},
    "keys.records.open_record": {"vault/log/views.py", "vault/office.py"},
    "keys.state.open_column": {"vault/log/receipts.py", "vault/vault.py", "consent/columns.py", "consent/signed.py"},
    # What was taken along is opened again once, to prove that it opens; the server keeps no passphrase of it.
    "keys.age.unlock": {"web/leaving.py", "web/routes/takeaway.py"},
    "keys.secret.Released": {"keys/custody.py", "keys/grants.py", "keys/unlock.py", "vault/door.py",
                             "vault/log/append.py", "vault/log/entry.py", "vault/unlocked.py"},
}  # fmt: skip
MODULES = {name.rpartition(".")[0] for name in NAMED}


def named(tree: ast.AST) -> Iterator[str]:
    """Full names out of the opening modules that a source uses, however it brought them in."""
    short: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full
                if full in MODULES:
                    short[alias.asname or alias.name] = full
        elif isinstance(node, ast.Import):
            short |= {alias.asname or alias.name: alias.name for alias in node.names if alias.name in MODULES}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (module := short.get(ast.unparse(node.value))):
            yield f"{module}.{node.attr}"


def users() -> dict[str, set[str]]:
    """Every opening function and the sources that name it."""
    found: dict[str, set[str]] = {name: set() for name in NAMED}
    for package in PACKAGES:
        for source in (ROOT / package).rglob("*.py"):
            for name in named(parsed(source)):
                if name in found:
                    found[name].add(source.relative_to(ROOT).as_posix())
    return found


def parsed(source: Path) -> ast.AST:
    return ast.parse(source.read_text(encoding="utf-8"))


def test_each_opening_function_is_named_by_the_sources_on_its_list_and_no_other() -> None:
    assert users() == NAMED


@pytest.mark.parametrize(
    "line",
    [
        "from keys.tree import unwrap as harmless",
        "from keys import tree\nopened = tree.unwrap(a, b, c, d)",
        "import keys.tree\nkeys.tree.unwrap(a, b, c, d)",
        "import keys.tree as t\nfunction = t.unwrap",
    ],
)
def test_a_planted_use_is_seen_however_it_is_written(line: str) -> None:
    assert "keys.tree.unwrap" in set(named(ast.parse(line)))


def test_every_function_that_opens_is_on_the_lists() -> None:
    """A function of the keys that calls another on the lists opens something itself, and so is on them."""
    inner = {name.rpartition(".")[2] for name in NAMED} - {"Released"} | {"decrypt", "decrypt_into", "_open"}
    found = set()
    for source in (ROOT / "keys").rglob("*.py"):
        for node in parsed(source).body:  # type: ignore[attr-defined]
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                calls = {_called(call) for call in ast.walk(node) if isinstance(call, ast.Call)}
                found |= {f"keys.{source.stem}.{node.name}"} if calls & inner else set()
    private = {"keys.age.unlock", "keys.unseal.SegmentOpener"}  # one through functions of its own, one a class
    assert found | private == set(NAMED) - {"keys.secret.Released"}


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def test_a_released_share_is_made_in_one_place_behind_a_durable_entry() -> None:
    made = {
        source.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for source in (ROOT / package).rglob("*.py")
        for node in ast.walk(parsed(source))
        if isinstance(node, ast.Call) and _called(node) == "Released"
    }
    assert made == {"vault/log/append.py"}
