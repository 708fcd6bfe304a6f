"""The operations of dbt that change tables of all of the project, as Strata's commands give them: macros/ops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml
from dbt.contracts.graph.manifest import Manifest

from strata.dbt_run import OPERATION_FAILED, DbtOptions, run_dbt, sentence
from strata.errors import StrataError

ROLLBACK, REPAIR, MAINTAIN = ALL = ("restore_tables", "mend_lake", "maintain_tables")


def carry_out(
    operation: str,
    arguments: dict[str, Any],
    options: DbtOptions,
    manifest: Manifest,
    say: Callable[[str], None] = lambda said: None,
) -> None:
    """Run an operation in this process; `say` gets what it says. Raise StrataError where a step of it fails."""
    failed: list[str] = []

    def listen(event) -> None:
        if event.info.name == "JinjaLogInfo":
            say(event.info.msg)
        elif event.info.name in OPERATION_FAILED:
            failed.append(sentence(event.data.exc))

    given = ["run-operation", operation, "--args", yaml.safe_dump(arguments)]
    results = run_dbt(given, options, listen, manifest)
    if any(result.status != "success" for result in results):
        raise StrataError(failed[0] if failed else f"The operation {operation} failed: logs/dbt.log says why.")
