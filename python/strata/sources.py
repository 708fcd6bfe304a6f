"""The declarations of sources: all that is known of each kind of landed data, read from one place.

A source is a table of the dbt source `landing`, in a YAML file below `models/`. dbt's plugin reads it here before dbt
parses anything, and hands it to the macros as JSON (`normalized`); `strata.landing` lists and scans by it. So a
declaration is plain YAML, without Jinja. Each fault is a StrataError of one sentence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from strata import places
from strata.errors import StrataError

# The ways to arrive, each with the parts that it needs.
ARRIVALS = {"events": ("time",), "daily_snapshot": ("key", "valid_from"), "growing_lines": ("key", "time")}
SEPARATORS = (",", ";", "|", "\t")
EPOCHS = ("seconds", "milliseconds", "microseconds")
# Each limit: of which arrivals, its default, its type, its least and greatest value.
LIMITS: dict[str, tuple[tuple[str, ...], Any, type, int, int | None]] = {
    "max_quarantined_share": (tuple(ARRIVALS), 0.05, float, 0, 1),
    "max_removed_share": (("daily_snapshot",), 0.5, float, 0, 1),
    "allow_empty_snapshot": (("daily_snapshot",), False, bool, 0, 1),
    "max_new_columns": (("growing_lines",), 50, int, 0, None),
    "max_columns": (("growing_lines",), 2000, int, 1, 10_000),
}
# What the lake's intake has besides sources.
RESERVED_NAMES = ("ignored", "landing")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Nodes, and tables where those are others, that are there whatever is declared (see Source.names).
ENGINE_NAMES = _words(
    "raw.loaded_files loaded_files stage.history_days history_days "
    "landed_files ignored_files schema_changes intake deliveries runs node_results table_versions test_failures"
)
# What raw tables have of their own: a landed name that is one of them has its column in raw under another.
RAW_COLUMNS = _words(
    "other_columns malformed_line line path file_modified_at loaded_at landed_on year month day value_count "
    "other_values reasons"
)
# What the tables after them have besides, and the engine on the way there: no declared column is named so.
OWN_COLUMNS = {
    "events": RAW_COLUMNS | _words("landed is_valid reasons window_start window_end row_count"),
    "daily_snapshot": RAW_COLUMNS
    | _words(
        "landed is_valid reasons version valid_from valid_to recorded_on closed_on row_count has_invalid_row "
        "has_different_rows is_quarantined"
    ),
    "growing_lines": RAW_COLUMNS
    | _words(
        "landed landed_key is_valid reasons landed_values landed_types is_of_form key_values row_of_raw name value "
        "landed_name landed_text reason copy_count window_start window_end reading_count min_value average_value "
        "max_value last_value first_reading_at last_reading_at"
    ),
}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
_A_NAME = "write a letter a-z, then at most 59 more of a-z, 0-9 and _"
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_TYPE = re.compile(r"bigint|int|double|date|timestamp|string|boolean|decimal\(([0-9]{1,2}), ?([0-9]{1,2})\)")
_JINJA = re.compile(r"\{[{%#]")
# How dbt asks of freshness, the one text that only dbt reads.
_FRESHNESS = '"{{ newest_landed_day(model.name) }}"'
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


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
    # events: each file stands for itself; daily_snapshot: all files of a day's folder are one delivery; growing_lines:
    # JSON lines, each key a column.
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
    # What its model judged_<name> adds to the declared columns, and its history keeps.
    derived_columns: tuple[str, ...]
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

    def names(self) -> set[str]:
        """The names of nodes, and of tables where those are others, that it alone may have."""
        name = self.name
        names = {f"raw_{name}", f"raw.{name}", f"judged_{name}", f"quarantine_{self.quarantine}", f"stage.{name}"}
        if self.arrives == "daily_snapshot":
            return names | {name, f"rebuilt_{name}", f"stage.rebuilt_{name}", f"current_{name}"}
        if self.arrives == "events":
            names |= {f"{name}_files", f"stage.{name}_files"}
        return names | {f"stage_{name}", f"{name}_windows"}


def load(project: Path | None = None) -> dict[str, Source]:
    """Return the declared sources of a project's folder by name; raise StrataError for a declaration that is wrong."""
    found: dict[str, tuple[Path, Source]] = {}
    owners: dict[str, str] = {}
    for file, table in _tables(project or places.ROOT):
        source = _Declaration(file, table).source()
        if source.name in found:
            files = " and ".join(dict.fromkeys(map(str, (found[source.name][0], file))))
            raise StrataError(f"The source {source.name} is declared twice, in {files}: take one of the two away.")
        for name in sorted(source.names()):
            if name in ENGINE_NAMES:
                raise StrataError(
                    f"The source {source.name} in {file} would have {name}, which is there without it: "
                    "name the source otherwise."
                )
            if name in owners:
                mend = "say another table in `quarantine`" if name.startswith("quarantine_") else "rename one of them"
                raise StrataError(
                    f"The source {source.name} in {file} would have {name}, as the source {owners[name]} in "
                    f"{found[owners[name]][0]} has: {mend}."
                )
        found[source.name] = (file, source)
        owners.update(dict.fromkeys(source.names(), source.name))
    return {name: source for name, (_, source) in sorted(found.items())}


