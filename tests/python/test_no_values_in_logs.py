"""Log files, messages and the record hold names of files, tables and columns, and no value of a row."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from strata import places

# A text, and digits, that nothing else has; each stands where a value of its kind does, right or wrong.
TEXT, DIGITS = "zebrafish", "4815162342"
LANDED = {
    "events/2026/01/05/a.csv": f"time,action,note\n2026-01-05T10:00:00.815Z,Open,{TEXT}\n"
    + "".join(f"2026-01-05T10:{minute:02}:00.815Z,Open,{TEXT}\n" for minute in range(30))
    + f"2026-01-05T10:00:00Z,{TEXT},\n",
    "purchases/2026/01/05/p.csv": "PurchaseID,product,user,date,shop\n"
    + "".join(f"{int(DIGITS) + number},{number + 1},1000001,2026-01-02,{TEXT}\n" for number in range(30))
    + f"{DIGITS}99,{TEXT},x,y,\n",
    "fleet_sensors/2026/01/05/s.jsonl": "".join(
        f'{{"truck_id": "{TEXT} {number}", "recorded_at": "2026-01-05T10:00:00Z", "speed": {DIGITS}, "d": "{TEXT}"}}\n'
        for number in range(30)
    )
    + f'{{"truck_id": "{TEXT}", "recorded_at": "{TEXT}"}}\n{{"truck_id": {TEXT}\n',
}
SECOND = {
    # Refused whole: too much of it is not valid; the other days go on.
    "events/2026/01/06/b.csv": "time,action\n" + f"2026-01-06T10:00:00Z,{TEXT}\n" * 3,
    "purchases/2026/01/06/p.csv": "PurchaseID,product,user,date,shop\n"
    + "".join(f"{int(DIGITS) + number},{number + 2},1000001,2026-01-06,{TEXT}\n" for number in range(29))
    + f"{DIGITS},1,1000001,2026-01-06,{TEXT}\n",
    "fleet_sensors/2026/01/06/s.jsonl": f'{{"truck_id": "{TEXT}", "recorded_at": "2026-01-06T10:00:00Z", "d": [1]}}\n',
}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """All that commands print and write beside the tables, by where it stands; a data test among them fails."""
    folder = tmp_path_factory.mktemp("said")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STRATA_")} | {
        "STRATA_LAKE": str(folder / "lake"),
        "STRATA_LANDING": str(folder / "landing"),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }
    # One file for all runs of a checkout.
    of_spark = places.logs() / "spark.log"
    before = of_spark.stat().st_size if of_spark.exists() else 0
    printed = {}
    quiet = "{kept_failures: 0, max_removed_share: 1}"
    for number, (landed, command) in enumerate(
        (
            (LANDED, ("dbt", "build", "--exclude-resource-type", "unit_test", "--vars", quiet)),
            (SECOND, ("dbt", "build", "--exclude-resource-type", "unit_test", "--vars", quiet)),
            ({}, ("strata", "catch-up")),
            ({}, ("strata", "rebuild")),
            ({}, ("strata", "doctor", "--deep")),
            ({}, ("strata", "runs")),
        )
    ):
        for name, content in landed.items():
            (folder / "landing" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "landing" / name).write_text(content)
        done = subprocess.run(
            [str(Path(sys.executable).with_name(command[0])), *command[1:]],
            cwd=places.ROOT, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        printed[f"{number}: {' '.join(command)}"] = done.stdout + done.stderr
    files = [file for name in ("logs", "target", "lake/runs", "lake/intake") for file in (folder / name).rglob("*")]
    files += (folder / "lake").glob("*")
    printed |= {
        str(file): file.read_text(errors="replace") for file in files if file.is_file() and not file.is_symlink()
    }
    return printed | {str(of_spark): of_spark.read_bytes()[before:].decode(errors="replace")}


def test_no_value_of_a_row_stands_in_what_is_said(said: dict[str, str]) -> None:
    assert any("dbt.log" in name for name in said)
    assert any("/runs/" in name for name in said)
    found = [
        f"{name}: {line[:300]}"
        for name, text in said.items()
        for line in text.splitlines()
        if any(value in line for value in (TEXT, DIGITS))
    ]
    assert found == [], "\n".join(found[:20])
