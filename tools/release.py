"""Release Strata, or take a release back: `make release`, `make unrelease`. docs/releases.md tells the steps.

What a release changes in git is made in a worktree aside and pushed at once, so that a failure or a kill before the
push leaves nothing, and one after it leaves a tag that the same command goes on from.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import requests
import typer
from rich.console import Console

from strata.errors import StrataError
from strata.project import DISTRIBUTION

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
console = Console(highlight=False, soft_wrap=True, markup=False)

VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
TAG = re.compile(rf"refs/tags/v({VERSION.pattern})(-withdrawn)?(\^{{}})?")
PROJECT_FILE = "dbt_project.yml"
CHANGE_LOG = "CHANGELOG.md"
BUMPS = ("major", "minor", "patch")
SECONDS = 60

Remote = Annotated[str, typer.Option(envvar="RELEASE_REMOTE", help="The git remote that is pushed to.")]
Registry = Annotated[str, typer.Option(envvar="TWINE_REPOSITORY_URL", help="The package registry's address.")]
User = Annotated[str, typer.Option(envvar="TWINE_USERNAME", help="The user there.")]
Password = Annotated[str, typer.Option(envvar="TWINE_PASSWORD", help="The password or token there.")]


def _shown(text: str) -> str:
    """Return a text without the secrets that addresses in it hold."""
    return re.sub(r"//[^@/\s]+@", "//", text)


def _git(*arguments: str, folder: Path | None = None, given: str | None = None) -> str:
    """Run git, and return what it prints; raise StrataError with what it says when it fails."""
    done = subprocess.run(["git", *arguments], cwd=folder, input=given, capture_output=True, text=True)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("hint:")]
        raise StrataError(_shown(f"git {arguments[0]} failed: {'; '.join(said)}"))
    return done.stdout.strip()


def _tuple(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


@dataclass(frozen=True)
class Tags:
    """The tags of versions, here and at the remote: the commit of each by its version, and which are withdrawn."""

    commits: dict[str, str]
    withdrawn: set[str]

    @classmethod
    def read(cls, remote: str) -> Tags:
        """Read them, without fetching anything."""
        here = _git("for-each-ref", "--format=%(objectname) %(refname)%0a%(*objectname) %(refname)^{}", "refs/tags")
        commits, withdrawn = {}, set()
        # A tag that is an object has its commit in a line of its own, after it.
        for line in [*_git("ls-remote", "--tags", remote).splitlines(), *here.splitlines()]:
            commit, _, name = line.replace("\t", " ").partition(" ")
            match = TAG.fullmatch(name)
            if not match or not commit:
                continue
            if match[5]:
                withdrawn.add(match[1])
            else:
                commits[match[1]] = commit
        return cls(commits, withdrawn)

    @property
    def newest(self) -> str | None:
        """The highest version that was ever tagged, withdrawn ones too."""
        return max({*self.commits, *self.withdrawn}, key=_tuple, default=None)


def _check_tree(remote: str) -> None:
    """Raise StrataError unless this is main, clean, whole, and what the remote has."""
    if _git("rev-parse", "--abbrev-ref", "HEAD") != "main":
        raise StrataError("This is not the branch main: releases are made of it, so 'git switch main' first.")
    if _git("status", "--porcelain"):
        raise StrataError("The work tree holds changes that are not committed: commit them, or put them aside.")
    if _git("rev-parse", "--is-shallow-repository") == "true":
        raise StrataError("This clone is shallow: complete it with 'git fetch --unshallow'.")
    there = _git("ls-remote", remote, "refs/heads/main").split()
    if there[:1] != [_git("rev-parse", "HEAD")]:
        raise StrataError(f"main is not what {_shown(remote)} has as main: pull or push first.")


def _check_registry(registry: str, user: str, password: str) -> None:
    for name, value in {"REPOSITORY_URL": registry, "USERNAME": user, "PASSWORD": password}.items():
        if not value:
            raise StrataError(f"TWINE_{name} is not set: it names the package registry, or who you are there.")


def _version_of_project(folder: Path = Path()) -> str:
    return re.search(rf"^version: ({VERSION.pattern})$", (folder / PROJECT_FILE).read_text(), re.MULTILINE)[1]


def _next(tags: Tags, bump: str) -> str:
    """Return the version to release: the newest tag's, raised; as it stands where there is none."""
    if tags.newest is None:
        return _version_of_project()
    parts = list(_tuple(tags.newest))
    at = BUMPS.index(bump)
    return ".".join(map(str, [*parts[:at], parts[at] + 1, *[0] * (2 - at)]))


