"""The fuzzer: mutated files of all three sources land by the hundred, and the tables must be as they say.

A round lands its files in schemas of its own and builds them at once. What fuzz_check finds is shrunk to a small file,
in at most 30 further builds, and saved. `make fuzz` runs it; a part of it is in the tests.

Purchases lie one file a day, for a file that cannot be taken holds back its whole day and all later ones: each file is
judged by what raw, quarantine and ops say of it. Then the days that were refused are taken away, some of the others are
taken one by one, as `dbt snapshot` does, and the rest by a rebuild; the history must follow from the right days.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import fuzz_check
import fuzz_reading
from conftest import GENERATED_CODE, MODIFIED_AT, Lake, Run
from fuzz_check import ANY, RULES, Checked, Finding, Tables
from fuzz_mutations import FIRST_DAY, MUTATIONS, SOURCES, File, files_of_round, zipped
from strata import history, places, session

MOST_BUILDS = 30
# Findings of one round that are shrunk; the others are told and saved as they are.
MOST_SHRUNK = 12
# The files that stop a build for all are looked for, one after the other, so often.
MOST_CULPRITS = 8
ROUNDS_PER_LAKE = 12
# dbt prints nothing, and writes no log file unless DBT_LOG_LEVEL_FILE says so; what it says is in its result.
SILENT = ("--log-level", "none")


class Session:
    """The lakes of a run of the fuzzer: one Spark, and schemas of its own for each build."""

    def __init__(self, folder: Path, days_alone: int = 2, lake: Lake | None = None) -> None:
        self.folder = folder
        # Days of purchases that a round takes one by one, before the rebuild takes all.
        self.days_alone = days_alone
        self.builds = 0
        self.used = 0
        self.lake = lake or Lake(folder / "0")

    def fresh(self, files: Iterable[File]) -> Lake:
        """Return a pipeline without tables, with files that have landed."""
        self.builds += 1
        # What earlier builds found in their own folders is none of this one's; a lost intake costs one more scan.
        shutil.rmtree(self.lake.folder / "lake" / "intake", ignore_errors=True)
        for old in self.lake.folder.glob("landing *"):
            shutil.rmtree(old)
        for old in (self.lake.folder / "lake" / "warehouse").glob("f[0-9]*_*.db"):
            shutil.rmtree(old)
        lake = replace(self.lake, prefix=f"f{self.builds}", landing_name=f"landing {self.builds}")
        for source in SOURCES:
            (lake.landing / source).mkdir(parents=True, exist_ok=True)
        for file in files:
            path = os.fsencode(lake.landing) + b"/" + os.fsencode(file.path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as landed:
                landed.write(file.content)
            os.utime(path, (MODIFIED_AT.timestamp(), MODIFIED_AT.timestamp()))
        return lake

    def renew(self) -> None:
        """Start with an empty lake when this one has seen many rounds, so that no metastore or memory grows on."""
        self.used += 1
        if self.used % ROUNDS_PER_LAKE == 0:
            session.stop()
            shutil.rmtree(self.lake.folder)
            self.lake = Lake(self.folder / str(self.used))


def built(lake: Lake, *arguments: str, has_tests: bool = False) -> Run:
    """Build a lake's subject; what dbt says is in the result alone."""
    left_out = ("--exclude-resource-type", "unit_test", *(() if has_tests else ("test",)))
    return lake.dbt("build", *SILENT, *left_out, *lake.selected(arguments), **RULES)


def remove(lake: Lake, file: File) -> None:
    """Take a landed file, and the folder of its day, away."""
    path = os.fsencode(lake.landing) + b"/" + os.fsencode(file.path)
    os.unlink(path)


def sources_of(node: str) -> tuple[str, ...]:
    """Return the sources that a failed node may be about, by its name."""
    words = {
        "fleet_sensors": ("sensor", "fleet"),
        "purchases": ("purchase", "deliver", "version", "history"),
        "events": ("event", "action", "window"),
    }
    return tuple(source for source in words if any(word in node for word in words[source])) or SOURCES


# --- a round ----------------------------------------------------------------------------------------------------------


