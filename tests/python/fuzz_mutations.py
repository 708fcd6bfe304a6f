"""Seeded mutations of valid landing files of all three sources: what a round of the fuzzer lands.

A file starts valid, goes through none to three mutations, and comes out as a name and bytes. The same seed gives the
same files. Nothing here knows what the loader makes of them: fuzz_reading does.
"""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

# The rules of a round: no valid event may be so early that millions of quiet windows lie behind it.
EARLIEST = date(2026, 1, 1)
FIRST_DAY = date(2026, 2, 1)
SOURCES = ("events", "purchases", "fleet_sensors")
PURCHASE_COLUMNS = ("PurchaseID", "product", "user", "date")


@dataclass(frozen=True)
class File:
    """A file to land: its path below the source's folder (odd bytes as os.fsdecode gives them) and its bytes."""

    source: str
    name: str
    content: bytes
    mutations: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Its path below the landing folder."""
        return f"{self.source}/{self.name}"


@dataclass
class Draft:
    """A file in the making: a table or lines, then bytes, then a name."""

    source: str
    folder: str
    stem: str
    number: int
    ending: str
    header: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    line_end: str = "\n"
    ends_with_line_end: bool = True
    quote_all: bool = False
    encoding: str = "utf-8"
    content: bytes = b""
    pack: Callable[[bytes], bytes] | None = None

    @property
    def is_json(self) -> bool:
        return self.source == "fleet_sensors"


Mutation = Callable[[random.Random, Draft], None]
STAGES = ("table", "lines", "encoding", "bytes", "pack", "name")
# By name: stage, sources, weight, function.
MUTATIONS: dict[str, tuple[str, tuple[str, ...], float, Mutation]] = {}


def mutation(name: str, stage: str, *sources: str, weight: float = 1) -> Callable[[Mutation], Mutation]:
    """Register a mutation for sources, all where none is named."""

    def register(function: Mutation) -> Mutation:
        MUTATIONS[name] = (stage, sources or SOURCES, weight, function)
        return function

    return register


CSV = ("events", "purchases")
JSON = ("fleet_sensors",)

# --- valid files ------------------------------------------------------------------------------------------------------


def valid_file(chance: random.Random, source: str, number: int) -> Draft:
    """Make a valid file: enough rows that one or two bad ones do not refuse it."""
    count = chance.randint(41, 60)
    if source == "events":
        day = EARLIEST + timedelta(days=chance.randint(4, 40))
        folder = chance.choice([f"{day:%Y/%m/%d}", f"year={day:%Y}/month={day:%m}/day={day:%d}", "a/b", "."])
        draft = Draft(source, folder, f"e{number}", number, "csv", ["time", "action"])
        start = datetime(day.year, day.month, day.day, 6)
        for _ in range(count):
            moment = start + timedelta(
                seconds=chance.randint(0, 40_000), microseconds=chance.choice([0, 0, 1, 120_000])
            )
            text = moment.isoformat(sep=chance.choice("T ")) + chance.choice(["", "Z", "+00:00", "+01:30", "-05:00"])
            draft.rows.append([text, chance.choice(["Open", "Close"])])
    elif source == "purchases":
        day = FIRST_DAY + timedelta(days=number)
        draft = Draft(source, f"{day:%Y/%m/%d}", f"p{number}", number, "csv", list(PURCHASE_COLUMNS))
        for key in chance.sample(range(70), count):
            bought = EARLIEST + timedelta(days=key % 31)
            if chance.random() < 0.1:
                bought = day - timedelta(days=chance.choice([0, 1, 20]))
            user = f"{1_000_000 + key}"
            draft.rows.append([f"{1_000_000_000 + key}", str(chance.choice([key + 1, key + 1, 7])), user, f"{bought}"])
    else:
        day = EARLIEST + timedelta(days=chance.randint(4, 40))
        folder = chance.choice([f"{day:%Y/%m/%d}", f"year={day:%Y}/month={day:%m}/day={day:%d}", f"{day:%Y/%m/%d}/sub"])
        draft = Draft(source, folder, f"s{number}", number, "jsonl")
        start = datetime(day.year, day.month, day.day, 6)
        for minute in range(count):
            values = {name: sensor_value(chance) for name in chance.sample(["speed", "oil_temp", "Oil °C", "a.b"], 2)}
            at = (start + timedelta(minutes=minute)).isoformat() + chance.choice(["", "Z", "+01:00"])
            draft.lines.append(
                json.dumps(
                    {"truck_id": f"T{number}", "recorded_at": at, **values},
                    ensure_ascii=chance.random() < 0.3,
                    separators=chance.choice([None, (",", ":")]),
                )
            )
    if draft.source != "purchases" and chance.random() < 0.05:
        draft.line_end = chance.choice(["\r\n", "\r"])
    return draft


def sensor_value(chance: random.Random) -> object:
    """Make a value as trucks send it: mostly a number."""
    return chance.choice([chance.randint(-50, 900), round(chance.uniform(-90, 90), chance.randint(0, 6)), 0, 1.5, None])


# --- odd names, values, times -----------------------------------------------------------------------------------------

ODD_NAMES = [
    "${env:HOME}", "${date}", "$", "kind", "step", "version", "taken_on", "current_number", "last_number",
    "changed_from",
    "landed_on", "is_valid", "row_count", "purchase_id", "product_id", "purchased_on", "valid_from", "valid_to",
    "content",
    "path", "line", "malformed_line", "other_columns", "loaded_at", "file_modified_at", "file_id", "reasons", "year",
    "c0",
    "_corrupt_record", "value", "key", "sensor", "Note", "note", "NOTE", "über", "油温", "", " ", "a b", "a,b", 'a"b',
    "a'b",
    "a`b", "a\\b", "a\\", "a;b", "{{ ref('x') }}", "{% raw %}", "/* in_scope: path */ true", "-- x", "select", "x (2)",
    "x_12345678", "1st", "_x", "a\tb", "a" * 64, "b" * 65, "c" * 300, "🚚", "é", "e\u0301", "null", "true", "%s",
    "a\u2028b",
    "truck_id ", "Truck_ID", "TRUCK_ID", "recorded_at ", "ends_here", "landed_values", "landed_text", "col", "#",
    "a.b", "*",
    "İ", "ß", "\u00a0", "\u200b", "ǅ", "_", "__", "a__b", "line_number", "event_at", "status", "date (2)", "day",
]  # fmt: skip

ODD_VALUES = [
    "", " ", "\t", "null", "NULL", "NaN", "-", "0", "${env:HOME}", "${x}", "a\\", "\\N", "\\", "'", "''", "é", "🚚",
    "\u00a0",
    "a'b", "{{ x }}", "/* x */", "--", "#", "\u2028", "\x85", "\x0b", "\x0c", "\x00", "\x01", "\x1a", "\ufeff",
    "open", "OPEN",
    " Open", "Open ", "Close", "x" * 3000, "1", "-1", "1e3", "\uff11\uff12", "٣", "0x1", "1,5", "a,b", 'a"b', '""',
    '"', "a\nb",
    "\n",
]  # fmt: skip


def odd_times(chance: random.Random, moment: datetime) -> str:
    """Make a text that is, or nearly is, a time."""
    base = moment.isoformat()
    day, clock = f"{moment:%Y-%m-%d}", f"{moment:%H:%M:%S}"
    digits = "".join(chance.choice("0123456789") for _ in range(chance.randint(1, 12)))
    return chance.choice([
        f"{base}.{digits}", f"{base}.{digits}Z", f"{base}.{digits}+01:00", f"{base}.", f"{base},5", f"{base}z",
        f"{day}t{clock}",
        f"{base} Z", f"{base}+0100", f"{base}+01", f"{base}+1:00", f"{base}+18:00", f"{base}-18:00", f"{base}+18:01",
        f"{base}+23:59", f"{base}+01:60", f"{base}-00:00", f"{base}+00:00:00", f"{base}UTC", f"{base} Europe/Berlin",
        f"{base}+99:99", f"{base}[UTC]", f"{day}  {clock}", f"{day}_{clock}", f"{day}T{clock[:5]}",
        f"{day}T{clock[:7]}", day,
        clock, clock[:5], f"T{clock}", f"{day}T24:00:00", f"{day}T23:59:60", f"{day}T12:60:00", f"{day}T25:00:00",
        "2026-02-29T10:00:00Z", "2024-02-29T10:00:00Z", "2026-02-30T10:00:00", "2026-13-01T10:00:00",
        "2026-00-10T10:00:00",
        "2026-01-00T10:00:00", "2026-04-31T10:00:00Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+18:00", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-18:00",
        "9999-12-31T23:59:59.999999999Z",
        "10000-01-01T00:00:00Z", f"+{base}", f"-{base}", f" {base}", f"{base} ", f"{base}\t", "1582-10-10T00:00:00Z",
        base.replace("2026", "\uff12\uff10\uff12\uff16"), base.replace("-", "/"), base.replace(":", "."),
        base.replace("T", "T "),
        "2025-12-31T23:59:59Z", "2025-12-31T23:59:59.999999Z", "2026-01-01T00:00:00Z", "2026-01-01T00:59:59+01:00",
        "2026-06-01T00:00:00Z", "2026-06-01T00:00:00.000001Z", "2026-06-01T00:00:01Z", "2026-06-01T05:30:00+05:30",
        "2026-05-31T19:00:00-05:00", "1970-01-01T00:00:00Z", "1767607200", "now", "today", "epoch",
        "2026-W02-1T10:00:00",
        "2026-010T10:00:00", "20260105T100000", f"{base}Z\n", f"{base}\x00", f"'{base}'", f"{base}\u221201:00",
    ])  # fmt: skip


# --- tables: headers, cells, quoting ----------------------------------------------------------------------------------


@mutation("columns.order", "table", *CSV)
def _(chance: random.Random, draft: Draft) -> None:
    order = list(range(len(draft.header)))
    chance.shuffle(order)
    draft.header = [draft.header[n] for n in order]
    # A row that has too few or too many fields already is left as it is.
    draft.rows = [[row[n] for n in order] if len(row) == len(order) else row for row in draft.rows]


def add_column(chance: random.Random, draft: Draft, name: str, values: Iterable[str]) -> None:
    """Put a column into a table, somewhere."""
    at = chance.randint(0, len(draft.header))
    draft.header.insert(at, name)
    for row, value in zip(draft.rows, values, strict=False):
        row.insert(at, value)


@mutation("columns.extra", "table", *CSV, weight=4)
def _(chance: random.Random, draft: Draft) -> None:
    for _ in range(chance.choice([1, 1, 2, 5])):
        values = [chance.choice(["", "x", "1", chance.choice(ODD_VALUES)]) for _ in draft.rows]
        add_column(chance, draft, chance.choice(ODD_NAMES), values)


@mutation("columns.doubled", "table", *CSV)
def _(chance: random.Random, draft: Draft) -> None:
    if chance.random() < 0.3:
        add_column(chance, draft, chance.choice(draft.header), ["z"] * len(draft.rows))
    else:
        for name in (["x", "x"], ["x", "x", "x (2)"], ["x (2)", "x", "x", "x"], ["", ""])[chance.randrange(4)]:
            add_column(chance, draft, name, [chance.choice("abc") for _ in draft.rows])


@mutation("columns.missing", "table", *CSV)
def _(chance: random.Random, draft: Draft) -> None:
    at = chance.randrange(len(draft.header))
    del draft.header[at]
    for row in draft.rows:
        del row[at : at + 1]


@mutation("columns.renamed", "table", *CSV)
def _(chance: random.Random, draft: Draft) -> None:
    at = chance.randrange(len(draft.header))
    name = draft.header[at]
    draft.header[at] = chance.choice(
        [name.upper(), name.title(), f" {name}", f"{name} ", f"\ufeff{name}", f"'{name}'", ""]
    )


@mutation("columns.many", "table", *CSV, weight=0.3)
def _(chance: random.Random, draft: Draft) -> None:
    for number in range(chance.choice([100, 400, 1990, 2001])):
        draft.header.append(f"c{number}")
        for row in draft.rows:
            row.append("")


@mutation("columns.long_name", "table", *CSV, weight=0.5)
def _(chance: random.Random, draft: Draft) -> None:
    add_column(chance, draft, "n" * chance.choice([255, 256, 4000, 70_000]), ["v"] * len(draft.rows))


@mutation("columns.no_header", "table", *CSV, weight=0.5)
def _(chance: random.Random, draft: Draft) -> None:
    draft.header = draft.rows.pop(0)


def some_rows(chance: random.Random, draft: Draft) -> list[int]:
    """Choose one or two rows, few enough that the file is not refused for them; now and then many."""
    return chance.sample(range(len(draft.rows)), min(len(draft.rows), chance.choice([1, 1, 2, 2, 2, 9])))


@mutation("cells.odd", "table", *CSV, weight=3)
def _(chance: random.Random, draft: Draft) -> None:
    for row in some_rows(chance, draft):
        if draft.rows[row]:
            draft.rows[row][chance.randrange(len(draft.rows[row]))] = chance.choice(ODD_VALUES)


@mutation("cells.times", "table", "events", weight=6)
def _(chance: random.Random, draft: Draft) -> None:
    for row in some_rows(chance, draft):
        if "time" in draft.header and len(draft.rows[row]) == len(draft.header):
            at = EARLIEST + timedelta(days=chance.randint(5, 30))
            text = odd_times(chance, datetime(at.year, at.month, at.day, 10, 30, 15))
            draft.rows[row][draft.header.index("time")] = text


@mutation("cells.purchases", "table", "purchases", weight=6)
def _(chance: random.Random, draft: Draft) -> None:
    odd = {
        "PurchaseID": ["1", "12345678901", "100000000x", " 1000000001", "1000000001 ", "1000000001\x00",
        "\uff11\uff10\uff10\uff10\uff10\uff10\uff10\uff1001",
        "",
                       "0000000000", "9999999999", "+100000001", "1000000.01"],
        "product": ["0", "00", "007", "-1", "+1", "1.0", "999999999", "1000000000", "2147483648", "", " 1", "1e3",
        "\uff11", "0x1"],
        "user": ["0000000", "999999", "10000000", "+100000", "1000000 ", "", "100000\u0661"],
        "date": ["2026-02-30", "2026-1-01", "2026-01-1", "20260101", "2025-12-31", "2026-01-01", "2024-02-29",
        "0000-01-01",
                 "9999-12-31", "2026-01-01T00:00:00", "2026-01-01 ", "01-01-2026", "today", "2026/01/01", "",
                 "\uff12\uff10\uff12\uff16-01-01"],
    }  # fmt: skip
    for row in some_rows(chance, draft):
        name = chance.choice(PURCHASE_COLUMNS)
        if name in draft.header and len(draft.rows[row]) == len(draft.header):
            draft.rows[row][draft.header.index(name)] = chance.choice(odd[name])


@mutation("rows.copies", "table", *CSV, weight=2)
def _(chance: random.Random, draft: Draft) -> None:
    for row in some_rows(chance, draft):
        draft.rows.insert(chance.randint(0, len(draft.rows)), list(draft.rows[row]))


@mutation("rows.different", "table", "purchases")
def _(chance: random.Random, draft: Draft) -> None:
    for row in some_rows(chance, draft):
        copy = list(draft.rows[row])
        copy[chance.randrange(len(copy))] = chance.choice(["8", "08", "1000001", "2026-01-02"])
        draft.rows.append(copy)


@mutation("rows.width", "table", *CSV, weight=2)
def _(chance: random.Random, draft: Draft) -> None:
    for row in some_rows(chance, draft):
        if chance.random() < 0.5 and len(draft.rows[row]) > 1:
            draft.rows[row].pop(chance.randrange(len(draft.rows[row])))
        else:
            for _ in range(chance.choice([1, 1, 3, 700])):
                draft.rows[row].insert(chance.randint(0, len(draft.rows[row])), chance.choice(["", "x", "Open"]))


@mutation("quotes.all", "table", *CSV)
def _(chance: random.Random, draft: Draft) -> None:
    draft.quote_all = True


@mutation("quotes.line_breaks", "table", *CSV, weight=2)
def _(chance: random.Random, draft: Draft) -> None:
    texts = [
        "one\ntwo",
        "\n",
        "a\r\nb",
        "a\n\nb",
        'say "x"\nand',
        "a\n2026-01-10T10:00:00Z,Open\nb",
        "x\n1000000001,1,1000001,x",
    ]
    values = [chance.choice(texts) if chance.random() < 0.2 else "x" for _ in draft.rows]
    add_column(chance, draft, chance.choice(["note", "no\nte", "n,o", 'n"o']), values)


# --- lines ------------------------------------------------------------------------------------------------------------


def csv_line(values: list[str], quote_all: bool) -> str:
    """Write a row as RFC 4180 says."""
    return ",".join(
        '"' + value.replace('"', '""') + '"' if quote_all or any(sign in value for sign in '",\r\n') else value
        for value in values
    )


def some_lines(chance: random.Random, draft: Draft) -> list[int]:
    """Choose one or two lines after the first."""
    if len(draft.lines) < 2:
        return []
    return chance.sample(range(1, len(draft.lines)), min(len(draft.lines) - 1, chance.choice([1, 1, 2, 2, 5])))


@mutation("lines.swapped", "lines")
def _(chance: random.Random, draft: Draft) -> None:
    first, second = chance.randrange(len(draft.lines)), chance.randrange(len(draft.lines))
    draft.lines[first], draft.lines[second] = draft.lines[second], draft.lines[first]


@mutation("lines.doubled", "lines", weight=2)
def _(chance: random.Random, draft: Draft) -> None:
    draft.lines.insert(chance.randint(0, len(draft.lines)), chance.choice(draft.lines))


@mutation("lines.cut", "lines", weight=2)
def _(chance: random.Random, draft: Draft) -> None:
    for row in some_lines(chance, draft):
        draft.lines[row] = draft.lines[row][: chance.randint(0, len(draft.lines[row]))]


@mutation("lines.joined", "lines", weight=2)
def _(chance: random.Random, draft: Draft) -> None:
    for row in some_lines(chance, draft)[:2]:
        if row + 1 < len(draft.lines):
            draft.lines[row] += chance.choice(["", " ", ",", "\t", "\x00"]) + draft.lines.pop(row + 1)


@mutation("lines.blank", "lines", weight=2)
def _(chance: random.Random, draft: Draft) -> None:
    for _ in range(chance.choice([1, 3])):
        blank = chance.choice(
            ["", " ", "\t", "\x00", "\x1f", "\x0b", "\x0c", "\u00a0", "\ufeff", "\x85", "\u2028", "\x7f"]
        )
        draft.lines.insert(chance.randint(0, len(draft.lines)), blank)


@mutation("lines.none", "lines", weight=0.3)
def _(chance: random.Random, draft: Draft) -> None:
    draft.lines = draft.lines[: chance.randint(0, 1)]


@mutation("lines.ends", "lines")
def _(chance: random.Random, draft: Draft) -> None:
    draft.line_end = chance.choice(["\r\n", "\r", "\n", "\n\r", "\r\r\n", "\n\n", "\x85", "\u2028"])
    draft.ends_with_line_end = chance.random() < 0.5


@mutation("lines.ends_mixed", "lines")
def _(chance: random.Random, draft: Draft) -> None:
    for row in some_lines(chance, draft):
        draft.lines[row] += chance.choice(["\r", "\n", "\r\n", "\r\r"])


@mutation("lines.long", "lines", weight=0.3)
def _(chance: random.Random, draft: Draft) -> None:
    for row in some_lines(chance, draft)[:1]:
        draft.lines[row] += chance.choice(["x", " ", ","]) * chance.choice([5000, 25_000, 100_000, 600_000])


@mutation("quotes.stray", "lines", *CSV, weight=4)
def _(chance: random.Random, draft: Draft) -> None:
    for row in some_lines(chance, draft):
        line = draft.lines[row]
        for _ in range(chance.choice([1, 1, 2, 3])):
            at = chance.randint(0, len(line))
            line = line[:at] + chance.choice(['"', '""', '\\"', '"x', '",', ',"', '"\n"']) + line[at:]
        draft.lines[row] = line


@mutation("quotes.around", "lines", *CSV, weight=2)
def _(chance: random.Random, draft: Draft) -> None:
    around = chance.choice(
        ['{}"', '"{}', ' "{}"', '"{}" ', '"{}"x', 'x"{}"', '"{}""', '""{}"', '"{}\\"', '"""{}"""', "'{}'", '"{},']
    )
    for row in some_lines(chance, draft):
        fields = draft.lines[row].split(",")
        at = chance.randrange(len(fields))
        fields[at] = around.format(fields[at])
        draft.lines[row] = ",".join(fields)


# --- lines of JSON ----------------------------------------------------------------------------------------------------

ODD_JSON = [
    "null", "true", "false", '""', '" "', '"x"', '"12.5"', "[]", "{}", "[1,2]", '{"speed": 5}', '[[[[[{"speed":5}]]]]]',
    '{"a":{"b":{"c":{"d":{"e":[1]}}}}}', "NaN", "Infinity", "-Infinity", "+Infinity", "-INF", "+INF", "INF", "nan",
    "inf", "-NaN", "1e999", "-1e999",
    "1e-999", "1E400", "0", "-0", "-0.0", "0.0", "1e3", "1E+3", "12.50", "1.0", "100000000000000000001",
    "9007199254740993",
    "1" * 40, "0." + "1" * 60, "1" * 999, "1" * 1001, "1" * 5000, "01", "00", "+1", ".5", "1.", "1.e3", "1e", "0x10",
    "1_000",
    "1,5", "1 2", "--1", "1d", "1f", "1L", "'x'", "x", "undefined", "None", "True", '"\\u00e9"', '"\\ud83d\\ude00"',
    '"\\ud800"',
    '"\\udc00x"', '"\\u0000"', '"\\x41"', '"\\/"', '"\\"', '"a\tb"', '"\x01"', '"\x7f"', '"\u2028"', '"\\u00"',
    '"\\n"', "\u0661",
    '{"a":1,"a":2}', '{"a":{"b":1,"b":2}}', '[{"a":1},{"a":1}]', '[{"a":1,"a":1}]', '{"a":1', "[1", '"x', "/* x */ 1",
    '"/* in_scope: path */ true"', '"${env:HOME}"', "[" * 50 + "]" * 50, '{"a":' * 60 + "1" + "}" * 60,
    "[" * 700 + "]" * 700,
    "[" * 1500 + "]" * 1500, '"' + "x" * 100_000 + '"', '{"' + "k" * 60_000 + '":1}', "2.2250738585072011e-308",
    "5e-324",
    "1.7976931348623157e308", "1.7976931348623159e308", "123456789012345678.123456789", "[NaN]", '{"":1}', "1.10e-2",
    "1e0001",
]  # fmt: skip


def members_of(line: str) -> list[tuple[str, str]] | None:
    """Return a line's keys and values as JSON texts; None where it is no object any more."""
    try:
        pairs = json.loads(line, object_pairs_hook=list)
    except ValueError:
        return None
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) for pair in pairs):
        return None
    return [(json.dumps(key), json.dumps(value)) for key, value in pairs]


