"""The command line `strata`: what dbt itself cannot do."""

from __future__ import annotations

import functools
import os
import platform
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.console import Console
from rich.table import Table

from strata import (
    history,
    jars,
    java,
    lake,
    new_source,
    places,
    project,
    report,
    rollback,
    samples,
    settings,
    sources,
    storage,
)
from strata import schema as ledger
from strata.dbt_run import DbtOptions, credentials
from strata.errors import StrataError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
console = Console()

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
        raise StrataError(f"--vars is {variables!r}: write it as YAML, such as '{{max_removed_share: 0.7}}'.")
    settings.load(places.ROOT, values, sources.load())
    if profiles_dir is not None and not (profiles_dir / "profiles.yml").exists():
        raise StrataError(f"--profiles-dir names {profiles_dir}, which holds no profiles.yml: name the folder of one.")
    return DbtOptions(variables, target, str(profiles_dir.resolve()) if profiles_dir else None)


def _source(name: str | None, arrives: str | None = None) -> list[str]:
    """Return the sources that an option names, all where it names none; raise StrataError for one that is not there."""
    names = [source.name for source in sources.load().values() if arrives in (None, source.arrives)]
    if name is not None and name not in names:
        what = "which has no history" if name in sources.load() else "which is no source"
        raise StrataError(
            f"--source names {name}, {what}: name one of {', '.join(names) or 'none, for none is declared'}."
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


@app.command()
def doctor(vars: Vars = None, target: Target = None, profiles_dir: ProfilesDir = None) -> None:
    """Check what a run needs, one line a thing, and end non-zero when something is amiss."""
    options = None

    def fit() -> str:
        nonlocal options
        options = _options(vars, target, profiles_dir)
        return _settings(options)

    checks = {"settings": fit, "Python": lambda: platform.python_version(), "dbt packages": _packages}
    if _is_embedded(target, profiles_dir):
        checks |= {
            "Java": lambda: str(java.check()),
            "Delta's jars": lambda: f"{len(jars.class_path().split(':'))} in {places.jars_dir()}",
            "class-data archive": _archive,
            "landing folder": _landing,
            "lake": _lake,
        }
    else:
        checks |= {
            "cluster": lambda: _cluster(options),
            "landing folder": lambda: _in_reach("landing folder", places.landing()),
            "lake": lambda: _in_reach("lake", places.lake()),
        }
    table = Table("what", "state")
    failed = False
    for name, check in checks.items():
        try:
            table.add_row(name, check())
        except StrataError as error:
            failed = True
            table.add_row(name, f"[red]{error}[/red]")
    console.print(table)
    if failed:
        raise typer.Exit(1)


def _targets(profiles_dir: str | Path | None) -> dict:
    """Return what profiles.yml says, unrendered: the default `target`, and the `outputs` by name."""
    return yaml.safe_load((Path(profiles_dir or places.ROOT) / "profiles.yml").read_text())["strata"]


def _is_embedded(target: str | None, profiles_dir: Path | None) -> bool:
    try:
        targets = _targets(profiles_dir)
    except (OSError, yaml.YAMLError):
        return True  # the check of the settings says what is amiss
    found = targets["outputs"].get(target or targets["target"])
    return found is None or (found.get("type"), found.get("method")) == ("spark", "session")


def _settings(options: DbtOptions) -> str:
    profiles = Path(options.profiles_dir or places.ROOT) / "profiles.yml"
    targets = _targets(profiles.parent)
    target = options.target or targets["target"]
    if target not in targets["outputs"]:
        raise StrataError(f"{profiles} has no target {target}: name one of {', '.join(targets['outputs'])}.")
    return f"fit, target {target} of {profiles}"


def _cluster(options: DbtOptions | None) -> str:
    if options is None:
        return "not asked, for the settings are wrong"
    # What dbt-spark needs for it no other command need pay.
    from strata import cluster

    found = credentials(options)
    places.check(is_embedded=False)
    cluster.check(found)
    asked = cluster.Cluster(found)
    version = asked.query("select version()")[0][0].split()[0]
    asked.close()
    return f"{asked.name.removeprefix('The ')}, {version}"


def _in_reach(name: str, folder: Path) -> str:
    """Return a place that this client can list; raise StrataError for one that it cannot."""
    try:
        storage.entries(folder)
    except FileNotFoundError:
        return f"{folder}, in which nothing is yet"
    except OSError as error:
        raise StrataError(
            f"The {name} {folder} cannot be listed ({storage.said(error)}): {storage.STORE_MEND}."
        ) from None
    return str(folder)


def _packages() -> str:
    found = sorted(path.name for path in (places.ROOT / "dbt_packages").glob("*") if path.is_dir())
    if not found:
        raise StrataError("dbt's packages are missing: run 'make setup'.")
    return ", ".join(found)


def _archive() -> str:
    return "made" if places.class_archive().exists() else "none: runs start slower; 'make setup' makes it"


def _landing() -> str:
    folder = places.landing()
    if not storage.exists(folder):
        return f"{folder}, which is not there yet: nothing has landed"
    if not storage.may_use(folder):
        raise StrataError(f"The landing folder {folder} cannot be read by this user: give it the right to.")
    return str(folder)


def _lake() -> str:
    places.check()
    folder = places.lake()
    lake.hold(folder)
    lake.release(folder)
    return f"{folder}, free, {storage.free_bytes(folder) // 1024**3} GB left on its disk"


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
