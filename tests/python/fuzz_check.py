"""The tables of a lake against what fuzz_reading says of the landed files: each difference is a finding."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import astuple, dataclass, field

import fuzz_reading as reading
import reference
import reference_purchases
import reference_sensors
from conftest import FAIL_ON_REFUSED_FILES, MODIFIED_AT, Lake, Run
from fuzz_mutations import EARLIEST, SOURCES, File
from fuzz_reading import Expected

# What no sentence holds: traces, names of Java and Scala classes, errors of Python's and Spark's.
TRACE = re.compile(
    r"Traceback|\bat [\w.$]+\([\w.]+\.(?:java|scala):\d+\)|JVM stacktrace|SQLSTATE|Object of type"
    r"|\b(?:java|scala|org\.apache|io\.delta|com\.fasterxml|py4j)\.[\w.$]+|\w+(?:Decode|Key|Attribute|Type|Value)Error"
    r"|\[[A-Z_]{6,}(?:\.[A-Z_]+)*\]"
)
RULES = {"earliest_valid_date": f"{EARLIEST}"}
ANY = {**RULES, "max_removed_share": 1, "max_quarantined_share": 1, "allow_empty_snapshot": True}


@dataclass(frozen=True)
class Finding:
    """A difference: its kind is the same for the same fault, path is the file's, None where none is to blame."""

    kind: str
    path: str | None
    expected: str
    found: str


@dataclass
class Checked:
    """What a check has found, and which files it found right so far."""

    findings: list[Finding] = field(default_factory=list)
    wrong: set[str] = field(default_factory=set)

    def add(self, kind: str, path: str | None, expected: object, found: object) -> None:
        """Note a difference; what follows from a file that is wrong is no finding of its own."""
        if path is not None:
            if path in self.wrong:
                return
            self.wrong.add(path)
        self.findings.append(Finding(kind, path, short(expected), short(found)))


