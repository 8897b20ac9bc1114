"""Requests exactly as written: through ASGI as uvicorn hands them on, and over a socket."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from tests.conftest import BASE
from tests.house import Household

Headers = Sequence[tuple[bytes, bytes]]


@dataclass
class Said:
    """One answer."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


async def asgi(house: Household, method: str, target: bytes, headers: Headers = (), body: bytes = b"") -> Said:
    """One request whose target goes in as it is; without a Host in `headers` the right one is sent."""
    said = Said()
    sent = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return sent.pop() if sent else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            said.status = message["status"]
            said.headers = {name.decode().lower(): value.decode("latin-1") for name, value in message["headers"]}
        else:
            said.body += message.get("body", b"")

    named = [] if any(name == b"host" for name, _ in headers) else [(b"host", BASE.split("//")[1].encode())]
    raw, _, query = target.partition(b"?")
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": method,
             "path": unquote(raw.decode("latin-1"), encoding="latin-1"), "raw_path": raw, "query_string": query,
             "root_path": "", "server": None, "headers": [*named, *headers], "client": ("127.0.0.1", 1)}  # fmt: skip
    await house.app(scope, receive, send)
    return said


def wire(base: str, data: bytes, seconds: float = 5) -> tuple[bytes, bool]:
    """What comes back on a connection of its own after `data`, and whether the server closed it by itself."""
    host, _, port = base.partition("//")[2].partition(":")
    found = b""
    with socket.create_connection((host, int(port)), timeout=seconds) as line:
        line.settimeout(seconds)
        try:
            line.sendall(data)
            while piece := line.recv(65536):
                found += piece
        except TimeoutError:
            return found, False
        except OSError:  # cut off while we still sent: closed all the same
            return found, True
    return found, True


def statuses(answer: bytes) -> list[int]:
    """The status of each answer on a connection."""
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:] if part[:3].isdigit()]
