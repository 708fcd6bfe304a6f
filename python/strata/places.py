"""Where things are: the project's root, the landing folder, the lake, and the folders that set-up fills."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _place(variable: str, default: str) -> Path:
    """Return an environment variable's folder as an absolute path; relative ones are below the current folder."""
    value = os.environ.get(variable)
    return Path(os.path.abspath(value)) if value else ROOT / default


def landing() -> Path:
    """The folder in which files arrive: STRATA_LANDING, by default `landing` in the project."""
    return _place("STRATA_LANDING", "landing")


def lake() -> Path:
    """The folder of the warehouse and the metastore: STRATA_LAKE, by default `lake` in the project."""
    return _place("STRATA_LAKE", "lake")


def jars_dir() -> Path:
    """The folder of Delta's jars, inside the environment, so that a new environment fetches them anew."""
    return ROOT / ".venv" / "jars"


def class_archive() -> Path:
    """The JVM's class-data archive, made at set-up; a JVM without it starts slower and works the same."""
    return jars_dir() / "classes.jsa"


def logs() -> Path:
    """The folder of dbt's and Spark's logs."""
    return ROOT / "logs"


def intake(source: str) -> Path:
    """The lake's record of what was found in the landing folder for one source, one JSON object a file."""
    return lake() / "intake" / f"{source}.jsonl"
