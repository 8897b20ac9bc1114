"""Cosignatures: parsed by hand from the specification, by another program both ways, and after 400 changes."""

import hashlib
import os
import random
import shutil
import subprocess
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from keys.cosign import cosign, cosignatures, read_answer, read_key, witness_vkey, write_key
from keys.errors import Damaged, Misuse
from keys.note import checkpoint, open_note, sign_note, vkey
from keys.secret import Private
from keys.sign import new_signer, signer_public
from tests.keys.independent import read_note

LOG = "kluis.test/log/2026h2"
NAME = "city.test/witness"
TEXT = checkpoint(LOG, 42, bytes(range(32)))
AT = 1_795_000_000
GO = Path(__file__).parent / "cosigner"


@pytest.fixture(scope="module")
def log() -> Private:
    return new_signer()


@pytest.fixture(scope="module")
def witness() -> Private:
    return new_signer()


@pytest.fixture
def note(log, witness) -> str:
    return sign_note(TEXT, LOG, log) + cosign(TEXT, NAME, witness, AT)


def by_hand(text: bytes, seed: bytes, at: int, name: str = NAME) -> str:
    """A cosignature line from the specification alone (key id, message, timestamped_signature)."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public = key.public_key().public_bytes_raw()
    key_id = hashlib.sha256(name.encode() + b"\n\x04" + public).digest()[:4]
    signature = key.sign(b"cosignature/v1\ntime " + str(at).encode() + b"\n" + text)
    return f"— {name} {b64encode(key_id + at.to_bytes(8, 'big') + signature).decode()}\n"


def test_a_cosignature_is_what_the_specification_says_byte_for_byte(witness):
    assert cosign(TEXT, NAME, witness, AT) == by_hand(TEXT.encode(), bytes(witness.view()), AT)
    public = signer_public(witness)
    key_id = hashlib.sha256(NAME.encode() + b"\n\x04" + public).digest()[:4]
    encoded = b64encode(b"\x04" + public).decode()
    assert witness_vkey(NAME, witness) == f"{NAME}+{key_id.hex()}+{encoded}"


def test_the_line_in_the_specifications_example_has_its_form():
    """The example's key is not published: its name, its length and its moment can be checked, its signature not."""
    line = (
        "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0"
        "xUe+mbIUBkBIfZ+qnA=="
    )
    raw = b64decode(line.split(" ")[2])
    assert (len(raw), int.from_bytes(raw[4:12], "big")) == (4 + 8 + 64, 1679315147)
    ours = b64decode(cosign(TEXT, NAME, new_signer(), 1679315147).split(" ")[2])
    assert (len(ours), ours[4:12]) == (len(raw), raw[4:12])


def test_a_cosigned_checkpoint_verifies_by_hand(note, witness):
    text, lines = read_note(note)
    name, _, signed = lines[-1]
    assert name == NAME
    assert int.from_bytes(signed[:8], "big") == AT
    message = b"cosignature/v1\ntime %d\n%s" % (AT, text)
    Ed25519PublicKey.from_public_bytes(signer_public(witness)).verify(signed[8:], message)


def test_known_witnesses_are_found_and_unknown_ones_skipped(note, log, witness):
    key, stranger = witness_vkey(NAME, witness), witness_vkey("other.test/w", new_signer())
    (found,) = cosignatures(note, [stranger, key])
    assert (found.vkey, found.at) == (key, AT)
    assert note.endswith(found.line)
    assert cosignatures(note, [stranger]) == []
    assert open_note(note, [vkey(LOG, signer_public(log))]) == (TEXT, [LOG])


def test_of_two_cosignatures_of_a_witness_the_later_one_counts(note, witness):
    key = witness_vkey(NAME, witness)
    older = cosign(TEXT, NAME, witness, AT - 60)
    assert [one.at for one in cosignatures(note + older, [key])] == [AT]
    assert [one.at for one in read_answer(TEXT, older + cosign(TEXT, NAME, witness, AT), [key])] == [AT]


