"""axe-core (https://github.com/dequelabs/axe-core), put into a cache outside the repository when a test wants it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

VERSION = "4.11.0"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "kluis-clients" / f"axe-core-{VERSION}"
PROGRAM = CACHE / "node_modules" / "axe-core" / "axe.min.js"
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "rules": {"label-content-name-mismatch": {"enabled": True}},
    "resultTypes": ["violations"],
}


def source() -> str:
    """The text of the program. Skips with the reason if it is not here and cannot be fetched."""
    if not PROGRAM.exists():
        npm = shutil.which("npm")
        if npm is None:
            _not_run("npm is not installed: axe-core cannot be fetched (apt-get install npm)")
        CACHE.mkdir(parents=True, exist_ok=True)
        command = [str(npm), "install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(
            [*command, "--prefix", str(CACHE), f"axe-core@{VERSION}"], capture_output=True, timeout=100, check=False
        )
        if done.returncode or not PROGRAM.exists():
            _not_run("npm cannot fetch axe-core")
    return PROGRAM.read_text(encoding="utf-8")


def violations(page: Page) -> list[tuple[str, str]]:
    """(rule, element) of everything that axe-core finds wrong with a page; CSS transitions are waited for."""
    page.evaluate(source())
    found: dict[str, Any] = page.evaluate("rules => axe.run(document, rules)", RULES)
    return [(one["id"], node["html"][:160]) for one in found["violations"] for node in one["nodes"]]


def _not_run(why: str) -> None:
    print(f"NOT RUN: {why}", file=sys.stderr)
    pytest.skip(why)
