"""What has landed: every file of a source is listed, and each new or changed one is read once, before Spark loads it.

The result is the lake's intake file, one JSON object a line for each file known, which the load reads as a table:

- `path`: the name that a file is known by, its path below the landing folder, or its full path when it lies elsewhere
- `file_id`: a short name made of it; `<source>/file_id=<it>/landed` in the intake folder links to the file, with `.gz`
  behind it where it is gzipped
- `location` (its full path), `size` (bytes), `modified_at` (UTC, microseconds), `content_hash`: what was found there
- `is_listed`: found by this run; `is_gone`: known from an earlier run and no longer there
- `rows_landed`: rows after the header, blank lines not counted; `columns`: the header's names
- `reading`: how the load must read it, `plain`, `multiline` (quoted line breaks), `lines` (a stray quote), or `text`
  for JSON lines, which have no header: each line is a row, and the one column is `line`
- `fault`: why the file as a whole is refused, or null; `is_unreachable`: its content could not be read, or not yet
- `landed_on`: the landed day that the file's folder says; null where it says none
- `scanner`: a number for the rules by which it was scanned, the declared ones too; by others it is scanned once more
- `is_linked`: whether the load finds it by the link in the intake folder, or, on a cluster, by its location
- `same_as`: of a path that leads to the same file as another, the path under which the file counts; null of the others

What lies there and is not taken stands in `ignored/<source>.jsonl` beside it, and in `ignored/landing.jsonl` what is no
source's: `source`, `path`, `size`, `modified_at` and the `reason`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from strata import listing, places, storage
from strata.errors import StrataError
from strata.listing import UnreadableFolder
from strata.scanning import rules_of, scan
from strata.sources import Source
from strata.storage import Entry


@dataclass
class LandedFile:
    """What is known of one file; the module's docstring says what each field holds."""

    path: str
    file_id: str
    location: str
    size: int
    modified_at: str | None
    stamp: list[int | str]
    content_hash: str | None = None
    rows_landed: int = 0
    columns: list[str] = field(default_factory=list)
    reading: str = "plain"
    fault: str | None = None
    is_listed: bool = True
    is_gone: bool = False
    is_unreachable: bool = False
    landed_on: str | None = None
    same_as: str | None = None
    scanner: int = 1
    is_linked: bool = True


# How far the clock of who writes files may be ahead of this one's: a day.
LATEST_NS = 24 * 60 * 60 * 1_000_000_000
_DAY_FOLDER = re.compile(r"(?:year=)?([0-9]{4})/(?:month=)?([0-9]{2})/(?:day=)?([0-9]{2})/")


def _landed_on(path: Path, place: Path) -> str | None:
    """Return the day that the folders below the source's own say, or None when they say none."""
    found = _DAY_FOLDER.match(path.relative_to(place).as_posix()) if places.is_below(path, place) else None
    try:
        return date(*map(int, found.groups())).isoformat() if found else None
    except ValueError:
        return None


def _utc(nanoseconds: int) -> str | None:
    """Return a moment as text; None outside the years 1 to 9999."""
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return None
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _name(path: str, landing: Path) -> str:
    at = places.at(path)
    return at.relative_to(landing).as_posix() if places.is_below(at, landing) else path


def _file_id(name: str) -> str:
    return "f" + hashlib.sha256(os.fsencode(name)).hexdigest()[:20]


def _names(paths: list[str]) -> dict[str, str]:
    """Return the names that listed paths are known by: text, each its own, whatever bytes a path holds."""
    names = {path: _name(path, places.landing()) for path in paths}
    texts = Counter(map(places.text, names.values()))
    return {
        path: places.text(name)
        if places.is_utf8(name) or texts[places.text(name)] == 1
        else f"{places.text(name)} ({_file_id(name)})"
        for path, name in names.items()
    }


def _known(source: Source) -> dict[str, LandedFile]:
    """Return what the intake file says, by path; an intake file that is gone or torn only costs another scan."""
    try:
        with storage.open(places.intake(source.name)) as file:
            rows = [LandedFile(**json.loads(line)) for line in file.read().splitlines()]
    except (OSError, ValueError, TypeError):
        return {}
    return {landed.path: landed for landed in rows}


def known_bytes(source: Source) -> int:
    """Return the size of all files that earlier runs found, in bytes."""
    return sum(landed.size for landed in _known(source).values())


