"""What dies or refuses below a run: a sentence each, nothing half-written, and the next run goes on."""

from __future__ import annotations

import contextlib
import http.server
import re
import threading
import time
from collections.abc import Iterator

from conftest import EVENTS, HOURS, PORTS, control, counted, end_part, land_events, made, process_of, until
from strata import storage
from strata.environment import changed_environment


@contextlib.contextmanager
def answering(status: int, code: str) -> Iterator[None]:
    """Put a server that answers every request with an error in the place of the cluster's S3 server."""

    class Refusing(http.server.BaseHTTPRequestHandler):
        # A connection that is kept would still be refused when the store is back.
        protocol_version = "HTTP/1.0"

        def refuse(self) -> None:
            if not self.headers.get("Expect"):  # else nothing is sent before the answer
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
    try:
        yield
    finally:  # or every test to come would meet it
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Let the S3 server take connections, and answer nothing."""
    process_of("s3").suspend()
    try:
        yield
    finally:
        process_of("s3").resume()


@contextlib.contextmanager
def stopped(part: str) -> Iterator[None]:
    """End a part of the cluster."""
    end_part(part)
    yield


# Whoever reads the store next says it: the cluster, or the client.
CLIENT = r"|The lake s3a://lake/built cannot be read \([^)]+\): see whether the store is there"
FAULTS = {
    "slow down": (lambda: answering(503, "SlowDown"), "its store does not answer, or is too slow" + CLIENT),
    "access denied": (lambda: answering(403, "AccessDenied"), "the store refuses the cluster's keys" + CLIENT),
    "bucket gone": (lambda: answering(404, "NoSuchBucket"), "the bucket of its store is gone" + CLIENT),
    "silent": (silent, "its store does not answer, or is too slow" + CLIENT),
    "metastore stopped": (lambda: stopped("postgres"), "its metastore does not answer"),
    "server killed": (lambda: stopped("thrift"), r"The cluster's Spark( at 127.0.0.1:\d+)? has gone"),
}


def test_what_fails_below_a_run_is_said_in_a_sentence_and_the_next_run_goes_on(built, sql):
    """One fault after the other, each in the run after, for none leaves anything in the way of the next run."""
    for number, (fault, (happens, sentence)) in enumerate(FAULTS.items()):
        before = counted(sql, built)
        expected = land_events(built, fault.replace(" ", "_"), 1 + number)
        (built.folder / "logs" / "dbt.log").unlink(missing_ok=True)
        running = built.start("dbt", "--no-use-colors", "run", *EVENTS)
        until(lambda: made(built, "raw.events"))
        with happens():
            done = built.end(running)
        assert control("up").returncode == 0
        assert done.code == 1, f"{fault}: {done.said}"
        said = " ".join(done.said.split())
        assert re.search(sentence, said), f"{fault}: {done.said}"
        assert "what is left is skipped, and nothing is half-written" in said, f"{fault}: {done.said}"
        assert "skipped" in done.nodes.values(), fault
        assert "\tat " not in done.said
        assert counted(sql, built) == before, fault
    done = built.run("dbt", "run", *EVENTS)
    assert done.code == 0, done.said
    assert counted(sql, built) == expected


def test_after_dbt_died_the_next_run_goes_on(built, sql):
    """At once where its process was on this machine, and else within a minute."""
    expected = land_events(built, "dbt_died", 13)

    def killed_at_work() -> None:
        running = built.start("dbt", "run", *EVENTS)
        mine = f"source = 'events' and owner like '% {running.pid}'"
        until(lambda: sql(f"select * from {built.table('ops.locks')} where {mine}"))
        time.sleep(2)
        running.kill()
        running.wait()

    killed_at_work()
    killed_at_work()  # which took the lock of the first at once
    sql(f"update {built.table('ops.locks')} set owner = concat('another ', owner)")
    told = built.run("dbt", "run", *EVENTS)
    assert told.code == 2, told.said
    assert "Another run works on events" in told.said
    # As if the minute had passed, but for some seconds.
    sql(f"update {built.table('ops.locks')} set beat_at = beat_at - interval 50 seconds where owner is not null")
    time.sleep(11)
    done = built.run("dbt", "run", *EVENTS)
    assert done.code == 0, done.said
    assert counted(sql, built) == expected


def test_an_object_that_is_replaced_while_it_is_loaded_is_loaded_by_the_next_run(built, sql):
    """The same size at the same name, so that nothing but the store's own mark of the content tells."""
    told = counted(sql, built)
    expected = land_events(built, "replaced", 40)
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
        land_events(built, "replaced", 40 + turn % 2)
        time.sleep(0.2)
    done = built.end(running)
    assert done.code == 1, done.said
    assert "events/2026/01/05/replaced.csv" in done.said
    assert "was replaced" in " ".join(done.said.split())
    assert counted(sql, built) == told
    land_events(built, "replaced", 50)
    built.make(*EVENTS)
    assert counted(sql, built) == expected
    rows = sql(f"select count(*) from {built.table('stage.events')} where minute(event_at) = 50")
    assert rows == [(HOURS,)]
