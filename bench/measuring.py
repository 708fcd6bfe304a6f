"""Measures: seconds, and peak memory, of commands and of work, several times each; what pyperf keeps and sums up."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
import pyperf

from strata import places
from strata.errors import StrataError

# How often the memory of a command's processes is looked at, in seconds.
EVERY = 0.2
MEMORY = ": peak memory"
# How many of a command's nodes are told of.
LONGEST = 6
DBT = str(Path(sys.executable).with_name("dbt"))
# Unit tests depend on code alone.
DATA_ALONE = ["--exclude-resource-type", "unit_test"]
WITHOUT_TESTS = [*DATA_ALONE, "--exclude-resource-type", "test"]


@dataclass(frozen=True)
class Row:
    """A row of the table: what was measured by the names of two measures, and the ratio of their medians to reach."""

    what: str
    this: str
    that: str
    target: float | None = None


def _without_own(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without settings of this project's and dbt's, which the other side would not have."""
    return {name: value for name, value in environment.items() if not name.startswith(("STRATA_", "DBT_"))}


def _memory(process: psutil.Process) -> int:
    """
    Return the bytes of memory that a process and all it started hold; pages that they share count for each.

    Java starts others in a copy of itself, and does so for each file: until that has become what it was started for, it
    bears Java's command and shows all of Java's memory, which is held once.
    """
    held = 0
    commands: dict[int, list[str]] = {}
    with contextlib.suppress(psutil.Error):
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                # First the command: what becomes another in between is left out, or has let go of the memory by then.
                commands[one.pid] = one.cmdline()
                if commands[one.pid] != commands.get(one.ppid()):
                    held += one.memory_info().rss
    return held


class Measures:
    """What was measured, by name: seconds, or bytes where the name says memory."""

    def __init__(self, told: dict[str, Any] | None = None) -> None:
        """Begin with nothing, or with what as_json() has told."""
        self._values: dict[str, list[float]] = told["values"] if told else {}
        # Where the time of a command went, by its name.
        self.phases: dict[str, dict[str, Any]] = told["phases"] if told else {}

    def as_json(self) -> dict[str, Any]:
        """Return all of it, as JSON can hold it."""
        return {"values": self._values, "phases": self.phases}

    def note(self, name: str, value: float) -> None:
        """Add a value."""
        self._values.setdefault(name, []).append(round(value, 3))

    def time(self, name: str, command: list[str], environment: dict[str, str], folder: Path = places.ROOT) -> None:
        """Run a command to its end, and note its seconds and its peak memory; raise StrataError when it fails."""
        start = time.perf_counter()
        process = psutil.Popen(
            command,
            cwd=folder,
            env=_without_own(os.environ) | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        peak, said = 0, ""
        while True:
            peak = max(peak, _memory(process))
            try:
                said, _ = process.communicate(timeout=EVERY)
                break
            except subprocess.TimeoutExpired:
                continue
        seconds = time.perf_counter() - start
        if process.returncode != 0:
            raise StrataError(f"{' '.join(command)} failed: {said[-2000:]}")
        self.note(name, seconds)
        self.note(name + MEMORY, peak)

    def tell_phases(self, name: str, target: Path) -> None:
        """Keep where the time of a dbt command went, from what it left in its target folder."""
        told = json.loads((target / "run_results.json").read_text())
        spent: dict[str, float] = defaultdict(float)
        counts: dict[str, int] = defaultdict(int)
        nodes = []
        for one in told["results"]:
            kind = one["unique_id"].split(".")[0]
            spent[kind] += one["execution_time"]
            counts[kind] += 1
            nodes.append((one["unique_id"].split(".")[2], one["execution_time"]))
        nodes.sort(key=lambda node: -node[1])
        running = told["elapsed_time"]
        self.phases[name] = {"running": running, "spent": spent, "counts": counts, "longest": nodes[:LONGEST]}

    def values(self, name: str) -> pyperf.Benchmark | None:
        """Return what was measured under a name; None where nothing was."""
        if name not in self._values:
            return None
        metadata = {"name": name, "unit": "byte" if MEMORY in name else "second"}
        return pyperf.Benchmark([pyperf.Run(self._values[name], metadata=metadata, collect_metadata=False)])


def seconds_of(work: Callable[[], None]) -> float:
    """Return the seconds that work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _do(work: Callable, arguments: tuple) -> Any:
    try:
        return work(*arguments)
    except Exception as error:
        # Spark's errors do not pass from one process to another.
        raise StrataError(f"{work.__name__} failed: {type(error).__name__}: {error}") from None


def apart(work: Callable, *arguments: Any) -> Any:
    """Do work in a fresh process, for a process has one lake, and return what it returns."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_do, work, arguments).result()


def places_of(folder: Path) -> dict[str, str]:
    """Return the environment in which a folder has the landing folder, the lake and all that dbt writes."""
    return {
        "STRATA_LANDING": str(folder / "landing"),
        "STRATA_LAKE": str(folder / "lake"),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }


def enter(folder: Path) -> None:
    """Make the places of a folder those of this process, which has no other settings."""
    for name in set(os.environ) - set(_without_own(os.environ)):
        del os.environ[name]
    os.environ.update(places_of(folder))
