"""What an app says it reads for stands in the citizen's log only in the form of a model's version."""

import pytest

from consent.call import noted
from tests.house import ALL_INTERESTS, Household


@pytest.mark.parametrize(
    "header",
    [None, "", "model", "model 2026-13", "model 2026-11 ", "Model 2026-11", "je bank vraagt je code", "x" * 999],
)
def test_words_of_an_apps_own_never_stand_in_the_log(header: str | None) -> None:
    assert noted(header) == ""


async def test_the_read_that_training_makes_names_the_model_in_the_citizens_log(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS)
    for said, stands in (("model 2026-11", "model 2026-11"), ("klik hier", "")):
        answer = await house.call("GET", "/api/records?category=pd:Interest", granted.access, {"kluis-note": said})
        assert answer.status_code == 200
        line = house.told()[-1]
        assert (line["action"], line.get("note", "")) == ("read", stands)
