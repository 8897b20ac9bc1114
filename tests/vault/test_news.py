"""What those who follow are told of a version: containers first, and of nothing that no container lists."""

import pytest

from keys.secret import ControlKey, NamesKey
from tests.conftest import START
from vault.news import removed, stored
from vault.solid.notifications import concerns
from vault.tables import Resource
from vault.vault import PodFacts


def row(mark: int, parent: int) -> Resource:
    return Resource(id=bytes([mark]) * 16, pod=bytes(16), parent=bytes([parent]) * 16, compartment=b"", generation=1,
                    version=1, form="deposit", dek=b"", label=b"", digest=b"", source=b"")  # fmt: skip


def test_containers_that_are_made_on_the_way_come_first_the_outermost_before_the_others() -> None:
    told = stored(row(3, 2), "/a/b/c.txt", "text/plain", [row(2, 1), row(1, 0)], fresh=True, at=START)
    assert [(one.path, one.kind) for one in told] == [("/a/", "Create"), ("/a/b/", "Create"), ("/a/b/c.txt", "Create")]
    assert [one.parent for one in told[1:]] == [one.id for one in told[:-1]]


@pytest.mark.parametrize("path", ["/a/b.txt.meta", "/a/.meta", "/a/b.acl"])
def test_what_belongs_to_another_resource_comes_into_no_container(path: str) -> None:
    (told,) = stored(row(3, 2), path, "text/turtle", (), fresh=True, at=START)
    assert told.parent == b"" and not concerns(bytes([2]) * 16, told) and concerns(bytes([3]) * 16, told)


def test_the_end_of_a_resource_names_its_container(pod: PodFacts) -> None:
    told = removed(pod, "/a/b/", 4, START)
    assert (told.parent, told.kind, told.version) == (pod.resource("/a/"), "Delete", 4)


@pytest.fixture
def pod() -> PodFacts:
    return PodFacts(bytes(16), "an", "citizen", NamesKey.fresh(), ControlKey.fresh(), bytes(32), bytes(32))
