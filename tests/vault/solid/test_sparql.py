"""SPARQL Update as Solid clients send it: what is read, what it means, and all the rest of SPARQL refused."""

import time

import pyoxigraph as ox
import pytest

from vault.solid import patch, rdf, sparql
from vault.solid.patch import BadPatch, Unmet
from vault.solid.rdf import TURTLE, BadRdf

BASE = "https://kluis.example/pods/an/x"
PREFIX = "PREFIX ex: <http://ex.example/>\n"


def graph(turtle: str) -> list[ox.Triple]:
    return rdf.graph((PREFIX + turtle).encode(), TURTLE, BASE)


def after(turtle: str, update: str) -> set[ox.Triple]:
    return set(patch.apply(sparql.read(update.encode(), BASE), graph(turtle)))


def refused(update: str) -> str:
    with pytest.raises((BadPatch, BadRdf)) as error:
        sparql.read(update.encode(), BASE)
    return str(error.value.reason)


@pytest.mark.parametrize(
    "update",
    [
        'DELETE DATA {<a> <http://ex.example/p> "1".}; INSERT DATA {<a> <http://ex.example/p> "2".};',
        'DELETE DATA { <a> <http://ex.example/p> "1" . } \n ; INSERT DATA { <a> <http://ex.example/p> "2" . }\n',
        PREFIX + 'delete data { <a> ex:p "1" } ; insert data { <a> ex:p "2" }',
        PREFIX + 'DELETE { ?a ex:p "1" . }\nINSERT { ?a ex:p "2" . }\nWHERE { ?a ex:p "1" . }',
        PREFIX + 'DELETE { $a ex:p ?old } INSERT { $a ex:p "2" } WHERE { $a ex:p ?old, "1" }',
        PREFIX + '# INSERT DATA { <z> ex:p 9 }\nDELETE DATA { <a> ex:p "1" };; INSERT DATA { <a> ex:p "2" . . }',
        (
            "BASE <https://kluis.example/pods/an/> PREFIX ex: <http://ex.example/>\n"
            'DELETE { <a> ex:p "1" } INSERT { <a> ex:p "2" } WHERE { } ; '
        ),
    ],
)
def test_the_forms_that_clients_send_mean_a_patch(update: str) -> None:
    assert after('<a> ex:p "1". <b> ex:p 3.', update) == set(graph('<a> ex:p "2". <b> ex:p 3.'))


def test_several_insertions_are_one() -> None:
    assert after(
        "", PREFIX + "INSERT DATA { <a> ex:p 1 }; PREFIX f: <http://ex.example/> INSERT DATA { <a> f:p 2 }"
    ) == (set(graph("<a> ex:p 1, 2.")))


def test_what_is_new_may_be_without_a_name() -> None:
    found = after("_:b ex:p 1.", PREFIX + "INSERT DATA { _:b ex:p 2 . <a> ex:q _:b , [ ex:r 3 ] }")
    assert len(found) == 5
    assert len({one.subject for one in found if one.predicate.value.endswith("/p")}) == 2


def test_where_and_deletions_are_as_strict_as_in_n3() -> None:
    for update, why in [
        ("DELETE DATA { <a> ex:p 9 }", "missing"),
        ("DELETE { ?x ex:p 9 } WHERE { ?x ex:p 9 }", "no_match"),
        ("DELETE { ?x ex:p ?y } WHERE { ?x ex:p ?y }", "several_matches"),
    ]:
        with pytest.raises(Unmet) as error:
            after("<a> ex:p 1. <b> ex:p 1.", PREFIX + update)
        assert error.value.reason == why


