"""A Solid client of our own: it knows HTTP, Link headers and RDF, and nothing of the house behind them."""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
import rdflib
from rdflib import URIRef

from consent import solid
from consent.accounts import people
from tests.conftest import BASE
from tests.house import Household

POD = f"{BASE}/pods/an/"
ME = f"{POD}profile/card#me"
LDP, ACL, ACP = (f"http://www.w3.org/ns/{name}#" for name in ("ldp", "auth/acl", "solid/acp"))
SOLID, PIM = "http://www.w3.org/ns/solid/terms#", "http://www.w3.org/ns/pim/space#"
STORAGE_DESCRIPTION = SOLID + "storageDescription"
TURTLE, JSON_LD, N3, TEXT = "text/turtle", "application/ld+json", "text/n3", "text/plain"
_LINK = re.compile(r'<([^>]*)>\s*;\s*rel="?([^",;]+)"?')
FORMATS = {TURTLE: "turtle", JSON_LD: "json-ld"}


@dataclass
class Agent:
    """Somebody before the pods: with a token, or nobody in particular."""

    house: Household
    token: str = ""

    async def __call__(
        self, method: str, path: str, body: str | bytes | None = None, media: str = "", **headers: str
    ) -> httpx.Response:
        """One request; `path` is in An's pod, unless it begins with a slash or is a whole address."""
        url = path.removeprefix(BASE) if path.startswith(("/", BASE)) else f"/pods/an/{path}"
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent |= {"content-type": media} if media else {}
        content = body.encode() if isinstance(body, str) else body
        return await self.house.call(method, url, self.token, sent, content)


async def token_of(house: Household, name: str) -> str:
    """An access token under new credentials of the citizen `name`."""
    account, pod = people.find(house.vault, name), house.vault.pod(name)
    assert account is not None and pod is not None
    made = await solid.credentials(house.vault, pod, account.webid, "Laptop", house.clock())
    answer = await house.http.post(
        "/oauth/token",
        data={"grant_type": "client_credentials", "scope": "webid"},
        headers={"dpop": house.proof("POST", "/oauth/token")},
        auth=httpx.BasicAuth(made.client_id, made.client_secret),
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def links(answer: httpx.Response, relation: str) -> set[str]:
    """The absolute targets of the `Link` headers of one relation."""
    found = _LINK.findall(answer.headers.get("link", ""))
    return {str(answer.url.join(target)) for target, named in found if relation in named.split()}


def listed(headers: Mapping[str, str], name: str) -> set[str]:
    """A header that is a list, as a set."""
    return {one.strip() for one in headers.get(name, "").split(",") if one.strip()}


def graph(answer: httpx.Response) -> rdflib.Graph:
    """The statements of an answer, read by a library that the house does not use."""
    media = answer.headers["content-type"].partition(";")[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its JSON-LD reader uses a class that it deprecates itself
        return rdflib.Graph().parse(data=answer.content, format=FORMATS[media], publicID=str(answer.url))


def has(answer: httpx.Response, subject: str, predicate: str, thing: str) -> bool:
    """Whether an answer states this about IRIs."""
    return (URIRef(subject), URIRef(predicate), URIRef(thing)) in graph(answer)


def objects(answer: httpx.Response, subject: str, predicate: str) -> set[str]:
    """What an answer states about a subject, as texts."""
    return {str(one) for one in graph(answer).objects(URIRef(subject), URIRef(predicate))}


def members(answer: httpx.Response) -> set[str]:
    """The members that the listing of a container names."""
    return objects(answer, str(answer.url), LDP + "contains")


def acl(target: str, *blocks: str) -> str:
    """A list of which every block applies to `target` (in An's pod) and what lies in it; she keeps control."""
    here = POD + target
    place = f"acl:accessTo <{here}> ;" + (f" acl:default <{here}> ;" if here.endswith("/") else "")
    own = f"acl:agent <{ME}> ; acl:mode acl:Read, acl:Write, acl:Control"
    rules = [f"<#r{n}> a acl:Authorization ; {place} {block} ." for n, block in enumerate((own, *blocks))]
    return "\n".join([f"@prefix acl: <{ACL}> .", "@prefix foaf: <http://xmlns.com/foaf/0.1/> .", *rules])


PUBLIC = "acl:agentClass foaf:Agent ; acl:mode acl:"


def patch(where: str = "", deletes: str = "", inserts: str = "", more: str = "") -> str:
    """An N3 Patch with the parts that are given."""
    parts = {"where": where, "deletes": deletes, "inserts": inserts}
    said = "".join(f" ; solid:{name} {{ {text} }}" for name, text in parts.items() if text)
    return f"@prefix solid: <{SOLID}> . @prefix : <#> .\n_:patch a solid:InsertDeletePatch{said} .\n{more}"
