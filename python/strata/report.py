"""The record of runs and the histories of tables, printed; read where they lie in the lake, without Spark."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from strata import delta_log, lake, places, record, storage
from strata.errors import StrataError, shown

# So many first characters of a run's id tell it from others.
SHORT = 8
# dbt's statuses of nodes that need nobody's eye.
_GOOD = ("success", "pass", "no-op")


def print_wide(console: Console, table: Table) -> None:
    """Print a table; a pipe has no width, and nothing is folded there."""
    wide = console if console.is_terminal else Console(file=console.file, width=10_000, markup=False)
    wide.print(table, highlight=False)


def sayer(console: Console) -> Callable[[str], None]:
    """Return what prints a sentence as it is."""
    return lambda said: console.print(said, soft_wrap=True, highlight=False, markup=False)


def committed(commit: dict[str, Any]) -> str:
    """Return when a commit was made, in UTC."""
    return datetime.fromtimestamp(commit["committed_ms"] / 1000, UTC).isoformat(" ", "seconds")[:19]


def _moment(text: str | None) -> str:
    return text[:19].replace("T", " ") if text else ""


def _seconds(run: dict[str, Any]) -> str:
    if not run["ended_at"]:
        return ""
    took = datetime.fromisoformat(run["ended_at"]) - datetime.fromisoformat(run["started_at"])
    return f"{took.total_seconds():.0f} s"


def _nodes(run: dict[str, Any]) -> str:
    """Return how many nodes ended how, the bad first, and which those were."""
    counted = Counter(node["status"] for node in run["nodes"])
    told = []
    for status in sorted(counted, key=lambda status: (status in _GOOD, status)):
        names = [_name(node) for node in run["nodes"] if node["status"] == status]
        named = "" if status in (*_GOOD, "skipped") else f": {', '.join(names[:3])}{', …' if len(names) > 3 else ''}"
        told.append(f"{counted[status]} {status}{named}")
    return "; ".join(told)


def _name(node: dict[str, Any]) -> str:
    """Return a node's name without its kind and package; a hook has no other than the one that dbt gives it."""
    return node["node"] if node["resource_type"] == "operation" else node["node"].split(".")[2]


def runs(console: Console, limit: int, target: str | None = None) -> None:
    """Print the newest runs, of one target or all; raise StrataError for a file of the record that cannot be read."""
    found = [run for run in record.newest(None if target else limit) if target in (None, run["target"])][:limit]
    if not found:
        on = f" on target {shown(target)}" if target else ""
        console.print(f"No run is recorded in {record.folder()}{on}.", soft_wrap=True, highlight=False, markup=False)
        return
    table = Table("run", "began (UTC)", "took", "status", "command", "target", "user", "nodes", box=box.SIMPLE_HEAD)
    for run in found:
        told = (run["run_id"][:SHORT], _moment(run["started_at"]), _seconds(run), run["status"], run["command"])
        table.add_row(*told, run["target"], run["user_name"], _nodes(run) or run["message"] or "")
    print_wide(console, table)


def _schema_and_name(table: str) -> tuple[str, str]:
    """Return a table's schema and name; raise StrataError where a name alone is that of none, or of several."""
    if not re.fullmatch(r"(\w{1,255}\.)?\w{1,255}", table):
        raise StrataError(f"{shown(repr(table))} is no table's name: name one as stage.purchases.")
    schema, dot, name = table.rpartition(".")
    if dot:
        return schema, name
    found = [
        schema
        for schema, name, folder in lake.lying(places.lake())
        if name == table.lower() and storage.exists(folder / "_delta_log")
    ]
    if len(found) == 1:
        return found[0], table
    named = ", ".join(f"{schema}.{table}" for schema in found)
    what = f"{named} bear this name: name one of them" if found else "none is there: name one as stage.purchases"
    raise StrataError(f"Of a table {table} {what}, in the lake {places.lake()}.")


def versions(console: Console, name: str, limit: int) -> None:
    """Print the newest versions of a table; raise StrataError where there is none."""
    schema, name = _schema_and_name(name)
    table = Table("version", "committed (UTC)", "run", "operation", "rows", "files", box=box.SIMPLE_HEAD)
    for commit in delta_log.commits(schema, name, limit):
        told = (commit["version"], committed(commit), commit["run_id"][:SHORT] or "by hand", commit["operation"])
        table.add_row(*told, _counted(delta_log.rows_told(commit)), _counted(delta_log.files_told(commit)))
    print_wide(console, table)


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items())
