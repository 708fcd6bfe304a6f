"""A Spark cluster as dbt's plugin uses it, by SQL alone: the scan of landed files, and who works on which source.

The connection is dbt-spark's own, of whatever method the target has; no JVM runs here.
"""

from __future__ import annotations

import atexit
import functools
import getpass
import json
import os
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from dbt.adapters.contracts.connection import Connection, ConnectionState, Credentials
from dbt.adapters.events.logging import AdapterLogger
from dbt.adapters.exceptions import FailedToConnectError
from dbt.adapters.factory import FACTORY
from dbt.adapters.spark.connections import (
    CONNECTION_LOST_EXCEPTIONS,
    PyhiveConnectionWrapper,
    SparkConnectionManager,
)
from dbt_common.exceptions import DbtDatabaseError, DbtRuntimeError

from strata import delta_log, places, processes, record, spark_errors, storage
from strata.errors import StrataError
from strata.landing import LandedFile
from strata.masking import command_line
from strata.scanning import SCANNER
from strata.sources import Source

# How often a run says that it lives, and after how long a silence its locks are anybody's.
BEAT_SECONDS = 15
LOCK_SECONDS = 60
# The first wait between two questions whether a statement has ended, in seconds.
FIRST_WAIT = 0.05
# How often a lock is tried for when another client commits at the same moment.
TRIES = 5
_LOG = AdapterLogger("Spark")
# As dbt-spark has it, before speak_plainly().
_OPEN = SparkConnectionManager.open
# What a cluster says of what it stands on, and the sentence for whoever is on call.
_MENDS = (
    (
        r"NoSuchBucket|[Bb]ucket does not exist|UnknownStoreException",
        "the bucket of its store is gone: make it again, or name the right one in STRATA_LAKE and STRATA_LANDING",
    ),
    (
        r"AccessDenied|Access Denied|SignatureDoesNotMatch|InvalidAccessKeyId|Forbidden|status code: 403",
        "the store refuses the cluster's keys: see which keys its Spark has, and what they may",
    ),
    (
        r"SlowDown|Service Unavailable|[Ss]tatus [Cc]ode: 503|AWSServiceThrottled|AWSStatus500|AWSClientIOException"
        r"|Connect to .* failed|Connection refused.*s3a|SdkClientException|AWSNoResponse",
        "its store does not answer, or is too slow: see whether it is there, and run the same command again",
    ),
    (
        r"PSQLException|JDO\w*Exception|MetaException|SQLNonTransientConnection|BoneCP|DBCP",
        "its metastore does not answer: see whether the metastore's database is there, and run the same command again",
    ),
)


# Hive's metastore says so, too, when its own database does not answer on a connection that it has kept.
_NOT_FOUND = re.compile(r"\[(TABLE_OR_VIEW|SCHEMA)_NOT_FOUND\]")
SPARK = "The cluster's Spark"


def carry_out(give: Callable[..., None], *statement: Any) -> None:
    """Give a statement, and again where it does not find a table or schema: what is not there may be the metastore.

    One that does not find has done nothing. Where the metastore does not answer, the question in between says so.
    """
    try:
        give(*statement)
    except Exception as error:
        if not _NOT_FOUND.search(str(error)):
            raise
        give("show databases")
        give(*statement)


def _is_gone(error: BaseException) -> bool:
    if isinstance(error, (*CONNECTION_LOST_EXCEPTIONS, ConnectionError, FailedToConnectError)):
        return True
    if "stopped SparkContext" in str(error) or "SparkContext was shut down" in str(error):
        return True
    return error.__cause__ is not None and _is_gone(error.__cause__)


def given_up(what: str, then: str = "", kind: type[DbtRuntimeError] = DbtRuntimeError) -> DbtRuntimeError:
    """Return the error of a node for a fault that each further node would meet too: those are skipped."""
    spark_errors.skip_the_rest()
    Locks.are_lost = True
    return kind(f"{what}; what is left is skipped, and nothing is half-written{then}.")


def _plain(error: BaseException, name: str) -> DbtRuntimeError:
    """Return an error of a statement in one sentence; where the cluster or its store has gone, the rest is given up."""
    # First: a server whose metastore is gone opens no session, and looks like one that has gone itself.
    is_ours = spark_errors.RAISED in str(error)
    mend = next((mend for pattern, mend in _MENDS if not is_ours and re.search(pattern, str(error))), None)
    if mend:
        return given_up(f"{name} says that {mend} ({spark_errors.sentence(error)})", kind=DbtDatabaseError)
    if _is_gone(error):
        return given_up(
            f"{name} has gone ({spark_errors.sentence(error)})",
            then=": see whether it runs, and run the same command again",
        )
    return DbtDatabaseError(spark_errors.with_mend(error))


