"""A rollback of all kinds of sources, and what a build makes of what was rolled back: as if nothing had happened."""

from __future__ import annotations

from collections import Counter

import pytest

from conftest import Lake
from rolling_back import EVENTS, content, forget, go, log_of, mended, newest, of_project
from strata import record

FIRST = {
    ("events", "2026/01/05/a.csv"): EVENTS,
    ("purchases", "2026/01/05/p.csv"): "PurchaseID,product,user,date\n0000000001,11,1000001,2026-01-02\n",
    ("fleet_sensors", "2026/01/05/s.jsonl"): (
        '{"truck_id": "t1", "recorded_at": "2026-01-05T10:00:00Z", "speed": 3}\n'
    ),
}
# A corrected file, late ones, and columns that were not there.
SECOND = {
    ("events", "2026/01/05/a.csv"): EVENTS.replace("Open", "Close"),
    ("events", "2026/01/06/b.csv"): "time,action,note\n2026-01-06T10:00:00Z,Open,x\n2026-01-04T10:00:00Z,Open,y\n",
    ("purchases", "2026/01/06/p.csv"): (
        "PurchaseID,product,user,date,shop\n0000000001,12,1000001,2026-01-06,s\n0000000002,12,1000002,2026-01-03,s\n"
    ),
    ("fleet_sensors", "2026/01/06/s.jsonl"): (
        '{"truck_id": "t1", "recorded_at": "2026-01-06T10:00:00Z", "speed": 4, "oil_temp": 90.5}\n'
        '{"truck_id": "t2", "recorded_at": "2026-01-06T10:00:00Z", "oil temp": "n/a"}\n'
    ),
}
# The tables of each source that tell whether it has gone back, or forward.
OF_SOURCE = {
    "events": ("raw.events", "stage.events", "stage.events_files", "quarantine.events", "mart.action_windows"),
    "purchases": ("raw.purchases", "stage.purchases", "stage.history_days", "mart.purchase_changes"),
    "fleet_sensors": (
        "raw.fleet_sensors",
        "stage.sensor_readings",
        "quarantine.sensor_readings",
        "mart.sensor_windows",
    ),
    "all": ("raw.loaded_files", "ops.landed_files", "ops.schema_changes"),
}


def land(lake: Lake, files: dict) -> None:
    for (source, name), text in files.items():
        lake.land(name, text, source=source)


def build(lake: Lake) -> None:
    """Take all that has landed."""
    assert lake.make(history="catch-up").success


class Been:
    """A lake, what its tables held after each day, and the ids of the last runs there."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.run: dict[str, str] = {}
        self.held: dict[str, dict[str, tuple[list[str], Counter]]] = {}

    def note(self, name: str) -> None:
        self.run[name], self.held[name] = newest(self.lake), content(self.lake)


@pytest.fixture(scope="module")
def been(lake: Lake) -> Been:
    """A lake with two days of all sources, the second with columns of its own."""
    been = Been(lake)
    land(lake, FIRST)
    build(lake)
    been.note("first day")
    land(lake, SECOND)
    build(lake)
    been.note("second day")
    return been


@pytest.fixture(scope="module")
def back(been: Been) -> tuple[dict, dict]:
    """What the tables held after a rollback from the second day to the first, and after a build that followed it."""
    lake = been.lake
    done = go(lake, to=been.run["first day"])
    assert done.success, done.said
    held = content(lake)
    build(lake)
    return held, content(lake)


@pytest.mark.parametrize("source", OF_SOURCE)
def test_tables_go_back_and_a_build_ends_as_if_nothing_had_happened(been: Been, back: tuple, source: str) -> None:
    held, held_again = back
    for table in OF_SOURCE[source]:
        assert held[table] == been.held["first day"][table], table
        assert held[table] != been.held["second day"][table], table
        assert held_again[table] == been.held["second day"][table], table


def test_all_tables_go_back_together(been: Been, back: tuple) -> None:
    assert back[0] == been.held["first day"]


def test_raw_that_lost_its_commits_is_loaded_again_by_a_build(been: Been) -> None:
    lake = been.lake
    build(lake)
    # What is left tells that all is noted of it, as it was after the first day, and checkpoints stay without commits.
    (first,) = [run for run in record.newest() if run["run_id"] == been.run["first day"]]
    for one in first["tables"]:
        for commit in log_of(f"raw.{one['table_name']}") if one["schema_name"] == "raw" else ():
            if one["table_name"] in OF_SOURCE and int(commit.name[:20]) > one["version"]:
                commit.unlink()
                commit.with_suffix(".crc").unlink(missing_ok=True)
    forget(lake)
    done = mended(lake)
    assert done.success, done.said
    for source in FIRST:
        done.sentence(f"The next 'dbt build' looks at what raw.{source[0]} holds.")
    build(lake)
    assert of_project(content(lake)) == been.held["second day"]