def test_a_cosignature_of_another_checkpoint_is_refused_whole(note, witness):
    other = cosign(checkpoint(LOG, 43, bytes(32)), NAME, witness, AT)
    with pytest.raises(Damaged):
        cosignatures(note + other, [witness_vkey(NAME, witness)])


def test_a_plain_signature_is_no_cosignature_and_a_cosignature_no_plain_one(witness, log):
    """The same key under both types: the type is part of the key's id, and the message differs."""
    plain, timed = sign_note(TEXT, NAME, witness), sign_note(TEXT, LOG, log) + cosign(TEXT, NAME, witness, AT)
    assert cosignatures(plain, [witness_vkey(NAME, witness)]) == []
    with pytest.raises(Damaged):
        open_note(timed, [vkey(NAME, signer_public(witness))])
    with pytest.raises(Damaged):
        open_note(timed, [witness_vkey(NAME, witness)])
    with pytest.raises(Misuse):
        cosignatures(timed, [vkey(NAME, signer_public(witness))])


def test_none_of_400_changed_cosigned_notes_still_counts(note, witness):
    key, dice, tried = witness_vkey(NAME, witness), random.Random(20261121), 0
    begin = note.index("— " + NAME)
    while tried < 400:
        at = dice.choice([dice.randrange(len(TEXT)), dice.randrange(begin, len(note))])
        letter = chr(dice.choice([*range(32, 127), 10]))
        changed = dice.choice([note[:at] + letter + note[at + 1 :], note[:at] + note[at + 1 :], note[:at]])
        if changed == note:
            continue
        tried += 1
        try:
            assert cosignatures(changed, [key]) == []
        except Damaged:
            continue


@pytest.mark.parametrize("at", [0, -1, 2**63])
def test_a_moment_that_no_cosignature_may_state_is_not_signed(at, witness):
    with pytest.raises(Misuse):
        cosign(TEXT, NAME, witness, at)


@pytest.mark.parametrize("at", [0, 2**63, 2**64 - 1])
def test_a_moment_that_no_cosignature_may_state_is_not_believed(at, log, witness):
    line = by_hand(TEXT.encode(), bytes(witness.view()), at)
    with pytest.raises(Damaged):
        cosignatures(sign_note(TEXT, LOG, log) + line, [witness_vkey(NAME, witness)])


def test_only_checkpoints_are_cosigned(witness):
    with pytest.raises(Damaged):
        cosign("any text\n", NAME, witness, AT)


def test_a_private_key_reads_back_and_a_changed_one_does_not(witness):
    text = write_key(NAME, witness)
    assert read_key(text) == (NAME, witness)
    for at in range(len(text)):
        changed = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        with pytest.raises(Misuse):
            read_key(changed)


def go(command: str, note: str, *keys: str) -> str:
    """Run the other program. Skips, saying why, where it cannot be built from what is on this machine."""
    if shutil.which("go") is None:
        pytest.skip("no Go on this machine")
    run = ["go", "run", ".", command, *keys]
    done = subprocess.run(run, cwd=GO, input=note, capture_output=True, text=True, check=False, env=_offline())
    if "GOPROXY=off" in done.stderr or "toolchain" in done.stderr or "requires go" in done.stderr:
        pytest.skip(f"its modules are not on this machine (go mod download in {GO.name}): {done.stderr[-120:]}")
    assert done.returncode == 0, done.stderr
    return done.stdout


def _offline() -> dict[str, str]:
    return os.environ | {"GOPROXY": "off", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}


def test_another_program_reads_our_cosignature_and_we_read_its(note, log, witness):
    trusted, key = vkey(LOG, signer_public(log)), witness_vkey(NAME, witness)
    key_id = int(key.split("+")[1], 16)
    assert go("open", note, trusted, key) == f"{NAME} {key_id} {AT}\n"
    theirs = go("sign", sign_note(TEXT, LOG, log), trusted, write_key(NAME, witness).strip())
    (found,) = cosignatures(theirs, [key])
    assert found.at > 1_700_000_000
    assert open_note(theirs, [trusted]) == (TEXT, [LOG])
