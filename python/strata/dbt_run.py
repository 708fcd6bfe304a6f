"""dbt commands in this process, with dbt's own output in its log file alone."""

from __future__ import annotations

import os
import re
from argparse import Namespace
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from dbt.cli.main import dbtRunner
from dbt.config.runtime import load_profile
from dbt.contracts.graph.manifest import Manifest
from dbt.flags import set_from_args
from dbt_common.context import set_invocation_context
from dbt_common.exceptions import DbtBaseException

from strata import places
from strata.environment import changed_environment
from strata.errors import StrataError

if TYPE_CHECKING:
    from dbt.adapters.contracts.connection import Credentials


def of_subject(subject: str) -> list[str]:
    """Return dbt's selection of one subject, such as `events`: all that lies in folders of its name, with tests."""
    return [f"fqn:strata.*.{subject}.*", f"fqn:strata.{subject}.*"]


# The events by which dbt tells why an operation failed: its result does not.
OPERATION_FAILED = ("RunningOperationCaughtError", "RunningOperationUncaughtError")


@dataclass(frozen=True)
class DbtOptions:
    """The options of dbt that every command takes; None where dbt's own default holds."""

    vars: str | None = None
    target: str | None = None
    profiles_dir: str | None = None

    def with_vars(self, variables: dict[str, str]) -> DbtOptions:
        """Return them with more of dbt's variables."""
        return replace(self, vars=yaml.safe_dump({**(yaml.safe_load(self.vars or "{}") or {}), **variables}))

    def arguments(self) -> list[str]:
        """Return them as dbt's command line has them."""
        given = {"--vars": self.vars, "--target": self.target, "--profiles-dir": self.profiles_dir or str(places.ROOT)}
        return [word for name, value in given.items() if value is not None for word in (name, value)]


def sentence(message: str) -> str:
    """Return what a failed node says, without dbt's heading and the names of macros below."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    said = [
        line
        for line in lines
        if not re.match(r"(Compilation|Runtime|Database) Error|> |called by|compiled code at", line)
    ]
    return " ".join(said) or message


def credentials(options: DbtOptions) -> Credentials:
    """Return how dbt connects to a target; raise StrataError where the profile cannot be read."""
    set_invocation_context(os.environ)
    set_from_args(Namespace(PROFILES_DIR=options.profiles_dir or str(places.ROOT)), None)
    try:
        return load_profile(str(places.ROOT), {}, None, options.target, None).credentials
    except DbtBaseException as error:
        raise StrataError(sentence(str(error))) from None


def parse(options: DbtOptions) -> Manifest:
    """Return the parsed project, for commands that differ in variables alone: dbt would parse it anew for each."""
    return _invoke(["parse"], options)


def targets_of(profiles_dir: str | Path | None) -> dict[str, Any]:
    """Return what profiles.yml says, unrendered: the default `target`, and the `outputs` by name.

    Raise OSError, or YAML's error, where it cannot be read.
    """
    return yaml.safe_load((Path(profiles_dir or places.ROOT) / "profiles.yml").read_text())["strata"]


def run_dbt(
    command: list[str], options: DbtOptions, listen: Callable | None = None, manifest: Manifest | None = None
) -> list:
    """Run a dbt command and return its results; `listen` gets each event. Raise StrataError when it could not run."""
    return list(_invoke(command, options, listen, manifest).results)


def failures(results: list) -> list[str]:
    """Return a sentence for each result of a dbt command that is no success."""
    failed = [result for result in results if result.status in ("error", "fail", "runtime error")]
    return list(dict.fromkeys(sentence(result.message or f"{result.node.name} failed.") for result in failed))


def _invoke(
    command: list[str], options: DbtOptions, listen: Callable | None = None, manifest: Manifest | None = None
) -> Any:
    # Relative places are below the folder of whoever called, not below the project.
    named = {"STRATA_LANDING": str(places.landing()), "STRATA_LAKE": str(places.lake())}
    with changed_environment(**named), chdir(places.ROOT):
        runner = dbtRunner(manifest=manifest, callbacks=[listen] if listen else [])
        # dbt prints nothing, and its log file has what it has for dbt's own commands.
        logged = ["--log-level", "none", "--log-level-file", os.environ.get("DBT_LOG_LEVEL_FILE", "debug")]
        done = runner.invoke([*command, *options.arguments(), *logged])
    if done.exception is not None:
        raise StrataError(sentence(str(done.exception)))
    return done.result
