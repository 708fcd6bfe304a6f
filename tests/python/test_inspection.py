"""What is amiss in a lake, each thing made on purpose in a copy of one that is whole, and found, with its repair."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.compute as compute
import pyarrow.parquet as parquet
import pytest
from rich.console import Console

from conftest import Lake
from rolling_back import EVENTS, folder_of, log_of
from strata import delta_files, doctor, history, inspection, places, processes, record, samples
from strata import lake as lakes
from strata.inspection import Finding, Project


@pytest.fixture(scope="module")
def whole(lake: Lake) -> Lake:
    """A lake of two days of events and three of purchases; stage.events has a checkpoint of its newest version."""
    table = samples.PurchaseTable(20, date(2026, 1, 5))
    table.land(lake.landing)
    lake.land("2026/01/05/a.csv", EVENTS)
    assert lake.make().success
    for _ in range(2):
        table.next_day(changed=0.3, new=0.1, removed=0.1)
        table.land(lake.landing)
    lake.land("2026/01/06/b.csv", EVENTS.replace("01-05", "01-06"))
    assert lake.make().success
    assert lake.strata(history.catch_up, ["purchases"]).success
    spark = lake.spark
    folder = str(lake.folder / "lake" / "warehouse" / "stage.db" / "events")
    spark._jvm.org.apache.spark.sql.delta.DeltaLog.forTable(spark._jsparkSession, folder).checkpoint()
    return lake


@pytest.fixture
def copy(whole: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that lake, in which the functions here look."""
    shutil.copytree(whole.folder / "lake", tmp_path / "lake", ignore=shutil.ignore_patterns("lock"))
    monkeypatch.setenv("STRATA_LAKE", str(tmp_path / "lake"))
    return tmp_path / "lake"


@pytest.fixture(scope="module")
def project(whole: Lake) -> Project:
    return doctor.project_of(whole.parsed({}))


def found(project: Project, deep: bool = False) -> list[Finding]:
    """Return all that is found of files, the lock, the retention, the record and the rows."""
    findings = [
        *inspection.of_files(project, deep),
        *inspection.of_lock(),
        *inspection.of_retention(project, 30),
        *inspection.of_record(project),
        *inspection.of_content(project),
    ]
    return inspection.in_order(findings, project)


def one(findings: list[Finding], text: str) -> Finding:
    """Return the one finding that says something."""
    said = [finding for finding in findings if re.search(text, finding.finding)]
    assert len(said) == 1, [finding.finding for finding in findings]
    return said[0]


def data_of(table: str) -> list[Path]:
    """Return the files that hold rows of a table."""
    return [folder_of(table) / path for path in sorted(delta_files.read(folder_of(table)).data)]


def run_of(table: str, version: int) -> str:
    """Return the short id of the first run that left a table at a version or a later one."""
    for run in reversed(record.newest()):
        for left in run["tables"]:
            if f"{left['schema_name']}.{left['table_name']}" == table and (left["version"] or -1) >= version:
                return run["run_id"][:8]
    raise AssertionError(f"no run left {table} at {version}")


def rewrite(table: str, change: Callable[[pyarrow.Table], pyarrow.Table]) -> None:
    """Put other rows into a table: its log is then one commit, of the version that was the newest."""
    folder = folder_of(table)
    files = delta_files.read(folder)
    described = [
        json.loads(line)["metaData"] for file in log_of(table) for line in file.read_text().splitlines()
        if "metaData" in json.loads(line)
    ][-1]  # fmt: skip
    columns = [column["name"] for column in json.loads(described["schemaString"])["fields"]]
    rows = change(delta_files.rows(files, columns))
    newest = log_of(table)[-1].name
    commit = log_of(table)[-1].read_text().splitlines()[0]
    shutil.rmtree(folder)
    (folder / "_delta_log").mkdir(parents=True)
    parquet.write_table(rows, folder / "part-0.parquet")
    size = (folder / "part-0.parquet").stat().st_size
    actions = [{"metaData": described}, {"add": {"path": "part-0.parquet", "size": size}}]
    (folder / "_delta_log" / f"{0:020}.json").write_text("\n".join([commit, *map(json.dumps, actions)]))
    for version in range(1, int(newest[:20]) + 1):
        (folder / "_delta_log" / f"{version:020}.json").write_text(commit)


