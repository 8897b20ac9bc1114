"""A running demo city as a process: started on free ports, killed without mercy when asked."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("KLUIS_SHARED", "/nowhere"))
FORMATS = SHARED / "data" / "formats"
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("KLUIS_")}


def copy(seeded: Path, folder: Path) -> Path:
    """A city of one's own."""
    return Path(shutil.copytree(seeded, folder / "city", symlinks=True))


def free_port() -> int:
    """A port whose successor is free too."""
    for _ in range(50):
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 1))
                return int(port)
    raise RuntimeError("no two free ports in a row")


def home_port(data: Path) -> int:
    """The port that a seeded city was made for (its addresses name it), or a free one."""
    told = data / "demo" / "apps.json"
    if not told.exists():
        return free_port()
    return (urlsplit(json.loads(told.read_text())[0]["redirect_uri"]).port or 0) - 1


class City:
    """One `kluis demo` process and the line it printed."""

    def __init__(self, data: Path, port: int, program: list[str] | None = None, **env: str) -> None:
        self.data, self.port = data, port
        self.errors = data.with_name(data.name + f".err{port}")
        command = program or [str(Path(sys.executable).with_name("kluis"))]
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [*command, "demo", "--json", "--port", str(port), "--data", str(data)],
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
                start_new_session=True,
                text=True,
                env=ENVIRONMENT | env,
            )
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()
        if not self.line:
            self.kill()
            raise AssertionError(f"the demo did not start: {self.errors.read_text()[-3000:]}")
        self.told: dict[str, Any] = json.loads(self.line)

    def kill(self) -> None:
        """kill -9 of the server and everything it started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)
        self._close()

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self.process.terminate()
        code = self.process.wait(30)
        self._close()
        return code

    def _close(self) -> None:
        if self.process.stdout is not None:
            self.process.stdout.close()

    def story(self, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
        """Run examples/main_job.py against this city."""
        file = folder / f"demo-{self.port}.json"
        file.write_text(self.line)
        command = [sys.executable, str(ROOT / "examples" / "main_job.py"), "--demo", str(file), *more]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=240, cwd=ROOT, env=ENVIRONMENT, check=False
        )


@contextlib.contextmanager
def city(data: Path, program: list[str] | None = None, **env: str) -> Iterator[City]:
    """A city for the length of a block."""
    running = City(data, home_port(data), program, **env)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.kill()
