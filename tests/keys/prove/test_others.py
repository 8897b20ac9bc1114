"""K6: programs that are not ours open our files and letters, and we open theirs."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyrage
import pytest

from keys import age
from keys.dropbox import collect, deliver, pair
from keys.secret import DataKey, Private
from tests.keys.test_tink import place, theirs
from tests.proof import figure, proving

PHRASE = "een lange zin die niemand raadt"
SIZES = (0, 1, 65_535, 65_536, 65_537, 1_000_000)


def by_pyrage(data: bytes) -> bool:
    key = Private.fresh()
    other = pyrage.x25519.Identity.from_str(age.identity_text(key))
    ours = pyrage.decrypt(age.lock(data, recipient=age.recipient_of(key)), [other])
    return ours == age.unlock(pyrage.encrypt(data, [other.to_public()]), identity=key) == data


def by_phrase(data: bytes) -> bool:
    """Both write with their own cost: ours fixed, theirs what their machine does in a second."""
    ours = pyrage.passphrase.decrypt(age.lock(data, passphrase=PHRASE), PHRASE)
    return ours == age.unlock(pyrage.passphrase.encrypt(data, PHRASE), passphrase=PHRASE) == data


def by_program(data: bytes, folder: Path) -> bool:
    key, where = Private.fresh(), folder / "key"
    where.write_text(age.identity_text(key) + "\n")
    ours = _age(["-d", "-i", str(where)], age.lock(data, recipient=age.recipient_of(key)))
    return ours == age.unlock(_age(["-r", age.recipient_of(key)], data), identity=key) == data


def by_tink(_: bytes) -> bool:
    (private, public), secret = pair(), DataKey.fresh()
    opening, sealing = theirs(private, public)
    ours = opening.decrypt(deliver(public, place("dek"), secret)[1:], place("dek"))
    sealed = b"\1" + sealing.encrypt(bytes(secret.view()), place("dek"))
    return ours == bytes(secret.view()) and collect(private, place("dek"), sealed, DataKey) == secret


def _age(told: list[str], data: bytes) -> bytes:
    return subprocess.run(["age", *told], input=data, capture_output=True, check=True).stdout


@pytest.mark.skipif(not proving(), reason="stretches at full cost; runs in `make prove-keys`")
def test_k6_other_programs_and_we_open_each_others_files_and_letters(tmp_path: Path) -> None:
    if shutil.which("age") is None:
        pytest.skip("the program age is not installed (apt-get install age)")
    ways: list[tuple[Callable[[bytes], bool], tuple[int, ...]]] = [
        (by_pyrage, SIZES),
        (by_phrase, (1000, 70_000)),
        (lambda data: by_program(data, tmp_path), SIZES),
        (by_tink, (0,) * 6),
    ]
    held = [way(bytes(n & 255 for n in range(size))) for way, sizes in ways for size in sizes]
    figure("K6c", held.count(False), len(held))
    assert all(held)
