"""A host gets back what it gave, in another order: nothing hidden, nothing added, whatever it sends."""

from hypothesis import HealthCheck, given, settings, strategies as st

from recommender.focus import laid_out, ranked, unwanted
from recommender.profile import Profile
from recommender.wishes import Wishes

FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


THINGS = st.lists(st.one_of(st.integers(0, 10**6), st.text(max_size=8)), max_size=30)


@FEW
@given(things=THINGS, n=st.integers(0, 10), wishes=st.sampled_from(["all", "no books", "none"]))
def test_content_focus_is_a_permutation_with_unknown_ids_last_in_their_own_order(small, things, n, wishes) -> None:
    known = [entry.id for entry in small.catalogue.entries]
    said = {"all": Wishes(), "no books": Wishes(media=frozenset({"book"})), "none": Wishes(hidden=frozenset(known))}
    offered = [known[one % len(known)] if isinstance(one, int) else one for one in things]
    found = ranked(small.profile(), small.catalogue, small.model, offered, n, said[wishes])
    assert sorted(found.order) == sorted(offered)
    strangers = [one for one in offered if one not in small.catalogue.index]
    assert list(found.order[len(offered) - len(strangers) :]) == strangers
    assert set(found.reasons) <= set(offered) and len(found.reasons) <= n


def test_what_she_never_wants_is_last_of_what_is_known_and_still_there(small) -> None:
    ids = [entry.id for entry in small.catalogue.entries[:20]]
    first = ranked(small.profile(), small.catalogue, small.model, ids, 0, Wishes()).order[0]
    put_away = ranked(small.profile(), small.catalogue, small.model, [*ids, "?"], 0, Wishes(hidden=frozenset({first})))
    assert put_away.order[-2:] == (first, "?")


@FEW
@given(named=st.lists(st.tuples(st.text(max_size=5), st.lists(st.integers(0, 10**6), max_size=3)), max_size=12))
def test_structure_focus_holds_the_declared_actions_and_no_other(small, named) -> None:
    topics = [*small.catalogue.weights, "onbekend"]
    actions = [(ident, [topics[n % len(topics)] for n in of]) for ident, of in named]
    order = laid_out(small.profile(), small.catalogue, actions)
    assert sorted(order) == sorted(ident for ident, _ in actions)


def test_who_has_nothing_open_gets_the_declared_order(small) -> None:
    actions = [("b", ["jazz"]), ("a", ["strips"])]
    assert laid_out(Profile({}), small.catalogue, actions) == ("b", "a")


def test_an_action_near_her_own_things_comes_first(small) -> None:
    profile = small.profile()
    hers = next(t for part in profile.traces.values() for trace in part for t in trace.topics
                if t.casefold() in small.catalogue.weights)  # fmt: skip
    assert laid_out(profile, small.catalogue, [("a", ["onbekend"]), ("b", [hers])]) == ("b", "a")


def test_a_closed_medium_is_unwanted(small) -> None:
    entry = small.catalogue.entries[0]
    assert unwanted(entry, Wishes(media=frozenset({entry.medium}))) and not unwanted(entry, Wishes())
