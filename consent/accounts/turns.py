"""Taking turns at what is slow on purpose: stretching a passphrase. A queue that is full is told so at once.

Without an end to the queue a flood of logins would hold up everybody for minutes. Nobody is told apart: it is the same
for names that exist and names that do not. Who shows a recovery code or a passkey waits for nobody.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from consent.errors import Busy

MOST: Final = 16
"""How many wait behind the one whose turn it is: about a quarter of a second each."""


class Turns:
    """One at a time, in the order of asking."""

    def __init__(self, most: int = MOST) -> None:
        self._most, self._taken = most, False
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn. Raises Busy if too many wait already."""
        if self._taken:
            await self._wait()
        self._taken = True
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self) -> None:
        if len(self._waiting) >= self._most:
            raise Busy("too many are logging in at this moment")
        mine = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine in self._waiting:
                self._waiting.remove(mine)
            elif not mine.cancelled():
                self._pass_on()  # it was this one's turn already
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            following = self._waiting.popleft()
            if not following.done():  # nobody waits for one that was cancelled
                following.set_result(None)
                return
        self._taken = False
