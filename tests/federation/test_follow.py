"""A witness follows a log whose key was replaced, by proof alone, and after that believes the old key no more."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from federation.heads import Heads
from federation.submit import Agreed, Published, Silent, submit
from keys.merkle import leaf_hash
from keys.note import proof, read_checkpoint, split
from keys.secret import Private
from keys.sign import new_signer, signer_public
from tests.federation.cosigning import HOST, Direct, SmallLog
from tests.federation.fetching import NOW, run
from vault.log.handover import certified
from web.witness import Witness as Serving

pytestmark = pytest.mark.enable_socket


class Replaced(SmallLog):
    """A log that can replace its key."""

    def hand_over(self, heir: Private | None = None, by: Private | None = None, host: str = HOST) -> "Replaced":
        """Another key from now on, certified by the one so far or by somebody else."""
        heir = heir or new_signer()
        body = certified(host, by or self.private, signer_public(heir), NOW)
        self.stated = [*getattr(self, "stated", []), (self.tree.size, body)]
        self.tree.append(leaf_hash(b"\x01\x02" + body))
        self.private = heir
        return self

    def published(self) -> Published:
        note, size = self.note(), self.tree.size
        hands = tuple(proof(at, self.tree.inclusion(at, size), note, body) for at, body in self.stated)
        return Published(note, read_checkpoint(split(note)[0]), self.vkey, (), hands)


def ask(direct: Direct, one: Any, log: Replaced) -> Any:
    return run(submit(direct, one, log.published(), log.tree.consistency, 0, NOW))


def grown(size: int = 20) -> Replaced:
    log = Replaced()
    log.stated = []
    log.grow(size)
    return log


def test_a_witness_follows_every_replacement_it_is_shown_and_remembers_it(tmp_path: Path) -> None:
    log, direct = grown(), Direct()
    one = direct.witness(tmp_path, log.every_vkey)
    assert isinstance(ask(direct, one, log), Agreed)
    log.hand_over().grow(3)
    assert isinstance(ask(direct, one, log), Agreed)
    log.grow(3)
    posts = direct.posts
    assert isinstance(ask(direct, one, log), Agreed) and direct.posts == posts + 2  # old size told, then straight
    log.hand_over().hand_over().grow(1)
    assert isinstance(ask(direct, one, log), Agreed)


def test_a_witness_that_was_away_for_two_replacements_follows_both_at_once(tmp_path: Path) -> None:
    log, direct = grown(), Direct()
    one = direct.witness(tmp_path, log.vkey)
    log.hand_over().grow(4).hand_over().grow(4)
    assert isinstance(ask(direct, one, log), Agreed)


def test_the_old_key_is_refused_after_it_handed_over(tmp_path: Path) -> None:
    log, direct = grown(), Direct()
    old, one = log.private, direct.witness(tmp_path, log.every_vkey)
    log.hand_over().grow(3)
    assert isinstance(ask(direct, one, log), Agreed)
    log.private = old
    log.grow(5)
    assert ask(direct, one, log) == Silent("status 403")


def test_whoever_stole_a_replaced_key_makes_up_no_half_year_before(tmp_path: Path) -> None:
    log, direct = grown(), Direct()
    old, one = log.private, direct.witness(tmp_path, log.every_vkey)
    earlier = Replaced(origin=f"{HOST}/log/2001h1", private=old)
    earlier.stated = []
    earlier.grow(5)
    log.hand_over().grow(3)
    assert isinstance(ask(direct, one, log), Agreed)
    assert ask(direct, one, earlier) == Silent("status 403")


def test_a_half_year_that_ended_gets_its_last_cosignature_after_the_key_was_replaced_too(tmp_path: Path) -> None:
    log, direct = grown(), Direct()
    one, ended = direct.witness(tmp_path, log.every_vkey), Replaced(origin=f"{HOST}/log/2001h1", private=log.private)
    ended.stated = []
    ended.grow(5)
    assert isinstance(ask(direct, one, ended), Agreed)
    ended.grow(2)
    log.hand_over().grow(3)
    assert isinstance(ask(direct, one, log), Agreed)
    assert isinstance(ask(direct, one, ended), Agreed)


@pytest.mark.parametrize("case", ["a stranger certified it", "of another log", "a gap", "a forked tree", "outside"])
def test_a_key_that_the_trusted_one_did_not_hand_over_to_in_this_very_log_is_refused(tmp_path: Path, case: str) -> None:
    log, direct = grown(), Direct()
    old, one = log.private, direct.witness(tmp_path, log.every_vkey)
    assert isinstance(ask(direct, one, log), Agreed)
    if case == "a stranger certified it":
        log.hand_over(by=new_signer())
    elif case == "of another log":
        log.hand_over(host="elsewhere.test")
    elif case == "a gap":
        log.hand_over().hand_over()
        del log.stated[0]
    elif case == "outside":
        heir = new_signer()
        log.stated, log.private = [(3, certified(HOST, old, signer_public(heir), NOW))], heir
    else:  # whoever stole the old key makes a tree of his own, in which it hands over to him
        log = Replaced(private=old, branch="other")
        log.stated = []
        log.grow(20).hand_over()  # type: ignore[attr-defined]
    answer = ask(direct, one, log)
    assert not isinstance(answer, Agreed), answer
    with_heads = Heads(tmp_path)
    assert len(with_heads.heirs(HOST, signer_public(old))) == 1
    with_heads.close()


def test_a_witness_that_knows_no_handovers_is_as_silent_as_before(tmp_path: Path) -> None:
    class Foreign(Direct):
        async def _send(self, method: str, url: str, content: bytes = b"") -> httpx.Response:
            if url.endswith("/add-handover"):
                return httpx.Response(404, headers={"content-type": "text/plain"})
            return await super()._send(method, url, content)

    log, direct = grown(), Foreign()
    one = direct.witness(tmp_path, log.every_vkey)
    log.hand_over()
    assert ask(direct, one, log) == Silent("status 403")


NOT_TEXT = [b'{"hands": 1, "submission": ""}', b'{"hands": [7], "submission": ""}', b'{"hands": [], "submission": 7}']


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"[" * 200_000, *NOT_TEXT])
def test_a_malformed_handover_is_refused(tmp_path: Path, body: bytes) -> None:
    log = grown()
    made = Serving("w.test", new_signer(), [log.every_vkey], Heads(tmp_path))

    async def post() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(made.app), base_url="https://w.test") as http:
            return await http.post("/add-handover", content=body)

    assert run(post()).status_code == 400
    text = json.dumps({"hands": ["not a proof"], "submission": log.body(0).decode()}).encode()
    body = text
    assert run(post()).status_code == 403