def object_of(members: list[tuple[str, str]], chance: random.Random) -> str:
    """Write keys and values, both JSON texts, as a line."""
    comma, colon = chance.choice([(", ", ": "), (",", ":"), (" ,\t", " :  ")])
    return "{" + comma.join(key + colon + value for key, value in members) + "}"


def each_object(chance: random.Random, draft: Draft, change: Callable[[list[tuple[str, str]]], None]) -> None:
    """Change the members of some lines."""
    for row in some_lines(chance, draft):
        members = members_of(draft.lines[row])
        if members:
            change(members)
            draft.lines[row] = object_of(members, chance)


@mutation("json.values", "lines", *JSON, weight=8)
def _(chance: random.Random, draft: Draft) -> None:
    def change(members: list) -> None:
        key = json.dumps(chance.choice(["speed", "oil_temp", "new", "x"]))
        if key not in [name for name, _ in members]:
            members.insert(chance.randint(0, len(members)), (key, chance.choice(ODD_JSON)))
        else:
            members[:] = [(name, chance.choice(ODD_JSON) if name == key else value) for name, value in members]

    each_object(chance, draft, change)


@mutation("json.keys", "lines", *JSON, weight=5)
def _(chance: random.Random, draft: Draft) -> None:
    def change(members: list) -> None:
        for _ in range(chance.choice([1, 2, 4])):
            key = json.dumps(chance.choice(ODD_NAMES), ensure_ascii=chance.random() < 0.5)
            members.insert(
                chance.randint(0, len(members)), (key, chance.choice(["1", "2.50", '"x"', chance.choice(ODD_JSON)]))
            )

    each_object(chance, draft, change)