def normalized(sources: dict[str, Source]) -> str:
    """Return sources as JSON, a list in the order of their names: what the macros read, field by field as above."""
    return json.dumps([asdict(source) for _, source in sorted(sources.items())])


def from_normalized(one: dict[str, Any]) -> Source:
    """Return a source as `normalized` has it."""
    columns = tuple(Column(**column) for column in one["columns"])
    return Source(**{**one, "columns": columns, "derived_columns": tuple(one["derived_columns"])})


def _tables(project: Path) -> Iterator[tuple[Path, Any]]:
    """Yield what is declared under the dbt source `landing`, with the file that it stands in."""
    for path in sorted([*project.glob("models/**/*.yml"), *project.glob("models/**/*.yaml")]):
        file = path.relative_to(project)
        try:
            stat = path.stat()
            text, content = _parsed(path, (stat.st_mtime_ns, stat.st_size))
        except FileNotFoundError:
            continue  # an editor's link, or one that has just left
        except OSError as error:
            raise StrataError(f"{file} cannot be read ({error.strerror}): give this user the right to.") from None
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise StrataError(f"{file} holds bytes that are no UTF-8 in line {line}: write it as UTF-8.") from None
        except (yaml.YAMLError, ValueError) as error:
            mark = getattr(error, "problem_mark", None)
            where = f" in line {mark.line + 1}" if mark else ""
            said = getattr(error, "problem", None) or getattr(error, "reason", error)
            raise StrataError(f"{file} cannot be read as YAML{where} ({said}): mend it there.") from None
        sources = content.get("sources") if isinstance(content, dict) else None
        for source in sources if isinstance(sources, list) else []:
            if not isinstance(source, dict) or source.get("name") != "landing":
                continue
            text = text.replace(_FRESHNESS, '""')
            jinja = _JINJA.search(text)
            if jinja:
                line = text.count("\n", 0, jinja.start()) + 1
                raise StrataError(
                    f"{file} declares a source and has {jinja[0]} in line {line}: write it without Jinja, for it is "
                    "read before dbt parses anything."
                )
            tables = source.get("tables") or []
            for table in tables if isinstance(tables, list) else [tables]:
                yield file, table


@cache
def _parsed(path: Path, _stamp: tuple[int, int]) -> tuple[str, Any]:
    """Return a file's text and what it says as YAML, nothing where it can declare no source of ours."""
    text = path.read_text(encoding="utf-8")
    if "landing" not in text or "sources" not in text:
        return text, None
    return text, yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


