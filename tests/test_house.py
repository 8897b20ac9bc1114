"""The house rules that a file listing can show: captions, lengths, promises of the README, nothing private."""

import importlib
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FLOORS = ("keys", "vault", "consent", "recommender", "federation", "web")
SOURCES = (*FLOORS, "examples", "tests")

# What must stand in no committed file; written so that these lines do not match themselves.
REGISTRY = (
    r'"resol[v]ed":|--(extra-)?index-url|registry = "htt[p]'
    r'|https?://[^ "]+/simple/?"?$|https?://[^ "]+\.(whl|tar\.gz|tgz)'
)
MACHINE = r"(^|[^A-Za-z0-9_./-])/(work|farm|root|home/[a-z]+)/[a-z.]"
PRIVATE_KEY = r"-----BEGIN [A-Z ]*PRIVATE KEY"


def tracked() -> list[str]:
    """Every file git knows or would take in."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted(name for name in set(listed) if (ROOT / name).is_file())


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8", errors="replace")


def sources() -> set[str]:
    """Files of the floors, examples and tests that hold something; vectors are data and named by their folder."""
    return {
        name
        for name in tracked()
        if name.split("/")[0] in SOURCES and "/vectors/" not in name and (ROOT / name).stat().st_size
    }


def lines_matching(pattern: str, names: list[str]) -> list[str]:
    found = re.compile(pattern, re.MULTILINE)
    return [f"{name}: {hit.group().strip()}" for name in names for hit in found.finditer(text(name))]


def errors_of(floor: str) -> list[type[Exception]]:
    """The error classes of a floor that nothing inherits from: those that are raised."""
    module = importlib.import_module(f"{floor}.errors")
    classes = [c for c in vars(module).values() if isinstance(c, type) and c.__module__ == module.__name__]
    return [c for c in classes if issubclass(c, Exception) and not c.__subclasses__()]


def test_every_source_file_has_a_caption_and_every_caption_a_file() -> None:
    captions = dict(re.findall(r"^\| `([^`]+)` \| (.*?) \|$", text("docs/map.md"), re.MULTILINE))
    assert sources() - set(captions) == set(), "files without a caption"
    assert set(captions) - sources() == set(), "captions without a file"
    assert [name for name, caption in captions.items() if len(caption) < 8] == []


def test_no_source_file_is_longer_than_400_lines() -> None:
    assert [name for name in sources() if name.endswith(".py") and text(name).count("\n") > 400] == []


def test_the_licence_is_the_one_we_name() -> None:
    assert "EUROPEAN UNION PUBLIC LICENCE v. 1.2" in text("LICENSE")
    assert 'license = "EUPL-1.2"' in text("pyproject.toml")


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_every_make_command_we_write_down_exists(document: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text(document), re.MULTILINE))
    assert named
    assert named <= targets


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_every_kluis_command_we_write_down_exists(document: str) -> None:
    import typer.main

    from web.cli import app

    commands = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    assert set(re.findall(r"`kluis ([a-z]+)", text(document))) <= commands


def table(document: str, heading: str) -> list[list[str]]:
    """The rows of the table under a heading, cell by cell, without its head."""
    section = text(document).partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def shown_by(cell: str) -> list[str]:
    return re.findall(r"`(test_\w+)`", cell)


def test_every_test_that_security_names_exists() -> None:
    written = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = shown_by(text("SECURITY.md"))
    assert len(named) > 50
    assert set(named) - written == set()


def test_every_cell_of_the_threat_table_and_every_row_of_the_leak_list_names_its_test() -> None:
    threats, leaks = table("SECURITY.md", "Threats"), table("SECURITY.md", "What a stolen main database tells")
    assert len(threats) >= 11 and len(leaks) >= 18
    assert [row[0] for row in threats for cell in row[1:] if not shown_by(cell)] == []
    assert [row[0] for row in leaks if len(shown_by(row[2])) != 1] == []


def test_every_link_to_a_file_leads_somewhere() -> None:
    for name in (name for name in tracked() if name.endswith(".md")):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text(name)):
            assert ((ROOT / name).parent / target).exists(), f"{name} -> {target}"


def test_the_readme_draws_every_floor() -> None:
    assert [floor for floor in FLOORS if not re.search(rf"^ \d  {floor} ", text("README.md"), re.MULTILINE)] == []


def test_help_is_what_make_alone_prints() -> None:
    run = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ("run", "test", "lint", "install", "lock"):
        assert f"make {target} " in run.stdout


@pytest.mark.parametrize("pattern", [REGISTRY, MACHINE, PRIVATE_KEY], ids=["registry", "machine", "private-key"])
def test_no_file_names_a_registry_a_machine_or_a_private_key(pattern: str) -> None:
    names = [n for n in tracked() if not (pattern == REGISTRY and n.startswith("docs/"))]
    assert lines_matching(pattern, names) == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (REGISTRY, "https://example.org" + "/simple/"),
        (MACHINE, "see " + "/work" + "/main"),
        (PRIVATE_KEY, "-----BEGIN EC " + "PRIVATE KEY-----"),
    ],
)
def test_the_search_for_such_lines_finds_a_planted_one(pattern: str, line: str) -> None:
    assert re.search(pattern, line, re.MULTILINE)


def test_every_error_has_its_problem() -> None:
    from web.problems import TABLE

    raised = {error for floor in FLOORS if (ROOT / floor / "errors.py").is_file() for error in errors_of(floor)}
    assert {f"{e.__module__}.{e.__name__}" for e in raised - set(TABLE)} == set()


def test_every_problem_has_an_error_status_and_a_type_made_of_words() -> None:
    from web.problems import TABLE

    assert [error for error, (status, _, _) in TABLE.items() if not 400 <= status <= 599] == []
    assert [kind for _, kind, _ in TABLE.values() if not re.fullmatch(r"[a-z]+(-[a-z]+)*", kind)] == []
