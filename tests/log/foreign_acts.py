"""What agents of other servers do, by the lists of An alone, and the lines that it leaves."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from consent.jws import make
from keys.sign import new_es256, thumbprint
from tests.conftest import BASE
from tests.consent import sample
from tests.log.acts import TEXT, Act, ok
from tests.log.stage import Line, Stage
from vault.solid.notifications import CONTEXT, SOCKET

KEY = new_es256()
ISSUER, ME, APP = "https://elsewhere.example", "https://elsewhere.example/card#me", "https://app.example/id"
FOLDER = "/pods/an/settings/"
OPEN = f"""@prefix acl: <http://www.w3.org/ns/auth/acl#>.
<#o> a acl:Authorization; acl:agent <{BASE}/pods/an/profile/card#me>; acl:accessTo <./>; acl:default <./>;
  acl:mode acl:Read, acl:Write, acl:Control .
<#b> a acl:Authorization; acl:agent <{ME}>; acl:accessTo <./>; acl:default <./>; acl:mode acl:Read, acl:Append .
"""
READ = Line("access", "read", rule="foreign", category="kluis:File", client=APP, outcome="served", count=1)
REFUSED = Line("denial", "read", "denied", "forbidden", "kluis:File", client=APP)
FOLLOWED = replace(READ, action="follow", count=0)
BROKEN = Line("denial", "read", "denied", "invalid_token", count=1)


class Asked:
    """What the server elsewhere says when it is asked."""

    async def keys(self, _issuer: str, _kid: str, _now: datetime) -> tuple[Mapping[str, Any], ...]:
        """Its key."""
        return (sample.public(KEY),)

    async def named(self, issuer: str, agent: str, _now: datetime) -> bool:
        """Whom it speaks for."""
        return (issuer, agent) == (ISSUER, ME)


def visits(method: str, path: str, status: int, body: bytes = b"", webid: str = ME, **headers: str) -> Act:
    """Bo of another server, whom An lets read and add in `settings/`, asks for something."""

    async def act(stage: Stage) -> None:
        house = stage.house
        vars(house.house)["issuers"] = Asked()
        program = await house.jwt()
        listed = await house.call("PUT", f"{FOLDER}.acl", program, {"content-type": "text/turtle"}, OPEN.encode())
        assert listed.status_code == 204, listed.text
        await house.call("PUT", f"{FOLDER}note", program, TEXT, b"x")
        iat = int(house.clock().timestamp())
        said = {"iss": ISSUER, "webid": webid, "aud": "solid", "client_id": APP, "iat": iat, "exp": iat + 300,
                "cnf": {"jkt": thumbprint(dict(sample.PROOF_KEY))}}  # fmt: skip
        token = make({"typ": "at+jwt"}, said, KEY)
        await stage.begin()
        spelled = {name.replace("_", "-"): value for name, value in headers.items()}
        await ok(house.call(method, path, token, spelled, body), status)
        house.house.channels.end_all()

    return act


def subscribes(topic: str, status: int) -> Act:
    """The same agent wants to be told of changes."""
    said = {"@context": [CONTEXT], "type": SOCKET, "topic": BASE + topic}
    return visits("POST", f"/notifications/{SOCKET}/", status, json.dumps(said).encode(),
                  content_type="application/ld+json")  # fmt: skip


NOTE, SHUT = f"{FOLDER}note", "/pods/an/inbox/note"
LEAVES: dict[str, list[tuple[Act, list[Line]]]] = {
    **{f"{method} pods/file": [
        (visits(method, NOTE, 200), [READ]),
        (visits(method, SHUT, 403), [REFUSED]),
        (visits(method, NOTE, 401, webid=f"{ISSUER}/other#me"), [BROKEN])] for method in ("GET", "HEAD")},
    **{f"{method} pods/container": [
        (visits(method, FOLDER, 200), [replace(READ, action="list", count=3)]),
        (visits(method, "/pods/an/inbox/", 403), [replace(REFUSED, action="list")])] for method in ("GET", "HEAD")},
    **{f"{method} pods/{kind}": [(visits(method, path, 403, b"", content_type="text/turtle"),
                                  [replace(REFUSED, action=action)])]
       for kind, ending in (("file", ""), ("meta", ".meta"))
       for method, action, path in (("PUT", "write", NOTE + ending), ("DELETE", "delete", NOTE + ending))},
    **{f"{method} pods/acl": [(visits(method, f"{FOLDER}.acl", 403, b"", content_type="text/turtle"),
                               [replace(REFUSED, action="control")])] for method in ("GET", "PUT", "DELETE")},
    "POST pods/container": [
        (visits("POST", FOLDER, 201, b"x", content_type="text/plain"), [replace(READ, action="append")]),
        (visits("POST", "/pods/an/inbox/", 403, b"{}", content_type="application/ld+json"),
         [replace(REFUSED, action="append")])],
    "PATCH pods/file": [
        (visits("PATCH", f"{FOLDER}made.ttl", 201, b"INSERT DATA { <> <urn:x> 1 }",
                content_type="application/sparql-update"), [replace(READ, action="append")]),
        (visits("PATCH", f"{FOLDER}made.ttl", 403, b"DELETE DATA { <> <urn:x> 1 }",
                content_type="application/sparql-update"), [replace(REFUSED, action="write")])],
    "POST /notifications/{kind}/": [
        (subscribes(NOTE, 200), [FOLLOWED]), (subscribes(SHUT, 403), [REFUSED])],
    "GET /notifications/stream": [
        (visits("GET", f"/notifications/stream?topic={quote(BASE + SHUT, safe='')}", 403), [REFUSED])],
}  # fmt: skip
