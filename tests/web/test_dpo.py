"""The DPO's office over HTTP: parts of the totals, what stands out, and who was reached by an app, for her alone."""

import html
import json
import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from consent import report
from consent.accounts import passphrase
from consent.accounts.people import enroll
from consent.accounts.sessions import log_private
from consent.anomalies import Anomaly
from consent.report import Filter, Row
from tests.house import ALL_INTERESTS, Household
from tests.web.test_log_unavailable import limit
from vault.log import views
from vault.log.entry import Facts, Intent
from vault.tables import Record
from web import overseen
from web.logforms import aj, balp
from web.pages.overseeing import TotalGroup, TotalPart, TotalRow
from web.telling import told as line_told

WHY = "Er lekte een sleutel"
SAME = {"sec-fetch-site": "same-origin"}
P = "dpv:ProvideEventRecommendations"


class Office:
    """The officer in her browser."""

    def __init__(self, house: Household, cookie: str, csrf: str) -> None:
        self.house, self.csrf = house, csrf
        self.headers = SAME | {"cookie": f"kluis={cookie}"}

    async def get(self, path: str, **query: str) -> httpx.Response:
        return await self.house.http.get(path, params=query, headers=self.headers)

    async def ask(self, path: str = "/api/dpo/touched", **fields: str) -> httpx.Response:
        day = self.house.clock().date().isoformat()
        said = {"app": "cultuurgids", "since": day, "until": day, "reason": WHY, "csrf": self.csrf}
        return await self.house.http.post(path, data=said | fields, headers=self.headers)


@pytest.fixture
async def office(house: Household) -> Office:
    opened = await passphrase.login(house.vault, "dpo", house.officer, house.clock())
    assert opened is not None
    return Office(house, opened[0], opened[1].csrf)


@pytest.fixture
async def read(house: Household) -> None:
    """The app reads twice in An's pod and is refused once."""
    granted = await house.grant(ALL_INTERESTS, recurrence={"mode": "ongoing"})
    for path, status in (("interests", 200), ("interests", 200), ("loans", 403)):
        assert (await house.call("GET", f"/pods/an/{path}/a.jsonld", granted.access)).status_code == status


# ---------------------------------------------------------------- who was reached


async def test_the_dpo_gets_the_pods_that_an_app_reached_and_each_of_them_reads_it(
    house: Household, office: Office, read: None
) -> None:
    answer = await office.ask(reference="2026-7", reason="Er lekte\r\n een   sleutel")  # as a browser sends two lines
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    told, day = answer.json(), house.clock().date().isoformat()
    (pod,) = told["pods"]
    entry = pod.pop("entry")
    assert pod == {"pod": "an", "first": day, "last": day, "count": 2, "categories": ["pd:Interest"]}
    assert (told["app"], told["name"], told["reason"], told["unreadable"]) == ("cultuurgids", "Cultuurgids", WHY, 0)
    (kept,) = house.vault.db.read.find(Record, idx=entry)
    assert kept.pod == house.session.pod.id
    page = await house.http.get("/me/log", headers={"cookie": f"kluis={house.cookie}"})
    said = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", page.text)))
    assert "De functionaris van de stad zocht op bij wie Cultuurgids kwam; bij jou was dat 2 keer" in said
    assert f"Waarom: {WHY} (2026-7)" in said


async def test_content_is_in_no_answer_of_the_office(house: Household, office: Office, read: None) -> None:
    for answer in (await office.ask(), await office.ask("/dpo/touched"), await office.get("/dpo")):
        assert answer.status_code == 200
        assert not any(word in answer.text for word in ("geheim", "jazz", "Tin Pan", "/interests/", "An Peeters"))