class _Declaration:
    """One declaration as it is written, with what to say of it where it is wrong."""

    def __init__(self, file: Path, table: Any) -> None:
        self.file = file
        self.table = table if isinstance(table, dict) else {}
        self.name = self.table.get("name")
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise StrataError(f"{file} declares a source named {self.name!r}: {_A_NAME}.")
        if self.name in RESERVED_NAMES:
            raise self.wrong("has a name that the lake needs for itself", "choose another")

    def wrong(self, what: str, mend: str) -> StrataError:
        return StrataError(f"The source {self.name} in {self.file} {what}: {mend}.")

    def meta(self, of: dict, known: tuple[str, ...], where: str) -> dict[str, Any]:
        """Return a `meta`, which stands in `config` or by itself."""
        config = of.get("config") or {}
        meta: dict[str, Any] = {}
        for one in (of.get("meta"), config.get("meta") if isinstance(config, dict) else None):
            if not isinstance(one or {}, dict):
                raise self.wrong(f"has a `meta` of {one!r} {where}", "write names and values there")
            meta.update(one or {})
        for key in meta:
            if key not in known:
                raise self.wrong(
                    f"says {key!r} {where}, which means nothing", f"leave it out, or say one of {', '.join(known)}"
                )
        return meta

    def source(self) -> Source:
        said = ("arrives", "format", "separator", "key", "valid_from", "time", "quarantine", "derived_columns", *LIMITS)
        meta = self.meta(self.table, said, "in its meta")
        arrives = meta.get("arrives")
        if not isinstance(arrives, str) or arrives not in ARRIVALS:
            raise self.wrong(f"arrives as {arrives!r}", f"say in `arrives` one of {', '.join(ARRIVALS)}")
        form = "jsonl" if arrives == "growing_lines" else "csv"
        if meta.get("format", form) != form:
            raise self.wrong(f"has the format {meta['format']!r}", f"{arrives} has the format {form}")
        separator = meta.get("separator", ",")
        if separator not in SEPARATORS or (form == "jsonl" and "separator" in meta):
            wanted = "leave it out, lines have none" if form == "jsonl" else "it is one of , ; | and a tab"
            raise self.wrong(f"has the separator {separator!r}", wanted)
        quarantine = meta.get("quarantine", self.name)
        if not isinstance(quarantine, str) or not _NAME.fullmatch(quarantine):
            raise self.wrong(f"has the table {quarantine!r} in `quarantine`", _A_NAME)
        columns = self.columns(OWN_COLUMNS[arrives])
        for part in ("key", "valid_from", "time"):
            if part not in ARRIVALS[arrives]:
                if part in meta:
                    raise self.wrong(f"names {meta[part]!r} in `{part}`", f"{arrives} has none, leave it out")
            elif not isinstance(meta.get(part), str) or not meta[part].strip():
                wanted = "a column, or SQL over landed columns" if part == "key" else "a column"
                raise self.wrong(f"names no {part}", f"name {wanted} in `{part}`")
        self.dated(columns, meta, "valid_from", ("date", "timestamp"))
        self.dated(columns, meta, "time", ("timestamp",))
        key, expression = self.key(columns, meta.get("key"), OWN_COLUMNS[arrives])
        if arrives == "growing_lines":
            others = columns.keys() - {meta["time"]} - set(_mentioned(columns, expression) if expression else [key])
            if others:
                raise self.wrong(
                    f"declares the column {min(others)}, which is of neither its key nor its time",
                    "take it away, every other key of a line has a column without being declared",
                )
        return Source(
            name=self.name,
            arrives=arrives,
            format=form,
            separator=separator,
            key=key,
            key_expression=expression,
            valid_from=meta.get("valid_from"),
            time=meta.get("time"),
            quarantine=quarantine,
            derived_columns=self.derived(meta, arrives, {*columns, key}),
            limits=self.limits(meta, arrives),
            columns=tuple(columns.values()),
        )

    def dated(self, columns: dict[str, Column], meta: dict, part: str, types: tuple[str, ...]) -> None:
        """Check the column that a part names, if it is there at all."""
        name = meta.get(part)
        if name is None:
            return
        if name not in columns:
            raise self.wrong(
                f"names {name!r} in `{part}`, which is no declared column", f"name one of {', '.join(columns)}"
            )
        column = columns[name]
        if column.type not in types or column.nullable:
            said = f"of type {column.type}{' and may be null' if column.nullable else ''}"
            raise self.wrong(
                f"names {name} in `{part}`, which is {said}",
                f"name a {' or a '.join(types)} there that is not `nullable`",
            )

    def key(self, columns: dict[str, Column], key: str | None, own: frozenset[str]) -> tuple[str | None, str | None]:
        """Return the key's column, and the expression that makes it where it is no declared one."""
        if key in columns and columns[key].nullable:
            raise self.wrong(f"has the key {key}, which may be null", "take its `nullable` away")
        if key is None or key in columns:
            return key, None
        expression, name = key.strip(), f"{self.name}_key"
        if not _mentioned(columns, expression):
            raise self.wrong(
                f"has the key {expression!r}, which is no declared column and holds none",
                f"name one of {', '.join(columns)}, or write SQL over landed columns",
            )
        if name in columns:
            raise self.wrong(f"declares the column {name}, as its key is called", "name the column otherwise")
        if name in own:
            raise self.wrong(f"has a key named {name}, as its tables have one of their own", "rename the source")
        return name, expression

    def derived(self, meta: dict, arrives: str, others: set[str | None]) -> tuple[str, ...]:
        """Return the further columns of a history; `others` are those that it has already."""
        names = meta.get("derived_columns", [])
        if arrives != "daily_snapshot" and names != []:
            raise self.wrong("says derived_columns", f"{arrives} has no history, leave it out")
        if not isinstance(names, list):
            raise self.wrong(f"has {names!r} for derived_columns", "it is a list of names")
        # A history has no use for the landed day of raw's rows in parts.
        own = OWN_COLUMNS[arrives] - {"year", "month", "day"}
        for name in names:
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise self.wrong(f"has {name!r} in derived_columns", _A_NAME)
            if name in own | others or names.count(name) > 1:
                raise self.wrong(f"has {name} in derived_columns, a column that is there already", "name it otherwise")
        return tuple(names)

    def limits(self, meta: dict, arrives: str) -> dict[str, Any]:
        limits = {}
        for name, (arrivals, default, kind, low, high) in LIMITS.items():
            if arrives not in arrivals:
                if name in meta:
                    raise self.wrong(f"says {name}", f"{arrives} has no such limit, leave it out")
                continue
            value = limits[name] = meta.get(name, default)
            types = (int, float) if kind is float else kind
            fits = isinstance(value, types) and isinstance(value, bool) == (kind is bool)
            if not fits or not (low <= value and (high is None or value <= high)):
                wanted = f"a {'whole ' if kind is int else ''}number from {low}{'' if high is None else f' to {high}'}"
                raise self.wrong(
                    f"has {value!r} for {name}", f"it must be {'true or false' if kind is bool else wanted}"
                )
        return limits

    def columns(self, own: frozenset[str]) -> dict[str, Column]:
        """Return the declared columns by name; `own` are names that tables of the source have already."""
        columns: dict[str, Column] = {}
        declared = self.table.get("columns") or []
        for one in declared if isinstance(declared, list) else [declared]:
            name = one.get("name") if isinstance(one, dict) else None
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise self.wrong(f"has a column named {name!r}", f"{_A_NAME}, and how it lands in its `landed_name`")
            if name in columns:
                raise self.wrong(f"declares the column {name} twice", "take one of the two away")
            if name in own:
                raise self.wrong(
                    f"has a column named {name}, as its tables have one of their own",
                    "name it otherwise, and how it lands in its `landed_name`",
                )
            columns[name] = self.column(name, one, list(columns.values()))
        if not columns:
            raise self.wrong("declares no columns", "name those that every row has, in `columns`")
        return columns

    def column(self, name: str, declared: dict, before: list[Column]) -> Column:
        """Return a declared column that comes after others."""
        said = ("landed_name", "form", "minimum", "maximum", "nullable", "reason")
        meta = self.meta(declared, said, f"in the meta of the column {name}")
        kind = str(declared.get("data_type", "")).lower()
        found = _TYPE.fullmatch(kind)
        if not found or (found[1] and not int(found[2]) <= int(found[1]) <= 38) or found[1] in ("0", "00"):
            raise self.wrong(
                f"has the data_type {declared.get('data_type')!r} for the column {name}",
                "it is bigint, int, decimal(p,s), double, date, timestamp, string or boolean",
            )
        kind = kind.replace(" ", "")
        landed = meta.get("landed_name", name)
        if not isinstance(landed, str) or not landed:
            raise self.wrong(f"has the landed_name {landed!r} for the column {name}", "write a text, in quotes")
        for other in before:
            if other.landed_name == landed:
                raise self.wrong(
                    f"has the columns {other.name} and {name} of one landed name, {landed!r}", "each has one of its own"
                )
        taken = RAW_COLUMNS | {other.raw_name.lower() for other in before}
        other = name if name.endswith("_landed") else f"{name}_landed"
        raw = landed if _PLAIN.fullmatch(landed) and landed.lower() not in taken else other
        while raw.lower() in taken:
            raw += "_landed"
        nullable = meta.get("nullable", False)
        if not isinstance(nullable, bool):
            raise self.wrong(f"has {nullable!r} for nullable of the column {name}", "it is true or false")
        reason = meta.get("reason", landed if _NAME.fullmatch(landed) else name)
        if not isinstance(reason, str) or not _NAME.fullmatch(reason):
            raise self.wrong(f"has the reason {reason!r} for the column {name}", _A_NAME)
        form, epoch = self.form(name, kind, meta.get("form"))
        bounds = [self.bound(name, kind, which, meta.get(which)) for which in ("minimum", "maximum")]
        (low, minimum), (high, maximum) = bounds
        if None not in (low, high) and low > high:
            raise self.wrong(
                f"has a minimum of {minimum} for the column {name}, above its maximum of {maximum}",
                "put the smaller one first",
            )
        return Column(name, landed, raw, kind, form, epoch, minimum, maximum, nullable, reason)

    def form(self, name: str, kind: str, form: Any) -> tuple[str | None, str | None]:
        """Return a declared form as a pattern, or as the unit of an epoch."""
        if form is None:
            return None, None
        what = f"has the form {form!r} for the column {name}"
        units = [f"epoch_{unit}" for unit in EPOCHS]
        if kind == "timestamp":
            if form not in units:
                raise self.wrong(f"{what} of type timestamp", f"say one of {', '.join(units)}, or leave it out")
            return None, form.removeprefix("epoch_")
        if form in units:
            raise self.wrong(f"{what} of type {kind}", "declare a timestamp, or another form")
        try:
            re.compile(form)
        except (re.error, TypeError) as error:
            raise self.wrong(f"{what}, which is no regular expression ({error})", "mend it, in quotes") from None
        return form or None, None

    def bound(self, name: str, kind: str, which: str, value: Any) -> tuple[Any, str | None]:
        """Return a bound twice: as what is compared, and as the text that SQL casts."""
        if value is None:
            return None, None
        if kind in ("string", "boolean"):
            raise self.wrong(
                f"has a {which} for the column {name} of type {kind}",
                "leave it out, only numbers, dates and times have one",
            )
        try:
            return _held(kind, str(value))
        except (ValueError, ArithmeticError):
            raise self.wrong(
                f"has a {which} of {str(value)!r} for the column {name}, which the type {kind} cannot hold",
                "write one that it can",
            ) from None


