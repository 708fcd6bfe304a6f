"""The command `strata new-source`: a landed sample becomes a declared source, with all the files that it needs.

`templates/` holds what is written, in Jinja with marks of its own (`<< >>`, `<% %>`), for it is Jinja itself. Of the
sample only names go into a file: its values are shown, and the tests that are written have made ones.

A column is named as it landed, made plain: lower case, an underscore between words and for whatever is no letter or
digit. Where SQL or a table of the source has that name already, `_landed` follows it, and a number where two are alike.
"""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
import textwrap
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from rich.console import Console
from rich.table import Table
from rich.text import Text

from strata import inferring, places, sources
from strata.errors import StrataError, shown
from strata.inferring import Sample, Seen
from strata.sources import Column, Source

# What is written for each way to arrive: the file, and the template that it is made of.
_OF_ALL = {
    "models/raw/{0}/_{0}__sources.yml": "sources.yml",
    "models/raw/{0}/raw_{0}.sql": "raw.sql",
    "models/quarantine/{0}/quarantine_{0}.sql": "quarantine.sql",
}
FILES = {
    "daily_snapshot": {
        **_OF_ALL,
        "models/stage/{0}/judged_{0}.sql": "judged_rows.sql",
        "models/stage/{0}/rebuilt_{0}.sql": "rebuilt.sql",
        "models/stage/{0}/_{0}__models.yml": "daily_snapshot.yml",
        "models/mart/{0}/current_{0}.sql": "current.sql",
        "snapshots/{0}/{0}.sql": "snapshot.sql",
    },
    "events": {
        **_OF_ALL,
        "models/stage/{0}/judged_{0}.sql": "judged_rows.sql",
        "models/stage/{0}/{0}_files.sql": "files.sql",
        "models/stage/{0}/stage_{0}.sql": "stage_rows.sql",
        "models/stage/{0}/_{0}__models.yml": "events.yml",
        "models/mart/{0}/{0}_windows.sql": "row_windows.sql",
    },
    "growing_lines": {
        **_OF_ALL,
        "models/stage/{0}/judged_{0}.sql": "judged_lines.sql",
        "models/stage/{0}/stage_{0}.sql": "stage_readings.sql",
        "models/stage/{0}/_{0}__models.yml": "growing_lines.yml",
        "models/mart/{0}/{0}_windows.sql": "reading_windows.sql",
    },
}
# The options that each needs, and may have.
OPTIONS = {
    "daily_snapshot": (("key", "valid_from"), ()),
    "events": (("time",), ("by",)),
    "growing_lines": (("key", "time"), ()),
}
DESCRIPTIONS = {
    "daily_snapshot": "One row for each row of {}, of the whole table as it lands each day.",
    "events": "One row for each landed row of {}.",
    "growing_lines": "One row for each landed line of {}.",
}
# Words that SQL would take for its own where a column's name is meant.
SQL_WORDS = """
    all and anti any as asc authorization between both by case cast check collate column constraint create cross
    current_date current_time current_timestamp current_user default desc distinct distribute div else end escape except
    exists false fetch filter for foreign from full grant group having ilike in inner insert intersect interval into is
    join lateral leading left like limit minus natural not null of offset on only or order outer over overlaps primary
    references regexp right rlike select semi session_user set some sort table then to trailing true union unique
    unknown using values when where window with within
"""
LONGEST_NAME = 60
WIDEST_YAML = 140

# The made values of the tests.
A_DAY, NEXT_DAY = "2026-01-02", "2026-01-03"
A_MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MADE: dict[str, Any] = {
    **{"bigint": 1, "decimal": 1.5, "double": 1.5, "boolean": True, "string": "a"},
    **{"date": A_DAY, "timestamp": f"{A_MOMENT:%Y-%m-%d %H:%M:%S}"},
}


def _is_word(name: str, words: str) -> bool:
    return name in words.split()


# --- what is declared


def plain_names(landed: Iterable[str], own: Iterable[str]) -> list[str]:
    """Return the names of columns that landed under some names; the module's docstring says the rule."""
    names: list[str] = []
    for number, text in enumerate(landed, 1):
        text = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
        text = "".join(sign for sign in text if not unicodedata.combining(sign))
        # A word begins at a capital after a small letter, and at the last capital of several before one.
        text = re.sub(r"([a-z0-9])(?=[A-Z])|([A-Z])(?=[A-Z][a-z])", r"\1\2_", text)
        plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
        if not plain[:1].isalpha():
            plain = f"column_{plain or number}"
        # Room for what may follow.
        plain = plain[: LONGEST_NAME - 12].strip("_")
        if _is_word(plain, SQL_WORDS) or plain in own:
            plain = f"{plain}_landed"
        name, copies = plain, 1
        while name in names:
            copies += 1
            name = f"{plain}_{copies}"
        names.append(name)
    return names


