"""Events from landing files to window marts: real files, real builds, against plain Python."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import random
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import reference
from conftest import FAIL_ON_REFUSED_FILES, MODIFIED_AT, Lake
from strata import places, sources

MARTS = {
    "actions_per_minute": "minute_start",
    "action_windows": "window_start",
    "action_totals": "window_count",
    "top_open_windows": "rank",
}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def csv(*events: reference.Event, header: str = "time,action") -> str:
    return "\n".join([header, *(f"{moment.isoformat()}Z,{action}" for moment, action in events)]) + "\n"


def some_events(seed: int, day: str, count: int = 40) -> list[reference.Event]:
    chance = random.Random(seed)
    return [
        (at(day) + timedelta(milliseconds=chance.randrange(86_400_000)), chance.choice(["Open", "Close"]))
        for _ in range(count)
    ]


def marts(lake: Lake) -> dict[str, list[tuple]]:
    return {name: lake.rows(f"select * from mart.{name} order by {key}") for name, key in MARTS.items()}


def expected_marts(events: list[reference.Event]) -> dict[str, list[tuple]]:
    return {name: getattr(reference, name)(events) for name in MARTS}


@pytest.fixture(scope="module")
def lake(lake: Lake) -> Lake:
    """The module's lake, for events alone; the tests of the whole project say so."""
    return replace(lake, subject="events")


def files(lake: Lake) -> dict[str, tuple]:
    sql = (
        "select path, status, rows_landed, rows_valid, rows_quarantined, rows_refused from stage.events_files"
        " where status <> 'gone'"
    )
    return {row[0]: row[1:] for row in lake.rows(sql)}


# --- every faulty file, in one lake and one build ---------------------------------------------------------------------

GOOD = [(at("2026-01-01T10:00:00"), "Open")]
ROW = "2026-01-01T10:00:00Z,Open\n"
HEADER = "time,action\n"
FILLER = ROW * 40

