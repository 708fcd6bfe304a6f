"""The fleet's sensors from JSON lines to windows, catalog and ledger: real files, real builds, against plain Python."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from pyspark.errors import AnalysisException

import reference_sensors as reference
from conftest import FAIL_ON_REFUSED_FILES, MODIFIED_AT, Lake, Run
from strata import places, schema
from strata.dbt_run import of_subject

FLEET_AND_LEDGER = ("--select", *of_subject("fleet_sensors"), "schema_changes")
AT = "2026-01-05T10:00:00Z"


@pytest.fixture(scope="module")
def lake(lake: Lake) -> Lake:
    """The module's lake, for the fleet alone; a test of the ledger says otherwise."""
    return replace(lake, subject="fleet_sensors")


def land(lake: Lake, files: dict[str, str]) -> None:
    for name, content in files.items():
        lake.land(name, content, source="fleet_sensors")


def line(truck: object = "T1", at: object = AT, **values: object) -> str:
    return json.dumps({"truck_id": truck, "recorded_at": at, **values}, ensure_ascii=False) + "\n"


def expected(files: dict[str, str]) -> reference.Tables:
    return reference.tables({f"fleet_sensors/{name}": content for name, content in files.items()}, MODIFIED_AT)


def assert_holds(lake: Lake, wanted: reference.Tables) -> None:
    """Assert that a lake's tables hold what the rules say, row for row."""
    sql = "select path, rows_loaded - rows_malformed, rows_malformed from raw.loaded_files where reason is null"
    assert {row[0]: row[1:] for row in lake.rows(sql)} == wanted.lines
    sql = "select path, inline(columns) from raw.loaded_files"
    assert {row[:2]: (list(row[2]), row[3]) for row in lake.rows(sql)} == wanted.keys
    readings = lake.rows("select truck_id, recorded_at, sensor, value, path, copy_count from stage.sensor_readings")
    assert sorted(readings) == wanted.readings
    sql = "select truck_id, recorded_at, sensor, reasons[0], path from quarantine.sensor_readings where line is null"
    assert Counter(lake.rows(sql)) == wanted.quarantined
    sql = "select path, count(*) from quarantine.sensor_readings where line is not null group by path"
    assert dict(lake.rows(sql)) == {path: bad for path, (_, bad) in wanted.lines.items() if bad}
    assert lake.rows("select * from mart.sensor_windows order by 1, 2, 3") == wanted.windows
    assert lake.rows("select * from mart.sensor_catalog order by 1") == wanted.catalog


# --- every faulty file, in one lake and one build ---------------------------------------------------------------------

GOOD = line(speed=1)


def filler(truck: str) -> str:
    return "".join(line(truck, f"2026-01-05T11:{n // 2:02}:{n % 2 * 30:02}Z", speed=n) for n in range(40))


DEEP = '{"a": [1, {"b": [{"c": [{"d": [{"e": [[[1]]]}]}]}]}], "x": "]}"}'

