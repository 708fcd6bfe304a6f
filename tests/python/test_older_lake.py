"""
A lake that an earlier version built is taken over by the next run.

`lakes/layout_1.tar.xz` holds such a lake as files: the `warehouse` of Delta tables, and the `landing` folder that they
were made of. A version of layout 1 made it: a build with refused files of events and of fleet sensors, and three days
of purchases caught up with, of which the third has a further column.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import tarfile
from datetime import date
from pathlib import Path

import pytest

from conftest import MODIFIED_AT, Lake, Run
from strata import history

HISTORY = "select purchase_id, product_id, version, valid_from, valid_to, recorded_on, closed_on from stage.purchases"
GONE_TABLES = ("history_days", "event_files", "sensor_files", "sensor_keys", "purchase_files", "purchase_deliveries")
GONE_VIEWS = ("event_intake", "sensor_intake", "purchase_intake")


@pytest.fixture(scope="module")
def lake(lake: Lake) -> Lake:
    """The module's lake with the tables of the older one, of whose landed files some have left since."""
    with tarfile.open(Path(__file__).parent / "lakes" / "layout_1.tar.xz") as archive:
        archive.extractall(lake.folder / "older", filter="data")
    shutil.move(lake.folder / "older" / "landing", lake.landing)
    for path in lake.landing.rglob("*.*"):
        os.utime(path, (MODIFIED_AT.timestamp(), MODIFIED_AT.timestamp()))
    for place in sorted((lake.folder / "older" / "warehouse").glob("*.db/*")):
        schema = place.parent.name.removesuffix(".db")
        lake.rows(f"create schema if not exists {schema}")
        # The metastore's own, as the older version made it: dropped with its files.
        lake.rows(f"create table {schema}.{place.name} (made int) using delta")
        made = lake.folder / "lake" / "warehouse" / place.parent.name / place.name
        shutil.rmtree(made)
        shutil.copytree(place, made)
    lake.spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()
    for name in GONE_VIEWS:
        lake.rows(f"create view ops.{name} as select 1 as one")
    for name in ("gone.csv", "gone.jsonl", "refused.csv", "refused.jsonl"):
        next(lake.landing.rglob(name)).unlink()
    shutil.rmtree(lake.landing / "purchases/2023/07/21")
    return lake


def told(lake: Lake) -> dict[str, list[tuple]]:
    """Return what the older lake told people and this one has to tell them too."""
    return {
        name: sorted(lake.rows(sql), key=str)
        for name, sql in {
            "history": HISTORY,
            "current": "select * from mart.purchase_changes",
            "events": "select event_at, action, path from stage.events",
            "windows": "select * from mart.action_windows",
            "readings": "select truck_id, recorded_at, sensor, value, path from stage.sensor_readings",
            "ledger": "select source, landed_name, change, path from ops.schema_changes",
        }.items()
    }


@pytest.fixture(scope="module")
def taken_over(lake: Lake) -> tuple[Lake, Run, dict[str, list[tuple]]]:
    """The lake after a build with data tests, what that said, and what the lake told before."""
    before = told(lake)
    assert min(len(rows) for rows in before.values()) > 2
    return lake, lake.build(), before


def test_a_build_takes_it_over(taken_over) -> None:
    lake, run, before = taken_over

    assert run.success, run.said
    assert told(lake) == before
    assert lake.rows("show tblproperties raw.loaded_files ('strata.layout')") == [("strata.layout", "2")]
    there = {row[1] for schema in ("raw", "ops") for row in lake.rows(f"show tables in {schema}")}
    assert not there & {"sensor_lines", *GONE_TABLES, *GONE_VIEWS}
    assert sorted(lake.rows("select path, count(*), count(oil) from raw.fleet_sensors group by path")) == [
        ("fleet_sensors/2026/01/01/kept.jsonl", 25, 0),
        ("fleet_sensors/2026/01/02/gone.jsonl", 3, 3),
    ]
    assert lake.rows("select action, reasons[0] from quarantine.events") == [("Burn", "action_unknown")]
    lines = lake.rows("select line from quarantine.sensor_readings where line is not null")
    assert [json.loads(line)["recorded_at"] for (line,) in lines] == ["never"]


def test_its_history_is_rebuilt_from_raw(taken_over) -> None:
    lake, _, before = taken_over

    run = lake.strata(functools.partial(history.rebuild, ["purchases"]), max_removed_share=1)

    assert run.success, run.said
    assert sorted(lake.rows(HISTORY), key=str) == before["history"]
    # Its first day is in raw alone.
    assert min(row[5] for row in before["history"]) == date(2023, 7, 21)


def test_a_run_that_was_killed_as_it_took_over_does_it_again(taken_over) -> None:
    lake, _, before = taken_over
    for schema, name in (("raw", "sensor_lines"), ("ops", "sensor_files")):
        place = lake.folder / "older" / "warehouse" / f"{schema}.db" / name
        lake.rows(f"create table {schema}.{name} using delta location '{place}'")
    lake.rows("drop table raw.loaded_files")
    lake.rows("drop table raw.fleet_sensors")

    run = lake.make()

    assert run.success, run.said
    assert told(lake) == before


def test_a_lake_of_a_newer_layout_is_left_as_it_is(taken_over) -> None:
    lake, _, before = taken_over
    lake.rows("alter table raw.loaded_files set tblproperties ('strata.layout' = '3')")
    try:
        run = lake.run()
        assert not run.success
        assert "layout 3, and this version works in layout 2: use the version that built it." in run.sentence("layout")
        assert told(lake) == before
    finally:
        lake.rows("alter table raw.loaded_files set tblproperties ('strata.layout' = '2')")
