"""What the consent page of a plain Solid app says: its own site, her managed rooms, modes, and how long."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from hashlib import sha256
from typing import Final

from consent import holdings
from consent.asks import Asked
from consent.request import offers
from consent.signin import EVERYTHING
from keys.text import canonical
from vault.vault import PodFacts, Vault
from web import asking, own
from web.pages.consenting import Choice
from web.pages.working import WorkPage

VERSION: Final = "solid-1"
"""Of this page; raised whenever its words or order change, so that an old notice can be rebuilt."""
MODES: Final[Mapping[str, str]] = {
    "read": "Lezen",
    "append": "Iets toevoegen",
    "write": "Veranderen en wissen",
    "control": "Bepalen wie er nog bij mag",
}
ALL: Final = "Alles hieronder, en nieuwe mappen ook"


def rooms(vault: Vault, pod: PodFacts) -> dict[str, str]:
    """Her managed top containers, by path, as they are called; what is sealed is not among them."""
    held = [one for one in holdings.of_pod(vault, pod) if one.custody == "managed"]
    return {f"/{one.container}/": own.room(one) for one in held if one.container}


def page(
    asked: Asked, shown: Mapping[str, str], now: datetime, *, before: bool, undecided: bool = False, half: bool = False
) -> WorkPage:
    """The page for a request; `shown` are her rooms."""
    terms = asked.terms
    lengths = tuple(Choice(one.code, asking.length(terms, one.code, one.until)) for one in offers(terms, now))
    return WorkPage(
        app=terms.client_name,
        site=asking.host(terms.controller),
        domain=f"keert terug naar {asking.host(asked.said.redirect_uri)}",
        purpose=terms.purpose_text["nl"],
        legal_basis=asking.BASES[terms.legal_basis],
        rooms=(Choice(EVERYTHING, ALL), *(Choice(path, label) for path, label in shown.items())),
        modes=tuple(Choice(mode, label) for mode, label in MODES.items()),
        durations=lengths,
        lasting="offline_access" in asked.said.scope.split(),
        before=before,
        hidden=(("client_id", terms.client), ("request_uri", asked.request_uri)),
        undecided=undecided,
        half=half,
    )


def notice(shown: WorkPage) -> dict[str, str]:
    """What is kept as proof of what was shown: hash of the notice without form fields, language, version."""
    plain = asdict(shown)
    for name in ("hidden", "undecided", "half"):
        del plain[name]
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}
    return {"hash": sha256(canonical(plain)).hexdigest(), "language": "nl", "version": VERSION}


def told(containers: tuple[str, ...], modes: tuple[str, ...]) -> list[str]:
    """What a grant of this kind covers, a line each, in our words."""
    what = ", ".join(MODES[mode].lower() for mode in modes)
    if not containers:
        return ["Wie je bent, verder niets"]
    if EVERYTHING in containers:
        return [f"Alles in je beheerde mappen: {what}"]
    return [f"{own.folder(one.strip('/'))}: {what}" for one in containers]
