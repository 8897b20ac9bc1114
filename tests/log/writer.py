"""A process that opens the directory in its argument and writes entries for ever, one line a durable entry."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from keys.custodian import FileCustodian
from tests.conftest import BASE
from tests.consent.test_report import READ
from vault.errors import VaultError
from vault.log.entry import Intent
from vault.vault import open_vault

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


async def write(folder: Path) -> None:
    """Write until somebody ends this process."""
    vault = open_vault(
        folder / "vault", folder / "shares", FileCustodian.open(f"file:{folder / 'custodian'}"), BASE, NOW
    )
    sys.stdout.write("open\n")
    while True:
        done = await vault.log.append(Intent(vault.office, READ, NOW))
        sys.stdout.write(f"{done.index}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    try:
        asyncio.run(write(Path(sys.argv[1])))
    except VaultError as error:
        sys.exit(f"{error.code}: {error}")
