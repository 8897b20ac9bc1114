"""Access control lists: who keeps control, what a write compares, and that a list is parsed once."""

from dataclasses import replace
from functools import partial

import pytest

from tests.conftest import BASE, Clock
from tests.vault.test_door import two
from vault import acls, pod as pods
from vault.errors import Conflict, Denied, NotMinted
from vault.log.entry import Facts
from vault.mint import demand, mint
from vault.permit import Permit
from vault.pod import Blueprint
from vault.solid.policy import NOBODY
from vault.solid.rdf import BadRdf
from vault.solid.wac import owner_acl
from vault.stamps import unchanged
from vault.tables import Acl
from vault.vault import PodFacts, Vault

ROOT = f"{BASE}/pods/an"
OWNER = f"{ROOT}/profile/card#me"
OTHER = "https://elsewhere.example/#me"
MINE = owner_acl(OWNER, f"{ROOT}/")
WIDE = owner_acl(OWNER, f"{ROOT}/public/", ("read", "write"))
NARROW = owner_acl(OWNER, f"{ROOT}/public/")


@pytest.fixture
async def an(vault: Vault, clock: Clock) -> PodFacts:
    await pods.found_office(vault, two(b"ab"), clock())
    plan = Blueprint({}, acls=(("/", MINE), ("/public/", WIDE)))
    return await pods.create(vault, "an", "citizen", two(b"cd"), plan, clock())


def control(pod: PodFacts, path: str, seen: acls.Effective | None = None) -> Permit:
    facts = Facts("access", "control", rule="wac", resources=(path,))
    covers, stamp = (seen.covers, seen.stamp) if seen else ((), b"")
    return mint(Permit(pod.id, facts, (pod.compartment("public"),), None, writes=True, covers=covers, stamp=stamp))


@pytest.mark.parametrize(
    "turtle",
    [
        owner_acl(OTHER, f"{ROOT}/"),
        owner_acl(OWNER, f"{ROOT}/public/"),
        MINE.replace(b"acl:Control", b"acl:Read"),
        MINE.replace(b"acl:agent", b"acl:agentGroup"),
        b"",
    ],
    ids=["another", "another place", "no control", "a group", "empty"],
)
async def test_the_root_list_never_takes_control_from_the_pods_owner(
    vault: Vault, clock: Clock, an: PodFacts, turtle: bytes
) -> None:
    with pytest.raises(Denied, match="no_control"):
        await acls.put(vault, control(an, "/"), "/", turtle, clock())
    assert acls.stored(vault, an, "/") == MINE
    both = MINE + owner_acl(OTHER, f"{ROOT}/").replace(b"#owner", b"#other")
    await acls.put(vault, control(an, "/"), "/", both, clock())
    assert acls.stored(vault, an, "/") == both


ACR = (
    "@prefix acp: <http://www.w3.org/ns/solid/acp#> . @prefix acl: <http://www.w3.org/ns/auth/acl#> . "
    f"<> a acp:AccessControlResource ; acp:accessControl <#c> . <#o> acp:agent <{OWNER}> . "
    "<#c> acp:apply <#p> . <#p> acp:allow acl:Read, acl:Write, acl:Control ; acp:allOf <#o> . "
)


@pytest.mark.parametrize(
    "more",
    [
        "<#p> acp:allOf [ acp:client <https://app.example/id> ] .",
        "<#p> acp:noneOf [ acp:vc <urn:e:Any> ] .",
        "<#c> acp:apply [ acp:deny acl:Control ; acp:anyOf [ acp:client acp:AuthenticatedClient ] ] .",
        "<#c> acp:access [ acp:deny acl:Write ; acp:anyOf [ acp:agent acp:PublicAgent ] ] .",
        "<> acp:resource <https://elsewhere.example/> .",
    ],
    ids=["one app", "unless proven", "no app", "not written", "another place"],
)
async def test_no_control_resource_of_the_root_takes_control_from_the_pods_owner(
    vault: Vault, clock: Clock, an: PodFacts, more: str
) -> None:
    vault.access = "acp"
    with pytest.raises(Denied, match="no_control"):
        await acls.put(vault, control(an, "/"), "/", (ACR + more).encode(), clock())
    assert acls.stored(vault, an, "/") == MINE
    await acls.put(vault, control(an, "/"), "/", ACR.encode(), clock())
    assert acls.stored(vault, an, "/") == ACR.encode()


