"""What the tests share: a lake with one Spark for a module, dbt in process, and files that land."""

from __future__ import annotations

import functools
import gc
import gzip
import hashlib
import io
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from rich.console import Console

from strata import doctor, history, places, repair, rollback, session
from strata.dbt_run import DbtOptions, of_subject
from strata.errors import StrataError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# The hook that ends a run as failed for refused files; dbt names hooks by their number in dbt_project.yml.
FAIL_ON_REFUSED_FILES = "strata-on-run-end-2"
# Before any time that a test lands a file with, after any event in it.
MODIFIED_AT = datetime(2026, 6, 1, tzinfo=UTC)
# Spark as it is where little has landed, for whoever starts it first. Besides: Java's optimising compiler, which pays
# over a module's hundreds of commands, and not over one of little data; room for what is young, in large pages; a
# catalog that need not outlive the module; a log store that starts no process of the system for each file; and less
# than 4 MB for each broadcast of little. And no log file of dbt's, which has a line for all that it does: a fifth of
# its Python's time.
QUICK = {
    "DBT_LOG_LEVEL_FILE": "none",
    "STRATA_JAVA_OPTIONS": "-XX:TieredStopAtLevel=4 -Xmn1200m -XX:+UseTransparentHugePages",
    "STRATA_SPARK_SETTINGS": " ".join(
        f"{name}={value}"
        for name, value in {
            **session.INTERPRETED,
            "spark.delta.logStore.file.impl": "io.delta.storage.LocalLogStore",
            "spark.sql.catalogImplementation": "in-memory",
            "spark.broadcast.blockSize": "128k",
        }.items()
    ),
}

# A parsed project is a hundred thousand objects that live on, and each look for garbage goes through them: a sixth of
# dbt's Python's time.
gc.set_threshold(200_000, 50, 1000)

# Spark as it is where much has landed, whatever has: the fuzzer's lakes hold little.
GENERATED_CODE = (
    "spark.sql.codegen.wholeStage=true spark.sql.codegen.factoryMode=FALLBACK spark.sql.shuffle.partitions=4"
)


# Commands that are handed the parsed project: dbt would parse it anew whenever a variable is another one than before.
RUNNING = ("build", "run", "snapshot", "test", "seed", "show", "run-operation")
# The variables that change what dbt parses; each other one counts as the command runs.
PARSED_WITH = ("window_minutes", "top_windows")


