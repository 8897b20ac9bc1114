"""An app's own site on loopback, in a thread: fixed pages, each with its type."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import Any, Self

TYPES = {".jsonld": "application/ld+json", ".html": "text/html", ".js": "text/javascript"}


class Site:
    """`pages`: the body at each path; any path without one is answered with the page at `/`, if there is one."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.origin = f"http://localhost:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        pages = self.pages

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                body = pages.get(path, pages.get("/", b""))
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", TYPES.get(PurePosixPath(path).suffix, "text/html"))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        return Handler
