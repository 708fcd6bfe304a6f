"""Rollback: all tables of the project together, as they were at the end of a run of the record.

Delta restores one table at a time, so that a rollback may be killed half way. Its plan stands in `rollback.json` in the
lake from before the first statement until after the last, with how much of it is done: as long as it does, no command
writes, and `strata rollback --resume` or `--undo` ends it. Each of its actions may be done twice, one after the other.

The rows come back by `restore`, a new version of each table. A table that was not there then is set aside under another
name, and comes back under its own with a rollback to a run that had it. What tells a table from another of its name
is the mark of its commit (see delta_log).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dbt.contracts.graph.manifest import Manifest
from rich import box
from rich.console import Console
from rich.table import Table

from strata import delta_log, lake, operations, places, record, storage
from strata.dbt_run import DbtOptions, parse, run_dbt, sentence
from strata.errors import StrataError, shown
from strata.report import SHORT, print_wide, sayer

# What stands between a table's name and the run that has set it aside.
ASIDE = "__set_aside_"
_NAME_A_LATER_RUN = "Name a later run, of those that 'strata runs' prints."


@dataclass(frozen=True)
class Step:
    """What a rollback does with a table or a view; its fields are null where they say nothing of it.

    A table goes from the version `before` to `after`. One that goes aside has no version after it, and one that comes
    back none before.
    """

    schema: str
    name: str
    before: int | None = None
    after: int | None = None
    # The name under which the table is set aside, or from which it comes back.
    aside: str | None = None
    taken_from: str | None = None
    # The queries of a view.
    query_before: str | None = None
    query_after: str | None = None

    @property
    def table(self) -> str:
        """Schema and name, as people write them."""
        return f"{self.schema}.{self.name}"


def _actions(steps: list[Step]) -> list[dict[str, Any]]:
    """Return what is done for steps, in order: names are made free, then taken, then tables and views go back."""
    return [
        *(_action("rename", step, step.name, step.aside) for step in steps if step.aside),
        *(_action("rename", step, step.taken_from, step.name) for step in steps if step.taken_from),
        *(_action("restore", step, step.before, step.after) for step in steps if step.after is not None),
        *(_action("view", step, step.query_before, step.query_after) for step in steps if step.query_after is not None),
    ]


def _action(does: str, step: Step, then: Any, now: Any) -> dict[str, Any]:
    return {"does": does, "schema": step.schema, "name": step.name, "from": then, "to": now}


def _taken_back(actions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the actions that take others back."""
    return [{**action, "from": action["to"], "to": action["from"]} for action in reversed(actions)]


def _journal() -> Path:
    return places.lake() / "rollback.json"


def pending() -> dict[str, Any] | None:
    """Return the plan of a rollback that has not come to its end, or None."""
    try:
        with storage.open(_journal()) as file:
            return json.loads(file.readall())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        # A store that does not answer says so to whatever comes next.
        if places.is_address(_journal()):
            return None
        raise StrataError(
            f"{_journal()} cannot be read ({storage.said(error)}): give this user the right to."
        ) from None
    except ValueError:
        raise StrataError(
            f"{_journal()}, the plan of a rollback, is no JSON: put it back from where it was changed by hand."
        ) from None


def said_of(plan: dict[str, Any]) -> str:
    """Return a sentence of a rollback that has not come to its end."""
    return (
        f"A rollback to the end of run {plan['to'][:SHORT]}, begun at {plan['begun_at']}, has not come to its end, and "
        "tables are of two times: 'strata rollback --resume' ends it, 'strata rollback --undo' takes it back."
    )


# --- which run --------------------------------------------------------------------------------------------------------


