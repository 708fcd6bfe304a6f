"""What the tests of rollbacks and repairs share: what the tables hold, and the commands in this process."""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path

import pytest

from conftest import Lake, Run
from strata import delta_files, doctor, places, record, repair, rollback
from strata import lake as lakes
from strata.errors import StrataError

# A file of events of which one in thirty is not valid.
EVENTS = "time,action\nno time,Open\n" + "".join(f"2026-01-05T10:{minute:02}:00Z,Open\n" for minute in range(29))
LAYERS = ("raw", "stage", "mart", "quarantine", "ops")
# When something was done, and not what.
CLOCKS = ("loaded_at", "noticed_at", "taken_at", "changed_at", "table_version")


def content(lake: Lake) -> dict[str, tuple[list[str], Counter]]:
    """Return the columns of each table there is, as Spark knows it, and its rows, clocks left out.

    The rows are read from the files that the log names, in milliseconds; a query of each table takes seconds.
    """
    found = {}
    spark = lake.spark
    for layer in LAYERS:
        folder = lake.folder / "lake" / "warehouse" / f"{layer}.db"
        for table in sorted(one.name for one in folder.iterdir()) if folder.exists() else ():
            columns = spark.table(f"{layer}.{table}").columns
            names = [name for name in columns if name not in CLOCKS]
            rows = delta_files.rows(delta_files.read(folder / table), names).to_pylist()
            found[f"{layer}.{table}"] = (columns, Counter(map(repr, rows)))
    return found


def of_project(found: dict) -> dict:
    """Return tables but those that are set aside."""
    return {name: one for name, one in found.items() if rollback.ASIDE not in name}


def yes(_question: str) -> None:
    """Go on."""


def no(question: str) -> None:
    raise StrataError(f"No: {question}")


def go(lake: Lake, ask=yes, **named) -> Run:
    """Roll back."""
    command = functools.partial(rollback.roll_back, ask=ask, **named)
    return lake.strata(lambda options, console: command(options, console))


def ended(lake: Lake, undo: bool) -> Run:
    """End a rollback that was left half way."""
    return lake.strata(lambda options, console: rollback.end(options, console, undo=undo))


def newest(lake: Lake) -> str:
    lake.enter()
    return record.newest(1)[0]["run_id"]


def forget(lake: Lake) -> None:
    """Have Delta forget what it has read of the tables, as a new process would."""
    spark = lake.spark
    spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()
    spark.catalog.clearCache()


def folder_of(table: str) -> Path:
    return lakes.folder_of(places.lake(), *table.split("."))


def log_of(table: str) -> list[Path]:
    return sorted((folder_of(table) / "_delta_log").glob("*.json"))


def in_metastore(lake: Lake) -> set[tuple[str, str]]:
    """Return the tables that the catalog of this process's Spark knows, which stands in for a metastore's."""
    spark = lake.spark
    schemas = [row[0] for row in spark.sql("show schemas").collect()]
    return {(schema, row[1]) for schema in schemas for row in spark.sql(f"show tables in `{schema}`").collect()} - {
        (schema, row[1]) for schema in schemas for row in spark.sql(f"show views in `{schema}`").collect()
    }


def mended(lake: Lake, ask=yes, command=repair.repair, **variables) -> Run:
    """Run `strata repair`, or another command, as a process does that has just begun."""
    forget(lake)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doctor.metastore, "tables", lambda _folder: in_metastore(lake))
        done = lake.strata(
            lambda options, console: command(options, console, ask) if ask else command(options, console), **variables
        )
    forget(lake)
    return done