# name -> content, status, lines landed, in raw, quarantined, refused; a part of the sentence where it is refused.
FILES: dict[str, tuple] = {
    "2026/01/05/plain.jsonl": (GOOD, "loaded", 1, 1, 0, 0),
    "2026/01/05/gzip.jsonl.gz": (line("T2", speed=1), "loaded", 1, 1, 0, 0),
    "year=2026/month=01/day=05/hive.jsonl": (line("T3", speed=1), "loaded", 1, 1, 0, 0),
    "2026/01/05/empty.jsonl": ("", "loaded", 0, 0, 0, 0),
    "2026/01/05/blank.jsonl": (f"\n \n{line('T4', speed=1)}\t\n\n", "loaded", 1, 1, 0, 0),
    "2026/01/05/bom.jsonl": ("\ufeff" + line("T5", speed=1), "loaded", 1, 1, 0, 0),
    "2026/01/05/crlf.jsonl": (
        (line("T6", speed=1) + line("T6", "2026-01-05T10:01:00Z")).replace("\n", "\r\n"), "loaded", 2, 2, 0, 0,
    ),
    "2026/01/05/unended.jsonl": (line("T7", speed=1).rstrip(), "loaded", 1, 1, 0, 0),
    "2026/01/05/names {a}*[b]? é'%20.jsonl": (line("T8", speed=1), "loaded", 1, 1, 0, 0),
    "2026/01/05/values.jsonl": (
        line("V", s="n/a", t="12.5", u=[1], v={"a": 1}, w=True, x=None, y=float("nan"), z=-float("inf"), ok=1)
        + '{"truck_id":"V","recorded_at":"2026-01-05T10:01:00Z","s":12.50,"t":-0.0,"u":1E3,"v":1e999,"w":0,"x":20,'
        + '"ok":20.0}\n'
        + f'{{"truck_id":"V","recorded_at":"2026-01-05T10:02:00Z","deep":{DEEP},"s":7.1,"t":[{{}}],"u":[]}}\n'
        + '{"truck_id":"V","recorded_at":"2026-01-05T10:02:30Z","deep":[{"a": {"b": [1]}}, "]}"],"s":7.10}\n'
        + '{"truck_id":"V","recorded_at":"2026-01-05T10:03:00Z","t\\u0065xt":"a: 5, \\"b\\": 7 \\\\","s\\u006f":1.50}\n'
        + '  { "truck_id" : "V" , "recorded_at" : "2026-01-05T10:04:00Z" , "s" : 3.00 }  \n',
        "loaded", 6, 6, 0, 0,
    ),
    "2026/01/05/trucks.jsonl": (line(17, speed=1) + line("17", "2026-01-05T10:01:00Z", speed=1), "loaded", 2, 2, 0, 0),
    "2026/01/05/times.jsonl": (
        line("Z", "2026-01-05T10:00:00.123456+05:30", speed=1) + line("Z", "2026-01-05 10:00:00", speed=2)
        + line("Z", "2026-06-01T00:00:00Z", speed=3) + line("Z", "2000-01-01T00:00:00Z", speed=4),
        "loaded", 4, 4, 0, 0,
    ),
    **{
        f"2026/01/05/bad {number}.jsonl": (filler(f"B{number}") + bad.strip() + "\n", "loaded", 41, 40, 1, 0)
        for number, bad in enumerate((
            '{"truck_id": "T1"', "[1]", "5", '"x"', "null", "{}", "x", f"{GOOD.strip()} junk", GOOD.strip() * 2,
            GOOD.strip() + "}", "{'truck_id': 'T1'}", '{truck_id: "T1"}', GOOD.replace("1}", "01}"),
            GOOD.replace("}", ",}"), GOOD.replace("}", ', "speed": 2}'), GOOD.replace("}", ', "a": +1}'),
            GOOD.replace("1}", '"\t"}'),
            line(None), line(""), line(" "), line(True), line(["T1"]), '{"recorded_at": "2026-01-05T10:00:00Z"}',
            '{"truck_id": "T1"}', line(at=None), line(at=1767607200), line(at="10:00"), line(at="2026-01-05"),
            line(at="2026-02-30T10:00:00Z"), line(at="2026-06-01T00:00:00.000001Z"), line(at="1999-12-31T23:59:59Z"),
        ))
    },
    "2026/01/05/at the share.jsonl": (filler("S1") + "x\nx\n", "loaded", 42, 40, 2, 0),
    "2026/01/05/above the share.jsonl": (
        filler("S2") + "x\n" * 3, "refused", 43, 0, 0, 43, "3 of its 43 rows are not valid",
    ),
    "2026/01/05/torn.jsonl.gz": (
        gzip.compress((filler("S3") * 30).encode())[:-30], "refused", 0, 0, 0, 0, "it is no whole gzip file",
    ),
    "2026/01/05/latin.jsonl": (GOOD.encode() + b"\xe9\n", "refused", 0, 0, 0, 0, "it holds bytes that are no UTF-8"),
    "stray.jsonl": (GOOD, "refused", 1, 0, 0, 1, "it lies in no folder of a day"),
}  # fmt: skip


@pytest.fixture(scope="module")
def faulty(lake: Lake) -> tuple[Lake, object]:
    """Build all of FILES at once in schemas of their own."""
    own = replace(lake, prefix="faulty", landing_name="faulty landing")
    land(own, {name: content for name, (content, *_) in FILES.items()})
    for name in (".hidden.jsonl", "_started.jsonl", "half.jsonl.tmp", "a.csv"):
        own.land(f"2026/01/05/{name}", GOOD, source="fleet_sensors")
    return own, own.build()


