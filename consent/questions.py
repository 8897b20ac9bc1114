"""What both ends of the recommender's socket agree on about a permit: its type, life, and the hash of a question."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from keys.text import b64, canonical

TYP: Final = "kluis-suggest+jwt"
LIFE: Final = 30
"""Seconds a permit may be used: longer than a question waits, shorter than a thief needs."""
CITIZEN: Final = "citizen"
"""Who asks, when it is she herself in her own session; else it is an app's client id."""


def digest(question: Mapping[str, Any]) -> str:
    """The hash of a question as both sides see it: everything but its permit. ValueError for what is not JSON."""
    return b64(sha256(canonical({name: value for name, value in question.items() if name != "permit"})).digest())
