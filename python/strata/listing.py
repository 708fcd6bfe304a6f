"""What lies in the landing folder: the files of a source, each once, and what is not taken, with the reason.

`strata.landing` lists a source by `of_folder` before it reads anything; dbt's plugin lists the landing folder itself by
`of_no_source`. A file is what its real path says: copies and hard links are files of their own, links are not.
"""

from __future__ import annotations

import errno
import heapq
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from strata import places, storage
from strata.errors import StrataError
from strata.storage import Entry

# What following a link ends in when it leads to nothing.
_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


class UnreadableFolder(StrataError):
    """A folder of one source cannot be listed; the other sources can be loaded all the same."""


@dataclass(frozen=True)
class Found:
    """A file of a source: a path that leads to it and its real path, as the system has them, and what is there."""

    path: str
    real: str
    entry: Entry
    # Why it is refused unread, a sentence's part, or null.
    fault: str | None = None


@dataclass(frozen=True)
class Ignored:
    """What lies there and is not taken: its path, as the system has it, and the reason, a sentence's part."""

    path: str
    reason: str


@dataclass
class Listing:
    """The files of a source in the order of their paths, and what is not taken."""

    files: list[Found] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)


def has_landed(name: str) -> bool:
    """Tell whether a file or folder of this name has landed; senders name otherwise what is still being written."""
    return not name.startswith((".", "_")) and not name.lower().endswith(".tmp")


def ends_in(name: str, endings: tuple[str, ...]) -> bool:
    """Tell whether a name has one of some endings, in any case."""
    return name.lower().endswith(endings)


def of_file(path: Path) -> Listing:
    """Return the listing of one named file, which is taken whatever its name."""
    return Listing([Found(str(path), storage.real(path), storage.info(path))])


def of_folder(place: Path, endings: tuple[str, ...]) -> Listing:
    """List a source's folder of any depth: each file once, under its real path where that has landed in the folder.

    A file that only links lead to is listed under the first path by name. Raises UnreadableFolder when a folder, or
    what a link leads to, cannot be read; nothing has landed where there is no such folder.
    """
    if places.is_address(place):
        return _of_objects(place, endings)
    if not storage.exists(place, follow=False):
        return Listing()
    return _Walk(place, endings).listing()


def _of_objects(place: Path, endings: tuple[str, ...]) -> Listing:
    """List the objects of an address. A store has no links; an upload that still goes on is not there yet."""
    try:
        objects = storage.objects(place)
    except OSError as error:
        raise _unreadable(str(place), error) from None
    listing = Listing()
    for entry in sorted(objects, key=lambda entry: entry.path):
        parts = entry.path.removeprefix(f"{place}/").split("/")
        if not all(map(has_landed, parts)) or not parts[-1]:
            continue
        fault = None
        if "" in parts or "." in parts or ".." in parts:
            fault = "its name has an empty part, '.' or '..', which Hadoop cannot address; rename it"
        elif parts[-1].lower().endswith(".gz") and not parts[-1].endswith(".gz"):
            fault = "its name does not end in '.gz' in lower case, by which Hadoop unpacks it; rename it"
        if ends_in(parts[-1], endings):
            listing.files.append(Found(entry.path, entry.path, entry, fault))
        else:
            listing.ignored.append(_ignored(entry.path, endings))
    return listing


def _ignored(path: str, endings: tuple[str, ...]) -> Ignored:
    said = " nor in ".join(endings)
    return Ignored(path, f"its name ends neither in {said}")


