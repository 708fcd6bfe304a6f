"""The worked example: sources added by `strata new-source` alone, in a copy of the project, built for real."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from conftest import Lake, Run
from strata import new_source, places

SAMPLES = {
    "refunds": (
        "daily_snapshot",
        "refund_id,amount,reason,refunded_on\nR1,12.50,damaged,2026-01-03\nR2,7.00,,2026-01-04\n",
        {"key": "refund_id", "valid_from": "refunded_on"},
    ),
    "page_views": (
        "events",
        "viewed_at,page,user_id\n2026-01-05T10:00:00Z,/home,17\n",
        {"time": "viewed_at", "by": "page"},
    ),
    # Unlike ours: a key made of two columns, semicolons, a time since 1970, codes that begin with zeros.
    "order_lines": (
        "daily_snapshot",
        "order_no;part;price;note;changed\n0012;1;12.50;x;1767607200000\n0012;2;3.00;;1767607200000\n",
        {"key": "concat_ws('-', order_no, part)", "valid_from": "changed"},
    ),
    "pumps": (
        "growing_lines",
        '{"site": "A", "pump": "P1", "at": 1767607200000, "flow": 12.5}\n',
        {"key": "concat_ws('-', site, pump)", "time": "at"},
    ),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the project with the sources of SAMPLES, made by the command."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("models", "snapshots"):
        shutil.copytree(places.ROOT / name, folder / name)
    for name in ("dbt_project.yml", "profiles.yml", "packages.yml", "dbt_packages", "macros", "seeds", "tests"):
        (folder / name).symlink_to(places.ROOT / name)
    for name, (kind, sample, options) in SAMPLES.items():
        file = folder / f"{name}.{'jsonl' if kind == 'growing_lines' else 'csv'}"
        file.write_text(sample)
        given = {"key": None, "valid_from": None, "time": None, "by": None, **options}
        new_source.make(name, kind, file, given, Console(quiet=True), root=folder)
    return folder


@pytest.fixture(scope="module")
def lake(lake: Lake) -> Lake:
    return replace(lake, subject=" ".join(SAMPLES))


def made(project: Path, name: str) -> list[Path]:
    return [*project.glob(f"models/*/{name}/*"), *project.glob(f"snapshots/{name}/*")]


@pytest.mark.parametrize("name", ["refunds", "page_views"])
def test_a_source_is_at_most_eight_files_and_two_hundred_lines(project: Path, name: str) -> None:
    files = made(project, name)
    assert len(files) <= 8
    assert sum(len(file.read_text().splitlines()) for file in files) <= 200


def test_what_is_written_passes_the_linters(project: Path) -> None:
    files = [str(file) for name in SAMPLES for file in made(project, name)]
    for command, ending in (
        (["yamllint", "--strict", "-c", str(places.ROOT / ".yamllint")], ".yml"),
        (["sqlfluff", "lint", "--disable-progress-bar", "--config", str(places.ROOT / ".sqlfluff")], ".sql"),
    ):
        chosen = [file for file in files if file.endswith(ending) and "/snapshots/" not in file]
        tool = str(Path(sys.executable).with_name(command[0]))
        done = subprocess.run([tool, *command[1:], *chosen], cwd=project, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def refunds(*rows: str) -> str:
    return "\n".join(["refund_id,amount,reason,refunded_on", *rows]) + "\n"


@pytest.fixture(scope="module")
def built(lake: Lake, project: Path) -> Lake:
    """Land two days of each source and build once, with every test that was written."""
    lake.land("2026/01/05/a.csv", refunds("R1,12.50,damaged,2026-01-03", "R2,7.00,,2026-01-04"), source="refunds")
    lake.land("2026/01/06/a.csv", refunds("R1,12.50,damaged,2026-01-03", "R2,7.00,late,2026-01-06"), source="refunds")
    views = ["viewed_at,page,user_id", *["2026-01-05T10:00:00Z,/home,17"] * 30, "2026-01-05T10:03:00Z,/shop,17", "x,,y"]
    lake.land("a.csv", "\n".join(views) + "\n", source="page_views")
    lines = ["order_no;part;price;note;changed", '0012;1;12.50;"a;b";1767607200000', "0012;2;3.00;;1767607200000"]
    lake.land("2026/01/05/a.csv", "\n".join(lines) + "\n", source="order_lines")
    pumps = ['{"site": "A", "pump": "P1", "at": 1767607200000, "flow": 12.5}'] * 30 + [
        '{"site": "B", "at": 1, "flow": 1}'
    ]
    lake.land("2026/01/05/a.jsonl", "\n".join(pumps) + "\n", source="pumps")
    run = lake.dbt("build", *lake.selected(("--project-dir", str(project))))
    assert run.success, run.said
    return lake


def test_a_build_takes_them_and_all_that_was_written_passes(built: Lake) -> None:
    assert built.rows("select refund_id, amount, reason, version, valid_from from mart.current_refunds order by 1") == [
        ("R1", Decimal("12.50"), "damaged", 1, date(2026, 1, 3)),
        ("R2", Decimal("7.00"), None, 1, date(2026, 1, 4)),
    ]
    window = datetime(2026, 1, 5, 10)
    assert built.rows("select window_start, page, row_count from mart.page_views_windows order by page") == [
        (window, "/home", 30),
        (window, "/shop", 1),
    ]
    assert built.rows("select viewed_at, page, user_id, reasons from quarantine.page_views") == [
        ("x", None, "y", ["viewed_at_malformed", "page_missing", "user_id_malformed"])
    ]
    keyed = "select order_lines_key, order_no, part, price, note, version, valid_from from stage.order_lines order by 1"
    assert built.rows(keyed) == [
        ("0012-1", "0012", 1, Decimal("12.50"), "a;b", 1, date(2026, 1, 5)),
        ("0012-2", "0012", 2, Decimal("3.00"), None, 1, date(2026, 1, 5)),
    ]
    readings = "select pumps_key, at, name, value, copy_count from stage.pumps"
    assert built.rows(readings) == [("A-P1", window, "flow", 12.5, 29)]
    assert built.rows("select line, reasons from quarantine.pumps where line is not null") == [
        ('{"site": "B", "at": 1, "flow": 1}', ["pump_missing", "at_too_early", "pumps_key_missing"])
    ]


def test_one_history_is_refused_and_the_others_go_on(built: Lake, project: Path) -> None:
    """Two snapshots in one run under threads, one refused and one taken; then one replayed while the others stay."""

    def snapshot(*arguments: str, **variables) -> Run:
        return built.dbt("snapshot", "--threads", "4", "--project-dir", str(project), *arguments, **variables)

    lines = "order_no;part;price;note;changed\n0012;1;12.75;x;1767693600000\n"
    built.land("2026/01/06/a.csv", lines, source="order_lines")
    built.land("2026/01/07/a.csv", refunds(), source="refunds")
    names = ("--select", "refunds", "order_lines")
    run = snapshot(*names, max_removed_share={"order_lines": 0.5})
    assert run.success, run.said
    run = snapshot(*names)
    assert (run.nodes["refunds"], run.nodes["order_lines"]) == ("error", "success")
    refused = "The snapshot of refunds of 2026-01-07 is empty, and would end all 2 current refunds: deliver it again"
    assert "--vars '{allow_empty_snapshot: {refunds: true}}'" in run.sentence(refused)
    before = built.rows("select * from stage.order_lines order by order_lines_key, version")
    assert [row[-5] for row in before] == [1, 2, 1]
    # The second refund was of another amount on the first day.
    built.land("2026/01/05/a.csv", refunds("R1,12.50,damaged,2026-01-03", "R2,6.00,,2026-01-04"), source="refunds")
    run = snapshot("--select", "refunds")
    assert "'strata replay --source refunds --from 2026-01-05'" in run.sentence(
        "was delivered again with other content"
    )
    variables = {"allow_empty_snapshot": {"refunds": True}}
    run = snapshot("--select", "refunds", history="replay", replay_from="2026-01-05", **variables)
    assert run.success, run.said
    assert built.rows("select refund_id, amount, reason, version, closed_on from stage.refunds order by 1, 4") == [
        ("R1", Decimal("12.50"), "damaged", 1, date(2026, 1, 7)),
        ("R2", Decimal("6.00"), None, 1, date(2026, 1, 6)),
        ("R2", Decimal("7.00"), "late", 2, date(2026, 1, 7)),
    ]
    assert built.rows("select * from stage.order_lines order by order_lines_key, version") == before
    run = built.dbt("build", *built.selected(("--project-dir", str(project))), allow_empty_snapshot=True)
    assert run.success, run.said
