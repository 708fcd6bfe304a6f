"""What Spark says of a failed statement, as one sentence for whoever is on call."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from strata import places, session, spark_errors

IN_A_TASK = (
    "Job aborted due to stage failure: Task 0 in stage 5.0 failed 1 times, most recent failure: Lost task 0.0 in "
    "stage 5.0 (TID 7) (127.0.0.1 executor driver): org.apache.spark."
)
TRACE = "\n\tat org.apache.spark.sql.Dataset.collect(Dataset.scala:1)\nCaused by: java.lang.Exception: other words"
UNREAD = (
    "[FAILED_READ_FILE.FILE_NOT_EXIST] Encountered error while reading file file://{folder}/part-0.parquet. File gone"
)
DOCTOR = ": 'strata doctor' says what is broken in the lake, and how it is mended"


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            f"An error occurred while calling o277.sql.\n: java.lang.IllegalStateException: It cannot be.{TRACE}",
            "It cannot be",
        ),
        (f"{IN_A_TASK}SparkException: Not a number.{TRACE}", "Not a number"),
        (
            "Runtime Error\n  [TABLE_OR_VIEW_NOT_FOUND] The table `a` cannot be found. SQLSTATE: 42P01;\n'Project [*]",
            "[TABLE_OR_VIEW_NOT_FOUND] The table `a` cannot be found. SQLSTATE: 42P01;",
        ),
        # Our own words, as many lines as they have, whatever is around them.
        (f"[USER_RAISED_EXCEPTION] It is\nrefused. SQLSTATE: P0001{TRACE}", "It is refused"),
        (
            f"{IN_A_TASK}SparkRuntimeException: [USER_RAISED_EXCEPTION] It is refused. SQLSTATE: P0001{TRACE}",
            "It is refused",
        ),
        # What a Thrift Server says.
        (
            "TExecuteStatementResp(status=TStatus(errorMessage='*org.apache.hive.service.cli.HiveSQLException: Error "
            f"running query: [A_B] org.apache.spark.SparkException: No such thing.\\n{TRACE}'))",
            "No such thing",
        ),
        ("", "RuntimeError"),
    ],
)
def test_a_sentence_has_neither_names_of_java_nor_traces(said: str, sentence: str) -> None:
    assert spark_errors.sentence(RuntimeError(said)) == sentence


@pytest.mark.parametrize(
    ("said", "is_damage"),
    [
        ("Could not find any delta files for version 10", True),
        ("[DELTA_VERSIONS_NOT_CONTIGUOUS] Versions (3, 5) are not contiguous.", True),
        ("[DELTA_CONCURRENT_WRITE] Another has written.", False),
        # Of the lake, whose name Spark writes as an address has it, and of what has landed.
        (UNREAD.format(folder="/a%20lake/warehouse"), True),
        (UNREAD.format(folder="/landing/events"), False),
        # A refusal of our own that tells of a file.
        ("[USER_RAISED_EXCEPTION] The file /a lake/x is refused: FileNotFoundException", False),
    ],
)
def test_who_knows_what_to_do_is_named_where_the_lake_is_damaged(
    monkeypatch: pytest.MonkeyPatch, said: str, is_damage: bool
) -> None:
    monkeypatch.setenv("STRATA_LAKE", "/a lake")
    assert str(places.lake()) == "/a lake"
    told = spark_errors.with_mend(RuntimeError(said))
    assert told == spark_errors.sentence(RuntimeError(said)) + (DOCTOR if is_damage else "")


@pytest.mark.parametrize(
    ("status", "said", "mend"),
    [
        (52, "anything", "Spark's Java has ended with exit code 52; "),
        (-9, "anything", "Spark's Java has ended by signal 9; "),
        (None, "java.lang.OutOfMemoryError: Java heap space", "Spark's Java is out of memory (Java heap space): "),
    ],
)
def test_java_that_has_ended_or_lacks_memory_is_told_with_what_helps(
    monkeypatch: pytest.MonkeyPatch, status: int | None, said: str, mend: str
) -> None:
    skipped = []
    monkeypatch.setattr(spark_errors, "skip_the_rest", lambda: skipped.append(True))
    monkeypatch.setattr(session, "_current", SimpleNamespace(ended=lambda _seconds: status))
    told = session._said_of(RuntimeError(said))
    assert told.startswith(mend)
    assert ("spark.driver.memory" in told) == (status != -9)
    assert bool(skipped) == (status is not None)
