"""How a caller can reach a compartment key: the secrets and wraps it brings along for one request, never cached."""

from collections.abc import Callable
from dataclasses import dataclass, field

from keys.secret import Secret
from vault.database import Tx
from vault.shares import Want


@dataclass(frozen=True, slots=True)
class GrantWrap:
    """The key of one generation for one grant: its `ck-grant` context, and the wrap or, just delivered, the letter."""

    context: bytes
    sealed: bytes
    letter: bool = False


def part(compartment: bytes, keyed: bytes) -> bytes:
    """Which part of a grant's shares is a compartment's: each key that the grant ever had has shares of its own, since
    a deleted one never comes back. `keyed` is b"" for the first, else the id of the request that changed the grant.
    """
    return compartment + keyed


Keep = Callable[[Tx, bytes, int, bytes], None]


def keep_nothing(_tx: Tx, _compartment: bytes, _generation: int, _wrap: bytes) -> None:
    """For grants that get no letters."""


@dataclass(frozen=True, slots=True)
class GrantKeys:
    """A token secret, the grant key wrapped under it, and what hangs under that per compartment and generation.

    `keep` stores, inside a unit, the wrap that a letter was turned into when it was first opened; `keyed` as in `part`.
    """

    grant: bytes
    secret: Secret
    gk_context: bytes
    gk_wrap: bytes
    compartments: dict[tuple[bytes, int], GrantWrap]
    keep: Keep = field(default=keep_nothing)
    keyed: bytes = b""

    def want(self, compartment: bytes) -> Want:
        """The share this path needs for a compartment."""
        return Want("grant", self.grant, part(compartment, self.keyed))

    def reaches(self, compartment: bytes, generation: int, custody: str) -> bool:  # noqa: ARG002 -- the wraps decide
        """Whether this path leads to a generation."""
        return (compartment, generation) in self.compartments


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """A cookie secret and the root wrapped under it (context `session`)."""

    handle: bytes
    secret: Secret
    context: bytes
    wrap: bytes

    def want(self, compartment: bytes) -> Want:  # noqa: ARG002 -- one session share reaches every compartment
        """The share this path needs."""
        return Want("session", self.handle)

    def reaches(self, compartment: bytes, generation: int, custody: str) -> bool:  # noqa: ARG002 -- RK opens all
        """Whether this path leads to a generation."""
        return True


@dataclass(frozen=True, slots=True)
class CustodyKeys:
    """The server's custodian: reaches managed compartments only."""

    pod: bytes

    def want(self, compartment: bytes) -> Want:  # noqa: ARG002 -- one session share reaches every compartment
        """The share this path needs."""
        return Want("custody", self.pod)

    def reaches(self, compartment: bytes, generation: int, custody: str) -> bool:  # noqa: ARG002 -- custody decides
        """Whether this path leads to a generation: never to a sealed one."""
        return custody == "managed"


Keys = GrantKeys | SessionKeys | CustodyKeys
