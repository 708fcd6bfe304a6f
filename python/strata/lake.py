"""The lake: where its tables lie, and one process at a time in it: the embedded metastore admits one, readers too."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import re
import struct
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from filelock import lock_descriptor

from strata import storage
from strata.errors import StrataError
from strata.masking import command_line

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

# The tables that any run makes where they are not there: macros/landing/loaded_files.sql.
ENGINE_TABLES = ("loaded_files", "history_days")
MINIMUM_FREE_BYTES = 200 * 1024 * 1024
# How long a lake whose dbt has died is waited for: its JVM notices within moments and goes.
GRACE_SECONDS = 60

_held: dict[Path, int] = {}


def _check_rights(folders: Iterable[Path]) -> None:
    """Raise StrataError for the first of some folders that is there and cannot be written."""
    for folder in folders:
        if not storage.may_use(folder, write=True) and storage.exists(folder):
            raise StrataError(
                f"The folder {folder} of the lake cannot be written by this user: give it read and write rights there, "
                "or name another folder in STRATA_LAKE."
            )


def check_tables(lake: Path, tables: Iterable[tuple[str, str]]) -> None:
    """Raise StrataError for a folder of a table that this user cannot write into.

    Spark would find it in the middle of a run, and say so in a page.
    """
    own = [folder_of(lake, schema, name) for schema, name in tables]
    _check_rights(sorted({part for one in own for part in (one.parent, one, one / "_delta_log")}))


def check_folder(lake: Path) -> None:
    """Create the lake's folder if need be; raise StrataError when it cannot be written or its disk is full."""
    try:
        storage.make_folder(lake)
    except FileExistsError:
        raise StrataError(f"The lake {lake} is not a folder: name a folder in STRATA_LAKE.") from None
    except OSError as error:
        raise StrataError(
            f"The lake folder {lake} cannot be made ({error.strerror}): give this user the right to, "
            "or name another folder in STRATA_LAKE."
        ) from None
    _check_rights((lake, lake / "metastore", lake / "warehouse", lake / "intake"))
    if said := shortage(lake):
        raise StrataError(said)


def shortage(lake: Path) -> str:
    """Return as a sentence that the lake's disk has too little free for a run; nothing where it has enough."""
    free = storage.free_bytes(lake)
    if free >= MINIMUM_FREE_BYTES:
        return ""
    return (
        f"The disk of the lake {lake} has {free // 1024**2} MB free, less than the "
        f"{MINIMUM_FREE_BYTES // 1024**2} MB that a run needs at least: free some, or move the lake by STRATA_LAKE."
    )


def _owner(descriptor: int) -> dict[str, str]:
    """Return what the lock's file says of who holds it: pid, command, since; empty when it says nothing."""
    try:
        return json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:
        return {}


def _lock(descriptor: int, seconds: float = 0) -> bool:
    """Take the lock, trying again for some seconds; return whether it is held now."""
    end = time.monotonic() + seconds
    while not lock_descriptor(descriptor, blocking=False):
        if time.monotonic() >= end:
            return False
        time.sleep(0.1)
    return True


