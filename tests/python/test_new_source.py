"""What `strata new-source` makes of a sample, what it refuses, and that it writes all or nothing; without Spark."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from strata import inferring, new_source, places, sources
from strata.errors import StrataError

REFUNDS = "refund_id,amount,reason,refunded_on\n1,12.50,late,2026-01-02\n2,3,,2026-01-03\n"
PAGE_VIEWS = "viewed_at,page,user_id\n2026-01-02T10:00:00Z,/home,5\n2026-01-02T10:00:01.5+01:00,/a,6\n"
METERS = (
    '{"meter": "M1", "read_at": 1767600000000, "kwh": 1.5}\n{"meter": 7, "read_at": 1767600000001, "x": {"a": 1}}\n'
)
NO_OPTIONS = {"key": None, "valid_from": None, "time": None, "by": None}
OF_REFUNDS = {**NO_OPTIONS, "key": "refund_id", "valid_from": "refunded_on"}
OF_VIEWS = {**NO_OPTIONS, "time": "viewed_at", "by": "page"}
OF_METERS = {**NO_OPTIONS, "key": "meter", "time": "read_at"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project's folder without a source."""
    for folder in ("models", "seeds", "snapshots"):
        (tmp_path / "project" / folder).mkdir(parents=True)
    return tmp_path / "project"


def sample(folder: Path, content: str | bytes, name: str = "sample.csv") -> Path:
    path = folder / name
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def make(root: Path, name: str, kind: str, content: str | bytes, options: dict, file: str = "sample.csv") -> str:
    """Make a source of a sample's content, and return what was said."""
    said = io.StringIO()
    path = sample(root.parent, content, file)
    new_source.make(name, kind, path, {**NO_OPTIONS, **options}, Console(file=said, width=200), root)
    return said.getvalue()


def refusal(root: Path, *arguments) -> str:
    """Return the sentence by which a source is refused, and check that nothing was written."""
    before = files_of(root)
    with pytest.raises(StrataError) as refused:
        make(root, *arguments)
    assert files_of(root) == before
    sentence = str(refused.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def files_of(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in sorted(root.rglob("*")) if path.is_file()}


def folders_of(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_dir())


def types(tmp_path: Path, content: str | bytes, name: str = "sample.csv") -> dict[str, str]:
    """Return the inferred types by landed name, with a question mark where a value may be missing."""
    read = inferring.read(sample(tmp_path, content, name))
    return {seen.landed: seen.type() + ("?" if seen.empty_in else "") for seen in read.columns}


def type_of(tmp_path: Path, *values: str) -> str:
    return types(tmp_path, "x;y\n" + "".join(f"{value};\n" for value in values))["x"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "-20", "0"], "bigint"),
        (["9" * 18, "-" + "9" * 18], "bigint"),
        (["9" * 19], "string"),
        (["00123", "12345"], "string"),
        (["0", "00"], "string"),
        (["+49123"], "string"),
        (["12.50", "3"], "decimal(12,2)"),
        (["-0.5", "0.125"], "decimal(12,3)"),
        (["12345678.25"], "decimal(13,2)"),
        (["1234567890123456789.5"], "decimal(23,1)"),
        (["9" * 36 + ".25"], "decimal(38,2)"),
        (["9" * 37 + ".25"], "string"),
        (["007.5"], "string"),
        ([".5"], "string"),
        (["5."], "string"),
        (["1,50"], "string"),
        (["1e5", "2.5", "-3E-7"], "double"),
        (["1e999"], "string"),
        (["NaN"], "string"),
        (["2026-01-02", "2024-02-29"], "date"),
        (["2026-02-29"], "string"),
        (["2026-1-2"], "string"),
        (["20260102"], "bigint"),
        (["2026-01-02T03:04:05Z", "2026-01-02 03:04:05", "2026-01-02T03:04:05.123456789+05:30"], "timestamp"),
        (["2026-01-02T24:00:00Z"], "string"),
        (["2026-01-02T03:04:05+19:00"], "string"),
        (["2026-01-02T03:04"], "string"),
        (["2026-01-02", "2026-01-02T03:04:05Z"], "string"),
        (["true", "false"], "boolean"),
        (["true", "1"], "string"),
        (["True"], "string"),
        (["1", "x"], "string"),
        (["1", "2.5", "x"], "string"),
        (["1767600000000"], "bigint"),
        (["٣"], "string"),
        ([""], "string?"),
        ([" 1"], "string"),
    ],
)
def test_a_type_holds_every_value_and_changes_none(tmp_path: Path, values: list[str], expected: str) -> None:
    assert type_of(tmp_path, *values) == expected


