"""`strata init`: a project of one's own, laid out from the wheel that is installed."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from strata.errors import StrataError

DISTRIBUTION = "strata-lakehouse"
# The dbt project within the wheel; a checkout has none, for it is one.
LAYOUT = Path(__file__).with_name("project")


def _hashes(record: str) -> dict[str, str]:
    """Return the hash of each file of the package by its name, as a wheel's RECORD tells them."""
    return {
        name: digest for name, digest, _ in csv.reader(record.splitlines()) if name.startswith("strata/") and digest
    }


def _is_installed(wheel: Path, installed: Distribution) -> bool:
    """Tell whether a wheel is the one that is installed: the same version, and the same content of each file."""
    try:
        with zipfile.ZipFile(wheel) as opened:
            name = f"{DISTRIBUTION.replace('-', '_')}-{installed.version}.dist-info/RECORD"
            wanted = _hashes(opened.read(name).decode())
    except (OSError, KeyError, zipfile.BadZipFile):
        return False
    there = _hashes(installed.read_text("RECORD") or "")
    return bool(wanted) and all(there.get(name) == digest for name, digest in wanted.items())


def _downloaded(version: str, folder: Path) -> Path | None:
    """Download the wheel of a version by pip, from where pip is told to look; return None where that fails."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    done = subprocess.run([*command, f"{DISTRIBUTION}=={version}"], capture_output=True, text=True)
    return next(folder.glob("*.whl"), None) if done.returncode == 0 else None


def _wheel(named: Path | None, folder: Path) -> Path:
    """Return the file of the installed wheel: the named one, the one it was installed from, or a download of it."""
    installed = distribution(DISTRIBUTION)
    if named is not None:
        if not _is_installed(named, installed):
            raise StrataError(f"--wheel names {named}, which is not the installed {DISTRIBUTION} {installed.version}.")
        return named
    origin = urlsplit(json.loads(installed.read_text("direct_url.json") or "{}").get("url", ""))
    if origin.scheme == "file" and _is_installed(Path(url2pathname(origin.path)), installed):
        return Path(url2pathname(origin.path))
    found = _downloaded(installed.version, folder)
    if found is None or not _is_installed(found, installed):
        raise StrataError(
            f"The wheel of {DISTRIBUTION} {installed.version} is not where it was installed from, and pip downloads no "
            "such one: name its file in --wheel."
        )
    return found


def init(folder: Path, wheel: Path | None = None) -> None:
    """Lay out a project in a folder that is empty or not there, the wheel in it, all or nothing.

    Raise StrataError for a folder that holds something, in a checkout, and where the wheel is not to be had.
    """
    if not LAYOUT.is_dir():
        raise StrataError("This is a checkout of Strata, which is a project itself: install the wheel to make another.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StrataError(f"{folder} is not empty: name a folder that is, or one that is not there.")
    if not folder.absolute().parent.is_dir():
        raise StrataError(f"{folder.absolute().parent} is not there: make it, or name another folder.")
    with tempfile.TemporaryDirectory(dir=folder.absolute().parent, prefix=f".{folder.name}-") as scratch:
        made = Path(scratch) / "made"
        shutil.copytree(LAYOUT, made, ignore=shutil.ignore_patterns("__pycache__"))
        file = _wheel(wheel, Path(scratch))
        (made / "wheels").mkdir()
        kept = Path(shutil.copy(file, made / "wheels"))
        digest = hashlib.sha256(kept.read_bytes()).hexdigest()
        (made / "requirements" / "strata.txt").write_text(f"./wheels/{kept.name} --hash=sha256:{digest}\n")
        made.rename(folder.absolute())