@mutation("json.odd_keys", "lines", *JSON, weight=2)
def _(chance: random.Random, draft: Draft) -> None:
    keys = [
        '"\\u0073peed"', '"\\ud800"', '"\\u0000"', '"a\\u0000b"', '"\\n"', '"\\"', "speed", "'speed'", '"s" "p"', "1",
        "null",
        '"' + "k" * 300 + '"', '"' + "k" * 49_000 + '"', '"' + "k" * 51_000 + '"', '"\\ud83d\\ude9a"', '"\\/"',
        '"\\\\"', '"a\tb"',
        '"truck\\u005fid"', '"\\u202e"', '"\\b\\f"',
    ]  # fmt: skip

    def change(members: list) -> None:
        members.insert(chance.randint(0, len(members)), (chance.choice(keys), chance.choice(["1", "2.50", '"x"'])))

    each_object(chance, draft, change)


@mutation("json.doubled_keys", "lines", *JSON, weight=2)
def _(chance: random.Random, draft: Draft) -> None:
    def change(members: list) -> None:
        name, value = chance.choice(members)
        twice = chance.choice([name, f'"\\u{ord(name[1]):04x}{name[2:]}', name])
        members.insert(chance.randint(0, len(members)), (twice, chance.choice([value, "1", "null", '{"a":1,"a":1}'])))

    each_object(chance, draft, change)