def _foreign_metastore_process(lake: Path) -> int | None:
    """Return the process that has the lake's Derby metastore open, or None (it locks `dbex.lck` by fcntl)."""
    try:
        with open(lake / "metastore" / "dbex.lck", "rb+") as file:
            layout = "hhqqi4x"
            asked = struct.pack(layout, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _, _, _, pid = struct.unpack(layout, fcntl.fcntl(file, fcntl.F_GETLK, asked))
            return pid if kind != fcntl.F_UNLCK else None
    except OSError:
        return None


def hold(lake: Path) -> int:
    """Hold the lake for this process until it ends, and return the lock's file descriptor for its JVM to inherit.

    The lock goes when the last process that has the descriptor ends, so a lock left by the dead is none, and a JVM that
    still writes after its dbt was killed keeps the next run out. Raises StrataError, naming the process, when another
    one holds the lake.
    """
    if lake in _held:
        return _held[lake]
    check_folder(lake)
    try:
        descriptor = os.open(lake / "lock", os.O_RDWR | os.O_CREAT, 0o664)
    except OSError as error:
        raise StrataError(
            f"The lake {lake} cannot be locked ({error.strerror}): give this user the right to write {lake / 'lock'}."
        ) from None
    try:
        if not _lock(descriptor):
            owner = _owner(descriptor)
            who = f"process {owner.get('pid', 'unknown')} ({owner.get('command', 'starting')})"
            if not owner or psutil.pid_exists(int(owner["pid"])):
                raise StrataError(
                    f"Another run holds the lake {lake}: {who}, since {owner.get('since', 'now')}; "
                    "wait for it to end, or use another lake with STRATA_LAKE."
                )
            if not _lock(descriptor, GRACE_SECONDS):
                raise StrataError(
                    f"The lake {lake} is still held by the Spark of {who}, which has died: "
                    "wait until it is gone, or end that java process."
                )
        foreign = _foreign_metastore_process(lake)
        if foreign is not None:
            raise StrataError(
                f"The metastore of the lake {lake} is open in process {foreign}: end that process, "
                "or use another lake with STRATA_LAKE."
            )
    except BaseException:
        os.close(descriptor)
        raise
    owner = {
        "pid": str(os.getpid()),
        "command": command_line()[:2000],
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(owner).encode(), 0)
    _held[lake] = descriptor
    return descriptor


def holder(lake: Path) -> dict[str, str] | None:
    """Return what the lock says of another process that holds the lake, or None; the lake is not changed."""
    if lake in _held or not storage.exists(lake / "lock"):
        return None
    descriptor = os.open(lake / "lock", os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _owner(descriptor)
    finally:
        os.close(descriptor)
    return None


def left_by(lake: Path) -> dict[str, str]:
    """Return what the lock says of a process that held the lake and has died; empty where it says nothing."""
    if lake in _held or not storage.exists(lake / "lock"):
        return {}
    with storage.open(lake / "lock") as file:
        return _owner(file.fileno())


def lying(lake: Path) -> list[tuple[str, str, Path]]:
    """Return the tables whose folders lie in a lake, whoever made them, each with its schema, name and folder."""
    warehouse = lake / "warehouse"
    try:
        schemas = sorted(entry.name for entry in storage.entries(warehouse) if entry.name.endswith(".db"))
    except FileNotFoundError:
        return []
    return [
        (schema.removesuffix(".db"), entry.name, warehouse / schema / entry.name)
        for schema in schemas
        for entry in sorted(storage.entries(warehouse / schema), key=lambda one: one.name)
        if entry.is_folder
    ]


# What Spark and Delta leave of a table that they never finished making.
_UNMADE = re.compile(
    r"(?:(?:_temporary|[^/]+=[^/]*|_change_data)/(?:.*/)?)?\.?(?:part|cdc)-[^/]*\.parquet(?:\.crc)?"
    r"|_delta_log/(?:.*/)?\.[^/]*\.(?:tmp|crc)"
)
# A commit of Delta's, or what stands for those before it.
_COMMIT = re.compile(r"\d{20}\.(?:json|checkpoint\.)")


def _is_unmade(folder: Path, below: str = "") -> bool:
    """Tell whether a folder is a table without a commit, with nothing in it but what Spark writes."""
    try:
        if not storage.info(folder / below, follow=False).is_folder:
            return False
        return all(
            _is_unmade(folder, f"{below}{entry.name}/")
            if entry.is_folder
            else entry.is_file and _UNMADE.fullmatch(below + entry.name)
            for entry in storage.entries(folder / below)
        )
    except OSError:
        return False


def tables(manifest: Manifest, selected: set[str] | None = None) -> list[tuple[str, str]]:
    """Return the schemas and names of the tables of nodes, of all where none are named."""
    return sorted(
        (node.schema, node.alias)
        for unique_id, node in manifest.nodes.items()
        if node.resource_type in ("model", "snapshot", "seed")
        and node.config.materialized not in ("view", "ephemeral")
        and (selected is None or unique_id in selected)
    )


def folder_of(lake: Path, schema: str, name: str) -> Path:
    """Return where a table's files lie: Hive writes names in small letters."""
    return lake / "warehouse" / f"{schema}.db".lower() / name.lower()


def sweep(lake: Path, tables: Iterable[tuple[str, str]]) -> list[Path]:
    """Remove the folders of those tables, each a schema and a name, that a killed run never finished making.

    A Delta table without a commit in its log was never there for anyone, and its files would keep Spark from making it.
    Whatever else lies in the warehouse may be somebody else's. The lake must be held. Returns the folders removed.
    """
    unmade = [folder for table in tables if _is_unmade(folder := folder_of(lake, *table))]
    for folder in unmade:
        storage.remove_folder(folder)
    return unmade


# Where what is set aside lies in a lake.
ASIDE = "set_aside"


def set_aside(lake: Path, path: Path) -> Path:
    """Move what lies in a lake out of the way, with what tells of it beside it, and return where it is now.

    Nothing is lost: it keeps its path, below the folder `set_aside` and the time. Beside a commit its checksum lies, a
    checkpoint is named as the last one, and each file has a checksum of Hadoop's.
    """
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    to = lake / ASIDE / moment / str(path).removeprefix(f"{lake}/")
    names = [path.name]
    if _COMMIT.match(path.name):
        names.append("_last_checkpoint" if ".checkpoint." in path.name else f"{path.stem}.crc")
    for name in itertools.chain(names, [f".{name}.crc" for name in names]):
        if storage.exists(path.with_name(name)):
            storage.move(path.with_name(name), to.with_name(name))
    return to


def move_table(lake: Path, schema: str, name: str, other: str) -> Path:
    """Move the files of a table to where one of another name lies, what is left of them where that was done in part.

    Return the folder where they are then. Raise StrataError where they cannot be moved.
    """
    folder, to = folder_of(lake, schema, name), folder_of(lake, schema, other)
    try:
        storage.move(folder, to)
    except FileNotFoundError:
        return to
    except OSError as error:
        raise StrataError(
            f"The table's folder {folder} cannot be moved to {to} ({storage.said(error)}): see that nothing lies "
            "there, and that this user may write there."
        ) from None
    return to


def made(lake: Path, tables: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    """Return those tables, each a schema and a name, that have a commit, as `schema`, `name` and `folder`."""
    found = []
    for schema, name in tables:
        folder = folder_of(lake, schema, name)
        with contextlib.suppress(OSError):
            if any(_COMMIT.match(entry.name) for entry in storage.entries(folder / "_delta_log")):
                found.append({"schema": schema, "name": name, "folder": str(folder)})
    return found


def release(lake: Path) -> None:
    """Let go of the lake, if this process holds it."""
    descriptor = _held.pop(lake, None)
    if descriptor is not None:
        os.ftruncate(descriptor, 0)
        os.close(descriptor)