def _section(version: str, tags: Tags) -> str:
    """Return what the change log says of a version: the subjects of the commits since the release before."""
    heading = f"## {version} - {datetime.now(UTC).date()}\n\n"
    before = re.search(rf"^## ({VERSION.pattern}) ", Path(CHANGE_LOG).read_text(), re.MULTILINE)
    # A tag that was set by hand stands in no change log.
    if before is None:
        return f"{heading}- The first release.\n"
    subjects = _git("log", "--no-merges", "--format=- %s", f"{tags.commits[before[1]]}..HEAD")
    return f"{heading}{subjects or '- No change.'}\n"


@contextmanager
def _aside() -> Iterator[Path]:
    """Give a worktree of HEAD that is gone afterwards."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "tree"
        _git("worktree", "add", "--quiet", "--detach", str(folder), "HEAD")
        try:
            yield folder
        finally:
            _git("worktree", "remove", "--force", str(folder))


def _push(folder: Path, remote: str, tag: str) -> None:
    """Push a worktree's commit as main, and a tag of it, both or neither; then bring main here up to it."""
    commit = _git("rev-parse", "HEAD", folder=folder)
    tagger = _git("var", "GIT_COMMITTER_IDENT")
    # Pushed as an object: a tag by name would stay here when the push fails.
    made = _git("mktag", given=f"object {commit}\ntype commit\ntag {tag}\ntagger {tagger}\n\n{tag}\n")
    _git("push", "--quiet", "--atomic", remote, f"{commit}:refs/heads/main", f"{made}:refs/tags/{tag}", folder=folder)
    _git("fetch", "--quiet", "--tags", remote)
    _git("merge", "--quiet", "--ff-only", commit)


