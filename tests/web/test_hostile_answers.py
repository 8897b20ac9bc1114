"""What a server that lies answers to the command line: one named error, and no more memory than an answer may have."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from web import client
from web.client import Client, Unanswered


@contextmanager
def answering(body: bytes, times: int = 1, **headers: str) -> Iterator[Client]:
    """A client of a server that answers everything so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            try:
                for _ in range(times):
                    self.wfile.write(body)
            except OSError:  # the client has had enough
                return

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    asking = Client(f"http://127.0.0.1:{server.server_address[1]}")
    try:
        yield asking
    finally:
        asking.close()
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    monkeypatch.setattr(client, "MOST", 10_000)
    body = gzip.compress(bytes(10**6)) if packed else bytes(1000)
    headers = {"content_encoding": "gzip"} if packed else {}
    with answering(body, 1 if packed else 10**6, **headers) as asking, pytest.raises(Unanswered, match="longer than"):
        asking.fetch("/log/checkpoint")


@pytest.mark.parametrize("headers", [{"content_length": "99"}, {"content_encoding": "gzip"}, {"content_length": "x"}])
def test_an_answer_that_is_not_what_it_says_has_a_named_error(headers: dict[str, str]) -> None:
    with answering(b"short", **headers) as asking, pytest.raises(Unanswered):
        asking.fetch("/log/checkpoint")


def test_a_path_that_a_log_made_up_has_a_named_error() -> None:
    with answering(b"x") as asking, pytest.raises(Unanswered):
        asking.fetch("/log/\x00/checkpoint")