# Files whose tests take minutes go first, those that take most before others: none is left over for one process alone
# at the end.
LONGEST = (
    "test_purchases",
    "test_jobs",
    "test_hostile_input",
    "test_events",
    "test_unchanged",
    "test_fleet_sensors",
    "test_run",
    "test_fuzz",
    "test_repair",
    "test_rollback",
    "test_any_source",
    "test_init",
    "test_rollback_of_sources",
    "test_bench",
    "test_record",
    "test_older_lake",
    "test_no_values_in_logs",
    "test_hostile_landing",
    "test_inspection",
    "test_new_source",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


# The prefix of schemas that the project is parsed with, in whose place each lake has its own.
ANY_PREFIX = "any_prefix"


@functools.cache
def project(has_prefix: bool, variables: str) -> Manifest:
    """Return the project as dbt parses it, once for each set of variables, with schemas of a prefix or without."""
    target = ["--target", "dev"] if has_prefix else []
    prefix = {"STRATA_SCHEMA_PREFIX": ANY_PREFIX} if has_prefix else {}
    with mock.patch.dict(os.environ, prefix):
        done = dbtRunner().invoke(["parse", "--vars", variables, *target, "--quiet", "--no-partial-parse"])
    if done.exception is not None:
        raise done.exception
    return done.result


@dataclass
class Run:
    """A finished dbt command: whether it succeeded, what it said, the state of each node by name."""

    success: bool
    said: list[str]
    nodes: dict[str, str]
    table: list[dict] = field(default_factory=list)

    def sentence(self, text: str) -> str:
        """Return the line said that holds a text; fail when there is none."""
        found = [line for line in self.said if text in line]
        assert found, f"nothing said holds {text!r}: {self.said}"
        return found[0]


@dataclass
class Lake:
    """A lake of its own in this process, with a landing folder; with subjects, builds and runs are of these alone.

    What dbt keeps of a run as files, a fifth of a second each time, it writes where `keeps_results`.
    """

    folder: Path
    prefix: str | None = None
    landing_name: str = "landing"
    subject: str | None = None
    keeps_results: bool = False

    @property
    def landing(self) -> Path:
        return self.folder / self.landing_name

    @property
    def spark(self) -> SparkSession:
        """The session of this process."""
        return session.start(self.folder / "lake", bytes_to_read=0).session()

    def schema(self, layer: str) -> str:
        return f"{self.prefix}_{layer}" if self.prefix else layer

    def dbt(self, *arguments: str, **variables) -> Run:
        """Run a dbt command with variables in this process."""
        said: list[str] = []
        given = ["--vars", str(variables)] if variables else []
        unkept = ["--no-write-json"] if arguments[0] in RUNNING and not self.keeps_results else []

        def listen(event) -> None:
            if event.info.level in ("info", "warn", "error"):
                said.extend(event.info.msg.splitlines())

        self.enter()
        target = ["--target", "dev"] if self.prefix else []
        is_parsed = arguments[0] in RUNNING and "--project-dir" not in arguments
        parsed = self.parsed(variables) if is_parsed else None
        runner = dbtRunner(manifest=parsed, callbacks=[listen])
        result = runner.invoke(["--no-use-colors", *unkept, *arguments, *given, *target, "--quiet"])
        if result.exception is not None:
            said.extend(str(result.exception).splitlines())
        nodes = {}
        table = []
        for node_result in getattr(result.result, "results", []):
            nodes[getattr(getattr(node_result, "node", None), "name", "")] = str(node_result.status)
            if arguments[0] == "show":
                table = [dict(row) for row in node_result.agate_table.rows]
        return Run(result.success, said, nodes, table)

    def parsed(self, variables: dict) -> Manifest:
        """Return a copy of the parsed project, for a command with variables, with this lake's schemas."""
        at_parsing = {name: value for name, value in variables.items() if name in PARSED_WITH}
        manifest = project(bool(self.prefix), str(at_parsing)).deepcopy()
        if self.prefix:
            for node in (*manifest.nodes.values(), *manifest.unit_tests.values()):
                node.schema = node.schema.replace(ANY_PREFIX, self.prefix)
                if getattr(node, "relation_name", None):
                    node.relation_name = node.relation_name.replace(ANY_PREFIX, self.prefix)
            # What macros have as `graph`.
            manifest.build_flat_graph()
        return manifest

    def enter(self) -> None:
        """Make this lake the one that commands of this process work in."""
        os.environ["STRATA_LAKE"] = str(self.folder / "lake")
        os.environ["STRATA_LANDING"] = str(self.landing)
        os.environ["DBT_TARGET_PATH"] = str(self.folder / "target")
        if self.prefix:
            os.environ["STRATA_SCHEMA_PREFIX"] = self.prefix

    def strata(self, command: Callable, *arguments, **variables) -> Run:
        """Run a command of strata.history, rollback or repair in this process."""
        self.enter()
        # dbt parses anew when the variables differ from those of its last run in a folder: a folder for each.
        os.environ["DBT_TARGET_PATH"] += "-" + hashlib.md5(str(variables).encode()).hexdigest()[:8]
        parsed = self.parsed(variables)
        printed = io.StringIO()
        options = DbtOptions(str(variables) if variables else None, "dev" if self.prefix else None)
        try:
            with (
                mock.patch.object(history, "parse", return_value=parsed),
                mock.patch.object(rollback, "parse", return_value=parsed),
                mock.patch.object(repair, "parse", return_value=parsed),
                mock.patch.object(doctor, "parse", return_value=parsed),
            ):
                command(*arguments, options, Console(file=printed, width=1000))
            refused = []
        except StrataError as error:
            refused = str(error).splitlines()
        return Run(not refused, printed.getvalue().splitlines() + refused, {})

    def build(self, *arguments: str, **variables) -> Run:
        """Run dbt build. Unit tests do not depend on the lake; one test runs them, once."""
        return self.dbt("build", "--exclude-resource-type", "unit_test", *self.selected(arguments), **variables)

    def make(self, *arguments: str, **variables) -> Run:
        """Run dbt build without its tests: what a test builds upon, before the build that it is about."""
        return self.dbt("build", "--exclude-resource-type", "unit_test", "test", *self.selected(arguments), **variables)

    def run(self, *arguments: str, **variables) -> Run:
        """Run dbt run: the models, without the data tests, once the seeds are there."""
        return self.dbt("run", *self.selected(arguments), **variables)

    def selected(self, arguments: tuple[str, ...]) -> tuple[str, ...]:
        """Return arguments that select something: what they say, or the subject."""
        if self.subject is None or "--select" in arguments:
            return arguments
        names = (name for subject in self.subject.split() for name in of_subject(subject))
        return ("--select", *names, *arguments)

    def rows(self, sql: str) -> list[tuple]:
        """Run a query; `raw.`, `stage.` and so on name this lake's schemas."""
        for layer in ("raw", "stage", "mart", "quarantine", "ops"):
            sql = sql.replace(f" {layer}.", f" {self.schema(layer)}.")
        return [tuple(row) for row in self.spark.sql(sql).collect()]

    def land(
        self, name: str, content: str | bytes, modified_at: datetime = MODIFIED_AT, source: str = "events"
    ) -> Path:
        """Put a file below a source's folder in the landing folder, gzipped where its name ends in .gz."""
        path = self.landing / source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        if name.endswith(".gz") and not data.startswith(b"\x1f\x8b"):
            data = gzip.compress(data)
        path.write_bytes(data)
        os.utime(path, (modified_at.timestamp(), modified_at.timestamp()))
        return path


def emptied(folder: Path) -> Path:
    """Return a folder as the place of a fresh lake: what a module before left of tables and files is gone.

    The Spark that runs there stays, for it takes a minute until a new one has compiled what it runs.
    """
    if session._current is not None:
        spark = session.start(folder / "lake").session()
        for (schema,) in spark.sql("show schemas").collect():
            if schema != "default":
                spark.sql(f"drop schema `{schema}` cascade")
        for view in spark.catalog.listTables():
            spark.catalog.dropTempView(view.name)
        spark.catalog.clearCache()
        spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()
    # The lake's lock stays too: this process holds it.
    for path in [*folder.glob("*"), *(folder / "lake").glob("*")]:
        if path.is_dir() and path.name != "lake":
            shutil.rmtree(path)
        elif path.is_file() and path.name != "lock":
            path.unlink()
    return folder


def forget_origins(spark: SparkSession) -> None:
    """Have Hadoop forget in which file each of its settings stood: it packs that, one by one, with every scan.

    A thirteenth of what a module's Java did.
    """
    origins = spark._jvm.java.lang.Class.forName("org.apache.hadoop.conf.Configuration").getDeclaredField(
        "updatingResource"
    )
    origins.setAccessible(True)
    origins.set(spark._jsc.hadoopConfiguration(), None)


def copy_what_git_knows(folder: Path) -> None:
    """Copy the files of this checkout that git knows, as they are now, into a folder."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=places.ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in listed.rstrip("\0").split("\0"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(places.ROOT / name, folder / name)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the modules of this process have their lakes, one after the other."""
    return tmp_path_factory.mktemp("strata")


@pytest.fixture(scope="module")
def lake(shared_folder: Path) -> Iterator[Lake]:
    """A fresh lake and landing folder, for the tests of one module."""
    saved = dict(os.environ)
    os.chdir(places.ROOT)
    os.environ.update(QUICK)
    if session._current is not None and session._current.lake != shared_folder / "lake":
        session.stop()
    started = Lake(emptied(shared_folder))
    forget_origins(started.spark)
    yield started
    os.environ.clear()
    os.environ.update(saved)
