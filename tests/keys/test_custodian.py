import json
import os

import pytest

from keys.context import ctx
from keys.custodian import FileCustodian
from keys.custody import custodian as open_custodian, hang, reach
from keys.errors import Damaged, ExposedCustodian, KeysError, Misuse, NoCustodian
from keys.secret import CustodyKey, ManagedRoot, Secret, Share, StateKey, derive
from keys.text import unb64
from keys.tree import unwrap, wrap
from tests.keys.places import OTHER, POD


@pytest.fixture
def path(tmp_path):
    where = tmp_path / "custodian.json"
    FileCustodian.create(where)
    return where


def key_of(custodian, share, pod=POD):
    return custodian.custody_key(pod, share, custodian.custody_id)


def test_the_file_is_readable_by_its_owner_alone_and_opens_again_the_same(path):
    assert path.stat().st_mode & 0o777 == 0o600
    share = Share.fresh()
    one, two = FileCustodian(path), FileCustodian.open(f"file:{path}")
    assert one.state_key() == two.state_key()
    assert type(one.state_key()) is StateKey
    assert key_of(one, share) == key_of(two, share)
    assert one.custody_id == two.custody_id


def test_a_custody_key_takes_the_custodian_the_pod_and_its_share(path, tmp_path):
    share, custodian = Share.fresh(), FileCustodian(path)
    key = key_of(custodian, share)
    assert type(key) is CustodyKey
    secret = Secret(unb64(json.loads(path.read_text())["custody"]["secret"]))
    assert key == derive(secret, ctx("root", POD, "custody", "mk"), share, CustodyKey)
    root = ManagedRoot.fresh()
    wrapped = wrap(key, ctx("root", POD, "custody", "mk"), root)
    assert unwrap(key_of(custodian, share), ctx("root", POD, "custody", "mk"), wrapped, ManagedRoot) == root
    other = FileCustodian.create(tmp_path / "other.json")
    strangers = (
        key_of(custodian, Share.fresh()),
        key_of(custodian, share, OTHER),
        key_of(other, share),
    )
    for stranger in strangers:
        with pytest.raises(Damaged):
            unwrap(stranger, ctx("root", POD, "custody", "mk"), wrapped, ManagedRoot)


def test_an_existing_custodian_is_never_overwritten(path):
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        FileCustodian.create(path)
    assert path.read_bytes() == before


def test_a_wiped_state_key_leaves_the_custodian_whole(path):
    custodian = FileCustodian(path)
    custodian.state_key().wipe()
    assert custodian.state_key() == FileCustodian(path).state_key()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601])
def test_a_file_that_others_can_touch_is_refused(path, mode):
    path.chmod(mode)
    with pytest.raises(ExposedCustodian):
        FileCustodian(path)


def test_a_missing_file_a_directory_a_link_and_a_pipe_are_refused(path, tmp_path):
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(path)
    os.mkfifo(pipe, 0o600)
    for where in (tmp_path / "none", tmp_path, link, pipe):
        with pytest.raises(NoCustodian):
            FileCustodian(where)


def test_another_scheme_is_refused(path):
    for uri in (str(path), f"pkcs11:{path}", ""):
        with pytest.raises(Misuse):
            FileCustodian.open(uri)


def test_no_file_with_one_changed_byte_gives_other_keys(path):
    whole = path.read_bytes()
    share = Share.fresh()
    good = FileCustodian(path)
    expected = (good.state_key(), key_of(good, share))
    for at in range(len(whole)):
        for value in (whole[at] ^ 1, whole[at] ^ 32):
            path.write_bytes(whole[:at] + bytes([value]) + whole[at + 1 :])
            try:
                found = FileCustodian(path)
            except KeysError:
                continue
            assert (found.state_key(), key_of(found, share)) == expected  # white space, letters of an escape


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b"\xff",
        b'{"format":"kluis/custodian/v2"}',
        b'{"format":"kluis/custodian/v1","state":1}',
    ],
)
def test_a_damaged_file_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(Damaged):
        FileCustodian(path)


def test_keys_that_changed_places_are_refused(path):
    document = json.loads(path.read_text())
    document["state"], document["custody"] = document["custody"], document["state"]
    path.write_text(json.dumps(document))
    with pytest.raises(Damaged):
        FileCustodian(path)


def test_a_new_custody_key_goes_into_use_and_the_old_one_opens_until_it_is_destroyed(path):
    holder, share, root = FileCustodian(path), Share.fresh(), ManagedRoot.fresh()
    old, before = holder.custody_id, hang(holder, POD, share, root)
    state = holder.state_key()
    new = holder.add()
    for one in (holder, FileCustodian(path)):
        assert one.custody_ids == (new, old) and new != old
        after = hang(one, POD, share, root)
        assert after[:16] == new and reach(one, POD, share, after) == reach(one, POD, share, before) == root
        assert one.state_key() == state
    secret = json.loads(path.read_text())["retiring"]["secret"]
    holder.destroy(old)
    for one in (holder, FileCustodian(path)):
        assert one.custody_ids == (new,) and reach(one, POD, share, after) == root
        with pytest.raises(Damaged):
            reach(one, POD, share, before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in path.parent.iterdir()] == [path.name] and secret not in path.read_text()


def test_only_a_retiring_key_is_destroyed_and_only_one_retires(path):
    holder = FileCustodian(path)
    for which in (holder.custody_id, bytes(16)):
        with pytest.raises(Misuse):
            holder.destroy(which)
    holder.add()
    with pytest.raises(Misuse):
        holder.add()
    assert len(FileCustodian(path).custody_ids) == 2


def test_a_crash_before_the_new_file_took_its_place_is_no_obstacle(path):
    path.with_name(path.name + ".new").write_bytes(b"half")
    holder = FileCustodian(path)
    assert holder.add() == FileCustodian(path).custody_id


def test_the_address_says_which_kind_of_custodian_it_is(path):
    assert isinstance(open_custodian(f"file:{path}"), FileCustodian)
    for uri in (str(path), "kms:x", ""):
        with pytest.raises(Misuse):
            open_custodian(uri)
