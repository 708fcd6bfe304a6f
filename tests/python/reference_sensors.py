"""The fleet's tables in plain Python, from the rules: what a lake must hold for landed files of JSON lines."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reference import _floor

OWN = {
    "truck_id",
    "recorded_at",
    "value_count",
    "other_values",
    "line",
    "path",
    "landed_on",
    "file_modified_at",
    "loaded_at",
}
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", re.ASCII)


class Number(str):
    """A JSON number, NaN or Infinity, as the text that landed."""


class Pairs(list):
    """A JSON object as its pairs, in their order, a key maybe twice."""


def column_name(name: str) -> str:
    """The rule for a sensor's column, once more."""
    plain = re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name) and not re.search(r"_[0-9a-f]{8}\Z", name) and name not in OWN
    if plain:
        return name
    cleaned = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:50].strip("_")
    start = cleaned if re.match("[a-z]", cleaned) else f"column_{cleaned}".strip("_")
    return f"{start}_{hashlib.md5(name.encode()).hexdigest()[:8]}"


class Doubled(ValueError):
    """An object with a key twice."""


def once(pairs: list[tuple[str, object]]) -> Pairs:
    """Take an object's pairs when no key is there twice."""
    if len(dict(pairs)) != len(pairs):
        raise Doubled
    return Pairs(pairs)


def members(line: str) -> dict[str, object] | None:
    """Read a line as a JSON object with each key once, at any depth; None where it is none."""
    try:
        pairs = json.loads(line, parse_float=Number, parse_int=Number, parse_constant=Number, object_pairs_hook=once)
    except ValueError:
        return None
    return dict(pairs) if isinstance(pairs, Pairs) else None


def time_of(value: object, modified_at: datetime) -> datetime | None:
    """Read a time that is valid, in UTC without a zone; None where it is not."""
    if not isinstance(value, str) or not TIME.fullmatch(value):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    moment = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return moment if datetime(2000, 1, 1) <= moment <= modified_at.replace(tzinfo=None) else None


def json_type(value: object) -> str:
    """Name what a value is, as the ledger does."""
    if isinstance(value, Number):
        number = float(value)
        return "NaN" if math.isnan(number) else "infinity" if math.isinf(number) else "number"
    kinds = {bool: "boolean", str: "string", Pairs: "object", list: "array"}
    return kinds[type(value)]


@dataclass
class Tables:
    """What the lake's tables hold: rows in the order of their keys."""

    lines: dict[str, tuple[int, int]]  # by file: valid and quarantined
    keys: dict[tuple[str, str], tuple[list[str], int]]  # by file and key: types and values
    readings: list[tuple]
    quarantined: Counter
    windows: list[tuple]
    catalog: list[tuple]


def tables(files: dict[str, str], modified_at: datetime, max_share: float = 0.05) -> Tables:
    """Derive all tables from the files' texts by their names; every key has a column."""
    lines: dict[str, tuple[int, int]] = {}
    keys: dict[tuple[str, str], tuple[list[str], int]] = {}
    numbers: dict[tuple, list[tuple[float, str]]] = defaultdict(list)
    quarantined: Counter = Counter()
    for path in sorted(files):
        rows = [members(line) for line in files[path].split("\n") if line.strip()]
        valid = []
        for row in rows:
            truck = row and row.get("truck_id")
            is_truck = isinstance(truck, Number) or (isinstance(truck, str) and bool(truck.strip(" ")))
            moment = row and time_of(row.get("recorded_at"), modified_at)
            if row and is_truck and json_type(truck) in ("string", "number") and moment:
                valid.append((str(truck), moment, row))
        if len(rows) - len(valid) > len(rows) * max_share:
            continue
        lines[path] = (len(valid), len(rows) - len(valid))
        types: dict[str, Counter] = defaultdict(Counter)
        for truck, moment, row in valid:
            for name, value in row.items():
                types[name].update([] if value is None else [json_type(value)])
                if name in ("truck_id", "recorded_at") or value is None:
                    continue
                if json_type(value) == "number":
                    numbers[truck, moment, column_name(name)].append((float(value) + 0.0, path))
                else:
                    quarantined[truck, moment, column_name(name), "not_a_number", path] += 1
        keys.update({(path, name): (sorted(kinds), sum(kinds.values())) for name, kinds in types.items()})
    readings = []
    for key, found in numbers.items():
        if len({value for value, _ in found}) == 1:
            readings.append((*key, found[0][0], min(path for _, path in found), len(found) - 1))
        else:
            quarantined.update((*key, "conflicting", path) for _, path in found)
    readings.sort()
    return Tables(lines, keys, readings, quarantined, windows(readings), catalog(readings, keys))


def windows(readings: list[tuple], window_minutes: int = 10) -> list[tuple]:
    """Rows (truck, sensor, start, end, count, min, average, max, last, first at, last at) by the first three."""
    grouped = defaultdict(list)
    for truck, moment, sensor, value, *_ in sorted(readings):
        grouped[truck, sensor, _floor(moment, window_minutes)].append((moment, value))
    rows = []
    for (truck, sensor, start), found in sorted(grouped.items()):
        values = [value for _, value in found]
        total = 0.0
        for value in values:
            total += value
        rows.append((
            truck, sensor, start, start + timedelta(minutes=window_minutes), len(values), min(values),
            total / len(values), max(values), values[-1], found[0][0], found[-1][0],
        ))  # fmt: skip
    return rows


def catalog(readings: list[tuple], keys: dict[tuple[str, str], tuple]) -> list[tuple]:
    """Rows (sensor, landed name, first and last seen, trucks, readings, share of windows) by sensor."""
    landed = {column_name(name): name for _, name in keys}
    of_trucks: dict[str, set] = defaultdict(set)
    of_sensors: dict[str, set] = defaultdict(set)
    found = defaultdict(list)
    for truck, moment, sensor, *_ in readings:
        of_trucks[truck].add(_floor(moment, 10))
        of_sensors[sensor].add((truck, _floor(moment, 10)))
        found[sensor].append((moment, truck))
    rows = []
    for sensor, seen in sorted(found.items()):
        trucks = {truck for _, truck in seen}
        share = len(of_sensors[sensor]) / sum(len(of_trucks[truck]) for truck in trucks)
        rows.append((sensor, landed[sensor], min(seen)[0], max(seen)[0], len(trucks), len(seen), share))
    return rows
