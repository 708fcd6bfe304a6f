"""Strata's plugin for dbt: what must hold before a plain dbt command may touch the lake.

dbt loads it by its name and by `plugins` below, at the start of every command and before it parses the project.
"""

from __future__ import annotations

import os
from pathlib import Path

from dbt.config.runtime import load_profile
from dbt.contracts.graph.manifest import Manifest
from dbt.flags import get_flags
from dbt.plugins.contracts import PluginArtifacts
from dbt.plugins.manager import dbt_hook, dbtPlugin
from dbt_common.context import get_invocation_context
from dbt_common.exceptions import DbtRuntimeError

from strata import lake, landing, places, session, settings
from strata.errors import StrataError

# The commands that open a connection; the others (deps, parse, list, clean, docs serve) need neither Java nor the lake.
CONNECTING = {
    *("build", "run", "seed", "snapshot", "test", "retry", "clone", "freshness"),
    *("compile", "show", "run-operation", "generate", "debug"),
}


# The commands that load what has landed, and the sources that each loads.
LOADING = {
    "build": tuple(landing.SOURCES),
    "run": tuple(landing.SOURCES),
    "retry": tuple(landing.SOURCES),
    "snapshot": ("purchases",),
}


# Up to this much landed data a run is over before the JVM's optimising compiler has paid for itself.
SMALL_BYTES = 64 * 1024 * 1024


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
            os.environ[name] = get_invocation_context().env[name] = str(folder)
        if command not in CONNECTING:
            return
        try:
            places.check()
            variables = settings.load(Path(flags.PROJECT_DIR), flags.VARS or {})
            profile = load_profile(flags.PROJECT_DIR, flags.VARS, flags.PROFILE, flags.TARGET, flags.THREADS)
            settings.check_schema(profile.credentials.schema)
            stocks, unreadable = self._list(LOADING.get(command, ()), {"events": variables.events_path})
            if profile.credentials.method == "session":
                known_bytes = sum(
                    stocks[name].total_bytes if name in stocks else landing.known_bytes(source)
                    for name, source in landing.SOURCES.items()
                )
                session.start(places.lake(), is_small=known_bytes < SMALL_BYTES)
                self._is_embedded = True
            else:
                lake.check_folder(places.lake())
            digests = dict.fromkeys([source.name for source in unreadable], "")
            for name, stock in stocks.items():
                stock.take()
                digests[name] = stock.digest()
            for source in unreadable:
                landing.keep_intake(source)
            if LOADING.get(command) == tuple(landing.SOURCES):
                landing.take_no_sources([stock.place for stock in stocks.values()])
            for name, digest in digests.items():
                get_invocation_context().env[f"STRATA_STOCK_{name.upper()}"] = digest
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
    def _list(
        names: tuple[str, ...], overrides: dict[str, str | None]
    ) -> tuple[dict[str, landing.Stock], list[landing.Source]]:
        """List sources; one that cannot be listed is left to its own models to refuse, so that the others go on."""
        stocks, unreadable = {}, []
        for name in names:
            source = landing.SOURCES[name]
            refusal = ""
            try:
                stocks[name] = landing.Stock(source, overrides.get(name))
            except landing.UnreadableFolder as error:
                unreadable.append(source)
                refusal = str(error)
            get_invocation_context().env[f"STRATA_UNREADABLE_{name.upper()}"] = refusal
        return stocks, unreadable


plugins = [StrataPlugin]
