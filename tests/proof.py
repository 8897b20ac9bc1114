"""`make prove-<area>`: run the slow tests of an area at full length and hold what they measured against the bounds.

A test calls `figure` with what it measured; docs/bounds.toml says what it must be. Printed per id:
`id value unit bound rounds ok|MISSED|NOT RUN`, then figures that have no bound and are only `told`, then one summary
line. Exit 0 only if every line with a bound is ok.
"""

import json
import operator
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BOUNDS = ROOT / "docs" / "bounds.toml"
HOLDS = {"<=": operator.le, ">=": operator.ge, "=": operator.eq}
AREAS = {
    "house": [
        "tests/stories/test_kill.py",
        "tests/stories/test_canaries.py",
        "tests/recommender/test_suggest.py",
    ],
    "recommender": ["tests/recommender/prove"],
    "keys": ["tests/keys", "tests/browser/test_unlockers.py"],
    "log": ["tests/log/prove"],
    "consent": ["tests/consent/prove"],
    "push": ["tests/web/test_outgoing.py"],
    "oauth": ["tests/clients/oauth", "tests/clients/solidlogin", "tests/web/solidlogin", "tests/consent/attacks"],
    "solid": ["tests/solid", "tests/clients/solid", "tests/web/notifications/test_race.py"],
}


def figure(name: str, value: float, rounds: int = 1) -> None:
    """Write a measured figure down, if a proof is being run."""
    if path := os.environ.get("KLUIS_FIGURES"):
        with Path(path).open("a") as file:
            file.write(json.dumps({"id": name, "value": value, "rounds": rounds}) + "\n")


def proving() -> bool:
    """Whether a proof is being run: what takes long or measures time runs only then."""
    return "KLUIS_FIGURES" in os.environ


def rounds(few: int, name: str = "") -> int:
    """How many rounds to run: few in the everyday tests, in a proof as many as the bound `name` (or the most) says."""
    if proving() and name:
        return max(few, *(area[name]["rounds"] for area in tomllib.loads(BOUNDS.read_text()).values() if name in area))
    return int(os.environ.get("KLUIS_ROUNDS", few))


def verdict(bound: dict[str, Any], taken: dict[str, Any] | None) -> str:
    """ok, MISSED or NOT RUN."""
    if taken is None:
        return "NOT RUN"
    held = HOLDS[bound["comparison"]](taken["value"], bound["bound"])
    return "ok" if held and taken["rounds"] >= bound["rounds"] else "MISSED"


def main(area: str) -> int:
    """Run an area's tests, print its lines."""
    bounds = tomllib.loads(BOUNDS.read_text())[area]
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        most = str(max(bound["rounds"] for bound in bounds.values()))
        environment = os.environ | {"KLUIS_FIGURES": file.name, "KLUIS_ROUNDS": most}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-o", "timeout=3600", *AREAS[area]]
        tests = subprocess.run(command, cwd=ROOT, env=environment, check=False)
        taken = {row["id"]: row for row in map(json.loads, Path(file.name).read_text().splitlines())}
    good = 0
    for name, bound in bounds.items():
        row = taken.get(name)
        said = verdict(bound, row)
        good += said == "ok"
        value, count = (row["value"], row["rounds"]) if row else ("-", 0)
        print(f"{name} {value} {bound['unit']} {bound['comparison']} {bound['bound']} {count} {said}")
    for name, row in taken.items():
        if name not in bounds:
            print(f"{name} {row['value']} - - - {row['rounds']} told")
    print(f"{area}: {good} of {len(bounds)} bounds held, tests {'passed' if tests.returncode == 0 else 'FAILED'}")
    return 0 if good == len(bounds) and tests.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
