"""What dies in the middle, and who comes at the same time: rows as if nothing had been, or a sentence that says why."""

from __future__ import annotations

import threading
import time

from conftest import EVENTS, Client, control, counted, end_part, land_events, until

PURCHASES = "PurchaseID,product,user,date\n0000000001,11,1000001,2026-01-02\n"


def when_locked(sql, client: Client) -> None:
    """Wait until a run works on events."""
    until(lambda: sql(f"select * from {client.table('ops.locks')} where source = 'events' and owner is not null"))


def test_of_one_pipeline_the_second_client_is_told_and_of_another_it_works(built, sql, tmp_path):
    before = counted(sql, built)
    expected = land_events(built, "two_clients", 10)
    built.land("purchases/2026/01/05/p.csv", PURCHASES)
    first = built.start("dbt", "--no-use-colors", "run", *EVENTS)
    when_locked(sql, built)
    same, other = (Client(built.name, tmp_path / name, built.cluster) for name in ("same", "other"))
    another = other.start("dbt", "run", "--select", "raw_purchases")
    told = same.run("dbt", "run", *EVENTS)
    assert told.code == 2
    assert "Another run works on events: process" in told.said
    shown = same.run(
        "dbt",
        "--quiet",
        "show",
        "--inline",
        "select sum(open_count + close_count) as n from {{ ref('action_windows') }}",
    )
    assert str(before) in shown.said or str(expected) in shown.said, "who only reads waits for nobody"
    done, of_another = built.end(first), other.end(another)
    assert done.code == 0, done.said
    assert of_another.code == 0, of_another.said
    assert counted(sql, built) == expected
    owners = sql(f"select owner from {built.table('ops.locks')}")
    assert owners == [(None,)] * 2, "the locks are left at the end"


def test_a_second_driver_is_refused(built, sql):
    """On S3 two drivers lose commits: of 30 appends by two, each said to have succeeded, 29 were there."""
    locks = built.table("ops.locks")
    sql(
        f"insert into {locks} (source, owner, holder, since, beat_at, driver) "
        "values ('purchases', 'another 1', 'process 1 of you', now(), now(), 'app-1')"
    )
    done = built.run("dbt", "run", *EVENTS)
    sql(f"delete from {locks} where owner = 'another 1'")
    assert done.code == 2, done.said
    assert "Another Spark driver, app-1, works on the lake s3a://lake/built for process 1 of you" in done.said
    assert sql(f"select source from {locks} where owner is not null") == [], "no lock is kept"


def test_readers_see_whole_versions(built, sql):
    before = counted(sql, built)
    expected = land_events(built, "readers", 11)
    seen = set()
    ended = threading.Event()

    def read() -> None:
        while not ended.wait(3):
            seen.add(counted(sql, built))

    readers = [threading.Thread(target=read) for _ in range(10)]
    for reader in readers:
        reader.start()
    done = built.run("dbt", "run", *EVENTS)
    ended.set()
    for reader in readers:
        reader.join()
    assert done.code == 0, done.said
    assert seen | {expected} == {before, expected}


def test_a_worker_that_dies_fails_no_build(built, sql):
    expected = land_events(built, "worker", 12)
    running = built.start("dbt", "run", *EVENTS)
    when_locked(sql, built)
    end_part("worker-1")
    done = built.end(running)
    assert control("up").returncode == 0
    assert done.code == 0, done.said
    assert counted(sql, built) == expected


def test_after_dbt_died_the_next_run_goes_on(built, sql):
    """At once where its process was on this machine, and else within a minute."""
    expected = land_events(built, "dbt_died", 13)

    def killed_at_work() -> None:
        running = built.start("dbt", "run", *EVENTS)
        mine = f"source = 'events' and owner like '% {running.pid}'"
        until(lambda: sql(f"select * from {built.table('ops.locks')} where {mine}"))
        time.sleep(2)
        running.kill()
        running.wait()

    killed_at_work()
    killed_at_work()  # which took the lock of the first at once
    sql(f"update {built.table('ops.locks')} set owner = concat('another ', owner)")
    told = built.run("dbt", "run", *EVENTS)
    assert told.code == 2, told.said
    assert "Another run works on events" in told.said
    # As if the minute had passed, but for some seconds.
    sql(f"update {built.table('ops.locks')} set beat_at = beat_at - interval 50 seconds where owner is not null")
    time.sleep(11)
    done = built.run("dbt", "run", *EVENTS)
    assert done.code == 0, done.said
    assert counted(sql, built) == expected
