"""The files of the two places, the landing folder and the lake: whatever lists, opens or writes any goes through here.

They are folders of this machine, or addresses in an object store, which fsspec reaches: an entry has a path, a size, a
time of modification and a stamp that changes with the content, as an ETag does; links are there where a store has them;
a file is a stream of bytes, and is written whole or not at all. What goes wrong is an OSError. The locks of a lake, and
what Spark reads and writes itself, are not for here.
"""

from __future__ import annotations

import contextlib
import errno
import io
import math
import os
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from strata.places import is_address

AnyPath = str | os.PathLike[str]

# What to look at where an object store does not do as it is told, a sentence's part.
STORE_MEND = (
    "see whether the store is there, its address (of S3, AWS_ENDPOINT_URL), the keys (AWS_ACCESS_KEY_ID, "
    "AWS_SECRET_ACCESS_KEY) and what they may"
)

# A store that does not answer is given up after a minute or two: each try of s3fs would wait a minute, five times, and
# it tries five times, a read five times five. Its writes wait for ever, for aiohttp reads nothing while it waits to be
# told to go on (100-continue): they have a time of their own, and more for more bytes.
_PATIENCE = {
    "s3a": {"config_kwargs": {"connect_timeout": 10, "read_timeout": 15, "retries": {"max_attempts": 0}}},
}

_TRIES = 3
_WRITE_SECONDS = 75
_LEAST_BYTES_A_SECOND = 1_000_000
# A run asks a store for a dozen things, and would wait for each: one that was waited for in vain for the first of these
# is asked nothing for the second. Since when it is silent stands under its scheme and bucket.
_VAIN_SECONDS = 30
_SILENT_SECONDS = 60
_silent_since: dict[str, float] = {}

