"""Declared copies of what contributors gave: one file a pod, readable by the owner alone, gone when she stops."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recommender.errors import BadData
from recommender.wallet import write_private

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Copies:
    """The folder of copies. One process writes it; a crash leaves a copy whole or not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def pods(self) -> set[str]:
        """Whose copies there are."""
        return {path.stem for path in self._folder.glob("*.json")}

    def keep(self, pod: str, records: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Replace the copy of a pod; durable when this returns."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self._path(pod), {category: list(rows) for category, rows in records.items()})

    def drop(self, pod: str) -> bool:
        """Delete the copy of a pod; whether there was one."""
        path = self._path(pod)
        there = path.exists()
        path.unlink(missing_ok=True)
        return there

    def read(self) -> dict[str, dict[str, list[dict[str, Any]]]]:
        """All copies by pod, in the order of the names. Raises BadData naming the file that is damaged."""
        found = {}
        for pod in sorted(self.pods):
            try:
                told = json.loads(self._path(pod).read_text(encoding="utf-8"))
                found[pod] = {str(c): [r for r in rows if isinstance(r, dict)] for c, rows in told.items()}
            except (OSError, ValueError, AttributeError, TypeError) as error:
                raise BadData(f"{self._path(pod)}: not a copy ({error})") from error
        return found

    def _path(self, pod: str) -> Path:
        if not _NAME.fullmatch(pod):
            raise BadData("pod is not the name of a pod")
        return self._folder / f"{pod}.json"
