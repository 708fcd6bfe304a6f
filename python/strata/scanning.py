"""The scan of one landed file, by other means than Spark's load and before it; `strata.landing` calls it.

It counts rows, so that the load can be held against the counts, and finds what Spark's readers hide: bytes that are no
UTF-8, a truncated gzip, a column that is missing or doubled. It holds a few chunks of a file, whatever is in it.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import gzip
import hashlib
import io
import json
import re
import textwrap
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from strata import listing, places, storage

if TYPE_CHECKING:
    from strata.landing import LandedFile
    from strata.sources import Source

# Goes up when a file may be counted or refused in another way than before: each known file is then read once more.
SCANNER = 2


def rules_of(source: Source) -> int:
    """Return a number for the rules that a source's files are scanned by, those that it declares included."""
    rules = [SCANNER, source.format, source.separator, source.is_daily, *sorted(source.landed_names)]
    return zlib.crc32(json.dumps(rules).encode())


CHUNK_BYTES = 4 * 1024 * 1024
# What is longer or wider is no table, and would take Spark's parser down, and every other file of the run with it.
LONGEST_LINE = 512 * 1024
# A line of JSON names each of its values, and meets no such parser.
LONGEST_JSON_LINE = 16 * 1024 * 1024
WIDEST_HEADER = 2000
# Of a longer name Spark's parser of JSON would make nothing, and of the file's other columns neither.
LONGEST_NAME = 50_000
# A file with a quoted line break is read by one task, and a scan that looks for them keeps its rows in memory no longer
# than a record: a stray quote must not swallow the rest of a large file.
LONGEST_RECORD = 1024 * 1024
# What ends a line where Spark reads whole lines of a CSV file (the reading `lines`).
LINE_MARK = b"\x01"
csv.field_size_limit(LONGEST_RECORD)


class _Fault(Exception):
    """Why a file is refused, as its text."""


def _lines(chunks: Iterable[bytes], longest: int = LONGEST_JSON_LINE) -> Iterator[bytes]:
    """Yield blocks of whole lines, each ending in a line feed; CR and CRLF end a line too, as for Spark.

    Raises _Fault for a line that goes on beyond the longest, in bytes, so that no more than that is held.
    """
    rest = b""
    for chunk in chunks:
        chunk = rest + chunk
        # A CR at the end may be half a CRLF.
        cut = chunk.rfind(b"\n") + 1 or chunk.rfind(b"\r", 0, len(chunk) - 1) + 1
        rest = chunk[cut:]
        if len(rest.removesuffix(b"\r")) > longest:
            raise _long_line(longest)
        if cut:
            yield _with_line_feeds(chunk[:cut])
    if rest:
        yield _with_line_feeds(rest if rest.endswith((b"\n", b"\r")) else rest + b"\n")


def _long_line(longest: int) -> _Fault:
    return _Fault(f"it has a line longer than {longest // 1024} KiB")


def _with_line_feeds(block: bytes) -> bytes:
    return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in block else block


# A blank line is what Java's trim leaves empty; of JSON, byte order marks are no part of a line. The line feed before
# it comes first, for that is found faster than any line's beginning.
_TRIMMED = bytes(range(33))
_BLANK = re.compile(rb"\n(?=[\x00-\x09\x0b-\x20]*+\n)")
_BLANK_JSON = re.compile(rb"\n(?=(?:[\x00-\x09\x0b-\x20]|\xef\xbb\xbf)*+\n)")


def _count_rows(block: bytes, blank: re.Pattern[bytes] = _BLANK) -> int:
    """Count the lines of a block that are not blank."""
    return block.count(b"\n") - sum(1 for _ in blank.finditer(b"\n" + block))


def _has_nul(block: bytes) -> bool:
    """Tell whether a line of a block has a NUL among other characters; Spark's reader doubles it, or ends there."""
    return b"\0" in block and any(b"\0" in line and line.strip(_TRIMMED) for line in block.split(b"\n"))


