"""A data test that has passed is run again when something that it reads, or it itself, is another; else not."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from unittest import mock

import pytest
from dbt.contracts.graph.manifest import Manifest

import dbt_strata
from conftest import Lake, Run
from strata import places, samples, session, unchanged
from strata.cluster import Locks

EVENTS = "time,action\n" + "".join(f"2026-01-05T{hour:02}:00:00Z,Open\n" for hour in range(24))
SPARED = re.compile(r"(\d+) tests had passed and read nothing that has changed: they were not run again")
OF_CHANGES = re.compile(r"(\d+) data tests had passed and were run again on the rows that changed")


@pytest.fixture(scope="module")
def lake(lake: Lake) -> Lake:
    """A lake of events, built with its tests, so that each has passed."""
    own = replace(lake, subject="events")
    own.land("a.csv", EVENTS)
    assert own.build().success
    return own


def checked(lake: Lake, *arguments: str, **variables) -> tuple[Run, int]:
    """Run the data tests of events; return the run, and how many were not run again."""
    run = lake.dbt("test", "--exclude-resource-type", "unit_test", *lake.selected(arguments), **variables)
    run.nodes = {name: status for name, status in run.nodes.items() if not name.startswith("strata-on-run")}
    found = [match for line in run.said if (match := SPARED.search(line))]
    return run, int(found[0][1]) if found else 0


def test_what_has_passed_is_not_run_again_but_by_its_variable(lake: Lake) -> None:
    assert checked(lake)[0].success
    run, spared = checked(lake)
    assert run.success
    assert spared == len(run.nodes) > 20
    assert set(run.nodes.values()) == {"pass"}
    run, spared = checked(lake, test_everything=True)
    assert (run.success, spared) == (True, 0)


def test_another_variable_is_another_test(lake: Lake) -> None:
    run, of_all = checked(lake)
    run, spared = checked(lake, top_windows=9)
    assert not run.success, "ten windows are there"
    assert 0 < of_all - spared < 5


def test_spark_starts_by_what_a_run_reads(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is new, a tenth of the rest, and all of it where all is made anew."""
    told, start = [], session.start

    def noted(folder: Path, bytes_to_read: float):
        told.append(bytes_to_read)
        return start(folder, bytes_to_read)

    monkeypatch.setattr(session, "start", noted)
    own = replace(lake, prefix="read", landing_name="read landing", subject=None)
    size = own.land("a.csv", EVENTS).stat().st_size
    select = ("--select", "raw_events")
    assert own.run(*select).success
    assert own.run(*select).success
    assert own.run("--full-refresh", *select).success
    assert own.run(*select, test_everything=True).success
    assert told == [pytest.approx(size * share) for share in (1.1, 0.1, 1, 1)]


@pytest.mark.parametrize(
    ("arrives", "known_bytes", "command", "share"),
    [
        ("daily_snapshot", session.SMALL_BYTES - 1, "build", 1),
        ("daily_snapshot", session.SMALL_BYTES, "build", 0.1),
        ("daily_snapshot", session.SMALL_BYTES - 1, "snapshot", 0.1),
        ("events", session.SMALL_BYTES - 1, "build", 0.1),
    ],
)
def test_tests_read_a_small_history_as_a_whole(arrives: str, known_bytes: int, command: str, share: float) -> None:
    read = dbt_strata._read_again(mock.Mock(arrives=arrives), known_bytes, command)
    assert read == pytest.approx(share * known_bytes)


# What is done by hand to tables, each of which a test then finds.
DAMAGE = {
    "mart.action_windows": "update mart.action_windows set open_count = open_count + 1 where hour(window_start) = 3",
    "mart.actions_per_minute": "delete from mart.actions_per_minute where hour(minute_start) = 3",
    "mart.action_totals": "insert into mart.action_totals select * from mart.action_totals",
}


