"""What landed files must have become, read in plain Python from their bytes: the oracle of the fuzzer.

It shares no code with the loader. Where the README or docs/ say what must be, it admits nothing else; where a file is
so mangled that two readings are defensible, it holds them all, and the rule is written beside it. Whatever is
defensible, these never are: a value in a wrong column, from another row or file; a row that is nowhere; a file that is
refused in silence.
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
import sys
import zlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation

from fuzz_mutations import EARLIEST, PURCHASE_COLUMNS, File

COLUMNS = {"events": ("time", "action"), "purchases": PURCHASE_COLUMNS}
ENDINGS = {"events": (".csv", ".csv.gz"), "purchases": (".csv", ".csv.gz"), "fleet_sensors": (".jsonl", ".jsonl.gz")}
MAX_SHARE = 20  # a file may have one row in twenty that is not valid, by max_quarantined_share's default
WIDEST = 2000
LONGEST_LINE = 512 * 1024
LONGEST_NAME = 50_000
LONGEST_JSON_LINE = 16 * 1024 * 1024
BLANK = "".join(map(chr, range(33)))

# A text that nests a thousand deep is read here level by level.
sys.setrecursionlimit(max(sys.getrecursionlimit(), 20_000))

# --- a file's name and bytes ------------------------------------------------------------------------------------------


def shown(name: str) -> str:
    """Return a path as tables name it: bytes that are no UTF-8 are written as \\xNN."""
    return re.sub("[\udc80-\udcff]", lambda odd: f"\\x{ord(odd[0]) - 0xDC00:02x}", name)


def is_utf8(name: str) -> bool:
    """Tell whether a name's bytes are UTF-8."""
    return shown(name) == name


def unzipped(content: bytes) -> tuple[bytes, str]:
    """Return the text of a gzip's whole members, and what follows them: nothing, zeros, garbage, or a torn member."""
    text, first = b"", True
    while content:
        if not content.strip(b"\0") and not first:
            return text, "zeros"
        reader = zlib.decompressobj(wbits=31)
        try:
            piece = reader.decompress(content)
        except zlib.error:
            return text, "torn" if first or content.startswith(b"\x1f\x8b") else "garbage"
        if not reader.eof:
            return text, "torn" if first or content.startswith(b"\x1f\x8b") else "garbage"
        text, content, first = text + piece, reader.unused_data, False
    return text, "" if not first else "nothing"


@dataclass(frozen=True)
class Row:
    """A landed row: every way to read it that is defensible, each a row's values by column, or the line alone.

    A reading is a tuple of sets, the values that each column of the header may have; the empty tuple is the whole line
    in quarantine.
    """

    line: str
    readings: tuple[tuple[frozenset[str | None], ...], ...]


@dataclass
class Expected:
    """What a file must have become."""

    file: File
    path: str
    # not_listed, ignored, or taken.
    state: str = "taken"
    # The file must be refused, and the reason must hold one of these words.
    refusal: tuple[str, ...] = ()
    # It may be refused, although it could be taken.
    may_be_refused: bool = False
    header: list[str] = field(default_factory=list)
    # Of CSV: the ways to cut the file into rows.
    tables: list[list[Row]] = field(default_factory=list)
    # Of JSON lines: the lines, blank ones not among them.
    lines: list[Line] = field(default_factory=list)
    landed_on: date | None = None

    def others(self) -> list[str]:
        """Return the header's names that other_columns holds: all but the source's own that are there once."""
        own = COLUMNS[self.file.source]
        return [name for name in self.header if not (name in own and self.header.count(name) == 1)]


