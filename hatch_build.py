"""What the wheel asks for: the very versions that the lock pins."""

from __future__ import annotations

import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface


class PinnedDependencies(MetadataHookInterface):
    """Takes the wheel's dependencies from requirements/lock.txt."""

    def update(self, metadata: dict) -> None:
        """Set `dependencies`, one `name==version`, maybe with a marker, for each pin."""
        lock = (Path(self.root) / "requirements" / "lock.txt").read_text()
        metadata["dependencies"] = [
            pin.removesuffix("\\").strip() for pin in re.findall(r"^[\w.-]+(?:\[[\w,-]+\])?==.*$", lock, re.MULTILINE)
        ]