async def test_the_page_shows_the_list_and_gives_it_as_a_file(house: Household, office: Office, read: None) -> None:
    page = await office.ask("/dpo/touched")
    assert "Bij wie kwam Cultuurgids?" in page.text and 'data-label="Keer" class="num right">2<' in page.text
    file = await office.ask("/dpo/touched", **{"as": "csv"})
    assert file.headers["content-type"].startswith("text/csv")
    assert "attachment" in file.headers["content-disposition"]
    head, row = file.text.splitlines()
    assert head == "pod,first,last,count,categories,entry" and row.startswith("an,2026-11-21,2026-11-21,2,pd:Interest,")
    assert len([line for line in house.told() if line["action"] == "look up"]) == 2  # asked twice, told twice


async def test_nobody_but_the_dpo_asks_and_nothing_is_said(house: Household, read: None) -> None:
    made = await enroll(house.vault, "ops", "Ops", "operator", None, None, house.clock())
    opened = await passphrase.login(house.vault, "ops", made.codes[0], house.clock())
    assert opened is not None
    an = Office(house, house.cookie, house.session.csrf)
    ops = Office(house, opened[0], opened[1].csrf)
    before = house.vault.log.shards.kept
    for who in (an, ops):
        for path in ("/api/dpo/touched", "/dpo/touched"):
            answer = await who.ask(path)
            assert answer.status_code == 403 and "Cultuurgids" not in answer.text
        for path in ("/dpo", "/api/dpo/totals", "/api/dpo/anomalies"):
            assert (await who.get(path)).status_code == 403
    nobody = await house.http.post("/api/dpo/touched", data={"app": "cultuurgids"}, headers=SAME)
    assert nobody.status_code == 401
    assert house.vault.log.shards.kept == before


async def test_a_form_from_elsewhere_asks_nothing(house: Household, office: Office, read: None) -> None:
    before = house.vault.log.shards.kept
    assert (await office.ask(csrf="x")).status_code == 403
    office.headers = office.headers | {"sec-fetch-site": "cross-site"}
    assert (await office.ask()).status_code == 403
    assert house.vault.log.shards.kept == before


@pytest.mark.parametrize(
    ("fields", "status", "kind", "said"),
    [
        ({"reason": ""}, 400, "bad-reason", "Er staat geen reden bij"),
        ({"reason": "   "}, 400, "bad-reason", "Er staat geen reden bij"),
        ({"reason": "x" * 501}, 400, "bad-reason", "een te lange"),
        ({"since": ""}, 400, "bad-days", "Deze dagen kloppen niet"),
        ({"since": "gisteren"}, 400, "bad-days", "Deze dagen kloppen niet"),
        ({"since": "2026-11-22", "until": "2026-11-21"}, 400, "bad-days", "Deze dagen kloppen niet"),
        ({"since": "2020-01-01"}, 400, "bad-days", "13 maanden"),
        ({"app": "niemand"}, 404, "unknown-app", "kennen we hier niet"),
        ({"app": ""}, 404, "unknown-app", "kennen we hier niet"),
        ({"agent": "https://elders.example/#me"}, 404, "unknown-app", "kennen we hier niet"),
    ],
)
async def test_what_is_wrong_with_a_question_is_said_and_nothing_is_looked_up(
    house: Household, office: Office, read: None, fields: dict[str, str], status: int, kind: str, said: str
) -> None:
    before = house.vault.log.shards.kept
    answer = await office.ask(**fields)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:kluis:problem:{kind}")
    assert answer.json()["detail"]
    office.headers = office.headers | {"accept": "text/html"}
    page = await office.ask("/dpo/touched", **fields)
    assert page.status_code == status and said in page.text
    assert house.vault.log.shards.kept == before


async def test_with_a_full_disk_there_is_no_list(house: Household, office: Office, read: None) -> None:
    for number in range(20):
        name = f"burger-{number}"
        await enroll(house.vault, name, name, "citizen", name, None, house.clock())
        pod = house.vault.pod(name)
        assert pod is not None
        facts = Facts("access", "read", rule="wac", app="source-x", agent=ans_webid(house))
        await house.vault.log.append(Intent(pod.id, facts, house.clock()))
    limit(house, 1)
    for _ in range(400):
        answer = await office.ask(app=ans_webid(house))
        if answer.status_code != 200:
            break
    assert answer.status_code == 503 and answer.json()["type"] == "urn:kluis:problem:log-unavailable"
    assert "burger-" not in answer.text and "pods" not in answer.json()


