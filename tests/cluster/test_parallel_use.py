"""Who comes at the same time, a worker that dies meanwhile: rows as if nothing had been, or a sentence of why."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from conftest import EVENTS, Client, Done, control, counted, end_part, land_events, until

PURCHASES = "PurchaseID,product,user,date\n0000000001,11,1000001,2026-01-02\n"
SHOWN = "select sum(open_count + close_count) as n from {{ ref('action_windows') }}"


def when_locked(sql, client: Client) -> None:
    """Wait until a run works on events."""
    until(lambda: sql(f"select * from {client.table('ops.locks')} where source = 'events' and owner is not null"))


@dataclass
class Busy:
    """What came of a run of one pipeline that loses a worker while ten read and others begin runs."""

    before: int
    expected: int
    after: int
    done: Done
    same: Done
    shown: Done
    other: Done
    seen: set[int]
    owners: list[tuple]


@pytest.fixture(scope="module")
def busy(built: Client, sql, tmp_path_factory: pytest.TempPathFactory) -> Busy:
    """A run of events that loads one more file."""
    before = counted(sql, built)
    expected = land_events(built, "busy", 10)
    built.land("purchases/2026/01/05/p.csv", PURCHASES)
    same, other = (Client(built.name, tmp_path_factory.mktemp(name), built.cluster) for name in ("same", "other"))
    running = built.start("dbt", "--no-use-colors", "run", *EVENTS)
    when_locked(sql, built)
    ended = threading.Event()

    def read() -> set[int]:
        seen = set()
        while not ended.wait(3):
            seen.add(counted(sql, built))
        return seen

    with ThreadPoolExecutor(10) as pool:
        readers = [pool.submit(read) for _ in range(10)]
        try:
            end_part("worker-1")
            of_another = other.start("dbt", "run", "--select", "raw_purchases")
            told = same.run("dbt", "run", *EVENTS)
            shown = same.run("dbt", "--quiet", "show", "--inline", SHOWN)
            done = built.end(running)
        finally:  # or the readers would go on for ever
            ended.set()
        seen = set.union(*(reader.result() for reader in readers))
    other_done = other.end(of_another)
    assert control("up").returncode == 0
    owners = sql(f"select owner from {built.table('ops.locks')}")
    return Busy(before, expected, counted(sql, built), done, told, shown, other_done, seen, owners)


def test_a_worker_that_dies_fails_no_build(busy: Busy):
    assert busy.done.code == 0, busy.done.said
    assert busy.after == busy.expected


def test_of_one_pipeline_the_second_client_is_told_and_of_another_it_works(busy: Busy):
    assert busy.same.code == 2
    assert "Another run works on events: process" in busy.same.said
    assert busy.other.code == 0, busy.other.said
    assert busy.owners == [(None,)] * 2, "the locks are left at the end"


def test_who_only_reads_waits_for_nobody_and_sees_whole_versions(busy: Busy):
    assert str(busy.before) in busy.shown.said or str(busy.expected) in busy.shown.said, busy.shown.said
    assert busy.seen | {busy.expected} == {busy.before, busy.expected}


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
