"""What is read of a Delta table's log is what Spark tells of it."""

from __future__ import annotations

import json
import shutil
import time

import pytest

from conftest import Lake
from strata import delta_log
from strata.errors import StrataError

MADE = "create table stage.logged (n int) using delta tblproperties ('strata.one' = '1')"


@pytest.fixture
def table(lake: Lake):
    """A table with four commits: made, written, described anew, written."""
    lake.rows("create schema if not exists stage")
    lake.rows(MADE)
    lake.rows("insert into stage.logged values (1)")
    lake.rows("alter table stage.logged set tblproperties ('strata.two' = 'it''s \"2\"')")
    lake.rows("insert into stage.logged values (2)")
    lake.enter()
    log = lake.folder / "lake" / "warehouse" / "stage.db" / "logged" / "_delta_log"
    yield log
    lake.rows("drop table if exists stage.logged")
    shutil.rmtree(log.parent, ignore_errors=True)


def marks(log) -> list[str]:
    """Return the marks of all commits of a log, newest first, from its files alone."""
    infos = [json.loads(file.read_text().splitlines()[0])["commitInfo"] for file in sorted(log.glob("*.json"))]
    return [f"{version} of {info['txnId']}" for version, info in enumerate(infos)][::-1]


def test_the_newest_commits_are_those_that_spark_tells(lake, table):
    told = [(row[0], row[4]) for row in lake.rows("describe history stage.logged")]
    commits = delta_log.commits_since("stage", "logged", marks(table)[-1])
    assert [(int(one["version"]), one["operation"]) for one in commits] == told[:3]
    assert delta_log.newest("stage", "logged") == commits[0]
    assert not any(one["is_made_anew"] or one["is_old"] or one["is_day_old"] for one in commits)


def test_the_properties_are_those_that_spark_tells(lake, table):
    told = dict(lake.rows("show tblproperties stage.logged"))
    found = delta_log.properties("stage", "logged")
    assert found["strata.two"] == told["strata.two"] == 'it\'s "2"'
    assert found.items() <= told.items()


def test_other_columns_are_told_by_another_text(lake, table):
    before = delta_log.columns("stage", "logged")
    lake.rows("insert into stage.logged values (3)")
    assert delta_log.columns("stage", "logged") == before
    lake.rows("alter table stage.logged add column (m string)")
    after = delta_log.columns("stage", "logged")
    assert after != before
    assert json.loads(after)["fields"][1]["name"] == "m"
    for checksum in ("{", "[]", "{}", '{"metadata": 7}'):
        newest = max(table.glob("*.crc"))
        newest.write_text(checksum)
        assert delta_log.columns("stage", "logged") is None
        assert delta_log.stored_bytes("stage", "logged") is None


def test_what_is_made_anew_and_what_is_old_is_told(lake, table, monkeypatch):
    before = delta_log.newest("stage", "logged")["mark"]
    lake.rows("create or replace table stage.logged (n int) using delta")
    [commit] = delta_log.commits_since("stage", "logged", before)
    assert commit["is_made_anew"]
    now = time.time()
    for days, is_day_old, is_old in [(2, True, False), (7, True, True)]:
        monkeypatch.setattr(delta_log.time, "time", lambda days=days: now + days * 86400)
        commit = delta_log.newest("stage", "logged")
        assert (commit["is_day_old"], commit["is_old"]) == (is_day_old, is_old)


def test_a_mark_of_another_table_or_of_none_tells_nothing(lake, table):
    newest = delta_log.newest("stage", "logged")["mark"]
    assert delta_log.commits_since("stage", "logged", newest) == []
    for other in (None, "", "x", "3 of another", "99 of another", f"1{newest}"):
        assert delta_log.commits_since("stage", "logged", other) is None, other
    lake.rows("drop table stage.logged")
    lake.rows(MADE)
    assert delta_log.commits_since("stage", "logged", newest) is None


def test_commits_that_have_left_the_log_are_missed_only_where_they_count(lake, table):
    third, second, *_ = marks(table)
    (table / f"{2:020}.json").unlink()
    assert delta_log.commits_since("stage", "logged", third) == []
    assert len(delta_log.commits_since("stage", "logged", second)) == 1, "the mark's own commit has left"
    assert delta_log.commits_since("stage", "logged", "1 of any") is None


def test_properties_that_no_commit_near_tells_are_asked_of_spark(lake, table):
    for number in range(3, 3 + delta_log._READ_BACK):
        lake.rows(f"insert into stage.logged values ({number})")
    assert delta_log.properties("stage", "logged") is None


def test_where_the_lake_has_no_logs_the_engine_tells_the_same(lake, table):
    """A catalog of Databricks puts tables where it likes: the macros for it, on this engine."""

    def told(call: str) -> object:
        relation = "api.Relation.create(schema='stage', identifier='logged')"
        asked = f"{{{{ exceptions.raise_compiler_error('told ' ~ tojson({call.replace('RELATION', relation)})) }}}}"
        run = lake.dbt("compile", "--inline", f"{{% if execute %}}{asked}{{% endif %}}")
        return json.loads(run.sentence("told ").split("told ", 1)[1])

    history = told("_told_history(RELATION, 9)")
    read = delta_log.commits_since("stage", "logged", marks(table)[-1])
    # What macros ask for; each tells a commit from others in its own way.
    for name in ("version", "operation", "is_made_anew", "is_old", "is_day_old"):
        assert [one[name] for one in history[:3]] == [one[name] for one in read]
    assert told("databricks__newest_version(RELATION)") == history[0]
    for number in range(4):
        assert told(f"databricks__commits_since(RELATION, '{history[number]['mark']}')") == history[:number]
    for other in ("", "x", "1 of another", "99 of another", f"1{history[0]['mark']}"):
        assert told(f"databricks__commits_since(RELATION, '{other}')") is None, other


def test_a_table_without_a_log_in_the_lake_is_named(lake, table):
    lake.rows("drop table stage.logged")
    shutil.rmtree(table, ignore_errors=True)
    with pytest.raises(StrataError, match=r"The table stage\.logged has no commit in .*/logged/_delta_log: see"):
        delta_log.newest("stage", "logged")
    table.mkdir(parents=True)
    with pytest.raises(StrataError, match=r"The table stage\.logged has no commit"):
        delta_log.properties("stage", "logged")


@pytest.mark.parametrize(
    ("cut", "said"),
    [(lambda _text: "", "empty"), (lambda text: text[:9], "torn"), (lambda text: text.rstrip()[:-1], "torn")],
    ids=["nothing", "first line", "last line"],
)
def test_a_newest_commit_that_ends_too_early_is_refused(lake, table, cut, said):
    newest = max(table.glob("*.json"))
    delta_log.check_newest([("stage", "logged")])
    newest.write_text(cut(newest.read_text()))
    with pytest.raises(StrataError, match=f"{newest} is {said}: 'strata doctor'"):
        delta_log.check_newest([("stage", "logged")])
