"""What apps are told and what they answer, acted out: signals fetched and taken, a copy asked back and signed gone."""

from keys.secret import fresh_bytes
from keys.text import b64
from tests.consent import sample
from tests.house import ALL_INTERESTS
from tests.log.acts import ONGOING, Act, granted, ok, sends
from tests.log.stage import Stage


async def _after_withdrawal(stage: Stage) -> str:
    """The id of a grant that An took back; what comes now is the act."""
    held = await stage.house.grant(ALL_INTERESTS, **ONGOING)
    await stage.house.withdraw(held)
    await stage.begin()
    return b64(held.id)


def asks_deletion(path: str, status: int) -> Act:
    """An asks the app to delete its copy."""

    async def act(stage: Stage) -> None:
        grant = await _after_withdrawal(stage)
        await ok(stage.mine("POST", path.format(grant=grant)), status)

    return act


async def _attests(stage: Stage, grant: str, status: int) -> None:
    said = {"iss": "cultuurgids", "aud": sample.BASE, "sub": grant, "deleted_at": int(stage.house.clock().timestamp())}
    signed = sample.compact({"typ": "kluis-attestation+jwt", "alg": "ES256"}, said, sample.APP_KEY)
    await ok(sends(stage, f"/oauth/grants/{grant}/attest", attestation=signed), status)


async def attests(stage: Stage) -> None:
    await _attests(stage, await _after_withdrawal(stage), 200)


async def attests_alive(stage: Stage) -> None:
    await _attests(stage, b64((await granted(stage)).id), 400)


async def _polls(stage: Stage, *ack: str) -> list[str]:
    at = int(stage.house.clock().timestamp())
    own = sample.assertion(jti=b64(fresh_bytes(12)), iat=at, exp=at + 60)
    shown = {"authorization": f"Bearer {own}"}
    answer = await ok(stage.house.http.post("/oauth/signals", json={"ack": list(ack)}, headers=shown))
    return list(answer.json()["sets"])


async def polls(stage: Stage) -> None:
    await _after_withdrawal(stage)
    assert len(await _polls(stage)) == 1


async def acknowledges(stage: Stage) -> None:
    await _after_withdrawal(stage)
    (jti,) = (await _polls(stage))[-1:]
    await _polls(stage, jti)