def day_of_folder(name: str) -> date | None:
    """Return the landed day that a path says."""
    found = re.match(r"(?:year=)?([0-9]{4})/(?:month=)?([0-9]{2})/(?:day=)?([0-9]{2})/", name)
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def expected(file: File) -> Expected:
    """Read a file as the README and docs/ say."""
    found = Expected(file, shown(file.path), landed_on=day_of_folder(file.name))
    base = file.name.rpartition("/")[2]
    if any(part.startswith((".", "_")) or part.lower().endswith(".tmp") for part in file.name.split("/")):
        found.state = "not_listed"
        return found
    if not base.lower().endswith(ENDINGS[file.source]):
        found.state = "ignored"
        return found
    if not is_utf8(file.path):
        found.refusal = ("UTF-8",)
        return found
    content, rest = file.content, ""
    if base.lower().endswith(".gz"):
        content, rest = unzipped(file.content)
        if rest == "torn":
            found.refusal = ("gzip",)
            return found
        # Python and Hadoop differ here, and both have reasons: its whole members are read, or it is refused by name.
        found.may_be_refused = rest != ""
    if content.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
        found.refusal = ("UTF-16", "UTF-32") if b"\0\0" in content[:4] else ("UTF-16",)
        return found
    try:
        text = content.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError:
        found.refusal = ("UTF-8", "UTF-16", *(["gzip"] if rest else []))
        return found
    if file.source == "fleet_sensors":
        read_lines(found, text)
    else:
        read_table(found, text)
    if file.source != "events" and found.landed_on is None:
        found.refusal = ("day",)
    if rest and found.refusal:
        found.refusal = (*found.refusal, "gzip")
    if content[:16].count(0) * 4 >= len(content[:16]) > 0:
        # Without a mark, UTF-16 of Latin letters is UTF-8 with many NULs: it may be refused as what it is.
        found.may_be_refused = True
        found.refusal = found.refusal and (*found.refusal, "UTF-16", "UTF-32")
    return found


def lines_of(text: str) -> list[str]:
    """Cut a text into lines: LF, CRLF and CR end one, and nothing else does."""
    return re.split("\r\n|\n|\r", text)


# --- CSV --------------------------------------------------------------------------------------------------------------


def is_blank(line: str) -> bool:
    """Tell whether a line is blank, which is no row: nothing in it but signs up to the space."""
    return not line.strip(BLANK)


@dataclass
class Records:
    """A text read as RFC 4180 says, quoted line breaks and all."""

    records: list[list[str]]
    # What records end in, and blank lines.
    ends: set[str]
    # A quote stands inside of a field without quotes: every parser takes it as it is, the RFC has none.
    is_loose: bool


def rfc4180(text: str) -> Records | None:
    """Read a text strictly; None where a quote is not closed, or something stands between a closing one and a comma."""
    records: list[list[str]] = []
    record: list[str] = []
    ends: set[str] = set()
    is_loose = False
    at, end = 0, len(text)
    unquoted = re.compile(r"[^,\r\n]*")
    quoted = re.compile(r'"((?:[^"]|"")*)"(?=[,\r\n]|\Z)')
    line_end = re.compile("\r\n|\n|\r")
    while at < end:
        if text[at] == '"':
            found = quoted.match(text, at)
            if not found:
                return None
            record.append(found[1].replace('""', '"'))
        else:
            found = unquoted.match(text, at)
            record.append(found[0])
            is_loose = is_loose or '"' in found[0]
        at = found.end()
        if at < end and text[at] == ",":
            at += 1
            if at < end and text[at] not in "\r\n":
                continue
            record.append("")
        if record != [""]:
            records.append(record)
        record = []
        ending = line_end.match(text, at)
        if ending:
            ends.add(ending[0])
            at = ending.end()
    return Records(records, ends, is_loose)


def values_of_field(field_text: str) -> frozenset[str | None]:
    """Return the values that a field with quotes in odd places may have: as it is, or the quotes read in some way."""
    values = {field_text, field_text.strip()}
    if '"' in field_text:
        for text in list(values):
            values.update(next(csv.reader([text]), []) if "\n" not in text and "\r" not in text else [])
            values |= {text.strip('"'), text.replace('""', '"')}
            if text.startswith('"') and text.endswith('"') and len(text) > 1:
                values |= {text[1:-1], text[1:-1].replace('""', '"')}
    return frozenset(value or None for value in values)


