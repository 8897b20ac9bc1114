"""What the city's officers do, acted out: totals, looking up who was reached, taking a colleague out."""

from tests.log.acts import A, Act, granted, ok
from tests.log.stage import SAME, Stage


def officer_looks(path: str) -> Act:
    async def act(stage: Stage) -> None:
        await stage.begin()
        await ok(stage.office("GET", path))

    return act


async def officer_removes_nobody(stage: Stage) -> None:
    """The officer shows who she is and names a colleague that there is not."""
    await stage.begin()
    cookie, session = stage.officer
    form = {"csrf": session.csrf, "officer": "niemand", "proof": stage.house.officer}
    headers = SAME | {"cookie": f"kluis={cookie}"}
    answer = await ok(stage.house.http.post("/me/security/officers/remove", data=form, headers=headers), 303)
    assert "failed=gone" in answer.headers["location"]


def officer_asks(path: str, status: int = 200, **fields: str) -> Act:
    """The DPO's officer asks who an app reached, after it read in An's pod."""

    async def act(stage: Stage) -> None:
        held = await granted(stage)
        await ok(stage.app("GET", A, held), 200)
        await stage.begin()
        day = stage.house.clock().date().isoformat()
        asked = {"app": "cultuurgids", "since": day, "until": day, "reason": "een lek", "csrf": stage.officer[1].csrf}
        headers = SAME | {"cookie": f"kluis={stage.officer[0]}"}
        await ok(stage.house.http.post(path, data=asked | fields, headers=headers), status)

    return act
