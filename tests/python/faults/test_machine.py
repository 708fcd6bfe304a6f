"""A machine that fails: a full disk, too little memory; what follows ends in the right rows."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from machines import SEED, amiss, build, held, land_events, run, start


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The rows of two days that nothing disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    for day in range(2):
        land_events(folder, day)
        run(folder, *build("events"))
    return held(folder)


def refusal(said: str) -> list[str]:
    """Return the lines of dbt's that say what went wrong."""
    return [line for line in said.splitlines() if "No space left" in line or "free, less than" in line]


# --- a disk that is full ----------------------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder whose lake is a small file system of its own."""
    folder = tmp_path / "disk" / "lake"
    folder.mkdir(parents=True)
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=500m", "tmpfs", folder], capture_output=True, text=True)
    assert made.returncode == 0, f"No file system can be mounted here ({made.stderr}): run it as root."
    yield folder.parent
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize("number", range(6))
def test_a_run_whose_disk_is_full_changes_nothing_and_the_next_one_ends_it(
    undisturbed: dict, disk: Path, number: int
) -> None:
    chance = random.Random(f"{SEED} disk {number}")
    land_events(disk, 0)
    run(disk, *build("events"))
    land_events(disk, 1)
    begun = len(list((disk / "lake" / "runs").iterdir()))
    process = start(disk, *build("events"))
    while len(list((disk / "lake" / "runs").iterdir())) == begun:
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(chance.random() * 15)
    with open(disk / "lake" / "filler", "wb", buffering=0) as filler:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    filler.write(bytes(size))
            except OSError:
                continue
    said, _ = process.communicate()
    if process.returncode != 0:
        assert "Traceback" not in said
        assert refusal(said), said[-3000:]
    (disk / "lake" / "filler").unlink()
    run(disk, *build("events"))
    assert held(disk) == undisturbed
    assert amiss(disk) == []


def test_a_disk_that_is_full_before_a_run_refuses_it(disk: Path) -> None:
    land_events(disk, 0)
    with open(disk / "lake" / "filler", "wb") as filler:
        filler.write(bytes(350 << 20))
    process = start(disk, *build("events"))
    said, _ = process.communicate()
    assert process.returncode != 0
    assert "free, less than the 200 MB that a run needs at least: free some" in " ".join(said.split())
    assert not (disk / "lake" / "warehouse").exists()


# --- memory -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("memory", ["8m", "200m", "480m"])
def test_too_little_memory_is_said_and_changes_nothing(
    undisturbed: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: str
) -> None:
    land_events(tmp_path, 0)
    run(tmp_path, *build("events"))
    land_events(tmp_path, 1)
    before = held(tmp_path)
    with monkeypatch.context() as patch:
        patch.setenv("STRATA_SPARK_SETTINGS", f"spark.driver.memory={memory}")
        process = start(tmp_path, *build("events"))
        said, _ = process.communicate()
    assert "Traceback" not in said
    if process.returncode != 0:
        assert os.path.getsize(tmp_path / "logs" / "dbt.log")
        assert held(tmp_path).keys() >= before.keys()
    run(tmp_path, *build("events"))
    assert held(tmp_path) == undisturbed
    assert amiss(tmp_path) == []