def _first_line(block: bytes) -> tuple[bytes | None, bytes]:
    """Split a block into its first line that is not blank, if any, and what follows."""
    while block:
        line, _, block = block.partition(b"\n")
        if line.strip(_TRIMMED):
            return line, block
    return None, b""


# The byte order marks of what is no UTF-8; those of UTF-32 begin as one of UTF-16.
_MARKS = (
    *((codecs.BOM_UTF32_LE, "UTF-32"), (codecs.BOM_UTF32_BE, "UTF-32")),
    *((codecs.BOM_UTF16_LE, "UTF-16"), (codecs.BOM_UTF16_BE, "UTF-16")),
)


def _other_encoding(start: bytes) -> str | None:
    """Return UTF-16 or UTF-32 where a text begins with its mark, or has NULs where Latin letters have them there."""
    for mark, name in _MARKS:
        if start.startswith(mark):
            return name
    # The first characters: further down, NULs may be a sender's filling.
    start = start[: min(len(start), 16) // 4 * 4]
    if start.count(0) * 4 < len(start) or not start:
        return None
    nulls = [start[place::4].count(0) * 4 / len(start) for place in range(4)]
    # The share of NULs at each place of four bytes. UTF-32 has two places of nothing else; in UTF-16 places alternate.
    if (nulls[2] == nulls[3] == 1 and nulls[0] == 0) or (nulls[0] == nulls[1] == 1 and nulls[3] == 0):
        return "UTF-32"
    for full, empty in ((nulls[0::2], nulls[1::2]), (nulls[1::2], nulls[0::2])):
        if max(full) == 0 and min(empty) > 0.5:
            return "UTF-16"
    return None


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

    with storage.open(path) as raw:
        stream = io.BufferedReader(Digesting(raw), CHUNK_BYTES)
        text = gzip.GzipFile(fileobj=stream) if listing.ends_in(path.name, (".gz",)) else stream
        decoder = None
        start = True
        while chunk := text.read(CHUNK_BYTES):
            if start:
                encoding = _other_encoding(chunk)
                if encoding:
                    raise _Fault(f"it is {encoding}; write it as UTF-8")
                chunk, start = chunk.removeprefix(codecs.BOM_UTF8), False
            if decoder is None and not chunk.isascii():
                decoder = codecs.getincrementaldecoder("utf-8")()
            if decoder is not None:
                decoder.decode(chunk)
            yield chunk
        if decoder is not None:
            decoder.decode(b"", final=True)


def _has_long_line(block: bytes, longest: int) -> bool:
    """Tell whether a block of whole lines has one that is too long."""
    half = longest // 2
    # A line longer than the limit covers one of these stretches whole; few others do.
    return any(
        block.find(b"\n", start, start + half) < 0
        and block.index(b"\n", start + half) - block.rfind(b"\n", 0, start) - 1 > longest
        for start in range(0, len(block) - half, half)
    )


def _stray_quotes(block: bytes) -> bool:
    return b'"' in block and any(line.count(b'"') % 2 for line in block.split(b"\n"))


def _count_records(path: Path, width: int, separator: str) -> int | None:
    """Count the records of a file with quoted line breaks; None when it does not read as such, whole and even.

    Raises _Fault when its records end in different ways: Spark takes the first end for that of all, others for text.
    """
    text = io.TextIOWrapper(io.BufferedReader(_Joined(_chunks(path, hashlib.sha256()))), encoding="utf-8", newline="")
    records = -1
    length = 0
    line = ""
    ends = set()

    def lines() -> Iterator[str]:
        nonlocal length, line
        for line in text:
            length += len(line)
            if length > LONGEST_RECORD:
                raise csv.Error("a record is too long")
            yield line

    try:
        for record in csv.reader(lines(), delimiter=separator, strict=True):
            length = 0
            ends.add(line[len(line.rstrip("\r\n")) :])
            if record:
                if len(record) != width:
                    return None
                records += 1
    except csv.Error:
        return None
    if len(ends - {""}) > 1:
        raise _Fault("it has line breaks in quotes, and lines that end in different ways (LF, CRLF, CR)")
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
    missing = [name for name in source.landed_names if name not in columns]
    doubled = [name for name in source.landed_names if columns.count(name) > 1]
    if missing:
        return f"the column {' and '.join(missing)} is missing (it has {textwrap.shorten(', '.join(columns), 200)})"
    if doubled:
        return f"the column {' and '.join(doubled)} is there more than once"
    return None


def scan(source: Source, landed: LandedFile) -> LandedFile:
    """Read a file once and fill in what its content says: hash, rows, columns, reading, fault."""
    digest = hashlib.sha256()
    path = places.at(landed.location)
    longest = LONGEST_JSON_LINE if source.is_json else LONGEST_LINE
    header: bytes | None = None
    rows = 0
    stray = has_mark = False
    try:
        for block in _lines(_chunks(path, digest), longest):
            if _has_long_line(block, longest):
                raise _long_line(longest)
            if header is None and not source.is_json:
                header, block = _first_line(block)
            rows += _count_rows(block, _BLANK_JSON if source.is_json else _BLANK)
            if not source.is_json and _has_nul(block):
                raise _Fault("it has a line with a NUL character")
            has_mark = has_mark or LINE_MARK in block
            stray = stray or (not source.is_json and _stray_quotes(block))
        if source.is_json:
            landed.columns, landed.reading, landed.rows_landed = ["line"], "text", rows
        elif header is not None:
            if header.count(b'"') % 2:
                raise _Fault("its header has a line break in quotes, or a quote that is not closed")
            columns = next(csv.reader([header.decode()], delimiter=source.separator, strict=False))
            if len(columns) > WIDEST_HEADER:
                raise _Fault(f"its header has {len(columns)} columns")
            if max(map(len, columns)) > LONGEST_NAME:
                raise _Fault(f"its header has a name of more than {LONGEST_NAME} characters")
            if stray:
                # Before anything says that the file can be read.
                records = _count_records(path, len(columns), source.separator)
                if records is None and has_mark:
                    raise _Fault("it has a quote that is not closed, and a control character (U+0001)")
                landed.reading = "lines" if records is None else "multiline"
                rows = rows if records is None else records
            landed.columns, landed.rows_landed = columns, rows
            landed.fault = _column_fault(source, columns)
        if source.is_daily and landed.landed_on is None:
            raise _Fault("it lies in no folder of a day (YYYY/MM/DD)")
    except (_Fault, storage.NoFile, csv.Error) as error:
        landed.fault = str(error)
    except UnicodeDecodeError:
        landed.fault = "it holds bytes that are no UTF-8"
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        landed.fault = f"it is no whole gzip file ({str(error).rstrip('.')})"
    except OSError as error:
        landed.fault = f"it cannot be read ({storage.said(error)})"
        landed.is_unreachable = True
    except Exception as error:
        # Whatever a file does to the scan, the others go on.
        said = textwrap.shorten(places.text(f"{type(error).__name__}: {error}"), 200)
        landed.fault = f"it cannot be scanned ({said})"
    landed.content_hash = digest.hexdigest()
    if places.is_address(path) and not landed.is_unreachable:
        # What was listed, and not what has taken its place since.
        with contextlib.suppress(OSError):
            if list(storage.info(path).stamp) != landed.stamp:
                landed.fault, landed.is_unreachable = "it was replaced while it was read", True
    if landed.fault:
        # It was not read to its end: its hash must still be that of all its bytes.
        with contextlib.suppress(OSError), storage.open(path) as whole:
            landed.content_hash = hashlib.file_digest(whole, "sha256").hexdigest()
        if not landed.columns:
            landed.rows_landed = 0
    return landed