def test_a_column_may_be_null_where_a_value_is_missing(tmp_path: Path) -> None:
    assert types(tmp_path, REFUNDS) == {
        "refund_id": "bigint",
        "amount": "decimal(12,2)",
        "reason": "string?",
        "refunded_on": "date",
    }
    assert types(tmp_path, "a,b\n1,\n,2\n") == {"a": "bigint?", "b": "bigint?"}
    assert types(tmp_path, '{"a": 1, "b": null}\n{"a": 2, "c": 1.5}\n{"b": "", "c": 2}\n', "s.jsonl") == {
        "a": "bigint?",
        "b": "string?",
        "c": "decimal(12,1)?",
    }


@pytest.mark.parametrize(
    ("content", "separator", "columns"),
    [
        ("a,b\n1,2\n", ",", ["a", "b"]),
        ("a;b\n1,5;2\n", ";", ["a", "b"]),
        ("a|b\n1;5|2\n", "|", ["a", "b"]),
        ("a\tb\n1, 5\t2\n", "\t", ["a", "b"]),
        ("a\tb\n\t2\n\t\n", "\t", ["a", "b"]),
        ('a,"b;c"\n"1,5;2",2\n', ",", ["a", "b;c"]),
        # Names hold commas, and so may the rows; all agree with the rarer one.
        ("date|amount, EUR\n2026-01-02|5,00\n", "|", ["date", "amount, EUR"]),
        ("name;street, town\nA;B\n", ";", ["name", "street, town"]),
        ("a\n1\n\n2\n", ",", ["a"]),
        ('"a,b"\n"1,2"\n', ",", ["a,b"]),
        ("\n  \na,b\n\n1,2\n", ",", ["a", "b"]),
        ('a,b\n"1\n2",3\n', ",", ["a", "b"]),
    ],
)
def test_the_separator_is_what_the_header_and_all_rows_agree_on(
    tmp_path: Path, content: str, separator: str, columns: list[str]
) -> None:
    read = inferring.read(sample(tmp_path, content))
    assert (read.separator, [seen.landed for seen in read.columns]) == (separator, columns)


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("name", ["sample.csv", "SAMPLE.CSV.gz", "sample.csv.gz"])
def test_lines_may_end_as_they_like_and_begin_with_a_mark(tmp_path: Path, ends: str, mark: str, name: str) -> None:
    found = types(tmp_path, mark + "größe,b\n1.5,\n2,x".replace("\n", ends), name)
    assert found == {"größe": "decimal(12,1)", "b": "string?"}


def test_a_quoted_nothing_is_a_row_and_a_blank_line_is_none(tmp_path: Path) -> None:
    read = inferring.read(sample(tmp_path, 'a\n1\n""\n \t\n\n'))
    assert (read.rows, read.columns[0].empty_in) == (2, 3)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1767600000", "1767600001"], "seconds"),
        (["1767600000000"], "milliseconds"),
        (["1767600000000000"], "microseconds"),
        (["1767600000", "1767600000000"], None),
        (["20260102"], None),
        (["20260102030405"], None),
        (["202601020304"], None),
        (["5"], None),
        (["1767600000.5"], None),
    ],
)
def test_numbers_are_times_where_all_are_of_our_years_in_one_unit(
    tmp_path: Path, values: list[str], expected: str | None
) -> None:
    read = inferring.read(sample(tmp_path, "t\n" + "\n".join(values)))
    assert read.columns[0].epoch() == expected


@pytest.mark.parametrize(
    ("landed", "expected"),
    [
        (
            ["PurchaseID", "orderLineNo", "HTTPStatus", "amount_2"],
            ["purchase_id", "order_line_no", "http_status", "amount_2"],
        ),
        (["Größe (cm)", "prix réel", " x ", "a--b"], ["grosse_cm", "prix_reel", "x", "a_b"]),
        (["цена", "2nd", "_"], ["column_1", "column_2nd", "column_3"]),
        (["id", "ID", "Id "], ["id", "id_2", "id_3"]),
        (["path", "version", "order", "Null"], ["path_landed", "version_landed", "order_landed", "null_landed"]),
        (["name", "value", "date", "user"], ["name", "value", "date", "user"]),
        (["path", "path_landed"], ["path_landed", "path_landed_2"]),
        (["x" * 200], ["x" * 48]),
    ],
)
def test_a_name_is_made_plain(landed: list[str], expected: list[str]) -> None:
    assert new_source.plain_names(landed, sources.OWN_COLUMNS["daily_snapshot"]) == expected


