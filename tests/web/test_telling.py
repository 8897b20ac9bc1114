"""What a citizen reads in her log: who it was, what was only tried, and why, in words she knows"""

import json
from typing import Any

import pytest

from vault.log.views import Line
from web.pages.logbook import LogLine
from web.telling import told

AN = "https://kluis.example/pods/an/profile/card#me"
FILES = {"category": "kluis:File", "resources": ["/notes/a"], "purpose": "dpv:ServiceProvision"}
GRANTED = {"rule": "grant", "grant": "g", "agent": AN, "client_name": "Notities"}


def line(**fields: Any) -> LogLine:
    """A line with these fields, as the page tells it to An."""
    own = {"type": "access", "decision": "allowed", "rule": "session", "time": 1} | fields
    record = json.dumps({"app": {}, "own": own})
    return told(Line(1, 1, b"", record, b"", b"", "served"), AN)


def test_what_an_app_did_for_her_is_told_of_the_app_and_not_of_herself() -> None:
    wrote = line(action="write", **FILES, **GRANTED)
    assert (wrote.who, wrote.what) == ("Notities", "schreef in je map “notes”")
    assert line(action="token", type="key event", **GRANTED).who == "Notities"
    assert line(action="give", type="consent", agent=AN, client_name="Notities").who == "Jij"
    assert line(action="write", **FILES).who == "Jij"


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("read", "vroeg je map “notes”"),
        ("write", "wilde schrijven in je map “notes”"),
        ("delete", "wilde iets wissen in je map “notes”"),
        ("control", "wilde bepalen wie aan je map “notes” mag"),
        ("follow", "wilde volgen wat er gebeurt in je map “notes”"),
    ],
)
def test_what_was_refused_is_never_told_as_if_it_had_happened(action: str, said: str) -> None:
    refused = line(
        **FILES, action=action, type="denial", decision="denied", rule="forbidden", agent="https://b.example/#me"
    )
    assert (refused.who, refused.what) == ("https://b.example/#me", said)


def test_her_own_login_frightens_nobody_and_a_wrong_secret_is_somebodys() -> None:
    tried = line(action="login", type="unlock", rule="passphrase", agent=AN)
    assert (tried.who, tried.what) == ("Kluis", "keek een wachtzin na")
    wrong = line(action="login", type="denial", decision="denied", rule="wrong_secret", agent=AN)
    assert (wrong.who, wrong.what) == ("Iemand", "probeerde je kluis te openen")
    assert wrong.basis == "met een verkeerde wachtzin, code of passkey"


def test_a_visitor_from_elsewhere_is_told_without_codes() -> None:
    seen = {"agent": "https://b.example/#me", "client": "solid-aGiRYRxUZFwM", "note": "issuer https://b.example"}
    read = line(action="read", rule="acl", category="kluis:File", resources=["/public/a"], **seen)
    assert read.who == "https://b.example/#me, met een app"
    assert read.what == "las je openbare map en je profiel"
    assert (read.why, read.basis) == ("Aangemeld bij b.example", "jouw regels laten dit toe")


def test_a_pod_that_came_from_another_server_is_told_by_who_brought_it_and_whence() -> None:
    came = line(
        type="deposit",
        action="append",
        rule="operator",
        category="kluis:File",
        count=12,
        note="from https://oud.example/an/",
    )
    assert (came.who, came.what) == ("De beheerder van Kluis", "bracht je bestanden over: 12 stuks")
    assert came.why == "Van je vorige server, oud.example"


def test_a_changed_list_a_patch_and_a_channel_are_told_as_what_they_are() -> None:
    assert line(action="control", **FILES, note="changed").what == "veranderde wie aan je map “notes” mag"
    assert line(action="read", **FILES, **GRANTED, note="patch").why.endswith(". Om er een deel van te veranderen")
    told_app = line(action="notify", **FILES, **GRANTED, note="WebhookChannel2023")
    assert told_app.why.endswith(". Met een bericht naar de app")
    full = line(action="write", type="denial", decision="denied", rule="quota", **FILES)
    assert full.basis == "je kluis is vol"
