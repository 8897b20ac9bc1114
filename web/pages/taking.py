"""What the page for taking away shows."""

from dataclasses import dataclass
from typing import Final, Literal

REASONS: Final = {
    "exists": "daar staat al iets",
    "derived": "dat leiden we hier opnieuw af",
    "less sealed": "lag in een verzegeld vak, en dat is hier niet verzegeld",
}


@dataclass(frozen=True)
class Brought:
    """What a file brought back: how many resources, the paths left out with a key of REASONS, and the pod it is of."""

    stored: int
    left: tuple[tuple[str, str], ...]
    pod: str


@dataclass(frozen=True)
class TakeAwayPage:
    """`/me/take-away`. `fewest`: characters a passphrase must have; `failed`: the last was none or not repeated.

    `unproven`: the kit was asked for without a proof that holds; `confirm` as in SecurityPage.
    `refused`: a file did not come back, by its passphrase or by what is wrong with it (`why`); `brought`: one did.
    """

    fewest: int
    failed: bool = False
    unproven: bool = False
    confirm: str = ""
    refused: Literal["", "secret", "file"] = ""
    why: str = ""
    brought: Brought | None = None

    @property
    def left(self) -> list[tuple[str, str]]:
        """The paths left out, each with the reason in words."""
        return [(path, REASONS[why]) for path, why in self.brought.left] if self.brought else []
