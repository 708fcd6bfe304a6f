"""The data source `strata`: landed files scanned, or listed once more, by a Spark cluster, in parallel.

Spark itself registers it where its Python has this package (the name begins with `pyspark_` for that), so that SQL alone
reaches it: `create temporary view v using strata options (files '…', task 'scan')`. `strata.cluster` writes the file
that `files` names, as JSON lines: what to scan by, then a landed file a line. Each row is JSON: of the task `scan` the
landed file as `strata.landing.LandedFile`, filled in by the one scanner there is, `strata.scanning`; of the task `stamp`
its path and the stamp that it has now, null where it has left.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition

# A task of the cluster takes as many bytes, or files, as this, and at least one file.
TASK_BYTES = 64 * 1024 * 1024
TASK_FILES = 100


class DefaultSource(DataSource):
    """What Spark looks for in such a package."""

    @classmethod
    def name(cls) -> str:
        """The name behind `using`."""
        return "strata"

    def schema(self) -> str:
        """One column, JSON."""
        return "value string"

    def reader(self, schema) -> _Reader:
        """The reader of a view."""
        return _Reader(self.options)


class _Reader(DataSourceReader):
    def __init__(self, options: dict[str, str]) -> None:
        self.files = options["files"]
        self.task = options["task"]

    def partitions(self) -> list[InputPartition]:
        import json

        from strata import storage

        with storage.open(self.files) as file:
            first, *lines = file.read().splitlines()
        groups: list[list[bytes]] = [[first]]
        size = 0
        for line in lines:
            bytes_of = json.loads(line)["size"] if self.task == "scan" else 0
            if len(groups[-1]) > 1 and (size + bytes_of > TASK_BYTES or len(groups[-1]) > TASK_FILES):
                groups.append([first])
                size = 0
            groups[-1].append(line)
            size += bytes_of
        return [InputPartition(group) for group in groups]

    def read(self, partition: InputPartition) -> Iterator[tuple[str]]:
        import json
        from dataclasses import asdict

        from strata import scanning, sources, storage
        from strata.landing import LandedFile

        first, *lines = partition.value
        by = json.loads(first)
        if by["scanner"] != scanning.SCANNER:
            raise ValueError("the package strata-lakehouse of the cluster is of another version than the client's")
        source = sources.from_normalized(by["source"])
        for line in lines:
            landed = LandedFile(**json.loads(line))
            if self.task == "scan":
                yield (json.dumps(asdict(scanning.scan(source, landed))),)
            else:
                stamp = None
                if storage.exists(landed.location):
                    stamp = list(storage.info(landed.location).stamp)
                yield (json.dumps({"path": landed.path, "stamp": stamp}),)
