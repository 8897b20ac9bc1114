"""One good list of fields for every kind of context, and every neighbour that differs in one field."""

from keys.context import ctx

POD, OTHER = bytes(range(16)), bytes(range(16, 32))
GRANT, HANDLE, PART, RESOURCE = b"g" * 16, b"h" * 16, b"p" * 16, b"r" * 16

FIELDS = {
    "unlock": (POD, HANDLE, "passphrase"),
    "root": (POD, "rk", "mk"),
    "ck": (POD, "sealed", PART, 1),
    "gk": (POD, GRANT, "kat", HANDLE, "client", "jkt"),
    "ck-grant": (POD, GRANT, "client", "dpv:Personalisation", "2026-11-01", PART, 1),
    "grant-pair": (POD, GRANT, PART),
    "dek": (POD, PART, 1, RESOURCE, 1, "own"),
    "segments": (POD, RESOURCE, PART),
    "label": (POD, RESOURCE, 1),
    "body": (POD, RESOURCE, 1, bytes(32)),
    "record-key": (POD, "kluis.test/log/2026h2", HANDLE),
    "old-log": (POD, b"\x0b" * 32),
    "record": ("kluis.test/log/2026h2", HANDLE, GRANT),
    "dpo-record": ("kluis.test/log/2026h2", HANDLE, GRANT),
    "session": (POD, HANDLE, RESOURCE),
    "state": ("account", b"row", "name"),
    "control": (POD,),
    "names": (POD,),
    "lookup": ("email",),
    "auth": (),
    "code": (),
    "prf": ("localhost",),
    "custodian": ("state",),
}
WORDS = {"rk": "custody", "mk": "msign", "sealed": "managed", "own": "deposit", "state": "custody"}


def all_contexts() -> list[bytes]:
    """Every kind as it is, and with each of its fields changed in turn."""
    found = []
    for kind, fields in FIELDS.items():
        found.append(ctx(kind, *fields))
        for at, field in enumerate(fields):
            found.append(ctx(kind, *fields[:at], _another(kind, field), *fields[at + 1 :]))
    return found


def _another(kind: str, field: str | int | bytes) -> str | int | bytes:
    if isinstance(field, int):
        return field + 1
    if isinstance(field, bytes):
        return bytes([field[0] ^ 1]) + field[1:]
    return WORDS[field] if kind in {"root", "ck", "dek", "custodian"} else field + "x"
