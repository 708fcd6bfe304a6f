"""The record of runs: what stands in it after each kind of run, and that no run fails for it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from conftest import FAIL_ON_REFUSED_FILES, Lake
from strata import delta_log, history, masking, places, processes, record, report, rollback, storage
from strata.errors import StrataError

EVENTS = "time,action\n" + "".join(f"2026-01-05T10:{minute:02}:00Z,Open\n" for minute in range(5))
PURCHASES = "PurchaseID,product,user,date\n0000000001,11,1000001,2026-01-02\n"
VIEWS = ("runs", "node_results", "table_versions", "test_failures")


@pytest.fixture(scope="module")
def built(lake: Lake) -> Lake:
    """A lake with events and a day of purchases, built once, and the views of the record."""
    lake.subject = "events purchases"
    lake.land("2026/01/05/a.csv", EVENTS)
    lake.land("2026/01/05/p.csv", PURCHASES, source="purchases")
    assert lake.make().success
    assert lake.dbt("run", "--select", *VIEWS).success
    return lake


def newest(lake: Lake) -> dict:
    lake.enter()
    return record.newest(1)[0]


def count(lake: Lake) -> int:
    lake.enter()
    return len(record.newest())


def printed(call, *arguments) -> str:
    text = io.StringIO()
    call(Console(file=text, width=100), *arguments)
    return text.getvalue()


def ended_process() -> str:
    """Return a process of this machine that has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return f"{processes.MACHINE} {ended.pid}"


def leave_running(lake: Lake, process: str, **fields) -> record.Run:
    """Leave the file of a run that has begun and not ended."""
    lake.enter()
    run = record.new("dbt build", "0" * 32, "local", {})
    run.process = process
    vars(run).update(fields)
    record._file(run, record.RUNNING).write_text(json.dumps(vars(run)))
    return run


def test_a_run_is_recorded_with_its_nodes_and_the_versions_that_it_left(built: Lake) -> None:
    built.land("2026/01/06/b.csv", EVENTS.replace("-05T", "-06T"))
    done = built.dbt("run", "--select", "raw_events", "stage_events+", top_windows=3)
    assert done.success
    run = newest(built)
    assert run["status"] == "success"
    assert run["command"] == "dbt run --select raw_events stage_events+"
    assert run["variables"] == {"top_windows": "3"}
    assert run["target"] == "local"
    assert run["user_name"] == record.user_name()
    assert run["started_at"] < run["ended_at"]
    assert run["message"] is None
    nodes = {node["node"].split(".")[-1]: node for node in run["nodes"]}
    assert set(nodes) == {name for name in done.nodes if not name.startswith("strata-on-run-")}
    assert {node["status"] for node in nodes.values()} == {"success"}
    assert nodes["raw_events"]["rows"] == 5
    assert nodes["raw_events"]["seconds"] > 0
    tables = {(one["schema_name"], one["table_name"]): one for one in run["tables"] if one["kind"] == "table"}
    for (schema, name), told in tables.items():
        assert told["version"] == built.rows(f"describe history {schema}.{name} limit 1")[0][0], name
    assert {("raw", "events"), ("stage", "purchases"), ("stage", "accepted_actions")} <= set(tables)
    assert run["run_id"] in built.rows("describe history raw.events limit 1")[0]


def test_the_record_is_read_as_tables(built: Lake) -> None:
    assert built.dbt("run", "--select", "stage_events").success
    run = newest(built)
    mine = f"where run_id = '{run['run_id']}'"
    shown = built.rows(f"select command, status, user_name, started_at < ended_at, variables from ops.runs {mine}")
    assert shown == [("dbt run --select stage_events", "success", run["user_name"], True, {})]
    assert built.rows(f"select node, status, rows from ops.node_results {mine}") == [
        ("model.strata.stage_events", "success", run["nodes"][0]["rows"])
    ]
    versions = built.rows(f"select version from ops.table_versions {mine} and table_name = 'loaded_files'")
    assert versions == [(built.rows("describe history raw.loaded_files limit 1")[0][0],)]


def test_a_run_with_nothing_new_is_recorded_and_has_written_no_rows(built: Lake) -> None:
    assert built.dbt("run", "--select", "raw_events", "stage_events").success
    before = newest(built)
    assert built.dbt("run", "--select", "raw_events", "stage_events").success
    run = newest(built)
    assert run["run_id"] != before["run_id"]
    assert run["tables"] == before["tables"]
    assert [node["rows"] for node in run["nodes"]] == [0, 0]


