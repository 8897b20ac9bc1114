"""A client that speaks ASGI to the pods."""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.conftest import BASE, Clock
from vault.vault import Vault
from web.settings import Settings

ROOT = f"{BASE}/pods/an"
OWNER = f"{ROOT}/profile/card#me"
CARD = b"<#me> <http://xmlns.com/foaf/0.1/name> 'An' ."
SETTINGS = Settings(base_url=BASE)


@dataclass
class FakeHouse:
    vault: Vault
    clock: Clock
    base: str = BASE

    @property
    def settings(self) -> Settings:
        """Those of a house of which nothing was asked."""
        return SETTINGS


@dataclass
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def kind(self) -> str:
        return str(json.loads(self.body)["type"].removeprefix("urn:kluis:problem:"))

    @property
    def reason(self) -> str:
        return str(json.loads(self.body)["reason"])


class Client:
    """Speaks ASGI to the pods as the server in front of them would."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(
        self, method: str, path: str, body: bytes = b"", cut: bool = False, host: str = "localhost:8400", **headers: str
    ) -> Answer:
        sent = [(b"host", host.encode())] if host else []
        sent += [(name.replace("_", "-").lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        raw = path.encode("latin-1") if path.startswith("/pods") else b"/pods/an/" + path.encode("latin-1")
        pieces = [body[i : i + 50_000] for i in range(0, len(body), 50_000)]
        parts: list[dict[str, Any]] = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
        parts.append({"type": "http.disconnect"} if cut else {"type": "http.request", "body": b"", "more_body": False})
        answer = Answer()

        async def receive() -> dict[str, Any]:
            return parts.pop(0)

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
                assert len(answer.headers) == len(message["headers"])
            else:
                answer.body += message["body"]

        scope = {"type": "http", "method": method, "path": path, "raw_path": raw, "headers": sent}
        await self.app(scope, receive, send)
        return answer


def entries(vault: Vault) -> int:
    return vault.log.ledger.tree.size