def test_in_a_lake_that_is_whole_nothing_is_amiss(project: Project, copy: Path) -> None:
    assert found(project, deep=True) == []


def test_what_is_found_changes_nothing(project: Project, copy: Path) -> None:
    log_of("stage.events")[-1].write_text("")
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in copy.rglob("*")}
    assert found(project, deep=True)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in copy.rglob("*")} == before


# --- the log ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "said"), [("", "empty"), ('{"commitInfo":{"ope', "torn")])
def test_a_newest_commit_that_is_broken_is_found_and_can_be_set_aside(
    project: Project, copy: Path, text: str, said: str
) -> None:
    broken = log_of("raw.events")[-1]
    version = int(broken.name[:20])
    broken.write_text(text)
    finding = one(found(project), f"^the newest commit of raw.events is {said}: its rows are not there$")
    assert (finding.place, finding.severity, finding.mend) == (str(broken), "error", "set aside")
    lakes.set_aside(copy, broken)
    left = one(found(project), rf"^raw.events is at version {version - 1}, and run \w+ left it at {version}")
    assert left.mend is None
    assert left.repair == (
        "put them back from a backup; else 'dbt build' loads again what is in the landing folder still (all 2 files "
        "are there)"
    )


@pytest.mark.parametrize(("text", "said"), [("", "empty"), ("{", "torn"), (None, "missing")])
def test_a_commit_below_newer_ones_is_left_to_people(project: Project, copy: Path, text: str | None, said: str) -> None:
    broken = log_of("raw.events")[1]
    broken.unlink() if text is None else broken.write_text(text)
    finding = one(found(project), f"^commit 1 of raw.events is {said}, and newer ones are there$")
    assert (finding.place, finding.severity, finding.mend) == (str(broken), "error", None)
    # The first run wrote it, and there is none to go back to.
    assert finding.repair == (
        f"put it back from a backup; else move {folder_of('raw.events')} out of the lake, and 'strata repair' and "
        "'dbt build' load again what is in the landing folder still (all 2 files are there)"
    )


@pytest.mark.parametrize("text", ["", "{"])
def test_of_a_table_whose_log_cannot_be_read_nothing_else_is_said(project: Project, copy: Path, text: str) -> None:
    folder = folder_of("stage.events")
    for path in (folder / "_delta_log").iterdir():
        if path.is_file() and path.name[:20] != f"{0:020}":
            path.unlink()
    log_of("stage.events")[0].write_text(text)
    findings = [one for one in found(project) if "stage.events" in one.finding]
    said = f"commit 0 of stage.events is {'torn' if text else 'empty'}, and no version of it can be read"
    assert [one.finding for one in findings] == [said]
    assert findings[0].mend is None
    anew = (
        f"move {folder} out of the lake, and after 'strata repair' 'dbt build --full-refresh --select stage_events' "
        "makes it anew of what it reads"
    )
    assert findings[0].repair == f"put it back from a backup; else {anew}"


def test_a_commit_that_a_checkpoint_stands_for_loses_no_rows(project: Project, copy: Path) -> None:
    log_of("stage.events")[1].write_text("{")
    finding = one(found(project), "^commit 1 of stage.events is torn; its rows now are told by a checkpoint$")
    assert finding.severity == "warning"


def test_a_commit_that_is_another_than_was_written_is_found(project: Project, copy: Path) -> None:
    newest = log_of("raw.loaded_files")[-1]
    newest.write_text("".join(line for line in newest.read_text().splitlines(True) if not line.startswith('{"add"')))
    finding = one(found(project), "^the newest commit of raw.loaded_files is not as it was written")
    assert (finding.place, finding.severity, finding.mend) == (str(newest), "error", None)


