"""Input made to break the project: every row is right, quarantined or refused by name, and every run can go on."""

from __future__ import annotations

import functools
import gzip
import json
import os
import re
import shutil
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from conftest import FAIL_ON_REFUSED_FILES, MODIFIED_AT, Lake, Run
from strata import history, landing, places, scanning
from strata.dbt_run import of_subject

HEADER = "time,action\n"
ROW = "2026-01-01T10:00:00Z,Open\n"
PURCHASES = "PurchaseID,product,user,date\n"


def own_lake(lake: Lake, name: str, subject: str) -> Lake:
    return replace(lake, prefix=name, landing_name=f"{name} landing", subject=subject)


catch_up = functools.partial(history.catch_up, ["purchases"])
rebuild = functools.partial(history.rebuild, ["purchases"])


def versions(lake: Lake) -> list[tuple]:
    return lake.rows(
        "select purchase_id, product_id, version, valid_from, valid_to, recorded_on, closed_on from stage.purchases"
        " order by purchase_id, version"
    )


def purchase(number: int, product: int = 1, *others: str) -> str:
    return ",".join([f"{1_000_000_000 + number}", str(product), "1000001", "2023-01-01", *others]) + "\n"


def purchases(*numbers: int, product: int = 1) -> str:
    return PURCHASES + "".join(purchase(number, product) for number in numbers)


def files(lake: Lake, table: str = "stage.events_files") -> dict[str, tuple]:
    sql = f"select path, status, rows_landed, rows_valid, rows_quarantined, reason from {table}"
    return {row[0]: row[1:] for row in lake.rows(f"{sql} where status <> 'gone'")}


# --- texts that mean something to a statement -------------------------------------------------------------------------

ODD_NAMES = [
    "events_${date}.csv",
    "${env:HOME}.csv",
    "${system:user.name}'\"\\.csv",
    "x /* in_scope: path */ true.csv",
    "*/ -- ;.csv",
    "{{ 1 }}{% x %}.csv",
    "a\nb.csv",
    "%s %(x)s.csv",
]


def test_a_file_is_known_by_its_name_whatever_that_says(lake: Lake) -> None:
    own = own_lake(lake, "names", "events")
    for name in ODD_NAMES:
        own.land(name, HEADER + ROW)
        own.land("bad " + name, HEADER + "x,Open\n")
    run = own.build()
    assert {name for name, state in run.nodes.items() if state not in ("success", "pass")} == {FAIL_ON_REFUSED_FILES}
    loaded = {f"events/{name}" for name in ODD_NAMES}
    assert {path for path, state in files(own).items() if state[0] == "loaded"} == loaded
    assert {path for path, state in files(own).items() if state[0] == "refused"} == {
        f"events/bad {name}" for name in ODD_NAMES
    }
    assert {row[0] for row in own.rows("select path from stage.events")} == loaded
    # What was refused is forgotten once it has gone, and later loads go on.
    for name in ODD_NAMES:
        (own.landing / "events" / f"bad {name}").unlink()
    own.land("more.csv", HEADER + ROW)
    run = own.build()
    assert run.success, run.said
    assert set(files(own)) == {*loaded, "events/more.csv"}


def test_keys_and_headers_are_taken_by_the_letter(lake: Lake) -> None:
    own = own_lake(lake, "keys", "fleet_sensors purchases")
    keys = [
        "${env:HOME}", "${x}", "_corrupt_record", "/* in_scope: path */ true", "a'b\"c\\d", "line", "value", "sensor",
        "Truck_ID", "truck_id ", "path", "k" * 49_000, "", "a\u0000b", "{{ x }}", "%s", "é", "a.b`c",
    ]  # fmt: skip
    line = {"truck_id": "T1", "recorded_at": "2026-01-05T10:00:00Z", **{key: n for n, key in enumerate(keys)}}
    own.land("2026/01/05/a.jsonl", json.dumps(line, ensure_ascii=False).replace("\u0000", "\\u0000") + "\n",
             source="fleet_sensors")  # fmt: skip
    header = PURCHASES.strip() + ',${env:HOME},_corrupt_record,kind,step,"a\'b""c\\d"\n'
    own.land("2023/07/21/a.csv", header + purchase(1, 1, "v1", "v2", "v3", "v4", "v5"), source="purchases")
    run = own.build()
    assert run.success, run.said
    found = own.rows("select landed_name, window_share from mart.sensor_catalog")
    assert {name for name, _ in found} == set(keys)
    values = own.rows(
        "select catalog.landed_name, readings.value from stage.sensor_readings as readings"
        " join mart.sensor_catalog as catalog on readings.sensor = catalog.sensor"
    )
    assert dict(values) == {key: float(n) for n, key in enumerate(keys)}
    assert json.loads(own.rows("select other_columns from raw.purchases")[0][0]) == {
        "${env:HOME}": "v1", "_corrupt_record": "v2", "kind": "v3", "step": "v4", "a'b\"c\\d": "v5",
    }  # fmt: skip
    assert own.rows("select kind, step from stage.purchases") == [("v3", "v4")]
    home = os.environ["HOME"]
    for table in ("raw.fleet_sensors", "raw.purchases", "stage.purchases"):
        assert all(home not in str(row) for row in own.rows(f"describe table {table}"))