def test_refunds_are_declared_in_eight_files_and_two_hundred_lines(root: Path) -> None:
    said = make(root, "refunds", "daily_snapshot", REFUNDS, OF_REFUNDS)
    written = files_of(root)
    assert sorted(written) == sorted(path.format("refunds") for path in new_source.FILES["daily_snapshot"])
    assert len(written) <= 8
    assert sum(text.count("\n") for text in written.values()) <= 200
    declared = sources.load(root)["refunds"]
    assert (declared.arrives, declared.key, declared.key_expression) == ("daily_snapshot", "refund_id", None)
    assert (declared.valid_from, declared.separator, declared.format) == ("refunded_on", ",", "csv")
    assert [(column.name, column.type, column.nullable) for column in declared.columns] == [
        ("refund_id", "bigint", False),
        ("amount", "decimal(12,2)", False),
        ("reason", "string", True),
        ("refunded_on", "date", False),
    ]
    assert "landing/refunds/YYYY/MM/DD" in said
    assert "dbt snapshot" in said
    assert "strata catch-up --source refunds" in said
    sources_file = yaml.safe_load(written["models/raw/refunds/_refunds__sources.yml"])
    assert sources_file["sources"][0]["tables"][0]["columns"][1] == {
        "name": "amount",
        "data_type": "decimal(12,2)",
        "description": "From the landed column amount.",
    }
    for cell in ("refund_id", "decimal(12,2)", "12.50", "2026-01-02"):
        assert cell in said


def test_page_views_are_declared_in_eight_files_and_two_hundred_lines(root: Path) -> None:
    make(root, "page_views", "events", PAGE_VIEWS, OF_VIEWS)
    written = files_of(root)
    assert sorted(written) == sorted(path.format("page_views") for path in new_source.FILES["events"])
    assert len(written) <= 8
    assert sum(text.count("\n") for text in written.values()) <= 200
    declared = sources.load(root)["page_views"]
    assert (declared.time, declared.key, declared.valid_from) == ("viewed_at", None, None)
    assert "group by window_start, page\n" in written["models/mart/page_views/page_views_windows.sql"]


def test_meters_are_declared_by_their_key_and_time_alone(root: Path) -> None:
    said = make(root, "meters", "growing_lines", METERS, OF_METERS, "sample.jsonl")
    declared = sources.load(root)["meters"]
    assert [(column.name, column.type, column.epoch) for column in declared.columns] == [
        ("meter", "string", None),
        ("read_at", "timestamp", "milliseconds"),
    ]
    written = files_of(root)
    assert len(written) <= 8
    assert sum(text.count("\n") for text in written.values()) <= 200
    assert said.count("grows by itself") == 2


def test_what_is_said_and_written_of_a_sample_holds_no_value(root: Path) -> None:
    """Its values may be anybody's, and mean something to YAML, SQL, Jinja or a terminal."""
    values = ["{{ boom }}", "{% x %}", "'; drop table x; --", "[bold]b[/bold]", "\x1b[31mred", "a: b # c", "\u202eabc"]
    rows = "".join(f'{number},"{value}\n",2026-01-02\n' for number, value in enumerate(values, 71000))
    said = make(root, "odd", "daily_snapshot", "id,odd,on_day\n" + rows, {"key": "id", "valid_from": "on_day"})
    assert "\x1b" not in said.replace("\x1b[1m", "").replace("\x1b[0m", "")
    text = "".join(files_of(root).values())
    for value in ("boom", "{% x", "drop table", "[bold]", "[31m", "# c", "\u202e", "71000"):
        assert value not in text


def test_an_example_is_shown_so_that_it_does_nothing(root: Path) -> None:
    said = make(
        root,
        "odd",
        "daily_snapshot",
        'id,odd,on_day\n1,"[red]\x1b[31m\n\u202eb",2026-01-02\n',
        {"key": "id", "valid_from": "on_day"},
    )
    assert "[red]\\x1b[31m\\n\\u202eb" in said


