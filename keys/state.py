"""Control data: what the live server must read without any citizen, sealed per column under the custodian's key.

This module opens contexts of kind `state` and no other, so it is no way round the door.
"""

import hmac

from keys.context import ctx
from keys.seal import seal
from keys.secret import ControlKey, NamesKey, ReceiptKey, Share, StateKey, derive
from keys.unseal import unseal

Column = StateKey | ControlKey | ReceiptKey
"""What a column may be sealed under: the server's key, a pod's, or one that an app alone keeps."""


def lookup(state: StateKey, domain: str, text: str) -> bytes:
    """Give the 32 bytes of a look-up column for a name or an address: HMAC-SHA256 under a key per domain."""
    with derive(state, ctx("lookup", domain)) as key:
        return hmac.digest(key.view(), text.encode(errors="surrogatepass"), "sha256")


def control_key(state: StateKey, custody_share: Share, pod: bytes) -> ControlKey:
    """Make the key of one pod's control data; it dies with the pod's custody share."""
    return derive(state, ctx("control", pod), custody_share, ControlKey)


def names_key(state: StateKey, pod: bytes) -> NamesKey:
    """Make the key that turns the paths of one pod into resource ids."""
    return derive(state, ctx("names", pod), kind=NamesKey)


def resource_id(names: NamesKey, path: str) -> bytes:
    """Give the id (16 bytes) of a canonical path: HMAC-SHA256 cut to 16, so that the database holds no path."""
    return hmac.digest(names.view(), path.encode(errors="surrogatepass"), "sha256")[:16]


def seal_column(key: Column, table: str, row: bytes, column: str, data: bytes) -> bytes:
    """Seal one column of one row."""
    return seal(key, ctx("state", table, row, column), data)


def open_column(key: Column, table: str, row: bytes, column: str, sealed: bytes) -> bytes:
    """Open one column of one row. Raises Damaged if it was altered or belongs to another row, column or pod."""
    return unseal(key, ctx("state", table, row, column), sealed)
