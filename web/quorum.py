"""Whether a log that was checked from outside also has the cosignatures that a policy asks for (C2SP tlog-policy)."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from federation.policy import Policy, log_key, read_policy
from keys.cosign import cosignatures
from keys.errors import KeysError
from keys.note import open_note
from web.verify import LogBroken, Verified

PAUSE = 3.0  # seconds; a head that was published this very second waits for its cosignatures
TRIES = 2


def read_cosigned(read: Callable[[], Verified], policy: Path) -> tuple[Verified, int]:
    """The log, checked by `read`, and how many witnesses of the policy file signed its head; tried again if too few.

    Raises LogBroken, BadPolicy or OSError.
    """
    demanded = read_policy(policy.read_text(encoding="utf-8"))
    log = read()
    for _ in range(TRIES):
        with suppress(LogBroken):
            return log, check_quorum(log, demanded)
        time.sleep(PAUSE)
        log = read()
    return log, check_quorum(log, demanded)


def check_quorum(log: Verified, policy: Policy) -> int:
    """Demand a quorum under the head of every shard; how many witnesses signed the newest. Raises LogBroken.

    A policy that names logs speaks for those alone, and for the keys that theirs handed over to in this very log.
    """
    signed = 0
    for shard in log.shards:
        origin = shard.head.origin
        try:
            if policy.logs:
                open_note(shard.note, _named(log, policy, origin))
            found = cosignatures(shard.note, [witness.vkey for witness in policy.witnesses])
        except KeysError as error:
            raise LogBroken(f"the head of {origin} is not as the policy demands: {error}") from None
        if not policy.met([one.vkey for one in found]):
            raise LogBroken(
                f"the head of {origin} at {shard.head.size} entries has {len(found)} of "
                f"{len(policy.witnesses)} witnesses' cosignatures; the policy asks for {policy.needed} or more"
            )
        signed = len(found)
    return signed


def _named(log: Verified, policy: Policy, origin: str) -> list[str]:
    """The keys that may sign this half-year: those that the policy names with their heirs; of the newest the last."""
    followed = [log.keys(key) for key in log_key(policy.logs, origin)]
    return [key for keys in followed for key in (keys[-1:] if origin == log.head.origin else keys)]
