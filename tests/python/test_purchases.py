"""The history of purchases: real files, real snapshots, against plain Python."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import astuple, replace
from datetime import date, timedelta

import pytest

import reference_purchases as reference
from conftest import Lake, Run
from strata import history

HEADER = "PurchaseID,product,user,date\n"
FIRST = date(2023, 7, 21)
EXAMPLE: reference.Days = {
    date(2023, 7, 21): [
        ("1002313003", "12", "1003431", "2022-05-20"),
        ("1002313002", "13", "1003432", "2021-06-19"),
        ("1002313004", "14", "1003433", "2023-07-21"),
    ],
    date(2023, 7, 22): [
        ("1002313003", "12", "1003431", "2022-05-20"),
        ("1002313002", "13", "1003432", "2021-06-19"),
        ("1002313004", "10", "1003433", "2023-07-22"),
        ("1002313005", "15", "1003434", "2023-07-22"),
    ],
}
ANY = {"max_removed_share": 1, "max_quarantined_share": 1, "allow_empty_snapshot": True}


def csv(rows: list[reference.Row]) -> str:
    return HEADER + "".join(",".join(row) + "\n" for row in rows)


def land(lake: Lake, days: reference.Days) -> None:
    for day, rows in days.items():
        lake.land(f"{day:%Y/%m/%d}/purchases.csv", csv(rows), source="purchases")


VERSION = (
    "purchase_id, product_id, user_id, purchased_on, version, valid_from, valid_to, recorded_on, closed_on"
)


def versions(lake: Lake) -> list[tuple]:
    return lake.rows(f"select {VERSION} from stage.purchases order by purchase_id, version")


def expected(days: reference.Days) -> list[tuple]:
    return [astuple(version) for version in reference.history(days)]


def snapshot(lake: Lake, **variables) -> Run:
    return lake.dbt("snapshot", **variables)


# --- random days against the reference --------------------------------------------------------------------------------


def random_days(seed: int, day_count: int, purchase_count: int) -> reference.Days:
    """Make days, not all in a row, of purchases that live through every kind of change, each by its own chance."""
    chance = random.Random(seed)
    days = sorted(chance.sample([FIRST + timedelta(days=n) for n in range(day_count + day_count // 3)], day_count))
    landed: reference.Days = {day: [] for day in days}
    for number in range(purchase_count):
        key = f"{1_000_000_000 + number * 7}"
        product, user, bought = str(chance.randint(1, 30)), f"{chance.randint(0, 9_999_999):07}", None
        for day in days:
            if bought is None:
                if chance.random() < 0.5:
                    continue
                bought = day - timedelta(days=chance.choice([0, 0, 1, 3, 400]))
            what = chance.random()
            if what < 0.12:
                continue  # missing
            if what < 0.24:
                product = str(chance.randint(1, 30))
            elif what < 0.36:
                bought = day - timedelta(days=chance.choice([0, 0, 1, 2, 5]))
            elif what < 0.42:
                product, bought = str(chance.randint(1, 3)), bought - timedelta(days=chance.randint(0, 9))
            elif what < 0.45:
                user = f"{chance.randint(0, 99):07}"
            row = (key, product, user, bought.isoformat())
            if what > 0.97:
                row = chance.choice([
                    (key, "0", user, row[3]), (key, "1234567890", user, row[3]), (key, product, "123", row[3]),
                    (key, product, user, "2023-02-30"), (key, product, user, "1999-12-31"), (key, " 1", user, row[3]),
                    (key, product, user, (day + timedelta(days=1)).isoformat()), (key, product, "", row[3]),
                ])  # fmt: skip
            elif what > 0.95:
                landed[day].append((key, str(int(product) + 1), user, row[3]))
            elif what > 0.93:
                landed[day].append((key, "0" + product, user, row[3]))
            elif what > 0.92:
                landed[day].append((key[:-1] + "x", product, user, row[3]))
            landed[day].append(row)
    for rows in landed.values():
        chance.shuffle(rows)
    return landed


@pytest.fixture(scope="module")
def lived(lake: Lake) -> tuple[Lake, reference.Days]:
    """Catch up with twelve days of two thousand purchases, of which one is landed empty."""
    own = replace(lake, prefix="lived", landing_name="lived landing")
    days = random_days(1, 12, 2000)
    days[sorted(days)[7]] = []
    land(own, days)
    run = own.strata(history.catch_up, **ANY)
    assert run.success, run.said
    return own, days


def test_day_by_day_gives_what_the_rules_say(lived) -> None:
    own, days = lived
    assert versions(own) == expected(days)
    changes = "landed_on, new_count, modified_count, removed_count, returned_count, unchanged_count, quarantined_count"
    assert own.rows(f"select {changes} from mart.purchase_changes order by landed_on") == reference.changes(days)
    bad = {(day, *row) for day, rows in days.items() for row in reference.day_of(rows, day)[2]}
    found = own.rows(
        "select landed_on, PurchaseID, coalesce(product, ''), coalesce(user, ''), date from quarantine.purchases"
    )
    assert len(found) == sum(len(reference.day_of(rows, day)[2]) for day, rows in days.items())
    assert set(found) == bad


def test_a_replay_gives_the_same_rows(lived) -> None:
    own, days = lived
    before = versions(own)
    run = own.strata(history.replay, sorted(days)[4])
    assert run.success, run.said
    assert versions(own) == before == expected(days)


def test_a_rebuild_gives_the_same_rows(lived) -> None:
    own, days = lived
    run = own.strata(history.rebuild)
    assert run.success, run.said
    assert versions(own) == expected(days)
    assert snapshot(own).sentence("Nothing new")
