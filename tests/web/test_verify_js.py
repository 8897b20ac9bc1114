"""The check on the citizen's own device: verify.js against a log made from the standards (tests/web/made_log.py)."""

import base64
import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.web.made_log import (
    EPOCH,
    NODE,
    NOW,
    SLOT,
    Made,
    b64,
    between,
    committed,
    in_node,
    path,
    proof,
    root,
    sha,
)  # fmt: skip

pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed: verify.js cannot be run here")


def edit_record(log: dict[str, Any]) -> None:
    """Line 4 says something else."""
    log["entries"][3]["record"] = log["entries"][3]["record"].replace("read", "held")


def edit_leaf_too(log: dict[str, Any]) -> None:
    """Line 4 and its commitment say something else, in step."""
    line = log["entries"][3]
    edit_record(log)
    commit = committed(base64.urlsafe_b64decode(line["nonce"] + "=="), line["record"])
    line["leaf"] = b64(b"\x01\x00" + commit + base64.urlsafe_b64decode(line["dpo_commitment"] + "="))


def damage_record(log: dict[str, Any]) -> None:
    """Line 2 is no JSON any more."""
    log["entries"][1]["record"] = "{"


def unreadable_record(log: dict[str, Any]) -> None:
    """Line 3 did not open on the server."""
    log["entries"][2] |= {"record": None, "nonce": None}


def drop_line(log: dict[str, Any]) -> None:
    """Line 3 is gone."""
    del log["entries"][2]


def drop_first(log: dict[str, Any]) -> None:
    """Line 1 is gone."""
    del log["entries"][0]


def drop_last(log: dict[str, Any]) -> None:
    """Line 7 is gone."""
    log["entries"].pop()


def drop_all(log: dict[str, Any]) -> None:
    """Every line is gone."""
    log["entries"] = []


def drop_all_and_head(log: dict[str, Any]) -> None:
    """Every line is gone, and the head says that there were none."""
    log["entries"] = []
    log["head"] |= {"seq": 0, "head": ""}


def begin_anew(log: dict[str, Any]) -> None:
    """The chain begins with a line that does not begin a pod."""
    made = Made(20, begins="read").answer()
    log.clear()
    log.update(made)


def other_head(log: dict[str, Any]) -> None:
    """The head is the one of line 6, with the number of line 7."""
    log["head"]["head"] = json.loads(log["entries"][6]["record"])["own"]["prev"]


def older_head(log: dict[str, Any]) -> None:
    """The head does not know line 7."""
    log["head"]["seq"] = 6


def double_line(log: dict[str, Any]) -> None:
    """Line 2 comes twice."""
    log["entries"].insert(2, log["entries"][1])


def reorder(log: dict[str, Any]) -> None:
    """Lines 2 and 5 changed places."""
    lines = log["entries"]
    lines[1], lines[4] = lines[4], lines[1]


def renumber(log: dict[str, Any]) -> None:
    """Line 6 calls itself 60 outside its record."""
    log["entries"][5]["seq"] = 60


def other_place(log: dict[str, Any]) -> None:
    """Line 5 claims another place in the tree."""
    log["entries"][4]["index"] = 11


def swap_dpo(log: dict[str, Any]) -> None:
    """Line 7 hides another DPO record than the one in its leaf."""
    log["entries"][6]["dpo_commitment"] = b64(sha(b"other"))


def break_signature(log: dict[str, Any]) -> None:
    """The seal is signed by somebody else."""
    head, line = log["shards"][0]["checkpoint"].rsplit(" ", 1)
    blob = base64.b64decode(line)
    log["shards"][0]["checkpoint"] = f"{head} {base64.b64encode(blob[:4] + bytes(64)).decode()}\n"


def bigger_seal(log: dict[str, Any]) -> None:
    """The seal counts one entry more than was signed."""
    log["shards"][0]["checkpoint"] = log["shards"][0]["checkpoint"].replace("\n20\n", "\n21\n")


def other_origin(log: dict[str, Any]) -> None:
    """The seal of another log."""
    log["shards"][0]["origin"] = "kluis.test/log/2026h1"


