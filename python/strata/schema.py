"""The ledger of schema changes as a timeline."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from strata.dbt_run import DbtOptions, run_dbt, sentence
from strata.errors import StrataError
from strata.report import print_wide

QUERY = "select * from {{ schema_timeline() }} order by landed_on nulls first, noticed_at, source, change, landed_name"


def timeline(options: DbtOptions, console: Console, source: str | None = None) -> None:
    """Print what changed, in the order of landed days, of one source or all; raise StrataError without a ledger."""
    (shown,) = run_dbt(["show", "--inline", QUERY, "--limit", "-1"], options)
    if shown.status != "success":
        raise StrataError(sentence(shown.message))
    changes = [row for row in shown.agate_table.rows if source in (None, row["source"])]
    if not changes:
        of = f" of {source}" if source else ""
        console.print(f"Nothing has landed yet{of}: the ledger is empty.")
        return
    table = Table(
        "landed day", "source", "change", "landed name", "column", "type", "version", "file", box=box.SIMPLE_HEAD
    )
    for row in changes:
        table.add_row(
            *(str(row[name] or "") for name in ("landed_on", "source", "change", "landed_name", "column_name", "type")),
            str(row["table_version"]),
            row["path"] or "",
        )
    print_wide(console, table)
