"""What every route of the product leaves in a log: each opens nothing of a pod, with the reason, or is acted out.

A route that is in neither table fails the tests, and so does a line of these tables that names no route.
"""

from dataclasses import replace
from typing import Final

from tests.house import ALL_INTERESTS
from tests.log import acts, follow_acts, grant_acts, lws_acts, moving_acts, own_acts, patch_acts, solid_acts, told_acts
from tests.log.acts import PHRASE, POSTAL, PURPOSES, Act, on_grant, program, reads, without_token
from tests.log.office_acts import officer_asks, officer_looks, officer_removes_nobody
from tests.log.own_acts import presses
from tests.log.stage import STATEMENT, UNREADABLE, Line
from tests.log.suggest_acts import leaves as suggested

Case = tuple[Act, list[Line]]
P = "dpv:ProvideEventRecommendations"
SOLID = "dpv:RequestedServiceProvision"

CONTROL = "control data of the citizen herself or of her own log, read in her session; what lies in a pod stays shut"
EVERYBODY = "the same for everybody: it knows no pod"
FORM = "a form; what it does is done by the POST"
SILENT: Final[dict[str, str]] = {
    **dict.fromkeys(["GET /openapi.json", "HEAD /openapi.json", "GET /docs", "GET /docs/client.py", "MOUNT /static",
                     "GET /", "GET /healthz", "GET /readyz", "GET /metrics", "GET /goodbye", "GET /api/sources",
                     "GET /transparency", "GET /transparency.json", "GET /log/checkpoint", "GET /log/consistency",
                     "GET /log/handovers",
                     "GET /log/{shard}/consistency", "GET /log/{shard}/checkpoint",
                     "GET /log/{shard}/tile/{place:path}", "GET /.well-known/oauth-authorization-server",
                     "GET /.well-known/openid-configuration", "GET /.well-known/oauth-protected-resource",
                     "GET /oauth/jwks", "GET /.well-known/ssf-configuration",
                     "GET pods/description", "HEAD pods/description"], EVERYBODY),
    **follow_acts.SILENT, **lws_acts.SILENT,
    **dict.fromkeys([f"OPTIONS pods/{kind}" for kind in ("root", "container", "file", "acl", "meta", "description")],
                    "made from the name alone, whether there is such a pod or not"),
    **dict.fromkeys(["GET /login", "GET /oauth/logout", "GET /me/take-away", "GET /me/erase", "GET /me/security/locks",
                     "GET /me/security/rooms/{container}", "GET /me/access/{grant}/less",
                     "GET /login/invitation"], FORM),
    **dict.fromkeys(["GET /me", "GET /me/access", "GET /me/data", "GET /me/security", "GET /me/receipts/{receipt}",
                     "GET /me/requests", "GET /api/grants", "GET /api/grants/{grant}", "GET /api/receipts",
                     "GET /api/receipts/{receipt}",
                     "GET /dev", "GET /insight", "GET /desk"], CONTROL),
    **dict.fromkeys(["GET /api/log", "GET /api/log/export", "GET /api/log/check", "GET /api/log/lines",
                     "GET /api/log/slots", "GET /me/log", "POST /me/log/verify"],
                    "her own log; reading it is the one thing that leaves no entry (access-log.md, Order)"),
    "GET /oauth/grants/{grant_id}": "the app's own terms; what lies in a pod stays shut",
    "GET /oauth/register/{client_id}": "what an app said about itself",
    **dict.fromkeys(["POST /me/suggestions/ask", "GET /me/suggestions/granted"],
                    "asks the recommender, which reads as an app, by `GET /api/records`, under a grant of its own"),
}  # fmt: skip

ADDED = [Line("key event", "open root", rule="add unlocker"), Line("key event", "add unlocker", rule="session")]


def proved(rule: str = "recovery") -> Line:
    """A way in is tried, which is said before its share is released."""
    return Line("unlock", "confirm", rule=rule)


