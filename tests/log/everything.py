"""Everything of the product by which something of a pod could come out: read from the product itself, from no list.

Routes are asked of the app, methods of the pods of the rules that answer for them, commands of the program; turns of
the clockwork, work beside requests and modules that can send something are read from the sources.
"""

import ast
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from fastapi import FastAPI
from starlette.routing import BaseRoute, Mount
from typer.main import get_command

from tests.test_contracts import PACKAGES, ROOT
from vault.solid import ldp, paths
from web.cli import app as program

PODS = {
    "root": "/pods/an/",
    "container": "/pods/an/public/",
    "file": "/pods/an/public/a.txt",
    "acl": "/pods/an/public/.acl",
    "meta": "/pods/an/public/a.txt.meta",
    "description": "/pods/an/.well-known/solid",
}
SENDERS = {"httpx", "socket", "smtplib", "ssl", "http.client", "urllib.request", "ftplib", "subprocess"}
SENDING = {
    "open_connection",
    "open_unix_connection",
    "create_connection",
    "create_subprocess_exec",
    "start_unix_server",
}
BESIDE = {
    "create_task",
    "ensure_future",
    "Thread",
    "Popen",
    "execv",
    "execve",
    "call_later",
    "shield",
    "start_unix_server",
}


def routes(app: FastAPI) -> list[str]:
    """Every `METHOD path` of an app in the order in which it is matched; a mounted app is `MOUNT path`."""
    return [name for route in app.routes for name in _named(route)]


def _named(route: BaseRoute) -> Iterator[str]:
    if (inner := getattr(route, "original_router", None)) is not None:
        for one in inner.routes:
            yield from _named(one)
    elif isinstance(route, Mount):
        yield f"MOUNT {route.path}"
    else:  # what is neither fails here, and so is not left out
        for method in sorted(route.methods):  # type: ignore[attr-defined]
            yield f"{method} {route.path}"  # type: ignore[attr-defined]


def pods() -> list[str]:
    """Every method of every kind of name in a pod, as `METHOD pods/kind`."""
    targets = {kind: paths.parse(path.encode()) for kind, path in PODS.items()}
    assert {target.kind for target in targets.values()} == set(get_args(paths.Kind))
    return [f"{method} pods/{kind}" for kind, target in targets.items() for method in ldp.methods(target)]


def commands() -> list[str]:
    """Every command of the program."""
    return sorted(_commands(get_command(program)))


def _commands(command: Any, above: str = "kluis") -> Iterator[str]:
    inner = getattr(command, "commands", {})
    for name, one in inner.items():
        yield from _commands(one, f"{above} {name}")
    if not inner or command.invoke_without_command:
        yield above


def turns() -> list[str]:
    """Everything that the clockwork awaits, or hands to others who do (`all_of`), as it stands in its source."""
    tree = ast.parse((ROOT / "web" / "jobs.py").read_text(encoding="utf-8"))
    awaited = [node.value.func for node in ast.walk(tree) if isinstance(node, ast.Await) and _is_call(node.value)]
    (handed,) = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "all_of")
    called = [node.func for node in ast.walk(handed) if isinstance(node, ast.Call)]
    return sorted({ast.unparse(call) for call in [*awaited, *called]})


def beside() -> list[str]:
    """Every place that starts work beside the request: `module function`."""
    return sorted({f"{where} {called(node)}" for where, node in _calls() if called(node) in BESIDE})


def senders() -> list[str]:
    """Every module that knows something by which bytes can leave the process other than as an answer."""
    found = {where for where, name in _imports() if name in SENDERS}
    return sorted(found | {where for where, node in _calls() if called(node) in SENDING})


def questions() -> list[str]:
    """Every question that is asked of the recommender's process."""
    asked = (node for where, node in _calls() if where.startswith("web/") and called(node) == "ask" and node.args)
    return sorted({node.args[0].value for node in asked if isinstance(node.args[0], ast.Constant)})


def _sources() -> Iterator[tuple[str, ast.AST]]:
    for package in PACKAGES:
        for source in sorted((ROOT / package).rglob("*.py")):
            yield source.relative_to(ROOT).as_posix(), ast.parse(source.read_text(encoding="utf-8"))


def _calls() -> Iterator[tuple[str, ast.Call]]:
    for where, tree in _sources():
        yield from ((where, node) for node in ast.walk(tree) if isinstance(node, ast.Call))


def _imports() -> Iterator[tuple[str, str]]:
    for where, tree in _sources():
        for node in ast.walk(tree):
            names: Iterable[str] = ()
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            yield from ((where, name) for name in names)


def _is_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call)


def called(call: ast.Call) -> str:
    """The last name of what a call names."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