ATTACKS: list[tuple[Callable[[dict[str, Any]], None], str, int | None]] = [
    (edit_record, "edited", 4),
    (edit_leaf_too, "edited", 4),
    (damage_record, "edited", 2),
    (unreadable_record, "edited", 3),
    (drop_line, "missing", 3),
    (drop_first, "missing", 1),
    (drop_last, "missing", 7),
    (drop_all, "missing", 1),
    (drop_all_and_head, "missing", 1),
    (begin_anew, "missing", 1),
    (other_head, "chain", 7),
    (older_head, "chain", 7),
    (double_line, "moved", 3),
    (reorder, "moved", 2),
    (renumber, "edited", 60),
    (other_place, "outside", 5),
    (swap_dpo, "edited", 7),
    (break_signature, "seal", None),
    (bigger_seal, "seal", None),
    (other_origin, "seal", None),
]


def test_an_honest_log_is_green_and_remembered(tmp_path: Path) -> None:
    first, same, grown = Made(20), Made(20), Made(33)
    (seen,) = in_node(tmp_path, [("check", [first.answer(), None, []])])
    assert (seen["ok"], seen["checked"], seen["withheld"], seen["waiting"]) == (True, 7, 0, 0)
    steps = [b64(step) for step in proof(20, grown.leaves)]
    again, later = in_node(
        tmp_path,
        [("check", [same.answer(), seen["memory"], []]), ("check", [grown.answer(), seen["memory"], steps])],
    )
    assert again["ok"] and again["memory"] == seen["memory"]
    assert later["ok"] and later["checked"] == 11 and later["memory"]["seals"][0]["size"] == 33


@pytest.mark.parametrize(("attack", "reason", "line"), ATTACKS, ids=[attack[0].__name__ for attack in ATTACKS])
def test_every_tampering_is_red_at_its_line(
    tmp_path: Path, attack: Callable[[dict[str, Any]], None], reason: str, line: int | None
) -> None:
    log = Made(20).answer()
    attack(log)
    assert in_node(tmp_path, [("check", [log, None, []])]) == [{"ok": False, "reason": reason, "line": line}]


def test_a_line_rewritten_in_a_rebuilt_and_signed_log_is_named(tmp_path: Path) -> None:
    (verdict,) = in_node(tmp_path, [("check", [Made(20, changed=4).answer(), None, []])])
    assert not verdict["ok"] and verdict["line"] in (4, 5)


def test_what_this_device_remembers_catches_a_server_that_signs_another_history(tmp_path: Path) -> None:
    honest, longer, shorter = Made(20), Made(33), Made(12)
    (seen,) = in_node(tmp_path, [("check", [honest.answer(), None, []])])
    memory = seen["memory"]
    steps = [b64(step) for step in proof(20, longer.leaves)]
    truncated, other_key = honest.answer(), honest.answer()
    truncated["entries"].pop()
    truncated["head"] |= {"seq": 6, "head": json.loads(honest.lines[6]["record"])["own"]["prev"]}
    rewritten = Made(33, changed=7)
    other_key["shards"][0]["vkey"] += "="
    told = in_node(
        tmp_path,
        [
            ("check", [shorter.answer(), memory, []]),
            ("check", [longer.answer(), memory, steps[:-1]]),
            ("check", [longer.answer(), memory, [*steps[:-1], b64(bytes(32))]]),
            ("check", [truncated, memory, []]),
            ("check", [other_key, memory, []]),
            ("check", [rewritten.answer(), memory, [b64(step) for step in proof(20, rewritten.leaves)]]),
        ],
    )
    assert [(t["ok"], t.get("reason"), t.get("line")) for t in told[:5]] == [
        (False, "shrunk", None),
        (False, "rewritten", None),
        (False, "rewritten", None),
        (False, "lost", 7),
        (False, "key", None),
    ]
    assert not told[5]["ok"]


