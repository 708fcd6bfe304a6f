"""The files of a Delta table, held against its log: what is torn, gone, cut short, or named by no version.

By Delta's protocol a table is what its newest checkpoint at or below a version says, and the commits after that. Here
all of it is read, in Python, for a table that Spark refuses to read says of one fault at most what it is.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow
import pyarrow.parquet as parquet

from strata import storage

_COMMIT = re.compile(r"(\d{20})\.json")
# The classic checkpoint, of one file or of several.
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10}))?\.parquet")
_LAST_CHECKPOINT = "/_last_checkpoint"
_CHECKPOINT_COLUMNS = ["add", "remove", "metaData", "protocol"]
# What Delta and Hadoop put beside the files of a table, and what no reader takes for data.
_HIDDEN = re.compile(r"(^|/)[._]")
_CHANGES = "_change_data/"
# The actions that name a file.
_NAMING = ("add", "remove", "cdc")


@dataclass(frozen=True)
class Fault:
    """What is wrong with one file of a table, by one word.

    Of a commit `empty`, `torn`, `missing`, or `unlike` its checksum; of a checkpoint `missing` where the log names it,
    or `alone` where no commit is as new; of a checkpoint or a data file `unread`; of a data file `missing`, `cut` where
    it has another size, or `unnamed` where no version names it. `version` is that of a commit or checkpoint, and of a
    data file the one that added it.
    """

    kind: str
    file: str
    detail: str = ""
    version: int | None = None
    # When an unnamed file was last written, in seconds.
    modified_at: float = 0

    @property
    def is_of_checkpoint(self) -> bool:
        """Tell whether it is of a checkpoint, or of what names the newest one."""
        return bool(_CHECKPOINT.search(self.file)) or self.file.endswith(_LAST_CHECKPOINT)


@dataclass
class Files:
    """A table as its log tells it.

    `version` is the newest that can be read, None where none can; `data` the sizes of the files that hold its rows, by
    their paths below the folder; `named` all paths that any version kept names.
    """

    folder: Path
    version: int | None = None
    newest: int | None = None
    data: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int | None] = field(default_factory=dict)
    # The values that a file's rows have in the columns that the table is partitioned by, as texts.
    partitions: dict[str, dict[str, str | None]] = field(default_factory=dict)
    # Those of them of which rows are deleted apart from them (deletion vectors).
    with_deletions: set[str] = field(default_factory=set)
    # The versions that added files, of those that are known by commits.
    added: dict[str, int] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    properties: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether the log can be read up to its newest commit: else the newest rows, and their files, are not known."""
        return self.version is not None and self.version >= (self.newest or 0)


def _bytes(file: Path | str) -> bytes:
    with storage.open(file) as opened:
        return opened.readall()


def _actions(file: Path) -> list[dict[str, Any]]:
    """Return the actions of a commit; raise ValueError where it is torn, and EOFError where it is empty."""
    text = _bytes(file)
    if not text.strip():
        raise EOFError
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def _of_checkpoint(parts: list[Path]) -> list[dict[str, Any]]:
    """Return the actions of a checkpoint; raise OSError or pyarrow's error where it cannot be read."""
    actions = []
    for part in parts:
        with parquet.ParquetFile(io.BytesIO(_bytes(part))) as opened:
            columns = [name for name in _CHECKPOINT_COLUMNS if name in opened.schema_arrow.names]
            for row in opened.read(columns=columns).to_pylist():
                actions += [{name: value} for name, value in row.items() if value is not None]
    return actions


def _apply(files: Files, actions: list[dict[str, Any]], version: int | None = None) -> None:
    for kind, told in _told(actions):
        if kind in _NAMING:
            path = unquote(told["path"])
            files.named.add(path)
            if kind == "add":
                files.data[path], files.rows[path] = told["size"], _rows(told.get("stats"))
                files.with_deletions.discard(path)
                if told.get("deletionVector"):
                    files.with_deletions.add(path)
                if version is not None:
                    files.added.setdefault(path, version)
                # A map in a checkpoint comes as pairs.
                files.partitions[path] = dict(told.get("partitionValues") or {})
            elif kind == "remove":
                files.data.pop(path, None)
                files.with_deletions.discard(path)
        elif kind == "metaData":
            files.properties = dict(told.get("configuration") or {})