_KINDS = (
    (stat.S_ISREG, "a file"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISLNK, "a link"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)


class NoFile(OSError):
    """What is to be read is no file, and reading it might never end; the text is a sentence's part."""


@dataclass(frozen=True)
class Entry:
    """What lies at a path."""

    path: str
    # "a file", "a folder", "a link", or another thing that the system has, in words.
    kind: str
    size: int = 0
    modified_ns: int = 0
    # Other numbers when the content may be another; empty where nothing is known of it.
    stamp: tuple[int | str, ...] = ()

    @property
    def name(self) -> str:
        """The last part of the path."""
        return os.path.basename(self.path)

    @property
    def is_file(self) -> bool:
        """Whether it can be read to an end."""
        return self.kind == "a file"

    @property
    def is_folder(self) -> bool:
        """Whether entries may lie in it."""
        return self.kind == "a folder"

    @property
    def is_link(self) -> bool:
        """Whether it leads to what lies at another path."""
        return self.kind == "a link"


def _entry(path: AnyPath, found: os.stat_result) -> Entry:
    kind = next((kind for is_kind, kind in _KINDS if is_kind(found.st_mode)), "a thing unknown")
    stamp = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
    return Entry(os.fspath(path), kind, found.st_size, found.st_mtime_ns, stamp)


def said(error: OSError) -> str:
    """Return what an error says, as a sentence's part."""
    return error.strerror or str(error).strip().rstrip(".") or type(error).__name__


@contextlib.contextmanager
def _store(address: AnyPath) -> Iterator[Any]:
    """Give fsspec's file system of an address; whatever goes wrong with it is an OSError."""
    bucket = "/".join(str(address).split("/")[:3])
    began = time.monotonic()
    if began - _silent_since.get(bucket, -math.inf) < _SILENT_SECONDS:
        raise OSError(errno.ETIMEDOUT, f"{bucket} did not answer a moment ago")
    try:
        import fsspec

        # What another client has written a moment ago is there.
        options = _PATIENCE.get(str(address).split("://")[0], {})
        store = fsspec.core.url_to_fs(str(address), use_listings_cache=False, **options)[0]
        if hasattr(store, "retries"):
            store.retries = _TRIES
        yield store
    except Exception as error:
        # That something is not there is an answer, however late.
        if not isinstance(error, FileNotFoundError) and time.monotonic() - began >= _VAIN_SECONDS:
            _silent_since[bucket] = time.monotonic()
        if isinstance(error, OSError):
            raise
        raise OSError(errno.EIO, f"{type(error).__name__}: {error}".rstrip(".")) from error


def _object(store: Any, place: AnyPath, found: dict[str, Any]) -> Entry:
    """Return what a store says of an object, or of a prefix, at or below an address."""
    # fsspec's names have no scheme, and of Azure no account.
    path = str(place) + found["name"][len(store._strip_protocol(str(place))) :]
    if found["type"] == "directory":
        return Entry(path, "a folder")
    modified = found.get("LastModified") or found.get("last_modified") or found.get("mtime") or found.get("updated")
    modified_ns = round(store.modified(found["name"]).timestamp() * 1e9) if modified is None else _nanoseconds(modified)
    tag = found.get("ETag") or found.get("etag") or found.get("md5Hash") or ""
    return Entry(path, "a file", found["size"], modified_ns, (found["size"], modified_ns, str(tag).strip('"')))


def _nanoseconds(moment: Any) -> int:
    moment = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return round(moment.timestamp() * 1_000_000) * 1000


def objects(address: AnyPath) -> list[Entry]:
    """List the objects of a store whose names begin with an address and a slash; none is where there are none."""
    with _store(address) as store:
        found = store.find(str(address), detail=True)
        # A store may have an object of a folder's name, which is none of those in it.
        return [
            _object(store, address, one)
            for one in found.values()
            if one["name"].startswith(store._strip_protocol(str(address)) + "/")
        ]


def entries(folder: AnyPath) -> list[Entry]:
    """List a folder, what has left meanwhile not; links are not followed. What may not be looked at has no stamp."""
    if is_address(folder):
        with _store(folder) as store:
            return [_object(store, folder, one) for one in store.ls(str(folder), detail=True)]
    listed = []
    with os.scandir(folder) as found:
        for one in found:
            try:
                listed.append(_entry(one.path, one.stat(follow_symlinks=False)))
            except FileNotFoundError:
                continue
            except OSError:
                is_folder = one.is_dir(follow_symlinks=False)
                kind = "a link" if one.is_symlink() else "a folder" if is_folder else "a file"
                listed.append(Entry(one.path, kind))
    return listed


def info(path: AnyPath, *, follow: bool = True) -> Entry:
    """Return what lies at a path, or what a link there leads to."""
    if is_address(path):
        with _store(path) as store:
            return _object(store, path, store.info(str(path)))
    return _entry(path, os.stat(path, follow_symlinks=follow))


def exists(path: AnyPath, *, follow: bool = True) -> bool:
    """Tell whether something is known to lie at a path, or where a link there leads to."""
    try:
        info(path, follow=follow)
    except (OSError, ValueError):
        return False
    return True


def is_folder(path: AnyPath) -> bool:
    """Tell whether a path, or a link there, is known to lead to a folder."""
    try:
        return info(path).is_folder
    except (OSError, ValueError):
        return False


def real(path: AnyPath, *, strict: bool = False) -> str:
    """Return the path without links that a path leads to; with `strict` something must be there."""
    if is_address(path):
        return (info(path) if strict else Entry(str(path), "")).path
    return os.path.realpath(path, strict=strict)


def may_use(folder: AnyPath, *, write: bool = False) -> bool:
    """Tell whether this user may list a folder, and write into it."""
    return os.access(folder, os.R_OK | os.X_OK | (os.W_OK if write else 0))


def free_bytes(folder: AnyPath) -> int:
    """Return how much can still be written into a folder."""
    return shutil.disk_usage(folder).free


def open(path: AnyPath) -> io.FileIO:
    """Open a file to read its bytes; raise NoFile for anything else. A pipe's writer is not waited for."""
    if is_address(path):
        return _ObjectBytes(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    found = _entry(path, os.fstat(descriptor))
    if not found.is_file:
        os.close(descriptor)
        raise NoFile(f"it is {found.kind}, no file")
    return io.FileIO(descriptor)


class _ObjectBytes(io.RawIOBase):
    """The bytes of an object as it is now: one that is replaced while it is read raises OSError."""

    def __init__(self, address: AnyPath) -> None:
        with _store(address) as store:
            self._file = store.open(str(address), "rb", cache_type="readahead", block_size=8 * 1024 * 1024)
            self.entry = _object(store, address, self._file.details)
        self._address = address

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        with _store(self._address):
            return self._file.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


@contextlib.contextmanager
def create(path: AnyPath) -> Iterator[BinaryIO]:
    """Write a file: it has its name once it is whole, and nothing takes its draft for one that has landed."""
    if is_address(path):
        content = io.BytesIO()
        yield content
        written = content.getvalue()
        seconds = _WRITE_SECONDS + len(written) // _LEAST_BYTES_A_SECOND
        with _store(path) as store:
            try:
                store.pipe_file(str(path), written, timeout=seconds)
            except TimeoutError as error:
                raise OSError(errno.ETIMEDOUT, f"it is not written after {seconds} s") from error
        return
    path = Path(path)
    make_folder(path.parent)
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("wb") as file:
        yield file
    draft.replace(path)


def touch(path: AnyPath) -> None:
    """Make an empty file where there is none."""
    if is_address(path):
        if not exists(path):
            with create(path):
                pass
        return
    make_folder(Path(path).parent)
    Path(path).touch()


def link(path: AnyPath, target: str) -> None:
    """Make a link, the one thing in its folder."""
    path = Path(path)
    if path.is_symlink() and os.readlink(path) == target:
        return
    make_folder(path.parent)
    for old in path.parent.iterdir():
        old.unlink()
    path.symlink_to(target)


def make_folder(folder: AnyPath) -> None:
    """Make a folder, and those above it, where it is not there."""
    os.makedirs(folder, exist_ok=True)


def remove_folder(folder: AnyPath) -> None:
    """Remove a folder with all that lies in it."""
    if is_address(folder):
        with _store(folder) as store:
            store.rm(str(folder), recursive=True)
        return
    shutil.rmtree(folder)


def move(path: AnyPath, to: AnyPath) -> None:
    """Move a file, or a folder with all that lies in it; of a store object by object, and again what was left of it."""
    if is_address(path):
        with _store(path) as store:
            base, target = store._strip_protocol(str(path)), store._strip_protocol(str(to))
            # What stands for a folder need not go with it.
            names = [name for name in store.find(base) if not name.endswith("/")]
            if names:
                store.copy(names, [target + name.removeprefix(base) for name in names])
            if store.exists(base):
                store.rm(base, recursive=True)
        return
    make_folder(Path(to).parent)
    os.replace(path, to)


def copy_folder(folder: AnyPath, to: AnyPath) -> None:
    """Copy a folder of this machine with all that lies in it, locks that processes have in it left out."""
    shutil.copytree(folder, to, ignore=shutil.ignore_patterns("*.lck"))


def remove(path: AnyPath) -> None:
    """Remove a file."""
    if is_address(path):
        with _store(path) as store:
            store.rm_file(str(path))
        return
    os.remove(path)
