"""The benchmark of purchases' history: a day at scale, catching up, rebuilding; each in a process of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

from rich.console import Console

import plain_history
from measuring import DBT, Measures, Row, apart, enter, places_of, seconds_of
from strata import history, places, samples, session
from strata.dbt_run import DbtOptions

FIRST = date(2026, 1, 1)
OPTIONS = DbtOptions()
# How often a day is taken and taken back before it counts: Java's compiler is busy with the first.
WARM = 3


def _enter(folder: Path) -> Path:
    """Make a folder's lake and landing folder those of this process; return the landing folder."""
    enter(folder)
    return folder / "landing"


def _land(table: samples.PurchaseTable, landing: Path, days: int) -> None:
    for _ in range(days):
        table.land(landing)
        table.next_day()


def _quiet() -> Console:
    return Console(quiet=True)


def _warm(times: int, take: Callable[[], None], take_back: Callable[[], None]) -> list[float]:
    values = []
    for number in range(WARM + times):
        if number:
            take_back()
        values.append(seconds_of(take))
    return values[WARM:]


def _version(spark, name: str) -> int:
    return spark.sql(f"describe history {name} limit 1").collect()[0].version


def _day_after(folder: Path, count: int, days: int, times: int) -> list[float]:
    """Return the seconds, each time, of `dbt snapshot` for a day of purchases after some days, in a warm process.

    Each time its file is a new one, which is counted and loaded. Of the days before all but two are there by a rebuild.
    """
    landing = _enter(folder)
    table = samples.PurchaseTable(count, FIRST)
    _land(table, landing, max(days - 2, 0))
    if days > 2:
        history.rebuild(["purchases"], OPTIONS, _quiet())
    _land(table, landing, 2)
    day = table.day
    _land(table, landing, 1)
    for _ in range(2):
        history.take_next(["purchases"], OPTIONS, _quiet())
    spark = session.start(places.lake()).session()
    before = _version(spark, "stage.purchases")

    def take_back() -> None:
        spark.sql(f"restore table stage.purchases to version as of {before}")
        spark.sql(f"delete from raw.loaded_files where landed_on = date'{day}'")
        for file in (landing / "purchases" / f"{day:%Y/%m/%d}").iterdir():
            file.touch()

    return _warm(times, lambda: history.take_next(["purchases"], OPTIONS, _quiet()), take_back)


def _plain_day_after(folder: Path, count: int, days: int, times: int) -> list[float]:
    """Return those of the hand-written MERGE for the same."""
    landing = _enter(folder)
    table = samples.PurchaseTable(count, FIRST)
    spark = session.start(places.lake()).session()
    spark.sql("set spark.sql.ansi.enabled=false")
    for _ in range(days):
        day = table.day
        _land(table, landing, 1)
        plain_history.take_day(spark, landing, day)
    day = table.day
    _land(table, landing, 1)
    before = _version(spark, "plain.purchases")
    return _warm(
        times,
        lambda: plain_history.take_day(spark, landing, day),
        lambda: spark.sql(f"restore table plain.purchases to version as of {before}"),
    )


def _catch_up(folder: Path, count: int, days: int) -> float:
    """Return the seconds of catching up with some days, marts included."""
    landing = _enter(folder)
    _land(samples.PurchaseTable(count, FIRST), landing, days)
    return seconds_of(lambda: history.catch_up(["purchases"], OPTIONS, _quiet()))


def _rebuild(folder: Path) -> float:
    """Return the seconds of rebuilding what has been caught up with, marts included."""
    _enter(folder)
    return seconds_of(lambda: history.rebuild(["purchases"], OPTIONS, _quiet()))


def large_day(measures: Measures, folder: Path, times: int, scale: float) -> list[Row]:
    """Measure a day of many purchases, the snapshot alone, beside a MERGE that is written by hand."""
    many = int(1_000_000 * scale)
    after_2, plain = f"a day of {many:,} purchases after 2", f"a day of {many:,} purchases: MERGE"
    after_30 = f"a day of {many:,} purchases after 30"
    for name, work, days in ((after_2, _day_after, 2), (plain, _plain_day_after, 2), (after_30, _day_after, 30)):
        here = folder / f"{work.__name__}-{days}"
        for value in apart(work, here, many, days, times):
            measures.note(name, value)
        shutil.rmtree(here)
    what = f"a day of {many:,} purchases, 1 % changed, snapshot alone, warm: "
    return [
        Row(what + "`dbt snapshot`; hand-written MERGE", after_2, plain, 1.5),
        Row(what + "after 30 days; after 2", after_30, after_2, 1.3),
    ]


def many_days(measures: Measures, folder: Path, times: int, scale: float) -> list[Row]:
    """Measure catching up with 60 days and rebuilding them."""
    few, middle = int(1_000 * scale), int(100_000 * scale)
    each, process = f"catch-up of 60 days of {few:,}, for each", f"a dbt snapshot process of a day of {few:,}"
    caught_up, rebuilt = f"catch-up of 60 days of {middle:,}", f"rebuild of 60 days of {middle:,}"
    table, one_a_day = samples.PurchaseTable(few, FIRST), folder / "process"
    _land(table, one_a_day / "landing", 1)
    measures.time("the first dbt snapshot, which makes the tables", [DBT, "snapshot"], places_of(one_a_day))
    for number in range(times):
        measures.note(each, apart(_catch_up, folder / f"few-{number}", few, 60) / 60)
        _land(table, one_a_day / "landing", 1)
        measures.time(process, [DBT, "snapshot"], places_of(one_a_day))
        here = folder / f"middle-{number}"
        measures.note(caught_up, apart(_catch_up, here, middle, 60))
        measures.note(rebuilt, apart(_rebuild, here))
        shutil.rmtree(here)
    shutil.rmtree(folder)
    return [
        Row(f"a day of {few:,} purchases: catch-up of 60, for each; a `dbt snapshot` process", each, process, 0.1),
        Row(f"60 days of {middle:,} purchases: rebuild; catch-up", rebuilt, caught_up, 0.1),
    ]