def test_names_are_quoted_for_yaml_and_found_again(root: Path) -> None:
    landed = [
        "a: b",
        "'x'",
        '"y"',
        "#c",
        "- d",
        "{e}",
        "[f]",
        "no",
        "1",
        "2026-01-01",
        "null",
        "%g",
        "&h",
        "*i",
        "j,k",
        " l",
    ]
    landed += ["\xa0m", "\u2028n", "o\\p", "😀", "y" * 180, "Wie zufrieden sind Sie " * 6]
    header = ",".join('"' + name.replace('"', '""') + '"' for name in [*landed, "id", "on_day"])
    row = ",".join(["v"] * len(landed) + ["1", "2026-01-02"])
    make(root, "odd", "daily_snapshot", f"{header}\n{row}\n", {"key": "id", "valid_from": "on_day"})
    declared = sources.load(root)["odd"]
    assert [column.landed_name for column in declared.columns] == [*landed, "id", "on_day"]
    assert_lint(root)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=80), max_size=8, unique=True)
)
def test_whatever_the_names_are_the_declaration_holds_them(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    names = [name for name in names if name.strip() and not any(mark in name for mark in ("{{", "{%", "{#"))]
    seen = [inferring.Seen(name) for name in [*names, "the time"]]
    for one in seen:
        one.add("2026-01-02T03:04:05Z", 2)
    if "the time" in names:
        return
    read = inferring.Sample(Path("sample.csv"), seen, 1, ",")
    declaration = new_source.declare("odd", "events", read, {**NO_OPTIONS, "time": "the time"})
    root = tmp_path_factory.mktemp("odd")
    new_source.write(new_source.render(declaration, None), root)
    assert [column.landed_name for column in sources.load(root)["odd"].columns] == [*names, "the time"]
    for path in root.rglob("*.yml"):
        content = yaml.safe_load(path.read_text())
        for model in content.get("models", []):
            described = [column["name"].lower() for column in model["columns"]]
            assert len(described) == len(set(described)), model["name"]


def assert_lint(root: Path) -> None:
    """Check what was written by yamllint, as the project does, and that each file ends in one line feed."""
    yamllint = Path(sys.executable).with_name("yamllint")
    config = places.ROOT / ".yamllint"
    paths = [path for path in root.rglob("*") if path.is_file()]
    linted = [path for path in paths if path.suffix == ".yml"]
    done = subprocess.run([yamllint, "--strict", "-c", config, *linted], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    for path in paths:
        text = path.read_text()
        assert text.endswith("\n"), path
        assert not text.endswith("\n\n"), path
        assert [line for line in text.split("\n") if line != line.rstrip()] == [], path
        if path.suffix == ".sql":
            assert max(map(len, text.split("\n"))) <= 120, path


LONG = "n" * 60
SOURCES = {
    "refunds": ("daily_snapshot", REFUNDS, OF_REFUNDS, "s.csv"),
    "refund_lines": (
        *("daily_snapshot", REFUNDS.replace("refund_id", "Refund No")),
        *({"key": "concat(refund_no_landed, '-', amount)", "valid_from": "refunded_on"}, "s.csv"),
    ),
    "page_views": ("events", PAGE_VIEWS, OF_VIEWS, "s.csv"),
    "no": ("events", PAGE_VIEWS, {"time": "viewed_at"}, "s.csv"),
    "meters": ("growing_lines", METERS, OF_METERS, "s.jsonl"),
    "meter_parts": (
        *("growing_lines", METERS.replace("kwh", "x")),
        *({"key": "concat(meter, '/', read_at)", "time": "read_at"}, "s.jsonl"),
    ),
    LONG: ("daily_snapshot", REFUNDS.replace("refund_id", "i" * 100), {**OF_REFUNDS, "key": "i" * 100}, "s.csv"),
    LONG.replace("n", "e"): ("events", PAGE_VIEWS.replace("page", "p" * 100), {**OF_VIEWS, "by": "p" * 100}, "s.csv"),
    LONG.replace("n", "l"): (
        "growing_lines",
        METERS.replace("meter", "m" * 100),
        {**OF_METERS, "key": "m" * 100},
        "s.jsonl",
    ),
    "wide": (
        *("daily_snapshot", ",".join(f"Spalte {n}" for n in range(60)) + "\n" + ",".join(["2026-01-02"] * 60) + "\n"),
        *({"key": "Spalte 1", "valid_from": "Spalte 2"}, "s.csv"),
    ),
}


@pytest.mark.parametrize("name", SOURCES)
def test_what_is_written_passes_the_linters(root: Path, name: str) -> None:
    kind, content, options, file = SOURCES[name]
    make(root, name, kind, content, options, file)
    assert_lint(root)


@pytest.mark.parametrize("name", SOURCES)
def test_every_model_is_described_with_each_column_once(root: Path, name: str) -> None:
    kind, content, options, file = SOURCES[name]
    make(root, name, kind, content, options, file)
    written = files_of(root)
    models = yaml.safe_load(written[f"models/stage/{name}/_{name}__models.yml"])
    nodes = {node["name"]: node for node in [*models["models"], *models.get("snapshots", [])]}
    assert set(nodes) == {Path(path).stem for path in written if path.endswith(".sql")}
    for node in nodes.values():
        assert node["description"].startswith(("{{ doc('", "One row")), node["name"]
        described = [column["name"].lower() for column in node["columns"]]
        assert len(described) == len(set(described)), node["name"]
        assert all(column["description"] for column in node["columns"])
    marts = [Path(path).stem for path in written if path.startswith("models/mart/")]
    for mart in marts:
        assert nodes[mart]["config"] == {"contract": {"enforced": True}}
        assert all("data_type" in column for column in nodes[mart]["columns"])
    # In 200 lines there is room for a test of every model of lines, and of rows for no more than these.
    tested = {f"judged_{name}", *marts}
    if kind == "growing_lines":
        tested |= {f"stage_{name}", f"quarantine_{name}"}
    assert {test["model"] for test in models["unit_tests"]} == tested


def data_tests_of(models: dict) -> dict[str, list[tuple[str, dict]]]:
    """Return the data tests by node, each by its name in dbt with what it is given."""
    found: dict[str, list[tuple[str, dict]]] = {}
    for node in [*models["models"], *models.get("snapshots", [])]:
        tests = list(node.get("data_tests", []))
        for column in node["columns"]:
            tests += column.get("data_tests", [])
        found[node["name"]] = [next(iter(test.items())) if isinstance(test, dict) else (test, {}) for test in tests]
    return found


@pytest.mark.parametrize("name", SOURCES)
def test_what_is_written_is_tested_and_each_test_has_a_name(root: Path, name: str) -> None:
    kind, content, options, file = SOURCES[name]
    make(root, name, kind, content, options, file)
    tests = data_tests_of(yaml.safe_load(files_of(root)[f"models/stage/{name}/_{name}__models.yml"]))
    assert "has_a_reason" in dict(tests[f"quarantine_{name}"])
    assert "not_null" in dict(tests[f"raw_{name}"])
    unnamed = {
        (node, test)
        for node, of_node in tests.items()
        for test, given in of_node
        if test.startswith("dbt_utils") and "name" not in given
    }
    if kind == "daily_snapshot":
        assert [test for test, _ in tests[name]][:3] == [
            *("dbt_utils.unique_combination_of_columns", "is_what_raw_says", "versions_follow_each_other")
        ]
        # As that of every history.
        unnamed -= {(name, "dbt_utils.unique_combination_of_columns")}
    elif kind == "events":
        status = dict(tests[f"{name}_files"])["accepted_values"]
        assert status["arguments"]["values"] == ["loaded", "refused", "gone"]
        assert "not_null" in dict(tests[f"stage_{name}"])
    assert unnamed == set()


def test_the_doc_blocks_are_there(root: Path) -> None:
    """A block that is missing stops every command of dbt."""
    blocks = {
        line.split()[2]
        for path in (places.ROOT / "models").rglob("*.md")
        for line in path.read_text().split("\n")
        if line.startswith("{% docs ")
    }
    for name, (kind, content, options, file) in SOURCES.items():
        make(root, name, kind, content, options, file)
    used = {part.split("'")[0] for text in files_of(root).values() for part in text.split("doc('")[1:]}
    assert used - blocks == set()


def test_a_key_that_is_an_expression_has_a_column_of_its_own(root: Path) -> None:
    kind, content, options, file = SOURCES["refund_lines"]
    make(root, "refund_lines", kind, content, options, file)
    declared = sources.load(root)["refund_lines"]
    assert (declared.key, declared.key_expression) == ("refund_lines_key", "concat(refund_no_landed, '-', amount)")
    written = files_of(root)
    models = yaml.safe_load(written["models/stage/refund_lines/_refund_lines__models.yml"])
    columns = {node["name"]: [column["name"] for column in node["columns"]] for node in models["models"]}
    assert columns["quarantine_refund_lines"][:7] == [
        *("refund_no_landed", "amount", "reason", "refunded_on", "other_columns", "malformed_line", "refund_lines_key")
    ]
    assert columns["current_refund_lines"][:2] == ["refund_lines_key", "refund_no"]
    assert (
        "        refund_lines_key,\n        refund_no," in written["models/mart/refund_lines/current_refund_lines.sql"]
    )
    judged = models["unit_tests"][0]["expect"]["rows"]
    assert "'refund_no_missing', 'amount_missing', 'refunded_on_missing', 'refund_lines_key_missing'" in " ".join(
        judged.split()
    )


def test_a_column_may_be_named_as_the_key_of_the_source(root: Path) -> None:
    content = REFUNDS.replace("refund_id", "refunds_key")
    make(root, "refunds", "daily_snapshot", content, {**OF_REFUNDS, "key": "refunds_key"})
    assert sources.load(root)["refunds"].key == "refunds_key"
    make(
        root,
        "others",
        "daily_snapshot",
        content.replace("refunds", "others"),
        {**OF_REFUNDS, "key": "amount"},
    )
    assert sources.load(root)["others"].key == "amount"


def test_an_expression_gives_way_to_no_declared_column(root: Path) -> None:
    content = REFUNDS.replace("refund_id", "refunds_key")
    make(root, "refunds", "daily_snapshot", content, {**OF_REFUNDS, "key": "concat(refunds_key, amount)"})
    declared = sources.load(root)["refunds"]
    assert (declared.key, declared.columns[0].name) == ("refunds_key", "refunds_key_landed")


def test_the_separator_is_declared_where_it_is_no_comma(root: Path) -> None:
    for name, sign in (("semicolons", ";"), ("tabs", "\t"), ("bars", "|")):
        make(root, name, "daily_snapshot", REFUNDS.replace(",", sign), OF_REFUNDS)
        assert sources.load(root)[name].separator == sign


def test_a_column_named_as_one_of_the_tables_is_named_otherwise(root: Path) -> None:
    content = "id,version,valid_from,path,year,order\n1,2,2026-01-02,a,2026,3\n"
    make(root, "odd", "daily_snapshot", content, {"key": "id", "valid_from": "valid_from"})
    declared = sources.load(root)["odd"]
    assert declared.valid_from == "valid_from_landed"
    assert [(column.name, column.raw_name) for column in declared.columns] == [
        ("id", "id"),
        ("version_landed", "version"),
        ("valid_from_landed", "valid_from"),
        ("path_landed", "path_landed"),
        ("year_landed", "year_landed"),
        ("order_landed", "order"),
    ]
    judged = yaml.safe_load(files_of(root)["models/stage/odd/_odd__models.yml"])["unit_tests"][0]
    assert "as rows (id, version, valid_from, path_landed, year_landed, `order`)" in judged["given"][0]["rows"]


def test_the_made_line_of_a_test_is_json_whatever_the_keys_are(root: Path) -> None:
    key = 'it\'s "a\\b" 😀'
    line = json.dumps({key: "M1", "at": "2026-01-02T03:04:05Z"})
    make(root, "odd", "growing_lines", line, {"key": key, "time": "at"}, "sample.jsonl")
    rows = yaml.safe_load(files_of(root)["models/stage/odd/_odd__models.yml"])["unit_tests"][0]["given"][0]["rows"]
    literal = rows.split("(true, '")[1].split("'),\n")[0]
    # As Spark's SQL reads it.
    text = literal.replace("\\\\", "\0").replace("\\'", "'").replace("\0", "\\")
    assert json.loads(text) == {key: "a", "at": "2026-01-02 03:04:05"}


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("daily_snapshot", {**OF_REFUNDS, "key": "nothing"}, "--key names nothing, which is no column of the sample"),
        (
            "daily_snapshot",
            {**OF_REFUNDS, "key": "concat(nothing, 1)"},
            "which is no column of the sample: name one of refund_id",
        ),
        ("daily_snapshot", {**OF_REFUNDS, "key": "`Refund No`"}, "--key names `Refund No`, which is no column of raw"),
        ("daily_snapshot", {**OF_REFUNDS, "key": "{{ refund_id }}"}, "--key holds a mark of Jinja"),
        (
            "daily_snapshot",
            {**OF_REFUNDS, "key": "concat(refund_id,\n1)"},
            "--key holds a mark of Jinja, or a control character",
        ),
        ("daily_snapshot", {**OF_REFUNDS, "key": "reason"}, "--key needs reason, which is empty in line 3"),
        (
            "daily_snapshot",
            {**OF_REFUNDS, "key": "concat(amount, reason)"},
            "--key needs reason, which is empty in line 3",
        ),
        (
            "daily_snapshot",
            {**OF_REFUNDS, "valid_from": "when"},
            "--valid-from names when, which is no column of the sample",
        ),
        ("daily_snapshot", {**OF_REFUNDS, "valid_from": "amount"}, "--valid-from names amount, which is decimal(12,2)"),
        ("daily_snapshot", {**OF_REFUNDS, "valid_from": "refund_id"}, "--valid-from names refund_id, which is bigint"),
        (
            "daily_snapshot",
            {**OF_REFUNDS, "valid_from": "reason"},
            "--valid-from needs reason, which is empty in line 3",
        ),
        ("events", {"time": "when"}, "--time names when, which is no column of the sample"),
        (
            "events",
            {"time": "refunded_on"},
            "--time names refunded_on, which is date in the sample (such as 2026-01-02)",
        ),
        ("events", {"time": "refunded_on", "by": "when"}, "--by names when, which is no column of the sample"),
        ("events", {"time": "refunded_on", "by": "refunded_on"}, "--by names refunded_on, which is the time"),
        (
            "growing_lines",
            {"key": "refund_id", "time": "refunded_on"},
            "--growing-lines takes JSON lines, and the sample is CSV",
        ),
    ],
)
def test_an_option_that_does_not_fit_the_sample_is_refused(root: Path, kind: str, options: dict, said: str) -> None:
    assert said in refusal(root, "refunds", kind, REFUNDS, options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"key": "x", "time": "read_at"}, "--key needs x, which is empty in line 1"),
        ({"key": "o", "time": "read_at"}, "--key needs o, which holds an object or a list"),
        ({"key": "meter", "time": "meter"}, "--time names meter, which is string"),
        ({"key": "concat(k, 'y')", "time": "read_at"}, "--key names concat(k, 'y'), which is no column"),
    ],
)
def test_an_option_that_does_not_fit_the_lines_is_refused(root: Path, options: dict, said: str) -> None:
    lines = METERS.replace("}\n", ', "o": [1]}\n', 1).replace("}}\n", '}, "o": {"a": 2}}\n')
    assert said in refusal(root, "meters", "growing_lines", lines, options, "sample.jsonl")
    assert "--events takes CSV" in refusal(root, "meters", "events", lines, {"time": "read_at"}, "sample.jsonl")


