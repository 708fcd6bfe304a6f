"""The record of runs: what each command did to the lake, and the versions in which it left the tables.

It is a file of JSON for each run, in the folder `runs` of the lake, beginning with the time at which the run did:
`<began>-<run_id>.running.json` from its begin, `<began>-<run_id>.json` from its end. So a run costs three small writes
and no statement, and can be read where neither Spark nor the metastore is. The views ops.runs, ops.node_results,
ops.table_versions and ops.test_failures show the files as tables. No run fails for its record.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import subprocess
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any

from strata import delta_log, places, processes, storage
from strata.dbt_run import OPERATION_FAILED, sentence
from strata.errors import StrataError
from strata.masking import masked

DISTRIBUTION = "strata-lakehouse"
RUNNING, ENDED = ".running.json", ".json"
# Of a message, and of each value of a failed row, so many characters are kept.
LONGEST_MESSAGE = 2000
LONGEST_VALUE = 1000
# A hook of dbt's says so when it fails; of nodes dbt tells it by an event of its own.
_HOOK_FAILED = re.compile(r"(\S+\.on-run-(?:start|end)\.\d+) failed, error:\s*(.*)", re.DOTALL)


@dataclass
class Run:
    """A run, as its file has it; times are texts, in UTC."""

    run_id: str
    command: str
    revision: str
    target: str
    variables: dict[str, str]
    user_name: str
    process: str
    started_at: str
    # The sources that it holds the locks of, on a cluster.
    sources: list[str] | None = None
    ended_at: str | None = None
    # running, success, error or killed
    status: str = "running"
    message: str | None = None
    nodes: list[dict[str, Any]] = field(default_factory=list)
    tables: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class _Open:
    """The run of this process, from its begin to its end; a `strata` command shares it among its dbt commands."""

    run: Run
    is_shared: bool = False
    is_begun: bool = False
    is_success: bool = False
    # The tables of the project, each a schema and a name, and the views that were made, with their queries.
    tables: set[tuple[str, str]] = field(default_factory=set)
    views: dict[tuple[str, str], str] = field(default_factory=dict)
    # What only the engine can tell of tables: their versions.
    told: dict[tuple[str, str], str] = field(default_factory=dict)


_open: _Open | None = None


def folder() -> Path:
    """Return where the record lies in the lake."""
    return places.lake() / "runs"


def now() -> str:
    """Return the time, as the record has times."""
    return as_text(datetime.now(UTC))


def as_text(moment: datetime) -> str:
    """Return a time in UTC, as the record has times."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _file(run: Run, ending: str) -> Path:
    return folder() / f"{run.started_at.replace(':', '').replace('-', '')}-{run.run_id}{ending}"


def revision() -> str:
    """Return the project's commit, with `-dirty` where files are others; without git the package's version."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        told = subprocess.run(command, cwd=places.ROOT, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        told = None
    return told.stdout.strip() if told and told.returncode == 0 else f"{DISTRIBUTION} {metadata.version(DISTRIBUTION)}"


def user_name() -> str:
    """Return the user of this process, as the system names him."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def other_than(defaults: dict[str, Any], given: dict[str, Any]) -> dict[str, str]:
    """Return the variables that differ from their defaults, as texts; what may be a secret is masked."""
    differing = {name: value for name, value in given.items() if name not in defaults or defaults[name] != value}
    return {
        str(name): value if isinstance(value, str) else json.dumps(value, default=str)
        for name, value in masked(differing).items()
    }


# --- of the run of this process ---------------------------------------------------------------------------------------


def new(command: str, run_id: str, target: str, variables: dict[str, str], user: str | None = None) -> Run:
    """Return a run that begins now; `user` is who the target names, else it is the system's."""
    return Run(run_id, command, revision(), target, variables, user or user_name(), processes.this(), started_at=now())


@contextlib.contextmanager
def shared(command: str, say: Callable[[str], None]) -> Iterator[None]:
    """Have the dbt commands of this block recorded as one run, of a command of Strata's; `say` gets what goes wrong."""
    global _open
    _open = _Open(new(command, str(uuid.uuid4()), "", {}), is_shared=True)
    fault: BaseException | None = None
    try:
        yield
    except BaseException as error:
        fault = error
        raise
    finally:
        if _open.is_begun:
            said = _end(fault is None, str(fault) if isinstance(fault, StrataError) else None)
            if said:
                say(said)
        _open = None


