"""`strata repair` and `strata maintain`: what is safe to mend in a lake, and what keeps it small; each is a run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from rich.console import Console

from strata import delta_files, doctor, inspection, lake, operations, places, record
from strata.dbt_run import DbtOptions, parse
from strata.inspection import Finding
from strata.report import sayer


def repair(options: DbtOptions, console: Console, ask: Callable[[str], None]) -> list[Finding]:
    """Do what is safe of what `strata doctor` finds, after a question; print and return what is left to people.

    Raise StrataError where a run works in the lake, or a step fails; each step is done whole, or not at all.
    """
    findings = _looked(options, console)
    safe, others = [one for one in findings if one.mend], [one for one in findings if not one.mend]
    say = sayer(console)
    if others and safe:
        say("What 'strata repair' does not mend:")
    doctor.print_findings(others, console)
    if not safe:
        what = "Nothing of this is for 'strata repair' to mend" if findings else "Nothing is amiss in the lake"
        say(f"{what}: nothing was done.")
        return findings
    say("What 'strata repair' mends:")
    doctor.print_findings(safe, console)
    ask(f"Mend {_things(len(safe))}?")
    say("This takes a while: Spark works on it.")
    with record.shared(inspection.REPAIR, say):
        if any(one.mend == "renew metastore" for one in safe):
            # Spark would not start on it.
            lake.hold(places.lake())
            say(f"{places.lake() / 'metastore'} is now {lake.set_aside(places.lake(), places.lake() / 'metastore')}")
        arguments = {
            "aside": [one.place for one in safe if one.mend == "set aside"],
            "registered": _registered(safe),
            "forgotten": [_table(one) for one in safe if one.mend == "forget"],
            "kept": [_table(one) for one in safe if one.mend == "set retention"],
            "unnoted": _unnoted(safe),
        }
        operations.carry_out(operations.REPAIR, arguments, options, parse(options), say)
    if arguments["registered"]:
        say(f"Tables that are registered now: {len(arguments['registered'])}.")
    left = _looked(options, console)
    for one in safe:
        if one.mend != "look again" and one not in left:
            say(f"Mended: {one.finding}.")
    for table in arguments["unnoted"]:
        say(f"The next 'dbt build' looks at what {table['schema']}.{table['name']} holds.")
    if left:
        say("This is left to you, from the top on, and then 'strata doctor' once more:")
        doctor.print_findings(left, console)
    else:
        say("Nothing is amiss in the lake now.")
    return left


def maintain(options: DbtOptions, console: Console) -> None:
    """Make few files of many small ones, and take away those that no version kept needs; safe beside readers.

    Raise StrataError where a run works in the lake, or a statement fails.
    """
    variables = doctor.variables(options)
    manifest = parse(options)
    own = set(lake.tables(manifest))
    old = (datetime.now(UTC) - timedelta(days=variables.rollback_days)).timestamp()
    compacted, cleaned = [], []
    for schema, name, folder in lake.lying(places.lake()):
        if (schema, name) in own:
            try:
                files = delta_files.read(folder)
            except OSError:
                continue  # 'strata doctor' tells of it
            if not files.is_whole:
                continue  # of this too
            table = {"schema": schema, "name": name}
            if inspection.is_scattered(files):
                compacted.append(table)
            if delta_files.unneeded(files, old):
                keeps = inspection.keeps(files.properties, variables.rollback_days)
                cleaned.append({**table, "keeps": keeps})
    if compacted or cleaned:
        with record.shared("strata maintain", sayer(console)):
            operations.carry_out(operations.MAINTAIN, {"compacted": compacted, "cleaned": cleaned}, options, manifest)
    sayer(console)(
        f"{len(compacted)} tables were compacted, and {len(cleaned)} cleaned of what no rollback of "
        f"{variables.rollback_days} days needs."
    )


def _looked(options: DbtOptions, console: Console) -> list[Finding]:
    with console.status("Looking at the lake"):
        return doctor.of_lake(options, deep=False)


def _things(count: int) -> str:
    return "this" if count == 1 else f"these {count}"


def _table(finding: Finding) -> dict[str, str]:
    """Return the table that a finding is of; of one to register the place is its folder."""
    schema, name = finding.table
    return {"schema": schema, "name": name, "folder": finding.place}


def _registered(safe: list[Finding]) -> list[dict[str, str]]:
    """Return the tables to register: those that were found, or all where the metastore is gone."""
    if any(one.mend == "renew metastore" or one.place == str(places.lake() / "metastore") for one in safe):
        return lake.made(places.lake(), [(schema, name) for schema, name, _ in lake.lying(places.lake())])
    return [_table(one) for one in safe if one.mend == "register"]


def _unnoted(safe: list[Finding]) -> list[dict[str, str]]:
    """Return the raw tables to look at again, each once, of how many findings it may be."""
    tables = dict.fromkeys(one.table for one in safe if one.mend == "look again")
    return [{"schema": schema, "name": name} for schema, name in tables]