def test_backquotes_hold_names_of_raw(root: Path) -> None:
    content = REFUNDS.replace("refund_id", "Refund No")
    said = refusal(root, "refunds", "daily_snapshot", content, {**OF_REFUNDS, "key": "concat(`Refund No`, amount)"})
    assert "write refund_no_landed, its name in raw" in said


@pytest.mark.parametrize(
    ("content", "file", "said"),
    [
        ("", "s.csv", "is empty: give one with a header and rows"),
        ("\n \n", "s.csv.gz", "is empty: give one with a header and rows"),
        ("a,b\n", "s.csv", "has a header and no row"),
        ("a,b,a\n1,2,3\n", "s.csv", "has the column a more than once"),
        ("a,,b\n1,2,3\n", "s.csv", "Column 2 of the sample"),
        ("a,b\n1,2\n1,2,3\n", "s.csv", "with ',' between the fields line 3 has 3 and the header 2"),
        ('a,b\n1,"2\n', "s.csv", "with ',' between the fields line 2 cannot be read (unexpected end of data)"),
        ("a,{{ b }}\n1,2\n", "s.csv", "has a mark of Jinja in its name"),
        ("a,{# b\n1,2\n", "s.csv", "has a mark of Jinja in its name"),
        ('a,"b\nc"\n1,2\n', "s.csv", "has a control character in its name"),
        ("a,b\n1,\xe9\n".encode("latin-1"), "s.csv", "holds bytes that are no UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "s.csv", "holds bytes that are no UTF-8"),
        ("a,b\n1,2\n", "s.txt", "name a file that ends in .csv, .csv.gz, .jsonl or .jsonl.gz"),
        ("", "s.jsonl", "is empty: give one with JSON objects"),
        ("{}\n", "s.jsonl", "is empty: give one with JSON objects"),
        ("x\n", "s.jsonl", "Line 1 of the sample"),
        ("[1]\n", "s.jsonl", "is no JSON object: mend that line"),
        ('{"a": 1}\n{"a": 1, "a": 2}\n', "s.jsonl", "has the key a more than once"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "s.jsonl", "is no JSON object"),
    ],
)
def test_a_sample_that_is_no_table_is_refused(root: Path, content: str | bytes, file: str, said: str) -> None:
    kind = "growing_lines" if "jsonl" in file else "events"
    assert said in refusal(root, "odd", kind, content, {"time": "a", "key": None}, file)


def test_a_sample_that_cannot_be_read_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(path: Path) -> str:
        with pytest.raises(StrataError) as refused:
            new_source.make("odd", "events", path, {**NO_OPTIONS, "time": "a"}, Console(), root)
        return str(refused.value)

    assert "which is not there" in said(root / "nothing.csv")
    (root / "folder.csv").mkdir()
    assert "which is no file" in said(root / "folder.csv")
    (root / "half.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n" * 1000)[:-9])
    assert "is no whole gzip file" in said(root / "half.csv.gz")
    (root / "none.csv.gz").write_bytes(b"a,b\n1,2\n")
    assert "is no whole gzip file" in said(root / "none.csv.gz")
    monkeypatch.setattr(inferring, "LONGEST_LINE", 100)
    assert "has a line of more than" in said(sample(root, "a,b\n1," + "2" * 100))

    def closed(*_) -> None:
        raise PermissionError(13, "Permission denied")

    path = sample(root, "a,b\n1,2\n")
    monkeypatch.setattr(Path, "open", closed)
    assert "cannot be read (Permission denied)" in said(path)