def test_what_is_damaged_is_found_until_it_is_mended(lake: Lake) -> None:
    checked(lake)
    version = {table: lake.rows(f"describe history {table} limit 1")[0][0] for table in DAMAGE}
    for statement in DAMAGE.values():
        lake.rows(statement)
    full, _ = checked(lake, test_everything=True)
    found = {name for name, status in full.nodes.items() if status != "pass"}
    assert len(found) >= len(DAMAGE)
    for _ in range(2):
        run, spared = checked(lake)
        assert {name for name, status in run.nodes.items() if status != "pass"} == found
        assert spared > 0
    # A restore is a version of its own: its tests are run, whatever they said of the one that it brings back.
    for table, before in version.items():
        lake.rows(f"restore table {table} to version as of {before}")
    run, spared = checked(lake)
    assert run.success
    assert spared < len(run.nodes)
    run, spared = checked(lake)
    assert spared == len(run.nodes)


# What is done by hand to rows of large tables, and the tests that then find it.
WRONG_ROWS = {
    "update stage.events set action = null where hour(event_at) = 3": {"not_null_stage_events_action"},
    "update stage.events set action = 'Burn' where hour(event_at) = 3": {
        "relationships_stage_events_action__action__ref_accepted_actions_"
    },
    "insert into stage.events by name select * except (day), 31 as day from stage.events where hour(event_at) = 3": {
        "stage_events_is_complete_and_its_date_columns_agree"
    },
    "insert into mart.actions_per_minute select * from mart.actions_per_minute where hour(minute_start) = 3": {
        "unique_actions_per_minute_minute_start"
    },
    "insert into stage.events_files select * from stage.events_files": {"unique_events_files_path"},
    "update raw.events set path = null where time like '%T03%'": {"not_null_raw_events_path"},
    "delete from stage.accepted_actions where action = 'Open'": {
        "relationships_stage_events_action__action__ref_accepted_actions_"
    },
}


# Those of the tables that keep which rows changed.
FED = {"stage.events", "stage.events_files", "mart.actions_per_minute"}


@pytest.fixture(scope="module")
def large_built(lake: Lake) -> Lake:
    """A lake of events, built and tested as one whose tables count as large."""
    own = replace(lake, prefix="large", landing_name="large landing")
    own.land("a.csv", EVENTS)
    # A text among the keys that means something in SQL.
    own.land("it's \\.csv", EVENTS.replace("01-05", "01-04"))
    with mock.patch.object(unchanged, "LARGE_BYTES", 0):
        assert own.build().success
    return own


