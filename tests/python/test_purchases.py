"""The history of purchases: real files, real snapshots, against plain Python."""

from __future__ import annotations

import functools
import io
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import astuple, replace
from datetime import date, timedelta
from pathlib import Path

import agate
import pytest

import reference_purchases as reference
from conftest import QUICK, Lake, Run
from strata import history, landing, places
from strata.sources import Source

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
OF = "The snapshot of purchases of"
REPLAY = "'strata replay --source purchases --from"
ANY = {"max_removed_share": 1, "max_quarantined_share": 1, "allow_empty_snapshot": True}


catch_up = functools.partial(history.catch_up, ["purchases"])
rebuild = functools.partial(history.rebuild, ["purchases"])


def replay(first: date, *rest) -> None:
    history.replay(first, "purchases", *rest)


def csv(rows: list[reference.Row]) -> str:
    return HEADER + "".join(",".join(row) + "\n" for row in rows)


def land(lake: Lake, days: reference.Days) -> None:
    for day, rows in days.items():
        lake.land(f"{day:%Y/%m/%d}/purchases.csv", csv(rows), source="purchases")


VERSION = "purchase_id, product_id, user_id, purchased_on, version, valid_from, valid_to, recorded_on, closed_on"


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
def lake(lake: Lake) -> Lake:
    """The module's lake, for purchases alone."""
    return replace(lake, subject="purchases")


@pytest.fixture(scope="module")
def lived(lake: Lake) -> tuple[Lake, reference.Days]:
    """Catch up with ten days of two thousand purchases, of which one is landed empty."""
    own = replace(lake, prefix="lived", landing_name="lived landing")
    days = random_days(1, 10, 2000)
    days[sorted(days)[7]] = []
    land(own, days)
    run = own.strata(catch_up, **ANY)
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
    run = own.strata(replay, sorted(days)[6])
    assert run.success, run.said
    assert versions(own) == before == expected(days)


def test_a_rebuild_gives_the_same_rows(lived) -> None:
    own, days = lived
    run = own.strata(rebuild)
    assert run.success, run.said
    assert versions(own) == expected(days)
    assert snapshot(own).sentence("Nothing new")


# --- one day after the other, by dbt snapshot alone -------------------------------------------------------------------


def fresh(lake: Lake, name: str, days: reference.Days | None = None) -> Lake:
    """Return a pipeline of its own, with days that have landed."""
    own = replace(lake, prefix=name, landing_name=f"{name} landing")
    land(own, days or {})
    return own


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def some_rows(count: int, product: int = 1, first: int = 0) -> list[reference.Row]:
    return [(f"{1_000_000_000 + n}", str(product), "1000001", "2023-01-01") for n in range(first, first + count)]


def test_the_example_is_taken_by_dbt_snapshot_alone_on_an_empty_lake(lake: Lake) -> None:
    own = fresh(lake, "example", EXAMPLE)
    assert snapshot(own).sentence("2023-07-21: 3 versions opened, 0 closed; 1 day left.")
    assert snapshot(own).sentence("2023-07-22: 2 versions opened, 1 closed; 0 days left.")
    assert versions(own) == [
        (1002313002, 13, 1003432, date(2021, 6, 19), 1, date(2021, 6, 19), None, date(2023, 7, 21), None),
        (1002313003, 12, 1003431, date(2022, 5, 20), 1, date(2022, 5, 20), None, date(2023, 7, 21), None),
        (1002313004, 14, 1003433, date(2023, 7, 21), 1, date(2023, 7, 21), date(2023, 7, 22), date(2023, 7, 21),
         date(2023, 7, 22)),
        (1002313004, 10, 1003433, date(2023, 7, 22), 2, date(2023, 7, 22), None, date(2023, 7, 22), None),
        (1002313005, 15, 1003434, date(2023, 7, 22), 1, date(2023, 7, 22), None, date(2023, 7, 22), None),
    ]  # fmt: skip
    again = snapshot(own)
    assert again.success
    assert again.sentence("Nothing new: the history of purchases holds every landed day, the last is 2023-07-22.")
    assert own.rows(
        "select year, month, day, product from raw.purchases where PurchaseID = '1002313004' order by day"
    ) == [
        (2023, 7, 21, "14"),
        (2023, 7, 22, "10"),
    ]
    # What we believed on the 21st about the 22nd, and what we know now.
    for known_on, product in (("2023-07-21", 14), ("2023-07-22", 10)):
        shown = own.dbt(
            "show", "--output", "json", "--inline",
            "select product_id from "
            f"{{{{ valid_as_of(recorded_as_of(ref('purchases'), '{known_on}'), '2023-07-22') }}}}"
            " where purchase_id = 1002313004",
        )  # fmt: skip
        assert shown.success, shown.said
        assert [row["product_id"] for row in shown.table] == [product]