def test_a_file_is_loaded_or_refused_and_its_lines_accounted_for(faulty) -> None:
    own, run = faulty
    assert set(run.nodes.values()) == {"success", "pass", "error"}
    assert [name for name, state in run.nodes.items() if state == "error"] == [FAIL_ON_REFUSED_FILES]
    sql = (
        "select path, if(reason is null, 'loaded', 'refused'), rows_landed, if(reason is null, rows_loaded -"
        " rows_malformed, 0), if(reason is null, rows_malformed, 0), if(reason is null, 0, rows_loaded)"
        " from raw.loaded_files"
    )
    states = {row[0]: row[1:] for row in own.rows(sql)}
    assert states == {f"fleet_sensors/{name}": tuple(wanted[1:6]) for name, wanted in FILES.items()}
    for name, wanted in FILES.items():
        said = {text.strip() for text in run.said if f"fleet_sensors/{name} was refused: " in text}
        if wanted[1] == "refused":
            (sentence,) = said
            assert wanted[6] in sentence
        else:
            assert not said


def test_what_is_good_goes_on_and_a_refused_file_no_further(faulty) -> None:
    own, _ = faulty
    good = {name: wanted[0].replace("\r", "").removeprefix("\ufeff")
            for name, wanted in FILES.items() if wanted[1] == "loaded"}  # fmt: skip
    assert_holds(own, expected(good))
    with_columns = "( select * from raw.loaded_files where size(columns) > 0)"
    for table in ("quarantine.sensor_readings", "stage.sensor_readings", with_columns):
        paths = {row[0].removeprefix("fleet_sensors/") for row in own.rows(f"select distinct path from {table}")}
        assert paths <= set(good)


def test_only_a_file_with_a_time_to_come_is_read_again_for_a_later_modification(faulty) -> None:
    """A copied lake's files are later ones: what is malformed in them stays so."""
    own, _ = faulty
    ahead = {
        (f"fleet_sensors/{name}",)
        for name, (content, *_) in FILES.items()
        if "2026-06-01T00:00:00.000001Z" in str(content)
    }
    assert len(ahead) == 1
    assert set(own.rows("select path from raw.loaded_files where is_ahead")) == ahead


def test_a_value_stands_in_its_column_and_the_line_as_it_landed(faulty) -> None:
    own, _ = faulty
    columns = "s, t, u, v, w, x, y, z, ok, deep, text, so"
    sql = f"select {columns} from raw.fleet_sensors where truck_id = 'V' order by recorded_at"
    nothing = (None,) * 12
    assert own.rows(sql) == [
        ('"n/a"', '"12.5"', "[1]", '{"a":1}', "true", None, "NaN", "-Infinity", "1", *nothing[9:]),
        # As Spark renders them: the line has the rest.
        ("12.5", "0", "1000.0", "Infinity", "0", "20", None, None, "20", *nothing[9:]),
        ("7.1", "[{}]", "[]", *nothing[3:9], DEEP.replace(" ", ""), *nothing[10:]),
        ("7.1", *nothing[1:9], '[{"a":{"b":[1]}},"]}"]', *nothing[10:]),
        (*nothing[:10], '"a: 5, \\"b\\": 7 \\\\"', "1.5"),
        ("3", *nothing[1:]),
    ]
    lines = own.rows("select line from raw.fleet_sensors where path like '%/values.jsonl'")
    assert sorted(row[0] for row in lines) == sorted(FILES["2026/01/05/values.jsonl"][0].splitlines())


# --- random files over several runs -----------------------------------------------------------------------------------

KEYS = [
    "speed", "temp", "Temp", "TEMP", "temp ", "oil temp", "oil.temp", "oil,temp", "oil-temp", "oil_temp", "Ölstand",
    "油温", "°C", "", "a" * 200, "A" * 200, "b" * 64, "b" * 65, "value", "path", "truck_id ", "other_values", "1st",
    "_x", "x_12345678", "a`b", "a'b", 'a"b', "a\\b", "a;b", "select", "tab\there", "line\nbreak", "🚚", "nul\0",
]  # fmt: skip


def random_value(chance: random.Random) -> object:
    kind = chance.random()
    if kind < 0.8:
        return chance.choice(
            [chance.randint(-5, 5), round(chance.uniform(-100, 100), 3), chance.uniform(-1e9, 1e9), 1e-9]
        )
    return chance.choice([None, None, "n/a", "12.5", "", True, False, float("nan"), [1, "x"], {"a": {"b": 1}}, 10**400])


