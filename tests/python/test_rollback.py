"""Rollback: forward again, of what was not there, killed half way, refused; and which run is meant."""

from __future__ import annotations

import io
import json
from datetime import datetime

import pytest
from typer.testing import CliRunner

from conftest import Lake
from rolling_back import EVENTS, content, ended, go, newest, no, of_project
from strata import cli, operations, places, record, rollback
from strata import lake as lakes
from strata.errors import StrataError

SELECTED = ("--select", "accepted_actions", "raw_events", "events_files", "stage_events", "quarantine_events")


class Been:
    """A lake, what its tables held after each of three runs, by their names, and the ids of the runs."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.run: dict[str, str] = {}
        self.held: dict[str, dict] = {}

    def note(self, name: str) -> None:
        self.run[name], self.held[name] = newest(self.lake), content(self.lake)


def build(lake: Lake) -> None:
    assert lake.dbt("build", "--exclude-resource-type", "unit_test", "test", *SELECTED).success


@pytest.fixture(scope="module")
def been(lake: Lake) -> Been:
    """A lake of events: raw alone, then all of one day, then of two, the first of which was corrected."""
    been = Been(lake)
    lake.land("2026/01/05/a.csv", EVENTS)
    assert lake.dbt("run", "--select", "raw_events").success
    been.note("raw alone")
    build(lake)
    been.note("first day")
    lake.land("2026/01/05/a.csv", EVENTS.replace("Open", "Close"))
    lake.land("2026/01/06/b.csv", "time,action,note\n2026-01-06T10:00:00Z,Open,x\n2026-01-04T10:00:00Z,Open,y\n")
    build(lake)
    been.note("second day")
    return been


@pytest.fixture
def at_second_day(been: Been) -> Lake:
    """The lake as it is after the second day, whatever a test before has left."""
    been.lake.enter()
    if rollback.pending() is not None:
        assert ended(been.lake, undo=True).success
    assert go(been.lake, to=been.run["second day"]).success
    return been.lake


def test_a_rollback_is_a_run_and_can_be_rolled_back(been: Been, at_second_day: Lake) -> None:
    assert go(at_second_day, to=been.run["first day"][:8]).success
    own = record.newest(1)[0]
    assert own["command"] == f"strata rollback --to {been.run['first day'][:8]}"
    assert own["status"] == "success"
    done = go(at_second_day, before=own["run_id"])
    assert done.success, done.said
    assert of_project(content(at_second_day)) == been.held["second day"]


def test_a_table_that_was_not_there_is_set_aside_and_comes_back(been: Been, at_second_day: Lake) -> None:
    lake = at_second_day
    done = go(lake, to=been.run["raw alone"])
    assert done.success, done.said
    back = newest(lake)
    assert of_project(content(lake)) == been.held["raw alone"]
    aside = f"events_files{rollback.ASIDE}{back[:8]}"
    done.sentence(f"set aside as {aside}")
    assert lake.rows(f"select count(*) from stage.{aside}") == [(2,)]
    # A build makes tables of the same names, and those that come back take their place.
    build(lake)
    done = go(lake, before=back)
    assert done.success, done.said
    assert of_project(content(lake)) == been.held["second day"]


def test_what_is_rolled_back_is_shown_first_and_nothing_is_done_without_a_yes(been: Been, at_second_day: Lake) -> None:
    before = content(at_second_day)
    count = len(record.newest())
    done = go(at_second_day, no, to=been.run["first day"])
    assert not done.success
    done.sentence(f"to the end of run {been.run['first day'][:8]}")
    shown = done.sentence("raw.events ").split()
    assert shown[-2:] == ["32", "30"]
    assert "quarantine.events" in " ".join(done.said)
    assert content(at_second_day) == before
    assert rollback.pending() is None
    assert len(record.newest()) == count
    assert go(at_second_day, no, to=newest(at_second_day)).success


class Killed(BaseException):
    """What stands for the end of a process."""


@pytest.mark.parametrize(
    ("goal", "undo", "done", "is_half"),
    [
        ("first day", False, 0, False),
        ("first day", True, 3, False),
        ("raw alone", False, 5, False),
        ("raw alone", True, 5, False),
        ("raw alone", True, 1000, False),
        ("raw alone", False, 1, True),
        ("raw alone", True, 1, True),
    ],
)
def test_a_rollback_that_was_killed_is_said_and_ended_or_taken_back(
    been: Been, at_second_day: Lake, monkeypatch: pytest.MonkeyPatch, goal: str, undo: bool, done: int, is_half: bool
) -> None:
    lake = at_second_day
    given = operations.carry_out

    def die(operation: str, planned: dict, *arguments) -> None:
        given(operation, {"actions": planned["actions"][:done]}, *arguments)
        if is_half:
            # The table's files have gone, and the metastore's entries not.
            half = planned["actions"][done]
            assert half["does"] == "rename"
            lakes.move_table(places.lake(), half["schema"], half["from"], half["to"])
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(operations, "carry_out", die)
        with pytest.raises(Killed):
            go(lake, to=been.run[goal])
    said = lake.dbt("run", "--select", "raw_events")
    assert not said.success
    said.sentence("'strata rollback --resume' ends it, 'strata rollback --undo' takes it back")
    shown = lake.dbt("show", "--inline", "select 1 as one")
    assert shown.success
    shown.sentence("has not come to its end")
    assert not go(lake, to=been.run[goal]).success
    last = ended(lake, undo)
    assert last.success, last.said
    assert of_project(content(lake)) == been.held["second day" if undo else goal]
    assert rollback.pending() is None
    assert lake.dbt("run", "--select", "raw_events").success
    assert not ended(lake, undo).success


def test_a_version_that_is_not_kept_is_found_before_anything_is_changed(been: Been, at_second_day: Lake) -> None:
    lake = at_second_day
    before = content(lake)
    # The file of the first day, which the corrected one has taken the place of.
    [version] = [
        told["version"]
        for run in record.newest()
        if run["run_id"] == been.run["first day"]
        for told in run["tables"]
        if (told["schema_name"], told["table_name"]) == ("stage", "events")
    ]
    files = {
        state: {row[0] for row in lake.rows(f"select distinct _metadata.file_path from stage.events {state}")}
        for state in (f"version as of {version}", "")
    }
    [gone] = files[f"version as of {version}"] - files[""]
    path = lake.folder / gone.partition(str(lake.folder))[2].lstrip("/")
    kept = path.rename(path.with_name("kept"))
    try:
        done = go(lake, to=been.run["first day"])
        assert not done.success
        done.sentence(f"Version {version} of stage.events is not kept any more")
        assert content(lake) == before
        assert rollback.pending() is None
    finally:
        kept.rename(path)


def test_a_table_that_has_gone_is_named_and_nothing_is_changed(been: Been, at_second_day: Lake) -> None:
    lake = at_second_day
    before = content(lake)
    folder = lake.folder / "lake" / "warehouse" / "stage.db" / "events_files"
    kept = folder.rename(folder.with_name("kept"))
    try:
        done = go(lake, to=been.run["first day"])
        assert not done.success
        assert "stage.events_files has gone: nothing was changed" in done.sentence("has gone")
    finally:
        kept.rename(folder)
    assert content(lake) == before


def test_views_have_the_queries_of_then(been: Been, at_second_day: Lake) -> None:
    lake = at_second_day
    assert lake.dbt("run", "--select", "deliveries").success
    rows = lake.rows("select * from ops.deliveries order by landed_on")
    run = record.newest(1)[0]
    [view] = [told for told in run["tables"] if told["kind"] == "view"]
    # A bad release, as its run has recorded it.
    view["definition"] = "select 1 as one"
    bad = record.new("dbt run", "b" * 32, "local", {})
    bad.ended_at, bad.status, bad.tables = record.now(), "success", run["tables"]
    record._file(bad, record.ENDED).write_text(json.dumps(vars(bad)))
    lake.rows("create or replace view ops.deliveries as select 1 as one")
    try:
        done = go(lake, before=bad.run_id)
        assert done.success, done.said
        done.sentence("ops.deliveries")
        assert lake.rows("select * from ops.deliveries order by landed_on") == rows
    finally:
        record._file(bad, record.ENDED).unlink()


# --- which run, without a lake ----------------------------------------------------------------------------------------


def told(run_id: str, started: str, ended: str | None, has_tables: bool = True) -> dict:
    table = {"schema_name": "raw", "table_name": "events", "kind": "table"}
    return {
        "run_id": run_id,
        "status": "success" if ended else "killed",
        "started_at": f"2026-01-05T{started}:00.000Z",
        "ended_at": ended and f"2026-01-05T{ended}:00.000Z",
        "tables": [table] if has_tables and ended else [],
    }


RUNS = [
    told("cc2", "12:00", "12:30"),
    told("cc1", "11:00", None),
    told("bb", "10:00", "10:30"),
    told("aa", "09:00", "09:10"),
]


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ({"to": "bb"}, "bb"),
        ({"to": "cc2"}, "cc2"),
        ({"before": "cc2"}, "bb"),
        ({"before": "cc1"}, "bb"),
        ({"before": "bb"}, "aa"),
        ({"at": datetime(2026, 1, 5, 12)}, "bb"),
        ({"at": datetime(2026, 1, 5, 12, 30)}, "cc2"),
        ({"at": datetime(2026, 1, 5, 10, 29)}, "aa"),
    ],
)
def test_a_run_is_named_by_its_beginning_by_what_came_after_or_by_a_time(named: dict, found: str) -> None:
    assert rollback.run_to_go_to(RUNS, **named)["run_id"] == found


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        ({"to": "cc"}, "'cc' is that of 2 runs: name a run as 'strata runs' prints it."),
        ({"to": "x"}, "'x' is the beginning of no run's id: name a run"),
        ({"to": ""}, "'' is that of 4 runs"),
        ({"to": "cc1"}, "Run cc1 is killed and has left no record of the tables: name another"),
        ({"before": "aa"}, "No run is recorded that ended before run aa"),
        ({"at": datetime(2026, 1, 5, 9, 9)}, "No run is recorded that ended by 2026-01-05 09:09:00 UTC"),
    ],
)
def test_a_run_that_cannot_be_gone_to_is_named(named: dict, sentence: str) -> None:
    with pytest.raises(StrataError) as refused:
        rollback.run_to_go_to(RUNS, **named)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "A rollback wants one of --to, --before, --at, --resume and --undo."),
        (["--to", "a", "--undo"], "A rollback wants one of"),
        (["--resume"], "No rollback has been left half way"),
    ],
)
def test_the_command_wants_one_goal(tmp_path, monkeypatch: pytest.MonkeyPatch, words: list[str], sentence: str) -> None:
    monkeypatch.setenv("STRATA_LAKE", str(tmp_path))
    done = CliRunner().invoke(cli.app, ["rollback", *words])
    assert isinstance(done.exception, StrataError)
    assert sentence in str(done.exception)


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(StrataError, match="Nobody can be asked"):
        cli._ask(False, "Go?")
    cli._ask(True, "Go?")


@pytest.mark.parametrize(("text", "sentence"), [("{", "is no JSON")])
def test_a_plan_that_is_broken_is_named(tmp_path, monkeypatch: pytest.MonkeyPatch, text: str, sentence: str) -> None:
    monkeypatch.setenv("STRATA_LAKE", str(tmp_path))
    (tmp_path / "rollback.json").write_text(text)
    with pytest.raises(StrataError, match=sentence):
        rollback.pending()


def test_a_plan_that_was_left_is_said_by_other_commands(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATA_LAKE", str(tmp_path))
    (tmp_path / "rollback.json").write_text(json.dumps({"to": "ab" * 16, "begun_at": "2026-01-05T10:00:00.000Z"}))
    done = CliRunner().invoke(cli.app, ["runs"])
    assert "A rollback to the end of run abababab" in done.stderr
    assert "No run is recorded" in done.stdout
