"""Runs killed at one place after the other: the next goes on, and who was left alone says what has happened."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from conftest import Lake
from strata import places
from strata.dbt_run import of_subject
from test_purchases import ANY, VERSION, expected, land, random_days, strata
from test_run import DBT, environment_in, rows_of, run, unmade


class Killed(NamedTuple):
    """A folder with a lake in which builds were killed, what the last said, and the whole build that followed."""

    folder: Path
    said: str
    done: subprocess.CompletedProcess


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    """Builds killed while they made a table, the last by the end of its Java.

    Before the first lay there what a killed run leaves of a table of its own, and of somebody's.
    """
    folder = tmp_path_factory.mktemp("killed")
    for table in ("loaded_files", "somebodys"):
        unmade(folder / "lake" / "warehouse" / "raw.db" / table)
    (folder / "landing" / "events").mkdir(parents=True)
    (folder / "landing" / "events" / "a.csv").write_text("time,action\n2026-01-01T10:00:00Z,Open\n")
    # Quick alone in what a kill does not touch: metastore and log are as people have them.
    environment = environment_in(folder)
    command = [DBT, "-q", "build", "--exclude-resource-type", "unit_test", "test", "--select", "+action_windows"]
    for table in ("raw.db/events", "stage.db/events", "mart.db/action_windows"):
        process = subprocess.Popen(command, cwd=places.ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        made = folder / "lake" / "warehouse" / table
        while not made.exists():
            assert process.poll() is None or made.exists(), f"the run ended before {table}"
            time.sleep(0.01)
        victim = process
        if table == "mart.db/action_windows":
            (victim,) = (child for child in psutil.Process(process.pid).children() if child.name() == "java")
        victim.send_signal(signal.SIGKILL)
        said, _ = process.communicate()
    done = run(folder, "build", "--exclude-resource-type", "unit_test", "--select", *of_subject("events"))
    return Killed(folder, said, done)


def test_a_run_whose_java_has_died_says_so_and_what_to_do(killed: Killed) -> None:
    lines = [line.strip() for line in killed.said.splitlines() if line.strip()]
    ended = (
        "Spark's Java has ended by signal 9; what is left is skipped, and nothing is half-written: where "
        f"{places.logs() / 'spark.log'} does not say why, the machine may have been short of memory; run the same "
        "command again"
    )
    assert ended in lines
    # Of each node that ran at that moment its name, and this.
    assert not [line for line in lines if re.search(r"java\.|py4j|Errno|Traceback", line)]


def test_a_run_killed_anywhere_is_made_good_by_the_next(killed: Killed) -> None:
    assert killed.done.returncode == 0, killed.done.stdout
    assert rows_of(killed.folder, "mart", "action_windows", "window_start", "open_count") == [
        {"window_start": datetime(2026, 1, 1, 10), "open_count": 1}
    ]


def test_a_run_sweeps_the_places_of_its_own_tables_alone(killed: Killed) -> None:
    raw = killed.folder / "lake" / "warehouse" / "raw.db"
    assert len(list((raw / "somebodys").rglob("*.parquet"))) == 3
    assert list((raw / "loaded_files").glob("_delta_log/*.json"))
    assert not list((raw / "loaded_files").glob("_temporary"))


def test_a_lake_whose_metastore_is_gone_goes_on(killed: Killed, tmp_path: Path) -> None:
    shutil.copytree(killed.folder, tmp_path, dirs_exist_ok=True)
    log = tmp_path / "lake" / "warehouse" / "stage.db" / "events" / "_delta_log"
    commits = {path.name: path.read_text() for path in log.glob("*.json")}
    shutil.rmtree(tmp_path / "lake" / "metastore")
    (tmp_path / "lake" / "warehouse" / "mart.db" / "action_windows" / "_delta_log" / "notes.txt").write_text("mine")
    shutil.rmtree(tmp_path / "lake" / "warehouse" / "mart.db" / "action_totals")
    (tmp_path / "landing" / "events" / "b.csv").write_text("time,action\n2026-01-01T10:05:00Z,Open\n")
    done = run(tmp_path, "run", "--select", "+action_windows", "action_totals")
    assert done.returncode == 0, done.stdout
    assert "The metastore did not know the table stage.events, which lies in the lake: it knows it now." in done.stdout
    after = {path.name: path.read_text() for path in log.glob("*.json")}
    assert commits.items() < after.items(), "its versions are kept"
    assert rows_of(tmp_path, "mart", "action_windows", "open_count") == [{"open_count": 2}]
    assert sum(row["event_count"] for row in rows_of(tmp_path, "mart", "action_totals", "event_count")) == 2


def commits(folder: Path) -> int:
    return len(list((folder / "lake/warehouse/stage.db/purchases/_delta_log").glob("*.json")))


def test_a_run_killed_in_the_middle_is_gone_on_with_by_the_next(lake: Lake, tmp_path: Path) -> None:
    days = random_days(3, 5, 50)
    land(Lake(tmp_path), days)
    variables = ("--vars", str(ANY))
    for command, more in ((("catch-up",), 5), (("replay", "--from", str(sorted(days)[0])), 4)):
        before = commits(tmp_path)
        process = strata(tmp_path, *command, *variables)
        while commits(tmp_path) < before + more:
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        if command[0] == "catch-up":
            # Held where it is, however long the second takes to start.
            process.send_signal(signal.SIGSTOP)
            second = strata(tmp_path, "catch-up", *variables)
            said, error = second.communicate()
            assert second.returncode == 1, said
            assert f"Another run holds the lake {tmp_path / 'lake'}: process {process.pid} (strata " in error
        process.send_signal(signal.SIGKILL)
        process.wait()
    last = strata(tmp_path, "catch-up", *variables)
    said, error = last.communicate()
    assert last.returncode == 0, error
    assert "0 days left." in said
    assert error == ""
    assert "SQL status" in (tmp_path / "logs" / "dbt.log").read_text()
    own = lake.rows(f"select {VERSION} from delta.`{tmp_path}/lake/warehouse/stage.db/purchases` order by 1, version")
    assert own == expected(days)