def short(value: object) -> str:
    """Return a value as a text that can be read."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 700 else f"{text[:350]} … {text[-300:]}"


def by_path(rows: Iterable[tuple]) -> dict[str, list[tuple]]:
    """Group rows by their first column."""
    grouped: dict[str, list[tuple]] = defaultdict(list)
    for path, *row in rows:
        grouped[path].append(tuple(row))
    return grouped


@dataclass
class State:
    """A row of ops.landed_files."""

    size: int | None
    rows_landed: int | None
    rows_valid: int | None
    rows_quarantined: int | None
    rows_refused: int | None
    status: str
    reason: str | None


def check_run(run: Run, checked: Checked, may_fail: Iterable[str] = (FAIL_ON_REFUSED_FILES,)) -> list[str]:
    """Check what a command said and how it ended; return the nodes that failed and may not."""
    said = "\n".join(run.said)
    trace = TRACE.search(said)
    failed = [
        name for name, status in run.nodes.items() if status not in ("success", "pass", "skipped", "warn", "no-op")
    ]
    failed = [name for name in failed if name not in may_fail]
    if failed:
        message = next((text for text in run.said if failed[0] in text), "")
        checked.add(f"the node {failed[0]} fails", None, "every node is built", f"{failed}: {message} {said[-1500:]}")
    elif trace:
        around = said[max(0, trace.start() - 200) : trace.end() + 200]
        checked.add("a trace is said", None, "sentences only", around)
    elif not run.nodes:
        checked.add("the run ends without a result", None, "a build that ends", said[-1500:])
    return failed


class Tables:
    """The tables of a lake, compared with what the landed files must have become."""

    def __init__(self, lake: Lake, files: list[File], run: Run, checked: Checked) -> None:
        self.lake = lake
        self.checked = checked
        self.said = " ".join(" ".join(run.said).split())
        self.files = [reading.expected(file) for file in files]
        columns = "size, rows_landed, rows_valid, rows_quarantined, rows_refused, status, reason"
        self.states = by_path(lake.rows(f"select path, {columns} from ops.landed_files"))

    def check(self, has_marts: bool = True, sources: Iterable[str] = SOURCES) -> None:
        """Compare the sources, and the marts that are made of them."""
        self.has_marts = has_marts
        self.has_history = True
        self.is_short = any("rows were counted" in (row[-1] or "") for rows in self.states.values() for row in rows)
        for path in set(self.states) - {found.path for found in self.files}:
            self.checked.add("a file is listed that is not there", path, "no such file", self.states[path])
        for source in sources:
            {"events": self.events, "purchases": self.purchases, "fleet_sensors": self.sensors}[source]()

    def of(self, source: str) -> list[Expected]:
        return [found for found in self.files if found.file.source == source]

    # --- files --------------------------------------------------------------------------------------------------------

    def state_of(self, found: Expected, has_rows: bool) -> State | None:
        """Check a file's state as far as its bytes decide it; None where there is nothing more to say of it."""
        add, source = self.checked.add, found.file.source
        rows = self.states.get(found.path, [])
        if found.state == "not_listed":
            if rows or has_rows:
                add(f"{source}: a file that has not landed is there", found.path, "not listed", rows)
            return None
        if len(rows) != 1:
            add(f"{source}: a file has no state or two ({found.state})", found.path, f"one row, {found.state}", rows)
            return None
        state = State(*rows[0])
        if found.state == "ignored":
            counts = (state.rows_landed, state.rows_valid, state.rows_quarantined, state.rows_refused)
            if state.status != "ignored" or not state.reason or counts != (None,) * 4 or has_rows:
                add(f"{source}: a file of another kind", found.path, "ignored, without counts, with a reason", rows)
            return None
        if state.status not in ("loaded", "refused") or (state.status == "refused") != bool(state.reason):
            add(f"{source}: a state that is none", found.path, "loaded, or refused with a reason", rows)
            return None
        if state.status == "refused" and source != "purchases":
            # A line for each file, whatever its name holds.
            name = found.path.replace("\n", "\\n").replace("\r", "\\r")
            sentence = " ".join(f"The file {name} was refused: {state.reason}".split())
            if sentence not in self.said:
                add(f"{source}: a refusal is not said", found.path, sentence, self.said[-600:])
                return None
        if found.refusal:
            if state.status != "refused":
                add(f"{source}: a file that cannot be taken is loaded", found.path, f"refused: {found.refusal}", rows)
                return None
            if not any(word in state.reason for word in found.refusal):
                add(f"{source}: refused for another reason", found.path, found.refusal, state.reason)
                return None
        return state

    def table_of(self, found: Expected, raw: list[tuple], state: State) -> bool:
        """Check a CSV file's rows in its raw table: all there, each as it landed."""
        tables = found.tables
        if state.status == "refused" and not raw:
            is_right = found.refusal or found.may_be_refused
            if not is_right:
                self.checked.add(f"{found.file.source}: a right file is refused", found.path, "loaded", state.reason)
            return False
        lefts = [reading.unmatched(found, table, raw) for table in tables] or [([], raw)]
        missing, left = min(lefts, key=lambda pair: len(pair[0]) + len(pair[1]))
        # Of a file that may be refused for what is in it, the reader may have given the rows before that place.
        is_cut = found.may_be_refused and state.status == "refused" and "rows were counted" in state.reason
        if left or (missing and not found.refusal and not is_cut):
            self.checked.add(
                f"{found.file.source}: rows are not as they landed",
                found.path,
                f"{len(missing)} rows not found: {[(row.line, row.readings) for row in missing[:3]]}",
                f"{state}; {len(left)} rows of no line: {left[:3]}",
            )
            return False
        if state.rows_refused != len(raw) and state.status == "refused" and found.file.source == "events":
            self.checked.add(f"{found.file.source}: refused rows are miscounted", found.path, len(raw), state)
        if state.status == "loaded" and state.rows_landed != len(raw):
            self.checked.add(f"{found.file.source}: landed rows are miscounted", found.path, len(raw), state)
        return not found.refusal

    def is_share_right(self, found: Expected, state: State, bad: int, count: int) -> bool:
        """Check that a file is refused if and only if too many of its rows are not valid."""
        is_refused = bad * reading.MAX_SHARE > count
        if is_refused != (state.status == "refused") and not (found.may_be_refused and state.status == "refused"):
            wanted = f"{'refused' if is_refused else 'loaded'}: {bad} of {count} rows are not valid"
            self.checked.add(f"{found.file.source}: {state.status}, which is wrong", found.path, wanted, state)
            return False
        if state.status == "loaded" and (state.rows_valid, state.rows_quarantined, state.rows_refused) != (
            count - bad,
            bad,
            0,
        ):
            self.checked.add(f"{found.file.source}: counts", found.path, (count - bad, bad, 0), state)
            return False
        return state.status == "loaded"

    def compare(self, kind: str, wanted: Iterable, found: Iterable, path: str | None = None) -> None:
        """Compare two lots of rows, in whatever order."""
        wanted, found = Counter(wanted), Counter(found)
        if wanted != found:
            missing, surplus = list((wanted - found).items()), list((found - wanted).items())
            text = f"{sum((wanted - found).values())} missing: {missing[:4]}"
            self.checked.add(kind, path, text, f"{sum((found - wanted).values())} too many: {surplus[:4]}")

    # --- events -------------------------------------------------------------------------------------------------------

    def events(self) -> None:
        lake = self.lake
        columns = "path, time, action, other_columns, malformed_line"
        raw = by_path(lake.rows(f"select {columns} from raw.events"))
        stage = by_path(lake.rows("select path, event_at, action, year, month, day from stage.events"))
        quarantine = by_path(lake.rows(f"select {columns}, reasons from quarantine.events"))
        known = {found.path for found in self.of("events")}
        for table in (raw, stage, quarantine):
            for path in set(table) - known:
                self.checked.add("events: rows of a file that is not there", path, "none", table[path][:3])
        for found in self.of("events"):
            rows = raw.get(found.path, [])
            state = self.state_of(found, bool(rows))
            if state is None or not self.table_of(found, [((row[0], row[1]), *row[2:]) for row in rows], state):
                if found.path not in self.checked.wrong and (found.path in stage or found.path in quarantine):
                    self.checked.add("events: a refused file has rows", found.path, "none", stage.get(found.path))
                continue
            judged = [(row, *reading.judged_event(row[0], row[1], row[3], MODIFIED_AT)) for row in rows]
            bad = [(row, reasons) for row, _, reasons in judged if reasons]
            if not self.is_share_right(found, state, len(bad), len(rows)):
                bad = judged = []
            valid = [(at, row[1], at.year, at.month, at.day) for row, at, reasons in judged if not reasons]
            self.compare("events: stage", valid, stage.get(found.path, []), found.path)
            self.quarantined("events", found, bad, quarantine.get(found.path, []))
        if not self.has_marts:
            return
        events = [row[:2] for rows in stage.values() for row in rows]
        for name, key in (
            ("actions_per_minute", "minute_start"),
            ("action_windows", "window_start"),
            ("action_totals", "window_count"),
            ("top_open_windows", "rank"),
        ):
            rows = lake.rows(f"select * from mart.{name} order by {key}")
            self.compare(f"events: mart.{name}", getattr(reference, name)(events), rows)

    def quarantined(self, source: str, found: Expected, bad: list[tuple], rows: list[tuple]) -> None:
        """Compare the quarantined rows of a file, each a raw row and at last its reasons."""
        left = list(rows)
        for row, reasons in bad:
            match = next((one for one in left if one[:-1] == row and reading.gives(one[-1], reasons)), None)
            if match is None:
                near = [one for one in left if one[:-1] == row] or left[:3]
                self.checked.add(f"{source}: quarantine", found.path, (row, reasons), near)
                return
            left.remove(match)
        if left:
            self.checked.add(f"{source}: quarantine", found.path, "no further row", left[:3])

    # --- purchases ----------------------------------------------------------------------------------------------------

    def purchases(self) -> None:
        lake = self.lake
        own = "PurchaseID, product, user, date"
        raw = by_path(
            lake.rows(
                f"select path, make_date(year, month, day), {own}, other_columns, malformed_line from raw.purchases"
            )
        )
        quarantine = by_path(
            lake.rows(
                f"select path, landed_on, {own}, other_columns, malformed_line, reasons from quarantine.purchases"
            )
        )
        self.days: reference_purchases.Days = {}
        self.refused: list[Expected] = []
        known = {found.path for found in self.of("purchases")}
        for table in (raw, quarantine):
            for path in set(table) - known:
                self.checked.add("purchases: rows of a file that is not there", path, "none", table[path][:3])
        for found in self.of("purchases"):
            rows = raw.get(found.path, [])
            state = self.state_of(found, bool(rows))
            if state is None or not self.table_of(found, [(row[1:5], row[5], row[6]) for row in rows], state):
                self.refused.append(found)
                continue
            if any(row[0] != found.landed_on for row in rows):
                self.checked.add("purchases: a row has another day", found.path, found.landed_on, rows[:3])
            if state.status == "refused":
                self.checked.add("purchases: a right file is refused", found.path, "loaded", state)
                self.refused.append(found)
                continue
            self.days[found.landed_on] = [tuple(value or "" for value in row[1:5]) for row in rows]
            bad = self.quarantined_purchases(found, rows)
            self.quarantined("purchases", found, bad, quarantine.get(found.path, []))
            counts = (len(rows) - len(bad), len(bad), 0)
            if (state.rows_valid, state.rows_quarantined, state.rows_refused) != counts:
                self.checked.add("purchases: counts", found.path, counts, state)
        # A day is taken or refused as a whole: what the check found wrong is none to take a history from.
        for found in self.of("purchases"):
            if found.path in self.checked.wrong and found.landed_on in self.days:
                del self.days[found.landed_on]
                self.refused.append(found)

    def quarantined_purchases(self, found: Expected, rows: list[tuple]) -> list[tuple]:
        """Return the rows of a day that must be in quarantine, with the reasons of each."""
        judged = [(row, reading.judged_purchase(row[1:5], row[6], found.landed_on)) for row in rows]
        by_key = defaultdict(list)
        for row, reasons in judged:
            if re.fullmatch("[0-9]{10}", row[1] or ""):
                by_key[row[1]].append((row, reasons))
        bad = [(row, reasons) for row, reasons in judged if not re.fullmatch("[0-9]{10}", row[1] or "")]
        for same in by_key.values():
            has_invalid = any(reasons for _, reasons in same)
            # What a row says of a column is read even where another column of it is not valid.
            differs = any(
                len({said[n] for said in map(self.said_of, same) if said[n] is not None}) > 1 for n in range(3)
            )
            if not has_invalid and not differs:
                continue
            for row, reasons in same:
                more = [("purchase_has_invalid_row",)] if has_invalid and not reasons else []
                more += [("purchase_has_different_rows",)] if differs else []
                bad.append((row, reasons + more))
        return bad

    @staticmethod
    def said_of(pair: tuple) -> tuple:
        """Return what a row says of product, user and date, each None where its text is no such thing."""
        _, product, user, day = pair[0][1:5]
        bought = reference_purchases._date(day or "")
        return (
            int(product) if re.fullmatch("[0-9]{1,9}", product or "") else None,
            int(user) if re.fullmatch("[0-9]{7}", user or "") else None,
            bought,
        )

    def history(self, run: Run) -> None:
        """Compare the history with the days that are right, after all of them were taken."""
        if not run.success:
            self.checked.add("purchases: the history is refused", None, "all days taken", run.said[-8:])
            self.has_history = False
            return
        columns = (
            "purchase_id, product_id, user_id, purchased_on, version, valid_from, valid_to, recorded_on, closed_on"
        )
        rows = self.lake.rows(f"select {columns} from stage.purchases")
        wanted = [astuple(version) for version in reference_purchases.history(self.days, EARLIEST)]
        self.compare("purchases: history", wanted, rows)
        columns = (
            "landed_on, new_count, modified_count, removed_count, returned_count, unchanged_count, quarantined_count"
        )
        rows = self.lake.rows(f"select {columns} from mart.purchase_changes")
        self.compare("purchases: mart.purchase_changes", reference_purchases.changes(self.days, EARLIEST), rows)

    # --- fleet sensors ------------------------------------------------------------------------------------------------

    def sensors(self) -> None:
        lake, add = self.lake, self.checked.add
        described = [row for row in lake.rows("describe raw.fleet_sensors") if (row[2] or "").startswith("landed as ")]
        self.columns = {reading.clean(row[2][10:]): row[0] for row in described}
        for name, column in self.columns.items():
            if "?" not in name and column != reference_sensors.column_name(name):
                add("fleet_sensors: the name of a column", None, (name, reference_sensors.column_name(name)), column)
        sensors = "".join(f", `{column}`" for column in self.columns.values())
        archive = by_path(lake.rows("select path, line from raw.fleet_sensors"))
        wide = by_path(
            lake.rows(
                f"select path, truck_id, recorded_at, value_count, other_values, landed_on{sensors}"
                " from raw.fleet_sensors where recorded_at is not null and path in ("
                "select path from raw.loaded_files where source = 'fleet_sensors' and reason is null)"
            )
        )
        quarantine = (
            "select path, line, reasons, truck_id, recorded_at, sensor, landed_text from quarantine.sensor_readings"
        )
        quarantined = by_path(lake.rows(quarantine))
        if any(row[0] is None for rows in archive.values() for row in rows):
            add("fleet_sensors: the archive lacks lines", None, "a line in each row of raw.fleet_sensors", "null")
        known = {found.path for found in self.of("fleet_sensors")}
        for table in (archive, wide, quarantined):
            for path in set(table) - known:
                add("fleet_sensors: rows of a file that is not there", path, "none", table[path][:3])
        numbers: dict[tuple, list[tuple[float, str]]] = defaultdict(list)
        others: Counter = Counter()
        keys: dict[tuple[str, str], tuple] = {}
        for found in self.of("fleet_sensors"):
            path = found.path
            texts = [row[0] for row in archive.get(path, [])]
            state = self.state_of(found, bool(texts))
            if state is None or found.refusal or (state.status == "refused" and found.may_be_refused):
                if path not in self.checked.wrong and (path in wide or path in quarantined):
                    add("fleet_sensors: a refused file has rows", path, "none", (wide.get(path), quarantined.get(path)))
                continue
            if not self.is_archived(found, texts, state):
                continue
            if state.status == "refused":
                low = sum(line.reading is None or bool(line.reading.reasons) for line in found.lines)
                high = low + sum(line.may_be_malformed for line in found.lines)
                if high * reading.MAX_SHARE <= len(texts):
                    add("fleet_sensors: a right file is refused", path, f"{low} to {high} bad of {len(texts)}", state)
                elif path in wide or path in quarantined:
                    add("fleet_sensors: a refused file has rows", path, "none", (wide.get(path), quarantined.get(path)))
                continue
            matched = self.matched(
                found, wide.get(path, []), [row for row in quarantined.get(path, []) if row[0] is not None]
            )
            if matched is None:
                continue
            valid, bad = matched
            if not self.is_share_right(found, state, bad, len(valid) + bad):
                continue
            types: dict[str, list] = defaultdict(list)
            for row, line in valid:
                for name, value in line.reading.all_values.items():
                    types[name] += [] if value is None else [reading.json_type(value)]
                for name, value in line.reading.values.items():
                    key = (row[0], row[1], self.columns[reading.clean(name)])
                    if reading.json_type(value) == "number":
                        numbers[key].append((float(value) + 0.0, path))
                    else:
                        others[*key, "not_a_number", path] += 1
            keys.update({(path, name): (tuple(sorted(set(kinds))), len(kinds)) for name, kinds in types.items()})
        self.readings(numbers, others, keys, quarantined)

    def is_archived(self, found: Expected, texts: list[str | None], state: State) -> bool:
        """Check that the archive holds each line once."""
        wanted = Counter(line.text for line in found.lines)
        kept = Counter(text for text in texts if text is not None)
        without_marks = Counter()
        for text, count in wanted.items():
            without_marks[text if kept[text] else text.lstrip("\ufeff")] += count
        is_counted = len(texts) == wanted.total() and (state.status == "refused" or state.rows_landed == len(texts))
        if not is_counted or kept - without_marks - wanted:
            self.checked.add(
                "fleet_sensors: lines are not as they landed",
                found.path,
                f"{wanted.total()} lines, missing {list((wanted - kept).items())[:3] if kept else ''}",
                f"{state}; {len(texts)} lines, of no landed one {list((kept - without_marks - wanted).items())[:3]}",
            )
            return False
        return True

    def matched(self, found: Expected, rows: list[tuple], bad: list[tuple]) -> tuple[list[tuple], int] | None:
        """Match a loaded file's valid rows and quarantined lines with what landed; None where they do not match."""
        left = list(found.lines)
        for text, reasons, *_ in bad:
            match = next((line for line in left if self.is_quarantined(line, text, reasons)), None)
            if match is None:
                near = [line.reading for line in found.lines if line.text == text]
                kind = "reasons or validity of a line" if near else "a quarantined line did not land so"
                self.checked.add(f"fleet_sensors: {kind}", found.path, near or "no such line", (text, reasons))
                return None
            left.remove(match)
        valid = []
        for row in rows:
            match = next((line for line in left if self.is_valid_row(line, row, found)), None)
            if match is None:
                shown = {
                    column: text
                    for column, text in zip(self.columns.values(), row[5:], strict=True)
                    if text is not None
                }
                near = [line.text for line in left if line.reading and line.reading.moment == row[1]]
                self.checked.add("fleet_sensors: a row of no line", found.path, near[:2] or left[:2], (row[:5], shown))
                return None
            left.remove(match)
            valid.append((row, match))
        if left:
            self.checked.add(
                "fleet_sensors: a line is nowhere", found.path, [line.text for line in left[:3]], "no row of it"
            )
            return None
        return valid, len(bad)

    @staticmethod
    def is_quarantined(line: reading.Line, text: str, reasons: list[str]) -> bool:
        """Tell whether a line may be in quarantine with these reasons."""
        if text not in (line.text, line.text.lstrip("\ufeff")):
            return False
        if (line.reading is None or line.may_be_malformed) and reasons == ["line_malformed"]:
            return True
        return line.reading is not None and bool(line.reading.reasons) and reading.gives(reasons, line.reading.reasons)

    def is_valid_row(self, line: reading.Line, row: tuple, found: Expected) -> bool:
        """Tell whether a row of raw.fleet_sensors is a line: truck, time, and each value in the column of its key."""
        read = line.reading
        if read is None or read.reasons or row[1] != read.moment or not reading.truck_text(read.truck, row[0]):
            return False
        if row[2] != len(read.values) or row[3] or row[4] != found.landed_on:
            return False
        shown = {column: text for column, text in zip(self.columns.values(), row[5:], strict=True) if text is not None}
        wanted = {self.columns.get(reading.clean(name)): value for name, value in read.values.items()}
        return shown.keys() == wanted.keys() and all(
            reading.same_json(wanted[column], shown[column]) for column in wanted
        )

    def readings(self, numbers: dict, others: Counter, keys: dict, quarantined: dict[str, list[tuple]]) -> None:
        """Compare readings, quarantined values, keys, and the marts that follow from them."""
        lake, wrong = self.lake, self.checked.wrong
        # A truck of a file that is wrong already says nothing new.
        shown = lake.rows("select truck_id, recorded_at, sensor, value, path, copy_count from stage.sensor_readings")
        odd = {row[0] for row in shown if row[4] in wrong}
        wanted = []
        for key, values in numbers.items():
            if len({value for value, _ in values}) == 1:
                wanted.append((*key, values[0][0], min(path for _, path in values), len(values) - 1))
            else:
                others.update((*key, "conflicting", path) for _, path in values)
        self.compare(
            "fleet_sensors: readings",
            [row for row in wanted if row[0] not in odd],
            [row for row in shown if row[0] not in odd],
        )
        values = Counter(
            (truck, moment, sensor, "+".join(reasons), path)
            for path, rows in quarantined.items()
            for line, reasons, truck, moment, sensor, _ in rows
            if line is None and path not in wrong
        )
        is_here = {key: count for key, count in others.items() if key[4] not in wrong and key[0] not in odd}
        self.compare("fleet_sensors: quarantined values", Counter(is_here).elements(), Counter(
            {key: count for key, count in values.items() if key[0] not in odd}
        ).elements())  # fmt: skip
        sql = "select path, inline(columns) from raw.loaded_files where source = 'fleet_sensors'"
        found_keys = [
            (row[0], reading.clean(row[1]), tuple(row[2]), row[3]) for row in lake.rows(sql) if row[0] not in wrong
        ]
        self.compare(
            "fleet_sensors: keys",
            [(path, reading.clean(name), *kinds) for (path, name), kinds in keys.items() if path not in wrong],
            found_keys,
        )
        if not self.has_marts:
            return
        windows = lake.rows("select * from mart.sensor_windows")
        self.compare("fleet_sensors: mart.sensor_windows", reference_sensors.windows(shown), windows)
        catalog = lake.rows("select * from mart.sensor_catalog")
        wanted_catalog = reference_sensors.catalog(shown, {("", name): () for name in self.columns})
        # The landed names of the columns are compared as they are told.
        self.compare("fleet_sensors: mart.sensor_catalog", [(row[0], *row[2:]) for row in wanted_catalog],
                     [(row[0], *row[2:]) for row in catalog])  # fmt: skip


