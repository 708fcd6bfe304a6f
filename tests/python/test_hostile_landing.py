"""Files, names and folders that mean harm, or look as if: what is listed, what is refused, what is left alone."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import json
import os
import re
import signal
import socket
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import Lake
from strata import landing, places, scanning, sources, storage
from strata.errors import StrataError

SOURCES = sources.load()
EVENTS = SOURCES["events"]
HEADER = b"time,action\n"
ROW = b"2026-01-01T00:00:00Z,Open\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set lake and landing folder aside; return the folder in which events land."""
    monkeypatch.setenv("STRATA_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("STRATA_LANDING", str(tmp_path / "landing"))
    folder = tmp_path / "landing" / "events"
    folder.mkdir(parents=True)
    return folder


def land(path: Path | bytes, content: bytes = HEADER + ROW) -> Path | bytes:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
    return path


def rows(file: Path) -> dict[str, dict]:
    found = [json.loads(line) for line in file.read_text().splitlines()]
    assert len({row["path"] for row in found}) == len(found)
    # Nothing that is written may hold half a character.
    assert [row for row in found if re.search("[\ud800-\udfff]", str(row))] == []
    return {row["path"]: row for row in found}


def take(override: str | None = None, source: sources.Source = EVENTS) -> dict[str, dict]:
    return rows(landing.Stock(source, override).take())


def counted() -> list[str]:
    """Return the names that files count under, as a run finds them."""
    return [name for name, row in take().items() if row["is_listed"]]


def ignored(name: str = "events") -> dict[str, str]:
    return {path: row["reason"] for path, row in rows(places.ignored(name)).items()}


# --- links ------------------------------------------------------------------------------------------------------------


def test_a_link_to_a_folder_above_is_a_loop_that_is_not_followed(place: Path) -> None:
    land(place / "2026/01/01/a.csv")
    for name, target in (("self", "."), ("2026/up", "../.."), ("2026/01/landing", "../../.."), ("root", "/")):
        (place / name).symlink_to(target)
    (place / "2026/round.csv").symlink_to("01", target_is_directory=True)
    assert counted() == ["events/2026/01/01/a.csv"]
    assert ignored() == dict.fromkeys(
        ["events/2026/01/landing", "events/2026/up", "events/root", "events/self"],
        "it is a link to a folder that it lies in",
    )


def test_the_same_file_by_two_ways_counts_once_under_its_real_path(place: Path) -> None:
    land(place / "z/a.csv")
    (place / "a.csv").symlink_to("z/a.csv")
    (place / "b").symlink_to("z")
    (place / "c").symlink_to("b")
    assert counted() == ["events/z/a.csv"]


def test_a_file_from_elsewhere_counts_once_under_the_first_path_by_name(place: Path, tmp_path: Path) -> None:
    land(tmp_path / "other/x/a.csv")
    land(place / ".staged/b.csv")
    land(place / "_staged/c.csv")
    for name, target in (("m", tmp_path / "other"), ("k", tmp_path / "other/x"), ("l.csv", tmp_path / "other/x/a.csv")):
        (place / name).symlink_to(target)
    # A real path that has not landed is none to count under.
    (place / "b.csv").symlink_to(".staged/b.csv")
    (place / "staged").symlink_to("_staged")
    assert counted() == ["events/b.csv", "events/k/a.csv", "events/staged/c.csv"]


def test_copies_and_hard_links_are_files_of_their_own(place: Path) -> None:
    land(place / "a.csv")
    os.link(place / "a.csv", place / "b.csv")
    land(place / "c.csv")
    assert counted() == ["events/a.csv", "events/b.csv", "events/c.csv"]


def test_links_among_siblings_cost_no_more_than_the_folders(place: Path) -> None:
    names = [f"folder{number:02}" for number in range(30)]
    for name in names:
        land(place / name / "a.csv")
        for other in names:
            (place / name / f"to_{other}").symlink_to(f"../{other}")
    with alarm(300):
        assert counted() == [f"events/{name}/a.csv" for name in names]


def test_a_file_keeps_the_path_that_it_is_known_by_while_that_is_one_of_its_ways(place: Path, tmp_path: Path) -> None:
    land(tmp_path / "other/a.csv")
    (place / "m").symlink_to(tmp_path / "other")
    assert counted() == ["events/m/a.csv"]
    (place / "b").symlink_to(tmp_path / "other")
    assert counted() == ["events/m/a.csv"]
    # It moves in: now its real path is in the folder, and the old one is still a way.
    (tmp_path / "other").rename(place / "a")
    (place / "m").unlink()
    (place / "m").symlink_to("a")
    assert counted() == ["events/m/a.csv"]
    (place / "m").unlink()
    (place / "b").unlink()
    assert counted() == ["events/a/a.csv"]


def test_the_other_paths_that_an_older_lake_knows_a_file_by_are_told_to_be_the_same(place: Path) -> None:
    land(place / "a.csv")
    before = dict(take()["events/a.csv"])
    del before["same_as"]
    (place / "loop").symlink_to(".")
    (place / "b.csv").symlink_to("a.csv")
    others = ["events/b.csv", "events/loop/a.csv", "events/loop/loop/a.csv"]
    doubles = [{**before, "path": name, "location": str(place.parent / name)} for name in others]
    places.intake("events").write_text("".join(json.dumps(row) + "\n" for row in (before, *doubles)))
    for _ in range(2):
        found = take()
        assert {name: (row["is_listed"], row["same_as"]) for name, row in found.items()} == {
            "events/a.csv": (True, None),
            **dict.fromkeys(others, (False, "events/a.csv")),
        }
    # A path that is a file's own again counts again; the others stay told until then.
    (place / "b.csv").unlink()
    land(place / "b.csv", HEADER + ROW * 2)
    (place / "loop").unlink()
    found = take()
    assert (found["events/b.csv"]["same_as"], found["events/b.csv"]["rows_landed"]) == (None, 2)
    assert found["events/loop/a.csv"]["same_as"] == "events/a.csv"


def test_a_link_that_points_nowhere_is_named(place: Path, tmp_path: Path) -> None:
    land(tmp_path / "c.csv")
    (place / "a.csv").symlink_to("nowhere.csv")
    (place / "b.csv").symlink_to("b.csv")
    (place / "c.csv").symlink_to(tmp_path / "c.csv")
    (place / "folder").symlink_to("nowhere")
    found = take()
    assert found["events/a.csv"]["fault"].startswith(
        "it cannot be read: it is a link that points nowhere (No such file"
    )
    assert found["events/b.csv"]["fault"].startswith("it cannot be read: it is a link that points nowhere (Too many")
    assert ignored()["events/folder"].startswith("it is a link that points nowhere")
    # What it gave before stays, for nothing is known of its content now.
    (tmp_path / "c.csv").unlink()
    now = take()["events/c.csv"]
    assert (now["rows_landed"], now["is_listed"]) == (1, True)
    assert now["fault"].startswith("it cannot be read: it is a link that points nowhere")


def test_a_source_whose_folder_is_no_folder_is_refused_and_nothing_has_left(place: Path) -> None:
    place.rmdir()
    assert counted() == []
    land(place)
    with pytest.raises(StrataError, match="cannot be read"):
        take()
    place.unlink()
    place.symlink_to("unmounted")
    with pytest.raises(StrataError, match="cannot be read"):
        take()


# --- names ------------------------------------------------------------------------------------------------------------


def test_a_name_that_is_no_utf8_is_refused_in_words_that_stay_the_same(place: Path) -> None:
    folder = os.fsencode(place)
    for name in (b"a\xff.csv", b"\xe9t\xe9/b.csv", b"c\xfe.txt", "é.csv".encode(), b"b\\xff.csv", b"b\xff.csv"):
        land(folder + b"/" + name)
    os.symlink(b"nowhere\xff", folder + b"/l\xff.csv")
    found = take()
    names = [r"events/a\xff.csv", r"events/\xe9t\xe9/b.csv", r"events/l\xff.csv"]
    (double,) = (name for name in found if re.fullmatch(r"events/b\\xff\.csv \(f[0-9a-f]{20}\)", name))
    for name in (*names, double):
        assert found[name]["fault"] == "its name holds bytes that are no UTF-8; rename it"
        assert not (places.intake("events").parent / "events" / f"file_id={found[name]['file_id']}").exists()
    assert sorted(found) == sorted([*names, double, "events/é.csv", r"events/b\xff.csv"])
    assert [name for name, row in found.items() if row["fault"] is None] == [r"events/b\xff.csv", "events/é.csv"]
    assert list(ignored()) == [r"events/c\xfe.txt"]
    assert take() == found


def test_whatever_a_name_holds_the_file_is_taken(place: Path) -> None:
    names = [
        "a\nb\r\t\x01.csv",
        "${env:HOME}${date}.csv",
        "'\"`;--.csv",
        "x" * 251 + ".csv",
        " .csv",
        "\u202e\ufeff.csv",
    ]
    for name in names:
        land(place / name)
    found = take()
    assert sorted(found) == sorted(f"events/{name}" for name in names)
    assert {row["fault"] for row in found.values()} == {None}


def test_a_path_that_is_too_long_is_refused_and_the_others_go_on(place: Path) -> None:
    land(place / "a.csv")
    at = os.open(place, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=at)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=at)
        os.close(os.open("b.csv", os.O_CREAT | os.O_WRONLY, dir_fd=below))
        os.close(at)
        at = below
    os.close(at)
    found = take()
    refused = [row for row in found.values() if row["fault"] and "too long" in row["fault"].lower()]
    assert refused
    assert found["events/a.csv"]["fault"] is None


