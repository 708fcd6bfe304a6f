"""What `strata repair` mends, what it leaves, and what `strata maintain` takes away, tried with Spark."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from conftest import Lake, Run
from rolling_back import EVENTS, content, folder_of, forget, go, in_metastore, log_of, mended, newest, no, of_project
from strata import cli, delta_files, delta_log, places, record, repair

SELECTED = ("--select", "accepted_actions", "raw_events", "events_files", "stage_events", "quarantine_events")


def build(lake: Lake) -> Run:
    """Build the tables that the tests here damage."""
    return lake.dbt("build", "--exclude-resource-type", "unit_test", "test", *SELECTED)


@pytest.fixture(scope="module")
def built(lake: Lake) -> Iterator[tuple[Lake, str, str, dict]]:
    """A lake of two builds: it, the ids of the two runs, and what its tables hold."""
    lake.land("2026/01/05/a.csv", EVENTS)
    assert build(lake).success
    first = newest(lake)
    lake.land("2026/01/06/b.csv", EVENTS.replace("01-05", "01-06"))
    assert build(lake).success
    return lake, first, newest(lake), content(lake)


@pytest.fixture
def whole(built: tuple[Lake, str, str, dict]) -> Iterator[Lake]:
    """That lake, brought back to its files after a test."""
    lake = built[0]
    lake.enter()
    kept = lake.folder / "kept"
    shutil.copytree(lake.folder / "lake", kept, ignore=shutil.ignore_patterns("lock"))
    yield lake
    for path in (lake.folder / "lake").iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    shutil.copytree(kept, lake.folder / "lake", dirs_exist_ok=True)
    shutil.rmtree(kept)
    forget(lake)


def test_where_nothing_is_amiss_nothing_is_done(whole: Lake) -> None:
    count = len(record.newest())
    done = mended(whole, no)
    assert done.success, done.said
    assert done.said == ["Nothing is amiss in the lake: nothing was done."]
    assert len(record.newest()) == count


def test_a_table_whose_log_cannot_be_read_is_left_as_it_is_and_made_anew_once_its_folder_is_away(
    built: tuple[Lake, str, str, dict], whole: Lake
) -> None:
    folder = folder_of("stage.events")
    for path in (folder / "_delta_log").iterdir():
        if path.is_file() and path.name[:20] != f"{0:020}":
            path.unlink()
    log_of("stage.events")[0].write_text("{")
    lying = sorted(folder.rglob("*"))
    done = mended(whole)
    assert done.said[-1] == "Nothing of this is for 'strata repair' to mend: nothing was done."
    done.sentence(f"move {folder} out of the lake, and after 'strata repair' 'dbt build --full-refresh --select")
    assert sorted(folder.rglob("*")) == lying
    shutil.move(folder, whole.folder / "away")
    mended(whole).sentence("Mended: the metastore knows stage.events, of which no version is in the lake")
    assert whole.dbt("run", "--full-refresh", "--select", "stage_events").success
    assert build(whole).success
    assert of_project(content(whole)) == built[3]


@pytest.mark.parametrize("text", ["", '{"commitInfo":{"ope', '{"commitInfo":{}}\n{"add":{"pa'])
@pytest.mark.parametrize("table", ["raw.events", "stage.events"])
def test_a_broken_newest_commit_is_set_aside_and_what_the_doctor_says_makes_its_rows_again(
    built: tuple[Lake, str, str, dict], whole: Lake, text: str, table: str
) -> None:
    held = built[3]
    broken = log_of(table)[-1]
    broken.write_text(text)
    forget(whole)
    # No run goes on over it.
    refused = build(whole)
    assert not refused.success
    refused.sentence(f"{broken} is {'torn' if text else 'empty'}: 'strata doctor' says what is to be done")
    done = mended(whole)
    assert done.success, done.said
    done.sentence(f"{broken} is now {places.lake() / 'set_aside'}")
    assert not broken.exists()
    assert record.newest(1)[0]["command"] == "strata repair"
    done.sentence("This is left to you, from the top on, and then 'strata doctor' once more:")
    if table == "raw.events":
        done.sentence("else 'dbt build' loads again what is in the landing folder still (all 2 files are there)")
    else:
        done.sentence("'dbt build --full-refresh --select stage_events' makes it anew")
        assert whole.dbt("run", "--full-refresh", "--select", "stage_events").success
    assert build(whole).success
    assert of_project(content(whole)) == held


def test_raw_that_lacks_its_last_commits_is_looked_at_again(built: tuple[Lake, str, str, dict], whole: Lake) -> None:
    # What is left tells that all is noted, of the build before.
    for commit in log_of("raw.events")[-2:]:
        commit.unlink()
        commit.with_suffix(".crc").unlink()
    done = mended(whole)
    assert done.success, done.said
    done.sentence("after 'strata repair' 'dbt build' loads again what is in the landing folder still (all 2 files")
    done.sentence("raw.events has 0 rows of the file events/2026/01/06/b.csv, and 30 were loaded")
    done.sentence("The next 'dbt build' looks at what raw.events holds.")
    assert not [said for said in done.said if said.startswith("Mended: raw.events")]
    assert [one["operation"] for one in delta_log.commits("raw", "events", 2)] == [
        "UNSET TBLPROPERTIES",
        "SET TBLPROPERTIES",
    ]
    assert build(whole).success
    assert of_project(content(whole)) == built[3]
    assert mended(whole, no).said == ["Nothing is amiss in the lake: nothing was done."]


def test_rows_of_raw_that_were_deleted_by_hand_are_loaded_again(
    built: tuple[Lake, str, str, dict], whole: Lake
) -> None:
    # Who works by hand signs nothing.
    whole.spark.conf.unset(delta_log.SIGNATURE)
    whole.spark.sql(f"delete from {whole.schema('raw')}.events where action = 'Open'")
    done = mended(whole, no)
    assert done.success, done.said
    done.sentence("rows of raw.events were changed by hand after run")
    done.sentence("rows of the file events/2026/01/05/a.csv, and 30 were loaded; 1 further files")
    done.sentence("'dbt build' loads again what is in the landing folder still (all 2 files are there)")
    assert build(whole).success
    assert of_project(content(whole)) == built[3]


def test_who_reads_a_table_that_lacks_a_file_is_told_who_knows_what_to_do(whole: Lake) -> None:
    folder = folder_of("stage.events")
    for path in delta_files.read(folder).data:
        (folder / path).unlink()
    forget(whole)
    read = whole.dbt("show", "--inline", "select count(distinct action) from {{ ref('stage_events') }}")
    assert not read.success
    line = read.sentence("'strata doctor' says what is broken in the lake, and how it is mended")
    assert str(folder) in line
    assert not [said for said in read.said if " at org." in said or said.lstrip().startswith("at ")], read.said


def test_a_broken_checkpoint_is_set_aside(built: tuple[Lake, str, str, dict], whole: Lake) -> None:
    spark = whole.spark
    log = spark._jvm.org.apache.spark.sql.delta.DeltaLog.forTable(spark._jsparkSession, str(folder_of("stage.events")))
    log.checkpoint()
    (checkpoint,) = (folder_of("stage.events") / "_delta_log").glob("*.checkpoint.parquet")
    checkpoint.write_bytes(checkpoint.read_bytes()[:50])
    done = mended(whole)
    assert done.success, done.said
    assert not checkpoint.exists()
    assert done.said[-1] == "Nothing is amiss in the lake now."
    assert of_project(content(whole)) == built[3]


def test_a_checkpoint_that_is_gone_is_named_no_more(built: tuple[Lake, str, str, dict], whole: Lake) -> None:
    spark = whole.spark
    log = spark._jvm.org.apache.spark.sql.delta.DeltaLog.forTable(spark._jsparkSession, str(folder_of("stage.events")))
    log.checkpoint()
    (checkpoint,) = (folder_of("stage.events") / "_delta_log").glob("*.checkpoint.parquet")
    checkpoint.unlink()
    done = mended(whole)
    assert done.success, done.said
    assert done.said[-1] == "Nothing is amiss in the lake now."
    assert of_project(content(whole)) == built[3]


def test_a_file_of_no_version_is_set_aside_with_its_path(built: tuple[Lake, str, str, dict], whole: Lake) -> None:
    foreign = folder_of("raw.events") / "part-9.parquet"
    shutil.copy(folder_of("raw.events") / next(iter(delta_files.read(folder_of("raw.events")).data)), foreign)
    done = mended(whole)
    assert done.success, done.said
    (aside,) = (places.lake() / "set_aside").glob("*/warehouse/raw.db/events/part-9.parquet")
    assert not foreign.exists()
    done.sentence(f"{foreign} is now {aside}")
    assert of_project(content(whole)) == built[3]


def test_the_metastore_and_the_lake_are_brought_together(built: tuple[Lake, str, str, dict], whole: Lake) -> None:
    spark = whole.spark
    # An entry goes with its files: they are put back without it.
    aside = whole.folder / "raw_events"
    shutil.copytree(folder_of("raw.events"), aside)
    spark.sql(f"drop table {whole.schema('raw')}.events")
    shutil.rmtree(folder_of("raw.events"), ignore_errors=True)
    shutil.move(aside, folder_of("raw.events"))
    shutil.rmtree(folder_of("quarantine.events"))
    done = mended(whole)
    assert done.success, done.said
    done.sentence("Mended: raw.events lies in the lake, and the metastore does not know it.")
    done.sentence("Mended: the metastore knows quarantine.events, of which no version is in the lake.")
    assert ("raw", "events") in in_metastore(whole)
    assert ("quarantine", "events") not in in_metastore(whole)
    assert build(whole).success
    assert of_project(content(whole)) == built[3]


def test_a_table_keeps_from_then_on_what_a_rollback_needs(whole: Lake) -> None:
    done = mended(whole, rollback_days=40)
    assert done.success, done.said
    done.sentence("Mended: Delta keeps less of stage.events than the 40 days of rollback_days")
    properties = delta_files.read(folder_of("stage.events")).properties
    assert properties["delta.logRetentionDuration"] == "interval 41 days"
    assert properties["delta.deletedFileRetentionDuration"] == "interval 41 days"


def test_without_a_yes_nothing_is_mended(whole: Lake) -> None:
    broken = log_of("stage.events")[-1]
    broken.write_text("")
    done = mended(whole, no)
    assert not done.success
    done.sentence("No: Mend this?")
    assert broken.exists()


def test_what_would_lose_rows_is_left_to_people(whole: Lake) -> None:
    file = folder_of("raw.events") / next(iter(delta_files.read(folder_of("raw.events")).data))
    file.unlink()
    before = {path: path.stat().st_mtime_ns for path in places.lake().rglob("*")}
    left = []
    done = mended(whole, no, lambda *given: left.extend(repair.repair(*given)))
    assert done.success
    assert [one.place for one in left] == [str(file)]
    assert done.said[-1] == "Nothing of this is for 'strata repair' to mend: nothing was done."
    assert {path: path.stat().st_mtime_ns for path in places.lake().rglob("*")} == before


@pytest.mark.parametrize(("left", "code"), [([], 0), (["a finding"], 1)])
def test_the_command_ends_non_zero_where_more_is_left(monkeypatch: pytest.MonkeyPatch, left: list, code: int) -> None:
    monkeypatch.setattr(repair, "repair", lambda *given: left)
    assert CliRunner().invoke(cli.app, ["repair", "--yes"]).exit_code == code


def test_maintain_compacts_and_keeps_what_a_rollback_needs(
    built: tuple[Lake, str, str, dict], whole: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, first, _, held = built
    monkeypatch.setattr(repair.inspection, "MANY_FILES", 1)
    young = folder_of("stage.events") / "part-young.parquet"
    old = folder_of("stage.events") / "part-old.parquet"
    for file in (young, old):
        shutil.copy(folder_of("stage.events") / next(iter(delta_files.read(folder_of("stage.events")).data)), file)
    os.utime(old, (0, 0))
    done = mended(whole, None, repair.maintain)
    assert done.success, done.said
    done.sentence("and 1 cleaned of what no rollback of 30 days needs")
    assert record.newest(1)[0]["command"] == "strata maintain"
    compacted = next(
        commit for commit in repair.inspection.delta_log.commits("raw", "events") if commit["operation"] == "OPTIMIZE"
    )
    assert compacted["run_id"] == record.newest(1)[0]["run_id"]
    assert young.exists()
    assert not old.exists()
    assert of_project(content(whole)) == held
    # All that a rollback needs is there, and the next build finds nothing new.
    assert go(whole, to=first).success
    assert build(whole).success
    assert of_project(content(whole)) == held


def test_maintain_leaves_a_table_whose_log_is_broken(whole: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair.inspection, "MANY_FILES", 0)
    log_of("raw.events")[1].write_text("{")
    lying = sorted(folder_of("raw.events").rglob("*"))
    done = mended(whole, None, repair.maintain)
    assert done.success, done.said
    assert sorted(folder_of("raw.events").rglob("*")) == lying


def test_maintain_cleans_no_more_than_a_rollback_leaves_of_a_table_that_was_told_otherwise(whole: Lake) -> None:
    spark = whole.spark
    spark.sql(
        f"alter table {whole.schema('stage')}.events set tblproperties "
        "('delta.deletedFileRetentionDuration' = 'interval 0 days')"
    )
    old = folder_of("stage.events") / "part-old.parquet"
    shutil.copy(folder_of("stage.events") / next(iter(delta_files.read(folder_of("stage.events")).data)), old)
    os.utime(old, (0, 0))
    removed = set(delta_files.read(folder_of("stage.events")).named) - set(
        delta_files.read(folder_of("stage.events")).data
    )
    assert mended(whole, None, repair.maintain).success
    assert not old.exists()
    assert all((folder_of("stage.events") / path).exists() for path in removed)
    assert repair.inspection.keeps(delta_files.read(folder_of("stage.events")).properties, 30)


# --- a metastore of its own -------------------------------------------------------------------------------------------


def strata(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run the command in a process of its own, in a lake in a folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STRATA_")}
    environment |= {"STRATA_LAKE": str(folder / "lake"), "STRATA_LANDING": str(folder / "landing")}
    environment |= {"DBT_TARGET_PATH": str(folder / "target"), "DBT_LOG_PATH": str(folder / "logs")}
    command = [str(Path(sys.executable).with_name(arguments[0])), *arguments[1:]]
    return subprocess.run(command, cwd=places.ROOT, env=environment, capture_output=True, text=True)


def test_a_metastore_that_is_broken_or_gone_is_made_again_of_what_lies_in_the_lake(tmp_path: Path) -> None:
    seeded = strata(tmp_path, "dbt", "seed")
    assert seeded.returncode == 0, seeded.stdout
    assert strata(tmp_path, "strata", "doctor").returncode == 0
    for segment in (tmp_path / "lake" / "metastore" / "seg0").iterdir():
        segment.write_bytes(b"no page of Derby's" * 400)
    said = strata(tmp_path, "strata", "doctor", "--json")
    assert said.returncode == 1
    (finding,) = json.loads(said.stdout)
    assert finding["finding"].startswith(
        f"the metastore cannot be read (Failed to start database '{tmp_path / 'lake' / 'metastore'}'"
    )
    assert "class loader" not in finding["finding"]
    assert finding["severity"] == "error"
    done = strata(tmp_path, "strata", "repair", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "Nothing is amiss in the lake now."
    # A table that somebody set aside is registered too.
    shutil.copytree(
        tmp_path / "lake" / "warehouse" / "stage.db" / "accepted_actions",
        tmp_path / "lake" / "warehouse" / "stage.db" / "accepted_actions__set_aside_1",
    )
    shutil.rmtree(tmp_path / "lake" / "metastore")
    said = strata(tmp_path, "strata", "doctor", "--json")
    assert [one["finding"] for one in json.loads(said.stdout)] == ["the metastore is gone, and tables lie in the lake"]
    done = strata(tmp_path, "strata", "repair", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    shown = strata(tmp_path, "dbt", "show", "--inline", "select count(*) as n from stage.accepted_actions__set_aside_1")
    assert "| 2 |" in shown.stdout