def _raw_name(landed: str, name: str) -> str:
    """Return what a column is called in raw, where it is the only one; strata.sources says the rule."""
    is_plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", landed) and landed.lower() not in sources.RAW_COLUMNS
    return landed if is_plain else name if name.endswith("_landed") else f"{name}_landed"


def _mentions(expression: str, raw_name: str) -> bool:
    return bool(re.search(rf"\b{re.escape(raw_name)}\b", expression))


def declare(name: str, kind: str, sample: Sample, options: dict[str, str | None]) -> dict[str, Any]:
    """Return the declaration that a sample and the options make; raise StrataError for options that do not fit it."""
    is_lines = kind == "growing_lines"
    if is_lines != (sample.separator is None):
        raise StrataError(
            f"{_flag(kind)} takes {'JSON lines' if is_lines else 'CSV'}, and the sample is "
            f"{'CSV' if is_lines else 'JSON lines'}: give a sample that ends in {'.jsonl' if is_lines else '.csv'}, or "
            "name another way to arrive."
        )
    seen_of = {seen.landed: seen for seen in sample.columns}
    for option in ("valid_from", "time", "by"):
        if options[option] is not None and options[option] not in seen_of:
            raise StrataError(f"{_flag(option)} names {_no_column(options[option], sample)}.")
    key, time = options["key"], options["time"]
    if options["by"] is not None and options["by"] == time:
        raise StrataError(f"--by names {shown(time)}, which is the time: name another column.")
    declared = sample.columns
    needed = {option: [seen_of[options[option]]] for option in ("valid_from", "time") if options[option] is not None}
    if key is not None:
        needed["key"] = [seen_of[key]] if key in seen_of else _in_expression(key, kind, sample)
    if is_lines:
        # Any further key grows by itself.
        declared = [seen for seen in sample.columns if any(seen in of_option for of_option in needed.values())]
    for seen in declared:
        _check_landed_name(seen, sample)
    own = sources.OWN_COLUMNS[kind] | ({f"{name}_key"} if key is not None and key not in seen_of else set())
    names = dict(
        zip((seen.landed for seen in declared), plain_names((seen.landed for seen in declared), own), strict=True)
    )
    types = {seen.landed: (seen.type(), None) for seen in declared}
    if is_lines and key in seen_of:
        # Of a line that is not valid, quarantine holds whatever it says for a key.
        types[key] = ("string", None)
    for option, of_option in needed.items():
        for seen in of_option:
            _check_needed(option, seen, is_lines)
            if option != "key":
                types[seen.landed] = _moment(option, seen)
    meta = {"arrives": kind}
    if sample.separator not in (None, ","):
        meta["separator"] = sample.separator
    for option in ("key", "valid_from", "time"):
        if options[option] is not None:
            meta[option] = names.get(options[option], options[option])
    return {
        "name": name,
        "description": DESCRIPTIONS[kind].format(name),
        "meta": meta,
        "columns": [_declaration(seen, names[seen.landed], *types[seen.landed]) for seen in declared],
    }


def _flag(option: str) -> str:
    return f"--{option.replace('_', '-')}"


def _no_column(text: str, sample: Sample) -> str:
    columns = textwrap.shorten(", ".join(shown(seen.landed) for seen in sample.columns), 200, placeholder=" ...")
    return f"{shown(text)}, which is no column of the sample: name one of {columns}"


def _in_expression(key: str, kind: str, sample: Sample) -> list[Seen]:
    """Return the columns that a key mentions, which is SQL over their names in raw."""
    if _has_jinja(key) or _has_control(key):
        raise StrataError("--key holds a mark of Jinja, or a control character: write it as SQL, in one line.")
    landed = [seen.landed for seen in sample.columns]
    raw_names = list(map(_raw_name, landed, plain_names(landed, sources.OWN_COLUMNS[kind])))
    for quoted in re.findall("`([^`]*)`", key):
        if quoted.lower() not in map(str.lower, raw_names):
            named = dict(zip(landed, raw_names, strict=True)).get(quoted)
            mend = f"write {named}, its name in raw" if named else f"name some of {', '.join(raw_names)}"
            raise StrataError(f"--key names `{shown(quoted)}`, which is no column of raw: {mend}.")
    for name, raw_name in zip(landed, raw_names, strict=True):
        if name != raw_name and re.fullmatch("[A-Za-z0-9_]+", name) and _mentions(key, name):
            raise StrataError(f"--key names {name}, whose name in raw is another: write {raw_name} in its place.")
    mentioned = [seen for seen, name in zip(sample.columns, raw_names, strict=True) if _mentions(key, name)]
    if not mentioned:
        raise StrataError(f"--key names {_no_column(key, sample)}, or write SQL over some of them.")
    return mentioned


