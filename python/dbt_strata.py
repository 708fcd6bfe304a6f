"""Strata's plugin for dbt: what must hold before a plain dbt command may touch the lake.

dbt loads it by its name and by `plugins` below, at the start of every command and before it parses the project.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from dbt.compilation import Linker
from dbt.config.runtime import load_profile
from dbt.context import base
from dbt.contracts.graph.manifest import Manifest
from dbt.flags import get_flags
from dbt.graph import Graph, NodeSelector, parse_difference
from dbt.plugins.contracts import PluginArtifacts
from dbt.plugins.manager import dbt_hook, dbtPlugin
from dbt_common.context import get_invocation_context
from dbt_common.events.base_types import EventLevel
from dbt_common.events.event_manager_client import add_callback_to_manager
from dbt_common.events.functions import fire_event
from dbt_common.events.types import Note
from dbt_common.exceptions import DbtRuntimeError
from dbt_common.invocation import get_invocation_id

from strata import (
    cluster,
    delta_log,
    lake,
    landing,
    operations,
    places,
    processes,
    record,
    rollback,
    session,
    settings,
    sources,
    storage,
    unchanged,
)
from strata.errors import StrataError

# The commands that open a connection; the others (deps, parse, list, clean, docs serve) need neither Java nor the lake.
CONNECTING = {
    *("build", "run", "seed", "snapshot", "test", "retry", "clone", "freshness"),
    *("compile", "show", "run-operation", "generate", "debug"),
}


# The commands that take stock of what has landed: of all of it, or with `dbt snapshot` of what histories are of.
LISTING = ("build", "run", "retry", "snapshot", "freshness")


def set_aside(path: str) -> str:
    """Move what lies in the lake out of the way, and return where it is then."""
    return str(lake.set_aside(places.lake(), places.at(path)))


def move_table(schema: str, name: str, other: str) -> str:
    """Move the files of a table to where one of another name lies, and return their folder."""
    return str(lake.move_table(places.lake(), schema, name, other))


# What macros have as modules.strata.
LENT = (
    *(delta_log.newest, delta_log.commits_since, delta_log.properties, delta_log.columns, delta_log.is_noted),
    *(unchanged.digest, unchanged.has_passed, unchanged.note_passed, unchanged.spared, unchanged.keep_passed),
    *(unchanged.nothing_found, unchanged.passed_until, unchanged.is_large),
    *(unchanged.nothing_differs, unchanged.is_as_expected, unchanged.known_answer, unchanged.note_answer),
    *(set_aside, move_table, rollback.note_done),
    *(record.run_id, record.has_any, record.attempt, record.note_failure, record.note_version),
)


# Those that may write tables.
WRITING = ("build", "run", "retry", "snapshot", "seed", "clone", "freshness")


# Those that may run data tests.
TESTING = ("build", "test", "retry")


# What a run reads again of what has landed, beside what is new: some tables and tests are of all rows, in columns.
OF_KNOWN = 0.1


# Those whose runs are recorded: a test may write what a run needs, and an operation anything.
RECORDED = (*WRITING, "test", "run-operation")


def _lists(command: str, source: sources.Source) -> bool:
    return command in LISTING and (command != "snapshot" or source.arrives == "daily_snapshot")


def _read_again(source: sources.Source, known_bytes: int, command: str) -> float:
    """Return how much of what has landed of a source a run reads; a test compares a small history with all of it."""
    is_compared = source.arrives == "daily_snapshot" and command in TESTING and known_bytes < session.SMALL_BYTES
    return known_bytes if is_compared else OF_KNOWN * known_bytes


def _worked_on(manifest: Manifest, flags: Any) -> tuple[set[str] | None, set[str] | None, list[str]]:
    """Return the nodes that a command selects, these with all above, each None for all, and the declared sources there.

    What only dbt can select, by a state or a selector's name, counts as all.
    """
    sources_of_all = [node.name for node in manifest.sources.values() if node.source_name == "landing"]
    if flags.WHICH == "run-operation":
        return None, None, sorted(sources_of_all)
    words = " ".join([*(flags.SELECT or ()), *(flags.EXCLUDE or ())]) if flags.WHICH != "retry" else "state:"
    linker = Linker()
    linker.link_graph(manifest)
    graph = Graph(linker.graph)
    selected = None
    if (flags.SELECT or flags.EXCLUDE) and not re.search(r"(state|result|source_status|selector):", words):
        spec = parse_difference(flags.SELECT, flags.EXCLUDE)
        selected = set(NodeSelector(graph, manifest).get_selected(spec))
    if selected is None or getattr(flags, "SELECTOR", None):
        return None, None, sorted(sources_of_all)
    written = {one for one in selected if one.split(".")[0] in ("model", "snapshot", "seed", "source")}
    above = set(graph.select_parents(written)) | written if written else set()
    names = {manifest.sources[one].name for one in above if one in manifest.sources}
    return selected, above, sorted(names.intersection(sources_of_all))


def _tell(name: str, value: str) -> None:
    """Give the macros an environment variable. dbt renders with its own copy, and asks the process what changed."""
    os.environ[name] = get_invocation_context().env[name] = value


def _lend_modules() -> None:
    """Give macros `modules.strata`: dbt's own modules are the only way from a template to Python."""
    if "strata" not in base.get_context_modules():
        own, lent = base.get_context_modules, {function.__name__: _lent(function) for function in LENT}
        base.get_context_modules = lambda: {**own(), "strata": lent}


