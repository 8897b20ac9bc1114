"""One pod of another server, sorted out: what each file is, where it goes, and what cannot come.

Nothing is stored here. A pod in which something cannot come is not brought at all, unless the rest is asked for.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from vault.moving import names
from vault.moving.addresses import place
from vault.moving.homes import Home, Server
from vault.moving.tree import BadTree, Found, Parts, Tree, shown
from vault.solid import moved, paths, rdf
from vault.solid.rdf import TURTLE, BadRdf

ASIDE: Final = "kluis-moved"
"""The folder in settings where the originals of what is not kept as it was lie, for the owner alone."""
_SERVERS_OWN: Final = ("/settings/serverSide.ttl", "/settings/serverSide.ttl.inactive", paths.DESCRIPTION)


@dataclass(frozen=True, slots=True)
class Reject:
    """Something that cannot come: its place in the folder and a stable word for why."""

    pod: str
    file: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that came in another way than it was, which its owner should hear of."""

    pod: str
    path: str
    what: str


@dataclass(frozen=True, slots=True)
class Piece:
    """One file: its path here, the path it had, its media type, its place in the folder, size, last change in ms."""

    path: str
    was: str
    media: str
    parts: Parts
    size: int
    modified: int


@dataclass
class Draft:
    """A pod as it will be: resources, containers, access lists and descriptions by the path of their subject, what is
    kept aside in the container `attic`, and what was found wrong or strange.
    """

    home: Home
    server: Server
    resources: dict[str, Piece] = field(default_factory=dict)
    containers: set[str] = field(default_factory=set)
    lists: dict[str, Piece] = field(default_factory=dict)
    descriptions: dict[str, Piece] = field(default_factory=dict)
    aside: list[Piece] = field(default_factory=list)
    attic: str = f"/settings/{ASIDE}/"
    tops: dict[str, str] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def reject(self, parts: Parts, reason: str, detail: str = "") -> None:
        """Say that a file cannot come."""
        self.rejects.append(Reject(self.home.name, shown("/".join(parts)), reason, shown(detail)))

    def note(self, path: str, what: str) -> None:
        """Say that something came in another way."""
        self.notes.append(Note(self.home.name, path, what))

    @property
    def size(self) -> int:
        """How many files come."""
        return len(self.resources) + len(self.lists) + len(self.descriptions) + len(self.aside)


def sort_out(tree: Tree, home: Home, server: Server, sealed: Collection[str]) -> Draft:
    """Sort a pod's folder out and check every file of it; `sealed` are the names that sealed compartments have here."""
    draft = Draft(home, server)
    found = list(tree.walk(home.parts))
    _tops(draft, found, sealed)
    for one in found:
        if isinstance(one, BadTree):
            draft.reject(one.parts, one.reason)
            continue
        try:
            _sort(draft, one)
        except paths.BadPath as bad:
            draft.reject(one.parts, "bad_path", bad.reason)
    _settle(draft)
    _check(tree, draft)
    return draft


def _tops(draft: Draft, found: Iterable[Found | BadTree], sealed: Collection[str]) -> None:
    """Top-level folders with a name that means a sealed compartment here get another, managed one."""
    depth, name = len(draft.home.parts), ASIDE
    while any(one.parts[depth : depth + 2] == ("settings", name) for one in found):  # from an earlier move
        name += "-1"
    draft.attic = f"/settings/{name}/"
    top = {one.parts[depth] for one in found if isinstance(one, Found) and one.folder and len(one.parts) == depth + 1}
    for name in sorted(top & set(sealed)):
        other = f"{name}-files"
        while other in top or other in draft.tops.values():
            other += "-1"
        draft.tops[name] = other
        draft.note(f"/{name}/", f"stands under /{other}/: here /{name}/ is a sealed compartment")


def _sort(draft: Draft, one: Found) -> None:
    inside = one.parts[len(draft.home.parts) :]
    above = "".join(names.segment(name) + "/" for name in inside[:-1])
    if one.folder:
        draft.containers.add(_here(draft, above + names.segment(inside[-1]) + "/"))
        return
    if _rule(draft, above, one):
        return
    piece = _piece(draft, above, one)
    if piece.was in _SERVERS_OWN:
        draft.aside.append(piece)
        draft.note(piece.was, "is the server's own: kept aside")
        return
    if paths.parse(f"/pods/a{piece.path}".encode()).kind != "resource":
        raise paths.BadPath("reserved_name")
    if piece.path in draft.resources:
        draft.reject(one.parts, "twice", draft.resources[piece.path].path)
        return
    draft.resources[piece.path] = piece


def _rule(draft: Draft, above: str, one: Found) -> bool:
    """Whether this is an access list or a description; if so it is put with what it is about."""
    name = one.parts[-1]
    ending = next((end for end in (".acl", ".acr", ".meta") if name.endswith(end)), "")
    if not ending:
        return False
    subject = name.removesuffix(ending)
    if ending != ".meta" and subject.endswith(".meta"):
        # The list of a description: here one rule is for both, so the description goes where nobody else reads it.
        draft.aside.append(_piece(draft, above, one))
        about = _here(draft, above + names.segment(subject)).removesuffix(".meta")
        if (told := draft.descriptions.pop(about, None)) is not None:
            draft.aside.append(told)
        draft.note(f"{about}.meta", "has rules of its own: kept aside")
        return True
    was = above + (names.segment(subject) if subject else "")
    kind = draft.descriptions if ending == ".meta" else draft.lists
    kind[_here(draft, was)] = Piece(_here(draft, was), "/" + was, TURTLE, one.parts, one.size, one.modified)
    return True


def _piece(draft: Draft, above: str, one: Found) -> Piece:
    name = one.parts[-1]
    was = above + names.segment(names.plain(name))
    return Piece(_here(draft, was), "/" + was, names.media(name), one.parts, one.size, one.modified)


def _here(draft: Draft, was: str) -> str:
    """Where something that was at this path (without its first slash) stands here."""
    return "/" + place(was, draft.tops)


def _settle(draft: Draft) -> None:
    """Of a resource and a container with one name only one can be; rules of things that are not there go."""
    for path in [path for path in draft.resources if path + "/" in draft.containers]:
        piece = draft.resources.pop(path)
        draft.reject(piece.parts, "twin", "a folder has the same name")
    there = {"/", *draft.containers, *draft.resources}
    for told in (draft.lists, draft.descriptions):
        for path in [path for path in told if path not in there]:
            del told[path]


def _check(tree: Tree, draft: Draft) -> None:
    """Read every file that says it is RDF; one that is none cannot come, and nor can one that cannot be read."""
    base = draft.home.base
    for kind in (draft.resources, draft.descriptions):
        for path, piece in list(kind.items()):
            try:
                if kind is draft.descriptions:
                    moved.description(tree.read(piece.parts), f"{base}{piece.was[1:]}", str)
                elif rdf.is_rdf(piece.media):
                    rdf.check(tree.read(piece.parts), piece.media, f"{base}{piece.was[1:]}")
            except BadRdf as bad:
                line = f"line {bad.line}: " if bad.line else ""
                draft.reject(piece.parts, "bad_rdf", f"{line}{bad.reason} {bad.detail}")
                del kind[path]
            except BadTree as bad:
                draft.reject(bad.parts, bad.reason)
                del kind[path]
