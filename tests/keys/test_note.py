"""Signed notes and checkpoints: the published example of the Go tools, a hand-written parse, and changed notes."""

import hashlib
import random
from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from keys.errors import Damaged, Misuse
from keys.note import Checkpoint, checkpoint, open_note, read_checkpoint, sign_note, vkey
from keys.secret import Private
from keys.sign import new_signer, signer_public
from tests.keys.independent import read_note

NAME = "kluis.test/log/2026h2"
TEXT = checkpoint(NAME, 42, bytes(range(32)))

GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_PRIVATE = b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_NOTE = (
    GO_TEXT + "\n— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def signed(text=TEXT, name=NAME):
    private = new_signer()
    return sign_note(text, name, private), vkey(name, signer_public(private))


def test_the_note_of_the_go_tools_opens_and_is_written_the_same():
    assert open_note(GO_NOTE, [GO_KEY]) == (GO_TEXT, ["PeterNeumann"])
    private = Private(GO_PRIVATE)
    assert vkey("PeterNeumann", signer_public(private)) == GO_KEY
    assert sign_note(GO_TEXT, "PeterNeumann", private) == GO_NOTE


def test_a_signature_verifies_by_hand():
    private = new_signer()
    public = signer_public(private)
    text, lines = read_note(sign_note(TEXT, NAME, private))
    ((name, key_id, signature),) = lines
    assert (text, name) == (TEXT.encode(), NAME)
    assert key_id == hashlib.sha256(NAME.encode() + b"\n\x01" + public).digest()[:4]
    Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    encoded = b64encode(b"\x01" + public).decode()
    assert vkey(NAME, public) == f"{NAME}+{key_id.hex()}+{encoded}"


def test_a_note_opens_for_each_known_key_and_skips_unknown_ones():
    note, key = signed()
    other = new_signer()
    both = note + sign_note(TEXT, "witness.test/one", other).rpartition("\n\n")[2]
    witness = vkey("witness.test/one", signer_public(other))
    assert open_note(both, [key]) == (TEXT, [NAME])
    assert open_note(both, [witness, key]) == (TEXT, [NAME, "witness.test/one"])
    assert open_note(both + both.rpartition("\n\n")[2], [key]) == (TEXT, [NAME])


def test_a_text_with_empty_lines_and_signatures_of_its_own_keeps_them():
    inner, _ = signed()
    note, key = signed(inner)
    assert open_note(note, [key]) == (inner, [NAME])


def test_a_note_that_no_known_key_signed_is_refused():
    note, key = signed()
    same_name = vkey(NAME, signer_public(new_signer()))
    for keys in ([], [same_name], [vkey("other.test", b64decode(key.split("+", 2)[2])[1:])]):
        with pytest.raises(Damaged):
            open_note(note, keys)


def test_a_note_with_one_bad_signature_of_a_known_key_is_refused_whole():
    note, key = signed()
    other = new_signer()
    forged = sign_note("other\n", "witness.test/one", other).rpartition("\n\n")[2]
    with pytest.raises(Damaged):
        open_note(note + forged, [key, vkey("witness.test/one", signer_public(other))])


def test_a_signature_has_one_text_only():
    """The last letter before the padding holds two unused bits; setting them must not give a second good note."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    head, last = GO_NOTE[:-3], GO_NOTE[-3]
    for bits in (1, 2, 3):
        twin = head + alphabet[alphabet.index(last) | bits] + "=\n"
        assert b64decode(twin.split(" ")[-1]) == b64decode(GO_NOTE.split(" ")[-1])
        with pytest.raises(Damaged):
            open_note(twin, [GO_KEY])


def test_none_of_300_changed_notes_opens():
    note, key = signed()
    dice = random.Random(20261121)
    refused = 0
    while refused < 300:
        at = dice.randrange(len(note))
        letter = chr(dice.choice([*range(32, 127), 10, 9, 0x2014]))
        mutant = dice.choice(
            [note[:at] + letter + note[at + 1 :], note[:at], note[:at] + note[at + 1 :], note[:at] + letter + note[at:]]
        )
        if mutant == note:
            continue
        with pytest.raises(Damaged):
            open_note(mutant, [key])
        refused += 1


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n",
        "text\n",
        "text\n\n",
        "text\n\n— name\n",
        "text\n\n— name AAAA\n",
        "text\n\n- name AAAAAAAA\n",
        "text\n\n— na+me AAAAAAAA\n",
        "text\n\n— na\u00a0me AAAAAAAA\n",
        "text\n\n— name AAAAAAA\n",
        "text\n\n— name AAAAAAAB=\n",
        "te\txt\n\n— name AAAAAAAA\n",
        "te\rxt\n\n— name AAAAAAAA\n",
        "text\n\n" + "— name AAAAAAAA\n" * 101,
    ],
)
def test_what_is_no_signed_note_is_refused(note):
    with pytest.raises(Damaged):
        open_note(note, [GO_KEY])


@pytest.mark.parametrize("text", ["", "no newline", "tab\t\n", "return\r\n"])
def test_what_is_no_text_of_a_note_is_not_signed(text):
    with pytest.raises(Misuse):
        sign_note(text, NAME, new_signer())


@pytest.mark.parametrize("name", ["", "with space", "with+plus", "with\nline", "with\u2003space"])
def test_what_is_no_key_name_is_refused(name):
    with pytest.raises(Misuse):
        sign_note(TEXT, name, new_signer())
    with pytest.raises(Misuse):
        vkey(name, bytes(32))


def test_no_changed_letter_of_a_verifier_key_is_taken():
    for at in range(len(GO_KEY)):
        other = "A" if GO_KEY[at] != "A" else "B"
        for mangled in (GO_KEY[:at], GO_KEY[:at] + other + GO_KEY[at + 1 :], GO_KEY[at + 1 :]):
            with pytest.raises(Misuse):
                open_note(GO_NOTE, [mangled])


def test_a_checkpoint_is_three_lines_and_reads_back():
    assert checkpoint(NAME, 42, bytes(range(32))) == f"{NAME}\n42\n{b64encode(bytes(range(32))).decode()}\n"
    assert read_checkpoint(TEXT) == Checkpoint(NAME, 42, bytes(range(32)))
    assert read_checkpoint(checkpoint("log", 0, bytes(32))).size == 0


def test_the_example_of_the_specification_reads():
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    assert read_checkpoint(text)[:2] == ("example.com/behind-the-sofa", 20852163)
    assert read_checkpoint(text + "extension\nanother\n") == read_checkpoint(text)


ROOT = b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log\n1\n",
        f"log\n1\n{ROOT}",
        f"\n1\n{ROOT}\n",
        f"log\n01\n{ROOT}\n",
        f"log\n+1\n{ROOT}\n",
        f"log\n-1\n{ROOT}\n",
        f"log\n\n{ROOT}\n",
        f"log\n1 \n{ROOT}\n",
        f"log\n١\n{ROOT}\n",
        f"log\n1\n{ROOT[:-1]}\n",
        f"log\n1\n{b64encode(bytes(31)).decode()}\n",
        f"log\n1\n{ROOT}\n\n",
        f"log\n1\n{ROOT}\n\nextension\n",
        f"log\n1\n{ROOT}\nextension",
    ],
)
def test_what_is_no_checkpoint_is_refused(text):
    with pytest.raises(Damaged):
        read_checkpoint(text)


@pytest.mark.parametrize(
    "parts", [("", 1, bytes(32)), ("a\nb", 1, bytes(32)), ("a", -1, bytes(32)), ("a", 1, bytes(31))]
)
def test_no_malformed_checkpoint_is_written(parts):
    with pytest.raises(Misuse):
        checkpoint(*parts)
