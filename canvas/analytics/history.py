"""A sync's figures over time, from the minutes that delivery writes down, as numbers and as a drawing."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import F, Max, Min, Subquery, Sum
from django.db.models.functions import TruncDay, TruncHour, TruncMinute
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from canvas.analytics.figures import METRICS
from canvas.models import Canvas
from integrations.models import AudienceSync, SyncMinute, SyncTotals

PERIODS: dict[str, tuple[str | Promise, timedelta | None]] = {
    "hour": (_("Last hour"), timedelta(hours=1)),
    "day": (_("Last 24 hours"), timedelta(days=1)),
    "week": (_("Last 7 days"), timedelta(days=7)),
    "all": (_("All time"), None),
}
DRAWN = ("entered", "synced", "pending", "errored")
FIGURES = ("entered", "synced", "not_synced", "pending", "errored")
WIDTH, HEIGHT = 1000, 240  # of the drawing, in its own units
FEWEST = timedelta(minutes=10)  # a chart is at least this long
ROWS = 60  # of the table beside the chart


@dataclass(frozen=True)
class Bucket:
    """What happened in one stretch of time; `pending` is how many were pending at its end."""

    at: datetime
    entered: int
    synced: int
    not_synced: int
    errored: int
    pending: int


@dataclass(frozen=True)
class Line:
    """One drawn figure: its name, and its points as an SVG polyline has them."""

    key: str
    label: str | Promise
    points: str


@dataclass(frozen=True)
class History:
    """A period of a sync: entered, synced and errored are counted from its beginning, pending is the level."""

    period: str
    began: datetime
    ended: datetime
    step: timedelta
    buckets: list[Bucket]
    lines: list[Line] = field(default_factory=list)
    highest: int = 0
    lowest: int = 0

    @property
    def middle(self) -> datetime:
        return self.began + (self.ended - self.began) / 2

    @property
    def newest_first(self) -> list[Bucket]:
        return self.buckets[: -ROWS - 1 : -1]

    @property
    def zero(self) -> int:
        """Return where zero lies in the drawing."""
        return _y(0, self.lowest, self.highest)


def history(sync: AudienceSync, period: str, now: datetime) -> History:
    """Return a period's figures; an unknown period is all time. One bucket is a minute, an hour or a day."""
    period = period if period in PERIODS else "all"
    length = PERIODS[period][1]
    first = now - length if length else _first(sync, now)
    span = max(now - first, FEWEST)
    unit, step = _unit(span)
    began = now - span
    rows = SyncMinute.objects.filter(sync=sync, minute__gte=began, minute__lte=now)
    level = SyncTotals.objects.filter(sync=sync).values("pending")
    # The present level in the same statement: the levels before are reckoned back from it.
    sums = {f"sum_{figure}": Sum(figure) for figure in FIGURES}
    found = list(
        rows.annotate(at=unit("minute"))
        .values("at")
        .annotate(**sums, level=Max(Subquery(level)))
        .order_by("at")
        .values("at", *sums, now_pending=F("level"))
    )
    pending = found[-1]["now_pending"] or 0 if found else level.values_list("pending", flat=True).first() or 0
    buckets = []
    for row in reversed(found):
        changes = {figure: row[f"sum_{figure}"] for figure in FIGURES}
        buckets.append(Bucket(at=row["at"], **{**changes, "pending": pending}))
        pending -= changes["pending"]
    buckets.reverse()
    return drawn(History(period, began, now, step, buckets), pending)


def minutes(canvas: Canvas) -> Iterator[tuple[int, str, SyncMinute]]:
    """Yield step id, step name and minute of all sync steps, in the order of steps and time."""
    rows = SyncMinute.objects.filter(sync__step__canvas=canvas).annotate(
        step_id=F("sync__step__pk"), step_name=F("sync__step__name"), place=F("sync__step__position")
    )
    for row in rows.order_by("place", "step_id", "minute").iterator(chunk_size=2000):
        yield row.step_id, row.step_name, row


def _first(sync: AudienceSync, now: datetime) -> datetime:
    return SyncMinute.objects.filter(sync=sync).aggregate(first=Min("minute"))["first"] or now


def _unit(span: timedelta) -> "tuple[type[TruncMinute] | type[TruncHour] | type[TruncDay], timedelta]":
    if span <= timedelta(days=1):
        return TruncMinute, timedelta(minutes=1)
    if span <= timedelta(days=30):
        return TruncHour, timedelta(hours=1)
    return TruncDay, timedelta(days=1)


def drawn(found: History, pending_before: int) -> History:
    """Return the history with its lines: what happened in a bucket rises over the bucket's width."""
    series: dict[str, list[tuple[datetime, int]]] = {
        key: [(found.began, pending_before if key == "pending" else 0)] for key in DRAWN
    }
    for bucket in found.buckets:
        for key, points in series.items():
            before = points[-1][1]
            after = bucket.pending if key == "pending" else before + getattr(bucket, key)
            points.append((max(bucket.at, found.began), before))
            points.append((min(bucket.at + found.step, found.ended), after))
    for points in series.values():
        points.append((found.ended, points[-1][1]))
    values = [value for points in series.values() for _at, value in points]
    highest, lowest = _round_up(max(values)), -_round_up(-min(values))
    lines = [
        Line(key, METRICS[key], " ".join(f"{_x(at, found)},{_y(value, lowest, highest)}" for at, value in points))
        for key, points in series.items()
    ]
    return History(found.period, found.began, found.ended, found.step, found.buckets, lines, max(highest, 1), lowest)


def _x(at: datetime, found: History) -> int:
    return round((at - found.began) / (found.ended - found.began) * WIDTH)


def _y(value: int, lowest: int, highest: int) -> int:
    return round(HEIGHT - (value - lowest) / max(highest - lowest, 1) * HEIGHT)


def _round_up(value: int) -> int:
    """Return the next round number that is not less, so that a scale ends at one: 12, 15, 20, 25 … 100, 120."""
    if value <= 10:
        return max(value, 0)
    tenth: int = 10 ** (len(str(value)) - 2)
    return next(factor * tenth for factor in (10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100) if factor * tenth >= value)
