"""N3 Patch: each rule of the Solid Protocol once, what clients really send, and what is meant to hurt."""

import time

import pyoxigraph as ox
import pytest
from hypothesis import given, settings, strategies as st

from vault.solid import n3patch, patch, rdf
from vault.solid.patch import BadPatch, Patch, Unmet
from vault.solid.rdf import TURTLE, BadRdf

BASE = "https://kluis.example/pods/an/x"
HEAD = "@prefix solid: <http://www.w3.org/ns/solid/terms#>. @prefix ex: <http://ex.example/>.\n"


def read(text: str) -> Patch:
    return n3patch.read(text.encode(), BASE)


def written(**formulae: str) -> str:
    said = "; ".join(f"solid:{name} {{ {formula} }}" for name, formula in formulae.items())
    return f"{HEAD}_:p a solid:InsertDeletePatch{'; ' + said if said else ''}."


def graph(turtle: str) -> list[ox.Triple]:
    return rdf.graph((HEAD + turtle).encode(), TURTLE, BASE)


def after(turtle: str, **formulae: str) -> set[ox.Triple]:
    return set(patch.apply(read(written(**formulae)), graph(turtle)))


def reason(text: str) -> str:
    with pytest.raises(BadPatch) as error:
        read(text)
    return error.value.reason


def test_a_patch_finds_deletes_and_inserts() -> None:
    found = after(
        '<#a> ex:family "Garcia"; ex:given "Claudia".',
        where='?p ex:family "Garcia".',
        deletes='?p ex:given "Claudia".',
        inserts='?p ex:given "Alex".',
    )
    assert found == set(graph('<#a> ex:family "Garcia"; ex:given "Alex".'))


def test_what_is_deleted_and_inserted_again_stays() -> None:
    assert after("<a> ex:p 1.", deletes="<a> ex:p 1.", inserts="<a> ex:p 1.") == set(graph("<a> ex:p 1."))


def test_names_are_relative_to_the_resource() -> None:
    assert after("", inserts="<#me> ex:p <y>, <>.") == set(graph(f"<{BASE}#me> ex:p <{BASE[:-1]}y>, <{BASE}>."))


def test_exactly_one_patch_is_asked() -> None:
    assert reason(HEAD + "<a> ex:p <b>.") == "no_patch"
    assert reason("") == "no_patch"
    assert reason(HEAD + "_:a a solid:InsertDeletePatch. _:b a solid:InsertDeletePatch.") == "several_patches"


@pytest.mark.parametrize("name", ["where", "deletes", "inserts"])
def test_of_each_formula_there_is_at_most_one(name: str) -> None:
    twice = f"solid:{name} {{ <a> ex:p <b> }}, {{ <c> ex:p <d> }}"
    assert reason(f"{HEAD}_:p a solid:InsertDeletePatch; {twice}.") == "twice"


def test_a_formula_is_a_formula_and_belongs_to_the_patch() -> None:
    assert reason(f'{HEAD}_:p a solid:InsertDeletePatch; solid:inserts "text".') == "no_formula"
    assert reason(f"{HEAD}_:p a solid:InsertDeletePatch; solid:inserts <x>.") == "no_formula"
    assert reason(f"{HEAD}_:p a solid:InsertDeletePatch. <x> ex:p {{ <a> ex:p <b> }}.") == "stray_formula"
    assert reason(written(inserts="<a> ex:p { <b> ex:p <c> }")) == "nested"


@pytest.mark.parametrize("name", ["deletes", "inserts"])
def test_a_variable_comes_from_where(name: str) -> None:
    assert reason(written(**{name: "?a ex:p ?b."}, where="?a ex:p 1.")) == "variable"
    assert reason(HEAD + "?p a solid:InsertDeletePatch.") == "variable"


@pytest.mark.parametrize("name", ["deletes", "inserts"])
@pytest.mark.parametrize("term", ["_:b", "[]", "( 1 )", "[ ex:p 1 ]"])
def test_what_comes_or_goes_is_no_blank_node(name: str, term: str) -> None:
    assert reason(written(**{name: f"<a> ex:p {term}."})) == "blank_node"