def _link(landed: LandedFile, files: Path) -> None:
    """Make the link by which Spark finds the file, so that no character of its path means anything to Spark."""
    is_gzip = listing.ends_in(landed.location, (".gz",))
    storage.link(files / f"file_id={landed.file_id}" / ("landed.gz" if is_gzip else "landed"), landed.location)


def _replace(file: Path, rows: Iterable[dict]) -> None:
    """Write a file of JSON lines."""
    with storage.create(file) as stream:
        stream.writelines(json.dumps(row).encode() + b"\n" for row in rows)


def keep_intake(source: Source) -> None:
    """Make empty files where there are none, for a source that cannot be listed; what was known stays."""
    for file in (places.intake(source.name), places.ignored(source.name)):
        storage.touch(file)


def _ignored_row(source: str | None, name: str, ignored: listing.Ignored) -> dict:
    size = modified_at = None
    with contextlib.suppress(OSError):
        found = storage.info(ignored.path)
        size = found.size if found.is_file else None
        modified_at = _utc(found.modified_ns)
    return {"source": source, "path": name, "size": size, "modified_at": modified_at, "reason": ignored.reason}


def take_no_sources(sources: Iterable[str], taken: Iterable[Path]) -> None:
    """Write down what lies in the landing folder and is no source's; `taken` are the places of those of this run."""
    file = places.ignored("landing")
    try:
        ignored = listing.of_no_source(places.landing(), sources, taken)
    except UnreadableFolder:
        storage.touch(file)
        return
    names = _names([one.path for one in ignored])
    _replace(file, (_ignored_row(None, names[one.path], one) for one in ignored))


def where(source: Source, override: str | None) -> Path:
    """Return the path that the source's files are taken from; raise StrataError when an override is not there."""
    if override is None:
        return places.landing() / source.name
    path = places.at(override) if places.is_address(override) else Path(os.path.abspath(override))
    if not storage.exists(path):
        raise StrataError(
            f"{source.name}_path names {path}, which is not there: name a file or a folder of CSV files, "
            f"or leave it out to take {places.landing() / source.name}."
        )
    return path


def _listed(source: Source, place: Path) -> listing.Listing:
    """List the source's files at a path, its own folder or another, or a file that somebody named."""
    is_own = place == places.landing() / source.name
    if is_own or storage.is_folder(place):
        return listing.of_folder(place, source.endings)
    return listing.of_file(place)


def _real(path: str) -> str | None:
    if places.is_address(path):
        return path  # a store has no links, and would be asked for each file that has gone
    try:
        return storage.real(path, strict=True)
    except (OSError, ValueError):
        return None


