"""What the page for taking away shows."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TakeAwayPage:
    """`/me/take-away`. `fewest`: characters a passphrase must have; `failed`: the last was none or not repeated."""

    fewest: int
    failed: bool = False
