"""The command line `strata`: what dbt itself cannot do."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from strata import bench as benchmark
from strata import jars, java, lake, places, samples
from strata.errors import StrataError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
console = Console()


@app.command()
def sample() -> None:
    """Put a small sample into the default landing folder if it holds no events; never into one that is named."""
    if os.environ.get("STRATA_LANDING"):
        console.print(f"STRATA_LANDING names {places.landing()}: no sample is put there.", soft_wrap=True)
    elif not (places.landing() / "events").exists():
        files = samples.write_sample(places.landing())
        console.print(f"A sample of {len(files)} files is in {places.landing() / 'events'}.", soft_wrap=True)


@app.command()
def doctor() -> None:
    """Check what a run needs, one line a thing, and end non-zero when something is amiss."""
    checks = {
        "Python": lambda: platform.python_version(),
        "Java": lambda: str(java.check()),
        "Delta's jars": lambda: f"{len(jars.class_path().split(':'))} in {places.jars_dir()}",
        "dbt packages": _packages,
        "class-data archive": _archive,
        "landing folder": _landing,
        "lake": _lake,
    }
    table = Table("what", "state")
    failed = False
    for name, check in checks.items():
        try:
            table.add_row(name, check())
        except StrataError as error:
            failed = True
            table.add_row(name, f"[red]{error}[/red]")
    console.print(table)
    if failed:
        raise typer.Exit(1)


def _packages() -> str:
    found = sorted(path.name for path in (places.ROOT / "dbt_packages").glob("*") if path.is_dir())
    if not found:
        raise StrataError("dbt's packages are missing: run 'make setup'.")
    return ", ".join(found)


def _archive() -> str:
    return "made" if places.class_archive().exists() else "none: runs start slower; 'make setup' makes it"


def _landing() -> str:
    folder = places.landing()
    if not folder.exists():
        return f"{folder}, which is not there yet: nothing has landed"
    if not os.access(folder, os.R_OK | os.X_OK):
        raise StrataError(f"The landing folder {folder} cannot be read by this user: give it the right to.")
    return str(folder)


def _lake() -> str:
    folder = places.lake()
    lake.hold(folder)
    lake.release(folder)
    return f"{folder}, free, {shutil.disk_usage(folder).free // 1024**3} GB left on its disk"


@app.command()
def bench(
    events: Annotated[list[int] | None, typer.Option(help="How many events; may be given more than once.")] = None,
    days: Annotated[bool, typer.Option(help="Also measure adding one day to 3 and to 30 days.")] = True,
    into: Annotated[Path | None, typer.Option(help="Keep the made files and lakes in this folder.")] = None,
) -> None:
    """Measure dbt build beside a plain PySpark job of the same aggregation, and print both times and their ratio."""
    benchmark.run(events or [1_000_000], days=days, into=into, console=console)


def main() -> None:
    """Run the command line; a StrataError is one sentence on standard error and exit code 1."""
    try:
        app()
    except StrataError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