# name -> content, status, rows landed, valid, quarantined, refused; a part of the sentence where it is refused.
FILES: dict[str, tuple] = {
    "plain.csv": (HEADER + ROW, "loaded", 1, 1, 0, 0),
    "gzip.csv.gz": (HEADER + ROW, "loaded", 1, 1, 0, 0),
    "year=2026/month=01/day=01/hive.csv": (HEADER + ROW, "loaded", 1, 1, 0, 0),
    "order.csv": ("action,time\nOpen,2026-01-01T10:00:00Z\n", "loaded", 1, 1, 0, 0),
    "more.csv": (
        "note,time,über,action\nx,2026-01-01T10:00:00Z,\"a,b\",Open\n,2026-01-01T10:00:00Z,,Open\n",
        "loaded", 2, 2, 0, 0,
    ),
    "bom.csv": ("\ufeff" + HEADER + ROW, "loaded", 1, 1, 0, 0),
    "crlf.csv": ((HEADER + ROW).replace("\n", "\r\n"), "loaded", 1, 1, 0, 0),
    "cr.csv": ((HEADER + ROW).replace("\n", "\r"), "loaded", 1, 1, 0, 0),
    "quotes.csv": ('"time","action"\n"2026-01-01T10:00:00Z","Open"\n', "loaded", 1, 1, 0, 0),
    "blank.csv": (f"\n{HEADER}\n  \n{ROW}\n\n", "loaded", 1, 1, 0, 0),
    "unended.csv": ((HEADER + ROW).rstrip("\n"), "loaded", 1, 1, 0, 0),
    "empty.csv": ("", "loaded", 0, 0, 0, 0),
    "header.csv": (HEADER, "loaded", 0, 0, 0, 0),
    "names, {a}*[b]? é'%20+#.csv": (HEADER + ROW, "loaded", 1, 1, 0, 0),
    "equal rows.csv": (HEADER + ROW * 3, "loaded", 3, 3, 0, 0),
    "fields.csv": (HEADER + FILLER + "2026-01-01T10:00:00Z\n" + ROW.replace("\n", ",x\n"), "loaded", 42, 40, 2, 0),
    "stray.csv": (
        HEADER + FILLER + '2026-01-01T10:00:00Z,"Open\n' + '"2026-01-01T10:00:00Z","Open"\n',
        "loaded", 42, 41, 1, 0,
    ),
    "stray and wide.csv": (
        HEADER + FILLER + '2026-01-01T10:00:00Z,"Open\n' + "," * 30_000 + "\n", "loaded", 42, 40, 2, 0,
    ),
    "lines in quotes.csv": (
        "time,action,note\n" + '2026-01-01T10:00:00Z,Open,"one\n2026-01-01T11:11:00Z,Open,two"\n' * 2,
        "loaded", 2, 2, 0, 0,
    ),
    "mixed ends.csv": (
        "time,note,action\n" + '2026-01-01T10:00:00Z,"one\ntwo",Open\n' * 20 + "2026-01-01T10:00:00Z,,Open\r\n",
        "refused", 0, 0, 0, 0, "it has line breaks in quotes, and lines that end in different ways",
    ),
    "header again.csv": (HEADER + FILLER + HEADER, "loaded", 41, 40, 1, 0),
    "time.csv": (HEADER + FILLER + "12:30,Open\n,Open\n", "loaded", 42, 40, 2, 0),
    "future.csv": (
        HEADER + FILLER + "2026-06-01T00:00:00Z,Open\n2026-06-01T00:00:00.000001Z,Open\n",
        "loaded", 42, 41, 1, 0,
    ),
    "early.csv": (HEADER + FILLER + "1999-12-31T23:59:59Z,Open\n2000-01-01T00:00:00Z,Open\n", "loaded", 42, 41, 1, 0),
    "action.csv": (HEADER + FILLER + "2026-01-01T10:00:00Z,open\n2026-01-01T10:00:00Z,\n", "loaded", 42, 40, 2, 0),
    "at the share.csv": (HEADER + ROW * 19 + "x,Open\n", "loaded", 20, 19, 1, 0),
    "above the share.csv": (HEADER + ROW * 18 + "x,Open\n", "refused", 19, 0, 0, 19, "1 of its 19 rows are not valid"),
    "no action.csv": ("time\n2026-01-01T10:00:00Z\n", "refused", 1, 0, 0, 1, "the column action is missing"),
    "upper.csv": ("Time,Action\n" + ROW, "refused", 1, 0, 0, 1, "the column time and action is missing"),
    "many.csv": (
        "time,action,x,x,x (2)\n2026-01-01T10:00:00Z,Open,1,2,3\n" + "2026-01-01T10:00:00Z,Open,,,\n" * 40
        + "," * 30_000 + "\n",
        "loaded", 42, 41, 1, 0,
    ),
    "doubled.csv": (
        "time,action,action\n2026-01-01T10:00:00Z,Open,Close\n",
        "refused", 1, 0, 0, 1, "the column action is there more than once",
    ),
    "torn.csv.gz": (
        gzip.compress((HEADER + "".join(f"2026-01-01T10:00:{n % 60:02}Z,Open\n" for n in range(999))).encode())[:-30],
        "refused", 0, 0, 0, 0, "it is no whole gzip file",
    ),
    "latin.csv": ((HEADER + ROW).encode() + b"\xe9\n", "refused", 0, 0, 0, 0, "it holds bytes that are no UTF-8"),
}  # fmt: skip
NOT_LANDED = (".hidden.csv", "_started.csv", "half.csv.tmp")


@pytest.fixture(scope="module")
def faulty(lake: Lake) -> tuple[Lake, object]:
    """Build all of FILES at once in schemas of their own."""
    own = replace(lake, prefix="faulty", landing_name="faulty landing")
    for name, (content, *_) in FILES.items():
        own.land(name, content)
    for name in NOT_LANDED:
        own.land(name, HEADER + ROW)
    return own, own.build()


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_loaded_or_refused_and_its_rows_accounted_for(faulty, name: str) -> None:
    own, run = faulty
    _, *wanted = FILES[name]
    assert files(own)[f"events/{name}"] == tuple(wanted[:5])
    said = {line.strip() for line in run.said if f"events/{name} was refused: " in line}
    if wanted[0] == "refused":
        (sentence,) = said
        assert wanted[5] in sentence
    else:
        assert not said


def test_the_build_goes_to_its_end_and_only_then_fails(faulty) -> None:
    _, run = faulty
    assert not run.success
    assert run.nodes.pop(FAIL_ON_REFUSED_FILES) == "error"
    assert set(run.nodes.values()) == {"success", "pass"}


