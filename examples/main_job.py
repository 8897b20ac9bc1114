"""The main job of Kluis, over HTTP alone, against a running demo: `examples/main_job.py --demo FILE`.

FILE holds the line that `kluis demo --json` prints. Each step prints what was measured: the HTTP status, how many
records, the index of its log entry, and whether that entry is proven to be in the signed log. Exit 0 only if all
seven steps hold. `App` (client.py beside this file) is a whole OAuth client, `Citizen` a browser without JavaScript.
"""

import argparse
import hashlib
import html
import json
import re
import secrets
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from client import App, Failed, b64, check, unb64
from joserfc import jwt
from joserfc.jwk import ECKey

from keys.merkle import leaf_hash, verify_inclusion
from keys.note import open_note, read_checkpoint
from keys.text import canonical

RAR = "urn:kluis:rar:pod-access:1"
TOPICS = "interest_topics_k10"
CLOSED = ("kluis:LibraryLoan", "kluis:Ticket", "kluis:Card", "pd:PostalCode", "kluis:Derived")
PATIENCE = 30.0  # seconds to wait for the next checkpoint


class Citizen:
    """A person with a browser: cookies, forms, no JavaScript."""

    def __init__(self, base: str, told: dict[str, Any]) -> None:
        self.base, self.told = base, told
        self.http = httpx.Client(base_url=base, timeout=60, headers={"Origin": base, "Accept": "text/html"})

    def login(self) -> None:
        """Open the vault with the passphrase."""
        page = self.http.get("/login").text
        form = {"user": self.told["user"], "passphrase": self.told["passphrase"], "csrf": hidden(page, "csrf")}
        answer = self.http.post("/login", data=form | {"next": "/me"})
        where = answer.headers.get("location", "")
        check(answer.status_code == 303 and "failed" not in where, f"login answered {answer.status_code} {where}")

    def decide(self, address: str, decision: str, data: list[str] | None = None) -> tuple[str, str]:
        """Read the consent page and press one of its two buttons; returns the page and where it leads."""
        page = self.http.get(address)
        check(page.status_code == 200, f"the consent page answered {page.status_code} {page.text[:200]}")
        names = ("csrf", "client_id", "request_uri")
        form: dict[str, Any] = {name: hidden(page.text, name) for name in names}
        answer = self.http.post(
            "/oauth/authorize", data=form | {"decision": decision, "data": data or [], "duration": "asked"}
        )
        check(answer.status_code == 303, f"the consent form answered {answer.status_code} {answer.text[:300]}")
        return page.text, answer.headers["location"]

    def json(self, path: str) -> Any:
        """GET an API path in the session."""
        answer = self.http.get(path, headers={"Accept": "application/json"})
        check(answer.status_code == 200, f"{path} answered {answer.status_code}")
        return answer.json()

    def post(self, path: str, page: str) -> httpx.Response:
        """Press a button of a page: its form token goes along."""
        return self.http.post(path, data={"csrf": hidden(self.http.get(page).text, "csrf")})

    def proven(self, index: int) -> str:
        """Wait until entry `index` of the own log is published, then check its proof; returns what was checked."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            told = self.json("/api/log?proofs=1")
            first = [shard["first"] for shard in told["shards"]]
            found = [one for one in told["entries"] if first[one["shard"]] + one["index"] == index]
            check(found, f"entry {index} is not in the log")
            if found[0]["proof"] is not None:
                return verify(told["shards"][found[0]["shard"]], found[0])
            time.sleep(0.2)
        raise Failed(f"entry {index} was not published within {PATIENCE:.0f} s")

    def shown(self, index: int) -> str:
        """An entry and the result of its proof, as the steps print it."""
        return f"entry={index} proof={self.proven(index)}"

    def last(self, **wanted: str) -> dict[str, Any]:
        """The newest line of the own log with these fields."""
        lines = self.json("/api/log")["entries"]
        found = [one for one in lines if all(one.get(name) == value for name, value in wanted.items())]
        check(found, f"no line of the log says {wanted}")
        line: dict[str, Any] = found[-1]
        return line


def hidden(page: str, name: str) -> str:
    """The value of a hidden field of a form."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    check(found, f"the page has no field {name}")
    return html.unescape(found.group(1)) if found else ""


