"""What stops a run before it begins, each with one sentence, and what a run that succeeds does not print."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import time
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from conftest import GENERATED_CODE
from strata import delta_files, jars, java, lake, places, session, settings, sources
from strata.dbt_run import of_subject
from strata.errors import StrataError

DBT = str(Path(sys.executable).with_name("dbt"))


def environment_in(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a process with a lake and a landing folder aside.

    What dbt keeps of the parsed project is shared by the tests of this process: parsing it takes seconds.
    """
    return {
        **os.environ,
        "STRATA_LAKE": str(tmp_path / "lake"),
        "STRATA_LANDING": str(tmp_path / "landing"),
        "DBT_TARGET_PATH": str(tmp_path.parent / "target"),
        "DBT_USE_COLORS": "false",
    }


def run(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Run dbt as people do, in a process of its own, with a lake and a landing folder aside."""
    return subprocess.run(
        [DBT, *arguments],
        cwd=places.ROOT,
        env=environment_in(tmp_path) | environment,
        capture_output=True,
        text=True,
    )


def rows_of(tmp_path: Path, schema: str, table: str, *columns: str) -> list[dict]:
    """Return columns of a table in the lake, times in UTC without a zone, without another Spark for it."""
    files = delta_files.read(tmp_path / "lake" / "warehouse" / f"{schema}.db" / table)
    return delta_files.rows(files, list(columns)).to_pylist()


def assert_one_sentence(done: subprocess.CompletedProcess, *texts: str) -> None:
    """Assert that a run failed at once, with one line under dbt's heading and no trace."""
    assert done.returncode == 2
    said = (done.stdout + done.stderr).split("Runtime Error\n")[-1].strip()
    assert len(said.splitlines()) == 1, said
    for text in texts:
        assert text in said
    assert "Traceback" not in done.stdout + done.stderr


def fake_java(folder: Path, version: str) -> Path:
    java = folder / f"jdk-{version}" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-01-01' >&2\n")
    java.chmod(0o755)
    return java.parents[1]


# --- settings ---------------------------------------------------------------------------------------------------------

DECLARED = sources.load(places.ROOT)
# What is null is as the source declares it.
DEFAULTS = {
    "window_minutes": 10,
    "top_windows": 10,
    "earliest_valid_date": "2000-01-01",
    "history": None,
    "replay_from": None,
    "verify_history": None,
    "test_everything": False,
    "rollback_days": 30,
    "kept_failures": 20,
    "max_quarantined_share": None,
    "max_removed_share": None,
    "allow_empty_snapshot": None,
    "snapshot_date": None,
    "max_new_columns": None,
    "max_columns": None,
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("window_minutes", value) for value in (0, -10, 7, 1441, 2880, "10", 10.0, True, None)),
        *(("top_windows", value) for value in (0, -1, "ten", 1.5, None)),
        *(
            ("earliest_valid_date", value)
            for value in ("2000-13-01", "yesterday", 2000, None, "01.01.2000", "946684800", "2020-01-01T00:00:00")
        ),
        *(("history", value) for value in ("all", 1, True)),
        *(("max_quarantined_share", value) for value in (-0.1, 1.1, "5 %", True, {"events": 2})),
        *(("max_removed_share", value) for value in (-0.1, 3, "half", False, {"purchases": "half"})),
        *(("allow_empty_snapshot", value) for value in ("yes", 1)),
        *(("snapshot_date", value) for value in ("2023-02-30", "today", 20230722, "22.07.2023")),
        *(("verify_history", value) for value in ("yes", 0)),
        *(("test_everything", value) for value in ("yes", 0, None)),
        *(("rollback_days", value) for value in (0, "month", None, 1.5, 3651)),
        *(("kept_failures", value) for value in (-1, "all", None, True, 10_001)),
        *(("max_new_columns", value) for value in (-1, "many", 1.5, True)),
        *(("max_columns", value) for value in (0, 10_001, "2000")),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_must_be(name: str, value: object) -> None:
    with pytest.raises(StrataError) as refused:
        settings.load(places.ROOT, {name: value}, DECLARED)
    sentence = str(refused.value)
    assert f"{name} is {value!r}; it must be {settings.MENDS[name]}" in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("value", [7, "", ["a"]])
def test_a_path_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(StrataError, match=r"events_path is .*; it must be the path of a file or a folder"):
        settings.load(places.ROOT, {"events_path": value}, DECLARED)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("window_minutes", value) for value in (1, 15, 1440)),
        ("top_windows", 1),
        ("earliest_valid_date", "1970-01-01"),
        *(("history", value) for value in ("catch-up", "rebuild")),
        *(("max_quarantined_share", value) for value in (0, 1, 0.5, {"events": 0.5})),
        *(("max_removed_share", value) for value in (0, 1)),
        ("allow_empty_snapshot", True),
        ("snapshot_date", "2023-07-22"),
        ("verify_history", False),
        ("test_everything", True),
        *(("rollback_days", value) for value in (1, 3650)),
        *(("kept_failures", value) for value in (0, 10_000)),
        *(("max_new_columns", value) for value in (0, 1_000_000)),
        *(("max_columns", value) for value in (1, 10_000, {"fleet_sensors": 7})),
    ],
)
def test_a_right_setting_is_taken(name: str, value: object) -> None:
    taken = getattr(settings.load(places.ROOT, {name: value}, DECLARED), name)
    assert str(taken) in (str(value), f"{value}.0")


