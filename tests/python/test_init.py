"""`strata init`: what the wheel holds, and a project of one's own that is laid out from it and builds."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from strata import places

UV = str(Path(sys.executable).with_name("uv"))
# What is of the development of Strata alone.
OF_DEVELOPMENT = re.compile(
    r"\.ci/|bench/|\.github/|\.gitlab-ci\.yml|python/|tests/cluster/|tests/python/|"
    r"CHANGELOG\.md|tools/|development\.mk|hatch_build\.py|pyproject\.toml|requirements/(.*\.in|development\.txt)"
)


def without_settings() -> dict[str, str]:
    """Return the environment without Strata's and dbt's settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("STRATA_", "DBT_"))}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [UV, "build", "--wheel", "--no-build-isolation", "--offline", "--out-dir", str(folder), str(places.ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The command of an environment with the wheel in it; what it needs besides is this environment's."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    site = next((folder / "lib").glob("python*/site-packages"))
    (site / "needed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [UV, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", str(folder / "bin" / "python")]
    subprocess.run([*install, str(wheel)], check=True)
    return folder / "bin" / "strata"


def init(installed: Path, folder: Path, *options: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [installed, "init", folder, *options],
        cwd=folder.parent, env=without_settings(), capture_output=True, text=True,
    )  # fmt: skip


def test_the_wheel_holds_the_project_and_nothing_of_its_development(wheel: Path) -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=places.ROOT, capture_output=True, text=True, check=True).stdout
    wanted = {name for name in listed.splitlines() if not OF_DEVELOPMENT.match(name)}
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    project = {name.removeprefix("strata/project/") for name in held if name.startswith("strata/project/")}
    assert project == wanted
    code = {name.removeprefix("python/") for name in listed.splitlines() if name.startswith("python/")}
    assert {name for name in held if not name.startswith("strata/project/")} == code


def test_the_wheel_asks_for_the_pinned_versions(wheel: Path) -> None:
    metadata = next(name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".dist-info/METADATA"))
    asked = re.findall(r"^Requires-Dist: ([^\s;]+)", zipfile.ZipFile(wheel).read(metadata).decode(), re.MULTILINE)
    lock = (places.ROOT / "requirements" / "lock.txt").read_text()
    assert asked
    assert sorted(asked) == sorted(re.findall(r"^(\S+==\S+)", lock, re.MULTILINE))


def test_init_lays_out_the_project_with_the_very_wheel(installed: Path, wheel: Path, tmp_path: Path) -> None:
    done = init(installed, tmp_path / "my-lake")
    assert done.returncode == 0, done.stderr
    kept = tmp_path / "my-lake" / "wheels" / wheel.name
    assert kept.read_bytes() == wheel.read_bytes()
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert (tmp_path / "my-lake" / "requirements" / "strata.txt").read_text() == (
        f"./wheels/{wheel.name} --hash=sha256:{digest}\n"
    )
    for name in ("dbt_project.yml", "models/docs.md", "requirements/lock.txt", "tests/events", ".sqlfluff"):
        assert (tmp_path / "my-lake" / name).exists()
    assert [path.name for path in tmp_path.iterdir()] == ["my-lake"]


def test_init_refuses_a_folder_that_holds_something(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kept").touch()
    done = init(installed, tmp_path / "mine")
    assert done.returncode == 1
    assert done.stderr.strip() == (
        f"{tmp_path / 'mine'} is not empty: name a folder that is, or one that is not there."
    )
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["kept"]
    (tmp_path / "empty").mkdir()
    assert init(installed, tmp_path / "empty").returncode == 0


def test_init_says_where_the_wheel_is_not_to_be_had(installed: Path, wheel: Path, tmp_path: Path) -> None:
    """It was installed from a file that has gone; this environment has no pip to download it by."""
    moved = Path(shutil.move(wheel, tmp_path / wheel.name))
    try:
        done = init(installed, tmp_path / "my-lake")
        assert done.returncode == 1
        assert "name its file in --wheel" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        (tmp_path / "other.whl").write_bytes(b"no wheel")
        done = init(installed, tmp_path / "my-lake", "--wheel", str(tmp_path / "other.whl"))
        assert done.returncode == 1
        assert "which is not the installed" in done.stderr
        assert not (tmp_path / "my-lake").exists()
        assert init(installed, tmp_path / "my-lake", "--wheel", str(moved)).returncode == 0
    finally:
        shutil.move(moved, wheel)


def test_a_checkout_makes_no_other_project(tmp_path: Path) -> None:
    done = init(Path(sys.executable).with_name("strata"), tmp_path / "my-lake")
    assert done.returncode == 1
    assert "This is a checkout" in done.stderr


def test_the_project_builds_with_nothing_of_the_checkout(installed: Path, tmp_path: Path) -> None:
    """Its own environment, by the hashed lock and with that very wheel, the sample, a mart with all that it is made of.

    Spared for time: the archive of classes, which `make build` makes before, unit tests, and the rest of the tables.
    """
    project = tmp_path / "my-lake"
    assert init(installed, project).returncode == 0

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=project, env=without_settings(), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("make", ".venv/.set-up")
    run(".venv/bin/strata", "sample")
    without_unit_tests = ("--exclude-resource-type", "unit_test")
    built = run(".venv/bin/dbt", "--no-use-colors", "build", *without_unit_tests, "--select", "+action_windows")
    assert "action_windows" in built
    told = "from strata import places; print(places.ROOT, places.__file__)"
    # From another folder too: the project is that of the environment.
    done = subprocess.run([project / ".venv/bin/python", "-c", told], cwd="/", capture_output=True, text=True)
    root, module = done.stdout.split()
    assert root == str(project)
    assert Path(module).is_relative_to(project / ".venv")
