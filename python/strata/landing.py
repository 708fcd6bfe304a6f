"""What has landed: every file of a source is listed, and each new or changed one is read once, before Spark loads it.

The scan counts rows by other means than the load does, so the two can be held against each other, and it finds what
Spark's readers hide: bytes that are no UTF-8, a truncated gzip, a column that is missing or doubled. Its result is the
lake's intake file, one JSON object a line for each file known, which the load reads as a table:

- `path`: the name that a file is known by, its path below the landing folder, or its full path when it lies elsewhere
- `file_id`: a short name made of it; `<source>/file_id=<it>/landed` in the intake folder links to the file, with `.gz`
  behind it where it is gzipped
- `location` (its full path), `size` (bytes), `modified_at` (UTC, microseconds), `content_hash`: what was found there
- `is_listed`: found by this run; `is_gone`: known from an earlier run and no longer there
- `rows_landed`: rows after the header, blank lines not counted; `columns`: the header's names
- `reading`: how the load must read it, `plain`, `multiline` (quoted line breaks), `lines` (a stray quote), or `text`
  for JSON lines, which have no header: each line is a row, and the one column is `line`
- `fault`: why the file as a whole is refused, or null; `is_unreachable`: its content could not be read at all
- `landed_on`: the landed day that the file's folder says; null where it says none
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import gzip
import hashlib
import io
import json
import os
import re
import textwrap
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from strata import places
from strata.errors import StrataError

CHUNK_BYTES = 4 * 1024 * 1024
# What is longer or wider is no table, and would take Spark's parser down, and every other file of the run with it.
LONGEST_LINE = 512 * 1024
# A line of JSON names each of its values, and meets no such parser.
LONGEST_JSON_LINE = 16 * 1024 * 1024
WIDEST_HEADER = 2000
# A file with a quoted line break is read by one task, and a scan that looks for them keeps its rows in memory no longer
# than a record: a stray quote must not swallow the rest of a large file.
LONGEST_RECORD = 1024 * 1024
csv.field_size_limit(LONGEST_RECORD)


@dataclass(frozen=True)
class Source:
    """A kind of landed data: its folder below the landing folder and the columns that its CSV files must have."""

    name: str
    columns: tuple[str, ...]
    # JSON lines, .jsonl, instead of CSV.
    is_json: bool = False
    # Every file lies below a day's folder, YYYY/MM/DD or year=YYYY/month=MM/day=DD.
    is_daily: bool = False

    @property
    def endings(self) -> tuple[str, ...]:
        """What the names of its files end in."""
        return (".jsonl", ".jsonl.gz") if self.is_json else (".csv", ".csv.gz")


SOURCES = {
    "events": Source("events", ("time", "action")),
    "purchases": Source("purchases", ("PurchaseID", "product", "user", "date"), is_daily=True),
    "fleet_sensors": Source("fleet_sensors", (), is_json=True, is_daily=True),
}


class UnreadableFolder(StrataError):
    """A folder of one source cannot be listed; the other sources can be loaded all the same."""


@dataclass
class LandedFile:
    """What is known of one file; the module's docstring says what each field holds."""

    path: str
    file_id: str
    location: str
    size: int
    modified_at: str
    stamp: list[int]
    content_hash: str | None = None
    rows_landed: int = 0
    columns: list[str] = field(default_factory=list)
    reading: str = "plain"
    fault: str | None = None
    is_listed: bool = True
    is_gone: bool = False
    is_unreachable: bool = False
    landed_on: str | None = None


_DAY_FOLDER = re.compile(r"(?:year=)?([0-9]{4})/(?:month=)?([0-9]{2})/(?:day=)?([0-9]{2})/")


def _landed_on(path: Path, place: Path) -> str | None:
    """Return the day that the folders below the source's own say, or None when they say none."""
    found = _DAY_FOLDER.match(path.relative_to(place).as_posix()) if path.is_relative_to(place) else None
    try:
        return date(*map(int, found.groups())).isoformat() if found else None
    except ValueError:
        return None