def verify(shard: dict[str, Any], entry: dict[str, Any]) -> str:
    """Check one record against the signed tree of its half-year: signature, commitment, inclusion."""
    text, _ = open_note(shard["checkpoint"], [shard["vkey"]])
    head = read_checkpoint(text)
    leaf = unb64(entry["leaf"])
    record, nonces = json.loads(entry["record"]), unb64(entry["nonce"])
    app = hashlib.sha256(b"kluis/pod-record-app/v1" + nonces[:32] + canonical(record["app"])).digest()
    own = hashlib.sha256(b"kluis/pod-record-own/v1" + nonces[32:] + canonical(record["own"])).digest()
    check(
        leaf[2:34] == hashlib.sha256(b"kluis/pod-record/v2" + app + own).digest(),
        f"entry {entry['index']} does not commit to its record",
    )
    verify_inclusion(leaf_hash(leaf), entry["index"], head.size, [unb64(step) for step in entry["proof"]], head.root)
    return f"in tree of {head.size}"


def bearer(base: str, source: dict[str, str], body: bytes, **delivery: str) -> dict[str, str]:
    """A source's assertion for one file (RFC 7523): good once, for these bytes and this delivery (its pod) only."""
    key, now = ECKey.import_key(json.loads(Path(source["key_file"]).read_text())), int(time.time())
    claims = {"iss": source["client_id"], "sub": source["client_id"], "aud": base, "iat": now, "exp": now + 60}
    claims |= {"jti": secrets.token_urlsafe(12), "body_sha256": b64(hashlib.sha256(body).digest())} | delivery
    return {"Authorization": "Bearer " + jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)}


# ---------------------------------------------------------------- the files that sources send, in their real shapes
LOANS = [
    {"title": title, "loan_from": start, "loan_till": end, "author": author, "type": "Boek", "extendable": True,
     "extend_url": "", "extend_id": "", "branchname": "Permeke", "id": number, "url": "",
     "cover_url": "", "account_id": "9"}
    for number, title, author, start, end in (
        ("910001", "Het verdriet van België", "Claus, Hugo", "2026-09-12", "2026-10-10"),
        ("910002", "Dune", "Herbert, Frank", "2026-10-01", "2026-10-29"),
        ("910003", "Max Havelaar", "Multatuli", "2026-10-20", "2026-11-17"),
    )
]  # fmt: skip
FOLIO = {
    "loans": [
        {"id": "5a1b0d0e-0000-4000-8000-000000000001", "userId": "5a1b0d0e-0000-4000-8000-0000000000aa",
         "itemId": "5a1b0d0e-0000-4000-8000-0000000000b1", "loanDate": "2026-08-01T10:00:00Z",
         "dueDate": "2026-08-29T10:00:00Z", "status": {"name": "Closed"}, "action": "checkedin"},
    ],
    "totalRecords": 1,
}  # fmt: skip


def event(now: datetime) -> dict[str, Any]:
    """An event in the shape of UiTdatabank."""
    start = (now + timedelta(days=9)).replace(microsecond=0)
    return {
        "@id": f"https://io.uitdatabank.be/event/{secrets.token_hex(8)}",
        "mainLanguage": "nl",
        "name": {"nl": "Jazz tussen de drukpersen"},
        "calendarType": "single",
        "startDate": start.isoformat(),
        "endDate": (start + timedelta(hours=2)).isoformat(),
        "location": {"@type": "Place", "name": {"nl": "Museum Plantin-Moretus"},
                     "address": {"nl": {"addressLocality": "Antwerpen", "postalCode": "2000"}}},
        "terms": [{"id": "0.50.4.0.0", "label": "Concert", "domain": "eventtype"}],
        "labels": ["jazz", "muziek"],
        "workflowStatus": "APPROVED",
    }  # fmt: skip


