"""The stand-ins for dbt packages: every test of theirs runs on literal rows, and `install` meets a hub that fails.

With STRATA_TEST_PACKAGES, a folder that holds dbt_utils, dbt_expectations and dbt_date, the same cases run on those
packages instead: the real ones must agree with the stand-ins.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import shutil
import tarfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from dbt.cli.main import dbtRunner

from conftest import Lake
from strata import packages, places, session
from strata.errors import StrataError

MODELS = {
    # Both bounds, a null, and a row whose own upper bound is null.
    "bounded": """
        select id, value, upper_bound
        from values (1, 5, 10), (2, 0, 10), (3, 10, 10), (4, null, 10), (5, 5, null) as (id, value, upper_bound)
    """,
    "signed": "select value from values (-1), (0), (1) as (value)",
    "pairs": "select id, a, b from values (1, 2, 1), (2, 1, 1), (3, 1, 2), (4, null, 1), (5, 1, null) as (id, a, b)",
    "sums": "select a, b, total from values (1, 2, 3), (2, 2, 4), (1, 1, 3), (null, 2, 3) as (a, b, total)",
    # Of `a` and `b` neither is unique, both together are, but for the nulls; `c` has one value three times.
    "combined": """
        select a, b, c, c as `two words`
        from values ('x', 1, 1), ('x', 2, 1), ('y', 1, 1), ('z', null, 2), ('z', null, 3) as (a, b, c)
    """,
    "groups": """
        select kind, part
        from values ('x', 1), ('x', 1), ('x', 2), ('y', 1), (null, 1), (null, 2) as (kind, part)
    """,
    "nothing": "select kind from values ('x') as (kind) where false",
}


@dataclass(frozen=True)
class Case:
    """A generic test on a model or on its column, and how many failures it reports."""

    name: str
    model: str
    failures: int
    arguments: dict[str, Any]
    column: str | None = None
    config: dict[str, Any] = field(default_factory=dict)


STORED = {"store_failures": True, "file_format": "delta"}
ACCEPTED_RANGE = [
    Case("bounds_are_allowed", "bounded", 0, {"min_value": 0, "max_value": 10}, "value"),
    Case("exclusive_bounds_are_not", "bounded", 2, {"min_value": 0, "max_value": 10, "inclusive": False}, "value"),
    Case("exclusive_min_alone", "bounded", 1, {"min_value": 0, "inclusive": False}, "value"),
    Case("exclusive_max_alone", "bounded", 1, {"max_value": 10, "inclusive": False}, "value"),
    Case("below_min", "bounded", 1, {"min_value": 1}, "value"),
    Case("above_max", "bounded", 1, {"max_value": 9}, "value"),
    Case("outside_of_either", "bounded", 2, {"min_value": 1, "max_value": 9}, "value"),
    Case("no_bound", "bounded", 0, {}, "value"),
    Case("column_as_max", "bounded", 0, {"max_value": "upper_bound"}, "value"),
    Case("column_as_exclusive_max", "bounded", 1, {"max_value": "upper_bound", "inclusive": False}, "value"),
    Case("expression_as_max", "bounded", 1, {"max_value": "upper_bound - 1"}, "value"),
    # Below the min is a failure even where the max is null: rows 1, 2 and 5.
    Case("null_as_max", "bounded", 3, {"min_value": 6, "max_value": "upper_bound"}, "value"),
    Case("where_hides_failure", "bounded", 0, {"min_value": 1}, "value", {"where": "id <> 2"}),
    Case("where_shows_failure", "bounded", 1, {"min_value": 6}, "value", {"where": "id in (1, 3)"}),
    Case("zero_as_min", "signed", 1, {"min_value": 0}, "value"),
    Case("zero_as_max", "signed", 1, {"max_value": 0}, "value"),
    Case("zero_as_exclusive_min", "signed", 2, {"min_value": 0, "inclusive": False}, "value"),
]
EXPRESSION_IS_TRUE = [
    Case("false_once_null_once", "sums", 1, {"expression": "a + b = total"}),
    Case("true_or_null", "sums", 0, {"expression": "a + b <= total"}),
    Case("two_alternatives", "sums", 0, {"expression": "a = 1 or total = 4"}),
    Case("two_alternatives_fail", "sums", 2, {"expression": "a = 2 or total = 4"}),
    Case("where_hides_failure", "sums", 0, {"expression": "a + b = total"}, None, {"where": "not (a = 1 and b = 1)"}),
    Case("where_shows_failure", "sums", 1, {"expression": "a + b = total"}, None, {"where": "a = 1"}),
    Case("column", "sums", 0, {"expression": ">= 1"}, "a"),
    Case("column_fails", "sums", 2, {"expression": "> 1"}, "a"),
    Case("column_with_alternatives", "sums", 0, {"expression": "= 1 or total = 4"}, "a"),
    Case("column_not_null", "sums", 1, {"expression": "is not null"}, "a"),
    Case("column_where", "sums", 1, {"expression": "= 2"}, "b", {"where": "a = 1"}),
    Case("failures_are_stored", "sums", 1, {"expression": "a + b = total"}, None, STORED),
]
UNIQUE_COMBINATION = [
    Case("unique_together", "combined", 0, {"combination_of_columns": ["a", "c", "b"]}, None, {"where": "b > 0"}),
    Case("nulls_agree", "combined", 1, {"combination_of_columns": ["a", "b"]}),
    Case("nulls_with_other_column", "combined", 0, {"combination_of_columns": ["a", "b", "c"]}),
    Case("one_column_twice", "combined", 2, {"combination_of_columns": ["a"]}),
    Case("three_rows_are_one_failure", "combined", 1, {"combination_of_columns": ["c"]}),
    Case("quoted", "combined", 0, {"combination_of_columns": ["a", "b", "two words"], "quote_columns": True}),
    Case("quoted_fails", "combined", 1, {"combination_of_columns": ["a", "two words"], "quote_columns": True}),
    Case("quoted_by_hand", "combined", 1, {"combination_of_columns": ["a", "`two words`"], "quote_columns": False}),
    Case("where_shows_failure", "combined", 1, {"combination_of_columns": ["a"]}, None, {"where": "a <> 'z'"}),
]
PAIR = [
    Case("equal_and_less_fail", "pairs", 2, {"column_A": "a", "column_B": "b"}),
    Case("less_fails", "pairs", 1, {"column_A": "a", "column_B": "b", "or_equal": True}),
    Case("greater", "pairs", 0, {"column_A": "a", "column_B": "b", "row_condition": "id = 1"}),
    Case("equal", "pairs", 0, {"column_A": "a", "column_B": "b", "or_equal": True, "row_condition": "id = 2"}),
    Case("equal_fails", "pairs", 1, {"column_A": "a", "column_B": "b", "or_equal": False, "row_condition": "id = 2"}),
    Case("nulls", "pairs", 0, {"column_A": "a", "column_B": "b", "row_condition": "id > 3"}),
    Case("other_way_round", "pairs", 1, {"column_A": "b", "column_B": "a", "or_equal": True}),
    Case("alternatives", "pairs", 1, {"column_A": "a", "column_B": "b", "row_condition": "id = 1 or id = 3 or id = 4"}),
    Case("where", "pairs", 1, {"column_A": "a", "column_B": "b"}, None, {"where": "id <> 3"}),
]
VALUES_BETWEEN = [
    Case("bounds_are_allowed", "bounded", 0, {"min_value": 0, "max_value": 10}, "value"),
    Case("strict_bounds_are_not", "bounded", 2, {"min_value": 0, "max_value": 10, "strictly": True}, "value"),
    Case("strict_min_alone", "bounded", 1, {"min_value": 0, "strictly": True}, "value"),
    Case("strict_max_alone", "bounded", 1, {"max_value": 10, "strictly": True}, "value"),
    Case("below_min", "bounded", 1, {"min_value": 1}, "value"),
    Case("above_max", "bounded", 1, {"max_value": 9}, "value"),
    Case("outside_of_either", "bounded", 2, {"min_value": 1, "max_value": 9}, "value"),
    Case("null_as_max", "bounded", 3, {"min_value": 6, "max_value": "upper_bound"}, "value"),
    Case("condition_hides", "bounded", 0, {"min_value": 1, "row_condition": "id <> 2"}, "value"),
    Case("alternatives", "bounded", 1, {"min_value": 6, "row_condition": "id = 3 or id = 1 or id = 4"}, "value"),
    Case("condition_with_both", "bounded", 1, {"min_value": 1, "max_value": 9, "row_condition": "id <> 3"}, "value"),
    Case("where", "bounded", 1, {"min_value": 6}, "value", {"where": "id in (1, 3)"}),
    Case("zero_as_min", "signed", 1, {"min_value": 0}, "value"),
    Case("zero_as_max", "signed", 1, {"max_value": 0}, "value"),
    Case("zero_as_strict_max", "signed", 2, {"max_value": 0, "strictly": True}, "value"),
]
ROW_COUNT = [
    Case("bounds_are_allowed", "groups", 0, {"min_value": 6, "max_value": 6}),
    Case("strict_min", "groups", 1, {"min_value": 6, "strictly": True}),
    Case("strict_max", "groups", 1, {"max_value": 6, "strictly": True}),
    Case("strictly_within", "groups", 0, {"min_value": 5, "max_value": 7, "strictly": True}),
    Case("too_few", "groups", 1, {"min_value": 7}),
    Case("too_many", "groups", 1, {"max_value": 5}),
    Case("zero_as_max", "groups", 1, {"max_value": 0}),
    Case("expression_as_min", "groups", 1, {"min_value": "3 + 4"}),
    Case("every_group", "groups", 0, {"min_value": 1, "max_value": 3, "group_by": ["kind"]}),
    Case("group_too_small", "groups", 1, {"min_value": 2, "group_by": ["kind"]}),
    Case("group_too_large", "groups", 2, {"max_value": 1, "group_by": ["kind"]}),
    Case("group_too_large_strictly", "groups", 2, {"max_value": 2, "group_by": ["kind"], "strictly": True}),
    Case("groups_of_two_columns", "groups", 1, {"max_value": 1, "group_by": ["kind", "part"]}),
    Case("condition", "groups", 0, {"max_value": 3, "row_condition": "kind = 'x'"}),
    Case("condition_fails", "groups", 1, {"min_value": 4, "row_condition": "kind = 'x'"}),
    Case("condition_leaves_none", "groups", 1, {"min_value": 1, "row_condition": "kind = 'z'"}),
    Case("condition_in_groups", "groups", 2, {"min_value": 2, "group_by": ["kind"], "row_condition": "part = 1"}),
    Case("emptied_group", "groups", 0, {"min_value": 1, "group_by": ["kind"], "row_condition": "part = 2"}),
    Case("where", "groups", 1, {"min_value": 4}, None, {"where": "kind = 'x'"}),
    Case("empty", "nothing", 1, {"min_value": 1}),
    Case("empty_allowed", "nothing", 0, {"min_value": 0, "max_value": 0}),
    Case("empty_strictly", "nothing", 1, {"min_value": 0, "strictly": True}),
    Case("empty_has_no_groups", "nothing", 0, {"min_value": 1, "group_by": ["kind"]}),
    # An expression's own text is no column name for Delta.
    Case("failures_are_stored", "groups", 1, {"min_value": 2, "group_by": ["upper(kind)"]}, None, STORED),
]
CASES = {
    f"{test.rpartition('.')[2]}__{case.name}": (test, case)
    for test, cases in {
        "dbt_utils.accepted_range": ACCEPTED_RANGE,
        "dbt_utils.expression_is_true": EXPRESSION_IS_TRUE,
        "dbt_utils.unique_combination_of_columns": UNIQUE_COMBINATION,
        "dbt_expectations.expect_column_pair_values_A_to_be_greater_than_B": PAIR,
        "dbt_expectations.expect_column_values_to_be_between": VALUES_BETWEEN,
        "dbt_expectations.expect_table_row_count_to_be_between": ROW_COUNT,
    }.items()
    for case in cases
}


def make_project(folder: Path, cases: dict[str, tuple[str, Case]]) -> None:
    """Write a dbt project with the models, with the packages, and with the given cases as its tests."""
    (folder / "models").mkdir(parents=True)
    given = os.environ.get("STRATA_TEST_PACKAGES")
    source = Path(given) if given else places.ROOT / "offline_packages"
    for package in ("dbt_utils", "dbt_expectations", *(["dbt_date"] if given else [])):
        shutil.copytree(source / package, folder / "dbt_packages" / package, ignore=shutil.ignore_patterns(".git"))
    project = {
        "name": "offline",
        "version": "0.1.0",
        "config-version": 2,
        "profile": "offline",
        "flags": {"send_anonymous_usage_stats": False},
        "models": {"+materialized": "view"},
        # The real dbt_expectations does not load without it.
        "vars": {"dbt_date:time_zone": "UTC"},
    }
    spark = {"type": "spark", "method": "session", "host": "localhost", "schema": "offline", "threads": 2}
    profile = {"offline": {"target": "local", "outputs": {"local": spark}}}
    models = []
    for name, query in MODELS.items():
        (folder / "models" / f"{name}.sql").write_text(query)
        on_model, on_columns = [], {}
        for label, (test, case) in cases.items():
            if case.model == name:
                entry = {test: {"name": label, "arguments": case.arguments, "config": case.config}}
                (on_columns.setdefault(case.column, []) if case.column else on_model).append(entry)
        columns = [{"name": column, "data_tests": tests} for column, tests in on_columns.items()]
        models.append({"name": name, "data_tests": on_model, "columns": columns})
    (folder / "dbt_project.yml").write_text(yaml.safe_dump(project))
    (folder / "profiles.yml").write_text(yaml.safe_dump(profile))
    (folder / "models" / "models.yml").write_text(yaml.safe_dump({"models": models}))


def dbt(folder: Path, command: str):
    """Run a dbt command on the project in this process and return dbt's result."""
    # dbt changes the current folder and leaves it changed.
    with contextlib.chdir(folder):
        return dbtRunner().invoke(
            ["--quiet", command, "--project-dir", str(folder), "--profiles-dir", str(folder), "--target-path", "target"]
        )


