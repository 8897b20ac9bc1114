"""Another server of our own making: an issuer, a WebID document, and tokens that say whatever a test wants."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, cast

from consent.jws import make
from federation.fetch import Fetcher, Limits
from federation.issuers import Issuers
from keys.sign import new_es256, thumbprint
from keys.text import b64, canonical
from tests.conftest import BASE, Clock
from tests.federation.sink import Sink, reply
from tests.web.pods.client import OWNER, ROOT, Answer, Client, FakeHouse
from vault import acls
from vault.log.entry import Facts
from vault.mint import mint
from vault.permit import Permit
from vault.solid.wac import owner_acl
from vault.vault import PodFacts, Vault
from web import pods

KEY, PROOF = new_es256(), new_es256()
PROFILE = "@prefix solid: <http://www.w3.org/ns/solid/terms#>.\n<#me> solid:oidcIssuer {}."
TURTLE = "text/turtle"
QUICK = Limits(connect=0.3, total=0.6)


def public(key: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in key.items() if name != "d"}


@dataclass
class House(FakeHouse):
    """A house in development that may ask servers of this machine."""

    issuers: Issuers = field(default_factory=lambda: Issuers(Fetcher(loopback=True)))


@dataclass
class Elsewhere:
    """A server elsewhere (a `Sink`), a house of ours, and what the server says; a test changes what it needs."""

    sink: Sink
    house: House
    issuer: str = ""
    jwks: list[dict[str, Any]] = field(default_factory=lambda: [public(KEY)])
    listed: list[str] = field(default_factory=list)
    profile: bytes | None = None
    media: str = TURTLE
    special: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    proofs: int = 0

    def __post_init__(self) -> None:
        self.issuer = self.issuer or self.sink.origin
        self.listed = self.listed or [self.sink.origin]
        self.sink.answer = self.answer
        self.ask = Client(pods.create(cast("Any", self.house)))

    @property
    def me(self) -> str:
        return f"{self.sink.origin}/card#me"

    def answer(self, path: str) -> bytes:
        self.asked.append(path)
        if path in self.special:
            return self.special[path]
        if path == "/card":
            named = ", ".join(f"<{one}>" for one in self.listed)
            return reply(
                PROFILE.format(named).encode() if self.profile is None else self.profile, Content_Type=self.media
            )
        if path == "/jwks":
            return reply(json.dumps({"keys": self.jwks}).encode())
        if path == "/.well-known/openid-configuration":
            said = {"issuer": self.issuer, "jwks_uri": self.sink.origin + "/jwks"}
            return reply(json.dumps(said).encode())
        return reply(status="404 Not Found")

    def claims(self, **more: Any) -> dict[str, Any]:
        iat = int(self.house.clock().timestamp())
        said = {
            "iss": self.sink.origin,
            "webid": self.me,
            "sub": "somebody",
            "aud": "solid",
            "client_id": "https://app.example/id",
            "iat": iat,
            "exp": iat + 300,
            "jti": "t1",
            "cnf": {"jkt": thumbprint(dict(PROOF))},
        }
        return {name: value for name, value in (said | more).items() if value is not None}

    def token(self, header: dict[str, Any] | None = None, key: dict[str, str] = KEY, **more: Any) -> str:
        return make({"typ": "at+jwt", **(header or {})}, self.claims(**more), key)

    def proof(self, method: str, path: str, key: dict[str, str] = PROOF, **more: Any) -> str:
        self.proofs += 1
        iat = int(self.house.clock().timestamp())
        said = {"htm": method, "htu": f"{BASE}/pods/an/{path}", "jti": f"p{self.proofs}", "iat": iat, **more}
        return make({"typ": "dpop+jwt", "jwk": public(key)}, said, key)

    async def get(self, path: str, token: str | None = None, dpop: str | None = None, method: str = "GET") -> Answer:
        sent = {"authorization": f"DPoP {token or self.token()}", "dpop": dpop or self.proof(method, path)}
        return await asyncio.wait_for(self.ask(method, path, b"x", content_type="text/plain", **sent), 20)


def unsigned(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """A token whose parts say anything."""
    return ".".join([b64(canonical(header)), b64(canonical(claims)), b64(signature)])


async def share(vault: Vault, pod: PodFacts, path: str, agent: str, clock: Clock, client: str = "") -> None:
    target, rest = ROOT + path, ""
    if client:
        rest = f"; acl:condition [ a acl:ClientCondition ; acl:client <{client}> ]"
    public_too = ("read", "write", "control") if path == "/public/" else ()
    body = owner_acl(OWNER, target, public_too).decode()
    body += f"<#them> a acl:Authorization ; acl:agent <{agent}> ; acl:default <{target}> ; acl:accessTo <{target}> ;"
    body += f" acl:mode acl:Read {rest} .\n"
    facts = Facts("access", "control", resources=(path,))
    permit = mint(Permit(pod.id, facts, (pod.compartment(path.strip("/")),), frozenset({path}), None, writes=True))
    await acls.put(vault, permit, path, body.encode(), clock())
