"""Larger RDF in a process of its own: what is too much ends that process and one body, and nothing else."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from vault.solid import changing, rdf
from vault.solid.changing import Protected
from vault.solid.limited import SIMPLE, SMALL, Limited, Limits
from vault.solid.patch import BadPatch, Unmet
from vault.solid.rdf import JSON_LD, N_TRIPLES, TURTLE, BadRdf

BASE = "http://localhost:8400/pods/an/public/one"
LINE = b"<a:s> <b:p> <c:o> .\n"
LARGE = LINE * (SMALL // len(LINE) + 1)


@pytest.fixture
def limited() -> Iterator[Limited]:
    made = Limited()
    yield made
    made.close()


def pid(limited: Limited) -> int:
    return limited._idle[0]._process.pid


async def test_a_large_body_reads_and_converts_as_a_small_one_does(limited: Limited) -> None:
    assert await limited.check(LARGE, N_TRIPLES, BASE) == rdf.check(LARGE, N_TRIPLES, BASE)
    for to in (TURTLE, JSON_LD):
        assert await limited.convert(LARGE, N_TRIPLES, to, BASE) == rdf.convert(LARGE, N_TRIPLES, to, BASE)
    assert limited.started == 1


async def test_a_small_body_starts_no_process(limited: Limited) -> None:
    assert await limited.check(LINE, TURTLE, BASE) == 1
    assert limited.started == 0


async def test_a_fault_in_a_large_body_is_told_with_its_line(limited: Limited) -> None:
    with pytest.raises(BadRdf) as caught:
        await limited.check(LARGE + b"<a> <b>", TURTLE, BASE)
    assert (caught.value.reason, caught.value.line) == ("syntax", LARGE.count(b"\n") + 1)
    assert await limited.check(LARGE, TURTLE, BASE) == LARGE.count(b"\n")
    assert limited.started == 1


async def test_a_parser_that_dies_costs_its_own_body_and_nothing_else(
    limited: Limited, monkeypatch: pytest.MonkeyPatch
) -> None:
    await limited.check(LARGE, TURTLE, BASE)
    worker = limited._idle[0]
    talk = type(worker)._talk

    def dies(self: object, *asked: object) -> object:
        os.kill(worker._process.pid, signal.SIGSEGV)
        return talk(self, *asked)  # type: ignore[arg-type]

    monkeypatch.setattr(type(worker), "_talk", dies)
    with pytest.raises(BadRdf) as caught:
        await limited.check(LARGE, TURTLE, BASE)
    assert caught.value.reason == "too_costly"
    monkeypatch.undo()
    assert await limited.check(LARGE, TURTLE, BASE) == LARGE.count(b"\n")
    assert limited.started == 2


async def test_a_process_that_ended_while_it_waited_is_replaced(limited: Limited) -> None:
    await limited.check(LARGE, TURTLE, BASE)
    os.kill(pid(limited), signal.SIGKILL)
    limited._idle[0]._process.wait()
    assert await limited.check(LARGE, TURTLE, BASE) == LARGE.count(b"\n")


@pytest.mark.parametrize("limits", [Limits(memory=96 << 20), Limits(cpu=1), Limits(wall=0.3), Limits(answer=20_000)])
async def test_a_body_beyond_any_limit_is_refused_as_too_costly(limits: Limits) -> None:
    limited = Limited(limits)
    body = b"[] <b:> [] .\n" * 300_000
    try:
        with pytest.raises(BadRdf) as caught:
            await limited.convert(body, TURTLE, JSON_LD, BASE)
        assert caught.value.reason == "too_costly"
    finally:
        limited.close()


async def test_the_process_is_replaced_after_its_turns() -> None:
    limited = Limited(Limits(turns=2))
    for _ in range(4):
        await limited.check(LARGE, TURTLE, BASE)
    assert (limited.started, limited._idle) == (2, [])


async def test_when_too_many_wait_the_next_is_told_so() -> None:
    limited = Limited(Limits(waiting=0))
    with pytest.raises(BadRdf) as caught:
        await limited.check(LARGE, TURTLE, BASE)
    assert caught.value.reason == "busy"


async def test_the_process_has_no_environment_no_key_and_little_of_anything(
    limited: Limited, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KLUIS_CUSTODIAN", "file:/secret")
    await limited.check(LARGE, TURTLE, BASE)
    place = Path(f"/proc/{pid(limited)}")
    assert b"KLUIS" not in (place / "environ").read_bytes()
    assert not [line for line in (place / "maps").read_text().splitlines() if "cryptography" in line]
    opened = {str(one.readlink()) for one in (place / "fd").iterdir()}
    assert all(one.startswith("pipe:") or one == "/dev/null" for one in opened)
    bounds = {line[:26].strip(): line[26:].split()[0] for line in (place / "limits").read_text().splitlines()}
    assert int(bounds["Max address space"]) == Limits().memory
    assert [bounds[f"Max {one}"] for one in ("core file size", "file size", "processes")] == ["0", "0", "0"]


def test_a_short_body_that_is_long_when_written_out_is_refused_in_the_server_itself() -> None:
    body = b"@prefix p: <a:" + b"x" * 8000 + b">.\np: p: p:" + b",p:" * 2000 + b"."
    assert len(body) < SMALL
    with pytest.raises(BadRdf) as caught:
        rdf.check(body, TURTLE, BASE)
    assert caught.value.reason == "too_costly"


def n3(said: str) -> bytes:
    return b"@prefix solid: <http://www.w3.org/ns/solid/terms#>. _:p a solid:InsertDeletePatch; " + said.encode() + b"."


async def test_a_patch_of_a_large_body_is_worked_there_and_does_what_a_small_one_does(limited: Limited) -> None:
    body = b"".join(b"<a:s%d> <b:p> <c:o> .\n" % n for n in range(2000))
    patch = n3("solid:deletes { <a:s1> <b:p> <c:o> }; solid:inserts { <a:s1> <b:p> 2 }")
    for old in (body, body[:42]):
        done = await limited.patched(patch, "n3", old, N_TRIPLES, BASE)
        assert sorted(done.splitlines()) == sorted(
            [b'<a:s1> <b:p> "2"^^<http://www.w3.org/2001/XMLSchema#integer> .']
            + [line for line in old.splitlines() if b"s1>" not in line]
        )
    assert limited.started == 1
    assert await limited.modes(patch, "n3", BASE) == ({"append", "read", "write"}, False)
    assert await limited.modes(patch + b"#" * SMALL, "n3", BASE) == ({"append", "read", "write"}, False)


@pytest.mark.parametrize(
    ("said", "error", "reason"),
    [
        ("solid:deletes { <a:none> <b:p> <c:o> }", Unmet, "missing"),
        ("solid:where { ?a <b:p> <c:o> }; solid:inserts { ?a <b:q> 1 }", Unmet, "several_matches"),
        ("solid:where { ?a <b:none> ?c }; solid:inserts { ?a <b:q> 1 }", Unmet, "no_match"),
        ("solid:inserts { ?a <b:q> 1 }", BadPatch, "variable"),
        ("solid:inserts { <a:a> <b:q", BadRdf, "syntax"),
        (
            "solid:where { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?i ?b ?z }; solid:inserts { ?a <b:q> 1 }",
            BadPatch,
            "too_much_work",
        ),
    ],
)
async def test_what_is_wrong_with_a_patch_is_told_alike_from_there_and_from_here(
    limited: Limited, said: str, error: type[BadRdf | BadPatch | Unmet], reason: str
) -> None:
    body = b"".join(b"<a:s%d> <b:p> <c:o> .\n" % n for n in range(2000))
    for padding in (b"", b"#" * SIMPLE):
        with pytest.raises(error) as caught:
            await limited.patched(n3(said) + padding, "n3", body, N_TRIPLES, BASE)
        assert caught.value.reason == reason


async def test_what_a_description_may_not_say_is_found_there_too(limited: Limited) -> None:
    own = b"<a:x> <http://www.w3.org/ns/ldp#contains> <a:y> .\n"
    for padding in (b"", LARGE):
        assert await limited.protected(padding + own, TURTLE, BASE, "a:x")
        assert not await limited.protected(padding + LINE, TURTLE, BASE, "a:x")
        with pytest.raises(Protected):
            await limited.patched(
                n3("solid:inserts { " + own.decode() + " }"), "n3", padding, N_TRIPLES, BASE, about="a:x"
            )


async def test_joins_that_could_take_long_are_never_tried_in_the_server(
    limited: Limited, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("tried in the server")

    monkeypatch.setattr(changing, "changed", never)
    joins = n3("solid:where { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?i ?b ?z }; solid:inserts { ?a <b:q> 1 }")
    body = b"".join(b"<a:s%d> <b:p> <c:o> .\n" % n for n in range(300))
    with pytest.raises(BadPatch) as caught:
        await limited.patched(joins, "n3", body, N_TRIPLES, BASE)
    assert caught.value.reason == "too_much_work" and limited.started == 1
