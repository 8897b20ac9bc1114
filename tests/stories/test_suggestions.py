"""In the running city: what she switches on her page changes her next list, its reasons, and what is read for it."""

import re
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.stories.city import city, copy

pytestmark = [pytest.mark.timeout(240)]
PAGE = "/me/suggestions"
ME = "kluis-recommender"


def hidden(page: str, name: str) -> str:
    return unescape(re.findall(rf'name="{name}" value="([^"]*)"', page)[0])


class Citizen:
    """A person with a browser: cookies, forms, no JavaScript."""

    def __init__(self, http: httpx.Client, told: dict[str, Any]) -> None:
        self.http = http
        form = {"user": told["user"], "passphrase": told["passphrase"], "next": "/me"}
        answer = self.http.post("/login", data=form | {"csrf": hidden(self.http.get("/login").text, "csrf")})
        assert (answer.status_code, answer.headers["location"]) == (303, "/me")

    def json(self, path: str) -> Any:
        return self.http.get(path, headers={"Accept": "application/json"}).json()

    def lets_in(self, *data: str) -> None:
        """Let the recommender ask, and allow it with these rows ticked."""
        token = {"csrf": hidden(self.http.get(PAGE).text, "csrf")}
        page = self.http.get(self.http.post(f"{PAGE}/ask", data=token).headers["location"]).text
        form = {name: hidden(page, name) for name in ("csrf", "client_id", "request_uri")}
        chosen = form | {"decision": "allow", "data": list(data), "duration": "asked"}
        self.http.get(self.http.post("/oauth/authorize", data=chosen).headers["location"])


def press(an: Citizen, step: str, **form: str) -> None:
    page = an.http.get(PAGE)
    answer = an.http.post(f"{PAGE}/{step}", data={"csrf": hidden(page.text, "csrf"), **form})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}?done={step}")


def reads(an: Citizen) -> list[dict[str, Any]]:
    return [x for x in an.json("/api/log")["entries"] if x.get("client") == ME and x["action"] == "read"]


def listed(an: Citizen) -> tuple[dict[str, Any], set[str], set[str]]:
    """The next list, the categories of its reasons, and what was opened for it by the log."""
    before = {line["index"] for line in reads(an)}
    answer = an.http.get("/api/suggestions", headers={"Accept": "application/json"})
    told = answer.json()
    assert answer.headers["kluis-personalised"] == "yes"
    why = {reason["category"] for one in told["suggestions"] for reason in one["reasons"]}
    opened = {line["category"] for line in reads(an) if line["index"] not in before and line.get("count")}
    return told, why, opened


def test_closing_a_source_changes_the_next_list_its_reasons_and_what_is_read(seeded: Path, tmp_path: Path) -> None:
    with city(copy(seeded, tmp_path)) as running, httpx.Client(timeout=60) as http:
        http.base_url = running.told["base"]
        http.headers["Origin"] = running.told["base"]
        an = Citizen(http, next(p for p in running.told["people"] if p["user"] == "an"))
        assert reads(an) == [] and "kluis-personalised" not in an.http.get(PAGE).headers
        an.lets_in("kluis:LibraryLoan", "kluis:Ticket", "kluis:Derived")

        told, why, opened = listed(an)
        said = {read["category"] for read in told["read"] if read["count"]}
        assert opened == said == {"kluis:LibraryLoan", "pd:Interest", "kluis:Ticket"} and why <= opened
        for six in (told["suggestions"][:6], told["suggestions"][6:]):
            assert len({one["medium"] for one in six}) > 1 and len({one["institution"] for one in six}) > 1

        press(an, "category", name="kluis:LibraryLoan")
        without, less, fewer = listed(an)
        assert [one["id"] for one in without["suggestions"]] != [one["id"] for one in told["suggestions"]]
        assert "kluis:LibraryLoan" in why and "kluis:LibraryLoan" not in less
        assert fewer == {"pd:Interest", "kluis:Ticket", "kluis:Derived"}

        press(an, "kind", name="list")
        count = len(reads(an))
        off = an.http.get("/api/suggestions")
        assert "suggestions" not in off.json() and len(off.json()["plain"]) == 12
        assert "kluis-personalised" not in off.headers and len(reads(an)) == count
        page = an.http.get(PAGE)
        assert "Je hebt de tips uitgezet" in page.text
