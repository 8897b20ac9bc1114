"""The check of one's own log over HTTP: the page without JavaScript, and the export, when the database lost lines."""

import json
import re
from typing import Any

import pytest

from keys.text import unb64
from tests.house import Household
from vault.log import views, withheld
from vault.tables import Entry, PodHead, Record, RecordKey
from web.verify import LogBroken, check_records, read_directory


async def verdict(house: Household) -> tuple[bool, str]:
    """The clock ticks, then somebody presses the button; whether the page says that all is well, and the page."""
    await house.vault.publish()
    answer = await house.press("/me/log/verify")
    assert answer.status_code == 200
    ok, broken = (re.search(rf'id="{name}"(?![^>]*hidden)', answer.text) for name in ("log-ok", "log-broken"))
    assert bool(ok) is not bool(broken)
    return bool(ok), answer.text


async def lose(house: Household, seqs: list[int], **head: Any) -> None:
    """Records of An's pod are deleted; `head` is what else is changed to hide it."""
    pod = house.session.pod.id

    def write(tx: Any) -> None:
        for seq in seqs:
            assert tx.remove(Record, pod=pod, seq=seq) == 1
        if head:
            tx.change(PodHead, {"pod": pod}, **head)

    await house.vault.db.write(write)


async def test_an_untouched_log_is_right_and_none_of_it_waits_after_publishing(house: Household) -> None:
    good, page = await verdict(house)
    assert good and f"{len(house.told())} regel" in page
    log = read_directory(house.house.settings.data, house.vault.log.ledger.vkey)
    assert log.head.size == house.vault.log.ledger.tree.size


@pytest.mark.parametrize("which", ["front", "middle", "end", "all"])
async def test_records_that_were_deleted_break_the_page_check(house: Household, which: str) -> None:
    last = len(house.told())
    gone = {"front": [1, 2], "middle": [3], "end": [last], "all": list(range(1, last + 1))}
    await lose(house, gone[which])
    assert (await verdict(house))[0] is False


async def test_a_head_that_was_set_back_or_taken_away_too_does_not_hide_it(house: Household) -> None:
    last = len(house.told())
    await lose(house, [last], seq=last - 1)
    assert (await verdict(house))[0] is False
    await lose(house, list(range(1, last)), seq=0, head=b"")
    assert (await verdict(house))[0] is False
    await house.vault.db.write(lambda tx: tx.remove(PodHead, pod=house.session.pod.id))
    assert (await verdict(house))[0] is False
    await house.keep("/interests/b.jsonld", {})  # a chain that begins anew begins in the middle
    assert (await verdict(house))[0] is False


@pytest.mark.parametrize("hidden", [[], [3], [2, 5, "newest"]], ids=["none", "one", "three"])
async def test_the_page_and_the_answer_say_how_many_lines_are_not_shown(house: Household, hidden: list[Any]) -> None:
    last = len(house.told())
    await lose(house, [last if one == "newest" else one for one in hidden])
    cookie = {"cookie": f"kluis={house.cookie}"}
    told = (await house.http.get("/api/log", headers=cookie)).json()
    page = (await house.http.get("/me/log", headers=cookie)).text
    assert (told["written"], told["withheld"], told["ended"], told["unreadable"]) == (last, len(hidden), 0, 0)
    assert len(told["entries"]) == last - len(hidden) and f'data-withheld="{len(hidden)}"' in page
    since = (await house.http.get("/api/log?since=4", headers=cookie)).json()
    assert (since["written"], since["withheld"]) == (last - 3, len([one for one in hidden if one not in (2, 3)]))


async def test_a_line_whose_place_in_the_public_log_is_gone_is_counted_as_not_shown(house: Household) -> None:
    cookie, line = {"cookie": f"kluis={house.cookie}"}, house.vault.db.read.find(Record, pod=house.session.pod.id)[2]
    await house.vault.db.write(lambda tx: tx.remove(Entry, idx=line.idx))
    told = (await house.http.get("/api/log", headers=cookie)).json()
    page = (await house.http.get("/me/log", headers=cookie)).text
    assert len(told["entries"]) == told["written"] - 1
    assert told["withheld"] == 1 and 'data-withheld="1"' in page