def _has_jinja(text: str) -> bool:
    return any(mark in text for mark in ("{{", "{%", "{#"))


def _has_control(text: str) -> bool:
    return any(unicodedata.category(sign) in ("Cc", "Cs") for sign in text)


def _check_landed_name(seen: Seen, sample: Sample) -> None:
    of_sample = f"of the sample {places.text(sample.path)}"
    mend = "give it another, or take it out of the sample, and it lands beside the declared ones"
    if not seen.landed.strip():
        raise StrataError(f"Column {sample.columns.index(seen) + 1} {of_sample} has no name: {mend}.")
    for is_wrong, what in ((_has_jinja, "a mark of Jinja"), (_has_control, "a control character")):
        if is_wrong(seen.landed):
            raise StrataError(f"The column {shown(seen.landed)} {of_sample} has {what} in its name: {mend}.")


def _check_needed(option: str, seen: Seen, is_lines: bool) -> None:
    if seen.empty_in is not None:
        raise StrataError(
            f"{_flag(option)} needs {shown(seen.landed)}, which is empty in line {seen.empty_in} of the sample: "
            f"name a column that every {'line' if is_lines else 'row'} has, or leave that line out."
        )
    if seen.is_nested:
        raise StrataError(
            f"{_flag(option)} needs {shown(seen.landed)}, which holds an object or a list: "
            "name a key with texts or numbers."
        )


def _moment(option: str, seen: Seen) -> tuple[str, str | None]:
    """Return the type of a time, or of a date where that is enough, and the unit of one that lands as a number."""
    epoch = seen.epoch()
    found = "timestamp" if epoch else seen.type()
    types = ("date", "timestamp") if option == "valid_from" else ("timestamp",)
    if found not in types:
        raise StrataError(
            f"{_flag(option)} names {shown(seen.landed)}, which is {found} in the sample (such as "
            f"{shown(seen.example)}): name a {' or a '.join(types)} like {' or '.join(MADE[one] for one in types)}."
        )
    return found, epoch


def _declaration(seen: Seen, name: str, type: str, epoch: str | None) -> dict[str, Any]:
    meta: dict[str, Any] = {}
    if seen.landed != name:
        meta["landed_name"] = seen.landed
    if epoch:
        meta["form"] = f"epoch_{epoch}"
    if seen.empty_in is not None:
        meta["nullable"] = True
    landed = textwrap.shorten(seen.landed, 80, placeholder=" ...")
    column = {"name": name, "data_type": type, "description": f"From the landed column {landed}."}
    return {**column, "config": {"meta": meta}} if meta else column


# --- what is written


def _flow(value: Any) -> str:
    """Return a value as YAML has it in one line; what cannot be seen in it is escaped."""
    is_seen = json.dumps(value, ensure_ascii=False).isprintable()
    dumped = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), allow_unicode=is_seen, sort_keys=False)
    return dumped.strip()


def _scalar(value: Any) -> str:
    return _flow([value])[1:-1]


def _declaration_lines(column: dict[str, Any]) -> str:
    """Return a column's declaration, on two lines where it does not fit on one."""
    line = f"- {_flow(column)}"
    if len(line) <= WIDEST_YAML - 10 or "config" not in column:
        return line
    rest = {field: value for field, value in column.items() if field != "description"}
    return f"- {_flow(rest)[:-1]},\n   description: {_scalar(column['description'])}}}"


def _literal(text: Any) -> str:
    """Return a text as a literal of Spark's SQL."""
    return "'" + str(text).replace("\\", "\\\\").replace("'", "\\'") + "'"


def _identifier(name: str) -> str:
    return f"`{name}`" if _is_word(name.lower(), SQL_WORDS) else name


def _call(macro: str, *arguments: str, start: str = "{{ ", end: str = " }}") -> str:
    """Return a call of a macro, on several lines where one would be too long."""
    line = f"{start}{macro}({', '.join(arguments)}){end}"
    if len(line) <= 110:
        return line
    return f"{start}{macro}(\n" + "".join(f"    {argument},\n" for argument in arguments) + f"){end}"