@pytest.fixture
def large(large_built: Lake, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake of events whose tables count as large, and have passed their tests as they are."""
    monkeypatch.setattr(unchanged, "LARGE_BYTES", 0)
    assert checked(large_built)[0].success
    return large_built


def of_changes(run: Run) -> int:
    """Return how many tests a run has run on the rows that changed."""
    found = [match for line in run.said if (match := OF_CHANGES.search(line))]
    return int(found[0][1]) if found else 0


def test_of_a_large_table_the_rows_that_changed_are_tested(
    large: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large.land("more.csv", EVENTS.replace("01-05", "01-06"))
    monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path))
    monkeypatch.setenv("DBT_LOG_LEVEL_FILE", "debug")
    run = large.build()
    assert run.success, run.said
    assert of_changes(run) >= 5
    # Between which keys the changed rows lie, no log says.
    said = (tmp_path / "dbt.log").read_text()
    assert "minute_start between _end_" in said
    assert "01-06 23:00:00" not in said
    run, spared = checked(large)
    assert spared == len(run.nodes)


@pytest.mark.parametrize("statement", WRONG_ROWS)
def test_a_wrong_row_of_a_large_table_is_found_until_it_is_mended(large: Lake, statement: str) -> None:
    table = next(word for word in statement.split() if "." in word)
    before = large.rows(f"describe history {table} limit 1")[0][0]
    large.rows(statement)
    found = [checked(large)[0] for _ in range(2)]
    found.append(checked(large, test_everything=True)[0])
    failed = [{name for name, status in run.nodes.items() if status != "pass"} for run in found]
    assert failed[0] == failed[1] == failed[2] >= WRONG_ROWS[statement]
    large.rows(f"restore table {table} to version as of {before}")
    run, _ = checked(large)
    assert run.success, run.said
    assert (of_changes(run) > 0) == (table in FED)


def test_a_large_table_that_nothing_follows_keeps_from_then_on_what_changes(large: Lake) -> None:
    large.land("more.csv", EVENTS.replace("01-05", "01-07"))
    assert large.build().success
    fed = large.rows("show tblproperties mart.action_windows ('delta.enableChangeDataFeed')")
    assert fed == [("delta.enableChangeDataFeed", "true")]
    before = large.rows("describe history mart.action_windows limit 1")[0][0]
    large.rows("insert into mart.action_windows select * from mart.action_windows where hour(window_start) = 3")
    run, _ = checked(large)
    assert run.nodes["unique_action_windows_window_start"] == "fail"
    large.rows(f"restore table mart.action_windows to version as of {before}")
    run, _ = checked(large)
    assert run.success, run.said
    assert of_changes(run) > 0


def test_a_wrong_row_that_has_gone_again_is_none(large: Lake) -> None:
    """The feed has it all the same: then all rows are looked at."""
    before = large.rows("describe history stage.events limit 1")[0][0]
    large.rows("update stage.events set action = null where hour(event_at) = 3")
    large.rows(f"restore table stage.events to version as of {before}")
    assert checked(large)[0].success


def test_what_the_feed_cannot_tell_is_tested_on_all_rows(large: Lake) -> None:
    """A table made anew, and one without a feed."""
    for statement in (
        "create or replace table stage.events using delta tblproperties ('delta.enableChangeDataFeed' = 'true')"
        " as select * from stage.events",
        "alter table stage.events set tblproperties ('delta.enableChangeDataFeed' = 'false')",
    ):
        table = next(word for word in statement.split() if "." in word)
        before = large.rows(f"describe history {table} limit 1")[0][0]
        large.rows(statement)
        run, _ = checked(large)
        assert run.success, run.said
        assert of_changes(run) == 0
        large.rows(f"restore table {table} to version as of {before}")
        assert checked(large)[0].success


def test_of_a_small_table_all_rows_are_tested(large: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unchanged, "LARGE_BYTES", 1 << 60)
    large.rows("update stage.events set path = path where hour(event_at) = 3")
    run, _ = checked(large)
    assert run.success, run.said
    assert of_changes(run) == 0


def test_a_table_made_anew_is_tested(lake: Lake) -> None:
    checked(lake)
    lake.rows("create or replace table mart.action_totals using delta as select * from mart.action_totals limit 0")
    run, _ = checked(lake)
    assert not run.success
    assert lake.run("--select", "action_totals").success
    assert checked(lake)[0].success


def test_stored_failures_are_made(lake: Lake) -> None:
    """Somebody wants the tables of `--store-failures`, whatever has passed."""
    checked(lake)
    run, spared = checked(lake, "--store-failures", "--select", "unique_action_windows_window_start")
    assert (run.success, spared) == (True, 0)


def test_what_a_test_reads_is_what_dbt_knows_of_it(lake: Lake) -> None:
    """A table that a test's SQL names without ref() could change, and the test not be run."""
    assert lake.dbt("compile").success
    manifest = json.loads((lake.folder / "target" / "manifest.json").read_text())
    nodes = manifest["nodes"]

    def above(unique_id: str) -> set[str]:
        direct = nodes[unique_id]["depends_on"].get("nodes", []) if unique_id in nodes else []
        return set(direct).union(*(above(one) for one in direct))

    named = 0
    for test in (node for node in nodes.values() if node["resource_type"] == "test"):
        code = (Path(places.ROOT) / test["compiled_path"]).read_text()
        for unique_id, node in nodes.items():
            if node["resource_type"] in ("model", "snapshot", "seed") and re.search(
                rf"\b{node['schema']}`?\.`?{node['alias']}\b", code
            ):
                named += 1
                assert unique_id in above(test["unique_id"]), f"{test['name']} reads {unique_id}"
    assert named > 60


# --- tables -----------------------------------------------------------------------------------------------------------

MADE = "mart.action_totals"


def made(lake: Lake) -> list[str]:
    """Return what made the versions of a table, newest first."""
    return [row[4] for row in lake.rows(f"describe history {MADE}")]


def test_a_table_is_made_anew_when_what_it_reads_or_it_itself_is_another(lake: Lake) -> None:
    assert lake.run("--select", "action_totals").success
    before = made(lake)
    assert lake.run("--select", "action_totals").success
    assert made(lake) == before
    assert lake.run("--select", "action_totals", "--full-refresh").success
    assert len(made(lake)) == len(before) + 1
    lake.rows(f"update {MADE} set event_count = 0")
    assert lake.run("--select", "action_totals").success
    assert lake.rows(f"select event_count from {MADE}") == [(24,)]
    lake.rows(f"restore table {MADE} to version as of 0")
    assert lake.run("--select", "action_totals").success
    assert made(lake)[1] == "RESTORE"
    lake.rows("update mart.action_windows set total_count = 7 where total_count = 1")
    assert lake.run("--select", "action_totals").success
    assert lake.rows(f"select event_count > 24 from {MADE}") == [(True,)]
    assert lake.run("--full-refresh", "--select", "action_windows+").success
    assert lake.rows(f"select event_count from {MADE}") == [(24,)]
    lake.rows(f"drop table {MADE}")
    assert lake.run("--select", "action_totals").success
    assert lake.rows(f"select event_count from {MADE}") == [(24,)]


UNIT_TESTS = (
    "the_totals_average_over_quiet_windows_too",
    "of_windows_with_equally_many_opens_the_earlier_ranks_first",
)


def test_a_unit_test_that_has_passed_is_run_again_when_it_is_another(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unit_tested(**variables) -> tuple[bool, int]:
        run = lake.dbt("test", "--select", *UNIT_TESTS, **variables)
        assert set(UNIT_TESTS) <= set(run.nodes)
        found = [match for line in run.said if (match := SPARED.search(line))]
        return run.success, int(found[0][1]) if found else 0

    assert unit_tested() == (True, 0)
    assert unit_tested() == (True, 2)
    assert unit_tested(test_everything=True) == (True, 0)
    parsed = Lake.parsed

    def expecting_another_row(self: Lake, variables: dict) -> Manifest:
        manifest = parsed(self, variables)
        [ranked] = [one for one in manifest.unit_tests.values() if one.name == UNIT_TESTS[1]]
        ranked.expect.rows[0]["rank"] += 100
        return manifest

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "parsed", expecting_another_row)
        assert [unit_tested() for _ in range(2)] == [(False, 1)] * 2
    assert unit_tested() == (True, 2)


def test_a_seed_is_made_anew_when_its_rows_or_it_itself_are_others(lake: Lake) -> None:
    def newest() -> int:
        return lake.rows("describe history stage.accepted_actions limit 1")[0][0]

    def seed() -> None:
        run = lake.dbt("seed")
        assert run.success, run.said

    before = newest()
    seed()
    assert newest() == before
    lake.rows("delete from stage.accepted_actions where action = 'Open'")
    seed()
    assert newest() == before + 2
    assert lake.rows("select action from stage.accepted_actions order by 1") == [("Close",), ("Open",)]
    seed()
    assert newest() == before + 2
    assert lake.dbt("seed", "--full-refresh").success
    assert newest() == before + 3


def test_a_build_with_nothing_new_asks_nothing_again(lake: Lake) -> None:
    """Of all sources and tables, those made of views among them. What it asks, or tests, it would write down."""
    own = replace(lake, subject=None, prefix="nothing_new", landing_name="nothing new")
    for write in samples.SAMPLES.values():
        write(own.landing)
    assert own.make(history="catch-up").success
    assert own.build().success
    file = places.lake() / "unchanged.json"
    before = file.stat().st_mtime_ns
    run = own.build()
    assert run.success, run.said
    assert file.stat().st_mtime_ns == before
    # Each question has another answer by now: a file, a day, a row that somebody took away.
    own.land("more.csv", EVENTS.replace("01-05", "01-09"))
    own.land("2023/07/23/purchases.csv", "PurchaseID,product,user,date\n", source="purchases")
    own.rows("delete from raw.loaded_files where path like '%sensors.jsonl.gz'")
    run = own.build(allow_empty_snapshot={"purchases": True})
    assert run.success, run.said
    assert own.rows("select count(*) from stage.events where path like '%more.csv'") == [(24,)]
    assert own.rows("select count(*) from stage.purchases where valid_to is null") == [(0,)]
    assert own.rows("select count(*) from raw.loaded_files where path like '%sensors.jsonl.gz'") == [(1,)]


def test_a_view_is_made_anew_when_it_or_what_it_reads_has_other_columns_or_somebody_changed_it(lake: Lake) -> None:
    own = replace(lake, subject="purchases", prefix="views", landing_name="views landing")
    own.land("2023/07/21/a.csv", "PurchaseID,product,user,date\n1002313003,12,1003431,2022-05-20\n", source="purchases")
    view = "mart.current_purchases"

    def is_made() -> bool:
        run = own.build()
        assert run.success, run.said
        assert "valid_to is null" in own.rows(f"show create table {view}")[0][0]
        (told,) = [line for line in run.said if f"{own.schema('mart')}.current_purchases ." in line and " OK " in line]
        return "nothing changed" not in told

    assert is_made()
    assert not is_made()
    for statement in (
        f"create or replace view {view} as select 1000000001 as purchase_id",
        f"alter view {view} as select 1000000001 as purchase_id",
        "alter table stage.purchases add column (shop string)",
    ):
        own.rows(statement)
        assert is_made(), statement
        assert not is_made(), statement


def test_what_is_only_listed_is_seen(lake: Lake) -> None:
    """ops.landed_files reads, beside tables, the listings of what has landed."""
    assert lake.run("--select", "+landed_files").success
    versions = len(lake.rows("describe history ops.landed_files"))
    assert lake.run("--select", "landed_files").success
    assert len(lake.rows("describe history ops.landed_files")) == versions
    lake.land("notes.txt", "no source's")
    assert lake.run("--select", "landed_files").success
    assert ("events/notes.txt",) in lake.rows("select path from ops.landed_files where status = 'ignored'")


# --- digests, and the file --------------------------------------------------------------------------------------------

READS = {"model.strata.one": "1 of a"}


def digest(sql: str = "select 1", reads: dict[str, str] = READS, is_of_tables: bool = True) -> str | None:
    return unchanged.digest(sql, reads, is_of_tables=is_of_tables)


def test_a_digest_is_of_the_query_and_all_that_it_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATA_LAKE", str(tmp_path))
    unchanged.begin()
    listing = tmp_path / "intake" / "ignored" / "events.jsonl"
    listing.parent.mkdir(parents=True)
    listing.write_text("{}")
    of_listing = f"select * from text.`{tmp_path}/intake/ignored`"
    different = [
        digest(), digest("select 2"), digest(reads={"model.strata.one": "2 of b"}), digest(reads={}), digest(of_listing)
    ]  # fmt: skip
    assert len(set(different)) == len(different)
    assert digest() == digest()
    before = digest(of_listing), digest(reads={"a view": of_listing}, is_of_tables=False)
    assert None not in before
    listing.write_text("{ }")
    # A command takes its listings once.
    assert digest(of_listing) == before[0]
    unchanged.begin()
    after = digest(of_listing), digest(reads={"a view": of_listing}, is_of_tables=False)
    assert not set(before) & set(after)


def test_what_is_not_all_told_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATA_LAKE", str(tmp_path))
    unchanged.begin()
    for moving in ("current_date", "now()", "CURRENT_TIMESTAMP()", "rand(1)", "unix_timestamp()", "uuid()"):
        assert digest(f"select {moving}") is None
        assert digest(reads={"a view": f"create view v as select {moving}"}) is None
    assert digest("select * from csv.`/elsewhere`", is_of_tables=False) is None
    assert digest(f"select * from text.`{tmp_path}/intake/x`") is None, "no listing can be read"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a lake in which a test has passed."""
    monkeypatch.setenv("STRATA_LAKE", str(tmp_path))
    unchanged.begin()
    assert not unchanged.has_passed("a test", "1")
    unchanged.note_passed("a test", "1")
    assert unchanged.keep_passed() == ""
    unchanged.begin()
    return tmp_path / "unchanged.json"


def test_a_test_has_passed_on_the_digest_that_was_noted(kept: Path) -> None:
    assert unchanged.has_passed("a test", "1")
    assert not unchanged.has_passed("a test", "2")
    assert not unchanged.has_passed("a test", "")
    assert not unchanged.has_passed("another", "1")
    assert unchanged.spared().startswith("1 tests had passed and read nothing that has changed")


def test_an_answer_is_kept_for_the_digest_that_was_noted(kept: Path) -> None:
    unchanged.note_answer("what", "1", [["a", Decimal("2"), Decimal("0.5"), None, True]])
    unchanged.note_answer("none", "1", [])
    unchanged.note_answer("much", "1", [["a"]] * (unchanged.LONGEST_ANSWER + 1))
    assert unchanged.keep_passed() == ""
    unchanged.begin()
    assert unchanged.known_answer("what", "1") == [["a", 2, 0.5, None, True]]
    assert unchanged.known_answer("none", "1") == []
    assert unchanged.known_answer("what", "2") is None
    assert unchanged.known_answer("much", "1") is None
    assert unchanged.known_answer("a test", "1") is None
    assert not unchanged.spared(), "a question is no test"


def test_a_pass_is_forgotten_in_time(kept: Path) -> None:
    passed = json.loads(kept.read_text())
    for days, has_passed in ((29, True), (31, False)):
        for one in passed.values():
            one["passed_at"] = (datetime.now(UTC) - timedelta(days=days)).isoformat()
        kept.write_text(json.dumps(passed))
        unchanged.begin()
        assert unchanged.has_passed("a test", "1") is has_passed
    unchanged.note_passed("another", "1")
    assert unchanged.keep_passed() == ""
    assert set(json.loads(kept.read_text())) == {"another"}


def test_the_file_is_written_when_there_is_news(kept: Path) -> None:
    kept.write_text(kept.read_text() + " ")
    unchanged.has_passed("a test", "1")
    assert unchanged.keep_passed() == ""
    assert kept.read_text().endswith(" "), "it is left alone"
    unchanged.note_passed("a test", "2")
    assert unchanged.keep_passed() == ""
    assert not kept.read_text().endswith(" ")


@pytest.mark.parametrize("content", ["", "{", "[]", "7", '{"a": 1}', '{"a": {}}', '{"a": {"passed_at": 7}}'])
def test_a_file_that_is_none_has_everything_tested(kept: Path, content: str) -> None:
    kept.write_text(content)
    assert not unchanged.has_passed("a test", "1")
    unchanged.note_passed("a test", "1")
    assert unchanged.keep_passed() == ""
    unchanged.begin()
    assert unchanged.has_passed("a test", "1")


def test_a_file_that_cannot_be_written_is_said(kept: Path) -> None:
    assert unchanged.has_passed("a test", "1")
    unchanged.note_passed("another", "1")
    kept.unlink()
    kept.mkdir()
    (kept / "one").touch()
    said = r".*/unchanged\.json cannot be written \(.+\), so that the next run tests all again\."
    assert re.fullmatch(said, unchanged.keep_passed())


def test_the_file_is_not_written_to_a_store_that_was_given_up(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each try would wait for it once more."""
    before = kept.read_text()
    unchanged.note_passed("another", "1")
    monkeypatch.setattr(Locks, "are_lost", True)
    assert unchanged.keep_passed() == ""
    assert kept.read_text() == before
    monkeypatch.setattr(Locks, "are_lost", False)
    assert unchanged.keep_passed() == ""
    assert kept.read_text() != before
