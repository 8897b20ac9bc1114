"""Loans as the Flemish library site's client `mijnbib` writes them: a list of `Loan` objects, without a loan id.

A loan is recognised by its title, or the catalogue id, with the day it began.
"""

from typing import Any

from recommender.sources.document import moment, normal, ordered, record, text
from recommender.sources.items import CONTEXT, FILE, Intake, Item, Refused, Reject, Topics, resource_name

CATEGORY = "kluis:LibraryLoan"


def read(document: Any, topics: Topics) -> Intake:
    """Loans of one account; several `account_id`s are several cards of one family and all belong to the sender.

    `topics` gives the subject words of a title.
    """
    if not isinstance(document, list):
        return Intake([], [Reject(FILE, "not a mijnbib file: expected a list of loans")])
    items, rejects = [], []
    for index, value in enumerate(document):
        try:
            items.append(_loan(record(value), topics))
        except Refused as why:
            rejects.append(Reject(index, str(why)))
    return Intake(items, rejects)


def _loan(loan: dict[str, Any], topics: Topics) -> Item:
    if "title" not in loan and "loan_from" not in loan:
        raise Refused("not a mijnbib loan: neither title nor loan_from")
    title = text(loan.get("title"), "title")
    if not normal(title):
        raise Refused("no title")
    start, end = moment(loan.get("loan_from"), "loan_from"), moment(loan.get("loan_till"), "loan_till")
    if not start:
        raise Refused("no loan_from date")
    ordered(start, end, "the loan")
    ident = text(loan.get("id"), "id")
    identity = (f"loan:{normal(title)}:{start[:10]}", *([f"mijnbib:{ident}:{start[:10]}"] if ident else []))
    fields = {
        "schema:name": title,
        "schema:author": text(loan.get("author"), "author"),
        "schema:startTime": start,
        "schema:endTime": end,
        "schema:about": list(topics(title)),
        "schema:additionalType": text(loan.get("type"), "type"),
        "kluis:branch": text(loan.get("branchname"), "branchname"),
        "kluis:source": "mijnbib",
    }
    return Item(resource_name("mijnbib", identity[-1]), CATEGORY, loan_body(fields), identity)


def loan_body(fields: dict[str, Any]) -> dict[str, Any]:
    """The JSON-LD of a loan; empty fields are left out."""
    return {"@context": CONTEXT, "@id": "", "@type": CATEGORY} | {k: v for k, v in fields.items() if v}