def _listed(items: Iterable[str]) -> str:
    """Return items with commas between, on as many lines as they need."""
    lines = [""]
    for item in items:
        if lines[-1] and len(lines[-1]) + len(item) > 100:
            lines.append("")
        lines[-1] += f"{item}, "
    return "\n".join(line.rstrip() for line in lines).removesuffix(",")


def _described(*names: str, type: str | None = None, tests: str | None = None) -> str:
    """Return described columns, one a line: each by its name, and its doc block where that is not of the same name."""
    lines = []
    for text in names:
        name, _, doc = text.partition(":")
        data_type = f", data_type: {_scalar(type)}" if type else ""
        data_tests = f", data_tests: [{tests}]" if tests else ""
        description = f"description: \"{{{{ doc('{doc or name}') }}}}\""
        lines.append(f"- {{name: {_scalar(name)}{data_type}, {description}{data_tests}}}")
    return "\n".join(lines)


def _declared(
    columns: Iterable[Column], doc: str = "declared_column", typed: bool = False, tests: str | None = None
) -> str:
    return "\n".join(
        _described(f"{c.name}:{doc}", type=c.type if typed else None, tests=None if c.nullable else tests)
        for c in columns
    )


def _made(column: Column) -> Any:
    """Return a made value of a column, as YAML has it."""
    return MADE[column.type.split("(")[0]]


def _made_value(column: Column) -> str:
    """Return the same as a text that SQL casts."""
    return str(_made(column)).lower()


def _made_text(column: Column) -> str:
    """Return the same as a text that lands."""
    return str(int(A_MOMENT.timestamp()) * inferring.EPOCHS[column.epoch]) if column.epoch else _made_value(column)


def _malformed(column: Column) -> str:
    """Return what is read of the text `x`, in SQL."""
    return "'x'" if column.type == "string" else "null"


def _cast(column: Column) -> str:
    return f"cast(_{column.name} as {column.type}) as {column.name}"


def _key_cast(source: Source) -> list[str]:
    """Return what a unit test expects of a key that is an expression: null where what it is made of was not read."""
    if not source.key_expression:
        return []
    parts = [f"_{c.name} is not null" for c in source.columns if _mentions(source.key_expression, c.raw_name)]
    return [f"if({' and '.join(parts)}, {source.key_expression}, null) as {source.key}"]


def _made_line(source: Source) -> str:
    """Return a made line of JSON, in ASCII, that has what is declared."""
    return json.dumps({c.landed_name: int(_made_text(c)) if c.epoch else _made(c) for c in source.columns})


def _reasons(source: Source, broken: str) -> list[str]:
    """Return the reasons of a row whose texts are all `missing`, or all `malformed`: the items of an array in SQL."""
    concerned = [c for c in source.columns if (not c.nullable if broken == "missing" else c.type != "string")]
    reasons = [f"'{c.reason}_{broken}'" for c in concerned]
    # A key is made of values that are there and of their form.
    if source.key_expression and any(_mentions(source.key_expression, c.raw_name) for c in concerned):
        reasons.append(f"'{source.key}_missing'")
    return f"array({', '.join(reasons)})".split(", ")


