"""Made data: a small sample of each source, and as much as a benchmark wants."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from strata import storage

SEED = 20260105
FIRST_DAY = datetime(2026, 1, 5, tzinfo=UTC)


def event_lines(count: int, start: datetime, days: float, seed: int = SEED) -> Iterator[str]:
    """Yield `count` lines `time,action`, evenly spread from `start` over `days`; equal arguments give equal lines."""
    chance = random.Random(seed)
    step = timedelta(days=days) / max(count, 1)
    for number in range(count):
        moment = start + number * step
        action = "Open" if chance.random() < 0.5 else "Close"
        yield f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z,{action}\n"


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a file, gzipped where its name ends in .gz; it appears under its name only when it is whole."""
    is_gzip = path.name.endswith(".gz")
    with storage.create(path) as stream, gzip.open(stream, "wt") if is_gzip else io.TextIOWrapper(stream) as file:
        file.writelines(lines)


def write_csv(path: Path, lines: Iterator[str], header: str = "time,action\n") -> None:
    """Write a CSV file as write_lines does."""
    write_lines(path, itertools.chain([header], lines))


def _day_of_a_shop(day: datetime, chance: random.Random) -> Iterator[str]:
    """Yield a day's lines: busy from 07:00 to 21:00 with a rush at noon, quiet at night."""
    for minute in range(7 * 60, 21 * 60):
        rush = 3 if 11 * 60 <= minute < 14 * 60 else 1
        for _ in range(chance.randint(0, 2 * rush)):
            moment = day + timedelta(minutes=minute, milliseconds=chance.randrange(60_000))
            yield f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z,{chance.choice(['Open', 'Close'])}\n"


def write_event_sample(landing: Path) -> list[Path]:
    """Write a sample of events below a landing folder and return its files.

    Three days of events, one of them gzipped; the last day brings late events of the first, and a few rows that are
    not valid.
    """
    chance = random.Random(SEED)
    days = [FIRST_DAY + timedelta(days=number) for number in range(3)]
    lines = [list(_day_of_a_shop(day, chance)) for day in days]
    late = [line for line in lines[0] if line[11:13] == "16"]
    lines[0] = [line for line in lines[0] if line[11:13] != "16"]
    faulty = ["12:30,Open\n", "2026-01-07T10:00:00Z,open\n", "2026-01-07T10:00:00Z\n"]
    folder = landing / "events"
    files = {
        folder / f"{days[0]:%Y/%m/%d}" / "events.csv": lines[0],
        folder / f"{days[1]:%Y/%m/%d}" / "events.csv.gz": lines[1],
        folder / f"{days[2]:%Y/%m/%d}" / "events.csv": [*lines[2], *faulty],
        folder / f"{days[2]:%Y/%m/%d}" / "late.csv": late,
    }
    for path, content in files.items():
        write_csv(path, iter(content))
    return list(files)


# Two days of purchases: the second changes one and brings one.
PURCHASES = {
    "2023/07/21": [
        "1002313003,12,1003431,2022-05-20\n",
        "1002313002,13,1003432,2021-06-19\n",
        "1002313004,14,1003433,2023-07-21\n",
    ],
    "2023/07/22": [
        "1002313003,12,1003431,2022-05-20\n",
        "1002313002,13,1003432,2021-06-19\n",
        "1002313004,10,1003433,2023-07-22\n",
        "1002313005,15,1003434,2023-07-22\n",
    ],
}
PURCHASES_HEADER = "PurchaseID,product,user,date\n"


def write_purchase_sample(landing: Path) -> list[Path]:
    """Write the two days of purchases below a landing folder and return their files."""
    files = []
    for day, lines in PURCHASES.items():
        path = landing / "purchases" / day / "purchases.csv"
        write_csv(path, iter(lines), PURCHASES_HEADER)
        files.append(path)
    return files


class PurchaseTable:
    """A table of purchases as a source has it, that changes a little every day; equal arguments give equal days."""

    def __init__(self, count: int, first_day: date, seed: int = SEED) -> None:
        self.day = first_day
        self.next_id = 1_000_000_000 + count
        self._chance = random.Random(seed)
        self._rows = [self._row(1_000_000_000 + number) for number in range(count)]

    def _row(self, purchase_id: int) -> str:
        chance = self._chance
        return f"{purchase_id},{chance.randint(1, 999)},{chance.randint(1_000_000, 9_999_999)},{self.day}\n"

    def land(self, landing: Path) -> Path:
        """Write the table as the day's snapshot below a landing folder, and return the file."""
        path = landing / "purchases" / f"{self.day:%Y/%m/%d}" / "purchases.csv"
        write_csv(path, iter(self._rows), PURCHASES_HEADER)
        return path

    def next_day(self, changed: float = 0.01, new: float = 0.001, removed: float = 0.001) -> None:
        """Go on by a day, with shares of the rows changed, new and removed."""
        self.day += timedelta(days=1)
        count = len(self._rows)
        for place in self._chance.sample(range(count), int(count * changed)):
            self._rows[place] = self._row(int(self._rows[place][:10]))
        for place in sorted(self._chance.sample(range(count), int(count * removed)), reverse=True):
            self._rows[place] = self._rows[-1]
            self._rows.pop()
        for _ in range(int(count * new)):
            self._rows.append(self._row(self.next_id))
            self.next_id += 1