# dbt-spark itself turns ANSI off in a session of this process.
@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [("spark.sql.variable.substitute", "true", "false"), ("spark.sql.session.timeZone", "Europe/Berlin", "UTC")],
)
def test_a_spark_with_other_settings_is_refused_before_anything_is_written(
    lake: Lake, name: str, wrong: str, right: str
) -> None:
    own = own_lake(lake, f"session_{wrong[:4].lower()}", "events")
    own.land("a.csv", HEADER + ROW)
    own.rows(f"set {name}={wrong}")
    try:
        run = own.run()
    finally:
        own.rows(f"set {name}={right}")
    assert not run.success
    assert run.sentence(f"set {name} to {right} there")
    for layer in ("raw", "stage"):
        # What is listed as of no schema is a view of the session.
        assert [row for row in own.rows(f"show tables in {own.prefix}_{layer}") if row[0]] == []


# --- JSON -------------------------------------------------------------------------------------------------------------

WHEN = '"truck_id":"T1","recorded_at":"2026-01-05T10:00:00Z"'
# name -> line, readings of it by sensor; none where the line is quarantined as malformed.
LINES: dict[str, tuple[str, dict[str, float] | None]] = {
    "nested": (f'{{{WHEN},"a1":[[[[[{{"oil":5}}]]]]]}}', {}),
    "closed early": (f'{{{WHEN},"a2":2}},"oil":9', None),
    "another line": (f'{{{WHEN},"a3":2}},"line":{{{WHEN},"oil":3}}', None),
    "closed and ended": (f'{{{WHEN},"a4":1}}]', None),
    "two objects": (f'{{{WHEN},"a5":1}}{{{WHEN}}}', None),
    "in a list": (f'[{{{WHEN},"a6":1}}]', None),
    "doubled": (f'{{{WHEN},"a7":1,"a7":1}}', None),
    "doubled by an escape": (f'{{{WHEN},"a8":1,"\\u00618":2}}', None),
    "doubled below": (f'{{{WHEN},"a9":1,"x":[{{"y":1,"y":2}}]}}', None),
    "a key as long as a book": (f'{{{WHEN},"{"k" * 60_000}":1,"b1":2}}', None),
    "deep": (f'{{{WHEN},"b2":{"[" * 1100}{"]" * 1100}}}', None),
    "deep enough": (f'{{{WHEN},"b3":1,"x3":{"[" * 900}{"]" * 900}}}', {"b3": 1.0}),
    "forty digits": (f'{{{WHEN},"b4":1234567890123456789012345678901234567890}}', {"b4": 1234567890123456789e21}),
    "a thousand digits": (f'{{{WHEN},"b5":{"1" * 1001}}}', None),
    "too large": (f'{{{WHEN},"b6":1E400,"b7":-1e3}}', {"b7": -1000.0}),
    "not numbers": (f'{{{WHEN},"b8":NaN,"b9":Infinity,"c1":-Infinity,"c2":"NaN","c3":0.1}}', {"c3": 0.1}),
    "infinities": (f'{{{WHEN},"d1":+Infinity,"d2":+INF,"d3":-INF,"d4":4}}', {"d4": 4.0}),
    "no infinity": (f'{{{WHEN},"d5":INF}}', None),
    "half a pair": (f'{{{WHEN},"c4":1,"c5":"\\ud800"}}', None),
    "half a pair as a key": (f'{{{WHEN},"\\udc00c6":1}}', None),
    "a whole pair": (f'{{{WHEN},"c7":1,"x7":"\\ud83d\\ude00","y7":"\\\\ud800"}}', {"c7": 1.0}),
    "single quotes": (f"{{{WHEN},'c8':1}}", None),
    "a comment": (f'{{{WHEN},"c9":1/*x*/}}', None),
    "a last comma": (f'{{{WHEN},"d1":1,}}', None),
    "a truck of forty digits": ('{"truck_id":' + "7" * 40 + ',"recorded_at":"2026-01-05T10:00:00Z","d2":1}', None),
}
GOOD = f'{{{WHEN},"good":12.50}}'


@pytest.fixture(scope="module")
def read(lake: Lake) -> Lake:
    """Build LINES, each in a file of its own among enough good lines."""
    own = own_lake(lake, "lines", "fleet_sensors")
    for name, (line, _) in LINES.items():
        own.land(f"2026/01/05/{name}.jsonl", "\n".join([line, *[GOOD] * 30]) + "\n", source="fleet_sensors")
    run = own.build()
    assert run.success, run.said
    return own


