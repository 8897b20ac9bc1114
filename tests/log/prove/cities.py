"""Vaults as processes of their own, with the settings that witnesses need, and what one sees of them from outside."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.stories.city import ENVIRONMENT, ROOT, free_port
from web.client import Client

KLUIS = [sys.executable, "-c", "from web.cli import main; main()"]
SECONDS = 30


class Vault:
    """One `kluis serve` at a fixed address, stopped and started again at will."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.port = folder / name, free_port()
        self.base = f"http://localhost:{self.port}"
        self.folder.mkdir(parents=True)
        self.process: subprocess.Popen[str] | None = None
        self.errors = self.folder / "errors"
        self.env: dict[str, str] = {
            "KLUIS_DATA": str(self.folder / "data"),
            "KLUIS_CUSTODIAN": f"file:{self.folder / 'custodian'}",
            "KLUIS_BASE_URL": self.base,
            "KLUIS_PORT": str(self.port),
            "KLUIS_LOG_CLOCK": "1",
        }

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def witnessed_by(self, policy: str, **more: str) -> None:
        """From the next start on: these witnesses, on this machine."""
        self.env |= {"KLUIS_LOG_WITNESSES": policy.replace("\n", ";"), "KLUIS_LOG_WITNESSES_NEAR": "true", **more}

    def start(self) -> "Vault":
        with self.errors.open("w") as errors:
            self.process = self._run(errors)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.errors.read_text()
        assert json.loads(line) == {"base": self.base}
        return self

    def _run(self, errors: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*KLUIS, "serve", "--json"], cwd=ROOT, env=ENVIRONMENT | self.env, stdout=subprocess.PIPE, stderr=errors,
            text=True,
        )  # fmt: skip

    def refused(self) -> tuple[int, str]:
        """Start where a start must fail: exit code and what was said."""
        done = subprocess.run(
            [*KLUIS, "serve", "--json"], cwd=ROOT, env=ENVIRONMENT | self.env, capture_output=True, text=True,
            check=False, timeout=SECONDS,
        )  # fmt: skip
        return done.returncode, done.stderr

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None

    def copy(self, name: str) -> Path:
        """A copy of the whole data directory, as a thief of time would keep one."""
        shutil.rmtree(self.folder / name, ignore_errors=True)
        return Path(shutil.copytree(self.data, self.folder / name, ignore=shutil.ignore_patterns("control.sock")))

    def put_back(self, copy: Path) -> None:
        shutil.rmtree(self.data)
        shutil.copytree(copy, self.data)

    def act(self, name: str) -> None:
        """Something that leaves an entry: the operator registers an app."""
        client = Client(self.base, self.data / "control.sock")
        try:
            client.register(app(name))
        finally:
            client.close()

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.base + path, trust_env=False, timeout=10)

    def log(self) -> Mapping[str, Any]:
        """What `/readyz` says of the log and its witnesses."""
        return dict(self.get("/readyz").json()["log"])

    def every_vkey(self) -> str:
        return str(self.get("/transparency.json").json()["every_vkey"])

    def note(self) -> str:
        return self.get("/log/checkpoint").text

    def verify(self, policy: str) -> subprocess.CompletedProcess[str]:
        """`kluis log verify --policy` as anybody would run it."""
        (self.folder / "policy").write_text(policy)
        words = ["log", "verify", "--base", self.base, "--policy", str(self.folder / "policy"), "--json"]
        return subprocess.run([*KLUIS, *words], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def app(name: str) -> dict[str, Any]:
    """The metadata of an app (RFC 7591)."""
    from tests.consent.sample import APP_KEY, public

    return {
        "client_name": name,
        "controller": f"https://{name}.example",
        "redirect_uris": [f"https://{name}.example/back"],
        "jwks": {"keys": [public(APP_KEY)]},
        "token_endpoint_auth_method": "private_key_jwt",
        "purposes": [
            {"code": "dpv:ProvideEventRecommendations", "text": {"nl": "Leestips"}, "categories": ["pd:Interest"]}
        ],
    }


def until(seen: Callable[[], bool], what: str) -> float:
    """Wait until something is seen; how many seconds it took."""
    begin = time.monotonic()
    while not seen():
        assert time.monotonic() - begin < SECONDS, f"not within {SECONDS} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - begin