def test_a_checkpoint_that_cannot_be_read_is_set_aside_where_the_commits_tell_all(project: Project, copy: Path) -> None:
    (checkpoint,) = (folder_of("stage.events") / "_delta_log").glob("*.checkpoint.parquet")
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])
    finding = one(found(project), "^a checkpoint of stage.events cannot be read")
    assert (finding.place, finding.severity, finding.mend) == (str(checkpoint), "error", "set aside")
    log_of("stage.events")[0].unlink()
    finding = one(found(project), "^a checkpoint of stage.events cannot be read")
    assert finding.mend is None
    assert finding.repair == "put it back from a backup: the commits before it are gone"


def test_a_checkpoint_that_is_gone_is_found_by_what_names_it(project: Project, copy: Path) -> None:
    log = folder_of("stage.events") / "_delta_log"
    (checkpoint,) = log.glob("*.checkpoint.parquet")
    checkpoint.unlink()
    finding = one(found(project), "^a checkpoint of stage.events is gone, which its log names$")
    assert (finding.place, finding.mend) == (str(log / "_last_checkpoint"), "set aside")
    (log / "_last_checkpoint").write_text("{")
    finding = one(found(project), "^a checkpoint of stage.events cannot be read")
    assert (finding.place, finding.mend) == (str(log / "_last_checkpoint"), "set aside")


def test_a_checkpoint_that_outlived_its_commit_is_set_aside_where_older_ones_are_there(
    project: Project, copy: Path
) -> None:
    (checkpoint,) = (folder_of("stage.events") / "_delta_log").glob("*.checkpoint.parquet")
    *older, newest = log_of("stage.events")
    newest.unlink()
    finding = one(found(project), "^a checkpoint of stage.events is newer than its newest commit, so that Delta")
    assert (finding.place, finding.severity, finding.mend) == (str(checkpoint), "error", "set aside")
    assert finding.repair.startswith("put the commits back from a backup; else 'strata repair' sets it aside")
    for commit in older:
        commit.unlink()
    findings = found(project)
    finding = one(findings, "^a checkpoint of stage.events is newer than its newest commit")
    assert (finding.repair, finding.mend) == ("put the commits back from a backup", None)
    assert one(findings, "^commit 0 of stage.events is missing, and no version of it can be read$").severity == "error"


def test_a_table_without_a_log_is_found(project: Project, copy: Path) -> None:
    shutil.rmtree(folder_of("mart.action_windows") / "_delta_log")
    findings = found(project)
    assert one(findings, "^mart.action_windows has files and no log").severity == "warning"
    gone = one(findings, r"^mart.action_windows is gone, which run \w+ left at version")
    assert (gone.place, gone.severity) == (str(folder_of("mart.action_windows")), "error")


