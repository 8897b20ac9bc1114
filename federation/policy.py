"""Which logs and witnesses are trusted, and how many must have cosigned: C2SP tlog-policy files.

https://c2sp.org/tlog-policy; beyond it, a log's name may end in `/*`, which stands for the half-years of that log
(`kluis.example/log/*` covers `kluis.example/log/2026h2`): a new half-year begins under the same key and a new name.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit

from federation.errors import BadPolicy
from keys.errors import KeysError
from keys.note import COSIGNATURE, ED25519, Verifier, read_vkey, vkey

EVERY = "/*"
_SHARD = re.compile(r"[0-9]{4}h[12]")
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_NUMBER = re.compile(r"[1-9][0-9]{0,3}")
_MOST = 100_000  # characters


class Witness(NamedTuple):
    """A witness as a policy names it; `url` is its submission prefix without a last slash, "" where none is given."""

    name: str
    vkey: str
    url: str = ""


class Group(NamedTuple):
    """A name that stands for `least` of its members, each a witness or an earlier group."""

    least: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class Policy:
    """A policy: trusted logs (vkeys), witnesses, groups, and the name whose cosigning makes a checkpoint valid."""

    logs: tuple[str, ...] = ()
    witnesses: tuple[Witness, ...] = ()
    groups: Mapping[str, Group] = field(default_factory=dict)
    quorum: str = "none"

    def met(self, vkeys: Collection[str]) -> bool:
        """Whether cosignatures of the witnesses with these vkeys make a quorum."""
        signed = {one.name for one in self.witnesses if one.vkey in vkeys}
        return self.quorum == "none" or self._holds(self.quorum, signed)

    def _holds(self, name: str, signed: set[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in signed
        return sum(self._holds(member, signed) for member in group.members) >= group.least

    @property
    def needed(self) -> int:
        """The smallest number of witnesses that makes a quorum, for messages."""
        return 0 if self.quorum == "none" else self._least(self.quorum)

    def _least(self, name: str) -> int:
        group = self.groups.get(name)
        if group is None:
            return 1
        return sum(sorted(self._least(member) for member in group.members)[: group.least])


def log_key(logs: Collection[str], origin: str) -> list[str]:
    """The vkeys that may sign checkpoints of this origin: those of its own name, and those of all its half-years."""
    stem, _, shard = origin.rpartition("/")
    names = {origin, stem + EVERY} if _SHARD.fullmatch(shard) else {origin}
    return [vkey(origin, key.public) for key in map(read_vkey, logs) if key.name in names]


def every_shard(written: str) -> str:
    """The vkey that covers all half-years of the log whose one half-year has this vkey."""
    key = read_vkey(written)
    return vkey(key.name.rpartition("/")[0] + EVERY, key.public)


def read_policy(text: str) -> Policy:
    """Read a policy file. Raises BadPolicy with the number of the line that is wrong."""
    if len(text) > _MOST or _FORBIDDEN.search(text):
        raise BadPolicy("a policy is text without control characters")
    reader = _Reader()
    for number, words in _lines(text):
        try:
            reader.line(words)
        except (ValueError, KeysError) as error:
            raise BadPolicy(f"line {number}: {error}") from None
    return reader.policy()


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text.split("\n"), 1):
        words = [word for word in re.split(r"[ \t]+", line) if word]
        if words and not words[0].startswith("#"):
            yield number, words


class _Reader:
    """What the lines so far have said."""

    def __init__(self) -> None:
        self.logs: list[str] = []
        self.witnesses: list[Witness] = []
        self.groups: dict[str, Group] = {}
        self.quorum: str | None = None
        self._publics: dict[int, set[bytes]] = {ED25519: set(), COSIGNATURE: set()}
        self._grouped: set[str] = set()

    def line(self, words: list[str]) -> None:
        """Take one line in. Raises ValueError or Misuse."""
        kinds: dict[str, Callable[[list[str]], None]] = {
            "log": self._log,
            "witness": self._witness,
            "group": self._group,
            "quorum": self._quorum,
        }
        if words[0] not in kinds:
            raise ValueError("begins with none of log, witness, group, quorum")
        kinds[words[0]](words[1:])

    def policy(self) -> Policy:
        """Everything said. Raises BadPolicy without a quorum line."""
        if self.quorum is None:
            raise BadPolicy("there is no quorum line; `quorum none` asks for no witness")
        return Policy(tuple(self.logs), tuple(self.witnesses), self.groups, self.quorum)

    def _log(self, words: list[str]) -> None:
        written, *rest = _counted(words, 1, 2)
        self._once(read_vkey(written), ED25519)
        self.logs.append(written)
        if rest:
            _address(rest[0])

    def _witness(self, words: list[str]) -> None:
        name, written, *rest = _counted(words, 2, 3)
        self._fresh(name)
        self._once(read_vkey(written), COSIGNATURE)
        self.witnesses.append(Witness(name, written, _address(rest[0]) if rest else ""))

    def _group(self, words: list[str]) -> None:
        name, least, *members = _counted(words, 3, 1000)
        self._fresh(name)
        for member in members:
            self._known(member)
            if member in self._grouped:
                raise ValueError(f"{member} is in a group already")
            self._grouped.add(member)
        number = {"all": len(members), "any": 1}.get(least) or int(least if _NUMBER.fullmatch(least) else 0)
        if not 1 <= number <= len(members):
            raise ValueError(f"a group of {len(members)} asks for any, all, or a number from 1 to {len(members)}")
        self.groups[name] = Group(number, tuple(members))

    def _quorum(self, words: list[str]) -> None:
        (name,) = _counted(words, 1, 1)
        if self.quorum is not None:
            raise ValueError("there is a quorum already")
        if name != "none":
            self._known(name)
        self.quorum = name

    def _once(self, key: Verifier, kind: int) -> None:
        if key.kind != kind:
            raise ValueError("the key is of another kind than its line")
        if key.public in self._publics[kind]:
            raise ValueError("the same key stands here twice")
        self._publics[kind].add(key.public)

    def _fresh(self, name: str) -> None:
        if name == "none" or name in self._names():
            raise ValueError(f"the name {name} is taken")

    def _known(self, name: str) -> None:
        if name not in self._names():
            raise ValueError(f"{name} is no witness or group of an earlier line")

    def _names(self) -> set[str]:
        return {one.name for one in self.witnesses} | self.groups.keys()


def _counted(words: list[str], least: int, most: int) -> list[str]:
    if not least <= len(words) <= most:
        raise ValueError("has too few or too many words")
    return words


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{url} is no http(s) address")
    return url.rstrip("/")