def render(declaration: dict[str, Any], by: str | None) -> dict[str, str]:
    """Return the files of a declared source by their paths below the project's folder; `by` is a landed column."""
    environment = Environment(
        loader=PackageLoader("strata"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **{"variable_start_string": "<<", "variable_end_string": ">>", "block_start_string": "<%"},
        **{"block_end_string": "%>", "comment_start_string": "<#", "comment_end_string": "#>"},
    )
    environment.filters.update(
        literal=_literal,
        identifier=_identifier,
        made=_made,
        made_value=_made_value,
        made_text=_made_text,
        malformed=_malformed,
        cast=_cast,
    )
    environment.globals.update(call=_call, flow=_flow, scalar=_scalar, listed=_listed, described=_described)
    lines = "\n".join(map(_declaration_lines, declaration["columns"]))
    text = _whole(environment.get_template("sources.yml.jinja").render({**declaration, "columns": lines}))
    source = _read_back(text, declaration["name"])
    keyed = list(source.columns)
    if source.key_expression:
        # The key's column has not landed.
        keyed.append(replace(keyed[0], name=source.key, landed_name="", raw_name="", type="string", nullable=False))
    named = {column.name: column for column in keyed}
    key = named.get(source.key)
    others = [column for column in source.columns if column is not key]
    counted_by = next((column for column in source.columns if column.landed_name == by), None)
    values = {
        "name": source.name,
        "kind": source.arrives,
        "columns": source.columns,
        "keyed": keyed,
        "key": key,
        "history": [key, *others],
        "time": named.get(source.time),
        "by": counted_by,
        "by_value": {counted_by.name: _made(counted_by)} if counted_by else {},
        "raw_names": [column.raw_name.lower() for column in source.columns],
        "landed_texts": _described(*(f"{column.raw_name}:raw_text" for column in source.columns)),
        "declared_columns": partial(_declared, keyed),
        # What is valid is not null; of a history the key is tested.
        "history_columns": lambda typed=False, tests=None: "\n".join(
            [_declared([key], typed=typed, tests=tests), *([_declared(others, typed=typed)] if others else [])]
        ),
        "reasons": partial(_reasons, source),
        "key_cast": _key_cast(source),
        "read_names": [f"_{column.name}" for column in source.columns],
        "landed_struct": f"struct({', '.join(_identifier(c.raw_name) for c in source.columns)}) as landed",
        "made_line": _made_line(source),
        "a_day": A_DAY,
        "next_day": NEXT_DAY,
    }
    return {
        path.format(source.name): text
        if template == "sources.yml"
        else _whole(environment.get_template(f"{template}.jinja").render(values))
        for path, template in FILES[source.arrives].items()
    }


def _whole(text: str) -> str:
    """Return a file's text; names may be too long for the linter of YAML, and are not to be cut."""
    if text.startswith(("models:", "sources:")) and max(map(len, text.split("\n"))) > WIDEST_YAML:
        text = f"# yamllint disable rule:line-length\n{text}"
    return text


def _read_back(text: str, name: str) -> Source:
    """Return the source that the text of a file declares, as the project reads it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"models/raw/{name}/_{name}__sources.yml")
        file.parent.mkdir(parents=True)
        file.write_text(text, encoding="utf-8")
        return sources.load(Path(folder))[name]


def check_name(name: str, kind: str, root: Path) -> None:
    """Raise StrataError for a name that is not plain, is declared already, or whose files or nodes are there."""
    if (
        not re.fullmatch(rf"[a-z][a-z0-9_]{{0,{LONGEST_NAME - 1}}}", name)
        or _is_word(name, SQL_WORDS)
        or name in sources.RESERVED_NAMES
    ):
        raise StrataError(
            f"A source cannot be named {shown(name)}: name it by at most {LONGEST_NAME} lower-case letters a-z, digits "
            f"and underscores, a letter first, no word of SQL, and not {' or '.join(sources.RESERVED_NAMES)}."
        )
    if name in sources.load(root):
        raise StrataError(f"The source {name} is declared already: change its declaration, or choose another name.")
    paths = [Path(path.format(name)) for path in FILES[kind]]
    for path in paths:
        if (root / path).exists() or (root / path).is_symlink():
            raise StrataError(f"{path} is there, and nothing is overwritten: move it away, or choose another name.")
    nodes = {path.stem for path in paths if path.suffix == ".sql"} | {name}
    for pattern in ("models/**/*.sql", "snapshots/**/*.sql", "seeds/**/*.csv"):
        for file in sorted(root.glob(pattern)):
            if file.stem in nodes:
                raise StrataError(
                    f"The source {name} needs the name {file.stem}, which {file.relative_to(root)} has: "
                    "choose another name."
                )


def write(files: dict[str, str], root: Path) -> None:
    """Write all files below a folder, or none: drafts first, and what was made is removed when one cannot be."""
    made: list[Path] = []
    path = root
    try:
        for name, text in files.items():
            path = root / name
            for folder in reversed(path.parents):
                if not folder.exists():
                    folder.mkdir()
                    made.append(folder)
            made.append(_draft(path))
            _draft(path).write_text(text, encoding="utf-8")
        for name in files:
            path = root / name
            if path.exists():
                raise FileExistsError(0, "it is there by now")
            _draft(path).rename(path)
            made.append(path)
    except BaseException as error:
        for one in reversed(made):
            with contextlib.suppress(OSError):
                one.rmdir() if one.is_dir() else one.unlink()
        if isinstance(error, OSError):
            raise StrataError(
                f"{path} cannot be written ({error.strerror}), so nothing was: mend that, and run it again."
            ) from None
        raise


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.draft")


# --- what is said


def _table(declaration: dict[str, Any], sample: Sample) -> Table:
    """Return what was inferred; the sample's texts mean nothing to the terminal."""
    title = f"{sample.rows:,} rows of {shown(sample.path.name)}"
    if sample.separator:
        title += f", with {inferring.named(sample.separator)} between the fields"
    table = Table("landed name", "column", "type", "nullable", "example", title=Text(title))
    declared = {}
    for column in declaration["columns"]:
        meta = column.get("config", {}).get("meta", {})
        form = f", {meta['form']}" if "form" in meta else ""
        nullable = "yes" if meta.get("nullable") else "no"
        declared[meta.get("landed_name", column["name"])] = (column["name"], column["data_type"] + form, nullable)
    for seen in sample.columns:
        cells = declared.get(seen.landed, ("", "grows by itself", ""))
        table.add_row(*map(Text, (shown(seen.landed), *cells, shown(seen.example or ""))))
    return table


def _steps(declaration: dict[str, Any], files: Iterable[str]) -> list[str]:
    name = declaration["name"]
    run = "dbt build', now and whenever files have landed"
    is_history = declaration["meta"]["arrives"] == "daily_snapshot"
    if is_history:
        run = "dbt build', and each day 'dbt snapshot', which takes the oldest landed day that the history lacks"
    return [
        *(f"written: {path}" for path in files),
        f"Next: check models/raw/{name}/_{name}__sources.yml (types, what may be null, what each column means);",
        f"put files into {places.text(places.landing() / name)}/YYYY/MM/DD;",
        f"run '{run}.",
        *([f"Where many days have landed, 'strata catch-up --source {name}' takes all of them."] if is_history else []),
    ]


def make(
    name: str, kind: str, sample: Path, options: dict[str, str | None], console: Console, root: Path = places.ROOT
) -> list[str]:
    """Write the files of a new source, say what was inferred and what comes next, and return their paths."""
    check_name(name, kind, root)
    read = inferring.read(sample)
    declaration = declare(name, kind, read, options)
    files = render(declaration, options["by"])
    console.print(_table(declaration, read))
    write(files, root)
    for text in _steps(declaration, files):
        console.print(text, soft_wrap=True, markup=False, highlight=False)
    return list(files)


def check_options(kinds: dict[str, bool], options: dict[str, str | None]) -> str:
    """Return the one way to arrive that was chosen; raise StrataError for options that do not go together."""
    chosen = [kind for kind, is_chosen in kinds.items() if is_chosen]
    if len(chosen) != 1:
        said = " and ".join(map(_flag, chosen)) or "none"
        raise StrataError(f"How it arrives is said by {said}: give one of {', '.join(map(_flag, kinds))}.")
    needed, allowed = OPTIONS[chosen[0]]
    for option, value in options.items():
        if option in needed and not (value or "").strip():
            raise StrataError(f"{_flag(chosen[0])} needs {_flag(option)}: name a column of the sample.")
        if value is not None and option not in (*needed, *allowed):
            raise StrataError(f"{_flag(option)} means nothing with {_flag(chosen[0])}: leave it out.")
    return chosen[0]


def command(
    name: Annotated[str, typer.Argument(help="The source's name, and that of its folder in the landing folder.")],
    sample: Annotated[Path, typer.Option(help="A file of it as it lands: .csv, .csv.gz, .jsonl or .jsonl.gz.")],
    daily_snapshot: Annotated[
        bool, typer.Option("--daily-snapshot", help="A table that lands whole each day (--key, --valid-from).")
    ] = False,
    events: Annotated[bool, typer.Option("--events", help="Rows, each at a time (--time, maybe --by).")] = False,
    growing_lines: Annotated[
        bool, typer.Option("--growing-lines", help="JSON lines whose keys grow (--key, --time).")
    ] = False,
    key: Annotated[str | None, typer.Option(help="The landed column of the key, or SQL over landed columns.")] = None,
    valid_from: Annotated[str | None, typer.Option(help="The landed column that says since when a row is so.")] = None,
    time: Annotated[str | None, typer.Option(help="The landed column with the time.")] = None,
    by: Annotated[str | None, typer.Option(help="The landed column that windows of events are counted by.")] = None,
) -> None:
    """Declare a new source from a landed sample, and write its models, tests and descriptions."""
    options = {"key": key, "valid_from": valid_from, "time": time, "by": by}
    kinds = {"daily_snapshot": daily_snapshot, "events": events, "growing_lines": growing_lines}
    make(name, check_options(kinds, options), sample, options, Console())
