"""A real Spark cluster on one machine: `make cluster-up`, `cluster-status`, `cluster-down`, `cluster-clean`.

PostgreSQL for the metastore, an S3 server, Spark's master, workers and Thrift Server, each a process of its own, with
its log in logs/cluster-<name>.log. <folder>/started.json has what was started, each process with the time of its start:
nothing else is ever stopped. docs/cluster.md shows what runs where.
"""

from __future__ import annotations

import functools
import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyspark
import s3fs
import typer
from filelock import FileLock
from rich.console import Console
from rich.table import Table

from strata import jars, java, places
from strata.cluster import Cluster
from strata.errors import StrataError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
console = Console(highlight=False, soft_wrap=True, markup=False)

POLICY = places.ROOT / "conf" / "s3_policy.json"
SPARK = Path(pyspark.__file__).parent
HOST = "127.0.0.1"
# The user that PostgreSQL runs as where the caller is root, which it refuses.
POSTGRES_USERS = ("postgres", "nobody")
# Who may read what of the lake: conf/s3_policy.json.
GROUPS = ("reader", "steward")
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "POSTGRES_PASSWORD", *GROUPS)


@dataclass(frozen=True)
class Settings:
    """What a cluster is made with, each by a variable STRATA_CLUSTER_<NAME>."""

    folder: Path = places.ROOT / ".cluster"
    workers: int = 2
    worker_cores: int = 1
    executor_memory: str = "1500m"
    driver_memory: str = "3g"
    postgres_port: int = 15432
    s3_port: int = 17070
    master_port: int = 17077
    thrift_port: int = 11000
    # More settings of Spark, `name=value` with spaces between.
    spark_settings: str = ""

    @classmethod
    def load(cls) -> Settings:
        """Read them from the environment; raise StrataError for one that is no number where it must be."""
        given = {}
        for name, default in cls.__dataclass_fields__.items():
            text = os.environ.get(f"STRATA_CLUSTER_{name.upper()}")
            if not text:
                continue
            try:
                given[name] = Path(text).absolute() if name == "folder" else type(default.default)(text)
            except ValueError:
                raise StrataError(f"STRATA_CLUSTER_{name.upper()} is {text!r}: write a whole number.") from None
        return cls(**given)