@mutation("json.trucks", "lines", *JSON, weight=2)
def _(chance: random.Random, draft: Draft) -> None:
    odd = [
        "null", '""', '" "', '"  "', '"\\t"', '"\\u00a0"', "true", "17", "17.50", "1e2", "-0", "0", "1e999", "NaN",
        "[]", '["T1"]',
        '{"a":1}', '"null"', '" T1"', '"T1 "', '"é"', '"\\ud800"', '"\\u0000"', '"${env:HOME}"', '"a\\"b"', '"\\n"',
        '"' + "t" * 5000 + '"',
    ]  # fmt: skip

    def change(members: list) -> None:
        value = chance.choice(odd)
        members[:] = [(name, value if name == '"truck_id"' else old) for name, old in members]
        if chance.random() < 0.2:
            members[:] = [(name, old) for name, old in members if name != '"truck_id"']

    each_object(chance, draft, change)


@mutation("json.times", "lines", *JSON, weight=5)
def _(chance: random.Random, draft: Draft) -> None:
    def change(members: list) -> None:
        at = EARLIEST + timedelta(days=chance.randint(5, 30))
        text = json.dumps(odd_times(chance, datetime(at.year, at.month, at.day, 10, 30, 15)))
        value = chance.choice(
            [text, text, text, text, "null", '""', "1767607200", "true", '["2026-01-05T10:00:00Z"]', "{}"]
        )
        members[:] = [(name, value if name == '"recorded_at"' else old) for name, old in members]

    each_object(chance, draft, change)


