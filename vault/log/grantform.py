"""What is signed when a grant is given: ids, version, moment, and a blinded commitment to the terms.

It stands on this floor because `vault.fsck` checks it, which knows neither terms nor keys.
"""

from typing import Final

from keys.text import b64, canonical

DOMAIN: Final = "kluis/grant/v1"


def message(pod: bytes, grant: bytes, version: int, created: int, blinded: bytes) -> bytes:
    """The signed bytes (RFC 8785)."""
    return canonical(
        {
            "format": DOMAIN,
            "pod": b64(pod),
            "grant": b64(grant),
            "version": version,
            "created": created,
            "commitment": b64(blinded),
        }
    )
