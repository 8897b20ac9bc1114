"""How old and of which class a proof may be: the edges of each rule, over values."""

from dataclasses import replace
from datetime import timedelta

import pytest

from consent import assurance, special
from consent.accounts.seats import Beginning
from consent.assurance import FRESH_MS, PASSKEY, REQUEST_MS, Assurance
from consent.request import parse
from tests.consent import sample
from tests.web.tariff import CARD, POOL, ROW, detail

AT = int(sample.NOW.timestamp() * 1000)
TERMS = parse(detail(ROW, CARD), POOL, sample.BASE, sample.NOW)
TARIFF, CARDS = TERMS.data


@pytest.mark.parametrize(
    ("acr", "age", "lacks"),
    [
        (PASSKEY, 0, False),
        (PASSKEY, REQUEST_MS, False),
        (PASSKEY, REQUEST_MS + 1, True),
        (PASSKEY, -86_400_000, False),  # decided about again a day later
        (assurance.ACR["passphrase"], 0, True),
        (assurance.ACR["recovery"], 0, True),
        (assurance.ACR["demo"], 0, True),
        ("", 0, True),
        ("PHR", 0, True),
    ],
)
def test_a_special_row_needs_a_passkey_of_the_last_five_minutes_before_its_grant(
    acr: str, age: int, lacks: bool
) -> None:
    given = Assurance(acr, AT - age).on(TERMS)
    assert assurance.lacking(given, TARIFF, AT) is lacks
    assert assurance.lacking(given, CARDS, AT) is False and assurance.lacking(given, None, AT) is False


def test_a_row_that_the_app_marks_as_special_is_held_to_the_same() -> None:
    marked = replace(CARDS, special=True)
    assert special.rows((marked, CARDS)) == (marked,)
    assert assurance.lacking(TERMS, marked, AT)


def test_a_proof_of_half_an_hour_ago_is_too_old_to_decide_on_and_one_a_moment_younger_is_not() -> None:
    assert assurance.stale(Beginning("passkey", "", AT - FRESH_MS), sample.NOW)
    assert not assurance.stale(Beginning("passphrase", "", AT - FRESH_MS + 1), sample.NOW)
    later = sample.NOW + timedelta(hours=8)
    assert assurance.stale(Beginning("passkey", "", AT), later)


def test_terms_keep_how_sure_we_were_through_storage_and_old_ones_say_nothing() -> None:
    given = Assurance(PASSKEY, AT).on(TERMS)
    assert type(TERMS).from_json(given.to_json()) == given
    assert assurance.shown(given) == {"acr": "phr", "auth_time": AT // 1000}
    old = {name: value for name, value in TERMS.to_json().items() if name not in ("acr", "auth_time")}
    assert type(TERMS).from_json(old) == TERMS and assurance.shown(TERMS) == {}
