"""The permit: what the gate decided about one request, and nothing else opens the door.

Free to import as a type; only `vault.mint` makes one that the door accepts.
"""

from dataclasses import dataclass, field

from vault.log.entry import Facts, Guard


@dataclass(frozen=True, slots=True)
class Permit:
    """One decision. `targets` None means every resource of the compartments; paths are pod paths.

    `mark` is keyed: a permit that was widened with `dataclasses.replace` no longer fits it. Under access control
    `covers` are the ids of the lists that were looked for and `stamp` their state then (else both are empty), so that
    the write can compare it (`vault.stamps`). `controls`: whoever it is for may say who
    else comes in there. With `receipt`, a fresh key, the app can fetch a proof of the entry.
    """

    pod: bytes
    facts: Facts
    compartments: tuple[bytes, ...]
    targets: frozenset[str] | None = None
    guard: Guard | None = None
    jti: bytes | None = None
    jti_until: int = 0
    writes: bool = False
    controls: bool = False
    covers: tuple[bytes, ...] = ()
    stamp: bytes = b""
    receipt: bytes = field(default=b"", repr=False)
    mark: bytes = b""

    def body(self) -> bytes:
        """Everything that was decided, as bytes for the mark."""
        targets = None if self.targets is None else sorted(self.targets)
        told = (self.pod, self.facts, self.compartments, targets, self.guard, self.jti, self.jti_until, self.writes)
        return repr((*told, self.controls, self.covers, self.stamp, self.receipt)).encode()
