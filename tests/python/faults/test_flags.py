"""dbt's own flags: whatever a run with one leaves, the next ends in the rows of a run without."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Lake, emptied
from rolling_back import content
from test_rollback_of_sources import FIRST, SECOND, build, land

# A day of purchases that is refused, for its header is another.
REFUSED = "2026/01/06/r.csv"


def two_days(lake: Lake) -> None:
    """Have two days land, and build each without flags."""
    for landed in (FIRST, SECOND):
        land(lake, landed)
        build(lake)


def of_layers(found: dict, *layers: str) -> dict:
    """Return the tables of some layers."""
    return {table: held for table, held in found.items() if table.split(".")[0] in layers}


@pytest.fixture
def fresh(lake: Lake, shared_folder: Path) -> Lake:
    """A lake in which nothing has landed."""
    return Lake(emptied(shared_folder))


@pytest.fixture(scope="module")
def undisturbed(lake: Lake, shared_folder: Path) -> dict:
    """What tables hold after two days that nothing disturbs."""
    own = Lake(emptied(shared_folder))
    two_days(own)
    return content(own)


@pytest.mark.parametrize("flags", ["--empty", "--full-refresh", "--fail-fast", "--threads 1", "--threads 16"])
def test_a_run_with_a_flag_is_ended_by_one_without(undisturbed: dict, fresh: Lake, flags: str) -> None:
    for landed in (FIRST, SECOND):
        land(fresh, landed)
        done = fresh.make(*flags.split())
        # A snapshot that is given nothing to read would say that all was removed.
        assert done.success == (flags != "--empty"), done.said
    build(fresh)
    assert content(fresh) == undisturbed


def test_a_run_without_rows_takes_none_away(undisturbed: dict, fresh: Lake) -> None:
    two_days(fresh)
    fresh.make("--empty")
    fresh.dbt("run", "--empty", "--full-refresh")
    assert of_layers(content(fresh), "raw") == of_layers(undisturbed, "raw")
    build(fresh)
    assert content(fresh) == undisturbed


def test_what_fail_fast_has_left_out_is_made_by_the_next(undisturbed: dict, fresh: Lake) -> None:
    land(fresh, FIRST)
    build(fresh)
    land(fresh, SECOND)
    refused = fresh.land(REFUSED, "a,b\n1,2\n", source="purchases")
    done = fresh.make("--fail-fast", "--threads", "1")
    assert not done.success
    assert "skipped" in done.nodes.values()
    refused.unlink()
    build(fresh)
    # ops tells of the refused file too.
    layers = ("raw", "stage", "mart", "quarantine")
    assert of_layers(content(fresh), *layers) == of_layers(undisturbed, *layers)