def _lent(function: Callable) -> Callable:
    """Return a function whose StrataError is an error of dbt's, of the node that calls it."""

    def call(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except delta_log.StoreFault as error:
            raise cluster.given_up(str(error)) from None
        except StrataError as error:
            raise DbtRuntimeError(str(error)) from None

    return call


def _said_of(flags: Any) -> str:
    """Return a dbt command as the record has it: its name and what it selects, without variables, which stand apart."""
    words = ["dbt", {"freshness": "source freshness"}.get(flags.WHICH, flags.WHICH)]
    words += [flags.MACRO] if flags.WHICH == "run-operation" else []
    for name in ("SELECT", "EXCLUDE", "SELECTOR", "RESOURCE_TYPES", "EXCLUDE_RESOURCE_TYPES"):
        given = getattr(flags, name, None)
        if given:
            words += [f"--{name.lower().removesuffix('s').replace('_', '-')}"]
            words += [given] if isinstance(given, str) else map(str, given)
    for name in ("FULL_REFRESH", "EMPTY", "FAIL_FAST"):
        words += [f"--{name.lower().replace('_', '-')}"] if getattr(flags, name, None) else []
    return " ".join(words)


def _is_dead(locks: cluster.Locks, run: dict[str, Any]) -> bool:
    """Tell whether a run on a cluster, which is `running`, is not: here by its process, elsewhere by its locks."""
    if processes.is_here(run["process"]):
        return processes.has_died(run["process"])
    # One without locks says no more that it lives.
    return run["process"] not in locks.alive() if run["sources"] else record.is_day_old(run)


def _forget_parsed_later(flags: Any) -> None:
    """Take away what dbt has kept of parsing where it is of a time to come, for dbt compares that with this clock.

    After a clock was set back it would take all nodes for new ones, and fail: 'ref' is undefined (dbt-core 1.11).
    """
    parsed = Path(flags.PROJECT_DIR, flags.TARGET_PATH or "target", "partial_parse.msgpack")
    with contextlib.suppress(OSError):
        if storage.info(parsed).modified_ns > time.time_ns():
            storage.remove(parsed)


def _tell_made(tables: list[tuple[str, str]]) -> None:
    """Tell macros/spark/register_tables.sql which tables lie in the lake."""
    _tell("STRATA_MADE_TABLES", json.dumps(lake.made(places.lake(), tables)))


class StrataPlugin(dbtPlugin):
    """Checks settings and machine, takes stock of what has landed and starts Spark, for this project's dbt commands."""

    def initialize(self) -> None:
        """Raise dbt's runtime error, with one sentence, when the command may not go on."""
        self._is_embedded = False
        self._cluster: cluster.Cluster | None = None
        flags = get_flags()
        command = getattr(flags, "WHICH", None)
        if self.project_name != "strata":
            return
        _lend_modules()
        _forget_parsed_later(flags)
        unchanged.begin()
        # The project's macros and profile read the two places as absolute paths, or addresses.
        for name, folder in (("STRATA_LAKE", places.lake()), ("STRATA_LANDING", places.landing())):
            _tell(name, str(folder))
        try:
            self._declared = sources.load(Path(flags.PROJECT_DIR))
            _tell("STRATA_SOURCES", sources.normalized(self._declared))
            if command not in CONNECTING:
                return
            variables = settings.load(Path(flags.PROJECT_DIR), flags.VARS or {}, self._declared)
            self._defaults = settings.defaults(Path(flags.PROJECT_DIR))
            profile = load_profile(flags.PROJECT_DIR, flags.VARS, flags.PROFILE, flags.TARGET, flags.THREADS)
            self._target, self._user = profile.target_name, getattr(profile.credentials, "user", None)
            settings.check_schema(profile.credentials.schema)
            is_embedded = cluster.is_embedded(profile.credentials)
            places.check(is_embedded)
            self._say(rollback.check(command in RECORDED))
            if is_embedded:
                self._take_embedded(variables, flags)
            else:
                cluster.check(profile.credentials)
                cluster.speak_plainly()
                self._cluster = cluster.Cluster(profile.credentials)
                self._paths = variables.paths
            parsed = (click.get_current_context().obj or {}).get("manifest")
            if parsed is not None:
                # Who hands over a parsed project spares dbt the hook below.
                self.get_manifest_artifacts(parsed)
        except StrataError as error:
            raise DbtRuntimeError(str(error)) from None

    def _take_embedded(self, variables: settings.Settings, flags: Any) -> None:
        """Take stock while Spark starts, in a lake that this process then holds."""
        declared = self._declared
        to_list = [source for source in declared.values() if _lists(flags.WHICH, source)]
        stocks = self._list(to_list, variables.paths)
        is_of_all = getattr(flags, "FULL_REFRESH", False) or variables.history or variables.test_everything
        known_bytes = {
            name: stocks[name].total_bytes if name in stocks else landing.known_bytes(source)
            for name, source in declared.items()
        }
        if is_of_all:
            bytes_to_read = sum(known_bytes.values())
        else:
            again = sum(_read_again(source, known_bytes[name], flags.WHICH) for name, source in declared.items())
            bytes_to_read = again + sum(stock.new_bytes for stock in stocks.values())
        session.start(places.lake(), bytes_to_read)
        self._is_embedded = True
        self._take(stocks, len(to_list) == len(declared), None)

    def _take(self, stocks: dict[str, landing.Stock], are_all: bool, scan_elsewhere: Callable | None) -> None:
        for stock in stocks.values():
            stock.take(scan_elsewhere)
        for name, source in self._declared.items():
            # What reads the listings finds one of each source, whether this run took it or not.
            if name not in stocks:
                landing.keep_intake(source)
        if are_all and stocks:
            landing.take_no_sources(self._declared, [stock.place for stock in stocks.values()])

    @dbt_hook
    def get_manifest_artifacts(self, manifest: Manifest) -> PluginArtifacts:
        """Sweep the lake, now that dbt has parsed which tables are the project's and before it runs; write nothing.

        On a cluster first lock what the command works on, and take stock of it: only dbt knows what is selected.
        """
        flags = get_flags()
        if self._is_embedded:
            session.speak_plainly()
            tables = lake.tables(manifest)
            if flags.WHICH in WRITING:
                _lent(lake.check_tables)(places.lake(), tables)
            lake.sweep(places.lake(), tables)
            _tell_made(tables)
            if flags.WHICH in WRITING:
                # A run would go on over rows that a file system has lost; object stores lose none.
                _lent(delta_log.check_newest)(tables)
            # Who holds the lake knows that nobody else does.
            self._begin_record(manifest, flags, lambda _run: True)
        elif self._cluster is not None and flags.WHICH in RECORDED:
            ops = next(node.schema for node in manifest.nodes.values() if node.name == "landed_files")
            locks = cluster.Locks(self._cluster, ops)
            try:
                if flags.WHICH in WRITING or getattr(flags, "MACRO", None) in operations.ALL:
                    self._take_on_cluster(manifest, flags, locks)
                self._begin_record(manifest, flags, functools.partial(_is_dead, locks), locks.held)
            except StrataError as error:
                raise DbtRuntimeError(str(error)) from None
            finally:
                self._cluster.close()
        return {}

    def _begin_record(
        self, manifest: Manifest, flags: Any, is_dead: Callable[[dict], bool], held: list[str] | None = None
    ) -> None:
        """Begin this run's record, and have it ended with the command."""
        if flags.WHICH not in RECORDED:
            return
        variables = record.other_than(self._defaults, flags.VARS or {})
        run = record.new(_said_of(flags), get_invocation_id(), self._target, variables, self._user)
        run.sources = held
        self._say(record.begin(run, lake.tables(manifest), is_dead))
        add_callback_to_manager(record.listen)
        click.get_current_context().call_on_close(lambda: self._end_record(manifest))

    def _end_record(self, manifest: Manifest) -> None:
        if cluster.Locks.are_lost:
            self._say(record.give_up())
            return
        for unique_id in record.finished():
            node = manifest.nodes.get(unique_id)
            if node is not None and node.config.materialized == "view" and node.compiled_code:
                record.note_view(node.schema, node.alias, node.compiled_code.strip())
        self._say(record.end())
        if self._is_embedded:
            # What a full disk breaks says so in words of its own, or not at all.
            self._say(lake.shortage(places.lake()))

    @staticmethod
    def _say(said: str) -> None:
        if said:
            fire_event(Note(msg=said), level=EventLevel.WARN)

    def _take_on_cluster(self, manifest: Manifest, flags: Any, locks: cluster.Locks) -> None:
        selected, above, names = _worked_on(manifest, flags)
        to_list = [self._declared[name] for name in names if _lists(flags.WHICH, self._declared[name])]
        try:
            # A store that does not answer is asked once, and not for each table.
            with contextlib.suppress(FileNotFoundError):
                storage.entries(places.lake())
            locks.take(names)
            click.get_current_context().call_on_close(locks.release)
            lake.sweep(places.lake(), lake.tables(manifest, selected))
            # What is above is read, and may be written by others at this moment.
            engine = {key for key, node in manifest.nodes.items() if node.name in lake.ENGINE_TABLES}
            _tell_made(lake.tables(manifest, None if above is None else above | engine))
            stocks = self._list(to_list, self._paths)
            self._take(stocks, len(to_list) == len(self._declared), self._cluster.scan)
        except OSError as error:
            raise StrataError(
                f"The lake {places.lake()} cannot be read or written ({storage.said(error)}): {storage.STORE_MEND}."
            ) from None

    @staticmethod
    def _list(to_list: list[sources.Source], paths: dict[str, str]) -> dict[str, landing.Stock]:
        """List sources; one that cannot be listed is left to its own models to refuse, so that the others go on."""
        stocks = {}
        for source in to_list:
            refusal = ""
            try:
                stocks[source.name] = landing.Stock(source, paths.get(source.name))
            except landing.UnreadableFolder as error:
                refusal = str(error)
            _tell(f"STRATA_UNREADABLE_{source.name.upper()}", refusal)
        return stocks


plugins = [StrataPlugin]
