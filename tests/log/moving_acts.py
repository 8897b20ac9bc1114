"""Somebody's pod arrives from another server, and she uses her invitation."""

from itertools import count
from typing import Any, Final

import orjson

from keys.unlock import new_code
from tests.log.acts import Act, ok, operates, without_token
from tests.log.stage import UNREADABLE, Line, Stage

PHRASE = "een eigen lange wachtzin"
ROOT = "http://localhost:8400/pods/"
NAMES = (f"anna{number}" for number in count())
ACL = "http://www.w3.org/ns/auth/acl#"
NOTE = ["/notes/a.txt", "text/plain", 1, 0]


def origin(name: str) -> str:
    """The address that a pod had."""
    return f"https://oud.example/{name}/"


def load(name: str, *resources: Any, **head: Any) -> bytes:
    """A load as the operator's program packs it, each body one letter."""
    rule = (f"<#o> a <{ACL}Authorization>; <{ACL}agent> <{ROOT}{name}/profile/card#me>; "
            f"<{ACL}accessTo> <{ROOT}{name}/>; <{ACL}mode> <{ACL}Control>.")  # fmt: skip
    told = {"name": name, "from": origin(name), "source": "css", "whole": True, "codes": [], "containers": [],
            "lists": {"/": rule}}  # fmt: skip
    made = orjson.dumps({**told, "resources": resources, **head})
    return len(made).to_bytes(4, "big") + made + b"x" * len(resources)


async def _arrived(stage: Stage, *, whole: bool = True) -> tuple[str, list[str]]:
    codes, name = [new_code(), new_code()], next(NAMES)
    body = load(name, NOTE, codes=codes, whole=whole)
    await ok(stage.operator("POST", "/api/operator/arrivals", content=body))
    return name, codes


async def arrives(stage: Stage) -> None:
    await stage.begin()
    await _arrived(stage)


async def goes_on(stage: Stage) -> None:
    """A pod that came in part goes on; what is there already leaves no second line."""
    name, _ = await _arrived(stage, whole=False)
    await stage.begin()
    more = load(name, NOTE, ["/notes/b.txt", "text/plain", 1, 0])
    await ok(stage.operator("POST", "/api/operator/arrivals", content=more))


def is_refused(status: int, *resources: Any, **head: Any) -> Act:
    """A load that is not taken."""

    async def act(stage: Stage) -> None:
        await stage.begin()
        sent = stage.operator("POST", "/api/operator/arrivals", content=load(next(NAMES), *resources, **head))
        await ok(sent, status)

    return act


def accepts(right: bool, status: int, user: str = "") -> Act:
    """She uses her invitation, or something that is none."""

    async def act(stage: Stage) -> None:
        name, codes = await _arrived(stage)
        await stage.begin()
        fields = {"user": user or name, "code": codes[1] if right else new_code()}
        sent = stage.form("/login/invitation", "/login/invitation", passphrase=PHRASE, again=PHRASE, **fields)
        await ok(sent, status)

    return act


ACCEPTED = 26  # tried, logged in, two ways added, two taken away, and the sealed compartments made
STRANGER = Line("denial", "operate", "denied", "role", count=1, whose="office")
LEAVES: Final[dict[str, list[tuple[Act, list[Line]]]]] = {
    # The log of a pod that arrived is read by its citizen alone: tests/web/test_moving_in.py has its lines.
    "POST /api/operator/arrivals": [
        (arrives, [UNREADABLE]), (goes_on, [UNREADABLE]),
        (is_refused(422, ["/a/../b", "text/plain", 1, 0], codes=[new_code(), new_code()]), []),
        (is_refused(422, ["/a.ttl", "text/turtle", 2, 0]), []),
        (without_token("POST", "/api/operator/arrivals", 404), [STRANGER])],
    "POST /api/operator/arrivals/names": [
        (operates("/api/operator/arrivals/names", json={"anna": origin("anna")}), []),
        (without_token("POST", "/api/operator/arrivals/names", 404), [STRANGER])],
    "POST /login/invitation": [
        (accepts(True, 200), [UNREADABLE] * ACCEPTED), (accepts(False, 400), [UNREADABLE] * 2),
        (accepts(True, 400, "niemand"), [
            Line(kind, "login", "denied", "wrong_invitation", whose="office") for kind in ("unlock", "denial")])],
}  # fmt: skip
