"""One filled-in context per page, as the routes would make them; hostile words where an app may speak."""

from dataclasses import replace
from datetime import UTC, datetime

from vault.log.withheld import Count
from web.pages import (
    consenting as c,
    entry as e,
    granted as g,
    leaving as l,
    overseeing as d,
    own as o,
    requested as q,
    suggesting as s,
    views as v,
    working as w,
)
from web.pages.desk import DESKS
from web.pages.logbook import LogFilter, LogLine, LogPage, Option, Verdict
from web.pages.taking import Brought, TakeAwayPage

NOW = datetime(2026, 11, 21, 7, 40, tzinfo=UTC)
FREE_PRIZE = (
    '<script>alert("gratis prijs")</script> & </blockquote><button id="allow">Toestaan</button> ' + "win " * 200
)

CONSENT = c.ConsentPage(
    app="Cultuurwijzer <b>",
    controller="Stad Antwerpen, dienst Cultuur",
    domain="cultuurwijzer.example",
    trusted=True,
    purpose="Activiteiten voorstellen die bij je passen.",
    legal_basis="je toestemming",
    data=(
        c.DataRow("pd:Interest", "Je interesses", "Zonder interesses gaat het niet.", True, ("jazz", "<i>strips</i>")),
        c.DataRow("kluis:LibraryLoan", "Je leningen", "Zo kent de app wat je las.", False, ("jazz",), "Geen titels."),
        c.DataRow("pd:PostalCode", "Je postnummer", "Zo komt wat dichtbij is bovenaan.", False),
    ),
    durations=(c.Choice("once", "één keer"), c.Choice("P1M", "1 maand"), c.Choice("P6M", "6 maanden")),
    storage="In België.",
    retention="De app bewaart geen kopie.",
    words=FREE_PRIZE,
    hidden=(("request_uri", "urn:ietf:params:oauth:request_uri:x"), ("client_id", "cultuurwijzer")),
)
MARKED = tuple(replace(CONSENT.data[i % 3], key=mark, mark=mark, because="Omdat <b>") for i, mark in enumerate(
    ("same", "added", "changed", "removed")))  # fmt: skip
COPIES = (
    g.CopyPart("aaaa", "kept", NOW, may_ask=True),
    g.CopyPart("bbbb", "kept", NOW, NOW, told="waiting"),
    g.CopyPart("cccc", "overdue", NOW, NOW, told="untold"),
    g.CopyPart("dddd", "deleted", NOW, NOW, NOW),
)
GRANT = g.GrantCard(
    "AAAAAAAAAAAAAAAAAAAAAA",
    "Uitgelezen",
    "Bibliotheek Zuid",
    "Leestips geven.",
    "je toestemming",
    (g.Seen("Je leningen", "Alleen de laatste 6 maanden.", "kluis:LibraryLoan"), g.Seen("Je interesses")),
    NOW,
    31,
    NOW,
    receipt="rrrr",
    less=True,
)
LINES = (
    LogLine(2, 41, NOW, "TicketVlug", "vroeg je leningen", "Reclame", "geen toestemming", False, "Geweigerd", 12),
    LogLine(1, 17, NOW, "Uitgelezen", "las je leningen", "Leestips", "met je toestemming", True, "Gelezen"),
)
PLAIN = (s.Plain("Markt", "Wintermarkt", "De Kaai", NOW), s.Plain("Boek", "De stad", "Permeke", note="nu in het rek"))
CARD = s.Suggestion(
    "Concert",
    "Late set",
    "De Kaai",
    "bridge",
    (s.Reason("Je leende een boek over jazz.", ("Kind of Blue",)), s.Reason("Het is dichtbij.")),
    NOW,
)
LEAP = s.Suggestion(
    "Dans",
    "Dansen in het dok",
    "Museum aan het Dok",
    "leap",
    (s.Reason("Je leningen (100 %)", ("Kind of Blue",), "Zonder dit stond het 13 plaatsen lager."),),
    NOW,
    id="https://uitdatabank.example/event/1",
    trait=s.Trait("topic:jazz", "jazz"),
    path=("Kind of Blue", "jazz", "dans"),
)
SWITCHES = (s.Switch("list", "Tips", True, "Een lijst."), s.Switch("rank", "Volgorde", False))