def test_the_query_of_a_view_that_a_run_has_made_is_kept(built: Lake) -> None:
    assert built.dbt("run", "--select", "deliveries").success
    [view] = [one for one in newest(built)["tables"] if one["kind"] == "view"]
    assert (view["schema_name"], view["table_name"], view["version"]) == ("ops", "deliveries", None)
    kept = built.rows("select * from ops.deliveries order by landed_on")
    built.rows("create or replace view ops.deliveries as select 1 as one")
    built.rows(f"create or replace view ops.deliveries as {view['definition']}")
    assert built.rows("select * from ops.deliveries order by landed_on") == kept


@pytest.mark.parametrize(("kept_failures", "kept"), [(2, 2), (0, 0)])
def test_what_a_data_test_finds_is_kept_as_far_as_it_may(built: Lake, kept_failures: int, kept: int) -> None:
    built.rows("update stage.events set action = null")
    try:
        done = built.dbt("test", "--select", "stage_events,test_type:generic", kept_failures=kept_failures)
        assert not done.success
        run = newest(built)
        assert run["status"] == "error"
        found = {one["test"].split(".")[2]: one for one in run["failures"]}
        one = found["not_null_stage_events_action"]
        total = built.rows("select count(*) from stage.events")[0][0]
        assert (one["failures"], len(one["rows"])) == (total, kept)
        for row in one["rows"]:
            assert json.loads(row) == {"action": None}
        nodes = {node["node"]: node for node in run["nodes"]}
        assert nodes[one["test"]]["rows"] == total
        assert nodes[one["test"]]["status"] == "fail"
        shown = built.rows(f"select failures, size(rows) from ops.test_failures where run_id = '{run['run_id']}' "
                           f"and test = '{one['test']}'")  # fmt: skip
        assert shown == [(total, kept)]
    finally:
        built.rows("restore table stage.events to version as of 0")
        assert built.run().success


def test_what_fails_in_a_run_is_in_its_record(built: Lake) -> None:
    built.land("2026/01/07/bad.csv", "time\n2026-01-05T10:00:00Z\n")
    done = built.run()
    assert done.nodes[FAIL_ON_REFUSED_FILES] == "error"
    (built.landing / "events/2026/01/07/bad.csv").unlink()
    run = newest(built)
    assert run["status"] == "error"
    [failed] = [node for node in run["nodes"] if node["status"] == "error"]
    assert (failed["node"], failed["resource_type"]) == ("strata.on-run-end.2", "operation")
    assert "The file events/2026/01/07/bad.csv was refused: the column action is missing" in failed["message"]
    assert "2 success" not in printed(report.runs, 1)
    assert "1 error: strata.on-run-end.2" in printed(report.runs, 1)


def test_a_run_that_ends_before_its_nodes_says_why(built: Lake) -> None:
    done = built.dbt("run-operation", "versions", "--args", "{table: stage.nothing}")
    assert not done.success
    run = newest(built)
    assert (run["command"], run["status"]) == ("dbt run-operation versions", "error")
    assert run["message"] == "There is no table stage.nothing: name one as in stage.purchases."


def test_a_command_of_stratas_is_one_run_with_all_that_it_had_dbt_do(built: Lake) -> None:
    built.land("2026/01/06/p.csv", PURCHASES, source="purchases")
    before = count(built)
    assert built.strata(history.catch_up, ["purchases"]).success
    assert count(built) == before + 1
    run = newest(built)
    assert (run["command"], run["status"]) == ("strata catch-up --source purchases", "success")
    assert run["variables"]["history"] == "catch-up"
    nodes = {node["node"].split(".")[-1] for node in run["nodes"]}
    assert {"purchases", "current_purchases", "purchase_changes"} <= nodes
    signed = delta_log.commits_of("stage", "purchases", run["run_id"])
    assert signed[0]["run_id"] == run["run_id"]
    # Each has its end, whatever it comes to.
    built.land("2026/01/07/p.csv", "PurchaseID,product,user,date\n", source="purchases")
    assert not built.strata(history.catch_up, ["purchases"]).success
    (built.landing / "purchases/2026/01/07/p.csv").unlink()
    refused = newest(built)
    assert refused["status"] == "error"
    assert "2026-01-07" in refused["message"]


def test_a_run_that_died_is_called_killed_by_the_next(built: Lake) -> None:
    dead = leave_running(built, ended_process())
    assert record.newest()[0]["status"] == "killed"
    assert built.dbt("run", "--select", "stage_events").success
    assert record.running() == []
    [killed] = [run for run in record.newest() if run["run_id"] == dead.run_id]
    assert (killed["status"], killed["ended_at"], killed["tables"]) == ("killed", None, [])
    assert built.rows(f"select status from ops.runs where run_id = '{dead.run_id}'") == [("killed",)]
    for file in record.folder().glob(f"*{dead.run_id}*"):
        file.unlink()