@pytest.mark.parametrize(
    "name",
    ["Refunds", "re-funds", "1st", "_x", "", "x" * 61, "order", "select", "landing", "ignored", "größe", "x\n", "a/b"],
)
def test_a_name_that_is_not_plain_is_refused(root: Path, name: str) -> None:
    assert "A source cannot be named" in refusal(root, name, "daily_snapshot", REFUNDS, OF_REFUNDS)


def test_a_source_is_declared_once(root: Path) -> None:
    declaration = root / "models" / "elsewhere.yaml"
    make(root, "refunds", "daily_snapshot", REFUNDS, OF_REFUNDS)
    (root / "models/raw/refunds/_refunds__sources.yml").rename(declaration)
    assert "The source refunds is declared already" in refusal(root, "refunds", "events", PAGE_VIEWS, OF_VIEWS)


@pytest.mark.parametrize("path", [*(path.format("refunds") for path in new_source.FILES["daily_snapshot"])])
@pytest.mark.parametrize("is_link", [False, True])
def test_a_file_that_is_there_is_not_overwritten(root: Path, path: str, is_link: bool) -> None:
    (root / path).parent.mkdir(parents=True)
    if is_link:
        (root / path).symlink_to(root / "nowhere")
    else:
        (root / path).write_text("-- mine\n")
    assert f"{path} is there, and nothing is overwritten" in refusal(
        root, "refunds", "daily_snapshot", REFUNDS, OF_REFUNDS
    )


