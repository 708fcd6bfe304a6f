"""The dbt packages of the project: from the hub, or the project's stand-ins where the hub cannot be reached."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from strata import places
from strata.errors import StrataError

STAND_INS = ("dbt_utils", "dbt_expectations")
# dbt has no setting for it: a hub that is reached but never answers keeps `dbt deps` waiting for more than 3 minutes.
LONGEST_SECONDS = 60
# What dbt says after its last retry, whatever the cause: no name service, a refusal, a proxy's answer, a cut download.
NOT_REACHED = "External connection exception occurred"


def _deps(log: Path) -> bool:
    """Run `dbt deps` with its output in the log; return False without the hub, raise StrataError on another failure."""
    dbt = Path(sys.executable).parent / "dbt"
    command = [str(dbt), "--no-use-colors", "deps", "--project-dir", str(places.ROOT)]
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w") as output:
        try:
            done = subprocess.run(
                command,
                cwd=places.ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=LONGEST_SECONDS,
            )
        except subprocess.TimeoutExpired:
            output.write(f"dbt deps was ended after {LONGEST_SECONDS} seconds.\n")
            return False
        except OSError as error:
            raise StrataError(f"{dbt} does not start ({error.strerror}): set up the environment anew.") from None
    if done.returncode == 0:
        return True
    if NOT_REACHED in log.read_text(errors="replace"):
        return False
    raise StrataError("dbt deps failed, and not for want of the package hub: the last lines of logs/deps.log say why.")


def _put_stand_ins() -> None:
    """Replace dbt_packages/ by copies of the stand-ins; whenever this is ended, the folder is whole or not there."""
    packages = places.ROOT / "dbt_packages"
    # Aside means in target/: git does not see it, and the next run clears what an ended one has left.
    new, old = (places.ROOT / "target" / name for name in ("dbt_packages.new", "dbt_packages.old"))
    for folder in (new, old):
        shutil.rmtree(folder, ignore_errors=True)
    for name in STAND_INS:
        shutil.copytree(places.ROOT / "offline_packages" / name, new / name)
    if packages.exists():
        packages.rename(old)
    new.rename(packages)
    shutil.rmtree(old, ignore_errors=True)


def install() -> None:
    """Put the packages of packages.yml into dbt_packages/; raise StrataError when dbt finds fault with packages.yml.

    Without the hub the stand-ins take their place, one line on standard output says so, and package-lock.yml, which dbt
    writes before it loads the packages, is put back as it was.
    """
    lock = places.ROOT / "package-lock.yml"
    locked = lock.read_bytes() if lock.exists() else None
    if _deps(places.logs() / "deps.log"):
        return
    print(
        "The dbt package hub could not be reached (details in logs/deps.log): "
        "the project's stand-ins from offline_packages/ are put into dbt_packages/ instead."
    )
    if locked is None:
        lock.unlink(missing_ok=True)
    else:
        lock.write_bytes(locked)
    _put_stand_ins()


if __name__ == "__main__":
    try:
        install()
    except StrataError as error:
        sys.exit(str(error))