class LocalCluster:
    """The processes of a cluster, in the order in which they start."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = settings.folder
        self.state = self.folder / "started.json"

    # --- what runs

    def parts(self) -> dict[str, tuple[list[str], int | None]]:
        """Return the command of each part, and the port by which it answers."""
        at = self.settings
        spark_class = str(SPARK / "bin" / "spark-class")
        master = f"spark://{HOST}:{at.master_port}"
        deploy = "org.apache.spark.deploy"
        worker = [
            *(spark_class, f"{deploy}.worker.Worker", "--host", HOST, "--webui-port", "0"),
            *("--cores", str(at.worker_cores), "--memory", at.executor_memory, "--work-dir", str(self.folder / "work")),
            master,
        ]
        return {
            "postgres": (
                [
                    *(*as_other_user(), tool("postgres"), "-D", str(self.folder / "postgres"), "-h", HOST),
                    *("-p", str(at.postgres_port), "-c", "unix_socket_directories="),
                ],
                at.postgres_port,
            ),
            "s3": (
                [
                    *(gateway(), "--port", f"{HOST}:{at.s3_port}", "--quiet"),
                    *("--iam-dir", str(self.folder / "iam"), "posix", str(self.folder / "s3")),
                ],
                at.s3_port,
            ),
            "master": (
                [
                    spark_class,
                    f"{deploy}.master.Master",
                    "--host",
                    HOST,
                    "--port",
                    str(at.master_port),
                    "--webui-port",
                    "0",
                ],
                at.master_port,
            ),
            **{f"worker-{number + 1}": (worker, None) for number in range(at.workers)},
            "thrift": (
                [
                    *(str(SPARK / "bin" / "spark-submit"), "--class"),
                    *("org.apache.spark.sql.hive.thriftserver.HiveThriftServer2", "spark-internal"),
                ],
                at.thrift_port,
            ),
        }

    def environment(self, part: str, keys: dict[str, str]) -> dict[str, str]:
        """Return the environment of a part: the keys reach Spark and its Python by no other way."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "STRATA_", "SPARK_"))}
        return {
            **kept,
            "JAVA_HOME": str(Path(java.path()).resolve().parents[1]),
            "SPARK_HOME": str(SPARK),
            "SPARK_CONF_DIR": str(self.folder / "conf"),
            "SPARK_LOG_DIR": str(places.logs()),
            # A Thrift Server takes this for its driver's memory, and not spark.driver.memory.
            "SPARK_DAEMON_MEMORY": self.settings.driver_memory if part == "thrift" else "512m",
            "PYSPARK_PYTHON": sys.executable,
            "ROOT_ACCESS_KEY": keys["AWS_ACCESS_KEY_ID"],
            "ROOT_SECRET_KEY": keys["AWS_SECRET_ACCESS_KEY"],
            **self.of_clients(keys),
        }

    def of_clients(self, keys: dict[str, str]) -> dict[str, str]:
        """Return what reaches the S3 server, for botocore and Hadoop alike."""
        return {
            "AWS_ACCESS_KEY_ID": keys["AWS_ACCESS_KEY_ID"],
            "AWS_SECRET_ACCESS_KEY": keys["AWS_SECRET_ACCESS_KEY"],
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://{HOST}:{self.settings.s3_port}",
        }

    # --- what lies in its folder

    def keys(self) -> dict[str, str]:
        """Return the secrets of this cluster, made once; nobody else may read them."""
        file = self.folder / "keys.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        if not known.keys() >= set(KEYS):
            write_secret(file, json.dumps({name: secrets.token_hex(16) for name in KEYS} | known))
        return json.loads(file.read_text())

    def configure(self, keys: dict[str, str]) -> None:
        """Write Spark's configuration, and the clients' environment."""
        at = self.settings
        executor = ":".join(str(jar.path) for jar in [*jars.listed(), *jars.listed(jars.CLUSTER_LIST)])
        spark = {
            "spark.master": f"spark://{HOST}:{at.master_port}",
            "spark.app.name": "strata",
            "spark.driver.memory": at.driver_memory,
            "spark.driver.host": HOST,
            "spark.driver.bindAddress": HOST,
            "spark.executor.memory": at.executor_memory,
            # Given by --jars a Thrift Server's sessions would not see them.
            "spark.driver.extraClassPath": executor,
            "spark.executor.extraClassPath": executor,
            "spark.driver.extraJavaOptions": "-Duser.timezone=UTC",
            "spark.executor.extraJavaOptions": "-Duser.timezone=UTC",
            "spark.ui.enabled": "false",
            "spark.scheduler.mode": "FAIR",
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.variable.substitute": "false",
            "spark.sql.catalogImplementation": "hive",
            "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
            "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
            "spark.sql.warehouse.dir": "s3a://lake/warehouse",
            "spark.sql.shuffle.partitions": str(2 * at.workers * at.worker_cores),
            "spark.databricks.delta.snapshotPartitions": "1",
            "spark.sql.codegen.cache.maxEntries": "2000",
            "spark.hadoop.fs.s3a.endpoint": f"http://{HOST}:{at.s3_port}",
            "spark.hadoop.fs.s3a.endpoint.region": "us-east-1",
            "spark.hadoop.fs.s3a.path.style.access": "true",
            # A store that does not answer is given up after a minute: ten seconds, twice, three times.
            "spark.hadoop.fs.s3a.connection.timeout": "10s",
            "spark.hadoop.fs.s3a.attempts.maximum": "1",
            "spark.hadoop.fs.s3a.retry.limit": "2",
            "spark.hadoop.fs.s3a.retry.throttle.limit": "4",
            "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:postgresql://{HOST}:{at.postgres_port}/metastore",
            "spark.hadoop.javax.jdo.option.ConnectionDriverName": "org.postgresql.Driver",
            "spark.hadoop.javax.jdo.option.ConnectionUserName": "hive",
            "spark.hadoop.javax.jdo.option.ConnectionPassword": keys["POSTGRES_PASSWORD"],
            "spark.hadoop.hive.metastore.schema.verification": "false",
            # As with the store: twenty seconds, three times, and not eleven.
            "spark.hadoop.hive.hmshandler.retry.attempts": "2",
            # Made as they are needed, PostgreSQL's tables wait for each other for ever: make_metastore() makes them.
            "spark.hadoop.datanucleus.schema.autoCreateAll": "false",
            # Each new thread of the server reads Hive's settings anew, for a tenth of a second: few threads, kept.
            "spark.hadoop.hive.server2.async.exec.threads": "16",
            "spark.hadoop.hive.server2.async.exec.keepalive.time": "3600s",
            # What is cached lies on one worker: another that is idle reads it again sooner than the first is free.
            "spark.locality.wait": "0s",
            "spark.hadoop.hive.server2.thrift.bind.host": HOST,
            "spark.hadoop.hive.server2.thrift.port": str(at.thrift_port),
        }
        for setting in at.spark_settings.split():
            name, equals, value = setting.partition("=")
            if not equals:
                raise StrataError(f"STRATA_CLUSTER_SPARK_SETTINGS holds {setting!r}: write it as name=value.")
            spark[name] = value
        clients = {
            **self.of_clients(keys),
            "STRATA_THRIFT_HOST": HOST,
            "STRATA_THRIFT_PORT": str(at.thrift_port),
            "STRATA_THRIFT_USER": "strata",
            "STRATA_LANDING": "s3a://landing",
            "STRATA_LAKE": "s3a://lake",
        }
        conf = self.folder / "conf"
        conf.mkdir(exist_ok=True)
        write_secret(conf / "spark-defaults.conf", "".join(f"{name} {value}\n" for name, value in spark.items()))
        (conf / "log4j2.properties").write_text(
            "rootLogger.level = warn\nrootLogger.appenderRef.console.ref = console\n"
            "appender.console.type = Console\nappender.console.name = console\n"
            "appender.console.layout.type = PatternLayout\n"
            "appender.console.layout.pattern = %d{ISO8601} %p %c{1}: %m%n%ex\n"
        )
        write_exports(self.folder / "env", clients)
        for group in GROUPS:
            own = {"AWS_ACCESS_KEY_ID": group, "AWS_SECRET_ACCESS_KEY": keys[group]}
            write_exports(self.folder / f"{group}.env", {**self.of_clients(keys), **own})

    def make_postgres(self, keys: dict[str, str]) -> None:
        """Make PostgreSQL's folder, with one user, `hive`, by a password."""
        folder = self.folder / "postgres"
        if (folder / "PG_VERSION").exists():
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        password = self.folder / "postgres.password"
        write_secret(password, keys["POSTGRES_PASSWORD"])
        if os.geteuid() == 0:
            for path in (folder, password):
                shutil.chown(path, postgres_user())
        run(
            [
                *as_other_user(),
                tool("initdb"),
                "-D",
                str(folder),
                "-U",
                "hive",
                "-A",
                "scram-sha-256",
                f"--pwfile={password}",
            ],
            "PostgreSQL's folder could not be made",
        )
        password.unlink()

    def make_groups(self, keys: dict[str, str]) -> None:
        """Make the S3 server's users besides its own, and say what they may read."""
        accounts = json.loads((self.folder / "iam" / "users.json").read_text()).get("accessAccounts") or {}
        address = f"http://{HOST}:{self.settings.s3_port}"
        admin = {
            **os.environ,
            "ADMIN_ACCESS_KEY": keys["AWS_ACCESS_KEY_ID"],
            "ADMIN_SECRET_KEY": keys["AWS_SECRET_ACCESS_KEY"],
            "ADMIN_ENDPOINT_URL": address,
        }
        for group in GROUPS:
            if group not in accounts:
                user = ["create-user", "--access", group, "--secret", keys[group], "--role", "user"]
                run([gateway(), "admin", *user], f"The S3 server's user {group} could not be made", admin)
        store = s3fs.S3FileSystem(
            key=keys["AWS_ACCESS_KEY_ID"],
            secret=keys["AWS_SECRET_ACCESS_KEY"],
            endpoint_url=address,
            client_kwargs={"region_name": "us-east-1"},
        )
        store.call_s3("put_bucket_policy", Bucket="lake", Policy=POLICY.read_text())

    def make_metastore(self, keys: dict[str, str]) -> None:
        """Make the metastore's database and all of its tables, where they are not there."""
        at = self.settings
        psql = [tool("psql"), "-h", HOST, "-p", str(at.postgres_port), "-U", "hive", "-tA", "-c"]
        env = {**os.environ, "PGPASSWORD": keys["POSTGRES_PASSWORD"]}
        failed = "The metastore's database could not be made"
        if not run([*psql, "select 1 from pg_database where datname = 'metastore'", "postgres"], failed, env):
            run([*psql, "create database metastore", "postgres"], failed, env)
        if run([*psql, "select 1 from pg_tables where tablename = 'VERSION'", "metastore"], failed, env):
            return
        # The tables that Hive declares, by the tool of the library that it stores them with.
        hive = next((SPARK / "jars").glob("hive-metastore-*.jar"))
        with zipfile.ZipFile(hive) as archive:
            archive.extract("package.jdo", self.folder)
        properties = self.folder / "datanucleus.properties"
        write_secret(
            properties,
            "javax.jdo.PersistenceManagerFactoryClass=org.datanucleus.api.jdo.JDOPersistenceManagerFactory\n"
            f"datanucleus.ConnectionURL=jdbc:postgresql://{HOST}:{at.postgres_port}/metastore\n"
            "datanucleus.ConnectionDriverName=org.postgresql.Driver\ndatanucleus.ConnectionUserName=hive\n"
            f"datanucleus.ConnectionPassword={keys['POSTGRES_PASSWORD']}\n"
            "datanucleus.connectionPoolingType=DBCP\ndatanucleus.identifierFactory=datanucleus1\n",
        )
        driver = next(jar.path for jar in jars.listed(jars.CLUSTER_LIST) if jar.artifact == "postgresql")
        run(
            [
                *(java.path(), "-cp", f"{SPARK / 'jars'}/*:{driver}", "org.datanucleus.store.schema.SchemaTool"),
                *("-create", "-props", str(properties), "-api", "JDO", str(self.folder / "package.jdo")),
            ],
            failed,
        )
        properties.unlink()

    # --- what is done with it

    def started(self) -> dict[str, psutil.Process]:
        """Return the parts that this folder started and that still run."""
        try:
            noted = json.loads(self.state.read_text())
        except (OSError, ValueError):
            return {}
        found = {}
        for name, (pid, since) in noted.items():
            try:
                process = psutil.Process(pid)
                if process.create_time() == since and process.status() != psutil.STATUS_ZOMBIE:
                    found[name] = process
            except psutil.NoSuchProcess:
                continue
        return found

    def up(self) -> None:
        """Start what does not run, and wait until a query is answered."""
        for name in ("s3/lake", "s3/landing", "iam"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        places.logs().mkdir(parents=True, exist_ok=True)
        keys = self.keys()
        jars.install(jars.listed(jars.CLUSTER_LIST))
        self.configure(keys)
        self.make_postgres(keys)
        running = self.started()
        for name, (command, port) in self.parts().items():
            if name not in running:
                if port is not None and answers(port):
                    raise StrataError(
                        f"The port {port} of {name} is in use by another program: end that, or choose another by "
                        f"STRATA_CLUSTER_{'MASTER' if name == 'master' else name.upper()}_PORT."
                    )
                running[name] = self.start(name, command, keys)
            self.wait(name, running[name], functools.partial(is_ready, name, port))
            if name == "postgres":
                self.make_metastore(keys)
            if name == "s3":
                self.make_groups(keys)
        cluster = self.client()
        self.wait("thrift", running["thrift"], lambda: self.has_all_workers(cluster))
        cluster.close()

    def client(self) -> Cluster:
        """Return a connection to its Thrift Server."""
        from dbt.adapters.spark.connections import SparkCredentials

        return Cluster(
            SparkCredentials(
                method="thrift", host=HOST, port=self.settings.thrift_port, user="strata", auth="NONE", schema="default"
            )
        )

    def has_all_workers(self, cluster: Cluster) -> bool:
        """Tell whether a query is answered, and by executors."""
        try:
            return cluster.query("select count(*) from range(0, 100, 1, 4)") == [(100,)]
        except StrataError:
            return False

    def start(self, name: str, command: list[str], keys: dict[str, str]) -> psutil.Process:
        """Start a part, and note it at once."""
        with open(log_of(name), "ab") as log:
            child = subprocess.Popen(
                command,
                env=self.environment(name, keys),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        process = psutil.Process(child.pid)
        noted = {other: (one.pid, one.create_time()) for other, one in self.started().items()}
        noted[name] = (process.pid, process.create_time())
        self.state.write_text(json.dumps(noted))
        return process

    def wait(self, name: str, process: psutil.Process, is_there: Callable[[], bool], seconds: float = 180) -> None:
        """Wait until a part answers; raise StrataError when it has ended, or time has."""
        end = time.monotonic() + seconds
        while not is_there():
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                raise StrataError(f"The part {name} of the cluster has ended: {log_of(name)} says why.")
            if time.monotonic() > end:
                raise StrataError(
                    f"The part {name} of the cluster does not answer after {seconds:.0f} s: see {log_of(name)}."
                )
            time.sleep(0.5)

    def down(self) -> list[str]:
        """Stop what this folder started, the last first, and return its names."""
        running = self.started()
        for process in reversed(running.values()):
            family = [process, *process.children(recursive=True)]
            process.terminate()
            _, left = psutil.wait_procs(family, timeout=20)
            for one in left:
                one.kill()
            psutil.wait_procs(left, timeout=20)
        self.state.unlink(missing_ok=True)
        return list(running)


def write_secret(file: Path, text: str) -> None:
    """Write a file that nobody else may read."""
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(text)


def write_exports(file: Path, variables: dict[str, str]) -> None:
    """Write what a shell sources."""
    write_secret(file, "".join(f"export {name}={value}\n" for name, value in variables.items()))


def log_of(name: str) -> Path:
    """Return where a part's log is."""
    return places.logs() / f"cluster-{name}.log"


def answers(port: int) -> bool:
    """Tell whether a port of this machine takes connections."""
    with socket.socket() as tried:
        tried.settimeout(1)
        return tried.connect_ex((HOST, port)) == 0


def is_ready(part: str, port: int | None) -> bool:
    """Tell whether a part answers; PostgreSQL takes connections before it does, for seconds where it was killed."""
    if part == "postgres":
        asked = [tool("pg_isready"), "--quiet", "--host", HOST, "--port", str(port)]
        return subprocess.run(asked).returncode == 0
    return port is None or answers(port)


def postgres_user() -> str:
    """Return the user that PostgreSQL runs as where the caller is root."""
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in POSTGRES_USERS if name in names)


def as_other_user() -> list[str]:
    """Return the command that runs another as the user of PostgreSQL, who may pass through the folders of root."""
    if os.geteuid() != 0:
        return []
    user = postgres_user()
    return [
        *("setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"),
        *("--inh-caps=+dac_override", "--ambient-caps=+dac_override"),
    ]


def tool(name: str) -> str:
    """Return a program of PostgreSQL; raise StrataError where there is none."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    found = shutil.which(name) or (str(debian[-1]) if debian else None)
    if found is None:
        raise StrataError(f"PostgreSQL's {name} is not there: run 'make test-prerequisites', or install PostgreSQL.")
    return found


def gateway() -> str:
    """Return the S3 server; raise StrataError where it is not there."""
    beside = Path(sys.executable).with_name("versitygw")
    if not beside.exists():
        raise StrataError(
            "The S3 server versitygw is not there: run 'make test-prerequisites', which builds it with Go."
        )
    return str(beside)


def run(command: list[str], failed: str, environment: dict[str, str] | None = None) -> str:
    """Run a program and return what it prints; raise StrataError with its last words when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise StrataError(f"{failed}: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    return done.stdout.strip()


@app.command()
def up() -> None:
    """Start a cluster on this machine, or what of it does not run."""
    cluster = LocalCluster(Settings.load())
    cluster.folder.mkdir(parents=True, exist_ok=True)
    with FileLock(cluster.folder / "lock"):
        cluster.up()
    console.print(f"The cluster answers. Next: source {cluster.folder / 'env'} && dbt build --target cluster")


@app.command()
def status() -> None:
    """Print what of the cluster runs, and where; end with 1 when something does not."""
    cluster = LocalCluster(Settings.load())
    running = cluster.started()
    table = Table("part", "process", "port", "log")
    parts = cluster.parts()
    for name, (_, port) in parts.items():
        process = running.get(name)
        table.add_row(name, str(process.pid) if process else "not running", str(port or ""), str(log_of(name)))
    console.print(table)
    if len(running) < len(parts):
        raise typer.Exit(1)


@app.command()
def down() -> None:
    """Stop what was started here, and keep the data."""
    stopped = LocalCluster(Settings.load()).down()
    console.print(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing of the cluster was running.")


@app.command()
def clean() -> None:
    """Stop it, and remove its data."""
    cluster = LocalCluster(Settings.load())
    cluster.down()
    shutil.rmtree(cluster.folder, ignore_errors=True)
    console.print(f"{cluster.folder} is gone, with all that the cluster held.")


def main() -> None:
    """Run the command line; a StrataError is one sentence on standard error and exit code 1."""
    try:
        app()
    except StrataError as error:
        print(error, file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