WRONG = [proved("passphrase"), Line("denial", "confirm", "denied", "wrong_secret")]
ENTERED = Line("key event", "login", rule="session")
# Who changed her ways in goes on with a new cookie; the one before it ends.
RENEWED = [Line("key event", "open root", rule="new cookie"), ENTERED, Line("key event", "logout", rule="session")]


def wrong(path: str, **fields: str) -> Case:
    """The same form without a proof that holds."""
    return presses(path, proven=False, **fields), WRONG


def by_app(action: str, decision: str = "allowed", rule: str = "grant", **more: object) -> Line:
    """An app, under its grant."""
    told = Line("access", action, decision, rule, "pd:Interest", P, "cultuurgids", granted=True)
    if decision == "denied":
        told = replace(told, type="denial")
    elif "outcome" not in more:
        told = replace(told, outcome="served", count=1)
    return replace(told, **more)  # type: ignore[arg-type]


def agreed(action: str, rule: str = "session", kind: str = "consent", **more: object) -> Line:
    """A step in the life of a grant."""
    return replace(Line(kind, action, rule=rule, purpose=P, client="cultuurgids", granted=True), **more)  # type: ignore[arg-type]


def by_program(action: str, count: int = 1, **more: object) -> Line:
    """A program with the citizen's own credentials, under access control."""
    told = Line("access", action, rule="wac", category="kluis:File", purpose=SOLID, client="solid", granted=True)
    return replace(told, **{"outcome": "served", "count": count, **more})  # type: ignore[arg-type]


def own(action: str, category: str, count: int) -> Line:
    """The citizen herself."""
    return Line("access", action, rule="session", category=category, outcome="served", count=count)


def anonymous(action: str = "read", rule: str = "unauthenticated", whose: str = "office") -> Line:
    """Somebody without anything: counted, and written once a minute."""
    return Line("denial", action, "denied", rule, count=1, whose=whose)


def working(action: str, rule: str = "session", kind: str = "consent", **more: object) -> Line:
    """A step in the life of a grant of a plain Solid app."""
    return agreed(action, rule, kind, **({"purpose": SOLID, "client": "web"} | more))


def office(action: str) -> Line:
    """What an app that asks for data changes about itself."""
    return Line("admin", action, rule="registered", client="cultuurgids", whose="office")


NARROWED = [agreed("narrow"), agreed("narrow", kind="key event", count=1)]
REFUSED = by_program("read", outcome="unknown", count=0, type="denial", decision="denied",
                     rule="insufficient_authorization_details", category="pd:Interest")  # fmt: skip
BO = Line("denial", "read", "denied", "insufficient_authorization_details", "pd:Interest", "", "solid", granted=True)
FORBIDDEN = replace(BO, rule="forbidden", category="kluis:File")
EXPORTED = [("kluis:File", 2), ("kluis:File", 2), ("kluis:File", 0), ("kluis:LibraryLoan", 1), ("pd:Interest", 1),
            ("kluis:Ticket", 0), ("kluis:Card", 0), ("pd:PostalCode", 1), ("pd:Age", 0), ("kluis:Derived", 0),
            ("kluis:Answers", 0)]  # fmt: skip
GENERATIONS = (5, 3, 1, 2, 2, 1, 1, 2, 1, 1, 1)
RECORDS = "/api/records?category=pd:Interest"
APP = {"client_name": "Ander", "controller": "https://stad.example/x", "redirect_uris": [acts.sample.RETURN],
       "jwks": {"keys": [acts.sample.public(acts.sample.APP_KEY)]}, "token_endpoint_auth_method": "private_key_jwt",
       "purposes": PURPOSES}  # fmt: skip
ACL = (b"@prefix acl: <http://www.w3.org/ns/auth/acl#>. <#o> a acl:Authorization; acl:agent "
       b"<http://localhost:8400/pods/an/profile/card#me>; acl:accessTo <./>; acl:default <./>; "
       b"acl:mode acl:Read, acl:Write, acl:Control .")  # fmt: skip

LOOKED = Line("admin", "look up", rule="dpo", purpose="dpv:EnforceSecurity", client="cultuurgids", outcome="served",
              count=1)  # fmt: skip