def exactly(values: list[str]) -> tuple[frozenset[str | None], ...]:
    """Return the reading that admits these values alone; an empty text is null."""
    return tuple(frozenset([value or None]) for value in values)


MALFORMED: tuple = ()


def row_of_line(line: str, width: int, may_be_odd: bool) -> Row:
    """Read a line that stands for itself."""
    if line.count('"') % 2 and not may_be_odd:
        # docs/events.md: in a file with a quote that is never closed, the lines with an odd quote are malformed.
        return Row(line, (MALFORMED,))
    read = rfc4180(line)
    if read is not None and len(read.records) == 1 and not read.is_loose:
        (values,) = read.records
        return Row(line, (exactly(values) if len(values) == width else MALFORMED,))
    # A quote inside of a field, or text behind a closing quote: what a field is depends on the parser. The row has the
    # fields between commas, or between those outside of quotes, its quotes read or not; or its line is quarantined.
    readings: list[tuple] = [MALFORMED]
    outside = re.findall(r'(?:[^",]|"[^"]*"?)+|(?<=,)(?=,|\Z)|\A(?=,)', line)
    splits = [line.split(","), outside]
    if read is not None and len(read.records) == 1:
        splits.append(read.records[0])
    for fields in splits:
        if len(fields) == width:
            readings.append(tuple(values_of_field(text) for text in fields))
    lenient = next(csv.reader([line]), [])
    if len(lenient) == width:
        readings.append(exactly(lenient))
    return Row(line, tuple(dict.fromkeys(readings)))


def read_table(found: Expected, text: str) -> None:
    """Read a CSV text: the header, and the ways to cut the rest into rows."""
    lines = lines_of(text)
    filled = [line for line in lines if not is_blank(line)]
    if any(len(line.encode()) > LONGEST_LINE for line in lines):
        found.refusal = ("longer",)
        return
    # What Spark's reader of CSV misreads is refused: a NUL within a line it doubles, or ends the value there.
    if any("\0" in line for line in filled):
        found.refusal = ("NUL",)
        return
    if not filled:
        found.tables = [[]]
        return
    is_odd = any(line.count('"') % 2 for line in filled)
    if is_odd and "\x01" in text:
        # Where lines stand for themselves, this sign ends one for Spark; where they do not, the file can be taken.
        found.may_be_refused = True
    whole = rfc4180(text) if any(line.count('"') % 2 for line in filled) else None
    header = row_of_line(filled[0], 0, True)
    read = rfc4180(filled[0])
    if read is not None and len(read.records) == 1:
        found.header = read.records[0]
    elif whole is not None:
        found.header = whole.records[0]
    else:
        # Quotes in odd places of the header: its names are what csv makes of it, or the file is refused.
        found.header = next(csv.reader([header.line]), [])
        found.may_be_refused = True
    if filled[0].count('"') % 2:
        # A name that goes on in the next line, or a quote that is not closed.
        found.refusal = ("quote",)
        return
    if max(map(len, found.header)) > LONGEST_NAME:
        found.refusal = ("name",)
        return
    width = len(found.header)
    if width > WIDEST:
        found.refusal = ("columns",)
        return
    own = COLUMNS[found.file.source]
    missing = [name for name in own if name not in found.header]
    doubled = [name for name in own if found.header.count(name) > 1]
    if missing or doubled:
        # Or for what makes its rows unreadable, which is looked at first.
        found.refusal = (*missing, *doubled, *(["U+0001"] if is_odd and "\x01" in text else []))
    by_line = [row_of_line(line, width, not is_odd) for line in filled[1:]]
    if whole is None:
        found.tables = [by_line]
        return
    # docs/events.md: a file with a quoted line break is read as one record a row, and its records must end alike. Where
    # a record has too few or too many fields, or a quote stands inside of a field, nobody knows whether that is the
    # quote which was never closed: then each line may stand for itself. So too with blank lines in quotes.
    is_even = not whole.is_loose and all(len(record) == width for record in whole.records)
    if len(whole.ends) > 1 and is_even:
        found.refusal = (*found.refusal, "end in different ways")
    elif len(whole.ends) > 1:
        found.may_be_refused = True
    records = [record for record in whole.records if not (len(record) == 1 and is_blank(record[0]))][1:]
    rows = []
    for record in records:
        rows.append(Row("\0".join(record), (exactly(record) if len(record) == width else MALFORMED,)))
    found.tables = [rows]
    if not is_even:
        found.tables.append(by_line)


