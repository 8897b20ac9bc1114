"""Every pair of key types at every place of the tree: what the table does not name does not exist."""

from itertools import product

import pytest

from keys import secret
from keys.context import KINDS, ctx, place
from keys.dropbox import LETTERS, deliver, pair
from keys.errors import Damaged, Misuse
from keys.secret import CompartmentKey, CustodyKey, DataKey, ManagedRoot, Released, Root, Secret
from keys.tree import EDGES, unwrap, wrap
from tests.keys.places import FIELDS, GRANT, OTHER, PART, POD, RESOURCE

TYPES = [kind for kind in vars(secret).values() if isinstance(kind, type) and issubclass(kind, Secret)]
ROOTS = [
    ctx("root", POD, parent, child)
    for parent, child in product(("rk", "mk", "custody"), ("identity", "log", "mk", "msign"))
]
CUSTODIES = [ctx("ck", POD, custody, PART, 1) for custody in ("sealed", "managed", "pair")]
FORMS = [ctx("dek", POD, PART, 1, RESOURCE, 1, form) for form in ("own", "deposit")]
REST = [ctx(kind, *FIELDS[kind]) for kind in KINDS if kind not in {"root", "ck", "dek"}]
PLACES = ROOTS + CUSTODIES + FORMS + REST
BY_PLACE = {place(context): context for context in PLACES}


def made(kind):
    """One of a type; a released share alone is never made without the entry that released it."""
    return kind(bytes(32), 1) if kind is Released else kind.fresh()


def test_every_pair_of_types_wraps_only_where_the_table_says():
    assert len(TYPES) == 16
    wraps = set()
    for context, parent, child in product(PLACES, TYPES, TYPES):
        try:
            wrapped = wrap(made(parent), context, made(child))
        except Misuse:
            with pytest.raises(Misuse):
                unwrap(made(parent), context, bytes(105), child)
        else:
            assert len(wrapped) == 105
            wraps.add((place(context), parent, child))
    assert wraps == EDGES


def test_the_custody_key_wraps_a_managed_root_and_nothing_else():
    assert {(where, child) for where, parent, child in EDGES if parent is CustodyKey} == {
        (("root", "custody", "mk"), ManagedRoot)
    }


def test_no_path_leads_from_the_custodian_to_a_root_or_a_sealed_compartment():
    reached, places = {CustodyKey}, set()
    while True:
        steps = {(where, child) for where, parent, child in EDGES if parent in reached}
        if {child for _, child in steps} <= reached:
            break
        reached |= {child for _, child in steps}
        places |= {where for where, _ in steps}
    assert Root not in reached
    # Custody of a compartment is bound by its context: a managed root opens managed ones only.
    assert {where for where, parent, _ in EDGES if parent is ManagedRoot} == {
        ("root", "mk", "msign"),
        ("ck", "managed"),
    }
    assert ("ck", "sealed") not in places


def test_only_four_kinds_of_secret_travel_by_letter():
    _, public = pair()
    sent = set()
    for context, kind in product(PLACES, TYPES):
        try:
            deliver(public, context, made(kind))
        except Misuse:
            continue
        sent.add((place(context), kind))
    assert sent == LETTERS


@pytest.mark.parametrize("edge", sorted(EDGES, key=str), ids=lambda edge: "/".join(edge[0]) + f" {edge[2].__name__}")
def test_a_wrapped_key_opens_as_itself(edge):
    where, parent, child = edge
    context, above, below = BY_PLACE[where], parent.fresh(), child.fresh()
    opened = unwrap(above, context, wrap(above, context, below), child)
    assert opened == below
    assert type(opened) is child


def test_a_wrapped_key_opens_neither_under_another_parent_nor_at_another_place():
    key, data = CompartmentKey.fresh(), DataKey.fresh()
    here = (POD, PART, 1, RESOURCE, 1, "own")
    wrapped = wrap(key, ctx("dek", *here), data)
    with pytest.raises(Damaged):
        unwrap(CompartmentKey.fresh(), ctx("dek", *here), wrapped, DataKey)
    for at, other in enumerate((OTHER, GRANT, 2, GRANT, 2)):
        with pytest.raises(Damaged):
            unwrap(key, ctx("dek", *here[:at], other, *here[at + 1 :]), wrapped, DataKey)
