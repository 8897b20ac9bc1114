"""One filled-in context per page, as the routes would make them; hostile words where an app may speak."""

from datetime import UTC, datetime

from web.pages import entry as e, views as v
from web.pages.taking import TakeAwayPage

NOW = datetime(2026, 11, 21, 7, 40, tzinfo=UTC)
FREE_PRIZE = (
    '<script>alert("gratis prijs")</script> & </blockquote><button id="allow">Toestaan</button> ' + "win " * 200
)

CONSENT = v.ConsentPage(
    app="Cultuurwijzer <b>",
    controller="Stad Antwerpen, dienst Cultuur",
    domain="cultuurwijzer.example",
    trusted=True,
    purpose="Activiteiten voorstellen die bij je passen.",
    legal_basis="je toestemming",
    data=(
        v.DataRow("pd:Interest", "Je interesses", "Zonder interesses gaat het niet.", True, ("jazz", "<i>strips</i>")),
        v.DataRow("kluis:LibraryLoan", "Je leningen", "Zo kent de app wat je las.", False, ("jazz",), "Geen titels."),
        v.DataRow("pd:PostalCode", "Je postnummer", "Zo komt wat dichtbij is bovenaan.", False),
    ),
    durations=(v.Choice("once", "één keer"), v.Choice("P1M", "1 maand"), v.Choice("P6M", "6 maanden")),
    storage="In België.",
    retention="De app bewaart geen kopie.",
    words=FREE_PRIZE,
    hidden=(("request_uri", "urn:ietf:params:oauth:request_uri:x"), ("client_id", "cultuurwijzer")),
)
GRANT = v.GrantCard(
    "AAAAAAAAAAAAAAAAAAAAAA",
    "Uitgelezen",
    "Bibliotheek Zuid",
    "Leestips geven.",
    "je toestemming",
    ("je leningen",),
    NOW,
    31,
    NOW,
    receipt="rrrr",
)
LINES = (
    v.LogLine(2, 41, NOW, "TicketVlug", "vroeg je leningen", "Reclame", "geen toestemming", False, "Geweigerd", 12),
    v.LogLine(1, 17, NOW, "Uitgelezen", "las je leningen", "Leestips", "met je toestemming", True, "Gelezen"),
)
PLAIN = (v.Plain("Markt", "Wintermarkt", "De Kaai", NOW), v.Plain("Boek", "De stad", "Permeke", note="nu in het rek"))
CARD = v.Suggestion(
    "Concert",
    "Late set",
    "De Kaai",
    "bridge",
    (v.Reason("Je leende een boek over jazz.", ("Kind of Blue",)), v.Reason("Het is dichtbij.")),
    NOW,
)

SAMPLES: dict[str, tuple[object, ...]] = {
    "home": (v.HomePage("localhost:8400/log/2026h2", 41182),),
    "login": (
        e.LoginPage(options='{"challenge": "x"}'),
        e.LoginPage("/me/log", "an", failed=True),
        e.LoginPage(failed=True, by="passkey"),
        e.LoginPage(recover=True),
    ),
    "consent": (CONSENT, v.ConsentPage(**{**vars(CONSENT), "undecided": True, "recipients": ("a", "b"), "words": ""})),
    "receipt": (v.ReceiptPage("r", "App", "Stad", "Doel", "grond", NOW, NOW, ("a",), "digest", ("b", "c")),),
    "start": (
        v.StartPage("An", (v.Reading("Uitgelezen", ("leningen",)),), 1, (v.Drawer("Interesses", 1, 2),), 9, "Late set"),
        v.StartPage("An", (), 0, (v.Drawer("Gedrag", 0, 0), v.Drawer("Persoon", 0, 3)), 1),
    ),
    "data": (
        v.DataPage(
            (v.Compartment("Leningen", "Transacties", "loans/", True, 1, ("Uitgelezen",)),), "http://x/pods/an/"
        ),
    ),
    "access": (
        v.AccessPage((GRANT,), (v.EndedGrant("Oud", "Doel", "withdrawn", NOW, 0),), stopped="Oud"),
        v.AccessPage(()),
    ),
    "log": (
        v.LogPage(LINES, "o", 42, older="/me/log?before=1"),
        v.LogPage(LINES, "o", 42, v.Verdict(True, 2)),
        v.LogPage(LINES, "o", 42, v.Verdict(False, 2, 1, "deze regel is veranderd.")),
        v.LogPage((), "o", 0, v.Verdict(False, 0, None, "het zegel klopt niet.")),
    ),
    "suggestions": (
        v.SuggestionsPage(True, PLAIN, (CARD,), ("je leningen", "je tickets")),
        v.SuggestionsPage(False, PLAIN),
        v.SuggestionsPage(True, ()),
        v.SuggestionsPage(True, PLAIN, awake=False),
    ),
    "dpo": (
        v.DpoPage(
            (
                v.TotalRow("Uitgelezen", "Leestips", "Leningen", "lezen", True, 1204),
                v.TotalRow("TicketVlug", "Reclame", "Leningen", "lezen", False, 4),
            ),
            NOW,
            NOW,
            41182,
            41182,
        ),
        v.DpoPage((), NOW, NOW, 0, 0, watch=v.WatchPart(("gent", "brugge"), 1, 0, "fork", NOW, held=True)),
    ),
    "transparency": (
        v.TransparencyPage("http://localhost:8400", "o", "o+00+AQ", 42, "o\n42\nroot\n\n— o sig\n"),
        v.TransparencyPage("b", "o", "o+00+AQ", 42, "n", v.WatchPart(("gent", "brugge"), 2, 2)),
        v.TransparencyPage("b", "o", "o+00+AQ", 42, "n", v.WatchPart(("gent", "brugge"), 2, 1, "quorum", NOW)),
    ),
    "security": (
        e.SecurityPage(
            (e.Unlocker("Wachtzin", NOW),),
            (e.Session(NOW, NOW, current=True), e.Session(NOW, NOW, current=False, handle="hhhh")),
            has_phrase=True,
        ),
        e.SecurityPage(
            (
                e.Unlocker("Passkey", NOW, "aaaa"),
                e.Unlocker("Herstelcode", NOW, "bbbb"),
                e.Unlocker("Passkey", NOW, "c"),
            ),
            (e.Session(NOW, NOW, current=True),),
            create='{"rp": {"name": "Kluis"}}',
            confirm='{"challenge": "x"}',
            recovered=True,
            done="passkey",
        ),
        *(e.SecurityPage((), (), failed=failed) for failed in e.FAILED),
    ),
    "take-away": (TakeAwayPage(10), TakeAwayPage(10, failed=True)),
    "code": (e.CodePage("ABCD-EFGH", NOW),),
    "error": (v.ErrorPage(403, "Dit mag je niet openen", "Er is niets getoond.", "Vraag het.", "not_yours"),),
}
