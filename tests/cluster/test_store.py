"""What a client may reach of what a run stands on, and what is there of it while it is on its way."""

from __future__ import annotations

import runpy
import socket
import threading

import fsspec
import pytest
import s3fs

from conftest import EVENTS, counted, exported
from strata import listing, places, storage
from strata.environment import changed_environment

CSV = (".csv",)


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
    done = built.end(built.start("dbt", "--no-use-colors", "run", *EVENTS, **{setting: value}))
    assert done.code != 0, done.said
    assert sentence in done.said, done.said
    assert "Traceback" not in done.said
    assert counted(sql, built) == before


def said_by_postgres(kind: bytes, body: bytes) -> bytes:
    """Return a message as PostgreSQL's protocol has it."""
    return kind + (len(body) + 4).to_bytes(4, "big") + body


def test_a_database_is_there_when_it_answers_and_not_when_it_takes_connections(monkeypatch):
    """A server that was killed says for seconds that it is starting up, and a start that goes on then fails."""
    starting = said_by_postgres(b"E", b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0")
    which_user = said_by_postgres(b"R", (3).to_bytes(4, "big"))
    tool = runpy.run_path(str(places.ROOT / "tools" / "cluster.py"))
    for name in ("PGSSLMODE", "PGGSSENCMODE"):
        monkeypatch.setenv(name, "disable")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for message in (starting, which_user):
                connection, _ = server.accept()
                with connection:
                    connection.recv(1024)
                    connection.sendall(message)

        threading.Thread(target=answer, daemon=True).start()
        port = server.getsockname()[1]
        assert [tool["is_ready"]("postgres", port) for _ in range(2)] == [False, True]


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
    key = exported("reader.env")
    store = s3fs.S3FileSystem(
        key=key["AWS_ACCESS_KEY_ID"], secret=key["AWS_SECRET_ACCESS_KEY"], endpoint_url=key["AWS_ENDPOINT_URL"]
    )
    assert store.cat(mart_file).startswith(b"PAR1")
    for refused in (
        lambda: store.cat(raw_file),
        lambda: store.ls(raw),
        lambda: store.pipe(f"{mart}/mine", b"no"),
    ):
        with pytest.raises(PermissionError):
            refused()
