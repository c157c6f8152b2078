"""Charts and sparklines as numbers for SVG. Drawn by templates; nothing here knows colours."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.functional import Promise

WIDTH, HEIGHT = 1000, 220  # of a drawing, in its own units


@dataclass(frozen=True)
class Line:
    """A figure over time: its points as an SVG polyline has them, and its latest value."""

    key: str
    label: str | Promise
    points: str
    value: int


@dataclass(frozen=True)
class Lines:
    """Some figures over the same time."""

    lines: list[Line]
    highest: int
    seconds: float


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    value: int
    over: bool  # more than the limit


@dataclass(frozen=True)
class Bars:
    """How many in each second, against a limit."""

    bars: list[Bar]
    limit: int
    limit_y: float
    most: int
    now: int  # in the last whole second


def lines(times: Sequence[float], figures: Iterable[tuple[str, str | Promise, Sequence[int]]]) -> Lines:
    """Draw figures over `times`, which grow from 0. The drawing begins at 0 and is at least ten seconds long."""
    drawn = list(figures)
    highest = _round_up(max((value for _key, _label, values in drawn for value in values), default=0))
    seconds = max([*times, 10.0])
    return Lines(
        [
            Line(
                key,
                label,
                " ".join(
                    f"{time / seconds * WIDTH:.1f},{HEIGHT - max(value, 0) / highest * HEIGHT:.1f}"
                    for time, value in zip(times, values, strict=True)
                ),
                values[-1] if values else 0,
            )
            for key, label, values in drawn
        ],
        highest,
        seconds,
    )


def bars(times: Iterable[float], *, now: float, seconds: int, limit: int) -> Bars:
    """Draw how many of `times` fall into each of the last `seconds` seconds of the clock."""
    counts = Counter(math.floor(time) for time in times)
    last = math.floor(now)
    shown = range(last - seconds + 1, last + 1)
    most = max((counts[second] for second in shown), default=0)
    top = max(most, limit) * 1.15
    width = WIDTH / seconds
    return Bars(
        [
            Bar(
                x=round(place * width + 1, 1),
                y=round(HEIGHT - counts[second] / top * HEIGHT, 1),
                width=round(width - 2, 1),
                height=round(counts[second] / top * HEIGHT, 1),
                value=counts[second],
                over=counts[second] > limit,
            )
            for place, second in enumerate(shown)
            if counts[second]
        ],
        limit=limit,
        limit_y=round(HEIGHT - limit / top * HEIGHT, 1),
        most=most,
        now=counts[last - 1],
    )


def _round_up(value: int) -> int:
    """Return a number that is easy to read and not below `value`: 1, 2 or 5 times a power of ten, at least 10."""
    power = 10
    while True:
        for step in (1, 2, 5):
            if step * power >= value:
                return step * power
        power *= 10
