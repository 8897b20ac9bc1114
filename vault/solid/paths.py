"""Canonical paths: one spelling per name, worked out on the raw bytes of the request target.

Solid Protocol `server-uri-trailing-slash-distinct`; RFC 3986 6.2.2. Upper-case hex, unreserved bytes decoded, the rest
encoded unless it is a `pchar`. `a%2Fb` stays one name of its own and never becomes the path `a/b`.
"""

import re
from dataclasses import dataclass
from typing import ClassVar, Literal
from urllib.parse import unquote_to_bytes

from vault.errors import VaultError

MAX_BYTES = 2048
MAX_SEGMENTS = 64
AUXILIARY: dict[str, Literal["acl", "meta"]] = {".acl": "acl", ".meta": "meta"}
DESCRIPTION = "/.well-known/solid"
Kind = Literal["resource", "acl", "meta", "description"]

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PART = re.compile(rb"%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~!$&'()*+,;=:@]")
_PLAIN = re.compile(rb"[A-Za-z0-9\-_~][A-Za-z0-9\-._~]*+")  # has one spelling and no second meaning
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_POD = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class BadPath(VaultError):
    """A request target that is no name in a pod; `reason` is a stable word, `too_long` and `too_deep` mean 414."""

    code: ClassVar[str] = "bad_path"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Target:
    """What a request names: `path` is canonical, percent-encoded and begins with `/` (the pod's root)."""

    pod: str
    path: str
    container: bool
    kind: Kind

    @property
    def subject(self) -> str:
        """The path that an `.acl` or `.meta` belongs to; the path itself for anything else."""
        if self.kind not in ("acl", "meta"):
            return self.path
        return self.path.removesuffix("." + self.kind)


def parse(raw_path: bytes, prefix: bytes = b"/pods/") -> Target:
    """The target of a raw request path (no query). Raises BadPath with the reason."""
    if len(raw_path) > MAX_BYTES:
        raise BadPath("too_long")
    if not raw_path.startswith(prefix):
        raise BadPath("outside")
    pod, slash, rest = raw_path[len(prefix) :].partition(b"/")
    name = _segment(pod)
    if not _POD.fullmatch(name):
        raise BadPath("pod_name")
    if not slash:
        raise BadPath("no_slash")
    path = canonical(rest)
    return Target(name, path, path.endswith("/"), _kind(path))


def canonical(rest: bytes) -> str:
    """The canonical path of the raw bytes after the pod's first slash. Raises BadPath."""
    segments = rest.split(b"/")
    if len(segments) > MAX_SEGMENTS:
        raise BadPath("too_deep")
    if b"" in segments[:-1]:
        raise BadPath("empty_segment")
    path = "/" + "/".join(_segment(s) if s else "" for s in segments)
    if len(path) > MAX_BYTES:
        raise BadPath("too_long")
    return path


def parent(path: str) -> str | None:
    """The container that holds `path`, None for the root `/`."""
    if path == "/":
        return None
    return path.rstrip("/").rpartition("/")[0] + "/"


def ancestors(path: str) -> list[str]:
    """Every container above `path`, the nearest first, the root last."""
    found, above = [], parent(path)
    while above is not None:
        found.append(above)
        above = parent(above)
    return found


def compartment_of(path: str) -> str:
    """The top-level container that `path` lies in (no slashes), or "" for the root and what lies directly in it."""
    name, slash, _ = path[1:].partition("/")
    return name if slash else ""


def twin(path: str) -> str:
    """The same name with the trailing slash the other way round: of the two only one may exist."""
    return path[:-1] if path.endswith("/") else path + "/"


def auxiliary(path: str, kind: Literal["acl", "meta"]) -> str | None:
    """The path of the `.acl` or `.meta` of `path`; None if it has none (a description has no list of its own)."""
    return None if _suffix(path) or path == DESCRIPTION else f"{path}.{kind}"


def subject_of(path: str) -> str | None:
    """What a description is about, by its path; None if the path is none of a description."""
    return path.removesuffix(".meta") if path.endswith(".meta") else None


def _kind(path: str) -> Kind:
    if path == DESCRIPTION:
        return "description"
    if path == DESCRIPTION + "/":
        raise BadPath("reserved_name")
    if any(_suffix(above.rstrip("/")) for above in [path[:-1] if path.endswith("/") else "", *ancestors(path)]):
        raise BadPath("reserved_name")
    kind = _suffix(path)
    if kind and _suffix(path.removesuffix("." + kind)):
        raise BadPath("reserved_name")
    return kind or "resource"


def _suffix(path: str) -> Literal["acl", "meta"] | None:
    """Which auxiliary a path names by its ending. Other cases of it are refused: some file systems fold them."""
    folded = path.lower()
    for ending, kind in AUXILIARY.items():
        if folded.endswith(ending):
            if not path.endswith(ending):
                raise BadPath("reserved_name")
            return kind
    return None


def _segment(raw: bytes) -> str:
    if _PLAIN.fullmatch(raw):
        return raw.decode("ascii")
    if _BAD_ESCAPE.search(raw):
        raise BadPath("bad_escape")
    _refuse_hostile(unquote_to_bytes(raw))
    return _PART.sub(_spell, raw).decode("ascii")


def _spell(found: re.Match[bytes]) -> bytes:
    """The one spelling of an escape or of a byte that must be one: a reserved byte keeps the form it came in."""
    part = found[0]
    byte = int(part[1:], 16) if len(part) == 3 else part[0]
    return bytes((byte,)) if byte in _UNRESERVED else b"%%%02X" % byte


def _refuse_hostile(plain: bytes) -> None:
    """Names that another program could read as something else: refused however they were spelled."""
    if b"\\" in plain:
        raise BadPath("backslash")
    if any(byte < 0x20 or byte == 0x7F for byte in plain):
        raise BadPath("control_character")
    # An encoded slash belongs to the name, yet whoever decodes it later must not be able to walk with it.
    parts = plain.split(b"/")
    if b"." in parts or b".." in parts or (len(parts) > 1 and b"" in parts):
        raise BadPath("dot_segment")
    try:
        plain.decode("utf-8")
    except UnicodeDecodeError:
        raise BadPath("not_utf8") from None
