"""Control data as JSON in one sealed column of one row (keys.md, Three kinds of data)."""

from typing import Any

import orjson

from keys.secret import ControlKey, StateKey
from keys.state import open_column, seal_column


def put(key: StateKey | ControlKey, table: str, row: bytes, value: Any, column: str = "sealed") -> bytes:
    """Seal a JSON value for this row and column."""
    return seal_column(key, table, row, column, orjson.dumps(value))


def take(key: StateKey | ControlKey, table: str, row: bytes, sealed: bytes, column: str = "sealed") -> Any:
    """Open what `put` sealed. Raises keys.errors.Damaged if it was altered or belongs elsewhere."""
    return orjson.loads(open_column(key, table, row, column, sealed))
