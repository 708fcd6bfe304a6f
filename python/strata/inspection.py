"""What is amiss in a lake, found without changing it: each finding with its place, its repair, and how grave it is.

The files are read where they lie, so that all of this works where neither the metastore nor Spark does.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.compute as compute

from strata import delta_files, delta_log, lake, places, processes, record, storage
from strata.errors import StrataError
from strata.report import SHORT, committed
from strata.sources import Source

# The command of its runs in the record.
REPAIR = "strata repair"
# Data files are small below so much on average, and want to be compacted where there are more than so many.
SMALL_BYTES = 16 * 1024 * 1024
MANY_FILES = 100
# What lies in a table's folder unnamed may be written at this moment, by whoever works on a cluster.
YOUNG = timedelta(days=1)

_DAYS = re.compile(r"interval (\d+) days?")


# A schema and a name.
Table = tuple[str, str]


@dataclass(frozen=True)
class Finding:
    """One thing that is amiss.

    `severity` is `error` where rows are wrong or cannot be read, else `warning`. `mend` names what `strata repair` does
    by itself; None where the repair may lose something, or is for people to decide. `table` is the schema and name of
    the table that it is of.
    """

    finding: str
    place: str
    repair: str
    severity: str
    mend: str | None = None
    table: Table | None = None

    @classmethod
    def of_refusal(cls, error: StrataError, place: str) -> Finding:
        """Return what a refusal says, which names the thing, and its mend behind a colon."""
        said, _, mend = str(error).rstrip(".").partition(": ")
        return cls(said, place, mend or said, "error")

    def told(self) -> dict[str, str]:
        """Return it as JSON has it."""
        return {name: getattr(self, name) for name in ("finding", "place", "repair", "severity")}


@dataclass(frozen=True)
class Project:
    """What findings need of the project; empty where it cannot be read.

    `tables` are its tables, each after those that it is made of; `anew` tells of those that are made of others how they
    are made anew, and `raw` of those that hold what landed of which source they do.
    """

    tables: list[Table] = field(default_factory=list)
    anew: Mapping[Table, str] = field(default_factory=dict)
    raw: Mapping[Table, Source] = field(default_factory=dict)
    # Returns the schema of a layer.
    schema_of: Callable[[str], str] = str


def in_order(findings: Iterable[Finding], project: Project) -> list[Finding]:
    """Return the gravest first, and of those what is of no table, and then what others are made of."""
    place = {table: number for number, table in enumerate(project.tables)}
    return sorted(findings, key=lambda one: (one.severity, place.get(one.table, len(place)) if one.table else -1))


def _of_table(table: Table, findings: Iterable[Finding]) -> Iterator[Finding]:
    return (replace(one, table=table) for one in findings)


def _brought_back(schema: str, name: str, version: int | None, project: Project) -> str:
    """Return how the rows come back that a table has lost since before a version."""
    if (schema, name) in project.anew:
        return project.anew[schema, name]
    runs: list[dict[str, Any]] = []
    with contextlib.suppress(StrataError):
        runs = sorted((run for run in record.newest() if run["ended_at"]), key=lambda run: run["ended_at"])
    for number, run in enumerate(runs if version is not None else []):
        for one in run["tables"]:
            is_it = (one["schema_name"], one["table_name"], one["kind"]) == (schema, name, "table")
            if is_it and one["version"] >= version:
                if any(earlier["tables"] for earlier in runs[:number]):
                    return _rolled_back(run["run_id"][:SHORT])
                folder = lake.folder_of(places.lake(), schema, name)
                source = project.raw.get((schema, name))
                landed = _landed_still(_loaded(source, project)) if source else "its rows"
                return f"move {folder} out of the lake, and 'strata repair' and 'dbt build' load again {landed}"
    return _rolled_back("RUN")


def _rolled_back(run: str) -> str:
    return f"'strata rollback --before {run}' goes back to before it was written, and 'dbt build' makes the rest again"


def _loaded(source: Source, project: Project) -> list[str]:
    """Return the files that gave a raw table rows, as raw.loaded_files tells; none where it cannot be read."""
    with contextlib.suppress(OSError, pyarrow.ArrowException):
        told = _told(project.schema_of("raw"), "loaded_files", ["path", "rows_loaded"], source=source.name)
        return sorted(row["path"] for row in told if row["rows_loaded"])
    return []


def _landed_still(paths: list[str]) -> str:
    """Return what can be loaded again of some files, and the first that is where it was no more, as a verb's object."""
    gone = [path for path in paths if not storage.exists(places.landing() / path)]
    if not paths:
        there = "which files those are, raw.loaded_files does not tell"
    elif gone:
        there = f"of {len(paths)} files {len(gone)} are not there, the first {gone[0]}: put them back before"
    else:
        there = f"all {len(paths)} files are there" if len(paths) > 1 else "the file is there"
    return f"what is in the landing folder still ({there})"