def build_and_check(
    own: Session, files: list[File], whole: bool, note: Callable[[str], None], has_tests: bool = False
) -> tuple[list[Finding], list[str]]:
    """Land files, build, compare; with `whole` marts, history and a second build too. Return findings, failed nodes."""
    checked = Checked()
    lake = own.fresh(files)
    note("builds")
    left_out = () if whole else ("--exclude", "path:models/mart", "schema_changes", "rebuilt_purchases", "purchases")
    run = built(lake, *left_out, has_tests=has_tests)
    failed = fuzz_check.check_run(run, checked)
    if failed:
        return checked.findings, failed
    note("compares")
    tables = Tables(lake, files, run, checked)
    tables.check(has_marts=whole)
    if not whole:
        return checked.findings, []
    note("takes days")
    for found in tables.refused:
        if found.state == "taken":
            remove(lake, found.file)
    for _ in range(own.days_alone):
        fuzz_check.check_run(lake.dbt("snapshot", *SILENT, **ANY), checked)
    tables.history(lake.strata(history.rebuild, ["purchases"], **ANY))
    note("builds again")
    before = fuzz_check.versions(lake)
    if not fuzz_check.check_run(built(lake), checked):
        gone = {found.path for found in tables.refused}
        fuzz_check.changed(lake, before, fuzz_check.versions(lake), checked, gone, tables.has_history, tables.is_short)
    return checked.findings, []


def stopped(own: Session, files: list[File], node: str, note: Callable[[str], None]) -> tuple[Finding | None, str]:
    """Build a node and what it needs of some files; return the finding if it fails, and all that was said."""
    note(f"looks for the file that stops {node} among {len(files)}")
    checked = Checked()
    run = built(own.fresh(files), "--select", f"+{node}")
    fuzz_check.check_run(run, checked)
    return (checked.findings[0] if checked.findings else None), "\n".join(run.said)


def named_in(text: str, files: list[File]) -> list[File]:
    """Return the files that a message names by the short names under which Spark is given them."""
    return [file for file in files if "f" + hashlib.sha256(os.fsencode(file.path)).hexdigest()[:20] in text]


