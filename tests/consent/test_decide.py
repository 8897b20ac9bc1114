from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from consent import categories, purposes
from consent.decide import Allowed, Ask, Refusal, decide
from consent.request import solid
from consent.terms import Datum
from tests.consent.sample import CREDENTIAL, NOW, terms

END = datetime.fromtimestamp(terms().expires / 1000, UTC)
INTEREST = Ask("read", "pd:Interest", "/interests/x.jsonld")
TOPICS = Ask("read", "kluis:LibraryLoan", answer="interest_topics_k10")
CONTAINER = {kind.curie: kind.container for kind in categories.CATEGORIES.values()}


def code(ask, at=NOW, of=None):
    done = decide(of or terms(), ask, at)
    return done.code if isinstance(done, Refusal) else "allowed"


def test_what_was_granted_is_allowed_within_its_fields():
    done = decide(terms(), INTEREST, NOW)
    assert isinstance(done, Allowed)
    assert done.datum.fields == ("schema:about",)
    assert code(Ask("list", "pd:Interest", "/interests/")) == "allowed"
    assert code(Ask("read", "pd:Interest")) == "allowed"


def test_the_end_itself_is_already_past_it():
    assert code(INTEREST, END - timedelta(milliseconds=1)) == "allowed"
    assert code(INTEREST, END) == "expired"
    assert code(INTEREST, END + timedelta(days=1)) == "expired"


def test_another_purpose_in_the_header_is_refused_and_the_same_one_is_not():
    assert code(replace(INTEREST, purpose_header="dpv:ProvideEventRecommendations")) == "allowed"
    for other in ("dpv:TargetedAdvertising", "", "ProvideEventRecommendations", "dpv:provideeventrecommendations"):
        assert code(replace(INTEREST, purpose_header=other)) == "purpose"


@given(st.sampled_from(sorted(purposes.PURPOSES)))
def test_a_grant_for_a_child_purpose_never_authorises_another_not_even_its_parent(other):
    same = other == terms().purpose_code
    assert (code(replace(INTEREST, purpose_header=other)) == "allowed") == same
    assert "dpv:ServicePersonalisation" in purposes.ancestors(terms().purpose_code)


def test_a_grant_for_an_answer_never_opens_its_source():
    assert code(Ask("read", "kluis:LibraryLoan", "/loans/x.jsonld")) == "derived_only"
    assert code(Ask("list", "kluis:LibraryLoan", "/loans/")) == "derived_only"
    assert code(Ask("read", "kluis:LibraryLoan")) == "derived_only"
    assert code(TOPICS) == "allowed"


def test_an_answer_is_read_by_name_or_at_its_own_place_only():
    place = "/answers/loans-interest_topics_k10-P1Y.jsonld"
    assert code(Ask("read", "kluis:Answers", place)) == "allowed"
    assert code(Ask("read", "kluis:Answers", answer="interest_topics_k10")) == "allowed"
    assert code(Ask("read", "kluis:Answers", "/answers/tickets-interest_topics_k10.jsonld")) == "answer"
    assert code(Ask("read", "kluis:Answers", "/answers/")) == "answer"
    assert code(Ask("read", "kluis:Answers", "/answers/interests.jsonld")) == "answer"
    assert code(Ask("read", "kluis:Answers")) == "answer"
    assert code(Ask("list", "kluis:Answers", place)) == "action"
    assert code(Ask("write", "kluis:Answers", place)) == "action"
    assert code(Ask("read", "kluis:LibraryLoan", answer="is_resident")) == "answer"
    assert code(Ask("read", "pd:Interest", answer="interest_topics_k10")) == "answer"


def test_an_action_that_was_not_given_is_refused():
    for action in ("write", "append", "delete", "derive", "recommend", "own"):
        assert code(replace(INTEREST, action=action)) == "action"
    assert code(INTEREST, of=terms(actions=["recommend"])) == "action"
    assert code(TOPICS, of=terms(actions=["derive"])) == "allowed"
    assert code(INTEREST, of=terms(actions=["derive"])) == "action"


def test_apps_write_only_where_writing_is_theirs():
    rows = [{"category": c, "necessity": "required"} for c in ("kluis:Derived", "kluis:LibraryLoan")]
    both = terms(actions=["read", "append", "write"], datatypes=rows)
    assert code(Ask("append", "kluis:Derived", "/derived/x.jsonld"), of=both) == "allowed"
    assert code(Ask("append", "kluis:LibraryLoan", "/loans/x.jsonld"), of=both) == "action"
    fields = terms(actions=["write"], datatypes=[{**rows[0], "fields": ["schema:name"]}])
    assert code(Ask("write", "kluis:Derived", "/derived/x.jsonld"), of=fields) == "action"


def test_single_resources_open_nothing_beside_them():
    row = {"category": "kluis:LibraryLoan", "necessity": "required"}
    one = terms(datatypes=[{**row, "resources": ["http://localhost:8400/pods/an/loans/x.jsonld"]}])
    assert code(Ask("read", "kluis:LibraryLoan", "/loans/x.jsonld"), of=one) == "allowed"
    assert code(Ask("read", "kluis:LibraryLoan", "/loans/y.jsonld"), of=one) == "resource"
    assert code(Ask("list", "kluis:LibraryLoan", "/loans/"), of=one) == "resource"
    batch = decide(one, Ask("read", "kluis:LibraryLoan"), NOW)
    assert isinstance(batch, Allowed)
    assert batch.datum.resources == ("/loans/x.jsonld",)


