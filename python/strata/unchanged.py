"""What need not be done again: a test that has passed, a table that was made, a question asked, of just what is there.

What each reads is summed up in a digest: its SQL, variables in it included, the versions of dbt, Spark and Delta, the
newest commit of each table that it reads (see delta_log), the text of each view, and the listings of what has landed
where they are read. A table has its digest as a property. The tests that have passed stand in `unchanged.json` in the
lake, by the test: its digest and when it passed, and of one that looks at each row by itself up to which commit of the
tested table. So do answers of a few rows, by the question. Whoever removes the file has everything done again.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strata import delta_log, places, storage
from strata.cluster import Locks

if TYPE_CHECKING:
    import agate

# After so long a test is run even so; and one that no run asks for any more is forgotten.
KEPT = timedelta(days=30)
# What another moment, or another call, may answer otherwise.
_MOVING = re.compile(
    r"\b(current_(date|timestamp|user)|curdate|localtimestamp|now\s*\(|unix_timestamp\s*\(|rand\w*\s*\(|uuid\s*\()",
    re.IGNORECASE,
)

# Of a smaller table all rows are read sooner than the feed of those that changed.
LARGE_BYTES = 16 * 1024 * 1024

# Longer answers are not kept.
LONGEST_ANSWER = 100

_passed: dict[str, dict[str, Any]] | None = None
_listed: list[str] | None = None
_is_noted = False
_spared = 0
_of_changes = 0


def begin() -> None:
    """Forget what an earlier command of this process knows."""
    global _passed, _listed, _is_noted, _spared, _of_changes
    _passed, _listed, _is_noted, _spared, _of_changes = None, None, False, 0, 0


def _listings() -> list[str]:
    """Return a digest of each listing of what has landed, which a command takes before its first node runs."""
    global _listed
    if _listed is not None:
        return _listed
    digests = []
    for folder in (places.lake() / "intake", places.lake() / "intake" / "ignored"):
        for entry in sorted(storage.entries(folder), key=lambda one: one.name):
            if entry.is_file and entry.name.endswith(".jsonl"):
                with io.BufferedReader(storage.open(entry.path)) as file:
                    digests.append(entry.name + hashlib.file_digest(file, "sha256").hexdigest())
    _listed = digests
    return digests


@functools.cache
def _versions() -> list[str]:
    return [metadata.version(name) for name in ("dbt-core", "dbt-spark", "pyspark", "delta-spark")]


def digest(sql: str, reads: dict[str, str], *, is_of_tables: bool) -> str | None:
    """Return the digest of a query and what it reads; None where that is not all told, or it answers otherwise later.

    `reads` has a text for each node that dbt knows it to read. Where one of them is no table and reads none
    (not `is_of_tables`), it must be the listings that it reads.
    """
    texts = [sql, *reads.values()]
    reads_listings = any(f"{places.lake()}/intake/" in text for text in texts)
    if any(_MOVING.search(text) for text in texts) or not (is_of_tables or reads_listings):
        return None
    try:
        told = [sql, reads, _versions(), _listings() if reads_listings else []]
    except OSError:
        return None
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _file() -> Path:
    return places.lake() / "unchanged.json"


def _load() -> dict[str, dict[str, Any]]:
    try:
        with storage.open(_file()) as file:
            found = json.loads(file.readall())
        since = (datetime.now(UTC) - KEPT).isoformat()
        return {test: one for test, one in found.items() if one["passed_at"] > since}
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        # Nothing is lost by a file that is not there or is not ours: everything is tested.
        return {}


def _known() -> dict[str, dict[str, Any]]:
    global _passed
    if _passed is None:
        _passed = _load()
    return _passed


def has_passed(test: str, of: str) -> bool:
    """Tell whether a test has passed on what has this digest."""
    global _spared
    has = _known().get(test, {}).get("digest") == of
    _spared += has
    return has


def known_answer(question: str, of: str) -> list[list] | None:
    """Return the rows that a question was answered with on what has this digest; None where it must be asked."""
    known = _known().get(question, {})
    return known.get("rows") if known.get("digest") == of else None


def note_answer(question: str, of: str, rows: Iterable[Iterable]) -> None:
    """Note the rows, of texts, numbers and truth values, that a question was answered with; see note_passed()."""
    global _is_noted
    told = [[_plain_number(value) for value in row] for row in rows]
    if len(told) <= LONGEST_ANSWER:
        _is_noted = True
        passed_at = datetime.now(UTC).isoformat(timespec="seconds")
        _known()[question] = {"digest": of, "passed_at": passed_at, "rows": told}


def _plain_number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def passed_until(test: str, of_others: str) -> str | None:
    """Return the mark of the commit of the tested table up to which a test has passed with its SQL and all else that it
    reads as they are, which is what has the digest `of_others`; None where it has not.
    """
    passed = _known().get(test, {})
    return passed.get("mark") if passed.get("of_others") == of_others else None


def note_passed(test: str, of: str, of_others: str = "", mark: str = "", is_whole: bool = True) -> None:
    """Note that a test has passed on what has a digest; keep_passed() writes it. See passed_until() for the others.

    When it was that it looked at all (`is_whole`) stays, where it looked at what changed since.
    """
    global _is_noted, _of_changes
    _is_noted = True
    _of_changes += not is_whole
    at = datetime.now(UTC).isoformat(timespec="seconds") if is_whole else _known()[test]["passed_at"]
    _known()[test] = {"digest": of, "passed_at": at}
    if of_others:
        _known()[test] |= {"of_others": of_others, "mark": mark}


def is_large(schema: str, name: str) -> bool:
    """Tell whether a table holds so much that reading what changed in it is sooner done than reading it all."""
    return (delta_log.stored_bytes(schema, name) or 0) >= LARGE_BYTES


def spared() -> str:
    """Return how many tests of this command were not run again, or not on all rows, as a sentence; or nothing."""
    told = []
    if _spared:
        told.append(f"{_spared} tests had passed and read nothing that has changed: they were not run again")
    if _of_changes:
        told.append(f"{_of_changes} data tests had passed and were run again on the rows that changed")
    return f"{'; '.join(told)} (--vars '{{test_everything: true}}' runs all, on all rows)." if told else ""


def keep_passed() -> str:
    """Write what is known, where there is news; return what stood in the way as a sentence, or nothing."""
    global _is_noted
    # A store that has been given up is not waited for once more.
    if not _is_noted or Locks.are_lost:
        return ""
    _is_noted = False
    try:
        with storage.create(_file()) as file:
            file.write(json.dumps(_passed, indent=0, sort_keys=True).encode())
    except OSError as error:
        return f"{_file()} cannot be written ({storage.said(error)}), so that the next run tests all again."
    return ""


def nothing_found() -> agate.Table:
    """Return the result of a test that finds nothing, as dbt reads one: `failures`, `should_warn`, `should_error`."""
    import agate

    names = ["failures", "should_warn", "should_error"]
    return agate.Table([[0, False, False]], names, [agate.Number(), agate.Boolean(), agate.Boolean()])


def nothing_differs() -> agate.Table:
    """Return the result of a unit test that has neither rows nor expects any, as dbt reads one."""
    import agate

    return agate.Table([], ["actual_or_expected"], [agate.Text()])


def is_as_expected(table: agate.Table) -> bool:
    """Tell whether the rows of a unit test, as dbt has them in one table, are those that it expects."""
    told = {"actual": Counter(), "expected": Counter()}
    for row in table.rows:
        values = dict(zip(table.column_names, row, strict=True))
        told[values.pop("actual_or_expected")][repr(values)] += 1
    return told["actual"] == told["expected"]
