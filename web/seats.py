"""Where a request comes from, as a session remembers it: a browser in our own words, and the connection's address."""

from typing import Final

from fastapi import Request

from consent.accounts.seats import Seat

# In this order: every browser also says the names of those it descends from.
_BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "een iPhone"),
    ("iPad", "een iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "een Mac"),
    ("CrOS", "een Chromebook"),
    ("Linux", "Linux"),
)


def of(request: Request) -> Seat:
    """The seat behind a request."""
    return Seat(device(request.headers.get("user-agent", "")), request.client.host if request.client else "")


def device(agent: str) -> str:
    """A browser's description of itself in our words ("Firefox op Linux"), "" for one that none of them fits."""
    browser = next((name for sign, name in _BROWSERS if sign in agent), "")
    system = next((name for sign, name in _SYSTEMS if sign in agent), "")
    return " op ".join(part for part in (browser, system) if part)