def begin(run: Run, tables: Iterable[tuple[str, str]], is_dead: Callable[[dict[str, Any]], bool]) -> str:
    """Begin a dbt command's run, or go on with the one that it is a part of; return what goes wrong as a sentence.

    `tables` are those of the project, each a schema and a name. `is_dead` tells of a run that is `running` whether it
    is so no more: such a one is called killed.
    """
    global _open
    if _open is None or not _open.is_shared:
        _open = _Open(run)
    _open.tables.update(tables)
    if _open.is_begun:
        return ""
    own = _open.run
    own.started_at = _after_the_newest(own.started_at)
    own.target, own.variables, own.sources, own.user_name = run.target, run.variables, run.sources, run.user_name
    said = ""
    try:
        with storage.create(_file(own, RUNNING)) as file:
            file.write(_line(asdict(own)))
        _open.is_begun = True
        for name in running():
            try:
                other = read(name)
            except StrataError as error:
                said = str(error)
            else:
                if other["run_id"] != own.run_id and is_dead(other):
                    _call_killed(other, name)
    except OSError as error:
        return _unwritten(error)
    return said


def _after_the_newest(time: str) -> str:
    """Return when a run begins: now, or, where the clock was set back since, just after the newest one has ended."""
    with contextlib.suppress(OSError, StrataError):
        for run in newest(1):
            last = run["ended_at"] or run["started_at"]
            if last >= time:
                return as_text(datetime.fromisoformat(last) + timedelta(milliseconds=1))
    return time


def _call_killed(run: dict[str, Any], name: str) -> None:
    """Give a run an end that has none; one that was killed between its two last writes has."""
    ended = name.removesuffix(RUNNING) + ENDED
    if storage.exists(folder() / ended):
        storage.remove(folder() / name)
    else:
        _write({**run, "status": "killed"}, name, ended)


def _unwritten(error: OSError | StrataError) -> str:
    what = storage.said(error) if isinstance(error, OSError) else str(error)
    return (
        f"The record of this run is not written into {folder()} ({what}), so that neither strata runs nor a rollback "
        "knows of it: see that the lake can be written."
    )


def _line(row: dict[str, Any]) -> bytes:
    return json.dumps(row).encode() + b"\n"


def _write(row: dict[str, Any], begun: str, ended: str) -> None:
    with storage.create(folder() / ended) as file:
        file.write(_line(row))
    with contextlib.suppress(FileNotFoundError):
        storage.remove(folder() / begun)


def run_id() -> str:
    """Return the run of this process; empty where none is recorded."""
    return _open.run.run_id if _open else ""


def listen(event: Any) -> None:
    """Take an event of dbt's: a node that has ended, a hook that has failed, what ended a command, and its end."""
    if _open is None:
        return
    name, run = event.info.name, _open.run
    if name == "NodeFinished":
        node, result = event.data.node_info, event.data.run_result
        run.nodes.append(
            {
                "node": node.unique_id,
                "resource_type": node.resource_type,
                "status": result.status,
                "seconds": round(result.execution_time, 3),
                "rows": result.num_failures if node.resource_type == "test" else None,
                "message": _shortened(result.message),
                "table": [node.node_relation.schema, node.node_relation.alias],
            }
        )
    elif name == "RunResultError" and (failed := _HOOK_FAILED.match(event.data.msg.strip())):
        hook, message = failed.groups()
        told = {"node": hook, "resource_type": "operation", "status": "error", "message": _shortened(message)}
        run.nodes.append({**told, "seconds": None, "rows": None, "table": None})
    elif name in ("MainEncounteredError", *OPERATION_FAILED):
        run.message = _shortened(event.data.exc)
    elif name == "CommandCompleted":
        _open.is_success = event.data.success


def _shortened(message: str) -> str | None:
    return sentence(message)[:LONGEST_MESSAGE] if message else None


def note_view(schema: str, name: str, query: str) -> None:
    """Note the query of a view that this run has made, or left as it was."""
    if _open:
        _open.views[schema, name] = query


def note_version(schema: str, name: str, version: str) -> None:
    """Note the version of a table that does not lie in the lake."""
    if _open:
        _open.told[schema, name] = version


def attempt(call: Callable, *arguments: Any) -> Any:
    """Return what a macro returns; None where it fails, which a template cannot go on after."""
    try:
        return call(*arguments)
    except Exception:
        return None


def note_failure(test: str, failures: int, columns: list[str], rows: Iterable[Iterable[Any]]) -> None:
    """Note how many rows a data test has found, and some of them."""
    if _open is None:
        return
    kept = []
    for row in rows:
        values = (None if value is None else str(value)[:LONGEST_VALUE] for value in row)
        kept.append(json.dumps(dict(zip(columns, values, strict=True)), ensure_ascii=False))
    _open.run.failures.append({"test": test, "failures": int(failures), "rows": kept})