def others_of(found: Expected, values: list[str | None]) -> Counter:
    """Return a row's other columns as names and values; null is none."""
    own = COLUMNS[found.file.source]
    pairs = zip(found.header, values, strict=True)
    return Counter(
        (name, value)
        for name, value in pairs
        if value is not None and not (name in own and found.header.count(name) == 1)
    )


def landed_others(found: Expected, text: str | None) -> Counter:
    """Return what other_columns says in the same form: `x (2)` is the second x of a header that has two."""
    pairs: Counter = Counter()
    for name, value in json.loads(text or "{}").items():
        base = re.sub(r" \([0-9]+\)\Z", "", name)
        is_copy = base != name and name not in found.header
        if value is not None:
            pairs[base if is_copy else name, value] += 1
    return pairs


def is_row(found: Expected, row: Row, columns: tuple, other_columns: str | None, malformed_line: str | None) -> bool:
    """Tell whether a row of the raw table is a defensible reading of a landed one."""
    if malformed_line is not None:
        # Lines that a quoted line break joins come as one text; their line ends need not be kept.
        return MALFORMED in row.readings and malformed_line.rstrip("\r\n") == row.line.rstrip("\r\n")
    own = COLUMNS[found.file.source]
    for reading in row.readings:
        if reading == MALFORMED:
            continue
        by_name = {name: values for name, values in zip(found.header, reading, strict=True) if name in own}
        for name, value in zip(own, columns, strict=True):
            is_once = found.header.count(name) == 1
            if (value or None) not in (by_name[name] if is_once else {None}):
                break
        else:
            # The others, by any of the values that each may have.
            wanted = Counter()
            given = landed_others(found, other_columns)
            fits = True
            for name, values in zip(found.header, reading, strict=True):
                if name in own and found.header.count(name) == 1:
                    continue
                value = next((value for value in values if given[name, value] > wanted[name, value]), None)
                if value is not None:
                    wanted[name, value] += 1
                elif None not in values:
                    fits = False
            if fits and wanted == given:
                return True
    return False


def unmatched(found: Expected, table: list[Row], rows: list[tuple]) -> tuple[list[Row], list[tuple]]:
    """Match rows of a raw table (columns, other_columns, malformed_line) with the landed ones; return what is left."""
    left = list(rows)
    missing = []
    # Rows with one reading first: those with several must not take what belongs to them.
    for row in sorted(table, key=lambda row: len(row.readings) * 1000 + sum(map(len, row.readings[-1] or [()]))):
        for number, landed in enumerate(left):
            if is_row(found, row, *landed):
                del left[number]
                break
        else:
            missing.append(row)
    return missing, left


# --- times ------------------------------------------------------------------------------------------------------------

TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[T ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:(Z)|([+-])([0-9]{2}):([0-9]{2}))?"
)
NO_TIME, TOO_EARLY, IN_FUTURE = "time_malformed", "time_too_early", "time_in_future"


