"""What witnesses cosigned, kept outside the main database: a copy of an old database does not bring it back.

One file per log name with the last cosigned checkpoint, and `objection.json` once a witness has seen another tree.
Each is written whole or not at all and is on disk when the call returns.
"""

import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from federation.errors import Diverged
from federation.watch import Alarm
from keys.errors import Damaged
from keys.note import read_checkpoint, split

_OBJECTION = "objection.json"


class Remembered:
    """A folder that its owner alone can read; made when something is first kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, note: str) -> None:
        """Remember a cosigned checkpoint as the last one under its name."""
        origin = read_checkpoint(split(note)[0]).origin
        self._write(origin.replace("/", ",") + ".note", note)

    def notes(self) -> Iterator[str]:
        """Every checkpoint that is remembered. Raises Diverged if one cannot be read: nobody knows what it said."""
        for path in sorted(self.folder.glob("*.note")):
            note = path.read_text(encoding="utf-8", errors="replace")
            try:
                read_checkpoint(split(note)[0])
            except Damaged:
                raise Diverged(
                    f"{path} does not read; put it back from a copy, or delete it to trust the log"
                ) from None
            yield note

    def keep_objection(self, alarm: Alarm) -> None:
        """Remember that a witness has seen another tree, until somebody deletes the file."""
        told = {"kind": alarm.kind, "since": alarm.since.isoformat(), "detail": alarm.detail}
        self._write(_OBJECTION, json.dumps(told) + "\n")

    def objection(self) -> Alarm | None:
        """The objection that nobody has settled yet. Raises Diverged if the file does not read."""
        path = self.folder / _OBJECTION
        if not path.exists():
            return None
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            return Alarm(str(told["kind"]), datetime.fromisoformat(told["since"]), str(told["detail"]))
        except (ValueError, KeyError, TypeError):
            raise Diverged(f"{path} does not read; delete it once the log is known to be the true one") from None

    def _write(self, name: str, text: str) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self.folder / (name + ".new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.folder / name)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