def test_the_same_content_in_any_form_changes_nothing(lake: Lake) -> None:
    own = fresh(lake, "form", EXAMPLE)
    assert snapshot(own).success
    assert snapshot(own).success
    before = versions(own)
    rows = EXAMPLE[day(1)]
    path = own.landing / "purchases" / "2023/07/22" / "purchases.csv"
    path.unlink()
    turned = "".join(",".join([row[3], row[0], row[2], row[1]]) + "\n" for row in reversed(rows[:2]))
    own.land("2023/07/22/b.csv.gz", "date,PurchaseID,user,product\n" + turned, source="purchases")
    own.land("year=2023/month=07/day=22/c.csv", csv(rows[1:]), source="purchases")
    own.land("2023/07/22/deeper/header.csv", HEADER, source="purchases")
    own.land("2023/07/22/nothing.csv", "", source="purchases")
    own.land("2023/07/22/_SUCCESS.csv", "x", source="purchases")
    run = snapshot(own, snapshot_date="2023-07-22")
    assert run.success, run.said
    assert run.sentence("The history of purchases holds 2023-07-22 with this content: nothing to do, 0 days left.")
    assert versions(own) == before
    assert own.rows("select count(*) from raw.purchases where day = 22") == [(5,)]
    # A folder that has gone, or is empty, changes nothing.
    for name in ("b.csv.gz", "deeper/header.csv", "nothing.csv", "_SUCCESS.csv"):
        (path.parent / name).unlink()
    (own.landing / "purchases" / "year=2023/month=07/day=22/c.csv").unlink()
    assert snapshot(own).sentence("Nothing new")
    assert own.rows("select count(*) from raw.purchases where day = 22") == [(5,)]
    build = own.build()
    assert build.success, build.said
    assert own.rows("select count(*) from mart.current_purchases") == [(4,)]


def test_a_build_takes_one_day_and_brings_the_marts_along(lake: Lake) -> None:
    own = fresh(lake, "built", {**EXAMPLE, day(2): [("x", "1", "1", "1"), *EXAMPLE[day(1)] * 20]})
    for number in range(3):
        days = {key: rows for key, rows in own_days(own).items() if key <= day(number)}
        run = own.build()
        assert run.success, run.said
        assert versions(own) == expected(days)
        columns = "landed_on, new_count, modified_count, removed_count, returned_count, unchanged_count"
        assert own.rows(
            f"select {columns}, quarantined_count from mart.purchase_changes order by landed_on"
        ) == reference.changes(days)
    assert own.rows("select landed_on, PurchaseID, path, reasons[0] from quarantine.purchases") == [
        (day(2), "x", "purchases/2023/07/23/purchases.csv", "purchase_id_malformed")
    ]
    assert own.rows("select path, rows_landed, rows_loaded from raw.loaded_files order by 1") == [
        ("purchases/2023/07/21/purchases.csv", 3, 3),
        ("purchases/2023/07/22/purchases.csv", 4, 4),
        ("purchases/2023/07/23/purchases.csv", 81, 81),
    ]


def own_days(lake: Lake) -> reference.Days:
    """Read back what has landed, one plain file a day."""
    days = {}
    for path in (lake.landing / "purchases").rglob("purchases.csv"):
        year, month, number = path.parent.parts[-3:]
        days[date(int(year), int(month), int(number))] = [
            tuple(line.split(",")) for line in path.read_text().splitlines()[1:]
        ]
    return days


# --- gates ------------------------------------------------------------------------------------------------------------

