"""`make bench`: what the project does beside the same done otherwise, or beside less of it, as ratios of medians.

Absolute times depend on the machine and its load; the ratio of two things measured in turn says more. bench/measured
keeps of each part what the last run of it at full counts has measured, and bench/results.md is written from that.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import psutil
import pyperf
import typer
from rich.console import Console
from rich.table import Table

import builds
import histories
import on_a_cluster
from measuring import Measures, Row
from strata import java, record
from strata.errors import StrataError

# Below it a median says little, and is not kept.
LEAST_TIMES = 3
# Each measures some rows of the table.
PARTS = {
    "nothing-new": builds.nothing_new,
    "events": builds.events,
    "days": builds.days,
    "wide-sensors": builds.wide_sensors,
    "new-sensors": builds.new_sensors,
    "large-day": histories.large_day,
    "many-days": histories.many_days,
    "cluster": on_a_cluster.measure,
}
KEPT = Path(__file__).with_name("measured")
RESULTS = Path(__file__).with_name("results.md")
VERSIONS = ("dbt-core", "dbt-spark", "pyspark", "delta-spark", "duckdb", "polars")
console = Console(soft_wrap=True, highlight=False)


def _said(measured: pyperf.Benchmark) -> str:
    """Return the median and, in brackets, the least and the most, in seconds or gigabytes."""
    values = measured.get_values()
    unit, by, places_after = ("GB", 1e9, 1) if measured.get_unit() == "byte" else ("s", 1, 1 if max(values) >= 1 else 2)
    median, least, most = (f"{value / by:.{places_after}f}" for value in (measured.median(), min(values), max(values)))
    return f"{median} {unit} ({least} to {most})"


def _cells(row: Row, measures: Measures) -> list[str] | None:
    """Return a row's cells; None where one of the two was not measured."""
    this, that = measures.values(row.this), measures.values(row.that)
    if this is None or that is None:
        return None
    ratio = this.median() / that.median()
    said = "" if row.target is None else f"{row.target:g}" + ("" if ratio <= row.target else ", missed")
    return [row.what, _said(this), _said(that), f"{ratio:.2f}", said]


HEADINGS = ["this; that", "this", "that", "ratio", "at most"]


def _machine() -> str:
    memory = psutil.virtual_memory().total / 1e9
    versions = ", ".join(f"{name} {version(name)}" for name in VERSIONS)
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GB of memory, {platform.system()} on {platform.machine()}; "
        f"Python {platform.python_version()}, Java {java.check()}, {versions}"
    )


def _phases(measures: Measures, rows: list[Row]) -> Iterator[str]:
    """Return the lines that tell where the time of what stands in the rows went."""
    in_rows = dict.fromkeys(name for row in rows for name in (row.this, row.that) if name in measures.phases)
    for name in in_rows:
        told = measures.phases[name]
        spent = ", ".join(
            f"{kind}s {told['spent'][kind]:.1f} s ({told['counts'][kind]})" for kind in sorted(told["spent"])
        )
        longest = ", ".join(f"`{node}` {seconds:.1f}" for node, seconds in told["longest"])
        around = measures.values(name).get_values()[-1] - told["running"]
        yield f"| {name} | {around:.1f} s | {told['running']:.1f} s | {spent} | {longest} |"


def _keep(part: str, measures: Measures, rows: list[Row], times: int) -> None:
    """Keep what was measured of a part, with when, of what and on what."""
    told = {
        "measured_on": f"{datetime.now(UTC):%Y-%m-%d}",
        "revision": record.revision(),
        "times": times,
        "machine": _machine(),
        "rows": [vars(row) for row in rows],
    }
    KEPT.mkdir(exist_ok=True)
    (KEPT / f"{part}.json").write_text(json.dumps(told | measures.as_json(), indent=1) + "\n")


def _of_part(part: str) -> Iterator[str]:
    """Return the lines of a part that has been measured."""
    if not (KEPT / f"{part}.json").exists():
        return
    told = json.loads((KEPT / f"{part}.json").read_text())
    measures, rows = Measures(told), [Row(**row) for row in told["rows"]]
    of = f"revision {told['revision']}, {told['times']} times each"
    yield from ("", f"## {part}", "", f"On {told['measured_on']}, {of}: {told['machine']}.", "")
    yield from (f"| {' | '.join(HEADINGS)} |", f"|{'---|' * len(HEADINGS)}")
    yield from (f"| {' | '.join(cells)} |" for row in rows if (cells := _cells(row, measures)))
    if measures.phases:
        yield from (
            "",
            "| where the time goes | around the nodes | with nodes | of them | longest |",
            "|---|---|---|---|---|",
        )
        yield from _phases(measures, rows)


HEAD = """\
# Measured

By `make bench`, part by part. Each side is a process that starts cold, unless it says warm. Medians, with the least
and the most in brackets; cold sides were measured in turn, warm ones one after the other. `at most` is the ratio that
is wanted.

A build has its data tests and, unless it says so, no unit tests, as `make daily` builds. The stock project
(`bench/stock`) is what the documentation of dbt and dbt-spark says: the same marts, history and tests, by Spark's own
defaults, without this project's bookkeeping; it runs each test each time, where this project leaves out those of
tables that have not changed since they passed. The plain job is PySpark that reads the files and collects the
windows; it writes no table.

Where the time goes is told of the last time that each was measured: around the nodes (Python, dbt's parsing, taking
stock, the JVM's start and end), with nodes, the nodes' own seconds by kind (four run at a time), and the longest of
them.
"""


def _write() -> None:
    RESULTS.write_text(HEAD + "".join(f"{line}\n" for part in PARTS for line in _of_part(part)))


def main(
    only: Annotated[list[str] | None, typer.Option(help=f"Parts to measure: {', '.join(PARTS)}; else all.")] = None,
    times: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 3,
    scale: Annotated[float, typer.Option(min=0.0001, help="The share of the full counts.")] = 1,
) -> None:
    """Measure, print the table, and of full counts, three times or more, write bench/results.md."""
    unknown = [name for name in only or () if name not in PARTS]
    if unknown:
        raise StrataError(f"--only names {', '.join(unknown)}: the parts are {', '.join(PARTS)}.")
    with tempfile.TemporaryDirectory(prefix="strata-bench-") as scratch:
        told = []
        for name, part in PARTS.items():
            if (only and name not in only) or (name == "cluster" and os.environ.get("STRATA_WITHOUT_CLUSTER")):
                continue
            measures = Measures()
            with console.status(name):
                rows = part(measures, Path(scratch).resolve() / name, times, scale)
            told += [cells for row in rows if (cells := _cells(row, measures))]
            if scale == 1 and times >= LEAST_TIMES:
                _keep(name, measures, rows, times)
                _write()
        table = Table(*HEADINGS)
        for cells in told:
            table.add_row(*cells)
        console.print(table)


if __name__ == "__main__":
    try:
        typer.run(main)
    except StrataError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
