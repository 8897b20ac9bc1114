"""Answers kept for a moment, each under the state it rests on (`recommender.permits`): any change makes another state.

They are in memory only. What the vault tells of a grant drops everything of its pod at once.
"""

from datetime import datetime, timedelta
from typing import Any, Final

LONGEST: Final = timedelta(minutes=5)
MOST: Final = 2000


class Kept:
    """Answers by pod, state and question; the oldest goes when there are too many."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str], tuple[str, datetime, dict[str, Any]]] = {}

    def get(self, pod: str, state: str, question: str, now: datetime) -> dict[str, Any] | None:
        """The answer that was given under this very state not long ago; None without a state, for that is no grant."""
        found = self._answers.get((pod, question))
        if not state or found is None or found[0] != state or not timedelta(0) <= now - found[1] < LONGEST:
            return None
        return found[2]

    def put(self, pod: str, state: str, question: str, answer: dict[str, Any], now: datetime) -> None:
        """Keep an answer. Under no state nothing is kept."""
        self._answers.pop((pod, question), None)
        while len(self._answers) >= MOST:
            del self._answers[next(iter(self._answers))]
        if state:
            self._answers[pod, question] = (state, now, answer)

    def drop(self, pod: str) -> None:
        """Forget everything of a pod."""
        self._answers = {key: kept for key, kept in self._answers.items() if key[0] != pod}

    def holds(self, pod: str) -> bool:
        """Whether anything of a pod is kept."""
        return any(key[0] == pod for key in self._answers)
