"""Contexts: what a key or a sealed thing is for, as bytes in exactly one form.

Every derivation, envelope and letter takes a context, so that nothing sealed for one place ever opens in another.
The form is a sequence of u32be length + bytes, first for `kluis/<kind>/v1`, then for each field; the number and the
types of the fields are fixed per kind, so two different lists of fields never give the same bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from keys.errors import Misuse

Field = str | int | bytes


def _framed(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _id(value: Any) -> bytes:
    if type(value) is not bytes or len(value) != 16:
        raise Misuse("a field must be an id of 16 bytes")
    return b"\0\0\0\x10" + value


def _digest(value: Any) -> bytes:
    if type(value) is not bytes or len(value) != 32:
        raise Misuse("a field must be a digest of 32 bytes")
    return b"\0\0\0\x20" + value


def _row(value: Any) -> bytes:
    if type(value) is not bytes:
        raise Misuse("a field must be the bytes of a row id")
    return _framed(value)


def _text(value: Any) -> bytes:
    if type(value) is not str:
        raise Misuse("a field must be text")
    try:
        return _framed(value.encode())
    except UnicodeEncodeError as error:
        raise Misuse("a field must be well-formed text") from error


def _number(value: Any) -> bytes:
    if type(value) is not int or not 0 <= value < 1 << 64:
        raise Misuse("a field must be an integer of 64 bits without sign")
    return b"\0\0\0\x08" + value.to_bytes(8, "big")


@dataclass(frozen=True)
class _Word:
    """A text field that takes one of a few words; these words are part of the place (see `place`)."""

    words: frozenset[str]

    def __call__(self, value: Any) -> bytes:
        if type(value) is not str or value not in self.words:
            raise Misuse(f"a field must be one of {sorted(self.words)}")
        return _framed(value.encode())

    def read(self, data: bytes) -> str:
        """Read the word back. Raises Misuse for another one."""
        value = data.decode(errors="replace")
        self(value)
        return value


def _word(*words: str) -> _Word:
    return _Word(frozenset(words))


KINDS: dict[str, tuple[Callable[[Any], bytes], ...]] = {
    "unlock": (_id, _id, _text),  # pod, unlocker, kind
    "root": (_id, _word("rk", "mk", "custody"), _word("identity", "log", "mk", "msign")),  # pod, parent, child
    "ck": (_id, _word("sealed", "managed", "pair"), _id, _number),  # pod, custody, compartment, generation
    "gk": (_id, _id, _text, _id, _text, _text),  # pod, grant, token kind, handle, client, jkt
    # pod, grant, client, purpose code, purpose version, compartment, generation
    "ck-grant": (_id, _id, _text, _text, _text, _id, _number),
    "grant-pair": (_id, _id, _id),  # pod, grant, compartment
    # pod, compartment, generation, resource, version, form
    "dek": (_id, _id, _number, _id, _number, _word("own", "deposit")),
    "label": (_id, _id, _number),  # pod, resource, version
    "body": (_id, _id, _number, _digest),  # pod, resource, version, SHA-256 of the label envelope
    "segments": (_id, _id, _id),  # pod, resource, store: a body that came in by segments, under a key of its own
    "record-key": (_id, _text, _id),  # pod that receives it, origin, key id
    "old-log": (_id, _digest),  # pod, public half of the log key that was in use before
    "record": (_text, _id, _id),  # origin, key id, entry id
    "dpo-record": (_text, _id, _id),
    "session": (_id, _id, _id),  # pod, session handle, account row
    "state": (_text, _row, _text),  # table, row id, column
    "control": (_id,),  # pod: the key of its control data
    "names": (_id,),  # pod: the key of its resource ids
    "lookup": (_text,),  # domain of a look-up column
    "auth": (),  # what the database may know about a token's secret
    "code": (),  # a recovery code as a seed
    "prf": (_text,),  # host: what its passkeys are asked to turn into a seed
    "custodian": (_word("state", "custody"),),  # check value of a custodian's key
}

_HEADS = {kind: _framed(f"kluis/{kind}/v1".encode()) for kind in KINDS}
_KIND_OF = {head[4:]: kind for kind, head in _HEADS.items()}


def ctx(kind: str, *fields: Field) -> bytes:
    """Build the context of a kind: ids are 16 raw bytes, text is UTF-8, integers u64be. Raises Misuse."""
    shape = KINDS.get(kind)
    if shape is None or len(shape) != len(fields):
        raise Misuse(f"no context {kind!r} with {len(fields)} fields")
    return _HEADS[kind] + b"".join([encode(field) for encode, field in zip(shape, fields, strict=True)])


@lru_cache(maxsize=4096)  # contexts are public, and the same few belong to every request of a token
def place(context: bytes) -> tuple[str, ...]:
    """Read a context's kind and its fixed words, such as `("root", "custody", "mk")` or `("dek", "own")`.

    Raises Misuse for bytes that `ctx` did not make.
    """
    head, *fields = _unframed(context)
    kind = _KIND_OF.get(head, "")
    shape = KINDS.get(kind)
    if shape is None or len(shape) != len(fields):
        raise Misuse("not a context")
    return (kind, *(take.read(data) for take, data in zip(shape, fields, strict=True) if type(take) is _Word))


def _unframed(context: bytes) -> list[bytes]:
    parts, at = [], 0
    while at < len(context):
        end = at + 4 + int.from_bytes(context[at : at + 4], "big")
        parts.append(context[at + 4 : end])
        at = end
    if at != len(context) or not parts:
        raise Misuse("not a context")
    return parts
