"""Readers that go on while each kind of write is made: what they see is a version that the table has, whole."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from datetime import date

import pytest

from conftest import Lake
from rolling_back import EVENTS, go, newest
from strata import delta_log, history, inspection, repair, samples

TABLES = (
    *("raw.events", "stage.accepted_actions", "stage.events", "mart.action_windows", "mart.action_totals"),
    *("quarantine.events", "raw.purchases", "stage.purchases", "mart.purchase_changes", "raw.loaded_files"),
)


def digest(table: str, version: str = "") -> str:
    """Return the query for how many rows a table has, and for what tells them from others."""
    return (
        f"select count(*), coalesce(sum(cast(xxhash64(to_json(struct(*))) as decimal(38, 0))), 0) from {table}{version}"
    )


class Reader(threading.Thread):
    """Reads tables in turn, until it is ended, and keeps all that it saw."""

    def __init__(self, lake: Lake) -> None:
        super().__init__(daemon=True)
        self.lake = lake
        self.ended = threading.Event()
        self.seen: dict[str, set] = defaultdict(set)
        self.failed: list[str] = []

    def run(self) -> None:
        own = self.lake.spark.newSession()
        while not self.ended.is_set():
            for table in TABLES:
                try:
                    self.seen[table].add(tuple(own.sql(digest(table)).collect()[0]))
                except Exception as error:
                    self.failed.append(f"{table}: {str(error).splitlines()[0]}")


@pytest.fixture(scope="module")
def built(lake: Lake) -> Lake:
    """A lake of one day of events, and of three of purchases, the first of which is taken."""
    table = samples.PurchaseTable(200, date(2026, 1, 5))
    for _ in range(3):
        table.land(lake.landing)
        table.next_day(0.3, 0.1, 0.1)
    lake.land("2026/01/05/a.csv", EVENTS)
    assert lake.make().success
    return lake


WRITES: dict[str, Callable[[Lake], bool]] = {
    "a build": lambda lake: lake.make().success,
    "a full refresh": lambda lake: lake.make("--full-refresh").success,
    "a seed": lambda lake: lake.dbt("seed", "--full-refresh").success,
    "a day of a history": lambda lake: lake.dbt("snapshot").success,
    "catch-up": lambda lake: lake.strata(history.catch_up, ["purchases"]).success,
    "replay": lambda lake: (
        lake.strata(lambda options, console: history.replay(date(2026, 1, 6), "purchases", options, console)).success
    ),
    "rebuild": lambda lake: lake.strata(history.rebuild, ["purchases"]).success,
    "rollback": lambda lake: go(lake, to=built_run(lake)).success and go(lake, before=newest(lake)).success,
    "maintain": lambda lake: lake.strata(repair.maintain).success,
}


def built_run(lake: Lake) -> str:
    """Return the id of the oldest run."""
    lake.enter()
    return inspection.record.newest()[-1]["run_id"]


@pytest.mark.parametrize("write", WRITES)
def test_a_reader_sees_only_whole_versions(built: Lake, write: str, monkeypatch: pytest.MonkeyPatch) -> None:
    number = list(WRITES).index(write)
    # Something new for whatever loads, and a corrected file.
    built.land("2026/01/05/a.csv", EVENTS.replace("Open", "Close") if number % 2 else EVENTS)
    built.land(f"2026/02/{number + 1:02}/b.csv", EVENTS.replace("2026-01-05", f"2026-02-{number + 1:02}"))
    monkeypatch.setattr(inspection, "MANY_FILES", 0)
    before = {table: int(delta_log.newest(*table.split("."))["version"]) for table in TABLES}
    reader = Reader(built)
    reader.start()
    try:
        assert WRITES[write](built)
    finally:
        reader.ended.set()
        reader.join()
    assert reader.failed == []
    assert reader.seen.keys() == set(TABLES)
    for table in TABLES:
        commits = delta_log.commits(*table.split("."))
        versions = [int(commit["version"]) for commit in commits if int(commit["version"]) >= before[table]]
        whole = {tuple(built.rows(digest(table, f" version as of {version}"))[0]) for version in versions}
        assert reader.seen[table] <= whole, table
