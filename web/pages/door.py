"""What the consent page says about showing who one is, beside the request itself (web.stepup fills it in)."""

from dataclasses import dataclass
from typing import Literal

Missing = Literal["explicit", "passkey", "again", "proof"]


@dataclass(frozen=True)
class Door:
    """`options`: what the browser asks a passkey for, "" without one or where none is asked; `needed`: nothing can be
    allowed without it; `again`: she showed who she is too long ago; `failed`: what was missing from her last answer;
    `user`: the name she logs in with, for her password keeper.
    """

    options: str = ""
    needed: bool = False
    again: bool = False
    failed: Missing | Literal[""] = ""
    user: str = ""

    @property
    def shut(self) -> bool:
        """Whether she cannot allow this here and now."""
        return self.needed and not self.options