def _wheel(folder: Path, into: Path) -> Path:
    uv = str(Path(sys.executable).with_name("uv"))
    options = ["--no-build-isolation", "--offline", "--python", sys.executable, "--out-dir", str(into)]
    command = [uv, "build", "--wheel", *options, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise StrataError(f"The wheel could not be built: {done.stderr.strip().splitlines()[-1]}")
    return next(into.glob("*.whl"))


def _upload(wheel: Path, version: str) -> None:
    """Upload a wheel to the registry that twine's environment names; one that is there already stays."""
    command = [sys.executable, "-m", "twine", "upload", "--verbose", "--non-interactive", str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True)
    said = (done.stdout + done.stderr).strip().splitlines() or ["twine says nothing"]
    # Told by each registry in its own way; twine's --skip-existing knows some of them, and refuses the others.
    if done.returncode and not re.search(r"\b409\b|already (exists|been taken)", " ".join(" ".join(said).split())):
        raise StrataError(
            f"v{version} is tagged and pushed, and its upload failed ({said[-1].strip()}): 'make release' ends it."
        )


@app.command()
def release(
    remote: Remote = "origin",
    registry: Registry = "",
    user: User = "",
    password: Password = "",
    bump: Annotated[str, typer.Option(envvar="BUMP", help="What is raised: major, minor or patch.")] = "minor",
    check: Annotated[str, typer.Option(envvar="CHECK", help="A command that must succeed before.")] = "make test",
    dry_run: Annotated[bool, typer.Option(envvar="DRY_RUN", help="Show all of it, and do nothing.")] = False,
) -> None:
    """Release main: raise the version, write the change log, tag, push, upload. What fails leaves nothing behind."""
    if bump not in BUMPS:
        raise StrataError(f"BUMP is {bump!r}: make it major, minor or patch, or leave it out.")
    _check_tree(remote)
    if not dry_run:
        _check_registry(registry, user, password)
    tags = Tags.read(remote)
    newest = tags.newest
    head = _git("rev-parse", "HEAD")
    if newest and tags.commits.get(newest) == head and newest == _version_of_project():
        console.print(f"main is v{newest}: what is not in the registry yet is uploaded, and nothing else is done.")
        if not dry_run:
            with tempfile.TemporaryDirectory() as scratch, _aside() as folder:
                _upload(_wheel(folder, Path(scratch)), newest)
        return
    version = _next(tags, bump)
    section = _section(version, tags)
    where = _shown(registry) or "(TWINE_REPOSITORY_URL is not set)"
    console.print(
        f"Version {version}, after {newest or 'none'}\nCheck: {check}\nTo {_shown(remote)}: main and v{version}\n"
        f"To {where}: the wheel of {DISTRIBUTION} {version}\n\n{section}"
    )
    if dry_run:
        console.print("DRY_RUN: nothing is done.")
        return
    if subprocess.run(check, shell=True).returncode:
        raise StrataError(f"The check failed, and nothing is released: {check}")
    if _git("status", "--porcelain"):
        raise StrataError(f"The check changed the work tree, and nothing is released: see 'git status', and {check}")
    with tempfile.TemporaryDirectory() as scratch, _aside() as folder:
        project = folder / PROJECT_FILE
        project.write_text(
            re.sub(rf"^version: {VERSION.pattern}$", f"version: {version}", project.read_text(), flags=re.MULTILINE)
        )
        log = folder / CHANGE_LOG
        heading, _, rest = log.read_text().partition("\n")
        log.write_text(f"{heading}\n\n{section}{rest}")
        _git("commit", "--quiet", "--all", "--message", f"Release {version}", folder=folder)
        wheel = _wheel(folder, Path(scratch))
        _push(folder, remote, f"v{version}")
        _upload(wheel, version)
    console.print(f"v{version} is released.")


def _removed_at_gitlab(version: str) -> None:
    """Delete a version from the registry of the GitLab project whose job this is."""
    packages = f"{os.environ['CI_API_V4_URL']}/projects/{os.environ['CI_PROJECT_ID']}/packages"
    token = {"JOB-TOKEN": os.environ["CI_JOB_TOKEN"]}
    wanted = {"package_type": "pypi", "package_name": DISTRIBUTION, "package_version": version}
    found = requests.get(packages, params=wanted, headers=token, timeout=SECONDS)
    found.raise_for_status()
    for package in found.json():
        if package["name"] == DISTRIBUTION and package["version"] == version:
            requests.delete(f"{packages}/{package['id']}", headers=token, timeout=SECONDS).raise_for_status()


def _removed(registry: str, version: str, user: str, password: str) -> None:
    """Take a version out of the registry, if it is there; raise StrataError where that cannot be asked."""
    try:
        if registry.startswith(os.environ.get("CI_API_V4_URL") or "-"):
            _removed_at_gitlab(version)
            return
        # Registries go by either spelling of a name.
        answers = [
            requests.post(
                registry,
                data={":action": "remove_pkg", "name": name, "version": version},
                auth=(user, password),
                timeout=SECONDS,
            )
            for name in (DISTRIBUTION, DISTRIBUTION.replace("-", "_"))
        ]
        for answer in answers:
            if answer.status_code != 404:
                answer.raise_for_status()
        if all(answer.status_code == 404 for answer in answers):
            console.print(f"{version} was not in the registry.")
    except requests.RequestException as error:
        raise StrataError(
            f"The registry does not take {version} out when asked ({_shown(str(error))}): yank it there by hand, then "
            f"'make unrelease VERSION={version} YANKED=1'."
        ) from None


@app.command()
def unrelease(
    version: Annotated[str, typer.Option(envvar="VERSION", help="The release to take back, such as 0.2.0.")] = "",
    remote: Remote = "origin",
    registry: Registry = "",
    user: User = "",
    password: Password = "",
    yanked: Annotated[bool, typer.Option(envvar="YANKED", help="It was taken out of the registry by hand.")] = False,
) -> None:
    """Take a release back: out of the registry, marked by a tag, noted in the change log; its number stays used."""
    if not VERSION.fullmatch(version):
        raise StrataError(f"VERSION is {version!r}: name the release to take back, such as VERSION=0.2.0.")
    _check_tree(remote)
    if not yanked:
        _check_registry(registry, user, password)
    tags = Tags.read(remote)
    if version not in tags.commits:
        raise StrataError(f"There is no tag v{version}: 'git tag' lists the releases.")
    if version in tags.withdrawn:
        raise StrataError(f"{version} is withdrawn already: the tag v{version}-withdrawn is there.")
    if not yanked:
        _removed(registry, version, user, password)
    with _aside() as folder:
        log = folder / CHANGE_LOG
        note = f"\nWithdrawn on {datetime.now(UTC).date()}.\n"
        log.write_text(re.sub(rf"(^## {re.escape(version)} - .*\n)", rf"\1{note}", log.read_text(), flags=re.MULTILINE))
        _git("commit", "--quiet", "--all", "--allow-empty", "--message", f"Withdraw {version}", folder=folder)
        _push(folder, remote, f"v{version}-withdrawn")
    console.print(f"{version} is withdrawn.")


if __name__ == "__main__":
    try:
        app()
    except StrataError as error:
        sys.exit(str(error))
