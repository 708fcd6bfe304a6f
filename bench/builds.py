"""The benchmark of builds: nothing new, a new lake, one more day; beside plain jobs and a stock dbt project."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from rich.console import Console

from measuring import DATA_ALONE, DBT, MEMORY, WITHOUT_TESTS, Measures, Row, apart, enter, places_of
from strata import history, jars, places, samples, session
from strata.dbt_run import DbtOptions, failures, of_subject, run_dbt
from strata.errors import StrataError

HERE = Path(__file__).parent
STOCK = HERE / "stock"
# Kept between runs: what is measured downloads nothing.
IVY = places.ROOT / "target" / "bench-ivy"
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
# Of the stock project: all of events, as of_subject("events") selects of this one.
STOCK_EVENTS = ["--select", "accepted_actions+", "raw_events+", "--exclude", "landed_files"]


def _dbt(measures: Measures, name: str, folder: Path, *arguments: str) -> None:
    measures.time(name, [DBT, *arguments], places_of(folder))
    if arguments[0] == "build":
        measures.tell_phases(name, folder / "target")


def _build(measures: Measures, name: str, folder: Path, source: str) -> None:
    """Build all of a source with its data tests."""
    _dbt(measures, name, folder, "build", *DATA_ALONE, "--select", *of_subject(source))


def _stock(measures: Measures, name: str, folder: Path, *arguments: str) -> None:
    """Build the stock project, or what arguments select of it, of what has landed in a folder, with a lake there."""
    jar = next(jar for jar in jars.listed() if jar.artifact.startswith("delta-spark"))
    environment = {
        "STOCK_LANDING": str(folder / "landing"),
        "STOCK_LAKE": str(folder / "stock"),
        "STOCK_JARS": f"{jar.group}:{jar.artifact}:{jar.version}",
        "STOCK_IVY": str(IVY),
        "DBT_TARGET_PATH": str(folder / "stock-target"),
        "DBT_LOG_PATH": str(folder / "stock-logs"),
    }
    command = [DBT, "build", *arguments, "--project-dir", str(STOCK), "--profiles-dir", str(STOCK)]
    measures.time(name, command, environment, folder)
    measures.tell_phases(name, folder / "stock-target")


def nothing_new(measures: Measures, folder: Path, times: int, _scale: float) -> list[Row]:
    """Measure a build and a snapshot of the sample with nothing new, beside what starting costs."""
    for write in samples.SAMPLES.values():
        write(folder / "landing")
    start, build, snapshot = "dbt show --inline 'select 1'", "dbt build, nothing new", "dbt snapshot, nothing new"
    stock, unrecorded = "stock project: dbt build, nothing new", "dbt build, nothing new, without its record"
    # A day of purchases for each; what is measured has nothing left to take.
    for _ in range(3):
        _dbt(measures, "sample lake", folder, "build")
    _stock(measures, "stock project: sample lake", folder)
    for _ in range(times):
        _dbt(measures, start, folder, "show", "--inline", "select 1")
        _dbt(measures, build, folder, "build", *DATA_ALONE)
        unrecorded_dbt = [sys.executable, str(HERE / "without_record.py")]
        measures.time(unrecorded, [*unrecorded_dbt, "build", *DATA_ALONE], places_of(folder))
        _dbt(measures, snapshot, folder, "snapshot")
        _stock(measures, stock, folder)
    return [
        Row("`dbt build` without unit tests, nothing new; `select 1`", build, start, 2.0),
        Row("the same; stock project, nothing new", build, stock, 1.0),
        Row("the same; without the record of the run", build, unrecorded),
        Row("`dbt snapshot`, nothing new; `select 1`", snapshot, start, 1.2),
    ]


def _forget(folder: Path) -> None:
    """Remove the lakes of a folder, and what dbt knows, so that the next build is a first one."""
    for made in ("lake", "target", "stock", "stock-target"):
        shutil.rmtree(folder / made, ignore_errors=True)


def events(measures: Measures, folder: Path, times: int, scale: float) -> list[Row]:
    """Measure first builds of events beside others that compute the windows."""
    few, middle, many = (max(int(count * scale), 100) for count in (100_000, 1_000_000, 10_000_000))
    ours, plain, stock, peak = {}, {}, {}, {}
    for count in (few, middle, many):
        landing = folder / f"{count}" / "landing" / "events"
        samples.write_csv(landing / "2026" / "02" / "01" / "events.csv", samples.event_lines(count, FIRST, 30))
        ours[count], peak[count] = f"{count:,} events", f"{count:,} events{MEMORY}"
        plain[count], stock[count] = f"{count:,} events: plain job", f"{count:,} events: stock project"
    with_unit_tests = f"{few:,} events with unit tests"
    others = {name: f"{many:,} events: {name}" for name in ("DuckDB", "Polars")}
    for _ in range(times):
        for count in (few, middle, many):
            here = folder / f"{count}"
            _forget(here)
            _build(measures, ours[count], here, "events")
            if count == middle:
                continue
            landing = str(here / "landing" / "events")
            measures.time(plain[count], [sys.executable, str(HERE / "plain_job.py"), landing], {})
            _stock(measures, stock[count], here, *STOCK_EVENTS)
            for name, measure in others.items() if count == many else ():
                measures.time(measure, [sys.executable, str(HERE / f"{name.lower()}_job.py"), landing], {})
        _forget(folder / f"{few}")
        _dbt(measures, with_unit_tests, folder / f"{few}", "build", "--select", *of_subject("events"))
    shutil.rmtree(folder)
    return [
        Row(f"{few:,} events, first build; plain job", ours[few], plain[few], 2.5),
        Row(f"{few:,} events, first build with unit tests; plain job", with_unit_tests, plain[few]),
        Row(f"{few:,} events, first build; stock project", ours[few], stock[few]),
        Row(f"{many:,} events, first build; plain job", ours[many], plain[many], 2.5),
        Row(f"{many:,} events, first build; stock project", ours[many], stock[many], 0.8),
        *(Row(f"{many:,} events, {name}; plain job", others[name], plain[many]) for name in others),
        Row(f"peak memory of a first build: {many:,} events; {middle:,}", peak[many], peak[middle], 1.5),
    ]


def _land_events(landing: Path, day: int, count: int) -> None:
    moment = FIRST + timedelta(days=day)
    path = landing / "events" / f"{moment:%Y/%m/%d}" / "events.csv"
    samples.write_csv(path, samples.event_lines(count, moment, 1, seed=day))


def _land_sensors(landing: Path, day: int, count: int, sensors: int = 12) -> None:
    moment = FIRST + timedelta(days=day)
    path = landing / "fleet_sensors" / f"{moment:%Y/%m/%d}" / "sensors.jsonl"
    samples.write_lines(path, samples.sensor_day(count, moment, sensors, seed=day))


class _Purchases:
    """Lands days of one table of purchases, each once, in order."""

    def __init__(self) -> None:
        self._tables: dict[Path, samples.PurchaseTable] = {}

    def __call__(self, landing: Path, _day: int, count: int) -> None:
        table = self._tables.setdefault(landing, samples.PurchaseTable(count, date(2026, 1, 1)))
        table.land(landing)
        table.next_day()


def _take_days(folder: Path, source: str, land: Callable[[Path, int, int], None], count: int, days: int) -> Callable:
    """Land days and have each taken by a run of its own, as if one had come a day; return what lands the next.

    Of purchases one catch-up takes all, each day by a commit of its own in the history.
    """
    enter(folder)
    # The first run would start Spark for the little that has landed by then, and all others go on with it.
    session.start(places.lake())
    options = DbtOptions()
    for day in range(days):
        land(places.landing(), day, count)
        if source != "purchases":
            said = failures(run_dbt(["build", *WITHOUT_TESTS, "--select", *of_subject(source)], options))
            if said:
                raise StrataError("\n".join(said))
    if source == "purchases":
        history.catch_up([source], options, Console(quiet=True))
    return land


def days(measures: Measures, folder: Path, times: int, scale: float) -> list[Row]:
    """Measure one more day of each source, in a build with tests, after 100 days and after 3."""
    counts = {"events": int(20_000 * scale), "fleet_sensors": int(10_000 * scale), "purchases": int(10_000 * scale)}
    landers = {"events": _land_events, "fleet_sensors": _land_sensors, "purchases": _Purchases()}
    rows = []
    for source, count in counts.items():
        names, land = {}, {}
        for before in (3, 100):
            here = folder / source / f"{before}"
            land[before] = apart(_take_days, here, source, landers[source], count, before)
            names[before] = f"a day of {count:,} {source.replace('_', ' ')} after {before} days"
            # The first build tests what the days above have made.
            _build(measures, f"{names[before]}: tests of all", here, source)
        for number in range(times):
            for before, name in names.items():
                here = folder / source / f"{before}"
                land[before](here / "landing", before + number, count)
                _build(measures, name, here, source)
        shutil.rmtree(folder / source)
        what = f"one more day of {count:,} {source.replace('_', ' ')}: after 100 days; after 3"
        rows.append(Row(what, names[100], names[3], 1.2))
    return rows


def wide_sensors(measures: Measures, folder: Path, times: int, scale: float) -> list[Row]:
    """Measure days of sensors that differ in how many sensors they have."""
    many = int(1_000_000 * scale)
    wide, narrow = f"a day of {many:,} lines of 200 sensors", f"a day of {many:,} lines of 12 sensors"
    for number in range(times):
        for name, count in ((wide, 200), (narrow, 12)):
            here = folder / f"{number}-{count}"
            _land_sensors(here / "landing", 0, many, count)
            _build(measures, name, here, "fleet_sensors")
            shutil.rmtree(here)
    return [Row(f"a day of {many:,} lines, first build: of 200 sensors; of 12", wide, narrow)]


def new_sensors(measures: Measures, folder: Path, times: int, scale: float) -> list[Row]:
    """Measure days that bring a sensor beside days that do not."""
    few = int(50_000 * scale)
    new, same = f"a day of {few:,} lines with a new sensor", f"a day of {few:,} lines with none"
    _land_sensors(folder / "landing", 0, few)
    _build(measures, "a first day", folder, "fleet_sensors")
    for number in range(times):
        for name, day in ((new, 2 * number + 1), (same, 2 * number + 2)):
            _land_sensors(folder / "landing", day, few, 13 + number)
            _build(measures, name, folder, "fleet_sensors")
    shutil.rmtree(folder)
    return [Row(f"a day of {few:,} lines: with a new sensor; with none", new, same, 1.3)]
