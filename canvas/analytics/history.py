"""A sync's figures over time, from the minutes and hours that delivery writes down."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import F, Min

from canvas.analytics.periods import CHOSEN, HOUR, MONDAY, Choice, Range, range_of
from canvas.models import Canvas
from integrations.models import AudienceSync, SyncHour, SyncMinute, SyncTotals

FIGURES = ("entered", "synced", "not_synced", "errored", "pending")


@dataclass(frozen=True)
class Bucket:
    """What happened in one stretch of time; `pending` is how many were pending at its end."""

    at: datetime
    entered: int = 0
    synced: int = 0
    not_synced: int = 0
    errored: int = 0
    pending: int = 0

    @property
    def is_quiet(self) -> bool:
        return not (self.entered or self.synced or self.not_synced or self.errored)


@dataclass(frozen=True)
class History:
    """A range of a sync's time in buckets, oldest first, without a gap; `pending_before` waited when it began."""

    range: Range
    buckets: list[Bucket]
    pending_before: int

    @property
    def is_empty(self) -> bool:
        """Return whether nothing happened, and nobody waited."""
        return not self.pending_before and all(each.is_quiet and not each.pending for each in self.buckets)

    @property
    def newest_first(self) -> list[tuple[Bucket, dict[str, str]]]:
        """Return the buckets, and how an address asks for whoever entered in each."""
        return [
            (bucket, Choice(CHOSEN, bucket.at, bucket.at + self.range.unit).query) for bucket in reversed(self.buckets)
        ]


def history(sync: AudienceSync, choice: Choice, now: datetime) -> History:
    """Return the figures of what a person chose. Reads no more rows than a chart has units, times 24 for days.

    The present level of pending users comes in the same statement, and the levels before are reckoned back from it:
    the last bucket is what the figures say now.
    """
    first = _first(sync, now) if choice.is_open else now
    return in_range(sync, range_of(choice, first, now), now)


def in_range(sync: AudienceSync, asked: Range, now: datetime) -> History:
    """Return the figures of a range."""
    changes, level = _read(sync, asked)
    buckets: list[Bucket] = []
    at = asked.ended - asked.unit
    while at >= asked.began:
        change = changes.get(at, dict.fromkeys(FIGURES, 0))
        if at <= now:
            buckets.append(Bucket(at, **{**change, "pending": level}))
        level -= change["pending"]
        at -= asked.unit
    return History(asked, buckets[::-1], level)


def minutes(canvas: Canvas) -> Iterator[tuple[int, str, SyncMinute]]:
    """Yield step id, step name and minute of all sync steps, in the order of steps and time."""
    rows = SyncMinute.objects.filter(sync__step__canvas=canvas).annotate(
        step_id=F("sync__step__pk"), step_name=F("sync__step__name"), place=F("sync__step__position")
    )
    for row in rows.order_by("place", "step_id", "minute").iterator(chunk_size=2000):
        yield row.step_id, row.step_name, row


def _first(sync: AudienceSync, now: datetime) -> datetime:
    return SyncHour.objects.filter(sync=sync).aggregate(first=Min("hour"))["first"] or now


def _read(sync: AudienceSync, asked: Range) -> tuple[dict[datetime, dict[str, int]], int]:
    """Return what happened in each unit in which anything did, and how many were pending at the end of the range."""
    rows, column = (SyncHour, "hour") if asked.has_hours else (SyncMinute, "minute")
    table = {"table": rows._meta.db_table, "column": column, "unit": _UNIT[connection.vendor].format(column=column)}
    # After the range: the minutes up to a whole hour, then hours.
    hour = -(-(asked.ended - MONDAY) // HOUR) * HOUR + MONDAY
    began, ended, whole = map(connection.ops.adapt_datetimefield_value, (asked.began, asked.ended, hour))
    origin, seconds = int(MONDAY.timestamp()), asked.seconds
    with connection.cursor() as cursor:
        cursor.execute(
            _HISTORY.format(**table),
            [sync.pk, sync.pk, ended, whole, sync.pk, whole, origin, seconds, sync.pk, began, ended],
        )
        found = cursor.fetchall()
    level = int(found[0][0])
    return {
        MONDAY + timedelta(seconds=int(unit) * seconds): dict(zip(FIGURES, map(int, figures), strict=True))
        for _, unit, *figures in found
        if unit is not None
    }, level


# The number of the unit that a row lies in, counted from MONDAY; both databases keep UTC.
_UNIT = {
    "sqlite": "(CAST(strftime('%%s', {column}) AS INTEGER) - %s) / %s",
    "postgresql": "(CAST(extract(epoch FROM {column}) AS bigint) - %s) / %s",
}
_MINUTES, _HOURS = SyncMinute._meta.db_table, SyncHour._meta.db_table
_HISTORY = f"""
SELECT level.pending, units.*
FROM (
    SELECT COALESCE((SELECT pending FROM {SyncTotals._meta.db_table} WHERE sync_id = %s), 0)
    - COALESCE((SELECT sum(pending) FROM {_MINUTES} WHERE sync_id = %s AND minute >= %s AND minute < %s), 0)
    - COALESCE((SELECT sum(pending) FROM {_HOURS} WHERE sync_id = %s AND hour >= %s), 0) AS pending
) level
LEFT JOIN (
    SELECT {{unit}} AS unit, {", ".join(f"sum({figure}) AS {figure}" for figure in FIGURES)}
    FROM {{table}} WHERE sync_id = %s AND {{column}} >= %s AND {{column}} < %s GROUP BY 1
) units ON true
"""
