"""Loans as the library platform FOLIO stores them (`loans` collection of its circulation modules).

Stored loans carry an item id and no title; loans from the circulation API carry `item.title` as well.
A file may hold loans of several patrons, and anonymised ones without any.
"""

from collections.abc import Mapping
from typing import Any

from recommender.sources.document import Repeated, moment, normal, ordered, record, text
from recommender.sources.items import FILE, Intake, Item, Refused, Reject, Topics, resource_name
from recommender.sources.mijnbib import CATEGORY, loan_body


def read(document: Any, patron: str | None, titles: Mapping[str, str], topics: Topics) -> Intake:
    """Loans of `patron`, or of the only patron in the file; `titles` maps item ids to titles."""
    loans = document.get("loans") if isinstance(document, dict) else document
    if not isinstance(loans, list) or isinstance(document, Repeated):
        return Intake([], [Reject(FILE, "not a FOLIO file: expected one 'loans' list")])
    present = {loan["userId"] for loan in loans if isinstance(loan, dict) and isinstance(loan.get("userId"), str)}
    if patron is None and len(present) > 1:
        return Intake([], [Reject(FILE, f"loans of {len(present)} patrons: say whose with --patron ID")])
    if patron is not None and patron not in present:
        return Intake([], [Reject(FILE, "no loan of this patron in the file")])
    items, rejects = [], []
    for index, value in enumerate(loans):
        if patron and isinstance(value, dict) and value.get("userId") != patron:
            continue
        try:
            items.append(_loan(record(value), titles, topics))
        except Refused as why:
            rejects.append(Reject(index, str(why)))
    return Intake(items, rejects)


def _loan(loan: dict[str, Any], titles: Mapping[str, str], topics: Topics) -> Item:
    ident, copy = text(loan.get("id"), "id"), text(loan.get("itemId"), "itemId")
    if not copy or "loanDate" not in loan:
        raise Refused("not a FOLIO loan: itemId or loanDate is missing")
    if not text(loan.get("userId"), "userId"):
        raise Refused("anonymised loan: it names no patron")
    start = moment(loan.get("loanDate"), "loanDate")
    if not start:
        raise Refused("no loanDate")
    end = moment(loan.get("returnDate"), "returnDate") or moment(loan.get("dueDate"), "dueDate")
    ordered(start, end, "the loan")
    title, author, branch = _described(loan.get("item"))
    title = title or titles.get(copy, "")
    known = [f"loan:{normal(title)}:{start[:10]}"] if title else []
    identity = (*known, f"folio:{copy}:{start[:10]}", *([f"folio-loan:{ident}"] if ident else []))
    fields = {
        "schema:name": title or f"kluis:item:{copy}",
        "schema:author": author,
        "schema:startTime": start,
        "schema:endTime": end,
        "schema:about": list(topics(title)) if title else [],
        "kluis:branch": branch,
        "kluis:item": copy,
        "kluis:source": "folio",
    }
    return Item(resource_name("folio", identity[-1]), CATEGORY, loan_body(fields), identity)


def _described(item: Any) -> tuple[str, str, str]:
    """Title, author and branch from the circulation API's `item`, "" where it says nothing."""
    if not isinstance(item, dict):
        return "", "", ""
    people, place = item.get("contributors"), item.get("location")
    first = people[0] if isinstance(people, list) and people and isinstance(people[0], dict) else {}
    place = place if isinstance(place, dict) else {}
    return text(item.get("title"), "item.title"), text(first.get("name"), "author"), text(place.get("name"), "branch")
