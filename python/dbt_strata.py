"""Strata's plugin for dbt: what must hold before a plain dbt command may touch the lake.

dbt loads it by its name and by `plugins` below, at the start of every command and before it parses the project.
"""

from __future__ import annotations

import os
from pathlib import Path

import click
from dbt.config.runtime import load_profile
from dbt.contracts.graph.manifest import Manifest
from dbt.flags import get_flags
from dbt.plugins.contracts import PluginArtifacts
from dbt.plugins.manager import dbt_hook, dbtPlugin
from dbt_common.context import get_invocation_context
from dbt_common.exceptions import DbtRuntimeError

from strata import lake, landing, places, session, settings, sources
from strata.errors import StrataError

# The commands that open a connection; the others (deps, parse, list, clean, docs serve) need neither Java nor the lake.
CONNECTING = {
    *("build", "run", "seed", "snapshot", "test", "retry", "clone", "freshness"),
    *("compile", "show", "run-operation", "generate", "debug"),
}


# The commands that take stock of what has landed: of all of it, or with `dbt snapshot` of what histories are of.
LISTING = ("build", "run", "retry", "snapshot", "freshness")


# Up to this much landed data a run is over before the JVM's optimising compiler has paid for itself.
SMALL_BYTES = 64 * 1024 * 1024


def _tell(name: str, value: str) -> None:
    """Give the macros an environment variable. dbt renders with its own copy, and asks the process what changed."""
    os.environ[name] = get_invocation_context().env[name] = value


class StrataPlugin(dbtPlugin):
    """Checks settings and machine, takes stock of what has landed and starts Spark, for this project's dbt commands."""

    def initialize(self) -> None:
        """Raise dbt's runtime error, with one sentence, when the command may not go on."""
        self._is_embedded = False
        flags = get_flags()
        command = getattr(flags, "WHICH", None)
        if self.project_name != "strata":
            return
        # The project's macros and profile read the two places as absolute paths.
        for name, folder in (("STRATA_LAKE", places.lake()), ("STRATA_LANDING", places.landing())):
            _tell(name, str(folder))
        try:
            declared = sources.load(Path(flags.PROJECT_DIR))
            _tell("STRATA_SOURCES", sources.normalized(declared))
            if command not in CONNECTING:
                return
            places.check()
            variables = settings.load(Path(flags.PROJECT_DIR), flags.VARS or {}, declared)
            profile = load_profile(flags.PROJECT_DIR, flags.VARS, flags.PROFILE, flags.TARGET, flags.THREADS)
            settings.check_schema(profile.credentials.schema)
            to_list = [
                source
                for source in declared.values()
                if command in LISTING and (command != "snapshot" or source.arrives == "daily_snapshot")
            ]
            stocks = self._list(to_list, variables.paths)
            if profile.credentials.method == "session":
                known_bytes = sum(
                    stocks[name].total_bytes if name in stocks else landing.known_bytes(source)
                    for name, source in declared.items()
                )
                session.start(places.lake(), is_small=known_bytes < SMALL_BYTES)
                self._is_embedded = True
            else:
                lake.check_folder(places.lake())
            for stock in stocks.values():
                stock.take()
            for name, source in declared.items():
                # What reads the listings finds one of each source, whether this run took it or not.
                if name not in stocks:
                    landing.keep_intake(source)
            if len(to_list) == len(declared) and to_list:
                landing.take_no_sources(declared, [stock.place for stock in stocks.values()])
            parsed = (click.get_current_context().obj or {}).get("manifest")
            if parsed is not None:
                # Who hands over a parsed project spares dbt the hook below.
                self.get_manifest_artifacts(parsed)
        except StrataError as error:
            raise DbtRuntimeError(str(error)) from None

    @dbt_hook
    def get_manifest_artifacts(self, manifest: Manifest) -> PluginArtifacts:
        """Sweep the lake, now that dbt has parsed which tables are the project's and before it runs; write nothing."""
        if self._is_embedded:
            tables = [
                (node.schema, node.alias)
                for node in manifest.nodes.values()
                if node.resource_type in ("model", "snapshot", "seed")
                and node.config.materialized not in ("view", "ephemeral")
            ]
            lake.sweep(places.lake(), tables)
        return {}

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
