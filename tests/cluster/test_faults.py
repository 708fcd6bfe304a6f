"""What dies in the middle, and who comes at the same time: rows as if nothing had been, or a sentence that says why."""

from __future__ import annotations

import threading
import time

import pytest

from conftest import Client, control, end_part, made, process_of, until
from strata.dbt_run import of_subject

FIRST = "time,action\n" + "".join(f"2026-01-05T{hour:02}:00:00Z,Open\n" for hour in range(24))
LATE = "time,action\n" + "".join(f"2026-01-05T{hour:02}:05:00Z,Close\n" for hour in range(24))
PURCHASES = "PurchaseID,product,user,date\n0000000001,11,1000001,2026-01-02\n"
EVENTS = ("--select", *of_subject("events"))


def counted(sql, client: Client) -> tuple[int, int]:
    """Return how many opens and closes the mart tells."""
    [(opens, closes)] = sql(f"select sum(open_count), sum(close_count) from {client.table('mart.action_windows')}")
    return int(opens), int(closes)


def when_locked(sql, client: Client, source: str = "events") -> None:
    """Wait until a run works on a source."""
    until(lambda: sql(f"select * from {client.table('ops.locks')} where source = '{source}' and owner is not null"))


@pytest.fixture
def built(client, sql) -> Client:
    """Return a client whose first file of events is in the mart, and whose late one has landed."""
    client.land("events/2026/01/05/a.csv", FIRST)
    client.make(*EVENTS)
    assert counted(sql, client) == (24, 0)
    client.land("events/2026/01/06/late.csv", LATE)
    return client


def test_of_one_pipeline_the_second_client_is_told_and_of_another_it_works(built, sql, tmp_path):
    built.land("purchases/2026/01/05/p.csv", PURCHASES)
    first = built.start("dbt", "--no-use-colors", "run", *EVENTS)
    when_locked(sql, built)
    same, other = (Client(built.name, tmp_path / name, built.cluster) for name in ("same", "other"))
    another = other.start(
        "dbt", "build", "--select", "fqn:strata.*.purchases.*", "--exclude-resource-type", "test", "unit_test"
    )
    told = same.run("dbt", "run", *EVENTS)
    assert told.code == 2
    assert "Another run works on events: process" in told.said
    shown = same.run(
        "dbt", "--quiet", "show", "--inline", "select sum(open_count) as n from {{ ref('action_windows') }}"
    )
    assert "24" in shown.said, "who only reads waits for nobody"
    done, of_another = built.end(first), other.end(another)
    assert done.code == 0, done.said
    assert of_another.code == 0, of_another.said
    assert counted(sql, built) == (24, 24)
    assert same.run("dbt", "run", *EVENTS).code == 0, "the lock is left at the end"


def test_readers_see_whole_versions(built, sql):
    seen = set()
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            seen.add(counted(sql, built))

    readers = [threading.Thread(target=read) for _ in range(10)]
    for reader in readers:
        reader.start()
    done = built.run("dbt", "run", *EVENTS)
    ended.set()
    for reader in readers:
        reader.join()
    assert done.code == 0, done.said
    assert seen | {(24, 24)} == {(24, 0), (24, 24)}


def test_a_worker_that_dies_fails_no_build(built, sql):
    running = built.start("dbt", "run", *EVENTS)
    when_locked(sql, built)
    end_part("worker-1")
    done = built.end(running)
    assert control("up").returncode == 0
    assert done.code == 0, done.said
    assert counted(sql, built) == (24, 24)


def test_after_the_thrift_server_died_the_rest_is_skipped_and_the_next_run_goes_on(built, sql):
    (built.folder / "logs" / "dbt.log").unlink()
    running = built.start("dbt", "--no-use-colors", "build", "--exclude-resource-type", "unit_test", *EVENTS)
    until(lambda: made(built, "raw.events"))
    process_of("thrift").kill()
    done = built.end(running)
    assert control("up").returncode == 0
    assert done.code == 1, done.said
    assert "what is left is skipped, and nothing is half-written" in done.said
    assert "skipped" in done.nodes.values()
    assert "	at org.apache" not in done.said
    # The lock of who lost the server is left within a minute.
    until(lambda: built.run("dbt", "run", *EVENTS).code == 0, 150)
    assert counted(sql, built) == (24, 24)


def test_after_dbt_died_the_next_run_goes_on_within_a_minute(built, sql):
    running = built.start("dbt", "run", *EVENTS)
    when_locked(sql, built)
    time.sleep(8)
    running.kill()
    running.wait()
    died = time.monotonic()
    until(lambda: built.run("dbt", "run", *EVENTS).code == 0, 150)
    assert time.monotonic() - died < 120
    assert counted(sql, built) == (24, 24)
