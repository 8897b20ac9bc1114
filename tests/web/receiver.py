"""A receiver of pushes in a process of its own: answers as told, and prints each thing it takes as a line of JSON.

    python -m tests.web.receiver MODE

The first line is its port. MODE: `good`, `refuse` (400), `broken` (500), `redirect`, `huge`, `hang`.
"""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PRINTING = threading.Lock()
ANSWERS = {"good": 202, "refuse": 400, "broken": 500, "redirect": 307, "huge": 202}


class Receiver(BaseHTTPRequestHandler):
    mode = "good"

    def do_POST(self) -> None:
        token = self.rfile.read(int(self.headers["content-length"])).decode()
        told = {"path": self.path, "type": self.headers["content-type"], "token": token,
                "bearer": self.headers.get("authorization", ""), "at": time.time()}  # fmt: skip
        with PRINTING:
            print(json.dumps(told), flush=True)
        if self.mode == "hang":
            time.sleep(60)
        self.send_response(ANSWERS[self.mode])
        if self.mode == "redirect":
            self.send_header("location", "/elsewhere")
        body = b"x" * 200_000 if self.mode == "huge" else b""
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    Receiver.mode = sys.argv[1]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    print(server.server_address[1], flush=True)
    server.serve_forever()
