"""From file names to names in a pod: how Community Solid Server 7 and Node Solid Server 5 write a URL and a media type.

Both keep the extension of a file as its media type and write `name$.ext` where the name in the URL has none, or another
one. An encoded slash stays encoded in the file name, so that it never becomes a folder.
"""

import re
from collections.abc import Mapping
from mimetypes import MimeTypes
from typing import Final
from urllib.parse import quote

from vault.solid import paths

OTHER: Final = "application/octet-stream"
UNKNOWN: Final = "unknown"
"""The extension that stands for a media type without one."""
_TOLD: Final[Mapping[str, str]] = {
    "ttl": "text/turtle", "jsonld": "application/ld+json", "nt": "application/n-triples", "n3": "text/n3",
    "rdf": "application/rdf+xml", "owl": "application/rdf+xml", "nq": "application/n-quads", "trig": "application/trig",
    "acl": "text/turtle", "acr": "text/turtle", "meta": "text/turtle", "json": "application/json",
    "geojson": "application/geo+json", "webmanifest": "application/manifest+json", "xml": "text/xml",
    "rq": "application/sparql-query", "ru": "application/sparql-update", "md": "text/markdown",
    "markdown": "text/markdown", "txt": "text/plain", "log": "text/plain", "ini": "text/plain", "yaml": "text/yaml",
    "yml": "text/yaml", "csv": "text/csv", "ics": "text/calendar", "vcf": "text/vcard", "gpx": "application/gpx+xml",
    "js": "text/javascript", "mjs": "text/javascript", "wasm": "application/wasm", "svg": "image/svg+xml",
    "webp": "image/webp", "avif": "image/avif", "heic": "image/heic", "ico": "image/x-icon", "mp3": "audio/mpeg",
    "m4a": "audio/mp4", "oga": "audio/ogg", "ogg": "audio/ogg", "opus": "audio/ogg", "flac": "audio/x-flac",
    "wav": "audio/wav", "weba": "audio/webm", "webm": "video/webm", "mp4": "video/mp4", "ogv": "video/ogg",
    "mkv": "video/x-matroska", "mov": "video/quicktime", "woff": "font/woff", "woff2": "font/woff2", "ttf": "font/ttf",
    "otf": "font/otf", "gz": "application/gzip", "7z": "application/x-7z-compressed", "epub": "application/epub+zip",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "odt": "application/vnd.oasis.opendocument.text", "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odp": "application/vnd.oasis.opendocument.presentation", UNKNOWN: OTHER,
}  # fmt: skip
_REST: Final = MimeTypes(filenames=()).types_map[True]  # Python's own table, whatever this machine has installed
_DOLLAR: Final = re.compile(r"\$\.[^.$/]+$")
_EXTENSION: Final = re.compile(r"\.([^./]+)$")
_ENCODED_SLASH: Final = re.compile(r"%(?:25)*(?:2F|5C)", re.IGNORECASE)


def media(file: str) -> str:
    """The media type of a file by its name."""
    found = _EXTENSION.search(file)
    extension = found[1].lower() if found else ""
    return _TOLD.get(extension) or _REST.get(f".{extension}", OTHER)


def extension(kind: str) -> str:
    """The extension under which a media type is found again; "" if there is none."""
    bare = kind.partition(";")[0]
    known = next((name for name, told in _TOLD.items() if told == bare and name not in ("acl", "acr", "meta")), "")
    return known or next((name[1:] for name, told in _REST.items() if told == bare), "")


def plain(file: str) -> str:
    """A file's name without the extension that was only added to keep its media type."""
    return _DOLLAR.sub("", file)


def segment(name: str) -> str:
    """One step of a URL for one file name: percent-encoded as a canonical path has it. Raises BadPath."""
    made, at = [], 0
    for kept in _ENCODED_SLASH.finditer(name):
        made += [quote(name[at : kept.start()], safe=""), kept[0].upper()]
        at = kept.end()
    return paths.canonical("".join([*made, quote(name[at:], safe="")]).encode())[1:]
