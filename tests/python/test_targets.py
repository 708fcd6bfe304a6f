"""Targets beyond this machine, as far as can be told without one: what a manifest for Databricks says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from dbt.adapters.factory import load_plugin
from dbt.contracts.graph.manifest import Manifest

from strata import cluster, places, processes
from strata.dbt_run import DbtOptions, credentials
from strata.environment import changed_environment
from strata.errors import StrataError

WORKSPACE = {
    "DATABRICKS_HOST": "adb-1.example.net",
    "DATABRICKS_HTTP_PATH": "/sql/1.0/warehouses/1",
    "DATABRICKS_CLUSTER_ID": "1-2-3",
    "DATABRICKS_TOKEN": "made up",
    "DATABRICKS_CATALOG": "main",
}
READ_BY = {"raw": None, "stage": ["steward"], "quarantine": ["steward"], "mart": ["reader", "steward"], "ops": None}


def dbt(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [Path(sys.executable).with_name("dbt"), "--no-use-colors", *arguments, "--target-path", str(folder)],
        env={**os.environ, "DBT_LOG_PATH": str(folder), **environment},
        cwd=places.ROOT,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module", params=["databricks", "databricks_http"])
def parsed(request, tmp_path_factory) -> tuple[str, Manifest]:
    """The project as parsed for a made-up workspace."""
    folder = tmp_path_factory.mktemp(request.param)
    done = dbt(folder, "parse", "--target", request.param, **WORKSPACE)
    assert done.returncode == 0, done.stdout
    return request.param, Manifest.from_msgpack((folder / "partial_parse.msgpack").read_bytes())


def test_the_projects_materializations_and_macros_win_over_the_adapters(parsed):
    target, manifest = parsed
    adapter = "databricks" if target == "databricks" else "spark"
    load_plugin(adapter)
    for name in ("landed", "incremental", "snapshot"):
        macro = manifest.find_materialization_macro_by_name("strata", name, adapter)
        assert macro.package_name == "strata", f"{name} of {macro.package_name}"
    own = {macro.name for macro in manifest.macros.values() if macro.package_name == "strata"}
    theirs = {macro.name for macro in manifest.macros.values() if macro.package_name != "strata"}
    for name in own:
        found = re.fullmatch(r"spark__(\w+)", name)
        beaten = f"{adapter}__{found[1]}" if found else name
        # Databricks' own knows grants and where a catalog's schemas lie.
        if found and beaten in theirs and found[1] not in ("apply_grants", "create_schema"):
            assert beaten in own, f"{name} is hidden by {beaten} of the adapter"


def test_names_have_the_parts_that_the_target_knows(parsed):
    target, manifest = parsed
    windows = manifest.nodes["model.strata.action_windows"]
    catalog = "`main`." if target == "databricks" else ""
    layer = "`mart`." if target == "databricks" else "mart."
    assert windows.relation_name.replace("`", "") == (catalog + layer).replace("`", "") + "action_windows"


def test_groups_read_layers_and_nobody_is_granted_more(parsed):
    _, manifest = parsed
    seen = set()
    for node in manifest.nodes.values():
        if node.resource_type in ("model", "snapshot", "seed"):
            readers = READ_BY[node.schema]
            assert node.config.grants == ({"select": readers} if readers else {}), node.unique_id
            seen.add(node.schema)
    assert seen == set(READ_BY)


@pytest.mark.parametrize(
    ("variable", "auth"),
    [
        ("STRATA_THRIFT_HOST", "NONE"),
        ("STRATA_THRIFT_USER", "NONE"),
        ("STRATA_THRIFT_KERBEROS_SERVICE", "KERBEROS"),
    ],
)
def test_a_variable_that_a_cluster_needs_is_named(variable, auth):
    given = {"STRATA_THRIFT_HOST": "localhost", "STRATA_THRIFT_USER": "me", "STRATA_THRIFT_AUTH": auth, variable: ""}
    with changed_environment(**given):
        found = credentials(DbtOptions(target="cluster"))
    with pytest.raises(StrataError, match=f"^{variable} is not set, and the target is a cluster: set it, or start"):
        cluster.check(found)


@pytest.mark.parametrize(
    ("target", "variable"),
    [
        ("databricks", "DATABRICKS_HOST"),
        ("databricks", "DATABRICKS_HTTP_PATH"),
        ("databricks", "DATABRICKS_TOKEN"),
        ("databricks_http", "DATABRICKS_CLUSTER_ID"),
    ],
)
def test_a_variable_that_databricks_needs_is_named(target, variable, monkeypatch):
    for name, value in WORKSPACE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(variable)
    with pytest.raises(StrataError, match=f"Env var required but not provided: '{variable}'"):
        credentials(DbtOptions(target=target))


def test_dbt_says_what_is_missing_in_a_sentence(tmp_path):
    done = dbt(tmp_path, "run", "--target", "cluster", STRATA_THRIFT_HOST="")
    assert done.returncode == 2
    assert "STRATA_THRIFT_HOST is not set, and the target is a cluster: set it, or start" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("STRATA_LAKE", "s3://bucket/lake", "STRATA_LAKE is s3://bucket/lake: write it as s3a://bucket/folder"),
        ("STRATA_LANDING", "s3a://", "STRATA_LANDING is s3a://: write it as s3a://bucket/folder"),
        ("STRATA_LAKE", "s3a://bucket/lake", "which the Spark of this process does not reach"),
    ],
)
def test_an_address_that_the_target_cannot_use_is_named(variable, value, sentence):
    with changed_environment(**{variable: value}), pytest.raises(StrataError, match=re.escape(sentence)):
        places.check()


def test_a_process_has_died_when_it_was_on_this_machine_and_is_gone():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert not processes.has_died(processes.this())
    assert processes.has_died(f"{processes.MACHINE} {ended.pid}")
    assert not processes.has_died(f"another {ended.pid}")


NOT_FOUND = "[TABLE_OR_VIEW_NOT_FOUND] The table or view `raw`.`events` cannot be found."


@pytest.mark.parametrize(
    ("answers", "said", "given"),
    [
        ([None], None, ["select 1"]),
        (["[PARSE_SYNTAX_ERROR]"], "PARSE", ["select 1"]),
        # The metastore's database has gone, it was away for a moment, the table is not there.
        ([NOT_FOUND, "MetaException"], "MetaException", ["select 1", "show databases"]),
        ([NOT_FOUND, None, None], None, ["select 1", "show databases", "select 1"]),
        ([NOT_FOUND, None, NOT_FOUND], "NOT_FOUND", ["select 1", "show databases", "select 1"]),
    ],
)
def test_what_is_not_found_on_a_cluster_may_be_its_metastore(answers, said, given):
    told = []

    def give(statement: str) -> None:
        told.append(statement)
        answer = answers[len(told) - 1]
        if answer:
            raise RuntimeError(answer)

    if said:
        with pytest.raises(RuntimeError, match=said):
            cluster.carry_out(give, "select 1")
    else:
        cluster.carry_out(give, "select 1")
    assert told == given