def _loaded_again(schema: str, name: str, paths: list[str]) -> tuple[str, str | None]:
    """Return how the rows of files come back that a raw table has lost, and what `strata repair` does for it."""
    landed = _landed_still(paths)
    properties = delta_log.properties(schema, name) or {}
    if delta_log.is_noted(delta_log.newest(schema, name), properties.get("strata.noted")):
        # The load believes that the table holds what is noted, and does not look.
        return f"after 'strata repair' 'dbt build' loads again {landed}", "look again"
    return f"'dbt build' loads again {landed}", None


def of_files(project: Project, deep: bool = False) -> Iterator[Finding]:
    """Find what is wrong with the logs and the data files of all tables; with `deep` each data file is read."""
    for schema, name, folder in lake.lying(places.lake()):
        yield from _of_table((schema, name), _of_folder(schema, name, folder, project, deep))


def _of_folder(schema: str, name: str, folder: Path, project: Project, deep: bool) -> Iterator[Finding]:
    table = f"{schema}.{name}"
    try:
        files = delta_files.read(folder)
    except FileNotFoundError:
        yield Finding(
            f"{table} has files and no log, so that it is no table", str(folder),
            "the next run takes away what a killed one left; else take it away", "warning",
        )  # fmt: skip
        return
    except OSError as error:
        yield Finding(
            f"the log of {table} cannot be read ({storage.said(error)})", str(folder / "_delta_log"),
            "give this user the right to, or see whether the disk is whole", "error",
        )  # fmt: skip
        return
    if files.is_whole:
        # Else what the log does not tell may name a file, or have removed it.
        delta_files.hold_against_folder(files, deep)
    # Many files of one version may be gone, and for each the record and what has landed would be read.
    brought_back = functools.cache(lambda version: _brought_back(schema, name, version, project))
    for fault in files.faults:
        place = str(files.folder / fault.file)
        if fault.is_of_checkpoint:
            yield _of_checkpoint(table, files, fault, place)
        elif fault.file.startswith("_delta_log/"):
            back = brought_back(fault.version)
            if (schema, name) in project.anew and not files.is_whole:
                # What writes a table anew reads its log first.
                back = f"move {files.folder} out of the lake, and after 'strata repair' {back}"
            yield _of_commit(table, files, fault, place, back)
        elif fault.kind != "unnamed":
            said = {"missing": "is gone", "cut": "has another size", "unread": "cannot be read"}[fault.kind]
            detail = f" ({fault.detail})" if fault.detail else ""
            repair = f"put it back from a backup; else {brought_back(fault.version)}"
            yield Finding(f"a data file of {table} {said}{detail}", place, repair, "error")
    # On a cluster others may be writing them.
    before = time.time() - (YOUNG.total_seconds() if places.is_address(files.folder) else 0)
    unnamed = [fault for fault in files.faults if fault.kind == "unnamed" and fault.modified_at <= before]
    for fault in unnamed:
        yield Finding(
            f"a file in the folder of {table} belongs to none of its versions",
            str(files.folder / fault.file),
            "'strata repair' sets it aside: nothing reads it",
            "warning",
            mend="set aside",
        )
    if files.is_whole and is_scattered(files):
        average = sum(files.data.values()) // len(files.data) // 1024
        yield Finding(
            f"{table} has {len(files.data)} data files of {average} KB on average",
            str(files.folder), "'strata maintain' makes few of them", "warning",
        )  # fmt: skip


