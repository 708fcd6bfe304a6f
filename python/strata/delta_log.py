"""The log of a Delta table, read where it lies: its newest commits, and its properties.

By Delta's protocol `<table>/_delta_log/<version, 20 digits>.json` is a commit, with an action a line: `commitInfo` says
what made it, `metaData` has the table's properties. `describe history` and `show tblproperties` tell the same by a job
and a statement of Spark, each for every table that another follows.

Macros have these functions as `modules.strata`; each takes a relation's schema and name.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from strata import places, storage
from strata.errors import StrataError
from strata.lake import folder_of

# Spark's setting for what Delta writes into each commit of a session: here the run.
SIGNATURE = "spark.databricks.delta.commitInfo.userMetadata"
_COMMIT = re.compile(r"(\d{20})\.json")
_DAY_MS = 24 * 60 * 60 * 1000
# Delta keeps what it took out of a table for a week, where nobody says otherwise.
_OLD_MS = 6 * _DAY_MS
# How many commits are read for one that tells the properties, before Spark is asked, which knows its checkpoints.
_READ_BACK = 20


class StoreFault(StrataError):
    """The lake's object store does not answer, or refuses."""


class NoTable(StrataError):
    """There is no commit of a table where its log should be."""


@contextlib.contextmanager
def _reading(log: Path) -> Iterator[None]:
    """Say in a sentence what cannot be read of a log, or of a commit in it."""
    try:
        yield
    except OSError as error:
        if places.is_address(log):
            raise StoreFault(
                f"The lake {places.lake()} cannot be read ({storage.said(error)}): {storage.STORE_MEND}"
            ) from None
        raise StrataError(
            f"The table's log {log} cannot be read ({storage.said(error)}): see that STRATA_LAKE names the lake that "
            "holds it."
        ) from None


def _file(log: Path, version: int) -> Path:
    return log / f"{version:020}.json"


def _log(schema: str, name: str) -> tuple[Path, list[int]]:
    """Return the log's folder and the versions that it has a file of, newest first; raise StrataError for none."""
    log = folder_of(places.lake(), schema, name) / "_delta_log"
    with _reading(log):
        try:
            found = [_COMMIT.fullmatch(entry.name) for entry in storage.entries(log)]
        except FileNotFoundError:
            found = []
    versions = sorted((int(match[1]) for match in found if match), reverse=True)
    if not versions:
        raise NoTable(
            f"The table {schema}.{name} has no commit in {log}: see that STRATA_LAKE names the lake that holds it."
        )
    return log, versions


def _action(file: Path, name: str) -> dict[str, Any] | None:
    """Return the first action of a kind in a commit, or None."""
    start, line = f'{{"{name}"'.encode(), b""
    with _reading(file), io.BufferedReader(storage.open(file)) as commit:
        for line in commit:
            if line.startswith(start):
                return _parsed(file, line)[name]
    _parsed(file, line)
    return None


def _parsed(file: Path, line: bytes) -> dict[str, Any]:
    """Return a line of a commit as JSON; raise StrataError where it, or all of the commit, has not been written."""
    if not line.strip():
        # Spark would read it as a commit of nothing, and the rows that it told of would be gone without a word.
        raise StrataError(f"The commit {file} is empty: 'strata doctor' says what is to be done.")
    try:
        return json.loads(line)
    except ValueError:
        raise StrataError(f"The commit {file} is torn: 'strata doctor' says what is to be done.") from None


def _commit(log: Path, version: int) -> dict[str, Any]:
    """Return a commit as macros have it: its `version`, `operation`, `metrics`, `run_id`, and how old it is.

    `mark` tells it from any other commit of its number, of a table that was made anew at its place say: by the identity
    that Delta gives each, which goes with the files wherever they are copied.
    """
    info = _action(_file(log, version), "commitInfo") or {}
    operation = info.get("operation", "")
    committed_ms = info.get("timestamp", 0)
    age_ms = time.time() * 1000 - committed_ms
    return {
        "version": str(version),
        "mark": f"{version} of {info.get('txnId') or committed_ms}",
        "operation": operation,
        "is_made_anew": operation.startswith(("CREATE", "REPLACE")),
        "is_old": age_ms >= _OLD_MS,
        "is_day_old": age_ms >= _DAY_MS,
        "committed_ms": committed_ms,
        # See SIGNATURE.
        "run_id": info.get("userMetadata", ""),
        "metrics": info.get("operationMetrics", {}),
    }


# What Delta counts of an operation, and what it stands for. A merge's output are its copied rows too.
_ROWS = {"numOutputRows": "written", "numUpdatedRows": "changed", "numDeletedRows": "deleted"}
_ROWS_OF_MERGE = {
    "numTargetRowsInserted": "written",
    "numTargetRowsUpdated": "changed",
    "numTargetRowsDeleted": "deleted",
}
_FILES = {
    **dict.fromkeys(("numFiles", "numAddedFiles", "numTargetFilesAdded", "numRestoredFiles"), "added"),
    **dict.fromkeys(("numRemovedFiles", "numTargetFilesRemoved"), "removed"),
    "numDeletedFiles": "cleaned away",
}


