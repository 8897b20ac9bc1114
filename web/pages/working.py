"""What the pages around a plain Solid app show: the choice what it may do in somebody's pod, and logging out of it."""

from __future__ import annotations

from dataclasses import dataclass

from web.pages.consenting import Choice


@dataclass(frozen=True)
class WorkPage:
    """The consent page of a plain Solid app: one form, one decision, nothing ticked.

    `site`: host of the app's own address, in ASCII. `rooms`, `modes`: check boxes; `hidden`: what comes back with the
    form. `before`: the app has access already, which this choice replaces. `undecided`: nothing is decided yet;
    `half`: only one of rooms and modes was ticked.
    """

    app: str
    site: str
    domain: str
    purpose: str
    legal_basis: str
    rooms: tuple[Choice, ...]
    modes: tuple[Choice, ...]
    durations: tuple[Choice, ...]
    lasting: bool = False
    before: bool = False
    hidden: tuple[tuple[str, str], ...] = ()
    undecided: bool = False
    half: bool = False


@dataclass(frozen=True)
class LogoutPage:
    """An app says that somebody logged out of it. `app`: its name, "" if unknown; `hidden`: what comes back with the
    form; `returns`: the app has an address to go back to.
    """

    app: str = ""
    returns: bool = False
    hidden: tuple[tuple[str, str], ...] = ()
