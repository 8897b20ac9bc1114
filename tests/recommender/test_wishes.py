"""What a citizen wishes of her suggestions: off until she says otherwise, and never guessed from what is damaged."""

from datetime import UTC, datetime, time

import pytest
from hypothesis import given, strategies as st

from recommender.errors import BadData
from recommender.wishes import KINDS, Weekly, Wishes, changed, traits, wishes

NAMES = st.frozensets(st.text(min_size=1, max_size=20), max_size=5)
ANY = st.builds(
    Wishes,
    kinds=st.frozensets(st.sampled_from(KINDS)),
    media=NAMES,
    categories=NAMES,
    dial=st.integers(0, 3),
    less=NAMES,
    more=NAMES,
    never=NAMES,
    hidden=NAMES,
    weekly=st.builds(
        Weekly,
        st.integers(0, 7),
        st.builds(time, st.integers(0, 23), st.integers(0, 59)),
        st.builds(time, st.integers(0, 23), st.integers(0, 59)),
    ),
)


def test_nothing_is_on_until_she_turns_it_on() -> None:
    assert not any(Wishes().on(kind) for kind in KINDS)
    assert wishes({}) == Wishes()


@given(ANY)
def test_what_is_stored_is_what_she_wished(one: Wishes) -> None:
    assert wishes(one.to_json()) == one


@pytest.mark.parametrize(
    "told",
    [{"kinds": ["spy"]}, {"kinds": "list"}, {"dial": 4}, {"dial": True}, {"weekly": {"most": 8}}, {"weekly": []},
     {"weekly": {"quiet_from": 3}}, {"less": [""]}, {"less": [7]}, {"other": 1}, {"since": 5}],
)  # fmt: skip
def test_damaged_wishes_are_refused_and_never_guessed(told: dict[str, object]) -> None:
    with pytest.raises(BadData):
        wishes(told)


@given(ANY, st.lists(st.sampled_from(["less", "more", "never"]), max_size=4))
def test_a_trait_is_wanted_in_one_way_at_most_and_undo_forgets_it(one: Wishes, steps: list[str]) -> None:
    for how in steps:
        one = changed(one, "topic:jazz", how)
        assert [name for name in ("less", "more", "never") if "topic:jazz" in getattr(one, name)] == [how]
    gone = changed(one, "topic:jazz", "undo")
    assert not {"topic:jazz"} & (gone.less | gone.more | gone.never)


def test_quiet_hours_may_run_past_midnight() -> None:
    night = Weekly(1, time(20), time(9))
    heard = {hour: night.quiet(datetime(2026, 1, 5, hour, tzinfo=UTC)) for hour in (8, 9, 12, 19, 20, 23)}
    assert heard == {8: True, 9: False, 12: False, 19: False, 20: True, 23: True}


def test_traits_are_named_once_in_small_letters() -> None:
    assert traits("film", "Cinema X", "", ["Jazz", "jazz "]) == ("medium:film", "house:cinema x", "topic:jazz")