def ans_webid(house: Household) -> str:
    return f"{house.house.base}/pods/an/profile/card#me"


# ---------------------------------------------------------------- parts of the totals


async def totals(office: Office, **asked: str) -> dict[str, Any]:
    answer = await office.get("/api/dpo/totals", **asked)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_every_filter_keeps_its_part_and_the_parts_together_are_the_whole_log(
    house: Household, office: Office, read: None
) -> None:
    whole = await totals(office)
    assert whole["matched"] == whole["opened"] == whole["entries"]
    for name in ("client", "purpose", "category", "decision"):
        values = {row[name] for row in whole["rows"]}
        sums = {}
        for value in values:
            part = await totals(office, **{name: value or "-"})
            assert part["rows"] and {row[name] for row in part["rows"]} == {value}
            assert part["matched"] == sum(row["entries"] for row in part["rows"])
            assert part["opened"] == part["entries"]  # complete, whatever was asked
            sums[value] = part["matched"]
            looks = [row for row in part["rows"] if row["action"] == "read totals"]
            sums[value] -= looks[0]["entries"] if looks else 0  # the office's own looking grows meanwhile
        fixed = sum(row["entries"] for row in whole["rows"] if row["action"] != "read totals")
        assert sum(sums.values()) == fixed


async def test_filters_go_together(office: Office, read: None) -> None:
    told = await totals(office, client="cultuurgids", category="pd:Interest", decision="allowed", purpose=P)
    (row,) = [row for row in told["rows"] if row["action"] == "read"]
    assert (row["entries"], row["count"]) == (2, 2)
    assert (await totals(office, client="cultuurgids", category="kluis:Ticket"))["rows"] == []


async def test_a_period_takes_whole_days(house: Household, office: Office) -> None:
    before = await totals(office, until="2026-11-20")
    assert (before["rows"], before["matched"]) == ([], 0) and before["opened"] == before["entries"] > 0
    today = await totals(office, since="2026-11-21", until="2026-11-21")
    assert today["matched"] == today["entries"]
    assert (await totals(office, since="2026-11-22"))["matched"] == 0


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ({"since": "2026-11-22", "until": "2026-11-21"}, "bad-days"),
        ({"since": "gisteren"}, "malformed"),
        ({"decision": "maybe"}, "malformed"),
        ({"client": "x" * 201}, "malformed"),
    ],
)
async def test_a_filter_that_makes_no_sense_is_refused(office: Office, asked: dict[str, str], kind: str) -> None:
    answer = await office.get("/api/dpo/totals", **asked)
    assert (answer.status_code, answer.json()["type"]) == (400, f"urn:kluis:problem:{kind}")


async def test_the_page_says_that_days_are_the_wrong_way_round(office: Office) -> None:
    office.headers = office.headers | {"accept": "text/html"}
    page = await office.get("/dpo", since="2026-11-22", until="2026-11-21")
    assert page.status_code == 400 and "Deze dagen kloppen niet." in page.text and 'href="/dpo"' in page.text


async def test_the_page_groups_by_app_and_then_by_purpose_and_keeps_the_filter(office: Office, read: None) -> None:
    page = await office.get("/dpo")
    heads = re.findall(r'<details class="totals"[^>]*><summary>([^<]+) <', page.text)
    assert heads[-1] == "Burgers en Kluis zelf" and "Cultuurgids" in heads and len(heads) == len(set(heads))
    asked = await office.get("/dpo", client="cultuurgids", since="2026-11-21", until="gisteren", decision="x")
    assert re.findall(r'<details class="totals" open><summary>([^<]+) <', asked.text) == ["Cultuurgids"]
    assert '<option value="cultuurgids" selected>Cultuurgids</option>' in asked.text
    assert 'name="since" type="date" value="2026-11-21"' in asked.text