def random_files(seed: int, count: int) -> dict[str, str]:
    """Make files of random lines on few trucks and times, so that copies and conflicts come by themselves."""
    chance = random.Random(seed)
    files = {}
    for number in range(count):
        day = datetime(2026, 1, 5) + timedelta(days=chance.randint(0, 3))
        lines = []
        for _ in range(chance.randint(20, 60)):
            at = day - timedelta(days=chance.choice([0, 0, 0, 1]), minutes=-chance.choice([0, 9, 10, 11, 719, 720]))
            values = {name: random_value(chance) for name in chance.sample(KEYS, chance.randint(0, 6))}
            lines.append(
                line(chance.choice(["T1", "T2", 3]), at.isoformat(" ") + chance.choice(["", "Z", "+00:00"]), **values)
            )
        if chance.random() < 0.5:
            lines.append(chance.choice(["{", line(None), line(at="soon")]))
        chance.shuffle(lines)
        files[f"{day:%Y/%m/%d}/{number}.jsonl"] = "".join(text.rstrip("\n") + "\n" for text in lines)
    return files


def test_any_sequence_of_runs_gives_what_one_run_gives_and_the_rules_say(lake: Lake) -> None:
    own = replace(lake, prefix="random", landing_name="random")
    files = random_files(1, 18)
    order = list(files)
    random.Random(1).shuffle(order)
    for number in range(3):
        landed = order[: number * 6 + 6]
        land(own, {name: files[name] for name in landed[-6:]})
        if number == 1:
            # A file comes again, corrected; another again as it was.
            files[order[0]] = random_files(2, 1).popitem()[1]
            land(own, {name: files[name] for name in order[:2]})
        run = own.run() if number < 2 else own.build()
        assert run.success, run.said
        assert_holds(own, expected({name: files[name] for name in landed}))
    once = replace(own, prefix="once")
    assert once.run().success
    assert_holds(once, expected(files))
    columns = {row[0] for row in own.rows("describe raw.fleet_sensors")}
    assert columns == {row[0] for row in once.rows("describe raw.fleet_sensors")}
    assert columns - reference.OWN == {
        reference.column_name(name) for _, name in expected(files).keys if name not in ("truck_id", "recorded_at")
    }


# --- the ledger -------------------------------------------------------------------------------------------------------

LEDGER = (
    "select source, landed_name, column_name, type, change, path, cast(landed_on as string) from ops.schema_changes"
)


def day_file(number: int, *lines: str) -> dict[str, str]:
    return {f"2026/01/{number:02}/a.jsonl": "".join(lines)}


def reading(number: int, **values: object) -> str:
    return line(at=f"2026-01-{number:02}T10:00:00Z", **values)


@pytest.fixture(scope="module")
def ledger(lake: Lake) -> Lake:
    """A lake with all three sources, built once; the tests go on from there in order."""
    own = replace(lake, prefix="ledger", landing_name="ledger", subject=None)
    own.land("2026/01/05/a.csv", f"time,action,Note 1\n{AT},Open,x\n")
    header = "PurchaseID,product,user,date"
    own.land("2026/01/05/a.csv", f"{header},Shop\n1002313003,12,1003431,2022-05-20,x\n", source="purchases")
    own.land("2026/01/06/a.csv", f"{header}\n1002313003,12,1003431,2022-05-20\n", source="purchases")
    land(own, {**day_file(5, reading(5, speed=1, hum=None)), **day_file(6, reading(6, speed="x", Temp=2))})
    run = own.build()
    assert run.success, run.said
    return own


def test_the_ledger_tells_what_came_of_every_source(ledger: Lake) -> None:
    first, second = (f"fleet_sensors/2026/01/{day}/a.jsonl" for day in ("05", "06"))
    events, purchases = "events/2026/01/05/a.csv", "purchases/2026/01/05/a.csv"
    shop, temp = reference.column_name("Shop"), reference.column_name("Temp")
    assert set(ledger.rows(LEDGER)) == {
        ("events", "time", "time", "text", "added", events, "2026-01-05"),
        ("events", "action", "action", "text", "added", events, "2026-01-05"),
        ("events", "Note 1", "other_columns", "text", "added", events, "2026-01-05"),
        *(
            ("purchases", name, name, "text", "added", purchases, "2026-01-05")
            for name in ("PurchaseID", "product", "user", "date")
        ),
        ("purchases", "Shop", shop, "text", "added", purchases, "2026-01-05"),
        ("purchases", "Shop", shop, None, "silent", None, "2026-01-06"),
        ("fleet_sensors", "truck_id", "truck_id", "string", "added", first, "2026-01-05"),
        ("fleet_sensors", "recorded_at", "recorded_at", "string", "added", first, "2026-01-05"),
        ("fleet_sensors", "speed", "speed", "number", "added", first, "2026-01-05"),
        ("fleet_sensors", "hum", "hum", "", "added", first, "2026-01-05"),
        ("fleet_sensors", "Temp", temp, "number", "added", second, "2026-01-06"),
        ("fleet_sensors", "speed", "speed", "string", "type_conflict", second, "2026-01-06"),
    }


