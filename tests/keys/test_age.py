"""Files in the age format: other programs open ours, we open theirs, and nobody opens an altered one."""

import shutil
import subprocess

import pyrage
import pytest

from keys import age
from keys.errors import Damaged, KeysError, UnknownVersion, WrongSecret
from keys.secret import Private

PHRASE = "een lange zin die niemand raadt"
SIZES = (0, 1, 65_535, 65_536, 65_537, 131_072, 200_000)
THEIRS = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"  # c2sp.org/age, X25519


@pytest.fixture(autouse=True)
def _light(monkeypatch):
    monkeypatch.setattr(age, "WORK", 10)  # the format is the same at every cost


@pytest.fixture
def program():
    found = shutil.which("age")
    if found is None:
        pytest.skip("the program age is not installed (apt-get install age)")
    return found


def test_the_published_identity_gives_the_published_recipient():
    key = age.read_identity(THEIRS)
    assert age.recipient_of(key) == "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
    assert age.identity_text(key) == THEIRS


@pytest.mark.parametrize("size", SIZES)
def test_another_implementation_opens_our_files(size):
    data, key = bytes(i & 255 for i in range(size)), Private.fresh()
    theirs = pyrage.x25519.Identity.from_str(age.identity_text(key))
    assert str(theirs.to_public()) == age.recipient_of(key)
    assert pyrage.decrypt(age.lock(data, recipient=age.recipient_of(key)), [theirs]) == data
    assert pyrage.passphrase.decrypt(age.lock(data, passphrase=PHRASE), PHRASE) == data


@pytest.mark.parametrize("size", SIZES)
def test_we_open_the_files_of_another_implementation(size):
    data, theirs = bytes(i & 255 for i in range(size)), pyrage.x25519.Identity.generate()
    others = [pyrage.x25519.Identity.generate().to_public() for _ in range(3)]
    key = age.read_identity(str(theirs))
    assert age.unlock(pyrage.encrypt(data, [*others, theirs.to_public()]), identity=key) == data


@pytest.mark.parametrize("size", SIZES)
def test_the_program_age_opens_our_files_and_we_open_its(program, tmp_path, size):
    data, key, where = bytes(i & 255 for i in range(size)), Private.fresh(), tmp_path / "key"
    where.write_text(age.identity_text(key) + "\n")
    ours = age.lock(data, recipient=age.recipient_of(key))
    opened = subprocess.run([program, "-d", "-i", where], input=ours, capture_output=True, check=True)
    assert opened.stdout == data
    theirs = subprocess.run([program, "-r", age.recipient_of(key)], input=data, capture_output=True, check=True)
    assert age.unlock(theirs.stdout, identity=key) == data


def test_a_file_written_in_pieces_is_the_file_written_at_once():
    key = Private.fresh()
    for step in (1000, 65_536, 65_537):
        writer, data = age.Writer(recipient=age.recipient_of(key)), bytes(150_000)
        file = writer.head + b"".join(writer.add(data[at : at + step]) for at in range(0, 150_000, step))
        assert age.unlock(file + writer.end(), identity=key) == data


def test_an_altered_file_never_opens():
    key = Private.fresh()
    file = age.lock(bytes(1000), recipient=age.recipient_of(key))
    for at in range(len(file)):
        bad = bytearray(file)
        bad[at] ^= 1
        with pytest.raises(KeysError):
            age.unlock(bytes(bad), identity=key)


def test_a_cut_or_lengthened_file_never_opens():
    key = Private.fresh()
    file = age.lock(bytes(131_072), recipient=age.recipient_of(key))
    ends = [*range(400), *range(len(file) - 65_536 - 40, len(file) - 65_536 + 40), *range(len(file) - 40, len(file))]
    for end in ends:
        with pytest.raises(KeysError):
            age.unlock(file[:end], identity=key)
    for more in (b"\0", bytes(16), bytes(65_552)):
        with pytest.raises(Damaged):
            age.unlock(file + more, identity=key)


def mistyped(text):
    return text[:-1] + ("q" if text[-1] != "q" else "p")


def test_only_the_right_secret_opens():
    key, other = Private.fresh(), Private.fresh()
    by_key, by_phrase = age.lock(b"x", recipient=age.recipient_of(key)), age.lock(b"x", passphrase=PHRASE)
    for opening in (
        lambda: age.unlock(by_key, identity=other),
        lambda: age.unlock(by_key, passphrase=PHRASE),
        lambda: age.unlock(by_phrase, identity=key),
        lambda: age.unlock(by_phrase, passphrase=PHRASE + " "),
        lambda: age.Writer(recipient=mistyped(age.recipient_of(key))),
        lambda: age.Writer(),
    ):
        with pytest.raises(WrongSecret):
            opening()


def test_a_file_that_asks_for_too_much_work_is_refused_before_the_work():
    file = age.lock(b"x", passphrase=PHRASE)
    with pytest.raises(WrongSecret, match="at most"):
        age.unlock(file.replace(b" 10\n", b" 31\n", 1), passphrase=PHRASE)
    for words in (b" 010\n", b" 10 \n", b" 10 x\n", b"\n"):
        with pytest.raises(Damaged):
            age.unlock(file.replace(b" 10\n", words, 1), passphrase=PHRASE)


def test_a_passphrase_never_stands_beside_another_stanza():
    file = age.lock(b"x", passphrase=PHRASE)
    mixed = file.replace(b"\n---", b"\n-> grease\n\n---", 1)
    with pytest.raises(Damaged, match="alone"):
        age.unlock(mixed, passphrase=PHRASE)


NO_FILES = (
    b"",
    b"age-encryption.org/v1\n",
    b"\n---",
    b"age-encryption.org/v1\n-> X\n\n---\n",
    b"age-encryption.org/v1\n\n--- x\n",
    b"age-encryption.org/v1\n->\xff\n---\n",
)


@pytest.mark.parametrize("text", NO_FILES)
def test_what_is_no_age_file_is_said_to_be_none(text):
    with pytest.raises(Damaged):
        age.unlock(text, identity=Private.fresh())


def test_another_version_is_named_as_such():
    with pytest.raises(UnknownVersion):
        age.unlock(b"age-encryption.org/v2\n-> X\n\n--- x\n", identity=Private.fresh())


def test_an_identity_is_read_in_one_case_and_with_its_checksum():
    key = Private.fresh()
    text = age.identity_text(key)
    assert age.read_identity(text.lower()) == age.read_identity(text) == key
    mixed = text[:20] + text[20:].lower()
    for bad in (mixed, mistyped(text.lower()).upper(), text.replace("SECRET", "SECRIT"), text[:-1], ""):
        with pytest.raises(WrongSecret):
            age.read_identity(bad)
