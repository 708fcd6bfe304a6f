"""The documentation: that all there is says what it is, and that the site opens in a real browser."""

from __future__ import annotations

import functools
import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from strata import places

DBT = Path(sys.executable).with_name("dbt")
# What dbt's own page asks for and nobody has (dbt-core 1.11): its icons, before it knows which.
OF_THE_PAGE = ("getIcon", "favicon")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site, made of an empty lake by `make docs-site`."""
    folder = tmp_path_factory.mktemp("site")
    places_of_its_own = {
        "STRATA_LAKE": str(folder / "lake"),
        "STRATA_LANDING": str(folder / "landing"),
        "DBT_TARGET_PATH": str(folder / "target"),
    }
    (folder / "landing").mkdir()
    # The environment is there.
    command = ("make", "--old-file=setup", "docs-site", f"BIN={DBT.parent}")
    done = subprocess.run(command, cwd=places.ROOT, env=os.environ | places_of_its_own, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    return folder / "target"


@pytest.fixture(scope="module")
def manifest(site: Path) -> dict:
    return json.loads((site / "manifest.json").read_text())


def own(things: dict[str, dict], *kinds: str) -> list[dict]:
    return [one for one in things.values() if one["package_name"] == "strata" and one["resource_type"] in kinds]


# --- what it says -----------------------------------------------------------------------------------------------------


def test_every_table_and_column_is_described(manifest: dict) -> None:
    """Models, seeds, snapshots and sources say their grain; each has columns, and each of them says what it is."""
    tables = own(manifest["nodes"], "model", "seed", "snapshot") + own(manifest["sources"], "source")
    assert len(tables) > 30
    for table in tables:
        assert table["description"].startswith("One row"), table["name"]
        assert table["columns"], table["name"]
        assert [name for name, column in table["columns"].items() if not column["description"]] == [], table["name"]


def test_every_macro_is_described_or_the_engines_own(manifest: dict) -> None:
    """What people and models call is described, arguments too; the engine's own begin with `_` and are not shown."""
    macros = own(manifest["macros"], "macro")
    assert [one["name"] for one in macros if one["docs"]["show"] == one["name"].startswith("_")] == []
    shown = [one for one in macros if one["docs"]["show"]]
    assert [one["name"] for one in shown if not one["description"].strip()] == []
    # dbt gives its materializations this one by itself.
    arguments = [(one["name"], it) for one in shown for it in one["arguments"] if it["name"] != "supported_languages"]
    assert [(name, it["name"]) for name, it in arguments if not it["description"] or not it["type"]] == []
    read = {path: (places.ROOT / path).read_text() for path in {one["original_file_path"] for one in macros}}
    commented = re.compile(r"#\}\s*\{%-? *macro (\w+)")
    commented_names = {name for text in read.values() for name in commented.findall(text)}
    assert [one["name"] for one in macros if not one["docs"]["show"] and one["name"] not in commented_names] == []
    # A model calls nothing that is not shown.
    nodes = own(manifest["nodes"], "model", "snapshot", "test")
    assert [node["name"] for node in nodes if re.search(r"\b_\w+\(", node.get("raw_code") or "")] == []


def test_every_variable_is_described() -> None:
    """In dbt_project.yml by a comment above it, alone or together with the one before; in the README by a row."""
    text = (places.ROOT / "dbt_project.yml").read_text()
    [section] = re.findall(r"^vars:\n((?:  .*\n)+)", text, re.MULTILINE)
    lines = section.splitlines()
    names = [line.split(":")[0].strip() for line in lines if not line.lstrip().startswith("#")]
    assert "window_minutes" in names
    assert lines[0].lstrip().startswith("#")
    undescribed = [line for before, line in itertools.pairwise(lines) if "#" not in before and "#" not in line]
    # These two are one setting, and have one comment.
    assert undescribed == ["  replay_from: null"]
    readme = (places.ROOT / "README.md").read_text()
    assert [name for name in names if not re.search(rf"^\|.*`{name}`.*\|$", readme, re.MULTILINE)] == []


def test_exposures_are_examples_and_say_so(manifest: dict) -> None:
    exposures = own(manifest["exposures"], "exposure")
    assert exposures
    for exposure in exposures:
        assert exposure["name"].startswith("example_")
        assert exposure["label"].startswith("Example: ")
        assert exposure["description"].startswith("An example of an exposure, not ")


def test_marts_are_public_and_nothing_else_is(manifest: dict) -> None:
    """Each node has an owner, by its group."""
    nodes = own(manifest["nodes"], "model", "seed", "snapshot")
    assert {node["config"]["group"] for node in nodes} == {"lakehouse"}
    [group] = manifest["groups"].values()
    assert group["owner"]["email"]
    access = {(node["schema"] == "mart", node["access"]) for node in nodes if node["resource_type"] == "model"}
    assert access == {(True, "public"), (False, "protected")}


def test_the_overview_leads_nowhere_that_is_not(manifest: dict) -> None:
    overview = manifest["docs"]["doc.strata.__overview__"]["block_contents"]
    led_to = re.findall(r"\(#!/(\w+)/(\S+)\)", overview)
    assert len(led_to) > 5
    assert [id for kind, id in led_to if manifest["nodes"].get(id, {}).get("resource_type") != kind] == []
    names = {node["schema"] for node in own(manifest["nodes"], "model")}
    assert set(re.findall(r"^\| `(\w+)` \|", overview, re.MULTILINE)) == names


# --- the project's shape, by the rules of dbt-project-evaluator that apply --------------------------------------------