def speak_plainly() -> None:
    """Have dbt-spark say in one sentence what a cluster says with the trace of a JVM, and wait no longer than it must.

    dbt-spark 1.11.0 has no other place for it than its class for a connection. dbt's log file has the whole trace.
    """
    if getattr(PyhiveConnectionWrapper, "is_plain", False):
        return
    execute, fetchall, close, opened, cancel = (
        PyhiveConnectionWrapper.execute,
        PyhiveConnectionWrapper.fetchall,
        PyhiveConnectionWrapper.close,
        SparkConnectionManager.open,
        SparkConnectionManager.cancel_open,
    )

    def plain(call: Callable, name: str, *arguments: Any) -> Any:
        with spark_errors.in_one_sentence(name, lambda error: _plain(error, name)):
            return call(*arguments)

    def polled(self: PyhiveConnectionWrapper, *given: Any) -> None:
        self.wait = FIRST_WAIT
        execute(self, *given)

    def execute_and_poll(self: PyhiveConnectionWrapper, *given: Any) -> None:
        plain(carry_out, SPARK, functools.partial(polled, self), *given)

    def next_wait(self: PyhiveConnectionWrapper) -> float:
        wait, self.wait = self.wait, min(self.wait * 1.5, self.longest_wait)
        return wait

    def close_what_is_there(self: PyhiveConnectionWrapper) -> None:
        try:
            close(self)
        except Exception as error:  # it would hide what the node failed of
            _LOG.debug(f"A connection is not closed: {error}")

    def cancel_open(self: SparkConnectionManager) -> list[str]:
        # dbt opens what is not open in order to cancel what runs on it, of a server that has gone too.
        return [] if Locks.are_lost else cancel(self)

    PyhiveConnectionWrapper.is_plain = True
    SparkConnectionManager.cancel_open = cancel_open
    PyhiveConnectionWrapper.execute = execute_and_poll
    PyhiveConnectionWrapper.close = close_what_is_there
    # What the profile says is whole seconds, for hundreds of statements: here it is the longest wait of growing ones.
    PyhiveConnectionWrapper.poll_interval = property(
        next_wait, lambda self, seconds: setattr(self, "longest_wait", max(seconds, FIRST_WAIT))
    )
    PyhiveConnectionWrapper.fetchall = lambda self: plain(fetchall, SPARK, self)

    def open_signed(cls: type, one: Connection) -> Connection:
        # Each thread has a session of its own on the server.
        one.credentials.server_side_parameters |= {f"set:hiveconf:{delta_log.SIGNATURE}": record.run_id()}
        return plain(opened, f"{SPARK} at {one.credentials.host}:{one.credentials.port}", one)

    SparkConnectionManager.open = classmethod(open_signed)


def is_embedded(credentials: Credentials) -> bool:
    """Tell whether a target's Spark is this process's own."""
    return credentials.type == "spark" and credentials.method == "session"


def check(credentials: Credentials) -> None:
    """Raise StrataError for a target `cluster` that lacks what the environment must tell; of others dbt says it."""
    if credentials.type != "spark" or credentials.method != "thrift":
        return
    needed = {"STRATA_THRIFT_HOST": credentials.host, "STRATA_THRIFT_USER": credentials.user}
    if credentials.auth == "KERBEROS":
        needed["STRATA_THRIFT_KERBEROS_SERVICE"] = credentials.kerberos_service_name
    for name, value in needed.items():
        if not value:
            raise StrataError(
                f"{name} is not set, and the target is a cluster: set it, or start a cluster on this machine by "
                "'make cluster-up' and run 'source .cluster/env' (docs/cluster.md)."
            )