def is_scattered(files: delta_files.Files) -> bool:
    """Tell whether a table has many small files in one of its partitions, and wants to be compacted."""
    small = Counter(
        tuple(sorted(files.partitions[path].items())) for path, size in files.data.items() if size < SMALL_BYTES
    )
    return bool(small) and max(small.values()) > MANY_FILES


def _of_checkpoint(table: str, files: delta_files.Files, fault: delta_files.Fault, place: str) -> Finding:
    said = {
        "missing": "is gone, which its log names",
        "alone": "is newer than its newest commit, so that Delta refuses the table",
        "unread": f"cannot be read ({fault.detail})",
    }[fault.kind]
    # What names a checkpoint that is gone is what misleads.
    misleading = str(files.folder / "_delta_log" / "_last_checkpoint") if fault.kind == "missing" else place
    aside, backup = "'strata repair' sets it aside", "put it back from a backup: the commits before it are gone"
    if fault.kind == "alone":
        backup = "put the commits back from a backup"
        aside = f"{backup}; else {aside}, and the table is as its newest commit left it"
    else:
        aside += ", for the commits tell all"
    return Finding(
        f"a checkpoint of {table} {said}",
        misleading if files.is_whole else place,
        aside if files.is_whole else backup,
        "error",
        mend="set aside" if files.is_whole else None,
    )


def _of_commit(table: str, files: delta_files.Files, fault: delta_files.Fault, place: str, back: str) -> Finding:
    if fault.kind == "unlike":
        return Finding(
            f"the newest commit of {table} is not as it was written: {fault.detail}",
            place, back, "error",
        )  # fmt: skip
    said = {"missing": "missing", "empty": "empty", "torn": "torn"}[fault.kind]
    if fault.kind != "missing" and fault.version == files.newest and files.version is not None:
        return Finding(
            f"the newest commit of {table} is {said}: its rows are not there",
            place,
            "'strata repair' sets it aside; what is then to be done, 'strata doctor' says",
            "error",
            mend="set aside",
        )
    if files.is_whole:
        return Finding(
            f"commit {fault.version} of {table} is {said}; its rows now are told by a checkpoint",
            place, "put it back from a backup, if an older version is ever to be read", "warning",
        )  # fmt: skip
    is_newest = files.newest is None or fault.version == files.newest
    after = "no version of it can be read" if is_newest else "newer ones are there"
    return Finding(
        f"commit {fault.version} of {table} is {said}, and {after}",
        place,
        f"put it back from a backup; else {back}",
        "error",
    )


def of_lock() -> Iterator[Finding]:
    """Find what a process that has died has left in the lock of a lake on this machine; nobody waits for it."""
    owner = lake.left_by(places.lake())
    if owner:
        yield Finding(
            f"process {owner.get('pid')} held the lake for {owner.get('command')}, and has died",
            str(places.lake() / "lock"),
            "nothing: the next run takes the lake; 'dbt build' ends what it left",
            "warning",
        )


