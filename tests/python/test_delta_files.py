"""What is wrong with the files of a Delta table, each fault made on purpose in a table that is written here by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow
import pyarrow.parquet as parquet
import pytest

from strata import delta_files


def write_data(table: Path, name: str, rows: int = 3) -> dict:
    """Write a data file and return the action that adds it."""
    (table / name).parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table({"n": list(range(rows))}), table / name)
    return {"add": {"path": name, "size": (table / name).stat().st_size, "stats": json.dumps({"numRecords": rows})}}


def commit(table: Path, version: int, *actions: dict) -> Path:
    file = table / "_delta_log" / f"{version:020}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(action) + "\n" for action in ({"commitInfo": {"operation": "WRITE"}}, *actions)))
    return file


def checkpoint(table: Path, version: int, adds: list[dict], properties: dict | None = None) -> Path:
    kind = pyarrow.struct([("path", pyarrow.string()), ("size", pyarrow.int64()), ("stats", pyarrow.string())])
    described = pyarrow.struct([("configuration", pyarrow.map_(pyarrow.string(), pyarrow.string()))])
    rows = [*[(add["add"], None) for add in adds], (None, {"configuration": list((properties or {}).items())})]
    columns = {
        "add": pyarrow.array([row[0] for row in rows], kind),
        "metaData": pyarrow.array([row[1] for row in rows], described),
    }
    file = table / "_delta_log" / f"{version:020}.checkpoint.parquet"
    parquet.write_table(pyarrow.table(columns), file)
    return file


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of three commits: two files, and one more that takes the place of the first."""
    table = tmp_path / "table"
    first, second = write_data(table, "part-1.parquet"), write_data(table, "year=2026/part 2.parquet")
    second["add"]["path"] = "year=2026/part%202.parquet"
    commit(table, 0, {"metaData": {"configuration": {"a": "b"}}}, first)
    commit(table, 1, second)
    commit(table, 2, {"remove": {"path": "part-1.parquet"}}, write_data(table, "part-3.parquet"))
    return table


def faults(table: Path, deep: bool = False) -> set[tuple[str, str]]:
    files = delta_files.read(table)
    delta_files.hold_against_folder(files, deep)
    return {(fault.kind, fault.file) for fault in files.faults}


def log(version: int) -> str:
    return f"_delta_log/{version:020}.json"


def test_a_table_that_is_whole_has_no_fault_and_its_files(table: Path) -> None:
    files = delta_files.read(table)
    assert (files.version, files.newest, files.properties) == (2, 2, {"a": "b"})
    assert set(files.data) == {"part-3.parquet", "year=2026/part 2.parquet"}
    assert files.named == {"part-1.parquet", *files.data}
    assert faults(table, deep=True) == set()


def test_a_checkpoint_stands_for_the_commits_before_it(table: Path) -> None:
    files = delta_files.read(table)
    adds = [{"add": {"path": path, "size": size, "stats": None}} for path, size in files.data.items()]
    checkpoint(table, 2, adds, {"c": "d"})
    for version in (0, 1):
        (table / log(version)).unlink()
    after = delta_files.read(table)
    assert (after.data, after.version, after.properties) == (files.data, 2, {"c": "d"})
    # The commit that is left names the file that it took out.
    assert faults(table) == set()


def test_a_checkpoint_that_is_newer_than_all_commits_is_named_and_not_read(table: Path) -> None:
    alone = ("alone", f"_delta_log/{checkpoint(table, 2, []).name}")
    (table / log(2)).unlink()
    files = delta_files.read(table)
    assert (files.version, files.newest, files.is_whole) == (1, 1, True)
    assert faults(table) == {alone, ("unnamed", "part-3.parquet")}
    for version in (0, 1):
        (table / log(version)).unlink()
    files = delta_files.read(table)
    assert (files.version, files.newest, files.is_whole) == (None, None, False)
    assert {(fault.kind, fault.file) for fault in files.faults} == {alone, ("missing", log(0))}