def test_a_path_is_taken_by_its_source() -> None:
    assert settings.load(places.ROOT, {"events_path": "/a/b"}, DECLARED).paths == {"events": "/a/b"}


def test_the_defaults_are_those_of_the_documentation() -> None:
    assert settings.load(places.ROOT, {}, DECLARED) == settings.Settings(**DEFAULTS)


def test_a_wrong_setting_stops_dbt_before_anything_is_written(tmp_path: Path) -> None:
    done = run(tmp_path, "build", "--vars", "{window_minutes: 7}")
    assert_one_sentence(done, "window_minutes is 7; it must be a whole number of minutes that divides 1440")
    assert not (tmp_path / "lake").exists()


def test_a_target_that_is_none_stops_dbt_before_anything_is_written(tmp_path: Path) -> None:
    done = run(tmp_path, "build", "--target", "nowhere")
    assert done.returncode == 2
    assert "does not have a target named 'nowhere'" in done.stdout
    assert not (tmp_path / "lake").exists()


def test_an_events_path_that_is_not_there_stops_dbt_before_anything_is_written(tmp_path: Path) -> None:
    done = run(tmp_path, "build", "--vars", f"{{events_path: {tmp_path}/nowhere}}")
    assert_one_sentence(done, f"events_path names {tmp_path}/nowhere, which is not there")
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize(
    "schema", ["jane-doe", "", "Jane", "jane.doe", "jane doe", "j`d", "jané", "a" * 101, "${env:HOME}"]
)
def test_a_schema_that_spark_cannot_name_is_refused(schema: str) -> None:
    with pytest.raises(
        StrataError, match=r"letters a-z, digits and underscores, .* in STRATA_SCHEMA_PREFIX"
    ) as refused:
        settings.check_schema(schema)
    assert repr(schema) in str(refused.value)


@pytest.mark.parametrize("schema", ["stage", "jane_doe", "_x", "7x"])
def test_a_schema_that_spark_can_name_is_taken(schema: str) -> None:
    settings.check_schema(schema)


def test_a_wrong_schema_prefix_stops_dbt_before_anything_is_written(tmp_path: Path) -> None:
    done = run(tmp_path, "build", "--target", "dev", STRATA_SCHEMA_PREFIX="jane-doe")
    assert_one_sentence(done, "The profile's schema is 'jane-doe'", "STRATA_SCHEMA_PREFIX")
    assert not (tmp_path / "lake").exists()


# --- folders ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "name", "said"),
    [
        ("STRATA_LAKE", "la;ke", "The lake folder /x/la;ke holds ';' in its path, which"),
        ("STRATA_LAKE", "la:ke", "The lake folder /x/la:ke holds ':' in its path, which"),
        ("STRATA_LAKE", "${user.home}", "The lake folder /x/${user.home} holds '${' in its path, which"),
        ("STRATA_LAKE", "la\udcffke", r"The lake folder /x/la\xffke holds bytes that are no UTF-8 in its path"),
        ("STRATA_LANDING", "la\udcffke", r"The landing folder /x/la\xffke holds bytes that are no UTF-8 in its path"),
        ("ROOT", "pro:ject", "The project's folder /x/pro:ject holds ':' in its path, which"),
    ],
)
def test_a_folder_that_spark_cannot_name_is_refused(
    monkeypatch: pytest.MonkeyPatch, place: str, name: str, said: str
) -> None:
    if place == "ROOT":
        monkeypatch.setattr(places, "ROOT", Path("/x") / name)
    else:
        monkeypatch.setenv(place, f"/x/{name}")
    with pytest.raises(StrataError) as refused:
        places.check()
    assert str(refused.value).startswith(said)
    assert ("move the project" if place == "ROOT" else f"name another folder in {place}") in str(refused.value)