class Cluster:
    """A connection to the Spark of a target."""

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        # Databricks' own adapter tells no port.
        port = f":{credentials.port}" if hasattr(credentials, "port") else ""
        self.name = f"{SPARK} at {credentials.host}{port}"
        self._connection: Connection | None = None
        self._guard = threading.Lock()

    def query(self, *statements: str) -> list[tuple]:
        """Run statements in one session and return the rows of the last; raise StrataError with what goes wrong."""
        with self._guard:
            return self._query(statements)

    def _query(self, statements: tuple[str, ...]) -> list[tuple]:
        if self._connection is None:
            kind = self.credentials.type
            opened = Connection(type=kind, name="strata", credentials=self.credentials, state=ConnectionState.INIT)
            try:
                if kind == "spark":
                    self._connection = _OPEN(opened)
                else:
                    manager = FACTORY.get_adapter_class_by_name(kind).ConnectionManager
                    self._connection = manager.open(opened)
            except Exception as error:
                raise StrataError(
                    f"{self.name} does not answer ({spark_errors.sentence(error)}): start it ('make cluster-up' one on "
                    "this machine), or name another in STRATA_THRIFT_HOST and STRATA_THRIFT_PORT."
                ) from None
        try:
            cursor = self._connection.handle.cursor()
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() or []
        except Exception as error:
            self.close()
            raise StrataError(f"{self.name} says: {spark_errors.sentence(error)}.") from None

    def close(self) -> None:
        """End the connection; the next statement opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.handle.close()
            except Exception:
                return  # the server has gone, and the session with it

    def scan(self, source: Source, landed: list[LandedFile]) -> None:
        """Have files scanned by the cluster, in parallel, as `strata.scanning` does here."""
        if not landed:
            return
        by_path = {one.path: one for one in landed}
        for row in self._task(source, landed, "scan"):
            scanned = json.loads(row[0])
            vars(by_path[scanned["path"]]).update(scanned)

    def _task(self, source: Source, landed: list[LandedFile], task: str) -> list[tuple]:
        files = places.lake() / "intake" / f"{source.name}.to_{task}.jsonl"
        with storage.create(files) as file:
            for row in ({"scanner": SCANNER, "source": asdict(source)}, *map(asdict, landed)):
                file.write(json.dumps(row).encode() + b"\n")
        view = f"strata_{task}_{source.name}"
        try:
            return self.query(
                f"create or replace temporary view {view} using strata "
                f"options (files {_literal(files)}, task '{task}')",
                f"select value from {view}",
            )
        except StrataError as error:
            if "DATA_SOURCE_NOT_FOUND" in str(error):
                raise StrataError(
                    f"{self.name} cannot read what has landed, for its Python lacks the package strata-lakehouse: "
                    "install the project's wheel there, on the driver and the workers (docs/cluster.md)."
                ) from None
            raise


def _literal(value: Any) -> str:
    text = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"


class Locks:
    """The locks of sources in the table <ops>.locks: this run's, until it ends or says nothing more for a minute.

    One whose process was on this machine and is there no more is anybody's at once.
    """

    # Whether what they stand on has gone: then they are left to time.
    are_lost = False
    # One process works on a source by one command after another: they follow each other under one lock.
    owner = processes.this()

    def __init__(self, cluster: Cluster, schema: str) -> None:
        self.cluster = cluster
        self.schema = schema
        self.table = f"{schema}.locks"
        self.held: list[str] = []
        self._driver = ""
        self._ended = threading.Event()
        atexit.register(self.release)

    def take(self, sources: list[str]) -> None:
        """Take the locks of sources, or none of them; raise StrataError, naming who holds one."""
        if not sources:
            return
        Locks.are_lost = False
        holder = f"process {os.getpid()} of {getpass.getuser()} on {socket.gethostname()} ({command_line()[:200]})"
        location = f"location {_literal(places.lake() / 'warehouse' / f'{self.schema}.db')}"
        self.cluster.query(
            f"create schema if not exists {self.schema} {location}",
            f"create table if not exists {self.table} (source string, owner string, holder string, since timestamp, "
            "beat_at timestamp, driver string) using delta partitioned by (source) "
            "comment 'Who works on which source: a row each.'",
        )
        self._driver = self.cluster.query("set spark.app.id")[0][1]
        try:
            for source in sorted(sources):
                self._take(source, holder)
            self._refuse_another_driver()
        except StrataError:
            self.release()
            raise
        threading.Thread(target=self._beat, name="strata-locks", daemon=True).start()

    def _refuse_another_driver(self) -> None:
        """Raise StrataError where a run that lives works on the same lake by another Spark driver.

        On S3 Delta's log store asks whether a commit exists and then writes it, with a lock in its own process alone
        (S3SingleDriverLogStore): of two drivers one may write over what the other has committed.
        """
        if not str(places.lake()).startswith("s3a://"):
            return
        rows = self.cluster.query(
            f"select owner, holder, driver from {self.table} where owner is not null "
            f"and driver <> {_literal(self._driver)} "
            f"and beat_at >= current_timestamp() - interval {LOCK_SECONDS} seconds"
        )
        for owner, holder, driver in rows:
            if not processes.has_died(owner):
                raise StrataError(
                    f"Another Spark driver, {driver}, works on the lake {places.lake()} for {holder}, and this run's "
                    f"is {self._driver}: on S3 all that write a lake must use one Thrift Server, or commits are lost; "
                    "wait for that run to end, or name its server in STRATA_THRIFT_HOST and STRATA_THRIFT_PORT."
                )

    def _take(self, source: str, holder: str) -> None:
        dead = None
        while True:
            self._merge(source, holder, dead)
            rows = self.cluster.query(
                f"select owner, holder, cast(since as string), cast(beat_at as string) from {self.table} "
                f"where source = {_literal(source)}"
            )
            owner, held_by, since, beat_at = rows[0]
            if owner == self.owner:
                self.held.append(source)
                return
            if owner is None:
                continue  # its owner has just let go of it
            if owner == dead or not processes.has_died(owner):
                raise StrataError(
                    f"Another run works on {source}: {held_by}, since {since}, last heard of at {beat_at} UTC; wait "
                    f"for it to end, or, if it has died, until {LOCK_SECONDS} seconds have passed since then."
                )
            dead = owner

    def alive(self) -> set[str]:
        """Return the processes that hold a lock and were heard of in the last minute."""
        rows = self.cluster.query(
            f"select owner from {self.table} where owner is not null "
            f"and beat_at >= current_timestamp() - interval {LOCK_SECONDS} seconds"
        )
        return {owner for (owner,) in rows}

    def left(self) -> list[tuple[str, str]]:
        """Return the sources whose locks were left by who has died, or has been silent for a minute, with who it is."""
        rows = self.cluster.query(
            f"select source, owner, holder, beat_at < current_timestamp() - interval {LOCK_SECONDS} seconds "
            f"from {self.table} where owner is not null order by source"
        )
        return [(source, holder) for source, owner, holder, is_silent in rows if is_silent or processes.has_died(owner)]

    def _merge(self, source: str, holder: str, dead: str | None) -> None:
        """Take a lock that is free, ours, or of the dead: of `dead`, or of one who was silent for too long."""
        take = f"""
            merge with schema evolution into {self.table} as lock
            using (
                select
                    {_literal(source)} as source,
                    {_literal(self.owner)} as owner,
                    {_literal(holder)} as holder,
                    current_timestamp() as since,
                    current_timestamp() as beat_at,
                    {_literal(self._driver)} as driver
            ) as mine
            on lock.source = mine.source and lock.source = {_literal(source)}
            when matched and (
                lock.owner is null
                or lock.owner in (mine.owner, {_literal(dead or self.owner)})
                or lock.beat_at < current_timestamp() - interval {LOCK_SECONDS} seconds
            ) then update set *
            when not matched then insert *
        """
        for attempt in range(TRIES):
            try:
                self.cluster.query(take)
                return
            except StrataError as error:
                # Somebody else took it, or said that he lives, at the same moment.
                if "CONCURRENT" not in str(error).upper() or attempt == TRIES - 1:
                    raise
                time.sleep(0.5)

    def _of_held(self) -> str:
        return f"source in ({', '.join(map(_literal, self.held))}) and owner = {_literal(self.owner)}"

    def _beat(self) -> None:
        """Say every now and then that this run lives, by a connection of its own."""
        own = Cluster(self.cluster.credentials)
        while not self._ended.wait(BEAT_SECONDS):
            try:
                own.query(f"update {self.table} set beat_at = current_timestamp() where {self._of_held()}")
            except StrataError:
                continue  # the server may be back for the next
        own.close()

    def release(self) -> None:
        """Let go of what is held; of a cluster that does not answer, time will."""
        self._ended.set()
        if self.held and not self.are_lost:
            free = ", ".join(f"{name} = null" for name in ("owner", "holder", "since", "beat_at", "driver"))
            for _ in range(TRIES):
                try:
                    self.cluster.query(f"update {self.table} set {free} where {self._of_held()}")
                    break
                except StrataError as error:
                    if "CONCURRENT" not in str(error).upper():
                        break
            self.held = []
