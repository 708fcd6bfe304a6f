"""What the tests of the cluster share: one real cluster, started for them, and clients of it, each a process."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import psutil
import pytest
from dbt.cli.main import dbtRunner
from typer.testing import CliRunner

from strata import cli, places, storage
from strata.cluster import Cluster
from strata.dbt_run import of_subject
from strata.environment import changed_environment
from strata.errors import StrataError

FOLDER = places.ROOT / "target" / "test-cluster"
# Beside a cluster that a person may have started.
PORTS = {"POSTGRES": "25432", "S3": "27070", "MASTER": "27077", "THRIFT": "21000"}
# Few rows in many statements: interpreted, where code would be compiled for each. A store that is silent is
# given up after half a minute.
QUICK = (
    "spark.sql.codegen.wholeStage=false spark.sql.codegen.factoryMode=NO_CODEGEN spark.sql.adaptive.enabled=false "
    "spark.sql.shuffle.partitions=2"
)
CONTROLS = {
    # Six JVMs on two cores: none collects beside its work.
    "JDK_JAVA_OPTIONS": "-XX:+UseSerialGC",
    "STRATA_CLUSTER_SPARK_SETTINGS": f"{QUICK} spark.hadoop.fs.s3a.connection.timeout=5s",
    "STRATA_CLUSTER_FOLDER": str(FOLDER),
    **{f"STRATA_CLUSTER_{name}_PORT": port for name, port in PORTS.items()},
}
LAYERS = ("raw", "stage", "mart", "quarantine", "ops")


def control(command: str) -> subprocess.CompletedProcess:
    """Run one of the cluster's make targets, without make."""
    return subprocess.run(
        [sys.executable, str(places.ROOT / "tools" / "cluster.py"), command],
        env={**os.environ, **CONTROLS},
        capture_output=True,
        text=True,
    )


def exported(name: str) -> dict[str, str]:
    """Return what the cluster's folder has for a shell to source."""
    lines = (FOLDER / name).read_text().splitlines()
    return dict(line.removeprefix("export ").split("=", 1) for line in lines)


def process_of(part: str) -> psutil.Process:
    """Return a running part of the cluster."""
    return psutil.Process(json.loads((FOLDER / "started.json").read_text())[part][0])


def end_part(part: str) -> None:
    """Kill a running part of the cluster with all that it started."""
    process = process_of(part)
    family = [process, *process.children(recursive=True)]
    for one in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(family, timeout=20)


