"""A history as a drawing: numbers for SVG, and for the little script that reads it out under the pointer."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.timezone import get_current_timezone, localtime

from canvas.analytics.figures import METRICS
from canvas.analytics.history import History
from canvas.analytics.periods import DAY, HOUR, MONDAY, Range

DRAWN = ("entered", "synced", "pending", "errored")
WIDTH, HEIGHT = 1000, 240  # in the drawing's own units
LABELS = 6  # below the drawing, at most
RULES = 4  # lines across


@dataclass(frozen=True)
class Line:
    """One drawn figure: its name, its points as an SVG polyline has them, and what it comes to."""

    key: str
    label: str | Promise
    points: str
    total: int


@dataclass(frozen=True)
class Mark:
    """A place on a scale, in the drawing's units, and what stands there."""

    at: float
    label: str


@dataclass(frozen=True)
class Chart:
    """Lines over a range: what happened in each unit, and how many were pending at its end."""

    lines: list[Line]
    rules: list[Mark]
    times: list[Mark]
    data: str  # JSON: {"times": […], "series": {key: […]}}


def draw(history: History) -> Chart:
    """Draw a history. Entered, synced and errored are numbers of each unit; pending is a level."""
    series = {key: [getattr(bucket, key) for bucket in history.buckets] for key in DRAWN}
    top = ceiling(max((value for values in series.values() for value in values), default=0))
    middles = [_x(bucket.at + history.range.unit / 2, history.range) for bucket in history.buckets]
    lines = [
        Line(
            key,
            METRICS[key],
            _points(middles, [HEIGHT - max(value, 0) / top * HEIGHT for value in values]),
            values[-1] if key == "pending" and values else sum(values),
        )
        for key, values in series.items()
    ]
    rules = [Mark(round(HEIGHT - HEIGHT * n / RULES, 1), _short(top * n / RULES)) for n in range(RULES, -1, -1)]
    data = {
        "times": [_said(bucket.at, history.range.unit) for bucket in history.buckets],
        "x": middles,
        "series": series,
    }
    return Chart(lines, rules, list(_times(history.range)), json.dumps(data, separators=(",", ":")))


def ceiling(value: int) -> int:
    """Return the next round number that is not less and has four equal parts: 4, 8, 12, 20, 40, 60, 80, 100, 120 …"""
    power = 1
    while True:
        for step in (4, 8, 12, 20, 28, 32, 36):
            if step * power >= value:
                return step * power
        power *= 10


def _points(xs: Sequence[float], ys: Iterable[float]) -> str:
    """Join the points; of a stretch at one height only the ends are drawn."""
    points = [(x, round(y, 1)) for x, y in zip(xs, ys, strict=True)]
    kept = [
        point
        for place, point in enumerate(points)
        if place in (0, len(points) - 1) or not points[place - 1][1] == point[1] == points[place + 1][1]
    ]
    return " ".join(f"{x:g},{y:g}" for x, y in kept)


def _x(at: datetime, of: Range) -> float:
    return round((at - of.began) / (of.ended - of.began) * WIDTH, 1)


def _times(of: Range) -> Iterable[Mark]:
    """Yield some moments, at even distances that are easy to read; days begin as in `_said`."""
    span = of.ended - of.began
    steps = (*(timedelta(minutes=n) for n in (2, 5, 10, 15, 30)), *(n * HOUR for n in (1, 2, 3, 6, 12)))
    steps = (*steps, *(n * DAY for n in (1, 2, 7, 14, 28, 91, 182, 364, 728)))
    step = next((step for step in steps if span / step <= LABELS), steps[-1] * 5)
    zone = get_current_timezone() if of.unit < DAY <= step else UTC
    at = of.began.astimezone(zone).replace(tzinfo=None)  # by the clock on the wall: a day may have 23 hours
    at += (MONDAY.replace(tzinfo=None) - at) % step
    while (moment := at.replace(tzinfo=zone)) < of.ended:
        label = date_format(at, "MONTH_DAY_FORMAT") if step >= DAY else date_format(localtime(moment), "TIME_FORMAT")
        yield Mark(round(_x(moment, of) / 10, 2), label)
        at += step


def _said(at: datetime, unit: timedelta) -> str:
    """Say which unit this is, in the reader's zone; days and longer units are those of UTC."""
    if unit >= DAY:
        return date_format(at, "DATE_FORMAT")
    return date_format(localtime(at), "SHORT_DATETIME_FORMAT")


def _short(value: float) -> str:
    """Return a number for a scale: 900, 1.2k, 15M."""
    for size, suffix in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if value >= size * 10 or (value >= size and value % (size / 10) == 0):
            return f"{value / size:g}{suffix}"
    return f"{value:g}"