def test_what_has_not_landed_is_not_there(faulty) -> None:
    own, _ = faulty
    assert set(files(own)) == {f"events/{name}" for name in FILES}


def test_every_good_row_of_every_other_file_reaches_the_marts(faulty) -> None:
    own, _ = faulty
    count = sum(wanted[3] for wanted in FILES.values())
    others = [(at("2026-06-01T00:00:00"), "Open"), (at("2000-01-01T00:00:00"), "Open")]
    events = GOOD * (count - len(others)) + others
    assert own.rows("select event_at, action from stage.events order by 1") == sorted(events)
    assert marts(own) == expected_marts(events)


def test_no_value_is_in_a_wrong_column(faulty) -> None:
    own, _ = faulty
    rows = own.rows("select path, time, action, other_columns from raw.events")
    odd = {"time", "action", "12:30", "x", None, "1999-12-31T23:59:59Z", "2000-01-01T00:00:00Z", "open"}
    for path, time, action, _ in rows:
        if "no action" not in path and "upper" not in path and "doubled" not in path:
            assert time in odd or time.startswith("2026-0"), path
            assert action in odd or action == "Open", path
    others = {path: json.loads(other) for path, _, _, other in rows if other}
    assert {row[3] for row in rows if row[0] == "events/more.csv"} >= {'{"note":"x","über":"a,b"}'}
    assert others["events/doubled.csv"] == {"action": "Open", "action (2)": "Close"}
    assert {"x": "1", "x (3)": "2", "x (2)": "3"} in [
        json.loads(row[3]) for row in rows if row[0] == "events/many.csv" and row[3]
    ]
    assert others["events/lines in quotes.csv"] == {"note": "one\n2026-01-01T11:11:00Z,Open,two"}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (
            "fields.csv",
            [
                ("2026-01-01T10:00:00Z", None, None, ["field_count"]),
                ("2026-01-01T10:00:00Z,Open,x", None, None, ["field_count"]),
            ],
        ),
        ("stray.csv", [('2026-01-01T10:00:00Z,"Open', None, None, ["field_count"])]),
        ("header again.csv", [(None, "time", "action", ["time_malformed", "action_unknown"])]),
        ("time.csv", [(None, None, "Open", ["time_missing"]), (None, "12:30", "Open", ["time_malformed"])]),
        ("future.csv", [(None, "2026-06-01T00:00:00.000001Z", "Open", ["time_in_future"])]),
        ("early.csv", [(None, "1999-12-31T23:59:59Z", "Open", ["time_too_early"])]),
        (
            "action.csv",
            [
                (None, "2026-01-01T10:00:00Z", None, ["action_missing"]),
                (None, "2026-01-01T10:00:00Z", "open", ["action_unknown"]),
            ],
        ),
    ],
)
def test_a_quarantined_row_is_there_as_it_landed_with_all_reasons(faulty, name: str, wanted: list) -> None:
    own, _ = faulty
    rows = own.rows("select path, malformed_line, time, action, reasons from quarantine.events order by 2, 3, 4")
    assert [tuple(row[1:]) for row in rows if row[0] == f"events/{name}"] == wanted


def test_mended_and_removed_files_are_no_longer_refused(faulty) -> None:
    own, _ = faulty
    before = own.rows("select count(*) from raw.events")[0][0]
    for name, (_, status, *_) in FILES.items():
        if status == "refused" and name != "above the share.csv":
            (own.landing / "events" / name).unlink()
    own.land("above the share.csv", HEADER + ROW * 19)
    run = own.build()
    assert run.success, run.said
    left = files(own)
    assert left["events/above the share.csv"] == ("loaded", 19, 19, 0, 0)
    assert {state[0] for state in left.values()} == {"loaded"}
    # Raw keeps what landed, that of a refused file that has gone as well.
    assert own.rows("select count(*) from raw.events")[0][0] == before
    gone = "select count(*) from stage.events_files where status = 'gone'"
    assert own.rows(gone)[0][0] == sum(wanted[1] == "refused" for wanted in FILES.values()) - 1