def test_a_path_of_another_category_is_refused_whatever_the_ask_calls_it():
    assert code(Ask("read", "pd:Interest", "/loans/x.jsonld")) == "category"
    assert code(Ask("read", "pd:Interest", "/interests.jsonld")) == "category"
    assert code(Ask("read", "kluis:File", "/profile/card")) == "category"


def test_two_rows_of_one_category_mean_their_fields_together():
    name = Datum("kluis:LibraryLoan", fields=("schema:name",))
    about = Datum("kluis:LibraryLoan", fields=("schema:about",), necessity="optional")
    done = decide(replace(terms(), data=(name, about)), Ask("read", "kluis:LibraryLoan"), NOW)
    assert isinstance(done, Allowed)
    assert done.datum.fields == ("schema:name", "schema:about")
    torn = replace(terms(), data=(name, replace(about, window="P1D")))
    first = decide(torn, Ask("read", "kluis:LibraryLoan"), NOW)
    assert isinstance(first, Allowed)
    assert first.datum.fields == ("schema:name",)


def test_a_refusal_says_what_to_ask_for_and_nothing_about_what_is_there():
    done = decide(terms(), Ask("read", "kluis:Ticket", "/tickets/x.jsonld"), NOW)
    assert isinstance(done, Refusal)
    assert done.hint == {
        "type": "urn:kluis:rar:pod-access:1",
        "actions": ["read"],
        "datatypes": [{"category": "kluis:Ticket"}],
    }


SOLID = solid(CREDENTIAL, "an", ("/public/", "/profile/"), ("read", "append"), terms().expires)


@pytest.mark.parametrize(
    ("action", "path", "expected"),
    [
        ("read", "/public/a.ttl", "allowed"),
        ("list", "/public/", "allowed"),
        ("append", "/public/", "allowed"),
        ("write", "/public/a.ttl", "mode"),
        ("delete", "/public/a.ttl", "mode"),
        ("control", "/public/a.ttl", "mode"),
        ("own", "/public/a.ttl", "mode"),
        ("read", "/settings/a.ttl", "container"),
        ("read", "/publicity/a.ttl", "container"),
        ("read", "/", "container"),
        ("read", "/loans/x.jsonld", "category"),
    ],
)
def test_a_solid_grant_covers_its_containers_and_modes_and_never_a_sealed_one(action, path, expected):
    assert code(Ask(action, "kluis:File", path), of=SOLID) == expected


def test_a_solid_grant_over_everything_managed_still_opens_nothing_sealed():
    whole = replace(SOLID, containers=("/",), modes=("read", "append", "write", "control"))
    assert code(Ask("write", "kluis:File", "/new/thing"), of=whole) == "allowed"
    for kind in categories.CATEGORIES.values():
        if kind.custody == "sealed":
            path = f"/{kind.container}x"
            assert code(Ask("read", kind.curie, path), of=whole) == "category"
            assert code(Ask("read", "kluis:File", path), of=whole) == "category"
    assert code(Ask("read", "kluis:File"), of=whole) == "container"


rows = st.lists(
    st.sampled_from(
        [
            Datum("kluis:LibraryLoan"),
            Datum("kluis:LibraryLoan", derived="interest_topics_k10"),
            Datum("pd:Interest", fields=("schema:about",)),
            Datum("kluis:Ticket", resources=("/tickets/one.jsonld",)),
            Datum("pd:PostalCode", derived="postal_district"),
            Datum("kluis:Derived"),
        ]
    ),
    unique=True,
)
actions = st.sets(st.sampled_from(["read", "append", "write", "delete", "derive", "recommend"])).map(tuple)
PATHS = [f"/{container}{name}" for container in CONTAINER.values() for name in ("", "x", "one.jsonld")]
asks = st.builds(
    Ask,
    st.sampled_from(["read", "list", "append", "write", "delete", "derive", "recommend", "control", ""]),
    st.sampled_from([*categories.CATEGORIES, "kluis:Nothing"]),
    st.none() | st.sampled_from(PATHS),
    st.none() | st.sampled_from(["interest_topics_k10", "postal_district", "age_over_18"]),
    st.none() | st.sampled_from(sorted(purposes.PURPOSES)),
)


@given(rows, actions, asks, st.integers(-2, 2))
def test_nothing_outside_the_terms_is_ever_allowed(data, given_actions, ask, beyond):
    covering = replace(terms(), data=tuple(data), actions=given_actions)
    done = decide(covering, ask, END + timedelta(milliseconds=beyond))
    if not isinstance(done, Allowed):
        return
    assert beyond < 0
    assert ask.purpose_header in (None, covering.purpose_code)
    assert {"read", "derive"} & set(given_actions) if done.datum.derived else True
    assert done.datum in covering.data
    if done.datum.derived:
        assert ask.action == "read"
        assert ask.answer == done.datum.derived or ask.path == done.datum.answer_path
    else:
        assert ask.category == done.datum.category
        assert {"list": "read"}.get(ask.action, ask.action) in given_actions
        assert ask.path is None or ask.path.startswith("/" + CONTAINER[ask.category])
        assert ask.path is None or done.datum.resources is None or ask.path in done.datum.resources