# The fleet's sensors: what each reads at rest, how far it strays, and every how many minutes a truck sends it.
SENSORS = {
    "speed": (55.0, 30.0, 1),
    "engine_rpm": (1400.0, 400.0, 1),
    "oil_temp": (96.0, 8.0, 5),
    "coolant_temp": (88.0, 6.0, 5),
    "fuel_level": (60.0, 35.0, 15),
    "battery_voltage": (27.4, 0.8, 15),
    "tire_pressure_front": (8.2, 0.3, 30),
    "tire_pressure_rear": (8.4, 0.3, 30),
    "cargo_temp": (4.0, 2.0, 10),
    "odometer": (250_000.0, 100_000.0, 60),
}
# Two that come with the second day, named as whoever added them liked.
NEW_SENSORS = {"adblue_level": (70.0, 25.0, 30), "Axle Load (t)": (9.5, 1.5, 60)}
SILENT_SENSOR = "cargo_temp"


def sensor_lines(
    day: datetime,
    trucks: int,
    minutes: Iterable[int],
    sensors: dict[str, tuple[float, float, int]],
    chance: random.Random,
) -> Iterator[str]:
    """Yield JSON lines of a day: of each truck and minute the sensors whose turn it is, some of them left out."""
    for minute in minutes:
        for truck in range(trucks):
            values = {
                name: round(chance.gauss(rest, strays / 3), 2)
                for name, (rest, strays, every) in sensors.items()
                if (minute + truck) % every == 0 and chance.random() < 0.7
            }
            if values:
                moment = day + timedelta(minutes=minute, seconds=chance.randrange(60))
                line = {"truck_id": f"truck-{truck + 1:02}", "recorded_at": f"{moment:%Y-%m-%dT%H:%M:%SZ}", **values}
                yield json.dumps(line) + "\n"


def sensor_day(count: int, day: datetime, sensors: int, seed: int = SEED) -> Iterator[str]:
    """Yield `count` JSON lines of 50 trucks over a day, each with five sensors; equal arguments give equal lines."""
    chance = random.Random(seed)
    names = [f"sensor_{number:03}" for number in range(sensors)]
    step = timedelta(days=1) / max(count, 1)
    for number in range(count):
        some = chance.sample(names, min(5, sensors))
        values = ", ".join(f'"{name}": {chance.random() * 100:.2f}' for name in some)
        at = (day + number * step).isoformat(timespec="microseconds")
        yield f'{{"truck_id": "truck-{number % 50:02}", "recorded_at": "{at}", {values}}}\n'


def write_sensor_sample(landing: Path) -> list[Path]:
    """Write three days of a fleet of 20 trucks below a landing folder and return the files.

    Two more sensors come with the second day, one falls silent on the third, and a few values and lines are not valid.
    """
    chance = random.Random(SEED)
    files = []
    for number in range(3):
        day = FIRST_DAY + timedelta(days=number)
        sensors = SENSORS if number == 0 else {**SENSORS, **NEW_SENSORS}
        if number == 2:
            sensors = {name: how for name, how in sensors.items() if name != SILENT_SENSOR}
        lines = list(sensor_lines(day, 20, range(8 * 60, 18 * 60, 5), sensors, chance))
        if number == 1:
            at = f"{day:%Y-%m-%d}T12:00:00Z"
            lines += [
                f'{{"truck_id": "truck-01", "recorded_at": "{at}", "speed": "n/a", "oil_temp": 95.5}}\n',
                f'{{"truck_id": "truck-02", "recorded_at": "{at}", "speed": 5\n',
                f'{{"recorded_at": "{at}", "speed": 51.0}}\n',
            ]
        path = landing / "fleet_sensors" / f"{day:%Y/%m/%d}" / ("sensors.jsonl.gz" if number == 1 else "sensors.jsonl")
        write_lines(path, iter(lines))
        files.append(path)
    return files


SAMPLES = {"events": write_event_sample, "purchases": write_purchase_sample, "fleet_sensors": write_sensor_sample}