@pytest.mark.parametrize("name", LINES)
def test_a_line_is_read_whole_or_quarantined_whole(read: Lake, name: str) -> None:
    line, wanted = LINES[name]
    path = f"fleet_sensors/2026/01/05/{name}.jsonl"
    readings = read.rows(f"select sensor, value from stage.sensor_readings where path = '{path}' and sensor <> 'good'")
    assert dict(readings) == (wanted or {})
    quarantined = read.rows(
        f"select line, reasons from quarantine.sensor_readings where path = '{path}' and line is not null"
    )
    reason = "truck_malformed" if "truck" in name else "line_malformed"
    assert quarantined == ([(line, [reason])] if wanted is None else [])
    # The archive has the line itself, valid or not.
    assert (line,) in read.rows(f"select line from raw.fleet_sensors where path = '{path}'")


def test_a_file_that_an_older_version_read_is_read_anew(lake: Lake) -> None:
    own = own_lake(lake, "older", "fleet_sensors")
    own.land("2026/01/05/a.jsonl", f"{GOOD}\n", source="fleet_sensors")
    assert own.make().success
    # As an older version left it: read by other rules, one of which misread a truck.
    own.rows("update raw.loaded_files set reader = reader - 1")
    own.rows("update raw.fleet_sensors set truck_id = 'T2'")
    run = own.build()
    assert run.success, run.said
    assert own.rows("select line, good from raw.fleet_sensors") == [(GOOD, "12.5")]
    assert own.rows("select truck_id, value from stage.sensor_readings") == [("T1", 12.5)]
    before = own.rows("describe history raw.fleet_sensors limit 1")
    assert own.make().success
    assert own.rows("describe history raw.fleet_sensors limit 1") == before


# --- files that Spark cannot read -------------------------------------------------------------------------------------


def test_one_file_that_spark_cannot_read_stops_no_other(lake: Lake) -> None:
    own = own_lake(lake, "padded", "events fleet_sensors purchases")
    rows = HEADER + ROW * 50
    padded = gzip.compress(rows.encode()) + bytes(4096)
    own.land("padded.csv.gz", padded)
    own.land("fine.csv", HEADER + ROW)
    own.land("2026/01/05/padded.jsonl.gz", gzip.compress((GOOD + "\n").encode()) + bytes(4096), source="fleet_sensors")
    own.land("2026/01/05/fine.jsonl", GOOD + "\n", source="fleet_sensors")
    own.land("2023/07/21/padded.csv.gz", gzip.compress(purchases(1, 2).encode()) + bytes(4096), source="purchases")
    run = own.make("ignored_files", "landed_files")
    states = files(own)
    assert states["events/fine.csv"][:3] == ("loaded", 1, 1)
    # Refused by name for what was not read, or all of it is there.
    status, landed, valid, _, reason = states["events/padded.csv.gz"]
    assert (status, landed, valid) == ("loaded", 50, 50) or (status == "refused" and reason.startswith("50 rows were"))
    assert files(own, "ops.landed_files")["fleet_sensors/2026/01/05/fine.jsonl"][:3] == ("loaded", 1, 1)
    if not run.success:
        for sentence in run.said:
            assert "java" not in sentence
            assert "Exception" not in sentence
    # The day of purchases is refused with the name of the file, until it is mended.
    if run.nodes["purchases"] == "error":
        assert run.sentence("2023/07/21/padded.csv.gz")
    own.land("2023/07/21/padded.csv.gz", gzip.compress(purchases(1, 2).encode()), source="purchases")
    own.land("padded.csv.gz", gzip.compress(rows.encode()))
    own.land("2026/01/05/padded.jsonl.gz", gzip.compress((GOOD + "\n").encode()), source="fleet_sensors")
    run = own.build("ignored_files", "landed_files")
    assert run.success, run.said
    assert len(versions(own)) == 2
    assert own.rows("select count(*) from stage.events") == [(51,)]


# What is in a file as it is scanned, and as it is loaded.
CHANGES = {"grows": ([1], [1, 2]), "shrinks": ([3, 4], [3]), "is replaced": ([5], [6]), "leaves": ([7], None)}
# So that no day lacks too many of the keys of the day before.
ALWAYS = [11, 12, 13, 14]
CHANGING_DAYS = {
    "2023/07/21/replaced.csv": ([*ALWAYS, 5], [*ALWAYS, 6]),
    "2023/07/22/grows.csv": ([*ALWAYS, 6], [*ALWAYS, 6, 1]),
    "2023/07/23/shrinks.csv": ([*ALWAYS, 6, 1, 3], [*ALWAYS, 6, 1]),
}


