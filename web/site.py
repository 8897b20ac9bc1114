"""The demo site on its own host name: its button starts Cultuurgids; the apps of the demo city are called back here.

Plain pages without a script. The app's server side is `web.demoapp`; `state` in the address names the visit.
"""

import json
from html import escape
from typing import Final
from urllib.parse import parse_qsl, urlencode

from web.demoapp import NAME, DemoApp, Read, Refused
from web.middleware import App, Message, Receive, Scope, Send

PAGE: Final = (
    "<!doctype html><html lang=nl><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    "<title>{title}</title><h1>{title}</h1>{body}"
)
HERE: Final = "/apps/cultuurgids/"
LABELS: Final = {"interests": "Je interesses", "topics": "De onderwerpen van wat je leende"}
HEARD: Final = {
    "withdrawn": "de toegang is gestopt",
    "expired": "de toestemming is afgelopen",
    "used_up": "de toestemming is opgebruikt",
    "ended": "de toegang is afgesloten",
    "invalidated": "de stad zette de toegang stop",
    "objected": "er is bezwaar gemaakt",
    "restricted": "even niets lezen: pauze",
    "resumed": "de pauze is voorbij",
    "narrowed": "er mag minder gelezen worden",
    "amended": "de toestemming is veranderd",
    "corrected": "iets is verbeterd: lees opnieuw",
    "delete": "wis je kopie (gedaan, en bevestigd)",
}
PAUSED: Final = "Geweigerd: je hebt deze app bevroren. In Kluis kan je haar verder laten gaan."
DECLINED: Final = (
    f"Er is geen toestemming. Weigerde je? Dan mag {NAME} een maand lang niet hetzelfde vragen, "
    "behalve als jij dat in Kluis opnieuw toelaat."
)
LONGEST: Final = 16 * 1024  # bytes of a pushed token
WORDS: Final = {
    401: "Geweigerd: deze app heeft geen toegang (meer).",
    403: "Geweigerd: dit heb je niet toegestaan.",
    404: "Hier staat nog niets.",
}
Page = tuple[int, str, str]  # status, then title and HTML; for 303 the address and nothing


def site(base: str, app: DemoApp) -> App:
    """The site as an ASGI app; `base` is the vault's address."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == HERE + "push" and scope["method"] == "POST":
            await _hear(app, receive, send)
            return
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        try:
            status, title, body = await _page(base, app, scope["path"], query)
        except Refused as refused:
            status, title, body = 502, f"{NAME} kreeg geen toegang", _text(str(refused)) + _again()
        headers = [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
            (b"referrer-policy", b"no-referrer"),
            (b"cache-control", b"no-store"),
        ]
        if status == 303:
            headers.append((b"location", title.encode()))
        start: Message = {"type": "http.response.start", "status": status, "headers": headers}
        await send(start)
        told = "" if status == 303 else PAGE.format(title=escape(title), body=body)
        await send({"type": "http.response.body", "body": told.encode()})

    return served


async def _hear(app: DemoApp, receive: Receive, send: Send) -> None:
    """What the vault pushes: 202 once it is taken, else an error as RFC 8935 section 2.4 says."""
    body, more = b"", True
    while more and len(body) <= LONGEST:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    status, told = 202, b""
    try:
        await app.hear(body.decode("ascii", "replace"))
    except Refused as refused:
        status, told = 400, json.dumps({"err": "invalid_request", "description": str(refused)}).encode()
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": told})


async def _page(base: str, app: DemoApp, path: str, query: dict[str, str]) -> Page:
    state = query.get("state", "")
    if path == HERE + "ask":
        return 303, await app.ask(), ""
    if path == HERE + "callback" and app.knows(state):
        if "code" not in query:
            return 200, f"{NAME} kreeg geen toegang", _refused(base, query.get("error", "")) + _again()
        await app.redeem(state, query.get("iss", ""), query["code"])
        return 303, f"{HERE}read?{urlencode({'state': state})}", ""
    if path == HERE + "read" and app.knows(state):
        return 200, f"Dit leest {NAME} nu", _told(await app.read(state)) + _reading(base, state)
    if path == HERE + "heard":
        return 200, f"Dit hoorde {NAME} van Kluis", _listed(app) + _again()
    if path.endswith("/callback"):  # somebody else's request, such as an example program's
        return 200, "De app kreeg je antwoord", _text("Je kan dit venster sluiten.")
    if path == "/":
        return 200, "Demo van Kluis", _again() + f'<p><a href="{escape(base)}/">Naar Kluis</a></p>'
    return 404, "Deze pagina bestaat niet", _again()


def _told(read: dict[str, Read]) -> str:
    return "".join(f"<h2>{LABELS[name]}</h2>{_answer(one)}" for name, one in read.items())


def _answer(one: Read) -> str:
    if one.status != 200:
        said = PAUSED if "processing_restricted" in one.words else WORDS.get(one.status, "Dat lukte niet.")
        return _text(f"{said} ({one.status} {' '.join(one.words)})")
    return f"<ul>{''.join(f'<li>{escape(word)}</li>' for word in one.words)}</ul>"


def _refused(base: str, error: str) -> str:
    """Why there is no access; who refused before is asked nothing, and would not know why."""
    if error != "access_denied":
        return _text(f"Kluis antwoordde: {error}")
    return f'{_text(DECLINED)}<p><a href="{escape(base)}/me/requests">Je aanvragen in Kluis</a></p>'


def _listed(app: DemoApp) -> str:
    lines = (f"{one.at:%H:%M:%S} UTC: {HEARD.get(one.event, one.event)} ({one.grant[:6]}…)" for one in app.heard)
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>" if app.heard else _text("Nog niets.")


def _reading(base: str, state: str) -> str:
    again = f'<p><a href="{HERE}read?{escape(urlencode({"state": state}))}">Lees opnieuw</a></p>'
    heard = f'<p><a href="{HERE}heard">Wat hoorde {NAME} van Kluis?</a></p>'
    return f'{again}<p><a href="{escape(base)}/me/access">Stop de app in Kluis</a> en lees dan opnieuw.</p>{heard}'


def _again() -> str:
    return f'<p><a href="{HERE}ask">Vraag toegang voor {NAME}</a></p>'


def _text(line: str) -> str:
    return f"<p>{escape(line)}</p>"