def until(is_so: Callable[[], object], seconds: float = 120) -> None:
    """Wait until something is so; what is not there yet is asked for again."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(StrataError, OSError):
            if is_so():
                return
        time.sleep(0.2)
    raise AssertionError(f"not so after {seconds} s")


@dataclass
class Done:
    """A dbt command that has ended: its exit code, what it said, the status of each node by name."""

    code: int
    said: str
    nodes: dict[str, str]


@dataclass
class Client:
    """A lake and a landing folder, on the cluster or, without one, of this machine, and dbt's commands on them."""

    name: str
    folder: Path
    cluster: dict[str, str] | None = None
    # Put before the names of its schemas, for all share the cluster's metastore; its name where none is said.
    prefix: str | None = None

    @property
    def lake(self) -> str:
        return f"s3a://lake/{self.name}" if self.cluster else str(self.folder / "lake")

    @property
    def landing(self) -> str:
        return f"s3a://landing/{self.name}" if self.cluster else str(self.folder / "landing")

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("STRATA_", "AWS_", "DBT_"))}
        own = {
            "STRATA_LANDING": self.landing,
            "STRATA_LAKE": self.lake,
            "DBT_TARGET_PATH": str(self.folder / "target"),
            "DBT_LOG_PATH": str(self.folder / "logs"),
        }
        if not self.cluster:
            own["STRATA_SPARK_SETTINGS"] = QUICK
            # Java's optimising compiler pays over the commands of one process.
            own["STRATA_JAVA_OPTIONS"] = "-XX:TieredStopAtLevel=4"
        if self.cluster and self.prefix != "":
            own["STRATA_SCHEMA_PREFIX"] = self.prefix or self.name
        return {**kept, **(self.cluster or {}), **own}

    def command(self, *arguments: str) -> list[str]:
        target = ["--target", "cluster"] if self.cluster else []
        return [str(Path(sys.executable).with_name(arguments[0])), *arguments[1:], *target]

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen:
        """Start a command, `dbt` or `strata`, in a process of its own."""
        return subprocess.Popen(
            self.command(*arguments),
            env={**self.environment, **environment},
            cwd=places.ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self, process: subprocess.Popen) -> Done:
        """Wait for a command, and return what became of it."""
        try:
            said = process.communicate(timeout=600)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"not ended after 600 s: {process.communicate()[0]}") from None
        return Done(process.returncode, said, self.statuses())

    def statuses(self) -> dict[str, str]:
        """Return the status of each node of the last command, by name."""
        results = self.folder / "target" / "run_results.json"
        if not results.exists():
            return {}
        ran = json.loads(results.read_text())["results"]
        results.unlink()
        return {one["unique_id"].split(".")[2]: one["status"] for one in ran}

    def run(self, *arguments: str) -> Done:
        """Run a command, `dbt` or `strata`, in this process; one that is killed or told another key needs its own."""
        given = self.command(*arguments)[1:]
        with mock.patch.dict(os.environ, self.environment, clear=True), contextlib.chdir(places.ROOT):
            if arguments[0] == "strata":
                result = CliRunner().invoke(cli.app, given)
                if result.exception and not isinstance(result.exception, (StrataError, SystemExit)):
                    raise result.exception
                said = result.output + (str(result.exception) if isinstance(result.exception, StrataError) else "")
                return Done(result.exit_code, said, self.statuses())
            return self.dbt(given)

    def dbt(self, words: list[str]) -> Done:
        lines: list[str] = []

        def listen(event) -> None:
            if event.info.level in ("info", "warn", "error"):
                lines.append(event.info.msg)

        result = dbtRunner(callbacks=[listen]).invoke(["--no-use-colors", *words])
        if result.exception is not None:
            lines.append(str(result.exception))
        return Done(2 if result.exception else int(not result.success), "\n".join(lines), self.statuses())

    def make(self, *arguments: str) -> Done:
        """Build without tests; fail when it does not succeed."""
        done = self.run("dbt", "build", "--exclude-resource-type", "unit_test", "test", *arguments)
        assert done.code == 0, done.said
        return done

    def land(self, name: str, content: str) -> None:
        """Put a file into the landing folder."""
        with changed_environment(**(self.cluster or {})), storage.create(places.at(f"{self.landing}/{name}")) as file:
            file.write(content.encode())

    def modified_ns(self, name: str) -> int:
        """Return when a landed file was last modified."""
        with changed_environment(**(self.cluster or {})):
            return storage.info(f"{self.landing}/{name}").modified_ns

    def table(self, name: str) -> str:
        """Return a table, such as `stage.events`, as the cluster's SQL names it; of this machine by its folder."""
        layer, table = name.split(".")
        if self.cluster:
            return name if self.prefix == "" else f"{self.prefix or self.name}_{name}"
        return f"delta.`{self.folder / 'lake' / 'warehouse' / f'{layer}.db' / table}`"


HOURS = 24
EVENTS = ("--select", *of_subject("events"))


def land_events(client: Client, name: str, minute: int) -> int:
    """Land a file with an event in each hour of a day, and return how many events the mart must tell of all files."""
    rows = "".join(f"2026-01-05T{hour:02}:{minute:02}:00Z,{'Open' if hour % 2 else 'Close'}\n" for hour in range(HOURS))
    client.land(f"events/2026/01/05/{name}.csv", "time,action\n" + rows)
    with changed_environment(**client.cluster):
        return HOURS * len(storage.objects(f"{client.landing}/events"))


def counted(sql, client: Client) -> int:
    """Return how many events the mart tells."""
    return int(sql(f"select sum(open_count + close_count) from {client.table('mart.action_windows')}")[0][0])


def made(client: Client, table: str) -> bool:
    """Tell whether the run of the client whose log is there has said that it made a table."""
    log = client.folder / "logs" / "dbt.log"
    return log.exists() and any("OK created" in line and table in line for line in log.read_text().splitlines())


@pytest.fixture(scope="session")
def cluster() -> Iterator[dict[str, str]]:
    """Start a cluster with nothing in it, and return the environment of its clients."""
    kept = bool(os.environ.get("STRATA_KEEP_CLUSTER"))
    if not kept:
        control("clean")
    started = control("up")
    assert started.returncode == 0, started.stdout + started.stderr
    yield exported("env")
    if not kept:
        control("clean")


@pytest.fixture(scope="session")
def sql(cluster):
    """Return a function that runs statements on the cluster and returns the rows of the last."""
    from dbt.adapters.spark.connections import SparkCredentials

    def connected() -> Cluster:
        return Cluster(
            SparkCredentials(
                method="thrift",
                host=cluster["STRATA_THRIFT_HOST"],
                port=int(cluster["STRATA_THRIFT_PORT"]),
                user="strata",
                auth="NONE",
                schema="default",
                poll_interval=1,
            )
        )

    def run(*statements: str) -> list[tuple]:
        connection = connected()
        rows = connection.query(*statements)
        connection.close()
        return rows

    return run


@pytest.fixture(scope="session")
def built(cluster, tmp_path_factory) -> Client:
    """Return a client whose mart is made of one file of events; each test lands a file of its own."""
    client = Client("built", tmp_path_factory.mktemp("built"), cluster)
    land_events(client, "first", 0)
    client.make(*EVENTS)
    return client
