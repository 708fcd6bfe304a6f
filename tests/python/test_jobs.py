"""What the pipelines' jobs run: `make state`, `make slim` and `make daily`; and the recipes for contributors."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from conftest import Lake, copy_what_git_knows
from strata import cli, places, samples


@dataclass
class Checkout:
    """A copy of the project, with this environment."""

    folder: Path

    def run(self, *command: str, succeeds: bool = True, **environment: str) -> str:
        """Run a command in it; return what it printed."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("STRATA_", "DBT_", "MAKE"))}
        given = {
            "PYTHONPATH": str(self.folder / "python"),
            "DBT_USE_COLORS": "false",
            "STRATA_SCHEMA_PREFIX": "mr_7",
        }
        done = subprocess.run(command, cwd=self.folder, env=kept | given | environment, capture_output=True, text=True)
        assert (done.returncode == 0) is succeeds, done.stdout + done.stderr
        return done.stdout + done.stderr

    def make(self, *arguments: str, succeeds: bool = True, **environment: str) -> str:
        """Run make; the environment is there."""
        return self.run(
            "make", "--no-print-directory", "--old-file=setup", *arguments, succeeds=succeeds, **environment
        )

    def replace(self, name: str, before: str, after: str) -> None:
        """Change a text that a file of it holds once."""
        text = (self.folder / name).read_text()
        assert text.count(before) == 1
        (self.folder / name).write_text(text.replace(before, after))

    def tables(self, lake: Path) -> set[str]:
        """Return the tables of its own schemas that lie in a lake."""
        found = lake.glob("warehouse/mr_7_*.db/*")
        return {f"{path.parent.stem.removeprefix('mr_7_')}.{path.name}" for path in found}


def copy_of_the_project(folder: Path) -> Checkout:
    copy_what_git_knows(folder)
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "dbt_packages").symlink_to(places.ROOT / "dbt_packages")
    return Checkout(folder)


