"""`kluis demo tamper`: change one stored line of a demo city behind the server's back, to see who notices."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from keys.custody import custodian
from keys.secret import StateKey
from keys.state import lookup
from web import city
from web.demo import DemoError

LINES = """
SELECT r.idx, r.seq, CAST(r.sealed AS BLOB) FROM record r JOIN pod p ON p.id = r.pod WHERE p.name_mac = ? ORDER BY r.seq
"""


@dataclass(frozen=True, slots=True)
class Tampered:
    """What was changed: the line `line` of the log of `pod`, which is entry `entry` of the whole log."""

    pod: str
    line: int
    entry: int


def tamper(data: Path, pod: str = city.PEOPLE[0].pod or "") -> Tampered:
    """Turn one bit in the middle line of a citizen's log, past a server that runs or not. Raises DemoError.

    Nothing but a finished demo city is ever touched.
    """
    if not city.seeded(data / "demo"):
        raise DemoError(f"{data} is not a demo city; nothing was changed")
    path = data / "vault" / "kluis.db"
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=30)) as db, db:
            lines = db.execute(LINES, (lookup(state_key(data), "pod", pod),)).fetchall()
            if not lines:
                raise DemoError(f"nobody in this city has a log under the name {pod}; nothing was changed")
            index, line, sealed = lines[len(lines) // 2]
            bent = sealed[:-1] + bytes([sealed[-1] ^ 1])
            db.execute("UPDATE record SET sealed = ? WHERE idx = ?", (bent, index))
    except sqlite3.Error as error:
        raise DemoError(f"{path} cannot be changed: {error}") from None
    return Tampered(pod, line, index)


def state_key(data: Path) -> StateKey:
    """The server's key of control data, which lies beside the data in a demo city and nowhere else."""
    return custodian(f"file:{data / 'custodian'}").state_key()