# --- several runs give what one run gives -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def grown(lake: Lake) -> tuple[Lake, dict[str, list[reference.Event]]]:
    """Build three times as files come, late and replaced ones among them; the tests go on from there in order."""
    landed: dict[str, list[reference.Event]] = {}

    def land(name: str, events: list[reference.Event]) -> None:
        lake.land(name, csv(*events))
        landed[name] = events

    land("2026/01/05/a.csv", some_events(1, "2026-01-05"))
    land("2026/01/09/a.csv", some_events(2, "2026-01-09"))
    run = lake.make()
    assert run.success, run.said
    # Late events: between, before and after all others. Quiet days become busy, and new quiet days appear.
    land("2026/01/10/late.csv", some_events(3, "2026-01-07") + some_events(4, "2026-01-02", 3))
    land("2026/01/10/a.csv", some_events(5, "2026-01-12", 1))
    run = lake.run()
    assert run.success, run.said
    # Other content: the first day's file moves to another day, the one before all others goes.
    land("2026/01/05/a.csv", some_events(6, "2026-01-06"))
    land("2026/01/10/late.csv", some_events(7, "2026-01-07"))
    run = lake.build()
    assert run.success, run.said
    return lake, landed


def all_of(landed: dict[str, list[reference.Event]]) -> list[reference.Event]:
    return [event for events in landed.values() for event in events]


def test_three_incremental_runs_give_the_expected_tables(grown) -> None:
    lake, landed = grown
    assert marts(lake) == expected_marts(all_of(landed))
    assert lake.rows("select event_at, action from stage.events order by 1, 2") == sorted(all_of(landed))


def test_one_run_over_the_same_files_gives_the_same_rows(grown) -> None:
    lake, _ = grown
    once = replace(lake, prefix="once")
    run = once.build()
    assert run.success, run.said
    assert marts(once) == marts(lake)


def test_only_touched_days_are_recomputed(grown) -> None:
    lake, landed = grown
    before = marts(lake)
    name = "2026/01/11/one.csv"
    events = some_events(8, "2026-01-07", 5)
    lake.land(name, csv(*events))
    landed[name] = events
    assert lake.run().success
    assert marts(lake) == expected_marts(all_of(landed)) != before
    written = [
        json.loads(line)["commitInfo"]["operationMetrics"]
        for path in sorted((lake.folder / "lake/warehouse/mart.db/action_windows/_delta_log").glob("*.json"))
        for line in path.read_text().splitlines()
        if '"commitInfo"' in line and '"WRITE"' in line
    ]
    # A day has 144 windows.
    assert int(written[-1]["numOutputRows"]) - int(written[-1]["numCopiedRows"]) == 144


def test_the_same_files_again_change_nothing(grown) -> None:
    lake, _ = grown
    tables = ("raw.events", "stage.events", "quarantine.events", "mart.actions_per_minute", "mart.action_windows")

    def versions() -> list[int]:
        return [lake.rows(f"describe history {table} limit 1")[0][0] for table in tables]

    before = versions()
    for path in (lake.landing / "events").rglob("*.csv"):
        path.write_bytes(path.read_bytes())
    assert lake.run().success
    assert versions() == before


def test_a_copy_under_another_name_is_another_file(grown) -> None:
    lake, landed = grown
    name = "2026/01/11/one.csv"
    lake.land("2026/01/11/copy.csv", csv(*landed[name]))
    landed["2026/01/11/copy.csv"] = landed[name]
    assert lake.run().success
    assert marts(lake) == expected_marts(all_of(landed))


def test_a_file_that_has_left_keeps_its_rows_even_over_a_full_refresh(grown) -> None:
    lake, landed = grown
    for path in (lake.landing / "events").rglob("*.csv"):
        path.unlink()
    run = lake.run()
    assert run.success, run.said
    assert run.sentence("Nothing has landed")
    assert marts(lake) == expected_marts(all_of(landed))
    run = lake.build("--full-refresh")
    assert run.success, run.said
    assert marts(lake) == expected_marts(all_of(landed))
    assert len(lake.rows("select * from raw.events")) == len(all_of(landed))
    assert len(files(lake)) == len(landed)


def test_a_run_of_one_layer_alone_is_made_good_by_the_next(grown) -> None:
    lake, landed = grown
    events = some_events(9, "2026-01-08", 5)
    lake.land("2026/01/12/a.csv", csv(*events))
    landed["2026/01/12/a.csv"] = events
    assert lake.dbt("run", "--select", "raw_events", "events_files").success
    assert lake.dbt("run", "--select", "action_windows").success
    lake.land("2026/01/12/a.csv", csv(*some_events(10, "2026-01-04", 5)))
    landed["2026/01/12/a.csv"] = some_events(10, "2026-01-04", 5)
    assert lake.dbt("run", "--select", "+stage_events").success
    run = lake.build()
    assert run.success, run.said
    assert marts(lake) == expected_marts(all_of(landed))


