"""The project's variables: their types and bounds, checked before anything is written."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    ValidationError,
    field_validator,
)

from strata.errors import StrataError, shown
from strata.sources import LIMITS, Source


def _is_date_text(value: Any) -> Any:
    # YAML reads a bare 2000-01-01 as a date; a number would silently become one in 1970.
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("it is no date of the form YYYY-MM-DD")
    return value


def _is_number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("it is no number")
    return value


Share = Annotated[float, BeforeValidator(_is_number), Field(ge=0, le=1)]
Day = Annotated[date, BeforeValidator(_is_date_text)]
T = TypeVar("T")
# An override of what sources declare: of all of them, or by the name of each.
ForSources = T | dict[str, T] | None


class Settings(BaseModel):
    """The variables that Strata reads; dbt_project.yml holds their defaults and says what each is for."""

    model_config = ConfigDict(extra="ignore")

    window_minutes: Annotated[StrictInt, Field(gt=0, le=1440)]
    top_windows: Annotated[StrictInt, Field(gt=0)]
    earliest_valid_date: Day
    history: Literal["catch-up", "replay", "rebuild"] | None
    replay_from: Day | None
    verify_history: StrictBool | None
    test_everything: StrictBool
    rollback_days: Annotated[StrictInt, Field(gt=0, le=3650)]
    kept_failures: Annotated[StrictInt, Field(ge=0, le=10_000)]
    max_quarantined_share: ForSources[Share]
    max_removed_share: ForSources[Share]
    allow_empty_snapshot: ForSources[StrictBool]
    snapshot_date: ForSources[Day]
    max_new_columns: ForSources[Annotated[StrictInt, Field(ge=0)]]
    max_columns: ForSources[Annotated[StrictInt, Field(gt=0, le=10_000)]]
    # Where files of events are taken from instead, by the source: the variables <source>_path.
    paths: dict[str, str] = {}

    @field_validator("window_minutes")
    @classmethod
    def _divides_a_day(cls, value: int) -> int:
        if 1440 % value:
            raise ValueError("it does not divide the 1440 minutes of a day")
        return value


# What each variable may be, for the person who set it wrong.
OR_BY_SOURCE = ", or that for each source by its name"
MENDS = {
    "window_minutes": "a whole number of minutes that divides 1440, such as 10",
    "top_windows": "a whole number from 1, such as 10",
    "earliest_valid_date": "a date of the form YYYY-MM-DD, such as 2000-01-01",
    "history": "catch-up, replay or rebuild, or left out",
    "replay_from": "a landed day of the form YYYY-MM-DD, such as 2023-07-22",
    "verify_history": "true or false, or left out to choose by the size of the history",
    "test_everything": "true or false",
    "rollback_days": "a whole number of days from 1 to 3650, such as 30",
    "kept_failures": "a whole number from 0 to 10000, such as 20",
    "max_quarantined_share": f"a fraction from 0 to 1, such as 0.05{OR_BY_SOURCE}",
    "max_removed_share": f"a fraction from 0 to 1, such as 0.5{OR_BY_SOURCE}",
    "allow_empty_snapshot": f"true or false{OR_BY_SOURCE}",
    "snapshot_date": f"a landed day of the form YYYY-MM-DD, such as 2023-07-22{OR_BY_SOURCE}",
    "max_new_columns": f"a whole number from 0, such as 50{OR_BY_SOURCE}",
    "max_columns": f"a whole number from 1 to 10000, such as 2000{OR_BY_SOURCE}",
}
# Those that may be given by source, and of which arrivals.
BY_SOURCE = {**{name: arrivals for name, (arrivals, *_) in LIMITS.items()}, "snapshot_date": ("daily_snapshot",)}
# Variables that have another name by now.
RENAMED = {"max_new_sensors": "max_new_columns", "max_sensor_columns": "max_columns"}


# A layer's name is put behind it. In upper case dbt would not find again what Spark makes, which is in lower case.
_SCHEMA = re.compile(r"[a-z0-9_]{1,100}")


def _said(value: Any) -> str:
    return shown(repr(value), 200)


def check_schema(schema: str | None) -> None:
    """Raise StrataError for a profile's schema that can be none of the names of Spark's schemas."""
    if not _SCHEMA.fullmatch(schema or ""):
        raise StrataError(
            f"The profile's schema is {_said(schema)}, which cannot begin a schema's name: name one of lower-case "
            "letters a-z, digits and underscores, at most 100, in STRATA_SCHEMA_PREFIX (on target dev, where $USER is "
            "the default) or in profiles.yml."
        )


def defaults(project_dir: Path) -> dict[str, Any]:
    """Return the variables of dbt_project.yml, which have the values that hold where none are given."""
    with open(project_dir / "dbt_project.yml") as file:
        return yaml.safe_load(file).get("vars") or {}


def load(project_dir: Path, overrides: dict[str, Any], sources: dict[str, Source]) -> Settings:
    """Return the variables of dbt_project.yml under those of the command line; raise StrataError for a wrong one."""
    given = {**defaults(project_dir), **overrides}
    values = {name: given.get(name) for name in Settings.model_fields if name != "paths"}
    said = [
        f"{before} is no variable any more; its name is {now}"
        for before, now in RENAMED.items()
        if given.get(before) is not None
    ]
    for name, arrivals in BY_SOURCE.items():
        may = [source.name for source in sources.values() if source.arrives in arrivals]
        mend = f"name one of {', '.join(may)}" if may else "leave it out, for none has it"
        said += [
            f"{name} names {shown(other)}, which is no source that has it; {mend}"
            for other in (values[name] if isinstance(values[name], dict) else ())
            if other not in may
        ]
    paths = {name: given[f"{name}_path"] for name in sources if given.get(f"{name}_path") is not None}
    for name, path in paths.items():
        if sources[name].arrives != "events":
            said.append(
                f"{name}_path is {_said(path)}; it must be left out, for files of {name} lie in folders of days"
            )
        elif not isinstance(path, str) or not path:
            said.append(f"{name}_path is {_said(path)}; it must be the path of a file or a folder")
    try:
        settings = Settings(**values)
    except ValidationError as error:
        wrong = dict.fromkeys(str(one["loc"][0]) for one in error.errors())
        said += [f"{name} is {_said(values[name])}; it must be {MENDS[name]}" for name in wrong]
    else:
        if (settings.history == "replay") != (settings.replay_from is not None):
            said.append("replay_from is the first day of a replay; set it with history: replay, and only then")
    if said:
        raise StrataError(f"Wrong setting, nothing was changed: {'. '.join(said)}.")
    return settings.model_copy(update={"paths": paths})