TEN = some_rows(10)
GATES: dict[str, tuple] = {
    "empty": (
        HEADER,
        {"allow_empty_snapshot": True},
        "The snapshot of purchases of DAY is empty, and would end all 10",
    ),
    "zero bytes": (
        "",
        {"allow_empty_snapshot": True},
        "The snapshot of purchases of DAY is empty, and would end all 10",
    ),
    "removed": (csv(TEN[:4]), {"max_removed_share": 0.6}, "lacks 6 of the 10 current purchases, more than"),
    "quarantined": (
        csv([*TEN, ("1", "1", "1000001", "2023-01-01")]),
        {"max_quarantined_share": 0.1},
        "Of the 11 rows of DAY 1 are to be quarantined, more than max_quarantined_share (0.05) allows",
    ),
}
FAULTS: dict[str, tuple] = {
    "missing": ("PurchaseID,product,user\n1,1,1\n", "purchases.csv cannot be taken: the column date is missing"),
    "doubled": (HEADER.replace("user", "user,user"), "purchases.csv cannot be taken: the column user is there more"),
    "latin": (HEADER.encode() + b"\xe9\n", "purchases.csv cannot be taken: it holds bytes that are no UTF-8"),
}


@pytest.fixture(scope="module")
def gated(lake: Lake) -> Lake:
    """Take a first day of ten purchases."""
    own = fresh(lake, "gated", {day(0): TEN})
    assert snapshot(own).success
    return own


@pytest.mark.parametrize("name", GATES)
def test_a_gate_refuses_a_day_until_a_variable_lets_it_in(gated: Lake, name: str) -> None:
    content, variables, sentence = GATES[name]
    before = versions(gated)
    landed_on = max(own_days(gated)) + timedelta(days=1)
    gated.land(f"{landed_on:%Y/%m/%d}/purchases.csv", content, source="purchases")
    run = snapshot(gated)
    assert not run.success
    said = run.sentence(f"{landed_on}")
    assert sentence in said.replace(f"{landed_on}", "DAY")
    assert f"--vars '{{{next(iter(variables))}: " in said
    assert versions(gated) == before
    assert snapshot(gated, **variables).success
    assert versions(gated) == expected(own_days(gated))
    land(gated, {landed_on + timedelta(days=1): TEN})
    assert snapshot(gated).success
    assert versions(gated) == expected(own_days(gated))


def test_a_day_once_let_in_stays_in_and_only_with_its_content(gated: Lake) -> None:
    for command in ((replay, day(1)), (rebuild,)):
        run = gated.strata(*command)
        assert run.success, run.said
        assert versions(gated) == expected(own_days(gated))
    before = versions(gated)
    removed = sorted(own_days(gated))[1 + 2 * list(GATES).index("removed")]
    kept = gated.landing / f"purchases/{removed:%Y/%m/%d}/purchases.csv"
    content = kept.read_text()
    kept.write_text(csv(TEN[:3]))
    for command in ((replay, removed), (rebuild,)):
        run = gated.strata(*command)
        assert not run.success
        assert "lacks 7 of the 10 current purchases, more than max_removed_share (0.5)" in run.sentence(f"{removed}")
        assert versions(gated) == before
    kept.write_text(content)
    assert snapshot(gated).sentence("Nothing new")


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("held", [True, False])
def test_a_delivery_that_cannot_be_taken_leaves_history_and_raw(gated: Lake, name: str, held: bool) -> None:
    content, sentence = FAULTS[name]
    before, raw = versions(gated), gated.rows("select count(*) from raw.purchases")
    landed_on = max(own_days(gated)) + timedelta(days=0 if held else 1)
    path = gated.landing / f"purchases/{landed_on:%Y/%m/%d}/purchases.csv"
    kept = path.read_bytes() if held else b""
    gated.land(f"{landed_on:%Y/%m/%d}/purchases.csv", content, source="purchases")
    runs = [snapshot(gated)]
    if name == "missing":
        runs += [gated.strata(replay, day(0)), gated.strata(rebuild), gated.strata(catch_up)]
    for run in runs:
        assert not run.success
        assert sentence in run.sentence(f"{OF} {landed_on} is refused")
    assert versions(gated) == before
    assert gated.rows("select count(*) from raw.purchases") == raw
    path.write_bytes(kept) if held else path.unlink()


