"""A line of the log in plain Dutch: who did what, why, and on which basis. Values in, words out."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from consent.categories import CATEGORIES
from consent.errors import UnknownPurpose
from consent.purposes import purpose
from consent.report import Row
from vault import office
from vault.log.views import Line
from web.filling import filled
from web.pages.logbook import LogLine
from web.pages.overseeing import TotalRow

SOURCES: Final[Mapping[str, str]] = {
    "source-mijnbib": "De bibliotheek",
    "source-folio": "De bibliotheek",
    "source-demo": "De demo",
}
# With {app} the app's name and {what} the category in the registry's words.
SAID: Final[Mapping[str, str]] = {
    "read": "las {what}",
    "list": "bekeek de lijst van {what}",
    "write": "schreef in {what}",
    "append": "voegde iets toe aan {what}",
    "delete": "wiste iets in {what}",
    "control": "bekeek wie aan {what} mag",
    "recommend": "vroeg wat bij je past",
    "login": "begon een sessie",
    "logout": "meldde je af",
    "logout elsewhere": "beëindigde een andere sessie",
    "session expired": "sloot een sessie die niet meer gebruikt werd",
    "confirm": "toonde opnieuw wie je bent",
    "ask": "vroeg toegang",
    "give": "gaf {app} toegang",
    "refuse": "weigerde {app}",
    "withdraw": "stopte de toegang van {app}",
    "wrap keys": "maakte sleutels klaar voor {app}",
    "token": "haalde een sleutel op",
    "refresh": "vernieuwde een sleutel",
    "sign in": "meldde je aan bij {app}",
    "create pod": "maakte je kluis",
    "create container": "maakte een map",
    "read totals": "bekeek de totalen",
    "look up": "zocht op bij wie {app} kwam",
    "export": "nam {what} mee in een bestand",
    "recovery kit": "maakte een herstelbestand",
    "prove recovery kit": "probeerde een herstelbestand",
    "move to new custody key": "verving de sleutel van de server",
    "new custody key": "maakte een nieuwe sleutel van de server",
    "destroy custody key": "vernietigde de oude sleutel van de server",
    "open root": "opende je hoofdsleutel om sloten te veranderen",
    "keyring": "schreef een sleutel bij in je sleutelbos",
    "add unlocker": "voegde een manier toe om je kluis te openen",
    "remove unlocker": "nam een manier weg om je kluis te openen",
    "new generation": "vernieuwde een slot",
    "new root": "vernieuwde je hoofdsleutel en alles wat eronder hangt",
    "narrow": "gaf {app} minder",
    "restrict": "bevroor {app}",
    "resume": "liet {app} weer toe",
    "amend": "veranderde wat {app} mag",
    "defer": "beslist later over {app}",
    "reopen": "laat {app} opnieuw vragen",
    "object": "maakte bezwaar tegen {app}",
    "invalidate": "zette de toegang van {app} stop",
    "sign": "ondertekende de toegang van {app}",
    "end": "sloot de toegang van {app} af: de tijd of het aantal keren was op",
    "revoke": "gaf de toegang terug",
    "tell app": "verwittigde {app}",
    "give up telling app": "kon {app} niet verwittigen",
    "ask deletion": "vroeg {app} om je kopie te wissen",
    "attest deletion": "bevestigde dat je kopie gewist is",
    "erase pod": "wiste een kluis",
    "remove officer": "haalde een collega weg uit het kantoor",
    "accept clock": "nam de tijd van de klok over",
    "operate": "wilde iets doen wat alleen de beheerder mag",
}
BY_CITIZEN: Final = frozenset(
    {
        "give",
        "sign in",
        "refuse",
        "withdraw",
        "narrow",
        "restrict",
        "resume",
        "amend",
        "defer",
        "reopen",
        "object",
        "ask deletion",
        "login",
        "logout",
        "logout elsewhere",
        "confirm",
        "open root",
    }
)
BY_KLUIS: Final = frozenset(
    {"wrap keys", "create pod", "session expired", "keyring", "sign", "end", "tell app", "give up telling app"}
    | {"move to new custody key", "new custody key", "destroy custody key"}
)
BY_OFFICE: Final = frozenset({"look up"})
"""What the city's data protection officer does in somebody's log; the line names an app that it is about."""
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
    "too_few_unlockers": "er zouden minder dan twee manieren overblijven",
}


# An unlocker's kind, as the log notes it.
NOTED: Final[Mapping[str, str]] = {
    "passkey": "Een passkey",
    "passphrase": "Een wachtzin",
    "recovery": "Een herstelcode",
    "preview": "Voorbeeld voor een aanvraag",
    "brought back": "Uit een bestand dat je eerder meenam",
    "titles": "De titels tonen op je eigen pagina",
    "changed": "En veranderde dat",
    "sealed": "Van een verzegelde lade",
    "managed": "Van een beheerde map",
    "wishes": "Wat je kiest voor je suggesties",
    "feedback": "Wat je deed met suggesties",
    "surprise": "De verrassing van de week",
    "fill": "Een formulier invullen",
}
# The types of entry, as the page names them.
KINDS: Final[Mapping[str, str]] = {
    "access": "Gelezen of geschreven",
    "denial": "Geweigerd",
    "consent": "Toestemming",
    "deposit": "Afgeleverd",
    "unlock": "Opengemaakt",
    "managed unlock": "Geopend door de server",
    "key event": "Sleutels en sessies",
    "erasure": "Gewist",
    "admin": "Beheer",
}
CLOCKS: Final[Mapping[str, str]] = {
    "behind": " (de klok van de server ging terug: dit is de tijd van de regel ervoor)",
    "ahead": " (de klok van de server sprong dagen vooruit)",
}
OVER: Final = "kan deze regel nog lezen: hij is ouder dan de termijn. Zijn vingerafdruk blijft in het groot logboek"
TRIED: Final = frozenset({"unlock", "denial"})


def told(line: Line, webid: str) -> LogLine:
    """The line as the page shows it; `webid` is the reader's own. A broken line says only that it is broken, one whose
    month ended only that.
    """
    fields = line.told
    if line.record is None:
        if not line.broken:
            return LogLine(line.seq, line.index, None, "Niemand", OVER, "", "", True, "Afgelopen")
        return LogLine(line.seq, line.index, None, "Niemand", "kan deze regel nog lezen", "", "", False, "Stuk")
    allowed = fields["decision"] == "allowed"
    return LogLine(
        seq=line.seq,
        index=line.index,
        at=datetime.fromtimestamp(fields["time"] / 1000, UTC),
        who=_who(fields, webid),
        what=_what(fields) + CLOCKS.get(fields.get("clock", ""), ""),
        why=_why(fields),
        basis=_basis(fields, allowed=allowed),
        allowed=allowed,
        outcome=line.outcome,
    )


def _who(fields: Mapping[str, Any], webid: str) -> str:
    action, app = fields["action"], fields.get("client_name", "")
    if action in BY_KLUIS:
        return "Kluis"
    if fields["rule"] == "dpo":
        return "De functionaris van de stad"
    if action == "login" and fields["type"] in TRIED:  # written before anybody knows whose secret it is
        return "Iemand"
    hers = fields["rule"] == "session" and (not app or fields["type"] == "deposit")  # a source's file that she brought
    if action in BY_CITIZEN or fields.get("agent") == webid or hers:
        return "Jij"
    return SOURCES.get(app, app) or (
        "Iemand" if fields["decision"] == "denied" or fields["rule"] == "public" else "Kluis"
    )


def _what(fields: Mapping[str, Any]) -> str:
    category = CATEGORIES.get(fields.get("category", ""))
    label = category.label["nl"] if category else "iets in je kluis"
    what = label[0].lower() + label[1:]
    app = fields.get("client_name") or "een programma"
    if fields["decision"] == "denied" and fields["action"] in ("read", "list"):
        said = f"vroeg {what}"
    elif fields["decision"] == "denied" and fields["action"] == "append":
        said = f"wilde iets toevoegen aan {what}"
    elif fields["action"] == "login" and fields["type"] in TRIED:
        said = "probeerde je kluis te openen"
    elif fields["type"] == "deposit" and not fields.get("count"):
        said = f"bood iets aan voor {what}, maar niets nieuws"
    else:
        said = SAID.get(fields["action"], fields["action"]).format(what=what, app=app)
    count = fields.get("count", 0)
    counted = fields["type"] in ("access", "deposit") and count > 1
    if fields["action"] in BY_OFFICE and count > 0:
        return f"{said}; bij jou was dat {count} keer"
    times = fields["type"] == "denial" and count > 1
    return f"{said}: {count} stuks" if counted else f"{said}, {count} keer" if times else said


def _why(fields: Mapping[str, Any]) -> str:
    note = str(fields.get("note", ""))
    if fields["action"] in BY_OFFICE:
        return f"Waarom: {note}"
    if note.startswith("answer "):
        return "Een samenvatting maken"
    if note.startswith("fill ") and (given := filled(note.split()[1:])):
        return f"Een formulier invullen. Jij gaf: {given}"
    return purpose_words(fields.get("purpose", "")) or NOTED.get(note, note)


def _basis(fields: Mapping[str, Any], *, allowed: bool) -> str:
    if not allowed:
        return DENIED.get(fields["rule"], "je gaf hier geen toestemming voor")
    return "met je toestemming" if fields.get("grant") else ""


# Actions of which an entry counts the things that were opened or stored; elsewhere it counts keys, or nothing.
PIECES: Final = frozenset({"read", "list", "append", "write", "delete", "export"})
ACTS: Final[Mapping[str, str]] = {
    "read": "lezen",
    "recommend": "voorstellen vragen",
    "list": "lijst bekijken",
    "write": "schrijven",
    "append": "toevoegen",
    "delete": "wissen",
    "control": "toegangsregels",
    "login": "aanmelden of proberen",
    "logout": "afmelden",
    "logout elsewhere": "ander toestel afmelden",
    "session expired": "sessie verlopen",
    "confirm": "opnieuw bevestigen",
    "open root": "hoofdsleutel openen",
    "add unlocker": "manier toevoegen",
    "remove unlocker": "manier weghalen",
    "ask": "toegang vragen",
    "give": "toestemming geven",
    "refuse": "weigeren",
    "withdraw": "toegang stoppen",
    "wrap keys": "sleutels maken",
    "narrow": "minder geven",
    "restrict": "bevriezen",
    "resume": "verder laten gaan",
    "amend": "toestemming veranderen",
    "defer": "later beslissen",
    "reopen": "opnieuw laten vragen",
    "object": "bezwaar maken",
    "invalidate": "ongeldig verklaren",
    "end": "toegang afgelopen",
    "revoke": "toegang teruggeven",
    "tell app": "app verwittigen",
    "give up telling app": "app niet bereikt",
    "ask deletion": "vragen om te wissen",
    "attest deletion": "wissen bevestigd",
    "sign": "ondertekenen",
    "keyring": "sleutelbos aanvullen",
    "new generation": "slot vernieuwen",
    "new root": "hoofdsleutel vernieuwen",
    "erase pod": "kluis wissen",
    "token": "sleutel ophalen",
    "refresh": "sleutel vernieuwen",
    "create pod": "kluis maken",
    "create container": "map maken",
    "read totals": "totalen bekijken",
    "look up": "opzoeken bij wie een app kwam",
    "export": "meenemen",
    "recovery kit": "herstelbestand maken",
    "prove recovery kit": "herstelbestand proberen",
    "move to new custody key": "sleutel van de server vervangen",
    "new custody key": "nieuwe sleutel van de server",
    "destroy custody key": "oude sleutel van de server vernietigd",
    "register app": "app inschrijven",
    "change app": "inschrijving van een app wijzigen",
    "remove app": "inschrijving van een app wissen",
    "sign in": "aanmelden bij een app",
    "register source": "bron inschrijven",
    "accept clock": "klok overnemen",
    "remove officer": "collega weghalen",
    "operate": "beheer proberen",
}


def order(row: Row) -> tuple[bool, str, str, str, str]:
    """Apps with a purpose first, then sources, then what people and Kluis did themselves."""
    return not row.purpose, row.client or "~", row.category, row.action, row.decision


def total(row: Row, names: Mapping[str, str]) -> TotalRow:
    """A row of the DPO's totals in words; `names` are those of the registered apps."""
    return TotalRow(
        app=app(row.client, names),
        purpose=purpose_words(row.purpose),
        category=category_words(row.category),
        action=ACTS.get(row.action, row.action),
        allowed=row.decision == "allowed",
        lines=row.entries,
        count=_pieces(row),
    )


def app(client: str, names: Mapping[str, str]) -> str:
    """What an app or source is called on the DPO's pages; "" stands for what no app did."""
    return names.get(client) or SOURCES.get(client) or client or "Burgers en Kluis zelf"


def category_words(curie: str) -> str:
    """A category without the "your" of the citizen's pages."""
    if curie == office.CATEGORY:
        return "Tellingen en opzoekingen"
    kind = CATEGORIES.get(curie)
    return kind.label["nl"].replace("Je ", "").capitalize() if kind else ""


def _pieces(row: Row) -> int | None:
    """How many things a row is about; of what was refused how many attempts, for many may share one line."""
    if row.decision != "allowed":
        return max(row.count, row.entries)
    return row.count if row.action in PIECES else None


def purpose_words(code: str) -> str:
    """A purpose in plain words; a code that is not registered stands for itself."""
    try:
        return purpose(code).label["nl"] if code else ""
    except UnknownPurpose:
        return code
