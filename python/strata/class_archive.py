"""The JVM's class-data archive, made once at set-up by a small run: it saves later starts seconds of class loading."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from strata import places, samples


def make() -> bool:
    """Make the archive unless it is there; return whether it is there afterwards. Without it all works, only slower."""
    archive = places.class_archive()
    if archive.exists():
        return True
    with tempfile.TemporaryDirectory() as scratch:
        landing = Path(scratch) / "landing"
        for write in samples.SAMPLES.values():
            write(landing)
        made = Path(scratch) / "classes.jsa"
        environment = {
            **os.environ,
            "STRATA_LANDING": str(landing),
            "STRATA_LAKE": f"{scratch}/lake",
            "STRATA_JAVA_OPTIONS": f"-XX:ArchiveClassesAtExit={made}",
            "DBT_TARGET_PATH": f"{scratch}/target",
            "DBT_LOG_PATH": f"{scratch}/logs",
        }
        dbt = Path(sys.executable).with_name("dbt")
        done = subprocess.run([str(dbt), "build"], cwd=places.ROOT, env=environment, capture_output=True, text=True)
        if done.returncode == 0 and made.exists():
            draft = archive.with_suffix(".draft")
            draft.write_bytes(made.read_bytes())
            draft.replace(archive)
        else:
            places.logs().mkdir(parents=True, exist_ok=True)
            (places.logs() / "class_archive.log").write_text(done.stdout + done.stderr)
    return archive.exists()


if __name__ == "__main__":
    if not make():
        print(
            "The class-data archive could not be made (see logs/class_archive.log): all works without it, more slowly."
        )
