"""The history of purchases over many days: catching up, replaying and rebuilding, by dbt in this process."""

from __future__ import annotations

import re
from datetime import date

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from strata.dbt_run import DbtOptions, run_dbt, sentence
from strata.errors import StrataError

# What macros/spark/snapshot.sql says of each day that it has taken.
DAY_TAKEN = re.compile(r"^\d{4}-\d{2}-\d{2}: .* (\d+) days? left\.$")
FOLLOWING = [f"path:models/{layer}/purchases" for layer in ("raw", "ops", "stage", "quarantine", "mart")]


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
        self.progress.console.print(event.info.msg, soft_wrap=True, highlight=False, markup=False)
        taken = DAY_TAKEN.match(event.info.msg)
        if taken:
            self.done += 1
            self.progress.update(self.task, completed=self.done, total=self.done + int(taken[1]))


def _dbt(command: list[str], options: DbtOptions, console: Console, **environment: str) -> list[str]:
    """Run a dbt command in this process and return the sentences of what it refused or failed."""
    bar = DayBar(console)
    with bar.progress:
        results = run_dbt(command, options, bar.listen, **environment)
    failed = [result for result in results if result.status in ("error", "fail", "runtime error")]
    return list(dict.fromkeys(sentence(result.message or f"{result.node.name} failed.") for result in failed))


def _bring_along(options: DbtOptions, console: Console) -> list[str]:
    """Bring quarantine and marts up to date; return what was refused."""
    return _dbt(["run", "--select", *FOLLOWING], options, console)


def _snapshot(options: DbtOptions, console: Console, **environment: str) -> list[str]:
    return _dbt(["snapshot", "--select", "purchases"], options, console, **environment)


def _end(refused: list[str]) -> None:
    if refused:
        raise StrataError("\n".join(dict.fromkeys(refused)))


def take_next(options: DbtOptions, console: Console) -> None:
    """Take the oldest pending day, as plain `dbt snapshot` does; raise StrataError when it is refused."""
    _end(_snapshot(options, console))


def catch_up(options: DbtOptions, console: Console) -> None:
    """Take every pending day in order; raise StrataError when one is refused, with those before it taken."""
    refused = _snapshot(options, console, STRATA_HISTORY="catch-up")
    _end(refused + _bring_along(options, console))


def replay(day: date, options: DbtOptions, console: Console) -> None:
    """Take every landed day from one on again; raise StrataError, with the history as before, when one is refused."""
    _end(_snapshot(options, console, STRATA_HISTORY="replay", STRATA_REPLAY_FROM=day.isoformat()))
    _end(_bring_along(options, console))


def rebuild(options: DbtOptions, console: Console) -> None:
    """Derive the whole history from raw and swap it in; raise StrataError, with it as before, when a day is refused."""
    environment = {"STRATA_HISTORY": "rebuild"}
    _end(_dbt(["run", "--select", "+rebuilt_purchases"], options, console, **environment))
    _end(_snapshot(options, console, **environment))
    _end(_bring_along(options, console))