def test_a_wrong_folder_stops_dbt_before_anything_is_written(tmp_path: Path) -> None:
    done = run(tmp_path, "build", STRATA_LAKE=str(tmp_path / "la;ke"))
    assert_one_sentence(done, f"The lake folder {tmp_path}/la;ke holds ';'", "STRATA_LAKE")
    assert list(tmp_path.iterdir()) == []


ODD = " '\"%41#[x]{a,b}*?\\$=&é漢`"


def test_lake_and_landing_folder_may_have_odd_names(tmp_path: Path) -> None:
    for name in ("lake", "landing"):
        (tmp_path / f"{name}{ODD}").mkdir()
    events = tmp_path / f"landing{ODD}" / "events"
    events.mkdir()
    (events / "a.csv").write_text("time,action\n2026-01-01T10:00:00Z,Open\n")
    places_of_it = {name: str(tmp_path / f"{name[7:].lower()}{ODD}") for name in ("STRATA_LAKE", "STRATA_LANDING")}
    done = run(tmp_path, "run", "--select", "loaded_files", "raw_events", LC_ALL="C.UTF-8", **places_of_it)
    assert done.returncode == 0, done.stdout
    assert list((tmp_path / f"lake{ODD}" / "warehouse" / "raw.db" / "events").glob("*.parquet"))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([f"lake{ODD}", f"landing{ODD}"])


def test_the_project_may_lie_in_a_folder_with_an_odd_name(tmp_path: Path) -> None:
    """And with it its lake and its landing folder, in a locale that has no such names."""
    project = tmp_path / f"project{ODD}"
    shutil.copytree(
        *(places.ROOT, project),
        symlinks=True,
        ignore=lambda folder, names: (
            {".git", ".venv", "target", "logs", "lake", "landing"} & set(names)
            if Path(folder) == places.ROOT
            else set()
        ),
    )
    (project / ".venv" / "jars").mkdir(parents=True)
    for jar in places.jars_dir().glob("*.jar"):
        (project / ".venv" / "jars" / jar.name).symlink_to(jar)
    (project / "landing" / "events").mkdir(parents=True)
    (project / "landing" / "events" / "a.csv").write_text("time,action\n2026-01-01T10:00:00Z,Open\n")
    code = "from strata import places; from dbt.cli.main import cli; print(places.ROOT); cli()"
    done = subprocess.run(
        [sys.executable, "-c", code, "run", "--select", "loaded_files", "raw_events"],
        cwd=project,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("STRATA_")},
            "PYTHONPATH": str(project / "python"),
            "DBT_TARGET_PATH": str(project / "target"),
            "LC_ALL": "C",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith(str(project))
    assert rows_of(project, "raw", "events", "path") == [{"path": "events/a.csv"}]
    assert (project / "logs" / "spark.log").exists()


def test_javas_options_hold_paths_whatever_is_in_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "ROOT", Path('/a "b\\c,d'))
    monkeypatch.setattr(jars, "class_path", lambda: "")
    options = session.configuration(Path("/lake"))["spark.driver.extraJavaOptions"]
    assert '"-Dstrata.log=/a \\"b\\\\c,d/logs/spark.log"' in options
    assert '"-Dlog4j2.configurationFile=file:///a%20%22b%5Cc%2Cd/conf/log4j2.properties"' in options


@pytest.mark.parametrize(
    ("bytes_to_read", "compiles", "generates"),
    [
        (8 * 1024**2 - 1, False, False),
        (8 * 1024**2, False, True),
        (64 * 1024**2 - 1, False, True),
        (64 * 1024**2, True, True),
    ],
)
def test_where_little_is_read_less_is_compiled(bytes_to_read: int, compiles: bool, generates: bool) -> None:
    settings = session.configuration(Path("/lake"), bytes_to_read)
    assert ("-XX:TieredStopAtLevel=1" not in settings["spark.driver.extraJavaOptions"]) is compiles
    assert (settings.get("spark.sql.adaptive.enabled") != "false") is compiles
    assert (settings.get("spark.sql.codegen.wholeStage") != "false") is generates
    assert (settings.get("spark.sql.codegen.factoryMode") != "NO_CODEGEN") is generates


