"""Delta's jars: from Maven coordinates to files whose checksums are known.

Ivy ships with pyspark and knows the central repository itself, so neither Maven nor an address is needed.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

from strata import java
from strata.errors import StrataError
from strata.places import ROOT, jars_dir

LIST = ROOT / "conf" / "jars.txt"
CLUSTER_LIST = ROOT / "conf" / "cluster_jars.txt"


@dataclass(frozen=True)
class Jar:
    """One artifact: Maven coordinates and the sha256 of its jar (None until locked)."""

    group: str
    artifact: str
    version: str
    sha256: str | None

    @property
    def file_name(self) -> str:
        """The jar's name in the jar folder."""
        return f"{self.artifact}-{self.version}.jar"

    @property
    def path(self) -> Path:
        """Where the jar lies once fetched."""
        return jars_dir() / self.file_name


def listed(file: Path = LIST) -> list[Jar]:
    """Read a list of jars: a line an artifact, `group:artifact:version sha256`."""
    jars = []
    for line in file.read_text().splitlines():
        words = line.split("#")[0].split()
        if words:
            group, artifact, version = words[0].split(":")
            jars.append(Jar(group, artifact, version, words[1] if len(words) > 1 else None))
    return jars


def class_path() -> str:
    """Return the class path of Delta's jars; raise StrataError when one is missing."""
    jars = listed()
    for jar in jars:
        if not jar.path.exists():
            raise StrataError(f"Delta's jar {jar.path} is missing: run 'make setup'.")
    return ":".join(str(jar.path) for jar in jars)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _retrieve(jars: list[Jar], into: Path) -> None:
    """Fetch the jars with Ivy, nothing transitive, into a folder."""
    import pyspark

    ivy = next((Path(pyspark.__file__).parent / "jars").glob("ivy-*.jar"))
    dependencies = "".join(
        f"<dependency org={quoteattr(jar.group)} name={quoteattr(jar.artifact)} rev={quoteattr(jar.version)}"
        ' transitive="false" conf="default->master"/>'
        for jar in jars
    )
    with tempfile.TemporaryDirectory() as scratch:
        module = Path(scratch) / "ivy.xml"
        module.write_text(
            '<ivy-module version="2.0"><info organisation="strata" module="jars"/>'
            '<configurations><conf name="default"/></configurations>'
            f"<dependencies>{dependencies}</dependencies></ivy-module>"
        )
        done = subprocess.run(
            [
                *(java.path(), f"-Divy.home={scratch}/ivy", "-jar", str(ivy), "-ivy", str(module), "-confs", "default"),
                *("-retrieve", f"{into}/[artifact]-[revision].[ext]"),
            ],
            capture_output=True,
            text=True,
        )
    missing = [jar.file_name for jar in jars if not (into / jar.file_name).exists()]
    if done.returncode != 0 or missing:
        raise StrataError(
            f"Jars could not be fetched ({', '.join(missing) or 'the resolver failed'}): check that this "
            f"machine reaches Maven's central repository, or put the files of {LIST.parent} into {jars_dir()} by hand."
        )


def install(jars: list[Jar] | None = None) -> list[Jar]:
    """Bring every listed jar into the jar folder and check its sha256; a jar that is there and right is kept."""
    jars = listed() if jars is None else jars
    wanted = [jar for jar in jars if not jar.path.exists() or (jar.sha256 and _sha256(jar.path) != jar.sha256)]
    if wanted:
        jars_dir().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=jars_dir()) as scratch:
            _retrieve(wanted, Path(scratch))
            for jar in wanted:
                fetched = Path(scratch) / jar.file_name
                if jar.sha256 and _sha256(fetched) != jar.sha256:
                    raise StrataError(
                        f"{jar.file_name} has another sha256 than {LIST.parent} says: it was not installed; fetch it "
                        "again, and if it stays so, do not trust the repository it came from."
                    )
                fetched.replace(jar.path)
    return wanted


def lock() -> None:
    """Write the sha256 of each listed artifact, freshly fetched, into its list (after a version was changed)."""
    for file in (LIST, CLUSTER_LIST):
        unlocked = [Jar(jar.group, jar.artifact, jar.version, None) for jar in listed(file)]
        for jar in unlocked:
            jar.path.unlink(missing_ok=True)
        install(unlocked)
        comments = [line for line in file.read_text().splitlines() if line.startswith("#")]
        lines = [f"{jar.group}:{jar.artifact}:{jar.version} {_sha256(jar.path)}" for jar in unlocked]
        file.write_text("\n".join([*comments, *lines]) + "\n")


if __name__ == "__main__":
    try:
        lock() if "--lock" in sys.argv else install(listed(CLUSTER_LIST) if "--cluster" in sys.argv else None)
    except StrataError as error:
        sys.exit(str(error))
