"""Which pods a server's folder holds, and under which address each was known.

Community Solid Server 7 keeps its accounts as JSON in `.internal/accounts/data/`: an account with its pods (`**pod**`,
each with a base URL and owners) and its WebIDs (`**webIdLink**`). Node Solid Server 5 has a folder per host. Password
hashes lie in both and are never read: they cannot become keys.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import unquote, urlsplit

import orjson

from vault.moving.tree import BadTree, Found, Parts, Tree

Server = Literal["css", "nss"]
ACCOUNTS: Final = (".internal", "accounts", "data")
LARGEST_ACCOUNT: Final = 1024 * 1024
NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,38}[a-z0-9]")


class NoPods(BadTree):
    """The folder holds no pod of this kind of server, or does not say under which address it was served."""

    code = "no_pods"

    def __init__(self, why: str) -> None:
        super().__init__("no_pods", (why,))


@dataclass(frozen=True, slots=True)
class Home:
    """One pod as it lay on the other server: the name it gets here, its old address (ends in `/`), its folder, and the
    WebIDs under that address that were its owner's.
    """

    name: str
    base: str
    parts: Parts
    webids: tuple[str, ...]


def homes(tree: Tree, server: Server, base: str | None) -> list[Home]:
    """Every pod of the folder, by name; of two that would get the same name the second has none here ("").

    `base` is the old address of the server, where the folder does not tell it. Raises NoPods.
    """
    found = list(_css(tree, base) if server == "css" else _nss(tree, base))
    if not found:
        raise NoPods("no pod found: name the folder that the server kept its files in, and --base-url if it tells none")
    names: set[str] = set()
    once = []
    for home in sorted(found, key=lambda one: one.base):
        fits = NAME.fullmatch(home.name) and home.name not in names
        once.append(home if fits else Home("", home.base, home.parts, home.webids))
        names.add(home.name)
    return once


def _css(tree: Tree, base: str | None) -> Iterator[Home]:
    told = list(_accounts(tree))
    for address, webids in told:
        root = base.rstrip("/") + "/" if base else f"{urlsplit(address)._replace(path='/').geturl()}"
        inside = address.removeprefix(root) if address.startswith(root) else ""
        label = (urlsplit(address).hostname or "").partition(".")[0]
        for parts in (tuple(unquote(step) for step in inside.split("/") if step), (label,)):
            if parts and tree.holds(parts):
                yield _home(parts[-1], address, parts, webids)
                break
    if not told and base:
        yield from _folders(tree, (), base)


def _accounts(tree: Tree) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The address of every pod in the accounts and the WebIDs of its owners."""
    if not tree.holds(ACCOUNTS):
        return
    for one in tree.list(ACCOUNTS):
        if not isinstance(one, Found) or one.folder:
            continue
        try:
            read = orjson.loads(tree.read(one.parts, LARGEST_ACCOUNT))
            told = read.get("payload", read)
            links = {str(link["webId"]) for link in _held(told, "**webIdLink**")}
            for pod in _held(told, "**pod**"):
                owners = {str(owner["webId"]) for owner in _held(pod, "**owner**")}
                yield str(pod["baseUrl"]).rstrip("/") + "/", tuple(sorted(links | owners))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadTree("unreadable", one.parts) from error


def _held(told: Any, name: str) -> list[Any]:
    return list(told.get(name, {}).values())


def _folders(tree: Tree, under: Parts, base: str) -> Iterator[Home]:
    """Without accounts: every folder with a profile or an access list of its own is a pod."""
    for one in tree.list(under):
        if isinstance(one, Found) and one.folder and not one.parts[-1].startswith(".") and _is_pod(tree, one.parts):
            yield _home(one.parts[-1], f"{base.rstrip('/')}/{one.parts[-1]}/", one.parts, ())


def _is_pod(tree: Tree, parts: Parts) -> bool:
    inside = {one.parts[-1] for one in tree.list(parts) if isinstance(one, Found)}
    return bool({"profile", ".acl", ".acr"} & inside)


def _nss(tree: Tree, base: str | None) -> Iterator[Home]:
    """A folder per host below `data`, or below the folder itself; one pod alone lies in it without a host."""
    root: Parts = ("data",) if tree.holds(("data",)) else ()
    known = base or _served(tree)
    if tree.holds((*root, "profile")):
        if known:
            yield _home((urlsplit(known).hostname or "").partition(".")[0], known.rstrip("/") + "/", root, ())
        return
    served = urlsplit(known or "https://x")
    port = f":{served.port}" if served.port else ""
    for one in tree.list(root):
        if isinstance(one, Found) and one.folder and tree.holds((*one.parts, "profile")):
            host = one.parts[-1]
            yield _home(host.partition(".")[0], f"{served.scheme}://{host}{port}/", one.parts, ())


def _served(tree: Tree) -> str | None:
    """The address that the server's own configuration names."""
    try:
        told = orjson.loads(tree.read(("config.json",), LARGEST_ACCOUNT))
        return str(told["serverUri"])
    except (BadTree, ValueError, KeyError, TypeError):
        return None


def _home(name: str, base: str, parts: Parts, webids: tuple[str, ...]) -> Home:
    folded = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    own = {f"{base}profile/card#me", *(webid for webid in webids if webid.startswith(base))}
    return Home(folded, base, parts, tuple(sorted(own)))