def _mentioned(columns: dict[str, Column], expression: str) -> list[str]:
    """Return the columns whose names in raw stand in SQL, as macros/sources/read_rows.sql finds them too."""
    return [column.name for column in columns.values() if re.search(rf"\b{column.raw_name}\b", expression)]


def _held(kind: str, text: str) -> tuple[Any, str]:
    """Return a bound as a value of a type and as plain text; ValueError or ArithmeticError where it can be none."""
    if kind in ("date", "timestamp"):
        if not _DAY.match(text) or (kind == "date" and len(text) > len("YYYY-MM-DD")):
            raise ValueError(text)
        if kind == "date":
            return date.fromisoformat(text), text
        moment = datetime.fromisoformat(text)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        return moment, moment.isoformat()
    number = Decimal(text)
    if kind == "double" and abs(float(number)) < float("inf"):
        return float(number), str(float(number))
    whole, _, fraction = format(number, "f").lstrip("-").partition(".")
    digits = [int(found) for found in re.findall("[0-9]+", kind)]
    if kind in ("int", "bigint"):
        most = 2 ** (31 if kind == "int" else 63)
        fits = not fraction.strip("0") and -most <= number < most
    else:
        fits = (
            bool(digits) and len(whole.lstrip("0")) <= digits[0] - digits[1] and len(fraction.rstrip("0")) <= digits[1]
        )
    if not fits or not number.is_finite():
        raise ValueError(text)
    return number, format(number, "f") if digits else str(int(number))
