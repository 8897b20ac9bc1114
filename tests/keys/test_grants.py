from dataclasses import FrozenInstanceError

import pytest

from keys.context import ctx
from keys.errors import Damaged, Misuse, WrongSecret
from keys.grants import (
    Token,
    auth_hash,
    matches,
    new_token,
    read_token,
    unwrap_ck,
    unwrap_gk,
    wrap_ck,
    wrap_gk,
)
from keys.secret import CompartmentKey, GrantKey, Secret, Share
from keys.text import b64
from tests.keys.places import FIELDS, GRANT, HANDLE, OTHER

KINDS = ["kat", "krt", "kac", "kdc", "kss", "kln"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_text_of_a_token_reads_back_as_the_token(kind):
    token = new_token(kind)
    assert token.text.startswith(f"{kind}1_")
    assert len(token.text) == 71
    assert read_token(token.text) == token


GOOD = Token("kat", bytes(16), Secret(bytes(32))).text


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD[:-1],
        GOOD + "A",
        GOOD + "\n",
        " " + GOOD,
        GOOD + "=",
        GOOD.replace(".", "_"),
        GOOD.replace("kat1", "kat2"),
        GOOD.replace("kat1", "kxt1"),
        GOOD.upper(),
        GOOD[:-1] + "B",
        GOOD[:26] + "B" + GOOD[27:],
        GOOD[:-1] + "é",
        GOOD[:-1] + "+",
        "kat1_" + b64(bytes(17)) + "." + b64(bytes(32)),
    ],
)
def test_a_malformed_token_is_refused(text):
    with pytest.raises(WrongSecret):
        read_token(text)


def test_a_token_shows_no_secret_and_cannot_be_changed():
    token = new_token("kat")
    assert b64(token.secret.view()) not in repr(token)
    with pytest.raises(FrozenInstanceError):
        token.kind = "krt"


def test_the_stored_hash_matches_its_secret_alone_and_opens_nothing():
    token, other = new_token("kat"), new_token("kat")
    stored = auth_hash(token.secret)
    assert matches(token.secret, stored)
    assert not matches(other.secret, stored)
    assert not matches(token.secret, stored[:31])
    context = ctx("gk", *FIELDS["gk"])
    with pytest.raises(Damaged):
        unwrap_gk(Secret(stored), context, wrap_gk(token.secret, context, GrantKey.fresh()))


def changed(kind):
    fields = FIELDS[kind]
    for at, field in enumerate(fields):
        other = field + 1 if type(field) is int else field + "x" if type(field) is str else OTHER
        yield ctx(kind, *fields[:at], other, *fields[at + 1 :])


def test_a_grants_key_opens_for_its_token_client_and_dpop_key_alone():
    token, gk, context = new_token("kat"), GrantKey.fresh(), ctx("gk", *FIELDS["gk"])
    wrapped = wrap_gk(token.secret, context, gk)
    assert unwrap_gk(token.secret, context, wrapped) == gk
    with pytest.raises(Damaged):
        unwrap_gk(new_token("kat").secret, context, wrapped)
    for other in changed("gk"):
        with pytest.raises(Damaged):
            unwrap_gk(token.secret, other, wrapped)


def test_a_compartments_key_opens_with_its_share_purpose_and_generation_alone():
    gk, share, ck, context = (
        GrantKey.fresh(),
        Share.fresh(),
        CompartmentKey.fresh(),
        ctx("ck-grant", *FIELDS["ck-grant"]),
    )
    wrapped = wrap_ck(gk, share, context, ck)
    assert unwrap_ck(gk, share, context, wrapped) == ck
    for attempt in ((GrantKey.fresh(), share, context), (gk, Share.fresh(), context)):
        with pytest.raises(Damaged):
            unwrap_ck(*attempt, wrapped)
    for other in changed("ck-grant"):
        with pytest.raises(Damaged):
            unwrap_ck(gk, share, other, wrapped)


def test_a_compartments_key_never_hangs_under_a_tokens_place():
    with pytest.raises(Misuse):
        wrap_ck(GrantKey.fresh(), Share.fresh(), ctx("gk", *FIELDS["gk"]), CompartmentKey.fresh())
    with pytest.raises(Misuse):
        wrap_gk(Secret.fresh(), ctx("session", GRANT, HANDLE, OTHER), GrantKey.fresh())
