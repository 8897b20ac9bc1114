"""Talking to the recommender's process over its socket: one JSON object a line each way.

It is an app like any other; all that passes here is a question and its answer, never a key (house.md, section 5).
"""

import asyncio
import json
from pathlib import Path
from typing import Any

TIMEOUT = 20.0
LINE = 4 * 1024 * 1024


class Away(Exception):
    """The recommender does not answer; pages show the plain list."""

    code = "recommender_away"


class Recommender:
    """One call, one connection."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket

    async def ask(self, ask: str, **parts: Any) -> dict[str, Any]:
        """Send one question. Raises Away if nobody answers in 20 seconds."""
        try:
            return await asyncio.wait_for(self._ask({"ask": ask, **parts}), TIMEOUT)
        except (OSError, ValueError, TimeoutError) as e:
            raise Away("the recommender does not answer") from e

    async def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        reader, writer = await asyncio.open_unix_connection(str(self.socket), limit=LINE)
        try:
            writer.write(json.dumps(question).encode() + b"\n")
            await writer.drain()
            told: dict[str, Any] = json.loads(await reader.readline())
            return told
        finally:
            writer.close()
