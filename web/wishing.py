"""What the citizen wishes of her suggestions, as her own pages read and change it in her unlocked session.

It lies sealed in her pod (`recommender.wishes`): reading it here leaves her own line in the log, and a citizen who
never decided anything has nothing there, so that nothing is opened.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, time
from typing import Any, Final

import orjson

from consent import answers, compartments, gate
from consent.accounts.sessions import SessionFacts
from consent.categories import CATEGORIES
from recommender.errors import BadData
from recommender.sources.items import CONTEXT
from recommender.wishes import BEGUN, DIAL, KINDS, OFTENEST, WISHES, Weekly, Wishes, changed, wishes
from vault import door, store
from vault.errors import Denied, NoCompartment, Stale
from vault.vault import Vault

MEDIA: Final = "application/ld+json"
CURIE: Final = "kluis:Derived"
NOTE: Final = "wishes"
TRIES: Final = 4
Change = Callable[[Wishes], Wishes]


async def of(vault: Vault, session: SessionFacts, now: datetime) -> Wishes:
    """Her wishes; `BEGUN` when she never decided. What is damaged counts as everything off."""
    return (await _stored(vault, session, now))[0]


async def change(vault: Vault, session: SessionFacts, one: Change, now: datetime) -> Wishes:
    """Change them, whoever else changes them meanwhile. Raises BadData for what cannot be wished."""
    for _ in range(TRIES):
        before, version = await _stored(vault, session, now)
        after = one(before)
        try:
            await keep(vault, session, WISHES, _body(after), now, "absent" if version is None else version)
        except Denied as refused:
            if refused.reason not in ("precondition", "exists"):
                raise
        else:
            return after
    raise Stale(f"{TRIES} times another page was faster")


async def keep(
    vault: Vault,
    session: SessionFacts,
    path: str,
    body: Mapping[str, Any],
    now: datetime,
    expected: int | str | None = None,
    note: str = NOTE,
) -> None:
    """Store something in the sealed compartment of her suggestions, which is made if she has none."""
    try:
        permit, _ = gate.own(session, "derived", "write", path, note=note)
        await store.write(vault, permit, path, MEDIA, orjson.dumps(body), now, expected)
    except NoCompartment:
        await compartments.add(vault, session, "derived", CURIE, now)
        permit, _ = gate.own(session, "derived", "write", path, note=note)
        await store.write(vault, permit, path, MEDIA, orjson.dumps(body), now, expected)


async def _stored(vault: Vault, session: SessionFacts, now: datetime) -> tuple[Wishes, int | None]:
    if store.version_of(vault, session.pod, WISHES) is None:
        return BEGUN, None
    permit, keys = gate.own(session, "derived", "read", WISHES, note=NOTE)
    found = await door.read(vault, permit, keys, WISHES, now)
    if found.kind != "resource":
        return BEGUN, None
    body = answers.record(found.body) or {}
    try:
        return wishes(body.get("kluis:wishes") or {}), found.version
    except (BadData, AttributeError, TypeError):
        return Wishes(), found.version


def _body(of_hers: Wishes) -> dict[str, Any]:
    named = {"@id": "", "@type": "kluis:Wishes", "schema:name": "Wat je wenst van je suggesties"}
    return {"@context": CONTEXT, **named, "kluis:wishes": of_hers.to_json()}


# ------------------------------------------------------------ one form, one decision


def stepped(step: str, said: Mapping[str, str], now: datetime) -> Change:
    """What one form of her page changes. Raises BadData for a form of another page or a value that cannot be."""
    try:
        made = _STEPS[step]
    except KeyError:
        raise BadData("this page has no such button") from None
    return made(said, now)


def _kind(said: Mapping[str, str], _now: datetime) -> Change:
    return _switched("kinds", _one_of(said, KINDS), on=said.get("on") == "yes")


def _medium(said: Mapping[str, str], _now: datetime) -> Change:
    return _switched("media", _text(said), on=said.get("on") != "yes")


def _category(said: Mapping[str, str], _now: datetime) -> Change:
    return _switched("categories", _one_of(said, tuple(CATEGORIES)), on=said.get("on") != "yes")


def _hide(said: Mapping[str, str], _now: datetime) -> Change:
    return _switched("hidden", _text(said), on=said.get("on") == "yes")


def _switched(member: str, name: str, *, on: bool) -> Change:
    def switch(old: Wishes) -> Wishes:
        held = getattr(old, member) - {name}
        return replace(old, **{member: held | {name} if on else held})

    return switch


def _dial(said: Mapping[str, str], _now: datetime) -> Change:
    leaps = _number(said.get("dial", ""), DIAL)
    return lambda old: replace(old, dial=leaps)


def _trait(said: Mapping[str, str], _now: datetime) -> Change:
    trait, how = _text(said), said.get("how", "")
    return lambda old: changed(old, trait, how)


def _weekly(said: Mapping[str, str], _now: datetime) -> Change:
    try:
        quiet = time.fromisoformat(said.get("from", "")), time.fromisoformat(said.get("until", ""))
    except ValueError:
        raise BadData("quiet hours are times of the day") from None
    weekly = Weekly(_number(said.get("most", ""), OFTENEST), *(one.replace(tzinfo=None) for one in quiet))
    return lambda old: replace(old, weekly=weekly)


def _reset(_said: Mapping[str, str], now: datetime) -> Change:
    return lambda _old: replace(BEGUN, since=f"{now:%Y-%m-%dT%H:%M:%SZ}")


_STEPS: Final[Mapping[str, Callable[[Mapping[str, str], datetime], Change]]] = {
    "kind": _kind,
    "medium": _medium,
    "category": _category,
    "hide": _hide,
    "dial": _dial,
    "trait": _trait,
    "weekly": _weekly,
    "reset": _reset,
}


def _text(said: Mapping[str, str]) -> str:
    name = said.get("name", "").strip()
    if not 0 < len(name) <= 200:
        raise BadData("the form names nothing")
    return name


def _one_of(said: Mapping[str, str], known: tuple[str, ...]) -> str:
    if (name := said.get("name", "")) not in known:
        raise BadData("the form names something that is not there")
    return name


def _number(text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) == 1 and int(text) <= most):
        raise BadData(f"a whole number from 0 to {most} is needed")
    return int(text)
