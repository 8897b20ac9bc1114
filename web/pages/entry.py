"""What the pages about getting in show: login, a person's ways in, a new recovery code, and the sentences they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from web.pages.dutch import listed

WAYS: Final[Mapping[str, str]] = {
    "passphrase": "Wachtzin",
    "recovery": "Herstelcode",
    "passkey": "Passkey",
    "demo": "Sleutel van de demo",
    "invitation": "Uitnodiging",
}
DONE: Final[Mapping[str, str]] = {
    "passkey": "Je passkey is klaar. Ze opent vanaf nu je kluis.",
    "passphrase": "Je nieuwe wachtzin werkt. De oude opent niets meer.",
    "ended": "Dat toestel is afgemeld. Het kan niets meer openen.",
    "locks": "Al je sloten zijn nieuw. Andere toestellen zijn afgemeld. Je manieren om binnen te gaan blijven werken.",
    "sealed": "Die map is verzegeld. De server kan ze vanaf nu niet meer openen.",
    "managed": "Die map is weer beheerd. De server kan ze openen volgens jouw regels.",
    "officer": "Die collega kan het kantoor niet meer openen. Het kantoor heeft nieuwe sloten.",
    "removed": "Weggehaald. Daarmee gaat je kluis niet meer open.",
}
# What happened, then what to do now.
FAILED: Final[Mapping[str, tuple[str, str]]] = {
    "proof": (
        "We konden niet nagaan of jij het bent. Er is niets veranderd.",
        "Kijk je wachtzin of je code na en probeer opnieuw. Na een paar keer fout moet je even wachten.",
    ),
    "prf": (
        "Met dit toestel kan je geen passkey maken die je kluis opent. Er is niets veranderd.",
        "Kies hieronder een wachtzin en maak een herstelcode. Met die twee kan je altijd binnen.",
    ),
    "passkey": (
        "De passkey is niet toegevoegd. Er is niets veranderd.",
        "Probeer opnieuw. Lukt het niet? Kies dan een wachtzin.",
    ),
    "phrase": (
        "Die wachtzin kan niet. Er is niets veranderd.",
        "Neem minstens 12 tekens en typ ze twee keer hetzelfde. Vier gewone woorden na elkaar zijn goed.",
    ),
    "few": (
        "Dat kan nog niet: zonder deze manier heb je er minder dan twee over.",
        "Voeg eerst een andere toe, zoals een herstelcode. Daarna kan je deze weghalen.",
    ),
    "busy": (
        "Niet alle sloten zijn nieuw. Er werd op hetzelfde moment iets anders veranderd.",
        "Er is niets verloren. Probeer het nog eens.",
    ),
    "gone": ("Die manier was er al niet meer.", "Er is niets veranderd."),
    "many": ("Je hebt al zestien manieren om binnen te gaan.", "Haal er eerst een weg die je niet meer gebruikt."),
}


@dataclass(frozen=True)
class LoginPage:
    """`/login`. `next`: the local path to go on to; `failed`: the last attempt did not open the vault, `by` passphrase
    or passkey. `options`: what the browser asks a passkey for, as JSON. `recover`: somebody lost her passphrase.
    """

    next: str = "/me"
    user: str = ""
    failed: bool = False
    by: str = "passphrase"
    options: str = ""
    recover: bool = False


@dataclass(frozen=True)
class Unlocker:
    """One way to open the vault. `id`: under which it can be removed, "" while it is one of the last two."""

    label: str
    added: datetime
    id: str = ""


@dataclass(frozen=True)
class Session:
    """One open session. `handle`: the id under which it can be ended from here, "" when it cannot; `seen`: its last
    use, to the minute; `device`, `way`: on what and with what it began.
    """

    started: datetime
    ends: datetime
    current: bool
    handle: str = ""
    seen: datetime | None = None
    device: str = ""
    way: str = ""


@dataclass(frozen=True)
class Room:
    """One compartment: who can open it is `sealed` (its citizen alone) or not (the server too). `changes`: she may
    choose.
    """

    label: str
    container: str
    sealed: bool
    changes: bool = False


@dataclass(frozen=True)
class LockChange:
    """When all locks were last changed, and the line of her log that says so."""

    at: datetime
    line: int


@dataclass(frozen=True)
class SecurityPage:
    """`/me/security`. `confirm`, `create`: what the browser asks a passkey for, as JSON; `confirm` is "" for somebody
    without one. `rooms`, `changed`: of a citizen only. `done`, `failed`: keys of the sentences above; `recovered`: she
    came in with her recovery code. `officers`: user and name of the other people of an office.
    """

    unlockers: tuple[Unlocker, ...]
    sessions: tuple[Session, ...]
    create: str = ""
    confirm: str = ""
    rooms: tuple[Room, ...] = ()
    changed: LockChange | None = None
    has_phrase: bool = False
    recovered: bool = False
    done: str = ""
    failed: str = ""
    officers: tuple[tuple[str, str], ...] = ()

    def fixed(self, sealed: bool) -> str:
        """The rooms of one kind whose lock cannot be chosen, as the start of a sentence, "" for none."""
        names = [room.label for room in self.rooms if room.sealed == sealed and not room.changes]
        return listed([*names[:1], *(name[0].lower() + name[1:] for name in names[1:])]) if names else ""

    @property
    def news(self) -> str:
        """What went well, "" for nothing."""
        return DONE.get(self.done, "")

    @property
    def trouble(self) -> tuple[str, str]:
        """What went wrong and what to do now, both "" for nothing."""
        return FAILED.get(self.failed, ("", ""))


@dataclass(frozen=True)
class CodePage:
    """A new recovery code, on the one page that ever shows it."""

    code: str
    made: datetime


@dataclass(frozen=True)
class InvitationPage:
    """`/login/invitation`: the way in of somebody whose pod came from another server. `failed`: "", code or phrase;
    `shortest`: letters of a passphrase.
    """

    user: str
    shortest: int
    failed: str = ""


@dataclass(frozen=True)
class LocksPage:
    """`/me/security/locks`: change all locks. `confirm` as in SecurityPage; `failed`: key of FAILED."""

    confirm: str = ""
    failed: str = ""

    @property
    def trouble(self) -> tuple[str, str]:
        """What went wrong and what to do now, both "" for nothing."""
        return FAILED.get(self.failed, ("", ""))


@dataclass(frozen=True)
class RoomPage(LocksPage):
    """`/me/security/rooms/{container}`: the other kind of lock for one compartment."""

    room: Room = Room("", "", sealed=False)
