"""Where things are: the project's root, the landing folder, the lake, and the folders that set-up fills.

The two places of data, the landing folder and the lake, are folders, or addresses in an object store (`s3a://bucket/…`).
"""

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


# What Hadoop and fsspec both call an address's store.
SCHEMES = ("s3a", "abfss", "gs")


def is_address(path: str | os.PathLike[str]) -> bool:
    """Tell whether something is an address in an object store, and no path of this machine."""
    return "://" in str(path)


def at(path: str) -> Path:
    """Return a path of this machine as it is, or an address, as what has the parts of a path."""
    if not is_address(path):
        return Path(path)
    # A third of a second that a folder of this machine need not pay.
    from upath import UPath

    return UPath(path)


def is_below(path: Path, folder: Path) -> bool:
    """Tell whether a path is a folder or lies in it; none of this machine lies in an address."""
    return is_address(path) == is_address(folder) and path.is_relative_to(folder)


def _place(variable: str, default: str) -> Path:
    """Return an environment variable's place; relative folders are below the current one. See `check` for addresses."""
    value = os.environ.get(variable)
    if value and is_address(value):
        return at(value.rstrip("/")) if value.split("://")[0] in SCHEMES else Path(value)
    return Path(os.path.abspath(value)) if value else ROOT / default


# What a folder's path may not hold, each with what cannot take it.
_REFUSED = {
    "lake": {";": "the metastore's address", ":": "Hadoop's paths", "${": "Hadoop's settings"},
    "project": {":": "Java's class path"},
}


def check(is_embedded: bool = True) -> None:
    """Raise StrataError for a folder whose path holds a character that Spark, or what it stands on, cannot take.

    An address needs a cluster, and one of the schemes that are known.
    """
    for variable in ("STRATA_LANDING", "STRATA_LAKE"):
        value = os.environ.get(variable, "")
        scheme, _, rest = value.partition("://")
        if is_address(value) and (scheme not in SCHEMES or not rest.strip("/")):
            raise StrataError(f"{variable} is {value}: write it as s3a://bucket/folder, abfss://… or gs://….")
        if is_address(value) and is_embedded:
            raise StrataError(
                f"{variable} is {value}, an address in an object store, which the Spark of this process does not "
                "reach: name a folder, or a target that is a cluster (--target cluster)."
            )
    folders = {
        "project": (ROOT, "The project's folder", "move the project to another"),
        "landing": (landing(), "The landing folder", "name another folder in STRATA_LANDING"),
        "lake": (lake(), "The lake folder", "name another folder in STRATA_LAKE"),
    }
    for place, (folder, name, mend) in folders.items():
        if is_address(folder):
            continue
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
    """The folder of Delta's jars, inside the environment, so that a new environment fetches them anew.

    Where the environment is a link it is what that leads to: a class-data archive holds for jars under one path.
    """
    return (ROOT / ".venv" / "jars").resolve()


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
