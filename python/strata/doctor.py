"""`strata doctor`: what a run needs of this machine or a cluster, and what is amiss in the lake; it changes neither."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from dbt.contracts.graph.manifest import Manifest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from strata import inspection, jars, java, lake, metastore, places, settings, sources, storage
from strata.dbt_run import DbtOptions, credentials, parse, targets_of
from strata.errors import StrataError
from strata.inspection import Finding
from strata.report import sayer

if TYPE_CHECKING:
    from strata import cluster

# What a check says: what it is of, its state or what is amiss, and whether that is so.
Told = tuple[str, str, bool]


def examine(
    options_of: Callable[[], DbtOptions], target: str | None, profiles_dir: Path | None, *, deep: bool
) -> tuple[list[Told], list[Finding]]:
    """Return what each check of the machine says, and all findings, those of the machine first.

    `options_of` returns dbt's options, or raises StrataError where they are wrong.
    """
    options = None

    def fit() -> str:
        nonlocal options
        options = options_of()
        return _settings(options)

    is_embedded = _is_embedded(target, profiles_dir)
    checks = {"settings": fit, "Python": lambda: platform.python_version(), "dbt packages": _packages}
    if is_embedded:
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
    told, findings = [], []
    for name, check in checks.items():
        try:
            told.append((name, check(), False))
        except StrataError as error:
            told.append((name, str(error), True))
            findings.append(Finding.of_refusal(error, name))
    if options is not None and not any(is_amiss for name, _, is_amiss in told if name == "lake"):
        findings += of_lake(options, deep=deep)
    return told, findings


def variables(options: DbtOptions) -> settings.Settings:
    """Return the project's variables, with those that options give."""
    return settings.load(places.ROOT, yaml.safe_load(options.vars or "{}") or {}, sources.load())


def of_lake(options: DbtOptions, *, deep: bool) -> list[Finding]:
    """Return what is amiss in the lake, in the order in which it is best mended."""
    found = credentials(options)
    # What dbt-spark needs for it no other command need pay.
    from strata import cluster

    is_embedded = cluster.is_embedded(found)
    holder = lake.holder(places.lake()) if is_embedded else None
    if holder is not None:
        said = f"process {holder.get('pid', 'unknown')} works in the lake, so that it was not looked at"
        return [Finding(said, str(places.lake()), "wait for it to end", "warning")]
    manifest = None
    findings = []
    try:
        manifest = parse(options)
    except StrataError as error:
        said = f"the project cannot be read, so that no rows were looked at ({error})"
        findings.append(Finding(said, str(places.ROOT), "mend what it says", "error"))
    project = inspection.Project() if manifest is None else project_of(manifest)
    findings += inspection.of_files(project, deep)
    if is_embedded:
        findings += inspection.of_lock()
    if manifest is not None:
        if is_embedded:
            findings += inspection.of_metastore(_in_metastore(), project)
        else:
            findings += _on_cluster(cluster.Cluster(found), project)
        findings += inspection.of_retention(project, variables(options).rollback_days)
        findings += inspection.of_record(project)
        findings += inspection.of_content(project)
    return inspection.in_order(findings, project)


def _in_metastore() -> set[tuple[str, str]] | StrataError | None:
    """Return the tables that the embedded metastore knows, None where it is gone, or why it cannot be read."""
    try:
        return metastore.tables(places.lake())
    except StrataError as error:
        return error


def _on_cluster(asked: cluster.Cluster, project: inspection.Project) -> Iterator[Finding]:
    """Hold what a cluster's metastore knows against the lake, and find locks that nobody gives back."""
    from strata import cluster

    told, ops = set(), project.schema_of("ops")
    try:
        there = {schema for (schema, *_) in asked.query("show schemas")}
        for schema in sorted({schema for schema, _ in project.tables} & there):
            views = {row[1] for row in asked.query(f"show views in `{schema}`")}
            told |= {(schema, row[1]) for row in asked.query(f"show tables in `{schema}`") if row[1] not in views}
        yield from inspection.of_metastore(told, project)
        if (ops, "locks") in told:
            for source, holder in cluster.Locks(asked, ops).left():
                yield Finding(
                    f"the lock of {source} was left by {holder}", f"{ops}.locks",
                    "nothing: the next run takes it; 'dbt build' ends what was left", "warning",
                )  # fmt: skip
    except StrataError as error:
        yield Finding(str(error), asked.name, "see that it is up", "error")
    finally:
        asked.close()


