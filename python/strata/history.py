"""Histories of daily snapshots over many days: catching up, replaying and rebuilding, by dbt in this process."""

from __future__ import annotations

import re
from datetime import date

from dbt.contracts.graph.manifest import Manifest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from strata import record
from strata.dbt_run import DbtOptions, failures, of_subject, parse, run_dbt
from strata.errors import StrataError
from strata.report import sayer

# What macros/history/take_day.sql says of each day that it has taken.
DAY_TAKEN = re.compile(r"^\w+ \d{4}-\d{2}-\d{2}: .* (\d+) days? left\.$")


class DayBar:
    """A bar over the pending days, moved by what dbt says; without a terminal only the lines are printed."""

    def __init__(self, console: Console) -> None:
        self.progress = Progress(
            TextColumn("days"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self.task = self.progress.add_task("days", total=None)
        self.done = 0

    def listen(self, event) -> None:
        """Take one event of dbt."""
        if event.info.name not in ("JinjaLogInfo", "JinjaLogWarning"):
            return
        sayer(self.progress.console)(event.info.msg)
        taken = DAY_TAKEN.match(event.info.msg)
        if taken:
            self.done += 1
            self.progress.update(self.task, completed=self.done, total=self.done + int(taken[1]))


def _dbt(command: list[str], options: DbtOptions, console: Console, manifest: Manifest | None = None) -> list[str]:
    """Run a dbt command in this process and return the sentences of what it refused or failed."""
    bar = DayBar(console)
    with bar.progress:
        return failures(run_dbt(command, options, bar.listen, manifest))


def _snapshot(names: list[str], options: DbtOptions, console: Console, is_one: bool = True, **variables: str) -> None:
    """Run the snapshots of some histories with variables, then bring along what is made of the sources.

    Raises StrataError when one is refused; with `is_one` before anything is brought along.
    """
    manifest = parse(options)
    command = f"strata {variables['history']} --source {' '.join(names)}"
    with record.shared(command, sayer(console)):
        refused = _dbt(["snapshot", "--select", *names], options.with_vars(variables), console, manifest)
        if is_one:
            _end(refused)
        subjects = [selection for name in names for selection in of_subject(name)]
        _end(refused + _dbt(["run", "--select", *subjects], options, console, manifest))


def _end(refused: list[str]) -> None:
    if refused:
        raise StrataError("\n".join(dict.fromkeys(refused)))


def take_next(names: list[str], options: DbtOptions, console: Console) -> None:
    """Take the oldest pending day of histories, as plain `dbt snapshot` does; raise StrataError when one is refused."""
    _end(_dbt(["snapshot", "--select", *names], options, console))


def catch_up(names: list[str], options: DbtOptions, console: Console) -> None:
    """Take every pending day in order; raise StrataError when one is refused, with those before it taken."""
    _snapshot(names, options, console, is_one=False, history="catch-up")


def replay(day: date, name: str, options: DbtOptions, console: Console) -> None:
    """Take every landed day from one on again; raise StrataError, with the history as before, when one is refused."""
    _snapshot([name], options, console, history="replay", replay_from=day.isoformat())


def rebuild(names: list[str], options: DbtOptions, console: Console) -> None:
    """Derive histories from raw and swap them in; raise StrataError, with one as before, if a day of it is refused."""
    _snapshot(names, options, console, is_one=len(names) == 1, history="rebuild")
