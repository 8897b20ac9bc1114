"""What can go wrong with another server. Each class has one meaning and a stable code; `reason` is a stable word."""

from typing import ClassVar


class FederationError(Exception):
    """Base of every error of the federation."""

    code: ClassVar[str] = "federation"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotAllowed(FederationError):
    """An address we never fetch: reasons are url, scheme, userinfo, port, address, redirects,
    downgrade, host, budget.
    """

    code: ClassVar[str] = "fetch_refused"


class Unreachable(FederationError):
    """The peer did not answer: reasons are name, connect, timeout, broken, status (5xx). An older copy may serve."""

    code: ClassVar[str] = "peer_unreachable"


class BadAnswer(FederationError):
    """The peer answered with something we do not take: reasons are status, encoding, too_large, media, form, issuer,
    moved.
    """

    code: ClassVar[str] = "peer_answer"


class BadPolicy(FederationError):
    """A policy of logs and witnesses that cannot be read; the reason names the line."""

    code: ClassVar[str] = "policy"


class Diverged(FederationError):
    """Our log is smaller than what witnesses have seen of it, or differs; the reason says how. It is not written on."""

    code: ClassVar[str] = "log_diverged"
