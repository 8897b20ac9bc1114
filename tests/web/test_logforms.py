"""Her log in the shapes of others: what AJ and IHE BALP demand is there, and everything she sees is told."""

import base64
import json
import xml.etree.ElementTree as ET

import pytest

from tests.conftest import BASE
from tests.house import ALL_INTERESTS, Household
from vault.log.views import Line
from web import logforms
from web.logstream import Shape

WEBID = f"{BASE}/pods/an/profile/card#me"
# Read from the profiles' own definitions: action, subtype, roles of client and server, number of entities.
ROLES = {
    "Read": ("R", "read", "110152", "110153"),
    "Query": ("E", "search-type", "110153", "110152"),
    "Create": ("C", "create", "110153", "110152"),
    "Update": ("U", "update", "110153", "110152"),
    "Delete": ("D", "delete", "110150", "custodian"),
}


async def taken(house: Household, form: str) -> str:
    """One download, as the page links to it."""
    page = await house.http.get("/me/log", headers={"cookie": f"kluis={house.cookie}"})
    assert f'href="/api/log/export?format={form}"' in page.text
    answer = await house.http.get(f"/api/log/export?format={form}", headers={"cookie": f"kluis={house.cookie}"})
    assert answer.status_code == 200 and "attachment" in answer.headers["content-disposition"]
    return answer.text


async def lived(house: Household) -> None:
    """An app reads, lists and is refused; An writes."""
    granted = await house.grant(ALL_INTERESTS)
    for path, status in (("a.jsonld", 200), ("", 200), ("../loans/a.jsonld", 403)):
        answer = await house.call("GET", f"/pods/an/interests/{path}".replace("interests/../", ""), granted.access)
        assert answer.status_code == status


async def test_aj_tells_every_use_newest_first_with_its_three_fields(house: Household) -> None:
    await lived(house)
    root = ET.fromstring(await taken(house, "aj"))
    assert root.tag == "{http://dumonitor.x-road.eu/producer}findUsageResponse"
    usages = [[(field.tag, field.text) for field in usage] for usage in root]
    assert all([tag for tag, _ in usage] == ["logtime", "action", "receiver"] for usage in usages)
    assert all(text for usage in usages for _, text in usage)
    uses = [line for line in house.told() if line["type"] in ("access", "deposit") and line["decision"] == "allowed"]
    assert len(usages) == len(uses) > 3
    times = [usage[0][1] or "" for usage in usages]
    assert times == sorted(times, reverse=True)
    assert {usage[2][1] for usage in usages} >= {"cultuurgids"}


async def test_balp_events_have_what_their_profiles_demand(house: Household) -> None:
    await lived(house)
    bundle = json.loads(await taken(house, "balp"))
    events = [entry["resource"] for entry in bundle["entry"]]
    assert (bundle["resourceType"], bundle["type"], len(events)) == ("Bundle", "collection", len(house.told()))
    assert len({event["id"] for event in events}) == len(events)
    seen = set()
    for event in events:
        required(event)
        if "meta" in event:
            (name,) = event["meta"]["profile"]
            seen.add(profiled(event, name.removeprefix(logforms.BALP)))
        else:
            assert event["subtype"][0]["system"] == "urn:kluis:log:action"
    assert seen >= {"Read", "Query"}


def whole(shape: Shape, line: Line) -> str:
    return shape.begins + shape.line(line) + shape.ends


def required(event: dict[str, object]) -> None:
    """What FHIR R4 demands of every AuditEvent, and BALP of every one about a person."""
    shown = json.loads(json.dumps(event))
    assert shown["type"]["code"] == "rest" and shown["recorded"].endswith("Z") and shown["action"] in "CRUDE"
    assert shown["outcome"] in ("0", "4") and (shown["outcome"] == "0" or shown["outcomeDesc"])
    assert shown["source"]["observer"]["identifier"]["value"] == BASE
    assert [agent["requestor"] for agent in shown["agent"]] == [True, False]
    patient = [entity for entity in shown["entity"] if entity["type"]["code"] == "1"]
    assert [(one["role"]["code"], one["what"]["type"], one["what"]["identifier"]["value"]) for one in patient] == [
        ("1", "Patient", WEBID)
    ]
    assert len(shown["entity"]) == 2


def profiled(event: dict[str, object], profile: str) -> str:
    """What the profile of this use demands; returns its name."""
    shown = json.loads(json.dumps(event))
    action, subtype, *roles = ROLES[profile]
    assert (shown["action"], shown["subtype"][0]["code"], shown["outcome"]) == (action, subtype, "0")
    assert [agent["type"]["coding"][0]["code"] for agent in shown["agent"]] == roles
    for agent in shown["agent"]:
        assert agent["who"]["identifier"]["value"] and agent["network"]["address"]
    (thing,) = [entity for entity in shown["entity"] if entity["type"]["code"] == "2"]
    if profile == "Query":
        assert thing["role"]["code"] == "24" and base64.b64decode(thing["query"]) and "what" not in thing
    else:
        assert thing["role"]["code"] == "4" and thing["what"]["identifier"]["value"]
    return profile


@pytest.mark.parametrize("action", ["read", "list", "append", "write", "delete"])
def test_every_use_has_its_profile(action: str) -> None:
    told = {"id": "AAAAAAAAAAAAAAAAAAAAAA", "time": 1_790_000_000_000, "type": "access", "action": action,
            "decision": "allowed", "resources": ["/loans/<a> & b"], "client": "app", "grant": "G"}  # fmt: skip
    line = Line(1, 1, b"", json.dumps({"app": told, "own": {"rule": "grant", "seq": 1}}), b"", b"", "served")
    (entry,) = json.loads(whole(logforms.balp(WEBID, BASE), line))["entry"]
    required(entry["resource"])
    name = entry["resource"]["meta"]["profile"][0].removeprefix(logforms.BALP)
    assert ROLES[profiled(entry["resource"], name)][0] == {"read": "R", "list": "E", "append": "C"}.get(
        action, action[0].upper() if action == "delete" else "U"
    )


def test_a_hostile_name_stays_text_in_xml() -> None:
    told = {"id": "AAAAAAAAAAAAAAAAAAAAAA", "time": 0, "type": "access", "action": "read", "decision": "allowed",
            "resources": [], "client": "</receiver><usage>\u0000&"}  # fmt: skip
    line = Line(1, 1, b"", json.dumps({"app": told, "own": {"rule": "grant", "seq": 1}}), b"", b"", "served")
    (usage,) = ET.fromstring(whole(logforms.aj(WEBID), line))
    assert usage[2].text == "</receiver><usage> &"
