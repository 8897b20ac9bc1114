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
from web.own import folder
from web.pages.logbook import LogLine
from web.pages.overseeing import TotalRow
from web.reasons import DENIED, NOTED, TRIED_WITH, noted, visitor

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
    "follow": "begon te volgen wat er gebeurt in {what}",
    "notify": "kreeg te horen dat er iets veranderde in {what}",
    "unfollow": "volgt niet meer wat er gebeurt in {what}",
}
# The same of what was refused: it did not happen.
WANTED: Final[Mapping[str, str]] = {
    "read": "vroeg {what}",
    "list": "vroeg {what}",
    "write": "wilde schrijven in {what}",
    "append": "wilde iets toevoegen aan {what}",
    "delete": "wilde iets wissen in {what}",
    "control": "wilde bepalen wie aan {what} mag",
    "export": "wilde {what} meenemen in een bestand",
    "follow": "wilde volgen wat er gebeurt in {what}",
    "notify": "mocht niet meer horen wat er gebeurt in {what}",
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
    if _tries(fields):  # written before anybody knows whose secret it is
        return "Kluis" if fields["decision"] == "allowed" else "Iemand"
    if fields["rule"] == "operator" and fields["type"] == "deposit":
        return "De beheerder van Kluis"
    hers = fields["rule"] == "session" and (not app or fields["type"] == "deposit")  # a source's file that she brought
    alone = fields.get("agent") == webid and not app  # an app that works for her is named: it was not she herself
    if action in BY_CITIZEN or alone or hers:
        return "Jij"
    if not app and fields.get("agent"):  # somebody of another server, with an app that is not known here
        return visitor(fields)
    return SOURCES.get(app, app) or (
        "Iemand" if fields["decision"] == "denied" or fields["rule"] == "public" else "Kluis"
    )


def _what(fields: Mapping[str, Any]) -> str:
    what = _thing(fields)
    app = fields.get("client_name") or "een programma"
    if fields["decision"] == "denied" and fields["action"] in WANTED:
        said = WANTED[fields["action"]].format(what=what)
    elif _tries(fields):
        with_what = TRIED_WITH.get(fields["rule"], "een sleutel")
        said = f"keek {with_what} na" if fields["decision"] == "allowed" else "probeerde je kluis te openen"
    elif fields["rule"] == "operator" and fields["type"] == "deposit":
        said = "bracht je bestanden over"
    elif fields["action"] == "control" and fields.get("note") == "changed":
        said = f"veranderde wie aan {what} mag"
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


def _tries(fields: Mapping[str, Any]) -> bool:
    return fields["action"] == "login" and fields["type"] in TRIED


def _thing(fields: Mapping[str, Any]) -> str:
    """What it is about: a kind of data, or the folder that her other files lie in."""
    category = CATEGORIES.get(fields.get("category", ""))
    label = category.label["nl"] if category else "iets in je kluis"
    folders = {path.split("/")[1] for path in fields.get("resources", ()) if path.count("/") > 1}
    if category and not category.container and len(folders) == 1:
        label = folder(folders.pop())
    return label[0].lower() + label[1:]


def _why(fields: Mapping[str, Any]) -> str:
    note = str(fields.get("note", ""))
    if fields["action"] in BY_OFFICE:
        return f"Waarom: {note}"
    if note.startswith("answer "):
        return "Een samenvatting maken"
    if note.startswith("fill ") and (given := filled(note.split()[1:])):
        return f"Een formulier invullen. Jij gaf: {given}"
    if _tries(fields) and fields["decision"] == "allowed":
        return "Klopte die? Dan lees je hierboven dat er een sessie begon"
    words = purpose_words(fields.get("purpose", ""))
    return f"{words}. {NOTED[note]}" if words and note in NOTED else words or noted(note)


def _basis(fields: Mapping[str, Any], *, allowed: bool) -> str:
    if not allowed:
        return DENIED.get(fields["rule"], "je gaf hier geen toestemming voor")
    if fields.get("grant"):
        return "met je toestemming"
    if fields["rule"] == "public":
        return "dit staat open voor iedereen"
    return "jouw regels laten dit toe" if fields["type"] == "access" and fields["rule"] != "session" else ""


# Actions of which an entry counts the things that were opened or stored; elsewhere it counts keys, or nothing.
PIECES: Final = frozenset({"read", "list", "append", "write", "delete", "export"})
ACTS: Final[Mapping[str, str]] = {
    "follow": "volgen",
    "notify": "verwittigen",
    "unfollow": "niet meer volgen",
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
