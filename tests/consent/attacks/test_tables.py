"""The tables of attacks are complete: every row names a test that exists, and every test of a table stands in a row."""

import importlib
import inspect
from types import ModuleType

import pytest

from tests.consent.attacks import test_a_fapi, test_a_proofs, test_c_races, test_c_solid, test_reliability

TABLES = {test_a_fapi: (test_a_proofs,), test_c_solid: (test_c_races,), test_reliability: ()}
"""Each file with a table, and the files beside it whose tests are rows of that table."""


def defined_in(module: ModuleType) -> set[str]:
    """The names of the tests that a file itself defines."""
    found = inspect.getmembers(module, inspect.isfunction)
    return {name for name, one in found if name.startswith("test_") and one.__module__ == module.__name__}


def meant(module: ModuleType, row: str) -> tuple[str, str]:
    """The file and the test that a row names: a test of the table's own file, or `path/to/file.py::test`."""
    path, _, name = row.rpartition("::")
    return (path.removesuffix(".py").replace("/", ".") if path else module.__name__, name)


@pytest.mark.parametrize("module", TABLES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_every_row_has_a_test_and_every_test_is_a_row(module: ModuleType) -> None:
    named = {meant(module, name) for row in module.TABLE.values() for name in row.split()}
    for file, name in sorted(named):
        assert name in defined_in(importlib.import_module(file)), f"{file} has no {name}"
    for file in (module, *TABLES[module]):
        assert {name for where, name in named if where == file.__name__} == defined_in(file)