@pytest.mark.parametrize(
    "condition",
    ["a acl:ClientCondition ; acl:client <https://app.example/id>", f"a acl:IssuerCondition ; acl:issuer <{BASE}>", ""],
)
async def test_control_of_the_root_under_a_condition_is_not_control(
    vault: Vault, clock: Clock, an: PodFacts, condition: str
) -> None:
    narrowed = MINE + f"<#owner> acl:condition [ {condition} ] .".encode()
    with pytest.raises(Denied, match="no_control"):
        await acls.put(vault, control(an, "/"), "/", narrowed, clock())
    assert acls.stored(vault, an, "/") == MINE


async def test_a_list_is_replaced_and_removed_only_if_it_is_the_one_that_was_read(
    vault: Vault, clock: Clock, an: PodFacts
) -> None:
    put = partial(acls.put, vault, control(an, "/public/"), "/public/")
    read = acls.digest(acls.stored(vault, an, "/public/"))
    await put(NARROW, clock(), read)
    for stale in (read, acls.ABSENT):
        with pytest.raises(Denied, match="precondition"):
            await put(WIDE, clock(), stale)
        with pytest.raises(Denied, match="precondition"):
            await acls.remove(vault, control(an, "/public/"), "/public/", clock(), stale)
    assert acls.stored(vault, an, "/public/") == NARROW
    await acls.remove(vault, control(an, "/public/"), "/public/", clock(), acls.digest(NARROW))
    await put(WIDE, clock(), acls.ABSENT)
    assert acls.stored(vault, an, "/public/") == WIDE


async def test_a_list_of_more_than_64_kib_is_not_stored(vault: Vault, clock: Clock, an: PodFacts) -> None:
    def padded(size: int) -> bytes:
        return WIDE + b"#" * (size - len(WIDE))

    with pytest.raises(BadRdf, match="too_large"):
        await acls.put(vault, control(an, "/public/"), "/public/", padded(65_537), clock())
    await acls.put(vault, control(an, "/public/"), "/public/", padded(65_536), clock())


async def test_a_list_is_parsed_once_until_it_changes(
    vault: Vault, clock: Clock, an: PodFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed, parse = [], acls.read_document
    monkeypatch.setattr(acls, "read_document", lambda *given: parsed.append(given) or parse(*given))
    for path in ("/public/a", "/public/b", "/public/", "/public/a"):
        assert "write" in acls.effective(vault, an, path).modes(NOBODY, ROOT)
    assert len(parsed) == 2  # that of /public/, and that of the root above it
    await acls.put(vault, control(an, "/public/"), "/public/", NARROW, clock())
    assert acls.effective(vault, an, "/public/a").modes(NOBODY, ROOT) == set()
    await acls.put(vault, control(an, "/public/"), "/public/", WIDE, clock())
    assert "write" in acls.effective(vault, an, "/public/a").modes(NOBODY, ROOT)


def test_parsed_lists_are_forgotten_when_they_are_too_many() -> None:
    held: acls._Parsed[list[int]] = acls._Parsed(100)
    made: list[int] = []

    def rules(number: int) -> None:
        held.get(bytes([number]), bytes(40), lambda: made.append(number) or made)

    for number in (1, 2, 1, 3, 1, 2):  # 3 puts out 2, the one not used for longest
        rules(number)
    assert made == [1, 2, 3, 2]


@pytest.mark.parametrize("path", ["/public/", "/"])
async def test_a_permit_no_longer_holds_when_a_list_it_rests_on_changed(
    vault: Vault, clock: Clock, an: PodFacts, path: str
) -> None:
    seen = acls.effective(vault, an, "/public/a")
    held = control(an, "/public/a", seen)
    unchanged(vault.db.read, held)
    unchanged(vault.db.read, control(an, "/public/a"))  # a grant's permit rests on no list
    await vault.db.write(lambda tx: tx.remove(Acl, id=an.resource(path)))
    with pytest.raises(Conflict, match="access changed"):
        unchanged(vault.db.read, held)
    with pytest.raises(Denied, match="access changed"):
        await acls.put(vault, held, "/public/a", WIDE, clock())
    assert acls.stored(vault, an, "/public/a") is None


async def test_a_list_made_nearer_ends_a_permit_too(vault: Vault, clock: Clock, an: PodFacts) -> None:
    held = control(an, "/public/a", acls.effective(vault, an, "/public/a"))
    await acls.put(vault, control(an, "/public/a"), "/public/a", owner_acl(OWNER, f"{ROOT}/public/a"), clock())
    with pytest.raises(Conflict, match="access changed"):
        unchanged(vault.db.read, held)


def test_the_stamp_is_under_the_permits_mark(an: PodFacts, vault: Vault) -> None:
    held = control(an, "/public/", acls.effective(vault, an, "/public/"))
    for changes in ({"stamp": bytes(32)}, {"covers": ()}):
        with pytest.raises(NotMinted):
            demand(replace(held, **changes))
