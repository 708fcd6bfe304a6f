"""A round of `make fuzz` of a fixed seed, by the code that Spark generates where much has landed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import fuzz
from conftest import GENERATED_CODE
from fuzz_mutations import files_of_round
from strata import places, session

SEED = 1
FILES = 300


@pytest.fixture
def with_generated_code(tmp_path: Path) -> Iterator[fuzz.Session]:
    """A lake of the fuzzer of its own, with Spark as where much has landed."""
    saved = dict(os.environ)
    os.chdir(places.ROOT)
    session.stop()
    os.environ["STRATA_SPARK_SETTINGS"] = GENERATED_CODE
    yield fuzz.Session(tmp_path, days_alone=0)
    session.stop()
    os.environ.clear()
    os.environ.update(saved)


def test_mutated_files_end_in_the_tables_as_a_plain_reading_of_them_says(with_generated_code: fuzz.Session) -> None:
    found = fuzz.play(with_generated_code, files_of_round(SEED, FILES), lambda what: None)
    assert [finding for finding, _ in found] == []
