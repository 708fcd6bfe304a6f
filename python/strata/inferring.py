"""What a landed sample holds: its columns, and of each the narrowest type that holds all values; for `new_source`."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from strata import places
from strata.errors import StrataError, shown

LONGEST_LINE = 16 * 1024 * 1024
# In the order in which they are taken, where a header has equally many names by several: the rarest in names first.
SEPARATORS = "\t|;,"
_ENDINGS = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz")
_BLANK = re.compile(r"[\x00-\x20]*")
# A number with a zero before it is none: it may be a code.
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)(?:[.]([0-9]+))?")
_DOUBLE = re.compile(r"[-+]?(0|[1-9][0-9]*)([.][0-9]+)?([eE][-+]?[0-9]{1,3})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}:[0-9]{2})([.][0-9]+)?(Z|[+-]([0-9]{2}):([0-9]{2}))?"
)
# A whole number is taken for a time within these years; seconds, milliseconds and microseconds are then told apart.
_EPOCH_YEARS = (1980, 2100)
EPOCHS = {"seconds": 1, "milliseconds": 1000, "microseconds": 1_000_000}


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_time(text: str) -> bool:
    found = _TIME.fullmatch(text)
    if not found or not _is_date(found[1]):
        return False
    hours, minutes, seconds = map(int, found[2].split(":"))
    offset = (int(found[5]), int(found[6])) if found[5] else (0, 0)
    return hours < 24 and minutes < 60 and seconds < 60 and offset <= (18, 0) and offset[1] < 60


def _is_double(text: str) -> bool:
    return bool(_DOUBLE.fullmatch(text)) and math.isfinite(float(text))


class Seen:
    """What a column of the sample has been seen to hold, and of which types all of its values may be."""

    _FORMS = (
        ("boolean", lambda text: text in ("true", "false")),
        ("date", _is_date),
        ("timestamp", _is_time),
        ("bigint", _WHOLE.fullmatch),
        ("decimal", _DECIMAL.fullmatch),
        ("double", _is_double),
    )

    def __init__(self, landed: str) -> None:
        self.landed = landed
        self.example: str | None = None
        # The first line without a value.
        self.empty_in: int | None = None
        self.is_nested = False
        self._forms = list(self._FORMS)
        self._has_exponent = False
        self._digits = self._scale = 0
        self._whole: list[int] = []

    def add(self, text: str, line: int) -> None:
        """Take a value's text, of a line."""
        if text == "":
            self.empty_in = self.empty_in or line
            return
        if self.example is None:
            self.example = text
        if not self._forms:
            return
        self._forms = [form for form in self._forms if form[1](text)]
        fits = {name for name, _ in self._forms}
        if "decimal" in fits:
            whole, decimals = _DECIMAL.fullmatch(text).groups()
            self._digits = max(self._digits, len(whole))
            self._scale = max(self._scale, len(decimals or ""))
        if "bigint" in fits:
            values = [*self._whole, int(text)]
            self._whole = [min(values), max(values)]
        self._has_exponent = self._has_exponent or ("double" in fits and "e" in text.lower())

    def type(self) -> str:
        """Return the narrowest type that holds all values; text where there is none, or where it would change them."""
        fits = {name for name, _ in self._forms}
        if self.example is None or self.is_nested:
            return "string"
        for name in ("boolean", "date", "timestamp", "bigint"):
            if name in fits:
                return name
        if "decimal" in fits and self._scale > 0 and self._digits + self._scale <= 38:
            # Room for larger numbers than the sample happens to hold.
            return f"decimal({min(max(12, self._digits + self._scale + 3), 38)},{self._scale})"
        return "double" if "double" in fits and self._has_exponent else "string"

    def epoch(self) -> str | None:
        """Return the unit in which whole numbers count since 1970, when all are times of our years in one."""
        if self.type() != "bigint":
            return None
        first, last = (datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in _EPOCH_YEARS)
        for unit, factor in EPOCHS.items():
            if first * factor <= self._whole[0] and self._whole[1] < last * factor:
                return unit
        return None


@dataclass
class Sample:
    """What a sample says: its columns in order, how many rows they are of, what stands between two fields."""

    path: Path
    columns: list[Seen]
    rows: int
    separator: str | None = None


