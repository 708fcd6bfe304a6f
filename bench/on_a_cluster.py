"""The benchmark of a cluster: events in object storage, built there and on this machine, and scanned there.

The scan is of one worker and of two. A cluster of its own is started in target/bench-cluster, and removed at the end.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from measuring import DATA_ALONE, DBT, Measures, Row, places_of, seconds_of
from strata import landing, places, samples, sources, storage
from strata.cluster import Cluster
from strata.dbt_run import DbtOptions, credentials, of_subject
from strata.environment import changed_environment
from strata.errors import StrataError

FOLDER = places.ROOT / "target" / "bench-cluster"
PORTS = {"POSTGRES": "35432", "S3": "37070", "MASTER": "37077", "THRIFT": "31000"}
FILES = 20


def _control(command: str, workers: int = 2) -> dict[str, str]:
    """Run one of the cluster's make targets, and return what its clients source."""
    own = {f"STRATA_CLUSTER_{name}_PORT": port for name, port in PORTS.items()}
    own |= {"STRATA_CLUSTER_FOLDER": str(FOLDER), "STRATA_CLUSTER_WORKERS": str(workers)}
    control = [sys.executable, str(places.ROOT / "tools" / "cluster.py"), command]
    done = subprocess.run(control, env={**os.environ, **own}, capture_output=True, text=True)
    if done.returncode:
        raise StrataError((done.stdout + done.stderr).strip())
    if command != "up":
        return {}
    lines = (FOLDER / "env").read_text().splitlines()
    return dict(line.removeprefix("export ").split("=", 1) for line in lines)


def _scan(environment: dict[str, str]) -> float:
    """Return the seconds in which the cluster reads and counts all that has landed of events."""
    with changed_environment(**environment):
        cluster = Cluster(credentials(DbtOptions(target="cluster")))
        cluster.query("select 1")
        stock = landing.Stock(sources.load()["events"])
        seconds = seconds_of(lambda: stock.take(cluster.scan))
        cluster.close()
    return seconds


def measure(measures: Measures, folder: Path, times: int, scale: float) -> list[Row]:
    """Measure a first build of events on a cluster and on this machine, and the scan by one worker and by two."""
    count = int(10_000_000 * scale)
    what = f"{count:,} events in {FILES} files"
    there, here = f"{what}, two workers of one core", f"{what}, embedded"
    scans = {workers: f"{what}, scanned by {workers} workers" for workers in (1, 2)}
    select = ["build", *DATA_ALONE, "--select", *of_subject("events")]
    _control("clean")
    try:
        keys = _control("up", workers=1)
        for number in range(FILES):
            name = f"events/2026/02/01/{number:02}.csv"
            lines = samples.event_lines(count // FILES, datetime(2026, 1, 1, tzinfo=UTC), 30, seed=number)
            samples.write_csv(folder / "landing" / name, lines)
            with changed_environment(**keys), storage.create(places.at(f"s3a://landing/{name}")) as copy:
                copy.write((folder / "landing" / name).read_bytes())
        for workers, name in scans.items():
            keys = _control("up", workers=workers)
            # The first scan warms the workers.
            for number in range(times + 1):
                seconds = _scan({**keys, "STRATA_LAKE": f"s3a://lake/scan_{workers}_{number}"})
                if number:
                    measures.note(name, seconds)
            # A server that runs keeps the settings that it was started with.
            _control("down")
        for number in range(times):
            lake = {"STRATA_LAKE": f"s3a://lake/bench_{number}", "STRATA_SCHEMA_PREFIX": f"bench_{number}"}
            own = {**places_of(folder / "cluster"), **keys, **lake}
            keys = _control("up")
            measures.time(there, [DBT, *select, "--target", "cluster"], own)
            _control("down")
            shutil.rmtree(folder / "lake", ignore_errors=True)
            measures.time(here, [DBT, *select], places_of(folder))
    finally:
        _control("clean")
    measures.tell_phases(there, folder / "cluster" / "target")
    measures.tell_phases(here, folder / "target")
    return [
        Row(f"{what}, first build: two workers of one core; embedded, two cores", there, here),
        Row(f"{what}, their scan, warm: two workers; one", scans[2], scans[1]),
    ]