def test_each_fact_stands_once_and_what_is_true_later_is_added(ledger: Lake) -> None:
    before = ledger.rows("select * from ops.schema_changes")
    newest = "describe history ops.schema_changes limit 1"
    version = ledger.rows(newest)[0][0]
    assert ledger.run("--full-refresh", *FLEET_AND_LEDGER).success
    assert ledger.run(*FLEET_AND_LEDGER).success
    assert Counter(ledger.rows("select * from ops.schema_changes")) == Counter(before)
    assert ledger.rows(newest)[0][0] <= version + 2

    def new() -> set:
        rows = ledger.rows(LEDGER)
        assert len(rows) == len(set(rows))
        return {(row[1], row[4], row[6]) for row in rows if row[0] == "fleet_sensors"} - known

    known = set()
    known = new()
    # Temp and speed are silent on the 8th; speed is back on the 9th, as a text of a second kind.
    land(ledger, {**day_file(8, reading(8, hum=1)), **day_file(9, reading(9, speed=True, hum=1))})
    assert ledger.run(*FLEET_AND_LEDGER).success
    assert new() == {
        *{("Temp", "silent", "2026-01-08"), ("speed", "silent", "2026-01-08"), ("speed", "returned", "2026-01-09")},
        ("speed", "type_conflict", "2026-01-09"),
    }
    known |= new()
    # The 7th lands late, without speed: it was silent from then on. And the 8th gets a second file that has it.
    land(ledger, {**day_file(7, reading(7, Temp=1)), "2026/01/08/b.jsonl": reading(8, speed=1)})
    assert ledger.run(*FLEET_AND_LEDGER).success
    assert new() == {("speed", "silent", "2026-01-07"), ("speed", "returned", "2026-01-08")}
    assert ledger.run(*FLEET_AND_LEDGER).success
    known |= new()
    assert new() == set()


def test_the_version_of_a_column_is_the_first_that_has_it(ledger: Lake) -> None:
    sql = "select table_version from ops.schema_changes where landed_name = 'Temp' and change = 'added'"
    ((version,),) = ledger.rows(sql)
    name = reference.column_name("Temp")
    assert ledger.rows(f"select count({name}) from raw.fleet_sensors version as of {version}") == [(0,)]
    with pytest.raises(AnalysisException, match="UNRESOLVED_COLUMN"):
        ledger.rows(f"select {name} from raw.fleet_sensors version as of {version - 1}")


def test_a_new_column_rewrites_no_file_of_the_table(ledger: Lake) -> None:
    land(ledger, day_file(10, reading(10, brand_new=1, speed=1)))
    assert ledger.run().success
    history = ledger.rows("describe history raw.fleet_sensors limit 3")
    assert [row[4] for row in history] == ["SET TBLPROPERTIES", "WRITE", "ADD COLUMNS"]
    assert history[1][5]["mode"] == "Append"
    assert ledger.rows("select value from stage.sensor_readings where sensor = 'brand_new'") == [(1.0,)]


def test_strata_schema_prints_the_ledger_as_a_timeline(ledger: Lake, lake: Lake) -> None:
    def printed(own: Lake, source: str | None) -> Run:
        return own.strata(lambda *given: schema.timeline(*given, source=source))

    run = printed(ledger, "fleet_sensors")
    assert run.success, run.said
    rows = [text.split() for text in run.said if "fleet_sensors" in text]
    assert len(rows) == len(ledger.rows("select 1 from ops.schema_changes where source = 'fleet_sensors'"))
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert ["2026-01-06", "fleet_sensors", "type_conflict", "speed", "speed", "string"] in [row[:6] for row in rows]
    assert any("purchases" in text and "Shop" in text for text in printed(ledger, None).said)
    run = printed(replace(lake, prefix="none"), None)
    assert run.said == ["There is no ledger of schema changes yet: 'dbt build' makes it."]


# --- contracts, limits, single keys -----------------------------------------------------------------------------------


def queries(name: str) -> list[str]:
    """Return the SQL that a design note tells people to run."""
    blocks = re.findall(r"```sql\n(.*?)```", (places.ROOT / "docs" / name).read_text(), re.DOTALL)
    return [query.strip() for block in blocks for query in block.split(";") if query.strip()]


