"""What a broken disk, a torn file and a second writer leave: nothing acknowledged is lost, nothing half is read."""

import asyncio
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from keys.custodian import FileCustodian
from keys.errors import Damaged
from keys.merkle import verify_consistency
from tests.conftest import BASE, Clock
from tests.consent.test_report import READ
from tests.log.writer import NOW
from tests.proof import rounds
from tests.vault.test_fsck import two_ways_in
from vault import fsck, pod as pods
from vault.errors import Forked, Locked, LogUnavailable, NotFound
from vault.log.entry import Intent
from vault.tables import Checkpoint, Entry
from vault.vault import Vault, open_vault

ROOT = Path(__file__).parents[2]
STRACE = shutil.which("strace")


def opened(folder: Path) -> Vault:
    custodian = FileCustodian.open(f"file:{folder / 'custodian'}")
    return open_vault(folder / "vault", folder / "shares", custodian, BASE, NOW)


@pytest.fixture
async def office(vault: Vault, clock: Clock, tmp_path: Path) -> Path:
    """A closed directory with an office."""
    await pods.found_office(vault, two_ways_in(), clock())
    vault.close()
    return tmp_path


def writer(folder: Path, *before: str) -> subprocess.Popen[str]:
    command = [*before, sys.executable, "-m", "tests.log.writer", str(folder)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.skipif(STRACE is None, reason="strace is not installed: a failing fsync cannot be made here")
async def test_a_disk_that_cannot_make_data_durable_ends_the_process_and_is_not_asked_again(office: Path) -> None:
    inject = (STRACE or "", "-f", "-qq", "-o", str(office / "calls"), "-e", "trace=fsync,fdatasync",
              "-e", "inject=fsync,fdatasync:error=EIO:when=30+")  # fmt: skip
    running = writer(office, *inject)
    told, said = running.communicate(timeout=60)
    acknowledged = [int(line) for line in told.split()[1:]]
    assert running.returncode == os.EX_IOERR and "failed to make data durable" in said
    calls = (office / "calls").read_text().splitlines()
    assert sum("INJECTED" in line for line in calls) == 1
    again = opened(office)
    assert acknowledged and max(acknowledged) < again.log.shards.kept
    again.close()
    assert fsck.check(office / "vault", office / "shares") == []


async def test_a_second_process_on_one_directory_is_refused(office: Path) -> None:
    first = writer(office)
    assert first.stdout is not None and first.stdout.readline() == "open\n"
    told, said = writer(office).communicate(timeout=60)
    assert (told, said.split(":")[0]) == ("", "directory_locked")
    with pytest.raises(Locked):
        opened(office)
    first.kill()
    first.communicate()
    opened(office).close()


async def test_a_head_signed_by_somebody_else_meanwhile_stops_the_writer(vault: Vault, clock: Clock) -> None:
    await pods.found_office(vault, two_ways_in(), clock())
    await vault.publish()
    await vault.log.append(Intent(vault.office, READ, clock()))
    size = vault.log.ledger.size
    await vault.db.write(lambda tx: tx.add(Checkpoint(first=0, size=size + 5, note="another process was here")))
    with pytest.raises(Forked, match=f"signed at {size + 5} entries, after our {size}"):
        await vault.publish()
    assert vault.log.ledger.size == size
    with pytest.raises(LogUnavailable, match="the writer stopped"):
        await vault.log.append(Intent(vault.office, READ, clock()))


async def test_an_entry_written_by_somebody_else_meanwhile_stops_the_writer(vault: Vault, clock: Clock) -> None:
    await pods.found_office(vault, two_ways_in(), clock())
    there = vault.log.shards.kept
    await vault.db.write(lambda tx: tx.add(Entry(idx=there, leaf=b"\1\2other")))
    with pytest.raises(Forked, match="another process writes"):
        await vault.log.append(Intent(vault.office, READ, clock()))
    with pytest.raises(LogUnavailable, match="the writer stopped"):
        await vault.log.append(Intent(vault.office, READ, clock()))


async def test_heads_published_at_once_by_one_process_follow_each_other(vault: Vault, clock: Clock) -> None:
    await pods.found_office(vault, two_ways_in(), clock())
    sizes = await asyncio.gather(*(vault.publish() for _ in range(4)))
    assert set(sizes) == {vault.log.shards.kept}


async def test_a_write_ahead_log_cut_at_any_byte_loses_nothing_acknowledged_and_nothing_half_is_read(
    office: Path, tmp_path: Path
) -> None:
    vault = opened(office)
    folder, tail = tmp_path / "vault", tmp_path / "vault" / "kluis.db-wal"
    vault.db.now(lambda tx: tx.run("PRAGMA wal_autocheckpoint = 0"))
    acknowledged = [(0, vault.log.shards.kept)]  # how long the file was, how many entries were then acknowledged
    for _ in range(12):
        for _ in range(3):
            await vault.log.append(Intent(vault.office, READ, NOW))
        await vault.publish()
        acknowledged.append((tail.stat().st_size, vault.log.shards.kept))
    whole = tail.read_bytes()
    cuts = [*(size for size, _ in acknowledged), *random.Random(4).sample(range(len(whole)), rounds(25))]
    for number, cut in enumerate(cuts):
        copy = tmp_path / f"cut{number}"
        shutil.copytree(folder, copy / "vault", ignore=shutil.ignore_patterns("*-shm", "lock", "reserve"))
        shutil.copytree(tmp_path / "shares", copy / "shares")
        shutil.copy(tmp_path / "custodian", copy / "custodian")
        (copy / "vault" / "kluis.db-wal").write_bytes(whole[:cut])
        again = opened(copy)
        due = max(entries for size, entries in acknowledged if size <= cut)
        assert again.log.shards.kept >= due
        again.close()
        assert fsck.check(copy / "vault", copy / "shares") == []
        shutil.rmtree(copy)
    vault.close()


async def test_what_was_synced_and_is_gone_all_the_same_is_missed_by_whoever_kept_a_head(
    office: Path, tmp_path: Path
) -> None:
    """A disk that loses what it called durable: no directory can know that by itself, every head kept elsewhere can."""
    vault = opened(office)
    tail = tmp_path / "vault" / "kluis.db-wal"
    vault.db.now(lambda tx: tx.run("PRAGMA wal_autocheckpoint = 0"))
    await vault.publish()
    synced, kept = tail.stat().st_size, vault.log.shards.kept
    for _ in range(3):
        await vault.log.append(Intent(vault.office, READ, NOW))
    await vault.publish()
    size, root = vault.log.ledger.size, vault.log.ledger.tree.root()
    copy = tmp_path / "cut"
    shutil.copytree(tmp_path / "vault", copy / "vault", ignore=shutil.ignore_patterns("*-shm", "lock", "reserve"))
    shutil.copytree(tmp_path / "shares", copy / "shares")
    shutil.copy(tmp_path / "custodian", copy / "custodian")
    (copy / "vault" / "kluis.db-wal").write_bytes(tail.read_bytes()[:synced])
    again = opened(copy)
    assert (again.log.shards.kept, fsck.check(copy / "vault", copy / "shares")) == (kept, [])
    with pytest.raises(NotFound):
        again.log.ledger.consistency(size, again.log.ledger.size)  # smaller than what was published
    for _ in range(5):
        await again.log.append(Intent(again.office, READ, NOW))
    await again.publish()
    grown = again.log.ledger
    with pytest.raises(Damaged):  # and when it is longer again, it is another log
        verify_consistency(size, grown.size, grown.consistency(size, grown.size), root, grown.tree.root())
    again.close()
    vault.close()