def test_settings_of_the_environment_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATA_SPARK_SETTINGS", "spark.sql.codegen.wholeStage=true")
    assert session.configuration(Path("/lake"), 0)["spark.sql.codegen.wholeStage"] == "true"


def test_spark_substitutes_nothing_in_what_lands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert session.configuration(tmp_path)["spark.sql.variable.substitute"] == "false"
    monkeypatch.setenv("STRATA_SPARK_SETTINGS", "spark.sql.variable.substitute=true")
    with pytest.raises(StrataError, match=r"STRATA_SPARK_SETTINGS sets spark\.sql\.variable\.substitute to true"):
        session.configuration(tmp_path)


# --- the machine ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.8.0_392", "11.0.2", "16", "22.0.1", "25"])
def test_a_java_that_spark_does_not_run_on_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    home = fake_java(tmp_path, version)
    monkeypatch.setenv("JAVA_HOME", str(home))
    with pytest.raises(StrataError) as refused:
        java.check()
    major = version.removeprefix("1.").split(".")[0]
    assert str(refused.value).startswith(f"{home}/bin/java is Java {major}, ")
    assert "install Java 17 or 21" in str(refused.value)


def test_a_java_that_spark_does_not_run_on_stops_dbt(tmp_path: Path) -> None:
    home = fake_java(tmp_path, "11.0.2")
    assert_one_sentence(run(tmp_path, "build", JAVA_HOME=str(home)), f"{home}/bin/java is Java 11, ")


@pytest.mark.parametrize("version", ["17.0.15", "21"])
def test_a_java_that_spark_runs_on_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, version)))
    assert java.check() == int(version.split(".")[0])


def test_no_java_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "bin"
    empty.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "JAVA_HOME"}
    done = subprocess.run(
        [sys.executable, DBT, "build"],
        cwd=places.ROOT,
        env={**environment, "PATH": str(empty), "STRATA_LAKE": str(tmp_path / "lake")},
        capture_output=True,
        text=True,
    )
    assert_one_sentence(done, "No java is on the PATH and JAVA_HOME is not set", "install Java 17 or 21")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(StrataError, match=f"JAVA_HOME is {tmp_path}, and no java is there"):
        java.check()


def test_a_missing_jar_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(jars, "jars_dir", lambda: tmp_path)
    with pytest.raises(StrataError, match=r"delta-spark.*is missing: run 'make setup'"):
        jars.class_path()


def test_a_jar_with_another_checksum_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(jars, "jars_dir", lambda: tmp_path)
    monkeypatch.setattr(jars, "_retrieve", lambda wanted, into: [(into / j.file_name).write_text("x") for j in wanted])
    with pytest.raises(StrataError, match="has another sha256 than"):
        jars.install()
    assert [path for path in tmp_path.iterdir() if path.suffix == ".jar"] == []


def test_a_lake_that_is_no_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("")
    assert_one_sentence(run(tmp_path, "build"), f"The lake {tmp_path}/lake is not a folder")


def test_a_lake_that_cannot_be_made_is_said() -> None:
    with pytest.raises(StrataError, match="The lake folder /proc/lake cannot be made"):
        lake.check_folder(Path("/proc/lake"))


def test_a_lake_without_rights_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # root may write everywhere, so the answer of the system is put in its place.
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    with pytest.raises(StrataError, match="cannot be written by this user: give it read and write rights there"):
        lake.check_folder(tmp_path)


def test_what_was_parsed_in_times_to_come_is_parsed_anew(tmp_path: Path) -> None:
    listing = ("ls", "--select", "intake")
    assert run(tmp_path, *listing).returncode == 0
    parsed = environment_in(tmp_path)["DBT_TARGET_PATH"] + "/partial_parse.msgpack"
    os.utime(parsed, (time.time() + 3600, time.time() + 3600))
    assert run(tmp_path, *listing).returncode == 0
    assert os.stat(parsed).st_mtime <= time.time()