def test_events_from_a_path_are_known_by_their_full_name(grown, tmp_path: Path) -> None:
    lake, landed = grown
    events = some_events(11, "2026-01-03", 5)
    path = tmp_path / "some where.txt"
    path.write_text(csv(*events))
    assert lake.run(events_path=str(path)).success
    landed[str(path)] = events
    assert marts(lake) == expected_marts(all_of(landed))
    assert str(path) in files(lake)
    # The landing folder was not looked at, and what it gave is there still.
    assert lake.run().success
    assert marts(lake) == expected_marts(all_of(landed))


def test_a_time_that_was_in_the_future_is_valid_in_a_later_delivery(grown) -> None:
    lake, landed = grown
    events = [*some_events(12, "2026-01-03", 30), (MODIFIED_AT.replace(tzinfo=None) + timedelta(hours=1), "Open")]
    path = lake.land("2026/06/01/a.csv", csv(*events))
    assert lake.run().success
    assert marts(lake) == expected_marts([*all_of(landed), *events[:-1]])
    later = (MODIFIED_AT + timedelta(hours=2)).timestamp()
    os.utime(path, (later, later))
    assert lake.run().success
    landed["2026/06/01/a.csv"] = events
    assert marts(lake) == expected_marts(all_of(landed))


def test_windows_of_another_length_are_refused_on_a_built_lake(grown) -> None:
    lake, landed = grown
    before = marts(lake)
    run = lake.build(window_minutes=15)
    assert not run.success
    sentence = run.sentence("was built with windows of 10 minutes and window_minutes is 15")
    assert "--full-refresh" in sentence
    assert marts(lake) == before
    run = lake.build("--full-refresh", window_minutes=15, top_windows=3)
    assert run.success, run.said
    events = all_of(landed)
    assert marts(lake)["action_windows"] == reference.action_windows(events, 15)
    assert marts(lake)["top_open_windows"] == reference.top_open_windows(events, 15, 3)


# --- edges of use -----------------------------------------------------------------------------------------------------


def test_an_empty_landing_gives_a_sentence_and_empty_tables(lake: Lake) -> None:
    own = replace(lake, prefix="empty", landing_name="nothing")
    run = own.make()
    assert run.success, run.said
    assert run.sentence("Nothing has landed: no file of events in")
    assert marts(own) == expected_marts([])
    for table in ("raw.events", "stage.events", "quarantine.events", "stage.events_files"):
        assert own.rows(f"select * from {table}") == []
    # And the first file after that is taken up.
    own.land("2026/01/01/a.csv", csv(*GOOD))
    assert own.build().success
    assert marts(own) == expected_marts(GOOD)


def test_one_mart_and_what_it_needs_can_be_built_on_an_empty_lake(lake: Lake) -> None:
    own = replace(lake, prefix="part", landing_name="part")
    own.land("2026/01/01/a.csv", csv(*GOOD))
    run = own.build("--select", "+action_windows")
    assert run.success, run.said
    assert "skipped" not in run.nodes.values()
    assert own.rows("select * from mart.action_windows") == reference.action_windows(GOOD)


def test_files_that_raw_has_not_loaded_are_not_judged(lake: Lake) -> None:
    own = replace(lake, prefix="alone", landing_name="alone")
    own.land("a.csv", csv(*GOOD))
    assert own.make("--select", "+stage_events").success
    own.land("a.csv", csv((at("2026-01-02T10:00:00"), "Close")))
    own.land("b.csv", csv(*GOOD))
    before = files(own)
    assert own.run("--select", "events_files", "stage_events").success
    assert files(own) == before
    assert own.run("--select", "+stage_events").success
    rows = own.rows("select event_at, action, path from stage.events order by path")
    assert rows == [(at("2026-01-02T10:00:00"), "Close", "events/a.csv"), (*GOOD[0], "events/b.csv")]


