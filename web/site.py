"""The demo site on its own host name: where apps of the demo city are called back. It holds no secret."""

import html

from web.middleware import App, Message, Receive, Scope, Send

PAGE = (
    "<!doctype html><html lang=nl><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    "<title>{title}</title><h1>{title}</h1><p>{body}</p>"
)


def site(base: str) -> App:
    """The site as an ASGI app; `base` is the vault's address."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
        if scope["type"] != "http":
            return
        if scope["path"].endswith("/callback"):
            told = PAGE.format(title="De app kreeg je antwoord", body="Je kan dit venster sluiten.")
        else:
            told = PAGE.format(title="Demo van Kluis", body=f'<a href="{html.escape(base)}/">Naar Kluis</a>')
        headers = [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
            (b"referrer-policy", b"no-referrer"),
            (b"cache-control", b"no-store"),
        ]
        start: Message = {"type": "http.response.start", "status": 200, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": told.encode()})

    return app
