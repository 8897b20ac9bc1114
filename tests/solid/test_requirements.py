"""The table of requirements is complete: every `done` id has exactly one test, and no test bears an unknown id."""

import ast
from collections import Counter
from pathlib import Path

from tests.solid.requirements import SECTIONS, TABLE

HERE = Path(__file__).parent


def borne() -> list[str]:
    """The ids that the tests of this folder bear, as written above them."""
    found = []
    for file in sorted(HERE.rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found += [
                    str(mark.args[0].value)
                    for mark in node.decorator_list
                    if isinstance(mark, ast.Call)
                    and isinstance(mark.func, ast.Name)
                    and mark.func.id == "shows"
                    and isinstance(mark.args[0], ast.Constant)
                ]
    return found


def test_each_requirement_that_is_done_has_exactly_one_test_and_each_other_none() -> None:
    assert Counter(borne()) == Counter(one.id for one in TABLE if one.status == "done")


def test_no_requirement_is_told_twice_and_what_is_not_done_says_why() -> None:
    assert max(Counter(one.id for one in TABLE).values()) == 1
    assert [one.id for one in TABLE if one.status != "done" and len(one.why) < 20] == []
    assert {one.section for one in TABLE} == set(SECTIONS)
    assert len(TABLE) >= 120
