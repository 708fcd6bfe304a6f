"""The project's variables: their types and bounds, checked before anything is written."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any

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

from strata.errors import StrataError


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


class Settings(BaseModel):
    """The variables that Strata reads; dbt_project.yml holds their defaults and says what each is for."""

    model_config = ConfigDict(extra="ignore")

    window_minutes: Annotated[StrictInt, Field(gt=0, le=1440)]
    top_windows: Annotated[StrictInt, Field(gt=0)]
    earliest_valid_date: Annotated[date, BeforeValidator(_is_date_text)]
    max_quarantined_share: Annotated[float, BeforeValidator(_is_number), Field(ge=0, le=1)]
    max_removed_share: Annotated[float, BeforeValidator(_is_number), Field(ge=0, le=1)]
    allow_empty_snapshot: StrictBool
    snapshot_date: Annotated[date, BeforeValidator(_is_date_text)] | None
    verify_history: StrictBool | None
    max_new_sensors: Annotated[StrictInt, Field(ge=0)]
    max_sensor_columns: Annotated[StrictInt, Field(gt=0, le=10_000)]
    events_path: Annotated[str, Field(strict=True, min_length=1)] | None

    @field_validator("window_minutes")
    @classmethod
    def _divides_a_day(cls, value: int) -> int:
        if 1440 % value:
            raise ValueError("it does not divide the 1440 minutes of a day")
        return value


# What each variable may be, for the person who set it wrong.
MENDS = {
    "window_minutes": "a whole number of minutes that divides 1440, such as 10",
    "top_windows": "a whole number from 1, such as 10",
    "earliest_valid_date": "a date of the form YYYY-MM-DD, such as 2000-01-01",
    "max_quarantined_share": "a fraction from 0 to 1, such as 0.05",
    "max_removed_share": "a fraction from 0 to 1, such as 0.5",
    "allow_empty_snapshot": "true or false",
    "snapshot_date": "a landed day of the form YYYY-MM-DD, such as 2023-07-22",
    "verify_history": "true or false, or left out to choose by the size of the history",
    "max_new_sensors": "a whole number from 0, such as 50",
    "max_sensor_columns": "a whole number from 1 to 10000, such as 2000",
    "events_path": "the path of a file or a folder",
}


# A layer's name is put behind it. In upper case dbt would not find again what Spark makes, which is in lower case.
_SCHEMA = re.compile(r"[a-z0-9_]{1,100}")


def check_schema(schema: str | None) -> None:
    """Raise StrataError for a profile's schema that can be none of the names of Spark's schemas."""
    if not _SCHEMA.fullmatch(schema or ""):
        raise StrataError(
            f"The profile's schema is {schema!r}, which cannot begin a schema's name: name one of lower-case letters "
            "a-z, digits and underscores, at most 100, in STRATA_SCHEMA_PREFIX (on target dev, where $USER is the "
            "default) or in profiles.yml."
        )


def load(project_dir: Path, overrides: dict[str, Any]) -> Settings:
    """Return the variables of dbt_project.yml under those of the command line; raise StrataError for a wrong one."""
    with open(project_dir / "dbt_project.yml") as file:
        defaults = yaml.safe_load(file).get("vars") or {}
    values = {name: {**defaults, **overrides}.get(name) for name in Settings.model_fields}
    try:
        return Settings(**values)
    except ValidationError as error:
        said = [
            f"{wrong['loc'][0]} is {values[wrong['loc'][0]]!r}; it must be {MENDS[wrong['loc'][0]]}"
            for wrong in error.errors()
        ]
        raise StrataError(f"Wrong setting, nothing was changed: {'. '.join(dict.fromkeys(said))}.") from None
