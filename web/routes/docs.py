"""`/docs`: the interface for programs as a plain page of our own, made from the OpenAPI document; no script at all."""

from html import escape
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

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
Solid Protocol and are not listed here.</p></div>
{operations}
</main>
</body>
</html>
"""
OPERATION: Final = """<section class="sec wide">
<h2><code>{method} {path}</code></h2>
<p>{told}</p>
{taken}</section>"""


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """Every operation with what it does and takes."""
    paths: dict[str, dict[str, Any]] = request.app.openapi()["paths"]
    told = [_operation(method, path, one) for path, methods in paths.items() for method, one in methods.items()]
    return HTMLResponse(PAGE.format(operations="\n".join(told)))


def _operation(method: str, path: str, one: dict[str, Any]) -> str:
    named = [_parameter(parameter) for parameter in one.get("parameters", ())]
    return OPERATION.format(
        method=escape(method.upper()),
        path=escape(path),
        told=escape(one.get("description", one["summary"])),
        taken=f"<ul>{''.join(named)}</ul>\n" if named else "",
    )


def _parameter(one: dict[str, Any]) -> str:
    needed = "" if one.get("required") else ", optional"
    return f"<li><code>{escape(one['name'])}</code> in the {escape(one['in'])}{needed}</li>"