@pytest.fixture(scope="module")
def results(lake: Lake, tmp_path_factory):
    """Build all cases once; a dict of the case's name and dbt's (status, failures)."""
    folder = tmp_path_factory.mktemp("offline")
    make_project(folder, CASES)
    session.start(lake.folder / "lake").session()
    built = dbt(folder, "build")
    assert built.exception is None, built.exception
    return {result.node.name: (str(result.status), result.failures, result.message) for result in built.result}


@pytest.mark.parametrize("name", CASES)
def test_failures(results, name):
    status, failures, message = results[name]
    expected = CASES[name][1].failures
    assert (status, failures) == ("fail" if expected else "pass", expected), message


@pytest.mark.parametrize(
    ("test", "column"),
    [
        ("dbt_expectations.expect_column_values_to_be_between", "value"),
        ("dbt_expectations.expect_table_row_count_to_be_between", None),
    ],
)
def test_without_bounds_is_refused(tmp_path, test, column):
    make_project(tmp_path / "project", {"unbounded": (test, Case("unbounded", "signed", 0, {}, column))})
    parsed = dbt(tmp_path / "project", "parse")
    assert not parsed.success
    assert "unbounded" in str(parsed.exception)
    assert "min_value" in str(parsed.exception)


class Hub(http.server.ThreadingHTTPServer):
    """A package hub on this machine: it answers with the pages it is given, and a page of None is never answered."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes | None] = {}
        self.closing = threading.Event()
        super().__init__(("127.0.0.1", 0), Answer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def add(self, package: str, version: str, archive: bytes | None) -> None:
        """Offer a version of a package; without an archive its download fails."""
        name = package.rpartition("/")[2]
        path = f"archive/{name}.tar.gz"
        entry = {"name": name, "packages": [], "downloads": {"tarball": self.url + path}, "version": version}
        self.pages[f"/api/v1/{package}.json"] = json.dumps({"name": name, "versions": {version: entry}}).encode()
        index = json.loads(self.pages.get("/api/v1/index.json") or b"[]")
        self.pages["/api/v1/index.json"] = json.dumps([*index, package]).encode()
        if archive is not None:
            self.pages["/" + path] = archive


class Answer(http.server.BaseHTTPRequestHandler):
    """One answer of the hub."""

    def do_GET(self):
        page = self.server.pages.get(self.path, b"")
        if page is None:
            self.server.closing.wait()
            return
        self.send_response(200 if page else 404)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub():
    """A running hub without packages."""
    server = Hub()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def root(tmp_path, monkeypatch, hub):
    """A project's root with the stand-ins and with the project's packages.yml; its hub is the one on this machine."""
    root = tmp_path / "root"
    shutil.copytree(places.ROOT / "offline_packages", root / "offline_packages")
    shutil.copy(places.ROOT / "packages.yml", root)
    (root / "dbt_project.yml").write_text("name: offline\nversion: 0.1.0\nconfig-version: 2\nprofile: offline\n")
    monkeypatch.setattr(places, "ROOT", root)
    monkeypatch.setenv("DBT_PACKAGE_HUB_URL", hub.url)
    monkeypatch.setenv("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return root


def files(folder: Path) -> dict[str, bytes]:
    """Return the contents of all files below a folder by their relative paths."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def archive(folder: Path, name: str) -> bytes:
    """Return a package's archive as the hub has it: one folder that holds a dbt_project.yml."""
    (folder / name).mkdir(parents=True)
    (folder / name / "dbt_project.yml").write_text(f"name: {name}\nversion: 1.0.0\nconfig-version: 2\n")
    with tarfile.open(folder / "package.tar.gz", "w:gz") as tar:
        tar.add(folder / name, arcname=f"{name}-1")
    return (folder / "package.tar.gz").read_bytes()