def test_endings_are_taken_in_any_case(place: Path) -> None:
    land(place / "UPPER.CSV")
    land(place / "a.Csv.GZ", gzip.compress(HEADER + ROW))
    land(place / "b.csv.TMP")
    found = take()
    assert {name: (row["rows_landed"], row["fault"]) for name, row in found.items()} == {
        "events/UPPER.CSV": (1, None),
        "events/a.Csv.GZ": (1, None),
    }
    (link,) = (places.intake("events").parent / "events" / f"file_id={found['events/a.Csv.GZ']['file_id']}").iterdir()
    assert link.name == "landed.gz"
    land(place.parent / "fleet_sensors/2026/01/01/x.JSONL", b"{}\n")
    assert take(source=SOURCES["fleet_sensors"])["fleet_sensors/2026/01/01/x.JSONL"]["rows_landed"] == 1


def test_what_is_not_taken_is_told_with_the_reason_until_it_has_gone(place: Path) -> None:
    for name in ("data.txt", "2026/x.parquet", ".a", "_b.txt", "c.tmp", "_x/c.txt", "a.csv"):
        land(place / name)
    take()
    reason = "its name ends neither in .csv nor in .csv.gz"
    assert ignored() == {"events/2026/x.parquet": reason, "events/data.txt": reason}
    row = rows(places.ignored("events"))["events/data.txt"]
    assert (row["source"], row["size"], row["modified_at"][:2]) == ("events", len(HEADER + ROW), "20")
    (place / "data.txt").rename(place / "data.csv")
    take()
    assert list(ignored()) == ["events/2026/x.parquet"]
    assert "events/data.csv" in counted()
    # A file that is named is taken whatever its ending.
    assert take(str(place / "2026/x.parquet"))["events/2026/x.parquet"]["fault"] is None