@pytest.mark.parametrize(
    "closed",
    ["metastore", "intake", "warehouse/stage.db", "warehouse/stage.db/events", "warehouse/stage.db/events/_delta_log"],
)
def test_a_folder_of_the_lake_without_rights_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: str
) -> None:
    (tmp_path / closed).mkdir(parents=True)

    def check() -> None:
        lake.check_folder(tmp_path)
        lake.check_tables(tmp_path, [("stage", "events")])

    check()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path / closed or not mode & os.W_OK)
    with pytest.raises(StrataError, match=f"The folder {tmp_path / closed} of the lake cannot be written by this user"):
        check()


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake, "MINIMUM_FREE_BYTES", 1 << 60)
    with pytest.raises(StrataError, match=r"has \d+ MB free, less than the"):
        lake.check_folder(tmp_path)


def test_a_wrong_spark_setting_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATA_SPARK_SETTINGS", "spark.driver.memory 4g")
    with pytest.raises(StrataError, match=r"STRATA_SPARK_SETTINGS holds 'spark\.driver\.memory'"):
        session.configuration(tmp_path)


def test_a_spark_that_does_not_start_is_one_sentence(tmp_path: Path) -> None:
    done = run(tmp_path, "show", "--inline", "select 1", STRATA_JAVA_OPTIONS="-XX:+UseParallelGC -XX:+UseG1GC")
    assert_one_sentence(done, "Spark did not start", f"{places.logs() / 'spark.log'} says why")


def test_a_process_has_one_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Running:
        lake = tmp_path / "one"

    monkeypatch.setattr(session, "_current", Running())
    assert session.start(tmp_path / "one") is session._current
    with pytest.raises(StrataError, match="already works in the lake"):
        session.start(tmp_path / "two")
    monkeypatch.setattr(session, "_current", None)


# --- one process in a lake --------------------------------------------------------------------------------------------


def holder(code: str) -> subprocess.Popen:
    """Start a Python process that runs code, says a line, and then waits to be killed."""
    program = textwrap.dedent(code) + "\nprint('ready', flush=True)\nimport signal\nsignal.pause()\n"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    return process


def test_a_second_run_is_told_who_holds_the_lake_until_that_one_is_dead(tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    process = holder(f"from strata import lake\nfrom pathlib import Path\nlake.hold(Path({str(folder)!r}))")
    try:
        done = run(tmp_path, "show", "--inline", "select 1")
        assert_one_sentence(done, f"Another run holds the lake {folder}: process {process.pid} (-c), since 20")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    lake.hold(folder)
    lake.release(folder)


def test_a_lake_stays_held_while_the_spark_of_a_dead_run_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake, "GRACE_SECONDS", 1)
    process = holder(
        f"""
        import subprocess
        from pathlib import Path
        from strata import lake
        descriptor = lake.hold(Path({str(tmp_path)!r}))
        print(subprocess.Popen(["sleep", "infinity"], pass_fds=[descriptor]).pid, flush=True)
        """
    )
    (child,) = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGKILL)
    process.wait()
    with pytest.raises(StrataError, match=f"still held by the Spark of process {process.pid} .*which has died"):
        lake.hold(tmp_path)
    child.kill()
    child.wait()
    lake.hold(tmp_path)
    lake.release(tmp_path)


def test_another_process_in_the_metastore_is_named(tmp_path: Path) -> None:
    (tmp_path / "metastore").mkdir()
    code = f"import fcntl; f = open({str(tmp_path / 'metastore' / 'dbex.lck')!r}, 'w'); fcntl.lockf(f, fcntl.LOCK_EX)"
    process = holder(code)
    try:
        with pytest.raises(StrataError, match=f"The metastore of the lake .* is open in process {process.pid}"):
            lake.hold(tmp_path)
    finally:
        process.kill()
        process.wait()
    lake.hold(tmp_path)
    lake.release(tmp_path)


def unmade(folder: Path, *others: str) -> Path:
    """Make what a killed run leaves of a table, and further files."""
    names = (
        "part-00000-1-c000.snappy.parquet",
        ".part-00000-1-c000.snappy.parquet.crc",
        "day=2026-01-01/part-00001-2.parquet",
    )
    for name in (*names, "_temporary/0/_temporary/part-00002-3.parquet", *others):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    return folder


