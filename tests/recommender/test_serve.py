"""The recommender's own process guards its memory: it holds tokens and what they read."""

import json
import subprocess
import sys
from pathlib import Path

STARTED = """
import ctypes, json, resource, sys
from recommender import __main__ as program

def told(folder):
    dumpable = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)
    print(json.dumps([*resource.getrlimit(resource.RLIMIT_CORE), dumpable]))
    return 0

program._open = told
sys.exit(program.main(["serve", "--data", sys.argv[1]]))
"""


def test_the_recommender_dumps_no_core_and_shows_no_memory_before_it_opens_its_folder(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARTED, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == [0, 0, 0]