async def test_a_line_that_does_not_open_is_counted_apart_and_is_not_withheld(house: Household) -> None:
    pod, cookie = house.session.pod.id, {"cookie": f"kluis={house.cookie}"}
    await house.vault.db.write(lambda tx: tx.change(Record, {"pod": pod, "seq": 3}, sealed=b"damaged"))
    told = (await house.http.get("/api/log", headers=cookie)).json()
    assert (told["withheld"], told["ended"], told["unreadable"]) == (0, 0, 1)
    await house.vault.db.write(lambda tx: tx.remove(RecordKey, pod=pod))
    told = (await house.http.get("/api/log", headers=cookie)).json()
    assert (told["withheld"], told["ended"], told["unreadable"]) == (0, 0, told["written"])
    with house.vault.db.reading() as tx:
        assert withheld.counted(tx, house.session.pod).told == {
            name: value for name, value in told.items() if name != "entries"
        }


async def test_the_export_and_the_proofs_carry_the_pods_own_head(house: Household) -> None:
    cookie = {"cookie": f"kluis={house.cookie}"}
    await house.vault.publish()
    proofs = (await house.http.get("/api/log?proofs=1", headers=cookie)).json()
    taken = (await house.http.get("/api/log/export", headers=cookie)).text.splitlines()
    own = views.head(house.vault.db.read, house.session.pod)
    assert json.loads(taken[-1]) == {**proofs["head"], "slots": []} and proofs["head"] == own.told
    assert own.seq == len(house.told()) == len(proofs["entries"]) and own.kept == house.vault.log.ledger.tree.size
    log = read_directory(house.house.settings.data, house.vault.log.ledger.vkey)
    seen = check_records(log, taken, settled=True)
    assert (seen.checked, seen.withheld, seen.ended) == (own.seq, 0, 0)
    for cut in (taken[1:], taken[:-2] + taken[-1:], taken[-1:], []):
        with pytest.raises(LogBroken):
            check_records(log, cut)


async def test_the_check_waits_for_the_clock_and_never_publishes_by_itself(house: Household) -> None:
    await house.vault.publish()
    size, lines = house.vault.log.ledger.size, len(house.told())
    await house.keep("/interests/b.jsonld", {})
    answer = await house.press("/me/log/verify")
    assert f"controleerde {lines} regels" in answer.text and "Nog niet verzegeld: 1." in answer.text
    assert house.vault.log.ledger.size == size


async def test_an_export_that_leaves_out_the_summaries_or_shows_another_slot_is_broken(house: Household) -> None:
    for _ in range(3):
        house.clock.forward(minutes=1)
        await house.vault.epochs.sum_up(house.vault.log, house.clock())
    await house.vault.publish()
    cookie = {"cookie": f"kluis={house.cookie}"}
    *lines, last = (await house.http.get("/api/log/export", headers=cookie)).text.splitlines()
    log, head = read_directory(house.house.settings.data, house.vault.log.ledger.vkey), json.loads(last)
    assert check_records(log, [*lines, last]).checked == len(lines) and len(head["slots"]) == 2
    newest, before = head["slots"]
    for slots, why in (
        ([], "is left out"),
        ([before | {"slot": before["slot"] + 1}], "has slot"),
        ([newest | {"salt": before["salt"]}], "counted something else"),
        ([newest | {"statement": 0}], "is no summary"),
        ([newest | {"path": 7}], "malformed"),
    ):
        with pytest.raises(LogBroken, match=why):
            check_records(log, [*lines, json.dumps(head | {"slots": slots})])


async def test_the_servers_own_check_holds_the_lines_against_the_newest_summary(house: Household) -> None:
    await house.vault.epochs.sum_up(house.vault.log, house.clock())
    assert (await verdict(house))[0] is True
    last = len(house.told())
    prev = house.told()[-1]["prev"]
    await lose(house, [last], seq=last - 1, head=unb64(prev))  # cut off, and the head set back as it was
    good, page = await verdict(house)
    assert good is False and "samenvatting" in page
