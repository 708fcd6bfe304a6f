"""Where things are: the project's root, the landing folder, the lake, and the folders that set-up fills."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from strata.errors import StrataError

PROJECT_FILE = "dbt_project.yml"


def _root() -> Path:
    """Return the project's folder: the checkout that this is part of, the one dbt finds, or the environment's."""
    named = [Path(os.environ["DBT_PROJECT_DIR"])] if os.environ.get("DBT_PROJECT_DIR") else []
    here = Path.cwd()
    folders = [Path(__file__).resolve().parents[2], *named, here, *here.parents, Path(sys.prefix).parent]
    return next((folder.resolve() for folder in folders if (folder / PROJECT_FILE).is_file()), here)


ROOT = _root()


def text(path: str | os.PathLike[str]) -> str:
    r"""Return a path, or what the system says of one, as text: bytes that are no UTF-8 as `\xNN`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def is_utf8(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path's bytes are UTF-8."""
    try:
        os.fsencode(path).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _place(variable: str, default: str) -> Path:
    """Return an environment variable's folder as an absolute path; relative ones are below the current folder."""
    value = os.environ.get(variable)
    return Path(os.path.abspath(value)) if value else ROOT / default


# What a folder's path may not hold, each with what cannot take it.
_REFUSED = {
    "lake": {";": "the metastore's address", ":": "Hadoop's paths", "${": "Hadoop's settings"},
    "project": {":": "Java's class path"},
}


def check() -> None:
    """Raise StrataError for a folder whose path holds a character that Spark, or what it stands on, cannot take."""
    folders = {
        "project": (ROOT, "The project's folder", "move the project to another"),
        "landing": (landing(), "The landing folder", "name another folder in STRATA_LANDING"),
        "lake": (lake(), "The lake folder", "name another folder in STRATA_LAKE"),
    }
    for place, (folder, name, mend) in folders.items():
        if not is_utf8(folder):
            raise StrataError(f"{name} {text(folder)} holds bytes that are no UTF-8 in its path: {mend}.")
        for sign, taker in _REFUSED.get(place, {}).items():
            if sign in str(folder):
                raise StrataError(f"{name} {folder} holds {sign!r} in its path, which {taker} cannot take: {mend}.")


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


def ignored(name: str) -> Path:
    """The lake's record of what lies in the landing folder and is not taken: of a source, or `landing` of none."""
    return lake() / "intake" / "ignored" / f"{name}.jsonl"
