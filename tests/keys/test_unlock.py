import pytest

from keys.context import ctx
from keys.dropbox import collect
from keys.errors import Damaged, Misuse, WrongSecret
from keys.secret import Released, Root, Seed, Share
from keys.unlock import Stretch, lock, new_code, read_code, stretch, unlock, unlocker_pair
from tests.keys.places import HANDLE, OTHER, POD

QUICK = Stretch(b"salt" * 4, memory_kib=8 * 1024, passes=1, lanes=1)


def test_the_right_passphrase_with_its_share_opens_the_root():
    share, root = Share.fresh(), Root.fresh()
    _, public = unlocker_pair(stretch("een lange zin", QUICK), share, POD, HANDLE, "passphrase")
    sealed = lock(public, POD, HANDLE, "passphrase", root)
    released, here = Released(share.view(), 1), (POD, HANDLE, "passphrase", public, sealed)
    assert unlock(stretch("een lange zin", QUICK), released, *here) == root
    assert unlock(stretch("een korte zin", QUICK), released, *here) is None
    assert unlock(stretch("een lange zin", QUICK), Released(bytes(32), 1), *here) is None


def test_another_seed_share_pod_unlocker_or_kind_gives_another_public_key():
    seed, share = Seed.fresh(), Share.fresh()
    variants = [
        (seed, share, POD, HANDLE, "passphrase"),
        (Seed.fresh(), share, POD, HANDLE, "passphrase"),
        (seed, Share.fresh(), POD, HANDLE, "passphrase"),
        (seed, share, OTHER, HANDLE, "passphrase"),
        (seed, share, POD, OTHER, "passphrase"),
        (seed, share, POD, HANDLE, "passkey"),
    ]
    assert len({unlocker_pair(*variant)[1] for variant in variants}) == len(variants)


def test_a_root_sealed_to_one_unlocker_never_opens_as_another():
    private, public = unlocker_pair(Seed.fresh(), Share.fresh(), POD, HANDLE, "passkey")
    sealed = lock(public, POD, HANDLE, "passkey", Root.fresh())
    for place in ((OTHER, HANDLE, "passkey"), (POD, OTHER, "passkey"), (POD, HANDLE, "passphrase")):
        with pytest.raises(Damaged):
            collect(private, ctx("unlock", *place), sealed, Root)


def test_salt_costs_and_passphrase_all_change_the_seed():
    seeds = [
        stretch("zin", QUICK),
        stretch("Zin", QUICK),
        stretch("zin", Stretch(b"tlas" * 4, 8 * 1024, 1, 1)),
        stretch("zin", Stretch(QUICK.salt, 8 * 1024, 2, 1)),
        stretch("zin", Stretch(QUICK.salt, 8 * 1024, 1, 2)),
        stretch("zin", Stretch(QUICK.salt, 16 * 1024, 1, 1)),
    ]
    assert len({bytes(seed.view()) for seed in seeds}) == len(seeds)


def test_a_passphrase_typed_on_another_keyboard_is_the_same():
    assert stretch("cafe\u0301 ﬁn", QUICK) == stretch("caf\u00e9 fin", QUICK)


def test_half_a_letter_in_a_passphrase_is_a_passphrase_like_any_other():
    assert stretch("a\ud800", QUICK) != stretch("a", QUICK)


def test_the_default_costs_are_the_second_choice_of_rfc_9106():
    fresh = Stretch.fresh()
    assert (fresh.memory_kib, fresh.passes, fresh.lanes, len(fresh.salt)) == (65536, 3, 4, 16)
    assert fresh.salt != Stretch.fresh().salt


def test_the_costs_survive_being_written_and_read():
    assert Stretch.read(QUICK.text) == QUICK
    assert QUICK.text.startswith("$argon2id$v=19$m=8192,t=1,p=1$")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "$argon2i$v=19$m=65536,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=1024,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=9999999,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=65536,t=0,p=4$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=65536,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAB",
        "$argon2id$v=19$m=65536,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA\n",
    ],
    ids=["empty", "other algorithm", "too cheap", "too dear", "no pass", "not canonical", "newline"],
)
def test_costs_that_protect_nothing_or_exhaust_the_server_are_refused(text):
    with pytest.raises(Damaged):
        Stretch.read(text)


def test_a_short_salt_is_refused():
    with pytest.raises(Misuse):
        Stretch(b"short")


def test_a_recovery_code_reads_as_people_type_it():
    code = new_code()
    assert [len(group) for group in code.split("-")] == [4] * 9
    seed = read_code(code)
    for typed in (
        code.lower(),
        code.replace("-", " "),
        code.replace("-", ""),
        code.replace("0", "o").replace("1", "l"),
    ):
        assert read_code(typed) == seed


def test_two_codes_give_two_seeds():
    assert len({bytes(read_code(new_code()).view()) for _ in range(50)}) == 50


def test_a_mistyped_letter_or_two_swapped_ones_are_noticed():
    code = new_code()
    wrong = 0
    for at, letter in enumerate(code):
        if letter == "-":
            continue
        other = "7" if letter != "7" else "8"
        with pytest.raises(WrongSecret):
            read_code(code[:at] + other + code[at + 1 :])
        wrong += 1
    assert wrong == 36


@pytest.mark.parametrize("text", ["", "ABCD", "U" * 36, "0" * 35, "0" * 37, "é" * 36, "0" * 36])
def test_what_is_no_recovery_code_is_refused(text):
    with pytest.raises(WrongSecret):
        read_code(text)
