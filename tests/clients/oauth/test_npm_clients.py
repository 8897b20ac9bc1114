"""O1, O2: `oauth4webapi` and `openid-client`, unmodified, through the whole life of a grant at a running demo."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.browser.town import Person
from tests.clients.solidlogin.citizen import Visitor
from tests.clients.solidlogin.node import Client, workshop
from tests.proof import figure
from tests.stories.city import City, free_port

HERE = Path(__file__).parent
pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(400)]
RAR = "urn:kluis:rar:pod-access:1"
SIGNED = "application/token-introspection+jwt"
INTERESTS = {"category": "pd:Interest", "fields": ["schema:about"], "necessity": "required"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The line that a demo city of its own printed, on free ports."""
    workshop(HERE)
    running = City(tmp_path_factory.mktemp("demo") / "city", free_port())
    yield running.told
    assert running.stop() == 0


class Life:
    """One client program, the citizen who is asked, and the steps in their order."""

    def __init__(self, demo: dict[str, Any], program: Client, an: Visitor) -> None:
        self.base, self.program, self.an = demo["base"], program, an
        self.app = next(app for app in demo["apps"] if app["name"] == "Cultuurgids")
        self.records = f"{self.base}/api/records?category=pd:Interest"
        self.there = self.back = ""
        self.done: list[str] = []

    def live(self) -> int:
        """Take every step; how many there were. AssertionError at the first that does not hold."""
        steps: list[Callable[[], None]] = [
            self.discover, self.push, self.consent, self.mix_up, self.redeem, self.read, self.closed, self.introspect,
            self.introspect_signed, self.refresh, self.revoke_access, self.refresh_again, self.revoke_grant,
        ]  # fmt: skip
        for step in steps:
            step()
            self.done.append(step.__name__)
        return len(steps)

    def discover(self) -> None:
        """RFC 8414 (and 9728, where the client knows it); the app's key for private_key_jwt."""
        who = {"clientId": self.app["client_id"], "redirectUri": self.app["redirect_uri"]}
        jwk = json.loads(Path(self.app["key_file"]).read_text())
        said = self.program.do("discover", issuer=self.base, jwk=jwk, **who)
        assert said["issuer"] == self.base, said
        assert said.get("servers", [self.base]) == [self.base]

    def push(self) -> None:
        """PAR with a rich request, PKCE and a DPoP proof; only a reference goes through the browser."""
        said = self.program.do("push", details=[detail(self.base, self.app)])
        assert "error" not in said, said
        self.there = said["there"]
        assert self.there.startswith(f"{self.base}/oauth/authorize?")
        assert "authorization_details" not in self.there

    def consent(self) -> None:
        """The citizen logs in, reads and allows."""
        page = self.an.follow(self.there)
        assert page.status_code == 200, page.text
        self.back = self.an.press(page, "allow", [], [])
        assert self.back.startswith(self.app["redirect_uri"] + "?")

    def mix_up(self) -> None:
        """An answer under another issuer or state is refused by the client itself (RFC 9207)."""
        for old, new in (("iss=http", "iss=https"), ("state=", "state=x"), ("iss=", "other=")):
            said = self.program.do("mixup", url=self.back.replace(old, new))
            assert "error" in said, said

    def redeem(self) -> None:
        """Code, verifier, key: the answer says what was granted."""
        said = self.program.do("redeem", url=self.back)
        assert (said.get("type"), said.get("seconds")) == ("dpop", 300), said
        (granted,) = said["details"]
        assert granted["locations"] == [f"{self.base}/pods/an/"]
        assert [row["category"] for row in granted["datatypes"]] == ["pd:Interest"]

    def read(self) -> None:
        """Her data under the token with a proof of its own: the fields granted and no other."""
        said = self.program.do("read", url=self.records)
        assert said.get("status") == 200, said
        records = said["body"]["@graph"]
        assert records
        assert {name for record in records for name in record if name[0] != "@"} == {"schema:about"}

    def closed(self) -> None:
        """What was not granted is refused in words that the client reads from the challenge."""
        said = self.program.do("read", url=self.records.replace("pd:Interest", "kluis:LibraryLoan"))
        assert (said.get("error"), said.get("status")) == ("insufficient_authorization_details", 403), said

    def introspect(self) -> None:
        """RFC 7662."""
        for which in ("access_token", "refresh_token"):
            told = self.program.do("introspect", which=which)["told"]
            assert (told["active"], told["client_id"], told["iss"]) == (True, self.app["client_id"], self.base)

    def introspect_signed(self) -> None:
        """RFC 9701: the client checks issuer, audience and signature, and reads the same."""
        plain = self.program.do("introspect", which="access_token")
        assert self.program.do("signed", which="access_token") == plain | {"media": SIGNED}

    def refresh(self) -> None:
        """A new access token; the refresh token stays (FAPI 2.0 5.3.2.1)."""
        said = self.program.do("refresh")
        assert (said.get("type"), said.get("fresh")) == ("dpop", True), said
        self.read()

    def revoke_access(self) -> None:
        """RFC 7009: this token is dead at once."""
        assert self.program.do("revoke", which="access_token") == {}
        said = self.program.do("read", url=self.records)
        assert (said.get("error"), said.get("status")) == ("invalid_token", 401), said
        assert self.program.do("introspect", which="access_token") == {"told": {"active": False}}

    def refresh_again(self) -> None:
        """The refresh token lives on."""
        assert self.program.do("refresh").get("fresh") is True
        self.read()

    def revoke_grant(self) -> None:
        """With its refresh token the app gives the grant back, and all that hangs on it is dead."""
        assert self.program.do("revoke", which="refresh_token") == {}
        assert self.program.do("read", url=self.records).get("status") == 401
        assert self.program.do("refresh").get("error") == "invalid_grant"
        for which in ("access_token", "refresh_token"):
            assert self.program.do("introspect", which=which) == {"told": {"active": False}}
            assert self.program.do("signed", which=which) == {"told": {"active": False}, "media": SIGNED}


def detail(base: str, app: dict[str, Any]) -> dict[str, Any]:
    """What the app asks: the topics of her interests, for its registered purpose."""
    purpose = {name: app["purposes"][0][name] for name in ("code", "version", "text")}
    until = (datetime.now(UTC) + timedelta(days=90)).replace(microsecond=0)
    return {
        "type": RAR, "locations": [f"{base}/pods/an/"], "actions": ["read"], "datatypes": [INTERESTS],
        "purpose": purpose, "legal_basis": "eu-gdpr:A6-1-a-explicit-consent", "controller": app["controller"],
        "processing": ["dpv:Profiling"], "automated_decision": "profiling",
        "storage": {"country": "BE", "copy": "none"}, "retention": "P0D",
        "expires": until.isoformat().replace("+00:00", "Z"), "recurrence": {"mode": "ongoing", "max_per_day": 48},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "script"), [("O1", "oauth4webapi-client.mjs"), ("O2", "openid-client.mjs")], ids=["oauth4webapi", "openid"]
)
def test_a_client_of_others_lives_through_a_grant_from_discovery_to_revocation(
    demo: dict[str, Any], name: str, script: str
) -> None:
    an = next(one for one in demo["people"] if one["user"] == "an")
    with Visitor(demo["base"], Person("an", an["passphrase"], code="")) as citizen, Client(script, HERE) as program:
        life = Life(demo, program, citizen)
        try:
            steps = life.live()
            assert len(life.done) == steps
        finally:
            figure(name, len(life.done), len(life.done))
