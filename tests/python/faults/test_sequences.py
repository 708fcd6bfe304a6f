"""Runs of any selection, in any order, with tables set back in between: a build ends in the right rows."""

from __future__ import annotations

import random
from datetime import datetime

import pytest

import reference
from conftest import Lake
from test_hostile_input import day_event, minutes, own_lake, purchases, versions

EVENT_NODES = [
    "raw_events", "events_files", "stage_events", "quarantine_events", "actions_per_minute", "action_windows",
    "action_totals", "top_open_windows",
]  # fmt: skip


EVENT_TABLES = [
    "raw.events", "raw.loaded_files", "stage.events_files", "stage.events", "quarantine.events",
    "mart.actions_per_minute", "mart.action_windows",
]  # fmt: skip


@pytest.mark.parametrize("seed", [3])
def test_any_selection_in_any_order_ends_in_the_right_rows(lake: Lake, seed: int) -> None:
    own = own_lake(lake, f"any{seed}", "events")
    chance = random.Random(seed)
    names = ["a.csv", "b.csv", "c.csv"]
    landed: dict[str, int] = {}
    assert own.make().success
    for step in range(2):
        for _ in range(3):
            for name in chance.sample(names, 2):
                landed[name] = chance.randint(1, 6)
                own.land(name, day_event(landed[name]))
            full = ["--full-refresh"] if chance.random() < 0.4 else []
            chosen = chance.choice([chance.sample(EVENT_NODES, 2), [chance.choice(EVENT_NODES) + "+"]])
            own.dbt("run", *full, "--select", *chosen)
            # What raw loses once a file has left, nobody has: later on nothing is restored.
            if step == 0 and chance.random() < 0.6:
                table = chance.choice(EVENT_TABLES)
                newest = own.rows(f"describe history {table} limit 1")[0][0]
                own.rows(f"restore table {table} to version as of {chance.randint(0, newest)}")
        run = own.build()
        assert run.success, run.said
        events = [(datetime(2026, 1, day, 10), "Open") for day in landed.values()]
        expected = [(moment, opens) for moment, _, opens, _ in reference.actions_per_minute(events)]
        assert minutes(own) == expected, (seed, landed)
        assert len(own.rows("select * from raw.events")) == len(landed)
        # What has left keeps its rows, and may come again.
        (own.landing / "events" / chance.choice([*landed])).unlink(missing_ok=True)


@pytest.mark.parametrize("seed", [1])
def test_any_selection_of_purchases_ends_in_the_right_rows(lake: Lake, seed: int) -> None:
    own = own_lake(lake, f"bought{seed}", "purchases")
    chance = random.Random(seed)
    nodes = ["raw_purchases", "loaded_files", "quarantine_purchases", "rebuilt_purchases", "purchase_changes"]
    own.land("2023/07/21/a.csv", purchases(1), source="purchases")
    assert own.make().success
    for product in (2, 3, 2, 1, 2):
        own.land("2023/07/22/a.csv", purchases(1, product=product), source="purchases")
        own.dbt("run", "--select", *chance.sample(nodes, 2), *(["--full-refresh"] if chance.random() < 0.5 else []))
    # Once more what raw may not hold any longer, of a content that was recorded before.
    run = own.build()
    assert run.success, run.said
    assert own.rows("select product from raw.purchases where day = 22") == [("2",)]
    assert [row[1] for row in versions(own)] == [1, 2]
    assert own.rows("select rows_loaded from raw.loaded_files") == [(1,), (1,)]
