import pytest
from hypothesis import given, settings, strategies as st

from keys import context
from keys.context import KINDS, ctx, place
from keys.errors import Misuse
from tests.keys.independent import framed
from tests.keys.places import FIELDS, OTHER, PART, POD, RESOURCE, all_contexts

# Few and short values, so that neighbours such as ("a", "bc") and ("ab", "c") really meet.
VALUES = {
    context._id: st.sampled_from([POD, RESOURCE]),
    context._digest: st.sampled_from([bytes(32), b"x" * 32]),
    context._row: st.binary(max_size=3),
    context._text: st.text("ab\0é", max_size=3),
    context._number: st.integers(0, 2) | st.just(2**64 - 1),
}


def fields_of(kind):
    return st.tuples(*(VALUES[take] if take in VALUES else st.sampled_from(sorted(take.words)) for take in KINDS[kind]))


TWO_LISTS = st.sampled_from(sorted(KINDS)).flatmap(
    lambda kind: st.tuples(st.just(kind), fields_of(kind), fields_of(kind))
)


def test_a_context_is_the_framed_kind_and_fields():
    made = ctx("dek", POD, PART, 7, RESOURCE, 258, "own")
    seven, version = (7).to_bytes(8, "big"), (258).to_bytes(8, "big")
    assert made == framed(b"kluis/dek/v1", POD, PART, seven, RESOURCE, version, b"own")


@settings(max_examples=500, deadline=None)
@given(TWO_LISTS)
def test_two_different_lists_of_fields_never_give_one_context(lists):
    kind, one, two = lists
    assert (ctx(kind, *one) == ctx(kind, *two)) == (one == two)


def test_every_kind_has_an_example_and_all_examples_differ():
    assert set(FIELDS) == set(KINDS)
    contexts = all_contexts()
    assert len(set(contexts)) == len(contexts)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_missing_or_an_extra_field_is_refused(kind):
    with pytest.raises(Misuse):
        ctx(kind, *FIELDS[kind], POD)
    if FIELDS[kind]:
        with pytest.raises(Misuse):
            ctx(kind, *FIELDS[kind][:-1])


@pytest.mark.parametrize("kind", sorted(kind for kind in KINDS if FIELDS[kind]))
def test_a_field_of_another_type_is_refused(kind):
    fields = FIELDS[kind]
    for at, field in enumerate(fields):
        for wrong in (True, None, 1.5, bytearray(16), "" if isinstance(field, (int, bytes)) else b""):
            with pytest.raises(Misuse):
                ctx(kind, *fields[:at], wrong, *fields[at + 1 :])


@pytest.mark.parametrize(
    "fields",
    [(POD[:15], RESOURCE, 1), (POD + b"x", RESOURCE, 1), (POD, RESOURCE, -1), (POD, RESOURCE, 1 << 64)],
    ids=["short id", "long id", "negative", "beyond 64 bits"],
)
def test_a_field_out_of_bounds_is_refused(fields):
    with pytest.raises(Misuse):
        ctx("label", *fields)


def test_an_unknown_kind_an_unknown_word_and_half_a_letter_are_refused():
    for kind, fields in (("nothing", ()), ("ck", (POD, "open", PART, 1)), ("lookup", ("\ud800",))):
        with pytest.raises(Misuse):
            ctx(kind, *fields)


def test_a_place_is_the_kind_and_its_fixed_words():
    assert place(ctx("root", POD, "custody", "mk")) == ("root", "custody", "mk")
    assert place(ctx("dek", POD, PART, 1, RESOURCE, 1, "deposit")) == ("dek", "deposit")
    assert place(ctx("label", OTHER, RESOURCE, 1)) == ("label",)


@pytest.mark.parametrize(
    "forged",
    [
        b"",
        b"\0",
        framed(b"kluis/none/v1"),
        framed(b"kluis/label/v1"),
        ctx("label", POD, RESOURCE, 1)[:-1],
        framed(b"kluis/root/v1", POD, b"rk", b"all"),
        framed(b"kluis/root/v1", POD, b"\xff", b"mk"),
    ],
    ids=["empty", "one byte", "unknown kind", "no fields", "cut", "unknown word", "no text"],
)
def test_bytes_that_are_no_context_have_no_place(forged):
    with pytest.raises(Misuse):
        place(forged)