def test_lines_newer_than_the_seal_wait_but_only_at_the_end_and_where_the_log_has_a_place(tmp_path: Path) -> None:
    fresh = Made(20).answer(sealed=14)
    wrong = [(2, 19), (6, 15), (6, 20), (6, 900)]  # not at the end, no further than the line before, no such place
    jobs = [fresh]
    for line, index in wrong:
        jobs.append(Made(20).answer(sealed=14))
        jobs[-1]["entries"][line]["index"] = index
    waiting, *told = in_node(tmp_path, [("check", [job, None, []]) for job in jobs])
    assert (waiting["ok"], waiting["waiting"]) == (True, 2)
    assert [(t["ok"], t.get("reason"), t.get("line")) for t in told] == [
        (False, "outside", line + 1) for line, _ in wrong
    ]


def test_the_log_of_a_new_citizen_holds_the_line_that_made_her_pod_and_no_less(tmp_path: Path) -> None:
    new = Made(1)
    (seen,) = in_node(tmp_path, [("check", [new.answer(), None, []])])
    assert seen["ok"] and seen["checked"] == 1 and seen["memory"]["seq"] == 1


def test_proofs_agree_with_rfc_6962_for_every_small_tree_and_no_changed_one_passes(tmp_path: Path) -> None:
    good: list[tuple[str, list[Any]]] = []
    bad: list[tuple[str, list[Any]]] = []
    for size in range(1, 18):
        leaves = [sha(b"leaf %d" % i) for i in range(size)]
        top = root(leaves).hex()
        for m in range(size):
            steps = [step.hex() for step in path(m, leaves)]
            good.append(("included", [leaves[m].hex(), m, size, steps, top]))
            bad.append(("included", [leaves[m].hex(), m, size, [*steps, top], top]))
            bad.append(("included", [sha(b"x").hex(), m, size, steps, top]))
            bad += [("included", [leaves[m].hex(), m, size, steps[:-1], top])] if steps else []
            bad.append(("included", [leaves[m].hex(), size, size, steps, top]))
        for m in range(1, size + 1):
            old, steps = root(leaves[:m]).hex(), [step.hex() for step in proof(m, leaves)]
            good.append(("consistent", [m, old, size, top, steps]))
            bad.append(("consistent", [m, sha(b"x").hex(), size, top, steps]))
            bad += [("consistent", [m, old, size, top, steps[:-1]])] if steps else []
            bad += [("consistent", [m, old, size, top, [*steps, top]])] if steps else []
    assert in_node(tmp_path, good) == [True] * len(good)
    assert in_node(tmp_path, bad) == [False] * len(bad)


def other_slot(log: dict[str, Any]) -> None:
    """The slot is another one than line 1 says."""
    log["slots"][0]["slot"] = SLOT + 1


def other_salt(log: dict[str, Any]) -> None:
    """What is shown does not lead to the summary."""
    log["slots"][0]["salt"] = b64(bytes(32))


def forged_summary(log: dict[str, Any]) -> None:
    """A summary that is not in the log."""
    log["slots"][0]["body"] = log["slots"][0]["body"].replace('"every":1', '"every":9')


def no_summary(log: dict[str, Any]) -> None:
    """The server shows none."""
    log["slots"] = []


SUMMED: list[tuple[Callable[[dict[str, Any]], None], str, int | None]] = [
    (other_slot, "slot", None),
    (other_salt, "unsummed", None),
    (forged_summary, "unsummed", None),
]


@pytest.mark.parametrize(("attack", "reason", "line"), SUMMED, ids=[attack[0].__name__ for attack in SUMMED])
def test_a_summary_that_does_not_fit_is_red(
    tmp_path: Path, attack: Callable[[dict[str, Any]], None], reason: str, line: int | None
) -> None:
    log = Made(20).answer()
    attack(log)
    assert in_node(tmp_path, [("check", [log, None, []])]) == [{"ok": False, "reason": reason, "line": line}]


def test_a_history_written_anew_and_signed_again_is_red_where_a_published_summary_says_otherwise(
    tmp_path: Path,
) -> None:
    """Nothing is remembered here: the statements that everybody has, and the seal over them, are enough."""
    honest, shorter = Made(20), Made(20)
    shorter.lines = shorter.lines[:4]
    shorter.head |= {"seq": 4, "head": json.loads(honest.lines[4]["record"])["own"]["prev"]}
    cut = shorter.answer()
    (missing,) = in_node(tmp_path, [("check", [cut, None, []])])
    assert missing == {"ok": False, "reason": "missing", "line": 5}
    rewritten = Made(20, changed=7)
    (told,) = in_node(tmp_path, [("check", [rewritten.answer(), None, []])])
    assert not told["ok"]


