"""The custodian in a token: real keys in a real SoftHSM2, that never leave it and are asked for every use."""

import threading

import pkcs11
import pytest
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFCMAC, CounterLocation, Mode
from pkcs11 import Attribute, KeyType, ObjectClass

from keys.context import ctx
from keys.custody import custodian, hang, reach
from keys.errors import Damaged, ExposedCustodian, Misuse, NoCustodian
from keys.hsm import Address, TokenCustodian
from keys.secret import CustodyKey, ManagedRoot, Secret, Share, StateKey, derive
from tests.keys.places import OTHER, POD
from tests.keys.token import PIN, token

PLACE = ctx("root", POD, "custody", "mk")


@pytest.fixture
def uri(tmp_path):
    yield from token(tmp_path)


def objects(uri):
    """The keys in the token, past our code."""
    session = pkcs11.lib(Address(uri).module).get_token(token_label="kluis test").open(rw=True)
    return session, list(session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY}))


def test_the_keys_are_made_in_the_token_and_never_leave_it(uri):
    TokenCustodian.create(uri)
    _, found = objects(uri)
    assert {key.id for key in found} == {b"state", b"custody-1"}
    for key in found:
        assert key.key_length == 256 and key[Attribute.SENSITIVE] and not key[Attribute.EXTRACTABLE]
        assert not key[Attribute.ENCRYPT] and not key[Attribute.DECRYPT] and not key[Attribute.UNWRAP]
        with pytest.raises(pkcs11.exceptions.AttributeSensitive):
            _ = key[Attribute.VALUE]


def test_it_opens_again_the_same(uri):
    share, root, made = Share.fresh(), ManagedRoot.fresh(), TokenCustodian.create(uri)
    wrapped, again = hang(made, POD, share, root), custodian(uri)
    assert isinstance(again, TokenCustodian)
    assert again.custody_ids == made.custody_ids == (wrapped[:16],)
    assert again.state_key() == made.state_key() and type(made.state_key()) is StateKey
    assert reach(again, POD, share, wrapped) == root


def test_a_custody_key_takes_the_token_the_pod_and_its_share(uri):
    share, root, made = Share.fresh(), ManagedRoot.fresh(), TokenCustodian.create(uri)
    wrapped = hang(made, POD, share, root)
    for pod, other in ((OTHER, share), (POD, Share.fresh())):
        with pytest.raises(Damaged):
            reach(made, pod, other, wrapped)
    with pytest.raises(Damaged):
        reach(made, POD, share, bytes(16) + wrapped[16:])


def test_the_key_is_that_of_the_standard_worked_out_by_another_implementation(uri):
    raw = bytes(range(32))
    TokenCustodian.create(uri)
    session, found = objects(uri)
    next(key for key in found if key.id == b"custody-1").destroy()
    kind = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: KeyType.AES, Attribute.VALUE: raw}
    name = {Attribute.LABEL: "kluis", Attribute.ID: b"custody-1", Attribute.TOKEN: True, Attribute.SIGN: True}
    session.create_object(kind | name)
    made, share = custodian(uri), Share.fresh()
    other = KBKDFCMAC(AES, Mode.CounterMode, 32, 4, 4, CounterLocation.BeforeFixed, b"kluis/custodian/v1", PLACE, None)
    expected = derive(Secret(other.derive(raw)), PLACE, share, CustodyKey)
    assert made.custody_key(POD, share, made.custody_id) == expected


def test_a_new_custody_key_goes_into_use_and_the_old_one_opens_until_it_is_destroyed(uri):
    holder, share, root = TokenCustodian.create(uri), Share.fresh(), ManagedRoot.fresh()
    old, before, state = holder.custody_id, hang(holder, POD, share, root), holder.state_key()
    new = holder.add()
    with pytest.raises(Misuse):
        holder.add()
    for one in (holder, custodian(uri)):
        assert one.custody_ids == (new, old) and one.state_key() == state
        assert reach(one, POD, share, before) == root
    after = hang(holder, POD, share, root)
    with pytest.raises(Misuse):
        holder.destroy(new)
    holder.destroy(old)
    assert {key.id for key in objects(uri)[1]} == {b"state", b"custody-2"}
    for one in (holder, custodian(uri)):
        assert one.custody_ids == (new,) and reach(one, POD, share, after) == root
        with pytest.raises(Damaged):
            reach(one, POD, share, before)
    assert holder.add() not in (old, new)


