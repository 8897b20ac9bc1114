"""A citizen's own log in the shapes of others: Estonia's data tracker (AJ) and IHE BALP audit events (FHIR R4).

Values in, text out. Both say less than her own export, which alone can be checked: neither has room for proofs. AJ is
the answer `findUsage` of the AJ usage protocol 1.3 (https://github.com/e-gov/AJ); BALP is IHE ITI Basic Audit Log
Patterns 1.1 (https://profiles.ihe.net/ITI/BALP).
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from xml.sax.saxutils import escape

from keys.text import unb64
from vault.log.views import Line
from web import telling
from web.logstream import Shape

AJ: Final = "http://dumonitor.x-road.eu/producer"
BALP: Final = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.Patient"
HL7: Final = "http://terminology.hl7.org/CodeSystem/"
DICOM: Final = "http://dicom.nema.org/resources/ontology/DCM"
SUCCESS, REFUSED = "0", "4"
Code = tuple[str, str]  # of a system, as FHIR says both
APP: Final = (DICOM, "110150")
FROM: Final = (DICOM, "110153")
TO: Final = (DICOM, "110152")
KEEPER: Final = (f"{HL7}provenance-participant-type", "custodian")
# What was done: the BALP profile, its FHIR interaction, its action code, and the roles of client and server.
DONE: Final[Mapping[str, tuple[str, str, str, Code, Code]]] = {
    "read": ("Read", "read", "R", TO, FROM),
    "list": ("Query", "search-type", "E", FROM, TO),
    "append": ("Create", "create", "C", FROM, TO),
    "write": ("Update", "update", "U", FROM, TO),
    "delete": ("Delete", "delete", "D", APP, KEEPER),
}


def aj(webid: str) -> Shape:
    """Every use of her data that was let through, newest first, as the XML answer of AJ's `findUsage`."""

    def usage(line: Line) -> str:
        told = line.told
        return _usage(line, told, webid) if line.record is not None and _used(told) else ""

    begins = f'<?xml version="1.0" encoding="UTF-8"?>\n<aj:findUsageResponse xmlns:aj="{AJ}">\n'
    return Shape("application/xml", begins, usage, "</aj:findUsageResponse>\n", name="kluis-log.aj.xml", back=True)


def balp(webid: str, base: str) -> Shape:
    """Every line that opens, oldest first, as a FHIR R4 Bundle of AuditEvents; those of a use follow a BALP profile."""

    def event(line: Line) -> str:
        if line.record is None:
            return ""
        return json.dumps({"resource": _event(line.told, webid, base)}, ensure_ascii=False, indent=1)

    begins = '{"resourceType": "Bundle", "type": "collection", "entry": [\n'
    return Shape("application/fhir+json", begins, event, "\n]}\n", ",\n", "kluis-log.balp.json")


def _used(told: Mapping[str, Any]) -> bool:
    return told["decision"] == "allowed" and told["type"] in ("access", "deposit")


def _usage(line: Line, told: Mapping[str, Any], webid: str) -> str:
    shown = telling.told(line, webid)
    said = " · ".join(part for part in (shown.what, shown.why) if part)
    receiver = told.get("client") or told.get("agent") or shown.who
    return (
        f"  <usage><logtime>{_moment(told)}</logtime><action>{_plain(said)}</action>"
        f"<receiver>{_plain(receiver)}</receiver></usage>\n"
    )


def _event(told: Mapping[str, Any], webid: str, base: str) -> dict[str, Any]:
    done = DONE.get(told["action"]) if _used(told) else None
    profile, interaction, action, client, server = done or ("", told["action"], "E", FROM, TO)
    kind = "http://hl7.org/fhir/restful-interaction" if done else "urn:kluis:log:action"
    event: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": unb64(told["id"]).hex(),
        "type": _code((f"{HL7}audit-event-type", "rest")),
        "subtype": [_code((kind, interaction))],
        "action": action,
        "recorded": _moment(told),
        "outcome": SUCCESS if told["decision"] == "allowed" else REFUSED,
        "agent": [_agent(told, webid, client), _server(base, server)],
        "source": {"site": base, "observer": _named(base), "type": [_code((f"{HL7}security-source-type", "4"))]},
        "entity": [*_entities(told, profile), _patient(webid)],
    }
    if done:
        event["meta"] = {"profile": [BALP + profile]}
    if told["decision"] != "allowed":
        event["outcomeDesc"] = told.get("rule") or "denied"
    if told.get("purpose"):
        event["purposeOfEvent"] = [{"coding": [_code(("https://w3id.org/dpv#", told["purpose"]))]}]
    return event


def _agent(told: Mapping[str, Any], webid: str, role: Code) -> dict[str, Any]:
    """Who asked. The log keeps no network address of anybody: the app's own id stands in its place."""
    name = told.get("client") or told.get("agent") or (webid if told.get("rule") == "session" else "unknown")
    shown = told.get("client_name", "")
    if told["action"] in telling.BY_OFFICE:  # the app is what it was about
        name, shown = "office", "DPO"
    who = _named(name) | ({"display": shown} if shown else {})
    grant = {"policy": [f"urn:kluis:grant:{told['grant']}"]} if told.get("grant") and role != APP else {}
    kind = {"coding": [_code(role)]}
    return {"type": kind, "who": who, "requestor": True, **grant, "network": {"address": name, "type": "5"}}


def _server(base: str, role: Code) -> dict[str, Any]:
    kind = {"coding": [_code(role)]}
    return {"type": kind, "who": _named(base), "requestor": False, "network": {"address": base, "type": "5"}}


def _entities(told: Mapping[str, Any], profile: str) -> list[dict[str, Any]]:
    """What it was about: one thing, by its path in the pod."""
    thing = _code((f"{HL7}audit-entity-type", "2"))
    app = told.get("client") if told["action"] in telling.BY_OFFICE else ""
    about = " ".join(told.get("resources", ())) or told.get("category") or app or told["action"]
    if profile == "Query":
        query = b64encode(about.encode()).decode()
        return [{"type": thing, "role": _code((f"{HL7}object-role", "24")), "query": query}]
    return [{"type": thing, "role": _code((f"{HL7}object-role", "4")), "what": _named(about)}]


def _patient(webid: str) -> dict[str, Any]:
    return {
        "type": _code((f"{HL7}audit-entity-type", "1")),
        "role": _code((f"{HL7}object-role", "1")),
        "what": {"type": "Patient", **_named(webid)},
    }


def _code(code: Code) -> dict[str, str]:
    return {"system": code[0], "code": code[1]}


def _named(value: str) -> dict[str, Any]:
    return {"identifier": {"value": value}}


def _moment(told: Mapping[str, Any]) -> str:
    moment = datetime.fromtimestamp(told["time"] / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(text: str) -> str:
    """Text that XML 1.0 can hold."""
    return escape("".join(letter if letter.isprintable() else " " for letter in text))