def test_thirty_new_keys_leave_the_marts_columns_and_their_queries_as_they_are(ledger: Lake) -> None:
    names = [row[1] for row in ledger.rows(f"show tables in {ledger.schema('mart')}") if "__" not in row[1]]
    assert len(names) == 8

    def columns() -> dict:
        return {name: ledger.rows(f"describe mart.{name}") for name in names}

    before = columns()
    keys = {f"New key {number}": number for number in range(30)}
    land(ledger, day_file(11, reading(11, **keys)))
    run = ledger.build()
    assert run.success, run.said
    assert columns() == before
    assert len(ledger.rows("select * from mart.sensor_catalog where landed_name like 'New key%'")) == 30
    texts = [query for name in ("events.md", "purchases.md", "fleet_sensors.md") for query in queries(name)]
    assert len(texts) >= 8
    for query in texts:
        if "{{" not in query:
            ledger.rows(" " + query)


def test_keys_beyond_the_limits_are_warned_of_and_quarantined_not_lost(lake: Lake) -> None:
    own = replace(lake, prefix="many", landing_name="many")
    files = day_file(5, reading(5, **{f"k{number:03}": number for number in range(100)}))
    land(own, files)
    run = own.run(max_new_columns=99, max_columns={"fleet_sensors": 100})
    assert run.success, run.said
    assert run.sentence("100 new columns came in one run, more than max_new_columns (99): k000, k001, k002")
    assert not [text for text in run.said if "have no column" in text]
    assert_holds(own, expected(files))
    more = day_file(6, reading(6, **{f"k{number:03}": number for number in range(99, 120)}))
    land(own, more)
    run = own.build(max_columns=100)
    assert run.success, run.said
    assert run.sentence("20 keys have no column, for").endswith("build with --full-refresh.")
    rows = own.rows(
        "select landed_name, landed_text from quarantine.sensor_readings where reasons = array('no_column')"
    )
    assert sorted(rows) == [(f"k{number}", str(number)) for number in range(100, 120)]
    assert own.rows("select count(*) from stage.sensor_readings") == [(101,)]
    run = own.build("--full-refresh")
    assert run.success, run.said
    assert_holds(own, expected({**files, **more}))


def test_a_key_that_is_there_once_among_very_many_lines_is_found(lake: Lake) -> None:
    own = replace(lake, prefix="once_there", landing_name="once there")
    start = datetime(2026, 1, 5)
    times = ((start + timedelta(milliseconds=n)).isoformat(timespec="milliseconds") for n in range(100_000))
    lines = [f'{{"truck_id":"T1","recorded_at":"{at}","s":1}}\n' for at in times]
    lines[77_777] = lines[77_777].replace('"s":1', '"rare key":1')
    land(own, {"2026/01/05/a.jsonl.gz": "".join(lines)})
    assert own.run().success
    assert own.rows("select landed_name, reading_count from mart.sensor_catalog where landed_name <> 's'") == [
        ("rare key", 1)
    ]


def test_a_run_of_a_part_or_killed_between_is_made_good_by_the_next(lake: Lake) -> None:
    own = replace(lake, prefix="parts", landing_name="parts")
    files = day_file(5, reading(5, a=1, b="x"))
    land(own, files)
    assert own.run().success
    files |= day_file(6, reading(6, a=1, new=2), reading(5, a=2))
    land(own, files)
    # As if killed between the column and its values.
    own.rows("alter table raw.fleet_sensors add columns (new string comment 'landed as new')")
    assert own.run("--select", "raw_fleet_sensors").success
    assert own.run("--select", "sensor_windows", "quarantine_sensor_readings").success
    run = own.build()
    assert run.success, run.said
    assert_holds(own, expected(files))
    # A file that has left keeps its rows; one that is refused now loses them, and the marts follow.
    (own.landing / "fleet_sensors/2026/01/05/a.jsonl").unlink()
    land(own, {"2026/01/06/a.jsonl": "x\n"})
    assert not own.run().success
    assert_holds(own, expected(day_file(5, reading(5, a=1, b="x"))))


def test_an_empty_landing_gives_a_sentence_and_empty_tables(lake: Lake) -> None:
    own = replace(lake, prefix="empty", landing_name="nothing")
    run = own.make()
    assert run.success, run.said
    assert run.sentence("Nothing has landed: no file of fleet_sensors in")
    assert_holds(own, expected({}))
    land(own, day_file(5, GOOD))
    run = own.build()
    assert run.success, run.said
    assert_holds(own, expected(day_file(5, GOOD)))
