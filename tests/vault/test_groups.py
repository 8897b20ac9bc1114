"""Groups: whom a list lets in because a document of the pod says so, without opening that document."""

import pytest

from tests.conftest import BASE, Clock
from tests.vault.test_acls import MINE, NARROW, ROOT, control
from tests.vault.test_door import two
from vault import acls, groups, pod as pods, store
from vault.errors import Conflict
from vault.log.entry import Facts
from vault.mint import mint
from vault.permit import Permit
from vault.pod import Blueprint
from vault.solid.policy import Asker
from vault.solid.rdf import TURTLE, BadRdf
from vault.stamps import unchanged
from vault.tables import Acl
from vault.vault import PodFacts, Vault

BO, EVA = "https://bo.example/#me", "https://eva.example/#me"
PEOPLE = f"{ROOT}/public/people"
HEAD = "@prefix v: <http://www.w3.org/2006/vcard/ns#> . "
LIST = (
    NARROW
    + (
        f"<#us> a acl:Authorization ; acl:agentGroup <{PEOPLE}#us> ; acl:default <{ROOT}/public/> ; "
        f"acl:accessTo <{ROOT}/public/> ; acl:mode acl:Read ."
    ).encode()
)


@pytest.fixture
async def an(vault: Vault, clock: Clock) -> PodFacts:
    await pods.found_office(vault, two(b"ab"), clock())
    plan = Blueprint({}, acls=(("/", MINE), ("/public/", NARROW)))
    return await pods.create(vault, "an", "citizen", two(b"cd"), plan, clock())


def people(*who: str, name: str = "#us") -> bytes:
    return (HEAD + f"<{name}> a v:Group . " + " ".join(f"<{name}> v:hasMember <{one}> ." for one in who)).encode()


async def write(
    vault: Vault, clock: Clock, pod: PodFacts, body: bytes, path: str = "/public/people", *, controls: bool = True
) -> None:
    facts = Facts("access", "write", rule="wac", resources=(path,))
    cell = pod.compartment(path[1:].partition("/")[0])
    permit = mint(Permit(pod.id, facts, (cell,), None, writes=True, controls=controls))
    await store.write(vault, permit, path, TURTLE, body, clock())


def readers(vault: Vault, pod: PodFacts) -> list[str]:
    seen = acls.effective(vault, pod, "/public/a")
    return [who for who in (BO, EVA) if "read" in seen.modes(Asker(who), ROOT)]


async def test_a_group_lets_in_its_members_as_they_are_now(vault: Vault, clock: Clock, an: PodFacts) -> None:
    await acls.put(vault, control(an, "/public/"), "/public/", LIST, clock())
    assert readers(vault, an) == []
    await write(vault, clock, an, people(BO))
    assert readers(vault, an) == [BO]
    await write(vault, clock, an, people(EVA))
    assert readers(vault, an) == [EVA]
    await write(vault, clock, an, b"<#us> <http://www.w3.org/2006/vcard/ns#hasM\\u0065mber> <https://bo.example/#me> .")
    assert readers(vault, an) == []


async def test_who_may_write_a_document_and_not_say_who_comes_in_adds_nobody_to_a_group(
    vault: Vault, clock: Clock, an: PodFacts
) -> None:
    await acls.put(vault, control(an, "/public/"), "/public/", LIST, clock())
    await write(vault, clock, an, people(BO))
    await write(vault, clock, an, people(BO, EVA), controls=False)
    assert readers(vault, an) == []


async def test_who_is_taken_out_of_a_group_is_said_at_once_to_those_who_listen(
    vault: Vault, clock: Clock, an: PodFacts
) -> None:
    told: list[frozenset[bytes]] = []
    vault.db.shut = told.append
    await write(vault, clock, an, b"<#us> <urn:x> 1 .")
    assert told == []
    for body in (people(BO), people(EVA), b"<#us> <urn:x> 1 ."):
        await write(vault, clock, an, body)
    assert told == [frozenset({an.id})] * 3


