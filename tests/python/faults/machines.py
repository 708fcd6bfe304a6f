"""What the tests of faults share: commands in processes of their own, what lands, and what is then in a lake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from strata import delta_files, inspection, lake, places, rollback, samples
from strata.dbt_run import of_subject

# What chance begins with: a failure says it.
SEED = int(os.environ.get("KILL_SEED", 1))
BINARIES = Path(sys.executable).parent
# More than a year ago: a clock is set back by one.
FIRST = datetime(2025, 1, 5, tzinfo=UTC)
# When something was done and by what, and not what.
CLOCKS = ("loaded_at", "noticed_at", "taken_at", "changed_at", "table_version")


def environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "STRATA_LAKE": str(folder / "lake"),
        "STRATA_LANDING": str(folder / "landing"),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }


def start(folder: Path, *command: str, under: tuple[str, ...] = (), **settings: str) -> subprocess.Popen:
    """Start a command, with settings of its environment, under another one that takes it as its last arguments."""
    return subprocess.Popen(
        [*under, str(BINARIES / command[0]), *command[1:]], cwd=places.ROOT, env=environment(folder) | settings,
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def run(folder: Path, *command: str) -> None:
    """Run a command to its end; it must succeed."""
    process = start(folder, *command)
    said, _ = process.communicate()
    assert process.returncode == 0, f"{' '.join(command)}: {said[-3000:]}"


def build(source: str, *more: str) -> tuple[str, ...]:
    """Return the command that builds all of a source, with its data tests."""
    return ("dbt", "build", "--exclude-resource-type", "unit_test", *more, "--select", *of_subject(source))


def _changed_in_time(folder: Path, source: str, day: int) -> None:
    """Have the files of a day be as old as they say, for tables have when a file was last changed."""
    moment = FIRST + timedelta(days=day)
    changed = (moment + timedelta(days=1)).timestamp()
    for path in (folder / "landing" / source / f"{moment:%Y/%m/%d}").iterdir():
        os.utime(path, (changed, changed))


def land_events(folder: Path, day: int, seed: int = 0) -> None:
    moment = FIRST + timedelta(days=day)
    path = folder / "landing" / "events" / f"{moment:%Y/%m/%d}" / "events.csv"
    # A line that is not valid, one of the day before, and the day's.
    late = f"{moment - timedelta(hours=3):%Y-%m-%dT%H:%M:%SZ},Open\n"
    samples.write_csv(path, iter(["no time,Open\n", late, *samples.event_lines(2000, moment, 1, seed=seed + day)]))
    _changed_in_time(folder, "events", day)


def land_sensors(folder: Path, day: int, sensors: int) -> None:
    moment = FIRST + timedelta(days=day)
    path = folder / "landing" / "fleet_sensors" / f"{moment:%Y/%m/%d}" / "sensors.jsonl"
    samples.write_lines(path, samples.sensor_day(500, moment, sensors, seed=day))
    _changed_in_time(folder, "fleet_sensors", day)


def land_purchases(folder: Path, first: int, days: int) -> None:
    table = samples.PurchaseTable(200, FIRST.date())
    for day in range(first + days):
        if day >= first:
            table.land(folder / "landing")
            _changed_in_time(folder, "purchases", day)
        table.next_day(0.2, 0.05, 0.05)


def held(folder: Path) -> dict[str, Counter]:
    """Return the rows of all tables in a lake, without clocks."""
    os.environ.update(environment(folder))
    found = {}
    for schema, name, table in lake.lying(places.lake()):
        files = delta_files.read(table)
        described = [
            json.loads(line)["metaData"]
            for commit in sorted((table / "_delta_log").glob("*.json"))
            for line in commit.read_text().splitlines()
            if "metaData" in json.loads(line)
        ][-1]
        columns = [column["name"] for column in json.loads(described["schemaString"])["fields"]]
        rows = delta_files.rows(files, [column for column in columns if column not in CLOCKS]).to_pylist()
        if name == "history_days":
            rows = _held_days(rows)
        if rollback.ASIDE not in name:
            found[f"{schema}.{name}"] = Counter(json.dumps(row, default=str, sort_keys=True) for row in rows)
    return found


def _held_days(rows: list[dict]) -> list[dict]:
    """Return the days that histories hold, of the generation that each is of now.

    A rebuild or a replay that was killed leaves the history as it was, or as it is to be; days of another generation
    are read by nobody.
    """
    held = []
    for history in sorted({row["history"] for row in rows}):
        generation = delta_files.read(lake.folder_of(places.lake(), "stage", history)).properties["strata.generation"]
        held += [
            {name: value for name, value in row.items() if name != "generation"}
            for row in rows
            if (row["history"], str(row["generation"])) == (history, generation)
        ]
    return held


def amiss(folder: Path) -> list[str]:
    """Return what the doctor finds, but for files that nobody reads, which each kill may leave."""
    os.environ.update(environment(folder))
    project = inspection.Project([(schema, name) for schema, name, _ in lake.lying(places.lake())])
    found = [*inspection.of_files(project, deep=True), *inspection.of_lock(), *inspection.of_record(project)]
    return [one.finding for one in found if "belongs to none of its versions" not in one.finding]
