"""The scan of landed files: what it counts, what it refuses, what it reads again."""

from __future__ import annotations

import ast
import gzip
import hashlib
import json
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strata import landing, places, scanning, sources, storage
from strata.errors import StrataError

SOURCES = sources.load()
EVENTS = SOURCES["events"]
HEADER = b"time,action\n"
ROW = b"2026-01-01T00:00:00Z,Open\n"
MIXED = "it has line breaks in quotes, and lines that end in different ways (LF, CRLF, CR)"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set lake and landing folder aside; return the folder in which events land."""
    monkeypatch.setenv("STRATA_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("STRATA_LANDING", str(tmp_path / "landing"))
    folder = tmp_path / "landing" / "events"
    folder.mkdir(parents=True)
    return folder


def take(override: str | None = None, source: sources.Source = EVENTS) -> dict[str, dict]:
    rows = landing.Stock(source, override).take().read_text().splitlines()
    return {row["path"]: row for row in map(json.loads, rows)}


def scanned(place: Path, content: bytes, name: str = "a.csv") -> dict:
    (place / name).write_bytes(content)
    return take()[f"events/{name}"]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"", 0),
        (b"\n \n\t\n", 0),
        (b"\xef\xbb\xbf", 0),
        (HEADER, 0),
        (HEADER.rstrip(), 0),
        (HEADER + ROW, 1),
        (HEADER + ROW.rstrip(), 1),
        (b"\xef\xbb\xbf" + HEADER + ROW * 3, 3),
        ((HEADER + ROW * 3).replace(b"\n", b"\r\n"), 3),
        ((HEADER + ROW * 3).replace(b"\n", b"\r"), 3),
        (b"\n  \n" + HEADER + b"\n" + ROW + b" \t\n\n" + ROW, 2),
        (HEADER + b"x\n" + b"a,b,c\n" + HEADER, 3),
        (HEADER + b"\x1f\n" + ROW + b"\0\n\x0b\r\n" + ROW + b"\x7f\n\xef\xbb\xbf\n", 4),
        (HEADER + b'"2026-01-01T00:00:00Z","Open"\n', 1),
        (b"time,action,note\n" + b'2026-01-01T00:00:00Z,Open,"two\nlines"\n' * 2, 2),
        (b"time,action,note\r\n" + b'2026-01-01T00:00:00Z,Open,"two\nlines"\r\n' * 2, 2),
        (b"time,action,note\r" + b'2026-01-01T00:00:00Z,Open,"two\r\nlines"\r' + b"2026-01-01T00:00:00Z,Open,", 2),
        (HEADER + b'2026-01-01T00:00:00Z,"Open\n' + ROW, 2),
    ],
)
def test_rows_are_the_lines_after_the_header_that_are_not_blank(place: Path, content: bytes, rows: int) -> None:
    plain = scanned(place, content)
    assert (plain["rows_landed"], plain["fault"]) == (rows, None)
    assert scanned(place, gzip.compress(content), "a.csv.gz")["rows_landed"] == rows


# However slow the machine is.
@settings(deadline=None)
@given(
    st.lists(st.sampled_from([b"a,b", b"", b" ", b"\t", b"x", b"a,b,c"]), max_size=30),
    st.sampled_from([b"\n", b"\r\n"]),
)
def test_rows_are_counted_alike_wherever_a_chunk_ends(lines: list[bytes], ending: bytes) -> None:
    text = ending.join(lines)
    wanted = sum(1 for line in lines if line.strip())
    for size in (1, 2, 3, 7, 1000):
        chunks = [text[start : start + size] for start in range(0, len(text), size)]
        assert sum(map(scanning._count_rows, scanning._lines(chunks))) == wanted


@pytest.mark.parametrize(
    ("content", "name", "fault"),
    [
        (b"time\n" + ROW, "a.csv", "the column action is missing (it has time)"),
        (b"Time,action\n", "a.csv", "the column time is missing (it has Time, action)"),
        (b"a,b\n", "a.csv", "the column time and action is missing (it has a, b)"),
        (b"time,action,time\n", "a.csv", "the column time is there more than once"),
        (HEADER + b"\xff\xfe\n", "a.csv", "it holds bytes that are no UTF-8"),
        (HEADER + ROW + "é".encode()[:1], "a.csv", "it holds bytes that are no UTF-8"),
        (gzip.compress(HEADER + ROW * 5000, mtime=0)[:-20], "a.csv.gz", "it is no whole gzip file"),
        (HEADER, "a.csv.gz", "it is no whole gzip file"),
        (HEADER + b"2026-01-01T00:00:00Z,Op\0en\n", "a.csv", "it has a line with a NUL character"),
        (
            b'time,action,"no\nte"\n' + b"2026-01-01T00:00:00Z,Open,x\n",
            "a.csv",
            "its header has a line break in quotes",
        ),
        (HEADER + b'2026-01-01T00:00:00Z,"Open\x01\n', "a.csv", "it has a quote that is not closed, and a control"),
        (b"time,action," + b"x" * 50_001 + b"\n", "a.csv", "its header has a name of more than 50000 characters"),
        (
            b"time,action,note\n" + b'2026-01-01T00:00:00Z,Open,"a\nb"\n' + b"2026-01-01T00:00:00Z,Open,x\r\n",
            "a.csv",
            MIXED,
        ),
        (b"time,action,note\r\n" + b'2026-01-01T00:00:00Z,Open,"a\r\nb"\n', "a.csv", MIXED),
        (b"time,note,action\n" + b'2026-01-01T00:00:00Z,"a\nb",Open\r\r\n', "a.csv", MIXED),
        (gzip.compress(HEADER, mtime=0) + b"rubbish", "a.csv.gz", "it is no whole gzip file"),
        (gzip.compress(HEADER, mtime=0), "a.csv", "it holds bytes that are no UTF-8"),
    ],
)
def test_a_file_that_cannot_be_loaded_has_a_fault(place: Path, content: bytes, name: str, fault: str) -> None:
    row = scanned(place, content, name)
    assert row["fault"].startswith(fault)


def test_what_is_no_table_is_refused_whatever_its_shape(place: Path) -> None:
    assert scanned(place, HEADER + b"," * 600_000 + b"\n")["fault"] == "it has a line longer than 512 KiB"
    assert scanned(place, HEADER + b"," * 200_000 + b"\n" + ROW)["fault"] is None
    assert scanned(place, b"," * 5000 + b"\n" + ROW)["fault"] == "its header has 5001 columns"
    assert len(scanned(place, b"x" * 200_000 + b"\n" + ROW)["fault"]) < 300
    (place / "loop.csv").symlink_to("loop.csv")
    assert take()["events/loop.csv"]["fault"].startswith("it cannot be read")


@settings(deadline=None)
@given(st.lists(st.integers(0, 25), max_size=20), st.integers(2, 12))
def test_a_line_is_too_long_by_its_own_length_wherever_it_lies(lengths: list[int], longest: int) -> None:
    block = b"".join(b"x" * length + b"\n" for length in lengths)
    assert scanning._has_long_line(block, longest) == any(length > longest for length in lengths)


def test_a_file_that_cannot_be_read_for_once_keeps_what_was_known_of_it(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = scanned(place, HEADER + ROW)
    (place / "a.csv").write_bytes(HEADER + ROW * 2)

    def unreadable(path, digest):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(scanning, "_chunks", unreadable)
        now = take()["events/a.csv"]
    assert now == {
        **before,
        "stamp": [],
        "fault": "it cannot be read (Permission denied)",
        "is_unreachable": True,
    }
    assert take()["events/a.csv"]["rows_landed"] == 2


def test_a_character_over_the_end_of_a_chunk_is_utf8(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "CHUNK_BYTES", 17)
    assert scanned(place, HEADER + "é€𝄞,Open\n".encode() * 50)["fault"] is None


@pytest.mark.parametrize(
    ("content", "reading"),
    [
        (HEADER + ROW, "plain"),
        (HEADER + b'"2026-01-01T00:00:00Z","Open"\n', "plain"),
        (b"time,action,note\n" + b'2026-01-01T00:00:00Z,Open,"two\nlines"\n', "multiline"),
        (HEADER + b'2026-01-01T00:00:00Z,"Open\n' + ROW, "lines"),
        (b"time,action,note\n" + b'2026-01-01T00:00:00Z,Open,"x\n' + b'2026-01-01T00:00:00Z,Open\n"y\n', "lines"),
    ],
)
def test_quotes_tell_how_the_load_must_read(place: Path, content: bytes, reading: str) -> None:
    assert scanned(place, content)["reading"] == reading


def test_the_size_and_hash_are_those_of_the_bytes(place: Path) -> None:
    content = gzip.compress(HEADER + ROW * 1000)
    row = scanned(place, content, "a.csv.gz")
    assert (row["size"], row["content_hash"]) == (len(content), hashlib.sha256(content).hexdigest())


def test_what_has_not_landed_is_not_listed(place: Path) -> None:
    for name in ("a.csv", ".a.csv", "_a.csv", "a.csv.tmp", "a.txt", "b.csv.gz", "_x/a.csv", ".x/a.csv", "x.tmp/a.csv"):
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_bytes(gzip.compress(HEADER) if name.endswith("gz") else HEADER)
    for folder in ("2026/01/02", "year=2026/month=01/day=02"):
        (place / folder).mkdir(parents=True)
        (place / folder / "c.csv").write_bytes(HEADER)
    assert sorted(take()) == [
        "events/2026/01/02/c.csv",
        "events/a.csv",
        "events/b.csv.gz",
        "events/year=2026/month=01/day=02/c.csv",
    ]


def test_a_file_from_elsewhere_is_known_by_its_full_path(place: Path, tmp_path: Path) -> None:
    (place / "a.csv").write_bytes(HEADER)
    elsewhere = tmp_path / "else where" / "any.name"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(HEADER)
    (elsewhere.parent / "b.csv").write_bytes(HEADER)
    assert sorted(take(str(elsewhere))) == [str(elsewhere)]
    rows = take(str(elsewhere.parent))
    assert {name: row["is_listed"] for name, row in rows.items()} == {
        str(elsewhere): False,
        str(elsewhere.parent / "b.csv"): True,
    }
    assert "events/a.csv" in take(str(place))


def test_only_what_is_new_or_changed_is_read_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    scan = landing.scan
    monkeypatch.setattr(landing, "scan", lambda source, landed: read.append(landed.path) or scan(source, landed))
    (place / "a.csv").write_bytes(HEADER + ROW)
    (place / "b.csv").write_bytes(HEADER + ROW)
    take()
    assert sorted(read) == ["events/a.csv", "events/b.csv"]
    read.clear()
    # Other content of the same size, with the old modification time.
    before = (place / "a.csv").stat()
    (place / "a.csv").write_bytes(HEADER + ROW.replace(b"Open", b"Shut"))
    os.utime(place / "a.csv", ns=(before.st_atime_ns, before.st_mtime_ns))
    take()
    assert read == ["events/a.csv"]


def test_a_file_is_scanned_once_more_when_its_source_is_declared_otherwise(place: Path) -> None:
    (place / "a.csv").write_bytes(b"time\n2026-01-01T00:00:00Z\n")
    assert take()["events/a.csv"]["fault"].startswith("the column action is missing")
    without = replace(EVENTS, columns=EVENTS.columns[:1])
    assert take(source=without)["events/a.csv"]["fault"] is None
    assert take()["events/a.csv"]["fault"].startswith("the column action is missing")


@pytest.mark.parametrize("separator", sources.SEPARATORS)
def test_fields_are_told_apart_by_the_declared_separator(place: Path, separator: str) -> None:
    source = replace(EVENTS, separator=separator)
    for name, text in {
        "a.csv": '"time"§action§"a,b;c|d§e"\n1§Open§x\n',
        "b.csv": 'time§action§note\n1§Open§"two\nlines§ one more"\n',
        "c.csv": 'time§action§note\n1§"Open§two\nlines\n',
    }.items():
        (place / name).write_text(text.replace("§", separator))
    found = take(source=source)
    assert {row["path"]: (row["fault"], row["rows_landed"], row["reading"]) for row in found.values()} == {
        "events/a.csv": (None, 1, "plain"),
        "events/b.csv": (None, 1, "multiline"),
        "events/c.csv": (None, 2, "lines"),
    }
    assert found["events/b.csv"]["columns"] == ["time", "action", "note"]


def test_a_file_of_another_separator_lacks_the_columns(place: Path) -> None:
    (place / "a.csv").write_bytes(HEADER + ROW)
    fault = take(source=replace(EVENTS, separator=";"))["events/a.csv"]["fault"]
    assert fault == "the column time and action is missing (it has time,action)"


def test_a_file_that_has_gone_is_known_to_have(place: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "b.csv"
    for path in (place / "a.csv", elsewhere):
        path.write_bytes(HEADER)
    take()
    take(str(elsewhere))
    (place / "a.csv").unlink()
    rows = take()
    assert [rows[name]["is_gone"] for name in ("events/a.csv", str(elsewhere))] == [True, False]
    inbox = place.parent / "inbox.csv"
    inbox.write_bytes(HEADER)
    take(str(inbox))
    assert not take()["inbox.csv"]["is_gone"]
    elsewhere.unlink()
    assert take()[str(elsewhere)]["is_gone"]


def test_a_torn_intake_file_only_costs_another_scan(place: Path) -> None:
    (place / "a.csv").write_bytes(HEADER + ROW)
    whole = take()
    intake = places.intake("events")
    intake.write_text(intake.read_text()[:40])
    assert take() == whole


def test_the_link_leads_to_the_file_whatever_its_name(place: Path) -> None:
    for name in ("a b,{c}*[d]?.csv", "é'\"\\%20+#.csv", "a\nb.csv"):
        (place / name).write_bytes(HEADER + ROW)
    for row in take().values():
        (link,) = (places.intake("events").parent / "events" / f"file_id={row['file_id']}").iterdir()
        assert link.read_bytes() == HEADER + ROW


def test_a_path_that_is_not_there_is_refused(place: Path, tmp_path: Path) -> None:
    with pytest.raises(StrataError, match=r"events_path names .*nowhere, which is not there"):
        take(str(tmp_path / "nowhere"))
    assert not places.intake("events").exists()


# --- JSON lines -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"", 0),
        (b"\n \n\t\r\n", 0),
        (b"\xef\xbb\xbf{}\n", 1),
        (b"{}\n\n[]\r\nx", 3),
        (b'{"a": "\xc3\xa9"}', 1),
        (b'"\n{}\n', 2),
        (b"{}\n\xef\xbb\xbf\n\x1f\n{}\n", 2),
    ],
)
def test_rows_of_json_lines_are_the_lines_that_are_not_blank(place: Path, content: bytes, rows: int) -> None:
    fleet = SOURCES["fleet_sensors"]
    for name, text in (("a.jsonl", content), ("b.jsonl.gz", gzip.compress(content))):
        path = place.parent / "fleet_sensors" / "2026" / "01" / "05" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    for row in map(json.loads, landing.Stock(fleet).take().read_text().splitlines()):
        assert (row["rows_landed"], row["columns"], row["reading"], row["fault"]) == (rows, ["line"], "text", None)
        assert row["landed_on"] == "2026-01-05"


def test_a_line_of_json_may_be_longer_than_one_of_csv_and_not_without_end(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = place.parent / "fleet_sensors" / "2026" / "01" / "05"
    folder.mkdir(parents=True)
    (folder / "long.jsonl").write_bytes(b"{" + b" " * 2 * scanning.LONGEST_LINE + b"}\n")
    (row,) = map(json.loads, landing.Stock(SOURCES["fleet_sensors"]).take().read_text().splitlines())
    assert row["fault"] is None
    monkeypatch.setattr(scanning, "LONGEST_JSON_LINE", scanning.LONGEST_LINE)
    (folder / "long.jsonl").write_bytes(b"{" + b" " * 3 * scanning.LONGEST_LINE + b"}\n")
    (row,) = map(json.loads, landing.Stock(SOURCES["fleet_sensors"]).take().read_text().splitlines())
    assert row["fault"] == "it has a line longer than 512 KiB"


# --- storage ----------------------------------------------------------------------------------------------------------


def test_a_store_that_takes_connections_and_answers_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = {"config_kwargs": {"connect_timeout": 5, "read_timeout": 0.1, "retries": {"max_attempts": 0}}}
    monkeypatch.setitem(storage._PATIENCE, "s3a", quick)
    monkeypatch.setattr(storage, "_WRITE_SECONDS", 1)
    monkeypatch.setattr(storage, "_silent_since", {})
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a")
    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(OSError, match="Read timeout"):
            storage.info("s3a://lake/one")
        with pytest.raises(OSError, match="Read timeout"):
            storage.objects("s3a://lake")
        with pytest.raises(OSError, match="it is not written after 1 s"), storage.create("s3a://lake/one") as file:
            file.write(b"a")
        # What was waited for in vain is not waited for again at once.
        monkeypatch.setattr(storage, "_VAIN_SECONDS", 0.5)
        with pytest.raises(OSError, match="it is not written after 1 s"), storage.create("s3a://lake/one") as file:
            file.write(b"a")
        for ask in (storage.info, storage.objects):
            with pytest.raises(OSError, match="s3a://lake did not answer a moment ago"):
                ask("s3a://lake/two")
        with pytest.raises(OSError, match="Read timeout"):
            storage.info("s3a://another/one")
        monkeypatch.setattr(storage, "_SILENT_SECONDS", 0)
        with pytest.raises(OSError, match="Read timeout"):
            storage.info("s3a://lake/two")


# What asks the file system for something; called or not, but for what an entry of storage has too.
TOUCHING = """
    open FileIO walk scandir listdir glob rglob iterdir stat lstat fstat access readlink resolve realpath exists lexists
    is_file() is_dir is_symlink isfile isdir islink samefile getsize getmtime mkdir makedirs touch unlink rename rmdir
    rmtree move copy copytree disk_usage chmod utime symlink symlink_to hardlink_to read_text read_bytes write_text
    write_bytes os.link os.remove os.replace
