"""The marts in plain Python, from the rules: what a lake must hold for a list of valid events."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

Event = tuple[datetime, str]


def _floor(moment: datetime, minutes: int) -> datetime:
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // timedelta(minutes=minutes) * timedelta(minutes=minutes)


def actions_per_minute(events: list[Event], window_minutes: int = 10) -> list[tuple]:
    """Rows (minute_start, window_start, open_count, close_count) in order of time."""
    counts = Counter((_floor(moment, 1), action) for moment, action in events)
    minutes = sorted({minute for minute, _ in counts})
    return [(m, _floor(m, window_minutes), counts[m, "Open"], counts[m, "Close"]) for m in minutes]


def action_windows(events: list[Event], window_minutes: int = 10) -> list[tuple]:
    """Rows (window_start, window_end, open_count, close_count, total_count, average_actions) in order of time."""
    if not events:
        return []
    counts = Counter((_floor(moment, window_minutes), action) for moment, action in events)
    start, last = min(window for window, _ in counts), max(window for window, _ in counts)
    length = timedelta(minutes=window_minutes)
    rows = []
    while start <= last:
        opens, closes = counts[start, "Open"], counts[start, "Close"]
        rows.append((start, start + length, opens, closes, opens + closes, (opens + closes) / 2))
        start += length
    return rows


def action_totals(events: list[Event], window_minutes: int = 10) -> list[tuple]:
    """The one row (window_count, event_count, average_actions_per_window)."""
    windows = len(action_windows(events, window_minutes))
    return [(windows, len(events), len(events) / windows if windows else None)]


def top_open_windows(events: list[Event], window_minutes: int = 10, top: int = 10) -> list[tuple]:
    """Rows (rank, then as in action_windows)."""
    ranked = sorted(action_windows(events, window_minutes), key=lambda row: (-row[2], row[0]))
    return [(rank, *row) for rank, row in enumerate(ranked[:top], start=1)]