class _Walk:
    """First the folders that are really there, then what links lead to, each real folder once: the cost is linear."""

    def __init__(self, place: Path, endings: tuple[str, ...]) -> None:
        self.place = str(place)
        self.endings = endings
        self.root = storage.real(place)
        self.visited: set[str] = set()
        # Links to follow, smallest path first, by the names in it.
        self.links: list[tuple[list[str], str]] = []
        self.found: dict[str, Found] = {}
        self.ignored: list[Ignored] = []

    def listing(self) -> Listing:
        self.folders(self.place, self.root)
        while self.links:
            self.follow(heapq.heappop(self.links)[1])
        return Listing(
            sorted(self.found.values(), key=lambda found: os.fsencode(found.path)),
            sorted(self.ignored, key=lambda ignored: os.fsencode(ignored.path)),
        )

    def folders(self, path: str, real: str) -> None:
        """Take what lies in a folder and the folders below, without following a link."""
        waiting = [(path, real)]
        while waiting:
            path, real = waiting.pop()
            if real in self.visited:
                continue
            self.visited.add(real)
            for entry in self.entries(path):
                there = os.path.join(real, entry.name)
                if entry.is_link:
                    heapq.heappush(self.links, (entry.path.split("/"), entry.path))
                elif entry.is_folder:
                    waiting.append((entry.path, there))
                else:
                    self.file(entry, entry.path, there)

    def entries(self, path: str) -> list[Entry]:
        """Return what has landed in a folder."""
        try:
            return [entry for entry in storage.entries(path) if has_landed(entry.name)]
        except OSError as error:
            is_place = path == self.place
            if error.errno == errno.ENAMETOOLONG and not is_place:
                fault = "it is a folder whose path is too long to be read; move it up"
                self.found[path] = Found(path, path, Entry(path, "a folder"), fault)
                return []
            if isinstance(error, FileNotFoundError) and not (is_place and storage.exists(path, follow=False)):
                return []  # it left while it was listed
            raise _unreadable(path, error) from None

    def follow(self, path: str) -> None:
        """Take the file, or the folder, that a link leads to."""
        try:
            real = storage.real(path, strict=True)
            entry = storage.info(real)
        except OSError as error:
            try:
                entry = storage.info(path, follow=False)
            except OSError:
                return  # it left while it was listed
            leads_nowhere = error.errno in _NOWHERE
            said = f"it is a link{' that points nowhere' if leads_nowhere else ''} ({error.strerror})"
            if ends_in(path, self.endings):
                self.found[path] = Found(path, path, entry, f"it cannot be read: {said}")
            elif leads_nowhere:
                self.ignored.append(Ignored(path, said))
            else:
                raise _unreadable(path, error) from None
            return
        if not entry.is_folder:
            self.file(entry, path, real)
        elif holds(real, self.root):
            self.ignored.append(Ignored(path, "it is a link to a folder that it lies in"))
        else:
            self.folders(path, real)

    def file(self, entry: Entry, path: str, real: str) -> None:
        if ends_in(path, self.endings):
            self.found.setdefault(real, Found(path, real, entry))
        else:
            self.ignored.append(_ignored(path, self.endings))


def holds(folder: str, path: str) -> bool:
    """Tell whether a real folder is, or lies above, a real path."""
    return folder == path or path.startswith(folder.rstrip("/") + "/")


def leads_on(place: Path, path: str) -> bool:
    """Tell whether a listing of a folder comes by a path: no link to a folder above is on the way there."""
    if places.is_address(place):
        return True
    root = storage.real(place)
    parents = [str(parent) for parent in Path(path).parents if parent.is_relative_to(place) and parent != place]
    return not any(holds(storage.real(parent), root) for parent in parents)


def of_no_source(landing: Path, sources: Iterable[str], taken: Iterable[Path]) -> list[Ignored]:
    """List what lies in the landing folder and is no source's; `taken` are places that this run takes files from.

    Raises UnreadableFolder when it cannot be read.
    """
    try:
        entries = storage.entries(landing)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(str(landing), error) from None
    others = [entry for entry in entries if has_landed(entry.name) and entry.name not in sources]
    ignored = []
    for entry in sorted(others, key=lambda entry: os.fsencode(entry.name)):
        if any(places.is_below(place, places.at(entry.path)) for place in taken):
            continue
        reason = "no source has this folder" if storage.is_folder(entry.path) else "it lies in no source's folder"
        ignored.append(Ignored(entry.path, reason))
    return ignored


def _unreadable(path: str, error: OSError) -> UnreadableFolder:
    mend = "put a folder there" if error.errno in _NOWHERE else "give this user the right to read it"
    if places.is_address(path):
        mend = storage.STORE_MEND
    return UnreadableFolder(f"The folder {places.text(path)} cannot be read ({storage.said(error)}): {mend}.")