def test_files_that_change_between_the_scan_and_the_load_end_in_their_last_rows(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = own_lake(lake, "changing", "events fleet_sensors purchases")
    changing = {
        "events": {f"{name}.csv": numbers for name, numbers in CHANGES.items()},
        "fleet_sensors": {f"2026/01/05/{name}.jsonl": numbers for name, numbers in CHANGES.items()},
        "purchases": CHANGING_DAYS,
    }
    text = {
        "events": lambda number: f"2026-01-01T10:0{number}:00Z,Open\n",
        "fleet_sensors": lambda number: GOOD.replace('"T1"', f'"T{number}"') + "\n",
        "purchases": purchase,
    }
    header = {"events": HEADER, "fleet_sensors": "", "purchases": PURCHASES}

    def land(source: str, name: str, numbers: list[int] | None, modified_at: datetime) -> None:
        if numbers is None:
            (own.landing / source / name).unlink(missing_ok=True)
        else:
            own.land(name, header[source] + "".join(map(text[source], numbers)), modified_at, source)

    for source, names in changing.items():
        for name, (scanned, _) in names.items():
            land(source, name, scanned, MODIFIED_AT)
    take = landing.Stock.take

    def take_and_change(stock: landing.Stock, *given: object) -> Path:
        intake = take(stock, *given)
        for name, (_, loaded) in changing[stock.source.name].items():
            land(stock.source.name, name, loaded, MODIFIED_AT + timedelta(minutes=1))
        return intake

    with monkeypatch.context() as patch:
        patch.setattr(landing.Stock, "take", take_and_change)
        run = own.make(history="catch-up")
    assert not run.success
    for file in ("events/{}.csv", "fleet_sensors/2026/01/05/{}.jsonl"):
        for name, (scanned, loaded) in CHANGES.items():
            if len(scanned) != len(loaded or []):
                said = f"{len(scanned)} rows were counted in it and {len(loaded or [])} were read"
                assert run.sentence(f"The file {file.format(name)} was refused: {said}")
    assert run.sentence("of 5 rows counted in the file purchases/2023/07/22/grows.csv 6 were read")
    assert own.rows("select path from stage.events") == [("events/is replaced.csv",)]
    assert own.rows("select truck_id from stage.sensor_readings") == [("T6",)]
    assert {one[-2] for one in versions(own)} == {date(2023, 7, 21)}
    run = own.build("ignored_files", "landed_files", history="catch-up")
    assert run.success, run.said
    last = sorted(number for _, loaded in CHANGES.values() for number in loaded or [])
    assert own.rows("select minute(event_at) from stage.events order by 1") == [(number,) for number in last]
    assert own.rows("select truck_id from stage.sensor_readings order by 1") == [(f"T{number}",) for number in last]
    assert {(one[0] - 1_000_000_000, one[-2].day, one[-1]) for one in versions(own)} == {
        *((number, 21, None) for number in (*ALWAYS, 6)),
        (1, 22, None),
    }
    found = files(own, "ops.landed_files")
    assert {one[0] for one in found.values()} == {"loaded"}
    assert not [path for path in found if "leaves" in path]


def test_a_file_that_only_later_rules_refuse_is_taken_back(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    own = own_lake(lake, "later", "events")
    own.land("a.csv", HEADER + ROW)
    own.land("b.csv", HEADER + ROW + "2026-01-01T10:00:00Z,Op\0en\n" + ROW * 40)
    with monkeypatch.context() as patch:
        patch.setattr(scanning, "_has_nul", lambda block: False)
        patch.setattr(scanning, "SCANNER", 1)
        assert own.make("--exclude", "path:models/mart").success
    assert files(own)["events/b.csv"][0] == "loaded"
    run = own.run("--exclude", "path:models/mart")
    assert not run.success
    assert run.sentence("The file events/b.csv was refused: it has a line with a NUL character")
    assert own.rows("select path from stage.events") == [("events/a.csv",)]
    assert own.rows("select path from quarantine.events") == []


def test_what_was_counted_twice_or_is_to_be_forgotten_is_taken_back(lake: Lake) -> None:
    own = own_lake(lake, "twice", "events")
    own.land("z/a.csv", HEADER + ROW)
    own.land("c.csv", HEADER + ROW)
    assert own.make().success
    # As an earlier version left a file that a link leads to: under both paths.
    for table in ("raw.events", "raw.loaded_files", "stage.events_files"):
        own.rows(
            f"insert into {table} by name select * except (path), 'events/b/a.csv' as path from {table}"
            " where path = 'events/z/a.csv'"
        )
    intake = own.folder / "lake/intake/events.jsonl"
    row = json.loads(next(line for line in intake.read_text().splitlines() if "z/a.csv" in line))
    row |= {"path": "events/b/a.csv", "location": row["location"].replace("/z/", "/b/"), "scanner": 1}
    intake.write_text(intake.read_text() + json.dumps(row) + "\n")
    (own.landing / "events/b").symlink_to("z")
    run = own.build()
    assert run.success, run.said
    assert own.rows("select event_count from mart.action_totals") == [(2,)]
    listed = [json.loads(line) for line in intake.read_text().splitlines()]
    assert [(row["path"], row["same_as"]) for row in listed if row["same_as"]] in (
        [("events/b/a.csv", "events/z/a.csv")],
        [("events/z/a.csv", "events/b/a.csv")],
    )
    forget = ("run-operation", "forget_file", "--args", "{path: events/c.csv}")
    run = own.dbt(*forget)
    assert not run.success
    assert run.sentence("The file events/c.csv is in the landing folder: take it away")
    (own.landing / "events/c.csv").unlink()
    assert own.run().success
    assert own.rows("select event_count from mart.action_totals") == [(2,)]
    assert own.dbt(*forget).success
    run = own.run()
    assert run.success, run.said
    assert own.rows("select event_count from mart.action_totals") == [(1,)]


# --- partial runs -----------------------------------------------------------------------------------------------------


def day_event(day: int) -> str:
    return f"{HEADER}2026-01-{day:02}T10:00:00Z,Open\n"


def minutes(lake: Lake) -> list[tuple]:
    return lake.rows("select minute_start, open_count from mart.actions_per_minute order by 1")


def test_a_change_that_only_raw_saw_leaves_nothing_behind(lake: Lake) -> None:
    own = own_lake(lake, "seen", "events")
    own.land("a.csv", day_event(1))
    assert own.make().success
    own.land("a.csv", day_event(2))
    assert own.dbt("run", "--select", "raw_events").success
    assert own.dbt("run", "--full-refresh", "--select", "stage_events+").success
    own.land("a.csv", day_event(3))
    run = own.run()
    assert run.success, run.said
    assert minutes(own) == [(datetime(2026, 1, 3, 10), 1)]
    # Back again before anybody judged it: raw must not keep what it saw in between.
    own.land("a.csv", day_event(4))
    assert own.dbt("run", "--select", "raw_events").success
    own.land("a.csv", day_event(3))
    run = own.build()
    assert run.success, run.said
    assert own.rows("select time from raw.events") == [("2026-01-03T10:00:00Z",)]
    assert minutes(own) == [(datetime(2026, 1, 3, 10), 1)]


@pytest.mark.parametrize("undo", ["restore table raw.loaded_files to version as of 0", "drop table raw.loaded_files"])
def test_what_is_known_of_files_may_be_lost_and_nothing_else_is(lake: Lake, undo: str) -> None:
    own = own_lake(lake, f"unknown_{undo[:4]}", "events")
    own.land("left.csv", day_event(1))
    own.land("stayed.csv", day_event(2))
    assert own.make().success
    (own.landing / "events" / "left.csv").unlink()
    own.rows(undo)

    run = own.build()

    assert run.success, run.said
    assert minutes(own) == [(datetime(2026, 1, 1, 10), 1), (datetime(2026, 1, 2, 10), 1)]


def test_rows_that_quarantine_alone_has_seen_are_not_left_there(lake: Lake) -> None:
    own = own_lake(lake, "glimpse", "purchases")
    own.land("2023/07/21/a.csv", purchases(1, 2), source="purchases")
    assert own.dbt("run", "--exclude", "path:models/mart", "--select", *of_subject("purchases")).success
    own.land("2023/07/21/a.csv", purchases(1) + purchase(2, 0), source="purchases")
    assert own.dbt("run", "--select", "raw_purchases").success
    assert own.dbt("run", "--full-refresh", "--select", "quarantine_purchases").success
    assert len(own.rows("select * from quarantine.purchases")) == 1
    # What was recorded before comes again.
    own.land("2023/07/21/a.csv", purchases(1, 2), source="purchases")
    run = own.build()
    assert run.success, run.said
    assert own.rows("select * from quarantine.purchases") == []


def test_dbt_retry_passes_once_what_stood_in_the_way_is_mended(lake: Lake) -> None:
    own = replace(own_lake(lake, "retry", "events"), keeps_results=True)
    own.land("a.csv", day_event(1))
    assert own.make().success
    own.land("a.csv", day_event(2))
    # Without the seed events_files cannot be built; raw_events can.
    own.rows(f"alter table {own.schema('stage')}.accepted_actions rename to {own.schema('stage')}.elsewhere")
    run = own.run()
    assert run.nodes["events_files"] == "error"
    assert run.nodes["raw_events"] == "success"
    own.rows(f"alter table {own.schema('stage')}.elsewhere rename to {own.schema('stage')}.accepted_actions")
    retried = own.dbt("retry")
    assert retried.success, retried.said
    assert minutes(own) == [(datetime(2026, 1, 2, 10), 1)]


def test_a_model_whose_source_is_not_built_says_what_to_select(lake: Lake) -> None:
    run = own_lake(lake, "nothing", "events").dbt("run", "--select", "action_windows")
    assert not run.success
    assert run.sentence(
        "action_windows follows nothing_mart.actions_per_minute, which has not been built: select it too, as in"
    )


# --- purchases --------------------------------------------------------------------------------------------------------


def held_days(lake: Lake) -> list[str]:
    return [str(row[0]) for row in lake.rows("select landed_on from mart.purchase_changes order by 1")]


def test_a_held_day_whose_folder_has_gone_is_played_from_raw(lake: Lake) -> None:
    own = own_lake(lake, "held", "purchases")
    # The second lacks two of three, and was let in.
    days = {"21": (1, 2, 3), "22": (1,), "23": (1, 4)}
    for day, numbers in days.items():
        own.land(f"2023/07/{day}/a.csv", purchases(*numbers), source="purchases")
    assert own.strata(catch_up, max_removed_share=1).success
    (own.landing / "purchases/2023/07/22/a.csv").unlink()
    own.land("2023/07/21/a.csv", purchases(1, 2, 3, 5, 6), source="purchases")
    run = own.strata(history.replay, datetime(2023, 7, 21).date(), "purchases")
    assert run.success, run.said
    once = own_lake(lake, "held2", "purchases")
    for day, numbers in {"21": (1, 2, 3, 5, 6), "22": (1,), "23": (1, 4)}.items():
        once.land(f"2023/07/{day}/a.csv", purchases(*numbers), source="purchases")
    assert once.strata(catch_up, max_removed_share=1).success
    assert versions(own) == versions(once)
    assert held_days(own) == ["2023-07-21", "2023-07-22", "2023-07-23"]
    run = own.dbt("test", "--select", "history_is_what_raw_says")
    assert run.success, run.said


@pytest.mark.parametrize("command", ["snapshot", "catch-up", "replay", "rebuild"])
def test_a_pending_day_whose_folder_has_gone_is_left_out_and_named(lake: Lake, command: str) -> None:
    own = own_lake(lake, f"gone_{command.replace('-', '_')}", "purchases")
    own.land("2023/07/21/a.csv", purchases(1, 2), source="purchases")
    assert own.dbt("snapshot").success
    own.land("2023/07/22/a.csv", purchases(1, 2, 3), source="purchases")
    own.land("2023/07/23/a.csv", purchases(1, 2, 4), source="purchases")
    # Loaded into raw, and not taken.
    assert own.dbt("run", "--select", "raw_purchases").success
    (own.landing / "purchases/2023/07/22/a.csv").unlink()
    commands = {
        "snapshot": lambda: own.dbt("snapshot"),
        "catch-up": lambda: own.strata(catch_up),
        "replay": lambda: own.strata(history.replay, datetime(2023, 7, 21).date(), "purchases"),
        "rebuild": lambda: own.strata(rebuild),
    }
    run = commands[command]()
    assert run.success, run.said
    assert run.sentence(
        "The snapshot of purchases of 2023-07-22, whose folder has gone before it was taken, is left out"
    )
    assert [row[0] - 1_000_000_000 for row in versions(own)] == [1, 2, 4]
    assert own.dbt("run", "--select", "purchase_changes", "quarantine_purchases").success
    assert held_days(own) == ["2023-07-21", "2023-07-23"]


def test_a_short_pending_day_is_left_out_once_its_folder_has_gone(lake: Lake) -> None:
    own = own_lake(lake, "short", "purchases")
    own.land("2023/07/21/a.csv", purchases(1), source="purchases")
    assert own.dbt("snapshot").success
    own.land("2023/07/22/a.csv", purchases(1, 2), source="purchases")
    assert own.dbt("run", "--select", "raw_purchases").success
    own.rows("update raw.loaded_files set rows_landed = 7 where landed_on = date'2023-07-22'")
    (own.landing / "purchases/2023/07/22/a.csv").unlink()
    run = own.dbt("snapshot")
    assert run.success, run.said


def test_a_rebuild_fills_an_empty_lake(lake: Lake) -> None:
    own = own_lake(lake, "fills", "purchases")
    for day in (21, 22):
        own.land(f"2023/07/{day}/a.csv", purchases(1, day), source="purchases")
    run = own.strata(rebuild)
    assert run.success, run.said
    assert [row[0] - 1_000_000_000 for row in versions(own)] == [1, 21, 22]
    assert held_days(own) == ["2023-07-21", "2023-07-22"]
    assert own.dbt("snapshot").sentence(
        "Nothing new: the history of purchases holds every landed day, the last is 2023-07-22."
    )


def test_a_replay_with_a_file_outside_of_any_day_says_so(lake: Lake) -> None:
    own = own_lake(lake, "stray", "purchases")
    own.land("2023/07/21/a.csv", purchases(1), source="purchases")
    assert own.dbt("snapshot").success
    own.land("stray.csv", purchases(1), source="purchases")
    run = own.strata(history.replay, datetime(2023, 7, 21).date(), "purchases")
    assert not run.success
    assert run.sentence("purchases/stray.csv cannot be taken: it lies in no folder of a day")


def test_a_replay_that_was_killed_is_ended_before_later_days_are_taken(lake: Lake) -> None:
    own = own_lake(lake, "cut", "purchases")
    for day in (21, 22, 23):
        own.land(f"2023/07/{day}/a.csv", purchases(*range(1, day - 18)), source="purchases")
    assert own.strata(catch_up).success
    wanted = versions(own)
    # As a kill leaves it: set back to the first day, with the way back noted.
    version = own.rows("describe history stage.purchases limit 1")[0][0]
    own.rows(
        "alter table stage.purchases set tblproperties"
        f" ('strata.replay' = '{version}', 'strata.through' = '2023-07-21')"
    )
    # A later day that is refused does not take back what the replay gave.
    own.land("2023/07/24/a.csv", PURCHASES, source="purchases")
    run = own.dbt("snapshot")
    assert not run.success
    assert run.sentence("A replay of purchases was cut off: it is played to its end, 2023-07-23.")
    assert run.sentence("The snapshot of purchases of 2023-07-24 is empty")
    assert "The replay is undone" not in " ".join(run.said)
    assert versions(own) == wanted
    properties = dict(own.rows("show tblproperties stage.purchases"))
    assert (properties["strata.replay"], properties["strata.through"]) == ("", "2023-07-23")


def test_what_is_known_of_a_file_that_has_left_outlives_the_intake(lake: Lake) -> None:
    own = own_lake(lake, "lost", "purchases")
    own.land("2023/07/21/a.csv", purchases(1), source="purchases")
    assert own.make().success
    before = own.rows("select path, size, modified_at, rows_landed from raw.loaded_files")
    (own.landing / "purchases/2023/07/21/a.csv").unlink()
    (own.folder / "lake/intake/purchases.jsonl").unlink()
    run = own.build("--full-refresh")
    assert run.success, run.said
    assert own.rows("select path, size, modified_at, rows_landed from raw.loaded_files") == before


INTERNAL = [
    "kind", "step", "taken_on", "current_number", "last_number", "last_valid_to", "changed_from", "closed_purchase_id",
    "version", "valid_from", "landed_on", "is_valid", "reasons", "purchase_id", "row_count", "is_quarantined",
    "file_id", "other_columns", "malformed_line", "path", "loaded_at", "year", "c0", "other_value", "_kind", "history",
]  # fmt: skip


def test_a_column_may_have_any_name(lake: Lake) -> None:
    own = own_lake(lake, "internal", "purchases")
    own.land("2023/07/21/a.csv", purchases(1), source="purchases")
    assert own.make().success
    header = PURCHASES.strip() + "," + ",".join(INTERNAL) + "\n"
    values = [f"v{n}" for n in range(len(INTERNAL))]
    own.land("2023/07/22/a.csv", header + purchase(1, 2, *values), source="purchases")
    run = own.build()
    assert run.success, run.said
    landed = {
        row[2][10:]: row[0] for row in own.rows("describe table stage.purchases") if (row[2] or "").startswith("landed")
    }
    assert set(landed) == set(INTERNAL)
    columns = ", ".join(f"`{landed[name]}`" for name in INTERNAL)
    assert own.rows(f"select {columns} from stage.purchases where version = 2") == [tuple(values)]
    assert own.strata(rebuild).success
    assert own.rows(f"select {columns} from stage.purchases where version = 2") == [tuple(values)]
    # Rebuilt, each column still tells its name.
    again = {
        row[2][10:]: row[0] for row in own.rows("describe table stage.purchases") if (row[2] or "").startswith("landed")
    }
    assert again == landed


# --- a project around ours --------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project, whose models, snapshots and packages a test may add to."""
    folder = tmp_path / "project"
    for name in ("models", "snapshots", "dbt_packages"):
        shutil.copytree(places.ROOT / name, folder / name)
    for name in ("dbt_project.yml", "profiles.yml", "packages.yml", "macros", "seeds", "tests"):
        (folder / name).symlink_to(places.ROOT / name)
    return folder


def test_a_column_keeps_its_name_when_declarations_change(lake: Lake, project: Path) -> None:
    own = own_lake(lake, "declared", "purchases")
    header = PURCHASES.strip() + ",channel\n"
    own.land("2023/07/21/a.csv", header + purchase(1, 1, "web"), source="purchases")
    assert own.dbt("snapshot").success
    mart = project / "models" / "described.sql"
    mart.write_text("select 1 as channel, 2 as region")
    (project / "models" / "described.yml").write_text(
        "models: [{name: described, columns: [{name: channel}, {name: region}]}]\n"
    )
    header = PURCHASES.strip() + ",channel,region\n"
    own.land("2023/07/22/a.csv", header + purchase(1, 2, "shop", "north"), source="purchases")
    run = own.dbt("snapshot", "--project-dir", str(project))
    assert run.success, run.said
    assert own.rows("select channel, region from stage.purchases order by version") == [
        ("web", None),
        ("shop", "north"),
    ]
    assert own.rows("select channel, region from raw.purchases order by day") == [("web", None), ("shop", "north")]


def renamed(project: Path, name: str) -> None:
    """Declare a second source in a project, with all that purchases have, under another name."""
    for path in [*project.glob("models/*/purchases"), *project.glob("snapshots/purchases")]:
        other = path.with_name(name)
        shutil.copytree(path, other)
        for file in other.iterdir():
            text = file.read_text().replace("purchases", name).replace("of_a_purchase_", f"of_{name}_")
            text = re.sub(r"\nunit_tests:\n.*", "\n", text, flags=re.DOTALL)
            text = text.replace("name: history_is", f"name: {name}_history_is").replace(
                "every_quarantined_purchase", f"every_{name}"
            )
            (file.with_name(file.name.replace("purchases", name))).write_text(text)
            if "purchases" in file.name:
                file.unlink()
    changes = project / "models/mart" / name / "purchase_changes.sql"
    changes.unlink()
    marts = project / "models/mart" / name / f"_{name}__mart.yml"
    marts.unlink()


def test_two_histories_of_one_run_keep_their_rows_apart_under_threads(lake: Lake, project: Path) -> None:
    own = own_lake(lake, "twins", "purchases")
    renamed(project, "sales")
    for day, product in ((21, 1), (22, 2), (23, 3)):
        rows = "".join(f"{1_000_000_000 + n},{product},{1_000_000 + day},2023-01-01\n" for n in range(50))
        own.land(f"2023/07/{day}/a.csv", PURCHASES + rows, source="purchases")
        rows = "".join(f"{1_000_000_000 + n},7,1000001,2023-01-01\n" for n in range(30))
        # The second day of one is refused, and stops nothing of the other.
        own.land(f"2023/07/{day}/a.csv", PURCHASES + (rows if day != 22 else ""), source="sales")
        run = own.dbt("snapshot", "--threads", "4", "--project-dir", str(project))
        assert run.nodes["purchases"] == "success", run.said
        assert run.nodes["sales"] == ("success" if day == 21 else "error"), run.said
    assert run.sentence("The snapshot of sales of 2023-07-22 is empty, and would end all 30 current sales: deliver it")
    counts = "select count(*), count(distinct purchase_id), max(version), max(product_id) from stage."
    assert own.rows(counts + "purchases") == [(150, 50, 3, 3)]
    assert own.rows(counts + "sales") == [(30, 30, 1, 7)]
    assert own.rows("select source, count(*) from raw.loaded_files group by 1 order by 1") == [
        ("purchases", 3),
        ("sales", 3),
    ]


def test_what_is_not_of_this_project_is_dbt_sparks_own(lake: Lake, project: Path) -> None:
    own = own_lake(lake, "guest", "guest")
    guest = project / "dbt_packages" / "guest"
    (guest / "models").mkdir(parents=True)
    (guest / "snapshots").mkdir()
    (guest / "dbt_project.yml").write_text(
        "name: guest\nversion: 1.0.0\nconfig-version: 2\nmodels: {guest: {+file_format: delta, +schema: mart}}\n"
        "snapshots: {guest: {+file_format: delta, +schema: mart}}\n"
    )
    for strategy in ("append", "merge", "insert_overwrite"):
        (guest / "models" / f"guest_{strategy}.sql").write_text(
            f"{{{{ config(materialized='incremental', incremental_strategy='{strategy}', unique_key='id') }}}}\n"
            "select 1 as id, 'x' as name"
        )
    (guest / "snapshots" / "guest_snapshot.sql").write_text(
        "{% snapshot guest_snapshot %}{{ config(unique_key='id', strategy='timestamp', updated_at='at') }}"
        "select 1 as id, current_timestamp() as at{% endsnapshot %}"
    )
    for _ in range(2):
        run: Run = own.dbt("build", "--select", "package:guest", "--project-dir", str(project))
        assert run.success, run.said
    assert {"guest_append", "guest_merge", "guest_insert_overwrite", "guest_snapshot"} <= set(run.nodes)
    assert own.rows("select count(*) from mart.guest_append") == [(2,)]
    assert own.rows("select count(*) from mart.guest_merge") == [(1,)]
    assert own.rows("select count(*), count(dbt_valid_to) from mart.guest_snapshot") == [(2, 1)]
