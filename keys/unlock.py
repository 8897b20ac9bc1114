"""Unlockers: a passphrase or a recovery code becomes a seed, a seed and its share become a pair, the pair opens RK.

There is no password verifier: the derived public key equals the stored one or not, and without the share (which the
writer releases only after a log line) a stolen database gives nothing to guess against. A passkey's PRF output is a
`Seed` as it is.
"""

import re
import unicodedata
from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from keys.context import ctx
from keys.dropbox import collect, deliver, public_of
from keys.errors import Damaged, Misuse, WrongSecret
from keys.secret import Private, Released, Root, Seed, Share, derive, fresh_bytes, hkdf, wipe
from keys.text import b64, unb64

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base32: no I, L, O, U
_READ_AS = str.maketrans("ILO", "110", "- ")
_CODE_BITS = 160
_CHECK_BITS = 20
_LETTERS = (_CODE_BITS + _CHECK_BITS) // 5
_STRETCH = re.compile(r"\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=(\d{1,2})\$([\w-]{22,86})", re.ASCII)


@dataclass(frozen=True)
class Stretch:
    """How a passphrase is stretched: Argon2id (RFC 9106) with these costs. The default is its second choice."""

    salt: bytes
    memory_kib: int = 64 * 1024
    passes: int = 3
    lanes: int = 4

    def __post_init__(self) -> None:
        """Refuse costs that protect nothing or that a stored row could use to exhaust the server. Raises Misuse."""
        costs = 8 * 1024 <= self.memory_kib <= 1024 * 1024 and 1 <= self.passes <= 16 and 1 <= self.lanes <= 16
        if not costs or not 16 <= len(self.salt) <= 64:
            raise Misuse("Argon2id takes 8 MiB to 1 GiB, 1 to 16 passes and lanes, a salt of 16 to 64 bytes")

    @classmethod
    def fresh(cls) -> "Stretch":
        """Take the default costs and a new salt."""
        return cls(fresh_bytes(16))

    @property
    def text(self) -> str:
        """Write the costs and the salt in the shape of a PHC string without a hash."""
        return f"$argon2id$v=19$m={self.memory_kib},t={self.passes},p={self.lanes}${b64(self.salt)}"

    @classmethod
    def read(cls, text: str) -> "Stretch":
        """Read what `text` wrote. Raises Damaged."""
        found = _STRETCH.fullmatch(text)
        if found is None:
            raise Damaged("not stretching costs")
        try:
            return cls(unb64(found[4]), int(found[1]), int(found[2]), int(found[3]))
        except (ValueError, Misuse) as error:
            raise Damaged("not stretching costs") from error


def stretch(passphrase: str, params: Stretch) -> Seed:
    """Stretch a passphrase (NFKC, UTF-8) into a seed; about a quarter of a second and 64 MiB by default."""
    material = bytearray(unicodedata.normalize("NFKC", passphrase).encode(errors="surrogatepass"))
    out = bytearray(32)
    argon = Argon2id(
        salt=params.salt, length=32, iterations=params.passes, lanes=params.lanes, memory_cost=params.memory_kib
    )
    try:
        argon.derive_into(material, out)  # type: ignore[arg-type]  # takes any buffer, its stub lags
    finally:
        wipe(material)
    return Seed.adopt(out)


def new_code() -> str:
    """Make a recovery code: 160 random bits and 20 check bits as nine groups of four letters."""
    code = fresh_bytes(_CODE_BITS // 8)
    number = int.from_bytes(code, "big") << _CHECK_BITS | _check_bits(code)
    letters = "".join(_ALPHABET[number >> 5 * at & 31] for at in reversed(range(_LETTERS)))
    return "-".join(letters[at : at + 4] for at in range(0, _LETTERS, 4))


def read_code(text: str) -> Seed:
    """Read a recovery code as people type it (any case, spaces, O for 0, I or L for 1). Raises WrongSecret."""
    letters = text.upper().translate(_READ_AS)
    if len(letters) != _LETTERS or not set(letters) <= set(_ALPHABET):
        raise WrongSecret("not a recovery code")
    number = 0
    for letter in letters:
        number = number << 5 | _ALPHABET.index(letter)
    code = bytearray((number >> _CHECK_BITS).to_bytes(_CODE_BITS // 8, "big"))
    try:
        if number & (1 << _CHECK_BITS) - 1 != _check_bits(code):
            raise WrongSecret("mistyped recovery code")
        return Seed.adopt(hkdf(code, ctx("code")))
    finally:
        wipe(code)


def prf_salt(host: str) -> bytes:
    """What every passkey of a host is asked for (WebAuthn 10.1.4, PRF): 32 bytes, public, the same for ever.

    It needs no secrecy and no pod: the authenticator answers with a key of its own per passkey, and what it answers
    opens nothing before `unlocker_pair` has bound it to pod, unlocker and share. So the login page can ask for it
    without knowing who is there.
    """
    return sha256(ctx("prf", host)).digest()


def unlocker_pair(seed: Seed, share: Share, pod: bytes, unlocker: bytes, kind: str) -> tuple[Private, bytes]:
    """Make the X25519 pair of an unlocker from its seed and share; compare the public half with the keyring's."""
    private = derive(seed, ctx("unlock", pod, unlocker, kind), share, Private)
    return private, public_of(private)


def lock(public: bytes, pod: bytes, unlocker: bytes, kind: str, root: Root) -> bytes:
    """Seal RK to an unlocker's public key; no secret of the unlocker is needed."""
    return deliver(public, ctx("unlock", pod, unlocker, kind), root)


def unlock(
    seed: Seed, share: Released, pod: bytes, unlocker: bytes, kind: str, public: bytes, sealed: bytes
) -> Root | None:
    """Open RK with what an unlocker gives; None if it does not lead to the public key. Raises Damaged."""
    private, found = unlocker_pair(seed, share, pod, unlocker, kind)
    with private:
        return collect(private, ctx("unlock", pod, unlocker, kind), sealed, Root) if found == public else None


def _check_bits(code: bytes | bytearray) -> int:
    """First 20 bits of a SHA-256: a mistyped code is noticed before anything is tried with it."""
    return int.from_bytes(sha256(b"kluis/code/v1" + code).digest()[:3], "big") >> 4
