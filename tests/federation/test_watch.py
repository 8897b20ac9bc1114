"""The watch over our log's witnesses: patience, quorums, the alarm that goes by itself and the one that does not."""

from datetime import timedelta
from pathlib import Path

import pytest

from federation.errors import Diverged
from federation.policy import Policy, read_policy
from federation.remembered import Remembered
from federation.submit import Published
from federation.watch import Alarm, Asked, Watch, compare
from keys.note import read_checkpoint, split
from tests.federation.cosigning import Direct, SmallLog
from tests.federation.fetching import NOW, run


class Three:
    """A log with three witnesses of which two must cosign."""

    def __init__(self, folder: Path) -> None:
        self.log, self.direct = SmallLog().grow(20), Direct()
        names = ("gent", "brugge", "leuven")
        self.witnesses = [self.direct.witness(folder / n, self.log.vkey, name=f"{n}.test") for n in names]
        lines = [f"witness {one.name} {one.vkey} {one.url}" for one in self.witnesses]
        self.policy: Policy = read_policy("\n".join([*lines, "group city 2 gent brugge leuven", "quorum city"]))
        self.watch = Watch(self.policy, self.direct, NOW)

    def turn(self, after: float, log: SmallLog | None = None) -> int:
        """Ask everybody `after` so many seconds; how many cosigned."""
        now = NOW + timedelta(seconds=after)
        signed = run(self.watch.ask(asked(log or self.log), now))
        self.watch.count(signed, now)
        return len(signed)

    def alarm(self, after: float) -> str:
        found = self.watch.alarm(NOW + timedelta(seconds=after))
        return found.kind if found else ""


def asked(log: SmallLog) -> Asked:
    note = log.note()
    ours = Published(note, read_checkpoint(split(note)[0]), log.vkey)
    return Asked(ours, log.tree.consistency, log.tree.root)


@pytest.fixture
def three(tmp_path: Path) -> Three:
    return Three(tmp_path)


def test_one_of_three_may_be_away(three: Three) -> None:
    three.direct.away.add("https://gent.test")
    assert three.turn(0) == 2
    assert three.watch.standing["gent"].why == "connect"
    assert three.watch.cosigning == 2
    assert three.turn(59) == 2
    assert three.alarm(100) == ""


def test_without_a_quorum_for_a_minute_the_alarm_is_up_and_goes_when_it_is_back(three: Three) -> None:
    assert three.turn(0) == 3
    three.direct.away |= {"https://gent.test", "https://leuven.test"}
    three.turn(30)
    assert three.alarm(60) == ""
    assert three.alarm(61) == "quorum"
    three.turn(70)
    up = three.watch.alarm(NOW + timedelta(seconds=90))
    assert up is not None
    assert up.since == NOW + timedelta(seconds=61)
    assert "fewer than 2 of 3" in up.detail
    assert "gent connect" in up.detail
    three.direct.away.clear()
    assert three.turn(100) == 3
    assert three.alarm(101) == ""


def test_at_a_start_without_a_quorum_nobody_waits_a_minute(three: Three) -> None:
    three.watch.impatient(NOW)
    assert three.alarm(0) == "quorum"
    three.turn(1)
    assert three.alarm(1) == ""


def test_one_witness_that_has_seen_another_tree_is_an_alarm_that_stays(three: Three) -> None:
    """Also when the two others make a quorum, and also when that one is heard of no more."""
    brugge = "https://brugge.test"
    three.direct.away |= {"https://gent.test", "https://leuven.test"}
    three.turn(0, three.log.fork(10, "other", 25))
    three.direct.away = set()
    assert three.turn(5) == 2
    assert three.alarm(5) == "rollback"
    three.direct.away = {brugge}
    for after in (10, 70, 700):
        assert three.turn(after) == 2
        assert three.alarm(after) == "rollback"
    found = three.watch.alarm(NOW + timedelta(hours=1))
    assert found is not None
    assert found.since == NOW + timedelta(seconds=5)
    assert "brugge has seen 25 entries" in found.detail


def test_a_witness_is_asked_from_the_size_that_it_was_last_known_to_have_seen(three: Three) -> None:
    three.turn(0)
    before = three.direct.posts
    three.log.grow(5)
    assert three.turn(10) == 3
    assert three.direct.posts - before == 3


def cosigned(log: SmallLog) -> str:
    return log.note() + "— w.test AAAAAAAA\n"


def test_our_trees_are_held_against_what_was_cosigned(tmp_path: Path) -> None:
    log = SmallLog().grow(20)
    past = cosigned(log)
    compare(past, [asked(log)])
    compare(past, [asked(log.fork(20, "more", 30))])
    compare(past, [asked(SmallLog("kluis.test/log/2027h1", log.private)), asked(log)])
    for other, why in (
        ([asked(log.fork(19, "less", 19))], "has 19 published entries, 20 were cosigned"),
        ([asked(log.fork(5, "other", 30))], "differs from what was cosigned at 20 entries"),
        ([asked(SmallLog("kluis.test/log/2027h1", log.private))], "is gone"),
        ([asked(SmallLog().grow(30))], "under another key"),
    ):
        with pytest.raises(Diverged, match=why):
            compare(past, other)


def test_what_was_cosigned_is_remembered_outside_and_damage_is_not_taken_for_nothing(tmp_path: Path) -> None:
    kept = Remembered(tmp_path / "witnessed")
    assert list(kept.notes()) == []
    assert kept.objection() is None
    log, later = SmallLog("localhost:8400/log/2026h1").grow(3), SmallLog("localhost:8400/log/2026h2").grow(9)
    for one in (log, later, later.grow(2)):
        kept.keep(cosigned(one))
    assert list(kept.notes()) == [cosigned(log), cosigned(later)]
    alarm = Alarm("fork", NOW, "gent has seen another tree")
    kept.keep_objection(alarm)
    assert Remembered(tmp_path / "witnessed").objection() == alarm
    assert {path.stat().st_mode & 0o777 for path in kept.folder.iterdir()} == {0o600}
    (kept.folder / "objection.json").write_text("{}")
    with pytest.raises(Diverged, match="objection"):
        kept.objection()
    next(kept.folder.glob("*.note")).write_text("cut off")
    with pytest.raises(Diverged, match="does not read"):
        list(kept.notes())