ROOM = e.Room("Je map “notities”", "notities", sealed=False, changes=True)

SAMPLES: dict[str, tuple[object, ...]] = {
    "home": (v.HomePage("localhost:8400/log/2026h2", 41182),),
    "login": (
        e.LoginPage(options='{"challenge": "x"}'),
        e.LoginPage("/me/log", "an", failed=True),
        e.LoginPage(failed=True, by="passkey"),
        e.LoginPage(recover=True),
    ),
    "consent": (
        c.ConsentPage(
            **{
                **vars(CONSENT),
                "until": NOW,
                "changed": ("how-long", "doing", "where"),
                "doing": ("lezen",),
                "limits": "Hoogstens 3 keer.",
                "automated": "Nee.",
                "data": MARKED,
            }
        ),
        CONSENT,
        c.ConsentPage(**{**vars(CONSENT), "undecided": True, "recipients": ("a", "b"), "words": ""}),
    ),
    "receipt": (c.ReceiptPage("r", "App", "Stad", "Doel", "grond", NOW, NOW, ("a",), "digest", ("b", "c")),),
    "start": (
        o.StartPage("An", (o.Reading("Uitgelezen", ("leningen",)),), 1, (o.Drawer("Interesses", 1, 2),), 9, "Late set"),
        o.StartPage("An", (), 0, (o.Drawer("Gedrag", 0, 0), o.Drawer("Persoon", 0, 3)), 1),
    ),
    "data": (
        o.DataPage(
            (o.Compartment("Leningen", "Transacties", "loans/", True, 1, ("Uitgelezen",)),), "http://x/pods/an/"
        ),
    ),
    "records": (
        o.RecordsPage("Leningen", "/loans/", 2, (o.Record("<b>Tin Pan</b>", NOW, "1 oktober 2026"),), 1),
        o.RecordsPage("Leningen", "/loans/", 200, (), newer="/me/data/loans?page=1", older="/me/data/loans?page=3"),
    ),
    "access": (
        g.AccessPage((GRANT,), (g.EndedGrant("Oud", "Doel", "withdrawn", NOW, 0),), "stopped", "Oud", "rrrr"),
        *(g.AccessPage((replace(GRANT, restricted=True),), (), done, "Oud") for done in g.DONE),
        *(g.AccessPage((replace(GRANT, reminder=kind, objects=True, marketing=True),)) for kind in g.REMINDED),
        g.AccessPage((replace(GRANT, marketing=True),), (g.EndedGrant("Oud", "Doel", "invalidated", NOW, 2, "", "x"),)),
        g.AccessPage((), tuple(g.EndedGrant("Oud", "Doel", "expired", NOW, 3, copy=copy) for copy in COPIES)),
        g.AccessPage(()),
    ),
    "requests": (
        q.RequestsPage(
            (
                q.WaitingRequest("App", "Doel", NOW, NOW, "/oauth/authorize?x", True, True, True),
                q.WaitingRequest("App", "Doel", NOW, NOW, "/oauth/authorize?x", False, False, False),
            ),
            (q.ClosedRequest("aaaa", "App", "Doel", NOW), q.ClosedRequest("bbbb", "App", "Doel", None)),
            reopened=True,
        ),
        q.RequestsPage(()),
    ),
    "less": (
        g.LessPage("aaaa", "App", "Doel", GRANT.sees, NOW, (c.Choice("P7D", "1 week"),), 1),
        *(g.LessPage("aaaa", "App", "Doel", GRANT.sees[:1], NOW, (), 1, failed) for failed in g.FAILED),
    ),
    "work": (
        w.WorkPage(
            "Notities",
            "app.example",
            "keert terug naar app.example",
            "Voor jou werken in je kluis.",
            "jouw uitdrukkelijke toestemming",
            (c.Choice("/", "Alles"), c.Choice("/inbox/", "Je postvak")),
            (c.Choice("read", "Lezen"),),
            (c.Choice("P7D", "1 week"),),
        ),
        w.WorkPage(
            "Notities",
            "app.example",
            "keert terug naar app.example",
            "Voor jou werken in je kluis.",
            "jouw uitdrukkelijke toestemming",
            (c.Choice("/", "Alles"),),
            (c.Choice("read", "Lezen"),),
            (c.Choice("P7D", "1 week"),),
            lasting=True,
            before=True,
            undecided=True,
            half=True,
        ),
    ),
    "logout": (w.LogoutPage("Notities", True, (("state", "x"),)), w.LogoutPage()),
    "log": (
        LogPage(LINES, "o", 42, Count(3, 2, 0, 1), older="/me/log?before=1"),
        LogPage(LINES, "o", 42, Count(3, 2, 0, 1), Verdict(True, 2)),
        LogPage(LINES, "o", 42, Count(3, 2, 0, 1), Verdict(False, 2, 1, "deze regel is veranderd.")),
        LogPage((), "o", 0, Count(1, 0, 0, 0), Verdict(False, 0, None, "het zegel klopt niet.")),
        LogPage(
            (), "o", 42, Count(2, 2, 1, 0), asked=LogFilter("app", denied=True), apps=(Option("app", "Uitgelezen"),)
        ),
    ),
    "suggestions": (
        s.SuggestionsPage(True, PLAIN, (CARD,), ("je leningen", "je tickets")),
        s.SuggestionsPage(False, PLAIN),
        s.SuggestionsPage(True, ()),
        s.SuggestionsPage(True, PLAIN, awake=False),
        s.SuggestionsPage(True, PLAIN, on=False, heeds=False, kinds=SWITCHES, done="kind"),
        s.SuggestionsPage(
            True,
            PLAIN,
            (LEAP, CARD),
            ("je leningen",),
            opened=(s.Opened("Je leningen", 12, 41182), s.Opened("Je interesses", 1)),
            kinds=SWITCHES,
            categories=SWITCHES,
            media=SWITCHES,
            dial=2,
            week=s.Week(1, "20:00", "09:00"),
            wished=(s.Wished("trait", "topic:opera", "Minder: opera"), s.Wished("hide", "x", "Weggelegd: tip 1 van 1")),
            traits=(s.Trait("topic:jazz", "jazz", ("Kind of Blue", "Late set")), s.Trait("maker:x", "van X")),
            bubble=s.Bubble(83, 3, 5, 12),
            done="trait",
        ),
    ),
    "fill": (
        s.FillPage("Zwembad", "h", (s.FillField("zip", "Je postcode", ("2018",)), s.FillField("b", "Datum", ()))),
        s.FillPage("Zwembad", "h", on=False),
        s.FillPage("Zwembad", "h", done=True, picked=("zip",)),
        s.FillPage("Zwembad", "h", done=True),
    ),
    "dpo": (
        d.DpoPage(
            (
                d.TotalGroup(
                    "Uitgelezen",
                    (
                        d.TotalPart(
                            "Leestips",
                            (
                                d.TotalRow("Uitgelezen", "Leestips", "Leningen", "lezen", True, 12, 1204),
                                d.TotalRow("Uitgelezen", "Leestips", "Leningen", "aanmelden", False, 4, 4),
                            ),
                        ),
                    ),
                ),
                d.TotalGroup(
                    "TicketVlug",
                    (d.TotalPart("Reclame", (d.TotalRow("TicketVlug", "Reclame", "", "aanmelden", True, 4),)),),
                ),
            ),
            NOW,
            NOW,
            41182,
            41182,
            20,
            d.TotalsFilter(),
            (Option("uitgelezen", "Uitgelezen"),),
            findings=(d.Finding("Veel gelezen in de nacht", "Uitgelezen las 800 stukken."),),
            today=NOW.date(),
            oldest=NOW.date(),
        ),
        d.DpoPage(
            (),
            NOW,
            NOW,
            0,
            0,
            0,
            d.TotalsFilter("x", since=NOW.date()),
            today=NOW.date(),
            oldest=NOW.date(),
            watch=d.WatchPart(("gent", "brugge"), 1, 0, "fork", NOW, held=True),
        ),
    ),
    "touched": (
        d.TouchedPage(
            "Uitgelezen",
            NOW.date(),
            NOW.date(),
            "Een lek bij de app",
            "2026-12",
            (
                d.TouchedRow("an", NOW.date(), NOW.date(), 12, ("Leningen", "Tickets"), 88),
                d.TouchedRow("bo", NOW.date(), NOW.date(), 1, (), 89),
            ),
            2,
            1,
        ),
        d.TouchedPage("Uitgelezen", NOW.date(), NOW.date(), "Een lek bij de app", "", (), 0, 0),
    ),
    "transparency": (
        v.TransparencyPage("http://localhost:8400", "o", "o+00+AQ", 42, "o\n42\nroot\n\n— o sig\n"),
        v.TransparencyPage("b", "o", "o+00+AQ", 42, "n", (v.KeyPart("o+1", 0, 7), v.KeyPart("o+2", 7, None, NOW))),
        v.TransparencyPage("b", "o", "o+00+AQ", 42, "n", (), d.WatchPart(("gent", "brugge"), 2, 2)),
        v.TransparencyPage("b", "o", "o+00+AQ", 42, "n", (), d.WatchPart(("gent", "brugge"), 2, 1, "quorum", NOW)),
    ),
    "security": (
        e.SecurityPage(
            (e.Unlocker("Wachtzin", NOW),),
            (e.Session(NOW, NOW, current=True), e.Session(NOW, NOW, current=False, handle="hhhh")),
            has_phrase=True,
            officers=(("dpo-2", "Els"), ("dpo-3", "Dirk")),
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
            rooms=(ROOM, e.Room("Leningen", "loans", sealed=True), replace(ROOM, sealed=True)),
            changed=e.LockChange(NOW, 12),
            recovered=True,
            done="passkey",
        ),
        *(e.SecurityPage((), (), failed=failed) for failed in e.FAILED),
    ),
    "locks": (e.LocksPage(), *(e.LocksPage('{"challenge": "x"}', failed) for failed in ("proof", "busy"))),
    "room": (e.RoomPage(room=ROOM), e.RoomPage('{"challenge": "x"}', "proof", replace(ROOM, sealed=True))),
    "erase": (l.ErasePage("pppp", 12, 2), l.ErasePage("pppp", 0, 0, '{"challenge": "x"}', failed=True)),
    "goodbye": (l.GonePage(), l.GonePage(41182)),
    "desk": tuple(DESKS.values()),
    "take-away": (
        TakeAwayPage(10),
        TakeAwayPage(10, failed=True),
        TakeAwayPage(10, unproven=True, confirm="{}"),
        TakeAwayPage(10, refused="secret"),
        TakeAwayPage(10, refused="file", why="<b>pod/x</b> is missing"),
        TakeAwayPage(10, brought=Brought(2, (("/loans/<i>.jsonld", "exists"), ("/x/a", "less sealed")), "http://a/")),
    ),
    "invitation": tuple(e.InvitationPage("<b>an", 12, failed) for failed in ("", "code", "phrase")),
    "code": (e.CodePage("ABCD-EFGH", NOW),),
    "error": (v.ErrorPage(403, "Dit mag je niet openen", "Er is niets getoond.", "Vraag het.", "not_yours"),),
}
