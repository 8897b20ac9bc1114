"""Taking away: the citizen gets everything she has in a file that other programs open, and each step is in her log."""

import hashlib
import io
import json
import tarfile
from typing import Any

import httpx
import pyrage
import pytest

from consent import grants, takeaway
from consent.accounts import sessions
from keys import age
from keys.errors import Damaged
from keys.secret import Root
from keys.text import b64
from tests.house import ALL_INTERESTS, RECORDS, Household
from vault import kit
from vault.errors import Denied, LogUnavailable
from vault.log.append import Log
from vault.pod import compartments

PHRASE = "een lange zin voor dit bestand"


@pytest.fixture(autouse=True)
def _light(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(age, "WORK", 10)


async def post(house: Household, **fields: str) -> httpx.Response:
    same = {"sec-fetch-site": "same-origin", "cookie": f"kluis={house.cookie}"}
    form = {"csrf": house.session.csrf, "passphrase": PHRASE, "again": PHRASE} | fields
    return await house.http.post("/me/take-away", data=form, headers=same)


def unpacked(file: bytes) -> dict[str, bytes]:
    """The members of the tar in an age file, opened by programs that are not ours."""
    with tarfile.open(fileobj=io.BytesIO(pyrage.passphrase.decrypt(file, PHRASE))) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


async def test_everything_in_the_pod_goes_along_and_opens_in_other_programs(house: Household) -> None:
    await house.call(
        "PUT", "/pods/an/public/%C3%A9.txt", await house.jwt(), {"content-type": "text/plain"}, b"openbaar"
    )
    answer = await post(house, what="data")
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/age"
    assert "kluis.tar.age" in answer.headers["content-disposition"]
    assert b"geheim" not in answer.content
    found = unpacked(answer.content)
    told = json.loads(found["kluis.json"])
    for path, record in RECORDS.items():
        assert json.loads(found[f"pod{path}"]) == record
    assert b"openbaar" in found.values()
    assert found.keys() == {"kluis.json", *told["papers"], *(f"pod{one['path']}" for one in told["resources"])}
    for one in told["resources"]:
        body = found[f"pod{one['path']}"]
        assert (one["sha256"], one["size"]) == (hashlib.sha256(body).hexdigest(), len(body))
    rows = house.vault.db.read.run("SELECT count(*) FROM resource r JOIN body b ON b.id = r.id WHERE r.pod = :pod",
                                   pod=house.session.pod.id)  # fmt: skip
    assert len(told["resources"]) == rows[0][0]
    assert "acl:Control" in told["access"]["/"]


async def test_her_grants_receipts_and_log_go_along(house: Household) -> None:
    await house.grant(ALL_INTERESTS)
    found = unpacked((await post(house, what="data")).content)
    told = json.loads(found["kluis.json"])
    assert all(hashlib.sha256(found[name]).hexdigest() == digest for name, digest in told["papers"].items())
    receipts = {body for name, body in found.items() if name.startswith("receipts/")}
    kept = grants.kept_receipts(house.vault, house.session.pod)
    assert kept and receipts == {one.jws.encode() for one in kept}
    assert {one["id"] for one in json.loads(found["grants.json"])["grants"]} == {
        b64(one.id) for one in grants.listing(house.vault, house.session.pod)
    }
    log = b"".join(found[name] for name in sorted(found) if name.startswith("log/"))
    answer = await house.http.get("/api/log/export", headers={"cookie": f"kluis={house.cookie}"})
    lines, again = ([json.loads(line) for line in text.splitlines()] for text in (log.decode(), answer.text))
    assert len(lines) > 5 and lines[-1]["seq"] == len(lines) - 1
    assert [one.get("index") for one in lines] == [one.get("index") for one in again]


async def test_a_container_without_anything_in_it_goes_along(house: Household) -> None:
    link = {"link": '<http://www.w3.org/ns/ldp#BasicContainer>; rel="type"', "content-type": "text/turtle"}
    await house.call("PUT", "/pods/an/public/leeg/", await house.jwt(), link)
    told = json.loads(unpacked((await post(house, what="data")).content)["kluis.json"])
    assert {"/", "/public/", "/public/leeg/", "/loans/"} <= set(told["containers"])
    moved = pyrage.passphrase.decrypt((await post(house, what="solid")).content, PHRASE)
    with tarfile.open(fileobj=io.BytesIO(moved)) as tar:
        assert "an/public/leeg" in {member.name for member in tar if member.isdir()}


async def test_one_entry_per_compartment_stands_in_the_log_before_the_first_byte(house: Household) -> None:
    before = len(house.told())
    pieces = await takeaway.everything(house.vault, house.session, house.clock())
    fresh = house.told()[before:]
    assert len(fresh) == len(compartments(house.vault, house.session.pod))
    assert {(line["type"], line["action"], line["decision"]) for line in fresh} == {("access", "export", "allowed")}
    assert sum(line.get("count", 0) for line in fresh) >= len(RECORDS)
    assert [piece async for piece in pieces]


async def test_without_a_log_nothing_goes_out(house: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unavailable(*_: Any) -> None:
        raise LogUnavailable("full")

    monkeypatch.setattr(Log, "append", unavailable)
    for what in ("data", "kit"):
        answer = await post(house, what=what)
        assert answer.status_code == 503 and b"age-encryption" not in answer.content


async def test_an_ended_session_takes_nothing_along(house: Household) -> None:
    await sessions.end(house.vault, house.session, house.clock())
    for taking in (takeaway.everything, takeaway.recovery_kit):
        with pytest.raises(Denied):
            await taking(house.vault, house.session, house.clock())


async def test_a_session_that_ends_under_way_breaks_the_file_off(house: Household) -> None:
    for number in range(3):
        await house.keep(f"/loans/big{number}.jsonld", {"text": "x" * 70_000})
    pieces = await takeaway.everything(house.vault, house.session, house.clock())
    await sessions.end(house.vault, house.session, house.clock())
    with pytest.raises(Denied):
        _ = [piece async for piece in pieces]


async def test_a_file_that_broke_off_is_taken_for_whole_by_nobody(house: Household) -> None:
    answer = await post(house, what="data")
    for end in (len(answer.content) - 1, len(answer.content) - 300):
        with pytest.raises(pyrage.DecryptError):
            pyrage.passphrase.decrypt(answer.content[:end], PHRASE)


async def test_the_kit_holds_the_root_itself_and_is_proven_to_open_it(house: Household) -> None:
    answer = await post(house, what="kit", proof=house.codes[0])
    assert answer.status_code == 200 and "kluis-herstel.age" in answer.headers["content-disposition"]
    mine = kit.read(age.unlock(answer.content, passphrase=PHRASE))
    assert (mine.pod, mine.name, mine.base) == (house.session.pod.id, "an", house.vault.base)
    assert await kit.opens(house.vault, mine, house.clock())
    assert kit.read(pyrage.passphrase.decrypt(answer.content, PHRASE)).root == mine.root
    told = [(line["type"], line["action"]) for line in house.told()[-2:]]
    assert told == [("key event", "recovery kit"), ("unlock", "prove recovery kit")]


async def test_the_kit_of_another_pod_or_with_another_root_opens_nothing_and_leaves_a_denial(house: Household) -> None:
    mine = kit.read(await takeaway.recovery_kit(house.vault, house.session, house.clock()))
    other = kit.Kit(mine.pod, mine.name, mine.identity, mine.base, Root.fresh())
    assert not await kit.opens(house.vault, other, house.clock())
    assert house.told()[-1]["decision"] == "denied"
    swapped = kit.Kit(house.vault.office, mine.name, mine.identity, mine.base, mine.root)
    assert not await kit.opens(house.vault, swapped, house.clock())
    assert not await kit.opens(house.vault, kit.Kit(bytes(16), "x", b"", "", mine.root), house.clock())


async def test_who_got_hold_of_a_session_gets_no_kit_without_a_proof(house: Household) -> None:
    for proof in ("", "niet de goede zin", house.officer):
        answer = await post(house, what="kit", proof=proof)
        assert answer.status_code == 403 and b"age-encryption" not in answer.content
        assert "We konden niet nagaan of jij het bent" in answer.text
    assert not [line for line in house.told() if line["action"] == "recovery kit"]


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"format":"kluis/recovery-kit/v2"}',
                                  b'{"format":"kluis/recovery-kit/v1","pod":1}'])  # fmt: skip
def test_what_is_no_kit_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(Damaged):
        kit.read(data)


BAD_FORMS = (
    {"passphrase": "kort", "again": "kort"},
    {"again": "een andere lange zin"},
    {"passphrase": "x" * 2000, "again": "x" * 2000},
)


@pytest.mark.parametrize("fields", BAD_FORMS)
async def test_a_short_or_mistyped_passphrase_is_asked_again_and_opens_nothing(
    house: Household, fields: dict[str, str]
) -> None:
    before = len(house.told())
    answer = await post(house, what="data", **fields)
    assert answer.status_code == 400 and 'id="take-away"' in answer.text
    assert len(house.told()) == before


async def test_only_our_own_form_of_a_citizens_session_takes_anything(house: Household) -> None:
    assert (await post(house, what="data", csrf="x")).status_code == 403
    assert (await post(house, what="everything")).status_code == 400
    assert (await house.http.post("/me/take-away", data={"what": "data"})).status_code == 303
    page = await house.http.get("/me/take-away", headers={"cookie": f"kluis={house.cookie}"})
    assert page.status_code == 200 and 'name="what" value="kit"' in page.text
