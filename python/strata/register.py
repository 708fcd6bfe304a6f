"""Tables whose files lie in the lake, told to a metastore that does not know them."""

from __future__ import annotations

import yaml
from rich.console import Console

from strata import lake, places, storage
from strata.dbt_run import DbtOptions, parse, run_dbt, sentence
from strata.errors import StrataError


def register(options: DbtOptions, console: Console) -> None:
    """Register what lies in the lake of the project's tables and the target's metastore lacks, each in a line.

    Nothing that is there is touched. Raises StrataError where the lake holds none of the project's tables.
    """
    folders = {table: lake.table_folder(places.lake(), *table) for table in lake.tables(parse(options))}
    tables = [
        {"schema": schema, "name": name, "folder": str(folder)}
        for (schema, name), folder in folders.items()
        if storage.exists(folder / "_delta_log")
    ]
    if not tables:
        raise StrataError(
            f"The lake {places.lake()} holds no table of this project: copy one there, or name another in STRATA_LAKE."
        )
    command = ["run-operation", "_register_tables", "--args", yaml.safe_dump({"tables": tables}, width=float("inf"))]

    def listen(event) -> None:
        if event.info.name == "JinjaLogInfo":
            console.print(event.info.msg, soft_wrap=True, highlight=False, markup=False)

    for result in run_dbt(command, options, listen):
        if result.status == "error":
            raise StrataError(sentence(result.message or "The tables could not be registered."))
    console.print(f"The metastore knows all {len(tables)} tables of the project in {places.lake()}.", soft_wrap=True)