def test_packages_come_from_the_hub(root, hub, tmp_path, capfd):
    hub.add("dbt-labs/dbt_utils", "1.3.3", archive(tmp_path / "utils", "dbt_utils"))
    hub.add("metaplane/dbt_expectations", "0.10.9", archive(tmp_path / "expectations", "dbt_expectations"))
    packages.install()
    assert sorted(files(root / "dbt_packages")) == ["dbt_expectations/dbt_project.yml", "dbt_utils/dbt_project.yml"]
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("locked", [None, b"packages: []\n"])
def test_stand_ins_replace_all_when_downloads_fail(root, hub, capfd, locked):
    # dbt has written package-lock.yml and emptied dbt_packages by the time that it fails.
    hub.add("dbt-labs/dbt_utils", "1.3.3", None)
    hub.add("metaplane/dbt_expectations", "0.10.9", None)
    (root / "dbt_packages" / "dbt_date").mkdir(parents=True)
    (root / "target" / "dbt_packages.new" / "of_an_ended_run").mkdir(parents=True)
    lock = root / "package-lock.yml"
    if locked:
        lock.write_bytes(locked)
    packages.install()
    assert files(root / "dbt_packages") == files(root / "offline_packages")
    assert sorted(path.name for path in (root / "dbt_packages").iterdir()) == ["dbt_expectations", "dbt_utils"]
    assert (lock.read_bytes() if lock.exists() else None) == locked
    said = capfd.readouterr().out
    assert said.count("\n") == 1
    assert "logs/deps.log" in said
    assert not list((root / "target").iterdir())


