"""One's own log on its way out: opened in a thread, a few lines at a time, and sent before the next ones are opened.

However long a log is, the loop never waits for more than one handing over, and memory holds one page of it. What
goes out ends with the session that asked: then the end of the form is missing too, so nobody takes it for the whole.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fastapi.responses import StreamingResponse

from consent.accounts import sessions
from consent.accounts.sessions import SessionFacts
from vault import gates
from vault.log import views
from vault.log.views import Line

if TYPE_CHECKING:
    from keys.secret import Private
    from vault.vault import Vault

PAGE: Final = 250
"""Lines that one thread opens before it hands over: some ten milliseconds' work."""
Pages = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Shape:
    """A form in which lines go out: what one line becomes ("" if it has no place there), and what stands around them.

    `ends` may be what is known only after the last line. `back`: newest first. `name` is that of the file; "" for none.
    """

    media: str
    begins: str
    line: Callable[[Line], str]
    ends: str | Callable[[], str] = ""
    between: str = ""
    name: str = ""
    back: bool = False


def answer(vault: "Vault", session: SessionFacts, shape: Shape, pages: Pages) -> StreamingResponse:
    """The lines of the session's log on these pages (vault.log.views.pages), in a shape."""
    named = {"content-disposition": f'attachment; filename="{shape.name}"'} if shape.name else {}
    return StreamingResponse(_sent(vault, session, shape, pages), media_type=shape.media, headers=named)


async def _sent(vault: "Vault", session: SessionFacts, shape: Shape, pages: Pages) -> AsyncIterator[str]:
    yield shape.begins
    between = ""
    with sessions.log_private(session) as log:
        for page in reversed(pages) if shape.back else pages:
            told = await asyncio.to_thread(_shaped, vault, session, log, shape, page)
            if told is None:
                return
            if told:
                yield between + told
                between = shape.between
    yield shape.ends if isinstance(shape.ends, str) else shape.ends()


def _shaped(vault: "Vault", session: SessionFacts, log: "Private", shape: Shape, page: tuple[int, int]) -> str | None:
    """One page, in a thread of its own; None once the session is over."""
    with vault.db.reading() as tx:
        gate = gates.read(tx, session.handle)
        if gate is None or (gate.state, gate.epoch) != ("live", session.epoch):
            return None
        lines = views.among(vault, session.pod, log, page, tx)
    told = (shape.line(line) for line in (reversed(lines) if shape.back else lines))
    return shape.between.join(one for one in told if one)