def test_what_lies_in_the_landing_folder_and_is_no_sources_has_one_row(place: Path) -> None:
    root = place.parent
    for name in ("other/a.csv", "other/b/c.csv", "loose.csv", ".hidden/a", "purchases/x.txt"):
        land(root / name)
    land(os.fsencode(root) + b"/o\xff/a.csv")
    landing.take_no_sources(SOURCES, [place])
    folder, loose = "no source has this folder", "it lies in no source's folder"
    assert ignored("landing") == {"other": folder, "loose.csv": loose, r"o\xff": folder}
    found = rows(places.ignored("landing"))
    assert [found[name]["source"] for name in found] == [None] * 3
    assert (found["other"]["size"], found["loose.csv"]["size"]) == (None, len(HEADER + ROW))
    landing.take_no_sources(SOURCES, [root / "other/b", root / "loose.csv"])
    assert list(ignored("landing")) == [r"o\xff"]


# --- contents ---------------------------------------------------------------------------------------------------------


def test_a_link_whose_file_may_not_be_looked_at_is_refused_by_name(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(place / "a.csv")
    (place / "x.csv").symlink_to(tmp_path / "closed/x.csv")
    realpath = os.path.realpath

    def closed(path, *, strict=False):
        if str(path).endswith("x.csv"):
            raise PermissionError(13, "Permission denied")
        return realpath(path, strict=strict)

    monkeypatch.setattr(os.path, "realpath", closed)
    assert {name: row["fault"] for name, row in take().items()} == {
        "events/a.csv": None,
        "events/x.csv": "it cannot be read: it is a link (Permission denied)",
    }


def test_a_file_of_times_to_come_is_refused_until_they_have(place: Path) -> None:
    land(place / "a.csv")
    land(place / "b.csv")
    now = time.time()
    os.utime(place / "a.csv", (now, now + 3 * 24 * 3600))
    # A clock a little ahead is none to refuse for.
    os.utime(place / "b.csv", (now, now + 3600))
    found = take()
    assert found["events/a.csv"]["fault"].endswith("has not come yet; touch it, or set this machine's clock")
    assert found["events/b.csv"]["fault"] is None
    os.utime(place / "a.csv")
    assert take()["events/a.csv"]["fault"] is None


def test_a_clock_that_was_set_back_refuses_nothing_that_was_taken(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    land(place / "a.csv")
    land(place / "b.csv")
    before = take()
    year_ago = time.time_ns() - 365 * 24 * 3600 * 10**9
    with monkeypatch.context() as patch:
        patch.setattr(landing.time, "time_ns", lambda: year_ago)
        land(place / "b.csv", b"time,action\n")
        found = take()
    assert found["events/a.csv"] == before["events/a.csv"]
    # One that is another by now waits, and what it gave stays.
    assert found["events/b.csv"]["fault"].endswith("has not come yet; touch it, or set this machine's clock")
    assert found["events/b.csv"]["is_unreachable"]
    assert found["events/b.csv"]["content_hash"] == before["events/b.csv"]["content_hash"]
    found = take()
    assert (found["events/b.csv"]["fault"], found["events/b.csv"]["rows_landed"]) == (None, 0)


def test_what_an_earlier_version_scanned_is_scanned_once_more(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    land(place / "a.csv")
    take()
    intake = places.intake("events")
    row = json.loads(intake.read_text())
    assert row.pop("scanner") == scanning.rules_of(EVENTS)
    intake.write_text(json.dumps(row) + "\n")
    scanned = []
    scan = landing.scan
    monkeypatch.setattr(landing, "scan", lambda source, landed: scanned.append(landed.path) or scan(source, landed))
    take()
    take()
    assert scanned == ["events/a.csv"]


@contextlib.contextmanager
def alarm(seconds: int) -> Iterator[None]:
    """Fail what takes longer than it ever should."""

    def late(*_) -> None:
        raise TimeoutError(f"it took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def memory(most: int) -> Iterator[None]:
    """Fail what holds more than some bytes at once."""
    tracemalloc.start()
    try:
        yield
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert held < most


def test_what_is_no_file_is_refused_by_name_and_blocks_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    land(place / "a.csv")
    os.mkfifo(place / "pipe.csv")
    monkeypatch.chdir(place)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.csv")
    (place / "zero.csv").symlink_to("/dev/zero")
    with alarm(300):
        found = take()
    assert {name: row["fault"] for name, row in found.items()} == {
        "events/a.csv": None,
        "events/pipe.csv": "it is a named pipe, no file",
        "events/socket.csv": "it is a socket, no file",
        "events/zero.csv": "it is a device, no file",
    }
    # A file that becomes a pipe between the listing and the scan.
    land(place / "b.csv")
    stock = landing.Stock(EVENTS)
    (place / "b.csv").unlink()
    os.mkfifo(place / "b.csv")
    with alarm(300):
        assert rows(stock.take())["events/b.csv"]["fault"] == "it is a named pipe, no file"


@pytest.mark.parametrize("source", ["events", "fleet_sensors"])
def test_a_line_without_end_is_refused_in_bounded_memory(place: Path, source: str) -> None:
    name = "a.csv" if source == "events" else "a.jsonl"
    path = place.parent / source / "2026/01/01" / name
    land(path, HEADER)
    os.truncate(path, 400 * 1024**2)
    with memory(90 * 1024**2):
        (row,) = take(source=SOURCES[source]).values()
    assert row["fault"].startswith("it has a line longer than")


def test_a_header_without_end_is_refused_in_bounded_memory(place: Path) -> None:
    land(place / "a.csv", b"," * 3_000_000 + b"\n" + ROW)
    assert take()["events/a.csv"]["fault"] == "it has a line longer than 512 KiB"


def test_a_record_without_end_is_read_in_bounded_memory(place: Path) -> None:
    land(place / "a.csv", b"time,action,note\n" + b'"x\n",' * 8_000_000)
    with memory(80 * 1024**2):
        assert take()["events/a.csv"]["reading"] == "lines"


def test_a_gzip_bomb_is_read_in_bounded_memory(place: Path) -> None:
    land(place / "a.csv.gz", gzip.compress(HEADER + bytes(200 * 1024**2), 1))
    land(place / "b.csv.gz", gzip.compress(HEADER + ROW * 4_000_000, 1))
    with memory(60 * 1024**2):
        found = take()
    assert found["events/a.csv.gz"]["fault"] == "it has a line longer than 512 KiB"
    assert found["events/b.csv.gz"]["rows_landed"] == 4_000_000


@pytest.mark.parametrize(
    ("encoding", "mark", "said"),
    [
        ("utf-16-le", codecs.BOM_UTF16_LE, "UTF-16"),
        ("utf-16-be", codecs.BOM_UTF16_BE, "UTF-16"),
        ("utf-32-le", codecs.BOM_UTF32_LE, "UTF-32"),
        ("utf-32-be", codecs.BOM_UTF32_BE, "UTF-32"),
    ],
)
def test_another_encoding_is_named(place: Path, encoding: str, mark: bytes, said: str) -> None:
    text = (HEADER + ROW + "é€,Ω\n".encode()).decode()
    land(place / "marked.csv", mark + text.encode(encoding))
    land(place / "bare.csv", text.encode(encoding))
    land(place / "packed.csv.gz", gzip.compress(mark + text.encode(encoding)))
    land(place / "utf8.csv", HEADER + b"\x00\n" * 3000 + ROW)
    found = take()
    for name in ("marked.csv", "bare.csv", "packed.csv.gz"):
        assert found[f"events/{name}"]["fault"] == f"it is {said}; write it as UTF-8"
    assert (found["events/utf8.csv"]["fault"], found["events/utf8.csv"]["rows_landed"]) == (None, 1)


@pytest.mark.parametrize("seconds", [2**38, -(2**37)])
def test_a_time_of_modification_that_no_calendar_has_is_refused_by_name(
    place: Path, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    land(place / "a.csv")
    land(place / "b.csv")
    entries = storage.entries

    def odd(folder) -> list[storage.Entry]:
        return [
            replace(entry, modified_ns=seconds * 10**9) if entry.name == "b.csv" else entry for entry in entries(folder)
        ]

    monkeypatch.setattr(storage, "entries", odd)
    found = take()
    monkeypatch.undo()
    assert found["events/a.csv"]["fault"] is None
    assert found["events/b.csv"]["fault"].startswith("its time of modification lies outside of the years 1 to 9999")
    assert found["events/b.csv"]["modified_at"] is None


def test_whatever_a_file_does_to_the_scan_the_others_go_on(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    land(place / "a.csv")
    land(place / "b.csv")
    land(place / "c.csv")
    chunks = scanning._chunks

    def odd(path: Path, digest):
        if path.name == "b.csv":
            raise RuntimeError("so\nit is \udcff")
        if path.name == "c.csv":
            path.unlink()
        yield from chunks(path, digest)

    monkeypatch.setattr(scanning, "_chunks", odd)
    found = take()
    # One that left before it was read has not been there.
    assert {name: row["fault"] for name, row in found.items()} == {
        "events/a.csv": None,
        "events/b.csv": r"it cannot be scanned (RuntimeError: so it is \xff)",
    }


# --- through dbt ------------------------------------------------------------------------------------------------------


def test_what_lands_ignored_is_told_and_fails_nothing(lake: Lake) -> None:
    lake.subject = "events fleet_sensors purchases"
    lake.land("2026/a.CSV", "time,action\n2026-01-01T10:00:00Z,Open\n")
    lake.land("${env:HOME}.csv", "time,action\n2026-01-01T10:00:00Z,Open\n")
    lake.land("data.txt", "x")
    lake.land("x.csv", "x", source="unknown")
    done = lake.build("--select", "+landed_files", "intake")
    assert done.success, done.said
    sql = "select source, path, status, rows_landed, reason from ops.landed_files order by path"
    assert lake.rows(sql) == [
        ("events", "events/${env:HOME}.csv", "loaded", 1, None),
        ("events", "events/2026/a.CSV", "loaded", 1, None),
        ("events", "events/data.txt", "ignored", None, "its name ends neither in .csv nor in .csv.gz"),
        (None, "unknown", "ignored", None, "no source has this folder"),
    ]
    assert lake.rows("select same_as from ops.intake where source = 'events'") == [(None,)] * 2
    (lake.landing / "events/data.txt").rename(lake.landing / "events/data.csv")
    (lake.landing / "unknown/x.csv").unlink()
    (lake.landing / "unknown").rmdir()
    done = lake.build("--select", "+landed_files")
    assert lake.rows("select path, status from ops.landed_files where status <> 'loaded'") == [
        ("events/data.csv", "refused")
    ]
    assert "data.csv was refused" in done.sentence("data.csv")
