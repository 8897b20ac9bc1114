"""News: what a commit stored or removed, as values for those who follow it; never anything of the content."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from vault.tables import Resource
    from vault.vault import PodFacts

Kind = Literal["Create", "Update", "Delete"]


@dataclass(frozen=True, slots=True)
class News:
    """One change. `id` and `parent` are those of the resource and of the container that lists it, b"" for none; `at`
    is in ms; `media` is "" for a container, and where only the sender knows it.
    """

    pod: bytes
    id: bytes
    parent: bytes
    path: str
    kind: Kind
    version: int
    media: str
    at: int


def stored(
    row: "Resource", path: str, media: str, missing: Sequence["Resource"], *, fresh: bool, at: datetime
) -> tuple[News, ...]:
    """A version that takes its place at `path`, and before it the containers made with it, the outermost first.

    `missing` begins with the container right above the path.
    """
    moment, above, made = int(at.timestamp() * 1000), path, []
    for container in missing:
        above = above.rstrip("/").rpartition("/")[0] + "/"
        made.append(News(row.pod, container.id, container.parent, above, "Create", container.version, "", moment))
    kind: Kind = "Create" if fresh else "Update"
    return (
        *reversed(made),
        News(row.pod, row.id, _container(row.parent, path), path, kind, row.version, media, moment),
    )


def _container(parent: bytes, path: str) -> bytes:
    """The container that lists what is at `path`: none for what belongs to another resource."""
    return b"" if path.endswith((".meta", ".acl")) else parent


def removed(pod: "PodFacts", path: str, version: int, at: datetime) -> News:
    """The end of what was at `path`; `version` is the one that stands for its absence."""
    above = path.rstrip("/").rpartition("/")[0] + "/"
    moment = int(at.timestamp() * 1000)
    parent = _container(pod.resource(above), path)
    return News(pod.id, pod.resource(path), parent, path, "Delete", version, "", moment)
