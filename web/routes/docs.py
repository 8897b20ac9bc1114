"""`/docs`: the interface for programs as a plain page of our own, made from the OpenAPI document; no script at all."""

import json
import re
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, PlainTextResponse

from consent.categories import CATEGORIES
from consent.purposes import PURPOSES
from consent.schema import SCHEMA

router = APIRouter(include_in_schema=False)

PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>Interface – Kluis</title>
<link rel="icon" type="image/svg+xml" href="/static/kluis.svg">
<link rel="stylesheet" href="/static/kluis.css">
</head>
<body>
<main>
<div class="head"><h1>Interface of Kluis</h1>
<p class="lead">For machines: <a href="/openapi.json">openapi.json</a>. Pods under <code>/pods/</code> follow the
Solid Protocol and are not listed here: they take GET, HEAD, PUT, POST, DELETE and PATCH (<code>text/n3</code>,
<code>application/sparql-update</code>), <code>Range</code>, a description at <code>.meta</code>, and Solid
Notifications, offered at <code>/.well-known/solid</code>. An example of each: <code>docs/solid.md</code>.</p></div>
{asking}
{operations}
</main>
</body>
</html>
"""
OPERATION: Final = """<section class="sec wide">
<h2><code>{method} {path}</code></h2>
<p>{told}</p>
{taken}</section>"""

ASKING: Final = """<section class="sec wide">
<h2>How an app asks</h2>
<p>Push a form to <code>/oauth/par</code> with a <code>DPoP</code> header, send the browser to
<code>/oauth/authorize?client_id=…&amp;request_uri=…</code>, redeem the code at <code>/oauth/token</code>.{example}</p>
<ul>{form}</ul>
<h3>One entry of <code>authorization_details</code></h3>
<pre tabindex="0"><code>{schema}</code></pre>
<h3>Data categories</h3>
<ul>{categories}</ul>
<h3>Purposes</h3>
<ul>{purposes}</ul>
</section>"""
FORM: Final = {
    "client_id": "the app's id",
    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    "client_assertion": "a JWT by the app's key (RFC 7523): iss and sub the id, aud the vault's address, exp, iat, jti",
    "response_type": "code",
    "redirect_uri": "one that is registered",
    "state": "comes back as it went; optional",
    "code_challenge": "base64url of the SHA-256 of the verifier (RFC 7636)",
    "code_challenge_method": "S256",
    "authorization_details": "a JSON array with one entry, as below (RFC 9396)",
    "dpop_jkt": "the thumbprint of the key of the DPoP proof; optional",
}
EXAMPLE: Final = Path(__file__).parents[2] / "examples" / "client.py"  # an installed package has none


@router.get("/docs/client.py")
async def example() -> PlainTextResponse:
    """A whole client in one file, to read."""
    if not EXAMPLE.is_file():
        raise HTTPException(404, "not-found")
    return PlainTextResponse(EXAMPLE.read_text(encoding="utf-8"))


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """Every operation with what it does and takes."""
    paths: dict[str, dict[str, Any]] = request.app.openapi()["paths"]
    told = [_operation(method, path, one) for path, methods in paths.items() for method, one in methods.items()]
    return HTMLResponse(PAGE.format(asking=_asking(), operations="\n".join(told)))


def _asking() -> str:
    """What a pushed request holds, in the words of the schema and the registries themselves."""
    link = ' <a href="/docs/client.py">A whole client in one file.</a>' if EXAMPLE.is_file() else ""
    return ASKING.format(
        example=link,
        form=_listed(FORM.items()),
        schema=escape(json.dumps(SCHEMA, indent=1), quote=False),
        categories=_listed((one.curie, f"{one.label['en']}, in /{one.container}") for one in CATEGORIES.values()),
        purposes=_listed((one.code, one.label["en"]) for one in PURPOSES.values()),
    )


def _listed(rows: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<li><code>{escape(name)}</code> {escape(words)}</li>" for name, words in rows)


def _told(text: str) -> str:
    """Prose with `code` in it, as HTML."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _operation(method: str, path: str, one: dict[str, Any]) -> str:
    named = [_parameter(parameter) for parameter in one.get("parameters", ())]
    return OPERATION.format(
        method=escape(method.upper()),
        path=escape(path),
        told=_told(one.get("description", one["summary"])),
        taken=f"<ul>{''.join(named)}</ul>\n" if named else "",
    )


def _parameter(one: dict[str, Any]) -> str:
    needed = "" if one.get("required") else ", optional"
    return f"<li><code>{escape(one['name'])}</code> in the {escape(one['in'])}{needed}</li>"