def test_what_a_killed_run_never_finished_making_is_swept_away(tmp_path: Path) -> None:
    raw = tmp_path / "warehouse" / "jane_raw.db"
    unmade(raw / "without_log")
    unmade(raw / "empty_log", "_delta_log/.00000000000000000000.json.1.tmp")
    (raw / "empty").mkdir()
    unmade(raw / "made", "_delta_log/00000000000000000000.json")
    unmade(raw / "checkpointed", "_delta_log/00000000000000000010.checkpoint.parquet")
    unmade(raw / "somebodys", "notes.txt")
    unmade(raw / "parquet", "_SUCCESS")
    unmade(tmp_path / "elsewhere")
    (raw / "link").symlink_to(tmp_path / "elsewhere")
    (raw / "linked").mkdir()
    (raw / "linked" / "part-0.parquet").symlink_to(tmp_path / "elsewhere")
    unmade(raw / "no_table_of_ours")
    tables = [("Jane_raw", path.name.upper()) for path in raw.iterdir() if path.name != "no_table_of_ours"]
    swept = lake.sweep(tmp_path, [*tables, ("jane_raw", "never_made")])
    assert sorted(path.name for path in swept) == ["empty", "empty_log", "without_log"]
    kept = ["checkpointed", "link", "linked", "made", "no_table_of_ours", "parquet", "somebodys"]
    assert sorted(path.name for path in raw.iterdir()) == kept
    assert len(list((tmp_path / "elsewhere").rglob("*.parquet"))) == 3


class Killed(NamedTuple):
    """A folder with a lake in which builds were killed, what the last said, and the whole build that followed."""

    folder: Path
    said: str
    done: subprocess.CompletedProcess


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    """Builds killed while they made a table, the last by the end of its Java.

    Before the first lay there what a killed run leaves of a table of its own, and of somebody's.
    """
    folder = tmp_path_factory.mktemp("killed")
    for table in ("loaded_files", "somebodys"):
        unmade(folder / "lake" / "warehouse" / "raw.db" / table)
    (folder / "landing" / "events").mkdir(parents=True)
    (folder / "landing" / "events" / "a.csv").write_text("time,action\n2026-01-01T10:00:00Z,Open\n")
    # Quick alone in what a kill does not touch: metastore and log are as people have them.
    environment = environment_in(folder)
    command = [DBT, "-q", "build", "--exclude-resource-type", "unit_test", "test", "--select", "+action_windows"]
    for table in ("raw.db/events", "stage.db/events", "mart.db/action_windows"):
        process = subprocess.Popen(command, cwd=places.ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        made = folder / "lake" / "warehouse" / table
        while not made.exists():
            assert process.poll() is None or made.exists(), f"the run ended before {table}"
            time.sleep(0.01)
        victim = process
        if table == "mart.db/action_windows":
            (victim,) = (child for child in psutil.Process(process.pid).children() if child.name() == "java")
        victim.send_signal(signal.SIGKILL)
        said, _ = process.communicate()
    done = run(folder, "build", "--exclude-resource-type", "unit_test", "--select", *of_subject("events"))
    return Killed(folder, said, done)


def test_a_run_whose_java_has_died_says_so_and_what_to_do(killed: Killed) -> None:
    lines = [line.strip() for line in killed.said.splitlines() if line.strip()]
    ended = (
        "Spark's Java has ended by signal 9; what is left is skipped, and nothing is half-written: where "
        f"{places.logs() / 'spark.log'} does not say why, the machine may have been short of memory; run the same "
        "command again"
    )
    assert ended in lines
    # Of each node that ran at that moment its name, and this.
    assert not [line for line in lines if re.search(r"java\.|py4j|Errno|Traceback", line)]


def test_a_run_killed_anywhere_is_made_good_by_the_next(killed: Killed) -> None:
    assert killed.done.returncode == 0, killed.done.stdout
    assert rows_of(killed.folder, "mart", "action_windows", "window_start", "open_count") == [
        {"window_start": datetime(2026, 1, 1, 10), "open_count": 1}
    ]


def test_a_run_sweeps_the_places_of_its_own_tables_alone(killed: Killed) -> None:
    raw = killed.folder / "lake" / "warehouse" / "raw.db"
    assert len(list((raw / "somebodys").rglob("*.parquet"))) == 3
    assert list((raw / "loaded_files").glob("_delta_log/*.json"))
    assert not list((raw / "loaded_files").glob("_temporary"))


def test_a_lake_whose_metastore_is_gone_goes_on(killed: Killed, tmp_path: Path) -> None:
    shutil.copytree(killed.folder, tmp_path, dirs_exist_ok=True)
    log = tmp_path / "lake" / "warehouse" / "stage.db" / "events" / "_delta_log"
    commits = {path.name: path.read_text() for path in log.glob("*.json")}
    shutil.rmtree(tmp_path / "lake" / "metastore")
    (tmp_path / "lake" / "warehouse" / "mart.db" / "action_windows" / "_delta_log" / "notes.txt").write_text("mine")
    shutil.rmtree(tmp_path / "lake" / "warehouse" / "mart.db" / "action_totals")
    (tmp_path / "landing" / "events" / "b.csv").write_text("time,action\n2026-01-01T10:05:00Z,Open\n")
    done = run(tmp_path, "run", "--select", "+action_windows", "action_totals")
    assert done.returncode == 0, done.stdout
    assert "The metastore did not know the table stage.events, which lies in the lake: it knows it now." in done.stdout
    after = {path.name: path.read_text() for path in log.glob("*.json")}
    assert commits.items() < after.items(), "its versions are kept"
    assert rows_of(tmp_path, "mart", "action_windows", "open_count") == [{"open_count": 2}]
    assert sum(row["event_count"] for row in rows_of(tmp_path, "mart", "action_totals", "event_count")) == 2


# --- what a run prints ------------------------------------------------------------------------------------------------


def test_a_run_that_succeeds_prints_dbts_lines_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "landing" / "events").mkdir(parents=True)
    (tmp_path / "landing" / "events" / "a.csv").write_text("time,action\n2026-01-01T10:00:00Z,Open\n")
    done = run(tmp_path, "run", "--select", "+raw_events", STRATA_SPARK_SETTINGS=GENERATED_CODE)
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    assert [line for line in done.stdout.splitlines() if not re.match(r"\d\d:\d\d:\d\d", line)] == []
    assert "WARN" not in done.stdout.replace("WARN=0", "")
    # And in a zone that is not UTC, quietly: only the result, in UTC.
    sql = "select max(loaded_at) > timestamp'2026-01-01' as b, max(cast(time as timestamp)) as t from raw.events"
    shown = run(tmp_path, "-q", "show", "--inline", sql, "--output", "json", TZ="America/New_York")
    assert shown.stderr == ""
    assert json.loads(shown.stdout) == {"show": [{"b": True, "t": "2026-01-01T10:00:00"}]}