@pytest.mark.parametrize(
    "update",
    [
        "LOAD <http://127.0.0.1:1/x>",
        "LOAD SILENT <http://127.0.0.1:1/x> INTO GRAPH <a>",
        "CLEAR ALL",
        "CLEAR DEFAULT",
        "DROP GRAPH <a>",
        "CREATE GRAPH <a>",
        "ADD DEFAULT TO <a>",
        "MOVE DEFAULT TO <a>",
        "COPY DEFAULT TO <a>",
        "WITH <g> DELETE { ?a ?b ?c } WHERE { ?a ?b ?c }",
        "DELETE { ?a ?b ?c } USING <g> WHERE { ?a ?b ?c }",
        "DELETE WHERE { ?a ?b ?c }",
        "DELETE { ?a ?b ?c } WHERE { ?a ?b ?c FILTER(?c > 1) }",
        "DELETE { ?a ?b ?c } WHERE { ?a ?b ?c FILTER EXISTS { ?a ?b ?c } }",
        "INSERT { ?a ex:p ?c } WHERE { ?a ?b ?x BIND(1 AS ?c) }",
        "INSERT { <a> ex:p ?c } WHERE { VALUES ?c { 1 } }",
        "DELETE { ?a ?b ?c } WHERE { OPTIONAL { ?a ?b ?c } }",
        "DELETE { ?a ?b ?c } WHERE { { ?a ?b ?c } UNION { ?c ?b ?a } }",
        "DELETE { ?a ?b ?c } WHERE { SERVICE <http://127.0.0.1:1/> { ?a ?b ?c } }",
        "DELETE { ?a ?b ?c } WHERE { GRAPH <g> { ?a ?b ?c } }",
        "INSERT DATA { GRAPH <g> { <a> <b> <c> } }",
        "DELETE { ?a ?b ?c } WHERE { SELECT ?a WHERE { ?a ?b ?c } }",
        *(f"DELETE {{ ?a ex:p ?c }} WHERE {{ ?a {path} ?c }}" for path in ("ex:p/ex:q", "ex:p|ex:q", "^ex:p", "!ex:p")),
        *(f"DELETE {{ ?a ex:p ?c }} WHERE {{ ?a {path} ?c }}" for path in ("ex:p*", "ex:p+", "<p>?", "(<p>/<q>)+")),
        "INSERT DATA { <a> ex:p 1 }; DELETE { ?a ?b ?c } WHERE { ?a ?b ?c }",
    ],
)
def test_everything_else_of_sparql_is_refused_with_its_reason(update: str) -> None:
    assert refused(PREFIX + update) in ("unsupported", "nested")


@pytest.mark.parametrize(
    "update", ["", " ", PREFIX, "# nothing", "INSERT DATA {}", "DELETE DATA { } ; INSERT DATA { } ;"]
)
def test_an_update_without_any_operation_changes_nothing(update: str) -> None:
    """Inrupt's client sends one where only the rules of another resource changed."""
    assert sparql.read(update.encode(), BASE).empty
    assert after("<a> ex:p 1.", update) == set(graph("<a> ex:p 1."))


@pytest.mark.parametrize(
    ("update", "why"),
    [
        (" ; ", "syntax"),
        (PREFIX + ";", "syntax"),
        ("INSERT DATA { <a> <b> ?c }", "variable"),
        ("INSERT { <a> <b> ?c } WHERE { }", "variable"),
        ("DELETE DATA { _:a <b> <c> }", "blank_node"),
        ("DELETE { [] <b> ?c } WHERE { ?a <b> ?c }", "blank_node"),
        ("INSERT DATA { <a> <b> <c> }; DELETE DATA { <a> <b> <c> }", "order"),
        ("INSERT DATA { <a> <b> }", "syntax"),
        ("INSERT DATA { <a> <b> <c>", "syntax"),
        ("INSERT { <a> <b> <c> }", "syntax"),
        ("INSERT { <a> <b> <c> } ; INSERT DATA { <a> <b> <c> }", "syntax"),
        ("UPSERT DATA { <a> <b> <c> }", "syntax"),
        ("SELECT * WHERE { ?a ?b ?c }", "unsupported"),
        ("INSERT DATA { <a> <b> <c> } trailing", "syntax"),
    ],
)
def test_what_is_no_patch_says_why(update: str, why: str) -> None:
    assert refused(update) == why


def test_words_and_signs_in_names_and_texts_are_no_operators() -> None:
    kept = '<a/b*c?e+f!> ex:filter "FILTER(?a) { } / | ^ *", "x"^^<http://ex.example/OPTIONAL>, 1e+5, +2 ; ex:p.q 1'
    assert after("", PREFIX + "INSERT DATA { " + kept + " }") == set(graph(kept + " ."))


@pytest.mark.parametrize(
    "text", ["INSERT DATA {} ; " * 50_000, "DELETE " * 100_000, "PREFIX a: <a:> " * 50_000 + "x", ";" * 900_000]
)
def test_a_hostile_update_is_refused_soon(text: str) -> None:
    begun = time.monotonic()
    refused(text)
    assert time.monotonic() - begun < 5