def _utc(nanoseconds: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=nanoseconds // 1000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _has_landed(name: str) -> bool:
    return not name.startswith((".", "_")) and not name.endswith(".tmp")


def _listed(source: Source, where: Path) -> Iterator[Path]:
    """Yield the source's files at a path, a file or a folder of any depth, in the order of their names."""
    if os.path.isfile(where):
        yield where
        return

    def unreadable(error: OSError) -> None:
        if isinstance(error, FileNotFoundError):
            return  # nothing has landed yet, or a folder left while it was listed
        raise UnreadableFolder(
            f"The folder {error.filename} cannot be read ({error.strerror}): give this user the right to read it."
        ) from None

    for folder, folders, files in os.walk(where, onerror=unreadable, followlinks=True):
        folders[:] = sorted(name for name in folders if _has_landed(name))
        for name in sorted(files):
            if _has_landed(name) and name.endswith(source.endings):
                yield Path(folder) / name


def _name(path: Path, landing: Path) -> str:
    return path.relative_to(landing).as_posix() if path.is_relative_to(landing) else path.as_posix()


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield blocks of whole lines, each ending in a line feed; CR and CRLF end a line too, as for Spark."""
    rest = b""
    for chunk in chunks:
        chunk = rest + chunk
        # A CR at the end may be half a CRLF.
        cut = chunk.rfind(b"\n") + 1 or chunk.rfind(b"\r", 0, len(chunk) - 1) + 1
        rest = chunk[cut:]
        if cut:
            yield _with_line_feeds(chunk[:cut])
    if rest:
        yield _with_line_feeds(rest if rest.endswith((b"\n", b"\r")) else rest + b"\n")


def _with_line_feeds(block: bytes) -> bytes:
    return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in block else block


_BLANK = re.compile(rb"^[\x00-\x09\x0b-\x20]*$", re.MULTILINE)
_MAYBE_BLANK = (b"\n\n", b" \n", b"\t\n", b"\x00\n")


def _count_rows(block: bytes) -> int:
    """Count the lines of a block that are not blank; blank is what Java's trim leaves empty."""
    lines = block.count(b"\n")
    if block[:1] <= b" " or any(mark in block for mark in _MAYBE_BLANK):
        # The pattern also matches behind the last line feed.
        lines -= sum(1 for _ in _BLANK.finditer(block)) - 1
    return lines


def _first_line(block: bytes) -> tuple[bytes | None, bytes]:
    """Split a block into its first line that is not blank, if any, and what follows."""
    while block:
        line, _, block = block.partition(b"\n")
        if line.strip(bytes(range(33))):
            return line, block
    return None, b""


def _chunks(path: Path, digest) -> Iterator[bytes]:
    """Yield the file's text as checked UTF-8 bytes without byte order mark; feed the bytes as they lie to digest."""

    class Digesting(io.RawIOBase):
        def __init__(self, raw) -> None:
            self.raw = raw

        def readable(self) -> bool:
            return True

        def readinto(self, buffer) -> int:
            count = self.raw.readinto(buffer)
            digest.update(memoryview(buffer)[:count])
            return count

    with open(path, "rb", buffering=0) as raw:
        stream = io.BufferedReader(Digesting(raw), CHUNK_BYTES)
        text = gzip.GzipFile(fileobj=stream) if path.name.endswith(".gz") else stream
        decoder = None
        start = True
        while chunk := text.read(CHUNK_BYTES):
            if start:
                chunk, start = chunk.removeprefix(b"\xef\xbb\xbf"), False
            if decoder is None and not chunk.isascii():
                decoder = codecs.getincrementaldecoder("utf-8")()
            if decoder is not None:
                decoder.decode(chunk)
            yield chunk
        if decoder is not None:
            decoder.decode(b"", final=True)


class _Fault(Exception):
    """Why a file is refused, as its text."""


def _has_long_line(block: bytes, longest: int) -> bool:
    """Tell whether a block of lines has one that is too long; one a little shorter may be told too."""
    half = longest // 2
    # A line longer than the limit covers one of these stretches whole.
    return any(block.find(b"\n", start, start + half) < 0 for start in range(0, len(block) - half, half))


def _stray_quotes(block: bytes) -> bool:
    return b'"' in block and any(line.count(b'"') % 2 for line in block.split(b"\n"))


def _count_records(path: Path, width: int) -> int | None:
    """Count the records of a file with quoted line breaks; None when it does not read as such, whole and even."""
    text = io.TextIOWrapper(io.BufferedReader(_Joined(_chunks(path, hashlib.sha256()))), encoding="utf-8", newline="")
    records = -1
    try:
        for record in csv.reader(text, strict=True):
            if record:
                if len(record) != width:
                    return None
                records += 1
    except csv.Error:
        return None
    return records


class _Joined(io.RawIOBase):
    """A raw stream over an iterator of byte strings."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        while not self._rest:
            try:
                self._rest = next(self._chunks)
            except StopIteration:
                return 0
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


def _column_fault(source: Source, columns: list[str]) -> str | None:
    missing = [name for name in source.columns if name not in columns]
    doubled = [name for name in source.columns if columns.count(name) > 1]
    if missing:
        return f"the column {' and '.join(missing)} is missing (it has {textwrap.shorten(', '.join(columns), 200)})"
    if doubled:
        return f"the column {' and '.join(doubled)} is there more than once"
    return None


def scan(source: Source, landed: LandedFile) -> LandedFile:
    """Read a file once and fill in what its content says: hash, rows, columns, reading, fault."""
    digest = hashlib.sha256()
    path = Path(landed.location)
    longest = LONGEST_JSON_LINE if source.is_json else LONGEST_LINE
    header: bytes | None = None
    rows = 0
    stray = False
    try:
        for block in _lines(_chunks(path, digest)):
            if header is None and not source.is_json:
                header, block = _first_line(block)
            if _has_long_line(block, longest):
                raise _Fault(f"it has a line longer than {longest // 1024} KiB")
            rows += _count_rows(block)
            stray = stray or (not source.is_json and _stray_quotes(block))
        if source.is_json:
            landed.columns, landed.reading = ["line"], "text"
        elif header is not None:
            columns = next(csv.reader([header.decode()], strict=False))
            if len(columns) > WIDEST_HEADER:
                raise _Fault(f"its header has {len(columns)} columns")
            landed.columns = columns
            landed.fault = _column_fault(source, columns)
        landed.rows_landed = rows
        if stray:
            records = _count_records(path, len(landed.columns))
            landed.reading = "lines" if records is None else "multiline"
            landed.rows_landed = rows if records is None else records
        if source.is_daily and landed.landed_on is None:
            raise _Fault("it lies in no folder of a day (YYYY/MM/DD)")
    except (_Fault, csv.Error) as error:
        landed.fault = str(error)
    except UnicodeDecodeError:
        landed.fault = "it holds bytes that are no UTF-8"
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        landed.fault = f"it is no whole gzip file ({str(error).rstrip('.')})"
    except OSError as error:
        landed.fault = f"it cannot be read ({error.strerror})"
        landed.is_unreachable = True
    landed.content_hash = digest.hexdigest()
    if landed.fault:
        # It was not read to its end: its hash must still be that of all its bytes.
        with contextlib.suppress(OSError), open(path, "rb") as whole:
            landed.content_hash = hashlib.file_digest(whole, "sha256").hexdigest()
        if not landed.columns:
            landed.rows_landed = 0
    return landed


def _known(source: Source) -> dict[str, LandedFile]:
    """Return what the intake file says, by path; an intake file that is gone or torn only costs another scan."""
    try:
        rows = [LandedFile(**json.loads(line)) for line in places.intake(source.name).read_text().splitlines()]
    except (OSError, ValueError, TypeError):
        return {}
    return {landed.path: landed for landed in rows}


def known_bytes(source: Source) -> int:
    """Return the size of all files that earlier runs found, in bytes."""
    return sum(landed.size for landed in _known(source).values())


def _link(landed: LandedFile, files: Path) -> None:
    """Make the link by which Spark finds the file, so that no character of its path means anything to Spark."""
    link = files / f"file_id={landed.file_id}" / ("landed.gz" if landed.location.endswith(".gz") else "landed")
    if link.is_symlink() and os.readlink(link) == landed.location:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    for old in link.parent.iterdir():
        old.unlink()
    link.symlink_to(landed.location)


def keep_intake(source: Source) -> None:
    """Make an empty intake file where there is none, for a source that cannot be listed; what was known stays."""
    intake = places.intake(source.name)
    intake.parent.mkdir(parents=True, exist_ok=True)
    intake.touch()


def where(source: Source, override: str | None) -> Path:
    """Return the path that the source's files are taken from; raise StrataError when an override is not there."""
    if override is None:
        return places.landing() / source.name
    path = Path(os.path.abspath(override))
    if not os.path.exists(path):
        raise StrataError(
            f"{source.name}_path names {path}, which is not there: name a file or a folder of CSV files, "
            f"or leave it out to take {places.landing() / source.name}."
        )
    return path


class Stock:
    """What a run finds of one source: listed at once, read by `take`."""

    def __init__(self, source: Source, override: str | None = None) -> None:
        """List the source's files; raise StrataError when the override, or a folder, cannot be read."""
        self.source = source
        self._place = where(source, override)
        self._known = _known(source)
        self._found: dict[str, LandedFile] = {}
        self._to_scan: list[LandedFile] = []
        for path in _listed(source, self._place):
            name = _name(path, places.landing())
            size = modified_ns = 0
            stamp: list[int] = []
            try:
                stat = path.stat()
                size, modified_ns = stat.st_size, stat.st_mtime_ns
                stamp = [size, modified_ns, stat.st_ctime_ns, stat.st_ino]
            except FileNotFoundError:
                continue  # it left between the listing and here, or is a link to nothing
            except OSError:
                pass  # the scan says what is wrong with it
            before = self._known.get(name)
            if before and stamp and before.stamp == stamp and before.location == str(path):
                self._found[name] = replace(before, is_listed=True, is_gone=False)
            else:
                file_id = "f" + hashlib.sha256(os.fsencode(name)).hexdigest()[:20]
                landed_on = _landed_on(path, self._place)
                landed = LandedFile(name, file_id, str(path), size, _utc(modified_ns), stamp, landed_on=landed_on)
                self._found[name] = landed
                self._to_scan.append(landed)

    @property
    def total_bytes(self) -> int:
        """The size of all files known, new ones included, in bytes."""
        return sum(landed.size for landed in {**self._known, **self._found}.values())

    def take(self) -> Path:
        """Read the files that are new or changed and write the intake file; return its path."""
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            list(pool.map(lambda landed: scan(self.source, landed), self._to_scan))
        intake = places.intake(self.source.name)
        for landed in self._to_scan:
            before = self._known.get(landed.path)
            if landed.is_unreachable and before:
                # What it gave before stays what it is: nothing is known of its content now. The next run looks again.
                self._found[landed.path] = replace(before, stamp=[], fault=landed.fault, is_listed=True, is_gone=False)
        for landed in self._to_scan:
            _link(landed, intake.parent / self.source.name)
        is_whole = self._place == places.landing() / self.source.name
        own = f"{self.source.name}/"
        for name, before in self._known.items():
            if name not in self._found:
                # A file of the landing folder has gone when a listing of it all does not find it.
                is_gone = not os.path.exists(before.location) or (is_whole and name.startswith(own))
                self._found[name] = replace(before, is_listed=False, is_gone=is_gone)
        intake.parent.mkdir(parents=True, exist_ok=True)
        draft = intake.with_suffix(".draft")
        draft.write_text("".join(json.dumps(asdict(self._found[name])) + "\n" for name in sorted(self._found)))
        draft.replace(intake)
        return intake
