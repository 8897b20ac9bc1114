"""A citizen's browser without scripts: it logs in, ticks, presses, and stops an app."""

import html
import re
from collections.abc import Sequence
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.browser.town import Person

SAME = {"sec-fetch-site": "same-origin", "accept": "text/html"}


class Visitor:
    """One person in front of one house."""

    def __init__(self, base: str, who: Person) -> None:
        self.http = httpx.Client(base_url=base, headers={"accept": "text/html"})
        self.base, self.who = base, who

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def follow(self, there: str) -> httpx.Response:
        """Open the address that an app sends her to, logging in on the way if she is asked to."""
        found = self.http.get(there)
        if found.status_code != 303 or not found.headers["location"].startswith("/login"):
            return found
        login = self.http.get(found.headers["location"])
        fields = _hidden(login) | {"user": self.who.user, "passphrase": self.who.passphrase}
        entered = self.http.post("/login", data=fields, headers=SAME)
        assert entered.status_code == 303, entered.text
        return self.http.get(entered.headers["location"])

    def press(self, page: httpx.Response, decision: str, rooms: Sequence[str], modes: Sequence[str]) -> str:
        """Press a button of the consent page; where that leads."""
        fields: dict[str, Any] = _hidden(page) | {"decision": decision, "data": list(rooms), "mode": list(modes)}
        answer = self.http.post("/oauth/authorize", data=fields, headers=SAME)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    def stop(self, app: str) -> None:
        """Stop an app on her page of who has access."""
        page = self.http.get("/me/access")
        assert app in page.text
        grant = re.search(r'id="withdraw-([^"]+)"', page.text)
        assert grant is not None
        done = self.http.post(f"/me/access/{grant[1]}/withdraw", data=_hidden(page), headers=SAME)
        assert done.status_code == 303, done.text


def _hidden(page: httpx.Response) -> dict[str, str]:
    form = page.text.partition("<form")[2].partition("</form>")[0]
    found = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form)
    return {name: html.unescape(value) for name, value in found}


def error_of(there: str) -> str:
    """The error that an app is told in its address, "" for none."""
    return parse_qs(urlsplit(there).query).get("error", [""])[0]