@mutation("json.around", "lines", *JSON, weight=4)
def _(chance: random.Random, draft: Draft) -> None:
    around = [
        "{}{}", "{} {}", "{}}}", "{{{}", "[{}]", "{},", ",{}", "{} x", "x {}", "{}1", "{} null", "{}//", "/**/{}",
        "# {}", " {} ", "\t{}\t",
        "{}\x00", "\x00{}", "{}\x1f", "\ufeff{}", "{}\ufeff", "\u00a0{}", "{}\x0c", '{},"speed":9', '{}"',
        '{},"line":{{"speed":7}}',
        '{},"ends_here":true', '{{"line":{}}}', "{};", "{}\\", "{}]", "{}\u2028", "{}\x85",
    ]  # fmt: skip
    for row in some_lines(chance, draft):
        text = draft.lines[row]
        draft.lines[row] = chance.choice(around).replace("{{", "\x02").replace("}}", "\x03").replace("{}", text)
        draft.lines[row] = draft.lines[row].replace("\x02", "{").replace("\x03", "}")


@mutation("json.closed_early", "lines", *JSON, weight=2)
def _(chance: random.Random, draft: Draft) -> None:
    for row in some_lines(chance, draft):
        members = members_of(draft.lines[row])
        if members:
            at = chance.randint(1, len(members))
            behind = [*members[at:], ('"speed"', "9")]
            swapped = '{"truck_id":"T0","recorded_at":"2026-01-20T10:00:00Z","speed":9}'
            draft.lines[row] = object_of(members[:at], chance) + chance.choice([
                "," + object_of(behind, chance)[1:-1],
                f',"line":{swapped}',
                "," + object_of(behind, chance)[1:],
                f',"line":{object_of(behind, chance)}',
                swapped,
                f',{swapped}',
            ])  # fmt: skip