def time_of(text: str, modified_at: datetime) -> tuple[datetime | None, tuple[str, ...]]:
    """Read a time: the moment in UTC if it is valid, else the reasons of which one must be given."""
    found = TIME.fullmatch(text)
    if not found:
        return None, (NO_TIME,)
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    sign, hours, minutes = found[9], int(found[10] or 0), int(found[11] or 0)
    if minutes > 59 or hours > 18 or (hours == 18 and minutes):
        # No place is further than 14 hours from UTC, and no clock of ours knows more than 18.
        return None, (NO_TIME,)
    if year == 0:
        # The proleptic calendar has it, most clocks do not.
        return None, (NO_TIME, TOO_EARLY)
    try:
        moment = datetime(year, month, day, hour, minute, second, int((found[7] or "0")[:6].ljust(6, "0")))
    except ValueError:
        return None, (NO_TIME,)
    try:
        moment -= timedelta(hours=hours, minutes=minutes) * (-1 if sign == "-" else 1)
    except OverflowError:
        return None, (NO_TIME, TOO_EARLY if year == 1 else IN_FUTURE)
    if moment > modified_at.astimezone(UTC).replace(tzinfo=None):
        return None, (IN_FUTURE,)
    if moment < datetime(EARLIEST.year, EARLIEST.month, EARLIEST.day):
        return None, (TOO_EARLY,)
    return moment, ()


# --- rules for rows ---------------------------------------------------------------------------------------------------


def judged_event(
    time: str | None, action: str | None, malformed_line: str | None, modified_at: datetime
) -> tuple[datetime | None, list[tuple[str, ...]]]:
    """Judge a row of raw.events: its moment if it is valid, else each reason, as those of which one must be given."""
    if malformed_line is not None:
        return None, [("field_count",)]
    moment, reasons = time_of(time, modified_at) if time else (None, ("time_missing",))
    wrong = [reasons] if reasons else []
    if not action:
        wrong.append(("action_missing",))
    elif action not in ("Open", "Close"):
        wrong.append(("action_unknown",))
    return (moment if not wrong else None), wrong


def judged_purchase(row: tuple, malformed_line: str | None, landed_on: date) -> list[tuple[str, ...]]:
    """Judge a row of raw.purchases by itself: each reason why it is not valid."""
    if malformed_line is not None:
        return [("field_count",)]
    key, product, user, day = (value or "" for value in row)
    reasons = []
    for name, value, pattern in (
        ("purchase_id", key, "[0-9]{10}"),
        ("product", product, "(?!0+$)[0-9]{1,9}"),
        ("user", user, "[0-9]{7}"),
    ):
        if not re.fullmatch(pattern, value):
            reasons.append((f"{name}_{'malformed' if value else 'missing'}",))
    if not day:
        reasons.append(("date_missing",))
    elif not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", day):
        reasons.append(("date_malformed",))
    else:
        try:
            bought = date.fromisoformat(day)
        except ValueError:
            # The year 0 is one of the proleptic calendar.
            reasons.append(("date_malformed", "date_too_early") if day.startswith("0000") else ("date_malformed",))
        else:
            reasons += [("date_after_landed_day",)] if bought > landed_on else []
            reasons += [("date_too_early",)] if bought < EARLIEST else []
    return reasons


def gives(reasons: list[str], wanted: list[tuple[str, ...]]) -> bool:
    """Tell whether reasons are those wanted, each given once."""
    return len(reasons) == len(wanted) and all(sum(reason in either for reason in reasons) == 1 for either in wanted)


# --- JSON lines -------------------------------------------------------------------------------------------------------


class Number(str):
    """A JSON number, NaN or Infinity, as its text."""


class Pairs(list):
    """A JSON object as its pairs."""


@dataclass(frozen=True)
class Reading:
    """A valid line, or one that is an object and breaks a rule."""

    truck: object
    moment: datetime | None
    values: dict[str, object]  # without truck, time and nulls
    all_values: dict[str, object]
    reasons: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Line:
    """A landed line of JSON: how it must be read, or may be quarantined as a whole."""

    text: str
    # None where it is no object, has a key twice, or has what a parser gives up on.
    reading: Reading | None
    # It may be quarantined as malformed all the same.
    may_be_malformed: bool = False


