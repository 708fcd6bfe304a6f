"""The benchmark: what the project does beside the same done plainly, in one run, as ratios.

Absolute times depend on the machine and its load; the ratio of two things measured one after the other says more.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from strata import bench_purchases, places, samples
from strata.dbt_run import DbtOptions, of_subject
from strata.errors import StrataError

PLAIN_JOB = Path(__file__).with_name("plain_job.py")
EVENTS_A_DAY = 20_000


def _timed(command: list[str], environment: dict[str, str]) -> float:
    """Run a command to its end and return the seconds it took; raise StrataError when it fails."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=places.ROOT, env={**os.environ, **environment}, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        raise StrataError(f"{' '.join(command)} failed: {(done.stdout + done.stderr)[-2000:]}")
    return seconds


def _build(landing: Path, lake: Path, subject: str) -> float:
    """Return the seconds of a dbt build of one subject: its models, their data and unit tests."""
    dbt = str(Path(sys.executable).with_name("dbt"))
    return _timed(
        [dbt, "build", "--select", *of_subject(subject)],
        {
            "STRATA_LANDING": str(landing),
            "STRATA_LAKE": str(lake),
            "DBT_TARGET_PATH": f"{lake}-target",
            "DBT_LOG_PATH": f"{lake}-logs",
        },
    )


def _plain(landing: Path) -> float:
    return _timed([sys.executable, str(PLAIN_JOB), str(landing / "events")], {})


def _compare(count: int, folder: Path) -> tuple[str, float, float, str]:
    landing = folder / f"landing-{count}"
    if not landing.exists():
        lines = samples.event_lines(count, datetime(2026, 1, 1, tzinfo=UTC), 30)
        samples.write_csv(landing / "events" / "2026" / "02" / "01" / "events.csv", lines)
    plain = _plain(landing)
    built = _build(landing, folder / f"lake-{count}", "events")
    return f"{count:,} events: dbt build, plain job, both cold", built, plain, "2.0"


def _add_a_day(days: int, folder: Path) -> float:
    """Build a lake of some days, land one more and return the seconds of the build that adds it."""
    landing = folder / f"landing-{days}-days"
    first = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(days + 1):
        if number == days:
            _build(landing, folder / f"lake-{days}-days", "events")
        day = first + timedelta(days=number)
        path = landing / "events" / f"{day:%Y/%m/%d}" / "events.csv"
        samples.write_csv(path, samples.event_lines(EVENTS_A_DAY, day, 1, seed=number))
    return _build(landing, folder / f"lake-{days}-days", "events")


def _land_sensors(landing: Path, day: int, count: int, sensors: int) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)
    path = landing / "fleet_sensors" / f"{moment:%Y/%m/%d}" / "sensors.jsonl"
    samples.write_lines(path, samples.sensor_day(count, moment, sensors, seed=day))


def _sensors(folder: Path, scale: float) -> Iterator[tuple[str, float, float, str]]:
    """Yield what was measured of the fleet, as bench_purchases.measure does."""
    many, few = int(1_000_000 * scale), int(50_000 * scale)
    cold = {}
    for sensors in (12, 200):
        landing = folder / f"landing-{sensors}-sensors"
        _land_sensors(landing, 0, many, sensors)
        cold[sensors] = _build(landing, folder / f"lake-{sensors}-sensors", "fleet_sensors")
    yield f"a day of {many:,} lines: of 200 sensors, of 12, both cold", cold[200], cold[12], ""
    landing, lake = folder / "landing-fleet", folder / "lake-fleet"
    days = []
    # The eleventh day brings a sensor, the twelfth does not.
    for day, sensors in enumerate([12] * 10 + [13, 13]):
        _land_sensors(landing, day, few, sensors)
        days.append(_build(landing, lake, "fleet_sensors"))
    yield f"a day of {few:,} lines: the tenth, the third", days[9], days[2], "1.2"
    yield f"a day of {few:,} lines: with a new sensor, with none", days[10], (days[9] + days[11]) / 2, "1.3"


def run(
    events: list[int],
    days: bool,
    purchases: float,
    sensors: float,
    into: Path | None,
    options: DbtOptions,
    console: Console,
) -> None:
    """Measure events, purchases and sensors (the counts of both times a scale, none for 0), and print the table."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) if into is None else into.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        table = Table("this, that", "this", "that", "ratio", "target")

        def add(what: str, this: float, that: float, target: str) -> None:
            table.add_row(what, f"{this:.1f} s", f"{that:.1f} s", f"{this / that:.2f}", target)

        for count in events:
            with console.status(f"{count:,} events"):
                add(*_compare(count, folder))
        if days:
            with console.status("adding a day"):
                few, many = _add_a_day(3, folder), _add_a_day(30, folder)
            what = f"a day of {EVENTS_A_DAY:,} events: added to 30 days, to 3 days"
            add(what, many, few, "1.2")
        if purchases:
            for measured in bench_purchases.measure(folder, purchases, options, console):
                add(*measured)
        if sensors:
            with console.status("fleet sensors"):
                for measured in _sensors(folder, sensors):
                    add(*measured)
        console.print(table)
