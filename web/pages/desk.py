"""What a role without a pod of its own can do here today, and where: the sentences of its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Place:
    """One thing this role can do: a sentence, and the local address or the command where."""

    what: str
    link: str = ""
    command: str = ""


@dataclass(frozen=True)
class DeskPage:
    """The page of one role. `not_yet`: what people look for here and do not find."""

    path: str
    title: str
    lead: str
    places: tuple[Place, ...]
    not_yet: str


DESKS: Final[Mapping[str, DeskPage]] = {
    "developer": DeskPage(
        "/dev",
        "Voor wie apps maakt",
        "Je app vraagt toegang met OAuth. Jij ziet nooit iemands gegevens, alleen je app, als een burger ja zegt.",
        (
            Place("Lees welke adressen je app kan gebruiken.", link="/docs"),
            Place("Lees wat de server aankondigt, als JSON.", link="/.well-known/oauth-authorization-server"),
            Place(
                "Schrijf een proefapp in. Ze heet dan “nog niet nagekeken door de stad”.",
                command="POST /oauth/register",
            ),
            Place("Bekijk een app in één bestand, met alles erin.", command="examples/client.py"),
        ),
        "Een eigen werkblad voor apps is er nog niet. Laat je app nakijken door de stad: zij schrijft ze dan in.",
    ),
    "institution": DeskPage(
        "/insight",
        "Voor wie cultuur maakt",
        "Je brengt je aanbod in de agenda. Wie je publiek is, zie je hier niet.",
        (
            Place(
                "Zo komt je agenda binnen: de beheerder laadt een bestand van UiTdatabank.",
                command="kluis import uitdatabank BESTAND",
            ),
            Place("Bekijk hoe iedereen het logboek kan controleren.", link="/transparency"),
        ),
        "Cijfers over groepen bezoekers zijn er nog niet. Als ze komen, staan er nooit personen in.",
    ),
    "operator": DeskPage(
        "/desk",
        "Voor wie de server beheert",
        "Je werkt op de server zelf, met opdrachten. De inhoud van een kluis kan jij niet openen.",
        (
            Place("Kijk na of de instellingen kloppen.", command="kluis check"),
            Place("Kijk na of alles in de map met gegevens klopt.", command="kluis fsck"),
            Place("Schrijf een app in die de stad nakeek.", command="kluis app register"),
            Place("Wis de kluis van iemand die dat vroeg.", command="kluis erase NAAM"),
            Place("Vervang de sleutel van de server.", command="kluis custodian rotate"),
            Place("Zie of de server leeft.", link="/healthz"),
        ),
        "Knoppen voor dit werk zijn er niet: wie hier aanmeldt, krijgt er geen macht bij.",
    ),
}
HOME: Final[Mapping[str, str]] = {"citizen": "/me", "dpo": "/dpo", **{role: desk.path for role, desk in DESKS.items()}}
"""Where each role goes after its login, and from a page that it may not open."""
