"""L5b: how long a receipt gets, in a half-year of a million entries whose head two witnesses signed as well."""

from base64 import b64encode
from random import Random
from typing import Final

from keys.merkle import Tree, leaf_hash
from keys.note import checkpoint, proof, sign_note
from keys.sign import new_signer
from keys.text import unb64
from tests.house import ALL_INTERESTS, Household
from tests.proof import figure, rounds
from vault.log import receipts

ENTRIES: Final = 1 << 20
MOST: Final = 2048
WITNESSES: Final = ("witness.stad.example/1", "getuige.provincie.example/2")


async def test_a_receipt_is_short_even_in_a_very_long_log(house: Household) -> None:
    granted, random = await house.grant(ALL_INTERESTS), Random(5)
    kept = []
    for path in ("/api/records?category=pd:Interest", "/pods/an/interests/a.jsonld", "/pods/an/interests/"):
        answer = await house.call("GET", path, granted.access, {"prefer": "receipt"})
        entry, key = int(answer.headers["kluis-entry"]), unb64(answer.headers["kluis-receipt"])
        kept.append(receipts.find(house.vault, "cultuurgids", entry, key))
    tree, origin = Tree(), house.vault.log.ledger.origin
    for number in range(ENTRIES):
        tree.append(leaf_hash(number.to_bytes(4, "big")))
    note = sign_note(checkpoint(origin, ENTRIES, tree.root()), origin, new_signer())
    for name in WITNESSES:  # key id, time and signature: 76 bytes (C2SP tlog-cosignature)
        note += f"\u2014 {name} {b64encode(random.randbytes(76)).decode()}\n"
    many, longest = rounds(100, "L5b"), 0
    for _ in range(many):
        place, one = random.randrange(ENTRIES), random.choice(kept)
        extra = one.opening[:64] + random.randbytes(32) + one.opening[64:]
        longest = max(longest, len(proof(place, tree.inclusion(place, ENTRIES), note, extra).encode()))
    figure("L5b", longest, many)
    assert MOST / 2 < longest <= MOST, longest