def test_stand_ins_when_the_hub_never_answers(root, hub, monkeypatch, capfd):
    hub.pages["/api/v1/index.json"] = None
    monkeypatch.setattr(packages, "LONGEST_SECONDS", 6)
    packages.install()
    assert files(root / "dbt_packages") == files(root / "offline_packages")
    assert "could not be reached" in capfd.readouterr().out
    assert "ended after 6 seconds" in (places.logs() / "deps.log").read_text()


@pytest.mark.parametrize(
    "content",
    [
        "packages:\n  - package: dbt-labs/dbt_utils\n   version: 1.3.3\n",
        "packages:\n  - package: dbt-labs/no_such_package\n    version: 1.3.3\n",
        "packages:\n  - package: dbt-labs/dbt_utils\n    version: 1.3.4\n",
    ],
)
def test_faults_of_packages_yml_are_refused(root, hub, content, capfd):
    hub.add("dbt-labs/dbt_utils", "1.3.3", None)
    (root / "packages.yml").write_text(content)
    (root / "dbt_packages" / "kept").mkdir(parents=True)
    with pytest.raises(StrataError, match=r"logs/deps\.log"):
        packages.install()
    assert capfd.readouterr().out == ""
    assert [path.name for path in (root / "dbt_packages").iterdir()] == ["kept"]