def test_a_delivery_of_which_not_every_row_was_read_is_refused(gated: Lake) -> None:
    intake = gated.folder / "lake" / "intake" / "purchases.jsonl"
    gated.rows("update raw.loaded_files set rows_landed = 11 where landed_on = date'2023-07-21'")
    kept = intake.read_text()
    intake.write_text(kept.replace('"rows_landed": 10', '"rows_landed": 11'))
    run = snapshot(gated)
    assert not run.success
    path = "purchases/2023/07/21/purchases.csv"
    assert run.sentence(f"{OF} 2023-07-21 is refused, of 11 rows counted in the file {path} 10 were read")
    # Once all can be read, the next run reads it again.
    intake.write_text(kept)
    assert snapshot(gated).sentence("Nothing new")


@pytest.mark.parametrize("name", ["stray.csv", "2023/02/30/a.csv"])
def test_a_file_outside_of_any_day_is_refused(gated: Lake, name: str) -> None:
    path = gated.land(name, csv(TEN), source="purchases")
    run = snapshot(gated)
    assert not run.success
    assert f"purchases/{name} cannot be taken: it lies in no folder of a day" in run.sentence("refused")
    path.unlink()


def test_empty_full_refresh_and_days_that_are_named(gated: Lake) -> None:
    assert gated.strata(catch_up).success
    before = versions(gated)
    run = gated.dbt("snapshot", "--empty")
    assert not run.success
    assert run.sentence("With --empty a snapshot would find nothing delivered")
    run = gated.build("--full-refresh", "--select", "purchases", "--exclude-resource-type", "test")
    assert run.success, run.said
    assert run.sentence("--full-refresh leaves the history")
    run = snapshot(gated, snapshot_date="2024-08-01")
    assert not run.success
    assert run.sentence("No snapshot of 2024-08-01 has landed in")
    land(gated, {date(2023, 8, 24): TEN, date(2023, 8, 25): TEN})
    run = snapshot(gated, snapshot_date="2023-08-25")
    assert not run.success
    assert run.sentence(f"{OF} 2023-08-24 is older than that of 2023-08-25 and not in the history yet")
    files = gated.rows("select count(*) from raw.loaded_files")
    gated.dbt("run", "--empty", "--select", "path:models/*/purchases")
    assert gated.rows("select count(*) from raw.loaded_files") == files != [(0,)]
    assert versions(gated) == before
    assert snapshot(gated, snapshot_date="2023-07-22").sentence("nothing to do, 2 days left")
    assert snapshot(gated, snapshot_date="2023-08-24").sentence("2023-08-24: 0 versions opened, 0 closed; 1 day left")
    assert snapshot(gated).sentence("2023-08-25: 0 versions opened, 0 closed; 0 days left")


def test_a_refused_day_that_has_gone_is_left_out(lake: Lake) -> None:
    own = fresh(lake, "left", {day(0): TEN, day(1): TEN[:1], day(2): [*TEN, *some_rows(1, first=20)]})
    assert snapshot(own).success
    assert not snapshot(own).success
    (own.landing / "purchases/2023/07/22/purchases.csv").unlink()
    run = snapshot(own)
    assert run.success, run.said
    assert run.sentence(f"{OF} 2023-07-22, whose folder has gone before it was taken, is left out")
    days = {day(0): TEN, day(2): [*TEN, *some_rows(1, first=20)]}
    assert versions(own) == expected(days)
    assert snapshot(own).sentence("Nothing new")
    assert own.strata(rebuild).success
    assert versions(own) == expected(days)


# --- late days, days again, kills -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def played(lake: Lake) -> tuple[Lake, reference.Days]:
    """Catch up with six days, of which the third has not landed yet."""
    days = random_days(2, 6, 300)
    own = fresh(lake, "played", days)
    late = sorted(days)[2]
    (own.landing / f"purchases/{late:%Y/%m/%d}/purchases.csv").unlink()
    assert own.strata(catch_up, **ANY).success
    return own, days