def test_a_raw_table_that_somebody_dropped_is_made_anew_from_what_lies_there(lake: Lake) -> None:
    own = replace(lake, prefix="dropped", landing_name="dropped")
    own.land("a.csv", csv(*GOOD))
    gone = own.land("b.csv", csv((at("2026-01-02T10:00:00"), "Close")))
    assert own.make("--select", "+stage_events").success
    own.rows("drop table raw.events".replace("raw.", own.schema("raw") + "."))
    gone.unlink()
    run = own.run("--select", "+stage_events")
    assert run.success, run.said
    assert "is gone: it is made anew from the files of events" in run.sentence("have those that have left it too")
    assert own.rows("select path, rows_loaded from raw.loaded_files") == [("events/a.csv", len(GOOD))]
    for table in ("raw.events", "stage.events"):
        assert own.rows(f"select distinct path from {table}") == [("events/a.csv",)]


def test_a_source_is_fresh_while_its_newest_landed_day_is_not_long_ago(lake: Lake) -> None:
    """As dbt source freshness has it; what cannot be loaded, or has not come, is no sign of life."""
    own = replace(lake, prefix="fresh", landing_name="fresh")
    today = datetime.now(UTC)
    declared = sources.load(places.ROOT)

    def day(ago: int) -> str:
        return f"{today - timedelta(days=ago):%Y/%m/%d}"

    def freshness() -> dict[str, str]:
        run = own.dbt("source", "freshness")
        assert run.success, run.said
        return {name: status for name, status in run.nodes.items() if name in declared}

    # What the module's other tests landed is known.
    shutil.rmtree(own.folder / "lake" / "intake", ignore_errors=True)
    assert set(freshness().values()) == {"warn"}
    own.land(f"{day(1)}/a.csv", csv(*GOOD), today)
    own.land(f"{day(2)}/a.jsonl", "{}", today, source="fleet_sensors")
    header = ",".join(column.landed_name for column in declared["purchases"].columns) + "\n"
    own.land(f"{day(0)}/a.csv", "not,read\n", today, source="purchases")
    own.land(f"{day(-3)}/a.csv", header, today, source="purchases")
    own.land("no day.csv", csv(*GOOD), today - timedelta(days=4))
    assert freshness() == {"events": "pass", "purchases": "warn", "fleet_sensors": "warn"}
    own.land(f"{day(0)}/a.csv", header, today, source="purchases")
    (own.landing / "events" / day(1) / "a.csv").unlink()
    assert freshness() == {"events": "pass", "purchases": "pass", "fleet_sensors": "warn"}


def test_quiet_days_come_and_go_with_the_events_around_them(lake: Lake) -> None:
    own = replace(lake, prefix="quiet", landing_name="quiet")
    assert own.make().success
    events = [(at("2026-01-01T10:00:00"), "Open"), (at("2026-01-03T10:00:00"), "Open")]
    own.land("a.csv", csv(*events))
    assert own.make().success
    assert marts(own) == expected_marts(events)
    # The only file is refused now, and then gone: no window is left, and no run stumbles over there being none.
    own.land("a.csv", HEADER + "x,Open\n")
    assert not own.run().success
    assert marts(own) == expected_marts([])
    (own.landing / "events" / "a.csv").unlink()
    run = own.build()
    assert run.success, run.said
    assert marts(own) == expected_marts([])
    assert files(own) == {}
    assert own.rows("select time from raw.events") == [("x",)]
    own.land("a.csv", csv(*events))
    assert own.run().success
    assert marts(own) == expected_marts(events)


def test_what_a_file_gave_is_taken_back_even_where_it_was_refused_and_gone_before_stage_was_told(lake: Lake) -> None:
    own = replace(lake, prefix="told", landing_name="told")
    own.land("a.csv", csv(*GOOD))
    own.land("b.csv", csv(*GOOD))
    assert own.make("--select", "+stage_events", "+quarantine_events").success
    own.land("a.csv", HEADER + "x,Open\n")
    assert not own.run("--select", "raw_events", "events_files").success
    (own.landing / "events" / "a.csv").unlink()
    (own.folder / "lake" / "intake" / "events.jsonl").unlink()
    run = own.build()
    assert run.success, run.said
    assert own.rows("select path from stage.events") == [("events/b.csv",)]
    assert own.rows("select path, time from raw.events where path = 'events/a.csv'") == [("events/a.csv", "x")]
    assert set(files(own)) == {"events/b.csv"}