def test_a_checkpoint_that_is_broken_is_named_and_the_commits_are_read(table: Path) -> None:
    checkpoint(table, 1, []).write_bytes(b"no parquet")
    assert faults(table) == {("unread", "_delta_log/00000000000000000001.checkpoint.parquet")}
    assert delta_files.read(table).version == 2


def test_a_checkpoint_that_lacks_a_part_is_named(table: Path) -> None:
    whole = checkpoint(table, 1, [])
    whole.rename(whole.with_name("00000000000000000001.checkpoint.0000000001.0000000002.parquet"))
    assert [kind for kind, _ in faults(table)] == ["unread"]


@pytest.mark.parametrize(("content", "kind"), [("", "empty"), ("\n", "empty"), ('{"add": {"path": "par', "torn")])
@pytest.mark.parametrize("version", [1, 2])
def test_a_commit_that_is_torn_is_named_and_ends_what_can_be_read(table: Path, content, kind, version) -> None:
    (table / log(version)).write_text(content)
    files = delta_files.read(table)
    assert (files.version, files.newest) == (version - 1, 2)
    assert [(fault.kind, fault.file) for fault in files.faults] == [(kind, log(version))]


def test_a_commit_that_is_missing_is_named(table: Path) -> None:
    (table / log(1)).unlink()
    files = delta_files.read(table)
    assert files.version == 0
    assert [(fault.kind, fault.file) for fault in files.faults] == [("missing", log(1))]


def test_a_table_without_its_first_commit_and_a_checkpoint_has_no_version(table: Path) -> None:
    (table / log(0)).unlink()
    files = delta_files.read(table)
    assert files.version is None
    assert [(fault.kind, fault.file) for fault in files.faults] == [("missing", log(0))]


@pytest.mark.parametrize(("told", "is_fault"), [((2, 0), True), ((3, None), True), ((2, None), False)])
def test_a_newest_commit_that_is_unlike_its_checksum_is_named(table: Path, told, is_fault) -> None:
    count, size = told
    size = sum(delta_files.read(table).data.values()) if size is None else size
    (table / "_delta_log" / f"{2:020}.crc").write_text(json.dumps({"numFiles": count, "tableSizeBytes": size}))
    assert faults(table) == ({("unlike", log(2))} if is_fault else set())


def test_a_data_file_that_is_gone_or_cut_is_named(table: Path) -> None:
    (table / "part-3.parquet").unlink()
    second = table / "year=2026" / "part 2.parquet"
    second.write_bytes(second.read_bytes()[:-5])
    assert faults(table) == {("missing", "part-3.parquet"), ("cut", "year=2026/part 2.parquet")}


def test_a_data_file_of_other_content_is_found_by_reading_alone(table: Path) -> None:
    third = table / "part-3.parquet"
    size = third.stat().st_size
    third.write_bytes(b"x" * size)
    assert faults(table) == set()
    assert faults(table, deep=True) == {("unread", "part-3.parquet")}


def test_a_data_file_of_other_rows_is_found_by_reading_alone(table: Path) -> None:
    add = write_data(table, "part-4.parquet", rows=5)
    add["add"]["stats"] = json.dumps({"numRecords": 4})
    commit(table, 3, add)
    assert faults(table) == set()
    assert faults(table, deep=True) == {("unread", "part-4.parquet")}


def test_files_that_no_version_names_are_named_and_hidden_ones_are_not(table: Path) -> None:
    write_data(table, "year=2026/part-9.parquet")
    write_data(table, "_change_data/cdc-1.parquet")
    # Delta writes such, and names them nowhere.
    write_data(table, "part-8.parquet", rows=0)
    for hidden in (".part-1.parquet.crc", "_started", "_temporary/part-0.parquet", "_delta_log/.x.json.crc"):
        (table / hidden).parent.mkdir(parents=True, exist_ok=True)
        (table / hidden).write_text("x")
    assert faults(table) == {("unnamed", "year=2026/part-9.parquet"), ("unnamed", "_change_data/cdc-1.parquet")}
    commit(table, 3, {"cdc": {"path": "_change_data/cdc-1.parquet", "size": 1}})
    assert faults(table) == {("unnamed", "year=2026/part-9.parquet")}
