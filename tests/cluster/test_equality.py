"""The same files through this machine and through a cluster give the same rows in every table."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import pytest

from conftest import LAYERS, Client
from strata import places, storage
from strata.dbt_run import of_subject
from strata.environment import changed_environment

# When a run was, and not what it did.
OF_THE_RUN = ("loaded_at", "noted_at", "noticed_at", "taken_at")
# One row of each kind that is not valid, and names whose signs mean something to Spark, Hadoop or a store.
EVENTS = "time,action\nno time,Open\n" + "".join(
    f"2026-01-05T{hour:02}:{minute:02}:00Z,{'Open' if minute % 3 else 'Close'}\n"
    for hour in range(24)
    for minute in range(0, 60, 7)
)
MORE = "time,action\n2026-01-05T09:59:00Z,Open\n2026-01-06T00:00:00Z,Close\n"
PURCHASES = "PurchaseID,product,user,date\n"
FIRST = {
    "events/2026/01/05/a.csv": EVENTS,
    "events/2026/01/05/b c+d%20.csv": "action,time\nOpen,2026-01-05T10:01:00Z\n",
    "events/2026/01/05/{e}[f]*?, .csv": "time,action,note\n2026-01-05T10:02:00Z,Open,ä\n",
    "events/2026/01/05/co:lon.csv": "time,action\n2026-01-05T10:03:00Z,Open\n",
    "events/2026/01/05/bad.csv": "time\n2026-01-05T10:01:00Z\n",
    "events/2026/01/05/quoted.csv": 'time,action,note\n2026-01-05T10:04:00Z,Open,"two\nlines"\n',
    "purchases/2026/01/05/p.csv": PURCHASES + "0000000001,11,1000001,2026-01-02\n0000000002,12,1000002,2026-01-03\n",
    "fleet_sensors/2026/01/05/s.jsonl": "".join(
        json.dumps({"truck_id": f"t{number}", "recorded_at": f"2026-01-05T10:{number:02}:00Z", "speed": number + 0.5})
        + "\n"
        for number in range(40)
    )
    + "no line\n",
}
SECOND = {
    # late, corrected, and with new columns
    "events/2026/01/06/late.csv": MORE,
    "events/2026/01/05/b c+d%20.csv": "action,time\nClose,2026-01-05T10:01:00Z\n",
    "purchases/2026/01/06/p.csv": PURCHASES + "0000000001,13,1000001,2026-01-06\n0000000002,12,1000002,2026-01-03\n",
    "purchases/2026/01/07/p.csv": PURCHASES + "0000000001,13,1000001,2026-01-06\n0000000003,12,1000002,2026-01-07\n",
    "purchases/2026/01/08/p.csv": PURCHASES + "0000000001,14,1000001,2026-01-08\n0000000003,12,1000002,2026-01-07\n",
    "fleet_sensors/2026/01/06/s.jsonl": (
        '{"truck_id": "t1", "recorded_at": "2026-01-06T10:00:00Z", "Öl/°C": 98.5, "speed": 3}\n'
    ),
}
THIRD = {
    "purchases/2026/01/06/p.csv": PURCHASES + "0000000001,15,1000001,2026-01-06\n0000000002,12,1000002,2026-01-03\n"
}
# What lands, the command, and how it ends: with 1 where a file is refused.
STEPS = [
    (FIRST, ["dbt", "build", "--exclude-resource-type", "unit_test", "test"], 1),
    (SECOND, ["dbt", "snapshot"], 0),
    ({}, ["strata", "catch-up"], 0),
    (THIRD, ["strata", "replay", "--from", "2026-01-06"], 0),
    ({}, ["strata", "rebuild"], 0),
    ({}, ["dbt", "build", "--exclude-resource-type", "unit_test", "test"], 1),
]
QUERIES = (
    "select * from {{ ref('current_purchases') }} order by 1",
    "select * from {{ valid_as_of(ref('purchases'), '2026-01-05') }} order by 1",
    "select * from {{ recorded_as_of(ref('purchases'), '2026-01-07') }} order by 1, version",
    "select source, landed_on, row_count, content from {{ ref('deliveries') }} order by 1, 2",
)
REFUSED = "The file events/2026/01/05/bad.csv was refused: the column action is missing (it has time)"


def shown(client: Client, query: str) -> list[dict]:
    """Return the rows that dbt show prints of a query."""
    done = client.run("dbt", "--quiet", "show", "--output", "json", "--inline", query)
    assert done.code == 0, done.said
    return json.loads(done.said[done.said.index("{") :])["show"]


@dataclass
class Both:
    """The client of the cluster and the one of this machine, and queries of people with the rows that each gave."""

    there: Client
    here: Client
    shown: list[tuple[str, list, list]]


@pytest.fixture(scope="module")
def both(cluster, tmp_path_factory) -> Iterator[Both]:
    """A lake on the cluster and one of this machine, after the same steps, side by side."""
    there = Client("equal", tmp_path_factory.mktemp("there"), cluster)
    here = Client("here", tmp_path_factory.mktemp("here"))
    # A process of its own holds the lake here, with one Spark for all steps.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        for files, command, code in STEPS:
            for name, content in files.items():
                there.land(name, content)
                here.land(name, content)
                modified_ns = there.modified_ns(name)
                os.utime(f"{here.landing}/{name}", ns=(modified_ns, modified_ns))
            beside = pool.submit(here.run, *command)
            for one, done in ((there, there.run(*command)), (here, beside.result())):
                assert done.code == code, f"{one.name}: {command}: {done.said}"
                assert (REFUSED in done.said) == bool(code), f"{one.name}: {command}: {done.said}"
        shown_here = [pool.submit(shown, here, query) for query in QUERIES]
        shown_there = [shown(there, query) for query in QUERIES]
        yield Both(there, here, list(zip(QUERIES, shown_there, [one.result() for one in shown_here], strict=True)))


def compare(sql, here: Client, there: Client) -> None:
    """Hold each table of the lake of this machine against that on the cluster, row for row."""
    compared = 0
    for layer in LAYERS:
        for folder in sorted((here.folder / "lake" / "warehouse" / f"{layer}.db").iterdir()):
            name = f"{layer}.{folder.name}"
            columns = [
                row[0] for row in sql(f"describe table {there.table(name)}") if row[0] and not row[0].startswith("#")
            ]
            shown = ", ".join(f"`{column}`" for column in dict.fromkeys(columns) if column not in OF_THE_RUN)
            one, other = (f"select to_json(struct({shown})) as r from {client.table(name)}" for client in (here, there))
            differing = sql(f"({one} except all {other}) union all ({other} except all {one})")
            assert not differing, f"{name}: {differing[:4]}"
            compared += sql(f"select count(*) from {there.table(name)}")[0][0] > 0
    assert compared >= 15


def test_every_table_has_the_same_rows(both, sql):
    compare(sql, both.here, both.there)


def test_every_data_test_passes_there(both):
    done = both.there.run("dbt", "test", "--exclude-resource-type", "unit_test")
    assert done.code == 0, done.said
    tests = [status for name, status in done.nodes.items() if not name.startswith("strata-on-run")]
    assert set(tests) == {"pass"}
    assert len(tests) > 60


def test_a_lake_that_moves_to_a_cluster_goes_on_there(both, cluster, sql, tmp_path):
    """As docs/cluster.md has it: copied, registered, and nothing that was loaded is loaded again."""
    here = both.here
    moved = Client("moved", tmp_path, cluster, prefix="")
    for name in ("warehouse", "intake"):
        for path in (here.folder / "lake" / name).rglob("*"):
            if path.is_file() and not path.is_symlink():
                address = f"{moved.lake}/{path.relative_to(here.folder / 'lake')}"
                with changed_environment(**cluster), storage.create(places.at(address)) as copy:
                    copy.write(path.read_bytes())
    for name, content in {**FIRST, **SECOND, **THIRD}.items():
        moved.land(name, content)

    def newest_versions(client: Client) -> list:
        tables = ("raw.events", "raw.purchases", "raw.fleet_sensors", "raw.loaded_files", "stage.purchases")
        return [sql(f"describe history {client.table(table)} limit 1")[0][0] for table in tables]

    done = moved.run("dbt", "build", "--exclude-resource-type", "unit_test", "test")
    assert REFUSED in done.said, done.said
    assert "The metastore did not know the table stage.purchases, which lies in the lake" in done.said, done.said
    assert newest_versions(moved) == newest_versions(here)
    compare(sql, here, moved)
    moved.land("events/2026/01/07/new.csv", "time,action\n2026-01-07T10:00:00Z,Open\n")
    done = moved.run("dbt", "run", "--select", *of_subject("events"))
    assert "The metastore did not know" not in done.said
    assert sql("select count(*) from stage.events where event_at >= timestamp'2026-01-07'") == [(1,)]


def test_a_query_of_people_gives_the_same_rows(both):
    for query, rows, rows_here in both.shown:
        assert rows == rows_here, query
        assert rows, query


def test_time_travel_shows_a_history_as_it_was(both):
    there = both.there
    rows_at = ("run-operation", "rows_at", "--args", f"{{table: {there.name}_stage.purchases, version: 1}}")
    done = there.end(there.start("dbt", "--quiet", *rows_at))
    assert done.code == 0, done.said
    assert "2026-01-02" in done.said
    assert "2026-01-08" not in done.said


def test_docs_are_generated_without_waiting(both):
    there = both.there
    done = there.run("dbt", "docs", "generate")
    assert done.code == 0, done.said
    catalog = json.loads((there.folder / "target" / "catalog.json").read_text())
    assert "stage.purchases" in {
        f"{node['metadata']['schema']}.{node['metadata']['name']}".removeprefix("equal_")
        for node in catalog["nodes"].values()
    }


def test_nothing_of_the_embedded_session_is_loaded(both):
    there = both.there
    versions = ("run-operation", "versions", "--args", f"{{table: {there.name}_stage.purchases}}")
    done = there.end(there.start("dbt", "--quiet", *versions, JAVA_HOME="/nowhere", PATH="/nowhere"))
    assert done.code == 0, done.said
    assert not (there.folder / "lake").exists()