def test_the_cli_says_what_is_amiss(tmp_path: Path) -> None:
    strata = str(Path(sys.executable).with_name("strata"))
    environment = {**os.environ, "STRATA_LAKE": str(tmp_path / "lake"), "STRATA_LANDING": str(tmp_path / "landing")}
    fit = subprocess.run([strata, "doctor"], env=environment, capture_output=True, text=True)
    assert fit.returncode == 0, fit.stdout
    odd = subprocess.run([strata, "schema", "--source", "trucks"], env=environment, capture_output=True, text=True)
    assert (odd.returncode, odd.stdout) == (1, "")
    assert odd.stderr == "--source names trucks, which is no source: name one of events, fleet_sensors, purchases.\n"
    environment["JAVA_HOME"] = str(tmp_path)
    amiss = subprocess.run([strata, "doctor"], env=environment, capture_output=True, text=True)
    assert amiss.returncode == 1
    assert "no java is there" in " ".join(amiss.stdout.replace("│", " ").split())


def test_the_sample_is_never_put_into_a_folder_that_somebody_named(tmp_path: Path) -> None:
    strata = str(Path(sys.executable).with_name("strata"))
    environment = {**os.environ, "STRATA_LANDING": str(tmp_path / "landing")}
    done = subprocess.run([strata, "sample"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0
    assert "no sample is put there" in done.stdout
    assert not (tmp_path / "landing").exists()


def test_ci_runs_the_readmes_test_command() -> None:
    script = places.ROOT / ".ci" / "run"
    assert script.stat().st_mode & stat.S_IXUSR
    commands = [line for line in script.read_text().splitlines() if line.startswith("make")]
    assert commands == ["make --jobs=3 test-prerequisites", "make test", "make test-cluster"]
    readme = (places.ROOT / "README.md").read_text()
    assert [command for command in commands if command not in readme] == []
