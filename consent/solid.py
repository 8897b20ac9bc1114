"""JWTs under a grant of kind `solid`, and a person's own credentials for plain Solid programs (Solid-OIDC).

They reach managed compartments only, so no key is wrapped: the gate row is read on every request, and a withdrawal
bites at the next one.
"""

from dataclasses import dataclass
from datetime import datetime

from consent import clients, events, period, signed
from consent.asks import Shown, replayed
from consent.errors import OAuthError
from consent.grants import GrantFacts, load, put_grant
from consent.lines import told
from consent.oauth.clients import CREDENTIALS, Client, secret_hash
from consent.oauth.registration import clean_name
from consent.oauth.tokens import LIFETIME, SolidToken, make_token
from consent.request import LONGEST, solid
from consent.terms import SOLID_MODES
from keys.secret import fresh_bytes
from keys.text import b64, unb64
from vault import gates
from vault.database import Tx
from vault.errors import Conflict
from vault.log.entry import Intent, Refused
from vault.managed import managed_root, signer, unchanged
from vault.vault import PodFacts, Vault


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the person is shown once. Only a hash of the secret is kept."""

    client_id: str
    client_secret: str
    grant: bytes


async def credentials(vault: Vault, pod: PodFacts, webid: str, name: str, now: datetime) -> Credentials:
    """Make client credentials bound to the WebID that owns this pod: everything managed, all modes, and elsewhere.

    They end after 12 months or when she withdraws the grant. Raises Conflict, "changed" if all locks were meanwhile.
    """
    grant, secret, at = fresh_bytes(16), b64(fresh_bytes(32)), gates.ms(now)
    client = Client(
        client_id=CREDENTIALS + b64(grant),
        name=clean_name(name),
        controller=webid,
        kind="solid",
        secret_hash=secret_hash(secret),
        webid=webid,
    )
    until = gates.ms(period.read(LONGEST).after(now))
    terms = solid(client, pod.name, ("/",), SOLID_MODES, until, elsewhere=True)

    asked = told(terms, grant, "managed unlock", "sign", "own")
    async with managed_root(vault, pod, asked, (), now) as managed:
        with signer(vault, pod, managed) as msign:
            row = signed.row(pod, grant, 1, at, terms, msign)

    def write(tx: Tx) -> None:
        unchanged(tx, pod)
        clients.put(vault, tx, client)
        put_grant(tx, row, terms)
        events.note(tx, pod, grant, at, "given", {"by": webid})

    done = await vault.log.append(Intent(pod.id, told(terms, grant, "consent", "give", "own"), now, write=write))
    if isinstance(done, Refused):
        raise Conflict(done.reason)
    return Credentials(client.client_id, secret, grant)


async def token(vault: Vault, client: Client, shown: Shown, now: datetime) -> tuple[str, int]:
    """An access token for the owner of the credentials, bound to her DPoP key, and its life in seconds.

    Raises OAuthError invalid_grant if the grant ended, or if the proof was used before.
    """
    grant = load(vault, _grant_of(client))
    if grant is None or grant.terms.client != client.client_id:
        raise OAuthError("invalid_grant", "No grant stands behind these credentials.")
    facts = told(grant.terms, grant.id, "key event", "token", "grant", agent=client.webid)
    intent = Intent(grant.pod.id, facts, now, guards=(grant.guard,), write=shown.remember)
    done = await vault.log.append(intent)
    if isinstance(done, Refused):
        raise replayed(done.reason) or OAuthError("invalid_grant", "The grant has ended.")
    return access(vault, grant, client.webid, shown.proof.jkt, now)


def access(vault: Vault, grant: GrantFacts, webid: str, jkt: str, now: datetime) -> tuple[str, int]:
    """The JWT under a grant, for the person and the DPoP key, and its life in seconds: at most the grant's own."""
    iat = int(now.timestamp())
    seconds = max(1, min(LIFETIME, grant.terms.expires // 1000 - iat))
    said = SolidToken(
        iss=vault.base,
        webid=webid,
        client_id=grant.terms.client,
        iat=iat,
        exp=iat + seconds,
        jkt=jkt,
        jti=b64(fresh_bytes(16)),
        grant_id=b64(grant.id),
        epoch=grant.epoch,
    )
    return make_token(said, vault.issuer), seconds


def _grant_of(client: Client) -> bytes:
    if client.kind != "solid" or not client.client_id.startswith(CREDENTIALS):
        raise OAuthError("unauthorized_client", "This client has no credentials of a person.")
    return unb64(client.client_id.removeprefix(CREDENTIALS))
