"""One seeded city for all stories; each works on its own copy, under the address the city was made for."""

from pathlib import Path

import pytest

from tests.stories.city import City, free_port


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A freshly seeded city at rest."""
    folder = tmp_path_factory.mktemp("seeded") / "city"
    running = City(folder, free_port())
    assert running.stop() == 0
    return folder
