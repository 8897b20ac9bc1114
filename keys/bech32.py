"""Bech32 (BIP 173, without its limit of length): how age writes its keys, with a checksum against typing errors."""

from typing import Final

from keys.errors import WrongSecret

_ALPHABET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECK: Final = 6


def write(prefix: str, data: bytes) -> str:
    """Write bytes behind a prefix (lower case)."""
    words = _regroup(data, 8, 5)
    sum_ = _sum(prefix, [*words, *[0] * _CHECK]) ^ 1
    check = [sum_ >> 5 * at & 31 for at in reversed(range(_CHECK))]
    return f"{prefix}1{''.join(_ALPHABET[word] for word in [*words, *check])}"


def read(prefix: str, text: str) -> bytes:
    """Read 32 bytes behind this prefix, in upper or lower case but not mixed. Raises WrongSecret."""
    lower = text.lower()
    head, mark, tail = lower.rpartition("1")
    if text not in (lower, text.upper()) or not mark or head != prefix or not set(tail) <= set(_ALPHABET):
        raise WrongSecret(f"not a key that begins with {prefix}1")
    words = [_ALPHABET.index(letter) for letter in tail]
    if len(words) != 52 + _CHECK or _sum(prefix, words) != 1 or words[51] & 0b1111:
        raise WrongSecret("mistyped key")
    return bytes(_regroup(bytes(words[:52]), 5, 8))[:32]


def _regroup(data: bytes, old: int, new: int) -> list[int]:
    """Read groups of `old` bits as groups of `new` bits, the last one filled up with zeros."""
    bits = "".join(f"{group:0{old}b}" for group in data)
    return [int(bits[at : at + new].ljust(new, "0"), 2) for at in range(0, len(bits), new)]


def _sum(prefix: str, words: list[int]) -> int:
    total = 1
    for word in [*(ord(letter) >> 5 for letter in prefix), 0, *(ord(letter) & 31 for letter in prefix), *words]:
        top = total >> 25
        total = (total & 0x1FFFFFF) << 5 ^ word
        for at, generator in enumerate(_GENERATOR):
            total ^= generator if top >> at & 1 else 0
    return total
