"""The embedded Spark of target `local`: started while dbt still parses, silent, and with one lake."""

from __future__ import annotations

import atexit
import contextlib
import logging
import math
import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from strata import jars, java, lake, metastore, places, spark_errors
from strata.environment import changed_environment
from strata.errors import StrataError

_current: EmbeddedSpark | None = None


def _quoted(option: str) -> str:
    """Return one of Java's options as Spark's launcher splits them again: a path may hold spaces and quotes."""
    escaped = option.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _utf8_locale() -> dict[str, str]:
    """Return what Java's environment lacks for names of files in UTF-8; it knows no other way to be told."""
    said = next((os.environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if os.environ.get(name)), "C")
    return {} if said.lower().replace("-", "").endswith("utf8") else {"LC_ALL": "C.UTF-8"}


# Up to so much data to read a run is over before Java's optimising compiler has paid for itself, and up to so little
# before the code has that Spark generates and Java compiles for each statement.
SMALL_BYTES = 64 * 1024 * 1024
TINY_BYTES = 8 * 1024 * 1024
# Spark's interpreter of expressions, and one task where rows change places.
INTERPRETED = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.shuffle.partitions": "1",
}


def configuration(lake_folder: Path, bytes_to_read: float = math.inf) -> dict[str, str]:
    """Return Spark's settings for a lake, by name; where little is to be read, those of a quick start."""
    java_options = [
        # An address: in a path a comma would part two files.
        f"-Dlog4j2.configurationFile={(places.ROOT / 'conf' / 'log4j2.properties').as_uri()}",
        f"-Dstrata.log={places.logs() / 'spark.log'}",
        f"-Dderby.stream.error.file={places.logs() / 'derby.log'}",
        # Everything is in UTC, whatever the machine's zone.
        "-Duser.timezone=UTC",
        "-XX:+UseSerialGC",
    ]
    if bytes_to_read < SMALL_BYTES:
        # Without the optimising compiler Java keeps little room for code, and would compile again what it has dropped.
        java_options += ["-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=256m"]
    if places.class_archive().exists():
        java_options += [f"-XX:SharedArchiveFile={places.class_archive()}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"]
    # Java takes the last of two.
    java_options += os.environ.get("STRATA_JAVA_OPTIONS", "").split()
    settings = {
        "spark.master": "local[*]",
        "spark.app.name": "strata",
        "spark.driver.memory": "3g",
        "spark.driver.extraClassPath": jars.class_path(),
        "spark.driver.extraJavaOptions": " ".join(map(_quoted, java_options)),
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.scheduler.mode": "FAIR",
        "spark.scheduler.allocation.file": f"file://{places.ROOT / 'conf' / 'fairscheduler.xml'}",
        "spark.sql.session.timeZone": "UTC",
        # A name that lands may hold `${...}`: it stays what it is, and brings nothing of the environment into a table.
        "spark.sql.variable.substitute": "false",
        "spark.sql.catalogImplementation": "hive",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.warehouse.dir": str(lake_folder / "warehouse"),
        "spark.hadoop.javax.jdo.option.ConnectionURL": (
            f"jdbc:derby:;databaseName={lake_folder / 'metastore'};create=true"
        ),
        "spark.hadoop.hive.metastore.schema.verification": "false",
        "spark.hadoop.datanucleus.schema.autoCreateAll": "true",
        # On a full disk Hive keeps a connection of each vain attempt, and waits for ever for one more than the 8 of its
        # pool. Spark asks it for one thing at a time, so that the pool is never busy otherwise. In milliseconds.
        "spark.hadoop.datanucleus.connectionPool.maxWait": "500",
        "spark.hadoop.hive.hmshandler.retry.attempts": "1",
        # One machine: few partitions, and Delta's logs are read with as few.
        "spark.sql.shuffle.partitions": str(2 * (os.cpu_count() or 2)),
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.sql.files.maxPartitionBytes": "32m",
        # Whatever sorts or groups takes a page first, however few its rows: Spark's own would be of 64 MB. A longer row
        # has a page of its own, and as many groups fit as generated code keeps in its first table.
        "spark.buffer.pageSize": "4m",
        # Thousands of small files are read by few tasks, and listed by few: a task each costs more than its file.
        "spark.sql.files.openCostInBytes": "256k",
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": str(2 * (os.cpu_count() or 2)),
        # A MERGE alone generates some hundred classes: with the default of 100 each statement drops those of the last.
        "spark.sql.codegen.cache.maxEntries": "2000",
    }
    if bytes_to_read < SMALL_BYTES:
        # Replanning at each shuffle costs more than a shuffle of little data.
        settings["spark.sql.adaptive.enabled"] = "false"
    if bytes_to_read < TINY_BYTES:
        settings |= INTERPRETED
    for setting in os.environ.get("STRATA_SPARK_SETTINGS", "").split():
        name, equals, value = setting.partition("=")
        if not equals:
            raise StrataError(
                f"STRATA_SPARK_SETTINGS holds {setting!r}: write it as name=value, with spaces between settings."
            )
        if name == "spark.sql.variable.substitute" and value != "false":
            raise StrataError(
                f"STRATA_SPARK_SETTINGS sets {name} to {value}: leave it out, for what lands may hold such variables."
            )
        settings[name] = value
    return settings


