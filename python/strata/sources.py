"""The declarations of sources: what is known of each kind of landed data, read once and from one place.

A source is a table of the dbt source `landing`, in a YAML file below `models/`. dbt's plugin reads it here before dbt parses
anything, and hands it to the macros as JSON (`normalized`); `strata.landing` lists and scans by it. So a declaration is plain
YAML. Each fault is a StrataError of one sentence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from strata import places
from strata.errors import StrataError

ARRIVALS = ("events", "daily_snapshot", "growing_lines")
SEPARATORS = (",", ";", "|", "\t")
TYPES = re.compile(r"bigint|int|double|date|timestamp|string|boolean|decimal\(([0-9]{1,2}), ?([0-9]{1,2})\)")
EPOCHS = ("seconds", "milliseconds", "microseconds")
# Each limit: of which arrivals, its default, its type and its bounds; dbt_project.yml says what each is for.
LIMITS: dict[str, tuple[tuple[str, ...], Any, type, tuple[int, int]]] = {
    "max_quarantined_share": (ARRIVALS, 0.05, float, (0, 1)),
    "max_removed_share": (("daily_snapshot",), 0.5, float, (0, 1)),
    "allow_empty_snapshot": (("daily_snapshot",), False, bool, (0, 1)),
    "max_new_columns": (("growing_lines",), 50, int, (0, 10_000)),
    "max_columns": (("growing_lines",), 2000, int, (1, 10_000)),
}
# The columns that tables have of their own; no declared column is named so.
OWN_COLUMNS = frozenset(
    "source path landed landed_on landed_key file_modified_at loaded_at line other_columns malformed_line other_values value_count "
    "is_valid reasons row_count is_quarantined has_invalid_row has_different_rows version valid_from valid_to recorded_on "
    "closed_on window_start window_end".split()
)
# Those of raw tables: a landed name that is one of them has its column in raw under another.
RAW_COLUMNS = frozenset(
    "other_columns malformed_line line path file_modified_at loaded_at landed_on year month day value_count other_values".split()
)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Column:
    """A declared column; macros/sources/read_rows.sql says how each type is read."""

    name: str
    # As it stands in the header, or the key of a line.
    landed_name: str
    # The column of the raw table that holds its text.
    raw_name: str
    type: str
    # A regular expression for the whole text; None for the one of its type.
    form: str | None
    # Of a timestamp that lands as a number since 1970-01-01 UTC: seconds, milliseconds or microseconds.
    epoch: str | None
    minimum: str | None
    maximum: str | None
    nullable: bool
    # What the reasons begin with for which a row is not valid.
    reason: str


@dataclass(frozen=True)
class Source:
    """A declared source: the folder of its name below the landing folder, and the tables of that name."""

    name: str
    # events: each file stands for itself; daily_snapshot: all files of a day's folder are one delivery; growing_lines: JSON
    # lines, each key a column.
    arrives: str
    format: str
    separator: str
    # The key's column, None of events; `key_expression` where it is made of landed columns.
    key: str | None
    key_expression: str | None
    valid_from: str | None
    time: str | None
    # The name of its table in quarantine.
    quarantine: str
    limits: dict[str, Any]
    columns: tuple[Column, ...]

    @property
    def landed_names(self) -> tuple[str, ...]:
        """The columns that every file must have; none of lines, each of which is judged by itself."""
        return () if self.is_json else tuple(column.landed_name for column in self.columns)

    @property
    def is_json(self) -> bool:
        """Whether its files are JSON lines, without a header."""
        return self.format == "jsonl"

    @property
    def is_daily(self) -> bool:
        """Whether every file lies below a day's folder, YYYY/MM/DD or year=YYYY/month=MM/day=DD."""
        return self.arrives != "events"

    @property
    def endings(self) -> tuple[str, ...]:
        """What the names of its files end in."""
        return (f".{self.format}", f".{self.format}.gz")