def test_every_table_is_a_delta_table(grown) -> None:
    lake, _ = grown
    for table in (
        *("raw.events", "stage.events", "quarantine.events", "stage.events_files", "stage.accepted_actions"),
        *(f"mart.{name}" for name in MARTS),
    ):
        assert lake.rows(f"describe detail {table}")[0][0] == "delta"


@pytest.mark.parametrize("variables", [{"max_quarantined_share": 0.5}, {"earliest_valid_date": "2026-02-01"}])
def test_the_variables_set_the_rules(lake: Lake, variables: dict) -> None:
    own = replace(lake, prefix="share" if "max_quarantined_share" in variables else "early", landing_name="variables")
    own.land("a.csv", HEADER + ROW + "2026-03-01T10:00:00Z,Open\n")
    own.land("b.csv", HEADER + ROW + "x,Open\n")
    own.make(**variables)
    states = {name: state[0] for name, state in files(own).items()}
    if "max_quarantined_share" in variables:
        assert states == {"events/a.csv": "loaded", "events/b.csv": "loaded"}
    else:
        assert states == {"events/a.csv": "refused", "events/b.csv": "refused"}


# --- the tests and the documentation of the project -------------------------------------------------------------------


def test_what_is_new_is_appended_and_what_is_another_is_replaced(lake: Lake) -> None:
    own = replace(lake, prefix="appended", landing_name="appended")

    def modes(name: str, *rows: str) -> list[str]:
        """Land a file, load it, and return how raw, its record and stage were written."""
        own.land(name, "time,action\n" + "".join(f"{row}\n" for row in rows))
        run = own.run("--exclude", "path:models/mart", "path:models/ops")
        assert run.success, run.said
        histories = (
            own.rows(f"describe history {name}") for name in ("raw.events", "raw.loaded_files", "stage.events")
        )
        return [next(row[5]["mode"] for row in history if row[4] == "WRITE") for history in histories]

    assert own.make("--exclude", "path:models/mart", "path:models/ops").success
    modes("a.csv", "2026-01-05T10:00:00Z,Open")
    assert modes("b.csv", "2026-01-05T10:00:00Z,Open") == ["Append"] * 3
    assert modes("a.csv", "2026-01-05T11:00:00Z,Open", "2026-01-05T12:00:00Z,Open") == ["Overwrite"] * 3
    hours = own.rows("select hour(event_at), path from stage.events order by 1")
    assert hours == [(10, "events/b.csv"), (11, "events/a.csv"), (12, "events/a.csv")]


@pytest.fixture(scope="module")
def whole(lake: Lake) -> Lake:
    """A lake of the whole project with a few rows of every source; the last test breaks it."""
    own = replace(lake, prefix="whole", landing_name="whole", subject=None)
    own.land("2026/01/01/a.csv", csv(*some_events(1, "2026-01-01", 20)))
    purchase = "PurchaseID,product,user,date\n1002313003,12,1003431,2022-05-20\n"
    own.land("2023/07/21/a.csv", purchase, source="purchases")
    line = '{"truck_id": "T1", "recorded_at": "2026-01-05T10:00:00Z", "speed": 1}\n'
    own.land("2026/01/05/a.jsonl", line, source="fleet_sensors")
    run = own.build()
    assert run.success, run.said
    return own


def test_every_unit_test_passes(whole: Lake) -> None:
    run = whole.dbt("test", "--select", "test_type:unit")
    assert run.success, run.said
    assert len(run.nodes) >= 25


def test_every_column_of_every_table_is_documented_and_no_other(whole: Lake) -> None:
    for node in whole.parsed({}).nodes.values():
        if node.resource_type in ("model", "seed", "snapshot") and node.config.materialized != "ephemeral":
            described = [row[0] for row in whole.rows(f"describe {node.schema}.{node.alias}")]
            columns = list(itertools.takewhile(lambda name: not name.startswith("#"), described))
            landed = ["speed"] if node.name == "raw_fleet_sensors" else []
            assert columns == list(node.columns) + landed, node.name


def test_landed_files_tells_of_every_source(whole: Lake) -> None:
    assert whole.rows("select source, path, status, rows_landed, rows_valid from ops.landed_files order by source") == [
        ("events", "events/2026/01/01/a.csv", "loaded", 20, 20),
        ("fleet_sensors", "fleet_sensors/2026/01/05/a.jsonl", "loaded", 1, 1),
        ("purchases", "purchases/2023/07/21/a.csv", "loaded", 1, 1),
    ]