def rows_told(commit: dict[str, Any]) -> dict[str, int]:
    """Return how many rows a commit has written, changed and deleted, by these words; without those that are 0."""
    return _summed(commit, _ROWS_OF_MERGE if commit["operation"] == "MERGE" else _ROWS)


def files_told(commit: dict[str, Any]) -> dict[str, int]:
    """Return how many files a commit has added, removed and cleaned away, as rows_told() does."""
    return _summed(commit, _FILES)


def _summed(commit: dict[str, Any], meanings: dict[str, str]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for name, meaning in meanings.items():
        counts[meaning] += int(commit["metrics"].get(name, 0))
    return {meaning: count for meaning, count in counts.items() if count}


def rows_changed(commit: dict[str, Any]) -> int:
    """Return how many rows a commit has put into a table, changed or taken out; 0 where Delta counts none of it."""
    return sum(rows_told(commit).values())


def commits(schema: str, name: str, limit: int | None = None) -> list[dict[str, Any]]:
    """Return the commits that a table's log has files of, newest first; raise NoTable where there is no table."""
    log, versions = _log(schema, name)
    return [_commit(log, version) for version in versions[:limit]]


def commits_of(schema: str, name: str, run_id: str) -> list[dict[str, Any]]:
    """Return a table's newest commit and, while they are of a run, those before; raise NoTable where there is none."""
    log, versions = _log(schema, name)
    found = [_commit(log, versions[0])]
    for version in versions[1:]:
        if found[-1]["run_id"] != run_id:
            break
        found.append(_commit(log, version))
    return found


def newest(schema: str, name: str) -> dict[str, Any]:
    """Return a table's newest commit, as _commit() has one."""
    log, versions = _log(schema, name)
    return _commit(log, versions[0])


def check_newest(tables: Iterable[tuple[str, str]]) -> None:
    """Raise StrataError where the newest commit of a table is empty or torn, as a disk that was full may leave it."""
    for table in tables:
        with contextlib.suppress(NoTable):
            log, versions = _log(*table)
            file = _file(log, versions[0])
            with _reading(file), io.BufferedReader(storage.open(file)) as commit:
                last = deque(commit, maxlen=1)
            _parsed(file, b"".join(last))


def has_commit(schema: str, name: str, version: int, mark: str | None) -> bool:
    """Tell whether a table's log has the commit of a version and a mark; False where there is no table."""
    with contextlib.suppress(NoTable):
        log, versions = _log(schema, name)
        return version in versions and _commit(log, version)["mark"] == mark
    return False


def commits_since(schema: str, name: str, mark: str | None) -> list[dict[str, Any]] | None:
    """Return the commits after the one of a mark, newest first; None where its log does not tell them all.

    The commit of the mark itself may have left the log; those after it may not.
    """
    known = (mark or "").partition(" of ")[0]
    log, versions = _log(schema, name)
    if not known.isdigit() or int(known) > versions[0]:
        return None
    wanted = list(range(versions[0], int(known), -1))
    if wanted != versions[: len(wanted)]:
        return None
    if int(known) in versions:
        if _commit(log, int(known))["mark"] != mark:
            return None
    elif not wanted:
        return None
    return [_commit(log, version) for version in wanted]


def properties(schema: str, name: str) -> dict[str, str] | None:
    """Return a table's properties; None where no commit near to the newest tells them."""
    log, versions = _log(schema, name)
    for version in versions[:_READ_BACK]:
        described = _action(_file(log, version), "metaData")
        if described is not None:
            return described.get("configuration", {})
    return None


def is_noted(newest: dict[str, Any], noted: str | None) -> bool:
    """Tell whether a raw table is as raw.loaded_files says: by its newest commit and its property strata.noted.

    The property has the version that all is noted of, and to set it is the commit after that.
    """
    return newest["operation"] == "SET TBLPROPERTIES" and noted == str(int(newest["version"]) - 1)


def _checksum(schema: str, name: str) -> dict[str, Any]:
    """Return the checksum that Delta writes with a commit, of the newest one; nothing where there is none."""
    log, versions = _log(schema, name)
    try:
        with storage.open(log / f"{versions[0]:020}.crc") as file:
            found = json.loads(file.readall())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def stored_bytes(schema: str, name: str) -> int | None:
    """Return how much a table's data files hold; None where no checksum tells."""
    told = _checksum(schema, name).get("tableSizeBytes")
    return told if isinstance(told, int) else None


def columns(schema: str, name: str) -> str | None:
    """Return a table's columns as a text of Delta's, another when one of them is; None where no checksum tells."""
    described = _checksum(schema, name).get("metadata")
    return described.get("schemaString") if isinstance(described, dict) else None
