"""From addresses of the old server to ours: only those of pods that come over, everything else stays what it was.

A name of a pod that does not come is left alone even if somebody here has that name: she is somebody else.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vault.moving.homes import Home
from vault.solid import paths


@dataclass(frozen=True)
class Addresses:
    """`roots`: old base of a pod -> its root here; `tops`: old base -> top-level names that changed; `webids`: whole
    names with a place of their own.
    """

    roots: Mapping[str, str]
    tops: Mapping[str, Mapping[str, str]]
    webids: Mapping[str, str]

    @classmethod
    def of(cls, base: str, coming: Iterable[tuple[Home, Mapping[str, str]]]) -> "Addresses":
        """The addresses of these pods, each with its changed names, under our `base`."""
        listed = list(coming)
        return cls(
            {home.base: f"{base}/pods/{home.name}/" for home, _ in listed},
            {home.base: tops for home, tops in listed},
            {webid: f"{base}/pods/{home.name}/profile/card#me" for home, _ in listed for webid in home.webids},
        )

    def __call__(self, iri: str) -> str:
        """The name here of something on the old server; any other IRI as it is."""
        if (known := self.webids.get(iri)) is not None:
            return known
        at = len(iri)
        while (at := iri.rfind("/", 0, at)) > 0:
            old = iri[: at + 1]
            if old in self.roots:
                return self.roots[old] + self._inside(old, iri[at + 1 :])
        return iri

    def _inside(self, old: str, rest: str) -> str:
        cut = min((rest.find(sign) for sign in "?#" if sign in rest), default=len(rest))
        path, more = rest[:cut], rest[cut:]
        try:
            path = paths.canonical(path.encode())[1:]
        except paths.BadPath:
            return rest
        return place(path, self.tops[old]) + more


def place(path: str, tops: Mapping[str, str]) -> str:
    """A path without its first slash, its top-level container under the name that it has here."""
    first, slash, rest = path.partition("/")
    return tops.get(first, first) + slash + rest if slash else path
