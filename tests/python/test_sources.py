"""The declarations of sources: what they mean, and the one sentence for each that is wrong."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from dbt.cli.main import dbtRunner

from strata import places, settings, sources
from strata.errors import StrataError

SHOP: dict[str, Any] = {
    "name": "refunds",
    "config": {"meta": {"arrives": "daily_snapshot", "key": "refund_id", "valid_from": "refunded_on"}},
    "columns": [
        {"name": "refund_id", "data_type": "bigint", "config": {"meta": {"landed_name": "RefundID"}}},
        {"name": "amount", "data_type": "decimal(10, 2)", "meta": {"nullable": True}},
        {"name": "refunded_on", "data_type": "date"},
    ],
}
DOOR: dict[str, Any] = {
    "name": "doors",
    "config": {"meta": {"arrives": "events", "time": "at"}},
    "columns": [{"name": "at", "data_type": "timestamp"}, {"name": "action", "data_type": "string"}],
}
FLEET: dict[str, Any] = {
    "name": "fleet",
    "config": {"meta": {"arrives": "growing_lines", "key": "truck", "time": "at"}},
    "columns": [{"name": "truck", "data_type": "string"}, {"name": "at", "data_type": "timestamp"}],
}


def written(project: Path, *tables: Any, name: str = "a.yml") -> Path:
    """Write declarations into one file of a project."""
    file = project / "models" / "raw" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump({"version": 2, "sources": [{"name": "landing", "tables": list(tables)}]}))
    return file


def load(project: Path, *tables: Any) -> dict[str, sources.Source]:
    written(project, *tables)
    return sources.load(project)


def refused(project: Path) -> str:
    with pytest.raises(StrataError) as error:
        sources.load(project)
    sentence = str(error.value)
    assert "\n" not in sentence
    assert "models/raw/" in sentence
    assert sentence.endswith(".")
    assert ": " in sentence
    return sentence


def changed(table: dict, meta: dict | None = None, column: dict | None = None, **other: Any) -> dict:
    """Return a declaration with another meta, with a last column of another kind, or with other things."""
    table = {**copy.deepcopy(table), **other}
    if meta:
        table["config"]["meta"].update(meta)
    if column is not None:
        parts = {key: column.pop(key) for key in ("name", "data_type") if key in column}
        table["columns"].append({"name": "extra", "data_type": "int", **parts, "meta": column})
    return table


# --- what is declared -------------------------------------------------------------------------------------------------


def test_the_sources_of_the_project_are_what_they_were() -> None:
    found = sources.load()
    assert {name: (source.arrives, source.landed_names, source.endings) for name, source in found.items()} == {
        "events": ("events", ("time", "action"), (".csv", ".csv.gz")),
        "fleet_sensors": ("growing_lines", (), (".jsonl", ".jsonl.gz")),
        "purchases": ("daily_snapshot", ("PurchaseID", "product", "user", "date"), (".csv", ".csv.gz")),
    }
    assert [name for name, source in found.items() if not source.is_daily] == ["events"]
    assert found["fleet_sensors"].quarantine == "sensor_readings"


def test_a_declaration_is_normalized_for_the_macros(tmp_path: Path) -> None:
    first, second, third = json.loads(sources.normalized(load(tmp_path, SHOP, FLEET, DOOR)))
    assert [first["name"], second["name"], third["name"]] == ["doors", "fleet", "refunds"]
    column = {"form": None, "epoch": None, "minimum": None, "maximum": None, "nullable": False}
    assert third == {
        "name": "refunds",
        "arrives": "daily_snapshot",
        "format": "csv",
        "separator": ",",
        "key": "refund_id",
        "key_expression": None,
        "valid_from": "refunded_on",
        "time": None,
        "quarantine": "refunds",
        "derived_columns": [],
        "limits": {"max_quarantined_share": 0.05, "max_removed_share": 0.5, "allow_empty_snapshot": False},
        "columns": [
            {**column, "name": "refund_id", "landed_name": "RefundID", "raw_name": "RefundID", "type": "bigint"}
            | {"reason": "refund_id"},
            {**column, "name": "amount", "landed_name": "amount", "raw_name": "amount", "type": "decimal(10,2)"}
            | {"reason": "amount", "nullable": True},
            {**column, "name": "refunded_on", "landed_name": "refunded_on", "raw_name": "refunded_on", "type": "date"}
            | {"reason": "refunded_on"},
        ],
    }
    declared = sources.load(tmp_path)
    assert sources.normalized(dict(reversed(declared.items()))) == sources.normalized(declared)
    assert (first["key"], first["time"], first["limits"]) == (None, "at", {"max_quarantined_share": 0.05})
    assert (second["format"], second["limits"]) == (
        "jsonl",
        {"max_quarantined_share": 0.05, "max_new_columns": 50, "max_columns": 2000},
    )


def test_what_a_declaration_says_is_taken(tmp_path: Path) -> None:
    assert load(tmp_path, changed(SHOP, {"derived_columns": ["year", "x"]}))["refunds"].derived_columns == ("year", "x")
    meta = {"separator": "\t", "quarantine": "odd_doors", "max_quarantined_share": 1}
    table = changed(DOOR, meta, {"landed_name": "No. of", "form": "[0-9]{3}", "minimum": 1, "maximum": 7.0})
    table["columns"][0]["config"] = {"meta": {"form": "epoch_seconds", "landed_name": "time"}}
    source = load(tmp_path, table)["doors"]
    assert (source.separator, source.quarantine, source.limits) == ("\t", "odd_doors", {"max_quarantined_share": 1})
    assert [
        (column.raw_name, column.form, column.epoch, column.minimum, column.maximum, column.reason)
        for column in source.columns
    ] == [
        ("time", None, "seconds", None, None, "time"),
        ("action", None, None, None, None, "action"),
        ("extra_landed", "[0-9]{3}", None, "1", "7", "extra"),
    ]


@pytest.mark.parametrize(
    ("names", "raw_names"),
    [
        ({"a": "Line", "b": "line"}, ["a_landed", "b_landed"]),
        ({"a": "x", "b": "X"}, ["x", "b_landed"]),
        ({"b": "a_landed", "a": "_x"}, ["a_landed", "a_landed_landed"]),
        ({"a": "b_landed", "b": "7"}, ["b_landed", "b_landed_landed"]),
        ({"a": "Übung", "b": "DAY"}, ["a_landed", "b_landed"]),
    ],
)
def test_a_column_has_a_name_in_raw_that_no_other_has(
    tmp_path: Path, names: dict[str, str], raw_names: list[str]
) -> None:
    table = copy.deepcopy(DOOR)
    for name, landed in names.items():
        table["columns"].append({"name": name, "data_type": "string", "meta": {"landed_name": landed}})
    assert [column.raw_name for column in load(tmp_path, table)["doors"].columns][2:] == raw_names


@pytest.mark.parametrize("key", ["RefundID || '-' || amount", "concat(`RefundID`, amount)"])
def test_a_key_that_is_no_column_is_an_expression(tmp_path: Path, key: str) -> None:
    source = load(tmp_path, changed(SHOP, {"key": f" {key} "}))["refunds"]
    assert (source.key, source.key_expression) == ("refunds_key", key)


@pytest.mark.parametrize(
    ("kind", "bound", "text"),
    [
        ("int", 2**31 - 1, "2147483647"),
        ("int", "-2147483648", "-2147483648"),
        ("bigint", 2**63 - 1, "9223372036854775807"),
        ("bigint", "1e3", "1000"),
        ("decimal(5,2)", 999.99, "999.99"),
        ("decimal(5,2)", "-0.10", "-0.10"),
        ("decimal(2,2)", "0.25", "0.25"),
        ("double", "1e300", "1e+300"),
        ("date", "2026-01-31", "2026-01-31"),
        ("timestamp", "2026-01-31", "2026-01-31T00:00:00+00:00"),
        ("timestamp", "2026-01-31 12:30:00.5+01:00", "2026-01-31T11:30:00.500000+00:00"),
    ],
)
def test_a_bound_is_a_text_that_sql_casts(tmp_path: Path, kind: str, bound: Any, text: str) -> None:
    column = {"data_type": kind, "minimum": bound, "maximum": bound}
    found = load(tmp_path, changed(SHOP, column=column))["refunds"].columns[-1]
    assert (found.minimum, found.maximum) == (text, text)


def test_a_day_needs_no_quotes(tmp_path: Path) -> None:
    file = written(tmp_path, changed(SHOP, column={"data_type": "date", "maximum": "D"}))
    file.write_text(file.read_text().replace("maximum: D", "maximum: 2026-01-31"))
    assert sources.load(tmp_path)["refunds"].columns[-1].maximum == "2026-01-31"


def test_other_files_and_other_sources_are_left_to_dbt(tmp_path: Path) -> None:
    file = written(tmp_path, DOOR)
    files = {
        "other.yml": "sources:\n  - name: shop\n    tables: [{name: '{{ landing }}', meta: {arrives: never}}]\n",
        "broken.yaml": "models: [\n",
        "list.yml": "- landing\n- sources\n",
        "empty.yml": "# landing, sources\n",
        "none.yml": "sources:\n  - name: landing\n",
        "jinja.yml": "models:\n  - {name: landing, description: \"{{ doc('sources') }}\"}\n",
    }
    for name, text in files.items():
        (file.parent / name).write_text(text)
    (file.parent / ".#lock.yml").symlink_to("nobody@nowhere")
    (tmp_path / "models/raw/deep").mkdir()
    file.rename(tmp_path / "models/raw/deep/a.yaml")
    assert list(sources.load(tmp_path)) == ["doors"]
    assert sources.load(tmp_path / "models/raw/deep") == {}


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sources:\n  - name: landing\n    tables: [\n", "models/raw/a.yml cannot be read as YAML in line 4 ("),
        (
            "sources: {name: landing, x: 2026-13-41}\n",
            "models/raw/a.yml cannot be read as YAML (month must be in 1..12",
        ),
        ("sources: landing \x07\n", "models/raw/a.yml cannot be read as YAML (control characters are not allowed)"),
        (
            "sources:\n  - name: landing\n    tables:\n      - {name: a, description: \"{{ doc('a') }}\"}\n",
            "models/raw/a.yml declares a source and has {{ in line 4: write it without Jinja",
        ),
        ("# {% if x %}\nsources: [{name: landing, tables: [{name: a}]}]\n", "has {% in line 1"),
        ("# {# x #}\nsources: [{name: landing, tables: [{name: a}]}]\n", "has {# in line 1"),
    ],
)
def test_a_file_that_cannot_be_read_plainly_is_refused(tmp_path: Path, text: str, said: str) -> None:
    written(tmp_path).write_text(text)
    assert said in refused(tmp_path)


def test_a_file_that_is_no_utf8_or_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path)
    file.write_bytes(b"sources:\n  - name: landing \xff\n")
    assert "a.yml holds bytes that are no UTF-8 in line 2: write it as UTF-8" in refused(tmp_path)

    def closed(path, _stamp):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(sources, "_parsed", closed)
    assert "a.yml cannot be read (Permission denied): give this user the right to" in refused(tmp_path)


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ([DOOR, DOOR], "The source doors is declared twice, in models/raw/a.yml: take one of the two away"),
        (
            [DOOR, changed(SHOP, name="doors_files")],
            "The source doors_files in models/raw/a.yml would have doors_files, as the source doors in models/raw/",
        ),
        ([SHOP, changed(SHOP, name="rebuilt_refunds")], "would have rebuilt_refunds, as the source refunds"),
        ([FLEET, changed(SHOP, name="fleet_windows")], "would have fleet_windows, as the source fleet"),
        ([DOOR, changed(FLEET, name="doors_files")], "would have stage.doors_files, as the source doors"),
        (
            [DOOR, changed(FLEET, {"quarantine": "doors"})],
            "would have quarantine_doors, as the source doors in models/raw/a.yml has: say another table in `quarant",
        ),
        ([DOOR, changed(SHOP, name="judged_doors")], "as the source doors in models/raw/a.yml has: rename one of them"),
    ],
)
def test_two_sources_that_would_have_one_table_are_refused(tmp_path: Path, tables: list, said: str) -> None:
    written(tmp_path, *tables)
    assert said in refused(tmp_path)


@pytest.mark.parametrize(
    ("table", "name", "taken"),
    [
        *((table, "loaded_files", "raw.loaded_files") for table in (DOOR, FLEET)),
        *((DOOR, name, f"{name}_files") for name in ("loaded", "landed")),
        *((table, "history_days", "stage.history_days") for table in (DOOR, FLEET)),
        *(
            (SHOP, name, name)
            for name in ("loaded_files", "landed_files", "ignored_files", "schema_changes", "history_days")
        ),
        *((SHOP, name, name) for name in ("intake", "deliveries")),
    ],
)
def test_a_source_that_would_have_what_is_there_without_it_is_refused(
    tmp_path: Path, table: dict, name: str, taken: str
) -> None:
    written(tmp_path, changed(table, name=name))
    said = f"The source {name} in models/raw/a.yml would have {taken}, which is there without it: name the source other"
    assert refused(tmp_path).startswith(said)


def test_what_is_there_in_other_schemas_alone_is_no_name_to_refuse(tmp_path: Path) -> None:
    assert list(load(tmp_path, *(changed(DOOR, name=name) for name in ("intake", "landed_files")))) == [
        *("intake", "landed_files")
    ]


def test_the_names_that_are_there_whatever_is_declared_are_those_of_the_project() -> None:
    models = (places.ROOT / "models").glob("*/*.sql")
    assert {"raw.loaded_files", "stage.history_days", *(model.stem for model in models)} == sources.ENGINE_NAMES


def test_a_source_declared_in_two_files_is_named_with_both(tmp_path: Path) -> None:
    written(tmp_path, DOOR)
    written(tmp_path, DOOR, name="b.yml")
    assert "declared twice, in models/raw/a.yml and models/raw/b.yml" in refused(tmp_path)


FAULTS = [
    # names
    *((changed(DOOR, name=name), f"declares a source named {name!r}") for name in ("Doors", "1a", "a-b", "a" * 61, 7)),
    *((table, "declares a source named None") for table in ("doors", {}, None, [])),
    *((changed(DOOR, name=name), "has a name that the lake needs for itself") for name in ("landing", "ignored")),
    # the source's meta
    (changed(DOOR, config={"meta": []}) | {"columns": []}, "arrives as None: say in `arrives` one of events, daily_"),
    (changed(DOOR, config={"meta": ["a"]}), "has a `meta` of ['a'] in its meta"),
    (
        changed(DOOR, {"arrive": "events"}),
        "says 'arrive' in its meta, which means nothing: leave it out, or say one of",
    ),
    (changed(DOOR, {"arrives": "hourly"}), "arrives as 'hourly'"),
    (changed(DOOR, {"arrives": ["events"]}), "arrives as ['events']"),
    (changed(DOOR, {"format": "jsonl"}), "has the format 'jsonl': events has the format csv"),
    (changed(FLEET, {"format": "csv"}), "has the format 'csv': growing_lines has the format jsonl"),
    (changed(DOOR, {"separator": ":"}), "has the separator ':': it is one of , ; | and a tab"),
    (changed(DOOR, {"separator": None}), "has the separator None"),
    (changed(FLEET, {"separator": ","}), "has the separator ',': leave it out, lines have none"),
    (changed(DOOR, {"quarantine": "Odd Doors"}), "has the table 'Odd Doors' in `quarantine`"),
    # its limits
    *(
        (changed(SHOP, {name: value}), f"has {value!r} for {name}: it must be {wanted}")
        for name, values, wanted in (
            ("max_quarantined_share", (-0.1, 1.1, "5 %", True, None, [1]), "a number from 0 to 1"),
            ("max_removed_share", (2, "half", False, float("nan")), "a number from 0 to 1"),
            ("allow_empty_snapshot", (0, "yes", None), "true or false"),
        )
        for value in values
    ),
    *(
        (changed(FLEET, {name: value}), f"has {value!r} for {name}: it must be a whole number from {least}")
        for name, values, least in (("max_new_columns", (-1, 1.5, True), 0), ("max_columns", (0, 10_001, "2000"), 1))
        for value in values
    ),
    (changed(DOOR, {"max_removed_share": 0.5}), "says max_removed_share: events has no such limit, leave it out"),
    (changed(SHOP, {"max_columns": 5}), "says max_columns: daily_snapshot has no such limit"),
    # key, valid_from, time
    *((changed(DOOR, {"time": value}), "names no time: name a column in `time`") for value in (None, "", " ", 7)),
    (changed(SHOP, {"key": None}), "names no key: name a column, or SQL over landed columns in `key`"),
    (changed(SHOP, {"valid_from": None}), "names no valid_from"),
    (changed(FLEET, {"key": None}), "names no key"),
    (changed(FLEET, {"time": None}), "names no time"),
    (changed(DOOR, {"key": "action"}), "names 'action' in `key`: events has none, leave it out"),
    (changed(DOOR, {"valid_from": "at"}), "names 'at' in `valid_from`: events has none"),
    (changed(SHOP, {"time": "refunded_on"}), "names 'refunded_on' in `time`: daily_snapshot has none"),
    (changed(DOOR, {"time": "when"}), "names 'when' in `time`, which is no declared column: name one of at, action"),
    (changed(DOOR, {"time": "action"}), "names action in `time`, which is of type string: name a timestamp there"),
    (
        changed(SHOP, {"valid_from": "amount"}),
        "names amount in `valid_from`, which is of type decimal(10,2) and may be",
    ),
    (changed(SHOP, {"valid_from": "refund_id"}), "of type bigint: name a date or a timestamp there"),
    (changed(SHOP, {"key": "amount"}), "has the key amount, which may be null"),
    (changed(SHOP, {"key": "refund_idd"}), "has the key 'refund_idd', which is no declared column and holds none"),
    (
        changed(SHOP, {"key": "RefundID || amount"}, {"name": "refunds_key"}),
        "declares the column refunds_key, as its key is called",
    ),
    (
        changed(FLEET, {"key": "upper(truck)"}, name="landed"),
        "has a key named landed_key, as its tables have one of their own: rename the source",
    ),
    (changed(FLEET, column={}), "declares the column extra, which is of neither its key nor its time"),
    (changed(FLEET, {"key": "upper(truck)"}, {}), "declares the column extra, which is of neither"),
    (changed(DOOR, {"derived_columns": ["year"]}), "says derived_columns: events has no history, leave it out"),
    (changed(SHOP, {"derived_columns": "year"}), "has 'year' for derived_columns: it is a list of names"),
    (changed(SHOP, {"derived_columns": ["Year"]}), "has 'Year' in derived_columns: write a letter a-z"),
    *(
        (
            changed(SHOP, {"derived_columns": names}),
            f"has {names[-1]} in derived_columns, a column that is there already",
        )
        for names in (["amount"], ["year", "version"], ["x", "x"], ["landed"])
    ),
    # columns
    (changed(DOOR, columns=[]), "declares no columns"),
    (changed(DOOR, columns={"name": "At"}), "has a column named 'At'"),
    (changed(DOOR, columns=["at"]), "has a column named None"),
    *((changed(DOOR, column={"name": name}), f"has a column named {name!r}") for name in ("At", "a b", "ä", "a" * 61)),
    (changed(DOOR, column={"name": "at"}), "declares the column at twice: take one of the two away"),
    *(
        (changed(table, column={"name": name}), f"has a column named {name}, as its tables have one of their own")
        for table in (DOOR, SHOP, FLEET)
        for name in ("path", "line", "other_columns", "year", "landed", "landed_on", "is_valid", "reasons")
    ),
    *(
        (changed(SHOP, column={"name": name}), f"has a column named {name}, as its tables have one of their own")
        for name in (
            *("version", "valid_from", "valid_to", "recorded_on", "closed_on", "row_count", "is_quarantined"),
            *("has_invalid_row", "has_different_rows"),
        )
    ),
    *((changed(FLEET, column={"name": name}), f"has a column named {name}, as its") for name in ("name", "value")),
    *(
        (changed(DOOR, column={"data_type": kind}), f"has the data_type {kind!r} for the column extra")
        for kind in (None, "text", "decimal", "decimal(39,2)", "decimal(0,0)", "decimal(2,3)", "varchar(5)", "int,", 7)
    ),
    *(
        (changed(DOOR, column={"landed_name": name}), f"has the landed_name {name!r} for the column extra")
        for name in (None, "", 7)
    ),
    (
        changed(DOOR, column={"landed_name": "action"}),
        "has the columns action and extra of one landed name, 'action': each has one of its own",
    ),
    (changed(DOOR, column={"forms": "x"}), "says 'forms' in the meta of the column extra, which means nothing"),
    (changed(DOOR, column={"nullable": "yes"}), "has 'yes' for nullable of the column extra: it is true or false"),
    (changed(DOOR, column={"reason": "No!"}), "has the reason 'No!' for the column extra"),
    # forms
    (
        changed(DOOR, column={"form": "[0-9"}),
        "has the form '[0-9' for the column extra, which is no regular expression (",
    ),
    (changed(DOOR, column={"form": 7}), "has the form 7 for the column extra, which is no regular expression ("),
    (changed(DOOR, column={"form": "epoch_seconds"}), "has the form 'epoch_seconds' for the column extra of type int"),
    *(
        (
            changed(DOOR, column={"data_type": "timestamp", "form": form}),
            f"has the form {form!r} for the column extra of type timestamp: say one of epoch_seconds, ",
        )
        for form in ("epoch_hours", "[0-9]{10}", "epoch_")
    ),
    # bounds
    *(
        (
            changed(DOOR, column={"data_type": kind, "minimum": value}),
            f"has a minimum of {str(value)!r} for the column extra, which the type {kind} cannot hold",
        )
        for kind, values in {
            "int": (2**31, -(2**31) - 1, 1.5, "many", True, [1], "2026-01-01", "Infinity"),
            "bigint": (2**63, "1e1000000", "NaN"),
            "decimal(5,2)": (1000, 0.125, "1e9", "Infinity", "-NaN"),
            "double": ("1e999", ".", "inf"),
            "date": ("2026-02-30", "20260101", 20260101, "2026-01-01T00:00:00", "2026-W01-1"),
            "timestamp": ("2026-01-01T25:00:00", "today", 1767225600, "0001-01-01T00:00:00+14:00"),
        }.items()
        for value in values
    ),
    *(
        (
            changed(DOOR, column={"data_type": kind, "maximum": "x"}),
            f"has a maximum for the column extra of type {kind}: ",
        )
        for kind in ("string", "boolean")
    ),
    *(
        (
            changed(DOOR, column={"data_type": kind, "minimum": low, "maximum": high}),
            f"has a minimum of {low} for the column extra, above its maximum of {high}: put the smaller one first",
        )
        for kind, low, high in (
            ("int", 10, 9),
            ("double", 1.5, -1.5),
            ("decimal(5,2)", "10.00", "9"),
            ("date", "2026-01-02", "2026-01-01"),
            ("timestamp", "2026-01-01T00:00:00+00:00", "2025-12-31T23:30:00+00:00"),
        )
    ),
]


@pytest.mark.parametrize(("table", "said"), FAULTS)
def test_a_wrong_declaration_is_refused_with_a_sentence(tmp_path: Path, table: Any, said: str) -> None:
    written(tmp_path, table)
    sentence = refused(tmp_path)
    assert said in sentence
    assert sentence.startswith(("The source ", "models/raw/a.yml declares a source named "))


def test_what_the_faults_are_made_of_is_right(tmp_path: Path) -> None:
    """Else a fault could be another than the one that is looked for."""
    assert list(load(tmp_path, SHOP, DOOR, FLEET)) == ["doors", "fleet", "refunds"]
    for table in (SHOP, DOOR):
        assert len(load(tmp_path, changed(table, column={}))) == 1
    assert load(tmp_path, changed(FLEET, {"key": "upper(truck)"}))["fleet"].key == "fleet_key"


@pytest.mark.parametrize("command", ["parse", "list", "build", "snapshot"])
def test_a_wrong_declaration_stops_every_dbt_command(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    written(tmp_path, changed(DOOR, {"time": "when"}))
    tables = sources._tables
    monkeypatch.setattr(sources, "_tables", lambda project: tables(tmp_path))
    monkeypatch.setenv("STRATA_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "target"))
    monkeypatch.chdir(places.ROOT)
    done = dbtRunner().invoke(["--quiet", command])
    assert not done.success
    assert "The source doors in models/raw/a.yml names 'when' in `time`" in str(done.exception)
    assert not (tmp_path / "lake").exists()


# --- variables that override what is declared -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (
            {"max_removed_share": {"refunds": 2}},
            "max_removed_share is {'refunds': 2}; it must be a fraction from 0 to 1",
        ),
        ({"max_removed_share": {"refund": 1}}, "max_removed_share names refund, which is no source that has it"),
        ({"max_removed_share": {"doors": 1}}, "names doors, which is no source that has it; name one of refunds"),
        ({"max_columns": {"refunds": 1}}, "names refunds, which is no source that has it; name one of fleet"),
        ({"snapshot_date": {"doors": "2026-01-01"}}, "snapshot_date names doors, which is no source that has it"),
        ({"snapshot_date": {"refunds": 20260101}}, "snapshot_date is {'refunds': 20260101}; it must be a landed day"),
        ({"allow_empty_snapshot": {"refunds": None}}, "allow_empty_snapshot is {'refunds': None}; it must be true or"),
        ({"max_new_sensors": 5}, "max_new_sensors is no variable any more; its name is max_new_columns"),
        ({"max_sensor_columns": 5}, "max_sensor_columns is no variable any more; its name is max_columns"),
        ({"history": "again"}, "history is 'again'; it must be catch-up, replay or rebuild"),
        ({"history": "replay"}, "replay_from is the first day of a replay; set it with history: replay, and only then"),
        ({"replay_from": "2026-01-01"}, "replay_from is the first day of a replay"),
        ({"doors_path": 7}, "doors_path is 7; it must be the path of a file or a folder"),
        ({"doors_path": ""}, "doors_path is ''; it must be the path of a file or a folder"),
        (
            {"refunds_path": "/x"},
            "refunds_path is '/x'; it must be left out, for files of refunds lie in folders of days",
        ),
    ],
)
def test_a_variable_that_overrides_wrongly_is_refused(tmp_path: Path, variables: dict, said: str) -> None:
    declared = load(tmp_path, SHOP, DOOR, FLEET)
    with pytest.raises(StrataError) as error:
        settings.load(places.ROOT, variables, declared)
    assert str(error.value).startswith("Wrong setting, nothing was changed: ")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_variable_that_no_source_has_is_to_be_left_out(tmp_path: Path) -> None:
    with pytest.raises(StrataError, match="names doors, which is no source that has it; leave it out, for none has it"):
        settings.load(places.ROOT, {"max_columns": {"doors": 1}}, load(tmp_path, DOOR))


def test_a_variable_overrides_for_all_sources_or_for_one(tmp_path: Path) -> None:
    declared = load(tmp_path, SHOP, DOOR, FLEET)
    variables = {
        "max_quarantined_share": {"doors": 1, "refunds": 0.5},
        "max_removed_share": 0.7,
        "snapshot_date": {"refunds": "2026-01-01"},
        "allow_empty_snapshot": True,
        "history": "replay",
        "replay_from": "2026-01-01",
        "doors_path": "/x",
        "other_path": 7,
    }
    found = settings.load(places.ROOT, variables, declared)
    assert found.max_quarantined_share == {"doors": 1, "refunds": 0.5}
    assert (found.max_removed_share, found.max_columns, found.allow_empty_snapshot) == (0.7, None, True)
    assert str(found.snapshot_date["refunds"]) == str(found.replay_from) == "2026-01-01"
    assert found.paths == {"doors": "/x"}
    assert settings.load(places.ROOT, dict.fromkeys(variables), declared).paths == {}
