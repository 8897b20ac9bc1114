"""Google's tink, another implementation of HPKE (RFC 9180), opens our letters, and we open its."""

import pytest
import tink
from tink import cleartext_keyset_handle, hybrid
from tink.proto import hpke_pb2, tink_pb2

from keys.context import ctx
from keys.dropbox import collect, deliver, pair
from keys.errors import Damaged
from keys.secret import CompartmentKey, DataKey, Private, RecordKey, Root, Secret
from tests.keys.places import FIELDS

hybrid.register()
LETTERS = [("unlock", Root), ("dek", DataKey), ("ck-grant", CompartmentKey), ("record-key", RecordKey),
           ("old-log", Private)]  # fmt: skip


def keyset(key, kind, material) -> tink.KeysetHandle:
    """A raw key (no prefix before the ciphertext) as tink takes it."""
    data = tink_pb2.KeyData(type_url=f"type.googleapis.com/google.crypto.tink.{kind}", value=key.SerializeToString(),
                            key_material_type=material)  # fmt: skip
    only = tink_pb2.Keyset.Key(key_data=data, status=tink_pb2.ENABLED, key_id=1, output_prefix_type=tink_pb2.RAW)
    whole = tink_pb2.Keyset(primary_key_id=1, key=[only])
    return cleartext_keyset_handle.from_keyset(whole)


def theirs(private: Private, public: bytes):
    """Our pair as tink's: what opens and what seals."""
    suite = hpke_pb2.HpkeParams(
        kem=hpke_pb2.DHKEM_X25519_HKDF_SHA256, kdf=hpke_pb2.HKDF_SHA256, aead=hpke_pb2.AES_256_GCM
    )
    shown = hpke_pb2.HpkePublicKey(params=suite, public_key=public)
    whole = hpke_pb2.HpkePrivateKey(public_key=shown, private_key=bytes(private.view()))
    opening = keyset(whole, "HpkePrivateKey", tink_pb2.KeyData.ASYMMETRIC_PRIVATE)
    sealing = keyset(shown, "HpkePublicKey", tink_pb2.KeyData.ASYMMETRIC_PUBLIC)
    return opening.primitive(hybrid.HybridDecrypt), sealing.primitive(hybrid.HybridEncrypt)


def place(name: str) -> bytes:
    fields = FIELDS[name]
    return ctx(name, *((*fields[:-1], "deposit") if name == "dek" else fields))


@pytest.mark.parametrize(("name", "kind"), LETTERS)
def test_tink_opens_our_letters_in_their_context_only(name: str, kind: type[Secret]) -> None:
    private, public = pair()
    opening, _ = theirs(private, public)
    secret = kind.fresh()
    letter = deliver(public, place(name), secret)
    assert opening.decrypt(letter[1:], place(name)) == secret.view()
    with pytest.raises(tink.TinkError):
        opening.decrypt(letter[1:], place(name) + b"\0")


@pytest.mark.parametrize(("name", "kind"), LETTERS)
def test_we_open_the_letters_of_tink_in_their_context_only(name: str, kind: type[Secret]) -> None:
    private, public = pair()
    _, sealing = theirs(private, public)
    secret = kind.fresh()
    assert collect(private, place(name), b"\1" + sealing.encrypt(bytes(secret.view()), place(name)), kind) == secret
    with pytest.raises(Damaged):
        collect(private, place(name), b"\1" + sealing.encrypt(bytes(secret.view()), b""), kind)
