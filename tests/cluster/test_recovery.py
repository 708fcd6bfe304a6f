"""On a cluster runs are recorded in the store, each commit bears its run, and a rollback takes all tables back."""

from __future__ import annotations

import contextlib
import json
import os
from unittest import mock

import pytest

from conftest import Client, land_events
from strata import lake, places, record, rollback, storage
from strata.environment import changed_environment

# What follows one raw table to a mart, by threads with sessions of their own.
SELECTED = ("--select", "accepted_actions", "raw_events", "events_files", "stage_events", "actions_per_minute")
TABLES = ("raw.events", "stage.events", "stage.events_files", "mart.actions_per_minute")


def runs(client: Client) -> list[dict]:
    with mock.patch.dict(os.environ, client.environment, clear=True), contextlib.chdir(places.ROOT):
        return record.newest()


@pytest.fixture(scope="module")
def recovered(cluster, tmp_path_factory) -> Client:
    """A lake with the raw table alone after its first run, and with all after its second, of one more file."""
    client = Client("recovery", tmp_path_factory.mktemp("recovery"), cluster)
    land_events(client, "first", 0)
    client.make("--select", "raw_events")
    land_events(client, "second", 1)
    client.make(*SELECTED)
    return client


def test_each_commit_of_a_run_bears_it_whatever_thread_made_it(recovered: Client, sql) -> None:
    run = runs(recovered)[0]
    assert (run["status"], run["target"], run["user_name"]) == ("success", "cluster", "strata")
    assert run["sources"] == ["events"]
    told = {f"{one['schema_name']}.{one['table_name']}": one["version"] for one in run["tables"]}
    for table in TABLES:
        name = recovered.table(table)
        newest = sql(f"describe history {name} limit 1")[0]
        assert newest[0] == told[name]
        assert run["run_id"] in newest, table


def test_the_record_is_read_as_tables_there(recovered: Client, sql) -> None:
    recovered.make("--select", "runs", "table_versions")
    shown = sql(f"select command, status from {recovered.table('ops.runs')} order by started_at desc limit 1")
    assert shown == [("dbt build --select runs table_versions --exclude-resource-type unit_test test", "success")]
    assert sql(f"select count(*) > 4 from {recovered.table('ops.table_versions')}")[0][0]


def test_a_run_that_was_killed_is_called_so_by_the_next(recovered: Client) -> None:
    land_events(recovered, "third", 2)
    process = recovered.start("dbt", "run", *SELECTED)
    with changed_environment(**recovered.environment):
        while not record.running():
            assert process.poll() is None
    process.kill()
    process.communicate()
    assert runs(recovered)[0]["status"] == "killed"
    recovered.make(*SELECTED)
    assert [run["status"] for run in runs(recovered)][:2] == ["success", "killed"]
    with changed_environment(**recovered.environment):
        assert record.running() == []


def test_all_tables_go_back_together_and_forward_again(recovered: Client, sql) -> None:
    land_events(recovered, "fourth", 3)
    recovered.make(*SELECTED)
    held = {table: sql(f"select count(*) from {recovered.table(table)}") for table in TABLES}
    first = runs(recovered)[-1]["run_id"]
    done = recovered.run("strata", "rollback", "--to", first, "--yes")
    assert done.code == 0, done.said
    back = runs(recovered)[0]
    assert back["command"] == f"strata rollback --to {first}"
    assert sql(f"select count(*) from {recovered.table('raw.events')}") == [(24,)]
    schema, name = recovered.table("stage.events").split(".")
    there = {row[1] for row in sql(f"show tables in {schema}")}
    assert name not in there
    aside = f"{name}{rollback.ASIDE}{back['run_id'][:8]}"
    assert aside in there
    assert sql(f"select count(*) from {schema}.{aside}") == held["stage.events"]
    # Tables of the same names are made, and make way for those that come back.
    recovered.make(*SELECTED)
    assert {table: sql(f"select count(*) from {recovered.table(table)}") for table in TABLES} == held
    done = recovered.run("strata", "rollback", "--before", back["run_id"], "--yes")
    assert done.code == 0, done.said
    assert {table: sql(f"select count(*) from {recovered.table(table)}") for table in TABLES} == held


def found(client: Client) -> list[str]:
    """Return what the doctor finds amiss there."""
    said = client.run("strata", "doctor", "--json").said
    return [one["finding"] for one in json.loads(said[said.index("[") :])]


def test_what_is_amiss_in_the_store_is_found_and_mended(recovered: Client) -> None:
    recovered.make(*SELECTED)
    assert found(recovered) == []
    with changed_environment(**recovered.environment):
        marts = lake.folder_of(places.lake(), *recovered.table("mart.actions_per_minute").split("."))
        raw = lake.folder_of(places.lake(), *recovered.table("raw.events").split("."))
        storage.remove_folder(marts)
        with storage.create(raw / "_delta_log" / "_last_checkpoint") as file:
            file.write(b'{"version": 7, "size": 1}')
    name = recovered.table("mart.actions_per_minute")
    said = found(recovered)
    assert f"a checkpoint of {recovered.table('raw.events')} is gone, which its log names" in said
    assert f"the metastore knows {name}, of which no version is in the lake" in said
    done = recovered.run("strata", "repair", "--yes")
    # A table that is gone, which the next build makes anew.
    assert done.code == 1, done.said
    assert "This is left to you" in done.said
    recovered.make(*SELECTED)
    assert found(recovered) == []


def test_maintenance_cleans_the_store_of_what_nobody_needs(recovered: Client, sql) -> None:
    held = sql(f"select count(*) from {recovered.table('stage.events')}")
    done = recovered.run("strata", "maintain")
    assert done.code == 0, done.said
    assert "cleaned of what no rollback of 30 days needs" in done.said
    assert sql(f"select count(*) from {recovered.table('stage.events')}") == held
    assert found(recovered) == []
