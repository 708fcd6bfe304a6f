"""Log files, messages and the record hold names of files, tables and columns, and no value of a row."""

from __future__ import annotations

import io
import os
from dataclasses import replace

import pytest
from rich.console import Console

from conftest import Lake
from strata import doctor, history, places, report
from strata.dbt_run import DbtOptions

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
def said(lake: Lake) -> dict[str, str]:
    """All that commands print and write beside the tables, by where it stands; a data test among them fails."""
    os.environ |= {"DBT_LOG_PATH": str(lake.folder / "logs"), "DBT_LOG_LEVEL_FILE": "debug"}
    # One file for all runs of a checkout.
    of_spark = places.logs() / "spark.log"
    before = of_spark.stat().st_size if of_spark.exists() else 0
    own = replace(lake, keeps_results=True)
    variables = {"kept_failures": 0, "max_removed_share": 1}
    printed = {}
    for name, landed in (("first", LANDED), ("second", SECOND)):
        for path, content in landed.items():
            source, _, below = path.partition("/")
            own.land(below, content, source=source)
        printed[f"{name} build"] = "\n".join(own.build(**variables).said)
    printed["catch-up"] = "\n".join(own.strata(history.catch_up, ["purchases"], **variables).said)
    printed["rebuild"] = "\n".join(own.strata(history.rebuild, ["purchases"], **variables).said)
    console = Console(file=io.StringIO(), width=1000)
    doctor.show(console, [], doctor.of_lake(DbtOptions(), deep=True), as_json=False)
    report.runs(console, 20)
    printed["doctor and runs"] = console.file.getvalue()
    files = [
        file for name in ("logs", "target", "lake/runs", "lake/intake") for file in own.folder.rglob(f"{name}*/**/*")
    ]
    files += (own.folder / "lake").glob("*")
    printed |= {
        str(file): file.read_text(errors="replace") for file in files if file.is_file() and not file.is_symlink()
    }
    return printed | {str(of_spark): of_spark.read_bytes()[before:].decode(errors="replace")}


def test_no_value_of_a_row_stands_in_what_is_said(said: dict[str, str]) -> None:
    for part in ("dbt.log", "run_results.json", "spark.log", "/runs/", "/intake/"):
        assert any(part in name and text for name, text in said.items()), part
    found = [
        f"{name}: {line[:300]}"
        for name, text in said.items()
        for line in text.splitlines()
        if any(value in line for value in (TEXT, DIGITS))
    ]
    assert found == [], "\n".join(found[:20])
