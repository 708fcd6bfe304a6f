"""The benchmark of purchases: a day at scale, catching up, rebuilding; each measure in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console

from strata import history, places, plain_history, samples, session
from strata.dbt_run import DbtOptions

FIRST = date(2026, 1, 1)


def _timed(work: Callable, *arguments) -> float:
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start


def _enter(folder: Path) -> Path:
    """Make a folder's lake and landing folder those of this process; return the landing folder."""
    os.environ.update(
        STRATA_LAKE=str(folder / "lake"),
        STRATA_LANDING=str(folder / "landing"),
        DBT_TARGET_PATH=str(folder / "target"),
        DBT_LOG_PATH=str(folder / "logs"),
    )
    os.environ.pop("STRATA_SCHEMA_PREFIX", None)
    return folder / "landing"


def _land(table: samples.PurchaseTable, landing: Path, days: int) -> None:
    for _ in range(days):
        table.land(landing)
        table.next_day()


def _quiet() -> Console:
    return Console(quiet=True)


# A day is taken this often, and the last time counts: the JVM's compiler is busy with the first.
TIMES = 4


def _last_of(take: Callable, take_back: Callable) -> float:
    for _ in range(TIMES - 1):
        take()
        take_back()
    return _timed(take)


def _version(spark, name: str) -> int:
    return spark.sql(f"describe history {name} limit 1").collect()[0].version


def _day_after(folder: Path, count: int, days: int, options: DbtOptions) -> float:
    """Seconds of `dbt snapshot` for a day of some purchases after some days, in a warm process."""
    landing = _enter(folder)
    table = samples.PurchaseTable(count, FIRST)
    _land(table, landing, max(days - 2, 0))
    if days > 2:
        history.rebuild(["purchases"], options, _quiet())
    _land(table, landing, 2)
    day = table.day
    _land(table, landing, 1)
    for _ in range(2):
        history.take_next(["purchases"], options, _quiet())
    spark = session.start(places.lake()).session()
    before = _version(spark, "stage.purchases")

    def take_back() -> None:
        spark.sql(f"restore table stage.purchases to version as of {before}")
        spark.sql(f"delete from raw.loaded_files where landed_on = date'{day}'")

    return _last_of(lambda: history.take_next(["purchases"], options, _quiet()), take_back)


def _plain_day_after(folder: Path, count: int, days: int, _options: DbtOptions) -> float:
    """Seconds of the hand-written MERGE for the same."""
    landing = _enter(folder)
    table = samples.PurchaseTable(count, FIRST)
    spark = session.start(places.lake(), is_small=False).session()
    spark.sql("set spark.sql.ansi.enabled=false")
    for _ in range(days):
        day = table.day
        _land(table, landing, 1)
        plain_history.take_day(spark, landing, day)
    day = table.day
    _land(table, landing, 1)
    before = _version(spark, "plain.purchases")
    return _last_of(
        lambda: plain_history.take_day(spark, landing, day),
        lambda: spark.sql(f"restore table plain.purchases to version as of {before}"),
    )


def _catch_up(folder: Path, count: int, days: int, options: DbtOptions) -> float:
    """Seconds of catching up with some days, marts included."""
    landing = _enter(folder)
    _land(samples.PurchaseTable(count, FIRST), landing, days)
    return _timed(history.catch_up, ["purchases"], options, _quiet())


def _rebuild(folder: Path, _count: int, _days: int, options: DbtOptions) -> float:
    """Seconds of rebuilding what has been caught up with, marts included."""
    _enter(folder)
    return _timed(history.rebuild, ["purchases"], options, _quiet())


def _process_each(folder: Path, count: int, days: int, options: DbtOptions) -> float:
    """Mean seconds of a `dbt snapshot` process for each of some days."""
    landing = _enter(folder)
    _land(samples.PurchaseTable(count, FIRST), landing, days)
    command = [str(Path(sys.executable).with_name("dbt")), "snapshot", *options.arguments()]

    def run() -> None:
        subprocess.run(command, cwd=places.ROOT, check=True, capture_output=True)

    return sum(_timed(run) for _ in range(days)) / days


def _apart(measure: Callable, *arguments) -> float:
    """Measure in a fresh process, for a process has one lake."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, arguments)


def measure(
    folder: Path, scale: float, options: DbtOptions, console: Console
) -> Iterator[tuple[str, float, float, str]]:
    """Yield what was measured, seconds of this and of that, and the target of their ratio; `scale` shrinks counts."""
    many, middle, few = int(1_000_000 * scale), int(100_000 * scale), int(1_000 * scale)
    with console.status(f"a day of {many:,} purchases"):
        after_2 = _apart(_day_after, folder / "after-2", many, 2, options)
        plain = _apart(_plain_day_after, folder / "plain", many, 2, options)
        after_30 = _apart(_day_after, folder / "after-30", many, 30, options)
    what = f"a day of {many:,} purchases: "
    yield what + "dbt snapshot after 30 days, after 2 days", after_30, after_2, "1.3"
    yield what + "dbt snapshot, hand-written MERGE, both warm", after_2, plain, "1.5"
    with console.status("catching up"):
        each = _apart(_catch_up, folder / "few", few, 60, options) / 60
        process = _apart(_process_each, folder / "process", few, 3, options)
    yield f"a day of {few:,} purchases: catching up with 60, a dbt snapshot process", each, process, "0.10"
    with console.status("rebuilding"):
        caught_up = _apart(_catch_up, folder / "middle", middle, 60, options)
        rebuilt = _apart(_rebuild, folder / "middle", middle, 60, options)
    yield f"60 days of {middle:,} purchases: rebuild, catch-up", rebuilt, caught_up, "0.10"
