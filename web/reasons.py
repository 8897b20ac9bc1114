"""Why something was refused, and what a line of the log notes beside it, in plain Dutch."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

DENIED: Final[Mapping[str, str]] = {
    "withdrawn": "je had de toegang gestopt",
    "expired": "de toestemming was afgelopen",
    "replay": "de vraag was een kopie van een oude",
    "client changed": "de app veranderde sinds je haar toegang gaf",
    "other key": "de sleutel kwam van een ander toestel",
    "derived_only": "alleen de samenvatting mag",
    "unauthenticated": "zonder toegang",
    "invalid_token": "met een sleutel die niet geldt",
    "invalid_grant": "met een code of sleutel die niet meer geldt",
    "invalid_client": "met een handtekening die niet klopt",
    "wrong kit": "met een bestand van een andere kluis",
    "old kit": "met een bestand van voor je sloten vernieuwd werden",
    "wrong_secret": "met een verkeerde wachtzin, code of passkey",
    "too_many_tries": "er was te vaak na elkaar geprobeerd",
    "too_long": "met een tekst die geen wachtzin kan zijn",
    "wrong_origin": "vanaf een andere website",
    "other_site": "met een passkey van een andere website",
    "stale_challenge": "met een antwoord dat te oud was",
    "unknown_passkey": "met een passkey die niet van jou is",
    "not_verified": "met een passkey die niet klopt",
    "sign_count": "met een kopie van je passkey",
    "step_up": "je bevestigde dit niet met je passkey",
    "no_prf": "met een passkey die geen sleutel geeft",
    "damaged_item": "omdat iets beschadigd is",
    "role": "dat mag alleen iemand met een andere rol",
    "wrong_link": "met een link die niet of niet meer geldt",
    "asked_too_soon": "je weigerde dit nog maar pas",
    "no_fallback": "je weigerde hier toestemming voor",
    "objected": "je maakte hier bezwaar tegen",
    "restricted": "je had dit bevroren",
    "other purpose": "het was voor iets anders bedoeld",
    "purpose": "het was voor iets anders bedoeld",
    "invalid_authorization_details": "de app vroeg meer dan je gaf",
    "invalid_scope": "de app vroeg meer dan je gaf",
    "invalid_target": "de app vroeg toegang tot een andere plek",
    "unsupported_grant_type": "de app wilde haar toegang omruilen",
    "other client": "het was de toestemming van een andere app",
    "wrong_invitation": "met een code van een uitnodiging die niet (meer) geldt",
    "unknown_name": "met een naam die hier niet bestaat",
    "quota": "je kluis is vol",
    "not_empty": "de map was nog niet leeg",
    "exists": "er stond al iets op die plaats",
    "precondition": "er was intussen iets veranderd",
    "changed": "er was intussen iets veranderd",
    "gone": "het was er niet meer",
    "needs_renewal": "je toestemming moet eerst vernieuwd worden",
    "too_few_unlockers": "er zouden minder dan twee manieren overblijven",
}

# An unlocker's kind, as the log notes it.
NOTED: Final[Mapping[str, str]] = {
    "passkey": "Een passkey",
    "passphrase": "Een wachtzin",
    "recovery": "Een herstelcode",
    "preview": "Voorbeeld voor een aanvraag",
    "brought back": "Uit een bestand dat je eerder meenam",
    "patch": "Om er een deel van te veranderen",
    "titles": "De titels tonen op je eigen pagina",
    "sealed": "Van een verzegelde lade",
    "managed": "Van een beheerde map",
    "wishes": "Wat je kiest voor je suggesties",
    "feedback": "Wat je deed met suggesties",
    "surprise": "De verrassing van de week",
    "fill": "Een formulier invullen",
    **dict.fromkeys(("WebSocketChannel2023", "StreamingHTTPChannel2023"), "Zolang de app verbonden is"),
    "WebhookChannel2023": "Met een bericht naar de app",
}
# How somebody tried to get in, as the log notes it.
TRIED_WITH: Final[Mapping[str, str]] = {
    "passkey": "een passkey",
    "passphrase": "een wachtzin",
    "recovery": "een herstelcode",
    "demo": "een link van de demo",
    "invitation": "de code van een uitnodiging",
}
_FROM: Final[Mapping[str, str]] = {"issuer ": "Aangemeld bij {}", "from ": "Van je vorige server, {}"}


def noted(note: str) -> str:
    """A note of the log in words; what is not a code of ours stays as it was written."""
    for begin, words in _FROM.items():
        if note.startswith(begin):
            return words.format(place(note.removeprefix(begin)))
    return NOTED.get(note, note)


def place(address: str) -> str:
    """The site of an address, as people know it; what is no address as it is."""
    return urlsplit(address).netloc or address


def visitor(fields: Mapping[str, Any]) -> str:
    """Somebody of another server, with an app that is not known here: by its address, or else by no name at all."""
    client, agent = str(fields.get("client") or ""), str(fields["agent"])
    if not client:
        return agent
    return f"{agent}, met {client}" if urlsplit(client).netloc else f"{agent}, met een app"
