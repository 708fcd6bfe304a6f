"""The project's own rules, held on its manifest and files; each test's docstring is the rule."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from dbt.cli.main import dbtRunner

from strata import places, sources

LAYERS = ("raw", "stage", "mart", "quarantine", "ops")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory):
    """Parse the project, without Spark."""
    os.chdir(places.ROOT)
    done = dbtRunner().invoke(["--quiet", "parse", "--target-path", str(tmp_path_factory.mktemp("target"))])
    assert done.success, done.exception
    return done.result


def of_kind(manifest, kind: str) -> list:
    return [node for node in manifest.nodes.values() if node.resource_type == kind and node.package_name == "strata"]


def test_every_model_that_reads_another_has_a_unit_test(manifest) -> None:
    """Raw models read files, which a unit test cannot give; every other model with a ref has one."""
    tested = {unit_test.model for unit_test in manifest.unit_tests.values()}
    models = {node.name for node in of_kind(manifest, "model") if node.refs and node.config.materialized != "landed"}
    assert models - tested == set()


def test_every_mart_is_under_contract(manifest) -> None:
    """People outside read the marts: their columns and types do not change unseen."""
    marts = [node for node in of_kind(manifest, "model") if node.schema == "mart"]
    assert len(marts) >= 4
    assert [node.name for node in marts if not node.config.contract.enforced] == []


def test_every_table_is_named_as_its_node_in_its_layer(manifest) -> None:
    """A node bears its table's name; where a name stands in several schemas the node is `<layer>_<table>`."""
    for node in of_kind(manifest, "model"):
        if node.config.materialized != "ephemeral":
            assert node.schema in LAYERS, node.name
            assert node.name in (node.alias, f"{node.schema}_{node.alias}")
            assert node.path.split("/")[0] == node.schema, node.path


def test_schemas_bear_a_prefix_on_a_developers_target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On `local` the schemas are named exactly so; on any other target the target's own stands before them."""
    monkeypatch.chdir(places.ROOT)
    monkeypatch.setenv("STRATA_SCHEMA_PREFIX", "anna")
    done = dbtRunner().invoke(["--quiet", "parse", "--target", "dev", "--target-path", str(tmp_path)])
    schemas = {node.schema for node in of_kind(done.result, "model") + of_kind(done.result, "seed")}
    assert schemas == {f"anna_{layer}" for layer in LAYERS}


def test_data_flows_one_way(manifest) -> None:
    """No layer reads a later one; what ops tells is for people, and nothing but ops is made of it."""
    order = {"raw": 0, "stage": 1, "quarantine": 1, "mart": 2, "ops": 3}
    nodes = of_kind(manifest, "model") + of_kind(manifest, "snapshot") + of_kind(manifest, "seed")
    layer = {node.unique_id: order[node.schema] for node in nodes}
    wrong = [
        (node.name, other)
        for node in nodes
        for other in getattr(node.depends_on, "nodes", ())
        if other in layer and layer[other] > layer[node.unique_id]
    ]
    assert wrong == []
    # dbt's lineage begins at what lands.
    landed = {source.unique_id for source in manifest.sources.values()}
    raw = [node for node in nodes if node.config.materialized == "landed"]
    assert {source for node in raw for source in node.depends_on.nodes} & landed == landed
    assert len(raw) == len(landed) == 3


def test_nothing_but_dbts_graph_ties_nodes(manifest) -> None:
    """A name of a node in `meta` would be a second graph, which nobody sees; a raw model has a digest there."""
    nodes = of_kind(manifest, "model") + of_kind(manifest, "snapshot")
    assert [node.name for node in nodes if set(node.config.meta) - {"declaration"}] == []
    assert {node.schema for node in nodes if node.config.meta} == {"raw"}


def test_the_engine_names_no_source() -> None:
    """What is the same for every source knows none: not its name, not its tables, not its columns."""
    declared = sources.load(places.ROOT).values()
    names = {name for source in declared for name in (source.name, source.quarantine, *source.derived_columns)}
    names |= {name for source in declared for column in source.columns for name in (column.name, column.landed_name)}
    # Words of the subject, and of a way to arrive.
    names -= {"events", "time", "date", "user", "product", "action", "year", "month", "day"}
    assert {"purchases", "purchase_id", "PurchaseID", "fleet_sensors", "truck_id", "event_at"} <= names
    engine = [
        path for path in (places.ROOT / "macros").rglob("*.sql") if path.parent.name not in ("upgrade", "time_travel")
    ]
    assert len(engine) > 20
    of_engine = (
        *("sources", "landing", "listing", "scanning", "storage", "settings", "history", "dbt_run", "schema", "lake"),
        *("new_source", "inferring"),
    )
    engine += [places.ROOT / "python" / "strata" / f"{name}.py" for name in of_engine]
    engine += [places.ROOT / "python" / "dbt_strata.py", *(places.ROOT / "python/strata/templates").iterdir()]
    word = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(names)))})\b")
    found = {(path.name, match) for path in engine for match in word.findall(path.read_text())}
    assert found == set()


def test_every_singular_test_says_what_it_guards() -> None:
    """A test that fails at night must say what is at stake."""
    tests = list((places.ROOT / "tests").rglob("*.sql"))
    assert tests
    assert [path.name for path in tests if not path.read_text().startswith("-- Guards: ")] == []


def test_no_check_is_switched_off_and_no_address_is_written_down() -> None:
    """Disabled tests, warnings in place of failures and registries' addresses have no place in the project."""
    listed = subprocess.run(["git", "ls-files"], cwd=places.ROOT, capture_output=True, text=True, check=True).stdout
    wrong = re.compile(
        r"enabled: *false|severity: *warn|mark\.(skip|xfail)|https?://[^ ]*(pypi|maven|npmjs|hub\.getdbt)"
    )
    names = [name for name in listed.splitlines() if name != "tests/python/test_project.py"]
    found = [name for name in names if wrong.search((places.ROOT / name).read_text(errors="replace"))]
    assert found == []


def test_each_job_of_the_pipelines_is_one_make_target() -> None:
    """What CI does anyone can do, and GitHub's jobs are GitLab's."""
    github = {}
    for file in sorted((places.ROOT / ".github" / "workflows").glob("*.yml")):
        for name, job in yaml.safe_load(file.read_text())["jobs"].items():
            github[name] = [step["run"] for step in job["steps"] if "run" in step]
    gitlab = {
        name: [job["script"]]
        for name, job in yaml.safe_load((places.ROOT / ".gitlab-ci.yml").read_text()).items()
        if isinstance(job, dict) and "script" in job
    }
    assert github == gitlab
    makefiles = "".join((places.ROOT / name).read_text() for name in ("Makefile", "development.mk"))
    targets = re.findall(r"^([a-z-]+):.*## ", makefiles, re.MULTILINE)
    for commands in github.values():
        assert [command.removeprefix("make ") in targets for command in commands] == [True]


def test_every_pin_has_a_hash() -> None:
    """An install that cannot be checked is not repeatable."""
    for name in ("lock", "development", "uv"):
        text = (places.ROOT / "requirements" / f"{name}.txt").read_text()
        pins = re.findall(r"^[a-zA-Z0-9_.-]+==.*(?:\n .*)*", text, re.MULTILINE)
        assert pins
        assert [pin.split()[0] for pin in pins if "--hash=sha256:" not in pin] == []
    for line in (places.ROOT / "conf" / "jars.txt").read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(r"[\w.-]+:[\w.-]+:[\w.-]+ [0-9a-f]{64}", line), line