@pytest.fixture(scope="module")
def main(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout of main, with its lake and landing folder, built but for what nothing reads, kept by `make state`."""
    checkout = copy_of_the_project(tmp_path_factory.mktemp("main"))
    for write in samples.SAMPLES.values():
        write(checkout.folder / "landing")
    dbt = str(checkout.folder / ".venv/bin/dbt")
    left_out = ("--exclude-resource-type", "unit_test", "test", "--exclude", "path:models/mart/fleet_sensors")
    checkout.run(dbt, "build", *left_out, "--vars", "{history: catch-up}")
    checkout.make("--old-file=build", "state")
    return checkout


@pytest.fixture
def change(main: Checkout, tmp_path: Path) -> Checkout:
    """A checkout to change, in a folder of another name, with what main has kept."""
    checkout = copy_of_the_project(tmp_path / "a merge requést's 100%")
    (checkout.folder / "target").mkdir()
    shutil.copy2(main.folder / "target/state.tar.gz", checkout.folder / "target")
    return checkout


def rows_of(lake: Lake, place: Path, sql: str) -> list[tuple]:
    """Run a query, by the Spark of this process, of tables in another lake, whose metastore it leaves alone."""
    named = re.sub(r"\b(\w*(?:raw|stage|mart|quarantine|ops))\.(\w+)", rf"delta.`{place}/warehouse/\1.db/\2`", sql)
    return lake.rows(named)


def files_of(lake: Path) -> dict[str, tuple]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in lake.rglob("*") if path.is_file()}


def quarter_the_average(change: Checkout) -> None:
    """Change a mart, its data test and its unit test."""
    change.replace(
        "models/mart/events/action_windows.sql",
        "/ 2 as double) as average_actions",
        "/ 4 as double) as average_actions",
    )
    tests = "models/mart/events/_events__mart.yml"
    change.replace(
        tests, "average_actions = (open_count + close_count) / 2", "average_actions = (open_count + close_count) / 4"
    )
    change.replace(tests, "average_actions: 2.5", "average_actions: 1.25")
    change.replace(tests, "average_actions: 0.5", "average_actions: 0.25")


# What is not the same in two lakes of the same files: when, and at which version of a table.
OF_A_LAKE = {
    "raw.events": "loaded_at",
    "raw.loaded_files": "loaded_at",
    "stage.events_files": "loaded_at",
    "quarantine.events": "loaded_at",
    "ops.landed_files": "loaded_at",
    "ops.schema_changes": "noticed_at, table_version",
}


def compared(table: str) -> str:
    """Return the query that compares a table of one's own with main's."""
    columns = f"* except ({OF_A_LAKE[table]})" if table in OF_A_LAKE else "*"
    own, main = (f"select {columns} from {prefix}{table}" for prefix in ("mr_7_", ""))
    return (
        f"select (select count(*) from ({own})), (select count(*) from ({main})), "
        f"(select count(*) from ({own} except all {main}))"
    )


def test_only_a_changed_mart_and_what_follows_are_built_in_schemas_of_ones_own(
    main: Checkout, change: Checkout, lake: Lake
) -> None:
    """A manifest alone is enough where the lake is at hand, as on a cluster.

    What a run leaves in schemas of one's own is dropped by a command, and main's never.
    """
    place = main.folder / "lake"
    at_hand = {"STRATA_LAKE": str(place), "STRATA_LANDING": str(main.folder / "landing")}
    dbt = str(change.folder / ".venv/bin/dbt")
    quarter_the_average(change)
    try:
        said = change.make("slim", f"STATE={main.folder / 'target/state/manifest.json'}", **at_hand)
        built = {"mart.action_windows", "mart.action_totals", "mart.top_open_windows"}
        assert set(re.findall(r"OK created sql \w+ model mr_7_(\S+)", said)) == built
        assert change.tables(place) == built
        [(windows, quartered, alike)] = rows_of(
            lake,
            place,
            "select count(*), count_if(own.average_actions * 2 = main.average_actions), "
            "count_if(own.total_count = main.total_count) "
            "from mr_7_mart.action_windows as own full join mart.action_windows as main using (window_start)",
        )
        assert windows == quartered == alike > 100
        assert lake.dbt("run-operation", "drop_own_schemas").sentence("The target local has no schemas of its own")
    finally:
        change.run(dbt, "run-operation", "drop_own_schemas", "--target", "dev", **at_hand)
    assert change.tables(place) == set()
    assert (place / "warehouse/mart.db/action_windows/_delta_log").is_dir()


def test_what_loads_and_what_keeps_history_give_the_rows_of_main(main: Checkout, change: Checkout, lake: Lake) -> None:
    """A changed declaration and engine, without effect: loader, record and history go by names of tables."""
    change.replace(
        "models/raw/events/_events__sources.yml", "max_quarantined_share: 0.05", "max_quarantined_share: 0.06"
    )
    change.replace("macros/spark/snapshot.sql", "noop_statement('main', 'OK')", "noop_statement('main', 'OK, taken')")
    before = files_of(main.folder / "lake")
    change.make("slim", DBT_EXCLUDE_RESOURCE_TYPES="unit_test test")
    # The lake that it is a copy of lies in another folder, and is as it was.
    assert files_of(main.folder / "lake") == before
    place = change.folder / "target/slim/lake"
    tables = change.tables(place)
    assert {"raw.events", "raw.loaded_files", "stage.events", "stage.purchases", "stage.history_days"} < tables
    # Other sources are read from main, the history's raw among them.
    assert not tables & {"raw.purchases", "raw.fleet_sensors", "stage.sensor_readings", "quarantine.purchases"}
    for table in sorted(tables):
        [(own, main, differing)] = rows_of(lake, place, compared(table))
        assert own == main > 0 == differing, table


def test_the_recipes_for_contributors_do_what_they_say(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each diff of CONTRIBUTING.md applied as it stands, each command run as it stands, on a lake that is built."""
    change = copy_of_the_project(tmp_path / "project")
    for name in ("events", "purchases"):
        samples.SAMPLES[name](lake.landing)
    run = lake.make(history="catch-up")
    assert run.success, run.said
    newest = max(lake.landing.glob("purchases/*/*/*/*"))
    header, *rows = newest.read_text().splitlines()
    user = header.split(",").index("user")
    longer = [",".join("10000001" if at == user else text for at, text in enumerate(row.split(","))) for row in rows]
    lake.land("2023/12/31/purchases.csv", "\n".join([header, *longer]) + "\n", source="purchases")
    refused = lake.dbt("snapshot")
    assert not refused.success
    refused.sentence("more than max_quarantined_share")
    monkeypatch.setattr(places, "ROOT", change.folder)
    text = (change.folder / "CONTRIBUTING.md").read_text()
    _, *recipes = text[text.index("## Recipes") :].split("\n### ")
    assert len(recipes) == 3
    for recipe in recipes:
        [diff] = re.findall(r"```diff\n(.*?)```", recipe, re.DOTALL)
        [commands] = re.findall(r"```sh\n(.*?)```", recipe, re.DOTALL)
        (change.folder / "recipe.diff").write_text(diff)
        change.run("git", "apply", "recipe.diff")
        for command in commands.splitlines():
            in_process(lake, change, *shlex.split(command))
    [(taken, longer_count, netted)] = lake.rows(
        "select (select max(recorded_on) from stage.purchases), "
        "(select count(*) from stage.purchases where user_id = 10000001), "
        "(select count_if(net_open_count = open_count - close_count) from mart.action_windows)"
    )
    assert taken == date(2023, 12, 31)
    assert longer_count > 0
    assert netted > 100


def in_process(lake: Lake, change: Checkout, name: str, *arguments: str) -> None:
    """Run a command of a checkout in this process: a Spark that runs is a minute quicker than one of its own."""
    if name == "dbt":
        run = lake.dbt(*arguments, "--project-dir", str(change.folder))
        assert run.success, run.said
    else:
        assert name == "strata"
        # Typer's own commands end the process.
        cli.app(arguments, standalone_mode=False)


def stand_in(folder: Path, script: str) -> str:
    """Make commands of a script each, in which NAME is theirs; return make's variable that names their folder."""
    for name in ("dbt", "strata"):
        (folder / name).write_text("#!/bin/sh\n" + script.replace("NAME", name))
        (folder / name).chmod(0o755)
    return f"BIN={folder}"


def test_what_is_late_or_refused_fails_the_daily_job_and_holds_up_nothing(change: Checkout, tmp_path: Path) -> None:
    """By stand-ins for the commands, of which one fails."""

    def daily(failing: str, succeeds: bool) -> list[str]:
        commands = stand_in(tmp_path, f'echo "ran NAME $*"\ntest "NAME $*" != "{failing}"\n')
        said = change.make("daily", commands, succeeds=succeeds)
        return re.findall("ran (.*)", said)

    build = "dbt build --exclude-resource-type unit_test"
    everything = ["dbt source freshness", build, "strata catch-up"]
    assert daily("", succeeds=True) == everything
    assert daily("dbt source freshness", succeeds=False) == everything
    assert daily(build, succeeds=False) == everything
    assert daily("strata catch-up", succeeds=False) == everything


def test_everything_is_built_where_nothing_can_be_compared(change: Checkout, tmp_path: Path) -> None:
    """Before main has kept anything, and where a variable or Python differs, which dbt does not compare."""
    commands = stand_in(tmp_path, 'echo "NAME $@"\n')
    slim = ("--old-file=build", "slim", commands)
    assert "build --target dev --select state:modified+ --defer" in change.make(*slim)
    change.replace("dbt_project.yml", "top_windows: 10", "top_windows: 11")
    said = change.make(*slim)
    assert "What dbt does not compare differs (variables, packages, pins or Python): everything is built." in said
    assert "dbt build --target dev --vars" in said
    (change.folder / "target/state.tar.gz").unlink()
    # Nor is the environment set up by the make that this one calls.
    for name in ("set-up", "archived"):
        (tmp_path / name).touch()
    said = change.make("slim", commands, f"SET_UP={tmp_path / 'set-up'}", f"ARCHIVED={tmp_path / 'archived'}")
    assert "There is no target/state.tar.gz to compare with: everything is built.\n" in said
    assert "dbt build\n" in said