@mutation("json.nested", "lines", *JSON, weight=2)
def _(chance: random.Random, draft: Draft) -> None:
    def change(members: list) -> None:
        inner = object_of(members, chance)
        for _ in range(chance.choice([0, 1, 3, 4, 5, 6, 20])):
            inner = chance.choice([f"[{inner}]", f'{{"n":{inner}}}'])
        members.append((chance.choice(['"nested"', '"line"', '"speed "', '"landed_values"']), inner))

    each_object(chance, draft, change)


@mutation("json.conflicts", "lines", *JSON, weight=2)
def _(chance: random.Random, draft: Draft) -> None:
    for row in some_lines(chance, draft):
        members = members_of(draft.lines[row])
        if members:
            again = [(k, chance.choice([v, "1", "1.0"]) if n > 1 else v) for n, (k, v) in enumerate(members)]
            draft.lines.append(object_of(again, chance))


# --- encodings --------------------------------------------------------------------------------------------------------


@mutation("encoding", "encoding", weight=5)
def _(chance: random.Random, draft: Draft) -> None:
    draft.encoding = chance.choice([
        "utf-8-sig", "utf-8-sig", "bom twice", "latin-1", "cp1252", "utf-16", "utf-16-le", "utf-16-be",
        "utf-16 be with bom", "utf-32",
        "utf-7", "lone bytes", "lone bytes", "surrogates", "overlong", "cut in a letter",
    ])  # fmt: skip