class EmbeddedSpark:
    """A JVM and its Spark session, started in the background; whoever asks pyspark for the session waits for it."""

    def __init__(self, lake_folder: Path, bytes_to_read: float) -> None:
        self.lake = lake_folder
        self.bytes_to_read = bytes_to_read
        self.descriptor = lake.hold(lake_folder)
        self.error: StrataError | None = None
        self._gateway = None
        locked = threading.Event()
        self._thread = threading.Thread(target=self._start, args=(locked,), name="strata-spark", daemon=True)
        self._thread.start()
        locked.wait()

    def _start(self, locked: threading.Event) -> None:
        from pyspark import SparkConf, SparkContext
        from pyspark.java_gateway import launch_gateway
        from pyspark.sql import SparkSession

        # dbt asks the builder for the session: holding the builder's lock makes it wait for this one.
        with SparkSession.Builder._lock:
            locked.set()
            try:
                places.logs().mkdir(parents=True, exist_ok=True)
                conf = SparkConf(loadDefaults=False).setAll(list(configuration(self.lake, self.bytes_to_read).items()))
                with open(places.logs() / "spark.log", "ab") as log:
                    streams = {"stdout": log, "stderr": log, "pass_fds": (self.descriptor,)}
                    with changed_environment(**_utf8_locale()):
                        self._gateway = launch_gateway(conf, streams)
                SparkContext._ensure_initialized(gateway=self._gateway)
                if conf.get("spark.sql.catalogImplementation") == "hive":
                    metastore.follow(SparkContext._jvm, self.lake)
                SparkSession.builder.config(conf=SparkContext(conf=conf).getConf()).getOrCreate()
            except Exception as error:
                self.error = StrataError(
                    f"Spark did not start ({str(error).splitlines()[0]}): {places.logs() / 'spark.log'} says why."
                )
                # dbt would now start a Spark of its own, without the lake's settings: give it the sentence instead.
                SparkContext.getOrCreate = self._refuse

    def _refuse(self, _conf=None):
        raise self.error

    def session(self):
        """Return the session once it is there; raise StrataError when Spark could not start."""
        self._thread.join()
        if self.error is not None:
            self._refuse()
        from pyspark.sql import SparkSession

        return SparkSession.builder.getOrCreate()

    def ended(self, seconds: float = 0) -> int | None:
        """Return as what the JVM has ended, as subprocess has it, waiting for it that long; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._gateway.proc.wait(timeout=seconds) if self._gateway else None
        return None

    def stop(self) -> None:
        """End the JVM, wait until it has let go of the lake, and let go of it here."""
        from pyspark import SparkContext
        from pyspark.sql import SparkSession

        self._thread.join()
        gateway = self._gateway
        if gateway is not None:
            proc = gateway.proc
            gateway.shutdown()
            proc.stdin.close()
            try:
                proc.wait(timeout=30)
            except subprocess.TimeoutExpired:
                proc.kill()
                proc.wait()
        SparkContext._gateway = SparkContext._jvm = SparkContext._active_spark_context = None
        SparkSession._instantiatedSession = None
        lake.release(self.lake)


def start(lake_folder: Path, bytes_to_read: float = math.inf) -> EmbeddedSpark:
    """Start the embedded Spark of a lake, or return the one that runs; raise StrataError when it may not start."""
    global _current
    if _current is not None:
        if _current.lake != lake_folder:
            raise StrataError(
                f"This process already works in the lake {_current.lake} and cannot open {lake_folder} too: "
                "use a process for each lake."
            )
        return _current
    java.check()
    jars.class_path()
    # dbt tells of a failed statement; pyspark would print it once more, as JSON with a trace.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    # pyspark turns timestamps into this process's local time: make that UTC as well.
    os.environ["TZ"] = "UTC"
    time.tzset()
    _current = EmbeddedSpark(lake_folder, bytes_to_read)
    return _current


# How long a JVM that answers no more may take to end, in seconds.
_BROKEN_SECONDS = 5
# How Spark ends a JVM without room for its objects, and what gives it more.
_OUT_OF_MEMORY = 52
_MORE_MEMORY = "give it more memory, as STRATA_SPARK_SETTINGS='spark.driver.memory=6g' does"


def _said_of(error: Exception) -> str:
    """Return in one sentence what a statement failed of, and where it is known what helps."""
    from py4j.protocol import Py4JError, Py4JJavaError

    if isinstance(error, StrataError):
        return str(error)
    # A bridge to Java that breaks may do so just before its end.
    is_broken = isinstance(error, (Py4JError, OSError)) and not isinstance(error, Py4JJavaError)
    status = _current.ended(_BROKEN_SECONDS if is_broken else 0) if _current is not None else None
    if status is not None:
        spark_errors.skip_the_rest()
        how = f"by signal {-status}" if status < 0 else f"with exit code {status}"
        mend = (
            f"{_MORE_MEMORY}, and"
            if status == _OUT_OF_MEMORY
            else f"where {places.logs() / 'spark.log'} does not say why, the machine may have been short of memory;"
        )
        return (
            f"Spark's Java has ended {how}; what is left is skipped, and nothing is half-written: {mend} run the same "
            "command again"
        )
    if "java.lang.OutOfMemoryError" in str(error):
        return f"Spark's Java is out of memory ({spark_errors.sentence(error)}): {_MORE_MEMORY}"
    return spark_errors.with_mend(error)


def speak_plainly() -> None:
    """Have dbt-spark say in one sentence what Spark says with a plan or a trace; dbt's log file has all of it."""
    from dbt.adapters.spark.session import SessionConnectionWrapper
    from dbt_common.exceptions import DbtDatabaseError

    def plain(call: Callable, kind: type[Exception]) -> Callable:
        return spark_errors.in_one_sentence("Spark", lambda error: kind(_said_of(error)))(call)

    if not hasattr(SessionConnectionWrapper.execute, "__wrapped__"):
        # What a statement fails of dbt-spark makes an error of dbt's by itself, what its rows do it does not.
        SessionConnectionWrapper.execute = plain(SessionConnectionWrapper.execute, StrataError)
        SessionConnectionWrapper.fetchall = plain(SessionConnectionWrapper.fetchall, DbtDatabaseError)


@atexit.register
def stop() -> None:
    """Stop the embedded Spark if one runs."""
    global _current
    if _current is not None:
        _current.stop()
        _current = None
