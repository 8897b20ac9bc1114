"""The page of one receipt: it tells what the sealed document itself says, whatever became of the grant since."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from consent import receipts
from web import asking, working
from web.pages.consenting import GIVING, ReceiptPage


def page(
    name: str, proof: Mapping[str, Any], at: datetime, controller: str, purpose: str, asked: Iterable[str]
) -> ReceiptPage:
    """The receipt ``name``, made ``at``; ``proof`` is its opened document, ``asked`` what had been asked by then."""
    told, event = proof["pii_processing"][0], proof["event"]
    given = tuple(row["label"] for row in told["pii_information"])
    if not given:  # a plain Solid app has rooms, and no rows
        given = tuple(working.told(tuple(told["containers"]), tuple(told["access_modes"])))
    step = event["event_type"]
    return ReceiptPage(
        id=name,
        app=proof["party_identification"][1]["party_name"],
        controller=controller,
        purpose=purpose,
        legal_basis=asking.BASES[told["lawful_basis"]],
        at=at,
        until=datetime.fromisoformat(event["validity_until"]),
        given=given,
        digest=receipts.digest(proof),
        withheld=tuple(sorted(set(asked) - set(given))) if step in GIVING else (),
        step=step,
    )
