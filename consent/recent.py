"""A short memory of what was worked out a moment ago: never of a secret, a key or a decision."""

from collections import OrderedDict
from datetime import datetime
from typing import Generic, TypeVar

V = TypeVar("V")


class Recent(Generic[V]):
    """At most `most` values, each for `seconds` from when it was put; the oldest goes first. For one thread."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._kept: OrderedDict[bytes, tuple[float, V]] = OrderedDict()

    def get(self, key: bytes, now: datetime) -> V | None:
        """The value, unless it is too old; a clock that was set back forgets too."""
        since, value = self._kept.get(key, (float("inf"), None))
        return value if since <= now.timestamp() < since + self._seconds else None

    def put(self, key: bytes, value: V, now: datetime) -> None:
        """Remember a value from now on."""
        self._kept.pop(key, None)
        self._kept[key] = (now.timestamp(), value)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
