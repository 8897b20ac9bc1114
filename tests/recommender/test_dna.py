"""Cultural DNA is hers: every trait rests on things of her own, and what she took back is not there."""

from recommender.dna import EVIDENCE, dna
from recommender.profile import Profile
from recommender.wishes import Wishes, traits


def test_every_trait_is_shared_by_two_things_of_hers_that_it_names(small) -> None:
    profile = small.profile()
    hers = {trace.id: trace for part in profile.traces.values() for trace in part}
    found = dna(profile, Wishes())
    assert found
    for one in found:
        having = {trace.id for trace in hers.values() if one.name in traits("", "", trace.maker, trace.topics)}
        assert one.count == len(having) > 1
        assert {trace.id for trace in one.evidence} <= having and len(one.evidence) <= EVIDENCE


def test_what_she_took_back_is_gone_and_the_others_stay(small) -> None:
    profile = small.profile()
    first, *_ = (one.name for one in dna(profile, Wishes()))
    for wished in (Wishes(less=frozenset({first})), Wishes(never=frozenset({first}))):
        assert first not in {one.name for one in dna(profile, wished)}
    assert dna(Profile({}), Wishes()) == []


def test_a_closed_category_gives_no_trait(small) -> None:
    profile = small.profile()
    one = next(iter(profile.traces))
    rest = Profile({name: part for name, part in profile.traces.items() if name != one})
    closed = {trace.id for trace in profile.traces[one]}
    assert not closed & {trace.id for trait in dna(rest, Wishes()) for trace in trait.evidence}