def end() -> str:
    """End a dbt command's run, if it is one of its own; return what goes wrong as a sentence, or nothing."""
    global _open
    if _open is None or _open.is_shared:
        return ""
    said = _end(_open.is_success) if _open.is_begun else ""
    _open = None
    return said


def _end(is_success: bool, message: str | None = None) -> str:
    run = _open.run
    run.status, run.message = "success" if is_success else "error", None if is_success else message or run.message
    try:
        with ThreadPoolExecutor(8) as pool:
            found = pool.map(_version, sorted(_open.tables))
        by_table = {(one["schema_name"], one["table_name"]): one for one in found if one}
        for node in run.nodes:
            of = by_table.get(tuple(node.pop("table") or ()))
            if of and node["resource_type"] != "test":
                node["rows"] = of["rows"]
        for one in by_table.values():
            del one["rows"]
        run.tables = [*by_table.values(), *_views()]
        run.ended_at = max(now(), run.started_at)
        _write(asdict(run), _file(run, RUNNING).name, _file(run, ENDED).name)
    except (OSError, StrataError) as error:
        return _unwritten(error)
    return ""


def _version(table: tuple[str, str]) -> dict[str, Any] | None:
    """Return the version of a table, and how many of its rows this run has written; None where it is not there."""
    told = {"schema_name": table[0], "table_name": table[1], "kind": "table", "definition": None}
    if table in _open.told:
        return {**told, "version": int(_open.told[table]), "mark": None, "rows": None}
    with contextlib.suppress(delta_log.NoTable):
        commits = delta_log.commits_of(*table, _open.run.run_id)
        return {**told, "version": int(commits[0]["version"]), "mark": commits[0]["mark"], "rows": _rows(commits)}
    return None


def _rows(commits: list[dict[str, Any]]) -> int:
    return sum(delta_log.rows_changed(commit) for commit in commits if commit["run_id"] == _open.run.run_id)


def _views() -> list[dict[str, Any]]:
    return [
        {"schema_name": schema, "table_name": name, "kind": "view", "version": None, "mark": None, "definition": query}
        for (schema, name), query in sorted(_open.views.items())
    ]


def finished() -> list[str]:
    """Return the nodes that this run has made."""
    return [node["node"] for node in _open.run.nodes if node["status"] == "success"] if _open else []


def give_up() -> str:
    """Leave the record of a run as it is, in a store that has been given up: the next run calls it killed."""
    global _open
    is_open, _open = _open is not None, _open if _open and _open.is_shared else None
    return _unwritten(StrataError("the lake's store was given up")) if is_open else ""


# --- of all runs ------------------------------------------------------------------------------------------------------


def _names(ending: str) -> list[str]:
    try:
        found = [entry.name for entry in storage.entries(folder())]
    except FileNotFoundError:
        return []
    return sorted(name for name in found if name.endswith(ending) and not name.startswith("."))


def has_any() -> bool:
    """Tell whether there is a file of a run, which the views of the record read."""
    try:
        return bool(_names(ENDED))
    except OSError:
        return False


def is_day_old(run: dict[str, Any]) -> bool:
    """Tell whether a run began more than a day ago."""
    return datetime.now(UTC) - datetime.fromisoformat(run["started_at"]) > timedelta(days=1)


def running() -> list[str]:
    """Return the names of the files of runs that have begun and not ended, oldest first."""
    return _names(RUNNING)


def read(name: str) -> dict[str, Any]:
    """Return a run by the name of its file; raise StrataError for one that cannot be read."""
    try:
        with storage.open(folder() / name) as file:
            found = json.loads(file.readall())
    except (OSError, ValueError) as error:
        what = storage.said(error) if isinstance(error, OSError) else "it is no JSON"
        raise StrataError(
            f"The record {folder() / name} cannot be read ({what}): take it away, and the other runs can be read."
        ) from None
    return found


def newest(limit: int | None = None) -> list[dict[str, Any]]:
    """Return the newest runs, newest first, all where no limit is given; one that has died is told as killed."""
    # Of a run that was killed between its two last writes there are both files, of which that of its end tells more.
    names = {name.removesuffix(RUNNING): name for name in running()}
    names |= {name.removesuffix(ENDED): name for name in _names(ENDED) if not name.endswith(RUNNING)}
    wanted = [names[begun] for begun in sorted(names, reverse=True)[:limit]]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(read, wanted))
    for run in found:
        if run["status"] == "running" and processes.has_died(run["process"]):
            run["status"] = "killed"
    return found
