"""A catch-up and a replay killed in their middle: the next run goes on, and meanwhile another is told who works."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from conftest import Lake
from test_purchases import ANY, VERSION, expected, land, random_days, strata


def commits(folder: Path) -> int:
    return len(list((folder / "lake/warehouse/stage.db/purchases/_delta_log").glob("*.json")))


def test_a_run_killed_in_the_middle_is_gone_on_with_by_the_next(lake: Lake, tmp_path: Path) -> None:
    days = random_days(3, 5, 50)
    land(Lake(tmp_path), days)
    variables = ("--vars", str(ANY))
    for command, more in ((("catch-up",), 5), (("replay", "--from", str(sorted(days)[0])), 4)):
        before = commits(tmp_path)
        process = strata(tmp_path, *command, *variables)
        while commits(tmp_path) < before + more:
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        if command[0] == "catch-up":
            # Held where it is, however long the second takes to start.
            process.send_signal(signal.SIGSTOP)
            second = strata(tmp_path, "catch-up", *variables)
            said, error = second.communicate()
            assert second.returncode == 1, said
            assert f"Another run holds the lake {tmp_path / 'lake'}: process {process.pid} (strata " in error
        process.send_signal(signal.SIGKILL)
        process.wait()
    last = strata(tmp_path, "catch-up", *variables)
    said, error = last.communicate()
    assert last.returncode == 0, error
    assert "0 days left." in said
    assert error == ""
    assert "SQL status" in (tmp_path / "logs" / "dbt.log").read_text()
    own = lake.rows(f"select {VERSION} from delta.`{tmp_path}/lake/warehouse/stage.db/purchases` order by 1, version")
    assert own == expected(days)