def of_metastore(told: set[Table] | StrataError | None, project: Project) -> Iterator[Finding]:
    """Hold the tables of the metastore against those that lie in the lake.

    `told` is None where the metastore is gone, and an error where it cannot be read. Of tables that are not the
    project's those count that lie in the same schemas.
    """
    lying = [(schema, name) for schema, name, _ in lake.lying(places.lake())]
    made = {(one["schema"], one["name"]): one["folder"] for one in lake.made(places.lake(), lying)}
    place = str(places.lake() / "metastore")
    if isinstance(told, StrataError):
        yield Finding(
            f"the metastore cannot be read ({told})", place,
            "'strata repair' sets it aside, and registers all tables in a new one", "error", mend="renew metastore",
        )  # fmt: skip
        return
    if told is None:
        if made:
            yield Finding(
                "the metastore is gone, and tables lie in the lake", place,
                "'strata repair' registers them again", "error", mend="register",
            )  # fmt: skip
        return
    own = {schema for schema, _ in project.tables}
    for (schema, name), folder in sorted(made.items()):
        if schema in own and (schema, name) not in told:
            yield Finding(
                f"{schema}.{name} lies in the lake, and the metastore does not know it", folder,
                "'strata repair' registers it", "warning", mend="register", table=(schema, name),
            )  # fmt: skip
    for schema, name in sorted(told - made.keys()):
        if schema in own:
            yield Finding(
                f"the metastore knows {schema}.{name}, of which no version is in the lake",
                str(lake.folder_of(places.lake(), schema, name)),
                "put its folder back from a backup; else 'strata repair' takes the entry out, and the next run makes "
                "the table anew",
                "error",
                mend="forget",
                table=(schema, name),
            )  # fmt: skip


def of_retention(project: Project, rollback_days: int) -> Iterator[Finding]:
    """Find tables of the project of which Delta keeps less than a rollback may reach back to."""
    for schema, name, folder in lake.lying(places.lake()):
        if (schema, name) not in project.tables:
            continue
        try:
            files = delta_files.read(folder)
        except OSError:
            continue
        if files.is_whole and not keeps(files.properties, rollback_days):
            yield Finding(
                f"Delta keeps less of {schema}.{name} than the {rollback_days} days of rollback_days",
                str(folder), "'strata repair' has it keep more from now on", "warning", mend="set retention",
                table=(schema, name),
            )  # fmt: skip


def keeps(properties: dict[str, str], rollback_days: int) -> bool:
    """Tell whether the properties of a table have Delta keep what a rollback may need."""
    for name, default in (("delta.logRetentionDuration", 30), ("delta.deletedFileRetentionDuration", 7)):
        told = _DAYS.fullmatch(properties.get(name, f"interval {default} days"))
        if told is None or int(told[1]) <= rollback_days:
            return False
    return True


def of_record(project: Project) -> Iterator[Finding]:
    """Hold the newest run's record against the lake: versions that went back, tables that are gone, changes by hand."""
    for name in record.running():
        run = record.read(name)
        if processes.has_died(run["process"]):
            yield Finding(
                f"run {run['run_id'][:SHORT]} ({run['command']}) was killed", str(record.folder() / name),
                "'dbt build' ends in the right rows", "warning",
            )  # fmt: skip
    try:
        runs = [run for run in record.newest() if run["ended_at"]]
    except StrataError as error:
        yield Finding.of_refusal(error, str(record.folder()))
        return
    told: dict[tuple[str, str], dict] = {}
    for run in sorted(runs, key=lambda run: run["ended_at"]):
        for one in run["tables"]:
            table = (one["schema_name"], one["table_name"])
            # A repair that has set a commit aside has not brought its rows back.
            is_lower = table in told and (one["version"] or 0) < told[table]["version"]
            if one["kind"] == "table" and not (run["command"] == REPAIR and is_lower):
                told[table] = {**one, "run": run}
    for table, one in sorted(told.items()):
        if table in project.tables:
            yield from _of_table(table, _of_recorded(table, one, project))