"""
# Modules that ask it for other places: the project, its environment, what is made for a while.
OF_OTHER_PLACES = """
    class_archive inferring jars java new_source packages project session settings sources
"""
# dbt's connection, and the machine; profiles.yml, packages and the archive; the locks; the project's folder; a stream.
ALLOWED = {
    "cluster": {"open"},
    "cli": {"resolve"},
    "dbt_run": {"read_text"},
    "doctor": {"exists", "glob", "is_dir"},
    "lake": {"open"},
    "metastore": {"glob"},
    "places": {"resolve", "is_file()"},
    "processes": {"read_text", "readlink"},
    "samples": {"open"},
}


def test_the_landing_folder_and_the_lake_are_touched_by_one_module_alone() -> None:
    for file in (places.ROOT / "python").glob("**/*.py"):
        if file.stem == "storage" or file.stem in OF_OTHER_PLACES.split():
            continue
        nodes = list(ast.walk(ast.parse(file.read_text())))
        asked = [node for node in nodes if isinstance(node, ast.Attribute) and ast.unparse(node.value) != "storage"]
        names = {node.attr for node in asked} | {ast.unparse(node) for node in asked}
        names |= {f"{node.func.attr}()" for node in nodes if isinstance(node, ast.Call) and node.func in asked}
        names |= {"open" for node in nodes if isinstance(node, ast.Name) and node.id == "open"}
        assert names & set(TOUCHING.split()) <= ALLOWED.get(file.stem, set()), file
