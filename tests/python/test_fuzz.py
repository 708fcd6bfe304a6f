"""A small part of `make fuzz`, of a fixed seed; and the fuzzer itself, which must find what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import fuzz
import fuzz_reading
from conftest import GENERATED_CODE, Lake
from fuzz_check import Checked, Tables
from fuzz_mutations import SOURCES, File, files_of_round

SEED = 1
FILES = 100


@pytest.fixture(scope="module")
def own(lake: Lake) -> fuzz.Session:
    """The lake of this process as one of the fuzzer."""
    return fuzz.Session(lake.folder, days_alone=0, lake=lake)


@pytest.fixture
def with_generated_code(own: fuzz.Session) -> Iterator[fuzz.Session]:
    """The lake of this process, with Spark computing as where much has landed."""
    conf = own.lake.spark.conf
    settings = dict(setting.split("=") for setting in GENERATED_CODE.split())
    before = {name: conf.get(name) for name in settings}
    for name, value in settings.items():
        conf.set(name, value)
    yield own
    for name, value in before.items():
        conf.set(name, value)


def test_a_seed_gives_the_same_files_each_time() -> None:
    assert files_of_round(SEED, 60) == files_of_round(SEED, 60) != files_of_round(SEED + 1, 60)


def test_mutated_files_end_in_the_tables_as_a_plain_reading_of_them_says(
    with_generated_code: fuzz.Session,
) -> None:
    found = fuzz.play(with_generated_code, files_of_round(SEED, FILES), lambda what: None)
    assert [finding for finding, _ in found] == []


ROW = "2026-01-10T10:00:00Z,Open\n"
FILLER = ROW * 40


def test_what_is_wrong_in_the_tables_is_found_and_shrunk(own: fuzz.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "MOST_BUILDS", 3)
    files = [File("events", "a.csv", f"time,action\n{ROW * 7}".encode()), File("events", "b.csv", b"time,action\n")]
    # A reading that does not know of actions finds each of them wrong, and the smallest file that shows it has one row.
    judged = fuzz_reading.judged_event
    monkeypatch.setattr(fuzz_reading, "judged_event", lambda time, _, *rest: judged(time, "x", *rest))
    findings, failed = fuzz.build_and_check(own, files, False, lambda what: None)
    assert not failed
    assert {finding.path for finding in findings} == {"events/a.csv"}
    small = fuzz.shrink_together(own, [(findings[0], files[0])], lambda what: None)
    assert small[findings[0]].content.count(b"\n") <= 2


# What is done to the tables, of which source, and a word of what must then be found.
SABOTAGE = [
    ("update raw.events set action = 'Close' where action = 'Open'", "events", "events: rows are not as they landed"),
    ("delete from stage.events", "events", "events: stage"),
    ("update quarantine.purchases set reasons = array('x')", "purchases", "purchases: quarantine"),
    (
        "update raw.purchases set product = '2' where product = '1'",
        "purchases",
        "purchases: rows are not as they landed",
    ),
    ("delete from raw.fleet_sensors", "fleet_sensors", "fleet_sensors: lines are not as they landed"),
    ("delete from quarantine.sensor_readings", "fleet_sensors", "fleet_sensors: a line is nowhere"),
    ("update stage.sensor_readings set value = value + 1", "fleet_sensors", "fleet_sensors: readings"),
    ("update ops.landed_files set rows_valid = rows_valid + 1 where status = 'loaded'", "events", "counts"),
]


def test_every_kind_of_loss_is_seen(own: fuzz.Session, tmp_path: Path) -> None:
    row = "1000000001,1,1000001,2026-01-01\n"
    line = '{"truck_id":"T1","recorded_at":"2026-01-10T10:%02d:00Z","speed":1}\n'
    lines = "".join(line % minute for minute in range(40))
    files = [
        File("events", "a.csv", f"time,action\n{FILLER}x,y\n".encode()),
        File("purchases", "2026/02/01/a.csv", f"PurchaseID,product,user,date\n{row * 40}x,1,1,1\n".encode()),
        File("fleet_sensors", "2026/01/10/a.jsonl", f"{lines}x\n".encode()),
    ]
    lake = own.fresh(files)
    run = fuzz.built(lake)

    def found(*sources: str) -> set[str]:
        checked = Checked()
        Tables(lake, files, run, checked).check(sources=sources or SOURCES)
        return {finding.kind for finding in checked.findings}

    assert run.success, run.said
    assert found() == set()
    for statement, source, kind in SABOTAGE:
        table = next(word for word in statement.split() if "." in word)
        version = lake.rows(f"describe history {table} limit 1")[0][0]
        lake.rows(statement)
        assert any(kind in one for one in found(source)), statement
        lake.rows(f"restore table {table} to version as of {version}")
    assert found() == set()