@pytest.mark.parametrize(
    "text",
    [
        "this is no N3",
        HEAD + "_:p a solid:InsertDeletePatch; solid:inserts { <a> ex:p .",
        HEAD + "_:p a solid:InsertDeletePatch; solid:inserts { <a> ex:p };.",
        HEAD + "_:p a solid:InsertDeletePatch; solid:inserts { <a> ex:p <b> } }.",
        HEAD + "_:p a solid:InsertDeletePatch; solid:inserts { <a> no:prefix <b> }.",
        HEAD + "{ <a> ex:p <b> } => { <a> ex:p <c> }.",
        HEAD + "@forAll ex:x. _:p a solid:InsertDeletePatch.",
    ],
)
def test_what_is_no_n3_of_this_kind_is_a_syntax_error(text: str) -> None:
    with pytest.raises(BadRdf) as error:
        read(text)
    assert error.value.reason == "syntax"


def test_an_error_names_its_line_in_the_document() -> None:
    with pytest.raises(BadRdf) as error:
        read(HEAD + "_:p a solid:InsertDeletePatch;\nsolid:inserts {\n<a> ex:p <b> .\n<a> ex:p ex ex .\n}.")
    assert error.value.line == 5


def test_a_stray_full_stop_is_forgiven_and_one_in_a_name_is_kept() -> None:
    stray = after("", inserts="<a> ex:p <b>. . <a> ex:p ex:c..d . ..")
    assert stray == set(graph("<a> ex:p <b>, ex:c..d ."))
    assert read(written(inserts="<a> ex:p <b>") + " .\n.").inserts


def test_only_text_holds_variables_and_braces() -> None:
    kept = '<a> ex:p "?x { } #", \'?y\', """?z " }""", <http://ex.example/?q={}#?v>.'.replace("{}", "")
    assert after("", inserts=f"# ?c {{ }}\n{kept}") == set(graph(kept))


def test_no_name_of_a_document_is_taken_for_a_variable() -> None:
    """The name that a variable gets follows from the whole document, so the document cannot hold it."""
    mark = read(written(where="?x ex:p 1.")).mark
    again = read(written(inserts=f"<{mark}x> ex:p 1."))
    assert again.mark != mark
    assert again.inserts[0].subject == ox.NamedNode(f"{mark}x")


def test_where_fits_exactly_once_or_nothing_happens() -> None:
    for turtle, why in (("<a> ex:p 2.", "no_match"), ("<a> ex:p 1. <b> ex:p 1.", "several_matches")):
        with pytest.raises(Unmet) as error:
            after(turtle, where="?x ex:p 1.", inserts="?x ex:q 2.")
        assert error.value.reason == why


def test_one_variable_in_two_places_is_one_value() -> None:
    assert after("<a> ex:p <a>. <b> ex:p <c>.", where="?x ex:p ?x.", inserts="?x ex:q 1.") >= set(graph("<a> ex:q 1."))


def test_a_blank_node_in_where_stands_for_anything() -> None:
    found = after("<a> ex:p <b>, <c>. <b> ex:t 1. <c> ex:t 1.", where="?x ex:p [ ex:t 1 ].", inserts="?x ex:q 1.")
    assert found >= set(graph("<a> ex:q 1."))


def test_blank_nodes_of_the_graph_are_found_by_what_is_said_of_them() -> None:
    old = graph('<a> ex:p [ ex:n "one" ], [ ex:n "two" ].')
    made = patch.apply(read(written(where='<a> ex:p ?b. ?b ex:n "two".', deletes='?b ex:n "two".')), old)
    assert [one for one in old if one not in made] == [one for one in old if one.object == ox.Literal("two")]


def test_what_goes_has_to_be_there_all_of_it() -> None:
    with pytest.raises(Unmet) as error:
        after("<a> ex:p 1.", deletes="<a> ex:p 1, 2.")
    assert error.value.reason == "missing"


def test_a_literal_is_the_same_only_if_all_of_it_is() -> None:
    for other in ('"1"', '"01"^^<http://www.w3.org/2001/XMLSchema#integer>', '"1"@nl', "1.0"):
        with pytest.raises(Unmet):
            after("<a> ex:p 1.", deletes=f"<a> ex:p {other}.")


