"""Which Java Spark would run on. Only the standard library is used: set-up asks before anything is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

from strata.errors import StrataError

SUPPORTED = (17, 21)
MEND = "install Java 17 or 21 and point JAVA_HOME to it."


def path() -> str:
    """Return the java that Spark starts, that of JAVA_HOME or else of the PATH; raise StrataError without one."""
    home = os.environ.get("JAVA_HOME")
    java = os.path.join(home, "bin", "java") if home else shutil.which("java")
    if java is None:
        raise StrataError(f"No java is on the PATH and JAVA_HOME is not set: {MEND}")
    if not os.path.exists(java):
        raise StrataError(f"JAVA_HOME is {home}, and no java is there: {MEND}")
    return java


def check() -> int:
    """Return the version of that java; raise StrataError when it is none that Spark 4.1 supports."""
    java = path()
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60).stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StrataError(f"{java} does not start ({error}): {MEND}") from None
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    if not found:
        raise StrataError(f"{java} does not tell its version: {MEND}")
    version = int(found.group(1))
    if version not in SUPPORTED:
        raise StrataError(f"{java} is Java {version}, which Spark 4.1 does not run on: {MEND}")
    return version


if __name__ == "__main__":
    try:
        check()
    except StrataError as error:
        sys.exit(str(error))