def test_a_sum_shows_no_cell_below_five() -> None:
    rows = tuple(TotalRow("App", "Doel", "", "lezen", True, lines) for lines in (7, 4, 1, 20))
    group = TotalGroup("App", (TotalPart("Doel", rows[:2]), TotalPart("", rows[2:])))
    assert (group.lines, group.small) == (27, 2)


def test_groups_hold_every_row_once() -> None:
    cells = [(a, p, c) for a in ("b", "", "a") for p in (P, "", "dpv:Advertising") for c in ("pd:Interest", "")]
    rows = [Row(a, p, "", c, "read", "allowed", 1, number) for number, (a, p, c) in enumerate(cells)]
    told = overseen.groups(rows, {"a": "Aap", "b": "Beer"})
    assert [group.app for group in told] == ["Aap", "Beer", "Burgers en Kluis zelf"]
    assert sorted(row.lines for group in told for row in group.rows) == list(range(18))
    assert all(len(group.parts) == 3 for group in told)


# ---------------------------------------------------------------- what stands out


async def test_what_stands_out_is_told_in_words_and_as_data(house: Household, office: Office) -> None:
    house.clock.forward(hours=16)  # three o'clock in the city
    night = house.clock()
    facts = Facts("access", "read", rule="grant", category="pd:Interest", count=900, app="cultuurgids", purpose=P)
    opened = await passphrase.login(house.vault, "dpo", house.officer, house.clock())
    await house.vault.log.append(Intent(house.session.pod.id, facts, house.clock()))
    assert opened is not None
    office = Office(house, opened[0], opened[1].csrf)
    told = (await office.get("/api/dpo/anomalies")).json()
    (one,) = told["anomalies"]
    assert (one["rule"], one["client"], one["count"], one["usual"]) == ("night", "cultuurgids", 900, None)
    assert datetime.fromisoformat(one["hour"]) == night.replace(minute=0).astimezone(UTC)
    assert told["opened"] == told["entries"]
    page = (await office.get("/dpo")).text
    assert "Cultuurgids las 900 stukken in de nacht van 22 november 2026." in page and "meestal &lt;5" in page
    assert "/pods/" not in json.dumps(told)


async def test_a_quiet_house_says_so(office: Office) -> None:
    assert "Er valt niets op." in (await office.get("/dpo")).text
    assert (await office.get("/api/dpo/anomalies")).json()["anomalies"] == []


@pytest.mark.parametrize("rule", ["night", "spike", "drift", "dormant", "denials"])
def test_small_counts_of_what_stands_out_stay_hidden(rule: Any) -> None:
    one = Anomaly(rule, "gids", 3, 2, 494_000, "pd:Interest")
    told = overseen.anomaly(one, {"gids": "Gids"})
    assert (told["count"], told["usual"]) == (None, None) and "<5" in told["text"]
    assert not re.search(r"\b[23]\b(?! maanden)", told["text"].partition(" op ")[0])


# ---------------------------------------------------------------- her line elsewhere


async def test_the_line_of_a_look_up_names_the_office_in_every_shape(
    house: Household, office: Office, read: None
) -> None:
    await office.ask()
    with log_private(house.session) as private:
        line = views.lines(house.vault, house.session.pod, private)[-1]
    shown = line_told(line, house.session.webid)
    assert (shown.who, shown.basis) == ("De functionaris van de stad", "")
    event = json.loads(balp(house.session.webid, house.house.base).line(line))["resource"]
    assert event["agent"][0]["who"] == {"identifier": {"value": "office"}, "display": "DPO"}
    assert event["entity"][0]["what"] == {"identifier": {"value": "cultuurgids"}}
    assert aj(house.session.webid).line(line) == ""  # nobody used her data


def test_a_filter_can_ask_for_what_has_no_app() -> None:
    record = {"client": "", "purpose": "", "category": "", "decision": "allowed", "hour": 494_000}
    assert Filter(client=report.NOBODY).takes(record) and not Filter(client="x").takes(record)
    assert not Filter(client=report.NOBODY).takes(record | {"client": "x"})
