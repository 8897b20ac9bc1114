"""A log that verifies is still refused if a policy asks for more witnesses, for others, or for another log."""

from dataclasses import replace
from pathlib import Path

import pytest

from federation.policy import read_policy
from keys.cosign import cosign, witness_vkey
from keys.note import read_checkpoint, split
from keys.sign import new_signer
from tests.federation.cosigning import HOST, SmallLog
from web import quorum
from web.quorum import check_quorum, read_cosigned
from web.verify import LogBroken, Shard, Verified

SIGNERS = {name: new_signer() for name in ("gent", "brugge", "leuven")}
OLD = SmallLog(f"{HOST}/log/2026h2").grow(5)
NEW = SmallLog(f"{HOST}/log/2027h1", OLD.private).grow(3)
THREE = "\n".join(f"witness {name} {witness_vkey(f'{name}.test', key)}" for name, key in SIGNERS.items())
TWO_OF_THREE = f"log {OLD.every_vkey}\n{THREE}\ngroup city 2 gent brugge leuven\nquorum city"


def shard(log: SmallLog, *names: str) -> Shard:
    note = log.note()
    text = split(note)[0]
    note += "".join(cosign(text, f"{name}.test", SIGNERS[name], 1_795_000_000) for name in names)
    return Shard(note, read_checkpoint(text), log.tree, lambda _: [])


def signed(old: tuple[str, ...], new: tuple[str, ...]) -> Verified:
    return Verified((shard(OLD, *old), shard(NEW, *new)))


def test_every_half_year_needs_its_quorum_and_the_newest_ones_signers_are_counted() -> None:
    policy = read_policy(TWO_OF_THREE)
    assert check_quorum(signed(("gent", "leuven"), ("gent", "brugge", "leuven")), policy) == 3
    for old, new in ((("gent",), ("gent", "brugge")), (("gent", "brugge"), ("leuven",)), ((), ())):
        with pytest.raises(LogBroken, match="the policy asks for 2 or more"):
            check_quorum(signed(old, new), policy)


def test_a_policy_that_names_another_log_speaks_not_for_this_one() -> None:
    for line in (SmallLog().every_vkey, OLD.vkey):  # another key; this key, but one half-year only
        policy = read_policy(TWO_OF_THREE.replace(OLD.every_vkey, line))
        with pytest.raises(LogBroken, match="not as the policy demands"):
            check_quorum(signed(("gent", "brugge"), ("gent", "brugge")), policy)


def test_a_known_witnesss_line_over_another_head_spoils_the_whole_note() -> None:
    foreign = cosign(split(NEW.note(2))[0], "gent.test", SIGNERS["gent"], 9)
    good = shard(OLD, "gent", "brugge")
    with pytest.raises(LogBroken, match="not as the policy demands"):
        check_quorum(Verified((replace(good, note=good.note + foreign),)), read_policy(TWO_OF_THREE))


def test_a_head_that_was_just_published_is_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quorum, "PAUSE", 0.0)
    (tmp_path / "policy").write_text(TWO_OF_THREE)
    both = ("gent", "brugge")
    heads = iter([signed(both, ()), signed(both, ("gent",)), signed(both, both)])
    assert read_cosigned(lambda: next(heads), tmp_path / "policy")[1] == 2
    with pytest.raises(LogBroken):
        read_cosigned(lambda: signed(both, ()), tmp_path / "policy")
