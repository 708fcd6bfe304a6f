"""The command line `strata`: what dbt itself cannot do."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.console import Console

from strata import (
    doctor,
    history,
    new_source,
    places,
    project,
    repair,
    report,
    rollback,
    samples,
    settings,
    sources,
    storage,
)
from strata import schema as ledger
from strata.dbt_run import DbtOptions, targets_of
from strata.errors import StrataError, shown

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
# What is printed holds names that somebody gave, brackets among them.
console = Console(markup=False)

Vars = Annotated[str | None, typer.Option("--vars", help="dbt's variables, as YAML: '{name: value}'.")]
Target = Annotated[str | None, typer.Option("--target", help="dbt's target, by its name in profiles.yml.")]
ProfilesDir = Annotated[Path | None, typer.Option("--profiles-dir", help="The folder of profiles.yml.")]


def _options(variables: str | None, target: str | None, profiles_dir: Path | None) -> DbtOptions:
    """Return dbt's options; raise StrataError for variables that are wrong, and a folder without profiles.yml."""
    try:
        values = yaml.safe_load(variables or "{}")
    except yaml.YAMLError:
        values = None
    if not isinstance(values, dict):
        given = shown(repr(variables), 200)
        raise StrataError(f"--vars is {given}: write it as YAML, such as '{{max_removed_share: 0.7}}'.")
    settings.load(places.ROOT, values, sources.load())
    if profiles_dir is not None and not storage.exists(profiles_dir / "profiles.yml"):
        given = shown(str(profiles_dir), 200)
        raise StrataError(f"--profiles-dir names {given}, which holds no profiles.yml: name the folder of one.")
    if target is not None:
        # A profile that is broken dbt tells of.
        with contextlib.suppress(OSError, yaml.YAMLError, KeyError, TypeError):
            named = list(targets_of(profiles_dir)["outputs"])
            if target not in named:
                profiles = (profiles_dir or places.ROOT) / "profiles.yml"
                raise StrataError(f"{profiles} has no target {shown(target)}: name one of {', '.join(named)}.")
    return DbtOptions(variables, target, str(profiles_dir.resolve()) if profiles_dir else None)


def _source(name: str | None, arrives: str | None = None) -> list[str]:
    """Return the sources that an option names, all where it names none; raise StrataError for one that is not there."""
    names = [source.name for source in sources.load().values() if arrives in (None, source.arrives)]
    if name is not None and name not in names:
        what = "which has no history" if name in sources.load() else "which is no source"
        raise StrataError(
            f"--source names {shown(name)}, {what}: name one of {', '.join(names) or 'none, for none is declared'}."
        )
    return names if name is None else [name]


@app.callback()
def say_what_is_left_half_way(context: typer.Context) -> None:
    """Say, before any other command, that a rollback has not come to its end."""
    begun = None if context.invoked_subcommand in ("rollback", "init") else rollback.pending()
    if begun is not None:
        print(rollback.said_of(begun), file=sys.stderr)


History = Annotated[str | None, typer.Option("--source", help="Only the history of this source, such as purchases.")]


@app.command()
def catch_up(
    source: History = None, vars: Vars = None, target: Target = None, profiles_dir: ProfilesDir = None
) -> None:
    """Take every landed day that a history does not hold yet, in order; of all histories where none is named."""
    history.catch_up(_source(source, "daily_snapshot"), _options(vars, target, profiles_dir), console)


@app.command()
def replay(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day to play again.")],
    source: History = None,
    vars: Vars = None,
    target: Target = None,
    profiles_dir: ProfilesDir = None,
) -> None:
    """Set a history back to before a day, and play all landed days from there."""
    names = _source(source, "daily_snapshot")
    if len(names) != 1:
        raise StrataError(f"There are the histories {', '.join(names)}: name the one to replay in --source.")
    history.replay(first.date(), names[0], _options(vars, target, profiles_dir), console)


@app.command()
def rebuild(source: History = None, vars: Vars = None, target: Target = None, profiles_dir: ProfilesDir = None) -> None:
    """Derive a whole history from raw in one statement, and swap it in; all histories where none is named."""
    history.rebuild(_source(source, "daily_snapshot"), _options(vars, target, profiles_dir), console)


@app.command()
def schema(
    source: Annotated[str | None, typer.Option(help="Only this source, such as fleet_sensors.")] = None,
    vars: Vars = None,
    target: Target = None,
    profiles_dir: ProfilesDir = None,
) -> None:
    """Print how the schemas of what lands have changed, as a timeline."""
    _source(source)
    ledger.timeline(_options(vars, target, profiles_dir), console, source)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="A folder that is empty or not there.")],
    wheel: Annotated[Path | None, typer.Option(help="The installed wheel's file, where pip cannot get it.")] = None,
) -> None:
    """Lay out a project of your own, which runs on the very wheel that is installed."""
    project.init(folder, wheel)
    console.print(f"{folder} is a project of Strata. Next: cd {folder} && make build", soft_wrap=True, markup=False)