def load(project: Path | None = None) -> dict[str, Source]:
    """Return the declared sources of a project's folder by name; raise StrataError for a declaration that is wrong."""
    found: dict[str, Source] = {}
    for file, table in _tables(project or places.ROOT):
        source = _Declaration(file, table).source()
        if source.name in found:
            raise StrataError(f"The source {source.name} is declared twice, in {file} too: take one of the two away.")
        found[source.name] = source
    names = {name: source.quarantine for name, source in found.items()}
    for name, quarantine in names.items():
        others = [other for other, theirs in names.items() if other != name and quarantine in (other, theirs)]
        if others:
            raise StrataError(
                f"The source {name} has the table quarantine.{quarantine}, and so has {others[0]}: name another in `quarantine`."
            )
    return dict(sorted(found.items()))


def normalized(sources: dict[str, Source]) -> str:
    """Return sources as JSON, a list in the order of their names: what the macros read, field by field as above."""
    return json.dumps([asdict(source) for _, source in sorted(sources.items())])


@cache
def _parsed(file: Path, _stamp: tuple[int, int]) -> Any:
    text = file.read_text()
    if not re.search(r"^\s*-?\s*name:\s*['\"]?landing['\"]?\s*(#.*)?$", text, re.MULTILINE):
        return None
    sign = re.search(r"\{\{|\{%|\{#", text)
    if sign:
        line = text.count("\n", 0, sign.start()) + 1
        raise StrataError(
            f"{file} declares a source and has jinja in line {line}: write it plainly, for it is read before dbt parses anything."
        )
    try:
        return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise StrataError(
            f"{file} cannot be read as YAML{where} ({getattr(error, 'problem', error)}): mend it."
        ) from None


def _tables(project: Path) -> Iterator[tuple[Path, dict]]:
    """Yield what is declared under the dbt source `landing`, with the file that it stands in."""
    for file in sorted([*project.glob("models/**/*.yml"), *project.glob("models/**/*.yaml")]):
        stat = file.stat()
        content = _parsed(file, (stat.st_mtime_ns, stat.st_size))
        for source in (content.get("sources") or []) if isinstance(content, dict) else []:
            if isinstance(source, dict) and source.get("name") == "landing":
                for table in source.get("tables") or []:
                    yield file.relative_to(project), table