def test_a_value_that_can_be_no_subject_is_refused() -> None:
    with pytest.raises(BadPatch) as error:
        after("<a> ex:p 1.", where="<a> ex:p ?x.", inserts="?x ex:q 2.")
    assert error.value.reason == "not_a_statement"


def test_the_modes_follow_from_what_is_said() -> None:
    assert read(written()).modes == {"append"}
    assert read(written(inserts="<a> ex:p 1.")).modes == {"append"}
    assert read(written(inserts="<a> ex:p 1.", where="<a> ex:p 2.")).modes == {"append", "read"}
    assert read(written(deletes="<a> ex:p 1.")).modes == {"append", "read", "write"}


def test_where_cannot_be_made_to_try_for_ever() -> None:
    turtle = "".join(f"<a{n}> ex:p <a{m}>.\n" for n in range(40) for m in range(40))
    hard = " ".join(f"?v{n} ex:p ?v{n + 1}." for n in range(30)) + " ?v30 ex:none ?v0."
    twins = " ".join(f"_:v{n} ex:p _:v{n + 1}." for n in range(30))
    begun = time.monotonic()
    with pytest.raises(Unmet):  # nothing is said with ex:none, which is looked at first
        after(turtle, where=hard, inserts="?v0 ex:q 1.")
    with pytest.raises(BadPatch) as error:  # the same answer over and over, never a second one
        after(turtle, where=twins, inserts="<a> ex:q 1.")
    assert error.value.reason == "too_much_work"
    down = "".join(f"<a{n}> ex:p <a{m}>.\n" for n in range(40) for m in range(n))
    with pytest.raises(BadPatch):  # no way down is that long, which only trying them all would show
        after(down, where=" ".join(f"?v{n} ex:p ?v{n + 1}." for n in range(60)))
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "{" * 300_000,
        HEAD + "{}" * 300_000,
        HEAD + ". " * 300_000 + "x",
        HEAD + "?" * 300_000,
        HEAD + '"""\n' * 100_000,
        HEAD + "'''\\" * 100_000,
        HEAD + "<" * 300_000,
        HEAD + "@prefix " * 100_000,
        written(inserts="<a> ex:p " + "[" * 100_000),
        written(inserts="<a> ex:p " + "(" * 100_000),
        written(inserts="".join(f"<a> ex:p {n}." for n in range(20_000))),
        written(where="".join(f"?a ex:p {n}." for n in range(200))),
        "@prefix a: <a:>. " * 5_000,
        written(inserts="<a> ex:p 1.") + "\0",
    ],
)
def test_a_hostile_document_is_refused_soon(text: str) -> None:
    begun = time.monotonic()
    with pytest.raises((BadRdf, BadPatch)):
        read(text)
    assert time.monotonic() - begun < 5


def test_more_than_a_mebibyte_is_not_looked_at() -> None:
    with pytest.raises(BadRdf) as error:
        n3patch.read(b" " * (1024 * 1024 + 1), BASE)
    assert error.value.reason == "too_large"


TERMS = st.sampled_from(["<a>", "<b>", "<#c>", "ex:d", "ex:e.f"])
VALUES = st.one_of(TERMS, st.integers(-3, 3).map(str), st.sampled_from(['"?x"', '"{}"@nl', "true", '"a.b"', "1.5"]))
STATEMENT = st.tuples(TERMS, st.sampled_from(["ex:p", "ex:q", "a"]), VALUES).map(" ".join)
GRAPH = st.sets(STATEMENT, max_size=8)


@settings(max_examples=200, deadline=None)
@given(GRAPH, GRAPH, GRAPH)
def test_a_patch_and_its_inverse_give_the_graph_back(kept: set[str], goes: set[str], comes: set[str]) -> None:
    goes, comes = goes - kept, comes - kept - goes

    def text(statements: set[str]) -> str:
        return " .\n".join(sorted(statements))

    before = graph(text(kept | goes) + " ." * bool(kept | goes))
    there = patch.apply(read(written(deletes=text(goes), inserts=text(comes))), before)
    assert set(there) == set(graph(text(kept | comes) + " ." * bool(kept | comes)))
    assert set(patch.apply(read(written(deletes=text(comes), inserts=text(goes))), there)) == set(before)