# --- nothing changes --------------------------------------------------------------------------------------------------

LAYERS = ("raw", "stage", "mart", "quarantine", "ops")


def versions(lake: Lake) -> dict[str, int]:
    """Return the newest version of each Delta table, from its log's files."""
    found = {}
    for layer in LAYERS:
        for folder in sorted((lake.folder / "lake" / "warehouse" / f"{lake.schema(layer)}.db").glob("*")):
            numbers = [int(path.stem) for path in (folder / "_delta_log").glob("*.json") if path.stem.isdigit()]
            if numbers:
                found[f"{layer}.{folder.name}"] = max(numbers)
    return found


CLOCKS = {"loaded_at", "changed_at", "noticed_at"}


def content(lake: Lake, table: str, version: int) -> Counter:
    """Return the rows of a table as of a version, clocks left out."""
    columns = [row[0] for row in lake.rows(f"describe {table}") if row[0] and row[0][0] != "#"]
    names = ", ".join(f"`{name}`" for name in dict.fromkeys(columns) if name not in CLOCKS)
    return Counter(row[0] for row in lake.rows(f"select to_json(struct({names})) from {table} version as of {version}"))


def changed(
    lake: Lake,
    before: dict[str, int],
    after: dict[str, int],
    checked: Checked,
    gone: set[str],
    has_history: bool,
    is_short: bool,
) -> None:
    """Compare the tables before and after a build that had nothing to do; files in `gone` went in between.

    Where the history could not be taken before, the build goes on with it.
    """
    of_history = {"stage.purchases", "stage.history_days", "mart.purchase_changes", "mart.current_purchases"}
    for table in sorted(after):
        if after[table] == before.get(table) or (table in of_history and not has_history):
            continue
        # A seed is written in each build, with the same rows; a file read short is read again (docs/events.md).
        if table.startswith(("raw.", "stage.")) and table != "stage.accepted_actions" and not is_short:
            checked.add(f"a second build writes {table}", None, before.get(table), after[table])
        if table not in before:
            checked.add("a second build makes a table", None, "no new table", table)
            continue
        old, new = content(lake, table, before[table]), content(lake, table, after[table])
        lost, come = (
            [row for row in rows if json.loads(row).get("path") not in gone] for rows in (old - new, new - old)
        )
        if lost or come:
            checked.add(f"a second build changes {table}", None, lost[:3], come[:3])