def test_a_mart_reads_no_raw_and_nothing_that_lands(manifest: dict) -> None:
    """What a mart needs of raw is stage's to say."""
    marts = [node for node in own(manifest["nodes"], "model") if node["schema"] == "mart"]
    assert len(marts) >= 8
    layers = {id: node["schema"] for id, node in manifest["nodes"].items()}
    read = {(mart["name"], layers.get(id)) for mart in marts for id in mart["depends_on"]["nodes"]}
    assert {layer for _, layer in read} <= {"stage", "quarantine", "mart"}, read


def test_a_source_is_read_by_its_raw_model_alone(manifest: dict) -> None:
    """No fan-out of a source, and no join on one: its model reads what was loaded of it besides, and nothing else."""
    readers = {
        id: [child for child in manifest["child_map"][id] if not child.startswith("test.")]
        for id in manifest["sources"]
    }
    assert readers == {id: [f"model.strata.raw_{one['name']}"] for id, one in manifest["sources"].items()}
    for [reader] in readers.values():
        read = manifest["nodes"][reader]["depends_on"]["nodes"]
        assert len(read) == 2
        assert "model.strata.loaded_files" in read


def test_no_table_fans_out_into_many_ends(manifest: dict) -> None:
    """More than three tables at the end of the lineage, made of one, want one in between that they share."""

    def children(id: str) -> list[str]:
        return [child for child in manifest["child_map"][id] if child.split(".")[0] in ("model", "snapshot")]

    counts = {id: sum(not children(child) for child in children(id)) for id in manifest["nodes"]}
    assert [id for id, count in counts.items() if count > 3] == []


def test_every_model_is_tested(manifest: dict) -> None:
    """By a data test or a unit test; a view on what the plugin wrote, listings and the record, by Python's tests."""
    of_plugin = {"intake", "ignored_files", "runs", "node_results", "table_versions", "test_failures"}
    for node in own(manifest["nodes"], "model", "snapshot", "seed"):
        tests = [child for child in manifest["child_map"][node["unique_id"]] if "test." in child]
        assert tests or node["name"] in of_plugin, node["name"]


# --- the site ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    """A real one, Debian's Chromium or the one that is there."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    assert None not in (chromium, driver), "No Chromium with its driver is there: run 'make test-prerequisites'."
    options = ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1500,1400"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = Chrome(options=options, service=ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """The address at which `dbt docs serve` shows the site."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    served = subprocess.Popen(
        (str(DBT), "docs", "serve", "--port", str(port), "--no-browser", "--target-path", str(site)),
        cwd=places.ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}/"
    for _ in range(300):
        try:
            urllib.request.urlopen(address, timeout=1)
            break
        except OSError:
            assert served.poll() is None, "dbt docs serve has ended"
            time.sleep(0.1)
    yield address
    served.terminate()
    served.wait()


def awaited(browser: Chrome, css: str, text: str = "") -> WebElement:
    """Return the first visible element with a text; fail when there is none after a time."""

    def find(_) -> WebElement | None:
        found = browser.find_elements(By.CSS_SELECTOR, css)
        return next((one for one in found if one.is_displayed() and text in one.text), None)

    wait = WebDriverWait(browser, 30, ignored_exceptions=(Exception,))
    return wait.until(functools.partial(find), f"no {css} with {text!r}")


def errors(browser: Chrome) -> list[str]:
    said = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    return [message for message in said if not any(part in message for part in OF_THE_PAGE)]


def test_the_site_greets_with_the_overview(browser: Chrome, address: str) -> None:
    browser.get(address)
    awaited(browser, "h1", "Strata")
    text = browser.find_element(By.TAG_NAME, "body").text
    for part in ("What lands, and", "Layers", "Keys", "As of", "Who to turn to", "data-team@example.com"):
        assert part in text
    assert "{{" not in text.replace("{{ valid_as_of(", "").replace("{{ recorded_as_of(", "")
    assert errors(browser) == []


def test_a_model_is_found_by_search_and_says_what_it_is(browser: Chrome, address: str) -> None:
    browser.get(address)
    awaited(browser, "h1", "Strata")
    browser.find_element(By.ID, "search").send_keys("action_windows")
    awaited(browser, ".search-result h4", "action_windows").click()
    awaited(browser, "h1", "action_windows")
    awaited(browser, ".model-markdown", "One row for each window of")
    awaited(browser, "td", "average_actions")
    assert errors(browser) == []


def test_the_lineage_begins_at_what_lands(browser: Chrome, address: str) -> None:
    # Another address first, for the page stays where only what follows the `#` is another.
    browser.get("about:blank")
    browser.get(f"{address}#!/model/model.strata.action_windows")
    awaited(browser, "h1", "action_windows")
    awaited(browser, "[ng-click='onLauncherClick()']").click()
    awaited(browser, "[ng-click='showExpanded()']").click()
    awaited(browser, "canvas")
    # What is drawn on a canvas cannot be asked for; the page draws these.
    ids = "return angular.element(document.getElementById('cy')).scope().graph.elements.map(one => one.data.id)"
    wanted = {"source.strata.landing.events", "model.strata.raw_events", "model.strata.action_windows"}
    WebDriverWait(browser, 30).until(lambda driver: wanted <= set(driver.execute_script(ids)))
    assert errors(browser) == []


def test_the_one_file_opens_by_itself(browser: Chrome, site: Path) -> None:
    """What CI keeps, without a server beside it."""
    alone = site / "alone"
    alone.mkdir()
    shutil.copy2(site / "static_index.html", alone)
    browser.get((alone / "static_index.html").as_uri())
    awaited(browser, "h1", "Strata")
    assert [message for message in errors(browser) if "Unsafe attempt to load" not in message] == []
