import hashlib
import hmac

import pytest

from keys.context import ctx
from keys.errors import Damaged, Misuse
from keys.records import RecordSealer, commitment, open_record
from keys.seal import seal
from keys.secret import RecordKey, Share, StateKey, derive
from keys.state import control_key, lookup, names_key, open_column, resource_id, seal_column
from tests.keys.places import FIELDS, GRANT, HANDLE, OTHER, POD

STATE = StateKey.fresh()
ORIGIN = "kluis.test/log/2026h2"


def test_a_column_opens_in_its_own_table_row_and_column_alone():
    sealed = seal_column(STATE, "account", b"row", "name", b"An")
    assert open_column(STATE, "account", b"row", "name", sealed) == b"An"
    for place in (("client", b"row", "name"), ("account", b"rov", "name"), ("account", b"row", "mail")):
        with pytest.raises(Damaged):
            open_column(STATE, *place, sealed)
    with pytest.raises(Damaged):
        open_column(StateKey.fresh(), "account", b"row", "name", sealed)


def test_a_column_reader_opens_no_other_kind_of_thing():
    for kind, fields in FIELDS.items():
        if kind != "state":
            with pytest.raises(Damaged):
                open_column(STATE, "account", b"row", "name", seal(STATE, ctx(kind, *fields), b"content"))


def test_the_control_key_is_gone_with_the_share():
    share = Share.fresh()
    assert control_key(STATE, share, POD) == control_key(STATE, share, POD)
    others = [
        control_key(STATE, Share.fresh(), POD),
        control_key(STATE, share, OTHER),
        control_key(StateKey.fresh(), share, POD),
    ]
    assert all(other != control_key(STATE, share, POD) for other in others)


def test_a_lookup_is_a_keyed_hash_per_domain():
    key = derive(STATE, ctx("lookup", "mail"))
    assert (
        lookup(STATE, "mail", "an@kluis.test") == hmac.new(bytes(key.view()), b"an@kluis.test", hashlib.sha256).digest()
    )
    assert lookup(STATE, "mail", "an") != lookup(STATE, "name", "an")
    assert lookup(STATE, "mail", "an") != lookup(StateKey.fresh(), "mail", "an")


def test_a_resource_id_depends_on_pod_and_path_and_hides_both():
    names = names_key(STATE, POD)
    made = resource_id(names, "/loans/een.jsonld")
    assert made == hmac.new(bytes(names.view()), b"/loans/een.jsonld", hashlib.sha256).digest()[:16]
    assert made != resource_id(names_key(STATE, OTHER), "/loans/een.jsonld")
    assert made != resource_id(names, "/loans/twee.jsonld")


def test_a_record_opens_for_its_own_entry_key_log_and_kind_alone():
    key = RecordKey.fresh()
    sealer = RecordSealer(key, "record", ORIGIN, HANDLE)
    sealed = sealer.seal(GRANT, b"{}")
    assert open_record(key, "record", ORIGIN, HANDLE, GRANT, sealed) == b"{}"
    places = [
        ("dpo-record", ORIGIN, HANDLE, GRANT),
        ("record", "kluis.test/log/2027h1", HANDLE, GRANT),
        ("record", ORIGIN, OTHER, GRANT),
        ("record", ORIGIN, HANDLE, OTHER),
    ]
    for place in places:
        with pytest.raises(Damaged):
            open_record(key, *place, sealed)
    with pytest.raises(Misuse):
        sealer.seal(GRANT[:-1], b"{}")
    sealer.wipe()
    assert sealer.spent
    with pytest.raises(Misuse):
        sealer.seal(GRANT, b"{}")


def test_a_commitment_is_the_hash_of_domain_nonce_and_data():
    nonce = bytes(range(32))
    assert (
        commitment("kluis/pod-record/v1", nonce, b"{}")
        == hashlib.sha256(b"kluis/pod-record/v1" + nonce + b"{}").digest()
    )


@pytest.mark.parametrize("domain", ["", "pod", "kluis/pod/v1x", "kluis/pod/v11", "kluis/pod/v1\n", "kluis//v1"])
def test_a_domain_that_could_begin_another_is_refused(domain):
    with pytest.raises(Misuse):
        commitment(domain, bytes(32), b"{}")


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_commitment_with_a_short_or_long_nonce_is_refused(size):
    with pytest.raises(Misuse):
        commitment("kluis/pod-record/v1", bytes(size), b"{}")