# What breaks each data test: every one of them must be seen failing.
SABOTAGE = [
    "insert into raw.events select time, action, other_columns, malformed_line, null, file_modified_at, loaded_at from"
    " raw.events limit 1",
    "insert into stage.accepted_actions values (null, 'x'), ('Open', 'twice')",
    "insert into stage.events_files select * from stage.events_files limit 1",
    "update ops.landed_files set rows_landed = 0",
    "insert into ops.landed_files select * from ops.landed_files",
    "insert into ops.landed_files (source, path, status) values ('x', null, 'odd')",
    "insert into stage.history_days values (null, 1, date'2023-07-21', 'x', 0, 0), (null, 1, date'2023-07-21', 'x', 0,"
    " 0)",
    "insert into stage.events_files select null, size, modified_at, loaded_at, rows_landed, rows_valid,"
    " rows_quarantined, rows_refused, rows_not_valid, fault, 'odd', reason from stage.events_files limit 1",
    "insert into raw.loaded_files (source, path) values (null, null), (null, null)",
    "insert into stage.events values (timestamp'2026-01-01 10:00:00', null, 2026, 1, 2, 'x')",
    "insert into stage.events values (timestamp'2026-01-01 10:00:00', 'Odd', 2026, 1, 1, 'x')",
    "insert into quarantine.events values ('x', 'x', null, null, array(), 'x', now(), now())",
    "insert into mart.actions_per_minute select * from mart.actions_per_minute",
    "insert into mart.actions_per_minute values (null, null, 0, 0)",
    "insert into mart.action_windows select * from mart.action_windows",
    "insert into mart.action_windows values (null, null, 1, 1, 3, 1.0)",
    "insert into mart.action_windows values (timestamp'2027-01-01', timestamp'2026-01-01', 1, 1, 2, 1.0)",
    "insert into mart.action_totals values (1, 1, 1.0)",
    "insert into mart.top_open_windows select * from mart.top_open_windows",
    "insert into raw.purchases select PurchaseID, product, user, date, other_columns, malformed_line, null,"
    " file_modified_at, loaded_at, year, month, day from raw.purchases limit 1",
    "insert into quarantine.purchases values ('x', 'x', 'x', 'x', null, null, null, array(), date'2023-07-21', 'x',"
    " now())",
    "insert into stage.purchases values (null, null, null, null, 1, 1, 1, 3, null, date'2023-01-01', null, null)",
    "insert into stage.purchases select * from stage.purchases",
    "insert into mart.purchase_changes values (date'2023-07-21', 1, 1, 1, 1, -1, 1), (null, 1, 1, 1, 1, 1, 1)",
    "insert into raw.fleet_sensors (truck_id, recorded_at, value_count) values ('T1', now(), 3)",
    "insert into stage.sensor_readings select * from stage.sensor_readings",
    "insert into stage.sensor_readings values ('T1', now(), 's', double('infinity'), 2026, 1, 1, 'x', 0)",
    "insert into quarantine.sensor_readings values ('T1', null, 's', null, null, null, array(), 'x', null, now())",
    "insert into mart.sensor_windows select * from mart.sensor_windows",
    "insert into mart.sensor_windows values ('T1', 's', now(), now(), 0, 1.0, 1.0, 1.0, 2.0, now(), now())",
    "insert into mart.sensor_catalog select * from mart.sensor_catalog",
    "insert into mart.sensor_catalog values (null, null, now(), now(), 1, 1, 2.0)",
    "insert into ops.schema_changes select * from ops.schema_changes",
    "insert into ops.schema_changes values ('x', 'x', null, 'x', 'odd', 'x', null, 1, now())",
    "insert into mart.top_open_windows values (99, null, null, null, null, null, null), (null, null, null, null, null,"
    " null, null)",
]


def test_every_data_test_is_seen_failing(whole: Lake) -> None:
    for statement in SABOTAGE:
        whole.rows(statement)
    run = whole.dbt("test", "--select", "test_type:data")
    assert {name for name, state in run.nodes.items() if state == "pass"} == set()
    assert len(run.nodes) >= 63
