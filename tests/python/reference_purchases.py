"""The history of purchases in plain Python, from the rules, one day and one purchase after the other."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date

Row = tuple[str, str, str, str]  # PurchaseID, product, user, date, as landed
Days = dict[date, list[Row]]
EARLIEST = date(2000, 1, 1)


@dataclass(frozen=True)
class Version:
    """A row of stage.purchases, without the columns that follow from these."""

    purchase_id: int
    product_id: int
    user_id: int
    purchased_on: date
    version: int
    valid_from: date
    valid_to: date | None
    recorded_on: date
    closed_on: date | None


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
    except ValueError:
        return None


def values(row: Row, landed_on: date, earliest: date = EARLIEST) -> tuple[int, int, date] | None:
    """Return product, user and date of a valid row, None for one that is not valid."""
    key, product, user, day = row
    bought = _date(day)
    if (
        re.fullmatch(r"[0-9]{10}", key)
        and re.fullmatch(r"[0-9]{1,9}", product)
        and int(product) >= 1
        and re.fullmatch(r"[0-9]{7}", user)
        and bought is not None
        and earliest <= bought <= landed_on
    ):
        return int(product), int(user), bought
    return None


def day_of(
    rows: list[Row], landed_on: date, earliest: date = EARLIEST
) -> tuple[dict[int, tuple[int, int, date]], set[int], list[Row]]:
    """Return a day's valid purchases, its quarantined ones, and its quarantined rows."""
    found: dict[int, set] = defaultdict(set)
    for row in rows:
        if re.fullmatch(r"[0-9]{10}", row[0]):
            found[int(row[0])].add(values(row, landed_on, earliest))
    quarantined = {key for key, seen in found.items() if None in seen or len(seen) > 1}
    valid = {key: next(iter(seen)) for key, seen in found.items() if key not in quarantined}
    bad = [row for row in rows if not re.fullmatch(r"[0-9]{10}", row[0]) or int(row[0]) in quarantined]
    return valid, quarantined, bad


def history(days: Days, earliest: date = EARLIEST) -> list[Version]:
    """Return every version, by purchase and number."""
    versions: dict[int, list[Version]] = defaultdict(list)
    for landed_on in sorted(days):
        valid, quarantined, _ = day_of(days[landed_on], landed_on, earliest)
        for key, value in valid.items():
            before = versions[key][-1] if versions[key] else None
            product, user, bought = value
            if before is None:
                start = bought
            elif before.valid_to is None:
                if (before.product_id, before.user_id, before.purchased_on) == value:
                    continue
                start = bought if bought > before.valid_from else landed_on
                versions[key][-1] = replace(before, valid_to=start, closed_on=landed_on)
            else:
                start = bought if bought >= before.valid_to else landed_on
            number = len(versions[key]) + 1
            versions[key].append(Version(key, product, user, bought, number, start, None, landed_on, None))
        for key, rows in versions.items():
            if rows and rows[-1].valid_to is None and key not in valid and key not in quarantined:
                rows[-1] = replace(rows[-1], valid_to=landed_on, closed_on=landed_on)
    return [version for key in sorted(versions) for version in versions[key]]


def changes(days: Days, earliest: date = EARLIEST) -> list[tuple]:
    """Return rows of mart.purchase_changes: landed day; new, modified, removed, returned, unchanged, quarantined."""
    rows, before = [], {}
    seen: set[int] = set()
    for landed_on in sorted(days):
        valid, quarantined, _ = day_of(days[landed_on], landed_on, earliest)
        new = sum(key not in seen for key in valid)
        returned = sum(key in seen and key not in before for key in valid)
        modified = sum(key in before and before[key] != value for key, value in valid.items())
        unchanged = sum(before.get(key) == value for key, value in valid.items())
        removed = sum(key not in valid and key not in quarantined for key in before)
        rows.append((landed_on, new, modified, removed, returned, unchanged, len(quarantined)))
        before = {**valid, **{key: value for key, value in before.items() if key in quarantined}}
        seen |= set(valid)
    return rows