@pytest.mark.parametrize(
    "path",
    [
        "models/mart/others/current_refunds.sql",
        "seeds/refunds.csv",
        "models/ops/refunds.sql",
        "snapshots/raw_refunds.sql",
    ],
)
def test_a_name_that_another_node_has_is_refused(root: Path, path: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text("select 1\n")
    assert f"which {path} has" in refusal(root, "refunds", "daily_snapshot", REFUNDS, OF_REFUNDS)


def test_all_files_are_written_or_none(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is the file that cannot be written, or the one that cannot get its name."""
    (root / "models/mart").mkdir()
    before = folders_of(root)
    for method in ("write_text", "rename", "mkdir"):
        original = getattr(Path, method)
        for failing in range(1, 9):
            calls = []

            def fail(path: Path, *arguments, original=original, calls=calls, failing=failing, **named):
                if "project" in path.parts:
                    calls.append(path)
                if len(calls) == failing:
                    raise OSError(28, "No space left on device")
                return original(path, *arguments, **named)

            with monkeypatch.context() as patched:
                patched.setattr(Path, method, fail)
                with pytest.raises(StrataError, match=r"cannot be written \(No space left on device\), so nothing was"):
                    make_quietly(root)
            assert files_of(root) == {}, (method, failing)
            assert folders_of(root) == before, (method, failing)
    make_quietly(root)
    assert len(files_of(root)) == 8


def make_quietly(root: Path) -> None:
    read = inferring.Sample(Path("sample.csv"), [inferring.Seen("id"), inferring.Seen("on_day")], 1, ",")
    for seen in read.columns:
        seen.add("2026-01-02", 2)
    declaration = new_source.declare("odd", "daily_snapshot", read, {**NO_OPTIONS, "key": "id", "valid_from": "on_day"})
    new_source.write(new_source.render(declaration, None), root)


def test_a_break_off_leaves_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = folders_of(root)

    def stop(*_) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", stop)
    with pytest.raises(KeyboardInterrupt):
        make_quietly(root)
    assert files_of(root) == {}
    assert folders_of(root) == before


def test_a_file_in_the_place_of_a_folder_is_told(root: Path) -> None:
    (root / "models/raw").mkdir()
    (root / "models/raw/refunds").write_text("")
    assert "cannot be written (Not a directory)" in refusal(root, "refunds", "daily_snapshot", REFUNDS, OF_REFUNDS)


def test_a_file_that_comes_meanwhile_is_not_overwritten(root: Path) -> None:
    files = {"models/a.sql": "select 1\n", "models/b.sql": "select 2\n"}
    (root / "models/b.sql").write_text("-- mine\n")
    with pytest.raises(StrataError, match="it is there by now"):
        new_source.write(files, root)
    assert files_of(root) == {"models/b.sql": "-- mine\n"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "How it arrives is said by none: give one of --daily-snapshot, --events, --growing-lines"),
        (["--events", "--daily-snapshot"], "said by --daily-snapshot and --events: give one of"),
        (["--daily-snapshot"], "--daily-snapshot needs --key"),
        (["--daily-snapshot", "--key", "refund_id"], "--daily-snapshot needs --valid-from"),
        (["--daily-snapshot", "--key", " ", "--valid-from", "refunded_on"], "--daily-snapshot needs --key"),
        (["--events"], "--events needs --time"),
        (["--growing-lines", "--key", "a"], "--growing-lines needs --time"),
        (["--growing-lines", "--time", "a"], "--growing-lines needs --key"),
        (["--events", "--time", "a", "--key", "b"], "--key means nothing with --events"),
        (["--events", "--time", "a", "--valid-from", "b"], "--valid-from means nothing with --events"),
        (["--growing-lines", "--key", "a", "--time", "b", "--by", "c"], "--by means nothing with --growing-lines"),
        (["--daily-snapshot", "--key", "a", "--valid-from", "b", "--time", "c"], "--time means nothing with"),
    ],
)
def test_options_that_do_not_go_together_are_refused(root: Path, arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(app(), ["new-source", "refunds", "--sample", str(sample(root, REFUNDS)), *arguments])
    assert isinstance(done.exception, StrataError)
    assert said in str(done.exception)


def app() -> typer.Typer:
    made = typer.Typer()
    made.callback()(lambda: None)
    made.command("new-source")(new_source.command)
    return made


def test_the_command_makes_a_source(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_source.make, "__defaults__", (root,))
    arguments = ["--daily-snapshot", "--key", "refund_id", "--valid-from", "refunded_on"]
    done = CliRunner().invoke(
        app(), ["new-source", "refunds", "--sample", str(sample(root.parent, REFUNDS)), *arguments]
    )
    assert done.exception is None
    assert done.exit_code == 0
    assert "written: models/raw/refunds/_refunds__sources.yml" in done.stdout
    assert len(files_of(root)) == 8
