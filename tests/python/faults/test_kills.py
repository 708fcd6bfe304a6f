"""`make test-faults`: commands killed at random times, each ended by the next in the rows of an undisturbed one.

KILLS says how many, KILL_SEED of which seed; a kill is known by the seed, its pipeline and its number, and a failure
says them. Of each pipeline the kills are spread over all of the time that it takes.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from machines import FIRST, SEED, amiss, build, environment, held, land_events, land_purchases, land_sensors, run, start
from strata import delta_files, lake, places, record, rollback

KILLS = int(os.environ.get("KILLS", 60))


def second_run(folder: Path) -> str:
    """Return the id of the newest run that loaded something: the one to go back before."""
    os.environ.update(environment(folder))
    return next(run["run_id"] for run in record.newest() if run["command"].startswith("dbt build"))


@dataclass(frozen=True)
class Pipeline:
    """What is killed: a command, in a lake that is prepared, and the commands that end what it left."""

    prepare: Callable[[Path], None]
    command: Callable[[Path], tuple[str, ...]]
    end: Callable[[Path, random.Random], None]


def _first_events(folder: Path) -> None:
    land_events(folder, 0)


def _late_events(folder: Path) -> None:
    land_events(folder, 0)
    run(folder, *build("events"))
    land_events(folder, 0, seed=7)
    land_events(folder, 1)


def _growing_sensors(folder: Path) -> None:
    land_sensors(folder, 0, 5)
    run(folder, *build("fleet_sensors"))
    land_sensors(folder, 1, 8)


def _purchases(folder: Path) -> None:
    land_purchases(folder, 0, 1)
    run(folder, *build("purchases"))
    land_purchases(folder, 1, 3)


def _history(folder: Path) -> None:
    land_purchases(folder, 0, 4)
    run(folder, *build("purchases"))
    run(folder, "strata", "catch-up")


def _two_builds(folder: Path) -> None:
    land_events(folder, 0)
    run(folder, *build("events"))
    land_events(folder, 1)
    run(folder, *build("events"))


def _scattered(folder: Path) -> None:
    _two_builds(folder)
    os.environ.update(environment(folder))
    for _, _, table in lake.lying(places.lake()):
        files = delta_files.read(table)
        for number, path in enumerate(sorted(files.data)):
            shutil.copy(table / path, table / f"part-old-{number}.parquet")
            os.utime(table / f"part-old-{number}.parquet", (0, 0))


def again(*command: str) -> Callable[[Path, random.Random], None]:
    """Return what ends a kill by a command alone."""
    return lambda folder, _chance: run(folder, *command)


def _catch_up(folder: Path, _chance: random.Random) -> None:
    run(folder, "strata", "catch-up")
    run(folder, *build("purchases"))


def _end_rollback(folder: Path, chance: random.Random) -> None:
    os.environ.update(environment(folder))
    if rollback.pending() is not None:
        run(folder, "strata", "rollback", chance.choice(["--resume", "--undo"]))
    run(folder, *build("events"))


def always(*command: str) -> Callable[[Path], tuple[str, ...]]:
    return lambda _folder: command


REPLAY = ("strata", "replay", "--from", f"{FIRST.date() + timedelta(days=1)}")
PIPELINES = {
    "first events": Pipeline(_first_events, always(*build("events")), again(*build("events"))),
    "late events": Pipeline(_late_events, always(*build("events")), again(*build("events"))),
    "all events anew": Pipeline(_two_builds, always(*build("events", "--full-refresh")), again(*build("events"))),
    "sensors that grow": Pipeline(_growing_sensors, always(*build("fleet_sensors")), again(*build("fleet_sensors"))),
    "a day of purchases": Pipeline(_purchases, always("dbt", "snapshot"), _catch_up),
    "catch-up": Pipeline(_purchases, always("strata", "catch-up"), _catch_up),
    "replay": Pipeline(_history, always(*REPLAY), _catch_up),
    "rebuild": Pipeline(_history, always("strata", "rebuild"), _catch_up),
    "rollback": Pipeline(
        _two_builds, lambda folder: ("strata", "rollback", "--before", second_run(folder), "--yes"), _end_rollback
    ),
    "maintain": Pipeline(_scattered, always("strata", "maintain"), again(*build("events"))),
}


@dataclass
class Prepared:
    """A pipeline's lake before its command, the rows after it, and the seconds that it took."""

    folder: Path
    rows: dict[str, Counter]
    seconds: float


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Callable[[str], Prepared]:
    """Prepare the lakes of pipelines, each once for all processes of the tests."""
    own = tmp_path_factory.getbasetemp()
    shared = own if worker_id == "master" else own.parent
    done: dict[str, Prepared] = {}

    def prepare(name: str) -> Prepared:
        if name not in done:
            folder = shared / f"prepared {name}"
            with FileLock(f"{folder}.lock"):
                if not (folder / "seconds").exists():
                    _prepare(PIPELINES[name], folder)
            done[name] = Prepared(folder / "before", held(folder / "after"), float((folder / "seconds").read_text()))
        return done[name]

    return prepare


def _prepare(pipeline: Pipeline, folder: Path) -> None:
    pipeline.prepare(folder / "before")
    shutil.copytree(folder / "before", folder / "after")
    before = time.monotonic()
    run(folder / "after", *pipeline.command(folder / "after"))
    seconds = time.monotonic() - before
    pipeline.end(folder / "after", random.Random(0))
    assert amiss(folder / "after") == []
    (folder / "seconds").write_text(str(seconds))


def kill(process: subprocess.Popen, chance: random.Random) -> str:
    """Kill a command, or the Java that it has started, and see it to its end; return which of them."""
    children = psutil.Process(process.pid).children(recursive=True)
    javas = [child for child in children if child.name() == "java"]
    victim = chance.choice([process, *javas[:1]])
    victim.kill()
    process.wait()
    # Its Java ends by itself: the next command waits for it.
    return "dbt" if victim is process else "java"


CASES = [(name, number) for number in range(-(-KILLS // len(PIPELINES))) for name in PIPELINES][:KILLS]


@pytest.mark.parametrize(("name", "number"), sorted(CASES))
def test_a_command_that_was_killed_is_ended_by_the_next(
    prepared: Callable[[str], Prepared], tmp_path: Path, name: str, number: int
) -> None:
    pipeline, before = PIPELINES[name], prepared(name)
    chance = random.Random(f"{SEED} {name} {number}")
    count = sum(one == name for one, _ in CASES)
    after = (number + chance.random()) / count * before.seconds
    folder = tmp_path / "killed"
    shutil.copytree(before.folder, folder)
    process = start(folder, *pipeline.command(folder))
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        who = kill(process, chance)
    else:
        who = "nobody, for it had ended"
    said = f"seed {SEED}, {name} {number}: {who} killed after {after:.1f} of {before.seconds:.1f} s"
    print(said)
    pipeline.end(folder, chance)
    rows = held(folder)
    assert rows.keys() == before.rows.keys(), said
    for table, found in rows.items():
        assert found == before.rows[table], f"{table} has other rows: {said}"
    assert amiss(folder) == [], said
    shutil.rmtree(folder)
