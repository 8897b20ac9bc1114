"""The other side of `vault.solid.limited`: one process that reads, converts and patches RDF and can do nothing else.

It is started with an empty environment and holds no key. It takes one job after the other from its standard input: a
line of JSON, then the body. It answers with a line of JSON, then what came of it. A job that is too much for it ends
the process; who asked sees the pipe end.
"""

import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from vault.solid import changing, described, rdf
from vault.solid.changing import Protected
from vault.solid.patch import BadPatch, Unmet
from vault.solid.scan import BadRdf

TIRED: Final = 128 * 1024 * 1024  # bytes of memory still held after a body, from which on a fresh process takes over


def main() -> None:
    """Work until the input ends. Arguments: bytes of address space, CPU seconds of a job, bytes of an answer."""
    memory, seconds, answer = (int(one) for one in sys.argv[-3:])
    for what, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0)):
        resource.setrlimit(what, (most, most))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    while line := sys.stdin.buffer.readline():
        asked = json.loads(line)
        _allow(seconds)
        told, result = _do(asked, sys.stdin.buffer.read(asked["size"]), answer)
        told |= {"size": len(result), "tired": _held() > TIRED}
        sys.stdout.buffer.write(json.dumps(told).encode() + b"\n" + result)
        sys.stdout.buffer.flush()


def _allow(seconds: int) -> None:
    """So many more seconds of CPU; the kernel ends a process that takes them all."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime)
    resource.setrlimit(resource.RLIMIT_CPU, (used + seconds + 1, resource.RLIM_INFINITY))


def _held() -> int:
    """Bytes of memory in use now; the most that ever was used is no help, for it is inherited from who started us."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def _do(asked: dict[str, Any], body: bytes, most: int) -> tuple[dict[str, Any], bytes]:
    try:
        told, result = _JOBS[asked["job"]](asked, body)
    except BadRdf as bad:
        return _refused("rdf", bad.reason, bad.detail, bad.line), b""
    except BadPatch as bad:
        return _refused("patch", bad.reason, bad.detail), b""
    except Unmet as bad:
        return _refused("unmet", bad.reason), b""
    except Protected:
        return _refused("protected"), b""
    except MemoryError:
        return _refused("rdf", "too_costly", "more memory than one body gets"), b""
    if len(result) > most:
        return _refused("rdf", "too_costly", f"more than {most} bytes in this form"), b""
    return told, result


def _refused(kind: str, reason: str = "", detail: str = "", line: int | None = None) -> dict[str, Any]:
    return {"kind": kind, "reason": reason, "detail": detail, "line": line}


def _check(asked: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
    return {"count": rdf.check(body, asked["media"], asked["base"])}, b""


def _convert(asked: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
    return {}, rdf.convert(body, asked["media"], asked["to"], asked["base"])


def _protected(asked: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
    said = rdf.graph(body, asked["media"], asked["base"])
    return {"protected": described.protected(said, asked["about"])}, b""


def _modes(asked: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
    read = changing.read(body, asked["language"], asked["base"])
    return {"modes": sorted(read.modes), "empty": read.empty}, b""


def _patch(asked: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
    old, patch = body[: asked["old"]], body[asked["old"] :]
    read = changing.read(patch, asked["language"], asked["base"])
    return {}, changing.changed(read, old, asked["media"], asked["base"], asked["about"])


_JOBS: Final[dict[str, Callable[[dict[str, Any], bytes], tuple[dict[str, Any], bytes]]]] = {
    "check": _check,
    "convert": _convert,
    "protected": _protected,
    "modes": _modes,
    "patch": _patch,
}
