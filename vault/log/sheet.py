"""The DPO records of the entries of one batch, sealed together: one seal and one row for all of them.

What several records say in the same words is written once. The form, before it is sealed, repeats for each text:
length (u32be), the text, how many entries have it (u32be), and for each of these its index (u64be) and the 32-byte
nonce of its commitment, which stays its own.
"""

from collections.abc import Iterable

NONCE = 32
_ONE = 8 + NONCE
Told = dict[bytes, list[bytes]]  # per text: index and nonce of each entry


def add(told: Told, index: int, nonce: bytes, text: bytes) -> None:
    """Note the DPO record of one entry."""
    one = index.to_bytes(8, "big") + nonce
    if (found := told.get(text)) is None:
        told[text] = [one]
    else:
        found.append(one)


def pack(told: Told) -> bytes:
    """All of them as bytes."""
    parts: list[bytes] = []
    for text, ones in told.items():
        parts += [len(text).to_bytes(4, "big"), text, len(ones).to_bytes(4, "big"), *ones]
    return b"".join(parts)


def first(told: Told) -> int:
    """The lowest index of an entry on it."""
    return min(int.from_bytes(ones[0][:8], "big") for ones in told.values())


def unpack(data: bytes) -> dict[int, tuple[bytes, bytes]]:
    """By the index of the entry: nonce and text of its DPO record. Raises ValueError for another form."""
    found, at = dict[int, tuple[bytes, bytes]](), 0
    while at < len(data):
        text, at = _field(data, at, 1)
        ones, at = _field(data, at, _ONE)
        found |= {index: (nonce, text) for index, nonce in _each(ones)}
    return found


def _field(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    """A number of things of one size, and where they end."""
    begin = at + 4
    end = begin + size * int.from_bytes(data[at:begin], "big")
    if end > len(data) or begin > len(data):
        raise ValueError("a sheet that is cut")
    return data[begin:end], end


def _each(ones: bytes) -> Iterable[tuple[int, bytes]]:
    for at in range(0, len(ones), _ONE):
        yield int.from_bytes(ones[at : at + 8], "big"), ones[at + 8 : at + _ONE]