def test_a_run_killed_between_its_last_two_writes_has_ended(built: Lake) -> None:
    assert built.dbt("run", "--select", "stage_events").success
    ended = newest(built)
    [file] = record.folder().glob(f"*{ended['run_id']}.json")
    begun = file.with_name(file.name.removesuffix(record.ENDED) + record.RUNNING)
    begun.write_text(json.dumps({**ended, "status": "running", "ended_at": None, "tables": [], "nodes": []}))
    assert record.newest(1)[0]["status"] == "success"
    mine = f"where run_id = '{ended['run_id']}'"
    assert built.rows(f"select status from ops.runs {mine}") == [("success",)]
    assert built.dbt("run", "--select", "stage_events").success
    assert [run["status"] for run in record.newest() if run["run_id"] == ended["run_id"]] == ["success"]
    assert record.running() == []


def test_the_order_of_runs_outlives_a_clock_that_was_set_back(built: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    before = newest(built)
    with monkeypatch.context() as patch:
        patch.setattr(record, "now", lambda: "2020-01-01T00:00:00.000Z")
        assert built.dbt("run", "--select", "stage_events").success
    after = newest(built)
    assert after["run_id"] != before["run_id"]
    assert before["ended_at"] < after["started_at"] <= after["ended_at"]
    assert rollback.run_to_go_to(record.newest(), before=after["run_id"]) == before


class Locks:
    """The locks of a cluster, of which only this is asked."""

    def alive(self) -> set[str]:
        return {"elsewhere 7"}


@pytest.mark.parametrize(
    ("process", "sources", "started_at", "is_dead"),
    [
        ("elsewhere 7", ["events"], "2026-01-01T00:00:00.000Z", False),
        ("elsewhere 8", ["events"], None, True),
        ("elsewhere 8", [], None, False),
        ("elsewhere 8", None, "2026-01-01T00:00:00.000Z", True),
        (processes.this(), [], "2026-01-01T00:00:00.000Z", False),
        (None, ["events"], None, True),
    ],
    ids=["alive", "without-lock", "locks-no-source", "started-earlier", "this", "no-process"],
)
def test_on_a_cluster_a_run_is_dead_when_its_process_or_its_lock_is(process, sources, started_at, is_dead) -> None:
    import dbt_strata

    run = {"process": process or ended_process(), "sources": sources, "started_at": started_at or record.now()}
    assert dbt_strata._is_dead(Locks(), run) == is_dead


def test_a_record_that_cannot_be_written_is_said_and_fails_nothing(built: Lake) -> None:
    kept = record.folder().rename(record.folder().with_name("kept"))
    try:
        record.folder().write_text("in the way")
        done = built.dbt("run", "--select", "stage_events")
        assert done.success
        assert str(record.folder()) in done.sentence("The record of this run is not written")
    finally:
        record.folder().unlink()
        kept.rename(record.folder())


def test_a_disk_that_a_run_has_filled_is_said_at_its_end(built: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "free_bytes", lambda _folder: 0)
    done = built.dbt("run", "--select", "stage_events")
    assert done.success
    assert str(places.lake()) in done.sentence("has 0 MB free, less than the 200 MB that a run needs at least")


def test_a_file_of_the_record_that_is_broken_is_named_and_stops_no_run(built: Lake) -> None:
    built.enter()
    broken = record.folder() / f"99991231T000000.000Z-broken{record.RUNNING}"
    broken.write_text("{")
    try:
        done = built.dbt("run", "--select", "stage_events")
        assert done.success
        assert "take it away" in done.sentence(broken.name)
        with pytest.raises(StrataError, match="take it away"):
            record.newest(1)
    finally:
        broken.unlink()
    assert newest(built)["command"] == "dbt run --select stage_events"


def test_views_of_a_record_without_a_file_are_there_and_empty(built: Lake) -> None:
    kept = record.folder().rename(record.folder().with_name("kept"))
    try:
        record.folder().write_text("in the way")
        assert built.dbt("run", "--full-refresh", "--select", *VIEWS).success
        assert [built.rows(f"select count(*) from ops.{view}") for view in VIEWS] == [[(0,)]] * 4
    finally:
        record.folder().unlink()
        kept.rename(record.folder())
    assert built.dbt("run", "--select", *VIEWS).success
    assert built.rows("select count(*) > 0 from ops.runs") == [(True,)]


def test_runs_are_printed_newest_first_with_who_and_what(built: Lake) -> None:
    assert built.dbt("run", "--select", "stage_events").success
    run = newest(built)
    text = printed(report.runs, 2)
    first = text.splitlines()[3]
    for told in (run["run_id"][:8], "success", "dbt run --select stage_events", "local", run["user_name"], "1 success"):
        assert told in first
    assert len(text.strip().splitlines()) == 4
    assert "No run is recorded" in printed(report.runs, 2, "elsewhere")


def test_the_history_of_a_table_tells_runs_and_figures(built: Lake) -> None:
    text = printed(report.versions, "stage.events_files", 3)
    assert "run" in text.splitlines()[1]
    newest_commit = delta_log.commits("stage", "events_files", 1)[0]
    assert newest_commit["run_id"][:8] in text
    assert newest_commit["operation"] in text
    written = next(commit for commit in delta_log.commits("stage", "events_files", 3) if commit["metrics"])
    assert f" {written['metrics']['numOutputRows']} written " in text
    assert f" {written['metrics']['numFiles']} added" in text
    assert printed(report.versions, "events_files", 3) == text
    with pytest.raises(StrataError, match=r"raw\.purchases, stage\.purchases bear this name"):
        printed(report.versions, "purchases", 3)
    with pytest.raises(StrataError, match="Of a table nothing none is there"):
        printed(report.versions, "nothing", 3)
    with pytest.raises(StrataError, match=r"stage\.nothing has no commit"):
        printed(report.versions, "stage.nothing", 3)


# --- without a lake ---------------------------------------------------------------------------------------------------


def test_variables_are_told_where_they_differ_and_secrets_are_not() -> None:
    defaults = {"top_windows": 10, "window_minutes": 10}
    given = {
        "top_windows": 10,
        "window_minutes": 5,
        "api_token": "abc",
        "store": {"password": "abc", "names": [{"aws_secret_access_key": "abc"}]},
    }
    told = record.other_than(defaults, given)
    assert told == {
        "window_minutes": "5",
        "api_token": masking.MASK,
        "store": '{"password": "***", "names": [{"aws_secret_access_key": "***"}]}',
    }


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--vars", "{api_token: abc, top_windows: 3}"], 'dbt build --vars {"api_token": "***", "top_windows": 3}'),
        (["--vars={api_token: abc}"], 'dbt build --vars={"api_token": "***"}'),
        (["--vars", "{api_token: abc"], "dbt build --vars ***"),
        (["--vars"], "dbt build --vars"),
        (["--select", "events"], "dbt build --select events"),
    ],
)
def test_the_words_of_a_command_are_told_without_secrets(words, told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/dbt", "build", *words])
    assert masking.command_line() == told


def test_the_revision_is_the_commit_and_says_when_files_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert record.revision().startswith("strata-lakehouse ")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "file").write_text("a")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "a"], ["tag", "v1"]):
        subprocess.run([*git, *words], cwd=tmp_path, check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, capture_output=True, text=True).stdout.strip()
    assert record.revision() == commit
    (tmp_path / "file").write_text("b")
    assert record.revision() == f"{commit}-dirty"


@pytest.mark.parametrize(
    ("operation", "metrics", "rows", "files"),
    [
        ("WRITE", {"numOutputRows": "5", "numFiles": "1"}, {"written": 5}, {"added": 1}),
        (
            "MERGE",
            {
                "numOutputRows": "9",
                "numTargetRowsInserted": "1",
                "numTargetRowsUpdated": "2",
                "numTargetFilesAdded": "2",
                "numTargetFilesRemoved": "1",
            },
            {"written": 1, "changed": 2},
            {"added": 2, "removed": 1},
        ),
        (
            "DELETE",
            {"numDeletedRows": "4", "numCopiedRows": "7", "numRemovedFiles": "1"},
            {"deleted": 4},
            {"removed": 1},
        ),
        ("VACUUM END", {"numDeletedFiles": "3"}, {}, {"cleaned away": 3}),
        ("SET TBLPROPERTIES", {}, {}, {}),
    ],
)
def test_rows_and_files_of_a_commit_are_counted(operation: str, metrics: dict, rows: dict, files: dict) -> None:
    commit = {"operation": operation, "metrics": metrics}
    assert delta_log.rows_told(commit) == rows
    assert delta_log.files_told(commit) == files
    assert delta_log.rows_changed(commit) == sum(rows.values())
