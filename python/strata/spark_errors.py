"""What Spark says of a failed statement, in one sentence; dbt-spark (1.11.0) hands on some hundred lines of Java."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote

from strata import places

# Java's names of exceptions, and Spark's, once more behind them; of a job that failed in a task, where that ran.
_NAMES = (
    r"^(?::? ?\*?(?:[\w.$]*(?:Exception|Error): |Error running query: |\[[A-Z0-9_.]+\] (?=[\w.$]+Exception: ))"
    r"|Job aborted due to stage failure: .*?\(TID \d+\) \([^)]*\): )+"
)
# What stands above: of dbt, and of the bridge between Python and Java.
_HEADING = re.compile(r"(?:Database|Runtime|Compilation) Error|An error occurred while calling .*")
# Our own words in a query, behind the name that Spark gives them.
RAISED = "[USER_RAISED_EXCEPTION]"
# Files of tables that are gone or broken. One that has landed is refused by its name before it is loaded.
_OF_LOG = re.compile(
    r"Could not find any delta files|JsonParseException|JsonEOFException|ChecksumException"
    r"|DELTA_(?:STATE_RECOVER|LOG_FILE_NOT_FOUND|VERSIONS_NOT_CONTIGUOUS|TRUNCATED_TRANSACTION_LOG|MISSING_PART_FILES)"
)
_OF_FILE = re.compile(r"FAILED_READ_FILE|FileNotFoundException|PATH_NOT_FOUND|is not a Parquet file")


def sentence(error: BaseException) -> str:
    """Return the first line of what Spark says, without the names of Java's classes before it."""
    text = str(error)
    found = re.search(r"errorMessage='((?:[^'\\]|\\.)*)'|errorMessage=\"((?:[^\"\\]|\\.)*)\"", text)
    if found:
        text = (found[1] or found[2]).replace("\\n", "\n")
    if RAISED in text:
        # As many lines as it has.
        return " ".join(text.rsplit(RAISED, 1)[-1].split("SQLSTATE")[0].split()).rstrip(".")
    lines = [line.strip() for line in text.splitlines()]
    if "Traceback (most recent call last)" in text:
        # Of Python on a cluster: the last line of its trace.
        lines = [line for line in lines if re.match(r"[\w.]*(Error|Exception): ", line)] or lines
    line = next((line for line in lines if line and not _HEADING.fullmatch(line)), type(error).__name__)
    return re.sub(_NAMES, "", line)[:500].rstrip(".")


def with_mend(error: BaseException) -> str:
    """Return the sentence of an error, and where files of the lake are broken who says what is to be done."""
    said, text = sentence(error), unquote(str(error))
    is_damage = RAISED not in text and (_OF_LOG.search(text) or (_OF_FILE.search(text) and str(places.lake()) in text))
    return f"{said}: 'strata doctor' says what is broken in the lake, and how it is mended" if is_damage else said


def _whole(error: BaseException) -> str:
    """Return an error with what it came from."""
    return f"{error} {_whole(error.__cause__)}" if error.__cause__ else f"{error}"


@contextlib.contextmanager
def in_one_sentence(name: str, say: Callable[[Exception], Exception]) -> Iterator[None]:
    """Raise instead of an error what `say` makes of it; dbt's log file has the whole of it, behind a name."""
    try:
        yield
    except Exception as error:
        from dbt.adapters.events.logging import AdapterLogger

        AdapterLogger("Spark").debug(f"{name}: {_whole(error)}")
        raise say(error) from None


def skip_the_rest() -> None:
    """Have dbt skip, as with --fail-fast, what is left: it would meet the same fault, after a long wait maybe."""
    from dbt.flags import get_flags

    object.__setattr__(get_flags(), "FAIL_FAST", True)