def project_of(manifest: Manifest) -> inspection.Project:
    """Return what findings need of the project."""
    needed = {key: node.depends_on_nodes for key, node in manifest.nodes.items()}
    ordered = [manifest.nodes[key] for key in TopologicalSorter(needed).static_order() if key in manifest.nodes]
    own, schema_of = lake.tables(manifest), _schemas(manifest)
    return inspection.Project(
        tables=[table for node in ordered if (table := (node.schema, node.alias)) in own],
        anew=_made_anew(manifest),
        raw={(schema_of("raw"), source.name): source for source in sources.load().values()},
        schema_of=schema_of,
    )


def _made_anew(manifest: Manifest) -> dict[tuple[str, str], str]:
    """Return how the tables are made anew that are made of others, and not of what landed, by schema and name."""
    found = {}
    for node in manifest.nodes.values():
        if node.resource_type == "snapshot":
            found[node.schema, node.alias] = f"'strata rebuild --source {node.name}' derives it anew from raw"
        elif node.resource_type == "seed":
            found[node.schema, node.alias] = f"'dbt seed --full-refresh --select {node.name}' loads it anew"
        elif node.config.materialized in ("table", "incremental") and node.name not in lake.ENGINE_TABLES:
            how = f"'dbt build --full-refresh --select {node.name}' makes it anew of what it reads"
            found[node.schema, node.alias] = how
    return found


def _schemas(manifest: Manifest) -> Callable[[str], str]:
    """Return what tells the schema of a layer, as the target has it."""
    models = [node for node in manifest.nodes.values() if node.resource_type == "model"]
    by_layer = {node.path.split("/")[0]: node.schema for node in models}
    return lambda layer: by_layer.get(layer, layer)


def show(console: Console, told: list[Told], findings: list[Finding], *, as_json: bool) -> None:
    """Print what was found."""
    if as_json:
        console.print_json(json.dumps([one.told() for one in findings]))
        return
    table = Table("what", "state")
    for name, state, is_amiss in told:
        table.add_row(name, Text(state, style="red" if is_amiss else ""))
    console.print(table)
    amiss = findings[sum(is_amiss for *_, is_amiss in told) :]
    print_findings(amiss, console)
    if not findings:
        console.print("Nothing is amiss.")


def print_findings(findings: list[Finding], console: Console) -> None:
    """Print findings line by line: a table would cut a path that is to be moved."""
    say = sayer(console)
    for one in findings:
        say(f"{one.severity}: {one.finding}\n  place: {one.place}\n  repair: {one.repair}")


def _is_embedded(target: str | None, profiles_dir: Path | None) -> bool:
    try:
        targets = targets_of(profiles_dir)
    except (OSError, yaml.YAMLError):
        return True  # the check of the settings says what is amiss
    found = targets["outputs"].get(target or targets["target"])
    return found is None or (found.get("type"), found.get("method")) == ("spark", "session")


def _settings(options: DbtOptions) -> str:
    target = options.target or targets_of(options.profiles_dir)["target"]
    return f"fit, target {target} of {Path(options.profiles_dir or places.ROOT) / 'profiles.yml'}"


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
    holder = lake.holder(folder)
    if holder is not None:
        return f"{folder}, held by process {holder.get('pid', 'unknown')} ({holder.get('command', 'starting')})"
    if not storage.exists(folder):
        return f"{folder}, which is not there yet: nothing has been built"
    return f"{folder}, free, {storage.free_bytes(folder) // 1024**3} GB left on its disk"
