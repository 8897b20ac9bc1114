"""Packets: deposits that their source sealed itself, so that this server never sees what is in them (keys.md).

When one comes in, everything is checked that can be checked without a key. When it is opened, all the rest is: whoever
held the key to the box may have sealed anything, and what does not fit is a damaged item like any other.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import orjson

from keys.dropbox import check_letter
from keys.errors import KeysError
from keys.seal import plain_size
from keys.text import b64
from vault.blobs import LABEL_BLOCK, Label, padme
from vault.errors import BadPacket
from vault.solid.scan import JSON_LD, BadRdf, scan
from vault.vault import PodFacts

ENDING: Final = ".sealed.jsonld"
MARK: Final = 32  # bytes
LARGEST_LABEL: Final = 8 * LABEL_BLOCK
LARGEST_BODY: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Packet:
    """One sealed record: its path, the generation it is sealed to, and dek, label and body as keys.md says."""

    path: str
    generation: int
    dek: bytes
    label: bytes
    body: bytes


def path_of(container: str, source: str, mark: bytes) -> str:
    """The path of what a source names by `mark`: the same mark is the same thing. Raises BadPacket."""
    if len(mark) != MARK:
        raise BadPacket(f"a mark has {MARK} bytes")
    return f"/{container.strip('/')}/{source}-{b64(mark)}{ENDING}"


def check(packets: Iterable[Packet]) -> None:
    """See that every packet has the form and the padding that its door expects. Raises BadPacket naming the first."""
    seen: set[str] = set()
    for number, packet in enumerate(packets, 1):
        try:
            _form(packet)
        except KeysError as error:
            raise BadPacket(f"item {number}: {error}") from error
        except BadPacket as error:
            raise BadPacket(f"item {number}: {error}") from None
        if packet.path in seen:
            raise BadPacket(f"item {number}: its mark comes twice")
        seen.add(packet.path)


def _form(packet: Packet) -> None:
    check_letter(packet.dek)
    label, body = plain_size(packet.label), plain_size(packet.body)
    if not 0 < label <= LARGEST_LABEL or label % LABEL_BLOCK:
        raise BadPacket(f"a label is padded to a multiple of {LABEL_BLOCK} bytes, at most {LARGEST_LABEL}")
    if not 8 < body <= LARGEST_BODY or padme(body) != body:
        raise BadPacket(f"a body is padded to a Padme size, at most {LARGEST_BODY} bytes")


def examine(pod: PodFacts, resource: bytes, mark: bytes, label: Label, body: bytes | None) -> None:
    """See that what a source delivered is what its place says; `mark` tells the source. Raises ValueError.

    What the server sealed at intake is recognised by its path, which the keyed id proves, and was checked then.
    """
    if not examine_label(pod, resource, mark, label):
        return
    if body is None or label.media != JSON_LD or label.size != len(body):
        raise ValueError("the label does not fit the body")
    try:
        scan(body, JSON_LD)
    except BadRdf as error:
        raise ValueError(str(error)) from error
    if not isinstance(orjson.loads(body), dict):
        raise ValueError("the body is no record")  # noqa: TRY004 -- damage, whatever it is instead


def examine_label(pod: PodFacts, resource: bytes, mark: bytes, label: Label) -> bool:
    """The same of a label alone; whether its source sealed it. Raises ValueError."""
    if pod.resource(label.path) != resource:
        raise ValueError("the label is of another resource")
    if not label.path.endswith(ENDING):
        return False
    if pod.resource(f"source:{label.source}") != mark:
        raise ValueError("the label names another source")
    return True