class Story:
    """The seven steps."""

    def __init__(self, demo: dict[str, Any], files: dict[str, bytes]) -> None:
        self.demo, self.base, self.files = demo, demo["base"], files
        people = {person["user"]: person for person in demo["people"]}
        self.an = Citizen(self.base, people["an"])
        self.dpo = Citizen(self.base, next(p for p in demo["people"] if p["role"] == "dpo"))
        self.app = App(self.base, next(app for app in demo["apps"] if app["name"] == "Cultuurgids"))
        self.sources = {source["name"]: source for source in demo["sources"]}
        self.public = httpx.Client(base_url=self.base, timeout=60)
        self.grant = ""

    def run(self) -> None:
        """All of them, in order."""
        steps = (self.deposit, self.ask, self.read, self.suggest, self.inspect, self.withdraw, self.oversee)
        for number, step in enumerate(steps, 1):
            print(f"{number} ok  {step.__name__}: {step()}", flush=True)

    def deposit(self) -> str:
        """The profile is public, the rest is not; loans come in from the library, events into the catalogue."""
        card = self.public.get("/pods/an/profile/card", headers={"Accept": "text/turtle"})
        closed = self.public.get("/pods/an/loans/")
        check(
            (card.status_code, closed.status_code) == (200, 401), f"card {card.status_code}, loans {closed.status_code}"
        )
        self.an.login()
        told = []
        for source, body in self.files.items():
            pod = {} if source == "uitdatabank" else {"pod": "an"}
            answer = self.public.post(
                f"/api/sources/{source}/deposits",
                params=pod,
                content=body,
                headers=bearer(self.base, self.sources[source], body, **pod),
            )
            check(answer.status_code == 200, f"{source} answered {answer.status_code} {answer.text[:300]}")
            taken = answer.json()
            told.append(f"{source} stored={taken['stored']}")
            told += [self.an.shown(index) for index in taken.get("entries", [])]
        return f"card={card.status_code} loans={closed.status_code} {' '.join(told)}"

    def ask(self) -> str:
        """Cultuurgids asks; An sees who, what, why and how long, and allows it."""
        address = self.app.push(self._detail())
        page, redirect = self.an.decide(address, "allow", [f"kluis:LibraryLoan#{TOPICS}"])
        for shown in ("who", "what", "why", "how-long", "where", "who-else", "stop"):
            check(f'data-test="{shown}"' in page, f"the consent page does not say {shown}")
        check(" checked" not in page, "something was ticked beforehand")
        check(self.app.told["purposes"][0]["text"]["nl"] in html.unescape(page), "the page does not show the purpose")
        tokens = self.app.redeem(redirect)
        check(tokens["token_type"] == "DPoP" and tokens["access_token"].startswith("kat1_"), "not an opaque DPoP token")
        line = self.an.last(action="give", client=self.app.told["client_id"])
        self.grant = line["grant"]
        granted = tokens["authorization_details"][0]["datatypes"]
        return f"token={tokens['token_type']} granted={len(granted)} {self.an.shown(line['index'])}"

    def read(self) -> str:
        """The app reads exactly what was granted; every other compartment is refused, and each refusal is logged."""
        interests = self.app.get("/api/records?category=pd:Interest")
        check(interests.status_code == 200, f"interests answered {interests.status_code} {interests.text[:300]}")
        records = interests.json()["@graph"]
        fields = {name for record in records for name in record if not name.startswith("@")}
        check(records and fields == {"schema:about"}, f"fields beyond the grant: {fields}")
        topics = self.app.get(f"/api/answers/{TOPICS}")
        check(topics.status_code == 200 and topics.json()["schema:about"], f"topics answered {topics.status_code}")
        refused = {curie: self.app.get(f"/api/records?category={curie}").status_code for curie in CLOSED}
        refused["/tickets/"] = self.app.get("/pods/an/tickets/").status_code
        check(set(refused.values()) == {403}, f"not all refused: {refused}")
        index = int(interests.headers["kluis-entry"])
        denied = self.an.last(decision="denied", category="kluis:Ticket", client=self.app.told["client_id"])
        return (
            f"status=200 records={len(records)} topics={len(topics.json()['schema:about'])} "
            f"{self.an.shown(index)}; refused={len(refused)} {self.an.shown(denied['index'])}"
        )

    def suggest(self) -> str:
        """The recommender gets a grant of its own, on the same page as any app, and suggests with reasons."""
        asked = self.an.post("/me/suggestions/ask", "/me/suggestions")
        check(
            asked.status_code == 303 and "request_uri" in asked.headers["location"],
            f"asking led to {asked.headers.get('location')}",
        )
        _, back = self.an.decide(
            asked.headers["location"], "allow", ["kluis:LibraryLoan", "kluis:Ticket", "kluis:Derived"]
        )
        check(self.an.http.get(back).status_code == 303, "the recommender did not take its code")
        told = self.an.json("/api/suggestions")
        found = told.get("suggestions", [])
        check(found, f"no suggestions: {told}")
        reasons = [reason for one in found for reason in one["reasons"]]
        media = {one["medium"] for one in found}
        check(len(media) >= 2 and reasons, f"media {media}, reasons {len(reasons)}")
        opened = {read["category"]: read["count"] for read in told["read"] if read["status"] == "read"}
        line = self.an.last(action="read", client="kluis-recommender")
        return (
            f"suggestions={len(found)} media={len(media)} reasons={len(reasons)} records={sum(opened.values())} "
            f"from {len(opened)} categories {self.an.shown(line['index'])}"
        )

    def inspect(self) -> str:
        """An opens her log: every line says who, what, when and why; the page's check and the command pass."""
        lines = self.an.json("/api/log")["entries"]
        for line in lines:
            check(
                all(line.get(name) for name in ("type", "action", "time", "decision", "rule")),
                f"an incomplete line: {line}",
            )
            if line["type"] == "access" and line.get("client"):
                check(line.get("purpose") and line.get("grant"), f"an access without why: {line}")
        check(
            {"access", "denial", "consent", "deposit"} <= {line["type"] for line in lines}, "a type of line is missing"
        )
        verdict = self.an.post("/me/log/verify", "/me/log").text
        check(re.search(r'id="log-ok"(?![^>]*hidden)', verdict), "the page does not say that the log is right")
        self.an.proven(lines[-1]["index"])
        with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
            file.write(self.an.http.get("/api/log/export").content)
            file.flush()
            command = [
                str(Path(sys.executable).with_name("kluis")),
                "log",
                "verify",
                "--base",
                self.base,
                "--export",
                file.name,
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        check(done.returncode == 0, f"kluis log verify: {done.stdout} {done.stderr}")
        denials = sum(line["decision"] == "denied" for line in lines)
        return f"lines={len(lines)} denials={denials} page=ok command=ok ({' '.join(done.stdout.split())})"

    def withdraw(self) -> str:
        """An withdraws; the very next request is refused, that refusal is logged, and the app's keys are gone."""
        before = self.an.json(f"/api/grants/{self.grant}")["keys"]
        check(before > 0, "the grant had no keys")
        answer = self.an.post(f"/me/access/{self.grant}/withdraw", "/me/access")
        check(answer.status_code == 303, f"withdrawal answered {answer.status_code}")
        refused = self.app.get("/api/records?category=pd:Interest")
        check(refused.status_code == 401, f"after the withdrawal the app got {refused.status_code}")
        keys = self.an.json(f"/api/grants/{self.grant}")["keys"]
        check(keys == 0, f"{keys} keys are left")
        ended = self.an.last(action="withdraw", grant=self.grant)
        denied = self.an.last(decision="denied", grant=self.grant, category="pd:Interest")
        check(denied["index"] > ended["index"], "the refusal after the withdrawal is not in the log")
        return (
            f"keys={before}->{keys} status={refused.status_code} {self.an.shown(ended['index'])}, "
            f"refusal {self.an.shown(denied['index'])}"
        )

    def oversee(self) -> str:
        """The DPO sees counts per app, purpose and category, and nothing of anybody."""
        self.dpo.login()
        told = self.dpo.json("/api/dpo/totals")
        rows = told["rows"]
        mine = [
            row for row in rows if row["client"] == self.app.told["client_id"] and row["purpose"] and row["category"]
        ]
        check(
            sum(row["count"] for row in mine if row["decision"] == "allowed"), "the app's reads are not in the totals"
        )
        check(any(row["decision"] == "denied" for row in mine), "the app's refusals are not in the totals")
        text = json.dumps(told)
        for personal in ("an", "An Peeters", self.an.told["webid"], "/loans/", self.grant):
            check(
                f'"{personal}"' not in text and (len(personal) < 3 or personal not in text),
                f"personal data: {personal}",
            )
        check(self.dpo.http.get("/me/data").status_code in (303, 403), "the DPO can open a citizen's page")
        return f"rows={len(rows)} of the app={len(mine)} entries={told['entries']} opened={told['opened']}"

    def _detail(self) -> dict[str, Any]:
        purpose = self.app.told["purposes"][0]
        until = (datetime.now(UTC) + timedelta(days=182)).replace(microsecond=0)
        return {
            "type": RAR,
            "locations": [f"{self.base}/pods/an/"],
            "actions": ["read"],
            "datatypes": [
                {"category": "pd:Interest", "fields": ["schema:about"], "necessity": "required"},
                {"category": "kluis:LibraryLoan", "derived": TOPICS, "necessity": "optional"},
            ],
            "purpose": {"code": purpose["code"], "text": purpose["text"], "version": purpose["version"]},
            "legal_basis": "eu-gdpr:A6-1-a-explicit-consent",
            "controller": self.app.told["controller"],
            "processing": ["dpv:Profiling"],
            "automated_decision": "profiling",
            "storage": {"country": "BE", "copy": "none"},
            "retention": "P0D",
            "expires": until.isoformat().replace("+00:00", "Z"),
            "recurrence": {"mode": "ongoing", "max_per_day": 480},
        }


def main() -> int:
    """Run the story; 0 only if all seven steps hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", type=Path, required=True, help="file with the line that `kluis demo --json` prints")
    for source in ("mijnbib", "folio", "uitdatabank"):
        parser.add_argument(f"--{source}", type=Path, help=f"a {source} file instead of the built-in one")
    options = parser.parse_args()
    demo = json.loads(options.demo.read_text().splitlines()[0])
    own = {"mijnbib": LOANS, "folio": FOLIO, "uitdatabank": event(datetime.now(UTC))}
    given = {source: getattr(options, source) for source in own}
    files = {
        source: given[source].read_bytes() if given[source] else json.dumps(own[source]).encode() for source in own
    }
    try:
        Story(demo, files).run()
    except Failed as why:
        print(f"FAILED  {why}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