@app.command()
def sample(vars: Vars = None, target: Target = None, profiles_dir: ProfilesDir = None) -> None:
    """Put a small sample of each source into the default landing folder where there is none; never into a named one."""
    _options(vars, target, profiles_dir)
    if os.environ.get("STRATA_LANDING"):
        console.print(f"STRATA_LANDING names {places.landing()}: no sample is put there.", soft_wrap=True)
        return
    for source, write in samples.SAMPLES.items():
        folder = places.landing() / source
        if not storage.exists(folder):
            console.print(f"A sample of {len(write(places.landing()))} files is in {folder}.", soft_wrap=True)


@app.command("doctor")
def examine(
    deep: Annotated[bool, typer.Option("--deep", help="Read each data file whole, instead of its size.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: finding, place, repair, severity.")] = False,
    vars: Vars = None,
    target: Target = None,
    profiles_dir: ProfilesDir = None,
) -> None:
    """Check what a run needs and look at the lake, changing nothing; end non-zero when something is amiss."""
    with console.status("Looking at this machine and the lake"):
        told, findings = doctor.examine(
            functools.partial(_options, vars, target, profiles_dir), target, profiles_dir, deep=deep
        )
    doctor.show(console, told, findings, as_json=as_json)
    if findings:
        raise typer.Exit(1)


def _ask(is_yes: bool, question: str) -> None:
    """Go on where the answer is yes; raise StrataError where nobody can be asked."""
    if is_yes:
        return
    if not sys.stdin.isatty():
        raise StrataError("Nobody can be asked, for this is no terminal: say --yes, or call it from one.")
    typer.confirm(question, abort=True)


Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command("rollback")
def roll_back(
    to: Annotated[str | None, typer.Option(help="A run, by the beginning of its id: to where it ended.")] = None,
    before: Annotated[str | None, typer.Option(help="A run: to where the one before it ended.")] = None,
    at: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"],
            help="A time in UTC: to where the last run had ended by then.",
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="End a rollback that was killed half way.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take a rollback back that was killed half way.")] = False,
    yes: Yes = False,
    vars: Vars = None,
    target: Target = None,
    profiles_dir: ProfilesDir = None,
) -> None:
    """Bring all tables of the project back, together, to where a run ended; the plan is shown first."""
    if [to is not None, before is not None, at is not None, resume, undo].count(True) != 1:
        raise StrataError("A rollback wants one of --to, --before, --at, --resume and --undo.")
    options = _options(vars, target, profiles_dir)
    if resume or undo:
        rollback.end(options, console, undo=undo)
    else:
        rollback.roll_back(options, console, functools.partial(_ask, yes), to=to, before=before, at=at)


@app.command("repair")
def mend(yes: Yes = False, vars: Vars = None, target: Target = None, profiles_dir: ProfilesDir = None) -> None:
    """Do what is safe of what `strata doctor` finds in the lake; it is shown first. End non-zero when more is left."""
    if repair.repair(_options(vars, target, profiles_dir), console, functools.partial(_ask, yes)):
        raise typer.Exit(1)


@app.command()
def maintain(vars: Vars = None, target: Target = None, profiles_dir: ProfilesDir = None) -> None:
    """Compact tables of many small files, and clean all of what no rollback within `rollback_days` needs."""
    repair.maintain(_options(vars, target, profiles_dir), console)


Newest = Annotated[int, typer.Option("--limit", min=1, help="How many, the newest ones.")]


@app.command()
def runs(
    limit: Newest = 20,
    target: Annotated[str | None, typer.Option("--target", help="Only the runs on this target of dbt.")] = None,
) -> None:
    """Print what ran in the lake, newest first: who ran what, how it ended, and what it changed."""
    report.runs(console, limit, target)


@app.command("history")
def history_of_table(
    table: Annotated[str, typer.Argument(help="Schema and name, as in stage.purchases, or a name that only one has.")],
    limit: Newest = 20,
) -> None:
    """Print the versions of a table, newest first: what made each, in which run, and the figures of Delta."""
    report.versions(console, table, limit)


app.command("new-source")(new_source.command)


def main() -> None:
    """Run the command line; a StrataError is one sentence on standard error and exit code 1."""
    try:
        app()
    except StrataError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