async def test_a_deleted_document_leaves_an_empty_group(vault: Vault, clock: Clock, an: PodFacts) -> None:
    await acls.put(vault, control(an, "/public/"), "/public/", LIST, clock())
    await write(vault, clock, an, people(BO))
    facts = Facts("access", "delete", rule="wac", resources=("/public/people",))
    gone = mint(Permit(an.id, facts, (an.compartment("public"),), None, writes=True))
    await store.remove(vault, gone, "/public/people", clock())
    assert readers(vault, an) == []
    assert vault.db.read.get(Acl, groups.mark(an, "/public/people")) is None


async def test_a_document_speaks_for_its_own_groups_only(vault: Vault, clock: Clock, an: PodFacts) -> None:
    await acls.put(vault, control(an, "/public/"), "/public/", LIST, clock())
    await write(vault, clock, an, people(BO, name=f"{PEOPLE}#us"), "/public/others")
    assert readers(vault, an) == []


async def test_who_is_in_a_group_opens_nothing_and_is_sealed(vault: Vault, clock: Clock, an: PodFacts) -> None:
    await acls.put(vault, control(an, "/public/"), "/public/", LIST, clock())
    await write(vault, clock, an, people(BO))
    before = vault.log.ledger.tree.size
    assert readers(vault, an) == [BO]
    assert vault.log.ledger.tree.size == before
    row = vault.db.read.get(Acl, groups.mark(an, "/public/people"))
    assert row is not None and b"bo.example" not in row.sealed


async def test_what_can_be_sealed_is_never_read_for_a_group(vault: Vault, clock: Clock, an: PodFacts) -> None:
    await write(vault, clock, an, people(BO), "/settings/people")
    assert vault.db.read.get(Acl, groups.mark(an, "/settings/people")) is None


ELSEWHERE = (
    f"{ROOT}/settings/people#us",
    f"{ROOT}/public/people.meta#us",
    f"{ROOT}/public/%2e%2e/people#us",
    "https://elsewhere.example/people#us",
    f"{BASE}/pods/bo/public/people#us",
)


@pytest.mark.parametrize("group", ELSEWHERE)
async def test_a_list_that_names_a_group_nobody_reads_is_refused_with_the_reason(
    vault: Vault, clock: Clock, an: PodFacts, group: str
) -> None:
    with pytest.raises(BadRdf, match="group_elsewhere"):
        await acls.put(
            vault, control(an, "/public/"), "/public/", LIST.replace(f"{PEOPLE}#us".encode(), group.encode()), clock()
        )
    assert acls.stored(vault, an, "/public/") != LIST


async def test_a_group_in_the_list_itself_is_read_there(vault: Vault, clock: Clock, an: PodFacts) -> None:
    inside = LIST.replace(f"{PEOPLE}#us".encode(), b"#friends") + people(EVA, name="#friends")
    await acls.put(vault, control(an, "/public/"), "/public/", inside, clock())
    assert readers(vault, an) == [EVA]


async def test_a_permit_ends_when_a_group_behind_it_changes(vault: Vault, clock: Clock, an: PodFacts) -> None:
    await acls.put(vault, control(an, "/public/"), "/public/", LIST, clock())
    await write(vault, clock, an, people(BO))
    held = control(an, "/public/a", acls.effective(vault, an, "/public/a"))
    unchanged(vault.db.read, held)
    await write(vault, clock, an, people(EVA))
    with pytest.raises(Conflict, match="access changed"):
        unchanged(vault.db.read, held)


BAD = {
    "broken": people(BO) + b"<#x> a",
    "full": people(*(f"urn:p:{n}" for n in range(5001))),
    "long": people(BO) + b"#" * 300_000,
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_a_group_that_is_broken_or_too_big_holds_nobody(body: bytes) -> None:
    assert groups._members("/public/people", PEOPLE, TURTLE, body) == {}
    assert groups._members("/public/people", PEOPLE, TURTLE, people(BO)) == {f"{PEOPLE}#us": [BO]}
