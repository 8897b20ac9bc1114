"""People at An's pods, and the matrix of requirements that every run of this folder prints."""

from collections.abc import Iterator

import pytest

from consent.accounts.people import enroll
from tests.house import Household
from tests.proof import figure
from tests.solid.client import Agent, token_of
from tests.solid.requirements import TABLE

_results: dict[str, str] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    for mark in item.iter_markers("requirement"):
        if report.when == "call" or not report.passed:
            _results[mark.args[0]] = report.outcome
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The matrix, if the whole of it ran."""
    done = [one for one in TABLE if one.status == "done"]
    if not {one.id for one in done} <= set(_results):
        return
    failed = [one.id for one in done if _results[one.id] != "passed"]
    told = terminalreporter.write_line
    told(f"solid: {len(TABLE)} requirements, {len(done) - len(failed)} shown, {len(failed)} not, "
         f"{len(TABLE) - len(done)} deliberately not done")  # fmt: skip
    for one in TABLE:
        said = "ok" if one.status == "done" else f"{one.status}: {one.why}"
        told(f"  {one.section:22} {one.id:62} {one.level:8} {_results.get(one.id) if one.id in failed else said}")
    figure("SM1", len(failed), len(done))
    figure("SM2", len(TABLE), len(TABLE))


@pytest.fixture
async def an(house: Household) -> Agent:
    """The citizen whose pod it is, with a program of hers that may do everything."""
    return Agent(house, await house.jwt())


@pytest.fixture
def anybody(house: Household) -> Agent:
    """Nobody in particular."""
    return Agent(house)


@pytest.fixture
async def bram(house: Household) -> Agent:
    """Another citizen of the same house."""
    await enroll(house.vault, "bram", "Bram", "citizen", "bram", None, house.clock())
    return Agent(house, await token_of(house, "bram"))