def _of_recorded(table: Table, told: dict, project: Project) -> Iterator[Finding]:
    folder, name, run = lake.folder_of(places.lake(), *table), ".".join(table), told["run"]["run_id"][:SHORT]
    try:
        commits = delta_log.commits(*table)
    except delta_log.NoTable:
        anew = "the next run makes it anew"
        if table in project.raw:
            anew += f" of {_landed_still(_loaded(project.raw[table], project))}"
        yield Finding(
            f"{name} is gone, which run {run} left at version {told['version']}", str(folder),
            f"put its folder back from a backup; else {anew}", "error",
        )  # fmt: skip
        return
    except StrataError:
        return
    newest = int(commits[0]["version"])
    if newest < told["version"]:
        if table in project.raw:
            back, mend = _loaded_again(*table, _loaded(project.raw[table], project))
        else:
            back, mend = _brought_back(*table, newest + 1, project), None
        yield Finding(
            f"{name} is at version {newest}, and run {run} left it at {told['version']}: commits are gone",
            str(folder), f"put them back from a backup; else {back}", "error", mend,
        )  # fmt: skip
    by_hand = [one for one in commits if int(one["version"]) > told["version"] and not one["run_id"]]
    if by_hand:
        first, rows = by_hand[-1], sum(map(delta_log.rows_changed, by_hand))
        what = f"{rows} rows of {name} were" if rows else f"{name} was"
        more = f", and {len(by_hand) - 1} commits after it" if len(by_hand) > 1 else ""
        yield Finding(
            f"{what} changed by hand after run {run}: {first['operation']} at {committed(first)} UTC{more}",
            str(folder),
            f"where it was not meant, 'strata rollback --to {run}' takes it back, with all that is newer than the run",
            "error" if rows else "warning",
        )


# --- rows -------------------------------------------------------------------------------------------------------------


def _files_of(schema: str, name: str) -> delta_files.Files:
    """Return a table's files; raise OSError where its newest rows cannot be read."""
    files = delta_files.read(lake.folder_of(places.lake(), schema, name))
    if not files.is_whole:
        raise OSError(f"the log of {files.folder} is broken")
    return files


def _told(schema: str, name: str, columns: list[str], **equal: Any) -> list[dict[str, Any]]:
    """Return the rows of a small table whose columns have the values named."""
    found = delta_files.rows(_files_of(schema, name), [*columns, *equal]).to_pylist()
    return [row for row in found if all(row[column] == value for column, value in equal.items())]


def of_content(project: Project) -> Iterator[Finding]:
    """Find what is wrong with the rows of the declared sources.

    What cannot be read is no finding here: its files are.
    """
    checks = {_counts: "raw", _accounts: "stage", _versions: "stage", _pending_days: "stage", _missing_days: "raw"}
    for source in project.raw.values():
        for check, layer in checks.items():
            with contextlib.suppress(OSError, pyarrow.ArrowException):
                yield from _of_table((project.schema_of(layer), source.name), check(source, project.schema_of))


def _counts(source: Source, schema_of: Callable[[str], str]) -> Iterator[Finding]:
    """Hold the rows that raw has of each file against those that were loaded."""
    told = _told(schema_of("raw"), "loaded_files", ["path", "rows_loaded"], source=source.name)
    loaded = {row["path"]: row["rows_loaded"] or 0 for row in told}
    found: Counter[str] = Counter()
    for batch in delta_files.batches(_files_of(schema_of("raw"), source.name), ["path"]):
        for one in batch.column(0).value_counts():
            found[one["values"].as_py()] += one["counts"].as_py()
    amiss = [path for path in sorted(loaded.keys() | found.keys()) if loaded.get(path, 0) != found[path]]
    if amiss:
        first = amiss[0]
        more = f"; {len(amiss) - 1} further files have other rows than were loaded too" if len(amiss) > 1 else ""
        repair, mend = _loaded_again(schema_of("raw"), source.name, amiss)
        yield Finding(
            f"raw.{source.name} has {found[first]} rows of the file {first}, and {loaded.get(first, 0)} were "
            f"loaded{more}",
            f"raw.{source.name}",
            repair,
            "error",
            mend,
        )