def _told(actions: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for action in actions:
        yield from action.items()


def _rows(stats: str | None) -> int | None:
    try:
        return json.loads(stats or "{}").get("numRecords")
    except ValueError:
        return None


def _log(folder: Path) -> tuple[dict[int, Path], dict[int, list[Path]], dict[int, int]]:
    """Return the commits of a log, the parts of its checkpoints, each by version, and of how many parts these are."""
    commits, checkpoints, wanted = {}, {}, {}
    for entry in storage.entries(folder / "_delta_log"):
        file = folder / "_delta_log" / entry.name
        if match := _COMMIT.fullmatch(entry.name):
            commits[int(match[1])] = file
        elif match := _CHECKPOINT.fullmatch(entry.name):
            checkpoints.setdefault(int(match[1]), []).append(file)
            wanted[int(match[1])] = int(match[3] or 1)
    return commits, checkpoints, wanted


def read(folder: Path) -> Files:
    """Return a table's files as its log tells them, with what is wrong there; raise OSError where there is no log."""
    files = Files(folder)
    commits, checkpoints, wanted = _log(folder)
    files.newest = max(commits, default=None)
    torn = set()
    read_commits: dict[int, list[dict[str, Any]]] = {}
    for version, file in sorted(commits.items()):
        try:
            read_commits[version] = _actions(file)
        except EOFError:
            files.faults.append(Fault("empty", f"_delta_log/{file.name}", version=version))
            torn.add(version)
        except ValueError:
            files.faults.append(Fault("torn", f"_delta_log/{file.name}", version=version))
            torn.add(version)
    begun, newest = -1, max(commits, default=-1)
    for version, parts in sorted(checkpoints.items(), reverse=True):
        if version > newest:
            # Delta refuses a table that has one, whatever else is there.
            files.faults += [Fault("alone", f"_delta_log/{part.name}", version=version) for part in sorted(parts)]
            continue
        try:
            actions = _of_checkpoint(sorted(parts)) if len(parts) == wanted[version] else None
        except (OSError, pyarrow.ArrowException) as error:
            said = str(error).splitlines()[0]
            files.faults.append(Fault("unread", f"_delta_log/{parts[0].name}", said, version))
            continue
        if actions is None:
            files.faults.append(Fault("unread", f"_delta_log/{parts[0].name}", "parts of it are missing", version))
        elif begun < 0:
            _apply(files, actions)
            begun = version
    for version, actions in read_commits.items():
        # Those before the checkpoint are read for the files that they name alone.
        files.named |= {unquote(told["path"]) for kind, told in _told(actions) if kind in _NAMING and version <= begun}
    version = begun
    while version + 1 in read_commits:
        version += 1
        _apply(files, read_commits[version], version)
    files.version = version if version >= 0 else None
    last = max(commits or checkpoints, default=-1)
    if version < last and version + 1 not in torn:
        files.faults.append(Fault("missing", f"_delta_log/{version + 1:020}.json", version=version + 1))
    _hold_against_last_checkpoint(files, checkpoints)
    _hold_against_checksum(files)
    return files


def _hold_against_last_checkpoint(files: Files, checkpoints: dict[int, list[Path]]) -> None:
    """Hold the checkpoints against the one that the log names as the newest, from which its readers begin."""
    file = files.folder / f"_delta_log{_LAST_CHECKPOINT}"
    try:
        text = _bytes(file)
    except FileNotFoundError:
        return
    try:
        named = json.loads(text)["version"]
    except (ValueError, KeyError, TypeError):
        files.faults.append(Fault("unread", f"_delta_log{_LAST_CHECKPOINT}", "it is no JSON"))
        return
    if named not in checkpoints:
        files.faults.append(Fault("missing", f"_delta_log/{named:020}.checkpoint.parquet", version=named))


def _hold_against_checksum(files: Files) -> None:
    """Hold a table against the checksum that Delta wrote with its newest commit, where there is one."""
    if files.version is None:
        return
    try:
        told = json.loads(_bytes(files.folder / "_delta_log" / f"{files.version:020}.crc"))
        count, size = told["numFiles"], told["tableSizeBytes"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    found, found_size = len(files.data), sum(files.data.values())
    if (count, size) != (found, found_size):
        said = f"{found} files of {found_size} bytes where its checksum tells {count} of {size}"
        files.faults.append(Fault("unlike", f"_delta_log/{files.version:020}.json", said, files.version))


def _listed(folder: Path, below: str = "") -> dict[str, storage.Entry]:
    """Return the files below a folder that may hold rows, or changed ones, by their paths."""
    found = {}
    for entry in storage.entries(folder / below if below else folder):
        path = f"{below}{entry.name}"
        if entry.is_folder and (path + "/" == _CHANGES or not _HIDDEN.search(path)):
            found |= _listed(folder, f"{path}/")
        elif entry.is_file and not entry.name.startswith((".", "_")):
            found[path] = entry
    return found


def hold_against_folder(files: Files, deep: bool = False) -> None:
    """Hold a table against the files that lie in its folder, by their sizes; with `deep` read all that hold rows."""
    listed = _listed(files.folder)
    for path, size in sorted(files.data.items()):
        entry = listed.get(path)
        added = files.added.get(path)
        if entry is None:
            files.faults.append(Fault("missing", path, version=added))
        elif entry.size != size:
            files.faults.append(Fault("cut", path, f"{entry.size} bytes where the log tells {size}", added))
        elif deep and (said := _unread(files.folder / path, files.rows.get(path))):
            files.faults.append(Fault("unread", path, said, added))
    for path in sorted(set(listed) - files.named):
        if not _is_without_rows(files.folder / path, listed[path].size):
            files.faults.append(Fault("unnamed", path, modified_at=listed[path].modified_ns / 1e9))


def unneeded(files: Files, before: float) -> list[str]:
    """Return the files of a table that hold none of its rows now, written before a time, in seconds."""
    listed = _listed(files.folder)
    return sorted(path for path in set(listed) - set(files.data) if listed[path].modified_ns < before * 1e9)


# A file without rows is smaller, whatever its columns.
_WITHOUT_ROWS_BYTES = 256 * 1024


def _is_without_rows(file: Path, size: int) -> bool:
    """Tell whether a file is one of those without rows, which Delta writes and names nowhere."""
    if size > _WITHOUT_ROWS_BYTES:
        return False
    try:
        return parquet.read_metadata(io.BytesIO(_bytes(file))).num_rows == 0
    except (OSError, pyarrow.ArrowException):
        return False


def _unread(file: Path, rows: int | None) -> str:
    """Return why a data file cannot be read whole, or nothing."""
    try:
        with parquet.ParquetFile(io.BytesIO(_bytes(file))) as opened:
            found = sum(batch.num_rows for batch in opened.iter_batches())
    except (OSError, pyarrow.ArrowException) as error:
        return str(error).splitlines()[0]
    return f"{found} rows where the log tells {rows}" if rows not in (None, found) else ""


def batches(files: Files, columns: list[str]) -> Iterator[pyarrow.RecordBatch]:
    """Read columns of a table, file by file, as it is at the version that can be read; one that a file lacks is null.

    What a table is partitioned by is text. Raise OSError, or pyarrow's error, for a file that cannot be read, as one of
    which rows are deleted apart.
    """
    if files.with_deletions:
        raise OSError(f"{files.folder} has deletion vectors, which are not read here")
    for path in sorted(files.data):
        partition = files.partitions[path]
        with parquet.ParquetFile(io.BytesIO(_bytes(files.folder / path))) as opened:
            there = [name for name in columns if name in opened.schema_arrow.names]
            for batch in opened.iter_batches(columns=there):
                arrays = [
                    batch.column(name)
                    if name in there
                    else pyarrow.array([partition.get(name)] * batch.num_rows, pyarrow.string())
                    for name in columns
                ]
                yield pyarrow.RecordBatch.from_arrays(arrays, names=columns)


def rows(files: Files, columns: list[str]) -> pyarrow.Table:
    """Return columns of a table that is small enough to be held; see batches()."""
    found = [pyarrow.Table.from_batches([batch]) for batch in batches(files, columns)]
    if not found:
        return pyarrow.table({name: pyarrow.array([], pyarrow.string()) for name in columns})
    return pyarrow.concat_tables(found, promote_options="permissive")
