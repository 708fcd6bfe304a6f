"""Whatever somebody gives for a variable or an option: it is refused by a sentence, or taken, and does nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
from click import Parameter
from typer.testing import CliRunner

from strata import cli, places, settings, sources
from strata.errors import StrataError

ODD = {
    "SQL": "'; drop table raw.events; --",
    "variable": "${env:HOME}",
    "Jinja": "{{ env_var('HOME') }}",
    "quotes": "\"'`",
    "lines": "one\ntwo\r\n\x1b[31mthree",
    "long": "x" * 10_000,
    "not text": "\udcff",
    "nothing": "",
    "NUL": "a\x00b",
}
# A message is for a person: what was given stands in it shortened.
LONGEST = 1000


def is_sentence(message: str) -> bool:
    return message.isprintable() and len(message) < LONGEST


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", sorted(settings.Settings.model_fields.keys() - {"paths"}))
def test_a_variable_that_is_odd_is_refused_by_a_sentence(name: str, odd: str) -> None:
    declared = sources.load()
    for value in (ODD[odd], {ODD[odd]: 1}, [ODD[odd]]):
        with pytest.raises(StrataError) as refused:
            settings.load(places.ROOT, {name: value}, declared)
        assert is_sentence(str(refused.value))


COMMANDS = typer.main.get_command(cli.app).commands
TEXTS = [
    (command, parameter)
    for command, described in sorted(COMMANDS.items())
    for parameter in described.params
    if not getattr(parameter, "is_flag", False) and parameter.name != "help"
]


def given(parameter: Parameter, value: str) -> list[str]:
    return [value] if parameter.param_type_name == "argument" else [f"{parameter.opts[0]}={value}"]


def others(command: str, parameter: Parameter, folder: Path) -> list[str]:
    """Return what a command needs beside a parameter."""
    needed = {
        "from": ["--from=2026-01-05"],
        "name": ["refunds"],
        "sample": [f"--sample={folder / 'sample.csv'}"],
        "folder": [str(folder / "made")],
        "table": ["raw.events"],
    }
    found = []
    for other in COMMANDS[command].params:
        if other.required and other is not parameter:
            found += needed[other.opts[0].lstrip("-")]
    if command == "new-source":
        found += ["--daily-snapshot", *([] if parameter.name == "key" else ["--key=id"])]
    if command == "rollback" and parameter.name not in ("to", "before", "at"):
        found += ["--to=00000000"]
    return found


# No variables, and this folder, are nothing odd.
CASES = [
    (command, parameter, odd)
    for command, parameter in TEXTS
    for odd in ODD
    if odd != "nothing" or parameter.name not in ("vars", "profiles_dir")
]


@pytest.mark.parametrize(("command", "parameter", "odd"), CASES, ids=lambda one: getattr(one, "name", one))
def test_an_option_that_is_odd_is_refused_by_a_sentence(
    command: str, parameter: Any, odd: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("landing", "lake"):
        monkeypatch.setenv(f"STRATA_{name.upper()}", str(tmp_path / name))
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "target"))
    (tmp_path / "sample.csv").write_text("id,note\n1,a\n")
    arguments = [command, *others(command, parameter, tmp_path), *given(parameter, ODD[odd])]
    done = CliRunner().invoke(cli.app, arguments, env={"COLUMNS": "10000"})
    if done.exit_code == 0:
        assert (command, parameter.name) in MAY_BE_ANY
        return
    assert isinstance(done.exception, (StrataError, SystemExit)), done.exception
    if isinstance(done.exception, StrataError):
        assert is_sentence(str(done.exception)), str(done.exception)[:3000]
    assert "Traceback" not in done.output
    assert not (tmp_path / "lake" / "warehouse").exists()


# What may be called so, or was never there: nothing is looked for, or found.
MAY_BE_ANY = {("runs", "target"), ("init", "folder")}
