"""Opening a data directory: an ambiguous start is refused, and nothing is lost by it."""

from pathlib import Path

import pytest

from keys.custodian import FileCustodian
from tests.conftest import BASE, Clock
from vault.errors import WrongAddress
from vault.vault import open_vault


def test_a_directory_made_for_another_address_is_refused_and_untouched(tmp_path: Path, clock: Clock) -> None:
    custodian = FileCustodian.create(tmp_path / "custodian")
    places = tmp_path / "vault", tmp_path / "shares", custodian
    open_vault(*places, BASE, clock()).close()
    with pytest.raises(WrongAddress, match="localhost:8400"):
        open_vault(*places, "http://localhost:8402", clock())
    open_vault(*places, BASE, clock()).close()