def test_a_log_that_may_not_be_read_is_found(project: Project, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = inspection.storage.entries

    def refuse(folder: Path) -> list:
        if Path(folder) == folder_of("mart.action_windows") / "_delta_log":
            raise PermissionError(13, "Permission denied")
        return entries(folder)

    monkeypatch.setattr(inspection.storage, "entries", refuse)
    finding = one(found(project), r"^the log of mart.action_windows cannot be read \(Permission denied\)$")
    assert finding.severity == "error"


# --- data files -------------------------------------------------------------------------------------------------------


def test_a_data_file_that_is_gone_or_cut_is_found_by_its_size(project: Project, copy: Path) -> None:
    added = delta_files.read(folder_of("raw.events")).added
    path = max(added, key=added.get)
    file, version = folder_of("raw.events") / path, added[path]
    size = file.stat().st_size
    file.write_bytes(file.read_bytes()[:-7])
    finding = one(
        found(project), rf"^a data file of raw.events has another size \({size - 7} bytes where the log tells"
    )
    assert (finding.place, finding.severity, finding.mend) == (str(file), "error", None)
    file.unlink()
    finding = one(found(project), "^a data file of raw.events is gone$")
    assert f"'strata rollback --before {run_of('raw.events', version)}'" in finding.repair


def test_a_data_file_of_other_bytes_is_found_by_reading_all(project: Project, copy: Path) -> None:
    file = data_of("raw.events")[0]
    content = bytearray(file.read_bytes())
    content[4:40] = bytes(36)
    file.write_bytes(content)
    assert found(project) == []
    finding = one(found(project, deep=True), r"^a data file of raw.events cannot be read \(")
    assert (finding.place, finding.severity) == (str(file), "error")


def test_a_file_of_no_version_is_found_and_can_be_set_aside(project: Project, copy: Path) -> None:
    foreign = folder_of("raw.events") / "part-9.parquet"
    shutil.copy(data_of("raw.events")[0], foreign)
    finding = one(found(project), "^a file in the folder of raw.events belongs to none of its versions$")
    assert (finding.place, finding.severity, finding.mend) == (str(foreign), "warning", "set aside")
    aside = lakes.set_aside(copy, foreign)
    assert aside.exists()
    assert not foreign.exists()
    assert found(project) == []


def test_many_small_files_are_found(project: Project, copy: Path) -> None:
    newest = log_of("stage.events")[-1]
    adds = ""
    for number in range(inspection.MANY_FILES + 1):
        file = folder_of("stage.events") / f"part-{number}.parquet"
        shutil.copy(data_of("stage.events")[0], file)
        partition = next(iter(delta_files.read(folder_of("stage.events")).partitions.values()))
        adds += (
            json.dumps({"add": {"path": file.name, "size": file.stat().st_size, "partitionValues": partition}}) + "\n"
        )
    newest.with_name(f"{int(newest.name[:20]) + 1:020}.json").write_text(adds)
    finding = one(list(inspection.of_files(project)), r"^stage.events has \d+ data files of \d+ KB on average$")
    assert finding.repair == "'strata maintain' makes few of them"


# --- the lock, the retention, the record ------------------------------------------------------------------------------


def test_a_lock_that_the_dead_have_left_is_found(project: Project, copy: Path) -> None:
    (copy / "lock").write_text(json.dumps({"pid": "4194304", "command": "dbt build", "since": "2026-01-05"}))
    finding = one(found(project), "^process 4194304 held the lake for dbt build, and has died$")
    assert (finding.place, finding.severity) == (str(copy / "lock"), "warning")


def test_a_table_that_keeps_less_than_a_rollback_needs_is_found(project: Project, copy: Path) -> None:
    assert list(inspection.of_retention(project, 30)) == []
    findings = list(inspection.of_retention(project, 31))
    finding = one(findings, "^Delta keeps less of raw.events than the 31 days of rollback_days$")
    assert (finding.place, finding.mend) == (str(folder_of("raw.events")), "set retention")
    # What is not said in a table's properties is Delta's default, 7 days for files.
    assert inspection.keeps({}, 6)
    assert not inspection.keeps({}, 7)


def test_a_run_that_was_killed_is_found(project: Project, copy: Path) -> None:
    newest = max((copy / "runs").iterdir())
    run = json.loads(newest.read_text()) | {
        "status": "running",
        "ended_at": None,
        "process": f"{processes.MACHINE} 4194304",
    }
    newest.with_name(newest.name.replace(".json", ".running.json")).write_text(json.dumps(run))
    newest.unlink()
    finding = one(found(project), rf"^run {run['run_id'][:8]} \(.*\) was killed$")
    assert finding.severity == "warning"


def test_a_record_that_cannot_be_read_is_found(project: Project, copy: Path) -> None:
    newest = max((copy / "runs").iterdir())
    newest.write_text("{")
    finding = one(found(project), re.escape(newest.name))
    assert finding.severity == "error"


def test_a_table_that_was_changed_by_hand_is_found(project: Project, copy: Path) -> None:
    newest = log_of("mart.action_windows")[-1]
    version = int(newest.name[:20])
    by_hand = {"commitInfo": {"operation": "OPTIMIZE", "timestamp": 1767607200000}}
    newest.with_name(f"{version + 1:020}.json").write_text(json.dumps(by_hand))
    run = record.newest(1)[0]["run_id"][:8]
    said = f"changed by hand after run {run}: OPTIMIZE at 2026-01-05 10:00:00 UTC"
    finding = one(found(project), f"^mart.action_windows was {said}$")
    assert finding.repair == (
        f"where it was not meant, 'strata rollback --to {run}' takes it back, with all that is newer than the run"
    )
    assert finding.severity == "warning"
    deleted = {"operation": "DELETE", "timestamp": 1767607200000, "operationMetrics": {"numDeletedRows": "3"}}
    newest.with_name(f"{version + 2:020}.json").write_text(json.dumps({"commitInfo": deleted}))
    finding = one(found(project), f"^3 rows of mart.action_windows were {said}, and 1 commits after it$")
    assert finding.severity == "error"


# --- rows -------------------------------------------------------------------------------------------------------------


def test_rows_that_raw_lacks_are_found(project: Project, copy: Path) -> None:
    rewrite("raw.events", lambda rows: rows.slice(1))
    finding = one(found(project), "^raw.events has 29 rows of the file events/2026/01/0./..csv, and 30 were loaded$")
    assert (finding.place, finding.severity, finding.mend) == ("raw.events", "error", "look again")
    assert finding.repair == (
        "after 'strata repair' 'dbt build' loads again what is in the landing folder still (the file is there)"
    )


def test_files_that_raw_lacks_and_that_have_left_the_landing_folder_are_named(
    project: Project, whole: Lake, copy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(whole.landing, tmp_path / "landing")
    monkeypatch.setenv("STRATA_LANDING", str(tmp_path / "landing"))
    (tmp_path / "landing" / "events" / "2026" / "01" / "06" / "b.csv").unlink()
    rewrite("raw.events", lambda rows: rows.slice(0, 0))
    finding = one(
        found(project), "^raw.events has 0 rows of the file events/2026/01/05/a.csv, and 30 were loaded; 1 fur"
    )
    assert "(of 2 files 1 are not there, the first events/2026/01/06/b.csv: put them back before)" in finding.repair


def test_raw_that_went_back_to_where_all_was_noted_is_looked_at_again(project: Project, copy: Path) -> None:
    version = int(log_of("raw.events")[-1].name[:20])
    for commit in log_of("raw.events")[-2:]:
        lakes.set_aside(copy, commit)
    left = one(found(project), rf"^raw.events is at version {version - 2}, and run \w+ left it at {version}")
    assert left.mend == "look again"
    assert "else after 'strata repair' 'dbt build' loads again" in left.repair


def test_a_raw_table_that_is_gone_is_loaded_anew_of_the_files_that_are_there(project: Project, copy: Path) -> None:
    shutil.rmtree(folder_of("raw.events"))
    gone = one(found(project), r"^raw.events is gone, which run \w+ left at version")
    assert gone.repair == (
        "put its folder back from a backup; else the next run makes it anew of what is in the landing folder still "
        "(all 2 files are there)"
    )


def test_what_others_are_made_of_comes_first(project: Project, copy: Path) -> None:
    for table in ("mart.action_windows", "stage.events", "raw.events"):
        data_of(table)[0].unlink()
    (copy / "lock").write_text(json.dumps({"pid": "4194304", "command": "dbt build", "since": "2026-01-05"}))
    told = [(one.severity, one.table) for one in found(project)]
    assert told == [
        ("error", ("raw", "events")),
        ("error", ("stage", "events")),
        ("error", ("mart", "action_windows")),
        ("warning", None),
    ]


def test_rows_that_nothing_accounts_for_are_found(project: Project, copy: Path) -> None:
    def one_less(rows: pyarrow.Table) -> pyarrow.Table:
        less = compute.subtract(rows.column("rows_valid"), 1)
        is_it = compute.equal(rows.column("path"), "events/2026/01/05/a.csv")
        return rows.set_column(
            rows.column_names.index("rows_valid"), "rows_valid", compute.if_else(is_it, less, rows.column("rows_valid"))
        )

    rewrite("ops.landed_files", one_less)
    finding = one(
        found(project), "^of 30 rows of the file events/2026/01/05/a.csv 28 are valid, 1 quarantined and 0 ref"
    )
    assert (finding.place, finding.severity) == ("stage.events", "error")


def with_column(name: str, change: Callable[[Any, dict], Any]) -> Callable[[pyarrow.Table], pyarrow.Table]:
    """Return what gives each row of a table another value in a column."""

    def changed(rows: pyarrow.Table) -> pyarrow.Table:
        values = [change(row[name], row) for row in rows.to_pylist()]
        place = rows.column_names.index(name)
        return rows.set_column(place, name, pyarrow.array(values, rows.schema.field(name).type))

    return changed


def test_versions_that_are_not_numbered_from_one_on_are_found(project: Project, copy: Path) -> None:
    rewrite("stage.purchases", with_column("version", lambda version, row: version + (row["valid_to"] is None)))
    finding = one(found(project), r"^stage.purchases has \d+ keys whose versions are not numbered from 1 on$")
    assert finding.repair == "'strata rebuild --source purchases' derives it anew from raw"


def test_versions_that_overlap_are_found(project: Project, copy: Path) -> None:
    rewrite(
        "stage.purchases", with_column("valid_to", lambda valid_to, _row: valid_to and valid_to + timedelta(days=9))
    )
    assert one(found(project), r"^stage.purchases has \d+ keys with versions that overlap$").severity == "error"


def test_a_day_that_landed_and_is_not_in_the_history_is_found(project: Project, copy: Path) -> None:
    rewrite(
        "stage.history_days", lambda rows: rows.filter(compute.not_equal(rows.column("landed_on"), date(2026, 1, 6)))
    )
    finding = one(found(project), "^landed days of purchases are not in its history: 1, the first 2026-01-06$")
    assert finding.repair == "'strata catch-up --source purchases' takes them, or says why not"


def test_a_day_that_is_missing_between_others_is_found(project: Project, copy: Path) -> None:
    rewrite(
        "raw.loaded_files",
        lambda rows: rows.filter(
            compute.or_(
                compute.not_equal(rows.column("source"), "purchases"),
                compute.not_equal(rows.column("landed_on"), date(2026, 1, 6)),
            )
        ),
    )
    finding = one(found(project), "^of purchases days are missing between those that landed, the first 2026-01-06$")
    assert finding.severity == "warning"


# --- the metastore ----------------------------------------------------------------------------------------------------


@pytest.fixture
def told(project: Project) -> set[tuple[str, str]]:
    """The tables of the project that are in the lake: what a metastore that is whole knows."""
    return set(project.tables) & {(schema, name) for schema, name, _ in lakes.lying(places.lake())}


def test_the_metastore_is_held_against_the_lake(project: Project, copy: Path, told: set[tuple[str, str]]) -> None:
    assert list(inspection.of_metastore(told, project)) == []
    unknown = one(list(inspection.of_metastore(told - {("raw", "events")}, project)), "^raw.events lies in the lake")
    assert (unknown.place, unknown.mend) == (str(folder_of("raw.events")), "register")
    shutil.rmtree(folder_of("mart.action_windows"))
    alone = one(list(inspection.of_metastore(told, project)), "^the metastore knows mart.action_windows, of which no")
    assert (alone.place, alone.severity, alone.mend) == (str(folder_of("mart.action_windows")), "error", "forget")


def test_a_metastore_that_is_gone_is_found_where_there_are_tables(project: Project, copy: Path) -> None:
    (finding,) = inspection.of_metastore(None, project)
    assert (finding.finding, finding.mend) == ("the metastore is gone, and tables lie in the lake", "register")
    shutil.rmtree(copy / "warehouse")
    assert list(inspection.of_metastore(None, project)) == []


def test_no_lake_has_nothing_amiss(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "STRATA_LAKE", str(tmp_path / "none"))
    assert found(project) == []


def test_what_is_found_is_printed_as_it_is() -> None:
    printed = io.StringIO()
    away = f"move /lake/{'warehouse/' * 9}raw.db/events out of the lake"
    odd = Finding("a file [red]of[/red] a table", "/lake/[bold]", away, "warning", "set aside")
    # However narrow a terminal is, no path is cut.
    console = Console(file=printed, width=40, markup=False, force_terminal=True, color_system=None)
    doctor.show(console, [("lake", "[green]there", False)], [odd], as_json=False)
    assert all(text in printed.getvalue() for text in ("[green]there", odd.finding, odd.place, odd.repair))
    printed.truncate(0)
    doctor.show(Console(file=printed), [("lake", "there", False)], [odd], as_json=True)
    told = {"finding": odd.finding, "place": odd.place, "repair": odd.repair, "severity": odd.severity}
    assert json.loads(printed.getvalue().strip("\0")) == [told]
