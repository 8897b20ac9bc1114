"""Where somebody sits and how she came in: what a session remembers of its beginning, and what guessing is counted by.

A browser is kept as one of our own words and nothing it said of itself. An address is never kept: only a keyed hash of
it counts tries, for a day (`tries`).
"""

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final, Literal

How = Literal["passkey", "passphrase", "recovery", "demo"]
WHOLE_NET: Final = 64
"""Bits of an IPv6 address that name one home: whoever has one address there has them all."""


@dataclass(frozen=True, slots=True)
class Seat:
    """One browser at one address. `device`: our words for it; `address`: as the connection shows it, "" if unknown."""

    device: str = ""
    address: str = ""

    @property
    def bucket(self) -> str:
        """By what tries from here are counted together; "" for this machine itself and for no address.

        Behind a proxy on the same machine everybody has its address: there names alone are counted.
        """
        try:
            told = ip_address(self.address.partition("%")[0])
        except ValueError:
            return ""
        plain = told.ipv4_mapped or told if isinstance(told, IPv6Address) else told
        if plain.is_loopback:
            return ""
        if isinstance(plain, IPv6Address):
            return str(IPv6Address(int(plain) >> 128 - WHOLE_NET << 128 - WHOLE_NET))
        return str(plain)


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a session began, and when (ms) she last showed who she is."""

    how: How
    device: str
    proved: int

    @property
    def told(self) -> dict[str, object]:
        """As JSON, for the session's sealed column."""
        return {"how": self.how, "device": self.device, "proved": self.proved}