def test_keys_that_are_there_are_never_made_anew(uri):
    made = TokenCustodian.create(uri)
    with pytest.raises(FileExistsError):
        TokenCustodian.create(uri)
    assert custodian(uri).custody_ids == made.custody_ids


def test_a_token_without_our_keys_or_with_two_of_one_id_is_refused(uri):
    with pytest.raises(NoCustodian):
        custodian(uri)
    TokenCustodian.create(uri)
    session, _ = objects(uri)
    session.generate_key(KeyType.AES, 256, label="kluis", id=b"state", store=True)
    with pytest.raises(NoCustodian, match="same id"):
        custodian(uri)


def test_a_wrong_pin_a_missing_token_and_a_missing_library_are_named(uri, tmp_path):
    (tmp_path / "pin").write_text("another pin")
    for bad in (uri, uri.replace("kluis%20test", "other"), uri.replace("libsofthsm2.so", "none.so")):
        with pytest.raises(NoCustodian) as told:
            custodian(bad)
        assert "another pin" not in str(told.value)


def test_a_pin_that_others_can_read_is_refused(uri, tmp_path):
    (tmp_path / "pin").chmod(0o640)
    with pytest.raises(ExposedCustodian):
        custodian(uri)


def test_a_token_that_went_away_is_named_and_nothing_opens(uri, tmp_path):
    holder, share = TokenCustodian.create(uri), Share.fresh()
    pkcs11.lib(Address(uri).module).finalize()
    try:
        with pytest.raises(NoCustodian):
            holder.custody_key(POD, share, holder.custody_id)
    finally:
        pkcs11.lib(Address(uri).module)


def test_many_threads_ask_at_once_and_each_gets_its_own_answer(uri):
    holder = TokenCustodian.create(uri)
    share, pods = Share.fresh(), [bytes([n]) * 16 for n in range(8)]
    alone = [holder.custody_key(pod, share, holder.custody_id) for pod in pods]
    found = {}

    def ask(n):
        for _ in range(50):
            found.setdefault(n, []).append(holder.custody_key(pods[n], share, holder.custody_id))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(key == alone[n] for n in range(8) for key in found[n])


@pytest.mark.parametrize(
    "bad",
    [
        "pkcs11:",
        "file:/x",
        "pkcs11:token=a;object=b",
        "pkcs11:token=a?module-path=/m&pin-source=file:/p",
        "pkcs11:token=a;object=b?module-path=m&pin-source=file:/p",
        "pkcs11:token=a;object=b?module-path=/m&pin-source=p",
        "pkcs11:token=a;object=b?module-path=/m&pin-source=|/bin/cat",
        "pkcs11:token=a;token=b;object=b?module-path=/m&pin-source=file:/p",
        "pkcs11:token=;object=b?module-path=/m&pin-source=file:/p",
        "pkcs11:token=a;object=b;slot-id=1?module-path=/m&pin-source=file:/p",
    ],
)
def test_another_form_of_address_is_refused(bad):
    with pytest.raises(Misuse):
        Address(bad)


def test_a_pin_in_the_address_is_refused_and_not_repeated():
    with pytest.raises(Misuse, match="not written into an address") as told:
        Address(f"pkcs11:token=a;object=b?module-path=/m&pin-value={PIN}")
    assert PIN not in str(told.value)


def test_an_address_is_read_with_its_escapes():
    read = Address("pkcs11:object=b%3B;token=a%20b?pin-source=file:///etc/k/pin&module-path=/m")
    assert (read.token, read.object, read.module, str(read.pin_file)) == ("a b", "b;", "/m", "/etc/k/pin")