def _accounts(source: Source, schema_of: Callable[[str], str]) -> Iterator[Finding]:
    """Hold the rows that landed in each file against what became of them."""
    parts = ["rows_valid", "rows_quarantined", "rows_refused"]
    for row in _told(schema_of("ops"), "landed_files", ["path", "status", "rows_landed", *parts], source=source.name):
        valid, quarantined, refused = (row[name] or 0 for name in parts)
        if row["status"] != "ignored" and row["rows_landed"] not in (None, valid + quarantined + refused):
            yield Finding(
                f"of {row['rows_landed']} rows of the file {row['path']} {valid} are valid, {quarantined} quarantined "
                f"and {refused} refused",
                f"stage.{source.name}",
                "'dbt build --full-refresh' judges all rows of raw again",
                "error",
            )


def _versions(source: Source, schema_of: Callable[[str], str]) -> Iterator[Finding]:
    """Look at how the versions of each key of a history are numbered, and follow each other."""
    if source.arrives != "daily_snapshot":
        return
    columns = [source.key, "version", "valid_from", "valid_to"]
    table = delta_files.rows(_files_of(schema_of("stage"), source.name), columns)
    table = table.sort_by([(source.key, "ascending"), ("version", "ascending")])
    key, version, valid_from, valid_to = (table.column(name).combine_chunks() for name in columns)
    count = len(key)
    if not count:
        return
    is_same = compute.equal(key.slice(1), key.slice(0, count - 1))
    before = compute.if_else(is_same, version.slice(0, count - 1), 0)
    is_unnumbered = compute.not_equal(version.slice(1), compute.add(before, 1))
    # A version that is current has no end, and none may follow it.
    end = compute.coalesce(valid_to.slice(0, count - 1), pyarrow.scalar(date.max, valid_to.type))
    is_overlapping = compute.and_(is_same, compute.less(valid_from.slice(1), end))
    unnumbered = {one.as_py() for one in key.slice(1).filter(is_unnumbered)}
    unnumbered |= {key[0].as_py()} if version[0].as_py() != 1 else set()
    overlapping = {one.as_py() for one in key.slice(1).filter(is_overlapping)}
    overlapping |= {one.as_py() for one in key.filter(compute.fill_null(compute.less(valid_to, valid_from), False))}
    for keys, what in (
        (unnumbered, "whose versions are not numbered from 1 on"),
        (overlapping, "with versions that overlap"),
    ):
        if keys:
            yield Finding(
                f"stage.{source.name} has {len(keys)} keys {what}",
                f"stage.{source.name}",
                f"'strata rebuild --source {source.name}' derives it anew from raw",
                "error",
            )


def _days(source: Source, schema_of: Callable[[str], str]) -> list[date]:
    """Return the days of a source that raw holds, in order."""
    columns = ["landed_on", "rows_loaded"]
    told = _told(schema_of("raw"), "loaded_files", columns, source=source.name)
    return sorted({row["landed_on"] for row in told if row["landed_on"] is not None and row["rows_loaded"]})


def _pending_days(source: Source, schema_of: Callable[[str], str]) -> Iterator[Finding]:
    if source.arrives != "daily_snapshot":
        return
    properties = _files_of(schema_of("stage"), source.name).properties
    generation, through = int(properties.get("strata.generation") or 0), properties.get("strata.through") or ""
    told = _told(schema_of("stage"), "history_days", ["landed_on"], history=source.name, generation=generation)
    held = {row["landed_on"] for row in told if row["landed_on"].isoformat() <= through}
    pending = [day for day in _days(source, schema_of) if day not in held]
    if pending:
        yield Finding(
            f"landed days of {source.name} are not in its history: {len(pending)}, the first {pending[0]}",
            f"stage.{source.name}",
            f"'strata catch-up --source {source.name}' takes them, or says why not",
            "warning",
        )


def _missing_days(source: Source, schema_of: Callable[[str], str]) -> Iterator[Finding]:
    if not source.is_daily:
        return
    day = timedelta(days=1)
    missing = [first + day for first, second in itertools.pairwise(_days(source, schema_of)) if second - first > day]
    if missing:
        yield Finding(
            f"of {source.name} days are missing between those that landed, the first {missing[0]}",
            f"raw.{source.name}",
            "have them delivered, or leave it so where nothing is on such days",
            "warning",
        )