def culprits(
    own: Session, files: list[File], node: str, note: Callable[[str], None]
) -> list[tuple[Finding, list[File]]]:
    """Find the files that make a node fail for all, one after the other: by their names in what is said, or by halves.

    Where files do it together only, they are blamed together.
    """
    suspects = [file for file in files if file.source in sources_of(node)]
    found: list[tuple[Finding, list[File]]] = []
    while len(found) < MOST_CULPRITS and suspects:
        finding, said = stopped(own, suspects, node, note)
        if finding is None:
            break
        blamed = named_in(said, suspects)
        if not blamed:
            blamed = suspects
            while len(blamed) > 1:
                halves = blamed[: len(blamed) // 2], blamed[len(blamed) // 2 :]
                half = next((half for half in halves if stopped(own, half, node, note)[0]), None)
                if half is None:
                    break
                blamed = half
            finding = stopped(own, blamed, node, note)[0] or finding
        found.append((finding, blamed))
        suspects = [file for file in suspects if file not in blamed]
    return found


def play(
    own: Session, files: list[File], note: Callable[[str], None], has_tests: bool = False
) -> list[tuple[Finding, File | None]]:
    """Play a round: a build of all files, without those that stop it; return findings with the files to blame."""
    found: list[tuple[Finding, File | None]] = []
    for _ in range(MOST_CULPRITS):
        findings, failed = build_and_check(own, files, True, note, has_tests)
        if not failed:
            break
        # Of each source the first node that failed; the others follow from it.
        first = {sources_of(node): node for node in reversed(failed)}
        stopping = [pair for node in first.values() for pair in culprits(own, files, node, note)]
        if not stopping:
            return found + [(finding, None) for finding in findings]
        for finding, blamed in stopping:
            others = f" (together with {[file.path for file in blamed[1:]]})" if len(blamed) > 1 else ""
            path = fuzz_reading.shown(blamed[0].path)
            found.append((replace(finding, path=path, found=finding.found + others), blamed[0]))
            files = [file for file in files if file not in blamed]
        findings = []
    by_path = {fuzz_reading.shown(file.path): file for file in files}
    return found + [(finding, by_path.get(finding.path)) for finding in findings]


# --- shrinking --------------------------------------------------------------------------------------------------------


def without(parts: list[bytes], spans: Iterable[tuple[int, int]]) -> bytes:
    """Return parts joined, those in some spans left out."""
    left_out = {number for start, end in spans for number in range(start, end)}
    return b"".join(part for number, part in enumerate(parts) if number not in left_out)


def smaller(file: File) -> Generator[list[File], list[bool], File]:
    """Shrink a file: yield candidates, get which of them show the finding, return the smallest that does."""
    folder, _, base = file.name.rpartition("/")
    is_gz = base.lower().endswith(".gz")
    text, rest = fuzz_reading.unzipped(file.content) if is_gz else (b"", "")
    plain = "a." + ("jsonl" if file.source == "fleet_sensors" else "csv")

    def named(name: str, content: bytes) -> File:
        return replace(file, name=f"{folder}/{name}" if folder else name, content=content)

    def packed(content: bytes) -> bytes:
        return zipped(content) if is_packed else content

    # The name first, and whether the gzip is to blame.
    tries = [named(plain, text if is_gz and not rest else file.content)]
    tries += [named(f"{plain}.gz", file.content), named(base, text)] if is_gz else []
    shows = yield tries
    best = next((one for one, is_shown in zip(tries, shows, strict=True) if is_shown), file)
    is_packed = is_gz and best.name.lower().endswith(".gz") and not rest and best.content == file.content
    content = text if is_packed else best.content
    # Then one line alone, or with the header.
    lines = content.splitlines(keepends=True)
    options = list(dict.fromkeys([b"", *lines, *(lines[0] + line for line in lines[1:])])) if len(lines) > 1 else []
    shows = yield [replace(best, content=packed(option)) for option in options]
    right = [option for option, is_shown in zip(options, shows, strict=True) if is_shown]
    content = min(right, key=len) if right else content
    # Then by parts, ever smaller ones: which can go alone, then as many of these as can go together.
    count = 8
    while len(content) > 1:
        parts = content.splitlines(keepends=True) if not right and count <= 64 and len(content) > 2000 else None
        parts = parts if parts and len(parts) >= 8 else [content[n : n + 1] for n in range(len(content))]
        cuts = sorted({round(len(parts) * n / count) for n in range(count + 1)})
        spans = list(itertools.pairwise(cuts))
        shows = yield [replace(best, content=packed(without(parts, [span]))) for span in spans]
        able = [span for span, is_shown in zip(spans, shows, strict=True) if is_shown]
        if able:
            options = [without(parts, able), without(parts, able[::2]), without(parts, able[1::2])]
            options += [without(parts, able[: len(able) // 2]), without(parts, able[len(able) // 2 :])]
            options.append(without(parts, able[:1]))
            shows = yield [replace(best, content=packed(option)) for option in options]
            content = min(
                [content, *(option for option, is_shown in zip(options, shows, strict=True) if is_shown)], key=len
            )
        if count >= len(content):
            break
        count = min(count * 3, 72, len(content))
        if not able and count == 72 and len(content) > 72 and len(spans) >= 64:
            break
    return replace(best, content=packed(content))


def placed(file: File, number: int) -> File:
    """Give a candidate a folder of its own, so that many of one name land together; each purchase a day."""
    if file.source == "purchases":
        day = FIRST_DAY + timedelta(days=number)
        return replace(file, name=re.sub(r"\A(?:[0-9]{4}/){1}[0-9]{2}/[0-9]{2}/", f"{day:%Y/%m/%d}/", file.name))
    if file.source == "fleet_sensors":
        found = re.match(r"(?:year=)?[0-9]{4}/(?:month=)?[0-9]{2}/(?:day=)?[0-9]{2}/", file.name)
        at = found.end() if found else 0
        return replace(file, name=f"{file.name[:at]}c{number}/{file.name[at:]}")
    return replace(file, name=f"c{number}/{file.name}")


def shrink_together(
    own: Session, blamed: list[tuple[Finding, File]], note: Callable[[str], None]
) -> dict[Finding, File]:
    """Shrink the files of findings side by side: each build lands the candidates of all of them."""
    best = dict(blamed)
    at_work: dict[Finding, tuple[Generator, list[File]]] = {}
    for finding, file in blamed:
        generator = smaller(file)
        at_work[finding] = (generator, next(generator))
    for build in range(MOST_BUILDS):
        if not at_work:
            break
        note(f"shrinks {len(at_work)} findings, build {build + 1} of at most {MOST_BUILDS}")
        landed: list[File] = []
        owners: list[tuple[Finding, int]] = []
        for finding, (_, candidates) in at_work.items():
            for number, candidate in enumerate(candidates):
                owners.append((finding, number))
                landed.append(placed(candidate, len(landed)))
        findings, failed = build_and_check(own, landed, False, note)
        kinds = {(finding.path, finding.kind) for finding in findings}
        paths = [fuzz_reading.shown(file.path) for file in landed]
        for finding in list(at_work):
            generator, candidates = at_work[finding]
            mine = [path for path, (owner, _) in zip(paths, owners, strict=True) if owner is finding]
            shows = [not failed and (path, finding.kind) in kinds for path in mine]
            right = [one for one, is_shown in zip(candidates, shows, strict=True) if is_shown]
            if right:
                best[finding] = min([best[finding], *right], key=lambda one: len(one.content))
            try:
                at_work[finding] = (generator, generator.send(shows))
            except StopIteration:
                del at_work[finding]
    return best


def shrink_alone(own: Session, finding: Finding, file: File, note: Callable[[str], None]) -> File:
    """Shrink a file that stops the build for all: one candidate a build."""
    generator = smaller(file)
    best = file
    candidates = next(generator)
    builds = 0
    nodes = [finding.kind.removeprefix("the node ").removesuffix(" fails")]
    while True:
        shows = [False] * len(candidates)
        for number, candidate in enumerate(candidates):
            if builds == MOST_BUILDS:
                return best
            builds += 1
            if (shown := stopped(own, [candidate], nodes[0], note)[0]) and shown.kind == finding.kind:
                shows[number] = True
                best = candidate
                break
        try:
            candidates = generator.send(shows)
        except StopIteration:
            return best


# --- what is told -----------------------------------------------------------------------------------------------------


def save(folder: Path, seed: int, number: int, finding: Finding, file: File | None) -> Path:
    """Save a finding, with its small file; return where."""
    place = folder / f"{seed}-{number}-{fuzz_reading.file_name(finding.kind)}"
    place.mkdir(parents=True, exist_ok=True)
    about = [
        f"seed: {seed}",
        f"kind: {finding.kind}",
        f"path: {finding.path!r}",
        f"expected: {finding.expected}",
        f"found: {finding.found}",
    ]
    if file is not None:
        about += [
            f"mutations: {', '.join(file.mutations)}",
            f"name: {file.name!r}",
            f"content: {file.content[:2000]!r}",
        ]
        (place / ("landed" + (".gz" if file.name.lower().endswith(".gz") else ""))).write_bytes(file.content)
    (place / "finding.txt").write_text("\n".join(about) + "\n", errors="backslashreplace")
    return place


def run_round(
    own: Session,
    seed: int,
    count: int,
    left_out: frozenset[str],
    folder: Path,
    tell: Callable,
    note: Callable,
    is_shrinking: bool = True,
) -> int:
    """Play a round, tell what it found, and return how many findings there were."""
    files = files_of_round(seed, count, left_out)
    # The data tests hold for hostile files too, and cost as much as all else: one round in four has them.
    found = play(own, files, note, has_tests=seed % 4 == 0)
    for finding, _ in found:
        note(f"has found: {finding.kind}: {finding.path!r}")
    with_file = [(finding, file) for finding, file in found if file is not None]
    alike: dict[tuple, tuple[Finding, File]] = {}
    for finding, file in with_file:
        alike.setdefault((finding.kind, file.mutations), (finding, file))
    chosen = sorted(
        alike.values(),
        key=lambda pair: (sum(one[0].kind == pair[0].kind for one in alike.values()), len(pair[1].content)),
    )
    chosen = chosen[:MOST_SHRUNK]
    stopping = [(finding, file) for finding, file in chosen if finding.kind.startswith("the node")]
    others = [pair for pair in chosen if pair not in stopping]
    if not is_shrinking:
        stopping, others = [], []
    small = {finding: shrink_alone(own, finding, file, note) for finding, file in stopping}
    small |= shrink_together(own, others, note) if others else {}
    for number, (finding, file) in enumerate(found):
        place = save(folder, seed, number, finding, small.get(finding, file))
        tell(f"seed {seed}: {finding.kind}", finding, file, small.get(finding), place)
    return len(found)


class Teller:
    """What the fuzzer prints: a line for each round, a paragraph for each finding."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def line(self, text: str) -> None:
        self.console.print(text, soft_wrap=True, highlight=False, markup=False)

    def finding(self, title: str, finding: Finding, file: File | None, small: File | None, place: Path) -> None:
        """Print a finding, with its small file."""
        self.line(f"! {title}")
        for name, value in (("file", finding.path), ("expected", finding.expected), ("found", finding.found)):
            self.line(f"    {name}: {str(value).encode('utf-8', 'backslashreplace').decode()}")
        if file is not None:
            self.line(f"    mutations: {', '.join(file.mutations)}")
        if small is not None:
            self.line(f"    small: {small.name!r} {small.content[:400]!r}")
        self.line(f"    saved in {place}")


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def fuzz(
    seconds: Annotated[int, typer.Option(help="Start rounds until so many seconds have passed; 0 is one round.")] = 0,
    seed: Annotated[int | None, typer.Option(help="The first round's seed; each further round takes the next.")] = None,
    files: Annotated[int, typer.Option(help="How many files a round lands, a third of each source.")] = 300,
    without: Annotated[str, typer.Option(help="Mutations to leave out, with commas between.")] = "",
    only: Annotated[str, typer.Option(help="Mutations to take alone, with commas between.")] = "",
    shrink: Annotated[bool, typer.Option(help="Shrink the files of what is found.")] = True,
    verbose: Annotated[bool, typer.Option(help="Tell each step, where no progress is shown.")] = False,
) -> None:
    """Land mutated files, build, and compare the tables with a plain reading of the same files."""
    first = seed if seed is not None else int(time.time()) % 1_000_000
    left_out = frozenset(filter(None, without.split(",")))
    if only:
        left_out = frozenset(MUTATIONS) - frozenset(only.split(","))
    os.chdir(places.ROOT)
    os.environ.setdefault("STRATA_SPARK_SETTINGS", GENERATED_CODE)
    console = Console(width=None)
    teller = Teller(console)
    folder = Path(tempfile.mkdtemp(prefix="strata_fuzz_"))
    findings_folder = places.ROOT / "target" / "fuzz"
    own = Session(folder)
    start = time.monotonic()
    rounds = total_files = total = 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
            task = progress.add_task("starts", total=max(seconds, 1))

            def note(what: str) -> None:
                if verbose:
                    teller.line(f"  {time.monotonic() - start:.0f} s: round {rounds + 1} {what}")
                progress.update(task, description=f"round {rounds + 1} {what}", completed=int(time.monotonic() - start))

            while rounds == 0 or time.monotonic() - start < seconds:
                began = time.monotonic()
                found = run_round(own, first + rounds, files, left_out, findings_folder, teller.finding, note, shrink)
                took = time.monotonic() - began
                teller.line(f"seed {first + rounds}: {files} files, {took:.0f} seconds, {found} findings")
                rounds, total_files, total = rounds + 1, total_files + files, total + found
                own.renew()
    finally:
        session.stop()
        shutil.rmtree(folder, ignore_errors=True)
    where = f"; they are saved in {findings_folder}" if total else ""
    teller.line(f"{rounds} rounds, {total_files} files, {total} findings, {own.builds} builds{where}")
    sys.exit(1 if total else 0)


if __name__ == "__main__":
    app()
