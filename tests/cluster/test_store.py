"""What the store and the metastore refuse: a sentence each, nothing half-written, and the next run goes on."""

from __future__ import annotations

import contextlib
import http.server
import threading
import time
from collections.abc import Iterator

import fsspec
import pytest

from conftest import PORTS, Client, control, end_part, exported, made, process_of, until
from strata import listing, places, storage
from strata.dbt_run import of_subject
from strata.environment import changed_environment

HOURS = 24
EVENTS = ("--select", *of_subject("events"))
CSV = (".csv",)


def events(minute: int, action: str) -> str:
    """Return a file of events: one of an action in each hour."""
    rows = "".join(f"2026-01-05T{hour:02}:{minute:02}:00Z,{action}\n" for hour in range(HOURS))
    return "time,action\n" + rows


@pytest.fixture(scope="module")
def built(cluster, tmp_path_factory) -> Client:
    """Return a client whose mart is made; each test lands a file of its own."""
    client = Client("store", tmp_path_factory.mktemp("store"), cluster)
    client.land("events/2026/01/05/a.csv", events(0, "Open"))
    client.make(*EVENTS)
    return client


def counted(sql, client: Client) -> int:
    """Return how many events the mart tells."""
    return int(sql(f"select sum(open_count + close_count) from {client.table('mart.action_windows')}")[0][0])


def landed(client: Client, name: str, minute: int) -> int:
    """Land a file, and return how many events the mart must tell of all that have."""
    client.land(f"events/2026/01/05/{name}.csv", events(minute, "Close"))
    with changed_environment(**client.cluster):
        return HOURS * len(storage.objects(f"{client.landing}/events"))


@contextlib.contextmanager
def answering(status: int, code: str) -> Iterator[None]:
    """Put a server that answers every request with an error in the place of the cluster's S3 server."""

    class Refusing(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def refuse(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", "0" if self.command == "HEAD" else str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = refuse

        def log_message(self, *arguments) -> None:
            pass

    end_part("s3")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(PORTS["S3"])), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield
    server.shutdown()
    server.server_close()


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Let the S3 server take connections, and answer nothing."""
    process_of("s3").suspend()
    yield
    process_of("s3").resume()


@contextlib.contextmanager
def stopped(part: str) -> Iterator[None]:
    """End a part of the cluster."""
    end_part(part)
    yield


FAULTS = {
    "slow down": (lambda: answering(503, "SlowDown"), "its store does not answer, or is too slow"),
    "access denied": (lambda: answering(403, "AccessDenied"), "the store refuses the cluster's keys"),
    "bucket gone": (lambda: answering(404, "NoSuchBucket"), "the bucket of its store is gone"),
    "silent": (silent, "its store does not answer, or is too slow"),
    "metastore stopped": (lambda: stopped("postgres"), "its metastore does not answer"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_the_cluster_stands_on_fails_in_the_middle_of_a_run(built, sql, fault):
    expected = landed(built, fault.replace(" ", "_"), 1 + list(FAULTS).index(fault))
    happens, sentence = FAULTS[fault]
    (built.folder / "logs" / "dbt.log").unlink(missing_ok=True)
    running = built.start("dbt", "--no-use-colors", "run", *EVENTS)
    until(lambda: made(built, "raw.events"))
    with happens():
        done = built.end(running)
    assert control("up").returncode == 0
    assert done.code != 0, done.said
    assert sentence in " ".join(done.said.split())
    assert "\tat " not in done.said
    again = built.run("dbt", "--no-use-colors", "run", *EVENTS)
    if again.code == 2:  # the lock of who could not let go of it
        until(lambda: built.run("dbt", "run", *EVENTS).code == 0, 120)
    else:
        assert again.code == 0, again.said
    assert counted(sql, built) == expected


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("AWS_SECRET_ACCESS_KEY", "another", "cannot be"),
        ("AWS_ACCESS_KEY_ID", "nobody", "cannot be"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9", "cannot be"),
        ("STRATA_LANDING", "s3a://nowhere/landing", "cannot be"),
        ("STRATA_LAKE", "s3a://nowhere/lake", "cannot be"),
    ],
)
def test_what_a_client_may_not_reach_is_named(built, sql, setting, value, sentence):
    before = counted(sql, built)
    done = built.run("dbt", "--no-use-colors", "run", *EVENTS, **{setting: value})
    assert done.code != 0, done.said
    assert sentence in done.said, done.said
    assert "Traceback" not in done.said
    assert counted(sql, built) == before


def test_an_object_that_is_replaced_while_it_is_loaded_is_loaded_by_the_next_run(built, sql):
    """The same size at the same name, so that nothing but the store's own mark of the content tells."""
    expected = landed(built, "replaced", 40)
    intake = f"s3a://lake/{built.name}/intake/events.jsonl"

    def listings() -> int:
        with changed_environment(**built.cluster):
            return storage.info(intake).modified_ns

    before = listings()
    running = built.start("dbt", "--no-use-colors", "run", *EVENTS)
    until(lambda: listings() > before)
    turn = 0
    while running.poll() is None:
        turn += 1
        built.land("events/2026/01/05/replaced.csv", events(40 + turn % 2, "Close"))
        time.sleep(0.2)
    done = built.end(running)
    assert done.code == 1, done.said
    assert "events/2026/01/05/replaced.csv" in done.said
    assert "was replaced" in " ".join(done.said.split())
    assert counted(sql, built) == expected - HOURS
    built.land("events/2026/01/05/replaced.csv", events(50, "Close"))
    built.make(*EVENTS)
    assert counted(sql, built) == expected
    rows = sql(f"select count(*) from {built.table('stage.events')} where minute(event_time) = 50")
    assert rows == [(HOURS,)]


def test_an_upload_that_goes_on_is_not_there(built):
    """A multipart upload has a name once it has ended."""
    address = f"{built.landing}/uploads/2026/01/05/large.csv"
    with changed_environment(**built.cluster):
        store = fsspec.core.url_to_fs(address, use_listings_cache=False)[0]
        with store.open(address, "wb", block_size=5 * 1024 * 1024) as upload:
            upload.write(b"x" * (6 * 1024 * 1024))
            upload.flush()
            assert not listing.of_folder(places.at(f"{built.landing}/uploads"), CSV).files
        assert len(listing.of_folder(places.at(f"{built.landing}/uploads"), CSV).files) == 1


def test_keys_by_prefix_read_the_marts_and_nothing_else(built):
    """The policy that docs/cluster.md shows, on the started server."""
    mart, raw = (f"s3a://lake/{built.name}/warehouse/{built.name}_{layer}.db" for layer in ("mart", "raw"))
    with changed_environment(**built.cluster):
        [mart_file, *_], [raw_file, *_] = (
            [one.path for one in storage.objects(layer) if one.path.endswith(".parquet")] for layer in (mart, raw)
        )
    with changed_environment(**exported("reader.env")):
        with storage.open(mart_file) as file:
            assert file.read(4) == b"PAR1"
        with pytest.raises(OSError, match=r"Access Denied|Forbidden"), storage.open(raw_file) as file:
            file.read(4)
        with pytest.raises(OSError, match=r"Access Denied|Forbidden"), storage.create(f"{mart}/mine") as file:
            file.write(b"no")