def encoded(chance: random.Random, draft: Draft) -> bytes:
    """Return the lines as bytes."""
    text = draft.line_end.join(draft.lines) + (draft.line_end if draft.ends_with_line_end and draft.lines else "")
    whole = text.encode("utf-8", "replace")
    kind = draft.encoding
    if kind == "utf-8":
        return whole
    if kind == "bom twice":
        return b"\xef\xbb\xbf" * 2 + whole
    if kind == "utf-16 be with bom":
        return b"\xfe\xff" + text.encode("utf-16-be", "replace")
    if kind in ("latin-1", "cp1252"):
        return (text + "é,ü" + draft.line_end).encode(kind, "replace")
    odd = {
        "lone bytes": b"\xff",
        "surrogates": b"\xed\xa0\x80",
        "overlong": b"\xc0\xaf",
        "cut in a letter": b"\xe6\xb2",
    }
    if kind in odd:
        at = chance.choice([0, len(whole), chance.randint(0, len(whole))])
        return whole[:at] + odd[kind] + whole[at:]
    return text.encode(kind, "replace")


# --- bytes ------------------------------------------------------------------------------------------------------------


@mutation("bytes.flipped", "bytes", weight=4)
def _(chance: random.Random, draft: Draft) -> None:
    content = bytearray(draft.content)
    for _ in range(chance.choice([1, 1, 2, 4])):
        if content:
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(7)
    draft.content = bytes(content)


@mutation("bytes.replaced", "bytes", weight=3)
def _(chance: random.Random, draft: Draft) -> None:
    content = bytearray(draft.content)
    for _ in range(chance.choice([1, 1, 2])):
        if content:
            content[chance.randrange(len(content))] = chance.choice(b'",\n\r\t \x00\\{}[]:0129-+.eTZ\xc3\xff')
    draft.content = bytes(content)


@mutation("bytes.cut", "bytes", weight=3)
def _(chance: random.Random, draft: Draft) -> None:
    at = chance.randint(0, len(draft.content))
    draft.content = draft.content[:at] + draft.content[at + chance.choice([1, 1, 2, 10, 40, 10**9]) :]


@mutation("bytes.doubled", "bytes", weight=3)
def _(chance: random.Random, draft: Draft) -> None:
    at = chance.randint(0, len(draft.content))
    piece = draft.content[at : at + chance.choice([1, 2, 5, 20, 90])]
    draft.content = draft.content[:at] + piece + draft.content[at:]


@mutation("bytes.inserted", "bytes", weight=3)
def _(chance: random.Random, draft: Draft) -> None:
    pieces = [
        b"\x00",
        b'"',
        b",",
        b"\n",
        b"\r",
        b"\\",
        b"\t",
        b" ",
        b"\xef\xbb\xbf",
        b"\x1a",
        b"\xc2\xa0",
        b"\x1f\x8b",
        b"${env:HOME}",
        b"{",
        b"}",
    ]
    for _ in range(chance.choice([1, 1, 2, 3])):
        at = chance.randint(0, len(draft.content))
        draft.content = draft.content[:at] + chance.choice(pieces) + draft.content[at:]


# --- compression ------------------------------------------------------------------------------------------------------


def pack_as(name: str, gz: bool, how: Callable[[random.Random, bytes], bytes], weight: float = 1) -> None:
    """Register a mutation that packs the bytes, in a file whose name ends in .gz or does not."""

    def change(chance: random.Random, draft: Draft) -> None:
        draft.ending = draft.ending.removesuffix(".gz") + (".gz" if gz else "")
        draft.content = how(chance, draft.content)

    mutation(name, "pack", weight=weight)(change)


def zipped(content: bytes) -> bytes:
    """Compress, the same bytes each time."""
    return gzip.compress(content, mtime=0)


def flipped_bit(chance: random.Random, data: bytes) -> bytes:
    """Flip one bit."""
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]


def members(chance: random.Random, content: bytes) -> bytes:
    """Compress in several members, cut anywhere."""
    cuts = sorted(chance.randint(0, len(content)) for _ in range(chance.choice([1, 1, 2])))
    return b"".join(zipped(content[a:b]) for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True))


pack_as("gzip", True, lambda chance, content: zipped(content), weight=4)
pack_as("gzip.members", True, members, weight=2)
pack_as(
    "gzip.torn", True, lambda chance, content: (data := zipped(content))[: chance.randint(0, len(data) - 1)], weight=2
)
pack_as("gzip.padded", True, lambda chance, content: zipped(content) + b"\0" * chance.choice([1, 8, 512, 10_240]))
pack_as(
    "gzip.garbage",
    True,
    lambda chance, content: zipped(content) + chance.choice([b"x", b"\n", b"\x1f\x8b", b"garbage" * 99]),
)
pack_as("gzip.flipped", True, lambda chance, content: flipped_bit(chance, zipped(content)))
pack_as("gzip.empty_member", True, lambda chance, content: zipped(b"") * chance.randint(1, 2) + zipped(content))
pack_as("gzip.twice", True, lambda chance, content: zipped(zipped(content)), weight=0.5)
pack_as("gzip.none", True, lambda chance, content: content)
pack_as("gzip.hidden", False, lambda chance, content: zipped(content))
pack_as("gzip.torn_second", True, lambda chance, content: zipped(content) + zipped(content)[: chance.randint(1, 30)])


