"""What may be written down of a command: not the values of variables whose names smell of secrets."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

MASK = "***"
_SECRET = re.compile(r"secret|passw|pwd|token|credential|private|(^|_)key($|_)|apikey", re.IGNORECASE)


def masked(values: Any, name: str = "") -> Any:
    """Return variables, or what one holds, with a mask in the place of what may be a secret."""
    if _SECRET.search(name):
        return MASK
    if isinstance(values, dict):
        return {key: masked(value, str(key)) for key, value in values.items()}
    return [masked(value) for value in values] if isinstance(values, list) else values


def command_line() -> str:
    """Return how this process was called: its program's name and its words, the variables of dbt masked."""
    words = [Path(sys.argv[0]).name]
    is_of_vars = False
    for word in sys.argv[1:]:
        if is_of_vars:
            word = _masked_text(word)
        elif word.startswith("--vars="):
            word = f"--vars={_masked_text(word.removeprefix('--vars='))}"
        is_of_vars = word == "--vars"
        words.append(word)
    return " ".join(words)


def _masked_text(variables: str) -> str:
    try:
        values = yaml.safe_load(variables)
    except yaml.YAMLError:
        return MASK
    return json.dumps(masked(values), default=str) if isinstance(values, dict) else MASK
