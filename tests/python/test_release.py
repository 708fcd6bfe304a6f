"""`make release` and `make unrelease`: on a clone, with a remote and a started package registry, all of them real."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pypiserver
import pytest

from conftest import copy_what_git_knows
from strata import places

TOOL = places.ROOT / "tools" / "release.py"
NAME = "strata_lakehouse"


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Silent(WSGIRequestHandler):
    def log_message(self, *_) -> None:
        """Say nothing of each request."""


@dataclass
class House:
    """A clone with a remote, and a registry."""

    clone: Path
    remote: Path
    packages: Path
    address: str

    def run(self, command: str = "release", clone: Path | None = None, **environment: str) -> tuple[int, str, str]:
        """Run a command of the tool; return its exit code and what it printed on both streams."""
        given = {
            "TWINE_REPOSITORY_URL": self.address,
            "TWINE_USERNAME": "anna",
            "TWINE_PASSWORD": "secret",
            "CHECK": "true",
            **environment,
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TWINE_", "CI_", "GIT_"))}
        done = subprocess.run(
            [sys.executable, str(TOOL), command], cwd=clone or self.clone, env=kept | given,
            capture_output=True, text=True,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    def ends_well(self, command: str = "release", **environment: str) -> str:
        """Run a command, fail unless it succeeds, and return what it printed."""
        code, printed, said = self.run(command, **environment)
        assert code == 0, said
        return printed

    def commit(self, subject: str, push: bool = True) -> None:
        git(self.clone, "commit", "--quiet", "--allow-empty", "--message", subject)
        if push:
            git(self.clone, "push", "--quiet", "origin", "main")

    def state(self) -> tuple:
        """Return all that a command could have changed."""
        return (
            git(self.clone, "for-each-ref"),
            git(self.clone, "status", "--porcelain"),
            git(self.remote, "for-each-ref"),
            self.wheels(),
        )

    def wheels(self) -> list[str]:
        return sorted(re.search(r"-(\d+\.\d+\.\d+)-", path.name)[1] for path in self.packages.glob("*.whl"))

    def tags(self) -> list[str]:
        return git(self.remote, "tag").splitlines()

    def installed(self, into: Path) -> str:
        """Install the newest version that the registry has; return which it is."""
        index = ["--index-url", f"{self.address}simple/", "--no-deps", "--no-cache-dir", "--quiet"]
        command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *index, "--target", str(into)]
        subprocess.run([*command, NAME.replace("_", "-")], check=True, capture_output=True)
        return re.search(r"-(\d+\.\d+\.\d+)\.", next(into.glob("*.dist-info")).name)[1]


@contextmanager
def served(application) -> Iterator[str]:
    """Serve a WSGI application on a free port of this machine; give its address."""
    server = make_server("127.0.0.1", 0, application, handler_class=Silent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    source, remote, clone, packages = (tmp_path / name for name in ("source", "remote.git", "clone", "packages"))
    packages.mkdir()
    # What git knows of this checkout, as one commit.
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch", "main", str(remote))
    git(tmp_path, "init", "--quiet", "--initial-branch", "main", str(source))
    copy_what_git_knows(source)
    (source / "CHANGELOG.md").write_text("# Change log\n")
    project = source / "dbt_project.yml"
    project.write_text(re.sub(r"(?m)^version: .*$", "version: 0.1.0", project.read_text()))
    for key, value in {"user.name": "Anna", "user.email": "anna@example.com"}.items():
        git(source, "config", key, value)
    git(source, "add", "--all")
    git(source, "commit", "--quiet", "--message", "All of it")
    git(source, "push", "--quiet", str(remote), "main")
    git(tmp_path, "clone", "--quiet", str(remote), str(clone))
    for key, value in {"user.name": "Anna", "user.email": "anna@example.com"}.items():
        git(clone, "config", key, value)
    registry = pypiserver.app(
        roots=[packages], authenticate=["update"], disable_fallback=True, password_file="set",
        auther=lambda user, password: (user, password) == ("anna", "secret"),
    )  # fmt: skip
    with served(registry) as address:
        yield House(clone, remote, packages, address)


def assert_refused(house: House, *texts: str, command: str = "release", **environment: str) -> None:
    """Assert that a command ends with one sentence, and that nothing is otherwise than before."""
    before = house.state()
    code, _, said = house.run(command, **environment)
    assert code == 1, said
    assert len(said.strip().splitlines()) == 1, said
    for text in texts:
        assert text in said
    assert house.state() == before


def test_releases_go_out_and_one_is_taken_back(house: House, tmp_path: Path) -> None:
    house.ends_well()
    assert (house.tags(), house.wheels()) == (["v0.1.0"], ["0.1.0"])
    house.commit("Count refunds by reason")
    house.ends_well()
    assert (house.tags(), house.wheels()) == (["v0.1.0", "v0.2.0"], ["0.1.0", "0.2.0"])
    # One version: of the project, the wheel and the tag, which the remote's main has.
    assert "\nversion: 0.2.0\n" in git(house.remote, "show", "v0.2.0:dbt_project.yml")
    assert git(house.remote, "rev-parse", "main") == git(house.clone, "rev-parse", "main", "v0.2.0^{}").split()[0]
    log = git(house.remote, "show", "main:CHANGELOG.md")
    assert re.fullmatch(
        r"# Change log\n\n## 0\.2\.0 - \d{4}-\d\d-\d\d\n\n- Count refunds by reason\n\n"
        r"## 0\.1\.0 - \d{4}-\d\d-\d\d\n\n- The first release\.",
        log,
    ), log
    assert house.installed(tmp_path / "newest") == "0.2.0"

    house.ends_well("unrelease", VERSION="0.2.0")
    assert (house.tags(), house.wheels()) == (["v0.1.0", "v0.2.0", "v0.2.0-withdrawn"], ["0.1.0"])
    assert re.search(r"## 0\.2\.0 - \S+\n\nWithdrawn on ", git(house.remote, "show", "main:CHANGELOG.md"))
    assert house.installed(tmp_path / "before") == "0.1.0"
    assert_refused(house, "0.2.0 is withdrawn already", command="unrelease", VERSION="0.2.0")
    # Its number stays used.
    house.commit("Count them right")
    house.ends_well()
    assert house.installed(tmp_path / "after") == "0.3.0"


def test_what_is_raised_is_asked_for_and_a_tag_by_hand_counts(house: House) -> None:
    git(house.clone, "tag", "v1.0.0")
    git(house.clone, "push", "--quiet", "origin", "v1.0.0")
    house.ends_well()
    house.commit("Mend")
    house.ends_well(BUMP="patch")
    house.commit("Break")
    house.ends_well(BUMP="major")
    assert house.wheels() == ["1.1.0", "1.1.1", "2.0.0"]


def test_a_dry_run_shows_all_and_does_nothing(house: House) -> None:
    house.ends_well()
    house.commit("Count refunds by reason")
    before = house.state()
    printed = house.ends_well(DRY_RUN="1", TWINE_PASSWORD="", CHECK="touch checked")
    for text in (
        "Version 0.2.0, after 0.1.0",
        "- Count refunds by reason",
        "To origin: main and v0.2.0",
        "touch checked",
    ):
        assert text in printed
    assert house.state() == before


def test_what_stands_in_the_way_is_said_and_nothing_is_done(house: House, tmp_path: Path) -> None:
    assert_refused(house, "BUMP is 'huge': make it major, minor or patch", BUMP="huge")
    assert_refused(house, "TWINE_PASSWORD is not set", TWINE_PASSWORD="")
    assert_refused(house, "TWINE_REPOSITORY_URL is not set", TWINE_REPOSITORY_URL="")
    assert_refused(house, "The check failed, and nothing is released: exit 3", CHECK="exit 3")
    assert_refused(house, "There is no tag v0.7.0", command="unrelease", VERSION="0.7.0")
    assert_refused(house, "VERSION is 'newest'", command="unrelease", VERSION="newest")
    (house.clone / "README.md").write_text("changed")
    assert_refused(house, "holds changes that are not committed")
    git(house.clone, "checkout", "--quiet", "README.md")
    house.commit("Not pushed", push=False)
    assert_refused(house, "main is not what origin has as main: pull or push first")
    git(house.clone, "push", "--quiet", "origin", "main")
    git(house.clone, "switch", "--quiet", "--create", "mine")
    assert_refused(house, "This is not the branch main")
    git(house.clone, "switch", "--quiet", "--detach")
    assert_refused(house, "This is not the branch main")
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{house.remote}", str(tmp_path / "shallow"))
    code, _, said = house.run(clone=tmp_path / "shallow")
    assert (code, house.tags()) == (1, [])
    assert "This clone is shallow: complete it with 'git fetch --unshallow'" in said


def test_a_push_that_fails_leaves_nothing(house: House) -> None:
    hook = house.remote / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    assert_refused(house, "git push failed")
    hook.unlink()
    house.ends_well()
    assert house.wheels() == ["0.1.0"]


def test_an_upload_that_fails_is_ended_by_the_same_command(house: House) -> None:
    code, _, said = house.run(TWINE_PASSWORD="wrong")
    assert code == 1
    assert "v0.1.0 is tagged and pushed, and its upload failed" in said
    assert "'make release' ends it" in said
    assert (house.tags(), house.wheels()) == (["v0.1.0"], [])
    for _ in range(2):
        house.ends_well()
        assert (house.tags(), house.wheels()) == (["v0.1.0"], ["0.1.0"])


def test_a_withdrawal_that_was_cut_off_is_ended_by_the_same_command(house: House) -> None:
    house.ends_well()
    hook = house.remote / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    assert house.run("unrelease", VERSION="0.1.0")[0] == 1
    assert (house.tags(), house.wheels()) == (["v0.1.0"], [])
    hook.unlink()
    house.ends_well("unrelease", VERSION="0.1.0")
    assert house.tags() == ["v0.1.0", "v0.1.0-withdrawn"]


def test_a_registry_that_cannot_be_asked_is_told_and_a_hand_may_do_it(house: House) -> None:
    house.ends_well()
    assert_refused(house, "yank it there by hand", "YANKED=1", command="unrelease", VERSION="0.1.0", TWINE_PASSWORD="x")
    next(house.packages.glob("*.whl")).unlink()
    house.ends_well("unrelease", VERSION="0.1.0", YANKED="1", TWINE_PASSWORD="")
    assert house.tags() == ["v0.1.0", "v0.1.0-withdrawn"]


def test_at_gitlab_its_own_interface_is_asked(house: House) -> None:
    house.ends_well()
    there = [
        {"id": 7, "name": "strata-lakehouse", "version": "0.1.0"},
        {"id": 8, "name": "strata-lakehouse-more", "version": "0.1.0"},
    ]
    asked = []

    def gitlab(environ: dict, start_response) -> list[bytes]:
        asked.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["HTTP_JOB_TOKEN"]))
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(there).encode()]

    with served(gitlab) as address:
        ci = {"CI_API_V4_URL": f"{address}api/v4", "CI_PROJECT_ID": "3", "CI_JOB_TOKEN": "job's"}
        registry = f"{address}api/v4/projects/3/packages/pypi"
        house.ends_well("unrelease", VERSION="0.1.0", TWINE_REPOSITORY_URL=registry, **ci)
    packages = "/api/v4/projects/3/packages"
    assert asked == [("GET", packages, "job's"), ("DELETE", f"{packages}/7", "job's")]
    assert house.tags() == ["v0.1.0", "v0.1.0-withdrawn"]


def test_no_secret_of_an_address_is_printed(house: House) -> None:
    assert_refused(house, "git ls-remote failed", "//127.0.0.1:9/", RELEASE_REMOTE="http://me:hidden@127.0.0.1:9/x.git")
    assert "hidden" not in house.run(RELEASE_REMOTE="http://me:hidden@127.0.0.1:9/x.git")[2]


def test_the_project_has_the_version_of_the_newest_release() -> None:
    """What the change log tells last is the version of the project, and so of the wheel."""
    released = re.findall(r"^## (\S+) - ", (places.ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    version = re.search(r"^version: (\S+)$", (places.ROOT / "dbt_project.yml").read_text(), re.MULTILINE)[1]
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert released[:1] in ([], [version])
