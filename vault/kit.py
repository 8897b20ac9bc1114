"""The recovery kit: a pod's root itself, for its citizen to keep. Whoever holds it needs no share and no server.

What is made here is in clear; it leaves the server only inside a file in the age format (`keys.age`).
"""

import json
from dataclasses import dataclass
from datetime import datetime

from keys.errors import Damaged, KeysError
from keys.secret import Private, Root
from keys.sign import signer_public
from keys.text import b64, canonical, unb64
from vault.log.entry import Appended, Facts, Intent
from vault.pod import child
from vault.vault import PodFacts, Vault

FORMAT = "kluis/recovery-kit/v1"


@dataclass(frozen=True)
class Kit:
    """What a kit tells: the pod's id and name, its public identity key, where it lived, and its root."""

    pod: bytes
    name: str
    identity: bytes
    base: str
    root: Root


def write(pod: PodFacts, base: str, root: Root) -> bytes:
    """The kit of a pod, as RFC 8785 JSON: to be locked at once, never stored."""
    told = {"pod": b64(pod.id), "name": pod.name, "identity": b64(pod.identity), "root": b64(root.view())}
    return canonical({"format": FORMAT, "base": base, **told})


def read(data: bytes) -> Kit:
    """Read what `write` made; the caller wipes the root. Raises Damaged."""
    try:
        told = json.loads(data)
        if told["format"] != FORMAT:
            raise Damaged("not a recovery kit")
        ids = unb64(told["pod"]), str(told["name"]), unb64(told["identity"])
        return Kit(*ids, str(told["base"]), Root(unb64(told["root"])))
    except (ValueError, KeyError, TypeError, AttributeError, KeysError) as error:
        raise Damaged("not a recovery kit") from error


async def opens(vault: Vault, kit: Kit, now: datetime) -> bool:
    """Whether a kit is the root of the pod it names, as that pod lies here; an entry comes first.

    Proven by the pod's identity key, which hangs under the root and whose public half the vault knows.
    """
    pod = vault.pod_by_id(kit.pod)
    if pod is None:
        return False
    done = await vault.log.append(Intent(pod.id, Facts("unlock", "prove recovery kit", rule="recovery kit"), now))
    if not isinstance(done, Appended):
        return False
    ring = vault.keyring(pod)
    try:
        with child(vault, pod, kit.root, "identity", Private) as private:
            good = signer_public(private) == ring.identity == kit.identity  # type: ignore[arg-type]
    except KeysError:
        good = False
    if not good:
        rule = "old kit" if ring.follows(kit.identity) else "wrong kit"
        denied = Facts("denial", "prove recovery kit", "denied", rule)
        await vault.log.append(Intent(pod.id, denied, now))
    vault.log.served(done.index)
    return good