# --- names ------------------------------------------------------------------------------------------------------------

ODD_STEMS = [
    "${env:HOME}", "${date}", "$x", "a b", " a", "a ", "a'b", 'a"b', "a`b", "a\\b", "a\nb", "a\tb", "a;b", "a,b",
    "a:b", "a=b", "a%20b",
    "a%b", "a+b", "a#b", "a?b", "a*b", "[a]", "{a,b}", "a&b", "a|b", "a<b>", "~a", "-a", "--a", "a..b", "..a", "é",
    "e\u0301", "油", "🚚",
    "\u202ea", "a\x01b", "a\x7fb", "a\u2028b", "{{ x }}", "{% x %}", "/* in_scope", "file_id=1", "part-00000",
    "a.csv", "a.jsonl", "a.gz",
    "n" * 200, "null", "CON", "a\rb", "$", "$$", "\\x41", "a\\", "path", "%s", "İ",
]  # fmt: skip


@mutation("name.stem", "name", weight=5)
def _(chance: random.Random, draft: Draft) -> None:
    draft.stem = chance.choice(ODD_STEMS).replace("/", "\u2215") + f"-{draft.number}"
    if chance.random() < 0.3:
        draft.stem = f"{draft.number}" + chance.choice(ODD_STEMS).replace("/", "\u2215")


@mutation("name.no_utf8", "name", weight=1.5)
def _(chance: random.Random, draft: Draft) -> None:
    odd = chance.choice([b"\xe9", b"\xff\xfe", b"a\xc3", b"\xed\xa0\x80", b"\\xe9\xe9"])
    draft.stem = os.fsdecode(f"{draft.number}".encode() + odd)


@mutation("name.upper", "name", weight=2)
def _(chance: random.Random, draft: Draft) -> None:
    draft.ending = chance.choice([draft.ending.upper(), draft.ending.title(), draft.ending.swapcase()])


@mutation("name.ending", "name", weight=1.5)
def _(chance: random.Random, draft: Draft) -> None:
    draft.ending = chance.choice([
        "txt", "parquet", "json", "csv.bak", "csv.zip", "csv.tar.gz", "gz", "csv~", "tsv", "jsonl.bz2", "csvgz",
        "csv.", "jsonlines", "CSV.ZIP",
        "csv.gz.gz", "csv ",
    ])  # fmt: skip


@mutation("name.not_landed", "name")
def _(chance: random.Random, draft: Draft) -> None:
    if chance.random() < 0.5:
        draft.stem = chance.choice("._") + draft.stem
    else:
        draft.ending += ".tmp"


@mutation("name.folder", "name", "events", "fleet_sensors")
def _(chance: random.Random, draft: Draft) -> None:
    draft.folder += "/" + chance.choice(ODD_STEMS).replace("/", "\u2215")


# --- rounds -----------------------------------------------------------------------------------------------------------


def mutated(chance: random.Random, draft: Draft, left_out: frozenset[str] = frozenset()) -> File:
    """Apply none to three mutations, in the order of their stages, and finish the file."""
    count = chance.choices([0, 1, 2, 3], [8, 57, 25, 10])[0]
    names = [name for name, (_, sources, *_) in MUTATIONS.items() if draft.source in sources and name not in left_out]
    chosen = (
        dict.fromkeys(chance.choices(names, [MUTATIONS[name][2] for name in names], k=count)) if count and names else {}
    )

    def apply(stage: str) -> None:
        for name in chosen:
            if MUTATIONS[name][0] == stage:
                MUTATIONS[name][3](chance, draft)

    if not draft.is_json:
        apply("table")
        draft.lines = [csv_line(row, draft.quote_all) for row in [draft.header, *draft.rows]]
    apply("lines")
    apply("encoding")
    draft.content = encoded(chance, draft)
    apply("bytes")
    apply("pack")
    apply("name")
    name = f"{draft.folder}/{draft.stem}.{draft.ending}".removeprefix("./")
    return File(draft.source, name, draft.content, tuple(chosen))


def files_of_round(seed: int, count: int, left_out: frozenset[str] = frozenset()) -> list[File]:
    """Make the files of a round, a third of each source; the first day of purchases is valid, so that one is taken."""
    files: dict[str, File] = {}
    for number in range(count):
        chance = random.Random(f"{seed} {number}")
        source = SOURCES[number % 3]
        draft = valid_file(chance, source, number // 3)
        is_first_day = source == "purchases" and number < 3
        file = mutated(chance, draft, left_out | (frozenset(MUTATIONS) if is_first_day else frozenset()))
        files.setdefault(file.path, file)
    return list(files.values())
