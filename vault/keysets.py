"""How a caller can reach a compartment key: the secrets and wraps it brings along for one request, never cached."""

from dataclasses import dataclass

from keys.secret import Secret
from vault.shares import Want


@dataclass(frozen=True, slots=True)
class GrantKeys:
    """A token secret, the grant key wrapped under it, and per compartment id the `ck-grant` context and wrap."""

    grant: bytes
    secret: Secret
    gk_context: bytes
    gk_wrap: bytes
    compartments: dict[bytes, tuple[bytes, bytes]]

    def want(self, compartment: bytes) -> Want:
        """The share this path needs for a compartment."""
        return Want("grant", self.grant, compartment)


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


@dataclass(frozen=True, slots=True)
class CustodyKeys:
    """The server's custodian: reaches managed compartments only."""

    pod: bytes

    def want(self, compartment: bytes) -> Want:  # noqa: ARG002 -- one session share reaches every compartment
        """The share this path needs."""
        return Want("custody", self.pod)


Keys = GrantKeys | SessionKeys | CustodyKeys
