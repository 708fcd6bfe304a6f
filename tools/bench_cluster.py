"""The cluster's rows of `make bench`: events in object storage, built there and on this machine, and scanned there.

The scan is of one worker and of two. A cluster of its own is started in target/bench-cluster, and removed at the end.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from strata import landing, places, samples, sources, storage
from strata.cluster import Cluster
from strata.dbt_run import DbtOptions, credentials, of_subject
from strata.environment import changed_environment
from strata.errors import StrataError

FOLDER = places.ROOT / "target" / "bench-cluster"
PORTS = {"POSTGRES": "35432", "S3": "37070", "MASTER": "37077", "THRIFT": "31000"}
# How many nodes are told of.
SHOWN = 6
console = Console(soft_wrap=True, highlight=False)


def control(command: str, workers: int = 2) -> dict[str, str]:
    """Run one of the cluster's make targets, and return what its clients source."""
    own = {f"STRATA_CLUSTER_{name}_PORT": port for name, port in PORTS.items()}
    own |= {"STRATA_CLUSTER_FOLDER": str(FOLDER), "STRATA_CLUSTER_WORKERS": str(workers)}
    tool = [sys.executable, str(Path(__file__).with_name("cluster.py")), command]
    done = subprocess.run(tool, env={**os.environ, **own}, capture_output=True, text=True)
    if done.returncode:
        raise StrataError((done.stdout + done.stderr).strip())
    if command != "up":
        return {}
    lines = (FOLDER / "env").read_text().splitlines()
    return dict(line.removeprefix("export ").split("=", 1) for line in lines)


def build(folder: Path, environment: dict[str, str], *target: str) -> tuple[float, list[tuple[str, float]]]:
    """Return the seconds of a first dbt build of events with its tests, and those of the longest nodes."""
    own = {"DBT_TARGET_PATH": str(folder), "DBT_LOG_PATH": str(folder)}
    dbt = str(Path(sys.executable).with_name("dbt"))
    start = time.perf_counter()
    done = subprocess.run(
        [dbt, "build", "--select", *of_subject("events"), *target],
        cwd=places.ROOT,
        env={**os.environ, **environment, **own},
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        raise StrataError(f"dbt build failed: {(done.stdout + done.stderr)[-2000:]}")
    results = json.loads((folder / "run_results.json").read_text())["results"]
    nodes = [(one["unique_id"].split(".")[2], one["execution_time"]) for one in results]
    return seconds, sorted(nodes, key=lambda node: -node[1])[:SHOWN]


def scan(environment: dict[str, str]) -> float:
    """Return the seconds in which the cluster reads and counts all that has landed of events."""
    with changed_environment(**environment):
        cluster = Cluster(credentials(DbtOptions(target="cluster")))
        cluster.query("select 1")
        stock = landing.Stock(sources.load()["events"])
        start = time.perf_counter()
        stock.take(cluster.scan)
        seconds = time.perf_counter() - start
        cluster.close()
    return seconds


def stored_bytes(environment: dict[str, str]) -> str:
    """Return how much the tables of each layer hold in the store."""
    layers: dict[str, int] = {}
    with changed_environment(**environment):
        for one in storage.objects("s3a://lake/bench/warehouse"):
            layer = one.path.split("/bench_")[1].split(".db")[0]
            layers[layer] = layers.get(layer, 0) + one.size
    return ", ".join(f"{layer} {size / 1e6:.0f} MB" for layer, size in sorted(layers.items()))


def main(
    events: Annotated[int, typer.Option(help="How many events.")] = 10_000_000,
    files: Annotated[int, typer.Option(help="In how many files.")] = 20,
) -> None:
    """Measure a first build of events on a cluster and on this machine, and the scan by one worker and by two."""
    local = FOLDER.with_name("bench-embedded")
    control("clean")
    try:
        keys = control("up", workers=1)
        console.print(f"Landing {events:,} events in {files} files")
        first = datetime(2026, 1, 1, tzinfo=UTC)
        landed = 0
        for number in range(files):
            name = f"events/2026/02/01/{number:02}.csv"
            samples.write_csv(local / "landing" / name, samples.event_lines(events // files, first, 30, seed=number))
            with changed_environment(**keys), storage.create(places.at(f"s3a://landing/{name}")) as copy:
                landed += copy.write((local / "landing" / name).read_bytes())
        scanned = {}
        for workers in (1, 2):
            keys = control("up", workers=workers)
            console.print(f"{workers} worker{'s' if workers > 1 else ''} of one core")
            for name in ("warm", "scan"):
                lake = {"STRATA_LAKE": f"s3a://lake/{name}_{workers}"}
                scanned[workers] = scan({**keys, **lake})
        lake = {"STRATA_LAKE": "s3a://lake/bench", "STRATA_SCHEMA_PREFIX": "bench"}
        built, nodes = build(local / "target-cluster", {**keys, **lake}, "--target", "cluster")
        stored = stored_bytes(keys)
        control("down")
        console.print("This machine, two cores")
        places_here = {"STRATA_LANDING": str(local / "landing"), "STRATA_LAKE": str(local / "lake")}
        here, nodes_here = build(local / "target", places_here)
    finally:
        control("clean")
        storage.remove_folder(local)
    table = Table("this, that", "this", "that", "ratio")
    what = f"{events:,} events in {files} files"
    for text, this, that in [
        (f"{what}, first build with tests: two workers of one core, embedded with two cores", built, here),
        (f"{what}, their scan: two workers, one, both warm", scanned[2], scanned[1]),
    ]:
        table.add_row(text, f"{this:.1f} s", f"{that:.1f} s", f"{this / that:.2f}")
    console.print(table)
    longest = Table("longest on the cluster", "", "longest embedded", "")
    for (name, seconds), (name_here, seconds_here) in zip(nodes, nodes_here, strict=False):
        longest.add_row(name, f"{seconds:.1f} s", name_here, f"{seconds_here:.1f} s")
    console.print(longest)
    console.print(f"Landed {landed / 1e6:.0f} MB; in the lake: {stored}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except StrataError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