LEAVES: Final[dict[str, list[Case]]] = {
    # ------------------------------------------------------------ consent
    "POST /me/access/{grant}/withdraw": [
        (on_grant("/me/access/{grant}/withdraw"), [agreed("withdraw")]),
        (without_token("POST", "/me/access/x/withdraw", 303), [anonymous("write")])],
    "POST /me/access/{grant}/object": [(on_grant("/me/access/{grant}/object"), [agreed("object")])],
    "POST /me/requests/{handle}/reopen": [(grant_acts.lets_ask_again, [agreed("reopen", granted=False)])],
    "POST /api/dpo/grants/{grant}/invalidate": [(grant_acts.is_invalidated, [agreed("invalidate", "dpo")])],
    "POST /oauth/grants/{grant_id}": [
        (grant_acts.queries(known=True), []), (grant_acts.queries(known=False), [anonymous(rule="invalid_grant_id")])],
    "POST /me/access/{grant}/less": [
        (on_grant("/me/access/{grant}/less", 303, ALL_INTERESTS, POSTAL, version="1",
                  drop="pd:PostalCode#postal_district"), NARROWED)],
    "POST /me/access/{grant}/{step}": [
        (on_grant("/me/access/{grant}/restrict"), [agreed("restrict")]), (acts.resumed, [agreed("resume")])],
    "POST /api/grants/{grant}/withdraw": [(on_grant("/api/grants/{grant}/withdraw", 200), [agreed("withdraw")])],
    "POST /api/grants/{grant}/narrow": [
        (on_grant("/api/grants/{grant}/narrow", 200, ALL_INTERESTS, POSTAL, keep="pd:Interest"), NARROWED)],
    "POST /api/grants/{grant}/{step}": [(on_grant("/api/grants/{grant}/restrict", 200), [agreed("restrict")])],
    "GET /oauth/authorize": [
        (acts.is_shown, [
            own("read", "pd:Interest", 1), own("read", "pd:PostalCode", 1), agreed("ask", granted=False)]),
        (grant_acts.asks_again_too_soon, [
            agreed("ask", "asked_too_soon", "denial", decision="denied", granted=False)]),
        (solid_acts.is_shown, [working("ask", granted=False)]),
        (solid_acts.comes_back, [working("sign in", kind="key event")])],
    "POST /oauth/authorize": [
        (acts.answers("allow"), [
            own("read", "pd:PostalCode", 1), own("write", "kluis:Answers", 1), agreed("give"),
            agreed("wrap keys", kind="key event", count=2)]),
        (acts.answers("later"), [agreed("defer", granted=False)]),
        (grant_acts.changes, [
            own("read", "pd:PostalCode", 1), own("write", "kluis:Answers", 1), agreed("amend"),
            agreed("wrap keys", kind="key event", count=2)]),
        (acts.answers("deny"), [agreed("refuse", granted=False)]),
        (solid_acts.answers("allow"), [working("sign", kind="managed unlock"), working("give")]),
        (solid_acts.answers("deny"), [working("refuse", granted=False)])],
    "POST /oauth/token": [
        (acts.redeems, [agreed("token", "grant", "key event")]),
        (acts.redeems_twice, [agreed("revoke", "code_reused")]),
        (acts.refreshes, [agreed("refresh", "grant", "key event")]),
        (acts.refreshes_after_withdrawal, [agreed("token", "invalid_grant", "denial", decision="denied")]),
        (acts.is_no_client("/oauth/token"), [anonymous("token", "invalid_client")]),
        (solid_acts.redeems, [working("token", "grant", "key event")]),
        (solid_acts.refreshes, [working("refresh", "grant", "key event")]),
        (solid_acts.refreshes_after_a_change, [
            working("token", "client changed", "denial", decision="denied")]),
        (acts.logs_a_program_in, [agreed("token", "grant", "key event", purpose=SOLID, client="solid")])],
    "POST /oauth/revoke": [
        (acts.gives_back, [agreed("revoke", "client")]),
        (acts.is_no_client("/oauth/revoke"), [anonymous("revoke", "invalid_client")])],
    "POST /oauth/par": [
        (grant_acts.asks_to_change({"ended": True}), [agreed("ask", "withdrawn", "denial", decision="denied")]),
        (grant_acts.asks_to_change({"ended": False}), [anonymous(rule="invalid_grant_id")]),
        (acts.pushes, []),  # an app and the keys it shows about itself: no pod is touched before the citizen decided
        (acts.is_no_client("/oauth/par"), [anonymous("ask", "invalid_client")])],
    "POST /oauth/introspect": [
        (acts.introspects, []),
        (acts.is_no_client("/oauth/introspect"), [anonymous("read", "invalid_client")])],
    # Proofs of what the app was given before: hashes and receipts, nothing of the pod.
    "POST /api/log/receipts": [(acts.lists_receipts, [])],
    "POST /api/log/receipts/{entry}": [(acts.takes_receipt, [])],
    "POST /oauth/grants/{grant_id}/attest": [
        (told_acts.attests, [agreed("attest deletion", "client")]), (told_acts.attests_alive, [])],
    "POST /oauth/signals": [(told_acts.polls, []), (told_acts.acknowledges, [agreed("tell app", "withdrawn")])],
    "POST /me/access/{grant}/copy/delete": [
        (told_acts.asks_deletion("/me/access/{grant}/copy/delete", 303), [agreed("ask deletion")]),
        (on_grant("/me/access/{grant}/copy/delete", 404), [])],
    "POST /api/grants/{grant}/copy/delete": [
        (told_acts.asks_deletion("/api/grants/{grant}/copy/delete", 200), [agreed("ask deletion")])],
    "DELETE /oauth/grants/{grant_id}": [(acts.manages("DELETE", 204), [agreed("revoke", "client")])],
    "POST /oauth/register": [
        (acts.registers_as_developer, [Line("admin", "register app", rule="registered", client="app", whose="office")]),
        (acts.registers_openly, []),
        (solid_acts.registers, [])],
    "PUT /oauth/register/{client_id}": [
        (solid_acts.manages_itself("PUT", 200), []),
        (solid_acts.an_app_for_data_manages_itself("PUT", 200), [office("change app")])],
    "DELETE /oauth/register/{client_id}": [
        (solid_acts.manages_itself("DELETE", 204), []),
        (solid_acts.an_app_for_data_manages_itself("DELETE", 204), [office("remove app")])],
    # ------------------------------------------------------------ apps
    "GET /api/records": [
        (reads(RECORDS), [by_app("read")]),
        (reads("/api/records?category=kluis:LibraryLoan", status=403),
         [by_app("read", "denied", "category", category="kluis:LibraryLoan")]),
        (acts.reads_after_withdrawal(RECORDS), [by_app("read", "denied", "withdrawn")]),
        (without_token("GET", RECORDS), [anonymous()])],
    "GET /api/answers/{name}": [
        (reads("/api/answers/postal_district"), [by_app("read", category="kluis:Answers")]),
        (reads("/api/answers/interest_topics_k10", status=403),
         [by_app("read", "denied", "answer", category="kluis:Answers")]),
        (without_token("GET", "/api/answers/postal_district"), [anonymous()])],
    **follow_acts.LEAVES, **lws_acts.LEAVES,
    # ------------------------------------------------------------ getting in and out
    "POST /login": [
        (own_acts.logs_in, [Line("unlock", "login", rule="recovery"), ENTERED]),
        (own_acts.logs_in_wrongly,
         [Line("unlock", "login", rule="recovery"), Line("denial", "login", "denied", "wrong_secret")]),
        (own_acts.nobody_logs_in, [Line("unlock", "login", "denied", "unknown_name", whose="office"),
                               Line("denial", "login", "denied", "unknown_name", whose="office")]),
        (own_acts.tries_too_often("an"), [Line("denial", "login", "denied", "too_many_tries", count=2)]),
        (own_acts.tries_too_often("niemand"), [
            Line("denial", "login", "denied", "too_many_tries", count=2, whose="office")])],
    "POST /login/passkey": [
        (own_acts.logs_in_by_passkey(good=True), [Line("unlock", "login", rule="passkey"), ENTERED]),
        (own_acts.logs_in_by_passkey(good=False), [Line("unlock", "login", "denied", "not_verified"),
                                               Line("denial", "login", "denied", "not_verified")])],
    "GET /login/demo/{token}": [
        (own_acts.follows_link, [Line("unlock", "login", rule="demo"), ENTERED]),
        (without_token("GET", "/login/demo/x", 303), [anonymous("login", "wrong_link")])],
    **moving_acts.LEAVES, **suggested(own, by_app, anonymous),
    "POST /oauth/logout": [
        (presses("/oauth/logout", end="no"), []),
        (presses("/oauth/logout", end="yes"), [Line("key event", "logout", rule="session")])],
    "POST /logout": [(own_acts.logs_out, [Line("key event", "logout", rule="session")])],
    # ------------------------------------------------------------ her own pages
    "GET /me/data/{container}": [
        (presses("/me/data/interests", 200, method="GET"), [own("read", "pd:Interest", 1)]),
        (presses("/me/data/none", 404, method="GET"), []),
        (without_token("GET", "/me/data/interests", 303), [anonymous()])],
    "POST /me/security/passkeys": [(own_acts.adds_passkey, [proved(), *ADDED]), wrong("/me/security/passkeys")],
    "POST /me/security/passphrase": [
        (presses("/me/security/passphrase", passphrase=PHRASE, again=PHRASE), [proved(), *ADDED, *RENEWED]),
        wrong("/me/security/passphrase", passphrase=PHRASE, again=PHRASE)],
    "POST /me/security/codes": [(presses("/me/security/codes", 200), [proved(), *ADDED]), wrong("/me/security/codes")],
    "POST /me/security/unlockers/{way}/remove": [
        (own_acts.removes_a_way, [proved(), Line("key event", "open root", rule="remove unlocker"),
                              Line("key event", "remove unlocker", rule="session"), *RENEWED]),
        wrong("/me/security/unlockers/QUFBQUFBQUFBQUFBQUFBQQ/remove")],
    # With a colleague there is one: tests/consent/test_officers.py has every line of it.
    "POST /me/security/officers/remove": [
        (presses("/me/security/officers/remove", 403, officer="dpo"),
         [Line("denial", "write", "denied", "role", count=1)]),
        (officer_removes_nobody, [replace(proved(), whose="office")])],
    "POST /me/sessions/{handle}/end": [
        (own_acts.ends_another_session, [Line("key event", "logout elsewhere", rule="session")])],
    "POST /me/security/locks": [
        wrong("/me/security/locks"),
        (presses("/me/security/locks"), [
            proved(), Line("key event", "open root", rule="new root"),
            Line("key event", "new root", rule="session", count=2),
            Line("key event", "open root", rule="new generation"),
            *(Line("key event", "new generation", rule="session", count=count) for count in GENERATIONS),
            *RENEWED])],
    "POST /me/security/rooms/{container}": [
        wrong("/me/security/rooms/settings", custody="sealed"),
        (presses("/me/security/rooms/settings", custody="sealed"), [
            proved(), Line("key event", "open root", rule="new generation"),
            Line("key event", "new generation", rule="session", count=3)])],
    "POST /me/take-away": [
        (own_acts.takes_away, [own("export", category, count) for category, count in EXPORTED]),
        (own_acts.takes_kit, [proved(), Line("key event", "recovery kit", rule="session", outcome="served")]),
        (presses("/me/take-away", 403, proven=False, passphrase=PHRASE, again=PHRASE, what="kit"), WRONG)],
    "POST /me/take-away/back": [(own_acts.brings_back, [own("append", "pd:Interest", 1)])],
    # An erased pod's own line cannot be read by anybody any more.
    "POST /me/erase": [
        wrong("/me/erase"),
        (presses("/me/erase"), [UNREADABLE, Line("erasure", "erase pod", rule="citizen", count=1, whose="office")])],
    "POST /api/erase": [
        (presses("/api/erase", 401, secret="x"), WRONG),
        (own_acts.erases_by_program, [
            UNREADABLE, Line("erasure", "erase pod", rule="citizen", count=1, whose="office")])],
    # ------------------------------------------------------------ the office, sources, the operator
    **{f"GET {path}": [(officer_looks(path), [
        Line("admin", "read totals", rule="session", category="kluis:Dpo", outcome="served", whose="office")]),
        (presses(path, 403, method="GET"), [Line("denial", "read", "denied", "role", count=1)]),
        (without_token("GET", path, status), [anonymous()])]
       for path, status in (("/dpo", 303), ("/api/dpo/totals", 401), ("/api/dpo/anomalies", 401))},
    **{f"POST {path}": [
        (officer_asks(path), [
            replace(LOOKED, rule="session", category="kluis:Dpo", count=0, whose="office"), LOOKED]),
        (officer_asks(path, 400, reason=""), []),
        (officer_asks(path, 404, app="niemand"), []),
        (presses(path, 403), [Line("denial", "write", "denied", "role", count=1)])]
       for path in ("/dpo/touched", "/api/dpo/touched")},
    "POST /api/sources/{source}/deposits": [
        (act, [Line("deposit", "append", rule=rule, category="kluis:LibraryLoan", client="source-mijnbib",
                    outcome="served", count=count)])
        for act, rule, count in ((acts.delivers, "source", 2), (acts.delivers_sealed, "source", 2),
                                 (acts.citizen_delivers, "session", 1), (acts.operator_delivers, "operator", 1))
    ] + [
        (acts.delivers_for_another, [anonymous("append", "invalid_client", "an")]),
        (acts.citizen_delivers_to_another, [anonymous("append", "forbidden")]),
        (without_token("POST", "/api/sources/mijnbib/deposits?pod=an"), [anonymous("append", whose="an")])],
    "POST /api/sources/{source}/box": [
        (acts.asks_for_box, []),  # public keys, whether or not anything is there
        (without_token("POST", "/api/sources/mijnbib/box?pod=an"), [anonymous("append", whose="an")])],
    "POST /api/operator/apps": [
        (acts.operates("/api/operator/apps", 201, json=APP),
         [Line("admin", "register app", rule="registered", client="app", whose="office")]),
        (without_token("POST", "/api/operator/apps", 404), [anonymous("operate", "role")])],
    "POST /api/operator/erase": [
        (acts.operates("/api/operator/erase", json={"pod": "an"}),
         [Line("erasure", "erase pod", rule="operator", count=1, whose="office")]),
        (without_token("POST", "/api/operator/erase", 404), [anonymous("operate", "role")])],
    "POST /api/operator/custodian/rotate": [
        (acts.operates("/api/operator/custodian/rotate"), [
            Line("key event", "new custody key", rule="admin", whose="office"),
            Line("managed unlock", "move to new custody key", rule="custody", outcome="served", whose="office"),
            Line("managed unlock", "move to new custody key", rule="custody", outcome="served"),
            Line("key event", "destroy custody key", rule="admin", whose="office")]),
        (without_token("POST", "/api/operator/custodian/rotate", 404), [anonymous("operate", "role")])],
    # The clock of this house is believed: there is nothing to accept (tests/web/test_timekeeper.py has the other case).
    "POST /api/operator/clock/accept": [
        (acts.operates("/api/operator/clock/accept"), []),
        (acts.clock_jumps, [Line("admin", "accept clock", rule="admin", whose="office")]),
        (without_token("POST", "/api/operator/clock/accept", 404), [anonymous("operate", "role")])],
    "GET /api/operator/clock": [
        (acts.operates("/api/operator/clock", method="GET"), []),
        (presses("/api/operator/clock", 404, method="GET"), [Line("denial", "operate", "denied", "role", count=1)])],
    "POST /api/operator/log/rotate": [
        (acts.operates("/api/operator/log/rotate"), [STATEMENT]),
        (without_token("POST", "/api/operator/log/rotate", 404), [anonymous("operate", "role")])],
    # ------------------------------------------------------------ pods
    **{f"{method} pods/file": [
        (program(method, acts.NOTE), [by_program("read")]),
        (program(method, acts.A, 403), [REFUSED]),
        (reads(acts.A, method=method), [by_app("read")]),
        (reads("/pods/an/loans/a.jsonld", method=method, status=403),
         [by_app("read", "denied", "category", category="kluis:LibraryLoan")]),
        (without_token(method, "/pods/an/profile/card", 200),
         [Line("access", "read", rule="public", category="kluis:File", outcome="served", count=1)]),
        (without_token(method, acts.A), [anonymous(whose="an")]),
        (acts.another_programs(method, acts.A), [BO])] for method in ("GET", "HEAD")},
    **{f"{method} pods/{kind}": [
        (program(method, path), [by_program("list", count)]),
        (acts.another_programs(method, shut), [replace(FORBIDDEN, action="list")])]
       for method in ("GET", "HEAD")
       for kind, path, count, shut in (("root", "/pods/an/", 0, "/pods/an/"),
                                       ("container", "/pods/an/public/", 1, "/pods/an/inbox/"))},
    **{f"{method} pods/acl": [
        (program(method, "/pods/an/public/.acl", status), [by_program("control", 0)]),
        (acts.another_programs(method, "/pods/an/public/.acl"),
         [replace(FORBIDDEN, action="control")])]
       for method, status in (("GET", 200), ("HEAD", 200), ("DELETE", 204))},
    "PUT pods/acl": [
        (program("PUT", "/pods/an/public/.acl", 204, ACL, content_type="text/turtle"), [by_program("control", 0)]),
        (acts.another_programs("PUT", "/pods/an/public/.acl"),
         [replace(FORBIDDEN, action="control")])],
    **{f"{method} pods/meta": [(program(method, f"{acts.NOTE}.meta", 404), [by_program("read", 0)]),
                               (without_token(method, f"{acts.A}.meta"), [anonymous(whose="an")])]
       for method in ("GET", "HEAD")},
    "PUT pods/file": [
        (program("PUT", "/pods/an/public/b.txt", 201, b"x", content_type="text/plain"), [by_program("write")]),
        (acts.another_programs("PUT", "/pods/an/inbox/b.txt", content_type="text/plain"),
         [replace(FORBIDDEN, action="write")])],
    "PUT pods/container": [
        (program("PUT", "/pods/an/public/x/", 201), [by_program("write")]),
        (program("PUT", "/pods/an/notes/", 201), [
            Line("managed unlock", "create container", rule="custody", category="kluis:File"),
            Line("key event", "keyring", rule="custody", count=1), by_program("write")]),
        (acts.another_programs("PUT", "/pods/an/inbox/x/"),
         [replace(FORBIDDEN, action="write")])],
    **{f"POST pods/{kind}": [
        (program("POST", path, 201, b"x", content_type="text/plain", slug="z.txt"), [by_program("append")]),
        (without_token("POST", path, content_type="text/plain"), [anonymous(whose="an")])]
       for kind, path in (("root", "/pods/an/"), ("container", "/pods/an/public/"))},
    "DELETE pods/file": [
        (program("DELETE", acts.NOTE, 204), [by_program("delete")]),
        (program("DELETE", acts.NOTE, 412, if_match='"other"'), [
            by_program("delete", outcome="refused", count=0, type="denial", decision="denied", rule="precondition")]),
        (without_token("DELETE", acts.NOTE), [anonymous(whose="an")])],
    **patch_acts.cases(by_program, anonymous, FORBIDDEN),
    "DELETE pods/container": [
        (program("DELETE", "/pods/an/public/y/", 404), [
            by_program("delete", outcome="refused", count=0, type="denial", decision="denied", rule="gone")]),
        (without_token("DELETE", "/pods/an/public/"), [anonymous(whose="an")])],
}  # fmt: skip