def _found(named: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    found = [run for run in runs if run["run_id"].startswith(named)]
    if len(found) != 1 or not named:
        what = f"that of {len(found)} runs" if found else "the beginning of no run's id"
        raise StrataError(f"{shown(repr(named))} is {what}: name a run as 'strata runs' prints it.")
    return found[0]


def _ended(runs: list[dict[str, Any]], by: str | None = None) -> list[dict[str, Any]]:
    """Return the runs that had ended, by a time, and told the versions of tables, the last to end first."""
    ended = [run for run in runs if run["ended_at"] and (by is None or run["ended_at"] <= by) and run["tables"]]
    return sorted(ended, key=lambda run: run["ended_at"], reverse=True)


def run_to_go_to(
    runs: list[dict[str, Any]], to: str | None = None, before: str | None = None, at: datetime | None = None
) -> dict[str, Any]:
    """Return the run that is named, or that ended last before another began, or by a time in UTC.

    `runs` are those of the target. Raise StrataError where there is none, or it told no versions.
    """
    if to is not None:
        run = _found(to, runs)
        if not run["tables"]:
            short = run["run_id"][:SHORT]
            raise StrataError(
                f"Run {short} is {run['status']} and has left no record of the tables: name another, or go to where it "
                f"began by --before {short}."
            )
        return run
    if before is not None:
        after = _found(before, runs)
        runs = [run for run in runs if run is not after]
        by, what = after["started_at"], f"before run {before}"
    else:
        by, what = record.as_text(at.replace(tzinfo=UTC)), f"by {at} UTC"
    ended = _ended(runs, by)
    if not ended:
        raise StrataError(f"No run is recorded that ended {what}: 'strata runs --limit 1000' prints those that are.")
    return ended[0]


# --- the plan ---------------------------------------------------------------------------------------------------------


def _names_of(schema: str, name: str) -> list[str]:
    """Return the names in a schema under which a table may lie: its own, and those that it was set aside under."""
    try:
        found = [entry.name for entry in storage.entries(lake.folder_of(places.lake(), schema, name).parent)]
    except FileNotFoundError:
        found = []
    return [name, *sorted(one for one in found if one.startswith(f"{name}{ASIDE}".lower()))]


def _version(schema: str, name: str) -> int | None:
    try:
        return int(delta_log.newest(schema, name)["version"])
    except delta_log.NoTable:
        return None


def _steps(schema: str, name: str, told: dict[str, Any] | None, aside: str) -> list[Step]:
    """Return what to do with a table that a run has told of, or has not; nothing where it is as it was."""
    now = _version(schema, name)
    goes = [] if now is None else [Step(schema, name, before=now, aside=aside)]
    if told is None:
        return goes
    version = told["version"]
    for candidate in _names_of(schema, name):
        if delta_log.has_commit(schema, candidate, version, told["mark"]):
            if candidate != name:
                return [*goes, Step(schema, name, after=version, taken_from=candidate)]
            return [] if now == version else [Step(schema, name, before=now, after=version)]
    what = "has gone" if now is None else "is not kept any more, or was of another table of this name"
    raise StrataError(f"Version {version} of {schema}.{name} {what}: nothing was changed. {_NAME_A_LATER_RUN}")


def _queries(ended: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """Return the queries of views as runs have made them last; the last to end comes first."""
    queries = {}
    for run in reversed(ended):
        for told in run["tables"]:
            if told["kind"] == "view":
                queries[told["schema_name"], told["table_name"]] = told["definition"]
    return queries


def plan(runs: list[dict[str, Any]], to: dict[str, Any], tables: Iterable[tuple[str, str]], aside: str) -> list[Step]:
    """Return the steps that bring the tables, each a schema and a name, and their views, to the end of a run.

    `aside` is the name of what is set aside, behind the table's. Raise StrataError for a version that is not kept.
    """
    schemas = {schema for schema, _ in tables}
    told = {
        (one["schema_name"], one["table_name"]): one
        for one in to["tables"]
        if one["kind"] == "table" and one["schema_name"] in schemas
    }
    steps = []
    for schema, name in sorted({*tables, *told}):
        steps += _steps(schema, name, told.get((schema, name)), f"{name}{ASIDE}{aside}")
    then, now = _queries(_ended(runs, to["ended_at"])), _queries(_ended(runs))
    steps += [
        Step(*view, query_before=now[view], query_after=query)
        for view, query in sorted(then.items())
        if view[0] in schemas and now[view] != query
    ]
    return steps


def _rows(steps: list[Step], options: DbtOptions, manifest: Manifest) -> dict[tuple[str, str], int]:
    """Return how many rows tables have, by table and `before` or `after`; raise StrataError where one cannot be read.

    Each file of a version is opened: one that is gone is found before anything is changed.
    """
    asked = []
    for step in steps:
        if step.before is not None:
            asked.append((step, "before", step.before))
        if step.after is not None:
            asked.append((step, "after", step.after))
    if not asked:
        return {}
    queries = [
        f"select {number} as number, count(*) as row_count, count(distinct _metadata.file_path) as files "
        f"from `{step.schema}`.`{step.taken_from or step.name}` version as of {version}"
        for number, (step, _, version) in enumerate(asked)
    ]
    try:
        rows = _shown(" union all ".join(queries), options, manifest)
    except StrataError:
        rows = []
        for query, (step, when, version) in zip(queries, asked, strict=True):
            try:
                rows += _shown(query, options, manifest)
            except StrataError as error:
                # What is there now need not be whole for what was there to come back.
                if when == "after":
                    raise StrataError(
                        f"Version {version} of {step.table} is not kept any more ({error}): nothing was changed. "
                        f"{_NAME_A_LATER_RUN}"
                    ) from None
    return {(asked[int(row["number"])][0].table, asked[int(row["number"])][1]): int(row["row_count"]) for row in rows}


def _shown(query: str, options: DbtOptions, manifest: Manifest) -> list:
    # dbt adds the query to the project that it is handed.
    (answer,) = run_dbt(["show", "--inline", query, "--limit", "-1"], options, manifest=manifest.deepcopy())
    if answer.status != "success":
        raise StrataError(sentence(answer.message).rstrip("."))
    return list(answer.agate_table.rows)


def _print(steps: list[Step], rows: dict[tuple[str, str], int], console: Console) -> None:
    table = Table("table", "from version", "to version", "rows now", "rows then", box=box.SIMPLE_HEAD)
    for step in steps:
        before, after = (str(version) if version is not None else "" for version in (step.before, step.after))
        if step.query_after is not None:
            before, after = "view", "the view's query of then"
        elif step.aside or step.taken_from:
            after = f"{after} of {step.taken_from}" if step.taken_from else f"set aside as {step.aside}"
        counted = (str(rows.get((step.table, when), "")) for when in ("before", "after"))
        table.add_row(step.table, before, after, *counted)
    print_wide(console, table)


# --- what the command does --------------------------------------------------------------------------------------------


def roll_back(
    options: DbtOptions,
    console: Console,
    ask: Callable[[str], None],
    *,
    to: str | None = None,
    before: str | None = None,
    at: datetime | None = None,
) -> None:
    """Bring all tables of the project back to the end of a run; `ask` gets a question before anything is done.

    Raise StrataError, with nothing changed, where that cannot be; so may `ask`.
    """
    begun = pending()
    if begun is not None:
        raise StrataError(said_of(begun))
    named = to if to is not None else before
    if named is not None:
        _found(named, record.newest())
    manifest = parse(options)
    tables = lake.tables(manifest)
    runs = [run for run in record.newest() if _is_of(run, set(tables))]
    run = run_to_go_to(runs, to, before, at)
    then = f"the end of run {run['run_id'][:SHORT]}"
    option = f"--to {to}" if to is not None else f"--before {before}" if before is not None else f"--at {at}"
    say = sayer(console)
    with record.shared(f"strata rollback {option}", say):
        steps = plan(runs, run, tables, record.run_id()[:SHORT])
        if not steps:
            say(f"All tables are as they were at {then}: nothing is done.")
            return
        _print(steps, _rows(steps, options, manifest), console)
        ask(f"Take {len(steps)} tables and views to {then}, {run['ended_at'][:19].replace('T', ' ')} UTC?")
        begun = {
            "to": run["run_id"],
            "begun_at": record.now(),
            "target": options.target,
            "is_undone": False,
            "actions": _actions(steps),
            "done": 0,
        }
        _carry_out(begun, options, manifest)
        own = record.run_id()[:SHORT]
    say(
        f"The tables are as they were at {then}; the next 'dbt build' loads again what has landed since. "
        f"'strata rollback --before {own}' goes forward again."
    )


def _is_of(run: dict[str, Any], tables: set[tuple[str, str]]) -> bool:
    """Tell whether a run left tables of this project's schemas, or may have: those that died told none."""
    told = {(one["schema_name"], one["table_name"]) for one in run["tables"]}
    return not told or bool(told & tables)


def end(options: DbtOptions, console: Console, *, undo: bool) -> None:
    """End a rollback that was killed half way, or take it back; raise StrataError where there is none."""
    begun = pending()
    if begun is None:
        raise StrataError("No rollback has been left half way: name a run in --to, --before or --at.")
    if begun["target"] != options.target:
        raise StrataError(
            f"The rollback that was left half way is of {_named(begun['target'])}, and not of {_named(options.target)}."
        )
    if undo != begun["is_undone"]:
        # One more than was done may be half done.
        actions = _taken_back(begun["actions"][: begun["done"] + 1])
        begun = {**begun, "is_undone": undo, "actions": actions, "done": 0}
    say = sayer(console)
    with record.shared(f"strata rollback {'--undo' if undo else '--resume'}", say):
        _carry_out(begun, options, parse(options))
    then = "they were before it" if undo else f"at the end of run {begun['to'][:SHORT]}"
    say(f"The rollback has ended: the tables are as {then}.")


def _named(target: str | None) -> str:
    return f"--target {target}" if target else "the default target"


def _carry_out(begun: dict[str, Any], options: DbtOptions, manifest: Manifest) -> None:
    """Have dbt carry the actions of a plan out that are not done; it stands in the lake meanwhile."""
    global _is_own
    _keep(begun)
    _is_own = True
    try:
        operations.carry_out(operations.ROLLBACK, {"actions": begun["actions"][begun["done"] :]}, options, manifest)
    except StrataError as error:
        raise StrataError(f"{error} {said_of(begun)}") from None
    finally:
        _is_own = False
    storage.remove(_journal())


def _keep(begun: dict[str, Any]) -> None:
    with storage.create(_journal()) as file:
        file.write(json.dumps(begun).encode())


def note_done() -> None:
    """Note that one more action of the plan is done."""
    begun = pending()
    if begun is not None:
        _keep({**begun, "done": begun["done"] + 1})


# Whether this process carries a rollback out.
_is_own = False


def check(may_write: bool) -> str:
    """Return what to say of a rollback that was left half way, or nothing; raise StrataError for whoever may write."""
    begun = None if _is_own else pending()
    if begun is None:
        return ""
    if may_write:
        raise StrataError(said_of(begun))
    return said_of(begun)