def read(path: Path) -> Sample:
    """Read a sample whole; raise StrataError, with one sentence, for one that is no table with rows."""
    name = places.text(path)
    if not path.name.lower().endswith(_ENDINGS):
        raise StrataError(
            f"--sample names {name}: name a file that ends in {', '.join(_ENDINGS[:-1])} or {_ENDINGS[-1]}."
        )
    try:
        if not path.exists():
            raise StrataError(f"--sample names {name}, which is not there: name a file as it lands.")
        if not path.is_file():
            raise StrataError(f"--sample names {name}, which is no file: name a file as it lands.")
        is_json = ".jsonl" in path.name.lower()[-len(".jsonl.gz") :]
        sample = _read_json(path) if is_json else _read_csv(path)
    except UnicodeDecodeError:
        raise StrataError(f"The sample {name} holds bytes that are no UTF-8: write it as UTF-8.") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        said = str(error).rstrip(".")
        raise StrataError(f"The sample {name} is no whole gzip file ({said}): give a whole one.") from None
    except OSError as error:
        raise StrataError(
            f"The sample {name} cannot be read ({error.strerror}): give this user the right to."
        ) from None
    return sample


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a text with their ends, whatever these are; a line that never ends is not read whole."""
    with path.open("rb") as landed, contextlib.ExitStack() as stack:
        raw = stack.enter_context(gzip.open(landed)) if path.name.lower().endswith(".gz") else landed
        text = stack.enter_context(io.TextIOWrapper(raw, encoding="utf-8-sig", newline=""))
        while line := text.readline(LONGEST_LINE):
            if len(line) == LONGEST_LINE and not line.endswith(("\n", "\r")):
                raise StrataError(
                    f"The sample {places.text(path)} has a line of more than 16 MiB: give one with lines."
                )
            yield line


def _read_csv(path: Path) -> Sample:
    name = places.text(path)
    header = next((line for line in _lines(path) if not _BLANK.fullmatch(line)), None)
    if header is None:
        raise StrataError(f"The sample {name} is empty: give one with a header and rows.")
    widths = {separator: _width(header, separator) for separator in SEPARATORS}
    # What makes a header of several names may stand between them; where nothing does, there is one column.
    candidates = [separator for separator in SEPARATORS if widths[separator] > 1] or [","]
    samples, faults = [], {}
    for separator in sorted(candidates, key=lambda candidate: -widths[candidate]):
        try:
            samples.append(_read_separated(path, separator))
        except _Uneven as fault:
            faults[separator] = str(fault)
    if not samples:
        separator, fault = next(iter(faults.items()))
        raise StrataError(f"The sample {name} is no table: with {named(separator)} between the fields {fault}.")
    # The first is the widest.
    sample = samples[0]
    landed = [column.landed for column in sample.columns]
    doubled = next((name for name in landed if landed.count(name) > 1), None)
    if doubled is not None:
        raise StrataError(f"The sample {name} has the column {shown(doubled)} more than once: name each column once.")
    if not sample.rows:
        raise StrataError(f"The sample {name} has a header and no row, which tells no types: give one with rows.")
    return sample


class _Uneven(Exception):
    """Why a file's rows are not what a separator says, a sentence's part with the mend."""


def _width(header: str, separator: str) -> int:
    try:
        return len(next(csv.reader([header], delimiter=separator)))
    except csv.Error:
        return 0


def named(separator: str) -> str:
    """Return how a sentence names a separator."""
    return "a tab" if separator == "\t" else f"'{separator}'"


def _read_separated(path: Path, separator: str) -> Sample:
    lines = csv.reader(_lines(path), delimiter=separator, strict=True)
    columns: list[Seen] | None = None
    rows = 0
    try:
        for fields in lines:
            # A line of white space is no row; a quoted nothing is one.
            if fields != [""] and all(map(_BLANK.fullmatch, fields)) and (len(fields) < 2 or separator == "\t"):
                continue
            if columns is None:
                columns = [Seen(field) for field in fields]
                continue
            if len(fields) != len(columns):
                raise _Uneven(
                    f"line {lines.line_num} has {len(fields)} and the header {len(columns)}: "
                    "mend that line, or leave it out"
                )
            rows += 1
            for column, field in zip(columns, fields, strict=True):
                column.add(field, lines.line_num)
    except csv.Error as error:
        raise _Uneven(f"line {lines.line_num} cannot be read ({error}): mend that line, or leave it out") from None
    return Sample(path, columns or [], rows, separator)


def _read_json(path: Path) -> Sample:
    name = places.text(path)
    columns: dict[str, Seen] = {}
    rows = 0
    first = 0
    for number, line in enumerate(_lines(path), 1):
        if _BLANK.fullmatch(line):
            continue
        values = _json_object(line, f"Line {number} of the sample {name}")
        rows += 1
        first = first or number
        for landed in values:
            if landed not in columns:
                columns[landed] = Seen(landed)
                if rows > 1:
                    columns[landed].add("", first)
        for landed, column in columns.items():
            value = values.get(landed)
            column.is_nested = column.is_nested or isinstance(value, (dict, list))
            column.add(_json_text(value), number)
    if not columns:
        raise StrataError(f"The sample {name} is empty: give one with JSON objects, one a line.")
    return Sample(path, list(columns.values()), rows)


def _json_object(line: str, place: str) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        doubled = next((name for name in names if names.count(name) > 1), None)
        if doubled is not None:
            raise StrataError(f"{place} has the key {shown(doubled)} more than once: name each key once.")
        return dict(pairs)

    try:
        # Numbers stay as they are written.
        value = json.loads(line, object_pairs_hook=once, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise StrataError(f"{place} is no JSON object: mend that line, or leave it out.")
    return value


def _json_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else "{...}" if isinstance(value, dict) else "[...]"
