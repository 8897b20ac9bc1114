import subprocess
import sys

import pytest

from keys import errors
from keys.mark import check, mark
from keys.text import b64, canonical, canonical_flat, unb64


@pytest.mark.parametrize("size", range(20))
def test_bytes_read_back_from_their_text(size):
    data = bytes(range(size))
    assert unb64(b64(data)) == data
    assert not set(b64(b"\xff\xfe" * size)) & set("+/=")


def test_an_id_is_22_letters():
    assert len(b64(bytes(16))) == 22


@pytest.mark.parametrize("text", ["A", "AA==", "AB", "AA\n", " AA", "A+==", "++", "//", "AAAAA", "é", "AA=", "A A"])
def test_a_text_that_is_not_the_one_of_its_bytes_is_refused(text):
    with pytest.raises(ValueError):
        unb64(text)


def test_json_has_one_form():
    assert canonical({"b": [1, 2.0, "é"], "a": None}) == '{"a":null,"b":[1,2,"é"]}'.encode()
    for impossible in (float("nan"), 1 << 60):
        with pytest.raises(ValueError):
            canonical(impossible)


def test_a_mark_holds_for_exactly_these_parts():
    made = mark(b"grant", b"pod")
    assert check(made, b"grant", b"pod")
    for parts in ((b"grant", b"poe"), (b"grantp", b"od"), (b"pod", b"grant"), (b"grant",), (b"grant", b"pod", b""), ()):
        assert not check(made, *parts)
    assert not check(made[:-1], b"grant", b"pod")


def test_a_mark_of_another_process_does_not_hold():
    code = "from keys.mark import mark; import sys; sys.stdout.buffer.write(mark(b'x'))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert len(other) == 32
    assert not check(other, b"x")


def test_a_hardened_process_dumps_no_core_and_shows_no_memory():
    code = (
        "from keys.harden import harden; import ctypes, resource; harden();"
        "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    assert shown.strip() == "(0, 0) 0"


def test_every_error_has_a_code_of_its_own():
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert len({kind.code for kind in classes}) == len(classes)


def test_the_flat_form_is_the_canonical_one_for_every_character_and_number():
    every = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    for at in range(0, len(every), 10_000):
        text = "".join(every[at : at + 10_000])
        told = {"b": text, "a": [text, ""], "zz": 2**53 - 1, "z": -7, "Z": 0}
        assert canonical_flat(told) == canonical(told)
    with pytest.raises(ValueError, match="surrogates"):
        canonical_flat({"a": "\ud800"})