class _Declaration:
    """One declaration as it is written, with what to say of it where it is wrong."""

    def __init__(self, file: Path, table: Any) -> None:
        self.file = file
        self.table = table if isinstance(table, dict) else {}
        self.name = self.table.get("name")
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise StrataError(
                f"{file} declares a source named {self.name!r}: a name is a letter a-z and at most 59 more of a-z, 0-9 and _."
            )

    def wrong(self, what: str, mend: str) -> StrataError:
        return StrataError(f"The source {self.name} in {self.file} {what}: {mend}.")

    def meta(self, of: dict, known: tuple[str, ...], whose: str) -> dict[str, Any]:
        """Return a `meta`, which stands in `config` or by itself."""
        config = of.get("config") or {}
        meta = {**(of.get("meta") or {}), **((config.get("meta") or {}) if isinstance(config, dict) else {})}
        for key in meta:
            if key not in known:
                raise self.wrong(
                    f"says {key!r} {whose}, which nothing reads", f"leave it out, or name one of {', '.join(known)}"
                )
        return meta

    def source(self) -> Source:
        said = ("arrives", "format", "separator", "key", "valid_from", "time", "quarantine", *LIMITS)
        meta = self.meta(self.table, said, "in its meta")
        arrives = meta.get("arrives")
        if arrives not in ARRIVALS:
            raise self.wrong(f"arrives as {arrives!r}", f"say in `arrives` one of {', '.join(ARRIVALS)}")
        form = "jsonl" if arrives == "growing_lines" else "csv"
        if meta.get("format", form) != form:
            raise self.wrong(f"has the format {meta['format']!r}", f"{arrives} has the format {form}")
        separator = meta.get("separator", ",")
        if separator not in SEPARATORS or (form == "jsonl" and "separator" in meta):
            raise self.wrong(
                f"has the separator {separator!r}", "of a CSV file it is one of , ; | and a tab, of lines there is none"
            )
        quarantine = meta.get("quarantine", self.name)
        if not isinstance(quarantine, str) or not _NAME.fullmatch(quarantine):
            raise self.wrong(f"has the table {quarantine!r} in quarantine", "name it as a source is named")
        columns = self.columns()
        parts = {"daily_snapshot": ("key", "valid_from"), "events": ("time",), "growing_lines": ("key", "time")}[
            arrives
        ]
        for part in ("key", "valid_from", "time"):
            if part in meta and part not in parts:
                raise self.wrong(f"names {part}", f"{arrives} has none; leave it out")
            if part in parts and not (isinstance(meta.get(part), str) and meta[part].strip()):
                raise self.wrong(
                    f"names no {part}",
                    f"say in `{part}` {'a column, or SQL over landed columns' if part == 'key' else 'a column'}",
                )
        self.dated(columns, meta, "valid_from", ("date", "timestamp"))
        self.dated(columns, meta, "time", ("timestamp",))
        key, expression = meta.get("key"), None
        if key is not None and key not in columns:
            expression, key = key.strip(), f"{self.name}_key"
            if not any(re.search(rf"\b{re.escape(column.raw_name)}\b", expression) for column in columns.values()):
                raise self.wrong(
                    f"has the key {expression!r}, which is no declared column and names none",
                    f"name one of {', '.join(columns)}, or write SQL over landed columns",
                )
            if key in columns:
                raise self.wrong(
                    f"declares a column {key}",
                    "its key is an expression, whose column that is; name the other otherwise",
                )
        elif key is not None and columns[key].nullable:
            raise self.wrong(f"has the key {key}, which may be null", "a key is never null; take `nullable` away")
        return Source(
            *(
                self.name,
                arrives,
                form,
                separator,
                key,
                expression,
                meta.get("valid_from"),
                meta.get("time"),
                quarantine,
            ),
            limits=self.limits(meta, arrives),
            columns=tuple(columns.values()),
        )

    def dated(self, columns: dict[str, Column], meta: dict, part: str, types: tuple[str, ...]) -> None:
        name = meta.get(part)
        if name is None:
            return
        if name not in columns:
            raise self.wrong(
                f"names {name} in `{part}`, which is no declared column", f"name one of {', '.join(columns)}"
            )
        if columns[name].type not in types or columns[name].nullable:
            raise self.wrong(
                f"names {name} in `{part}`, a {columns[name].type}{' that may be null' if columns[name].nullable else ''}",
                f"it must be a {' or a '.join(types)} that is never null",
            )

    def limits(self, meta: dict, arrives: str) -> dict[str, Any]:
        limits = {}
        for name, (arrivals, default, kind, (low, high)) in LIMITS.items():
            if arrives not in arrivals:
                if name in meta:
                    raise self.wrong(f"says {name}", f"{arrives} has no such limit; leave it out")
                continue
            value = meta.get(name, default)
            fits = (
                isinstance(value, bool) if kind is bool else isinstance(value, (int, float) if kind is float else int)
            )
            if not fits or (kind is not bool and isinstance(value, bool)) or not low <= value <= high:
                wanted = "true or false" if kind is bool else f"a number from {low} to {high}"
                raise self.wrong(f"has {value!r} for {name}", f"it must be {wanted}")
            limits[name] = value
        return limits

    def columns(self) -> dict[str, Column]:
        """Return the declared columns by name."""
        columns: dict[str, Column] = {}
        raw_names: set[str] = set()
        said = ("landed_name", "form", "minimum", "maximum", "nullable", "reason")
        for one in self.table.get("columns") or []:
            name = one.get("name") if isinstance(one, dict) else None
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise self.wrong(
                    f"has a column named {name!r}", "a name is a letter a-z and at most 59 more of a-z, 0-9 and _"
                )
            if name in columns:
                raise self.wrong(f"declares the column {name} twice", "take one of the two away")
            if name in OWN_COLUMNS:
                raise self.wrong(
                    f"has a column named {name}, as tables have one of their own",
                    "name it otherwise, with its landed_name",
                )
            meta = self.meta(one, said, f"of the column {name}")
            kind = str(one.get("data_type", "")).lower()
            found = TYPES.fullmatch(kind)
            if not found or (found[1] and not 1 <= int(found[1]) <= 38) or (found[2] and int(found[2]) > int(found[1])):
                raise self.wrong(
                    f"has the type {one.get('data_type')!r} for {name}",
                    "say in `data_type` bigint, int, decimal(p,s), double, date, timestamp, string or boolean",
                )
            landed = meta.get("landed_name", name)
            if not isinstance(landed, str) or not landed:
                raise self.wrong(f"has the landed name {landed!r} for {name}", "write it as text, in quotes")
            if landed in (column.landed_name for column in columns.values()):
                raise self.wrong(f"has two columns of the landed name {landed}", "take one of the two away")
            form, epoch = self.form(name, kind, meta.get("form"))
            raw = (
                landed
                if _PLAIN.fullmatch(landed) and landed.lower() not in RAW_COLUMNS | raw_names
                else f"{name}_landed"
            )
            raw_names.add(raw.lower())
            nullable = meta.get("nullable", False)
            if not isinstance(nullable, bool):
                raise self.wrong(f"has {nullable!r} for nullable of {name}", "it is true or false")
            reason = meta.get("reason", landed if _NAME.fullmatch(landed) else name)
            if not isinstance(reason, str) or not _NAME.fullmatch(reason):
                raise self.wrong(f"has the reason {reason!r} for {name}", "name it as a column is named")
            low, high = (self.bound(name, kind, bound, meta.get(bound)) for bound in ("minimum", "maximum"))
            if low is not None and high is not None and self.comparable(kind, low) > self.comparable(kind, high):
                raise self.wrong(
                    f"has a minimum of {low} and a maximum of {high} for {name}", "the first is the smaller one"
                )
            columns[name] = Column(name, landed, raw, kind, form, epoch, low, high, nullable, reason)
        if not columns:
            raise self.wrong("declares no columns", "name those that every row has, in `columns`")
        return columns

    def form(self, name: str, kind: str, form: Any) -> tuple[str | None, str | None]:
        """Return a declared form as a pattern, or as the unit of an epoch."""
        if form is None:
            return None, None
        unit = form.removeprefix("epoch_") if isinstance(form, str) else None
        if unit in EPOCHS and unit != form:
            if kind != "timestamp":
                raise self.wrong(f"has the form {form} for {name}, a {kind}", "only a timestamp has it")
            return None, unit
        try:
            re.compile(form)
        except (re.error, TypeError) as error:
            raise self.wrong(
                f"has the form {form!r} for {name}, which is no regular expression ({error})", "mend it"
            ) from None
        if kind == "timestamp":
            raise self.wrong(
                f"has the form {form!r} for {name}, a timestamp", f"that is one of epoch_{', epoch_'.join(EPOCHS)}"
            )
        return form, None

    def bound(self, name: str, kind: str, which: str, value: Any) -> str | None:
        """Return a bound as text that the column's type can hold."""
        if value is None:
            return None
        text = str(value)
        try:
            if isinstance(value, bool) or kind in ("string", "boolean"):
                raise ValueError
            self.comparable(kind, text)
        except (ValueError, InvalidOperation):
            raise self.wrong(
                f"has a {which} of {text!r} for {name}, a {kind}", "write one that the type can hold"
            ) from None
        return text

    @staticmethod
    def comparable(kind: str, text: str) -> Any:
        if kind == "date":
            if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
                raise ValueError
            return text
        if kind == "timestamp":
            if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+(Z|\+00:00)?)?", text):
                raise ValueError
            return text
        number = Decimal(text)
        if not number.is_finite() or (kind in ("int", "bigint") and number != number.to_integral_value()):
            raise ValueError
        return number
