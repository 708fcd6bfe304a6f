"""The data source `strata`: landed files scanned, or listed once more, by a Spark cluster, in parallel.

Spark itself registers it where its Python has this package (the name begins with `pyspark_` for that), so that SQL
alone reaches it, `create temporary view v using strata options (task '…', …)`. There are two tasks:

- `scan`: `files` names JSON lines that `strata.cluster` writes, what to scan by and then a landed file a line. A row is
  such a file, JSON as well, filled in by the one scanner there is, `strata.scanning`.
- `replaced`: `objects` is a JSON list of pairs, a location and its stamp. A row is a location that has another by now.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition

# What one task of the cluster takes at most, and one file at least.
TASK_BYTES = 64 * 1024 * 1024
TASK_FILES = 100


class DefaultSource(DataSource):
    """What Spark looks for in such a package."""

    @classmethod
    def name(cls) -> str:
        """The name behind `using`."""
        return "strata"

    def schema(self) -> str:
        """One column; the module's docstring says what it holds."""
        return "value string"

    def reader(self, schema) -> _Reader:
        """The reader of a view."""
        return _Reader(self.options)


class _Reader(DataSourceReader):
    def __init__(self, options: dict[str, str]) -> None:
        self.options = dict(options)

    def partitions(self) -> list[InputPartition]:
        import json

        from strata import storage

        if self.options["task"] == "replaced":
            objects = json.loads(self.options["objects"])
            return [InputPartition(objects[start : start + TASK_FILES]) for start in range(0, len(objects), TASK_FILES)]
        with storage.open(self.options["files"]) as file:
            first, *lines = file.read().splitlines()
        groups: list[list[bytes]] = []
        size = TASK_BYTES
        for line in lines:
            landed_size = json.loads(line)["size"]
            if size + landed_size > TASK_BYTES or len(groups[-1]) > TASK_FILES:
                groups.append([first])
                size = 0
            groups[-1].append(line)
            size += landed_size
        return [InputPartition(group) for group in groups]

    def read(self, partition: InputPartition) -> Iterator[tuple[str]]:
        return _replaced(partition.value) if self.options["task"] == "replaced" else _scanned(*partition.value)


def _replaced(objects: list) -> Iterator[tuple[str]]:
    """Yield the locations that have another stamp than they had, or nothing any more."""
    from strata import storage

    for location, stamp in objects:
        if not storage.exists(location) or list(storage.info(location).stamp) != stamp:
            yield (location,)


def _scanned(first: bytes, *lines: bytes) -> Iterator[tuple[str]]:
    import json
    from dataclasses import asdict

    from strata import scanning, sources
    from strata.landing import LandedFile

    by = json.loads(first)
    if by["scanner"] != scanning.SCANNER:
        raise ValueError("the package strata-lakehouse of the cluster is of another version than the client's")
    source = sources.from_normalized(by["source"])
    for line in lines:
        yield (json.dumps(asdict(scanning.scan(source, LandedFile(**json.loads(line))))),)