def test_summaries_must_be_as_new_as_the_clock_and_as_last_time(tmp_path: Path) -> None:
    log, bare = Made(20).answer(), Made(20).answer()
    no_summary(bare)
    old, skipped = deepcopy(log), deepcopy(log)
    del old["slots"][0], skipped["slots"][1]
    (seen,) = in_node(tmp_path, [("check", [log, None, []])])
    assert (seen["memory"]["slot"], seen["memory"]["epoch"], seen["summaries"]) == (SLOT, EPOCH + 1, 2)
    told = in_node(
        tmp_path,
        [
            ("check", [log, None, [], NOW + 20 * 60_000]),
            ("check", [bare, None, [], NOW + 20 * 60_000]),
            ("check", [bare, None, []]),
            ("check", [old, None, []]),
            ("check", [old, seen["memory"], []]),
            ("check", [log, seen["memory"] | {"slot": SLOT + 1}, []]),
            ("check", [skipped, None, []]),
        ],
    )
    assert [(t["ok"], t.get("reason")) for t in told] == [
        (False, "late"), (False, "late"), (True, None), (True, None), (False, "backwards"), (False, "slot"),
        (False, "skipped"),
    ]  # fmt: skip


@pytest.mark.parametrize("sealed", [None, 14])
def test_all_lines_at_once_are_judged_like_one_by_one(tmp_path: Path, sealed: int | None) -> None:
    plain, bare = Made(20).answer(sealed), Made(20).bare(sealed)
    one, other = in_node(tmp_path, [("check", [plain, None, []]), ("check", [bare, None, []])])
    assert one["ok"] and one == other


@pytest.mark.parametrize(("attack", "reason", "line"), ATTACKS, ids=[attack[0].__name__ for attack in ATTACKS])
def test_every_tampering_with_bare_lines_is_red_too(
    tmp_path: Path, attack: Callable[[dict[str, Any]], None], reason: str, line: int | None
) -> None:
    if attack in (edit_leaf_too, begin_anew):
        return  # a bare line has no leaf to spoil; the other makes a whole answer of its own
    log = Made(20).bare()
    attack(log)
    (told,) = in_node(tmp_path, [("check", [log, None, []])])
    assert not told["ok"]


def test_steps_that_are_spoilt_missing_or_too_many_lead_to_no_root(tmp_path: Path) -> None:
    jobs = []
    for size in range(1, 18):
        leaves = [sha(b"leaf %d" % i) for i in range(size)]
        for wanted in ([0], [size - 1], list(range(size)), list(range(0, size, 3)), list(range(1, size, 2)) or [0]):
            steps = b"".join(between(wanted, leaves))
            good = [[index, leaves[index].hex()] for index in wanted]
            jobs.append(("together", [good, size, steps.hex()]))
            bad = [(good, steps + bytes(32)), (good, steps[:-32] if steps else bytes(32))]
            bad += [([[good[0][0], sha(b"x").hex()], *good[1:]], steps), ([*good, good[-1]], steps), ([], steps)]
            bad += [([*good, [good[-1][0] + 0.5, sha(b"x").hex()]], steps), ([[size, good[0][1]]], steps)]
            jobs += [("together", [entries, size, told.hex()]) for entries, told in bad]
    answers = in_node(tmp_path, jobs)
    for number, (job, answer) in enumerate(zip(jobs, answers, strict=True)):
        leaves = [sha(b"leaf %d" % i) for i in range(job[1][1])]
        assert (answer == root(leaves).hex()) is (number % 8 == 0), job


def test_an_edited_copy_leaves_the_original_green(tmp_path: Path) -> None:
    log = Made(20).answer()
    copy = deepcopy(log)
    edit_record(copy)
    good, bad = in_node(tmp_path, [("check", [log, None, []]), ("check", [copy, None, []])])
    assert good["ok"] and not bad["ok"]