def test_a_late_day_is_refused_and_replayed(played) -> None:
    own, days = played
    late = sorted(days)[2]
    without = {key: rows for key, rows in days.items() if key != late}
    assert versions(own) == expected(without)
    land(own, {late: days[late]})
    for run in (snapshot(own), own.strata(catch_up), own.strata(replay, late + timedelta(days=1))):
        assert not run.success
        assert f"{REPLAY} {late}'" in run.sentence(f"{OF} {late} landed late")
        assert versions(own) == expected(without)
    refused = own.strata(replay, late, max_quarantined_share=0.001)
    assert not refused.success
    assert refused.sentence("The replay is undone, and the history is as it was before it.")
    assert versions(own) == expected(without)
    run = own.strata(replay, late, **ANY)
    assert run.success, run.said
    assert versions(own) == expected(days)


def test_a_day_again_with_other_content_is_refused_and_replayed(played) -> None:
    own, days = played
    again = sorted(days)[3]
    days[again] = [*days[again][: len(days[again]) // 2], *some_rows(5, first=9000)]
    land(own, {again: days[again]})
    before = versions(own)
    run = snapshot(own, snapshot_date=str(sorted(days)[5]))
    assert not run.success
    assert f"{REPLAY} {again}'" in run.sentence(f"{OF} {again} was delivered again with other")
    build = own.build("--select", "+purchases", "purchase_changes")
    assert not build.success
    assert build.nodes["purchases"] == "error"
    assert versions(own) == before
    assert own.strata(replay, again, **ANY).success
    assert versions(own) == expected(days)


def properties(lake: Lake) -> dict[str, str]:
    return dict(lake.rows("show tblproperties stage.purchases"))


def set_property(lake: Lake, name: str, value: str) -> None:
    lake.rows(f"alter table stage.purchases set tblproperties ('{name}' = '{value}')")


def test_what_a_kill_leaves_is_taken_back_and_played_again(played) -> None:
    own, days = played
    ordered = sorted(days)
    # Killed between the MERGE of the last day and the note that it was taken; and the day comes again, changed.
    set_property(own, "strata.through", f"{ordered[-2]}")
    assert snapshot(own, **ANY).sentence(f"{ordered[-1]}: ")
    assert versions(own) == expected(days)
    set_property(own, "strata.through", f"{ordered[-2]}")
    days[ordered[-1]] = days[ordered[-1]][5:]
    land(own, {ordered[-1]: days[ordered[-1]]})
    assert snapshot(own, **ANY).success
    assert versions(own) == expected(days)
    # Killed in a replay, between the rewind and the first day, with one day played already.
    before = max(row[0] for row in own.rows("describe history stage.purchases"))
    set_property(own, "strata.replay", str(before))
    set_property(own, "strata.through", f"{ordered[1]}")
    assert snapshot(own).sentence(f"A replay of purchases was cut off: it is played to its end, {ordered[-1]}.")
    assert versions(own) == expected(days)
    assert properties(own)["strata.replay"] == ""
    # Killed between raw and the note of the delivery: it is loaded again.
    own.rows(f"delete from raw.loaded_files where landed_on = date'{ordered[-1]}'")
    assert snapshot(own).sentence("Nothing new")
    assert versions(own) == expected(days)


def test_a_restored_history_goes_on_from_there(played) -> None:
    own, days = played
    kept = [row[0] for row in own.rows("describe history stage.purchases") if row[4] == "SET TBLPROPERTIES"]
    own.rows(f"restore table stage.purchases to version as of {kept[2]}")
    assert own.strata(catch_up).success
    assert versions(own) == expected(days)


def test_a_refused_rebuild_leaves_the_history(played) -> None:
    own, days = played
    before = versions(own)
    days = {**days, max(days) + timedelta(days=1): some_rows(1)}
    land(own, days)
    run = own.strata(rebuild)
    assert not run.success
    assert run.sentence("more than max_removed_share (0.5) allows")
    assert versions(own) == before
    run = own.strata(rebuild, **ANY)
    assert run.success, run.said
    assert versions(own) == expected(days)


def test_the_record_has_a_row_a_day_and_few_files(lake: Lake) -> None:
    """A month's first day writes the record's year anew, as one file; what is there is never taken for new."""
    days = [date(2023, 1, 30) + timedelta(days=number) for number in range(5)]
    own = fresh(lake, "recorded", dict.fromkeys(days, TEN))
    assert own.strata(catch_up).success
    recorded = "select landed_on from stage.history_days order by 1"
    files = "select count(distinct _metadata.file_path) from stage.history_days"
    assert own.rows(recorded) == [(landed,) for landed in days]
    assert own.rows(files) == [(3,)], "of January and 1 February one, and one each of the two days since"
    # As a run leaves it that died behind the record.
    own.rows("alter table stage.purchases set tblproperties ('strata.through' = '2023-02-02')")
    assert own.strata(catch_up).success
    assert own.rows(recorded) == [(landed,) for landed in days]
    assert own.rows(files) == [(1,)]


def test_a_record_in_one_text_is_taken_over_by_a_rebuild(lake: Lake) -> None:
    own = fresh(lake, "older", {day(0): TEN, day(1): TEN[:9], day(2): TEN[:8]})
    assert own.strata(catch_up).success
    before = versions(own)
    # As an earlier version left it, and a held day has gone since.
    record = {
        f"{landed_on}": [content, removed, quarantined]
        for landed_on, content, removed, quarantined in own.rows(
            "select landed_on, content, removed_share, quarantined_share from stage.history_days"
        )
    }
    assert len(record) == 3
    own.rows(f"alter table stage.purchases set tblproperties ('strata.days' = '{json.dumps(record)}')")
    own.rows("alter table stage.purchases unset tblproperties ('strata.generation')")
    own.rows("drop table stage.history_days")
    shutil.rmtree(own.landing / "purchases" / f"{day(1):%Y/%m/%d}")
    run = own.strata(rebuild)
    assert run.success, run.said
    assert versions(own) == before
    assert [row[0] for row in own.rows("select landed_on from mart.purchase_changes order by 1")] == [
        day(0),
        day(1),
        day(2),
    ]
    assert "strata.days" not in dict(own.rows("show tblproperties stage.purchases"))
    # However many days there are, no text grows with them.
    text = own.rows("show create table stage.rebuilt_purchases")[0][0]
    assert f"{day(2)}" in text
    assert f"{day(1)}" not in text
    properties = dict(own.rows("show tblproperties stage.purchases"))
    assert [name for name, value in properties.items() if f"{day(1)}" in value] == []


# --- columns that come and go -----------------------------------------------------------------------------------------


def test_other_columns_are_carried_and_decide_nothing(lake: Lake) -> None:
    own = fresh(lake, "columns", {day(0): some_rows(4)})
    assert snapshot(own).success
    header = "channel,PurchaseID,Sales Channel,product,user,version,date,twice,twice"
    row = "{channel},{key},{sales},{product},1000001,{version},2023-01-01,a,b"

    def land_rows(number: int, *rows: dict) -> None:
        lines = [row.format(**values) for values in rows]
        own.land(f"{day(number):%Y/%m/%d}/purchases.csv", "\n".join([header, *lines]) + "\n", source="purchases")

    first = {"channel": "web", "sales": "shop", "version": "v1"}
    unchanged = [{**first, "key": f"100000000{n}", "product": 1} for n in range(3)]
    land_rows(1, *unchanged, {**first, "key": "1000000003", "product": 2})
    assert snapshot(own).sentence("2023-07-22: 1 version opened, 1 closed; 0 days left.")
    # A change in another column alone is none.
    land_rows(2, *unchanged, {**first, "key": "1000000003", "product": 2, "channel": "app"})
    assert snapshot(own).sentence("2023-07-23: 0 versions opened, 0 closed; 0 days left.")
    raw = {name: kind for name, kind, *_ in own.rows("describe raw.purchases")}
    (sales,) = (name for name in raw if name.startswith("sales_channel_"))
    assert len(sales) == len("sales_channel_") + 8
    # Raw has no `version` of its own, the history has.
    (version,) = (row[0] for row in own.rows("describe stage.purchases") if row[0].startswith("version_"))
    assert own.rows(
        f"select day, channel, {sales}, version from raw.purchases where PurchaseID = '1000000003' order by day"
    ) == [(21, None, None, None), (22, "web", "shop", "v1"), (23, "app", "shop", "v1")]
    assert own.rows(
        "select from_json(other_columns, 'map<string,string>')['twice (2)'] from raw.purchases where day = 23 limit 1"
    ) == [("b",)]
    # A column that goes leaves nulls, and a warning.
    rows = some_rows(4, product=2)
    land(own, {day(3): rows})
    run = snapshot(own, **ANY)
    assert run.sentence("2023-07-24 has no column Sales Channel, channel, version, which that of 2023-07-23 had")
    carried = f"select version, product_id, channel, {sales}, {version} from stage.purchases where purchase_id = "
    wanted = [(1, 1, None, None, None), (2, 2, "web", "shop", "v1")]
    assert own.rows(carried + "1000000003 order by version") == wanted
    assert own.rows(carried + "1000000000 order by version") == [(1, 1, None, None, None), (2, 2, None, None, None)]
    build = own.build("--select", "+purchases", "rebuilt_purchases+")
    assert build.success, build.said
    assert build.nodes["history_is_what_raw_says"] == "pass"
    assert own.strata(rebuild).success
    assert own.rows(carried + "1000000003 order by version") == wanted


# --- beside the events ------------------------------------------------------------------------------------------------

EVENTS = "time,action\n2026-01-01T10:00:00Z,Open\n"


def test_a_refusal_of_one_pipeline_never_stops_the_other(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    own = replace(fresh(lake, "beside", {day(0): TEN}), subject="events purchases")
    own.land("a.csv", EVENTS)
    stray = own.land("stray.csv", HEADER, source="purchases")
    run = own.make()
    assert not run.success
    assert run.nodes["purchases"] == "error"
    assert own.rows("select event_count from mart.action_totals") == [(1,)]
    listed = [json.loads(line) for line in (own.folder / "lake/intake/purchases.jsonl").read_text().splitlines()]
    assert [row["fault"] for row in listed if row["path"] == "purchases/stray.csv"] == [
        "it lies in no folder of a day (YYYY/MM/DD)"
    ]
    stray.unlink()
    bad = own.land("b.csv", "time\n1\n")
    run = own.make()
    assert not run.success
    assert run.sentence("The file events/b.csv was refused")
    assert own.rows("select count(*) from mart.current_purchases") == [(10,)]
    bad.unlink()
    land(own, {day(1): TEN[:8]})
    listed = landing._listed

    def forbidden(source: Source, where) -> Iterator:
        if source.name == "events":
            raise landing.UnreadableFolder("The folder /events cannot be read (Permission denied): give the right to.")
        return listed(source, where)

    monkeypatch.setattr(landing, "_listed", forbidden)
    run = own.make()
    assert not run.success
    assert run.nodes["raw_events"] == "error"
    assert run.sentence("The folder /events cannot be read")
    assert own.rows("select count(*) from mart.current_purchases") == [(8,)]
    monkeypatch.undo()
    assert own.build().success


def test_an_empty_landing_is_no_failure(lake: Lake) -> None:
    own = fresh(lake, "nothing")
    compiled = own.dbt("compile")
    assert compiled.success, compiled.said
    run = snapshot(own)
    assert run.success, run.said
    assert run.sentence("Nothing has landed: no file of purchases in")
    assert run.sentence("Nothing new: the history of purchases holds every landed day.")
    for command in (catch_up, rebuild):
        run = own.strata(command)
        assert run.success, run.said
    run = own.strata(replay, day(0))
    assert run.sentence("No snapshot of purchases has landed on 2023-07-21 or later: the last is of no day.")


# --- time travel ------------------------------------------------------------------------------------------------------


def test_a_table_can_be_read_as_it_was(gated: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = io.StringIO()
    monkeypatch.setattr(agate.Table, "print_table", functools.partialmethod(agate.Table.print_table, output=printed))
    table = f"{gated.schema('stage')}.purchases"
    assert gated.dbt("run-operation", "versions", "--args", f"{{table: {table}, limit: 3}}").success
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in printed.getvalue().splitlines()]
    newest = gated.rows("describe history stage.purchases limit 3")
    assert cells[0] == ["version", "timestamp", "operation", "operationMetrics"]
    assert [(row[0], row[2]) for row in cells[2:]] == [(str(row[0]), row[4]) for row in newest]
    printed.truncate(0)
    first = min(row[0] for row in gated.rows("describe history stage.purchases") if row[4] == "MERGE")
    assert gated.dbt("run-operation", "rows_at", "--args", f"{{table: {table}, version: {first}, limit: 99}}").success
    assert printed.getvalue().count(" 2023-07-21 |") == 10
    at = str(gated.rows("describe history stage.purchases")[0][1])
    args = f"{{table: {table}, timestamp: '{at}', limit: 5}}"
    run = gated.dbt("run-operation", "rows_at", "--args", args)
    assert run.success, run.said
    for args, sentence in (
        ("{table: stage.no_such}", "rows_at wants either a version or a timestamp"),
        ("{table: stage.no_such, version: 1}", "There is no table stage.no_such: name one as in stage.purchases."),
    ):
        assert gated.dbt("run-operation", "rows_at", "--args", args).sentence(sentence)


# --- processes --------------------------------------------------------------------------------------------------------


def environment(folder: Path, base: Path | None = None) -> dict[str, str]:
    """Return the environment of a process that works in a folder's lake; `base` is what names its places."""
    base = folder if base is None else base
    variables = {
        **os.environ,
        "STRATA_LAKE": str(base / "lake"),
        "STRATA_LANDING": str(base / "landing"),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }
    # A module's own Spark has its catalog in memory; processes find each other's tables in one that stays.
    for name in ("STRATA_SCHEMA_PREFIX", *QUICK):
        variables.pop(name, None)
    return variables


def strata(folder: Path, *arguments: str) -> subprocess.Popen:
    """Start the command line as people do, in a process of its own, without a terminal, its places relative."""
    command = [str(Path(sys.executable).with_name("strata")), *arguments]
    return subprocess.Popen(
        command, cwd=folder, env=environment(folder, Path()), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize(
    "other",
    [
        "strategy='timestamp', updated_at='landed_on', check_cols=none",
        "hard_deletes='new_record'",
        "unique_key=['purchase_id', 'user_id']",
        "check_cols='all'",
    ],
)
def test_a_history_of_another_kind_is_refused(lake: Lake, tmp_path: Path, other: str) -> None:
    for name in (
        "dbt_project.yml",
        "profiles.yml",
        "packages.yml",
        "dbt_packages",
        "macros",
        "models",
        "seeds",
        "tests",
    ):
        (tmp_path / name).symlink_to(places.ROOT / name)
    settled = "{{ config(**history_config('purchases')) }}"
    text = (places.ROOT / "snapshots/purchases/purchases.sql").read_text()
    assert settled in text
    changed = tmp_path / "snapshots" / "purchases.sql"
    changed.parent.mkdir()
    changed.write_text(text.replace(settled, f"{settled}\n{{{{ config({other}) }}}}"))
    run = fresh(lake, "kind").dbt("snapshot", "--project-dir", str(tmp_path))
    assert not run.success
    name = other.split("=")[0]
    assert run.sentence(f"Snapshot purchases has another {name} than its source declares: configure it by")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("catch-up", "--vars", "x"), "--vars is 'x': write it as YAML, such as '{max_removed_share: 0.7}'."),
        (
            ("replay", "--from", "2023-01-01", "--vars", "{max_removed_share: 7}"),
            "max_removed_share is 7; it must be a",
        ),
        (("rebuild", "--profiles-dir", "nowhere"), "--profiles-dir names nowhere, which holds no profiles.yml"),
        (("catch-up", "--target", "nowhere"), "profiles.yml has no target nowhere: name one of local, dev"),
        (("sample", "--vars", "{top_windows: none}"), "top_windows is 'none'; it must be a whole number"),
    ],
)
def test_the_command_line_says_what_is_wrong(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    process = strata(tmp_path, *arguments)
    said, error = process.communicate()
    assert process.returncode == 1
    assert said == ""
    assert sentence in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "lake" / "warehouse").exists()
