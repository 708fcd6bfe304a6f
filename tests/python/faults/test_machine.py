"""A machine that fails: a full disk, little memory, no rights, a wrong clock; what follows ends in the right rows."""

from __future__ import annotations

import functools
import os
import random
import shutil
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from machines import SEED, amiss, build, held, land_events, land_purchases, land_sensors, run, start
from strata import java

# Lands a day of a source.
LAND: dict[str, Callable[[Path, int], None]] = {
    "events": land_events,
    "fleet_sensors": lambda folder, day: land_sensors(folder, day, 5 + day),
    "purchases": lambda folder, day: land_purchases(folder, day, 1),
}


@dataclass
class TwoDays:
    """A folder with a first day of a source, built, and the rows of its lake after an undisturbed second one."""

    source: str
    folder: Path
    rows: dict

    def begin(self, folder: Path) -> None:
        """Copy the first day into a folder, and land the second one there."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        LAND[self.source](folder, 1)

    def end(self, folder: Path) -> None:
        """Build there as if nothing had happened; all must then be as after two days that nothing disturbs."""
        run(folder, *build(self.source))
        assert held(folder) == self.rows
        assert amiss(folder) == []


@pytest.fixture(scope="module")
def days_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], TwoDays]:
    @functools.cache
    def days(source: str) -> TwoDays:
        folder = tmp_path_factory.mktemp("days")
        LAND[source](folder / "first", 0)
        run(folder / "first", *build(source))
        shutil.copytree(folder / "first", folder / "both")
        LAND[source](folder / "both", 1)
        run(folder / "both", *build(source))
        return TwoDays(source, folder / "first", held(folder / "both"))

    return days


@pytest.fixture
def days(days_of: Callable[[str], TwoDays]) -> TwoDays:
    return days_of("events")


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
    days: TwoDays, disk: Path, number: int
) -> None:
    chance = random.Random(f"{SEED} disk {number}")
    days.begin(disk)
    begun = len(list((disk / "lake" / "runs").iterdir()))
    process = start(disk, *build("events"))
    while len(list((disk / "lake" / "runs").iterdir())) == begun:
        assert process.poll() is None
        time.sleep(0.02)
    # The first one finds it full when it opens the metastore.
    time.sleep(15 * chance.random() if number else 0)
    with open(disk / "lake" / "filler", "wb", buffering=0) as filler:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    filler.write(bytes(size))
            except OSError:
                continue
    said, _ = process.communicate(timeout=300)
    assert process.returncode != 0 or number
    if process.returncode != 0:
        assert "Traceback" not in said
        assert "free, less than the 200 MB that a run needs at least: free some" in " ".join(said.split()), said[-3000:]
    (disk / "lake" / "filler").unlink()
    days.end(disk)


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
def test_too_little_memory_is_said_and_changes_nothing(days: TwoDays, tmp_path: Path, memory: str) -> None:
    days.begin(tmp_path)
    before = held(tmp_path)
    process = start(tmp_path, *build("events"), STRATA_SPARK_SETTINGS=f"spark.driver.memory={memory}")
    said, _ = process.communicate()
    assert "Traceback" not in said
    if process.returncode != 0:
        assert os.path.getsize(tmp_path / "logs" / "dbt.log")
        assert held(tmp_path).keys() >= before.keys()
    days.end(tmp_path)


# --- rights -----------------------------------------------------------------------------------------------------------

# Root passes over rights by these two capabilities, and is a user like any other without them.
LIKE_ANY_USER = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")


def refused(folder: Path) -> str:
    """Run a build like any user, which must fail; return what it says, without line breaks."""
    process = start(folder, *build("events"), under=LIKE_ANY_USER)
    said, _ = process.communicate()
    assert process.returncode != 0, said
    assert "Traceback" not in said
    assert "Exception" not in said
    return " ".join(said.split())


@pytest.mark.parametrize(
    ("closed", "rights"),
    [
        ("landing/events/2025/01/06/events.csv", 0),
        ("landing/events/2025/01/06", 0),
        ("lake", 0o500),
        ("lake/metastore", 0o500),
        ("lake/warehouse/raw.db/events", 0o500),
        ("lake/warehouse/stage.db/events/_delta_log", 0o500),
        ("lake/warehouse/stage.db/events/_delta_log", 0),
        ("lake/warehouse/mart.db", 0),
    ],
)
def test_what_a_user_has_no_rights_to_is_named_and_nothing_is_lost(
    days: TwoDays, tmp_path: Path, closed: str, rights: int
) -> None:
    days.begin(tmp_path)
    before = stat.S_IMODE((tmp_path / closed).stat().st_mode)
    (tmp_path / closed).chmod(rights)
    try:
        said = refused(tmp_path)
    finally:
        (tmp_path / closed).chmod(before)
    assert closed.removeprefix("landing/") in said
    days.end(tmp_path)


def test_what_only_reads_needs_no_rights_to_write_a_table(days: TwoDays, tmp_path: Path) -> None:
    days.begin(tmp_path)
    table = tmp_path / "lake/warehouse/stage.db/events"
    table.chmod(0o500)
    process = start(
        tmp_path, "dbt", "show", "--inline", "select count(*) as n from stage.events", under=LIKE_ANY_USER
    )  # fmt: skip
    said, _ = process.communicate()
    table.chmod(0o700)
    assert process.returncode == 0, said
    days.end(tmp_path)


def test_a_lake_that_can_only_be_read_is_named_and_stays_as_it_is(days: TwoDays, disk: Path) -> None:
    days.begin(disk)
    before = held(disk)
    subprocess.run(["mount", "-o", "remount,ro", disk / "lake"], check=True)
    try:
        assert f"The folder {disk / 'lake'} of the lake cannot be written" in refused(disk)
    finally:
        subprocess.run(["mount", "-o", "remount,rw", disk / "lake"], check=True)
    assert held(disk) == before
    days.end(disk)


# --- the clock --------------------------------------------------------------------------------------------------------


@pytest.fixture
def java_home(tmp_path: Path) -> str:
    """A Java whose waiting goes by the true clock: by a false one it never ends."""
    started = tmp_path / "java" / "bin" / "java"
    started.parent.mkdir(parents=True)
    true_waits = "FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_FORCE_MONOTONIC_FIX=0"
    started.write_text(f'#!/bin/sh\n{true_waits} exec {java.path()} "$@"\n')
    started.chmod(0o755)
    return str(started.parent.parent)


@pytest.mark.parametrize("source", LAND)
@pytest.mark.parametrize("clocks", [(0, -365, 0), (-365, 0, -365)], ids=["set back", "set forward"])
def test_a_clock_that_is_a_year_off_changes_no_rows(
    days_of: Callable[[str], TwoDays], tmp_path: Path, java_home: str, source: str, clocks: tuple[int, ...]
) -> None:
    """A first day, a second one by a clock that is a year off, and a third run by the first clock again."""
    for number, days in enumerate(clocks):
        if number < 2:
            LAND[source](tmp_path, number)
        before = time.time()
        process = start(
            tmp_path, *build(source), under=("faketime", "-f", f"{days:+}d"), JAVA_HOME=java_home, NO_FAKE_STAT="1"
        )  # fmt: skip
        said, _ = process.communicate()
        assert process.returncode == 0, said
        # The files that it has written are as old as that clock says.
        for path in (tmp_path / "lake").rglob("*"):
            if path.lstat().st_mtime >= before and not path.is_symlink():
                changed = path.stat().st_mtime + days * 24 * 3600
                os.utime(path, (changed, changed))
    assert held(tmp_path) == days_of(source).rows
    assert amiss(tmp_path) == []
