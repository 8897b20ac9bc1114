"""What Accept asks for and what it gets."""

import pytest

from vault.solid.conneg import choose
from vault.solid.rdf import JSON_LD, N_TRIPLES, TURTLE


@pytest.mark.parametrize(
    ("accept", "stored", "chosen"),
    [
        (None, TURTLE, TURTLE),
        ("", JSON_LD, JSON_LD),
        ("*/*", JSON_LD, JSON_LD),
        ("text/turtle", JSON_LD, TURTLE),
        ("application/ld+json", TURTLE, JSON_LD),
        ("application/n-triples", TURTLE, N_TRIPLES),
        ("text/turtle;q=0.5, application/ld+json;q=0.9", TURTLE, JSON_LD),
        ("text/turtle;q=0.5, application/ld+json", TURTLE, JSON_LD),
        ("text/*, application/ld+json;q=0.4", JSON_LD, TURTLE),
        ("*/*;q=0.1, text/turtle;q=0", TURTLE, JSON_LD),
        ("text/html, application/xhtml+xml, */*;q=0.8", TURTLE, TURTLE),
        ('application/ld+json; profile="a,b;q=0", text/turtle;q=0.9', TURTLE, JSON_LD),
        ("TEXT/Turtle", JSON_LD, TURTLE),
        ("text/turtle;q=1.0, application/ld+json;q=1.000", JSON_LD, JSON_LD),
        ("text/html", TURTLE, None),
        ("text/turtle;q=0", TURTLE, None),
        ("text/turtle;q=nan", TURTLE, None),
        ("image/png", "image/png", "image/png"),
        ("image/*;q=0.2", "image/png", "image/png"),
        ("text/turtle", "image/png", None),
        ("text/plain", "text/plain; charset=utf-8", "text/plain; charset=utf-8"),
        ("no range at all", TURTLE, TURTLE),
    ],
)
def test_accept_chooses_the_best_representation(accept: str | None, stored: str, chosen: str | None) -> None:
    assert choose(accept, stored) == chosen


def test_a_long_header_is_read_in_one_pass() -> None:
    assert choose('text/turtle;a="' + '\\"' * 30_000 + "," * 30_000, JSON_LD) == TURTLE