class Stock:
    """What a run finds of one source: listed at once, read by `take`."""

    def __init__(self, source: Source, override: str | None = None) -> None:
        """List the source's files; raise StrataError when the override, or a folder, cannot be read."""
        self.source = source
        self.place = where(source, override)
        self._known = _known(source)
        self._rules = rules_of(source)
        self._found: dict[str, LandedFile] = {}
        self._to_scan: list[LandedFile] = []
        listed = _listed(source, self.place)
        names = _names([one.path for one in (*listed.files, *listed.ignored)])
        self._ignored = [(names[one.path], one) for one in listed.ignored]
        listed_names = set(names.values())
        self._known_reals = {
            name: _real(before.location)
            for name, before in self._known.items()
            if name not in listed_names or before.same_as is not None
        }
        ways = self._ways({one.real for one in listed.files if self._counts_as(names[one.path]) is None})
        # The name that each real file counts under.
        self._counted: dict[str, str] = {}
        for one in listed.files:
            way = ways.get(one.real)
            name, path = (way.path, way.location) if way else (names[one.path], one.path)
            self._counted[one.real] = name
            self._find(name, path, one.entry, one.fault)

    def _counts_as(self, name: str) -> LandedFile | None:
        """Return what is known of a path that a file counts under."""
        before = self._known.get(name)
        return before if before and before.same_as is None else None

    def _ways(self, reals: set[str]) -> dict[str, LandedFile]:
        """Return, by real path, the known file whose path leads to a file that is listed under one not known yet."""
        ways: dict[str, LandedFile] = {}
        for name, real in sorted(self._known_reals.items()):
            before = self._counts_as(name)
            if before and real in reals and real not in ways and listing.leads_on(self.place, before.location):
                ways[real] = before
        return ways

    def _find(self, name: str, path: str, entry: Entry, fault: str | None) -> None:
        """Note a file that is there: as it is known, to be scanned, or refused as it stands."""
        # One without a stamp could not be looked at: the scan says why.
        stamp, modified_at = list(entry.stamp), _utc(entry.modified_ns)
        is_unreachable = fault is not None
        fault = fault or (None if entry.is_file else f"it is {entry.kind}, no file")
        before = self._known.get(name)
        is_as_it_was = bool(before and stamp and before.location == path and before.stamp == stamp)
        if not places.is_utf8(path):
            fault, is_unreachable = "its name holds bytes that are no UTF-8; rename it", False
        elif modified_at is None:
            fault = fault or "its time of modification lies outside of the years 1 to 9999; touch it"
        elif fault is None and entry.modified_ns > time.time_ns() + LATEST_NS and not is_as_it_was:
            # No event is valid later than its file; this one would let in any, and windows for ages. A file that was
            # taken before was not ahead then: this clock has been set back.
            fault = f"its time of modification, {modified_at}, has not come yet; touch it, or set this machine's clock"
            is_unreachable = True
        if is_as_it_was and before.scanner == self._rules and not fault:
            self._found[name] = replace(before, is_listed=True, is_gone=False, same_as=None)
            return
        landed = LandedFile(
            *(name, _file_id(_name(path, places.landing())), places.text(path), entry.size, modified_at, stamp),
            fault=fault,
            is_unreachable=is_unreachable,
            landed_on=_landed_on(places.at(path), self.place),
            scanner=self._rules,
        )
        if fault:
            landed.content_hash, landed.stamp = hashlib.sha256().hexdigest(), []
            self._refuse(landed)
        else:
            self._to_scan.append(landed)
        self._found.setdefault(name, landed)

    def _refuse(self, landed: LandedFile) -> None:
        """Note a file that cannot be read now: what it gave before stays what it is, and the next run looks again."""
        before = self._known.get(landed.path)
        if landed.is_unreachable and before:
            known = {"is_listed": True, "is_gone": False, "is_unreachable": True, "same_as": None}
            self._found[landed.path] = replace(before, stamp=[], fault=landed.fault, **known)

    @property
    def new_bytes(self) -> int:
        """The size of the files that are new or changed, in bytes."""
        return sum(landed.size for landed in self._to_scan)

    @property
    def total_bytes(self) -> int:
        """The size of all files known, new ones included, in bytes."""
        return sum(landed.size for landed in {**self._known, **self._found}.values())

    def take(self, scan_elsewhere: Callable[[Source, list[LandedFile]], None] | None = None) -> Path:
        """Read the files that are new or changed and write the intake file; return its path.

        They are read here, and linked to for the Spark of this machine, unless a cluster does the scan and reads them
        where they lie.
        """
        if scan_elsewhere is not None:
            scan_elsewhere(self.source, self._to_scan)
        else:
            with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
                list(pool.map(lambda landed: scan(self.source, landed), self._to_scan))
        intake = places.intake(self.source.name)
        for landed in self._to_scan:
            landed.is_linked = scan_elsewhere is None
            if landed.is_unreachable and not storage.exists(landed.location, follow=False):
                del self._found[landed.path]  # it left before it was read
                continue
            if landed.columns and scan_elsewhere is None:
                try:
                    _link(landed, intake.parent / self.source.name)
                except OSError as error:
                    landed.fault = f"it cannot be linked to ({error.strerror})"
                    landed.columns, landed.rows_landed = [], 0
            self._refuse(landed)
        is_whole = self.place == places.landing() / self.source.name
        own = f"{self.source.name}/"
        for name, before in self._known.items():
            if name not in self._found:
                # A file of the landing folder has gone when a listing of it all does not find it.
                is_gone = (is_whole and name.startswith(own)) or not storage.exists(before.location)
                # Once it counts under another path, it does not count under its own before it is listed by it again.
                same_as = self._counted.get(self._known_reals.get(name), before.same_as)
                self._found[name] = replace(before, is_listed=False, is_gone=is_gone, same_as=same_as)
        _replace(intake, (asdict(self._found[name]) for name in sorted(self._found)))
        ignored = (_ignored_row(self.source.name, name, one) for name, one in self._ignored)
        _replace(places.ignored(self.source.name), ignored)
        return intake
