"""The benchmark: it measures what it says, and the stock project beside which it does is a fair one."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import run
from measuring import DBT, MEMORY, Measures, Row
from strata import dbt_run, places
from strata.errors import StrataError

BENCH = places.ROOT / "bench"


@pytest.fixture
def measures() -> Measures:
    return Measures()


def test_a_row_is_medians_their_spread_and_ratio(measures: Measures) -> None:
    for this, that in ((1.0, 2.0), (9.0, 4.0), (3.0, 2.5)):
        measures.note("this", this)
        measures.note("that", that)
    cells = run._cells(Row("a; b", "this", "that", 1.2), measures)
    assert cells == ["a; b", "3.0 s (1.0 to 9.0)", "2.5 s (2.0 to 4.0)", "1.20", "1.2"]
    assert run._cells(Row("a; b", "this", "that", 1.19), measures)[-1] == "1.19, missed"
    assert run._cells(Row("a; b", "this", "not measured"), measures) is None


def test_a_command_is_measured_with_all_that_it_starts(measures: Measures) -> None:
    child = "import time; held = bytearray(200_000_000); time.sleep(1)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    measures.time("command", [sys.executable, "-c", parent], {})
    assert measures.values("command").median() >= 1
    assert measures.values(f"command{MEMORY}").median() >= 200_000_000
    with pytest.raises(StrataError, match="failed: what it said"):
        measures.time("fault", [sys.executable, "-c", "import sys; sys.exit('what it said')"], {})


def test_memory_is_not_counted_twice_while_a_process_starts_another(measures: Measures) -> None:
    copies_itself = "import os, time; held = bytearray(200_000_000); os.fork(); time.sleep(1)"
    measures.time("command", [sys.executable, "-c", copies_itself], {})
    assert 200_000_000 <= measures.values(f"command{MEMORY}").median() < 400_000_000


def test_what_a_part_measured_is_kept_until_it_is_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "KEPT", tmp_path / "measured")
    monkeypatch.setattr(run, "RESULTS", tmp_path / "results.md")

    def part(seconds: float) -> Callable:
        def measure(measures: Measures, *_: object) -> list[Row]:
            measures.note("this", seconds)
            measures.note("that", 2.0)
            return [Row("this; that", "this", "that")]

        return measure

    monkeypatch.setattr(run, "PARTS", {"one": part(1.0), "other": part(2.0)})
    run.main(times=3, scale=1)
    monkeypatch.setattr(run, "PARTS", {"one": part(5.0), "other": part(9.0)})
    run.main(only=["one"], times=3, scale=1)
    # Less than the full counts, and few times, are printed alone.
    run.main(only=["other"], times=3, scale=0.5)
    run.main(only=["other"], times=2, scale=1)
    ratios = re.findall(r"^\| this; that \|.* (\d\.\d\d) \|  \|$", (tmp_path / "results.md").read_text(), re.MULTILINE)
    assert ratios == ["2.50", "1.00"]


def test_a_part_is_measured_and_its_ratios_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """With what it builds listed alone; at a share of the full counts the results that are kept stay as they are."""
    measured = Measures.time
    listed = []

    def time(self: Measures, name: str, command: list[str], *places_of_it: object) -> None:
        assert command.count("build") == 1
        listed.append(name)
        measured(self, name, ["ls" if word == "build" else word for word in command], *places_of_it)

    monkeypatch.setattr(Measures, "time", time)
    monkeypatch.setattr(Measures, "tell_phases", lambda *_: None)
    monkeypatch.setattr(run.console, "width", 200)
    before = run.RESULTS.exists() and run.RESULTS.read_bytes()
    run.main(only=["wide-sensors"], times=1, scale=0.001)
    assert listed == ["a day of 1,000 lines of 200 sensors", "a day of 1,000 lines of 12 sensors"]
    assert re.search(r"of 200 sensors; of 12.*\d\.\d s.*\d\.\d s.*\d\.\d\d", capsys.readouterr().out)
    assert (run.RESULTS.exists() and run.RESULTS.read_bytes()) == before


def test_what_is_measured_has_no_settings_of_the_shell(measures: Measures, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATA_SPARK_SETTINGS", "a=b")
    told = "import os, sys; sys.exit(str([name for name in sorted(os.environ) if name.startswith('STRATA_')]))"
    with pytest.raises(StrataError, match=re.escape("failed: ['STRATA_LAKE']")):
        measures.time("own", [sys.executable, "-c", told], {"STRATA_LAKE": "there"})


def test_a_part_that_is_none_is_named() -> None:
    with pytest.raises(StrataError, match="--only names evnts: the parts are nothing-new, events,"):
        run.main(only=["evnts"])


def test_the_stock_project_has_as_many_data_tests(tmp_path: Path) -> None:
    """The comparison is with as much testing, and of a project that dbt can parse."""
    environment = {
        **dict.fromkeys(["STOCK_LANDING", "STOCK_LAKE", "STOCK_JARS", "STOCK_IVY"], str(tmp_path)),
        "DBT_TARGET_PATH": str(tmp_path / "target"),
        "DBT_LOG_PATH": str(tmp_path / "logs"),
    }
    place = ["--project-dir", str(BENCH / "stock"), "--profiles-dir", str(BENCH / "stock")]
    listed = subprocess.run(
        [DBT, "--quiet", "list", "--resource-type", "test", *place],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert listed.returncode == 0, listed.stdout
    own = [one for one in dbt_run.parse(dbt_run.DbtOptions()).nodes.values() if one.resource_type == "test"]
    assert len(listed.stdout.split()) == len(own)
