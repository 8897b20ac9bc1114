"""The weekly surprise: never in her quiet hours, never more often than she said, and its notice tells nothing."""

from datetime import UTC, datetime, time, timedelta

from hypothesis import given, strategies as st

from recommender.weekly import NOTICE, WEEK, due, surprise
from recommender.wishes import Weekly

MONDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_none_comes_until_she_asks_for_one() -> None:
    assert not due(Weekly(), [], MONDAY)
    assert due(Weekly(1), [], MONDAY)


@given(
    most=st.integers(0, 7),
    hours=st.tuples(st.integers(0, 23), st.integers(0, 23)),
    steps=st.lists(st.integers(1, 40), max_size=60),
)
def test_in_no_seven_days_are_there_more_than_she_allows_and_none_is_in_her_quiet_hours(
    most: int, hours: tuple[int, int], steps: list[int]
) -> None:
    weekly, now, sent = Weekly(most, time(hours[0]), time(hours[1])), MONDAY, list[datetime]()
    for step in steps:
        now += timedelta(hours=step)
        if due(weekly, sent, now):
            assert not weekly.quiet(now)
            sent.append(now)
    assert all(sum(one - WEEK < other <= one for other in sent) <= most for one in sent)


def test_the_notice_is_the_same_for_everybody() -> None:
    assert dict(NOTICE) == {"title": "Kluis", "body": "Er ligt een verrassing voor je klaar.", "url": "/me/suggestions"}


def test_a_surprise_is_a_leap_else_a_bridge_and_never_a_sure_one() -> None:
    sure, bridge, leap = ({"slot": slot} for slot in ("sure", "bridge", "leap"))
    assert surprise([sure, bridge, leap]) is leap
    assert surprise([sure, bridge]) is bridge
    assert surprise([sure]) is None