def depth_of(text: str) -> int:
    """Return how deep a JSON text nests, brackets within strings not counted."""
    deepest = depth = 0
    for sign in re.findall(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', text):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(sign, 0)
        deepest = max(deepest, depth)
    return deepest


def _pairs(pairs: list) -> Pairs:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a key twice")
    return Pairs(pairs)


def parsed(text: str) -> dict[str, object] | None:
    """Read a line as exactly one JSON object with no key twice at any depth; None where it is none."""
    # docs/fleet_sensors.md: an infinity may have a sign, or be short then.
    infinities = {"+Infinity": "Infinity", "+INF": "Infinity", "-INF": "-Infinity"}
    in_strings_or_not = r'"(?:[^"\\]|\\.)*"|\+Infinity|[+-]INF'
    text = re.sub(in_strings_or_not, lambda found: infinities.get(found[0], found[0]), text)
    try:
        value = json.loads(text, parse_float=Number, parse_int=Number, parse_constant=Number, object_pairs_hook=_pairs)
    except (ValueError, RecursionError):
        return None
    return dict(value) if isinstance(value, Pairs) else None


def names_and_numbers(value: object) -> tuple[int, int]:
    """Return the lengths of the longest name and of the longest number at any depth."""
    if isinstance(value, Number):
        return 0, len(value)
    longest = (0, 0)
    pairs = value if isinstance(value, Pairs) else [("", inner) for inner in value] if isinstance(value, list) else []
    for name, inner in pairs:
        one = names_and_numbers(inner)
        longest = max(longest[0], len(name), one[0]), max(longest[1], one[1])
    return longest


def json_type(value: object) -> str | None:
    """Name what a value is, as the ledger does."""
    if isinstance(value, Number):
        number = float(value)
        return "NaN" if math.isnan(number) else "infinity" if math.isinf(number) else "number"
    kinds = {bool: "boolean", str: "string", Pairs: "object", list: "array", type(None): None}
    return kinds[type(value)]


def is_no_decimal(number: str) -> bool:
    """Tell whether decimals cannot hold a number: docs/fleet_sensors.md, for a truck's."""
    return "e" in number.lower() or len(re.sub("[^0-9]", "", number)) > 38


def reading_of(values: dict[str, object], modified_at: datetime) -> Reading:
    """Judge a line that is an object."""
    reasons: list[tuple[str, ...]] = []
    truck, at = values.get("truck_id"), values.get("recorded_at")
    kind = json_type(truck)
    if truck is None or (isinstance(truck, str) and not truck.strip(" ")):
        reasons.append(("truck_missing",))
    elif kind not in ("string", "number") or (kind == "number" and is_no_decimal(truck)):
        reasons.append(("truck_malformed",))
    moment = None
    if at is None or (isinstance(at, str) and not isinstance(at, Number) and at == ""):
        reasons.append(("time_missing",))
    elif not isinstance(at, str) or isinstance(at, Number):
        reasons.append(("time_malformed",))
    else:
        moment, wrong = time_of(at, modified_at)
        reasons += [wrong] if wrong else []
    sensors = {name: value for name, value in values.items() if name not in ("truck_id", "recorded_at")}
    return Reading(
        truck, moment, {name: value for name, value in sensors.items() if value is not None}, values, tuple(reasons)
    )


MODIFIED_AT = datetime(2026, 6, 1, tzinfo=UTC)


def line_of(text: str) -> Line:
    """Read a line."""
    depth = depth_of(text)
    # What a parser gives up on is quarantined whole: more than some 1000 levels, names over 50,000 signs, numbers over
    # 1000. The bounds are the parser's, so that near them both answers are right.
    values = parsed(text) if depth < 1100 else None
    if values is None:
        bare = text.lstrip("\ufeff").rstrip("\ufeff")
        if bare != text and (bare_values := parsed(bare)) is not None:
            # A byte order mark is no part of a line (docs), and nothing may stand before an object: either holds.
            return Line(text, reading_of(bare_values, MODIFIED_AT), may_be_malformed=True)
        return Line(text, None)
    name, number = names_and_numbers(Pairs(values.items()))
    if name > 50_500 or number > 1_100:
        return Line(text, None)
    if re.search("[\ud800-\udfff]", json.dumps(values, ensure_ascii=False)):
        # docs/fleet_sensors.md: an escape that is half a character makes the line malformed.
        return Line(text, None)
    is_near = depth > 900 or name > 49_500 or number > 950
    return Line(text, reading_of(values, MODIFIED_AT), may_be_malformed=is_near)


def read_lines(found: Expected, text: str) -> None:
    """Read a text of JSON lines."""
    lines = lines_of(text)
    if any(len(line.encode()) > LONGEST_JSON_LINE for line in lines):
        found.refusal = ("longer",)
        return
    found.header = ["line"]
    # Byte order marks are no part of a line, wherever they stand.
    found.lines = [line_of(line) for line in lines if not is_blank(line.replace("\ufeff", ""))]


def same_json(landed: object, shown_text: str | None) -> bool:
    """Tell whether a column's text is a landed value: equal as JSON, numbers as doubles."""
    if shown_text is None:
        return False
    try:
        value = json.loads(
            shown_text,
            parse_float=Number,
            parse_int=Number,
            parse_constant=Number,
            object_pairs_hook=Pairs,
            strict=False,
        )
    except ValueError:
        # NaN and Infinity have no JSON; a renderer may write them as texts.
        return False
    return same_value(landed, value)


def same_value(landed: object, value: object) -> bool:
    """Tell whether two JSON values are equal, an object's pairs in whatever order."""
    if isinstance(landed, Number):
        if json_type(landed) in ("NaN", "infinity"):
            # A number too large for a double may be shown as it landed, or as what it is as a double.
            text = str(value).strip('"')
            return text == str(landed) or (isinstance(value, str) and text in spelled(float(landed)))
        return isinstance(value, Number) and float(landed) == float(value)
    if isinstance(value, Number) or type(landed) is not type(value):
        return False
    if isinstance(landed, Pairs):
        others = dict(value)
        return len(others) == len(landed) and all(
            clean(name) in {clean(other) for other in others}
            and any(clean(other) == clean(name) and same_value(inner, others[other]) for other in others)
            for name, inner in landed
        )
    if isinstance(landed, list):
        return len(landed) == len(value) and all(map(same_value, landed, value))
    if isinstance(landed, str):
        return clean(landed) == clean(value)
    return landed == value


def spelled(number: float) -> tuple[str, ...]:
    """Return the ways to write what is no JSON number."""
    return ("NaN", "nan") if math.isnan(number) else ("Infinity", "inf") if number > 0 else ("-Infinity", "-inf")


def clean(text: str) -> str:
    """Return a text with what UTF-8 cannot hold made alike."""
    return re.sub("[\ud800-\udfff\ufffd]", "?", text)


def truck_text(truck: object, shown_text: str | None) -> bool:
    """Tell whether a truck's text is what landed: a text as it is, a number in any spelling."""
    if shown_text is None:
        return False
    if isinstance(truck, Number):
        try:
            return Decimal(shown_text) == Decimal(truck)
        except InvalidOperation:
            return False
    return isinstance(truck, str) and clean(truck) == clean(shown_text)


def file_name(text: str) -> str:
    """Return a text that can be a file's name, for what the fuzzer saves."""
    return re.sub(r"[^A-Za-z0-9._=-]+", "_", os.fsencode(text).decode("ascii", "replace"))[-80:]
