"""Where the embedded metastore has the tables of a lake: at absolute paths, which a moved or copied lake has left.

Spark would go on in the folder that the lake was made in; for a copy that is the lake that it is a copy of.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import tempfile
from pathlib import Path

from strata import java, storage
from strata.errors import StrataError

# What holds a place in Hive's tables, and which of their rows do.
_PLACES = {
    "DBS": ("DB_LOCATION_URI", ""),
    "SDS": ("LOCATION", ""),
    "SERDE_PARAMS": ("PARAM_VALUE", "PARAM_KEY = 'path' and "),
}


def follow(jvm, lake: Path) -> None:
    """Have a metastore tell of tables where its lake is now, before Spark opens it.

    `jvm` is py4j's view of a JVM without a Spark yet. The file `place` in the lake tells where it was last used: the
    metastore is looked at only when that is elsewhere. A run killed in between leaves all or nothing of it.
    """
    place = lake / "place"
    metastore = lake / "metastore"
    if storage.exists(place):
        with storage.open(place) as file:
            if file.read().decode() == str(lake):
                return
    if storage.exists(metastore / "service.properties"):
        address = f"jdbc:derby:;databaseName={metastore}"
        connection = jvm.java.sql.DriverManager.getConnection(address)
        connection.setAutoCommit(False)
        _move(connection, f"file:{lake / 'warehouse'}")
        connection.commit()
        connection.close()
        try:
            jvm.java.sql.DriverManager.getConnection(f"{address};shutdown=true")
        except Exception as error:
            # Derby tells of a shutdown that went well by this error.
            if "08006" not in str(error.java_exception.getSQLState()):
                raise
    with storage.create(place) as file:
        file.write(str(lake).encode())


# Its tables, as Derby's own tool prints them.
_LISTING = """
maximumdisplaywidth 4000;
connect 'jdbc:derby:{folder}';
select '|' || d.NAME || '|' || t.TBL_NAME || '|' from APP.TBLS t join APP.DBS d on t.DB_ID = d.DB_ID
where t.TBL_TYPE <> 'VIRTUAL_VIEW';
"""
_LISTED = re.compile(r"^\|([^|]*)\|([^|]*)\|\s*$", re.MULTILINE)


def tables(lake: Path) -> set[tuple[str, str]] | None:
    """Return the schemas and names of the tables that a lake's metastore knows, None where there is none.

    It is read in a copy, for whoever opens it writes to it. Raise StrataError where it cannot be read.
    """
    if not storage.exists(lake / "metastore" / "service.properties"):
        return None
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "metastore"
        try:
            storage.copy_folder(lake / "metastore", copy)
        except OSError as error:
            raise StrataError(f"{lake / 'metastore'} cannot be read: {storage.said(error)}") from None
        spark = Path(importlib.util.find_spec("pyspark").origin).parent
        derby = ":".join(map(str, sorted((spark / "jars").glob("derby*.jar"))))
        command = [java.path(), "-cp", derby, f"-Dderby.stream.error.file={scratch}/derby.log"]
        done = subprocess.run(
            [*command, "org.apache.derby.tools.ij"], input=_LISTING.format(folder=copy), capture_output=True, text=True
        )
        failed = re.search(r"^(?:ij> )*ERROR \w+: (.*)", done.stdout, re.MULTILINE)
        if failed or done.returncode:
            said = failed[1] if failed else done.stderr.strip().splitlines()[-1]
            # Derby goes on to name a class loader, and an exception that it does not show.
            raise StrataError(said.partition(" with class loader")[0].replace(str(copy), str(lake / "metastore")))
    return set(_LISTED.findall(done.stdout))


def _move(connection, now: str) -> None:
    """Replace the folder of the warehouse, which the schema `default` tells, in all that is in it."""
    found = connection.createStatement().executeQuery("select DB_LOCATION_URI from APP.DBS where NAME = 'default'")
    before = found.getString(1) if found.next() else now
    for table, (column, condition) in _PLACES.items():
        statement = connection.prepareStatement(
            f"update APP.{table} set {column} = cast(? as varchar(32672)) || substr({column}, {len(before) + 1}) "
            f"where {condition}substr({column}, 1, {len(before)}) = ?"
        )
        statement.setString(1, now)
        statement.setString(2, before)
        statement.executeUpdate()
