"""What each page shows, and the one place that turns it into HTML.

A page is a frozen dataclass: the routes fill it, the template of the same name reads it as `page`, and nothing else
reaches the template but the frame (who is logged in, the form token). Jinja2 escapes all text; a misspelt name raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from web.pages import dutch
from web.pages.consenting import ConsentPage, ReceiptPage
from web.pages.desk import DeskPage
from web.pages.door import Door
from web.pages.entry import CodePage, InvitationPage, LocksPage, LoginPage, RoomPage, SecurityPage
from web.pages.granted import AccessPage, LessPage
from web.pages.leaving import ErasePage, GonePage
from web.pages.logbook import LogPage
from web.pages.overseeing import DpoPage, TouchedPage, WatchPart
from web.pages.own import DataPage, RecordsPage, StartPage
from web.pages.requested import RequestsPage
from web.pages.suggesting import FillPage, SuggestionsPage
from web.pages.taking import TakeAwayPage
from web.pages.working import LogoutPage, WorkPage

HERE = Path(__file__).parent
STATIC = HERE / "static"


@dataclass(frozen=True)
class HomePage:
    """`/`: what Kluis is. `size`: entries in the log of everybody."""

    origin: str
    size: int


@dataclass(frozen=True)
class KeyPart:
    """A key of the log: from which entry it signs, until which (not included; None: still), and since when if known."""

    vkey: str
    since: int
    until: int | None
    at: datetime | None = None


@dataclass(frozen=True)
class TransparencyPage:
    """`/transparency`: all that a stranger needs to check the log. `checkpoint`: the signed note, as served."""

    base: str
    origin: str
    vkey: str
    size: int
    checkpoint: str
    keys: tuple[KeyPart, ...] = ()
    watch: WatchPart | None = None


@dataclass(frozen=True)
class ErrorPage:
    """Any failure a person sees: what happened, what to do now. `code`: the stable problem code; `home`: where she
    begins.
    """

    status: int
    title: str
    happened: str
    todo: str
    code: str = ""
    home: str = "/"


PAGES: dict[str, type] = {
    "home": HomePage,
    "login": LoginPage,
    "consent": ConsentPage,
    "receipt": ReceiptPage,
    "start": StartPage,
    "data": DataPage,
    "records": RecordsPage,
    "access": AccessPage,
    "less": LessPage,
    "requests": RequestsPage,
    "work": WorkPage,
    "logout": LogoutPage,
    "log": LogPage,
    "suggestions": SuggestionsPage,
    "fill": FillPage,
    "dpo": DpoPage,
    "touched": TouchedPage,
    "transparency": TransparencyPage,
    "security": SecurityPage,
    "locks": LocksPage,
    "room": RoomPage,
    "take-away": TakeAwayPage,
    "erase": ErasePage,
    "goodbye": GonePage,
    "desk": DeskPage,
    "code": CodePage,
    "invitation": InvitationPage,
    "error": ErrorPage,
}
"""Template name (without .html) -> the only context it accepts."""

NO_DOOR = Door()
_JINJA = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_JINJA.filters |= {f.__name__: f for f in (dutch.cell, dutch.clock, dutch.day, dutch.iso, dutch.listed, dutch.number)}
_JINJA.globals.update(vars(_JINJA.get_template("parts.html").module))


def render(
    name: str,
    page: object,
    door: Door = NO_DOOR,
    /,
    *,
    person: str = "",
    user: str = "",
    role: str = "",
    csrf: str = "",
) -> str:
    """The HTML document of page `name` (a key of PAGES); TypeError when `page` is not that page's dataclass.

    `person`: who is logged in, "" for nobody; `user`: the name she logs in with, for her password keeper;
    `role`: citizen or dpo; `csrf`: the form token every form sends back; `door`: what the consent page says about
    proofs.
    """
    if not isinstance(page, PAGES[name]):
        raise TypeError(f"page {name!r} takes {PAGES[name].__name__}, not {type(page).__name__}")
    told = {"page": page, "name": name, "person": person, "user": user, "role": role, "csrf": csrf, "door": door}
    return _JINJA.get_template(f"{name}.html").render(told)
