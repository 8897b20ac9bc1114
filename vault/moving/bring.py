"""A sorted-out pod as it is stored here: every body, and who may do what.

Bodies stay byte for byte what they were. Three kinds of file are written anew, with the old addresses of pods that come
along replaced by ours: access lists, descriptions, and the profile; what they were lies aside, for the owner alone.
An access list never lets in more than it did: one that is not understood becomes the owner's alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vault.moving.addresses import Addresses
from vault.moving.draft import Draft, Piece
from vault.moving.names import UNKNOWN, extension
from vault.moving.tree import Tree
from vault.solid import ldp, moved
from vault.solid.rdf import TURTLE, BadRdf, is_rdf
from vault.solid.wac import owner_acl

CARD = "/profile/card"
PLAIN = "text/plain"


@dataclass(frozen=True, slots=True)
class Content:
    """One resource as it is stored: path, media type, body, last change in ms."""

    path: str
    media: str
    body: bytes
    modified: int


@dataclass(frozen=True)
class Bringer:
    """Turns one draft into what is stored. `root` is the pod's address here without its last slash; `ours` are the
    resources that every new pod has, by path (Turtle).
    """

    tree: Tree
    draft: Draft
    addresses: Addresses
    root: str
    ours: Mapping[str, bytes]
    now: int

    @property
    def webid(self) -> str:
        """Her name here."""
        return f"{self.root}{CARD}#me"

    def lists(self) -> dict[str, bytes]:
        """Every access list by the path of its subject, the root's always among them."""
        made = {path: self._list(path, piece) for path, piece in self.draft.lists.items()}
        made["/"] = moved.owned(made.get("/", b""), self.webid, f"{self.root}/", f"{self.root}/.acl")
        if CARD not in self.draft.resources and CARD not in made:
            made[CARD] = owner_acl(self.webid, self.root + CARD, ("read",))
        attic = self.draft.attic
        return made | ({attic: owner_acl(self.webid, self.root + attic)} if attic not in made else {})

    def _list(self, path: str, piece: Piece) -> bytes:
        if not piece.parts[-1].endswith(".acr"):
            try:
                made, narrowed = moved.acl(self.tree.read(piece.parts), self._old(piece) + ".acl", self.addresses)
            except (BadRdf, moved.NotUnderstood):
                self.draft.note(path, "its access list is not understood: for the owner alone, the list kept aside")
            else:
                if narrowed:
                    self.draft.note(path, "its access list names groups, origins or conditions: it lets in fewer here")
                return made
        else:
            self.draft.note(path, "has rules of another kind (ACP): for the owner alone, the rules kept aside")
        self.draft.aside.append(piece)
        return owner_acl(self.webid, self.root + path)

    def contents(self) -> Iterator[Content]:
        """Every resource, descriptions and what is kept aside included. After `lists`."""
        told = dict(self._descriptions())
        for path, piece in self.draft.resources.items():
            if path != CARD or not is_rdf(piece.media):
                media = self._media(piece, told.get(path, ("", b""))[0])
                if path == CARD:
                    self.draft.aside.append(piece)
                    continue
                yield Content(path, media, self.tree.read(piece.parts), piece.modified)
        yield from self._profile()
        for path, (_, body) in told.items():
            if body:
                yield Content(f"{path}.meta", TURTLE, body, self.draft.descriptions[path].modified)
        for piece in self.draft.aside:
            # Nobody looked whether it is what its name says.
            media = PLAIN if is_rdf(piece.media) and piece.path != CARD else piece.media
            yield Content(self.draft.attic + _aside(piece), media, self.tree.read(piece.parts), piece.modified)

    def _descriptions(self) -> Iterator[tuple[str, tuple[str, bytes]]]:
        for path, piece in self.draft.descriptions.items():
            body, media = moved.description(self.tree.read(piece.parts), self._old(piece), self.addresses)
            yield path, (media, body)

    def _media(self, piece: Piece, told: str) -> str:
        """The media type of a file; one without an extension of its own stands in its description."""
        if not told or not piece.parts[-1].endswith(f"$.{UNKNOWN}"):
            return piece.media
        try:
            return ldp.media_type(told)
        except ldp.BadMedia:
            return piece.media

    def _profile(self) -> Iterator[Content]:
        """Her profile with our issuer and storage, and what a new pod has that it points to, and these in turn."""
        piece, card, media, modified = self.draft.resources.get(CARD), self.ours[CARD], TURTLE, self.now
        if piece is not None and is_rdf(piece.media):
            read = self.tree.read(piece.parts)
            card = moved.profile(read, piece.media, self._old(piece), self.addresses, card, self.webid)
            if card == read:
                media, modified = piece.media, piece.modified
            else:
                self.draft.aside.append(piece)
        yield Content(CARD, media, card, modified)
        pointing, left = [card], {path: body for path, body in self.ours.items() if path not in self.draft.resources}
        left.pop(CARD, None)
        while found := [path for path in left if any(f"{self.root}{path}>".encode() in text for text in pointing)]:
            pointing = [left[path] for path in found]
            yield from (Content(path, TURTLE, left.pop(path), self.now) for path in found)

    def _old(self, piece: Piece) -> str:
        return self.draft.home.base + piece.was[1:]


def _aside(piece: Piece) -> str:
    """A path in the attic for an original: the file's own name, ending so that it is no list or description here."""
    ending = extension(piece.media) or "bin"
    name = piece.was[1:] if not piece.parts[-1].endswith((".acl", ".acr", ".meta")) else _file(piece)
    return f"{name}{'' if name.endswith('.' + ending) else '.' + ending}"


def _file(piece: Piece) -> str:
    above, _, last = piece.was[1:].rpartition("/")
    ending = piece.parts[-1].rpartition(".")[2]
    name = last.removesuffix(f".{ending}") or "container"
    return f"{above}/{name}-{ending}".lstrip("/")
